/* Responses of HTTP/1.1, cut at every byte. */
#include "segue/reply.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

static int
keep(struct str piece, void *arg)
{
	buf_add_str(arg, piece);
	return E_OK;
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

/* clang-format off */
static const struct {
	const char *why, *in;
	int rc;           /* of the bytes, or of the close behind them */
	int status;
	const char *type, *body;
	bool to_close;    /* complete only when the peer closes */
} rows[] = {
	{ "length", OK_HEAD "Content-Length: 5\r\n\r\nhello", E_OK, 200, "",
	    "hello", false },
	{ "more than length is not ours",
	    OK_HEAD "Content-Length: 5\r\n\r\nhello, world", E_OK, 200, "",
	    "hello", false },
	{ "length zero", OK_HEAD "Content-Length: 0\r\n\r\n", E_OK, 200, "",
	    "", false },
	{ "names in any case", OK_HEAD "content-LENGTH:5\r\n\r\nhello", E_OK,
	    200, "", "hello", false },
	{ "type without parameters",
	    OK_HEAD "Content-Type: application/json; charset=utf-8\r\n"
	    "Content-Length: 2\r\n\r\n{}", E_OK, 200, "application/json",
	    "{}", false },
	{ "until it closes", OK_HEAD "\r\nhello", E_OK, 200, "", "hello",
	    true },
	{ "until it closes, empty", OK_HEAD "\r\n", E_OK, 200, "", "", true },
	{ "chunked", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
	    "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", E_OK, 200, "", "hello",
	    false },
	{ "chunked with trailers", OK_HEAD "Transfer-Encoding: Chunked\r\n\r\n"
	    "A\r\n0123456789\r\n00\r\nX: y\r\nZ: z\r\n\r\n", E_OK, 200, "",
	    "0123456789", false },
	{ "interim response", "HTTP/1.1 100 Continue\r\n\r\n"
	    OK_HEAD "Content-Length: 2\r\n\r\nok", E_OK, 200, "", "ok",
	    false },
	{ "its fields do not count", "HTTP/1.1 103 Early\r\n"
	    "Content-Length: 9\r\nContent-Type: a/b\r\n\r\n"
	    OK_HEAD "Content-Length: 2\r\n\r\nok", E_OK, 200, "", "ok",
	    false },
	{ "no content", "HTTP/1.1 204 No Content\r\n\r\nx", E_OK, 204, "", "",
	    false },
	{ "no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", E_OK, 200,
	    "", "", false },
	{ "bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", E_OK, 200,
	    "", "ok", false },
	{ "an error's status", "HTTP/1.1 409 Conflict\r\n"
	    "Content-Length: 2\r\n\r\n{}", E_OK, 409, "", "{}", false },

	{ "closed at once", "", E_EOF, 0, "", "", true },
	{ "closed within the head", OK_HEAD "Content-Le", E_EOF, 200, "", "",
	    true },
	{ "closed within a length", OK_HEAD "Content-Length: 5\r\n\r\nhel",
	    E_EOF, 200, "", "hel", true },
	{ "closed before the last chunk",
	    OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", E_EOF,
	    200, "", "hel", true },
	{ "closed behind the interim response", "HTTP/1.1 100 C\r\n\r\n",
	    E_EOF, 0, "", "", true },

	{ "not HTTP", "SSH-2.0-OpenSSH\r\n", E_SYNTAX, 0, "", "", false },
	{ "HTTP/2", "HTTP/2 200 OK\r\n", E_SYNTAX, 0, "", "", false },
	{ "status of two digits", "HTTP/1.1 20 OK\r\n", E_SYNTAX, 0, "", "",
	    false },
	{ "status 600", "HTTP/1.1 600 Odd\r\n", E_SYNTAX, 0, "", "", false },
	{ "field without a colon", OK_HEAD "odd\r\n", E_SYNTAX, 200, "", "",
	    false },
	{ "length is no number", OK_HEAD "Content-Length: 5x\r\n", E_SYNTAX,
	    200, "", "", false },
	{ "lengths that differ",
	    OK_HEAD "Content-Length: 5\r\nContent-Length: 6\r\n", E_SYNTAX,
	    200, "", "", false },
	{ "length and chunked", OK_HEAD "Content-Length: 5\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n", E_SYNTAX, 200, "", "",
	    false },
	{ "coding we do not know", OK_HEAD "Transfer-Encoding: gzip\r\n",
	    E_SYNTAX, 200, "", "", false },
	{ "chunk without a size",
	    OK_HEAD "Transfer-Encoding: chunked\r\n\r\n\r\n", E_SYNTAX, 200,
	    "", "", false },
	{ "chunk size is no number",
	    OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5g\r\n", E_SYNTAX, 200,
	    "", "", false },
	{ "chunk size wraps",
	    OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
	    "10000000000000005\r\n", E_RANGE, 200, "", "", false },
	{ "chunk longer than its size",
	    OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhel\r\n",
	    E_SYNTAX, 200, "", "he", false },
};
/* clang-format on */

/* Feeds in, cut at one place (or at every, when cut is 0). */
static int
feed(struct reply *r, struct str in, size_t cut, struct buf *body)
{
	int rc = E_AGAIN;

	reply_init(r, keep, body);
	while (rc == E_AGAIN && in.len > 0) {
		size_t n = cut == 0 ? 1 : MIN(cut, in.len);

		rc = reply_feed(r, str_sub(in, 0, n));
		in = str_sub(in, n, in.len);
	}
	return rc;
}

Test(reply, responses, .timeout = 10)
{
	static struct reply r;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str in = str_of(rows[i].in);

		for (size_t cut = 0; cut <= in.len; cut++) {
			struct buf body = BUF_INIT;
			int rc = feed(&r, in, cut, &body);

			if (rows[i].to_close) {
				cr_expect_eq(rc, E_AGAIN, "%s: %d", rows[i].why,
				    rc);
				rc = reply_close(&r);
			}
			buf_add_cstr(&body, "");
			cr_expect_eq(rc, rows[i].rc, "%s, cut %zu: %d",
			    rows[i].why, cut, rc);
			cr_expect_eq(r.status, rows[i].status, "%s, cut %zu",
			    rows[i].why, cut);
			cr_expect_str_eq(r.type, rows[i].type, "%s",
			    rows[i].why);
			cr_expect_str_eq(body.p, rows[i].body, "%s, cut %zu",
			    rows[i].why, cut);
			buf_free(&body);
		}
	}
}

