/* Upgraded connections. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "rig.h"

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
	get_reset(c);
	cr_expect_eq(rig_outcome(OUT_TUNNEL_TIMEOUT), 1);
	c = open_tunnel(&u); /* half closed there is less time */
	half_close(u);
	get_eof(c);
	rig_later(61 * US_PER_S);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_TUNNEL_TIMEOUT), 2);
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
