/* Ways to die, of instances and clients, and what must follow: invariants 1
 * and 2. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "proxy/park.h"
#include "proxy/worker.h"
#include "rig.h"

static void
up(void)
{
	rig_up(NULL);
	rig_health(B, true);
	rig_publish();
}

TestSuite(death, .init = up, .fini = rig_down, .timeout = 30);

static int
accept_any(void)
{
	while (origin_is_quiet(A) && origin_is_quiet(B))
		rig_turn();
	return origin_is_quiet(A) ? origin_accept(B) : origin_accept(A);
}

/* ---- before a connection ---- */

static const char *const any_request[] = { GET_A, POST_5 "hello" };

Test(death, refused_connects_go_elsewhere_whatever_the_method)
{
	origin_close(A);
	for (int i = 0; i < 20; i++) { /* of two, a is drawn at times */
		int c = client_ask(any_request[i % 2]), u = origin_accept(B);

		(void)get_head(u);
		if (i % 2 == 1)
			get(u, "hello");
		put(u,
		    "HTTP/1.1 200 OK\r\nConnection: close\r\n"
		    "Content-Length: 2\r\n\r\nok");
		cr_expect(has(get_head(c), " 200 "));
		get(c, "ok");
	}
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 20);
	cr_expect_eq(stat_get(&rig_cell()->retries),
	    stat_get(&rig_icell(A)->connect_failed));
	cr_expect_eq(rig.edges[PROXY_CONNECT_FAILED],
	    stat_get(&rig_icell(A)->connect_failed));
}

/* A request that is parked, as nobody can be reached. */
static int
park(const char *request)
{
	int c = client_ask(request);

	origin_close(A);
	origin_close(B);
	for (int i = 0; i < 1000 && rig.proxy->n_parked == 0; i++)
		rig_turn();
	cr_assert_eq(rig.proxy->n_parked, 1u);
	cr_expect(is_silent(c));
	return c;
}

Test(death, nobody_can_be_reached)
{
	int c = park(GET_A);

	rig_later(PARK_LIMIT_US + 1);
	cr_expect(has(get_head(c), " 503 "));
	rig_turns(5);
	cr_expect_eq(rig_outcome(OUT_CONNECT_FAILED), 1);
	cr_expect_eq(stat_get(&rig_cell()->retries), 2);
	cr_expect_eq(rig.proxy->n_parked, 0u);
}

Test(death, who_found_nobody_goes_where_the_next_view_says)
{
	for (size_t i = 0; i < ARRAY_LEN(any_request); i++) {
		int c = park(any_request[i]), u;

		rig_health(A, false);
		rig_health(B, false);
		rig_health(C, true);
		rig_share(0, CFG_SHARE_ALL);
		rig_publish();
		u = origin_accept(C);
		(void)get_head(u);
		if (i == 1)
			get(u, "hello");
		answer(u, "200 OK", "ok");
		cr_expect(has(get_head(c), " 200 "), "%zu", i);
		cr_expect_eq(rig_outcome(OUT_ANSWERED), i + 1);
		rig_health(A, true);
		rig_health(B, true);
		rig_share(CFG_SHARE_ALL, 0);
		rig_publish();
		done(c);
		done(u);
	}
}

/* A view that brings nothing new does not make it wait longer. */
Test(death, a_parked_one_waits_once)
{
	int c = park(GET_A);

	rig_later(PARK_LIMIT_US / 2);
	rig_publish();
	rig_turns(5);
	cr_expect_eq(rig.proxy->n_parked, 1u, "it was refused again");
	rig_later(PARK_LIMIT_US / 2 + 1);
	cr_expect(has(get_head(c), " 503 "));
	cr_expect_eq(rig_outcome(OUT_CONNECT_FAILED), 1);
}

