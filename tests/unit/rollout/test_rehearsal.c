/*
 * A rehearsal: every step is gone through, jobs by their commands for that,
 * and nothing is moved, done or lost by it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
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
	plan = (struct ro_rollout){ .clocks = { .mode = CFG_DRAIN_KEEP } };
}

static void
end(void)
{
	world_free(&w);
}

TestSuite(rehearsal, .init = begin, .fini = end, .timeout = 20);

static struct ro_step *
add(enum cfg_step_kind kind, const char *job)
{
	struct ro_step *s = &plan.steps[plan.n_steps++];

	*s = (struct ro_step){ .kind = (uint8_t)kind,
		.for_us = kind == CFG_STEP_PAUSE ? 3600 * S : 0,
		.deadline_us = 600 * S };
	str_copy(str_of(job), s->job, sizeof(s->job));
	return s;
}

/* All that there is, two jobs with a command for it, one without. */
static void
plan_all(void)
{
	add(CFG_STEP_CHECK, "fits")->rehearse = true;
	add(CFG_STEP_READY, "");
	add(CFG_STEP_HOLD, "");
	add(CFG_STEP_JOB, "stop");
	add(CFG_STEP_GONE, "")->only = CFG_ONLY_RECREATE;
	add(CFG_STEP_JOB, "start")->rehearse = true;
	plan.steps[5].no_return = true;
	plan.steps[5].once = CFG_ONCE_VERSION;
	add(CFG_STEP_SHARE, "")->share_bp = 1000;
	add(CFG_STEP_PAUSE, "");
	add(CFG_STEP_APPROVE, "");
	add(CFG_STEP_ANALYZE, "");
	add(CFG_STEP_PROMOTE, "");
	add(CFG_STEP_RELEASE, "");
	add(CFG_STEP_DRAIN, "");
}

static enum ro_refusal
tell(enum ro_action action, bool rehearse)
{
	struct ro_command c = world_action(action, "v2", &plan);

	c.rehearse = rehearse;
	return world_do(&w, &c);
}

#define REHEARSE()                                                             \
	cr_assert_eq(tell(RO_ACTION_START, true), RO_NO_NONE, "%s", w.why)
#define TELL(action) tell(RO_ACTION_##action, false)

static struct ro_service *
svc(void)
{
	return &w.s.services[0];
}

static const struct ro_rollout *
it(void)
{
	return &svc()->rollout;
}

static void
pass(uint64_t us)
{
	w.now += us;
	(void)world_tick(&w);
}

static void
hear(enum ro_verdict verdict, int status)
{
	cr_assert(machine_wants_run(svc()), "step %zu runs nothing", it()->at);
	w.runs[0] = (struct ro_facts_run){ .rollout = it()->id,
		.run = it()->runs,
		.ended = true,
		.verdict = (uint8_t)verdict,
		.exit = (int16_t)status,
		.took_us = S };
	(void)snprintf(w.runs[0].why, sizeof(w.runs[0].why), "exit status %d",
	    status);
	pass(0);
}

static void
expect_at(size_t at, enum ro_stand stand, const char *where)
{
	cr_expect_eq(it()->at, at, "%s: at %zu", where, it()->at);
	cr_expect_eq(it()->stand, stand, "%s: %s (%s)", where,
	    steps_stand_name((enum ro_stand)it()->stand), it()->why);
}

static char *
where(void)
{
	struct buf b = BUF_INIT;

	steps_where(it(), &b);
	return b.p;
}

static void
expect_where(const char *expected)
{
	char *text = where();

	cr_expect_str_eq(text, expected);
	free(text);
}

/* Pools, holds and what is pending, as text. */
static void
expect_unmoved(const char *when)
{
	cr_expect_eq(world_pool(&w, 1)->share_bp, ALL, "%s", when);
	cr_expect_eq(world_pool(&w, 1)->state, POOL_ACTIVE, "%s", when);
	cr_expect_eq(world_pool(&w, 2)->share_bp, 0, "%s", when);
	cr_expect_neq(world_pool(&w, 2)->state, POOL_DRAINING, "%s", when);
	cr_expect_eq(svc()->hold, HOLD_NONE, "%s", when);
	cr_expect_eq(svc()->n_done, 0, "%s", when);
	cr_expect_eq(svc()->path_us, 0, "%s", when);
	cr_expect_eq(it()->begun, 0, "%s", when);
}

/* ---- its way ---- */

