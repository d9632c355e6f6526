/*
 * The writing half of lanes.
 */
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "base/slab.h"
#include "http/h1_write.h"
#include "wire/lane.h"
#include "wire/queue.h"
#include "wire/stream.h"

#define COPY_BYTES 2048
#define KEEP_ROOM 1024 /* own bytes of what may follow it */

static int
need_queue(struct lane *l, enum slab_size size)
{
	if (l->out != NULL)
		return E_OK;
	l->out = slab_take(l->wire->slabs, size);
	if (l->out == NULL)
		return E_NOMEM;
	queue_init(l->out);
	return E_OK;
}

/* Moves what is queued into a large slab; nothing of it may be own bytes but
 * what is copied along. */
static int
grow(struct lane *l)
{
	struct slab *big;
	struct queue *from, *to;
	ptrdiff_t shift;

	if (l->out->size == SLAB_LARGE)
		return E_TOOBIG;
	big = slab_take(l->wire->slabs, SLAB_LARGE);
	if (big == NULL)
		return E_NOMEM;
	from = queue_of(l->out);
	memcpy(big->data, l->out->data, from->used);
	to = queue_of(big);
	shift = big->data - l->out->data;
	for (unsigned i = to->first; i < to->n; i++) {
		char *p = to->run[i].iov_base;

		if (p >= l->out->data && p < l->out->data + from->used)
			to->run[i].iov_base = p + shift;
	}
	slab_give(l->wire->slabs, &l->out);
	l->out = big;
	return E_OK;
}

/* A queue with room for n own bytes. */
static int
need_room(struct lane *l, size_t n)
{
	int rc = need_queue(l, SLAB_SMALL);

	if (rc != E_OK || queue_room(l->out) >= n)
		return rc;
	rc = grow(l);
	return rc != E_OK || queue_room(l->out) >= n ? rc : E_TOOBIG;
}

static int
put(struct lane *l, struct str s)
{
	int rc = need_room(l, s.len);

	if (rc != E_OK)
		return rc;
	memcpy(queue_end(l->out), s.p, s.len);
	queue_commit(l->out, s.len);
	return E_OK;
}

/* A body may follow, and has no byte. */
static bool
is_empty(const struct http_head *h, enum http_framing framing)
{
	return framing == FRAMING_LENGTH && h->body_len == 0;
}

int
lane_send_head(struct lane *l, const struct http_head *h,
    enum http_framing framing, unsigned flags)
{
	ssize_t n;
	int rc;

	l->out_framing = (uint8_t)framing;
	l->chunk_open = false;
	if (l->mute)
		return E_OK;
	if (l->stream != NULL) {
		if (framing != FRAMING_NONE)
			l->out_framing = FRAMING_CLOSE; /* frames, not chunks */
		return stream_send_head(l->stream, h,
		    framing != FRAMING_NONE && !is_empty(h, framing));
	}
	rc = need_queue(l, SLAB_SMALL);
	if (rc != E_OK)
		return rc;
	if (framing == FRAMING_CHUNKED)
		flags |= H1W_CHUNKED;
	else if (is_empty(h, framing) && !HTTP_HAS(h, CONTENT_LENGTH))
		flags |= H1W_EMPTY;
	n = h1_write_head(h, flags, queue_end(l->out), queue_room(l->out));
	if (n == E_TOOBIG) {
		rc = grow(l);
		if (rc != E_OK)
			return rc;
		n = h1_write_head(h, flags, queue_end(l->out),
		    queue_room(l->out));
	}
	if (n < 0)
		return (int)n;
	queue_commit(l->out, (size_t)n);
	return E_OK;
}

/*
 * A short body is cheaper copied behind what is queued than sent as a part of
 * its own: sendmsg() of two parts costs more than send() of their bytes.
 */
static bool
is_cheap_to_copy(const struct lane *l, struct str bytes)
{
	return bytes.len <= COPY_BYTES &&
	    queue_room(l->out) >= bytes.len + KEEP_ROOM &&
	    queue_ends_with_own(l->out);
}

int
lane_send_data(struct lane *l, struct str bytes)
{
	int rc;

	if (bytes.len == 0 || l->mute ||
	    (l->out_framing == FRAMING_NONE && !l->raw))
		return E_OK;
	rc = need_room(l, H1_CHUNK_HEAD_MAX + 2);
	if (rc != E_OK)
		return rc;
	if (l->out_framing == FRAMING_CHUNKED && !l->raw) {
		char *p = queue_end(l->out);
		size_t n = 0;

		if (l->chunk_open) {
			memcpy(p, H1_CHUNK_TAIL, 2);
			n = 2;
		}
		n += h1_write_chunk_head(bytes.len, p + n);
		queue_commit(l->out, n);
		l->chunk_open = true;
	}
	if (is_cheap_to_copy(l, bytes)) {
		memcpy(queue_end(l->out), bytes.p, bytes.len);
		queue_commit(l->out, bytes.len);
	} else {
		queue_lend(l->out, bytes);
	}
	return E_OK;
}

int
lane_send_copy(struct lane *l, struct str bytes)
{
	return bytes.len == 0 || l->mute ? E_OK : put(l, bytes);
}

static NOINLINE int
end_chunks(struct lane *l, const struct http_head *trailers)
{
	ssize_t n;
	int rc;

	if (l->chunk_open) {
		rc = put(l, STR(H1_CHUNK_TAIL));
		if (rc != E_OK)
			return rc;
		l->chunk_open = false;
	}
	if (trailers == NULL || trailers->n == 0)
		return put(l, STR(H1_LAST_CHUNK));
	rc = need_queue(l, SLAB_SMALL);
	if (rc != E_OK)
		return rc;
	n = h1_write_trailers(trailers, queue_end(l->out), queue_room(l->out));
	if (n == E_TOOBIG && grow(l) == E_OK)
		n = h1_write_trailers(trailers, queue_end(l->out),
		    queue_room(l->out));
	if (n < 0)
		return (int)n;
	queue_commit(l->out, (size_t)n);
	return E_OK;
}

int
lane_send_end(struct lane *l, const struct http_head *trailers)
{
	if (l->stream != NULL)
		return stream_send_end(l->stream, trailers);
	if (l->out_framing != FRAMING_CHUNKED || l->raw || l->mute)
		return E_OK;
	return end_chunks(l, trailers);
}

bool
lane_is_full(const struct lane *l)
{
	return l->out != NULL && queue_is_full(l->out);
}

int
lane_flush(struct lane *l)
{
	struct queue *q;
	ssize_t n;

	if (l->closed)
		return E_RESET;
	if (l->out == NULL && l->stream != NULL)
		stream_finish(l->stream);
	if (l->out == NULL || l->conn.no_room || l->conn.connecting)
		return E_OK;
	q = queue_of(l->out);
	if (q->n > q->first) {
		n = conn_sendv(&l->conn, q->run + q->first, q->n - q->first);
		if (n < 0) {
			l->mute = true;
			l->conn.maybe_input = true;
			slab_give(l->wire->slabs, &l->out);
			return (int)n;
		}
		l->sent += (uint64_t)n;
		if (!queue_sent(l->out, (size_t)n))
			return E_OK;
	}
	slab_give(l->wire->slabs, &l->out);
	return E_OK;
}

uint64_t
lane_taken(const struct lane *l)
{
	int waiting = 0;

	if (l->stream != NULL) /* the trunk's bytes are not ours to tell */
		return l->sent;
	if (ioctl(l->conn.fd, SIOCOUTQ, &waiting) == -1)
		return l->sent;
	return l->sent - (uint64_t)waiting;
}
