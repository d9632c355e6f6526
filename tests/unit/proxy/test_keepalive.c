/* Kept connections on both sides: each way a reuse can go, and what counts. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "proxy/worker.h"
#include "rig.h"

static void
up(void)
{
	rig_up(NULL);
}

TestSuite(keepalive, .init = up, .fini = rig_down, .timeout = 30);

/* ---- each way it can go ---- */

struct ways {
	uint64_t reused, stale, passed_over, raced, retried, lost;
};

static void
expect_ways(struct ways want, const char *why)
{
	const struct inst_cell *c = rig_icell(A);

	cr_expect_eq(stat_get(&c->conns_reused), want.reused, "%s: reused %lu",
	    why, stat_get(&c->conns_reused));
	cr_expect_eq(stat_get(&c->stale), want.stale, "%s: stale %lu", why,
	    stat_get(&c->stale));
	cr_expect_eq(stat_get(&c->passed_over), want.passed_over,
	    "%s: passed over %lu", why, stat_get(&c->passed_over));
	cr_expect_eq(stat_get(&c->raced), want.raced, "%s: raced %lu", why,
	    stat_get(&c->raced));
	cr_expect_eq(stat_get(&c->retried_away), want.retried,
	    "%s: retried %lu", why, stat_get(&c->retried_away));
	cr_expect_eq(stat_get(&c->lost), want.lost, "%s: lost %lu", why,
	    stat_get(&c->lost));
	cr_expect_eq(stat_get(&c->resets), 0, "%s: it is no fault", why);
}

/* What the instance does to the connection it kept. */
enum end { STAYS, ENDS_BEFORE, ENDS_LATER };

/* clang-format off */
static const struct {
	const char *why, *request;
	enum end end;
	bool known; /* that it closes early */
	bool fresh; /* the answer comes on another connection */
	struct ways ways;
} rows[] = {
	{ "it is reused", GET_B, STAYS, false, false, { .reused = 1 } },
	{ "by a post, too", POST_5 "hello", STAYS, false, false,
	    { .reused = 1 } },
	{ "found closed before use", POST_5 "hello", ENDS_BEFORE, false, true,
	    { .stale = 1 } },
	{ "passed over", POST_5 "hello", STAYS, true, true,
	    { .passed_over = 1 } },
	{ "not by who may be sent twice", GET_B, STAYS, true, false,
	    { .reused = 1 } },
	{ "closed under it, and tried again", GET_B, ENDS_LATER, false, true,
	    { .reused = 1, .raced = 1, .retried = 1 } },
	{ "closed under it, and lost", POST_5 "hello", ENDS_LATER, false,
	    false, { .reused = 1, .raced = 1, .lost = 1 } },
};
/* clang-format on */

static void
read_request(int u, const char *request)
{
	(void)get_head(u);
	if (has(request, "hello"))
		get(u, "hello");
}

static void
try_way(size_t i)
{
	int c = client_open(), u = serve(c, -1, A, GET_A);

	if (rows[i].known) {
		rig_icell(A)->closed_at_us = rig.mono_us;
		rig_icell(A)->closed_idle_us = 0;
	}
	put(c, rows[i].request);
	if (rows[i].end == ENDS_BEFORE)
		half_close(u);
	if (rows[i].end == ENDS_LATER) {
		read_request(u, rows[i].request);
		half_close(u);
	}
	if (rows[i].ways.lost > 0) {
		cr_expect(has(get_head(c), " 502 "), "%s", rows[i].why);
		return;
	}
	if (rows[i].fresh)
		u = origin_accept(A);
	read_request(u, rows[i].request);
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "), "%s", rows[i].why);
	get(c, "ok");
	cr_expect(origin_is_quiet(A), "%s", rows[i].why);
}

Test(keepalive, each_way_is_counted)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (i > 0) {
			rig_down();
			rig_up(NULL);
		}
		try_way(i);
		expect_ways(rows[i].ways, rows[i].why);
	}
}

/* ---- the instance's word ---- */

