/*
 * Responses on the wire, each cut at every byte.  A refusal is a 502 and the
 * end of its connection.
 */
#include "try.h"

#define LIMITS                                                                 \
	{                                                                      \
		.head_bytes = 65536, .field_bytes = 65536, .fields = 100       \
	}
#define OK "HTTP/1.1 200 OK\r\n"
#define OK10 "HTTP/1.0 200 OK\r\n"
#define END "\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define LENGTH(n) "Content-Length: " n "\r\n"

static const struct drive to_get = { .is_response = true,
	.asked = METHOD_GET,
	.limits = LIMITS };
static const struct drive to_head = { .is_response = true,
	.asked = METHOD_HEAD,
	.limits = LIMITS };
static const struct drive to_connect = { .is_response = true,
	.asked = METHOD_CONNECT,
	.limits = LIMITS };

static const struct try_row start_lines[] = {
	{ "the least", OK LENGTH("0") END, "200 OK none keep end" },
	{ "reason of several words",
	    "HTTP/1.1 404 Not Found\r\n" LENGTH("0") END,
	    "404 Not Found none keep end" },
	{ "reason in other bytes", "HTTP/1.1 200 \xfc\t!\r\n" LENGTH("0") END,
	    "200 \xfc\t! none keep end" },
	{ "empty reason", "HTTP/1.1 200 \r\n" LENGTH("0") END,
	    "200 none keep end" },
	{ "no reason and no space, often seen",
	    "HTTP/1.1 200\r\n" LENGTH("0") END, "200 none keep end" },
	{ "an empty line before", "\r\n" OK LENGTH("0") END, "bad start_line" },
	{ "bytes of an earlier body", "x" OK, "bad start_line" },
	{ "HTTP/0.9", "<html>", "bad start_line" },
	{ "lower case", "http/1.1 200 OK\r\n\r\n", "bad start_line" },
	{ "HTTP/2", "HTTP/2 200\r\n\r\n", "bad start_line" },
	{ "HTTP/2.0", "HTTP/2.0 200\r\n\r\n", "bad version" },
	{ "HTTP/1.3 is 1.1", "HTTP/1.3 200\r\n" LENGTH("0") END,
	    "200 none keep end" },
	{ "no status", "HTTP/1.1\r\n\r\n", "bad start_line" },
	{ "empty status", "HTTP/1.1 \r\n\r\n", "bad status" },
	{ "two spaces", "HTTP/1.1  200 OK\r\n\r\n", "bad status" },
	{ "two digits", "HTTP/1.1 20 OK\r\n\r\n", "bad status" },
	{ "four digits", "HTTP/1.1 2000 OK\r\n\r\n", "bad status" },
	{ "signed", "HTTP/1.1 +20 OK\r\n\r\n", "bad status" },
	{ "hexadecimal", "HTTP/1.1 2ff OK\r\n\r\n", "bad status" },
	{ "tab behind", "HTTP/1.1 200\tOK\r\n\r\n", "bad status" },
	{ "below 100", "HTTP/1.1 099 Low\r\n\r\n", "bad status" },
	{ "zero", "HTTP/1.1 000 None\r\n\r\n", "bad status" },
	{ "highest", "HTTP/1.1 599 High\r\n" LENGTH("0") END,
	    "599 High none keep end" },
	{ "higher, RFC 9110 15", "HTTP/1.1 600 Higher\r\n\r\n", "bad status" },
	{ "LF", "HTTP/1.1 200 OK\n\n", "bad bare_lf" },
	{ "LF behind the status", "HTTP/1.1 200\n\n", "bad bare_lf" },
	{ "CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", "bad bare_cr" },
	{ "control byte in the reason", "HTTP/1.1 200 O\x01K\r\n\r\n",
	    "bad start_line" },
	{ "space before the colon, RFC 9112 5.1", OK "A : b\r\n\r\n",
	    "bad space_before_colon" },
	{ "folded, RFC 9112 5.2", OK "A: b\r\n c\r\n\r\n", "bad folded_line" },
	{ "a field line without a colon", OK "garbage\r\n\r\n",
	    "bad field_name" },
	{ "cut in the reason", "HTTP/1.1 200 O", "cut" },
};

