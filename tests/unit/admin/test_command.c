/* Commands: carried out, refused, waited for, left alone. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/json.h"
#include "house.h"

#define DRAIN_V1                                                               \
	"{\"verb\":\"drain\",\"pool\":\"v1\",\"mode\":\"evict\","              \
	"\"force\":true,\"wait\":true"
#define SSE "Accept: application/json;q=0.5, Text/Event-Stream;q=0.9\r\n"

static struct house h;
static struct client c, d;

#define COMMAND_TEST(name) HOUSE_TEST(command, name, "")

/* ---- at once ---- */

static const struct {
	const char *why, *body;
	int status;
	const char *error, *message;
} refused[] = {
	{ "no JSON", "x", 400, "bad_request", "body: this is no JSON" },
	{ "unknown key", "{\"verb\":\"drain\",\"pol\":\"v1\"}", 400,
	    "bad_request", "pol: there is no such key; did you mean pool?" },
	{ "bad value", "{\"verb\":\"share\",\"pool\":\"v1\",\"share\":\"x\"}",
	    400, "bad_value", "share: \\\"x\\\" is no share" },
	{ "no service",
	    "{\"verb\":\"drain\",\"service\":\"x\",\"pool\":\"v1\"}", 404,
	    "no_service", "there is no service x" },
	{ "no pool", "{\"verb\":\"drain\",\"pool\":\"v3\"}", 404, "no_pool",
	    "service sso has no pool v3" },
	{ "no instance",
	    "{\"verb\":\"instance\",\"pool\":\"v1\",\"instance\":\"x\","
	    "\"admin\":\"in\"}",
	    404, "no_instance", "pool v1 has no instance x" },
	{ "refused by the state",
	    "{\"verb\":\"share\",\"pool\":\"v2\",\"share\":\"10%\"}", 409,
	    "not_ready", "v2 is not ready: " },
	{ "refused without a row of its own",
	    "{\"verb\":\"undrain\",\"pool\":\"v1\"}", 409, "not_draining",
	    "not draining" },
	{ "the machine's own bad value",
	    "{\"verb\":\"add-instance\",\"pool\":\"v1\",\"instance\":\"c\","
	    "\"address\":\"nowhere\"}",
	    400, "bad_value", "nowhere is no address" },
};

COMMAND_TEST(refused)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		char error[64];

		cr_expect_eq(client_post(&c, &h, "/v1/command",
		                 refused[i].body),
		    refused[i].status, "%s: %s", refused[i].why, c.text);
		(void)snprintf(error, sizeof(error), "{\"error\":\"%s\",",
		    refused[i].error);
		cr_expect(str_starts(str_of(client_body(&c)), str_of(error)),
		    "%s: %s", refused[i].why, c.text);
		cr_expect_not_null(strstr(c.text, refused[i].message), "%s: %s",
		    refused[i].why, c.text);
		(void)snprintf(error, sizeof(error),
		    "result=%s why=", refused[i].error);
		cr_expect(house_logged(&h, error), "%s is not in the audit",
		    refused[i].why);
	}
}

COMMAND_TEST(several_faults_are_listed)
{
	cr_expect_eq(client_post(&c, &h, "/v1/command",
	                 "{\"verb\":\"share\",\"pool\":1,\"share\":2}"),
	    400);
	cr_expect_str_eq(client_body(&c),
	    "{\"error\":\"bad_request\","
	    "\"message\":\"pool: 1 is not a name in quotes\","
	    "\"problems\":[\"pool: 1 is not a name in quotes\","
	    "\"share: 2 is not a share in quotes, as \\\"10%\\\"\"]}\n");
}

COMMAND_TEST(done)
{
	struct json *j;
	char why[128];
	int64_t generation = 0;

	cr_expect_eq(client_post(&c, &h, "/v1/command",
	                 "{\"verb\":\"share\",\"pool\":\"v2\","
	                 "\"share\":\"10%\",\"force\":true}"),
	    200, "%s", c.text);
	j = json_read(str_of(client_body(&c)), why, sizeof(why));
	cr_assert_not_null(j);
	cr_expect_str_eq(json_get_text(j, "result", ""), "done");
	cr_expect_eq(json_get_text(j, "message", NULL)[0], '\0');
	cr_expect(json_int(json_get(j, "generation"), &generation));
	cr_expect_gt(generation, 1);
	cr_expect_gt(json_get_int(j, "took_us", 0), 0);
	json_free(&j);

	cr_expect_eq(client_get(&c, &h, "/v1/status"), 200);
	cr_expect_not_null(strstr(c.text, "\"share\":\"10%\""));
	cr_expect_not_null(strstr(c.text, "\"share\":\"90%\""));
}

static bool
is_down(struct house *house, void *arg)
{
	(void)arg;
	return house->a->health == HEALTH_DOWN;
}

