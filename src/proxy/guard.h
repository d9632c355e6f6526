/*
 * guard - may a path be asked for?  The rules of a service, which no way of
 * writing a path walks around.
 *
 * A path that instances may read in several ways is denied when one of its
 * readings is, and allowed by a rule only when all of them are.  What has no
 * end of readings is unclear: dot segments and controls, written in any way,
 * UTF-8 that is longer than it need be, parameters among escaped borders.
 * Case counts, as it does for routing.
 *
 * Thread: any.
 */
#ifndef PROXY_GUARD_H
#define PROXY_GUARD_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct addr;
struct view_guard;

enum guard_verdict {
	GUARD_ALLOW,
	GUARD_DENY,
	GUARD_HIDE,   /* denied as if nothing were there */
	GUARD_UNCLEAR /* has no meaning that a rule could judge */
};

/*
 * path    as the client wrote it, without query
 * from    its address; NULL: not known, then it is in every network that is
 *         denied and in none that is allowed
 * which   out: index of the rule that denied
 */
enum guard_verdict guard_judge(const struct view_guard *, size_t n,
    struct str path, struct str method, const struct addr *from, size_t *which);

/*
 * Does the path lie under one of the prefixes in each way of reading it; in
 * any?  What has no end of readings does not, and does.
 */
bool guard_is_under(struct str path, char *const *prefixes, size_t n);
bool guard_may_be_under(struct str path, char *const *prefixes, size_t n);

#endif
