/*
 * sessions - the records of a service's sessions: on which pool each one is,
 * when it was first and last seen.
 *
 * Nobody is routed by them, the pin is enough for that; they are what operators
 * count, look for, and wait for in a drain.  So one that finds no room, or no
 * memory, is served as any other, and counted as lost here.
 *
 * A session has one record in a process, whichever workers see it, and is on
 * one pool.  It ends when it was not seen for the idle time, when its pin has
 * come to its age, or when its pin is void.
 *
 * Thread: any, but as said.  Times are monotonic.
 */
#ifndef UPSTREAM_SESSIONS_H
#define UPSTREAM_SESSIONS_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/stat.h"

#define SESSIONS_SHARDS 64
/* Names of pools that records may be on; more are counted as lost. */
#define SESSIONS_POOLS 32
/* So often within the idle time others are told of one that is seen. */
#define SESSIONS_TELLS 6

struct session {
	uint64_t id;   /* of its pin; never 0 */
	uint64_t pool; /* pin_name_hash() of its name */
	uint32_t first_s, seen_s;
	uint32_t ends_s; /* its pin is too old then */
	uint32_t epoch;  /* of its pin */
	uint16_t bucket;
};

struct session_row; /* 32 bytes */

struct session_shard {
	pthread_mutex_t mutex;
	struct session_row *rows; /* owned; NULL: none yet */
	uint32_t size, n;         /* a power of two; in use */
};

struct session_pool {
	_Atomic uint64_t pool;    /* hash of its name; 0: free */
	_Atomic uint64_t n;       /* records on it */
	_Atomic uint32_t least;   /* pins of older epochs are void */
	_Atomic uint64_t lost_us; /* one found no room; 0: never */
	_Atomic uint64_t left_us; /* one has moved to another; 0: never */
	/* control: */
	uint64_t shared; /* of all proxies, when Redis was asked last */
	bool retell;     /* others are to be told of each once more */
};

struct sessions {
	_Atomic(struct session_shard *) shards; /* owned; NULL: none seen yet */
	struct session_pool pools[SESSIONS_POOLS];
	/* control: */
	uint64_t idle_us;   /* one not seen for so long has ended */
	uint64_t shared_us; /* Redis has said how many there are; 0: never */
	uint64_t shared_since_us; /* wall clock: nothing was lost there since */
	uint64_t untold; /* it was not told of some in the last sweep */

	_Atomic uint64_t n;
	_Atomic uint64_t lost; /* ever: found no room */
};

void sessions_init(struct sessions *);
void sessions_free(struct sessions *);

/*
 * It was seen now; .first_s and .seen_s are not asked for.  most: so many may
 * be recorded.
 */
void sessions_see(struct sessions *, const struct session *, uint64_t now_us,
    uint64_t most);

/* Records on that pool. */
uint64_t sessions_on(const struct sessions *, uint64_t pool);
/* When one of that pool last found no room, or has left it; 0: never. */
uint64_t sessions_lost_us(const struct sessions *, uint64_t pool);
uint64_t sessions_left_us(const struct sessions *, uint64_t pool);
/* Control: pins to that pool that are older than this are void. */
void sessions_void(struct sessions *, uint64_t pool, uint32_t epoch);

bool sessions_find(struct sessions *, uint64_t id, struct session *out);
/* Calls fn for each, in no order; fn may not call any of these. */
typedef void session_fn(const struct session *, void *arg);
void sessions_each(struct sessions *, session_fn *fn, void *arg);
/*
 * Control: forgets those that have ended, and gives memory back that is not
 * needed any more.  Its work is a look at each record: to be called about once
 * a second.
 *
 * tell: of those that others are to be told of, in no order; workers do not wait
 * meanwhile.  It may call none of these but sessions_see() and
 * sessions_retell().  False: not now.  NULL: nobody is to be told.
 */
typedef bool session_tell_fn(const struct session *, void *arg);
void sessions_sweep(struct sessions *, uint64_t now_us, session_tell_fn *tell,
    void *arg);
/* Control: what others were told, of all or of that pool, may be lost. */
void sessions_retell(struct sessions *);
void sessions_retell_of(struct sessions *, uint64_t pool);
/*
 * Control: another proxy knows a pin of it with that epoch, to another pool: if
 * ours is older, it is not on that pool any more.
 */
void sessions_left(struct sessions *, uint64_t id, uint64_t pool,
    uint32_t epoch, uint64_t now_us);

/* ---- of all proxies; control ---- */

void sessions_share(struct sessions *, uint64_t pool, uint64_t n);
/* Has Redis answered of late? */
bool sessions_are_shared(const struct sessions *, uint64_t now_us);
/* On that pool; only when they are shared. */
uint64_t sessions_shared_on(const struct sessions *, uint64_t pool);

#endif
