/*
 * The effective configuration as YAML, and the table of keys.
 */
#include <string.h>

#include "config/config.h"
#include "config/schema.h"
#include "config/show.h"
#include "config/value.h"

/* ---- YAML in block style, values in one line ---- */

static void
indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_add_cstr(out, "  ");
}

/* Where it stands. */
struct place {
	unsigned depth;
	bool in_list;
	bool passes; /* rows KEY_HTTP mean nothing */
	bool hide;   /* what rows KEY_SECRET hold */
};

static void dump_map(const struct key *, const void *, struct buf *,
    struct place);

static void
dump_list(const struct key *k, const void *base, struct buf *out,
    struct place at)
{
	struct place inside = { at.depth + 1, true, at.passes, at.hide };

	for (size_t i = 0; i < *key_count(k, base); i++) {
		indent(out, at.depth);
		buf_add_cstr(out, "- ");
		dump_map(k->sub, key_element(k, base, i), out, inside);
	}
}

static void
dump_key(const struct key *k, const void *base, struct buf *out,
    struct place at)
{
	struct place inside = { at.depth + 1, false, at.passes, at.hide };

	if (k->kind == K_LIST) {
		buf_add_char(out, '\n');
		dump_list(k, base, out, inside);
	} else if (k->kind == K_MAP && !key_is_off(k, base)) {
		buf_add_char(out, '\n');
		dump_map(k->sub, key_at(k, base), out, inside);
	} else {
		buf_add_char(out, ' ');
		show_key(k, base, at.hide, out);
		buf_add_char(out, '\n');
	}
}

static bool
is_absent(const struct key *k, const void *base, struct buf *scratch)
{
	if (k->kind == K_LIST)
		return *key_count(k, base) == 0;
	buf_reset(scratch);
	show_key(k, base, false, scratch);
	return scratch->len == 0;
}

static void
dump_map(const struct key *keys, const void *base, struct buf *out,
    struct place at)
{
	struct buf scratch = BUF_INIT;
	bool first = at.in_list; /* it stands behind the "- " */

	at.passes |= schema_passes(keys, base);
	for (const struct key *k = keys; k->name != NULL; k++) {
		if ((k->flags & KEY_SHORT) != 0 ||
		    is_absent(k, base, &scratch) ||
		    (at.passes && (k->flags & KEY_HTTP) != 0))
			continue;
		if (!first)
			indent(out, at.depth);
		first = false;
		buf_printf(out, "%s:", k->name);
		dump_key(k, base, out, at);
	}
	out->failed |= scratch.failed;
	buf_free(&scratch);
}

void
cfg_dump(const struct cfg *c, struct buf *out)
{
	dump_map(cfg_schema, c, out, (struct place){ 0 });
}

void
cfg_dump_hiding(const struct cfg *c, struct buf *out)
{
	dump_map(cfg_schema, c, out, (struct place){ .hide = true });
}

void
cfg_dump_service(const struct cfg_service *s, struct buf *out)
{
	for (const struct key *k = cfg_schema; k->name != NULL; k++)
		if (strcmp(k->name, "services") == 0)
			dump_map(k->sub, s, out, (struct place){ 0 });
}

/* ---- the table of keys ---- */

static void
add_default(const struct key *k, struct buf *out)
{
	if (k->fallback != NULL)
		buf_add_cstr(out, k->fallback);
	else if ((k->flags & KEY_REQUIRED) != 0)
		buf_add_cstr(out, "required");
	else if ((k->flags & KEY_OF_OWNER) != 0)
		buf_add_cstr(out, "the address");
	else if ((k->flags & KEY_OFF) != 0)
		buf_add_cstr(out, (k->flags & KEY_GIVEN) != 0 ? "off" : "on");
	else if (k->kind != K_MAP)
		buf_add_cstr(out, "none");
}

static void
add_range(const struct key *k, struct buf *out)
{
	unsigned long long max = k->max;

	if (k->kind == K_ENUM) {
		for (size_t i = 0; k->names[i] != NULL; i++)
			buf_printf(out, "%s%s", i == 0 ? "" : "|", k->names[i]);
	} else if (value_is_number(k) && max > 0) {
		value_show_number(k, k->min, out);
		buf_add_cstr(out, "..");
		value_show_number(k, k->max, out);
	} else if (k->kind == K_ITEMS || k->kind == K_LIST ||
	    k->kind == K_FIELDS) {
		buf_printf(out, "%llu..%llu elements",
		    (unsigned long long)k->min, max);
	} else if (max > 0) {
		buf_printf(out, "at most %llu bytes", max);
	}
}

static void
list_keys(const struct key *keys, const char *prefix, struct buf *out)
{
	for (const struct key *k = keys; k->name != NULL; k++) {
		struct buf path = BUF_INIT;
		const char *text;

		buf_printf(&path, "%s%s%s", prefix,
		    prefix[0] == '\0' ? "" : ".", k->name);
		text = path.p == NULL ? "" : path.p;
		buf_printf(out, "%s\t", text);
		if (k->kind == K_ITEMS)
			buf_printf(out, "%s list", key_kind_name(k->sub->kind));
		else
			buf_add_cstr(out, key_kind_name(k->kind));
		buf_add_char(out, '\t');
		add_default(k, out);
		buf_add_char(out, '\t');
		add_range(k, out);
		buf_printf(out, "\t%s\t%s\n",
		    (k->flags & KEY_RESTART) != 0 ? "restart" : "live",
		    k->help);
		if (k->kind == K_LIST)
			buf_add_cstr(&path, "[]");
		out->failed |= path.failed;
		if (!path.failed && (k->kind == K_MAP || k->kind == K_LIST))
			list_keys(k->sub, text, out);
		buf_free(&path);
	}
}

void
cfg_keys(struct buf *out)
{
	list_keys(cfg_schema, "", out);
}
