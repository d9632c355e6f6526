#include "rollout/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rollout/machine_int.h"
#include "rollout/steps.h"

int
ro_state_new(struct ro_state *s)
{
	memset(s, 0, sizeof(*s));
	s->instances = calloc(RO_INSTANCES_MAX, sizeof(*s->instances));
	return s->instances == NULL ? E_NOMEM : E_OK;
}

void
ro_state_free(struct ro_state *s)
{
	free(s->services);
	free(s->instances);
	memset(s, 0, sizeof(*s));
}

int
ro_state_copy(struct ro_state *to, const struct ro_state *from)
{
	size_t bytes = (from->n_services + 1) * sizeof(*from->services);
	struct ro_service *services = realloc(to->services, bytes);
	struct instance_plan *instances = to->instances;

	if (services == NULL)
		return E_NOMEM;
	if (from->n_services > 0)
		memcpy(services, from->services,
		    from->n_services * sizeof(*services));
	memcpy(instances, from->instances,
	    from->n_instances * sizeof(*instances));
	*to = *from;
	to->services = services;
	to->instances = instances;
	return E_OK;
}

struct ro_service *
ro_service_find(struct ro_state *s, const char *name)
{
	for (size_t i = 0; i < s->n_services; i++)
		if (strcmp(s->services[i].name, name) == 0)
			return &s->services[i];
	return NULL;
}

struct ro_pool *
ro_pool_find(struct ro_service *s, const char *name)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (strcmp(s->pools[i].name, name) == 0)
			return &s->pools[i];
	return NULL;
}

struct instance_plan *
ro_plan_find(struct ro_state *s, const char *service, const char *pool,
    const char *name)
{
	for (size_t i = 0; i < s->n_instances; i++) {
		struct instance_plan *p = &s->instances[i];

		if (strcmp(p->service, service) == 0 &&
		    strcmp(p->pool, pool) == 0 && strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

static const char *const mode_names[] = {
	[CFG_DRAIN_KEEP] = "keep",
	[CFG_DRAIN_MOVE] = "move",
	[CFG_DRAIN_EVICT] = "evict",
};

const char *
ro_drain_mode_name(uint8_t mode)
{
	return mode_names[mode];
}

int
ro_drain_mode_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(mode_names); i++)
		if (strcmp(mode_names[i], name) == 0)
			return (int)i;
	return -1;
}

/* ---- fitting to a configuration ---- */

static void
set_name(char out[CFG_NAME_MAX + 1], const char *name)
{
	str_copy(str_of(name), out, CFG_NAME_MAX + 1);
}

static struct ro_pool
fresh_pool(const struct cfg_pool *cfg, bool with_share, uint64_t wall_us)
{
	struct ro_pool p = { .state = POOL_COLD, .since_us = wall_us };

	set_name(p.name, cfg->name);
	if (with_share && cfg->share_bp > 0) {
		p.share_bp = cfg->share_bp;
		p.state = POOL_ACTIVE;
	}
	return p;
}

static uint32_t
share_sum(const struct ro_service *s)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < s->n_pools; i++)
		sum += s->pools[i].share_bp;
	return sum;
}

/* Who is better fit to inherit: 3 has a share, 2 serves, 1 may, 0 leaves. */
static unsigned
heir_rank(const struct ro_pool *p)
{
	switch ((enum pool_state)p->state) {
	case POOL_DRAINING:
	case POOL_DRAINED:
	case POOL_RETIRED:
		return 0;
	case POOL_ACTIVE:
	case POOL_READY:
		return p->share_bp > 0 ? 3 : 2;
	default:
		return 1;
	}
}

/*
 * The share of pools that vanished goes to one that stays: somebody must
 * serve, be it one that was leaving.
 */
static void
inherit(struct ro_service *s, uint32_t lost_bp, uint64_t wall_us)
{
	struct ro_pool *heir = &s->pools[0];

	for (size_t i = 1; i < s->n_pools; i++) {
		struct ro_pool *p = &s->pools[i];

		if (heir_rank(p) > heir_rank(heir) ||
		    (heir_rank(p) == heir_rank(heir) &&
		        p->share_bp > heir->share_bp))
			heir = p;
	}
	heir->share_bp += lost_bp;
	if (heir->state != POOL_ACTIVE) {
		heir->state = POOL_ACTIVE;
		heir->since_us = wall_us;
		memset(&heir->drain, 0, sizeof(heir->drain));
	}
	s->epoch++;
}

static bool
any_stays(struct ro_service *old, const struct cfg_service *cfg)
{
	for (size_t i = 0; i < cfg->n_pools; i++)
		if (ro_pool_find(old, cfg->pools[i].name) != NULL)
			return true;
	return false;
}

