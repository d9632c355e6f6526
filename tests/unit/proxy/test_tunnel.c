/* Upgraded connections. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "nomem.h"
#include "proxy/exchange.h"
#include "proxy/websocket.h"
#include "proxy/worker.h"
#include "rig.h"
#include "upstream/view.h"

static void
up(void)
{
	rig_up(NULL);
}

TestSuite(tunnel, .init = up, .fini = rig_down, .timeout = 30);

#define UPGRADE                                                                \
	"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n"   \
	"Upgrade: websocket\r\n\r\n"
#define SWITCHING                                                              \
	"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"          \
	"Upgrade: websocket\r\n\r\n"

static int
open_tunnel(int *u)
{
	int c = client_ask(UPGRADE);
	const char *h;

	*u = origin_accept(A);
	h = get_head(*u);
	cr_assert(has(h, "Connection: upgrade\r\n"), "%s", h);
	cr_assert(has(h, "Upgrade: websocket\r\n"), "%s", h);
	put(*u, SWITCHING);
	h = get_head(c);
	cr_assert(has(h, "HTTP/1.1 101 "), "%s", h);
	cr_assert(has(h, "Connection: upgrade\r\n"), "%s", h);
	cr_assert(has(h, "Upgrade: websocket\r\n"), "%s", h);
	return c;
}

Test(tunnel, carries_bytes_both_ways)
{
	int u, c = open_tunnel(&u);

	cr_expect_eq(stat_get(&rig_icell(A)->streams), 1);
	cr_expect_eq(stat_get(&rig_icell(A)->inflight), 0);
	cr_expect_eq(rig_slabs(), 0, "a silent tunnel holds no buffer");
	for (int i = 0; i < 3; i++) {
		put(c, "GET / ping\r\n\r\n");
		get(u, "GET / ping\r\n\r\n");
		put(u, "pong");
		get(c, "pong");
	}
	cr_expect_eq(rig_slabs(), 0);
	half_close(c);
	get_eof(u);
	put(u, "still"); /* the other half is open */
	get(c, "still");
	half_close(u);
	get_eof(c);
	cr_expect_eq(rig_outcome(OUT_TUNNELLED), 1);
	cr_expect_eq(stat_get(&rig_icell(A)->streams), 0);
}

Test(tunnel, half_close_by_the_instance)
{
	int u, c = open_tunnel(&u);

	put(u, "bye");
	half_close(u);
	get(c, "bye");
	get_eof(c);
	put(c, "late");
	get(u, "late");
	half_close(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_TUNNELLED), 1);
}

Test(tunnel, bytes_right_behind_both_heads)
{
	int c = client_ask(UPGRADE "early"), u = origin_accept(A);

	(void)get_head(u);
	cr_expect(is_silent(u), "not before it has agreed");
	put(u, SWITCHING "hello");
	get(u, "early");
	cr_expect(has(get_head(c), " 101 "));
	get(c, "hello");
}

Test(tunnel, refused_upgrades_leave_http)
{
	int c = client_ask(UPGRADE GET_A), u = origin_accept(A);

	(void)get_head(u);
	answer(u, "403 Forbidden", "no");
	cr_expect(has(get_head(c), " 403 "));
	get(c, "no");
	cr_expect(has(get_head(u), "GET /a "));
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 2);
}

