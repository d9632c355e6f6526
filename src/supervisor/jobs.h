/*
 * jobs - runs the operator's commands for rollouts.  Which commands there are
 * is in the configuration; the network process can only name one.
 *
 * Each run is a process of its own, in a session and process group of its own,
 * with nothing of ours open, as the user that the configuration says, and with
 * an environment made for it.  What it writes is read and all but the end of
 * it forgotten.  It is ended when it takes too long or nobody wants it any
 * more: TERM to its group, KILL to it ten seconds later.
 *
 * What a job leaves behind when it has ended well goes on: it may have been
 * there to start something; but nobody reads what that writes, which ends it
 * (SIGPIPE) if it writes to the job's streams.  What one leaves behind that
 * failed is killed.  Whose parent has ended is our child from then on, so that
 * none of a group lingers as a zombie and it is known when the last is gone.
 *
 * When we are killed, the kernel kills the job's own process, not what that
 * has started, as a shell does: that ends where a service manager ends all of
 * a unit, or a container does.
 *
 * Thread: the master's only one.
 */
#ifndef SUPERVISOR_JOBS_H
#define SUPERVISOR_JOBS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "rollout/runs.h"

struct cfg;
struct jobs;
struct privs;

#define JOBS_GRACE_US (UINT64_C(10) * 1000000) /* between TERM and KILL */

typedef void jobs_tell_fn(const struct run_news *, void *arg);

/* NULL: no memory or no descriptors.  tell is called with each change. */
struct jobs *jobs_new(jobs_tell_fn *tell, void *arg);
/* Kills what still runs. */
void jobs_free(struct jobs **);
/* In a process that was forked off: all is left to the one that it is of. */
void jobs_leave(struct jobs **);

/* To be polled for input: then jobs_look(). */
int jobs_fd(const struct jobs *);
/*
 * Reads what they say, and ends who takes too long.  When to look again at the
 * latest (monotonic; 0: no need).
 */
uint64_t jobs_look(struct jobs *, uint64_t now_us) MUST_CHECK;

/*
 * Runs it, unless it runs or has ended; and tells how it stands.  While one of
 * the same service runs, no other begins, but it is ended.  What holds anything but names, as
 * the configuration has them, is refused: it was not our network process that
 * asks.  cfg: a reference is taken.
 */
void jobs_ask(struct jobs *, const struct run_ask *, struct cfg *,
    const struct privs *);
/* Ends it, if it runs; no other is told. */
void jobs_stop(struct jobs *, const struct run_key *);
/* Ends all of them: we are stopping. */
void jobs_stop_all(struct jobs *);
/* Has one been told to end that was not killed yet? */
bool jobs_are_ending(const struct jobs *) MUST_CHECK;
/* False: it was none of ours. */
bool jobs_reap(struct jobs *, pid_t, int status) MUST_CHECK;

#endif
