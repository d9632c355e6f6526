/* Instances are full: who waits, in what order, for how long. */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "rig.h"

TestSuite(queue, .fini = rig_down, .timeout = 30);

#define ONE_AT_A_TIME "        max_requests: 1"
#define TWO_WAIT ONE_AT_A_TIME "\n        queue: { max: 2, timeout: 5s }"

static void
up(const char *pool)
{
	rig_up(&(struct rig_lines){ .pool = pool });
}

static uint64_t
waiting(void)
{
	return stat_get(&rig_inst(A)->pool->cells[0].queued);
}

static void
await_waiting(uint64_t n)
{
	for (int i = 0; i < 2000 && waiting() != n; i++)
		rig_turn();
	cr_assert_eq(waiting(), n);
}

Test(queue, the_next_is_sent_when_the_first_has_ended)
{
	int c1, c2, u;

	up(ONE_AT_A_TIME);
	c1 = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask(GET_B);
	await_waiting(1);
	cr_expect(is_silent(u));
	cr_expect(origin_is_quiet(A));
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c1), " 200 "));
	/* the connection that got free is used again */
	cr_expect(has(get_head(u), "GET /b"));
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c2), " 200 "));
	cr_expect_eq(waiting(), 0);
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 2);
}

Test(queue, oldest_first)
{
	static const char *const asks[] = {
		"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /3 HTTP/1.1\r\nHost: x\r\n\r\n",
	};
	int c[3], first, u;

	up(ONE_AT_A_TIME);
	first = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	for (int i = 0; i < 3; i++) {
		c[i] = client_ask(asks[i]);
		await_waiting((uint64_t)i + 1);
	}
	put(u, OK_ANSWER);
	(void)get_head(first);
	for (int i = 0; i < 3; i++) {
		char line[16];

		(void)snprintf(line, sizeof(line), "GET /%d ", i + 1);
		cr_expect(has(get_head(u), line));
		put(u, OK_ANSWER);
		cr_expect(has(get_head(c[i]), " 200 "));
	}
}

/* Who comes when a place is free, but others wait, is behind them. */
Test(queue, nobody_passes_those_who_wait)
{
	int c1, c2, c3, u;

	up(ONE_AT_A_TIME);
	c1 = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask(GET_B);
	await_waiting(1);
	/* the answer of the first and its next request in one turn */
	put(c1, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	put(u, OK_ANSWER);
	(void)get_head(c1);
	get(c1, "ok");
	cr_expect(has(get_head(u), "GET /b"));
	await_waiting(1);
	put(u, OK_ANSWER);
	(void)get_head(c2);
	cr_expect(has(get_head(u), "GET /late"));
	put(u, OK_ANSWER);
	(void)get_head(c1);
	c3 = client_open(); /* and all goes on */
	(void)serve(c3, u, A, GET_A);
}

Test(queue, a_body_waits_with_its_head)
{
	int c1, c2, u;

	up(ONE_AT_A_TIME);
	c1 = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask(POST_5 "he");
	await_waiting(1);
	put(c2, "llo");
	rig_turns(5);
	put(u, OK_ANSWER);
	(void)get_head(c1);
	cr_expect(has(get_head(u), "POST /p"));
	get(u, "hello");
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c2), " 200 "));
}

Test(queue, has_an_end)
{
	int c1, c2, c3, c4, u;

	up(TWO_WAIT);
	c1 = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask(GET_B);
	await_waiting(1);
	c3 = client_ask(GET_B);
	await_waiting(2);
	c4 = client_ask(GET_B);
	cr_expect(has(get_head(c4), " 503 "));
	cr_expect_eq(rig_outcome(OUT_QUEUE_FULL), 1);
	cr_expect_eq(waiting(), 2);
	for (int i = 0; i < 3; i++) {
		put(u, OK_ANSWER);
		(void)get_head(i == 0 ? c1 : i == 1 ? c2 : c3);
		if (i < 2)
			(void)get_head(u);
	}
}

