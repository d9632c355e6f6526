/* The doors: pages, methods, roles, limits. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "admin/adminproto.h"
#include "base/json.h"
#include "house.h"

static struct house h;
static struct client c;

#define ADMIN_TEST(name) HOUSE_TEST(admin, name, "")

/* ---- pages ---- */

static const struct {
	const char *why, *method, *path;
	int status;
	const char *has;
} pages[] = {
	{ "version", "GET", "/v1/version", 200,
	    "\"protocol\":1,\"pid\":4711,"
	    "\"started\":\"2020-09-13T12:26:40.000Z\"" },
	{ "config is YAML", "GET", "/v1/config", 200, "\nservices:" },
	{ "config's type", "GET", "/v1/config", 200,
	    "Content-Type: application/yaml\r\n" },
	{ "status", "GET", "/v1/status", 200,
	    "Content-Type: application/json\r\n" },
	{ "metrics", "GET", "/metrics", 200,
	    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n" },
	{ "a plan to nowhere", "GET", "/v1/plan?to=v9", 404,
	    "\"error\":\"no_" },
	{ "a session of nowhere", "GET", "/v1/pin?to=v9", 404,
	    "sso has no pool \\\"v9\\\"" },
	{ "a session of no service", "GET", "/v1/pin?to=v1&service=x", 404,
	    "\"error\":\"no_service\"" },
	{ "a session of a pool that serves nobody", "GET", "/v1/pin?to=v2", 409,
	    "\"error\":\"not_serving\"" },
	{ "a plan of a long name", "GET",
	    "/v1/plan?to="
	    "0123456789012345678901234567890123456789012345678901234567890123",
	    400, "to: it is too long for a name" },
	{ "healthy", "GET", "/healthz", 204, "" },
	{ "never kept by caches", "GET", "/v1/version", 200,
	    "Cache-Control: no-store\r\n" },
	{ "never taken for a page", "GET", "/v1/version", 200,
	    "X-Content-Type-Options: nosniff\r\n" },
	{ "a query is no part of the path", "GET", "/v1/version?x=1", 200,
	    "\"protocol\"" },
	{ "no such page", "GET", "/", 404, "\"error\":\"not_found\"" },
	{ "nearly one", "GET", "/v1/statsu", 404,
	    "there is no /v1/statsu; did you mean /v1/status?" },
	{ "pages have no pages", "GET", "/v1/status/", 404, "not_found" },
	{ "a command is no question", "GET", "/v1/command", 405,
	    "Allow: POST\r\n" },
	{ "status is no command", "POST", "/v1/status", 405,
	    "{\"error\":\"method\",\"message\":\"/v1/status is for GET\"}" },
	{ "nor to be deleted", "DELETE", "/v1/status", 405, "Allow: GET\r\n" },
	{ "events are not for HEAD", "HEAD", "/v1/events", 405, "" },
};

ADMIN_TEST(pages)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		client_open(&c, &h, false);
		client_ask(&c, pages[i].method, pages[i].path,
		    "Connection: close\r\n", NULL);
		client_reads_all(&c);
		client_close(&c);
		cr_expect_eq(client_status(&c), pages[i].status, "%s: %s",
		    pages[i].why, c.text);
		cr_expect_not_null(strstr(c.text, pages[i].has), "%s: %s",
		    pages[i].why, c.text);
	}
}

ADMIN_TEST(head_has_no_body)
{
	client_open(&c, &h, false);
	client_ask(&c, "HEAD", "/v1/config", "Connection: close\r\n", NULL);
	client_reads_all(&c);
	client_close(&c);
	cr_expect_eq(client_status(&c), 200);
	cr_expect_str_empty(client_body(&c));
	cr_expect_not_null(strstr(c.text, "Content-Length: "));
	cr_expect_null(strstr(c.text, "Content-Length: 0\r\n"));
}

