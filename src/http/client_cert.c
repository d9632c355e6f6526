#include "http/client_cert.h"

#include <string.h>

#include "base/err.h"
#include "http/chars.h"
#include "http/head.h"

/* Where values are written; without .p they are only measured. */
struct out {
	char *p;
	size_t len, begun; /* .begun: where the present value does */
};

static void
put(struct out *o, const char *p, size_t n)
{
	if (o->p != NULL && n > 0)
		memcpy(o->p + o->len, p, n);
	o->len += n;
}

static void
put_str(struct out *o, struct str s)
{
	put(o, s.p, s.len);
}

/* ---- base64 (RFC 4648 4) over several runs of bytes ---- */

struct base64 {
	unsigned char in[3];
	unsigned n;     /* bytes in .in */
	unsigned width; /* characters of a line; 0: no lines */
	unsigned column;
};

static void put_escaped(struct out *, const char *, size_t);

static void
put_quad(struct out *o, struct base64 *b)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                             "abcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = (uint32_t)b->in[0] << 16 | (uint32_t)b->in[1] << 8 |
	    b->in[2];
	char quad[4];

	for (unsigned i = 0; i < 4; i++)
		quad[i] = i > b->n ? '=' : digits[bits >> (18 - 6 * i) & 63];
	if (b->width == 0) {
		put(o, quad, 4);
	} else {
		put_escaped(o, quad, 4);
		b->column += 4;
		if (b->column == b->width) {
			put_escaped(o, "\n", 1);
			b->column = 0;
		}
	}
	memset(b->in, 0, sizeof(b->in));
	b->n = 0;
}

static void
base64_add(struct out *o, struct base64 *b, struct str bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		b->in[b->n++] = (unsigned char)bytes.p[i];
		if (b->n == 3)
			put_quad(o, b);
	}
}

static void
base64_end(struct out *o, struct base64 *b)
{
	if (b->n > 0)
		put_quad(o, b);
	if (b->column > 0)
		put_escaped(o, "\n", 1);
}

static void
put_base64(struct out *o, struct str bytes)
{
	struct base64 b = { .n = 0 };

	base64_add(o, &b, bytes);
	base64_end(o, &b);
}

/* ---- PEM, escaped ---- */

static void
put_escaped(struct out *o, const char *p, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];
		char escape[3] = { '%', hex[c >> 4], hex[c & 15] };

		if (ch_is(p[i], CH_UNRESERVED))
			put(o, p + i, 1);
		else
			put(o, escape, 3);
	}
}

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----\n"
#define PEM_END "-----END CERTIFICATE-----\n"

static void
put_pem(struct out *o, struct str der)
{
	struct base64 b = { .width = 64 }; /* RFC 7468 2 */

	put_escaped(o, PEM_BEGIN, sizeof(PEM_BEGIN) - 1);
	base64_add(o, &b, der);
	base64_end(o, &b);
	put_escaped(o, PEM_END, sizeof(PEM_END) - 1);
}

/* ---- fields ---- */

/* What was written since the last one is the value; h may be NULL. */
static int
end_field(struct out *o, struct http_head *h, struct str name)
{
	size_t begun = o->begun;

	o->begun = o->len;
	if (h == NULL)
		return E_OK;
	return http_head_add(h, FIELD_OTHER, name,
	    str_from(o->p + begun, o->len - begun));
}

static int
add_text(struct out *o, struct http_head *h, struct str name, struct str text)
{
	if (text.len == 0)
		return E_OK;
	put_str(o, text);
	return end_field(o, h, name);
}

static void
put_byte_sequence(struct out *o, struct str bytes)
{
	put(o, ":", 1);
	put_base64(o, bytes);
	put(o, ":", 1);
}

static int
add_rfc9440(const struct client_cert *c, size_t n, struct out *o,
    struct http_head *h)
{
	int rc;

	put_byte_sequence(o, c->der);
	rc = end_field(o, h, STR("Client-Cert"));
	if (rc != E_OK || n == 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			put_str(o, STR(", "));
		put_byte_sequence(o, c->chain[i]);
	}
	return end_field(o, h, STR("Client-Cert-Chain"));
}

static int
add_nginx(const struct client_cert *c, struct out *o, struct http_head *h)
{
	int rc = add_text(o, h, STR("SSL-Client-Verify"), STR("SUCCESS"));

	if (rc != E_OK)
		return rc;
	put_pem(o, c->der);
	rc = end_field(o, h, STR("SSL-Client-Cert"));
	if (rc == E_OK)
		rc = add_text(o, h, STR("SSL-Client-Subject-DN"), c->subject);
	if (rc == E_OK)
		rc = add_text(o, h, STR("SSL-Client-Issuer-DN"), c->issuer);
	return rc;
}

static int
add_haproxy(const struct client_cert *c, size_t n, struct out *o,
    struct http_head *h)
{
	struct base64 b = { .n = 0 };
	int rc = add_text(o, h, STR("X-SSL-Client-Verify"), STR("0"));

	if (rc != E_OK)
		return rc;
	put_base64(o, c->der);
	rc = end_field(o, h, STR("X-SSL-Client-Cert"));
	if (rc == E_OK)
		rc = add_text(o, h, STR("X-SSL-Client-DN"), c->subject);
	if (rc == E_OK)
		rc = add_text(o, h, STR("X-SSL-Issuer"), c->issuer);
	if (rc != E_OK || n == 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		base64_add(o, &b, c->chain[i]);
	base64_end(o, &b);
	return end_field(o, h, STR("X-SSL-Client-Cert-Chain"));
}

static int
write_all(const struct client_cert *c, enum client_cert_style style,
    unsigned chain_max, struct out *o, struct http_head *h)
{
	size_t n = chain_max == 0 ? 0 : c->n_chain;

	switch (style) {
	case CLIENT_CERT_NGINX:
		return add_nginx(c, o, h);
	case CLIENT_CERT_HAPROXY:
		return add_haproxy(c, n, o, h);
	case CLIENT_CERT_RFC9440:
		break;
	}
	return add_rfc9440(c, n, o, h);
}

static bool
is_told(const struct client_cert *c)
{
	return c != NULL && c->verified && c->der.len > 0;
}

/* As RFC 4514 has them escaped; more would be no name but another line. */
static bool
is_printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return str_trim(s).len == s.len;
}

ssize_t
client_cert_room(const struct client_cert *c, enum client_cert_style style,
    unsigned chain_max)
{
	struct out o = { .p = NULL };
	int rc;

	if (!is_told(c))
		return 0;
	if (chain_max > 0 && c->n_chain > chain_max)
		return E_RANGE;
	if (!is_printable(c->subject) || !is_printable(c->issuer))
		return E_SYNTAX;
	rc = write_all(c, style, chain_max, &o, NULL);
	if (rc != E_OK)
		return rc;
	return o.len > CLIENT_CERT_BYTES_MAX ? E_TOOBIG : (ssize_t)o.len;
}

int
client_cert_add(const struct client_cert *c, enum client_cert_style style,
    unsigned chain_max, char *room, struct http_head *h)
{
	struct out o = { .len = 0 };

	o.p = room;
	return is_told(c) ? write_all(c, style, chain_max, &o, h) : E_OK;
}
