/*
 * What is said of runs, as texts: it comes back as it was, rubbish does not,
 * and of all output there is a last line.
 */
#include "rollout/runs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/frame.h"

/* As long as a name may be. */
#define NAME_63                                                                \
	"a23456789.a23456789.a23456789.a23456789.a23456789.a23456789.123"

static const struct run_key key = { .service = "web", .rollout = 3, .run = 7 };

/* ---- there and back ---- */

static const struct run_ask asks[] = {
	{ .key = { .service = "web", .rollout = 1, .run = 1 },
	    .job = "migrate" },
	{ .key = { .service = NAME_63,
	      .rollout = INT64_MAX,
	      .run = UINT32_MAX },
	    .job = NAME_63,
	    .from = NAME_63,
	    .to = NAME_63,
	    .version = NAME_63,
	    .step = NAME_63,
	    .instance = NAME_63 },
	{ .key = { .service = "a \"b\"", .rollout = 2, .run = 3 },
	    .job = "c\\d",
	    .from = "e\nf",
	    .to = "\x01\x7f",
	    .version = "\xc3\xa4",
	    .step = "{ \"job\": 1 }" },
};

Test(runs, what_is_asked, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		const struct run_ask *a = &asks[i];
		struct buf text = BUF_INIT;
		struct run_ask back;

		memset(&back, 'x', sizeof(back));
		run_ask_write(a, &text);
		cr_assert(run_ask_read(text.p, &back), "%s", text.p);
		cr_expect(run_key_is(&back.key, &a->key), "%s", text.p);
		cr_expect_str_eq(back.job, a->job);
		cr_expect_str_eq(back.from, a->from);
		cr_expect_str_eq(back.to, a->to);
		cr_expect_str_eq(back.version, a->version);
		cr_expect_str_eq(back.step, a->step);
		cr_expect_str_eq(back.instance, a->instance);
		buf_free(&text);
	}
}

Test(runs, which_run, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		struct buf text = BUF_INIT;
		struct run_key back;

		memset(&back, 'x', sizeof(back));
		run_key_write(&asks[i].key, &text);
		cr_assert(run_key_read(text.p, &back), "%s", text.p);
		cr_expect(run_key_is(&back, &asks[i].key), "%s", text.p);
		buf_free(&text);
	}
}

Test(runs, which_it_is_not)
{
	struct run_key other[] = { key, key, key };

	cr_expect(run_key_is(&other[0], &key));
	other[0].service[0] = 'W';
	other[1].rollout++;
	other[2].run++;
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		cr_expect_not(run_key_is(&other[i], &key), "%zu", i);
}

static const struct run_news news[] = {
	{ .key = { .service = "web", .rollout = 1, .run = 1 }, .pid = 1 },
	{ .key = { .service = NAME_63,
	      .rollout = INT64_MAX,
	      .run = UINT32_MAX },
	    .pid = INT32_MAX,
	    .ended = true,
	    .verdict = RO_VERDICT_FAILED,
	    .exit = -1,
	    .took_us = INT64_MAX,
	    .why = "it took longer than 10m",
	    .tail = "one\ntwo\n" },
	{ .key = { .service = "web", .rollout = 2, .run = 9 },
	    .ended = true,
	    .verdict = RO_VERDICT_ASK,
	    .exit = 255,
	    .took_us = 1,
	    .why = "there is no user \"\xc3\xa4\"",
	    .tail = "\t\"quoted\"\\\r\n\x01\x7f\xc3\xa4 {}" },
	{ .key = { .service = "web", .rollout = 2, .run = 9 },
	    .ended = true,
	    .verdict = RO_VERDICT_OK },
};

static void
expect_news(const struct run_news *is, const struct run_news *n,
    const char *text)
{
	cr_expect(run_key_is(&is->key, &n->key), "%s", text);
	cr_expect_eq(is->pid, n->pid, "%s", text);
	cr_expect_eq(is->ended, n->ended, "%s", text);
	cr_expect_eq(is->verdict, n->verdict, "%s", text);
	cr_expect_eq(is->exit, n->exit, "%s", text);
	cr_expect_eq(is->took_us, n->took_us, "%s", text);
	cr_expect_str_eq(is->why, n->why, "%s", text);
	cr_expect_str_eq(is->tail, n->tail, "%s", text);
}

Test(runs, how_it_stands, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(news); i++) {
		struct buf text = BUF_INIT;
		struct run_news back;

		memset(&back, 'x', sizeof(back));
		run_news_write(&news[i], &text);
		cr_assert(run_news_read(text.p, &back), "%s", text.p);
		expect_news(&back, &news[i], text.p);
		buf_free(&text);
	}
}

