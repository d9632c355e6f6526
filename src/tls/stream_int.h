/*
 * stream_int - what the files of this room share; tls/ only.
 *
 * Thread: any.
 */
#ifndef TLS_STREAM_INT_H
#define TLS_STREAM_INT_H
#include <openssl/ssl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "config/config.h"
#include "tls/stream.h"

struct conn;
struct tls_kept;
struct tls_peer;
struct tls_server;

/* A new stream's SSL, of the context it begins with; NULL: out of memory. */
SSL *tls_server_ssl(struct tls_server *) MUST_CHECK;

/* What all contexts have in common.  E_NOMEM. */
int tls_context_init(SSL_CTX *, enum cfg_tls_version min) MUST_CHECK;
/* Protocols as they are on the wire, HTTP/2 only if it is on; its bytes. */
unsigned tls_alpn_list(const int *alpn, size_t n, bool h2, unsigned char *out,
    size_t cap);

/* Takes ssl over when E_OK; id: of the settings, never 0. */
int tls_stream_dial(struct conn *, SSL *ssl, struct tls_kept *kept,
    uint64_t id) MUST_CHECK;
uint64_t tls_stream_settings(const struct conn *); /* 0: plain or accepted */
/* SSL_CTX_sess_set_new_cb(): into the stream's tls_kept. */
int tls_stream_keep(SSL *, SSL_SESSION *);

void tls_stream_note_staple(SSL *, enum tls_staple);

/* ---- peer.c ---- */

/* Its peer's, *out NULL: none.  free(3).  E_NOMEM. */
int tls_peer_make(SSL *, struct tls_peer **out) MUST_CHECK;
/* SSL_CTX_set_session_ticket_cb() of a server that verifies clients. */
int tls_peer_pack(SSL *, void *);
SSL_TICKET_RETURN tls_peer_unpack(SSL *, SSL_SESSION *,
    const unsigned char *name, size_t name_len, SSL_TICKET_STATUS, void *);

/* Is one of the certificates of that context of a server for that host? */
bool tls_context_serves(const SSL_CTX *, struct str host);

#endif
