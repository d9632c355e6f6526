#include "wire/trunk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "wire/lane_int.h"

#define READS_MAX 16    /* of a turn */
#define FRAME_MAX 16500 /* bytes the codec gives at once, as a rule */
#define ROUNDS_MAX 8    /* of filling and sending, in a turn */
#define HEADS_MAX 8     /* of one stream, unread: the last is the answer's */

static void on_defer(struct defer *);
static void on_more(struct later *);

/* It was dialled: the requests are ours. */
static bool
asks(const struct trunk *t)
{
	return t->lane->reader.is_response;
}

/* ---- telling lanes ---- */

void
trunk_tell(struct stream *s, bool read, bool write)
{
	struct trunk *t = s->trunk;

	s->may_read |= read;
	s->may_write |= write;
	if (s->ready)
		return;
	s->ready = true;
	STAILQ_INSERT_TAIL(&t->ready, s, ready_link);
	trunk_push_later(t);
}

static void
tell_lane(struct stream *s)
{
	struct conn *c = &s->lane->conn;
	unsigned what = 0;

	if (s->may_read) {
		c->maybe_input = true;
		what |= WATCH_READ;
	}
	if (s->may_write) {
		c->no_room = false;
		what |= WATCH_WRITE;
	}
	s->may_read = s->may_write = false;
	c->fn(c, what);
}

/* Lanes are told outside of the codec, and may close themselves and others. */
static void
tell_ready(struct trunk *t)
{
	struct stream *s;

	if (t->telling)
		return;
	t->telling = true;
	while ((s = STAILQ_FIRST(&t->ready)) != NULL) {
		STAILQ_REMOVE_HEAD(&t->ready, ready_link);
		s->ready = false;
		if (s->lane != NULL)
			tell_lane(s);
		else if (s->closed)
			stream_forget(s);
	}
	t->telling = false;
}

/* ---- what the codec tells ---- */

static struct stream *
stream_new(struct trunk *t, int32_t id)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->trunk = t;
	s->id = id;
	TAILQ_INSERT_TAIL(&t->streams, s, link);
	return s;
}

/* False: more than anybody says before an answer. */
static bool
add_head(struct stream *s, struct slab *block)
{
	struct slab **at = &s->heads;
	unsigned n = 0;

	for (; *at != NULL; at = &(*at)->next)
		n++;
	if (n < HEADS_MAX)
		*at = block;
	return n < HEADS_MAX;
}

/* Nobody will read it. */
static bool
is_given_up(const struct stream *s)
{
	return s->reset || (s->lane == NULL && s->heads == NULL);
}

static void
on_head(void *arg, int32_t id, void *stream, struct slab *block, bool end)
{
	struct trunk *t = arg;
	struct stream *s = stream;

	if (s != NULL && is_given_up(s)) {
		slab_give(t->wire->slabs, &block);
		return;
	}
	if (s == NULL) { /* the peer's */
		s = stream_new(t, id);
		if (s == NULL) {
			slab_give(t->wire->slabs, &block);
			h2_reset(t->h2, id, H2_REFUSED_STREAM);
			return;
		}
		h2_name(t->h2, id, s);
		t->n_fresh++;
	}
	if (add_head(s, block)) {
		s->ended |= end;
	} else {
		slab_give(t->wire->slabs, &block);
		s->reset = true;
		h2_reset(t->h2, s->id, H2_CALM);
	}
	trunk_tell(s, true, false);
}

static void
on_data(void *arg, void *stream, struct str bytes)
{
	struct trunk *t = arg;
	struct stream *s = stream;

	if (is_given_up(s)) {
		h2_consumed(t->h2, s->id, bytes.len);
		return;
	}
	if (stream_put(s, bytes) != E_OK) {
		s->reset = true;
		h2_consumed(t->h2, s->id, bytes.len);
		h2_reset(t->h2, s->id, H2_INTERNAL_ERROR);
	}
	trunk_tell(s, true, false);
}

static void
on_end(void *arg UNUSED, void *stream, struct slab *trailers)
{
	struct stream *s = stream;

	slab_give(s->trunk->wire->slabs, &s->trailers);
	s->trailers = trailers;
	if (s->tunnel && trailers != NULL) { /* RFC 9113 8.5 */
		s->reset = true;
		h2_reset(s->trunk->h2, s->id, H2_PROTOCOL_ERROR);
	} else {
		s->ended = true;
	}
	trunk_tell(s, true, false);
}

static bool
has_answer(const struct stream *s)
{
	return s->heads != NULL || s->ended || s->lane->begun;
}

