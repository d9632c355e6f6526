/*
 * target - hosts and paths of a request, split, checked and normalised.
 *
 * Thread: any.
 */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"

/* Path and query of "path?query"; query is {NULL, 0} without a "?". */
void target_split(struct str target, struct str *path, struct str *query);

/*
 * Host and port of an authority (RFC 3986 3.2.2, 3.2.3): IPv6 in brackets
 * keeps its brackets; port 0 when absent.  False on user information, empty
 * host, bad characters or a port outside 1..65535.  Stricter than the RFC: a
 * name has none of the marks ! $ & ' ( ) * + , ; = % that mean nothing in it
 * and make lists of it elsewhere (X-Forwarded-Host, Forwarded).
 */
bool target_authority(struct str authority, struct str *host,
    uint16_t *port) MUST_CHECK;

/*
 * Normalises a path for matching (not for forwarding): percent-encoded
 * unreserved bytes are decoded, "." and ".." segments removed, runs of "/"
 * collapsed, ";parameters" of each segment removed; the result begins with
 * "/".  What could hide a border of segments (%2f, %5c, %00, backslash) is kept
 * as it is, with escapes in lower case.
 *
 * returns  bytes written to out, or E_TOOBIG, or E_SYNTAX for a bad escape
 * ambiguous  out: true when a rule on paths could be walked around by it:
 *          what is named above, "%2e", "%25", "%3b" or ";parameters"
 */
ssize_t target_normalise(struct str path, char *out, size_t cap,
    bool *ambiguous) MUST_CHECK;

/*
 * Has the path one reading only, itself?  No escape, parameter, backslash,
 * "//", "." or ".." segment: by far the most paths.
 */
bool target_is_plain(struct str path);

/*
 * All escapes decoded, those too that come out of others; else as it is.
 * cap must be above path.len, else E_TOOBIG.
 */
ssize_t target_unescape(struct str path, char *out, size_t cap) MUST_CHECK;

/*
 * The path as the most eager instance would read it, for matching: all escapes
 * decoded, those too that come out of others, "\\" taken for "/", then dots,
 * runs of "/" and parameters removed.  For what target_normalise() calls
 * ambiguous.  cap must be above path.len, else E_TOOBIG.
 */
ssize_t target_decode(struct str path, char *out, size_t cap) MUST_CHECK;

/*
 * Next "name=value" of a query or form body (separator "&"), still encoded;
 * false at the end.  value is {NULL, 0} without "=".
 */
bool target_param_next(struct str *rest, struct str *name, struct str *value);

#endif
