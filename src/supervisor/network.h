/*
 * network - the process that carries the traffic: a control thread and the
 * workers.  It is started by the master, gives its privileges up, cannot start
 * another process, and ends when the master says so or is gone.
 *
 * Thread: the process's first, which becomes the control thread.
 */
#ifndef SUPERVISOR_NETWORK_H
#define SUPERVISOR_NETWORK_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct board;
struct cfg;
struct doors;
struct keyring;
struct privs;

/* All is inherited from the master and borrowed. */
struct network_env {
	int master; /* our end of the frames */
	const struct doors *doors;
	const struct privs *privs;
	struct cfg *cfg;     /* the newest that was taken over */
	struct cfg *started; /* the one the doors were opened by */
	struct keyring *keyring;
	const char *store_password; /* NULL: none */
	uint64_t driver;            /* no other master has it */
	struct board *board;
	const char *origin;       /* name of the configuration in messages */
	uint64_t started_wall_us; /* of the master */
	int master_pid;
	bool was_ready;     /* a process before us: it may have had jobs run */
	const char *before; /* "killed by signal 9": the process before
	                           us, or NULL */
};

/* Serves until it is told to stop; the exit status of the process. */
int network_run(const struct network_env *) MUST_CHECK;

#endif
