/*
 * Reading the state file, believing nothing.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/journal.h"
#include "base/json.h"
#include "rollout/state.h"
#include "rollout/steps.h"

/* ---- values: present, of the right type, within range ---- */

static bool
read_text(const struct json *j, const char *key, char *out, size_t cap)
{
	const char *text = json_get_text(j, key, NULL);

	if (text == NULL || strlen(text) >= cap)
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bool
read_name(const struct json *j, const char *key, char out[CFG_NAME_MAX + 1])
{
	return read_text(j, key, out, CFG_NAME_MAX + 1) && out[0] != '\0';
}

static bool
read_u64(const struct json *j, const char *key, uint64_t *out)
{
	int64_t n = json_get_int(j, key, -1);

	*out = (uint64_t)n;
	return n >= 0;
}

static bool
read_u32(const struct json *j, const char *key, uint32_t max, uint32_t *out)
{
	uint64_t n;

	if (!read_u64(j, key, &n) || n > max)
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool
read_u8(const struct json *j, const char *key, uint8_t max, uint8_t *out)
{
	uint64_t n;

	if (!read_u64(j, key, &n) || n > max)
		return false;
	*out = (uint8_t)n;
	return true;
}

static bool
read_bool(const struct json *j, const char *key, bool *out)
{
	return json_truth(json_get(j, key), out);
}

/* ---- the tree ---- */

static bool
read_drain(const struct json *j, struct ro_drain *d)
{
	int mode = ro_drain_mode_of(json_get_text(j, "mode", ""));

	if (mode < 0)
		return false;
	d->mode = (uint8_t)mode;
	return read_u64(j, "began_us", &d->began_us) &&
	    read_u64(j, "closed_us", &d->closed_us) &&
	    read_u64(j, "flows_us", &d->flows_us) &&
	    read_u64(j, "requests_us", &d->requests_us) &&
	    read_u64(j, "streams_us", &d->streams_us);
}

/* Those of before there were any have none. */
static bool
read_print(const struct json *j, uint64_t *out)
{
	return json_is_null(json_get(j, "print")) || read_u64(j, "print", out);
}

/* What an operator has said of its sessions: mostly nothing. */
static bool
read_pins(const struct json *j, struct ro_pool *p)
{
	return (json_is_null(json_get(j, "move_epoch")) ||
	           read_u32(j, "move_epoch", UINT32_MAX, &p->move_epoch)) &&
	    (json_is_null(json_get(j, "pins_to")) ||
	        read_name(j, "pins_to", p->pins_to));
}

static bool
read_pool(const struct json *j, struct ro_pool *p)
{
	int state = pool_state_of(json_get_text(j, "state", ""));

	if (state < 0)
		return false;
	p->state = (uint8_t)state;
	return read_name(j, "name", p->name) &&
	    read_u32(j, "share_bp", CFG_SHARE_ALL, &p->share_bp) &&
	    read_u32(j, "min_epoch", UINT32_MAX, &p->min_epoch) &&
	    read_u64(j, "since_us", &p->since_us) && read_print(j, &p->print) &&
	    read_pins(j, p) &&
	    (state != POOL_DRAINING ||
	        read_drain(json_get(j, "drain"), &p->drain));
}

static bool
read_pools(const struct json *j, struct ro_service *s)
{
	uint32_t sum = 0;

	if (!json_is_array(j) || json_len(j) > CFG_POOLS_MAX)
		return false;
	for (size_t i = 0; i < json_len(j); i++) {
		struct ro_pool p = { .state = POOL_COLD };

		if (!read_pool(json_at(j, i), &p) ||
		    (p.share_bp > 0 && p.state != POOL_ACTIVE) ||
		    ro_pool_find(s, p.name) != NULL)
			return false;
		sum += p.share_bp;
		s->pools[s->n_pools++] = p;
	}
	/* Of nobody after a forced drain of the last pool. */
	return sum == 0 || sum == CFG_SHARE_ALL;
}

/* Those of before there were jobs have none. */
static bool
read_job(const struct json *j, struct ro_step *s)
{
	int once = steps_once_of(json_get_text(j, "once", "no"));
	int64_t status = json_get_int(j, "exit", 0);

	s->once = (uint8_t)once;
	s->exit = (int16_t)status;
	s->rehearse = json_get_truth(j, "rehearse", false);
	if (json_is_null(json_get(j, "job")))
		return json_is_null(json_get(j, "said")) ||
		    read_text(j, "said", s->said, sizeof(s->said));
	return (once >= 0 && status >= -1 && status <= 255 &&
	    read_name(j, "job", s->job) &&
	    read_u64(j, "took_us", &s->took_us) &&
	    read_text(j, "said", s->said, sizeof(s->said)));
}

static bool
read_window(const struct json *j, struct ro_step *s)
{
	uint32_t from, until;

	if (s->kind != CFG_STEP_WINDOW)
		return true;
	if (!read_u32(j, "from", 24 * 60 - 1, &from) ||
	    !read_u32(j, "until", 24 * 60 - 1, &until))
		return false;
	s->from = (uint16_t)from;
	s->until = (uint16_t)until;
	return read_u32(j, "below", UINT32_MAX, &s->below);
}

static bool
read_step(const struct json *j, struct ro_step *s)
{
	int kind = steps_kind_of(json_get_text(j, "step", ""));

	s->kind = (uint8_t)kind;
	s->writes_only = json_get_truth(j, "writes_only", false);
	s->no_return = json_get_truth(j, "no_return", false);
	s->surge = json_get_truth(j, "surge", false);
	if (!json_is_null(json_get(j, "only")) &&
	    (!read_u8(j, "only", CFG_ONLY_COUNT - 1, &s->only) ||
	        !read_u8(j, "by", CFG_BY_COUNT - 1, &s->by) ||
	        !read_u64(j, "lasted_us", &s->lasted_us)))
		return false;
	return kind >= 0 && read_job(j, s) && read_window(j, s) &&
	    read_text(j, "name", s->name, sizeof(s->name)) &&
	    read_u32(j, "share_bp", CFG_SHARE_ALL, &s->share_bp) &&
	    read_u64(j, "for_us", &s->for_us) &&
	    read_u64(j, "deadline_us", &s->deadline_us) &&
	    read_u32(j, "errors_pct", 100, &s->errors_pct) &&
	    (json_is_null(json_get(j, "slower_pct")) ||
	        read_u32(j, "slower_pct", UINT32_MAX, &s->slower_pct)) &&
	    (json_is_null(json_get(j, "logins_pct")) ||
	        read_u32(j, "logins_pct", 100, &s->logins_pct)) &&
	    read_u32(j, "requests", UINT32_MAX, &s->requests);
}

static bool
read_steps(const struct json *j, struct ro_rollout *r)
{
	if (!json_is_array(j) || json_len(j) > CFG_STEPS_MAX)
		return false;
	for (size_t i = 0; i < json_len(j); i++)
		if (!read_step(json_at(j, i), &r->steps[r->n_steps++]))
			return false;
	return true;
}

static bool
read_before(const struct json *j, struct ro_rollout *r)
{
	if (!json_is_array(j) || json_len(j) > CFG_POOLS_MAX)
		return false;
	for (size_t i = 0; i < json_len(j); i++, r->n_before++)
		if (!read_name(json_at(j, i), "pool", r->before[i].pool) ||
		    !read_u32(json_at(j, i), "share_bp", CFG_SHARE_ALL,
		        &r->before[i].share_bp))
			return false;
	return true;
}

/* A step that is under way is one of them. */
static bool
is_somewhere(const struct ro_rollout *r)
{
	return r->at <= r->n_steps &&
	    (!steps_under_way(r) || r->at < r->n_steps);
}

static bool
read_counted_pools(const struct json *j, struct ro_count *c)
{
	if (!json_is_array(j) || json_len(j) > CFG_POOLS_MAX)
		return false;
	for (size_t i = 0; i < json_len(j); i++, c->n_pools++)
		if (!read_name(json_at(j, i), "pool", c->pools[i].pool) ||
		    !read_u64(json_at(j, i), "requests",
		        &c->pools[i].toll.requests) ||
		    !read_u64(json_at(j, i), "bad", &c->pools[i].toll.bad))
			return false;
	return true;
}

bool
ro_count_read(const struct json *j, struct ro_count *c)
{
	for (int i = 0; i < CLASS_COUNT; i++)
		if (!read_u64(j, account_class_name((enum account_class)i),
		        &c->class[i]))
			return false;
	for (int i = 0; i < STREAM_END_COUNT; i++)
		if (!read_u64(j, stream_end_name((enum stream_end)i),
		        &c->streams[i]))
			return false;
	return read_u64(j, "process_us", &c->process_us) &&
	    read_bool(j, "holds", &c->holds) &&
	    read_u64(j, "accepted", &c->accepted) &&
	    read_u64(j, "in_flight", &c->in_flight) &&
	    read_u64(j, "refused", &c->refused) &&
	    read_u64(j, "retries", &c->retries) &&
	    read_u64(j, "held", &c->held) &&
	    read_u64(j, "released", &c->released) &&
	    read_u64(j, "moved", &c->moved) &&
	    read_counted_pools(json_get(j, "pools"), c);
}

static bool
read_tolls(const struct json *j, struct ro_toll *t, size_t n)
{
	int64_t requests, bad;

	if (!json_is_array(j) || json_len(j) != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!json_int(json_at(j, 2 * i), &requests) ||
		    !json_int(json_at(j, 2 * i + 1), &bad) || requests < 0 ||
		    bad < 0)
			return false;
		t[i] = (struct ro_toll){ (uint64_t)requests, (uint64_t)bad };
	}
	return true;
}

/* Behind .base; those of before there was one have none. */
static bool
read_timeline(const struct json *j, struct ro_rollout *r)
{
	struct ro_timeline *t = &r->timeline;
	const struct json *pieces = json_get(j, "pieces");

	if (json_is_null(j))
		return true;
	if (!read_u64(j, "process_us", &t->process_us) ||
	    !read_u64(j, "piece_us", &t->piece_us) ||
	    !read_u64(j, "gaps", &t->gaps) || t->piece_us > RO_PIECE_MAX_US ||
	    !json_is_array(pieces) || json_len(pieces) > RO_PIECES_MAX ||
	    (t->piece_us == 0 && json_len(pieces) > 0) ||
	    !read_tolls(json_get(j, "seen"), t->seen, r->base.n_pools))
		return false;
	for (; t->n < json_len(pieces); t->n++)
		if (!read_tolls(json_at(pieces, t->n), t->pieces[t->n],
		        r->base.n_pools))
			return false;
	return true;
}

static bool
read_past(const struct json *j, struct ro_past *p)
{
	int stand = steps_stand_of(json_get_text(j, "stand", ""));

	p->stand = (uint8_t)stand;
	p->rehearsal = json_get_truth(j, "rehearsal", false);
	return stand >= 0 && read_u64(j, "id", &p->id) &&
	    read_name(j, "to", p->to) &&
	    read_text(j, "version", p->version, sizeof(p->version)) &&
	    read_text(j, "who", p->who, sizeof(p->who)) &&
	    read_text(j, "why", p->why, sizeof(p->why)) &&
	    read_u64(j, "began_us", &p->began_us) &&
	    read_u64(j, "ended_us", &p->ended_us) &&
	    read_u64(j, "held_us", &p->held_us) &&
	    read_u64(j, "accepted", &p->accepted) &&
	    read_u64(j, "fault", &p->fault);
}

static bool
read_pasts(const struct json *j, struct ro_service *s)
{
	if (!json_is_array(j) || json_len(j) > RO_PAST_MAX)
		return false;
	for (size_t i = 0; i < json_len(j); i++)
		if (!read_past(json_at(j, i), &s->past[s->n_past++]))
			return false;
	return true;
}

/* Those of before there were such steps have none. */
static bool
read_roll(const struct json *j, struct ro_roll *r)
{
	int phase = steps_phase_of(json_get_text(j, "phase", ""));

	if (json_is_null(j))
		return true;
	r->phase = (uint8_t)phase;
	return phase >= 0 && read_text(j, "now", r->now, sizeof(r->now)) &&
	    read_text(j, "last", r->last, sizeof(r->last)) &&
	    read_text(j, "spare", r->spare, sizeof(r->spare)) &&
	    read_u64(j, "since_us", &r->since_us) &&
	    read_u32(j, "done", UINT32_MAX, &r->done);
}

static bool
read_rollout(const struct json *j, struct ro_rollout *r)
{
	int stand = steps_stand_of(json_get_text(j, "stand", ""));
	uint32_t on_failure;
	uint64_t at;

	if (stand < 0 ||
	    !read_u32(j, "on_failure", CFG_FAILURE_PAUSE, &on_failure) ||
	    !read_u64(j, "at", &at))
		return false;
	r->stand = (uint8_t)stand;
	r->on_failure = (uint8_t)on_failure;
	r->at = at;
	r->unknown = json_get_truth(j, "unknown", false);
	if (!read_print(j, &r->print))
		return false;
	r->rehearsal = json_get_truth(j, "rehearsal", false);
	if (!json_is_null(json_get(j, "runs")) &&
	    (!read_u32(j, "runs", UINT32_MAX, &r->runs) ||
	        !read_u64(j, "hold_until_us", &r->hold_until_us) ||
	        !read_u64(j, "held_us", &r->held_us) ||
	        !read_u32(j, "begun", UINT32_MAX, &r->begun) ||
	        !read_u32(j, "ran", UINT32_MAX, &r->ran) ||
	        !read_u8(j, "path", RO_PATH_COUNT - 1, &r->path) ||
	        !read_bool(j, "partial", &r->partial) ||
	        !ro_count_read(json_get(j, "base"), &r->base) ||
	        !ro_count_read(json_get(j, "count"), &r->count) ||
	        !read_timeline(json_get(j, "timeline"), r) ||
	        !read_text(j, "version", r->version, sizeof(r->version))))
		return false;
	return read_u64(j, "id", &r->id) &&
	    read_bool(j, "entered", &r->entered) &&
	    read_bool(j, "failed", &r->failed) &&
	    read_bool(j, "moved", &r->moved) &&
	    read_u32(j, "skipped", UINT32_MAX, &r->skipped) &&
	    read_name(j, "to", r->to) &&
	    read_text(j, "who", r->who, sizeof(r->who)) &&
	    read_text(j, "why", r->why, sizeof(r->why)) &&
	    read_u64(j, "began_us", &r->began_us) &&
	    read_u64(j, "ended_us", &r->ended_us) &&
	    read_u64(j, "since_us", &r->since_us) &&
	    read_u64(j, "paused_us", &r->paused_us) &&
	    read_drain(json_get(j, "clocks"), &r->clocks) &&
	    read_before(json_get(j, "before"), r) &&
	    read_roll(json_get(j, "roll"), &r->roll) &&
	    read_steps(json_get(j, "steps"), r) && is_somewhere(r);
}

static bool
read_done(const struct json *j, struct ro_service *s)
{
	if (json_is_null(j))
		return true; /* of before there were jobs */
	if (!json_is_array(j) || json_len(j) > RO_DONE_MAX)
		return false;
	for (size_t i = 0; i < json_len(j); i++) {
		struct ro_done *d = &s->done[s->n_done++];

		if (!read_name(json_at(j, i), "job", d->job) ||
		    !read_text(json_at(j, i), "version", d->version,
		        sizeof(d->version)) ||
		    !read_u64(json_at(j, i), "when_us", &d->when_us))
			return false;
	}
	return true;
}

static bool
read_order(const struct json *j, struct ro_service *s, struct ro_order *o)
{
	const char *to = json_get_text(j, "to", NULL);
	const struct ro_pool *p = to == NULL ? NULL : ro_pool_find(s, to);
	bool evict;

	if (!str_hex64(str_of(json_get_text(j, "session", "")), &o->session) ||
	    !read_u64(j, "given_us", &o->given_us) ||
	    !read_u32(j, "epoch", UINT32_MAX, &o->epoch) ||
	    !read_bool(j, "evict", &evict) || (p == NULL) != (to == NULL))
		return false;
	o->how = evict ? PINS_EVICT : PINS_MOVE;
	o->to = p == NULL ? 0 : (uint8_t)(p - s->pools + 1);
	return true;
}

static bool
read_orders(const struct json *j, struct ro_service *s)
{
	if (json_is_null(j))
		return true;
	if (!json_is_array(j) || json_len(j) > VIEW_ORDERS_MAX)
		return false;
	for (size_t i = 0; i < json_len(j); i++)
		if (!read_order(json_at(j, i), s, &s->orders[s->n_orders++]))
			return false;
	return true;
}

/* What those of before there were holds do not have. */
static bool
read_news(const struct json *j, struct ro_service *s)
{
	int hold = hold_of(json_get_text(j, "hold", "none"));

	s->hold = (uint8_t)hold;
	return json_is_null(json_get(j, "hold")) ||
	    (hold >= 0 && read_u64(j, "held_us", &s->held_us) &&
	        read_u8(j, "path", RO_PATH_COUNT - 1, &s->path) &&
	        read_u64(j, "path_us", &s->path_us) &&
	        read_text(j, "path_why", s->path_why, sizeof(s->path_why)) &&
	        read_pasts(json_get(j, "past"), s));
}

/* A pin of now is of its service's epoch: no word of later ones is known. */
static bool
is_of_its_time(const struct ro_service *s)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (s->pools[i].min_epoch > s->epoch ||
		    s->pools[i].move_epoch > s->epoch)
			return false;
	for (size_t i = 0; i < s->n_orders; i++)
		if (s->orders[i].epoch > s->epoch)
			return false;
	return true;
}

