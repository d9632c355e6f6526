#include "session/page.h"

#include "http/chars.h"

#define DIGITS_MAX 8 /* of a reference by number */

#define REF(text, c)                                                           \
	{                                                                      \
		{ (text), sizeof(text) - 1 }, (c)                              \
	}
static const struct {
	struct str name;
	char means;
} refs[] = { REF("amp", '&'), REF("quot", '"'), REF("apos", '\''),
	REF("lt", '<'), REF("gt", '>'), REF("plus", '+'), REF("sol", '/'),
	REF("equals", '='), REF("colon", ':'), REF("num", '#'),
	REF("percnt", '%') };

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

static void
skip(struct str *s, size_t n)
{
	*s = str_from(s->p + n, s->len - n);
}

/* Behind the name of the next tag that is an input. */
static bool
to_input(struct str *rest)
{
	const struct str tag = STR("<input");
	ssize_t at;

	while ((at = str_find(*rest, '<')) >= 0) {
		skip(rest, (size_t)at);
		if (rest->len > tag.len && str_casestarts(*rest, tag) &&
		    (is_space(rest->p[tag.len]) || rest->p[tag.len] == '/')) {
			skip(rest, tag.len);
			return true;
		}
		skip(rest, 1);
	}
	return false;
}

static void
skip_spaces(struct str *s)
{
	while (s->len > 0 && is_space(s->p[0]))
		skip(s, 1);
}

/* Takes what stands before the first of these, or a space. */
static struct str
take_until(struct str *s, struct str ends)
{
	struct str taken = { s->p, 0 };

	while (taken.len < s->len && !is_space(s->p[taken.len]) &&
	    str_find(ends, s->p[taken.len]) < 0)
		taken.len++;
	skip(s, taken.len);
	return taken;
}

static struct str
take_value(struct str *s)
{
	char quote;

	skip_spaces(s);
	if (s->len == 0 || (s->p[0] != '"' && s->p[0] != '\''))
		return take_until(s, STR(">"));
	quote = s->p[0];
	skip(s, 1);
	return str_split(s, quote);
}

/* False: the tag is at its end. */
static bool
take_attribute(struct str *s, struct str *name, struct str *value)
{
	while (s->len > 0 && (is_space(s->p[0]) || s->p[0] == '/'))
		skip(s, 1);
	if (s->len == 0 || s->p[0] == '>')
		return false;
	*value = (struct str){ NULL, 0 };
	*name = take_until(s, STR("/>="));
	if (name->len == 0) { /* "=" begins a name, which none of ours is */
		skip(s, 1);
		(void)take_until(s, STR("/>="));
	}
	skip_spaces(s);
	if (s->len > 0 && s->p[0] == '=') {
		skip(s, 1);
		*value = take_value(s);
	}
	return true;
}

bool
page_field_next(struct str *rest, struct str *name, struct str *value)
{
	struct str attribute, text;

	while (to_input(rest)) {
		*name = *value = (struct str){ NULL, 0 };
		while (take_attribute(rest, &attribute, &text)) {
			if (name->p == NULL &&
			    str_caseeq(attribute, STR("name")))
				*name = text;
			else if (value->p == NULL &&
			    str_caseeq(attribute, STR("value")))
				*value = text;
		}
		if (name->len > 0 && value->len > 0)
			return true;
	}
	return false;
}

/* The character behind "&#"; -1: none of ASCII, or no number. */
static int
by_number(struct str *s)
{
	bool hex = s->len > 0 && (s->p[0] | 0x20) == 'x';
	unsigned base = hex ? 16 : 10, code = 0;
	size_t n = 0;

	if (hex)
		skip(s, 1);
	while (n < s->len && n < DIGITS_MAX &&
	    (hex ? ch_is(s->p[n], CH_HEX) : s->p[n] >= '0' && s->p[n] <= '9')) {
		code = code * base + ch_hex(s->p[n]);
		n++;
	}
	skip(s, n);
	if (s->len > 0 && s->p[0] == ';')
		skip(s, 1);
	return n == 0 || code == 0 || code > 0x7e ? -1 : (int)code;
}

/* The one behind "&"; that itself, where it is no name of ours. */
static int
by_name(struct str *s)
{
	for (size_t i = 0; i < ARRAY_LEN(refs); i++) {
		size_t len = refs[i].name.len;

		if (str_starts(*s, refs[i].name) && s->len > len &&
		    s->p[len] == ';') {
			skip(s, len + 1);
			return refs[i].means;
		}
	}
	return '&';
}

static int
take_char(struct str *s)
{
	char c = s->p[0];

	skip(s, 1);
	if (c != '&')
		return (unsigned char)c;
	if (s->len == 0 || s->p[0] != '#')
		return by_name(s);
	skip(s, 1);
	return by_number(s);
}

struct str
page_value(struct str s, char *out, size_t cap)
{
	size_t n = 0;
	int c;

	while (s.len > 0) {
		c = take_char(&s);
		if (c == -1 || n == cap)
			return (struct str){ NULL, 0 };
		out[n++] = (char)c;
	}
	return n == 0 ? (struct str){ NULL, 0 } : str_from(out, n);
}
