/*
 * proxy - one worker's data path: its listeners, clients and exchanges.
 *
 * Thread: the worker's, proxy_new() and proxy_free() included.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct callers;
struct instance;
struct issuers;
struct loop;
struct pool;
struct proxy;
struct views;

/* What a worker tells the control thread; never on the path of a request. */
enum proxy_edge {
	PROXY_ADOPTED,        /* a newer view is in use */
	PROXY_EMPTY,          /* a leaving pool has nothing here any more */
	PROXY_CONNECT_FAILED, /* inst could not be reached */
	PROXY_FAILED,         /* an exchange failed by its instance otherwise */
	PROXY_STOPPED         /* after proxy_stop(): no client is left */
};
typedef void proxy_edge_fn(void *arg, enum proxy_edge, struct instance *);

struct proxy_env {
	struct loop *loop; /* the worker's */
	unsigned index;    /* which cells are ours */
	unsigned n_workers;
	struct views *views;
	struct callers *callers; /* of all workers; NULL: no such bounds */
	struct issuers *issuers; /* the worker's; NULL: no store */
	const int *listen_fds;   /* one per configured listener, in order */
	size_t n_listen;
	int access_fd; /* descriptor of the access log, -1: none */
	proxy_edge_fn *edge;
	void *arg;
};

int proxy_new(const struct proxy_env *, struct proxy **out) MUST_CHECK;
void proxy_free(struct proxy **); /* cuts what is left */
/* Accepts from now on; needs a published view. */
int proxy_start(struct proxy *) MUST_CHECK;
/* At the end of each turn of the loop: adopts the newest view. */
void proxy_turn(struct proxy *);
/*
 * Graceful stop: accepts what waits in the queues and no more, answers what is
 * in flight with "Connection: close", lets idle clients ask once more within
 * linger_us, cuts what is left after deadline_us.
 */
void proxy_stop(struct proxy *, uint64_t linger_us, uint64_t deadline_us);

#endif
