/*
 * h1_fields - field sections of HTTP/1 heads and trailers, and how reading
 * goes on in an incomplete one.  Inside http only.
 *
 * Thread: any.
 */
#ifndef HTTP_H1_FIELDS_H
#define HTTP_H1_FIELDS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "http/events.h"
#include "http/h1_read.h"
#include "http/head.h"

/*
 * A cursor over the bytes of a section.  The readers of its parts say true
 * when theirs is read, and false with either .bad or .more set.  What is wrong
 * is told by the first byte that shows it, however the bytes are cut.
 */
struct h1_scan {
	const char *start, *p, *end; /* .p: read so far */
	enum http_bad bad;           /* set once */
	bool more;                   /* the bytes ended first */
	uint8_t run;  /* with .more: classes of bytes (http/chars.h) that may
	                follow without changing anything; 0 for none */
	size_t until; /* with .run: bytes from .start where a limit bites */
};

static inline bool
h1_stop_bad(struct h1_scan *s, enum http_bad bad)
{
	s->bad = bad;
	return false;
}

static inline bool
h1_stop_more(struct h1_scan *s)
{
	s->more = true;
	return false;
}

/* What a byte that cannot stand where it stands is called. */
static inline enum http_bad
h1_bad_byte(char c, enum http_bad otherwise)
{
	return c == '\0' ? BAD_NUL : c == '\n' ? BAD_BARE_LF : otherwise;
}

/* First byte in [p, end) that cannot stand in a field value, or end. */
const char *h1_skip_value(const char *p, const char *end);
/* How many such bytes there are. */
size_t h1_count_controls(const char *p, const char *end);

/*
 * A cursor over in, or over its first max bytes: no section may be longer.
 */
struct h1_scan h1_scan_begin(struct str in, size_t max);

/*
 * Reads field lines up to and including the empty line; appends them to h.
 *
 * source   RFC 9112 5.  Stricter: no white space before the colon even in
 *          responses (5.1), no folding (5.2), no bare CR or LF (2.2).
 */
bool h1_scan_fields(struct h1_scan *, const struct http_limits *,
    struct http_head *h) MUST_CHECK;

/*
 * The section is not complete: keeps in r what the next call need not look at
 * again.  in and max as in h1_scan_begin().
 */
void h1_wait(struct h1_reader *r, const struct h1_scan *, struct str in,
    size_t max);

/*
 * Is the section for sure still incomplete, though it has grown?  Looks at the
 * new bytes only, so that a peer that sends one byte at a time costs a few
 * looks at each byte, not one for every byte behind it.
 */
bool h1_still_waits(struct h1_reader *r, struct str in);

#endif
