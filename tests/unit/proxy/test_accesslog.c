/* One line an exchange, and no secret in it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "rig.h"

TestSuite(accesslog, .fini = rig_down, .timeout = 30);

static void
combined(void)
{
	rig_up(&(struct rig_lines){
	    .top = "access_log: { format: combined }" });
}

static const struct json *
line(const char *text, struct json **tree)
{
	char why[128];

	*tree = json_read(str_from(text, strcspn(text, "\n")), why,
	    sizeof(why));
	cr_assert_not_null(*tree, "%s in %s", why, text);
	return *tree;
}

Test(accesslog, says_what_happened)
{
	struct json *tree;
	const struct json *j;
	int c;

	rig_up(NULL);
	c = client_open();
	(void)serve(c, -1, A,
	    "GET /a?x=1 HTTP/1.1\r\nHost: site\r\nUser-Agent: t\r\n\r\n");
	j = line(rig_log(), &tree);
	cr_expect_str_eq(json_get_text(j, "method", ""), "GET");
	cr_expect_str_eq(json_get_text(j, "host", ""), "site");
	cr_expect_str_eq(json_get_text(j, "target", ""), "/a?x=1");
	cr_expect_str_eq(json_get_text(j, "client", ""), "127.0.0.1");
	cr_expect_str_eq(json_get_text(j, "outcome", ""), "answered");
	cr_expect_str_eq(json_get_text(j, "service", ""), "web");
	cr_expect_str_eq(json_get_text(j, "pool", ""), "v1");
	cr_expect_str_eq(json_get_text(j, "instance", ""), "a");
	cr_expect_str_eq(json_get_text(j, "cause", ""), "share");
	cr_expect_str_eq(json_get_text(j, "user_agent", ""), "t");
	cr_expect_eq(json_get_int(j, "status", 0), 200);
	cr_expect_eq(json_get_int(j, "bytes_out", 0), 2);
	cr_expect_eq(json_get_int(j, "retries", -1), 0);
	json_free(&tree);
}

/* Each row is one exchange; its line names outcome and place. */
Test(accesslog, of_failures)
{
	struct json *tree;
	const struct json *j;
	const char *text;
	int c, u;

	rig_up(NULL);
	c = client_ask("GET /\r\n\r\n");
	(void)get_head(c);
	c = client_ask(POST_5 "hello");
	u = origin_accept(A);
	(void)get_head(u);
	half_close(u);
	(void)get_head(c);
	text = rig_log();
	j = line(text, &tree);
	cr_expect_str_eq(json_get_text(j, "outcome", ""), "bad_request");
	cr_expect_str_eq(json_get_text(j, "reason", ""), "start_line");
	cr_expect_null(json_get(j, "method"));
	cr_expect_null(json_get(j, "instance"));
	json_free(&tree);
	j = line(strchr(text, '\n') + 1, &tree);
	cr_expect_str_eq(json_get_text(j, "outcome", ""), "instance_reset");
	cr_expect_str_eq(json_get_text(j, "instance", ""), "a");
	cr_expect_eq(json_get_int(j, "status", 0), 502);
	json_free(&tree);
}

#define SECRETS                                                                \
	"GET /cb;jsessionid=s3cret?code=s3cret&state=s3cret&x=1 "              \
	"HTTP/1.1\r\nHost: x\r\nCookie: sid=s3cret\r\n"                        \
	"Authorization: Bearer s3cret\r\n"                                     \
	"Referer: https://x/p;jsessionid=s3cret?code=s3cret\r\n"               \
	"User-Agent: \"a\\b\"\r\n\r\n"

Test(accesslog, json_keeps_secrets)
{
	struct json *tree;

	rig_up(NULL);
	(void)serve(client_open(), -1, A, SECRETS);
	cr_expect_not(has(rig_log(), "s3cret"), "%s", rig_log());
	cr_expect(has(rig_log(), "code=~"), "%s", rig_log());
	cr_expect(has(rig_log(), "x=1"));
	cr_expect_str_eq(json_get_text(line(rig_log(), &tree), "user_agent",
	                     ""),
	    "\"a\\b\"");
	json_free(&tree);
}

Test(accesslog, combined_keeps_secrets)
{
	combined();
	(void)serve(client_open(), -1, A, SECRETS);
	cr_expect_not(has(rig_log(), "s3cret"), "%s", rig_log());
	cr_expect(has(rig_log(), "127.0.0.1 - - ["), "%s", rig_log());
	cr_expect(has(rig_log(),
	              " HTTP/1.1\" 200 2 \"https://x/p\" "
	              "\"\\x22a\\x5cb\\x22\"\n"),
	    "%s", rig_log());
}

/* obs-text is the worst that can stand in a field: the line stays one. */
Test(accesslog, bytes_beyond_ascii)
{
	const char *text;

	combined();
	(void)serve(client_open(), -1, A,
	    "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: a\tb\x80\xff\r\n\r\n");
	text = rig_log();
	cr_expect(has(text, "\"a\\x09b\\x80\\xff\"\n"), "%s", text);
	cr_expect_eq(strchr(text, '\n')[1], '\0');
}

Test(accesslog, can_be_off)
{
	rig_up(&(struct rig_lines){ .top = "access_log: off" });
	(void)serve(client_open(), -1, A, GET_A);
	cr_expect_str_eq(rig_log(), "");
}
