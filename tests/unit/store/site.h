/*
 * site - a store on a loop of its own, and who asks it.
 *
 * Thread: the test's.
 */
#ifndef TESTS_STORE_SITE_H
#define TESTS_STORE_SITE_H
#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "store/store.h"

struct loop;
struct shelf;

#define SITE_SHELF_BYTES (1u << 20)
#define HOUR_MS UINT64_C(3600000)

struct site {
	struct loop *loop;    /* owned */
	struct cfg_store cfg; /* may be changed before site_open() */
	const char *password; /* as well */
	struct shelf *shelf;  /* owned; of type memory */
	struct store *store;  /* owned */
	struct store_stats stats;
	char address[128]; /* of Redis, a Unix socket */
};

/* address: of type redis; else NULL.  No question is late on a slow machine. */
void site_begin(struct site *, enum cfg_store_type, const char *address);
void site_open(struct site *);
/* Beside another one, on its loop, with what is stored there. */
void site_open_beside(struct site *, const struct site *other);
void site_end(struct site *);
void site_end_beside(struct site *);

/* ---- telling ---- */
void site_put(struct site *, const char *key, const char *value,
    uint64_t ttl_ms, enum store_how);
void site_drop(struct site *, const char *key);

/* ---- asking ---- */
struct asked {
	struct store_ask ask;
	unsigned came;
	enum store_answer answer; /* the last one */
	size_t len;
	char value[STORE_VALUE_MAX + 1]; /* NUL-terminated */
};

/* Keys with a space between two. */
void site_ask(struct site *, const char *keys, struct asked *);
void site_ask_str(struct site *, struct str key, struct asked *);
/* Turns until it is answered. */
void site_await(struct site *, const struct asked *);
/* As "found one", "none". */
const char *site_answer(struct site *, const char *keys);

/* ---- waiting: in vain is a failure ---- */
void site_until_state(struct site *, enum store_state, enum store_why);
void site_until_up(struct site *);
void site_until(struct site *, const stat_u64 *, uint64_t at_least);
void site_until_sent(struct site *); /* nothing is queued */
void site_run_ms(struct site *, uint64_t ms);

#endif
