/*
 * The drive: disk, then memory, then workers; and who waits for it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/fault.h"
#include "../base/scratch.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "rig.h"
#include "upstream/registry.h"

#define ALL CFG_SHARE_ALL

static struct rig r;

static void
begin(void)
{
	rig_make(&r);
}

static void
end(void)
{
	fault_arm(FAULT_FSYNC, 0, 0);
	rig_free(&r);
}

TestSuite(drive, .init = begin, .fini = end, .timeout = 60);

static const struct view_pool *
routed(const char *pool)
{
	const struct view_service *s = &views_newest(r.views)->services[0];

	for (size_t i = 0; i < s->n_pools; i++)
		if (strcmp(s->pools[i].pool->name, pool) == 0)
			return &s->pools[i];
	cr_assert_fail("the view has no pool %s", pool);
	abort();
}

static uint32_t
share_of(const char *pool)
{
	const struct view_pool *p = routed(pool);

	return p->share_to - p->share_from;
}

static bool
is_drained(void *pool)
{
	return rig_pool(&r, pool)->state == POOL_DRAINED;
}

static bool
is_ready(void *pool)
{
	return rig_pool(&r, pool)->state == POOL_READY;
}

/* ---- the order ---- */

Test(drive, begins_with_the_configuration)
{
	cr_assert_eq(rig_start(&r), E_OK, "%s", r.why);
	cr_expect_str_eq(r.why, "");
	cr_expect_eq(rig_on_disk(), 1u);
	cr_expect_eq(r.nudges, 1u);
	cr_expect_eq(share_of("v1"), ALL);
	cr_expect_eq(routed("v1")->n_eligible, 0u, "unknown is never up");
	rig_health(&r, true, true);
	cr_expect_eq(routed("v1")->n_eligible, 1u);
	rig_until(&r, "v2 ready", is_ready, (char[]){ "v2" });
	cr_expect_eq(rig_on_disk(), 1u, "readiness is not on disk");
}

Test(drive, on_disk_before_it_is_done)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;

	rig_run(&r);
	cr_expect_eq(rig_do(&r, &c, &a), RO_NO_NONE, "%s", a.sentence);
	cr_expect_eq(a.on_disk, a.result.generation);
	cr_expect_eq(a.result.generation, 2u);
	cr_expect_not(a.result.timed_out);
	cr_expect_str_eq(a.sentence, "");
	cr_expect_eq(share_of("v2"), ALL);
	cr_expect_eq(share_of("v1"), 0u);
	cr_expect_str_eq(rig_event(&r, FEED_COMMAND), "switch v2: done");
}

/* All of the workers, not one, and the disk long before. */
Test(drive, done_when_every_worker_has_adopted)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;

	rig_run(&r);
	r.lazy = true;
	cr_expect_neq(rig_ask(&r, &c, false, 0, &a), 0u);
	cr_expect_eq(drive_state(r.drive)->generation, 1u, "not before");
	rig_written(&r);
	cr_expect_eq(drive_state(r.drive)->generation, 2u);
	cr_expect_eq(rig_on_disk(), 2u);
	rig_turns(&r, 5);
	cr_expect_not(a.came, "nobody has adopted it");
	rig_adopt(&r, 0);
	rig_turns(&r, 5);
	cr_expect_not(a.came, "one has not");
	rig_adopt(&r, 1);
	rig_answered(&r, &a);
	cr_expect_eq(a.result.refusal, RO_NO_NONE);
}

/*
 * A health edge publishes a newer view, which has the state as well; who has
 * adopted the one before knows enough.
 */
Test(drive, a_newer_view_will_do)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;
	uint64_t first;

	rig_run(&r);
	r.lazy = true;
	rig_give(&r, &c, false, 0, &a);
	first = views_newest(r.views)->generation;
	rig_adopt(&r, 0);
	rig_listen(&r, 0, false);
	rig_health(&r, false, true);
	cr_expect_gt(views_newest(r.views)->generation, first);
	cr_expect_not(a.came);
	rig_adopt(&r, 1);
	rig_answered(&r, &a);
	cr_expect_not(a.result.timed_out, "%s", a.sentence);
}

/* That a pool lives is told, and makes nobody wait for another view. */
Test(drive, life_needs_no_view)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;
	uint64_t first;

	rig_run(&r);
	cr_assert_eq(rig_do(&r, &c, &a), RO_NO_NONE);
	first = views_newest(r.views)->generation;
	rig_turns(&r, 5);
	cr_expect_eq(rig_pool(&r, "v2")->life, RO_LIFE_ALIVE);
	cr_expect_eq(views_newest(r.views)->generation, first);
	cr_expect_str_eq(rig_event(&r, FEED_POOL), "can serve");
}

Test(drive, a_worker_that_left_holds_nobody)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;

	rig_run(&r);
	r.lazy = true;
	views_leave(r.views, 1);
	rig_give(&r, &c, false, 0, &a);
	rig_adopt(&r, 0);
	rig_answered(&r, &a);
	cr_expect_not(a.result.timed_out, "%s", a.sentence);
}

Test(drive, a_refusal_changes_nothing)
{
	struct ro_command c = rig_command(RO_UNDRAIN, "v1");
	struct rig_answer a;
	unsigned nudges;

	rig_run(&r);
	nudges = r.nudges;
	cr_expect_eq(rig_give(&r, &c, true, 0, &a), 0u);
	cr_expect_eq(a.result.refusal, RO_NO_NOT_DRAINING);
	cr_expect_str_eq(a.sentence, "v1 is active, not draining");
	cr_expect_eq(rig_on_disk(), 1u);
	rig_turns(&r, 3);
	cr_expect_eq(r.nudges, nudges);
	cr_expect_str_eq(rig_event(&r, FEED_COMMAND),
	    "undrain v1: not_draining: v1 is active, not draining");
}

