/*
 * form - the form on a page that a person would fill in (HTML by libxml2).
 *
 * Thread: any.
 */
#ifndef VERIFY_FORM_H
#define VERIFY_FORM_H
#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

struct form_person {
	const char *username, *password; /* borrowed; NULL: has none */
};

struct form {
	struct buf action; /* a URL in full */
	bool is_post;
	struct buf fields; /* application/x-www-form-urlencoded */
	bool asks_password, asks_name;
};

/*
 * Of several forms the one that asks for a password, else for a text, else
 * that has a button.  Hidden and checked fields go as they stand, a password
 * field gets the password, the first text or e-mail field the name; of several
 * buttons the first counts that does not say no ("cancel", "deny", "reject",
 * "abort", "decline", "no").
 *
 * False: there is none on it, or memory is out.
 */
bool form_find(struct str html, const char *page_url,
    const struct form_person *, struct form *out) MUST_CHECK;
void form_free(struct form *);
/* What the page is about: its title, cut; "" when it has none. */
void form_page_title(struct str html, char *out, size_t cap);

#endif