/* An exchange whose answer says so; the client is not told. */
static void
serve_saying(int c, int u, const char *says)
{
	char text[256];
	const char *h;

	(void)snprintf(text, sizeof(text),
	    "HTTP/1.1 200 OK\r\nKeep-Alive: %s\r\nContent-Length: 2\r\n\r\nok",
	    says);
	(void)get_head(u);
	put(u, text);
	h = get_head(c);
	cr_expect_not(has(h, "Keep-Alive"), "%s", h);
	get(c, "ok");
}

Test(keepalive, is_idle_no_longer_than_the_instance_says)
{
	int c = client_ask(GET_A), u = origin_accept(A);

	serve_saying(c, u, "timeout=3");
	rig_later(1900 * US_PER_MS);
	put(c, GET_B); /* as long as it may be */
	serve_saying(c, u, "timeout=3");
	rig_later(2100 * US_PER_MS);
	get_eof(u);
	half_close(u);
	cr_expect_eq(stat_get(&rig_icell(A)->conns), 0);
	serve(c, -1, A, GET_A);
	cr_expect_eq(stat_get(&rig_icell(A)->stale), 0);
}

Test(keepalive, nor_longer_than_we_say)
{
	int c = client_ask(GET_A), u = origin_accept(A);

	serve_saying(c, u, "timeout=75");
	rig_later(3900 * US_PER_MS);
	cr_expect(is_silent(u));
	rig_later(200 * US_PER_MS);
	get_eof(u);
}

Test(keepalive, is_used_no_more_than_the_instance_says)
{
	int c = client_ask(GET_A), u = origin_accept(A);

	serve_saying(c, u, "timeout=5, max=1");
	put(c, GET_B);
	serve_saying(c, u, "timeout=5, max=0");
	get_eof(u);
	half_close(u);
	serve(c, -1, A, GET_A);
}

/* ---- drains ---- */

Test(keepalive, while_a_pool_drains)
{
	int c = client_open(), u = serve(c, -1, A, GET_A), v;

	rig_inst(A)->pool->drains = true;
	rig_publish();
	get_eof(u); /* what is idle is retired at once */
	half_close(u);
	u = serve(c, -1, A, GET_A);
	serve(c, u, A, GET_B); /* it may be tried again */
	put(c, POST_5 "hello");
	v = origin_accept(A);
	read_request(v, POST_5 "hello");
	put(v, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
	get(c, "ok");
	expect_ways((struct ways){ .reused = 1, .passed_over = 1 }, "a post");
	rig_inst(A)->pool->drains = false;
}

/* Whoever is switched away keeps the connection to us. */
Test(keepalive, of_clients_outlives_a_drain)
{
	int c = client_open(), idle = client_open(), u;

	serve(c, -1, A, GET_A);
	rig_health(C, true);
	rig_share(0, CFG_SHARE_ALL);
	rig_inst(A)->pool->drains = rig_inst(A)->pool->leaving = true;
	rig.plan.pools[0].serves = false;
	rig_publish();
	rig_turns(5);
	cr_expect(is_silent(c));
	cr_expect(is_silent(idle));
	u = serve(c, -1, C, GET_B);
	serve(idle, u, C, GET_B);
	rig_inst(A)->pool->drains = rig_inst(A)->pool->leaving = false;
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 3);
}

/* A request behind the last answer is dropped without a reset, which could
 * take the answer with it. */
Test(keepalive, of_clients_that_ask_on_in_a_stop_ends_with_a_fin)
{
	int c = client_open(), u = serve(c, -1, A, GET_A);

	proxy_stop(rig.proxy, 3 * US_PER_S, 60 * US_PER_S);
	put(c, GET_B GET_A);
	(void)get_head(u);
	put(u, OK_ANSWER);
	rig_turns(5);
	put(c, POST_5 "hello");
	rig_turns(5);
	cr_expect(has(get_head(c), "Connection: close\r\n"));
	get(c, "ok");
	get_eof(c);
	half_close(c);
	while (rig.edges[PROXY_STOPPED] == 0)
		rig_turn();
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 2);
}
