/*
 * callers - what each client address does at present: its open connections
 * and its rate of requests, over all workers.
 *
 * A table of fixed size that all workers share without a lock: a place is two
 * words, each changed by compare-and-swap.  When it is full, an address
 * without a connection that has been quiet for longest is forgotten, so that a
 * flood of addresses takes no memory and forgives those who ask most last.
 * Two workers that meet a new address in the same moment may give it two
 * places; each counts for itself until both are forgotten.
 *
 * Thread: any worker.
 */
#ifndef PROXY_CALLERS_H
#define PROXY_CALLERS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct addr;
struct callers;
struct cfg_clients;

struct callers *callers_new(void) MUST_CHECK;
void callers_free(struct callers **);

/*
 * The key of an address at a listener; IPv6 by its /64, which is what one
 * customer has.  0 for a Unix peer, which has no address.
 */
uint64_t callers_key(const struct callers *, const struct addr *,
    unsigned listener);

/*
 * One more connection of that address.  False when it has max already.
 *
 * place  out: for callers_leave(); 0 when it is not counted, as all places
 *        that it could have are taken by others with connections
 */
bool callers_enter(struct callers *, uint64_t key, unsigned max,
    uint32_t *place) MUST_CHECK;
void callers_leave(struct callers *, uint32_t place); /* 0 is fine */

/*
 * One more request: 0 when it may go on, else the microseconds until the next
 * may; what may not go on costs nothing.
 */
uint64_t callers_ask(struct callers *, uint64_t key, const struct cfg_clients *,
    uint64_t now_us) MUST_CHECK;

#endif
