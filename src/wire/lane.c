/*
 * The reading half of lanes: input slabs, the pump, events.
 */
#include "wire/lane.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/slab.h"
#include "http/h2.h"
#include "net/addr.h"
#include "wire/lane_int.h"
#include "wire/stream.h"

#define BULK_BYTES 15000   /* more at once hardly goes into a small slab */
#define BODY_ROOM_MIN 4096 /* less room than that behind a head: new slab */
/* What one lane may do in a turn: a few milliseconds at most. */
#define TURN_STEPS 512
#define TURN_READS 16

static void on_more(struct later *);

static void
lane_setup(struct lane *l, struct wire *w, const struct lane_user *user,
    const struct http_limits *limits, bool responses)
{
	memset((char *)l + sizeof(l->conn), 0, sizeof(*l) - sizeof(l->conn));
	l->wire = w;
	l->user = user;
	l->limits = *limits;
	h1_reader_init(&l->reader, responses);
}

int
lane_accept(struct lane *l, struct wire *w, int fd,
    const struct lane_user *user, const struct http_limits *limits)
{
	int rc;

	lane_setup(l, w, user, limits, false);
	rc = conn_init(&l->conn, w->loop, fd, lane_on_conn);
	if (rc != E_OK)
		l->closed = true;
	l->fresh = user->preface != NULL;
	return rc;
}

void
lane_of_stream(struct lane *l, struct wire *w, struct stream *s,
    const struct lane_user *user, const struct http_limits *limits,
    bool responses)
{
	lane_setup(l, w, user, limits, responses);
	l->conn = (struct conn){ .ops = &stream_ops,
		.fn = lane_on_conn,
		.fd = STREAM_FD };
	l->stream = s;
}

int
lane_dial(struct lane *l, struct wire *w, const struct addr *to,
    const struct lane_user *user, const struct http_limits *limits)
{
	int rc;

	lane_setup(l, w, user, limits, true);
	rc = conn_dial(&l->conn, w->loop, to, lane_on_conn);
	l->dialing = rc == E_OK;
	l->closed = rc != E_OK;
	return rc;
}

void
lane_greets(struct lane *l)
{
	l->greeting = true;
}

static void
give_slabs(struct lane *l)
{
	if (l->held != NULL && l->held != l->in)
		slab_give(l->wire->slabs, &l->held);
	l->held = NULL;
	slab_give(l->wire->slabs, &l->in);
	slab_give(l->wire->slabs, &l->out);
	l->in_base = l->in_off = l->in_len = 0;
}

void
lane_close(struct lane *l)
{
	if (l->closed)
		return;
	l->closed = true;
	later_cancel(&l->more);
	conn_close(&l->conn);
	give_slabs(l);
}

void
lane_reset(struct lane *l)
{
	if (l->closed)
		return;
	l->closed = true;
	later_cancel(&l->more);
	conn_reset(&l->conn);
	give_slabs(l);
}

static void
tell_eof(struct lane *l)
{
	if (l->eof_told || l->closed)
		return;
	l->eof_told = true;
	l->user->eof(l);
}

static void
tell_broken(struct lane *l, int code, enum http_bad why)
{
	if (l->deaf) {
		tell_eof(l);
		return;
	}
	if (l->told || l->closed)
		return;
	l->told = true;
	l->user->broken(l, code, why);
}

struct str
lane_unread(const struct lane *l)
{
	if (l->in == NULL)
		return (struct str){ NULL, 0 };
	return str_from(l->in->data + l->in_off, l->in_len - l->in_off);
}

/* Nothing is unread: the next bytes may go where the last ones were. */
static void
forget_read(struct lane *l)
{
	if (l->in_len > l->in_base)
		l->whole = false;
	l->in_off = l->in_len = l->in_base;
}

/* A request's body stays while it fits: it may have to be sent again. */
static bool
keeps_body(const struct lane *l)
{
	return lane_can_rewind(l) && !l->reader.is_response && !l->bulk &&
	    l->in->cap - l->in_len >= BODY_ROOM_MIN;
}

