#include "config/problem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* ---- places ---- */

struct where
where_top(const struct ynode *root)
{
	return (struct where){ .node = root, .near = root };
}

static struct where
where_in(const struct where *w, const struct ynode *node)
{
	return (struct where){ .node = node,
		.near = node == NULL ? w->near : node };
}

struct where
where_key(const struct where *w, const char *name)
{
	struct where in = where_in(w,
	    w->node == NULL || w->node->type != YNODE_MAP
	        ? NULL
	        : ynode_get(w->node, name));
	int n = snprintf(in.path, sizeof(in.path), "%s%s%s", w->path,
	    w->path[0] == '\0' ? "" : ".", name);

	if (n < 0)
		in.path[0] = '\0';
	return in;
}

struct where
where_nth(const struct where *w, const struct ynode *n, size_t i)
{
	struct where in = where_in(w, n);

	if (snprintf(in.path, sizeof(in.path), "%s[%zu]", w->path, i) < 0)
		in.path[0] = '\0';
	return in;
}

struct where
where_item(const struct where *w, size_t i)
{
	const struct ynode *n = w->node;

	if (n != NULL && n->type == YNODE_LIST) {
		n = n->first;
		for (size_t left = i; n != NULL && left > 0; left--)
			n = n->next;
	} else if (i > 0) {
		n = NULL;
	}
	return where_nth(w, n, i);
}

bool
where_is_given(const struct where *w)
{
	return w->node != NULL && !ynode_is_null(w->node);
}

/* ---- texts ---- */

const char *
problem_text(const char *s, char out[PROBLEM_TEXT_MAX])
{
	size_t n = 0;

	if (*s == '\0')
		return "\"\"";
	for (; *s != '\0' && n < PROBLEM_TEXT_MAX - 8; s++)
		out[n++] = (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s;
	if (*s != '\0') {
		/* not in the middle of a character */
		while (n > 0 && ((unsigned char)out[n - 1] & 0xc0) == 0x80)
			n--;
		if (n > 0 && (unsigned char)out[n - 1] >= 0xc0)
			n--;
		memcpy(out + n, "...", 3);
		n += 3;
	}
	out[n] = '\0';
	return out;
}

const char *
problem_did_you_mean(const char *near, char out[PROBLEM_TEXT_MAX])
{
	out[0] = '\0';
	if (near != NULL)
		(void)snprintf(out, PROBLEM_TEXT_MAX, "; did you mean %s?",
		    near);
	return out;
}

/* ---- collecting ---- */

static struct problem *
next_row(struct problems *p)
{
	if (p->n == PROBLEMS_MAX) {
		p->left_out++;
		return NULL;
	}
	if (p->n == p->cap) {
		size_t cap = p->cap == 0 ? 8 : 2 * p->cap;
		struct problem *list = realloc(p->list, cap * sizeof(*list));

		if (list == NULL) {
			p->no_memory = true;
			return NULL;
		}
		p->list = list;
		p->cap = cap;
	}
	return &p->list[p->n];
}

struct spot {
	unsigned line, column; /* 0: none */
	bool is_warning;
	const char *profile; /* whose value it is; NULL: the file's */
};

static void add(struct problems *, struct spot, const char *path,
    const char *fmt, va_list) PRINTF_LIKE(4, 0);

static void
add(struct problems *p, struct spot at, const char *path, const char *fmt,
    va_list ap)
{
	struct problem *row;
	struct buf text = BUF_INIT;

	p->errors += !at.is_warning;
	row = next_row(p);
	if (row == NULL)
		return;
	buf_add_cstr(&text, p->origin);
	if (at.line != 0 && !p->no_lines)
		buf_printf(&text, ":%u:%u", at.line, at.column);
	buf_printf(&text, ": %s%s%s", at.is_warning ? "warning: " : "", path,
	    path[0] == '\0' ? "" : ": ");
	buf_vprintf(&text, fmt, ap);
	if (at.profile != NULL)
		buf_printf(&text, " (of profile %s)", at.profile);
	*row = (struct problem){ .line = at.line,
		.column = at.column,
		.seq = p->n,
		.text = buf_take(&text),
		.is_warning = at.is_warning };
	if (row->text == NULL)
		p->no_memory = true;
	else
		p->n++;
}

static struct spot
spot_of(const struct where *w, bool is_warning)
{
	const struct ynode *n = w->near;

	if (n == NULL)
		return (struct spot){ .is_warning = is_warning };
	return (struct spot){ n->line, n->column, is_warning, n->profile };
}

void
problem_error(struct problems *p, const struct where *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(p, spot_of(w, false), w->path, fmt, ap);
	va_end(ap);
}

void
problem_warn(struct problems *p, const struct where *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(p, spot_of(w, true), w->path, fmt, ap);
	va_end(ap);
}

void
problem_at_key(struct problems *p, const struct where *map,
    const struct ynode *n, const char *fmt, ...)
{
	struct spot at = { n->key_line, n->key_column, false, n->profile };
	char key[PROBLEM_TEXT_MAX];
	struct where w = where_key(map, problem_text(n->key, key));
	va_list ap;

	va_start(ap, fmt);
	add(p, at, w.path, fmt, ap);
	va_end(ap);
}

static void add_plain(struct problems *p, struct spot at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void
add_plain(struct problems *p, struct spot at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(p, at, "", fmt, ap);
	va_end(ap);
}

void
problem_no_yaml(struct problems *p, const struct yaml_error *e)
{
	add_plain(p, (struct spot){ e->line, e->column, false, NULL }, "%s",
	    e->why);
}

/* ---- the result ---- */

/* What has no place comes first; what has the same stays as it came. */
static int
by_place(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static char *
left_out_text(const struct problems *p)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%s: %zu more problems are not shown", p->origin,
	    p->left_out);
	return buf_take(&text);
}

static void
hand_over(struct problems *p, struct cfg_problems *out)
{
	size_t n = p->n + (p->left_out > 0);
	struct cfg_problem *list = n == 0 ? NULL : calloc(n, sizeof(*list));

	if (n > 0 && list == NULL) {
		p->no_memory = true;
		return;
	}
	if (p->n > 0)
		qsort(p->list, p->n, sizeof(*p->list), by_place);
	assert(p->n == 0 || list != NULL);
	for (size_t i = 0; i < p->n; i++) {
		list[i].text = p->list[i].text;
		list[i].is_warning = p->list[i].is_warning;
	}
	out->list = list;
	out->n = p->n;
	out->errors = p->errors;
	p->n = 0;
	if (p->left_out == 0)
		return;
	list[out->n].text = left_out_text(p);
	list[out->n].is_warning = p->errors == 0;
	if (list[out->n].text == NULL)
		p->no_memory = true;
	else
		out->n++;
}

int
problems_finish(struct problems *p, struct cfg_problems *out)
{
	int rc;

	hand_over(p, out);
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i].text);
	free(p->list);
	rc = p->no_memory ? E_NOMEM : p->errors > 0 ? E_SYNTAX : E_OK;
	*p = (struct problems){ 0 };
	return rc;
}
