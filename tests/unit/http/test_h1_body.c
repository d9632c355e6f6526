/* Chunks and trailers, each cut at every byte. */
#include "http/h1_read.h"
#include "try.h"

#define LIMITS                                                                 \
	{                                                                      \
		.head_bytes = 300, .field_bytes = 60, .target_bytes = 60,      \
		.fields = 5                                                    \
	}
static const struct drive requests = { .limits = LIMITS };

#define HEAD "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define SAID "POST / a chunked keep"
#define LAST "0\r\n\r\n"

static const struct try_row chunks[] = {
	{ "nothing", LAST, " end" },
	{ "one", "5\r\nhello\r\n" LAST, " body=hello end" },
	{ "two", "2\r\nhe\r\n3\r\nllo\r\n" LAST, " body=hello end" },
	{ "digits of both cases", "A\r\n0123456789\r\na\r\n0123456789\r\n" LAST,
	    " body=01234567890123456789 end" },
	{ "zeros before", "0005\r\nhello\r\n" LAST, " body=hello end" },
	{ "several zeros end it", "000\r\n\r\n", " end" },
	{ "16 digits", "0000000000000005\r\nhello\r\n" LAST,
	    " body=hello end" },
	{ "17 digits", "00000000000000005\r\nhello\r\n" LAST,
	    " bad chunk_size" },
	{ "longest", "7fffffffffffffff\r\nhello", " body=hello cut" },
	{ "longer than 63 bits", "8000000000000000\r\n", " bad chunk_size" },
	{ "longest number", "ffffffffffffffff\r\n", " bad chunk_size" },
	{ "64-bit wrap", "10000000000000005\r\nhello\r\n", " bad chunk_size" },
	{ "line ends in the data", "4\r\n\r\n\r\n\r\n" LAST,
	    " body=\r\n\r\n end" },
	{ "no size", "\r\nhello\r\n" LAST, " bad chunk_size" },
	{ "no digit", "g\r\n", " bad chunk_size" },
	{ "0x", "0x5\r\nhello\r\n" LAST, " bad chunk_size" },
	{ "plus", "+5\r\nhello\r\n" LAST, " bad chunk_size" },
	{ "minus", "-5\r\nhello\r\n" LAST, " bad chunk_size" },
	{ "blank before", " 5\r\nhello\r\n" LAST, " bad chunk_size" },
	{ "blank behind (we are stricter)", "5 \r\nhello\r\n" LAST,
	    " bad chunk_size" },
	{ "blank before an extension (the same)", "5 ;a\r\nhello\r\n" LAST,
	    " bad chunk_size" },
	{ "underscore", "1_0\r\n", " bad chunk_size" },
	{ "LF behind the size", "5\nhello\r\n" LAST, " bad bare_lf" },
	{ "LF before the size", "\n5\r\nhello\r\n" LAST, " bad bare_lf" },
	{ "CR behind the size", "5\rhello\r\n" LAST, " bad bare_cr" },
	{ "CR CR LF", "5\r\r\nhello\r\n" LAST, " bad bare_cr" },
	{ "shorter than its size", "5\r\nhel\r\n0\r\n\r\n",
	    " body=hel\r\n bad chunk_end" },
	{ "longer than its size", "2\r\nhello\r\n" LAST,
	    " body=he bad chunk_end" },
	{ "no line end behind", "5\r\nhello0\r\n\r\n",
	    " body=hello bad chunk_end" },
	{ "LF behind", "5\r\nhello\n" LAST, " body=hello bad chunk_end" },
	{ "CR behind", "5\r\nhello\r0\r\n\r\n", " body=hello bad chunk_end" },
	{ "extension", "5;a\r\nhello\r\n0;b=c\r\n\r\n", " body=hello end" },
	{ "extension, quoted", "5;a=\"b;\xfc\t c\"\r\nhello\r\n" LAST,
	    " body=hello end" },
	{ "empty extension", "5;\r\nhello\r\n" LAST, " body=hello end" },
	{ "LF in an extension", "5;a\nhello\r\n" LAST, " bad bare_lf" },
	{ "CR in an extension", "5;a\rb\r\nhello\r\n" LAST, " bad bare_cr" },
	{ "CR in a quoted one", "5;a=\"\r\"\r\nhello\r\n" LAST,
	    " bad bare_cr" },
	{ "control byte in an extension", "5;\x01\r\nhello\r\n" LAST,
	    " bad chunk_extension" },
	{ "the last chunk with data", "0\r\nhello\r\n\r\n", " bad field_name" },
	{ "cut in a size", "5", " cut" },
	{ "cut behind a size", "5\r\n", " cut" },
	{ "cut in the data", "5\r\nhe", " body=he cut" },
	{ "cut behind the data", "5\r\nhello\r\n", " body=hello cut" },
	{ "cut before the last line", "0\r\n", " cut" },
	{ "cut in the last line", "0\r\n\r", " cut" },
	{ "the next request is not a trailer",
	    LAST "GET / HTTP/1.1\r\nHost: b\r\n\r\n",
	    " end | GET / b none keep end" },
};

