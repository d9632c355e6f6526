#include "proxy/queue.h"

#include <stdlib.h>

#include "base/err.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

/* So many that wait for one pinned instance are passed over at a time. */
#define PASSED_MAX 64

struct queue {
	LIST_ENTRY(queue) link; /* of the proxy, while anybody waits */
	struct proxy *proxy;    /* borrowed */
	struct pool *pool;      /* borrowed, while anybody waits */
	struct pool_cell *cell; /* the worker's; NULL: nobody waits */
	struct exchange_list waiting;
	unsigned n;
	struct deadline deadline; /* of the first */
	struct defer look;
	bool looking;
};

static void on_look(struct defer *);
static void on_deadline(struct deadline *);

static struct queue *
queue_of(struct proxy *p, struct pool *pool)
{
	struct pool_cell *cell = &pool->cells[p->env.index];
	struct queue *q = cell->queue;

	if (q != NULL)
		return q;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return NULL;
	q->proxy = p;
	q->pool = pool;
	q->cell = cell;
	q->deadline.fn = on_deadline;
	TAILQ_INIT(&q->waiting);
	LIST_INSERT_HEAD(&p->queues, q, link);
	cell->queue = q;
	return q;
}

/* Pool and cell may go with the last exchange; the memory after this turn. */
static void
retire(struct queue *q)
{
	struct loop *loop = q->proxy->env.loop;

	deadline_clear(loop, &q->deadline);
	LIST_REMOVE(q, link);
	q->cell->queue = NULL;
	q->cell = NULL;
	q->pool = NULL;
	if (!q->looking)
		loop_defer(loop, &q->look, on_look);
}

static void
arm(struct queue *q)
{
	const struct exchange *first = TAILQ_FIRST(&q->waiting);

	if (first != NULL)
		deadline_set(q->proxy->env.loop, &q->deadline,
		    first->queue_due_us);
}

/* Those in front who left make room. */
static void
drop_gone(struct queue *q)
{
	struct exchange *x;

	while (q->cell != NULL && (x = TAILQ_FIRST(&q->waiting)) != NULL &&
	    client_has_left(x->client))
		exchange_client_broken(x, E_EOF, BAD_NONE);
}

int
queue_enter(struct exchange *x, struct pool *pool, unsigned max,
    uint64_t limit_us)
{
	struct proxy *p = x->proxy;
	struct queue *q = pool->cells[p->env.index].queue;

	if (q != NULL && q->n >= max)
		drop_gone(q);
	if (max == 0)
		return E_FULL;
	q = queue_of(p, pool);
	if (q == NULL)
		return E_NOMEM;
	if (q->n >= max)
		return E_FULL;
	x->queue = q;
	x->queue_due_us = loop_now_us(p->env.loop) + limit_us;
	TAILQ_INSERT_TAIL(&q->waiting, x, queue_link);
	q->n++;
	stat_add(&q->cell->queued, 1);
	stat_add(&q->cell->queued_ever, 1);
	arm(q);
	return E_OK;
}

void
queue_leave(struct exchange *x)
{
	struct queue *q = x->queue;

	if (q == NULL)
		return;
	x->queue = NULL;
	TAILQ_REMOVE(&q->waiting, x, queue_link);
	q->n--;
	stat_sub(&q->cell->queued, 1);
	if (q->n == 0)
		retire(q);
	else
		arm(q);
}

struct pool *
queue_pool(const struct exchange *x)
{
	return x->queue == NULL ? NULL : x->queue->pool;
}

void
queue_look(struct queue *q)
{
	loop_defer(q->proxy->env.loop, &q->look, on_look);
}

void
queue_look_all(struct proxy *p)
{
	struct queue *q;

	LIST_FOREACH (q, &p->queues, link)
		queue_look(q);
}

/*
 * The first who finds no place ends the look, unless it waits for an instance
 * of its own: then those behind it need not.
 */
static void
send_on(struct queue *q)
{
	struct exchange *x, *next;
	unsigned passed = 0;

	for (x = TAILQ_FIRST(&q->waiting); x != NULL; x = next) {
		next = TAILQ_NEXT(x, queue_link);
		if (client_has_left(x->client)) {
			exchange_client_broken(x, E_EOF, BAD_NONE);
			continue;
		}
		exchange_go_on(x);
		if (x->queue == q &&
		    (x->scope != CFG_STICKY_INSTANCE || ++passed > PASSED_MAX))
			return;
	}
}

static void
on_look(struct defer *d)
{
	struct queue *q = CONTAINER_OF(d, struct queue, look);

	q->looking = true;
	send_on(q);
	q->looking = false;
	if (q->cell == NULL && !q->look.queued)
		free(q);
}

static void
on_deadline(struct deadline *d)
{
	struct queue *q = CONTAINER_OF(d, struct queue, deadline);
	uint64_t now = loop_now_us(q->proxy->env.loop);
	struct exchange *x;

	q->looking = true; /* it is ours until the end */
	while ((x = TAILQ_FIRST(&q->waiting)) != NULL &&
	    x->queue_due_us <= now) {
		if (client_has_left(x->client))
			exchange_client_broken(x, E_EOF, BAD_NONE);
		else
			exchange_timed_out(x, OUT_QUEUE_TIMEOUT);
	}
	q->looking = false;
	if (q->cell == NULL)
		queue_look(q); /* frees it after this turn */
}
