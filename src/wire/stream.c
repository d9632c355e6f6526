#include "wire/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "http/h2.h"
#include "wire/trunk.h"

/* ---- what came ---- */

struct slab *
stream_next_head(struct stream *s)
{
	struct slab *b = s->heads;

	if (b == NULL)
		return NULL;
	s->heads = b->next;
	b->next = NULL;
	return b;
}

/* Room for n more bytes behind those that wait. */
static int
make_room(struct stream *s, size_t n)
{
	struct slab_store *store = s->trunk->wire->slabs;
	size_t left = s->in_len - s->in_off;
	enum slab_size size = SLAB_SMALL;
	struct slab *b;

	if (s->in != NULL && s->in->cap - s->in_len >= n)
		return E_OK;
	if (s->in != NULL && s->in->cap - left >= n) {
		memmove(s->in->data, s->in->data + s->in_off, left);
	} else {
		if (s->in != NULL || n > (size_t)12 << 10)
			size = SLAB_LARGE;
		b = slab_take(store, size);
		if (b == NULL)
			return E_NOMEM;
		if (b->cap < left + n) { /* past its window */
			slab_give(store, &b);
			return E_TOOBIG;
		}
		if (s->in != NULL && left > 0)
			memcpy(b->data, s->in->data + s->in_off, left);
		slab_give(store, &s->in);
		s->in = b;
	}
	s->in_off = 0;
	s->in_len = (uint32_t)left;
	return E_OK;
}

int
stream_put(struct stream *s, struct str bytes)
{
	int rc = make_room(s, bytes.len);

	if (rc != E_OK)
		return rc;
	memcpy(s->in->data + s->in_len, bytes.p, bytes.len);
	s->in_len += (uint32_t)bytes.len;
	return E_OK;
}

static struct stream *
stream_of(struct conn *c)
{
	return CONTAINER_OF(c, struct lane, conn)->stream;
}

static ssize_t
stream_recv(struct conn *c, void *p, size_t len)
{
	struct stream *s = stream_of(c);
	size_t n = MIN(len, (size_t)(s->in_len - s->in_off));

	if (n > 0) {
		memcpy(p, s->in->data + s->in_off, n);
		s->in_off += (uint32_t)n;
		if (s->in_off == s->in_len) {
			slab_give(s->trunk->wire->slabs, &s->in);
			s->in_off = s->in_len = 0;
		}
		h2_consumed(s->trunk->h2, s->id, n);
		trunk_push_later(s->trunk);
		c->maybe_input = s->in != NULL || s->ended || s->reset;
		return (ssize_t)n;
	}
	c->maybe_input = c->unsure = false;
	if (s->ended) {
		c->eof = true;
		return 0;
	}
	if (!s->reset)
		return E_AGAIN;
	c->failed = true;
	return E_RESET;
}

/* ---- what goes out ---- */

/* Nothing lies in the lane but what is being sent, and that is taken. */
static bool
is_all_taken(const struct stream *s)
{
	return s->n_iov == 0 &&
	    (s->iov != NULL || s->lane == NULL || !lane_pending(s->lane));
}

/* As much as the trunk has asked for, of what the lane sends now. */
size_t
stream_pull(struct stream *s, char *out, size_t cap, bool *end)
{
	size_t n = 0;

	while (s->n_iov > 0 && n < cap) {
		size_t len = MIN(s->iov->iov_len - s->iov_off, cap - n);

		memcpy(out + n, (char *)s->iov->iov_base + s->iov_off, len);
		n += len;
		s->iov_off += len;
		if (s->iov_off == s->iov->iov_len) {
			s->iov++;
			s->n_iov--;
			s->iov_off = 0;
		}
	}
	s->taken += n;
	if (s->fin && is_all_taken(s)) {
		*end = s->fin_sent = true;
		if (s->out_trailers != NULL &&
		    h2_trailers(s->trunk->h2, s->id, s->out_trailers) != E_OK)
			h2_reset(s->trunk->h2, s->id, H2_INTERNAL_ERROR);
	} else if (n == 0 && s->n_iov == 0 && s->lane != NULL &&
	    s->lane->conn.no_room && !s->stuck) {
		trunk_tell(s, false, true); /* its window is open again */
	}
	return n;
}

static ssize_t
stream_sendv(struct conn *c, const struct iovec *iov, int n)
{
	struct stream *s = stream_of(c);
	size_t want = iov_bytes(iov, n);
	bool all;

	if (s->reset || s->closed)
		return E_RESET;
	c->no_room = false;
	s->iov = iov;
	s->n_iov = n;
	s->iov_off = s->taken = 0;
	h2_more(s->trunk->h2, s->id);
	all = trunk_push(s->trunk);
	s->iov = NULL;
	s->n_iov = 0;
	c->no_room = s->taken < want;
	s->stuck = c->no_room && !all;
	return (ssize_t)s->taken;
}

