#include "upstream/jwks.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"

#define SEED UINT64_C(0x6b6579)

void
jwks_init(struct jwks *j)
{
	memset(j, 0, sizeof(*j));
	(void)pthread_mutex_init(&j->mutex, NULL);
}

void
jwks_free(struct jwks *j)
{
	free(j->kids);
	for (size_t i = 0; i < CFG_JWKS_PATHS_MAX; i++)
		copy_unref(&j->sets[i]);
	(void)pthread_mutex_destroy(&j->mutex);
}

static uint64_t
kid_hash(struct str kid)
{
	return hash_bytes(kid.p, kid.len, SEED);
}

static int
by_hash(const void *a, const void *b)
{
	uint64_t x = ((const struct jwks_kid *)a)->hash;
	uint64_t y = ((const struct jwks_kid *)b)->hash;

	return (x > y) - (x < y);
}

uint64_t
jwks_pool_of(struct jwks *j, struct str kid)
{
	struct jwks_kid wanted = { .hash = kid_hash(kid) }, *found = NULL;
	uint64_t pool;

	(void)pthread_mutex_lock(&j->mutex);
	if (j->n_kids > 0)
		found = bsearch(&wanted, j->kids, j->n_kids, sizeof(*j->kids),
		    by_hash);
	pool = found == NULL ? 0 : found->pool;
	(void)pthread_mutex_unlock(&j->mutex);
	return pool;
}

struct copy *
jwks_get(struct jwks *j, struct str path)
{
	struct copy *c = NULL;

	(void)pthread_mutex_lock(&j->mutex);
	for (size_t i = 0; i < CFG_JWKS_PATHS_MAX && c == NULL; i++)
		if (j->sets[i] != NULL &&
		    str_eq(buf_str(&j->sets[i]->path), path))
			c = j->sets[i];
	if (c != NULL)
		c->refs++;
	(void)pthread_mutex_unlock(&j->mutex);
	return c;
}

/* ---- one set ---- */

bool
jwks_is_set(const struct json *set, const char **why)
{
	const struct json *keys = json_get(set, "keys");

	*why = !json_is_array(keys)          ? "it is no set of keys (RFC 7517)"
	    : json_len(keys) > JWKS_KEYS_MAX ? "more than 128 keys"
	                                     : NULL;
	return *why == NULL;
}

/* The one at i or after it, which moves on; NULL: no more.  What has no type
 * is none. */
static const struct json *
next_key(const struct jwks_said *s, size_t *i)
{
	const struct json *keys = json_get(s->set, "keys"), *key;

	while ((key = json_at(keys, *i)) != NULL) {
		++*i;
		if (json_get_text(key, "kty", NULL) != NULL)
			return key;
	}
	return NULL;
}

static bool
is_of_known_type(const struct json *key)
{
	const char *type = json_get_text(key, "kty", "");

	return strcmp(type, "RSA") == 0 || strcmp(type, "EC") == 0 ||
	    strcmp(type, "OKP") == 0;
}

/*
 * Of what a signature is checked by: versions may differ in all the rest.  Of
 * a type that is not known that is all of it.
 */
static uint64_t
identity(const struct json *key)
{
	static const char *const parts[] = { "kid", "kty", "crv", "n", "e", "x",
		"y" };
	struct buf text = BUF_INIT;
	uint64_t h = SEED;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct str v = str_of(json_get_text(key, parts[i], ""));

		h = hash_bytes(v.p, v.len, h);
	}
	if (is_of_known_type(key))
		return h;
	json_print(&text, key);
	h = hash_bytes(text.p, text.len, h);
	buf_free(&text);
	return h;
}

/* ---- all sets ---- */

struct have {
	uint64_t id;
	const struct json *key;
	const struct jwks_said *by; /* who brought it */
	uint32_t owners;            /* who has it, by places as bits */
	bool again;                 /* for another use: it was counted */
};

/* Those of one path: each once, or as often as the first that has it says it,
 * for several uses. */
struct together {
	struct have *list;
	size_t n;
};

/* Where it is, .n: nowhere. */
static size_t
find(const struct together *t, uint64_t id)
{
	size_t at = 0;

	while (at < t->n && t->list[at].id != id)
		at++;
	return at;
}

static void
collect(struct together *t, struct jwks_said *s)
{
	const struct json *key;
	size_t i = 0;

	s->keys = 0;
	while ((key = next_key(s, &i)) != NULL) {
		uint64_t id = identity(key);
		size_t at = find(t, id);
		bool is_new = at == t->n;

		s->keys++;
		if (is_new || t->list[at].by == s)
			t->list[t->n++] = (struct have){ .id = id,
				.key = key,
				.by = s,
				.again = !is_new };
		t->list[at].owners |= UINT32_C(1) << s->at;
	}
}

/* True: it lacks something. */
static bool
count(const struct together *t, struct jwks_said *s)
{
	s->lacks = s->lacks_of = 0;
	for (size_t i = 0; i < t->n; i++) {
		const struct have *h = &t->list[i];

		if (h->again || (h->owners >> s->at & 1) != 0)
			continue;
		s->lacks++;
		s->lacks_of |= h->owners;
	}
	return s->lacks > 0;
}

