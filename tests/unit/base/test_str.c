/* Borrowed runs of bytes. */
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

#define NONE ((struct str){ NULL, 0 })

static void
same(struct str got, const char *want, const char *why)
{
	cr_expect(str_eq(got, str_of(want)), "%s: \"" STR_FMT "\", not \"%s\"",
	    why, STR_ARG(got), want);
}

/* ---- comparing ---- */

static const struct {
	const char *why, *a, *b;
	bool eq, caseeq, starts, casestarts, ends;
	int cmp;
} pairs[] = {
	{ "both empty", "", "", 1, 1, 1, 1, 1, 0 },
	{ "empty is part of all", "a", "", 0, 0, 1, 1, 1, 1 },
	{ "nothing is part of empty", "", "a", 0, 0, 0, 0, 0, -1 },
	{ "same", "host", "host", 1, 1, 1, 1, 1, 0 },
	{ "case", "Host", "hOST", 0, 1, 0, 1, 0, -1 },
	{ "prefix", "hostname", "host", 0, 0, 1, 1, 0, 1 },
	{ "prefix in another case", "HOSTname", "host", 0, 0, 0, 1, 0, -1 },
	{ "suffix", "myhost", "host", 0, 0, 0, 0, 1, 1 },
	{ "longer prefix than text", "host", "hostname", 0, 0, 0, 0, 0, -1 },
	{ "no letters, 0x20 apart", "[", "{", 0, 0, 0, 0, 0, -1 },
	{ "no letters, @ and `", "@", "`", 0, 0, 0, 0, 0, -1 },
	{ "bytes above 127 come last", "\xc3", "z", 0, 0, 0, 0, 0, 1 },
	{ "only ASCII has case", "\xc4", "\xe4", 0, 0, 0, 0, 0, -1 },
};

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

Test(str, comparing)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct str a = str_of(pairs[i].a), b = str_of(pairs[i].b);
		const char *why = pairs[i].why;

		cr_expect_eq(str_eq(a, b), pairs[i].eq, "%s: eq", why);
		cr_expect_eq(str_caseeq(a, b), pairs[i].caseeq, "%s: caseeq",
		    why);
		cr_expect_eq(str_starts(a, b), pairs[i].starts, "%s: starts",
		    why);
		cr_expect_eq(str_casestarts(a, b), pairs[i].casestarts,
		    "%s: casestarts", why);
		cr_expect_eq(str_ends(a, b), pairs[i].ends, "%s: ends", why);
		cr_expect_eq(sign(str_cmp(a, b)), pairs[i].cmp, "%s: cmp", why);
		cr_expect_eq(sign(str_cmp(b, a)), -pairs[i].cmp,
		    "%s: cmp the other way", why);
	}
}

/* Under UBSan this is the proof that no NULL reaches mem*(). */
Test(str, nothing_at_all_is_an_empty_text)
{
	struct str rest = NONE, item, empty = STR("");
	uint64_t n;
	char out[2] = "x";

	cr_expect_eq(str_of(NULL).len, 0);
	cr_expect(str_eq(NONE, empty));
	cr_expect(str_caseeq(NONE, empty));
	cr_expect(str_starts(NONE, NONE));
	cr_expect(str_starts(STR("a"), NONE));
	cr_expect_not(str_starts(NONE, STR("a")));
	cr_expect(str_casestarts(STR("a"), NONE));
	cr_expect(str_ends(STR("a"), NONE));
	cr_expect(str_ends(NONE, NONE));
	cr_expect_eq(str_cmp(NONE, empty), 0);
	cr_expect_lt(str_cmp(NONE, STR("a")), 0);
	cr_expect_eq(str_find(NONE, '\0'), -1);
	cr_expect_eq(str_trim(NONE).len, 0);
	cr_expect_eq(str_sub(NONE, 3, 5).len, 0);
	cr_expect_eq(str_split(&rest, ',').len, 0);
	cr_expect_not(str_list_next(&rest, &item));
	cr_expect_not(str_u64(NONE, &n));
	cr_expect_eq(str_copy(NONE, out, sizeof(out)), 0);
	cr_expect_str_eq(out, "");
	cr_expect_eq(str_distance(NONE, NONE, 3), 0);
	cr_expect_null(str_nearest(STR("abc"), NULL, 0));
}

Test(str, holds_nul_bytes)
{
	struct str a = STR("a\0b"), b = STR("a\0c");

	cr_expect_not(str_eq(a, b));
	cr_expect_lt(str_cmp(a, b), 0);
	cr_expect_eq(str_find(a, '\0'), 1);
	cr_expect_eq(str_find(a, 'b'), 2, "looks behind the NUL");
}

/* ---- cutting ---- */

