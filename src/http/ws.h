/*
 * ws - where frames and messages of a WebSocket begin and end, in one
 * direction, and the Close frame.
 *
 * The tracker looks at bytes that pass and keeps none: it reads the head of
 * each frame, counts its payload down, and of Close frames notes the code.
 * What the frames say is not its business: RSV bits are the extensions'.
 * Framing against RFC 6455 makes it blind for good; the bytes pass all the
 * same, and what they were is between the two peers.
 *
 * Thread: any; a tracker belongs to one at a time.
 */
#ifndef HTTP_WS_H
#define HTTP_WS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Codes of RFC 6455 7.4.1 that we use or make up. */
#define WS_GOING_AWAY 1001
#define WS_NO_CODE 1005 /* a Close frame without one */

#define WS_HEAD_MAX 14
#define WS_CONTROL_MAX 125                    /* payload of a control frame */
#define WS_REASON_MAX (WS_CONTROL_MAX - 2)    /* bytes of a Close's reason */
#define WS_CLOSE_MAX (2 + 4 + WS_CONTROL_MAX) /* bytes of a Close frame */

struct ws_track {
	uint64_t left;             /* payload still to pass */
	uint8_t head[WS_HEAD_MAX]; /* of the frame at hand */
	uint8_t have, need;        /* bytes of .head; 0 of them: a border */
	uint8_t code_have;         /* bytes of the Close frame's code */
	uint16_t code;             /* of the Close frame, once .closed */
	bool masked;               /* a client's: each frame must be */
	bool in_message;           /* a message has begun, not ended */
	bool in_payload;
	bool closed; /* a Close frame has passed: frames end here */
	bool blind;  /* malformed: nothing is known any more */
};

/* Where ws_track_feed() is to stop, before what follows; or'ed. */
enum ws_stop {
	WS_STOP_FRAME = 1,   /* between any two frames */
	WS_STOP_MESSAGE = 2, /* between any two messages */
	WS_STOP_CLOSE = 4    /* before a Close frame */
};

/* masked: the direction from client to server. */
void ws_track_init(struct ws_track *, bool masked);
/*
 * Goes through the next bytes of the direction.
 *
 * in       may be cut anywhere
 * stop     enum ws_stop, 0 for nowhere
 * returns  bytes gone through: all, or those before the first place of .stop;
 *          none when it is there already
 * source   RFC 6455 5.2 to 5.5.  Refused, so blind from there: a mask in the
 *          wrong direction or none in the right one, reserved opcodes, a
 *          length not in its shortest form or of 64 bits, a control frame
 *          above 125 bytes or in fragments, a fragment of no message, a
 *          message within a message, a Close with half a code.
 */
size_t ws_track_feed(struct ws_track *, struct str in, unsigned stop);

/* Between two frames: a control frame may be put in here. */
static inline bool
ws_at_frame(const struct ws_track *t)
{
	return t->have == 0 && !t->blind;
}

/* Between two messages: nothing that began is unfinished. */
static inline bool
ws_at_message(const struct ws_track *t)
{
	return ws_at_frame(t) && !t->in_message;
}

/*
 * Writes a Close frame.
 *
 * reason   UTF-8; what is beyond WS_REASON_MAX is cut off, so keep it short
 * mask     four unpredictable bytes, of a client's frame; else NULL
 * out      WS_CLOSE_MAX bytes
 * returns  bytes written
 */
size_t ws_write_close(uint16_t code, struct str reason, const uint8_t *mask,
    char *out);

#endif