/* As sessions see it: growing v2 step by step moves no bucket back. */
Test(drive, shares_become_ranges_of_buckets)
{
	static const uint32_t steps[] = { 1, 1000, 5000, 9999, ALL };
	uint32_t from = 0, to = 0;
	struct rig_answer a;

	rig_run(&r);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct ro_command c = rig_command(RO_SHARE, "v2");
		const struct view_pool *v1, *v2;

		c.share_bp = steps[i];
		cr_assert_eq(rig_do(&r, &c, &a), RO_NO_NONE, "%s", a.sentence);
		v1 = routed("v1");
		v2 = routed("v2");
		cr_expect_eq(v2->share_to - v2->share_from, steps[i]);
		cr_expect_eq(v1->share_to - v1->share_from, ALL - steps[i]);
		cr_expect(v1->share_from >= v2->share_to ||
		        v2->share_from >= v1->share_to,
		    "they overlap");
		cr_expect(to == 0 ||
		        (v2->share_from <= from && v2->share_to >= to),
		    "it keeps what it had");
		from = v2->share_from;
		to = v2->share_to;
	}
}

/* ---- a disk that fails ---- */

static const struct {
	const char *why;
	enum fault fault;
	unsigned nth;
	int errnum;
	bool slots; /* it goes to the journal */
} faults[] = {
	{ "full", FAULT_WRITE, 1, ENOSPC, false },
	{ "fsync of the file", FAULT_FSYNC, 1, EIO, false },
	{ "rename", FAULT_RENAME, 1, EIO, false },
	{ "fsync of the directory", FAULT_FSYNC, 2, EIO, false },
	{ "write to a slot", FAULT_WRITE, 1, EIO, true },
	{ "fdatasync of a slot", FAULT_FSYNC, 1, EIO, true },
};

static bool
disk_is_one(void *arg)
{
	(void)arg;
	return drive_is_saved(r.drive) && rig_on_disk() == 1;
}

Test(drive, a_save_that_fails_refuses)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct ro_command c = rig_command(RO_SWITCH, "v2");
		struct rig_answer a;
		unsigned nudges;

		end(), begin();
		rig_run(&r);
		if (!faults[i].slots)
			rig_without_slots(&r);
		nudges = r.nudges;
		/* Its log line must not be what meets the fault. */
		fault_arm(faults[i].fault, faults[i].nth, faults[i].errnum);
		memset(&a, 0, sizeof(a));
		cr_expect_eq(rig_do(&r, &c, &a), RO_NO_DISK, "%s",
		    faults[i].why);
		cr_expect_not_null(strstr(a.sentence, "nothing was changed"),
		    "%s: %s", faults[i].why, a.sentence);
		cr_expect_eq(rig_pool(&r, "v1")->share_bp, ALL);
		cr_expect_eq(share_of("v1"), ALL);
		cr_expect_eq(r.nudges, nudges, "%s", faults[i].why);
		cr_expect_not(drive_is_saved(r.drive), "%s", faults[i].why);
		rig_until(&r, "the old state on disk", disk_is_one, NULL);
		cr_expect_eq(rig_do(&r, &c, &a), RO_NO_NONE,
		    "%s: it works again", faults[i].why);
	}
}

static bool
has_failed(void *arg)
{
	struct drive_disk disk;

	(void)arg;
	drive_disk(r.drive, &disk);
	return disk.failed > 0;
}

static uint64_t
saves(void)
{
	struct drive_disk disk;

	drive_disk(r.drive, &disk);
	return hist_total(disk.took);
}

/* Nobody waits for what the clock wants; it waits for the disk. */
Test(drive, the_clock_waits_for_the_disk)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;
	struct instance *i1;
	uint64_t tries;

	rig_run(&r);
	i1 = rig_instance(&r, 1);
	c.drain = true;
	stat_add(&i1->cells[0].inflight, 1);
	cr_assert_eq(rig_do(&r, &c, &a), RO_NO_NONE);
	rig_rests(&r);
	stat_sub(&i1->cells[0].inflight, 1);
	fault_arm(FAULT_FSYNC, 1, EIO);
	tries = saves();
	drive_poke(r.drive);
	rig_until(&r, "the failure", has_failed, NULL);
	for (int n = 0; n < 50; n++) {
		drive_poke(r.drive);
		rig_turns(&r, 1);
	}
	cr_expect_eq(saves() - tries, 1u, "it is not tried with every look");
	cr_expect_eq(rig_pool(&r, "v1")->state, POOL_DRAINING);
	rig_until(&r, "the drain's end", is_drained, (char[]){ "v1" });
	cr_expect_eq(rig_on_disk(), drive_state(r.drive)->generation);
}

Test(drive, a_first_start_needs_its_directory)
{
	cfg_unref(&r.cfg);
	r.cfg = rig_configure(&r, NULL);
	fault_arm(FAULT_WRITE, 1, ENOSPC);
	cr_expect_eq(rig_start(&r), E_FULL);
	cr_expect_not_null(strstr(r.why,
	                       "the state cannot be written: no room left.  "
	                       "state_dir must be a directory that segued may "
	                       "write to, with room on its disk"),
	    "%s", r.why);
}

/* A restart with a full disk goes on serving. */
Test(drive, a_start_with_nothing_new_needs_no_disk)
{
	rig_run(&r);
	rig_stop(&r);
	fault_arm(FAULT_FSYNC, 1, ENOSPC);
	rig_run(&r);
	cr_expect_eq(share_of("v1"), ALL);
}