/* NULL: without memory, or it is too long. */
static struct copy *
write_set(const struct together *t, const char *path, uint64_t now_us)
{
	struct copy *c = copy_new(STR(""), str_of(path));

	if (c == NULL)
		return NULL;
	c->taken_us = now_us;
	c->for_all = true;
	buf_add_str(&c->type, STR("application/json"));
	buf_add_str(&c->body, STR("{\"keys\":["));
	for (size_t i = 0; i < t->n; i++) {
		if (i > 0)
			buf_add_str(&c->body, STR(","));
		json_print(&c->body, t->list[i].key);
	}
	buf_add_str(&c->body, STR("]}"));
	if (c->path.failed || c->type.failed || c->body.failed ||
	    c->body.len > JWKS_UNION_MAX)
		copy_unref(&c);
	return c;
}

/* Were all read there that have to be? */
static bool
is_whole(const struct jwks_said *said, size_t n, size_t path)
{
	for (size_t i = 0; i < n; i++)
		if (said[i].path == path && said[i].needed &&
		    said[i].set == NULL)
			return false;
	return true;
}

/* Keys of one path; *set: of all, where it is wanted. */
static int
take_path(struct jwks_said *said, size_t n, size_t path,
    const struct cfg_jwks *cfg, uint64_t now_us, struct copy **set)
{
	struct together t = { calloc(n * JWKS_KEYS_MAX + 1, sizeof(*t.list)),
		0 };
	bool differ = false;

	if (t.list == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		if (said[i].path == path)
			collect(&t, &said[i]);
	for (size_t i = 0; i < n; i++)
		differ |= said[i].path == path && said[i].set != NULL &&
		    count(&t, &said[i]);
	if (differ && cfg->united && is_whole(said, n, path))
		*set = write_set(&t, cfg->paths[path], now_us);
	for (size_t i = 0; i < n; i++)
		if (said[i].path == path)
			said[i].united = *set != NULL;
	free(t.list);
	return E_OK;
}

/* In order, and each once. */
static size_t
tidy(struct jwks_kid *kids, size_t n)
{
	size_t kept = 0;

	qsort(kids, n, sizeof(*kids), by_hash);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || kids[kept - 1].hash != kids[i].hash)
			kids[kept++] = kids[i];
		else if (kids[kept - 1].pool != kids[i].pool)
			kids[kept - 1].pool = 0;
	}
	return kept;
}

static void
add_kids(const struct jwks_said *s, struct jwks_kid *kids, size_t *n)
{
	const struct json *key;
	size_t i = 0;

	while ((key = next_key(s, &i)) != NULL) {
		const char *kid = json_get_text(key, "kid", NULL);

		if (kid != NULL)
			kids[(*n)++] = (struct jwks_kid){ kid_hash(str_of(kid)),
				s->pool };
	}
}

static struct jwks_kid *
list_kids(const struct jwks_said *said, size_t n, size_t *n_kids)
{
	struct jwks_kid *kids = calloc(n * JWKS_KEYS_MAX + 1, sizeof(*kids));

	*n_kids = 0;
	for (size_t i = 0; kids != NULL && i < n; i++)
		add_kids(&said[i], kids, n_kids);
	if (kids != NULL)
		*n_kids = tidy(kids, *n_kids);
	return kids;
}

static void
put_in(struct jwks *j, struct jwks_kid **kids, size_t n_kids,
    struct copy **sets)
{
	struct jwks_kid *old = j->kids;

	(void)pthread_mutex_lock(&j->mutex);
	j->kids = *kids;
	j->n_kids = n_kids;
	*kids = old;
	for (size_t i = 0; i < CFG_JWKS_PATHS_MAX; i++) {
		struct copy *was = j->sets[i];

		j->sets[i] = sets[i];
		sets[i] = was;
	}
	(void)pthread_mutex_unlock(&j->mutex);
}

static void
drop(struct jwks_kid *kids, struct copy **sets)
{
	free(kids);
	for (size_t i = 0; i < CFG_JWKS_PATHS_MAX; i++)
		copy_unref(&sets[i]);
}

int
jwks_take(struct jwks *j, struct jwks_said *said, size_t n,
    const struct cfg_jwks *cfg, uint64_t now_us)
{
	struct copy *sets[CFG_JWKS_PATHS_MAX] = { NULL };
	size_t n_kids;
	struct jwks_kid *kids = list_kids(said, n, &n_kids);
	int rc = kids == NULL ? E_NOMEM : E_OK;

	for (size_t i = 0; i < cfg->n_paths && rc == E_OK; i++)
		rc = take_path(said, n, i, cfg, now_us, &sets[i]);
	if (rc == E_OK)
		put_in(j, &kids, n_kids, sets);
	drop(kids, sets);
	return rc;
}

void
jwks_forget(struct jwks *j)
{
	struct copy *sets[CFG_JWKS_PATHS_MAX] = { NULL };
	struct jwks_kid *kids = NULL;

	put_in(j, &kids, 0, sets);
	drop(kids, sets);
}
