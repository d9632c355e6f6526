/*
 * master - the process that stays: holds the listening sockets, starts the
 * network process and starts it again when it dies, reads the files that only
 * the first user may read, and passes on what signals ask for.
 *
 *   TERM  graceful stop (stop.deadline); a second one changes nothing
 *   INT, QUIT  stop now
 *   HUP   read the configuration anew
 *   USR1  open the log files anew
 *
 * Thread: the process's only one.
 */
#ifndef SUPERVISOR_MASTER_H
#define SUPERVISOR_MASTER_H
#include "base/attr.h"

struct cfg;
struct source;

/* Runs until a signal ends it; the exit status.  Takes cfg over. */
int master_run(const struct source *, struct cfg *cfg) MUST_CHECK;

#endif
