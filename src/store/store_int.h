/*
 * store_int - what the bodies of a store share; store/ only.
 *
 * Thread: the loop's own.
 */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H
#include "store/store.h"

struct store_ops {
	void (*first)(struct store *, const struct str *keys, size_t n,
	    struct store_ask *);
	/* The ask is under way. */
	void (*forget)(struct store *, struct store_ask *);
	void (*put)(struct store *, struct str key, struct str value,
	    uint64_t ttl_ms, enum store_how);
	void (*drop)(struct store *, struct str key);
	void (*flush)(struct store *);
	void (*close)(struct store *); /* frees it */
};

struct store {
	const struct store_ops *ops;
	struct store_stats *stats; /* borrowed */
};

/* In that state from now on; why is for others than STORE_UP. */
void store_is(struct store *, enum store_state, enum store_why);
/* Counts and tells; the ask may be gone when it returns. */
void store_tell(struct store *, struct store_ask *, enum store_answer,
    struct str value);

/* ---- the bodies ---- */
int store_memory_open(const struct store_env *, struct store **out) MUST_CHECK;
int store_redis_open(const struct store_env *, struct store **out) MUST_CHECK;
int store_null_open(const struct store_env *, struct store **out) MUST_CHECK;

#endif