static void
on_closed(void *arg UNUSED, void *stream, uint32_t code)
{
	struct stream *s = stream;

	s->closed = true;
	s->trunk->calmed |= code == H2_CALM;
	trunk_unask(s);
	if (code == H2_REFUSED_STREAM && s->lane != NULL && !has_answer(s))
		s->lane->sent = 0; /* as if it had never been asked */
	/* Whole both ways is well; a reset behind a whole answer is, too. */
	if (code != H2_NO_ERROR || !s->ended || !s->fin_sent)
		s->reset = true;
	trunk_tell(s, true, false);
}

static size_t
on_pull(void *arg UNUSED, void *stream, char *out, size_t cap, bool *end)
{
	return stream_pull(stream, out, cap, end);
}

static bool
on_is_tunnel(void *arg UNUSED, void *stream)
{
	const struct stream *s = stream;

	return s->tunnel;
}

static void
on_pong(void *arg)
{
	struct trunk *t = arg;

	if (!t->warned)
		return;
	h2_goaway(t->h2, H2_NO_ERROR);
	trunk_push_later(t);
}

/* ---- asking ---- */

/* Its head is in .out and will leave, whatever becomes of its lane. */
static void
on_asked(void *arg, void *stream)
{
	struct trunk *t = arg;
	struct stream *s = stream;

	if (s->asked || s->lane == NULL)
		return;
	s->asked = true;
	s->lane->sent++;
	LIST_INSERT_HEAD(&t->asked, s, asked_link);
}

void
trunk_unask(struct stream *s)
{
	if (!s->asked)
		return;
	s->asked = false;
	LIST_REMOVE(s, asked_link);
}

/* A byte of their heads may have left; or none has, and none will. */
static void
unask_all(struct trunk *t, bool left)
{
	struct stream *s;

	while ((s = LIST_FIRST(&t->asked)) != NULL) {
		if (!left)
			s->lane->sent = 0;
		trunk_unask(s);
	}
}

static enum http_method
on_method(void *arg UNUSED, void *stream)
{
	const struct stream *s = stream;

	return s->lane == NULL ? METHOD_OTHER
	                       : (enum http_method)s->lane->method;
}

static const struct h2_user codec_user = {
	.head = on_head,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
	.pull = on_pull,
	.is_tunnel = on_is_tunnel,
	.pong = on_pong,
	.asked = on_asked,
	.method = on_method,
};

/* ---- sending ---- */

static bool
has_room(const struct trunk *t)
{
	return t->out == NULL || t->out->cap - t->out_len >= FRAME_MAX;
}

/* Moves what the codec has into the slab; false when there is no room. */
static bool
fill_out(struct trunk *t)
{
	while (has_room(t)) {
		size_t n;

		if (t->rest.len == 0)
			t->rest = h2_send(t->h2);
		if (t->rest.len == 0)
			return true;
		if (t->out == NULL) {
			t->out = slab_take(t->wire->slabs, SLAB_LARGE);
			if (t->out == NULL)
				return false;
			t->out_off = t->out_len = 0;
		}
		n = MIN(t->rest.len, (size_t)(t->out->cap - t->out_len));
		memcpy(t->out->data + t->out_len, t->rest.p, n);
		t->out_len += (uint32_t)n;
		t->rest = str_sub(t->rest, n, t->rest.len);
	}
	return false;
}

bool
trunk_push(struct trunk *t)
{
	bool all = t->code == E_OK && fill_out(t);

	assert(!t->receiving);
	t->short_of_room |= !all;
	trunk_push_later(t);
	return all;
}

void
trunk_push_later(struct trunk *t)
{
	loop_defer(t->wire->loop, &t->defer, on_defer);
}

/* Sends what the slab holds: E_OK, also when the socket takes no more. */
static int
send_out(struct trunk *t)
{
	struct iovec run;
	ssize_t n;

	if (t->out == NULL || t->lane->conn.no_room)
		return E_OK;
	run.iov_base = t->out->data + t->out_off;
	run.iov_len = t->out_len - t->out_off;
	n = conn_sendv(&t->lane->conn, &run, 1);
	if (n < 0)
		return (int)n;
	if (n > 0)
		unask_all(t, true);
	t->out_off += (uint32_t)n;
	if (t->out_off == t->out_len)
		slab_give(t->wire->slabs, &t->out);
	return E_OK;
}

static void
wake_stuck(struct trunk *t)
{
	struct stream *s;

	t->short_of_room = false;
	TAILQ_FOREACH (s, &t->streams, link) {
		if (s->stuck && s->lane != NULL)
			trunk_tell(s, false, true);
		s->stuck = false;
	}
}