/* Gives the input slab back when nothing in it is needed. */
static void
settle(struct lane *l)
{
	if (l->in == NULL || l->in_len > l->in_off)
		return;
	if (l->held == l->in) {
		if (!keeps_body(l))
			forget_read(l);
		return;
	}
	slab_give(l->wire->slabs, &l->in);
	l->in_base = l->in_off = l->in_len = 0;
}

/* A fresh slab for input; unread bytes move along. */
static int
swap_slab(struct lane *l, enum slab_size size)
{
	struct slab *fresh = slab_take(l->wire->slabs, size);
	struct str rest = lane_unread(l);

	if (fresh == NULL)
		return E_NOMEM;
	if (rest.len > 0)
		memcpy(fresh->data, rest.p, rest.len);
	if (l->in != l->held)
		slab_give(l->wire->slabs, &l->in);
	l->whole = false;
	l->in = fresh;
	l->in_base = l->in_off = 0;
	l->in_len = (uint32_t)rest.len;
	return E_OK;
}

/* Makes room behind the unread bytes. */
static int
make_room(struct lane *l)
{
	struct str rest = lane_unread(l);
	size_t room;

	if (l->in == NULL)
		return swap_slab(l, l->bulk ? SLAB_LARGE : SLAB_SMALL);
	if (rest.len == 0) {
		if (keeps_body(l))
			return E_OK;
		forget_read(l);
		room = l->in->cap - l->in_len;
		if (l->bulk && l->in->size == SLAB_SMALL)
			return swap_slab(l, SLAB_LARGE);
		return room >= BODY_ROOM_MIN ? E_OK : swap_slab(l, SLAB_SMALL);
	}
	if (l->in->cap > l->in_len)
		return E_OK;
	if (l->in_off > l->in_base && l->held != l->in) {
		memmove(l->in->data, rest.p, rest.len);
		l->in_off = 0;
		l->in_len = (uint32_t)rest.len;
		return E_OK;
	}
	if (l->in->size == SLAB_LARGE && rest.len >= l->in->cap)
		return E_TOOBIG;
	return swap_slab(l, SLAB_LARGE);
}

/* Reads once; false when there is nothing (more) to do with input now. */
static bool
fill(struct lane *l)
{
	size_t room;
	ssize_t n;
	int rc = make_room(l);

	if (rc != E_OK) {
		tell_broken(l, rc == E_TOOBIG ? E_SYNTAX : rc,
		    rc == E_TOOBIG ? BAD_HEAD_TOO_BIG : BAD_NONE);
		return false;
	}
	room = l->in->cap - l->in_len;
	n = conn_recv(&l->conn, l->in->data + l->in_len, room);
	if (n > 0) {
		l->in_len += (uint32_t)n;
		l->bulk = (size_t)n == room || n > BULK_BYTES;
		l->had_bulk |= l->bulk;
		return true;
	}
	if (n == 0)
		return true; /* conn.eof: the pump sees it */
	if (n != E_AGAIN)
		tell_broken(l, (int)n, BAD_NONE);
	return false;
}

static bool
flush_lent(struct lane *l)
{
	if (!l->lent)
		return true;
	l->lent = false;
	if (l->user->batch(l))
		return !l->closed;
	if (!l->closed)
		l->paused = true;
	return false;
}

enum step { STEP_MORE, STEP_ON, STEP_STOP };

/* HTTP/2 begins with a request that HTTP/1 cannot have (RFC 9113 3.4). */
static NOINLINE enum step
read_preface(struct lane *l)
{
	struct str in = lane_unread(l);
	size_t len = sizeof(H2_PREFACE) - 1;
	bool whole = in.len >= len;

	assert(in.p != NULL);
	if (memcmp(in.p, H2_PREFACE, MIN(in.len, len)) != 0) {
		l->fresh = false;
		return STEP_ON;
	}
	l->user->preface(l, whole);
	if (!whole)
		return STEP_MORE;
	l->fresh = false;
	return STEP_ON;
}

static bool
begin(struct lane *l)
{
	if (l->begun)
		return true;
	l->begun = true;
	l->user->begin(l);
	return !l->closed;
}