/* What a tail may be full of, and what each of it becomes. */
static const struct {
	const char *why, *byte, *becomes;
} tails[] = {
	{ "letters", "x", "x" },
	{ "lines", "\n", "\n" },
	{ "quotes", "\"", "\"" },
	{ "no UTF-8", "\xff", "\xef\xbf\xbd" },
	{ "what UTF-8 does not end with", "\xc3", "\xef\xbf\xbd" },
};

/* All of it fits into one frame, and comes back. */
Test(runs, long_tails, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		struct run_news n = news[1], back;
		struct buf text = BUF_INIT, then = BUF_INIT;

		memset(n.tail, tails[i].byte[0], RUN_TAIL_MAX - 1);
		n.tail[RUN_TAIL_MAX - 1] = '\0';
		for (size_t b = 0; b < RUN_TAIL_MAX - 1; b++)
			buf_add_cstr(&then, tails[i].becomes);
		run_news_write(&n, &text);
		cr_expect_lt(text.len, FRAME_TEXT_MAX, "%s: %zu", tails[i].why,
		    text.len);
		cr_assert(run_news_read(text.p, &back), "%s", tails[i].why);
		cr_expect_str_eq(back.tail, then.p, "%s", tails[i].why);
		buf_free(&text);
		buf_free(&then);
	}
}

/* Words for people may have grown: they are cut, and the rest is good. */
Test(runs, a_long_why)
{
	struct run_news n = news[1], back;
	struct buf text = BUF_INIT;

	memset(n.why, 'x', RUN_WHY_MAX - 2);
	memcpy(n.why + RUN_WHY_MAX - 2, "\xc3", 2);
	run_news_write(&n, &text);
	cr_assert(run_news_read(text.p, &back), "%s", text.p);
	cr_expect_eq(strlen(back.why), RUN_WHY_MAX - 1);
	cr_expect(back.ended);
	cr_expect_str_eq(back.tail, n.tail);
	buf_free(&text);
}

/* ---- what it is not ---- */

#define KEY "\"service\":\"web\",\"rollout\":3,\"run\":7"
#define ASK                                                                    \
	"{" KEY                                                                \
	",\"job\":\"a\",\"rehearsal\":false,\"from\":\"\",\"to\":\"v2\","      \
	"\"version\":\"1\",\"step\":\"\",\"instance\":\"\"}"
#define NEWS                                                                   \
	"{" KEY ",\"pid\":5,\"ended\":true,\"verdict\":2,\"exit\":3,"          \
	"\"took_us\":9,\"why\":\"w\",\"tail\":\"t\"}"

static bool
read_ask(const char *text)
{
	struct run_ask a;

	return run_ask_read(text, &a);
}

static bool
read_key(const char *text)
{
	struct run_key k;

	return run_key_read(text, &k);
}

static bool
read_news(const char *text)
{
	struct run_news n;

	return run_news_read(text, &n);
}

static bool (*const readers[])(const char *) = { read_key, read_ask,
	read_news };
static const char *const good[] = { "{" KEY "}", ASK, NEWS };

Test(runs, cut_at_every_byte, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		cr_expect(readers[i](good[i]), "%s", good[i]);
		for (size_t n = 0; n < strlen(good[i]); n++) {
			char *cut = strndup(good[i], n);

			cr_assert_not_null(cut);
			cr_expect_not(readers[i](cut), "%s", cut);
			free(cut);
		}
	}
}

