/*
 * copies - what a service answered lately at a few public paths, to be said
 * again while its requests are held.
 *
 * Thread: any; a copy is immutable once it was put.
 */
#ifndef UPSTREAM_COPIES_H
#define UPSTREAM_COPIES_H
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

#define COPIES_MAX 32 /* of a service */
#define COPY_BODY_MAX ((size_t)64 << 10)
#define COPY_FRESH_US (UINT64_C(5) * 1000000)    /* so often one is made anew */
#define COPY_STALE_US (UINT64_C(3600) * 1000000) /* older ones are not given */

struct copy {
	_Atomic unsigned refs;
	uint64_t key;           /* of place and path */
	struct buf place, path; /* scheme and host; path */
	uint32_t asked;         /* how often it could have been made */
	struct buf type;        /* Content-Type; empty: none */
	bool for_all;           /* Access-Control-Allow-Origin: "*" */
	struct buf body;
	uint64_t taken_us; /* monotonic */
};

/* One ref; NULL without memory. */
struct copy *copy_new(struct str place, struct str path) MUST_CHECK;
void copy_unref(struct copy **);

struct copies {
	pthread_mutex_t mutex;
	struct copy *list[COPIES_MAX]; /* one ref each */
	size_t n;
};

void copies_init(struct copies *);
void copies_free(struct copies *);
/* One ref, NULL when there is none, or it is stale. */
struct copy *copies_get(struct copies *, struct str place, struct str path,
    uint64_t now_us) MUST_CHECK;
/* Is there none, or one that is not fresh? */
bool copies_want(struct copies *, struct str place, struct str path,
    uint64_t now_us);
/*
 * Takes the caller's ref.  In place of the one of the same place and path, or
 * beside the others; where there is no room, of the one that was asked for
 * least often: strangers who ask for many do not drive out what all ask for.
 */
void copies_put(struct copies *, struct copy **);

#endif