/*
 * A stream's head comes in a slab of its own, bodies are read in behind it:
 * so it lies where one of HTTP/1 would.
 */
static NOINLINE enum step
take_head(struct lane *l)
{
	struct slab *s = stream_next_head(l->stream);
	struct h2_block *b;

	if (s == NULL) {
		l->conn.maybe_input = l->stream->reset;
		return STEP_MORE;
	}
	b = h2_block_of(s);
	l->in = s;
	l->in_base = l->in_off = l->in_len = h2_block_size(b);
	if (!begin(l))
		return STEP_STOP;
	if (b->bad != BAD_NONE) {
		tell_broken(l, E_SYNTAX, (enum http_bad)b->bad);
		return STEP_STOP;
	}
	l->reader.framing = FRAMING_CLOSE; /* nothing but the end ends it */
	l->reader.phase = l->stream->ended && l->stream->in == NULL &&
	        l->stream->trailers == NULL
	    ? H1_DONE
	    : H1_BODY;
	/* What follows is the tunnel's, should there be one. */
	if (b->head.status / 100 == 1 || b->head.upgrade)
		l->reader.phase = H1_DONE;
	l->conn.maybe_input = true;
	l->end_due = l->lent = true;
	l->user->head(l, &b->head);
	return STEP_ON;
}

static enum step
read_head(struct lane *l)
{
	struct str in = lane_unread(l);
	struct http_head *h = &l->wire->scratch;
	ssize_t used;

	if (l->stream != NULL)
		return take_head(l);
	if (in.len == 0)
		return STEP_MORE;
	if (l->fresh)
		return read_preface(l);
	if (!begin(l))
		return STEP_STOP;
	used = h1_read_head(&l->reader, in, &l->limits,
	    (enum http_method)l->method, h);
	if (used == 0)
		return STEP_MORE;
	if (used < 0) {
		tell_broken(l, E_SYNTAX, (enum http_bad)l->reader.bad);
		return STEP_STOP;
	}
	l->in_off += (uint32_t)used;
	l->end_due = true;
	l->lent = true;
	l->user->head(l, h);
	return STEP_ON;
}

static enum step
read_body(struct lane *l)
{
	struct str in = lane_unread(l), data;
	size_t used = 0;
	enum h1_body_event ev;

	if (in.len == 0)
		return STEP_MORE;
	ev = h1_read_body(&l->reader, in, &l->limits, &used, &data,
	    &l->wire->scratch);
	l->in_off += (uint32_t)used;
	switch (ev) {
	case H1_MORE:
		return STEP_MORE;
	case H1_DATA:
		l->lent = true;
		if (l->user->data(l, data))
			return STEP_ON;
		return flush_lent(l) ? STEP_ON : STEP_STOP;
	case H1_TRAILED:
		l->lent = true;
		l->user->trailers(l, &l->wire->scratch);
		return STEP_ON;
	case H1_END:
		return STEP_ON;
	case H1_BAD:
		break;
	}
	tell_broken(l, E_SYNTAX, (enum http_bad)l->reader.bad);
	return STEP_STOP;
}

static enum step
read_raw(struct lane *l)
{
	struct str in = lane_unread(l);

	if (in.len == 0)
		return STEP_MORE;
	l->in_off = l->in_len;
	if (l->deaf)
		return STEP_ON;
	l->lent = true;
	(void)l->user->data(l, in);
	return flush_lent(l) ? STEP_ON : STEP_STOP;
}

/* Does the next thing with the bytes at hand. */
static enum step
step(struct lane *l)
{
	if (l->raw || l->deaf)
		return read_raw(l);
	switch ((enum h1_phase)l->reader.phase) {
	case H1_HEAD:
		return read_head(l);
	case H1_BODY:
	case H1_TRAILERS:
		return read_body(l);
	case H1_DONE:
		break;
	}
	if (!l->end_due)
		return STEP_STOP; /* until lane_next() */
	l->end_due = false;
	l->user->end(l);
	return STEP_ON;
}

