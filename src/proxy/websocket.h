/*
 * websocket - a tunnel whose frames are followed, so that it can be closed
 * with a word (1001, going away) where another is cut.
 *
 * How we close one: at the next border of a message towards the instance it
 * gets a Close frame, and what the client says from then on is not handed on.
 * What the instance says goes on to the client until its own Close, in place
 * of which the client gets ours; then the client's Close is waited for.  So
 * each message that reached the instance has its answer delivered, and a
 * message without one before the Close never reached the instance: it may be
 * sent again.  Each step is bounded, with more time while a side still takes
 * what is queued for it; who does not keep to it is cut.
 *
 * A tunnel of which we do not know the borders, as it is malformed or is no
 * WebSocket, is cut as ever.
 *
 * Thread: worker.
 */
#ifndef PROXY_WEBSOCKET_H
#define PROXY_WEBSOCKET_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "http/ws.h"
#include "net/loop.h"
#include "proxy/exchange.h"

struct http_head;

/* Who closed first. */
enum ws_closer { WS_NOBODY, WS_CLIENT, WS_INSTANCE, WS_SEGUE };

struct websocket {
	struct ws_track from_client, from_instance;
	struct deadline clock;     /* of the step of our closing */
	struct exchange *exchange; /* borrowed: owns us */
	uint64_t taken;            /* bytes both sides took when last looked */
	uint64_t until_us;         /* who is slow to take them has so long */
	uint8_t phase;             /* enum phase of websocket.c */
	uint8_t why;               /* enum stream_why, once it is closed */
	uint8_t closer;            /* enum ws_closer */
	bool told;                 /* the client has our Close */
};

/* Does that 101 begin a WebSocket? */
bool websocket_is(const struct http_head *) MUST_CHECK;
/* Follows the tunnel from its first byte; without memory it does not. */
void websocket_begin(struct exchange *);
void websocket_free(struct exchange *); /* x->ws may be NULL */

/*
 * The stream's time is over: closes it within the next within_us, at a moment
 * drawn by lot, or cuts it at once when its frames are not known.  The lot is
 * drawn once; a stop can bring the moment of a drain nearer.
 */
void websocket_close(struct exchange *, enum stream_why, uint64_t within_us);

/* No closing of ours has begun. */
bool websocket_may_close(const struct exchange *) MUST_CHECK;

/*
 * What the tunnel hears.  bytes: those of them that go on to the other side
 * are queued there.  The exchange may have ended then.
 */
void websocket_data(struct exchange *, struct str bytes, bool from_client);
/* Our closing is under way: half-closes are not passed on any more. */
bool websocket_is_closing(const struct exchange *);
/* Then: a side's end has come, or what was queued has left. */
void websocket_heard(struct exchange *);
/* Then: the connection to the instance broke; we go on without it. */
void websocket_up_broken(struct exchange *);
/* What it ends in when its client leaves: with our Close that was our doing. */
enum outcome websocket_outcome(const struct websocket *);

/* For the access log: the code of the first Close, 0: none was seen. */
unsigned websocket_code(const struct websocket *);
const char *websocket_closer(const struct websocket *);

#endif
