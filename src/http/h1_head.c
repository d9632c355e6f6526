/*
 * Heads: start lines, fields, and what they say of framing.
 */
#include <limits.h>

#include "base/err.h"
#include "http/chars.h"
#include "http/h1_fields.h"
#include "http/h1_read.h"
#include "http/target.h"

#define EMPTY_LINES_MAX 4
#define START_TOKEN_MAX 64 /* of a method */

/* A cursor over the bytes; .bad is set once. */
struct scan {
	const char *p, *end;
	enum http_bad bad;
	bool more; /* the bytes ended first */
};

static bool
stop_bad(struct scan *s, enum http_bad bad)
{
	s->bad = bad;
	return false;
}

static bool
stop_more(struct scan *s)
{
	s->more = true;
	return false;
}

static enum http_bad
bad_byte(char c, enum http_bad otherwise)
{
	return c == '\0'     ? BAD_NUL
	    : c == '\n'     ? BAD_BARE_LF
	    : c == '\r'     ? BAD_BARE_CR
	                    : otherwise;
}

/* ---- start lines ---- */

static bool
skip_empty_lines(struct scan *s)
{
	for (int i = 0; s->p < s->end && *s->p == '\r'; i++) {
		if (s->p + 1 == s->end)
			return stop_more(s);
		if (s->p[1] != '\n' || i == EMPTY_LINES_MAX)
			return stop_bad(s, i == EMPTY_LINES_MAX
			        ? BAD_START_LINE
			        : BAD_BARE_CR);
		s->p += 2;
	}
	return s->p < s->end || stop_more(s);
}

static bool
read_method(struct scan *s, struct http_head *h)
{
	const char *start = s->p;

	while (s->p < s->end && ch_is(*s->p, CH_TOKEN))
		s->p++;
	if (s->p - start > START_TOKEN_MAX)
		return stop_bad(s, BAD_METHOD);
	if (s->p == s->end)
		return stop_more(s);
	if (*s->p != ' ' || s->p == start)
		return stop_bad(s, bad_byte(*s->p, BAD_METHOD));
	h->method_text = str_from(start, (size_t)(s->p - start));
	h->method = (uint8_t)http_method_of(h->method_text);
	s->p++;
	return true;
}

static bool
read_target(struct scan *s, struct http_head *h, uint32_t max)
{
	const char *start = s->p;

	while (s->p < s->end && ch_is(*s->p, CH_TARGET))
		s->p++;
	if ((uint64_t)(s->p - start) > max)
		return stop_bad(s, BAD_TARGET_TOO_LONG);
	if (s->p == s->end)
		return stop_more(s);
	if (*s->p != ' ' || s->p == start) {
		/* "GET /\r\n" has no version: HTTP/0.9, not ours */
		enum http_bad bad = *s->p == '\r' ? BAD_START_LINE
		                                  : BAD_TARGET;

		return stop_bad(s, bad_byte(*s->p == '\r' ? 'x' : *s->p, bad));
	}
	h->target = str_from(start, (size_t)(s->p - start));
	s->p++;
	return true;
}

/* "HTTP/1.x"; other versions of HTTP are told apart from nonsense. */
static bool
read_version(struct scan *s, struct http_head *h)
{
	static const char name[] = "HTTP/";
	const char *p = s->p;

	for (int i = 0; i < 5; i++, p++) {
		if (p == s->end)
			return stop_more(s);
		if (*p != name[i])
			return stop_bad(s, bad_byte(*p, BAD_START_LINE));
	}
	if (s->end - p < 3)
		return stop_more(s);
	if (p[0] < '0' || p[0] > '9' || p[1] != '.' || p[2] < '0' ||
	    p[2] > '9')
		return stop_bad(s, BAD_START_LINE);
	if (p[0] != '1' || p[2] > '1')
		return stop_bad(s, BAD_VERSION);
	h->minor = (uint8_t)(p[2] - '0');
	s->p = p + 3;
	return true;
}

static bool
read_line_end(struct scan *s)
{
	if (s->p == s->end)
		return stop_more(s);
	if (*s->p != '\r')
		return stop_bad(s, bad_byte(*s->p, BAD_START_LINE));
	if (s->p + 1 == s->end)
		return stop_more(s);
	if (s->p[1] != '\n')
		return stop_bad(s, BAD_BARE_CR);
	s->p += 2;
	return true;
}

