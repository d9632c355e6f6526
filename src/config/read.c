#include "config/read.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "config/valid.h"
#include "config/value.h"

#define NAMES_MAX 32 /* keys of a map */

/* ---- what to say ---- */

/* What may be, or have, a password: messages get into logs. */
static bool
is_secret(const struct key *k, const struct ynode *n)
{
	return (k->flags & KEY_SECRET) != 0 ||
	    (k->kind == K_ADDR && strchr(n->text, '@') != NULL);
}

static const char *
text_of(const struct key *k, const struct ynode *n, char out[PROBLEM_TEXT_MAX])
{
	switch (n->type) {
	case YNODE_MAP:
		return "a map";
	case YNODE_LIST:
		return "a list";
	default:
		return is_secret(k, n) ? "this" : problem_text(n->text, out);
	}
}

static void
say_wrong(struct problems *p, const struct key *k, const struct where *w)
{
	char text[PROBLEM_TEXT_MAX];

	problem_error(p, w, "%s is not %s%s", text_of(k, w->node, text),
	    key_kind_expected(k->kind),
	    k->kind == K_LIST ? "; each element begins with \"- \"" : "");
}

static void
say_no_such_word(struct problems *p, const struct key *k, const struct where *w)
{
	char text[PROBLEM_TEXT_MAX], mean[PROBLEM_TEXT_MAX];
	struct buf words = BUF_INIT;
	size_t n = 0;

	for (; k->names[n] != NULL; n++)
		buf_printf(&words, "%s%s", n == 0 ? "" : ", ", k->names[n]);
	problem_error(p, w, "%s is not one of %s%s",
	    problem_text(w->node->text, text),
	    words.p == NULL ? "the words" : words.p,
	    problem_did_you_mean(
	        str_nearest(str_of(w->node->text), k->names, n), mean));
	p->no_memory |= words.failed;
	buf_free(&words);
}

static void
say_out_of_range(struct problems *p, const struct key *k, const struct where *w)
{
	char room[PROBLEM_TEXT_MAX];
	const char *text = text_of(k, w->node, room);
	struct buf lo = BUF_INIT, hi = BUF_INIT;

	if (k->kind == K_ADDR) {
		problem_error(p, w, "%s has a port that is not in 1..65535",
		    text);
		return;
	}
	if (!value_is_number(k)) {
		problem_error(p, w, "%s is longer than %llu bytes", text,
		    (unsigned long long)k->max);
		return;
	}
	value_show_number(k, k->min, &lo);
	value_show_number(k, k->max, &hi);
	problem_error(p, w, "%s is not in %s..%s", text,
	    lo.p == NULL ? "" : lo.p, hi.p == NULL ? "" : hi.p);
	p->no_memory |= lo.failed || hi.failed;
	buf_free(&lo);
	buf_free(&hi);
}

static void
say_code(struct problems *p, const struct key *k, const struct where *w, int rc)
{
	if (rc == E_NOMEM)
		p->no_memory = true;
	else if (rc == E_RANGE)
		say_out_of_range(p, k, w);
	else if (k->kind == K_ENUM)
		say_no_such_word(p, k, w);
	else
		say_wrong(p, k, w);
}

static void
say_twice(struct problems *p, const struct where *map, const struct ynode *n)
{
	problem_at_key(p, map, n,
	    "stands here a second time; line %u has it "
	    "already",
	    n->first_one->key_line);
}

/* ---- scalars ---- */

static bool
read_scalar(struct problems *p, const struct key *k, void *at,
    const struct where *w)
{
	int rc;

	if (w->node->type != YNODE_SCALAR) {
		say_wrong(p, k, w);
		return false;
	}
	rc = value_read(k, w->node->text, at);
	if (rc != E_OK)
		say_code(p, k, w, rc);
	return rc == E_OK;
}

static void
read_value(struct problems *p, const struct key *k, void *base,
    const struct where *w)
{
	void *at = key_at(k, base);

	/* our own defaults are right: only memory can fail */
	if (k->fallback != NULL && value_read(k, k->fallback, at) != E_OK)
		p->no_memory = true;
	if (!where_is_given(w))
		return;
	if (!read_scalar(p, k, at, w))
		value_free(k, at); /* a default would be judged in its place */
	else if (k->kind == K_SHARE)
		*key_flag(k, base) = true;
}

/* ---- lists ---- */