Test(drive, a_damaged_file_is_refused)
{
	rig_run(&r);
	rig_stop(&r);
	scratch_write(RO_STATE_FILE, STR("segue-state 1 1 1 0"));
	cr_expect_eq(rig_start(&r), E_DAMAGED);
	cr_expect_not_null(strstr(r.why, "mv "), "%s", r.why);
	rig_stop(&r);
	cr_assert_eq(remove(scratch_path(RO_STATE_FILE)), 0);
	cr_expect_eq(rig_start(&r), E_OK, "as it advised: %s", r.why);
}

/* ---- what survives ---- */

Test(drive, a_drain_survives_a_restart)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;
	uint64_t closed;

	rig_run(&r);
	c.drain = true;
	stat_add(&rig_instance(&r, 1)->cells[0].streams, 1);
	cr_assert_eq(rig_do(&r, &c, &a), RO_NO_NONE);
	closed = rig_pool(&r, "v1")->drain.closed_us;
	cr_expect_neq(closed, 0u);
	rig_stop(&r);
	r.lazy = true;
	cr_assert_eq(rig_start(&r), E_OK, "%s", r.why);
	cr_expect_eq(rig_pool(&r, "v1")->state, POOL_DRAINING);
	cr_expect_eq(rig_pool(&r, "v1")->drain.closed_us, closed);
	cr_expect_eq(routed("v1")->pins, PINS_EVICT);
	cr_expect_eq(share_of("v2"), ALL);
	/* Nothing is in flight in this life, but workers do not know yet. */
	rig_turns(&r, 5);
	cr_expect_eq(rig_pool(&r, "v1")->state, POOL_DRAINING);
	rig_adopt(&r, 0);
	rig_adopt(&r, 1);
	rig_until(&r, "the drain's end", is_drained, (char[]){ "v1" });
}

Test(drive, proofs_are_carried_over_a_restart)
{
	rig_run(&r);
	rig_stop(&r);
	rig_listen(&r, 0, false);
	cr_assert_eq(rig_start(&r), E_OK, "%s", r.why);
	cr_expect_eq(rig_instance(&r, 1)->health, HEALTH_UP);
	cr_expect_eq(routed("v1")->n_eligible, 1u, "in the very first view");
	rig_health(&r, false, true);
	cr_expect_eq(routed("v1")->n_eligible, 0u);
}

/* ---- waiting ---- */

Test(drive, a_drain_is_waited_for_to_its_last_exchange)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;
	struct instance *i1;
	uint64_t ended_us;

	rig_run(&r);
	i1 = rig_instance(&r, 1);
	stat_add(&i1->cells[0].inflight, 1);
	stat_add(&i1->cells[1].streams, 2);
	/* before the drain: none of its business */
	stat_add(&i1->pool->cells[1].streams_ended[STREAM_CUT], 7);
	c.drain = true;
	rig_give(&r, &c, true, 0, &a);
	rig_turns(&r, 8);
	cr_expect_not(a.came);
	cr_expect_gt(a.told, 0u, "progress is told");
	cr_expect_eq(a.progress.inflight, 1u);
	cr_expect_eq(a.progress.streams, 2u);
	cr_expect_not_null(strstr(a.holds, "1 request in flight, cut in "),
	    "%s", a.holds);
	cr_expect_not_null(strstr(a.holds, "; 2 streams open, cut in "), "%s",
	    a.holds);
	cr_expect(i1->pool->leaving, "workers tell each end");
	cr_expect(i1->pool->drains);
	stat_add(&i1->pool->cells[0].streams_ended[STREAM_ENDED], 1);
	stat_add(&i1->pool->cells[1].streams_ended[STREAM_CLOSED], 1);
	stat_sub(&i1->cells[1].streams, 2);
	drive_poke(r.drive);
	rig_turns(&r, 8);
	cr_expect_not(a.came, "one is left");
	/* As a worker does at the end of the last one: PROXY_EMPTY. */
	stat_sub(&i1->cells[0].inflight, 1);
	drive_poke(r.drive);
	ended_us = clock_mono_us();
	rig_answered(&r, &a);
	/* Without the poke the clock would come, once a second. */
	cr_expect_lt(clock_mono_us() - ended_us, 500000u);
	cr_expect_eq(a.result.refusal, RO_NO_NONE);
	cr_expect_str_eq(a.sentence,
	    "v2 serves all new sessions; v1 is drained and may be stopped; "
	    "of the streams there 1 ended by themselves, 1 were closed and 0 "
	    "cut");
	cr_expect_eq(rig_pool(&r, "v1")->state, POOL_DRAINED);
	cr_expect_eq(a.on_disk, drive_state(r.drive)->generation);
	cr_expect_not(i1->pool->leaving);
	cr_expect_not(i1->pool->drains);
	cr_expect_not(routed("v1")->serves);
}

/* One worker that still routes by the old view may yet begin an exchange. */
Test(drive, a_drain_does_not_end_before_every_worker_knows)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;

	rig_run(&r);
	r.lazy = true;
	c.drain = true;
	rig_give(&r, &c, true, 0, &a);
	rig_turns(&r, 8);
	rig_adopt(&r, 0);
	rig_turns(&r, 8);
	cr_expect_eq(rig_pool(&r, "v1")->state, POOL_DRAINING);
	cr_expect_str_eq(a.holds, "a worker has not taken the change over yet");
	stat_add(&rig_instance(&r, 1)->cells[1].inflight, 1);
	rig_adopt(&r, 1);
	rig_turns(&r, 8);
	cr_expect_eq(rig_pool(&r, "v1")->state, POOL_DRAINING);
	stat_sub(&rig_instance(&r, 1)->cells[1].inflight, 1);
	r.lazy = false;
	rig_adopt(&r, 0);
	rig_adopt(&r, 1);
	rig_answered(&r, &a);
	cr_expect_eq(rig_pool(&r, "v1")->state, POOL_DRAINED);
}

