/*
 * One of several proxies: what it decides all must agree on, and what another
 * one has decided it follows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/thread.h"
#include "rollout/cluster.h"
#include "rollout/drive_int.h"
#include "rollout/facts.h"
#include "rollout/running.h"
#include "rollout/tally.h"

/* ---- may it decide? ---- */

bool
drive_leads(const struct drive *d)
{
	return d->cluster == NULL || cluster_role(d->cluster) == CLUSTER_LEADER;
}

/* What makes nobody worse off, wherever the others are. */
static bool
loosens(const struct ro_command *cmd)
{
	return cmd->verb == RO_RELEASE ||
	    (cmd->verb == RO_ROLLOUT &&
	        (cmd->action == RO_ACTION_ABORT ||
	            cmd->action == RO_ACTION_PAUSE));
}

bool
drive_may_command(const struct drive *d, struct change *c,
    const struct ro_command *cmd)
{
	struct cluster_facts f;

	if (drive_leads(d))
		return true;
	cluster_look_at(d->cluster, &f);
	if (f.role == CLUSTER_ALONE && (cmd->force || loosens(cmd)))
		return true;
	if (f.role == CLUSTER_ALONE)
		return change_refuse(c, RO_NO_CLUSTER,
		    "the other proxies of cluster %.64s cannot be reached "
		    "(%.120s); what is served goes on as it is; a release or "
		    "abort, or what is forced, changes this proxy alone",
		    f.name, f.why);
	if (f.leader[0] == '\0' || strcmp(f.leader, f.member) == 0)
		return change_refuse(c, RO_NO_CLUSTER,
		    "nobody leads cluster %.64s at the moment; nothing was "
		    "changed, and a second later somebody will",
		    f.name);
	return change_refuse(c, RO_NO_CLUSTER,
	    "proxy %.64s leads cluster %.64s; it has to be told", f.leader,
	    f.name);
}

/* ---- what is decided here ---- */

bool
drive_must_agree(const struct drive *d, const struct change *c)
{
	return d->cluster != NULL && !c->unsaved && !c->agreed &&
	    cluster_role(d->cluster) == CLUSTER_LEADER;
}

static void
on_agreed(const char *why, bool unknown, void *arg)
{
	struct drive *d = arg;
	struct change *c = d->agreeing;

	d->agreeing = NULL;
	c->agreed = true;
	if (why != NULL)
		(void)change_refuse(c, unknown ? RO_NO_UNKNOWN : RO_NO_CLUSTER,
		    "%s", why);
	d->disagreed_us = why == NULL ? 0 : clock_mono_us();
	drive_agreed(d, c);
	if (!d->ending)
		drive_poke(d);
}

/* Asks all for what is on our disk. */
void
drive_agree(struct drive *d)
{
	struct buf text = BUF_INIT;

	if (d->agreeing == NULL || d->asked || cluster_is_busy(d->cluster))
		return;
	d->asked = true;
	if (ro_state_text(&d->next, &text) == E_OK)
		cluster_propose(d->cluster, buf_str(&text), d->agreeing->forced,
		    on_agreed, d);
	else
		on_agreed(err_text(E_NOMEM), false, d);
	buf_free(&text);
}

/* ---- could it be followed? ---- */

static bool
has_pool(const struct cfg *cfg, const char *service, const char *pool)
{
	const struct cfg_service *s = cfg_service_find(cfg, str_of(service));

	return s != NULL && cfg_pool_find(s, str_of(pool)) != NULL;
}

static bool
serves_by_ours(const struct drive *d, const struct ro_state *s,
    char why[CLUSTER_WHY_MAX])
{
	for (size_t i = 0; i < s->n_services; i++)
		for (size_t p = 0; p < s->services[i].n_pools; p++) {
			const struct ro_pool *pool = &s->services[i].pools[p];

			if (pool->share_bp == 0 ||
			    has_pool(d->cfg, s->services[i].name, pool->name))
				continue;
			(void)snprintf(why, CLUSTER_WHY_MAX,
			    "pool %s of service %s is not in its configuration",
			    pool->name, s->services[i].name);
			return false;
		}
	return true;
}

/* No proxy gets there, and what comes next must fit into messages and pins. */
#define GENERATION_MOST (UINT64_C(1) << 52)
#define EPOCH_MOST (UINT32_MAX / 2)

