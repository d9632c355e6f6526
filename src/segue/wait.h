/*
 * wait - gives a command and tells how it stands until it has ended.
 *
 * On a terminal one line is drawn again and again; elsewhere a plain line is
 * written when something changed, one a second at most.  Both go to standard
 * error.
 *
 * Thread: main; blocks.
 */
#ifndef SEGUE_WAIT_H
#define SEGUE_WAIT_H
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "segue/answer.h"

/* segued tells of a wait once a second; silent for so long, it hangs. */
#define WAIT_SILENCE_US (UINT64_C(30) * 1000000)

/*
 * As answer_post(); out->text is the data of the "result".  what names the
 * action, for whoever stops waiting: "the drain of v1".
 */
int wait_post(struct run *, struct str body, const char *what,
    struct answer *out) MUST_CHECK;

/*
 * Writes a progress document as a line without its end: "12.3s: HOLDS (in
 * flight 3, sessions 41)"; what is zero is left out.
 */
void wait_line(const struct json *progress, struct buf *out);
/* Would people see more than clocks go on between the two lines? */
bool wait_differs(struct str a, struct str b);

#endif
