/*
 * doors - the descriptors the master opens and every network process inherits:
 * listening sockets, the admin socket, the access log.
 *
 * Thread: master.
 */
#ifndef SUPERVISOR_DOORS_H
#define SUPERVISOR_DOORS_H
#include <stddef.h>

#include "base/attr.h"

struct cfg;
struct privs;

struct doors {
	unsigned n_workers;
	size_t n_listen;
	int *fds;       /* owned; [listener * n_workers + worker], -1: closed */
	int admin_fd;   /* Unix socket, listening */
	int http_fd;    /* TCP, read-only; -1: none */
	int access_fd;  /* access log; -1: none */
	int state_lock; /* holds the state directory for us alone */
};

/*
 * Makes what directories are missing, takes the state directory for this
 * daemon alone and opens all.  On error the reason was told (complain) and
 * nothing is open.
 */
int doors_open(const struct cfg *, const struct privs *, unsigned n_workers,
    struct doors *out) MUST_CHECK;
/*
 * No more clients: closes the sockets they connect to and removes those that
 * are files.  The configuration is that of doors_open().
 */
void doors_shut(struct doors *, const struct cfg *);
/* No more operators: the same with theirs. */
void doors_shut_admin(struct doors *, const struct cfg *);
/* Closes all, removes the admin socket, frees. */
void doors_close(struct doors *, const struct cfg *);
/* The access log's path opened anew under the same number. */
int doors_reopen_access(const struct doors *, const struct cfg *) MUST_CHECK;

#endif
