/* The PROXY preface: what is read, refused and written. */
#include "net/proxyproto.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define IP4 "\300\0\2\1\300\0\2\2\x1f\x90\1\273" /* 8080, 443 */
#define IP4_SAYS "192.0.2.1:8080 > 192.0.2.2:443"
#define IP6                                                                    \
	"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"                                \
	"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2\x1f\x90\1\273"
#define NO_PATH_12 "\0\0\0\0\0\0\0\0\0\0\0\0"
#define NO_PATH_108                                                            \
	NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12      \
	    NO_PATH_12 NO_PATH_12 NO_PATH_12
#define TEN "1234567890"
#define FIFTY TEN TEN TEN TEN TEN

/* What is said, in one line. */
static const char *
say(const struct pp_preface *p)
{
	static char out[512];
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];
	struct buf said = BUF_INIT;
	const struct {
		const char *name;
		struct str s;
	} texts[] = { { " alpn=", p->alpn }, { " sni=", p->authority },
		{ " id=", p->unique_id }, { " tls=", p->tls_version } };

	if (p->local)
		buf_add_cstr(&said, "local");
	else if (!p->has_addrs)
		buf_add_cstr(&said, "unknown");
	if (p->has_addrs) {
		addr_text(&p->src, a);
		addr_text(&p->dst, b);
		buf_printf(&said, "%s > %s", a, b);
	}
	if (p->over_tls)
		buf_add_cstr(&said, " over_tls");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].s.p != NULL)
			buf_printf(&said, "%s" STR_FMT, texts[i].name,
			    STR_ARG(texts[i].s));
	str_copy(buf_str(&said), out, sizeof(out));
	buf_free(&said);
	return out;
}

#define IN(s)                                                                  \
	{                                                                      \
		(s), sizeof(s) - 1                                             \
	}

