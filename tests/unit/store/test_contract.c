/* What a store promises, whichever body it has: memory, a real Redis, none. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "server.h"
#include "site.h"
#include "store/store.h"

#define SHORT_MS 50

/* clang-format off */
static const struct body {
	const char *name;
	enum cfg_store_type type;
	bool keeps;   /* what is put is found */
	bool at_once; /* who asks is told before store_first() returns */
	uint64_t connects;
} bodies[] = {
	{ "memory", CFG_STORE_MEMORY, true,  true,  0 },
	{ "redis",  CFG_STORE_REDIS,  true,  false, 1 },
	{ "none",   CFG_STORE_NONE,   false, true,  0 },
};
/* clang-format on */

static const struct body *body;

static void
with_each(void (*test)(struct site *))
{
	static struct site s;

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		bool is_redis = bodies[i].type == CFG_STORE_REDIS;

		body = &bodies[i];
		site_begin(&s, body->type, is_redis ? server_begin() : NULL);
		site_open(&s);
		site_until_up(&s);
		test(&s);
		site_end(&s);
		server_end();
	}
}

/* A test that runs against each body. */
#define CONTRACT(id)                                                           \
	static void id(struct site *);                                         \
	Test(store_contract, id, .timeout = 120)                               \
	{                                                                      \
		with_each(id);                                                 \
	}                                                                      \
	static void id(struct site *s)

/* As site_answer() has it; of a body that keeps nothing, "none". */
static void
expect(struct site *s, const char *keys, const char *answer)
{
	const char *got = site_answer(s, keys);

	cr_expect_str_eq(got, body->keeps ? answer : "none", "%s: %s: %s",
	    body->name, keys, got);
}

static void
expect_bytes(struct site *s, struct str key, struct str value)
{
	static struct asked a;

	site_ask_str(s, key, &a);
	site_await(s, &a);
	if (!body->keeps) {
		cr_expect_eq(a.answer, STORE_NONE);
		return;
	}
	cr_expect_eq(a.answer, STORE_FOUND, "%s", body->name);
	cr_expect(str_eq(str_from(a.value, a.len), value), "%s: %zu bytes",
	    body->name, a.len);
}

/* ---- found or not ---- */

CONTRACT(what_is_put_is_found)
{
	expect(s, "a", "none");
	site_put(s, "a", "one", HOUR_MS, STORE_SET);
	site_put(s, "b", "two", HOUR_MS, STORE_KEEP);
	expect(s, "a", "found one");
	expect(s, "b", "found two");
	expect(s, "A", "none");
	expect(s, "ab", "none");
}

static const struct {
	const char *why, *keys, *answer;
} firsts[] = {
	{ "one, which is there", "y", "found Y" },
	{ "one, which is not", "n", "none" },
	{ "the first of two", "y z", "found Y" },
	{ "their order is that of who asks", "z y", "found Z" },
	{ "the second", "n y", "found Y" },
	{ "the last of as many as there may be", "n1 n2 n3 y", "found Y" },
	{ "the middle", "n1 z y n2", "found Z" },
	{ "none of them", "n1 n2 n3 n4", "none" },
	{ "the same one", "y y y y", "found Y" },
};

CONTRACT(the_first_of_several_keys)
{
	site_put(s, "y", "Y", HOUR_MS, STORE_SET);
	site_put(s, "z", "Z", HOUR_MS, STORE_SET);
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++)
		expect(s, firsts[i].keys, firsts[i].answer);
}

CONTRACT(set_overwrites_and_keep_does_not)
{
	site_put(s, "set", "1", HOUR_MS, STORE_KEEP);
	site_put(s, "set", "2", HOUR_MS, STORE_SET);
	expect(s, "set", "found 2");
	site_put(s, "kept", "1", HOUR_MS, STORE_SET);
	site_put(s, "kept", "2", HOUR_MS, STORE_KEEP);
	expect(s, "kept", "found 1");
}

CONTRACT(what_is_dropped_is_not_there)
{
	site_put(s, "a", "one", HOUR_MS, STORE_SET);
	site_put(s, "b", "two", HOUR_MS, STORE_SET);
	site_drop(s, "a");
	site_drop(s, "unknown");
	expect(s, "a", "none");
	expect(s, "b", "found two");
	site_put(s, "a", "three", HOUR_MS, STORE_KEEP);
	expect(s, "a", "found three");
}

/* ---- time ---- */

static void
wait_until_ended(struct site *s, const char *key)
{
	uint64_t limit = clock_mono_us() + 30 * US_PER_S;

	while (strcmp(site_answer(s, key), "none") != 0) {
		cr_assert(clock_mono_us() < limit, "%s: %s stays", body->name,
		    key);
		site_run_ms(s, 5);
	}
}