/* The configuration's clocks, but for those that are given. */
COMMAND_TEST(clocks)
{
	house_until(&h, is_down, NULL);
	stat_add(&h.a->cells[0].inflight, 1);
	cr_expect_eq(client_post(&c, &h, "/v1/command",
	                 "{\"verb\":\"drain\",\"pool\":\"v1\","
	                 "\"mode\":\"evict\",\"streams\":\"7s\","
	                 "\"force\":true}"),
	    200, "%s", c.text);
	cr_expect_eq(client_get(&c, &h, "/v1/status"), 200);
	cr_expect_not_null(strstr(c.text, "\"state\":\"draining\""));
	cr_expect_not_null(strstr(c.text, "\"mode\":\"evict\""));
	cr_expect_not_null(strstr(c.text,
	    "\"requests_us\":60000000,\"flows_us\":1800000000,"
	    "\"streams_us\":7000000,"));
	cr_expect_not_null(strstr(c.text, "\"holds\":\"1 request in flight"),
	    "%s", c.text);
}

/* ---- waiting ---- */

static void
hold(void)
{
	stat_add(&h.a->cells[0].inflight, 1);
}

static void
poke(struct house *house, void *arg)
{
	(void)arg;
	drive_poke(house->drive);
}

static void
let_go(void)
{
	stat_sub(&h.a->cells[0].inflight, 1);
	house_do(&h, poke, NULL);
}

static bool
state_is(struct house *house, void *arg)
{
	return drive_state(house->drive)->services[0].pools[0].state ==
	    *(enum pool_state *)arg;
}

static void
wait_for_state(enum pool_state s)
{
	house_until(&h, state_is, &s);
}

COMMAND_TEST(waits_for_the_end)
{
	hold();
	client_open(&c, &h, false);
	client_ask(&c, "POST", "/v1/command", "", DRAIN_V1 "}");
	wait_for_state(POOL_DRAINING);
	cr_expect_eq(c.len, 0);
	let_go();
	client_reads_all(&c);
	client_close(&c);
	cr_expect_eq(client_status(&c), 200, "%s", c.text);
	cr_expect_not_null(strstr(c.text, "\"result\":\"done\""));
	wait_for_state(POOL_DRAINED);
}

COMMAND_TEST(waits_no_longer_than_asked)
{
	hold();
	cr_expect_eq(client_post(&c, &h, "/v1/command",
	                 DRAIN_V1 ",\"wait_us\":20000}"),
	    504, "%s", c.text);
	cr_expect_not_null(strstr(c.text,
	    "{\"error\":\"timed_out\","
	    "\"message\":\"not done in time"));
	let_go();
	wait_for_state(POOL_DRAINED);
}

COMMAND_TEST(superseded)
{
	hold();
	client_open(&c, &h, false);
	client_ask(&c, "POST", "/v1/command", "", DRAIN_V1 "}");
	wait_for_state(POOL_DRAINING);
	cr_expect_eq(client_post(&d, &h, "/v1/command",
	                 "{\"verb\":\"undrain\",\"pool\":\"v1\"}"),
	    200, "%s", d.text);
	client_reads_all(&c);
	client_close(&c);
	cr_expect_eq(client_status(&c), 409);
	cr_expect_not_null(strstr(c.text, "\"error\":\"superseded\""));
}

COMMAND_TEST(tells_progress)
{
	hold();
	client_open(&c, &h, false);
	client_ask(&c, "POST", "/v1/command", SSE, DRAIN_V1 "}");
	cr_assert(client_reads(&c, "event: progress\ndata: {\"lasts_us\":"));
	cr_assert(client_reads(&c,
	    ",\"in_flight\":1,\"streams\":0,"
	    "\"sessions\":0,\"holds\":\"1 request in "
	    "flight"));
	cr_expect_not_null(strstr(c.text,
	    "Content-Type: text/event-stream\r\n"));
	let_go();
	cr_assert(client_reads(&c,
	    "event: result\ndata: {\"status\":200,\"result\":\"done\","));
	client_reads_all(&c);
	client_close(&c);
	cr_expect_not_null(strstr(c.text, "}\n\n\r\n0\r\n\r\n"), "%s", c.text);
}

/* The stream begins before it is known how it ends. */
COMMAND_TEST(a_refusal_as_event)
{
	client_open(&c, &h, false);
	client_ask(&c, "POST", "/v1/command", SSE,
	    "{\"verb\":\"drain\",\"pool\":\"v3\"}");
	client_reads_all(&c);
	client_close(&c);
	cr_expect_eq(client_status(&c), 200);
	cr_expect_not_null(strstr(c.text,
	    "event: result\ndata: {\"status\":404,\"error\":\"no_pool\","));
	client_open(&c, &h, false);
	client_ask(&c, "POST", "/v1/command", SSE "Connection: close\r\n",
	    "{}");
	client_reads_all(&c);
	client_close(&c);
	cr_expect_eq(client_status(&c), 400, "not tried at all");
}

/* ---- leaving ---- */

/* Hangs up and waits until the other side has, too. */
static void
hang_up(struct client *who)
{
	cr_assert_eq(shutdown(who->fd, SHUT_WR), 0);
	client_reads_all(who);
	client_close(who);
}

