/*
 * stream_int - what the files of this room share; tls/ only.
 *
 * Thread: any.
 */
#ifndef TLS_STREAM_INT_H
#define TLS_STREAM_INT_H
#include <openssl/ssl.h>

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"

struct tls_server;

/* A new stream's SSL, of the context it begins with; NULL: out of memory. */
SSL *tls_server_ssl(struct tls_server *) MUST_CHECK;

/* Is one of the certificates of that context of a server for that host? */
bool tls_context_serves(const SSL_CTX *, struct str host);

#endif
