/* Probes over real sockets: what each answer means. */
#include "upstream/probe.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "house.h"
#include "net/loop.h"
#include "origin.h"
#include "tests/unit/net/rig.h"

struct trial {
	struct loop *loop;
	struct registry *registry;
	struct cfg *cfg;
	struct instance *inst;
	struct origin origin;
	unsigned edges;
	enum health from;
};

static void
on_edge(struct instance *i UNUSED, enum health from, void *arg)
{
	struct trial *t = arg;

	t->edges++;
	t->from = from;
}

static void
watch_instance(struct trial *t, const char *address, const char *settings)
{
	bool patient = strstr(settings, "timeout") != NULL;
	const struct cfg_probe *p;

	t->cfg = house_cfg("listeners: \":1\"\n"
	                   "services:\n- name: s\n  pools:\n  - name: v1\n"
	                   "    instances: [ { name: i, address: \"%s\" } ]\n"
	                   "    probe: { fast_interval: 10ms, interval: %s,"
	                   " rise: 1, fall: 1, %s%s }\n",
	    address, patient ? "1h" : "10ms", patient ? "" : "timeout: 150ms, ",
	    settings);
	t->registry = registry_new(1);
	cr_assert_not_null(t->registry);
	house_apply(t->registry, t->cfg);
	t->inst = house_instance(t->registry, "i");
	cr_assert_not_null(t->inst);
	p = &t->cfg->services[0].pools[0].probe;
	cr_assert_eq(probe_new(t->loop, t->cfg, p, t->inst, on_edge, t,
	                 &t->inst->probe),
	    E_OK);
	probe_start(t->inst->probe);
	cr_assert_eq(t->edges, 0, "not from inside probe_start()");
}

static void
begin(struct trial *t)
{
	thread_become(ROLE_ANY, "test");
	log_set_level(LOG_ERROR);
	t->loop = rig_loop();
	t->edges = 0;
}

static void
set_up(struct trial *t, const struct origin_script *script,
    const char *settings)
{
	char address[ADDR_TEXT_MAX];

	begin(t);
	origin_open(&t->origin, t->loop, script);
	addr_text(&t->origin.at, address);
	watch_instance(t, address, settings);
}

static void
end(struct trial *t)
{
	probe_free(&t->inst->probe);
	cr_expect_null(t->inst->probe);
	loop_run_deferred(t->loop);
	registry_free(&t->registry);
	cfg_unref(&t->cfg);
	loop_free(&t->loop);
}

static void
tear_down(struct trial *t)
{
	origin_close(&t->origin);
	end(t);
}

static bool
was_probed(void *arg)
{
	return ((struct trial *)arg)->inst->probes > 0;
}

#define OK "HTTP/1.1 200 OK\r\n"
#define LEN(n) "Content-Length: " #n "\r\n\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

