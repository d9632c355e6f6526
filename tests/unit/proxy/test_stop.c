/* A graceful stop loses nobody. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "proxy/client.h"
#include "proxy/worker.h"
#include "rig.h"

static void
up(void)
{
	rig_up(NULL);
}

TestSuite(stop, .init = up, .fini = rig_down, .timeout = 30);

static void
stop(void)
{
	proxy_stop(rig.proxy, 3 * US_PER_S, 60 * US_PER_S);
}

Test(stop, of_nobody_is_over_at_once)
{
	stop();
	cr_expect_eq(rig.edges[PROXY_STOPPED], 1);
}

Test(stop, lets_idle_clients_ask_once_more)
{
	int c = client_open(), u = serve(c, -1, A, GET_A);

	stop();
	cr_expect(is_silent(c));
	put(c, GET_B);
	(void)get_head(u);
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), "Connection: close\r\n"));
	get(c, "ok");
	get_eof(c);
	half_close(c);
	while (rig.edges[PROXY_STOPPED] == 0)
		rig_turn();
}

Test(stop, serves_what_waits_in_the_queue)
{
	int c = client_ask(GET_A), u; /* connected, not yet accepted */

	stop();
	u = origin_accept(A);
	(void)get_head(u);
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), "Connection: close\r\n"));
	get(c, "ok");
	get_eof(c);
}

Test(stop, ends_idle_clients_with_a_fin)
{
	int c = client_open();

	stop();
	rig_later(4 * US_PER_S);
	get_eof(c);
	put(c, GET_A); /* a race: no reset comes of it */
	cr_expect_not(is_silent(c));
	get_eof(c);
	half_close(c);
	while (rig.edges[PROXY_STOPPED] == 0)
		rig_turn();
	cr_expect_eq(rig.edges[PROXY_STOPPED], 1);
}

/* The head went out before the stop, without a word of closing: the client
 * may be sending its next request already. */
Test(stop, keeps_its_word_to_a_client_in_mid_answer)
{
	int c = client_ask(GET_A), u = origin_accept(A);

	(void)get_head(u);
	put(u, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
	cr_expect_not(has(get_head(c), "Connection"));
	get(c, "o");
	stop();
	put(u, "k");
	get(c, "k");
	cr_expect(is_silent(c));
	put(c, GET_B);
	(void)get_head(u);
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), "Connection: close\r\n"));
	get(c, "ok");
	get_eof(c);
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 2);
}

Test(stop, answers_what_is_left_at_its_deadline)
{
	int waits = client_ask(GET_A), u1 = origin_accept(A), gets, u2;
	int idle;

	(void)get_head(u1);
	gets = client_ask(GET_A);
	u2 = origin_accept(A);
	(void)get_head(u2);
	put(u2, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel");
	(void)get_head(gets);
	get(gets, "hel");
	idle = client_open();
	proxy_stop(rig.proxy, 100 * US_PER_S, 10 * US_PER_S);
	cr_expect(is_silent(idle));
	rig_later(11 * US_PER_S);
	cr_expect(has(get_head(waits), " 503 "));
	get_reset(gets);
	get_eof(idle);
	cr_expect_eq(rig_outcome(OUT_STOP_CUT), 2);
	cr_expect_eq(rig.edges[PROXY_STOPPED], 1);
}

Test(stop, by_force)
{
	int c = client_ask(GET_A), u = origin_accept(A);

	(void)get_head(u);
	put(u, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel");
	(void)get_head(c);
	(void)client_ask("GET / HTT");
	rig_turns(5);
	proxy_stop(rig.proxy, 0, 0);
	rig_later(US_PER_S);
	while (rig.edges[PROXY_STOPPED] == 0)
		rig_turn();
	cr_expect_eq(rig_slabs(), 0);
	cr_expect_eq(rig_outcome(OUT_STOP_CUT), 1);
	cr_expect_eq(rig_unrouted(OUT_STOP_CUT), 1);
}
