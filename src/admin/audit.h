/*
 * audit - one log line for each change that was asked for and did not reach
 * rollout/drive, which writes its own (rollout/news), and for each reload:
 * audit=WHAT who="alice(1000)" result=NAME why="...".
 *
 * Thread: control.
 */
#ifndef ADMIN_AUDIT_H
#define ADMIN_AUDIT_H

struct peer;

/* what: a bare word; result: "done" or the name of an error. */
void audit_line(const char *what, const struct peer *, const char *result,
    const char *why);

#endif
