/*
 * h2 - one HTTP/2 connection without its socket: bytes in, events of its
 * streams out; heads and bodies in, bytes out.  The only door to nghttp2, whose
 * checks of RFC 9113 stand: what is against the rules is answered by it with
 * the stream or connection error the RFC names, and never told upwards.
 *
 * A stream is known by its number and by what its user calls it (.stream).
 * What a server refused (REFUSED_STREAM, or above the last of its GOAWAY) is
 * closed with H2_REFUSED_STREAM: it was not dealt with (RFC 9113 8.7).
 * Events come from inside h2_receive() and h2_send(): they may submit, but
 * must not call these two.
 *
 * Floods (resets, pings, settings, empty frames and the like) draw on one
 * budget a connection; when it is used up the connection ends with
 * ENHANCE_YOUR_CALM.
 *
 * Thread: the owner.  Source: RFC 9113.
 */
#ifndef HTTP_H2_H
#define HTTP_H2_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/slab.h"
#include "base/str.h"
#include "http/events.h"
#include "http/h2_block.h"
#include "http/head.h"

struct h2;

#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_STREAM_WINDOW 65535 /* bytes one stream may send us unread */

/* Error codes we say or look for (RFC 9113 7). */
enum {
	H2_NO_ERROR = 0,
	H2_PROTOCOL_ERROR = 1,
	H2_INTERNAL_ERROR = 2,
	H2_REFUSED_STREAM = 7,
	H2_CANCEL = 8,
	H2_CALM = 11
};

/* Why a connection was ended for what its peer did: for counters and logs. */
/* clang-format off */
#define H2_FLOODS(X)                                                           \
	/* id, name, what one costs of the budget */                           \
	X(RESET, "resets", 10)                                                 \
	X(PING, "pings", 2)                                                    \
	X(SETTINGS, "settings", 10)                                            \
	X(EMPTY, "empty_frames", 5)                                            \
	X(PRIORITY, "priorities", 1)                                           \
	X(WINDOW, "window_updates", 1)                                         \
	X(OTHER, "other_frames", 2)                                            \
	X(CONTINUATION, "continuations", 0) /* its bound is a number */        \
	X(PROTOCOL, "protocol", 0) /* no flood: against the rules */
/* clang-format on */

#define X(id, name, cost) H2_FLOOD_##id,
enum h2_flood { H2_FLOODS(X) H2_FLOOD_COUNT };
#undef X
const char *h2_flood_name(enum h2_flood);

struct h2_settings {
	bool client;          /* we ask; else we answer */
	uint32_t max_streams; /* the peer may have open; a client: none */
	uint32_t window;      /* bytes the peer may send unread, in all */
	struct http_limits limits;
};

struct h2_user {
	/*
	 * A head has come, in a slab that is the callee's now (h2_block).
	 * stream is NULL for a new request: name it by h2_name().  end: nothing
	 * follows, and end() is not called.
	 */
	void (*head)(void *arg, int32_t id, void *stream, struct slab *block,
	    bool end);
	/* Bytes to be kept until h2_consumed(). */
	void (*data)(void *arg, void *stream, struct str bytes);
	/* block is the callee's now; NULL when there was none.  The last. */
	void (*end)(void *arg, void *stream, struct slab *trailers);
	/* Both sides are done (H2_NO_ERROR), or it was reset. */
	void (*closed)(void *arg, void *stream, uint32_t code);
	/*
	 * Bytes of a body are wanted: copies up to cap, says by .end whether
	 * they are the last.  0 without .end: none now, h2_more() when there
	 * are.
	 */
	size_t (*pull)(void *arg, void *stream, char *out, size_t cap,
	    bool *end);
	/*
	 * Does each way end by itself?  Else an answer that is whole before its
	 * request asks the peer to stop.
	 */
	bool (*is_tunnel)(void *arg, void *stream);
	/* Our ping was answered. */
	void (*pong)(void *arg);
	/* A client's: the head of that stream's request has been given to
	 * h2_send(). */
	void (*asked)(void *arg, void *stream);
	/* A client's: what that stream asked, for the framing of answers. */
	enum http_method (*method)(void *arg, void *stream);
};

/* Preface and SETTINGS are queued. */
int h2_new(struct h2 **, const struct h2_settings *, const struct h2_user *,
    void *arg, struct slab_store *) MUST_CHECK;
void h2_free(struct h2 **);

/*
 * Bytes of the peer.  E_OK; E_SYNTAX: the connection is over once what
 * h2_send() still gives is sent; E_NOMEM: at once.
 */
int h2_receive(struct h2 *, struct str bytes, uint64_t now_us) MUST_CHECK;
/* The next bytes to send, valid until the next call; empty: none now. */
struct str h2_send(struct h2 *);
/* Nothing more to read or to send, ever. */
bool h2_is_over(const struct h2 *);
/* What its end was due to, once it is told the peer; H2_FLOOD_COUNT: to nothing
 * the peer did wrong. */
enum h2_flood h2_flooded(const struct h2 *);
/* Inside a field section: the rest of it must come. */
bool h2_in_block(const struct h2 *);

/* ---- streams ---- */
void h2_name(struct h2 *, int32_t id, void *stream);
/* Bytes told by data() are dealt with: the peer may send as many more. */
void h2_consumed(struct h2 *, int32_t id, size_t n);
/*
 * A response head; more: a body or trailers follow through pull().  Of a 1xx
 * head nothing follows here, but of 101: that is said as 200, and what the
 * tunnel carries is its body (RFC 8441 5).  E_NOMEM, E_SYNTAX (it cannot be said), E_RESET
 * (the stream is gone).
 */
int h2_respond(struct h2 *, int32_t id, const struct http_head *,
    bool more) MUST_CHECK;
/*
 * A request head: its stream's number.  More than the peer takes at a time wait
 * their turn here.  E_NOMEM, E_SYNTAX (it cannot be said), E_FULL (there are no
 * numbers left).
 */
int32_t h2_request(struct h2 *, const struct http_head *, bool https, bool more,
    void *stream) MUST_CHECK;
/* False: no new requests, ever; it is to end. */
bool h2_may_begin(const struct h2 *) MUST_CHECK;
/* How many requests may be open at a time; 0: no new ones, it is to end. */
uint32_t h2_may_ask(const struct h2 *);
/* The peer's first SETTINGS are here: before, h2_may_ask() is a guess of ours. */
bool h2_is_settled(const struct h2 *) MUST_CHECK;
/* Trailers, sent behind the body: to be called from pull() with .end. */
int h2_trailers(struct h2 *, int32_t id, const struct http_head *) MUST_CHECK;
/* pull() has bytes again. */
void h2_more(struct h2 *, int32_t id);
void h2_reset(struct h2 *, int32_t id, uint32_t code);

/* ---- the end ---- */
/* "No new streams, please", then a ping: pong() says that it was heard. */
void h2_warn(struct h2 *);
/* No stream above the last one seen is dealt with. */
void h2_goaway(struct h2 *, uint32_t code);

#endif
