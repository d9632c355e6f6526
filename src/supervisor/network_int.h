/*
 * network_int - what the files of the network process share; supervisor/ only.
 *
 * Thread: control.
 */
#ifndef SUPERVISOR_NETWORK_INT_H
#define SUPERVISOR_NETWORK_INT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "admin/admin.h"
#include "base/buf.h"
#include "ipc/frame.h"
#include "net/loop.h"

struct callers;
struct edges;
struct keyring;
struct network_env;
struct registry;
struct reload;
struct stores;
struct trim;
struct views;
struct worker;

struct network {
	const struct network_env *env;
	struct loop *loop;
	struct watch master_watch;
	struct registry *registry;
	struct views *views;
	struct callers *callers;
	struct stores *stores;
	struct feed *feed;
	struct drive *drive;
	struct admin *admin;
	struct edges *edges;
	struct trim *trim;
	struct worker **workers;  /* owned; [doors->n_workers] */
	unsigned n_workers;       /* started */
	struct keyring *ring;     /* one ref: in the newest view */
	struct keyring *old_ring; /* one ref; NULL: no view has another */
	uint64_t ring_since;      /* the first view generation with .ring */
	struct keyring *new_ring; /* one ref: for the reload that follows */
	struct buf new_pages;     /* for the same */
	int new_certs;            /* for the same; -1: none */
	STAILQ_HEAD(, reload) reloads; /* owned; the first is under way */
	size_t n_reloads;
	admin_reload_fn *reload_done; /* for the next one; NULL: nobody waits */
	void *reload_arg;
	struct alarm *start_clock;
	uint64_t start_by_us; /* monotonic: workers begin then at the latest */
	struct frame frame;   /* the one being read */
	bool stopping;
	bool failed; /* the workers could not be started */
};

/* ---- network.c ---- */
void network_tell_master(struct network *, enum frame_kind, const char *text);

/* ---- network_reload.c ---- */
void network_reload_init(struct network *); /* .env is there */
void network_reload_end(struct network *);
/* From the master, in this order: for the configuration that follows. */
void network_take_keys(struct network *, int fd);
void network_take_pages(struct network *, int fd);
void network_take_certs(struct network *, int fd); /* fd is ours then */
/* The configuration; fd -1: there is none, and text says why. */
void network_reload(struct network *, int fd, const char *text);
/* The same, of which no operator has to hear. */
void network_renew(struct network *, int fd, const char *text);
/* admin_env.reload: an operator asks.  arg is the network. */
void network_ask_reload(admin_reload_fn *done, void *done_arg, void *arg);
/* There is no operator any more who could hear how they end. */
void network_reload_unheard(struct network *);

#endif
