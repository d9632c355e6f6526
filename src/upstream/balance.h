/*
 * balance - which instance of a pool takes the next exchange: the one with
 * fewer exchanges in flight for its weight, of two drawn at random.
 *
 * Thread: worker.
 * Source: Mitzenmacher, "The Power of Two Choices in Randomized Load
 * Balancing", 2001.
 */
#ifndef UPSTREAM_BALANCE_H
#define UPSTREAM_BALANCE_H
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct instance;
struct view_pool;

/*
 * One of the pool's eligible instances that is not among tried[n]; NULL when
 * there is none.
 */
struct instance *balance_pick(const struct view_pool *,
    struct instance *const *tried, size_t n) MUST_CHECK;

/* The instance of that name hash that pins may still lead to, or NULL. */
struct instance *balance_pinned(const struct view_pool *,
    uint64_t name_hash) MUST_CHECK;

#endif
