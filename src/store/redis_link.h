/*
 * redis_link - a connection to the Redis that is the master now: found (an
 * address, a name, sentinels), connected, greeted, and found again whenever it
 * is lost, ever more slowly up to a second.
 *
 * Thread: the loop's own.
 */
#ifndef STORE_REDIS_LINK_H
#define STORE_REDIS_LINK_H
#include <stdbool.h>

#include "base/attr.h"
#include "store/store.h"

struct redisAsyncContext;
struct redisReply;
struct redis_link;

/* It can be used; from then on redis_link_context() is not NULL. */
typedef void redis_up_fn(void *arg);
/*
 * It cannot be used, for that reason; what was sent is answered NULL before or
 * after.  Comes at each vain try, too.
 */
typedef void redis_down_fn(enum store_why, void *arg);

struct redis_link_env {
	const struct store_env *store; /* borrowed for the call */
	redis_up_fn *up;
	redis_down_fn *down;
	void *arg;
};

/* Begins at once; nothing is called before it returns. */
int redis_link_new(const struct redis_link_env *,
    struct redis_link **out) MUST_CHECK;
/* Answers NULL to all that was sent. */
void redis_link_free(struct redis_link **);
/* NULL: it cannot be used. */
struct redisAsyncContext *redis_link_context(const struct redis_link *);
/* It is no good: another one is looked for.  .down is called. */
void redis_link_drop(struct redis_link *, enum store_why);

/* Of a reply that is an error; STORE_WHY_NOTHING: it is none. */
enum store_why redis_why(const struct redisReply *);

#endif
