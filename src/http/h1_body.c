/*
 * Bodies: lengths, chunks, trailers.
 */
#include <stdint.h>

#include "base/err.h"
#include "http/chars.h"
#include "http/h1_fields.h"
#include "http/h1_read.h"

/* Inside the chunk grammar (RFC 9112 7.1). */
enum chunk_state {
	CHUNK_SIZE_FIRST, /* at least one digit */
	CHUNK_SIZE_MORE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF
};

static enum h1_body_event
bad(struct h1_reader *r, enum http_bad why)
{
	r->bad = (uint8_t)why;
	return H1_BAD;
}

static enum h1_body_event
finish(struct h1_reader *r)
{
	r->phase = H1_DONE;
	return H1_END;
}

/* Up to r->left bytes of payload. */
static struct str
take_payload(struct h1_reader *r, struct str in)
{
	struct str data = str_sub(in, 0,
	    r->left > SIZE_MAX ? SIZE_MAX : (size_t)r->left);

	r->left -= data.len;
	return data;
}

static enum h1_body_event
read_length(struct h1_reader *r, struct str in, size_t *used, struct str *data)
{
	*data = take_payload(r, in);
	*used = data->len;
	if (r->left == 0)
		r->phase = H1_DONE;
	return data->len > 0 ? H1_DATA : H1_MORE;
}

static enum http_bad
size_digit(struct h1_reader *r, char c)
{
	if (r->left > (INT64_MAX - 15) / 16 ||
	    ++r->digits > H1_CHUNK_DIGITS_MAX)
		return BAD_CHUNK_SIZE;
	r->left = r->left * 16 + ch_hex(c);
	return BAD_NONE;
}

/* Counted over the message, as RFC 9112 7.1.1 asks. */
static enum http_bad
extension_byte(struct h1_reader *r, char c)
{
	if (!ch_is(c, CH_VALUE))
		return h1_bad_byte(c, BAD_CHUNK_EXTENSION);
	return ++r->scanned > H1_CHUNK_EXT_MAX ? BAD_CHUNK_EXTENSION : BAD_NONE;
}

/* One byte of a chunk's size line; BAD_NONE to go on. */
static enum http_bad
size_byte(struct h1_reader *r, char c)
{
	switch ((enum chunk_state)r->chunk_state) {
	case CHUNK_SIZE_FIRST:
		r->left = 0;
		r->digits = 0;
		r->chunk_state = CHUNK_SIZE_MORE;
		return ch_is(c, CH_HEX) ? size_digit(r, c)
		                        : h1_bad_byte(c, BAD_CHUNK_SIZE);
	case CHUNK_SIZE_MORE:
		if (ch_is(c, CH_HEX))
			return size_digit(r, c);
		if (c != '\r' && c != ';')
			return h1_bad_byte(c, BAD_CHUNK_SIZE);
		r->chunk_state = c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
		return c == '\r' ? BAD_NONE : extension_byte(r, c);
	case CHUNK_EXTENSION:
		if (c != '\r')
			return extension_byte(r, c);
		r->chunk_state = CHUNK_SIZE_LF;
		return BAD_NONE;
	case CHUNK_SIZE_LF:
		if (c != '\n')
			return BAD_BARE_CR;
		r->chunk_state = CHUNK_DATA;
		return BAD_NONE;
	case CHUNK_DATA_CR:
		r->chunk_state = CHUNK_DATA_LF;
		return c == '\r' ? BAD_NONE : BAD_CHUNK_END;
	case CHUNK_DATA_LF:
		r->chunk_state = CHUNK_SIZE_FIRST;
		return c == '\n' ? BAD_NONE : BAD_CHUNK_END;
	case CHUNK_DATA:
		break;
	}
	return BAD_NONE;
}

static enum h1_body_event
read_chunked(struct h1_reader *r, struct str in, size_t *used, struct str *data)
{
	size_t i = 0;

	while (i < in.len) {
		enum http_bad why;

		if (r->chunk_state == CHUNK_DATA) {
			*data = take_payload(r, str_sub(in, i, in.len));
			*used = i + data->len;
			if (r->left == 0)
				r->chunk_state = CHUNK_DATA_CR;
			return H1_DATA;
		}
		why = size_byte(r, in.p[i]);
		if (why != BAD_NONE)
			return bad(r, why);
		i++;
		if (r->chunk_state == CHUNK_DATA && r->left == 0) {
			r->phase = H1_TRAILERS;
			break;
		}
	}
	*used = i;
	return H1_MORE;
}

