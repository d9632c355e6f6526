#include "http/h1_write.h"

#include <string.h>

#include "base/err.h"
#include "http/h1_fields.h"

struct out {
	char *begin, *p, *end;
	bool full;
};

static void
begin(struct out *o, char *out, size_t cap)
{
	o->begin = o->p = out;
	o->end = o->p + cap;
	o->full = false;
}

static inline void
put(struct out *o, const char *p, size_t len)
{
	if ((size_t)(o->end - o->p) < len) {
		o->full = true;
		return;
	}
	if (len > 0)
		memcpy(o->p, p, len);
	o->p += len;
}

#define PUT(o, literal) put((o), (literal), sizeof(literal) - 1)

static void
put_field(struct out *o, const struct http_field *f)
{
	size_t need = (size_t)f->name_len + f->value_len + 4;
	char *p = o->p;

	if ((size_t)(o->end - p) < need) {
		o->full = true;
		return;
	}
	memcpy(p, f->name, f->name_len);
	p += f->name_len;
	*p++ = ':';
	*p++ = ' ';
	if (f->value_len > 0)
		memcpy(p, f->value, f->value_len);
	p += f->value_len;
	*p++ = '\r';
	*p++ = '\n';
	o->p = p;
}

/*
 * Nothing in what we rendered may begin a line of its own: there are no
 * control bytes but the ends of our lines.
 */
static ssize_t
finish(const struct out *o, size_t lines)
{
	if (o->full)
		return E_TOOBIG;
	if (h1_count_controls(o->begin, o->p) != 2 * lines)
		return E_SYNTAX;
	return o->p - o->begin;
}

static void
put_status_line(struct out *o, const struct http_head *h)
{
	char digits[4] = { (char)('0' + h->status / 100),
		(char)('0' + h->status / 10 % 10), (char)('0' + h->status % 10),
		' ' };

	PUT(o, "HTTP/1.1 ");
	put(o, digits, 4);
	put(o, h->reason.p, h->reason.len);
	PUT(o, "\r\n");
}

static void
put_request_line(struct out *o, const struct http_head *h)
{
	put(o, h->method_text.p, h->method_text.len);
	PUT(o, " ");
	put(o, h->target.p, h->target.len);
	PUT(o, " HTTP/1.1\r\nHost: ");
	put(o, h->authority.p, h->authority.len);
	PUT(o, "\r\n");
}

/* Returns how many lines. */
static size_t
put_flags(struct out *o, unsigned flags)
{
	size_t lines = 1;

	if (flags & H1W_CHUNKED) {
		PUT(o, "Transfer-Encoding: chunked\r\n");
		lines++;
	}
	if (flags & H1W_EMPTY) {
		PUT(o, "Content-Length: 0\r\n");
		lines++;
	}
	if (flags & H1W_UPGRADE)
		PUT(o, "Connection: upgrade\r\n");
	else if (flags & H1W_CLOSE)
		PUT(o, "Connection: close\r\n");
	else if (flags & H1W_KEEP_ALIVE)
		PUT(o, "Connection: keep-alive\r\n");
	lines += (flags & (H1W_UPGRADE | H1W_CLOSE | H1W_KEEP_ALIVE)) != 0;
	PUT(o, "\r\n");
	return lines;
}

static bool
is_left_out(const struct http_head *h, const struct http_field *f,
    unsigned flags)
{
	if (f->id == FIELD_HOST && h->status == 0)
		return true; /* written first, from the authority */
	if (f->id == FIELD_UPGRADE && (flags & H1W_UPGRADE))
		return false;
	if ((flags & H1W_CHUNKED) &&
	    (f->id == FIELD_CONTENT_LENGTH || f->id == FIELD_TRANSFER_ENCODING))
		return true; /* never two framings */
	return (f->flags & HF_DROP) != 0;
}

ssize_t
h1_write_head(const struct http_head *h, unsigned flags, char *out, size_t cap)
{
	struct out o;
	size_t lines;

	begin(&o, out, cap);
	if (h->status == 0)
		put_request_line(&o, h);
	else
		put_status_line(&o, h);
	lines = h->status == 0 ? 2 : 1;
	for (unsigned i = 0; i < h->n && !o.full; i++) {
		if (is_left_out(h, &h->f[i], flags))
			continue;
		put_field(&o, &h->f[i]);
		lines++;
	}
	lines += put_flags(&o, flags);
	return finish(&o, lines);
}

size_t
h1_write_chunk_head(uint64_t len, char out[H1_CHUNK_HEAD_MAX])
{
	static const char hex[] = "0123456789abcdef";
	unsigned digits = 1;
	size_t n = 0;

	while (digits < 16 && len >> (4 * digits) != 0)
		digits++;
	while (digits-- > 0)
		out[n++] = hex[len >> (4 * digits) & 15];
	out[n++] = '\r';
	out[n++] = '\n';
	return n;
}

ssize_t
h1_write_trailers(const struct http_head *t, char *out, size_t cap)
{
	struct out o;
	size_t lines = 2;

	begin(&o, out, cap);
	PUT(&o, "0\r\n");
	for (unsigned i = 0; i < t->n && !o.full; i++) {
		if (t->f[i].flags & HF_DROP)
			continue;
		put_field(&o, &t->f[i]);
		lines++;
	}
	PUT(&o, "\r\n");
	return finish(&o, lines);
}
