/* Two choices by weight: statistical bounds from a fixed seed. */
#include "upstream/balance.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "house.h"

#define DRAWS 20000
#define MANY 1000

struct street {
	struct registry *registry;
	struct cfg *cfg;
	struct view *view;
	struct view_pool *pool;
	struct instance *inst[MANY];
	unsigned n, taken[MANY];
};

static void
set_up(struct street *s, unsigned n, const char *weights)
{
	char name[16];

	thread_become(ROLE_ANY, "test");
	memset(s, 0, sizeof(*s));
	s->n = n;
	s->cfg = house_cfg_of(n, weights);
	s->registry = registry_new(2);
	house_apply(s->registry, s->cfg);
	house_all_up(s->registry);
	s->view = house_view(s->registry, s->cfg, NULL);
	s->pool = &s->view->services[0].pools[0];
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "i%u", i);
		s->inst[i] = house_instance(s->registry, name);
		cr_assert_not_null(s->inst[i]);
	}
}

static void
tear_down(struct street *s)
{
	view_free(&s->view);
	registry_free(&s->registry);
	cfg_unref(&s->cfg);
}

static unsigned
index_of(const struct street *s, const struct instance *i)
{
	for (unsigned n = 0; n < s->n; n++)
		if (s->inst[n] == i)
			return n;
	cr_assert(false, "not one of them");
	return 0;
}

static struct instance *
choose(const struct view_pool *p, struct instance *const *tried, size_t n)
{
	struct balance_ask ask = { .pool = p, .tried = tried, .n_tried = n };

	return balance_pick(&ask);
}

static unsigned
pick(struct street *s)
{
	struct instance *i = choose(s->pool, NULL, 0);
	unsigned n;

	cr_assert_not_null(i);
	n = index_of(s, i);
	s->taken[n]++;
	return n;
}

/* Within five standard deviations of the part p of all draws. */
static void
expect_part(const struct street *s, unsigned i, double p, const char *why)
{
	double mean = DRAWS * p, slack = 5 * sqrt(DRAWS * p * (1 - p));

	cr_expect(fabs(s->taken[i] - mean) <= slack,
	    "%s: i%u was taken %u times, not %.0f", why, i, s->taken[i], mean);
}

/* clang-format off */
static const struct {
	const char *why, *weights;
} idle[] = {
	{ "two alike", "11" },
	{ "one of one", "1" },
	{ "one to three", "13" },
	{ "one to nine", "91" },
	{ "five alike", "11111" },
	{ "five unlike", "12345" },
};
/* clang-format on */

Test(balance, idle_instances_share_by_weight, .timeout = 20)
{
	for (size_t r = 0; r < ARRAY_LEN(idle); r++) {
		struct street s;
		double sum = 0;

		set_up(&s, (unsigned)strlen(idle[r].weights), idle[r].weights);
		for (unsigned i = 0; i < s.n; i++)
			sum += idle[r].weights[i] - '0';
		for (int d = 0; d < DRAWS; d++)
			(void)pick(&s);
		for (unsigned i = 0; i < s.n; i++)
			expect_part(&s, i, (idle[r].weights[i] - '0') / sum,
			    idle[r].why);
		tear_down(&s);
	}
}

Test(balance, load_follows_weight, .timeout = 20)
{
	static const char weights[] = "1124";
	struct street s;
	unsigned load = 0;

	/* 400 in flight: the oldest ends when a new one comes */
	set_up(&s, 4, weights);
	for (int d = 0; d < DRAWS; d++) {
		unsigned n = pick(&s);

		stat_add(&s.inst[n]->cells[d % 2].inflight, 1);
		if (++load <= 400)
			continue;
		do /* any one ends */
			n = (unsigned)rand() % 4;
		while (inst_inflight(s.inst[n]) == 0);
		stat_sub(
		    &s.inst[n]
		         ->cells[stat_get(&s.inst[n]->cells[0].inflight) == 0]
		         .inflight,
		    1);
	}
	for (unsigned i = 0; i < 4; i++) {
		double want = 400.0 * (weights[i] - '0') / 8;

		cr_expect(fabs((double)inst_inflight(s.inst[i]) - want) <=
		        want / 5,
		    "i%u has %lu, not about %.0f", i, inst_inflight(s.inst[i]),
		    want);
	}
	tear_down(&s);
}