static bool
read_service(const struct json *j, struct ro_service *s)
{
	const struct json *pending = json_get(j, "pending");
	const struct json *rollout = json_get(j, "rollout");

	if (!read_name(j, "name", s->name) ||
	    !read_u32(j, "epoch", UINT32_MAX, &s->epoch) ||
	    !read_pools(json_get(j, "pools"), s) ||
	    (rollout != NULL && !read_rollout(rollout, &s->rollout)) ||
	    !read_news(j, s) || !read_done(json_get(j, "done"), s) ||
	    !read_orders(json_get(j, "orders"), s) || !is_of_its_time(s))
		return false;
	if (pending == NULL)
		return true;
	return read_name(pending, "pool", s->pending.pool) &&
	    ro_pool_find(s, s->pending.pool) != NULL &&
	    read_bool(pending, "drain", &s->pending.drain) &&
	    read_drain(json_get(pending, "clocks"), &s->pending.clocks);
}

static bool
read_plan(const struct json *j, struct instance_plan *p)
{
	int admin = inst_admin_of(json_get_text(j, "admin", ""));
	uint32_t weight;

	if (admin < 0 || !read_name(j, "service", p->service) ||
	    !read_name(j, "pool", p->pool) || !read_name(j, "name", p->name) ||
	    !read_text(j, "address", p->address, sizeof(p->address)) ||
	    !read_u32(j, "weight", UINT16_MAX, &weight) ||
	    !read_bool(j, "removed", &p->removed))
		return false;
	p->admin = (uint8_t)admin;
	p->weight = weight;
	return true;
}

