/*
 * events - the feed as Server-Sent Events, for whoever watches.
 *
 * Thread: control.
 */
#ifndef ADMIN_EVENTS_H
#define ADMIN_EVENTS_H
#include "base/attr.h"

struct events;
struct feed;
struct loop;

#define EVENTS_READERS_MAX 64
#define EVENTS_TCP_READERS_MAX 32 /* of them; operators find a place */
/* A comment so often, so that a reader learns when we are gone. */
#define EVENTS_ALIVE_US (UINT64_C(15) * 1000000)

int events_new(struct loop *, struct feed *, struct events **out) MUST_CHECK;
void events_free(struct events **); /* after the server */

#endif
