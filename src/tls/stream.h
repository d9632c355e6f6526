/*
 * stream - TLS over a conn, behind the calls of net/conn.h.
 *
 * After tls_accept() the connection shakes hands (tls_shake, whenever it may
 * go on), then conn_recv() and its kin give and take what is inside the
 * records.  The edges stay those of a plain conn: .maybe_input is true until
 * the kernel and OpenSSL have no more, .no_room until the kernel takes again,
 * whichever way OpenSSL has to go for it.
 *
 * The peer's close_notify is the end (0 of conn_recv); a FIN without it is,
 * too, and sets .torn.  conn_shut() sends our close_notify and the FIN,
 * conn_close() tries to.  An idle stream holds no record buffers.
 *
 * Thread: the loop's.
 */
#ifndef TLS_STREAM_H
#define TLS_STREAM_H
#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"
#include "net/conn.h"
#include "tls/fault.h"

struct tls_server;

#define TLS_VERSIONS(X) X(1_2, "TLSv1.2") X(1_3, "TLSv1.3")
#define X(id, name) TLS_##id,
enum tls_version { TLS_VERSIONS(X) TLS_VERSION_COUNT };
#undef X
const char *tls_version_name(enum tls_version);

/* What a client that asked for it got of its certificate's status (OCSP). */
#define TLS_STAPLES(X)                                                         \
	X(NONE, "none") /* it did not ask, or there is none */                 \
	X(STAPLED, "stapled")                                                  \
	X(OVERDUE, "overdue") /* none, as its time has passed */
#define X(id, name) TLS_STAPLE_##id,
enum tls_staple { TLS_STAPLES(X) TLS_STAPLE_COUNT };
#undef X
const char *tls_staple_name(enum tls_staple);

/* What OpenSSL holds for a connection without bytes in transit: measured. */
#define TLS_STREAM_BYTES 16384
/* ... and for one that shakes hands, besides: its messages, a buffer. */
#define TLS_SHAKE_BYTES 24576

/* c is plain and nothing was read yet.  E_NOMEM: c is as it was. */
int tls_accept(struct conn *c, struct tls_server *) MUST_CHECK;
/*
 * Goes on with the handshake.  E_OK once it is done; E_AGAIN; or another code,
 * and tls_fault_of() says why.
 */
int tls_shake(struct conn *) MUST_CHECK;

/*
 * After tls_shake() has failed, and said so to the peer: the conn is a plain
 * one again.  In TLS 1.3 a client is through before we have looked at its
 * certificate, and may send already; a close with that unread would take our
 * alert away.  So who wants it to be heard goes on reading.
 */
void tls_drop(struct conn *);

/* ---- about a conn; a plain one has empty answers ---- */
static inline bool
tls_is_on(const struct conn *c)
{
	return c->over != NULL;
}

enum tls_fault tls_fault_of(const struct conn *);
enum tls_version tls_version_of(const struct conn *);
const char *tls_cipher(const struct conn *); /* "": none */
/* What ALPN chose; empty: nothing, which means HTTP/1.1. */
struct str tls_alpn(const struct conn *);
static inline bool
tls_chose_h2(const struct conn *c)
{
	return tls_is_on(c) && str_eq(tls_alpn(c), STR("h2"));
}
/* The name the client asked for (SNI), in any case; empty: none. */
struct str tls_sni(const struct conn *);
bool tls_is_resumed(const struct conn *);
enum tls_staple tls_staple_of(const struct conn *);
/*
 * May a request for that host (lower case, no port) come over it?  It may when
 * the client named that host, or none, in the handshake, or when the
 * certificate that was chosen is for that host, too.  Always so when plain.
 */
bool tls_serves(const struct conn *, struct str host);

#endif
