/* What people see of a status document, whole or odd. */
#include "segue/view.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "segue/show.h"
#include "segue/text.h"

#define DAY "2026-11-25T"

/* clang-format off */
static const char accounting[] =
	"{'accepted':12345,'answered':12330,'ours':3,'client':1,'deadline':0,"
	"'fault':0,'in_flight':11,'holds':true}";

static const char v1[] =
	"{'name':'v1','state':'draining','since':'" DAY "13:24:42.000Z',"
	"'share':'0%','share_bp':0,'ready':true,'unready':'',"
	"'holds':'41 sessions keep their pins; the grace ends in 28m58s',"
	"'in_flight':2,'streams':1,'sessions':41,'sessions_new':41000,"
	"'instances_n':2,'eligible':1,"
	"'causes':{'share':41000,'pin':1000000,'moved_dead':0},"
	"'status':{'2xx':1000,'5xx':3},"
	"'latency':{'p50_us':2100,'p90_us':5000,'p99_us':12000,'n':99},"
	"'drain':{'mode':'keep','began':'" DAY "13:24:42.000Z'},"
	"'instances':["
	"{'name':'a','address':'10.0.0.1:80','weight':1,'health':'up',"
	"'reason':'probe passed','health_s':7800,'admin':'in',"
	"'added':false,'in_flight':2,'streams':1,'requests':500000,"
	"'connections':12,'resets':0,'probe_us':420,'status':{'2xx':1},"
	"'latency':{'p50_us':2100,'p99_us':12000,'n':9}},"
	"{'name':'10.0.0.2:80','address':'10.0.0.2:80','weight':1,"
	"'health':'up','reason':'probe passed','health_s':7800,"
	"'admin':'drain','added':true,'in_flight':0,'streams':0,"
	"'requests':1,'connections':0,'resets':0,'probe_us':420,"
	"'status':{},'latency':{'n':0}}]}";

static const char v2[] =
	"{'name':'v2','state':'active','since':'" DAY "13:24:42.000Z',"
	"'share':'100%','share_bp':10000,'ready':false,"
	"'unready':'c is down: connection refused','holds':'','in_flight':9,"
	"'streams':0,'sessions':312,'sessions_new':312,'instances_n':1,"
	"'eligible':0,'causes':{'share':312},'status':{'2xx':5},"
	"'latency':{'n':0,'p50_us':0},'drain':null,'instances':["
	"{'name':'c','address':'10.0.0.3:80','weight':1,'health':'down',"
	"'reason':'connection refused','health_s':12,'admin':'in',"
	"'in_flight':9,'streams':0,'requests':7,'connections':1,'resets':0,"
	"'probe_us':0,'latency':{'n':0}}]}";
/* clang-format on */

static void
quoted(struct buf *out, const char *single)
{
	for (; *single != '\0'; single++)
		buf_add_char(out, *single == '\'' ? '"' : *single);
}

/* A document of one service sso with those pools. */
static struct json *
document(const char *pools, const char *pending)
{
	struct buf text = BUF_INIT;
	struct json *doc;
	char why[128];

	quoted(&text,
	    "{'version':'0.1.0','pid':42,'now':'" DAY "13:25:42.500Z',"
	    "'started':'" DAY "11:15:00.000Z','uptime_s':7842,'workers':2,"
	    "'stopping':false,'generation':41,"
	    "'changed_at':'" DAY "13:24:42.000Z','changed_by':'root',"
	    "'accounting':");
	quoted(&text, accounting);
	quoted(&text,
	    ",'services':[{'name':'sso','in_flight':11,'retries':4,"
	    "'retries_denied':0,'accounting':");
	quoted(&text, accounting);
	quoted(&text, ",'pending':");
	quoted(&text, pending);
	quoted(&text, ",'pools':[");
	quoted(&text, pools);
	quoted(&text, "]}]}");
	doc = json_read(buf_str(&text), why, sizeof(why));
	cr_assert_not_null(doc, "%s: %s", why, text.p);
	buf_free(&text);
	return doc;
}

static char *
seen(view_fn *view, const struct json *doc, const struct view *v)
{
	struct buf out = BUF_INIT;

	view(doc, v, &out);
	return buf_take(&out);
}

