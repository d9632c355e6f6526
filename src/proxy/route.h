/*
 * route - who serves an exchange: the service by host and path, the pool by
 * pin or share, the instance by balance.
 *
 * Thread: worker.
 */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H
#include <stdbool.h>

#include "base/attr.h"

struct exchange;
struct view_service;

/*
 * Finds the service and takes over its settings; false when there is none.
 * E_OK; E_NOENT no service; E_UNREACH none for the host, or not on this
 * connection; E_STATE the host is passed through, by TLS alone; E_SYNTAX a path
 * with a broken escape; E_TOOBIG.
 */
int route_service(struct exchange *) MUST_CHECK;
/* The same for a connection that is passed through: that is its service. */
void route_passthrough(struct exchange *, const struct view_service *);
/*
 * Decides the pool (once per exchange, again after its pool died) and picks
 * an instance that was not tried; E_OK with x->inst set and counted, E_NOENT,
 * or E_FULL: those there are have no place, or others wait for one already;
 * x->full is the pool.
 */
int route_pick(struct exchange *) MUST_CHECK;
/* An operator has ordered something for its session that is not done yet. */
bool route_is_ordered(const struct exchange *, const struct view_service *);
/*
 * Does it show an operator's session of a pool that gets no users of its own,
 * and would that pool serve it?  Then it is not held with theirs.
 */
bool route_is_trial(const struct exchange *, const struct view_service *);
/* Its service in the view of this turn; NULL when that has it no more. */
const struct view_service *route_service_now(const struct exchange *);
/* Has the pool an instance that was neither tried nor is the present one? */
bool route_has_other(const struct exchange *);
/* Would a pick find any instance now, its own pool's or another's? */
bool route_has_any(const struct exchange *);
/* The same, and after that status it is to be asked. */
bool route_asks_other(const struct exchange *, unsigned status);

/*
 * A point at which a session may change its pool without losing what it is in
 * the middle of: a safe request that is no part of a page.
 */
bool route_is_safe_point(const struct exchange *);

#endif