/* The known gain of the second choice: no instance is far above the mean. */
Test(balance, two_choices_keep_the_highest_load_low, .timeout = 20)
{
	struct street s;
	uint64_t highest = 0;

	set_up(&s, 100, NULL);
	for (int d = 0; d < 10000; d++) {
		struct instance *i = s.inst[pick(&s)];

		stat_add(&i->cells[0].inflight, 1);
	}
	for (unsigned i = 0; i < s.n; i++)
		highest = MAX(highest, inst_inflight(s.inst[i]));
	/* one choice would give about 100 + 25 */
	cr_expect_leq(highest, 104);
	tear_down(&s);
}

Test(balance, a_loaded_one_rests, .timeout = 20)
{
	struct street s;

	set_up(&s, 2, NULL);
	stat_add(&s.inst[0]->cells[1].inflight, 50);
	for (int d = 0; d < DRAWS; d++)
		(void)pick(&s);
	/* only when it is drawn three times */
	expect_part(&s, 0, 0.125, "loaded");
	tear_down(&s);
}

/* ---- what was tried ---- */

Test(balance, never_gives_what_was_tried, .timeout = 20)
{
	struct street s;
	struct instance *tried[5];

	set_up(&s, 5, "91111");
	for (unsigned n = 0; n <= 5; n++) {
		unsigned seen[5] = { 0 };

		for (unsigned i = 0; i < n; i++)
			tried[i] = s.inst[i];
		for (int d = 0; d < 2000; d++) {
			struct instance *i = choose(s.pool, tried, n);

			cr_assert_eq(i == NULL, n == 5);
			if (i != NULL)
				seen[index_of(&s, i)]++;
		}
		for (unsigned i = 0; i < 5; i++)
			cr_expect_eq(seen[i] > 0, i >= n, "%u of %u", i, n);
	}
	tear_down(&s);
}

/* What is passed through is a stream from its first byte on. */
Test(balance, connections_passed_through_are_load)
{
	struct street s;

	set_up(&s, 2, "11");
	stat_add(&s.inst[0]->cells[0].streams, 3);
	stat_add(&s.inst[1]->cells[1].inflight, 1);
	for (int d = 0; d < 100; d++)
		(void)pick(&s);
	cr_expect_gt(s.taken[0], 70, "of HTTP they are none");
	s.taken[0] = s.taken[1] = 0;
	s.pool->passes = true;
	for (int d = 0; d < 100; d++)
		(void)pick(&s);
	cr_expect_gt(s.taken[1], 70);
	tear_down(&s);
}

Test(balance, finds_the_one_that_is_left_however_light)
{
	struct street s;
	struct instance *tried[1];

	set_up(&s, 2, "91");
	tried[0] = s.inst[0];
	for (int d = 0; d < 500; d++)
		cr_assert_eq(choose(s.pool, tried, 1), s.inst[1]);
	tear_down(&s);
}

Test(balance, none_of_none)
{
	struct view_pool none = { .n_eligible = 0 };

	cr_expect_null(choose(&none, NULL, 0));
	cr_expect_null(balance_pinned(&none, 1));
}

/* ---- pins ---- */

Test(balance, finds_the_pinned_of_a_thousand)
{
	struct street s;

	set_up(&s, MANY, NULL);
	for (unsigned i = 0; i < MANY; i++)
		cr_expect_eq(balance_pinned(s.pool, s.inst[i]->name_hash),
		    s.inst[i]);
	cr_expect_null(balance_pinned(s.pool, 0));
	cr_expect_null(balance_pinned(s.pool, UINT64_MAX));
	tear_down(&s);
}

/* ---- each in turn ---- */

static void
set_up_by(struct street *s, const char *weights, enum cfg_balance how,
    unsigned max_requests)
{
	set_up(s, (unsigned)strlen(weights), weights);
	view_free(&s->view);
	s->cfg->services[0].pools[0].balance = how;
	s->cfg->services[0].pools[0].max_requests = max_requests;
	s->view = house_view(s->registry, s->cfg, NULL);
	s->pool = &s->view->services[0].pools[0];
}

