/*
 * h1_read - reads HTTP/1 messages from bytes: heads, bodies, trailers.
 *
 * No socket inside, no memory allocated.  A reader is told whose messages it
 * reads, is given contiguous bytes and says how many it has used.  Input may
 * be cut anywhere: events and refusals are the same, and a peer that sends one
 * byte at a time does not make us look at all bytes each time.
 *
 * Framing is strict: see http/events.h for every reason of refusal.  Of the
 * leniencies RFC 9112 allows, two are left: empty lines before a request (2.2)
 * and a status line that ends behind the status (4).
 *
 * Thread: the owner.
 */
#ifndef HTTP_H1_READ_H
#define HTTP_H1_READ_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"
#include "http/events.h"
#include "http/head.h"

enum h1_phase {
	H1_HEAD,     /* before or inside a head */
	H1_BODY,     /* payload expected */
	H1_TRAILERS, /* after the last chunk */
	H1_DONE      /* message complete; h1_read_next() starts another */
};

struct h1_reader {
	uint64_t left;       /* bytes left of the body or of this chunk */
	uint32_t scanned;    /* bytes of an incomplete head or trailer section
	                        looked at; between them, of chunk extensions */
	uint32_t until;      /* length of the section at which a limit bites */
	uint8_t run;         /* http/chars.h: bytes behind .scanned to skip */
	uint8_t phase;       /* enum h1_phase */
	uint8_t framing;     /* enum http_framing of the present message */
	uint8_t chunk_state; /* inside the chunk grammar */
	uint8_t digits;      /* of the chunk size so far */
	uint8_t bad;         /* enum http_bad, BAD_NONE while all is well */
	bool is_response;
};

#define H1_CHUNK_DIGITS_MAX 16 /* of a chunk size, leading zeros included */
#define H1_CHUNK_EXT_MAX 4096  /* bytes of chunk extensions in a message */

void h1_reader_init(struct h1_reader *, bool is_response);
/* After H1_DONE: ready for the next head on the same connection. */
void h1_read_next(struct h1_reader *);

/*
 * Reads one head from in, which begins with the first byte of the message
 * (for a request, empty lines before it are skipped and count as used; at
 * most 4 of them).
 *
 * in       borrowed; h points into it afterwards, so the bytes must stay
 * h        out; whole only when the result is > 0
 * request_method  for a response: what was asked, as HEAD and CONNECT decide
 *          the framing (RFC 9112 6.3); ignored for requests
 * returns  > 0 bytes used, the reader is in H1_BODY or H1_DONE;
 *          0 more bytes are needed (call again with the same start and more);
 *          E_SYNTAX, with ->bad set
 *
 * A request target in absolute form is taken apart: h->target begins at the
 * path ("/" when it is empty, "*" for OPTIONS) and h->authority is that of the
 * target, whatever Host says (RFC 9112 3.2.2, 3.2.4).  Any other form but
 * origin and "*" (OPTIONS only) is BAD_TARGET, and so is user information; and,
 * stricter, a query without a path ("http://a?b").  CONNECT's authority form
 * is read, with target = authority.
 *
 * The minor version is 0 or 1: a higher one is read as 1 (RFC 9110 2.5).
 * Transfer-Encoding may be "chunked" and nothing else.  1xx responses have
 * FRAMING_NONE; after 101 the reader stays in H1_DONE.
 */
ssize_t h1_read_head(struct h1_reader *, struct str in,
    const struct http_limits *, enum http_method request_method,
    struct http_head *h) MUST_CHECK;

enum h1_body_event {
	H1_MORE,    /* nothing to report; all of in is used, but see below */
	H1_DATA,    /* *data is payload */
	H1_END,     /* the message is complete; no trailers */
	H1_TRAILED, /* the message is complete; trailers in *trailers */
	H1_BAD      /* ->bad says why */
};

/*
 * Reads on in the body.  Call again with the rest until H1_MORE, H1_END,
 * H1_TRAILED or H1_BAD.
 *
 * in       borrowed bytes after what was used so far
 * used     out: bytes of in consumed by this call, framing included
 * data     out: with H1_DATA a slice of in
 * trailers out: with H1_TRAILED; names and values point into in.  The whole
 *          trailer section must lie in one in: with H1_MORE in phase
 *          H1_TRAILERS *used may be less than in.len, the caller keeps the
 *          unused bytes and calls again with more behind them.
 *          Fields a trailer must not carry (routing, authentication, what
 *          describes the message: RFC 9110 6.5.1) are dropped; those of
 *          framing (Content-Length, Transfer-Encoding) are BAD_TRAILER.
 * source   RFC 9112 7.1.  Stricter: no white space in the line of a chunk's
 *          size but in extensions (7.1.1), and the bounds above.
 */
enum h1_body_event h1_read_body(struct h1_reader *, struct str in,
    const struct http_limits *, size_t *used, struct str *data,
    struct http_head *trailers) MUST_CHECK;

/*
 * The peer closed.  True when that ends the message rightly (FRAMING_CLOSE,
 * or between messages, before the first byte of one); false when it was cut.
 */
bool h1_read_eof(struct h1_reader *) MUST_CHECK;

#endif
