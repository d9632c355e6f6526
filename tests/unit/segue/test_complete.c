/* What the shells are offered. */
#include "segue/complete.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "fake.h"
#include "segue/args.h"
#include "segue/command.h"

#define WORDS_MAX 16

static const char status[] =
    "{\"services\":[{\"name\":\"sso\",\"pools\":["
    "{\"name\":\"v1\",\"state\":\"active\",\"instances\":["
    "{\"name\":\"127.0.0.1:81\",\"health\":\"up\"}]},"
    "{\"name\":\"v2\",\"state\":\"cold\",\"instances\":["
    "{\"name\":\"127.0.0.1:82\",\"health\":\"down\"}]}]},"
    "{\"name\":\"mail\",\"pools\":[{\"name\":\"m1\"}]}]}";

struct asked {
	struct json *doc;
	char socket[64]; /* of the last question; empty: none was given */
	int times;
};

static const struct json *
ask(const char *socket, void *arg)
{
	struct asked *a = arg;

	(void)str_copy(str_of(socket == NULL ? "" : socket), a->socket,
	    sizeof(a->socket));
	a->times++;
	return a->doc;
}

/* The candidates, "," between them; a blank at the end is an empty word. */
static char *
offered(const char *line, struct asked *a, bool with_help)
{
	char copy[256], *rest = copy, *words[WORDS_MAX], *w;
	struct buf out = BUF_INIT, list = BUF_INIT;
	struct str lines;
	int n = 0;

	(void)str_copy(str_of(line), copy, sizeof(copy));
	while ((w = strsep(&rest, " ")) != NULL && n < WORDS_MAX)
		words[n++] = w;
	complete_write(n, words, ask, a, &out);
	for (lines = buf_str(&out); lines.len > 0;) {
		struct str one = str_split(&lines, '\n');

		if (!with_help)
			one = str_split(&one, '\t');
		if (list.len > 0)
			buf_add_char(&list, ',');
		buf_add_str(&list, one);
	}
	buf_free(&out);
	return buf_take(&list);
}

/* clang-format off */
static const struct {
	const char *why, *line, *out;
} rows[] = {
	{ "a command", "sw", "switch" },
	{ "several", "s", "status,share,switch,sessions" },
	{ "behind an option", "--json dra", "drain" },
	{ "behind an option with argument", "--socket s dra", "drain" },
	{ "a pool", "drain ", "v1,v2,m1" },
	{ "of a service", "drain --service mail ", "m1" },
	{ "of a service, in the option's word", "--service=sso drain ",
	    "v1,v2" },
	{ "begun", "switch v2", "v2" },
	{ "none of that beginning", "switch x", "" },
	{ "a pool's share is free", "share v1 ", "" },
	{ "no operand more", "drain v1 ", "" },
	{ "an instance", "instance ", "127.0.0.1:81,127.0.0.1:82" },
	{ "of a pool", "instance --pool v2 ", "127.0.0.1:82" },
	{ "a word", "instance 127.0.0.1:81 ", "in,drain,maint" },
	{ "a word begun", "instance 127.0.0.1:81 m", "maint" },
	{ "an option's word", "drain v1 --mode ", "keep,move,evict" },
	{ "behind =", "drain v1 --mode=e", "--mode=evict" },
	{ "a service", "status --service ", "sso,mail" },
	{ "a service behind =", "status --service=m", "--service=mail" },
	{ "options", "status --w", "--watch" },
	{ "only those of the command", "status --d", "" },
	{ "not what is given", "switch v2 --wait --w", "--when-ready" },
	{ "all of them", "undrain v1 --",
	    "--socket,--service,--json,--timeout,--color,--quiet,--help,"
	    "--version" },
	{ "no option behind --", "drain -- -", "" },
	{ "a path is the shell's", "--socket ", ":files" },
	{ "a path behind = too", "--socket=/ru", ":files" },
	{ "a duration is free", "drain v1 --grace ", "" },
	{ "commands behind help", "help re", "release,remove-instance,reload" },
	{ "unknown option: nothing", "status --xyzzy=", "" },
	{ "a letter takes no argument", "events -f --l", "--last" },
};
/* clang-format on */

Test(complete, lines, .timeout = 5)
{
	char why[128];
	struct asked a = { .doc = json_read(str_of(status), why, sizeof(why)) };

	cr_assert_not_null(a.doc, "%s", why);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *out = offered(rows[i].line, &a, false);

		cr_expect_str_eq(out, rows[i].out, "%s: %s", rows[i].why, out);
		free(out);
	}
	json_free(&a.doc);
}

Test(complete, help_stands_behind, .timeout = 5)
{
	char why[128];
	struct asked a = { .doc = json_read(str_of(status), why, sizeof(why)) };
	char *out = offered("drain v", &a, true);

	cr_expect_str_eq(out, "v1\tactive,v2\tcold");
	free(out);
	out = offered("instance 127.0.0.1:82", &a, true);
	cr_expect_str_eq(out, "127.0.0.1:82\tv2, down");
	free(out);
	out = offered("vers", &a, true);
	cr_expect_str_eq(out, "version\tprint the versions of both programs");
	free(out);
	json_free(&a.doc);
}

