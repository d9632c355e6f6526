/*
 * gate - what a request must pass before it is sent to an instance: the rate
 * of its client's address, the rules of its service.
 *
 * Thread: worker.
 */
#ifndef PROXY_GATE_H
#define PROXY_GATE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "upstream/model.h"

struct addr;
struct cfg_listener;
struct client;
struct exchange;
struct proxy;

/*
 * May one more connection from peer be taken at that listener?
 *
 * trusted  it comes from one of the listener's trusted_proxies, each of which
 *          speaks for many
 * place    out: for callers_leave() at its end
 */
bool gate_connection(struct proxy *, const struct addr *peer, unsigned listener,
    bool trusted, uint32_t *place) MUST_CHECK;

/*
 * The client of a request as it came: the peer, or whom a trusted proxy speaks
 * for (then it is in *room).  NULL when that one does not say.
 */
const struct addr *gate_source(const struct exchange *, struct addr *room);

/*
 * Does its client ask too often, if the listener has a bound?  Then x->retry_s
 * says when to come again.
 */
bool gate_is_too_fast(struct exchange *,
    const struct cfg_listener *) MUST_CHECK;

/*
 * Once routed, and before the turn is over: 0 when the rules let it pass, else
 * the status to refuse it with, and why.
 */
unsigned gate_refuses(struct exchange *x, enum outcome *why) MUST_CHECK;

#endif
