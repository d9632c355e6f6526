/*
 * Heads: start lines, fields, and what they say of framing.
 */
#include <limits.h>

#include "base/err.h"
#include "http/chars.h"
#include "http/h1_fields.h"
#include "http/h1_read.h"
#include "http/judge.h"
#include "http/target.h"

#define EMPTY_LINES_MAX 4
#define METHOD_LEN_MAX 64
#define OPTIONS_MAX 32 /* names in Connection: each is sought in all fields */

/* ---- start lines ---- */

static bool
read_line_end(struct h1_scan *s)
{
	if (s->p == s->end)
		return h1_stop_more(s);
	if (*s->p != '\r')
		return h1_stop_bad(s, h1_bad_byte(*s->p, BAD_START_LINE));
	if (s->p + 1 == s->end)
		return h1_stop_more(s);
	if (s->p[1] != '\n')
		return h1_stop_bad(s, BAD_BARE_CR);
	s->p += 2;
	return true;
}

/* Some clients send one behind a body (RFC 9112 2.2). */
static bool
skip_empty_lines(struct h1_scan *s)
{
	for (int i = 0; s->p < s->end && *s->p == '\r'; i++) {
		if (i == EMPTY_LINES_MAX)
			return h1_stop_bad(s, BAD_START_LINE);
		if (!read_line_end(s))
			return false;
	}
	return s->p < s->end || h1_stop_more(s);
}

static bool
read_method(struct h1_scan *s, struct http_head *h)
{
	const char *start = s->p;

	while (s->p < s->end && ch_is(*s->p, CH_TOKEN))
		s->p++;
	if (s->p - start > METHOD_LEN_MAX)
		return h1_stop_bad(s, BAD_METHOD);
	if (s->p == s->end)
		return h1_stop_more(s);
	if (*s->p == '\r')
		return h1_stop_bad(s, BAD_START_LINE);
	if (*s->p != ' ' || s->p == start)
		return h1_stop_bad(s, h1_bad_byte(*s->p, BAD_METHOD));
	h->method_text = str_from(start, (size_t)(s->p - start));
	h->method = (uint8_t)http_method_of(h->method_text);
	s->p++;
	return true;
}

static bool
read_target(struct h1_scan *s, struct http_head *h, uint32_t max)
{
	const char *start = s->p;

	while (s->p < s->end && ch_is(*s->p, CH_TARGET))
		s->p++;
	if ((uint64_t)(s->p - start) > max)
		return h1_stop_bad(s, BAD_TARGET_TOO_LONG);
	if (s->p == s->end) {
		s->run = CH_TARGET;
		s->until = (size_t)(start - s->start) + max + 1;
		return h1_stop_more(s);
	}
	if (*s->p == '\r') /* no version: HTTP/0.9, not ours */
		return h1_stop_bad(s, BAD_START_LINE);
	if (*s->p != ' ' || s->p == start)
		return h1_stop_bad(s, h1_bad_byte(*s->p, BAD_TARGET));
	h->target = str_from(start, (size_t)(s->p - start));
	s->p++;
	return true;
}

/*
 * "HTTP/1.x"; other versions of HTTP are told apart from nonsense.  A minor
 * version above ours is read as ours (RFC 9110 2.5).
 */
static bool
read_version(struct h1_scan *s, struct http_head *h)
{
	static const char name[] = "HTTP/";
	const char *p = s->p;

	for (int i = 0; i < 5; i++, p++) {
		if (p == s->end)
			return h1_stop_more(s);
		if (*p != name[i])
			return h1_stop_bad(s, h1_bad_byte(*p, BAD_START_LINE));
	}
	if (s->end - p < 3)
		return h1_stop_more(s);
	if (p[0] < '0' || p[0] > '9' || p[1] != '.' || p[2] < '0' || p[2] > '9')
		return h1_stop_bad(s, BAD_START_LINE);
	if (p[0] != '1')
		return h1_stop_bad(s, BAD_VERSION);
	h->minor = p[2] != '0';
	s->p = p + 3;
	return true;
}

static bool
read_request_line(struct h1_scan *s, struct http_head *h,
    const struct http_limits *limits)
{
	h->status = 0;
	h->reason = (struct str){ NULL, 0 };
	return skip_empty_lines(s) && read_method(s, h) &&
	    read_target(s, h, limits->target_bytes) && read_version(s, h) &&
	    read_line_end(s);
}

