#include "upstream/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "upstream/board.h"
#include "upstream/load.h"
#include "upstream/probe.h"
#include "upstream/registry_int.h"

/* So long a change, and the first start, wait for all names that are new. */
#define WAIT_US (2 * US_PER_S)
#define WAIT_FIRST_US (10 * US_PER_S)

struct registry *
registry_new(unsigned n_workers)
{
	struct registry *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->n_workers = n_workers;
	TAILQ_INIT(&r->services);
	TAILQ_INIT(&r->next);
	r->load = load_new(n_workers);
	if (r->load != NULL)
		r->unrouted = service_new(r, "-");
	if (r->unrouted == NULL) {
		load_free(&r->load);
		free(r);
		return NULL;
	}
	return r;
}

void
registry_use(struct registry *r, struct names *names, struct board *board,
    bool again)
{
	r->names = names;
	r->board = board;
	r->again = again;
}

/* ---- making ---- */

static void *
cells_new(unsigned n, size_t size)
{
	void *cells = aligned_alloc(64, n * size);

	if (cells != NULL)
		memset(cells, 0, n * size);
	return cells;
}

struct service_entry *
service_new(struct registry *r, const char *name)
{
	struct service_entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	TAILQ_INIT(&e->pools);
	TAILQ_INIT(&e->next);
	e->service.n_workers = r->n_workers;
	e->service.name = strdup(name);
	e->service.cells = cells_new(r->n_workers, sizeof(struct service_cell));
	if (e->service.name == NULL || e->service.cells == NULL) {
		free(e->service.name);
		free(e->service.cells);
		free(e);
		return NULL;
	}
	return e;
}

static struct pool_entry *
pool_new(struct registry *r, struct service_entry *s, const char *name)
{
	struct pool_entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	TAILQ_INIT(&e->instances);
	TAILQ_INIT(&e->next);
	e->pool.n_workers = r->n_workers;
	e->pool.service = &s->service;
	e->pool.name = strdup(name);
	e->pool.name_hash = registry_name_hash(str_of(name));
	e->pool.cells = cells_new(r->n_workers, sizeof(struct pool_cell));
	if (e->pool.name == NULL || e->pool.cells == NULL) {
		free(e->pool.name);
		free(e->pool.cells);
		free(e);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&s->pools, e, link);
	return e;
}

struct inst_entry *
inst_new(struct registry *r, struct pool_entry *p, const char *name,
    const struct addr *addr)
{
	struct inst_entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->inst.n_workers = r->n_workers;
	e->inst.pool = &p->pool;
	e->inst.name = strdup(name);
	e->inst.name_hash = registry_name_hash(str_of(name));
	e->inst.addr = *addr;
	addr_text(addr, e->inst.addr_text);
	e->inst.health_since_us = clock_mono_us();
	e->inst.late = r->applied;
	e->inst.gone = true; /* until the configuration has been applied */
	e->inst.cells = cells_new(r->n_workers, sizeof(struct inst_cell));
	if (e->inst.name == NULL || e->inst.cells == NULL) {
		free(e->inst.name);
		free(e->inst.cells);
		free(e);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&p->instances, e, link);
	return e;
}

/* ---- freeing ---- */

static void
inst_free(struct pool_entry *p, struct inst_entry *e)
{
	TAILQ_REMOVE(&p->instances, e, link);
	probe_free(&e->inst.probe);
	name_unref(&e->name);
	name_unref(&e->next_name);
	free(e->inst.eject.window_latency);
	free(e->inst.name);
	free(e->inst.cells);
	free(e);
}

static void
pool_free(struct service_entry *s, struct pool_entry *e)
{
	TAILQ_REMOVE(&s->pools, e, link);
	free(e->pool.name);
	free(e->pool.cells);
	free(e);
}

static void
service_free(struct service_entry *e)
{
	free(e->service.name);
	free(e->service.cells);
	free(e);
}

static bool
inst_is_unused(const struct instance *i)
{
	for (unsigned w = 0; w < i->n_workers; w++) {
		const struct inst_cell *c = &i->cells[w];

		if (stat_get(&c->inflight) > 0 || stat_get(&c->streams) > 0 ||
		    stat_get(&c->conns) > 0)
			return false;
	}
	return true;
}

