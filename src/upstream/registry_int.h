/*
 * registry_int - the registry's own bookkeeping; upstream/ only.
 *
 * Thread: control.
 */
#ifndef UPSTREAM_REGISTRY_INT_H
#define UPSTREAM_REGISTRY_INT_H
#include <sys/queue.h>

#include "upstream/registry.h"

struct inst_entry {
	struct instance inst;
	TAILQ_ENTRY(inst_entry) link;
	bool wanted, was_wanted;
};

struct pool_entry {
	struct pool pool;
	TAILQ_ENTRY(pool_entry) link;
	TAILQ_HEAD(, inst_entry) instances;
	bool wanted, was_wanted;
};

struct service_entry {
	struct service service;
	TAILQ_ENTRY(service_entry) link;
	TAILQ_HEAD(, pool_entry) pools;
	bool wanted, was_wanted;
};

struct registry {
	unsigned n_workers;
	TAILQ_HEAD(, service_entry) services;
	struct service_entry *unrouted;
};

struct service_entry *service_new(struct registry *, const char *name);
/* The hash that pins carry; the same as session/pin's, tested to be. */
uint64_t registry_name_hash(struct str name);

#endif