/* keep: a session seen on v1 holds it until it is unseen for its idle time. */
Test(drive, sessions_hold_a_keep)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;

	rig_run(&r);
	rig_see(&r, 1, 77);
	c.drain = true;
	c.clocks.mode = CFG_DRAIN_KEEP;
	rig_give(&r, &c, true, 0, &a);
	rig_turns(&r, 8);
	cr_expect_not(a.came);
	cr_expect_eq(a.progress.sessions, 1u);
	cr_expect_not_null(strstr(a.holds,
	                       "1 session keeps its pin; the grace ends in "),
	    "%s", a.holds);
	cr_expect(routed("v1")->serves);
	cr_expect_eq(routed("v1")->pins, PINS_KEEP);
	rig_see(&r, 2, 77); /* it moves */
	rig_answered(&r, &a);
	cr_expect_eq(rig_pool(&r, "v1")->state, POOL_DRAINED);
}

Test(drive, a_wait_has_its_bound_and_the_action_goes_on)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;
	struct instance *i1;

	rig_run(&r);
	i1 = rig_instance(&r, 1);
	stat_add(&i1->cells[0].inflight, 1);
	c.drain = true;
	rig_give(&r, &c, true, 20000, &a);
	rig_answered(&r, &a);
	cr_expect(a.result.timed_out);
	cr_expect_eq(a.result.refusal, RO_NO_NONE);
	cr_expect_str_eq(a.sentence, "not done in time; it goes on by itself");
	stat_sub(&i1->cells[0].inflight, 1);
	drive_poke(r.drive);
	rig_until(&r, "the drain's end", is_drained, (char[]){ "v1" });
}

static const struct {
	const char *why;
	enum ro_verb verb; /* what is waited for */
	const char *pool;
	bool when_ready;
	enum ro_verb later; /* and what comes then */
	const char *later_pool;
	enum ro_refusal end;
} overtakings[] = {
	{ "a drain taken back", RO_DRAIN, "v1", false, RO_UNDRAIN, "v1",
	    RO_NO_SUPERSEDED },
	{ "a switch that waits, undrained", RO_SWITCH, "v2", true, RO_UNDRAIN,
	    "v2", RO_NO_SUPERSEDED },
	{ "a switch that waits, and another", RO_SWITCH, "v2", true, RO_SWITCH,
	    "v1", RO_NO_SUPERSEDED },
};

Test(drive, a_later_command_takes_its_place)
{
	for (size_t i = 0; i < ARRAY_LEN(overtakings); i++) {
		struct ro_command c = rig_command(overtakings[i].verb,
		    overtakings[i].pool);
		struct ro_command then = rig_command(overtakings[i].later,
		    overtakings[i].later_pool);
		struct rig_answer a, b;

		end(), begin();
		if (overtakings[i].when_ready)
			rig_listen(&r, 1, false);
		cr_assert_eq(rig_start(&r), E_OK);
		rig_health(&r, true, !overtakings[i].when_ready);
		stat_add(&rig_instance(&r, 1)->cells[0].inflight, 1);
		c.when_ready = overtakings[i].when_ready;
		rig_give(&r, &c, true, 0, &a);
		rig_turns(&r, 5);
		cr_expect_not(a.came, "%s: %s", overtakings[i].why, a.sentence);
		cr_expect_eq(rig_do(&r, &then, &b), RO_NO_NONE, "%s: %s",
		    overtakings[i].why, b.sentence);
		rig_answered(&r, &a);
		cr_expect_eq(a.result.refusal, overtakings[i].end, "%s",
		    overtakings[i].why);
		cr_expect_str_eq(a.sentence, "a later command took its place");
	}
}

Test(drive, a_switch_waits_for_its_pool)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;

	rig_listen(&r, 1, false);
	cr_assert_eq(rig_start(&r), E_OK);
	rig_health(&r, true, false);
	c.when_ready = true;
	rig_give(&r, &c, true, 0, &a);
	rig_turns(&r, 5);
	cr_expect_not(a.came);
	cr_expect_str_eq(rig_event(&r, FEED_COMMAND),
	    "switch v2 --when-ready: waits until it is ready");
	cr_expect_str_eq(a.holds,
	    "v2 is not ready: i2 is down: connection refused");
	cr_expect_eq(share_of("v1"), ALL);
	rig_listen(&r, 1, true);
	rig_answered(&r, &a);
	cr_expect_eq(a.result.refusal, RO_NO_NONE, "%s", a.sentence);
	cr_expect_eq(share_of("v2"), ALL);
	cr_expect_eq(a.on_disk, a.result.generation);
}

/* It is in the file: a crash does not forget it. */
Test(drive, a_switch_that_waits_survives_a_restart)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;

	rig_listen(&r, 1, false);
	cr_assert_eq(rig_start(&r), E_OK);
	rig_health(&r, true, false);
	c.when_ready = true;
	cr_expect_eq(rig_do(&r, &c, &a), RO_NO_NONE);
	rig_stop(&r);
	rig_listen(&r, 1, true);
	rig_run(&r);
	rig_written(&r);
	cr_expect_eq(share_of("v2"), ALL);
}

Test(drive, who_left_hears_nothing)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;
	uint64_t id;

	rig_run(&r);
	r.lazy = true;
	id = rig_give(&r, &c, false, 0, &a);
	drive_forget(r.drive, id);
	drive_forget(r.drive, id);
	drive_forget(r.drive, 12345);
	rig_adopt(&r, 0);
	rig_adopt(&r, 1);
	rig_turns(&r, 8);
	cr_expect_not(a.came);
	cr_expect_eq(share_of("v2"), ALL);
}

