/*
 * A rollout, edge by edge: steps come and go with the clock, fail, and are
 * told by operators.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rollout/facts.h"
#include "rollout/steps.h"
#include "world.h"

#define ALL CFG_SHARE_ALL

static struct world w;
static struct ro_rollout plan;

static void
begin(void)
{
	world_make(&w);
	world_tick(&w);
	/* A start takes none of the first three over. */
	plan = (struct ro_rollout){
		.runs = 77,
		.ran = UINT32_MAX,
		.unknown = true,
		.clocks = { .mode = CFG_DRAIN_KEEP,
		    .flows_us = 60 * S,
		    .requests_us = 10 * S,
		    .streams_us = 60 * S },
	};
}

static void
end(void)
{
	world_free(&w);
}

TestSuite(rollout, .init = begin, .fini = end, .timeout = 20);

static void
add(enum cfg_step_kind kind, uint32_t share_bp, uint64_t for_us,
    uint64_t deadline_us)
{
	plan.steps[plan.n_steps++] = (struct ro_step){ .kind = (uint8_t)kind,
		.share_bp = share_bp,
		.for_us = for_us,
		.deadline_us = deadline_us };
}

/* ready, 10 %, 30 s, approve, promote, drain */
static void
plan_canary(void)
{
	add(CFG_STEP_READY, 0, 0, 600 * S);
	add(CFG_STEP_SHARE, 1000, 0, 60 * S);
	add(CFG_STEP_PAUSE, 0, 30 * S, 0);
	add(CFG_STEP_APPROVE, 0, 0, 0);
	add(CFG_STEP_PROMOTE, 0, 0, 60 * S);
	add(CFG_STEP_DRAIN, 0, 0, 200 * S);
}

static enum ro_refusal
tell(enum ro_action action, bool force)
{
	struct ro_command c = world_action(action, "v2", &plan);

	c.force = force;
	return world_do(&w, &c);
}

#define TELL(action) tell(RO_ACTION_##action, false)

static const struct ro_rollout *
it(void)
{
	return &w.s.services[0].rollout;
}

static void
expect_at(size_t at, enum ro_stand stand, const char *where)
{
	cr_expect_eq(it()->at, at, "%s: at %zu", where, it()->at);
	cr_expect_eq(it()->stand, stand, "%s: %s (%s)", where,
	    steps_stand_name((enum ro_stand)it()->stand), it()->why);
}

static void
expect_shares(uint32_t v1, uint32_t v2, const char *where)
{
	cr_expect_eq(world_pool(&w, 1)->share_bp, v1, "%s: v1 %u", where,
	    world_pool(&w, 1)->share_bp);
	cr_expect_eq(world_pool(&w, 2)->share_bp, v2, "%s: v2 %u", where,
	    world_pool(&w, 2)->share_bp);
}

static void
pass(uint64_t us)
{
	w.now += us;
	(void)world_tick(&w);
}

/* With v2 ready, at the approve step. */
static void
go_to_approve(void)
{
	plan_canary();
	world_fit(&w, 2, true);
	cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
	pass(0);
	pass(30 * S);
	expect_at(3, RO_STAND_RUNNING, "approve");
}

Test(rollout, from_start_to_end)
{
	plan_canary();
	cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
	cr_expect_str_eq(it()->who, "tester");
	pass(20 * S);
	expect_at(0, RO_STAND_RUNNING, "v2 is not ready yet");
	expect_shares(ALL, 0, "ready");
	world_fit(&w, 2, true);
	pass(S);
	expect_at(2, RO_STAND_RUNNING, "pause");
	expect_shares(9000, 1000, "pause");
	pass(29 * S);
	expect_at(2, RO_STAND_RUNNING, "29 s");
	pass(S);
	expect_at(3, RO_STAND_RUNNING, "30 s");
	pass(100000 * S);
	expect_at(3, RO_STAND_RUNNING, "nobody approved");
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE, "%s", w.why);
	world_facts(&w, 1)->sessions = 3;
	pass(0);
	expect_at(5, RO_STAND_RUNNING, "drain");
	expect_shares(0, ALL, "drain");
	cr_expect_eq(world_pool(&w, 1)->state, POOL_DRAINING);
	world_facts(&w, 1)->sessions = 0;
	pass(S);
	expect_at(6, RO_STAND_DONE, "done");
	cr_expect_eq(world_pool(&w, 1)->state, POOL_DRAINED);
	cr_expect_eq(it()->ended_us, w.now);
}

Test(rollout, asks_to_be_looked_at_again)
{
	plan_canary();
	world_fit(&w, 2, true);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	cr_expect_eq(w.due, w.now + 30 * S, "when the pause is over");
}

/* A step is not done before every worker knows. */
Test(rollout, waits_for_workers)
{
	plan_canary();
	world_fit(&w, 2, true);
	world_facts(&w, 2)->view_current = false;
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	expect_at(1, RO_STAND_RUNNING, "share");
	expect_shares(9000, 1000, "share");
	world_facts(&w, 2)->view_current = true;
	pass(0);
	expect_at(2, RO_STAND_RUNNING, "pause");
}

/* ---- failures ---- */

Test(rollout, not_ready_in_time)
{
	plan_canary();
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(599 * S);
	expect_at(0, RO_STAND_RUNNING, "before");
	pass(S);
	expect_at(0, RO_STAND_ROLLED_BACK, "after");
	cr_expect_str_eq(it()->why,
	    "v2 is not ready in time: i1 is down: connection refused");
	expect_shares(ALL, 0, "after");
}

Test(rollout, a_candidate_that_dies_is_taken_back)
{
	go_to_approve();
	world_facts(&w, 2)->eligible = 1;
	world_facts(&w, 2)->ready = false;
	pass(S);
	expect_at(3, RO_STAND_RUNNING, "one of two is enough to go on");
	world_facts(&w, 2)->sessions = 1;
	world_fit(&w, 2, false);
	pass(S);
	expect_at(3, RO_STAND_ROLLED_BACK, "none is");
	cr_expect_str_eq(it()->why,
	    "v2 can serve no more: i1 is down: connection refused");
	expect_shares(ALL, 0, "none is");
	cr_expect_eq(world_pool(&w, 2)->state, POOL_DRAINING);
}

Test(rollout, or_waits_for_an_operator)
{
	plan.on_failure = CFG_FAILURE_PAUSE;
	go_to_approve();
	world_fit(&w, 2, false);
	pass(S);
	expect_at(3, RO_STAND_PAUSED, "none is up");
	cr_expect(it()->failed);
	expect_shares(9000, 1000, "stays");
	world_fit(&w, 2, true);
	pass(S);
	expect_at(3, RO_STAND_PAUSED, "it does not go on by itself");
	cr_assert_eq(TELL(RESUME), RO_NO_NONE);
	pass(0);
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect_shares(0, ALL, "went on");
}

/* Both cannot serve: traffic is not moved to nobody. */
/* v2 had a share before, or another pool is dead, too: the rest serves. */
Test(rollout, who_can_serve_takes_all)
{
	world_put(&w, 1, POOL_ACTIVE, 6000);
	world_put(&w, 2, POOL_ACTIVE, 1000);
	world_put(&w, 3, POOL_ACTIVE, 3000);
	world_fit(&w, 3, true);
	go_to_approve();
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	world_facts(&w, 1)->sessions = world_facts(&w, 3)->sessions = 1;
	pass(0);
	expect_shares(0, ALL, "promoted");
	world_fit(&w, 2, false);
	world_fit(&w, 3, false);
	pass(S);
	expect_at(5, RO_STAND_ROLLED_BACK, "v2 died");
	expect_shares(ALL, 0, "v1 is all there is");
	cr_expect_eq(world_pool(&w, 3)->share_bp, 0);
}

Test(rollout, no_way_back_is_told)
{
	go_to_approve();
	world_fit(&w, 1, false);
	world_fit(&w, 2, false);
	pass(S);
	expect_at(3, RO_STAND_PAUSED, "both are down");
	expect_shares(9000, 1000, "both are down");
	cr_expect_not_null(strstr(it()->why, "v2 can serve no more"), "%s",
	    it()->why);
	cr_expect_not_null(strstr(it()->why,
	                       "the shares of before cannot come back: v1 is"),
	    "%s", it()->why);
	cr_expect_eq(TELL(ROLLBACK), RO_NO_LAST_POOL);
	cr_expect_eq(tell(RO_ACTION_ROLLBACK, true), RO_NO_NONE);
	expect_shares(ALL, 0, "by force");
}

/* After a start nothing is known of health: that is no failure. */
Test(rollout, a_restart_is_no_failure)
{
	go_to_approve();
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	w.now += 3600 * S;
	ro_state_wake(&w.s, w.now);
	world_pool(&w, 1)->life = world_pool(&w, 2)->life = RO_LIFE_UNKNOWN;
	world_fit(&w, 1, false);
	world_fit(&w, 2, false);
	pass(S);
	expect_at(4, RO_STAND_RUNNING, "promote waits");
	expect_shares(9000, 1000, "promote waits");
	world_fit(&w, 1, true);
	world_fit(&w, 2, true);
	world_facts(&w, 1)->sessions = 1;
	pass(S);
	expect_shares(0, ALL, "promoted");
}

Test(rollout, promote_waits_for_readiness_only_so_long)
{
	go_to_approve();
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	world_pool(&w, 2)->life = RO_LIFE_UNKNOWN;
	world_fit(&w, 2, false);
	pass(59 * S);
	expect_at(4, RO_STAND_RUNNING, "waits");
	pass(S);
	expect_at(4, RO_STAND_ROLLED_BACK, "too long");
}

Test(rollout, a_drain_that_lasts_too_long)
{
	go_to_approve();
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	world_facts(&w, 1)->inflight = 1;
	world_facts(&w, 1)->sessions = 1;
	pass(0);
	pass(199 * S);
	expect_at(5, RO_STAND_RUNNING, "drain");
	pass(S);
	expect_at(5, RO_STAND_PAUSED, "too long, but v2 serves well");
	expect_shares(0, ALL, "too long");
	cr_expect_str_eq(it()->why, "v2 serves, but others still drain");
	cr_assert_eq(TELL(SKIP), RO_NO_NONE);
	expect_at(6, RO_STAND_DONE, "skipped");
}

/* One that an operator began before is not waited for. */
Test(rollout, drains_of_others_are_theirs)
{
	struct ro_command c = world_command(RO_DRAIN, "v3");

	world_put(&w, 3, POOL_ACTIVE, 0);
	world_facts(&w, 3)->sessions = 5;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	go_to_approve();
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	pass(0);
	expect_at(6, RO_STAND_DONE, "v3 drains on");
	cr_expect_eq(world_pool(&w, 3)->state, POOL_DRAINING);
}

/* After a start v2 does not come back. */
Test(rollout, never_seen_again)
{
	go_to_approve();
	ro_state_wake(&w.s, w.now);
	world_pool(&w, 2)->life = RO_LIFE_UNKNOWN;
	world_fit(&w, 2, false);
	pass(S);
	pass(58 * S);
	expect_at(3, RO_STAND_RUNNING, "it may come");
	pass(2 * S);
	expect_at(3, RO_STAND_ROLLED_BACK, "it does not");
}

