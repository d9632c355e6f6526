/* Every wait has its deadline, and every deadline its outcome. */
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "rig.h"

static void
up(void)
{
	rig_up(NULL);
}

TestSuite(waits, .init = up, .fini = rig_down, .timeout = 30);

static struct exchange *
present(void)
{
	return TAILQ_FIRST(&rig.proxy->exchanges);
}

Test(waits, for_a_head)
{
	int c = client_ask("GET / HTTP/1.1\r\n");

	rig_await_wait(WAIT_HEAD);
	rig_later(9 * US_PER_S);
	put(c, "X: y\r\n"); /* one byte more is no excuse */
	cr_expect(is_silent(c));
	rig_later(2 * US_PER_S);
	cr_expect(has(get_head(c), " 408 "));
	cr_expect_eq(rig_unrouted(OUT_HEAD_TIMEOUT), 1);
}

Test(waits, for_the_next_request)
{
	int c = client_open();

	(void)serve(c, -1, A, GET_A);
	rig_later(76 * US_PER_S);
	get_eof(c);
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 1);
}

/* The deadline and the request come in one turn: the request is served. */
Test(waits, for_the_next_request_which_has_just_come)
{
	int c = client_open(), u = serve(c, -1, A, GET_A);

	rig_later(76 * US_PER_S);
	put(c, GET_B);
	half_close(u); /* idle for too long itself */
	u = origin_accept(A);
	cr_expect(has(get_head(u), "GET /b"));
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
}

Test(waits, for_a_body)
{
	int c = client_ask(POST_5 "h"), u = origin_accept(A);

	(void)get_head(u);
	get(u, "h");
	rig_later(29 * US_PER_S);
	put(c, "e"); /* progress */
	get(u, "e");
	rig_later(29 * US_PER_S);
	cr_expect(is_silent(c));
	rig_await_wait(WAIT_BODY);
	rig_later(2 * US_PER_S);
	cr_expect(has(get_head(c), " 408 "));
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_BODY_TIMEOUT), 1);
}

Test(waits, for_100_are_the_instances)
{
	int c = client_ask("POST /p HTTP/1.1\r\nHost: x\r\n"
	                   "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	int u = origin_accept(A);

	(void)get_head(u);
	rig_later(31 * US_PER_S);
	cr_expect(has(get_head(c), " 504 "));
	cr_expect_eq(rig_outcome(OUT_FIRST_BYTE_TIMEOUT), 1);
}

/* A client that asks a, whose backlog is full: a SYN is not answered. */
#define KNOCKERS 4
static int held[KNOCKERS];

static int
knock(void)
{
	int c;

	cr_assert_eq(listen(rig.origin[A].fd, 0), 0);
	for (int i = 0; i < KNOCKERS; i++) {
		struct sockaddr_storage s;
		socklen_t len = sizeof(s);

		held[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)getsockname(rig.origin[A].fd, (struct sockaddr *)&s,
		    &len);
		(void)connect(held[i], (struct sockaddr *)&s, len);
	}
	c = client_ask(POST_5 "hello");
	while (present() == NULL || present()->step != STEP_CONNECT)
		rig_turn();
	return c;
}

static void
unknock(void)
{
	for (int i = 0; i < KNOCKERS; i++)
		close(held[i]);
}

Test(waits, for_a_connection)
{
	int c = knock();

	for (int i = 0; i < 3; i++) { /* two retries: nothing has left */
		unsigned tries = present()->tries_left;

		rig_later(3 * US_PER_S);
		while (present() != NULL && present()->tries_left == tries)
			rig_turn();
	}
	cr_expect(has(get_head(c), " 504 "));
	cr_expect_eq(rig_outcome(OUT_CONNECT_TIMEOUT), 1);
	unknock();
}

Test(waits, for_a_connection_when_there_is_nobody_else)
{
	int c = knock();

	rig_health(A, false);
	rig_publish();
	rig_turns(3);
	cr_expect(is_silent(c));
	cr_assert_not_null(present());
	cr_expect_eq(present()->step, STEP_CONNECT);
	unknock();
	reset(c);
}

Test(waits, for_no_connection_of_what_is_down)
{
	int c = knock(), u;

	rig_health(A, false);
	rig_health(B, true);
	rig_publish();
	u = origin_accept(B);
	(void)get_head(u);
	get(u, "hello");
	answer(u, "200 OK", "ok");
	cr_expect(has(get_head(c), " 200 "));
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 1);
	unknock();
}

Test(waits, for_the_first_byte)
{
	int c = client_ask(GET_A), u = origin_accept(A);

	(void)get_head(u);
	rig_later(29 * US_PER_S);
	cr_expect(is_silent(c));
	rig_later(2 * US_PER_S);
	cr_expect(has(get_head(c), " 504 "));
	get_eof(u);
	get(c, "504 Gateway Timeout\n");
	cr_expect_eq(rig_outcome(OUT_FIRST_BYTE_TIMEOUT), 1);
}

