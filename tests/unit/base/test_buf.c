/* The growing byte string. */
#include "base/buf.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

static void
is(const struct buf *b, const char *want, const char *why)
{
	cr_expect_eq(b->len, strlen(want), "%s: length %zu", why, b->len);
	cr_assert_not_null(b->p, "%s", why);
	cr_expect_str_eq(b->p, want, "%s", why);
}

Test(buf, begins_empty_and_costs_nothing)
{
	struct buf b = BUF_INIT;

	cr_expect_eq(buf_str(&b).len, 0);
	buf_reset(&b);
	buf_free(&b);
	cr_expect_null(b.p);
}

Test(buf, every_way_of_adding)
{
	struct buf b = BUF_INIT;

	buf_add(&b, "ab", 2);
	buf_add_str(&b, STR("cd"));
	buf_add_cstr(&b, "ef");
	buf_add_char(&b, 'g');
	buf_printf(&b, "%d-%s", 7, "h");
	is(&b, "abcdefg7-h", "in order");
	buf_free(&b);
}

Test(buf, numbers)
{
	static const struct {
		const char *why, *whole, *micro;
		uint64_t n;
	} rows[] = {
		{ "zero", "0", "0", 0 },
		{ "the least", "1", "0.000001", 1 },
		{ "zeros within", "340", "0.00034", 340 },
		{ "zeros at the end", "500000", "0.5", 500000 },
		{ "all digits", "1234567", "1.234567", 1234567 },
		{ "a whole one", "12000000", "12", 12000000 },
		{ "the most", "18446744073709551615", "18446744073709.551615",
		    UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT;

		buf_add_u64(&b, rows[i].n);
		is(&b, rows[i].whole, rows[i].why);
		buf_reset(&b);
		buf_add_micro(&b, rows[i].n);
		is(&b, rows[i].micro, rows[i].why);
		buf_free(&b);
	}
}

Test(buf, adding_nothing_terminates)
{
	struct buf b = BUF_INIT;

	buf_add(&b, NULL, 0);
	is(&b, "", "NULL and 0");
	buf_add_str(&b, str_of(NULL));
	is(&b, "", "empty str");
	buf_free(&b);
}

Test(buf, holds_any_byte)
{
	struct buf b = BUF_INIT;

	buf_add(&b, "a\0b", 3);
	buf_add_char(&b, '\0');
	cr_expect_eq(b.len, 4);
	cr_expect_arr_eq(b.p, "a\0b\0", 5);
	buf_free(&b);
}

/* A NUL behind the text at every length around every growth. */
Test(buf, is_terminated_at_every_length)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < 5000; i++) {
		buf_add_char(&b, (char)('a' + i % 26));
		cr_assert_eq(b.len, i + 1);
		cr_assert_gt(b.cap, b.len);
		cr_assert_eq(b.p[b.len], '\0');
	}
	for (size_t i = 0; i < 5000; i++)
		cr_assert_eq(b.p[i], (char)('a' + i % 26));
	buf_free(&b);
}

Test(buf, printf_of_every_length_is_whole)
{
	struct buf b = BUF_INIT;

	for (int width = 1; width < 600; width++) {
		buf_reset(&b);
		buf_add_char(&b, '<');
		buf_printf(&b, "%*d", width, 7);
		cr_assert_eq(b.len, (size_t)width + 1);
		cr_assert_eq(b.p[width], '7');
		cr_assert_eq(b.p[b.len], '\0');
		buf_free(&b);
	}
}

Test(buf, reset_keeps_the_memory)
{
	struct buf b = BUF_INIT;
	const char *p;

	buf_add_cstr(&b, "text");
	p = b.p;
	buf_reset(&b);
	is(&b, "", "after reset");
	cr_expect_eq(b.p, p);
	buf_free(&b);
	cr_expect_eq(b.cap, 0);
}

Test(buf, take_hands_over)
{
	struct buf b = BUF_INIT;
	char *p;

	buf_add_cstr(&b, "mine");
	p = buf_take(&b);
	cr_expect_str_eq(p, "mine");
	cr_expect_null(b.p, "the buf has let go");
	free(p);
	p = buf_take(&b);
	cr_assert_not_null(p, "\"\" rather than NULL");
	cr_expect_str_eq(p, "");
	free(p);
}

Test(buf, out_of_memory_is_remembered_and_harmless)
{
	struct buf b = BUF_INIT;

	buf_add_cstr(&b, "kept");
	fault_arm(FAULT_REALLOC, 1, ENOMEM);
	buf_printf(&b, "%1000d", 1);
	cr_expect(b.failed);
	is(&b, "kept", "what was there stays");
	buf_add_cstr(&b, "more");
	is(&b, "kept", "no hole: later writes do nothing");
	cr_expect_null(buf_take(&b), "half a text is no text");
	cr_expect_null(b.p);
	cr_expect_not(b.failed, "ready for new use");
}

Test(buf, out_of_memory_at_once)
{
	struct buf b = BUF_INIT;

	fault_arm(FAULT_REALLOC, 1, ENOMEM);
	buf_add_cstr(&b, "x");
	cr_expect(b.failed);
	cr_expect_eq(buf_str(&b).len, 0);
	buf_reset(&b);
	buf_free(&b);
}

Test(buf, absurd_length_fails_rather_than_wraps)
{
	struct buf b = BUF_INIT;

	buf_add_cstr(&b, "x");
	buf_add(&b, "y", SIZE_MAX);
	cr_expect(b.failed);
	is(&b, "x", "untouched");
	buf_free(&b);
}

Test(buf, stays_where_it_was_reserved)
{
	struct buf b = BUF_INIT;
	const char *at;

	buf_reserve(&b, 300);
	at = b.p;
	cr_expect_eq(b.cap, 301);
	cr_expect_str_eq(b.p, "");
	for (int i = 0; i < 300; i++)
		buf_add(&b, "x", 1);
	cr_expect_eq(b.p, at);
	cr_expect_eq(b.len, 300);
	buf_reserve(&b, 10);
	cr_expect_eq(b.p, at, "it has as much");
	buf_reserve(&b, SIZE_MAX);
	cr_expect(b.failed);
	cr_expect_eq(b.len, 300);
	buf_free(&b);
}
