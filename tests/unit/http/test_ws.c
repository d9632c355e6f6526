/* Frames of a WebSocket, each input cut at every byte. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "http/ws.h"

#define KEY "\x11\x22\x33\x44"
/* "hi" under KEY */
#define HI KEY "\x79\x4b"
/* 1001 under KEY */
#define KEYED_1001 KEY "\x12\xcb"

#define LIT(s) s, sizeof(s) - 1

/* What is known at the end: border, message border, closed with code, blind. */
static const char *
told(const struct ws_track *t, char *out, size_t cap)
{
	if (t->blind)
		(void)snprintf(out, cap, "blind");
	else if (t->closed)
		(void)snprintf(out, cap, "closed %u", t->code);
	else
		(void)snprintf(out, cap, "%s",
		    ws_at_message(t)     ? "message"
		        : ws_at_frame(t) ? "frame"
		                         : "inside");
	return out;
}

static const struct {
	const char *why, *in;
	size_t len;
	bool masked;
	const char *end;
} rows[] = {
	{ "nothing", LIT(""), false, "message" },
	{ "a text", LIT("\x81\x02hi"), false, "message" },
	{ "a binary", LIT("\x82\x02hi"), false, "message" },
	{ "an empty one", LIT("\x81\x00"), false, "message" },
	{ "an empty one under a mask", LIT("\x81\x80" KEY), true, "message" },
	{ "a text under a mask", LIT("\x81\x82" HI), true, "message" },
	{ "half a head", LIT("\x81"), false, "inside" },
	{ "half a mask", LIT("\x81\x82\x11\x22"), true, "inside" },
	{ "half a payload", LIT("\x81\x02h"), false, "inside" },
	{ "RSV1: compressed", LIT("\xc1\x02hi"), false, "message" },
	{ "RSV2 and RSV3: some extension", LIT("\xb1\x02hi"), false,
	    "message" },
	{ "a ping with RSV1", LIT("\xc9\x00"), false, "message" },
	{ "begun in fragments", LIT("\x01\x02hi"), false, "frame" },
	{ "and continued", LIT("\x01\x02hi\x00\x02ho"), false, "frame" },
	{ "and ended", LIT("\x01\x02hi\x00\x02ho\x80\x00"), false, "message" },
	{ "a ping between fragments", LIT("\x01\x02hi\x89\x01x"), false,
	    "frame" },
	{ "a ping between messages", LIT("\x81\x01x\x89\x01x\x8a\x00"), false,
	    "message" },
	{ "126 in 16 bits, cut",
	    LIT("\x82\x7e\x00\x7e"
	        "abc"),
	    false, "inside" },
	{ "125 in 16 bits", LIT("\x82\x7e\x00\x7d"), false, "blind" },
	{ "64 KiB in 64 bits, cut", LIT("\x82\x7f\0\0\0\0\0\1\0\0x"), false,
	    "inside" },
	{ "less in 64 bits", LIT("\x82\x7f\0\0\0\0\0\0\xff\xff"), false,
	    "blind" },
	{ "63 bits", LIT("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), false,
	    "inside" },
	{ "64 bits", LIT("\x82\x7f\x80\0\0\0\0\0\0\0"), false, "blind" },
	{ "close without a code", LIT("\x88\x00"), false, "closed 1005" },
	{ "close", LIT("\x88\x02\x03\xe8"), false, "closed 1000" },
	{ "close with a reason",
	    LIT("\x88\x05\x03\xe9"
	        "bye"),
	    false, "closed 1001" },
	{ "close under a mask", LIT("\x88\x82" KEYED_1001), true,
	    "closed 1001" },
	{ "close within a message", LIT("\x01\x02hi\x88\x02\x03\xe8"), false,
	    "closed 1000" },
	{ "what follows it is not looked at", LIT("\x88\x00\xff\xff\xff"),
	    false, "closed 1005" },
	{ "half a close",
	    LIT("\x88\x05\x03\xe9"
	        "by"),
	    false, "inside" },
	{ "half a code", LIT("\x88\x01\x03"), false, "blind" },
	{ "a mask from a server", LIT("\x81\x82"), false, "blind" },
	{ "none from a client", LIT("\x81\x02"), true, "blind" },
	{ "reserved data", LIT("\x83"), false, "blind" },
	{ "reserved control", LIT("\x8b"), false, "blind" },
	{ "a fragmented ping", LIT("\x09"), false, "blind" },
	{ "a long ping", LIT("\x89\x7e"), false, "blind" },
	{ "a fragment of nothing", LIT("\x80\x02hi"), false, "blind" },
	{ "a message within a message", LIT("\x01\x02hi\x81"), false, "blind" },
	{ "no WebSocket", LIT("SSH-2.0-OpenSSH"), false, "blind" },
	{ "blind for good", LIT("\x83\x81\x00\x88\x00"), false, "blind" },
};

Test(ws, tracks, .timeout = 5)
{
	char text[32];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str in = str_from(rows[i].in, rows[i].len);

		for (size_t cut = 0; cut <= in.len; cut++) {
			struct ws_track t;
			size_t n;

			ws_track_init(&t, rows[i].masked);
			n = ws_track_feed(&t, str_sub(in, 0, cut), 0);
			n += ws_track_feed(&t, str_sub(in, cut, in.len - cut),
			    0);
			cr_expect_eq(n, in.len, "%s: all pass", rows[i].why);
			cr_expect_str_eq(told(&t, text, sizeof(text)),
			    rows[i].end, "%s, cut at %zu", rows[i].why, cut);
		}
	}
}

