/* A service is held: who waits, for how long, and in what order they go. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "rig.h"
#include "session/pin.h"

TestSuite(holding, .fini = rig_down, .timeout = 30);

#define AT_ONCE "    hold: { pace: 0, wait: 5s, max: 2, retry_after: 7s }"

static void
hold(enum hold h)
{
	rig.plan.hold = (uint8_t)h;
	rig_publish();
}

static void
up(const char *service, enum hold h)
{
	rig_up(&(struct rig_lines){ .service = service });
	hold(h);
}

static unsigned
held(void)
{
	return registry_service(rig.registry, "web")->held;
}

static void
await_held(unsigned n)
{
	for (int i = 0; i < 2000 && held() != n; i++)
		rig_turn();
	cr_assert_eq(held(), n, "%u", held());
}

/* The next one that an instance is asked for begins so; it is answered. */
static void
answer_next(int c, const char *begins)
{
	int u = origin_accept(A);

	cr_expect(has(get_head(u), begins), "%s", begins);
	put(u,
	    "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	    "Content-Length: 2\r\n\r\nok");
	cr_expect(has(get_head(c), " 200 "));
	get(c, "ok");
}

Test(holding, waits_until_it_is_released)
{
	int c;

	up(AT_ONCE, HOLD_ALL);
	c = client_ask(GET_A);
	await_held(1);
	rig_later(4 * US_PER_S);
	cr_expect(is_silent(c));
	cr_expect(origin_is_quiet(A));
	cr_expect_eq(stat_get(&rig_cell()->held_ever), 1);
	cr_expect_eq(stat_get(&rig_cell()->released), 0);
	hold(HOLD_NONE);
	answer_next(c, "GET /a");
	cr_expect_eq(held(), 0);
	cr_expect_eq(stat_get(&rig_cell()->held_ever), 1);
	cr_expect_eq(stat_get(&rig_cell()->released), 1);
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 1);
}

Test(holding, a_body_waits_with_its_head)
{
	int c, u;

	up(AT_ONCE, HOLD_ALL);
	c = client_ask(POST_5 "he");
	await_held(1);
	put(c, "llo");
	rig_turns(5);
	hold(HOLD_NONE);
	u = origin_accept(A);
	cr_expect(has(get_head(u), "POST /p"));
	get(u, "hello");
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
}

/* Who served when it came may be gone by now. */
Test(holding, the_target_is_chosen_when_it_is_released)
{
	int c, u;

	up(AT_ONCE, HOLD_ALL);
	c = client_ask(GET_A);
	await_held(1);
	rig_health(A, false);
	rig_publish();
	rig_turns(5);
	cr_expect(is_silent(c));
	rig_health(C, true);
	rig_share(0, CFG_SHARE_ALL);
	hold(HOLD_NONE);
	u = origin_accept(C);
	cr_expect(has(get_head(u), "GET /a"));
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
}

/* ---- bounds ---- */

Test(holding, so_many_may_wait)
{
	const char *head;
	int c[3], late;

	up(AT_ONCE, HOLD_ALL);
	for (unsigned i = 0; i < 2; i++) {
		c[i] = client_ask(GET_A);
		await_held(i + 1);
	}
	c[2] = client_ask(GET_B);
	head = get_head(c[2]);
	cr_expect(has(head, " 503 "));
	cr_expect(has(head, "Retry-After: 7\r\n"), "%s", head);
	cr_expect_eq(rig_outcome(OUT_HOLD_FULL), 1);
	cr_expect_eq(held(), 2);
	cr_expect_eq(stat_get(&rig_cell()->held_ever), 2);
	reset(c[0]);
	await_held(1);
	late = client_ask(GET_B);
	await_held(2);
	hold(HOLD_NONE);
	answer_next(c[1], "GET /a");
	answer_next(late, "GET /b");
}

Test(holding, none_may_wait)
{
	int c;

	up("    hold: { max: 0 }", HOLD_ALL);
	c = client_ask(GET_A);
	cr_expect(has(get_head(c), " 503 "));
	cr_expect_eq(rig_outcome(OUT_HOLD_FULL), 1);
	cr_expect_eq(held(), 0);
}

