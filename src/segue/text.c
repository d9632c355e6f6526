#include "segue/text.h"

#include "base/attr.h"

#define REPLACEMENT 0xFFFD

/* Where a lead byte's sequence begins to be the shortest form. */
static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

static size_t
length_of(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xC2 && lead < 0xE0)
		return 2;
	if (lead >= 0xE0 && lead < 0xF0)
		return 3;
	return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

uint32_t
text_next(struct str s, size_t *len)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = s.len == 0 ? 0 : length_of(p[0]);
	uint32_t c;

	*len = s.len == 0 ? 0 : 1;
	if (n <= 1)
		return n == 1 ? p[0] : REPLACEMENT;
	if (n > s.len)
		return REPLACEMENT;
	c = p[0] & (0xFFu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return REPLACEMENT;
		c = c << 6 | (p[i] & 0x3Fu);
	}
	if (c < least[n] || (c >= 0xD800 && c < 0xE000) || c > 0x10FFFF)
		return REPLACEMENT;
	*len = n;
	return c;
}

void
text_clean(struct buf *out, struct str s)
{
	size_t n;

	for (; s.len > 0; s = str_sub(s, n, s.len)) {
		uint32_t c = text_next(s, &n);

		if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
			if (out->len == 0 || out->p[out->len - 1] != ' ')
				buf_add_char(out, ' ');
		} else if (c < ' ' || (c >= 0x7F && c < 0xA0) ||
		    (c >= 0x202A && c <= 0x202E) ||
		    (c >= 0x2066 && c <= 0x2069)) {
			buf_add_char(out, '?'); /* also turns of direction */
		} else if (c == REPLACEMENT) {
			buf_add_cstr(out, "\xEF\xBF\xBD");
		} else {
			buf_add_str(out, str_sub(s, 0, n));
		}
	}
}

struct range {
	uint32_t from, to;
};

/* Marks that stand on the character before them. */
static const struct range narrow[] = {
	{ 0x0300, 0x036F },
	{ 0x0483, 0x0489 },
	{ 0x0591, 0x05BD },
	{ 0x064B, 0x065F },
	{ 0x1AB0, 0x1AFF },
	{ 0x1DC0, 0x1DFF },
	{ 0x200B, 0x200F },
	{ 0x2060, 0x2064 },
	{ 0x20D0, 0x20FF },
	{ 0xFE00, 0xFE0F },
	{ 0xFE20, 0xFE2F },
	{ 0xFEFF, 0xFEFF },
};
/* Two columns each (Unicode Standard Annex 11: W and F, in coarse blocks). */
static const struct range wide[] = {
	{ 0x1100, 0x115F },
	{ 0x2E80, 0x303E },
	{ 0x3041, 0xA4CF },
	{ 0xA960, 0xA97F },
	{ 0xAC00, 0xD7A3 },
	{ 0xF900, 0xFAFF },
	{ 0xFE30, 0xFE6F },
	{ 0xFF00, 0xFF60 },
	{ 0xFFE0, 0xFFE6 },
	{ 0x1F300, 0x1FAFF },
	{ 0x20000, 0x3FFFD },
};

static bool
is_in(uint32_t c, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].from && c <= r[i].to)
			return true;
	return false;
}

static size_t
columns_of(uint32_t c)
{
	if (is_in(c, narrow, ARRAY_LEN(narrow)))
		return 0;
	return is_in(c, wide, ARRAY_LEN(wide)) ? 2 : 1;
}

/* Length of a colour sequence at the head of s, 0 when there is none. */
static size_t
sequence_at(struct str s)
{
	size_t n = 2;

	if (s.len < 3 || s.p[0] != '\033' || s.p[1] != '[')
		return 0;
	while (n < s.len && s.p[n] != 'm')
		n++;
	return n < s.len ? n + 1 : 0;
}

/* Walks s until more than limit columns would be taken. */
static size_t
walk(struct str s, size_t limit, size_t *columns)
{
	size_t at = 0, n, w;

	*columns = 0;
	for (; at < s.len; at += n) {
		struct str rest = str_sub(s, at, s.len);

		n = sequence_at(rest);
		w = n > 0 ? 0 : columns_of(text_next(rest, &n));
		if (*columns + w > limit)
			break;
		*columns += w;
	}
	return at;
}

size_t
text_width(struct str s)
{
	size_t columns;

	(void)walk(s, SIZE_MAX, &columns);
	return columns;
}

size_t
text_fit(struct str s, size_t columns)
{
	size_t used;

	return walk(s, columns, &used);
}
