#include "rollout/cluster.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "config/config.h"
#include "net/loop.h"
#include "store/bus.h"
#include "store/store.h"

#define TICK_US (50 * US_PER_MS)
#define BEAT_US (250 * US_PER_MS)  /* between two words of each member */
#define LEASE_US (500 * US_PER_MS) /* between two looks at the lease */
#define HEAR_US (600 * US_PER_MS)  /* who else is there, before one leads */
#define ACK_US (500 * US_PER_MS)
#define FOLLOW_US (5 * US_PER_S) /* then a member that has said yes lags */
#define RESULT_US (24 * 3600 * US_PER_S)
#define BOOT_MAX 20

#define X(id, name) [CLUSTER_##id] = (name),
static const char *const role_names[] = { CLUSTER_ROLES(X) };
#undef X

const char *
cluster_role_name(enum cluster_role r)
{
	return role_names[r];
}

/* ---- what Redis runs ---- */

/*
 * Takes the lease, or makes it last longer: keys lease, number, state; who,
 * ms, may it be taken.  Returns who has it, with the number, or nothing; the
 * version of the state.
 */
static const char lease_script[] =
    "local v = redis.call('GET', KEYS[1])\n"
    "local mine = v and string.sub(v, 1, #ARGV[1] + 1) == ARGV[1] .. ' '\n"
    "if not v and ARGV[3] == '1' then\n"
    "  v = ARGV[1] .. ' ' .. redis.call('INCR', KEYS[2])\n"
    "  mine = true\n"
    "end\n"
    "if mine then redis.call('SET', KEYS[1], v, 'PX', ARGV[2]) end\n"
    "return {v or '', redis.call('HGET', KEYS[3], 'version') or '0'}\n";

/* Keys lease, state; the lease, the least version, text.  The version, or 0. */
static const char commit_script[] =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'0'} end\n"
    "local n = tonumber(redis.call('HGET', KEYS[2], 'version') or '0')\n"
    "if n < tonumber(ARGV[2]) then n = tonumber(ARGV[2]) end\n"
    "n = string.format('%.0f', n + 1)\n"
    "redis.call('HSET', KEYS[2], 'version', n, 'state', ARGV[3])\n"
    "return {n}\n";

static const char read_script[] =
    "local v = redis.call('HMGET', KEYS[1], 'version', 'state')\n"
    "return {v[1] or '0', v[2] or ''}\n";

/* Gives the lease back, if it is ours. */
static const char leave_script[] =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then\n"
    "  redis.call('DEL', KEYS[1])\n"
    "end\n"
    "return {'1'}\n";

/* ---- who is there ---- */

struct member {
	TAILQ_ENTRY(member) link;
	char name[CLUSTER_NAME_MAX], boot[BOOT_MAX];
	uint64_t heard_us; /* monotonic */
	bool away, lags, acked, left;
	enum cluster_role role;
	uint64_t print, version, in_flight;
	struct json *doc; /* owned: its last word */
};

/* A command that was given on to the leader. */
struct forwarded {
	TAILQ_ENTRY(forwarded) link;
	uint64_t id;
	char leader[BOOT_MAX];
	cluster_result_fn *fn;
	void *arg;
};

enum phase { PHASE_NONE, PHASE_ACKS, PHASE_COMMIT };

/* What is being agreed on. */
struct proposal {
	enum phase phase;
	uint64_t id;
	struct buf text;
	bool force;
	uint64_t due_us;       /* of the acknowledgements */
	cluster_done_fn *done; /* NULL: nobody asks */
	void *arg;
};

