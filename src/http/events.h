/*
 * events - what every codec tells the one above it, in this order:
 *
 *   head (1xx)*  head (final)  data*  trailers?  end
 *
 * or reset at any point.  Above this header nobody can tell HTTP/1 from
 * HTTP/2.
 *
 * Thread: the worker (or control for probes) that owns the connection.
 */
#ifndef HTTP_EVENTS_H
#define HTTP_EVENTS_H
#include <stddef.h>

#include "base/str.h"
#include "http/head.h"

/* Why a message could not be read: one row each, for counters and logs. */
/* clang-format off */
#define HTTP_BAD(X)                                                            \
	/* id, name, status for a request */                                   \
	X(START_LINE, "start_line", 400)                                       \
	X(METHOD, "method", 400)                                               \
	X(TARGET, "target", 400)                                               \
	X(VERSION, "version", 505)                                             \
	X(BARE_CR, "bare_cr", 400)                                             \
	X(BARE_LF, "bare_lf", 400)                                             \
	X(NUL, "nul", 400)                                                     \
	X(FIELD_NAME, "field_name", 400)                                       \
	X(FIELD_VALUE, "field_value", 400)                                     \
	X(SPACE_BEFORE_COLON, "space_before_colon", 400)                       \
	X(FOLDED_LINE, "folded_line", 400)                                     \
	X(HOST_MISSING, "host_missing", 400)                                   \
	X(HOST_TWICE, "host_twice", 400)                                       \
	X(HOST_SYNTAX, "host_syntax", 400)                                     \
	X(LENGTH_SYNTAX, "length_syntax", 400)                                 \
	X(LENGTH_TWICE, "length_twice", 400)                                   \
	X(LENGTH_AND_CHUNKED, "length_and_chunked", 400)                       \
	X(TRANSFER_ENCODING, "transfer_encoding", 400)                         \
	X(CODING_UNKNOWN, "coding_unknown", 501)                               \
	X(CHUNKED_IN_1_0, "chunked_in_1_0", 400)                               \
	X(CHUNK_SIZE, "chunk_size", 400)                                       \
	X(CHUNK_END, "chunk_end", 400)                                         \
	X(CHUNK_EXTENSION, "chunk_extension", 400)                             \
	X(TRAILER, "trailer", 400)                                             \
	X(TARGET_TOO_LONG, "target_too_long", 414)                             \
	X(HEAD_TOO_BIG, "head_too_big", 431)                                   \
	X(FIELD_TOO_BIG, "field_too_big", 431)                                 \
	X(TOO_MANY_FIELDS, "too_many_fields", 431)                             \
	X(STATUS, "status", 502)                                               \
	X(EXPECTATION, "expectation", 417)                                     \
	X(PROTOCOL, "protocol", 501)                                           \
	X(ACCEPT, "websocket_accept", 502)                                     \
	X(CUT, "cut", 400)
/* clang-format on */

#define X(id, name, status) BAD_##id,
enum http_bad { BAD_NONE, HTTP_BAD(X) BAD_COUNT };
#undef X

const char *http_bad_name(enum http_bad);
unsigned http_bad_status(enum http_bad); /* what a client is answered */

/* What a codec may be sent, all of it configurable. */
struct http_limits {
	uint32_t head_bytes;   /* whole head; at most 65,536 */
	uint32_t field_bytes;  /* one field line */
	uint32_t target_bytes; /* request target */
	uint16_t fields;       /* count; at most HTTP_FIELDS_MAX */
};

#endif
