/*
 * names - what the names of instances resolve to, asked again on a timer.
 *
 * Only good answers count: an empty or failed one leaves the last good one in
 * place, is counted, and told in the log when that begins and ends.
 *
 * Thread: control.
 */
#ifndef UPSTREAM_NAMES_H
#define UPSTREAM_NAMES_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "config/config.h"
#include "net/resolver.h"

struct names;

/* One "host:port" of the configuration or of a command; read only. */
struct name {
	TAILQ_ENTRY(name) link;
	struct cfg_addr addr;    /* .text and .host owned */
	struct addr_list answer; /* the last good one */
	uint64_t answered_us;    /* monotonic; when it came, 0: never */
	uint64_t failed;         /* answers ever that were none */
	bool failing;            /* the last one was none, or is late */
	/* names.c only: */
	struct names *names;
	uint64_t asked_us, due_us; /* monotonic; due 0: by the interval */
	unsigned refs;
	bool asked, late;
};

typedef void names_fn(void *arg);

/* fn: called from the loop when something was answered. */
int names_new(struct loop *, resolver_look_fn *, names_fn *, void *arg,
    struct names **out) MUST_CHECK;
void names_free(struct names **); /* all of them, refs or not */

/* The row of a name, made if need be, with a reference; NULL: no memory. */
struct name *names_take(struct names *, const struct cfg_addr *) MUST_CHECK;
struct name *name_ref(struct name *);
void name_unref(struct name **); /* NULL is fine */

/*
 * E_OK at once when there is an answer; else waits for one until by_us
 * (monotonic) and blocks the loop so long.  E_NOENT, E_TIMEOUT, E_NOMEM.
 */
int name_await(struct name *, uint64_t by_us) MUST_CHECK;
/* Asks anew at that time (monotonic), if not before. */
void name_ask_by(struct name *, uint64_t due_us);
void names_ask_all(struct names *);
/*
 * Asks what is due, interval_us after the last time (0: only what was wanted
 * sooner), and frees what nobody refers to.
 */
void names_tick(struct names *, uint64_t interval_us);

#endif
