#include "http/ws.h"

#include <string.h>

#include "base/attr.h"

enum opcode {
	OP_MORE = 0, /* continuation */
	OP_TEXT = 1,
	OP_BINARY = 2,
	OP_CLOSE = 8,
	OP_PING = 9,
	OP_PONG = 10
};
#define FIN 0x80
#define OPCODE 0x0f
#define MASKED 0x80
#define LENGTH 0x7f
#define IS_CONTROL 0x08
#define LENGTH_16 126
#define LENGTH_64 127

void
ws_track_init(struct ws_track *t, bool masked)
{
	*t = (struct ws_track){ .masked = masked, .need = 2 };
}

static unsigned
opcode(const struct ws_track *t)
{
	return t->head[0] & OPCODE;
}

/* Of a whole head. */
static const uint8_t *
mask_key(const struct ws_track *t)
{
	return t->head + t->have - 4;
}

/* May a frame begin with that byte? */
static bool
first_fits(const struct ws_track *t, uint8_t first)
{
	bool fin = (first & FIN) != 0;

	switch (first & OPCODE) {
	case OP_MORE:
		return t->in_message;
	case OP_TEXT:
	case OP_BINARY:
		return !t->in_message;
	case OP_CLOSE:
	case OP_PING:
	case OP_PONG:
		return fin;
	default:
		return false;
	}
}

/* Of the second byte: sets how long the head is. */
static bool
second_fits(struct ws_track *t, uint8_t second)
{
	uint8_t len = second & LENGTH;

	if (((second & MASKED) != 0) != t->masked)
		return false;
	if ((t->head[0] & IS_CONTROL) != 0 && len > WS_CONTROL_MAX)
		return false;
	if (opcode(t) == OP_CLOSE && len == 1)
		return false;
	t->need = (uint8_t)(2 + (t->masked ? 4 : 0));
	if (len == LENGTH_16)
		t->need += 2;
	else if (len == LENGTH_64)
		t->need += 8;
	return true;
}

static uint64_t
big_endian(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* Of a whole head: the length of what follows. */
static bool
read_length(struct ws_track *t)
{
	uint8_t len = t->head[1] & LENGTH;

	switch (len) {
	case LENGTH_16:
		t->left = big_endian(t->head + 2, 2);
		return t->left > WS_CONTROL_MAX;
	case LENGTH_64:
		t->left = big_endian(t->head + 2, 8);
		return t->left > UINT16_MAX && t->left <= INT64_MAX;
	default:
		t->left = len;
		return true;
	}
}

static void
frame_ends(struct ws_track *t)
{
	if ((t->head[0] & IS_CONTROL) == 0)
		t->in_message = (t->head[0] & FIN) == 0;
	if (opcode(t) == OP_CLOSE) {
		t->closed = true;
		if (t->code_have < 2)
			t->code = WS_NO_CODE;
	}
	t->have = 0;
	t->need = 2;
	t->in_payload = false;
}

/* The next byte of a head. */
static void
feed_head(struct ws_track *t, uint8_t byte)
{
	if ((t->have == 0 && !first_fits(t, byte)) ||
	    (t->have == 1 && !second_fits(t, byte))) {
		t->blind = true;
		return;
	}
	t->head[t->have++] = byte;
	if (t->have < t->need)
		return;
	if (!read_length(t)) {
		t->blind = true;
		return;
	}
	t->in_payload = true;
	if (t->left == 0)
		frame_ends(t);
}

/* The first two bytes of a Close frame's payload. */
static void
read_code(struct ws_track *t, const char *p, size_t n)
{
	for (size_t i = 0; i < n && t->code_have < 2; i++) {
		uint8_t byte = (uint8_t)p[i];

		if (t->masked)
			byte ^= mask_key(t)[t->code_have];
		t->code = (uint16_t)(t->code << 8 | byte);
		t->code_have++;
	}
}

static size_t
feed_payload(struct ws_track *t, struct str in)
{
	size_t n = (size_t)MIN(t->left, (uint64_t)in.len);

	if (opcode(t) == OP_CLOSE && t->code_have < 2)
		read_code(t, in.p, n);
	t->left -= n;
	if (t->left == 0)
		frame_ends(t);
	return n;
}

static bool
stops_here(const struct ws_track *t, unsigned stop, uint8_t next)
{
	if (!ws_at_frame(t))
		return false;
	return (stop & WS_STOP_FRAME) != 0 ||
	    ((stop & WS_STOP_MESSAGE) != 0 && !t->in_message) ||
	    ((stop & WS_STOP_CLOSE) != 0 && (next & OPCODE) == OP_CLOSE);
}

size_t
ws_track_feed(struct ws_track *t, struct str in, unsigned stop)
{
	size_t i = 0;

	while (i < in.len && !t->blind && !t->closed) {
		if (stop != 0 && stops_here(t, stop, (uint8_t)in.p[i]))
			return i;
		if (t->in_payload)
			i += feed_payload(t, str_sub(in, i, in.len - i));
		else
			feed_head(t, (uint8_t)in.p[i++]);
	}
	return in.len;
}

size_t
ws_write_close(uint16_t code, struct str reason, const uint8_t *mask, char *out)
{
	size_t len = 2 + MIN(reason.len, (size_t)WS_REASON_MAX), n = 2;

	out[0] = (char)(FIN | OP_CLOSE);
	out[1] = (char)(len | (mask != NULL ? MASKED : 0));
	if (mask != NULL) {
		memcpy(out + n, mask, 4);
		n += 4;
	}
	out[n] = (char)(code >> 8);
	out[n + 1] = (char)(code & 0xff);
	if (len > 2)
		memcpy(out + n + 2, reason.p, len - 2);
	for (size_t i = 0; mask != NULL && i < len; i++)
		out[n + i] = (char)((uint8_t)out[n + i] ^ mask[i & 3]);
	return n + len;
}