Test(rollout, nothing_is_done_while_v2_drains)
{
	struct ro_command c = world_command(RO_DRAIN, "v2");

	go_to_approve();
	cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(TELL(RESUME), RO_NO_DRAINING);
	cr_expect_eq(TELL(SKIP), RO_NO_DRAINING);
	cr_expect_not_null(strstr(w.why, "segue undrain v2"), "%s", w.why);
	c.verb = RO_UNDRAIN;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(TELL(RESUME), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect_at(2, RO_STAND_RUNNING, "the share again, then the pause");
	expect_shares(9000, 1000, "again");
}

/* By hand back to v1, then resumed: it does not say that it is done. */
Test(rollout, what_was_undone_is_done_again)
{
	struct ro_command c = world_command(RO_SWITCH, "v1");

	go_to_approve();
	add(CFG_STEP_APPROVE, 0, 0, 0);
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	world_facts(&w, 1)->sessions = 1;
	pass(0);
	expect_shares(0, ALL, "promoted");
	cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	expect_shares(ALL, 0, "by hand");
	cr_assert_eq(TELL(RESUME), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect_shares(0, ALL, "promoted again");
}

Test(rollout, says_how_to_go_back_when_done)
{
	add(CFG_STEP_PROMOTE, 0, 0, 60 * S);
	world_fit(&w, 2, true);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	expect_at(1, RO_STAND_DONE, "done");
	cr_expect_eq(TELL(ROLLBACK), RO_NO_ROLLOUT);
	cr_expect_str_eq(w.why,
	    "the rollout of a to v2 is done; \"segue switch v1 --when-ready\" "
	    "takes it back");
}

/* ---- analysis ---- */

/* What v2 and v1 had since it began, and what follows at which time. */
static const struct {
	const char *why;
	uint64_t requests, bad, others, others_bad;
	uint64_t after_s;
	enum ro_stand stand;
	size_t at;
	const char *says;
} analyses[] = {
	{ "nothing yet", 0, 0, 1000, 0, 30, RO_STAND_RUNNING, 2, "" },
	{ "all is well", 200, 0, 1000, 0, 30, RO_STAND_RUNNING, 2, "" },
	{ "all was well", 200, 4, 1000, 0, 60, RO_STAND_RUNNING, 3, "" },
	{ "too many fail", 200, 10, 1000, 10, 1, RO_STAND_ROLLED_BACK, 2,
	    "of 200 requests to v2 10 failed (5.0%), elsewhere 1.0%" },
	{ "as many fail elsewhere", 200, 10, 1000, 50, 60, RO_STAND_RUNNING, 3,
	    "" },
	{ "fewer fail than elsewhere", 200, 10, 1000, 500, 60, RO_STAND_RUNNING,
	    3, "" },
	{ "five are chance", 100, 5, 1000, 0, 60, RO_STAND_RUNNING, 3, "" },
	{ "six are not", 100, 6, 1000, 0, 1, RO_STAND_ROLLED_BACK, 2,
	    "of 100 requests to v2 6 failed (6.0%), elsewhere 0.0%" },
	{ "too few to tell", 99, 99, 1000, 0, 59, RO_STAND_RUNNING, 2, "" },
	{ "too few to the end", 99, 99, 1000, 0, 60, RO_STAND_PAUSED, 2,
	    "not enough to conclude from: v2 had 99 requests, 100 are asked "
	    "for" },
	{ "nobody else was asked", 200, 100, 0, 0, 1, RO_STAND_ROLLED_BACK, 2,
	    "of 200 requests to v2 100 failed (50.0%), elsewhere 0.0%" },
};

/* ready, 10 %, analyze for 60 s, approve */
static void
go_to_analysis(void)
{
	add(CFG_STEP_READY, 0, 0, 600 * S);
	add(CFG_STEP_SHARE, 1000, 0, 60 * S);
	add(CFG_STEP_ANALYZE, 0, 60 * S, 0);
	plan.steps[2].errors_pct = 2;
	plan.steps[2].requests = 100;
	add(CFG_STEP_APPROVE, 0, 0, 0);
	world_fit(&w, 2, true);
	cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect_at(2, RO_STAND_RUNNING, "analyze");
}

static void
count(size_t n, uint64_t requests, uint64_t bad)
{
	struct ro_toll *to = n == 2 ? &w.paces[0].own : &w.paces[0].others;

	to->requests += requests;
	to->bad += bad;
}

Test(rollout, analysis)
{
	for (size_t i = 0; i < ARRAY_LEN(analyses); i++) {
		end(), begin();
		go_to_analysis();
		count(2, analyses[i].requests, analyses[i].bad);
		count(1, analyses[i].others, analyses[i].others_bad);
		pass(analyses[i].after_s * S);
		expect_at(analyses[i].at, analyses[i].stand, analyses[i].why);
		cr_expect_str_eq(it()->why, analyses[i].says, "%s",
		    analyses[i].why);
	}
}

/* How long nine of ten answers took, in ms. */
static const struct {
	const char *why;
	uint32_t slower_pct;
	uint64_t own, own_n, others, others_n;
	bool slow;
} paces[] = {
	{ "not looked at", 0, 9000, 200, 10, 2000, false },
	{ "much slower", 50, 200, 200, 100, 2000, true },
	{ "half as long again", 50, 155, 200, 100, 2000, false },
	{ "and a little more", 50, 156, 200, 100, 2000, true },
	{ "by nothing that one notices", 50, 6, 200, 1, 2000, false },
	{ "faster", 50, 10, 200, 100, 2000, false },
	{ "too few", 50, 200, 99, 100, 2000, false },
	{ "too few elsewhere", 50, 200, 200, 100, 99, false },
	{ "three times as long", 300, 399, 200, 100, 2000, false },
};

Test(rollout, analysis_of_time)
{
	for (size_t i = 0; i < ARRAY_LEN(paces); i++) {
		end(), begin();
		go_to_analysis();
		w.s.services[0].rollout.steps[2].slower_pct =
		    paces[i].slower_pct;
		w.paces[0] = (struct ro_pace){ .own_n = paces[i].own_n,
			.others_n = paces[i].others_n,
			.own_us = 1000 * paces[i].own,
			.others_us = 1000 * paces[i].others };
		pass(S);
		expect_at(2,
		    paces[i].slow ? RO_STAND_ROLLED_BACK : RO_STAND_RUNNING,
		    paces[i].why);
	}
}

/* Logins that began, and came to their end. */
static const struct {
	const char *why;
	uint32_t logins_pct;
	uint64_t own, own_done, others, others_done, after_s;
	enum ro_stand stand;
	const char *says;
} logins[] = {
	{ "not looked at", 0, 100, 0, 100, 90, 60, RO_STAND_RUNNING, "" },
	{ "nor too few", 0, 1, 0, 1, 1, 60, RO_STAND_RUNNING, "" },
	{ "as elsewhere", 20, 100, 90, 1000, 900, 60, RO_STAND_RUNNING, "" },
	{ "a few less", 20, 1000, 730, 1000, 900, 60, RO_STAND_RUNNING, "" },
	{ "a fifth less", 20, 1000, 710, 1000, 900, 60, RO_STAND_ROLLED_BACK,
	    "of 1000 logins that began at v2 710 came to their end (71%), "
	    "elsewhere 90%" },
	{ "and at once", 20, 1000, 710, 1000, 900, 1, RO_STAND_ROLLED_BACK,
	    NULL },
	{ "by chance", 20, 20, 14, 1000, 900, 60, RO_STAND_RUNNING, "" },
	{ "hardly by chance", 20, 40, 25, 1000, 900, 60, RO_STAND_ROLLED_BACK,
	    NULL },
	{ "all of few", 20, 20, 0, 20, 18, 1, RO_STAND_ROLLED_BACK, NULL },
	{ "perhaps by chance, as it is looked at often", 20, 30, 21, 1000, 900,
	    59, RO_STAND_RUNNING, "" },
	{ "little is usual here", 20, 300, 90, 300, 100, 60, RO_STAND_RUNNING,
	    "" },
	{ "more than began", 20, 100, 90, 100, 120, 60, RO_STAND_RUNNING, "" },
	{ "too few", 20, 19, 0, 100, 100, 60, RO_STAND_PAUSED,
	    "not enough to conclude from: 19 logins began at v2, 100 "
	    "elsewhere, and 20 are asked for" },
	{ "too few elsewhere", 20, 100, 0, 19, 19, 60, RO_STAND_PAUSED, NULL },
	{ "but not yet over", 20, 0, 0, 100, 100, 59, RO_STAND_RUNNING, "" },
};

Test(rollout, analysis_of_logins)
{
	for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
		end(), begin();
		go_to_analysis();
		w.s.services[0].rollout.steps[2].logins_pct =
		    logins[i].logins_pct;
		w.paces[0] = (struct ro_pace){ .own = { 1000, 0 },
			.others = { 1000, 0 },
			.counts_logins = true,
			.own_logins = { logins[i].own, logins[i].own_done },
			.others_logins = { logins[i].others,
			    logins[i].others_done } };
		pass(logins[i].after_s * S);
		cr_expect_eq(it()->stand, logins[i].stand, "%s: %s",
		    logins[i].why, it()->why);
		if (logins[i].says != NULL)
			cr_expect_str_eq(it()->why, logins[i].says, "%s",
			    logins[i].why);
	}
}

/* Nobody says what one is: a warning told so. */
Test(rollout, analysis_of_no_logins)
{
	go_to_analysis();
	w.s.services[0].rollout.steps[2].logins_pct = 20;
	count(2, 1000, 0);
	pass(60 * S);
	expect_at(3, RO_STAND_RUNNING, "not counted");
}

/* ---- mirror ---- */

static const struct {
	const char *why;
	uint64_t asked, bad, after_s;
	enum ro_stand stand;
	size_t at;
	const char *says;
} mirrors[] = {
	{ "it goes on", 200, 0, 59, RO_STAND_RUNNING, 0, "" },
	{ "all alike", 200, 0, 60, RO_STAND_RUNNING, 1, "" },
	{ "few are not", 200, 4, 60, RO_STAND_RUNNING, 1, "" },
	{ "too many are not", 200, 10, 1, RO_STAND_ROLLED_BACK, 0,
	    "of 200 requests that v2 was asked, too, it answered 10 otherwise "
	    "(5.0%)" },
	{ "chance", 100, 5, 60, RO_STAND_RUNNING, 1, "" },
	{ "too few to say it", 99, 99, 59, RO_STAND_RUNNING, 0, "" },
	{ "too few", 99, 0, 60, RO_STAND_PAUSED, 0,
	    "not enough to conclude from: v2 was asked 99 requests, too, 100 "
	    "are asked for" },
};

Test(rollout, mirror)
{
	for (size_t i = 0; i < ARRAY_LEN(mirrors); i++) {
		struct service_plan p;

		end(), begin();
		add(CFG_STEP_MIRROR, i % 2 == 0 ? 0 : 2500, 60 * S, 0);
		plan.steps[0].errors_pct = 2;
		plan.steps[0].requests = 100;
		add(CFG_STEP_APPROVE, 0, 0, 0);
		world_fit(&w, 2, true);
		cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
		pass(0);
		machine_plan(&w.s.services[0], w.now, &p);
		cr_expect_eq(p.pools[0].mirror_bp, 0);
		cr_expect_eq(p.pools[1].mirror_bp, i % 2 == 0 ? ALL : 2500);
		w.paces[0].mirrored = (struct ro_toll){ mirrors[i].asked,
			mirrors[i].bad };
		pass(mirrors[i].after_s * S);
		expect_at(mirrors[i].at, mirrors[i].stand, mirrors[i].why);
		cr_expect_str_eq(it()->why, mirrors[i].says, "%s",
		    mirrors[i].why);
		machine_plan(&w.s.services[0], w.now, &p);
		cr_expect_eq(p.pools[1].mirror_bp > 0,
		    it()->at == 0 && it()->stand == RO_STAND_RUNNING, "%s",
		    mirrors[i].why);
		expect_shares(ALL, 0, mirrors[i].why);
	}
}

Test(rollout, analysis_begins_anew)
{
	go_to_analysis();
	count(2, 10, 0);
	pass(60 * S);
	expect_at(2, RO_STAND_PAUSED, "too few");
	cr_assert_eq(TELL(RESUME), RO_NO_NONE);
	pass(59 * S);
	expect_at(2, RO_STAND_RUNNING, "a whole time again");
}

/* ---- jobs ---- */

static void
add_job(enum cfg_step_kind kind, enum cfg_once once)
{
	struct ro_step *s = &plan.steps[plan.n_steps];

	add(kind, 0, 0, 0);
	str_copy(STR("migrate"), s->job, sizeof(s->job));
	s->once = (uint8_t)once;
	str_copy(STR("2.0"), plan.version, sizeof(plan.version));
}

/* 10 %, a job, approve; the job was begun. */
static void
go_to_job(enum cfg_step_kind kind, enum cfg_once once)
{
	add(CFG_STEP_SHARE, 1000, 0, 60 * S);
	add_job(kind, once);
	add(CFG_STEP_APPROVE, 0, 0, 0);
	world_fit(&w, 2, true);
	cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect_at(1, RO_STAND_RUNNING, "the job");
}

static const struct ro_service *
svc(void)
{
	return &w.s.services[0];
}

static bool
wants_run(void)
{
	return machine_wants_run(svc());
}

/* The last run that was begun has ended. */
static void
hear(enum ro_verdict verdict, int status)
{
	struct ro_facts_run *f = &w.runs[0];

	*f = (struct ro_facts_run){ .rollout = it()->id,
		.run = it()->runs,
		.ended = true,
		.verdict = (uint8_t)verdict,
		.exit = (int16_t)status,
		.took_us = 2 * S,
		.said = "table 7" };
	(void)snprintf(f->why, sizeof(f->why), "exit status %d", status);
	pass(0);
}

#define HEAR(verdict, status) hear(RO_VERDICT_##verdict, status)

Test(rollout, a_job_is_begun_once)
{
	go_to_job(CFG_STEP_JOB, CFG_ONCE_NO);
	cr_expect(wants_run());
	pass(0);
	pass(10000 * S);
	expect_at(1, RO_STAND_RUNNING, "it runs");
	cr_expect(it()->entered && wants_run());
	cr_expect_eq(it()->runs, 1);
	HEAR(OK, 0);
	expect_at(2, RO_STAND_RUNNING, "it has ended");
	cr_expect_not(wants_run());
	cr_expect_eq(it()->steps[1].took_us, 2 * S);
	cr_expect_str_eq(it()->steps[1].said, "table 7");
}

/* That there was an end is seen by the time it took. */
Test(rollout, a_job_that_took_no_time)
{
	go_to_job(CFG_STEP_JOB, CFG_ONCE_NO);
	w.runs[0] =
	    (struct ro_facts_run){ .rollout = 1, .run = 1, .ended = true };
	pass(0);
	expect_at(2, RO_STAND_RUNNING, "it has ended");
	cr_expect_eq(it()->steps[1].took_us, 1);
	cr_expect_str_eq(it()->steps[1].said, "");
}

/* What is known that says nothing of it. */
static const struct {
	const char *why;
	uint64_t rollout;
	uint32_t run;
	bool ended;
} others[] = {
	{ "nothing", 0, 0, false },
	{ "it runs", 2, 1, false },
	{ "of the rollout before", 1, 1, true },
	{ "of the next one", 3, 1, true },
	{ "of the run before", 2, 0, true },
	{ "of the next one", 2, 2, true },
};

Test(rollout, news_of_other_runs)
{
	struct ro_facts f = { .pools = w.rows };
	uint64_t due;

	add(CFG_STEP_APPROVE, 0, 0, 0);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	cr_assert_eq(TELL(ABORT), RO_NO_NONE);
	plan.n_steps = 0;
	go_to_job(CFG_STEP_CHECK, CFG_ONCE_NO);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		w.runs[0] = (struct ro_facts_run){ .rollout = others[i].rollout,
			.run = others[i].run,
			.ended = others[i].ended };
		pass(0);
		expect_at(1, RO_STAND_RUNNING, others[i].why);
	}
	w.runs[1] =
	    (struct ro_facts_run){ .rollout = 2, .run = 1, .ended = true };
	pass(0);
	expect_at(1, RO_STAND_RUNNING, "of another service");
	f.wall_us = w.now;
	cr_expect_eq(machine_clock(&w.s, &f, &due), RO_SAME, "no master");
	w.runs[0] = w.runs[1];
	pass(0);
	expect_at(2, RO_STAND_RUNNING, "its own");
}

