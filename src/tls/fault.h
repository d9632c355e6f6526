/*
 * fault - why a handshake failed: one row a reason, for logs and counters.
 *
 * Thread: any.
 */
#ifndef TLS_FAULT_H
#define TLS_FAULT_H
#include <stdbool.h>

#include "base/attr.h"

/* clang-format off */
#define TLS_FAULTS(X)                                                          \
	X(TIMEOUT, "timeout", "it took too long")                              \
	X(CLOSED, "closed", "the peer closed before its end")                  \
	X(RESET, "reset", "the connection was reset")                          \
	X(PLAIN_HTTP, "plain_http", "the peer speaks HTTP without TLS")        \
	X(GARBAGE, "garbage", "what the peer sent is no TLS")                  \
	X(VERSION, "version", "no version of TLS in common")                   \
	X(CIPHER, "cipher", "no cipher, group or signature in common")         \
	X(ALPN, "alpn", "no protocol (ALPN) in common")                        \
	X(REJECTED, "rejected", "the peer does not accept our certificate")    \
	X(CERTIFICATE, "certificate", "the peer's certificate is not accepted") \
	X(NO_CERTIFICATE, "no_certificate", "the client has no certificate")    \
	X(UNKNOWN_CA, "unknown_ca", "the client's certificate is of an authority we do not trust") \
	X(EXPIRED, "expired", "the client's certificate is not valid now")      \
	X(REVOKED, "revoked", "the client's certificate was revoked")           \
	X(CRL, "crl", "there is no list that says whether the client's certificate was revoked, or it is overdue") \
	X(ALERT, "alert", "the peer ended it with another alert")              \
	X(PROTOCOL, "protocol", "the peer broke the rules of TLS")             \
	X(MEMORY, "memory", "out of memory")
/* clang-format on */
#define X(id, name, text) TLS_FAULT_##id,
enum tls_fault { TLS_FAULTS(X) TLS_FAULT_COUNT };
#undef X

/* Is it about who the peer is, and not about how it speaks? */
static inline bool
tls_fault_is_of_peer(enum tls_fault f)
{
	return f >= TLS_FAULT_CERTIFICATE && f <= TLS_FAULT_CRL;
}

const char *tls_fault_name(enum tls_fault);
const char *tls_fault_text(enum tls_fault);

/* Takes the reason from OpenSSL's error queue of this thread, empties it. */
enum tls_fault tls_fault_take(void);
/* The same as a text for people; borrowed, good until the next call. */
const char *tls_fault_say(void);

#endif