Test(h1_response, start_lines, .timeout = 60)
{
	try_rows(&to_get, start_lines, ARRAY_LEN(start_lines));
}

static const struct try_row framing[] = {
	{ "length", OK LENGTH("5") END "hello",
	    "200 OK length:5 keep body=hello end" },
	{ "chunked", OK CHUNKED END "5\r\nhello\r\n0\r\n\r\n",
	    "200 OK chunked keep body=hello end" },
	{ "until the end", OK END "hello",
	    "200 OK until-close keep body=hello end" },
	{ "until the end, nothing", OK END, "200 OK until-close keep end" },
	{ "1.0 until the end", OK10 END "hello",
	    "200 OK until-close close 1.0 body=hello end" },
	{ "1.0 with a length", OK10 LENGTH("2") END "hi",
	    "200 OK length:2 close 1.0 body=hi end" },
	{ "1.0 that goes on",
	    OK10 LENGTH("2") "Connection: Keep-Alive\r\n\r\nhi" OK LENGTH("0")
	        END,
	    "200 OK length:2 keep 1.0 body=hi end | 200 OK none keep end" },
	{ "close", OK LENGTH("2") "Connection: Foo, CLOSE\r\n\r\nhi",
	    "200 OK length:2 close body=hi end" },
	{ "cut", OK LENGTH("5") END "hel",
	    "200 OK length:5 keep body=hel cut" },
	{ "chunked, cut", OK CHUNKED END "5\r\nhello\r\n",
	    "200 OK chunked keep body=hello cut" },
	{ "chunked, cut before the last line",
	    OK CHUNKED END "5\r\nhello\r\n0\r\n",
	    "200 OK chunked keep body=hello cut" },
	{ "bytes behind the end", OK LENGTH("2") END "hi, there",
	    "200 OK length:2 keep body=hi end | bad start_line" },
	{ "bytes behind a length of 0", OK LENGTH("0") END "x",
	    "200 OK none keep end | bad start_line" },
	{ "both lengths", OK LENGTH("5") CHUNKED END "0\r\n\r\n",
	    "bad length_and_chunked" },
	{ "length twice", OK LENGTH("5") LENGTH("5") END "hello",
	    "bad length_twice" },
	{ "length as a list", OK LENGTH("5, 5") END "hello",
	    "bad length_syntax" },
	{ "chunked in 1.0, RFC 9112 6.1", OK10 CHUNKED END "0\r\n\r\n",
	    "bad chunked_in_1_0" },
	{ "a coding we did not ask for",
	    OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	    "bad coding_unknown" },
	{ "a coding until the end", OK "Transfer-Encoding: gzip\r\n\r\nhello",
	    "bad transfer_encoding" },
	{ "205 is framed as others, RFC 9110 15.3.6",
	    "HTTP/1.1 205 Reset\r\n" LENGTH("0") END,
	    "205 Reset none keep end" },
};

Test(h1_response, framing, .timeout = 60)
{
	try_rows(&to_get, framing, ARRAY_LEN(framing));
}