static void
try_bodies(const struct try_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf in = BUF_INIT, said = BUF_INIT;

		buf_printf(&in, "%s%s", HEAD, rows[i].in);
		buf_printf(&said, "%s%s", SAID, rows[i].said);
		try_bytes(&requests, rows[i].why, buf_str(&in), said.p);
		buf_free(&in);
		buf_free(&said);
	}
}

Test(h1_body, chunks, .timeout = 60)
{
	try_bodies(chunks, ARRAY_LEN(chunks));
}

Test(h1_body, nul_in_the_framing)
{
	static const struct str rows[] = { STR(HEAD "\0" LAST),
		STR(HEAD "5\0\r\n"), STR(HEAD "5;\0\r\n"), STR(HEAD "0\r\n\0"),
		STR(HEAD "0\r\nA\0: b\r\n\r\n"),
		STR(HEAD "0\r\nA: \0b\r\n\r\n") };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		try_bytes(&requests, "NUL", rows[i], SAID " bad nul");
}

#define D10 "0123456789"

static const struct try_row trailers[] = {
	{ "one", "0\r\nA: b\r\n\r\n", " trailer=A:b end" },
	{ "several, behind data", "2\r\nhi\r\n0\r\nA: b\r\nC:d\r\n\r\n",
	    " body=hi trailer=A:b trailer=C:d end" },
	{ "the next request behind",
	    "0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
	    " trailer=A:b end | GET / b none keep end" },
	{ "a length", "0\r\nContent-Length: 5\r\n\r\nhello", " bad trailer" },
	{ "a coding", "0\r\ntransfer-encoding: chunked\r\n\r\n" LAST,
	    " bad trailer" },
	{ "routing is dropped, RFC 9110 6.5.1", "0\r\nHost: evil\r\n\r\n",
	    " end" },
	{ "who asks is dropped",
	    "0\r\nX-Forwarded-For: 1\r\nForwarded: for=1\r\nA: b\r\n\r\n",
	    " trailer=A:b end" },
	{ "credentials are dropped",
	    "0\r\nAuthorization: x\r\nCookie: a=b\r\nA: b\r\n\r\n",
	    " trailer=A:b end" },
	{ "what it is is dropped",
	    "0\r\nContent-Type: x\r\ncontent-ENCODING: y\r\n\r\n", " end" },
	{ "fields of the connection are dropped",
	    "0\r\nConnection: close\r\nTE: x\r\nUpgrade: y\r\n\r\n", " end" },
	{ "space before the colon", "0\r\nA : b\r\n\r\n",
	    " bad space_before_colon" },
	{ "folded", "0\r\nA: b\r\n c\r\n\r\n", " bad folded_line" },
	{ "LF", "0\r\nA: b\n\r\n", " bad bare_lf" },
	{ "LF at the end", "0\r\n\n", " bad bare_lf" },
	{ "CR at the end", "0\r\n\rX", " bad bare_cr" },
	{ "no name", "0\r\n: b\r\n\r\n", " bad field_name" },
	{ "no colon", "0\r\nA\r\n\r\n", " bad field_name" },
	{ "control byte", "0\r\nA: \x01\r\n\r\n", " bad field_value" },
	{ "cut in a name", "0\r\nA", " cut" },
	{ "cut in a value", "0\r\nA: b", " cut" },
	{ "cut behind a line", "0\r\nA: b\r\n", " cut" },
	{ "most", "0\r\nA:1\r\nB:2\r\nC:3\r\nD:4\r\nE:5\r\n\r\n",
	    " trailer=A:1 trailer=B:2 trailer=C:3 trailer=D:4 trailer=E:5"
	    " end" },
	{ "more", "0\r\nA:1\r\nB:2\r\nC:3\r\nD:4\r\nE:5\r\nF:6\r\n\r\n",
	    " bad too_many_fields" },
	{ "longest", "0\r\nA:" D10 D10 D10 D10 D10 "012345\r\n\r\n",
	    " trailer=A:" D10 D10 D10 D10 D10 "012345 end" },
	{ "longer", "0\r\nA:" D10 D10 D10 D10 D10 "0123456\r\n\r\n",
	    " bad field_too_big" },
	{ "longer and never ending", "0\r\nA:" D10 D10 D10 D10 D10 D10,
	    " bad field_too_big" },
};

Test(h1_body, trailers, .timeout = 60)
{
	try_bodies(trailers, ARRAY_LEN(trailers));
}