static bool
read_services(const struct json *j, struct ro_state *s)
{
	for (size_t i = 0; i < json_len(j); i++) {
		struct ro_service *svc = &s->services[i];

		if (!read_service(json_at(j, i), svc) ||
		    ro_service_find(s, svc->name) != NULL)
			return false;
		s->n_services++;
	}
	return true;
}

static bool
read_plans(const struct json *j, struct ro_state *s)
{
	for (size_t i = 0; i < json_len(j); i++)
		if (!read_plan(json_at(j, i), &s->instances[s->n_instances++]))
			return false;
	return true;
}

static int
read_body(const struct json *j, struct ro_state *s)
{
	const struct json *services = json_get(j, "services");
	const struct json *plans = json_get(j, "instances");

	if (!json_is_array(services) || !json_is_array(plans) ||
	    json_len(plans) > RO_INSTANCES_MAX)
		return E_DAMAGED;
	free(s->services);
	s->n_services = s->n_instances = 0;
	s->services = calloc(json_len(services) + 1, sizeof(*s->services));
	if (s->services == NULL)
		return E_NOMEM;
	s->driver = 0;
	if (!json_is_null(json_get(j, "driver")) &&
	    !read_u64(j, "driver", &s->driver))
		return E_DAMAGED;
	return read_u64(j, "changed_us", &s->changed_us) &&
	        read_text(j, "changed_by", s->changed_by,
	            sizeof(s->changed_by)) &&
	        read_services(services, s) && read_plans(plans, s)
	    ? E_OK
	    : E_DAMAGED;
}