static bool
service_is_unused(const struct service *s)
{
	for (unsigned w = 0; w < s->n_workers; w++)
		if (stat_get(&s->cells[w].active) > 0)
			return false;
	return true;
}

static void
pool_collect(struct pool_entry *p, bool force)
{
	struct inst_entry *e, *next;

	for (e = TAILQ_FIRST(&p->instances); e != NULL; e = next) {
		next = TAILQ_NEXT(e, link);
		if (force ||
		    (e->inst.gone && !e->candidate && inst_is_unused(&e->inst)))
			inst_free(p, e);
	}
}

static void
service_collect(struct service_entry *s, bool force)
{
	struct pool_entry *p, *next;

	for (p = TAILQ_FIRST(&s->pools); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		pool_collect(p, force);
		if (force ||
		    (!p->wanted && TAILQ_EMPTY(&p->instances) &&
		        service_is_unused(&s->service)))
			pool_free(s, p);
	}
}

static void
collect(struct registry *r, bool force)
{
	struct service_entry *s, *next;

	for (s = TAILQ_FIRST(&r->services); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		service_collect(s, force);
		if (force ||
		    (!s->wanted && TAILQ_EMPTY(&s->pools) &&
		        service_is_unused(&s->service))) {
			TAILQ_REMOVE(&r->services, s, link);
			service_free(s);
		}
	}
}

void
registry_collect(struct registry *r, bool all_views_current)
{
	ON_CONTROL_THREAD();
	if (all_views_current)
		collect(r, false);
}

void
registry_free(struct registry **rp)
{
	struct registry *r = *rp;

	if (r == NULL)
		return;
	collect(r, true);
	service_free(r->unrouted);
	load_free(&r->load);
	free(r);
	*rp = NULL;
}

/* ---- finding ---- */

struct load *
registry_load(struct registry *r)
{
	return r->load;
}

static struct service_entry *
find_service(struct registry *r, const char *name)
{
	struct service_entry *s;

	TAILQ_FOREACH (s, &r->services, link)
		if (strcmp(s->service.name, name) == 0)
			return s;
	return NULL;
}

static struct pool_entry *
find_pool(struct service_entry *s, const char *name)
{
	struct pool_entry *p;

	TAILQ_FOREACH (p, &s->pools, link)
		if (strcmp(p->pool.name, name) == 0)
			return p;
	return NULL;
}

/* By name and, unless NULL, by address; gone ones are not found. */
static struct inst_entry *
find_inst(struct pool_entry *p, const char *name, const struct addr *addr)
{
	uint64_t hash = registry_name_hash(str_of(name));
	struct inst_entry *e;

	TAILQ_FOREACH (e, &p->instances, link)
		if (e->inst.name_hash == hash &&
		    (!e->inst.gone || e->in_next) &&
		    strcmp(e->inst.name, name) == 0 &&
		    (addr == NULL || addr_eq(&e->inst.addr, addr)))
			return e;
	return NULL;
}

/* ---- applying a configuration ---- */

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
	struct inst_entry *e = find_inst(p, inst, NULL);

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
		f->entry = find_inst(p, inst, &answers->list[i]);
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
		f->entry = find_inst(p, w->name, &f->addr);
	return rc == E_NOENT ? choose_address(r, p, w, f) : rc;
}

static struct inst_entry *
make_entry(struct registry *r, struct pool_entry *p, const struct wish *w,
    const struct addr *addr)
{
	struct inst_entry *e = inst_new(r, p, w->name, addr);

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
	struct pool_entry *p = find_pool(s, cfg->name);
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
	struct service_entry *s = find_service(r, cfg->name);
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
	struct service_entry *s = find_service(r, service);
	struct pool_entry *p = s == NULL ? NULL : find_pool(s, pool);
	struct inst_entry *e;
	struct addr addr;

	if (p == NULL)
		return NULL;
	e = addr_literal(&ci->address, &addr) == E_OK
	    ? find_inst(p, ci->name, &addr)
	    : find_by_name(p, ci->name, ci->address.text);
	if (e == NULL && addr.len == 0) /* another name, perhaps of the same */
		e = find_answered(r, p, ci);
	return e == NULL ? NULL : &e->inst;
}