/* A GET that both instances have dropped: its last try waits. */
static int
drop_twice(void)
{
	int c = client_ask(GET_A);

	for (int i = 0; i < 2; i++) {
		int u = accept_any();

		(void)get_head(u);
		reset(u);
	}
	while (rig.proxy->n_parked == 0)
		rig_turn();
	cr_expect(origin_is_quiet(A) && origin_is_quiet(B));
	return c;
}

Test(death, whom_all_have_dropped_goes_where_the_next_view_says)
{
	int c = drop_twice(), u;

	rig_health(A, false);
	rig_health(B, false);
	rig_health(C, true);
	rig_share(0, CFG_SHARE_ALL);
	rig_publish();
	u = origin_accept(C);
	(void)get_head(u);
	answer(u, "200 OK", "ok");
	cr_expect(has(get_head(c), " 200 "));
	cr_expect_eq(stat_get(&rig_cell()->retries), 2);
}

Test(death, the_last_try_is_made_though_nothing_is_better)
{
	int c = drop_twice(), u;

	rig_later(PARK_LIMIT_US + 1);
	u = accept_any();
	(void)get_head(u);
	reset(u);
	cr_expect(has(get_head(c), " 502 "));
	cr_expect(origin_is_quiet(A) && origin_is_quiet(B));
	cr_expect_eq(rig.proxy->n_parked, 0u);
	cr_expect_eq(rig_outcome(OUT_INSTANCE_RESET), 1);
}

/* The same; then one is found down, and the other drops it once more. */
static int
drop_again(void)
{
	int c = drop_twice(), u;

	rig_health(A, false);
	rig_publish();
	u = origin_accept(B);
	(void)get_head(u);
	reset(u);
	while (rig.proxy->n_parked == 0)
		rig_turn();
	return c;
}

Test(death, dropped_again_it_goes_on_waiting)
{
	int c = drop_again(), u;

	rig_health(B, false);
	rig_health(C, true);
	rig_share(0, CFG_SHARE_ALL);
	rig_publish();
	u = origin_accept(C);
	(void)get_head(u);
	answer(u, "200 OK", "ok");
	cr_expect(has(get_head(c), " 200 "));
	cr_expect_eq(stat_get(&rig_cell()->retries), 3, "each try counts");
}

Test(death, dropped_again_it_does_not_wait_for_ever)
{
	int c = drop_again();

	rig_later(PARK_LIMIT_US + 1);
	cr_expect(has(get_head(c), " 502 "));
	cr_expect(origin_is_quiet(B));
	cr_expect_eq(rig_outcome(OUT_INSTANCE_RESET), 1);
}

Test(death, the_client_of_a_parked_one_leaves)
{
	int c = park(GET_A);

	reset(c);
	while (rig.proxy->n_parked > 0)
		rig_turn();
	rig_turns(5);
	cr_expect_eq(rig_outcome(OUT_CLIENT_LEFT), 1);
}

Test(death, a_stop_refuses_who_is_parked)
{
	int c = park(GET_A);

	proxy_stop(rig.proxy, 0, 0);
	rig_later(US_PER_S);
	cr_expect(has(get_head(c), " 503 "));
	cr_expect_eq(rig.proxy->n_parked, 0u);
}

/* ---- with the request on its way ---- */

static const struct {
	const char *why, *request, *part; /* what the instance says first */
	bool rst, reused, again;          /* is it asked again? */
} deaths[] = {
	{ "GET, FIN", GET_A, "", false, false, true },
	{ "GET, RST", GET_A, "", true, false, true },
	{ "GET on a kept connection, FIN", GET_A, "", false, true, true },
	{ "GET on a kept connection, RST", GET_A, "", true, true, true },
	{ "POST, FIN", POST_5 "hello", "", false, false, false },
	{ "POST, RST", POST_5 "hello", "", true, false, false },
	{ "POST on a kept connection, FIN", POST_5 "hello", "", false, true,
	    false },
	{ "POST on a kept connection, RST", POST_5 "hello", "", true, true,
	    false },
	{ "POST without a body", "POST /p HTTP/1.1\r\nHost: x\r\n\r\n", "",
	    false, true, false },
	{ "a method we do not know", "BREW /p HTTP/1.1\r\nHost: x\r\n\r\n", "",
	    false, false, false },
	{ "one byte of an answer", GET_A, "H", false, false, false },
	{ "half a head", GET_A, "HTTP/1.1 200 OK\r\nConte", true, false,
	    false },
	{ "after 100", POST_5 "hello", "HTTP/1.1 100 Continue\r\n\r\n", false,
	    false, false },
	{ "GET after 103", GET_A, "HTTP/1.1 103 Early Hints\r\n\r\n", false,
	    false, false },
};

