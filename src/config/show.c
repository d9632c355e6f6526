#include "config/show.h"

#include "config/value.h"
#include "config/yaml.h"

#define HIDDEN "(hidden)"

/* Of NAME=value. */
static void
show_variable(struct str s, struct buf *out)
{
	struct buf text = BUF_INIT;

	buf_add_str(&text, str_split(&s, '='));
	buf_add_cstr(&text, "=" HIDDEN);
	yaml_add_text(out, buf_str(&text));
	out->failed |= text.failed;
	buf_free(&text);
}

static void
show_items(const struct key *k, const void *base, bool hide, struct buf *out)
{
	for (size_t i = 0; i < *key_count(k, base); i++) {
		const void *element = key_element(k, base, i);

		buf_add_cstr(out, i == 0 ? "[ " : ", ");
		if (hide)
			show_variable(str_of(*(char *const *)element), out);
		else
			value_show(k->sub, element, out);
	}
	if (*key_count(k, base) > 0)
		buf_add_cstr(out, " ]");
}

static void
show_fields(const struct key *k, const void *base, bool hide, struct buf *out)
{
	for (size_t i = 0; i < *key_count(k, base); i++) {
		const struct cfg_field *f = key_element(k, base, i);

		buf_add_cstr(out, i == 0 ? "{ " : ", ");
		yaml_add_text(out, str_of(f->name));
		buf_add_cstr(out, ": ");
		yaml_add_text(out, str_of(hide ? HIDDEN : f->value));
	}
	if (*key_count(k, base) > 0)
		buf_add_cstr(out, " }");
}

static void
cut(struct buf *out, size_t len)
{
	out->len = len;
	out->p[len] = '\0';
}

static void
show_map(const struct key *keys, const void *base, bool hide, struct buf *out)
{
	bool any = false;

	for (const struct key *k = keys; k->name != NULL; k++) {
		size_t before = out->len, named;

		buf_printf(out, "%s%s: ", any ? ", " : "{ ", k->name);
		named = out->len;
		show_key(k, base, hide, out);
		if (out->failed)
			return;
		if (out->len == named)
			cut(out, before);
		else
			any = true;
	}
	if (any)
		buf_add_cstr(out, " }");
}

static void
show_list(const struct key *k, const void *base, bool hide, struct buf *out)
{
	for (size_t i = 0; i < *key_count(k, base); i++) {
		buf_add_cstr(out, i == 0 ? "[ " : ", ");
		show_map(k->sub, key_element(k, base, i), hide, out);
	}
	if (*key_count(k, base) > 0)
		buf_add_cstr(out, " ]");
}

static void
show_value(const struct key *k, const void *base, bool hide, struct buf *out)
{
	if (!hide)
		value_show(k, key_at(k, base), out);
	else if (*(char *const *)key_at(k, base) != NULL)
		yaml_add_text(out, STR(HIDDEN));
}

void
show_key(const struct key *k, const void *base, bool hide, struct buf *out)
{
	bool hidden = hide && (k->flags & KEY_SECRET) != 0;

	switch (k->kind) {
	case K_ITEMS:
		show_items(k, base, hidden, out);
		break;
	case K_FIELDS:
		show_fields(k, base, hidden, out);
		break;
	case K_MAP:
		if (key_is_off(k, base))
			buf_add_cstr(out, "off");
		else
			show_map(k->sub, key_at(k, base), hide, out);
		break;
	case K_LIST:
		show_list(k, base, hide, out);
		break;
	default:
		show_value(k, base, hidden, out);
		break;
	}
}
