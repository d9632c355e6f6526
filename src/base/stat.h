/*
 * stat - counters and histograms with one writing thread and any readers.
 *
 * The writer adds with a plain load and a store: no lock prefix.  The store
 * releases: who reads a number sees whatever its writer counted before it.
 *
 * Thread: writer as the owner says; readers any.
 */
#ifndef BASE_STAT_H
#define BASE_STAT_H
#include <stdatomic.h>
#include <stdint.h>

/* A number with one writer. */
typedef _Atomic uint64_t stat_u64;

static inline void
stat_add(stat_u64 *s, uint64_t n)
{
	atomic_store_explicit(s,
	    atomic_load_explicit(s, memory_order_relaxed) + n,
	    memory_order_release);
}

static inline void
stat_sub(stat_u64 *s, uint64_t n)
{
	atomic_store_explicit(s,
	    atomic_load_explicit(s, memory_order_relaxed) - n,
	    memory_order_release);
}

static inline uint64_t
stat_get(const stat_u64 *s)
{
	return atomic_load_explicit(s, memory_order_acquire);
}

/*
 * A log-linear histogram of durations: four buckets an octave, from 1 us to
 * nine hours, longer ones in the last; a bucket is a quarter of its octave
 * wide: its upper edge is less than 25 % above, its middle within 12.5 %.
 */
#define HIST_BUCKETS 136

struct hist {
	stat_u64 count[HIST_BUCKETS];
	stat_u64 sum_us;
};

void hist_add(struct hist *, uint64_t us); /* the writer only */
/* into += from; into is private to the caller. */
void hist_merge(struct hist *into, const struct hist *from);
/* from -= what it was before, down to nought; from is the caller's own. */
void hist_less(struct hist *from, const struct hist *before);
uint64_t hist_total(const struct hist *);
/* Upper edge in us of the bucket that holds quantile q in 0..1; 0 if empty. */
uint64_t hist_quantile(const struct hist *, double q);
/* How many were at most us (us falls on or above the bucket's edge). */
uint64_t hist_at_most(const struct hist *, uint64_t us);

#endif