Test(holding, each_waits_for_so_long)
{
	const char *head;
	int c1, c2;

	up(AT_ONCE, HOLD_ALL);
	c1 = client_ask(GET_A);
	await_held(1);
	rig_later(3 * US_PER_S);
	c2 = client_ask(POST_5 "hello");
	await_held(2);
	rig_later(2 * US_PER_S - US_PER_MS);
	rig_turns(5);
	cr_expect(is_silent(c1));
	rig_later(US_PER_MS);
	head = get_head(c1);
	cr_expect(has(head, " 503 "));
	cr_expect(has(head, "Retry-After: 7\r\n"), "%s", head);
	cr_expect(is_silent(c2));
	cr_expect_eq(rig_outcome(OUT_HOLD_TIMEOUT), 1);
	rig_later(3 * US_PER_S);
	cr_expect(has(get_head(c2), " 503 "));
	cr_expect_eq(rig_outcome(OUT_HOLD_TIMEOUT), 2);
	cr_expect_eq(held(), 0);
	cr_expect(origin_is_quiet(A));
	cr_expect_eq(stat_get(&rig_cell()->released), 0);
}

/* ---- which ---- */

#define R(method, path) method " " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static const struct {
	const char *why, *settings;
	enum hold hold;
	const char *ask;
	bool waits;
} classes[] = {
	{ "none is held", "", HOLD_NONE, R("DELETE", "/a"), false },
	{ "all are", "", HOLD_ALL, R("GET", "/a"), true },
	{ "a read goes on", "", HOLD_WRITES, R("GET", "/a"), false },
	{ "so does a question", "", HOLD_WRITES, R("OPTIONS", "*"), false },
	{ "a write waits", "", HOLD_WRITES, R("DELETE", "/a"), true },
	{ "a method nobody knows", "", HOLD_WRITES, R("QUUX", "/a"), true },
	{ "a read that writes", ", writes: /login", HOLD_WRITES,
	    R("GET", "/login/x?a=b"), true },
	{ "one beside it", ", writes: /login", HOLD_WRITES, R("GET", "/loginx"),
	    false },
	{ "another way to write it", ", writes: /login", HOLD_WRITES,
	    R("GET", "/%6cogin"), true },
	{ "what may be it", ", writes: /login", HOLD_WRITES,
	    R("GET", "/a/..%2flogin"), true },
	{ "never held", ", never: /health", HOLD_ALL, R("GET", "/health"),
	    false },
	{ "never held, a write", ", never: /health", HOLD_ALL,
	    R("DELETE", "/health/x"), false },
	{ "one beside that", ", never: /health", HOLD_ALL, R("GET", "/healthy"),
	    true },
	{ "what only may be it", ", never: /health", HOLD_ALL,
	    R("GET", "/health/..%2fx"), true },
	{ "never comes first", ", writes: /a, never: /a/b", HOLD_WRITES,
	    R("GET", "/a/b"), false },
};

Test(holding, which_requests_wait)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		char settings[128];
		int c;

		(void)snprintf(settings, sizeof(settings),
		    "    hold: { pace: 0%s }", classes[i].settings);
		up(settings, classes[i].hold);
		c = client_ask(classes[i].ask);
		if (classes[i].waits) {
			for (int n = 0;
			     n < 2000 && held() == 0 && origin_is_quiet(A); n++)
				rig_turn();
			cr_expect_eq(held(), 1, "%s", classes[i].why);
			cr_expect(origin_is_quiet(A), "%s", classes[i].why);
			hold(HOLD_NONE);
		}
		answer_next(c, " HTTP/1.1");
		cr_expect_eq(stat_get(&rig_cell()->held_ever), classes[i].waits,
		    "%s", classes[i].why);
		if (i + 1 < ARRAY_LEN(classes))
			rig_down();
	}
}

/* Reads go on, and writes that came behind them wait. */
Test(holding, fewer_are_held_from_now_on)
{
	int c1, c2;

	up(AT_ONCE, HOLD_ALL);
	c1 = client_ask(R("DELETE", "/a"));
	await_held(1);
	c2 = client_ask(GET_B);
	await_held(2);
	hold(HOLD_WRITES);
	answer_next(c2, "GET /b");
	cr_expect_eq(held(), 1);
	cr_expect(is_silent(c1));
	hold(HOLD_NONE);
	answer_next(c1, "DELETE /a");
}

/* ---- released ---- */

#define TICK (50 * US_PER_MS) /* how often is looked */