CONTRACT(a_value_ends)
{
	site_put(s, "short", "1", SHORT_MS, STORE_SET);
	site_put(s, "least", "1", 1, STORE_SET);
	site_put(s, "long", "2", HOUR_MS, STORE_SET);
	wait_until_ended(s, "short");
	wait_until_ended(s, "least");
	expect(s, "long", "found 2");
	site_put(s, "short", "3", HOUR_MS, STORE_KEEP);
	expect(s, "short", "found 3");
}

CONTRACT(its_time_is_that_of_who_put_it)
{
	site_put(s, "kept", "1", SHORT_MS, STORE_SET);
	site_put(s, "kept", "2", SHORT_MS, STORE_KEEP);
	site_put(s, "set", "1", SHORT_MS, STORE_SET);
	site_put(s, "set", "2", HOUR_MS, STORE_SET);
	site_put(s, "longer", "1", HOUR_MS, STORE_SET);
	site_put(s, "longer", "2", SHORT_MS, STORE_KEEP);
	wait_until_ended(s, "kept");
	site_run_ms(s, SHORT_MS);
	expect(s, "set", "found 2");
	expect(s, "longer", "found 1");
	site_put(s, "longer", "3", SHORT_MS, STORE_SET);
	wait_until_ended(s, "longer");
}

/* ---- bytes ---- */

CONTRACT(a_value_has_any_bytes)
{
	static const struct str values[] = {
		{ "x", 1 },
		{ "\0", 1 },
		{ " \r\n$3\r\nx\0\xff", 10 },
		{ "+OK\r\n", 5 },
	};
	char all[STORE_VALUE_MAX];

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		store_put(s->store, STR("k"), values[i], HOUR_MS, STORE_SET);
		expect_bytes(s, STR("k"), values[i]);
	}
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i + i / 256);
	for (size_t len = sizeof(all) - 1; len <= sizeof(all); len++) {
		store_put(s->store, STR("k"), str_from(all, len), HOUR_MS,
		    STORE_SET);
		expect_bytes(s, STR("k"), str_from(all, len));
	}
}

CONTRACT(a_key_as_long_as_may_be)
{
	char a[STORE_KEY_MAX], b[STORE_KEY_MAX];
	struct str key_a = { a, sizeof(a) }, key_b = { b, sizeof(b) };

	memset(a, 'k', sizeof(a));
	memcpy(b, a, sizeof(a));
	b[sizeof(b) - 1] = '\xff';
	store_put(s->store, key_a, STR("A"), HOUR_MS, STORE_SET);
	store_put(s->store, key_b, STR("B"), HOUR_MS, STORE_SET);
	expect_bytes(s, key_a, STR("A"));
	expect_bytes(s, key_b, STR("B"));
	store_drop(s->store, key_a);
	expect_bytes(s, key_b, STR("B"));
	b[sizeof(b) - 1] = '\0';
	expect(s, b, "none"); /* a byte less */
}

/* ---- who asks ---- */

CONTRACT(who_has_forgotten_is_not_told)
{
	static struct asked forgotten, other;
	unsigned told = body->at_once ? 1 : 0;

	site_put(s, "a", "one", HOUR_MS, STORE_SET);
	site_ask(s, "a b", &forgotten);
	site_ask(s, "a b", &other);
	cr_expect_eq(forgotten.ask.request != NULL, !body->at_once);
	store_forget(s->store, &forgotten.ask);
	cr_expect_null(forgotten.ask.request);
	store_forget(s->store, &forgotten.ask);
	site_await(s, &other);
	cr_expect_eq(forgotten.came, told, "%s", body->name);
	store_first(s->store, &STR("a"), 1, &forgotten.ask);
	while (forgotten.came == told)
		expect(s, "a", "found one");
	cr_expect_eq(forgotten.came, told + 1, "%s", body->name);
}

/* A question that is freed as it is answered, and asks the next one. */
struct chain {
	struct store_ask ask;
	struct site *site;
	unsigned left, *answered;
};

static void begin_chain(struct chain like);

static void
on_chain(enum store_answer answer UNUSED, struct str value, void *arg)
{
	struct chain *c = arg;

	cr_expect(!body->keeps || str_eq(value, STR("one")));
	(*c->answered)++;
	if (c->left-- > 0)
		begin_chain(*c);
	free(c);
}

static void
begin_chain(struct chain like)
{
	struct chain *c = malloc(sizeof(*c));

	cr_assert_not_null(c);
	*c = like;
	c->ask = (struct store_ask){ on_chain, c, NULL };
	store_first(c->site->store, &STR("a"), 1, &c->ask);
}

CONTRACT(who_is_told_may_go_and_ask_again)
{
	unsigned answered = 0;

	site_put(s, "a", "one", HOUR_MS, STORE_SET);
	begin_chain((struct chain){ { NULL, NULL, NULL }, s, 9, &answered });
	for (int i = 0; i < 20; i++)
		expect(s, "a", "found one");
	cr_expect_eq(answered, 10u, "%s: %u", body->name, answered);
}

/* ---- several stores ---- */