/* Fragments with a ping between, a text, a Close, and more. */
#define TALK                                                                   \
	"\x01\x02hi"                                                           \
	"\x89\x01x"                                                            \
	"\x80\x02ho"                                                           \
	"\x81\x01z"                                                            \
	"\x88\x02\x03\xe8"                                                     \
	"more"

static const struct {
	const char *why;
	size_t from; /* gone through before it is asked to stop */
	unsigned stop;
	size_t at;
} stops[] = {
	{ "nowhere", 0, 0, sizeof(TALK) - 1 },
	{ "at once", 0, WS_STOP_FRAME, 0 },
	{ "at once, between messages", 0, WS_STOP_MESSAGE, 0 },
	{ "within a frame", 1, WS_STOP_FRAME, 4 },
	{ "within a payload", 3, WS_STOP_FRAME, 4 },
	{ "between fragments", 4, WS_STOP_FRAME, 4 },
	{ "within the ping", 5, WS_STOP_FRAME, 7 },
	{ "the message is over", 1, WS_STOP_MESSAGE, 11 },
	{ "from the ping on", 5, WS_STOP_MESSAGE, 11 },
	{ "the close", 0, WS_STOP_CLOSE, 14 },
	{ "the close, being there", 14, WS_STOP_CLOSE, 14 },
	{ "within the close", 15, WS_STOP_CLOSE, sizeof(TALK) - 1 },
	{ "the first of two", 1, WS_STOP_MESSAGE | WS_STOP_CLOSE, 11 },
	{ "behind the close", 18, WS_STOP_FRAME, sizeof(TALK) - 1 },
};

Test(ws, stops, .timeout = 5)
{
	struct str in = str_from(LIT(TALK));

	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		for (size_t cut = stops[i].from; cut <= in.len; cut++) {
			size_t n = stops[i].from;
			struct ws_track t;

			ws_track_init(&t, false);
			cr_assert_eq(ws_track_feed(&t, str_sub(in, 0, n), 0),
			    n);
			n += ws_track_feed(&t, str_sub(in, n, cut - n),
			    stops[i].stop);
			if (n == cut)
				n += ws_track_feed(&t,
				    str_sub(in, n, in.len - n), stops[i].stop);
			cr_expect_eq(n, stops[i].at, "%s, cut at %zu: %zu",
			    stops[i].why, cut, n);
		}
	}
}

/* Length 16 and 64 bits, to their last byte. */
Test(ws, long_frames, .timeout = 5)
{
	static const struct {
		const char *head;
		size_t head_len, len;
	} longs[] = {
		{ LIT("\x82\x7d"), 125 },
		{ LIT("\x82\x7e\x00\x7e"), 126 },
		{ LIT("\x82\x7e\xff\xff"), 65535 },
		{ LIT("\x82\x7f\0\0\0\0\0\1\0\0"), 65536 },
		{ LIT("\x82\x7f\0\0\0\0\0\x10\0\0"), 1 << 20 },
	};
	static char payload[1 << 20];

	memset(payload, 0x88, sizeof(payload)); /* looks like Close frames */
	for (size_t i = 0; i < ARRAY_LEN(longs); i++) {
		struct ws_track t;

		ws_track_init(&t, false);
		(void)ws_track_feed(&t,
		    str_from(longs[i].head, longs[i].head_len), WS_STOP_CLOSE);
		(void)ws_track_feed(&t, str_from(payload, longs[i].len - 1),
		    WS_STOP_CLOSE);
		cr_expect_not(ws_at_frame(&t), "%zu: one is missing",
		    longs[i].len);
		cr_expect_eq(ws_track_feed(&t, str_from(payload, 9),
		                 WS_STOP_FRAME),
		    1, "%zu: the last one", longs[i].len);
		cr_expect(ws_at_message(&t), "%zu: whole", longs[i].len);
	}
}

Test(ws, writes_what_is_read, .timeout = 5)
{
	static const uint8_t key[4] = { 0xde, 0xad, 0xbe, 0xef };
	char reason[WS_REASON_MAX + 10], out[WS_CLOSE_MAX], text[32];

	memset(reason, 'r', sizeof(reason));
	for (size_t len = 0; len <= sizeof(reason); len++) {
		for (int masked = 0; masked < 2; masked++) {
			size_t n = ws_write_close(WS_GOING_AWAY,
			    str_from(reason, len), masked ? key : NULL, out);
			struct ws_track t;

			cr_assert_leq(n, sizeof(out));
			cr_expect_eq(n,
			    4 + 4u * (unsigned)masked +
			        MIN(len, WS_REASON_MAX));
			ws_track_init(&t, masked);
			(void)ws_track_feed(&t, str_from(out, n - 1), 0);
			cr_expect_not(t.closed);
			(void)ws_track_feed(&t, str_from(out + n - 1, 1), 0);
			cr_expect_str_eq(told(&t, text, sizeof(text)),
			    "closed 1001");
			for (size_t i = 2; !masked && i < n - 2; i++)
				cr_assert_eq(out[2 + i], 'r');
			for (size_t i = 2; masked && i < n - 6; i++)
				cr_assert_eq(out[6 + i],
				    (char)('r' ^ key[i & 3]));
		}
	}
}
