#include "http/cookie_space.h"

#include <string.h>

#include "base/err.h"
#include "http/cookie.h"

#define MARK '~' /* of tokens (RFC 9110 5.6.2), but in no namespace */

/* ---- names ---- */

/* Of the longest that fits. */
static size_t
prefix_len(struct str name)
{
	const struct str prefixes[] = { STR("__Host-Http-"), STR("__Host-"),
		STR("__Secure-"), STR("__Http-") };

	if (name.len == 0 || name.p[0] != '_')
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_casestarts(name, prefixes[i]))
			return prefixes[i].len;
	return 0;
}

static bool
begins_in(struct str space, struct str rest)
{
	return rest.len > space.len && rest.p[space.len] == MARK &&
	    str_starts(rest, space);
}

bool
cookie_space_has(struct str space, struct str name)
{
	return begins_in(space, str_sub(name, prefix_len(name), name.len));
}

static bool
is_in_any(const struct cookie_space *s, struct str name)
{
	if (str_find(name, MARK) < 0)
		return false;
	for (size_t i = 0; i < s->n_all; i++)
		if (cookie_space_has(s->all[i], name))
			return true;
	return false;
}

/* What stands in a namespace is not, whatever begins as it does. */
static bool
is_shared(const struct cookie_space *s, struct str name)
{
	for (size_t i = 0; i < s->n_shared; i++) {
		struct str row = str_of(s->shared[i]);

		if (str_ends(row, STR("*"))) {
			row.len--;
			if (str_starts(name, row))
				return !is_in_any(s, name);
		} else if (str_eq(name, row)) {
			return !is_in_any(s, name);
		}
	}
	return false;
}

/* ---- requests ---- */

struct out {
	char *p;
	size_t len, cap;
	bool full;
};

static void
put(struct out *o, struct str s)
{
	o->full |= s.len > o->cap - o->len;
	if (o->full || s.len == 0)
		return;
	memcpy(o->p + o->len, s.p, s.len);
	o->len += s.len;
}

/*
 * Puts the name as the server has it.  False, and nothing is put, where its
 * cookie of that name would have another one with the client.
 */
static bool
put_name(struct out *o, const struct cookie_space *s, struct str name)
{
	size_t from = o->len, prefix = prefix_len(name);
	struct str rest = str_sub(name, prefix + s->own.len + COOKIE_SPACE_MARK,
	    name.len);
	struct str inner;

	if (rest.len == 0 || str_trim(rest).len != rest.len)
		return false; /* the server may trim what clients do not */
	put(o, str_sub(name, 0, prefix));
	put(o, rest);
	inner = str_from(o->p + from, o->len - from);
	if (o->full || (prefix_len(inner) == prefix && !is_shared(s, inner)))
		return true;
	o->len = from;
	return false;
}

/* raw is what stood between two ";"; blanks and all, so that it does not grow. */
static void
put_pair(struct out *o, const struct cookie_space *s, struct str raw)
{
	struct str pair = str_trim(raw), rest = pair, name, value;
	size_t from = o->len;
	bool is_ours;

	if (!cookie_next(&rest, &name, &value))
		return;
	is_ours = s->own.len > 0 && cookie_space_has(s->own, name);
	if (!is_ours && is_in_any(s, name))
		return;
	if (!is_ours && s->own.len > 0 &&
	    (name.len == 0 || !is_shared(s, name)))
		return;
	if (from > 0) {
		put(o, STR(";"));
		put(o, str_from(raw.p, (size_t)(pair.p - raw.p)));
	}
	if (!is_ours)
		put(o, pair);
	else if (put_name(o, s, name))
		put(o, str_sub(pair, name.len, pair.len));
	else
		o->len = from;
}

ssize_t
cookie_space_to_server(const struct cookie_space *s, struct str value,
    char *out, size_t cap)
{
	struct out o = { .cap = cap };

	o.p = out;
	while (value.len > 0 && !o.full)
		put_pair(&o, s, str_split(&value, ';'));
	return o.full ? E_TOOBIG : (ssize_t)o.len;
}

/* ---- answers ---- */

ssize_t
cookie_space_to_client(const struct cookie_space *s, struct str value,
    char *out, size_t cap)
{
	struct out o = { .cap = cap };
	struct str rest = str_trim(value), attributes = rest, name;
	struct str pair = str_split(&attributes, ';');
	size_t prefix;

	o.p = out;
	if (str_find(pair, '=') < 0)
		return 0;
	name = str_trim(str_split(&pair, '='));
	prefix = prefix_len(name);
	if (name.len == prefix)
		return 0;
	if (!is_shared(s, name)) {
		put(&o, str_sub(name, 0, prefix));
		put(&o, s->own);
		put(&o, STR("~"));
		rest = str_sub(rest, prefix, rest.len);
	}
	put(&o, rest);
	return o.full ? E_TOOBIG : (ssize_t)o.len;
}
