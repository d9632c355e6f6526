/* The ClientHello: what is read, refused and answered. */
#include "tls/hello.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

#define IN(s)                                                                  \
	{                                                                      \
		(s), sizeof(s) - 1                                             \
	}

#define RANDOM "0123456789abcdef0123456789abcdef"
#define UP_TO_EXTENSIONS "\3\3" RANDOM "\0\0\2\x13\1\1\0"
#define SNI_A "\0\0\0\10\0\6\0\0\3a.b"

/* clang-format off */
static const struct {
	const char *why;
	struct str in; /* the body of a ClientHello */
	const char *name;
	enum hello_fault fault;
} bodies[] = {
	{ "no extensions, as of old", IN(UP_TO_EXTENSIONS), "", HELLO_NONE },
	{ "an empty list of extensions", IN(UP_TO_EXTENSIONS "\0\0"), "", HELLO_NONE },
	{ "a name", IN(UP_TO_EXTENSIONS "\0\14" SNI_A), "a.b", HELLO_NONE },
	{ "others before and behind", IN(UP_TO_EXTENSIONS "\0\25" "\0\x17\0\0" SNI_A "\xa\xa\0\1\0"), "a.b", HELLO_NONE },
	{ "others alone", IN(UP_TO_EXTENSIONS "\0\4\0\x17\0\0"), "", HELLO_NONE },
	{ "in lower case", IN(UP_TO_EXTENSIONS "\0\17" "\0\0\0\13\0\11\0\0\6X-9_.Z"), "x-9_.z", HELLO_NONE },
	{ "the root's dot is no part of it", IN(UP_TO_EXTENSIONS "\0\15" "\0\0\0\11\0\7\0\0\4a.b."), "a.b", HELLO_NONE },
	{ "the root alone", IN(UP_TO_EXTENSIONS "\0\12" "\0\0\0\6\0\4\0\0\1."), NULL, HELLO_NAME },
	{ "a session and more ciphers", IN("\3\3" RANDOM "\x20" RANDOM "\0\4\x13\1\x13\2\2\0\1\0\14" SNI_A), "a.b", HELLO_NONE },
	{ "version and random are not looked at", IN("\3\1" RANDOM "\0\0\2\x13\1\1\0\0\14" SNI_A), "a.b", HELLO_NONE },
	{ "nothing", IN(""), NULL, HELLO_LENGTH },
	{ "cut in the random", IN("\3\3" "0123"), NULL, HELLO_LENGTH },
	{ "cut before the ciphers", IN("\3\3" RANDOM "\0"), NULL, HELLO_LENGTH },
	{ "session of 33 bytes", IN("\3\3" RANDOM "\x21" RANDOM "x\0\2\x13\1\1\0"), NULL, HELLO_LENGTH },
	{ "no ciphers", IN("\3\3" RANDOM "\0\0\0\1\0"), NULL, HELLO_LENGTH },
	{ "half a cipher", IN("\3\3" RANDOM "\0\0\3\x13\1\x13\1\0"), NULL, HELLO_LENGTH },
	{ "ciphers beyond the end", IN("\3\3" RANDOM "\0\xff\xfe\x13\1\1\0"), NULL, HELLO_LENGTH },
	{ "no compression at all", IN("\3\3" RANDOM "\0\0\2\x13\1\0"), NULL, HELLO_LENGTH },
	{ "extensions shorter than said", IN(UP_TO_EXTENSIONS "\0\15" SNI_A), NULL, HELLO_LENGTH },
	{ "a byte behind the extensions", IN(UP_TO_EXTENSIONS "\0\14" SNI_A "x"), NULL, HELLO_LENGTH },
	{ "one byte of a length", IN(UP_TO_EXTENSIONS "\0"), NULL, HELLO_LENGTH },
	{ "an extension beyond the end", IN(UP_TO_EXTENSIONS "\0\5\0\x17\0\2x"), NULL, HELLO_LENGTH },
	{ "half the head of an extension", IN(UP_TO_EXTENSIONS "\0\3\0\x17\0"), NULL, HELLO_LENGTH },
	{ "names without a list", IN(UP_TO_EXTENSIONS "\0\4\0\0\0\0"), NULL, HELLO_LENGTH },
	{ "an empty list of names", IN(UP_TO_EXTENSIONS "\0\6\0\0\0\2\0\0"), NULL, HELLO_LENGTH },
	{ "a byte behind the list", IN(UP_TO_EXTENSIONS "\0\15\0\0\0\11\0\6\0\0\3a.bx"), NULL, HELLO_LENGTH },
	{ "list longer than its extension", IN(UP_TO_EXTENSIONS "\0\14\0\0\0\10\0\7\0\0\3a.b"), NULL, HELLO_LENGTH },
	{ "name longer than its list", IN(UP_TO_EXTENSIONS "\0\14\0\0\0\10\0\6\0\0\4a.b"), NULL, HELLO_LENGTH },
	{ "a name of no bytes", IN(UP_TO_EXTENSIONS "\0\11\0\0\0\5\0\3\0\0\0"), NULL, HELLO_NAME },
	{ "another kind of name", IN(UP_TO_EXTENSIONS "\0\14\0\0\0\10\0\6\1\0\3a.b"), NULL, HELLO_NAME },
	{ "two names, which readers would choose from", IN(UP_TO_EXTENSIONS "\0\20\0\0\0\14\0\12\0\0\3a.b\0\0\1c"), NULL, HELLO_NAME },
	{ "two lists of names", IN(UP_TO_EXTENSIONS "\0\30" SNI_A SNI_A), NULL, HELLO_TWICE },
	{ "a NUL in a name, where C would stop", IN(UP_TO_EXTENSIONS "\0\14\0\0\0\10\0\6\0\0\3a\0b"), NULL, HELLO_NAME },
	{ "a space", IN(UP_TO_EXTENSIONS "\0\14\0\0\0\10\0\6\0\0\3a b"), NULL, HELLO_NAME },
	{ "an address with colons", IN(UP_TO_EXTENSIONS "\0\14\0\0\0\10\0\6\0\0\3::1"), NULL, HELLO_NAME },
	{ "a quote, for the log", IN(UP_TO_EXTENSIONS "\0\14\0\0\0\10\0\6\0\0\3a\"b"), NULL, HELLO_NAME },
	{ "a wildcard", IN(UP_TO_EXTENSIONS "\0\14\0\0\0\10\0\6\0\0\3*.b"), NULL, HELLO_NAME },
	{ "beyond ASCII", IN(UP_TO_EXTENSIONS "\0\14\0\0\0\10\0\6\0\0\3a\xfc" "b"), NULL, HELLO_NAME },
};

