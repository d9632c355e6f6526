/* Text for terminals, and tables of it. */
#include "segue/table.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segue/screen.h"
#include "segue/style.h"
#include "segue/text.h"

/* clang-format off */
static const struct {
	const char *why, *in, *out;
	size_t width;
} texts[] = {
	{ "nothing", "", "", 0 },
	{ "ASCII", "v1 serves", "v1 serves", 9 },
	{ "two bytes", "caf\xC3\xA9", "caf\xC3\xA9", 4 },
	{ "a mark of its own takes no column", "e\xCC\x81", "e\xCC\x81", 1 },
	{ "wide", "\xE6\x97\xA5\xE6\x9C\xAC", "\xE6\x97\xA5\xE6\x9C\xAC", 4 },
	{ "four bytes, wide", "\xF0\x9F\x9A\x80", "\xF0\x9F\x9A\x80", 2 },
	{ "escape", "\033[31mred", "?[31mred", 8 },
	{ "escape of C1", "\xC2\x9B" "31m", "?31m", 4 },
	{ "bell and delete", "a\ab\x7F", "a?b?", 4 },
	{ "turn of direction", "a\xE2\x80\xAE" "b", "a?b", 3 },
	{ "line ends and blanks", "a\r\n\t b", "a b", 3 },
	{ "lone continuation", "a\x80", "a\xEF\xBF\xBD", 2 },
	{ "cut short", "a\xE2\x82", "a\xEF\xBF\xBD\xEF\xBF\xBD", 3 },
	{ "overlong slash", "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD", 2 },
	{ "overlong, three bytes", "\xE0\x80\xAF",
	    "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 3 },
	{ "surrogate", "\xED\xA0\x80",
	    "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 3 },
	{ "above U+10FFFF", "\xF4\x90\x80\x80",
	    "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 4 },
	{ "Latin-1", "M\xFCller", "M\xEF\xBF\xBDller", 6 },
};
/* clang-format on */

Test(text, cleaned, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf out = BUF_INIT;

		text_clean(&out, str_of(texts[i].in));
		buf_add_cstr(&out, "");
		cr_expect_str_eq(out.p, texts[i].out, "%s", texts[i].why);
		cr_expect_eq(text_width(buf_str(&out)), texts[i].width,
		    "%s: %zu", texts[i].why, text_width(buf_str(&out)));
		buf_free(&out);
	}
}

Test(text, fits, .timeout = 5)
{
	const char *s = "\033[1mab\033[0m\xE6\x97\xA5"
	                "c";

	cr_expect_eq(text_width(str_of(s)), 5);
	cr_expect_eq(text_fit(str_of(s), 0), 4, "colour is no column");
	cr_expect_eq(text_fit(str_of(s), 2), 10);
	cr_expect_eq(text_fit(str_of(s), 3), 10, "half a character");
	cr_expect_eq(text_fit(str_of(s), 4), 13);
	cr_expect_eq(text_fit(str_of(s), 99), strlen(s));
}

/* ---- tables ---- */

static const struct table_column columns[] = {
	{ "NAME", false, NULL },
	{ "N", true, NULL },
	{ "ODD", true, "0" },
	{ "WHY", false, "-" },
	{ NULL, false, NULL },
};

/* Cells row by row, parted by "|". */
static char *
table_of(const char *cells, size_t indent, bool colour)
{
	struct table *t = table_new(columns);
	struct buf out = BUF_INIT;
	struct str rest = str_of(cells);

	cr_assert_not_null(t);
	while (rest.p != NULL)
		table_add(t, STYLE_GOOD, str_split(&rest, '|'));
	table_write(t, colour, indent, &out);
	table_free(&t);
	return buf_take(&out);
}

/* clang-format off */
static const struct {
	const char *why, *cells;
	size_t indent;
	const char *out;
} tables[] = {
	{ "aligned", "a|1|2|x|long one|1,000|3|", 0,
	    "NAME          N  ODD  WHY\n"
	    "a             1    2  x\n"
	    "long one  1,000    3  -\n" },
	{ "indented, no blank behind", "a|1|2|x", 2,
	    "  NAME  N  ODD  WHY\n"
	    "  a     1    2  x\n" },
	{ "columns without news are left out", "a|1|0||b|2|-|-", 0,
	    "NAME  N\n"
	    "a     1\n"
	    "b     2\n" },
	{ "one cell with news keeps its column", "a|1|0||b|2|7|", 0,
	    "NAME  N  ODD\n"
	    "a     1    0\n"
	    "b     2    7\n" },
	{ "width is columns, not bytes",
	    "caf\xC3\xA9s|1|0|x|\xE6\x97\xA5\xE6\x9C\xAC|22|0|y", 0,
	    "NAME    N  WHY\n"
	    "caf\xC3\xA9s   1  x\n"
	    "\xE6\x97\xA5\xE6\x9C\xAC   22  y\n" },
	{ "a row that is not full", "a|1|0|x|b", 0,
	    "NAME  N  WHY\n"
	    "a     1  x\n"
	    "b     -  -\n" },
	{ "lines cannot be forged", "a\nb\033[2J|1|0|x", 0,
	    "NAME     N  WHY\n"
	    "a b?[2J  1  x\n" },
};
/* clang-format on */

Test(table, rows, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		char *out = table_of(tables[i].cells, tables[i].indent, false);

		cr_expect_str_eq(out, tables[i].out, "%s:\n%s", tables[i].why,
		    out);
		free(out);
	}
}

Test(table, empty, .timeout = 5)
{
	struct table *t = table_new(columns);
	struct buf out = BUF_INIT;

	table_write(t, false, 0, &out);
	cr_expect_eq(out.len, 0, "no head without a row");
	table_free(&t);
	cr_expect_null(t);
	table_free(&t);
	table_add(NULL, STYLE_PLAIN, STR("x"));
	buf_free(&out);
}

/* Colours change nothing but colours. */
Test(table, colours, .timeout = 5)
{
	char *plain = table_of("a|1|2|x|long one|1,000|3|", 2, false);
	char *bright = table_of("a|1|2|x|long one|1,000|3|", 2, true);
	struct str rest = str_of(bright), line;
	struct str other = str_of(plain);

	cr_expect_null(strchr(plain, '\033'));
	cr_expect_not_null(strchr(bright, '\033'));
	while (rest.len > 0) {
		line = str_split(&rest, '\n');
		cr_expect_eq(text_width(line),
		    text_width(str_split(&other, '\n')));
	}
	free(plain);
	free(bright);
}

Test(style, wanted, .timeout = 5)
{
	FILE *f = tmpfile();

	cr_assert_not_null(f);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	cr_expect(style_wanted("always", f));
	cr_expect_not(style_wanted("never", f));
	cr_expect_not(style_wanted("auto", f), "no terminal");
	cr_expect_not(style_wanted(NULL, f));
	setenv("NO_COLOR", "1", 1);
	cr_expect(style_wanted("always", f), "the option is nearer");
	cr_expect_eq(style_columns(f), 0);
	fclose(f);
}

/* On a terminal of our own: auto follows the environment. */
Test(style, terminal, .timeout = 5)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	FILE *f;

	cr_assert_neq(master, -1);
	cr_assert_eq(grantpt(master), 0);
	cr_assert_eq(unlockpt(master), 0);
	f = fopen(ptsname(master), "w");
	cr_assert_not_null(f);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	cr_expect(style_wanted("auto", f));
	cr_expect(style_wanted(NULL, f));
	setenv("NO_COLOR", "", 1);
	cr_expect(style_wanted("auto", f), "empty counts as unset");
	setenv("NO_COLOR", "1", 1);
	cr_expect_not(style_wanted("auto", f));
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	cr_expect_not(style_wanted("auto", f));
	unsetenv("TERM");
	cr_expect_not(style_wanted("auto", f));
	fclose(f);
	close(master);
}

