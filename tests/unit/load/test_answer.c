/* The load drivers' strict reader: what it takes, what it must not. */
#include "contrib/load/answer.h"

#include <criterion/criterion.h>
#include <event2/buffer.h>
#include <string.h>

#define OK "HTTP/1.1 200 OK\r\n"

/* clang-format off */
static const struct {
	const char *why, *in;
	enum answer_state end;
	const char *body; /* of ANSWER_DONE */
} rows[] = {
	{ "length", OK "Content-Length: 5\r\n\r\nhello", ANSWER_DONE, "hello" },
	{ "empty", OK "content-length: 0\r\n\r\n", ANSWER_DONE, "" },
	{ "no body by status", "HTTP/1.1 304 Not Modified\r\n\r\n",
	    ANSWER_DONE, "" },
	{ "body cut", OK "Content-Length: 6\r\n\r\nhello", ANSWER_MORE, "" },
	{ "head cut", OK "Content-Length: 6\r\n\r", ANSWER_MORE, "" },
	{ "chunks", OK "Transfer-Encoding: chunked\r\n\r\n"
	    "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", ANSWER_DONE, "hello" },
	{ "trailers", OK "Transfer-Encoding: chunked\r\n\r\n"
	    "1\r\na\r\n0\r\nX: y\r\n\r\n", ANSWER_DONE, "a" },
	{ "last chunk cut", OK "Transfer-Encoding: chunked\r\n\r\n"
	    "1\r\na\r\n0\r\n", ANSWER_MORE, "" },
	{ "chunk longer than said", OK "Transfer-Encoding: chunked\r\n\r\n"
	    "1\r\nab\r\n0\r\n\r\n", ANSWER_BAD, NULL },
	{ "chunk size no number", OK "Transfer-Encoding: chunked\r\n\r\n"
	    "zz\r\n", ANSWER_BAD, NULL },
	{ "both framings", OK "Content-Length: 1\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n", ANSWER_BAD, NULL },
	{ "no framing", OK "\r\nhello", ANSWER_BAD, NULL },
	{ "two lengths", OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
	    ANSWER_BAD, NULL },
	{ "length no number", OK "Content-Length: 1x\r\n\r\na", ANSWER_BAD,
	    NULL },
	{ "bytes before the status", "x" OK "Content-Length: 0\r\n\r\n",
	    ANSWER_BAD, NULL },
	{ "status of two digits", "HTTP/1.1 20 OK\r\n\r\n", ANSWER_BAD, NULL },
	{ "interim", "HTTP/1.1 100 Continue\r\n\r\n", ANSWER_BAD, NULL },
};
/* clang-format on */

/* Feeds in pieces of step bytes; the reader must not care where it is cut. */
static enum answer_state
feed(struct answer *a, const char *in, size_t step)
{
	struct evbuffer *b = evbuffer_new();
	enum answer_state s = ANSWER_MORE;
	size_t len = strlen(in);

	answer_reset(a);
	for (size_t i = 0; i < len && s == ANSWER_MORE; i += step) {
		evbuffer_add(b, in + i, MIN(step, len - i));
		s = answer_feed(a, b);
	}
	evbuffer_free(b);
	return s;
}

Test(answer, rows_at_every_cut, .timeout = 5)
{
	static struct answer a;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t step = 1; step <= strlen(rows[i].in); step++) {
			cr_expect_eq(feed(&a, rows[i].in, step), rows[i].end,
			    "%s: step %zu: %s", rows[i].why, step,
			    a.why == NULL ? "" : a.why);
			if (rows[i].end == ANSWER_DONE)
				cr_expect_str_eq(a.body, rows[i].body, "%s",
				    rows[i].why);
			if (rows[i].end == ANSWER_BAD)
				cr_expect_not_null(a.why, "%s", rows[i].why);
		}
}

Test(answer, fields_and_json, .timeout = 2)
{
	static struct answer a;
	char out[16];

	cr_assert_eq(feed(&a,
	                 OK "Set-Cookie: a=1\r\nX-Version:  v2\r\n"
	                    "set-cookie: b=2\r\nConnection: close\r\n"
	                    "Content-Length: 11\r\n\r\n{\"k\":\"val\"}",
	                 7),
	    ANSWER_DONE);
	cr_expect(a.closes);
	cr_expect(answer_field(&a, "X-Version", 0, out, sizeof(out)));
	cr_expect_str_eq(out, "v2");
	cr_expect(answer_field(&a, "Set-Cookie", 1, out, sizeof(out)));
	cr_expect_str_eq(out, "b=2", "the second of two");
	cr_expect_not(answer_field(&a, "Set-Cookie", 2, out, sizeof(out)));
	cr_expect_not(answer_field(&a, "Set", 0, out, sizeof(out)), "prefix");
	cr_expect_not(answer_field(&a, "X-Version", 0, out, 2), "does not fit");
	cr_expect(answer_json(&a, "k", out, sizeof(out)));
	cr_expect_str_eq(out, "val");
	cr_expect_not(answer_json(&a, "j", out, sizeof(out)));
}

Test(answer, head_without_end_is_bounded, .timeout = 2)
{
	struct evbuffer *b = evbuffer_new();
	static struct answer a;
	enum answer_state s = ANSWER_MORE;

	answer_reset(&a);
	for (unsigned i = 0; i < 2000 && s == ANSWER_MORE; i++) {
		evbuffer_add(b, "X: yyyyyy\r\n", 11);
		s = answer_feed(&a, b);
	}
	cr_expect_eq(s, ANSWER_BAD);
	evbuffer_free(b);
}
