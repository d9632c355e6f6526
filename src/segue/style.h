/*
 * style - colours, where there is a terminal that wants them.
 *
 * A colour never says what no word says.
 *
 * Thread: main.
 */
#ifndef SEGUE_STYLE_H
#define SEGUE_STYLE_H
#include <stdbool.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/* One row a style: identifier, its sequence (ECMA-48 8.3.117). */
#define STYLES(X)                                                              \
	X(PLAIN, "")                                                           \
	X(BOLD, "\033[1m")                                                     \
	X(DIM, "\033[2m")                                                      \
	X(GOOD, "\033[32m")                                                    \
	X(WARN, "\033[33m")                                                    \
	X(BAD, "\033[1;31m")

#define X(id, sequence) STYLE_##id,
enum style { STYLES(X) };
#undef X

/*
 * Whether to colour what goes to f: when is "always", "never", or "auto" (also
 * NULL): on a terminal, unless $NO_COLOR is set or $TERM is dumb.
 */
bool style_wanted(const char *when, FILE *f);

/* Appends s in that style; in colour or not. */
void style_add(struct buf *, bool colour, enum style, struct str s);

/* Columns of the terminal behind f, 0 when there is none. */
unsigned style_columns(FILE *f);
unsigned style_rows(FILE *f);

#endif