/* Heads are bounded: in a line, and in all. */
Test(reply, bounds, .timeout = 10)
{
	static struct reply r;
	struct buf body = BUF_INIT, line = BUF_INIT;
	int rc;

	reply_init(&r, keep, &body);
	for (size_t i = 0; i <= REPLY_LINE_MAX; i++)
		buf_add_char(&line, 'x');
	cr_expect_eq(reply_feed(&r, buf_str(&line)), E_TOOBIG);

	reply_init(&r, keep, &body);
	rc = reply_feed(&r, STR(OK_HEAD));
	for (size_t i = 0; rc == E_AGAIN && i < REPLY_HEAD_MAX; i++)
		rc = reply_feed(&r, STR("X: y\r\n"));
	cr_expect_eq(rc, E_TOOBIG);

	/* chunks may be many: only one at a time counts */
	reply_init(&r, keep, &body);
	rc = reply_feed(&r, STR(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"));
	for (size_t i = 0; rc == E_AGAIN && i < REPLY_HEAD_MAX; i++)
		rc = reply_feed(&r, STR("1\r\nx\r\n"));
	cr_expect_eq(rc, E_AGAIN);
	cr_expect_eq(body.len, REPLY_HEAD_MAX);
	buf_free(&body);
	buf_free(&line);
}

static int
refuse(struct str piece UNUSED, void *arg)
{
	(*(int *)arg)++;
	return E_FULL;
}

Test(reply, body_ends_it, .timeout = 5)
{
	static struct reply r;
	int calls = 0;

	reply_init(&r, refuse, &calls);
	cr_expect_eq(reply_feed(&r, STR(OK_HEAD "\r\nhello")), E_FULL);
	cr_expect_eq(calls, 1);
}
