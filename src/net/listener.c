#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#define ACCEPT_BATCH 64
#define UNIX_BACKLOG 1024
#define RETRY_US (100 * US_PER_MS)

/*
 * The process has no descriptors left for clients; all workers write it, and
 * whoever finds it wrong corrects it.
 */
static _Atomic bool short_of_files;

/* A bound socket, not listening yet. */
static int
open_one(const struct addr *a, bool share, int *out)
{
	int fd, one = 1, rc;

	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd == -1)
		return err_sys();
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a->sa.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
		    sizeof(one));
	/* Accepted connections inherit it: one call saved for each. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (share &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == -1)
		goto fail;
	if (bind(fd, &a->sa, a->len) == -1)
		goto fail;
	*out = fd;
	return E_OK;
fail:
	rc = err_sys();
	close(fd);
	return rc;
}

/*
 * A socket that shares nothing finds out whether somebody listens there; ours
 * would share the port with another of the same user.  It only binds, so that
 * no client can reach it.  Port 0 becomes the number that was free.
 */
static int
find_free(struct addr *a)
{
	int fd = -1, rc = open_one(a, false, &fd);

	if (rc != E_OK)
		return rc;
	if (getsockname(fd, &a->sa, &a->len) == -1)
		rc = err_sys();
	close(fd);
	return rc;
}

int
listener_open(const struct addr *to, int backlog, int *fds, unsigned n)
{
	struct addr a = *to;
	int rc = find_free(&a);
	unsigned i;

	for (i = 0; i < n && rc == E_OK; i++) {
		rc = open_one(&a, true, &fds[i]);
		if (rc != E_OK)
			break;
		if (listen(fds[i], backlog) == -1)
			rc = err_sys();
	}
	while (rc != E_OK && i-- > 0)
		close(fds[i]);
	return rc;
}

/* E_INUSE when somebody answers there, E_OK when the path may be taken. */
static int
unix_path_free(const struct addr *a)
{
	struct stat st;
	int fd, rc = E_OK;

	if (lstat(a->un.sun_path, &st) == -1)
		return errno == ENOENT ? E_OK : err_sys();
	if (!S_ISSOCK(st.st_mode))
		return E_EXISTS;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_sys();
	if (connect(fd, &a->sa, a->len) == 0 || errno == EAGAIN ||
	    errno == EPROTOTYPE)
		rc = E_INUSE; /* alive, if only with a full queue */
	else if (errno != ECONNREFUSED)
		rc = err_sys(); /* whose it is we may not know */
	else if (unlink(a->un.sun_path) == -1 && errno != ENOENT)
		rc = err_sys();
	close(fd);
	return rc;
}

int
listener_open_unix(const char *path, mode_t mode, int *out)
{
	struct addr a = { .un = { .sun_family = AF_UNIX } };
	size_t len = strlen(path);
	int fd, rc;

	*out = -1;
	if (len >= sizeof(a.un.sun_path))
		return E_TOOBIG;
	memcpy(a.un.sun_path, path, len + 1);
	a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	rc = unix_path_free(&a);
	if (rc != E_OK)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_sys();
	if (bind(fd, &a.sa, a.len) == -1)
		goto fail_fd;
	/* Nobody can connect before listen(2). */
	if (chmod(path, mode) == -1 || listen(fd, UNIX_BACKLOG) == -1)
		goto fail_path;
	*out = fd;
	return E_OK;
fail_path:
	rc = err_sys();
	(void)unlink(path);
	close(fd);
	return rc;
fail_fd:
	rc = err_sys();
	close(fd);
	return rc;
}

/* E_OK: one more may wait; E_AGAIN: none does; else why we must pause. */
static int
accept_one(struct listener *l)
{
	struct addr peer = { .len = sizeof(peer.un) }; /* Unix: no name */
	int fd;

	fd = accept4(l->fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		l->full = fd >= l->fd_max; /* the lowest that is free */
		l->fn(l, fd, &peer);
		return E_OK;
	}
	switch (errno) {
	case EAGAIN:
		return E_AGAIN;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return E_NOFILES;
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		return E_INTERNAL;
	default:
		return E_OK; /* that connection is gone; the next may do */
	}
}

static void
unwatch(struct listener *l)
{
	if (l->watched)
		watch_del(&l->watch);
	l->watched = false;
}

static void
on_readable(struct watch *w, unsigned what UNUSED)
{
	struct listener *l = CONTAINER_OF(w, struct listener, watch);
	int rc = E_OK;

	l->full = l->full || short_of_files;
	for (int i = 0; i < ACCEPT_BATCH && rc == E_OK && !l->full; i++)
		rc = accept_one(l);
	if (l->full)
		rc = E_NOFILES;
	if (rc != E_NOFILES && rc != E_INTERNAL)
		return;
	if (rc == E_NOFILES)
		short_of_files = true;
	log_warn("listener=%u event=accept_paused why=\"%s\"", l->index,
	    err_text(rc));
	unwatch(l);
	deadline_set(l->loop, &l->retry, loop_now_us(l->loop) + RETRY_US);
}

/* Has anybody closed one below fd_max? */
static bool
is_full(const struct listener *l)
{
	int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);

	if (fd != -1)
		close(fd);
	return fd == -1 || fd >= l->fd_max;
}

/* Waits for clients again, or for another try. */
static void
rewatch(struct listener *l)
{
	l->watched = !l->held && !l->full &&
	    watch_add_level(&l->watch, l->loop, l->fd, on_readable) == E_OK;
	if (!l->watched && !l->held)
		deadline_set(l->loop, &l->retry,
		    loop_now_us(l->loop) + RETRY_US);
}

static void
on_retry(struct deadline *d)
{
	struct listener *l = CONTAINER_OF(d, struct listener, retry);

	l->full = is_full(l);
	if (!l->full)
		short_of_files = false;
	rewatch(l);
}

void
listener_hold(struct listener *l, bool hold)
{
	if (l->fd == -1 || l->held == hold)
		return;
	l->held = hold;
	if (hold) {
		unwatch(l);
		deadline_clear(l->loop, &l->retry);
	} else {
		rewatch(l);
	}
}

static int
first_kept(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == -1 ||
	    files.rlim_cur > (rlim_t)INT_MAX)
		return INT_MAX;
	return (int)(files.rlim_cur - files.rlim_cur / 8);
}

int
listener_start(struct listener *l, struct loop *loop, int fd,
    listener_accept_fn *fn, void *arg)
{
	int rc;

	l->loop = loop;
	l->fd = fd;
	l->fn = fn;
	l->arg = arg;
	l->held = l->full = false;
	l->fd_max = first_kept();
	l->retry = (struct deadline){ .fn = on_retry };
	rc = watch_add_level(&l->watch, loop, fd, on_readable);
	l->watched = rc == E_OK;
	return rc;
}

void
listener_stop(struct listener *l)
{
	if (l->fd == -1)
		return;
	while (accept_one(l) == E_OK)
		;
	deadline_clear(l->loop, &l->retry);
	unwatch(l);
	l->fd = -1;
}
