/*
 * /v1/plan: what a rollout would do.
 */
#include <string.h>

#include "admin/admin_int.h"
#include "admin/answer.h"
#include "admin/server.h"
#include "base/clock.h"
#include "base/json.h"
#include "config/profiles.h"
#include "http/target.h"
#include "rollout/drive.h"
#include "rollout/facts.h"
#include "rollout/mark.h"
#include "rollout/steps.h"

/* False: answered already. */
static bool
read_name(struct ask *k, struct str name, struct str value,
    char out[CFG_NAME_MAX + 1])
{
	if (value.len <= CFG_NAME_MAX) {
		str_copy(value, out, CFG_NAME_MAX + 1);
		return true;
	}
	answer_error(k, ANSWER_BAD_VALUE, STR_FMT ": it is too long for a name",
	    STR_ARG(name));
	return false;
}

bool
ask_target(struct ask *k, struct ro_command *c)
{
	struct str rest = ask_query(k), name, value;

	while (target_param_next(&rest, &name, &value)) {
		bool good = true;

		if (str_eq(name, STR("to")))
			good = read_name(k, name, value, c->pool);
		else if (str_eq(name, STR("service")))
			good = read_name(k, name, value, c->service);
		if (!good)
			return false;
	}
	return true;
}

static void
put_seconds(struct json_out *j, const char *key, uint64_t us)
{
	json_key(j, key);
	if (us == 0)
		json_put_null(j);
	else
		json_num(j, (double)us / (double)US_PER_S);
}

static void
put_step(struct json_out *j, const struct ro_step *s)
{
	uint64_t limit_us = s->for_us > 0 ? s->for_us : s->deadline_us;
	struct buf text = BUF_INIT;

	steps_describe(s, &text);
	json_begin_object(j);
	json_kv_cstr(j, "step", steps_kind_name((enum cfg_step_kind)s->kind));
	json_kv_str(j, "text", buf_str(&text));
	put_seconds(j, "limit_s", limit_us);
	json_end_object(j);
	buf_free(&text);
}

static void
put_pools(struct json_out *j, struct drive *d, const struct ro_service *s,
    const struct ro_rollout *r, const char *to)
{
	const struct ro_facts *facts = drive_facts(d);
	size_t at = (size_t)(s - drive_state(d)->services);

	json_key(j, "pools");
	json_begin_array(j);
	for (size_t i = 0; i < s->n_pools; i++) {
		const struct ro_pool *p = &s->pools[i];
		const struct ro_facts_pool *f = ro_facts_of(facts, at, i);

		json_begin_object(j);
		json_kv_cstr(j, "name", p->name);
		json_kv_cstr(j, "state",
		    pool_state_name((enum pool_state)p->state));
		json_kv_u64(j, "share_bp", p->share_bp);
		json_kv_u64(j, "sessions", f->sessions);
		json_kv_u64(j, "in_flight", f->inflight);
		json_kv_u64(j, "streams", f->streams);
		json_kv_bool(j, "ready", f->ready);
		json_kv_cstr(j, "unready", f->unready);
		status_put_keys(j,
		    registry_pool(drive_registry(d), s->name, p->name));
		json_kv_bool(j, "keys_hold", machine_keys_hold(p, f, to));
		json_kv_bool(j, "drains",
		    steps_have(r, CFG_STEP_DRAIN) && p->share_bp > 0 &&
		        strcmp(p->name, to) != 0);
		json_end_object(j);
	}
	json_end_array(j);
}

/* How long requests waited in the last rollout in which they did; 0: never. */
static uint64_t
last_held_us(const struct ro_service *s)
{
	if (!s->rollout.rehearsal && s->rollout.held_us > 0)
		return s->rollout.held_us;
	for (size_t i = s->n_past; i-- > 0;)
		if (!s->past[i].rehearsal && s->past[i].held_us > 0)
			return s->past[i].held_us;
	return 0;
}