/* 1xx, 204 and 304 have no body, whatever they say (RFC 9112 6.3). */
static const struct try_row bodyless[] = {
	{ "100, then the answer",
	    "HTTP/1.1 100 Continue\r\n\r\n" OK LENGTH("2") END "hi",
	    "100 Continue none keep end | 200 OK length:2 keep body=hi end" },
	{ "several",
	    "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: <a>\r\n\r\n" OK
	        LENGTH("0") END,
	    "102 P none keep end | 103 E none keep end | "
	    "200 OK none keep end" },
	{ "100 with a length",
	    "HTTP/1.1 100 C\r\n" LENGTH("5") END OK LENGTH("0") END,
	    "100 C none keep end | 200 OK none keep end" },
	{ "100 with chunked",
	    "HTTP/1.1 100 C\r\n" CHUNKED END OK LENGTH("0") END,
	    "100 C none keep end | 200 OK none keep end" },
	{ "100 with two lengths",
	    "HTTP/1.1 100 C\r\n" LENGTH("5") LENGTH("6") END,
	    "bad length_twice" },
	{ "101, and bytes of another protocol",
	    "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
	    "\r\n\x81\x05hello",
	    "101 S none keep upgrade" },
	{ "204", "HTTP/1.1 204 N\r\n\r\n", "204 N none keep end" },
	{ "204 with a length", "HTTP/1.1 204 N\r\n" LENGTH("5") END,
	    "204 N none keep end" },
	{ "204 with the body it announced",
	    "HTTP/1.1 204 N\r\n" LENGTH("5") END "hello",
	    "204 N none keep end | bad start_line" },
	{ "204 with chunked, and chunks",
	    "HTTP/1.1 204 N\r\n" CHUNKED END "0\r\n\r\n",
	    "204 N none keep end | bad start_line" },
	{ "304", "HTTP/1.1 304 N\r\n\r\n", "304 N none keep end" },
	{ "304 with the length of what is not sent",
	    "HTTP/1.1 304 N\r\n" LENGTH("500") END OK LENGTH("0") END,
	    "304 N none keep end | 200 OK none keep end" },
	{ "304 with chunked", "HTTP/1.1 304 N\r\n" CHUNKED END,
	    "304 N none keep end" },
	{ "204 in 1.0", "HTTP/1.0 204 N\r\n\r\n", "204 N none close 1.0 end" },
};

Test(h1_response, without_body, .timeout = 60)
{
	try_rows(&to_get, bodyless, ARRAY_LEN(bodyless));
}

static const struct try_row heads[] = {
	{ "length of what is not sent",
	    OK LENGTH("500") END "HTTP/1.1 404 N\r\n" LENGTH("9") END,
	    "200 OK none keep end | 404 N none keep end" },
	{ "chunked", OK CHUNKED END, "200 OK none keep end" },
	{ "no length", OK END, "200 OK none keep end" },
	{ "a body nevertheless", OK LENGTH("5") END "hello",
	    "200 OK none keep end | bad start_line" },
	{ "both lengths", OK LENGTH("5") CHUNKED END,
	    "bad length_and_chunked" },
};

Test(h1_response, to_head, .timeout = 60)
{
	try_rows(&to_head, heads, ARRAY_LEN(heads));
}

static const struct try_row connects[] = {
	{ "a tunnel opens", "HTTP/1.1 200 Go\r\n" LENGTH("5") END,
	    "200 Go none keep end" },
	{ "it does not", "HTTP/1.1 403 No\r\n" LENGTH("2") END "no",
	    "403 No length:2 keep body=no end" },
};

Test(h1_response, to_connect, .timeout = 60)
{
	try_rows(&to_connect, connects, ARRAY_LEN(connects));
}

/* What 1xx and 204 say of a length is not sent on; 304 and HEAD keep it. */
Test(h1_response, lengths_that_are_sent_on)
{
	static const struct {
		const char *why, *in, *sent;
		const struct drive *d;
	} rows[] = {
		{ "204", "HTTP/1.1 204 N\r\n" LENGTH("5") "A: b\r\n\r\n",
		    "HTTP/1.1 204 N\r\nA: b\r\n\r\n", &to_get },
		{ "103", "HTTP/1.1 103 E\r\nA: b\r\n" LENGTH("5") END,
		    "HTTP/1.1 103 E\r\nA: b\r\n\r\n", &to_get },
		{ "304", "HTTP/1.1 304 N\r\n" LENGTH("5") END,
		    "HTTP/1.1 304 N\r\n" LENGTH("5") END, &to_get },
		{ "HEAD", OK LENGTH("5") END, OK LENGTH("5") END, &to_head },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct drive_out out;

		drive_all(rows[i].d, str_of(rows[i].in), SIZE_MAX, 7, &out);
		cr_expect_str_eq(out.sent.p, rows[i].sent, "%s: %s",
		    rows[i].why, out.sent.p);
		drive_free(&out);
	}
}
