/*
 * tally - the records of sessions, second by second: those that have ended go,
 * and in a cluster Redis is told of the others and asked how many all
 * proxies have.
 *
 * In Redis each pool of a service is a sorted set,
 * PREFIXs:CLUSTER:SERVICE:POOL:EPOCH: the keys of its sessions by when they were
 * seen last.  A session is in one of them, that of its newest pin, whichever
 * proxies see it.  EPOCH is the pool's .min_epoch, so that void pins are in no
 * set that anybody looks at.  PREFIXs:CLUSTER:SERVICE:since says since when
 * nothing was lost there.
 *
 * It is told in batches, of each session once it is new or has moved and then
 * six times within the idle time, of those on a pool that drains every two
 * seconds; and it tells which of these have a newer pin elsewhere: they are
 * not waited for any more.  When it is there again, or was emptied (a glance
 * at one service between the looks finds that), it is told of all at once,
 * and asked more often until the others have done so, too.
 * What Redis counts is only shown: it may be late, or have lost something, and
 * a drain must not end by that.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_TALLY_H
#define ROLLOUT_TALLY_H
#include "base/attr.h"

struct loop;
struct registry;
struct ro_state;
struct store_env;
struct tally;

struct tally_env {
	struct loop *loop;
	struct registry *registry;
	const struct ro_state *state; /* the present one, at each look */
};

int tally_new(const struct tally_env *, struct tally **out) MUST_CHECK;
void tally_free(struct tally **);
/* From now on with that Redis; names: borrowed, as what store leads to. */
int tally_share(struct tally *, const struct store_env *store,
    const char *prefix, const char *cluster) MUST_CHECK;

#endif
