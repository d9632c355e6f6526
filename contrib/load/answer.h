/*
 * answer - a strict little reader of HTTP/1.1 answers.
 *
 * Written apart from Segue's own parser on purpose: it checks what Segue
 * sends.  An answer needs a Content-Length or chunked coding (204 and 304
 * none); anything ambiguous is bad.
 *
 * Thread: the owner.
 */
#ifndef LOAD_ANSWER_H
#define LOAD_ANSWER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct evbuffer;

#define ANSWER_HEAD_MAX 8192
#define ANSWER_BODY_KEPT 2048 /* of longer bodies the rest is only counted */

enum answer_state { ANSWER_MORE, ANSWER_DONE, ANSWER_BAD };

struct answer {
	char head[ANSWER_HEAD_MAX + 1]; /* NUL-terminated once complete */
	size_t head_len;
	char body[ANSWER_BODY_KEPT + 1]; /* NUL-terminated */
	size_t body_kept;
	int status; /* 0: no head yet */
	bool is_chunked;
	bool closes;   /* Connection: close */
	bool in_chunk; /* chunk data, else a size or trailer line */
	bool in_trailers;
	uint64_t left;   /* bytes of body or chunk still to come */
	const char *why; /* of ANSWER_BAD, for people */
};

void answer_reset(struct answer *);
/*
 * Takes what it can use from in.  After ANSWER_DONE bytes may be left in the
 * buffer, which nobody has asked for; after ANSWER_BAD why is set.
 */
enum answer_state answer_feed(struct answer *, struct evbuffer *in);
/*
 * The n-th (from 0) field of that name into out[cap]; false when there is
 * none or it does not fit.
 */
bool answer_field(const struct answer *, const char *name, unsigned n,
    char *out, size_t cap);
/* The text of "key":"text" in a JSON body of ours, which escapes nothing. */
bool answer_json(const struct answer *, const char *key, char *out, size_t cap);

#endif
