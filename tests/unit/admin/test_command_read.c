/* The body of a command: what is taken, and what is said of the rest. */
#include "admin/command_read.h"

#include <criterion/criterion.h>
#include <string.h>

#define C(members) "{\"verb\":\"share\",\"pool\":\"v2\"," members "}"
#define SWITCH(members) "{\"verb\":\"switch\",\"pool\":\"v2\"," members "}"
#define NAME_64                                                                \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *why, *body;
	enum answer_error error;
	const char *problems;
} bad[] = {
	{ "nothing", "", ANSWER_BAD_REQUEST, "body: this is no JSON: " },
	{ "cut", "{\"verb\":", ANSWER_BAD_REQUEST, "body: this is no JSON: " },
	{ "a list", "[]", ANSWER_BAD_REQUEST, "body: an object is expected" },
	{ "a key twice", "{\"verb\":\"drain\",\"verb\":\"share\"}",
	    ANSWER_BAD_REQUEST, "body: this is no JSON: " },
	{ "no verb", "{\"pool\":\"v2\"}", ANSWER_BAD_REQUEST,
	    "verb: it is missing" },
	{ "verb of another type", "{\"verb\":1}", ANSWER_BAD_REQUEST,
	    "verb: 1 is none of share, switch, drain, undrain, instance, "
	    "add-instance, remove-instance, hold, release, rollout, sessions" },
	{ "verb misspelt", "{\"verb\":\"swich\"}", ANSWER_BAD_VALUE,
	    "verb: \"swich\" is none of share, switch, drain, undrain, "
	    "instance, add-instance, remove-instance, hold, release, rollout, "
	    "sessions; "
	    "did you mean switch?" },
	{ "writes of what is not held", C("\"share\":\"1%\",\"writes\":true"),
	    ANSWER_BAD_REQUEST, "writes: share takes no such key" },
	{ "key misspelt", C("\"share\":\"1%\",\"forse\":true"),
	    ANSWER_BAD_REQUEST,
	    "forse: there is no such key; did you mean force?" },
	{ "key like none", C("\"share\":\"1%\",\"xyzzy\":true"),
	    ANSWER_BAD_REQUEST, "xyzzy: there is no such key" },
	{ "a key of another verb", C("\"share\":\"1%\",\"weight\":1"),
	    ANSWER_BAD_REQUEST, "weight: share takes no such key" },
	{ "what it cannot do without", "{\"verb\":\"share\"}",
	    ANSWER_BAD_REQUEST, "pool: share needs it\nshare: share needs it" },
	{ "null is no value", C("\"share\":null"), ANSWER_BAD_REQUEST,
	    "share: null or a fraction is not a share in quotes, as \"10%\"" },
	{ "a share as number", C("\"share\":10"), ANSWER_BAD_REQUEST,
	    "share: 10 is not a share in quotes, as \"10%\"" },
	{ "no share", C("\"share\":\"ten\""), ANSWER_BAD_VALUE,
	    "share: \"ten\" is no share; 0% to 100% is expected, in steps of "
	    "0.01%" },
	{ "more than all", C("\"share\":\"100.01%\""), ANSWER_BAD_VALUE,
	    "share: \"100.01%\" is no share; 0% to 100% is expected, in "
	    "steps of 0.01%" },
	{ "a truth in quotes", SWITCH("\"drain\":\"yes\""), ANSWER_BAD_REQUEST,
	    "drain: \"yes\" is not true or false" },
	{ "a list as truth", SWITCH("\"when_ready\":[]"), ANSWER_BAD_REQUEST,
	    "when_ready: a list is not true or false" },
	{ "a mode misspelt", SWITCH("\"drain\":true,\"mode\":\"evic\""),
	    ANSWER_BAD_VALUE,
	    "mode: \"evic\" is none of keep, move, evict; did you mean "
	    "evict?" },
	{ "clocks without a drain", SWITCH("\"flows\":\"1s\""),
	    ANSWER_BAD_REQUEST, "flows: only with \"drain\": true" },
	{ "no duration", "{\"verb\":\"drain\",\"pool\":\"v1\",\"flows\":\"5\"}",
	    ANSWER_BAD_VALUE,
	    "flows: \"5\" is no duration; one such as 500ms, 30s or 1h30m is "
	    "expected" },
	{ "more than a year",
	    "{\"verb\":\"drain\",\"pool\":\"v1\",\"streams\":\"367d\"}",
	    ANSWER_BAD_VALUE, "streams: \"367d\" is more than a year" },
	{ "weight of none",
	    "{\"verb\":\"add-instance\",\"pool\":\"v1\",\"instance\":\"c\","
	    "\"address\":\"h:1\",\"weight\":0}",
	    ANSWER_BAD_VALUE, "weight: 0 is not in 1..256" },
	{ "weight in parts",
	    "{\"verb\":\"add-instance\",\"pool\":\"v1\",\"instance\":\"c\","
	    "\"address\":\"h:1\",\"weight\":1.5}",
	    ANSWER_BAD_REQUEST,
	    "weight: null or a fraction is not a whole number" },
	{ "wait backwards", C("\"share\":\"1%\",\"wait_us\":-1"),
	    ANSWER_BAD_VALUE, "wait_us: -1 is not in 0..31622400000000" },
	{ "admin word of none",
	    "{\"verb\":\"instance\",\"pool\":\"v1\",\"instance\":\"a\","
	    "\"admin\":\"out\"}",
	    ANSWER_BAD_VALUE, "admin: \"out\" is none of in, drain, maint" },
	{ "a plan's mark that is none",
	    "{\"verb\":\"rollout\",\"action\":\"start\",\"pool\":\"v2\","
	    "\"plan\":\"c1d4e9-09ab31\"}",
	    ANSWER_BAD_VALUE,
	    "plan: \"c1d4e9-09ab31\" is no mark of a plan; \"segue plan\" "
	    "prints one such as c1d4e9-09ab31-77e2f0" },
	{ "a rehearsal of what has none",
	    "{\"verb\":\"undrain\",\"pool\":\"v2\",\"rehearse\":true}",
	    ANSWER_BAD_REQUEST, "rehearse: undrain takes no such key" },
	{ "a plan of what has none",
	    "{\"verb\":\"undrain\",\"pool\":\"v2\","
	    "\"plan\":\"c1d4e9-09ab31-77e2f0\"}",
	    ANSWER_BAD_REQUEST, "plan: undrain takes no such key" },
	{ "a plan as number",
	    "{\"verb\":\"rollout\",\"action\":\"start\",\"plan\":1}",
	    ANSWER_BAD_REQUEST, "plan: 1 is not a plan's mark in quotes" },
	{ "a name too long", "{\"verb\":\"drain\",\"pool\":\"" NAME_64 "\"}",
	    ANSWER_BAD_VALUE,
	    "pool: \"aaaaaaaaaaaaaaaaaaaa...\" is longer than 63 bytes" },
	{ "a line's end in what is quoted",
	    C("\"share\":\"1\\n2\\u007f\",\"a\\r\\nb\":1"), ANSWER_BAD_REQUEST,
	    "share: \"1?2?\" is no share; 0% to 100% is expected, in steps "
	    "of 0.01%\na??b: there is no such key" },
	{ "all that is wrong, a wrong type first of all",
	    C("\"share\":\"ten\",\"wait\":1"), ANSWER_BAD_REQUEST,
	    "share: \"ten\" is no share; 0% to 100% is expected, in steps of "
	    "0.01%\nwait: 1 is not true or false" },
};