static void
fail(struct trunk *t, int code)
{
	struct stream *s;

	if (t->code != E_OK)
		return;
	t->code = code;
	if (code != E_SYNTAX) /* then .out goes out before the end */
		unask_all(t, false);
	TAILQ_FOREACH (s, &t->streams, link) {
		if (s->fin_sent && s->ended)
			continue;
		s->reset = true;
		trunk_tell(s, true, false);
	}
	trunk_push_later(t);
}

/* Lanes, frames, socket, until neither has more to do. */
static void
flush(struct trunk *t)
{
	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		int rc;

		tell_ready(t);
		if (t->freed || (t->code != E_OK && t->code != E_SYNTAX))
			return;
		rc = fill_out(t) || t->out != NULL ? E_OK : E_NOMEM;
		if (rc == E_OK && t->out == NULL && STAILQ_EMPTY(&t->ready))
			return;
		if (rc == E_OK)
			rc = send_out(t);
		if (rc != E_OK) {
			fail(t, rc);
			tell_ready(t);
			return;
		}
		if (t->out != NULL)
			return; /* the socket is full */
		if (t->short_of_room)
			wake_stuck(t);
	}
	loop_later(t->wire->loop, &t->more, on_more);
}

/* ---- receiving ---- */

static int
receive(struct trunk *t, struct str bytes)
{
	int rc;

	t->receiving = true;
	rc = h2_receive(t->h2, bytes, loop_now_us(t->wire->loop));
	t->receiving = false;
	if (t->in_head != h2_in_block(t->h2)) {
		t->in_head = !t->in_head;
		if (!asks(t))
			t->user->in_head(t, t->in_head);
	}
	return rc;
}

/* Streams that have come get their lanes. */
static void
begin_streams(struct trunk *t)
{
	struct stream *s, *next;

	if (t->n_fresh == 0)
		return;
	t->n_fresh = 0;
	for (s = TAILQ_FIRST(&t->streams); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->lane != NULL || s->heads == NULL || s->reset)
			continue;
		t->user->stream(t, s);
		if (s->lane == NULL) {
			struct slab *b = stream_next_head(s);

			slab_give(t->wire->slabs, &b);
			h2_reset(t->h2, s->id, H2_REFUSED_STREAM);
		}
	}
}

/* Reads once; false when there is nothing more to read now. */
static bool
read_some(struct trunk *t)
{
	struct conn *c = &t->lane->conn;
	struct slab *in = slab_take(t->wire->slabs,
	    t->bulk ? SLAB_LARGE : SLAB_SMALL);
	ssize_t n;
	int rc;

	if (in == NULL) {
		fail(t, E_NOMEM);
		return false;
	}
	n = conn_recv(c, in->data, in->cap);
	t->bulk = n == (ssize_t)in->cap;
	if (n > 0)
		t->heard_us = loop_now_us(t->wire->loop);
	rc = n > 0   ? receive(t, str_from(in->data, (size_t)n))
	    : n == 0 ? E_EOF
	             : (int)n;
	slab_give(t->wire->slabs, &in);
	begin_streams(t);
	if (rc != E_OK && rc != E_AGAIN)
		fail(t, rc);
	tell_ready(t);
	return rc == E_OK;
}

/*
 * Is there more to read?  Who waits for answers looks for a reset, too, whose
 * edge may have been that of bytes before it (net/conn.h).
 */
static bool
may_read(const struct trunk *t)
{
	const struct conn *c = &t->lane->conn;

	return c->maybe_input || (c->unsure && t->n_lanes > 0 && asks(t));
}

static void
read_all(struct trunk *t)
{
	for (unsigned i = 0; i < READS_MAX; i++) {
		if (t->freed || t->code != E_OK || !may_read(t))
			return;
		if (!read_some(t))
			return;
	}
	loop_later(t->wire->loop, &t->more, on_more);
}

static void
on_conn(struct conn *c, unsigned what)
{
	struct trunk *t = CONTAINER_OF(c, struct lane, conn)->trunk;

	if (what & (WATCH_READ | WATCH_CLOSED))
		read_all(t);
	trunk_push_later(t);
}

static void
on_more(struct later *l)
{
	struct trunk *t = CONTAINER_OF(l, struct trunk, more);

	read_all(t);
	trunk_push_later(t);
}

/* ---- the end of a turn ---- */

static void
destroy(struct trunk *t)
{
	struct stream *s;

	while ((s = TAILQ_FIRST(&t->streams)) != NULL) {
		TAILQ_REMOVE(&t->streams, s, link);
		stream_free(s);
	}
	slab_give(t->wire->slabs, &t->out);
	h2_free(&t->h2);
	free(t);
}