Test(queue, of_none_refuses_at_once)
{
	int c1, c2, u;

	up(ONE_AT_A_TIME "\n        queue: { max: 0 }");
	c1 = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask(GET_B);
	cr_expect(has(get_head(c2), " 503 "));
	cr_expect_eq(rig_outcome(OUT_QUEUE_FULL), 1);
	put(u, OK_ANSWER);
	(void)get_head(c1);
}

Test(queue, has_a_deadline_for_each)
{
	int c1, c2, c3, u;

	up(TWO_WAIT);
	c1 = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask(GET_B);
	await_waiting(1);
	rig_later(3 * US_PER_S);
	c3 = client_ask(POST_5 "hello");
	await_waiting(2);
	rig_later(2 * US_PER_S + US_PER_S / 2);
	cr_expect(has(get_head(c2), " 503 "));
	cr_expect(is_silent(c3));
	cr_expect_eq(rig_outcome(OUT_QUEUE_TIMEOUT), 1);
	rig_later(3 * US_PER_S);
	cr_expect(has(get_head(c3), " 503 "));
	cr_expect_eq(rig_outcome(OUT_QUEUE_TIMEOUT), 2);
	cr_expect_eq(waiting(), 0);
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c1), " 200 "));
	cr_expect_eq(stat_get(&rig_icell(A)->requests), 1);
}

static void
leave_waiting(void (*leave)(int fd))
{
	int c1, c2, c3, u;

	up(TWO_WAIT);
	c1 = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask("GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
	await_waiting(1);
	c3 = client_ask(GET_B);
	await_waiting(2);
	leave(c2);
	rig_turns(5);
	/* it is no more in the way of another */
	(void)client_ask(GET_A);
	await_waiting(2);
	put(u, OK_ANSWER);
	(void)get_head(c1);
	cr_expect(has(get_head(u), "GET /b"), "who left was sent");
	cr_expect_eq(rig_outcome(OUT_CLIENT_LEFT), 1);
	put(u, OK_ANSWER);
	(void)get_head(c3);
	(void)get_head(u);
	put(u, OK_ANSWER);
}

Test(queue, who_left_is_never_sent)
{
	leave_waiting(done);
}

Test(queue, who_was_reset_is_never_sent)
{
	leave_waiting(reset);
}

/* The place goes to the next also when the first fails. */
Test(queue, a_failure_frees_a_place)
{
	int c1, c2, u;

	up(ONE_AT_A_TIME);
	c1 = client_ask(POST_5 "hello");
	u = origin_accept(A);
	(void)get_head(u);
	get(u, "hello");
	c2 = client_ask(GET_B);
	await_waiting(1);
	reset(u);
	cr_expect(has(get_head(c1), " 502 "));
	u = origin_accept(A);
	cr_expect(has(get_head(u), "GET /b"));
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c2), " 200 "));
}

/* A stream is not counted against the bound. */
Test(queue, an_upgrade_frees_a_place)
{
	int c1, c2, u, u2;

	up(ONE_AT_A_TIME);
	c1 = client_ask("GET /ws HTTP/1.1\r\nHost: x\r\n"
	                "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask(GET_B);
	await_waiting(1);
	put(u,
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
	cr_expect(has(get_head(c1), " 101 "));
	u2 = origin_accept(A);
	(void)get_head(u2);
	put(u2, OK_ANSWER);
	cr_expect(has(get_head(c2), " 200 "));
}

/* ---- a new view ---- */

Test(queue, another_instance_comes_up)
{
	int c1, c2, u, u2;

	up(ONE_AT_A_TIME);
	c1 = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask(GET_B);
	await_waiting(1);
	rig_health(B, true);
	rig_publish();
	u2 = origin_accept(B);
	cr_expect(has(get_head(u2), "GET /b"));
	put(u2, OK_ANSWER);
	cr_expect(has(get_head(c2), " 200 "));
	put(u, OK_ANSWER);
	(void)get_head(c1);
}

/* Who waited for a place of V1 when all of the share moved goes to V2. */
Test(queue, the_target_is_chosen_when_it_is_sent)
{
	int c1, c2, u, u2;

	up(ONE_AT_A_TIME);
	rig_health(C, true);
	rig_publish();
	c1 = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask(GET_B);
	await_waiting(1);
	rig_share(0, 10000);
	rig_publish();
	u2 = origin_accept(C);
	cr_expect(has(get_head(u2), "GET /b"));
	put(u2, OK_ANSWER);
	cr_expect(has(get_head(c2), " 200 "));
	put(u, OK_ANSWER);
	(void)get_head(c1);
}

Test(queue, the_last_instance_goes_down)
{
	int c1, c2, u;

	up(ONE_AT_A_TIME);
	c1 = client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask(GET_B);
	await_waiting(1);
	rig_health(A, false);
	rig_publish();
	cr_expect(has(get_head(c2), " 503 "));
	cr_expect_eq(rig_outcome(OUT_NO_INSTANCE), 1);
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c1), " 200 "));
}

