/*
 * buf - a growing byte string for everything that is not the data path.
 *
 * A failed allocation sets .failed and later writes do nothing, so that a
 * caller writes freely and asks once at the end.
 *
 * Thread: the owner.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct buf {
	char *p;     /* owned; always NUL-terminated once non-NULL */
	size_t len;  /* bytes in use, NUL not counted */
	size_t cap;  /* bytes allocated */
	bool failed; /* memory ran out at some time */
};

#define BUF_INIT ((struct buf){ NULL, 0, 0, false })

void buf_add(struct buf *, const void *bytes, size_t len);
void buf_add_str(struct buf *, struct str);
void buf_add_cstr(struct buf *, const char *);
void buf_add_u64(struct buf *, uint64_t); /* decimal */
/* Millionths, as decimal number without needless zeros: "12", "0.00345". */
void buf_add_micro(struct buf *, uint64_t);
void buf_printf(struct buf *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *, const char *fmt, va_list) PRINTF_LIKE(2, 0);
/* Room for len bytes in all: it is not moved, nor copied, until then. */
void buf_reserve(struct buf *, size_t len);
void buf_reset(struct buf *);         /* length 0, memory kept */
void buf_cut(struct buf *, size_t n); /* the first n bytes go */
void buf_free(struct buf *);
void buf_wipe(struct buf *); /* the same; first its content is zeroed */
struct str buf_str(const struct buf *);
static inline void
buf_add_char(struct buf *b, char c)
{
	if (b->failed || b->cap - b->len < 2) {
		buf_add(b, &c, 1);
		return;
	}
	b->p[b->len++] = c;
	b->p[b->len] = '\0';
}
/* Hands the memory to the caller (free()); "" rather than NULL. */
char *buf_take(struct buf *) MUST_CHECK;

#endif
