/*
 * Bytes of a WebSocket.  The first byte's lowest bit says whether a client
 * sends them, its others in what steps they come.
 *
 * A second reader, which has all bytes at hand, says where frames and messages
 * begin; the tracker must stop there and nowhere else, however they are cut,
 * and a Close frame of ours put in at a border must be seen.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/attr.h"
#include "http/ws.h"

#define MUST(x)                                                                \
	do {                                                                   \
		if (!(x)) {                                                    \
			fprintf(stderr, "%d: %s\n", __LINE__, #x);             \
			abort();                                               \
		}                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct frame {
	unsigned opcode;
	bool fin;
	size_t head, len; /* bytes */
	uint16_t code;    /* of a Close */
};

enum seen { WHOLE, CUT, WRONG };

static uint64_t
number(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 256 + p[i];
	return v;
}

static bool
is_known(unsigned opcode)
{
	return opcode <= 2 || (opcode >= 8 && opcode <= 10);
}

/* Looks at one frame of n bytes; what it can tell, it tells. */
static enum seen
look(const unsigned char *p, size_t n, bool masked, bool in_message,
    struct frame *f)
{
	size_t more = 0;
	uint64_t len;

	f->opcode = p[0] % 16;
	f->fin = p[0] >= 128;
	if (!is_known(f->opcode) || (f->opcode >= 8 && !f->fin) ||
	    (f->opcode < 8 && in_message != (f->opcode == 0)))
		return WRONG;
	if (n < 2)
		return CUT;
	len = p[1] % 128;
	if ((p[1] >= 128) != masked || (f->opcode >= 8 && len > 125) ||
	    (f->opcode == 8 && len == 1))
		return WRONG;
	if (len > 125)
		more = len == 126 ? 2 : 8;
	f->head = 2 + more + (masked ? 4 : 0);
	if (n < f->head)
		return CUT;
	if (more > 0) {
		len = number(p + 2, more);
		if (len < (more == 2 ? 126 : 65536) || len >> 63 != 0)
			return WRONG;
	}
	if (len > n - f->head)
		return CUT;
	f->len = (size_t)len;
	f->code = WS_NO_CODE;
	if (f->opcode == 8 && f->len >= 2) {
		const unsigned char *q = p + f->head;
		unsigned char key[2] = { 0, 0 };

		if (masked) {
			key[0] = q[-4];
			key[1] = q[-3];
		}
		f->code = (uint16_t)((q[0] ^ key[0]) * 256 + (q[1] ^ key[1]));
	}
	return WHOLE;
}

/* Our Close frame fits at this border. */
static void
try_close(struct ws_track t, size_t reason_len)
{
	static const char reason[WS_REASON_MAX] = "";
	static const uint8_t key[4] = { 1, 2, 3, 4 };
	char out[WS_CLOSE_MAX];
	size_t n = ws_write_close(WS_GOING_AWAY, str_from(reason, reason_len),
	    t.masked ? key : NULL, out);

	MUST(ws_track_feed(&t, str_from(out, n), 0) == n);
	MUST(t.closed && !t.blind && t.code == WS_GOING_AWAY);
}

/* Feeds in steps up to n bytes; how many went through before a stop. */
static size_t
feed(struct ws_track *t, const unsigned char *p, size_t n, size_t steps,
    unsigned stop)
{
	size_t at = 0;

	while (at < n) {
		struct str part = str_from((const char *)p + at,
		    MIN(steps, n - at));
		size_t used = ws_track_feed(t, part, stop);

		MUST(used <= part.len);
		at += used;
		if (used < part.len)
			break;
	}
	return at;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	bool masked, in_message = false;
	struct ws_track t;
	size_t at = 0, steps;

	if (size == 0)
		return 0;
	masked = data[0] % 2 == 1;
	steps = 1 + data[0] / 2;
	data++;
	size--;
	ws_track_init(&t, masked);
	while (at < size) {
		struct ws_track whole = t;
		struct frame f = { 0 };
		enum seen seen = look(data + at, size - at, masked, in_message,
		    &f);
		size_t n = seen == WHOLE ? f.head + f.len : size - at;
		unsigned stop = WS_STOP_FRAME;

		MUST(ws_at_frame(&t));
		MUST(ws_at_message(&t) == !in_message);
		try_close(t, at % (WS_REASON_MAX + 1));
		MUST(feed(&t, data + at, size - at, steps, stop) == 0);
		if (f.opcode == 8)
			MUST(feed(&t, data + at, size - at, steps,
			         WS_STOP_CLOSE) == 0);
		/* past the border by a byte, then to the next one */
		(void)ws_track_feed(&t, str_from((const char *)data + at, 1),
		    0);
		MUST(feed(&t, data + at + 1, size - at - 1, steps, stop) ==
		    (seen == WHOLE && f.opcode != 8 ? n - 1 : size - at - 1));
		MUST(feed(&whole, data + at, n, n, 0) == n);
		MUST(t.blind == (seen == WRONG) && whole.blind == t.blind);
		MUST(t.closed == (seen == WHOLE && f.opcode == 8));
		MUST(!t.closed || t.code == f.code);
		if (seen != WHOLE || t.closed) {
			MUST(seen != CUT || !ws_at_frame(&t));
			return 0;
		}
		if (f.opcode < 8)
			in_message = !f.fin;
		at += n;
	}
	return 0;
}