/* ---- screens ---- */

#define HOME "\033[H"
#define CLEAR "\033[K"
#define REST "\033[J"

/* clang-format off */
static const struct {
	const char *why, *text;
	unsigned rows, columns;
	const char *out;
} screens[] = {
	{ "nothing", "", 5, 10, HOME REST },
	{ "lines", "ab\n\ncd\n", 5, 10,
	    HOME "ab" CLEAR "\n" CLEAR "\ncd" CLEAR "\n" REST },
	{ "one too many", "a\nb\nc\n", 3, 10,
	    HOME "a" CLEAR "\nb" CLEAR "\n..." CLEAR REST },
	{ "a wrapped line takes two rows", "abcdef\nb\n", 4, 5,
	    HOME "abcdef" CLEAR "\nb" CLEAR "\n" REST },
	{ "and there may be one too few", "abcdef\nb\n", 3, 5,
	    HOME "abcdef" CLEAR "\n..." CLEAR REST },
	{ "a full row is not cleared", "abcde\nb\n", 3, 5,
	    HOME "abcde\nb" CLEAR "\n" REST },
	{ "colours are no columns", "\033[1mabcde\033[0m\n", 3, 5,
	    HOME "\033[1mabcde\033[0m\n" REST },
	{ "no rows known", "a\nb\nc\n", 0, 10,
	    HOME "a" CLEAR "\nb" CLEAR "\nc" CLEAR "\n" REST },
};
/* clang-format on */

Test(screen, fit, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(screens); i++) {
		struct buf out = BUF_INIT;

		screen_fit(&out, str_of(screens[i].text), screens[i].rows,
		    screens[i].columns);
		cr_expect_str_eq(out.p, screens[i].out, "%s", screens[i].why);
		buf_free(&out);
	}
}
