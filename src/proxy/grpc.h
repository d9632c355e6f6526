/*
 * grpc - calls of gRPC on their way through: told by their content type, ended
 * by a status in trailers, as short as a request or as long as a stream.
 *
 * An answer of ours is "trailers only"; an answer that must be cut gets its
 * trailers, so that a client learns why where it would see a reset.  A call
 * that lasts longer than a second is a stream: it has a stream's place in the
 * cell and a stream's clock in a drain.  Neither kind is cut by the clock of
 * requests, nor is it held to the deadlines of answers: it may be silent for
 * as long as a tunnel may, or until its own deadline (grpc-timeout).
 *
 * Calls over HTTP/1, which gRPC does not know, are requests like others.
 *
 * Thread: worker.  Source: gRPC over HTTP/2; its mapping of HTTP statuses.
 */
#ifndef PROXY_GRPC_H
#define PROXY_GRPC_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "upstream/model.h"

struct exchange;
struct http_head;

/* Statuses that we say. */
enum grpc_status {
	GRPC_OK = 0,
	GRPC_UNKNOWN = 2,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_UNAUTHENTICATED = 16
};
#define GRPC_UNSAID 255 /* exchange.grpc_status: none was seen */

/* Is that request, which came by HTTP/2, a call? */
bool grpc_is(const struct http_head *) MUST_CHECK;
/* It is, and a service is found: its deadlines; or it is none after all, since
 * all pools of the service speak HTTP/1. */
void grpc_begin(struct exchange *);
/* What a refusal of ours with that HTTP status is called. */
enum grpc_status grpc_status_of(unsigned status, enum outcome why);
/* Takes note of the status in an answer's head or trailers, if it is there. */
void grpc_hear(struct exchange *, const struct http_head *);
/*
 * The answer has begun and must end now: its trailers say why.  False: they
 * cannot be sent at once, or it is no call; it is to be cut.
 */
bool grpc_finish(struct exchange *, enum outcome why) MUST_CHECK;

/* When a call is to be looked at next, if its clock says due_us. */
uint64_t grpc_due_us(const struct exchange *, uint64_t due_us);
/* That of a call has come: true when there is no more to it.  x may have ended. */
bool grpc_looked(struct exchange *) MUST_CHECK;

#endif
