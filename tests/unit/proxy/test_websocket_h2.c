/* WebSockets of HTTP/2 clients (RFC 8441), towards instances of HTTP/1. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "h2hand.h"
#include "http/h2.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "rig.h"
#include "session/wskey.h"

static void
up(void)
{
	rig_up(&(struct rig_lines){
	    .listener = "    health: { path: /alive }" });
}

TestSuite(websocket_h2, .init = up, .fini = rig_down, .timeout = 30);

/* ---- frames ---- */

static char payload[20000];

/* The next frame of a stream; those of the connection are passed over. */
static struct h2_seen
next(int c)
{
	struct h2_seen f;
	char head[H2_HEAD];

	do {
		get_bytes(c, head, sizeof(head));
		f = h2_read(head);
		cr_assert_leq(f.len, sizeof(payload));
		get_bytes(c, payload, f.len);
	} while (f.id == 0 && f.type != H2_GOAWAY);
	return f;
}

static uint32_t
code(void)
{
	const unsigned char *p = (const unsigned char *)payload;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* Its first field is :status: indexed, or literal with an indexed name. */
static unsigned
status(int c, unsigned flags)
{
	static const unsigned by_index[] = { 200, 204, 206, 304, 400, 404,
		500 };
	struct h2_seen f = next(c);
	unsigned first = (unsigned char)payload[0];

	cr_assert_eq(f.type, H2_HEADERS);
	cr_assert_eq(f.flags, H2_END_HEADERS | flags);
	if (first >= 0x88 && first <= 0x8e)
		return by_index[first - 0x88];
	cr_assert_eq(first, 0x48, "%02x", first);
	if (payload[1] == 3)
		return (unsigned)(payload[2] - '0') * 100 +
		    (unsigned)(payload[3] - '0') * 10 +
		    (unsigned)(payload[4] - '0');
	cr_assert_eq((unsigned char)payload[1], 0x82, "in two bytes");
	/* Huffman, RFC 7541 appendix B: three digits below 5 or so; not read */
	return 0;
}

static int
ask(unsigned flags, const char *lines)
{
	struct h2_bytes b;
	int c = client_open();

	h2_begin(&b);
	h2_head(&b, 1, flags, lines);
	put_n(c, b.p, b.n);
	return c;
}

static void
say(int c, unsigned flags, const char *bytes, size_t n)
{
	struct h2_bytes b = { .n = 0 };

	h2_frame(&b, H2_DATA, flags, 1, bytes, n);
	put_n(c, b.p, b.n);
}

static void
hear(int c, unsigned flags, const char *bytes, size_t n)
{
	struct h2_seen f = next(c);

	cr_assert_eq(f.type, H2_DATA, "type %u", f.type);
	cr_assert_eq(f.flags, flags);
	cr_assert_eq(f.len, n);
	if (n > 0)
		cr_assert_arr_eq(payload, bytes, n);
}

/* ---- the instance ---- */

/* The key it was asked by; text[WSKEY_LEN]. */
static const char *
key_of(const char *head)
{
	const char *p = strstr(head, "Sec-WebSocket-Key: ");

	cr_assert_not_null(p, "%s", head);
	p += strlen("Sec-WebSocket-Key: ");
	cr_assert_eq(strcspn(p, "\r"), WSKEY_LEN);
	cr_assert_null(strstr(p, "Sec-WebSocket-Key: "), "a second one");
	return p;
}

/* format: its answer, with %.28s for the Accept. */
#define SWITCHING                                                              \
	"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"          \
	"Upgrade: websocket\r\nSec-WebSocket-Accept: %.28s\r\n\r\n"

static char asked[WSKEY_LEN]; /* the last key */

static int
take_at(int origin, const char *format)
{
	char accept[WSKEY_ACCEPT_LEN + 1] = "", text[500];
	int u = origin_accept(origin);
	const char *h = get_head(u);

	cr_expect(has(h, "GET /ws HTTP/1.1\r\n"), "%s", h);
	cr_expect(has(h, "\r\nConnection: upgrade\r\n"), "%s", h);
	cr_expect(has(h, "\r\nUpgrade: websocket\r\n"), "%s", h);
	memcpy(asked, key_of(h), sizeof(asked));
	cr_assert_eq(wskey_accept(asked, accept), E_OK);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text, sizeof(text), format, accept);
#pragma GCC diagnostic pop
	put(u, text);
	return u;
}

