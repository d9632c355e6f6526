/*
 * err - the one table of result codes.  Zero is success, codes are negative.
 *
 * Thread: any.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H
#include "base/attr.h"

/* One row a code: identifier, short name for logs, sentence for people. */
#define ERR_CODES(X)                                                           \
	X(OK, "ok", "done")                                                    \
	X(NOMEM, "nomem", "out of memory")                                     \
	X(AGAIN, "again", "not now, try later")                                \
	X(EOF, "eof", "the peer closed")                                       \
	X(IO, "io", "input or output failed")                                  \
	X(CONNREFUSED, "connrefused", "connection refused")                    \
	X(RESET, "reset", "connection reset by the peer")                      \
	X(UNREACH, "unreach", "address cannot be reached")                     \
	X(TIMEOUT, "timeout", "took too long")                                 \
	X(SYNTAX, "syntax", "malformed")                                       \
	X(RANGE, "range", "out of range")                                      \
	X(TOOBIG, "toobig", "too big")                                         \
	X(EXISTS, "exists", "exists already")                                  \
	X(NOENT, "noent", "does not exist")                                    \
	X(PERM, "perm", "permission denied")                                   \
	X(INUSE, "inuse", "address already in use")                            \
	X(FULL, "full", "no room left")                                        \
	X(NOFILES, "nofiles", "out of file descriptors")                       \
	X(TLS, "tls", "the handshake of TLS failed")                           \
	X(CERT, "cert", "the peer's certificate is not accepted")              \
	X(STATE, "state", "refused by the present state")                      \
	X(DAMAGED, "damaged", "damaged data")                                  \
	X(UNSUPPORTED, "unsupported", "not supported")                         \
	X(INTERNAL, "internal", "internal fault")

#define X(id, name, text) ERR_NUM_##id,
enum err_num { ERR_CODES(X) ERR_COUNT };
#undef X
#define X(id, name, text) E_##id = -ERR_NUM_##id,
enum err { ERR_CODES(X) };
#undef X

/* Short name ("timeout") and sentence of a code; never NULL. */
const char *err_name(int code);
const char *err_text(int code);

/* The code that fits errno best; err_from_errno() takes the number itself. */
int err_sys(void) MUST_CHECK;
int err_from_errno(int errnum) MUST_CHECK;

#endif
