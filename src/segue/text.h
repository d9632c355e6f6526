/*
 * text - what others wrote, made fit for a terminal: UTF-8, its width in
 * columns, no control characters.
 *
 * Thread: any.
 */
#ifndef SEGUE_TEXT_H
#define SEGUE_TEXT_H
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/*
 * Appends s; a run of blanks and line ends becomes one blank, control
 * characters become "?", bytes that are no UTF-8 become U+FFFD.
 */
void text_clean(struct buf *out, struct str s);

/* Columns of clean text; colour sequences (ESC [ ... m) take none. */
size_t text_width(struct str s);

/* Bytes of s that fit into so many columns; sequences are never cut. */
size_t text_fit(struct str s, size_t columns);

/*
 * The first character of s as a code point and its length in bytes (1 to 4;
 * 0 at the end); U+FFFD and 1 for what is no UTF-8 (RFC 3629, strictly).
 */
uint32_t text_next(struct str s, size_t *len);

#endif