static const struct {
	const char *why;
	struct str in; /* records */
	ssize_t used;
	enum hello_fault fault;
} records[] = {
	{ "HTTP", IN("GET / HTTP/1.1\r\n"), E_SYNTAX, HELLO_NOT_TLS },
	{ "a PROXY preface", IN("PROXY TCP4"), E_SYNTAX, HELLO_NOT_TLS },
	{ "SSL 2.0", IN("\x80\x2e\1\3\1"), E_SYNTAX, HELLO_NOT_TLS },
	{ "an alert", IN("\x15\3\1\0\2\2\0"), E_SYNTAX, HELLO_NOT_TLS },
	{ "a version of another world", IN("\x16\2"), E_SYNTAX, HELLO_NOT_TLS },
	{ "no byte", IN(""), 0, HELLO_NONE },
	{ "four bytes", IN("\x16\3\1\0"), 0, HELLO_NONE },
	{ "an empty record", IN("\x16\3\1\0\0"), E_SYNTAX, HELLO_RECORD },
	{ "a record of 16385", IN("\x16\3\1\x40\1"), E_SYNTAX, HELLO_RECORD },
	{ "one of 16384 may come", IN("\x16\3\1\x40\0"), 0, HELLO_NONE },
	{ "another record in the middle", IN("\x16\3\1\0\1\1\x17"), E_SYNTAX, HELLO_RECORD },
	{ "... of another version", IN("\x16\3\1\0\1\1\x16\2"), E_SYNTAX, HELLO_RECORD },
	{ "an empty one in the middle", IN("\x16\3\1\0\1\1\x16\3\1\0\0"), E_SYNTAX, HELLO_RECORD },
	{ "ServerHello", IN("\x16\3\1\0\4\2"), E_SYNTAX, HELLO_NOT_HELLO },
	{ "HelloRequest", IN("\x16\3\1\0\4\0"), E_SYNTAX, HELLO_NOT_HELLO },
	{ "16385 bytes are said", IN("\x16\3\1\0\4\1\0\x40\1"), E_TOOBIG, HELLO_TOO_LONG },
	{ "16 MiB are", IN("\x16\3\1\0\4\1\xff\xff\xff"), E_TOOBIG, HELLO_TOO_LONG },
	{ "16384 may come", IN("\x16\3\1\0\4\1\0\x40\0"), 0, HELLO_NONE },
	{ "none are", IN("\x16\3\1\0\4\1\0\0\0"), E_SYNTAX, HELLO_LENGTH },
};
/* clang-format on */

