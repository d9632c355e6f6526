#include "net/conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "net/addr.h"

static ssize_t
plain_failed(struct conn *c)
{
	c->failed = true;
	c->maybe_input = c->unsure = false;
	return errno == ECONNRESET || errno == EPIPE ? E_RESET : E_IO;
}

static ssize_t
plain_recv(struct conn *c, void *p, size_t len)
{
	ssize_t n;

	do
		n = recv(c->fd, p, len, 0);
	while (n == -1 && errno == EINTR);
	if (n > 0) {
		/* A short read has emptied the socket, unless a FIN follows. */
		if ((size_t)n < len && !c->fin_seen) {
			c->maybe_input = false;
			c->unsure = true;
		}
		return n;
	}
	if (n == 0) {
		c->eof = true;
		c->maybe_input = c->unsure = false;
		return 0;
	}
	if (errno == EAGAIN) {
		c->maybe_input = c->unsure = false;
		return E_AGAIN;
	}
	return plain_failed(c);
}

static ssize_t
plain_sendv(struct conn *c, const struct iovec *iov, int n)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)n };
	size_t want = iov_bytes(iov, n);
	ssize_t sent;

	do {
		if (n == 1)
			sent = send(c->fd, iov[0].iov_base, iov[0].iov_len,
			    MSG_NOSIGNAL);
		else
			sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	} while (sent == -1 && errno == EINTR);
	if (sent == -1) {
		if (errno != EAGAIN)
			return plain_failed(c);
		sent = 0;
	}
	c->no_room = (size_t)sent < want;
	return sent;
}

static void
plain_shut(struct conn *c)
{
	if (shutdown(c->fd, SHUT_WR) == -1)
		c->failed = true;
}

static void
plain_close(struct conn *c, bool hard)
{
	struct linger now = { 1, 0 };

	if (hard)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now,
		    sizeof(now));
	watch_del(&c->watch);
	close(c->fd);
}

static bool
plain_is_stale(struct conn *c)
{
	char byte;
	ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n != -1 || (errno != EAGAIN && errno != EINTR);
}

const struct conn_ops conn_plain = {
	.recv = plain_recv,
	.sendv = plain_sendv,
	.shut = plain_shut,
	.close = plain_close,
	.is_stale = plain_is_stale,
};

static void
on_conn(struct watch *w, unsigned what)
{
	struct conn *c = CONTAINER_OF(w, struct conn, watch);

	conn_note(c, what);
	c->fn(c, what);
}

static int
conn_register(struct conn *c, struct loop *l, int fd, conn_fn *fn)
{
	int rc;

	*c = (struct conn){ .ops = &conn_plain, .fn = fn, .fd = fd };
	rc = watch_add(&c->watch, l, fd, on_conn);
	if (rc != E_OK) {
		close(fd);
		c->fd = -1;
	}
	return rc;
}

int
conn_init(struct conn *c, struct loop *l, int fd, conn_fn *fn)
{
	return conn_register(c, l, fd, fn);
}

int
conn_dial(struct conn *c, struct loop *l, const struct addr *to, conn_fn *fn)
{
	int fd, one = 1, rc;
	bool under_way = false;

	c->fd = -1;
	fd = socket(to->sa.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_sys();
	if (to->sa.sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
	if (connect(fd, &to->sa, to->len) == -1) {
		if (errno != EINPROGRESS) {
			rc = errno == EAGAIN ? E_CONNREFUSED : err_sys();
			close(fd);
			return rc;
		}
		under_way = true;
	}
	rc = conn_register(c, l, fd, fn);
	if (rc == E_OK)
		c->connecting = under_way;
	return rc;
}

int
conn_connected(struct conn *c)
{
	socklen_t len = sizeof(int);
	int error = 0;
	struct addr peer = { .len = sizeof(peer.un) };

	if (!c->connecting)
		return E_OK;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return err_sys();
	if (error != 0) {
		c->failed = true;
		return err_from_errno(error);
	}
	if (getpeername(c->fd, &peer.sa, &peer.len) == -1)
		return errno == ENOTCONN ? E_AGAIN : err_sys();
	c->connecting = false;
	return E_OK;
}

static void
close_with(struct conn *c, bool hard)
{
	if (c->fd == -1)
		return;
	c->ops->close(c, hard);
	c->fd = -1;
}

void
conn_close(struct conn *c)
{
	close_with(c, false);
}

void
conn_reset(struct conn *c)
{
	close_with(c, true);
}

ssize_t
conn_peek(struct conn *c, void *p, size_t len)
{
	ssize_t n;

	do
		n = recv(c->fd, p, len, MSG_PEEK | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n != -1)
		return n;
	return errno == EAGAIN ? E_AGAIN : plain_failed(c);
}

bool
conn_is_stale(struct conn *c)
{
	return c->failed || c->eof || c->fin_seen || c->ops->is_stale(c);
}
