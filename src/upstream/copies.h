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
#define COPY_FRESH_US (UINT64_C(5) * 1000000) /* so often one is made anew */

struct copy {
	_Atomic unsigned refs;
	uint64_t key; /* of host and path */
	struct buf host, path;
	struct buf type; /* Content-Type; empty: none */
	bool for_all;    /* Access-Control-Allow-Origin: "*" */
	struct buf body;
	uint64_t taken_us; /* monotonic */
};

/* One ref; NULL without memory. */
struct copy *copy_new(struct str host, struct str path) MUST_CHECK;
void copy_unref(struct copy **);

struct copies {
	pthread_mutex_t mutex;
	struct copy *list[COPIES_MAX]; /* one ref each */
	size_t n;
};

void copies_init(struct copies *);
void copies_free(struct copies *);
/* One ref, NULL when there is none. */
struct copy *copies_get(struct copies *, struct str host,
    struct str path) MUST_CHECK;
/* Is there none, with room for it, or one that is not fresh? */
bool copies_want(struct copies *, struct str host, struct str path,
    uint64_t now_us);
/*
 * Takes the caller's ref.  In place of the one of the same host and path, or
 * beside the others as long as there is room: who comes first stays, so that
 * nobody drives others out by asking.
 */
void copies_put(struct copies *, struct copy **);

#endif
