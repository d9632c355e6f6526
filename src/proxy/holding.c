#include "proxy/holding.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "http/target.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/guard.h"
#include "proxy/keeping.h"
#include "proxy/route.h"
#include "proxy/worker.h"

/* The wheel turns so often; what is released in one turn goes at once. */
#define TICK_US ((uint64_t)DEADLINE_TICK_US)
#define SOON_US (TICK_US / 2) /* at its next turn, not the one behind it */

struct holding {
	LIST_ENTRY(holding) link; /* of the proxy, while any is held */
	struct proxy *proxy;      /* borrowed */
	struct service *service;  /* borrowed, while any is held */
	struct service_cell *cell;
	struct exchange_list waiting; /* by the time at which each is refused */
	unsigned n;
	bool releases;
	bool used;                /* on the stack: freed later */
	double credit;            /* exchanges that may go now */
	uint64_t credited_us;     /* when it grew last */
	struct deadline deadline; /* the first one's, or the next to go */
	struct defer look;
};

static void on_deadline(struct deadline *);
static void on_look(struct defer *);

/* ---- which ---- */

static struct str
path_of(const struct exchange *x)
{
	struct str path, query;

	target_split(x->req.target, &path, &query);
	return path.len == 0 || str_eq(path, STR("*")) ? STR("/") : path;
}

bool
holding_is_write(const struct exchange *x, const struct cfg_service *cfg)
{
	if (x->passes || !http_method_is_safe(x->req.method))
		return true;
	return cfg->hold.n_writes > 0 &&
	    guard_may_be_under(path_of(x), cfg->hold.writes,
	        cfg->hold.n_writes);
}

static bool
is_meant(const struct exchange *x, const struct view_service *vs)
{
	const struct cfg_hold *h = &vs->cfg->hold;

	if (vs->hold == HOLD_NONE || (vs->hold == HOLD_WRITES && !x->writes))
		return false;
	if (route_is_trial(x, vs))
		return false;
	return x->passes || h->n_never == 0 ||
	    !guard_is_under(path_of(x), h->never, h->n_never);
}

/* ---- the list ---- */

static struct holding *
holding_of(struct proxy *p, struct service *s)
{
	struct service_cell *cell = &s->cells[p->env.index];
	struct holding *h = cell->holding;

	if (h != NULL)
		return h;
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	h->proxy = p;
	h->service = s;
	h->cell = cell;
	h->deadline.fn = on_deadline;
	TAILQ_INIT(&h->waiting);
	LIST_INSERT_HEAD(&p->holdings, h, link);
	cell->holding = h;
	return h;
}

/* The service may go with its last exchange; the memory after this turn. */
static void
retire(struct holding *h)
{
	struct loop *loop = h->proxy->env.loop;

	deadline_clear(loop, &h->deadline);
	LIST_REMOVE(h, link);
	h->cell->holding = NULL;
	h->cell = NULL;
	h->service = NULL;
	if (!h->used)
		loop_defer(loop, &h->look, on_look);
}

static void
arm(struct holding *h)
{
	const struct exchange *first = TAILQ_FIRST(&h->waiting);
	uint64_t due;

	if (first == NULL)
		return;
	due = first->hold_due_us;
	if (h->releases)
		due = MIN(due, h->credited_us + SOON_US);
	deadline_set(h->proxy->env.loop, &h->deadline, due);
}

/* Who waited before, and was sent on in vain, has its place again. */
static void
put_in(struct holding *h, struct exchange *x)
{
	struct exchange *before = TAILQ_LAST(&h->waiting, exchange_list);

	while (before != NULL && before->hold_due_us > x->hold_due_us)
		before = TAILQ_PREV(before, exchange_list, hold_link);
	if (before == NULL)
		TAILQ_INSERT_HEAD(&h->waiting, x, hold_link);
	else
		TAILQ_INSERT_AFTER(&h->waiting, before, x, hold_link);
	h->n++;
	x->holding = h;
}

void
holding_leave(struct exchange *x)
{
	struct holding *h = x->holding;

	if (h == NULL)
		return;
	x->holding = NULL;
	TAILQ_REMOVE(&h->waiting, x, hold_link);
	h->n--;
	atomic_fetch_sub_explicit(&h->service->held, 1, memory_order_relaxed);
	if (h->n == 0)
		retire(h);
	else
		arm(h);
}

/* ---- in ---- */

static void
set_retry(struct exchange *x, const struct cfg_hold *cfg)
{
	x->retry_s = (uint32_t)((cfg->retry_us + US_PER_S - 1) / US_PER_S);
}

static void
refuse(struct exchange *x, const struct cfg_hold *cfg, enum outcome why)
{
	set_retry(x, cfg);
	exchange_refuse(x, exchange_status(why), why);
}

/* One place of all workers', or none. */
static bool
take_place(struct service *s, unsigned max)
{
	if (atomic_fetch_add_explicit(&s->held, 1, memory_order_relaxed) < max)
		return true;
	atomic_fetch_sub_explicit(&s->held, 1, memory_order_relaxed);
	return false;
}

