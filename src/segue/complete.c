#include "segue/complete.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/place.h"
#include "segue/answer.h"
#include "segue/client.h"
#include "segue/command.h"
#include "segue/run.h"
#include "segue/text.h"

#define ASK_LIMIT_US US_PER_S

struct completion {
	const char *prefix; /* what is typed of the word, behind any "=" */
	const char *glue;   /* "--mode=" stays before each candidate */
	size_t glue_len;
	struct buf *out;

	/* What the words before it say. */
	const struct command *command;
	size_t n_operands;
	bool only_operands; /* "--" */
	enum option awaits; /* whose argument comes; OPT_COUNT: none */
	uint64_t given;     /* bits of options */
	const char *socket, *service, *pool;

	complete_ask_fn *ask;
	void *arg;
};

static void
offer(struct completion *c, const char *word, const char *help)
{
	if (strncmp(word, c->prefix, strlen(c->prefix)) != 0)
		return;
	buf_add_str(c->out, str_from(c->glue, c->glue_len));
	text_clean(c->out, str_of(word));
	if (help != NULL && help[0] != '\0') {
		buf_add_char(c->out, '\t');
		text_clean(c->out, str_of(help));
	}
	buf_add_char(c->out, '\n');
}

/* ---- names ---- */

static bool
is_called(const struct json *j, const char *name)
{
	return name == NULL || strcmp(json_get_text(j, "name", ""), name) == 0;
}

static void
offer_instances(struct completion *c, const struct json *pool)
{
	const struct json *list = json_get(pool, "instances");
	struct buf help = BUF_INIT;

	if (!is_called(pool, c->pool))
		return;
	for (size_t i = 0; i < json_len(list); i++) {
		const struct json *one = json_at(list, i);

		buf_reset(&help);
		buf_printf(&help, "%s, %s", json_get_text(pool, "name", ""),
		    json_get_text(one, "health", "-"));
		offer(c, json_get_text(one, "name", ""), help.p);
	}
	buf_free(&help);
}

static void
offer_in_service(struct completion *c, const struct json *service,
    enum arg_kind kind)
{
	const struct json *pools = json_get(service, "pools");

	if (kind == ARG_SERVICE) {
		offer(c, json_get_text(service, "name", ""), NULL);
		return;
	}
	if (!is_called(service, c->service))
		return;
	for (size_t i = 0; i < json_len(pools); i++) {
		const struct json *pool = json_at(pools, i);

		if (kind == ARG_POOL)
			offer(c, json_get_text(pool, "name", ""),
			    json_get_text(pool, "state", NULL));
		else
			offer_instances(c, pool);
	}
}

static void
offer_names(struct completion *c, enum arg_kind kind)
{
	const struct json *status = c->ask(c->socket, c->arg);
	const struct json *services = json_get(status, "services");

	for (size_t i = 0; i < json_len(services); i++)
		offer_in_service(c, json_at(services, i), kind);
}

/* ---- words of our own ---- */

static void
offer_words(struct completion *c, const char *words)
{
	struct str rest = str_of(words);
	char word[64];

	while (rest.len > 0) {
		str_copy(str_split(&rest, '|'), word, sizeof(word));
		offer(c, word, NULL);
	}
}

static void
offer_commands(struct completion *c)
{
	const struct command *row;
	size_t n;

	row = command_rows(&n);
	for (size_t i = 0; i < n; i++)
		offer(c, row[i].name, row[i].help);
}

static void
offer_options(struct completion *c)
{
	uint64_t known = OPT_COMMON |
	    (c->command == NULL ? 0 : c->command->options);
	char word[64];

	for (size_t i = 0; i < OPT_COUNT; i++) {
		if ((known & ~c->given & OPT_BIT(i)) == 0)
			continue;
		(void)snprintf(word, sizeof(word), "--%s", option_rows[i].name);
		offer(c, word, option_rows[i].help);
	}
}

static void
offer_for(struct completion *c, const struct arg_row *arg)
{
	switch (arg->kind) {
	case ARG_SERVICE:
	case ARG_POOL:
	case ARG_INSTANCE:
		offer_names(c, arg->kind);
		break;
	case ARG_COMMAND:
		offer_commands(c);
		break;
	case ARG_WORD:
		offer_words(c, arg->words);
		break;
	case ARG_PATH:
		buf_add_cstr(c->out, COMPLETE_FILES "\n");
		break;
	default: /* whatever is typed */
		break;
	}
}

/* ---- the line ---- */

static void
note_value(struct completion *c, enum option o, const char *value)
{
	if (o == OPT_SOCKET)
		c->socket = value;
	else if (o == OPT_SERVICE)
		c->service = value;
	else if (o == OPT_POOL)
		c->pool = value;
}

/* A word before the one that is being typed. */
static void
note_word(struct completion *c, const char *word)
{
	const char *value;
	enum option o;

	if (c->awaits != OPT_COUNT) {
		note_value(c, c->awaits, word);
		c->awaits = OPT_COUNT;
	} else if (!c->only_operands && strcmp(word, "--") == 0) {
		c->only_operands = true;
	} else if (!c->only_operands && args_is_option(word, &o, &value)) {
		if (o == OPT_COUNT)
			return;
		c->given |= OPT_BIT(o);
		if (value != NULL)
			note_value(c, o, value);
		else if (option_rows[o].arg.name != NULL)
			c->awaits = o;
	} else if (c->command == NULL) {
		c->command = command_find(word);
	} else {
		c->n_operands++;
	}
}

static void
complete_word(struct completion *c, const char *word)
{
	const char *value;
	enum option o;

	c->prefix = word;
	if (c->awaits != OPT_COUNT) {
		offer_for(c, &option_rows[c->awaits].arg);
	} else if (!c->only_operands && word[0] == '-') {
		if (!args_is_option(word, &o, &value) || value == NULL) {
			offer_options(c);
		} else if (o != OPT_COUNT) {
			c->glue = word;
			c->glue_len = (size_t)(value - word);
			c->prefix = value;
			offer_for(c, &option_rows[o].arg);
		}
	} else if (c->command == NULL) {
		offer_commands(c);
	} else if (c->n_operands < OPERANDS_MAX) {
		offer_for(c, &c->command->operands[c->n_operands]);
	}
}

void
complete_write(int n, char *const *words, complete_ask_fn *ask, void *arg,
    struct buf *out)
{
	struct completion c = { .out = out,
		.glue = "",
		.awaits = OPT_COUNT,
		.ask = ask,
		.arg = arg };

	for (int i = 0; i + 1 < n; i++)
		note_word(&c, words[i]);
	complete_word(&c, n == 0 ? "" : words[n - 1]);
}

/* ---- the hidden command ---- */

static const struct json *
ask_daemon(const char *socket, void *arg)
{
	char own[PLACE_PATH_MAX];
	struct answer *a = arg;

	if (answer_get_quietly(client_socket(socket, own), ADMIN_STATUS,
	        ASK_LIMIT_US, a) != SEGUE_EXIT_DONE)
		return NULL;
	return a->doc;
}

int
complete_run(int n, char *const *words, FILE *out)
{
	struct answer a = { .status = 0 };
	struct buf lines = BUF_INIT;

	complete_write(n, words, ask_daemon, &a, &lines);
	fprintf(out, STR_FMT, STR_ARG(lines));
	answer_free(&a);
	buf_free(&lines);
	return SEGUE_EXIT_DONE;
}
