#include "config/schema.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/value.h"

static const struct {
	const char *name, *expected;
} kinds[KEY_KIND_COUNT] = {
#define X(id, type, name, expected) [K_##id] = { (name), (expected) },
	KEY_KINDS(X)
#undef X
};

const char *
key_kind_name(enum key_kind k)
{
	return kinds[k].name;
}

const char *
key_kind_expected(enum key_kind k)
{
	return kinds[k].expected;
}

const struct key *
key_find(const struct key *keys, const char *name)
{
	for (; keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

bool
schema_passes(const struct key *keys, const void *base)
{
	int mode = CFG_MODE_HTTP;

	for (; keys->name != NULL; keys++)
		if ((keys->flags & KEY_MODE) != 0)
			memcpy(&mode, key_at(keys, base), sizeof(mode));
	return mode == CFG_MODE_PASSTHROUGH;
}

static void
free_elements(const struct key *k, void *base)
{
	for (size_t i = 0; i < *key_count(k, base); i++) {
		void *element = key_element(k, base, i);

		if (k->kind == K_LIST)
			schema_free(k->sub, element);
		else if (k->kind == K_FIELDS)
			value_free_field(element);
		else
			value_free(k->sub, element);
	}
	free(key_array(k, base));
	key_set_array(k, base, NULL);
	*key_count(k, base) = 0;
}

void
schema_free(const struct key *keys, void *base)
{
	for (const struct key *k = keys; k->name != NULL; k++) {
		switch (k->kind) {
		case K_MAP:
			schema_free(k->sub, key_at(k, base));
			break;
		case K_LIST:
		case K_ITEMS:
		case K_FIELDS:
			free_elements(k, base);
			break;
		default:
			value_free(k, key_at(k, base));
			break;
		}
	}
}
