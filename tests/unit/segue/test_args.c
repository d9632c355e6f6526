/* What may be typed, and what is said of what may not. */
#include "segue/args.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "segue/command.h"
#include "segue/help.h"

#define WORDS_MAX 16

struct line {
	char copy[256];
	char *words[WORDS_MAX];
	int n;
	struct args args;
	int rc;
};

/* Words are parted by one blank; two in a row make an empty word. */
static void
read_line(struct line *l, const char *text)
{
	char *rest = l->copy, *w;

	(void)str_copy(str_of(text), l->copy, sizeof(l->copy));
	l->n = 0;
	l->words[l->n++] = NULL; /* is not looked at */
	while (text[0] != '\0' && (w = strsep(&rest, " ")) != NULL)
		l->words[l->n++] = w;
	l->rc = args_parse(l->n, l->words, &l->args);
}

/* clang-format off */
static const struct {
	const char *why, *line, *problem; /* NULL: it is well */
} rows[] = {
	{ "bare", "status", NULL },
	{ "operands", "share v2 10%", NULL },
	{ "a share needs no sign", "share v2 12.5", NULL },
	{ "option behind", "drain v1 --wait", NULL },
	{ "option before", "--wait drain v1", NULL },
	{ "option between", "share --json v2 10%", NULL },
	{ "argument is the next word", "--socket /s status", NULL },
	{ "argument behind =", "status --socket=/s", NULL },
	{ "argument may hold =", "status --socket=/a=b", NULL },
	{ "argument may begin with -", "status --service -x", NULL },
	{ "letters", "events -fq", NULL },
	{ "-- ends options", "drain -- --odd", NULL },
	{ "- is a word", "drain -", NULL },
	{ "optional operand", "help", NULL },
	{ "optional operand given", "help drain", NULL },
	{ "operands are not asked for beside --help", "share --help", NULL },
	{ "nothing at all", "", NULL },
	{ "only options", "--json", NULL },

	{ "unknown command", "swich v2",
	    "there is no command \"swich\"; did you mean switch?" },
	{ "unknown command, nothing near", "xyzzyplugh",
	    "there is no command \"xyzzyplugh\"" },
	{ "unknown command beside --help", "xyzzyplugh --help",
	    "there is no command \"xyzzyplugh\"" },
	{ "unknown option", "status --jsn",
	    "there is no option --jsn; did you mean --json?" },
	{ "unknown option with argument", "status --sokket=/s",
	    "there is no option --sokket; did you mean --socket?" },
	{ "unknown option, nothing near", "status --xyzzyplugh",
	    "there is no option --xyzzyplugh" },
	{ "no abbreviations: they would change meaning", "status --js",
	    "there is no option --js" },
	{ "unknown letter", "status -x", "there is no option -x" },
	{ "negative share", "share v2 -5%", "there is no option -5" },
	{ "option of another command", "undrain v1 --wait",
	    "undrain does not know --wait; see \"segue help undrain\"" },
	{ "flag with argument", "status --json=yes",
	    "--json takes no argument" },
	{ "argument missing", "status --socket",
	    "--socket needs its PATH" },
	{ "argument empty", "status --socket=", "--socket: it is empty" },
	{ "operand missing", "share v2",
	    "share needs its PERCENT; see \"segue help share\"" },
	{ "all operands missing", "drain",
	    "drain needs its POOL; see \"segue help drain\"" },
	{ "operand empty", "drain ", "POOL: it is empty" },
	{ "an operand too many", "drain v1 v2",
	    "drain: \"v2\" is one word too many" },
	{ "many operands too many", "drain v1 v2 v3 v4 v5 v6",
	    "drain: \"v2\" is one word too many" },
	{ "two and one too many", "share v1 1% v3 v4",
	    "share: \"v3\" is one word too many" },
	{ "share too great", "share v2 101%",
	    "PERCENT: \"101%\" is no share; 0% to 100% is expected" },
	{ "share in words", "share v2 half",
	    "PERCENT: \"half\" is no share; 0% to 100% is expected" },
	{ "duration without unit", "drain v1 --grace 30",
	    "--grace: \"30\" is no duration; one like 30s, 5m or 1h30m is "
	    "expected" },
	{ "number", "events --last ten", "--last: \"ten\" is no number" },
	{ "word of a list", "drain v1 --mode kep",
	    "--mode: \"kep\" is none of keep|move|evict; did you mean keep?" },
	{ "part of a word of a list", "drain v1 --mode ee",
	    "--mode: \"ee\" is none of keep|move|evict" },
	{ "two words of a list", "drain v1 --mode keep|move",
	    "--mode: \"keep|move\" is none of keep|move|evict" },
	{ "word of an operand", "instance a inn",
	    "in|drain|maint: \"inn\" is none of in|drain|maint; did you mean "
	    "in?" },
	{ "colours", "status --color sometimes",
	    "--color: \"sometimes\" is none of auto|always|never" },
	{ "control characters are not echoed", "\033[31m",
	    "there is no command \"?[31m\"" },
	{ "half a character is not echoed", "\xC3",
	    "there is no command \"\xEF\xBF\xBD\"" },
};
/* clang-format on */

