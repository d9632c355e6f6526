/*
 * A roll, instance by instance: who is out when, and what ends it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rollout/steps.h"
#include "world.h"

#define N 3

static struct world w;
static struct ro_rollout plan;

/* The instances of v1, of which service "a" has all it serves with. */
static struct {
	const char *name;
	bool up, added;
	uint64_t proved_us, inflight, streams;
} all[N];

static void
begin(void)
{
	static const char *const names[N] = { "a", "b", "c" };

	world_make(&w);
	for (size_t i = 0; i < N; i++) {
		all[i].name = names[i];
		all[i].up = true;
		all[i].added = false;
		all[i].proved_us = all[i].inflight = all[i].streams = 0;
	}
	plan = (struct ro_rollout){ .n_steps = 1,
		.clocks = { .requests_us = 10 * S, .streams_us = 60 * S },
		.steps = { { .kind = CFG_STEP_ROLL,
		    .job = "renew",
		    .deadline_us = 600 * S } } };
}

static void
end(void)
{
	world_free(&w);
}

TestSuite(roll, .init = begin, .fini = end, .timeout = 10);

static struct ro_rollout *
it(void)
{
	return &w.s.services[0].rollout;
}

static enum inst_admin
admin_of(const char *name)
{
	const struct instance_plan *p = ro_plan_find(&w.s, "a", "v1", name);

	return p == NULL ? INST_IN : (enum inst_admin)p->admin;
}

/* As rollout/facts_roll.c looks at them. */
static void
look(void)
{
	struct ro_facts_pool *pool = world_facts(&w, 1);
	const struct ro_roll *r = &it()->roll;
	struct ro_facts_roll f = { .lost = false };
	bool behind = r->last[0] == '\0';

	pool->eligible = pool->instances = 0;
	pool->ready = pool->view_current = true;
	for (size_t i = 0; i < N; i++) {
		enum inst_admin admin;

		if (all[i].name == NULL)
			continue;
		admin = admin_of(all[i].name);
		pool->instances++;
		pool->eligible += all[i].up && admin == INST_IN;
		pool->ready &= all[i].up || admin != INST_IN;
		if (all[i].added)
			str_copy(str_of(all[i].name), f.added, sizeof(f.added));
		if (strcmp(all[i].name, r->now) == 0) {
			f.exists = true;
			f.up = all[i].up;
			f.in = admin == INST_IN;
			f.inflight = all[i].inflight;
			f.streams = all[i].streams;
			f.proved_us = all[i].proved_us;
		}
		f.spare_in |= admin == INST_IN &&
		    strcmp(all[i].name, r->spare) == 0;
		if (admin == INST_MAINT && f.spare[0] == '\0')
			str_copy(str_of(all[i].name), f.spare, sizeof(f.spare));
		if (behind && admin == INST_IN && f.next[0] == '\0' &&
		    strcmp(all[i].name, r->spare) != 0)
			str_copy(str_of(all[i].name), f.next, sizeof(f.next));
		behind |= strcmp(all[i].name, r->last) == 0;
	}
	f.lost = !behind;
	w.rolls[0] = f;
}

/* As long as something moves; never more than n of them are out. */
static void
tick_with(size_t out_max)
{
	struct ro_facts f = world_all_facts(&w);
	enum ro_changed c;
	size_t out;

	do {
		look();
		f.wall_us = w.now;
		c = machine_clock(&w.s, &f, &w.due);
		out = 0;
		for (size_t i = 0; i < N; i++)
			out += all[i].name != NULL &&
			    admin_of(all[i].name) != INST_IN;
		cr_expect_leq(out, out_max, "%zu are out", out);
	} while (c != RO_SAME);
}

static void
pass(uint64_t us)
{
	w.now += us;
	tick_with(1);
}

static enum ro_refusal
tell(enum ro_action action)
{
	struct ro_command c = world_action(action, "v1", &plan);

	return world_do(&w, &c);
}

static void
start(void)
{
	cr_assert_eq(tell(RO_ACTION_START), RO_NO_NONE, "%s", w.why);
	pass(0);
}