#define NOT_BESIDE                                                             \
	"job migrate says that the versions must not run side by side "

/* What follows from how it ended. */
static const struct {
	const char *why;
	enum cfg_step_kind kind;
	enum ro_verdict verdict;
	int status;
	enum cfg_on_failure on_failure;
	enum ro_stand stand;
	const char *says;
} ends[] = {
	{ "it is done", CFG_STEP_JOB, RO_VERDICT_OK, 0, CFG_FAILURE_ROLLBACK,
	    RO_STAND_RUNNING, "" },
	{ "done by another status", CFG_STEP_JOB, RO_VERDICT_OK, 9,
	    CFG_FAILURE_ROLLBACK, RO_STAND_RUNNING, "" },
	{ "it asks", CFG_STEP_JOB, RO_VERDICT_ASK, 75, CFG_FAILURE_ROLLBACK,
	    RO_STAND_PAUSED, "job migrate: exit status 75: table 7" },
	{ "it asks with nought", CFG_STEP_JOB, RO_VERDICT_ASK, 0,
	    CFG_FAILURE_ROLLBACK, RO_STAND_PAUSED,
	    "job migrate: exit status 0: table 7" },
	{ "it failed", CFG_STEP_JOB, RO_VERDICT_FAILED, 1, CFG_FAILURE_ROLLBACK,
	    RO_STAND_ROLLED_BACK, "job migrate: exit status 1: table 7" },
	{ "it failed with nought", CFG_STEP_JOB, RO_VERDICT_FAILED, 0,
	    CFG_FAILURE_ROLLBACK, RO_STAND_ROLLED_BACK,
	    "job migrate: exit status 0: table 7" },
	{ "it was killed", CFG_STEP_JOB, RO_VERDICT_FAILED, -1,
	    CFG_FAILURE_ROLLBACK, RO_STAND_ROLLED_BACK,
	    "job migrate: exit status -1: table 7" },
	{ "it failed, for an operator", CFG_STEP_JOB, RO_VERDICT_FAILED, 1,
	    CFG_FAILURE_PAUSE, RO_STAND_PAUSED,
	    "job migrate: exit status 1: table 7" },
	{ "side by side", CFG_STEP_CHECK, RO_VERDICT_OK, 0,
	    CFG_FAILURE_ROLLBACK, RO_STAND_RUNNING, "" },
	{ "its own statuses mean nothing", CFG_STEP_CHECK, RO_VERDICT_FAILED, 0,
	    CFG_FAILURE_ROLLBACK, RO_STAND_RUNNING, "" },
	{ "it could not tell", CFG_STEP_CHECK, RO_VERDICT_FAILED, 1,
	    CFG_FAILURE_ROLLBACK, RO_STAND_PAUSED,
	    "job migrate: exit status 1: table 7" },
	{ "it was not understood", CFG_STEP_CHECK, RO_VERDICT_OK, 2,
	    CFG_FAILURE_ROLLBACK, RO_STAND_PAUSED,
	    "job migrate: exit status 2: table 7" },
	{ "not side by side", CFG_STEP_CHECK, RO_VERDICT_FAILED, 3,
	    CFG_FAILURE_ROLLBACK, RO_STAND_ROLLED_BACK,
	    NOT_BESIDE "(exit status 3): table 7" },
	{ "switched off", CFG_STEP_CHECK, RO_VERDICT_ASK, 4,
	    CFG_FAILURE_ROLLBACK, RO_STAND_ROLLED_BACK,
	    NOT_BESIDE "(exit status 4): table 7" },
	{ "not side by side, for an operator", CFG_STEP_CHECK, RO_VERDICT_OK, 3,
	    CFG_FAILURE_PAUSE, RO_STAND_PAUSED,
	    NOT_BESIDE "(exit status 3): table 7" },
	{ "it is warm", CFG_STEP_WARM, RO_VERDICT_OK, 0, CFG_FAILURE_ROLLBACK,
	    RO_STAND_RUNNING, "" },
	{ "it stays cold", CFG_STEP_WARM, RO_VERDICT_FAILED, 4,
	    CFG_FAILURE_ROLLBACK, RO_STAND_ROLLED_BACK,
	    "job migrate: exit status 4: table 7" },
	{ "it is proved", CFG_STEP_VERIFY, RO_VERDICT_OK, 0,
	    CFG_FAILURE_ROLLBACK, RO_STAND_RUNNING, "" },
	{ "it is not proved", CFG_STEP_VERIFY, RO_VERDICT_FAILED, 1,
	    CFG_FAILURE_ROLLBACK, RO_STAND_ROLLED_BACK,
	    "job migrate: exit status 1: table 7" },
	{ "they are told", CFG_STEP_NOTIFY, RO_VERDICT_OK, 0,
	    CFG_FAILURE_ROLLBACK, RO_STAND_RUNNING, "" },
	{ "nobody is told", CFG_STEP_NOTIFY, RO_VERDICT_FAILED, 5,
	    CFG_FAILURE_PAUSE, RO_STAND_RUNNING, "" },
	{ "nobody is there to be told", CFG_STEP_NOTIFY, RO_VERDICT_ASK, 75,
	    CFG_FAILURE_ROLLBACK, RO_STAND_RUNNING, "" },
	{ "of no meaning", CFG_STEP_CHECK, RO_VERDICT_FAILED, 5,
	    CFG_FAILURE_ROLLBACK, RO_STAND_PAUSED,
	    "job migrate: exit status 5: table 7" },
	{ "the check was killed", CFG_STEP_CHECK, RO_VERDICT_FAILED, -1,
	    CFG_FAILURE_ROLLBACK, RO_STAND_PAUSED,
	    "job migrate: exit status -1: table 7" },
};

Test(rollout, how_jobs_end)
{
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		bool goes_on = ends[i].stand == RO_STAND_RUNNING;
		bool back = ends[i].stand == RO_STAND_ROLLED_BACK;

		end(), begin();
		plan.on_failure = (uint8_t)ends[i].on_failure;
		go_to_job(ends[i].kind, CFG_ONCE_VERSION);
		hear(ends[i].verdict, ends[i].status);
		expect_at(goes_on ? 2 : 1, ends[i].stand, ends[i].why);
		expect_shares(back ? ALL : 9000, back ? 0 : 1000, ends[i].why);
		cr_expect_str_eq(it()->why, ends[i].says, "%s", ends[i].why);
		cr_expect_eq(it()->failed, !goes_on, "%s", ends[i].why);
		cr_expect_not(it()->unknown, "%s", ends[i].why);
		cr_expect_eq(it()->steps[1].exit, ends[i].status, "%s",
		    ends[i].why);
		cr_expect_eq(svc()->n_done,
		    goes_on && ends[i].kind != CFG_STEP_CHECK, "%s",
		    ends[i].why);
		cr_expect_not(wants_run(), "%s", ends[i].why);
	}
}

/* Whether one that was done runs in the next rollout, as it is then. */
static const struct {
	const char *why;
	enum cfg_once once, next;
	const char *version; /* of the next one; the first leads to 2.0 */
	bool again;
	size_t done; /* then */
} onces[] = {
	{ "each time", CFG_ONCE_NO, CFG_ONCE_NO, "2.0", true, 0 },
	{ "the same version", CFG_ONCE_VERSION, CFG_ONCE_VERSION, "2.0", false,
	    1 },
	{ "another version", CFG_ONCE_VERSION, CFG_ONCE_VERSION, "2.1", true,
	    2 },
	{ "the same, once for all", CFG_ONCE_LIFETIME, CFG_ONCE_LIFETIME, "2.0",
	    false, 1 },
	{ "another, once for all", CFG_ONCE_LIFETIME, CFG_ONCE_LIFETIME, "2.1",
	    false, 1 },
	{ "no more once for all", CFG_ONCE_LIFETIME, CFG_ONCE_NO, "2.0", true,
	    1 },
	{ "no more once a version", CFG_ONCE_VERSION, CFG_ONCE_NO, "2.0", true,
	    1 },
	{ "once for all from now on", CFG_ONCE_VERSION, CFG_ONCE_LIFETIME,
	    "2.0", true, 2 },
	{ "once a version from now on", CFG_ONCE_LIFETIME, CFG_ONCE_VERSION,
	    "2.0", true, 2 },
};

Test(rollout, what_is_done_once)
{
	for (size_t i = 0; i < ARRAY_LEN(onces); i++) {
		end(), begin();
		add_job(CFG_STEP_JOB, onces[i].once);
		add(CFG_STEP_APPROVE, 0, 0, 0);
		cr_assert_eq(TELL(START), RO_NO_NONE);
		pass(0);
		cr_expect(wants_run(), "%s", onces[i].why);
		HEAR(OK, 0);
		cr_assert_eq(TELL(ABORT), RO_NO_NONE);
		if (svc()->n_done == 1) {
			cr_expect_str_eq(svc()->done[0].job, "migrate");
			cr_expect_str_eq(svc()->done[0].version,
			    onces[i].once == CFG_ONCE_VERSION ? "2.0" : "");
			cr_expect_eq(svc()->done[0].when_us, w.now);
		}
		plan.steps[0].once = (uint8_t)onces[i].next;
		str_copy(str_of(onces[i].version), plan.version,
		    sizeof(plan.version));
		cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
		pass(0);
		cr_expect_eq(wants_run(), onces[i].again, "%s", onces[i].why);
		cr_expect_eq(it()->runs, 1, "%s", onces[i].why);
		expect_at(onces[i].again ? 0 : 1, RO_STAND_RUNNING,
		    onces[i].why);
		cr_expect_str_eq(it()->steps[0].said,
		    onces[i].again ? "" : "it was done before", "%s",
		    onces[i].why);
		if (onces[i].again)
			HEAR(OK, 0);
		expect_at(1, RO_STAND_RUNNING, onces[i].why);
		cr_expect_eq(svc()->n_done, onces[i].done, "%s", onces[i].why);
	}
}

Test(rollout, what_was_done_is_done_again)
{
	struct ro_command c;

	add_job(CFG_STEP_JOB, CFG_ONCE_LIFETIME);
	add(CFG_STEP_APPROVE, 0, 0, 0);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	HEAR(OK, 0);
	cr_assert_eq(TELL(ABORT), RO_NO_NONE);
	w.s.services[0].n_done = 2;
	w.s.services[0].done[1] = (struct ro_done){ .job = "another" };
	c = world_action(RO_ACTION_START, "v2", &plan);
	c.rerun = c.rehearse = true;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(svc()->n_done, 2, "a rehearsal does nothing");
	cr_assert_eq(TELL(ABORT), RO_NO_NONE);
	c.rehearse = false;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	pass(0);
	cr_expect(wants_run());
	cr_assert_eq(svc()->n_done, 1);
	cr_expect_str_eq(svc()->done[0].job, "another");
	HEAR(OK, 0);
	cr_expect_eq(svc()->n_done, 2);
}

/* Two steps of one job are two runs, unless it is done once; a check is not. */
Test(rollout, each_step_has_its_run)
{
	for (int once = 0; once < CFG_ONCE_COUNT; once++) {
		end(), begin();
		add_job(CFG_STEP_CHECK, (enum cfg_once)once);
		add_job(CFG_STEP_JOB, (enum cfg_once)once);
		add_job(CFG_STEP_JOB, (enum cfg_once)once);
		add_job(CFG_STEP_JOB, (enum cfg_once)once);
		str_copy(STR("other"), plan.steps[3].job, CFG_NAME_MAX);
		cr_assert_eq(TELL(START), RO_NO_NONE);
		pass(0);
		HEAR(OK, 0);
		expect_at(1, RO_STAND_RUNNING, "the check");
		HEAR(OK, 0);
		expect_at(once == CFG_ONCE_NO ? 2 : 3, RO_STAND_RUNNING,
		    steps_once_name((enum cfg_once)once));
		if (once == CFG_ONCE_NO)
			HEAR(OK, 0);
		cr_expect(wants_run());
		cr_expect_eq(it()->runs, 4);
		HEAR(OK, 0);
		expect_at(4, RO_STAND_DONE, "all");
	}
}

/* By hand back to v1, then resumed; the clock has passed. */
static void
undo_and_resume(void)
{
	struct ro_command c = world_command(RO_SWITCH, "v1");

	if (it()->stand == RO_STAND_RUNNING)
		cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	expect_shares(ALL, 0, "by hand");
	cr_assert_eq(TELL(RESUME), RO_NO_NONE, "%s", w.why);
	pass(0);
}

Test(rollout, a_job_that_is_done_is_not_on_a_way_back)
{
	go_to_job(CFG_STEP_JOB, CFG_ONCE_NO);
	HEAR(OK, 0);
	undo_and_resume();
	expect_at(2, RO_STAND_RUNNING, "approve");
	expect_shares(9000, 1000, "again");
	cr_expect_str_eq(it()->steps[1].said, "it was done before");
	cr_assert_eq(TELL(ABORT), RO_NO_NONE);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	expect_at(1, RO_STAND_RUNNING, "but in the next rollout");
	cr_expect(wants_run());
}