Test(queue, we_stop_while_some_wait)
{
	int c2, u;

	up(ONE_AT_A_TIME);
	(void)client_ask(GET_A);
	u = origin_accept(A);
	(void)get_head(u);
	c2 = client_ask(GET_B);
	await_waiting(1);
	proxy_stop(rig.proxy, 0, US_PER_S);
	rig_later(2 * US_PER_S);
	cr_expect(has(get_head(c2), " 503 "));
	cr_expect_eq(rig_outcome(OUT_STOP_CUT), 2);
}

/* ---- answers after which another instance is asked ---- */

#define CLOSING                                                                \
	"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
#define SORRY "HTTP/1.1 503 Sorry\r\nContent-Length: 5\r\n\r\nsorry"

static void
up_both(const char *service)
{
	rig_up(&(struct rig_lines){ .service = service });
	rig_health(B, true);
	rig_publish();
}

/*
 * The one that was asked, when that may be either.  Deadlines are looked at by
 * the system's clock, and any number of turns may lie between two looks.
 */
static int
either(int *up)
{
	time_t end = time(NULL) + 10;

	while (time(NULL) < end) {
		if (!origin_is_quiet(A)) {
			*up = origin_accept(A);
			return A;
		}
		if (!origin_is_quiet(B)) {
			*up = origin_accept(B);
			return B;
		}
		rig_turn();
	}
	cr_assert_fail("nobody was asked");
	return -1;
}

Test(queue, a_status_asks_elsewhere)
{
	int c, u, u2, one;

	up_both("    retry: { statuses: [ 503 ] }");
	c = client_ask(GET_A);
	one = either(&u);
	(void)get_head(u);
	put(u, SORRY);
	u2 = origin_accept(one == A ? B : A);
	cr_expect(has(get_head(u2), "GET /a"));
	put(u2, CLOSING);
	cr_expect(has(get_head(c), " 200 "));
	get(c, "ok");
	cr_expect_eq(stat_get(&rig_cell()->retries), 1);
	cr_expect_eq(stat_get(&rig_icell(one)->status[STATUS_5XX]), 1);
	/* both are sorry: so it is */
	c = client_ask(GET_B);
	for (int i = 0; i < 2; i++) {
		(void)either(&u);
		(void)get_head(u);
		put(u, SORRY);
	}
	cr_expect(has(get_head(c), " 503 Sorry"));
	get(c, "sorry");
}

static const struct {
	const char *why, *service, *ask;
} stays[] = {
	{ "nobody said so", NULL, GET_A },
	{ "another status", "    retry: { statuses: [ 502 ] }", GET_A },
	{ "an unsafe method", "    retry: { statuses: [ 503 ] }",
	    POST_5 "hello" },
	{ "no tries", "    retry: { statuses: [ 503 ], attempts: 0 }", GET_A },
	{ "a session would move",
	    "    retry: { statuses: [ 503 ] }\n"
	    "    sticky: { scope: instance }",
	    GET_A },
};