/* The daemon is asked only for names, at the socket that was typed. */
Test(complete, asks_seldom, .timeout = 5)
{
	struct asked a = { .doc = NULL };

	free(offered("dra", &a, false));
	free(offered("drain v1 --", &a, false));
	cr_expect_eq(a.times, 0);
	free(offered("--socket /a drain ", &a, false));
	cr_expect_eq(a.times, 1);
	cr_expect_str_eq(a.socket, "/a");
	free(offered("drain --socket=/b ", &a, false));
	cr_expect_str_eq(a.socket, "/b");
	free(offered("drain ", &a, false));
	cr_expect_str_eq(a.socket, "");
}

/* With whatever number of words, none at all among them. */
Test(complete, no_words, .timeout = 5)
{
	struct asked a = { .doc = NULL };
	struct buf out = BUF_INIT;

	complete_write(0, NULL, ask, &a, &out);
	cr_expect(str_starts(buf_str(&out), STR("status\t")));
	buf_free(&out);
}

Test(complete, typed, .timeout = 10)
{
	static const struct fake_row says[] = {
		{ "GET /v1/status ",
		    FAKE_JSON("200 OK",
		        "{\"services\":[{\"name\":\"sso\",\"pools\":["
		        "{\"name\":\"v1\",\"state\":\"active\"}]}]}"),
		    FAKE_CLOSE },
		{ NULL, NULL, FAKE_CLOSE },
	};
	struct fake *f = fake_start(says);
	char line[256];
	struct typed t;

	(void)snprintf(line, sizeof(line), "--complete --socket %s drain v",
	    fake_socket(f));
	t = type(NULL, line);
	cr_expect_eq(t.exit, 0);
	cr_expect_str_eq(t.out, "v1\tactive\n");
	cr_expect_str_eq(t.err, "");
	typed_free(&t);
	fake_stop(&f);

	t = type(NULL, line); /* nobody is there any more */
	cr_expect_eq(t.exit, 0);
	cr_expect_str_eq(t.out, "");
	cr_expect_str_eq(t.err, "", "not a word about that");
	typed_free(&t);
}

/* ---- the shells' side ---- */

/* What a command prints; NULL when the shell is not here. */
static char *
printed(const char *shell, const char *script)
{
	struct buf out = BUF_INIT;
	char bytes[4096], path[] = "/tmp/segue-test-XXXXXX", line[256];
	int fd = mkstemp(path);
	FILE *f;
	size_t n;

	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, script, strlen(script)),
	    (ssize_t)strlen(script));
	close(fd);
	(void)snprintf(line, sizeof(line),
	    "command -v %s >/dev/null && %s %s 2>&1", shell, shell, path);
	f = popen(line, "r");
	cr_assert_not_null(f);
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		buf_add(&out, bytes, n);
	if (pclose(f) != 0)
		buf_free(&out);
	unlink(path);
	return out.p;
}

/*
 * A function stands for the program: it tells its words and gives candidates
 * as the program would.
 */
#define STAND_IN                                                               \
	"source " SRCDIR "/contrib/completion/bash/segue\n"                    \
	"segue() { printf '<%s>' \"$@\" >&3; printf '%b' \"$SAYS\"; }\n"       \
	"try() { SAYS=$2 COMP_LINE=$1 COMP_POINT=${3:-${#1}}; _segue 3>&1;\n"  \
	"  printf '[%s]' \"${COMPREPLY[@]}\"; echo; }\n"

/* clang-format off */
static const struct {
	const char *why, *script, *out;
} shells[] = {
	{ "words as typed, help is cut off",
	    "try 'segue drain v' 'v1\\tactive\\nv2\\tcold\\n'",
	    "<--complete><drain><v>[v1][v2]\n" },
	{ "a blank at the end begins a word", "try 'segue drain ' 'v1\\n'",
	    "<--complete><drain><>[v1]\n" },
	{ "the word at the cursor", "try 'segue dr --json' 'drain\\n' 8",
	    "<--complete><dr>[drain]\n" },
	{ "colons part words for bash, not for us",
	    "try 'segue instance 127.0.0.1:8' '127.0.0.1:81\\tup\\n'",
	    "<--complete><instance><127.0.0.1:8>[81]\n" },
	{ "where they do not", "COMP_WORDBREAKS=' '\n"
	    "try 'segue instance 127.0.0.1:8' '127.0.0.1:81\\tup\\n'",
	    "<--complete><instance><127.0.0.1:8>[127.0.0.1:81]\n" },
	{ "so do equal signs", "try 'segue drain v1 --mode=k' "
	    "'--mode=keep\\n'",
	    "<--complete><drain><v1><--mode=k>[keep]\n" },
	{ "names of files", "try 'segue --socket=/dev/nul' ':files\\n'",
	    "<--complete><--socket=/dev/nul>[/dev/null]\n" },
	{ "nothing fits", "try 'segue xyzzy ' ''",
	    "<--complete><xyzzy><>[]\n" },
};
/* clang-format on */

Test(complete, bash, .timeout = 20)
{
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		struct buf script = BUF_INIT;
		char *out;

		buf_add_cstr(&script, STAND_IN);
		buf_add_cstr(&script, shells[i].script);
		buf_add_char(&script, '\n');
		out = printed("bash", script.p);
		buf_free(&script);
		if (out == NULL)
			return; /* no bash here */
		cr_expect_str_eq(out, shells[i].out, "%s: %s", shells[i].why,
		    out);
		free(out);
	}
}

Test(complete, zsh, .timeout = 20)
{
	char *out = printed("zsh",
	    "zsh -n " SRCDIR "/contrib/completion/zsh/_segue && echo well\n");

	if (out == NULL)
		return; /* no zsh here */
	cr_expect_str_eq(out, "well\n");
	free(out);
}
