#include "rollout/cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/random.h"
#include "config/config.h"
#include "net/loop.h"
#include "rollout/cluster_int.h"
#include "store/bus.h"
#include "store/store.h"

#define TICK_US (50 * US_PER_MS)
/* Between two words of each member, and two looks at the lease: at most. */
#define BEAT_US (250 * US_PER_MS)
#define LEASE_US (500 * US_PER_MS)

#define X(id, name) [CLUSTER_##id] = (name),
static const char *const role_names[] = { CLUSTER_ROLES(X) };
#undef X

const char *
cluster_role_name(enum cluster_role r)
{
	return role_names[r];
}

/* ---- words ---- */

void
cluster_say_begin(struct cluster *c, struct json_out *j, struct buf *b,
    const char *type)
{
	json_begin(j, b);
	json_begin_object(j);
	json_kv_cstr(j, "type", type);
	json_kv_cstr(j, "boot", c->boot);
}

void
cluster_say(struct cluster *c, struct json_out *j, struct buf *b)
{
	json_end_object(j);
	if (!b->failed)
		bus_tell(c->bus, buf_str(b));
	buf_free(b);
}

/* How we are. */
void
cluster_beat(struct cluster *c)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	cluster_say_begin(c, &j, &b, "beat");
	json_kv_cstr(&j, "member", c->name);
	json_kv_cstr(&j, "role", cluster_role_name(c->role));
	json_kv_u64(&j, "version", c->adopted);
	json_kv_u64(&j, "print", c->print);
	json_kv_u64(&j, "generation", c->env.use.generation(c->env.use.arg));
	c->env.use.counts(&j, c->env.use.arg);
	cluster_say(c, &j, &b);
	c->beat_us = cluster_now();
}

/* ---- hearing ---- */

static void
hear_bye(struct cluster *c, const char *boot)
{
	struct member *m = cluster_member_of(c, boot);

	if (m == NULL)
		return;
	log_info("event=cluster_member_left name=%s", m->name);
	cluster_forget_member(c, m);
	cluster_look_at_acks(c);
	c->env.use.look(c->env.use.arg);
}

static void
hear(struct cluster *c, const char *type, const char *boot, struct json **doc)
{
	if (strcmp(type, "beat") == 0)
		cluster_hear_beat(c, boot, doc);
	else if (strcmp(type, "prepare") == 0)
		cluster_hear_prepare(c, boot, *doc);
	else if (strcmp(type, "ack") == 0)
		cluster_hear_ack(c, boot, *doc);
	else if (strcmp(type, "commit") == 0)
		cluster_hear_commit(c, boot, *doc);
	else if (strcmp(type, "command") == 0)
		cluster_hear_command(c, boot, *doc);
	else if (strcmp(type, "result") == 0)
		cluster_hear_result(c, *doc);
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
		c->heard_us = cluster_now();
	else if (boot[0] != '\0' && strlen(boot) < CLUSTER_BOOT_MAX)
		hear(c, type, boot, &doc);
	json_free(&doc);
}

static void
on_turned(bool up, enum store_why why, void *arg)
{
	struct cluster *c = arg;

	if (up) {
		c->up_us = c->heard_us = cluster_now();
		(void)snprintf(c->why, sizeof(c->why),
		    "it joins, and does not know yet who leads");
		cluster_beat(c);
		return;
	}
	c->up_us = 0;
	c->asking = c->reading = c->in_touch = false;
	(void)snprintf(c->why, sizeof(c->why), "Redis: %s",
	    store_why_text(why));
}

/* ---- the clock ---- */

/* Redis is there if our own word comes back from it. */
static bool
is_connected(const struct cluster *c)
{
	return c->up_us != 0 &&
	    cluster_now() - c->heard_us < c->cfg->timeout_us;
}

static void
on_tick(void *arg)
{
	struct cluster *c = arg;

	alarm_set(c->tick, TICK_US);
	if (c->up_us != 0 &&
	    cluster_now() - c->beat_us >= MIN(BEAT_US, c->cfg->timeout_us / 5))
		cluster_beat(c);
	if (!is_connected(c)) {
		if (c->up_us != 0)
			bus_drop(c->bus);
		cluster_be(c, CLUSTER_ALONE,
		    c->why[0] != '\0' ? c->why
		                      : "Redis: it is connected and does not "
		                        "answer");
		return;
	}
	if (c->role == CLUSTER_LEADER && cluster_now() >= c->lease_us)
		cluster_be(c, CLUSTER_ALONE, "the lease has run out");
	cluster_look_for_silent(c);
	cluster_look_for_laggards(c);
	cluster_look_at_acks(c);
	if (!c->asking &&
	    (c->role == CLUSTER_ALONE ||
	        cluster_now() - c->asked_us >=
	            MIN(LEASE_US, c->cfg->timeout_us / 4)))
		cluster_ask_lease(c);
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
	return h >> 11; /* as much as a number of a message may be */
}

void
cluster_configured(struct cluster *c, const struct cfg *cfg)
{
	c->print = print_of(cfg);
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
	(void)snprintf(c->id, sizeof(c->id), "%s/%s", c->name, c->boot);
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

/* Others need not wait until we are missed. */
static void
say_bye(struct cluster *c)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	if (!bus_is_up(c->bus))
		return;
	cluster_say_begin(c, &j, &b, "bye");
	cluster_say(c, &j, &b);
	if (c->role == CLUSTER_LEADER)
		cluster_give_back(c);
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
		cluster_end_proposal(c,
		    "segued is stopping; nobody knows whether the cluster has "
		    "it",
		    true);
	say_bye(c);
	for (f = TAILQ_FIRST(&c->forwarded); f != NULL; f = next_f) {
		next_f = TAILQ_NEXT(f, link);
		cluster_end_forwarded(c, f, 0, (struct str){ NULL, 0 });
	}
	bus_free(&c->bus);
	alarm_free(&c->tick);
	for (m = TAILQ_FIRST(&c->members); m != NULL; m = next) {
		next = TAILQ_NEXT(m, link);
		cluster_forget_member(c, m);
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
		.refused = c->refused,
		.why = c->role == CLUSTER_ALONE ? c->why : "",
		.since_us = c->role_since_us };
}
