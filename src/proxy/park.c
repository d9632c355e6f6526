#include "proxy/park.h"

#include "net/loop.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "upstream/view.h"

static uint64_t
due_us(const struct exchange *x)
{
	return x->parked_us + PARK_LIMIT_US;
}

/* The clock runs for the one that has waited longest. */
static void
arm(struct proxy *p)
{
	const struct exchange *x;
	uint64_t due = 0;

	TAILQ_FOREACH (x, &p->parked, park_link)
		if (due == 0 || due_us(x) < due)
			due = due_us(x);
	if (due == 0)
		deadline_clear(p->env.loop, &p->park_deadline);
	else
		deadline_set(p->env.loop, &p->park_deadline, due);
}

static void
on_deadline(struct deadline *d)
{
	struct proxy *p = CONTAINER_OF(d, struct proxy, park_deadline);
	uint64_t now = loop_now_us(p->env.loop);
	struct exchange *x, *next;

	for (x = TAILQ_FIRST(&p->parked); x != NULL; x = next) {
		next = TAILQ_NEXT(x, park_link);
		if (due_us(x) > now)
			continue;
		park_leave(x);
		if (x->last_waits)
			exchange_go_anew(x);
		else
			exchange_cut(x, (enum outcome)x->parked_for);
	}
	arm(p);
}

void
park_init(struct proxy *p)
{
	TAILQ_INIT(&p->parked);
	p->park_deadline.fn = on_deadline;
}

void
park_end(struct proxy *p)
{
	deadline_clear(p->env.loop, &p->park_deadline);
}

bool
park_take(struct exchange *x, enum outcome why)
{
	struct proxy *p = x->proxy;
	uint64_t now = loop_now_us(p->env.loop);

	if (x->parked_us == 0)
		x->parked_us = now;
	if (p->n_parked >= PARK_MAX || now >= due_us(x))
		return false;
	x->parked = true;
	x->parked_for = (uint8_t)why;
	x->step = STEP_PARK;
	lane_pause(&x->client->lane);
	TAILQ_INSERT_TAIL(&p->parked, x, park_link);
	p->n_parked++;
	p->park_stale |= x->view_gen != p->view->generation;
	if (!p->park_deadline.armed)
		arm(p);
	return true;
}

void
park_leave(struct exchange *x)
{
	if (!x->parked)
		return;
	x->parked = false;
	TAILQ_REMOVE(&x->proxy->parked, x, park_link);
	x->proxy->n_parked--;
}

/* Those that are refused again come back behind the last one of now. */
void
park_turn(struct proxy *p, bool adopted)
{
	if (!adopted && !p->park_stale)
		return;
	p->park_stale = false;
	for (size_t n = p->n_parked; n > 0; n--) {
		struct exchange *x = TAILQ_FIRST(&p->parked);

		if (x == NULL)
			return;
		park_leave(x);
		exchange_go_anew(x);
	}
}
