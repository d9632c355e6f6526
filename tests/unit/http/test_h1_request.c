/*
 * Requests on the wire, each cut at every byte: what is read of them, and
 * what is refused and why.
 */
#include <stdio.h>

#include "base/err.h"
#include "http/chars.h"
#include "http/h1_read.h"
#include "try.h"

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\n" HOST
#define END "\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define OK "GET / a none keep end"

static const struct drive requests = { .limits = DRIVE_LIMITS };

/* ---- start lines ---- */

static const struct try_row start_lines[] = {
	{ "the least", GET END, OK },
	{ "nothing at all", "", "" },
	{ "path and query", "GET /a/b?c=d HTTP/1.1\r\n" HOST END,
	    "GET /a/b?c=d a none keep end" },
	{ "empty lines before, RFC 9112 2.2", "\r\n\r\n\r\n\r\n" GET END, OK },
	{ "too many of them", "\r\n\r\n\r\n\r\n\r\n" GET END,
	    "bad start_line" },
	{ "an empty line of LF", "\n" GET END, "bad bare_lf" },
	{ "an empty line of CR", "\r" GET END, "bad bare_cr" },
	{ "CR CR LF", "\r\r\n" GET END, "bad bare_cr" },
	{ "white space before", " " GET END, "bad method" },
	{ "only half an empty line", "\r", "cut" },
	{ "cut in the method", "GE", "cut" },
	{ "a method of our own", "MKCOL / HTTP/1.1\r\n" HOST END,
	    "MKCOL / a none keep end" },
	{ "methods have case, RFC 9110 9.1", "get / HTTP/1.1\r\n" HOST END,
	    "get / a none keep end" },
	{ "all of tchar", "!#$%&'*+-.^_`|~ / HTTP/1.1\r\n" HOST END,
	    "!#$%&'*+-.^_`|~ / a none keep end" },
	{ "longest method",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    " / HTTP/1.1\r\n" HOST END,
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    " / a none keep end" },
	{ "longer",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    " / HTTP/1.1\r\n" HOST END,
	    "bad method" },
	{ "no token", "G(T / HTTP/1.1\r\n" HOST END, "bad method" },
	{ "a colon: a field line first", "Host: a\r\n\r\n", "bad method" },
	{ "non-ASCII method", "G\xc3\x89T / HTTP/1.1\r\n" HOST END,
	    "bad method" },
	{ "TLS on a plain port", "\x16\x03\x01\x02\x05\x01", "bad method" },
	{ "tab behind the method", "GET\t/ HTTP/1.1\r\n" HOST END,
	    "bad method" },
	{ "method only", "GET\r\n" HOST END, "bad start_line" },
	{ "two spaces", "GET  / HTTP/1.1\r\n" HOST END, "bad target" },
	{ "no target", "GET  HTTP/1.1\r\n" HOST END, "bad target" },
	{ "two spaces behind", "GET /  HTTP/1.1\r\n" HOST END,
	    "bad start_line" },
	{ "tab behind the target", "GET /\tHTTP/1.1\r\n" HOST END,
	    "bad target" },
	{ "space in the target", "GET /a b HTTP/1.1\r\n" HOST END,
	    "bad start_line" },
	{ "HTTP/0.9", "GET /\r\n", "bad start_line" },
	{ "HTTP/0.9 by LF", "GET /\n", "bad bare_lf" },
	{ "LF behind the line", "GET / HTTP/1.1\n" HOST END, "bad bare_lf" },
	{ "CR behind the line", "GET / HTTP/1.1\r" HOST END, "bad bare_cr" },
	{ "space behind the version", "GET / HTTP/1.1 \r\n" HOST END,
	    "bad start_line" },
	{ "a second version", "GET / HTTP/1.1 HTTP/1.1\r\n" HOST END,
	    "bad start_line" },
	{ "HTTP in lower case", "GET / http/1.1\r\n" HOST END,
	    "bad start_line" },
	{ "another protocol", "GET / ICY/1.1\r\n" HOST END, "bad start_line" },
	{ "no minor version", "GET / HTTP/1\r\n" HOST END, "bad start_line" },
	{ "two digits", "GET / HTTP/1.10\r\n" HOST END, "bad start_line" },
	{ "two digits before", "GET / HTTP/11.1\r\n" HOST END,
	    "bad start_line" },
	{ "signed version", "GET / HTTP/+1.1\r\n" HOST END, "bad start_line" },
	{ "a higher minor version is 1.1, RFC 9110 2.5",
	    "GET / HTTP/1.2\r\n" HOST CHUNKED END "0\r\n\r\n",
	    "GET / a chunked keep end" },
	{ "HTTP/0.9 with a version", "GET / HTTP/0.9\r\n" HOST END,
	    "bad version" },
	{ "HTTP/2 by its line", "GET / HTTP/2.0\r\n" HOST END, "bad version" },
	{ "HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	    "bad version" },
};

Test(h1_request, start_lines, .timeout = 60)
{
	try_rows(&requests, start_lines, ARRAY_LEN(start_lines));
}

/* ---- targets and hosts ---- */

#define TO(method, target) method " " target " HTTP/1.1\r\n" HOST END

static const struct try_row targets[] = {
	{ "two slashes are a path", TO("GET", "//evil/x"),
	    "GET //evil/x a none keep end" },
	{ "what browsers leave in queries", TO("GET", "/?a[]=|^`{}\\"),
	    "GET /?a[]=|^`{}\\ a none keep end" },
	{ "fragment", TO("GET", "/a#b"), "bad target" },
	{ "quote", TO("GET", "/\"a\""), "bad target" },
	{ "non-ASCII", TO("GET", "/\xc3\xbc"), "bad target" },
	{ "control byte", TO("GET", "/\x01"), "bad target" },
	{ "DEL", TO("GET", "/\x7f"), "bad target" },
	{ "CR in it", TO("GET", "/a\rb"), "bad start_line" },
	{ "no slash", TO("GET", "a"), "bad target" },
	{ "query only", TO("GET", "?a"), "bad target" },
	{ "of the server", TO("OPTIONS", "*"), "OPTIONS * a none keep end" },
	{ "only with OPTIONS", TO("GET", "*"), "bad target" },
	{ "only alone", TO("OPTIONS", "*a"), "bad target" },
	{ "absolute", TO("GET", "http://b/c?d"), "GET /c?d b none keep end" },
	{ "absolute wins over Host, RFC 9112 3.2.2",
	    "GET http://b:81/ HTTP/1.1\r\nHost: c\r\n\r\n",
	    "GET / b:81 none keep end" },
	{ "schemes have no case", TO("GET", "hTTpS://B/c"),
	    "GET /c B none keep end" },
	{ "absolute without a path", TO("GET", "http://b"),
	    "GET / b none keep end" },
	{ "the same for OPTIONS, RFC 9112 3.2.4", TO("OPTIONS", "http://b"),
	    "OPTIONS * b none keep end" },
	{ "OPTIONS for the root", TO("OPTIONS", "http://b/"),
	    "OPTIONS / b none keep end" },
	{ "absolute without a path, with a query", TO("GET", "http://b?c"),
	    "bad target" },
	{ "absolute, two slashes", TO("GET", "http://b//c"),
	    "GET //c b none keep end" },
	{ "absolute, IPv6", TO("GET", "http://[::1]:81/c"),
	    "GET /c [::1]:81 none keep end" },
	{ "absolute still needs a Host", "GET http://b/ HTTP/1.1\r\n\r\n",
	    "bad host_missing" },
	{ "and a good one", "GET http://b/ HTTP/1.1\r\nHost: b@c\r\n\r\n",
	    "bad host_syntax" },
	{ "user information", TO("GET", "http://u@b/"), "bad target" },
	{ "user that looks like a host", TO("GET", "http://a:80@b/"),
	    "bad target" },
	{ "a path in it", TO("GET", "http://b/@c"), "GET /@c b none keep end" },
	{ "no host", TO("GET", "http:///c"), "bad target" },
	{ "no host but a port", TO("GET", "http://:80/c"), "bad target" },
	{ "port too high", TO("GET", "http://b:65536/"), "bad target" },
	{ "port with a sign", TO("GET", "http://b:+80/"), "bad target" },
	{ "backslash for a slash", TO("GET", "http://b\\c/"), "bad target" },
	{ "other scheme", TO("GET", "ftp://b/"), "bad target" },
	{ "one slash", TO("GET", "http:/b"), "bad target" },
	{ "CONNECT", TO("CONNECT", "b:443"),
	    "CONNECT b:443 b:443 none keep end" },
	{ "CONNECT without a port", TO("CONNECT", "b"), "bad target" },
	{ "CONNECT with a path", TO("CONNECT", "/b"), "bad target" },
	{ "authority without CONNECT", TO("GET", "b:443"), "bad target" },
	{ "no Host", "GET / HTTP/1.1\r\n\r\n", "bad host_missing" },
	{ "no Host in 1.0", "GET / HTTP/1.0\r\n\r\n",
	    "GET / - none close 1.0 end" },
	{ "Host in 1.0", "GET / HTTP/1.0\r\n" HOST END,
	    "GET / a none close 1.0 end" },
	{ "absolute in 1.0", "GET http://b/ HTTP/1.0\r\n\r\n",
	    "GET / b none close 1.0 end" },
	{ "Host twice", GET "Host: b\r\n\r\n", "bad host_twice" },
	{ "Host twice, equal", GET "host: a\r\n\r\n", "bad host_twice" },
	{ "empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "bad host_syntax" },
	{ "Host of blanks", "GET / HTTP/1.1\r\nHost: \t \r\n\r\n",
	    "bad host_syntax" },
	{ "list of hosts", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
	    "bad host_syntax" },
	{ "Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
	    "bad host_syntax" },
	{ "Host with a scheme", "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n",
	    "bad host_syntax" },
	{ "Host, non-ASCII", "GET / HTTP/1.1\r\nHost: \xc3\xbc\r\n\r\n",
	    "bad host_syntax" },
	{ "bad Host in 1.0", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n",
	    "bad host_syntax" },
};

Test(h1_request, targets_and_hosts, .timeout = 60)
{
	try_rows(&requests, targets, ARRAY_LEN(targets));
}

/* ---- fields ---- */

static const struct try_row fields[] = {
	{ "blanks around a value", GET "A: \t b \t\r\n\r\n", OK },
	{ "no blank", GET "A:b\r\n\r\n", OK },
	{ "empty value", GET "A:\r\nB: \r\n\r\n", OK },
	{ "bytes above 127", GET "A: \xfc\xff\x80\r\n\r\n", OK },
	{ "tab in a value", GET "A: b\tc\r\n\r\n", OK },
	{ "colons in a value", GET "A: :b:\r\n\r\n", OK },
	{ "space before the colon", GET "A : b\r\n\r\n",
	    "bad space_before_colon" },
	{ "tab before the colon", GET "A\t: b\r\n\r\n",
	    "bad space_before_colon" },
	{ "space before a length's colon", POST "Content-Length : 5\r\n\r\n",
	    "bad space_before_colon" },
	{ "folded", GET "A: b\r\n c\r\n\r\n", "bad folded_line" },
	{ "folded by tab", GET "A: b\r\n\tc\r\n\r\n", "bad folded_line" },
	{ "folded first line", "GET / HTTP/1.1\r\n " HOST END,
	    "bad folded_line" },
	{ "a line of blanks", GET " \r\n\r\n", "bad folded_line" },
	{ "no colon", GET "A\r\n\r\n", "bad field_name" },
	{ "no name", GET ": b\r\n\r\n", "bad field_name" },
	{ "no token", GET "A(b): c\r\n\r\n", "bad field_name" },
	{ "non-ASCII name", GET "\xc3\x84: b\r\n\r\n", "bad field_name" },
	{ "vertical tab in a name", POST "Transfer-Encoding\v: chunked\r\n\r\n",
	    "bad field_name" },
	{ "vertical tab in a value",
	    POST "Transfer-Encoding: \vchunked\r\n\r\n", "bad field_value" },
	{ "DEL in a value", GET "A: \x7f\r\n\r\n", "bad field_value" },
	{ "escape in a value", GET "A: \x1b[2J\r\n\r\n", "bad field_value" },
	{ "LF ends a line", GET "A: b\nC: d\r\n\r\n", "bad bare_lf" },
	{ "LF in a name", GET "A\n: b\r\n\r\n", "bad bare_lf" },
	{ "CR in a value", GET "A: b\rC: d\r\n\r\n", "bad bare_cr" },
	{ "CR in a value, and no end", GET "A: b\rC: d", "bad bare_cr" },
	{ "CR CR LF", GET "A: b\r\r\n\r\n", "bad bare_cr" },
	{ "LF ends the head", GET "\n", "bad bare_lf" },
	{ "LF LF ends the head", "GET / HTTP/1.1\r\nHost: a\n\n",
	    "bad bare_lf" },
	{ "CR ends the head", GET "\rX", "bad bare_cr" },
	{ "cut in a name", GET "A", "cut" },
	{ "cut in a value", GET "A: b", "cut" },
	{ "cut before the LF", GET "A: b\r", "cut" },
	{ "cut before the last LF", GET "\r", "cut" },
};

Test(h1_request, fields, .timeout = 60)
{
	try_rows(&requests, fields, ARRAY_LEN(fields));
}

Test(h1_request, nul_anywhere)
{
	static const struct {
		const char *why;
		struct str in;
	} rows[] = {
		{ "first", STR("\0" GET END) },
		{ "in the method", STR("G\0T / HTTP/1.1\r\n" HOST END) },
		{ "in the target", STR("GET /\0 HTTP/1.1\r\n" HOST END) },
		{ "in the version", STR("GET / HTTP\0/1.1\r\n" HOST END) },
		{ "behind the version", STR("GET / HTTP/1.1\0\r\n" HOST END) },
		{ "in a name", STR(GET "A\0: b\r\n\r\n") },
		{ "before a name", STR(GET "\0A: b\r\n\r\n") },
		{ "in a value", STR(GET "A: b\0c\r\n\r\n") },
		{ "before a line's end", STR(GET "A: b\0\r\n\r\n") },
		{ "in a Host", STR("GET / HTTP/1.1\r\nHost: a\0.b\r\n\r\n") },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		try_bytes(&requests, rows[i].why, rows[i].in, "bad nul");
}

static const char *
said_of_a_value_with(unsigned c)
{
	if (c == '\0')
		return "bad nul";
	if (c == '\n')
		return "bad bare_lf";
	if (c == '\r')
		return "bad bare_cr";
	return c == 0x7f || (c < ' ' && c != '\t') ? "bad field_value" : OK;
}

/* Each byte there is, at each place of a register of the fast path. */
Test(h1_request, every_byte_in_a_value, .timeout = 60)
{
	struct buf in = BUF_INIT;

	for (unsigned c = 0; c < 256; c++) {
		for (size_t at = 0; at < 36; at++) {
			struct drive_out out;

			buf_reset(&in);
			buf_add_cstr(&in, GET "A: ");
			for (size_t i = 0; i < 36; i++)
				buf_add_char(&in, i == at ? (char)c : 'x');
			buf_add_cstr(&in, "\r\n\r\n");
			drive(&requests, buf_str(&in), drive_whole, NULL, &out);
			cr_expect_str_eq(out.said.p, said_of_a_value_with(c),
			    "%02x at %zu", c, at);
			drive_free(&out);
		}
	}
	buf_free(&in);
}

/* ---- framing ---- */

#define LENGTH(n) "Content-Length: " n "\r\n"

static const struct try_row framing[] = {
	{ "length", POST LENGTH("5") END "hello",
	    "POST / a length:5 keep body=hello end" },
	{ "length 0", POST LENGTH("0") END, "POST / a none keep end" },
	{ "zeros before", POST LENGTH("005") END "hello",
	    "POST / a length:5 keep body=hello end" },
	{ "blanks around", POST LENGTH(" \t5 ") END "hello",
	    "POST / a length:5 keep body=hello end" },
	{ "a GET may have a body", GET LENGTH("2") END "hi",
	    "GET / a length:2 keep body=hi end" },
	{ "longest", POST LENGTH("9223372036854775807") END,
	    "POST / a length:9223372036854775807 keep cut" },
	{ "longer", POST LENGTH("9223372036854775808") END,
	    "bad length_syntax" },
	{ "64 bits overflow", POST LENGTH("18446744073709551621") END "hello",
	    "bad length_syntax" },
	{ "empty", POST LENGTH("") END, "bad length_syntax" },
	{ "plus", POST LENGTH("+5") END "hello", "bad length_syntax" },
	{ "minus", POST LENGTH("-5") END "hello", "bad length_syntax" },
	{ "minus zero", POST LENGTH("-0") END, "bad length_syntax" },
	{ "hexadecimal", POST LENGTH("0x5") END "hello", "bad length_syntax" },
	{ "a fraction", POST LENGTH("5.0") END "hello", "bad length_syntax" },
	{ "an exponent", POST LENGTH("5e0") END "hello", "bad length_syntax" },
	{ "words", POST LENGTH("five") END, "bad length_syntax" },
	{ "blank inside", POST LENGTH("5 5") END "hello", "bad length_syntax" },
	{ "list, equal", POST LENGTH("5, 5") END "hello", "bad length_syntax" },
	{ "list, different", POST LENGTH("5, 6") END "hello",
	    "bad length_syntax" },
	{ "list with an empty element", POST LENGTH("5,") END "hello",
	    "bad length_syntax" },
	{ "quoted", POST LENGTH("\"5\"") END "hello", "bad length_syntax" },
	{ "twice, different", POST LENGTH("5") LENGTH("6") END "hello",
	    "bad length_twice" },
	{ "twice, equal", POST LENGTH("5") LENGTH("5") END "hello",
	    "bad length_twice" },
	{ "twice, in another case",
	    POST LENGTH("5") "content-length: 5\r\n" END "hello",
	    "bad length_twice" },
	{ "a name like it", POST "Content_Length: 5\r\n" LENGTH("2") END "hi",
	    "POST / a length:2 keep body=hi end" },
	{ "chunked", POST CHUNKED END "2\r\nhi\r\n0\r\n\r\n",
	    "POST / a chunked keep body=hi end" },
	{ "codings have no case",
	    POST "transfer-encoding: CHUNKed\r\n" END "2\r\nhi\r\n0\r\n\r\n",
	    "POST / a chunked keep body=hi end" },
	{ "empty elements",
	    POST "Transfer-Encoding: , chunked,\r\n" END "0\r\n\r\n",
	    "POST / a chunked keep end" },
	{ "CL.TE", POST LENGTH("5") CHUNKED END "0\r\n\r\nG",
	    "bad length_and_chunked" },
	{ "TE.CL", POST CHUNKED LENGTH("5") END "0\r\n\r\nG",
	    "bad length_and_chunked" },
	{ "TE.CL with length 0", POST CHUNKED LENGTH("0") END "0\r\n\r\n",
	    "bad length_and_chunked" },
	{ "CL with a coding nobody knows",
	    POST LENGTH("5") "Transfer-Encoding: x\r\n" END "hello",
	    "bad length_and_chunked" },
	{ "TE.TE", POST CHUNKED CHUNKED END "0\r\n\r\n",
	    "bad transfer_encoding" },
	{ "chunked twice in a list",
	    POST "Transfer-Encoding: chunked, chunked\r\n" END "0\r\n\r\n",
	    "bad transfer_encoding" },
	{ "chunked not last, RFC 9112 6.3",
	    POST "Transfer-Encoding: chunked, gzip\r\n" END "0\r\n\r\n",
	    "bad transfer_encoding" },
	{ "chunked not last over two fields",
	    POST CHUNKED "Transfer-Encoding: identity\r\n" END "0\r\n\r\n",
	    "bad transfer_encoding" },
	{ "no chunked", POST "Transfer-Encoding: gzip\r\n" END,
	    "bad transfer_encoding" },
	{ "identity was removed by RFC 7230",
	    POST "Transfer-Encoding: identity\r\n" END,
	    "bad transfer_encoding" },
	{ "no coding", POST "Transfer-Encoding:\r\n" END,
	    "bad transfer_encoding" },
	{ "only commas", POST "Transfer-Encoding: ,,\r\n" END,
	    "bad transfer_encoding" },
	{ "a coding before it, RFC 9112 6.1",
	    POST "Transfer-Encoding: gzip, chunked\r\n" END "0\r\n\r\n",
	    "bad coding_unknown" },
	{ "the same over two fields",
	    POST "Transfer-Encoding: identity\r\n" CHUNKED END "0\r\n\r\n",
	    "bad coding_unknown" },
	{ "a name like it", POST "Transfer-Encoding: xchunked\r\n" END,
	    "bad transfer_encoding" },
	{ "quoted", POST "Transfer-Encoding: \"chunked\"\r\n" END,
	    "bad transfer_encoding" },
	{ "an open quote hides the rest",
	    POST "Transfer-Encoding: \"a, chunked\r\n" END,
	    "bad transfer_encoding" },
	{ "with a parameter", POST "Transfer-Encoding: chunked;q=1\r\n" END,
	    "bad transfer_encoding" },
	{ "two words", POST "Transfer-Encoding: chunked x\r\n" END,
	    "bad transfer_encoding" },
	{ "chunked in 1.0", "POST / HTTP/1.0\r\n" CHUNKED END "0\r\n\r\n",
	    "bad chunked_in_1_0" },
	{ "length in 1.0", "POST / HTTP/1.0\r\n" LENGTH("2") END "hi",
	    "POST / - length:2 close 1.0 body=hi end" },
	{ "cut in a body", POST LENGTH("5") END "hel",
	    "POST / a length:5 keep body=hel cut" },
	{ "pipelined",
	    POST LENGTH("2") END "hi" GET END POST CHUNKED END
	                         "1\r\nx\r\n0\r\n\r\n" GET END,
	    "POST / a length:2 keep body=hi end | " OK
	    " | POST / a chunked keep body=x end | " OK },
	{ "the second is bad", GET END "GET\r\n", OK " | bad start_line" },
	{ "the second is cut", GET END "GE", OK " | cut" },
	{ "a body nobody announced is no request", GET END "hello\r\n",
	    OK " | bad start_line" },
};

Test(h1_request, framing, .timeout = 60)
{
	try_rows(&requests, framing, ARRAY_LEN(framing));
}

/* ---- connection, upgrade, expect ---- */

#define GET10 "GET / HTTP/1.0\r\n" HOST
#define WEBSOCKET "Upgrade: websocket\r\n"

static const struct try_row options[] = {
	{ "1.1 goes on", GET END, OK },
	{ "close", GET "Connection: close\r\n\r\n", "GET / a none close end" },
	{ "close in odd case, in a list", GET "connection: x , cLOSe\r\n\r\n",
	    "GET / a none close end" },
	{ "close in a second field",
	    GET "Connection: keep-alive\r\nConnection: close\r\n\r\n",
	    "GET / a none close end" },
	{ "close wins", GET "Connection: close, keep-alive\r\n\r\n",
	    "GET / a none close end" },
	{ "a word like it", GET "Connection: closed\r\n\r\n", OK },
	{ "1.0 ends", GET10 END, "GET / a none close 1.0 end" },
	{ "1.0 asks to go on", GET10 "Connection: Keep-Alive\r\n\r\n",
	    "GET / a none keep 1.0 end" },
	{ "1.0 asks for both", GET10 "Connection: keep-alive, close\r\n\r\n",
	    "GET / a none close 1.0 end" },
	{ "Proxy-Connection says nothing",
	    GET10 "Proxy-Connection: keep-alive\r\n\r\n",
	    "GET / a none close 1.0 end" },
	{ "upgrade", GET "Connection: Upgrade\r\n" WEBSOCKET END,
	    "GET / a none keep upgrade end" },
	{ "upgrade in a list",
	    GET WEBSOCKET "Connection: keep-alive, UPGRADE\r\n\r\n",
	    "GET / a none keep upgrade end" },
	{ "upgrade to nothing", GET "Connection: upgrade\r\n\r\n", OK },
	{ "Upgrade that Connection does not name", GET WEBSOCKET END, OK },
	{ "1.0 cannot, RFC 9110 7.8",
	    GET10 "Connection: upgrade\r\n" WEBSOCKET END,
	    "GET / a none close 1.0 end" },
	{ "TE: trailers", GET "TE: gzip;q=0, Trailers\r\n\r\n",
	    "GET / a none keep te end" },
	{ "in a second field", GET "TE: gzip\r\nTE: trailers\r\n\r\n",
	    "GET / a none keep te end" },
	{ "TE without", GET "TE: gzip\r\n\r\n", OK },
	{ "expect", POST LENGTH("2") "Expect: 100-continue\r\n\r\nhi",
	    "POST / a length:2 keep expect body=hi end" },
	{ "expectations have no case",
	    POST LENGTH("2") "expect: 100-Continue\r\n\r\nhi",
	    "POST / a length:2 keep expect body=hi end" },
	{ "1.0 is not heard, RFC 9110 10.1.1",
	    "POST / HTTP/1.0\r\n" LENGTH("2") "Expect: 100-continue\r\n\r\nhi",
	    "POST / - length:2 close 1.0 body=hi end" },
	{ "expect other things", GET "Expect: 200-ok\r\n\r\n",
	    "bad expectation" },
	{ "and that too", GET "Expect: 100-continue, x=y\r\n\r\n",
	    "bad expectation" },
	{ "in a second field", GET "Expect: 100-continue\r\nExpect: x\r\n\r\n",
	    "bad expectation" },
	{ "expect nothing", GET "Expect:\r\n\r\n", "bad expectation" },
	{ "32 options of a connection",
	    GET "Connection: 1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,"
	        "5,6,7,8,9,0,1,2\r\n\r\n",
	    OK },
	{ "33",
	    GET "Connection: 1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,"
	        "3,4,5,6,7,8,9,0,1,2\r\nConnection: 3\r\n\r\n",
	    "bad field_too_big" },
};

Test(h1_request, options, .timeout = 60)
{
	try_rows(&requests, options, ARRAY_LEN(options));
}

/* ---- limits ---- */

#define NARROW                                                                 \
	{                                                                      \
		.head_bytes = 100, .field_bytes = 30, .target_bytes = 10,      \
		.fields = 3                                                    \
	}
static const struct drive narrow = { .limits = NARROW };

#define D10 "0123456789"

static const struct try_row limits[] = {
	{ "longest target", "GET /123456789 HTTP/1.1\r\n" HOST END,
	    "GET /123456789 a none keep end" },
	{ "longer", "GET /1234567890 HTTP/1.1\r\n" HOST END,
	    "bad target_too_long" },
	{ "longer, and wrong further on", "GET /12345678901\n",
	    "bad target_too_long" },
	{ "longer and never ending", "GET /1234567890", "bad target_too_long" },
	{ "most fields", GET "A: b\r\nC: d\r\n\r\n", OK },
	{ "more", GET "A: b\r\nC: d\r\nE: f\r\n\r\n", "bad too_many_fields" },
	{ "more, and wrong", GET "A: b\r\nC: d\r\n\n", "bad too_many_fields" },
	{ "longest line", GET "A: " D10 D10 "01234\r\n\r\n", OK },
	{ "longer", GET "A: " D10 D10 "012345\r\n\r\n", "bad field_too_big" },
	{ "longer by a blank", GET "A: " D10 D10 "01234 \r\n\r\n",
	    "bad field_too_big" },
	{ "longer by its LF", GET "A: " D10 D10 "012345\r\n",
	    "bad field_too_big" },
	{ "longer, and wrong further on", GET "A: " D10 D10 D10 "\n",
	    "bad field_too_big" },
	{ "longer and never ending", GET "A: " D10 D10 "0123456",
	    "bad field_too_big" },
	{ "name longer than a line", GET D10 D10 D10 D10, "bad field_too_big" },
	{ "longest lines",
	    GET "A: " D10 D10 "01234\r\nB: " D10 D10 "01234\r\n"
	        "\r\n",
	    OK },
};

Test(h1_request, limits, .timeout = 60)
{
	try_rows(&narrow, limits, ARRAY_LEN(limits));
}

/* A head of just so many bytes. */
static void
make_head(struct buf *in, size_t len)
{
	buf_reset(in);
	buf_add_cstr(in, GET);
	while (len - in->len > 2 + 2 * 20)
		buf_add_cstr(in, "A: 012345678901234\r\n");
	buf_add_cstr(in, "A: ");
	while (len - in->len > 4)
		buf_add_char(in, 'x');
	buf_add_cstr(in, "\r\n\r\n");
}

Test(h1_request, limit_of_a_head, .timeout = 60)
{
	struct drive d = requests;
	struct buf in = BUF_INIT;

	make_head(&in, 300);
	cr_assert_eq(in.len, 300);
	d.limits.head_bytes = 300;
	try_bytes(&d, "longest", buf_str(&in), OK);
	d.limits.head_bytes = 299;
	try_bytes(&d, "longer", buf_str(&in), "bad head_too_big");
	in.p[299] = 'x';
	try_bytes(&d, "longer, and wrong behind", buf_str(&in),
	    "bad head_too_big");
	d.limits.head_bytes = 300;
	try_bytes(&d, "wrong in its last byte", buf_str(&in), "bad bare_cr");
	make_head(&in, 300);
	buf_add_cstr(&in, "GET / HT");
	try_bytes(&d, "longest, the next behind", buf_str(&in), OK " | cut");
	d.limits.head_bytes = 1;
	try_bytes(&d, "empty lines count", STR("\r\n"), "bad head_too_big");
	buf_free(&in);
}

/* Names are read sixteen bytes at a time: every byte at every place. */
Test(h1_request, every_byte_at_every_place_of_a_name, .timeout = 60)
{
	static const char start[] = GET;

	for (size_t at = 0; at < 36; at++) {
		for (unsigned byte = 0; byte < 256; byte++) {
			char text[256];
			struct h1_reader r;
			struct http_head h;
			int n = snprintf(text, sizeof(text),
			    "%s%036d: v\r\n\r\n", start, 0);
			bool good = ch_is((char)byte, CH_TOKEN) ||
			    (byte == ':' && at > 0);
			ssize_t used;

			text[sizeof(start) - 1 + at] = (char)byte;
			h1_reader_init(&r, false);
			used = h1_read_head(&r, str_from(text, (size_t)n),
			    &drive_limits, METHOD_OTHER, &h);
			cr_assert_eq(used, good ? n : E_SYNTAX,
			    "byte %02x at %zu", byte, at);
			if (good)
				cr_assert_eq(h.f[1].name_len,
				    byte == ':' ? at : 36, "byte %02x at %zu",
				    byte, at);
		}
	}
}
