/*
 * listener - opens listening sockets and accepts from them.
 *
 * Opening belongs to the master: n sockets share one address (SO_REUSEPORT),
 * one per worker, and stay open in the master for as long as it runs.
 * Accepting belongs to a worker.
 *
 * Thread: opening: master; accepting: the worker.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "net/addr.h"
#include "net/loop.h"

/*
 * Opens n listening sockets on one address of the internet into fds[n],
 * close-on-exec and non-blocking; with port 0 on one that is free.  An address
 * somebody else listens on is E_INUSE, even where that other socket would share
 * it.  On error none is left open.
 */
int listener_open(const struct addr *, int backlog, int *fds,
    unsigned n) MUST_CHECK;
/*
 * A listening Unix socket; a dead one left behind is replaced, a live one is
 * E_INUSE, and what is no socket E_EXISTS.  mode as for chmod(2).  On error
 * the path is as it was, but for the dead one.
 */
int listener_open_unix(const char *path, mode_t mode, int *fd) MUST_CHECK;

struct listener;
/* fd is the new connection's, now the callee's to close. */
typedef void listener_accept_fn(struct listener *, int fd,
    const struct addr *peer);

struct listener {
	struct watch watch;
	struct deadline retry; /* after E_NOFILES */
	struct loop *loop;
	listener_accept_fn *fn;
	void *arg;
	unsigned index; /* which of the configuration's listeners */
	int fd;         /* borrowed from the process */
	int fd_max;     /* from here on they are kept for others */
	bool full;      /* the last one taken in reached that */
	bool held;      /* by listener_hold() */
	bool watched;   /* the loop tells of clients */
};

/*
 * One in eight descriptors of the process is kept for others, such as
 * connections to instances and the admin: before it is touched, and when there
 * are none, clients wait in the kernel.  Then no worker accepts before all have
 * had the same time to see one free, so that none lives on what the others
 * wait for.
 */
int listener_start(struct listener *, struct loop *, int fd,
    listener_accept_fn *, void *arg) MUST_CHECK;
/* While held, clients wait in the kernel. */
void listener_hold(struct listener *, bool);
/* Accepts what waits in the queue, then listens no more; fd stays open. */
void listener_stop(struct listener *);

#endif