static void
on_defer(struct defer *d)
{
	struct trunk *t = CONTAINER_OF(d, struct trunk, defer);

	if (t->freed) {
		destroy(t);
		return;
	}
	flush(t);
	if (t->freed || t->told)
		return;
	if (t->code == E_OK && h2_is_over(t->h2) && t->out == NULL)
		fail(t, E_EOF);
	tell_ready(t);
	if (t->code == E_OK || t->n_lanes > 0 || t->freed)
		return;
	if (t->code == E_SYNTAX && t->out != NULL && !t->lane->conn.failed)
		return; /* the reason is still to be sent */
	t->told = true;
	t->user->broken(t, t->code);
}

void
stream_forget(struct stream *s)
{
	if (s->ready) {
		STAILQ_REMOVE(&s->trunk->ready, s, stream, ready_link);
		s->ready = false;
	}
	TAILQ_REMOVE(&s->trunk->streams, s, link);
	stream_free(s);
}

void
trunk_let_go(struct stream *s)
{
	struct trunk *t = s->trunk;

	t->n_lanes--;
	if (s->closed)
		stream_forget(s);
	trunk_push_later(t);
	if (t->n_lanes == 0 && t->code == E_OK && !asks(t))
		t->user->idle(t);
}

/* ---- making, stopping ---- */

int
trunk_new(struct trunk **out, struct lane *l,
    const struct h2_settings *settings, const struct trunk_user *user,
    void *arg)
{
	struct trunk *t = calloc(1, sizeof(*t));
	int rc;

	*out = NULL;
	if (t == NULL)
		return E_NOMEM;
	t->lane = l;
	t->wire = l->wire;
	t->user = user;
	t->arg = arg;
	TAILQ_INIT(&t->streams);
	STAILQ_INIT(&t->ready);
	LIST_INIT(&t->asked);
	rc = h2_new(&t->h2, settings, &codec_user, t, t->wire->slabs);
	if (rc != E_OK) {
		free(t);
		return rc;
	}
	l->trunk = t;
	l->paused = true; /* it reads nothing itself */
	l->conn.fn = on_conn;
	if (l->in != NULL)
		rc = receive(t, lane_unread(l));
	slab_give(t->wire->slabs, &l->in);
	l->in_off = l->in_len = 0;
	begin_streams(t);
	if (rc != E_OK)
		fail(t, rc);
	tell_ready(t);
	read_all(t);
	trunk_push_later(t);
	*out = t;
	return E_OK;
}

void
trunk_free(struct trunk **tp)
{
	struct trunk *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	assert(t->n_lanes == 0);
	if (t->code == E_OK)
		h2_goaway(t->h2, H2_NO_ERROR);
	if (t->code == E_OK || t->code == E_SYNTAX) {
		(void)fill_out(t);
		(void)send_out(t);
	}
	t->freed = true;
	later_cancel(&t->more);
	t->lane->trunk = NULL;
	t->lane->paused = false;
	t->lane->conn.fn = lane_on_conn;
	loop_defer(t->wire->loop, &t->defer, on_defer);
}

void
trunk_stop(struct trunk *t)
{
	if (t->warned || t->code != E_OK)
		return;
	t->warned = true;
	h2_warn(t->h2);
	trunk_push_later(t);
}

void
trunk_close(struct trunk *t)
{
	h2_goaway(t->h2, H2_NO_ERROR);
	fail(t, E_SYNTAX);
}

void
lane_on_stream(struct lane *l, struct stream *s, const struct lane_user *user,
    const struct http_limits *limits)
{
	lane_of_stream(l, s->trunk->wire, s, user, limits, false);
	s->lane = l;
	s->trunk->n_lanes++;
}

int
lane_asks(struct lane *l, struct trunk *t, const struct lane_user *user,
    const struct http_limits *limits)
{
	struct stream *s = stream_new(t, 0);

	if (s == NULL)
		return E_NOMEM;
	lane_of_stream(l, t->wire, s, user, limits, true);
	s->lane = l;
	t->n_lanes++;
	return E_OK;
}

size_t
trunk_room(const struct trunk *t)
{
	bool may = t->code == E_OK && !t->calmed;
	size_t all = may ? h2_may_ask(t->h2) : 0;

	return all > t->n_lanes ? all - t->n_lanes : 0;
}

uint32_t
trunk_takes(const struct trunk *t)
{
	bool said = t->code == E_OK && h2_is_settled(t->h2);
	uint32_t n = said ? h2_may_ask(t->h2) : 0;

	return n == UINT32_MAX ? 0 : n;
}

bool
trunk_ends(const struct trunk *t)
{
	return t->code != E_OK || t->calmed || !h2_may_begin(t->h2);
}

bool
trunk_look(struct trunk *t)
{
	t->lane->conn.maybe_input = true;
	read_all(t);
	return trunk_room(t) > 0 && !t->lane->conn.fin_seen;
}
