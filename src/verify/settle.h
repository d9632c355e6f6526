/*
 * settle - has it become as fast as it gets?
 *
 * Thread: any.
 */
#ifndef VERIFY_SETTLE_H
#define VERIFY_SETTLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTLE_ROUNDS 3    /* in a row without getting faster */
#define SETTLE_GAIN_PCT 10 /* what counts as faster */

struct settle {
	uint64_t best_us; /* 0: no round yet */
	unsigned calm;    /* rounds in a row that were not faster */
};

/*
 * A round whose median that was; true: it has settled.  bound_us: not before
 * a round is at most that; 0: no bound.
 */
bool settle_round(struct settle *, uint64_t median_us, uint64_t bound_us);
/* A round that failed says nothing of speed, and ends the calm. */
void settle_failed(struct settle *);
/* Sorts the values; the middle one, or 0 of none. */
uint64_t settle_median(uint64_t *us, size_t n);

#endif