Test(balance, round_robin_takes_each_in_turn)
{
	struct street s;
	unsigned first;

	set_up_by(&s, "11111", CFG_BALANCE_ROUND, 0);
	first = pick(&s);
	for (unsigned i = 1; i < 500; i++)
		cr_assert_eq(pick(&s), (first + i) % 5);
	tear_down(&s);
}

/* In any window as long as the sum of weights each has its part. */
Test(balance, round_robin_is_smooth_by_weight)
{
	static const char weights[] = "1243";
	unsigned last[10] = { 0 }, had[4] = { 0 };
	struct street s;

	set_up_by(&s, weights, CFG_BALANCE_ROUND, 0);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned n = pick(&s);

		if (i >= 10)
			had[last[i % 10]]--;
		had[n]++;
		last[i % 10] = n;
		if (i < 9)
			continue;
		for (unsigned k = 0; k < 4; k++)
			cr_assert_leq(abs((int)had[k] - (weights[k] - '0')), 1);
	}
	for (unsigned k = 0; k < 4; k++)
		cr_expect_eq(s.taken[k], 100u * (unsigned)(weights[k] - '0'));
	tear_down(&s);
}

Test(balance, round_robin_passes_over_what_was_tried)
{
	static const char *const all[] = { "111", "123" };

	for (size_t r = 0; r < ARRAY_LEN(all); r++) {
		struct street s;
		struct instance *tried[3];

		set_up_by(&s, all[r], CFG_BALANCE_ROUND, 0);
		memcpy(tried, s.inst, sizeof(tried));
		for (int i = 0; i < 50; i++)
			cr_expect_eq(choose(s.pool, tried, 2), s.inst[2]);
		cr_expect_null(choose(s.pool, tried, 3));
		/* and who was passed over is not flooded afterwards */
		for (int i = 0; i < 6; i++)
			(void)pick(&s);
		for (unsigned i = 0; i < 3; i++)
			cr_expect_eq(s.taken[i],
			    r == 0 ? 2u : (unsigned)(all[r][i] - '0'));
		tear_down(&s);
	}
}

/* ---- by key ---- */

static struct instance *
choose_by(const struct view_pool *p, uint64_t key)
{
	struct balance_ask ask = { .pool = p, .key = key };

	return balance_pick(&ask);
}

