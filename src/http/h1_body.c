/*
 * Bodies: lengths, chunks, trailers.
 */
#include <stdint.h>

#include "base/err.h"
#include "http/chars.h"
#include "http/h1_fields.h"
#include "http/h1_read.h"

#define EXTENSION_UNIT 64 /* bytes; .ext_bytes counts these, up to 255 */

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

static bool
size_digit(struct h1_reader *r, char c)
{
	if (r->left > (INT64_MAX - 15) / 16)
		return false;
	r->left = r->left * 16 + ch_hex(c);
	return true;
}

/* One byte of a chunk's size line; BAD_NONE to go on. */
static enum http_bad
size_byte(struct h1_reader *r, char c)
{
	switch ((enum chunk_state)r->chunk_state) {
	case CHUNK_SIZE_FIRST:
		r->left = 0;
		if (!ch_is(c, CH_HEX))
			return BAD_CHUNK_SIZE;
		r->chunk_state = CHUNK_SIZE_MORE;
		return size_digit(r, c) ? BAD_NONE : BAD_CHUNK_SIZE;
	case CHUNK_SIZE_MORE:
		if (ch_is(c, CH_HEX))
			return size_digit(r, c) ? BAD_NONE : BAD_CHUNK_SIZE;
		if (c == '\r')
			r->chunk_state = CHUNK_SIZE_LF;
		else if (c == ';')
			r->chunk_state = CHUNK_EXTENSION;
		else
			return c == '\n' ? BAD_BARE_LF : BAD_CHUNK_SIZE;
		return BAD_NONE;
	case CHUNK_EXTENSION:
		if (c == '\r') {
			r->chunk_state = CHUNK_SIZE_LF;
			return BAD_NONE;
		}
		if (c == '\n')
			return BAD_BARE_LF;
		if (!ch_is(c, CH_VALUE))
			return BAD_CHUNK_EXTENSION;
		if (++r->scanned % EXTENSION_UNIT == 0 &&
		    ++r->ext_bytes > 64)
			return BAD_CHUNK_EXTENSION;
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
read_chunked(struct h1_reader *r, struct str in, size_t *used,
    struct str *data)
{
	size_t i = 0;

	while (i < in.len) {
		enum http_bad why;

		if (r->chunk_state == CHUNK_DATA) {
			if (r->left == 0) {
				r->phase = H1_TRAILERS;
				r->scanned = 0;
				break;
			}
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

/* What a trailer must not carry (RFC 9110 6.5.1): it could change what was
 * decided by the head. */
static bool
is_forbidden(const struct http_field *f)
{
	static const struct str names[] = { { "authorization", 13 },
		{ "content-encoding", 16 }, { "content-range", 13 },
		{ "cache-control", 13 }, { "max-forwards", 12 },
		{ "www-authenticate", 16 } };

	switch ((enum http_field_id)f->id) {
	case FIELD_HOST:
	case FIELD_CONNECTION:
	case FIELD_CONTENT_LENGTH:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_TE:
	case FIELD_TRAILER:
	case FIELD_UPGRADE:
	case FIELD_EXPECT:
	case FIELD_KEEP_ALIVE:
	case FIELD_PROXY_CONNECTION:
	case FIELD_PROXY_AUTHENTICATE:
	case FIELD_PROXY_AUTHORIZATION:
	case FIELD_COOKIE:
	case FIELD_SET_COOKIE:
	case FIELD_LOCATION:
	case FIELD_CONTENT_TYPE:
	case FIELD_FORWARDED:
	case FIELD_X_FORWARDED_FOR:
	case FIELD_X_FORWARDED_PROTO:
	case FIELD_X_FORWARDED_HOST:
	case FIELD_X_FORWARDED_PORT:
		return true;
	default:
		break;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_caseeq(str_from(f->name, f->name_len), names[i]))
			return true;
	return false;
}

static enum h1_body_event
read_trailers(struct h1_reader *r, struct str in,
    const struct http_limits *limits, size_t *used, struct http_head *t)
{
	const char *p = in.p, *end = in.p + in.len;

	*used = 0;
	t->n = 0;
	t->have = 0;
	while (p < end) {
		const char *next;
		enum http_bad why;

		if (*p == '\r') {
			if (p + 1 == end)
				break;
			if (p[1] != '\n')
				return bad(r, BAD_BARE_CR);
			*used = (size_t)(p + 2 - in.p);
			r->phase = H1_DONE;
			return t->n > 0 ? H1_TRAILED : H1_END;
		}
		if (t->n >= limits->fields)
			return bad(r, BAD_TOO_MANY_FIELDS);
		why = h1_field_line(p, end, &t->f[t->n], &next);
		if (why != BAD_NONE)
			return bad(r, why);
		if (next == NULL)
			break;
		if (is_forbidden(&t->f[t->n]))
			t->f[t->n].flags |= HF_DROP;
		t->n++;
		p = next;
	}
	if (in.len >= limits->head_bytes)
		return bad(r, BAD_HEAD_TOO_BIG);
	return H1_MORE;
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
		ev = read_trailers(r, str_sub(in, *used, in.len), limits,
		    &more, trailers);
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
	return r->phase == H1_HEAD || r->phase == H1_DONE;
}