Test(str, find_gives_the_first)
{
	cr_expect_eq(str_find(STR("a=b=c"), '='), 1);
	cr_expect_eq(str_find(STR("=a"), '='), 0);
	cr_expect_eq(str_find(STR("a="), '='), 1);
	cr_expect_eq(str_find(STR("abc"), '='), -1);
	cr_expect_eq(str_find(str_from("ab=", 2), '='), -1, "not past the end");
	cr_expect_eq(str_find(STR("x\xff"), (char)0xff), 1);
}

static const struct {
	const char *why, *in, *out;
} trims[] = {
	{ "nothing to do", "a b", "a b" },
	{ "both ends, both blanks", " \ta b\t ", "a b" },
	{ "nothing left", " \t ", "" },
	{ "a line end is no blank (RFC 9110 5.6.3)", " a\r\n", "a\r\n" },
	{ "vertical tab is none either", "\va", "\va" },
};

Test(str, trim)
{
	for (size_t i = 0; i < ARRAY_LEN(trims); i++)
		same(str_trim(str_of(trims[i].in)), trims[i].out, trims[i].why);
}

static const struct {
	const char *why;
	size_t from, len;
	const char *out;
} subs[] = {
	{ "all", 0, 5, "hello" },
	{ "middle", 1, 3, "ell" },
	{ "cut at the end", 3, 100, "lo" },
	{ "no wrap", 3, SIZE_MAX, "lo" },
	{ "at the end", 5, 1, "" },
	{ "behind the end", 6, 1, "" },
	{ "far behind the end", SIZE_MAX, SIZE_MAX, "" },
	{ "none", 2, 0, "" },
};

Test(str, sub)
{
	struct str s = STR("hello");

	for (size_t i = 0; i < ARRAY_LEN(subs); i++) {
		struct str got = str_sub(s, subs[i].from, subs[i].len);

		same(got, subs[i].out, subs[i].why);
		cr_expect(got.p >= s.p && got.p <= s.p + s.len,
		    "%s: stays inside", subs[i].why);
	}
}

Test(str, split_tells_empty_from_absent)
{
	struct str rest = STR("a,,b,");

	same(str_split(&rest, ','), "a", "first");
	same(str_split(&rest, ','), "", "between two");
	same(str_split(&rest, ','), "b", "third");
	cr_expect_not_null(rest.p, "a separator came: one more part, empty");
	same(str_split(&rest, ','), "", "last");
	cr_expect_null(rest.p, "no separator: that was all");
}

Test(str, split_without_separator_is_the_whole)
{
	struct str rest = STR("abc");

	same(str_split(&rest, ','), "abc", "whole");
	cr_expect_null(rest.p);
	cr_expect_eq(rest.len, 0);
}

/* Items joined with '|', so that a row reads at a glance. */
static const struct {
	const char *why, *in, *items;
} lists[] = {
	{ "empty", "", "" },
	{ "one", "a", "a|" },
	{ "blanks go", " a ,\tb ", "a|b|" },
	{ "empty elements are ignored (RFC 9110 5.6.1.2)", ",a, ,,b,", "a|b|" },
	{ "only commas", ", ,,", "" },
	{ "comma in quotes", "a=\"x,y\",b", "a=\"x,y\"|b|" },
	{ "escaped quote in quotes", "\"x\\\",y\",b", "\"x\\\",y\"|b|" },
	{ "escaped backslash ends the quotes", "\"x\\\\\",b", "\"x\\\\\"|b|" },
	{ "backslash outside is plain", "a\\,b", "a\\|b|" },
	{ "quotes left open take the rest", "a,\"b,c", "a|\"b,c|" },
	{ "backslash at the very end", "\"a\\", "\"a\\|" },
};

Test(str, list)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct str rest = str_of(lists[i].in), item;
		char got[64] = "";

		while (str_list_next(&rest, &item)) {
			(void)strncat(got, item.p, item.len);
			(void)strcat(got, "|");
		}
		cr_expect_str_eq(got, lists[i].items, "%s: %s", lists[i].why,
		    got);
		cr_expect_not(str_list_next(&rest, &item), "%s: end is the end",
		    lists[i].why);
	}
}

/* A copy without slack, cut at every byte: ASan sees one read too far. */
Test(str, list_cut_anywhere_stays_inside)
{
	static const char text[] = " a=\"x\\\",y\" , b,\"c\\";

	for (size_t len = 0; len < sizeof(text); len++) {
		char *p = malloc(len + (len == 0));
		struct str rest = str_from(p, len), item;

		memcpy(p, text, len);
		while (str_list_next(&rest, &item))
			cr_assert(item.p >= p && item.p + item.len <= p + len);
		free(p);
	}
}

/* ---- numbers ---- */

