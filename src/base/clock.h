/*
 * clock - the two clocks, in microseconds.
 *
 * Deadlines and durations use the monotonic clock; only what is shown to
 * people or written to disk uses the wall clock.
 *
 * Thread: any.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stddef.h>
#include <stdint.h>

#define US_PER_MS UINT64_C(1000)
#define US_PER_S UINT64_C(1000000)

uint64_t clock_mono_us(void);
uint64_t clock_wall_us(void);

/* "2026-11-24T10:00:00.123Z" into out; returns the length without NUL. */
#define CLOCK_ISO_MAX 32
size_t clock_iso(uint64_t wall_us, char out[CLOCK_ISO_MAX]);

/* For tests: from now on both clocks return these, until clock_real(). */
void clock_fake(uint64_t mono_us, uint64_t wall_us);
void clock_real(void);

#endif