static struct json *
both(void)
{
	char pools[8192];

	(void)snprintf(pools, sizeof(pools), "%s,%s", v1, v2);
	return document(pools, "{'pool':'v3','drain':true}");
}

/* ---- whole ---- */

Test(view, status, .timeout = 5)
{
	const struct view v = { .colour = false };
	struct json *doc = both();
	char *out = seen(view_status, doc, &v);

	/* clang-format off */
	cr_expect_str_eq(out,
"segued 0.1.0, up 2h11m, workers 2, generation 41, changed 1m01s ago by root\n"
"\n"
"sso: v2 serves, BUT NO INSTANCE IS UP; in flight 11; retries 4\n"
"  POOL  STATE     SINCE  SHARE  READY  UP      IN FLIGHT  STREAMS  SESSIONS"
"    P50     P99  5XX\n"
"  v1    draining  1m01s     0%  yes    1 of 2          2        1        41"
"  2.1ms  12.0ms    3\n"
"  v2    active    1m01s   100%  no     0 of 1          9        0       312"
"      -       -    0\n"
"  moves    the switch to v3 waits until it is ready; then those that served"
" are drained\n"
"  moves    v1 drains, mode keep, for 1m01s\n"
"  blocks   v1: 41 sessions keep their pins; the grace ends in 28m58s\n"
"  blocks   v2 is not ready: c is down: connection refused\n"
"  up       10.0.0.2:80 of v1, in drain\n"
"  down     c of v2 for 12s: connection refused\n"
"\n"
"accepted 12,345 = answered 12,330 + ours 3 + client 1 + deadline 0 + fault 0"
" + in flight 11; adds up\n", "%s", out);
	/* clang-format on */
	free(out);
	json_free(&doc);
}

Test(view, lists, .timeout = 5)
{
	struct view v = { .colour = false };
	struct json *doc = both();
	char *out = seen(view_instances, doc, &v);

	/* clang-format off */
	cr_expect_str_eq(out,
"POOL  INSTANCE     ADDRESS      HEALTH    FOR  ADMIN  IN FLIGHT  STREAMS"
"  REQUESTS  CONNS  PROBE    P50     P99  ADDED  REASON\n"
"v1    a            10.0.0.1:80  up      2h10m  in             2        1"
"   500,000     12  420us  2.1ms  12.0ms  no     -\n"
"v1    10.0.0.2:80  -            up      2h10m  drain          0        0"
"         1      0  420us      -       -  yes    -\n"
"v2    c            10.0.0.3:80  down      12s  in             9        0"
"         7      1     0s      -       -  no     connection refused\n",
	    "%s", out);
	free(out);

	v.pool = "v1";
	out = seen(view_sessions, doc, &v);
	cr_expect_str_eq(out,
"POOL  STATE     SHARE  SESSIONS     NEW  MODE  REQUESTS BY CAUSE\n"
"v1    draining     0%        41  41,000  keep  share 41,000, pin 1,000,000\n",
	    "%s", out);
	free(out);

	out = seen(view_pools, doc, &v);
	cr_expect_str_eq(out,
"POOL  STATE     SINCE  SHARE  READY  UP      IN FLIGHT  STREAMS  SESSIONS"
"    P50     P99  5XX\n"
"v1    draining  1m01s     0%  yes    1 of 2          2        1        41"
"  2.1ms  12.0ms    3\n", "%s", out);
	/* clang-format on */
	free(out);
	json_free(&doc);
}

/* Words say all: without its colours the screen is the plain one. */
Test(view, colours_only_colour, .timeout = 5)
{
	const struct view dull = { .colour = false },
	                  bright = { .colour = true };
	struct json *doc = both();
	char *plain = seen(view_status, doc, &dull);
	char *painted = seen(view_status, doc, &bright), *to = painted;

	cr_expect_not_null(strchr(painted, '\033'));
	for (char *p = painted; *p != '\0'; p++) {
		if (*p == '\033')
			p = strchr(p, 'm');
		else
			*to++ = *p;
	}
	*to = '\0';
	cr_expect_str_eq(painted, plain);
	free(plain);
	free(painted);
	json_free(&doc);
}

/* ---- sentences of the screen ---- */

