/*
 * The proxies of a cluster: who leads, who is there, who has what.
 */
#include <stdio.h>
#include <string.h>

#include "segue/view_int.h"

static const struct table_column columns[] = {
	{ "PROXY", false, NULL },
	{ "ROLE", false, NULL },
	{ "STATE", false, NULL },
	{ "VERSION", true, NULL },
	{ "HEARD OF", true, NULL },
	{ "IN FLIGHT", true, NULL },
	{ NULL, false, NULL },
};

struct word {
	enum style style;
	const char *text;
};

static struct word
state_of(const struct json *m, int64_t version)
{
	if (json_get_truth(m, "away", false))
		return (struct word){ STYLE_BAD, "away" };
	if (json_get_truth(m, "lags", false))
		return (struct word){ STYLE_BAD, "lags behind" };
	if (json_get_truth(m, "differs", false))
		return (struct word){ STYLE_WARN, "other services or pools" };
	if (json_get_int(m, "version", 0) < version)
		return (struct word){ STYLE_WARN, "follows" };
	return (struct word){ STYLE_GOOD, "up" };
}

static void
add_member(struct table *t, const struct json *m, int64_t version)
{
	struct word state = state_of(m, version);
	bool self = json_get_truth(m, "self", false);
	bool away = json_get_truth(m, "away", false);
	char text[128];

	(void)snprintf(text, sizeof(text), "%.48s%s", show_text(m, "name"),
	    self ? " (this)" : "");
	view_cell(t, STYLE_BOLD, text);
	view_cell(t, STYLE_PLAIN, away ? "-" : show_text(m, "role"));
	view_cell(t, state.style, state.text);
	view_cell_count(t, m, "version");
	view_cell(t, STYLE_PLAIN, self ? "-" : show_s(m, "silent_s", text));
	view_cell_count(t, m, "in_flight");
}

void
view_cluster(const struct json *status, const struct view *v, struct buf *out)
{
	const struct json *c = json_get(status, "cluster");
	const struct json *members = json_get(c, "members");
	struct table *t = table_new(columns);
	const char *why = json_get_text(c, "why", "");

	if (!json_is_object(c)) {
		buf_add_cstr(out,
		    "This proxy is the only one: no cluster is configured.\n");
		table_free(&t);
		return;
	}
	buf_printf(out, "cluster %s, ", show_text(c, "name"));
	if (strcmp(show_text(c, "role"), "alone") == 0)
		buf_printf(out,
		    "whose other proxies cannot be reached (%s): what is "
		    "served "
		    "goes on, changes are refused unless forced\n",
		    why);
	else
		buf_printf(out, "led by %s\n", show_text(c, "leader"));
	if (json_get_text(c, "refused", "")[0] != '\0')
		buf_printf(out, "the last change was refused: %s\n",
		    json_get_text(c, "refused", ""));
	for (size_t i = 0; t != NULL && i < json_len(members); i++)
		add_member(t, json_at(members, i),
		    json_get_int(c, "version", 0));
	if (t == NULL)
		out->failed = true;
	else
		table_write(t, v->colour, 2, out);
	table_free(&t);
}
