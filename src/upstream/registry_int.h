/*
 * registry_int - the registry's own bookkeeping; upstream/ only.
 *
 * Thread: control.
 */
#ifndef UPSTREAM_REGISTRY_INT_H
#define UPSTREAM_REGISTRY_INT_H
#include <sys/queue.h>

#include "upstream/names.h"
#include "upstream/registry.h"

struct board;

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
	struct name *name;      /* one ref; NULL: the address is no name */
	struct name *next_name; /* the same, in the next configuration */
	/* The name's new address, not taken over yet, and since when. */
	struct addr other;
	uint64_t other_since_us; /* monotonic, 0: there is none */
	/*
	 * This is to follow the instance of the same name as soon as it has
	 * proved itself; until then it is gone to all but its probe.
	 */
	bool candidate;
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
	struct names *names; /* borrowed; NULL: names are looked up at once */
	struct board *board; /* borrowed; NULL: none */
	uint64_t wait_by_us; /* monotonic: names have an answer by then */
	bool again;          /* a process before us has served */
	bool applied;        /* once */
	struct load *load;   /* owned */
};

struct service_entry *service_new(struct registry *, const char *name);
struct pool_entry *pool_new(struct registry *, struct service_entry *,
    const char *name);
/* One that is gone, until somebody says that it is not; NULL: no memory. */
struct inst_entry *inst_new(struct registry *, struct pool_entry *,
    const char *name, const char *host, const struct addr *) MUST_CHECK;
/* Wanted or not; NULL: there is none of that name. */
struct service_entry *service_find(struct registry *, const char *name);
struct pool_entry *pool_find(struct service_entry *, const char *name);
/* By name and, unless NULL, by address; gone ones are not found. */
struct inst_entry *inst_find(struct pool_entry *, const char *name,
    const struct addr *);
/* Notes the address for the next process, if it is a name's. */
void inst_note_address(const struct registry *, const struct inst_entry *);
/* Ends a candidate; it is collected in time. */
void candidate_drop(struct inst_entry *);
/* After a change of configuration: those of whom nobody is left to follow. */
void candidates_fit(struct pool_entry *);
/* The hash that pins carry; the same as session/pin's, tested to be. */
uint64_t registry_name_hash(struct str name);

#endif
