/*
 * registry - the control thread's set of services, pools and instances; keeps
 * each object as long as anybody may use it, and builds views.
 *
 * Objects are keyed by name (instances by pool, name and address), so health,
 * counters and pins survive a reload.  An instance that is no longer wanted
 * is marked gone and freed when no view and no cell refers to it.
 *
 * Thread: control.
 */
#ifndef UPSTREAM_REGISTRY_H
#define UPSTREAM_REGISTRY_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"
#include "config/config.h"
#include "upstream/model.h"
#include "upstream/view.h"

struct keyring;
struct registry;

/* How the rollout wants a pool to be routed: its part of the next view. */
struct pool_plan {
	char pool[CFG_NAME_MAX + 1];
	uint32_t share_bp; /* of new sessions */
	uint32_t min_epoch;
	uint8_t pins; /* enum view_pins */
	uint8_t cut;  /* enum view_cut bits */
	bool serves;
};
struct service_plan {
	char service[CFG_NAME_MAX + 1];
	uint32_t epoch;
	struct pool_plan pools[CFG_POOLS_MAX];
	size_t n_pools;
};
/* An instance added by a command, or removed, or set aside by one. */
struct instance_plan {
	char service[CFG_NAME_MAX + 1];
	char pool[CFG_NAME_MAX + 1];
	char name[CFG_NAME_MAX + 1];
	char address[ADDR_TEXT_MAX]; /* of an added one; else empty */
	unsigned weight;
	bool removed;
	uint8_t admin; /* enum inst_admin */
};

struct registry *registry_new(unsigned n_workers) MUST_CHECK;
void registry_free(struct registry **); /* after workers and views */

/*
 * Makes the objects of a configuration and of the run-time instances exist
 * and marks what is wanted no more as gone.  Names are resolved here (may
 * block).  On error (E_NOENT: a name does not resolve; E_SYNTAX, E_RANGE: a
 * run-time instance's address is none; why says which) nothing has changed.
 */
int registry_apply(struct registry *, struct cfg *,
    const struct instance_plan *, size_t n, char *why, size_t cap) MUST_CHECK;

/* A view of the present health and admin words under the given plans. */
struct view *registry_view(struct registry *, struct cfg *, struct keyring *,
    const struct service_plan *, size_t n) MUST_CHECK;

/*
 * Frees what is gone and counted in no cell; nothing unless all_views_current:
 * every worker has adopted a view built after it went.
 */
void registry_collect(struct registry *, bool all_views_current);

struct service *registry_service(struct registry *, const char *name);
struct pool *registry_pool(struct registry *, const char *service,
    const char *pool);
struct instance *registry_instance(struct registry *, const char *service,
    const char *pool, const char *name);
/* The service that counts what reached none. */
struct service *registry_unrouted(struct registry *);
/* Each in configuration order; i from 0; NULL past the end; gone ones not. */
struct service *registry_service_at(struct registry *, size_t i);
struct pool *registry_pool_at(struct registry *, const struct service *,
    size_t i);
struct instance *registry_instance_at(struct registry *, const struct pool *,
    size_t i);
/* The one after prev (NULL: the first) of those, to walk over all. */
struct instance *registry_instance_next(struct registry *, const struct pool *,
    const struct instance *prev);
/* Sums of a pool over its instances and workers, gone ones included. */
uint64_t registry_pool_inflight(struct registry *, const struct pool *);
uint64_t registry_pool_streams(struct registry *, const struct pool *);

#endif
