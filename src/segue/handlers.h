/*
 * handlers - what carries the commands out; the rows are in command.c.
 *
 * Thread: main; they block.
 */
#ifndef SEGUE_HANDLERS_H
#define SEGUE_HANDLERS_H
#include "segue/command.h"

/* see.c: the status document, or one view of it */
command_fn see_status, see_pools, see_instances, see_sessions;
/* act.c: a change */
command_fn act_command;
/* events.c */
command_fn events_run;
/* daemon.c */
command_fn daemon_reload, daemon_config, daemon_version;
/* help.c */
command_fn help_run;

#endif