/* One each tick. */
Test(holding, oldest_first_at_a_pace)
{
	static const char *const asks[] = { R("GET", "/1"), R("GET", "/2"),
		R("GET", "/3") };
	int c[3];

	up("    hold: { pace: 20 }", HOLD_ALL);
	for (unsigned i = 0; i < 3; i++) {
		c[i] = client_ask(asks[i]);
		await_held(i + 1);
		rig_later(US_PER_MS);
	}
	hold(HOLD_NONE);
	for (unsigned i = 0; i < 3; i++) {
		char begins[16];

		rig_turns(20);
		cr_expect(origin_is_quiet(A), "not before its time");
		cr_expect_eq(held(), 3 - i);
		rig_later(TICK);
		(void)snprintf(begins, sizeof(begins), "GET /%u ", i + 1);
		answer_next(c[i], begins);
	}
	cr_expect_eq(held(), 0);
}

/* A worker that was busy for long makes up for two ticks, no more. */
Test(holding, no_burst_after_a_long_turn)
{
	int c[4];

	up("    hold: { pace: 20 }", HOLD_ALL);
	for (unsigned i = 0; i < 4; i++) {
		c[i] = client_ask(GET_A);
		await_held(i + 1);
	}
	hold(HOLD_NONE);
	rig_turns(5);
	rig_later(US_PER_S);
	answer_next(c[0], "GET /a");
	answer_next(c[1], "GET /a");
	cr_expect_eq(held(), 2);
	for (unsigned i = 2; i < 4; i++) {
		rig_later(TICK);
		answer_next(c[i], "GET /a");
	}
}

Test(holding, what_comes_meanwhile_does_not_wait)
{
	int c1, c2;

	up("    hold: { pace: 1 }", HOLD_ALL);
	c1 = client_ask(GET_A);
	await_held(1);
	hold(HOLD_NONE);
	c2 = client_ask(GET_B);
	answer_next(c2, "GET /b");
	cr_expect_eq(held(), 1);
	cr_expect_eq(stat_get(&rig_cell()->held_ever), 1);
	rig_later(TICK);
	rig_turns(5);
	cr_expect(origin_is_quiet(A));
	hold(HOLD_ALL);
	rig_later(15 * US_PER_S);
	cr_expect(has(get_head(c1), " 503 "));
}

/* At that pace it comes too late for the last. */
Test(holding, its_time_is_over_while_others_go)
{
	int c1, c2;

	up("    hold: { pace: 1, wait: 1s }", HOLD_ALL);
	c1 = client_ask(GET_A);
	await_held(1);
	rig_later(US_PER_S - TICK);
	c2 = client_ask(GET_B);
	await_held(2);
	hold(HOLD_NONE);
	rig_later(TICK);
	cr_expect(has(get_head(c1), " 503 "));
	cr_expect_eq(rig_outcome(OUT_HOLD_TIMEOUT), 1);
	cr_expect(is_silent(c2));
	hold(HOLD_ALL);
	rig_later(US_PER_S);
	cr_expect(has(get_head(c2), " 503 "));
}

/* ---- who is there no more ---- */

static void
leave_held(void (*leave)(int fd))
{
	int c1, c2;

	up(AT_ONCE, HOLD_ALL);
	c1 = client_ask(POST_5 "hello");
	await_held(1);
	c2 = client_ask(GET_B);
	await_held(2);
	leave(c1);
	rig_turns(5);
	hold(HOLD_NONE);
	answer_next(c2, "GET /b");
	cr_expect_eq(rig_outcome(OUT_CLIENT_LEFT), 1);
	cr_expect_eq(held(), 0);
	cr_expect(origin_is_quiet(A), "who left was sent");
	cr_expect_eq(stat_get(&rig_cell()->released), 1);
}

Test(holding, who_left_is_never_sent)
{
	leave_held(done);
}

Test(holding, who_was_reset_is_never_sent)
{
	leave_held(reset);
}

Test(holding, we_stop_while_some_wait)
{
	int c;

	up(AT_ONCE, HOLD_ALL);
	c = client_ask(GET_A);
	await_held(1);
	proxy_stop(rig.proxy, 0, US_PER_S);
	rig_later(2 * US_PER_S);
	cr_expect(has(get_head(c), " 503 "));
	cr_expect_eq(rig_outcome(OUT_STOP_CUT), 1);
	cr_expect_eq(held(), 0);
}

