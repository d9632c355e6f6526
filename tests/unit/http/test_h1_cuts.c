/*
 * A peer that sends byte by byte must not make us look at everything again
 * each time.  Bytes that have been looked at are overwritten with NUL here,
 * which no reader could pass unharmed.
 */
#include <string.h>

#include "base/err.h"
#include "http/h1_read.h"
#include "try.h"

static struct http_head h;
static char bytes[70000];

/* What comes before the long run, and a byte to fill it with. */
static const struct {
	const char *why, *before;
	char fill;
	bool response;
	size_t run;
} rows[] = {
	{ "target", "GET /", 'a', false, 16000 },
	{ "field name", "GET / HTTP/1.1\r\nHost: a\r\nX", 'a', false, 16000 },
	{ "field value", "GET / HTTP/1.1\r\nHost: a\r\nX: b", 'a', false,
	    16000 },
	{ "blanks before a value", "GET / HTTP/1.1\r\nHost: a\r\nX:", ' ',
	    false, 16000 },
	{ "reason", "HTTP/1.1 200 O", 'k', true, 60000 },
};

Test(h1_cuts, bytes_of_a_head_are_not_looked_at_again)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].before);
		struct h1_reader r;

		h1_reader_init(&r, rows[i].response);
		memcpy(bytes, rows[i].before, len);
		bytes[len++] = rows[i].fill;
		for (size_t end = len + rows[i].run; len < end; len++) {
			cr_assert_eq(h1_read_head(&r, str_from(bytes, len),
			                 &drive_limits, METHOD_GET, &h),
			    0, "%s: %zu", rows[i].why, len);
			bytes[len - 1] = '\0';
			bytes[len] = rows[i].fill;
		}
		/* and nothing is believed unseen in the end */
		bytes[len] = '\r';
		cr_expect_eq(h1_read_head(&r, str_from(bytes, len + 1),
		                 &drive_limits, METHOD_GET, &h),
		    E_SYNTAX, "%s", rows[i].why);
	}
}

Test(h1_cuts, bytes_of_trailers_are_not_looked_at_again)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\n"
	                           "Transfer-Encoding: chunked\r\n\r\n";
	struct h1_reader r;
	struct str data;
	size_t used;

	h1_reader_init(&r, false);
	cr_assert_gt(h1_read_head(&r, STR(head), &drive_limits, METHOD_GET, &h),
	    0);
	cr_assert_eq(h1_read_body(&r, STR("0\r\n"), &drive_limits, &used, &data,
	                 &h),
	    H1_MORE);
	cr_assert_eq(used, 3);
	memcpy(bytes, "X: a", 4);
	for (size_t len = 4; len < 16000; len++) {
		cr_assert_eq(h1_read_body(&r, str_from(bytes, len),
		                 &drive_limits, &used, &data, &h),
		    H1_MORE);
		cr_assert_eq(used, 0);
		bytes[len - 1] = '\0';
		bytes[len] = 'a';
	}
}

/* The largest head, cut at random and byte by byte. */
Test(h1_cuts, largest_head, .timeout = 60)
{
	struct drive d = { .limits = drive_limits };
	struct buf in = BUF_INIT;
	struct drive_out whole, cut;
	uint64_t dice = 88172645463325252;

	buf_add_cstr(&in, "GET / HTTP/1.1\r\nHost: a\r\n");
	while (in.len < 65536 - 700) {
		buf_add_cstr(&in, "X-Filler: ");
		for (int k = 0; k < 650; k++)
			buf_add_char(&in, (char)('a' + k % 26));
		buf_add_cstr(&in, "\r\n");
	}
	buf_add_cstr(&in, "\r\n");
	drive(&d, buf_str(&in), drive_whole, NULL, &whole);
	cr_expect_eq(whole.bad, BAD_NONE);
	cr_expect_eq(whole.used, in.len);
	drive(&d, buf_str(&in), drive_random, &dice, &cut);
	cr_expect(str_eq(buf_str(&cut.told), buf_str(&whole.told)));
	drive_free(&cut);
	drive_free(&whole);
	buf_free(&in);
}
