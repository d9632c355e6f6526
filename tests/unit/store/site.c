#include "site.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/loop.h"
#include "store/shelf.h"
#include "tests/unit/net/rig.h"

#define TIMEOUT_US (4 * US_PER_S)

static char prefix[] = "segue:";

void
site_begin(struct site *s, enum cfg_store_type type, const char *address)
{
	memset(s, 0, sizeof(*s));
	(void)signal(SIGPIPE, SIG_IGN); /* as the daemon has it */
	s->loop = rig_loop();
	s->cfg = (struct cfg_store){ .type = type,
		.prefix = prefix,
		.timeout_us = TIMEOUT_US };
	if (address != NULL)
		(void)snprintf(s->address, sizeof(s->address), "%s", address);
	s->cfg.address = (struct cfg_addr){ .host = s->address,
		.is_unix = true };
	if (type != CFG_STORE_MEMORY)
		return;
	s->shelf = shelf_new(SITE_SHELF_BYTES);
	cr_assert_not_null(s->shelf);
}

void
site_open(struct site *s)
{
	struct store_env env = { .loop = s->loop,
		.cfg = &s->cfg,
		.password = s->password,
		.shelf = s->shelf,
		.stats = &s->stats,
		.name = "test" };

	cr_assert_eq(store_open(&env, &s->store), E_OK);
}

void
site_open_beside(struct site *s, const struct site *other)
{
	memset(s, 0, sizeof(*s));
	s->loop = other->loop;
	s->cfg = other->cfg;
	s->shelf = other->shelf;
	site_open(s);
}

void
site_end_beside(struct site *s)
{
	store_close(&s->store);
	cr_expect_null(s->store);
}

void
site_end(struct site *s)
{
	site_end_beside(s);
	shelf_free(&s->shelf);
	loop_free(&s->loop);
}

/* ---- telling ---- */

void
site_put(struct site *s, const char *key, const char *value, uint64_t ttl_ms,
    enum store_how how)
{
	store_put(s->store, str_of(key), str_of(value), ttl_ms, how);
}

void
site_drop(struct site *s, const char *key)
{
	store_drop(s->store, str_of(key));
}

/* ---- asking ---- */

static void
on_answer(enum store_answer answer, struct str value, void *arg)
{
	struct asked *a = arg;

	a->came++;
	a->answer = answer;
	a->len = str_copy(value, a->value, sizeof(a->value));
	cr_expect_eq(a->len, value.len);
	cr_expect((value.p == NULL) == (answer != STORE_FOUND));
	cr_expect_null(a->ask.request);
}

static void
ask(struct site *s, const struct str *keys, size_t n, struct asked *a)
{
	*a = (struct asked){ .ask = { .fn = on_answer, .arg = a } };
	store_first(s->store, keys, n, &a->ask);
}

void
site_ask_str(struct site *s, struct str key, struct asked *a)
{
	ask(s, &key, 1, a);
}

void
site_ask(struct site *s, const char *keys, struct asked *a)
{
	struct str rest = str_of(keys), list[STORE_FIRST_MAX];
	size_t n = 0;

	while (rest.p != NULL && n < STORE_FIRST_MAX)
		list[n++] = str_split(&rest, ' ');
	ask(s, list, n, a);
}

static bool
has_come(void *arg)
{
	return ((const struct asked *)arg)->came > 0;
}

void
site_await(struct site *s, const struct asked *a)
{
	rig_run_until(s->loop, has_come, (void *)(uintptr_t)a);
	cr_expect_eq(a->came, 1u);
}

const char *
site_answer(struct site *s, const char *keys)
{
	static char text[STORE_VALUE_MAX + 16];
	static struct asked a;

	site_ask(s, keys, &a);
	site_await(s, &a);
	(void)snprintf(text, sizeof(text), "%s%s%s",
	    store_answer_name(a.answer), a.answer == STORE_FOUND ? " " : "",
	    a.value);
	return text;
}

/* ---- waiting ---- */

struct wait {
	const struct store_stats *stats;
	enum store_state state;
	enum store_why why;
	const stat_u64 *n;
	uint64_t at_least;
};

static bool
is_in_state(void *arg)
{
	const struct wait *w = arg;

	return w->stats->state == w->state && w->stats->why == w->why;
}

static bool
is_counted(void *arg)
{
	const struct wait *w = arg;

	return stat_get(w->n) >= w->at_least;
}

static bool
is_all_sent(void *arg)
{
	return stat_get(&((const struct wait *)arg)->stats->queued) == 0;
}

void
site_until_state(struct site *s, enum store_state state, enum store_why why)
{
	struct wait w = { .stats = &s->stats, .state = state, .why = why };

	rig_run_until(s->loop, is_in_state, &w);
}

void
site_until_up(struct site *s)
{
	site_until_state(s, STORE_UP, STORE_WHY_NOTHING);
}

void
site_until(struct site *s, const stat_u64 *n, uint64_t at_least)
{
	struct wait w = { .n = n, .at_least = at_least };

	rig_run_until(s->loop, is_counted, &w);
}

void
site_until_sent(struct site *s)
{
	struct wait w = { .stats = &s->stats };

	rig_run_until(s->loop, is_all_sent, &w);
}

void
site_run_ms(struct site *s, uint64_t ms)
{
	rig_run_for(s->loop, ms * US_PER_MS);
}
