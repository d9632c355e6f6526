/*
 * The registry follows a configuration: all of it, or nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"
#include "upstream/board.h"
#include "upstream/probe.h"
#include "upstream/registry_int.h"

/* So long a change, and the first start, wait for all names that are new. */
#define WAIT_US (2 * US_PER_S)
#define WAIT_FIRST_US (10 * US_PER_S)

struct plan_view {
	const struct instance_plan *list;
	size_t n;
};

static const struct instance_plan *
plan_for(const struct plan_view *plans, const char *service, const char *pool,
    const char *name)
{
	for (size_t i = 0; i < plans->n; i++) {
		const struct instance_plan *p = &plans->list[i];

		if (strcmp(p->service, service) == 0 &&
		    strcmp(p->pool, pool) == 0 && strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

/* What a row of the configuration or a command wants. */
struct wish {
	const char *name;
	const struct cfg_addr *address;
	unsigned weight;
	const struct instance_plan *plan; /* NULL: none */
	bool runtime;
};

/* What became of a wish: the entry there is, or the address for a new one. */
struct found {
	struct inst_entry *entry; /* NULL: none */
	struct addr addr;         /* .len 0: not known */
	struct name *name;        /* one ref; NULL: a literal */
};

static struct inst_entry *
find_by_name(struct pool_entry *p, const char *inst, const char *text)
{
	struct inst_entry *e = inst_find(p, inst, NULL);

	return e != NULL && e->name != NULL &&
	        strcmp(e->name->addr.text, text) == 0
	    ? e
	    : NULL;
}

/* One that is among the answers stays, whatever their order. */
static void
choose(struct pool_entry *p, const char *inst, const struct addr_list *answers,
    struct found *f)
{
	for (size_t i = 0; i < answers->n && f->entry == NULL; i++)
		f->entry = inst_find(p, inst, &answers->list[i]);
	f->addr = answers->list[0];
}

static int
choose_looked_up(struct pool_entry *p, const struct wish *w, struct found *f)
{
	struct addr_list all;
	int rc = addr_look_up(w->address, &all);

	if (rc == E_OK)
		choose(p, w->name, &all, f);
	addr_list_free(&all);
	return rc;
}

static bool
may_lack_address(const struct registry *r, const struct wish *w)
{
	return !r->applied && (r->again || w->runtime);
}

static int
choose_address(struct registry *r, struct pool_entry *p, const struct wish *w,
    struct found *f)
{
	int rc;

	if (r->names == NULL)
		return choose_looked_up(p, w, f);
	f->name = names_take(r->names, w->address);
	if (f->name == NULL)
		return E_NOMEM;
	f->entry = find_by_name(p, w->name, w->address->text);
	if (f->entry != NULL)
		return E_OK;
	if (!r->applied && r->again && r->board != NULL &&
	    board_look_address(r->board, &p->pool, w->name, w->address->text,
	        &f->addr))
		return E_OK;
	rc = name_await(f->name, r->wait_by_us);
	if (rc == E_OK)
		choose(p, w->name, &f->name->answer, f);
	else if (rc != E_NOMEM && may_lack_address(r, w))
		rc = E_OK;
	return rc;
}

static int
find_address(struct registry *r, struct pool_entry *p, const struct wish *w,
    struct found *f)
{
	int rc;

	memset(f, 0, sizeof(*f));
	rc = addr_literal(w->address, &f->addr);
	if (rc == E_OK)
		f->entry = inst_find(p, w->name, &f->addr);
	return rc == E_NOENT ? choose_address(r, p, w, f) : rc;
}

static struct inst_entry *
make_entry(struct registry *r, struct pool_entry *p, const struct wish *w,
    const struct addr *addr)
{
	struct inst_entry *e = inst_new(r, p, w->name,
	    w->address->is_unix ? "localhost" : w->address->host, addr);

	if (e == NULL || inst_has_address(&e->inst))
		return e;
	str_copy(str_of(w->address->text), e->inst.addr_text,
	    sizeof(e->inst.addr_text));
	e->inst.health = HEALTH_DOWN;
	e->inst.reason = HEALTH_WHY_NAME;
	return e;
}

static void
say_no_address(int rc, const char *where, const char *text, char *why,
    size_t cap)
{
	(void)snprintf(why, cap, "%s%s%.160s: %s", where,
	    where[0] == '\0' ? "" : ": ", text,
	    rc == E_NOENT         ? "this name does not resolve"
	        : rc == E_TIMEOUT ? "this name does not resolve in time"
	                          : err_text(rc));
}

static int
want_inst(struct registry *r, struct pool_entry *p, const struct wish *w,
    char *why, size_t cap)
{
	struct found f;
	struct inst_entry *e;
	int rc = find_address(r, p, w, &f);

	if (rc != E_OK) {
		say_no_address(rc, w->name, w->address->text, why, cap);
		name_unref(&f.name);
		return rc;
	}
	e = f.entry != NULL ? f.entry : make_entry(r, p, w, &f.addr);
	if (e == NULL) {
		name_unref(&f.name);
		return E_NOMEM;
	}
	name_unref(&e->next_name);
	e->next_name = f.name;
	e->next_weight = MAX(w->weight, 1u);
	e->next_runtime = w->runtime;
	e->next_admin = w->plan == NULL ? INST_IN : w->plan->admin;
	if (!e->in_next)
		TAILQ_INSERT_TAIL(&p->next, e, next_link);
	e->in_next = true;
	return E_OK;
}

static int
want_configured(struct registry *r, struct pool_entry *p,
    const struct cfg_pool *cfg, const char *service,
    const struct plan_view *plans, char *why, size_t cap)
{
	for (size_t i = 0; i < cfg->n_instances; i++) {
		const struct cfg_instance *ci = &cfg->instances[i];
		struct wish w = { ci->name, &ci->address, ci->weight, NULL,
			false };
		int rc;

		w.plan = plan_for(plans, service, cfg->name, ci->name);
		if (w.plan != NULL && w.plan->removed)
			continue;
		rc = want_inst(r, p, &w, why, cap);
		if (rc != E_OK)
			return rc;
	}
	return E_OK;
}

static int
want_added(struct registry *r, struct pool_entry *p,
    const struct instance_plan *plan, char *why, size_t cap)
{
	struct cfg_addr ca;
	struct wish w = { plan->name, &ca, plan->weight, plan, true };
	int rc = cfg_addr_parse(str_of(plan->address), &ca);

	if (rc != E_OK) {
		say_no_address(rc, plan->name, plan->address, why, cap);
		return rc;
	}
	rc = want_inst(r, p, &w, why, cap);
	cfg_addr_free(&ca);
	return rc;
}

static int
want_runtime(struct registry *r, struct pool_entry *p, const char *service,
    const struct plan_view *plans, char *why, size_t cap)
{
	int rc = E_OK;

	for (size_t i = 0; i < plans->n && rc == E_OK; i++) {
		const struct instance_plan *plan = &plans->list[i];

		if (!plan->removed && plan->address[0] != '\0' &&
		    strcmp(plan->service, service) == 0 &&
		    strcmp(plan->pool, p->pool.name) == 0)
			rc = want_added(r, p, plan, why, cap);
	}
	return rc;
}

static int
want_pool(struct registry *r, struct service_entry *s,
    const struct cfg_pool *cfg, const struct plan_view *plans, char *why,
    size_t cap)
{
	struct pool_entry *p = pool_find(s, cfg->name);
	int rc;

	if (p == NULL)
		p = pool_new(r, s, cfg->name);
	if (p == NULL)
		return E_NOMEM;
	if (!p->in_next)
		TAILQ_INSERT_TAIL(&s->next, p, next_link);
	p->in_next = true;
	rc = want_configured(r, p, cfg, s->service.name, plans, why, cap);
	if (rc == E_OK)
		rc = want_runtime(r, p, s->service.name, plans, why, cap);
	return rc;
}

static int
want_service(struct registry *r, const struct cfg_service *cfg,
    const struct plan_view *plans, char *why, size_t cap)
{
	struct service_entry *s = service_find(r, cfg->name);
	int rc = E_OK;

	if (s == NULL) {
		s = service_new(r, cfg->name);
		if (s == NULL)
			return E_NOMEM;
		TAILQ_INSERT_TAIL(&r->services, s, link);
	}
	if (!s->in_next)
		TAILQ_INSERT_TAIL(&r->next, s, next_link);
	s->in_next = true;
	for (size_t i = 0; i < cfg->n_pools && rc == E_OK; i++)
		rc = want_pool(r, s, &cfg->pools[i], plans, why, cap);
	return rc;
}

/* What is made and not wanted by anything else is collected in time. */
static void
forget_next(struct registry *r)
{
	struct service_entry *s;
	struct pool_entry *p;
	struct inst_entry *e;

	TAILQ_FOREACH (s, &r->next, next_link) {
		TAILQ_FOREACH (p, &s->next, next_link) {
			TAILQ_FOREACH (e, &p->next, next_link) {
				e->in_next = false;
				name_unref(&e->next_name);
			}
			TAILQ_INIT(&p->next);
			p->in_next = false;
		}
		TAILQ_INIT(&s->next);
		s->in_next = false;
	}
	TAILQ_INIT(&r->next);
}

static void
take_instances(const struct registry *r, struct pool_entry *p)
{
	struct inst_entry *e;

	TAILQ_FOREACH (e, &p->instances, link) {
		if (e->in_next || e->inst.gone)
			continue;
		probe_free(&e->inst.probe);
		e->inst.gone = true;
	}
	TAILQ_FOREACH (e, &p->next, next_link) {
		TAILQ_REMOVE(&p->instances, e, link);
		TAILQ_INSERT_TAIL(&p->instances, e, link);
		e->inst.weight = e->next_weight;
		e->inst.admin = e->next_admin;
		e->inst.runtime = e->next_runtime;
		e->inst.gone = false;
		if (e->name != e->next_name)
			e->other_since_us = 0;
		name_unref(&e->name);
		e->name = e->next_name;
		e->next_name = NULL;
		inst_note_address(r, e);
	}
	candidates_fit(p);
}

static void
take_pools(const struct registry *r, struct service_entry *s)
{
	struct pool_entry *p;

	TAILQ_FOREACH (p, &s->pools, link) {
		p->wanted = p->in_next;
		take_instances(r, p);
	}
	TAILQ_FOREACH (p, &s->next, next_link) {
		TAILQ_REMOVE(&s->pools, p, link);
		TAILQ_INSERT_TAIL(&s->pools, p, link);
	}
}

/* What is next becomes what is wanted; nothing can fail. */
static void
take_next(struct registry *r)
{
	struct service_entry *s;

	TAILQ_FOREACH (s, &r->services, link) {
		s->wanted = s->in_next;
		take_pools(r, s);
	}
	TAILQ_FOREACH (s, &r->next, next_link) {
		TAILQ_REMOVE(&r->services, s, link);
		TAILQ_INSERT_TAIL(&r->services, s, link);
	}
	forget_next(r);
}

static void
begin_waiting(struct registry *r)
{
	r->wait_by_us = clock_mono_us() +
	    (r->applied || r->again ? WAIT_US : WAIT_FIRST_US);
}

static int
check_address(struct registry *r, const struct cfg_addr *a)
{
	struct addr_list all;
	struct addr addr;
	struct name *n;
	int rc = addr_literal(a, &addr);

	if (rc != E_NOENT)
		return rc;
	if (r->names == NULL) {
		rc = addr_look_up(a, &all);
		addr_list_free(&all);
		return rc;
	}
	n = names_take(r->names, a);
	rc = n == NULL ? E_NOMEM : name_await(n, r->wait_by_us);
	name_unref(&n);
	return rc;
}

/* By what the row's name is known to resolve to. */
static struct inst_entry *
find_answered(struct registry *r, struct pool_entry *p,
    const struct cfg_instance *ci)
{
	struct found f = { .entry = NULL };
	struct wish w = { .name = ci->name, .address = &ci->address };

	if (r->names == NULL)
		return choose_looked_up(p, &w, &f) == E_OK ? f.entry : NULL;
	f.name = names_take(r->names, &ci->address);
	if (f.name != NULL && f.name->answered_us != 0)
		choose(p, ci->name, &f.name->answer, &f);
	name_unref(&f.name);
	return f.entry;
}

int
registry_apply(struct registry *r, struct cfg *cfg,
    const struct instance_plan *plans, size_t n, char *why, size_t cap)
{
	struct plan_view pv = { plans, n };

	ON_CONTROL_THREAD();
	begin_waiting(r);
	for (size_t i = 0; i < cfg->n_services; i++) {
		int rc = want_service(r, &cfg->services[i], &pv, why, cap);

		if (rc == E_OK)
			continue;
		if (rc == E_NOMEM)
			(void)snprintf(why, cap, "%s", err_text(rc));
		forget_next(r);
		return rc;
	}
	take_next(r);
	r->applied = true;
	return E_OK;
}

int
registry_check_address(struct registry *r, const char *address, char *why,
    size_t cap)
{
	struct cfg_addr text;
	int rc = cfg_addr_parse(str_of(address), &text);

	if (rc == E_OK) {
		begin_waiting(r);
		rc = check_address(r, &text);
		cfg_addr_free(&text);
	}
	if (rc != E_OK)
		say_no_address(rc, "", address, why, cap);
	return rc;
}

static int
check_pool(struct registry *r, const char *service, const struct cfg_pool *cfg,
    char *why, size_t cap)
{
	for (size_t i = 0; i < cfg->n_instances; i++) {
		const struct cfg_instance *ci = &cfg->instances[i];
		int rc;

		if (registry_stays(r, service, cfg->name, ci) != NULL)
			continue;
		rc = check_address(r, &ci->address);
		if (rc == E_OK)
			continue;
		say_no_address(rc, ci->name, ci->address.text, why, cap);
		return rc;
	}
	return E_OK;
}

int
registry_check_names(struct registry *r, const struct cfg *cfg, char *why,
    size_t cap)
{
	int rc = E_OK;

	begin_waiting(r);
	for (size_t i = 0; i < cfg->n_services; i++)
		for (size_t p = 0; rc == E_OK && p < cfg->services[i].n_pools;
		     p++)
			rc = check_pool(r, cfg->services[i].name,
			    &cfg->services[i].pools[p], why, cap);
	return rc;
}

struct instance *
registry_stays(struct registry *r, const char *service, const char *pool,
    const struct cfg_instance *ci)
{
	struct service_entry *s = service_find(r, service);
	struct pool_entry *p = s == NULL ? NULL : pool_find(s, pool);
	struct inst_entry *e;
	struct addr addr;

	if (p == NULL)
		return NULL;
	e = addr_literal(&ci->address, &addr) == E_OK
	    ? inst_find(p, ci->name, &addr)
	    : find_by_name(p, ci->name, ci->address.text);
	if (e == NULL && addr.len == 0) /* another name, perhaps of the same */
		e = find_answered(r, p, ci);
	return e == NULL ? NULL : &e->inst;
}

void
registry_set_admin(struct registry *r, const struct instance_plan *list,
    size_t n)
{
	struct plan_view plans = { list, n };
	struct service_entry *s;
	struct pool_entry *p;
	struct inst_entry *e;

	TAILQ_FOREACH (s, &r->services, link) {
		TAILQ_FOREACH (p, &s->pools, link) {
			TAILQ_FOREACH (e, &p->instances, link) {
				const struct instance_plan *plan = plan_for(
				    &plans, s->service.name, p->pool.name,
				    e->inst.name);

				uint8_t admin = plan == NULL ? INST_IN
				                             : plan->admin;

				/* Who comes in has to hold, too. */
				if (admin == INST_IN && e->inst.admin != admin)
					p->pool.ready_since_us = 0;
				e->inst.admin = admin;
			}
		}
	}
}