static const struct {
	const char *why, *request;
} not_asked[] = {
	{ "HTTP/2 would pass the rules by",
	    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n"
	    "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"
	    "Connection: Upgrade, HTTP2-Settings\r\n\r\n" },
	{ "even behind another word",
	    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket, h2c\r\n"
	    "Connection: Upgrade\r\n\r\n" },
	{ "even in another field",
	    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
	    "Upgrade: H2C\r\nConnection: Upgrade\r\n\r\n" },
	{ "Connection does not name it",
	    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n" },
	{ "HTTP/1.0 cannot",
	    "GET / HTTP/1.0\r\nHost: x\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\n\r\n" },
	{ "a body comes first",
	    "POST / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nContent-Length: 1\r\n\r\nx" },
};

Test(tunnel, is_not_asked_for)
{
	for (size_t i = 0; i < sizeof(not_asked) / sizeof(not_asked[0]); i++) {
		int c = client_ask(not_asked[i].request), u = origin_accept(A);
		const char *h = get_head(u);

		cr_expect_not(has(h, "pgrade"), "%s: %s", not_asked[i].why, h);
		cr_expect_not(has(h, "HTTP2"), "%s: %s", not_asked[i].why, h);
		put(u, SWITCHING); /* and so it is refused */
		cr_expect(has(get_head(c), " 502 "), "%s", not_asked[i].why);
	}
}

Test(tunnel, resets_go_on)
{
	int u, c = open_tunnel(&u);

	reset(c);
	get_eof(u);
	c = open_tunnel(&u);
	reset(u);
	get_reset(c);
	cr_expect_eq(rig_outcome(OUT_TUNNELLED), 2);
}

/* A reset that follows a half-close is not overlooked. */
Test(tunnel, reset_after_a_half_close)
{
	int u, c = open_tunnel(&u);

	half_close(c);
	get_eof(u);
	reset(c);
	while (rig_outcome(OUT_TUNNELLED) == 0)
		rig_turn();
	c = open_tunnel(&u);
	half_close(u);
	get_eof(c);
	reset(u);
	while (rig_outcome(OUT_TUNNELLED) == 1)
		rig_turn();
}

Test(tunnel, deadlines)
{
	int u, c = open_tunnel(&u);

	rig_later(59 * 60 * US_PER_S);
	put(c, "x");
	get(u, "x");
	rig_later(59 * 60 * US_PER_S);
	cr_expect(is_silent(c));
	rig_later(2 * 60 * US_PER_S);
	get_reset(c); /* "x" begins no frame */
	cr_expect_eq(rig_outcome(OUT_TUNNEL_TIMEOUT), 1);
}

/* That is no end of its own. */
Test(tunnel, ends_when_memory_is_out)
{
	static char much[60000];

	for (unsigned side = 0; side < 2; side++) {
		int u, c = open_tunnel(&u);

		nomem_arm(1, 1000);
		put_some(side == 0 ? c : u, much, sizeof(much));
		for (int i = 0; i < 100 && rig_outcome(OUT_INTERNAL) == 0; i++)
			rig_turn();
		cr_expect_gt(nomem_disarm(), 0);
		cr_expect_eq(rig_outcome(OUT_INTERNAL), side + 1);
	}
}

Test(tunnel, is_cut_by_the_streams_clock_alone)
{
	int u, c = open_tunnel(&u);

	rig.plan.pools[0].cut = CUT_REQUESTS;
	rig_publish();
	put(c, "x");
	get(u, "x");
	rig.plan.pools[0].cut = CUT_REQUESTS | CUT_STREAMS;
	rig_publish();
	get_reset(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CUT), 1);
}

Test(tunnel, tells_that_a_leaving_pool_is_empty)
{
	int u, c = open_tunnel(&u);

	rig_inst(A)->pool->leaving = true;
	half_close(c);
	half_close(u);
	get_eof(c);
	cr_expect_eq(rig.edges[PROXY_EMPTY], 1);
}

/* ---- WebSockets are closed with a word ---- */

/* Frames: the instance's, and the client's, under a mask of zeros. */
#define I_HI "\x81\x02hi"
#define C_HI "\x81\x82\0\0\0\0hi"
#define C_HI_LEN (sizeof(C_HI) - 1)
#define I_1000 "\x88\x02\x03\xe8"
#define I_1001 "\x88\x02\x03\xe9"
#define C_1001 "\x88\x82\0\0\0\0\x03\xe9"
#define C_1001_LEN (sizeof(C_1001) - 1)
/* Ours to the client, whole. */
#define OURS "\x88\x08\x03\xe9moving"

static void
drain(void)
{
	rig.plan.pools[0].cut = CUT_STREAMS;
	rig_inst(A)->pool->drains = true;
	rig_publish();
}

/* A Close of ours with 1001 and that reason of six letters, unmasked. */
static void
get_close(int u, const char *reason)
{
	unsigned char f[14];

	get_bytes(u, f, sizeof(f));
	cr_assert_eq(f[0], 0x88);
	cr_assert_eq(f[1], 0x80 | 8);
	for (size_t i = 0; i < 8; i++)
		f[6 + i] ^= f[2 + (i & 3)];
	cr_assert_eq(f[6], 0x03);
	cr_assert_eq(f[7], 0xe9);
	cr_assert_arr_eq(f + 8, reason, 6);
}