static void
try_death(size_t i)
{
	int c = client_open(), u = -1;
	const char *h;

	rig_icell(A)->closed_at_us = 0; /* else a POST would avoid the kept */
	if (deaths[i].reused)
		u = serve(c, -1, A, GET_B);
	put(c, deaths[i].request);
	if (u == -1)
		u = origin_accept(A);
	(void)get_head(u);
	if (has(deaths[i].request, "hello"))
		get(u, "hello");
	put(u, deaths[i].part);
	rig_turns(3);
	if (deaths[i].rst)
		reset(u);
	else
		half_close(u);
	if (deaths[i].again) {
		u = origin_accept(A);
		(void)get_head(u);
		put(u,
		    "HTTP/1.1 200 OK\r\nConnection: close\r\n"
		    "Content-Length: 2\r\n\r\nok");
	}
	do
		h = get_head(c);
	while (has(h, "HTTP/1.1 1"));
	cr_expect(has(h, deaths[i].again ? " 200 " : " 502 "), "%s: %s",
	    deaths[i].why, h);
	cr_expect(origin_is_quiet(A), "%s: sent twice", deaths[i].why);
}

Test(death, of_an_instance_before_its_answer)
{
	uint64_t failed = 0;

	rig_health(B, false);
	rig_publish();
	for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		try_death(i);
		failed += !deaths[i].again;
		cr_expect_eq(rig_outcome(OUT_INSTANCE_RESET), failed, "%s",
		    deaths[i].why);
	}
}

/*
 * The connection dies before the kernel takes a byte: the request's bytes
 * stand in the epoll list before the reset, so the send is what fails.
 */
static const struct {
	const char *why, *request, *body, *said;
} unsent[] = {
	{ "no body", GET_A, "", "" },
	{ "a body that came with the head",
	    "GET /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
	    "hello", "" },
	{ "chunks that came with the head",
	    "GET /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "5\r\nhello\r\n0\r\nT: 1\r\n\r\n",
	    "5\r\nhello\r\n0\r\nT: 1\r\n\r\n", "" },
	{ "an answer to no request", GET_A, "",
	    "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n" },
};

Test(death, of_a_kept_connection_before_a_byte_left)
{
	rig_health(B, false);
	rig_publish();
	for (size_t i = 0; i < sizeof(unsent) / sizeof(unsent[0]); i++) {
		int c = client_open(), u = serve(c, -1, A, GET_B);

		put(c, unsent[i].request);
		put(u, unsent[i].said);
		reset(u);
		u = origin_accept(A);
		(void)get_head(u);
		get(u, unsent[i].body);
		put(u,
		    "HTTP/1.1 200 OK\r\nConnection: close\r\n"
		    "Content-Length: 2\r\n\r\nok");
		cr_expect(has(get_head(c), " 200 "), "%s", unsent[i].why);
		get(c, "ok");
		cr_expect(is_silent(c), "%s", unsent[i].why);
		half_close(u);
		rig_turns(3);
	}
}

