#include "http/judge.h"

#include "base/err.h"
#include "http/target.h"

#define OPTIONS_MAX 32 /* names in Connection: each is sought in all fields */

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

static enum http_bad
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
	if (n == rest.len) /* RFC 9112 3.2.4 for OPTIONS */
		h->target = h->method == METHOD_OPTIONS ? STR("*") : STR("/");
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

/* Nothing but "100-continue" in a list of at least one (RFC 9110 10.1.1). */
static enum http_bad
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

static bool
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

enum http_bad
http_judge_request(struct http_head *h)
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

enum http_bad
http_judge_response(struct http_head *h, enum http_method asked)
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