Test(runs, no_such_text)
{
	static const char *const texts[] = { "", "{}", "[]", "null", "7",
		"\"web\"", "[{" KEY "}]", "{" KEY "} x", "\xff" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (size_t r = 0; r < ARRAY_LEN(readers); r++)
			cr_expect_not(readers[r](texts[i]), "%s", texts[i]);
	cr_expect_not(read_ask(good[0]), "a key is no question");
	cr_expect_not(read_ask(NEWS));
	cr_expect_not(read_news(ASK));
}

/* What becomes of a good text when some of it is another. */
static const struct {
	const char *why, *from, *to;
	bool of_key, of_ask, of_news; /* it is read all the same */
} changes[] = {
	{ "no service", "\"service\"", "\"x\"", false, false, false },
	{ "a service that is a number", "\"web\"", "1", false, false, false },
	{ "a service that is too long", "\"web\"", "\"" NAME_63 "4\"", false,
	    false, false },
	{ "a rollout from before the first", "\"rollout\":3", "\"rollout\":0",
	    false, false, false },
	{ "less than that", "\"rollout\":3", "\"rollout\":-3", false, false,
	    false },
	{ "as text", "\"rollout\":3", "\"rollout\":\"3\"", false, false,
	    false },
	{ "a run from before the first", "\"run\":7", "\"run\":0", false, false,
	    false },
	{ "a run beyond the last", "\"run\":7", "\"run\":4294967296", false,
	    false, false },
	{ "no run", "\"run\"", "\"x\"", false, false, false },
	{ "no job", "\"job\"", "\"x\"", true, false, true },
	{ "a job that is too long", "\"a\"", "\"" NAME_63 "4\"", true, false,
	    true },
	{ "perhaps a rehearsal", "\"rehearsal\":false", "\"x\":1", true, false,
	    true },
	{ "a rehearsal by a number", "\"rehearsal\":false", "\"rehearsal\":0",
	    true, false, true },
	{ "from nowhere, not even that", "\"from\"", "\"x\"", true, false,
	    true },
	{ "to nowhere", "\"to\"", "\"x\"", true, false, true },
	{ "of no version", "\"version\"", "\"x\"", true, false, true },
	{ "in no step", "\"step\"", "\"x\"", true, false, true },
	{ "perhaps ended", "\"ended\":true", "\"ended\":1", true, true, false },
	{ "a process that cannot be", "\"pid\":5", "\"pid\":-1", true, true,
	    false },
	{ "a process beyond the last", "\"pid\":5", "\"pid\":2147483648", true,
	    true, false },
	{ "a verdict beyond the last", "\"verdict\":2", "\"verdict\":3", true,
	    true, false },
	{ "a verdict before the first", "\"verdict\":2", "\"verdict\":-1", true,
	    true, false },
	{ "an exit status below", "\"exit\":3", "\"exit\":-2", true, true,
	    false },
	{ "an exit status above", "\"exit\":3", "\"exit\":256", true, true,
	    false },
	{ "it took less than no time", "\"took_us\":9", "\"took_us\":-9", true,
	    true, false },
	{ "no time", "\"took_us\"", "\"x\"", true, true, false },
	{ "something besides", "\"run\":7", "\"run\":7,\"y\":[1]", true, true,
	    true },
	{ "without words for people", "\"why\":\"w\",\"tail\":\"t\"", "\"y\":1",
	    true, true, true },
};

Test(runs, what_must_be_there, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		const bool taken[] = { changes[i].of_key, changes[i].of_ask,
			changes[i].of_news };

		for (size_t r = 0; r < ARRAY_LEN(readers); r++) {
			const char *at = strstr(good[r], changes[i].from);
			char *text = NULL;

			if (at == NULL)
				continue; /* there is nothing of the kind */
			cr_assert_gt(asprintf(&text, "%.*s%s%s",
			                 (int)(at - good[r]), good[r],
			                 changes[i].to,
			                 at + strlen(changes[i].from)),
			    0);
			cr_expect_eq(readers[r](text), taken[r], "%s: %s",
			    changes[i].why, text);
			free(text);
		}
	}
}

Test(runs, news_without_words)
{
	struct run_news n;

	memset(&n, 'x', sizeof(n));
	cr_assert(run_news_read("{" KEY ",\"pid\":0,\"ended\":false,"
	                        "\"verdict\":0,\"exit\":0,\"took_us\":0}",
	    &n));
	cr_expect_str_eq(n.why, "");
	cr_expect_str_eq(n.tail, "");
}

/* ---- output ---- */

static const struct {
	const char *why, *tail, *last;
	size_t cap;
} lines[] = {
	{ "nothing", "", "", 80 },
	{ "nothing but empty lines", "\n \n\t\n", "", 80 },
	{ "one line", "one", "one", 80 },
	{ "... that ends", "one\n", "one", 80 },
	{ "the last of two", "one\ntwo\n", "two", 80 },
	{ "... that says something", "one\ntwo\n\n  \n", "two", 80 },
	{ "without what surrounds it", "one\n \ttwo words \n", "two words",
	    80 },
	{ "no control characters", "a\tb\x1b[1m\x7f\n", "a?b?[1m?", 80 },
	{ "nothing beyond ASCII", "\xc3\xa4 \xff\n", "?? ?", 80 },
	{ "signs of JSON stay", "{\"a\": \"b\\n\"}\n", "{\"a\": \"b\\n\"}",
	    80 },
	{ "as long as there is room", "abcd", "abcd", 5 },
	{ "cut", "abcde", "abcd", 5 },
	{ "cut within a character", "abc\xc3\xa4", "abc?", 5 },
	{ "cut to nothing", "abc", "", 1 },
};

Test(runs, last_line)
{
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char out[80];

		memset(out, 'x', sizeof(out));
		run_last_line(lines[i].tail, out, lines[i].cap);
		cr_expect_str_eq(out, lines[i].last, "%s", lines[i].why);
	}
}

Test(runs, verdicts_have_names)
{
	cr_expect_str_eq(run_verdict_name(RO_VERDICT_OK), "ok");
	cr_expect_str_eq(run_verdict_name(RO_VERDICT_ASK), "ask");
	cr_expect_str_eq(run_verdict_name(RO_VERDICT_FAILED), "failed");
}
