/*
 * sse - reads a text/event-stream: bytes in, events out.
 *
 * As the HTML Living Standard 9.2.6 has it; "retry" is skipped, an event cut
 * by the end of the stream is dropped.
 *
 * Thread: any.
 */
#ifndef SEGUE_SSE_H
#define SEGUE_SSE_H
#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

#define SSE_EVENT_MAX ((size_t)1 << 20) /* bytes of one event */

/* All end with NUL; lines of data are joined by LF.  E_OK, or what ends it. */
typedef int sse_event_fn(const char *id, const char *event, struct str data,
    void *arg);

struct sse {
	struct buf line, id, event, data;
	bool began;    /* the byte order mark's place is behind us */
	bool after_cr; /* a LF would belong to it */
	bool has_data; /* a data field came, perhaps an empty one */
	sse_event_fn *fn;
	void *arg;
};

void sse_init(struct sse *, sse_event_fn *, void *arg);
void sse_free(struct sse *);

/* E_OK, E_TOOBIG, E_NOMEM, or what fn returned; then it is not fed again. */
int sse_feed(struct sse *, struct str in) MUST_CHECK;

#endif
