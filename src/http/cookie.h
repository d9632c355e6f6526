/*
 * cookie - finds one cookie in Cookie fields and writes Set-Cookie values.
 *
 * Thread: any.  Source: RFC 6265 4.1.1, 4.2.1, 5.4.
 */
#ifndef HTTP_COOKIE_H
#define HTTP_COOKIE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"
#include "http/head.h"

/*
 * Value of the first cookie called name over all Cookie fields of h (quotes
 * kept); {NULL, 0} when it is not there.  Looks at no more than the head.
 */
struct str cookie_find(const struct http_head *h, struct str name);

/*
 * Next pair of one Cookie field value, white space trimmed; false at the end.
 * Without "=" the name is empty (RFC 6265bis 5.6).
 */
bool cookie_next(struct str *rest, struct str *name, struct str *value);

/*
 * Copies a Cookie field value without the cookies called name into out.  The
 * result may be empty and is never longer than the value.  Returns bytes
 * written or E_TOOBIG.
 */
ssize_t cookie_without(struct str field_value, struct str name, char *out,
    size_t cap) MUST_CHECK;

struct set_cookie {
	struct str name;
	struct str value;
	struct str path;   /* empty: "/" */
	int64_t max_age_s; /* < 0: a session cookie */
	bool secure;
	bool http_only;
	struct str same_site; /* "None", "Lax", "Strict" or empty */
};

/* Renders the value of a Set-Cookie field; bytes written or E_TOOBIG. */
ssize_t set_cookie_write(const struct set_cookie *, char *out,
    size_t cap) MUST_CHECK;

#endif