/* What a freeze is for must not reach anybody, also when nobody may wait. */
Test(holding, what_comes_while_we_stop_is_refused)
{
	const char *head;
	int c;

	up(AT_ONCE, HOLD_WRITES);
	c = client_ask("POST /a HTTP/1.1\r\nHo");
	rig_turns(5);
	proxy_stop(rig.proxy, US_PER_S, 5 * US_PER_S);
	put(c, "st: a\r\nContent-Length: 0\r\n\r\n");
	head = get_head(c);
	cr_expect(has(head, " 503 "), "%s", head);
	cr_expect(has(head, "Retry-After: "), "%s", head);
	cr_expect(origin_is_quiet(A));
	cr_expect_eq(rig_outcome(OUT_STOPPING), 1);
}

/* ---- trials ---- */

/* "Cookie: segue=VALUE" of a session of that pool. */
static void
write_pin_of(const char *pool, bool trial, char *out, size_t cap)
{
	struct sealer *s = sealer_new(rig.ring);
	struct pin pin = { .session = 7,
		.pool = pin_name_hash(str_of(pool)),
		.issued_s = clock_wall_us() / US_PER_S,
		.epoch = 1000,
		.trial = trial };
	char value[TOKEN_TEXT_MAX];
	ssize_t n;

	cr_assert_not_null(s);
	n = pin_write(s, STR("web"), &pin, value);
	cr_assert_gt(n, 0);
	(void)snprintf(out, cap, "Cookie: segue=%.*s\r\n", (int)n, value);
	sealer_free(&s);
}

static const struct {
	const char *why, *pool;
	bool trial;
	uint32_t share; /* of v2 */
	bool up;        /* is v2 */
	bool held;
} trials[] = {
	{ "a trial of who waits for users", "v2", true, 0, true, false },
	{ "a user's", "v2", false, 0, true, true },
	{ "a trial of who serves", "v1", true, 0, true, true },
	{ "a trial of who has a part", "v2", true, 1000, true, true },
	{ "a trial of who cannot serve", "v2", true, 0, false, true },
};

Test(holding, who_tries_a_pool_does_not_wait)
{
	for (size_t i = 0; i < ARRAY_LEN(trials); i++) {
		char cookie[300], text[400];
		int c;

		if (i > 0)
			rig_down();
		up(AT_ONCE, HOLD_NONE);
		rig_health(C, trials[i].up);
		rig_share(CFG_SHARE_ALL - trials[i].share, trials[i].share);
		hold(HOLD_ALL);
		write_pin_of(trials[i].pool, trials[i].trial, cookie,
		    sizeof(cookie));
		(void)snprintf(text, sizeof(text),
		    "GET /a HTTP/1.1\r\nHost: a\r\n%s\r\n", cookie);
		c = client_ask(text);
		if (trials[i].held) {
			await_held(1);
			cr_expect(is_silent(c), "%s", trials[i].why);
		} else {
			int u = origin_accept(C);

			cr_expect(has(get_head(u), "GET /a"), "%s",
			    trials[i].why);
			put(u, OK_ANSWER);
			cr_expect(has(get_head(c), " 200 "), "%s",
			    trials[i].why);
			cr_expect_eq(held(), 0, "%s", trials[i].why);
		}
	}
}

/* ---- copies ---- */

#define COPIED "    hold: { pace: 0, copies: [ /keys, /a/conf ] }"
#define GET_KEYS "GET /realms/x/keys HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK(fields, body) "HTTP/1.1 200 OK\r\n" fields "\r\n" body