Test(rehearsal, goes_through_all)
{
	plan_all();
	REHEARSE();
	cr_expect(it()->rehearsal);
	pass(0);
	expect_at(0, RO_STAND_RUNNING, "the check");
	expect_where("rehearsal, step 1 of 13, check fits");
	hear(RO_VERDICT_OK, 3);
	expect_at(5, RO_STAND_RUNNING, "start");
	expect_where("rehearsal, step 6 of 13, job start");
	cr_expect_eq(it()->path, RO_PATH_RECREATE);
	hear(RO_VERDICT_OK, 0);
	expect_at(13, RO_STAND_DONE, "all");
	expect_where("rehearsal, done");
	expect_unmoved("done");
	cr_expect_str_eq(it()->steps[3].said, "not run: a rehearsal");
	cr_expect_eq(it()->steps[3].took_us, 0);
	cr_expect_eq(it()->steps[5].took_us, S);
	cr_expect_eq(it()->held_us, 0);
}

/* A pool that is not there yet is what jobs would start. */
Test(rehearsal, says_what_it_would_wait_for)
{
	plan_all();
	REHEARSE();
	pass(0);
	hear(RO_VERDICT_OK, 0);
	cr_expect_str_eq(it()->steps[1].said,
	    "it would wait: v2 is not ready: i1 is down: connection refused");
	cr_expect_str_eq(it()->steps[2].said, "");
	cr_expect_eq(it()->skipped, 1u << 4, "what is for the other way");
	world_fit(&w, 2, true);
	hear(RO_VERDICT_OK, 0);
	cr_expect_str_eq(it()->steps[6].said, "");
	expect_at(13, RO_STAND_DONE, "all");
}

/* The check cannot be made: both ways are gone. */
Test(rehearsal, without_a_check)
{
	plan_all();
	plan.steps[0].rehearse = false;
	add(CFG_STEP_PAUSE, "")->only = CFG_ONLY_ROLLING;
	REHEARSE();
	pass(0);
	expect_at(5, RO_STAND_RUNNING, "start");
	cr_expect_eq(it()->path, RO_PATH_UNKNOWN);
	hear(RO_VERDICT_OK, 0);
	expect_at(14, RO_STAND_DONE, "all");
	cr_expect_eq(it()->skipped, 0);
	expect_unmoved("done");
}

/* What the rollout would not do again it does not try. */
Test(rehearsal, what_was_done_before)
{
	plan_all();
	str_copy(STR("2.0"), plan.version, sizeof(plan.version));
	svc()->n_done = 1;
	svc()->done[0] = (struct ro_done){ .job = "start", .version = "2.0" };
	REHEARSE();
	pass(0);
	hear(RO_VERDICT_OK, 0);
	expect_at(13, RO_STAND_DONE, "all");
	cr_expect_str_eq(it()->steps[5].said, "it was done before");
	cr_expect_eq(svc()->n_done, 1);
}

/* ---- its end ---- */

static const struct {
	const char *why;
	enum ro_verdict verdict;
	int status;
	enum cfg_on_failure rule;
	const char *says;
} failures[] = {
	{ "fails", RO_VERDICT_FAILED, 7, CFG_FAILURE_ROLLBACK,
	    "job start: exit status 7" },
	{ "fails, and would wait", RO_VERDICT_FAILED, 7, CFG_FAILURE_PAUSE,
	    "job start: exit status 7" },
	{ "asks", RO_VERDICT_ASK, 8, CFG_FAILURE_ROLLBACK,
	    "it would stand still: job start: exit status 8" },
};

Test(rehearsal, ends_with_what_fails)
{
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		end(), begin();
		plan_all();
		plan.on_failure = (uint8_t)failures[i].rule;
		REHEARSE();
		pass(0);
		hear(RO_VERDICT_OK, 0);
		hear(failures[i].verdict, failures[i].status);
		expect_at(5, RO_STAND_ABORTED, failures[i].why);
		cr_expect(it()->failed, "%s", failures[i].why);
		cr_expect_str_eq(it()->why, failures[i].says);
		expect_unmoved(failures[i].why);
		cr_expect_eq(TELL(START), RO_NO_NONE, "%s", w.why);
		cr_expect_not(it()->rehearsal);
		cr_expect_not(it()->failed);
		cr_expect(svc()->past[0].rehearsal);
	}
}

Test(rehearsal, a_check_with_no_other_way)
{
	add(CFG_STEP_CHECK, "fits")->rehearse = true;
	add(CFG_STEP_PROMOTE, "");
	REHEARSE();
	pass(0);
	hear(RO_VERDICT_FAILED, 3);
	expect_at(0, RO_STAND_ABORTED, "no way");
	expect_unmoved("no way");
}

Test(rehearsal, a_job_that_takes_too_long)
{
	plan_all();
	REHEARSE();
	pass(0);
	pass(600 * S);
	expect_at(0, RO_STAND_ABORTED, "late");
	cr_expect_str_eq(it()->why, "job fits did not end in time");
}

/* ---- operators ---- */

