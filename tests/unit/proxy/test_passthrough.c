/*
 * Connections that are passed through, seen from both ends.  Nobody here
 * speaks TLS: what comes behind a hello is the instance's, whatever it is.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "rig.h"
#include "tls/hello.h"
#include "upstream/view.h"

TestSuite(passthrough, .fini = rig_down, .timeout = 30);

#define HELLO_OF(name)                                                         \
	"\x16\3\1\0\x3b\1\0\0\x37\3\3"                                         \
	"0123456789abcdef0123456789abcdef"                                     \
	"\0\0\2\x13\1\1\0\0\14\0\0\0\10\0\6\0\0\3" name
#define HELLO HELLO_OF("a.b")
#define HELLO_LEN 64
#define ALERT(what) "\x15\3\3\0\2\2" what
#define INTERNAL_ERROR ALERT("\x50")
#define UNRECOGNIZED_NAME ALERT("\x70")
#define DECODE_ERROR ALERT("\x32")

#define PASS "    mode: passthrough\n    match: a.b\n"

static void
up_with(const char *service, const char *pool, const char *listener)
{
	static char of_service[512], of_listener[512];
	struct rig_lines lines = { .pool = pool };

	(void)snprintf(of_service, sizeof(of_service), PASS "%s", service);
	(void)snprintf(of_listener, sizeof(of_listener),
	    "    passthrough: on\n%s", listener);
	lines.service = of_service;
	lines.listener = of_listener;
	rig_up(&lines);
}

static uint64_t
refused(enum conn_refusal why)
{
	return stat_get(
	    &registry_unrouted(rig.registry)->cells[0].refused[why]);
}

static int
say_hello(void)
{
	int c = client_open();

	put_n(c, HELLO, HELLO_LEN);
	return c;
}

static void
get_alert(int fd, const char *want)
{
	char got[HELLO_ALERT];

	get_bytes(fd, got, sizeof(got));
	cr_expect_eq(memcmp(got, want, sizeof(got)), 0, "alert %d",
	    (unsigned char)got[HELLO_ALERT - 1]);
}

/* Both ends go, and all that was between them. */
static void
part(int c, int u)
{
	done(c);
	done(u);
	while (rig.proxy->n_clients > 0)
		rig_turn();
}

/* An instance that has the hello. */
static int
heard_by(int origin)
{
	int u = origin_accept(origin);
	char got[HELLO_LEN];

	get_bytes(u, got, HELLO_LEN);
	cr_expect_eq(memcmp(got, HELLO, HELLO_LEN), 0, "every byte of it");
	return u;
}

Test(passthrough, both_ways_and_half_closed)
{
	int c, u;

	up_with("", NULL, "");
	c = say_hello();
	u = heard_by(A);
	cr_expect_eq(stat_get(&rig_icell(A)->streams), 1);
	cr_expect_eq(stat_get(&rig_icell(A)->inflight), 0);
	cr_expect_eq(rig_slabs(), 0, "it holds no buffer");
	for (int i = 0; i < 3; i++) {
		put(u, "GET / pong\r\n\r\n");
		get(c, "GET / pong\r\n\r\n");
		put(c, "ping");
		get(u, "ping");
	}
	half_close(c);
	get_eof(u);
	put(u, "still");
	get(c, "still");
	half_close(u);
	get_eof(c);
	cr_expect_eq(rig_outcome(OUT_TUNNELLED), 1);
	cr_expect_eq(stat_get(&rig_icell(A)->passed), 1);
	cr_expect_eq(stat_get(&rig_icell(A)->requests), 1);
	for (int i = 0; i < STATUS_N; i++)
		cr_expect_eq(stat_get(&rig_icell(A)->status[i]), 0,
		    "no answer of HTTP");
	cr_expect(has(rig_log(), "\"passthrough\":true,\"sni\":\"a.b\","), "%s",
	    rig_log());
	cr_expect(has(rig_log(), "\"bytes_in\":76,\"bytes_out\":47,"), "%s",
	    rig_log());
}

