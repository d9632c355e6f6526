/*
 * h2_block - one field section of HTTP/2: fields in, a head or trailers out.
 *
 * All of it lies in one slab: the head, then the bytes it points to.  What a
 * request or response may say is what HTTP/1 could carry, or it is refused
 * here with the reason HTTP/1 would give.
 *
 * An extended CONNECT that asks for a WebSocket (RFC 8441) becomes the GET with
 * an Upgrade field that HTTP/1 would ask it by, but for the key: that is to be
 * made by who sends it on.  Other protocols are BAD_PROTOCOL.
 *
 * Thread: the owner.  Source: RFC 9113 8.2, 8.3; RFC 8441 4, 5.
 */
#ifndef HTTP_H2_BLOCK_H
#define HTTP_H2_BLOCK_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slab.h"
#include "base/str.h"
#include "http/events.h"
#include "http/head.h"

enum h2_kind { H2_REQUEST, H2_RESPONSE, H2_TRAILERS };

struct h2_block {
	struct http_head head;
	struct str path, authority; /* pseudo-fields */
	struct str protocol;        /* another; .p NULL: there is none */
	uint32_t used;              /* bytes of text */
	uint8_t kind;               /* enum h2_kind */
	uint8_t bad;                /* enum http_bad: why it must be refused */
	uint8_t cookies;            /* fields, 255: that many or more */
	char text[];
};

static inline struct h2_block *
h2_block_of(struct slab *s)
{
	return (struct h2_block *)(void *)s->data;
}

/* Bytes of the slab that the block occupies. */
static inline uint32_t
h2_block_size(const struct h2_block *b)
{
	return (uint32_t)sizeof(*b) + b->used;
}

/* A large slab with an empty block; NULL when memory is out. */
struct slab *h2_block_begin(struct slab_store *, enum h2_kind) MUST_CHECK;
/*
 * Takes one field over by copy.  Past a limit it only keeps in mind which one,
 * so that the peer's compression stays in step with ours.
 */
void h2_block_field(struct slab *, const struct http_limits *, struct str name,
    struct str value);
/*
 * All fields have come; end: and nothing follows them.  asked: the method, for
 * a response.  Fills in the head and says in .bad whether it may be used.
 */
void h2_block_end(struct slab *, const struct http_limits *, bool end,
    enum http_method asked);
/* Moves it into a small slab where it leaves room for a body there. */
struct slab *h2_block_fit(struct slab_store *, struct slab *) MUST_CHECK;

#endif