/* clang-format off */
static const struct {
	const char *why, *settings;
	struct origin_script say;
	enum health_reason reason;
	uint16_t status;
} rows[] = {
	{ "an answer without a body", "path: /", { .parts = { OK LEN(0) } },
	    HEALTH_WHY_PASSED, 200 },
	{ "a body nobody asked for is not waited for", "path: /",
	    { .parts = { OK LEN(100000) "x" } }, HEALTH_WHY_PASSED, 200 },
	{ "a head cut into packets", "path: /",
	    { .parts = { "HTT", "P/1.1 20", "0 OK\r", "\nContent-Len", "gth: 0\r\n\r",
	        "\n" } }, HEALTH_WHY_PASSED, 200 },
	{ "an HTTP/1.0 server", "path: /",
	    { .parts = { "HTTP/1.0 200 OK\r\n\r\nhello" }, .end = ORIGIN_FIN },
	    HEALTH_WHY_PASSED, 200 },
	{ "interim answers first", "path: /",
	    { .parts = { "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
	        "HTTP/1.1 100 Continue\r\n\r\n" OK LEN(0) } },
	    HEALTH_WHY_PASSED, 200 },
	{ "an answer before the question", "path: /",
	    { .parts = { "HTTP/1.1 503 Busy\r\n" LEN(0) }, .speaks_first = true },
	    HEALTH_WHY_STATUS, 503 },
	{ "a connection is enough", "type: tcp", { .parts = { NULL } },
	    HEALTH_WHY_PASSED, 0 },
	{ "... even to one that hangs up", "type: tcp",
	    { .parts = { NULL }, .speaks_first = true, .end = ORIGIN_FIN },
	    HEALTH_WHY_PASSED, 0 },

	{ "a status not expected", "path: /",
	    { .parts = { "HTTP/1.1 503 No\r\n" LEN(0) } }, HEALTH_WHY_STATUS, 503 },
	{ "200 is the only one by default", "path: /",
	    { .parts = { "HTTP/1.1 204 No\r\n\r\n" } }, HEALTH_WHY_STATUS, 204 },
	{ "a list of statuses", "expect: [ 204, 301 ]",
	    { .parts = { "HTTP/1.1 301 X\r\n" LEN(0) } }, HEALTH_WHY_PASSED, 301 },
	{ "... from which 200 is missing", "expect: [ 204, 301 ]",
	    { .parts = { OK LEN(0) } }, HEALTH_WHY_STATUS, 200 },
	{ "an interim status is no answer", "expect: [ 103 , 200 ]",
	    { .parts = { "HTTP/1.1 103 X\r\n\r\n", "HTTP/1.1 500 X\r\n" LEN(0) } },
	    HEALTH_WHY_STATUS, 500 },

	{ "the text", "body: ready", { .parts = { OK LEN(9) "it ready " } },
	    HEALTH_WHY_PASSED, 200 },
	{ "the text over packets", "body: ready",
	    { .parts = { OK LEN(9), "it re", "ad", "y " } }, HEALTH_WHY_PASSED, 200 },
	{ "the text over chunks", "body: ready",
	    { .parts = { CHUNKED "2\r\nre\r\n", "3\r\nady\r\n", "0\r\n\r\n" } },
	    HEALTH_WHY_PASSED, 200 },
	{ "the text before the end of the connection", "body: ready",
	    { .parts = { OK "\r\nit is re", "ady" }, .end = ORIGIN_FIN },
	    HEALTH_WHY_PASSED, 200 },
	{ "no such text", "body: ready", { .parts = { OK LEN(5) "read!" } },
	    HEALTH_WHY_BODY, 200 },
	{ "no body at all", "body: ready", { .parts = { OK LEN(0) } },
	    HEALTH_WHY_BODY, 200 },
	{ "a status without a body", "body: ready, expect: [ 204 ]",
	    { .parts = { "HTTP/1.1 204 X\r\n\r\n" } }, HEALTH_WHY_BODY, 204 },
	{ "the text of another status", "body: ready",
	    { .parts = { "HTTP/1.1 503 X\r\n" LEN(5) "ready" } }, HEALTH_WHY_STATUS,
	    503 },

	{ "the field", "json: { field: status, value: UP }",
	    { .parts = { OK LEN(15) "{\"status\":", "\"UP\"}" } }, HEALTH_WHY_PASSED,
	    200 },
	{ "a field within", "json: { field: checks.0.ok, value: \"true\" }",
	    { .parts = { OK LEN(25) "{\"checks\":[{\"ok\": true}]}" } },
	    HEALTH_WHY_PASSED, 200 },
	{ "another value", "json: { field: status, value: UP }",
	    { .parts = { OK LEN(17) "{\"status\":\"DOWN\"}" } }, HEALTH_WHY_JSON, 200 },
	{ "no such field", "json: { field: status, value: UP }",
	    { .parts = { OK LEN(2) "{}" } }, HEALTH_WHY_JSON, 200 },
	{ "no JSON", "json: { field: status, value: UP }",
	    { .parts = { OK LEN(2) "UP" } }, HEALTH_WHY_JSON, 200 },
	{ "text and field, of which one is missing",
	    "body: v2, json: { field: status, value: UP }",
	    { .parts = { OK LEN(15) "{\"status\":\"UP\"}" } }, HEALTH_WHY_BODY, 200 },

	{ "no answer", "path: /", { .parts = { NULL } }, HEALTH_WHY_TIMEOUT, 0 },
	{ "half an answer", "path: /", { .parts = { OK } }, HEALTH_WHY_TIMEOUT, 0 },
	{ "half a body", "body: x", { .parts = { OK LEN(10) "abc" } },
	    HEALTH_WHY_TIMEOUT, 200 },
	{ "interim answers for ever", "path: /",
	    { .parts = { "HTTP/1.1 102 X\r\n\r\n" }, .never_ends = true },
	    HEALTH_WHY_TIMEOUT, 0 },
	{ "a head that drips for ever", "path: /", { .parts = { OK, "X: y\r\n" },
	    .moment_ms = 20, .never_ends = true }, HEALTH_WHY_TIMEOUT, 0 },
	{ "a body that drips for ever", "body: z", { .parts = { CHUNKED, "1\r\na\r\n" },
	    .moment_ms = 20, .never_ends = true }, HEALTH_WHY_TIMEOUT, 200 },

	{ "closed without a word", "path: /", { .parts = { NULL }, .end = ORIGIN_FIN },
	    HEALTH_WHY_RESET, 0 },
	{ "reset without a word", "path: /", { .parts = { NULL }, .end = ORIGIN_RST },
	    HEALTH_WHY_RESET, 0 },
	{ "closed within the head", "path: /", { .parts = { OK }, .end = ORIGIN_FIN },
	    HEALTH_WHY_RESET, 0 },
	{ "closed within the body", "body: x",
	    { .parts = { OK LEN(10) "abc" }, .end = ORIGIN_FIN }, HEALTH_WHY_RESET,
	    200 },
	{ "reset within the body", "body: x",
	    { .parts = { OK LEN(10) "abc" }, .end = ORIGIN_RST }, HEALTH_WHY_RESET,
	    200 },

	{ "closed behind half a body, in one packet", "body: x",
	    { .parts = { OK LEN(10) "abc" }, .end = ORIGIN_FIN,
	        .at_once = true }, HEALTH_WHY_RESET, 200 },
	{ "reset behind half a body, at the same moment", "body: x",
	    { .parts = { OK LEN(10) "abc" }, .end = ORIGIN_RST,
	        .at_once = true }, HEALTH_WHY_RESET, 200 },
	{ "reset behind half a head, at the same moment", "path: /",
	    { .parts = { OK }, .end = ORIGIN_RST, .at_once = true },
	    HEALTH_WHY_RESET, 0 },
	{ "an answer and a reset at the same moment", "body: abc",
	    { .parts = { OK LEN(3) "abc" }, .end = ORIGIN_RST,
	        .at_once = true }, HEALTH_WHY_PASSED, 200 },

	{ "not HTTP", "path: /", { .parts = { "220 mail.example.org ESMTP\r\n" } },
	    HEALTH_WHY_MALFORMED, 0 },
	{ "two lengths", "path: /",
	    { .parts = { OK "Content-Length: 1\r\n" LEN(2) } }, HEALTH_WHY_MALFORMED,
	    0 },
	{ "a bad chunk", "body: x", { .parts = { CHUNKED "zz\r\n" } },
	    HEALTH_WHY_MALFORMED, 200 },
};
/* clang-format on */

