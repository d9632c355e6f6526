/*
 * str - a borrowed run of bytes with its length; not NUL-terminated.
 *
 * Thread: any.
 */
#ifndef BASE_STR_H
#define BASE_STR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/attr.h"

struct str {
	const char *p; /* borrowed; may be NULL when len is 0 */
	size_t len;    /* bytes */
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).len, (s).p

static inline struct str
str_of(const char *cstr)
{
	return (struct str){ cstr, cstr == NULL ? 0 : strlen(cstr) };
}

static inline struct str
str_from(const char *p, size_t len)
{
	return (struct str){ p, len };
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* ASCII case is ignored in the two with "case". */
bool str_caseeq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_casestarts(struct str s, struct str prefix);
int str_cmp(struct str a, struct str b);

/* Index of the first c, or -1. */
ssize_t str_find(struct str s, char c);
/* s without leading and trailing SP and HTAB. */
struct str str_trim(struct str s);
/* Bytes [from, from + len) cut to what s has. */
struct str str_sub(struct str s, size_t from, size_t len);

/*
 * Takes the part before sep off *rest and returns it; *rest becomes what
 * follows sep, or {NULL, 0} when there was none.
 */
struct str str_split(struct str *rest, char sep);
/*
 * Next non-empty element of a comma-separated list (RFC 9110 5.6.1), white
 * space trimmed, quotes respected; false at the end.
 */
bool str_list_next(struct str *rest, struct str *item);

/* Whole of s as decimal number; false on anything else or overflow. */
#define STR_HEX64_MAX 17
/* Writes n in 16 digits, and NUL; returns out. */
const char *str_put_hex64(uint64_t n, char out[STR_HEX64_MAX]);
/* Reads that, and nothing else. */
bool str_hex64(struct str, uint64_t *out) MUST_CHECK;
bool str_u64(struct str s, uint64_t *out) MUST_CHECK;
/* NUL-terminated copy on the heap; NULL when memory is out. */
char *str_dup(struct str s) MUST_CHECK;
/* Copies into out[cap] with NUL, cut if need be; returns bytes copied. */
size_t str_copy(struct str s, char *out, size_t cap);

/*
 * Edit distance (Levenshtein, ASCII case ignored), for "did you mean"; limit
 * + 1 when it is greater than limit or a side is longer than 64 bytes.
 */
unsigned str_distance(struct str a, struct str b, unsigned limit);
/* The name in names[n] nearest to s, NULL when none is near enough. */
const char *str_nearest(struct str s, const char *const *names, size_t n);

#endif
