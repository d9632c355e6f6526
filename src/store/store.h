/*
 * store - what several proxies, or this one after a restart, must know: short
 * values by keys, each with a time to live.
 *
 * Three bodies: memory (a shelf that the threads of a process share), Redis (a
 * connection for each thread), and none.  Nobody but who asks ever waits: what
 * is put goes behind, bounded, and is sent when it can be.  When the store is
 * away, that is an answer, too.
 *
 * Thread: the loop's own; what is in its stats is read by any.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/stat.h"
#include "base/str.h"

struct cfg_store;
struct loop;
struct shelf;
struct store;
struct store_request;

#define STORE_KEY_MAX 255    /* bytes, none of them a space or below */
#define STORE_VALUE_MAX 4096 /* bytes, any, and one at least */
#define STORE_FIRST_MAX 4

/* One row an answer to who asks: identifier, name in metrics. */
#define STORE_ANSWERS(X)                                                       \
	X(FOUND, "found")                                                      \
	X(NONE, "none") /* no such key, or no value of ours under it */        \
	X(LATE, "late") /* not within the time */                              \
	X(AWAY, "away") /* it cannot be reached, or has not answered of late */
#define X(id, name) STORE_##id,
enum store_answer { STORE_ANSWERS(X) STORE_ANSWER_COUNT };
#undef X

/* One row a reason why a store is away, or does not take what is put. */
#define STORE_WHYS(X)                                                          \
	X(NOTHING, "", "")                                                     \
	X(CONNECTING, "connecting", "no connection yet")                       \
	X(REFUSED, "refused", "nobody listens there")                          \
	X(UNREACHABLE, "unreachable", "it cannot be reached")                  \
	X(NO_NAME, "no_name", "its name has no address")                       \
	X(NO_ANSWER, "no_answer", "it is connected and does not answer")       \
	X(LATE, "late", "it answers too late")                                 \
	X(CLOSED, "closed", "it has closed the connection")                    \
	X(AUTH, "auth", "user or password are wrong")                          \
	X(DENIED, "denied", "the user may not use these commands or keys")     \
	X(DATABASE, "database", "there is no such database")                   \
	X(READ_ONLY, "read_only", "it is a replica, which takes no writes")    \
	X(FULL, "full", "it has no memory left")                               \
	X(DISK, "disk", "it cannot save, and takes no writes")                 \
	X(LOADING, "loading", "it is loading its data, or busy")               \
	X(CLUSTERED, "clustered",                                              \
	    "it is one of a Redis Cluster, which is not "                      \
	    "spoken here")                                                     \
	X(PROTECTED, "protected", "its protected mode lets nobody in")         \
	X(CLIENTS, "clients", "it has as many clients as it may")              \
	X(NO_FILE, "no_file", "there is no such socket")                       \
	X(FORBIDDEN, "forbidden",                                              \
	    "the user or group of segued may not use "                         \
	    "its socket")                                                      \
	X(NO_SENTINEL, "no_sentinel", "no sentinel answers")                   \
	X(NO_MASTER, "no_master", "no sentinel knows a master of that name")   \
	X(WRONG_TYPE, "wrong_type", "another kind of value is under the key")  \
	X(BROKEN, "broken", "it does not speak Redis's protocol")              \
	X(STRANGE, "strange", "it refuses a command for another reason")
#define X(id, name, text) STORE_WHY_##id,
enum store_why { STORE_WHYS(X) STORE_WHY_COUNT };
#undef X

/* One row a state: identifier, name in metrics and status. */
#define STORE_STATES(X)                                                        \
	X(UP, "up")                                                            \
	X(SLOW, "slow") /* connected; who asks is told "away" at once */       \
	X(DOWN, "down") /* away */
#define X(id, name) STORE_##id,
enum store_state { STORE_STATES(X) STORE_STATE_COUNT };
#undef X

/* Written by the store's thread. */
struct store_stats {
	_Atomic uint8_t state; /* enum store_state */
	_Atomic uint8_t why;   /* enum store_why, unless it is up */
	/* enum store_why: the last put, the last look-up was refused */
	_Atomic uint8_t refuses_puts, refuses_looks;
	stat_u64 since_us; /* wall clock: in that state since */
	stat_u64 asked[STORE_ANSWER_COUNT];
	stat_u64 put;     /* values that it has taken */
	stat_u64 dropped; /* ... that had no place in the queue */
	stat_u64 failed[STORE_WHY_COUNT]; /* ... that it has refused */
	stat_u64 queued;                  /* now, sent or not */
	stat_u64 strange;  /* values under our keys that are none of ours */
	stat_u64 commands; /* sent */
	stat_u64 connects; /* connections that were ready */
	struct hist latency;
} CACHE_ALIGNED;

struct store_env {
	struct loop *loop;
	const struct cfg_store *cfg; /* borrowed, as long as the store */
	const char *password;        /* borrowed; NULL: none */
	struct shelf *shelf;         /* of type memory; borrowed */
	struct store_stats *stats;   /* borrowed; all 0 */
	const char *name;            /* of the thread, for the log; borrowed */
};

int store_open(const struct store_env *, struct store **out) MUST_CHECK;
/* What is queued is lost; who asks is not told any more. */
void store_close(struct store **);

/* ---- asking ---- */

/* value: borrowed for the call; {NULL, 0} unless it is STORE_FOUND. */
typedef void store_fn(enum store_answer, struct str value, void *arg);

/* Owned by who asks; all 0 at first. */
struct store_ask {
	store_fn *fn;
	void *arg;
	struct store_request *request; /* NULL: it is not under way */
};

/*
 * The value of the first of n keys (at most STORE_FIRST_MAX) that has one.
 * .fn is called once, by the configured timeout at the latest, perhaps before
 * this returns.
 */
void store_first(struct store *, const struct str *keys, size_t n,
    struct store_ask *);
/* .fn will not be called. */
void store_forget(struct store *, struct store_ask *);

/* ---- telling ---- */

enum store_how {
	STORE_SET,  /* whatever is there */
	STORE_KEEP, /* what is there stays, and its time with it */
};
/* ttl_ms: from 1. */
void store_put(struct store *, struct str key, struct str value,
    uint64_t ttl_ms, enum store_how);
void store_drop(struct store *, struct str key);
/*
 * It leaves now, and not at the end of the turn: for who is about to tell
 * others what they may look up.
 */
void store_flush(struct store *);

/* ---- how it is ---- */
const char *store_answer_name(enum store_answer);
const char *store_state_name(enum store_state);
const char *store_why_name(enum store_why);
const char *store_why_text(enum store_why);

#endif