/* One to a pool that vanished has ended; its number is not given again. */
static void
fit_rollout(struct ro_rollout *to, struct ro_service *svc,
    const struct ro_rollout *old, uint64_t wall_us)
{
	*to = *old;
	if (!steps_under_way(to) || ro_pool_find(svc, to->to) != NULL)
		return;
	to->stand = RO_STAND_ABORTED;
	to->ended_us = wall_us;
	to->paused_us = 0;
	str_copy(STR("its pool is no more"), to->why, sizeof(to->why));
}

/* What serves first is no upgrade of anything. */
static void
take_prints(struct ro_service *s, const struct cfg_service *cfg)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (s->pools[i].share_bp > 0)
			s->pools[i].print = steps_print(cfg, s->pools[i].name);
}

/* The number now of the pool that an order sends to. */
static uint8_t
fit_number(struct ro_service *to, const struct ro_service *old, uint8_t n)
{
	const struct ro_pool *p = n == 0
	    ? NULL
	    : ro_pool_find(to, old->pools[n - 1].name);

	return p == NULL ? 0 : (uint8_t)(p - to->pools + 1);
}

/* An order to a pool that is no more is none. */
static void
fit_orders(struct ro_service *to, const struct ro_service *old)
{
	for (size_t i = 0; i < old->n_orders; i++) {
		struct ro_order o = old->orders[i];

		o.to = fit_number(to, old, o.to);
		if ((o.to == 0) == (old->orders[i].to == 0))
			to->orders[to->n_orders++] = o;
	}
	for (size_t i = 0; i < to->n_pools; i++) {
		struct ro_pool *p = &to->pools[i];

		if (p->pins_to[0] == '\0' ||
		    ro_pool_find(to, p->pins_to) != NULL)
			continue;
		p->pins_to[0] = '\0';
		p->move_epoch = 0;
	}
}

static void
fit_service(struct ro_service *to, struct ro_service *old,
    const struct cfg_service *cfg, uint64_t wall_us)
{
	bool anew = old == NULL || !any_stays(old, cfg);
	uint32_t lost_bp;

	memset(to, 0, sizeof(*to));
	set_name(to->name, cfg->name);
	to->epoch = old == NULL ? 1 : old->epoch + anew;
	for (size_t i = 0; i < cfg->n_pools; i++) {
		struct ro_pool *was = anew
		    ? NULL
		    : ro_pool_find(old, cfg->pools[i].name);

		to->pools[to->n_pools++] = was != NULL
		    ? *was
		    : fresh_pool(&cfg->pools[i], anew, wall_us);
	}
	if (old != NULL) {
		fit_rollout(&to->rollout, to, &old->rollout, wall_us);
		to->n_past = old->n_past;
		memcpy(to->past, old->past, sizeof(to->past));
		to->path = old->path;
		to->path_us = old->path_us;
		memcpy(to->path_why, old->path_why, sizeof(to->path_why));
		to->n_done = old->n_done;
		memcpy(to->done, old->done, sizeof(to->done));
	}
	if (anew) {
		take_prints(to, cfg);
		return;
	}
	fit_orders(to, old);
	to->hold = old->hold;
	to->held_us = old->held_us;
	to->pending = old->pending;
	if (ro_pool_find(to, to->pending.pool) == NULL)
		memset(&to->pending, 0, sizeof(to->pending));
	lost_bp = share_sum(old) - share_sum(to);
	if (lost_bp > 0)
		inherit(to, lost_bp, wall_us);
}

static bool
is_configured(const struct cfg_pool *cfg, const char *instance)
{
	for (size_t i = 0; i < cfg->n_instances; i++)
		if (strcmp(cfg->instances[i].name, instance) == 0)
			return true;
	return false;
}

/*
 * Words about an instance of a pool that is no more, or about one that the
 * configuration no longer has, go; what it has now by the name of an added one
 * is the configuration's again.
 */
static bool
fit_plan(struct instance_plan *p, const struct cfg *cfg)
{
	const struct cfg_service *svc = cfg_service_find(cfg,
	    str_of(p->service));
	const struct cfg_pool *pool = svc == NULL
	    ? NULL
	    : cfg_pool_find(svc, str_of(p->pool));

	if (pool == NULL)
		return false;
	if (!is_configured(pool, p->name))
		return p->address[0] != '\0';
	p->address[0] = '\0';
	return p->removed || p->admin != INST_IN;
}

static void
fit_plans(struct ro_state *s, const struct cfg *cfg)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_instances; i++)
		if (fit_plan(&s->instances[i], cfg))
			s->instances[kept++] = s->instances[i];
	s->n_instances = kept;
}

static bool
differs(const struct buf *a, const struct buf *b)
{
	return a->failed || b->failed || !str_eq(buf_str(a), buf_str(b));
}