ADMIN_TEST(a_connection_is_used_again)
{
	client_open(&c, &h, false);
	for (int i = 0; i < 3; i++) {
		c.len = 0;
		client_ask(&c, "GET", "/v1/version", "", NULL);
		cr_assert(client_reads(&c, "\"uptime_s\""));
		cr_assert(client_reads(&c, "}\n"));
		cr_expect_eq(client_status(&c), 200);
	}
	client_close(&c);
}

/* ---- status ---- */

static const char *const paths[] = { "version", "pid", "now", "started",
	"uptime_s", "workers", "stopping", "generation", "changed_at",
	"changed_by", "accounting.accepted", "accounting.answered",
	"accounting.ours", "accounting.client", "accounting.deadline",
	"accounting.fault", "accounting.in_flight", "accounting.holds",
	"unrouted.reading", "unrouted.outcomes", "services.0.name",
	"services.0.epoch", "services.0.in_flight", "services.0.retries",
	"services.0.retries_denied", "services.0.bytes_in",
	"services.0.bytes_out", "services.0.pins_bad",
	"services.0.accounting.holds", "services.0.outcomes",
	"services.0.pending", "services.0.pools.0.name",
	"services.0.pools.0.state", "services.0.pools.0.since",
	"services.0.pools.0.share", "services.0.pools.0.share_bp",
	"services.0.pools.0.ready", "services.0.pools.0.unready",
	"services.0.pools.0.holds", "services.0.pools.0.in_flight",
	"services.0.pools.0.streams", "services.0.pools.0.streams_ended.ended",
	"services.0.pools.0.streams_ended.closed",
	"services.0.pools.0.streams_ended.cut", "services.0.pools.0.sessions",
	"services.0.pools.0.sessions_new", "services.0.pools.0.instances_n",
	"services.0.pools.0.eligible", "services.0.pools.0.causes.moved_dead",
	"services.0.pools.0.status.5xx", "services.0.pools.0.latency.p50_us",
	"services.0.pools.0.latency.p90_us",
	"services.0.pools.0.latency.p99_us", "services.0.pools.0.latency.n",
	"services.0.pools.0.drain", "services.0.pools.1.instances.0.name",
	"services.0.pools.1.instances.0.address",
	"services.0.pools.1.instances.0.weight",
	"services.0.pools.1.instances.0.health",
	"services.0.pools.1.instances.0.reason",
	"services.0.pools.1.instances.0.health_s",
	"services.0.pools.1.instances.0.admin",
	"services.0.pools.1.instances.0.added",
	"services.0.pools.1.instances.0.in_flight",
	"services.0.pools.1.instances.0.streams",
	"services.0.pools.1.instances.0.requests",
	"services.0.pools.1.instances.0.connections",
	"services.0.pools.1.instances.0.last_status",
	"services.0.pools.1.instances.0.probe_us",
	"services.0.pools.1.instances.0.probes",
	"services.0.pools.1.instances.0.probes_failed",
	"services.0.pools.1.instances.0.connect_failed",
	"services.0.pools.1.instances.0.resets",
	"services.0.pools.1.instances.0.raced",
	"services.0.pools.1.instances.0.status.1xx",
	"services.0.pools.1.instances.0.latency.n" };

static int64_t
number_at(const struct json *j, const char *path)
{
	int64_t n = -1;

	cr_expect(json_int(json_path(j, path), &n), "%s", path);
	return n;
}

/* What one worker would have counted. */
static void
count(struct house *house, void *arg)
{
	struct service_cell *s = &house->a->pool->service->cells[0];
	struct pool_cell *p = &house->a->pool->cells[0];
	struct inst_cell *i = &house->a->cells[0];

	(void)arg;
	stat_add(&s->active, 2);
	stat_add(&s->begun, 5);
	stat_add(&s->outcome[OUT_ANSWERED], 2);
	stat_add(&s->outcome[OUT_DRAIN_CUT], 1);
	stat_add(&s->pins_bad[1], 1);
	stat_add(&s->pins_bad[4], 2);
	stat_add(&p->cause[CAUSE_PIN], 3);
	stat_add(&p->status[STATUS_2XX], 2);
	hist_add(&p->latency, 1000);
	stat_add(&i->inflight, 1);
	stat_add(&i->status[STATUS_5XX], 4);
	stat_add(&i->raced, 6);
}

