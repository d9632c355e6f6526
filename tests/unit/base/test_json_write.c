/* Writing JSON. */
#include "base/json.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "fault.h"

static struct buf text;
static struct json_out j;

static void
begin(void)
{
	json_begin(&j, &text);
}

static void
end(void)
{
	buf_free(&text);
}

TestSuite(json_write, .init = begin, .fini = end, .timeout = 20);

static void
is(const char *want)
{
	cr_expect_str_eq(text.p, want, "%s, not %s", text.p, want);
	cr_expect_eq(j.depth, 0, "%s: every level is closed", want);
}

Test(json_write, empty_things)
{
	json_begin_array(&j);
	json_begin_object(&j);
	json_end_object(&j);
	json_begin_array(&j);
	json_end_array(&j);
	json_end_array(&j);
	is("[{},[]]");
}

Test(json_write, commas_come_between_and_nowhere_else)
{
	json_begin_object(&j);
	json_kv_u64(&j, "a", 1);
	json_key(&j, "b");
	json_begin_array(&j);
	json_i64(&j, -1);
	json_begin_object(&j);
	json_kv_bool(&j, "c", true);
	json_kv_bool(&j, "d", false);
	json_end_object(&j);
	json_put_null(&j);
	json_end_array(&j);
	json_key(&j, "e");
	json_begin_object(&j);
	json_end_object(&j);
	json_kv_cstr(&j, "f", "x");
	json_kv_str(&j, "g", STR("y"));
	json_end_object(&j);
	is("{\"a\":1,\"b\":[-1,{\"c\":true,\"d\":false},null],\"e\":{},"
	   "\"f\":\"x\",\"g\":\"y\"}");
}

Test(json_write, a_value_alone)
{
	json_u64(&j, 7);
	is("7");
}

Test(json_write, integers_to_their_limits)
{
	json_begin_array(&j);
	json_i64(&j, INT64_MIN);
	json_i64(&j, INT64_MAX);
	json_u64(&j, 0);
	json_u64(&j, INT64_MAX);
	json_u64(&j, UINT64_MAX);
	json_end_array(&j);
	is("[-9223372036854775808,9223372036854775807,0,"
	   "9223372036854775807,9223372036854775807]");
}

Test(json_write, numbers)
{
	json_begin_array(&j);
	json_num(&j, 0);
	json_num(&j, 0.1);
	json_num(&j, -12.5);
	json_num(&j, 0.00034);
	json_num(&j, 1764000000.123456); /* a time of day, to the microsecond */
	json_num(&j, 1e300);
	json_end_array(&j);
	is("[0,0.1,-12.5,0.00034,1764000000.12346,1e+300]");
}

Test(json_write, millionths)
{
	json_begin_object(&j);
	json_kv_micro(&j, "a", 1500000);
	json_kv_micro(&j, "b", 20);
	json_end_object(&j);
	is("{\"a\":1.5,\"b\":0.00002}");
}

/* Eight plain bytes are passed at once: what is not plain, at every place. */
Test(json_write, a_quote_at_every_place)
{
	for (size_t at = 0; at < 40; at++) {
		char in[41], want[64];

		memset(in, 'a', sizeof(in));
		in[40] = '\0';
		in[at] = '"';
		(void)snprintf(want, sizeof(want), "\"%.*s\\\"%s\"", (int)at,
		    in, in + at + 1);
		buf_reset(&text);
		json_begin(&j, &text);
		json_cstr(&j, in);
		is(want);
	}
}

Test(json_write, what_is_no_number_is_null)
{
	json_begin_array(&j);
	json_num(&j, NAN);
	json_num(&j, INFINITY);
	json_num(&j, -INFINITY);
	json_cstr(&j, NULL);
	json_str(&j, str_of(NULL));
	json_end_array(&j);
	is("[null,null,null,null,\"\"]");
}

Test(json_write, keys_are_escaped_too)
{
	json_begin_object(&j);
	json_kv_num(&j, "a\"b\n", 1);
	json_end_object(&j);
	is("{\"a\\\"b\\n\":1}");
}

#define FFFD "\xef\xbf\xbd"
#define L(literal)                                                             \
	{                                                                      \
		(literal), sizeof(literal) - 1                                 \
	}

