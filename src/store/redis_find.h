/*
 * redis_find - asks sentinels where the master of a name is.
 *
 * Source: the client's side of Redis's documentation of Sentinel.
 *
 * Thread: the loop's own.
 */
#ifndef STORE_REDIS_FIND_H
#define STORE_REDIS_FIND_H
#include "store/redis_dial.h"

struct alarm;

/* Embedded; all 0 at first, but what is said to be the owner's. */
struct redis_find {
	struct redis_dial dial;      /* .loop is the owner's */
	const struct cfg_store *cfg; /* the owner's */
	/* The owner's; master: borrowed for the call, NULL: none knows it. */
	void (*found)(struct redis_find *, const struct cfg_addr *master);
	struct alarm *clock; /* owned; of one sentinel's answer */
	size_t at;           /* that is asked now, the one that knew it last */
	size_t asked;        /* in vain */
	bool answered;       /* ... and one of them has said something */
};

int redis_find_init(struct redis_find *) MUST_CHECK;
/* .found is called once, perhaps at once, unless it is ended before. */
void redis_find_begin(struct redis_find *);
/* What the last one said was wrong: the next time another one is asked first. */
void redis_find_other(struct redis_find *);
void redis_find_end(struct redis_find *);
void redis_find_free(struct redis_find *);

#endif
