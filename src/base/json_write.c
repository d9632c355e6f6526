#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/json.h"

void
json_begin(struct json_out *j, struct buf *out)
{
	*j = (struct json_out){ .out = out };
}

/* A comma before every element but the first of its level. */
static void
element(struct json_out *j)
{
	if (j->after_key) {
		j->after_key = false;
		return;
	}
	if (j->started[j->depth])
		buf_add_char(j->out, ',');
	j->started[j->depth] = true;
}

static void
open_level(struct json_out *j, char c)
{
	element(j);
	assert(j->depth < JSON_DEPTH_MAX);
	buf_add_char(j->out, c);
	j->started[++j->depth] = false;
}

static void
close_level(struct json_out *j, char c)
{
	assert(j->depth > 0);
	j->depth--;
	buf_add_char(j->out, c);
}

void
json_begin_object(struct json_out *j)
{
	open_level(j, '{');
}

void
json_end_object(struct json_out *j)
{
	close_level(j, '}');
}

void
json_begin_array(struct json_out *j)
{
	open_level(j, '[');
}

void
json_end_array(struct json_out *j)
{
	close_level(j, ']');
}

void
json_key(struct json_out *j, const char *key)
{
	json_cstr(j, key);
	buf_add_char(j->out, ':');
	j->after_key = true;
}

/*
 * Length of the well-formed UTF-8 sequence at the start of s, 0 when there is
 * none (Unicode 15, table 3-7).
 */
static size_t
utf8_len(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0x80             ? 1
	    : p[0] >= 0xc2 && p[0] <= 0xdf ? 2
	    : (p[0] & 0xf0) == 0xe0        ? 3
	    : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
	                                   : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static const char *
short_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* A bit for each byte of eight that is zero, and perhaps ones above it. */
static uint64_t
zeros(uint64_t x)
{
	return (x - EACH(1)) & ~x & EACH(0x80);
}

/* Is one of eight bytes such that it cannot stand for itself? */
static bool
has_special(const char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return (((x - EACH(0x20)) & ~x & EACH(0x80)) | (x & EACH(0x80)) |
	           zeros(x ^ EACH('"')) | zeros(x ^ EACH('\\')) |
	           zeros(x ^ EACH(0x7f))) != 0;
}

/* Bytes at the start of s that stand for themselves. */
static size_t
plain_len(struct str s)
{
	size_t i = 0;

	while (s.len - i >= 8 && !has_special(s.p + i))
		i += 8;
	while (i < s.len) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f)
			break;
		i++;
	}
	return i;
}

void
json_escape(struct buf *out, struct str s)
{
	while (s.len > 0) {
		size_t n = plain_len(s);
		const unsigned char *p;
		const char *esc;

		buf_add(out, s.p, n);
		if (n == s.len)
			return;
		s = str_sub(s, n, s.len);
		p = (const unsigned char *)s.p;
		esc = short_escape(p[0]);
		n = 1;
		if (esc != NULL)
			buf_add_cstr(out, esc);
		else if (p[0] < 0x20 || p[0] == 0x7f)
			buf_printf(out, "\\u%04x", p[0]);
		else if ((n = utf8_len(p, s.len)) > 0)
			buf_add(out, p, n);
		else
			buf_add_cstr(out, "\xef\xbf\xbd");
		s = str_sub(s, n == 0 ? 1 : n, s.len);
	}
}

void
json_str(struct json_out *j, struct str s)
{
	element(j);
	buf_add_char(j->out, '"');
	json_escape(j->out, s);
	buf_add_char(j->out, '"');
}

void
json_cstr(struct json_out *j, const char *s)
{
	if (s == NULL)
		json_put_null(j);
	else
		json_str(j, str_of(s));
}

void
json_u64(struct json_out *j, uint64_t n)
{
	element(j);
	buf_add_u64(j->out, MIN(n, (uint64_t)INT64_MAX));
}

void
json_i64(struct json_out *j, int64_t n)
{
	element(j);
	buf_printf(j->out, "%lld", (long long)n);
}

void
json_num(struct json_out *j, double d)
{
	element(j);
	if (isfinite(d))
		buf_printf(j->out, "%.15g", d);
	else
		buf_add_cstr(j->out, "null");
}

void
json_micro(struct json_out *j, uint64_t n)
{
	element(j);
	buf_add_micro(j->out, n);
}

void
json_bool(struct json_out *j, bool b)
{
	element(j);
	buf_add_cstr(j->out, b ? "true" : "false");
}

void
json_put_null(struct json_out *j)
{
	element(j);
	buf_add_cstr(j->out, "null");
}

void
json_kv_str(struct json_out *j, const char *key, struct str s)
{
	json_key(j, key);
	json_str(j, s);
}

void
json_kv_cstr(struct json_out *j, const char *key, const char *s)
{
	json_key(j, key);
	json_cstr(j, s);
}

void
json_kv_u64(struct json_out *j, const char *key, uint64_t n)
{
	json_key(j, key);
	json_u64(j, n);
}

void
json_kv_num(struct json_out *j, const char *key, double d)
{
	json_key(j, key);
	json_num(j, d);
}

void
json_kv_micro(struct json_out *j, const char *key, uint64_t n)
{
	json_key(j, key);
	json_micro(j, n);
}

void
json_kv_bool(struct json_out *j, const char *key, bool b)
{
	json_key(j, key);
	json_bool(j, b);
}