/* Over TLS a FIN alone does not end a body: anybody on the way can send one. */
static bool
may_end_body(struct lane *l)
{
	if (l->conn.torn && l->reader.phase == H1_BODY)
		return false;
	return l->reader.phase != H1_HEAD && h1_read_eof(&l->reader);
}

/* Trailers that came with the end of a stream; false: closed by its user. */
static NOINLINE bool
end_of_stream(struct lane *l)
{
	struct h2_block *b;

	if (l->stream == NULL || l->stream->trailers == NULL)
		return true;
	b = h2_block_of(l->stream->trailers);
	if (b->bad != BAD_NONE) {
		tell_broken(l, E_SYNTAX, (enum http_bad)b->bad);
		return false;
	}
	l->lent = true;
	l->user->trailers(l, &b->head);
	return !l->closed && !l->told;
}

/* The peer's FIN, everything before it read. */
static void
at_eof(struct lane *l)
{
	bool whole = l->raw || l->deaf ||
	    (!l->begun && l->reader.phase == H1_HEAD) || may_end_body(l);

	if (l->eof_told)
		return;
	if (whole && l->end_due && !l->raw && !l->deaf) {
		l->end_due = false;
		if (!end_of_stream(l))
			return;
		l->user->end(l); /* a body that ends with the connection */
		if (l->closed || l->told)
			return;
	}
	if (whole && l->stream != NULL && !l->raw && !l->deaf)
		return; /* it was the message's end, not the client's */
	if (whole)
		tell_eof(l);
	else
		tell_broken(l, E_EOF, BAD_CUT);
}

/*
 * Is there more to read?  After a short read the kernel has no bytes, but in
 * the middle of a message a reset would leave us waiting: that is looked for.
 */
static bool
may_fill(const struct lane *l)
{
	return l->conn.maybe_input ||
	    (l->conn.unsure && (l->begun || l->raw || l->deaf));
}

/* When the bytes at hand say no more: true when there are new ones. */
static bool
read_on(struct lane *l)
{
	if (!flush_lent(l) || l->again)
		return false;
	if (l->conn.eof && l->fresh && lane_has_unread(l)) {
		l->fresh = false; /* no preface, and no more to come */
		return true;
	}
	if (l->conn.eof) {
		at_eof(l);
		return false;
	}
	return may_fill(l) && fill(l);
}

/* Does what this turn allows; false: there may be more to do. */
static bool
pump_turn(struct lane *l)
{
	unsigned reads = 0;

	for (unsigned i = 0; i < TURN_STEPS && reads < TURN_READS; i++) {
		enum step s;

		if (l->closed || l->paused)
			return true;
		l->again = false;
		s = step(l);
		if (s == STEP_MORE && read_on(l))
			reads++;
		else if (s != STEP_ON && !l->again)
			return true;
	}
	return !flush_lent(l);
}

static void
pump(struct lane *l)
{
	if (l->in_pump)
		return; /* the outer one goes on */
	l->in_pump = true;
	if (!pump_turn(l))
		loop_later(l->wire->loop, &l->more, on_more);
	l->in_pump = false;
	if (!l->closed && !l->paused && !l->lent)
		settle(l);
}

/*
 * Something has come while we do not read: is the client still there?  An
 * instance is not asked before its end: what it sent before a reset can still
 * be read.
 */
