#include "segue/run.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "segue/client.h"
#include "segue/command.h"
#include "segue/complete.h"
#include "segue/help.h"
#include "segue/style.h"
#include "segue/text.h"

/* ---- saying ---- */

void
run_print(struct run *r, struct str s)
{
	if (s.len > 0)
		(void)fwrite(s.p, 1, s.len, r->out);
	if (s.len > 0 && r->json && s.p[s.len - 1] != '\n')
		(void)fputc('\n', r->out);
}

void
run_say(struct run *r, const char *fmt, ...)
{
	va_list ap;

	if (r->json || r->quiet)
		return;
	va_start(ap, fmt);
	(void)vfprintf(r->out, fmt, ap);
	va_end(ap);
	(void)fputc('\n', r->out);
}

static void
print_error(struct run *r, const char *name, struct str message)
{
	struct buf doc = BUF_INIT;
	struct json_out j;

	json_begin(&j, &doc);
	json_begin_object(&j);
	json_kv_cstr(&j, "error", name);
	json_kv_str(&j, "message", message);
	json_end_object(&j);
	run_print(r, buf_str(&doc));
	buf_free(&doc);
}

int
run_fail(struct run *r, int exit, const char *name, const char *fmt, ...)
{
	struct buf raw = BUF_INIT, clean = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	text_clean(&clean, buf_str(&raw));
	fprintf(r->err, "segue: " STR_FMT "\n", STR_ARG(clean));
	if (r->json)
		print_error(r, name, buf_str(&clean));
	buf_free(&raw);
	buf_free(&clean);
	return exit;
}

/* ---- the program ---- */

/* Was it asked for, though the rest may be wrong? */
static bool
wants_json(int argc, char *const *argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

static void
settle(struct run *r)
{
	r->socket = client_socket(r->args.option[OPT_SOCKET], r->own_socket);
	r->quiet = args_has(&r->args, OPT_QUIET);
	r->colour = style_wanted(r->args.option[OPT_COLOR], r->out);
}

static int
print_help(const struct command *c, FILE *to, int exit)
{
	struct buf out = BUF_INIT;

	if (c == NULL)
		help_write_all(&out);
	else
		help_write_command(c, &out);
	fprintf(to, STR_FMT, STR_ARG(out));
	buf_free(&out);
	return exit;
}

static int
carry_out(struct run *r, int argc, char *const *argv)
{
	r->json = wants_json(argc, argv);
	if (args_parse(argc, argv, &r->args) != E_OK)
		return run_fail(r, SEGUE_EXIT_USAGE, "usage", "%s",
		    r->args.problem);
	r->json = args_has(&r->args, OPT_JSON);
	settle(r);
	if (args_has(&r->args, OPT_HELP))
		return print_help(r->args.command, r->out, SEGUE_EXIT_DONE);
	if (args_has(&r->args, OPT_VERSION)) {
		fprintf(r->out, "segue %s\n", SEGUE_VERSION);
		return SEGUE_EXIT_DONE;
	}
	if (r->args.command == NULL)
		return print_help(NULL, r->err, SEGUE_EXIT_USAGE);
	return r->args.command->run(r);
}

/* What could not be written was not said: the caller must know. */
static int
flush(struct run *r, int exit)
{
	if (fflush(r->out) == 0 && ferror(r->out) == 0)
		return exit;
	fprintf(r->err, "segue: standard output: %s\n", strerror(errno));
	return exit == SEGUE_EXIT_DONE ? SEGUE_EXIT_FAILED : exit;
}

int
run_main(int argc, char *const *argv, FILE *out, FILE *err)
{
	struct run r = { .out = out, .err = err };
	int exit;

	if (argc > 1 && strcmp(argv[1], COMPLETE_WORD) == 0)
		exit = complete_run(argc - 2, argv + 2, out);
	else
		exit = carry_out(&r, argc, argv);
	exit = flush(&r, exit);
	(void)fflush(err);
	return exit;
}