Test(death, closed_idle_connections_are_not_used)
{
	int c = client_open(), u;

	rig_health(B, false);
	rig_publish();
	for (int rst = 0; rst < 2; rst++) {
		u = serve(c, -1, A, GET_A);
		if (rst)
			reset(u);
		else
			half_close(u);
		rig_turns(3);
		cr_expect_eq(stat_get(&rig_icell(A)->conns), 0);
		/* An unsafe request looks at the kernel itself. */
		u = serve(c, -1, A, GET_A);
		put(c, POST_5 "hello");
		if (rst)
			reset(u);
		else
			half_close(u);
		u = origin_accept(A);
		(void)get_head(u);
		get(u, "hello");
		put(u,
		    "HTTP/1.1 200 OK\r\nConnection: close\r\n"
		    "Content-Length: 2\r\n\r\nok");
		cr_expect(has(get_head(c), " 200 "));
		get(c, "ok");
	}
	cr_expect_eq(stat_get(&rig_cell()->retries), 0);
}

#define KEPT 8

/* Connections kept to both instances, the first ones a's; how many are a's. */
static int
keep_some(int u[KEPT])
{
	int c[KEPT], n[2] = { 0, 0 };

	for (int i = 0; i < KEPT; i++) {
		int o;

		c[i] = client_ask(GET_A);
		o = origin_is_quiet(A) ? B : A;
		u[o == A ? n[A] : KEPT - 1 - n[B]] = origin_accept(o);
		n[o]++;
	}
	for (int i = 0; i < KEPT; i++) {
		(void)get_head(u[i]);
		put(u[i], OK_ANSWER);
	}
	for (int i = 0; i < KEPT; i++) {
		(void)get_head(c[i]);
		get(c[i], "ok");
	}
	cr_assert(n[A] > 0 && n[B] > 0);
	return n[A];
}

/*
 * A killed process closes its connections one by one: those that still look
 * well are no better.  The second try goes elsewhere, on a fresh connection.
 */
Test(death, of_many_kept_connections_costs_one_retry)
{
	int u[KEPT], n_a = keep_some(u);

	for (int i = 0; i < 3; i++) {
		int c = client_ask(GET_B), k = 0, other;

		while (is_silent(u[k]))
			cr_assert_lt(++k, KEPT);
		(void)get_head(u[k]);
		half_close(u[k]);
		other = origin_accept(k < n_a ? B : A);
		cr_expect(has(get_head(other), "GET /b"));
		put(other,
		    "HTTP/1.1 200 OK\r\nConnection: close\r\n"
		    "Content-Length: 2\r\n\r\nok");
		cr_expect(has(get_head(c), " 200 "));
		get(c, "ok");
		u[k] = client_open(); /* a silent one in its place */
	}
	cr_expect_eq(stat_get(&rig_cell()->retries), 3);
}

/* Pinned to an instance, a session does not leave it for a mere race. */
Test(death, of_a_kept_connection_is_not_its_instances)
{
	int c, u;
	const char *cookie;
	char text[512];

	rig_down();
	rig_up(&(struct rig_lines){
	    .service = "    sticky: { scope: instance }" });
	c = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	put(u, OK_ANSWER);
	cookie = strstr(get_head(c), "segue=");
	cr_assert_not_null(cookie);
	(void)snprintf(text, sizeof(text),
	    "GET /b HTTP/1.1\r\nHost: x\r\nCookie: %.*s\r\n\r\n",
	    (int)strcspn(cookie, ";"), cookie);
	rig_health(B, true);
	rig_publish();
	c = client_ask(text);
	(void)get_head(u);
	half_close(u);
	u = origin_accept(A);
	(void)get_head(u);
	put(u, OK_ANSWER);
	cr_expect_not(has(get_head(c), "Set-Cookie"));
	cr_expect(origin_is_quiet(B));
}

/* ---- within the answer ---- */

static const struct {
	const char *why, *reply;
	bool rst;
	enum outcome outcome;
} cuts[] = {
	{ "within a length, FIN",
	    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel", false,
	    OUT_INSTANCE_CUT },
	{ "within a length, RST",
	    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel", true,
	    OUT_INSTANCE_CUT },
	{ "within chunks",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
	    false, OUT_INSTANCE_CUT },
	{ "before the last chunk",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
	    false, OUT_INSTANCE_CUT },
	{ "until the end, RST", "HTTP/1.1 200 OK\r\n\r\nhel", true,
	    OUT_INSTANCE_CUT },
	{ "a chunk size that is none",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
	    false, OUT_INSTANCE_MALFORMED },
};