static bool
read_request_line(struct scan *s, struct http_head *h,
    const struct http_limits *limits)
{
	h->status = 0;
	h->reason = (struct str){ NULL, 0 };
	return skip_empty_lines(s) && read_method(s, h) &&
	    read_target(s, h, limits->target_bytes) && read_version(s, h) &&
	    read_line_end(s);
}

static bool
read_status(struct scan *s, struct http_head *h)
{
	unsigned status = 0;

	if (s->p == s->end)
		return stop_more(s);
	if (*s->p != ' ')
		return stop_bad(s, BAD_START_LINE);
	s->p++;
	for (int i = 0; i < 3; i++, s->p++) {
		if (s->p == s->end)
			return stop_more(s);
		if (*s->p < '0' || *s->p > '9')
			return stop_bad(s, BAD_STATUS);
		status = status * 10 + (unsigned)(*s->p - '0');
	}
	if (status < 100 || status > 599)
		return stop_bad(s, BAD_STATUS);
	h->status = (uint16_t)status;
	return true;
}

static bool
read_reason(struct scan *s, struct http_head *h)
{
	const char *start;

	if (s->p == s->end)
		return stop_more(s);
	h->reason = (struct str){ s->p, 0 };
	if (*s->p == '\r')
		return true;
	if (*s->p != ' ')
		return stop_bad(s, BAD_STATUS);
	start = ++s->p;
	while (s->p < s->end && ch_is(*s->p, CH_VALUE))
		s->p++;
	h->reason = str_from(start, (size_t)(s->p - start));
	return s->p < s->end || stop_more(s);
}

static bool
read_status_line(struct scan *s, struct http_head *h)
{
	h->method = METHOD_OTHER;
	h->method_text = h->target = (struct str){ NULL, 0 };
	return read_version(s, h) && read_status(s, h) && read_reason(s, h) &&
	    read_line_end(s);
}

/* ---- fields ---- */

static bool
read_fields(struct scan *s, struct http_head *h,
    const struct http_limits *limits)
{
	for (;;) {
		const char *next;
		enum http_bad bad;

		if (s->p == s->end)
			return stop_more(s);
		if (*s->p == '\r') {
			if (s->p + 1 == s->end)
				return stop_more(s);
			if (s->p[1] != '\n')
				return stop_bad(s, BAD_BARE_CR);
			s->p += 2;
			return true;
		}
		if (h->n >= limits->fields)
			return stop_bad(s, BAD_TOO_MANY_FIELDS);
		bad = h1_field_line(s->p, s->end, &h->f[h->n], &next);
		if (bad != BAD_NONE)
			return stop_bad(s, bad);
		if ((uint64_t)((next == NULL ? s->end : next) - s->p) >
		    limits->field_bytes)
			return stop_bad(s, BAD_FIELD_TOO_BIG);
		if (next == NULL)
			return stop_more(s);
		h->have |= UINT64_C(1) << h->f[h->n].id;
		h->n++;
		s->p = next;
	}
}

/* ---- what the fields say ---- */

static enum http_bad
parse_length(struct str s, uint64_t *out)
{
	if (!str_u64(s, out) || *out > INT64_MAX)
		return BAD_LENGTH_SYNTAX;
	return BAD_NONE;
}

static enum http_bad
judge_length(struct http_head *h, bool *given)
{
	*given = false;
	for (unsigned i = 0; i < h->n; i++) {
		const struct http_field *f = &h->f[i];
		enum http_bad bad;

		if (f->id != FIELD_CONTENT_LENGTH)
			continue;
		if (*given)
			return BAD_LENGTH_TWICE;
		bad = parse_length(str_from(f->value, f->value_len),
		    &h->body_len);
		if (bad != BAD_NONE)
			return bad;
		*given = true;
	}
	return BAD_NONE;
}