/* An operator's pause stops no job, and what it has done is done. */
Test(rollout, a_job_that_ends_in_a_pause)
{
	go_to_job(CFG_STEP_JOB, CFG_ONCE_VERSION);
	cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
	pass(1000 * S);
	cr_expect(wants_run());
	HEAR(OK, 0);
	expect_at(1, RO_STAND_PAUSED, "done");
	cr_expect_not(wants_run());
	cr_expect_eq(svc()->n_done, 1);
	undo_and_resume();
	expect_at(2, RO_STAND_RUNNING, "it does not run again");
	cr_assert_eq(TELL(ABORT), RO_NO_NONE);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	expect_at(2, RO_STAND_RUNNING, "nor in the next rollout");
}

Test(rollout, a_job_that_fails_in_a_pause)
{
	go_to_job(CFG_STEP_JOB, CFG_ONCE_NO);
	cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
	HEAR(FAILED, 1);
	expect_at(1, RO_STAND_PAUSED, "nothing follows yet");
	cr_expect_str_eq(it()->why, "an operator paused it");
	cr_assert_eq(TELL(RESUME), RO_NO_NONE);
	cr_expect_eq(it()->runs, 1, "no other was begun");
	pass(0);
	expect_at(1, RO_STAND_ROLLED_BACK, "now it does");
}

/* One that runs is not ended by it: shares come back behind it. */
Test(rollout, a_job_that_runs_on_a_way_back)
{
	go_to_job(CFG_STEP_JOB, CFG_ONCE_NO);
	undo_and_resume();
	expect_at(1, RO_STAND_RUNNING, "it goes on");
	cr_expect_eq(it()->runs, 1);
	cr_expect(wants_run());
	HEAR(OK, 0);
	expect_at(2, RO_STAND_RUNNING, "back and here again");
	expect_shares(9000, 1000, "again");
	undo_and_resume();
	expect_at(2, RO_STAND_RUNNING, "once more");
}

Test(rollout, a_job_that_runs_before_all_shares)
{
	add_job(CFG_STEP_JOB, CFG_ONCE_NO);
	add(CFG_STEP_APPROVE, 0, 0, 0);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	undo_and_resume();
	expect_at(0, RO_STAND_RUNNING, "it goes on");
	cr_expect_eq(it()->runs, 1);
	HEAR(OK, 0);
	expect_at(1, RO_STAND_RUNNING, "approve");
}

Test(rollout, a_job_that_asks_is_begun_anew)
{
	struct ro_facts_run first;

	go_to_job(CFG_STEP_JOB, CFG_ONCE_NO);
	HEAR(ASK, 75);
	first = w.runs[0];
	for (uint32_t run = 2; run <= 3; run++) {
		expect_at(1, RO_STAND_PAUSED, "it asks");
		cr_assert_eq(run == 2 ? TELL(RESUME) : TELL(RETRY), RO_NO_NONE,
		    "%s", w.why);
		cr_expect_not(wants_run(), "not before it is on disk");
		pass(0);
		cr_expect_eq(it()->runs, run);
		cr_expect(wants_run());
		expect_at(1, RO_STAND_RUNNING, "anew");
		cr_expect_str_eq(it()->why, "");
		cr_expect_eq(it()->steps[1].exit, 0);
		cr_expect_eq(it()->steps[1].took_us, 0);
		cr_expect_str_eq(it()->steps[1].said, "");
		w.runs[0] = first;
		pass(0);
		expect_at(1, RO_STAND_RUNNING, "what the first said is old");
		HEAR(ASK, 75);
	}
}

Test(rollout, a_job_has_no_end_in_time)
{
	for (int fit = 0; fit < 2; fit++) {
		end(), begin();
		add_job(CFG_STEP_JOB, CFG_ONCE_NO);
		add_job(CFG_STEP_CHECK, CFG_ONCE_NO);
		plan.steps[0].deadline_us = plan.steps[1].deadline_us = 60 * S;
		world_fit(&w, 2, fit);
		cr_assert_eq(TELL(START), RO_NO_NONE);
		pass(0);
		pass(59 * S);
		expect_at(0, RO_STAND_RUNNING, "59 s");
		pass(S);
		expect_at(0, RO_STAND_ROLLED_BACK, "60 s");
		cr_expect_str_eq(it()->why, "job migrate did not end in time");
		cr_expect_not(wants_run());
	}
}

/* ---- a job of which nobody knows how it ended ---- */

static void
go_to_unknown(enum cfg_once once)
{
	go_to_job(CFG_STEP_JOB, once);
	w.now += S;
	cr_assert(ro_state_lose_runs(&w.s, w.now));
}

#define UNKNOWN "nobody knows how job migrate ended: segued ended while it ran"

Test(rollout, nobody_knows)
{
	go_to_unknown(CFG_ONCE_VERSION);
	expect_at(1, RO_STAND_PAUSED, "nobody knows");
	cr_expect(it()->failed && it()->unknown);
	cr_expect_str_eq(it()->why, UNKNOWN);
	cr_expect_eq(it()->paused_us, w.now);
	HEAR(OK, 0);
	expect_at(1, RO_STAND_PAUSED, "nor does anybody");
	cr_expect_not(wants_run());
	cr_expect_eq(TELL(APPROVE), RO_NO_ROLLOUT);
	cr_expect_eq(TELL(RESUME), RO_NO_HALTED);
	cr_expect_str_eq(w.why,
	    UNKNOWN "; \"segue rollout retry\" runs it again, skip takes it "
	            "for done");
	cr_expect_not(ro_state_lose_runs(&w.s, w.now), "once is enough");
	expect_at(1, RO_STAND_PAUSED, "nothing has changed");
}

/* ... and need not, of a word to others: it is said once, or never. */
Test(rollout, nobody_knows_who_was_told)
{
	go_to_job(CFG_STEP_NOTIFY, CFG_ONCE_NO);
	cr_assert(ro_state_lose_runs(&w.s, w.now));
	expect_at(1, RO_STAND_RUNNING, "it goes on");
	cr_expect_not(wants_run());
	pass(0);
	expect_at(2, RO_STAND_RUNNING, "with the next step");
	cr_expect_not(it()->failed || it()->unknown);
}

/* Behind a drain nobody is moved for a job that failed; but for a pool that has
 * died all are. */
Test(rollout, what_fails_behind_a_drain_stands_still)
{
	for (int dead = 0; dead < 2; dead++) {
		end(), begin();
		add(CFG_STEP_PROMOTE, 0, 0, 60 * S);
		add(CFG_STEP_DRAIN, 0, 0, 600 * S);
		add_job(CFG_STEP_JOB, CFG_ONCE_NO);
		world_fit(&w, 2, true);
		cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
		for (int i = 0; i < 10 && it()->at < 2; i++)
			pass(60 * S);
		expect_at(2, RO_STAND_RUNNING, "the job");
		if (dead)
			world_fit(&w, 2, false);
		HEAR(FAILED, 1);
		expect_at(2, dead ? RO_STAND_ROLLED_BACK : RO_STAND_PAUSED,
		    dead ? "it cannot serve" : "it serves");
		expect_shares(dead ? ALL : 0, dead ? 0 : ALL, "shares");
		cr_expect(it()->failed);
	}
}

Test(rollout, what_is_drained_is_retired)
{
	add(CFG_STEP_PROMOTE, 0, 0, 60 * S);
	add(CFG_STEP_DRAIN, 0, 0, 600 * S);
	add(CFG_STEP_RETIRE, 0, 0, 60 * S);
	world_fit(&w, 2, true);
	cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
	for (int i = 0; i < 10 && it()->stand == RO_STAND_RUNNING; i++)
		pass(60 * S);
	cr_expect_eq(it()->stand, RO_STAND_DONE, "%s", it()->why);
	cr_expect_eq(svc()->pools[0].state, POOL_RETIRED);
	expect_shares(0, ALL, "the new one has all");
}

/* Who brings it back meanwhile wants it. */
Test(rollout, what_serves_is_not_retired)
{
	add(CFG_STEP_PROMOTE, 0, 0, 60 * S);
	add(CFG_STEP_RETIRE, 0, 0, 60 * S);
	world_fit(&w, 2, true);
	cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
	pass(0);
	cr_expect_not_null(strstr(it()->why,
	                       "v1 is active, and only a drained pool is "
	                       "retired"),
	    "%s", it()->why);
	cr_expect_eq(it()->stand, RO_STAND_ROLLED_BACK);
	expect_shares(ALL, 0, "as before");
}

/* ... and nobody waits for it. */
Test(rollout, nobody_is_held_behind_a_drain)
{
	add(CFG_STEP_PROMOTE, 0, 0, 60 * S);
	add(CFG_STEP_DRAIN, 0, 0, 600 * S);
	add(CFG_STEP_HOLD, 0, 2 * S, 60 * S);
	add(CFG_STEP_APPROVE, 0, 0, 0);
	add(CFG_STEP_RELEASE, 0, 0, 60 * S);
	world_fit(&w, 2, true);
	cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
	for (int i = 0; i < 10 && it()->at < 2; i++)
		pass(60 * S);
	pass(0);
	cr_assert_eq(svc()->hold, HOLD_ALL);
	pass(2 * S);
	cr_expect_eq(it()->stand, RO_STAND_PAUSED, "%s", it()->why);
	cr_expect_eq(svc()->hold, HOLD_NONE, "it serves them");
	expect_shares(0, ALL, "nobody is moved");
}

/* What cannot serve is neither warmed nor proved, and nobody waits for ever. */
Test(rollout, proofs_wait_for_readiness)
{
	static const enum cfg_step_kind kinds[] = { CFG_STEP_WARM,
		CFG_STEP_VERIFY };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		end(), begin();
		add_job(kinds[i], CFG_ONCE_NO);
		plan.steps[0].deadline_us = 600 * S;
		cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
		pass(0);
		cr_expect_not(wants_run());
		world_fit(&w, 2, true);
		pass(0);
		cr_expect(wants_run());
		end(), begin();
		add_job(kinds[i], CFG_ONCE_NO);
		plan.steps[0].deadline_us = 600 * S;
		cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
		pass(600 * S);
		cr_expect_eq(it()->stand, RO_STAND_ROLLED_BACK);
		cr_expect_not_null(strstr(it()->why, "not ready in time"), "%s",
		    it()->why);
	}
}

Test(rollout, retry_runs_it_again)
{
	go_to_unknown(CFG_ONCE_VERSION);
	cr_assert_eq(TELL(RETRY), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect_at(1, RO_STAND_RUNNING, "again");
	cr_expect(wants_run());
	cr_expect_eq(it()->runs, 2);
	cr_expect_not(it()->failed || it()->unknown);
	cr_expect_eq(svc()->n_done, 0);
	HEAR(ASK, 75);
	cr_expect_eq(TELL(RESUME), RO_NO_NONE, "%s", w.why);
}

Test(rollout, skip_takes_it_for_done)
{
	go_to_unknown(CFG_ONCE_VERSION);
	cr_assert_eq(TELL(SKIP), RO_NO_NONE, "%s", w.why);
	expect_at(2, RO_STAND_RUNNING, "approve");
	cr_expect_eq(it()->skipped, 2u);
	cr_expect_not(it()->failed || it()->unknown);
	cr_expect_eq(svc()->n_done, 1);
	undo_and_resume();
	expect_at(2, RO_STAND_RUNNING, "it does not run on a way back");
	cr_assert_eq(TELL(ABORT), RO_NO_NONE);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	expect_at(2, RO_STAND_RUNNING, "nor in the next rollout");
}

/* One that failed, or runs, was not done. */
Test(rollout, skip_takes_no_other_for_done)
{
	for (int failed = 0; failed < 2; failed++) {
		end(), begin();
		go_to_job(CFG_STEP_JOB, CFG_ONCE_VERSION);
		if (failed)
			HEAR(ASK, 75);
		cr_assert_eq(TELL(SKIP), RO_NO_NONE, "%s", w.why);
		expect_at(2, RO_STAND_RUNNING, "approve");
		cr_expect_eq(svc()->n_done, 0);
		cr_expect_eq(it()->ran, 0u);
	}
}

/* ---- when a run is wanted ---- */

Test(rollout, wants_a_run)
{
	cr_expect_not(wants_run(), "there is no rollout");
	add_job(CFG_STEP_JOB, CFG_ONCE_NO);
	add(CFG_STEP_APPROVE, 0, 0, 0);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	cr_expect_not(wants_run(), "it has not come to that");
	pass(0);
	cr_expect(wants_run(), "it runs");
	cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
	cr_expect(wants_run(), "an operator's pause");
	cr_assert_eq(TELL(RESUME), RO_NO_NONE);
	cr_expect(wants_run(), "resumed");
	HEAR(ASK, 75);
	cr_expect_not(wants_run(), "it asks");
	cr_assert_eq(TELL(RETRY), RO_NO_NONE);
	pass(0);
	cr_expect(wants_run(), "once more");
	HEAR(OK, 0);
	expect_at(1, RO_STAND_RUNNING, "approve");
	cr_expect_not(wants_run(), "another step");
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	expect_at(2, RO_STAND_DONE, "done");
	cr_expect_not(wants_run(), "done");
}

Test(rollout, whoever_ends_it_wants_no_run)
{
	static const enum ro_action actions[] = { RO_ACTION_ABORT,
		RO_ACTION_ROLLBACK, RO_ACTION_SKIP };

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		end(), begin();
		go_to_job(CFG_STEP_JOB, CFG_ONCE_NO);
		cr_expect(wants_run());
		cr_assert_eq(tell(actions[i], false), RO_NO_NONE, "%s", w.why);
		cr_expect_not(wants_run(), "%s", ro_action_name(actions[i]));
	}
	end(), begin();
	go_to_job(CFG_STEP_JOB, CFG_ONCE_NO);
	world_fit(&w, 2, false);
	pass(S);
	expect_at(1, RO_STAND_ROLLED_BACK, "v2 is lost");
	cr_expect_not(wants_run(), "v2 is lost");
}