/* clang-format off */
static const struct {
	const char *why, *pools, *pending;
	const char *has;    /* is in it */
	const char *hasnt;  /* is not; NULL: nothing more to check */
} sentences[] = {
	{ "shares", "{'name':'v1','share_bp':9000},"
	    "{'name':'v2','share_bp':1000}", "null",
	    "sso: v1 serves 90%, v2 serves 10% of new sessions;", "moves" },
	{ "whoever serves can",
	    "{'name':'v1','share_bp':10000,'eligible':1}", "null",
	    "sso: v1 serves;", "NO INSTANCE" },
	{ "one of two can", "{'name':'v1','share_bp':5000,'eligible':1},"
	    "{'name':'v2','share_bp':5000,'eligible':0}", "null",
	    "of new sessions;", "NO INSTANCE" },
	{ "nobody", "{'name':'v1','share_bp':0}", "null",
	    "sso: no pool gets new sessions;", NULL },
	{ "no pools", "", "null", "sso: no pool gets new sessions;", "POOL" },
	{ "a switch that drains nothing", "{'name':'v1','share_bp':10000}",
	    "{'pool':'v2','drain':false}",
	    "moves    the switch to v2 waits until it is ready\n", NULL },
	{ "what holds a switch is said once",
	    "{'name':'v2','state':'starting','unready':'a is down',"
	    "'holds':'v2 is not ready: a is down'}",
	    "{'pool':'v2','drain':false}",
	    "blocks   v2 is not ready: a is down\n",
	    "v2: v2" },
	{ "a cold pool blocks nothing",
	    "{'name':'v2','state':'cold','share_bp':0,'unready':'a is down',"
	    "'instances':[{'name':'a','health':'down'}]}", "null",
	    "cold", "blocks" },
	{ "the instances of a drained one may be gone",
	    "{'name':'v1','state':'drained','share_bp':0,"
	    "'instances':[{'name':'a','health':'down'}]}", "null",
	    "drained", "down " },
	{ "a failed one is named",
	    "{'name':'v2','state':'failed','unready':'a is down'}", "null",
	    "blocks   v2 is not ready: a is down\n", NULL },
	{ "instances beyond a screen are counted",
	    "{'name':'v1','share_bp':10000,'instances':["
	    "{'name':'i1','health':'down'},{'name':'i2','health':'down'},"
	    "{'name':'i3','health':'down'},{'name':'i4','health':'down'},"
	    "{'name':'i5','health':'down'},{'name':'i6','health':'down'},"
	    "{'name':'i7','health':'down'},{'name':'i8','health':'down'},"
	    "{'name':'i9','health':'down'},{'name':'i10','health':'down'}]}",
	    "null", "  2 more; see \"segue instances\"\n", "i9" },
	{ "escapes do not reach the screen",
	    "{'name':'v\\u001b[2J1','share_bp':10000,"
	    "'holds':'\\u001b]0;x\\u0007','unready':''}", "null",
	    "sso: v?[2J1 serves", "\033" },
};
/* clang-format on */

Test(view, sentences, .timeout = 5)
{
	const struct view v = { .colour = false };

	for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
		struct json *doc = document(sentences[i].pools,
		    sentences[i].pending);
		char *out = seen(view_status, doc, &v);

		cr_expect_not_null(strstr(out, sentences[i].has), "%s:\n%s",
		    sentences[i].why, out);
		if (sentences[i].hasnt != NULL)
			cr_expect_null(strstr(out, sentences[i].hasnt),
			    "%s:\n%s", sentences[i].why, out);
		free(out);
		json_free(&doc);
	}
}

