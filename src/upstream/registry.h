/*
 * registry - the control thread's set of services, pools and instances; keeps
 * each object as long as anybody may use it, and builds views.
 *
 * Objects are keyed by name (instances by pool, name and address), so health,
 * counters and pins survive a reload.  An instance that is no longer wanted
 * is marked gone and freed when no view and no cell refers to it.
 *
 * A name with several addresses is one instance: it stays at the address it
 * has as long as that is among them, and otherwise goes to the first.
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

struct board;
struct keyring;
struct name;
struct names;
struct load;
struct registry;

/* How the rollout wants a pool to be routed: its part of the next view. */
struct pool_plan {
	char pool[CFG_NAME_MAX + 1];
	uint32_t share_bp;  /* of new sessions */
	bool in_use;        /* it has, or had, users */
	uint32_t mirror_bp; /* of requests of others that are copied to it */
	uint32_t min_epoch, move_epoch;
	uint8_t pins_to; /* in the service's plan, from 1; 0: none */
	uint8_t pins;    /* enum view_pins */
	uint8_t cut;     /* enum view_cut bits */
	bool serves;
};
struct service_plan {
	char service[CFG_NAME_MAX + 1];
	uint32_t epoch;
	uint8_t hold; /* enum hold */
	struct pool_plan pools[CFG_POOLS_MAX];
	size_t n_pools;
	struct view_order orders[VIEW_ORDERS_MAX]; /* .to: of .pools */
	size_t n_orders;
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
 * Where names are resolved, and the memory of the process before; again: there
 * was one.  Without this names are looked up at once, and not again.
 */
void registry_use(struct registry *, struct names *, struct board *,
    bool again);
/* Before the names are freed. */
void registry_forget_names(struct registry *);

/*
 * Makes the objects of a configuration and of the run-time instances exist
 * and marks what is wanted no more as gone.  An instance whose name stays the
 * same stays where it is; a name that was not known is waited for (blocks for
 * some seconds at most).  On error (E_NOENT, E_TIMEOUT: a name does not
 * resolve; E_SYNTAX, E_RANGE: a run-time instance's address is none; why says
 * which) nothing has changed.
 *
 * With names of its own, the first call takes run-time instances whose name
 * does not resolve as down and without an address; after a crash, those of
 * the configuration too, and others at the address they had.
 */
int registry_apply(struct registry *, struct cfg *,
    const struct instance_plan *, size_t n, char *why, size_t cap) MUST_CHECK;
/* The admin words alone; who has none is in. */
void registry_set_admin(struct registry *, const struct instance_plan *,
    size_t n);
/* Would registry_apply() find an address for each?  Blocks as it does. */
int registry_check_names(struct registry *, const struct cfg *, char *why,
    size_t cap) MUST_CHECK;
int registry_check_address(struct registry *, const char *address, char *why,
    size_t cap) MUST_CHECK;
/* The instance that would stay as it is under that row, or NULL. */
struct instance *registry_stays(struct registry *, const char *service,
    const char *pool, const struct cfg_instance *);

/* ---- names that resolve to something else (registry_follow.c) ---- */
/*
 * Looks at all answers.  An address that was among none for hold_us, or that
 * is down, gets a candidate: an instance at the new address that takes part
 * in nothing but probes.  True: there are new ones, or an instance without an
 * address has got one; probes and a view are needed.
 */
bool registry_follow(struct registry *, uint64_t hold_us);
bool registry_is_candidate(const struct instance *);
/* It has proved itself: it takes the place of the one before, which goes. */
void registry_promote(struct registry *, struct instance *candidate);
/* The name an instance follows, or NULL. */
const struct name *registry_name(const struct instance *);
/* It went down: perhaps it is elsewhere now. */
void registry_ask_name(const struct instance *);

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
/* What the workers have on their hands; lives as long as the registry. */
struct load *registry_load(struct registry *);
/* Each in configuration order; i from 0; NULL past the end; gone ones not. */
struct service *registry_service_at(struct registry *, size_t i);
/* The one after prev (NULL: the first) of those. */
struct service *registry_service_next(struct registry *,
    const struct service *prev);
struct pool *registry_pool_at(struct registry *, const struct service *,
    size_t i);
struct instance *registry_instance_at(struct registry *, const struct pool *,
    size_t i);
/* The one after prev (NULL: the first) of those, to walk over all. */
struct instance *registry_instance_next(struct registry *, const struct pool *,
    const struct instance *prev);
/* The same, candidates included: all that have a probe. */
struct instance *registry_probed_next(struct registry *, const struct pool *,
    const struct instance *prev);
/* Sums of a pool over its instances and workers, gone ones included. */
uint64_t registry_pool_inflight(struct registry *, const struct pool *);
uint64_t registry_pool_streams(struct registry *, const struct pool *);

#endif
