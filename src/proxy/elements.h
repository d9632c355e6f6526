/*
 * elements - what a trusted proxy told in X-Forwarded-* as elements of
 * Forwarded (RFC 7239 4), for instances that read only that.
 *
 * Thread: any; pure.
 */
#ifndef PROXY_ELEMENTS_H
#define PROXY_ELEMENTS_H
#include <stddef.h>

#include "base/attr.h"
#include "http/head.h"

#define ELEMENTS_MAX 32 /* proxies in a row */

/* Bytes that are enough for elements_write(). */
size_t elements_room(const struct http_head *);
/*
 * One element an address in X-Forwarded-For, the first with host and proto of
 * X-Forwarded-Host and -Proto; what is no address is "unknown" (6.2).  Returns
 * the length; 0 when there is no such field, or more than ELEMENTS_MAX of them:
 * a stranger fills the list before the first proxy that is trusted.
 */
size_t elements_write(const struct http_head *, char *out);

#endif
