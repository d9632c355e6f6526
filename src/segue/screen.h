/*
 * screen - text drawn over what stands on a terminal, without flicker.
 *
 * Thread: any; no I/O.
 */
#ifndef SEGUE_SCREEN_H
#define SEGUE_SCREEN_H
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/*
 * Appends what draws the lines of text from the terminal's upper left corner;
 * the last of its rows (0: there is no bound) stays free, and lines that do
 * not fit are left out with "...".  Longer lines than columns (at least 1) are
 * wrapped by the terminal.
 *
 * Each line is cleared behind its end, unless it fills its last row: there is
 * nothing to clear then, and clearing would take its last column.
 */
void screen_fit(struct buf *out, struct str text, unsigned rows,
    unsigned columns);

#endif
