/* The whole program against a daemon that says what a row wants. */
#include "segue/run.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "fake.h"
#include "segue/answer.h"
#include "segue/client.h"

#define DONE                                                                   \
	FAKE_JSON("200 OK",                                                    \
	    "{\"result\":\"done\",\"generation\":5,\"took_us\":900,"           \
	    "\"message\":\"\"}")
#define REFUSAL(status, name, message)                                         \
	FAKE_JSON(status,                                                      \
	    "{\"error\":\"" name "\",\"message\":\"" message "\"}")
#define STATUS                                                                 \
	FAKE_JSON("200 OK",                                                    \
	    "{\"services\":[{\"name\":\"sso\",\"pools\":["                     \
	    "{\"name\":\"v1\",\"instances\":[{\"name\":\"a\"},"                \
	    "{\"name\":\"both\"}]},{\"name\":\"v2\",\"instances\":["           \
	    "{\"name\":\"bee\"},{\"name\":\"both\"}]}]},"                      \
	    "{\"name\":\"mail\",\"pools\":[{\"name\":\"m1\",\"instances\":["   \
	    "{\"name\":\"a\"}]}]}]}")

struct row {
	const char *why, *line;
	int exit;
	const char *out, *err; /* a part of each; NULL: it is empty */
	const char *asked;     /* a part of it; NULL: nothing was asked */
};

static void
check(const struct fake_row *says, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct fake *f = fake_start(says);
		struct typed t = type(fake_socket(f), rows[i].line);
		const char *asked = fake_asked(f);

		cr_expect_eq(t.exit, rows[i].exit, "%s: exit %d, %s%s",
		    rows[i].why, t.exit, t.out, t.err);
		if (rows[i].out == NULL)
			cr_expect_str_eq(t.out, "", "%s", rows[i].why);
		else
			cr_expect_not_null(strstr(t.out, rows[i].out),
			    "%s: out: %s", rows[i].why, t.out);
		if (rows[i].err == NULL)
			cr_expect_str_eq(t.err, "", "%s", rows[i].why);
		else
			cr_expect_not_null(strstr(t.err, rows[i].err),
			    "%s: err: %s", rows[i].why, t.err);
		if (rows[i].asked == NULL)
			cr_expect_str_eq(asked, "", "%s", rows[i].why);
		else
			cr_expect_not_null(strstr(asked, rows[i].asked),
			    "%s: asked: %s", rows[i].why, asked);
		typed_free(&t);
		fake_stop(&f);
	}
}

/* ---- what is asked for ---- */

