/* Waiting: how it stands, how it ends, how it is left. */
#include "segue/wait.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#include "admin/adminproto.h"
#include "base/json.h"
#include "fake.h"

#define PROGRESS(lasts, in_flight, holds)                                      \
	"event: progress\ndata: {\"lasts_us\":" lasts                          \
	",\"in_flight\":" in_flight                                            \
	",\"streams\":0,\"sessions\":2,\"holds\":\"" holds "\"}\n\n"
#define RESULT(data) "event: result\ndata: " data "\n\n"
#define DONE                                                                   \
	"{\"status\":200,\"result\":\"done\",\"generation\":5,"                \
	"\"took_us\":12300000,\"message\":\"\"}"

/* clang-format off */
static const struct {
	const char *why, *line, *answer;
	enum fake_then then;
	int exit;
	const char *out, *err; /* whole */
} rows[] = {
	{ "a drain", "drain v1 --wait",
	    FAKE_STREAM(PROGRESS("500000", "3", "3 requests in flight")
		RESULT(DONE)), FAKE_STAY, 0,
	    "v1 is drained and may be stopped (took 12.3s)\n",
	    "500ms: 3 requests in flight (in flight 3, sessions 2)\n" },
	{ "a switch with its drain", "switch v2 --when-ready --drain --wait",
	    FAKE_STREAM(RESULT(DONE)), FAKE_CLOSE, 0,
	    "v2 serves all new sessions; those that served before are drained "
	    "and may be stopped (took 12.3s)\n", "" },
	{ "a switch", "switch v2 --when-ready --wait",
	    FAKE_STREAM(RESULT(DONE)), FAKE_CLOSE, 0,
	    "v2 serves all new sessions (took 12.3s)\n", "" },
	{ "the daemon's own words go first", "drain v1 --wait",
	    FAKE_STREAM(RESULT("{\"status\":200,\"message\":\"all gone\"}")),
	    FAKE_CLOSE, 0, "all gone\n", "" },
	{ "JSON is the result, progress is for people",
	    "drain v1 --wait --json",
	    FAKE_STREAM(PROGRESS("500000", "3", "x") RESULT(DONE)),
	    FAKE_STAY, 0, DONE "\n", "" },
	{ "quiet", "drain v1 --wait -q",
	    FAKE_STREAM(PROGRESS("500000", "3", "x") RESULT(DONE)),
	    FAKE_STAY, 0, "", "" },
	{ "what comes fast is told once", "drain v1 --wait",
	    FAKE_STREAM(PROGRESS("1000000", "3", "") PROGRESS("1100000", "2",
		"") PROGRESS("1200000", "1", "") RESULT(DONE)), FAKE_STAY, 0,
	    "v1 is drained and may be stopped (took 12.3s)\n",
	    "1.0s: in flight 3, sessions 2\n" },
	{ "timed out", "drain v1 --wait --timeout 1m",
	    FAKE_STREAM(RESULT("{\"status\":504,\"error\":\"timed_out\","
		"\"message\":\"not done in time; it goes on by itself\"}")),
	    FAKE_STAY, 4, "",
	    "segue: not done in time; it goes on by itself\n" },
	{ "overtaken", "drain v1 --wait",
	    FAKE_STREAM(RESULT("{\"status\":409,\"error\":\"superseded\","
		"\"message\":\"a later command took its place\"}")),
	    FAKE_STAY, 3, "", "segue: a later command took its place\n" },
	{ "refused before it began", "drain v1 --wait",
	    FAKE_JSON("409 No", "{\"error\":\"last_pool\",\"message\":"
		"\"no other pool could serve\"}"), FAKE_CLOSE, 3, "",
	    "segue: no other pool could serve\n" },
	{ "refused as JSON", "drain v1 --wait --json",
	    FAKE_JSON("409 No", "{\"error\":\"last_pool\",\"message\":\"no\"}"),
	    FAKE_CLOSE, 3, "{\"error\":\"last_pool\",\"message\":\"no\"}\n",
	    "segue: no\n" },
	{ "a daemon that does not stream", "drain v1 --wait",
	    FAKE_JSON("200 OK", "{\"result\":\"done\",\"took_us\":0}"),
	    FAKE_CLOSE, 0, "v1 is drained and may be stopped (took 0us)\n",
	    "" },
	{ "the daemon goes away", "drain v1 --wait",
	    FAKE_STREAM(PROGRESS("500000", "3", "")), FAKE_CLOSE, 5, "",
	    "500ms: in flight 3, sessions 2\n"
	    "segue: segued ended the answer without a result; what was begun "
	    "goes on, \"segue status\" shows it\n" },
	{ "a result that is none", "drain v1 --wait",
	    FAKE_STREAM(RESULT("nonsense")), FAKE_STAY, 1, "",
	    "segue: segued answered with status 500 and no explanation\n" },
	{ "odd progress", "drain v1 --wait",
	    FAKE_STREAM("event: progress\ndata: nonsense\n\n" RESULT(DONE)),
	    FAKE_STAY, 0, "v1 is drained and may be stopped (took 12.3s)\n",
	    "-: in flight -, streams -, sessions -\n" },
	{ "interrupted", "drain v1 --wait",
	    FAKE_STREAM(PROGRESS("500000", "3", "")), FAKE_SIGNAL, 130, "",
	    "500ms: in flight 3, sessions 2\n"
	    "segue: no longer waiting; the drain of v1 goes on, \"segue "
	    "status\" shows it\n" },
	{ "interrupted as JSON", "switch v2 --drain --wait --json",
	    FAKE_STREAM(PROGRESS("500000", "3", "")), FAKE_SIGNAL, 130,
	    "{\"error\":\"interrupted\",\"message\":\"no longer waiting; the "
	    "switch to v2 goes on, \\\"segue status\\\" shows it\"}\n",
	    "segue: no longer waiting; the switch to v2 goes on, \"segue "
	    "status\" shows it\n" },
};
/* clang-format on */