static bool
read_status(struct h1_scan *s, struct http_head *h)
{
	unsigned status = 0;

	if (s->p == s->end)
		return h1_stop_more(s);
	if (*s->p != ' ')
		return h1_stop_bad(s, h1_bad_byte(*s->p, BAD_START_LINE));
	s->p++;
	for (int i = 0; i < 3; i++, s->p++) {
		if (s->p == s->end)
			return h1_stop_more(s);
		if (*s->p < '0' || *s->p > '9')
			return h1_stop_bad(s, BAD_STATUS);
		status = status * 10 + (unsigned)(*s->p - '0');
	}
	if (status < 100 || status > 599)
		return h1_stop_bad(s, BAD_STATUS);
	h->status = (uint16_t)status;
	return true;
}

static bool
read_reason(struct h1_scan *s, struct http_head *h)
{
	const char *start;

	if (s->p == s->end)
		return h1_stop_more(s);
	h->reason = (struct str){ s->p, 0 };
	if (*s->p == '\r')
		return true;
	if (*s->p != ' ')
		return h1_stop_bad(s, h1_bad_byte(*s->p, BAD_STATUS));
	start = ++s->p;
	s->p = h1_skip_value(start, s->end);
	h->reason = str_from(start, (size_t)(s->p - start));
	if (s->p < s->end)
		return true;
	s->run = CH_VALUE;
	s->until = SIZE_MAX; /* only the head's own limit */
	return h1_stop_more(s);
}

static bool
read_status_line(struct h1_scan *s, struct http_head *h)
{
	h->method = METHOD_OTHER;
	h->method_text = h->target = (struct str){ NULL, 0 };
	return read_version(s, h) && read_status(s, h) && read_reason(s, h) &&
	    read_line_end(s);
}

/* ---- what the fields say (http/judge.h), here so that it is inlined ---- */

static enum http_bad
parse_length(struct str s, uint64_t *out)
{
	if (!str_u64(s, out) || *out > INT64_MAX)
		return BAD_LENGTH_SYNTAX;
	return BAD_NONE;
}

static ALWAYS_INLINE enum http_bad
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

/*
 * Only "chunked", once, and nothing else.  Without chunked at the end nobody
 * knows where the body ends (RFC 9112 6.3); other codings before it we may
 * refuse (6.1).
 */
static enum http_bad
judge_coding(const struct http_head *h, bool *chunked)
{
	bool other = false;

	for (unsigned i = 0; i < h->n; i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);
		struct str item;

		if (h->f[i].id != FIELD_TRANSFER_ENCODING)
			continue;
		while (str_list_next(&rest, &item)) {
			if (*chunked)
				return BAD_TRANSFER_ENCODING;
			if (str_caseeq(item, STR("chunked")))
				*chunked = true;
			else
				other = true;
		}
	}
	if (!*chunked)
		return BAD_TRANSFER_ENCODING;
	return other ? BAD_CODING_UNKNOWN : BAD_NONE;
}

static ALWAYS_INLINE enum http_bad
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

static ALWAYS_INLINE enum http_bad
judge_connection(struct http_head *h)
{
	bool close = false, keep = false, upgrade = false;
	unsigned options = 0;

	for (unsigned i = 0; i < h->n && HTTP_HAS(h, CONNECTION); i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);
		struct str item;

		if (h->f[i].id != FIELD_CONNECTION)
			continue;
		while (str_list_next(&rest, &item)) {
			if (++options > OPTIONS_MAX)
				return BAD_FIELD_TOO_BIG;
			close |= str_caseeq(item, STR("close"));
			keep |= str_caseeq(item, STR("keep-alive"));
			upgrade |= str_caseeq(item, STR("upgrade"));
		}
	}
	h->keep_alive = !close && (h->minor >= 1 || keep);
	/* RFC 9110 7.8: HTTP/1.0 cannot ask for it */
	h->upgrade = upgrade && h->minor >= 1 && HTTP_HAS(h, UPGRADE);
	return BAD_NONE;
}

static ALWAYS_INLINE enum http_bad
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
	if (n == rest.len) /* RFC 9112 3.2.4 for OPTIONS */
		h->target = h->method == METHOD_OPTIONS ? STR("*") : STR("/");
	else if (rest.p[n] == '?')
		return BAD_TARGET; /* stricter: no room for the "/" needed */
	else
		h->target = str_sub(rest, n, rest.len);
	return BAD_NONE;
}

static ALWAYS_INLINE enum http_bad
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