/* clang-format off */
static const struct row commands[] = {
	{ "share", "share v2 10", 0, "v2 gets 10% of new sessions\n", NULL,
	    "\r\n\r\n{\"verb\":\"share\",\"pool\":\"v2\",\"share\":\"10%\"}" },
	{ "switch", "switch v2", 0, "v2 serves all new sessions\n", NULL,
	    "{\"verb\":\"switch\",\"pool\":\"v2\"}" },
	{ "switch later", "switch v2 --when-ready --drain --grace 5m", 0,
	    "v2 serves all new sessions once it is ready; then those that "
	    "served before drain\n", NULL,
	    "{\"verb\":\"switch\",\"pool\":\"v2\",\"when_ready\":true,"
	    "\"drain\":true,\"flows\":\"5m\"}" },
	{ "drain with everything",
	    "--service sso drain v1 --mode move --grace 1m --requests 2s "
	    "--streams 3s --force", 0, "v1 drains", NULL,
	    "{\"verb\":\"drain\",\"pool\":\"v1\",\"service\":\"sso\","
	    "\"force\":true,\"mode\":\"move\",\"flows\":\"1m\","
	    "\"requests\":\"2s\",\"streams\":\"3s\"}" },
	{ "undrain", "undrain v1", 0, "v1 drains no longer\n", NULL,
	    "{\"verb\":\"undrain\",\"pool\":\"v1\"}" },
	{ "add", "add-instance v2 10.0.0.9:80 --weight 3", 0,
	    "10.0.0.9:80 was added to v2", NULL,
	    "{\"verb\":\"add-instance\",\"pool\":\"v2\",\"address\":"
	    "\"10.0.0.9:80\",\"instance\":\"10.0.0.9:80\",\"weight\":3}" },
	{ "add with a name", "add-instance v2 10.0.0.9:80 --name nine", 0,
	    "10.0.0.9:80 was added to v2", NULL,
	    "\"address\":\"10.0.0.9:80\",\"instance\":\"nine\"}" },
	{ "instance whose pool is named", "instance both maint --pool v1", 0,
	    "both is out for maintenance\n", NULL,
	    "{\"verb\":\"instance\",\"instance\":\"both\",\"admin\":\"maint\","
	    "\"pool\":\"v1\"}" },
	{ "instance of one pool", "instance bee drain", 0,
	    "bee gets nothing new; its work ends\n", NULL, "\"pool\":\"v2\"" },
	{ "instance of one service's pool", "instance a in --service mail", 0,
	    "a is in\n", NULL, "\"service\":\"mail\",\"pool\":\"m1\"" },
	{ "remove", "remove-instance bee", 0, "bee was removed\n", NULL,
	    "{\"verb\":\"remove-instance\",\"instance\":\"bee\","
	    "\"pool\":\"v2\"}" },
	{ "a rollout as it was planned",
	    "apply c1d4e9-09ab31-77e2f0 --to v2 --service sso", 0,
	    "the rollout to v2 has begun; \"segue rollout status\" shows where "
	    "it is\n", NULL,
	    "{\"verb\":\"rollout\",\"action\":\"start\","
	    "\"plan\":\"c1d4e9-09ab31-77e2f0\",\"service\":\"sso\","
	    "\"pool\":\"v2\"}" },
	{ "a rehearsal", "rollout start --to v2 --rehearse", 0,
	    "the rehearsal of a rollout to v2 has begun; \"segue rollout "
	    "status\" shows where it is\n", NULL,
	    "{\"verb\":\"rollout\",\"action\":\"start\",\"pool\":\"v2\","
	    "\"rehearse\":true}" },
	{ "a rehearsal of what is no start", "rollout approve --rehearse", 2,
	    NULL, "segue: --rehearse is for rollout start\n", NULL },
	{ "apply needs a pool", "apply c1d4e9-09ab31-77e2f0", 2, NULL,
	    "segue: apply needs --to POOL\n", NULL },
	{ "apply needs a mark", "apply --to v2", 2, NULL,
	    "segue: apply needs its MARK", NULL },
	{ "instance of two pools", "instance both maint", 2, NULL,
	    "segue: pools v1 and v2 both have an instance both; name one with "
	    "--pool\n", "GET /v1/status" },
	{ "instance of two services", "remove-instance a", 2, NULL,
	    "segue: services sso and mail both have an instance a; name one "
	    "with --service\n", "GET /v1/status" },
	{ "instance of none", "instance be maint", 2, NULL,
	    "segue: no pool has an instance be; did you mean bee?\n",
	    "GET /v1/status" },
	{ "clock without a drain", "switch v2 --grace 3s", 2, NULL,
	    "segue: --grace is for a drain; add --drain\n", NULL },
	{ "quiet", "-q undrain v1", 0, NULL, NULL, "undrain" },
	{ "JSON is the daemon's document", "undrain v1 --json", 0,
	    "{\"result\":\"done\",\"generation\":5,\"took_us\":900,"
	    "\"message\":\"\"}\n", NULL, "undrain" },
};
/* clang-format on */

