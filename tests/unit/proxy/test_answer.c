/* Our own answers: what is refused, how, and in which form. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
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
	{ "Accept: text/html;q=0.5, Application/JSON\r\n", "application/json",
	    "{\"status\":503," },
	{ "Accept: application/json;q=0.899;x=y, text/html ; Q=0.9\r\n",
	    "text/html; charset=utf-8", "<!doctype html>" },
	{ "Accept: text/html;q=0, */*\r\n", "text/plain; charset=utf-8",
	    "503 " },
	{ "Accept: application/json, text/html\r\n", "application/json",
	    "{\"status\":503," },
	{ "Accept: image/png\r\n", "text/plain; charset=utf-8", "503 " },
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
	cr_expect_eq(rig_outcome(OUT_NO_INSTANCE), 12);
}

/* Whose page it is: the service's before the daemon's, its own before that of
 * its class, ours where there is none in the form asked for. */
static const struct {
	const char *request, *status, *type, *body;
} pages[] = {
	{ GET_A, "503", "text/plain; charset=utf-8", "S 503" },
	{ "GET / HTTP/1.1\r\nHost: x\r\nX-Request-ID: <i>\r\n"
	  "Accept: text/html\r\n\r\n",
	    "503", "text/html; charset=utf-8",
	    "<p>503 Service Unavailable &#60;i&#62;" }, /* a trusted proxy's */
	{ "GET /x HTTP/1.1\r\nHost: x\r\nX-Request-ID: 7\r\n\r\n", "403",
	    "text/html; charset=utf-8", "<p>403 Forbidden 7" },
	{ "GET /x HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n",
	    "403", "application/json",
	    "{\"status\":403,\"error\":\"Forbidden\","
	    "\"message\":\"This is not allowed here.\"}\n" },
	{ "nonsense\r\n\r\n", "400", "text/html; charset=utf-8",
	    "<p>400 Bad Request " },
};

static void
write_page(char *name, const char *text)
{
	int fd = mkstemp(name);

	cr_assert_neq(fd, -1);
	cr_assert_eq(file_write_all(fd, str_of(text)), E_OK);
	close(fd);
}

Test(answer, shows_the_operators_pages)
{
	char html[] = "/tmp/segue-page-XXXXXX",
	     text[] = "/tmp/segue-page-XXXXXX";
	char top[256], service[256];

	rig_down();
	write_page(html, "<p>{status} {reason} {request_id}");
	write_page(text, "S {status}");
	(void)snprintf(top, sizeof(top),
	    "pages: [ { status: 4xx, html: %s }, { status: 503, html: %s }, "
	    "{ status: 5xx, text: %s } ]",
	    html, html, html);
	(void)snprintf(service, sizeof(service),
	    "    rules: [ { deny: /x } ]\n"
	    "    pages: [ { status: 503, text: %s } ]",
	    text);
	rig_up(&(struct rig_lines){ .top = top,
	    .listener = "    trusted_proxies: [ 127.0.0.1 ]",
	    .service = service });
	unlink(html);
	unlink(text); /* what is read is read */
	rig_health(A, false);
	rig_publish();
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		int c = client_ask(pages[i].request);
		const char *h = get_head(c);
		char want[256];

		(void)snprintf(want, sizeof(want), "HTTP/1.1 %s ",
		    pages[i].status);
		cr_expect(has(h, want), "%zu: %s", i, h);
		(void)snprintf(want, sizeof(want),
		    "Content-Type: %s\r\nContent-Length: %zu\r\n",
		    pages[i].type, strlen(pages[i].body));
		cr_expect(has(h, want), "%zu: %s", i, h);
		get(c, pages[i].body);
	}
}

/* What a stranger calls itself is in no page and no log. */
Test(answer, names_what_it_refuses)
{
	char json[] = "/tmp/segue-page-XXXXXX", top[128], want[128];
	char id[33];
	int c;

	rig_down();
	write_page(json, "{request_id}");
	(void)snprintf(top, sizeof(top), "pages: [ { status: 403, json: %s } ]",
	    json);
	rig_up(&(struct rig_lines){ .top = top,
	    .service = "    rules: [ { deny: / } ]" });
	unlink(json);
	c = client_ask("GET / HTTP/1.1\r\nHost: x\r\nX-Request-ID: me\r\n\r\n");
	cr_expect(has(get_head(c), "Content-Length: 32\r\n"));
	cr_assert_eq(read(c, id, 32), 32);
	id[32] = '\0';
	(void)snprintf(want, sizeof(want), "\"request_id\":\"%s\"", id);
	cr_expect(has(rig_log(), want), "%s", want);
}

/* The largest page there can be, to a client that reads late. */
Test(answer, shows_large_pages)
{
	static char page[65536 + 1];
	char name[] = "/tmp/segue-page-XXXXXX", top[128];
	int c;

	rig_down();
	memset(page, 'p', sizeof(page) - 1);
	write_page(name, page);
	(void)snprintf(top, sizeof(top), "pages: [ { status: 5xx, text: %s } ]",
	    name);
	rig_up(&(struct rig_lines){ .top = top });
	unlink(name);
	rig_health(A, false);
	rig_publish();
	c = client_ask(GET_A GET_B);
	for (int i = 0; i < 2; i++) {
		cr_expect(has(get_head(c), "Content-Length: 65536\r\n"));
		get_n(c, 65536);
	}
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
