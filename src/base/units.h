/*
 * units - durations, sizes and shares as people write them.
 *
 * Durations: a number with us, ms, s, m, h or d ("90s", "1.5h", "1m30s"); "0"
 * needs no unit.  Sizes: bytes, or K, M, G with or without iB ("16KiB" =
 * "16k"), powers of 1024.  Percent: "10%", "0.5%", "10".  A fraction has
 * digits on both sides of its dot; what is finer than the unit counted in is
 * rounded, but refused in a share.
 *
 * Thread: any.
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

#define UNITS_MAX 32 /* bytes any of the writers needs, NUL included */

bool units_read_duration(struct str, uint64_t *us) MUST_CHECK;
bool units_read_size(struct str, uint64_t *bytes) MUST_CHECK;
/* In hundredths of a per cent: "12.5%" is 1250; above 100 % is refused. */
bool units_read_share(struct str, uint32_t *bp) MUST_CHECK;

/* Shortest exact form the readers accept: "1m30s", "16KiB", "12.5%". */
size_t units_duration(uint64_t us, char out[UNITS_MAX]);
size_t units_size(uint64_t bytes, char out[UNITS_MAX]);
size_t units_share(uint32_t bp, char out[UNITS_MAX]);
/* Rounded for reading: "340us", "12.3ms", "4.2s", "3m05s", "2h10m". */
size_t units_duration_round(uint64_t us, char out[UNITS_MAX]);

#endif
