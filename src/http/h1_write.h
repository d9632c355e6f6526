/*
 * h1_write - turns heads, chunk framing and trailers into HTTP/1 bytes.
 *
 * Thread: the owner.
 */
#ifndef HTTP_H1_WRITE_H
#define HTTP_H1_WRITE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"
#include "http/head.h"

/* What the writer adds to a head by itself, after the head's own fields. */
enum h1_write_flags {
	H1W_CHUNKED = 1,    /* Transfer-Encoding: chunked; none of the head's
	                       own framing fields is written then */
	H1W_CLOSE = 2,      /* Connection: close */
	H1W_KEEP_ALIVE = 4, /* Connection: keep-alive (to HTTP/1.0 clients) */
	H1W_UPGRADE = 8,    /* Connection: upgrade (Upgrade is kept) */
	H1W_EMPTY = 16      /* Content-Length: 0 */
};

/*
 * Renders a request or response head (status 0 is a request) into out.
 * Fields with HF_DROP are left out; H1W_UPGRADE brings the Upgrade field back.
 * The version written is always HTTP/1.1.  A request's Host is written first,
 * from h->authority (an empty one when there is none, RFC 9112 3.2).
 *
 * returns  bytes written, or E_TOOBIG when cap is too small, or
 *          E_SYNTAX when any part of it holds CR, LF, NUL or another control
 *          byte: out is not to be sent
 */
ssize_t h1_write_head(const struct http_head *h, unsigned flags, char *out,
    size_t cap) MUST_CHECK;

#define H1_CHUNK_HEAD_MAX 20 /* "ffffffffffffffff\r\n" and then some */

/*
 * Writes "SIZE\r\n" for a chunk of len > 0 bytes; returns bytes written.  The
 * caller sends the payload and H1_CHUNK_TAIL behind it.
 */
size_t h1_write_chunk_head(uint64_t len, char out[H1_CHUNK_HEAD_MAX]);
#define H1_CHUNK_TAIL "\r\n"
#define H1_LAST_CHUNK "0\r\n\r\n"

/* "0\r\n", the trailer fields, "\r\n"; returns bytes or E_TOOBIG/E_SYNTAX. */
ssize_t h1_write_trailers(const struct http_head *trailers, char *out,
    size_t cap) MUST_CHECK;

#endif
