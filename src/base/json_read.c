/*
 * Reading is jansson's: a struct json is a json_t under our name.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Macros of jansson's that are functions of ours. */
#undef json_is_array
#undef json_is_object
#undef json_is_null

#include "base/json.h"

static const json_t *
in(const struct json *j)
{
	return (const json_t *)(const void *)j;
}

static const struct json *
out(const json_t *j)
{
	return (const struct json *)(const void *)j;
}

struct json *
json_read(struct str text, char *why, size_t cap)
{
	json_error_t error;
	json_t *j = json_loadb(text.len == 0 ? "" : text.p, text.len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

	if (j == NULL && cap > 0)
		(void)snprintf(why, cap, "line %d column %d: %s", error.line,
		    error.column, error.text);
	return (struct json *)(void *)j;
}

void
json_free(struct json **jp)
{
	if (*jp != NULL)
		json_decref((json_t *)(void *)*jp);
	*jp = NULL;
}

bool
json_same(const struct json *a, const struct json *b)
{
	return a == b || (a != NULL && b != NULL && json_equal(in(a), in(b)));
}

void
json_print(struct buf *b, const struct json *j)
{
	char *text = j == NULL ? NULL : json_dumps(in(j), JSON_ENCODE_ANY);

	if (text != NULL)
		buf_add_cstr(b, text);
	else if (j != NULL)
		b->failed = true;
	free(text);
}

const struct json *
json_get(const struct json *j, const char *key)
{
	return j == NULL ? NULL : out(json_object_get(in(j), key));
}

const struct json *
json_at(const struct json *j, size_t index)
{
	return j == NULL ? NULL : out(json_array_get(in(j), index));
}

bool
json_is_array(const struct json *j)
{
	return j != NULL && json_typeof(in(j)) == JSON_ARRAY;
}

bool
json_is_object(const struct json *j)
{
	return j != NULL && json_typeof(in(j)) == JSON_OBJECT;
}

bool
json_is_null(const struct json *j)
{
	return j == NULL || json_typeof(in(j)) == JSON_NULL;
}

size_t
json_len(const struct json *j)
{
	if (json_is_array(j))
		return json_array_size(in(j));
	return json_is_object(j) ? json_object_size(in(j)) : 0;
}

const char *
json_text(const struct json *j)
{
	return j == NULL ? NULL : json_string_value(in(j));
}

bool
json_int(const struct json *j, int64_t *n)
{
	if (j == NULL || !json_is_integer(in(j)))
		return false;
	*n = json_integer_value(in(j));
	return true;
}

uint64_t
json_count(const struct json *j)
{
	int64_t n = 0;

	(void)json_int(j, &n);
	return (uint64_t)MIN(MAX(n, 0), (int64_t)UINT32_MAX);
}

bool
json_number(const struct json *j, double *n)
{
	if (j == NULL || !json_is_number(in(j)))
		return false;
	*n = json_number_value(in(j));
	return true;
}

bool
json_truth(const struct json *j, bool *b)
{
	if (j == NULL || !json_is_boolean(in(j)))
		return false;
	*b = json_is_true(in(j));
	return true;
}

const char *
json_get_text(const struct json *j, const char *key, const char *fallback)
{
	const char *s = json_text(json_get(j, key));

	return s == NULL ? fallback : s;
}

int64_t
json_get_int(const struct json *j, const char *key, int64_t fallback)
{
	int64_t n;

	return json_int(json_get(j, key), &n) ? n : fallback;
}

bool
json_get_truth(const struct json *j, const char *key, bool fallback)
{
	bool b;

	return json_truth(json_get(j, key), &b) ? b : fallback;
}

bool
json_member(const struct json *j, size_t n, const char **key,
    const struct json **value)
{
	json_t *object;
	void *it;

	if (!json_is_object(j))
		return false;
	object = (json_t *)(uintptr_t)(const void *)j;
	it = json_object_iter(object);
	while (it != NULL && n-- > 0)
		it = json_object_iter_next(object, it);
	if (it == NULL)
		return false;
	*key = json_object_iter_key(it);
	*value = out(json_object_iter_value(it));
	return true;
}

const struct json *
json_path(const struct json *j, const char *path)
{
	struct str rest = str_of(path);

	while (j != NULL && rest.len > 0) {
		char key[128];
		struct str part = str_split(&rest, '.');
		uint64_t index;

		if (part.len >= sizeof(key))
			return NULL;
		str_copy(part, key, sizeof(key));
		if (!json_is_array(j))
			j = json_get(j, key);
		else if (str_u64(part, &index))
			j = json_at(j, index);
		else
			j = NULL;
	}
	return j;
}
