/* A certificate in the styles that instances read. */
#include "http/client_cert.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "certs.h"
#include "http/head.h"

static char bytes[3][1024], room[CLIENT_CERT_BYTES_MAX];
static struct str chain[2];
static struct http_head head;

static struct str
from_hex(const char *hex, char *out)
{
	size_t n = 0;

	for (; *hex != '\0'; hex += 2) {
		char digits[3] = { hex[0], hex[1], '\0' };

		out[n++] = (char)strtoul(digits, NULL, 16);
	}
	return str_from(out, n);
}

static struct client_cert
cert(void)
{
	struct client_cert c = { .verified = true,
		.chain = chain,
		.n_chain = 2,
		.subject = STR(CLIENT_DN),
		.issuer = STR(MIDDLE_DN) };

	c.der = from_hex(CLIENT_HEX, bytes[0]);
	chain[0] = from_hex(MIDDLE_HEX, bytes[1]);
	chain[1] = from_hex(ROOT_HEX, bytes[2]);
	return c;
}

/* All fields; the room that was asked for is used to the last byte. */
static void
write(const struct client_cert *c, enum client_cert_style style,
    unsigned chain_max)
{
	ssize_t n = client_cert_room(c, style, chain_max);
	size_t used = 0;

	cr_assert_geq(n, 0);
	cr_assert_lt((size_t)n, sizeof(room));
	head = (struct http_head){ .n = 0 };
	room[n] = '~';
	cr_assert_eq(client_cert_add(c, style, chain_max, room, &head), E_OK);
	cr_expect_eq(room[n], '~');
	for (unsigned i = 0; i < head.n; i++)
		used += head.f[i].value_len;
	cr_expect_leq(used, (size_t)n);
}

static void
expect(const char *name, const char *value)
{
	struct str v = http_head_value_of(&head, str_of(name));

	cr_expect(str_eq(v, str_of(value)), "%s: \"%.*s\", not \"%s\"", name,
	    (int)v.len, v.p, value);
}

Test(client_cert, rfc9440)
{
	struct client_cert c = cert();

	write(&c, CLIENT_CERT_RFC9440, 2);
	cr_expect_eq(head.n, 2);
	expect("Client-Cert", ":" CLIENT_BASE64 ":");
	expect("Client-Cert-Chain", ":" MIDDLE_BASE64 ":, :" ROOT_BASE64 ":");
}

Test(client_cert, without_a_chain)
{
	struct client_cert c = cert();

	write(&c, CLIENT_CERT_RFC9440, 0);
	cr_expect_eq(head.n, 1, "none is asked for");
	c.n_chain = 0;
	write(&c, CLIENT_CERT_RFC9440, 2);
	cr_expect_eq(head.n, 1, "there is none");
	expect("Client-Cert", ":" CLIENT_BASE64 ":");
}

Test(client_cert, haproxy)
{
	struct client_cert c = cert();

	write(&c, CLIENT_CERT_HAPROXY, 2);
	cr_expect_eq(head.n, 5);
	expect("X-SSL-Client-Verify", "0");
	expect("X-SSL-Client-Cert", CLIENT_BASE64);
	expect("X-SSL-Client-DN", CLIENT_DN);
	expect("X-SSL-Issuer", MIDDLE_DN);
	expect("X-SSL-Client-Cert-Chain", CHAIN_BASE64);
}

static void
unescape(struct str in, char *out)
{
	while (in.len > 0) {
		if (in.p[0] == '%' && in.len >= 3) {
			char digits[3] = { in.p[1], in.p[2], '\0' };

			*out++ = (char)strtoul(digits, NULL, 16);
			in = str_sub(in, 3, in.len);
		} else {
			*out++ = in.p[0];
			in = str_sub(in, 1, in.len);
		}
	}
	*out = '\0';
}

Test(client_cert, nginx)
{
	struct client_cert c = cert();
	char pem[4096];
	struct str v;

	write(&c, CLIENT_CERT_NGINX, 2);
	cr_expect_eq(head.n, 4);
	expect("ssl-client-verify", "SUCCESS");
	expect("ssl-client-subject-dn", CLIENT_DN);
	expect("ssl-client-issuer-dn", MIDDLE_DN);
	v = http_head_value_of(&head, STR("ssl-client-cert"));
	cr_assert_lt(v.len, sizeof(pem));
	unescape(v, pem);
	cr_expect_str_eq(pem, CLIENT_PEM);
	/* Form decoding reads "+" as a space. */
	cr_expect_null(memchr(v.p, '+', v.len));
	for (size_t i = 0; i < v.len; i++)
		cr_expect(v.p[i] > ' ' && v.p[i] < 0x7f);
}

