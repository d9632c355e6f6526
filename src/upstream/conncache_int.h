/*
 * conncache_int - what the files about connections to instances share.  Inside
 * upstream only.
 *
 * Thread: worker.
 */
#ifndef UPSTREAM_CONNCACHE_INT_H
#define UPSTREAM_CONNCACHE_INT_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "base/clock.h"
#include "upstream/conncache.h"

/* A busy loop takes longer turns than that of a quiet one. */
#define CACHE_MOMENT_US (200 * US_PER_MS)

TAILQ_HEAD(upconn_list, upconn);
LIST_HEAD(uptrunk_list, uptrunk);

/* There is one while there are connections: they keep the instance. */
struct conncache {
	LIST_ENTRY(conncache) link;
	struct upworker *worker;    /* borrowed */
	struct instance *inst;      /* borrowed */
	struct inst_cell *cell;     /* the worker's */
	struct upconn_list idle;    /* anybody's; most recently used first */
	struct upconn_list owned;   /* idle, too, each for its owner */
	struct uptrunk_list trunks; /* the newest first */
	unsigned n_idle;            /* of the first two */
	unsigned n_conns;           /* all there are, streams counted */
	uint32_t said_streams;      /* that one trunk takes; 0: not said yet */
};

/* NULL: out of memory. */
struct conncache *cache_of(struct upworker *, struct instance *) MUST_CHECK;
/* Frees it, when there is no connection left. */
void cache_forget_empty(struct conncache *);
/* The instance takes no more exchanges. */
static inline bool
cache_is_leaving(const struct instance *i)
{
	return i->gone || i->pool->leaving || i->admin != INST_IN ||
	    i->health != HEALTH_UP;
}
/* Its process may end soon, whoever is still served. */
bool cache_may_end_soon(const struct instance *);
/* It closed one that had been idle for so long. */
void cache_learn(struct inst_cell *, uint64_t idle_us, uint64_t now);
/* May the close of one that has been idle for so long be on its way? */
bool cache_is_risky(const struct inst_cell *, uint64_t idle_us, uint64_t now);

/* One without a connection yet, counted in its cache; NULL: no memory. */
struct upconn *upconn_new(struct conncache *, void *user) MUST_CHECK;
/* One that dials.  E_*: the cache may be gone. */
int upconn_make(struct conncache *, const struct upask *,
    const struct lane_user *, void *arg, struct upconn **out) MUST_CHECK;

#endif
