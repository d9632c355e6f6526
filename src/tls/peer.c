#include "tls/peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tls/stream_int.h"

#define CHAIN_MAX 16 /* certificates; longer ones are not told of */

/* ---- what a ticket keeps of the chain ---- */

/*
 * OpenSSL keeps the client's own certificate in a ticket, and nothing of its
 * chain.  So that is put there as well: a byte that says so, then each
 * certificate behind its length, four bytes.  Where it would be too much for a
 * hello there is one byte only, and such a session is not resumed.
 */
enum { PACKED = 'c', TOO_LONG = 'x' };

#define PACKED_MAX 6144

/* From the one behind the client's own to the one before the authority. */
static int
chain_end(const STACK_OF(X509) * all)
{
	return sk_X509_num(all) - 1;
}

static bool
pack_one(X509 *x, unsigned char *out, size_t *len)
{
	unsigned char *p = out + *len + 4;
	int n = i2d_X509(x, NULL);

	if (n <= 0 || *len + 4 + (size_t)n > PACKED_MAX)
		return false;
	for (int i = 0; i < 4; i++)
		out[*len + (size_t)i] = (unsigned char)((unsigned)n >>
		    (24 - 8 * i));
	*len += 4 + (size_t)i2d_X509(x, &p);
	return true;
}

int
tls_peer_pack(SSL *ssl, void *arg UNUSED)
{
	STACK_OF(X509) *all = SSL_get0_verified_chain(ssl);
	unsigned char out[PACKED_MAX];
	size_t len = 1;

	/* A resumed one has its own already. */
	if (SSL_session_reused(ssl) == 1 ||
	    SSL_get0_peer_certificate(ssl) == NULL)
		return 1;
	out[0] = PACKED;
	for (int i = 1; i < chain_end(all); i++) {
		if (i <= CHAIN_MAX &&
		    pack_one(sk_X509_value(all, i), out, &len))
			continue;
		out[0] = TOO_LONG;
		len = 1;
		break;
	}
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), out, len);
}

/* Whom time has overtaken since, or whose chain is lost, is asked again. */
static bool
may_resume(SSL_SESSION *session)
{
	X509 *x = SSL_SESSION_get0_peer(session);
	void *packed;
	size_t len;

	if (x == NULL)
		return true;
	return X509_cmp_current_time(X509_get0_notAfter(x)) > 0 &&
	    SSL_SESSION_get0_ticket_appdata(session, &packed, &len) == 1 &&
	    len > 0 && *(unsigned char *)packed == PACKED;
}

SSL_TICKET_RETURN
tls_peer_unpack(SSL *ssl UNUSED, SSL_SESSION *session,
    const unsigned char *name UNUSED, size_t name_len UNUSED,
    SSL_TICKET_STATUS status, void *arg UNUSED)
{
	switch (status) {
	case SSL_TICKET_SUCCESS:
		return may_resume(session) ? SSL_TICKET_RETURN_USE
		                           : SSL_TICKET_RETURN_IGNORE_RENEW;
	case SSL_TICKET_SUCCESS_RENEW:
		return may_resume(session) ? SSL_TICKET_RETURN_USE_RENEW
		                           : SSL_TICKET_RETURN_IGNORE_RENEW;
	default:
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	}
}

/* ---- making it ---- */

/* Where all parts come from, before they are copied together. */
struct parts {
	X509 *own;
	STACK_OF(X509) * verified; /* NULL: resumed */
	struct str chain[CHAIN_MAX];
	size_t n_chain;
	BIO *subject, *issuer;
	struct str cn; /* owned by OpenSSL */
};

static struct str
text_of(BIO *b)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);

	return str_from(p, n > 0 ? (size_t)n : 0);
}

static BIO *
name_of(const X509_NAME *name)
{
	BIO *b = BIO_new(BIO_s_mem());

	if (b != NULL && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) < 0) {
		BIO_free(b);
		return NULL;
	}
	return b;
}

