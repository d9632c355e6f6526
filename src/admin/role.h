/*
 * role - who is at the other end of a connection, and what he may do.
 *
 * Thread: control.  Names of users and groups are looked up in the system's
 * data base, which may block; numeric ids are not.
 */
#ifndef ADMIN_ROLE_H
#define ADMIN_ROLE_H
#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "rollout/state.h"

struct cfg;

/* What one may do; each includes those before it. */
enum may { MAY_NOTHING, MAY_VIEW, MAY_OPERATE };

struct peer {
	bool is_unix; /* else TCP, and nobody knows who it is */
	uid_t uid;    /* as they were when it connected */
	gid_t gid;
};

/* Asks the kernel about the other end of a connected socket. */
int peer_read(int fd, bool is_unix, struct peer *out) MUST_CHECK;
/* "alice(1000)", "uid(1000)" for one without a name, "tcp". */
void peer_who(const struct peer *, char out[RO_WHO_MAX]);

/*
 * Over the Unix socket root and our own user may do all; others what
 * admin.operate and admin.view say by user or by any of his groups.  With an
 * empty admin.view whoever can connect may look.  Over TCP one may look.
 */
enum may may_of(const struct cfg *, const struct peer *);

/*
 * Does a Host field name this TCP port?  A page on the web can make a browser
 * send us requests under a name that it has resolve to 127.0.0.1; what it
 * cannot do is call that name localhost, or an address.  True for localhost,
 * loopback addresses, the host of admin.http, and, when that is a wildcard,
 * any literal address.
 */
bool host_is_ours(const struct cfg *, const char *host);

#endif
