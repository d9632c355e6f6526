/* The memory limit: who is refused, who is not, and how it ends. */
#include "proxy/overload.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/slab.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "rig.h"
#include "upstream/conncache.h"
#include "upstream/load.h"
#include "upstream/view.h"

/* The least there is: 64 small slabs. */
#define LIMITED                                                                \
	{                                                                      \
		.top = "memory: { limit: 1MiB }"                               \
	}

static void
up(void)
{
	static const struct rig_lines lines = LIMITED;

	rig_up(&lines);
}

TestSuite(overload, .init = up, .fini = rig_down, .timeout = 30);

#define CROWD_MAX 128

static int slow[CROWD_MAX];
static int n_slow;

static struct load *
load(void)
{
	return registry_load(rig.registry);
}

static void
look(void)
{
	rig_later(2 * US_PER_MS); /* it is time to look again */
	rig_turns(2);
}

static void
turn_until_state(enum load_state s)
{
	for (int i = 0; i < 1000 && rig.proxy->load_state != s; i++)
		look();
	cr_assert_eq(rig.proxy->load_state, s, "still %s",
	    load_state_name((enum load_state)rig.proxy->load_state));
}

/* Clients that send a byte of a head and no more: a slab each. */
static void
crowd(enum load_state until)
{
	while (rig.proxy->load_state != until) {
		size_t before = rig.proxy->n_exchanges;

		cr_assert_lt(n_slow, CROWD_MAX);
		slow[n_slow] = rig_connect();
		put(slow[n_slow++], "G");
		while (rig.proxy->n_exchanges == before)
			rig_turn();
		look();
	}
}

static void
leave(void)
{
	while (n_slow > 0)
		rig_hang_up(slow[--n_slow]);
	turn_until_state(LOAD_NORMAL);
}

Test(overload, formula)
{
	int c = client_open(), u;
	uint64_t idle = sizeof(struct client);

	rig_turn();
	cr_expect_eq(overload_bytes(rig.proxy), idle, "an idle client");
	cr_expect_leq(idle, 1024, "design: 1 KiB for an idle client");
	put(c, "GET /a HTTP/1.1\r\n");
	rig_turns(3);
	cr_expect_eq(overload_bytes(rig.proxy),
	    idle + sizeof(struct exchange) + (16u << 10), "half a head");
	put(c, "Host: x\r\n\r\n");
	u = origin_accept(A);
	(void)get_head(u);
	cr_expect_eq(overload_bytes(rig.proxy),
	    idle + sizeof(struct exchange) + (16u << 10) +
	        sizeof(struct upconn),
	    "a head that is held until it is answered");
	put(u, OK_ANSWER);
	(void)get_head(c);
	get(c, "ok");
	rig_turn();
	cr_expect_eq(overload_bytes(rig.proxy),
	    idle + sizeof(struct exchange) + sizeof(struct upconn),
	    "what is kept for reuse");
	cr_expect_eq(load_bytes(load()), overload_bytes(rig.proxy), "told");
}

Test(overload, new_ones_are_refused_begun_ones_are_not)
{
	int old = client_open(), c, u;
	const char *h;

	put(old, POST_5 "12");
	u = origin_accept(A);
	(void)get_head(u);
	crowd(LOAD_SHEDDING);
	cr_expect_eq(load_state(load()), LOAD_SHEDDING);

	c = client_ask(GET_A);
	h = get_head(c);
	cr_expect(has(h, "HTTP/1.1 503 "), "%s", h);
	cr_expect(has(h, "Retry-After: "), "%s", h);
	cr_expect(has(h, "Connection: close\r\n"), "%s", h);
	cr_expect_eq(rig_outcome(OUT_OVERLOAD), 1);
	cr_expect_eq(stat_get(&load()->cells[0].shed), 1);

	put(old, "345"); /* it began before */
	get(u, "12345");
	put(u, OK_ANSWER);
	cr_expect(has(get_head(old), "HTTP/1.1 200 "));
	get(old, "ok");

	put(slow[0], "ET / HTTP/1.1\r\nHost: x\r\n\r\n"); /* and so did that */
	(void)get_head(u);
	put(u, OK_ANSWER);
	cr_expect(has(get_head(slow[0]), "HTTP/1.1 200 "));
	leave();
	(void)serve(old, u, A, GET_A);
}

Test(overload, a_head_that_will_be_refused_is_not_waited_for)
{
	int c;

	crowd(LOAD_SHEDDING);
	c = client_open();
	put(c, "GET / HT");
	rig_await_wait(WAIT_HEAD);
	rig_turns(3);
	rig_later(1100 * US_PER_MS);
	cr_expect(has(get_head(c), "HTTP/1.1 503 "));
	cr_expect_eq(rig_unrouted(OUT_OVERLOAD), 1);
	cr_expect(is_silent(slow[0]), "the others have their whole time");
	leave();
}

Test(overload, above_the_second_mark_nobody_is_let_in)
{
	size_t n;
	int c;

	crowd(LOAD_FULL);
	cr_expect_gt(overload_bytes(rig.proxy), 9u << 17, "an eighth above it");
	n = rig.proxy->n_clients;
	c = client_ask(GET_A);
	rig_turns(10);
	cr_expect_eq(rig.proxy->n_clients, n, "it waits in the kernel");
	cr_expect_eq(stat_get(&load()->cells[0].fulls), 1);
	leave();
	done(origin_accept(A));
	done(c);
}