Test(command_read, refuses, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf problems = BUF_INIT;
		struct command_asked c;
		enum answer_error e;

		cr_expect_not(command_read(str_of(bad[i].body), &c, &e,
		                  &problems),
		    "%s", bad[i].why);
		cr_expect_eq(e, bad[i].error, "%s: %s", bad[i].why,
		    answer_error_name(e));
		/* Of bad JSON the rest is the library's. */
		cr_expect(str_starts(buf_str(&problems),
		              str_of(bad[i].problems)) &&
		        (strstr(bad[i].problems, "no JSON") != NULL ||
		            problems.len == strlen(bad[i].problems)),
		    "%s: %s", bad[i].why, problems.p);
		buf_free(&problems);
	}
}

static struct command_asked
good(const char *body)
{
	struct buf problems = BUF_INIT;
	struct command_asked c;
	enum answer_error e;

	cr_assert(command_read(str_of(body), &c, &e, &problems), "%s: %s", body,
	    problems.p);
	buf_free(&problems);
	return c;
}

Test(command_read, takes_every_key, .timeout = 5)
{
	struct command_asked c = good(
	    "{\"verb\":\"switch\",\"service\":\"sso\",\"pool\":\"v2\","
	    "\"when_ready\":true,\"drain\":true,\"mode\":\"evict\","
	    "\"flows\":\"1m\",\"requests\":\"2s\",\"streams\":\"0\","
	    "\"force\":true,\"wait\":true,\"wait_us\":7}");

	cr_expect_eq(c.cmd.verb, RO_SWITCH);
	cr_expect_str_eq(c.cmd.service, "sso");
	cr_expect_str_eq(c.cmd.pool, "v2");
	cr_expect(c.cmd.when_ready && c.cmd.drain && c.cmd.force && c.wait);
	cr_expect(c.mode && c.flows && c.requests && c.streams);
	cr_expect_eq(c.clocks.mode, CFG_DRAIN_EVICT);
	cr_expect_eq(c.clocks.flows_us, 60000000);
	cr_expect_eq(c.clocks.requests_us, 2000000);
	cr_expect_eq(c.clocks.streams_us, 0);
	cr_expect_eq(c.wait_us, 7);

	c = good("{\"verb\":\"add-instance\",\"pool\":\"v1\","
	         "\"instance\":\"c\",\"address\":\"h:1\",\"weight\":256}");
	cr_expect_eq(c.cmd.verb, RO_ADD_INSTANCE);
	cr_expect_str_eq(c.cmd.instance, "c");
	cr_expect_str_eq(c.cmd.address, "h:1");
	cr_expect_eq(c.cmd.weight, 256);

	c = good("{\"verb\":\"instance\",\"pool\":\"v1\",\"instance\":\"c\","
	         "\"admin\":\"maint\"}");
	cr_expect_eq(c.cmd.admin, INST_MAINT);

	c = good("{\"verb\":\"hold\",\"writes\":true}");
	cr_expect_eq(c.cmd.verb, RO_HOLD);
	cr_expect(c.cmd.writes_only);
	c = good("{\"verb\":\"release\",\"service\":\"sso\"}");
	cr_expect_eq(c.cmd.verb, RO_RELEASE);
	cr_expect_str_eq(c.cmd.service, "sso");

	c = good("{\"verb\":\"rollout\",\"action\":\"start\","
	         "\"pool\":\"v2\",\"plan\":\"c1d4e9-09ab31-77e2f0\"}");
	cr_expect(c.cmd.mark.set && !c.cmd.rehearse);
	cr_expect_eq(c.cmd.mark.part[RO_MARK_READY], 0x77e2f0);

	c = good("{\"verb\":\"rollout\",\"action\":\"start\","
	         "\"pool\":\"v2\",\"rehearse\":true}");
	cr_expect(c.cmd.rehearse && !c.cmd.if_changed);
	c = good("{\"verb\":\"rollout\",\"action\":\"start\","
	         "\"pool\":\"v2\",\"if_changed\":true}");
	cr_expect(c.cmd.if_changed && !c.cmd.rehearse && !c.cmd.rerun);
	c = good("{\"verb\":\"rollout\",\"action\":\"start\","
	         "\"pool\":\"v2\",\"rerun\":true}");
	cr_expect(c.cmd.rerun && !c.cmd.if_changed);

	c = good("{\"verb\":\"share\",\"pool\":\"v1\",\"share\":\"12.5%\"}");
	cr_expect_not(c.cmd.mark.set);
	cr_expect_eq(c.cmd.share_bp, 1250);
	cr_expect(!c.wait && !c.mode && !c.flows && !c.requests && !c.streams);
}

/* Every cut of a command is refused with a sentence. */
Test(command_read, cut_anywhere, .timeout = 5)
{
	static const char body[] =
	    "{\"verb\":\"share\",\"pool\":\"v1\",\"share\":\"10%\"}";

	for (size_t n = 0; n < sizeof(body) - 1; n++) {
		struct buf problems = BUF_INIT;
		struct command_asked c;
		enum answer_error e;

		cr_expect_not(command_read(str_from(body, n), &c, &e,
		                  &problems),
		    "%zu", n);
		cr_expect_gt(problems.len, 0, "%zu", n);
		buf_free(&problems);
	}
}