static bool
can_go_on(const struct ro_state *s, char why[CLUSTER_WHY_MAX])
{
	bool can = s->generation <= GENERATION_MOST;

	for (size_t i = 0; i < s->n_services; i++)
		can &= s->services[i].epoch <= EPOCH_MOST;
	if (!can)
		(void)snprintf(why, CLUSTER_WHY_MAX,
		    "its generation, or an epoch, is more than changes can "
		    "have made");
	return can;
}

static bool
could_be_ours(const struct drive *d, const struct ro_state *s,
    char why[CLUSTER_WHY_MAX])
{
	return serves_by_ours(d, s, why) && can_go_on(s, why);
}

static bool
fits(struct str text, char why[CLUSTER_WHY_MAX], void *arg)
{
	struct drive *d = arg;
	struct ro_state s;
	bool ok;

	(void)snprintf(why, CLUSTER_WHY_MAX, "%s", err_text(E_NOMEM));
	if (ro_state_new(&s) != E_OK)
		return false;
	ok = ro_state_read(text, &s, why, CLUSTER_WHY_MAX) == E_OK &&
	    could_be_ours(d, &s, why);
	ro_state_free(&s);
	return ok;
}

/* ---- what another one has decided ---- */

struct follow {
	struct change change;
	struct buf text;
	uint64_t version;
	bool in_time;
	bool done;
};

static struct follow *
follow_of(struct change *c)
{
	return CONTAINER_OF(c, struct follow, change);
}

/* Readiness is of each proxy for itself. */
static bool
is_soft(uint8_t state)
{
	return state == POOL_COLD || state == POOL_STARTING ||
	    state == POOL_READY || state == POOL_FAILED;
}

static void
keep_own(struct ro_pool *p, const struct ro_pool *own)
{
	if (is_soft(p->state) && is_soft(own->state)) {
		p->state = own->state;
		p->since_us = own->since_us;
	} else if (p->state != own->state) {
		return;
	}
	p->life = own->life;
}

static void
keep_own_all(struct drive *d)
{
	for (size_t i = 0; i < d->next.n_services; i++) {
		struct ro_service *s = &d->next.services[i];
		struct ro_service *own = ro_service_find(&d->state, s->name);

		for (size_t p = 0; own != NULL && p < s->n_pools; p++) {
			const struct ro_pool *same = ro_pool_find(own,
			    s->pools[p].name);

			if (same != NULL)
				keep_own(&s->pools[p], same);
		}
	}
}

static bool
decide_follow(struct drive *d, struct change *c)
{
	int rc = ro_state_read(buf_str(&follow_of(c)->text), &d->next, c->why,
	    sizeof(c->why));
	char why[CLUSTER_WHY_MAX];
	bool changed;

	if (rc == E_OK && !could_be_ours(d, &d->next, why))
		return change_refuse(c, RO_NO_CLUSTER, "%s", why);
	if (rc == E_OK)
		rc = ro_state_reconcile(&d->next, d->cfg, clock_wall_us(),
		    &changed);
	if (rc == E_OK)
		rc = drive_make_room(d,
		    MAX(d->next.n_services, d->state.n_services));
	if (rc != E_OK)
		return change_refuse(c, RO_NO_BAD_VALUE, "%s", err_text(rc));
	keep_own_all(d);
	return true;
}

static bool
adopt_follow(struct drive *d, struct change *c)
{
	if (drive_apply_instances(d, d->cfg, c->why, sizeof(c->why)) != E_OK) {
		c->refusal = RO_NO_NO_MEMORY;
		return false;
	}
	drive_take_over(d, true);
	drive_fit_probes(d, false);
	d->heard = true;
	d->late |= !follow_of(c)->in_time;
	follow_of(c)->done = true;
	return true;
}

static void
end_follow(struct drive *d, struct change *c)
{
	struct follow *f = follow_of(c);

	if (f->done) {
		cluster_followed(d->cluster, f->version);
		(void)drive_publish(d);
	} else {
		if (d->unfit != f->version)
			log_warn("event=cluster_not_followed version=%llu "
			         "why=\"%s\"",
			    (unsigned long long)f->version, c->why);
		d->unfit = f->version;
		if (d->cluster != NULL)
			cluster_not_followed(d->cluster);
	}
	buf_free(&f->text);
	free(f);
	if (!d->ending)
		drive_poke(d);
}

