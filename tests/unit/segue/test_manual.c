/* segue(1) tells of each command, option and exit code, and of no others. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/adminproto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "segue/args.h"
#include "segue/command.h"

#define PAGE SRCDIR "/man/segue.1"

static char *
manual(void)
{
	struct buf text = BUF_INIT;

	buf_add_char(&text, '\n'); /* each line has one before it */
	cr_assert_eq(file_read(PAGE, (size_t)1 << 20, &text), E_OK, "%s", PAGE);
	return buf_take(&text);
}

static bool has(const char *text, const char *fmt, ...) PRINTF_LIKE(2, 3);

static bool
has(const char *text, const char *fmt, ...)
{
	struct buf line = BUF_INIT;
	bool found;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	found = strstr(text, line.p) != NULL;
	buf_free(&line);
	return found;
}

/* ".It Cm share Ar POOL Ar PERCENT", each operand as in its row */
static void
write_item(const struct command *c, struct buf *out)
{
	buf_printf(out, "\n.It Cm %s", c->name);
	for (size_t i = 0; i < OPERANDS_MAX; i++) {
		const struct arg_row *o = &c->operands[i];

		if (o->name == NULL)
			continue;
		if (o->kind == ARG_WORD) {
			struct str rest = str_of(o->words);
			struct str w = str_split(&rest, '|');

			buf_printf(out, "%s Cm " STR_FMT,
			    o->optional ? " Oo" : "", STR_ARG(w));
			while (rest.len > 0) {
				w = str_split(&rest, '|');
				buf_printf(out, " | " STR_FMT, STR_ARG(w));
			}
			if (o->optional)
				buf_add_cstr(out, " Oc");
		} else {
			buf_printf(out, o->optional ? " Op Ar %s" : " Ar %s",
			    o->name);
		}
	}
	buf_add_char(out, '\n');
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = strstr(text, what); p != NULL;
	     p = strstr(p + 1, what))
		n++;
	return n;
}

Test(manual, commands, .timeout = 5)
{
	const struct command *c;
	char *text = manual();
	size_t n;

	c = command_rows(&n);
	for (size_t i = 0; i < n; i++) {
		struct buf item = BUF_INIT;

		write_item(&c[i], &item);
		cr_expect(has(text, "%s", item.p), "missing:%s", item.p);
		buf_free(&item);
	}
	cr_expect_eq(count(text, "\n.It Cm "), n, "commands it has not");
	free(text);
}

Test(manual, options, .timeout = 5)
{
	char *text = manual();
	size_t items = 0;

	for (size_t i = 0; i < OPT_COUNT; i++) {
		const struct option_row *o = &option_rows[i];
		struct buf item = BUF_INIT;

		buf_add_cstr(&item, "\n.It ");
		if (o->letter != 0)
			buf_printf(&item, "Fl %c , ", o->letter);
		buf_printf(&item, "Fl -%s", o->name);
		if (o->arg.name != NULL)
			buf_printf(&item, " Ar %s", o->arg.name);
		buf_add_char(&item, '\n');
		cr_expect(has(text, "%s", item.p), "missing:%s", item.p);
		items += count(text, item.p);
		buf_free(&item);
	}
	cr_expect_eq(count(text, "\n.It Fl "), items, "options it has not");
	free(text);
}

/* Where the manual tells of a command; the end of that is made a NUL. */
static char *
section(char *text, const struct command *c)
{
	struct buf item = BUF_INIT;
	char *from, *to;

	write_item(c, &item);
	from = strstr(text, item.p);
	cr_assert_not_null(from, "%s", c->name);
	from += item.len;
	buf_free(&item);
	to = strstr(from, "\n.It Cm ");
	if (to == NULL)
		to = strstr(from, "\n.El\n");
	cr_assert_not_null(to, "%s", c->name);
	*to = '\0';
	return from;
}

/* Options of a command are named where it is told of. */
Test(manual, options_of_commands, .timeout = 5)
{
	const struct command *c;
	size_t n;

	c = command_rows(&n);
	for (size_t i = 0; i < n; i++) {
		char *text = manual(), *told = section(text, &c[i]);

		for (size_t k = 0; k < OPT_COUNT; k++)
			if ((c[i].options & OPT_BIT(k)) != 0)
				cr_expect(has(told, "Fl -%s",
				              option_rows[k].name),
				    "%s: --%s", c[i].name, option_rows[k].name);
		free(text);
	}
}

Test(manual, exit_codes, .timeout = 5)
{
	char *text = manual();

#define X(id, number, meaning)                                                 \
	cr_expect(has(text, "\n.It %d\n", number), "exit code %d", number);
	SEGUE_EXITS(X)
#undef X
	cr_expect(has(text, ADMIN_SOCKET_DEFAULT));
	free(text);
}
