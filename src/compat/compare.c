#include "compat/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "compat/version.h"

#define ROLLING_UPDATES "rolling-updates"

#define X(id, name) [COMPAT_RULE_##id] = (name),
static const char *const rule_names[] = { COMPAT_RULES(X) };
#undef X

static const struct {
	int exit;
	const char *name;
} verdicts[] = {
#define X(id, exit_, name_)                                                    \
	[COMPAT_VERDICT_##id] = { .exit = (exit_), .name = (name_) },
	COMPAT_VERDICTS(X)
#undef X
};

const char *
compat_rule_name(enum compat_rule r)
{
	return rule_names[r];
}

const char *
compat_verdict_name(enum compat_verdict v)
{
	return verdicts[v].name;
}

int
compat_verdict_exit(enum compat_verdict v)
{
	return verdicts[v].exit;
}

struct walk {
	const struct compat_metadata *was, *is;
	struct compat_result *out;
};

/* ---- two sorted lists as one ---- */

/* Which key comes first: < 0 the left one, 0 they are the same. */
static int
order(const char *left, const char *right)
{
	return left == NULL ? 1 : right == NULL ? -1 : strcmp(left, right);
}

/* For one key of either; was or is NULL: absent there. */
typedef void pair_fn(struct walk *, const struct compat_provider *,
    const char *key, const char *was, const char *is);

static void
each_value(struct walk *w, const struct compat_provider *was,
    const struct compat_provider *is, pair_fn *fn)
{
	size_t i = 0, j = 0, n = was == NULL ? 0 : was->n;

	while (i < n || j < is->n) {
		int o = order(i < n ? was->values[i].key : NULL,
		    j < is->n ? is->values[j].key : NULL);

		if (o < 0)
			fn(w, is, was->values[i].key, was->values[i].text,
			    NULL);
		else if (o > 0)
			fn(w, is, is->values[j].key, NULL, is->values[j].text);
		else
			fn(w, is, is->values[j].key, was->values[i].text,
			    is->values[j].text);
		i += o <= 0;
		j += o >= 0;
	}
}

/* ---- one value ---- */

static void
tell(struct walk *w, const struct compat_provider *p, const char *key,
    const char *was, const char *is, enum compat_rule rule, bool rolls)
{
	w->out->differences[w->out->n++] = (struct compat_difference){
		.provider = p->id,
		.key = key,
		.was = was,
		.is = is,
		.rule = rule,
		.rolls = rolls,
	};
	if (!rolls)
		w->out->verdict = COMPAT_VERDICT_RECREATE;
}

static bool
are_same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void
judge_value(struct walk *w, const struct compat_provider *p, const char *key,
    const char *was, const char *is)
{
	if (!are_same(was, is))
		tell(w, p, key, was, is, COMPAT_RULE_VALUE, false);
}

/* A patch may follow a lower one, not the other way round. */
static void
judge_server(struct walk *w, const struct compat_provider *p, const char *key,
    const char *was, const char *is)
{
	struct compat_version old, new;
	bool both;

	if (are_same(was, is))
		return;
	if (strcmp(key, "version") != 0) {
		judge_value(w, p, key, was, is);
		return;
	}
	both = compat_read_version(was, &old) && compat_read_version(is, &new);
	tell(w, p, key, was, is, COMPAT_RULE_VERSION,
	    both && w->out->patches_roll && compat_same_minor(&old, &new) &&
	        new.patch >= old.patch);
}

/* The old file may hold whole versions where the new one holds "15.0". */
static void
judge_cache(struct walk *w, const struct compat_provider *p, const char *key,
    const char *was, const char *is)
{
	struct compat_version old, new;
	bool both;

	if (are_same(was, is))
		return;
	if (!w->out->patches_roll ||
	    (strcmp(key, "version") != 0 &&
	        strcmp(key, "jgroupsVersion") != 0)) {
		judge_value(w, p, key, was, is);
		return;
	}
	both = compat_read_version(was, &old) && compat_read_version(is, &new);
	tell(w, p, key, was, is, COMPAT_RULE_CACHE,
	    both && compat_same_minor(&old, &new));
}

/* ---- features ---- */

static bool
feature_rolls(const struct compat_feature *was, const struct compat_feature *is)
{
	if (is == NULL)
		return !was->enabled || was->policy != COMPAT_SHUTDOWN;
	if (was == NULL)
		return !is->enabled || is->policy != COMPAT_SHUTDOWN;
	if (was->version != is->version &&
	    is->policy == COMPAT_ROLLING_NO_UPGRADE)
		return false;
	return was->enabled == is->enabled || is->policy != COMPAT_SHUTDOWN;
}

/* However it is written. */
static bool
says_the_same(const struct compat_feature *a, const struct compat_feature *b)
{
	return a != NULL && b != NULL && a->enabled == b->enabled &&
	    a->version == b->version && a->policy == b->policy;
}

static void
judge_feature(struct walk *w, const struct compat_provider *p, const char *key,
    const char *was, const char *is)
{
	const struct compat_feature *old = compat_feature(w->was, key);
	const struct compat_feature *new = compat_feature(w->is, key);

	if (!says_the_same(old, new))
		tell(w, p, key, was, is, COMPAT_RULE_FEATURE,
		    feature_rolls(old, new));
}

/* ---- providers ---- */

static const struct {
	const char *id;
	pair_fn *judge;
} judges[] = {
	{ COMPAT_KEYCLOAK, judge_server },
	{ COMPAT_CACHE, judge_cache },
	{ COMPAT_FEATURES, judge_feature },
};

static pair_fn *
judge_of(const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(judges); i++)
		if (strcmp(judges[i].id, id) == 0)
			return judges[i].judge;
	return judge_value;
}

