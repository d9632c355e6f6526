/*
 * A rollout of pools that sign with keys of their own (cfg jwks.required): no
 * share grows while their keys differ.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "rollout/steps.h"
#include "world.h"

#define ALL CFG_SHARE_ALL
#define LACKS "v2 lacks 1 of the other pools' keys (jwks)"

static struct world w;
static struct ro_rollout plan;

static void
begin(void)
{
	world_make(&w);
	(void)world_tick(&w);
	world_fit(&w, 2, true);
	plan = (struct ro_rollout){ .n_steps = 5,
		.clocks = { .mode = CFG_DRAIN_KEEP, .flows_us = 60 * S },
		.steps = { { .kind = CFG_STEP_READY, .deadline_us = 600 * S },
		    { .kind = CFG_STEP_SHARE,
		        .share_bp = 1000,
		        .deadline_us = 60 * S },
		    { .kind = CFG_STEP_PAUSE, .for_us = 10 * S },
		    { .kind = CFG_STEP_PROMOTE, .deadline_us = 60 * S },
		    { .kind = CFG_STEP_DRAIN, .deadline_us = 600 * S } } };
}

static void
end(void)
{
	world_free(&w);
}

TestSuite(keys_gate, .init = begin, .fini = end, .timeout = 20);

static void
start(bool rehearse)
{
	struct ro_command c = world_action(RO_ACTION_START, "v2", &plan);

	c.rehearse = rehearse;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	(void)world_tick(&w);
}

static void
pass(uint64_t us)
{
	w.now += us;
	(void)world_tick(&w);
}

/* Of a pool, from 1; "": they are all there. */
static void
say(size_t pool, const char *keys)
{
	struct ro_facts_pool *f = world_facts(&w, pool);

	(void)snprintf(f->keys, sizeof(f->keys), "%s", keys);
}

static const struct ro_rollout *
it(void)
{
	return &w.s.services[0].rollout;
}

static void
expect_at(size_t at, enum ro_stand stand, uint32_t share_bp)
{
	cr_expect_eq(it()->at, at, "at %zu", it()->at);
	cr_expect_eq(it()->stand, stand, "%s", it()->why);
	cr_expect_eq(world_pool(&w, 2)->share_bp, share_bp);
}

static void
expect_holds(const char *text)
{
	struct ro_facts facts = world_all_facts(&w);
	char holds[MACHINE_HOLDS_MAX];

	machine_rollout_holds(&w.s, 0, &facts, holds);
	cr_expect_str_eq(holds, text);
}

Test(keys_gate, a_share_waits)
{
	say(2, LACKS);
	start(false);
	pass(59 * S);
	expect_at(1, RO_STAND_RUNNING, 0);
	expect_holds(LACKS);
	say(2, "");
	pass(S / 2);
	expect_at(2, RO_STAND_RUNNING, 1000);
	expect_holds("");
}

/* Who asks that one for the keys refuses tokens of the new one. */
Test(keys_gate, so_does_it_for_those_of_who_serves)
{
	say(1, "v1 lacks 1 of the other pools' keys (jwks)");
	start(false);
	pass(S);
	expect_at(1, RO_STAND_RUNNING, 0);
}

Test(keys_gate, not_for_who_takes_no_part)
{
	say(3, "v3 lacks 1 of the other pools' keys (jwks)");
	start(false);
	expect_at(2, RO_STAND_RUNNING, 1000);
}

Test(keys_gate, it_fails_in_the_end)
{
	say(2, LACKS);
	start(false);
	pass(60 * S);
	expect_at(1, RO_STAND_ROLLED_BACK, 0);
	cr_expect_str_eq(it()->why,
	    "v2 does not get its share in time: " LACKS);
}

/* What differs later stops the next one, and takes nothing back by itself. */
Test(keys_gate, all_through_it)
{
	start(false);
	say(2, LACKS);
	pass(10 * S);
	expect_at(3, RO_STAND_RUNNING, 1000);
	expect_holds(LACKS);
	say(2, "");
	world_facts(&w, 1)->sessions = 1;
	pass(S);
	expect_at(4, RO_STAND_RUNNING, ALL);
	say(2, LACKS);
	world_facts(&w, 1)->sessions = 0;
	pass(S);
	cr_expect_eq(it()->stand, RO_STAND_DONE, "%s", it()->why);
}

Test(keys_gate, a_rehearsal_says_that_it_would)
{
	say(2, LACKS);
	start(true);
	cr_expect_eq(it()->stand, RO_STAND_DONE, "%s", it()->why);
	cr_expect_str_eq(it()->steps[1].said, "it would wait: " LACKS);
	cr_expect_str_eq(it()->steps[3].said, "it would wait: " LACKS);
	cr_expect_str_empty(it()->steps[4].said);
}

/* An operator's own command is his own. */
Test(keys_gate, commands_are_free)
{
	struct ro_command c = world_command(RO_SWITCH, "v2");

	say(2, LACKS);
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(world_pool(&w, 2)->share_bp, ALL);
}
