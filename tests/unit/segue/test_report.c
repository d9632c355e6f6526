/* What a rollout has come to, those before it, and a service that is held. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "segue/view.h"

#define DAY "2026-11-25T"

/* clang-format off */
static const char service[] =
	"{'now':'" DAY "13:25:42.500Z','services':[{'name':'sso','pools':[],"
	"'hold':{'what':'none','since':null,'held':0,'max':1000},"
	"'rollout':{'id':3,'to':'v2','stand':'done','failed':false,"
	"'where':'done','who':'root','began':'" DAY "13:24:42.000Z',"
	"'ended':'" DAY "13:25:12.000Z','held_s':4.2,'version':'2.0','at':4,"
	"'report':{'whole':true,'counted_since':'" DAY "13:24:42.000Z',"
	"'accepted':12345,'answered':12330,'ours':3,'client':1,'deadline':0,"
	"'fault':0,'in_flight':11,'holds':true,'refused':0,'retries':4,"
	"'held':1234,'released':1230,'moved':7,"
	"'streams_ended':{'ended':5,'closed':6,'cut':8},"
	"'pools':[{'name':'v1','requests':12000,'failed':0},"
	"{'name':'v2','requests':345,'failed':2}]},"
	"'past':[{'id':1,'to':'v2','version':'2.0','stand':'aborted',"
	"'began':'" DAY "11:00:00.000Z','held_s':0,'accepted':99,'fault':1},"
	"{'id':2,'to':'v1','version':'','stand':'rolled_back',"
	"'began':'" DAY "12:00:00.000Z','held_s':61,'accepted':7,'fault':0}],"
	"'steps':[{'text':'check revision','lasted_s':0.5,'said':''},"
	"{'text':'share 5%','lasted_s':0,'skipped':true,'said':''},"
	"{'text':'hold','lasted_s':1.5,'said':''},"
	"{'text':'job migrate','lasted_s':3,'said':'table 7 of 7'}]}}]}";
/* clang-format on */

/* With the first of from as to. */
static struct json *
document(const char *from, const char *to)
{
	const char *at = strstr(service, from);
	struct buf text = BUF_INIT;
	struct json *doc;
	char why[128];

	cr_assert_not_null(at, "there is no %s", from);
	buf_printf(&text, "%.*s%s%s", (int)(at - service), service, to,
	    at + strlen(from));
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] == '\'')
			text.p[i] = '"';
	doc = json_read(buf_str(&text), why, sizeof(why));
	cr_assert_not_null(doc, "%s: %s", why, text.p);
	buf_free(&text);
	return doc;
}

static char *
seen(view_fn *view, const char *from, const char *to)
{
	const struct view v = { .colour = false };
	struct json *doc = document(from, to);
	struct buf out = BUF_INIT;

	view(doc, &v, &out);
	json_free(&doc);
	return buf_take(&out);
}

Test(report, whole, .timeout = 5)
{
	char *out = seen(view_report, "", "");

	/* clang-format off */
	cr_expect_str_eq(out,
"sso to v2: done; begun 1m01s ago by root, ended 30.5s ago\n"
"  0 lost: each of 12,345 requests has ended well or is on its way\n"
"  accepted 12,345 = answered 12,330 + ours 3 + client 1 + deadline 0"
" + fault 0 + in flight 11; adds up\n"
"  v1: 12,000 requests, 0 failed\n"
"  v2: 345 requests, 2 failed\n"
"  4 retries, 7 requests of sessions that moved\n"
"  streams: 5 ended by themselves, 6 closed, 8 cut\n"
"  held for 4.2s: 1,234 requests, 1,230 of them sent on\n"
"  N  STEP            LASTED  SAID\n"
"  1  check revision   500ms  -\n"
"  2  share 5%             -  skipped\n"
"  3  hold              1.5s  -\n"
"  4  job migrate         3s  table 7 of 7\n", "%s", out);
	/* clang-format on */
	free(out);
}