struct cluster {
	struct cluster_env env;
	const struct cfg_cluster *cfg;
	struct bus *bus;
	struct alarm *tick;
	char name[CLUSTER_NAME_MAX], boot[BOOT_MAX];
	char channel[256], lease_key[272], number_key[272], state_key[272];
	uint64_t print;
	TAILQ_HEAD(, member) members; /* the others */
	size_t n_members;
	TAILQ_HEAD(, forwarded) forwarded;
	cluster_command_fn *command;
	void *command_arg;
	enum cluster_role role;
	uint64_t role_since_us; /* wall clock */
	char why[CLUSTER_WHY_MAX];
	char
	    lease[CLUSTER_NAME_MAX + BOOT_MAX + 24]; /* ours, with its number */
	char leader[CLUSTER_NAME_MAX + BOOT_MAX];    /* "NAME/BOOT", or empty */
	char leader_name[CLUSTER_NAME_MAX];
	uint64_t lease_us; /* monotonic: it is ours until then */
	uint64_t asked_us; /* ... when the lease was last asked for */
	bool asking;       /* ... and was not answered yet */
	uint64_t up_us;    /* the bus is up since; 0: it is not */
	uint64_t heard_us; /* our own word last came back */
	uint64_t beat_us;  /* ... was sent */
	uint64_t version;  /* of our state in memory; 0: none is agreed on */
	uint64_t adopted;  /* ... that our workers route by */
	uint64_t newest;   /* committed, as far as we know */
	uint64_t committed_us; /* monotonic: when we have committed it */
	bool reading, following;
	uint64_t prepared_id; /* what a leader has asked about last */
	char prepared_by[BOOT_MAX];
	struct buf prepared;
	struct proposal proposal;
	uint64_t ids;
};

static uint64_t
now(void)
{
	return clock_mono_us();
}

static void be(struct cluster *, enum cluster_role, const char *why);
static void commit(struct cluster *);

/* ---- words ---- */

static void
begin(struct cluster *c, struct json_out *j, struct buf *b, const char *type)
{
	json_begin(j, b);
	json_begin_object(j);
	json_kv_cstr(j, "type", type);
	json_kv_cstr(j, "boot", c->boot);
}

static void
tell(struct cluster *c, struct json_out *j, struct buf *b)
{
	json_end_object(j);
	if (!b->failed)
		bus_tell(c->bus, buf_str(b));
	buf_free(b);
}

/* How we are. */
static void
beat(struct cluster *c)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	begin(c, &j, &b, "beat");
	json_kv_cstr(&j, "member", c->name);
	json_kv_cstr(&j, "role", cluster_role_name(c->role));
	json_kv_u64(&j, "version", c->adopted);
	json_kv_u64(&j, "print", c->print);
	c->env.use.counts(&j, c->env.use.arg);
	tell(c, &j, &b);
	c->beat_us = now();
}

/* ---- members ---- */

static struct member *
member_of(struct cluster *c, const char *boot)
{
	struct member *m;

	TAILQ_FOREACH (m, &c->members, link)
		if (strcmp(m->boot, boot) == 0)
			return m;
	return NULL;
}

static void
forget(struct cluster *c, struct member *m)
{
	TAILQ_REMOVE(&c->members, m, link);
	c->n_members--;
	json_free(&m->doc);
	free(m);
}

/* One of that name that has been started anew takes the place of its like. */
static struct member *
member_new(struct cluster *c, const char *name, const char *boot)
{
	struct member *m, *next;

	for (m = TAILQ_FIRST(&c->members); m != NULL; m = next) {
		next = TAILQ_NEXT(m, link);
		if (strcmp(m->name, name) == 0 && m->away)
			forget(c, m);
	}
	if (c->n_members == CLUSTER_MEMBERS_MAX)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return NULL;
	(void)str_copy(str_of(name), m->name, sizeof(m->name));
	(void)str_copy(str_of(boot), m->boot, sizeof(m->boot));
	TAILQ_INSERT_TAIL(&c->members, m, link);
	c->n_members++;
	log_info("event=cluster_member name=%s", m->name);
	if (strcmp(name, c->name) == 0)
		log_error("event=cluster_twin name=%s "
		          "text=\"another proxy has the same name\"",
		    name);
	return m;
}

static enum cluster_role
role_of(const char *name)
{
	for (int r = 0; r < CLUSTER_ROLE_COUNT; r++)
		if (strcmp(role_names[r], name) == 0)
			return (enum cluster_role)r;
	return CLUSTER_ALONE;
}