static uint64_t
nth_key(unsigned n)
{
	return (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

Test(balance, a_key_has_its_instance_by_weight)
{
	static const char *const all[] = { "11111", "12345" };

	for (size_t r = 0; r < ARRAY_LEN(all); r++) {
		struct street s;
		double sum = 0;

		set_up_by(&s, all[r], CFG_BALANCE_HASH, 0);
		for (unsigned i = 0; i < 5; i++)
			sum += all[r][i] - '0';
		for (unsigned k = 0; k < DRAWS; k++) {
			struct instance *i = choose_by(s.pool, nth_key(k));

			cr_assert_eq(choose_by(s.pool, nth_key(k)), i);
			s.taken[index_of(&s, i)]++;
		}
		for (unsigned i = 0; i < 5; i++)
			expect_part(&s, i, (all[r][i] - '0') / sum, all[r]);
		tear_down(&s);
	}
}

/* One goes: its keys find others, no other key moves; it comes: the same. */
Test(balance, an_instance_moves_only_its_own_keys)
{
	struct instance *before[2000];
	unsigned moved = 0;
	struct street s;

	set_up_by(&s, "1111111111", CFG_BALANCE_HASH, 0);
	for (unsigned k = 0; k < ARRAY_LEN(before); k++)
		before[k] = choose_by(s.pool, nth_key(k));
	s.inst[3]->health = HEALTH_DOWN;
	view_free(&s.view);
	s.view = house_view(s.registry, s.cfg, NULL);
	s.pool = &s.view->services[0].pools[0];
	for (unsigned k = 0; k < ARRAY_LEN(before); k++) {
		struct instance *now = choose_by(s.pool, nth_key(k));

		if (before[k] == s.inst[3])
			moved++;
		else
			cr_assert_eq(now, before[k]);
		cr_assert_neq(now, s.inst[3]);
	}
	cr_expect(moved > 140 && moved < 260, "%u of 2000 moved", moved);
	tear_down(&s);
}

/* The same key all the time: it spreads before one has much more than all. */
Test(balance, a_crowd_spreads)
{
	static const char *const all[] = { "1111", "1124" };

	for (size_t r = 0; r < ARRAY_LEN(all); r++) {
		double sum = 0;
		struct street s;

		set_up_by(&s, all[r], CFG_BALANCE_HASH, 0);
		for (unsigned i = 0; i < 4; i++)
			sum += all[r][i] - '0';
		for (int n = 0; n < 400; n++)
			stat_add(&choose_by(s.pool, 77)->cells[0].inflight, 1);
		for (unsigned i = 0; i < 4; i++) {
			double part = (all[r][i] - '0') / sum * 400;

			cr_expect((double)inst_inflight(s.inst[i]) <=
			        part * 1.25 + 2,
			    "%s: i%u has %lu, its part is %.0f", all[r], i,
			    inst_inflight(s.inst[i]), part);
		}
		tear_down(&s);
	}
}

/* ---- bounds ---- */

Test(balance, nobody_has_more_than_the_bound)
{
	for (int how = CFG_BALANCE_LEAST; how <= CFG_BALANCE_HASH; how++) {
		struct street s;
		struct balance_ask ask = { .worker = 0 };

		set_up_by(&s, how == CFG_BALANCE_ROUND ? "112" : "111",
		    (enum cfg_balance)how, 7);
		ask.pool = s.pool;
		/* seven are four of worker 0 and three of worker 1 */
		for (unsigned n = 0; n < 12 + 9; n++) {
			struct instance *i;

			ask.worker = n >= 12;
			i = balance_pick(&ask);
			cr_assert_not_null(i, "%d: %u", how, n);
			stat_add(&i->cells[ask.worker].inflight, 1);
		}
		for (unsigned i = 0; i < 3; i++)
			cr_expect_eq(inst_inflight(s.inst[i]), 7, "%d", how);
		cr_expect_null(balance_pick(&ask));
		cr_expect(ask.full);
		cr_expect_not(balance_has_place(s.pool, s.inst[0], 0));
		ask.tried = s.inst;
		ask.n_tried = 3;
		cr_expect_null(balance_pick(&ask));
		cr_expect_not(ask.full, "tried is not full");
		tear_down(&s);
	}
}

Test(balance, a_bound_is_of_connections_passed_through, .timeout = 20)
{
	for (int how = CFG_BALANCE_LEAST; how <= CFG_BALANCE_HASH; how++) {
		struct street s;
		struct balance_ask ask = { .worker = 0 };

		set_up_by(&s, "111", (enum cfg_balance)how, 7);
		s.pool->passes = true;
		ask.pool = s.pool;
		for (unsigned n = 0; n < 12; n++) {
			struct instance *i = balance_pick(&ask);

			cr_assert_not_null(i, "%d: %u", how, n);
			stat_add(n % 2 == 0 ? &i->cells[0].streams
			                    : &i->cells[0].inflight,
			    1);
		}
		cr_expect_null(balance_pick(&ask));
		cr_expect(ask.full);
		tear_down(&s);
	}
}

Test(balance, a_worker_has_one_place_at_least)
{
	struct street s;

	set_up_by(&s, "1", CFG_BALANCE_LEAST, 1);
	cr_expect(balance_has_place(s.pool, s.inst[0], 0));
	cr_expect(balance_has_place(s.pool, s.inst[0], 1));
	tear_down(&s);
}

Test(balance, another_is_one_that_was_not_tried)
{
	struct street s;

	set_up(&s, 2, NULL);
	cr_expect(balance_has_other(s.pool, s.inst, 0));
	cr_expect(balance_has_other(s.pool, s.inst, 1));
	cr_expect_not(balance_has_other(s.pool, s.inst, 2));
	tear_down(&s);
}