static const struct change_kind follow_kind = { .decide = decide_follow,
	.adopt = adopt_follow,
	.end = end_follow };

static void
on_follow(struct str text, uint64_t version, bool in_time, void *arg)
{
	struct drive *d = arg;
	struct follow *f = calloc(1, sizeof(*f));

	if (f != NULL)
		buf_add_str(&f->text, text);
	if (f == NULL || f->text.failed) {
		free(f);
		cluster_not_followed(d->cluster);
		return;
	}
	f->change.kind = &follow_kind;
	f->change.agreed = true;
	f->version = version;
	f->in_time = in_time;
	drive_submit(d, &f->change);
}

/* ---- who leads ---- */

/* What a job that another one has run came to nobody knows. */
static bool
decide_lead(struct drive *d, struct change *c)
{
	uint64_t wall_us = clock_wall_us();
	bool lost = d->next.driver != d->env.driver &&
	    ro_state_lose_runs(&d->next, wall_us);

	c->unsaved = !lost;
	if (!lost)
		return true;
	d->next.generation++;
	d->next.changed_us = wall_us;
	(void)snprintf(d->next.changed_by, sizeof(d->next.changed_by),
	    "cluster");
	return true;
}

static bool
adopt_lead(struct drive *d, struct change *c)
{
	if (!c->unsaved)
		drive_take_over(d, true);
	return true;
}

static void
end_lead(struct drive *d, struct change *c)
{
	d->led = c->refusal == RO_NO_NONE;
	d->leading = false;
	free(c);
	if (!d->ending)
		drive_poke(d);
}

static const struct change_kind lead_kind = { .decide = decide_lead,
	.adopt = adopt_lead,
	.end = end_lead };

static void
take_lead(struct drive *d)
{
	struct change *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return; /* a later look does it; no job runs */
	c->kind = &lead_kind;
	d->leading = true;
	drive_submit(d, c);
}

/*
 * It was refused by the disk or the others: again, a moment later.  What runs
 * for a rollout that another one leads ends.
 */
uint64_t
drive_look_at_runs(struct drive *d)
{
	static const struct ro_state none = { .n_services = 0 };

	if (d->cluster != NULL && drive_leads(d) && !d->led && !d->leading &&
	    !drive_rests(d))
		take_lead(d);
	if (d->cluster == NULL || (drive_leads(d) && d->led))
		return running_look(d->running, &d->state, clock_mono_us());
	if (cluster_role(d->cluster) == CLUSTER_FOLLOWER)
		return running_look(d->running, &none, clock_mono_us());
	return 0;
}

static void
on_role(enum cluster_role role, void *arg)
{
	struct drive *d = arg;

	d->led = false;
	if (role == CLUSTER_LEADER)
		take_lead(d);
	drive_poke(d);
}

/* ---- what is counted ---- */

static void
put_pool(struct json_out *j, const char *service, const char *pool,
    const struct ro_facts_pool *f)
{
	json_begin_object(j);
	json_kv_cstr(j, "service", service);
	json_kv_cstr(j, "pool", pool);
	json_kv_u64(j, "in_flight", f->inflight);
	json_kv_u64(j, "streams", f->streams);
	json_kv_u64(j, "sessions", f->sessions);
	json_kv_u64(j, "writes", f->writes);
	json_kv_bool(j, "unknown", f->sessions_unknown != NULL);
	json_end_object(j);
}

static bool
has_any(const struct ro_facts_pool *f)
{
	return f->inflight + f->streams + f->sessions + f->writes > 0 ||
	    f->sessions_unknown != NULL;
}

static void
put_counts(struct json_out *j, void *arg)
{
	struct drive *d = arg;
	const struct ro_facts_pool *f;
	uint64_t inflight = 0;

	(void)drive_facts(d);
	f = d->own;
	json_key(j, "pools");
	json_begin_array(j);
	for (size_t i = 0; i < d->state.n_services; i++)
		for (size_t p = 0; p < d->state.services[i].n_pools; p++) {
			const struct ro_facts_pool *of =
			    &f[i * CFG_POOLS_MAX + p];

			inflight += of->inflight + of->streams;
			if (has_any(of))
				put_pool(j, d->state.services[i].name,
				    d->state.services[i].pools[p].name, of);
		}
	json_end_array(j);
	json_key(j, "paces");
	facts_pace_put(&d->state, d->paces, j);
	json_key(j, "parts");
	facts_parts_put(&d->parts, j);
	json_kv_u64(j, "in_flight", inflight);
}