static uint64_t
number(const struct json *j, const char *key)
{
	return (uint64_t)json_get_int(j, key, 0);
}

static void
hear_beat(struct cluster *c, const char *boot, struct json **doc)
{
	const char *name = json_get_text(*doc, "member", "");
	struct member *m = member_of(c, boot);

	if (m == NULL && name[0] != '\0')
		m = member_new(c, name, boot);
	if (m == NULL)
		return;
	if (m->away)
		log_info("event=cluster_member_back name=%s", m->name);
	m->away = false;
	m->heard_us = now();
	m->role = role_of(json_get_text(*doc, "role", ""));
	m->version = number(*doc, "version");
	m->print = number(*doc, "print");
	m->in_flight = number(*doc, "in_flight");
	m->lags = m->lags && m->version < c->newest;
	json_free(&m->doc);
	m->doc = *doc;
	*doc = NULL;
	if (m->role == CLUSTER_LEADER && m->version > c->newest)
		c->newest = m->version;
	c->env.use.look(c->env.use.arg);
}

static void
look_for_silent(struct cluster *c)
{
	struct member *m;

	TAILQ_FOREACH (m, &c->members, link) {
		if (m->away || now() - m->heard_us < c->cfg->timeout_us)
			continue;
		m->away = true;
		log_warn("event=cluster_member_away name=%s", m->name);
		c->env.use.look(c->env.use.arg);
	}
}

/* ---- the state that others have made ---- */

static void
on_read(const struct str *v, size_t n, void *arg)
{
	struct cluster *c = arg;
	uint64_t version;

	c->reading = false;
	if (n < 2 || !str_u64(v[0], &version))
		return;
	if (version > c->newest)
		c->newest = version;
	if (version <= c->version || v[1].len == 0 || c->following ||
	    c->role == CLUSTER_LEADER)
		return;
	c->following = true;
	c->env.use.follow(v[1], version, c->env.use.arg);
}

static void
read_state(struct cluster *c)
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
	c->following = false;
	c->version = version;
	if (version > c->newest)
		c->newest = version;
	if (c->newest > version && bus_is_up(c->bus))
		read_state(c); /* the next one came meanwhile */
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
		beat(c);
}

bool
cluster_all_adopted(const struct cluster *c)
{
	const struct member *m;

	if (c->role != CLUSTER_LEADER)
		return true;
	TAILQ_FOREACH (m, &c->members, link)
		if (!m->away && !m->lags && m->version < c->version)
			return false;
	return true;
}

/* Who has said yes and does not follow is not waited for any more. */
static void
look_for_laggards(struct cluster *c)
{
	struct member *m;

	if (c->role != CLUSTER_LEADER || now() - c->committed_us < FOLLOW_US)
		return;
	TAILQ_FOREACH (m, &c->members, link) {
		if (m->away || m->lags || m->version >= c->version)
			continue;
		m->lags = true;
		log_warn("event=cluster_member_lags name=%s", m->name);
		c->env.use.look(c->env.use.arg);
	}
}

/* ---- to be agreed on ---- */

static void
end_proposal(struct cluster *c, const char *why)
{
	struct proposal *p = &c->proposal;
	cluster_done_fn *done = p->done;

	p->phase = PHASE_NONE;
	buf_free(&p->text);
	p->done = NULL;
	if (done != NULL)
		done(why, p->arg);
	c->env.use.look(c->env.use.arg);
}

static void
tell_commit(struct cluster *c, uint64_t id)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	begin(c, &j, &b, "commit");
	json_kv_u64(&j, "id", id);
	json_kv_u64(&j, "version", c->version);
	tell(c, &j, &b);
}