/* clang-format off */
static const struct {
	const char *why;
	struct str in;
	const char *out;
} rows[] = {
	{ "plain", L("abc /"), "abc /" },
	{ "quote and backslash", L("\"\\"), "\\\"\\\\" },
	{ "short forms", L("\n\r\t"), "\\n\\r\\t" },
	{ "NUL in the middle", L("a\0b"), "a\\u0000b" },
	{ "other controls", L("\x01\x1b\x1f"), "\\u0001\\u001b\\u001f" },
	{ "DEL is harmless in JSON, not on a terminal", L("\x7f"), "\\u007f" },
	{ "two bytes, lowest", L("\xc2\x80"), "\xc2\x80" },
	{ "two bytes", L("\xc3\xa9"), "\xc3\xa9" },
	{ "three bytes, lowest", L("\xe0\xa0\x80"), "\xe0\xa0\x80" },
	{ "three bytes", L("\xe2\x82\xac"), "\xe2\x82\xac" },
	{ "last before the surrogates", L("\xed\x9f\xbf"), "\xed\x9f\xbf" },
	{ "first behind them", L("\xee\x80\x80"), "\xee\x80\x80" },
	{ "four bytes, lowest", L("\xf0\x90\x80\x80"), "\xf0\x90\x80\x80" },
	{ "U+10FFFF", L("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf" },
	{ "above U+10FFFF", L("\xf4\x90\x80\x80"), FFFD FFFD FFFD FFFD },
	{ "surrogate", L("\xed\xa0\x80"), FFFD FFFD FFFD },
	{ "overlong slash", L("\xc0\xaf"), FFFD FFFD },
	{ "overlong in three", L("\xe0\x9f\xbf"), FFFD FFFD FFFD },
	{ "overlong in four", L("\xf0\x8f\xbf\xbf"), FFFD FFFD FFFD FFFD },
	{ "lone continuation", L("a\x80z"), "a" FFFD "z" },
	{ "cut by the end", L("a\xe2\x82"), "a" FFFD FFFD },
	{ "cut by a quote: it is still escaped", L("\xe2\"x"), FFFD "\\\"x" },
	{ "never a first byte", L("\xf5\xfe\xff"), FFFD FFFD FFFD },
};
/* clang-format on */

Test(json_write, escape)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&text);
		json_escape(&text, rows[i].in);
		buf_add(&text, "", 0);
		cr_expect_str_eq(text.p, rows[i].out, "%s: %s", rows[i].why,
		    text.p);
	}
}

/* A copy without slack, cut at every byte: ASan sees one read too far. */
Test(json_write, escape_cut_anywhere_stays_inside)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t len = 0; len <= rows[i].in.len; len++) {
			char *p = str_dup(rows[i].in);
			char *exact = realloc(p, len + (len == 0));

			buf_reset(&text);
			json_escape(&text, str_from(exact, len));
			free(exact);
		}
	}
	cr_expect_not(text.failed);
}

/* Whatever bytes come, a reader understands what we wrote. */
Test(json_write, any_bytes_make_a_valid_string)
{
	for (int i = 0; i < 5000; i++) {
		char raw[40], why[160] = "";
		size_t len = random_below(sizeof(raw));
		struct json *back;

		/* NUL is valid JSON, but jansson's strings cannot hold it */
		for (size_t k = 0; k < len; k++)
			raw[k] = (char)(1 + random_below(255));
		buf_reset(&text);
		json_begin(&j, &text);
		json_str(&j, str_from(raw, len));
		back = json_read(buf_str(&text), why, sizeof(why));
		cr_assert_not_null(back, "%s: %s", why, text.p);
		json_free(&back);
	}
}

Test(json_write, what_is_written_reads_the_same)
{
	static const char tricky[] = "\"\\\n\t\x01\x7f \xc3\xa9 \xe2\x82\xac";
	struct json *back;
	int64_t n;
	char why[160];

	json_begin_object(&j);
	json_kv_cstr(&j, tricky, tricky);
	json_key(&j, "n");
	json_i64(&j, INT64_MIN);
	json_end_object(&j);
	back = json_read(buf_str(&text), why, sizeof(why));
	cr_assert_not_null(back);
	cr_expect_str_eq(json_get_text(back, tricky, ""), tricky);
	cr_expect(json_int(json_get(back, "n"), &n));
	cr_expect_eq(n, INT64_MIN);
	json_free(&back);
}

Test(json_write, deepest)
{
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		json_begin_array(&j);
	json_u64(&j, 1);
	json_u64(&j, 2);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		json_end_array(&j);
	cr_expect_eq(text.len, 2 * JSON_DEPTH_MAX + 3);
	cr_expect_eq(j.depth, 0);
}

#ifndef NDEBUG
Test(json_write, deeper_is_our_own_fault, .signal = SIGABRT)
{
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		json_begin_array(&j);
}

Test(json_write, closing_what_is_not_open_is_too, .signal = SIGABRT)
{
	json_end_object(&j);
}
#endif

Test(json_write, out_of_memory_is_told_once_at_the_end)
{
	fault_arm(FAULT_REALLOC, 2, ENOMEM);
	json_begin_array(&j);
	for (int i = 0; i < 1000; i++)
		json_cstr(&j, "a word with \"quotes\" and \x01");
	json_end_array(&j);
	cr_expect(text.failed);
}
