#include "rollout/machine.h"

#include <assert.h>
#include <string.h>

#include "rollout/machine_int.h"

#define X(id, name) [RO_##id] = (name),
static const char *const verb_names[] = { RO_VERBS(X) };
#undef X
#define X(id, name, text) [RO_NO_##id] = { name, text },
static const struct {
	const char *name, *text;
} refusal_rows[] = { RO_REFUSALS(X) };
#undef X

const char *
ro_verb_name(enum ro_verb v)
{
	return verb_names[v];
}

const char *
ro_refusal_name(enum ro_refusal r)
{
	return refusal_rows[r].name;
}

const char *
ro_refusal_text(enum ro_refusal r)
{
	return refusal_rows[r].text;
}

/* ---- moves ---- */

#define TO(id) (1u << POOL_##id)

/* Where a pool may go from where it is; every other edge is a bug. */
static const unsigned pool_next[POOL_STATE_COUNT] = {
	[POOL_COLD] = TO(STARTING),
	[POOL_STARTING] = TO(READY) | TO(ACTIVE) | TO(FAILED) | TO(COLD),
	[POOL_READY] = TO(ACTIVE) | TO(STARTING),
	[POOL_ACTIVE] = TO(DRAINING),
	[POOL_DRAINING] = TO(DRAINED) | TO(ACTIVE),
	[POOL_DRAINED] = TO(STARTING) | TO(RETIRED),
	[POOL_RETIRED] = TO(STARTING),
	[POOL_FAILED] = TO(STARTING),
};

bool
pool_may_go(enum pool_state from, enum pool_state to)
{
	return (pool_next[from] & (1u << to)) != 0;
}

void
pool_goto(struct ro_pool *p, enum pool_state to, uint64_t wall_us)
{
	assert(pool_may_go((enum pool_state)p->state, to));
	p->state = (uint8_t)to;
	p->life = RO_LIFE_UNKNOWN;
	p->since_us = wall_us;
	if (to != POOL_DRAINING)
		memset(&p->drain, 0, sizeof(p->drain));
}

void
pool_activate(struct ro_pool *p, uint64_t wall_us)
{
	if (p->state == POOL_ACTIVE)
		return;
	if (!pool_may_go((enum pool_state)p->state, POOL_ACTIVE))
		pool_goto(p, POOL_STARTING, wall_us);
	pool_goto(p, POOL_ACTIVE, wall_us);
}

void
pool_close(struct ro_service *s, struct ro_pool *p, uint64_t wall_us)
{
	p->drain.closed_us = wall_us;
	s->epoch++;
	p->min_epoch = s->epoch;
	p->pins_to[0] = '\0';
}

void
pool_begin_drain(struct ro_service *s, struct ro_pool *p,
    const struct ro_drain *clocks, uint64_t wall_us)
{
	pool_goto(p, POOL_DRAINING, wall_us);
	p->share_bp = 0;
	p->drain = *clocks;
	p->drain.began_us = wall_us;
	p->drain.closed_us = 0;
	s->epoch++;
	orders_forget_to(s, p);
	if (clocks->mode == CFG_DRAIN_EVICT)
		pool_close(s, p, wall_us);
}

void
service_forget_pending(struct ro_service *s)
{
	memset(&s->pending, 0, sizeof(s->pending));
}

void
service_switch(struct ro_service *s, struct ro_pool *to, bool drain,
    const struct ro_drain *clocks, uint64_t wall_us)
{
	for (size_t i = 0; i < s->n_pools; i++)
		s->pools[i].share_bp = 0;
	to->share_bp = CFG_SHARE_ALL;
	pool_activate(to, wall_us);
	orders_forget_of(to);
	orders_forget_shares(s);
	s->epoch++;
	for (size_t i = 0; i < s->n_pools && drain; i++)
		if (&s->pools[i] != to && s->pools[i].state == POOL_ACTIVE)
			pool_begin_drain(s, &s->pools[i], clocks, wall_us);
	service_forget_pending(s);
}

/* ---- the clock ---- */

struct tick {
	struct ro_service *svc;
	uint64_t now_us;
	uint64_t *due_us;
};

static void
ask_at(const struct tick *t, uint64_t at)
{
	if (*t->due_us == 0 || at < *t->due_us)
		*t->due_us = at;
}