static void
on_committed(const struct str *v, size_t n, void *arg)
{
	struct cluster *c = arg;
	uint64_t version;

	if (c->proposal.phase != PHASE_COMMIT)
		return;
	if (n != 1 || !str_u64(v[0], &version)) {
		end_proposal(c,
		    "Redis has not answered: nobody knows whether the cluster "
		    "has it; \"segue cluster status\" will show");
		return;
	}
	if (version == 0) {
		be(c, CLUSTER_FOLLOWER, "");
		end_proposal(c,
		    "another proxy leads the cluster now; nothing was changed");
		return;
	}
	c->version = c->newest = version;
	c->committed_us = now();
	tell_commit(c, c->proposal.id);
	end_proposal(c, NULL);
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
	bus_run(c->bus, commit_script, words, 2, 5, on_committed, c);
}

static bool
is_waited_for(const struct member *m)
{
	return !m->away && !m->acked && m->role != CLUSTER_ALONE;
}

/* Have all that are there said yes, or is it too late for them? */
static void
look_at_acks(struct cluster *c)
{
	struct proposal *p = &c->proposal;
	bool late = now() >= p->due_us;
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
			end_proposal(c, why);
			return;
		}
		m->lags = true;
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
	begin(c, &j, &b, "prepare");
	json_kv_u64(&j, "id", c->proposal.id);
	json_kv_str(&j, "state", buf_str(&c->proposal.text));
	tell(c, &j, &b);
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
			    arg);
		return;
	}
	*p = (struct proposal){ .phase = PHASE_ACKS,
		.id = ++c->ids,
		.force = force,
		.due_us = now() + ACK_US,
		.done = done,
		.arg = arg };
	buf_add_str(&p->text, text);
	if (p->text.failed) {
		end_proposal(c, err_text(E_NOMEM));
		return;
	}
	if (!TAILQ_EMPTY(&c->members))
		ask_others(c);
	look_at_acks(c);
}

/* What Redis has lost, or has not had yet, it gets. */
static void
propose_present(struct cluster *c)
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

	begin(c, &j, &b, "ack");
	json_kv_cstr(&j, "to", to);
	json_kv_u64(&j, "id", id);
	json_kv_bool(&j, "ok", ok);
	json_kv_cstr(&j, "why", why);
	tell(c, &j, &b);
}

static void
hear_prepare(struct cluster *c, const char *boot, const struct json *doc)
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
	c->prepared_id = number(doc, "id");
	(void)str_copy(str_of(boot), c->prepared_by, sizeof(c->prepared_by));
	answer_prepare(c, boot, c->prepared_id, ok, why);
}

static void
hear_ack(struct cluster *c, const char *boot, const struct json *doc)
{
	struct proposal *p = &c->proposal;
	struct member *m = member_of(c, boot);
	char why[CLUSTER_WHY_MAX];

	if (m == NULL || p->phase != PHASE_ACKS ||
	    strcmp(json_get_text(doc, "to", ""), c->boot) != 0 ||
	    number(doc, "id") != p->id)
		return;
	m->acked = true;
	if (!json_get_truth(doc, "ok", false) && !p->force) {
		(void)snprintf(why, sizeof(why),
		    "proxy %.64s: %.120s; nothing was changed", m->name,
		    json_get_text(doc, "why", ""));
		end_proposal(c, why);
		return;
	}
	look_at_acks(c);
}

static void
hear_commit(struct cluster *c, const char *boot, const struct json *doc)
{
	uint64_t version = number(doc, "version");

	if (version > c->newest)
		c->newest = version;
	if (c->role == CLUSTER_LEADER || version <= c->version)
		return;
	if (c->following || c->prepared.len == 0 ||
	    number(doc, "id") != c->prepared_id ||
	    strcmp(boot, c->prepared_by) != 0) {
		read_state(c);
		return;
	}
	c->following = true;
	c->env.use.follow(buf_str(&c->prepared), version, c->env.use.arg);
	buf_free(&c->prepared);
}

/* ---- commands ---- */

static const char *
leader_boot(const struct cluster *c)
{
	const char *slash = strrchr(c->leader, '/');

	return slash == NULL ? "" : slash + 1;
}

