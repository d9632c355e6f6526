/*
 * To be agreed on: prepared, acknowledged, committed, followed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "rollout/cluster_int.h"
#include "store/bus.h"

#define ACK_US (500 * US_PER_MS)

/* Keys lease, state; the lease, the least version, text.  The version, or 0. */
static const char commit_script[] =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'0'} end\n"
    "local n = tonumber(redis.call('HGET', KEYS[2], 'version') or '0')\n"
    "if not n or n > 2 ^ 53 then n = 0 end\n"
    "if n < tonumber(ARGV[2]) then n = tonumber(ARGV[2]) end\n"
    "n = string.format('%.0f', n + 1)\n"
    "redis.call('HSET', KEYS[2], 'version', n, 'state', ARGV[3])\n"
    "return {n}\n";

static const char read_script[] =
    "local v = redis.call('HMGET', KEYS[1], 'version', 'state')\n"
    "return {v[1] or '0', v[2] or ''}\n";

/* ---- the state that others have made ---- */

static void
on_read(const struct str *v, size_t n, void *arg)
{
	struct cluster *c = arg;
	uint64_t version;

	c->reading = false;
	if (n < 2 || !str_u64(v[0], &version) || version > CLUSTER_NUMBER_MAX)
		return;
	if (version > c->newest)
		c->newest = version;
	if (version < c->version || (version == c->version && !c->diverged) ||
	    v[1].len == 0 || c->following || c->role == CLUSTER_LEADER)
		return;
	c->following = true;
	c->env.use.follow(v[1], version, c->in_touch, c->env.use.arg);
}

void
cluster_read_state(struct cluster *c)
{
	struct str key = str_of(c->state_key);

	if (c->reading || c->following)
		return;
	c->reading = true;
	bus_run(c->bus, read_script, &key, 1, 1, on_read, c);
}

void
cluster_followed(struct cluster *c, uint64_t version)
{
	c->following = c->diverged = false;
	c->version = version;
	if (version > c->newest)
		c->newest = version;
	if (c->newest == version && c->role != CLUSTER_ALONE)
		c->in_touch = true;
	if (c->newest > version && bus_is_up(c->bus))
		cluster_read_state(c); /* the next one came meanwhile */
}

void
cluster_diverged(struct cluster *c)
{
	c->diverged = true;
}

void
cluster_not_followed(struct cluster *c)
{
	c->following = false;
}

void
cluster_adopted(struct cluster *c)
{
	if (c->adopted == c->version)
		return;
	c->adopted = c->version;
	if (bus_is_up(c->bus))
		cluster_beat(c);
}

/* ---- to be agreed on ---- */

void
cluster_end_proposal(struct cluster *c, const char *why, bool unknown)
{
	struct proposal *p = &c->proposal;
	cluster_done_fn *done = p->done;

	if (why != NULL && strcmp(c->refused, why) != 0)
		log_warn("event=cluster_refuses why=\"%s\"", why);
	(void)snprintf(c->refused, sizeof(c->refused), "%s",
	    why == NULL ? "" : why);
	p->phase = PHASE_NONE;
	buf_free(&p->text);
	p->done = NULL;
	if (done != NULL)
		done(why, unknown, p->arg);
	c->env.use.look(c->env.use.arg);
}

static void
tell_commit(struct cluster *c, uint64_t id)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	cluster_say_begin(c, &j, &b, "commit");
	json_kv_u64(&j, "id", id);
	json_kv_u64(&j, "version", c->version);
	cluster_say(c, &j, &b);
}

static void
on_committed(const struct str *v, size_t n, void *arg)
{
	struct cluster *c = arg;
	uint64_t version;

	/* Another one is asked for since, or was given up: Redis was slow. */
	if (--c->commits > 0 || c->proposal.phase != PHASE_COMMIT)
		return;
	if (n != 1 || !str_u64(v[0], &version) ||
	    version > CLUSTER_NUMBER_MAX ||
	    (version != 0 && version <= c->version)) {
		cluster_end_proposal(c,
		    "Redis has not answered: nobody knows whether the cluster "
		    "has it; \"segue cluster status\" will show",
		    true);
		return;
	}
	if (version == 0) {
		/* First that: a role that is lost ends it as unknown. */
		cluster_end_proposal(c,
		    "another proxy leads the cluster now; nothing was changed",
		    false);
		cluster_be(c, CLUSTER_FOLLOWER, "");
		return;
	}
	c->version = c->newest = version;
	c->diverged = false;
	c->committed_us = cluster_now();
	tell_commit(c, c->proposal.id);
	cluster_end_proposal(c, NULL, false);
}

static void
commit(struct cluster *c)
{
	char least[24];
	struct str words[] = { str_of(c->lease_key), str_of(c->state_key),
		str_of(c->lease), { NULL, 0 }, buf_str(&c->proposal.text) };

	words[3] = str_from(least,
	    (size_t)snprintf(least, sizeof(least), "%" PRIu64, c->version));
	c->proposal.phase = PHASE_COMMIT;
	c->commits++;
	bus_run(c->bus, commit_script, words, 2, 5, on_committed, c);
}

static bool
is_waited_for(const struct member *m)
{
	return !m->away && !m->acked && m->role != CLUSTER_ALONE;
}