bool
holding_takes(struct exchange *x, const struct view_service *vs)
{
	const struct cfg_hold *cfg = &vs->cfg->hold;
	uint64_t now = loop_now_us(x->proxy->env.loop);
	struct holding *h;

	if (x->holding != NULL || !is_meant(x, vs))
		return x->holding != NULL;
	if (x->proxy->stopping) {
		set_retry(x, cfg);
		exchange_refuse(x, 503, OUT_STOPPING);
		return true;
	}
	if (keeping_answers(x, vs))
		return true;
	if (x->hold_due_us == 0)
		x->hold_due_us = now + cfg->wait_us;
	if (now >= x->hold_due_us) {
		refuse(x, cfg, OUT_HOLD_TIMEOUT);
		return true;
	}
	if (!take_place(x->service, cfg->max)) {
		refuse(x, cfg, OUT_HOLD_FULL);
		return true;
	}
	h = holding_of(x->proxy, x->service);
	if (h == NULL) {
		atomic_fetch_sub_explicit(&x->service->held, 1,
		    memory_order_relaxed);
		exchange_refuse(x, 503, OUT_INTERNAL);
		return true;
	}
	stat_add(&h->cell->held_ever, 1);
	x->step = STEP_HOLD;
	lane_pause(&x->client->lane);
	put_in(h, x);
	arm(h);
	return true;
}

/* ---- out ---- */

/* The oldest that is held no more; a service that is gone holds nobody. */
static struct exchange *
first_free(const struct holding *h, const struct view_service *vs)
{
	struct exchange *x;

	TAILQ_FOREACH (x, &h->waiting, hold_link)
		if (vs == NULL || !is_meant(x, vs))
			return x;
	return NULL;
}

static void
send_one(struct holding *h, struct exchange *x)
{
	if (client_has_left(x->client)) {
		exchange_client_broken(x, E_EOF, BAD_NONE);
		return;
	}
	stat_add(&h->cell->released, 1);
	holding_leave(x);
	x->step = STEP_HEAD;
	exchange_go_on(x);
}

/* What its pace allows by now, for this worker. */
static void
earn(struct holding *h, unsigned pace, uint64_t now)
{
	uint64_t lasted = MIN(now - h->credited_us, 2 * TICK_US);

	h->credit += (double)lasted * pace / (double)US_PER_S /
	    h->service->n_workers;
	h->credit = MIN(h->credit,
	    1 + 2 * (double)TICK_US * pace / (double)US_PER_S);
	h->credited_us = now;
}

/* Who is held no more goes on, as many as may by now. */
static void
send_on(struct holding *h, const struct view_service *vs, uint64_t now)
{
	unsigned pace = vs == NULL ? 0 : vs->cfg->hold.pace;
	unsigned n = h->n; /* who comes back waits for the next turn */
	struct exchange *x;

	if (pace > 0)
		earn(h, pace, now);
	for (; n > 0 && h->cell != NULL && (pace == 0 || h->credit >= 1); n--) {
		x = first_free(h, vs);
		if (x == NULL)
			return;
		h->credit -= pace == 0 ? 0 : 1;
		send_one(h, x);
	}
}

/* Those whose time is over; the service may be gone after the last one. */
static void
refuse_late(struct holding *h, uint64_t now)
{
	struct exchange *x;

	while (h->cell != NULL && (x = TAILQ_FIRST(&h->waiting)) != NULL &&
	    x->hold_due_us <= now) {
		const struct view_service *vs = route_service_now(x);

		if (client_has_left(x->client))
			exchange_client_broken(x, E_EOF, BAD_NONE);
		else if (vs == NULL)
			exchange_refuse(x, 503, OUT_HOLD_TIMEOUT);
		else
			refuse(x, &vs->cfg->hold, OUT_HOLD_TIMEOUT);
	}
}

static void
look(struct holding *h)
{
	uint64_t now = loop_now_us(h->proxy->env.loop);
	const struct view_service *vs;
	bool was = h->releases;

	vs = route_service_now(TAILQ_FIRST(&h->waiting));
	h->releases = first_free(h, vs) != NULL;
	if (h->releases && !was) {
		h->credit = 0;
		h->credited_us = now;
	}
	if (h->releases)
		send_on(h, vs, now);
	refuse_late(h, now);
	if (h->cell != NULL)
		arm(h);
}

static void
use(struct holding *h)
{
	h->used = true; /* it is ours until the end */
	look(h);
	h->used = false;
	if (h->cell == NULL && !h->look.queued)
		loop_defer(h->proxy->env.loop, &h->look, on_look);
}

static void
on_look(struct defer *d)
{
	struct holding *h = CONTAINER_OF(d, struct holding, look);

	if (h->cell == NULL)
		free(h);
	else
		use(h);
}

static void
on_deadline(struct deadline *d)
{
	use(CONTAINER_OF(d, struct holding, deadline));
}

void
holding_look_all(struct proxy *p)
{
	struct holding *h;

	LIST_FOREACH (h, &p->holdings, link)
		loop_defer(p->env.loop, &h->look, on_look);
}