uint64_t
cluster_forward(struct cluster *c, struct str body, const char *who,
    cluster_result_fn *fn, void *arg)
{
	struct forwarded *f = calloc(1, sizeof(*f));
	struct buf b = BUF_INIT;
	struct json_out j;

	if (f == NULL)
		return 0;
	f->id = ++c->ids;
	f->fn = fn;
	f->arg = arg;
	(void)str_copy(str_of(leader_boot(c)), f->leader, sizeof(f->leader));
	TAILQ_INSERT_TAIL(&c->forwarded, f, link);
	begin(c, &j, &b, "command");
	json_kv_cstr(&j, "to", f->leader);
	json_kv_cstr(&j, "member", c->name);
	json_kv_u64(&j, "id", f->id);
	json_kv_str(&j, "body", body);
	json_kv_cstr(&j, "who", who);
	tell(c, &j, &b);
	return f->id;
}

static void
end_forwarded(struct cluster *c, struct forwarded *f, unsigned status,
    struct str body)
{
	TAILQ_REMOVE(&c->forwarded, f, link);
	f->fn(status, body, f->arg);
	free(f);
}

static struct forwarded *
find_forwarded(struct cluster *c, uint64_t id)
{
	struct forwarded *f;

	TAILQ_FOREACH (f, &c->forwarded, link)
		if (f->id == id)
			return f;
	return NULL;
}

void
cluster_forget(struct cluster *c, uint64_t id)
{
	struct forwarded *f = find_forwarded(c, id);

	if (f == NULL)
		return;
	TAILQ_REMOVE(&c->forwarded, f, link);
	free(f);
}

/* The leader that they were given to does not lead any more. */
static void
end_orphans(struct cluster *c)
{
	struct forwarded *f, *next;

	for (f = TAILQ_FIRST(&c->forwarded); f != NULL; f = next) {
		next = TAILQ_NEXT(f, link);
		if (c->role != CLUSTER_FOLLOWER ||
		    strcmp(f->leader, leader_boot(c)) != 0)
			end_forwarded(c, f, 0, (struct str){ NULL, 0 });
	}
}

void
cluster_on_command(struct cluster *c, cluster_command_fn *fn, void *arg)
{
	c->command = fn;
	c->command_arg = arg;
}

void
cluster_answer(struct cluster *c, const struct cluster_from *to,
    unsigned status, struct str body)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	begin(c, &j, &b, "result");
	json_kv_cstr(&j, "to", to->boot);
	json_kv_u64(&j, "id", to->id);
	json_kv_u64(&j, "status", status);
	json_kv_str(&j, "body", body);
	tell(c, &j, &b);
}

static void
hear_command(struct cluster *c, const char *boot, const struct json *doc)
{
	struct cluster_from from = { .id = number(doc, "id") };

	if (strcmp(json_get_text(doc, "to", ""), c->boot) != 0 ||
	    c->command == NULL)
		return;
	(void)str_copy(str_of(json_get_text(doc, "member", "")), from.member,
	    sizeof(from.member));
	(void)str_copy(str_of(boot), from.boot, sizeof(from.boot));
	c->command(&from, str_of(json_get_text(doc, "body", "")),
	    json_get_text(doc, "who", ""), c->command_arg);
}

static void
hear_result(struct cluster *c, const struct json *doc)
{
	struct forwarded *f = find_forwarded(c, number(doc, "id"));

	if (f != NULL && strcmp(json_get_text(doc, "to", ""), c->boot) == 0)
		end_forwarded(c, f, (unsigned)number(doc, "status"),
		    str_of(json_get_text(doc, "body", "")));
}

/* ---- hearing ---- */

static void
hear_bye(struct cluster *c, const char *boot)
{
	struct member *m = member_of(c, boot);

	if (m == NULL)
		return;
	log_info("event=cluster_member_left name=%s", m->name);
	forget(c, m);
	look_at_acks(c);
	c->env.use.look(c->env.use.arg);
}

