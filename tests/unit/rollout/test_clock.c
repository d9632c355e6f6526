/*
 * The wall clock is set back and forth: what lasts, lasts as long as it does.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "../base/scratch.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/loop.h"
#include "rig.h"
#include "upstream/registry.h"

#define DAY_US (INT64_C(86400) * 1000000)

static struct rig r;
static uint64_t mono_us, wall_us;

static void
set(uint64_t mono, uint64_t wall)
{
	mono_us = mono;
	wall_us = wall;
	clock_fake(mono, wall);
}

static void
begin(void)
{
	rig_make(&r);
	set(clock_mono_us(), clock_wall_us());
}

static void
end(void)
{
	clock_real();
	rig_free(&r);
}

TestSuite(clock, .init = begin, .fini = end, .timeout = 60);

static const struct {
	const char *why;
	int64_t by_us;
} steps[] = {
	{ "a day ahead", DAY_US },
	{ "a day back", -DAY_US },
	{ "two seconds back", -2000000 },
	{ "not at all", 0 },
};

static void
pass(uint64_t us)
{
	set(mono_us + us, wall_us + us);
	drive_poke(r.drive);
	rig_turns(&r, 3);
	rig_written(&r);
}

/* Somebody sets the wall clock; no time passes. */
static void
step(int64_t by_us)
{
	set(mono_us, wall_us + (uint64_t)by_us);
	drive_poke(r.drive);
	rig_turns(&r, 3);
	rig_written(&r);
}

static void
begin_drain(uint8_t mode)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;

	rig_run(&r);
	stat_add(&rig_instance(&r, 1)->cells[0].inflight, 1);
	stat_add(&rig_instance(&r, 1)->cells[0].streams, 1);
	rig_see(&r, 1, 7);
	c.drain = true;
	c.clocks.mode = mode;
	c.clocks.flows_us = 100 * US_PER_S;
	c.clocks.requests_us = 200 * US_PER_S;
	c.clocks.streams_us = 300 * US_PER_S;
	cr_assert_eq(rig_do(&r, &c, &a), RO_NO_NONE, "%s", a.sentence);
}

static uint8_t
cut(void)
{
	return views_newest(r.views)->services[0].pools[0].cut;
}

Test(clock, the_clocks_of_a_drain)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		const struct ro_pool *v1;

		end(), begin();
		begin_drain(CFG_DRAIN_EVICT);
		step(steps[i].by_us);
		v1 = rig_pool(&r, "v1");
		cr_expect_eq(wall_us - v1->drain.began_us, 0u, "%s",
		    steps[i].why);
		cr_expect_eq(cut(), 0u, "%s: not at once", steps[i].why);
		pass(199 * US_PER_S);
		cr_expect_eq(cut(), 0u, "%s: not yet", steps[i].why);
		step(-steps[i].by_us);
		pass(2 * US_PER_S);
		cr_expect_eq(cut(), CUT_REQUESTS, "%s", steps[i].why);
		step(steps[i].by_us);
		pass(100 * US_PER_S);
		cr_expect_eq(cut(), CUT_REQUESTS | CUT_STREAMS, "%s",
		    steps[i].why);
	}
}

/* The grace of sessions, and who is still seen. */
Test(clock, the_grace_of_a_drain)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		end(), begin();
		begin_drain(CFG_DRAIN_KEEP);
		step(steps[i].by_us);
		cr_expect_eq(rig_pool(&r, "v1")->drain.closed_us, 0u,
		    "%s: its session is not forgotten", steps[i].why);
		for (int s = 0; s < 99; s++) {
			rig_see(&r, 1, 7);
			pass(US_PER_S);
		}
		cr_expect_eq(rig_pool(&r, "v1")->drain.closed_us, 0u,
		    "%s: not yet", steps[i].why);
		rig_see(&r, 1, 7);
		pass(US_PER_S);
		cr_expect_neq(rig_pool(&r, "v1")->drain.closed_us, 0u, "%s",
		    steps[i].why);
	}
}

/* On disk, too: the next process must not find other stamps. */
Test(clock, the_file_follows)
{
	struct ro_state s;
	char why[512];

	begin_drain(CFG_DRAIN_EVICT);
	step(DAY_US);
	cr_assert_eq(ro_state_new(&s), E_OK);
	cr_assert_eq(ro_state_load(scratch_path(RO_STATE_FILE), &s, why,
	                 sizeof(why)),
	    E_OK);
	cr_expect_eq(s.services[0].pools[0].drain.closed_us,
	    rig_pool(&r, "v1")->drain.closed_us);
	cr_expect_eq(s.services[0].pools[0].drain.closed_us, wall_us);
	ro_state_free(&s);
}

/* Set back while nobody ran: a drain begins anew, and ends. */
Test(clock, set_back_while_we_were_away)
{
	begin_drain(CFG_DRAIN_EVICT);
	rig_stop(&r);
	set(mono_us, wall_us - (uint64_t)DAY_US);
	cr_assert_eq(rig_start(&r), E_OK, "%s", r.why);
	stat_add(&rig_instance(&r, 1)->cells[0].inflight, 1);
	cr_expect_eq(rig_pool(&r, "v1")->drain.closed_us, wall_us);
	pass(199 * US_PER_S);
	cr_expect_eq(cut(), 0u);
	pass(2 * US_PER_S);
	cr_expect_eq(cut(), CUT_REQUESTS);
}
