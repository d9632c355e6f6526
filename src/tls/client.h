/*
 * client - TLS towards instances: whom we trust, as whom we come, and what is
 * kept to resume.
 *
 * Thread: made by one; then any may connect with it.  A stream keeps what it
 * needs of it.
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

struct cfg_pool_tls;
struct conn;
struct tls_client;

/* Results and arguments as those of tls_server_new(). */
int tls_client_new(const struct cfg_pool_tls *, const char *where,
    int64_t now_s, struct buf *said, struct tls_client **out) MUST_CHECK;
void tls_client_free(struct tls_client **);

/* A session with one peer, for the next connection; zeroed: none. */
struct tls_kept {
	void *session; /* owned */
	uint64_t of;   /* the settings it was verified by */
};
void tls_kept_drop(struct tls_kept *);

/*
 * Lays TLS over a conn that was dialled; nothing was read or written, and
 * tls_shake() is to be called once it is connected.  After a failed handshake
 * that gives E_CERT (the peer is not who it should be) or E_TLS.
 *
 * host  of the peer's address, its name where the settings have none; an IP
 *       address is verified as such
 * h1    offers HTTP/1.1 alone, whatever the settings say
 * kept  borrowed, outlives the conn; NULL: nothing is resumed
 */
int tls_connect(struct conn *, const struct tls_client *, const char *host,
    bool h1, struct tls_kept *kept) MUST_CHECK;
/* Was it made by the same settings?  NULL: by none, it is plain. */
bool tls_fits(const struct conn *, const struct tls_client *);
/* Why the handshake failed, for people. */
const char *tls_why(const struct conn *);

#endif
