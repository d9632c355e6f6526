/*
 * worker - a thread with a loop that runs the data path, and how the control
 * thread talks to it.
 *
 * Thread: control, except where said.
 */
#ifndef SUPERVISOR_WORKER_H
#define SUPERVISOR_WORKER_H
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "proxy/proxy.h"

struct callers;
struct stores;
struct views;
struct worker;

struct worker_env {
	unsigned index;
	unsigned n_workers;
	struct views *views;     /* with a view published */
	struct callers *callers; /* borrowed; of all workers */
	struct stores *stores;   /* borrowed; ours is opened in it */
	const int *listen_fds;   /* one per listener; closed by us */
	size_t n_listen;
	int access_fd;
	proxy_edge_fn *edge; /* called on the worker's thread */
	void *arg;
};

/* Makes the thread; it accepts at once. */
int worker_start(const struct worker_env *, struct worker **out) MUST_CHECK;
/* Any thread: look for a newer view. */
void worker_nudge(struct worker *);
/* Graceful stop; PROXY_STOPPED follows. */
void worker_stop(struct worker *, uint64_t linger_us, uint64_t deadline_us);
/* Ends the thread, cutting what is left, and frees. */
void worker_free(struct worker **);

#endif
