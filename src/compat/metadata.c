#include "compat/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

#define X(id, name) [COMPAT_##id] = (name),
static const char *const policy_names[] = { COMPAT_POLICIES(X) };
#undef X

const char *
compat_policy_name(enum compat_policy p)
{
	return policy_names[p];
}

/* ---- finding ---- */

/* Rows of the three tables begin with their key. */
static int
by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const void *
find(const void *rows, size_t n, size_t size, const char *key)
{
	return n == 0 ? NULL : bsearch(&key, rows, n, size, by_key);
}

const struct compat_provider *
compat_provider(const struct compat_metadata *m, const char *id)
{
	return find(m->providers, m->n, sizeof(*m->providers), id);
}

const char *
compat_value(const struct compat_provider *p, const char *key)
{
	const struct compat_value *v = p == NULL
	    ? NULL
	    : find(p->values, p->n, sizeof(*p->values), key);

	return v == NULL ? NULL : v->text;
}

const struct compat_feature *
compat_feature(const struct compat_metadata *m, const char *key)
{
	return find(m->features, m->n_features, sizeof(*m->features), key);
}

/* ---- reading ---- */

struct reading {
	struct compat_metadata *m;
	char *why;
};

static int wrong(const struct reading *, const char *fmt, ...)
    PRINTF_LIKE(2, 3) MUST_CHECK;

static int
wrong(const struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(r->why, COMPAT_WHY_MAX, fmt, ap);
	va_end(ap);
	return E_SYNTAX;
}

static int
read_values(const struct reading *r, const struct json *j,
    struct compat_provider *p)
{
	const struct json *value;
	const char *key;

	p->values = calloc(json_len(j) + 1, sizeof(*p->values));
	if (p->values == NULL)
		return E_NOMEM;
	for (size_t i = 0; json_member(j, i, &key, &value); i++) {
		const char *text = json_text(value);

		if (json_is_null(value))
			continue;
		if (text == NULL)
			return wrong(r, "%s.%s: a text is expected", p->id,
			    key);
		p->values[p->n++] = (struct compat_value){ key, text };
	}
	qsort(p->values, p->n, sizeof(*p->values), by_key);
	return E_OK;
}

static int
read_providers(const struct reading *r, const struct json *root)
{
	struct compat_metadata *m = r->m;
	const struct json *value;
	const char *id;
	int rc;

	m->providers = calloc(json_len(root) + 1, sizeof(*m->providers));
	if (m->providers == NULL)
		return E_NOMEM;
	for (size_t i = 0; json_member(root, i, &id, &value); i++) {
		struct compat_provider *p = &m->providers[m->n];

		if (json_is_null(value))
			continue;
		if (!json_is_object(value))
			return wrong(r, "%s: an object is expected", id);
		p->id = id;
		m->n++;
		rc = read_values(r, value, p);
		if (rc != E_OK)
			return rc;
	}
	qsort(m->providers, m->n, sizeof(*m->providers), by_key);
	return E_OK;
}

/* ---- features ---- */

static int
read_policy(const struct reading *r, const struct json *j,
    struct compat_feature *f)
{
	const char *name = json_is_null(j) ? policy_names[0] : json_text(j);

	if (name == NULL)
		return wrong(r,
		    COMPAT_FEATURES ".%s: updatePolicy: a text is expected",
		    f->key);
	for (size_t i = 0; i < COMPAT_POLICY_COUNT; i++) {
		if (strcmp(policy_names[i], name) != 0)
			continue;
		f->policy = (enum compat_policy)i;
		return E_OK;
	}
	return wrong(r,
	    COMPAT_FEATURES ".%s: updatePolicy: \"%s\" is none of ROLLING, "
	                    "ROLLING_NO_UPGRADE, SHUTDOWN",
	    f->key, name);
}

/* The text of one value was JSON once more. */
static int
fill_feature(const struct reading *r, const struct json *j,
    struct compat_feature *f)
{
	const struct json *enabled = json_get(j, "enabled");
	const struct json *version = json_get(j, "version");

	if (!json_is_object(j))
		return wrong(r, COMPAT_FEATURES ".%s: an object is expected",
		    f->key);
	if (!json_truth(enabled, &f->enabled))
		return wrong(r,
		    COMPAT_FEATURES ".%s: enabled: true or false is expected",
		    f->key);
	if (!json_is_null(version) && !json_int(version, &f->version))
		return wrong(r,
		    COMPAT_FEATURES ".%s: version: a number is expected",
		    f->key);
	return read_policy(r, json_get(j, "updatePolicy"), f);
}

static int
read_feature(const struct reading *r, const struct compat_value *v)
{
	struct compat_feature *f = &r->m->features[r->m->n_features];
	char why[128];
	struct json *j = json_read(str_of(v->text), why, sizeof(why));
	int rc;

	if (j == NULL)
		return wrong(r, COMPAT_FEATURES ".%s: %s", v->key, why);
	f->key = v->key;
	rc = fill_feature(r, j, f);
	json_free(&j);
	if (rc == E_OK)
		r->m->n_features++;
	return rc;
}

static int
read_features(const struct reading *r)
{
	const struct compat_provider *p = compat_provider(r->m,
	    COMPAT_FEATURES);
	int rc = E_OK;

	if (p == NULL)
		return E_OK;
	r->m->features = calloc(p->n + 1, sizeof(*r->m->features));
	if (r->m->features == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < p->n && rc == E_OK; i++)
		rc = read_feature(r, &p->values[i]);
	return rc;
}

int
compat_read(struct str text, struct compat_metadata *out,
    char why[COMPAT_WHY_MAX])
{
	struct reading r = { out, why };
	int rc;

	*out = (struct compat_metadata){ .n = 0 };
	why[0] = '\0';
	out->tree = json_read(text, why, COMPAT_WHY_MAX);
	if (out->tree == NULL)
		return E_SYNTAX;
	if (json_is_object(out->tree))
		rc = read_providers(&r, out->tree);
	else
		rc = wrong(&r, "an object of providers is expected");
	if (rc == E_OK)
		rc = read_features(&r);
	if (rc != E_OK)
		compat_free(out);
	return rc;
}

void
compat_free(struct compat_metadata *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->providers[i].values);
	free(m->providers);
	free(m->features);
	json_free(&m->tree);
	*m = (struct compat_metadata){ .n = 0 };
}
