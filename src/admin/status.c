/*
 * /v1/status: everything there is to see.
 */
#include <string.h>

#include "upstream/account.h"
#include "admin/admin_int.h"
#include "admin/answer.h"
#include "admin/sums.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "config/schema.h"
#include "rollout/cluster.h"
#include "rollout/drive.h"
#include "rollout/facts.h"
#include "rollout/runs.h"
#include "rollout/steps.h"
#include "session/pin.h"
#include "store/store.h"
#include "store/stores.h"
#include "upstream/eject.h"
#include "upstream/load.h"
#include "upstream/model.h"
#include "upstream/names.h"
#include "upstream/registry.h"

/* What a whole document is written from. */
struct scene {
	struct json_out j;
	struct drive *drive;
	struct registry *registry;
	const struct ro_state *state;
	const struct ro_facts *facts;
};

/* ---- accounting ---- */

static void
put_account(struct json_out *j, const struct account *a)
{
	json_key(j, "accounting");
	json_begin_object(j);
	json_kv_u64(j, "accepted", a->accepted);
	for (int c = 0; c < CLASS_COUNT; c++)
		json_kv_u64(j, account_class_name((enum account_class)c),
		    a->class[c]);
	json_kv_u64(j, "in_flight", a->in_flight);
	json_kv_bool(j, "holds", a->holds);
	json_end_object(j);
}

static void
put_outcomes(struct json_out *j, const struct account *a)
{
	json_key(j, "outcomes");
	json_begin_object(j);
	for (int i = 0; i < OUT_COUNT; i++)
		if (a->outcome[i] > 0)
			json_kv_u64(j, outcome_name((enum outcome)i),
			    a->outcome[i]);
	json_end_object(j);
}

static struct account
account_all(struct registry *r)
{
	struct account sum, part;
	const struct service *s;

	account_of(registry_unrouted(r), true, &sum);
	for (size_t i = 0; (s = registry_service_at(r, i)) != NULL; i++) {
		account_of(s, false, &part);
		account_add(&sum, &part);
	}
	return sum;
}

/* ---- cells ---- */

static void
put_status(struct json_out *j, struct cells c, size_t at)
{
	static const char *const names[STATUS_N] = { "1xx", "2xx", "3xx", "4xx",
		"5xx" };

	json_key(j, "status");
	json_begin_object(j);
	for (size_t i = 0; i < STATUS_N; i++)
		json_kv_u64(j, names[i],
		    sum_counter(c, at + i * sizeof(stat_u64)));
	json_end_object(j);
}

static void
put_latency(struct json_out *j, struct cells c, size_t at)
{
	struct hist h;

	sum_hist(c, at, &h);
	json_key(j, "latency");
	json_begin_object(j);
	json_kv_u64(j, "p50_us", hist_quantile(&h, 0.5));
	json_kv_u64(j, "p90_us", hist_quantile(&h, 0.9));
	json_kv_u64(j, "p99_us", hist_quantile(&h, 0.99));
	json_kv_u64(j, "n", hist_total(&h));
	json_end_object(j);
}

/* ---- instances ---- */

/* Where the address is a name: which, how old what we know of it is. */
static void
put_name(struct json_out *j, const struct name *n)
{
	if (n == NULL)
		return;
	json_kv_cstr(j, "resolves", n->addr.text);
	if (n->answered_us != 0)
		json_kv_u64(j, "resolved_s",
		    (clock_mono_us() - n->answered_us) / US_PER_S);
	json_kv_u64(j, "resolve_failed", n->failed);
}

