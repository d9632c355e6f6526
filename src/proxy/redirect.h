/*
 * redirect - leads who asks in clear to the same place over TLS
 * (listeners[].redirect).
 *
 * Thread: worker.
 */
#ifndef PROXY_REDIRECT_H
#define PROXY_REDIRECT_H
#include "base/attr.h"

struct cfg_listener;
struct exchange;

/*
 * The listener redirects.  0: it goes on, as where the client used TLS already, be it with a trusted
 * proxy.  Else the status of the answer, with x->location for 301 and 308: 301
 * is known to everything, but lets a client make a GET of a POST (RFC 9110
 * 15.4.2), so that all but GET and HEAD get 308.  400 when it names no host.
 * E_NOMEM.
 */
int redirect_status(struct exchange *, const struct cfg_listener *) MUST_CHECK;

#endif