Test(drive, who_waits_at_the_end_is_told)
{
	struct ro_command c = rig_command(RO_DRAIN, "v1");
	struct rig_answer a, b;

	rig_run(&r);
	stat_add(&rig_instance(&r, 1)->cells[0].inflight, 1);
	rig_give(&r, &c, true, 0, &a);
	rig_give(&r, &c, true, 60 * US_PER_S, &b);
	rig_turns(&r, 3);
	rig_stop(&r);
	cr_expect(a.came && b.came);
	cr_expect_eq(a.result.refusal, RO_NO_STOPPING);
	cr_expect_str_eq(a.sentence,
	    "segued is stopping; what was begun goes on after the next start");
}

/* Whichever allocation fails: refused, and nothing changed, or awaited. */
Test(drive, without_memory_nobody_is_told_done_too_early)
{
	const char *serves = "v1";
	unsigned refused = 0;

	rig_run(&r);
	r.lazy = true;
	for (unsigned n = 1; n <= 24; n++) {
		struct ro_command c = rig_command(RO_SWITCH,
		    n % 2 == 1 ? "v2" : "v1");
		struct rig_answer a;

		fault_arm(FAULT_CALLOC, n, ENOMEM);
		if (rig_give(&r, &c, false, 0, &a) == 0) {
			cr_expect_eq(a.result.refusal, RO_NO_NO_MEMORY);
			refused++;
		}
		fault_arm(FAULT_CALLOC, 0, 0);
		rig_turns(&r, 4);
		r.lazy = false;
		rig_adopt(&r, 0);
		rig_adopt(&r, 1);
		rig_answered(&r, &a);
		r.lazy = true;
		if (a.result.refusal == RO_NO_NONE)
			serves = n % 2 == 1 ? "v2" : "v1";
		cr_expect_eq(share_of(serves), ALL, "%u: %s", n, serves);
	}
	cr_expect_gt(refused, 1u, "neither command nor waiter failed");
}

/* ---- health ---- */

Test(drive, a_dead_pool_is_told_and_loses_its_sessions)
{
	rig_run(&r);
	rig_listen(&r, 0, false);
	drive_connect_failed(r.drive, rig_instance(&r, 1));
	rig_health(&r, false, true);
	cr_expect_eq(routed("v1")->n_eligible, 0u,
	    "route.c moves pins of a pool without one");
	cr_expect_eq(rig_pool(&r, "v1")->life, RO_LIFE_DEAD);
	cr_expect_str_eq(rig_event(&r, FEED_POOL),
	    "no ready instance: sessions move away");
	rig_listen(&r, 0, true);
	rig_health(&r, true, true);
	cr_expect_str_eq(rig_event(&r, FEED_POOL), "can serve again");
	cr_expect_eq(rig_on_disk(), 1u);
}

Test(drive, both_down_and_back)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;

	rig_run(&r);
	rig_listen(&r, 0, false);
	rig_listen(&r, 1, false);
	rig_health(&r, false, false);
	cr_expect_eq(rig_do(&r, &c, &a), RO_NO_NOT_READY);
	cr_expect_str_eq(a.sentence,
	    "v2 is not ready: i2 is down: connection refused; --when-ready "
	    "waits until it is, --force does not");
	c.force = true;
	cr_expect_eq(rig_do(&r, &c, &a), RO_NO_NONE);
	rig_listen(&r, 1, true);
	rig_health(&r, false, true);
	cr_expect_eq(routed("v2")->n_eligible, 1u);
	cr_expect_eq(share_of("v2"), ALL);
}

/* ---- instances ---- */

static struct ro_command
add_command(const char *name, const char *address)
{
	struct ro_command c = rig_command(RO_ADD_INSTANCE, "v1");

	str_copy(str_of(name), c.instance, sizeof(c.instance));
	str_copy(str_of(address), c.address, sizeof(c.address));
	return c;
}

static bool
i3_is_up(void *arg)
{
	const struct instance *i = registry_instance(r.registry, "a", "v1",
	    "i3");

	(void)arg;
	return i != NULL && i->health == HEALTH_UP;
}

Test(drive, instances_come_are_set_aside_and_go)
{
	struct ro_command c, admin = rig_command(RO_INSTANCE, "v1");
	char address[32];
	struct rig_answer a;

	rig_run(&r);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", r.ports[2]);
	c = add_command("i3", address);
	cr_expect_eq(rig_do(&r, &c, &a), RO_NO_NONE, "%s", a.sentence);
	rig_until(&r, "i3", i3_is_up, NULL);
	rig_turns(&r, 3);
	cr_expect_eq(routed("v1")->n_eligible, 2u);
	str_copy(STR("i3"), admin.instance, sizeof(admin.instance));
	admin.admin = INST_MAINT;
	cr_expect_eq(rig_do(&r, &admin, &a), RO_NO_NONE);
	cr_expect_eq(routed("v1")->n_eligible, 1u);
	rig_stop(&r);
	rig_run(&r);
	rig_until(&r, "i3 again", i3_is_up, NULL);
	rig_turns(&r, 3);
	cr_expect_eq(routed("v1")->n_eligible, 1u, "in maint still");
	c.verb = RO_REMOVE_INSTANCE;
	cr_expect_eq(rig_do(&r, &c, &a), RO_NO_NONE, "%s", a.sentence);
	cr_expect_null(registry_instance(r.registry, "a", "v1", "i3"));
	cr_expect_eq(drive_state(r.drive)->n_instances, 0u);
}

