/*
 * What the registry holds, for those who ask by name or one after the other.
 */
#include "upstream/registry_int.h"

struct service *
registry_service(struct registry *r, const char *name)
{
	struct service_entry *s = service_find(r, name);

	return s == NULL || !s->wanted ? NULL : &s->service;
}

struct pool *
registry_pool(struct registry *r, const char *service, const char *pool)
{
	struct service_entry *s = service_find(r, service);
	struct pool_entry *p = s == NULL ? NULL : pool_find(s, pool);

	return p == NULL || !p->wanted ? NULL : &p->pool;
}

struct instance *
registry_instance(struct registry *r, const char *service, const char *pool,
    const char *name)
{
	struct service_entry *s = service_find(r, service);
	struct pool_entry *p = s == NULL ? NULL : pool_find(s, pool);
	struct inst_entry *e = p == NULL ? NULL : inst_find(p, name, NULL);

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

struct service *
registry_service_next(struct registry *r, const struct service *prev)
{
	struct service_entry *e = prev == NULL
	    ? TAILQ_FIRST(&r->services)
	    : TAILQ_NEXT(entry_of_service(prev), link);

	while (e != NULL && !e->wanted)
		e = TAILQ_NEXT(e, link);
	return e == NULL ? NULL : &e->service;
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

/* Of those that are gone, too; prev NULL: the first. */
static struct inst_entry *
entry_after(const struct pool *p, const struct instance *prev)
{
	struct instance *i = (struct instance *)(uintptr_t)prev;

	return i == NULL
	    ? TAILQ_FIRST(&entry_of_pool(p)->instances)
	    : TAILQ_NEXT(CONTAINER_OF(i, struct inst_entry, inst), link);
}

struct instance *
registry_instance_next(struct registry *r UNUSED, const struct pool *p,
    const struct instance *prev)
{
	struct inst_entry *e = entry_after(p, prev);

	while (e != NULL && e->inst.gone)
		e = TAILQ_NEXT(e, link);
	return e == NULL ? NULL : &e->inst;
}

struct instance *
registry_probed_next(struct registry *r UNUSED, const struct pool *p,
    const struct instance *prev)
{
	struct inst_entry *e = entry_after(p, prev);

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