static void
judge_all(struct walk *w)
{
	const struct compat_provider *was = w->was->providers;
	const struct compat_provider *is = w->is->providers;
	size_t i = 0, j = 0;

	while (i < w->was->n || j < w->is->n) {
		int o = order(i < w->was->n ? was[i].id : NULL,
		    j < w->is->n ? is[j].id : NULL);

		if (o < 0)
			tell(w, &was[i], NULL, NULL, NULL, COMPAT_RULE_PROVIDER,
			    false);
		else
			each_value(w, o == 0 ? &was[i] : NULL, &is[j],
			    judge_of(is[j].id));
		i += o <= 0;
		j += o >= 0;
	}
}

/* ---- the question ---- */

static bool
patches_roll(const struct compat_metadata *is, enum compat_patch how)
{
	const struct compat_feature *f = compat_feature(is, ROLLING_UPDATES);
	struct compat_version v;

	if (how != COMPAT_PATCH_AUTO)
		return how == COMPAT_PATCH_ON;
	if (f != NULL && f->enabled && f->version >= 2)
		return true;
	return compat_read_version(
	           compat_value(compat_provider(is, COMPAT_KEYCLOAK),
	               "version"),
	           &v) &&
	    (v.major > 26 || (v.major == 26 && v.minor >= 6));
}

/* Differences there may be. */
static size_t
most_differences(const struct compat_metadata *m)
{
	size_t n = m->n;

	for (size_t i = 0; i < m->n; i++)
		n += m->providers[i].n;
	return n;
}

int
compat_compare(const struct compat_metadata *was,
    const struct compat_metadata *is, enum compat_patch how,
    struct compat_result *out)
{
	const struct compat_feature *f = compat_feature(is, ROLLING_UPDATES);
	struct walk w = { was, is, out };

	*out = (struct compat_result){ .verdict = COMPAT_VERDICT_ROLLING,
		.patches_roll = patches_roll(is, how) };
	out->differences = calloc(most_differences(was) + most_differences(is) +
	        1,
	    sizeof(*out->differences));
	if (out->differences == NULL)
		return E_NOMEM;
	judge_all(&w);
	if (f != NULL && !f->enabled)
		out->verdict = COMPAT_VERDICT_DISABLED;
	return E_OK;
}

void
compat_result_free(struct compat_result *r)
{
	free(r->differences);
	*r = (struct compat_result){ .n = 0 };
}
