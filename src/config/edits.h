/*
 * edits - the rules by which a service changes fields: what a name may be,
 * and what stands for what in a value.
 *
 * Instances that speak CGI or its kin know "X-A" and "X_A" as one field.  So a
 * name means all of its spellings here: in any case, "_" for "-".
 *
 * Thread: any; pure.
 */
#ifndef CONFIG_EDITS_H
#define CONFIG_EDITS_H
#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"

struct cfg_service;
struct problems;
struct where;

/* One row a variable: identifier, name in braces, is it known to requests? */
#define EDIT_VARS(X)                                                           \
	X(CLIENT, "client", true)                                              \
	X(PEER, "peer", true)                                                  \
	X(HOST, "host", true)                                                  \
	X(SCHEME, "scheme", true)                                              \
	X(REQUEST_ID, "request_id", true)                                      \
	X(SERVICE, "service", true)                                            \
	X(POOL, "pool", false)

#define X(id, name, in_requests) EDIT_##id,
enum edit_var { EDIT_TEXT, EDIT_VARS(X) EDIT_NO_VAR };
#undef X

/*
 * Takes the next part off a value: a run of text as it is (EDIT_TEXT), a
 * variable, or what looks like one and is none (EDIT_NO_VAR); *text is the run
 * or the name.  Only {letters, digits, "_", "-", "."} looks like one.  False
 * at the end.
 */
bool edit_next(struct str *value, enum edit_var *, struct str *text);

/* Is name a spelling of that one, or of what begins so when it ends in "*"? */
bool edit_fits(struct str pattern, struct str name);

/* What is wrong with the rules of a service. */
void check_edits(struct problems *, const struct cfg_service *,
    const struct where *service);

#endif
