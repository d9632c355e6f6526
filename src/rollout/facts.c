#include "rollout/facts.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "upstream/registry.h"

/* So long a request may be on its way whose session has a newer pin. */
#define LEFT_US (2 * US_PER_S)

struct count {
	size_t instances, in, up, gone;
	const struct instance *unfit; /* one that is in and not up */
};

/* Nobody listens there; a pass while it is down leaves the reason as it was. */
static bool
is_gone(const struct instance *i)
{
	return i->health == HEALTH_DOWN && i->passes == 0 &&
	    i->reason == HEALTH_WHY_CONNECT_REFUSED;
}

static struct count
count_instances(struct registry *r, const struct pool *p)
{
	struct count c = { 0 };
	const struct instance *i = NULL;

	while ((i = registry_instance_next(r, p, i)) != NULL) {
		c.instances++;
		c.gone += is_gone(i);
		if (i->admin != INST_IN)
			continue;
		c.in++;
		if (i->health == HEALTH_UP)
			c.up++;
		else if (c.unfit == NULL)
			c.unfit = i;
	}
	return c;
}

const char *
facts_why(const struct instance *i, char out[FACTS_WHY_MAX])
{
	const char *text = health_reason_text((enum health_reason)i->reason);

	/* The last probe may have passed, or failed for another reason. */
	if (i->reason == HEALTH_WHY_STATUS && i->passes == 0 &&
	    i->last_status != 0)
		(void)snprintf(out, FACTS_WHY_MAX, "%s %u", text,
		    i->last_status);
	else
		(void)snprintf(out, FACTS_WHY_MAX, "%s", text);
	return out;
}

static void
say_unready(struct ro_facts_pool *f, const struct cfg_pool *cfg,
    const struct count *c)
{
	char why[FACTS_WHY_MAX];

	if (c->instances == 0 && cfg->n_instances > 0)
		(void)snprintf(f->unready, sizeof(f->unready),
		    "all its instances were removed by command; "
		    "\"segue add-instance\" brings them back");
	else if (c->instances == 0)
		(void)snprintf(f->unready, sizeof(f->unready),
		    "it has no instance");
	else if (c->in == 0)
		(void)snprintf(f->unready, sizeof(f->unready),
		    "none of its instances is in");
	else if (c->unfit != NULL)
		(void)snprintf(f->unready, sizeof(f->unready),
		    "%.40s is %s: %s", c->unfit->name,
		    health_name(c->unfit->health), facts_why(c->unfit, why));
}

/* Ready means: all that are in are up, for the hold time. */
static void
judge_ready(struct pool *p, const struct cfg_pool *cfg, const struct count *c,
    struct ro_facts_pool *f, uint64_t wall_us, uint64_t *due_us)
{
	uint64_t now = clock_mono_us(), hold = cfg->probe.hold_us, since;
	char left[UNITS_MAX];

	if (c->in == 0 || c->up < c->in) {
		p->ready_since_us = 0;
		say_unready(f, cfg, c);
		return;
	}
	if (p->ready_since_us == 0)
		p->ready_since_us = now;
	since = now - p->ready_since_us;
	f->ready = since >= hold;
	if (f->ready)
		return;
	units_duration_round(hold - since, left);
	(void)snprintf(f->unready, sizeof(f->unready),
	    "up, and must hold %s longer", left);
	if (*due_us == 0 || wall_us + hold - since < *due_us)
		*due_us = wall_us + hold - since;
}

struct ro_toll
facts_toll(const struct pool *p)
{
	uint64_t answers = 0, failed = 0, spoiled = 0;

	for (unsigned w = 0; w < p->n_workers; w++) {
		const struct pool_cell *c = &p->cells[w];

		for (size_t k = 0; k < STATUS_N; k++)
			answers += stat_get(&c->status[k]);
		failed += stat_get(&c->failures) +
		    stat_get(&c->status[STATUS_5XX]);
		spoiled += stat_get(&c->spoiled) +
		    stat_get(&c->status[STATUS_5XX]);
	}
	/* What was spoiled is in both; a worker may be between the two. */
	return (struct ro_toll){ failed + answers - MIN(answers, spoiled),
		failed };
}

/* at_us: 0 is never. */
static bool
is_lately(uint64_t at_us, uint64_t within_us)
{
	return at_us != 0 && clock_mono_us() - at_us < within_us;
}

