/*
 * redis_dial - one try to connect to a server that speaks Redis's protocol.
 *
 * Thread: the loop's own.
 */
#ifndef STORE_REDIS_DIAL_H
#define STORE_REDIS_DIAL_H
#include "base/attr.h"
#include "store/store.h"

struct addr_list;
struct cfg_addr;
struct redisAsyncContext;
struct resolver;

/* Embedded; all 0 at first, but what is said to be the owner's. */
struct redis_dial {
	struct loop *loop; /* the owner's */
	/* The owner's; gone: connected or tried, it is of no use any more. */
	void (*connected)(struct redis_dial *);
	void (*gone)(struct redis_dial *, enum store_why);
	struct resolver *resolver;    /* owned; NULL: no name was asked for */
	struct redisAsyncContext *ac; /* owned; NULL: none */
	uint16_t port;                /* of a name that is asked for */
	unsigned turn; /* the owner's: of several addresses, the next */
	bool asking;   /* the resolver has a question of ours */
};

/* One of the two is called, perhaps at once, unless it is ended before. */
void redis_dial_begin(struct redis_dial *, const struct cfg_addr *);
/* Nothing is called any more; what was sent is answered NULL. */
void redis_dial_end(struct redis_dial *);
/* The same, and what the system has not sent yet is never sent. */
void redis_dial_drop(struct redis_dial *);
void redis_dial_free(struct redis_dial *); /* the same, for good */

#endif