/* The run that is wanted has ended. */
static void
end_run(enum ro_verdict verdict)
{
	w.runs[0] = (struct ro_facts_run){ .rollout = it()->id,
		.run = it()->runs,
		.ended = true,
		.verdict = (uint8_t)verdict,
		.exit = verdict == RO_VERDICT_OK ? 0 : 9,
		.why = "exit status 9",
		.took_us = S };
	pass(S);
}

static void
prove(const char *name)
{
	for (size_t i = 0; i < N; i++)
		if (all[i].name != NULL && strcmp(all[i].name, name) == 0)
			all[i].proved_us = w.now + S;
	pass(2 * S);
}

static void
expect(const char *now, enum ro_roll_phase phase)
{
	cr_expect_str_eq(it()->roll.now, now);
	cr_expect_eq(it()->roll.phase, phase, "%s, not %s",
	    steps_phase_name((enum ro_roll_phase)it()->roll.phase),
	    steps_phase_name(phase));
	cr_expect_eq(machine_wants_run(&w.s.services[0]), phase == ROLL_JOB);
}

static void
expect_why(enum ro_stand stand, const char *why)
{
	cr_expect_eq(it()->stand, stand, "%s",
	    steps_stand_name((enum ro_stand)it()->stand));
	cr_expect_str_eq(it()->why, why);
}

/* As an operator does; what is refused is returned. */
static enum ro_refusal
put(const char *name, enum inst_admin admin)
{
	struct ro_command c = world_command(RO_INSTANCE, "v1");

	str_copy(str_of(name), c.instance, sizeof(c.instance));
	c.admin = (uint8_t)admin;
	w.inst = (struct ro_facts_instance){ .exists = true,
		.configured = "127.0.0.1:1" };
	return world_do(&w, &c);
}

/* What makes a rollout that was paused do its step anew. */
static void
move_something(void)
{
	struct ro_command hold = world_command(RO_HOLD, "");
	struct ro_command release = world_command(RO_RELEASE, "");

	cr_assert_eq(tell(RO_ACTION_PAUSE), RO_NO_NONE, "%s", w.why);
	cr_assert_eq(world_do(&w, &hold), RO_NO_NONE, "%s", w.why);
	cr_assert_eq(world_do(&w, &release), RO_NO_NONE, "%s", w.why);
	cr_assert_eq(tell(RO_ACTION_RESUME), RO_NO_NONE, "%s", w.why);
	pass(0);
}

static void
only(size_t n)
{
	for (size_t i = n; i < N; i++)
		all[i].name = NULL;
}

/* One after the other, to the end. */
Test(roll, from_the_first_to_the_last)
{
	uint32_t runs = 0;

	start();
	for (size_t i = 0; i < N; i++) {
		expect(all[i].name, ROLL_JOB);
		cr_expect_eq(it()->runs, ++runs);
		cr_expect_eq(admin_of(all[i].name), INST_MAINT);
		end_run(RO_VERDICT_OK);
		expect(all[i].name, ROLL_PROOF);
		prove(all[i].name);
		cr_expect_eq(admin_of(all[i].name), INST_IN);
	}
	expect_why(RO_STAND_DONE, "");
	cr_expect_eq(it()->roll.done, N);
	cr_expect_eq(w.s.n_instances, 0, "no word about any is left");
	cr_expect_eq(world_pool(&w, 1)->share_bp, CFG_SHARE_ALL);
}

/* A probe that passed before the job had ended says nothing. */
Test(roll, has_to_be_proved_anew)
{
	start();
	all[0].proved_us = w.now;
	end_run(RO_VERDICT_OK);
	pass(10 * S);
	expect("a", ROLL_PROOF);
	all[0].up = false;
	prove("a");
	expect("a", ROLL_PROOF);
	all[0].up = true;
	prove("a");
	expect("b", ROLL_JOB);
}

Test(roll, has_so_long_to_prove_itself)
{
	start();
	end_run(RO_VERDICT_OK);
	all[0].up = false;
	pass(599 * S);
	expect("a", ROLL_PROOF);
	pass(S);
	expect_why(RO_STAND_ROLLED_BACK,
	    "a has to prove itself anew, for longer than it may");
	cr_expect_eq(admin_of("a"), INST_IN, "its probe keeps it out");
}