/* clang-format off */
static const struct {
	const char *why, *in, *out;
} sums[] = {
	{ "what the daemon says counts", "{'accepted':2,'answered':1,'ours':0,"
	    "'client':0,'deadline':0,'fault':0,'in_flight':0,'holds':false}",
	    "accepted 2 = answered 1 + ours 0 + client 0 + deadline 0 + fault 0"
	    " + in flight 0; DOES NOT ADD UP" },
	{ "it says nothing, the sum is right",
	    "{'accepted':3,'answered':1,'ours':2,'client':0,'deadline':0,"
	    "'fault':0,'in_flight':0}",
	    "accepted 3 = answered 1 + ours 2 + client 0 + deadline 0 + fault 0"
	    " + in flight 0; adds up" },
	{ "it says nothing, the sum is wrong",
	    "{'accepted':4,'answered':1,'ours':2,'client':0,'deadline':0,"
	    "'fault':0,'in_flight':0}",
	    "accepted 4 = answered 1 + ours 2 + client 0 + deadline 0 + fault 0"
	    " + in flight 0; DOES NOT ADD UP" },
	{ "a part is missing", "{'accepted':4,'answered':4}",
	    "accepted 4 = answered 4 + ours - + client - + deadline - + fault -"
	    " + in flight -; not known whether it adds up" },
	{ "sums do not wrap",
	    "{'accepted':4,'answered':9223372036854775807,'ours':"
	    "9223372036854775807,'client':6,'deadline':0,'fault':0,"
	    "'in_flight':0}",
	    "accepted 4 = answered 9,223,372,036,854,775,807 + ours "
	    "9,223,372,036,854,775,807 + client 6 + deadline 0 + fault 0 + in "
	    "flight 0; not known whether it adds up" },
};
/* clang-format on */

Test(view, accounting, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
		struct buf text = BUF_INIT, out = BUF_INIT;
		struct json *doc;
		char why[128];

		quoted(&text, sums[i].in);
		doc = json_read(buf_str(&text), why, sizeof(why));
		view_accounting(doc, false, &out);
		cr_expect_str_eq(out.p, sums[i].out, "%s: %s", sums[i].why,
		    out.p);
		json_free(&doc);
		buf_free(&text);
		buf_free(&out);
	}
}

/* ---- odd ---- */

/* clang-format off */
static const char *const odd[] = {
	"{}", "[]", "null", "7", "\"text\"", "{\"services\":{}}",
	"{\"services\":[null,1,\"x\",[],{}]}",
	"{\"services\":[{\"name\":7,\"pools\":{}}]}",
	"{\"services\":[{\"name\":\"s\",\"pools\":[null,{},[1]]}]}",
	"{\"services\":[{\"name\":\"s\",\"pending\":{},\"pools\":[{\"name\":null,"
	    "\"state\":[],\"since\":\"yesterday\",\"share_bp\":-1,"
	    "\"eligible\":\"two\",\"drain\":7,\"latency\":[],\"status\":1,"
	    "\"causes\":[1],\"instances\":{\"a\":1}}]}]}",
	"{\"now\":\"2026-11-25T13:25:42Z\",\"services\":[{\"name\":\"s\","
	    "\"pools\":[{\"since\":\"2099-01-01T00:00:00Z\","
	    "\"share_bp\":9223372036854775807,\"in_flight\":"
	    "-9223372036854775808,\"instances\":[null,{},{\"health\":null,"
	    "\"health_s\":9223372036854775807,\"probe_us\":-5}]}]}]}",
};
/* clang-format on */

Test(view, odd_documents, .timeout = 5)
{
	static view_fn *const views[] = { view_status, view_pools,
		view_instances, view_sessions, view_page };
	const struct view v = { .colour = true };

	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		char why[128];
		struct json *doc = json_read(str_of(odd[i]), why, sizeof(why));

		cr_assert_not_null(doc, "%s", odd[i]);
		for (size_t k = 0; k < ARRAY_LEN(views); k++) {
			char *out = seen(views[k], doc, &v);

			cr_expect_not_null(out);
			cr_expect(k > 0 || strstr(out, "accepted -") != NULL,
			    "%s", out);
			free(out);
		}
		json_free(&doc);
	}
	free(seen(view_status, NULL, &v));
}

/* Any member may be missing: taken out one by one, the rest still shows. */
Test(view, each_field_missing, .timeout = 10)
{
	const struct view v = { .colour = false };
	char pools[8192], *p = pools;

	(void)snprintf(pools, sizeof(pools), "%s,%s", v1, v2);
	while ((p = strstr(p, "':")) != NULL) {
		struct json *doc;
		char was = p[-1], *out;

		p[-1] = '_'; /* now it is called otherwise */
		doc = document(pools, "null");
		out = seen(view_status, doc, &v);
		cr_expect_not_null(strstr(out, "\nsso: "), "%s", out);
		free(out);
		free(seen(view_instances, doc, &v));
		free(seen(view_sessions, doc, &v));
		json_free(&doc);
		p[-1] = was;
		p += 2;
	}
}

/* ---- names ---- */

