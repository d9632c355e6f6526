/*
 * The others: who is there, and what they say of themselves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "rollout/cluster_int.h"

#define FOLLOW_US (5 * US_PER_S) /* then a member that has said yes lags */

struct member *
cluster_member_of(struct cluster *c, const char *boot)
{
	struct member *m;

	TAILQ_FOREACH (m, &c->members, link)
		if (strcmp(m->boot, boot) == 0)
			return m;
	return NULL;
}

void
cluster_forget_member(struct cluster *c, struct member *m)
{
	TAILQ_REMOVE(&c->members, m, link);
	c->n_members--;
	json_free(&m->doc);
	free(m);
}

/* One of that name that is away: it has been started anew. */
static struct member *
namesake_away(struct cluster *c, const char *name)
{
	struct member *m;

	TAILQ_FOREACH (m, &c->members, link)
		if (m->away && strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

/* Who is away for the longest time; that there are so many is told. */
static struct member *
longest_away(struct cluster *c)
{
	struct member *m, *oldest = NULL;

	TAILQ_FOREACH (m, &c->members, link)
		if (m->away &&
		    (oldest == NULL || m->heard_us < oldest->heard_us))
			oldest = m;
	log_error("event=cluster_full members=%d forgotten=%s",
	    CLUSTER_MEMBERS_MAX, oldest == NULL ? "-" : oldest->name);
	return oldest;
}

static struct member *
member_made(struct cluster *c)
{
	struct member *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	TAILQ_INSERT_TAIL(&c->members, m, link);
	c->n_members++;
	return m;
}

/* The place of one that is away, or a new one. */
static struct member *
member_new(struct cluster *c, const char *name, const char *boot)
{
	struct member *m = namesake_away(c, name);

	if (m == NULL)
		m = c->n_members < CLUSTER_MEMBERS_MAX ? member_made(c)
		                                       : longest_away(c);
	if (m == NULL)
		return NULL;
	m->away = m->lags = m->acked = false;
	(void)str_copy(str_of(name), m->name, sizeof(m->name));
	(void)str_copy(str_of(boot), m->boot, sizeof(m->boot));
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
		if (strcmp(cluster_role_name((enum cluster_role)r), name) == 0)
			return (enum cluster_role)r;
	return CLUSTER_ALONE;
}

void
cluster_hear_beat(struct cluster *c, const char *boot, struct json **doc)
{
	const char *name = json_get_text(*doc, "member", "");
	struct member *m = cluster_member_of(c, boot);

	if (m == NULL && name[0] != '\0')
		m = member_new(c, name, boot);
	if (m == NULL)
		return;
	if (m->away)
		log_info("event=cluster_member_back name=%s", m->name);
	m->away = false;
	m->heard_us = cluster_now();
	m->role = role_of(json_get_text(*doc, "role", ""));
	m->version = cluster_number(*doc, "version");
	m->print = cluster_number(*doc, "print");
	m->in_flight = cluster_number(*doc, "in_flight");
	m->generation = cluster_number(*doc, "generation");
	m->lags = m->lags && m->version < c->newest;
	json_free(&m->doc);
	m->doc = *doc;
	*doc = NULL;
	if (cluster_is_leader(c, boot) && m->version > c->newest)
		c->newest = m->version;
	if (c->role == CLUSTER_LEADER) /* only who leads counts with them */
		c->env.use.look(c->env.use.arg);
}

/* It was started anew, and has another boot since. */
static bool
has_come_again(const struct cluster *c, const struct member *old)
{
	const struct member *m;

	TAILQ_FOREACH (m, &c->members, link)
		if (m != old && !m->away && strcmp(m->name, old->name) == 0)
			return true;
	return strcmp(c->name, old->name) == 0;
}

/* A ghost goes with each call: there are few. */
void
cluster_look_for_silent(struct cluster *c)
{
	struct member *m, *ghost = NULL;

	TAILQ_FOREACH (m, &c->members, link) {
		if (m->away && has_come_again(c, m))
			ghost = m;
		if (m->away || cluster_now() - m->heard_us < c->cfg->timeout_us)
			continue;
		m->away = true;
		if (!has_come_again(c, m))
			log_warn("event=cluster_member_away name=%s", m->name);
		c->env.use.look(c->env.use.arg);
	}
	if (ghost != NULL)
		cluster_forget_member(c, ghost);
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
void
cluster_look_for_laggards(struct cluster *c)
{
	struct member *m;

	if (c->role != CLUSTER_LEADER ||
	    cluster_now() - c->committed_us < FOLLOW_US)
		return;
	TAILQ_FOREACH (m, &c->members, link) {
		if (m->away || m->lags || m->version >= c->version)
			continue;
		m->lags = true;
		log_warn("event=cluster_member_lags name=%s", m->name);
		c->env.use.look(c->env.use.arg);
	}
}

/* ---- reading ---- */

void
cluster_others_behind(const struct cluster *c, char *out, size_t cap)
{
	const struct member *m;
	size_t len = 0;

	out[0] = '\0';
	if (c->role != CLUSTER_LEADER)
		return;
	TAILQ_FOREACH (m, &c->members, link)
		if ((m->away || m->version < c->version) && len + 80 < cap)
			len += (size_t)snprintf(out + len, cap - len, "%s%.64s",
			    len == 0 ? "" : ", ", m->name);
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
		.silent_us = cluster_now() - m->heard_us,
		.in_flight = m->in_flight,
		.counts = json_get(m->doc, "pools"),
		.paces = json_get(m->doc, "paces"),
		.parts = json_get(m->doc, "parts") };
	(void)str_copy(str_of(m->name), out->name, sizeof(out->name));
	(void)str_copy(str_of(m->boot), out->boot, sizeof(out->boot));
	return true;
}
