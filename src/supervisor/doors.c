#include "supervisor/doors.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "config/config.h"
#include "net/listener.h"
#include "supervisor/complain.h"
#include "supervisor/privs.h"

#define FREE_PORT_MIN 1024 /* anybody may bind to it and those above */

/* ---- directories ---- */

/* Why a path could not be made, and what helps. */
static const char *
why_no_path(int rc)
{
	switch (rc) {
	case E_NOENT:
		return "the directory above it does not exist";
	case E_PERM:
		return "permission denied; name one where segued may write";
	default:
		return err_text(rc);
	}
}

/* Makes the last part of path when it is missing, for whom we shall be. */
static int
make_dir(const char *path, mode_t mode, const struct privs *p)
{
	if (mkdir(path, mode) == -1)
		return errno == EEXIST ? E_OK : err_sys();
	if (p->change && chown(path, p->uid, p->gid) == -1)
		return err_sys();
	return E_OK;
}

static int
take_state_dir(const struct cfg *c, const struct privs *p, int *lock)
{
	int rc = make_dir(c->state_dir, 0750, p), fd;

	if (rc != E_OK) {
		complain("state_dir: %s cannot be made: %s", c->state_dir,
		    why_no_path(rc));
		return rc;
	}
	fd = open(c->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		rc = err_sys();
		complain("state_dir: %s: %s", c->state_dir,
		    errno == ENOTDIR ? "this is no directory" : err_text(rc));
		return rc;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		complain("state_dir: %s is in use by another segued",
		    c->state_dir);
		close(fd);
		return E_INUSE;
	}
	*lock = fd;
	return E_OK;
}

/* ---- where clients connect ---- */

