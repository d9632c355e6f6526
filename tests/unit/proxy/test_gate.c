/* Rules and bounds of clients, seen from both ends of a whole proxy. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "proxy/worker.h"
#include "rig.h"
#include "upstream/view.h"

TestSuite(gate, .fini = rig_down, .timeout = 30);

#define GET(target, fields)                                                    \
	"GET " target " HTTP/1.1\r\nHost: x\r\n" fields "\r\n"

/* Asks on a connection of its own, and hangs up; until it is gone. */
static bool
answers(const char *request, const char *status)
{
	size_t open = rig.proxy->n_clients;
	int c = client_ask(request);
	bool so = has(get_head(c), status);

	done(c);
	while (rig.proxy->n_clients > open)
		rig_turn();
	return so;
}

Test(gate, rules)
{
	static const struct rig_lines lines = {
		.listener = "    trusted_proxies: [ 127.0.0.1 ]",
		.service = "    rules:\n"
		           "      - { allow: /admin, from: 10.0.0.0/8 }\n"
		           "      - { deny: /admin }\n"
		           "      - { deny: /hidden, hide: on }\n",
	};
	int c, u = -1;

	rig_up(&lines);
	cr_expect(answers(GET("/admin/x?y", ""), "HTTP/1.1 403 "));
	cr_expect(answers(GET("/%61dmin", ""), "HTTP/1.1 403 "));
	cr_expect(answers(GET("http://x/admin", ""), "HTTP/1.1 403 "));
	cr_expect(answers(GET("/hidden", ""), "HTTP/1.1 404 "));
	cr_expect(answers(GET("/a/../b", ""), "HTTP/1.1 400 "));
	cr_expect(answers(GET("/admin", "X-Forwarded-For: 192.0.2.1\r\n"),
	    "HTTP/1.1 403 "));
	cr_expect(
	    answers(GET("/admin", "X-Forwarded-For: 10.0.0.1, 192.0.2.1\r\n"),
	        "HTTP/1.1 403 "),
	    "what a stranger says of itself");
	cr_expect(answers(GET("/admin", "X-Forwarded-For: 10.0.0.1, what\r\n"),
	    "HTTP/1.1 403 "));
	cr_expect(origin_is_quiet(A));
	cr_expect_eq(rig_outcome(OUT_DENIED), 7);
	cr_expect_eq(rig_outcome(OUT_BAD_REQUEST), 1);
	cr_expect(has(rig_log(), "\"outcome\":\"denied\",\"rule\":2,"));
	cr_expect(has(rig_log(), "\"reason\":\"target\""));
	c = client_open();
	for (int i = 0; i < 3; i++) {
		static const char *const inside[] = {
			GET("/admin", "X-Forwarded-For: 10.0.0.1\r\n"),
			GET("/admin",
			    "X-Forwarded-For: 192.0.2.1, 10.0.0.1:99, "
			    "127.0.0.1\r\n"),
			GET("/adminx", ""),
		};

		u = serve(c, u, A, inside[i]);
	}
}

Test(gate, no_rules_no_harm)
{
	int c;

	rig_up(NULL);
	c = client_open();
	(void)serve(c, -1, A, GET("/a/../b", ""));
}

Test(gate, rate)
{
	static const struct rig_lines lines = {
		.listener = "    clients: { requests_per_second: 2, burst: 3 }",
	};
	int c, u = -1;

	rig_up(&lines);
	c = client_open();
	for (int i = 0; i < 3; i++)
		u = serve(c, u, A, GET_A);
	put(c, GET_A);
	{
		const char *h = get_head(c);

		cr_expect(has(h, "HTTP/1.1 429 Too Many Requests\r\n"), "%s",
		    h);
		cr_expect(has(h, "Retry-After: 1\r\n"));
		cr_expect_not(has(h, "Connection: close"));
		get(c,
		    "429 Too Many Requests\n"
		    "Too many requests. Please try again in a moment.\n");
	}
	cr_expect(answers(GET_A, "HTTP/1.1 429 "), "another connection");
	cr_expect(answers("GET / HTTP/1.1\r\nHost: x:y\r\n\r\n",
	              "HTTP/1.1 400 "),
	    "what is no request is no matter of rates");
	cr_expect_eq(rig_outcome(OUT_RATE_LIMITED), 2);
	cr_expect(has(rig_log(), "\"outcome\":\"rate_limited\""));
	rig_later(500 * US_PER_MS);
	u = serve(c, u, A, GET_A);
	cr_expect(answers(GET_A, "HTTP/1.1 429 "));
}

Test(gate, rate_behind_a_proxy)
{
	static const struct rig_lines lines = {
		.listener = "    trusted_proxies: [ 127.0.0.1, 10.0.0.9 ]\n"
		            "    clients: { requests_per_second: 1, burst: 1, "
		            "connections: 1 }",
	};
	static const char *const same[] = {
		GET("/", "X-Forwarded-For: 192.0.2.1\r\n"),
		GET("/", "X-Forwarded-For: 10.9.9.9, 192.0.2.1\r\n"),
		GET("/", "X-Forwarded-For: 192.0.2.1, 10.0.0.9\r\n"),
		GET("/", "X-Forwarded-For: 192.0.2.1:80\r\n"),
		GET("/", "X-Forwarded-For: ::ffff:192.0.2.1\r\n"),
	};
	int c, u;

	rig_up(&lines);
	c = client_open(); /* a trusted proxy has as many as it likes */
	u = serve(c, -1, A, same[0]);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		cr_expect(answers(same[i], "HTTP/1.1 429 "), "%s", same[i]);
	u = serve(c, u, A, GET("/", "X-Forwarded-For: 192.0.2.2\r\n"));
	u = serve(c, u, A, GET("/", "X-Forwarded-For: [2001:db8::1]:80\r\n"));
	cr_expect(answers(GET("/", "X-Forwarded-For: 2001:db8::2\r\n"),
	              "HTTP/1.1 429 "),
	    "one /64");
	u = serve(c, u, A, GET("/", "X-Forwarded-For: nonsense\r\n"));
	cr_expect(answers(GET("/", "X-Forwarded-For: rubbish\r\n"),
	              "HTTP/1.1 429 "),
	    "all nonsense is one address");
	(void)u;
}

static uint64_t
refused(enum conn_refusal why)
{
	return stat_get(
	    &registry_unrouted(rig.registry)->cells[0].refused[why]);
}

Test(gate, connections)
{
	static const struct rig_lines lines = {
		.listener = "    clients: { connections: 2 }",
	};
	int c[3], u;

	rig_up(&lines);
	for (int i = 0; i < 2; i++)
		c[i] = client_open();
	u = serve(c[0], -1, A, GET_A);
	c[2] = client_ask(GET_A);
	get_reset(c[2]);
	cr_expect_eq(refused(REFUSED_ADDRESS), 1);
	done(c[1]);
	while (rig.proxy->n_clients > 1)
		rig_turn();
	c[1] = client_open();
	(void)serve(c[1], u, A, GET_A);
	cr_expect_eq(refused(REFUSED_ADDRESS), 1);
	cr_expect_eq(refused(REFUSED_LISTENER), 0);
}

Test(gate, connections_of_a_listener)
{
	static const struct rig_lines lines = {
		.listener = "    max_connections: 1",
	};
	int c[2];

	rig_up(&lines);
	c[0] = client_open();
	(void)serve(c[0], -1, A, GET_A);
	c[1] = client_ask(GET_A);
	get_reset(c[1]);
	cr_expect_eq(refused(REFUSED_LISTENER), 1);
}
