/*
 * jwks - the keys that the pools of a service publish for the tokens they sign
 * (RFC 7517): whose a key is, and those of all pools as one set.
 *
 * Thread: control writes, any may read.
 */
#ifndef UPSTREAM_JWKS_H
#define UPSTREAM_JWKS_H
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "config/config.h"
#include "upstream/copies.h"

struct json;

#define JWKS_KEYS_MAX 128                 /* of a set */
#define JWKS_UNION_MAX ((size_t)64 << 10) /* bytes of a set of all */

struct jwks_kid {
	uint64_t hash;
	uint64_t pool; /* hash of its name; 0: several pools have it */
};

struct jwks {
	pthread_mutex_t mutex;
	struct jwks_kid *kids; /* owned, by hash; NULL: none is known */
	size_t n_kids;
	struct copy *sets[CFG_JWKS_PATHS_MAX]; /* one ref each; NULL: no need */
};

void jwks_init(struct jwks *);
void jwks_free(struct jwks *);
/* By the "kid" of a token's header; 0: nobody's, or that of several. */
uint64_t jwks_pool_of(struct jwks *, struct str kid);
/* All keys that are published at that path.  One ref; NULL: ask a pool. */
struct copy *jwks_get(struct jwks *, struct str path) MUST_CHECK;

/* ---- control ---- */

/* What a pool publishes at a path. */
struct jwks_said {
	uint64_t pool;          /* hash of its name */
	unsigned at;            /* its place among those of the service */
	size_t path;            /* the service's n-th */
	const struct json *set; /* borrowed; NULL: it could not be read */
	bool needed;            /* users ask it: no set of all is without it */
	/* out: keys of .set; those of other pools at the path that it lacks,
	 * and who publishes these, by places as bits; that all are given
	 * there */
	unsigned keys, lacks;
	uint32_t lacks_of;
	bool united;
};

/* Is it a set of keys, of which we take all?  Leaves why not. */
bool jwks_is_set(const struct json *, const char **why);
/*
 * Takes all that is known of a service, in the order in which the keys are to
 * stand; where that is wanted, with a set of all for each path at which pools
 * differ and all that are needed were read.
 * E_NOMEM: nothing has changed.
 */
int jwks_take(struct jwks *, struct jwks_said *, size_t n,
    const struct cfg_jwks *, uint64_t now_us) MUST_CHECK;
/* Nothing is known any more. */
void jwks_forget(struct jwks *);

#endif