/* Zero proves nothing while one may come whom nobody has counted. */
static void
judge_sessions(const struct pool *p, const struct cfg_service *svc,
    const struct facts_now *now, struct ro_facts_pool *f)
{
	const struct sessions *all = &p->service->sessions;

	if (svc->sticky_records == 0)
		f->sessions_unknown = "sessions, which are not recorded,";
	else if (is_lately(now->started_us, svc->sticky_idle_us))
		f->sessions_unknown = "sessions begun before the restart";
	else if (is_lately(sessions_lost_us(all, p->name_hash),
	             svc->sticky_idle_us))
		f->sessions_unknown = "sessions beyond sticky.records";
	else if (is_lately(sessions_left_us(all, p->name_hash), LEFT_US))
		f->sessions_unknown =
		    "requests of sessions that have just left";
}

/*
 * Applications have tokens of its, or will have.  Where nobody is up nobody is
 * served: those who are to be elsewhere do not wait for it.
 */
static bool
signs(struct registry *r, const struct ro_service *s, const char *pool)
{
	const struct pool *p = registry_pool(r, s->name, pool);

	if (p == NULL || count_instances(r, p).up == 0)
		return false;
	for (size_t i = 0; i < s->n_pools; i++)
		if (strcmp(s->pools[i].name, pool) == 0)
			return s->pools[i].share_bp > 0 ||
			    s->pools[i].state == POOL_DRAINING ||
			    strcmp(s->rollout.to, pool) == 0;
	return false;
}

/* Who asks that pool for keys must know the tokens of all that sign. */
static void
judge_keys(struct registry *r, const struct pool *p,
    const struct cfg_service *svc, const struct ro_service *s,
    struct ro_facts_pool *f)
{
	const char *name;

	if (p->jwks_unknown > 0)
		(void)snprintf(f->keys, sizeof(f->keys),
		    "the keys of %s have not been read (jwks)", p->name);
	else if (p->jwks_unread > 0)
		(void)snprintf(f->keys, sizeof(f->keys),
		    "the keys of %s cannot be read (jwks)", p->name);
	else if (!p->jwks_united)
		for (size_t i = 0; i < svc->n_pools && f->keys[0] == '\0';
		     i++) {
			name = svc->pools[i].name;
			if ((p->jwks_lacks_of >> i & 1) == 0 ||
			    !signs(r, s, name))
				continue;
			(void)snprintf(f->keys, sizeof(f->keys),
			    "%.40s does not publish all keys of %.40s (jwks)",
			    p->name, name);
		}
}

static void
gather_pool(struct registry *r, const struct cfg_service *svc,
    const struct ro_service *s, const struct cfg_pool *cfg,
    const struct facts_now *now, struct ro_facts_pool *f, uint64_t *due_us)
{
	struct pool *p = registry_pool(r, svc->name, cfg->name);
	struct count c;

	if (p == NULL)
		return;
	c = count_instances(r, p);
	f->exists = true;
	f->version = cfg_version_of(svc, str_of(cfg->name));
	f->revision = cfg->revision == NULL ? "" : cfg->revision;
	f->requires = cfg->requires == NULL ? "" : cfg->requires;
	f->instances = c.instances;
	f->eligible = c.up;
	f->gone = c.gone;
	for (unsigned w = 0; w < p->n_workers; w++)
		f->writes += stat_get(&p->cells[w].writes);
	f->view_current = now->view_current;
	f->inflight = registry_pool_inflight(r, p);
	f->streams = registry_pool_streams(r, p);
	for (unsigned w = 0; w < p->n_workers; w++)
		for (size_t i = 0; i < STREAM_END_COUNT; i++)
			f->streams_ended[i] += stat_get(
			    &p->cells[w].streams_ended[i]);
	f->pins_live_us = svc->sticky_scope == CFG_STICKY_NONE
	    ? 0
	    : svc->sticky_max_us;
	f->sessions = sessions_on(&p->service->sessions, p->name_hash);
	f->shared = sessions_are_shared(&p->service->sessions, clock_mono_us());
	f->shown = f->shared
	    ? sessions_shared_on(&p->service->sessions, p->name_hash)
	    : f->sessions;
	if (svc->sticky_scope != CFG_STICKY_NONE)
		judge_sessions(p, svc, now, f);
	if (svc->jwks.required)
		judge_keys(r, p, svc, s, f);
	judge_ready(p, cfg, &c, f, now->wall_us, due_us);
}