static void
put_instance(struct json_out *j, const struct instance *i)
{
	struct cells cells = CELLS_OF(i);
	uint64_t age_us = clock_mono_us() - i->health_since_us;
	char why[FACTS_WHY_MAX];

	json_begin_object(j);
	json_kv_cstr(j, "name", i->name);
	json_kv_cstr(j, "address", i->addr_text);
	put_name(j, registry_name(i));
	json_kv_u64(j, "weight", i->weight);
	json_kv_cstr(j, "health", health_name((enum health)i->health));
	json_kv_cstr(j, "reason", facts_why(i, why));
	json_kv_u64(j, "health_s", age_us / US_PER_S);
	json_kv_cstr(j, "admin", inst_admin_name((enum inst_admin)i->admin));
	json_kv_u64(j, "ejected_s",
	    (eject_left_us(i, clock_mono_us()) + US_PER_S - 1) / US_PER_S);
	json_kv_cstr(j, "ejected_why",
	    i->eject.until_us == 0
	        ? ""
	        : eject_reason_text((enum eject_reason)i->eject.reason));
	json_kv_u64(j, "ejections", i->eject.ejections);
	json_kv_bool(j, "added", i->runtime);
	json_kv_u64(j, "in_flight", inst_inflight(i));
	json_kv_u64(j, "streams", inst_streams(i));
	json_kv_u64(j, "requests", SUM(i, requests));
	json_kv_u64(j, "connections", SUM(i, conns));
	json_kv_u64(j, "last_status", i->last_status);
	json_kv_u64(j, "probe_us", i->probe_took_us);
	json_kv_u64(j, "probes", i->probes);
	json_kv_u64(j, "probes_failed", i->probes_failed);
	json_kv_u64(j, "connect_failed", SUM(i, connect_failed));
	json_kv_u64(j, "resets", SUM(i, resets));
	json_kv_u64(j, "raced", SUM(i, raced));
	json_kv_u64(j, "failures", SUM(i, failures));
	put_status(j, cells, offsetof(struct inst_cell, status));
	put_latency(j, cells, offsetof(struct inst_cell, latency));
	json_end_object(j);
}

static void
put_instances(struct scene *sc, const struct pool *p)
{
	struct instance *i = NULL;

	json_key(&sc->j, "instances");
	json_begin_array(&sc->j);
	while ((i = registry_instance_next(sc->registry, p, i)) != NULL)
		put_instance(&sc->j, i);
	json_end_array(&sc->j);
}

/* ---- pools ---- */

static void
put_causes(struct json_out *j, const struct pool *p)
{
	json_key(j, "causes");
	json_begin_object(j);
	for (size_t c = 0; c < CAUSE_COUNT; c++)
		json_kv_u64(j, pool_cause_name((enum pool_cause)c),
		    SUM(p, cause[c]));
	json_end_object(j);
}

static void
put_drain(struct json_out *j, const struct ro_pool *p)
{
	json_key(j, "drain");
	if (p->state != POOL_DRAINING) {
		json_put_null(j);
		return;
	}
	json_begin_object(j);
	json_kv_cstr(j, "mode", ro_drain_mode_name(p->drain.mode));
	json_kv_time(j, "began", p->drain.began_us);
	json_kv_u64(j, "requests_us", p->drain.requests_us);
	json_kv_u64(j, "flows_us", p->drain.flows_us);
	json_kv_u64(j, "streams_us", p->drain.streams_us);
	json_kv_time(j, "closed", p->drain.closed_us);
	json_end_object(j);
}

static void
put_facts(struct json_out *j, const struct ro_facts_pool *f)
{
	json_kv_bool(j, "ready", f->ready);
	json_kv_cstr(j, "unready", f->unready);
	json_kv_u64(j, "in_flight", f->inflight);
	json_kv_u64(j, "streams", f->streams);
	json_key(j, "streams_ended");
	json_begin_object(j);
	for (size_t i = 0; i < STREAM_END_COUNT; i++)
		json_kv_u64(j, stream_end_name((enum stream_end)i),
		    f->streams_ended[i]);
	json_end_object(j);
	json_kv_u64(j, "sessions", f->shown);
	json_kv_u64(j, "instances_n", f->instances);
	json_kv_u64(j, "eligible", f->eligible);
}

static void
put_cells(struct scene *sc, const struct pool *p)
{
	struct cells cells = CELLS_OF(p);

	json_kv_u64(&sc->j, "sessions_new", SUM(p, sessions_new));
	json_kv_u64(&sc->j, "queued", SUM(p, queued));
	put_causes(&sc->j, p);
	put_status(&sc->j, cells, offsetof(struct pool_cell, status));
	put_latency(&sc->j, cells, offsetof(struct pool_cell, latency));
	put_instances(sc, p);
}