/* ---- the envelope ---- */

struct envelope {
	uint64_t format, generation, len, hash;
	struct str body;
};

static bool
open_envelope(struct str text, struct envelope *e)
{
	struct str line = str_split(&text, '\n');

	e->body = text;
	return str_eq(str_split(&line, ' '), STR("segue-state")) &&
	    str_u64(str_split(&line, ' '), &e->format) &&
	    str_u64(str_split(&line, ' '), &e->generation) &&
	    str_u64(str_split(&line, ' '), &e->len) &&
	    str_hex64(line, &e->hash);
}

/* Is it as it was written?  Nothing of the body is looked at before. */
static int
check_envelope(const struct envelope *e, char *why, size_t cap)
{
	if (e->format != RO_STATE_FORMAT) {
		(void)snprintf(why, cap,
		    "has format %llu, and this version knows format %d",
		    (unsigned long long)e->format, RO_STATE_FORMAT);
		return E_UNSUPPORTED;
	}
	if (e->body.len != e->len) {
		(void)snprintf(why, cap,
		    "should hold %llu bytes behind its first line and holds "
		    "%zu",
		    (unsigned long long)e->len, e->body.len);
		return E_DAMAGED;
	}
	if (ro_state_hash(e->body, e->generation) != e->hash) {
		(void)snprintf(why, cap, "does not fit its checksum");
		return E_DAMAGED;
	}
	return E_OK;
}

