/*
 * Frames of a client, behind a good preface.  The first byte says how the rest
 * is cut and whether we answer.
 *
 * Whatever comes: a head that is not refused says the same when it is written
 * as HTTP/1 and read again, so that nothing crosses that HTTP/1 would read in
 * another way; bytes are told only of streams that are open; what is asked to
 * be kept is given back; and the connection does not stand still while the
 * codec says that it goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/slab.h"
#include "http/h1_read.h"
#include "http/h1_write.h"
#include "http/h2.h"
#include "must.h"

#define STREAMS 8
#define SENDS_MAX 10000

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const struct h2_settings settings = { .max_streams = STREAMS,
	.window = 1u << 17,
	.limits = { 16384, 8192, 4096, 40 } };

struct stream {
	int32_t id;
	size_t unread, to_send;
	bool ended, closed;
	bool upgrade; /* asks for a WebSocket */
};

static struct h2 *h2;
static struct slab_store *slabs;
static struct stream streams[4096];
static size_t n_streams;
static bool answers;

/* ---- what a head becomes in HTTP/1 ---- */

static void
must_be_the_same(const struct http_head *a, const struct http_head *b)
{
	MUST(str_eq(a->method_text, b->method_text));
	MUST(str_eq(a->target, b->target));
	MUST(str_eq(a->authority, b->authority));
	for (unsigned i = 0; i < a->n; i++) {
		const struct http_field *f = &a->f[i];
		struct str name = str_from(f->name, f->name_len);

		if (f->id == FIELD_HOST || f->id == FIELD_TE)
			continue;
		MUST(http_head_value_of(b, name).p != NULL ||
		    f->value_len == 0);
	}
}

static void
must_cross(const struct http_head *h)
{
	static char text[1 << 17];
	static struct http_head again;
	const struct http_limits wide = { 65536, 65536, 65536, 128 };
	struct h1_reader r;
	unsigned flags = h->upgrade         ? H1W_UPGRADE
	    : h->framing == FRAMING_CHUNKED ? H1W_CHUNKED
	                                    : 0;
	ssize_t n;

	if (h->method == METHOD_CONNECT)
		return; /* it goes no further */
	n = h1_write_head(h, flags, text, sizeof(text));
	MUST(n > 0);
	h1_reader_init(&r, false);
	MUST(h1_read_head(&r, str_from(text, (size_t)n), &wide, METHOD_OTHER,
	         &again) == n);
	MUST(again.framing == h->framing ||
	    (h->framing == FRAMING_NONE && again.body_len == 0));
	MUST(again.upgrade == h->upgrade);
	must_be_the_same(h, &again);
}

/* ---- the user ---- */

static void
answer(struct stream *s)
{
	struct http_head h = { .status = s->upgrade ? 101 : 200,
		.framing = FRAMING_LENGTH };

	if (http_head_add(&h, FIELD_CONTENT_TYPE, STR("Content-Type"),
	        STR("text/plain")) != E_OK)
		abort();
	s->to_send = (size_t)s->id % 5000;
	if (h2_respond(h2, s->id, &h, s->to_send > 0) != E_OK)
		s->to_send = 0;
}

static void
on_head(void *arg, int32_t id, void *stream, struct slab *block, bool end)
{
	struct h2_block *b = h2_block_of(block);
	struct stream *s = &streams[n_streams];
	bool upgrade;

	MUST(arg == streams && stream == NULL && id % 2 == 1);
	MUST(b->kind == H2_REQUEST);
	if (b->bad == BAD_NONE)
		must_cross(&b->head);
	upgrade = b->bad == BAD_NONE && b->head.upgrade;
	slab_give(slabs, &block);
	if (n_streams + 1 == ARRAY_LEN(streams)) {
		h2_reset(h2, id, H2_REFUSED_STREAM);
		return;
	}
	n_streams++;
	*s = (struct stream){ .id = id, .ended = end, .upgrade = upgrade };
	h2_name(h2, id, s);
	if (answers)
		answer(s);
}

static void
on_data(void *arg, void *stream, struct str bytes)
{
	struct stream *s = stream;

	MUST(arg == streams && !s->ended && !s->closed);
	s->unread += bytes.len;
	MUST(s->unread <= H2_STREAM_WINDOW);
	if (s->unread > 1000 && answers) {
		h2_consumed(h2, s->id, s->unread);
		s->unread = 0;
	}
}

static void
on_end(void *arg, void *stream, struct slab *trailers)
{
	struct stream *s = stream;

	MUST(arg == streams && !s->ended && !s->closed);
	s->ended = true;
	slab_give(slabs, &trailers);
}

static void
on_closed(void *arg, void *stream, uint32_t code)
{
	struct stream *s = stream;

	MUST(arg == streams && !s->closed && code <= UINT32_MAX);
	s->closed = true;
}

static size_t
on_pull(void *arg, void *stream, char *out, size_t cap, bool *end)
{
	struct stream *s = stream;
	size_t n = MIN(cap, s->to_send);

	MUST(arg == streams && !s->closed);
	memset(out, 'x', n);
	s->to_send -= n;
	*end = s->to_send == 0;
	return n;
}

static bool
on_is_tunnel(void *arg, void *stream)
{
	const struct stream *s = stream;

	MUST(arg == streams && !s->closed);
	return s->upgrade;
}

static void
on_pong(void *arg)
{
	MUST(arg == streams);
}

static const struct h2_user user = {
	.head = on_head,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
	.pull = on_pull,
	.is_tunnel = on_is_tunnel,
	.pong = on_pong,
};

/* ---- a connection ---- */

static void
drain(void)
{
	size_t n = 0;

	while (h2_send(h2).len > 0)
		MUST(++n < SENDS_MAX);
}

static bool
feed(struct str bytes, size_t piece, uint64_t *now_us)
{
	while (bytes.len > 0) {
		size_t n = MIN(piece, bytes.len);

		*now_us += 100;
		if (h2_receive(h2, str_from(bytes.p, n), *now_us) != E_OK) {
			drain();
			return false;
		}
		drain();
		bytes = str_sub(bytes, n, bytes.len);
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const char preface[] = H2_PREFACE "\0\0\0\4\0\0\0\0\0";
	uint64_t now_us = 1;
	size_t piece;

	if (size == 0)
		return 0;
	answers = (data[0] & 1) != 0;
	piece = (data[0] >> 1) == 0 ? SIZE_MAX : data[0] >> 1;
	n_streams = 0;
	slabs = slab_store_new(4);
	if (slabs == NULL ||
	    h2_new(&h2, &settings, &user, streams, slabs) != E_OK)
		abort();
	if (feed(str_from(preface, sizeof(preface) - 1), SIZE_MAX, &now_us))
		(void)feed(str_from((const char *)data + 1, size - 1), piece,
		    &now_us);
	h2_free(&h2);
	slab_store_free(&slabs); /* asserts that nothing is lent */
	return 0;
}