/* clang-format off */
static const struct {
	const char *why;
	struct str in;
	const char *says; /* then all bytes but a "G" behind are used */
	enum pp_fault fault;
} rows[] = {
	/* version 1 */
	{ "IPv4", IN("PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\r\n"), IP4_SAYS, PP_NONE },
	{ "IPv6", IN("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), "[2001:db8::1]:1 > [::1]:65535", PP_NONE },
	{ "IPv6 in capitals and in full", IN("PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::1 1 2\r\n"), "[2001:db8::1]:1 > [::1]:2", PP_NONE },
	{ "IPv4 mapped into IPv6, as dual-stack listeners have it", IN("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n"), "[::ffff:192.0.2.1]:1 > [::ffff:192.0.2.2]:2", PP_NONE },
	{ "the longest line of addresses", IN("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 > [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", PP_NONE },
	{ "ports 0", IN("PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n"), "192.0.2.1:0 > 192.0.2.2:0", PP_NONE },
	{ "UNKNOWN, as a check says", IN("PROXY UNKNOWN\r\n"), "unknown", PP_NONE },
	{ "UNKNOWN with something, which is skipped", IN("PROXY UNKNOWN ffff::1 what ever\r\n"), "unknown", PP_NONE },
	{ "107 bytes, the most", IN("PROXY UNKNOWN " FIFTY TEN TEN TEN TEN "1\r\n"), "unknown", PP_NONE },
	{ "108 bytes", IN("PROXY UNKNOWN " FIFTY TEN TEN TEN TEN "12\r\n"), NULL, PP_TOO_LONG },
	{ "no end in sight", IN("PROXY UNKNOWN " FIFTY TEN TEN TEN TEN "1234"), NULL, PP_TOO_LONG },
	{ "bare LF", IN("PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\n"), NULL, PP_BYTE },
	{ "CR without LF", IN("PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\rG"), NULL, PP_BYTE },
	{ "NUL in an address, where C would stop", IN("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), NULL, PP_BYTE },
	{ "NUL in UNKNOWN", IN("PROXY UNKNOWN \0\r\n"), NULL, PP_BYTE },
	{ "tab for a space", IN("PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n"), NULL, PP_BYTE },
	{ "a letter beyond ASCII", IN("PROXY TCP4 192.0.2.1\xff 192.0.2.2 1 2\r\n"), NULL, PP_BYTE },
	{ "two spaces", IN("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"), NULL, PP_WORDS },
	{ "a space at the end", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"), NULL, PP_WORDS },
	{ "a word more", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), NULL, PP_WORDS },
	{ "a word less", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), NULL, PP_WORDS },
	{ "the last word empty", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n"), NULL, PP_WORDS },
	{ "nothing behind the family", IN("PROXY TCP4\r\n"), NULL, PP_WORDS },
	{ "no family", IN("PROXY \r\n"), NULL, PP_FAMILY },
	{ "family in small letters", IN("PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n"), NULL, PP_FAMILY },
	{ "UDP", IN("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), NULL, PP_FAMILY },
	{ "UNKNOWN and a letter", IN("PROXY UNKNOWNX\r\n"), NULL, PP_FAMILY },
	{ "IPv6 where IPv4 is said", IN("PROXY TCP4 ::1 192.0.2.2 1 2\r\n"), NULL, PP_ADDRESS },
	{ "IPv4 where IPv6 is said", IN("PROXY TCP6 192.0.2.1 ::1 1 2\r\n"), NULL, PP_ADDRESS },
	{ "leading zero, octal to some", IN("PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n"), NULL, PP_ADDRESS },
	{ "hexadecimal", IN("PROXY TCP4 0xc0.0.2.1 192.0.2.2 1 2\r\n"), NULL, PP_ADDRESS },
	{ "three numbers", IN("PROXY TCP4 192.0.1 192.0.2.2 1 2\r\n"), NULL, PP_ADDRESS },
	{ "256", IN("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"), NULL, PP_ADDRESS },
	{ "a name", IN("PROXY TCP4 localhost 192.0.2.2 1 2\r\n"), NULL, PP_ADDRESS },
	{ "brackets", IN("PROXY TCP6 [::1] ::1 1 2\r\n"), NULL, PP_ADDRESS },
	{ "a scope", IN("PROXY TCP6 fe80::1%1 ::1 1 2\r\n"), NULL, PP_ADDRESS },
	{ "two gaps", IN("PROXY TCP6 1::2::3 ::1 1 2\r\n"), NULL, PP_ADDRESS },
	{ "port above 65535", IN("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n"), NULL, PP_PORT },
	{ "port that wraps", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1 18446744073709551617\r\n"), NULL, PP_PORT },
	{ "port with a leading zero", IN("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"), NULL, PP_PORT },
	{ "port with a sign", IN("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n"), NULL, PP_PORT },
	{ "no preface: HTTP", IN("GET / HTTP/1.1\r\n"), NULL, PP_MISSING },
	{ "no preface: HTTP/2 begins with the same two letters", IN("PRI * HTTP/2.0\r\n"), NULL, PP_MISSING },
	{ "no preface: TLS", IN("\x16\x03\x01"), NULL, PP_MISSING },
	{ "small letters", IN("proxy TCP4 "), NULL, PP_MISSING },
	{ "tab behind PROXY", IN("PROXY\tTCP4"), NULL, PP_MISSING },
	/* version 2 */
	{ "2, IPv4", IN(SIG "\x21\x11\0\14" IP4), IP4_SAYS, PP_NONE },
	{ "2, IPv6", IN(SIG "\x21\x21\0\44" IP6), "[2001:db8::1]:8080 > [2001:db8::2]:443", PP_NONE },
	{ "Unix", IN(SIG "\x21\x31\0\330" "/a\0\0\0\0\0\0\0\0\0\0" NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12 "/b\0\0\0\0\0\0\0\0\0\0" NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12 NO_PATH_12), "unix:/a > unix:/b", PP_NONE },
	{ "Unix without a name, as most clients", IN(SIG "\x21\x31\0\330" NO_PATH_108 NO_PATH_108), "unix: > unix:", PP_NONE },
	{ "unspecified: it does not know", IN(SIG "\x21\0\0\0"), "unknown", PP_NONE },
	{ "unspecified, with a TLV", IN(SIG "\x21\0\0\5\1\0\2h2"), "unknown alpn=h2", PP_NONE },
	{ "LOCAL", IN(SIG "\x20\0\0\0"), "local", PP_NONE },
	{ "LOCAL: what it carries is skipped, families and all", IN(SIG "\x20\xff\0\3xyz"), "local", PP_NONE },
	{ "ALPN", IN(SIG "\x21\x11\0\21" IP4 "\1\0\2h2"), IP4_SAYS " alpn=h2", PP_NONE },
	{ "ALPN of no length", IN(SIG "\x21\x11\0\17" IP4 "\1\0\0"), IP4_SAYS " alpn=", PP_NONE },
	{ "host name", IN(SIG "\x21\x11\0\22" IP4 "\2\0\3a.b"), IP4_SAYS " sni=a.b", PP_NONE },
	{ "unique id", IN(SIG "\x21\x11\0\21" IP4 "\5\0\2id"), IP4_SAYS " id=id", PP_NONE },
	{ "what we do not know, and NOOP, are kept unread", IN(SIG "\x21\x11\0\26" IP4 "\4\0\1x\xea\0\3aws"), IP4_SAYS, PP_NONE },
	{ "TLS", IN(SIG "\x21\x11\0\36" IP4 "\x20\0\17\1\0\0\0\0\x21\0\7TLSv1.3"), IP4_SAYS " over_tls tls=TLSv1.3", PP_NONE },
	{ "TLS was not used: the bit is clear", IN(SIG "\x21\x11\0\24" IP4 "\x20\0\5\6\0\0\0\0"), IP4_SAYS, PP_NONE },
	{ "a version of TLS outside of TLS is not one", IN(SIG "\x21\x11\0\20" IP4 "\x21\0\1x"), IP4_SAYS, PP_NONE },
	{ "checksum", IN(SIG "\x21\x11\0\23" IP4 "\3\0\4\x2a\x82\xe4\xad"), IP4_SAYS, PP_NONE },
	{ "checksum is wrong", IN(SIG "\x21\x11\0\23" IP4 "\3\0\4\x2a\x82\xe4\xae"), NULL, PP_CHECKSUM },
	{ "checksum of two bytes", IN(SIG "\x21\x11\0\21" IP4 "\3\0\2\0\0"), NULL, PP_TLV },
	{ "checksum of five bytes", IN(SIG "\x21\x11\0\24" IP4 "\3\0\5\0\0\0\0\0"), NULL, PP_TLV },
	{ "two checksums", IN(SIG "\x21\x11\0\32" IP4 "\3\0\4\0\0\0\0\3\0\4\0\0\0\0"), NULL, PP_TWICE },
	{ "two host names, which readers would choose from", IN(SIG "\x21\x11\0\24" IP4 "\2\0\1a\2\0\1b"), NULL, PP_TWICE },
	{ "two of TLS", IN(SIG "\x21\x11\0\34" IP4 "\x20\0\5\0\0\0\0\0\x20\0\5\1\0\0\0\0"), NULL, PP_TWICE },
	{ "two versions of TLS", IN(SIG "\x21\x11\0\34" IP4 "\x20\0\15\1\0\0\0\0\x21\0\1a\x21\0\1b"), NULL, PP_TWICE },
	{ "TLV longer than the rest", IN(SIG "\x21\x11\0\20" IP4 "\1\0\2h"), NULL, PP_TLV },
	{ "TLV of 65535", IN(SIG "\x21\x11\0\20" IP4 "\1\xff\xffh"), NULL, PP_TLV },
	{ "TLV without length", IN(SIG "\x21\x11\0\16" IP4 "\1\0"), NULL, PP_TLV },
	{ "a byte behind the TLVs", IN(SIG "\x21\x11\0\22" IP4 "\1\0\2h2\4"), NULL, PP_TLV },
	{ "TLS shorter than its head", IN(SIG "\x21\x11\0\23" IP4 "\x20\0\4\1\0\0\0"), NULL, PP_TLV },
	{ "inside of TLS, longer than it", IN(SIG "\x21\x11\0\30" IP4 "\x20\0\11\1\0\0\0\0\x21\0\7T"), NULL, PP_TLV },
	{ "version 1 in binary", IN(SIG "\x11\x11\0\14" IP4), NULL, PP_VERSION },
	{ "version 3", IN(SIG "\x31\x11\0\14" IP4), NULL, PP_VERSION },
	{ "command 2", IN(SIG "\x22\x11\0\14" IP4), NULL, PP_COMMAND },
	{ "UDP over IPv4", IN(SIG "\x21\x12\0\14" IP4), NULL, PP_FAMILY },
	{ "UDP over IPv6", IN(SIG "\x21\x22\0\44" IP6), NULL, PP_FAMILY },
	{ "TCP of no family", IN(SIG "\x21\x01\0\14" IP4), NULL, PP_FAMILY },
	{ "IPv4 of no protocol", IN(SIG "\x21\x10\0\14" IP4), NULL, PP_FAMILY },
	{ "family 4", IN(SIG "\x21\x41\0\14" IP4), NULL, PP_FAMILY },
	{ "too short for IPv4", IN(SIG "\x21\x11\0\13" IP4), NULL, PP_LENGTH },
	{ "too short for IPv6", IN(SIG "\x21\x21\0\14" IP4), NULL, PP_LENGTH },
	{ "no length at all", IN(SIG "\x21\x11\0\0"), NULL, PP_LENGTH },
	{ "longer than we take, told by its head alone", IN(SIG "\x21\x11\x0f\xf1"), NULL, PP_TOO_LONG },
	{ "the longest there can be", IN(SIG "\x20\0\xff\xff"), NULL, PP_TOO_LONG },
	{ "signature with one byte off", IN("\r\n\r\n\0\r\nQUIT\r"), NULL, PP_MISSING },
	{ "empty lines before a request", IN("\r\n\r\nGET"), NULL, PP_MISSING },
};
/* clang-format on */

Test(proxyproto, rows, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf in = BUF_INIT;
		struct pp_preface p;
		enum pp_fault fault;
		ssize_t used;

		buf_add_str(&in, rows[i].in);
		if (rows[i].says != NULL)
			buf_add_cstr(&in, "G");
		used = pp_read(buf_str(&in), &p, &fault);
		cr_expect_eq(fault, rows[i].fault, "%s: %s", rows[i].why,
		    pp_fault_text(fault));
		if (rows[i].says != NULL) {
			cr_expect_eq(used, (ssize_t)rows[i].in.len, "%s: %zd",
			    rows[i].why, used);
			cr_expect_str_eq(say(&p), rows[i].says, "%s: %s",
			    rows[i].why, say(&p));
		} else {
			cr_expect_eq(used,
			    fault == PP_TOO_LONG ? E_TOOBIG : E_SYNTAX, "%s",
			    rows[i].why);
		}
		buf_free(&in);
	}
}

/* Bytes that are alone in their memory, so that no look goes past them. */
static ssize_t
read_alone(struct str in, enum pp_fault *fault)
{
	char *alone = str_dup(in);
	struct pp_preface p;
	ssize_t used;

	cr_assert_not_null(alone);
	used = pp_read(str_from(alone, in.len), &p, fault);
	free(alone);
	return used;
}

Test(proxyproto, cut_anywhere_it_waits, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum pp_fault fault;

		for (size_t n = 0; n < rows[i].in.len; n++) {
			ssize_t used = read_alone(str_sub(rows[i].in, 0, n),
			    &fault);

			/* What is wrong may be told early, never otherwise. */
			if (rows[i].says != NULL || used == 0)
				cr_expect_eq(used, 0, "%s: at %zu", rows[i].why,
				    n);
			else
				cr_expect_eq(fault, rows[i].fault,
				    "%s: at %zu: %s", rows[i].why, n,
				    pp_fault_text(fault));
		}
	}
}

Test(proxyproto, every_byte_counts_under_a_checksum, .timeout = 5)
{
	char bytes[] = SIG "\x21\x11\0\30" IP4 "\3\0\4\0\0\0\0\5\0\2id";
	struct pp_preface p;
	enum pp_fault fault;
	char out[PP_MAX];
	size_t len;

	memcpy(bytes + 31, "\0\0\0\0", 4);
	cr_assert_eq(pp_read(str_from(bytes, sizeof(bytes) - 1), &p, &fault),
	    E_SYNTAX);
	cr_assert_eq(fault, PP_CHECKSUM);
	/* The writer makes it right. */
	p.local = false;
	p.has_addrs = true;
	p.tlvs = str_from(bytes + 28, sizeof(bytes) - 1 - 28);
	len = pp_write(2, &p, out);
	cr_assert_eq(len, sizeof(bytes) - 1);
	cr_assert_eq(pp_read(str_from(out, len), &p, &fault), (ssize_t)len);
	for (size_t i = 0; i < 8 * len; i++) {
		bool says_local = i == 8 * 12;
		bool is_no_checksum = i / 8 == 28;
		bool taken;

		out[i / 8] ^= (char)(1 << i % 8);
		taken = pp_read(str_from(out, len), &p, &fault) > 0;
		cr_expect_eq(taken, says_local || is_no_checksum, "bit %zu", i);
		out[i / 8] ^= (char)(1 << i % 8);
	}
}

/* clang-format off */
static const struct {
	const char *why;
	struct str in, v1, v2; /* what is written for what was read */
} written[] = {
	{ "IPv4", IN("PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\r\n"),
	    IN("PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\r\n"),
	    IN(SIG "\x21\x11\0\14" IP4) },
	{ "IPv6", IN(SIG "\x21\x21\0\44" IP6),
	    IN("PROXY TCP6 2001:db8::1 2001:db8::2 8080 443\r\n"),
	    IN(SIG "\x21\x21\0\44" IP6) },
	{ "mapped is IPv4", IN("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 8080 443\r\n"),
	    IN("PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\r\n"),
	    IN(SIG "\x21\x11\0\14" IP4) },
	{ "one mapped, the other truly IPv6", IN("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"),
	    IN("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"),
	    IN(SIG "\x21\x21\0\44\0\0\0\0\0\0\0\0\0\0\xff\xff\300\0\2\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2") },
	{ "Unix has no place in version 1", IN(SIG "\x21\x31\0\330" NO_PATH_108 NO_PATH_108),
	    IN("PROXY UNKNOWN\r\n"),
	    IN(SIG "\x21\x31\0\330" NO_PATH_108 NO_PATH_108) },
	{ "unknown", IN("PROXY UNKNOWN\r\n"),
	    IN("PROXY UNKNOWN\r\n"), IN(SIG "\x21\0\0\0") },
	{ "local has no TLVs", IN(SIG "\x20\x11\0\14" IP4),
	    IN("PROXY UNKNOWN\r\n"), IN(SIG "\x20\0\0\0") },
	{ "TLVs go on as they came", IN(SIG "\x21\x11\0\26" IP4 "\4\0\1x\xea\0\3aws"),
	    IN("PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\r\n"),
	    IN(SIG "\x21\x11\0\26" IP4 "\4\0\1x\xea\0\3aws") },
};
/* clang-format on */

Test(proxyproto, writes, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(written); i++) {
		char out[PP_MAX];
		struct pp_preface p;
		enum pp_fault fault;

		cr_assert_eq(pp_read(written[i].in, &p, &fault),
		    (ssize_t)written[i].in.len, "%s", written[i].why);
		cr_expect(str_eq(str_from(out, pp_write(1, &p, out)),
		              written[i].v1),
		    "%s: version 1", written[i].why);
		cr_expect(str_eq(str_from(out, pp_write(2, &p, out)),
		              written[i].v2),
		    "%s: version 2", written[i].why);
	}
}

Test(proxyproto, families_that_do_not_match_are_unknown)
{
	struct pp_preface p = { .has_addrs = true };
	char out[PP_MAX];

	p.src.in.sin_family = AF_INET;
	p.dst.in6.sin6_family = AF_INET6;
	p.dst.in6.sin6_addr = in6addr_loopback;
	cr_expect(str_eq(str_from(out, pp_write(1, &p, out)),
	    STR("PROXY UNKNOWN\r\n")));
	cr_expect(str_eq(str_from(out, pp_write(2, &p, out)),
	    STR(SIG "\x21\0\0\0")));
}

Test(proxyproto, what_does_not_fit_is_not_written)
{
	static char tlvs[PP_MAX];
	struct pp_preface p = { .tlvs = str_from(tlvs, PP_MAX - 16) };
	char out[PP_MAX];

	cr_expect_eq(pp_write(2, &p, out), (size_t)PP_MAX);
	p.tlvs.len++;
	cr_expect_eq(pp_write(2, &p, out), (size_t)0);
}

/* ---- what we say of TLS that we ended ---- */

static void
expect_bytes(const char *got, size_t n, struct str want, const char *why)
{
	cr_expect(str_eq(str_from(got, n), want), "%s: %zu bytes, not %zu", why,
	    n, want.len);
}

Test(proxyproto, tls_of_our_own)
{
	struct pp_tls tls = { .version = STR("TLSv1.3"),
		.cipher = STR("AES"),
		.alpn = STR("h2"),
		.authority = STR("a.b") };
	struct pp_preface p = { .has_addrs = false }, back;
	enum pp_fault fault;
	char out[PP_MAX], preface[PP_MAX];
	size_t n = pp_add_tls(&tls, &p, out, 0, PP_MAX);

	expect_bytes(out, n,
	    STR("\1\0\2h2\2\0\3a.b\x20\0\x15\1\0\0\0\1"
	        "\x21\0\7TLSv1.3\x23\0\3AES"),
	    "without a certificate");
	p.tlvs = str_from(out, n);
	n = pp_write(2, &p, preface);
	cr_assert_eq(pp_read(str_from(preface, n), &back, &fault), (ssize_t)n);
	cr_expect(back.over_tls);
	cr_expect(str_eq(back.tls_version, STR("TLSv1.3")));
	cr_expect(str_eq(back.alpn, STR("h2")));
	cr_expect(str_eq(back.authority, STR("a.b")));
	tls = (struct pp_tls){ .cn = STR("anna"), .has_cert = true };
	p.tlvs = (struct str){ NULL, 0 };
	n = pp_add_tls(&tls, &p, out, 0, PP_MAX);
	expect_bytes(out, n, STR("\x20\0\x0c\7\0\0\0\0\x22\0\4anna"),
	    "with one");
	tls.resumed = true;
	n = pp_add_tls(&tls, &p, out, 0, PP_MAX);
	expect_bytes(out, n, STR("\x20\0\x0c\5\0\0\0\0\x22\0\4anna"),
	    "of an earlier connection");
}

/* Who was nearer to the client knows better. */
Test(proxyproto, tls_that_was_said_already)
{
	struct pp_tls tls = { .alpn = STR("h2"), .authority = STR("a.b") };
	struct str said = STR("\x20\0\5\1\0\0\0\1\1\0\2h3");
	struct pp_preface p = { .tlvs = said };
	char out[PP_MAX];
	size_t n;

	memcpy(out, said.p, said.len);
	n = pp_add_tls(&tls, &p, out, said.len, PP_MAX);
	expect_bytes(out, n, STR("\x20\0\5\1\0\0\0\1\1\0\2h3\2\0\3a.b"),
	    "the rest");
}

/* All of it or nothing, and never a byte behind the room. */
Test(proxyproto, tls_that_does_not_fit)
{
	struct pp_tls tls = { .version = STR("TLSv1.3"),
		.alpn = STR("h2"),
		.authority = STR("a.b") };
	struct pp_preface p = { .has_addrs = false };
	char out[PP_MAX], before[PP_MAX];
	size_t need = pp_add_tls(&tls, &p, out, 0, PP_MAX);

	for (size_t len = 0; len < 8; len++) {
		for (size_t cap = 0; cap < len + need + 2; cap++) {
			size_t n;

			memset(out, 'x', sizeof(out));
			n = pp_add_tls(&tls, &p, out, len, cap);
			cr_expect_eq(n, cap >= len + need ? len + need : len,
			    "%zu of %zu", len, cap);
			memset(before, 'x', sizeof(before));
			cr_expect_eq(memcmp(out + MAX(cap, len),
			                 before + MAX(cap, len),
			                 sizeof(out) - MAX(cap, len)),
			    0, "%zu of %zu", len, cap);
		}
	}
}