Test(view, fits, .timeout = 5)
{
	/* clang-format off */
	static const struct {
		const char *service, *pool, *why;
	} rows[] = {
		{ NULL, NULL, NULL },
		{ "sso", NULL, NULL },
		{ NULL, "v2", NULL },
		{ "sso", "v1", NULL },
		{ "soo", NULL, "there is no service soo; did you mean sso?" },
		{ "xyzzy", NULL, "there is no service xyzzy" },
		{ NULL, "v3", "there is no pool v3; did you mean v1?" },
		{ "soo", "v1", "there is no service soo; did you mean sso?" },
	};
	/* clang-format on */
	struct json *doc = both();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct view v = { rows[i].service, rows[i].pool, false };
		char why[256] = "";

		cr_expect_eq(view_fits(doc, &v, why, sizeof(why)),
		    rows[i].why == NULL);
		cr_expect_str_eq(why, rows[i].why == NULL ? "" : rows[i].why);
	}
	json_free(&doc);
}

/* ---- values ---- */

Test(show, numbers, .timeout = 5)
{
	/* clang-format off */
	static const struct {
		int64_t n;
		const char *out;
	} rows[] = {
		{ 0, "0" }, { 7, "7" }, { 999, "999" }, { 1000, "1,000" },
		{ 12345, "12,345" }, { 1234567, "1,234,567" }, { -5, "-5" },
		{ -1000, "-1,000" },
		{ INT64_MAX, "9,223,372,036,854,775,807" },
		{ INT64_MIN, "-9,223,372,036,854,775,808" },
	};
	/* clang-format on */
	char out[SHOW_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_str_eq(show_number(rows[i].n, out), rows[i].out);
}

Test(show, times, .timeout = 5)
{
	/* clang-format off */
	static const struct {
		const char *why, *iso;
		bool ok;
		uint64_t us;
	} rows[] = {
		{ "whole", "1970-01-02T00:00:01Z", true, 86401000000 },
		{ "with parts", "1970-01-01T00:00:01.123Z", true, 1123000 },
		{ "fine parts", "1970-01-01T00:00:01.123456Z", true, 1123456 },
		{ "finer than that", "1970-01-01T00:00:00.0000019Z", true, 1 },
		{ "leap day", "2024-02-29T00:00:00Z", true,
		    1709164800000000 },
		{ "another zone", "1970-01-01T00:00:01+01:00", false, 0 },
		{ "no zone", "1970-01-01T00:00:01", false, 0 },
		{ "before", "1969-12-31T23:59:58Z", false, 0 },
		{ "a word", "yesterday", false, 0 },
		{ "nothing", "", false, 0 },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t us = 0;

		cr_expect_eq(show_read_time(rows[i].iso, &us), rows[i].ok, "%s",
		    rows[i].why);
		cr_expect_eq(us, rows[i].us, "%s: %llu", rows[i].why,
		    (unsigned long long)us);
	}
}

/* What others have said stays text. */
Test(view, a_page_is_no_code, .timeout = 5)
{
	static const char text[] =
	    "{\"services\":[{\"name\":\"<b>\",\"rollout\":{\"to\":\"\\\"v2&\","
	    "\"why\":\"<script>x</script>\\u001b[2J\",\"at\":0,\"stand\":"
	    "\"done\",\"report\":{\"holds\":true,\"whole\":true,"
	    "\"accepted\":7,\"fault\":0,\"deadline\":0,\"refused\":0},"
	    "\"steps\":[{\"text\":\"<i>\",\"lasted_s\":2,\"said\":\"</code>"
	    "\"}]}}]}";
	const struct view v = { .colour = true };
	char why[128], *out;
	struct json *doc = json_read(STR(text), why, sizeof(why));

	cr_assert_not_null(doc, "%s", why);
	out = seen(view_page, doc, &v);
	cr_expect_not_null(strstr(out, "<h2>&lt;b&gt; to &quot;v2&amp;</h2>"));
	cr_expect_not_null(strstr(out, "&lt;script&gt;x&lt;/script&gt;"));
	cr_expect_not_null(strstr(out, "<code>&lt;/code&gt;</code>"));
	cr_expect_not_null(strstr(out, "verdict good\">0 lost: each of 7"));
	cr_expect_null(strstr(out, "<script"));
	cr_expect_null(strchr(out, '\033'));
	free(out);
	json_free(&doc);
}