static void
hear(struct cluster *c, const char *type, const char *boot, struct json **doc)
{
	if (strcmp(type, "beat") == 0)
		hear_beat(c, boot, doc);
	else if (strcmp(type, "prepare") == 0)
		hear_prepare(c, boot, *doc);
	else if (strcmp(type, "ack") == 0)
		hear_ack(c, boot, *doc);
	else if (strcmp(type, "commit") == 0)
		hear_commit(c, boot, *doc);
	else if (strcmp(type, "command") == 0)
		hear_command(c, boot, *doc);
	else if (strcmp(type, "result") == 0)
		hear_result(c, *doc);
	else if (strcmp(type, "bye") == 0)
		hear_bye(c, boot);
}

static void
on_message(struct str text, void *arg)
{
	struct cluster *c = arg;
	char why[160];
	struct json *doc = json_read(text, why, sizeof(why));
	const char *boot = json_get_text(doc, "boot", "");
	const char *type = json_get_text(doc, "type", "");

	if (strcmp(boot, c->boot) == 0)
		c->heard_us = now();
	else if (boot[0] != '\0' && strlen(boot) < BOOT_MAX)
		hear(c, type, boot, &doc);
	json_free(&doc);
}

/* ---- who leads ---- */

static void
be(struct cluster *c, enum cluster_role role, const char *why)
{
	if (why != c->why)
		(void)snprintf(c->why, sizeof(c->why), "%s", why);
	if (c->role == role)
		return;
	log_info("event=cluster_role role=%s%s%s%s", cluster_role_name(role),
	    why[0] == '\0' ? "" : " why=\"", why, why[0] == '\0' ? "" : "\"");
	c->role = role;
	c->role_since_us = clock_wall_us();
	if (role != CLUSTER_LEADER && c->proposal.phase != PHASE_NONE)
		end_proposal(c,
		    "this proxy does not lead the cluster any more; nobody "
		    "knows whether it has it");
	end_orphans(c);
	c->env.use.role(role, c->env.use.arg);
	if (bus_is_up(c->bus))
		beat(c);
}

static void
lead(struct cluster *c, struct str lease, uint64_t version)
{
	(void)str_copy(lease, c->lease, sizeof(c->lease));
	c->lease_us = c->asked_us + c->cfg->timeout_us;
	if (version > c->version) { /* before it leads it has what is newest */
		if (c->role == CLUSTER_LEADER && !cluster_is_busy(c))
			be(c, CLUSTER_ALONE, "it has not what is newest");
		read_state(c);
		return;
	}
	be(c, CLUSTER_LEADER, "");
	if (version < c->version || c->version == 0)
		propose_present(c);
}

static void
on_lease(const struct str *v, size_t n, void *arg)
{
	struct cluster *c = arg;
	char us[CLUSTER_NAME_MAX + BOOT_MAX];
	struct str rest, who;
	uint64_t version;

	c->asking = false;
	if (n < 2 || !str_u64(v[1], &version))
		return;
	rest = v[0];
	who = str_split(&rest, ' ');
	(void)snprintf(us, sizeof(us), "%s/%s", c->name, c->boot);
	(void)str_copy(who, c->leader, sizeof(c->leader));
	(void)str_copy(str_split(&who, '/'), c->leader_name,
	    sizeof(c->leader_name));
	if (strcmp(c->leader, us) == 0) {
		lead(c, v[0], version);
		return;
	}
	if (c->leader[0] == '\0')
		return; /* nobody; it is asked again */
	be(c, CLUSTER_FOLLOWER, "");
	end_orphans(c);
	if (version > c->newest)
		c->newest = version;
	if (version > c->version)
		read_state(c);
}

/* Who has less than another one does not try. */
static bool
may_lead(const struct cluster *c)
{
	const struct member *m;

	if (now() - c->up_us < HEAR_US)
		return false;
	TAILQ_FOREACH (m, &c->members, link)
		if (!m->away && m->version > c->version)
			return false;
	return true;
}

