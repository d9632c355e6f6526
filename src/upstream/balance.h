/*
 * balance - which instance of a pool takes the next exchange.
 *
 * least_requests  of two drawn at random by weight, the one with fewer
 *                 exchanges in flight for its weight
 * round_robin     each in turn, by weight, smoothly; per worker.  Where
 *                 weights differ, each choice looks at all instances
 * hash            the one with the highest score for the key (rendezvous), so
 *                 that an instance more or less moves only its own part of
 *                 the keys; one that has far more to do than its part is
 *                 passed over.  Each choice looks at all instances
 *
 * A bound of exchanges at a time is kept per worker: each has its part of it,
 * one at least, so that a place that gets free is the worker's own and no
 * worker waits for another.
 *
 * Thread: worker.
 * Source: Mitzenmacher, "The Power of Two Choices in Randomized Load
 * Balancing", 2001; Thaler and Ravishankar, "Using Name-Based Mappings to
 * Increase Hit Rates", 1998; Mirrokni, Thorup and Zadimoghaddam, "Consistent
 * Hashing with Bounded Loads", 2018.
 */
#ifndef UPSTREAM_BALANCE_H
#define UPSTREAM_BALANCE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct instance;
struct view_pool;

struct balance_ask {
	const struct view_pool *pool;
	struct instance *const *tried; /* not these */
	size_t n_tried;
	uint64_t key; /* for hash */
	unsigned worker;
	bool full; /* out: none, but only as those there are have no place */
};

/*
 * One of the pool's eligible instances that was not tried and has a place;
 * NULL when there is none.
 */
struct instance *balance_pick(struct balance_ask *) MUST_CHECK;

/* The instance of that name hash that pins may still lead to, or NULL. */
struct instance *balance_pinned(const struct view_pool *,
    uint64_t name_hash) MUST_CHECK;
/*
 * One that rests and was not tried, for an exchange that failed at all the
 * others; NULL when there is none with a place.
 */
struct instance *balance_rested(const struct balance_ask *) MUST_CHECK;
/* Has that instance, pinned or not, a place for an exchange of the worker? */
bool balance_has_place(const struct view_pool *, const struct instance *,
    unsigned worker);
/* Is there an eligible instance that was not tried? */
bool balance_has_other(const struct view_pool *, struct instance *const *tried,
    size_t n_tried);

#endif
