/*
 * cert - a certificate with its chain and key, read from PEM and judged.
 *
 * Thread: any.
 */
#ifndef TLS_CERT_H
#define TLS_CERT_H
#include <openssl/x509.h>

#include "base/attr.h"
#include "base/str.h"
#include "tls/names.h"

struct tls_cert {
	X509 *leaf;             /* owned */
	STACK_OF(X509) * chain; /* owned; may be empty */
	EVP_PKEY *key;          /* owned */
	struct tls_names names; /* sorted */
};

/*
 * Reads certificates and key.
 *
 * now_s    Unix time by which it must be valid
 * why      out: what is wrong, for people; static or OpenSSL's
 * returns  E_OK, E_NOMEM, or E_SYNTAX with *why; *out is empty then
 */
int tls_cert_read(struct str certificate, struct str key, int64_t now_s,
    struct tls_cert *out, const char **why) MUST_CHECK;
void tls_cert_free(struct tls_cert *);
/*
 * Has OpenSSL read the extensions of a certificate now.  Otherwise the first
 * thread that verifies with it does so, under its lock, while others look.
 * Who cannot be read so is refused when it is used.
 */
void tls_cert_settle(X509 *);
/*
 * After a PEM_read_...() that gave nothing: is it for the text being at its
 * end?  Then OpenSSL's error is taken, else it is left.
 */
bool tls_pem_is_at_end(void);

#endif