static void
add_counts(struct drive *d, const struct json *pools)
{
	for (size_t i = 0; i < json_len(pools); i++) {
		const struct json *j = json_at(pools, i);
		struct ro_service *s = ro_service_find(&d->state,
		    json_get_text(j, "service", ""));
		struct ro_pool *p = s == NULL
		    ? NULL
		    : ro_pool_find(s, json_get_text(j, "pool", ""));
		struct ro_facts_pool *f;

		if (p == NULL)
			continue;
		f = &d->rows[(size_t)(s - d->state.services) * CFG_POOLS_MAX +
		    (size_t)(p - s->pools)];
		f->inflight += json_count(json_get(j, "in_flight"));
		f->streams += json_count(json_get(j, "streams"));
		f->sessions += json_count(json_get(j, "sessions"));
		if (!f->shared)
			f->shown = f->sessions;
		f->writes += json_count(json_get(j, "writes"));
		if (json_get_truth(j, "unknown", false))
			f->sessions_unknown = "sessions of another proxy";
	}
}

void
drive_add_others(struct drive *d)
{
	struct cluster_member m;
	struct cluster_facts f;
	bool behind = false;

	if (d->cluster == NULL)
		return;
	memcpy(d->own, d->rows,
	    d->state.n_services * CFG_POOLS_MAX * sizeof(*d->own));
	cluster_look_at(d->cluster, &f);
	for (size_t i = 1; cluster_member(d->cluster, i, &m); i++) {
		if (m.away)
			continue;
		add_counts(d, m.counts);
		behind |= m.version < f.version;
	}
	/* A drain does not end while one that is there serves as before. */
	for (size_t i = 0; behind && drive_leads(d) &&
	     i < d->state.n_services * CFG_POOLS_MAX;
	     i++)
		d->rows[i].view_current = false;
}

void
drive_add_paces(struct drive *d)
{
	struct cluster_member m;

	for (size_t i = 1;
	     d->cluster != NULL && cluster_member(d->cluster, i, &m); i++)
		if (!m.away)
			facts_pace_add(&d->state, d->paces, m.paces);
}

void
drive_add_parts(struct drive *d)
{
	struct cluster_member m;

	for (size_t i = 1;
	     d->cluster != NULL && cluster_member(d->cluster, i, &m); i++)
		facts_parts_add(&d->parts, m.boot, m.away, m.parts);
	if (d->cluster != NULL && cluster_role(d->cluster) == CLUSTER_ALONE)
		facts_parts_alone(&d->parts);
}

/* ---- life ---- */

static void
put_state(struct buf *out, void *arg)
{
	struct drive *d = arg;

	if (ro_state_text(&d->state, out) != E_OK)
		out->failed = true;
}

static uint64_t
generation(void *arg)
{
	const struct drive *d = arg;

	return d->state.generation;
}

static void
on_change(void *arg)
{
	drive_poke(arg);
}

int
drive_join(struct drive *d, struct cfg *cfg, const struct store_env *store)
{
	struct cluster_env env = { .loop = d->env.loop,
		.store = store,
		.cfg = cfg,
		.use = { .state = put_state,
		    .fits = fits,
		    .follow = on_follow,
		    .role = on_role,
		    .generation = generation,
		    .counts = put_counts,
		    .look = on_change,
		    .arg = d } };
	int rc;

	ON_CONTROL_THREAD();
	d->joined_cfg = cfg_ref(cfg);
	rc = cluster_new(&env, &d->cluster);
	if (rc == E_OK)
		rc = tally_share(d->tally, store, cfg->store.prefix,
		    cfg->cluster.name);
	if (rc == E_OK)
		cluster_configured(d->cluster, d->cfg);
	return rc;
}

struct cluster *
drive_cluster(const struct drive *d)
{
	return d->cluster;
}
