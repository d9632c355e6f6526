/* Who serves: services, shares, pins, and what becomes of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "session/pin.h"
#include "upstream/registry_int.h"

static void
up_with(const struct rig_lines *l)
{
	rig_up(l);
	rig_health(C, true);
	rig_publish();
}

static void
up(void)
{
	up_with(NULL);
}

TestSuite(route, .init = up, .fini = rig_down, .timeout = 30);

static char cookie[256]; /* "segue=VALUE" as last set */

/*
 * Asks and serves on whatever instance is chosen; which one.  The cookie that
 * was set is kept, *set says whether there was one.
 */
static int
ask(const char *method, const char *fields, bool *set)
{
	char text[2048];
	const char *h, *s;
	int c, u, who = -1;

	(void)snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: x\r\n%s\r\n",
	    method, fields);
	c = client_ask(text);
	while (who == -1)
		for (int i = 0; i < ORIGINS && who == -1; i++)
			if (!origin_is_quiet(i))
				who = i;
	u = origin_accept(who);
	h = get_head(u);
	cr_expect_not(has(h, "segue="), "our cookie went on: %s", h);
	put(u, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
	h = get_head(c);
	s = strstr(h, "Set-Cookie: ");
	*set = s != NULL;
	if (s != NULL)
		(void)snprintf(cookie, sizeof(cookie), "%.*s",
		    (int)strcspn(s + 12, ";"), s + 12);
	done(c);
	done(u);
	rig_turns(3);
	return who;
}

static int
ask_pinned(const char *method, bool *set)
{
	char fields[512];

	(void)snprintf(fields, sizeof(fields), "Cookie: %s\r\n", cookie);
	return ask(method, fields, set);
}

static void
keep(const struct session *one, void *arg)
{
	*(struct session *)arg = *one;
}

/* ---- pins ---- */

Test(route, a_session_is_pinned_once)
{
	bool set;

	cr_expect_eq(ask("GET", "", &set), A);
	cr_expect(set);
	cr_expect_eq(strncmp(cookie, "segue=", 6), 0);
	rig_share(0, CFG_SHARE_ALL);
	rig_publish();
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(ask_pinned(i % 2 ? "POST" : "GET", &set), A,
		    "a pin wins over a share");
		cr_expect_not(set, "only when it is new");
	}
	cr_expect_eq(ask("GET", "", &set), C, "new sessions follow the share");
	cr_expect(set);
	cr_expect_eq(stat_get(&rig_icell(A)->requests), 6);
}

Test(route, attributes_of_the_cookie)
{
	int c = client_ask(GET_A), u = origin_accept(A);
	const char *h;

	(void)get_head(u);
	put(u, OK_ANSWER);
	h = get_head(c);
	cr_expect(has(h, "Set-Cookie: segue="));
	cr_expect(has(h, "; Path=/; HttpOnly\r\n"), "%s", h);
	cr_expect_not(has(h, "Domain"));
	cr_expect_not(has(h, "127.0.0.1"), "it reveals no address");
}

Test(route, attributes_over_tls)
{
	int c, u;
	const char *h;

	rig_down();
	rig_up(&(struct rig_lines){
	    .listener = "    trusted_proxies: [ 127.0.0.1/32 ]" });
	c = client_ask("GET / HTTP/1.1\r\nHost: x\r\n"
	               "X-Forwarded-Proto: https\r\n\r\n");
	u = origin_accept(A);
	(void)get_head(u);
	put(u, OK_ANSWER);
	h = get_head(c);
	cr_expect(has(h, "Set-Cookie: __Host-segue="), "%s", h);
	cr_expect(has(h, "; Path=/; HttpOnly; Secure; SameSite=None\r\n"), "%s",
	    h);
}

static const struct {
	const char *why, *before, *behind; /* around ours */
	const char *left;                  /* of the cookies */
} jars[] = {
	{ "alone", "Cookie: ", "\r\n", NULL },
	{ "first", "Cookie: ", "; a=b\r\n", "Cookie: a=b\r\n" },
	{ "between", "Cookie: a=b; ", "; c=d\r\n", "Cookie: a=b; c=d\r\n" },
	{ "in a field of its own", "Cookie: a=b\r\nCookie: ",
	    "\r\nCookie: c=d\r\n", "Cookie: a=b\r\nCookie: c=d\r\n" },
};

