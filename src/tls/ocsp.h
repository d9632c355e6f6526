/*
 * ocsp - what an authority says of our own certificate, handed to clients with
 * it (stapling, RFC 6066 8): read from DER and judged.
 *
 * Thread: any; constant once made.
 */
#ifndef TLS_OCSP_H
#define TLS_OCSP_H
#include <openssl/x509.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct tls_cert;

struct tls_ocsp {
	X509 *leaf;              /* one ref: whom it is about */
	unsigned char *der;      /* owned */
	size_t len;              /* 0: there is none */
	int64_t from_s, until_s; /* Unix time */
};

/*
 * Of a response in DER.  It must say that the certificate is good; who signed
 * it is looked at where the certificate's chain has its authority.
 *
 * why      out: what is wrong, for people
 * returns  E_OK, E_NOMEM, or E_SYNTAX with *why; *out is empty then
 */
int tls_ocsp_read(struct str der, const struct tls_cert *, struct tls_ocsp *out,
    const char **why) MUST_CHECK;
void tls_ocsp_free(struct tls_ocsp *);

/* Outside of its time it is worth nothing, and not handed on. */
static inline bool
tls_ocsp_is_timely(const struct tls_ocsp *o, int64_t now_s)
{
	return o->len > 0 && o->from_s <= now_s && now_s < o->until_s;
}

#endif
