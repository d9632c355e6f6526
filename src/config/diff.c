/*
 * What differs between two configurations.
 */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/schema.h"
#include "config/show.h"

struct diff {
	struct buf *live, *restart; /* borrowed */
	struct buf was, is;         /* scratch */
};

static struct buf *
side(const struct diff *d, bool restart)
{
	return restart ? d->restart : d->live;
}

static void
add_change(struct diff *d, bool restart, const char *path)
{
	buf_printf(side(d, restart), "%s: %s -> %s\n", path,
	    d->was.len == 0 ? "none" : d->was.p,
	    d->is.len == 0 ? "none" : d->is.p);
}

static void
diff_value(struct diff *d, const struct key *k, const void *a, const void *b,
    const char *path)
{
	buf_reset(&d->was);
	buf_reset(&d->is);
	show_key(k, a, false, &d->was);
	show_key(k, b, false, &d->is);
	if (str_eq(buf_str(&d->was), buf_str(&d->is)))
		return;
	buf_reset(&d->was);
	buf_reset(&d->is);
	show_key(k, a, true, &d->was);
	show_key(k, b, true, &d->is);
	add_change(d, (k->flags & KEY_RESTART) != 0, path);
}

static void diff_keys(struct diff *, const struct key *, const void *a,
    const void *b, const char *path);

/* ---- lists whose elements have names: order is no change ---- */

struct member {
	const char *label;
	const void *element;
};

static int
by_label(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return strcmp(x->label, y->label);
}

/* The elements by label, in the order of the file or (sorted) for finding. */
static struct member *
members(const struct key *k, const void *base, bool sorted)
{
	size_t n = *key_count(k, base);
	const struct key *label = key_find(k->sub, k->label);
	struct member *list = calloc(n + 1, sizeof(*list));

	if (list == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		list[i].element = key_element(k, base, i);
		list[i].label = *(char **)key_at(label, list[i].element);
	}
	if (sorted)
		qsort(list, n, sizeof(*list), by_label);
	return list;
}

/*
 * Elements of a that b has too are compared, unless only_missing; others give
 * a line that ends in word.
 */
static void
walk_members(struct diff *d, const struct key *k, const void *a, const void *b,
    const char *path, bool only_missing, const char *word)
{
	struct member *mine = members(k, a, false);
	struct member *theirs = members(k, b, true);
	struct buf inner = BUF_INIT;

	for (size_t i = 0; i < *key_count(k, a); i++) {
		const struct member *same;

		if (mine == NULL || theirs == NULL)
			break;
		same = bsearch(&mine[i], theirs, *key_count(k, b),
		    sizeof(*theirs), by_label);
		buf_reset(&inner);
		buf_printf(&inner, "%s[%s]", path, mine[i].label);
		if (inner.failed)
			break;
		if (same == NULL)
			buf_printf(side(d, (k->flags & KEY_RESTART) != 0),
			    "%s: %s\n", inner.p, word);
		else if (!only_missing)
			diff_keys(d, k->sub, mine[i].element, same->element,
			    inner.p);
	}
	d->live->failed |= mine == NULL || theirs == NULL || inner.failed;
	buf_free(&inner);
	free(mine);
	free(theirs);
}

static void
diff_list(struct diff *d, const struct key *k, const void *a, const void *b,
    const char *path)
{
	if (k->label == NULL) {
		diff_value(d, k, a, b, path);
		return;
	}
	walk_members(d, k, a, b, path, false, "present -> gone");
	walk_members(d, k, b, a, path, true, "none -> present");
}

static void
diff_map(struct diff *d, const struct key *k, const void *a, const void *b,
    const char *path)
{
	if (key_is_off(k, a) || key_is_off(k, b)) {
		if (key_is_off(k, a) != key_is_off(k, b))
			buf_printf(side(d, (k->flags & KEY_RESTART) != 0),
			    "%s: %s\n", path,
			    key_is_off(k, a) ? "off -> on" : "on -> off");
		if (key_is_off(k, b))
			return; /* what is inside means nothing */
	}
	diff_keys(d, k->sub, key_at(k, a), key_at(k, b), path);
}

static void
diff_keys(struct diff *d, const struct key *keys, const void *a, const void *b,
    const char *path)
{
	for (const struct key *k = keys; k->name != NULL; k++) {
		struct buf inner = BUF_INIT;

		if ((k->flags & KEY_SHORT) != 0)
			continue;
		buf_printf(&inner, "%s%s%s", path, path[0] == '\0' ? "" : ".",
		    k->name);
		if (inner.failed)
			d->live->failed = true;
		else if (k->kind == K_MAP)
			diff_map(d, k, a, b, inner.p);
		else if (k->kind == K_LIST)
			diff_list(d, k, a, b, inner.p);
		else
			diff_value(d, k, a, b, inner.p);
		buf_free(&inner);
	}
}

void
cfg_diff(const struct cfg *from, const struct cfg *to, struct buf *live,
    struct buf *restart)
{
	struct diff d = { .live = live, .restart = restart };

	diff_keys(&d, cfg_schema, from, to, "");
	live->failed |= d.was.failed || d.is.failed;
	buf_free(&d.was);
	buf_free(&d.is);
}
