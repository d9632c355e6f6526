/* Profiles and rules for fields, through a whole proxy. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"

TestSuite(edit, .fini = rig_down, .timeout = 30);

#define TRUSTED "    trusted_proxies: [ 127.0.0.0/8, 10.0.0.0/8 ]"

static void
up(const char *headers, bool trusted)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), "    headers:\n%s", headers);
	rig_up(&(struct rig_lines){ .service = text,
	    .listener = trusted ? TRUSTED : NULL });
}

/* What the instance is told when a client sends these fields. */
static const char *
told(const char *fields)
{
	char text[4096];
	int c, u;
	const char *h;

	(void)snprintf(text, sizeof(text),
	    "GET /a HTTP/1.1\r\nHost: site:8080\r\n%s\r\n", fields);
	c = client_ask(text);
	u = origin_accept(A);
	h = get_head(u);
	put(u, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
	(void)get_head(c);
	return h;
}

/* What the client is told when the instance answers with these fields. */
static const char *
answered(const char *status, const char *fields)
{
	int c = client_ask("GET /a HTTP/1.1\r\nHost: site\r\n\r\n");
	int u = origin_accept(A);
	char text[2048];

	(void)get_head(u);
	(void)snprintf(text, sizeof(text),
	    "HTTP/1.1 %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n",
	    status, fields);
	put(u, text);
	return get_head(c);
}

static void
expect(const char *h, const char *has_not, const char *const *wanted)
{
	for (; *wanted != NULL; wanted++)
		cr_expect(has(h, *wanted), "no %s in %s", *wanted, h);
	if (has_not != NULL)
		cr_expect_not(has(h, has_not), "%s in %s", has_not, h);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* ---- profiles and styles ---- */

Test(edit, identity_from_strangers)
{
	rig_up(&(struct rig_lines){ .service = "    headers: identity" });
	expect(told("traceparent: evil\r\nB3: evil\r\nX_Forwarded_For: evil\r\n"
	            "X-Original-URL: evil\r\nClient-Cert: :evil:\r\nX-A: b\r\n"
	            "X-Forwarded-Prefix: /evil\r\nForwarded: for=evil\r\n"),
	    "evil",
	    WORDS("X-A: b\r\n", "X-Forwarded-For: 127.0.0.1\r\n",
	        "X-Forwarded-Proto: http\r\n",
	        "X-Forwarded-Host: site:8080\r\n", "X-Forwarded-Port: 8080\r\n",
	        "Forwarded: for=127.0.0.1;"));
}

Test(edit, identity_from_friends)
{
	up("      profile: identity", true);
	expect(told("traceparent: t\r\nX-Forwarded-For: 9.9.9.9\r\n"
	            "X_Forwarded_For: evil\r\nClient-Cert: :AA==:\r\n"),
	    "evil",
	    WORDS("traceparent: t\r\n", "Client-Cert: :AA==:\r\n",
	        "X-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n"));
}

Test(edit, only_x)
{
	up("      forwarded: x\n      prefix: /auth", false);
	expect(told("X-Forwarded-Prefix: /evil\r\nForwarded: for=evil\r\n"),
	    "orwarded: for=",
	    WORDS("X-Forwarded-For: 127.0.0.1\r\n",
	        "X-Forwarded-Prefix: /auth\r\n"));
}

Test(edit, only_rfc7239)
{
	up("      forwarded: rfc7239", true);
	expect(told("X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n"
	            "X-Forwarded-Host: a.org\r\nX-Forwarded-Prefix: /p\r\n"),
	    "X-Forwarded",
	    WORDS("Forwarded: for=9.9.9.9;host=\"a.org\";proto=https, "
	          "for=127.0.0.1;host=\"site:8080\";proto=http\r\n"));
}

Test(edit, nothing_is_told)
{
	up("      forwarded: none", true);
	expect(told("X-Forwarded-For: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\n"
	            "X-Forwarded-Host: 9.9.9.9\r\n"),
	    "orwarded", WORDS("Host: site:8080\r\n", "X-Request-ID: "));
}

Test(edit, prefix_of_a_friend)
{
	up("      prefix: /auth", true);
	expect(told("X-Forwarded-Prefix: /theirs\r\n"), "/auth",
	    WORDS("X-Forwarded-Prefix: /theirs\r\n"));
}

Test(edit, prefix_where_a_friend_has_none)
{
	up("      prefix: /auth", true);
	expect(told(""), NULL, WORDS("X-Forwarded-Prefix: /auth\r\n"));
}

/* ---- rules for requests ---- */

#define RULES                                                                  \
	"      request:\n"                                                     \
	"        - { set: X-Site, value: \"{host}|{scheme}|{service}\" }\n"    \
	"        - { add: X-More, value: \"c={client} p={peer} {} {\" }\n"     \
	"        - { add: X-More, value: \"\" }\n"                             \
	"        - { set: X-Id, value: \"{request_id}\" }\n"                   \
	"        - { remove: X-Debug-* }\n"                                    \
	"        - { remove: user-agent }\n"                                   \
	"        - { set: X-Forwarded-Proto, value: https }"

Test(edit, requests)
{
	const char *h, *id;

	up(RULES, false);
	h = told("x_site: evil\r\nX-SITE: evil\r\nX-More: a\r\n"
	         "X_Debug_A: evil\r\nx-debug-: evil\r\nUser_Agent: evil\r\n"
	         "User-Agent: evil\r\n");
	expect(h, "evil",
	    WORDS("X-Site: site:8080|http|web\r\n", "X-More: a\r\n",
	        "X-More: c=127.0.0.1 p=127.0.0.1 {} {\r\n", "X-More: \r\n",
	        "X-Forwarded-Proto: https\r\n"));
	cr_expect_not(has(h, "Proto: http\r\n"), "%s", h);
	id = strstr(h, "X-Request-ID: ");
	cr_assert_not_null(id);
	cr_expect_eq(strcspn(strstr(h, "X-Id: "), "\r"), 6 + 32);
	cr_expect_eq(memcmp(strstr(h, "X-Id: ") + 6, id + 14, 32), 0);
}

Test(edit, the_client_a_friend_speaks_for)
{
	up(RULES, true);
	expect(told("X-Forwarded-For: 1.1.1.1, 9.9.9.9, 10.0.0.1\r\n"
	            "X-Forwarded-Proto: https\r\n"),
	    NULL,
	    WORDS("X-More: c=9.9.9.9 p=127.0.0.1 {} {\r\n",
	        "X-Site: site:8080|https|web\r\n"));
	expect(told("X-Forwarded-For: me\r\n"), NULL,
	    WORDS("X-More: c=unknown p=127.0.0.1 {} {\r\n"));
}

/* "*" takes nothing that a rule may not name. */
Test(edit, a_star_leaves_what_is_ours)
{
	int c, u;
	const char *h;

	up("      request: [ { remove: X-* }, { remove: Content-* },"
	   " { remove: V* }, { remove: H* } ]",
	    false);
	c = client_ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
	               "Content-Type: a/b\r\nX-A: b\r\n\r\nab");
	u = origin_accept(A);
	h = get_head(u);
	expect(h, "X-Forwarded",
	    WORDS("Host: x\r\n", "Content-Length: 2\r\n",
	        "X-Request-ID: ", "Via: 1.1 segue\r\n"));
	cr_expect_not(has(h, "Content-Type"), "%s", h);
	cr_expect_not(has(h, "X-A"), "%s", h);
	get(u, "ab");
	put(u, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
	(void)get_head(c);
}

/* As many fields as may come, and as many rules as there may be. */
Test(edit, there_is_room_for_all)
{
	char rules[2048] = "      request:\n", fields[4096] = "";
	size_t n = 0;

	for (int i = 0; i < CFG_EDITS_MAX; i++)
		(void)strcat(rules, "        - { add: X-R, value: a }\n");
	for (int i = 0; i < 127; i++)
		(void)strcat(fields, "X-F: a\r\n");
	(void)snprintf(rules + strlen(rules), sizeof(rules) - strlen(rules),
	    "      prefix: /p\n");
	(void)strcat(rules, "    limits: { body: 0 }\n");
	{
		char text[4096];

		(void)snprintf(text, sizeof(text), "    headers:\n%s", rules);
		rig_up(&(struct rig_lines){ .service = text,
		    .listener = "    limits: { fields: 128 }" });
	}
	for (const char *h = told(fields); (h = strstr(h, "X-R: a\r\n")); h++)
		n++;
	cr_expect_eq(n, CFG_EDITS_MAX);
}

Test(edit, trailers)
{
	int c, u;

	up("      request: [ { remove: X-Secret } ]\n"
	   "      response: [ { remove: X-Secret } ]",
	    false);
	c = client_ask("POST / HTTP/1.1\r\nHost: x\r\n"
	               "Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n"
	               "X_Secret: evil\r\nX_Forwarded_For: evil\r\n\r\n");
	u = origin_accept(A);
	(void)get_head(u);
	get(u, "0\r\nX-A: b\r\n\r\n");
	put(u,
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "0\r\nX-Secret: s\r\nX-B: c\r\n\r\n");
	(void)get_head(c);
	get(c, "0\r\nX-B: c\r\n\r\n");
}

/* ---- rules for answers ---- */

#define ANSWERS                                                                \
	"      response:\n"                                                    \
	"        - { set: Strict-Transport-Security, value: max-age=1 }\n"     \
	"        - { add: Link, value: \"<{scheme}://{host}/>\" }\n"           \
	"        - { set: X-From, value: \"{service}/{pool}\" }\n"             \
	"        - { remove: Server }\n"                                       \
	"        - { remove: Set-Cookie }\n"                                   \
	"        - { set: X-Client, value: \"{client}\" }\n"                   \
	"        - { set: Cache-Control, value: public }\n"                    \
	"        - { set: X-Request-ID, value: \"{request_id}\" }"

Test(edit, answers)
{
	const char *h;

	up(ANSWERS, false);
	h = answered("404 Not Found",
	    "Server: evil\r\nSet-Cookie: a=evil\r\nLink: <a>\r\n"
	    "strict-transport-security: evil\r\nCache-Control: evil\r\n");
	/* The pin comes after all rules. */
	expect(h, "evil",
	    WORDS("Strict-Transport-Security: max-age=1\r\n", "Link: <a>\r\n",
	        "Link: <http://site/>\r\n", "X-From: web/v1\r\n",
	        "X-Client: 127.0.0.1\r\n",
	        "Set-Cookie: segue=", "Date: ", "Cache-Control: public\r\n",
	        "Content-Length: 0\r\n", "X-Request-ID: "));
}

/* Ours carry them too, but what they say themselves stands. */
Test(edit, answers_of_our_own)
{
	const char *h;

	up(ANSWERS "\n"
	           "        - { set: Content-Type, value: evil }\n"
	           "        - { set: Retry-After, value: evil }\n"
	           "        - { add: Date, value: evil }\n"
	           "        - { set: Allow, value: evil }",
	    true);
	rig_health(A, false);
	rig_publish();
	h = get_head(client_ask("GET / HTTP/1.1\r\nHost: site\r\n"
	                        "X-Forwarded-For: 9.9.9.9\r\n"
	                        "X-Request-ID: mine\r\n\r\n"));
	expect(h, "evil",
	    WORDS("HTTP/1.1 503 ", "Strict-Transport-Security: max-age=1\r\n",
	        "X-From: web/\r\n", "Cache-Control: no-store\r\n",
	        "Retry-After: 1\r\n", "X-Client: 9.9.9.9\r\n",
	        "X-Request-ID: mine\r\n", "Link: <http://site/>\r\n"));
	cr_expect_not(has(h, "public"), "%s", h);
}

/* Where no service is known there are no rules. */
Test(edit, answers_of_no_service)
{
	up(ANSWERS, false);
	expect(get_head(client_ask("nonsense\r\n\r\n")),
	    "Strict-Transport-Security", WORDS("HTTP/1.1 400 "));
}

/* An answer that began under other rules ends under those of its turn. */
Test(edit, rules_follow_the_view)
{
	int c, u;

	up(ANSWERS, false);
	c = client_ask("GET /a HTTP/1.1\r\nHost: site\r\n\r\n");
	u = origin_accept(A);
	(void)get_head(u);
	rig_publish();
	put(u, OK_ANSWER);
	expect(get_head(c), NULL,
	    WORDS("Strict-Transport-Security: max-age=1\r\n"));
	get(c, "ok");
	done(u);
}

Test(edit, switching_protocols)
{
	int c, u;

	up(ANSWERS, false);
	c = client_ask(
	    "GET /ws HTTP/1.1\r\nHost: site\r\nUpgrade: websocket\r\n"
	    "Connection: upgrade\r\n\r\n");
	u = origin_accept(A);
	(void)get_head(u);
	put(u,
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: upgrade\r\nServer: evil\r\n\r\n");
	expect(get_head(c), "evil",
	    WORDS("HTTP/1.1 101 ", "X-From: web/v1\r\n",
	        "Upgrade: websocket\r\n", "Connection: upgrade\r\n"));
	done(u);
}
