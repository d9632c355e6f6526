/*
 * cookie_space - gives the cookies of one of several servers behind a host
 * names of their own, so that those of the others stay what they are.
 *
 * A server whose namespace is v2 sets SESSION, and its client keeps it as
 * v2~SESSION; what the client sends by that name, the server gets as SESSION.
 * The prefixes by which browsers protect cookies stay in front, as their
 * meaning does: __Host-SESSION is __Host-v2~SESSION.  They are __Secure-,
 * __Host- (RFC 6265bis 4.1.3), __Http- and __Host-Http- (its successor), in any
 * case, as browsers have them.
 *
 * The two ways are exact inverses: a name that this server's cookie could not
 * have been given is nobody's.  So v2~__Host-SESSION, which anybody may set who
 * has a host beside this one, does not become the __Host-SESSION that he may
 * not set.
 *
 * Thread: any; pure.  Source: RFC 6265 4.1.1, 5.2, 5.4.
 */
#ifndef HTTP_COOKIE_SPACE_H
#define HTTP_COOKIE_SPACE_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"

/* One server's view; all is borrowed.  Namespaces are letters and digits. */
struct cookie_space {
	struct str own;        /* empty: its cookies have their own names */
	const struct str *all; /* the namespaces there are */
	size_t n_all;
	char *const *shared; /* names that have no namespace, with "*" at the
	                        end all that begin so; for .own only */
	size_t n_shared;
};

/* Does that name, behind its prefix, stand in the namespace? */
bool cookie_space_has(struct str space, struct str name);

/*
 * The value of a Cookie field as the server gets it.  Cookies of other
 * namespaces are left out; for a server with one, so are those that stand in
 * none and are not shared, and those without a name.
 *
 * out      bytes written; may be none, and never more than in the value
 * returns  bytes written or E_TOOBIG
 */
ssize_t cookie_space_to_server(const struct cookie_space *, struct str value,
    char *out, size_t cap) MUST_CHECK;

/* A Set-Cookie value grows by no more than that and its namespace. */
#define COOKIE_SPACE_MARK 1

/*
 * The value of a Set-Cookie field of a server with a namespace, as the client
 * gets it.
 *
 * returns  bytes written; 0 where it has no name that could be another, which
 *          is to be left out (RFC 6265 5.2 has clients ignore it); E_TOOBIG
 */
ssize_t cookie_space_to_client(const struct cookie_space *, struct str value,
    char *out, size_t cap) MUST_CHECK;

#endif
