/* Heads on their way through. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"

static void
up(void)
{
	rig_up(NULL);
}

static void
up_trusted(void)
{
	rig_up(&(struct rig_lines){
	    .listener = "    trusted_proxies: [ 127.0.0.0/8 ]" });
}

TestSuite(forward, .init = up, .fini = rig_down, .timeout = 30);
TestSuite(trusted, .init = up_trusted, .fini = rig_down, .timeout = 30);

/* What the instance is told when a client sends these fields. */
static const char *
told(const char *target, const char *fields)
{
	char text[2048];
	int c, u;
	const char *h;

	(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n%s\r\n", target,
	    fields);
	c = client_ask(text);
	u = origin_accept(A);
	h = get_head(u);
	put(u, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
	(void)get_head(c);
	return h;
}

struct row {
	const char *why, *fields, *has, *lacks;
};

static void
try_rows(const struct row *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *h = told("/", r[i].fields);

		cr_expect(has(h, r[i].has), "%s: %s", r[i].why, h);
		cr_expect_not(has(h, r[i].lacks), "%s: %s", r[i].why, h);
	}
}

static const struct row strangers[] = {
	{ "the host is kept", "Host: a.example:8080\r\n",
	    "GET / HTTP/1.1\r\nHost: a.example:8080\r\n", "127.0.0.1:" },
	{ "for", "Host: x\r\nX-Forwarded-For: 9.9.9.9\r\n",
	    "X-Forwarded-For: 127.0.0.1\r\n", "9.9.9.9" },
	{ "proto", "Host: x\r\nX-Forwarded-Proto: https\r\n",
	    "X-Forwarded-Proto: http\r\n", "https" },
	{ "host", "Host: x\r\nX-Forwarded-Host: evil\r\n",
	    "X-Forwarded-Host: x\r\n", "evil" },
	{ "port of the host", "Host: x:81\r\nX-Forwarded-Port: 9\r\n",
	    "X-Forwarded-Port: 81\r\n", "Port: 9" },
	{ "port of the scheme", "Host: [::1]\r\n", "X-Forwarded-Port: 80\r\n",
	    "Port: 443" },
	{ "kin of these", "Host: x\r\nx-forwarded-prefix: /evil\r\n",
	    "X-Forwarded-For:", "evil" },
	{ "Forwarded", "Host: x\r\nForwarded: for=9.9.9.9\r\n",
	    "Forwarded: for=127.0.0.1;host=\"x\";proto=http\r\n", "9.9.9.9" },
	{ "request id", "Host: x\r\nX-Request-ID: mine\r\n",
	    "X-Request-ID: ", "mine" },
	{ "Via is added", "Host: x\r\nVia: 1.0 a\r\nVia: 1.1 b\r\n",
	    "Via: 1.0 a, 1.1 b, 1.1 segue\r\n", "Via: 1.0 a\r\n" },
	{ "trace context", "Host: x\r\ntraceparent: 00-ab-cd-01\r\n",
	    "traceparent: 00-ab-cd-01\r\n", "Connection" },
	{ "named by Connection",
	    "Host: x\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nX-End: 2\r\n",
	    "X-End: 2\r\n", "X-Hop" },
	{ "not by Connection",
	    "Host: x\r\nConnection: Cookie, X-Forwarded-For\r\nCookie: a=b\r\n",
	    "Cookie: a=b\r\n", "Connection" },
	{ "hop by hop",
	    "Host: x\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: k"
	    "\r\nProxy-Authorization: Basic eA==\r\n",
	    "Via: 1.1 segue", "eA==" },
	{ "hop by hop, the rest",
	    "Host: x\r\nKeep-Alive: 5\r\nTE: trailers\r\n", "Host: x\r\n",
	    "trailers" },
};

Test(forward, requests_of_strangers)
{
	try_rows(strangers, sizeof(strangers) / sizeof(strangers[0]));
}

static const struct row friends[] = {
	{ "for is appended to",
	    "Host: x\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8"
	    "\r\n",
	    "X-Forwarded-For: 9.9.9.9, 8.8.8.8, 127.0.0.1\r\n",
	    "For: 9.9.9.9\r\n" },
	{ "proto stands", "Host: x\r\nX-Forwarded-Proto: https\r\n",
	    "X-Forwarded-Proto: https\r\n", "Proto: http\r\n" },
	{ "port follows it", "Host: x\r\nX-Forwarded-Proto: https\r\n",
	    "X-Forwarded-Port: 443\r\n", "Port: 80" },
	{ "host stands", "Host: x\r\nX-Forwarded-Host: site\r\n",
	    "X-Forwarded-Host: site\r\n", "Host: x\r\nX-Forwarded-Host: x" },
	{ "kin stand", "Host: x\r\nX-Forwarded-Prefix: /p\r\n",
	    "X-Forwarded-Prefix: /p\r\n", "none" },
	{ "Forwarded is appended to", "Host: x\r\nForwarded: for=9.9.9.9\r\n",
	    "Forwarded: for=9.9.9.9, for=127.0.0.1;host=\"x\";proto=http\r\n",
	    "Forwarded: for=9.9.9.9\r\n" },
	{ "request id stands", "Host: x\r\nX-Request-ID: mine\r\n",
	    "X-Request-ID: mine\r\n", "none" },
	{ "gaps are filled", "Host: x\r\n", "X-Forwarded-For: 127.0.0.1\r\n",
	    "https" },
};