/* The time of one is not that of the next, nor does a job count for it. */
Test(roll, time_is_counted_anew)
{
	start();
	for (size_t i = 0; i < N; i++) {
		pass(10000 * S);
		expect(all[i].name, ROLL_JOB);
		end_run(RO_VERDICT_OK);
		pass(500 * S);
		prove(all[i].name);
	}
	expect_why(RO_STAND_DONE, "");
}

/* With another one down the next would be one too many. */
Test(roll, waits_until_all_others_can_serve)
{
	all[2].up = false;
	start();
	expect("", ROLL_NEXT);
	pass(599 * S);
	expect("", ROLL_NEXT);
	all[2].up = true;
	pass(S / 2);
	expect("a", ROLL_JOB);
	all[1].up = false;
	end_run(RO_VERDICT_OK);
	prove("a");
	expect("", ROLL_NEXT);
	str_copy(STR("b is down"), world_facts(&w, 1)->unready, 100);
	pass(600 * S);
	expect_why(RO_STAND_ROLLED_BACK,
	    "v1 is not ready: b is down, for longer than it may");
}

Test(roll, waits_for_what_is_on_its_way)
{
	all[0].inflight = 2;
	all[1].streams = 1;
	start();
	expect("a", ROLL_EMPTY);
	pass(9 * S);
	expect("a", ROLL_EMPTY);
	pass(S);
	expect("a", ROLL_JOB);
	end_run(RO_VERDICT_OK);
	prove("a");
	expect("b", ROLL_EMPTY);
	pass(30 * S);
	expect("b", ROLL_EMPTY);
	all[1].streams = 0;
	pass(S);
	expect("b", ROLL_JOB);
}

/* As long as a worker may still send something there, nothing is proved. */
Test(roll, waits_for_workers)
{
	struct ro_facts f = world_all_facts(&w);

	cr_assert_eq(tell(RO_ACTION_START), RO_NO_NONE, "%s", w.why);
	for (int i = 0; i < 5; i++) {
		look();
		world_facts(&w, 1)->view_current = i == 1;
		(void)(machine_clock(&w.s, &f, &w.due) == RO_SAME);
	}
	expect("a", ROLL_EMPTY);
	pass(0);
	expect("a", ROLL_JOB);
}

Test(roll, keeps_sessions_for_a_while)
{
	plan.steps[0].for_us = 60 * S;
	start();
	expect("a", ROLL_LEAVE);
	cr_expect_eq(admin_of("a"), INST_DRAIN);
	pass(59 * S);
	expect("a", ROLL_LEAVE);
	pass(S);
	expect("a", ROLL_JOB);
	cr_expect_eq(admin_of("a"), INST_MAINT);
}

/* What fails stops it there; the others are as they were. */
Test(roll, a_job_that_fails)
{
	start();
	end_run(RO_VERDICT_OK);
	prove("a");
	end_run(RO_VERDICT_FAILED);
	expect_why(RO_STAND_ROLLED_BACK, "job renew: exit status 9");
	cr_expect_eq(it()->roll.done, 1);
	cr_expect_eq(w.s.n_instances, 0);
	cr_expect_eq(world_pool(&w, 1)->share_bp, CFG_SHARE_ALL);
}

/* Tried again it begins with the one that failed. */
Test(roll, goes_on_where_it_failed)
{
	plan.on_failure = CFG_FAILURE_PAUSE;
	start();
	end_run(RO_VERDICT_OK);
	prove("a");
	end_run(RO_VERDICT_FAILED);
	expect_why(RO_STAND_PAUSED, "job renew: exit status 9");
	cr_expect_eq(admin_of("b"), INST_MAINT);
	cr_assert_eq(tell(RO_ACTION_RETRY), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect("b", ROLL_JOB);
	cr_expect_eq(it()->runs, 3);
	end_run(RO_VERDICT_OK);
	prove("b");
	expect("c", ROLL_JOB);
}

Test(roll, skip_and_abort_take_it_in)
{
	const enum ro_action actions[] = { RO_ACTION_SKIP, RO_ACTION_ABORT,
		RO_ACTION_ROLLBACK };

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		start();
		expect("a", ROLL_JOB);
		cr_expect_eq(tell(actions[i]), RO_NO_NONE, "%s", w.why);
		cr_expect_eq(admin_of("a"), INST_IN);
		cr_expect_not(steps_under_way(it()));
	}
}