/* The clock goes on, and what falls due of a closing is done. */
static void
later(unsigned s)
{
	struct exchange *x = TAILQ_FIRST(&rig.proxy->exchanges);

	rig_later(s * US_PER_S);
	while (x != NULL && x->step != STEP_ENDED && x->ws->clock.armed &&
	    x->ws->clock.due_us <= rig.mono_us)
		rig_turn();
}

/* The streams' clock has run out, and everybody's turn has come. */
static void
drain_all(void)
{
	drain();
	later(6);
}

/* Ours to the instance, under a mask that nobody could guess. */
static void
get_our_close(int u)
{
	get_close(u, "moving");
}

static void
say_closed(int c)
{
	put_n(c, C_1001, C_1001_LEN);
	get_eof(c);
	done(c);
}

Test(tunnel, a_silent_websocket_is_closed_in_its_turn)
{
	int u, c = open_tunnel(&u);

	drain_all();
	get_our_close(u);
	cr_expect(is_silent(c), "the instance answers first");
	put(u, I_1001);
	get(c, OURS);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CLOSED), 0, "the client answers");
	say_closed(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CLOSED), 1);
	cr_expect_eq(
	    stat_get(&rig_inst(A)->pool->cells[0].streams_ended[STREAM_CLOSED]),
	    1);
	cr_expect(has(rig_log(), "\"close_code\":1001,\"closed_by\":\"segue\""),
	    "%s", rig_log());
}

Test(tunnel, a_websocket_closes_within_the_spread)
{
	int u, c = open_tunnel(&u);
	struct exchange *x = TAILQ_FIRST(&rig.proxy->exchanges);
	uint64_t due;

	(void)c;
	drain();
	due = x->ws->clock.due_us - rig.mono_us;
	cr_expect_leq(due, 5 * US_PER_S);
	rig_publish(); /* a further view draws no further lot */
	cr_expect_eq(x->ws->clock.due_us - rig.mono_us, due);
}

/* What the instance got is answered; what came later it never saw. */
Test(tunnel, a_message_in_the_middle_is_delivered_first)
{
	int u, c = open_tunnel(&u);

	put_n(c, C_HI, C_HI_LEN - 1);
	get_n(u, C_HI_LEN - 1);
	drain_all();
	cr_expect(is_silent(u));
	put_n(c, "i" C_HI, 1 + C_HI_LEN); /* one more comes with its end */
	get(u, "i");
	get_our_close(u);
	put(u, I_HI I_HI "\x01\x02hi"); /* answers, the last in fragments */
	get(c, I_HI I_HI "\x01\x02hi");
	put_n(c, C_HI, C_HI_LEN);
	cr_expect(is_silent(u), "nothing behind our Close");
	put_n(u, "\x80\0", 2);
	get_n(c, 2);
	put(u, "\x88\x02\x03");
	get(c, OURS); /* in place of its own, whatever it says */
	put(u, "\xe8" I_HI);
	say_closed(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CLOSED), 1);
}

/* Slow, but within bounds: a frame's border will do, then it is cut. */
Test(tunnel, a_client_that_does_not_end_its_message)
{
	int u, c = open_tunnel(&u);

	put_n(c, "\x01\x82\0\0\0\0hi", 8); /* begun in fragments */
	get_n(u, 8);
	drain_all();
	cr_expect(is_silent(u));
	later(5);
	get_our_close(u);
	put(u, I_1001);
	get(c, OURS);
	say_closed(c);
	c = open_tunnel(&u);
	put_n(c, C_HI, C_HI_LEN - 1);
	get_n(u, C_HI_LEN - 1);
	drain_all();
	cr_expect(is_silent(u));
	later(5);
	cr_expect(is_silent(u));
	later(5);
	get_reset(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CLOSED), 1);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CUT), 1);
}

Test(tunnel, an_instance_that_does_not_close)
{
	int u, c = open_tunnel(&u);

	drain_all();
	get_our_close(u);
	put(u, "\x01\x02hi"); /* a message without an end */
	get(c, "\x01\x02hi");
	later(4);
	cr_expect(is_silent(c));
	later(2);
	get(c, OURS);
	put(u, I_HI); /* too late */
	say_closed(c);
	get_eof(u);
	c = open_tunnel(&u);
	drain_all();
	get_our_close(u);
	put(u, "\x81\x02h"); /* a frame without an end */
	get(c, "\x81\x02h");
	for (int i = 0; i < 3; i++) {
		cr_expect(is_silent(c));
		later(5);
	}
	get_reset(c);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CLOSED), 1);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CUT), 1);
}

