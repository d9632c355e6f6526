/*
 * privs - gives privileges up.
 *
 * Thread: the process's only one.
 */
#ifndef SUPERVISOR_PRIVS_H
#define SUPERVISOR_PRIVS_H
#include <sys/types.h>

#include "base/attr.h"

struct cfg;

struct privs {
	uid_t uid;
	gid_t gid;
	int change; /* we are root and shall become somebody */
};

/* E_NOENT with a sentence in why[cap] when user or group does not exist. */
int privs_find(const struct cfg *, struct privs *, char *why,
    unsigned cap) MUST_CHECK;
/* For good: supplementary groups, group, user. */
int privs_drop(const struct privs *) MUST_CHECK;
/* From now on this process cannot start another (seccomp(2)). */
int privs_forbid_fork(void) MUST_CHECK;

#endif
