#include "http/cookie.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

bool
cookie_next(struct str *rest, struct str *name, struct str *value)
{
	while (rest->len > 0) {
		struct str pair = str_trim(str_split(rest, ';'));
		ssize_t eq = str_find(pair, '=');

		if (pair.len == 0)
			continue;
		*name = eq < 0 ? (struct str){ pair.p, 0 }
		               : str_trim(str_sub(pair, 0, (size_t)eq));
		*value = eq < 0
		    ? pair
		    : str_trim(str_sub(pair, (size_t)eq + 1, pair.len));
		return true;
	}
	return false;
}

struct str
cookie_find(const struct http_head *h, struct str name)
{
	if (!HTTP_HAS(h, COOKIE))
		return (struct str){ NULL, 0 };
	for (unsigned i = 0; i < h->n; i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);
		struct str n, v;

		if (h->f[i].id != FIELD_COOKIE || (h->f[i].flags & HF_DROP))
			continue;
		while (cookie_next(&rest, &n, &v))
			if (str_eq(n, name))
				return v.p == NULL ? STR("") : v;
	}
	return (struct str){ NULL, 0 };
}

static bool
is_named(struct str pair, struct str name)
{
	struct str n, v;

	return cookie_next(&pair, &n, &v) && str_eq(n, name);
}

ssize_t
cookie_without(struct str field_value, struct str name, char *out, size_t cap)
{
	size_t len = 0;

	while (field_value.len > 0) {
		/* blanks and all, so that it does not grow */
		struct str pair = str_split(&field_value, ';');

		if (str_trim(pair).len == 0 || is_named(pair, name))
			continue;
		if (len == 0)
			pair = str_trim(pair);
		if (cap - len < pair.len + (len > 0))
			return E_TOOBIG;
		if (len > 0)
			out[len++] = ';';
		memcpy(out + len, pair.p, pair.len);
		len += pair.len;
	}
	return (ssize_t)len;
}

ssize_t
set_cookie_write(const struct set_cookie *c, char *out, size_t cap)
{
	struct str path = c->path.len == 0 ? STR("/") : c->path;
	char age[40] = "";
	int n;

	if (c->max_age_s >= 0)
		(void)snprintf(age, sizeof(age), "; Max-Age=%lld",
		    (long long)c->max_age_s);
	n = snprintf(out, cap,
	    STR_FMT "=" STR_FMT "; Path=" STR_FMT "%s%s%s%s" STR_FMT,
	    STR_ARG(c->name), STR_ARG(c->value), STR_ARG(path), age,
	    c->http_only ? "; HttpOnly" : "", c->secure ? "; Secure" : "",
	    c->same_site.len > 0 ? "; SameSite=" : "", STR_ARG(c->same_site));
	return n < 0 || (size_t)n >= cap ? E_TOOBIG : n;
}
