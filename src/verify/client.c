#include "verify/client.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"

#define BYTES_MAX ((size_t)64 << 10)

#define X(name, needed) #name,
static const char *const words[] = { CLIENT_WORDS(X) };
#undef X

static bool
is_known(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static bool
check_words(const struct json *doc, char *why, size_t cap)
{
	const struct json *value;
	const char *word, *near;

	for (size_t i = 0; json_member(doc, i, &word, &value); i++) {
		if (is_known(word) && json_text(value) != NULL)
			continue;
		near = str_nearest(str_of(word), words, ARRAY_LEN(words));
		if (is_known(word))
			(void)snprintf(why, cap, "%s is to be a text", word);
		else if (near != NULL)
			(void)snprintf(why, cap,
			    "there is no \"%.60s\"; did you mean %s?", word,
			    near);
		else
			(void)snprintf(why, cap, "there is no \"%.60s\"", word);
		return false;
	}
	return true;
}

static bool
take_words(struct client *c, char *why, size_t cap)
{
#define X(name, needed)                                                        \
	c->name = json_get_text(c->doc, #name, NULL);                          \
	if ((needed) && c->name == NULL) {                                     \
		(void)snprintf(why, cap, "%s is missing", #name);              \
		return false;                                                  \
	}
	CLIENT_WORDS(X)
#undef X
	return true;
}

static int
read_doc(struct str text, struct client *c, char *why, size_t cap)
{
	c->doc = json_read(text, why, cap);
	if (c->doc == NULL)
		return E_SYNTAX;
	if (!json_is_object(c->doc)) {
		(void)snprintf(why, cap, "a JSON object is expected");
		return E_SYNTAX;
	}
	return check_words(c->doc, why, cap) && take_words(c, why, cap)
	    ? E_OK
	    : E_SYNTAX;
}

int
client_load(const char *path, struct client *out, char *why, size_t cap)
{
	struct buf text = BUF_INIT;
	char what[200] = "";
	int rc = file_read(path, BYTES_MAX, &text);

	*out = (struct client){ .doc = NULL };
	if (rc != E_OK)
		(void)snprintf(what, sizeof(what), "%s", err_text(rc));
	else
		rc = read_doc(buf_str(&text), out, what, sizeof(what));
	if (rc != E_OK) {
		(void)snprintf(why, cap, "%s: %s", path, what);
		client_free(out);
	}
	buf_free(&text);
	return rc;
}

void
client_free(struct client *c)
{
	json_free(&c->doc);
	*c = (struct client){ .doc = NULL };
}