/* The most specific one stands last. */
static void
take_cn(struct parts *p)
{
	const X509_NAME *name = X509_get_subject_name(p->own);
	unsigned char *text = NULL;
	int at = -1, last = -1, n = -1;

	while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
		last = at;
	if (last >= 0)
		n = ASN1_STRING_to_UTF8(&text,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
	if (n >= 0)
		p->cn = str_from((char *)text, (size_t)n);
}

/* The chain as a ticket has it; what we sealed ourselves has its form. */
static void
unpack_chain(SSL *ssl, struct parts *p)
{
	void *packed;
	size_t len;
	struct str rest;

	if (SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &packed,
	        &len) != 1 ||
	    len == 0)
		return;
	rest = str_from((char *)packed + 1, len - 1);
	while (rest.len > 4 && p->n_chain < CHAIN_MAX) {
		const unsigned char *at = (const unsigned char *)rest.p;
		size_t n = (size_t)at[0] << 24 | (size_t)at[1] << 16 |
		    (size_t)at[2] << 8 | at[3];

		if (n > rest.len - 4)
			return;
		p->chain[p->n_chain++] = str_sub(rest, 4, 4 + n);
		rest = str_sub(rest, 4 + n, rest.len);
	}
}

static size_t
der_bytes(X509 *x)
{
	int n = i2d_X509(x, NULL);

	return n > 0 ? (size_t)n : 0;
}

static size_t
count_bytes(const struct parts *p, size_t n_chain)
{
	size_t bytes = sizeof(struct tls_peer) + n_chain * sizeof(struct str) +
	    der_bytes(p->own) + text_of(p->subject).len +
	    text_of(p->issuer).len + p->cn.len;

	for (size_t i = 0; i < n_chain; i++)
		bytes += p->verified != NULL
		    ? der_bytes(sk_X509_value(p->verified, (int)i + 1))
		    : p->chain[i].len;
	return bytes;
}

static struct str
put_der(char **at, X509 *x)
{
	unsigned char *p = (unsigned char *)*at;
	int n = i2d_X509(x, &p);
	struct str der = str_from(*at, n > 0 ? (size_t)n : 0);

	*at += der.len;
	return der;
}

static struct str
put_str(char **at, struct str s)
{
	struct str copy = str_from(*at, s.len);

	if (s.len > 0)
		memcpy(*at, s.p, s.len);
	*at += s.len;
	return copy;
}

static struct tls_peer *
copy(const struct parts *p, size_t n_chain)
{
	size_t bytes = count_bytes(p, n_chain);
	struct tls_peer *peer = malloc(bytes);
	struct str *chain;
	char *at;

	if (peer == NULL)
		return NULL;
	chain = (struct str *)(peer + 1);
	at = (char *)(chain + n_chain);
	*peer = (struct tls_peer){ .bytes = bytes,
		.chain = chain,
		.n_chain = n_chain };
	peer->der = put_der(&at, p->own);
	for (size_t i = 0; i < n_chain; i++)
		chain[i] = p->verified != NULL
		    ? put_der(&at, sk_X509_value(p->verified, (int)i + 1))
		    : put_str(&at, p->chain[i]);
	peer->subject = put_str(&at, text_of(p->subject));
	peer->issuer = put_str(&at, text_of(p->issuer));
	peer->cn = put_str(&at, p->cn);
	return peer;
}

int
tls_peer_make(SSL *ssl, struct tls_peer **out)
{
	struct parts p = { .own = SSL_get0_peer_certificate(ssl) };
	size_t n_chain;

	*out = NULL;
	if (p.own == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
		return E_OK;
	p.verified = SSL_get0_verified_chain(ssl);
	if (p.verified == NULL)
		unpack_chain(ssl, &p);
	n_chain = p.verified == NULL    ? p.n_chain
	    : chain_end(p.verified) > 1 ? (size_t)chain_end(p.verified) - 1
	                                : 0;
	p.subject = name_of(X509_get_subject_name(p.own));
	p.issuer = name_of(X509_get_issuer_name(p.own));
	take_cn(&p);
	if (p.subject != NULL && p.issuer != NULL)
		*out = copy(&p, n_chain);
	BIO_free(p.subject);
	BIO_free(p.issuer);
	OPENSSL_free((void *)(uintptr_t)p.cn.p);
	ERR_clear_error();
	return *out == NULL ? E_NOMEM : E_OK;
}
