#include "base/str.h"

#include <limits.h>
#include <stdlib.h>

static unsigned char
lower(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

static bool
same_case(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool
str_caseeq(struct str a, struct str b)
{
	return a.len == b.len && same_case(a.p, b.p, a.len);
}

bool
str_starts(struct str s, struct str prefix)
{
	return str_eq(str_sub(s, 0, prefix.len), prefix);
}

bool
str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
	    str_eq(str_sub(s, s.len - suffix.len, suffix.len), suffix);
}

bool
str_casestarts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && same_case(s.p, prefix.p, prefix.len);
}

int
str_cmp(struct str a, struct str b)
{
	size_t n = MIN(a.len, b.len);
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (c != 0)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

ssize_t
str_find(struct str s, char c)
{
	const char *at = s.len == 0 ? NULL : memchr(s.p, c, s.len);

	return at == NULL ? -1 : at - s.p;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str
str_trim(struct str s)
{
	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct str
str_sub(struct str s, size_t from, size_t len)
{
	if (from >= s.len)
		return str_from(s.len == 0 ? s.p : s.p + s.len, 0);
	return str_from(s.p + from, MIN(len, s.len - from));
}

struct str
str_split(struct str *rest, char sep)
{
	ssize_t at = str_find(*rest, sep);
	struct str first = *rest;

	if (at < 0) {
		*rest = (struct str){ NULL, 0 };
		return first;
	}
	first.len = (size_t)at;
	*rest = str_sub(*rest, (size_t)at + 1, rest->len);
	return first;
}

/* Length of the list element at the start of s, a quoted comma included. */
static size_t
element_len(struct str s)
{
	bool in_quotes = false;
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (in_quotes && s.p[i] == '\\' && i + 1 < s.len)
			i++;
		else if (s.p[i] == '"')
			in_quotes = !in_quotes;
		else if (s.p[i] == ',' && !in_quotes)
			break;
	}
	return i;
}

bool
str_list_next(struct str *rest, struct str *item)
{
	while (rest->len > 0) {
		size_t n = element_len(*rest);

		*item = str_trim(str_sub(*rest, 0, n));
		*rest = str_sub(*rest, n + 1, rest->len);
		if (item->len > 0)
			return true;
	}
	return false;
}

bool
str_u64(struct str s, uint64_t *out)
{
	uint64_t n = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*out = n;
	return true;
}

char *
str_dup(struct str s)
{
	char *p = malloc(s.len + 1);

	if (p == NULL)
		return NULL;
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return p;
}

size_t
str_copy(struct str s, char *out, size_t cap)
{
	size_t n;

	if (cap == 0)
		return 0;
	n = MIN(s.len, cap - 1);
	if (n > 0)
		memcpy(out, s.p, n);
	out[n] = '\0';
	return n;
}

#define DISTANCE_LEN_MAX 64 /* longer names are far from everything */

static unsigned
beyond(unsigned limit)
{
	return limit == UINT_MAX ? UINT_MAX : limit + 1;
}

unsigned
str_distance(struct str a, struct str b, unsigned limit)
{
	unsigned row[DISTANCE_LEN_MAX + 1];

	if (a.len > DISTANCE_LEN_MAX || b.len > DISTANCE_LEN_MAX)
		return beyond(limit);
	for (size_t j = 0; j <= b.len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned swap = diagonal +
			    (lower(a.p[i - 1]) != lower(b.p[j - 1]));

			diagonal = row[j];
			row[j] = MIN(swap, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return MIN(row[b.len], beyond(limit));
}

const char *
str_nearest(struct str s, const char *const *names, size_t n)
{
	unsigned best = (unsigned)(s.len / 3) + 1;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = str_distance(s, str_of(names[i]), best);

		if (d > best || (found != NULL && d == best))
			continue;
		best = d;
		found = names[i];
	}
	return found;
}

bool
str_hex64(struct str s, uint64_t *out)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t n = 0;

	if (s.len != 16)
		return false;
	for (size_t i = 0; i < 16; i++) {
		const char *at = s.p[i] == '\0' ? NULL : strchr(digits, s.p[i]);

		if (at == NULL)
			return false;
		n = n << 4 | (uint64_t)(at - digits);
	}
	*out = n;
	return true;
}

const char *
str_put_hex64(uint64_t n, char out[STR_HEX64_MAX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = STR_HEX64_MAX - 1; i-- > 0; n >>= 4)
		out[i] = digits[n & 15];
	out[STR_HEX64_MAX - 1] = '\0';
	return out;
}