/* Have all that are there said yes, or is it too late for them? */
void
cluster_look_at_acks(struct cluster *c)
{
	struct proposal *p = &c->proposal;
	bool late = cluster_now() >= p->due_us;
	char why[CLUSTER_WHY_MAX];
	struct member *m;

	if (p->phase != PHASE_ACKS)
		return;
	TAILQ_FOREACH (m, &c->members, link) {
		bool block = c->cfg->absent == CFG_ABSENT_BLOCK && !p->force;

		if (m->acked || (!is_waited_for(m) && !block))
			continue;
		if (!late && !m->away)
			return;
		if (block) {
			(void)snprintf(why, sizeof(why),
			    "proxy %.64s has not acknowledged it; nothing was "
			    "changed (cluster.absent is block; force goes on "
			    "without it)",
			    m->name);
			cluster_end_proposal(c, why, false);
			return;
		}
	}
	commit(c);
}

static void
ask_others(struct cluster *c)
{
	struct buf b = BUF_INIT;
	struct json_out j;
	struct member *m;

	TAILQ_FOREACH (m, &c->members, link)
		m->acked = false;
	cluster_say_begin(c, &j, &b, "prepare");
	json_kv_u64(&j, "id", c->proposal.id);
	json_kv_str(&j, "state", buf_str(&c->proposal.text));
	cluster_say(c, &j, &b);
}

void
cluster_propose(struct cluster *c, struct str text, bool force,
    cluster_done_fn *done, void *arg)
{
	struct proposal *p = &c->proposal;

	if (c->role != CLUSTER_LEADER || p->phase != PHASE_NONE) {
		if (done != NULL)
			done(
			    "this proxy does not lead the cluster now; nothing "
			    "was changed",
			    false, arg);
		return;
	}
	*p = (struct proposal){ .phase = PHASE_ACKS,
		.id = ++c->ids,
		.force = force,
		.due_us = cluster_now() + ACK_US,
		.done = done,
		.arg = arg };
	buf_add_str(&p->text, text);
	if (p->text.failed) {
		cluster_end_proposal(c, err_text(E_NOMEM), false);
		return;
	}
	if (!TAILQ_EMPTY(&c->members))
		ask_others(c);
	cluster_look_at_acks(c);
}

/* What Redis has lost, or has not had yet, it gets. */
void
cluster_propose_present(struct cluster *c)
{
	struct buf b = BUF_INIT;

	if (c->proposal.phase != PHASE_NONE)
		return;
	c->env.use.state(&b, c->env.use.arg);
	if (!b.failed && b.len > 0)
		cluster_propose(c, buf_str(&b), true, NULL, NULL);
	buf_free(&b);
}

/* ---- what a leader says ---- */

static void
answer_prepare(struct cluster *c, const char *to, uint64_t id, bool ok,
    const char *why)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	cluster_say_begin(c, &j, &b, "ack");
	json_kv_cstr(&j, "to", to);
	json_kv_u64(&j, "id", id);
	json_kv_bool(&j, "ok", ok);
	json_kv_cstr(&j, "why", ok ? "" : why);
	cluster_say(c, &j, &b);
}

void
cluster_hear_prepare(struct cluster *c, const char *boot,
    const struct json *doc)
{
	struct str text = str_of(json_get_text(doc, "state", ""));
	char why[CLUSTER_WHY_MAX] = "";
	bool ok = c->env.use.fits(text, why, c->env.use.arg);

	buf_reset(&c->prepared);
	if (ok)
		buf_add_str(&c->prepared, text);
	ok = ok && !c->prepared.failed;
	if (!ok)
		buf_free(&c->prepared);
	c->prepared_id = cluster_number(doc, "id");
	(void)str_copy(str_of(boot), c->prepared_by, sizeof(c->prepared_by));
	answer_prepare(c, boot, c->prepared_id, ok, why);
}

void
cluster_hear_ack(struct cluster *c, const char *boot, const struct json *doc)
{
	struct proposal *p = &c->proposal;
	struct member *m = cluster_member_of(c, boot);
	char why[CLUSTER_WHY_MAX];

	if (m == NULL || p->phase != PHASE_ACKS ||
	    strcmp(json_get_text(doc, "to", ""), c->boot) != 0 ||
	    cluster_number(doc, "id") != p->id)
		return;
	m->acked = true;
	if (!json_get_truth(doc, "ok", false) && !p->force) {
		(void)snprintf(why, sizeof(why),
		    "proxy %.64s: %.120s; nothing was changed", m->name,
		    json_get_text(doc, "why", ""));
		cluster_end_proposal(c, why, false);
		return;
	}
	cluster_look_at_acks(c);
}

void
cluster_hear_commit(struct cluster *c, const char *boot, const struct json *doc)
{
	uint64_t version = cluster_number(doc, "version");

	if (!cluster_is_leader(c, boot))
		return; /* the look at the lease will tell */
	if (version > c->newest)
		c->newest = version;
	if (c->role == CLUSTER_LEADER || version <= c->version)
		return;
	if (c->following || c->prepared.len == 0 ||
	    cluster_number(doc, "id") != c->prepared_id ||
	    strcmp(boot, c->prepared_by) != 0) {
		cluster_read_state(c);
		return;
	}
	c->following = true;
	c->env.use.follow(buf_str(&c->prepared), version, c->in_touch,
	    c->env.use.arg);
	buf_free(&c->prepared);
}