Test(tunnel, an_instance_that_ends_without_a_close)
{
	int u, c = open_tunnel(&u);

	drain_all();
	get_our_close(u);
	half_close(u);
	get(c, OURS);
	say_closed(c);
	get_eof(u);
	c = open_tunnel(&u);
	drain_all();
	get_our_close(u);
	reset(u);
	get(c, OURS);
	say_closed(c);
	c = open_tunnel(&u);
	put_n(c, C_HI, C_HI_LEN - 1); /* it dies under a message */
	get_n(u, C_HI_LEN - 1);
	drain_all();
	rig_turns(3);
	reset(u);
	get(c, OURS);
	say_closed(c);
	c = open_tunnel(&u);
	drain_all();
	get_our_close(u);
	put(u, "\x81\x02h");
	get(c, "\x81\x02h");
	half_close(u); /* within a frame: no Close can follow */
	get_reset(c);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CLOSED), 3);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CUT), 1);
}

Test(tunnel, a_client_that_does_not_close)
{
	int u, c = open_tunnel(&u);

	drain_all();
	get_our_close(u);
	put(u, I_1001);
	get(c, OURS);
	later(3);
	get_eof(c);
	done(c);
	c = open_tunnel(&u); /* nor waits for anything */
	drain_all();
	get_our_close(u);
	put(u, I_1001);
	get(c, OURS);
	reset(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CLOSED), 2);
}

Test(tunnel, half_closed_ones_are_closed_too)
{
	int u, c = open_tunnel(&u);

	half_close(c);
	get_eof(u);
	drain_all();
	put(u, I_HI I_1000);
	get(c, I_HI OURS);
	get_eof(c);
	get_eof(u);
	c = open_tunnel(&u);
	half_close(u);
	get_eof(c);
	drain_all();
	get_our_close(u);
	put_n(c, C_1001, C_1001_LEN);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CLOSED), 2);
}

/* They close by themselves: nobody puts in a word. */
Test(tunnel, its_own_close_goes_on)
{
	int u, c = open_tunnel(&u);

	put_n(c, "\x88\x82\0\0\0\0\x03\xe8", 8);
	get_n(u, 8);
	drain_all();
	rig_turns(3);
	put(u, I_HI I_1000);
	get(c, I_HI I_1000);
	done(u);
	get_eof(c);
	done(c);
	while (rig_outcome(OUT_TUNNELLED) == 0)
		rig_turn();
	cr_expect(has(rig_log(),
	    "\"close_code\":1000,\"closed_by\":\"client\""));
}

Test(tunnel, undrained_in_time_it_stays)
{
	int u, c = open_tunnel(&u);

	drain();
	rig.plan.pools[0].cut = 0;
	rig_inst(A)->pool->drains = false;
	rig_publish();
	later(20);
	put_n(c, C_HI, C_HI_LEN);
	get_n(u, C_HI_LEN);
	put(u, I_HI);
	get(c, I_HI);
}

Test(tunnel, other_upgrades_are_cut)
{
	int c = client_ask("GET / HTTP/1.1\r\nHost: x\r\n"
	                   "Connection: upgrade\r\nUpgrade: chat\r\n\r\n");
	int u = origin_accept(A);

	(void)get_head(u);
	put(u,
	    "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\n"
	    "Upgrade: chat\r\n\r\n");
	(void)get_head(c);
	drain();
	get_reset(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CUT), 1);
	cr_expect_eq(
	    stat_get(&rig_inst(A)->pool->cells[0].streams_ended[STREAM_CUT]),
	    1);
}

/* Its request was on its way when the clock ran out. */
Test(tunnel, one_that_begins_late_is_closed_too)
{
	int c = client_ask(UPGRADE), u = origin_accept(A);

	(void)get_head(u);
	drain();
	put(u, SWITCHING);
	(void)get_head(c);
	later(6);
	get_our_close(u);
	put(u, I_1001);
	get(c, OURS);
	say_closed(c);
}