void
status_put_keys(struct json_out *j, const struct pool *p)
{
	json_key(j, "keys");
	if (p == NULL || p->jwks_read_us + p->jwks_unread == 0) {
		json_put_null(j);
		return;
	}
	json_begin_object(j);
	json_kv_u64(j, "published", p->jwks_keys);
	json_kv_u64(j, "lacks", p->jwks_lacks);
	json_kv_bool(j, "united", p->jwks_united);
	json_kv_u64(j, "unread", p->jwks_unread);
	json_key(j, "age_s");
	if (p->jwks_read_us == 0)
		json_put_null(j);
	else
		json_micro(j, clock_mono_us() - p->jwks_read_us);
	json_end_object(j);
}

static void
put_pool(struct scene *sc, const struct ro_service *s, const struct ro_pool *p)
{
	const struct ro_facts_pool *f = ro_facts_of(sc->facts,
	    (size_t)(s - sc->state->services), (size_t)(p - s->pools));
	const struct pool *pool = registry_pool(sc->registry, s->name, p->name);
	char share[UNITS_MAX], holds[DRIVE_HOLDS_MAX];
	struct json_out *j = &sc->j;

	units_share(p->share_bp, share);
	drive_holds(sc->drive, s, p, holds, sizeof(holds));
	json_begin_object(j);
	json_kv_cstr(j, "name", p->name);
	json_kv_cstr(j, "state", pool_state_name((enum pool_state)p->state));
	json_kv_time(j, "since", p->since_us);
	json_kv_cstr(j, "share", share);
	json_kv_u64(j, "share_bp", p->share_bp);
	put_facts(j, f);
	json_kv_cstr(j, "holds", holds);
	put_drain(j, p);
	status_put_keys(j, pool);
	if (pool != NULL)
		put_cells(sc, pool);
	json_end_object(j);
}

/* ---- services ---- */

static void
put_pending(struct json_out *j, const struct ro_pending *p)
{
	json_key(j, "pending");
	if (p->pool[0] == '\0') {
		json_put_null(j);
		return;
	}
	json_begin_object(j);
	json_kv_cstr(j, "pool", p->pool);
	json_kv_bool(j, "drain", p->drain);
	json_end_object(j);
}

static void
put_hold(struct json_out *j, const struct ro_service *s,
    const struct service *counted, const struct cfg_service *cfg)
{
	json_key(j, "hold");
	json_begin_object(j);
	json_kv_cstr(j, "what", hold_name((enum hold)s->hold));
	json_kv_time(j, "since", s->held_us);
	json_kv_u64(j, "held", counted == NULL ? 0 : counted->held);
	json_kv_u64(j, "max", cfg == NULL ? 0 : cfg->hold.max);
	json_kv_u64(j, "held_ever",
	    counted == NULL ? 0 : SUM(counted, held_ever));
	json_kv_u64(j, "released",
	    counted == NULL ? 0 : SUM(counted, released));
	json_end_object(j);
}

/* Where there is no way back from, and whether it is there already. */
static void
put_no_return(struct json_out *j, const struct ro_rollout *r)
{
	size_t at = steps_no_return(r);

	json_key(j, "no_return");
	if (at == r->n_steps) {
		json_put_null(j);
		return;
	}
	json_begin_object(j);
	json_kv_u64(j, "step", at);
	json_kv_bool(j, "passed", steps_is_past(r, at));
	json_end_object(j);
}

static void
put_step(struct json_out *j, const struct ro_step *s, bool skipped)
{
	struct buf text = BUF_INIT;

	steps_describe(s, &text);
	json_begin_object(j);
	json_kv_cstr(j, "step", steps_kind_name((enum cfg_step_kind)s->kind));
	json_kv_str(j, "text", buf_str(&text));
	json_kv_bool(j, "skipped", skipped);
	json_kv_micro(j, "lasted_s", s->lasted_us);
	if (s->took_us > 0) {
		json_key(j, "exit");
		json_i64(j, s->exit);
		json_kv_micro(j, "took_s", s->took_us);
	}
	if (s->took_us > 0 || s->said[0] != '\0')
		json_kv_cstr(j, "said", s->said);
	json_end_object(j);
	buf_free(&text);
}