/* Who names it in the configuration wonders where it is. */
Test(drive, that_all_were_removed_is_said)
{
	struct ro_command remove = rig_command(RO_REMOVE_INSTANCE, "v2");
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a;

	rig_run(&r);
	str_copy(STR("i2"), remove.instance, sizeof(remove.instance));
	cr_expect_eq(rig_do(&r, &remove, &a), RO_NO_NONE, "%s", a.sentence);
	rig_turns(&r, 3);
	cr_expect_eq(rig_do(&r, &c, &a), RO_NO_NOT_READY);
	cr_expect_not_null(strstr(a.sentence,
	                       "all its instances were removed by command"),
	    "%s", a.sentence);
}

Test(drive, an_address_that_does_not_resolve_is_refused)
{
	struct ro_command c = add_command("i3", "nowhere.invalid:80");
	struct rig_answer a;

	rig_run(&r);
	cr_expect_eq(rig_do(&r, &c, &a), RO_NO_ADDRESS);
	cr_expect_str_eq(a.sentence,
	    "nowhere.invalid:80: this name does not resolve");
	cr_expect_eq(rig_on_disk(), 1u);
	cr_expect_eq(drive_state(r.drive)->n_instances, 0u);
}

/* A state with an added instance whose name is gone from DNS since. */
static void
write_lost_instance(void)
{
	struct ro_state s;
	char why[512];

	cr_assert_eq(ro_state_new(&s), E_OK);
	cr_assert_eq(ro_state_load(scratch_path(RO_STATE_FILE), &s, why,
	                 sizeof(why)),
	    E_OK);
	s.instances[s.n_instances++] = (struct instance_plan){ .service = "a",
		.pool = "v1",
		.name = "lost",
		.address = "lost.invalid:80",
		.weight = 1 };
	cr_assert_eq(ro_state_save(scratch_path(RO_STATE_FILE), &s), E_OK);
	ro_state_free(&s);
}

Test(drive, a_lost_name_keeps_no_start_from_serving)
{
	struct ro_command c = rig_command(RO_REMOVE_INSTANCE, "v1");
	struct ro_command add;
	char address[32];
	struct rig_answer a;

	rig_run(&r);
	rig_stop(&r);
	write_lost_instance();
	rig_run(&r);
	cr_expect_eq(routed("v1")->n_eligible, 1u);
	cr_expect_eq(drive_state(r.drive)->n_instances, 1u, "not forgotten");
	cr_expect_eq((enum health)registry_instance(r.registry, "a", "v1",
	                 "lost")
	                 ->health,
	    HEALTH_DOWN);
	cr_expect_eq(registry_instance(r.registry, "a", "v1", "lost")->reason,
	    HEALTH_WHY_NAME);
	/* It keeps nobody else from coming, and can be removed. */
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", r.ports[2]);
	add = add_command("i3", address);
	cr_expect_eq(rig_do(&r, &add, &a), RO_NO_NONE, "%s", a.sentence);
	cr_expect_eq(rig_on_disk(), drive_state(r.drive)->generation);
	str_copy(STR("lost"), c.instance, sizeof(c.instance));
	cr_expect_eq(rig_do(&r, &c, &a), RO_NO_NONE, "%s", a.sentence);
}

/* ---- reload ---- */

struct reloaded {
	bool came;
	int code;
	char why[512];
};

static void
on_reloaded(int code, const char *why, void *arg)
{
	struct reloaded *l = arg;

	cr_assert_not(l->came, "done is called once");
	l->came = true;
	l->code = code;
	str_copy(str_of(why), l->why, sizeof(l->why));
	loop_wake(r.loop);
}

static bool
reload_came(void *arg)
{
	return ((struct reloaded *)arg)->came;
}

static int
reload(const char *pools, char *why, size_t cap)
{
	struct cfg *cfg = rig_configure(&r, pools);
	struct reloaded l = { .came = false };

	drive_reload(r.drive, cfg, NULL, on_reloaded, &l);
	cfg_unref(&cfg);
	rig_until(&r, "the reload", reload_came, &l);
	rig_turns(&r, 5);
	str_copy(str_of(l.why), why, cap);
	return l.code;
}

#define RELOAD_POOL(name, share, inst, port)                                   \
	"{ name: " name ", share: " share ", instances: [ { name: " inst       \
	", address: \"" port "\" } ], probe: { type: tcp, interval: 20ms, "    \
	"fast_interval: 10ms, rise: 1, fall: 1, hold: 0 } }"

/* "@1" is the address of i1, and so on. */
static char *
with_ports(const char *text)
{
	struct buf b = BUF_INIT;

	for (; *text != '\0'; text++) {
		if (*text == '@')
			buf_printf(&b, "127.0.0.1:%u", r.ports[*++text - '1']);
		else
			buf_add_char(&b, *text);
	}
	return buf_take(&b);
}

static const struct {
	const char *why, *pools;
	int code;
	const char *says; /* part of the sentence */
} reloads[] = {
	{ "a pool more",
	    RELOAD_POOL("v1", "0%", "i1", "@1") "," RELOAD_POOL("v2", "0%",
	        "i2", "@2") "," RELOAD_POOL("v3", "100%", "i3", "@3"),
	    E_OK, "" },
	{ "the one without a share went", RELOAD_POOL("v1", "100%", "i1", "@1"),
	    E_OK, "" },
	{ "the one that serves went, the other is ready",
	    RELOAD_POOL("v2", "100%", "i2", "@2"), E_OK, "" },
	{ "a name that does not resolve",
	    RELOAD_POOL("v1", "100%", "i1", "nowhere.invalid:1"), E_NOENT,
	    "i1: nowhere.invalid:1: this name does not resolve" },
	{ "the one that serves went, another comes",
	    RELOAD_POOL("v3", "100%", "i3", "@3"), E_STATE,
	    "services[a]: of what serves new sessions now (pool v1) no ready "
	    "instance would stay" },
	{ "its only instance went elsewhere",
	    RELOAD_POOL("v1", "100%", "i1", "@3") "," RELOAD_POOL("v2", "0%",
	        "i2", "@2"),
	    E_STATE, "would stay under its name and address" },
};