/* ---- the table of what is done ---- */

/* So many of it are once for all, the first ones. */
static void
fill_done(size_t lifetime)
{
	struct ro_service *s = &w.s.services[0];

	for (s->n_done = 0; s->n_done < RO_DONE_MAX; s->n_done++) {
		struct ro_done *d = &s->done[s->n_done];

		(void)snprintf(d->job, sizeof(d->job), "j%zu", s->n_done);
		(void)snprintf(d->version, sizeof(d->version), "%s",
		    s->n_done < lifetime ? "" : "1.0");
	}
}

static const struct {
	size_t lifetime;
	const char *gone;
} full[] = {
	{ 0, "j0" },
	{ 2, "j2" },
	{ RO_DONE_MAX - 1, "j63" },
	{ RO_DONE_MAX, "j0" },
};

Test(rollout, the_oldest_version_is_forgotten)
{
	for (size_t i = 0; i < ARRAY_LEN(full); i++) {
		size_t n = 0;

		end(), begin();
		fill_done(full[i].lifetime);
		go_to_job(CFG_STEP_JOB, CFG_ONCE_LIFETIME);
		HEAR(OK, 0);
		cr_assert_eq(svc()->n_done, RO_DONE_MAX);
		for (size_t d = 0; d < RO_DONE_MAX; d++) {
			cr_expect_str_neq(svc()->done[d].job, full[i].gone,
			    "%zu once for all", full[i].lifetime);
			n += svc()->done[d].job[0] == 'j';
		}
		cr_expect_eq(n, RO_DONE_MAX - 1);
		cr_expect_str_eq(svc()->done[RO_DONE_MAX - 1].job, "migrate");
	}
}

/* ---- operators ---- */

/* What each action says when: none yet, running, paused, done. */
static const struct {
	enum ro_action action;
	enum ro_refusal never, running, paused, done;
} edges[] = {
	{ RO_ACTION_START, RO_NO_NONE, RO_NO_ROLLOUT, RO_NO_ROLLOUT,
	    RO_NO_NONE },
	{ RO_ACTION_PAUSE, RO_NO_ROLLOUT, RO_NO_NONE, RO_NO_NONE,
	    RO_NO_ROLLOUT },
	{ RO_ACTION_RESUME, RO_NO_ROLLOUT, RO_NO_NONE, RO_NO_NONE,
	    RO_NO_ROLLOUT },
	{ RO_ACTION_APPROVE, RO_NO_ROLLOUT, RO_NO_NONE, RO_NO_ROLLOUT,
	    RO_NO_ROLLOUT },
	{ RO_ACTION_SKIP, RO_NO_ROLLOUT, RO_NO_NONE, RO_NO_NONE,
	    RO_NO_ROLLOUT },
	{ RO_ACTION_RETRY, RO_NO_ROLLOUT, RO_NO_ROLLOUT, RO_NO_ROLLOUT,
	    RO_NO_ROLLOUT },
	{ RO_ACTION_ABORT, RO_NO_ROLLOUT, RO_NO_NONE, RO_NO_NONE,
	    RO_NO_ROLLOUT },
	{ RO_ACTION_ROLLBACK, RO_NO_ROLLOUT, RO_NO_NONE, RO_NO_NONE,
	    RO_NO_ROLLOUT },
};

Test(rollout, every_action_in_every_stand)
{
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		const char *name = ro_action_name(edges[i].action);

		end(), begin();
		plan_canary();
		cr_expect_eq(tell(edges[i].action, false), edges[i].never,
		    "%s, never: %s", name, w.why);
		end(), begin();
		go_to_approve();
		cr_expect_eq(tell(edges[i].action, false), edges[i].running,
		    "%s, running: %s", name, w.why);
		end(), begin();
		go_to_approve();
		cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
		cr_expect_eq(tell(edges[i].action, false), edges[i].paused,
		    "%s, paused: %s", name, w.why);
		end(), begin();
		go_to_approve();
		cr_assert_eq(TELL(ABORT), RO_NO_NONE);
		cr_expect_eq(tell(edges[i].action, false), edges[i].done,
		    "%s, done: %s", name, w.why);
	}
}

Test(rollout, a_pause_stops_the_clock)
{
	plan_canary();
	world_fit(&w, 2, true);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	pass(10 * S);
	cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
	pass(1000 * S);
	expect_at(2, RO_STAND_PAUSED, "paused");
	cr_assert_eq(TELL(RESUME), RO_NO_NONE);
	pass(19 * S);
	expect_at(2, RO_STAND_RUNNING, "29 s in all");
	pass(S);
	expect_at(3, RO_STAND_RUNNING, "30 s in all");
}

Test(rollout, skip_passes_a_step_over)
{
	plan_canary();
	cr_assert_eq(TELL(START), RO_NO_NONE);
	cr_assert_eq(TELL(SKIP), RO_NO_NONE);
	expect_at(1, RO_STAND_RUNNING, "ready was skipped");
	for (size_t i = 0; i < 5; i++)
		cr_assert_eq(TELL(SKIP), RO_NO_NONE, "%s", w.why);
	expect_at(6, RO_STAND_DONE, "all were");
	cr_expect_eq(it()->skipped, 0x3fu);
	expect_shares(ALL, 0, "nothing was done");
}

Test(rollout, abort_leaves_traffic)
{
	go_to_approve();
	cr_assert_eq(TELL(ABORT), RO_NO_NONE);
	pass(1000 * S);
	expect_at(3, RO_STAND_ABORTED, "aborted");
	expect_shares(9000, 1000, "aborted");
}

Test(rollout, rollback_gives_shares_back)
{
	world_put(&w, 3, POOL_ACTIVE, 2500);
	world_put(&w, 1, POOL_ACTIVE, 7500);
	world_fit(&w, 3, true);
	go_to_approve();
	cr_expect_eq(world_pool(&w, 3)->share_bp, 2250);
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	world_facts(&w, 1)->sessions = world_facts(&w, 3)->sessions = 1;
	pass(0);
	expect_at(5, RO_STAND_RUNNING, "drain");
	cr_assert_eq(TELL(ROLLBACK), RO_NO_NONE, "%s", w.why);
	expect_shares(7500, 0, "rolled back");
	cr_expect_eq(world_pool(&w, 3)->share_bp, 2500);
	cr_expect_eq(world_pool(&w, 1)->state, POOL_ACTIVE);
	cr_expect_eq(world_pool(&w, 2)->state, POOL_DRAINING);
}

/* Commands about pools would pull where it pushes. */
Test(rollout, other_commands_are_refused)
{
	struct ro_command c = world_command(RO_SHARE, "v2");

	go_to_approve();
	c.share_bp = 5000;
	c.force = true;
	cr_expect_eq(world_do(&w, &c), RO_NO_ROLLOUT);
	cr_expect_not_null(strstr(w.why,
	                       "step 4 of 6, approve; \"segue rollout"),
	    "%s", w.why);
	c.force = false;
	cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	expect_shares(5000, 5000, "by hand");
	expect_at(3, RO_STAND_PAUSED, "by hand");
	cr_assert_eq(TELL(RESUME), RO_NO_NONE);
	pass(0);
	expect_shares(9000, 1000, "as the step has it");
	expect_at(2, RO_STAND_RUNNING, "from there on");
	c = world_command(RO_INSTANCE, "v2");
	w.inst = (struct ro_facts_instance){ .exists = true,
		.eligible = true,
		.configured = "127.0.0.1:2" };
	str_copy(STR("i1"), c.instance, sizeof(c.instance));
	c.admin = INST_MAINT;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "of instances: %s", w.why);
}

static const struct {
	enum pool_state state;
	uint32_t share_bp;
	enum ro_refusal refusal;
} starts[] = {
	{ POOL_COLD, 0, RO_NO_NONE },
	{ POOL_READY, 0, RO_NO_NONE },
	{ POOL_ACTIVE, 0, RO_NO_NONE },
	{ POOL_ACTIVE, 1000, RO_NO_NONE },
	{ POOL_DRAINED, 0, RO_NO_NONE },
	{ POOL_FAILED, 0, RO_NO_NONE },
	{ POOL_DRAINING, 0, RO_NO_DRAINING },
	{ POOL_ACTIVE, ALL, RO_NO_ROLLOUT },
};

Test(rollout, may_start_to)
{
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		end(), begin();
		plan_canary();
		world_put(&w, 2, starts[i].state, starts[i].share_bp);
		world_put(&w, 1, POOL_ACTIVE, ALL - starts[i].share_bp);
		cr_expect_eq(TELL(START), starts[i].refusal, "%zu: %s", i,
		    w.why);
	}
}

/* ---- on disk ---- */

Test(rollout, survives_on_disk)
{
	struct buf text = BUF_INIT, again = BUF_INIT;
	struct ro_state back;
	char why[256];

	go_to_approve();
	str_copy(STR("look at \"it\""), w.s.services[0].rollout.steps[3].name,
	    CFG_NAME_MAX);
	ro_state_write(&w.s, &text);
	cr_assert_eq(ro_state_new(&back), E_OK);
	cr_assert_eq(ro_state_read(buf_str(&text), &back, why, sizeof(why)),
	    E_OK, "%s", why);
	ro_state_write(&back, &again);
	cr_expect(str_eq(buf_str(&text), buf_str(&again)));
	cr_expect_eq(back.services[0].rollout.at, 3);
	cr_expect_eq(back.services[0].rollout.n_steps, 6);
	cr_expect_eq(back.services[0].rollout.before[0].share_bp, ALL);
	ro_state_free(&back);
	buf_free(&text);
	buf_free(&again);
}

Test(rollout, ends_with_its_pool)
{
	struct cfg_problems problems;
	struct cfg *cfg;

	go_to_approve();
	cr_assert_eq(cfg_parse(STR("listeners: \":1\"\nservices:\n"
	                           "  - { name: a, pools: [ { name: v1, "
	                           "instances: [ \"127.0.0.1:1\" ] } ] }\n"),
	                 "f", &cfg, &problems),
	    E_OK);
	cr_assert_eq(ro_state_reconcile(&w.s, cfg, w.now, NULL), E_OK);
	expect_at(3, RO_STAND_ABORTED, "v2 is no more");
	cr_expect_str_eq(it()->why, "its pool is no more");
	cfg_problems_free(&problems);
	cfg_unref(&cfg);
}

/* ---- plans ---- */

static void
expect_plan(const char *rollout, const char *expected)
{
	struct buf text = BUF_INIT, said = BUF_INIT;
	struct cfg_problems problems;
	struct ro_rollout r = { .id = 7 };
	struct cfg *cfg;

	buf_printf(&text,
	    "listeners: \":1\"\nservices:\n"
	    "  - name: a\n    rollout: %s\n"
	    "    pools: [ { name: v1, instances: [ \"127.0.0.1:1\" ] } ]\n",
	    rollout);
	cr_assert_eq(cfg_parse(buf_str(&text), "f", &cfg, &problems), E_OK,
	    "%s: %s", rollout, problems.n > 0 ? problems.list[0].text : "");
	steps_plan(&cfg->services[0], "v2", &r);
	for (size_t i = 0; i < r.n_steps; i++) {
		buf_add_cstr(&said, i == 0 ? "" : ", ");
		steps_describe(&r.steps[i], &said);
	}
	cr_expect_str_eq(said.p, expected, "%s", rollout);
	cr_expect_eq(r.id, 7);
	cfg_problems_free(&problems);
	cfg_unref(&cfg);
	buf_free(&text);
	buf_free(&said);
}

#define STOP_START                                                             \
	"jobs: [ { name: stop, command: /a }, { name: start, command: /b }"
#define PROOFS                                                                 \
	"jobs: [ { name: warm, command: /w }, { name: verify, command: /v }, " \
	"{ name: notify, command: /n }"
#define EITHER                                                                 \
	"hold 5m, job stop, gone, job start, job start, ready, share 10%, "    \
	"analyze 10m, promote, release, drain, job stop"

Test(rollout, presets_are_written_out)
{
	expect_plan("{}", "ready, promote, drain");
	expect_plan("{ strategy: canary }",
	    "ready, share 5%, analyze 10m, share 25%, analyze 10m, share 50%, "
	    "analyze 10m, promote, drain");
	expect_plan("{ strategy: rolling, jobs: [ { name: restart, command: /a "
	            "} ] }",
	    "roll restart");
	expect_plan("{ strategy: recreate, " STOP_START "] }",
	    "hold 5m, job stop, gone, job start, ready, promote, release");
	expect_plan("{ strategy: auto, " STOP_START
	            ", { name: check, command: /c } ] }",
	    "check check, " EITHER);
	expect_plan("{ strategy: explicit, " STOP_START "] }",
	    "check revision, " EITHER);
	expect_plan("{ strategy: recreate_on_change, " STOP_START "] }",
	    "check version, " EITHER);
	expect_plan("{ " PROOFS " ] }",
	    "ready, warm warm, verify verify, promote, drain, notify notify");
	expect_plan("{ strategy: canary, jobs: [ { name: verify, command: /v "
	            "} ] }",
	    "ready, verify verify, share 5%, analyze 10m, share 25%, analyze "
	    "10m, share 50%, analyze 10m, promote, drain");
	expect_plan("{ strategy: recreate, " PROOFS
	            ", { name: stop, command: /a }, { name: start, command: "
	            "/b } ] }",
	    "hold 5m, job stop, gone, job start, ready, warm warm, verify "
	    "verify, promote, release, notify notify");
	expect_plan("{ strategy: rolling, " PROOFS
	            ", { name: restart, command: /a } ] }",
	    "roll restart, verify verify, notify notify");
	expect_plan(
	    "{ steps: [ ready, { step: share, share: 12.5%, name: a-few }"
	    ", { step: pause, for: 90s }, approve, promote ] }",
	    "ready, a-few: share 12.5%, pause 1m30s, approve, promote");
	expect_plan("{ jobs: [ { name: fits, command: /a }, { name: migrate, "
	            "command: /b } ], steps: [ { step: check, job: fits }, "
	            "{ step: job, job: migrate, name: tables }, promote ] }",
	    "check fits, tables: job migrate, promote");
}

