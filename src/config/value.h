/*
 * value - one value of a key: from text, to text, freed.  What a kind of key
 * accepts is said here alone.
 *
 * Thread: any.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H
#include "base/attr.h"
#include "base/buf.h"
#include "config/config.h"
#include "config/schema.h"

/*
 * Reads text into *at, which is of the kind's type and holds a value already
 * (zeroes are one); that is freed.  On error *at stays as it was.  Not for
 * MAP, LIST, ITEMS and FIELDS.
 *
 * returns  E_OK, E_SYNTAX (not of the kind), E_RANGE (out of the row's
 *          bounds, or a port out of 1..65535), E_NOMEM
 */
int value_read(const struct key *, const char *text, void *at) MUST_CHECK;
/* Appends the value as YAML; nothing for an absent one. */
void value_show(const struct key *, const void *at, struct buf *out);
void value_free(const struct key *, void *at); /* numbers stay */

/* A number of the row's kind as people write it: for its bounds. */
void value_show_number(const struct key *, uint64_t n, struct buf *out);
/* Is it a number kind, so that .min and .max bound its value? */
bool value_is_number(const struct key *);

/* on, off, true, false, yes, no; in any case. */
bool value_read_bool(struct str, bool *out) MUST_CHECK;
/* E_OK or E_NOMEM; *at is zeroes. */
int value_read_field(struct cfg_field *at, const char *name,
    const char *value) MUST_CHECK;
void value_free_field(struct cfg_field *);

#endif