/* One more element of zeroes, or NULL. */
static void *
grow(struct problems *p, const struct key *k, void *base)
{
	size_t *count = key_count(k, base);
	char *array = key_array(k, base), *element;

	/* room doubles: it is full when the count is a power of two */
	if ((*count & (*count - 1)) == 0) {
		size_t cap = *count == 0 ? 1 : 2 * *count;

		array = realloc(array, cap * k->size);
		if (array == NULL) {
			p->no_memory = true;
			return NULL;
		}
		key_set_array(k, base, array);
	}
	element = array + (*count)++ * k->size;
	memset(element, 0, k->size);
	return element;
}

/* Are there as many as the row allows?  Those beyond are not read. */
static void
check_count(struct problems *p, const struct key *k, const struct where *w)
{
	size_t n = 1;

	if (w->node->type != YNODE_SCALAR) {
		n = 0;
		for (const struct ynode *i = w->node->first; i != NULL;
		     i = i->next)
			n++;
	}
	if (n < k->min)
		problem_error(p, w,
		    "%zu elements are too few; at least %llu is expected", n,
		    (unsigned long long)k->min);
	if (n > k->max)
		problem_error(p, w,
		    "%zu elements are too many; at most %llu are possible", n,
		    (unsigned long long)k->max);
}

/* A scalar where a list is meant is a list of one. */
static const struct ynode *
first_of(const struct ynode *n)
{
	return n->type == YNODE_LIST ? n->first : n;
}

static const struct ynode *
next_of(const struct ynode *list, const struct ynode *n)
{
	return list->type == YNODE_LIST ? n->next : NULL;
}

/* Texts, networks, statuses. */
static void
read_items(struct problems *p, const struct key *k, void *base,
    const struct where *w)
{
	size_t i = 0;

	if (w->node->type == YNODE_MAP) {
		say_wrong(p, k, w);
		return;
	}
	check_count(p, k, w);
	for (const struct ynode *n = first_of(w->node); n != NULL && i < k->max;
	     n = next_of(w->node, n), i++) {
		struct where item = where_nth(w, n, i);
		void *element = grow(p, k, base);

		if (element == NULL)
			return;
		if (!read_scalar(p, k->sub, element, &item))
			(*key_count(k, base))--;
	}
}

/* One element a word. */
static void
read_default_items(struct problems *p, const struct key *k, void *base)
{
	struct str rest = str_of(k->fallback);

	while (rest.len > 0) {
		char *word = str_dup(str_split(&rest, ' '));
		void *element = word == NULL ? NULL : grow(p, k, base);

		if (element == NULL ||
		    value_read(k->sub, word, element) != E_OK)
			p->no_memory = true;
		free(word);
	}
}

static void
read_field(struct problems *p, const struct key *k, void *base,
    const struct where *w)
{
	const struct ynode *n = w->node;
	struct cfg_field *f;

	if (n->type != YNODE_SCALAR || !valid_field(str_of(n->text))) {
		char text[PROBLEM_TEXT_MAX];

		problem_error(p, w, "%s is not the value of a field",
		    text_of(k, n, text));
		return;
	}
	f = grow(p, k, base);
	if (f != NULL && value_read_field(f, n->key, n->text) != E_OK)
		p->no_memory = true;
}

static void
read_fields(struct problems *p, const struct key *k, void *base,
    const struct where *w)
{
	size_t i = 0;

	if (w->node->type != YNODE_MAP) {
		say_wrong(p, k, w);
		return;
	}
	check_count(p, k, w);
	for (const struct ynode *n = w->node->first; n != NULL && i < k->max;
	     n = n->next, i++) {
		struct where in = where_key(w, n->key);

		in.node = in.near = n;
		if (n->first_one != NULL)
			say_twice(p, w, n);
		else if (!valid_token(str_of(n->key)))
			problem_at_key(p, w, n,
			    "this is not the name of a field");
		else
			read_field(p, k, base, &in);
	}
}

/* ---- maps and lists of maps ---- */

static void
read_scalar_element(struct problems *p, const struct key *k, void *element,
    const struct where *w)
{
	struct ynode value = *w->node,
	             map = { .type = YNODE_MAP,
		             .line = value.line,
		             .column = value.column,
		             .first = &value };
	struct where in = *w;

	value.key = (char *)(uintptr_t)k->scalar;
	value.next = NULL;
	in.node = in.near = &map;
	read_map(p, k->sub, element, &in);
}

