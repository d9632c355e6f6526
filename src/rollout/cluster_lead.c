/*
 * Who leads: a lease in Redis, and the role that follows from it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "rollout/cluster_int.h"
#include "store/bus.h"

#define HEAR_US (600 * US_PER_MS) /* who else is there, before one leads */

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

/* Gives the lease back, if it is ours. */
static const char leave_script[] =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then\n"
    "  redis.call('DEL', KEYS[1])\n"
    "end\n"
    "return {'1'}\n";

void
cluster_be(struct cluster *c, enum cluster_role role, const char *why)
{
	if (why != c->why)
		(void)snprintf(c->why, sizeof(c->why), "%s", why);
	if (c->role == role)
		return;
	log_info("event=cluster_role role=%s%s%s%s", cluster_role_name(role),
	    why[0] == '\0' ? "" : " why=\"", why, why[0] == '\0' ? "" : "\"");
	c->role = role;
	c->in_touch = role == CLUSTER_LEADER ||
	    (c->in_touch && role != CLUSTER_ALONE);
	c->role_since_us = clock_wall_us();
	if (role != CLUSTER_LEADER && c->proposal.phase != PHASE_NONE)
		cluster_end_proposal(c,
		    "this proxy does not lead the cluster any more; nobody "
		    "knows whether it has it",
		    true);
	cluster_end_orphans(c);
	c->env.use.role(role, c->env.use.arg);
	if (bus_is_up(c->bus))
		cluster_beat(c);
}

static void
lead(struct cluster *c, struct str lease, uint64_t version)
{
	(void)str_copy(lease, c->lease, sizeof(c->lease));
	c->lease_us = c->asked_us + c->cfg->timeout_us;
	if (version > c->version) { /* before it leads it has what is newest */
		if (c->role == CLUSTER_LEADER && !cluster_is_busy(c))
			cluster_be(c, CLUSTER_ALONE,
			    "it has not what is newest");
		cluster_read_state(c);
		return;
	}
	cluster_be(c, CLUSTER_LEADER, "");
	if (version < c->version || c->version == 0 || c->diverged)
		cluster_propose_present(c);
}

static void
on_lease(const struct str *v, size_t n, void *arg)
{
	struct cluster *c = arg;
	struct str rest, who, name;
	uint64_t version, number;

	c->asking = false;
	if (n < 2)
		return;
	if (!str_u64(v[1], &version) || version > CLUSTER_NUMBER_MAX)
		version = 0; /* no proxy has written that: it is written anew */
	rest = v[0];
	who = str_split(&rest, ' ');
	if (!str_u64(rest, &number))
		who.len = 0; /* ... nor that */
	name = who;
	(void)str_copy(who, c->leader, sizeof(c->leader));
	(void)str_copy(str_split(&name, '/'), c->leader_name,
	    sizeof(c->leader_name));
	if (str_eq(who, str_of(c->id))) {
		lead(c, v[0], version);
		return;
	}
	if (c->leader[0] == '\0')
		return; /* nobody; it is asked again */
	cluster_be(c, CLUSTER_FOLLOWER, "");
	cluster_end_orphans(c);
	if (version > c->newest)
		c->newest = version;
	if (version > c->version || c->diverged)
		cluster_read_state(c);
	else if (version == c->version)
		c->in_touch = true;
}

const char *
cluster_leader_boot(const struct cluster *c)
{
	const char *slash = strrchr(c->leader, '/');

	return slash == NULL ? "" : slash + 1;
}

bool
cluster_is_leader(const struct cluster *c, const char *boot)
{
	return strcmp(cluster_leader_boot(c), boot) == 0;
}

/* Who has less than another one does not try. */
static bool
may_lead(const struct cluster *c)
{
	uint64_t generation = c->env.use.generation(c->env.use.arg);
	const struct member *m;

	if (cluster_now() - c->up_us < HEAR_US)
		return false;
	TAILQ_FOREACH (m, &c->members, link)
		if (!m->away &&
		    (m->version > c->version ||
		        (c->version == 0 && m->generation > generation)))
			return false;
	return true;
}

void
cluster_ask_lease(struct cluster *c)
{
	char ms[24];
	struct str words[] = { str_of(c->lease_key), str_of(c->number_key),
		str_of(c->state_key), str_of(c->id), { NULL, 0 },
		may_lead(c) ? STR("1") : STR("0") };

	words[4] = str_from(ms,
	    (size_t)snprintf(ms, sizeof(ms), "%" PRIu64,
	        c->cfg->timeout_us / US_PER_MS));
	c->asked_us = cluster_now();
	c->asking = true;
	bus_run(c->bus, lease_script, words, 3, 6, on_lease, c);
}

static void
ignore_reply(const struct str *v UNUSED, size_t n UNUSED, void *arg UNUSED)
{
}

void
cluster_give_back(struct cluster *c)
{
	struct str words[] = { str_of(c->lease_key), str_of(c->lease) };

	bus_run(c->bus, leave_script, words, 1, 2, ignore_reply, c);
}