static void
ask_lease(struct cluster *c)
{
	char us[CLUSTER_NAME_MAX + BOOT_MAX], ms[24];
	struct str words[] = { str_of(c->lease_key), str_of(c->number_key),
		str_of(c->state_key), { NULL, 0 }, { NULL, 0 },
		may_lead(c) ? STR("1") : STR("0") };

	words[3] = str_from(us,
	    (size_t)snprintf(us, sizeof(us), "%s/%s", c->name, c->boot));
	words[4] = str_from(ms,
	    (size_t)snprintf(ms, sizeof(ms), "%" PRIu64,
	        c->cfg->timeout_us / US_PER_MS));
	c->asked_us = now();
	c->asking = true;
	bus_run(c->bus, lease_script, words, 3, 6, on_lease, c);
}

static void
on_turned(bool up, enum store_why why, void *arg)
{
	struct cluster *c = arg;

	if (up) {
		c->up_us = c->heard_us = now();
		(void)snprintf(c->why, sizeof(c->why),
		    "it joins, and does not know yet who leads");
		beat(c);
		return;
	}
	c->up_us = 0;
	c->asking = c->reading = false;
	(void)snprintf(c->why, sizeof(c->why), "Redis: %s",
	    store_why_text(why));
}

/* ---- the clock ---- */

/* Redis is there if our own word comes back from it. */
static bool
is_connected(const struct cluster *c)
{
	return c->up_us != 0 && now() - c->heard_us < c->cfg->timeout_us;
}

static void
on_tick(void *arg)
{
	struct cluster *c = arg;

	alarm_set(c->tick, TICK_US);
	if (c->up_us != 0 && now() - c->beat_us >= BEAT_US)
		beat(c);
	if (!is_connected(c)) {
		if (c->up_us != 0)
			bus_drop(c->bus);
		be(c, CLUSTER_ALONE,
		    c->why[0] != '\0' ? c->why
		                      : "Redis: it is connected and does not "
		                        "answer");
		return;
	}
	if (c->role == CLUSTER_LEADER && now() >= c->lease_us)
		be(c, CLUSTER_ALONE, "the lease has run out");
	look_for_silent(c);
	look_for_laggards(c);
	look_at_acks(c);
	if (!c->asking &&
	    (c->role == CLUSTER_ALONE || now() - c->asked_us >= LEASE_US))
		ask_lease(c);
}

/* ---- life ---- */

/* What proxies of a cluster must have alike. */
static uint64_t
print_of(const struct cfg *cfg)
{
	uint64_t h = 0;

	for (size_t i = 0; i < cfg->n_services; i++) {
		const struct cfg_service *s = &cfg->services[i];

		h = hash_bytes(s->name, strlen(s->name) + 1, h);
		for (size_t p = 0; p < s->n_pools; p++)
			h = hash_bytes(s->pools[p].name,
			    strlen(s->pools[p].name) + 1, h);
	}
	return h >> 1; /* whole numbers of JSON here have a sign */
}

static void
name_things(struct cluster *c)
{
	const char *prefix = c->env.cfg->store.prefix, *name = c->cfg->name;
	char host[CLUSTER_NAME_MAX] = "proxy";

	if (gethostname(host, sizeof(host) - 1) != 0)
		(void)snprintf(host, sizeof(host), "proxy");
	(void)snprintf(c->name, sizeof(c->name), "%s",
	    c->cfg->member != NULL ? c->cfg->member : host);
	for (char *p = c->name; *p != '\0'; p++)
		if (*p == ' ' || *p == '/')
			*p = '_';
	random_bytes(&c->ids, sizeof(c->ids));
	(void)snprintf(c->boot, sizeof(c->boot), "%016" PRIx64, c->ids);
	c->ids = 0;
	(void)snprintf(c->channel, sizeof(c->channel), "%sc:%s", prefix, name);
	(void)snprintf(c->lease_key, sizeof(c->lease_key), "%s:lease",
	    c->channel);
	(void)snprintf(c->number_key, sizeof(c->number_key), "%s:number",
	    c->channel);
	(void)snprintf(c->state_key, sizeof(c->state_key), "%s:state",
	    c->channel);
}

