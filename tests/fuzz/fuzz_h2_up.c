/*
 * Frames of an instance, in answer to three requests of ours.  The first byte
 * says how they are cut.
 *
 * Whatever comes: an answer's head that is not refused says the same when it is
 * written as HTTP/1 and read again, so that nothing crosses that HTTP/1 would
 * read in another way; a final head comes once a stream, and data only behind
 * it; what is asked to be kept is given back; nobody is asked for a stream that
 * is closed.
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

#define STREAMS 3
#define SENDS_MAX 10000

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const struct h2_settings settings = { .client = true,
	.window = 1u << 17,
	.limits = { 16384, 8192, 4096, 40 } };

struct stream {
	int32_t id;
	enum http_method method;
	size_t unread, to_send;
	bool asked, answered, ended, closed;
};

static struct h2 *h2;
static struct slab_store *slabs;
static struct stream streams[STREAMS];

/* ---- what a head becomes in HTTP/1 ---- */

static enum http_framing
written_as(const struct http_head *h)
{
	if (h->framing == FRAMING_LENGTH && h->body_len == 0)
		return FRAMING_NONE;
	return (enum http_framing)h->framing;
}

static void
must_cross(const struct http_head *h, enum http_method method)
{
	static char text[1 << 17];
	static struct http_head again;
	const struct http_limits wide = { 65536, 65536, 65536, 128 };
	struct h1_reader r;
	unsigned flags = h->framing == FRAMING_CHUNKED ? H1W_CHUNKED
	    : h->framing == FRAMING_LENGTH && !HTTP_HAS(h, CONTENT_LENGTH)
	    ? H1W_EMPTY
	    : 0;
	ssize_t n = h1_write_head(h, flags, text, sizeof(text));

	MUST(n > 0);
	h1_reader_init(&r, true);
	MUST(h1_read_head(&r, str_from(text, (size_t)n), &wide, method,
	         &again) == n);
	MUST(again.status == h->status);
	MUST(written_as(&again) == written_as(h));
	for (unsigned i = 0; i < h->n; i++) {
		const struct http_field *f = &h->f[i];
		struct str name = str_from(f->name, f->name_len);

		if ((f->flags & HF_DROP) == 0)
			MUST(http_head_value_of(&again, name).p != NULL ||
			    f->value_len == 0);
	}
}

/* ---- the user ---- */

static void
on_head(void *arg, int32_t id, void *stream, struct slab *block, bool end)
{
	struct h2_block *b = h2_block_of(block);
	struct stream *s = stream;

	MUST(arg == streams && s != NULL && s->id == id && s->asked);
	MUST(b->kind == H2_RESPONSE && !s->answered && !s->closed);
	if (b->bad == BAD_NONE)
		must_cross(&b->head, s->method);
	s->answered = b->bad == BAD_NONE && b->head.status >= 200;
	s->ended = end;
	if (b->bad != BAD_NONE)
		h2_reset(h2, id, H2_PROTOCOL_ERROR);
	s->answered |= b->bad != BAD_NONE;
	slab_give(slabs, &block);
}

static void
on_data(void *arg, void *stream, struct str bytes)
{
	struct stream *s = stream;

	MUST(arg == streams && s->answered && !s->ended && !s->closed);
	s->unread += bytes.len;
	MUST(s->unread <= H2_STREAM_WINDOW);
	if (s->unread > 1000) {
		h2_consumed(h2, s->id, s->unread);
		s->unread = 0;
	}
}

static void
on_end(void *arg, void *stream, struct slab *trailers)
{
	struct stream *s = stream;

	MUST(arg == streams && s->answered && !s->ended && !s->closed);
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
on_is_tunnel(void *arg UNUSED, void *stream UNUSED)
{
	return false;
}

static void
on_pong(void *arg)
{
	MUST(arg == streams);
}

static void
on_asked(void *arg, void *stream)
{
	struct stream *s = stream;

	MUST(arg == streams && !s->asked);
	s->asked = true;
}

static enum http_method
on_method(void *arg, void *stream)
{
	const struct stream *s = stream;

	MUST(arg == streams && !s->closed);
	return s->method;
}

static const struct h2_user user = {
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

/* ---- a connection ---- */

static void
drain(void)
{
	size_t n = 0;

	while (h2_send(h2).len > 0)
		MUST(++n < SENDS_MAX);
}

static void
ask_all(void)
{
	static const struct {
		enum http_method method;
		struct str text;
		size_t body;
	} asked[STREAMS] = { { METHOD_GET, STR("GET"), 0 },
		{ METHOD_HEAD, STR("HEAD"), 0 },
		{ METHOD_POST, STR("POST"), 100000 } };

	for (size_t i = 0; i < STREAMS; i++) {
		struct http_head h = { .method_text = asked[i].text,
			.target = STR("/"),
			.authority = STR("a") };

		streams[i] = (struct stream){ .method = asked[i].method,
			.to_send = asked[i].body };
		streams[i].id = h2_request(h2, &h, false, asked[i].body > 0,
		    &streams[i]);
		MUST(streams[i].id > 0);
	}
	drain();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct str rest;
	uint64_t now_us = 1;
	size_t piece;
	int rc = E_OK;

	if (size == 0)
		return 0;
	piece = data[0] == 0 ? SIZE_MAX : data[0];
	rest = str_from((const char *)data + 1, size - 1);
	slabs = slab_store_new(4);
	if (slabs == NULL ||
	    h2_new(&h2, &settings, &user, streams, slabs) != E_OK)
		abort();
	ask_all();
	while (rest.len > 0 && rc == E_OK) {
		size_t n = MIN(piece, rest.len);

		now_us += 100;
		rc = h2_receive(h2, str_sub(rest, 0, n), now_us);
		drain();
		rest = str_sub(rest, n, rest.len);
	}
	(void)h2_may_ask(h2);
	h2_free(&h2);
	slab_store_free(&slabs); /* asserts that nothing is lent */
	return 0;
}
