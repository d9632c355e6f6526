#include "proxy/guard.h"

#include "http/target.h"
#include "net/addr.h"
#include "upstream/view.h"

#define PATH_BYTES_MAX 16384
#define READINGS_MAX 4

/* ---- what a path may mean ---- */

static bool
is_border(char c)
{
	return c == '/' || c == '\\';
}

/* "." or "..", with parameters or without. */
static bool
is_dots(struct str segment)
{
	struct str name = str_split(&segment, ';');

	return str_eq(name, STR(".")) || str_eq(name, STR(".."));
}

/* Longer than need be: what such a sequence decodes to is anybody's guess. */
static bool
is_overlong(struct str s, size_t i)
{
	unsigned char c = (unsigned char)s.p[i];
	unsigned char next = i + 1 < s.len ? (unsigned char)s.p[i + 1] : 0xff;

	return c == 0xc0 || c == 0xc1 || (c == 0xe0 && next < 0xa0) ||
	    (c == 0xf0 && next < 0x90);
}

/*
 * Parameters end at a border, so where some borders are escaped it depends on
 * the order of stripping and decoding what they take with them.
 */
static bool
mixes_parameters(struct str path, struct str decoded)
{
	size_t borders = 0, hidden = 0;

	if (str_find(decoded, ';') < 0)
		return false;
	for (size_t i = 0; i < path.len; i++)
		borders += path.p[i] == '/';
	for (size_t i = 0; i < decoded.len; i++)
		hidden += is_border(decoded.p[i]);
	return hidden > borders;
}

/* s is decoded. */
static bool
is_unclear(struct str s)
{
	size_t start = 0;

	for (size_t i = 0; i <= s.len; i++) {
		if (i == s.len || is_border(s.p[i])) {
			if (is_dots(str_sub(s, start, i - start)))
				return true;
			start = i + 1;
			continue;
		}
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ||
		    is_overlong(s, i))
			return true;
	}
	return false;
}

/* Up to where an instance might stop reading it. */
static struct str
until_end(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == ';' || s.p[i] == '?' || s.p[i] == '#')
			return str_sub(s, 0, i);
	return s;
}

/*
 * A "?" that decoding brings ends a path before its parameters are taken away,
 * or behind them, or is a part of one that goes.
 */
static bool
mixes_ends(struct str decoded)
{
	return str_find(decoded, ';') >= 0 &&
	    (str_find(decoded, '?') >= 0 || str_find(decoded, '#') >= 0);
}

struct readings {
	struct str path[READINGS_MAX];
	size_t n;
	char bytes[READINGS_MAX][PATH_BYTES_MAX];
};

static bool
add_reading(struct readings *r, ssize_t len)
{
	if (len < 0)
		return false;
	r->path[r->n] = str_from(r->bytes[r->n], (size_t)len);
	r->n++;
	return true;
}

/* False when it has no end of them. */
static bool
read_path(struct readings *r, struct str path)
{
	char plain[PATH_BYTES_MAX];
	struct str decoded, cut;
	bool ambiguous;
	ssize_t n;

	r->n = 0;
	n = target_unescape(path, plain, sizeof(plain));
	if (n < 0)
		return false;
	decoded = str_from(plain, (size_t)n);
	if (is_unclear(decoded) || mixes_parameters(path, decoded) ||
	    mixes_ends(decoded))
		return false;
	if (!add_reading(r,
	        target_normalise(path, r->bytes[0], sizeof(r->bytes[0]),
	            &ambiguous)) ||
	    !add_reading(r,
	        target_decode(path, r->bytes[1], sizeof(r->bytes[1]))))
		return false;
	cut = until_end(decoded);
	if (cut.len == decoded.len)
		return true;
	if (!add_reading(r,
	        target_decode(cut, r->bytes[2], sizeof(r->bytes[2]))))
		return false;
	/* And to some a ";" is a letter: so it is for us with another one. */
	for (size_t i = cut.len; i < decoded.len; i++)
		if (plain[i] == ';')
			plain[i] = ',';
	return add_reading(r,
	    target_decode(decoded, r->bytes[3], sizeof(r->bytes[3])));
}

/* ---- rules ---- */

static bool
is_under(struct str path, const char *prefix)
{
	struct str p = str_of(prefix);

	if (p.len > 1 && p.p[p.len - 1] == '/')
		p.len--; /* what it is the directory of, too */
	return str_starts(path, p) &&
	    (p.len == 1 || path.len == p.len || path.p[p.len] == '/');
}

static bool
has_method(const struct cfg_rule *r, struct str method)
{
	for (size_t i = 0; i < r->n_methods; i++)
		if (str_eq(method, str_of(r->methods[i])))
			return true;
	return r->n_methods == 0;
}

static bool
has_source(const struct view_guard *g, const struct addr *from)
{
	if (g->cfg->n_from == 0)
		return true;
	if (from == NULL)
		return g->cfg->deny != NULL;
	for (size_t i = 0; i < g->n_from; i++)
		if (cidr_has(&g->from[i], from))
			return true;
	return false;
}

/* How many of the readings lie under the prefix? */
static size_t
count_under(const struct str *path, size_t n, const char *prefix)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += is_under(path[i], prefix);
	return found;
}

static enum guard_verdict
judge(const struct view_guard *g, size_t n, const struct str *path,
    size_t n_paths, struct str method, const struct addr *from, size_t *which)
{
	for (size_t i = 0; i < n; i++) {
		const struct cfg_rule *r = g[i].cfg;

		if (!has_method(r, method) || !has_source(&g[i], from))
			continue;
		if (r->allow != NULL) {
			if (count_under(path, n_paths, r->allow) == n_paths)
				return GUARD_ALLOW;
			continue;
		}
		if (count_under(path, n_paths, r->deny) == 0)
			continue;
		*which = i;
		return r->hide ? GUARD_HIDE : GUARD_DENY;
	}
	return GUARD_ALLOW;
}

static enum guard_verdict
judge_readings(const struct view_guard *g, size_t n, struct str path,
    struct str method, const struct addr *from, size_t *which)
{
	struct readings r;

	if (!read_path(&r, path))
		return GUARD_UNCLEAR;
	return judge(g, n, r.path, r.n, method, from, which);
}

/* How many ways of reading it lie under one of them, of *all. */
static size_t
count_readings(struct str path, char *const *prefixes, size_t n, size_t *all)
{
	struct readings r = { .n = 1 };
	size_t found = 0;

	*all = 0;
	if (target_is_plain(path))
		r.path[0] = path;
	else if (!read_path(&r, path))
		return 0;
	*all = r.n;
	for (size_t i = 0; i < r.n; i++)
		for (size_t k = 0; k < n; k++)
			if (is_under(r.path[i], prefixes[k])) {
				found++;
				break;
			}
	return found;
}

bool
guard_is_under(struct str path, char *const *prefixes, size_t n)
{
	size_t all, found = count_readings(path, prefixes, n, &all);

	return all > 0 && found == all;
}

bool
guard_may_be_under(struct str path, char *const *prefixes, size_t n)
{
	size_t all, found = count_readings(path, prefixes, n, &all);

	return all == 0 || found > 0;
}

enum guard_verdict
guard_judge(const struct view_guard *g, size_t n, struct str path,
    struct str method, const struct addr *from, size_t *which)
{
	if (target_is_plain(path))
		return judge(g, n, &path, 1, method, from, which);
	return judge_readings(g, n, path, method, from, which);
}
