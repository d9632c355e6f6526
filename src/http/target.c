#include "http/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/err.h"
#include "http/chars.h"

void
target_split(struct str target, struct str *path, struct str *query)
{
	ssize_t at = str_find(target, '?');

	*path = target;
	*query = (struct str){ NULL, 0 };
	if (at < 0)
		return;
	path->len = (size_t)at;
	*query = str_sub(target, (size_t)at + 1, target.len);
}

static bool
read_port(struct str s, uint16_t *port)
{
	uint64_t n;

	*port = 0;
	if (s.len == 0)
		return true; /* "host:" is allowed (RFC 3986 3.2.3) */
	if (s.len > 5 || !str_u64(s, &n) || n == 0 || n > 65535)
		return false;
	*port = (uint16_t)n;
	return true;
}

/* "[IPv6]" at the start of s; its length, 0 when it is none. */
static size_t
bracketed(struct str s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	ssize_t end = str_find(s, ']');

	if (end < 0 || (size_t)end > sizeof(text) ||
	    memchr(s.p, '\0', (size_t)end) != NULL)
		return 0;
	str_copy(str_sub(s, 1, (size_t)end - 1), text, sizeof(text));
	return inet_pton(AF_INET6, text, &addr) == 1 ? (size_t)end + 1 : 0;
}

bool
target_authority(struct str authority, struct str *host, uint16_t *port)
{
	size_t n = 0;

	*port = 0;
	if (authority.len == 0)
		return false;
	if (authority.p[0] == '[')
		n = bracketed(authority);
	else
		while (n < authority.len &&
		    ch_is(authority.p[n], CH_UNRESERVED))
			n++;
	if (n == 0)
		return false;
	*host = str_sub(authority, 0, n);
	if (n == authority.len)
		return true;
	return authority.p[n] == ':' &&
	    read_port(str_sub(authority, n + 1, authority.len), port);
}

/* ---- normalising ---- */

/* Is the segment that begins there "." or ".."? */
static bool
is_dots(struct str path, size_t at)
{
	size_t n = 0;

	while (n < 3 && at + n < path.len && path.p[at + n] == '.')
		n++;
	return (n == 1 || n == 2) &&
	    (at + n == path.len || path.p[at + n] == '/');
}

bool
target_is_plain(struct str path)
{
	for (size_t i = 0; i < path.len; i++) {
		char c = path.p[i];

		if (c == '%' || c == ';' || c == '\\')
			return false;
		if (c == '/' && i + 1 < path.len &&
		    (path.p[i + 1] == '/' || is_dots(path, i + 1)))
			return false;
	}
	return true;
}

struct walk {
	struct str in;
	size_t at;
	char *out;
	size_t len, cap;
	bool ambiguous;
	bool decoded; /* a "%" is but a byte */
};

/* What hides a border of segments when decoded, or ends strings in C. */
static bool
is_hiding(unsigned c)
{
	return c == '/' || c == '\\' || c == 0 || c == '.' || c == ';' ||
	    c == '%';
}

static int
put(struct walk *w, char c)
{
	if (w->len >= w->cap)
		return E_TOOBIG;
	w->out[w->len++] = c;
	return E_OK;
}

/* Decodes "%41" to "A" where that means the same; else keeps it. */
static int
put_escape(struct walk *w)
{
	const char *p = w->in.p + w->at;
	unsigned c;
	int rc;

	if (w->in.len - w->at < 3 || !ch_is(p[1], CH_HEX) ||
	    !ch_is(p[2], CH_HEX))
		return E_SYNTAX;
	c = ch_hex(p[1]) * 16 + ch_hex(p[2]);
	w->at += 3;
	if (is_hiding(c))
		w->ambiguous = true;
	if (ch_is((char)c, CH_UNRESERVED))
		return put(w, (char)c);
	rc = put(w, '%');
	for (int i = 1; i <= 2 && rc == E_OK; i++)
		rc = put(w,
		    p[i] >= 'A' && p[i] <= 'F' ? (char)(p[i] | 0x20) : p[i]);
	return rc;
}

