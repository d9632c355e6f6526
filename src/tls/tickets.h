/*
 * tickets - the keys that session tickets are sealed with.
 *
 * The first key seals, all open; so proxies that share a file resume each
 * other's sessions, and a key can be changed without losing any.  Without a
 * file there is one key of our own, made at the start.
 *
 * Thread: any; constant once made.
 */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H
#include <openssl/ssl.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

#define TICKET_KEY_BYTES 80 /* name 16, for HMAC-SHA256 32, for AES-256 32 */
#define TICKET_KEYS_MAX 16

struct tls_tickets {
	unsigned char keys[TICKET_KEYS_MAX][TICKET_KEY_BYTES];
	size_t n;
};

/* Of a file's content; false: it is not 1 to 16 keys of 80 bytes. */
bool tls_tickets_read(struct tls_tickets *, struct str text) MUST_CHECK;
/* The key of this process, and of those that fork from it; false: no luck. */
bool tls_tickets_own(struct tls_tickets *) MUST_CHECK;
/* What OpenSSL's callback for tickets does; see SSL_CTX_set_tlsext_ticket... */
int tls_tickets_use(const struct tls_tickets *, unsigned char name[16],
    unsigned char *iv, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int seals) MUST_CHECK;

#endif