Test(probe, answers, .timeout = 60)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum health to = rows[i].reason == HEALTH_WHY_PASSED
		    ? HEALTH_UP
		    : HEALTH_DOWN;
		struct trial t;

		set_up(&t, &rows[i].say, rows[i].settings);
		rig_run_until(t.loop, was_probed, &t);
		cr_expect_str_eq(
		    health_reason_text((enum health_reason)t.inst->reason),
		    health_reason_text(rows[i].reason), "%s: %s", rows[i].why,
		    t.inst->reason < HEALTH_REASON_COUNT
		        ? health_reason_text((enum health_reason)t.inst->reason)
		        : "?");
		cr_expect_eq(t.inst->health, to, "%s", rows[i].why);
		cr_expect_eq(t.inst->last_status, rows[i].status, "%s: %u",
		    rows[i].why, t.inst->last_status);
		cr_expect_eq(t.edges, 1, "%s", rows[i].why);
		cr_expect_eq(t.from, HEALTH_UNKNOWN, "%s", rows[i].why);
		cr_expect_neq(t.inst->last_probe_us, 0);
		cr_expect_eq(t.inst->probes_failed, to == HEALTH_DOWN);
		tear_down(&t);
	}
}

/* ---- when we do not look ---- */

static bool
was_asked(void *arg)
{
	return ((struct trial *)arg)->origin.seen[0] != '\0';
}

