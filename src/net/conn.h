/*
 * conn - a byte stream with peer: plain, or TLS (tls/stream) behind the same
 * calls.  Registered once with its loop, edge-triggered.
 *
 * Thread: the loop's.
 */
#ifndef NET_CONN_H
#define NET_CONN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/attr.h"
#include "net/loop.h"

struct addr;
struct conn;

/* What carries the bytes; one static table per kind. */
struct conn_ops {
	ssize_t (*recv)(struct conn *, void *, size_t);
	ssize_t (*sendv)(struct conn *, const struct iovec *, int n);
	void (*shut)(struct conn *); /* no more bytes from us */
	/* Gives back what it holds, the descriptor included; hard: the peer
	 * must see that it was cut. */
	void (*close)(struct conn *, bool hard);
	bool (*is_stale)(struct conn *); /* as conn_is_stale() */
};

/*
 * what: WATCH_READ | WATCH_WRITE; an edge, so read while .maybe_input, and
 * while .unsure before waiting for more of something.
 */
typedef void conn_fn(struct conn *, unsigned what);

struct conn {
	struct watch watch;
	const struct conn_ops *ops;
	conn_fn *fn;
	int fd;
	bool connecting;  /* connect(2) is under way */
	bool maybe_input; /* bytes or EOF may wait in the kernel */
	bool unsure;      /* the last read was short, so they do not; but a
	                     reset may: its edge looks like that of bytes */
	bool no_room;     /* the last send was short: wait for WATCH_WRITE */
	bool fin_seen;    /* a FIN waits in the kernel, maybe behind bytes */
	bool eof;         /* the peer sent FIN and all before it was read */
	bool torn;        /* it did, without TLS's word that this is all */
	bool failed;      /* reset or error */
	void *over;       /* owned, through .ops: TLS; NULL: plain */
};

/* Takes fd over (closed on error too). */
int conn_init(struct conn *, struct loop *, int fd, conn_fn *) MUST_CHECK;
/*
 * Starts to connect; completion comes as WATCH_WRITE, then conn_connected()
 * says how it went: E_OK, E_AGAIN (not yet), E_CONNREFUSED, E_UNREACH...
 * A Unix socket whose queue is full refuses at once.
 */
int conn_dial(struct conn *, struct loop *, const struct addr *to,
    conn_fn *) MUST_CHECK;
int conn_connected(struct conn *) MUST_CHECK;
void conn_close(struct conn *); /* idempotent; fd becomes -1 */
/* Close with RST rather than FIN. */
void conn_reset(struct conn *);

/* > 0 bytes; 0 the peer's end; E_AGAIN; E_RESET, E_IO. */
static inline ssize_t
conn_recv(struct conn *c, void *p, size_t len)
{
	return c->ops->recv(c, p, len);
}

static inline size_t
iov_bytes(const struct iovec *iov, int n)
{
	size_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

/* >= 0 bytes taken (fewer than asked: .no_room); E_RESET, E_IO. */
static inline ssize_t
conn_sendv(struct conn *c, const struct iovec *iov, int n)
{
	return c->ops->sendv(c, iov, n);
}

static inline void
conn_shut(struct conn *c)
{
	c->ops->shut(c);
}

/*
 * Looks at the first bytes that wait, of the plain stream, and leaves them
 * there.  Results as of conn_recv().
 */
ssize_t conn_peek(struct conn *, void *, size_t) MUST_CHECK;

/*
 * True when the peer has closed or sent something we did not ask for: a
 * look at the kernel (one recv with MSG_PEEK), for reuse of idle connections.
 */
bool conn_is_stale(struct conn *);

/* ---- for other kinds of ops, over a descriptor ---- */

/* What plain connections do. */
extern const struct conn_ops conn_plain;

/* For who has taken .watch.fn: keeps what the kernel says, calls nobody. */
static inline void
conn_note(struct conn *c, unsigned what)
{
	if (what & (WATCH_READ | WATCH_CLOSED))
		c->maybe_input = true;
	if (what & WATCH_CLOSED)
		c->fin_seen = true;
	if (what & WATCH_WRITE)
		c->no_room = false;
}

#endif