/* A pause in the middle counts for no clock; a good end is noted. */
Test(roll, pause)
{
	all[0].inflight = 1;
	start();
	pass(9 * S);
	cr_assert_eq(tell(RO_ACTION_PAUSE), RO_NO_NONE, "%s", w.why);
	pass(100 * S);
	cr_assert_eq(tell(RO_ACTION_RESUME), RO_NO_NONE, "%s", w.why);
	pass(S / 2);
	expect("a", ROLL_EMPTY);
	pass(S / 2);
	expect("a", ROLL_JOB);
	cr_assert_eq(tell(RO_ACTION_PAUSE), RO_NO_NONE, "%s", w.why);
	end_run(RO_VERDICT_OK);
	cr_assert_eq(tell(RO_ACTION_RESUME), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect("a", ROLL_PROOF);
	prove("a");
	expect("b", ROLL_JOB);
}

/* Nobody knows how its job ended: it is asked for again by retry alone. */
Test(roll, a_master_that_is_new)
{
	start();
	cr_expect(ro_state_lose_runs(&w.s, w.now));
	expect_why(RO_STAND_PAUSED,
	    "nobody knows how job renew ended: segued ended while it ran");
	cr_expect_eq(tell(RO_ACTION_RESUME), RO_NO_HALTED);
	cr_assert_eq(tell(RO_ACTION_RETRY), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect("a", ROLL_JOB);
	cr_expect_eq(it()->runs, 2);
}

/* ---- one stands in ---- */

Test(roll, with_surge)
{
	cr_assert_eq(put("c", INST_MAINT), RO_NO_NONE, "%s", w.why);
	plan.steps[0].surge = true;
	start();
	expect("c", ROLL_JOB);
	end_run(RO_VERDICT_OK);
	prove("c");
	expect("a", ROLL_JOB);
	cr_expect_eq(admin_of("c"), INST_IN);
	end_run(RO_VERDICT_OK);
	prove("a");
	expect("b", ROLL_JOB);
	all[2].inflight = 1;
	end_run(RO_VERDICT_OK);
	prove("b");
	expect("c", ROLL_LAST);
	cr_expect_eq(admin_of("c"), INST_MAINT);
	all[2].inflight = 0;
	pass(S);
	expect_why(RO_STAND_DONE, "");
	cr_expect_eq(it()->roll.done, 2);
	cr_expect_eq(admin_of("c"), INST_MAINT);
}

Test(roll, surge_without_anybody_who_could)
{
	plan.steps[0].surge = true;
	start();
	expect_why(RO_STAND_ROLLED_BACK,
	    "no instance of v1 is in maintenance, to stand in for those that "
	    "are renewed; \"segue instance NAME maint\" puts one there");
}

/* ---- what it cannot do ---- */

Test(roll, the_only_one)
{
	only(1);
	start();
	expect_why(RO_STAND_ROLLED_BACK,
	    "nobody would serve while a of v1 is renewed; a step hold before "
	    "it, or surge, helps");
}

/* Requests wait meanwhile, so it may. */
Test(roll, the_only_one_while_requests_wait)
{
	only(1);
	w.s.services[0].hold = HOLD_ALL;
	start();
	expect("a", ROLL_JOB);
	all[0].up = false;
	w.s.services[0].pools[0].life = RO_LIFE_DEAD;
	pass(10 * S);
	expect("a", ROLL_JOB);
}

Test(roll, one_that_was_added)
{
	all[1].added = true;
	start();
	expect_why(RO_STAND_ROLLED_BACK,
	    "b of v1 was added by a command, so no job knows it; put it into "
	    "the configuration, or remove it");
}

Test(roll, one_that_goes_meanwhile)
{
	start();
	all[0].name = NULL;
	pass(S);
	expect_why(RO_STAND_ROLLED_BACK, "a is no instance of v1 any more");
}

Test(roll, the_last_one_is_gone_before_the_next)
{
	start();
	end_run(RO_VERDICT_OK);
	all[1].up = false;
	prove("a");
	expect("", ROLL_NEXT);
	all[0].name = NULL;
	all[1].up = true;
	pass(S);
	expect_why(RO_STAND_ROLLED_BACK,
	    "a is no instance of v1 any more, and nobody knows which came "
	    "after it");
}

/* One that an operator has out stays out, and is left alone. */
Test(roll, one_in_maintenance)
{
	cr_assert_eq(put("b", INST_MAINT), RO_NO_NONE, "%s", w.why);
	cr_assert_eq(tell(RO_ACTION_START), RO_NO_NONE, "%s", w.why);
	tick_with(2);
	expect("a", ROLL_JOB);
}

/* A pool without a share: nobody is to be kept, all may be down. */
Test(roll, of_a_pool_that_does_not_serve)
{
	world_put(&w, 1, POOL_STARTING, 0);
	world_put(&w, 2, POOL_ACTIVE, CFG_SHARE_ALL);
	world_fit(&w, 2, true);
	for (size_t i = 0; i < N; i++)
		all[i].up = false;
	start();
	for (size_t i = 0; i < N; i++) {
		expect(all[i].name, ROLL_JOB);
		end_run(RO_VERDICT_OK);
		all[i].up = true;
		prove(all[i].name);
	}
	expect_why(RO_STAND_DONE, "");
}

/* ---- who begins ---- */

Test(roll, may_stay_at_its_pool)
{
	plan.steps[0].kind = CFG_STEP_PROMOTE;
	cr_expect_eq(tell(RO_ACTION_START), RO_NO_ROLLOUT);
	cr_expect_str_eq(w.why, "v1 has all of new sessions already");
	plan.steps[0].kind = CFG_STEP_ROLL;
	cr_expect_eq(tell(RO_ACTION_START), RO_NO_NONE, "%s", w.why);
}

Test(roll, survives_on_disk)
{
	struct buf text = BUF_INIT;
	struct ro_state back;
	char why[200];
	char *was = NULL, *is = NULL;

	start();
	end_run(RO_VERDICT_OK);
	prove("a");
	it()->roll.done = 7;
	str_copy(STR("c"), it()->roll.spare, sizeof(it()->roll.spare));
	cr_assert_eq(ro_state_new(&back), E_OK);
	ro_state_write(&w.s, &text);
	cr_assert_eq(ro_state_read(buf_str(&text), &back, why, sizeof(why)),
	    E_OK, "%s", why);
	was = world_text(&w.s);
	is = world_text(&back);
	cr_expect_str_eq(is, was);
	cr_expect_not_null(strstr(is,
	    "\"phase\":\"job\",\"now\":\"b\","
	    "\"last\":\"a\",\"spare\":\"c\""));
	free(was);
	free(is);
	ro_state_free(&back);
	buf_free(&text);
}

Test(roll, what_it_waits_for)
{
	struct ro_facts f = { .pools = w.rows, .rolls = w.rolls };
	char holds[MACHINE_HOLDS_MAX];

	all[0].inflight = 2;
	start();
	machine_rollout_holds(&w.s, 0, &f, holds);
	cr_expect_str_eq(holds, "a has 2 requests and 0 streams on its way");
	all[0].inflight = 0;
	pass(S);
	machine_rollout_holds(&w.s, 0, &f, holds);
	cr_expect_str_eq(holds, "job renew runs for a");
	end_run(RO_VERDICT_OK);
	machine_rollout_holds(&w.s, 0, &f, holds);
	cr_expect_str_eq(holds, "a has to prove itself anew");
}

/* ---- operators, and what else happens, in the middle ---- */

Test(roll, the_spare_is_put_in_before_its_turn)
{
	cr_assert_eq(put("c", INST_MAINT), RO_NO_NONE, "%s", w.why);
	plan.steps[0].surge = true;
	all[1].up = false;
	start();
	expect("", ROLL_NEXT);
	cr_assert_eq(put("c", INST_IN), RO_NO_NONE, "%s", w.why);
	all[1].up = true;
	pass(0);
	expect_why(RO_STAND_ROLLED_BACK,
	    "no instance of v1 is in maintenance any more, to stand in");
}

Test(roll, the_spare_is_gone_at_the_end)
{
	cr_assert_eq(put("c", INST_MAINT), RO_NO_NONE, "%s", w.why);
	plan.steps[0].surge = true;
	start();
	end_run(RO_VERDICT_OK);
	prove("c");
	only(2);
	end_run(RO_VERDICT_OK);
	prove("a");
	end_run(RO_VERDICT_OK);
	prove("b");
	expect_why(RO_STAND_DONE, "");
	cr_expect_eq(w.s.n_instances, 0);
}

/* Nothing is renewed that has traffic. */
Test(roll, the_one_at_hand_is_put_in)
{
	all[0].inflight = 1;
	start();
	cr_expect_eq(put("a", INST_IN), RO_NO_ROLLOUT);
	cr_expect_eq(put("b", INST_IN), RO_NO_NONE, "%s", w.why);
	cr_assert_eq(tell(RO_ACTION_PAUSE), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(put("a", INST_IN), RO_NO_NONE, "%s", w.why);
	cr_assert_eq(tell(RO_ACTION_RESUME), RO_NO_NONE, "%s", w.why);
	pass(11 * S);
	expect("a", ROLL_EMPTY);
	cr_expect_eq(admin_of("a"), INST_MAINT, "it was taken out anew");
	cr_expect_eq(it()->roll.since_us, w.now);
}

/* What was put in is taken out only where the others can serve. */
Test(roll, a_retry_looks_at_the_others_first)
{
	only(2);
	plan.on_failure = CFG_FAILURE_PAUSE;
	start();
	end_run(RO_VERDICT_FAILED);
	cr_assert_eq(put("a", INST_IN), RO_NO_NONE, "%s", w.why);
	all[1].up = false;
	cr_assert_eq(tell(RO_ACTION_RETRY), RO_NO_NONE, "%s", w.why);
	pass(S);
	expect("", ROLL_NEXT);
	cr_expect_eq(admin_of("a"), INST_IN);
	all[1].up = true;
	pass(S);
	expect("a", ROLL_JOB);
}

/* Better the one at hand than nobody, whatever the rule for failures. */
Test(roll, the_others_die)
{
	for (int rule = 0; rule < 2; rule++) {
		all[1].up = true;
		only(2);
		plan.on_failure = (uint8_t)rule;
		start();
		end_run(RO_VERDICT_OK);
		all[1].up = false;
		pass(S);
		cr_expect_neq(it()->stand, RO_STAND_RUNNING);
		cr_expect_eq(admin_of("a"), INST_IN);
		cr_expect_eq(world_pool(&w, 1)->share_bp, CFG_SHARE_ALL);
		if (rule == CFG_FAILURE_PAUSE)
			cr_expect_eq(tell(RO_ACTION_ABORT), RO_NO_NONE);
	}
}

/* Requests must not wait for ever behind a job that failed. */
Test(roll, the_only_one_fails_while_requests_wait)
{
	only(1);
	plan.n_steps = 3;
	plan.steps[1] = plan.steps[0];
	plan.steps[0] = (struct ro_step){ .kind = CFG_STEP_HOLD,
		.for_us = 300 * S };
	plan.steps[2] = (struct ro_step){ .kind = CFG_STEP_RELEASE };
	start();
	expect("a", ROLL_JOB);
	end_run(RO_VERDICT_FAILED);
	expect_why(RO_STAND_ROLLED_BACK, "job renew: exit status 9");
	cr_expect_eq(w.s.services[0].hold, HOLD_NONE);
	cr_expect_eq(admin_of("a"), INST_IN);
}

/* A new pool that dies is lost, though requests wait: they go back. */
Test(roll, another_pool_dies_while_requests_wait)
{
	struct ro_command c = world_command(RO_ROLLOUT, "v2");

	plan.n_steps = 4;
	plan.steps[0] = (struct ro_step){ .kind = CFG_STEP_HOLD };
	plan.steps[1] = (struct ro_step){ .kind = CFG_STEP_PROMOTE };
	plan.steps[2] = (struct ro_step){ .kind = CFG_STEP_APPROVE };
	plan.steps[3] = (struct ro_step){ .kind = CFG_STEP_RELEASE };
	c.action = RO_ACTION_START;
	c.plan = &plan;
	world_fit(&w, 2, true);
	world_facts(&w, 2)->view_current = true;
	world_put(&w, 2, POOL_READY, 0);
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	pass(0);
	cr_expect_eq(it()->at, 2);
	world_fit(&w, 2, false);
	pass(S);
	cr_expect_eq(it()->stand, RO_STAND_ROLLED_BACK, "%s", it()->why);
	cr_expect_eq(world_pool(&w, 1)->share_bp, CFG_SHARE_ALL);
}

Test(roll, a_reload_takes_the_one_at_hand)
{
	plan.on_failure = CFG_FAILURE_PAUSE;
	start();
	all[0].name = "z";
	pass(S);
	expect_why(RO_STAND_PAUSED, "a is no instance of v1 any more");
	cr_assert_eq(tell(RO_ACTION_RETRY), RO_NO_NONE, "%s", w.why);
	pass(S);
	expect("z", ROLL_JOB);
}

/* Sessions of the pool that serves go nowhere. */
Test(roll, no_share_of_its_own_pool)
{
	plan.n_steps = 2;
	plan.steps[1] = (struct ro_step){ .kind = CFG_STEP_SHARE,
		.share_bp = 1000 };
	cr_expect_eq(tell(RO_ACTION_START), RO_NO_ROLLOUT);
}

/* That run counts as done, and no other. */
Test(roll, skip_of_a_run_that_nobody_knows)
{
	start();
	cr_expect(ro_state_lose_runs(&w.s, w.now));
	cr_assert_eq(tell(RO_ACTION_SKIP), RO_NO_NONE, "%s", w.why);
	pass(0);
	expect("a", ROLL_PROOF);
	cr_expect_eq(it()->stand, RO_STAND_RUNNING);
	prove("a");
	expect("b", ROLL_JOB);
}

/* The time that we were not there for is nobody's. */
Test(roll, a_start_after_a_long_time)
{
	start();
	end_run(RO_VERDICT_OK);
	w.now += 700 * S;
	ro_state_wake(&w.s, w.now);
	pass(0);
	expect("a", ROLL_PROOF);
}

/* A step that is done anew renews no instance twice, and misses none. */
Test(roll, what_was_moved_in_the_middle)
{
	plan.n_steps = 2;
	plan.steps[1] = plan.steps[0];
	plan.steps[0] = (struct ro_step){ .kind = CFG_STEP_PROMOTE };
	start();
	end_run(RO_VERDICT_OK);
	prove("a");
	end_run(RO_VERDICT_OK);
	expect("b", ROLL_PROOF);
	move_something();
	expect("b", ROLL_JOB);
	end_run(RO_VERDICT_OK);
	prove("b");
	expect("c", ROLL_JOB);
	end_run(RO_VERDICT_OK);
	prove("c");
	expect_why(RO_STAND_DONE, "");
	cr_expect_eq(it()->roll.done, N);
}

Test(roll, what_was_moved_while_a_job_ran)
{
	start();
	move_something();
	expect("a", ROLL_JOB);
	for (size_t i = 0; i < N; i++) {
		end_run(RO_VERDICT_OK);
		prove(all[i].name);
	}
	expect_why(RO_STAND_DONE, "");
}

/* One that fails requests is not reason enough to go on to the next. */
Test(roll, one_rests)
{
	struct ro_facts f = world_all_facts(&w);
	char holds[MACHINE_HOLDS_MAX];

	cr_assert_eq(tell(RO_ACTION_START), RO_NO_NONE, "%s", w.why);
	for (int i = 0; i < 3; i++) {
		look();
		w.rolls[0].resting = true;
		(void)(machine_clock(&w.s, &f, &w.due) == RO_SAME);
	}
	expect("", ROLL_NEXT);
	machine_rollout_holds(&w.s, 0, &f, holds);
	cr_expect_str_eq(holds, "an instance of v1 rests, as it failed");
}

/* What has been stays rather than what was only tried. */
Test(roll, rehearsals_are_forgotten_first)
{
	struct ro_command c = world_command(RO_ROLLOUT, "v1");
	size_t real = 0;

	start();
	for (size_t i = 0; i < N; i++) {
		end_run(RO_VERDICT_OK);
		prove(all[i].name);
	}
	c.action = RO_ACTION_START;
	c.plan = &plan;
	c.rehearse = true;
	for (int i = 0; i < RO_PAST_MAX + 2; i++) {
		cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
		pass(0);
	}
	for (size_t i = 0; i < w.s.services[0].n_past; i++)
		real += !w.s.services[0].past[i].rehearsal;
	cr_expect_eq(real, 1);
}