static bool
was_accepted(void *arg)
{
	return ((struct trial *)arg)->origin.accepted > 0;
}

/* As SIGSTOP does, and a disk under the thread that asks. */
static void
stall(uint64_t us)
{
	struct timespec t = { .tv_sec = (time_t)(us / US_PER_S),
		.tv_nsec = (long)(us % US_PER_S) * 1000 };

	cr_assert_eq(nanosleep(&t, NULL), 0);
}

/* clang-format off */
static const struct {
	const char *why;
	rig_fn *when;
	struct origin_script say;
} stalls[] = {
	{ "before it is asked", NULL, { .parts = { OK LEN(0) } } },
	{ "before its head is written", was_accepted, { .parts = { OK LEN(0) } } },
	{ "before its answer is read", was_asked, { .parts = { OK LEN(0) } } },
	{ "amid its answer", was_asked,
	    { .parts = { "HTTP/1.1 ", "200 OK\r\n", "X: y\r\n", LEN(0) },
	        .moment_ms = 5 } },
};
/* clang-format on */

/* The origin is in our loop: it answers when we look again, not before. */
Test(probe, a_stall_of_ours_is_not_the_instances, .timeout = 60)
{
	for (size_t i = 0; i < ARRAY_LEN(stalls); i++) {
		struct trial t;

		set_up(&t, &stalls[i].say, "path: /");
		if (stalls[i].when != NULL)
			rig_run_until(t.loop, stalls[i].when, &t);
		else
			rig_run_for(t.loop, 0);
		stall(400 * US_PER_MS); /* the timeout is 150 ms */
		rig_run_until(t.loop, was_probed, &t);
		cr_expect_eq(t.inst->probes_failed, 0u, "%s: %s", stalls[i].why,
		    health_reason_text((enum health_reason)t.inst->reason));
		cr_expect_eq(t.inst->health, HEALTH_UP, "%s", stalls[i].why);
		tear_down(&t);
	}
}

/* However we stall: who does not answer is found out. */
Test(probe, a_stall_is_no_excuse, .timeout = 60)
{
	struct origin_script mute = { .parts = { OK, "X: y\r\n" },
		.moment_ms = 20,
		.never_ends = true };
	struct trial t;

	set_up(&t, &mute, "path: /");
	rig_run_until(t.loop, was_asked, &t);
	for (int i = 0; i < 30 && t.inst->probes == 0; i++) {
		stall(100 * US_PER_MS);
		rig_run_for(t.loop, 0);
	}
	cr_expect_eq(t.inst->probes_failed, 1u);
	cr_expect_eq(t.inst->reason, HEALTH_WHY_TIMEOUT);
	tear_down(&t);
}

/* ---- when no connection comes about ---- */

static void
expect_reason(struct trial *t, enum health_reason why)
{
	rig_run_until(t->loop, was_probed, t);
	cr_expect_eq(t->inst->health, HEALTH_DOWN);
	cr_expect_str_eq(
	    health_reason_text((enum health_reason)t->inst->reason),
	    health_reason_text(why));
}

Test(probe, refused, .timeout = 10)
{
	struct trial t;
	struct addr at;
	char address[ADDR_TEXT_MAX];

	begin(&t);
	close(rig_listen(&at));
	addr_text(&at, address);
	watch_instance(&t, address, "path: /");
	expect_reason(&t, HEALTH_WHY_CONNECT_REFUSED);
	end(&t);
}

Test(probe, unreachable, .timeout = 10)
{
	struct trial t;

	begin(&t);
	watch_instance(&t, "255.255.255.255:80", "path: /");
	expect_reason(&t, HEALTH_WHY_UNREACHABLE);
	end(&t);
	begin(&t);
	watch_instance(&t, "unix:/no/such/socket", "host: x");
	expect_reason(&t, HEALTH_WHY_UNREACHABLE);
	end(&t);
}