/* What it takes out of the configuration, which may change meanwhile. */
Test(rollout, plans_know_versions_and_jobs)
{
	static const char text[] =
	    "listeners: \":1\"\nservices:\n"
	    "  - name: a\n    rollout: { steps: [ ready, { step: job, job: m "
	    "}, "
	    "promote ], jobs: [ { name: m, command: /m, once: lifetime } ] }\n"
	    "    pools: [ { name: v1, instances: [ \"127.0.0.1:1\" ] }, "
	    "{ name: v2, version: 26.6.2, instances: [ \"127.0.0.1:2\" ] } "
	    "]\n";
	struct cfg_problems problems;
	struct ro_rollout r = { .id = 7 };
	struct cfg *cfg;

	cr_assert_eq(cfg_parse(STR(text), "f", &cfg, &problems), E_OK);
	steps_plan(&cfg->services[0], "v1", &r);
	cr_expect_str_eq(r.version, "v1", "its name");
	steps_plan(&cfg->services[0], "v2", &r);
	cr_expect_str_eq(r.version, "26.6.2");
	cr_expect_str_eq(r.steps[0].job, "");
	cr_expect_str_eq(r.steps[1].job, "m");
	cr_expect_eq(r.steps[1].once, CFG_ONCE_LIFETIME);
	cr_expect_eq(r.steps[1].deadline_us, 0, "the job has its own");
	cr_expect_not(steps_has_job(&r.steps[0]));
	cr_expect(steps_has_job(&r.steps[1]));
	cfg_problems_free(&problems);
	cfg_unref(&cfg);
}

/* ---- what it waits for ---- */

static void
expect_holds(const char *expected)
{
	struct ro_facts f = { .wall_us = w.now, .pools = w.rows };
	char holds[MACHINE_HOLDS_MAX];

	machine_rollout_holds(&w.s, 0, &f, holds);
	cr_expect_str_eq(holds, expected);
}

Test(rollout, says_what_it_waits_for)
{
	plan_canary();
	expect_holds("");
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	expect_holds("v2 is not ready: i1 is down: connection refused");
	world_fit(&w, 2, true);
	pass(0);
	expect_holds("");
	pass(30 * S);
	expect_holds("it waits for \"segue rollout approve\"");
	cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
	expect_holds("\"segue rollout resume\" lets it go on");
}

Test(rollout, says_that_it_waits_for_a_job)
{
	go_to_job(CFG_STEP_CHECK, CFG_ONCE_NO);
	expect_holds("job migrate runs");
	HEAR(ASK, 1);
	expect_holds("\"segue rollout resume\" begins the step anew, skip goes "
	             "on without it");
	cr_assert_eq(TELL(RETRY), RO_NO_NONE);
	pass(0);
	cr_assert(ro_state_lose_runs(&w.s, w.now));
	expect_holds(
	    "\"segue rollout retry\" runs the job again, skip takes it "
	    "for done");
}

Test(rollout, names_of_kinds)
{
	for (int k = 0; k < CFG_STEP_COUNT; k++)
		cr_expect_eq(
		    steps_kind_of(steps_kind_name((enum cfg_step_kind)k)), k);
	for (int s = 0; s < RO_STAND_COUNT; s++)
		cr_expect_eq(steps_stand_of(steps_stand_name((enum ro_stand)s)),
		    s);
	for (int o = 0; o < CFG_ONCE_COUNT; o++)
		cr_expect_eq(steps_once_of(steps_once_name((enum cfg_once)o)),
		    o);
	cr_expect_eq(steps_once_of("twice"), -1);
	cr_expect_eq(steps_kind_of("redy"), -1);
	cr_expect_eq(steps_stand_of(""), -1);
}

/* ---- requests wait ---- */

static struct ro_step *
last_step(void)
{
	return &plan.steps[plan.n_steps - 1];
}

/* hold, approve, release, approve; it was begun, with so much on its way. */
static void
go_to_hold(bool writes_only, uint64_t for_us, uint64_t inflight,
    uint64_t writes)
{
	add(CFG_STEP_HOLD, 0, for_us, 60 * S);
	last_step()->writes_only = writes_only;
	add(CFG_STEP_APPROVE, 0, 0, 0);
	add(CFG_STEP_RELEASE, 0, 0, 60 * S);
	add(CFG_STEP_APPROVE, 0, 0, 0);
	world_facts(&w, 1)->inflight = inflight;
	world_facts(&w, 1)->writes = writes;
	world_fit(&w, 2, true);
	cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
	pass(0);
}

static uint64_t
held_left(void)
{
	struct ro_facts f = { .pools = w.rows };

	return machine_held_left(&w.s, svc(), &f);
}

static const struct {
	const char *why;
	bool writes_only;
	uint64_t inflight, writes;
	uint64_t left;
} holds[] = {
	{ "all are through", false, 0, 0, 0 },
	{ "reads are not", false, 3, 0, 3 },
	{ "none are", false, 3, 2, 3 },
	{ "reads may go on", true, 3, 0, 0 },
	{ "writes may not", true, 3, 2, 2 },
};

Test(rollout, hold_waits_for_those_on_their_way)
{
	for (size_t i = 0; i < ARRAY_LEN(holds); i++) {
		end(), begin();
		go_to_hold(holds[i].writes_only, 0, holds[i].inflight,
		    holds[i].writes);
		cr_expect_eq(held_left(), holds[i].left, "%s: %llu",
		    holds[i].why, (unsigned long long)held_left());
		expect_at(holds[i].left > 0 ? 0 : 1, RO_STAND_RUNNING,
		    holds[i].why);
		cr_expect_eq(svc()->hold,
		    holds[i].writes_only ? HOLD_WRITES : HOLD_ALL, "%s",
		    holds[i].why);
		cr_expect_eq(svc()->held_us, w.now, "%s", holds[i].why);
		if (holds[i].left == 0)
			continue;
		cr_expect_eq(w.due, w.now + S / 50, "it looks again soon");
		world_facts(&w, 1)->inflight = 0;
		world_facts(&w, 1)->writes = 0;
		pass(S);
		expect_at(1, RO_STAND_RUNNING, holds[i].why);
	}
}

Test(rollout, hold_waits_for_workers)
{
	world_facts(&w, 1)->view_current = false;
	world_facts(&w, 3)->view_current = false;
	go_to_hold(false, 0, 0, 0);
	expect_at(0, RO_STAND_RUNNING, "they route by what was before");
	cr_expect_eq(held_left(), 2);
	world_facts(&w, 1)->view_current = true;
	world_facts(&w, 3)->exists = false;
	pass(S);
	expect_at(1, RO_STAND_RUNNING, "they hold");
}

Test(rollout, hold_that_comes_to_nothing)
{
	go_to_hold(false, 0, 7, 0);
	pass(59 * S);
	expect_at(0, RO_STAND_RUNNING, "59 s");
	pass(S);
	expect_at(0, RO_STAND_ROLLED_BACK, "60 s");
	cr_expect_str_eq(it()->why, "what was on its way did not end in time");
	cr_expect_eq(svc()->hold, HOLD_NONE, "nobody waits");
	cr_expect_eq(it()->held_us, 60 * S);
}

/* However many steps come behind it. */
Test(rollout, requests_are_held_for_so_long)
{
	go_to_hold(false, 10 * S, 0, 0);
	expect_at(1, RO_STAND_RUNNING, "approve");
	cr_expect_eq(w.due, w.now + 10 * S);
	pass(9 * S);
	expect_at(1, RO_STAND_RUNNING, "9 s");
	cr_expect_eq(steps_held_us(svc(), w.now), 9 * S);
	pass(S);
	expect_at(1, RO_STAND_ROLLED_BACK, "10 s");
	cr_expect_str_eq(it()->why,
	    "requests were held for as long as they may be");
	cr_expect_eq(svc()->hold, HOLD_NONE);
	cr_expect_eq(svc()->held_us, 0);
	cr_expect_eq(it()->held_us, 10 * S);
	cr_expect_eq(steps_held_us(svc(), w.now + S), 10 * S);
}

Test(rollout, release_waits_until_all_were_sent_on)
{
	go_to_hold(false, 10 * S, 0, 0);
	pass(4 * S);
	w.counts[0].waiting = 5;
	w.counts[1].waiting = 9; /* of another service */
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	pass(0);
	expect_at(2, RO_STAND_RUNNING, "5 wait");
	cr_expect_eq(svc()->hold, HOLD_NONE);
	cr_expect_eq(it()->hold_until_us, 0);
	cr_expect_eq(it()->held_us, 4 * S);
	cr_expect_eq(w.due, w.now + S / 50, "it looks again soon");
	w.counts[0].waiting = 0;
	world_facts(&w, 2)->view_current = false;
	pass(S);
	expect_at(2, RO_STAND_RUNNING, "workers hold");
	world_facts(&w, 2)->view_current = true;
	pass(S);
	expect_at(3, RO_STAND_RUNNING, "none does");
	pass(20 * S);
	expect_at(3, RO_STAND_RUNNING, "its time is of no account");
	cr_expect_eq(it()->steps[2].lasted_us, 2 * S);
}

Test(rollout, release_that_comes_to_nothing)
{
	go_to_hold(false, 0, 0, 0);
	w.counts[0].waiting = 1;
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	pass(0);
	pass(60 * S);
	expect_at(2, RO_STAND_ROLLED_BACK, "60 s");
	cr_expect_str_eq(it()->why, "what was held was not sent on in time");
}

/* v1 had a share and v3 had none: its instances are nobody's concern. */
Test(rollout, gone_waits_for_those_that_served)
{
	add(CFG_STEP_GONE, 0, 0, 300 * S);
	add(CFG_STEP_APPROVE, 0, 0, 0);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	expect_at(0, RO_STAND_RUNNING, "both are there");
	world_facts(&w, 1)->gone = 1;
	pass(S);
	expect_at(0, RO_STAND_RUNNING, "one is");
	world_facts(&w, 1)->gone = 2;
	pass(S);
	expect_at(1, RO_STAND_RUNNING, "none is");
}

Test(rollout, gone_that_comes_to_nothing)
{
	add(CFG_STEP_GONE, 0, 0, 300 * S);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	pass(300 * S);
	expect_at(0, RO_STAND_ROLLED_BACK, "300 s");
	cr_expect_str_eq(it()->why,
	    "the instances that served are not gone in time");
}

/* ---- hold and release by hand ---- */

static enum ro_refusal
give_hold(enum ro_verb verb, bool writes_only)
{
	struct ro_command c = world_command(verb, "");

	c.writes_only = writes_only;
	return world_do(&w, &c);
}

