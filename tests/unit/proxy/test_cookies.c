/* Cookies of pools with a namespace, on the wire and through a retry. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"

static void
up(void)
{
	rig_up(&(struct rig_lines){ .service = "    cookies_shared: [ theme ]",
	    .pool = "        cookie_namespace: x" });
}

TestSuite(cookies, .init = up, .fini = rig_down, .timeout = 30);

#define COOKIES                                                                \
	"GET /a HTTP/1.1\r\nHost: x\r\nCookie: S=1\r\n"                        \
	"Cookie: x~S=2; theme=t\r\nCookie: y=3\r\nCookie: x~b=4\r\n\r\n"

Test(cookies, one_field_for_all)
{
	int c = client_ask(COOKIES), u = origin_accept(A);
	const char *h = get_head(u);

	cr_expect(has(h, "\r\nCookie: S=2; theme=t; b=4\r\n"), "%s", h);
	cr_expect_not(has(h, "S=1"), "%s", h);
	cr_expect_not(has(h, "y=3"), "%s", h);
	put(u,
	    "HTTP/1.1 204 No\r\nSet-Cookie: S=5; Path=/\r\n"
	    "Set-Cookie: theme=u\r\nSet-Cookie: bare\r\n"
	    "Connection: close\r\n\r\n");
	h = get_head(c);
	cr_expect(has(h, "\r\nSet-Cookie: x~S=5; Path=/\r\n"), "%s", h);
	cr_expect(has(h, "\r\nSet-Cookie: theme=u\r\n"), "%s", h);
	cr_expect_not(has(h, "bare"), "%s", h);
}

Test(cookies, no_field_where_none_is_left)
{
	int c = client_ask(
	    "GET /a HTTP/1.1\r\nHost: x\r\nCookie: S=1; y=2\r\n\r\n");
	int u = origin_accept(A);
	const char *h = get_head(u);

	cr_expect_not(has(h, "Cookie"), "%s", h);
	put(u, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
	(void)get_head(c);
}

/* The second try says what the first one did. */
Test(cookies, another_try)
{
	int c, u;
	const char *h;

	rig_health(B, true);
	rig_publish();
	c = client_ask(COOKIES);
	rig_turns(20);
	u = origin_is_quiet(A) ? origin_accept(B) : origin_accept(A);
	h = get_head(u);
	cr_expect(has(h, "\r\nCookie: S=2; theme=t; b=4\r\n"), "%s", h);
	reset(u);
	rig_turns(20);
	u = origin_is_quiet(A) ? origin_accept(B) : origin_accept(A);
	h = get_head(u);
	cr_expect(has(h, "\r\nCookie: S=2; theme=t; b=4\r\n"), "%s", h);
	put(u, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
	(void)get_head(c);
}