/* A trailer section is bounded like a head: at once or byte by byte. */
Test(h1_body, limit_of_trailers, .timeout = 60)
{
	struct drive d = requests;
	struct buf in = BUF_INIT;
	struct drive_out out;

	d.limits.fields = 100;
	buf_add_cstr(&in, HEAD "0\r\n");
	for (int i = 0; i < 29; i++)
		buf_add_cstr(&in, "A: 45678\r\n"); /* 290 bytes */
	buf_add_cstr(&in, "A: 4\r\n\r\n");
	drive_all(&d, buf_str(&in), SIZE_MAX, 7, &out);
	cr_expect_eq(out.bad, BAD_NONE, "298 bytes: %s", out.said.p);
	drive_free(&out);
	in.len -= 4;
	buf_add_cstr(&in, "567\r\n\r\n");
	drive_all(&d, buf_str(&in), SIZE_MAX, 7, &out);
	cr_expect_eq(out.bad, BAD_HEAD_TOO_BIG, "301 bytes: %s", out.said.p);
	drive_free(&out);
	buf_free(&in);
}

/* Counted over all chunks of a message. */
Test(h1_body, limit_of_extensions, .timeout = 60)
{
	static const struct {
		size_t lines, bytes;
		enum http_bad bad;
	} rows[] = {
		{ 1, H1_CHUNK_EXT_MAX, BAD_NONE },
		{ 1, H1_CHUNK_EXT_MAX + 1, BAD_CHUNK_EXTENSION },
		{ 64, H1_CHUNK_EXT_MAX / 64, BAD_NONE },
		{ 64, H1_CHUNK_EXT_MAX / 64 + 1, BAD_CHUNK_EXTENSION },
		{ 2, 65536, BAD_CHUNK_EXTENSION },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf in = BUF_INIT;
		struct drive_out out;

		buf_add_cstr(&in, HEAD);
		for (size_t k = 0; k < rows[i].lines; k++) {
			buf_add_cstr(&in, "1");
			for (size_t n = 0; n < rows[i].bytes; n++)
				buf_add_char(&in, ';');
			buf_add_cstr(&in, "\r\nx\r\n");
		}
		buf_add_cstr(&in, LAST);
		drive_all(&requests, buf_str(&in), 0, 7, &out);
		cr_expect_eq(out.bad, rows[i].bad, "row %zu: %.50s", i,
		    out.said.p);
		drive_free(&out);
		buf_free(&in);
	}
}

/* The bound is each message's own. */
Test(h1_body, extensions_of_the_next_message)
{
	struct buf in = BUF_INIT;
	struct drive_out out;

	for (int message = 0; message < 2; message++) {
		buf_add_cstr(&in, HEAD "1");
		for (size_t n = 0; n < H1_CHUNK_EXT_MAX; n++)
			buf_add_char(&in, ';');
		buf_add_cstr(&in, "\r\nx\r\n" LAST);
	}
	drive_all(&requests, buf_str(&in), 0, 7, &out);
	cr_expect_str_eq(out.said.p, SAID " body=x end | " SAID " body=x end",
	    "%s", out.said.p);
	drive_free(&out);
	buf_free(&in);
}

/* ---- the end of a connection ---- */

static const struct {
	const char *why, *in;
	bool response, whole;
} ends[] = {
	{ "before the first byte", "", false, true },
	{ "in a head", "GET", false, false },
	{ "in empty lines before one", "\r\n", false, false },
	{ "behind a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false,
	    true },
	{ "in a body",
	    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
	    "\r\nx",
	    false, false },
	{ "before a body",
	    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", false,
	    false },
	{ "in chunks", HEAD "1\r\n", false, false },
	{ "in trailers", HEAD "0\r\nA:", false, false },
	{ "that is the end", "HTTP/1.1 200 OK\r\n\r\nhello", true, true },
};

Test(h1_body, end_of_a_connection)
{
	static struct http_head h;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct str in = str_of(ends[i].in), data;
		enum h1_body_event ev = H1_DATA;
		struct h1_reader r;
		size_t used;
		ssize_t n;

		h1_reader_init(&r, ends[i].response);
		n = h1_read_head(&r, in, &drive_limits, METHOD_GET, &h);
		cr_assert_geq(n, 0, "%s", ends[i].why);
		in = str_sub(in, (size_t)n, in.len);
		while (n > 0 && ev == H1_DATA) {
			ev = h1_read_body(&r, in, &drive_limits, &used, &data,
			    &h);
			in = str_sub(in, used, in.len);
		}
		cr_expect_neq(ev, H1_BAD, "%s", ends[i].why);
		cr_expect_eq(h1_read_eof(&r), ends[i].whole, "%s", ends[i].why);
	}
}