int
ro_state_read(struct str text, struct ro_state *out, char *why, size_t cap)
{
	struct envelope e;
	struct json *j;
	char detail[160];
	int rc;

	if (!open_envelope(text, &e)) {
		(void)snprintf(why, cap,
		    "does not begin with the line \"segue-state %d "
		    "GENERATION LENGTH HASH\"",
		    RO_STATE_FORMAT);
		return E_DAMAGED;
	}
	rc = check_envelope(&e, why, cap);
	if (rc != E_OK)
		return rc;
	j = json_read(e.body, detail, sizeof(detail));
	if (j == NULL) {
		(void)snprintf(why, cap, "is no JSON: %s", detail);
		return E_DAMAGED;
	}
	rc = read_body(j, out);
	out->generation = e.generation;
	json_free(&j);
	if (rc != E_OK)
		(void)snprintf(why, cap, "%s",
		    rc == E_DAMAGED ? "lacks a value or holds an impossible one"
		                    : "needs more memory than there is");
	return rc;
}

/* ---- the file ---- */

/*
 * A crash while the file was replaced leaves the new one beside it under its
 * temporary name; only one process at a time writes here.
 */
static void
sweep(const char *path)
{
	const char *base = strrchr(path, '/');
	struct buf prefix = BUF_INIT;
	struct dirent *e;
	DIR *dir;

	if (base == NULL)
		return;
	buf_add(&prefix, path, (size_t)(base - path));
	buf_add_char(&prefix, '/');
	dir = prefix.failed ? NULL : opendir(prefix.p);
	buf_reset(&prefix);
	buf_printf(&prefix, "%s.new.", base + 1);
	while (dir != NULL && !prefix.failed && (e = readdir(dir)) != NULL)
		if (str_starts(str_of(e->d_name), buf_str(&prefix)))
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	buf_free(&prefix);
}