Test(report, history, .timeout = 5)
{
	char *out = seen(view_history, "", "");

	/* clang-format off */
	cr_expect_str_eq(out,
"sso\n"
"  N  TO  VERSION  BEGAN                     HOW          REQUESTS  FAULTS"
"   HELD\n"
"  1  v2  2.0      " DAY "11:00:00.000Z  aborted            99       1"
"     0s\n"
"  2  v1  -        " DAY "12:00:00.000Z  rolled_back         7       0"
"  1m01s\n"
"  3  v2  2.0      " DAY "13:24:42.000Z  done           12,345       0"
"   4.2s\n", "%s", out);
	/* clang-format on */
	free(out);
}

static const struct {
	const char *why, *from, *to, *says;
} rows[] = {
	{ "none is lost", "", "",
	    "\n  0 lost: each of 12,345 requests has ended well or is on its "
	    "way\n" },
	{ "one failed", "'fault':0", "'fault':1",
	    "\n  of 12,345 requests 1 failed by an instance's fault, 0 at a "
	    "deadline, and 0 found nobody or no room\n" },
	{ "one was late", "'deadline':0", "'deadline':2",
	    " 0 failed by an instance's fault, 2 at a deadline, and 0 " },
	{ "some were refused", "'refused':0", "'refused':3",
	    ", and 3 found nobody or no room\n" },
	{ "nobody knows of refusals", "'refused':0", "'x':3",
	    ", and - found nobody or no room\n" },
	{ "it does not add up", "'holds':true", "'holds':false",
	    "\n  this is no certificate: the account does not hold\n" },
	{ "nobody says whether it does", "'holds':true", "'x':true",
	    "\n  this is no certificate: the account does not hold\n" },
	{ "a part of it", "'whole':true", "'whole':false",
	    "\n  this is no certificate: not all that came before "
	    "2026-11-25T13:24:42.000Z was counted by a process that is "
	    "there\n" },
	{ "some were held", "", "",
	    "\n  held for 4.2s: 1,234 requests, 1,230 of them sent on\n" },
	{ "one is to come", "'at':4", "'at':2",
	    "4  job migrate          -  table 7 of 7\n" },
};

Test(report, sentences, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *out = seen(view_report, rows[i].from, rows[i].to);

		cr_expect_not_null(strstr(out, rows[i].says), "%s:\n%s",
		    rows[i].why, out);
		free(out);
	}
}

Test(report, of_a_rehearsal, .timeout = 5)
{
	char *out = seen(view_report, "'stand':'done'",
	    "'stand':'done','rehearsal':true");

	cr_expect_not_null(
	    strstr(out, "\n  a rehearsal: it has moved nothing\n"), "%s", out);
	free(out);
	out = seen(view_history, "'stand':'aborted'",
	    "'stand':'aborted','rehearsal':true");
	cr_expect_not_null(strstr(out, "  aborted (rehearsal)  "), "%s", out);
	cr_expect_not_null(strstr(out, "  rolled_back          "), "%s", out);
	free(out);
	out = seen(view_rollout, "'stand':'done'",
	    "'stand':'done','rehearsal':true");
	cr_expect_not_null(strstr(out, "hold            passed\n"), "%s", out);
	free(out);
}

Test(report, of_nothing_held_nothing_is_said, .timeout = 5)
{
	char *out = seen(view_report, "'held':1234", "'held':0");

	cr_expect_null(strstr(out, "held for"), "%s", out);
	free(out);
}

Test(report, without_a_rollout, .timeout = 5)
{
	char *out = seen(view_report, "'rollout'", "'x'");

	cr_expect_str_eq(out, "there is no rollout\n");
	free(out);
	out = seen(view_history, "'rollout'", "'x'");
	cr_expect_str_eq(out, "there is no rollout\n");
	free(out);
}

/* ---- a service that is held ---- */

#define HELD(what)                                                             \
	"'what':'" what "','since':'" DAY                                      \
	"13:25:12.000Z','held':1234,'max':5000}"
#define NOT_HELD "'what':'none','since':null,'held':0,'max':1000}"

Test(report, status_of_what_is_held, .timeout = 5)
{
	char *out = seen(view_status, NOT_HELD, HELD("all"));

	cr_expect_not_null(
	    strstr(out,
	        "\n  holds    all requests wait, for 30.5s; 1,234 of 5,000 at "
	        "most do now; \"segue release\" sends them on\n"),
	    "%s", out);
	free(out);
	out = seen(view_status, NOT_HELD, HELD("writes"));
	cr_expect_not_null(strstr(out, "holds    writing requests wait, for"),
	    "%s", out);
	free(out);
	out = seen(view_status, "", "");
	cr_expect_null(strstr(out, "holds  "), "%s", out);
	free(out);
}