static int
open_unix(const char *path, unsigned n, int *fds)
{
	int rc = listener_open_unix(path, 0666, &fds[0]);

	for (unsigned i = 1; rc == E_OK && i < n; i++) {
		fds[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
		if (fds[i] == -1)
			rc = err_sys();
	}
	return rc;
}

static const char *
why_no_listener(const struct cfg_addr *a, int rc)
{
	if (rc == E_NOENT)
		return a->is_unix ? why_no_path(rc)
		                  : "this name does not resolve";
	if (rc == E_PERM && a->is_unix)
		return why_no_path(rc);
	if (rc == E_PERM && a->port < FREE_PORT_MIN)
		return "permission denied; a port below 1024 needs root, or "
		       "the capability CAP_NET_BIND_SERVICE";
	return err_text(rc);
}

static int
open_listener(const struct cfg_listener *l, unsigned n, int *fds)
{
	struct addr a;
	int rc;

	if (l->address.is_unix) {
		rc = open_unix(l->address.host, n, fds);
	} else {
		rc = addr_of_cfg(&l->address, &a);
		if (rc == E_OK)
			rc = listener_open(&a, (int)l->backlog, fds, n);
	}
	if (rc != E_OK)
		complain("listeners[%s]: %s: %s", l->name, l->address.text,
		    why_no_listener(&l->address, rc));
	return rc;
}

static int
open_listeners(const struct cfg *c, struct doors *d)
{
	size_t n = c->n_listeners * d->n_workers;
	int rc = E_OK;

	d->fds = calloc(n + 1, sizeof(*d->fds));
	if (d->fds == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		d->fds[i] = -1;
	d->n_listen = c->n_listeners;
	for (size_t i = 0; i < c->n_listeners && rc == E_OK; i++)
		rc = open_listener(&c->listeners[i], d->n_workers,
		    &d->fds[i * d->n_workers]);
	return rc;
}

/* ---- where operators do ---- */

static int
give_socket(const struct cfg *c, const struct privs *p)
{
	gid_t gid = p->change ? p->gid : (gid_t)-1;
	const struct group *g;
	uint64_t n;

	if (c->admin_group != NULL) {
		g = getgrnam(c->admin_group);
		if (g != NULL)
			gid = g->gr_gid;
		else if (str_u64(str_of(c->admin_group), &n) && n < UINT32_MAX)
			gid = (gid_t)n;
		else {
			complain("admin.group: there is no group %s",
			    c->admin_group);
			return E_NOENT;
		}
	}
	if (chown(c->admin_socket, p->change ? p->uid : (uid_t)-1, gid) == -1) {
		int rc = err_sys();

		complain("admin.socket: %s cannot be given to its group: %s",
		    c->admin_socket, err_text(rc));
		return rc;
	}
	return E_OK;
}

static int
make_socket_dir(const char *socket, const struct privs *p)
{
	char *dir = strdup(socket), *slash;
	int rc = E_OK;

	if (dir == NULL)
		return E_NOMEM;
	slash = strrchr(dir, '/');
	if (slash != NULL && slash != dir) {
		*slash = '\0';
		rc = make_dir(dir, 0755, p);
	}
	free(dir);
	return rc;
}

static int
open_admin(const struct cfg *c, const struct privs *p, struct doors *d)
{
	struct addr a;
	int rc = make_socket_dir(c->admin_socket, p);

	if (rc == E_OK)
		rc = listener_open_unix(c->admin_socket, c->admin_mode,
		    &d->admin_fd);
	if (rc != E_OK) {
		complain("admin.socket: %s: %s", c->admin_socket,
		    rc == E_EXISTS ? "there is something else"
		                   : why_no_path(rc));
		return rc;
	}
	rc = give_socket(c, p);
	if (rc != E_OK || c->admin_http.text == NULL)
		return rc;
	rc = addr_of_cfg(&c->admin_http, &a);
	if (rc == E_OK)
		rc = listener_open(&a, 64, &d->http_fd, 1);
	if (rc != E_OK)
		complain("admin.http: %s: %s", c->admin_http.text,
		    err_text(rc));
	return rc;
}

/* ---- the access log ---- */

/*
 * Standard output is shared with who started us: O_NONBLOCK is set only for a
 * description of our own.  Where that cannot be had the shared one must do.
 */
static int
open_stdout(void)
{
	struct stat st;
	int fd = -1;

	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return fd != -1 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
}

static int
open_access(const struct cfg *c, int *out)
{
	int fd;

	if (c->access_file == NULL)
		fd = open_stdout();
	else
		fd = open(c->access_file,
		    O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC,
		    0640);
	if (fd == -1)
		return err_sys();
	*out = fd;
	return E_OK;
}

int
doors_reopen_access(const struct doors *d, const struct cfg *c)
{
	int fd = -1, rc;

	if (c->access_file == NULL || d->access_fd == -1)
		return E_OK;
	rc = open_access(c, &fd);
	if (rc != E_OK)
		return rc;
	if (dup3(fd, d->access_fd, O_CLOEXEC) == -1)
		rc = err_sys();
	close(fd);
	return rc;
}

/* ---- all ---- */

static int
open_all(const struct cfg *c, const struct privs *p, struct doors *d)
{
	int rc = take_state_dir(c, p, &d->state_lock);

	if (rc == E_OK)
		rc = open_listeners(c, d);
	if (rc == E_OK)
		rc = open_admin(c, p, d);
	if (rc != E_OK)
		return rc;
	/* Also where the log is off: a reload may turn it on. */
	rc = open_access(c, &d->access_fd);
	if (rc != E_OK)
		complain("access_log.file: %s: %s",
		    c->access_file == NULL ? "standard output" : c->access_file,
		    err_text(rc));
	return rc;
}

int
doors_open(const struct cfg *c, const struct privs *p, unsigned n_workers,
    struct doors *d)
{
	int rc;

	*d = (struct doors){ .n_workers = n_workers,
		.admin_fd = -1,
		.http_fd = -1,
		.access_fd = -1,
		.state_lock = -1 };
	rc = open_all(c, p, d);
	if (rc != E_OK)
		doors_close(d, c);
	return rc;
}

static void
shut(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void
doors_shut(struct doors *d, const struct cfg *c)
{
	for (size_t i = 0; i < d->n_listen; i++)
		if (c->listeners[i].address.is_unix &&
		    d->fds[i * d->n_workers] != -1)
			(void)unlink(c->listeners[i].address.host);
	for (size_t i = 0; i < d->n_listen * d->n_workers; i++)
		shut(&d->fds[i]);
}

void
doors_shut_admin(struct doors *d, const struct cfg *c)
{
	if (d->admin_fd != -1)
		(void)unlink(c->admin_socket);
	shut(&d->admin_fd);
	shut(&d->http_fd);
}

void
doors_close(struct doors *d, const struct cfg *c)
{
	doors_shut(d, c);
	free(d->fds);
	d->fds = NULL;
	d->n_listen = 0;
	doors_shut_admin(d, c);
	shut(&d->access_fd);
	shut(&d->state_lock);
}