static const struct {
	const char *why, *ask, *answer;
	bool kept;
} kepts[] = {
	{ "as it is", GET_KEYS,
	    OK("Content-Type: application/jwk-set+json\r\n"
	       "Content-Length: 2\r\nConnection: close\r\n",
	        "{}"),
	    true },
	{ "of a path with a dot", R("GET", "/.well-known/keys"),
	    OK("Content-Length: 2\r\nConnection: close\r\n", "{}"), true },
	{ "in chunks", GET_KEYS,
	    OK("Content-Type: application/jwk-set+json\r\n"
	       "Transfer-Encoding: chunked\r\nConnection: close\r\n",
	        "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
	    true },
	{ "that may have been cut", GET_KEYS,
	    OK("Content-Type: application/jwk-set+json\r\n"
	       "Connection: close\r\n",
	        "{}"),
	    false },
	{ "of another path", R("GET", "/keys/x"),
	    OK("Content-Length: 2\r\nConnection: close\r\n", "{}"), false },
	{ "with a query", R("GET", "/realms/x/keys?a"),
	    OK("Content-Length: 2\r\nConnection: close\r\n", "{}"), false },
	{ "of a path that may be another", R("GET", "/realms/..%2fkeys"),
	    OK("Content-Length: 2\r\nConnection: close\r\n", "{}"), false },
	{ "to another method", R("OPTIONS", "/realms/x/keys"),
	    OK("Content-Length: 2\r\nConnection: close\r\n", "{}"), false },
	{ "to who says who he is",
	    "GET /realms/x/keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
	    "x\r\n\r\n",
	    OK("Content-Length: 2\r\nConnection: close\r\n", "{}"), false },
	{ "of another status", GET_KEYS,
	    "HTTP/1.1 404 No\r\nContent-Length: 2\r\nConnection: "
	    "close\r\n\r\n{}",
	    false },
	{ "with a cookie", GET_KEYS,
	    OK("Content-Length: 2\r\nSet-Cookie: a=b\r\nConnection: "
	       "close\r\n",
	        "{}"),
	    false },
	{ "compressed", GET_KEYS,
	    OK("Content-Length: 2\r\nContent-Encoding: gzip\r\nConnection: "
	       "close\r\n",
	        "{}"),
	    false },
	{ "that varies", GET_KEYS,
	    OK("Content-Length: 2\r\nVary: Accept-Language\r\nConnection: "
	       "close\r\n",
	        "{}"),
	    false },
	{ "too long", GET_KEYS,
	    OK("Content-Length: 65537\r\nConnection: close\r\n", "{}"), false },
};

Test(holding, what_is_kept)
{
	for (size_t i = 0; i < ARRAY_LEN(kepts); i++) {
		struct copies *all;
		int c, u;

		if (i > 0)
			rig_down();
		up(COPIED, HOLD_NONE);
		all = &registry_service(rig.registry, "web")->copies;
		c = client_ask(kepts[i].ask);
		u = origin_accept(A);
		(void)get_head(u);
		put(u, kepts[i].answer);
		(void)get_head(c);
		rig_turns(20);
		cr_expect_eq(all->n, kepts[i].kept, "%s", kepts[i].why);
		if (!kepts[i].kept || all->n == 0)
			continue;
		cr_expect_str_eq(all->list[0]->body.p, "{}", "%s",
		    kepts[i].why);
		if (strcmp(kepts[i].ask, GET_KEYS) != 0)
			continue;
		cr_expect_str_eq(all->list[0]->path.p, "/realms/x/keys");
		cr_expect_str_eq(all->list[0]->place.p, "http://a");
		cr_expect_str_eq(all->list[0]->type.p,
		    "application/jwk-set+json");
	}
}

Test(holding, a_copy_is_given)
{
	const char *h;
	int c, u;

	up(COPIED, HOLD_NONE);
	c = client_ask(GET_KEYS);
	u = origin_accept(A);
	(void)get_head(u);
	put(u,
	    OK("Content-Type: text/x\r\nContent-Length: 2\r\n"
	       "Access-Control-Allow-Origin: *\r\nConnection: close\r\n",
	        "{}"));
	(void)get_head(c);
	hold(HOLD_ALL);
	c = client_ask(GET_KEYS);
	h = get_head(c);
	cr_expect(has(h, " 200 ") && has(h, "Content-Type: text/x\r\n") &&
	        has(h, "Age: 0\r\n") && has(h, "Content-Length: 2\r\n") &&
	        has(h, "Access-Control-Allow-Origin: *\r\n"),
	    "%s", h);
	get(c, "{}");
	c = client_ask("HEAD /realms/x/keys HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect(has(get_head(c), "Content-Length: 2\r\n"));
	rig_turns(5);
	cr_expect_eq(rig_outcome(OUT_COPY), 2);
	cr_expect_eq(held(), 0);
	cr_expect(origin_is_quiet(A));
	/* another host, and what is another thing each time */
	c = client_ask("GET /realms/x/keys HTTP/1.1\r\nHost: b\r\n\r\n");
	await_held(1);
	cr_expect(is_silent(c));
	c = client_ask("POST /realms/x/keys HTTP/1.1\r\nHost: a\r\n"
	               "Content-Length: 0\r\n\r\n");
	await_held(2);
	cr_expect(is_silent(c));
}
