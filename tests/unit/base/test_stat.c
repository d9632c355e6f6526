/* Counters and histograms. */
#include "base/stat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/hash.h"
#include "base/random.h"

#define HOUR_US UINT64_C(3600000000)
#define TOP_US ((UINT64_C(1) << 35) - 1) /* upper edge of the last bucket */

Test(stat, adds_and_takes_away)
{
	stat_u64 s = 0;

	stat_add(&s, 5);
	stat_add(&s, 2);
	stat_sub(&s, 3);
	cr_expect_eq(stat_get(&s), 4);
}

#define ROUNDS 200000

static void *
count(void *arg)
{
	stat_u64 *s = arg;

	for (int i = 0; i < ROUNDS; i++)
		stat_add(s, 1);
	return NULL;
}

Test(stat, reader_sees_it_grow)
{
	stat_u64 s = 0;
	uint64_t last = 0;
	pthread_t t;

	cr_assert_eq(pthread_create(&t, NULL, count, &s), 0);
	while (last < ROUNDS) {
		uint64_t now = stat_get(&s);

		cr_assert_geq(now, last);
		last = now;
	}
	pthread_join(t, NULL);
	cr_expect_eq(stat_get(&s), ROUNDS);
}

/* ---- histogram ---- */

static uint64_t
edge_of(uint64_t us)
{
	struct hist h = { 0 };

	hist_add(&h, us);
	cr_assert_eq(hist_total(&h), 1);
	return hist_quantile(&h, 1);
}

static void
edge_is_near(uint64_t us)
{
	uint64_t edge = edge_of(us);

	cr_assert_geq(edge, us, "%llu us", (unsigned long long)us);
	cr_assert_leq(edge - us, us / 4, "%llu us: edge %llu is too far",
	    (unsigned long long)us, (unsigned long long)edge);
}

Test(hist, edge_is_above_but_near)
{
	for (uint64_t us = 0; us < 5000; us++)
		edge_is_near(us);
	for (unsigned bit = 12; bit < 35; bit++)
		for (int off = -1; off <= 1; off++)
			edge_is_near((UINT64_C(1) << bit) + (uint64_t)off);
	edge_is_near(9 * HOUR_US);
	edge_is_near(TOP_US);
}

/* Edges go up with the values and no value falls between two buckets. */
Test(hist, buckets_join_without_gap)
{
	uint64_t us = 0;
	unsigned n = 0;

	while (us <= TOP_US) {
		uint64_t edge = edge_of(us);

		cr_assert_eq(edge_of(edge), edge);
		us = edge + 1; /* the first of the next */
		n++;
	}
	cr_expect_eq(n, HIST_BUCKETS);
}

Test(hist, what_is_too_long_is_counted_in_the_last)
{
	cr_expect_eq(edge_of(TOP_US + 1), TOP_US);
	cr_expect_eq(edge_of(UINT64_MAX), TOP_US);
}

static const struct {
	const char *why;
	double q;
	uint64_t us;
} quantiles[] = {
	{ "least", 0, 1 },
	{ "below least", -1, 1 },
	{ "no number", NAN, 1 },
	{ "one of a hundred", 0.01, 1 },
	{ "all ones: 0.90 of 100 is 90, not 91", 0.90, 1 },
	{ "the first of the twos", 0.901, 2 },
	{ "all but one", 0.99, 2 },
	{ "the slowest", 0.991, 3 },
	{ "all", 1, 3 },
	{ "more than all", 2, 3 },
	{ "far more", INFINITY, 3 },
};

Test(hist, quantile)
{
	struct hist h = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
		cr_expect_eq(hist_quantile(&h, quantiles[i].q), 0, "%s: empty",
		    quantiles[i].why);
	for (int i = 0; i < 100; i++)
		hist_add(&h, i < 90 ? 1 : i < 99 ? 2 : 3);
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
		cr_expect_eq(hist_quantile(&h, quantiles[i].q), quantiles[i].us,
		    "%s: %llu", quantiles[i].why,
		    (unsigned long long)hist_quantile(&h, quantiles[i].q));
}

/* q n is an integer in decimal but often a hair more in binary. */
Test(hist, quantile_of_every_per_cent_is_that_rank)
{
	for (unsigned pct = 1; pct <= 100; pct++) {
		struct hist h = { 0 };

		for (unsigned i = 1; i <= 100; i++)
			hist_add(&h, i <= pct ? 1 : 3);
		cr_expect_eq(hist_quantile(&h, pct / 100.0), 1, "%u %%", pct);
	}
}

Test(hist, at_most_counts_whole_buckets)
{
	struct hist h = { 0 };

	hist_add(&h, 0);
	hist_add(&h, 3);
	hist_add(&h, 1000);
	cr_expect_eq(hist_at_most(&h, 0), 1);
	cr_expect_eq(hist_at_most(&h, 2), 1);
	cr_expect_eq(hist_at_most(&h, 3), 2);
	cr_expect_eq(hist_at_most(&h, edge_of(1000) - 1), 2);
	cr_expect_eq(hist_at_most(&h, edge_of(1000)), 3);
	cr_expect_eq(hist_at_most(&h, UINT64_MAX), 3);
}

Test(hist, merge_adds)
{
	struct hist a = { 0 }, b = { 0 }, both = { 0 };

	for (int i = 0; i < 1000; i++) {
		uint64_t us = random_below(UINT32_MAX);

		hist_add(i % 3 == 0 ? &a : &b, us);
		hist_add(&both, us);
	}
	hist_merge(&a, &b);
	cr_expect_eq(hist_total(&a), 1000);
	cr_expect_eq(stat_get(&a.sum_us), stat_get(&both.sum_us));
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		cr_expect_eq(stat_get(&a.count[i]), stat_get(&both.count[i]));
}
