/*
 * Writing the state file.
 */
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "rollout/state.h"
#include "rollout/steps.h"

#define HASH_SEED UINT64_C(0x57a7e)

static void
write_drain(struct json_out *j, const struct ro_drain *d)
{
	json_begin_object(j);
	json_kv_cstr(j, "mode", ro_drain_mode_name(d->mode));
	json_kv_u64(j, "began_us", d->began_us);
	json_kv_u64(j, "closed_us", d->closed_us);
	json_kv_u64(j, "flows_us", d->flows_us);
	json_kv_u64(j, "requests_us", d->requests_us);
	json_kv_u64(j, "streams_us", d->streams_us);
	json_end_object(j);
}

static void
write_pool(struct json_out *j, const struct ro_pool *p)
{
	json_begin_object(j);
	json_kv_cstr(j, "name", p->name);
	json_kv_cstr(j, "state", pool_state_name(p->state));
	json_kv_u64(j, "share_bp", p->share_bp);
	json_kv_u64(j, "min_epoch", p->min_epoch);
	if (p->move_epoch != 0)
		json_kv_u64(j, "move_epoch", p->move_epoch);
	if (p->pins_to[0] != '\0')
		json_kv_cstr(j, "pins_to", p->pins_to);
	json_kv_u64(j, "since_us", p->since_us);
	json_kv_u64(j, "print", p->print);
	if (p->state == POOL_DRAINING) {
		json_key(j, "drain");
		write_drain(j, &p->drain);
	}
	json_end_object(j);
}

static void
write_step(struct json_out *j, const struct ro_step *s)
{
	json_begin_object(j);
	json_kv_cstr(j, "step", steps_kind_name((enum cfg_step_kind)s->kind));
	json_kv_cstr(j, "name", s->name);
	json_kv_u64(j, "share_bp", s->share_bp);
	json_kv_u64(j, "for_us", s->for_us);
	json_kv_u64(j, "deadline_us", s->deadline_us);
	json_kv_u64(j, "errors_pct", s->errors_pct);
	json_kv_u64(j, "slower_pct", s->slower_pct);
	json_kv_u64(j, "logins_pct", s->logins_pct);
	json_kv_u64(j, "requests", s->requests);
	json_kv_bool(j, "writes_only", s->writes_only);
	json_kv_bool(j, "no_return", s->no_return);
	json_kv_u64(j, "only", s->only);
	json_kv_u64(j, "by", s->by);
	json_kv_bool(j, "surge", s->surge);
	if (s->kind == CFG_STEP_WINDOW) {
		json_kv_u64(j, "from", s->from);
		json_kv_u64(j, "until", s->until);
		json_kv_u64(j, "below", s->below);
	}
	json_kv_u64(j, "lasted_us", s->lasted_us);
	if (steps_has_job(s)) {
		json_kv_cstr(j, "job", s->job);
		json_kv_cstr(j, "once",
		    steps_once_name((enum cfg_once)s->once));
		json_key(j, "exit");
		json_i64(j, s->exit);
		json_kv_u64(j, "took_us", s->took_us);
		json_kv_cstr(j, "said", s->said);
		json_kv_bool(j, "rehearse", s->rehearse);
	} else if (s->said[0] != '\0') {
		json_kv_cstr(j, "said", s->said);
	}
	json_end_object(j);
}