Test(probe, connect_timeout, .timeout = 10)
{
	struct trial t;
	struct addr at;
	char address[ADDR_TEXT_MAX];
	int listening, waiting;

	begin(&t);
	listening = rig_listen(&at);
	cr_assert_eq(listen(listening, 0), 0);
	waiting = rig_connect(&at); /* the one that may wait */
	addr_text(&at, address);
	watch_instance(&t, address, "type: tcp");
	expect_reason(&t, HEALTH_WHY_CONNECT_TIMEOUT);
	end(&t);
	close(waiting);
	close(listening);
}

static bool
knows_fault(void *arg)
{
	return ((struct trial *)arg)->inst->reason == HEALTH_WHY_INTERNAL;
}

static struct rlimit full;

static void
run_out_of_descriptors(void)
{
	struct rlimit low;
	int fd = dup(0);

	close(fd);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &full), 0);
	low = full;
	low.rlim_cur = (rlim_t)fd;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
}

Test(probe, a_fault_of_ours_says_nothing, .timeout = 10)
{
	static const struct origin_script say = { .parts = { OK LEN(0) } };
	struct trial t;
	uint64_t probes;

	set_up(&t, &say, "path: /");
	run_out_of_descriptors();
	rig_run_until(t.loop, knows_fault, &t);
	cr_expect_eq(t.inst->health, HEALTH_UNKNOWN);
	cr_expect_eq(t.edges, 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &full), 0);
	rig_run_until(t.loop, was_probed, &t);
	cr_expect_eq(t.inst->health, HEALTH_UP, "it is asked again");
	run_out_of_descriptors();
	origin_hang_up(&t.origin, ORIGIN_FIN);
	probes = t.inst->probes;
	rig_run_for(t.loop, 60 * US_PER_MS);
	cr_expect_leq(t.inst->probes, probes + 1, "one was under way");
	cr_expect_eq(t.inst->health, HEALTH_UP);
	cr_expect_eq(t.inst->fails, 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &full), 0);
	tear_down(&t);
}

/* A check is nobody's; another port is another server. */
Test(probe, of_instances_that_are_sent_prefaces, .timeout = 10)
{
	static const struct origin_script say = { .parts = { OK LEN(0) } };
	char elsewhere[64];
	char address[ADDR_TEXT_MAX];
	struct trial t;
	struct addr at;

	set_up(&t, &say, "path: /p }\n    send_proxy: v1 #");
	rig_run_until(t.loop, was_probed, &t);
	cr_expect_eq(strncmp(t.origin.seen,
	                 "PROXY UNKNOWN\r\nGET /p HTTP/1.1\r\n", 32),
	    0, "%s", t.origin.seen);
	cr_expect_eq(t.inst->health, HEALTH_UP);
	tear_down(&t);

	begin(&t);
	origin_open(&t.origin, t.loop, &say);
	(void)snprintf(elsewhere, sizeof(elsewhere),
	    "port: %u }\n    send_proxy: v1 #", addr_port(&t.origin.at));
	at = addr_with_port(&t.origin.at, 1);
	addr_text(&at, address);
	watch_instance(&t, address, elsewhere);
	rig_run_until(t.loop, was_probed, &t);
	cr_expect_eq(strncmp(t.origin.seen, "GET / ", 6), 0, "%s",
	    t.origin.seen);
	tear_down(&t);
}