Test(trusted, requests_of_friends)
{
	try_rows(friends, sizeof(friends) / sizeof(friends[0]));
}

Test(forward, targets_travel_as_they_are)
{
	static const char *const rows[] = { "/a//b/../c;p?x=%41&y", "/%2e%2E/",
		"/a%2fb", "/?" };
	char text[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n",
		    rows[i]);
		cr_expect(has(told(rows[i], "Host: x\r\n"), text));
	}
	cr_expect(has(told("http://site/p", "Host: x\r\n"),
	    "GET /p HTTP/1.1\r\nHost: site\r\n"));
}

Test(forward, request_ids_differ)
{
	const char *a = strstr(told("/", "Host: x\r\n"), "X-Request-ID: ");
	const char *b = strstr(told("/", "Host: x\r\n"), "X-Request-ID: ");

	cr_assert(a != NULL && b != NULL);
	cr_expect_eq(strcspn(a, "\r"), strlen("X-Request-ID: ") + 32);
	cr_expect_neq(memcmp(a, b, 46), 0);
}

static const struct row answers[] = {
	{ "a date is added", "", "Date: ", "Server" },
	{ "date and server stand",
	    "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: origin\r\n",
	    "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: origin\r\n",
	    "segue\r\n" },
	{ "hop by hop",
	    "Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nSet-Cookie: a=b"
	    "\r\n",
	    "Set-Cookie: a=b\r\n", "X-Hop" },
	{ "our cookie is ours to set",
	    "Set-Cookie: segue=evil; Path=/\r\nSet-Cookie:  segue = evil\r\n"
	    "Set-Cookie: segue2=a\r\n",
	    "Set-Cookie: segue2=a\r\n", "evil" },
	{ "no upgrade that nobody asked for",
	    "Connection: Upgrade\r\nUpgrade: h2c\r\n", "HTTP/1.1 200 OK\r\n",
	    "pgrade" },
};

Test(forward, answers)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		int c = client_ask(GET_A), u = origin_accept(A);
		const char *h;

		(void)get_head(u);
		put(u, "HTTP/1.1 200 OK\r\n");
		put(u, answers[i].fields);
		put(u, "Content-Length: 0\r\n\r\n");
		h = get_head(c);
		cr_expect(has(h, answers[i].has), "%s: %s", answers[i].why, h);
		cr_expect_not(has(h, answers[i].lacks), "%s: %s",
		    answers[i].why, h);
		put(u, "x");
		get_eof(u);
	}
}

/* RFC 9110 7.6.2 */
static const struct {
	const char *why, *head, *told, *answered;
} hops[] = {
	{ "one less", "OPTIONS / HTTP/1.1\r\nMax-Forwards: 3\r\n",
	    "Max-Forwards: 2\r\n", NULL },
	{ "the last one", "TRACE / HTTP/1.1\r\nmax-forwards: 1\r\n",
	    "Max-Forwards: 0\r\n", NULL },
	{ "none left", "OPTIONS / HTTP/1.1\r\nMax-Forwards: 0\r\n", NULL,
	    "HTTP/1.1 501 " },
	{ "no number", "OPTIONS / HTTP/1.1\r\nMax-Forwards: x\r\n",
	    "Max-Forwards: x\r\n", NULL },
	{ "not for GET", "GET / HTTP/1.1\r\nMax-Forwards: 0\r\n",
	    "Max-Forwards: 0\r\n", NULL },
};

Test(forward, max_forwards)
{
	for (size_t i = 0; i < ARRAY_LEN(hops); i++) {
		char text[256];
		int c, u;

		(void)snprintf(text, sizeof(text), "%sHost: x\r\n\r\n",
		    hops[i].head);
		c = client_ask(text);
		if (hops[i].told != NULL) {
			u = origin_accept(A);
			cr_expect(has(get_head(u), hops[i].told), "%s",
			    hops[i].why);
			put(u, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
		}
		cr_expect(has(get_head(c),
		              hops[i].answered == NULL ? "HTTP/1.1 204 "
		                                       : hops[i].answered),
		    "%s", hops[i].why);
	}
}
