/*
 * handlers - what carries the commands out; the rows are in command.c.
 *
 * Thread: main; they block.
 */
#ifndef SEGUE_HANDLERS_H
#define SEGUE_HANDLERS_H
#include "segue/command.h"

/* see.c: the status document, or one view of it */
command_fn see_status, see_pools, see_instances, see_sessions, see_rollout,
    see_cluster;
/* act.c: a change */
command_fn act_command;
command_fn sessions_run; /* or a look */
command_fn rollout_run;  /* or, for its status, a look */
command_fn apply_run;    /* the start of one, as it was planned */
/* plan.c: what a change would do */
command_fn plan_run;
/* pin.c, verify.c, warm.c: a pool, before users are sent to it */
command_fn pin_run, verify_run, warm_run;
/* events.c */
command_fn events_run;
/* daemon.c */
command_fn daemon_reload, daemon_config, daemon_version;
/* compat.c: without the daemon */
command_fn compat_run;
/* help.c */
command_fn help_run;

#endif
