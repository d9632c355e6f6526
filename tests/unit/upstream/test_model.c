/* Words, sums over workers, and the census of sessions. */
#include "upstream/model.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "upstream/conncache.h"

/* ---- words ---- */

static void
expect_words(const char *what, const char *const *words, int n)
{
	for (int i = 0; i < n; i++) {
		cr_assert_not_null(words[i], "%s %d", what, i);
		cr_expect_gt(strlen(words[i]), 0, "%s %d", what, i);
		for (int k = 0; k < i; k++)
			cr_expect_str_neq(words[i], words[k], "%s", what);
	}
}

Test(model, every_row_has_a_word_of_its_own)
{
	const char *w[64];
	int n;

	for (n = 0; n < HEALTH_COUNT; n++)
		w[n] = health_name((enum health)n);
	expect_words("health", w, n);
	for (n = 0; n < HEALTH_REASON_COUNT; n++)
		w[n] = health_reason_text((enum health_reason)n);
	expect_words("reason", w, n);
	for (n = 0; n < OUT_COUNT; n++)
		w[n] = outcome_name((enum outcome)n);
	expect_words("outcome", w, n);
	for (n = 0; n < OUT_COUNT; n++)
		w[n] = outcome_help((enum outcome)n);
	expect_words("outcome's help", w, n);
	for (n = 0; n < CAUSE_COUNT; n++)
		w[n] = pool_cause_name((enum pool_cause)n);
	expect_words("cause", w, n);
	for (n = 0; n < CAUSE_COUNT; n++)
		w[n] = pool_cause_help((enum pool_cause)n);
	expect_words("cause's help", w, n);
	for (n = 0; n < INST_ADMIN_COUNT; n++)
		cr_expect_eq(inst_admin_of(inst_admin_name((enum inst_admin)n)),
		    n);
	for (n = 0; n < POOL_STATE_COUNT; n++)
		cr_expect_eq(pool_state_of(pool_state_name((enum pool_state)n)),
		    n);
	cr_expect_eq(inst_admin_of("out"), -1);
	cr_expect_eq(inst_admin_of(""), -1);
	cr_expect_eq(pool_state_of("Active"), -1);
}

Test(model, outcomes_fall_into_five_classes)
{
	static const char *const classes[] = { "answered", "ours", "client",
		"deadline", "fault" };

	for (int o = 0; o < OUT_COUNT; o++) {
		int fits = 0;

		for (size_t i = 0; i < ARRAY_LEN(classes); i++)
			fits += strcmp(outcome_class((enum outcome)o),
			            classes[i]) == 0;
		cr_expect_eq(fits, 1, "%s", outcome_name((enum outcome)o));
	}
}

Test(model, sums_go_over_workers)
{
	static struct inst_cell cells[3]; /* ASan aligns no stack to 64 */
	struct instance i = { .n_workers = 3, .cells = cells };

	memset(cells, 0, sizeof(cells));
	cr_expect_eq(inst_inflight(&i), 0);
	stat_add(&cells[0].inflight, 2);
	stat_add(&cells[2].inflight, 5);
	stat_add(&cells[1].streams, 3);
	stat_add(&cells[2].streams, 4);
	cr_expect_eq(inst_inflight(&i), 7);
	cr_expect_eq(inst_streams(&i), 7);
	stat_sub(&cells[2].inflight, 5);
	cr_expect_eq(inst_inflight(&i), 2);
}

/* Idle is small: what a connection costs beyond kernel and libevent. */
Test(model, what_is_kept_per_idle_connection_is_small)
{
	cr_expect_leq(sizeof(struct upconn), 512);
	cr_expect_leq(sizeof(struct lane) + sizeof(struct deadline), 512);
}

/* ---- sessions ---- */

#define IDLE_US (1800 * US_PER_S)
#define NOW_US UINT64_C(1764000000000000)

struct crowd {
	struct pool pool;
	struct pool_cell *cells;
};

static void
set_up(struct crowd *c, unsigned n_workers)
{
	size_t size = n_workers * sizeof(struct pool_cell);

	c->cells = aligned_alloc(64, size);
	cr_assert_not_null(c->cells);
	memset(c->cells, 0, size);
	c->pool = (struct pool){ .n_workers = n_workers, .cells = c->cells };
}

static uint64_t
session(uint64_t n)
{
	return hash_bytes(&n, sizeof(n), 1);
}

static void
see(struct crowd *c, unsigned worker, unsigned from, unsigned to,
    uint64_t wall_us)
{
	for (unsigned n = from; n < to; n++)
		pool_cell_see(&c->cells[worker], session(n), wall_us, IDLE_US);
}

static void
expect_about(struct crowd *c, uint64_t wall_us, uint64_t want, const char *why)
{
	uint64_t n = pool_live_sessions(&c->pool, wall_us, IDLE_US);
	uint64_t slack = want / 10; /* three standard errors of 1,024 */

	cr_expect(n + slack >= want && n <= want + slack,
	    "%s: %lu, not about %lu", why, n, want);
}

Test(sessions, are_counted_once_however_often_and_wherever_seen)
{
	struct crowd c;

	set_up(&c, 3);
	expect_about(&c, NOW_US, 0, "nobody");
	see(&c, 0, 0, 1, NOW_US);
	expect_about(&c, NOW_US, 1, "one");
	for (int again = 0; again < 5; again++)
		see(&c, (unsigned)again % 3, 0, 3000,
		    NOW_US + (uint64_t)again * US_PER_S);
	expect_about(&c, NOW_US + 5 * US_PER_S, 3000, "all of them");
	see(&c, 1, 3000, 20000, NOW_US);
	expect_about(&c, NOW_US, 20000, "more on one worker");
	free(c.cells);
}

/* clang-format off */
static const struct {
	const char *why;
	uint64_t after_us, live;
} ages[] = {
	{ "at once", 0, 1000 },
	{ "within the idle time", IDLE_US / 2, 1000 },
	{ "at its end", IDLE_US, 1000 },
	{ "after it and the slot that was not over", IDLE_US + IDLE_US / 5 + 1,
	    0 },
	{ "long after", 30 * IDLE_US, 0 },
	{ "before (the clock was set back)", (uint64_t)-(int64_t)IDLE_US, 0 },
};
/* clang-format on */

Test(sessions, end_when_they_are_idle)
{
	for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
		struct crowd c;

		set_up(&c, 2);
		see(&c, 0, 0, 500, NOW_US);
		see(&c, 1, 500, 1000, NOW_US);
		expect_about(&c, NOW_US + ages[i].after_us, ages[i].live,
		    ages[i].why);
		free(c.cells);
	}
}

Test(sessions, leave_one_by_one_over_many_slots)
{
	struct crowd c;

	set_up(&c, 1);
	/* a hundred new ones a minute, each seen once, for three hours */
	for (unsigned m = 0; m < 180; m++)
		see(&c, 0, m * 100, (m + 1) * 100, NOW_US + m * 60 * US_PER_S);
	{
		uint64_t n = pool_live_sessions(&c.pool,
		    NOW_US + 180 * 60 * US_PER_S, IDLE_US);

		cr_expect(n >= 2700 && n <= 4000,
		    "%lu of the last 30 to 36 "
		    "minutes",
		    n);
	}
	free(c.cells);
}

Test(sessions, of_no_idle_time_are_no_trap)
{
	struct crowd c;

	set_up(&c, 1);
	pool_cell_see(&c.cells[0], session(1), NOW_US, 0);
	cr_expect_eq(pool_live_sessions(&c.pool, NOW_US, 0), 1);
	free(c.cells);
}