int
ro_state_reconcile(struct ro_state *s, const struct cfg *cfg, uint64_t wall_us,
    bool *changed)
{
	struct ro_service *services = calloc(cfg->n_services + 1,
	    sizeof(*services));
	struct buf before = BUF_INIT, after = BUF_INIT;

	if (services == NULL)
		return E_NOMEM;
	ro_state_write(s, &before);
	for (size_t i = 0; i < cfg->n_services; i++)
		fit_service(&services[i],
		    ro_service_find(s, cfg->services[i].name),
		    &cfg->services[i], wall_us);
	free(s->services);
	s->services = services;
	s->n_services = cfg->n_services;
	fit_plans(s, cfg);
	ro_state_write(s, &after);
	if (changed != NULL)
		*changed = differs(&before, &after);
	buf_free(&before);
	buf_free(&after);
	return E_OK;
}

typedef void stamp_fn(uint64_t *us, int64_t arg);

static void
each_set(uint64_t **stamps, size_t n, stamp_fn *fn, int64_t arg)
{
	for (size_t i = 0; i < n; i++)
		if (*stamps[i] != 0)
			fn(stamps[i], arg);
}

/* Every stamp from which a duration is counted, where it is set. */
static void
for_each_stamp(struct ro_state *s, stamp_fn *fn, int64_t arg)
{
	for (size_t i = 0; i < s->n_services; i++) {
		struct ro_rollout *r = &s->services[i].rollout;
		uint64_t *of_rollout[] = { &r->began_us, &r->ended_us,
			&r->since_us, &r->paused_us, &r->hold_until_us,
			&r->roll.since_us, &s->services[i].held_us,
			&s->services[i].path_us };

		each_set(of_rollout, ARRAY_LEN(of_rollout), fn, arg);
		for (size_t p = 0; p < s->services[i].n_pools; p++) {
			struct ro_pool *pool = &s->services[i].pools[p];
			uint64_t *all[] = { &pool->since_us,
				&pool->drain.began_us, &pool->drain.closed_us };

			each_set(all, ARRAY_LEN(all), fn, arg);
		}
		for (size_t o = 0; o < s->services[i].n_orders; o++)
			fn(&s->services[i].orders[o].given_us, arg);
	}
}

static void
shift(uint64_t *us, int64_t by_us)
{
	if (by_us < 0 && *us <= (uint64_t)-by_us)
		*us = 1; /* 0 says that it is not set */
	else
		*us += (uint64_t)by_us;
}

void
ro_state_shift(struct ro_state *s, int64_t by_us)
{
	for_each_stamp(s, shift, by_us);
}

static void
not_after(uint64_t *us, int64_t now_us)
{
	*us = MIN(*us, (uint64_t)now_us);
}

static void
prove_anew(struct ro_pool *p, uint64_t wall_us)
{
	if (p->state != POOL_STARTING && p->state != POOL_READY &&
	    p->state != POOL_FAILED)
		return;
	p->state = POOL_STARTING;
	p->since_us = wall_us;
}

/* While nobody looked no deadline ran; a pause did. */
static void
wake_rollout(struct ro_rollout *r, uint64_t wall_us)
{
	if (r->stand == RO_STAND_RUNNING &&
	    r->steps[r->at].kind != CFG_STEP_PAUSE)
		r->since_us = wall_us;
	if (r->stand == RO_STAND_RUNNING &&
	    (r->roll.phase == ROLL_NEXT || r->roll.phase == ROLL_PROOF))
		r->roll.since_us = wall_us;
	r->blind_us = 0;
}

static bool
lose_run(struct ro_service *svc, uint64_t wall_us)
{
	struct ro_rollout *r = &svc->rollout;

	if (!machine_wants_run(svc))
		return false;
	if (r->steps[r->at].kind == CFG_STEP_NOTIFY) {
		r->ran |= rollout_bit(r); /* nobody waits for it */
		return true;
	}
	r->stand = RO_STAND_PAUSED;
	r->failed = r->unknown = true;
	r->paused_us = wall_us;
	(void)snprintf(r->why, sizeof(r->why),
	    "nobody knows how job %s ended: segued ended while it ran",
	    r->steps[r->at].job);
	return true;
}

bool
ro_state_lose_runs(struct ro_state *s, uint64_t wall_us)
{
	bool any = false;

	for (size_t i = 0; i < s->n_services; i++)
		any |= lose_run(&s->services[i], wall_us);
	return any;
}

void
ro_state_wake(struct ro_state *s, uint64_t wall_us)
{
	for (size_t i = 0; i < s->n_services; i++) {
		wake_rollout(&s->services[i].rollout, wall_us);
		for (size_t p = 0; p < s->services[i].n_pools; p++)
			prove_anew(&s->services[i].pools[p], wall_us);
	}
	for_each_stamp(s, not_after, (int64_t)wall_us);
}
