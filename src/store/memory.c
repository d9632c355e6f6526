/*
 * The body of a store of type memory: a shelf, and no waiting.
 */
#include <stdlib.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/shelf.h"
#include "store/store_int.h"

struct memory {
	struct store store;
	struct shelf *shelf; /* borrowed */
};

static struct shelf *
shelf_of(struct store *s)
{
	return CONTAINER_OF(s, struct memory, store)->shelf;
}

static void
first(struct store *s, const struct str *keys, size_t n, struct store_ask *ask)
{
	char value[STORE_VALUE_MAX];
	ptrdiff_t len = -1;

	for (size_t i = 0; i < n && len == -1; i++)
		len = shelf_get(shelf_of(s), keys[i], value, sizeof(value));
	if (len == -1)
		store_tell(s, ask, STORE_NONE, (struct str){ NULL, 0 });
	else
		store_tell(s, ask, STORE_FOUND, str_from(value, (size_t)len));
}

static void
forget(struct store *s UNUSED, struct store_ask *ask UNUSED)
{
}

static void
put(struct store *s, struct str key, struct str value, uint64_t ttl_ms,
    enum store_how how)
{
	if (shelf_put(shelf_of(s), key, value, ttl_ms, how == STORE_KEEP))
		stat_add(&s->stats->put, 1);
	else
		stat_add(&s->stats->failed[STORE_WHY_FULL], 1);
}

static void
drop(struct store *s, struct str key)
{
	shelf_drop(shelf_of(s), key);
}

static void
flush(struct store *s UNUSED)
{
}

static void
close_it(struct store *s)
{
	free(CONTAINER_OF(s, struct memory, store));
}

static const struct store_ops ops = { first, forget, put, drop, flush,
	close_it };

int
store_memory_open(const struct store_env *env, struct store **out)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return E_NOMEM;
	m->shelf = env->shelf;
	m->store.ops = &ops;
	m->store.stats = env->stats;
	store_is(&m->store, STORE_UP, STORE_WHY_NOTHING);
	*out = &m->store;
	return E_OK;
}