Test(death, within_an_answer_shows_the_client_that_it_was_cut)
{
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		uint64_t before = rig_outcome(cuts[i].outcome);
		int c = client_ask(GET_A), u = accept_any();
		const char *body;

		(void)get_head(u);
		body = strstr(cuts[i].reply, "\r\n\r\n") + 4;
		put_n(u, cuts[i].reply, (size_t)(body - cuts[i].reply));
		(void)get_head(c);
		put(u, body);
		if (has(body, "hel"))
			get_n(c, 3);
		if (cuts[i].rst)
			reset(u);
		else
			half_close(u);
		rig_turns(5);
		while (rig_outcome(cuts[i].outcome) == before)
			rig_turn();
		/* Chunk framing may stand before it; never a whole end. */
		for (;;) {
			char bytes[64];
			ssize_t n = read(c, bytes, sizeof(bytes));

			if (n == -1)
				break; /* a reset */
			cr_assert_neq(n, 0, "%s: looks whole", cuts[i].why);
		}
		cr_expect(origin_is_quiet(A) && origin_is_quiet(B));
	}
}

static const char *const malformed[] = {
	"nonsense\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"
	 "\r\n\r\n"),
	"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
	"HTTP/1.1 200 OK\nX: y\n\n",
	"HTTP/1.1 99 Low\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
};

Test(death, by_malformed_answers)
{
	size_t n = sizeof(malformed) / sizeof(malformed[0]);

	for (size_t i = 0; i < n; i++) {
		int c = client_ask(GET_A), u = accept_any();

		(void)get_head(u);
		put(u, malformed[i]);
		cr_expect(has(get_head(c), " 502 "), "%s", malformed[i]);
		get_eof(u);
		cr_expect(origin_is_quiet(A) && origin_is_quiet(B));
	}
	cr_expect_eq(rig_outcome(OUT_INSTANCE_MALFORMED), n);
}

/* ---- clients ---- */

Test(death, of_a_client_within_its_head)
{
	int c = client_ask("GET / HTTP/1.1\r\nHo");

	rig_turns(3);
	half_close(c);
	get_reset(c);
	cr_expect_eq(rig_unrouted(OUT_CLIENT_LEFT), 1);
}

Test(death, of_a_client_within_its_body)
{
	int c = client_ask(POST_5 "he"), u = accept_any();

	(void)get_head(u);
	get(u, "he");
	half_close(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_CLIENT_LEFT), 1);
}

Test(death, of_a_client_that_waits)
{
	int c = client_ask(GET_A), u = accept_any();

	(void)get_head(u);
	reset(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_CLIENT_LEFT), 1);
}

Test(death, of_a_client_within_its_answer)
{
	int c = client_ask(GET_A), u = accept_any();

	(void)get_head(u);
	put(u, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
	(void)get_head(c);
	get(c, "hello");
	reset(c);
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_CLIENT_LEFT), 1);
}

Test(death, of_an_idle_client)
{
	int c = client_open(), u;

	rig_health(B, false);
	rig_publish();
	u = serve(c, -1, A, GET_A);
	reset(c);
	rig_turns(3);
	c = client_open();
	half_close(c);
	get_eof(c);
	(void)serve(client_open(), u, A, GET_A); /* the instance's stays */
}

/* ---- settings ---- */

Test(death, without_retries)
{
	int c, u;

	rig_down();
	rig_up(&(struct rig_lines){ .service = "    retry: { attempts: 0 }" });
	c = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	half_close(u);
	cr_expect(has(get_head(c), " 502 "));
	cr_expect(origin_is_quiet(A));
}
