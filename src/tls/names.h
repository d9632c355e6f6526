/*
 * names - the DNS names of a certificate, and whether they are a host's.
 *
 * Thread: any; constant once sorted.
 */
#ifndef TLS_NAMES_H
#define TLS_NAMES_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct tls_name {
	char *text; /* owned; lower case; "a.b" or "*.b" */
	size_t of;  /* whatever the owner of the list wants to know by it */
};

struct tls_names {
	struct tls_name *list; /* owned */
	size_t n, cap;
};

/* Copies; what is no name of a host (RFC 6125 6.4) is left out.  E_NOMEM. */
int tls_names_add(struct tls_names *, struct str name, size_t of) MUST_CHECK;
/* Before looking: the first of equal ones stays, with its .of. */
void tls_names_sort(struct tls_names *);
/*
 * The exact name, else the wildcard for its first label; NULL: neither.  The
 * host's case does not matter.
 */
const struct tls_name *tls_names_find(const struct tls_names *,
    struct str host);
void tls_names_free(struct tls_names *);

#endif
