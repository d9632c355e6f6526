/*
 * peer - the certificate that a client has proved to have.
 *
 * Thread: the loop's, of the conn.
 */
#ifndef TLS_PEER_H
#define TLS_PEER_H
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct conn;

/* One that was verified: others never end their handshake. */
struct tls_peer {
	struct str der; /* its own */
	/* What leads from it to the authority, without the latter: each
	 * certifies the one before it.  Kept over a resumption. */
	const struct str *chain;
	size_t n_chain;
	struct str subject, issuer; /* RFC 2253, in ASCII */
	struct str cn;              /* last common name, UTF-8; empty: none */
	size_t bytes;               /* of all of this */
};

/*
 * Of a conn that has shaken hands.  Made when it is asked for first, then kept
 * as long as the conn is; *out is NULL where there is none, or no TLS.  E_OK
 * or E_NOMEM.
 */
int tls_peer_of(const struct conn *, const struct tls_peer **out) MUST_CHECK;

/* What OpenSSL holds for one certificate of a client: measured. */
#define TLS_PEER_CERT_BYTES 5120

/* Of all that the client came with; 0: none. */
size_t tls_peer_weight(const struct conn *);

#endif