/* Only "chunked", once, and nothing else (RFC 9112 6.1 allows us to refuse). */
static enum http_bad
judge_coding(const struct http_head *h, bool *chunked)
{
	bool other = false, after = false;

	*chunked = false;
	for (unsigned i = 0; i < h->n; i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);
		struct str item;
		bool any = false;

		if (h->f[i].id != FIELD_TRANSFER_ENCODING)
			continue;
		while (str_list_next(&rest, &item)) {
			any = true;
			after = *chunked;
			if (after)
				return BAD_TRANSFER_ENCODING;
			if (str_caseeq(item, STR("chunked")))
				*chunked = true;
			else
				other = true;
		}
		if (!any)
			return BAD_TRANSFER_ENCODING;
	}
	if (other)
		return BAD_CODING_UNKNOWN;
	return BAD_NONE;
}

static enum http_bad
judge_framing(struct http_head *h, bool *length, bool *chunked)
{
	enum http_bad bad;

	*length = *chunked = false;
	h->body_len = 0;
	if (HTTP_HAS(h, CONTENT_LENGTH)) {
		bad = judge_length(h, length);
		if (bad != BAD_NONE)
			return bad;
	}
	if (!HTTP_HAS(h, TRANSFER_ENCODING))
		return BAD_NONE;
	if (*length)
		return BAD_LENGTH_AND_CHUNKED;
	if (h->minor == 0)
		return BAD_CHUNKED_IN_1_0;
	return judge_coding(h, chunked);
}

static void
judge_connection(struct http_head *h)
{
	bool close = false, keep = false, upgrade = false;

	for (unsigned i = 0; i < h->n && HTTP_HAS(h, CONNECTION); i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);
		struct str item;

		if (h->f[i].id != FIELD_CONNECTION)
			continue;
		while (str_list_next(&rest, &item)) {
			close |= str_caseeq(item, STR("close"));
			keep |= str_caseeq(item, STR("keep-alive"));
			upgrade |= str_caseeq(item, STR("upgrade"));
		}
	}
	h->keep_alive = !close && (h->minor >= 1 || keep);
	h->upgrade = upgrade && HTTP_HAS(h, UPGRADE);
}

static enum http_bad
judge_host(struct http_head *h)
{
	const struct http_field *host = http_head_find(h, FIELD_HOST);
	unsigned count = 0;
	struct str name;
	uint16_t port;

	h->authority = (struct str){ NULL, 0 };
	h->has_authority = host != NULL;
	if (host == NULL)
		return h->minor == 0 ? BAD_NONE : BAD_HOST_MISSING;
	for (unsigned i = 0; i < h->n; i++)
		count += h->f[i].id == FIELD_HOST;
	if (count > 1)
		return BAD_HOST_TWICE;
	h->authority = str_from(host->value, host->value_len);
	if (!target_authority(h->authority, &name, &port))
		return BAD_HOST_SYNTAX;
	return BAD_NONE;
}

