#include "http/h1_write.h"

#include <string.h>

#include "base/err.h"

struct out {
	char *p, *end;
	bool full;
};

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

static bool
is_clean(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] == '\r' || p[i] == '\n' || p[i] == '\0')
			return false;
	return true;
}

static void
put_field(struct out *o, const struct http_field *f)
{
	size_t need = f->name_len + 2u + f->value_len + 2u;
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

static void
put_status_line(struct out *o, const struct http_head *h)
{
	char digits[4] = { (char)('0' + h->status / 100),
		(char)('0' + h->status / 10 % 10),
		(char)('0' + h->status % 10), ' ' };

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

static void
put_flags(struct out *o, unsigned flags)
{
	if (flags & H1W_CHUNKED)
		PUT(o, "Transfer-Encoding: chunked\r\n");
	if (flags & H1W_UPGRADE)
		PUT(o, "Connection: upgrade\r\n");
	else if (flags & H1W_CLOSE)
		PUT(o, "Connection: close\r\n");
	else if (flags & H1W_KEEP_ALIVE)
		PUT(o, "Connection: keep-alive\r\n");
	PUT(o, "\r\n");
}

static bool
is_left_out(const struct http_head *h, const struct http_field *f,
    unsigned flags)
{
	if (f->id == FIELD_HOST && h->status == 0)
		return true; /* written first, from the authority */
	if (f->id == FIELD_UPGRADE && (flags & H1W_UPGRADE))
		return false;
	return (f->flags & HF_DROP) != 0;
}

ssize_t
h1_write_head(const struct http_head *h, unsigned flags, char *out,
    size_t cap)
{
	struct out o = { out, out + cap, false };

	if (h->status == 0)
		put_request_line(&o, h);
	else
		put_status_line(&o, h);
	for (unsigned i = 0; i < h->n && !o.full; i++)
		if (!is_left_out(h, &h->f[i], flags))
			put_field(&o, &h->f[i]);
	put_flags(&o, flags);
	return o.full ? E_TOOBIG : o.p - out;
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
	struct out o = { out, out + cap, false };

	PUT(&o, "0\r\n");
	for (unsigned i = 0; i < t->n && !o.full; i++) {
		if (t->f[i].flags & HF_DROP)
			continue;
		if (!is_clean(t->f[i].value, t->f[i].value_len))
			return E_SYNTAX;
		put_field(&o, &t->f[i]);
	}
	PUT(&o, "\r\n");
	return o.full ? E_TOOBIG : o.p - out;
}