Test(queue, else_the_answer_is_the_answer)
{
	for (size_t r = 0; r < ARRAY_LEN(stays); r++) {
		int c, u;

		up_both(stays[r].service);
		c = client_ask(stays[r].ask);
		(void)either(&u);
		(void)get_head(u);
		put(u, SORRY);
		cr_expect(has(get_head(c), " 503 Sorry"), "%s", stays[r].why);
		get(c, "sorry");
		cr_expect_eq(stat_get(&rig_cell()->retries), 0);
		if (r + 1 < ARRAY_LEN(stays))
			rig_down();
	}
}

/* ---- who hangs ---- */

Test(queue, who_hangs_is_left_for_another_by_what_is_safe)
{
	int c, u, u2, one;

	up_both(NULL);
	c = client_ask(GET_A);
	one = either(&u);
	(void)get_head(u);
	rig_later(31 * US_PER_S);
	u2 = origin_accept(one == A ? B : A);
	(void)get_head(u2);
	put(u2, CLOSING);
	cr_expect(has(get_head(c), " 200 "));
	cr_expect_eq(stat_get(&rig_icell(one)->failures), 1);
	cr_expect_eq(rig.edges[PROXY_FAILED], 1);
	c = client_ask(POST_5 "hello");
	(void)either(&u);
	(void)get_head(u);
	rig_later(31 * US_PER_S);
	cr_expect(has(get_head(c), " 504 "));
	cr_expect_eq(rig_outcome(OUT_FIRST_BYTE_TIMEOUT), 1);
}

/* Both hang: nobody is asked twice. */
Test(queue, who_hung_is_not_asked_again)
{
	int c, u;

	up_both(NULL);
	c = client_ask(GET_A);
	for (int i = 0; i < 2; i++) {
		(void)either(&u);
		(void)get_head(u);
		rig_later(31 * US_PER_S);
	}
	cr_expect(has(get_head(c), " 504 "));
	cr_expect_eq(stat_get(&rig_cell()->retries), 1);
	cr_expect_eq(rig_outcome(OUT_FIRST_BYTE_TIMEOUT), 1);
}

/* ---- ejected ones ---- */

Test(queue, who_failed_at_all_others_is_tried_at_one_that_rests)
{
	int c, u;

	up_both(NULL);
	rig_inst(B)->eject.until_us = UINT64_MAX;
	rig_publish();
	for (int i = 0; i < 3; i++) {
		c = client_ask(GET_A);
		u = origin_accept(A);
		(void)get_head(u);
		reset(u);
		u = origin_accept(B);
		(void)get_head(u);
		put(u, CLOSING);
		cr_expect(has(get_head(c), " 200 "));
	}
}

/* ---- whose fault it was ---- */

static const struct {
	const char *why, *answer;
	bool spoiled;
} faults[] = {
	{ "dies before its answer", "", false },
	{ "is cut", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal", true },
	{ "is no HTTP", "HELO\r\n\r\n", false },
	{ "is no HTTP any more",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
	    true },
};

Test(queue, each_fault_is_counted_once)
{
	for (size_t r = 0; r < ARRAY_LEN(faults); r++) {
		int u;

		up(NULL);
		(void)client_ask(POST_5 "hello");
		u = origin_accept(A);
		(void)get_head(u);
		get(u, "hello");
		put(u, faults[r].answer);
		half_close(u);
		for (int i = 0; i < 200 &&
		     rig_outcome(OUT_INSTANCE_CUT) +
		             rig_outcome(OUT_INSTANCE_RESET) +
		             rig_outcome(OUT_INSTANCE_MALFORMED) ==
		         0;
		     i++)
			rig_turn();
		cr_expect_eq(stat_get(&rig_icell(A)->failures), 1, "%s",
		    faults[r].why);
		cr_expect_eq(stat_get(&rig_icell(A)->spoiled),
		    faults[r].spoiled, "%s", faults[r].why);
		if (r + 1 < ARRAY_LEN(faults))
			rig_down();
	}
}