Test(passthrough, hello_in_pieces)
{
	int c, u;

	up_with("", NULL, "");
	c = client_open();
	for (int i = 0; i < HELLO_LEN; i++) {
		cr_expect(origin_is_quiet(A));
		put_n(c, &HELLO[i], 1);
		cr_expect_eq(rig_slabs(), 0);
		rig_turns(2);
	}
	u = heard_by(A);
	put(u, "x");
	get(c, "x");
}

Test(passthrough, bytes_behind_the_hello_come_along)
{
	static char more[100000];
	int c, u;

	up_with("", NULL, "");
	memset(more, 'm', sizeof(more));
	c = client_open();
	put_n(c, HELLO, HELLO_LEN);
	put_n(c, more, 20000);
	u = heard_by(A);
	get_n(u, 20000);
	put(u, "x");
	get(c, "x");
}

/* ---- who has no instance ---- */

static const struct {
	const char *why, *bytes;
	size_t len;
	enum conn_refusal refusal;
	const char *alert;
} refusals[] = {
	{ "nobody's name", HELLO_OF("x.y"), HELLO_LEN, REFUSED_HELLO_NAME,
	    UNRECOGNIZED_NAME },
	{ "HTTP", GET_A, sizeof(GET_A) - 1, REFUSED_HELLO_BAD, DECODE_ERROR },
	{ "no name", HELLO_OF(" .b"), HELLO_LEN, REFUSED_HELLO_BAD,
	    DECODE_ERROR },
};

Test(passthrough, hellos_that_lead_nowhere)
{
	up_with("", NULL, "");
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		int c = client_open();

		put_n(c, refusals[i].bytes, refusals[i].len);
		get_alert(c, refusals[i].alert);
		get_eof(c);
		cr_expect_eq(refused(refusals[i].refusal), i == 2 ? 2 : 1, "%s",
		    refusals[i].why);
		done(c);
		while (rig.proxy->n_clients > 0)
			rig_turn();
	}
	cr_expect_eq(rig_unrouted(OUT_NO_SERVICE), 0, "they were no exchanges");
}

Test(passthrough, cut_short)
{
	int c;

	up_with("", NULL, "");
	c = client_open();
	put_n(c, HELLO, HELLO_LEN - 1);
	rig_turns(3);
	half_close(c);
	get_alert(c, DECODE_ERROR);
	get_eof(c);
	cr_expect_eq(refused(REFUSED_HELLO_BAD), 1);
	done(client_open()); /* a check of a balancer is no news */
	rig_turns(5);
	for (int i = 0; i < REFUSED_COUNT; i++)
		cr_expect_eq(refused((enum conn_refusal)i),
		    i == REFUSED_HELLO_BAD);
}

Test(passthrough, late)
{
	int c;

	up_with("", NULL, "    timeouts: { handshake: 3s }\n");
	c = client_open();
	put_n(c, HELLO, 20);
	rig_turns(3);
	rig_later(2900 * US_PER_MS);
	rig_turns(3);
	cr_expect_eq(refused(REFUSED_HELLO_TIMEOUT), 0);
	rig_later(300 * US_PER_MS);
	get_reset(c); /* we have read nothing */
	cr_expect_eq(refused(REFUSED_HELLO_TIMEOUT), 1);
}

Test(passthrough, no_instance)
{
	int c;

	up_with("", NULL, "");
	rig_health(A, false);
	rig_publish();
	c = say_hello();
	get_alert(c, INTERNAL_ERROR);
	get_eof(c);
	cr_expect_eq(rig_outcome(OUT_NO_INSTANCE), 1);
	cr_expect(has(rig_log(), "\"status\":0,\"outcome\":\"no_instance\""),
	    "%s", rig_log());
}

/* ---- instances that fail ---- */

Test(passthrough, another_is_asked_when_connecting_fails)
{
	int c, u;

	up_with("", NULL, "");
	rig_health(B, true);
	rig_publish();
	origin_close(A);
	for (int i = 0; i < 8; i++) {
		c = say_hello();
		u = heard_by(B);
		put(u, "x");
		get(c, "x");
		part(c, u);
	}
	cr_expect_gt(stat_get(&rig_icell(A)->connect_failed), 0);
}

