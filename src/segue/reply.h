/*
 * reply - reads one HTTP/1.1 response: bytes in, body out; no socket inside.
 *
 * Only what segued sends: Content-Length, chunked, or until it closes (RFC
 * 9112 6.3).  Interim responses (1xx) are skipped.
 *
 * Thread: any.
 */
#ifndef SEGUE_REPLY_H
#define SEGUE_REPLY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

#define REPLY_LINE_MAX 8192  /* bytes of a line of the head */
#define REPLY_HEAD_MAX 65536 /* bytes of all of it */
#define REPLY_TYPE_MAX 64

/* A piece of the body; E_OK, or what ends the reading. */
typedef int reply_body_fn(struct str piece, void *arg);

struct reply {
	/* For the caller, once status is not 0. */
	int status;
	char type[REPLY_TYPE_MAX]; /* media type, without parameters */

	/* The rest is reply.c's. */
	int step;
	bool chunked, has_length;
	uint64_t left; /* of the body or of the chunk, bytes */
	size_t head_bytes;
	size_t line_len;
	char line[REPLY_LINE_MAX];
	reply_body_fn *body;
	void *arg;
};

void reply_init(struct reply *, reply_body_fn *, void *arg);

/*
 * in       bytes from the peer; may be cut anywhere
 * returns  E_OK: the response is complete, what follows is ignored; E_AGAIN:
 *          more is wanted; E_SYNTAX, E_RANGE, E_TOOBIG: it is malformed; or
 *          what body returned
 */
int reply_feed(struct reply *, struct str in) MUST_CHECK;

/* The peer closed: E_OK when that ends the response, else E_EOF. */
int reply_close(struct reply *) MUST_CHECK;

#endif