ADMIN_TEST(status_shows_everything)
{
	struct json *j;
	char why[128];
	bool holds = false;

	house_do(&h, count, NULL);
	cr_assert_eq(client_get(&c, &h, "/v1/status"), 200);
	j = json_read(str_of(client_body(&c)), why, sizeof(why));
	cr_assert_not_null(j, "%s", why);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		cr_expect_not_null(json_path(j, paths[i]), "%s", paths[i]);
	cr_expect_eq(number_at(j, "accounting.accepted"), 5);
	cr_expect_eq(number_at(j, "accounting.answered"), 2);
	cr_expect_eq(number_at(j, "accounting.deadline"), 1);
	cr_expect_eq(number_at(j, "accounting.in_flight"), 2);
	cr_expect(json_truth(json_path(j, "accounting.holds"), &holds));
	cr_expect(holds);
	cr_expect_eq(number_at(j, "services.0.outcomes.drain_cut"), 1);
	cr_expect_null(json_path(j, "services.0.outcomes.internal"));
	cr_expect_eq(number_at(j, "services.0.pins_bad"), 3);
	cr_expect_eq(number_at(j, "services.0.pools.0.causes.pin"), 3);
	cr_expect_eq(number_at(j, "services.0.pools.0.status.2xx"), 2);
	cr_expect_eq(number_at(j, "services.0.pools.0.latency.n"), 1);
	cr_expect_eq(number_at(j, "services.0.pools.0.in_flight"), 1);
	cr_expect_eq(number_at(j, "services.0.pools.0.instances.0.status.5xx"),
	    4);
	cr_expect_eq(number_at(j, "services.0.pools.0.instances.0.raced"), 6);
	cr_expect_eq(number_at(j, "services.0.pools.0.share_bp"), 10000);
	cr_expect_str_eq(json_text(json_path(j, "services.0.pools.0.share")),
	    "100%");
	json_free(&j);
}

static void
lose_one(struct house *house, void *arg)
{
	(void)arg;
	stat_add(&house->a->pool->service->cells[0].begun, 1);
}

ADMIN_TEST(a_lost_exchange_is_told)
{
	house_do(&h, lose_one, NULL);
	cr_assert_eq(client_get(&c, &h, "/v1/status"), 200);
	cr_expect_not_null(strstr(client_body(&c), "\"holds\":false"));
	cr_assert_eq(client_get(&c, &h, "/metrics"), 200);
	cr_expect_not_null(strstr(client_body(&c),
	    "\nsegue_accounting_holds{service=\"sso\"} 0\n"));
	cr_expect_not_null(strstr(client_body(&c),
	    "\nsegue_accounting_holds{service=\"-\"} 1\n"));
}

/* ---- limits ---- */

static char big[4 * ADMIN_BODY_MAX];

static const struct {
	const char *why;
	size_t bytes;
	int status;
	const char *has;
} bodies[] = {
	{ "as large as may be", ADMIN_BODY_MAX, 400, "this is no JSON" },
	{ "larger by one", ADMIN_BODY_MAX + 1, 400, "the body is too large" },
	{ "larger than evhttp takes", sizeof(big) - 1, 413, "" },
};

ADMIN_TEST(large_bodies)
{
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		memset(big, 'x', bodies[i].bytes);
		big[bodies[i].bytes] = '\0';
		cr_expect_eq(client_post(&c, &h, "/v1/command", big),
		    bodies[i].status, "%s: %s", bodies[i].why, c.text);
		cr_expect_not_null(strstr(c.text, bodies[i].has), "%s",
		    bodies[i].why);
	}
}

static const struct {
	const char *why, *bytes;
	int status;
} broken[] = {
	{ "no HTTP", "hello\r\n\r\n", 400 },
	{ "HTTP of tomorrow", "GET / HTTP/2.0\r\n\r\n", 400 },
	{ "no method we know",
	    "BREW /v1/status HTTP/1.1\r\nConnection: close\r\n\r\n", 405 },
	{ "a path of none", "GET \001 HTTP/1.1\r\nConnection: close\r\n\r\n",
	    404 },
	{ "a field without a colon", "GET / HTTP/1.1\r\nabc\r\n\r\n", 400 },
};