/* Who meets nobody waits for the next view, which knows better. */
Test(passthrough, waits_for_word_of_the_dead)
{
	int c, u;

	up_with("", NULL, "");
	rig_share(5000, 5000);
	origin_close(A);
	c = say_hello();
	while (rig.proxy->n_parked == 0)
		rig_turn();
	cr_expect(is_silent(c));
	rig_health(A, false);
	rig_health(C, true);
	rig_publish();
	u = heard_by(C);
	put(u, "x");
	get(c, "x");
	cr_expect_gt(rig.edges[PROXY_CONNECT_FAILED], 0);
}

static const struct {
	const char *why;
	bool by_reset;
	enum outcome outcome;
} deaths[] = {
	{ "a close", false, OUT_INSTANCE_RESET },
	{ "a reset", true, OUT_INSTANCE_RESET },
};

Test(passthrough, dies_before_its_first_byte)
{
	up_with("", NULL, "");
	rig_health(B, true);
	rig_publish();
	for (size_t i = 0; i < ARRAY_LEN(deaths); i++) {
		int c = say_hello(), u;
		int at = origin_is_quiet(A) ? B : A;

		u = heard_by(at);
		if (deaths[i].by_reset) {
			reset(u);
			get_reset(c);
		} else {
			done(u);
			get_eof(c);
			done(c);
		}
		while (rig_outcome(OUT_INSTANCE_RESET) != i + 1)
			rig_turn();
		cr_expect_eq(rig_outcome(deaths[i].outcome), i + 1, "%s",
		    deaths[i].why);
	}
	cr_expect_eq(stat_get(&rig_icell(A)->failures) +
	        stat_get(&rig_icell(B)->failures),
	    2);
	cr_expect_eq(stat_get(&rig_cell()->retries), 0, "the hello has left");
}

Test(passthrough, says_nothing)
{
	int c, u;

	up_with("    timeouts: { first_byte: 5s, tunnel: 1h }\n", NULL, "");
	c = say_hello();
	u = heard_by(A);
	rig_later(6 * US_PER_S);
	get_reset(c);
	(void)u;
	cr_expect_eq(rig_outcome(OUT_FIRST_BYTE_TIMEOUT), 1);
	cr_expect_eq(stat_get(&rig_icell(A)->failures), 1);
	/* once it has, it may be silent for long */
	c = say_hello();
	u = heard_by(A);
	put(u, "x");
	get(c, "x");
	rig_later(3000 * US_PER_S);
	rig_turns(3);
	put(u, "y");
	get(c, "y");
	rig_later(3601 * US_PER_S);
	get_reset(c);
	cr_expect_eq(rig_outcome(OUT_TUNNEL_TIMEOUT), 1);
	cr_expect_eq(stat_get(&rig_icell(A)->failures), 1);
}

Test(passthrough, client_leaves_first)
{
	int c, u;

	up_with("", NULL, "");
	c = say_hello();
	u = heard_by(A);
	reset(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_CLIENT_LEFT), 1);
	cr_expect_eq(stat_get(&rig_icell(A)->failures), 0);
}

/* ---- bounds ---- */

Test(passthrough, a_bound_is_of_connections)
{
	int c, d, u;

	up_with("", "        max_requests: 1\n", "");
	c = say_hello();
	u = heard_by(A);
	put(u, "x");
	get(c, "x");
	d = say_hello();
	rig_turns(5);
	cr_expect(origin_is_quiet(A), "it waits");
	done(c);
	done(u);
	u = heard_by(A);
	put(u, "y");
	get(d, "y");
}

Test(passthrough, too_fast)
{
	int c;

	up_with("", NULL,
	    "    clients: { requests_per_second: 1, burst: 1 }\n");
	c = say_hello();
	put(heard_by(A), "x");
	get(c, "x");
	c = say_hello();
	get_alert(c, INTERNAL_ERROR);
	cr_expect_eq(rig_outcome(OUT_RATE_LIMITED), 1);
}