/* ---- reading ---- */

struct service *
registry_service(struct registry *r, const char *name)
{
	struct service_entry *s = find_service(r, name);

	return s == NULL || !s->wanted ? NULL : &s->service;
}

struct pool *
registry_pool(struct registry *r, const char *service, const char *pool)
{
	struct service_entry *s = find_service(r, service);
	struct pool_entry *p = s == NULL ? NULL : find_pool(s, pool);

	return p == NULL || !p->wanted ? NULL : &p->pool;
}

struct instance *
registry_instance(struct registry *r, const char *service, const char *pool,
    const char *name)
{
	struct service_entry *s = find_service(r, service);
	struct pool_entry *p = s == NULL ? NULL : find_pool(s, pool);
	struct inst_entry *e = p == NULL ? NULL : find_inst(p, name, NULL);

	return e == NULL ? NULL : &e->inst;
}

struct service *
registry_unrouted(struct registry *r)
{
	return &r->unrouted->service;
}

struct service *
registry_service_at(struct registry *r, size_t i)
{
	struct service_entry *s;

	TAILQ_FOREACH (s, &r->services, link)
		if (s->wanted && i-- == 0)
			return &s->service;
	return NULL;
}

static struct service_entry *
entry_of_service(const struct service *s)
{
	return CONTAINER_OF((struct service *)(uintptr_t)s,
	    struct service_entry, service);
}

static struct pool_entry *
entry_of_pool(const struct pool *p)
{
	return CONTAINER_OF((struct pool *)(uintptr_t)p, struct pool_entry,
	    pool);
}

struct pool *
registry_pool_at(struct registry *r UNUSED, const struct service *s, size_t i)
{
	struct pool_entry *p;

	TAILQ_FOREACH (p, &entry_of_service(s)->pools, link)
		if (p->wanted && i-- == 0)
			return &p->pool;
	return NULL;
}

struct instance *
registry_instance_at(struct registry *r UNUSED, const struct pool *p, size_t i)
{
	struct inst_entry *e;

	TAILQ_FOREACH (e, &entry_of_pool(p)->instances, link)
		if (!e->inst.gone && i-- == 0)
			return &e->inst;
	return NULL;
}

struct instance *
registry_instance_next(struct registry *r UNUSED, const struct pool *p,
    const struct instance *prev)
{
	struct inst_entry *e = prev == NULL
	    ? TAILQ_FIRST(&entry_of_pool(p)->instances)
	    : TAILQ_NEXT(CONTAINER_OF((struct instance *)(uintptr_t)prev,
	                     struct inst_entry, inst),
	          link);

	while (e != NULL && e->inst.gone)
		e = TAILQ_NEXT(e, link);
	return e == NULL ? NULL : &e->inst;
}

struct instance *
registry_probed_next(struct registry *r UNUSED, const struct pool *p,
    const struct instance *prev)
{
	struct inst_entry *e = prev == NULL
	    ? TAILQ_FIRST(&entry_of_pool(p)->instances)
	    : TAILQ_NEXT(CONTAINER_OF((struct instance *)(uintptr_t)prev,
	                     struct inst_entry, inst),
	          link);

	while (e != NULL && e->inst.gone && !e->candidate)
		e = TAILQ_NEXT(e, link);
	return e == NULL ? NULL : &e->inst;
}

uint64_t
registry_pool_inflight(struct registry *r UNUSED, const struct pool *p)
{
	struct inst_entry *e;
	uint64_t sum = 0;

	TAILQ_FOREACH (e, &entry_of_pool(p)->instances, link)
		sum += inst_inflight(&e->inst);
	return sum;
}

uint64_t
registry_pool_streams(struct registry *r UNUSED, const struct pool *p)
{
	struct inst_entry *e;
	uint64_t sum = 0;

	TAILQ_FOREACH (e, &entry_of_pool(p)->instances, link)
		sum += inst_streams(&e->inst);
	return sum;
}
