/* Reading JSON. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static struct json *
tree_of(const char *text)
{
	char why[160] = "";
	struct json *j = json_read(str_of(text), why, sizeof(why));

	cr_assert_not_null(j, "%s: %s", text, why);
	return j;
}

#define L(literal)                                                             \
	{                                                                      \
		(literal), sizeof(literal) - 1                                 \
	}

/* clang-format off */
static const struct {
	const char *why;
	struct str in;
	bool ok;
} rows[] = {
	{ "object", L("{}"), true },
	{ "array", L(" [1, 2]\n"), true },
	{ "a value alone", L("7"), true },
	{ "nothing", L(""), false },
	{ "blanks", L(" \n"), false },
	{ "cut", L("{\"a\":"), false },
	{ "something behind", L("{} x"), false },
	{ "two values", L("1 2"), false },
	{ "comma at the end", L("[1,]"), false },
	{ "the same key twice: which one counts?", L("{\"a\":1,\"a\":2}"), false },
	{ "single quotes", L("{'a':1}"), false },
	{ "comment", L("// x\n{}"), false },
	{ "NUL behind", L("{}\0"), false },
	{ "NUL in a string", L("\"a\0b\""), false },
	{ "escaped NUL would cut a C string", L("\"a\\u0000b\""), false },
	{ "bytes that are not UTF-8", L("\"\xff\""), false },
	{ "overlong UTF-8", L("\"\xc0\xaf\""), false },
	{ "lone surrogate", L("\"\\ud800\""), false },
	{ "integer above 64 bits", L("9223372036854775808"), false },
	{ "leading zero", L("01"), false },
	{ "NaN", L("NaN"), false },
};
/* clang-format on */

Test(json_read, what_is_json_and_what_is_not)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char why[160] = "";
		struct json *j = json_read(rows[i].in, why, sizeof(why));

		cr_expect_eq(j != NULL, rows[i].ok, "%s: %s", rows[i].why, why);
		cr_expect_eq(strlen(why) > 0, !rows[i].ok,
		    "%s: a reason when and only when it fails", rows[i].why);
		json_free(&j);
		cr_expect_null(j);
	}
}

Test(json_read, says_where)
{
	char why[160] = "", small[8] = "";

	cr_expect_null(json_read(STR("{\n \"a\": x\n}"), why, sizeof(why)));
	cr_expect(str_starts(str_of(why), STR("line 2 column ")), "%s", why);
	cr_expect_null(json_read(STR("x"), small, sizeof(small)));
	cr_expect_str_eq(small, "line 1 ", "cut to what there is");
	cr_expect_null(json_read(STR("x"), NULL, 0), "nobody wants to know");
	cr_expect_null(json_read(str_of(NULL), why, sizeof(why)));
}

/* A peer's answer must not overflow our stack. */
Test(json_read, bottomless_nesting_is_refused)
{
	size_t len = 200000;
	char *deep = malloc(len), why[160];

	memset(deep, '[', len);
	cr_expect_null(json_read(str_from(deep, len), why, sizeof(why)));
	free(deep);
}

Test(json_read, reads_only_its_length)
{
	char *exact = str_dup(STR("[1]")), why[160];
	struct json *j;

	exact = realloc(exact, 3); /* no NUL: ASan sees one read too far */
	j = json_read(str_from(exact, 3), why, sizeof(why));
	cr_expect_eq(json_len(j), 1);
	json_free(&j);
	free(exact);
}

static const char sample[] =
    "{\"text\":\"t\",\"n\":-7,\"real\":1.5,\"yes\":true,\"no\":false,"
    "\"null\":null,\"list\":[10,\"x\",{\"k\":3}],\"0\":\"zero\"}";

Test(json_read, values_of_the_right_type)
{
	struct json *j = tree_of(sample);
	int64_t n = 0;
	bool b = false;

	cr_expect_str_eq(json_text(json_get(j, "text")), "t");
	cr_expect(json_int(json_get(j, "n"), &n));
	cr_expect_eq(n, -7);
	cr_expect(json_truth(json_get(j, "yes"), &b));
	cr_expect(b);
	cr_expect(json_truth(json_get(j, "no"), &b));
	cr_expect_not(b);
	cr_expect_eq(json_len(j), 8);
	cr_expect_eq(json_len(json_get(j, "list")), 3);
	cr_expect(json_is_object(j));
	cr_expect_not(json_is_array(j));
	cr_expect(json_is_array(json_get(j, "list")));
	cr_expect_not(json_is_object(json_get(j, "list")));
	cr_expect_str_eq(json_text(json_at(json_get(j, "list"), 1)), "x");
	cr_expect_null(json_at(json_get(j, "list"), 3));
	cr_expect_null(json_at(json_get(j, "list"), SIZE_MAX));
	json_free(&j);
}

