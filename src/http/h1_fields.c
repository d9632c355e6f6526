#include "http/h1_fields.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "http/chars.h"

/* First byte in [p, end) that cannot stand in a field value, or end. */
static const char *
skip_value(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i space = _mm_set1_epi8(0x1f), del = _mm_set1_epi8(0x7f),
	              tab = _mm_set1_epi8('\t'), zero = _mm_setzero_si128();

	while (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* unsigned v <= 0x1f: subtracting with saturation gives 0 */
		__m128i low = _mm_cmpeq_epi8(_mm_subs_epu8(v, space), zero);
		__m128i bad = _mm_or_si128(
		    _mm_andnot_si128(_mm_cmpeq_epi8(v, tab), low),
		    _mm_cmpeq_epi8(v, del));
		int mask = _mm_movemask_epi8(bad);

		if (mask != 0)
			return p + __builtin_ctz((unsigned)mask);
		p += 16;
	}
#endif
	while (p < end && ch_is(*p, CH_VALUE))
		p++;
	return p;
}

static enum http_bad
bad_in_name(char c, bool first)
{
	switch (c) {
	case ' ':
	case '\t':
		return first ? BAD_FOLDED_LINE : BAD_SPACE_BEFORE_COLON;
	case '\0':
		return BAD_NUL;
	case '\n':
		return BAD_BARE_LF;
	case '\r':
		return first ? BAD_BARE_CR : BAD_FIELD_NAME;
	default:
		return BAD_FIELD_NAME;
	}
}

static enum http_bad
bad_in_value(char c)
{
	return c == '\0' ? BAD_NUL : c == '\n' ? BAD_BARE_LF : BAD_FIELD_VALUE;
}

enum http_bad
h1_field_line(const char *p, const char *end, struct http_field *f,
    const char **next)
{
	const char *name = p, *value, *stop;

	*next = NULL;
	while (p < end && ch_is(*p, CH_TOKEN))
		p++;
	if (p == end)
		return BAD_NONE;
	if (*p != ':' || p == name)
		return bad_in_name(*p, p == name);
	f->name = name;
	if (p - name > UINT16_MAX)
		return BAD_FIELD_TOO_BIG;
	f->name_len = (uint16_t)(p - name);
	p++;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	value = p;
	p = skip_value(p, end);
	if (p == end)
		return BAD_NONE;
	if (*p != '\r')
		return bad_in_value(*p);
	if (p + 1 == end)
		return BAD_NONE;
	if (p[1] != '\n')
		return BAD_BARE_CR;
	stop = p;
	while (stop > value && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	f->value = value;
	f->value_len = (uint32_t)(stop - value);
	f->id = (uint8_t)http_field_of(str_from(f->name, f->name_len));
	f->flags = 0;
	*next = p + 2;
	return BAD_NONE;
}
