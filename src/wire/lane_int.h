/*
 * lane_int - what the files of this room share of lanes.  Inside wire only.
 *
 * Thread: the loop's.
 */
#ifndef WIRE_LANE_INT_H
#define WIRE_LANE_INT_H
#include "base/str.h"
#include "wire/lane.h"

struct stream;

/* What a connection tells its lane. */
void lane_on_conn(struct conn *, unsigned what);
/* Bytes of the input slab not read yet. */
struct str lane_unread(const struct lane *);
/* A lane over a stream; it begins when it is told that it may read. */
void lane_of_stream(struct lane *, struct wire *, struct stream *,
    const struct lane_user *, const struct http_limits *, bool responses);

#endif
