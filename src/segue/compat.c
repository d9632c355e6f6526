/*
 * Whether two versions of a server may run side by side, by what they say of
 * themselves; files only, the daemon is not asked.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "compat/compare.h"
#include "segue/compat_files.h"
#include "segue/handlers.h"
#include "segue/run.h"
#include "segue/table.h"

/* ---- a file ---- */

/* What is wrong is said; the exit code. */
static int
read_file(struct run *r, const char *path, struct compat_metadata *out)
{
	struct buf text = BUF_INIT;
	char why[COMPAT_WHY_MAX];
	int rc = file_read(path, COMPAT_BYTES_MAX, &text);
	int exit = SEGUE_EXIT_DONE;

	*out = (struct compat_metadata){ .n = 0 };
	if (rc != E_OK) {
		exit = run_fail(r, SEGUE_EXIT_FAILED, "file", "%s: %s", path,
		    rc == E_TOOBIG ? "more than 1 MiB" : err_text(rc));
		goto out;
	}
	rc = compat_read(buf_str(&text), out, why);
	if (rc == E_SYNTAX)
		exit = run_fail(r, SEGUE_EXIT_FAILED, "metadata", "%s: %s",
		    path, why);
	else if (rc != E_OK)
		exit = run_fail(r, SEGUE_EXIT_FAILED, "memory", "%s",
		    err_text(rc));
out:
	buf_free(&text);
	return exit;
}

/* Into a table; what is absent is told apart from what is empty. */
static void
add(struct table *t, enum style style, const char *text)
{
	table_add(t, style,
	    text == NULL          ? STR("(absent)")
	        : text[0] == '\0' ? STR("\"\"")
	                          : str_of(text));
}

static void
print_table(struct run *r, struct table **t)
{
	struct buf out = BUF_INIT;

	if (*t == NULL)
		out.failed = true;
	else
		table_write(*t, r->colour, 0, &out);
	run_print(r, buf_str(&out));
	buf_free(&out);
	table_free(t);
}

/* ---- show ---- */

static const struct table_column value_columns[] = {
	{ "PROVIDER", false, NULL },
	{ "ATTRIBUTE", false, NULL },
	{ "VALUE", false, NULL },
	{ NULL, false, NULL },
};

static const struct table_column feature_columns[] = {
	{ "FEATURE", false, NULL },
	{ "ENABLED", false, NULL },
	{ "VERSION", true, NULL },
	{ "POLICY", false, NULL },
	{ NULL, false, NULL },
};

static void
add_provider(struct table *t, const struct compat_provider *p)
{
	for (size_t i = 0; i < p->n; i++) {
		add(t, STYLE_PLAIN, i == 0 ? p->id : " ");
		add(t, STYLE_PLAIN, p->values[i].key);
		add(t, STYLE_PLAIN, p->values[i].text);
	}
}

static void
show_tables(struct run *r, const struct compat_metadata *m)
{
	struct table *values = table_new(value_columns);
	struct table *features = table_new(feature_columns);

	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->providers[i].id, COMPAT_FEATURES) != 0)
			add_provider(values, &m->providers[i]);
	for (size_t i = 0; i < m->n_features; i++) {
		const struct compat_feature *f = &m->features[i];
		char version[24];

		(void)snprintf(version, sizeof(version), "%lld",
		    (long long)f->version);
		add(features, STYLE_PLAIN, f->key);
		add(features, f->enabled ? STYLE_PLAIN : STYLE_DIM,
		    f->enabled ? "yes" : "no");
		add(features, STYLE_PLAIN, f->version == 0 ? "-" : version);
		add(features, STYLE_PLAIN, compat_policy_name(f->policy));
	}
	print_table(r, &values);
	if (m->n_features > 0)
		run_say(r, "%s", "");
	print_table(r, &features);
}

static void
write_feature(struct json_out *j, const struct compat_feature *f)
{
	json_key(j, f->key);
	json_begin_object(j);
	json_kv_bool(j, "enabled", f->enabled);
	json_key(j, "version");
	json_i64(j, f->version);
	json_kv_cstr(j, "policy", compat_policy_name(f->policy));
	json_end_object(j);
}

static void
write_provider(struct json_out *j, const struct compat_metadata *m,
    const struct compat_provider *p)
{
	json_key(j, p->id);
	json_begin_object(j);
	if (strcmp(p->id, COMPAT_FEATURES) == 0)
		for (size_t i = 0; i < m->n_features; i++)
			write_feature(j, &m->features[i]);
	else
		for (size_t i = 0; i < p->n; i++)
			json_kv_cstr(j, p->values[i].key, p->values[i].text);
	json_end_object(j);
}

static int
show(struct run *r, const char *path)
{
	struct compat_metadata m;
	struct buf out = BUF_INIT;
	struct json_out j;
	int exit = read_file(r, path, &m);

	if (exit != SEGUE_EXIT_DONE)
		return exit;
	if (!r->json) {
		show_tables(r, &m);
		compat_free(&m);
		return SEGUE_EXIT_DONE;
	}
	json_begin(&j, &out);
	json_begin_object(&j);
	for (size_t i = 0; i < m.n; i++)
		write_provider(&j, &m, &m.providers[i]);
	json_end_object(&j);
	run_print(r, buf_str(&out));
	buf_free(&out);
	compat_free(&m);
	return SEGUE_EXIT_DONE;
}

/* ---- check ---- */

static const struct table_column difference_columns[] = {
	{ "PROVIDER", false, NULL },
	{ "ATTRIBUTE", false, NULL },
	{ "OLD", false, NULL },
	{ "NEW", false, NULL },
	{ "RULE", false, NULL },
	{ "ALLOWS", false, NULL },
	{ NULL, false, NULL },
};

