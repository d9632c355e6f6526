/*
 * forward - edits heads on their way through: what belongs to one connection
 * goes, what we know about the client comes.
 *
 * Thread: worker.
 */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H
#include "base/attr.h"
#include "http/head.h"

struct exchange;

/*
 * Gives the request its X-Request-ID: a trusted proxy's or one of ours, never a
 * stranger's.  Once; E_OK or E_NOMEM.
 */
int forward_name(struct exchange *) MUST_CHECK;
/*
 * Edits x->req in place for the instance; E_OK, E_NOMEM, E_FULL, E_TOOBIG.
 *
 * A trusted proxy's X-Forwarded-For and Forwarded are appended to, its other
 * X-Forwarded-* fields and X-Request-ID stand; those of anybody else are
 * replaced by ours or removed.
 */
int forward_request(struct exchange *) MUST_CHECK;
/* Edits an answer's head in place for the client. */
int forward_answer(struct exchange *, struct http_head *) MUST_CHECK;

#endif