/* Every reader with every value that is not for it, and with none at all. */
Test(json_read, values_of_another_type_are_absent)
{
	static const char *const keys[] = { "text", "n", "real", "yes", "null",
		"list", "missing" };
	struct json *j = tree_of(sample);

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct json *v = json_get(j, keys[i]);
		int64_t n = 5;
		bool b = true;

		if (strcmp(keys[i], "text") != 0)
			cr_expect_null(json_text(v), "%s", keys[i]);
		if (strcmp(keys[i], "n") != 0) {
			cr_expect_not(json_int(v, &n), "%s", keys[i]);
			cr_expect_eq(n, 5, "%s: untouched", keys[i]);
		}
		if (strcmp(keys[i], "yes") != 0) {
			cr_expect_not(json_truth(v, &b), "%s", keys[i]);
			cr_expect(b, "%s: untouched", keys[i]);
		}
		cr_expect_null(json_get(v, "k"), "%s", keys[i]);
		cr_expect_not(json_is_object(v), "%s", keys[i]);
		if (strcmp(keys[i], "list") != 0) {
			cr_expect_null(json_at(v, 0), "%s", keys[i]);
			cr_expect_eq(json_len(v), 0, "%s", keys[i]);
		}
	}
	json_free(&j);
}

Test(json_read, fallbacks)
{
	struct json *j = tree_of(sample);

	cr_expect_str_eq(json_get_text(j, "text", "f"), "t");
	cr_expect_str_eq(json_get_text(j, "n", "f"), "f");
	cr_expect_str_eq(json_get_text(j, "missing", "f"), "f");
	cr_expect_null(json_get_text(NULL, "text", NULL));
	cr_expect_eq(json_get_int(j, "n", 9), -7);
	cr_expect_eq(json_get_int(j, "real", 9), 9, "never rounded");
	cr_expect_eq(json_get_int(j, "missing", 9), 9);
	cr_expect_eq(json_get_int(NULL, "n", 9), 9);
	cr_expect_eq(json_get_truth(j, "yes", false), true);
	cr_expect_eq(json_get_truth(j, "no", true), false);
	cr_expect_eq(json_get_truth(j, "null", true), true);
	cr_expect_eq(json_get_truth(NULL, "yes", true), true);
	json_free(&j);
}

Test(json_read, members_come_in_their_order)
{
	static const char *const order[] = { "z", "a", "m", "b" };
	struct json *j = tree_of("{\"z\":0,\"a\":1,\"m\":2,\"b\":3}");
	const struct json *value;
	const char *key;

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		int64_t n = -1;

		cr_assert(json_member(j, i, &key, &value));
		cr_expect_str_eq(key, order[i]);
		cr_expect(json_int(value, &n));
		cr_expect_eq(n, (int64_t)i);
	}
	cr_expect_not(json_member(j, ARRAY_LEN(order), &key, &value));
	cr_expect_not(json_member(j, SIZE_MAX, &key, &value));
	cr_expect_not(json_member(json_get(j, "z"), 0, &key, &value));
	cr_expect_not(json_member(NULL, 0, &key, &value));
	json_free(&j);
}

static const struct {
	const char *why, *path;
	bool found;
} paths[] = {
	{ "member", "list", true },
	{ "element", "list.0", true },
	{ "member of an element", "list.2.k", true },
	{ "a number is a key in an object", "0", true },
	{ "past the end", "list.3", false },
	{ "negative", "list.-1", false },
	{ "not an index", "list.x", false },
	{ "index that wraps", "list.18446744073709551616", false },
	{ "into a text", "text.0", false },
	{ "into null", "null.a", false },
	{ "missing", "a.b.c", false },
	{ "empty part", "list..0", false },
};

Test(json_read, path)
{
	struct json *j = tree_of(sample);
	int64_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		cr_expect_eq(json_path(j, paths[i].path) != NULL,
		    paths[i].found, "%s: %s", paths[i].why, paths[i].path);
	cr_expect(json_int(json_path(j, "list.2.k"), &n));
	cr_expect_eq(n, 3);
	cr_expect_eq(json_path(j, ""), j, "no step");
	cr_expect_null(json_path(NULL, "a"));
	json_free(&j);
}

/* A part too long for the copy is absent, not cut to a key that exists. */
Test(json_read, path_with_an_endless_part)
{
	char path[300], text[320];
	struct json *j;

	memset(path, 'k', sizeof(path));
	for (size_t len = 1; len < 200; len++) {
		(void)snprintf(text, sizeof(text), "{\"%.*s\":1}", (int)len,
		    path);
		j = tree_of(text);
		path[sizeof(path) - 1] = '\0';
		cr_expect_null(json_path(j, path), "%zu", len);
		path[sizeof(path) - 1] = 'k';
		json_free(&j);
	}
}

/* What strangers say is bounded, and what is no whole number is nought. */
Test(json_read, counts, .timeout = 2)
{
	static const struct {
		const char *text;
		uint64_t n;
	} cases[] = { { "0", 0 }, { "5", 5 }, { "4294967295", UINT32_MAX },
		{ "4294967296", UINT32_MAX },
		{ "9223372036854775807", UINT32_MAX }, { "-1", 0 },
		{ "-9223372036854775808", 0 }, { "1.5", 0 }, { "\"7\"", 0 },
		{ "null", 0 }, { "[]", 0 } };
	char why[80];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *j = json_read(str_of(cases[i].text), why,
		    sizeof(why));

		cr_assert_not_null(j, "%s", why);
		cr_expect_eq(json_count(j), cases[i].n, "%s", cases[i].text);
		json_free(&j);
	}
	cr_expect_eq(json_count(NULL), 0);
}
