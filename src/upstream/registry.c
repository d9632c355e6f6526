#include "upstream/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stat.h"
#include "base/thread.h"
#include "upstream/load.h"
#include "upstream/probe.h"
#include "upstream/registry_int.h"

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

static void
service_free(struct service_entry *e)
{
	artifacts_free(&e->service.artifacts);
	jwks_free(&e->service.jwks);
	assets_free(&e->service.assets);
	copies_free(&e->service.copies);
	sessions_free(&e->service.sessions);
	free(e->service.name);
	free(e->service.cells);
	free(e);
}

struct service_entry *
service_new(struct registry *r, const char *name)
{
	struct service_entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	TAILQ_INIT(&e->pools);
	TAILQ_INIT(&e->next);
	artifacts_init(&e->service.artifacts);
	jwks_init(&e->service.jwks);
	assets_init(&e->service.assets);
	copies_init(&e->service.copies);
	sessions_init(&e->service.sessions);
	e->service.n_workers = r->n_workers;
	e->service.name = strdup(name);
	e->service.cells = cells_new(r->n_workers, sizeof(struct service_cell));
	if (e->service.name == NULL || e->service.cells == NULL) {
		service_free(e);
		return NULL;
	}
	return e;
}

struct pool_entry *
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
    const char *host, const struct addr *addr)
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
	e->inst.host = strdup(host);
	if (e->inst.name == NULL || e->inst.cells == NULL ||
	    e->inst.host == NULL) {
		free(e->inst.host);
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
	for (unsigned i = 0; i < e->inst.n_workers; i++)
		tls_kept_drop(&e->inst.cells[i].tls_kept);
	free(e->inst.eject.window_latency);
	free(e->inst.host);
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

struct service_entry *
service_find(struct registry *r, const char *name)
{
	struct service_entry *s;

	TAILQ_FOREACH (s, &r->services, link)
		if (strcmp(s->service.name, name) == 0)
			return s;
	return NULL;
}

struct pool_entry *
pool_find(struct service_entry *s, const char *name)
{
	struct pool_entry *p;

	TAILQ_FOREACH (p, &s->pools, link)
		if (strcmp(p->pool.name, name) == 0)
			return p;
	return NULL;
}

struct inst_entry *
inst_find(struct pool_entry *p, const char *name, const struct addr *addr)
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
