/*
 * registry_int - the registry's own bookkeeping; upstream/ only.
 *
 * Thread: control.
 */
#ifndef UPSTREAM_REGISTRY_INT_H
#define UPSTREAM_REGISTRY_INT_H
#include <sys/queue.h>

#include "upstream/registry.h"

/*
 * .wanted: the configuration applied has it.  While the next one is being
 * applied, what it has stands in lists of its own, in its order, and becomes
 * wanted only when nothing can fail any more.
 */
struct inst_entry {
	struct instance inst;
	TAILQ_ENTRY(inst_entry) link, next_link;
	bool in_next;
	bool next_runtime;
	uint8_t next_admin;
	uint32_t next_weight;
};

TAILQ_HEAD(inst_list, inst_entry);

struct pool_entry {
	struct pool pool;
	TAILQ_ENTRY(pool_entry) link, next_link;
	struct inst_list instances, next;
	bool wanted, in_next;
};

TAILQ_HEAD(pool_list, pool_entry);

struct service_entry {
	struct service service;
	TAILQ_ENTRY(service_entry) link, next_link;
	struct pool_list pools, next;
	bool wanted, in_next;
};

TAILQ_HEAD(service_list, service_entry);

struct registry {
	unsigned n_workers;
	struct service_list services, next;
	struct service_entry *unrouted;
};

struct service_entry *service_new(struct registry *, const char *name);
/* The hash that pins carry; the same as session/pin's, tested to be. */
uint64_t registry_name_hash(struct str name);

#endif