static void
leave_while_it_waits(const char *fields)
{
	hold();
	client_open(&c, &h, false);
	client_ask(&c, "POST", "/v1/command", fields, DRAIN_V1 "}");
	wait_for_state(POOL_DRAINING);
	client_open(&d, &h, false);
	client_ask(&d, "POST", "/v1/command", "", DRAIN_V1 "}");
	hang_up(&c);
	let_go();
	client_reads_all(&d);
	client_close(&d);
	cr_expect_eq(client_status(&d), 200, "who stayed has his answer");
	wait_for_state(POOL_DRAINED);
	cr_expect_eq(client_get(&d, &h, "/v1/version"), 200);
}

COMMAND_TEST(who_leaves_only_stops_waiting)
{
	leave_while_it_waits("");
	cr_expect_eq(c.len, 0);
}

COMMAND_TEST(who_leaves_a_stream_only_stops_waiting)
{
	leave_while_it_waits(SSE);
	cr_expect_null(strstr(c.text, "event: result"));
}

/* evhttp ends the process when it reads while it answers; we do not let it. */
COMMAND_TEST(pipelined_while_it_waits)
{
	static const char more[] =
	    "GET /v1/version HTTP/1.1\r\nHost: localhost\r\n\r\n";

	hold();
	client_open(&c, &h, false);
	client_ask(&c, "POST", "/v1/command", "", DRAIN_V1 "}");
	client_send(&c, more, sizeof(more) - 1);
	wait_for_state(POOL_DRAINING);
	client_send(&c, more, sizeof(more) - 1);
	cr_expect_eq(client_get(&d, &h, "/v1/version"), 200);
	let_go();
	client_reads_all(&c);
	client_close(&c);
	cr_expect_eq(client_status(&c), 200);
	cr_expect_not_null(strstr(c.text, "Connection: close\r\n"));
}

/* A client that sends and sends is not kept in memory: nobody takes it. */
COMMAND_TEST(a_flood_while_it_waits)
{
	static const struct timeval patience = { .tv_usec = 300000 };
	static char flood[1 << 16];
	size_t taken = 0;
	ssize_t n;

	memset(flood, 'x', sizeof(flood));
	hold();
	client_open(&c, &h, false);
	client_ask(&c, "POST", "/v1/command", "", DRAIN_V1 "}");
	wait_for_state(POOL_DRAINING);
	cr_assert_eq(setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
	                 sizeof(patience)),
	    0);
	while (taken < 8 << 20 &&
	    (n = send(c.fd, flood, sizeof(flood), MSG_NOSIGNAL)) > 0)
		taken += (size_t)n;
	cr_expect_lt(taken, 8 << 20);
	let_go();
	wait_for_state(POOL_DRAINED);
	client_close(&c);
}

/* The house is torn down while they wait: see house_close(). */
COMMAND_TEST(waiting_at_the_end)
{
	hold();
	client_open(&c, &h, false);
	client_ask(&c, "POST", "/v1/command", "", DRAIN_V1 "}");
	client_open(&d, &h, false);
	client_ask(&d, "POST", "/v1/command", SSE, DRAIN_V1 "}");
	cr_assert(client_reads(&d, "event: progress"));
	wait_for_state(POOL_DRAINING);
}

/* ---- as it was planned ---- */

static void
read_plan(char mark[32])
{
	struct json *j;
	char why[128];

	cr_assert_eq(client_get(&c, &h, "/v1/plan?to=v2"), 200, "%s", c.text);
	j = json_read(str_of(client_body(&c)), why, sizeof(why));
	cr_assert_not_null(j);
	str_copy(str_of(json_get_text(j, "mark", "none")), mark, 32);
	json_free(&j);
}

static int
apply(const char *mark)
{
	char body[256];

	(void)snprintf(body, sizeof(body),
	    "{\"verb\":\"rollout\",\"action\":\"start\",\"pool\":\"v2\","
	    "\"plan\":\"%s\"}",
	    mark);
	return client_post(&c, &h, "/v1/command", body);
}

COMMAND_TEST(a_plan_is_carried_out_as_it_was)
{
	char first[32], second[32], line[128];

	house_until(&h, is_down, NULL);
	read_plan(first);
	stat_add(&h.a->cells[0].inflight, 1);
	read_plan(second);
	cr_expect_str_eq(first, second, "traffic moves nothing");
	cr_expect_eq(client_post(&c, &h, "/v1/command",
	                 "{\"verb\":\"share\",\"pool\":\"v2\","
	                 "\"share\":\"10%\",\"force\":true}"),
	    200, "%s", c.text);
	cr_expect_eq(apply(first), 409);
	cr_expect_not_null(strstr(c.text, "{\"error\":\"moved\","));
	cr_expect_not_null(strstr(c.text, "now v1 active 90%, v2 active 10%"),
	    "%s", c.text);
	read_plan(second);
	cr_expect_str_neq(first, second);
	cr_expect_eq(apply(second), 200, "%s", c.text);
	(void)snprintf(line, sizeof(line),
	    "command=\"apply %s --to v2\" result=moved", first);
	cr_expect(house_logged(&h, line), "%s", line);
	(void)snprintf(line, sizeof(line),
	    "command=\"apply %s --to v2\" result=done", second);
	cr_expect(house_logged(&h, line), "%s", line);
}