void
facts_gather(struct registry *r, const struct cfg *cfg,
    const struct ro_state *s, const struct facts_now *now,
    struct ro_facts_pool *rows, uint64_t *due_us)
{
	*due_us = 0;
	memset(rows, 0, s->n_services * CFG_POOLS_MAX * sizeof(*rows));
	for (size_t i = 0; i < s->n_services; i++) {
		const struct cfg_service *svc = cfg_service_find(cfg,
		    str_of(s->services[i].name));

		for (size_t p = 0; svc != NULL && p < s->services[i].n_pools;
		     p++) {
			const struct cfg_pool *pool = cfg_pool_find(svc,
			    str_of(s->services[i].pools[p].name));

			if (pool != NULL)
				gather_pool(r, svc, &s->services[i], pool, now,
				    &rows[i * CFG_POOLS_MAX + p], due_us);
		}
	}
}

/* What is ours to answer for, though the request was well. */
static const enum outcome refusals[] = { OUT_NO_INSTANCE, OUT_STOPPING,
	OUT_OVERLOAD, OUT_QUEUE_FULL, OUT_HOLD_FULL };

static void
count_pool(struct registry *r, const char *service, const struct ro_pool *pool,
    struct ro_count *c)
{
	const struct pool *p = registry_pool(r, service, pool->name);
	size_t at = c->n_pools++;

	str_copy(str_of(pool->name), c->pools[at].pool,
	    sizeof(c->pools[at].pool));
	if (p == NULL)
		return;
	c->pools[at].toll = facts_toll(p);
	for (unsigned w = 0; w < p->n_workers; w++) {
		const struct pool_cell *cell = &p->cells[w];

		c->moved += stat_get(&cell->cause[CAUSE_MOVED_DEAD]) +
		    stat_get(&cell->cause[CAUSE_MOVED_DRAIN]) +
		    stat_get(&cell->cause[CAUSE_MOVED_EVICT]) +
		    stat_get(&cell->cause[CAUSE_MOVED_ORDER]);
		for (size_t i = 0; i < STREAM_END_COUNT; i++)
			c->streams[i] += stat_get(&cell->streams_ended[i]);
	}
}

void
facts_count(struct registry *r, const struct ro_state *s, uint64_t process_us,
    struct ro_count *rows)
{
	for (size_t i = 0; i < s->n_services; i++) {
		const struct ro_service *svc = &s->services[i];
		const struct service *counted = registry_service(r, svc->name);
		struct ro_count *c = &rows[i];
		struct account a;

		*c = (struct ro_count){ .process_us = process_us };
		if (counted == NULL)
			continue;
		account_of(counted, false, &a);
		c->holds = a.holds;
		c->accepted = a.accepted;
		c->in_flight = a.in_flight;
		c->waiting = counted->held;
		memcpy(c->class, a.class, sizeof(c->class));
		for (size_t k = 0; k < ARRAY_LEN(refusals); k++)
			c->refused += a.outcome[refusals[k]];
		for (unsigned w = 0; w < counted->n_workers; w++) {
			c->retries += stat_get(&counted->cells[w].retries);
			c->held += stat_get(&counted->cells[w].held_ever);
			c->released += stat_get(&counted->cells[w].released);
		}
		for (size_t p = 0; p < svc->n_pools; p++)
			count_pool(r, svc->name, &svc->pools[p], c);
	}
}

const char *
facts_service_of(const struct ro_state *s, const struct ro_command *c)
{
	if (c->service[0] == '\0' && s->n_services == 1)
		return s->services[0].name;
	return c->service;
}

static const char *
configured_address(const struct cfg *cfg, const char *service, const char *pool,
    const char *instance)
{
	const struct cfg_service *s = cfg_service_find(cfg, str_of(service));
	const struct cfg_pool *p = s == NULL ? NULL
	                                     : cfg_pool_find(s, str_of(pool));

	for (size_t i = 0; p != NULL && i < p->n_instances; i++)
		if (strcmp(p->instances[i].name, instance) == 0)
			return p->instances[i].address.text;
	return NULL;
}

struct ro_facts_instance
facts_of_instance(struct registry *r, const struct cfg *cfg,
    const struct ro_state *s, const struct ro_command *c)
{
	const char *service = facts_service_of(s, c);
	const struct instance *i = registry_instance(r, service, c->pool,
	    c->instance);

	return (struct ro_facts_instance){
		.exists = i != NULL,
		.eligible = i != NULL && i->health == HEALTH_UP &&
		    i->admin == INST_IN,
		.configured = configured_address(cfg, service, c->pool,
		    c->instance),
	};
}
