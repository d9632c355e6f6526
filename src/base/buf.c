#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 128

/* Room for len more bytes and a NUL. */
static bool
reserve(struct buf *b, size_t len)
{
	size_t cap = b->cap == 0 ? FIRST_CAP : b->cap;
	char *p;

	if (b->failed)
		return false;
	if (b->cap - b->len > len)
		return true;
	while (cap - b->len <= len) {
		if (cap > SIZE_MAX / 2) {
			b->failed = true;
			return false;
		}
		cap *= 2;
	}
	p = realloc(b->p, cap);
	if (p == NULL) {
		b->failed = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void
buf_reserve(struct buf *b, size_t len)
{
	char *p;

	if (b->failed || len < b->cap)
		return;
	p = len == SIZE_MAX ? NULL : realloc(b->p, len + 1);
	if (p == NULL) {
		b->failed = true;
		return;
	}
	b->p = p;
	b->cap = len + 1;
	b->p[b->len] = '\0';
}

void
buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len > 0)
		memcpy(b->p + b->len, bytes, len);
	b->len += len;
	b->p[b->len] = '\0';
}

void
buf_add_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.len);
}

void
buf_add_cstr(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

/* The digits of n, at least so many, before end; gives where they begin. */
static char *
digits(char *end, uint64_t n, unsigned least)
{
	char *p = end;

	while (n > 0 || end - p < (ptrdiff_t)least) {
		*--p = (char)('0' + n % 10);
		n /= 10;
	}
	return p;
}

void
buf_add_u64(struct buf *b, uint64_t n)
{
	char text[20];
	char *end = text + sizeof(text);
	char *p = digits(end, n, 1);

	buf_add(b, p, (size_t)(end - p));
}

void
buf_add_micro(struct buf *b, uint64_t n)
{
	char text[7] = ".";
	size_t len = sizeof(text);

	(void)digits(text + sizeof(text), n % 1000000, 6);
	while (len > 1 && text[len - 1] == '0')
		len--;
	buf_add_u64(b, n / 1000000);
	if (len > 1)
		buf_add(b, text, len);
}

void
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	size_t room = b->cap - b->len;
	int n;

	if (b->failed)
		return;
	va_copy(again, ap);
	n = vsnprintf(room == 0 ? NULL : b->p + b->len, room, fmt, ap);
	if (n < 0) {
		b->failed = true;
	} else if ((size_t)n < room) {
		b->len += (size_t)n;
	} else if (reserve(b, (size_t)n)) {
		(void)vsnprintf(b->p + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	} else if (room > 0) {
		b->p[b->len] = '\0'; /* not half of it */
	}
	va_end(again);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->p != NULL)
		b->p[0] = '\0';
}

void
buf_cut(struct buf *b, size_t n)
{
	n = MIN(n, b->len);
	memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
}

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT;
}

void
buf_wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->len);
	buf_free(b);
}

struct str
buf_str(const struct buf *b)
{
	return str_from(b->p, b->len);
}

char *
buf_take(struct buf *b)
{
	char *p;

	buf_add(b, "", 0);
	if (b->failed) {
		buf_free(b);
		return NULL;
	}
	p = b->p;
	*b = BUF_INIT;
	return p;
}
