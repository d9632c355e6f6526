#include "segue/help.h"

#include <string.h>

#include "admin/adminproto.h"
#include "base/str.h"
#include "segue/handlers.h"
#include "segue/run.h"

static void
add_padded(struct buf *out, struct str s, size_t width)
{
	buf_add_str(out, s);
	for (size_t n = s.len; n < width; n++)
		buf_add_char(out, ' ');
}

/* "-q, --quiet", "    --pool NAME" */
static void
write_option_name(const struct option_row *o, struct buf *out)
{
	if (o->letter != 0)
		buf_printf(out, "-%c, ", o->letter);
	else
		buf_add_cstr(out, "    ");
	buf_printf(out, "--%s", o->name);
	if (o->arg.name != NULL)
		buf_printf(out, " %s", o->arg.name);
}

static void
write_options(uint64_t which, struct buf *out)
{
	struct buf name = BUF_INIT;
	size_t width = 0;

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < OPT_COUNT; i++) {
			if ((which & OPT_BIT(i)) == 0)
				continue;
			buf_reset(&name);
			write_option_name(&option_rows[i], &name);
			width = MAX(width, name.len);
			if (round == 0)
				continue;
			buf_add_cstr(out, "  ");
			add_padded(out, buf_str(&name), width + 2);
			buf_printf(out, "%s\n", option_rows[i].help);
		}
	}
	out->failed = out->failed || name.failed;
	buf_free(&name);
}

void
help_write_all(struct buf *out)
{
	const struct command *c;
	size_t n, width = 0;

	c = command_rows(&n);
	for (size_t i = 0; i < n; i++)
		width = MAX(width, strlen(c[i].name));
	buf_add_cstr(out,
	    "usage: segue COMMAND [OPERAND ...] [OPTION ...]\n\n");
	for (size_t i = 0; i < n; i++) {
		buf_add_cstr(out, "  ");
		add_padded(out, str_of(c[i].name), width + 2);
		buf_printf(out, "%s\n", c[i].help);
	}
	buf_add_cstr(out, "\nOptions of every command:\n");
	write_options(OPT_COMMON, out);
	buf_add_cstr(out, "\nExit status:\n");
#define X(id, number, meaning) buf_printf(out, "  %d  %s\n", number, meaning);
	SEGUE_EXITS(X)
#undef X
	buf_add_cstr(out,
	    "\n\"segue help COMMAND\" tells more, as does segue(1)."
	    "\n");
}

void
help_write_command(const struct command *c, struct buf *out)
{
	buf_add_cstr(out, "usage: segue ");
	command_synopsis(c, out);
	buf_printf(out, "\n\n%s\n", c->help);
	if (c->more != NULL)
		buf_printf(out, "\n%s", c->more);
	if (c->options != 0) {
		buf_add_cstr(out, "\nOptions:\n");
		write_options(c->options, out);
	}
	buf_add_cstr(out,
	    "\n\"segue help\" lists the options of every command.\n");
}

int
help_run(struct run *r)
{
	struct buf out = BUF_INIT;
	const struct command *c = NULL;
	const char *near;

	if (r->args.n_operands > 0) {
		c = command_find(r->args.operand[0]);
		near = command_nearest(r->args.operand[0]);
		if (c == NULL)
			return run_fail(r, SEGUE_EXIT_USAGE, "usage",
			    "there is no command \"%s\"%s%s%s",
			    r->args.operand[0],
			    near == NULL ? "" : "; did you mean ",
			    near == NULL ? "" : near, near == NULL ? "" : "?");
	}
	if (c == NULL)
		help_write_all(&out);
	else
		help_write_command(c, &out);
	run_print(r, buf_str(&out));
	buf_free(&out);
	return SEGUE_EXIT_DONE;
}
