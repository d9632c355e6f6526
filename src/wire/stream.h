/*
 * stream - one stream of a trunk, seen as a connection: its lane reads the
 * bytes of bodies from it and sends such bytes, by conn ops of its own; heads
 * and trailers go beside them.  Inside wire only.
 *
 * Thread: the loop's.
 */
#ifndef WIRE_STREAM_H
#define WIRE_STREAM_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include "base/attr.h"
#include "base/slab.h"
#include "base/str.h"
#include "http/head.h"
#include "net/conn.h"

struct lane;
struct trunk;

STAILQ_HEAD(ready_list, stream);
TAILQ_HEAD(stream_list, stream);
LIST_HEAD(asked_list, stream);

struct stream {
	struct trunk *trunk; /* borrowed */
	struct lane *lane;   /* borrowed; NULL: given up, or none yet */
	TAILQ_ENTRY(stream) link;
	STAILQ_ENTRY(stream) ready_link;
	LIST_ENTRY(stream) asked_link;
	int32_t id;         /* 0: it is ours, and nothing was asked yet */
	struct slab *heads; /* owned: blocks not read yet, by ->next */
	struct slab *in;    /* owned: bytes not read yet */
	uint32_t in_off, in_len;
	struct slab *trailers; /* owned: that came */
	/* what goes out */
	const struct iovec *iov; /* during stream_sendv() */
	int n_iov;
	size_t iov_off, taken;
	struct http_head *out_trailers; /* owned, with its texts */
	bool fin;                       /* nothing comes behind the queue */
	bool fin_sent;
	bool tunnel; /* 101 was said: each way ends by itself */
	/* what came */
	bool ended;  /* all of the message has come */
	bool reset;  /* by the peer, or with the trunk */
	bool closed; /* the codec has forgotten it */
	bool ready;  /* in the trunk's list: its lane is to be told ... */
	bool may_read, may_write;
	bool stuck; /* the trunk had no room */
	bool asked; /* in the trunk's list: its head is not sent yet */
};

extern const struct conn_ops stream_ops;
#define STREAM_FD (-2) /* open, and no descriptor */

/* Heads, trailers and the end, for lane.c and lane_write.c. */

/* The next head as a slab for the lane's input, now its own; NULL: none. */
struct slab *stream_next_head(struct stream *);
/* Queues a head; more: something may follow it.  E_* as of lane_send_head(). */
int stream_send_head(struct stream *, const struct http_head *,
    bool more) MUST_CHECK;
/* Nothing but what is queued is to come; trailers may be NULL. */
int stream_send_end(struct stream *, const struct http_head *) MUST_CHECK;
/* Sends the end if nothing else is queued. */
void stream_finish(struct stream *);

/* For trunk.c. */

/* The codec's side is gone; frees it once the lane has let go, too. */
void stream_forget(struct stream *);
size_t stream_pull(struct stream *, char *out, size_t cap, bool *end);
/* E_NOMEM: there is no room for the bytes. */
int stream_put(struct stream *, struct str bytes) MUST_CHECK;
void stream_free(struct stream *);

#endif
