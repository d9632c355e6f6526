/*
 * The body of a store of type none: it knows nothing, and that is no fault.
 */
#include <stdlib.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/store_int.h"

static void
first(struct store *s, const struct str *keys UNUSED, size_t n UNUSED,
    struct store_ask *ask)
{
	store_tell(s, ask, STORE_NONE, (struct str){ NULL, 0 });
}

static void
forget(struct store *s UNUSED, struct store_ask *ask UNUSED)
{
}

static void
put(struct store *s UNUSED, struct str key UNUSED, struct str value UNUSED,
    uint64_t ttl_ms UNUSED, enum store_how how UNUSED)
{
}

static void
drop(struct store *s UNUSED, struct str key UNUSED)
{
}

static void
flush(struct store *s UNUSED)
{
}

static void
close_it(struct store *s)
{
	free(s);
}

static const struct store_ops ops = { first, forget, put, drop, flush,
	close_it };

int
store_null_open(const struct store_env *env, struct store **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return E_NOMEM;
	(*out)->ops = &ops;
	(*out)->stats = env->stats;
	store_is(*out, STORE_UP, STORE_WHY_NOTHING);
	return E_OK;
}