/* One piece of memory: the head and all its texts. */
static struct http_head *
copy_head(const struct http_head *from)
{
	size_t bytes = sizeof(*from);
	struct http_head *to;
	char *p;

	for (unsigned i = 0; i < from->n; i++)
		bytes += (size_t)from->f[i].name_len + from->f[i].value_len;
	to = malloc(bytes);
	if (to == NULL)
		return NULL;
	*to = *from;
	p = (char *)(to + 1);
	for (unsigned i = 0; i < to->n; i++) {
		struct http_field *f = &to->f[i];

		memcpy(p, f->name, f->name_len);
		f->name = p;
		p += f->name_len;
		if (f->value_len > 0)
			memcpy(p, f->value, f->value_len);
		f->value = p;
		p += f->value_len;
	}
	return to;
}

static int
ask(struct stream *s, const struct http_head *h, bool more)
{
	bool https = s->trunk->lane->conn.over != NULL;
	int32_t id = h2_request(s->trunk->h2, h, https, more, s);

	if (id < 0)
		return (int)id;
	s->id = id;
	return E_OK;
}

int
stream_send_head(struct stream *s, const struct http_head *h, bool more)
{
	int rc;

	if (s->reset || s->closed)
		return E_OK; /* lane_flush() will say so */
	s->tunnel = h->status == 101;
	rc = h->status == 0
	    ? ask(s, h, more)
	    : h2_respond(s->trunk->h2, s->id, h, more || s->tunnel);
	if (rc == E_OK && (h->status == 0 || h->status >= 200))
		s->fin = s->fin_sent = !more;
	trunk_push_later(s->trunk);
	return rc == E_RESET ? E_OK : rc;
}

int
stream_send_end(struct stream *s, const struct http_head *trailers)
{
	if (s->fin || s->reset || s->closed)
		return E_OK;
	if (trailers != NULL && trailers->n > 0) {
		s->out_trailers = copy_head(trailers);
		if (s->out_trailers == NULL)
			return E_NOMEM;
	}
	s->fin = true;
	return E_OK;
}

void
stream_finish(struct stream *s)
{
	if (!s->fin || s->fin_sent || s->reset || s->closed || s->id == 0)
		return;
	h2_more(s->trunk->h2, s->id);
	trunk_push_later(s->trunk);
}

/* ---- the end ---- */

static void
stream_shut(struct conn *c)
{
	struct stream *s = stream_of(c);

	s->fin = true; /* of messages lane_send_end() has said it */
	stream_finish(s);
}

static bool
stream_is_stale(struct conn *c)
{
	const struct stream *s = stream_of(c);

	return s->reset || s->closed;
}

void
stream_free(struct stream *s)
{
	struct slab_store *store = s->trunk->wire->slabs;
	struct slab *b;

	while ((b = stream_next_head(s)) != NULL)
		slab_give(store, &b);
	slab_give(store, &s->in);
	slab_give(store, &s->trailers);
	free(s->out_trailers);
	free(s);
}

/* RFC 8441 5: what is a reset of TCP elsewhere is CANCEL in a tunnel. */
static uint32_t
cut_code(const struct stream *s, bool hard)
{
	return hard && !s->tunnel ? H2_INTERNAL_ERROR : H2_CANCEL;
}

/* Nobody listens any more: the peer is asked to stop, behind our end. */
static void
end_whole(struct stream *s)
{
	if (s->tunnel && s->fin_sent && !s->ended)
		h2_reset(s->trunk->h2, s->id, H2_NO_ERROR);
	else
		s->tunnel = false;
	stream_finish(s);
}

/*
 * The lane lets go.  What is whole goes on to the peer; what is not is cut, so
 * that the peer sees it.
 */
static void
stream_close(struct conn *c, bool hard)
{
	struct lane *l = CONTAINER_OF(c, struct lane, conn);
	struct stream *s = l->stream;
	struct trunk *t = s->trunk;
	/* Of a request the answer, too. */
	bool whole = s->fin && !hard && !lane_pending(l) &&
	    (!l->reader.is_response || s->ended);
	bool known = s->id != 0 && !s->closed && !s->reset;
	struct slab *b;

	l->stream = NULL;
	s->lane = NULL;
	trunk_unask(s);
	if (s->in_len > s->in_off)
		h2_consumed(t->h2, s->id, s->in_len - s->in_off);
	s->in_off = s->in_len = 0;
	slab_give(t->wire->slabs, &s->in);
	while ((b = stream_next_head(s)) != NULL)
		slab_give(t->wire->slabs, &b);
	if (known && !whole)
		h2_reset(t->h2, s->id,
		    cut_code(s, hard && !l->reader.is_response));
	else if (known)
		end_whole(s);
	s->closed |= s->id == 0;
	trunk_let_go(s);
}

const struct conn_ops stream_ops = {
	.recv = stream_recv,
	.sendv = stream_sendv,
	.shut = stream_shut,
	.close = stream_close,
	.is_stale = stream_is_stale,
};
