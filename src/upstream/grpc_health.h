/*
 * grpc_health - the question and answer of grpc.health.v1.Health/Check, as they
 * lie in the bodies of request and response: a prefix of five bytes, then a
 * message of Protocol Buffers.  No I/O.
 *
 * Thread: any.  Source: the gRPC health checking protocol, gRPC over HTTP/2.
 */
#ifndef UPSTREAM_GRPC_HEALTH_H
#define UPSTREAM_GRPC_HEALTH_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

#define GRPC_HEALTH_PATH "/grpc.health.v1.Health/Check"
#define GRPC_HEALTH_SERVICE_MAX 255
#define GRPC_HEALTH_ASK_MAX (5 + 3 + GRPC_HEALTH_SERVICE_MAX)

/* Bytes written; service has GRPC_HEALTH_SERVICE_MAX bytes at most. */
size_t grpc_health_ask(struct str service, char out[GRPC_HEALTH_ASK_MAX]);
/* Is it one message, and does it say SERVING? */
bool grpc_health_serves(struct str body) MUST_CHECK;

#endif
