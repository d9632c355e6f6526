/* The cookies a client keeps. */
#include "contrib/load/jar.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"

/* clang-format off */
static const struct {
	const char *why, *first, *second, *line;
} rows[] = {
	{ "none", "", "", "" },
	{ "attributes are left out", "a=1; Path=/; HttpOnly", "",
	    "Cookie: a=1\r\n" },
	{ "two", "a=1", "b=2", "Cookie: a=1; b=2\r\n" },
	{ "the newer value stays", "a=1", "a=22", "Cookie: a=22\r\n" },
	{ "a name that begins alike", "a=1", "ab=2",
	    "Cookie: a=1; ab=2\r\n" },
	{ "an empty value takes it out", "a=1", "a=; Max-Age=0", "" },
	{ "a value with an equals sign", "a=b==", "", "Cookie: a=b==\r\n" },
	{ "no equals sign", "a", "a; b=1", "" },
	{ "no name", "=1", "", "" },
};
/* clang-format on */

Test(jar, rows, .timeout = 2)
{
	static struct jar j;
	char line[JAR_LINE_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		jar_clear(&j);
		jar_put(&j, rows[i].first);
		jar_put(&j, rows[i].second);
		jar_line(&j, line);
		cr_expect_str_eq(line, rows[i].line, "%s", rows[i].why);
	}
}

Test(jar, full_and_too_long, .timeout = 2)
{
	char text[JAR_NAME_MAX + JAR_VALUE_MAX + 2], line[JAR_LINE_MAX];
	static struct jar j;

	for (int i = 0; i <= JAR_COOKIES_MAX; i++) {
		memset(text, 'a' + i, sizeof(text));
		text[JAR_NAME_MAX - 1] = '=';
		text[JAR_NAME_MAX + JAR_VALUE_MAX - 1] = '\0';
		jar_put(&j, text);
	}
	cr_expect_eq(j.n, JAR_COOKIES_MAX, "one too many is left alone");
	jar_line(&j, line);
	cr_expect_str_eq(line + strlen(line) - 3, "h\r\n",
	    "the longest line fits whole");
	jar_clear(&j);
	memset(text, 'a', sizeof(text));
	text[JAR_NAME_MAX] = '=';
	text[JAR_NAME_MAX + 2] = '\0';
	jar_put(&j, text);
	cr_expect_eq(j.n, 0, "a name too long");
	memset(text, 'a', sizeof(text));
	text[1] = '=';
	text[JAR_VALUE_MAX + 2] = '\0';
	jar_put(&j, text);
	cr_expect_eq(j.n, 0, "a value too long");
}
