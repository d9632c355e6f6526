/* Words, and sums over workers. */
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
