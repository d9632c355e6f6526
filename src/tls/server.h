/*
 * server - what one listener's TLS is made of: its certificates, ready to be
 * chosen from by name, with the settings beside them.
 *
 * Certificates for the same name stand side by side, one of each kind of key,
 * and OpenSSL takes the one the client can check.  A name is looked for as it
 * is, then as wildcard; else it is the first certificate, with those for the
 * same name.
 *
 * Thread: made by one; then any may accept with it.  A stream keeps what it
 * needs of it.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

struct cfg_tls;
struct tls_server;

/*
 * Of settings whose files are loaded (config/tlsfiles.h).
 *
 * where    for messages, as "segue.yaml: listeners[web].tls"
 * now_s    Unix time by which certificates must be valid
 * said     gets a line for each fault: file and reason
 * returns  E_OK, E_DAMAGED when something was said, or E_NOMEM
 */
int tls_server_new(const struct cfg_tls *, const char *where, int64_t now_s,
    struct buf *said, struct tls_server **out) MUST_CHECK;
void tls_server_free(struct tls_server **);

#endif