/* ---- trailers ---- */

/* What could change what was decided by the head (RFC 9110 6.5.1). */
static bool
is_forbidden(const struct http_field *f)
{
	static const struct str names[] = { STR("authorization"),
		STR("content-encoding"), STR("content-range"),
		STR("cache-control"), STR("max-forwards"),
		STR("www-authenticate") };

	switch ((enum http_field_id)f->id) {
	case FIELD_HOST:
	case FIELD_CONNECTION:
	case FIELD_TE:
	case FIELD_TRAILER:
	case FIELD_UPGRADE:
	case FIELD_EXPECT:
	case FIELD_KEEP_ALIVE:
	case FIELD_PROXY_CONNECTION:
	case FIELD_PROXY_AUTHENTICATE:
	case FIELD_PROXY_AUTHORIZATION:
	case FIELD_HTTP2_SETTINGS:
	case FIELD_COOKIE:
	case FIELD_SET_COOKIE:
	case FIELD_LOCATION:
	case FIELD_CONTENT_TYPE:
	case FIELD_FORWARDED:
	case FIELD_X_FORWARDED_FOR:
	case FIELD_X_FORWARDED_PROTO:
	case FIELD_X_FORWARDED_HOST:
	case FIELD_X_FORWARDED_PORT:
	case FIELD_X_REQUEST_ID:
		return true;
	default:
		break;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_caseeq(str_from(f->name, f->name_len), names[i]))
			return true;
	return false;
}

static enum http_bad
judge_trailers(struct http_head *t)
{
	if (HTTP_HAS(t, CONTENT_LENGTH) || HTTP_HAS(t, TRANSFER_ENCODING))
		return BAD_TRAILER;
	for (unsigned i = 0; i < t->n; i++)
		if (is_forbidden(&t->f[i]))
			t->f[i].flags |= HF_DROP;
	return BAD_NONE;
}

static enum h1_body_event
read_trailers(struct h1_reader *r, struct str in,
    const struct http_limits *limits, size_t *used, struct http_head *t)
{
	struct h1_scan s;

	*used = 0;
	if (in.len == 0 || h1_still_waits(r, in))
		return H1_MORE;
	s = h1_scan_begin(in, limits->head_bytes);
	t->n = 0;
	t->have = 0;
	if (h1_scan_fields(&s, limits, t))
		s.bad = judge_trailers(t);
	if (s.bad == BAD_NONE && s.more && in.len >= limits->head_bytes)
		s.bad = BAD_HEAD_TOO_BIG;
	if (s.bad != BAD_NONE)
		return bad(r, s.bad);
	if (s.more) {
		h1_wait(r, &s, in, limits->head_bytes);
		return H1_MORE;
	}
	*used = (size_t)(s.p - in.p);
	r->phase = H1_DONE;
	return t->n > 0 ? H1_TRAILED : H1_END;
}

enum h1_body_event
h1_read_body(struct h1_reader *r, struct str in,
    const struct http_limits *limits, size_t *used, struct str *data,
    struct http_head *trailers)
{
	*used = 0;
	*data = (struct str){ NULL, 0 };
	if (r->phase == H1_DONE)
		return H1_END;
	if (r->phase == H1_TRAILERS)
		return read_trailers(r, in, limits, used, trailers);
	switch ((enum http_framing)r->framing) {
	case FRAMING_LENGTH:
		return read_length(r, in, used, data);
	case FRAMING_CHUNKED: {
		enum h1_body_event ev = read_chunked(r, in, used, data);
		size_t more;

		if (ev != H1_MORE || r->phase != H1_TRAILERS)
			return ev;
		ev = read_trailers(r, str_sub(in, *used, in.len), limits, &more,
		    trailers);
		*used += more;
		return ev;
	}
	case FRAMING_CLOSE:
		*data = in;
		*used = in.len;
		return in.len > 0 ? H1_DATA : H1_MORE;
	case FRAMING_NONE:
		break;
	}
	return finish(r);
}

bool
h1_read_eof(struct h1_reader *r)
{
	if (r->phase == H1_BODY && r->framing == FRAMING_CLOSE) {
		r->phase = H1_DONE;
		return true;
	}
	return (r->phase == H1_HEAD && r->scanned == 0) || r->phase == H1_DONE;
}
