/* Reloads: what is told of each, and to whom. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "house.h"

static struct house h;
static struct client c;

#define RELOAD_TEST(name) HOUSE_TEST(reload, name, "")

static const struct {
	const char *why;
	struct admin_reload_result result;
	int status;
	const char *body, *audit;
} rows[] = {
	{ "taken over", { E_OK, "a: 1 -> 2\nb: 3 -> 4", "c: 5 -> 6", "w" }, 200,
	    "{\"result\":\"done\",\"generation\":1,"
	    "\"changed\":[\"a: 1 -> 2\",\"b: 3 -> 4\"],"
	    "\"restart\":[\"c: 5 -> 6\"],\"warnings\":[\"w\"]}\n",
	    "result=done why=\"a: 1 -> 2;b: 3 -> 4\"" },
	{ "nothing to do", { E_OK, "", "", "" }, 200,
	    "{\"result\":\"done\",\"generation\":1,\"changed\":[],"
	    "\"restart\":[],\"warnings\":[]}\n",
	    "result=done why=\"\"" },
	{ "a bad file", { E_SYNTAX, "", "", "f:1:2: \"x\": no\nf:3:4: z" }, 422,
	    "{\"error\":\"config\",\"message\":\"nothing was changed\","
	    "\"problems\":[\"f:1:2: \\\"x\\\": no\",\"f:3:4: z\"]}\n",
	    "result=config why=\"f:1:2: 'x': no;f:3:4: z\"" },
	{ "a file that is not there", { E_NOENT, "", "", "f: no" }, 422,
	    "{\"error\":\"config\",\"message\":\"nothing was changed\","
	    "\"problems\":[\"f: no\"]}\n",
	    "result=config" },
	{ "one is under way", { E_AGAIN, "", "", "" }, 503,
	    "{\"error\":\"busy\","
	    "\"message\":\"a reload is under way already\"}\n",
	    "result=busy" },
	{ "no memory", { E_NOMEM, "", "", "" }, 500,
	    "{\"error\":\"no_memory\",\"message\":\"out of memory\"}\n",
	    "result=no_memory" },
};

RELOAD_TEST(results)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		h.reload = rows[i].result;
		cr_expect_eq(client_post(&c, &h, "/v1/reload", ""),
		    rows[i].status, "%s: %s", rows[i].why, c.text);
		cr_expect_str_eq(client_body(&c), rows[i].body, "%s: %s",
		    rows[i].why, c.text);
		cr_expect(house_logged(&h, rows[i].audit), "%s", rows[i].why);
		cr_expect_eq(h.reloads, i + 1);
	}
}

static bool
is_asked(struct house *house, void *arg)
{
	(void)arg;
	return house->reloads == 1;
}

static void
say_done(struct house *house, void *arg)
{
	(void)arg;
	house->reload_done(&house->reload, house->reload_arg);
}

static void
ask_for_it(void)
{
	h.reload = rows[0].result;
	h.hold_reload = true;
	client_open(&c, &h, false);
	client_ask(&c, "POST", "/v1/reload", "", "");
	house_until(&h, is_asked, NULL);
}

RELOAD_TEST(done_later)
{
	ask_for_it();
	cr_expect_eq(c.len, 0);
	house_do(&h, say_done, NULL);
	client_reads_all(&c);
	client_close(&c);
	cr_expect_eq(client_status(&c), 200);
	cr_expect_str_eq(client_body(&c), rows[0].body);
}

/* The audit line does not depend on who is still there to hear it. */
RELOAD_TEST(done_when_nobody_waits)
{
	ask_for_it();
	cr_assert_eq(shutdown(c.fd, SHUT_WR), 0);
	client_reads_all(&c);
	client_close(&c);
	house_do(&h, say_done, NULL);
	cr_expect(house_logged(&h, rows[0].audit));
	cr_expect_eq(client_get(&c, &h, "/v1/version"), 200);
}

/* The house is torn down first: see house_close(). */
RELOAD_TEST(never_done)
{
	ask_for_it();
}