/* Any member may be missing: taken out one by one, the rest still shows. */
Test(report, each_field_missing, .timeout = 10)
{
	static view_fn *const views[] = { view_report, view_history,
		view_status };
	const char *p = service;

	while ((p = strstr(p, "':")) != NULL) {
		const char *from = p;

		while (from[-1] != '\'')
			from--;
		for (size_t i = 0; i < ARRAY_LEN(views); i++) {
			char key[32];

			(void)snprintf(key, sizeof(key),
			    "'%.*s':", (int)(p - from), from);
			free(seen(views[i], key, "'_':"));
		}
		p += 2;
	}
}

/* ---- by time ---- */

#define PIECE(at, one, bad, two)                                               \
	"{'began':'" DAY at ".000Z','pools':[{'name':'v1','requests':" one     \
	",'failed':" bad "},{'name':'v2','requests':" two ",'failed':0}]}"
#define LINE(pieces) "'piece_s':60,'timeline':[" pieces "],'moved':7,"

Test(report, by_time, .timeout = 5)
{
	char *out = seen(view_report, "'moved':7,",
	    LINE(PIECE("13:24:42", "11000", "0", "0") "," PIECE("13:25:42",
	        "1000", "2", "345")));

	/* clang-format off */
	cr_expect_not_null(strstr(out,
"  4  job migrate         3s  table 7 of 7\n"
"  FROM (UTC)          v1   v2  FAILED\n"
"  11-25 13:24:42  11,000    0       0\n"
"  11-25 13:25:42   1,000  345       2\n"), "%s", out);
	/* clang-format on */
	free(out);
	out = seen(view_page, "'moved':7,",
	    LINE(PIECE("13:24:42", "600", "0", "0") "," PIECE("13:25:42", "300",
	        "2", "900")));
	cr_expect_not_null(
	    strstr(out,
	        "<td>11-25 13:25:42</td><td class=\"n\">300</td><td "
	        "class=\"n\">900</td><td class=\"n\">2</td>"),
	    "%s", out);
	cr_expect_not_null(
	    strstr(out,
	        "<span class=\"part p0\" style=\"width: 25.0%\"></span>"
	        "<span class=\"part p1\" style=\"width: 75.0%\"></span>"),
	    "%s", out);
	free(out);
}

Test(report, of_many_times_some_are_added_up, .timeout = 5)
{
	struct buf line = BUF_INIT;
	size_t n = 0;
	char *out;

	buf_add_cstr(&line, "'timeline':[");
	for (int i = 0; i < 33; i++)
		buf_printf(&line, "%s" PIECE("13:%02d:00", "10", "1", "2"),
		    i > 0 ? "," : "", i);
	buf_add_cstr(&line, "],'moved':7,");
	out = seen(view_report, "'moved':7,", line.p);
	for (const char *p = out; (p = strstr(p, "\n  11-25 13:")) != NULL; p++)
		n++;
	cr_expect_eq(n, 11, "%s", out);
	cr_expect_not_null(strstr(out, "\n  11-25 13:30:00  30   6       3\n"),
	    "%s", out);
	free(out);
	buf_free(&line);
}

Test(report, one_piece_is_the_sums, .timeout = 5)
{
	char *out = seen(view_report, "'moved':7,",
	    LINE(PIECE("13:24:42", "11000", "0", "0")));

	cr_expect_null(strstr(out, "(UTC)"), "%s", out);
	free(out);
}

Test(report, what_was_not_counted, .timeout = 5)
{
	char *out = seen(view_report, "'moved':7,",
	    LINE("{'whole':false,'began':'" DAY "13:24:42.000Z','pools':[]},"
	         "{'whole':true,'began':'" DAY "13:25:42.000Z','pools':[]}"));

	cr_expect_not_null(strstr(out, "\n  11-25 13:24:42 (in part)"), "%s",
	    out);
	cr_expect_not_null(strstr(out, "\n  11-25 13:25:42\n"), "%s", out);
	free(out);
}
