/*
 * Names that resolve to something else.
 */
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "upstream/board.h"
#include "upstream/probe.h"
#include "upstream/registry_int.h"

static struct inst_entry *
entry_of(const struct instance *i)
{
	return CONTAINER_OF((struct instance *)(uintptr_t)i, struct inst_entry,
	    inst);
}

static struct pool_entry *
pool_entry_of(const struct inst_entry *e)
{
	return CONTAINER_OF(e->inst.pool, struct pool_entry, pool);
}

static bool
is_followed_by(const struct inst_entry *e, const struct inst_entry *c)
{
	return c->candidate && !e->inst.gone && e->name == c->name &&
	    strcmp(e->inst.name, c->inst.name) == 0;
}

static struct inst_entry *
candidate_of(const struct inst_entry *e)
{
	struct inst_entry *c;

	TAILQ_FOREACH (c, &pool_entry_of(e)->instances, link)
		if (is_followed_by(e, c))
			return c;
	return NULL;
}

static struct inst_entry *
holder_of(const struct inst_entry *c)
{
	struct inst_entry *e;

	TAILQ_FOREACH (e, &pool_entry_of(c)->instances, link)
		if (is_followed_by(e, c))
			return e;
	return NULL;
}

void
candidate_drop(struct inst_entry *c)
{
	if (c == NULL)
		return;
	c->candidate = false;
	probe_free(&c->inst.probe);
}

void
candidates_fit(struct pool_entry *p)
{
	struct inst_entry *c;

	TAILQ_FOREACH (c, &p->instances, link)
		if (c->candidate && holder_of(c) == NULL)
			candidate_drop(c);
}

void
inst_note_address(const struct registry *r, const struct inst_entry *e)
{
	if (r->board != NULL && e->name != NULL && inst_has_address(&e->inst))
		board_note_address(r->board, &e->inst, e->name->addr.text);
}

/* ---- one takes the place of another ---- */

static void
replace(const struct registry *r, struct inst_entry *old, struct inst_entry *e)
{
	log_info("service=%s pool=%s instance=%s event=address_changed "
	         "name=%s from=%s to=%s",
	    e->inst.pool->service->name, e->inst.pool->name, e->inst.name,
	    e->name->addr.text,
	    inst_has_address(&old->inst) ? old->inst.addr_text : "none",
	    e->inst.addr_text);
	e->inst.weight = old->inst.weight;
	e->inst.admin = old->inst.admin;
	e->inst.runtime = old->inst.runtime;
	e->candidate = false;
	e->inst.gone = false;
	old->inst.gone = true;
	probe_free(&old->inst.probe);
	inst_note_address(r, e);
}

bool
registry_is_candidate(const struct instance *i)
{
	return entry_of(i)->candidate;
}

void
registry_promote(struct registry *r, struct instance *candidate)
{
	struct inst_entry *c = entry_of(candidate);
	struct inst_entry *old = holder_of(c);

	ON_CONTROL_THREAD();
	if (old != NULL)
		replace(r, old, c);
}

const struct name *
registry_name(const struct instance *i)
{
	return entry_of(i)->name;
}

void
registry_ask_name(const struct instance *i)
{
	if (entry_of(i)->name != NULL)
		name_ask_by(entry_of(i)->name, 1);
}

void
registry_forget_names(struct registry *r)
{
	struct service_entry *s;
	struct pool_entry *p;
	struct inst_entry *e;

	TAILQ_FOREACH (s, &r->services, link)
		TAILQ_FOREACH (p, &s->pools, link)
			TAILQ_FOREACH (e, &p->instances, link)
				name_unref(&e->name);
	r->names = NULL;
}

/* ---- what the answers mean for one instance ---- */

static bool
begin_following(struct registry *r, struct inst_entry *e)
{
	struct pool_entry *p = pool_entry_of(e);
	struct inst_entry *c = inst_new(r, p, e->inst.name, e->inst.host,
	    &e->other);

	if (c == NULL)
		return false; /* the next look tries again */
	TAILQ_REMOVE(&p->instances, c, link);
	TAILQ_INSERT_AFTER(&p->instances, e, c, link);
	c->name = name_ref(e->name);
	c->candidate = true;
	if (!inst_has_address(&e->inst)) { /* nothing to lose */
		replace(r, e, c);
		return true;
	}
	log_info("service=%s pool=%s instance=%s event=address_differs "
	         "name=%s has=%s answer=%s",
	    e->inst.pool->service->name, e->inst.pool->name, e->inst.name,
	    e->name->addr.text, e->inst.addr_text, c->inst.addr_text);
	return true;
}

static bool
has_waited(const struct inst_entry *e, uint64_t hold_us)
{
	return e->inst.health == HEALTH_DOWN ||
	    e->name->answered_us - e->other_since_us >= hold_us;
}

/* True: there is a new instance. */
static bool
follow(struct registry *r, struct inst_entry *e, uint64_t hold_us)
{
	struct inst_entry *c = candidate_of(e);
	const struct addr_list *answer = &e->name->answer;

	if (answer->n == 0 || e->name->failing) {
		if (!inst_has_address(&e->inst))
			name_ask_by(e->name, 1);
		return false;
	}
	if (addr_list_has(answer, &e->inst.addr)) {
		e->other_since_us = 0;
		candidate_drop(c);
		return false;
	}
	if (c != NULL && addr_list_has(answer, &c->inst.addr))
		return false;
	candidate_drop(c);
	if (e->other_since_us == 0 || !addr_list_has(answer, &e->other)) {
		e->other = answer->list[0];
		e->other_since_us = e->name->answered_us;
	}
	if (has_waited(e, hold_us))
		return begin_following(r, e);
	name_ask_by(e->name, e->other_since_us + hold_us);
	return false;
}

bool
registry_follow(struct registry *r, uint64_t hold_us)
{
	struct service_entry *s;
	struct pool_entry *p;
	struct inst_entry *e;
	bool made = false;

	ON_CONTROL_THREAD();
	TAILQ_FOREACH (s, &r->services, link)
		TAILQ_FOREACH (p, &s->pools, link)
			TAILQ_FOREACH (e, &p->instances, link)
				if (!e->inst.gone && e->name != NULL)
					made |= follow(r, e, hold_us);
	return made;
}