static void
add_record(struct buf *out, struct str part)
{
	const char head[5] = { 0x16, 3, 1, (char)(part.len >> 8),
		(char)part.len };

	buf_add_str(out, str_from(head, sizeof(head)));
	buf_add_str(out, part);
}

/* The message in records of so many bytes. */
static struct buf
message(struct str body, size_t part)
{
	const char head[4] = { 1, (char)(body.len >> 16), (char)(body.len >> 8),
		(char)body.len };
	struct buf m = BUF_INIT, out = BUF_INIT;

	buf_add_str(&m, str_from(head, sizeof(head)));
	buf_add_str(&m, body);
	for (size_t at = 0; at < m.len; at += part)
		add_record(&out, str_sub(buf_str(&m), at, part));
	cr_assert(!m.failed && !out.failed);
	buf_free(&m);
	return out;
}

/* Reads bytes that are alone in their memory, so that no look goes past. */
static ssize_t
read_alone(struct str in, struct hello *h, enum hello_fault *fault)
{
	char *alone = malloc(in.len + (in.len == 0));
	ssize_t used;

	cr_assert_not_null(alone);
	if (in.len > 0)
		memcpy(alone, in.p, in.len);
	used = hello_read(str_from(alone, in.len), h, fault);
	free(alone);
	return used;
}

static void
expect_body(size_t row, struct str in, size_t behind)
{
	struct hello h;
	enum hello_fault fault;
	ssize_t used = read_alone(in, &h, &fault);
	const char *why = bodies[row].why;

	cr_expect_eq(fault, bodies[row].fault, "%s: %s", why,
	    hello_fault_text(fault));
	if (bodies[row].name == NULL) {
		cr_expect_eq(used, E_SYNTAX, "%s", why);
		return;
	}
	cr_expect_eq(used, (ssize_t)(in.len - behind), "%s: %zd", why, used);
	cr_expect_str_eq(h.name, bodies[row].name, "%s", why);
	cr_expect_eq(h.name_len, strlen(bodies[row].name), "%s", why);
}

Test(hello, bodies, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct buf in = message(bodies[i].in, 16384);

		expect_body(i, buf_str(&in), 0);
		buf_add_cstr(&in, "what follows");
		expect_body(i, buf_str(&in), 12);
		buf_free(&in);
	}
}

Test(hello, over_records_of_any_size, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		for (size_t part = 1; part <= bodies[i].in.len + 4; part++) {
			struct buf in = message(bodies[i].in, part);

			expect_body(i, buf_str(&in), 0);
			buf_free(&in);
		}
	}
}

/* Its last record may hold more: that is the next message's. */
Test(hello, ends_within_a_record)
{
	struct buf m = message(bodies[2].in, 16384), in = BUF_INIT;
	struct str bytes = str_from(m.p + 5, m.len - 5);
	struct buf longer = BUF_INIT;

	buf_add_str(&longer, bytes);
	buf_add_cstr(&longer, "more");
	add_record(&in, buf_str(&longer));
	expect_body(2, buf_str(&in), 4);
	buf_free(&m);
	buf_free(&in);
	buf_free(&longer);
}