/* Has that much time passed since then?  If not, ask again when it has. */
static bool
has_run_out(const struct tick *t, uint64_t since_us, uint64_t limit_us)
{
	if (t->now_us >= since_us + limit_us)
		return true;
	ask_at(t, since_us + limit_us);
	return false;
}

/* Sessions end by not being seen: nobody tells, we look. */
#define SESSIONS_LOOK_US UINT64_C(1000000)

static enum ro_changed
clock_open_drain(const struct tick *t, struct ro_pool *p,
    const struct ro_facts_pool *f)
{
	bool ended = has_run_out(t, p->drain.began_us, p->drain.flows_us);

	/* Before all workers know, one may still begin a session here. */
	if (f->view_current) {
		ended |= f->sessions == 0 && f->sessions_unknown == NULL;
		ask_at(t, t->now_us + SESSIONS_LOOK_US);
	}
	(void)has_run_out(t, p->drain.began_us, p->drain.streams_us);
	if (!ended)
		return RO_SAME;
	pool_close(t->svc, p, t->now_us);
	return RO_HARD;
}

static enum ro_changed
clock_draining(const struct tick *t, struct ro_pool *p,
    const struct ro_facts_pool *f)
{
	if (p->drain.closed_us == 0)
		return clock_open_drain(t, p, f);
	if (f->view_current && f->inflight == 0 && f->streams == 0) {
		pool_goto(p, POOL_DRAINED, t->now_us);
		return RO_HARD;
	}
	/* The next view has the cuts of these. */
	(void)has_run_out(t, p->drain.closed_us, p->drain.requests_us);
	(void)has_run_out(t, p->drain.began_us, p->drain.streams_us);
	return RO_SAME;
}

static enum ro_changed
clock_starting(const struct tick *t, struct ro_pool *p,
    const struct ro_facts_pool *f)
{
	if (f->instances == 0)
		pool_goto(p, POOL_COLD, t->now_us);
	else if (f->ready)
		pool_goto(p, POOL_READY, t->now_us);
	else if (f->eligible == 0 &&
	    has_run_out(t, p->since_us, RO_START_LIMIT_US))
		pool_goto(p, POOL_FAILED, t->now_us);
	else
		return RO_SAME;
	return RO_SOFT;
}

/* An active pool stays active; it is only known whether it can serve. */
static enum ro_changed
clock_active(struct ro_pool *p, const struct ro_facts_pool *f)
{
	enum ro_life life = f->eligible > 0 ? RO_LIFE_ALIVE
	    : p->life == RO_LIFE_UNKNOWN    ? RO_LIFE_UNKNOWN
	                                    : RO_LIFE_DEAD;

	if (life == (enum ro_life)p->life)
		return RO_SAME;
	p->life = (uint8_t)life;
	return RO_TOLD;
}

static enum ro_changed
move_if(bool so, struct ro_pool *p, enum pool_state to, uint64_t wall_us)
{
	if (!so)
		return RO_SAME;
	pool_goto(p, to, wall_us);
	return RO_SOFT;
}

static enum ro_changed
clock_pool(const struct tick *t, struct ro_pool *p,
    const struct ro_facts_pool *f)
{
	switch ((enum pool_state)p->state) {
	case POOL_COLD:
		return move_if(f->instances > 0, p, POOL_STARTING, t->now_us);
	case POOL_STARTING:
		return clock_starting(t, p, f);
	case POOL_READY:
		return move_if(!f->ready, p, POOL_STARTING, t->now_us);
	case POOL_ACTIVE:
		return clock_active(p, f);
	case POOL_DRAINING:
		return clock_draining(t, p, f);
	case POOL_FAILED:
		return move_if(f->eligible > 0 || f->instances == 0, p,
		    POOL_STARTING, t->now_us);
	default:
		return RO_SAME;
	}
}

static enum ro_changed
clock_pending(struct ro_service *s, const struct ro_facts *facts, size_t at)
{
	struct ro_pending pending = s->pending;
	struct ro_pool *p = ro_pool_find(s, pending.pool);

	if (p == NULL ||
	    !ro_facts_of(facts, at, (size_t)(p - s->pools))->ready ||
	    (p->state != POOL_READY && p->state != POOL_ACTIVE))
		return RO_SAME;
	service_switch(s, p, pending.drain, &pending.clocks, facts->wall_us);
	return RO_HARD;
}