static int
take(const char *format)
{
	return take_at(A, format);
}

static int
open_tunnel(int *u)
{
	int c = ask(0, H2_WEBSOCKET);

	*u = take(SWITCHING);
	cr_assert_eq(status(c, 0), 200);
	return c;
}

/* ---- the tests ---- */

Test(websocket_h2, carries_bytes_both_ways)
{
	int u, c = open_tunnel(&u);

	cr_expect_eq(stat_get(&rig_icell(A)->streams), 1);
	cr_expect_eq(stat_get(&rig_icell(A)->inflight), 0);
	for (int i = 0; i < 3; i++) {
		say(c, 0, "ping", 4);
		get(u, "ping");
		put(u, "pong");
		hear(c, 0, "pong", 4);
	}
	rig_turns(3);
	cr_expect_eq(rig_slabs(), 0, "a silent tunnel holds no buffer");
	say(c, H2_END_STREAM, "", 0);
	get_eof(u);
	put(u, "still"); /* the other half is open */
	hear(c, 0, "still", 5);
	half_close(u);
	hear(c, H2_END_STREAM, "", 0);
	cr_expect_eq(rig_outcome(OUT_TUNNELLED), 1);
	cr_expect(is_silent(c), "no reset behind it");
}

Test(websocket_h2, half_close_by_the_instance)
{
	int u, c = open_tunnel(&u);

	put(u, "bye");
	half_close(u);
	hear(c, 0, "bye", 3);
	hear(c, H2_END_STREAM, "", 0);
	cr_expect(is_silent(c), "it is not asked to stop");
	say(c, 0, "late", 4);
	get(u, "late");
	say(c, H2_END_STREAM, "r", 1);
	get(u, "r");
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_TUNNELLED), 1);
}

Test(websocket_h2, early_bytes_wait_for_the_instance)
{
	struct h2_bytes b;
	int c = client_open(), u;

	h2_begin(&b);
	h2_head(&b, 1, 0, H2_WEBSOCKET "sec-websocket-key=x\n");
	h2_frame(&b, H2_DATA, 0, 1, "early", 5);
	put_n(c, b.p, b.n);
	u = take(SWITCHING "hello");
	get(u, "early");
	cr_assert_eq(status(c, 0), 200);
	hear(c, 0, "hello", 5);
}

static const struct {
	const char *why, *answer;
	unsigned status; /* 0: one that we do not read */
	enum outcome outcome;
} refused[] = {
	{ "no", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404,
	    OUT_ANSWERED },
	{ "200 would say that it is open",
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0,
	    OUT_NOT_SUPPORTED },
	{ "so would 204", "HTTP/1.1 204 No Content\r\n\r\n", 0,
	    OUT_NOT_SUPPORTED },
	{ "another key's Accept",
	    "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
	    0, OUT_INSTANCE_MALFORMED },
	{ "none",
	    "HTTP/1.1 101 X\r\nConnection: upgrade\r\n"
	    "Upgrade: websocket\r\n\r\n",
	    0, OUT_INSTANCE_MALFORMED },
	{ "two",
	    "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Accept: %.28s\r\nSec-WebSocket-Accept: x\r\n\r\n",
	    0, OUT_INSTANCE_MALFORMED },
	{ "no Connection",
	    "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Accept: %.28s\r\n\r\n",
	    0, OUT_INSTANCE_MALFORMED },
	{ "another protocol",
	    "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: chat\r\n"
	    "Sec-WebSocket-Accept: %.28s\r\n\r\n",
	    0, OUT_INSTANCE_MALFORMED },
};