/* One segment, without its parameters, to the output. */
static int
put_segment(struct walk *w)
{
	int rc = E_OK;

	while (w->at < w->in.len && w->in.p[w->at] != '/' && rc == E_OK) {
		char c = w->in.p[w->at];

		if (c == ';') {
			w->ambiguous = true;
			while (w->at < w->in.len && w->in.p[w->at] != '/')
				w->at++;
			return E_OK;
		}
		if (c == '%' && !w->decoded) {
			rc = put_escape(w);
			continue;
		}
		if (c == '\\')
			w->ambiguous = true;
		rc = put(w, c);
		w->at++;
	}
	return rc;
}

/* Removes the last segment and the "/" before it. */
static void
pop_segment(struct walk *w)
{
	while (w->len > 0 && w->out[w->len - 1] != '/')
		w->len--;
	if (w->len > 0)
		w->len--;
}

/* "/" and the next segment; "." and ".." leave only their effect. */
static int
walk_on(struct walk *w)
{
	size_t start = w->len;
	bool last;
	struct str seg;
	int rc;

	while (w->at < w->in.len && w->in.p[w->at] == '/')
		w->at++;
	rc = put(w, '/');
	if (rc == E_OK)
		rc = put_segment(w);
	if (rc != E_OK)
		return rc;
	last = w->at == w->in.len;
	seg = str_from(w->out + start + 1, w->len - start - 1);
	if (seg.len == 0 && !last) {
		w->len = start;
	} else if (str_eq(seg, STR("."))) {
		w->len = last ? start + 1 : start;
	} else if (str_eq(seg, STR(".."))) {
		w->len = start;
		pop_segment(w);
		if (last)
			return put(w, '/'); /* "/a/b/.." is "/a/" */
	}
	return E_OK;
}

static ssize_t
walk(struct walk *w)
{
	int rc = E_OK;

	while (w->at < w->in.len && rc == E_OK)
		rc = walk_on(w);
	if (rc == E_OK && w->len == 0)
		rc = put(w, '/');
	return rc == E_OK ? (ssize_t)w->len : rc;
}

ssize_t
target_normalise(struct str path, char *out, size_t cap, bool *ambiguous)
{
	struct walk w = { .in = path, .cap = cap };
	ssize_t n;

	w.out = out;
	n = walk(&w);
	*ambiguous = n >= 0 && w.ambiguous;
	return n;
}

/* Until no escape is left at the end of out[len]; its new length. */
static size_t
decode_end(char *out, size_t len)
{
	while (len >= 3 && out[len - 3] == '%' && ch_is(out[len - 2], CH_HEX) &&
	    ch_is(out[len - 1], CH_HEX)) {
		out[len - 3] = (char)(ch_hex(out[len - 2]) * 16 +
		    ch_hex(out[len - 1]));
		len -= 2;
	}
	return len;
}

ssize_t
target_unescape(struct str path, char *out, size_t cap)
{
	size_t len = 0;

	if (path.len >= cap)
		return E_TOOBIG;
	for (size_t i = 0; i < path.len; i++) {
		out[len] = path.p[i];
		len = decode_end(out, len + 1);
	}
	return (ssize_t)len;
}

/* Decoded behind the first byte, walked from there: never overtaken. */
ssize_t
target_decode(struct str path, char *out, size_t cap)
{
	struct walk w = { .cap = cap, .decoded = true };
	ssize_t len;

	if (path.len >= cap)
		return E_TOOBIG;
	len = target_unescape(path, out + 1, cap);
	if (len < 0)
		return len;
	for (ssize_t i = 1; i <= len; i++)
		if (out[i] == '\\')
			out[i] = '/';
	w.out = out;
	w.in = str_from(out + 1, (size_t)len);
	return walk(&w);
}

bool
target_param_next(struct str *rest, struct str *name, struct str *value)
{
	while (rest->len > 0) {
		struct str pair = str_split(rest, '&');
		ssize_t eq = str_find(pair, '=');

		if (pair.len == 0)
			continue;
		*name = eq < 0 ? pair : str_sub(pair, 0, (size_t)eq);
		*value = eq < 0 ? (struct str){ NULL, 0 }
		                : str_sub(pair, (size_t)eq + 1, pair.len);
		return true;
	}
	return false;
}