/* The last run of a job, with the end of what it wrote. */
static void
put_run(struct json_out *j, const struct run_news *n)
{
	json_key(j, "run");
	if (n == NULL) {
		json_put_null(j);
		return;
	}
	json_begin_object(j);
	json_kv_u64(j, "pid", (uint64_t)n->pid);
	json_kv_bool(j, "ended", n->ended);
	json_kv_cstr(j, "verdict",
	    n->ended ? run_verdict_name((enum ro_verdict)n->verdict) : NULL);
	json_kv_cstr(j, "why", n->why);
	json_kv_micro(j, "took_s", n->took_us);
	json_kv_cstr(j, "output", n->tail);
	json_end_object(j);
}

static void
put_toll(struct json_out *j, const char *key, const struct ro_toll *t,
    const struct ro_logins *l, uint64_t p90_us)
{
	json_key(j, key);
	json_begin_object(j);
	json_kv_u64(j, "requests", t->requests);
	json_kv_u64(j, "failed", t->bad);
	json_kv_u64(j, "p90_us", p90_us);
	json_kv_u64(j, "logins_begun", l->begun);
	json_kv_u64(j, "logins_done", l->done);
	json_end_object(j);
}

/* What the step it is at may still take; null: no limit. */
static void
put_left(struct json_out *j, const struct ro_rollout *r, uint64_t wall_us)
{
	const struct ro_step *s = &r->steps[r->at];
	uint64_t all = s->for_us > 0 ? s->for_us : s->deadline_us;
	uint64_t now = r->paused_us > 0 ? r->paused_us : wall_us;
	uint64_t gone = now > r->since_us ? now - r->since_us : 0;

	json_key(j, "left_s");
	if (!steps_under_way(r) || all == 0)
		json_put_null(j);
	else
		json_num(j,
		    (double)(all > gone ? all - gone : 0) / (double)US_PER_S);
}

static void
put_analysis(struct json_out *j, const struct ro_pace *a)
{
	json_key(j, "analysis");
	if (a->own.requests + a->others.requests == 0) {
		json_put_null(j);
		return;
	}
	json_begin_object(j);
	put_toll(j, "own", &a->own, &a->own_logins, a->own_us);
	put_toll(j, "others", &a->others, &a->others_logins, a->others_us);
	json_kv_bool(j, "logins", a->counts_logins);
	json_end_object(j);
}

static void
put_counted_pools(struct json_out *j, const struct ro_count *c)
{
	json_key(j, "pools");
	json_begin_array(j);
	for (size_t i = 0; i < c->n_pools; i++) {
		json_begin_object(j);
		json_kv_cstr(j, "name", c->pools[i].pool);
		json_kv_u64(j, "requests", c->pools[i].toll.requests);
		json_kv_u64(j, "failed", c->pools[i].toll.bad);
		json_end_object(j);
	}
	json_end_array(j);
}

/* What was asked of the pools, by time. */
static void
put_timeline(struct json_out *j, const struct ro_rollout *r,
    const struct ro_timeline *t)
{
	json_kv_micro(j, "piece_s", t->piece_us);
	json_key(j, "timeline");
	json_begin_array(j);
	for (size_t i = 0; i < t->n; i++) {
		json_begin_object(j);
		json_kv_time(j, "began", r->began_us + i * t->piece_us);
		json_kv_bool(j, "whole", (t->gaps >> i & 1) == 0);
		json_key(j, "pools");
		json_begin_array(j);
		for (size_t p = 0; p < r->base.n_pools; p++) {
			const struct ro_toll *toll = &t->pieces[i][p];

			json_begin_object(j);
			json_kv_cstr(j, "name", r->base.pools[p].pool);
			json_kv_u64(j, "requests", toll->requests);
			json_kv_u64(j, "failed", toll->bad);
			json_end_object(j);
		}
		json_end_array(j);
		json_end_object(j);
	}
	json_end_array(j);
}