void
ro_count_write(struct json_out *j, const struct ro_count *c)
{
	json_begin_object(j);
	json_kv_u64(j, "process_us", c->process_us);
	json_kv_bool(j, "holds", c->holds);
	json_kv_u64(j, "accepted", c->accepted);
	json_kv_u64(j, "in_flight", c->in_flight);
	for (int i = 0; i < CLASS_COUNT; i++)
		json_kv_u64(j, account_class_name((enum account_class)i),
		    c->class[i]);
	json_kv_u64(j, "refused", c->refused);
	json_kv_u64(j, "retries", c->retries);
	json_kv_u64(j, "held", c->held);
	json_kv_u64(j, "released", c->released);
	json_kv_u64(j, "moved", c->moved);
	for (int i = 0; i < STREAM_END_COUNT; i++)
		json_kv_u64(j, stream_end_name((enum stream_end)i),
		    c->streams[i]);
	json_key(j, "pools");
	json_begin_array(j);
	for (size_t i = 0; i < c->n_pools; i++) {
		json_begin_object(j);
		json_kv_cstr(j, "pool", c->pools[i].pool);
		json_kv_u64(j, "requests", c->pools[i].toll.requests);
		json_kv_u64(j, "bad", c->pools[i].toll.bad);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

static void
write_tolls(struct json_out *j, const struct ro_toll *t, size_t n)
{
	json_begin_array(j);
	for (size_t i = 0; i < n; i++) {
		json_u64(j, t[i].requests);
		json_u64(j, t[i].bad);
	}
	json_end_array(j);
}

static void
write_timeline(struct json_out *j, const struct ro_rollout *r)
{
	const struct ro_timeline *t = &r->timeline;

	json_key(j, "timeline");
	json_begin_object(j);
	json_kv_u64(j, "process_us", t->process_us);
	json_kv_u64(j, "piece_us", t->piece_us);
	json_kv_u64(j, "gaps", t->gaps);
	json_key(j, "seen");
	write_tolls(j, t->seen, r->base.n_pools);
	json_key(j, "pieces");
	json_begin_array(j);
	for (size_t i = 0; i < t->n; i++)
		write_tolls(j, t->pieces[i], r->base.n_pools);
	json_end_array(j);
	json_end_object(j);
}

static void
write_past(struct json_out *j, const struct ro_service *s)
{
	json_key(j, "past");
	json_begin_array(j);
	for (size_t i = 0; i < s->n_past; i++) {
		const struct ro_past *p = &s->past[i];

		json_begin_object(j);
		json_kv_u64(j, "id", p->id);
		json_kv_cstr(j, "stand",
		    steps_stand_name((enum ro_stand)p->stand));
		json_kv_bool(j, "rehearsal", p->rehearsal);
		json_kv_cstr(j, "to", p->to);
		json_kv_cstr(j, "version", p->version);
		json_kv_cstr(j, "who", p->who);
		json_kv_cstr(j, "why", p->why);
		json_kv_u64(j, "began_us", p->began_us);
		json_kv_u64(j, "ended_us", p->ended_us);
		json_kv_u64(j, "held_us", p->held_us);
		json_kv_u64(j, "accepted", p->accepted);
		json_kv_u64(j, "fault", p->fault);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
write_before(struct json_out *j, const struct ro_rollout *r)
{
	json_key(j, "before");
	json_begin_array(j);
	for (size_t i = 0; i < r->n_before; i++) {
		json_begin_object(j);
		json_kv_cstr(j, "pool", r->before[i].pool);
		json_kv_u64(j, "share_bp", r->before[i].share_bp);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
write_roll(struct json_out *j, const struct ro_roll *r)
{
	json_key(j, "roll");
	json_begin_object(j);
	json_kv_cstr(j, "phase",
	    steps_phase_name((enum ro_roll_phase)r->phase));
	json_kv_cstr(j, "now", r->now);
	json_kv_cstr(j, "last", r->last);
	json_kv_cstr(j, "spare", r->spare);
	json_kv_u64(j, "since_us", r->since_us);
	json_kv_u64(j, "done", r->done);
	json_end_object(j);
}

static void
write_rollout(struct json_out *j, const struct ro_rollout *r)
{
	json_key(j, "rollout");
	json_begin_object(j);
	json_kv_u64(j, "id", r->id);
	json_kv_cstr(j, "stand", steps_stand_name((enum ro_stand)r->stand));
	json_kv_u64(j, "on_failure", r->on_failure);
	json_kv_bool(j, "rehearsal", r->rehearsal);
	json_kv_bool(j, "entered", r->entered);
	json_kv_bool(j, "failed", r->failed);
	json_kv_bool(j, "moved", r->moved);
	json_kv_bool(j, "unknown", r->unknown);
	json_kv_u64(j, "runs", r->runs);
	json_kv_u64(j, "begun", r->begun);
	json_kv_u64(j, "ran", r->ran);
	json_kv_u64(j, "path", r->path);
	json_kv_bool(j, "partial", r->partial);
	json_key(j, "base");
	ro_count_write(j, &r->base);
	json_key(j, "count");
	ro_count_write(j, &r->count);
	write_timeline(j, r);
	json_kv_cstr(j, "to", r->to);
	json_kv_cstr(j, "version", r->version);
	json_kv_u64(j, "print", r->print);
	json_kv_cstr(j, "who", r->who);
	json_kv_cstr(j, "why", r->why);
	json_kv_u64(j, "began_us", r->began_us);
	json_kv_u64(j, "ended_us", r->ended_us);
	json_kv_u64(j, "since_us", r->since_us);
	json_kv_u64(j, "paused_us", r->paused_us);
	json_kv_u64(j, "hold_until_us", r->hold_until_us);
	json_kv_u64(j, "held_us", r->held_us);
	json_key(j, "clocks");
	write_drain(j, &r->clocks);
	write_before(j, r);
	json_kv_u64(j, "at", r->at);
	json_kv_u64(j, "skipped", r->skipped);
	write_roll(j, &r->roll);
	json_key(j, "steps");
	json_begin_array(j);
	for (size_t i = 0; i < r->n_steps; i++)
		write_step(j, &r->steps[i]);
	json_end_array(j);
	json_end_object(j);
}

static void
write_done(struct json_out *j, const struct ro_service *s)
{
	json_key(j, "done");
	json_begin_array(j);
	for (size_t i = 0; i < s->n_done; i++) {
		json_begin_object(j);
		json_kv_cstr(j, "job", s->done[i].job);
		json_kv_cstr(j, "version", s->done[i].version);
		json_kv_u64(j, "when_us", s->done[i].when_us);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
write_orders(struct json_out *j, const struct ro_service *s)
{
	char id[STR_HEX64_MAX];

	if (s->n_orders == 0)
		return;
	json_key(j, "orders");
	json_begin_array(j);
	for (size_t i = 0; i < s->n_orders; i++) {
		const struct ro_order *o = &s->orders[i];

		json_begin_object(j);
		json_kv_cstr(j, "session", str_put_hex64(o->session, id));
		json_kv_u64(j, "given_us", o->given_us);
		json_kv_u64(j, "epoch", o->epoch);
		json_kv_bool(j, "evict", o->how == PINS_EVICT);
		if (o->to != 0)
			json_kv_cstr(j, "to", s->pools[o->to - 1].name);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
write_service(struct json_out *j, const struct ro_service *s)
{
	json_begin_object(j);
	json_kv_cstr(j, "name", s->name);
	json_kv_u64(j, "epoch", s->epoch);
	json_key(j, "pools");
	json_begin_array(j);
	for (size_t i = 0; i < s->n_pools; i++)
		write_pool(j, &s->pools[i]);
	json_end_array(j);
	if (s->pending.pool[0] != '\0') {
		json_key(j, "pending");
		json_begin_object(j);
		json_kv_cstr(j, "pool", s->pending.pool);
		json_kv_bool(j, "drain", s->pending.drain);
		json_key(j, "clocks");
		write_drain(j, &s->pending.clocks);
		json_end_object(j);
	}
	if (s->rollout.stand != RO_STAND_NONE)
		write_rollout(j, &s->rollout);
	json_kv_cstr(j, "hold", hold_name((enum hold)s->hold));
	json_kv_u64(j, "held_us", s->held_us);
	json_kv_u64(j, "path", s->path);
	json_kv_u64(j, "path_us", s->path_us);
	json_kv_cstr(j, "path_why", s->path_why);
	write_past(j, s);
	write_done(j, s);
	write_orders(j, s);
	json_end_object(j);
}

static void
write_plan(struct json_out *j, const struct instance_plan *p)
{
	json_begin_object(j);
	json_kv_cstr(j, "service", p->service);
	json_kv_cstr(j, "pool", p->pool);
	json_kv_cstr(j, "name", p->name);
	json_kv_cstr(j, "address", p->address);
	json_kv_u64(j, "weight", p->weight);
	json_kv_bool(j, "removed", p->removed);
	json_kv_cstr(j, "admin", inst_admin_name(p->admin));
	json_end_object(j);
}

static void
write_body(const struct ro_state *s, struct buf *out)
{
	struct json_out j;

	json_begin(&j, out);
	json_begin_object(&j);
	json_kv_u64(&j, "changed_us", s->changed_us);
	json_kv_cstr(&j, "changed_by", s->changed_by);
	if (s->driver != 0)
		json_kv_u64(&j, "driver", s->driver);
	json_key(&j, "services");
	json_begin_array(&j);
	for (size_t i = 0; i < s->n_services; i++)
		write_service(&j, &s->services[i]);
	json_end_array(&j);
	json_key(&j, "instances");
	json_begin_array(&j);
	for (size_t i = 0; i < s->n_instances; i++)
		write_plan(&j, &s->instances[i]);
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

/* The generation stands in the header only, so the hash covers it too. */
uint64_t
ro_state_hash(struct str body, uint64_t generation)
{
	return hash_bytes(body.p, body.len, HASH_SEED ^ generation);
}

void
ro_state_write(const struct ro_state *s, struct buf *out)
{
	struct buf body = BUF_INIT;

	write_body(s, &body);
	buf_printf(out, "segue-state %d %llu %zu %016llx\n", RO_STATE_FORMAT,
	    (unsigned long long)s->generation, body.len,
	    (unsigned long long)ro_state_hash(buf_str(&body), s->generation));
	buf_add_str(out, buf_str(&body));
	out->failed |= body.failed;
	buf_free(&body);
}

int
ro_state_text(const struct ro_state *s, struct buf *out)
{
	ro_state_write(s, out);
	if (out->failed)
		return E_NOMEM;
	return out->len > RO_STATE_BYTES_MAX ? E_TOOBIG : E_OK;
}

int
ro_state_save(const char *path, const struct ro_state *s)
{
	struct buf text = BUF_INIT;
	int rc = ro_state_text(s, &text);

	if (rc == E_OK)
		rc = file_replace(path, buf_str(&text), 0600);
	buf_free(&text);
	return rc;
}
