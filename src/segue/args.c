#include "segue/args.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/units.h"
#include "segue/command.h"
#include "segue/text.h"

#define WORDS_MAX 8 /* of an ARG_WORD */

/* clang-format off */
#define X(id, name_, letter_, arg_, kind_, words_, help_)                      \
	[OPT_##id] = { .name = (name_), .letter = (letter_),                   \
		.arg = { .name = (arg_), .kind = ARG_##kind_,                  \
		.words = (words_) }, .help = (help_) },
const struct option_row option_rows[OPT_COUNT] = { OPTIONS(X) };
#undef X
/* clang-format on */

struct reading {
	struct args *out;
	int argc;
	char *const *argv;
	int at;             /* the next word */
	bool only_operands; /* "--" was seen */
	size_t n_words;     /* that are no options; more than fit are counted */
	const char *word[2 + OPERANDS_MAX]; /* the last: one too many */
};

static int wrong(struct reading *, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* What was typed may hold anything; the sentence must not. */
static int
wrong(struct reading *r, const char *fmt, ...)
{
	struct buf raw = BUF_INIT, clean = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	text_clean(&clean, buf_str(&raw));
	str_copy(buf_str(&clean), r->out->problem, sizeof(r->out->problem));
	buf_free(&raw);
	buf_free(&clean);
	return E_SYNTAX;
}

static const char *
in_brackets(const char *near, char out[64])
{
	out[0] = '\0';
	if (near != NULL)
		(void)snprintf(out, 64, "; did you mean %.40s?", near);
	return out;
}

/* ---- words in a row ---- */

static size_t
split_words(const char *words, char store[128], const char *out[WORDS_MAX])
{
	struct str rest = str_of(words);
	size_t n = 0;

	while (rest.len > 0 && n < WORDS_MAX) {
		struct str w = str_split(&rest, '|');

		out[n++] = store;
		store += str_copy(w, store, w.len + 1) + 1;
	}
	return n;
}

bool
args_word_in(const char *word, const char *words)
{
	struct str rest = str_of(words);

	while (rest.len > 0)
		if (str_eq(str_split(&rest, '|'), str_of(word)))
			return true;
	return false;
}

/* ---- values ---- */

static int
check_word(struct reading *r, const char *what, const struct arg_row *row,
    const char *text)
{
	const char *words[WORDS_MAX], *near;
	char store[128], mean[64];
	size_t n;

	if (args_word_in(text, row->words))
		return E_OK;
	n = split_words(row->words, store, words);
	near = str_nearest(str_of(text), words, n);
	return wrong(r, "%s: \"%s\" is none of %s%s", what, text, row->words,
	    in_brackets(near, mean));
}

static int
check_number(struct reading *r, const char *what, enum arg_kind kind,
    const char *text, uint64_t *number)
{
	uint32_t bp = 0;

	switch (kind) {
	case ARG_SHARE:
		if (!units_read_share(str_of(text), &bp))
			return wrong(r,
			    "%s: \"%s\" is no share; 0%% to 100%% is expected",
			    what, text);
		*number = bp;
		return E_OK;
	case ARG_DURATION:
		if (!units_read_duration(str_of(text), number))
			return wrong(r,
			    "%s: \"%s\" is no duration; one like 30s, 5m or "
			    "1h30m is expected",
			    what, text);
		return E_OK;
	case ARG_COUNT:
		if (!str_u64(str_of(text), number))
			return wrong(r, "%s: \"%s\" is no number", what, text);
		return E_OK;
	default:
		return E_OK;
	}
}

static int
check_value(struct reading *r, const char *what, const struct arg_row *row,
    const char *text, uint64_t *number)
{
	if (text[0] == '\0')
		return wrong(r, "%s: it is empty", what);
	if (row->kind == ARG_WORD)
		return check_word(r, what, row, text);
	return check_number(r, what, row->kind, text, number);
}

/* ---- options ---- */

static enum option
option_of_name(struct str name)
{
	for (size_t i = 0; i < OPT_COUNT; i++)
		if (str_eq(str_of(option_rows[i].name), name))
			return (enum option)i;
	return OPT_COUNT;
}

static enum option
option_of_letter(char c)
{
	for (size_t i = 0; i < OPT_COUNT; i++)
		if (option_rows[i].letter == c)
			return (enum option)i;
	return OPT_COUNT;
}

static int
unknown_option(struct reading *r, struct str name)
{
	const char *names[OPT_COUNT], *near;
	char mean[64], typed[64];

	for (size_t i = 0; i < OPT_COUNT; i++)
		names[i] = option_rows[i].name;
	near = str_nearest(name, names, OPT_COUNT);
	if (near != NULL)
		(void)snprintf(typed, sizeof(typed), "--%s", near);
	return wrong(r, "there is no option --" STR_FMT "%s", STR_ARG(name),
	    in_brackets(near == NULL ? NULL : typed, mean));
}

/* value is NULL when nothing was glued to the option. */
static int
take_option(struct reading *r, enum option o, const char *value)
{
	const struct option_row *row = &option_rows[o];
	char what[64];

	(void)snprintf(what, sizeof(what), "--%s", row->name);
	if (row->arg.name == NULL) {
		if (value != NULL)
			return wrong(r, "%s takes no argument", what);
		r->out->option[o] = "";
		return E_OK;
	}
	if (value == NULL) {
		if (r->at >= r->argc)
			return wrong(r, "%s needs its %s", what, row->arg.name);
		value = r->argv[r->at++];
	}
	r->out->option[o] = value;
	return check_value(r, what, &row->arg, value, &r->out->number[o]);
}

static int
take_long(struct reading *r, const char *word)
{
	const char *equals = strchr(word, '=');
	struct str name = equals == NULL
	    ? str_of(word)
	    : str_from(word, (size_t)(equals - word));
	enum option o = option_of_name(name);

	if (o == OPT_COUNT)
		return unknown_option(r, name);
	return take_option(r, o, equals == NULL ? NULL : equals + 1);
}

static int
take_letters(struct reading *r, const char *letters)
{
	int rc = E_OK;

	for (; rc == E_OK && *letters != '\0'; letters++) {
		enum option o = option_of_letter(*letters);

		if (o == OPT_COUNT)
			return wrong(r, "there is no option -%c", *letters);
		rc = take_option(r, o, NULL);
	}
	return rc;
}

static int
take_word(struct reading *r, const char *word)
{
	if (!r->only_operands && strcmp(word, "--") == 0) {
		r->only_operands = true;
		return E_OK;
	}
	if (!r->only_operands && strncmp(word, "--", 2) == 0)
		return take_long(r, word + 2);
	if (!r->only_operands && word[0] == '-' && word[1] != '\0')
		return take_letters(r, word + 1);
	if (r->n_words < ARRAY_LEN(r->word))
		r->word[r->n_words] = word;
	r->n_words++;
	return E_OK;
}

bool
args_is_option(const char *word, enum option *o, const char **value)
{
	const char *equals = strchr(word, '=');

	*value = NULL;
	*o = OPT_COUNT;
	if (word[0] != '-' || word[1] == '\0' || strcmp(word, "--") == 0)
		return false;
	if (word[1] != '-') {
		*o = option_of_letter(word[strlen(word) - 1]);
		return true;
	}
	if (equals != NULL)
		*value = equals + 1;
	*o = option_of_name(equals == NULL
	        ? str_of(word + 2)
	        : str_from(word + 2, (size_t)(equals - word - 2)));
	return true;
}

/* ---- the command ---- */

static int
find_command(struct reading *r)
{
	char mean[64];

	r->out->command = command_find(r->word[0]);
	if (r->out->command != NULL)
		return E_OK;
	return wrong(r, "there is no command \"%s\"%s", r->word[0],
	    in_brackets(command_nearest(r->word[0]), mean));
}

static int
check_options(struct reading *r)
{
	const struct command *c = r->out->command;

	for (size_t i = 0; i < OPT_COUNT; i++) {
		if (r->out->option[i] == NULL ||
		    ((c->options | OPT_COMMON) & OPT_BIT(i)) != 0)
			continue;
		return wrong(r, "%s does not know --%s; see \"segue help %s\"",
		    c->name, option_rows[i].name, c->name);
	}
	return E_OK;
}

static int
check_operands(struct reading *r)
{
	const struct command *c = r->out->command;
	size_t given = r->n_words - 1, i;
	int rc = E_OK;

	for (i = 0; i < OPERANDS_MAX && c->operands[i].name != NULL; i++)
		if (i >= given && !c->operands[i].optional)
			return wrong(r,
			    "%s needs its %s; see \"segue help %s\"", c->name,
			    c->operands[i].name, c->name);
	if (given > i)
		return wrong(r, "%s: \"%s\" is one word too many", c->name,
		    r->word[i + 1]);
	for (i = 0; rc == E_OK && i < given; i++)
		rc = check_value(r, c->operands[i].name, &c->operands[i],
		    r->word[i + 1], &r->out->operand_number[i]);
	for (i = 0; i < given; i++)
		r->out->operand[i] = r->word[i + 1];
	r->out->n_operands = given;
	return rc;
}

int
args_parse(int argc, char *const *argv, struct args *out)
{
	struct reading r = { .out = out, .argc = argc, .argv = argv, .at = 1 };
	int rc = E_OK;

	*out = (struct args){ .command = NULL };
	while (rc == E_OK && r.at < argc)
		rc = take_word(&r, argv[r.at++]);
	if (rc == E_OK && r.n_words > 0)
		rc = find_command(&r);
	if (rc != E_OK || r.n_words == 0 || args_has(out, OPT_HELP) ||
	    args_has(out, OPT_VERSION))
		return rc;
	rc = check_options(&r);
	return rc == E_OK ? check_operands(&r) : rc;
}