/* Invariant 1 for a rollout: each request that came meanwhile, and its end. */
static void
put_report(struct scene *sc, const struct ro_service *svc)
{
	size_t at = (size_t)(svc - sc->state->services);
	struct json_out *j = &sc->j;
	struct ro_count c;
	struct ro_timeline t;
	uint64_t ended = 0;
	bool whole = machine_count(svc, &sc->facts->counts[at], &c);

	json_key(j, "report");
	json_begin_object(j);
	json_kv_bool(j, "whole", whole);
	json_kv_time(j, "counted_since",
	    whole ? svc->rollout.began_us : c.process_us);
	json_kv_u64(j, "accepted", c.accepted);
	for (int i = 0; i < CLASS_COUNT; i++) {
		json_kv_u64(j, account_class_name((enum account_class)i),
		    c.class[i]);
		ended += c.class[i];
	}
	json_kv_u64(j, "in_flight", c.in_flight);
	json_kv_bool(j, "holds", c.holds && c.accepted == ended + c.in_flight);
	json_kv_u64(j, "refused", c.refused);
	json_kv_u64(j, "retries", c.retries);
	json_kv_u64(j, "held", c.held);
	json_kv_u64(j, "released", c.released);
	json_kv_u64(j, "moved", c.moved);
	json_key(j, "streams_ended");
	json_begin_object(j);
	for (int i = 0; i < STREAM_END_COUNT; i++)
		json_kv_u64(j, stream_end_name((enum stream_end)i),
		    c.streams[i]);
	json_end_object(j);
	put_counted_pools(j, &c);
	machine_timeline(svc, &sc->facts->counts[at], sc->facts->wall_us, &t);
	put_timeline(j, &svc->rollout, &t);
	json_end_object(j);
}