Test(hello, cut_anywhere_it_waits, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		for (size_t part = 7; part <= 16384; part += 16377) {
			struct buf in = message(bodies[i].in, part);

			for (size_t n = 0; n < in.len; n++) {
				struct hello h;
				enum hello_fault f;

				cr_expect_eq(
				    read_alone(str_sub(buf_str(&in), 0, n), &h,
				        &f),
				    0, "%s: at %zu", bodies[i].why, n);
				cr_expect_eq(f, HELLO_NONE);
			}
			buf_free(&in);
		}
	}
}

Test(hello, records, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct hello h;
		enum hello_fault fault;

		for (size_t n = 0; n <= records[i].in.len; n++) {
			ssize_t used = read_alone(str_sub(records[i].in, 0, n),
			    &h, &fault);

			if (n == records[i].in.len || used != 0) {
				cr_expect_eq(used, records[i].used, "%s: %zd",
				    records[i].why, used);
				cr_expect_eq(fault, records[i].fault, "%s: %s",
				    records[i].why, hello_fault_text(fault));
			}
		}
	}
}

/* A hello with a long name and enough behind it to be n bytes. */
static struct buf
padded(size_t n, size_t name_len)
{
	struct buf out = BUF_INIT;
	size_t list = name_len + 3, ext = list + 2;
	size_t pad = n - (sizeof(UP_TO_EXTENSIONS) - 1) - 2 - 4 - ext - 4;
	size_t all = 4 + ext + 4 + pad;

	buf_add_str(&out,
	    str_from(UP_TO_EXTENSIONS, sizeof(UP_TO_EXTENSIONS) - 1));
#define ADD16(v)                                                               \
	(buf_add_char(&out, (char)((v) >> 8)), buf_add_char(&out, (char)(v)))
	ADD16(all);
	ADD16((size_t)0);
	ADD16(ext);
	ADD16(list);
	buf_add_char(&out, 0);
	ADD16(name_len);
	for (size_t i = 0; i < name_len; i++)
		buf_add_char(&out, 'a');
	ADD16((size_t)21);
	ADD16(pad);
	for (size_t i = 0; i < pad; i++)
		buf_add_char(&out, 0);
	cr_assert_eq(out.len, n);
	return out;
}

/* clang-format off */
static const struct {
	const char *why;
	size_t bytes, name_len, part;
	enum hello_fault fault;
} large[] = {
	{ "as long as can be", 16380, 10, 16384, HELLO_NONE },
	{ "more than a record holds", 16384, 10, 16384, HELLO_NONE },
	{ "the longest name", 1000, 255, 16384, HELLO_NONE },
	{ "one more", 1000, 256, 16384, HELLO_NAME },
	{ "a byte too long", 16385, 10, 16384, HELLO_TOO_LONG },
	{ "records of 50 bytes", 16384, 10, 50, HELLO_NONE },
	{ "so many heads that nobody would keep them", 16384, 10, 20, HELLO_TOO_LONG },
	{ "a byte each is as dear", 4000, 10, 1, HELLO_TOO_LONG },
	{ "but few of them are not", 3000, 10, 1, HELLO_NONE },
};
/* clang-format on */

Test(hello, large_ones, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(large); i++) {
		struct buf body = padded(large[i].bytes, large[i].name_len);
		struct buf in = message(buf_str(&body), large[i].part);
		struct hello h;
		enum hello_fault fault;
		ssize_t used = read_alone(buf_str(&in), &h, &fault);

		cr_expect_eq(fault, large[i].fault, "%s: %s", large[i].why,
		    hello_fault_text(fault));
		if (fault == HELLO_NONE)
			cr_expect_eq(used, (ssize_t)in.len, "%s", large[i].why);
		else
			cr_expect_eq(used,
			    fault == HELLO_NAME ? E_SYNTAX : E_TOOBIG, "%s",
			    large[i].why);
		buf_free(&in);
		buf_free(&body);
	}
}

Test(hello, alerts)
{
	char out[HELLO_ALERT];

	hello_alert(ALERT_UNRECOGNIZED_NAME, out);
	cr_expect_eq(memcmp(out, "\x15\3\3\0\2\2\x70", sizeof(out)), 0);
}
