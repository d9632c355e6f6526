/* Our own answers: what is refused, how, and in which form. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

static void
up(void)
{
	rig_up(NULL);
}

TestSuite(answer, .init = up, .fini = rig_down, .timeout = 30);

#define H "Host: x\r\n"

static const struct {
	const char *why, *request, *status;
	enum outcome outcome;
	bool kept; /* the connection may go on */
} refused[] = {
	{ "nonsense", "nonsense\r\n\r\n", "400", OUT_BAD_REQUEST, false },
	{ "no host", "GET / HTTP/1.1\r\n\r\n", "400", OUT_BAD_REQUEST, false },
	{ "two lengths",
	    "POST / HTTP/1.1\r\n" H
	    "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
	    "400", OUT_BAD_REQUEST, false },
	{ "length with chunks",
	    "POST / HTTP/1.1\r\n" H
	    "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    "400", OUT_BAD_REQUEST, false },
	{ "a coding we do not know",
	    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n",
	    "501", OUT_NOT_SUPPORTED, false },
	{ "another version", "GET / HTTP/2.0\r\n" H "\r\n", "505",
	    OUT_NOT_SUPPORTED, false },
	{ "an unknown expectation",
	    "GET / HTTP/1.1\r\n" H "Expect: magic\r\n\r\n", "417",
	    OUT_BAD_REQUEST, false },
	{ "no other server's gate",
	    "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", "405",
	    OUT_NOT_SUPPORTED, false },
	{ "a broken escape", "GET /%zz HTTP/1.1\r\n" H "\r\n", "400",
	    OUT_BAD_REQUEST, true },
};

Test(answer, to_what_we_refuse)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		uint64_t before = rig_unrouted(refused[i].outcome);
		int c = client_ask(refused[i].request);
		char status[16];
		const char *h = get_head(c);

		(void)snprintf(status, sizeof(status), "HTTP/1.1 %s ",
		    refused[i].status);
		cr_expect(has(h, status), "%s: %s", refused[i].why, h);
		cr_expect_eq(has(h, "Connection: close\r\n"), !refused[i].kept,
		    "%s: %s", refused[i].why, h);
		cr_expect_eq(rig_unrouted(refused[i].outcome), before + 1, "%s",
		    refused[i].why);
		cr_expect(origin_is_quiet(A), "%s: it went on", refused[i].why);
	}
}

/* The answer arrives though the client still sends: no reset overtakes it. */
Test(answer, is_not_destroyed_by_what_still_comes)
{
	static char junk[200000];
	int c = client_ask("nonsense\r\n\r\n");

	memset(junk, 'x', sizeof(junk));
	put_n(c, junk, sizeof(junk));
	rig_turns(20);
	put_n(c, junk, sizeof(junk));
	cr_expect(has(get_head(c), " 400 "));
	get(c, "400 Bad Request\nThe request is malformed.\n");
	get_eof(c);
}

Test(answer, body_limits)
{
	static char body[3000];
	int c, u;

	rig_down();
	rig_up(&(struct rig_lines){ .service = "    limits: { body: 2000 }" });
	memset(body, 'b', sizeof(body));
	c = client_ask("POST / HTTP/1.1\r\nHost: x\r\n"
	               "Content-Length: 2001\r\n\r\n");
	cr_expect(has(get_head(c), " 413 "), "a length is refused at once");
	cr_expect(origin_is_quiet(A));
	c = client_ask("POST / HTTP/1.1\r\nHost: x\r\n"
	               "Transfer-Encoding: chunked\r\n\r\n5dc\r\n"); /* 1500 */
	put_n(c, body, 1500);
	u = origin_accept(A);
	(void)get_head(u);
	get_n(u, 1500 + 5);
	put(c, "\r\n5dc\r\n");
	put_n(c, body, 1500);
	cr_expect(has(get_head(c), " 413 "), "chunks when it is too much");
	cr_expect_eq(rig_outcome(OUT_TOO_LARGE), 2);
	c = client_ask("POST / HTTP/1.1\r\nHost: x\r\n"
	               "Content-Length: 2000\r\n\r\n");
	put_n(c, body, 2000);
	u = origin_accept(A);
	(void)get_head(u);
	get_n(u, 2000);
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "), "all that is allowed");
}

Test(answer, bad_chunks_end_what_has_begun)
{
	int c = client_ask("POST / HTTP/1.1\r\nHost: x\r\n"
	                   "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
	int u = origin_accept(A);

	(void)get_head(u);
	get(u, "1\r\na");
	put(c, "xyz\r\n");
	cr_expect(has(get_head(c), " 400 "));
	get_eof(u);
	cr_expect_eq(rig_outcome(OUT_BAD_REQUEST), 1);
}

static const struct {
	const char *accept, *type, *begins;
} forms[] = {
	{ "", "text/plain; charset=utf-8", "503 Service Unavailable\n" },
	{ "Accept: */*\r\n", "text/plain; charset=utf-8", "503 " },
	{ "Accept: text/html,application/xml;q=0.9,*/*;q=0.8\r\n",
	    "text/html; charset=utf-8", "<!doctype html>" },
	{ "Accept: application/json\r\n", "application/json",
	    "{\"status\":503," },
	{ "Accept: application/problem+json\r\n", "application/json",
	    "{\"status\":503," },
};

Test(answer, comes_in_the_form_asked_for)
{
	int c;

	rig_health(A, false);
	rig_publish();
	c = client_open();
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char text[256];
		const char *h;
		unsigned long len;

		(void)snprintf(text, sizeof(text),
		    "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", forms[i].accept);
		put(c, text);
		h = get_head(c);
		(void)snprintf(text, sizeof(text), "Content-Type: %s\r\n",
		    forms[i].type);
		cr_expect(has(h, text), "%s", h);
		cr_expect(has(h, "Retry-After: 1\r\n"), "%s", h);
		cr_expect(has(h, "Cache-Control: no-store\r\n"), "%s", h);
		cr_expect(has(h, "Date: "), "%s", h);
		len = strtoul(strstr(h, "Content-Length: ") + 16, NULL, 10);
		get(c, forms[i].begins);
		get_n(c, len - strlen(forms[i].begins));
	}
	put(c, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" GET_A);
	cr_expect(has(get_head(c), " 503 "));
	cr_expect(has(get_head(c), " 503 "), "a body for HEAD");
	cr_expect_eq(rig_outcome(OUT_NO_INSTANCE), 7);
}

/* A body that is not read can hide no request. */
Test(answer, closes_when_a_body_is_unread)
{
	int c;

	rig_health(A, false);
	rig_publish();
	c = client_ask(POST_5);
	cr_expect(has(get_head(c), "Connection: close\r\n"));
	put(c, GET_A);
	get_n(c,
	    strlen("503 Service Unavailable\nThe service is not available "
	           "right now. Please try again in a moment.\n"));
	get_eof(c);
	cr_expect_eq(rig_outcome(OUT_NO_INSTANCE), 1);
}
