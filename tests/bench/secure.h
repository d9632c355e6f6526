/*
 * secure - the client's side of TLS 1.3 for the load: looks like send() and
 * recv().  Nobody is verified; the last session is kept, to be resumed.
 *
 * Thread: single-threaded programs.
 */
#ifndef BENCH_SECURE_H
#define BENCH_SECURE_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct secure;

/* One for each place of a connection; dies without memory. */
struct secure *secure_new(void);
/* A connection begins; fd is borrowed until secure_end(). */
void secure_begin(struct secure *, int fd, bool resume);
/*
 * Bytes moved, 0 at the peer's end, or -1 with errno.  EAGAIN may wait for
 * either direction; the handshake is part of what comes first.
 */
ssize_t secure_send(struct secure *, const void *, size_t);
ssize_t secure_recv(struct secure *, void *, size_t);
/* Has this connection resumed the session of one before? */
bool secure_is_resumed(const struct secure *);
/* Says goodbye; one that did not begin is fine. */
void secure_end(struct secure *);

#endif