static const char *
what_it_allows(const struct compat_difference *d)
{
	return compat_verdict_name(d->rolls ? COMPAT_VERDICT_ROLLING
	                                    : COMPAT_VERDICT_RECREATE);
}

static void
say_differences(struct run *r, const struct compat_result *res)
{
	struct table *t = table_new(difference_columns);

	for (size_t i = 0; i < res->n; i++) {
		const struct compat_difference *d = &res->differences[i];

		add(t, STYLE_PLAIN, d->provider);
		add(t, STYLE_PLAIN, d->key == NULL ? "-" : d->key);
		add(t, STYLE_PLAIN, d->key == NULL ? "(present)" : d->was);
		add(t, STYLE_PLAIN, d->is);
		add(t, STYLE_PLAIN, compat_rule_name(d->rule));
		add(t, d->rolls ? STYLE_GOOD : STYLE_BAD, what_it_allows(d));
	}
	if (!r->quiet)
		print_table(r, &t);
	table_free(&t);
}

static const char *const meanings[] = {
	[COMPAT_VERDICT_ROLLING] = "they may run side by side",
	[COMPAT_VERDICT_RECREATE] = "every old one must be gone before the "
	                            "first new one starts",
	[COMPAT_VERDICT_DISABLED] = "the new version has rolling updates "
	                            "switched off: every old one must be gone "
	                            "before the first new one starts",
};

static void
write_difference(struct json_out *j, const struct compat_difference *d)
{
	json_begin_object(j);
	json_kv_cstr(j, "provider", d->provider);
	json_kv_cstr(j, "attribute", d->key);
	json_kv_cstr(j, "old", d->was);
	json_kv_cstr(j, "new", d->is);
	json_kv_cstr(j, "rule", compat_rule_name(d->rule));
	json_kv_cstr(j, "allows", what_it_allows(d));
	json_end_object(j);
}

static void
print_json(struct run *r, const struct compat_result *res)
{
	struct buf out = BUF_INIT;
	struct json_out j;

	json_begin(&j, &out);
	json_begin_object(&j);
	json_kv_cstr(&j, "verdict", compat_verdict_name(res->verdict));
	json_kv_u64(&j, "exit", (uint64_t)compat_verdict_exit(res->verdict));
	json_kv_bool(&j, "patches_roll", res->patches_roll);
	json_key(&j, "differences");
	json_begin_array(&j);
	for (size_t i = 0; i < res->n; i++)
		write_difference(&j, &res->differences[i]);
	json_end_array(&j);
	json_end_object(&j);
	run_print(r, buf_str(&out));
	buf_free(&out);
}

static enum compat_patch
patch_option(const struct run *r)
{
#define X(id, name) [COMPAT_PATCH_##id] = (name),
	static const char *const names[] = { COMPAT_PATCHES(X) };
#undef X
	const char *word = r->args.option[OPT_PATCH_ROLLING];

	for (size_t i = 0; word != NULL && i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], word) == 0)
			return (enum compat_patch)i;
	return COMPAT_PATCH_AUTO;
}

static int
compare(struct run *r, const struct compat_metadata *was,
    const struct compat_metadata *is)
{
	struct compat_result res;
	int exit;

	if (compat_compare(was, is, patch_option(r), &res) != E_OK)
		return run_fail(r, SEGUE_EXIT_FAILED, "memory", "%s",
		    err_text(E_NOMEM));
	exit = compat_verdict_exit(res.verdict);
	if (r->json)
		print_json(r, &res);
	else
		say_differences(r, &res);
	run_say(r, "%s%s: %s", res.n > 0 ? "\n" : "",
	    compat_verdict_name(res.verdict), meanings[res.verdict]);
	compat_result_free(&res);
	return exit;
}

/* An empty file must not say that all is well. */
static int
compare_if_whole(struct run *r, const struct compat_metadata *was,
    const struct compat_metadata *is)
{
	if (compat_value(compat_provider(is, COMPAT_KEYCLOAK), "version") !=
	    NULL)
		return compare(r, was, is);
	return run_fail(r, SEGUE_EXIT_FAILED, "metadata",
	    "%s: it has no keycloak.version; is it what \"kc.sh "
	    "update-compatibility metadata\" wrote?",
	    r->args.option[OPT_NEW]);
}

static int
check(struct run *r)
{
	struct compat_metadata was, is;
	int exit = read_file(r, r->args.option[OPT_OLD], &was);

	if (exit != SEGUE_EXIT_DONE)
		return exit;
	exit = read_file(r, r->args.option[OPT_NEW], &is);
	if (exit == SEGUE_EXIT_DONE)
		exit = compare_if_whole(r, &was, &is);
	compat_free(&was);
	compat_free(&is);
	return exit;
}

/* ---- either ---- */

int
compat_run(struct run *r)
{
	const struct args *a = &r->args;
	bool two = args_has(a, OPT_OLD) && args_has(a, OPT_NEW);
	bool any = args_has(a, OPT_OLD) || args_has(a, OPT_NEW) ||
	    args_has(a, OPT_PATCH_ROLLING);
	bool seen = args_has(a, OPT_SEEN) || args_has(a, OPT_RECORD);

	if (strcmp(a->operand[0], "files") == 0) {
		if (a->n_operands == 2 && !any && args_has(a, OPT_SEEN))
			return compat_files(r, a->operand[1]);
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    "compat files needs FILE,... and --seen FILE");
	}
	if (strcmp(a->operand[0], "show") == 0) {
		if (a->n_operands == 2 && !any && !seen)
			return show(r, a->operand[1]);
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    "compat show needs one FILE and nothing else");
	}
	if (two && a->n_operands == 1 && !seen)
		return check(r);
	return run_fail(r, SEGUE_EXIT_USAGE, "usage",
	    "compat check needs --old FILE and --new FILE");
}
