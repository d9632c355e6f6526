/*
 * feed - what happened, for whoever watches: a bounded ring of events with
 * subscribers; the last ones are kept for those who come late.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_FEED_H
#define ROLLOUT_FEED_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

#define FEED_KEPT 512
#define FEED_TEXT_MAX 256
#define FEED_NAME_MAX 64
#define FEED_SUBSCRIBERS_MAX 8 /* rooms, not clients */

/* One row a type: identifier, name. */
#define FEED_TYPES(X)                                                          \
	X(COMMAND, "command") /* an operator's, with its result */             \
	X(POOL, "pool")       /* a pool changed its state or share */          \
	X(ROLLOUT, "rollout") /* one went on by a step, or ended */            \
	X(HEALTH, "health")   /* an instance changed its health */             \
	X(EJECT, "eject")     /* an instance rests, or is in again */          \
	X(KEYS, "keys")       /* a pool lacks keys of others, or has them */   \
	X(RELOAD, "reload")                                                    \
	X(PROCESS, "process") /* started, stopping */

#define X(id, name) FEED_##id,
enum feed_type { FEED_TYPES(X) FEED_TYPE_COUNT };
#undef X

struct feed_event {
	uint64_t id; /* from 1, grows by one */
	uint64_t wall_us;
	uint8_t type; /* enum feed_type */
	char service[FEED_NAME_MAX];
	char pool[FEED_NAME_MAX];
	char instance[FEED_NAME_MAX];
	char who[FEED_NAME_MAX];
	char text[FEED_TEXT_MAX];
};

struct feed;
typedef void feed_fn(const struct feed_event *, void *arg);

struct feed *feed_new(void) MUST_CHECK;
void feed_free(struct feed **);
/* Stamps id and time; e is copied. */
void feed_tell(struct feed *, const struct feed_event *e);
/*
 * fn is called for each event from now on; it may tell, subscribe and
 * unsubscribe.  False: there is no room.
 */
bool feed_subscribe(struct feed *, feed_fn *, void *arg);
void feed_unsubscribe(struct feed *, feed_fn *, void *arg);
/*
 * The oldest kept event after id; NULL when there is none.  Borrowed until
 * FEED_KEPT more are told.
 */
const struct feed_event *feed_after(const struct feed *, uint64_t id);
uint64_t feed_last_id(const struct feed *);
const char *feed_type_name(enum feed_type);
void feed_write(const struct feed_event *, struct buf *out); /* as JSON */

#endif
