/*
 * hello - the first message of a TLS client, in clear: which name it asks for.
 * A reader, and the alert that refuses it; no I/O, no OpenSSL.
 *
 * Thread: any.
 */
#ifndef TLS_HELLO_H
#define TLS_HELLO_H
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"

#define HELLO_BODY_MAX 16384 /* bytes of the message; longer is refused */
#define HELLO_MAX 18432      /* with the heads of records around its parts */
#define HELLO_NAME_MAX 255   /* RFC 1035 2.3.4 */
#define HELLO_ALERT 7        /* bytes of an alert in clear */

/* What is wrong with a hello: identifier, words for the log. */
/* clang-format off */
#define HELLO_FAULTS(X)                                                        \
	X(NONE, "nothing")                                                     \
	X(NOT_TLS, "it does not begin with a record of a TLS handshake")       \
	X(RECORD, "a record that is empty, too long or of another kind")       \
	X(NOT_HELLO, "the first message is no ClientHello")                    \
	X(TOO_LONG, "it is longer than a ClientHello may be")                  \
	X(LENGTH, "a length that does not fit")                                \
	X(TWICE, "two lists of names")                                         \
	X(NAME, "a name that is none")
/* clang-format on */

#define X(id, text) HELLO_##id,
enum hello_fault { HELLO_FAULTS(X) HELLO_FAULT_COUNT };
#undef X
const char *hello_fault_text(enum hello_fault);

struct hello {
	size_t name_len; /* 0: it asks for no name */
	/* in lower case, without the root's dot, ends with a NUL */
	char name[HELLO_NAME_MAX + 1];
};

/*
 * Reads a ClientHello up to its end, over as many records as it has.
 *
 * in       what came first on a connection; may be cut anywhere
 * out      out: what it says; unspecified unless the result is > 0
 * fault    out: why, when the result is negative
 * returns  > 0 the bytes up to the end of the message (its last record may go
 *          on), 0 when it is incomplete, or
 *          E_SYNTAX   malformed, or (HELLO_NOT_TLS) something else
 *          E_TOOBIG   longer than HELLO_BODY_MAX, or in so many records that
 *                     it has HELLO_MAX bytes
 * source   RFC 8446 4.1.2, 4.2, 5.1; RFC 6066 3.  We are stricter: there is
 *          one name, a host_name, of letters, digits, "-", "_" and "."; all
 *          lengths fit exactly.  SSL 2.0 is not TLS.
 */
ssize_t hello_read(struct str in, struct hello *out,
    enum hello_fault *fault) MUST_CHECK;

/* Why we end a connection that we did not take part in; RFC 8446 6.2. */
enum hello_alert {
	ALERT_DECODE_ERROR = 50,
	ALERT_INTERNAL_ERROR = 80,
	ALERT_UNRECOGNIZED_NAME = 112
};
void hello_alert(enum hello_alert, char out[HELLO_ALERT]);

#endif
