#include "http/h2_block.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "http/chars.h"
#include "http/judge.h"

#define ROOM_BEHIND 4096 /* for a body, in a small slab */

struct slab *
h2_block_begin(struct slab_store *store, enum h2_kind kind)
{
	struct slab *s = slab_take(store, SLAB_LARGE);
	struct h2_block *b;

	if (s == NULL)
		return NULL;
	b = h2_block_of(s);
	memset(b, 0, offsetof(struct h2_block, head.f));
	memset(&b->path, 0, sizeof(*b) - offsetof(struct h2_block, path));
	b->kind = (uint8_t)kind;
	return s;
}

static void
refuse(struct h2_block *b, enum http_bad why)
{
	if (b->bad == BAD_NONE)
		b->bad = (uint8_t)why;
}

/* A copy that lies in the block; the caller has looked for room. */
static struct str
keep(struct h2_block *b, struct str s)
{
	char *p = b->text + b->used;

	if (s.len > 0)
		memcpy(p, s.p, s.len);
	b->used += (uint32_t)s.len;
	return str_from(p, s.len);
}

static void
take_status(struct h2_block *b, struct str name, struct str value)
{
	uint64_t status;

	if (str_eq(name, STR(":status")) && value.len == 3 &&
	    str_u64(value, &status) && status >= 100 && status <= 599)
		b->head.status = (uint16_t)status;
	else
		refuse(b, BAD_STATUS);
}

/* ":method" and its kin; which ones may come nghttp2 has seen to. */
static void
pseudo(struct h2_block *b, struct str name, struct str value)
{
	struct http_head *h = &b->head;

	if (b->kind == H2_RESPONSE) {
		take_status(b, name, value);
	} else if (str_eq(name, STR(":method"))) {
		h->method_text = value;
		h->method = (uint8_t)http_method_of(value);
	} else if (str_eq(name, STR(":path"))) {
		b->path = value;
	} else if (str_eq(name, STR(":scheme"))) {
		return; /* how the client came to us, we know ourselves */
	} else if (str_eq(name, STR(":authority"))) {
		b->authority = value;
	} else if (str_eq(name, STR(":protocol"))) {
		b->protocol = value;
	} else {
		refuse(b, BAD_START_LINE);
	}
}

void
h2_block_field(struct slab *s, const struct http_limits *limits,
    struct str name, struct str value)
{
	struct h2_block *b = h2_block_of(s);
	struct http_head *h = &b->head;
	enum http_field_id id;

	if (name.len + value.len > s->cap - h2_block_size(b) ||
	    b->used + name.len + value.len > limits->head_bytes)
		refuse(b, BAD_HEAD_TOO_BIG);
	if (name.len + value.len > limits->field_bytes)
		refuse(b,
		    str_eq(name, STR(":path")) ? BAD_TARGET_TOO_LONG
		                               : BAD_FIELD_TOO_BIG);
	if (b->bad != BAD_NONE)
		return;
	name = keep(b, name);
	value = keep(b, value);
	if (name.p[0] == ':') {
		pseudo(b, name, value);
		return;
	}
	if (h->n >= limits->fields) {
		refuse(b, BAD_TOO_MANY_FIELDS);
		return;
	}
	id = http_field_of(name);
	b->cookies += id == FIELD_COOKIE && b->cookies < UINT8_MAX;
	if (http_head_add(h, id, name, value) != E_OK)
		refuse(b, BAD_TOO_MANY_FIELDS);
}

/* ---- all have come ---- */

/* Crumbs become one field again (RFC 9113 8.2.3). */
static void
join_cookies(struct slab *s)
{
	struct h2_block *b = h2_block_of(s);
	struct http_head *h = &b->head;
	struct http_field *first = NULL;
	struct str whole = { b->text + b->used, 0 };
	uint16_t n = 0;

	if (b->cookies < 2)
		return;
	for (unsigned i = 0; i < h->n; i++) {
		struct http_field *f = &h->f[i];

		if (f->id != FIELD_COOKIE) {
			h->f[n++] = *f;
			continue;
		}
		if (f->value_len + 2u > s->cap - h2_block_size(b)) {
			refuse(b, BAD_HEAD_TOO_BIG);
			return;
		}
		if (first == NULL) {
			first = &h->f[n++];
			*first = *f;
		} else {
			whole.len += keep(b, STR("; ")).len;
		}
		whole.len += keep(b, str_from(f->value, f->value_len)).len;
	}
	assert(first != NULL);
	first->value = whole.p;
	first->value_len = (uint32_t)whole.len;
	h->n = n;
}

/* A Host beside :authority must say the same (RFC 9113 8.3.1). */
static enum http_bad
take_authority(struct h2_block *b)
{
	const struct http_field *host = http_head_find(&b->head, FIELD_HOST);

	if (b->authority.len == 0)
		return BAD_NONE;
	if (host == NULL)
		return http_head_add(&b->head, FIELD_HOST, STR("host"),
		           b->authority) == E_OK
		    ? BAD_NONE
		    : BAD_TOO_MANY_FIELDS;
	return str_caseeq(str_from(host->value, host->value_len), b->authority)
	    ? BAD_NONE
	    : BAD_HOST_TWICE;
}

/* What HTTP/1 would ask instead.  A tunnel has no content, so no length. */
static enum http_bad
take_protocol(struct h2_block *b)
{
	struct http_head *h = &b->head;

	if (b->protocol.p == NULL)
		return BAD_NONE;
	if (!str_caseeq(b->protocol, STR("websocket")))
		return BAD_PROTOCOL;
	if (h->method != METHOD_CONNECT)
		return BAD_METHOD;
	if (HTTP_HAS(h, CONTENT_LENGTH))
		return BAD_LENGTH_SYNTAX;
	h->method = METHOD_GET;
	h->method_text = STR("GET");
	return http_head_add(h, FIELD_UPGRADE, http_field_name(FIELD_UPGRADE),
	           STR("websocket")) == E_OK
	    ? BAD_NONE
	    : BAD_TOO_MANY_FIELDS;
}

