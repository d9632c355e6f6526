/*
 * trunk - an HTTP/2 connection: the lanes that run over it, the bytes they
 * share.
 *
 * It takes the connection of a lane over, which then carries no messages of
 * its own; each stream gets a lane, whose user cannot tell it from one of
 * HTTP/1.  A stream that nobody reads holds back its peer by its window, not
 * the others; what cannot be sent at once waits in one slab, and when that is
 * full in the lanes.
 *
 * On one that was dialled, requests are asked (lane_asks); .sent of such a lane
 * is 0 until its head cannot be called back: it waits among the bytes that are
 * to be sent, and goes out even if the lane is closed.  It is 0 again when the
 * connection has broken before a byte of it had gone to the kernel, and when
 * the peer has said that it did not look at it.
 *
 * What is to be sent goes out at the end of a turn, in as few calls as can be.
 *
 * Thread: the loop's.
 */
#ifndef WIRE_TRUNK_H
#define WIRE_TRUNK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "http/h2.h"
#include "net/loop.h"
#include "wire/lane.h"
#include "wire/stream.h"

struct trunk;

/* What an idle one takes, nghttp2's part included; measured. */
#define TRUNK_BYTES ((size_t)8 << 10)

/* The first three are told of those accepted only. */
struct trunk_user {
	/* The peer opened a stream: lane_on_stream() it within this call, or
	 * it is refused. */
	void (*stream)(struct trunk *, struct stream *);
	/* No lane is left on it. */
	void (*idle)(struct trunk *);
	/* A field section has begun and its rest has not come; or it has. */
	void (*in_head)(struct trunk *, bool);
	/* It is over, E_EOF, E_RESET, E_SYNTAX, E_NOMEM: its lanes were told.
	 * Told once; trunk_free() may follow. */
	void (*broken)(struct trunk *, int code);
};

struct trunk {
	struct lane *lane; /* borrowed: whose connection it is */
	struct wire *wire; /* borrowed */
	const struct trunk_user *user;
	void *arg;
	struct h2 *h2;    /* owned */
	struct slab *out; /* owned; NULL while nothing is queued */
	uint32_t out_off, out_len;
	struct str rest; /* of the codec's last bytes: no room in .out */
	struct stream_list streams;
	struct ready_list ready;
	struct asked_list asked; /* their heads lie in .out, whole */
	uint64_t heard_us;       /* when bytes came last */
	size_t n_lanes;
	size_t n_fresh; /* streams that have no lane yet */
	struct defer defer;
	struct later more;
	int code;       /* of broken(), once it is known */
	bool bulk;      /* the last read filled its slab */
	bool receiving; /* inside the codec: it must not be asked to send */
	bool telling;
	bool in_head;
	bool warned; /* trunk_stop() */
	bool told;   /* broken() was called */
	bool freed;
	bool calmed;        /* the peer has had too much of it */
	bool short_of_room; /* somebody is stuck since .out was full */
};

/*
 * Takes over l's connection, with the bytes it has read and not used.  Until
 * trunk_free() the lane tells its user nothing more.  A dialled one asks.
 */
int trunk_new(struct trunk **, struct lane *l, const struct h2_settings *,
    const struct trunk_user *, void *arg) MUST_CHECK;
/* Its lanes must be closed.  Sends what can be sent at once, frees after this
 * turn; the connection is the lane's again. */
void trunk_free(struct trunk **);
/* Asks the peer for no new streams, in two steps (RFC 9113 6.8). */
void trunk_stop(struct trunk *);
/* Ends it when what is queued is sent: broken() follows. */
void trunk_close(struct trunk *);
/* H2_FLOOD_COUNT: its end was not due to a flood. */
static inline enum h2_flood
trunk_flooded(const struct trunk *t)
{
	return h2_flooded(t->h2);
}
/* A stream of the peer's becomes a lane of ours. */
void lane_on_stream(struct lane *, struct stream *, const struct lane_user *,
    const struct http_limits *);

/* One of a trunk that asks; the head is still to be sent.  E_NOMEM. */
int lane_asks(struct lane *, struct trunk *, const struct lane_user *,
    const struct http_limits *) MUST_CHECK;
/* How many more requests may be asked now; 0 for ever when it is to end, or the
 * peer has refused one as too much (ENHANCE_YOUR_CALM). */
size_t trunk_room(const struct trunk *);
/* How many requests it takes at a time, as the peer has said; 0: not yet. */
uint32_t trunk_takes(const struct trunk *) MUST_CHECK;
/* It takes no more requests, ever. */
bool trunk_ends(const struct trunk *) MUST_CHECK;
/* Reads what waits in the kernel: is it still fit to be asked? */
bool trunk_look(struct trunk *) MUST_CHECK;

/*
 * For stream.c: something is to be sent; now, or at the turn's end.  Now, it
 * may not all find room: false, and who has bytes left will be told of it.
 */
bool trunk_push(struct trunk *);
void trunk_push_later(struct trunk *);
void trunk_tell(struct stream *, bool read, bool write);
void trunk_let_go(struct stream *);
void trunk_unask(struct stream *); /* its head is sent, or it ended */

#endif
