/*
 * lat - a histogram of microseconds, 64 cells an octave (error below 1.6 %).
 *
 * Thread: the owner.
 */
#ifndef BENCH_LAT_H
#define BENCH_LAT_H
#include <stdint.h>

#define LAT_SUB_BITS 6
#define LAT_SUB (1u << LAT_SUB_BITS)
#define LAT_CELLS ((33 - LAT_SUB_BITS) * LAT_SUB)

struct lat {
	uint64_t n, max_us;
	uint64_t cell[LAT_CELLS];
};

static inline unsigned
lat_cell(uint64_t us)
{
	unsigned shift;

	if (us < LAT_SUB)
		return (unsigned)us;
	if (us > UINT32_MAX)
		us = UINT32_MAX;
	shift = 63u - (unsigned)__builtin_clzll(us) - LAT_SUB_BITS;
	return (shift + 1) * LAT_SUB + (unsigned)(us >> shift) - LAT_SUB;
}

static inline void
lat_add(struct lat *l, uint64_t us)
{
	l->n++;
	l->cell[lat_cell(us)]++;
	if (us > l->max_us)
		l->max_us = us;
}

/* The lowest value of the cell that holds quantile q; 0 when empty. */
static inline uint64_t
lat_at(const struct lat *l, double q)
{
	uint64_t below = 0, rank = (uint64_t)((double)l->n * q);

	for (unsigned i = 0; i < LAT_CELLS; i++) {
		below += l->cell[i];
		if (below > rank) {
			unsigned shift = i < LAT_SUB ? 0 : i / LAT_SUB - 1;
			uint64_t sub = i < LAT_SUB ? i : i % LAT_SUB + LAT_SUB;

			return sub << shift;
		}
	}
	return l->max_us;
}

#endif
