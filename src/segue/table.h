/*
 * table - rows and columns for people: aligned by width, nothing wider than
 * needed, columns that say nothing left out.
 *
 * Thread: main.
 */
#ifndef SEGUE_TABLE_H
#define SEGUE_TABLE_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "segue/style.h"

#define TABLE_COLUMNS_MAX 20

struct table_column {
	const char *name; /* at its head */
	bool right;       /* numbers stand to the right */
	/* Left out when each cell says this or "-"; NULL: never. */
	const char *quiet;
};

struct table; /* opaque */

/* columns end with one without a name; borrowed.  NULL: no memory. */
struct table *table_new(const struct table_column *columns) MUST_CHECK;
void table_free(struct table **);

/*
 * The next cell, row by row; text is cleaned (segue/text.h) and copied; empty
 * text shows as "-".  On a NULL table nothing happens.
 */
void table_add(struct table *, enum style, struct str text);

/*
 * Appends head and rows, each line after indent blanks; a last row that is not
 * full is filled with "-".  Nothing when there is no row.
 */
void table_write(const struct table *, bool colour, size_t indent,
    struct buf *out);

#endif