Test(client_cert, base64_of_any_length)
{
	static const struct {
		const char *in, *out;
	} rows[] = { /* RFC 4648 10 */
		{ "f", ":Zg==:" }, { "fo", ":Zm8=:" }, { "foo", ":Zm9v:" },
		{ "foob", ":Zm9vYg==:" }, { "fooba", ":Zm9vYmE=:" },
		{ "foobar", ":Zm9vYmFy:" }, { "\xff\xfe\xfd", "://79:" },
		{ "\xfb\xf0", ":+/A=:" }
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client_cert c = { .verified = true,
			.der = str_of(rows[i].in) };

		write(&c, CLIENT_CERT_RFC9440, 0);
		expect("Client-Cert", rows[i].out);
	}
}

/* Lines of 64 characters: 48 bytes fill one, and no empty one follows. */
Test(client_cert, lines_of_pem)
{
	static const struct {
		size_t bytes, lines;
	} rows[] = { { 1, 1 }, { 47, 1 }, { 48, 1 }, { 49, 2 }, { 96, 2 },
		{ 97, 3 } };
	static const char zeroes[97];
	char pem[1024];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client_cert c = { .verified = true,
			.der = str_from(zeroes, rows[i].bytes) };
		size_t lines = 0;

		write(&c, CLIENT_CERT_NGINX, 0);
		unescape(http_head_value_of(&head, STR("SSL-Client-Cert")),
		    pem);
		for (const char *p = pem; *p != '\0'; p++)
			lines += *p == '\n';
		cr_expect_eq(lines, rows[i].lines + 2, "%zu bytes: %s",
		    rows[i].bytes, pem);
		cr_expect_null(strstr(pem, "\n\n"));
	}
}

Test(client_cert, only_what_was_verified)
{
	struct client_cert c = cert();
	const enum client_cert_style styles[] = { CLIENT_CERT_RFC9440,
		CLIENT_CERT_NGINX, CLIENT_CERT_HAPROXY };

	c.verified = false;
	for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
		write(&c, styles[i], 2);
		cr_expect_eq(head.n, 0);
		write(NULL, styles[i], 2);
		cr_expect_eq(head.n, 0);
	}
	c = (struct client_cert){ .verified = true };
	write(&c, CLIENT_CERT_NGINX, 2);
	cr_expect_eq(head.n, 0, "there is no certificate");
}

Test(client_cert, bounds)
{
	static char big[CLIENT_CERT_BYTES_MAX];
	struct client_cert c = cert();

	cr_expect_eq(client_cert_room(&c, CLIENT_CERT_RFC9440, 1), E_RANGE);
	cr_expect_eq(client_cert_room(&c, CLIENT_CERT_NGINX, 1), E_RANGE);
	c.der = str_from(big, sizeof(big) / 4 * 3);
	cr_expect_eq(client_cert_room(&c, CLIENT_CERT_RFC9440, 0), E_TOOBIG);
	c.der.len -= 3;
	cr_expect_gt(client_cert_room(&c, CLIENT_CERT_RFC9440, 0), 0);
	c = cert();
	chain[1] = str_from(big, sizeof(big));
	cr_expect_eq(client_cert_room(&c, CLIENT_CERT_HAPROXY, 2), E_TOOBIG);
	cr_expect_gt(client_cert_room(&c, CLIENT_CERT_HAPROXY, 0), 0);
}

Test(client_cert, names_that_are_none)
{
	static const char *const bad[] = { "CN=a\r\nX-Admin: yes", "CN=a\n",
		"CN=\xc3\xa4", "CN=a\t", " CN=a", "CN=a\x7f" };
	struct client_cert c = cert();

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		c.subject = str_of(bad[i]);
		c.issuer = STR(MIDDLE_DN);
		cr_expect_eq(client_cert_room(&c, CLIENT_CERT_NGINX, 0),
		    E_SYNTAX);
		c.issuer = c.subject;
		c.subject = STR(CLIENT_DN);
		cr_expect_eq(client_cert_room(&c, CLIENT_CERT_HAPROXY, 0),
		    E_SYNTAX);
	}
	c = cert();
	c.subject = STR("CN=a\0b");
	cr_expect_eq(client_cert_room(&c, CLIENT_CERT_NGINX, 0), E_SYNTAX);
	c.subject = c.issuer = STR("");
	write(&c, CLIENT_CERT_NGINX, 0);
	cr_expect_eq(head.n, 2, "what is not told is left out");
}

Test(client_cert, a_full_head)
{
	struct client_cert c = cert();

	head = (struct http_head){ .n = ARRAY_LEN(head.f) - 1 };
	cr_assert_gt(client_cert_room(&c, CLIENT_CERT_RFC9440, 2), 0);
	cr_expect_eq(client_cert_add(&c, CLIENT_CERT_RFC9440, 2, room, &head),
	    E_FULL);
}
