/*
 * bus - messages between proxies through Redis, and scripts that it runs as
 * one: two connections, one that hears a channel and one for the rest.
 *
 * Messages are not kept: who is away misses them.
 *
 * Thread: the loop's own.
 */
#ifndef STORE_BUS_H
#define STORE_BUS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "store/store.h"

struct bus;

#define BUS_VALUES_MAX 4

/* text: borrowed for the call; our own messages are heard, too. */
typedef void bus_message_fn(struct str text, void *arg);
/* It can be used, or not any more; perhaps again and again. */
typedef void bus_turned_fn(bool up, enum store_why, void *arg);
/* n texts, borrowed for the call; 0: nobody knows whether it was run. */
typedef void bus_reply_fn(const struct str *values, size_t n, void *arg);

struct bus_env {
	const struct store_env *store; /* of type redis; borrowed for the call,
	                                  what it leads to as long as the bus */
	const char *channel; /* borrowed, as long as the bus; NULL: none is
	                        heard, and there is one connection */
	bus_message_fn *message;
	bus_turned_fn *turned;
	void *arg;
};

/* Begins at once; nothing is called before it returns. */
int bus_new(const struct bus_env *, struct bus **out) MUST_CHECK;
/* Nothing is called any more. */
void bus_free(struct bus **);
bool bus_is_up(const struct bus *);
/* What was sent so far is taken; no more. */
void bus_tell(struct bus *, struct str text);
/*
 * Runs a script of Lua that returns a list of at most BUS_VALUES_MAX texts;
 * words: its keys, n_keys of them, then its arguments.  fn is called once,
 * perhaps before this returns.
 */
void bus_run(struct bus *, const char *script, const struct str *words,
    size_t n_keys, size_t n, bus_reply_fn *fn, void *arg);
/* What was said leaves now. */
void bus_flush(struct bus *);
/* Both connections are no good: others are tried. */
void bus_drop(struct bus *);

#endif