Test(args, lines, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct line l;

		read_line(&l, rows[i].line);
		cr_expect_eq(l.rc, rows[i].problem == NULL ? E_OK : E_SYNTAX,
		    "%s: %d %s", rows[i].why, l.rc, l.args.problem);
		cr_expect_str_eq(l.args.problem,
		    rows[i].problem == NULL ? "" : rows[i].problem, "%s",
		    rows[i].why);
	}
}

Test(args, values, .timeout = 5)
{
	struct line l;

	read_line(&l,
	    "--timeout 1m30s --wait drain --mode=move v1 --grace 5s "
	    "--timeout 2s -q");
	cr_assert_eq(l.rc, E_OK, "%s", l.args.problem);
	cr_expect_str_eq(l.args.command->name, "drain");
	cr_expect_eq(l.args.n_operands, 1);
	cr_expect_str_eq(l.args.operand[0], "v1");
	cr_expect_str_eq(l.args.option[OPT_MODE], "move");
	cr_expect_str_eq(l.args.option[OPT_GRACE], "5s");
	cr_expect_eq(l.args.number[OPT_GRACE], 5000000);
	cr_expect_eq(l.args.number[OPT_TIMEOUT], 2000000, "the last counts");
	cr_expect(args_has(&l.args, OPT_WAIT));
	cr_expect(args_has(&l.args, OPT_QUIET));
	cr_expect_not(args_has(&l.args, OPT_JSON));

	read_line(&l, "share v2 12.5%");
	cr_assert_eq(l.rc, E_OK);
	cr_expect_eq(l.args.operand_number[1], 1250);
}

/* A word longer than any message is cut, not written past its end. */
Test(args, long_words, .timeout = 5)
{
	char word[4096], *argv[] = { NULL, word };
	struct args a;

	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	cr_expect_eq(args_parse(2, argv, &a), E_SYNTAX);
	cr_expect_eq(strlen(a.problem), sizeof(a.problem) - 1);
	word[0] = word[1] = '-';
	cr_expect_eq(args_parse(2, argv, &a), E_SYNTAX);
	cr_expect_eq(strlen(a.problem), sizeof(a.problem) - 1);
}

/* ---- the tables themselves ---- */

Test(args, rows_are_sound, .timeout = 5)
{
	const struct command *c;
	size_t n;

	c = command_rows(&n);
	for (size_t i = 0; i < n; i++) {
		cr_expect_not_null(c[i].run, "%s", c[i].name);
		cr_expect_eq(c[i].options & OPT_COMMON, 0, "%s: said twice",
		    c[i].name);
		for (size_t k = 0; k < i; k++)
			cr_expect_str_neq(c[i].name, c[k].name);
	}
	for (size_t i = 0; i < OPT_COUNT; i++) {
		uint64_t known = OPT_COMMON;

		for (size_t k = 0; k < n; k++)
			known |= c[k].options;
		cr_expect((known & OPT_BIT(i)) != 0, "--%s: nobody knows it",
		    option_rows[i].name);
		cr_expect_eq(option_rows[i].arg.kind == ARG_WORD,
		    option_rows[i].arg.words != NULL, "--%s",
		    option_rows[i].name);
		for (size_t k = 0; k < i; k++) {
			cr_expect_str_neq(option_rows[i].name,
			    option_rows[k].name);
			cr_expect(option_rows[i].letter == 0 ||
			    option_rows[i].letter != option_rows[k].letter);
		}
	}
}

/* Each line fits a terminal, each command and option is told. */
Test(args, help_tells_all, .timeout = 5)
{
	const struct command *c;
	struct buf all = BUF_INIT, one = BUF_INIT;
	size_t n;

	c = command_rows(&n);
	help_write_all(&all);
	buf_add_cstr(&one, "");
	cr_assert_not_null(one.p);
	for (size_t i = 0; i < n; i++) {
		cr_expect_not_null(strstr(all.p, c[i].name));
		cr_expect_not_null(strstr(all.p, c[i].help));
		help_write_command(&c[i], &one);
	}
	for (size_t i = 0; i < OPT_COUNT; i++)
		cr_expect(strstr(all.p, option_rows[i].help) != NULL ||
		        strstr(one.p, option_rows[i].help) != NULL,
		    "--%s", option_rows[i].name);
	buf_add_str(&all, buf_str(&one));
	for (struct str rest = buf_str(&all); rest.len > 0;) {
		struct str line = str_split(&rest, '\n');

		cr_expect_leq(line.len, 79, STR_FMT, STR_ARG(line));
	}
	buf_free(&all);
	buf_free(&one);
}
