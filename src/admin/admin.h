/*
 * admin - the door for operators: HTTP and JSON over a Unix socket, roles by
 * peer credentials, an audit line for every change; read-only over TCP.
 *
 * What is said there: admin/adminproto.h.
 *
 * Thread: control.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H
#include <stdint.h>

#include "base/attr.h"

struct admin;
struct buf;
struct drive;
struct feed;
struct loop;
struct stores;

struct admin_reload_result {
	int code;             /* E_OK: taken over; E_AGAIN: one is under way */
	const char *changed;  /* lines of cfg_diff(), or "" */
	const char *restart;  /* lines that need a restart, or "" */
	const char *problems; /* lines: warnings, or what is wrong */
};
typedef void admin_reload_fn(const struct admin_reload_result *, void *arg);

/* All is borrowed and outlives the admin. */
struct admin_env {
	struct loop *loop;
	struct drive *drive;
	struct feed *feed;
	const struct stores *stores;
	int unix_fd; /* listening */
	int http_fd; /* listening, read-only; -1: none */
	unsigned n_workers;
	uint64_t started_wall_us; /* of the master */
	int master_pid;
	/*
	 * Asks for a reload; done is called once, perhaps before this returns,
	 * but not after admin_free().
	 */
	void (*reload)(admin_reload_fn *done, void *done_arg, void *arg);
	void *arg;
};

int admin_new(const struct admin_env *, struct admin **out) MUST_CHECK;
/* The process stops: status says so, changes are refused. */
void admin_stopping(struct admin *);
/* Ends all connections; before drive and feed. */
void admin_free(struct admin **);

/*
 * The table of metrics for manual and tests, as lines of
 * "NAME\tTYPE\tLABELS\tHELP" in the order of /metrics; labels are separated
 * by commas.  Any thread.
 */
void admin_metrics_names(struct buf *out);

#endif