/* Who began to hold ends it. */
Test(rollout, what_is_held_by_hand_stays_so)
{
	cr_assert_eq(give_hold(RO_HOLD, false), RO_NO_NONE, "%s", w.why);
	add(CFG_STEP_APPROVE, 0, 0, 0);
	cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
	pass(0);
	cr_assert_eq(TELL(ROLLBACK), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(svc()->hold, HOLD_ALL);
}

Test(rollout, hold_and_release_by_hand)
{
	uint32_t epoch = svc()->epoch;
	uint64_t began = w.now;

	cr_expect_eq(give_hold(RO_RELEASE, false), RO_NO_NOT_HELD);
	cr_expect_str_eq(w.why, "a is not held");
	cr_assert_eq(give_hold(RO_HOLD, true), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(svc()->hold, HOLD_WRITES);
	cr_expect_eq(svc()->epoch, epoch + 1);
	w.now += S;
	cr_assert_eq(give_hold(RO_HOLD, true), RO_NO_NONE);
	cr_expect_eq(svc()->epoch, epoch + 1, "the same again");
	cr_assert_eq(give_hold(RO_HOLD, false), RO_NO_NONE);
	cr_expect_eq(svc()->hold, HOLD_ALL);
	cr_expect_eq(svc()->held_us, began, "it has been all the time");
	cr_expect_eq(w.s.services[1].hold, HOLD_NONE);
	cr_assert_eq(give_hold(RO_RELEASE, false), RO_NO_NONE);
	cr_expect_eq(svc()->hold, HOLD_NONE);
	cr_expect_eq(svc()->held_us, 0);
	cr_expect_eq(it()->held_us, 0, "of no rollout");
}

Test(rollout, hold_by_hand_and_a_rollout)
{
	struct service_plan p;

	go_to_hold(true, 0, 0, 0);
	cr_expect_eq(give_hold(RO_HOLD, false), RO_NO_ROLLOUT);
	cr_expect_eq(give_hold(RO_RELEASE, false), RO_NO_ROLLOUT);
	machine_plan(svc(), w.now, &p);
	cr_expect_eq(p.hold, HOLD_WRITES, "workers are told");
	cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
	w.now += 3 * S;
	cr_assert_eq(give_hold(RO_RELEASE, false), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(it()->held_us, 3 * S);
	machine_plan(svc(), w.now, &p);
	cr_expect_eq(p.hold, HOLD_NONE);
}

/* What it ended with was held in it; what comes later is not. */
Test(rollout, given_up_while_requests_wait)
{
	go_to_hold(false, 0, 0, 0);
	w.now += 4 * S;
	cr_assert_eq(TELL(ABORT), RO_NO_NONE);
	cr_expect_eq(svc()->hold, HOLD_ALL, "as it was");
	cr_expect_eq(it()->held_us, 4 * S);
	w.now += S;
	cr_expect_eq(steps_held_us(svc(), w.now), 4 * S);
	cr_assert_eq(give_hold(RO_RELEASE, false), RO_NO_NONE);
	cr_expect_eq(it()->held_us, 4 * S);
}

Test(rollout, held_before_it_began)
{
	cr_assert_eq(give_hold(RO_HOLD, false), RO_NO_NONE);
	w.now += 5 * S;
	add(CFG_STEP_APPROVE, 0, 0, 0);
	add(CFG_STEP_RELEASE, 0, 0, 60 * S);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	pass(3 * S);
	cr_expect_eq(steps_held_us(svc(), w.now), 3 * S);
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	pass(0);
	expect_at(2, RO_STAND_DONE, "released");
	cr_expect_eq(it()->held_us, 3 * S);
}

/* ---- no way back ---- */

/* 10 %, a job with no way back, approve; the job was begun. */
static void
go_past_return(void)
{
	add(CFG_STEP_SHARE, 1000, 0, 60 * S);
	add_job(CFG_STEP_JOB, CFG_ONCE_NO);
	last_step()->no_return = true;
	add(CFG_STEP_APPROVE, 0, 0, 0);
	world_fit(&w, 2, true);
	cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect_at(1, RO_STAND_RUNNING, "the job");
}

#define NO_WAY "there is no way back since step 2, job migrate"

Test(rollout, what_fails_past_return_pauses)
{
	go_past_return();
	HEAR(FAILED, 1);
	expect_at(1, RO_STAND_PAUSED, "it failed");
	cr_expect_str_eq(it()->why,
	    "job migrate: exit status 1: table 7; " NO_WAY);
	cr_expect(it()->failed);
	expect_shares(9000, 1000, "it failed");
	cr_assert_eq(TELL(RETRY), RO_NO_NONE, "%s", w.why);
	pass(0);
	HEAR(OK, 0);
	world_fit(&w, 2, false);
	pass(S);
	expect_at(2, RO_STAND_PAUSED, "v2 is lost");
	expect_shares(9000, 1000, "v2 is lost");
}

Test(rollout, rollback_past_return_is_forced)
{
	go_past_return();
	cr_expect_eq(TELL(ROLLBACK), RO_NO_HALTED);
	cr_expect_str_eq(w.why, NO_WAY "; --force does it all the same");
	expect_at(1, RO_STAND_RUNNING, "refused");
	cr_assert_eq(tell(RO_ACTION_ROLLBACK, true), RO_NO_NONE, "%s", w.why);
	expect_at(1, RO_STAND_ROLLED_BACK, "forced");
	expect_shares(ALL, 0, "forced");
}

Test(rollout, rollback_before_return)
{
	add(CFG_STEP_APPROVE, 0, 0, 0);
	add_job(CFG_STEP_JOB, CFG_ONCE_NO);
	last_step()->no_return = true;
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	cr_assert_eq(TELL(ROLLBACK), RO_NO_NONE, "%s", w.why);
	expect_at(0, RO_STAND_ROLLED_BACK, "before");
}

/* It was not taken, so that nothing was done of which there is no way back. */
Test(rollout, a_step_that_was_skipped_has_a_way_back)
{
	add(CFG_STEP_PROMOTE, 0, 0, 60 * S);
	last_step()->no_return = true;
	add(CFG_STEP_APPROVE, 0, 0, 0);
	world_fit(&w, 2, false);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	cr_expect_not(it()->entered, "v2 is not ready");
	cr_assert_eq(TELL(SKIP), RO_NO_NONE);
	cr_expect_eq(steps_no_return(it()), it()->n_steps);
	cr_assert_eq(TELL(ROLLBACK), RO_NO_NONE, "%s", w.why);
	expect_at(1, RO_STAND_ROLLED_BACK, "back");
}

/* Nobody knows how much it did before it failed. */
Test(rollout, a_step_that_failed_and_was_skipped_has_none)
{
	go_past_return();
	HEAR(FAILED, 1);
	cr_assert_eq(TELL(SKIP), RO_NO_NONE, "%s", w.why);
	pass(0);
	cr_expect_eq(TELL(ROLLBACK), RO_NO_HALTED);
	cr_expect(str_starts(str_of(w.why), STR(NO_WAY)), "%s", w.why);
}

/* It has not begun again yet, but it had. */
Test(rollout, no_way_back_between_two_tries)
{
	go_past_return();
	HEAR(FAILED, 1);
	cr_assert_eq(TELL(RETRY), RO_NO_NONE, "%s", w.why);
	cr_expect_not(it()->entered);
	cr_expect_eq(TELL(ROLLBACK), RO_NO_HALTED);
}

/* Shares that an operator moved lead to a step before it. */
Test(rollout, no_way_back_from_before_it_either)
{
	struct ro_command c = world_command(RO_SHARE, "v2");

	go_past_return();
	HEAR(OK, 0);
	pass(0);
	expect_at(2, RO_STAND_RUNNING, "approve");
	cr_assert_eq(TELL(PAUSE), RO_NO_NONE);
	c.share_bp = 2000;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_assert_eq(TELL(RESUME), RO_NO_NONE);
	cr_expect_eq(it()->at, 0u);
	cr_expect_eq(TELL(ROLLBACK), RO_NO_HALTED);
	world_fit(&w, 2, false);
	pass(S);
	expect_at(0, RO_STAND_PAUSED, "v2 is lost");
}

/* ---- may the versions run side by side? ---- */

/* check, then one step for each way and one for both. */
static void
plan_ways(enum cfg_by by, bool recreate)
{
	static const enum cfg_only ways[] = { CFG_ONLY_ROLLING,
		CFG_ONLY_RECREATE, CFG_ONLY_ALWAYS };

	if (by == CFG_BY_JOB)
		add_job(CFG_STEP_CHECK, CFG_ONCE_NO);
	else
		add(CFG_STEP_CHECK, 0, 0, 0);
	last_step()->by = (uint8_t)by;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		if (ways[i] == CFG_ONLY_RECREATE && !recreate)
			continue;
		add(CFG_STEP_APPROVE, 0, 0, 0);
		last_step()->only = (uint8_t)ways[i];
	}
}

static const struct {
	const char *why;
	enum cfg_by by;
	const char *v1, *v2, *v3;
	enum ro_path path;
	const char *says;
} marks[] = {
	{ "the same", CFG_BY_REVISION, "r1", "r1", "r3", RO_PATH_ROLLING,
	    "revision r1 on both sides" },
	{ "another", CFG_BY_REVISION, "r1", "r2", "r2", RO_PATH_RECREATE,
	    "the revision of v2 (r2) is not that of v1 (r1)" },
	{ "none on either side", CFG_BY_REVISION, "", "", "", RO_PATH_RECREATE,
	    "the revision of v2 (none) is not that of v1 (none)" },
	{ "none of the new one", CFG_BY_REVISION, "r1", "", "r1",
	    RO_PATH_RECREATE,
	    "the revision of v2 (none) is not that of v1 (r1)" },
	{ "none of the old one", CFG_BY_REVISION, NULL, "r2", "r2",
	    RO_PATH_RECREATE,
	    "the revision of v2 (r2) is not that of v1 (none)" },
	{ "the same version", CFG_BY_VERSION, "2.0", "2.0", "", RO_PATH_ROLLING,
	    "version 2.0 on both sides" },
	{ "another version", CFG_BY_VERSION, "1.0", "2.0", "2.0",
	    RO_PATH_RECREATE,
	    "the version of v2 (2.0) is not that of v1 (1.0)" },
};

static void
mark(size_t n, enum cfg_by by, const char *text)
{
	if (by == CFG_BY_VERSION)
		world_facts(&w, n)->version = text;
	else
		world_facts(&w, n)->revision = text;
}

Test(rollout, check_by_what_is_said_of_pools)
{
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		bool rolls = marks[i].path == RO_PATH_ROLLING;

		end(), begin();
		str_copy(STR("2.0"), plan.version, sizeof(plan.version));
		mark(1, marks[i].by, marks[i].v1);
		mark(2, marks[i].by, marks[i].v2);
		mark(3, marks[i].by, marks[i].v3);
		plan_ways(marks[i].by, true);
		cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
		pass(S);
		cr_expect_not(wants_run(), "%s", marks[i].why);
		cr_expect_eq(it()->path, marks[i].path, "%s", marks[i].why);
		cr_expect_eq(svc()->path, marks[i].path, "%s", marks[i].why);
		cr_expect_eq(svc()->path_us, w.now, "%s", marks[i].why);
		cr_expect_str_eq(svc()->path_why, marks[i].says, "%s",
		    marks[i].why);
		expect_at(rolls ? 1 : 2, RO_STAND_RUNNING, marks[i].why);
		cr_expect_eq(it()->skipped, rolls ? 0u : 2u, "%s",
		    marks[i].why);
		cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
		pass(0);
		expect_at(3, RO_STAND_RUNNING, marks[i].why);
		cr_expect_eq(it()->skipped, rolls ? 4u : 2u, "%s",
		    marks[i].why);
	}
}

Test(rollout, check_with_one_way_only)
{
	plan_ways(CFG_BY_REVISION, false);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	expect_at(0, RO_STAND_ROLLED_BACK, "there is no other");
	cr_expect_str_eq(it()->why,
	    "the revision of v2 (none) is not that of v1 (none)");
	cr_expect_eq(svc()->path_us, 0, "nothing was gone by");
}

static const struct {
	const char *why;
	int status;
	size_t at;
	enum ro_stand stand;
	enum ro_path path;
} checks[] = {
	{ "side by side", 0, 1, RO_STAND_RUNNING, RO_PATH_ROLLING },
	{ "it could not tell", 1, 0, RO_STAND_PAUSED, RO_PATH_UNKNOWN },
	{ "it was not understood", 2, 0, RO_STAND_PAUSED, RO_PATH_UNKNOWN },
	{ "not side by side", 3, 2, RO_STAND_RUNNING, RO_PATH_RECREATE },
	{ "switched off", 4, 2, RO_STAND_RUNNING, RO_PATH_RECREATE },
	{ "it was killed", -1, 0, RO_STAND_PAUSED, RO_PATH_UNKNOWN },
};

Test(rollout, check_by_job)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		end(), begin();
		plan_ways(CFG_BY_JOB, true);
		cr_assert_eq(TELL(START), RO_NO_NONE);
		pass(0);
		hear(RO_VERDICT_FAILED, checks[i].status);
		expect_at(checks[i].at, checks[i].stand, checks[i].why);
		cr_expect_eq(it()->path, checks[i].path, "%s", checks[i].why);
		cr_expect_eq(svc()->path, checks[i].path, "%s", checks[i].why);
	}
	cr_expect_eq(checks[3].status, 3);
}

/* Who skips it knows. */
Test(rollout, check_that_is_skipped)
{
	plan_ways(CFG_BY_JOB, true);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	HEAR(FAILED, 1);
	cr_assert_eq(TELL(SKIP), RO_NO_NONE, "%s", w.why);
	pass(0);
	cr_expect_eq(it()->path, RO_PATH_ROLLING);
	expect_at(1, RO_STAND_RUNNING, "rolling");
	cr_expect_eq(svc()->path, RO_PATH_UNKNOWN, "nothing was found");
}

/* A way is that of one rollout; since when, of all. */
Test(rollout, check_in_the_next_rollout)
{
	uint64_t first;

	world_facts(&w, 1)->revision = world_facts(&w, 2)->revision = "r1";
	plan_ways(CFG_BY_REVISION, true);
	for (int round = 0; round < 2; round++) {
		cr_assert_eq(TELL(START), RO_NO_NONE);
		cr_expect_eq(it()->path, RO_PATH_UNKNOWN);
		if (round == 0)
			first = w.now;
		pass(0);
		cr_expect_eq(svc()->path_us, first);
		cr_assert_eq(TELL(ABORT), RO_NO_NONE);
		w.now += S;
	}
	world_facts(&w, 2)->revision = "r2";
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	cr_expect_eq(svc()->path, RO_PATH_RECREATE);
	cr_expect_eq(svc()->path_us, w.now);
}

Test(rollout, check_of_another_version_than_it_began_for)
{
	world_facts(&w, 2)->version = "2.0";
	plan_ways(CFG_BY_JOB, true);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	pass(0);
	expect_at(0, RO_STAND_RUNNING, "the job");
	world_facts(&w, 2)->version = "2.1";
	HEAR(OK, 0);
	expect_at(0, RO_STAND_PAUSED, "it asks");
	cr_expect_str_eq(it()->why,
	    "v2 is to be 2.1 by now, and the rollout began for 2.0");
	cr_expect_eq(it()->path, RO_PATH_UNKNOWN);
}

/* ---- pools that follow others ---- */

