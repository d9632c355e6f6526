/*
 * edits - the rules for fields of a service, ready to be followed: names known
 * by number, values in parts.
 *
 * Thread: made by control as part of a view; read by who holds the view.
 */
#ifndef UPSTREAM_EDITS_H
#define UPSTREAM_EDITS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "config/edits.h"

struct cfg_edit;

enum edit_verb { EDIT_SET, EDIT_ADD, EDIT_REMOVE };

struct edit_part {
	enum edit_var var; /* EDIT_TEXT: .text as it is */
	struct str text;
};

struct edit {
	enum edit_verb verb;
	uint8_t id;              /* enum http_field_id; FIELD_OTHER: by name */
	struct str name;         /* "X-*": all that begin so, of remove */
	struct edit_part *parts; /* owned; NULL: .fixed is the value */
	size_t n_parts;
	struct str fixed;
};

struct edits {
	struct edit *list; /* owned; in this order */
	size_t n;
};

/* The texts stay those of the configuration.  E_OK or E_NOMEM. */
int edits_make(const struct cfg_edit *, size_t n, struct edits *out) MUST_CHECK;
void edits_free(struct edits *);

#endif
