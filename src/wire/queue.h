/*
 * queue - what a lane still has to send: runs of bytes, own and borrowed, in
 * one slab.
 *
 * Thread: the loop's.
 */
#ifndef WIRE_QUEUE_H
#define WIRE_QUEUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/attr.h"
#include "base/slab.h"
#include "base/str.h"

#define QUEUE_RUNS 48
#define QUEUE_RESERVE 6 /* runs one message part may need */

/* Lies at the start of the slab's bytes. */
struct queue {
	uint16_t first, n; /* runs [first, n) are to be sent */
	uint32_t used;     /* bytes of the slab in use, this header included */
	struct iovec run[QUEUE_RUNS];
};

static inline struct queue *
queue_of(struct slab *s)
{
	return (struct queue *)(void *)s->data;
}

void queue_init(struct slab *);
/* Room for own bytes at the end of the slab. */
size_t queue_room(struct slab *);
char *queue_end(struct slab *);
/* Adds len own bytes that were written at queue_end(). */
void queue_commit(struct slab *, size_t len);
/* Do the last bytes to be sent lie at queue_end()?  Own ones then join them. */
bool queue_ends_with_own(struct slab *);
/* Adds borrowed bytes. */
void queue_lend(struct slab *, struct str);
bool queue_is_full(struct slab *);
/* len bytes were sent; true when none are left. */
bool queue_sent(struct slab *, size_t len);

#endif
