/*
 * uptrunk - a connection of HTTP/2 to an instance, and the streams of it that
 * are lent to exchanges.  Inside upstream only.
 *
 * There is one for each worker and instance, as a rule: whoever asks while it
 * is being dialled waits for it, and another is made only when the instance
 * takes no more streams on it.  (Where ALPN is to choose, nobody waits for a
 * connection that may turn out to be HTTP/1: the first few dial their own.)
 *
 * It takes no more streams when the instance has said GOAWAY or leaves, when it
 * was made before a reload, and when it did not say a word to somebody who
 * waited in vain; it is closed once the last stream has ended.  An idle one is
 * held to the rules of idle connections (upstream/conncache).
 *
 * Thread: worker.
 */
#ifndef UPSTREAM_UPTRUNK_H
#define UPSTREAM_UPTRUNK_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "upstream/conncache_int.h"

struct trunk;

struct uptrunk {
	LIST_ENTRY(uptrunk) link;   /* of its cache */
	struct upconn *conn;        /* owned; owns us, once closed */
	struct trunk *trunk;        /* owned; NULL: not connected yet */
	struct upconn_list waiting; /* until it is */
	uint64_t idle_since_us;
	uint64_t idle_us;   /* at most, as its last user said */
	unsigned max_idle;  /* of its cache, so too */
	unsigned n_streams; /* lent, with those that wait */
	bool needs_h2;      /* ALPN must choose it */
	bool leaving;       /* takes no more */
	bool telling;       /* those that waited */
};

/* Results as of upconn_take() and upconn_dial(). */
struct upconn *uptrunk_take(struct conncache *,
    const struct upask *) MUST_CHECK;
int uptrunk_dial(struct conncache *, const struct upask *,
    const struct lane_user *, void *arg, struct upconn **out) MUST_CHECK;
/* *up, just connected, becomes a trunk and then the first stream of it. */
int uptrunk_split(struct upconn **) MUST_CHECK;
/* The next one to end says how long it may be idle. */
void uptrunk_keep(struct uptrunk *, uint64_t idle_us, unsigned max_idle);
/* It asks no more, or never has: a stream's end may be due to that. */
bool uptrunk_is_ending(const struct uptrunk *);
/* A stream is closed; maybe its trunk, too. */
void uptrunk_let_go(struct upconn *);
/* Closes idle ones, and those of an instance that leaves when they are. */
void uptrunk_drop_idle(struct conncache *);

#endif