static bool
is_all(struct str s, unsigned class)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ch_is(s.p[i], class))
			return false;
	return s.len > 0;
}

static enum http_bad
take_target(struct h2_block *b, const struct http_limits *limits)
{
	struct http_head *h = &b->head;

	if (!is_all(h->method_text, CH_TOKEN))
		return BAD_METHOD;
	/* CONNECT without :protocol names a host and no path (8.5). */
	h->target = h->method == METHOD_CONNECT ? b->authority : b->path;
	if (h->target.len > limits->target_bytes)
		return BAD_TARGET_TOO_LONG;
	if (!is_all(h->target, CH_TARGET))
		return BAD_TARGET;
	if (h->method != METHOD_CONNECT && h->target.p[0] != '/' &&
	    !str_eq(h->target, STR("*")))
		return BAD_TARGET; /* no absolute form here */
	return BAD_NONE;
}

/*
 * A request without content and without a length is told apart from one of
 * unknown length by END_STREAM only; HTTP/1 says it by a length of 0 where
 * content is the rule (RFC 9110 8.6).
 */
static enum http_bad
say_empty(struct http_head *h)
{
	bool usual = h->method == METHOD_POST || h->method == METHOD_PUT ||
	    h->method == METHOD_PATCH;

	if (!usual || HTTP_HAS(h, CONTENT_LENGTH))
		return BAD_NONE;
	return http_head_add(h, FIELD_CONTENT_LENGTH, STR("content-length"),
	           STR("0")) == E_OK
	    ? BAD_NONE
	    : BAD_TOO_MANY_FIELDS;
}

static enum http_bad
end_request(struct h2_block *b, const struct http_limits *limits, bool end)
{
	struct http_head *h = &b->head;
	enum http_bad bad = take_authority(b);

	if (bad == BAD_NONE)
		bad = take_protocol(b);
	if (bad == BAD_NONE)
		bad = take_target(b, limits);
	if (bad == BAD_NONE)
		bad = http_judge_request(h);
	if (bad != BAD_NONE)
		return bad;
	h->keep_alive = true;
	h->upgrade = b->protocol.p != NULL;
	if (end || h->upgrade)
		h->framing = FRAMING_NONE;
	else if (!HTTP_HAS(h, CONTENT_LENGTH))
		h->framing = FRAMING_CHUNKED;
	return end ? say_empty(h) : BAD_NONE;
}

static enum http_bad
end_response(struct h2_block *b, bool end, enum http_method asked)
{
	struct http_head *h = &b->head;
	enum http_bad bad;

	if (h->status < 100 || h->status == 101)
		return BAD_STATUS; /* RFC 9113 8.6: 101 is not of HTTP/2 */
	bad = http_judge_response(h, asked);
	if (bad != BAD_NONE)
		return bad;
	h->reason = str_of(http_reason(h->status));
	h->keep_alive = true;
	h->upgrade = false;
	if (h->framing == FRAMING_CLOSE)
		h->framing = FRAMING_CHUNKED;
	if (end && h->framing == FRAMING_CHUNKED) {
		h->framing = FRAMING_LENGTH; /* of no bytes */
		h->body_len = 0;
	}
	return BAD_NONE;
}

void
h2_block_end(struct slab *s, const struct http_limits *limits, bool end,
    enum http_method asked)
{
	struct h2_block *b = h2_block_of(s);

	if (b->bad == BAD_NONE)
		join_cookies(s);
	if (b->bad != BAD_NONE)
		return;
	b->head.minor = 1;
	b->head.h2 = true;
	if (b->kind == H2_REQUEST)
		b->bad = (uint8_t)end_request(b, limits, end);
	else if (b->kind == H2_RESPONSE)
		b->bad = (uint8_t)end_response(b, end, asked);
}

/* ---- moving ---- */

static void
shift_str(struct str *s, const struct h2_block *from, ptrdiff_t by)
{
	if (s->p >= from->text && s->p <= from->text + from->used)
		s->p += by;
}

static void
shift(const char **p, const struct h2_block *from, ptrdiff_t by)
{
	if (*p >= from->text && *p < from->text + from->used)
		*p += by;
}

struct slab *
h2_block_fit(struct slab_store *store, struct slab *s)
{
	struct h2_block *from = h2_block_of(s), *to;
	struct slab *small;
	ptrdiff_t by;

	small = slab_take(store, SLAB_SMALL);
	if (small == NULL)
		return s; /* it does as it is */
	if (h2_block_size(from) + ROOM_BEHIND > small->cap) {
		slab_give(store, &small);
		return s;
	}
	to = h2_block_of(small);
	memcpy(&to->head, &from->head,
	    offsetof(struct http_head, f) +
	        from->head.n * sizeof(from->head.f[0]));
	memcpy(&to->path, &from->path,
	    sizeof(*from) - offsetof(struct h2_block, path) + from->used);
	by = to->text - from->text;
	shift_str(&to->path, from, by);
	shift_str(&to->authority, from, by);
	shift_str(&to->protocol, from, by);
	shift_str(&to->head.method_text, from, by);
	shift_str(&to->head.target, from, by);
	shift_str(&to->head.authority, from, by);
	for (unsigned i = 0; i < to->head.n; i++) {
		shift(&to->head.f[i].name, from, by);
		shift(&to->head.f[i].value, from, by);
	}
	slab_give(store, &s);
	return small;
}