Test(route, only_our_cookie_is_taken_out)
{
	bool set;

	(void)ask("GET", "", &set);
	for (size_t i = 0; i < sizeof(jars) / sizeof(jars[0]); i++) {
		char text[1024];
		int c, u;
		const char *h;

		(void)snprintf(text, sizeof(text),
		    "GET / HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n", jars[i].before,
		    cookie, jars[i].behind);
		c = client_ask(text);
		u = origin_accept(A);
		h = get_head(u);
		cr_expect_not(has(h, "segue="), "%s: %s", jars[i].why, h);
		if (jars[i].left != NULL)
			cr_expect(has(h, jars[i].left), "%s: %s", jars[i].why,
			    h);
		else
			cr_expect_not(has(h, "Cookie"), "%s", h);
		put(u, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
		cr_expect_not(has(get_head(c), "Set-Cookie"), "%s",
		    jars[i].why);
	}
}

/* By 40 days, where a pin lasts one: nobody moves, nothing expires. */
Test(route, the_wall_clock_is_set)
{
	static const int64_t by_us[] = { 40 * INT64_C(86400000000),
		-40 * INT64_C(86400000000), 0 };
	bool set;

	(void)ask("GET", "", &set);
	rig_share(0, CFG_SHARE_ALL);
	rig_publish();
	for (size_t i = 0; i < ARRAY_LEN(by_us); i++) {
		rig_set_wall(by_us[i]);
		cr_expect_eq(ask_pinned("GET", &set), A);
		cr_expect_not(set);
	}
	cr_expect_eq(stat_get(&rig_cell()->pins_bad[PIN_EXPIRED]), 0);
	cr_expect_eq(stat_get(&rig_cell()->pins_bad[PIN_FUTURE]), 0);
}

Test(route, bad_pins_begin_anew)
{
	bool set;
	char *digit;

	(void)ask("GET", "", &set);
	digit = &cookie[strlen(cookie) - 3];
	*digit = *digit == 'A' ? 'B' : 'A'; /* another, and one */
	rig_share(0, CFG_SHARE_ALL);
	rig_publish();
	cr_expect_eq(ask_pinned("GET", &set), C);
	cr_expect(set);
	cr_expect_eq(ask("GET", "Cookie: segue=\r\n", &set), C);
	cr_expect(set);
	cr_expect_eq(stat_get(&rig_cell()->pins_bad[PIN_FORGED]), 1);
	cr_expect_eq(stat_get(&rig_cell()->pins_bad[PIN_MALFORMED]), 1);
}

Test(route, dead_pools_give_their_sessions_away)
{
	bool set;
	const struct pool_cell *v2 = &rig_inst(C)->pool->cells[0];

	cr_expect_eq(ask("GET", "", &set), A);
	rig_share(5000, 5000);
	rig_health(A, false);
	rig_publish();
	cr_expect_eq(ask_pinned("POST", &set), C, "never over death");
	cr_expect(set);
	cr_expect_eq(stat_get(&v2->cause[CAUSE_MOVED_DEAD]), 1);
	rig_health(A, true);
	rig_publish();
	cr_expect_eq(ask_pinned("GET", &set), C, "nobody bounces");
	cr_expect_not(set);
}

Test(route, a_pool_without_share_is_no_refuge)
{
	int c;
	bool set;

	(void)ask("GET", "", &set);
	rig_health(A, false);
	rig_publish();
	c = client_ask(GET_A);
	cr_expect(has(get_head(c), " 503 "));
	cr_expect_eq(rig_outcome(OUT_NO_INSTANCE), 1);
}

Test(route, evicted_by_epoch)
{
	bool set;

	cr_expect_eq(ask("GET", "", &set), A);
	rig_share(0, CFG_SHARE_ALL);
	rig.plan.epoch = 2;
	rig.plan.pools[0].min_epoch = 2;
	rig_publish();
	cr_expect_eq(ask_pinned("POST", &set), C);
	cr_expect(set);
	cr_expect_eq(ask_pinned("POST", &set), C);
	cr_expect_not(set);
	cr_expect_eq(
	    stat_get(&rig_inst(C)->pool->cells[0].cause[CAUSE_MOVED_EVICT]), 1);
	/* Back again: pins of the new epoch are good there. */
	rig_share(CFG_SHARE_ALL, 0);
	rig_publish();
	cr_expect_eq(ask("GET", "", &set), A);
	cr_expect_eq(ask_pinned("GET", &set), A);
	cr_expect_not(set);
}

Test(route, an_order_moves_a_pool_at_a_safe_point)
{
	const struct pool_cell *v2 = &rig_inst(C)->pool->cells[0];
	bool set;

	cr_expect_eq(ask("GET", "", &set), A);
	rig.plan.epoch = 2;
	rig.plan.pools[0].move_epoch = 2;
	rig.plan.pools[0].pins_to = 2;
	rig_publish();
	cr_expect_eq(ask_pinned("POST", &set), A);
	cr_expect_eq(ask_pinned("GET", &set), C);
	cr_expect(set);
	cr_expect_eq(stat_get(&v2->cause[CAUSE_MOVED_ORDER]), 1);
	cr_expect_eq(ask_pinned("POST", &set), C);
	cr_expect_not(set);
	cr_expect_eq(ask("GET", "", &set), A, "new ones go by the share");
	cr_expect_eq(ask_pinned("GET", &set), A, "and stay");
}

Test(route, an_order_evicts_a_pool_to_another)
{
	bool set;

	cr_expect_eq(ask("GET", "", &set), A);
	rig.plan.epoch = 2;
	rig.plan.pools[0].min_epoch = 2;
	rig.plan.pools[0].pins_to = 2;
	rig_publish();
	cr_expect_eq(ask_pinned("POST", &set), C);
	cr_expect(set);
	cr_expect_eq(
	    stat_get(&rig_inst(C)->pool->cells[0].cause[CAUSE_MOVED_EVICT]), 1);
}

Test(route, an_order_to_who_cannot_serve_waits)
{
	bool set;

	cr_expect_eq(ask("GET", "", &set), A);
	rig.plan.epoch = 2;
	rig.plan.pools[0].move_epoch = 2;
	rig.plan.pools[0].pins_to = 2;
	rig_health(C, false);
	rig_publish();
	cr_expect_eq(ask_pinned("GET", &set), A);
	cr_expect_not(set);
	rig_health(C, true);
	rig_publish();
	cr_expect_eq(ask_pinned("GET", &set), C);
}

/* Only the key's session is meant, and only its pin of before. */
Test(route, an_order_of_one)
{
	struct session one;
	struct sessions *all = &rig_inst(A)->pool->service->sessions;
	char mine[256];
	bool set;

	cr_expect_eq(ask("GET", "", &set), A);
	(void)snprintf(mine, sizeof(mine), "%s", cookie);
	cr_assert_eq(atomic_load(&all->n), 1);
	sessions_each(all, keep, &one);
	cr_expect_eq(one.pool, rig_inst(A)->pool->name_hash);
	cr_expect_eq(ask("GET", "", &set), A);
	rig.plan.epoch = 2;
	rig.plan.n_orders = 1;
	rig.plan.orders[0] = (struct view_order){ .session = one.id,
		.epoch = 2,
		.how = PINS_EVICT,
		.to = 2 };
	rig_publish();
	cr_expect_eq(ask_pinned("POST", &set), A, "another's");
	(void)snprintf(cookie, sizeof(cookie), "%s", mine);
	cr_expect_eq(ask_pinned("POST", &set), C);
	cr_expect(set);
	cr_expect_eq(ask_pinned("POST", &set), C);
	cr_expect_not(set);
	cr_assert(sessions_find(all, one.id, &one));
	cr_expect_eq(one.pool, rig_inst(C)->pool->name_hash);
	cr_expect_eq(one.epoch, 2);
	cr_expect_eq(sessions_on(all, rig_inst(A)->pool->name_hash), 1);
	cr_expect_eq(sessions_on(all, rig_inst(C)->pool->name_hash), 1);
}

static const struct {
	const char *why, *method, *fields;
	int who;
} safe_points[] = {
	{ "a form is not lost", "POST", "", A },
	{ "nor a part of a page", "GET", "Sec-Fetch-Dest: image\r\n", A },
	{ "nor a tunnel", "GET",
	    "Connection: upgrade\r\nUpgrade: websocket\r\n", A },
	{ "a page moves", "GET", "Sec-Fetch-Dest: document\r\n", C },
};

Test(route, moved_at_a_safe_point_of_a_drain)
{
	bool set;
	char first[256], fields[512];

	cr_expect_eq(ask("GET", "", &set), A);
	(void)snprintf(first, sizeof(first), "%s", cookie);
	rig_share(0, CFG_SHARE_ALL);
	rig.plan.pools[0].pins = PINS_MOVE;
	rig_publish();
	for (size_t i = 0; i < sizeof(safe_points) / sizeof(safe_points[0]);
	     i++) {
		(void)snprintf(fields, sizeof(fields), "%sCookie: %s\r\n",
		    safe_points[i].fields, first);
		cr_expect_eq(ask(safe_points[i].method, fields, &set),
		    safe_points[i].who, "%s", safe_points[i].why);
		cr_expect_eq(set, safe_points[i].who == C, "%s",
		    safe_points[i].why);
	}
}

/* A drain loses nobody: without a refuge sessions stay. */
Test(route, not_moved_into_nothing)
{
	bool set;

	cr_expect_eq(ask("GET", "", &set), A);
	rig_share(0, CFG_SHARE_ALL);
	rig.plan.pools[0].pins = PINS_MOVE;
	rig_health(C, false);
	rig_publish();
	cr_expect_eq(ask_pinned("GET", &set), A);
	cr_expect_not(set);
}

Test(route, pins_to_an_instance)
{
	bool set;
	int who;

	rig_down();
	up_with(&(struct rig_lines){
	    .service = "    sticky: { scope: instance }" });
	rig_health(B, true);
	rig_publish();
	who = ask("GET", "", &set);
	cr_assert(set && who != C);
	for (int i = 0; i < 10; i++) {
		cr_expect_eq(ask_pinned("GET", &set), who);
		cr_expect_not(set);
	}
	rig_inst(who)->admin = INST_DRAIN; /* the pinned may stay */
	rig_publish();
	cr_expect_eq(ask_pinned("GET", &set), who);
	rig_inst(who)->admin = INST_MAINT;
	rig_publish();
	cr_expect_eq(ask_pinned("GET", &set), 1 - who);
	cr_expect(set, "and is pinned anew");
}

Test(route, no_pins)
{
	bool set;

	rig_down();
	up_with(&(struct rig_lines){
	    .service = "    sticky: { scope: none }" });
	cr_expect_eq(ask("GET", "", &set), A);
	cr_expect_not(set);
	rig_share(0, CFG_SHARE_ALL);
	rig_publish();
	cr_expect_eq(ask("GET", "", &set), C);
}

/* ---- shares ---- */

/* Where the sessions of 60 keys go under a share. */
static unsigned
place(unsigned v2_bp, bool on_v2[60])
{
	unsigned n = 0;

	rig_share(CFG_SHARE_ALL - v2_bp, v2_bp);
	rig_publish();
	for (int i = 0; i < 60; i++) {
		char fields[64];
		bool set;

		(void)snprintf(fields, sizeof(fields), "X-Key: k%d\r\n", i);
		on_v2[i] = ask("GET", fields, &set) == C;
		n += on_v2[i];
	}
	return n;
}

Test(route, growing_a_share_only_adds)
{
	bool at20[60], at50[60], again[60];
	unsigned n20, n50;

	rig_down();
	up_with(&(struct rig_lines){
	    .service = "    share_key: header:X-Key" });
	n20 = place(2000, at20);
	n50 = place(5000, at50);
	cr_expect(n20 > 2 && n20 < 26, "%u of 60 at 20 %%", n20);
	cr_expect(n50 > 16 && n50 < 46, "%u of 60 at 50 %%", n50);
	for (int i = 0; i < 60; i++)
		cr_expect(!at20[i] || at50[i], "k%d was re-rolled", i);
	(void)place(2000, again);
	cr_expect_eq(memcmp(at20, again, sizeof(again)), 0);
}

/* Behind one trusted proxy its clients do not share one place. */
Test(route, source_behind_a_trusted_proxy)
{
	unsigned on_v2 = 0;

	rig_down();
	up_with(&(struct rig_lines){
	    .listener = "    trusted_proxies: [ 127.0.0.1/32 ]" });
	rig_share(5000, 5000);
	rig_publish();
	for (int i = 0; i < 40; i++) {
		char fields[64];
		bool set;
		int first;

		(void)snprintf(fields, sizeof(fields),
		    "X-Forwarded-For: 1.1.1.1, 10.0.0.%d\r\n", i);
		first = ask("GET", fields, &set);
		cr_expect_eq(ask("GET", fields, &set), first);
		on_v2 += first == C;
	}
	cr_expect(on_v2 > 5 && on_v2 < 35, "%u of 40", on_v2);
}

/* ---- services ---- */

static const struct {
	const char *request, *status;
} unserved[] = {
	{ "GET /app HTTP/1.1\r\nHost: other\r\n\r\n", " 421 " },
	{ "GET /app HTTP/1.1\r\nHost: x.site.example\r\n\r\n", " 421 " },
	{ "GET http://other/app HTTP/1.1\r\nHost: site.example\r\n\r\n",
	    " 421 " },
	{ "GET /apple HTTP/1.1\r\nHost: site.example\r\n\r\n", " 404 " },
	{ "GET /app/../x HTTP/1.1\r\nHost: site.example\r\n\r\n", " 404 " },
	{ "GET /app HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", " 404 " },
};

Test(route, services_by_host_and_path)
{
	int c;

	rig_down();
	up_with(&(struct rig_lines){ .service = "    match:\n"
	                                        "      - host: site.example\n"
	                                        "        path: /app\n" });
	c = client_open();
	put(c, "GET /app/x HTTP/1.1\r\nHost: SITE.example:99\r\n\r\n");
	c = origin_accept(A);
	(void)get_head(c);
	put(c, OK_ANSWER);
	c = client_open();
	for (size_t i = 0; i < ARRAY_LEN(unserved); i++) {
		const char *h;

		put(c, unserved[i].request);
		h = get_head(c);
		cr_expect(has(h, unserved[i].status), "%s: %s",
		    unserved[i].request, h);
		get_n(c, strtoul(strstr(h, "Content-Length: ") + 16, NULL, 10));
	}
	cr_expect_eq(rig_unrouted(OUT_NO_SERVICE), ARRAY_LEN(unserved));
}

static const struct {
	const char *why, *path;
	int status; /* 0: the service gets it */
} paths[] = {
	{ "an encoded slash within", "/app/a%2fb", 0 },
	{ "parameters within", "/app/a;v=1/b", 0 },
	{ "dots of RFC 3986", "/x/../app/y", 0 },
	{ "out by an encoded slash", "/app/..%2fadmin", 400 },
	{ "out by one encoded twice", "/app/..%252fadmin", 400 },
	{ "out by a backslash", "/app/..\\admin", 400 },
	{ "out by an encoded one", "/app/%2e%2e%5cadmin", 400 },
	{ "out by dots with parameters", "/app/..;x/admin", 400 },
	{ "out by encoded dots", "/app/%2e%2e/admin", 400 },
	{ "in by an encoded slash", "/admin/..%2fapp", 400 },
	{ "in by parameters", "/app;x/a", 400 },
	{ "nowhere by any reading", "/a%2fb", 404 },
};

Test(route, paths_with_two_meanings)
{
	rig_down();
	up_with(&(struct rig_lines){ .service = "    match:\n"
	                                        "      - path: /app\n" });
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char text[256], status[8];
		int c = client_open(), u;

		(void)snprintf(text, sizeof(text),
		    "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i].path);
		put(c, text);
		if (paths[i].status == 0) {
			u = origin_accept(A);
			cr_expect(has(get_head(u), paths[i].path), "%s",
			    paths[i].why);
			put(u, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
			(void)get_head(c);
			done(u);
		} else {
			(void)snprintf(status, sizeof(status), " %d ",
			    paths[i].status);
			cr_expect(has(get_head(c), status), "%s", paths[i].why);
		}
		done(c);
		rig_turns(3);
	}
}

/* A switch in mid-journey changes nobody's destination, and what is idle to
 * the old pool is let go. */
Test(route, a_switch_in_mid_journey)
{
	int c = client_ask(GET_A), u = origin_accept(A), idle;
	bool set;

	(void)get_head(u);
	idle = serve(client_open(), -1, A, GET_B);
	rig_share(0, CFG_SHARE_ALL);
	rig_inst(A)->pool->leaving = true;
	rig_publish();
	get_eof(idle);
	cr_expect_eq(ask("GET", "", &set), C);
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
	get(c, "ok");
	get_eof(u);
	cr_expect_eq(rig.edges[PROXY_EMPTY], 1);
	cr_expect_eq(stat_get(&rig_icell(A)->inflight), 0);
}

/* Upstream does not know session: here both are known. */
Test(names, hash_in_views_as_in_pins)
{
	static const char *const names[] = { "", "v1", "127.0.0.1:80", "é" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		cr_expect_eq(registry_name_hash(str_of(names[i])),
		    pin_name_hash(str_of(names[i])));
}