CONTRACT(what_one_has_put_others_find)
{
	static struct site other;
	uint64_t limit = clock_mono_us() + 30 * US_PER_S;

	site_open_beside(&other, s);
	site_until_up(&other);
	site_put(s, "a", "one", HOUR_MS, STORE_SET);
	store_flush(s->store);
	while (body->keeps && strcmp(site_answer(&other, "a"), "none") == 0)
		cr_assert(clock_mono_us() < limit, "%s", body->name);
	expect(&other, "a", "found one");
	site_put(&other, "a", "two", HOUR_MS, STORE_KEEP);
	site_put(&other, "a2", "two", HOUR_MS, STORE_KEEP);
	expect(&other, "a a2", "found one");
	site_until_sent(&other);
	expect(s, "a2", "found two");
	site_end_beside(&other);
	expect(s, "a", "found one");
}

/* ---- counters ---- */

CONTRACT(what_was_done_is_counted)
{
	const struct store_stats *st = &s->stats;
	uint64_t kept = body->keeps ? 1 : 0, failed = 0;

	site_put(s, "a", "1", HOUR_MS, STORE_SET);
	site_put(s, "a", "2", HOUR_MS, STORE_KEEP);
	site_put(s, "b", "3", HOUR_MS, STORE_SET);
	expect(s, "a", "found 1");
	expect(s, "b", "found 3");
	expect(s, "x y", "none");
	site_drop(s, "a");
	site_until_sent(s);
	cr_expect_eq(stat_get(&st->put), 3 * kept, "%s", body->name);
	cr_expect_eq(stat_get(&st->asked[STORE_FOUND]), 2 * kept, "%s",
	    body->name);
	cr_expect_eq(stat_get(&st->asked[STORE_NONE]), 3 - 2 * kept, "%s",
	    body->name);
	cr_expect_eq(stat_get(&st->asked[STORE_LATE]), 0u);
	cr_expect_eq(stat_get(&st->asked[STORE_AWAY]), 0u);
	for (size_t i = 0; i < STORE_WHY_COUNT; i++)
		failed += stat_get(&st->failed[i]);
	cr_expect_eq(failed + stat_get(&st->dropped) + stat_get(&st->strange),
	    0u, "%s", body->name);
	cr_expect_eq(stat_get(&st->queued), 0u, "%s", body->name);
	cr_expect_eq(stat_get(&st->connects), body->connects, "%s", body->name);
	/* Three are put, four keys are asked for, one is dropped. */
	cr_expect(stat_get(&st->commands) >= 8 * body->connects, "%s",
	    body->name);
	cr_expect(hist_total(&st->latency) >= 8 * body->connects, "%s",
	    body->name);
	cr_expect(stat_get(&st->since_us) > 0, "%s", body->name);
	cr_expect_eq(st->state, STORE_UP);
	cr_expect_eq(st->why, STORE_WHY_NOTHING);
}

/* ---- the end ---- */

CONTRACT(it_closes_with_things_under_way)
{
	static struct asked many[8];
	static struct store_ask forgotten;
	char key[16];

	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		site_put(s, key, "value", HOUR_MS, STORE_SET);
	}
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		site_ask(s, "a b c d", &many[i]);
	site_drop(s, "k0");
	store_flush(s->store);
	store_forget(s->store, &forgotten);
	store_close(&s->store);
	cr_expect_null(s->store);
	store_close(&s->store);
	site_run_ms(s, 20);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		cr_expect_eq(many[i].came, body->at_once ? 1u : 0u, "%s",
		    body->name);
		cr_expect_null(many[i].ask.request);
	}
}

CONTRACT(it_closes_as_soon_as_it_is_open)
{
	static struct site other;
	static struct asked a;

	site_open_beside(&other, s);
	site_put(&other, "a", "one", HOUR_MS, STORE_SET);
	site_ask(&other, "a", &a);
	cr_expect_eq(a.came, 1u, "%s: there is no connection yet", body->name);
	cr_expect_eq(a.answer,
	    !body->at_once    ? STORE_AWAY
	        : body->keeps ? STORE_FOUND
	                      : STORE_NONE);
	site_end_beside(&other);
	site_run_ms(s, 20);
}

/* ---- names ---- */

Test(store_names, each_is_said_by_a_word_of_its_own)
{
	for (int i = 0; i < STORE_WHY_COUNT; i++)
		for (int k = 0; k < i; k++)
			cr_expect_str_neq(store_why_name((enum store_why)i),
			    store_why_name((enum store_why)k));
	for (int i = 1; i < STORE_WHY_COUNT; i++)
		cr_expect_neq(store_why_text((enum store_why)i)[0], '\0');
	cr_expect_str_eq(store_answer_name(STORE_LATE), "late");
	cr_expect_str_eq(store_state_name(STORE_SLOW), "slow");
	cr_expect_str_eq(store_why_name(STORE_WHY_NOTHING), "");
	cr_expect_str_eq(store_why_name(STORE_WHY_STRANGE), "strange");
}
