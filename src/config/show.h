/*
 * show - settings as YAML by the rows of the schema, in the forms that dump,
 * comparison and messages share.
 *
 * Thread: any.
 */
#ifndef CONFIG_SHOW_H
#define CONFIG_SHOW_H
#include "base/buf.h"
#include "config/schema.h"

/*
 * Appends the value of a key in one line (flow style); nothing for an absent
 * one, an empty list, or a map that holds nothing.
 *
 * hide     "(hidden)" stands for what rows KEY_SECRET hold; names of fields and
 *          variables stay
 */
void show_key(const struct key *, const void *base, bool hide, struct buf *out);

#endif
