/* Fields of forms on pages. */
#include "session/page.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"

static const struct {
	const char *why, *html, *fields; /* name=value, as written */
} pages[] = {
	{ "no quotes", "<input name=a value=b>", "a=b " },
	{ "quotes", "<input name='a' value=\"b'c\">", "a=b'c " },
	{ "spaces", "<input\n name = a\r\tvalue =\n'b c'>", "a=b c " },
	{ "a border in quotes", "<input title='>' name=a value=b>", "a=b " },
	{ "closed", "<input name=\"a\"value=\"b\"/>", "a=b " },
	{ "a slash in a value", "<input name=a value=b/c/>", "a=b/c/ " },
	{ "the first of two", "<input name=a name=b value=c value=d>", "a=c " },
	{ "without a value first", "<input disabled name=a value=b>", "a=b " },
	{ "a stray sign", "<input = name=a =value=x value=b>", "a=b " },
	{ "signs alone", "<input ===/=/= ==", "" },
	{ "in a comment", "<!-- <input name=a value=b> -->", "a=b " },
	{ "tag in a tag", "<input name=a <input name=b value=c>", "a=c " },
	{ "several", "<input name=a value=b><p><input name=c value=d>",
	    "a=b c=d " },
	{ "no end", "<input name=a value=b", "a=b " },
	{ "no end of quotes", "<input name=a value='b><input name=c value=d>",
	    "a=b><input name=c value=d> " },
	{ "nothing", "", "" },
	{ "only its begin", "<input", "" },
};

static void
expect_fields(struct str html, const char *expected, const char *why)
{
	struct str name, value;
	char all[256] = "";

	while (page_field_next(&html, &name, &value)) {
		size_t n = strlen(all);

		(void)snprintf(all + n, sizeof(all) - n,
		    STR_FMT "=" STR_FMT " ", STR_ARG(name), STR_ARG(value));
	}
	cr_expect_str_eq(all, expected, "%s: %s", why, all);
}

Test(page, fields)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		expect_fields(str_of(pages[i].html), pages[i].fields,
		    pages[i].why);
	expect_fields((struct str){ NULL, 0 }, "", "NULL");
	expect_fields(STR("<input \0=\0 name=a value=b\0>"), "a=b ", "NUL");
}

static const struct {
	const char *written, *value; /* NULL: none */
} values[] = {
	{ "plain", "plain" },
	{ "a&amp;b", "a&b" },
	{ "&quot;&apos;&lt;&gt;", "\"'<>" },
	{ "&#43;&#x2f;&#X3D;&#61", "+/==" },
	{ "&amp", "&amp" },
	{ "a&b&unknown;&", "a&b&unknown;&" },
	{ "&amp;lt;", "&lt;" },
	{ "&#;", NULL },
	{ "&#x;", NULL },
	{ "&#0;", NULL },
	{ "&#228;", NULL },
	{ "&#99999999999;", NULL },
	{ "\xc3\xa4", "\xc3\xa4" },
	{ "12345678901234567", NULL },
	{ "", NULL },
};

Test(page, values)
{
	char out[16];

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct str v = page_value(str_of(values[i].written), out,
		    sizeof(out));

		if (values[i].value == NULL)
			cr_expect_null(v.p, "%s", values[i].written);
		else
			cr_expect(str_eq(v, str_of(values[i].value)),
			    "%s: " STR_FMT, values[i].written, STR_ARG(v));
	}
}
