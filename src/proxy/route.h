/*
 * route - who serves an exchange: the service by host and path, the pool by
 * pin or share, the instance by balance.
 *
 * Thread: worker.
 */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H
#include "base/attr.h"

struct exchange;

/*
 * Finds the service and takes over its settings; false when there is none.
 * E_OK; E_NOENT no service; E_SYNTAX a path with a broken escape; E_TOOBIG.
 */
int route_service(struct exchange *) MUST_CHECK;
/*
 * Decides the pool (once per exchange, again after its pool died) and picks
 * an instance that was not tried; E_OK with x->inst set and counted, or
 * E_NOENT.
 */
int route_pick(struct exchange *) MUST_CHECK;

#endif
