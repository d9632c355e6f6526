#include "http/h1_fields.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "http/chars.h"

#ifdef __SSE2__
/* 0xff for each of 16 bytes that cannot stand in a field value. */
static inline __m128i
controls(const char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	/* unsigned v <= 0x1f: subtracting with saturation gives 0 */
	__m128i low = _mm_cmpeq_epi8(_mm_subs_epu8(v, _mm_set1_epi8(0x1f)),
	    _mm_setzero_si128());
	__m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));

	return _mm_or_si128(_mm_andnot_si128(tab, low),
	    _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
}

/* 0xff for each of 16 bytes that is a letter, a digit or a hyphen. */
static inline __m128i
plain_name(const char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i low = _mm_or_si128(v, _mm_set1_epi8(0x20));
	/* bytes above 0x7f are negative here, and below everything */
	__m128i letter = _mm_and_si128(_mm_cmpgt_epi8(low,
	                                   _mm_set1_epi8('a' - 1)),
	    _mm_cmplt_epi8(low, _mm_set1_epi8('z' + 1)));
	__m128i digit = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('0' - 1)),
	    _mm_cmplt_epi8(v, _mm_set1_epi8('9' + 1)));

	return _mm_or_si128(_mm_or_si128(letter, digit),
	    _mm_cmpeq_epi8(v, _mm_set1_epi8('-')));
}
#endif

/* The first byte from p on that is not part of a token; end if there is none.
 */
static inline const char *
skip_token(const char *p, const char *end)
{
#ifdef __SSE2__
	while (end - p >= 16) {
		unsigned mask = (unsigned)_mm_movemask_epi8(plain_name(p));

		if (mask != 0xffff) {
			p += __builtin_ctz(~mask);
			break;
		}
		p += 16;
	}
#endif
	while (p < end && ch_is(*p, CH_TOKEN))
		p++;
	return p;
}

const char *
h1_skip_value(const char *p, const char *end)
{
#ifdef __SSE2__
	while (end - p >= 16) {
		int mask = _mm_movemask_epi8(controls(p));

		if (mask != 0)
			return p + __builtin_ctz((unsigned)mask);
		p += 16;
	}
#endif
	while (p < end && ch_is(*p, CH_VALUE))
		p++;
	return p;
}

size_t
h1_count_controls(const char *p, const char *end)
{
	size_t n = 0;

#ifdef __SSE2__
	__m128i sum = _mm_setzero_si128(), one = _mm_set1_epi8(1);

	for (; end - p >= 16; p += 16)
		sum = _mm_add_epi64(sum,
		    _mm_sad_epu8(_mm_and_si128(controls(p), one),
		        _mm_setzero_si128()));
	sum = _mm_add_epi64(sum, _mm_unpackhi_epi64(sum, sum));
	n = (size_t)_mm_cvtsi128_si64(sum);
#endif
	for (; p < end; p++)
		n += !ch_is(*p, CH_VALUE);
	return n;
}

static enum http_bad
bad_in_name(char c, bool first)
{
	if (c == ' ' || c == '\t')
		return first ? BAD_FOLDED_LINE : BAD_SPACE_BEFORE_COLON;
	return h1_bad_byte(c, BAD_FIELD_NAME);
}

static bool
read_name(struct h1_scan *s, const char *end, struct http_field *f)
{
	const char *name = s->p;

	s->p = skip_token(s->p, end);
	if (s->p - name > UINT16_MAX)
		return h1_stop_bad(s, BAD_FIELD_TOO_BIG);
	if (s->p == end)
		return false;
	if (*s->p != ':' || s->p == name)
		return h1_stop_bad(s, bad_in_name(*s->p, s->p == name));
	f->name = name;
	f->name_len = (uint16_t)(s->p - name);
	s->p++;
	return true;
}

static bool
read_value(struct h1_scan *s, const char *end, struct http_field *f)
{
	const char *stop;

	while (s->p < end && (*s->p == ' ' || *s->p == '\t'))
		s->p++;
	f->value = s->p;
	s->p = stop = h1_skip_value(s->p, end);
	if (s->p == end)
		return false;
	if (*s->p != '\r')
		return h1_stop_bad(s, h1_bad_byte(*s->p, BAD_FIELD_VALUE));
	if (++s->p == end)
		return false;
	if (*s->p++ != '\n')
		return h1_stop_bad(s, BAD_BARE_CR);
	while (stop > f->value && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	f->value_len = (uint32_t)(stop - f->value);
	return true;
}

/* One field line, which is not the empty line. */
static bool
read_field(struct h1_scan *s, size_t max, struct http_field *f)
{
	const char *line = s->p;
	const char *end = line + MIN((size_t)(s->end - line), max);
	bool named = read_name(s, end, f);

	if (named && read_value(s, end, f)) {
		f->id = (uint8_t)http_field_of(str_from(f->name, f->name_len));
		f->flags = 0;
		return true;
	}
	if (s->bad != BAD_NONE)
		return false;
	if ((size_t)(end - line) == max)
		return h1_stop_bad(s, BAD_FIELD_TOO_BIG);
	s->run = end[-1] == '\r' ? 0 : named ? CH_VALUE : CH_TOKEN;
	s->until = (size_t)(line - s->start) + max;
	return h1_stop_more(s);
}

bool
h1_scan_fields(struct h1_scan *s, const struct http_limits *limits,
    struct http_head *h)
{
	for (;;) {
		if (s->p == s->end)
			return h1_stop_more(s);
		if (*s->p == '\r') {
			if (s->p + 1 == s->end)
				return h1_stop_more(s);
			if (s->p[1] != '\n')
				return h1_stop_bad(s, BAD_BARE_CR);
			s->p += 2;
			return true;
		}
		if (h->n >= limits->fields)
			return h1_stop_bad(s, BAD_TOO_MANY_FIELDS);
		if (!read_field(s, limits->field_bytes, &h->f[h->n]))
			return false;
		h->have |= UINT64_C(1) << h->f[h->n].id;
		h->n++;
	}
}

/* ---- waiting for more ---- */

struct h1_scan
h1_scan_begin(struct str in, size_t max)
{
	return (struct h1_scan){ .start = in.p,
		.p = in.p,
		.end = in.p + MIN(in.len, max) };
}

void
h1_wait(struct h1_reader *r, const struct h1_scan *s, struct str in, size_t max)
{
	r->run = s->run;
	r->scanned = (uint32_t)in.len;
	r->until = (uint32_t)MIN(s->until, max);
}

bool
h1_still_waits(struct h1_reader *r, struct str in)
{
	if (r->run == 0 || in.len >= r->until)
		return false;
	while (r->scanned < in.len && ch_is(in.p[r->scanned], r->run))
		r->scanned++;
	return r->scanned == in.len;
}
