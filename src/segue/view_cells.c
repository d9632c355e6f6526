/*
 * Cells, names and styles that all views share.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "segue/view_int.h"

#define NAMES_MAX 64 /* that are looked at for a nearest one */

static const struct {
	const char *word;
	enum style style;
} styles[] = {
	{ "active", STYLE_GOOD },
	{ "ready", STYLE_GOOD },
	{ "up", STYLE_GOOD },
	{ "starting", STYLE_WARN },
	{ "draining", STYLE_WARN },
	{ "unknown", STYLE_WARN },
	{ "failed", STYLE_BAD },
	{ "down", STYLE_BAD },
	{ "cold", STYLE_DIM },
	{ "drained", STYLE_DIM },
	{ "retired", STYLE_DIM },
};

static enum style
style_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(styles); i++)
		if (strcmp(styles[i].word, word) == 0)
			return styles[i].style;
	return STYLE_PLAIN;
}

enum style
view_style_state(const char *state)
{
	return style_of(state);
}

enum style
view_style_health(const char *health)
{
	return style_of(health);
}

/* ---- cells ---- */

void
view_cell(struct table *t, enum style style, const char *text)
{
	table_add(t, style, str_of(text));
}

void
view_cell_text(struct table *t, const struct json *j, const char *key)
{
	view_cell(t, STYLE_PLAIN, show_text(j, key));
}

void
view_cell_count(struct table *t, const struct json *j, const char *key)
{
	char text[SHOW_MAX];

	view_cell(t, STYLE_PLAIN, show_count(j, key, text));
}

void
view_cell_us(struct table *t, const struct json *j, const char *key)
{
	char text[SHOW_MAX];

	view_cell(t, STYLE_PLAIN, show_us(j, key, text));
}

void
view_cell_quantile(struct table *t, const struct json *latency, const char *key)
{
	if (json_get_int(latency, "n", 1) == 0)
		view_cell(t, STYLE_PLAIN, "-");
	else
		view_cell_us(t, latency, key);
}

void
view_cell_5xx(struct table *t, const struct json *of)
{
	const struct json *status = json_get(of, "status");
	char text[SHOW_MAX];

	/* where there are others, a class that is absent is zero */
	if (json_is_object(status) && json_get(status, "5xx") == NULL)
		view_cell(t, STYLE_PLAIN, "0");
	else
		view_cell(t, STYLE_PLAIN, show_count(status, "5xx", text));
}

/* ---- names ---- */

bool
view_is_wanted(const struct json *j, const char *name)
{
	return name == NULL || strcmp(json_get_text(j, "name", ""), name) == 0;
}

void
view_each_pool(const struct json *status, const struct view *v,
    view_pool_fn *fn, void *arg)
{
	const struct json *services = json_get(status, "services");

	for (size_t i = 0; i < json_len(services); i++) {
		const struct json *s = json_at(services, i);
		const struct json *pools = json_get(s, "pools");

		if (!view_is_wanted(s, v->service))
			continue;
		for (size_t k = 0; k < json_len(pools); k++)
			if (view_is_wanted(json_at(pools, k), v->pool))
				fn(s, json_at(pools, k), arg);
	}
}

struct names {
	const char *wanted;
	const char *list[NAMES_MAX];
	size_t n;
	bool found;
};

static void
note_name(struct names *names, const struct json *j)
{
	const char *name = json_get_text(j, "name", "");

	names->found = names->found || strcmp(name, names->wanted) == 0;
	if (names->n < NAMES_MAX)
		names->list[names->n++] = name;
}

static void
note_pool(const struct json *service UNUSED, const struct json *pool, void *arg)
{
	note_name(arg, pool);
}

static bool
is_there(const struct names *n, const char *what, char *why, size_t cap)
{
	const char *near = str_nearest(str_of(n->wanted), n->list, n->n);

	if (n->found)
		return true;
	if (near == NULL)
		(void)snprintf(why, cap, "there is no %s %s", what, n->wanted);
	else
		(void)snprintf(why, cap, "there is no %s %s; did you mean %s?",
		    what, n->wanted, near);
	return false;
}

bool
view_fits(const struct json *status, const struct view *v, char *why,
    size_t cap)
{
	const struct json *services = json_get(status, "services");
	const struct view all = { .service = v->service };
	struct names s = { .wanted = v->service }, p = { .wanted = v->pool };

	for (size_t i = 0; v->service != NULL && i < json_len(services); i++)
		note_name(&s, json_at(services, i));
	if (v->service != NULL && !is_there(&s, "service", why, cap))
		return false;
	if (v->pool != NULL)
		view_each_pool(status, &all, note_pool, &p);
	return v->pool == NULL || is_there(&p, "pool", why, cap);
}