Test(websocket_h2, is_opened_by_a_fitting_101_alone)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		uint64_t before = rig_outcome(refused[i].outcome);
		int c = ask(0, H2_WEBSOCKET), u = take(refused[i].answer);
		bool ours = refused[i].outcome != OUT_ANSWERED;
		struct h2_seen f;

		cr_expect_eq(status(c, ours ? 0 : H2_END_STREAM),
		    refused[i].status, "%s", refused[i].why);
		while ((f = next(c)).type == H2_DATA)
			;
		cr_expect_eq(f.type, H2_RST, "%s", refused[i].why);
		cr_expect_eq(code(), H2_NO_ERROR, "%s", refused[i].why);
		cr_expect_eq(rig_outcome(refused[i].outcome), before + 1, "%s",
		    refused[i].why);
		done(c);
		if (ours)
			get_eof(u);
		done(u);
		rig_turns(3);
	}
	cr_expect_eq(stat_get(&rig_icell(A)->malformed), 5,
	    "what any client can have is no fault");
}

Test(websocket_h2, each_try_has_a_key_of_its_own)
{
	char key[WSKEY_LEN];
	int c, u, other;

	rig_health(B, true);
	rig_publish();
	c = ask(0, H2_WEBSOCKET);
	while (origin_is_quiet(A) && origin_is_quiet(B))
		rig_turn();
	other = origin_is_quiet(A) ? A : B;
	u = origin_accept(other == A ? B : A);
	memcpy(key, key_of(get_head(u)), sizeof(key));
	reset(u);
	u = take_at(other, SWITCHING);
	cr_expect_eq(status(c, 0), 200);
	cr_expect_neq(memcmp(key, asked, sizeof(key)), 0);
	say(c, 0, "ping", 4);
	get(u, "ping");
}

/* Our own 200, too. */
Test(websocket_h2, our_health_is_none)
{
	int c = ask(0,
	    ":method=CONNECT\n:protocol=websocket\n:scheme=http\n"
	    ":path=/alive\n:authority=x\n");

	cr_expect_neq(status(c, 0), 200);
	cr_expect_eq(rig_unrouted(OUT_HEALTH), 1);
	done(c);
}

Test(websocket_h2, resets_go_on)
{
	static const char cancel[] = { 0, 0, 0, H2_CANCEL };
	struct h2_bytes b = { .n = 0 };
	int u, c = open_tunnel(&u);

	h2_frame(&b, H2_RST, 0, 1, cancel, sizeof(cancel));
	put_n(c, b.p, b.n);
	get_eof(u);
	c = open_tunnel(&u);
	reset(u);
	cr_expect_eq(next(c).type, H2_RST);
	cr_expect_eq(code(), H2_CANCEL);
	cr_expect_eq(rig_outcome(OUT_TUNNELLED), 2);
}

Test(websocket_h2, fields_within_it_are_an_error)
{
	struct h2_bytes b = { .n = 0 };
	int u, c = open_tunnel(&u);

	h2_head(&b, 1, H2_END_STREAM, "x-sum=1\n");
	put_n(c, b.p, b.n);
	cr_expect_eq(next(c).type, H2_RST);
	cr_expect_eq(code(), H2_PROTOCOL_ERROR);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_TUNNELLED), 1);
}

/* The stop's GOAWAY comes first, and cuts nothing. */
Test(websocket_h2, a_stop_closes_it_with_a_word)
{
	struct exchange *x;
	int u, c = open_tunnel(&u);

	x = TAILQ_FIRST(&rig.proxy->exchanges);
	proxy_stop(rig.proxy, 3 * US_PER_S, 60 * US_PER_S);
	cr_expect_eq(next(c).type, H2_GOAWAY);
	rig_later(6 * US_PER_S);
	get_n(u, 2 + 4 + 2 + 8);
	cr_expect(is_silent(c) && x->in_tunnel);
	put(u, "\x88\x02\x03\xe9");
	hear(c, 0, "\x88\x0a\x03\xe9stopping", 12);
	say(c, 0, "\x88\x82\0\0\0\0\x03\xe9", 8);
	hear(c, H2_END_STREAM, "", 0);
	cr_expect_eq(next(c).type, H2_RST, "its client has not ended it");
	cr_expect_eq(code(), H2_NO_ERROR);
	done(c);
	while (rig.edges[PROXY_STOPPED] == 0)
		rig_turn();
	cr_expect_eq(rig_outcome(OUT_STOP_CLOSED), 1);
}