/* ---- the end of a pool, and of us ---- */

static int
open_one(int *u)
{
	int c = say_hello();

	*u = heard_by(A);
	put(*u, "x");
	get(c, "x");
	return c;
}

/* When the exchanges there are end, in their order. */
static size_t
lots(uint64_t *out, size_t max)
{
	const struct exchange *x;
	size_t n = 0;

	TAILQ_FOREACH (x, &rig.proxy->exchanges, link)
		if (n < max)
			out[n++] = x->ends_us;
	return n;
}

Test(passthrough, drain_cuts_by_lot)
{
	enum { N = 6 };
	int c[N], u[N];
	uint64_t first[N], again[N], now;
	const struct pool *v1;

	up_with("    drain: { spread: 10s }\n", NULL, "");
	for (int i = 0; i < N; i++)
		c[i] = open_one(&u[i]);
	rig.plan.pools[0].cut = CUT_REQUESTS;
	rig_publish();
	cr_assert_eq(lots(first, N), N);
	for (int i = 0; i < N; i++)
		cr_expect_eq(first[i], 0, "requests are none of them");
	rig.plan.pools[0].cut = CUT_REQUESTS | CUT_STREAMS;
	rig_publish();
	now = loop_now_us(rig.loop);
	cr_assert_eq(lots(first, N), N);
	for (int i = 0; i < N; i++) {
		cr_expect_geq(first[i], now);
		cr_expect_lt(first[i], now + 10 * US_PER_S);
	}
	cr_expect_neq(first[0], first[1], "not all at once");
	put(u[0], "on"); /* it is no sign of a longer life */
	get(c[0], "on");
	rig_publish();
	cr_assert_eq(lots(again, N), N);
	cr_expect_arr_eq(again, first, sizeof(first), "told again, it stays");
	rig_later(10 * US_PER_S);
	for (int i = 0; i < N; i++) {
		get_reset(c[i]);
		get_eof(u[i]);
	}
	cr_expect_eq(rig_outcome(OUT_DRAIN_CUT), N);
	v1 = registry_pool(rig.registry, "web", "v1");
	cr_expect_eq(stat_get(&v1->cells[0].streams_ended[STREAM_CUT]), N);
}

Test(passthrough, a_stop_gives_all_its_time)
{
	int c, u;

	up_with("    drain: { spread: 8s }\n", NULL, "");
	c = open_one(&u);
	proxy_stop(rig.proxy, US_PER_S, 60 * US_PER_S);
	rig_later(44 * US_PER_S);
	rig_turns(3);
	put(c, "on");
	get(u, "on");
	rig_later(17 * US_PER_S);
	get_reset(c);
	cr_expect_eq(rig_outcome(OUT_STOP_CUT), 1);
	cr_expect_eq(rig.edges[PROXY_STOPPED], 1);
}

Test(passthrough, a_switch_moves_what_begins)
{
	int c, d, u, v;

	up_with("", NULL, "");
	rig_health(C, true);
	rig_publish();
	c = open_one(&u);
	rig_share(0, 10000);
	rig_publish();
	d = say_hello();
	v = heard_by(C);
	put(v, "v2");
	get(d, "v2");
	put(c, "on");
	get(u, "on");
}

Test(passthrough, a_source_has_its_pool)
{
	int at = -1;

	up_with("", NULL, "");
	rig_health(C, true);
	rig_share(5000, 5000);
	rig_publish();
	for (int i = 0; i < 10; i++) {
		int c = say_hello(), here, u;

		for (int n = 0;
		     n < 50 && origin_is_quiet(A) && origin_is_quiet(C); n++)
			rig_turn();
		here = origin_is_quiet(A) ? C : A;
		u = heard_by(here);
		cr_expect(at == -1 || at == here, "it bounced");
		at = here;
		put(u, "x");
		get(c, "x");
		part(c, u);
	}
}