/* Nothing but "100-continue" in a list of at least one (RFC 9110 10.1.1). */
static ALWAYS_INLINE enum http_bad
judge_expect(struct http_head *h)
{
	bool asked = false;

	h->expect_continue = false;
	if (!HTTP_HAS(h, EXPECT))
		return BAD_NONE;
	for (unsigned i = 0; i < h->n; i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);
		struct str item;

		if (h->f[i].id != FIELD_EXPECT)
			continue;
		while (str_list_next(&rest, &item)) {
			if (!str_caseeq(item, STR("100-continue")))
				return BAD_EXPECTATION;
			asked = true;
		}
	}
	if (!asked)
		return BAD_EXPECTATION;
	h->expect_continue = h->minor >= 1;
	if (h->minor == 0)
		http_head_drop(h, FIELD_EXPECT);
	return BAD_NONE;
}

static ALWAYS_INLINE bool
takes_trailers(const struct http_head *h)
{
	for (unsigned i = 0; i < h->n && HTTP_HAS(h, TE); i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);
		struct str item;

		if (h->f[i].id != FIELD_TE)
			continue;
		while (str_list_next(&rest, &item))
			if (str_caseeq(item, STR("trailers")))
				return true;
	}
	return false;
}

static ALWAYS_INLINE enum http_bad
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
	if (bad == BAD_NONE)
		bad = judge_connection(h);
	if (bad != BAD_NONE)
		return bad;
	h->te_trailers = takes_trailers(h);
	h->framing = chunked            ? FRAMING_CHUNKED
	    : length && h->body_len > 0 ? FRAMING_LENGTH
	                                : FRAMING_NONE;
	return BAD_NONE;
}

/* The answer that opens what a CONNECT asked for (RFC 9112 6.3). */
static bool
is_tunnel(const struct http_head *h, enum http_method asked)
{
	return asked == METHOD_CONNECT && h->status / 100 == 2;
}

static ALWAYS_INLINE enum http_bad
judge_response(struct http_head *h, enum http_method asked)
{
	bool length, chunked, bodyless;
	enum http_bad bad = judge_framing(h, &length, &chunked);

	if (bad == BAD_NONE)
		bad = judge_connection(h);
	if (bad != BAD_NONE)
		return bad;
	/* A length here would be a lie (RFC 9110 8.6, RFC 9112 6.1). */
	if (h->status < 200 || h->status == 204 || is_tunnel(h, asked)) {
		http_head_drop(h, FIELD_CONTENT_LENGTH);
		http_head_drop(h, FIELD_TRANSFER_ENCODING);
	}
	bodyless = h->status < 200 || h->status == 204 || h->status == 304 ||
	    asked == METHOD_HEAD || is_tunnel(h, asked);
	h->framing = bodyless            ? FRAMING_NONE
	    : chunked                    ? FRAMING_CHUNKED
	    : length && h->body_len == 0 ? FRAMING_NONE
	    : length                     ? FRAMING_LENGTH
	                                 : FRAMING_CLOSE;
	return BAD_NONE;
}

enum http_bad
http_judge_request(struct http_head *h)
{
	return judge_request(h);
}

enum http_bad
http_judge_response(struct http_head *h, enum http_method asked)
{
	return judge_response(h, asked);
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
	r->run = 0;
}

ssize_t
h1_read_head(struct h1_reader *r, struct str in,
    const struct http_limits *limits, enum http_method asked,
    struct http_head *h)
{
	struct h1_scan s;
	enum http_bad bad;
	bool whole;

	if (in.len == 0 || h1_still_waits(r, in))
		return 0;
	s = h1_scan_begin(in, limits->head_bytes);
	h->n = 0;
	h->have = 0;
	h->authority = (struct str){ NULL, 0 };
	h->upgrade = h->keep_alive = h->h2 = false;
	h->expect_continue = h->te_trailers = h->has_authority = false;
	whole = (r->is_response ? read_status_line(&s, h)
	                        : read_request_line(&s, h, limits)) &&
	    h1_scan_fields(&s, limits, h);
	if (s.bad != BAD_NONE)
		return refuse(r, s.bad);
	if (!whole && in.len >= limits->head_bytes)
		return refuse(r, BAD_HEAD_TOO_BIG);
	if (!whole) {
		h1_wait(r, &s, in, limits->head_bytes);
		return 0;
	}
	bad = r->is_response ? judge_response(h, asked) : judge_request(h);
	if (bad != BAD_NONE)
		return refuse(r, bad);
	enter_body(r, h);
	return s.p - in.p;
}