ADMIN_TEST(what_is_no_http)
{
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		client_open(&c, &h, false);
		client_send(&c, broken[i].bytes, strlen(broken[i].bytes));
		client_reads_all(&c);
		client_close(&c);
		cr_expect_eq(client_status(&c), broken[i].status, "%s: %s",
		    broken[i].why, c.text);
	}
	memset(big, 'a', 20000);
	big[20000] = '\0';
	client_open(&c, &h, false);
	client_ask(&c, "GET", "/v1/version", "X: ", NULL);
	client_send(&c, big, 20000);
	client_reads_all(&c);
	client_close(&c);
	cr_expect_neq(client_status(&c), 200, "a head of any size");
	cr_expect_eq(client_get(&c, &h, "/v1/version"), 200, "it goes on");
}

/* ---- TCP ---- */

static const struct {
	const char *why, *bytes;
	int status;
	const char *has;
} tcp[] = {
	{ "shows", "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9180\r\n", 200,
	    "segue_build_info" },
	{ "shows status", "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n", 200,
	    "\"services\"" },
	{ "is alive", "GET /healthz HTTP/1.1\r\nHost: [::1]:9180\r\n", 204,
	    "" },
	{ "tells no credentials",
	    "GET /v1/config HTTP/1.1\r\nHost: localhost\r\n", 403,
	    "may hold credentials" },
	{ "gives no sessions",
	    "GET /v1/pin?to=v1 HTTP/1.1\r\nHost: localhost\r\n", 403,
	    "may hold credentials" },
	{ "nor their length", "HEAD /v1/config HTTP/1.1\r\nHost: localhost\r\n",
	    403, "" },
	{ "changes nothing",
	    "POST /v1/command HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Length: 0\r\n",
	    403, "this port only shows" },
	{ "does not reload",
	    "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Length: 0\r\n",
	    403, "\"error\":\"forbidden\"" },
	{ "not under a name of the web",
	    "GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n", 403,
	    "the Host field" },
	{ "not without a name", "GET /v1/status HTTP/1.1\r\n", 403,
	    "the Host field" },
	{ "nor by the target's name",
	    "GET http://localhost/v1/status HTTP/1.1\r\n"
	    "Host: evil.example\r\n",
	    403, "the Host field" },
};

ADMIN_TEST(tcp_only_shows)
{
	for (size_t i = 0; i < ARRAY_LEN(tcp); i++) {
		client_open(&c, &h, true);
		client_send(&c, tcp[i].bytes, strlen(tcp[i].bytes));
		client_send(&c, "Connection: close\r\n\r\n", 21);
		client_reads_all(&c);
		client_close(&c);
		cr_expect_eq(client_status(&c), tcp[i].status, "%s: %s",
		    tcp[i].why, c.text);
		cr_expect_not_null(strstr(c.text, tcp[i].has), "%s",
		    tcp[i].why);
	}
	cr_expect_eq(h.reloads, 0);
	cr_expect(house_logged(&h,
	    "audit=command who=\"tcp\" result=forbidden why=\"this port only "
	    "shows; changes go through the Unix socket\""));
	cr_expect(house_logged(&h,
	    "audit=reload who=\"tcp\" result=forbidden"));
}

/* ---- roles ---- */

/* Only this thread becomes somebody else (libc would take all along). */
static void
become(uid_t uid)
{
	cr_assert_eq(syscall(SYS_setresuid, -1, uid, -1), 0);
}

static int
as_nobody(const char *method, const char *path, const char *body)
{
	become(65534);
	client_open(&c, &h, false);
	become(0);
	client_ask(&c, method, path, "Connection: close\r\n", body);
	client_reads_all(&c);
	client_close(&c);
	return client_status(&c);
}