static enum ro_changed
clock_service(const struct tick *t, size_t at, const struct ro_facts *facts)
{
	enum ro_changed changed = RO_SAME, c;

	for (size_t p = 0; p < t->svc->n_pools; p++) {
		c = clock_pool(t, &t->svc->pools[p], ro_facts_of(facts, at, p));
		changed = MAX(changed, c);
	}
	c = clock_pending(t->svc, facts, at);
	return MAX(changed, c);
}

enum ro_changed
machine_clock(struct ro_state *s, const struct ro_facts *facts,
    uint64_t *due_us)
{
	enum ro_changed changed = RO_SAME;

	*due_us = 0;
	for (size_t i = 0; i < s->n_services; i++) {
		struct tick t = { &s->services[i], facts->wall_us, due_us };
		enum ro_changed c = clock_service(&t, i, facts);

		changed = MAX(changed, c);
		c = rollout_clock(s, i, facts, due_us);
		changed = MAX(changed, c);
	}
	if (changed == RO_HARD) {
		s->generation++;
		s->changed_us = facts->wall_us;
		memcpy(s->changed_by, "itself", sizeof("itself"));
	}
	return changed;
}

/* ---- how workers route ---- */

static void
plan_drain(const struct ro_drain *d, uint64_t now, struct pool_plan *out)
{
	out->serves = d->closed_us == 0;
	if (d->closed_us != 0)
		out->pins = PINS_EVICT;
	else if (d->mode == CFG_DRAIN_MOVE)
		out->pins = PINS_MOVE;
	if (d->closed_us != 0 && now >= d->closed_us + d->requests_us)
		out->cut |= CUT_REQUESTS;
	if (now >= d->began_us + d->streams_us)
		out->cut |= CUT_STREAMS;
}

static struct pool_plan
plan_pool(const struct ro_pool *p, uint64_t now)
{
	struct pool_plan out = { .share_bp = p->share_bp,
		.min_epoch = p->min_epoch,
		.move_epoch = p->move_epoch,
		.pins = PINS_KEEP };

	memcpy(out.pool, p->name, sizeof(out.pool));
	out.in_use = p->state == POOL_ACTIVE || p->state == POOL_DRAINING;
	if (p->state == POOL_DRAINING)
		plan_drain(&p->drain, now, &out);
	else
		out.serves = p->state == POOL_READY || p->state == POOL_ACTIVE;
	return out;
}

static void
plan_orders(const struct ro_service *s, struct service_plan *out)
{
	for (size_t i = 0; i < s->n_pools; i++)
		for (size_t to = 0; to < s->n_pools; to++)
			if (strcmp(s->pools[i].pins_to, s->pools[to].name) == 0)
				out->pools[i].pins_to = (uint8_t)(to + 1);
	out->n_orders = s->n_orders;
	for (size_t i = 0; i < s->n_orders; i++)
		out->orders[i] = (struct view_order){
			.session = s->orders[i].session,
			.epoch = s->orders[i].epoch,
			.how = s->orders[i].how,
			.to = s->orders[i].to,
		};
}

/* What goes on while the rollout is at that step. */
static void
plan_mirror(const struct ro_service *s, struct service_plan *out)
{
	const struct ro_rollout *r = &s->rollout;
	const struct ro_step *step = &r->steps[r->at];

	if (r->stand != RO_STAND_RUNNING || !r->entered ||
	    step->kind != CFG_STEP_MIRROR)
		return;
	for (size_t i = 0; i < s->n_pools; i++)
		if (strcmp(s->pools[i].name, r->to) == 0)
			out->pools[i].mirror_bp = step->share_bp > 0
			    ? step->share_bp
			    : CFG_SHARE_ALL;
}

void
machine_plan(const struct ro_service *s, uint64_t wall_us,
    struct service_plan *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->service, s->name, sizeof(out->service));
	out->epoch = s->epoch;
	out->hold = s->hold;
	out->n_pools = s->n_pools;
	for (size_t i = 0; i < s->n_pools; i++)
		out->pools[i] = plan_pool(&s->pools[i], wall_us);
	plan_orders(s, out);
	plan_mirror(s, out);
}