Test(drive, reloads)
{
	for (size_t i = 0; i < ARRAY_LEN(reloads); i++) {
		char why[512], *pools;
		struct cfg *before;
		uint64_t generation;

		end(), begin();
		rig_run(&r);
		pools = with_ports(reloads[i].pools);
		before = drive_cfg(r.drive);
		generation = drive_state(r.drive)->generation;
		cr_expect_eq(reload(pools, why, sizeof(why)), reloads[i].code,
		    "%s: %s", reloads[i].why, why);
		cr_expect_not_null(strstr(why, reloads[i].says), "%s: %s",
		    reloads[i].why, why);
		cr_expect_eq(why[0] == '\0', reloads[i].code == E_OK);
		cr_expect_eq(drive_cfg(r.drive) == before,
		    reloads[i].code != E_OK, "%s", reloads[i].why);
		cr_expect_eq(rig_on_disk(),
		    generation + (reloads[i].code == E_OK), "%s",
		    reloads[i].why);
		cr_expect(
		    share_of(drive_state(r.drive)->services[0].pools[0].name) ==
		        ALL,
		    "%s", reloads[i].why);
		cr_expect_gt(
		    routed(drive_state(r.drive)->services[0].pools[0].name)
		        ->n_eligible,
		    0u, "%s: somebody serves without a gap", reloads[i].why);
		cr_expect_eq(strncmp(rig_event(&r, FEED_RELOAD),
		                 reloads[i].code == E_OK ? "done" : "refused",
		                 4),
		    0);
		free(pools);
	}
}

Test(drive, a_reload_keeps_health_and_what_was_decided)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct instance *i1;
	struct rig_answer a;
	char why[512];

	rig_run(&r);
	cr_assert_eq(rig_do(&r, &c, &a), RO_NO_NONE);
	i1 = rig_instance(&r, 1);
	cr_expect_eq(reload(NULL, why, sizeof(why)), E_OK, "%s", why);
	cr_expect_eq(rig_instance(&r, 1), i1);
	cr_expect_eq(i1->health, HEALTH_UP);
	cr_expect_eq(share_of("v2"), ALL);
}

/* With nobody served there is nothing to lose: any file may mend it. */
Test(drive, a_reload_out_of_a_dead_service)
{
	char why[512], *pools;

	rig_run(&r);
	rig_listen(&r, 0, false);
	rig_health(&r, false, true);
	pools = with_ports(RELOAD_POOL("v3", "100%", "i3", "@3"));
	cr_expect_eq(reload(pools, why, sizeof(why)), E_OK, "%s", why);
	cr_expect_eq(share_of("v3"), ALL);
	free(pools);
}

Test(drive, a_reload_that_is_not_on_disk_is_none)
{
	char why[512], *pools;

	rig_run(&r);
	pools = with_ports(RELOAD_POOL("v1", "100%", "i1", "@1"));
	fault_arm(FAULT_FSYNC, 1, ENOSPC);
	cr_expect_neq(reload(pools, why, sizeof(why)), E_OK);
	cr_expect_not_null(strstr(why, "could not be written: no room left"),
	    "%s", why);
	cr_expect_eq(drive_state(r.drive)->services[0].n_pools, 2u);
	cr_expect_eq(rig_on_disk(), 1u);
	cr_expect_eq(reload(pools, why, sizeof(why)), E_OK, "%s", why);
	free(pools);
}

Test(drive, a_waiter_for_a_pool_that_is_reloaded_away)
{
	struct ro_command c = rig_command(RO_DRAIN, "v2");
	struct rig_answer a;
	char why[512], *pools;

	rig_run(&r);
	stat_add(&rig_instance(&r, 2)->cells[0].inflight, 1);
	rig_give(&r, &c, true, 0, &a);
	rig_turns(&r, 3);
	pools = with_ports(RELOAD_POOL("v1", "100%", "i1", "@1"));
	stat_sub(&rig_instance(&r, 2)->cells[0].inflight, 1);
	cr_expect_eq(reload(pools, why, sizeof(why)), E_OK, "%s", why);
	rig_answered(&r, &a);
	cr_expect_eq(a.result.refusal, RO_NO_SUPERSEDED);
	free(pools);
}

/* Of a file that is no configuration; what is taken over ends it. */
Test(drive, a_refused_reload_is_told)
{
	char why[512] = "";

	rig_run(&r);
	cr_expect(drive_reload_is_ok(r.drive));
	drive_reload_refused(r.drive, "f:1:1: no");
	cr_expect_not(drive_reload_is_ok(r.drive));
	cr_expect_str_eq(rig_event(&r, FEED_RELOAD), "refused: f:1:1: no");
	cr_expect_eq(reload(NULL, why, sizeof(why)), E_OK, "%s", why);
	cr_expect(drive_reload_is_ok(r.drive));
}

/* ---- reading ---- */

