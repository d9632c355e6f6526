/* What load drivers count. */
#include "contrib/load/tally.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"

#define NOW_US (UINT64_C(1800000000) * US_PER_S)

static struct tally t;

static void
fresh(void)
{
	clock_fake(1, NOW_US);
	tally_phase(&t, "one");
	tally_second(&t);
}

Test(tally, phases_and_sessions, .init = fresh, .timeout = 2)
{
	const struct tally_phase *one = &t.phases[0], *two = &t.phases[1];
	int v = tally_value(&t, "v1");

	clock_fake(1, NOW_US + 10);
	tally_answer(&t, v, true, NOW_US + 2, 8);
	clock_fake(1, NOW_US + 50);
	tally_answer(&t, v, false, NOW_US + 45, 5);
	tally_phase(&t, "two");
	tally_answer(&t, -1, false, NOW_US + 50, 1);
	cr_expect_eq(one->ended_us, NOW_US + 50);
	cr_expect_eq(one->requests, 2);
	cr_expect_eq(one->max_us, 8);
	cr_expect_eq(one->longest_gap_us, 40);
	cr_expect_eq(one->seen[v].answers, 2);
	cr_expect_eq(one->seen[v].sessions, 1);
	cr_expect_eq(one->seen[v].first_session_us, NOW_US + 10);
	cr_expect_eq(one->seen[v].last_session_sent_us, NOW_US + 2);
	cr_expect_eq(two->requests, 1, "of nobody known counts, too");
	cr_expect_eq(two->seen[v].answers, 0);
	cr_expect_eq(t.second.requests, 3, "a second knows no phases");
	tally_second(&t);
	cr_expect_eq(t.second.requests, 0);
	cr_expect_eq(t.sessions, 1);
}

Test(tally, faults_add_up, .init = fresh, .timeout = 2)
{
	tally_failure(&t, FAULT_CUT, true);
	tally_failure(&t, FAULT_CUT, false);
	tally_failure(&t, FAULT_SERVER, false);
	tally_bounce(&t);
	tally_move(&t);
	cr_expect_eq(tally_failed(&t), 3);
	cr_expect_eq(t.phases[0].failures, 3);
	cr_expect_eq(t.phases[0].failures_safe, 1);
	cr_expect_eq(t.failures[1][FAULT_CUT], 1);
	cr_expect_eq(t.bounces, 1);
	cr_expect_eq(t.phases[0].moved, 1);
}

Test(tally, bounds, .init = fresh, .timeout = 2)
{
	char name[16];

	for (int i = 0; i < TALLY_VALUES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "v%d", i);
		cr_expect_eq(tally_value(&t, name), i);
	}
	cr_expect_eq(tally_value(&t, "v3"), 3, "known");
	cr_expect_eq(tally_value(&t, "more"), -1);
	for (unsigned i = 0; i < TALLY_PHASES_MAX + 3; i++)
		tally_phase(&t, "p");
	cr_expect_eq(t.n_phases, TALLY_PHASES_MAX);
	for (unsigned i = 0; i < TALLY_SAMPLES_MAX + 3; i++)
		tally_sample(&t, "sample %u", i);
	cr_expect_eq(t.n_samples, TALLY_SAMPLES_MAX);
	cr_expect_str_eq(t.samples[1], "sample 1");
}

Test(tally, tells_json, .init = fresh, .timeout = 2)
{
	struct buf out = BUF_INIT;
	struct json_out j;
	struct str text;

	tally_answer(&t, tally_value(&t, "v\"1"), true, NOW_US, 100);
	tally_failure(&t, FAULT_RESET, false);
	json_begin(&j, &out);
	json_begin_object(&j);
	tally_tell(&t, &j);
	json_end_object(&j);
	text = buf_str(&out);
	cr_expect_not_null(memmem(text.p, text.len,
	    STR("\"failures_unsafe\":{\"reset_before_answer\":1}").p,
	    STR("\"failures_unsafe\":{\"reset_before_answer\":1}").len));
	cr_expect_not_null(memmem(text.p, text.len, "\"v\\\"1\":{", 8));
	cr_expect_not_null(memmem(text.p, text.len, "\"p99_us\":100,", 13),
	    "never above the longest");
	buf_free(&out);
}
