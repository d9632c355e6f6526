/*
 * clients - whether the clients of a listener are asked for a certificate, and
 * by whom it must be: what all contexts of its server share.
 *
 * A session is resumed only where the same would be asked: its context has a
 * digest of the mode, the authorities and the lists, so that a ticket of a
 * listener that asks less, or of the time before a list, means nothing here.
 *
 * Thread: who makes the server.
 */
#ifndef TLS_CLIENTS_H
#define TLS_CLIENTS_H
#include <openssl/ssl.h>

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

struct cfg_tls;

struct tls_clients {
	int mode;                    /* of SSL_CTX_set_verify() */
	X509_STORE *store;           /* owned; NULL: nobody is asked */
	STACK_OF(X509_NAME) * names; /* owned; of the authorities */
	unsigned char sid[32];       /* session id context */
	unsigned sid_len;
};

/* Arguments and results as those of tls_server_new(). */
int tls_clients_make(struct tls_clients *, const struct cfg_tls *,
    const char *where, int64_t now_s, struct buf *said) MUST_CHECK;
/* E_OK or E_NOMEM. */
int tls_clients_use(const struct tls_clients *, SSL_CTX *) MUST_CHECK;
void tls_clients_free(struct tls_clients *);

#endif