/* The outage is what a step holds; all else goes on. */
static void
put_outage(struct json_out *j, const struct ro_service *s,
    const struct ro_rollout *r)
{
	size_t at = 0;

	while (at < r->n_steps && r->steps[at].kind != CFG_STEP_HOLD)
		at++;
	json_key(j, "outage");
	if (at == r->n_steps) {
		json_put_null(j);
		return;
	}
	json_begin_object(j);
	json_kv_u64(j, "step", at);
	json_kv_bool(j, "writes_only", r->steps[at].writes_only);
	json_kv_bool(j, "perhaps", r->steps[at].only != CFG_ONLY_ALWAYS);
	put_seconds(j, "at_most_s", r->steps[at].for_us);
	put_seconds(j, "last_s", last_held_us(s));
	json_end_object(j);
}

static void
put_clocks(struct json_out *j, const struct ro_drain *d)
{
	json_key(j, "drain");
	json_begin_object(j);
	json_kv_cstr(j, "mode", ro_drain_mode_name(d->mode));
	json_kv_u64(j, "flows_us", d->flows_us);
	json_kv_u64(j, "requests_us", d->requests_us);
	json_kv_u64(j, "streams_us", d->streams_us);
	json_end_object(j);
}

static void
put_note(struct json_out *j, struct drive *d, const struct ro_service *s)
{
	const struct cfg_service *cfg = cfg_service_find(drive_cfg(d),
	    str_of(s->name));

	json_kv_cstr(j, "note",
	    cfg == NULL ? NULL : profile_note(cfg->product));
}

/* What drive_plan() said. */
struct plan {
	struct ro_rollout rollout;
	struct ro_mark mark;
	enum ro_refusal refused;
	char why[512];
};

static void
put_mark(struct json_out *j, const struct ro_mark *m)
{
	char text[MARK_TEXT_MAX];

	mark_write(m, text);
	json_kv_cstr(j, "mark", m->set ? text : NULL);
}

static void
answer_plan(struct admin *a, struct ask *k, const struct ro_service *s,
    const char *to, const struct plan *p)
{
	const struct ro_rollout *r = &p->rollout;
	struct buf b = BUF_INIT;
	struct json_out j;

	json_begin(&j, &b);
	json_begin_object(&j);
	json_kv_cstr(&j, "service", s->name);
	json_kv_cstr(&j, "to", to);
	put_mark(&j, &p->mark);
	json_kv_cstr(&j, "refused",
	    p->refused == RO_NO_NONE ? NULL : ro_refusal_name(p->refused));
	json_kv_cstr(&j, "message", p->why);
	json_key(&j, "steps");
	json_begin_array(&j);
	for (size_t i = 0; i < r->n_steps; i++)
		put_step(&j, &r->steps[i]);
	json_end_array(&j);
	put_pools(&j, a->env.drive, s, r, to);
	put_clocks(&j, &r->clocks);
	put_outage(&j, s, r);
	put_note(&j, a->env.drive, s);
	json_end_object(&j);
	answer_json(k, 200, &b);
}

const struct ro_service *
ask_service(const struct ro_state *state, const struct ro_command *c)
{
	const char *name = facts_service_of(state, c);

	for (size_t i = 0; i < state->n_services; i++)
		if (strcmp(state->services[i].name, name) == 0)
			return &state->services[i];
	return NULL;
}

void
page_plan(struct admin *a, struct ask *k)
{
	struct ro_command c = { .verb = RO_ROLLOUT, .action = RO_ACTION_START };
	const struct ro_service *s;
	struct plan p;

	if (!ask_target(k, &c))
		return;
	p.refused = drive_plan(a->env.drive, &c, &p.rollout, &p.mark, p.why,
	    sizeof(p.why));
	s = ask_service(drive_state(a->env.drive), &c);
	if (p.refused == RO_NO_NO_SERVICE || s == NULL)
		answer_error(k, ANSWER_NO_SERVICE, "%s", p.why);
	else if (p.refused == RO_NO_NO_POOL)
		answer_error(k, ANSWER_NO_POOL, "%s", p.why);
	else if (p.refused == RO_NO_NO_MEMORY)
		answer_error(k, ANSWER_NO_MEMORY, "%s", p.why);
	else
		answer_plan(a, k, s, c.pool, &p);
}