/* All that was received is delivered before it, however slowly it is read:
 * longer than any step may take, but for the bytes that move. */
Test(tunnel, back_pressure_comes_first)
{
	static char frame[4 + 60000] = "\x82\x7e\xea\x60";
	enum { PARTS = 9 };
	int u, c = open_tunnel(&u);
	size_t sent = 0, at = 0, n;

	while (sent < (64u << 20) &&
	    (n = put_some(u, frame + at, sizeof(frame) - at)) > 0) {
		sent += n;
		at = (at + n) % sizeof(frame);
	}
	cr_assert_lt(sent, 64u << 20, "the client's side must be full");
	drain_all();
	get_our_close(u);
	for (int i = 0; i < PARTS; i++) {
		get_n(c, sent / PARTS);
		later(3);
	}
	get_n(c, sent % PARTS);
	put_n(u, frame + at, sizeof(frame) - at);
	put(u, I_1001);
	get_n(c, sizeof(frame) - at);
	get(c, OURS);
	say_closed(c);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CLOSED), 1);
}

/* Who takes nothing has no more time than others. */
Test(tunnel, a_client_that_reads_nothing_is_cut)
{
	static char frame[4 + 60000] = "\x82\x7e\xea\x60";
	int u, c = open_tunnel(&u);
	size_t at = 0, n;

	while ((n = put_some(u, frame + at, sizeof(frame) - at)) > 0)
		at = (at + n) % sizeof(frame);
	drain_all();
	for (int i = 0; i < 5; i++)
		later(4);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CUT), 1);
	(void)c;
}

Test(tunnel, a_stop_closes_websockets)
{
	int u, c = open_tunnel(&u);

	proxy_stop(rig.proxy, 3 * US_PER_S, 60 * US_PER_S);
	later(6);
	get_n(u, 2 + 4 + 2 + 8);
	put(u, I_1001);
	get(c, "\x88\x0a\x03\xe9stopping");
	say_closed(c);
	while (rig.edges[PROXY_STOPPED] == 0)
		rig_turn();
	cr_expect_eq(rig_outcome(OUT_STOP_CLOSED), 1);
}

/* ---- what is silent for too long ---- */

Test(tunnel, a_silent_websocket_is_closed_at_its_timeout)
{
	int u, c = open_tunnel(&u);

	put_n(c, C_HI, C_HI_LEN);
	get_n(u, C_HI_LEN);
	later(59 * 60);
	cr_expect(is_silent(u));
	later(2 * 60);
	rig_turns(3);
	get_close(u, "silent");
	put(u, I_1001);
	get(c, "\x88\x08\x03\xe9silent");
	say_closed(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_TUNNEL_TIMEOUT), 1);
	cr_expect(has(rig_log(), "\"close_code\":1001,\"closed_by\":\"segue\""),
	    "%s", rig_log());
}

/* Nobody is there any more: it ends all the same. */
Test(tunnel, a_dead_websocket_ends_at_its_timeout)
{
	int u, c = open_tunnel(&u);

	later(61 * 60);
	rig_turns(3);
	get_close(u, "silent");
	later(4);
	later(2);
	get(c, "\x88\x08\x03\xe9silent");
	later(3);
	get_eof(c);
	cr_expect_eq(rig_outcome(OUT_TUNNEL_TIMEOUT), 1);
	done(c);
}

Test(tunnel, half_closed_there_is_less_time)
{
	int u, c = open_tunnel(&u);

	half_close(u);
	get_eof(c);
	later(59);
	cr_expect(is_silent(u));
	later(2);
	rig_turns(3);
	get_close(u, "silent");
	later(3);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_TUNNEL_TIMEOUT), 1);
}

/* A timeout as short as a closing does not cut into it. */
Test(tunnel, a_closing_has_its_own_clock)
{
	int u, c = open_tunnel(&u);

	TAILQ_FIRST(&rig.proxy->exchanges)->tunnel_us = 8 * US_PER_S;
	put_n(c, C_HI, C_HI_LEN - 1); /* and its end is long in coming */
	get_n(u, C_HI_LEN - 1);
	drain_all();
	later(3);
	put_n(c, "i", 1);
	get(u, "i");
	get_our_close(u);
	later(2);
	put(u, I_HI I_1001);
	get(c, I_HI OURS);
	say_closed(c);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CLOSED), 1);
}
