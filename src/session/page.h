/*
 * page - fields of the forms on a page of HTML, as far as a server writes them
 * for a browser that is to send them on at once (OAuth 2.0 Form Post Response
 * Mode; SAML 2.0 Bindings 3.5.4).
 *
 * No parser of HTML: what looks like an <input> is one, in a comment too.  Each
 * byte is looked at once; nothing is kept or copied but one value.
 *
 * Source: HTML Standard 13.1.2.3 (attributes), 13.5 (character references).
 *
 * Thread: any; pure.
 */
#ifndef SESSION_PAGE_H
#define SESSION_PAGE_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

/*
 * Takes bytes off *rest up to the next input that has a name and a value, both
 * still as they are written there; false at the end.
 */
bool page_field_next(struct str *rest, struct str *name,
    struct str *value) MUST_CHECK;
/*
 * A value with its references resolved, in out; those by a name that is not
 * of a mark in ASCII stay as they are.  {NULL, 0}: it is empty, longer than
 * cap, or has a character outside ASCII by number.
 */
struct str page_value(struct str written, char *out, size_t cap) MUST_CHECK;

#endif