static void
put_past(struct json_out *j, const struct ro_service *s)
{
	json_key(j, "past");
	json_begin_array(j);
	for (size_t i = 0; i < s->n_past; i++) {
		const struct ro_past *p = &s->past[i];

		json_begin_object(j);
		json_kv_u64(j, "id", p->id);
		json_kv_cstr(j, "to", p->to);
		json_kv_cstr(j, "version", p->version);
		json_kv_cstr(j, "stand",
		    steps_stand_name((enum ro_stand)p->stand));
		json_kv_bool(j, "rehearsal", p->rehearsal);
		json_kv_cstr(j, "who", p->who);
		json_kv_cstr(j, "why", p->why);
		json_kv_time(j, "began", p->began_us);
		json_kv_time(j, "ended", p->ended_us);
		json_kv_micro(j, "held_s", p->held_us);
		json_kv_u64(j, "accepted", p->accepted);
		json_kv_u64(j, "fault", p->fault);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
put_rollout(struct scene *sc, const struct ro_service *svc)
{
	const struct ro_rollout *r = &svc->rollout;
	struct json_out *j = &sc->j;
	struct buf where = BUF_INIT;
	char holds[MACHINE_HOLDS_MAX];
	struct ro_pace a;

	json_key(j, "rollout");
	if (r->stand == RO_STAND_NONE) {
		json_put_null(j);
		return;
	}
	a = machine_analysis(sc->state, (size_t)(svc - sc->state->services),
	    sc->facts);
	machine_rollout_holds(sc->state, (size_t)(svc - sc->state->services),
	    sc->facts, holds);
	steps_where(r, &where);
	json_begin_object(j);
	json_kv_u64(j, "id", r->id);
	json_kv_cstr(j, "to", r->to);
	json_kv_cstr(j, "stand", steps_stand_name((enum ro_stand)r->stand));
	json_kv_bool(j, "rehearsal", r->rehearsal);
	json_kv_bool(j, "failed", r->failed);
	json_kv_str(j, "where", buf_str(&where));
	json_kv_cstr(j, "why", r->why);
	json_kv_cstr(j, "holds", holds);
	json_kv_cstr(j, "who", r->who);
	json_kv_time(j, "began", r->began_us);
	json_kv_time(j, "since", r->since_us);
	json_kv_time(j, "ended", r->ended_us);
	put_left(j, r, sc->facts->wall_us);
	put_analysis(j, &a);
	put_run(j, drive_run(sc->drive, svc));
	json_kv_micro(j, "held_s", steps_held_us(svc, sc->facts->wall_us));
	put_no_return(j, r);
	json_kv_cstr(j, "version", r->version);
	put_report(sc, svc);
	put_past(j, svc);
	json_kv_u64(j, "at", r->at);
	json_key(j, "steps");
	json_begin_array(j);
	for (size_t i = 0; i < r->n_steps; i++)
		put_step(j, &r->steps[i], (r->skipped >> i & 1) != 0);
	json_end_array(j);
	json_end_object(j);
	buf_free(&where);
}

/* ---- conditions, as the Keycloak Operator names them ---- */

static void
put_condition(struct json_out *j, const char *type, const char *is,
    const char *reason, const char *message, uint64_t since_us)
{
	json_begin_object(j);
	json_kv_cstr(j, "type", type);
	json_kv_cstr(j, "status", is);
	json_kv_cstr(j, "reason", reason);
	json_kv_cstr(j, "message", message);
	json_kv_time(j, "lastTransitionTime", since_us);
	json_end_object(j);
}

static const char *
truth(bool so)
{
	return so ? "True" : "False";
}

/* Nobody serves new sessions of it. */
static bool
is_ready(struct scene *sc, const struct ro_service *s)
{
	size_t at = (size_t)(s - sc->state->services);

	for (size_t i = 0; i < s->n_pools; i++)
		if (s->pools[i].share_bp > 0 &&
		    ro_facts_of(sc->facts, at, i)->eligible > 0)
			return true;
	return false;
}

static void
put_conditions(struct scene *sc, const struct ro_service *s)
{
	static const char *const used[] = { "Unknown", "False", "True" };
	static const char *const reasons[] = { "NeverChecked", "MayRunTogether",
		"MustNotRunTogether" };
	const struct ro_rollout *r = &s->rollout;
	bool moves = steps_under_way(r);
	bool halted = r->stand == RO_STAND_PAUSED && r->failed;
	struct json_out *j = &sc->j;

	json_key(j, "conditions");
	json_begin_array(j);
	put_condition(j, "Ready", truth(is_ready(sc, s)),
	    s->hold == HOLD_NONE ? "Serving" : "Held", "",
	    s->hold == HOLD_NONE ? 0 : s->held_us);
	put_condition(j, "Progressing", truth(moves),
	    steps_stand_name((enum ro_stand)r->stand), r->why,
	    moves ? r->began_us : r->ended_us);
	put_condition(j, "Degraded", truth(halted),
	    halted ? "StepFailed" : "None", halted ? r->why : "",
	    halted ? r->paused_us : 0);
	put_condition(j, "RecreateUpdateUsed", used[s->path], reasons[s->path],
	    s->path_why, s->path_us);
	json_end_array(j);
}

static void
put_counters(struct json_out *j, const struct service *s, bool unrouted)
{
	struct account a;
	uint64_t bad = 0;

	account_of(s, unrouted, &a);
	for (size_t v = PIN_OK + 1; v < PIN_VERDICT_COUNT; v++)
		bad += SUM(s, pins_bad[v]);
	json_kv_u64(j, "in_flight", a.in_flight);
	json_kv_u64(j, "retries", SUM(s, retries));
	json_kv_u64(j, "retries_denied", SUM(s, retries_denied));
	json_kv_u64(j, "bytes_in", SUM(s, bytes_in));
	json_kv_u64(j, "bytes_out", SUM(s, bytes_out));
	json_kv_u64(j, "pins_bad", bad);
	put_account(j, &a);
	put_outcomes(j, &a);
}

static void
put_service(struct scene *sc, const struct ro_service *s)
{
	const struct service *counted = registry_service(sc->registry, s->name);
	struct json_out *j = &sc->j;

	json_begin_object(j);
	json_kv_cstr(j, "name", s->name);
	json_kv_u64(j, "epoch", s->epoch);
	if (counted != NULL)
		put_counters(j, counted, false);
	put_pending(j, &s->pending);
	put_hold(j, s, counted,
	    cfg_service_find(drive_cfg(sc->drive), str_of(s->name)));
	put_rollout(sc, s);
	put_conditions(sc, s);
	json_key(j, "pools");
	json_begin_array(j);
	for (size_t i = 0; i < s->n_pools; i++)
		put_pool(sc, s, &s->pools[i]);
	json_end_array(j);
	json_end_object(j);
}

static void
put_unrouted(struct scene *sc)
{
	const struct service *s = registry_unrouted(sc->registry);
	struct json_out *j = &sc->j;

	json_key(j, "unrouted");
	json_begin_object(j);
	json_kv_u64(j, "reading", SUM(s, active));
	put_counters(j, s, true);
	json_end_object(j);
}

/* ---- the whole ---- */

static void
put_disk(struct json_out *j, const struct drive *d)
{
	struct drive_disk disk;

	drive_disk(d, &disk);
	json_key(j, "state_disk");
	json_begin_object(j);
	json_kv_num(j, "pending_s", (double)disk.pending_us / (double)US_PER_S);
	json_kv_u64(j, "waiting", disk.waiting);
	json_kv_u64(j, "failed", disk.failed);
	json_kv_bool(j, "saved", drive_is_saved(d));
	json_end_object(j);
}

static void
put_process(struct json_out *j, const struct admin *a)
{
	uint64_t now = clock_wall_us(), since = a->env.started_wall_us;

	json_kv_cstr(j, "version", SEGUE_VERSION);
	json_kv_u64(j, "pid", (uint64_t)a->env.master_pid);
	json_kv_time(j, "now", now);
	json_kv_time(j, "started", since);
	json_kv_u64(j, "uptime_s", now > since ? (now - since) / US_PER_S : 0);
	json_kv_u64(j, "workers", a->env.n_workers);
	json_kv_bool(j, "stopping", a->stopping);
}

static void
put_load(struct json_out *j, const struct load *l, uint64_t setting)
{
	uint64_t limit = load_limit(l, setting), clients = 0, shed = 0;

	for (unsigned w = 0; w < l->n_workers; w++) {
		clients += stat_get(&l->cells[w].clients);
		shed += stat_get(&l->cells[w].shed);
	}
	json_key(j, "load");
	json_begin_object(j);
	json_kv_cstr(j, "state", load_state_name(load_state(l)));
	json_kv_u64(j, "memory_bytes", load_bytes(l));
	json_kv_u64(j, "memory_limit", limit == UINT64_MAX ? 0 : limit);
	json_kv_u64(j, "clients", clients);
	json_kv_u64(j, "shed", shed);
	json_kv_bool(j, "lame_duck", l->lame);
	json_end_object(j);
}

static const char *
type_name(enum cfg_store_type type)
{
	const struct key *store = key_find(cfg_schema, "store");

	return key_find(store->sub, "type")->names[type];
}

/* The thread that is worst off. */
static const struct store_stats *
worst_store(const struct store_stats *s, unsigned n)
{
	const struct store_stats *worst = s;

	for (unsigned i = 1; i < n; i++)
		if (atomic_load(&s[i].state) > atomic_load(&worst->state))
			worst = &s[i];
	return worst;
}

/* Why one of them is refused what it puts or looks up; or NOTHING. */
static enum store_why
refused_why(const struct store_stats *s, unsigned n)
{
	enum store_why why = STORE_WHY_NOTHING;

	for (unsigned i = 0; i < n && why == STORE_WHY_NOTHING; i++) {
		why = (enum store_why)atomic_load(&s[i].refuses_puts);
		if (why == STORE_WHY_NOTHING)
			why = (enum store_why)atomic_load(&s[i].refuses_looks);
	}
	return why;
}

static uint64_t
count_up(const struct store_stats *s, unsigned n)
{
	uint64_t up = 0;

	for (unsigned i = 0; i < n; i++)
		up += atomic_load(&s[i].state) == STORE_UP;
	return up;
}

static void
put_store(struct json_out *j, const struct stores *stores)
{
	const struct store_stats *s, *worst;
	uint64_t queued = 0, dropped = 0, refused = 0;
	enum store_why why;
	unsigned n;

	json_key(j, "store");
	s = stores == NULL ? NULL : stores_cells(stores, &n);
	if (s == NULL || n == 0) {
		json_put_null(j);
		return;
	}
	worst = worst_store(s, n);
	why = (enum store_why)atomic_load(&worst->why);
	for (unsigned i = 0; i < n; i++) {
		queued += stat_get(&s[i].queued);
		dropped += stat_get(&s[i].dropped);
		for (int w = 0; w < STORE_WHY_COUNT; w++)
			refused += stat_get(&s[i].failed[w]);
	}
	json_begin_object(j);
	json_kv_cstr(j, "type", type_name(stores_cfg(stores)->type));
	json_kv_cstr(j, "state",
	    store_state_name((enum store_state)atomic_load(&worst->state)));
	json_kv_cstr(j, "why", store_why_name(why));
	json_kv_cstr(j, "text", store_why_text(why));
	json_kv_time(j, "since", stat_get(&worst->since_us));
	json_kv_cstr(j, "refuses", store_why_text(refused_why(s, n)));
	json_kv_u64(j, "threads", n);
	json_kv_u64(j, "threads_up", count_up(s, n));
	json_kv_u64(j, "queued", queued);
	json_kv_u64(j, "dropped", dropped);
	json_kv_u64(j, "refused", refused);
	json_end_object(j);
}

static void
put_member(struct json_out *j, const struct cluster_member *m)
{
	json_begin_object(j);
	json_kv_cstr(j, "name", m->name);
	json_kv_bool(j, "self", m->self);
	json_kv_cstr(j, "role", cluster_role_name(m->role));
	json_kv_bool(j, "away", m->away);
	json_kv_bool(j, "lags", m->lags);
	json_kv_bool(j, "differs", m->differs);
	json_kv_u64(j, "version", m->version);
	json_kv_num(j, "silent_s", (double)m->silent_us / (double)US_PER_S);
	json_kv_u64(j, "in_flight", m->in_flight);
	json_end_object(j);
}

static void
put_cluster(struct json_out *j, const struct cluster *c, uint64_t in_flight)
{
	struct cluster_member m;
	struct cluster_facts f;

	json_key(j, "cluster");
	if (c == NULL) {
		json_put_null(j);
		return;
	}
	cluster_look_at(c, &f);
	json_begin_object(j);
	json_kv_cstr(j, "name", f.name);
	json_kv_cstr(j, "member", f.member);
	json_kv_cstr(j, "role", cluster_role_name(f.role));
	json_kv_cstr(j, "leader", f.leader);
	json_kv_u64(j, "version", f.version);
	json_kv_cstr(j, "why", f.why);
	json_kv_cstr(j, "refused", f.refused);
	json_kv_time(j, "since", f.since_us);
	json_key(j, "members");
	json_begin_array(j);
	for (size_t i = 0; cluster_member(c, i, &m); i++) {
		if (m.self)
			m.in_flight = in_flight;
		put_member(j, &m);
	}
	json_end_array(j);
	json_end_object(j);
}

void
status_write(struct admin *a, struct buf *out)
{
	struct scene sc = { .drive = a->env.drive,
		.registry = drive_registry(a->env.drive),
		.state = drive_state(a->env.drive),
		.facts = drive_facts(a->env.drive) };
	struct account all = account_all(sc.registry);
	struct json_out *j = &sc.j;

	json_begin(j, out);
	json_begin_object(j);
	put_process(j, a);
	json_kv_u64(j, "generation", sc.state->generation);
	json_kv_time(j, "changed_at", sc.state->changed_us);
	json_kv_cstr(j, "changed_by", sc.state->changed_by);
	put_disk(j, sc.drive);
	put_load(j, registry_load(sc.registry),
	    drive_cfg(sc.drive)->memory_limit);
	put_store(j, a->env.stores);
	put_cluster(j, drive_cluster(a->env.drive), all.in_flight);
	put_account(j, &all);
	put_unrouted(&sc);
	json_key(j, "services");
	json_begin_array(j);
	for (size_t i = 0; i < sc.state->n_services; i++)
		put_service(&sc, &sc.state->services[i]);
	json_end_array(j);
	json_end_object(j);
}