static void
read_element(struct problems *p, const struct key *k, void *element,
    const struct where *w)
{
	char text[PROBLEM_TEXT_MAX];

	if (w->node->type == YNODE_MAP) {
		read_map(p, k->sub, element, w);
		return;
	}
	if (w->node->type == YNODE_SCALAR && k->scalar != NULL) {
		read_scalar_element(p, k, element, w);
		return;
	}
	if (!where_is_given(w))
		problem_error(p, w, "is empty; a map is expected");
	else
		problem_error(p, w, "%s is not a map",
		    text_of(k, w->node, text));
}

static void
read_list(struct problems *p, const struct key *k, void *base,
    const struct where *w)
{
	size_t i = 0;

	if (w->node->type != YNODE_LIST && k->scalar == NULL) {
		say_wrong(p, k, w);
		return;
	}
	if (w->node->type == YNODE_LIST)
		check_count(p, k, w);
	for (const struct ynode *n = first_of(w->node); n != NULL && i < k->max;
	     n = next_of(w->node, n), i++) {
		struct where item = where_nth(w, n, i);
		void *element = grow(p, k, base);

		if (element == NULL)
			return;
		read_element(p, k, element, &item);
	}
}

/* "on" and a map mean on, "off" and the like mean off, nothing at all on. */
static bool
read_switch(const struct key *k, void *base, const struct where *w)
{
	bool *on = key_flag(k, base);

	*on = where_is_given(w) || (k->flags & KEY_GIVEN) == 0;
	return w->node != NULL && w->node->type == YNODE_SCALAR &&
	    value_read_bool(str_of(w->node->text), on);
}

static void
read_inner(struct problems *p, const struct key *k, void *base,
    const struct where *w)
{
	struct where in = *w;

	if ((k->flags & KEY_OFF) != 0 && read_switch(k, base, w)) {
		in.node = NULL;
	} else if (k->scalar != NULL && where_is_given(w) &&
	    w->node->type == YNODE_SCALAR) {
		read_scalar_element(p, k, key_at(k, base), w);
		return;
	} else if (where_is_given(w) && w->node->type != YNODE_MAP) {
		char text[PROBLEM_TEXT_MAX];

		problem_error(p, w, "%s is not a map%s",
		    text_of(k, w->node, text),
		    (k->flags & KEY_OFF) != 0 ? " or off" : "");
		in.node = NULL;
		if ((k->flags & KEY_GIVEN) != 0)
			*key_flag(k, base) = false;
	}
	read_map(p, k->sub, key_at(k, base), &in);
}

static void
read_key(struct problems *p, const struct key *k, void *base,
    const struct where *w)
{
	bool given = where_is_given(w);

	if (!given && (k->flags & KEY_REQUIRED) != 0)
		problem_error(p, w, "is missing; %s is expected",
		    key_kind_expected(k->kind));
	switch (k->kind) {
	case K_MAP:
		read_inner(p, k, base, w);
		break;
	case K_LIST:
		if (given)
			read_list(p, k, base, w);
		break;
	case K_ITEMS:
		if (given)
			read_items(p, k, base, w);
		else if (k->fallback != NULL)
			read_default_items(p, k, base);
		break;
	case K_FIELDS:
		if (given)
			read_fields(p, k, base, w);
		break;
	default:
		read_value(p, k, base, w);
		break;
	}
}

static void
look_for_strange_keys(struct problems *p, const struct key *keys,
    const struct where *w)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (const struct key *k = keys; k->name != NULL && n < NAMES_MAX; k++)
		names[n++] = k->name;
	for (const struct ynode *i = w->node->first; i != NULL; i = i->next) {
		char mean[PROBLEM_TEXT_MAX];

		if (i->first_one != NULL)
			say_twice(p, w, i);
		else if (key_find(keys, i->key) == NULL)
			problem_at_key(p, w, i, "there is no such key%s",
			    problem_did_you_mean(
			        str_nearest(str_of(i->key), names, n), mean));
	}
}

void
read_map(struct problems *p, const struct key *keys, void *base,
    const struct where *w)
{
	if (w->node != NULL && w->node->type == YNODE_MAP)
		look_for_strange_keys(p, keys, w);
	for (const struct key *k = keys; k->name != NULL; k++) {
		struct where in = where_key(w, k->name);

		read_key(p, k, base, &in);
	}
}