static const struct {
	const char *why, *in;
	bool ok;
	uint64_t n;
} numbers[] = {
	{ "zero", "0", true, 0 },
	{ "leading zeros are decimal", "010", true, 10 },
	{ "largest", "18446744073709551615", true, UINT64_MAX },
	{ "one more", "18446744073709551616", false, 0 },
	{ "wraps to a small number", "18446744073709551626", false, 0 },
	{ "a digit more", "184467440737095516150", false, 0 },
	{ "many zeros in front", "000000000000000000000007", true, 7 },
	{ "nothing", "", false, 0 },
	{ "sign", "+1", false, 0 },
	{ "minus", "-1", false, 0 },
	{ "blank in front", " 1", false, 0 },
	{ "blank behind", "1 ", false, 0 },
	{ "hex", "0x10", false, 0 },
	{ "point", "1.0", false, 0 },
	{ "the byte before 0", "/", false, 0 },
	{ "the byte behind 9", ":", false, 0 },
	{ "digits of another alphabet", "\xd9\xa1", false, 0 },
};

Test(str, u64)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uint64_t n = 4711;

		cr_expect_eq(str_u64(str_of(numbers[i].in), &n), numbers[i].ok,
		    "%s", numbers[i].why);
		cr_expect_eq(n, numbers[i].ok ? numbers[i].n : 4711, "%s: %llu",
		    numbers[i].why, (unsigned long long)n);
	}
	cr_expect_not(str_u64(STR("1\0"), &(uint64_t){ 0 }), "NUL behind");
}

/* ---- copies ---- */

Test(str, dup)
{
	char *p = str_dup(STR("a\0b"));

	cr_expect_arr_eq(p, "a\0b", 4, "with its NUL");
	free(p);
	p = str_dup(NONE);
	cr_expect_str_eq(p, "");
	free(p);
	fault_arm(FAULT_MALLOC, 1, ENOMEM);
	p = str_dup(STR("a"));
	cr_expect_null(p);
}

Test(str, copy_never_leaves_its_place)
{
	for (size_t cap = 0; cap < 8; cap++) {
		char out[8];
		size_t n, want = cap == 0 ? 0 : MIN(cap - 1, 5);

		memset(out, '#', sizeof(out));
		n = str_copy(STR("hello"), out, cap);
		cr_expect_eq(n, want, "cap %zu", cap);
		if (cap > 0)
			cr_expect_eq(out[n], '\0', "cap %zu", cap);
		cr_expect_arr_eq(out, "hello", n, "cap %zu", cap);
		for (size_t i = cap; i < sizeof(out); i++)
			cr_expect_eq(out[i], '#', "cap %zu, byte %zu", cap, i);
	}
}

/* ---- did you mean ---- */

static const struct {
	const char *a, *b;
	unsigned limit, out;
} distances[] = {
	{ "", "", 3, 0 },
	{ "abc", "abc", 3, 0 },
	{ "abc", "ABC", 3, 0 },
	{ "", "abc", 3, 3 },
	{ "kitten", "sitting", 9, 3 },
	{ "timeot", "timeout", 3, 1 },
	{ "tiemout", "timeout", 3, 2 },
	{ "kitten", "sitting", 2, 3 },
	{ "abc", "xyz", 0, 1 },
	{ "abcdefgh", "ijklmnop", 3, 4 },
	{ "abc", "xyz", UINT_MAX, 3 },
};

Test(str, distance)
{
	for (size_t i = 0; i < ARRAY_LEN(distances); i++) {
		struct str a = str_of(distances[i].a);
		struct str b = str_of(distances[i].b);

		cr_expect_eq(str_distance(a, b, distances[i].limit),
		    distances[i].out, "%s %s", distances[i].a, distances[i].b);
		cr_expect_eq(str_distance(b, a, distances[i].limit),
		    distances[i].out, "%s %s", distances[i].b, distances[i].a);
	}
}

Test(str, distance_bounds_its_work)
{
	char text[65];

	memset(text, 'a', sizeof(text));
	cr_expect_eq(str_distance(str_from(text, 64), str_from(text, 63), 5),
	    1);
	cr_expect_eq(str_distance(str_from(text, 65), str_from(text, 65), 5),
	    6);
	cr_expect_eq(str_distance(str_from(text, 65), NONE, UINT_MAX), UINT_MAX,
	    "no wrap to \"the same\"");
}

static const char *const names[] = { "timeout", "interval", "path", "port" };

static const struct {
	const char *why, *in, *out;
} nearests[] = {
	{ "a letter lost", "timeot", "timeout" },
	{ "two swapped", "intevral", "interval" },
	{ "case", "PATH", "path" },
	{ "the same", "port", "port" },
	{ "the nearer of two", "pathh", "path" },
	{ "the first of two as near", "pait", "path" },
	{ "nothing like it", "backlog", NULL },
	{ "short and different", "xyz", NULL },
};

Test(str, nearest)
{
	for (size_t i = 0; i < ARRAY_LEN(nearests); i++) {
		const char *got = str_nearest(str_of(nearests[i].in), names,
		    ARRAY_LEN(names));

		if (nearests[i].out == NULL) {
			cr_expect_null(got, "%s: %s", nearests[i].why, got);
			continue;
		}
		cr_assert_not_null(got, "%s", nearests[i].why);
		cr_expect_str_eq(got, nearests[i].out, "%s", nearests[i].why);
	}
}