Test(waits, for_more_of_an_answer)
{
	int c = client_ask(GET_A), u = origin_accept(A);

	(void)get_head(u);
	put(u, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel");
	(void)get_head(c);
	get(c, "hel");
	rig_later(59 * US_PER_S);
	put(u, "lo");
	get(c, "lo");
	rig_later(59 * US_PER_S);
	cr_expect(is_silent(c));
	rig_later(2 * US_PER_S);
	get_reset(c);
	cr_expect_eq(rig_outcome(OUT_ANSWER_TIMEOUT), 1);
}

/* An early answer that streams, to a client that need not send its body. */
Test(waits, for_a_body_end_with_the_answer)
{
	int c = client_ask(POST_5 "h"), u = origin_accept(A);

	(void)get_head(u);
	get(u, "h");
	put(u, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel");
	(void)get_head(c);
	get(c, "hel");
	rig_later(45 * US_PER_S);
	cr_expect(is_silent(c));
	put(u, "lo you");
	get(c, "lo you");
	get_eof(c);
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 1);
}

/* An answer larger than all buffers between; then the client stands still. */
static void
push_until_stuck(int u)
{
	static char bytes[65536];
	unsigned full = 0; /* turns in which nothing moved */

	while (full < 50) {
		ssize_t n = send(u, bytes, sizeof(bytes),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		bool waits = TAILQ_FIRST(&rig.proxy->clients)->wait ==
		    WAIT_WRITE;

		full = n == -1 && waits ? full + 1 : 0;
		rig_turn();
	}
}

static int
stuck_client(int *up)
{
	int c = client_ask(GET_A);

	*up = origin_accept(A);
	(void)get_head(*up);
	put(*up, "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n");
	push_until_stuck(*up);
	return c;
}

/* Moves on until the client's clock has been looked at; false: it is gone. */
static bool
look(uint64_t us)
{
	const struct client *c = TAILQ_FIRST(&rig.proxy->clients);

	rig_later(us);
	while (c != NULL && c->wait == WAIT_WRITE &&
	    c->deadline.due_us <= rig.mono_us) {
		rig_turn();
		c = TAILQ_FIRST(&rig.proxy->clients);
	}
	return c != NULL && present() != NULL;
}

Test(waits, for_a_client_that_stands_still)
{
	int u, looks = 0;

	(void)stuck_client(&u);
	while (look(8 * US_PER_S)) /* probes of the window may take a little */
		cr_assert_lt(looks++, 20);
	cr_expect_geq(looks, 3);
	cr_expect_eq(rig_outcome(OUT_CLIENT_TIMEOUT), 1);
	cr_expect_eq(rig_slabs(), 0);
}

Test(waits, for_a_slow_client_go_on)
{
	int u, c = stuck_client(&u);

	for (int i = 0; i < 20; i++) {
		/* Reads what moves the window, but not what empties us. */
		get_n(c, 200000);
		push_until_stuck(u);
		cr_assert(look(8 * US_PER_S), "cut after %d", i);
	}
	cr_expect_eq(rig_outcome(OUT_CLIENT_TIMEOUT), 0);
	reset(c);
}

/* Sends its body with ease, reads nothing of the early answer. */
Test(waits, for_a_client_that_only_sends)
{
	int c = client_ask("POST /p HTTP/1.1\r\nHost: x\r\n"
	                   "Content-Length: 9\r\n\r\nhel");
	int u = origin_accept(A), looks = 0;

	(void)get_head(u);
	get(u, "hel");
	put(u, "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n");
	push_until_stuck(u);
	put(c, "lo you");
	get(u, "lo you");
	while (look(8 * US_PER_S))
		cr_assert_lt(looks++, 20);
	cr_expect_eq(rig_outcome(OUT_CLIENT_TIMEOUT), 1);
}

Test(waits, of_a_drain_end_requests)
{
	int c1 = client_ask(GET_A), u1 = origin_accept(A), c2, u2;

	(void)get_head(u1);
	c2 = client_ask(GET_A);
	u2 = origin_accept(A);
	(void)get_head(u2);
	put(u2, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel");
	(void)get_head(c2);
	rig.plan.pools[0].cut = CUT_REQUESTS;
	rig.plan.pools[0].serves = false;
	rig_publish();
	cr_expect(has(get_head(c1), " 503 "));
	get_n(c2, 3);
	get_reset(c2);
	get_eof(u1);
	cr_expect_eq(rig_outcome(OUT_DRAIN_CUT), 2);
}
