/*
 * Texts as YAML scalars.
 */
#include "config/yaml.h"

/* What other readers of YAML take for a truth or for nothing. */
static const char *const reserved[] = { "null", "true", "false", "yes", "no",
	"on", "off", "y", "n" };

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_bare_safe(struct str s)
{
	if (s.len == 0 || (!is_letter(s.p[0]) && s.p[0] != '/'))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_letter(s.p[i]) && !(s.p[i] >= '0' && s.p[i] <= '9') &&
		    (s.p[i] == '\0' || strchr("._/-", s.p[i]) == NULL))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (str_caseeq(s, str_of(reserved[i])))
			return false;
	return true;
}

/*
 * Takes one character of UTF-8 off the front; a byte that belongs to none is
 * returned as it is with *len 1.
 */
static unsigned
take_char(struct str s, size_t *len)
{
	unsigned char c = (unsigned char)s.p[0];
	unsigned point;
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

	*len = 1;
	if (n == 1 || n > s.len)
		return c;
	point = c & (0x7fU >> n);
	for (size_t i = 1; i < n; i++)
		point = point << 6 | ((unsigned char)s.p[i] & 0x3f);
	*len = n;
	return point;
}

/*
 * YAML 1.1 (5.1, 5.4): not printable, or a line break that is folded, or a
 * mark of byte order.
 */
static bool
must_escape(unsigned point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
	    point == 0x2028 || point == 0x2029 || point == 0xfeff ||
	    point == 0xfffe || point == 0xffff;
}

void
yaml_add_quoted(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	while (s.len > 0) {
		size_t len;
		unsigned point = take_char(s, &len);

		if (point == '"' || point == '\\')
			buf_printf(out, "\\%c", (int)point);
		else if (len == 1 && point >= 0x80)
			buf_add_char(out, s.p[0]); /* no UTF-8: not ours */
		else if (must_escape(point))
			buf_printf(out, point < 0x100 ? "\\x%02x" : "\\u%04x",
			    point);
		else
			buf_add(out, s.p, len);
		s = str_sub(s, len, s.len);
	}
	buf_add_char(out, '"');
}

void
yaml_add_text(struct buf *out, struct str s)
{
	if (is_bare_safe(s))
		buf_add_str(out, s);
	else
		yaml_add_quoted(out, s);
}
