#include "base/stat.h"

#include <math.h>
#include <stddef.h>

#include "base/attr.h"

/*
 * Buckets 0..3 hold 0..3 us; above, each octave [2^e, 2^(e+1)) has four:
 * bucket 4 (e - 1) + the two bits behind the leading one.
 */
static unsigned
bucket_of(uint64_t us)
{
	unsigned octave, bucket;

	if (us < 4)
		return (unsigned)us;
	octave = 63u - (unsigned)__builtin_clzll(us);
	bucket = 4 * (octave - 1) + (unsigned)(us >> (octave - 2) & 3);
	return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

/* Largest value that falls into the bucket. */
static uint64_t
bucket_edge(unsigned bucket)
{
	unsigned octave;

	if (bucket < 4)
		return bucket;
	octave = bucket / 4 + 1;
	return ((4 + (uint64_t)(bucket % 4) + 1) << (octave - 2)) - 1;
}

void
hist_add(struct hist *h, uint64_t us)
{
	stat_add(&h->count[bucket_of(us)], 1);
	stat_add(&h->sum_us, us);
}

void
hist_merge(struct hist *into, const struct hist *from)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		stat_add(&into->count[i], stat_get(&from->count[i]));
	stat_add(&into->sum_us, stat_get(&from->sum_us));
}

/* What was counted before may be there no more. */
static void
less(stat_u64 *s, uint64_t n)
{
	stat_sub(s, MIN(n, stat_get(s)));
}

void
hist_less(struct hist *from, const struct hist *before)
{
	for (size_t i = 0; i < HIST_BUCKETS; i++)
		less(&from->count[i], stat_get(&before->count[i]));
	less(&from->sum_us, stat_get(&before->sum_us));
}

uint64_t
hist_total(const struct hist *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		n += stat_get(&h->count[i]);
	return n;
}

/* How many values lie at or below quantile q, 1..total. */
static uint64_t
rank_of(double q, uint64_t total)
{
	/* 0.07 * 100 is a little more than 7 */
	double rank = ceil(q * (double)total - 1e-6);

	if (!(rank > 1)) /* a NaN too */
		return 1;
	return rank < (double)total ? (uint64_t)rank : total;
}

uint64_t
hist_quantile(const struct hist *h, double q)
{
	uint64_t total = hist_total(h), want, seen = 0;

	if (total == 0)
		return 0;
	want = rank_of(q, total);
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += stat_get(&h->count[i]);
		if (seen >= want)
			return bucket_edge(i);
	}
	return bucket_edge(HIST_BUCKETS - 1);
}

uint64_t
hist_at_most(const struct hist *h, uint64_t us)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HIST_BUCKETS && bucket_edge(i) <= us; i++)
		n += stat_get(&h->count[i]);
	return n;
}
