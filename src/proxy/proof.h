/*
 * proof - tells instances of the certificate that a client proved to have, in
 * the style of the service (http/client_cert.h).
 *
 * It is that of the connection, the same for all streams of one of HTTP/2.
 *
 * Thread: worker.
 */
#ifndef PROXY_PROOF_H
#define PROXY_PROOF_H
#include "base/attr.h"

struct client;
struct exchange;
struct tls_peer;

/*
 * The certificate of the client's connection, *out NULL: none.  E_OK or
 * E_NOMEM.
 */
int proof_look(struct client *, const struct tls_peer **out) MUST_CHECK;
/*
 * Adds the fields to x->req, in place of all such fields, a trusted proxy's
 * included.  Without a certificate, or where the service wants none told, the
 * request stays as it is.  E_OK, E_NOMEM, E_FULL; E_TOOBIG: its chain is
 * longer than the service allows, or the fields than heads may be.
 */
int proof_add(struct exchange *) MUST_CHECK;
/*
 * A connection has shaken hands, or was closed: what is held of a certificate
 * counts for memory.limit.
 */
void proof_note(struct client *);
void proof_forget(struct client *);

#endif
