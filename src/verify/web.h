/*
 * web - what a browser does at the edge of a server: requests one by one, with
 * a jar of cookies, and nothing followed by itself (libcurl).
 *
 * Thread: the owner; calls block.
 */
#ifndef VERIFY_WEB_H
#define VERIFY_WEB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

#define WEB_BODY_MAX ((size_t)4 << 20)
#define WEB_WHY_MAX 320

/* NULL where there is none; copied but for url, via and ca. */
struct web_options {
	const char *url; /* of the server that is looked at */
	const char *via; /* HOST:PORT to connect to instead of its own */
	const char *ca;  /* file of authorities instead of the system's */
	/* A session that the server's host, and no other, is shown. */
	const char *cookie, *cookie_tls, *value;
	uint64_t limit_us; /* of one call */
};

struct web_call {
	const char *url;
	struct str form;           /* POST of it; empty: GET */
	const char *user, *secret; /* Basic authentication, or NULL */
	const char *bearer;        /* token, or NULL */
	const char *accept;        /* media type, or NULL */

	/* What came of it; to be freed. */
	long status;
	struct buf body;
	struct buf location; /* absolute; empty: there was none */
	bool is_html;
	uint64_t took_us;
	char why[WEB_WHY_MAX]; /* when it could not be made */
};

struct web;

/* NULL with a sentence in why[cap]. */
struct web *web_new(const struct web_options *, char *why,
    size_t cap) MUST_CHECK;
void web_free(struct web **);

/* False: no answer, why not is in .why. */
bool web_call(struct web *, struct web_call *) MUST_CHECK;
void web_call_free(struct web_call *);
/* Another cookie came instead of the session it shows: it was sent elsewhere. */
bool web_was_moved(const struct web *);

/* What ref, as it stands on the page at base, is in full; false: no URL. */
bool web_resolve(const char *base, const char *ref, struct buf *out) MUST_CHECK;
/* Is it the same scheme, host and port? */
bool web_same_origin(const char *a, const char *b);
/* As it stands in a form (RFC 6749 2.3.1). */
void web_escape(struct buf *, const char *);
/* "name=value", escaped, behind a "&" where something stands already. */
void web_add_param(struct buf *, const char *name, const char *value);
/* The value of a parameter of a URL's query, as it was meant; false: none. */
bool web_param(const char *url, const char *name, struct buf *out) MUST_CHECK;

#endif