static void
look_for_reset(struct lane *l)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (l->reader.is_response && !l->eof_told)
		return;
	if (l->stream != NULL) {
		if (l->stream->reset)
			tell_broken(l, E_RESET, BAD_NONE);
		return;
	}
	if (getsockopt(l->conn.fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = EIO;
	if (error == 0)
		return;
	l->conn.failed = true;
	tell_broken(l, E_RESET, BAD_NONE);
}

static void
on_writable(struct lane *l)
{
	int rc = lane_flush(l);

	if (rc != E_OK && (l->raw || !l->reader.is_response)) {
		tell_broken(l, rc, BAD_NONE);
		return;
	}
	if (rc != E_OK)
		lane_hear_out(l);
	if (!l->closed && l->out == NULL)
		l->user->drained(l);
}

static void
on_dialled(struct lane *l)
{
	int rc = conn_connected(&l->conn);

	if (rc == E_AGAIN)
		return;
	l->dialing = false;
	if (rc != E_OK || !l->greeting)
		l->user->connected(l, rc);
}

/* True once messages may come. */
static bool
has_greeted(struct lane *l)
{
	int rc = l->user->greet(l);

	if (l->closed || rc == E_AGAIN)
		return false;
	l->greeting = false;
	if (l->reader.is_response)
		l->user->connected(l, rc);
	else if (rc != E_OK)
		tell_broken(l, rc, BAD_NONE);
	return rc == E_OK && !l->closed;
}

/* The message is read and lane_next() not called yet. */
static bool
is_between(const struct lane *l)
{
	return l->reader.phase == H1_DONE && !l->raw && !l->deaf;
}

void
lane_on_conn(struct conn *c, unsigned what)
{
	struct lane *l = CONTAINER_OF(c, struct lane, conn);

	if (l->dialing)
		on_dialled(l);
	if (l->closed || l->dialing)
		return;
	if (l->greeting) {
		if (!has_greeted(l))
			return;
		what |= WATCH_READ; /* the last part may have brought more */
	}
	if (l->out != NULL && !c->no_room)
		on_writable(l);
	if (l->closed || !(what & (WATCH_READ | WATCH_CLOSED)))
		return;
	if (l->paused || l->eof_told || is_between(l))
		look_for_reset(l);
	else
		pump(l);
}

void
lane_hold_head(struct lane *l)
{
	l->held = l->in;
	l->in_base = l->in_off;
	l->at_body = l->reader;
	l->whole = true;
}

void
lane_release_head(struct lane *l)
{
	if (l->held != l->in)
		slab_give(l->wire->slabs, &l->held);
	l->held = NULL;
	l->in_base = 0;
}

void
lane_next(struct lane *l)
{
	if (l->closed)
		return;
	lane_release_head(l);
	l->begun = l->end_due = l->lent = l->paused = false;
	l->bulk = l->had_bulk; /* messages of a connection are alike */
	l->had_bulk = false;
	l->again = true;
	h1_read_next(&l->reader);
	settle(l);
	if (l->in != NULL || l->conn.maybe_input || l->conn.eof)
		pump(l);
}

void
lane_no_preface(struct lane *l)
{
	l->fresh = false;
	pump(l);
}

void
lane_pause(struct lane *l)
{
	l->paused = true;
}

void
lane_resume(struct lane *l)
{
	if (l->closed || !l->paused)
		return;
	l->paused = false;
	pump(l);
}

void
lane_go_raw(struct lane *l)
{
	l->raw = true;
	l->bulk = false;
}

void
lane_go_deaf(struct lane *l)
{
	l->deaf = l->again = true;
	l->paused = false;
	l->in_off = l->in_len;
	pump(l);
}

bool
lane_can_rewind(const struct lane *l)
{
	return l->held != NULL && l->held == l->in && l->whole;
}

void
lane_rewind(struct lane *l)
{
	assert(lane_can_rewind(l));
	l->reader = l->at_body;
	l->in_off = l->in_base;
	l->end_due = l->again = l->paused = true;
	l->lent = false;
}

void
lane_hear_out(struct lane *l)
{
	pump(l);
	if (l->in_pump || l->closed || l->paused || l->conn.maybe_input ||
	    l->conn.eof || l->more.queued)
		return; /* what is to be told is told, or will be */
	tell_broken(l, E_RESET, BAD_NONE);
}

static void
on_more(struct later *t)
{
	struct lane *l = CONTAINER_OF(t, struct lane, more);

	if (l->paused || l->closed)
		return;
	if (l->mute && l->reader.is_response)
		lane_hear_out(l);
	else
		pump(l);
}

bool
lane_is_idle(const struct lane *l)
{
	return !l->closed && l->reader.phase == H1_HEAD && !l->begun &&
	    l->out == NULL && !lane_has_unread(l);
}