Test(probe, every_reason_has_a_test)
{
	bool has[HEALTH_REASON_COUNT] = {
		[HEALTH_WHY_NONE] = true,    /* test_registry */
		[HEALTH_WHY_CARRIED] = true, /* test_probe_life */
		[HEALTH_WHY_CONNECT_REFUSED] = true,
		[HEALTH_WHY_CONNECT_TIMEOUT] = true,
		[HEALTH_WHY_UNREACHABLE] = true,
		[HEALTH_WHY_NAME] = true, /* test_names */
		[HEALTH_WHY_INTERNAL] = true,
		[HEALTH_WHY_TLS] = true,   /* e2e/test_tls_instances.py */
		[HEALTH_WHY_CERT] = true,  /* the same */
		[HEALTH_WHY_GRPC] = true,  /* e2e/test_grpc.py */
		[HEALTH_WHY_NO_H2] = true, /* e2e/test_h2_up.py */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		has[rows[i].reason] = true;
	for (int r = 0; r < HEALTH_REASON_COUNT; r++)
		cr_expect(has[r], "%s",
		    health_reason_text((enum health_reason)r));
}

/* ---- bounds ---- */

Test(probe, a_huge_body_is_read_as_far_as_it_is_judged, .timeout = 20)
{
	static char packet[32768];
	struct origin_script say = { .parts = { OK "\r\nready", packet },
		.never_ends = true };
	struct trial t;

	memset(packet, 'x', sizeof(packet) - 1);
	set_up(&t, &say, "body: ready, timeout: 5s");
	rig_run_until(t.loop, was_probed, &t);
	cr_expect_eq(t.inst->reason, HEALTH_WHY_PASSED);
	cr_expect_lt(t.inst->probe_took_us, 4 * US_PER_S);
	tear_down(&t);
	set_up(&t, &say, "body: steady, timeout: 5s");
	rig_run_until(t.loop, was_probed, &t);
	cr_expect_eq(t.inst->reason, HEALTH_WHY_BODY);
	tear_down(&t);
}

Test(probe, a_huge_head_is_malformed, .timeout = 20)
{
	static char packet[16000];
	struct origin_script say = { { OK, packet }, .never_ends = true };
	struct trial t;

	memset(packet, 'x', sizeof(packet) - 1);
	set_up(&t, &say, "timeout: 5s");
	rig_run_until(t.loop, was_probed, &t);
	cr_expect_eq(t.inst->reason, HEALTH_WHY_MALFORMED);
	cr_expect_lt(t.origin.said, (size_t)8 << 20);
	tear_down(&t);
}

/* ---- the question ---- */

static void
expect_line(const struct origin *o, const char *line, bool there)
{
	cr_expect_eq(strstr(o->seen, line) != NULL, there, "%s in:\n%s", line,
	    o->seen);
}

Test(probe, asks_as_it_was_told, .timeout = 10)
{
	static const struct origin_script say = { .parts = { OK LEN(0) } };
	char line[ADDR_TEXT_MAX + 16], address[ADDR_TEXT_MAX];
	struct trial t;

	set_up(&t, &say,
	    "path: /health?x=1, "
	    "headers: { X-One: a b, Authorization: Basic eA== }");
	rig_run_until(t.loop, was_probed, &t);
	addr_text(&t.origin.at, address);
	(void)snprintf(line, sizeof(line), "\r\nHost: %s\r\n", address);
	cr_expect_eq(strncmp(t.origin.seen, "GET /health?x=1 HTTP/1.1\r\n", 26),
	    0);
	expect_line(&t.origin, line, true);
	expect_line(&t.origin, "\r\nX-One: a b\r\n", true);
	expect_line(&t.origin, "\r\nAuthorization: Basic eA==\r\n", true);
	expect_line(&t.origin, "\r\nUser-Agent: segue-probe/", true);
	expect_line(&t.origin, "\r\nConnection: close\r\n", true);
	tear_down(&t);
	set_up(&t, &say, "host: sso.example.org");
	rig_run_until(t.loop, was_probed, &t);
	expect_line(&t.origin, "\r\nHost: sso.example.org\r\n", true);
	expect_line(&t.origin, "\r\nHost: 127", false);
	tear_down(&t);
}

Test(probe, asks_its_own_port, .timeout = 10)
{
	static const struct origin_script say = { .parts = { OK LEN(0) } };
	char settings[32], line[64];
	struct trial t;

	begin(&t);
	origin_open(&t.origin, t.loop, &say);
	(void)snprintf(settings, sizeof(settings), "port: %u",
	    addr_port(&t.origin.at));
	(void)snprintf(line, sizeof(line), "\r\nHost: 127.0.0.1:%u\r\n",
	    addr_port(&t.origin.at));
	watch_instance(&t, "127.0.0.1:1", settings);
	rig_run_until(t.loop, was_probed, &t);
	cr_expect_eq(t.inst->health, HEALTH_UP);
	expect_line(&t.origin, line, true);
	tear_down(&t);
}
