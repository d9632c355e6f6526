/*
 * segued - the daemon: reads its arguments and becomes the master.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/thread.h"
#include "config/config.h"
#include "supervisor/complain.h"
#include "supervisor/master.h"
#include "supervisor/source.h"

#define CONFIG_FILE "/etc/segue/segue.yaml"

enum { EXIT_USAGE = 2 };
enum mode { MODE_RUN, MODE_CHECK, MODE_DUMP };

/* clang-format off */
#define OPTIONS(X)                                                             \
	X('c', "config", "FILE", "the configuration; default " CONFIG_FILE)    \
	X('t', "check", NULL, "check it, say all that is wrong, and end")      \
	X('T', "dump", NULL, "print what it comes to, defaults included, "     \
	    "and end")                                                         \
	X('l', "listen", "ADDRESS", "instead of a file: where clients "        \
	    "connect (\":8080\"); may come again")                             \
	X('p', "pool", "NAME=HOST:PORT,...", "instead of a file: a version "   \
	    "and its instances; the first begins")                             \
	X('K', "keys", NULL, "list the keys of the configuration, and end")    \
	X('M', "metrics", NULL, "list the metrics, and end")                   \
	X('v', "version", NULL, "print the version, and end")                  \
	X('h', "help", NULL, "print this, and end")
/* clang-format on */

static void
print_help(FILE *out)
{
	(void)fprintf(out,
	    "usage: segued [-t | -T] [-c FILE]\n"
	    "       segued [-t | -T] --listen ADDRESS --pool "
	    "NAME=HOST:PORT,... "
	    "[--pool ...]\n\n");
#define X(c, name, arg, help)                                                  \
	(void)fprintf(out, "  -%c, --%s%s%s\n        %s\n", (c), (name),       \
	    (arg) == NULL ? "" : " ",                                          \
	    (arg) == NULL ? "" : (const char *)(arg), (help));
	OPTIONS(X)
#undef X
	(void)fprintf(out, "\nThe manual is segued(8).\n");
}

static NORETURN void
usage(void)
{
	(void)fprintf(stderr,
	    "segued: \"segued --help\" tells how to call it\n");
	exit(EXIT_USAGE);
}

static void
add_text(const char **list, size_t *n, const char *text, const char *option)
{
	if (*n == SOURCE_ARGS_MAX) {
		(void)fprintf(stderr, "segued: more than %d of %s\n",
		    SOURCE_ARGS_MAX, option);
		exit(EXIT_USAGE);
	}
	list[(*n)++] = text;
}

static NORETURN void
print_and_end(void (*write)(struct buf *))
{
	struct buf b = BUF_INIT;

	write(&b);
	(void)fwrite(b.p, 1, b.len, stdout);
	buf_free(&b);
	exit(EXIT_SUCCESS);
}

static enum mode
read_option(int c, struct source *s, enum mode mode)
{
	switch (c) {
	case 'c':
		s->path = optarg;
		return mode;
	case 't':
		return MODE_CHECK;
	case 'T':
		return MODE_DUMP;
	case 'l':
		add_text(s->listen, &s->n_listen, optarg, "--listen");
		return mode;
	case 'p':
		add_text(s->pools, &s->n_pools, optarg, "--pool");
		return mode;
	case 'K':
		print_and_end(cfg_keys);
	case 'M':
		print_and_end(admin_metrics_names);
	case 'v':
		(void)puts("segued " SEGUE_VERSION);
		exit(EXIT_SUCCESS);
	case 'h':
		print_help(stdout);
		exit(EXIT_SUCCESS);
	default:
		usage();
	}
}

static enum mode
read_args(int argc, char **argv, struct source *s)
{
#define X(c, name, arg, help)                                                  \
	{ (name), (arg) == NULL ? no_argument : required_argument, NULL, (c) },
	static const struct option options[] = { OPTIONS(X){ NULL, 0, NULL,
	    0 } };
#undef X
	enum mode mode = MODE_RUN;
	int c;

	while ((c = getopt_long(argc, argv, "c:tTl:p:KMvh", options, NULL)) !=
	    -1)
		mode = read_option(c, s, mode);
	if (optind < argc) {
		(void)fprintf(stderr, "segued: %s: no argument is expected\n",
		    argv[optind]);
		usage();
	}
	if (s->path != NULL && (s->n_listen > 0 || s->n_pools > 0)) {
		(void)fprintf(stderr,
		    "segued: --config excludes --listen and --pool\n");
		usage();
	}
	if (s->n_listen == 0 && s->n_pools == 0) {
		if (s->path == NULL)
			s->path = CONFIG_FILE;
	} else if (s->n_listen == 0 || s->n_pools == 0) {
		(void)fprintf(stderr,
		    "segued: --listen and --pool need each other\n");
		usage();
	}
	return mode;
}

static void
dump(const struct cfg *c)
{
	struct buf text = BUF_INIT;

	cfg_dump(c, &text);
	(void)fwrite(text.p, 1, text.len, stdout);
	buf_free(&text);
}

/* What a start would read besides. */
static bool
test_files(const struct cfg *c)
{
	char why[512];
	int rc = source_test_store(c, why, sizeof(why));

	if (rc == E_OK)
		rc = source_test_keys(c, why, sizeof(why));
	if (rc != E_OK)
		complain("%s", why);
	return rc == E_OK;
}

int
main(int argc, char **argv)
{
	struct source source = { .path = NULL };
	enum mode mode = read_args(argc, argv, &source);
	struct buf text = BUF_INIT, said = BUF_INIT;
	struct cfg *cfg;
	int rc;

	thread_become(ROLE_MASTER, "master");
	rc = source_read(&source, &text, &said, &cfg);
	if (said.len > 0)
		(void)fwrite(said.p, 1, said.len, stderr);
	buf_free(&text);
	buf_free(&said);
	if (rc == E_NOENT && source.path != NULL &&
	    strcmp(source.path, CONFIG_FILE) == 0)
		complain("--config names another file; --listen and --pool do "
		         "without one");
	if (rc != E_OK) {
		if (mode == MODE_RUN)
			complain("not started");
		return EXIT_FAILURE;
	}
	if (mode == MODE_RUN)
		return master_run(&source, cfg);
	if (mode == MODE_DUMP)
		dump(cfg);
	else if (!test_files(cfg))
		rc = E_STATE;
	else
		(void)fprintf(stderr, "%s: all is well\n",
		    source.path == NULL ? "command line" : source.path);
	cfg_unref(&cfg);
	return rc == E_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