int
cluster_new(const struct cluster_env *env, struct cluster **out)
{
	struct cluster *c = calloc(1, sizeof(*c));
	struct bus_env bus = { .store = env->store,
		.message = on_message,
		.turned = on_turned };
	int rc;

	*out = NULL;
	if (c == NULL)
		return E_NOMEM;
	c->env = *env;
	c->cfg = &env->cfg->cluster;
	c->print = print_of(env->cfg);
	TAILQ_INIT(&c->members);
	TAILQ_INIT(&c->forwarded);
	c->role_since_us = clock_wall_us();
	(void)snprintf(c->why, sizeof(c->why), "Redis: not connected yet");
	name_things(c);
	bus.channel = c->channel;
	bus.arg = c;
	c->tick = alarm_new(env->loop, on_tick, c);
	rc = c->tick == NULL ? E_NOMEM : bus_new(&bus, &c->bus);
	if (rc != E_OK) {
		alarm_free(&c->tick);
		free(c);
		return rc;
	}
	alarm_set(c->tick, TICK_US);
	*out = c;
	return E_OK;
}

static void
ignore_reply(const struct str *v UNUSED, size_t n UNUSED, void *arg UNUSED)
{
}

/* Others need not wait until we are missed. */
static void
say_bye(struct cluster *c)
{
	struct str words[] = { str_of(c->lease_key), str_of(c->lease) };
	struct buf b = BUF_INIT;
	struct json_out j;

	if (!bus_is_up(c->bus))
		return;
	begin(c, &j, &b, "bye");
	tell(c, &j, &b);
	if (c->role == CLUSTER_LEADER)
		bus_run(c->bus, leave_script, words, 1, 2, ignore_reply, c);
	bus_flush(c->bus);
}

void
cluster_free(struct cluster **cp)
{
	struct cluster *c = *cp;
	struct forwarded *f, *next_f;
	struct member *m, *next;

	if (c == NULL)
		return;
	if (c->proposal.phase != PHASE_NONE)
		end_proposal(c,
		    "segued is stopping; nobody knows whether the "
		    "cluster has it");
	say_bye(c);
	for (f = TAILQ_FIRST(&c->forwarded); f != NULL; f = next_f) {
		next_f = TAILQ_NEXT(f, link);
		end_forwarded(c, f, 0, (struct str){ NULL, 0 });
	}
	bus_free(&c->bus);
	alarm_free(&c->tick);
	for (m = TAILQ_FIRST(&c->members); m != NULL; m = next) {
		next = TAILQ_NEXT(m, link);
		forget(c, m);
	}
	buf_free(&c->prepared);
	buf_free(&c->proposal.text);
	free(c);
	*cp = NULL;
}

/* ---- reading ---- */

enum cluster_role
cluster_role(const struct cluster *c)
{
	return c->role;
}

bool
cluster_is_busy(const struct cluster *c)
{
	return c->proposal.phase != PHASE_NONE;
}

void
cluster_look_at(const struct cluster *c, struct cluster_facts *f)
{
	*f = (struct cluster_facts){ .name = c->cfg->name,
		.member = c->name,
		.role = c->role,
		.leader = c->role == CLUSTER_ALONE ? "" : c->leader_name,
		.version = c->newest,
		.why = c->role == CLUSTER_ALONE ? c->why : "",
		.since_us = c->role_since_us };
}

bool
cluster_member(const struct cluster *c, size_t i, struct cluster_member *out)
{
	const struct member *m = TAILQ_FIRST(&c->members);

	if (i == 0) {
		*out = (struct cluster_member){ .self = true,
			.role = c->role,
			.version = c->adopted };
		(void)str_copy(str_of(c->name), out->name, sizeof(out->name));
		return true;
	}
	while (--i > 0 && m != NULL)
		m = TAILQ_NEXT(m, link);
	if (m == NULL)
		return false;
	*out = (struct cluster_member){ .role = m->role,
		.away = m->away,
		.lags = m->lags,
		.differs = m->print != c->print,
		.version = m->version,
		.silent_us = now() - m->heard_us,
		.in_flight = m->in_flight,
		.counts = json_get(m->doc, "pools") };
	(void)str_copy(str_of(m->name), out->name, sizeof(out->name));
	return true;
}