static void
explain(int rc, const char *path, const char *detail, char *why, size_t cap)
{
	static const char no_guess[] =
	    "segued does not guess which pool serves.";

	if (rc == E_DAMAGED)
		(void)snprintf(why, cap,
		    "%s: the state file is damaged: it %s.  %s  Put back a "
		    "good copy, or begin with the configuration's shares "
		    "after  mv %s %s.damaged",
		    path, detail, no_guess, path, path);
	else if (rc == E_UNSUPPORTED)
		(void)snprintf(why, cap,
		    "%s: the state file is of a later segued: it %s.  %s  "
		    "Start the later version, or begin with the "
		    "configuration's shares after  mv %s %s.later",
		    path, detail, no_guess, path, path);
	else
		(void)snprintf(why, cap,
		    "%s: the state file, or its journal (%s" JOURNAL_SUFFIX
		    "), cannot be read: %s.  %s  Mend their access rights or "
		    "the disk, or begin with the configuration's shares after  "
		    "mv %s %s.unread",
		    path, path, err_text(rc), no_guess, path, path);
}

int
ro_state_load(const char *path, struct ro_state *out, char *why, size_t cap)
{
	struct buf text = BUF_INIT;
	char detail[256] = "";
	int rc;

	rc = journal_read(path, RO_STATE_BYTES_MAX, &text);
	if (rc == E_OK)
		rc = ro_state_read(buf_str(&text), out, detail, sizeof(detail));
	buf_free(&text);
	if (rc != E_OK && rc != E_NOENT)
		explain(rc, path, detail, why, cap);
	else
		sweep(path);
	return rc;
}