Test(wait, endings, .timeout = 20)
{
	(void)signal(SIGINT, SIG_DFL); /* whoever runs us may ignore it */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct fake_row says[] = {
			{ "POST /v1/command ", rows[i].answer, rows[i].then },
			{ NULL, NULL, FAKE_CLOSE },
		};
		struct fake *f = fake_start(says);
		struct typed t = type(fake_socket(f), rows[i].line);

		cr_expect_eq(t.exit, rows[i].exit, "%s: exit %d", rows[i].why,
		    t.exit);
		cr_expect_str_eq(t.out, rows[i].out, "%s: out: %s", rows[i].why,
		    t.out);
		cr_expect_str_eq(t.err, rows[i].err, "%s: err: %s", rows[i].why,
		    t.err);
		cr_expect_not_null(strstr(fake_asked(f),
		    "Accept: text/event-stream\r\n"));
		cr_expect_not_null(strstr(fake_asked(f), "\"wait\":true"));
		typed_free(&t);
		fake_stop(&f);
	}
}

Test(wait, bound_is_the_daemons, .timeout = 10)
{
	static const struct fake_row says[] = {
		{ "POST ", FAKE_STREAM(RESULT(DONE)), FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};
	struct fake *f = fake_start(says);
	struct typed t = type(fake_socket(f),
	    "drain v1 --wait --timeout 1m30s");

	cr_expect_not_null(strstr(fake_asked(f),
	    "\"wait\":true,\"wait_us\":90000000}"));
	typed_free(&t);
	fake_stop(&f);
}

/* clang-format off */
static const struct {
	const char *why, *in, *out;
} stands[] = {
	{ "all", "{\"lasts_us\":1500000,\"in_flight\":3,\"streams\":2,"
	    "\"sessions\":1234,\"holds\":\"a is down\"}",
	    "1.5s: a is down (in flight 3, streams 2, sessions 1,234)" },
	{ "zeros are left out", "{\"lasts_us\":1500000,\"in_flight\":0,"
	    "\"streams\":0,\"sessions\":0,\"holds\":\"a is down\"}",
	    "1.5s: a is down" },
	{ "nothing holds it", "{\"lasts_us\":1500000,\"in_flight\":0,"
	    "\"streams\":0,\"sessions\":0,\"holds\":\"\"}",
	    "1.5s: waiting" },
	{ "nothing is known", "{}",
	    "-: in flight -, streams -, sessions -" },
	{ "odd", "{\"lasts_us\":-1,\"in_flight\":\"x\",\"streams\":null,"
	    "\"sessions\":0,\"holds\":\"\\u001b[2J\"}",
	    "-: ?[2J (in flight -, streams -)" },
};
/* clang-format on */

Test(wait, line, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(stands); i++) {
		struct buf out = BUF_INIT;
		char why[128];
		struct json *doc = json_read(str_of(stands[i].in), why,
		    sizeof(why));

		wait_line(doc, &out);
		cr_expect_str_eq(out.p, stands[i].out, "%s: %s", stands[i].why,
		    out.p);
		json_free(&doc);
		buf_free(&out);
	}
}

/* clang-format off */
static const struct {
	const char *why, *a, *b;
	bool differs;
} lines[] = {
	{ "the same", "1.0s: in flight 3", "1.0s: in flight 3", false },
	{ "time goes on", "1.0s: in flight 3", "1m05s: in flight 3", false },
	{ "a request ends", "1.0s: in flight 3", "1.0s: in flight 2", true },
	{ "a clock in the sentence",
	    "1.0s: in flight 3: cut in 59.0s; 2 streams open, cut in 4m59s",
	    "2.0s: in flight 3: cut in 58.0s; 2 streams open, cut in 4m58s",
	    false },
	{ "another sentence", "1.0s: in flight 3: a is down",
	    "1.0s: in flight 3: b is down", true },
	{ "numbers that are no clocks", "1.0s: in flight 3: 2 streams open",
	    "1.0s: in flight 3: 1 streams open", true },
};
/* clang-format on */

Test(wait, differs, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		cr_expect_eq(wait_differs(str_of(lines[i].a),
		                 str_of(lines[i].b)),
		    lines[i].differs, "%s", lines[i].why);
}