/* Theirs is the traffic all the time. */
Test(rehearsal, forbids_nothing)
{
	struct ro_command c = world_command(RO_SWITCH, "v2");

	plan_all();
	world_fit(&w, 2, true);
	pass(0);
	REHEARSE();
	pass(0);
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(world_pool(&w, 2)->share_bp, ALL);
	world_fit(&w, 2, false);
	pass(S);
	expect_at(0, RO_STAND_RUNNING, "v2 is lost, which is not its matter");
	cr_expect_eq(TELL(PAUSE), RO_NO_NONE);
	c = world_command(RO_HOLD, "");
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_not(it()->moved);
	cr_expect_eq(TELL(RESUME), RO_NO_NONE, "%s", w.why);
	hear(RO_VERDICT_OK, 0);
	hear(RO_VERDICT_OK, 0);
	expect_at(13, RO_STAND_DONE, "done");
	cr_expect_eq(world_pool(&w, 2)->share_bp, ALL);
	cr_expect_eq(svc()->hold, HOLD_ALL, "it released nobody");
	cr_expect_eq(it()->held_us, 0, "nor did it hold them");
}

Test(rehearsal, rollback_moves_nothing)
{
	struct ro_command c = world_command(RO_SHARE, "v2");

	plan_all();
	world_fit(&w, 2, true);
	pass(0);
	REHEARSE();
	pass(0);
	hear(RO_VERDICT_OK, 0);
	c.share_bp = 3000;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_assert_eq(TELL(ROLLBACK), RO_NO_NONE, "%s", w.why);
	expect_at(5, RO_STAND_ROLLED_BACK, "rolled back");
	cr_expect_eq(world_pool(&w, 2)->share_bp, 3000);
	cr_expect_eq(world_pool(&w, 2)->state, POOL_ACTIVE);
}

Test(rehearsal, one_at_a_time)
{
	plan_all();
	REHEARSE();
	cr_expect_eq(TELL(START), RO_NO_ROLLOUT);
	cr_expect_str_eq(w.why,
	    "a rollout of a to v2 is under way: rehearsal, step 1 of 13, "
	    "check fits");
	cr_expect_eq(TELL(ABORT), RO_NO_NONE);
	cr_expect_eq(TELL(START), RO_NO_NONE);
	cr_expect_eq(tell(RO_ACTION_START, true), RO_NO_ROLLOUT);
	cr_expect_eq(tell(RO_ACTION_APPROVE, true), RO_NO_BAD_VALUE);
}

Test(rehearsal, of_what_would_be_refused_is_refused)
{
	plan_all();
	world_put(&w, 2, POOL_DRAINING, 0);
	cr_expect_eq(tell(RO_ACTION_START, true), RO_NO_DRAINING);
}

/* A drained pool stays so, and a switch that waits goes on waiting. */
Test(rehearsal, leaves_pools_as_they_are)
{
	plan_all();
	world_put(&w, 2, POOL_DRAINED, 0);
	str_copy(STR("v3"), svc()->pending.pool, sizeof(svc()->pending.pool));
	REHEARSE();
	cr_expect_eq(world_pool(&w, 2)->state, POOL_DRAINED);
	cr_expect_str_eq(svc()->pending.pool, "v3");
	cr_expect_eq(TELL(PAUSE), RO_NO_NONE);
	cr_expect_eq(TELL(RESUME), RO_NO_NONE, "%s", w.why);
	pass(0);
	hear(RO_VERDICT_OK, 0);
	cr_expect_eq(TELL(SKIP), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect_at(13, RO_STAND_DONE, "done");
	cr_expect_eq(svc()->n_done, 0, "skipped");
}

/* ---- a crash ---- */

Test(rehearsal, goes_on_after_a_crash)
{
	char why[256], *text;
	struct ro_state back;

	plan_all();
	REHEARSE();
	pass(0);
	hear(RO_VERDICT_OK, 0);
	text = world_text(&w.s);
	cr_assert_eq(ro_state_new(&back), E_OK);
	cr_assert_eq(ro_state_read(str_of(text), &back, why, sizeof(why)), E_OK,
	    "it %s", why);
	cr_expect(back.services[0].rollout.rehearsal);
	cr_expect_str_eq(back.services[0].rollout.steps[1].said,
	    it()->steps[1].said);
	cr_expect(back.services[0].rollout.steps[5].rehearse);
	cr_expect_not(back.services[0].rollout.steps[3].rehearse);
	ro_state_free(&back);
	free(text);
	cr_expect(ro_state_lose_runs(&w.s, w.now));
	expect_at(5, RO_STAND_PAUSED, "nobody knows");
	cr_assert_eq(TELL(RETRY), RO_NO_NONE, "%s", w.why);
	pass(0);
	hear(RO_VERDICT_OK, 0);
	expect_at(13, RO_STAND_DONE, "done");
}