Test(drive, clocks_of_the_configuration)
{
	struct ro_drain d;

	rig_run(&r);
	d = drive_clocks(r.drive, NULL, NULL);
	cr_expect_eq(d.mode, CFG_DRAIN_KEEP);
	cr_expect_eq(d.flows_us, 1800 * US_PER_S);
	cr_expect_eq(d.requests_us, 60 * US_PER_S);
	cr_expect_eq(d.streams_us, 300 * US_PER_S);
	cr_expect_eq(drive_clocks(r.drive, "a", NULL).flows_us, d.flows_us);
	cr_expect_eq(drive_clocks(r.drive, "none", NULL).flows_us, 0u);
}

/* "drain v1 --wait" after "drain v1 --mode move --grace 5s" waits, only. */
Test(drive, clocks_that_run)
{
	struct ro_command c = rig_command(RO_DRAIN, "v1");
	struct rig_answer a;
	struct ro_drain d;

	rig_run(&r);
	c.clocks.mode = CFG_DRAIN_MOVE;
	c.clocks.flows_us = 5 * US_PER_S;
	rig_see(&r, 1, 77);
	cr_assert_eq(rig_do(&r, &c, &a), RO_NO_NONE, "%s", a.sentence);
	cr_assert_eq(rig_pool(&r, "v1")->state, POOL_DRAINING);
	d = drive_clocks(r.drive, NULL, "v1");
	cr_expect_eq(d.mode, CFG_DRAIN_MOVE);
	cr_expect_eq(d.flows_us, 5 * US_PER_S);
	cr_expect_eq(drive_clocks(r.drive, "a", "v2").mode, CFG_DRAIN_KEEP);
	cr_expect_eq(drive_clocks(r.drive, "a", "v9").mode, CFG_DRAIN_KEEP);
}

/* ---- real threads ---- */

/*
 * Each places sessions as fast as it can, by the view it has adopted, as
 * proxy_turn() and route.c do; between two turns it adopts.
 */
struct placer {
	struct mail mail;
	pthread_t thread;
	unsigned index;
	struct rig *rig;
	struct mailbox *box; /* the control thread's */
	_Atomic bool stop, told;
	uint64_t placed[2]; /* by pool */
	uint64_t late;      /* on v1 after the switch was acknowledged */
};

static _Atomic bool switched;
static struct placer placers[RIG_WORKERS];

static const struct view *
adopt(struct placer *p)
{
	const struct view *v = views_adopt(p->rig->views, p->index);

	if (!atomic_exchange(&p->told, true))
		mailbox_post(p->box, &p->mail);
	return v;
}

static void
place(struct placer *p, const struct view *v, uint32_t bucket)
{
	/* Read first: what is placed from here on is later. */
	bool after = atomic_load(&switched);
	const struct view_service *s = &v->services[0];

	for (size_t i = 0; i < s->n_pools; i++) {
		const struct view_pool *vp = &s->pools[i];
		struct inst_cell *c;

		if (bucket < vp->share_from || bucket >= vp->share_to ||
		    vp->n_eligible == 0)
			continue;
		c = &vp->eligible[0]->cells[p->index];
		stat_add(&c->inflight, 1);
		p->placed[i]++;
		p->late += after && i == 0;
		stat_sub(&c->inflight, 1);
	}
}

static void *
work(void *arg)
{
	struct placer *p = arg;
	const struct view *v = views_adopt(p->rig->views, p->index);
	uint32_t bucket = 0;

	thread_become(ROLE_WORKER, "placer");
	while (!atomic_load(&p->stop)) {
		for (int i = 0; i < 100; i++)
			place(p, v, bucket = (bucket + 7919) % ALL);
		if (views_has_newer(p->rig->views, p->index))
			v = adopt(p);
	}
	views_leave(p->rig->views, p->index);
	return NULL;
}

static void
on_mail(struct mail *m, void *arg)
{
	struct placer *p = CONTAINER_OF(m, struct placer, mail);

	(void)arg;
	atomic_store(&p->told, false);
	drive_poke(r.drive);
}

static void
on_switched(const struct drive_result *result, void *arg)
{
	atomic_store(&switched, true);
	loop_wake(r.loop);
	*(bool *)arg = result->refusal == RO_NO_NONE;
}

static bool
is_true(void *arg)
{
	return *(bool *)arg;
}

Test(drive, after_the_answer_no_session_is_placed_on_v1)
{
	struct mailbox *box;

	rig_run(&r);
	r.lazy = true;
	cr_assert_eq(mailbox_new(r.loop, on_mail, NULL, &box), E_OK);
	for (unsigned i = 0; i < RIG_WORKERS; i++) {
		placers[i] =
		    (struct placer){ .index = i, .rig = &r, .box = box };
		cr_assert_eq(pthread_create(&placers[i].thread, NULL, work,
		                 &placers[i]),
		    0);
	}
	for (int round = 0; round < 30; round++) {
		struct ro_command c = rig_command(RO_SWITCH, "v1");
		struct rig_answer a;
		bool done = false;

		atomic_store(&switched, false);
		cr_assert_eq(rig_do(&r, &c, &a), RO_NO_NONE, "%s", a.sentence);
		c = rig_command(RO_SWITCH, "v2");
		(void)drive_command(r.drive, &c, false, 0, on_switched, &done);
		rig_until(&r, "the switch", is_true, &done);
		rig_turns(&r, 5);
	}
	for (unsigned i = 0; i < RIG_WORKERS; i++)
		atomic_store(&placers[i].stop, true);
	for (unsigned i = 0; i < RIG_WORKERS; i++) {
		pthread_join(placers[i].thread, NULL);
		cr_expect_eq(placers[i].late, 0u, "%llu sessions too late",
		    (unsigned long long)placers[i].late);
		cr_expect_gt(placers[i].placed[0], 0u);
		cr_expect_gt(placers[i].placed[1], 0u);
	}
	mailbox_free(&box);
}