Test(run, commands, .timeout = 20)
{
	static const struct fake_row says[] = {
		{ "POST /v1/command ", DONE, FAKE_CLOSE },
		{ "GET /v1/status ", STATUS, FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};

	check(says, commands, ARRAY_LEN(commands));
}

/* ---- plans ---- */

#define HELD(more) "{\"step\":1,\"writes_only\":true,\"perhaps\":true," more "}"
#define PLAN_TO_V2(refused, message, outage)                                   \
	FAKE_JSON("200 OK",                                                    \
	    "{\"service\":\"sso\",\"to\":\"v2\","                              \
	    "\"mark\":\"c1d4e9-09ab31-77e2f0\",\"refused\":" refused           \
	    ",\"message\":\"" message "\",\"steps\":[{\"step\":\"ready\","     \
	    "\"text\":\"ready\",\"limit_s\":600}],\"pools\":[{\"name\":"       \
	    "\"v1\",\"drains\":true,\"sessions\":41,\"streams\":2},"           \
	    "{\"name\":\"v2\",\"drains\":false,\"sessions\":7,\"streams\":0,"  \
	    "\"ready\":false,\"unready\":\"i1 is down\"},{\"name\":\"v3\","    \
	    "\"drains\":false,\"sessions\":0,\"streams\":0,\"ready\":false}]," \
	    "\"outage\":" outage                                               \
	    ",\"drain\":{\"mode\":\"keep\",\"flows_us\":60000000}}")

/* clang-format off */
static const struct row plans[] = {
	{ "its end is the way to it", "plan --to v2", 0,
	    "\nit can begin now; as it stands here: segue apply "
	    "c1d4e9-09ab31-77e2f0 --to v2\n", NULL, "GET /v1/plan?to=v2 " },
	{ "with the service", "plan --to v2 --service sso", 0,
	    "c1d4e9-09ab31-77e2f0 --to v2 --service sso\n", NULL,
	    "GET /v1/plan?to=v2&service=sso " },
	{ "who drains", "plan --to v2", 0,
	    "v1 would drain, mode keep: 41 sessions for 1m00s at most, 2 "
	    "streams\nv2 keeps 7 sessions, 0 streams\n"
	    "v2 is not ready now: i1 is down\nno request would be held\n"
	    "it can begin now;", NULL, "" },
	{ "a pool is needed", "plan", 2, NULL,
	    "segue: plan needs --to POOL\n", NULL },
};
static const struct row held[] = {
	{ "an outage", "plan --to v2", 0,
	    "\nrequests that may change something would wait from step 2 on, "
	    "if the check says so, 5m00s at most; 1.8s last time\n", NULL, "" },
};
static const struct row held_without_bound[] = {
	{ "an outage that may last", "plan --to v2", 0,
	    "\nrequests that may change something would wait from step 2 on, "
	    "if the check says so\n", NULL, "" },
};
static const struct row refused_plans[] = {
	{ "refused", "plan --to v2", 3, "ready", "segue: it would be refused "
	    "now: v2 is draining\n", "" },
	{ "refused, as JSON", "plan --to v2 --json", 3,
	    "\"mark\":\"c1d4e9-09ab31-77e2f0\"", NULL, "" },
};
/* clang-format on */

Test(run, plans, .timeout = 20)
{
	static const struct fake_row good[] = {
		{ "GET /v1/plan", PLAN_TO_V2("null", "", "null"), FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};
	static const struct fake_row bad[] = {
		{ "GET /v1/plan",
		    PLAN_TO_V2("\"draining\"", "v2 is draining", "null"),
		    FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};

	static const struct fake_row long_one[] = {
		{ "GET /v1/plan",
		    PLAN_TO_V2("null", "",
		        HELD("\"at_most_s\":300,\"last_s\":1.8")),
		    FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};
	static const struct fake_row endless[] = {
		{ "GET /v1/plan",
		    PLAN_TO_V2("null", "",
		        HELD("\"at_most_s\":null,\"last_s\":null")),
		    FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};

	check(good, plans, ARRAY_LEN(plans));
	check(long_one, held, ARRAY_LEN(held));
	check(endless, held_without_bound, ARRAY_LEN(held_without_bound));
	check(bad, refused_plans, ARRAY_LEN(refused_plans));
}

/* ---- what goes wrong ---- */

/* clang-format off */
static const struct {
	const char *why, *answer;
	int exit;
	const char *err;
} refusals[] = {
	{ "refused", REFUSAL("409 Conflict", "not_ready", "v1 is not ready"),
	    3, "segue: v1 is not ready\n" },
	{ "a refusal this program does not know",
	    REFUSAL("409 Conflict", "moon_phase", "not tonight"), 3,
	    "segue: not tonight\n" },
	{ "a plan of another world",
	    REFUSAL("409 Conflict", "moved", "a share has changed"), 3,
	    "segue: a share has changed\n" },
	{ "no such pool", REFUSAL("404 Not Found", "no_pool", "no v1"), 2,
	    "segue: no v1\n" },
	{ "bad value", REFUSAL("400 Bad Request", "bad_value", "odd"), 2,
	    "segue: odd\n" },
	{ "not allowed", REFUSAL("403 Forbidden", "forbidden", "you may not"),
	    1, "segue: you may not\n" },
	{ "disk", REFUSAL("500 Oh", "disk", "no room"), 1,
	    "segue: no room\n" },
	{ "stopping", REFUSAL("503 Oh", "stopping", "bye"), 1,
	    "segue: bye\n" },
	{ "timed out", REFUSAL("504 Late", "timed_out", "it goes on"), 4,
	    "segue: it goes on\n" },
	{ "an error without a name", FAKE_JSON("500 Oh", "{}"), 1,
	    "segue: segued answered with status 500 and no explanation\n" },
	{ "an error that is no JSON",
	    "HTTP/1.1 502 Bad\r\nContent-Type: text/html\r\n\r\n<p>", 1,
	    "segue: segued answered with status 502 and no explanation\n" },
	{ "an error's list",
	    FAKE_JSON("422 Oh", "{\"error\":\"config\",\"message\":\"bad\","
		"\"problems\":[\"f:1:2: x\",7,\"f:2:3: \\u001b[2J\"]}"), 1,
	    "segue: bad\n  f:1:2: x\n  f:2:3: ?[2J\n" },
	{ "no HTTP", "220 mail ESMTP\r\n", 1,
	    "segue: segued's answer cannot be read: malformed" },
	{ "closed at once", "", 5,
	    "segue: segued closed the connection before its answer was "
	    "complete; whether it was carried out is not known" },
	{ "closed in between",
	    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", 5,
	    "segue: segued closed the connection" },
};
/* clang-format on */

Test(run, refusals, .timeout = 20)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct fake_row says[] = {
			{ "POST ", refusals[i].answer, FAKE_CLOSE },
			{ NULL, NULL, FAKE_CLOSE },
		};
		const struct row row = { refusals[i].why, "drain v1",
			refusals[i].exit, NULL, refusals[i].err, "drain" };

		check(says, &row, 1);
	}
}

/* With --json an error is a document too: the daemon's, or one of ours. */
Test(run, refusals_as_json, .timeout = 20)
{
	static const struct fake_row says[] = {
		{ "POST ", REFUSAL("409 No", "not_ready", "v1 is not ready"),
		    FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};
	static const struct row rows[] = {
		{ "the daemon's", "drain v1 --json", 3,
		    "{\"error\":\"not_ready\",\"message\":"
		    "\"v1 is not ready\"}\n",
		    "segue: v1 is not ready\n", "drain" },
		{ "cut", "status --json", 5, "{\"error\":\"cut\",\"message\":",
		    "segue: segued closed", "GET" },
		{ "usage", "drain --json", 2,
		    "{\"error\":\"usage\",\"message\":\"drain needs its POOL;",
		    "segue: drain needs its POOL", NULL },
		{ "usage, the option behind the fault", "drian --json", 2,
		    "{\"error\":\"usage\",\"message\":\"there is no command",
		    "did you mean drain?", NULL },
	};

	check(says, rows, ARRAY_LEN(rows));
}

Test(run, hangs, .timeout = 20)
{
	static const struct fake_row says[] = {
		{ "GET /v1/status ", "", FAKE_STAY },
		{ "GET /v1/version ", "HTTP/1.1 200 OK\r\n\r\n{", FAKE_STAY },
		{ NULL, NULL, FAKE_CLOSE },
	};
	static const struct row rows[] = {
		{ "says nothing", "status --timeout 50ms", 5, NULL,
		    "segue: segued took the connection, but did not answer "
		    "within 50.0ms\n",
		    "GET" },
		{ "does not end", "version --timeout 50ms", 5, "segue ",
		    "segue: segued began to answer, but did not end within "
		    "50.0ms\n",
		    "GET" },
	};

	check(says, rows, ARRAY_LEN(rows));
}

/* ---- nobody there ---- */

static void
expect_unreachable(const char *socket, const char *err)
{
	struct typed t = type(socket, "status");

	cr_expect_eq(t.exit, SEGUE_EXIT_UNREACHABLE);
	cr_expect_not_null(strstr(t.err, err), "%s", t.err);
	cr_expect(t.err[0] == '\0' || strstr(t.err, socket) != NULL,
	    "it names the socket: %s", t.err);
	typed_free(&t);
}

Test(run, unreachable, .timeout = 10)
{
	char dir[] = "/tmp/segue-test-XXXXXX", path[64], longer[256];
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	FILE *f;

	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	expect_unreachable(path,
	    "there is no such socket (is segued running?)");

	(void)str_copy(str_of(path), sun.sun_path, sizeof(sun.sun_path));
	cr_assert_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	expect_unreachable(path, "nobody listens there (is segued running?)");
	close(fd);
	unlink(path);

	f = fopen(path, "w");
	cr_assert_not_null(f);
	fclose(f);
	expect_unreachable(path, "it is no socket");
	unlink(path);
	rmdir(dir);

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	expect_unreachable(longer, "the path is too long for a socket");
}

/* As root nothing is denied, so errno is given. */
Test(run, denied, .timeout = 5)
{
	char dir[] = "/tmp/segue-test-XXXXXX", path[64], why[512];
	FILE *f;

	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	client_explain(path, EACCES, why, sizeof(why));
	cr_expect_not_null(strstr(why, "may not enter its directory"), "%s",
	    why);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	cr_assert_eq(fchmod(fileno(f), 0660), 0);
	fclose(f);
	client_explain(path, EACCES, why, sizeof(why));
	cr_expect_not_null(strstr(why, "permission denied"), "%s", why);
	cr_expect_not_null(strstr(why, "mode 0660"), "%s", why);
	unlink(path);
	rmdir(dir);
}

Test(run, socket_of_the_environment, .timeout = 10)
{
	static const struct fake_row says[] = {
		{ "GET /v1/config ",
		    "HTTP/1.1 200 OK\r\nContent-Type: application/yaml\r\n"
		    "Content-Length: 11\r\n\r\nworkers: 2\n",
		    FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};
	struct fake *f = fake_start(says);
	struct typed t;

	setenv("SEGUE_SOCKET", fake_socket(f), 1);
	t = type(NULL, "config");
	cr_expect_eq(t.exit, 0);
	cr_expect_str_eq(t.out, "workers: 2\n", "byte for byte");
	typed_free(&t);
	t = type(NULL, "config --json");
	cr_expect_str_eq(t.out, "{\"yaml\":\"workers: 2\\n\"}\n");
	typed_free(&t);
	t = type("/nonexistent/s", "config");
	cr_expect_eq(t.exit, SEGUE_EXIT_UNREACHABLE, "the option is nearer");
	typed_free(&t);
	fake_stop(&f);
}

/* ---- what is looked at ---- */

#define EVENT(id, text)                                                        \
	"id: " id "\ndata: {\"id\":" id ",\"time\":\"T\",\"type\":\"pool\","   \
	"\"service\":\"sso\",\"pool\":\"" text "\",\"text\":\"moved\","        \
	"\"who\":\"root\"}\n\n"

/* clang-format off */
static const struct row looks[] = {
	{ "pools", "pools", 0, "v1", NULL, "GET /v1/status " },
	{ "one service's", "pools --service mail", 0, "m1", NULL, "GET" },
	{ "JSON is the whole document", "pools --json --service mail", 0,
	    "{\"services\":[{\"name\":\"sso\"", NULL, "GET" },
	{ "no such service", "status --service mali", 2, NULL,
	    "there is no service mali; did you mean mail?", "GET" },
	{ "no such pool", "instances --pool m2", 2, NULL,
	    "there is no pool m2", "GET" },
	{ "events", "events", 0, "T  pool     sso/v1: moved (by root)\n", NULL,
	    "GET /v1/events?last=20&follow=0 " },
	{ "so many events", "events --last 3", 0, "sso/v2: moved", NULL,
	    "GET /v1/events?last=3&follow=0 " },
	{ "events of a pool", "events --pool v2", 0,
	    "T  pool     sso/v2: moved (by root)\n", NULL, "GET" },
	{ "events as they are", "events --json --pool v2", 0,
	    "{\"id\":2,\"time\":\"T\"", NULL, "GET" },
	{ "followed to the daemon's end", "events -f", 5, "sso/v2: moved",
	    "segue: segued ended the events\n",
	    "GET /v1/events?last=20&follow=1 " },
	{ "version", "version", 0, "segued 9.9, protocol 1, pid 7, up 5s\n",
	    NULL, "GET /v1/version " },
	{ "reload", "reload", 0, "reloaded, generation 8; some of it needs a "
	    "restart\n  changed        a: 1 -> 2\n"
	    "  needs restart  b: 3 -> 4\n  warning        odd\n", NULL,
	    "POST /v1/reload " },
	{ "help asks nobody", "help drain", 0, "usage: segue drain POOL", NULL,
	    NULL },
	{ "so does --help", "drain --help", 0, "usage: segue drain POOL",
	    NULL, NULL },
	{ "help on nothing", "help drian", 2, NULL, "did you mean drain?",
	    NULL },
	{ "--version", "--version", 0, "segue ", NULL, NULL },
	{ "nothing typed", "", 2, NULL, "usage: segue COMMAND", NULL },
};
/* clang-format on */

Test(run, looks, .timeout = 20)
{
	static const struct fake_row says[] = {
		{ "GET /v1/status ", STATUS, FAKE_CLOSE },
		{ "GET /v1/events?",
		    FAKE_STREAM(EVENT("1", "v1") EVENT("2", "v2")),
		    FAKE_CLOSE },
		{ "GET /v1/version ",
		    FAKE_JSON("200 OK",
		        "{\"version\":\"9.9\",\"protocol\":1,\"pid\":7,"
		        "\"uptime_s\":5}"),
		    FAKE_CLOSE },
		{ "POST /v1/reload ",
		    FAKE_JSON("200 OK",
		        "{\"result\":\"done\",\"generation\":8,"
		        "\"changed\":[\"a: 1 -> 2\"],"
		        "\"restart\":[\"b: 3 -> 4\"],\"warnings\":[\"odd\"]}"),
		    FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};

	check(says, looks, ARRAY_LEN(looks));
}

Test(run, events_cut, .timeout = 10)
{
	static const struct fake_row says[] = {
		{ "GET /v1/events?last=1&",
		    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n",
		    FAKE_CLOSE },
		{ "GET /v1/events?",
		    REFUSAL("503 Busy", "busy", "too many follow"),
		    FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};
	static const struct row rows[] = {
		{ "the daemon stops", "events -f --last 1", 5, NULL,
		    "segue: segued ended the events\n", "GET" },
		{ "cut where it should have ended", "events --last 1", 5, NULL,
		    "segue: segued closed the connection", "GET" },
		{ "refused", "events -f", 1, NULL, "segue: too many follow\n",
		    "GET" },
	};

	check(says, rows, ARRAY_LEN(rows));
}

/* What is no status document is no reason to show an empty screen. */
Test(run, not_segued, .timeout = 10)
{
	static const struct fake_row says[] = {
		{ "GET /v1/status ",
		    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>hi",
		    FAKE_CLOSE },
		{ "GET /v1/version ", FAKE_JSON("200 OK", "[1,2"), FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};
	static const struct row rows[] = {
		{ "HTML", "status", 1, NULL, "is no JSON; is it segued",
		    "GET" },
		{ "half a document", "version", 1, "segue ",
		    "is no JSON; is it segued", "GET" },
	};

	check(says, rows, ARRAY_LEN(rows));
}

/* Output that cannot be written is an error, not silence. */
Test(run, full_disk, .timeout = 5)
{
	char *argv[] = { (char[]){ "segue" }, (char[]){ "--version" }, NULL };
	FILE *full = fopen("/dev/full", "w"), *err = tmpfile();

	cr_assert_not_null(full);
	cr_assert_not_null(err);
	cr_expect_eq(run_main(2, argv, full, err), SEGUE_EXIT_FAILED);
	cr_expect_gt(ftell(err), 0, "and it says so");
	fclose(full);
	fclose(err);
}

/* ---- exit codes by name and status ---- */

Test(answer, exits, .timeout = 5)
{
	/* clang-format off */
	static const struct {
		const char *error;
		int status, exit;
	} rows[] = {
		{ NULL, 200, 0 }, { NULL, 204, 0 }, { "busy", 503, 1 },
		{ "not_ready", 409, 3 }, { NULL, 409, 3 }, { NULL, 504, 4 },
		{ NULL, 500, 1 }, { "unheard_of", 404, 1 }, { NULL, 0, 1 },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(answer_exit(rows[i].error, rows[i].status),
		    rows[i].exit, "%s %d", rows[i].error, rows[i].status);
#define X(id, name, http, exit)                                                \
	cr_expect_eq(answer_exit(name, http), SEGUE_EXIT_##exit, "%s", name);
	ADMIN_ERRORS(X)
#undef X
}
