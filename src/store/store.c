#include "store/store.h"

#include <assert.h>

#include "base/clock.h"
#include "config/config.h"
#include "store/store_int.h"

#define X(id, name) [STORE_##id] = (name),
static const char *const answer_names[] = { STORE_ANSWERS(X) };
static const char *const state_names[] = { STORE_STATES(X) };
#undef X
#define X(id, name, text) [STORE_WHY_##id] = { (name), (text) },
static const struct {
	const char *name, *text;
} whys[] = { STORE_WHYS(X) };
#undef X

const char *
store_answer_name(enum store_answer a)
{
	return answer_names[a];
}

const char *
store_state_name(enum store_state s)
{
	return state_names[s];
}

const char *
store_why_name(enum store_why w)
{
	return whys[w].name;
}

const char *
store_why_text(enum store_why w)
{
	return whys[w].text;
}

int
store_open(const struct store_env *env, struct store **out)
{
	*out = NULL;
	switch (env->cfg->type) {
	case CFG_STORE_MEMORY:
		return store_memory_open(env, out);
	case CFG_STORE_REDIS:
		return store_redis_open(env, out);
	case CFG_STORE_NONE:
		break;
	}
	return store_null_open(env, out);
}

void
store_close(struct store **sp)
{
	if (*sp != NULL)
		(*sp)->ops->close(*sp);
	*sp = NULL;
}

void
store_first(struct store *s, const struct str *keys, size_t n,
    struct store_ask *ask)
{
	assert(n > 0 && n <= STORE_FIRST_MAX && ask->request == NULL);
	s->ops->first(s, keys, n, ask);
}

void
store_forget(struct store *s, struct store_ask *ask)
{
	if (ask->request != NULL)
		s->ops->forget(s, ask);
}

void
store_put(struct store *s, struct str key, struct str value, uint64_t ttl_ms,
    enum store_how how)
{
	assert(key.len > 0 && key.len <= STORE_KEY_MAX && value.len > 0 &&
	    value.len <= STORE_VALUE_MAX);
	s->ops->put(s, key, value, ttl_ms, how);
}

void
store_drop(struct store *s, struct str key)
{
	s->ops->drop(s, key);
}

void
store_flush(struct store *s)
{
	s->ops->flush(s);
}

/* ---- for the bodies ---- */

void
store_is(struct store *s, enum store_state state, enum store_why why)
{
	struct store_stats *st = s->stats;

	if (atomic_load(&st->state) != state || stat_get(&st->since_us) == 0)
		atomic_store(&st->since_us, clock_wall_us());
	atomic_store(&st->why, (uint8_t)why);
	atomic_store(&st->state, (uint8_t)state);
}

void
store_tell(struct store *s, struct store_ask *ask, enum store_answer answer,
    struct str value)
{
	stat_add(&s->stats->asked[answer], 1);
	ask->fn(answer, value, ask->arg);
}
