/*
 * keepalive - what an instance says of its connection in Keep-Alive fields.
 *
 * Thread: any; pure.
 */
#ifndef UPSTREAM_KEEPALIVE_H
#define UPSTREAM_KEEPALIVE_H
#include <stdint.h>

#include "http/head.h"

#define KEEPALIVE_UNSAID UINT64_MAX

struct keepalive {
	uint64_t idle_us; /* idle for so long at most */
	uint64_t more;    /* further requests at most */
};

/*
 * Reads "timeout=N" and "max=N" of an answer, case ignored; of several the
 * least counts, and what is no number is ignored.  idle_us is a second less
 * than the instance says, half of it when it says one, so that our end comes
 * first.
 *
 * source   RFC 2068 19.7.1.1, RFC 9112 C.2.2 (the field has no newer text)
 */
void keepalive_read(const struct http_head *, struct keepalive *out);

#endif