/* False: only root can come as somebody else. */
static bool
let_all_connect(void)
{
	if (geteuid() != 0)
		return false;
	cr_assert_eq(chmod(h.dir, 0755), 0);
	cr_assert_eq(chmod(h.socket, 0666), 0);
	return true;
}

#define SHARE                                                                  \
	"{\"verb\":\"share\",\"pool\":\"v2\",\"share\":\"5%\",\"force\":true}"

ADMIN_TEST(who_is_not_listed_may_look)
{
	if (!let_all_connect())
		return;
	cr_expect_eq(as_nobody("GET", "/v1/status", NULL), 200);
	cr_expect_eq(as_nobody("POST", "/v1/command", SHARE), 403);
	cr_expect_not_null(strstr(c.text,
	    "neither you nor a group of yours is in admin.operate"));
	cr_expect_eq(as_nobody("POST", "/v1/reload", ""), 403);
	cr_expect_eq(h.reloads, 0);
	cr_expect(house_logged(&h,
	    "audit=command who=\"nobody(65534)\" result=forbidden"));
	cr_expect(house_logged(&h,
	    "audit=reload who=\"nobody(65534)\" result=forbidden"));
}

HOUSE_TEST(admin, who_is_listed_may_operate, "operate: { users: [ nobody ] }")
{
	if (!let_all_connect())
		return;
	cr_expect_eq(as_nobody("POST", "/v1/command", SHARE), 200, "%s",
	    c.text);
	cr_expect(house_logged(&h,
	    "audit=command who=\"nobody(65534)\" "
	    "service=sso command=\"share v2 5% --force"));
	cr_expect_eq(as_nobody("GET", "/v1/status", NULL), 200);
	cr_expect_not_null(strstr(c.text, "\"changed_by\":\"nobody(65534)\""));
}

HOUSE_TEST(admin, who_is_not_in_view_may_not_look,
    "view: { users: [ daemon ] }")
{
	if (!let_all_connect())
		return;
	cr_expect_eq(as_nobody("GET", "/v1/status", NULL), 403);
	cr_expect_not_null(strstr(c.text, "admin.view"));
	cr_expect_eq(as_nobody("GET", "/v1/events", NULL), 403);
	cr_expect_eq(as_nobody("GET", "/healthz", NULL), 204,
	    "whoever connects may see that it is alive");
}

/* A reload changes who may what, without a new connection even. */
static void
let_nobody_operate(struct house *house, void *arg)
{
	static char nobody[] = "nobody", *users[] = { nobody };
	struct cfg *cfg = drive_cfg(house->drive);

	(void)arg;
	cfg->operate.users = users;
	cfg->operate.n_users = 1;
}

static void
let_none_operate(struct house *house, void *arg)
{
	struct cfg *cfg = drive_cfg(house->drive);

	(void)arg;
	cfg->operate.users = NULL;
	cfg->operate.n_users = 0;
}

ADMIN_TEST(roles_are_read_afresh)
{
	if (!let_all_connect())
		return;
	cr_expect_eq(as_nobody("POST", "/v1/command", SHARE), 403);
	house_do(&h, let_nobody_operate, NULL);
	cr_expect_eq(as_nobody("POST", "/v1/command", SHARE), 200);
	house_do(&h, let_none_operate, NULL);
}

/* ---- stopping ---- */

static void
stop(struct house *house, void *arg)
{
	(void)arg;
	admin_stopping(house->admin);
}

ADMIN_TEST(stopping_refuses_changes)
{
	house_do(&h, stop, NULL);
	cr_expect_eq(client_post(&c, &h, "/v1/command", SHARE), 503);
	cr_expect_not_null(strstr(c.text, "\"error\":\"stopping\""));
	cr_expect_eq(client_post(&c, &h, "/v1/reload", ""), 503);
	cr_expect_eq(h.reloads, 0);
	cr_expect_eq(client_get(&c, &h, "/v1/status"), 200);
	cr_expect_not_null(strstr(c.text, "\"stopping\":true"));
	cr_expect(house_logged(&h, "result=stopping"));
}
