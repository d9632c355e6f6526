#include "verify/promises.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

#define X(id, name, mark) [PROMISE_##id] = { name, mark },
static const struct {
	const char *name, *mark;
} grades[] = { PROMISE_GRADES(X) };
#undef X

const char *
promise_grade_name(enum promise_grade g)
{
	return grades[g].name;
}

const char *
promise_grade_mark(enum promise_grade g)
{
	return grades[g].mark;
}

static struct promise *
add(struct promises *p, enum promise_grade grade, const char *where,
    const char *field)
{
	struct promise *new;

	if (p->n == PROMISES_MAX) {
		p->left_out++;
		return NULL;
	}
	new = &p->list[p->n++];
	new->grade = grade;
	new->where = where;
	(void)snprintf(new->field, sizeof(new->field), "%s", field);
	return new;
}

/* "gone" and the value, or "gained", or both values. */
static void
say(struct promise *new, const char *verb, const struct json *a,
    const struct json *b)
{
	struct buf x = BUF_INIT, y = BUF_INIT;

	if (new == NULL)
		return;
	json_print(&x, a);
	json_print(&y, b);
	(void)snprintf(new->text, sizeof(new->text), "%s%.*s%s%.*s", verb,
	    (int)MIN(x.len, 140), x.len == 0 ? "" : x.p,
	    y.len == 0 ? "" : " -> ", (int)MIN(y.len, 140),
	    y.len == 0 ? "" : y.p);
	buf_free(&x);
	buf_free(&y);
}

/* ---- discovery ---- */

static bool
is_place(const char *field)
{
	struct str f = str_of(field);

	return str_eq(f, STR("issuer")) || str_ends(f, STR("_endpoint")) ||
	    str_ends(f, STR("_uri"));
}

static bool
has(const struct json *list, const struct json *value)
{
	for (size_t i = 0; i < json_len(list); i++)
		if (json_same(json_at(list, i), value))
			return true;
	return false;
}

static void
compare_lists(struct promises *p, const char *field, const struct json *was,
    const struct json *is, enum promise_grade worst)
{
	size_t before = p->n + p->left_out;

	for (size_t i = 0; i < json_len(was); i++)
		if (!has(is, json_at(was, i)))
			say(add(p, worst, "discovery", field), "lost ",
			    json_at(was, i), NULL);
	for (size_t i = 0; i < json_len(is); i++)
		if (!has(was, json_at(is, i)))
			say(add(p, PROMISE_MORE, "discovery", field), "gained ",
			    json_at(is, i), NULL);
	p->same += p->n + p->left_out == before; /* but for their order */
}

static bool
is_true(const struct json *j)
{
	bool so = false;

	return json_truth(j, &so) && so;
}

static void
compare_field(struct promises *p, const char *field, const struct json *was,
    const struct json *is, enum promise_grade worst)
{
	bool grave = is_place(field) || is_true(was) ||
	    (is == NULL && json_is_array(was));

	if (json_same(was, is))
		p->same++;
	else if (json_is_array(was) && json_is_array(is))
		compare_lists(p, field, was, is, worst);
	else if (is == NULL)
		say(add(p, grave ? worst : PROMISE_OTHER, "discovery", field),
		    "gone, was ", was, NULL);
	else
		say(add(p, grave ? worst : PROMISE_OTHER, "discovery", field),
		    "", was, is);
}

static bool
is_accepted(const char *accepted, const char *field)
{
	struct str rest = str_of(accepted), one;

	while (str_list_next(&rest, &one))
		if (str_eq(one, str_of(field)))
			return true;
	return false;
}

void
promises_discovery(struct promises *p, const struct json *was,
    const struct json *is, const char *accepted)
{
	const struct json *value;
	const char *field;

	for (size_t i = 0; json_member(was, i, &field, &value); i++)
		compare_field(p, field, value, json_get(is, field),
		    is_accepted(accepted, field) ? PROMISE_OTHER
		                                 : PROMISE_BROKEN);
	for (size_t i = 0; json_member(is, i, &field, &value); i++)
		if (json_get(was, field) == NULL)
			say(add(p, PROMISE_MORE, "discovery", field), "new, ",
			    value, NULL);
}

/* ---- keys ---- */

/* What makes it the key it is, whatever else is said of it (RFC 7638 3.2). */
static bool
same_key(const struct json *a, const struct json *b)
{
	static const char *const parts[] = { "kty", "n", "e", "crv", "x", "y",
		"k" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!json_same(json_get(a, parts[i]), json_get(b, parts[i])))
			return false;
	return true;
}

static const struct json *
key_by_id(const struct json *keys, const char *id)
{
	for (size_t i = 0; i < json_len(keys); i++)
		if (strcmp(json_get_text(json_at(keys, i), "kid", ""), id) == 0)
			return json_at(keys, i);
	return NULL;
}

static bool
has_key(const struct json *keys, const struct json *key)
{
	for (size_t i = 0; i < json_len(keys); i++)
		if (same_key(json_at(keys, i), key) &&
		    json_same(json_get(json_at(keys, i), "kid"),
		        json_get(key, "kid")))
			return true;
	return false;
}

static void
say_key(struct promises *p, enum promise_grade grade, const struct json *key,
    const char *text)
{
	const char *id = json_get_text(key, "kid", "a key without an id");
	struct promise *new = add(p, grade, "keys", id);

	if (new != NULL)
		(void)snprintf(new->text, sizeof(new->text), "%s", text);
}

static void
compare_key(struct promises *p, const struct json *key, const struct json *is)
{
	const char *id = json_get_text(key, "kid", NULL);

	if (has_key(is, key))
		p->same++;
	else if (id != NULL && key_by_id(is, id) != NULL)
		say_key(p, PROMISE_BROKEN, key, "another key of the same id");
	else
		say_key(p, PROMISE_BROKEN, key,
		    "gone: what it has signed does not verify any more");
}

void
promises_keys(struct promises *p, const struct json *was, const struct json *is)
{
	const struct json *old = json_get(was, "keys");
	const struct json *new = json_get(is, "keys");

	for (size_t i = 0; i < json_len(old); i++)
		compare_key(p, json_at(old, i), new);
	for (size_t i = 0; i < json_len(new); i++) {
		const struct json *key = json_at(new, i);
		const char *id = json_get_text(key, "kid", NULL);

		if (!has_key(old, key) &&
		    (id == NULL || key_by_id(old, id) == NULL))
			say_key(p, PROMISE_MORE, key,
			    "new: who has fetched the others has to fetch "
			    "again");
	}
}

size_t
promises_broken(const struct promises *p)
{
	size_t n = p->left_out; /* nobody has looked at these */

	for (size_t i = 0; i < p->n; i++)
		n += p->list[i].grade == PROMISE_BROKEN;
	return n;
}