/* "http://host/path": the authority is the target's (RFC 9112 3.2.2). */
static enum http_bad
absolute_form(struct http_head *h)
{
	struct str rest, name;
	uint16_t port;
	size_t n = 0;

	if (str_casestarts(h->target, STR("http://")))
		rest = str_sub(h->target, 7, h->target.len);
	else if (str_casestarts(h->target, STR("https://")))
		rest = str_sub(h->target, 8, h->target.len);
	else
		return BAD_TARGET;
	while (n < rest.len && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	h->authority = str_sub(rest, 0, n);
	h->has_authority = true;
	if (!target_authority(h->authority, &name, &port))
		return BAD_TARGET;
	if (n == rest.len)
		h->target = STR("/");
	else if (rest.p[n] == '?')
		return BAD_TARGET; /* stricter: no room for the "/" needed */
	else
		h->target = str_sub(rest, n, rest.len);
	return BAD_NONE;
}

static enum http_bad
judge_target(struct http_head *h)
{
	struct str name;
	uint16_t port;

	if (h->method == METHOD_CONNECT) {
		if (!target_authority(h->target, &name, &port) || port == 0)
			return BAD_TARGET;
		h->authority = h->target;
		return BAD_NONE;
	}
	if (h->target.p[0] == '/')
		return BAD_NONE;
	if (str_eq(h->target, STR("*")))
		return h->method == METHOD_OPTIONS ? BAD_NONE : BAD_TARGET;
	return absolute_form(h);
}

static enum http_bad
judge_expect(struct http_head *h)
{
	struct str v;

	h->expect_continue = false;
	if (!HTTP_HAS(h, EXPECT))
		return BAD_NONE;
	v = http_head_value(h, FIELD_EXPECT);
	if (!str_caseeq(v, STR("100-continue")))
		return BAD_EXPECTATION;
	if (h->minor == 0)
		http_head_drop(h, FIELD_EXPECT); /* RFC 9110 10.1.1 */
	else
		h->expect_continue = true;
	return BAD_NONE;
}

static bool
list_has(struct str list, struct str word)
{
	struct str item;

	while (str_list_next(&list, &item))
		if (str_caseeq(item, word))
			return true;
	return false;
}

static enum http_bad
judge_request(struct http_head *h)
{
	bool length, chunked;
	enum http_bad bad = judge_host(h);

	if (bad == BAD_NONE)
		bad = judge_target(h);
	if (bad == BAD_NONE)
		bad = judge_framing(h, &length, &chunked);
	if (bad == BAD_NONE)
		bad = judge_expect(h);
	if (bad != BAD_NONE)
		return bad;
	judge_connection(h);
	h->te_trailers = HTTP_HAS(h, TE) &&
	    list_has(http_head_value(h, FIELD_TE), STR("trailers"));
	h->framing = chunked              ? FRAMING_CHUNKED
	    : length && h->body_len > 0 ? FRAMING_LENGTH
	                                : FRAMING_NONE;
	return BAD_NONE;
}

static enum http_bad
judge_response(struct http_head *h, enum http_method asked)
{
	bool length, chunked, bodyless;
	enum http_bad bad = judge_framing(h, &length, &chunked);

	/* These have no body whatever they say (RFC 9112 6.3, RFC 9110 8.6). */
	if (h->status < 200 || h->status == 204) {
		http_head_drop(h, FIELD_CONTENT_LENGTH);
		http_head_drop(h, FIELD_TRANSFER_ENCODING);
	}
	if (bad != BAD_NONE)
		return bad == BAD_CODING_UNKNOWN ? BAD_TRANSFER_ENCODING : bad;
	judge_connection(h);
	bodyless = h->status < 200 || h->status == 204 || h->status == 304 ||
	    asked == METHOD_HEAD;
	h->framing = bodyless             ? FRAMING_NONE
	    : chunked                     ? FRAMING_CHUNKED
	    : length && h->body_len == 0  ? FRAMING_NONE
	    : length                      ? FRAMING_LENGTH
	                                  : FRAMING_CLOSE;
	return BAD_NONE;
}

/* ---- the reader ---- */

void
h1_reader_init(struct h1_reader *r, bool is_response)
{
	*r = (struct h1_reader){ .is_response = is_response };
}

void
h1_read_next(struct h1_reader *r)
{
	h1_reader_init(r, r->is_response);
}

static ssize_t
refuse(struct h1_reader *r, enum http_bad bad)
{
	r->bad = (uint8_t)bad;
	return E_SYNTAX;
}

static void
enter_body(struct h1_reader *r, const struct http_head *h)
{
	r->framing = h->framing;
	r->left = h->framing == FRAMING_LENGTH ? h->body_len : 0;
	r->phase = h->framing == FRAMING_NONE ? H1_DONE : H1_BODY;
	r->scanned = 0;
}

ssize_t
h1_read_head(struct h1_reader *r, struct str in,
    const struct http_limits *limits, enum http_method asked,
    struct http_head *h)
{
	struct scan s = { .p = in.p, .end = in.p + in.len };
	enum http_bad bad;
	bool whole;

	if (in.len == 0)
		return 0;
	h->n = 0;
	h->have = 0;
	h->authority = (struct str){ NULL, 0 };
	h->expect_continue = h->te_trailers = h->has_authority = false;
	whole = (r->is_response ? read_status_line(&s, h)
	                        : read_request_line(&s, h, limits)) &&
	    read_fields(&s, h, limits);
	if (s.bad != BAD_NONE)
		return refuse(r, s.bad);
	if ((uint64_t)(s.p - in.p) > limits->head_bytes ||
	    (!whole && in.len >= limits->head_bytes))
		return refuse(r, BAD_HEAD_TOO_BIG);
	if (!whole)
		return 0;
	bad = r->is_response ? judge_response(h, asked) : judge_request(h);
	if (bad != BAD_NONE)
		return refuse(r, bad);
	enter_body(r, h);
	return s.p - in.p;
}
