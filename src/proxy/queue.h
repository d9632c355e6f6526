/*
 * queue - exchanges that wait for a place at an instance of their pool, oldest
 * first: bounded in number and time.
 *
 * There is one queue per pool and worker while an exchange waits there.  The
 * worker's own part of max_requests is all that is looked at (balance.h), so
 * whoever waits waits for an exchange of the same worker to end, or for a new
 * view.
 *
 * Thread: worker.
 */
#ifndef PROXY_QUEUE_H
#define PROXY_QUEUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct exchange;
struct pool;
struct proxy;
struct queue;

/*
 * The exchange waits from now on.  E_OK; E_FULL when max wait there already;
 * E_NOMEM.
 */
int queue_enter(struct exchange *, struct pool *, unsigned max,
    uint64_t limit_us) MUST_CHECK;
/* It waits no more; nothing when it does not. */
void queue_leave(struct exchange *);
/* Where it waits; NULL: nowhere. */
struct pool *queue_pool(const struct exchange *);
/* A place got free: after this turn, whoever fits goes on. */
void queue_look(struct queue *);
/* The same of all queues: a new view. */
void queue_look_all(struct proxy *);

#endif