static const struct {
	const char *why;
	const char *requires;
	uint32_t v1, v3; /* their shares */
	enum pool_state third;
	size_t eligible; /* of v3 */
	uint64_t inflight;
	const char *says; /* NULL: it starts */
} follows[] = {
	{ "whatever is there", NULL, 5000, 5000, POOL_ACTIVE, 2, 1, NULL },
	{ "nothing in particular", "", 5000, 5000, POOL_ACTIVE, 2, 1, NULL },
	{ "all that is there", "v1", ALL, 0, POOL_COLD, 0, 0, NULL },
	{ "one that is half of it", "v1", 5000, 5000, POOL_ACTIVE, 2, 0,
	    "v2 follows v1 alone, and v1 has not all of new sessions" },
	{ "one that has nothing", "v3", ALL, 0, POOL_COLD, 0, 0,
	    "v2 follows v3 alone, and v1 is still in use" },
	{ "one beside which another drains", "v1", ALL, 0, POOL_DRAINING, 2, 0,
	    "v2 follows v1 alone, and v3 is still in use" },
	{ "one beside which another could serve", "v1", ALL, 0, POOL_ACTIVE, 1,
	    0, "v2 follows v1 alone, and v3 is still in use" },
	{ "one beside which another has requests", "v1", ALL, 0, POOL_ACTIVE, 0,
	    1, "v2 follows v1 alone, and v3 is still in use" },
	{ "one beside which another is out", "v1", ALL, 0, POOL_ACTIVE, 0, 0,
	    NULL },
	{ "one beside which another was drained", "v1", ALL, 0, POOL_DRAINED, 2,
	    0, NULL },
};

Test(rollout, a_pool_follows_another)
{
	for (size_t i = 0; i < ARRAY_LEN(follows); i++) {
		bool goes = follows[i].says == NULL;

		end(), begin();
		add(CFG_STEP_APPROVE, 0, 0, 0);
		world_put(&w, 1, POOL_ACTIVE, follows[i].v1);
		world_put(&w, 3, follows[i].third, follows[i].v3);
		world_facts(&w, 2)->requires = follows[i].requires;
		world_facts(&w, 3)->eligible = follows[i].eligible;
		world_facts(&w, 3)->inflight = follows[i].inflight;
		cr_expect_eq(TELL(START), goes ? RO_NO_NONE : RO_NO_ROLLOUT,
		    "%s", follows[i].why);
		cr_expect_str_eq(w.why, goes ? "" : follows[i].says, "%s",
		    follows[i].why);
	}
}

/* ---- what was asked meanwhile ---- */

static struct ro_count *
counts(void)
{
	return &w.counts[0];
}

/* So many requests in all, of which so many are on their way. */
static void
count_to(uint64_t accepted, uint64_t in_flight, uint64_t fault)
{
	struct ro_count *c = counts();

	c->holds = true;
	c->accepted = accepted;
	c->in_flight = in_flight;
	c->class[CLASS_fault] = fault;
	c->class[CLASS_answered] = accepted - in_flight - fault;
	c->held = c->released = accepted / 10;
	c->n_pools = 1;
	str_copy(STR("v1"), c->pools[0].pool, CFG_NAME_MAX);
	c->pools[0].toll = (struct ro_toll){ accepted, fault };
}

Test(rollout, counts_are_a_difference)
{
	struct ro_count c;

	add(CFG_STEP_APPROVE, 0, 0, 0);
	count_to(1000, 4, 10);
	cr_expect_not(machine_count(svc(), counts(), &c), "there was none");
	cr_assert_eq(TELL(START), RO_NO_NONE);
	cr_expect(machine_count(svc(), counts(), &c));
	cr_expect_eq(c.accepted, 4, "on their way when it began");
	cr_expect_eq(c.in_flight, 4);
	count_to(1500, 1, 12);
	cr_expect(machine_count(svc(), counts(), &c));
	cr_expect_eq(c.accepted, 504);
	cr_expect_eq(c.in_flight, 1);
	cr_expect_eq(c.class[CLASS_fault], 2);
	cr_expect_eq(c.class[CLASS_answered] + c.class[CLASS_fault] +
	        c.in_flight,
	    c.accepted, "each has ended or is on its way");
	cr_expect_eq(c.held, 50);
	cr_expect_eq(c.pools[0].toll.requests, 500);
	cr_expect_eq(c.pools[0].toll.bad, 2);
	cr_expect(c.holds);
	cr_expect_not(machine_count(svc(), NULL, &c), "nobody counts");
	cr_expect_eq(c.accepted, 0);
	pass(0);
	cr_assert_eq(TELL(APPROVE), RO_NO_NONE);
	expect_at(1, RO_STAND_DONE, "done");
	count_to(9000, 0, 100);
	cr_expect(machine_count(svc(), counts(), &c));
	cr_expect_eq(c.accepted, 504, "what came later is none of it");
}

/* A pool that went and came back counts from nought. */
Test(rollout, counts_of_a_pool_that_began_anew)
{
	struct ro_count c;

	add(CFG_STEP_APPROVE, 0, 0, 0);
	count_to(1000, 0, 10);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	count_to(1500, 0, 12);
	counts()->pools[0].toll = (struct ro_toll){ 7, 1 };
	cr_expect(machine_count(svc(), counts(), &c));
	cr_expect_eq(c.pools[0].toll.requests, 7);
	cr_expect_eq(c.pools[0].toll.bad, 1);
}

Test(rollout, counts_of_another_process)
{
	struct ro_count c;

	add(CFG_STEP_APPROVE, 0, 0, 0);
	count_to(1000, 4, 10);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	counts()->process_us += S;
	count_to(20, 1, 2);
	cr_expect_not(machine_count(svc(), counts(), &c), "some is missing");
	cr_expect_eq(c.accepted, 20);
	pass(0);
	cr_assert_eq(TELL(ABORT), RO_NO_NONE);
	cr_expect(it()->partial);
	cr_expect_not(machine_count(svc(), counts(), &c), "and stays so");
	cr_expect_eq(c.accepted, 20);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	cr_expect_not(it()->partial);
	cr_expect(machine_count(svc(), counts(), &c), "but not of the next");
}

Test(rollout, the_last_ones_are_kept)
{
	add(CFG_STEP_APPROVE, 0, 0, 0);
	str_copy(STR("2.0"), plan.version, sizeof(plan.version));
	for (size_t n = 1; n <= RO_PAST_MAX + 3; n++) {
		count_to(100 * n, 0, n);
		cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
		cr_expect_eq(svc()->n_past, MIN(n - 1, (size_t)RO_PAST_MAX));
		w.now += S;
		count_to(100 * n + 10 + n, 0, n + 1);
		cr_assert_eq(TELL(ABORT), RO_NO_NONE);
	}
	for (size_t i = 0; i < RO_PAST_MAX; i++) {
		const struct ro_past *p = &svc()->past[i];

		cr_expect_eq(p->id, i + 3, "oldest first");
		cr_expect_eq(p->stand, RO_STAND_ABORTED);
		cr_expect_str_eq(p->to, "v2");
		cr_expect_str_eq(p->version, "2.0");
		cr_expect_str_eq(p->who, "tester");
		cr_expect_str_eq(p->why, "an operator gave it up");
		cr_expect_eq(p->ended_us, p->began_us + S);
		cr_expect_eq(p->accepted, 10 + i + 3);
		cr_expect_eq(p->fault, 1);
	}
}

/* ---- as it was planned ---- */

static enum ro_refusal
start_if_changed(uint64_t print)
{
	struct ro_command c = world_action(RO_ACTION_START, "v2", &plan);

	plan.print = print;
	c.if_changed = true;
	return world_do(&w, &c);
}

Test(rollout, only_what_has_changed)
{
	world_pool(&w, 1)->print = 7;
	add(CFG_STEP_APPROVE, 0, 0, 0);
	cr_expect_eq(start_if_changed(7), RO_NO_UNCHANGED);
	cr_expect_str_eq(w.why,
	    "nothing to do: v1 serves all new sessions, and neither version, "
	    "revision nor a job of v2 is another");
	cr_assert_eq(start_if_changed(8), RO_NO_NONE, "%s", w.why);
	pass(0);
	cr_assert_eq(TELL(ROLLBACK), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(world_pool(&w, 1)->print, 7, "it serves still");
	world_put(&w, 2, POOL_READY, 0);
	cr_assert_eq(start_if_changed(8), RO_NO_NONE, "%s", w.why);
	cr_assert_eq(TELL(SKIP), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(it()->stand, RO_STAND_DONE);
	cr_expect_eq(world_pool(&w, 2)->print, 8);
	cr_expect_eq(start_if_changed(8), RO_NO_NONE, "v1 serves: %s", w.why);
	cr_assert_eq(TELL(ABORT), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(world_pool(&w, 2)->print, 0, "half of it was done");
}

static enum ro_refusal
apply(uint32_t part, bool now)
{
	struct ro_command c = world_command(RO_ROLLOUT, "v2");

	c.action = RO_ACTION_START;
	c.plan = &plan;
	c.mark = (struct ro_mark){ .set = true, .part = { 1, part, 3 } };
	c.now = (struct ro_mark){ .set = now, .part = { 1, 2, 3 } };
	return world_do(&w, &c);
}

Test(rollout, as_it_was_planned)
{
	add(CFG_STEP_APPROVE, 0, 0, 0);
	cr_expect_eq(apply(7, true), RO_NO_MOVED);
	cr_expect_str_eq(w.why,
	    "the plan was made in another world: states or shares of its pools "
	    "have changed, now v1 active 100%, v2 starting 0%, v3 starting 0%; "
	    "\"segue plan --to v2\" makes one of now");
	cr_expect_eq(it()->stand, RO_STAND_NONE, "nothing has begun");
	cr_expect_eq(apply(2, false), RO_NO_NO_MEMORY);
	cr_expect_eq(apply(2, true), RO_NO_NONE, "%s", w.why);
	expect_at(0, RO_STAND_RUNNING, "begun");
	cr_expect_eq(apply(7, true), RO_NO_MOVED, "before what else forbids");
	cr_expect_eq(apply(2, true), RO_NO_ROLLOUT);
}

Test(rollout, only_a_start_carries_out_a_plan)
{
	struct ro_command c = world_command(RO_ROLLOUT, "");

	add(CFG_STEP_APPROVE, 0, 0, 0);
	cr_assert_eq(TELL(START), RO_NO_NONE);
	c.action = RO_ACTION_APPROVE;
	c.mark.set = true;
	cr_expect_eq(world_do(&w, &c), RO_NO_BAD_VALUE);
	cr_expect_str_eq(w.why,
	    "only a start carries out a plan, or is a rehearsal");
}

/* ---- a good time ---- */

static const struct {
	const char *why;
	unsigned from, until, below;
	unsigned minute;
	double rate;
	bool open;
	const char *holds;
} windows[] = {
	{ "in it", 60, 120, 0, 60, -1, true, "" },
	{ "before it", 60, 120, 0, 59, -1, false,
	    "it is 00:59, the window is not open" },
	{ "behind it", 60, 120, 0, 120, -1, false,
	    "it is 02:00, the window is not open" },
	{ "over midnight, before", 1320, 330, 0, 1439, -1, true, "" },
	{ "over midnight, behind", 1320, 330, 0, 0, -1, true, "" },
	{ "over midnight, by day", 1320, 330, 0, 842, -1, false,
	    "it is 14:02, the window is not open" },
	{ "few requests", 0, 0, 20, 842, 19.9, true, "" },
	{ "many requests", 0, 0, 20, 842, 20, false,
	    "20.0 requests a second, and fewer than 20 are asked for" },
	{ "not counted yet", 0, 0, 20, 842, -1, false,
	    "requests are counted for 10s first" },
	{ "both, and many", 60, 120, 20, 90, 20, false,
	    "20.0 requests a second, and fewer than 20 are asked for" },
	{ "both, and late", 60, 120, 20, 900, 3, false,
	    "it is 15:00, the window is not open" },
};

Test(rollout, windows)
{
	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		struct ro_facts f = { .pools = w.rows, .rates = w.rates };
		char text[MACHINE_HOLDS_MAX];

		plan.n_steps = 0;
		add(CFG_STEP_WINDOW, 0, 0, 60 * S);
		plan.steps[0].from = (uint16_t)windows[i].from;
		plan.steps[0].until = (uint16_t)windows[i].until;
		plan.steps[0].below = windows[i].below;
		w.minute = f.minute = (uint16_t)windows[i].minute;
		w.rates[0] = windows[i].rate;
		cr_assert_eq(TELL(START), RO_NO_NONE, "%s", w.why);
		pass(59 * S);
		machine_rollout_holds(&w.s, 0, &f, text);
		cr_expect_str_eq(text, windows[i].holds, "%s: %s",
		    windows[i].why, text);
		expect_at(windows[i].open,
		    windows[i].open ? RO_STAND_DONE : RO_STAND_RUNNING,
		    windows[i].why);
		pass(S);
		if (!windows[i].open)
			cr_expect_str_eq(it()->why,
			    "the window did not open in time");
	}
}

Test(rollout, says_which_window)
{
	struct ro_step s = { .kind = CFG_STEP_WINDOW,
		.from = 1320,
		.until = 330,
		.below = 20 };
	struct buf text = BUF_INIT;

	steps_describe(&s, &text);
	cr_expect_str_eq(text.p, "window 22:00-05:30 below 20/s");
	buf_free(&text);
}

/* Ten seconds have to be seen; what was before them does not count. */
Test(rollout, rate_of_requests)
{
	struct rate r = { .n = 0 };

	for (uint64_t t = 0; t < 30; t++) {
		double is = facts_rate_of(&r);

		if (t < 11)
			cr_expect_eq(is, -1, "%d", (int)t);
		else
			cr_expect_eq(is, t < 21 ? 5 * (double)(21 - t) / 10 : 0,
			    "%d: %f", (int)t, is);
		facts_rate(&r, "a", 5 * MIN(t, 10), (100 + t) * S);
		facts_rate(&r, "a", 1000, (100 + t) * S + S / 2);
	}
	facts_rate(&r, "b", 1001, 200 * S);
	cr_expect_eq(facts_rate_of(&r), -1, "another service is at its place");
}
