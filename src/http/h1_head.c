/*
 * Heads: start lines, fields, and what they say of framing.
 */
#include <limits.h>

#include "base/err.h"
#include "http/chars.h"
#include "http/h1_fields.h"
#include "http/h1_read.h"
#include "http/judge.h"

#define EMPTY_LINES_MAX 4
#define METHOD_LEN_MAX 64

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
	bad = r->is_response ? http_judge_response(h, asked)
	                     : http_judge_request(h);
	if (bad != BAD_NONE)
		return refuse(r, bad);
	enter_body(r, h);
	return s.p - in.p;
}
