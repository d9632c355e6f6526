/*
 * A disk that is slow, hangs or fails, and what goes on meanwhile.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "../base/fault.h"
#include "../base/scratch.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/loop.h"
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
	clock_real();
	fault_arm(FAULT_FSYNC, 0, 0);
	fault_hold(FAULT_FSYNC, false);
	rig_free(&r);
}

TestSuite(disk, .init = begin, .fini = end, .timeout = 60);

static struct ro_command
share_command(uint32_t v2_bp)
{
	struct ro_command c = rig_command(RO_SHARE, "v2");

	c.share_bp = v2_bp;
	return c;
}

static struct drive_disk
look(void)
{
	struct drive_disk d;

	drive_disk(r.drive, &d);
	return d;
}

/* The time that the looks see; the loop's own alarms go on. */
static void
pass(uint64_t us)
{
	clock_fake(clock_mono_us() + us, clock_wall_us() + us);
	drive_poke(r.drive);
	rig_turns(&r, 2);
}

static void
expect_v2(uint32_t bp)
{
	const struct view_service *s = &views_newest(r.views)->services[0];

	cr_expect_eq(rig_pool(&r, "v2")->share_bp, bp);
	cr_expect_eq(s->pools[1].share_to - s->pools[1].share_from, bp);
}

/* Probes, views and what time decides for workers: none needs the disk. */
Test(disk, a_slow_one_holds_up_only_the_change)
{
	struct ro_command c = share_command(1000);
	struct rig_answer a;

	rig_run(&r);
	rig_without_slots(&r); /* there it can be found before it is flushed */
	fault_hold(FAULT_FSYNC, true);
	cr_expect_neq(rig_ask(&r, &c, false, 0, &a), 0u);
	rig_listen(&r, 0, false);
	rig_health(&r, false, true);
	cr_expect_eq(views_newest(r.views)->services[0].pools[0].n_eligible, 0u,
	    "workers know it");
	rig_listen(&r, 0, true);
	rig_health(&r, true, true);
	cr_expect_not(a.came);
	expect_v2(0);
	cr_expect_eq(rig_on_disk(), 1u);
	cr_expect_gt(look().pending_us, 0u);
	fault_hold(FAULT_FSYNC, false);
	rig_answered(&r, &a);
	cr_expect_eq(a.result.refusal, RO_NO_NONE, "%s", a.sentence);
	cr_expect_eq(a.on_disk, a.result.generation);
	expect_v2(1000);
	cr_expect_eq(look().pending_us, 0u);
}

/* Each is decided upon what the one before it made. */
Test(disk, changes_wait_in_their_order)
{
	struct ro_command undrain = rig_command(RO_UNDRAIN, "v1");
	struct ro_command drain = rig_command(RO_SWITCH, "v2");
	struct ro_command c = share_command(1000), d = share_command(2000);
	struct rig_answer a[4];

	rig_run(&r);
	stat_add(&rig_instance(&r, 1)->cells[0].inflight, 1);
	fault_hold(FAULT_FSYNC, true);
	drain.drain = true;
	rig_ask(&r, &c, false, 0, &a[0]);
	cr_expect_neq(rig_ask(&r, &undrain, false, 0, &a[1]), 0u,
	    "it would be refused now; it waits");
	rig_ask(&r, &drain, false, 0, &a[2]);
	rig_ask(&r, &undrain, false, 0, &a[3]);
	rig_turns(&r, 5);
	cr_expect_eq(look().waiting, 3u);
	cr_expect(!a[0].came && !a[1].came && !a[2].came && !a[3].came);
	fault_hold(FAULT_FSYNC, false);
	for (size_t i = 0; i < 4; i++)
		rig_answered(&r, &a[i]);
	cr_expect_eq(a[0].result.refusal, RO_NO_NONE);
	cr_expect_eq(a[1].result.refusal, RO_NO_NOT_DRAINING);
	cr_expect_eq(a[2].result.refusal, RO_NO_NONE);
	cr_expect_eq(a[3].result.refusal, RO_NO_NONE, "%s", a[3].sentence);
	cr_expect_eq(rig_on_disk(), 4u);
	cr_expect_eq(rig_do(&r, &d, &a[0]), RO_NO_NONE, "%s", a[0].sentence);
	expect_v2(2000);
}

Test(disk, what_fails_takes_nobody_with_it)
{
	struct ro_command c = share_command(1000), d = share_command(2000);
	struct rig_answer a, b;

	rig_run(&r);
	fault_hold(FAULT_FSYNC, true);
	fault_arm(FAULT_FSYNC, 1, ENOSPC);
	rig_ask(&r, &c, false, 0, &a);
	rig_ask(&r, &d, false, 0, &b);
	fault_hold(FAULT_FSYNC, false);
	rig_answered(&r, &a);
	rig_answered(&r, &b);
	cr_expect_eq(a.result.refusal, RO_NO_DISK);
	cr_expect_not_null(strstr(a.sentence, "no room left"), "%s",
	    a.sentence);
	cr_expect_eq(b.result.refusal, RO_NO_NONE, "%s", b.sentence);
	expect_v2(2000);
	cr_expect_eq(look().failed, 1u);
}

/*
 * Who waits behind it, and who comes, is refused; what is being written stays
 * so, and is done when the disk comes back.
 */
Test(disk, one_that_hangs_is_named)
{
	struct ro_command c = share_command(1000), d = share_command(2000);
	struct rig_answer a, b, late;

	rig_run(&r);
	fault_hold(FAULT_FSYNC, true);
	rig_ask(&r, &c, true, 0, &a);
	rig_ask(&r, &d, false, 0, &b);
	pass(DRIVE_DISK_LIMIT_US - US_PER_S);
	cr_expect_not(b.came);
	cr_expect_not_null(strstr(a.holds, "waits for the disk"), "%s",
	    a.holds);
	pass(US_PER_S);
	cr_expect(b.came);
	cr_expect_eq(b.result.refusal, RO_NO_DISK);
	cr_expect_not_null(strstr(b.sentence,
	                       "the disk has not answered for 5.0s"),
	    "%s", b.sentence);
	cr_expect_eq(rig_ask(&r, &d, false, 0, &late), 0u, "at once");
	cr_expect_eq(late.result.refusal, RO_NO_DISK);
	cr_expect_not_null(strstr(late.sentence, "nothing was changed"));
	cr_expect_not(a.came, "nobody can know yet");
	expect_v2(0);
	fault_hold(FAULT_FSYNC, false);
	rig_answered(&r, &a);
	cr_expect_eq(a.result.refusal, RO_NO_NONE, "%s", a.sentence);
	expect_v2(1000);
	cr_expect_eq(rig_do(&r, &d, &b), RO_NO_NONE, "%s", b.sentence);
}

/* Who does not wait for an end is told that it is not known. */
Test(disk, a_wait_for_the_disk_has_its_bound)
{
	struct ro_command c = share_command(1000);
	struct rig_answer a;

	rig_run(&r);
	fault_hold(FAULT_FSYNC, true);
	rig_ask(&r, &c, true, 20000, &a);
	rig_answered(&r, &a);
	cr_expect(a.result.timed_out);
	cr_expect_not_null(strstr(a.sentence, "not on disk yet"), "%s",
	    a.sentence);
	fault_hold(FAULT_FSYNC, false);
	rig_written(&r);
	expect_v2(1000);
}

Test(disk, not_more_than_so_many_wait)
{
	static struct rig_answer a[DRIVE_CHANGES_MAX + 2];
	struct ro_command c = share_command(1000);

	rig_run(&r);
	fault_hold(FAULT_FSYNC, true);
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		rig_ask(&r, &c, false, 0, &a[i]);
	for (size_t i = 0; i + 1 < ARRAY_LEN(a); i++)
		cr_expect_not(a[i].came);
	cr_expect(a[ARRAY_LEN(a) - 1].came);
	cr_expect_eq(a[ARRAY_LEN(a) - 1].result.refusal, RO_NO_DISK);
	fault_hold(FAULT_FSYNC, false);
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		rig_answered(&r, &a[i]);
	cr_expect_eq(rig_on_disk(), 1u + ARRAY_LEN(a) - 1);
}

/* Who has left does not take it back, nor is he told. */
Test(disk, who_leaves_while_it_is_written)
{
	struct ro_command c = share_command(1000), d = share_command(2000);
	struct rig_answer a, b;

	rig_run(&r);
	fault_hold(FAULT_FSYNC, true);
	drive_forget(r.drive, rig_ask(&r, &c, false, 0, &a));
	drive_forget(r.drive, rig_ask(&r, &d, false, 0, &b));
	fault_hold(FAULT_FSYNC, false);
	rig_written(&r);
	rig_turns(&r, 5);
	cr_expect(!a.came && !b.came);
	expect_v2(2000);
}

/* What is under way is on disk when it has ended; what waits is not begun. */
Test(disk, the_end_waits_for_it)
{
	struct ro_command c = share_command(1000), d = share_command(2000);
	struct rig_answer a, b;

	rig_run(&r);
	rig_ask(&r, &c, false, 0, &a);
	rig_ask(&r, &d, false, 0, &b);
	rig_stop(&r);
	cr_expect(a.came && b.came);
	cr_expect_eq(a.result.refusal, RO_NO_STOPPING);
	cr_expect_not_null(strstr(a.sentence, "goes on after the next"), "%s",
	    a.sentence);
	cr_expect_eq(b.result.refusal, RO_NO_STOPPING);
	cr_expect_not_null(strstr(b.sentence, "nothing was changed"), "%s",
	    b.sentence);
	cr_expect_eq(rig_on_disk(), 2u);
	rig_run(&r);
	expect_v2(1000);
}

Test(disk, the_end_of_one_that_fails)
{
	struct ro_command c = share_command(1000);
	struct rig_answer a;

	rig_run(&r);
	fault_arm(FAULT_FSYNC, 1, EIO);
	rig_ask(&r, &c, false, 0, &a);
	rig_stop(&r);
	cr_expect_eq(a.result.refusal, RO_NO_DISK);
	cr_expect_eq(rig_on_disk(), 1u);
}

/* ---- reloads take their turn ---- */

struct reloaded {
	unsigned came;
	int code;
	uint32_t v2_bp; /* when it came */
	char why[512];
};

static void
on_reloaded(int code, const char *why, void *arg)
{
	struct reloaded *l = arg;

	l->came++;
	l->code = code;
	if (r.drive != NULL)
		l->v2_bp = rig_pool(&r, "v2")->share_bp;
	str_copy(str_of(why), l->why, sizeof(l->why));
	loop_wake(r.loop);
}

static bool
reload_came(void *arg)
{
	return ((struct reloaded *)arg)->came > 0;
}

/* One pool more, so that there is something to write. */
static struct cfg *
more_pools(void)
{
	struct buf text = BUF_INIT;
	struct cfg *cfg;

	for (int i = 1; i <= 3; i++)
		buf_printf(&text,
		    "%s{ name: v%d, share: %s, instances: [ { name: i%d, "
		    "address: \"127.0.0.1:%u\" } ], probe: { type: tcp, "
		    "hold: 0 } }",
		    i == 1 ? "" : ", ", i, i == 1 ? "100%" : "0%", i,
		    r.ports[i - 1]);
	buf_add_char(&text, '\0');
	cfg = rig_configure(&r, text.p);
	buf_free(&text);
	return cfg;
}

Test(disk, a_reload_takes_its_turn)
{
	struct ro_command c = share_command(1000), d = share_command(2000);
	struct cfg *cfg = more_pools();
	struct reloaded l = { 0 };
	struct rig_answer a, b;

	rig_run(&r);
	fault_hold(FAULT_FSYNC, true);
	rig_ask(&r, &c, false, 0, &a);
	drive_reload(r.drive, cfg, NULL, on_reloaded, &l);
	rig_ask(&r, &d, false, 0, &b);
	rig_turns(&r, 5);
	cr_expect_eq(l.came, 0u);
	cr_expect_neq(drive_cfg(r.drive), cfg);
	fault_hold(FAULT_FSYNC, false);
	rig_until(&r, "the reload", reload_came, &l);
	rig_answered(&r, &b);
	cr_expect_eq(l.code, E_OK, "%s", l.why);
	cr_expect_eq(l.v2_bp, 1000u, "behind the first, before the second");
	cr_expect_eq(drive_cfg(r.drive), cfg);
	expect_v2(2000);
	cfg_unref(&cfg);
}

Test(disk, a_reload_and_one_that_hangs)
{
	struct cfg *cfg = more_pools();
	struct reloaded first = { 0 }, l = { 0 }, late = { 0 };

	rig_run(&r);
	fault_hold(FAULT_FSYNC, true);
	drive_reload(r.drive, cfg, NULL, on_reloaded, &first);
	drive_reload(r.drive, cfg, NULL, on_reloaded, &l);
	pass(DRIVE_DISK_LIMIT_US);
	cr_expect_eq(l.came, 1u);
	cr_expect_eq(l.code, E_FULL);
	cr_expect_not_null(strstr(l.why, "has not answered"), "%s", l.why);
	drive_reload(r.drive, cfg, NULL, on_reloaded, &late);
	cr_expect_eq(late.came, 1u);
	cr_expect_eq(first.came, 0u);
	fault_hold(FAULT_FSYNC, false);
	rig_until(&r, "the first", reload_came, &first);
	cr_expect_eq(first.code, E_OK, "%s", first.why);
	cfg_unref(&cfg);
}

Test(disk, the_end_of_a_reload)
{
	struct cfg *cfg = more_pools();
	struct reloaded a = { 0 }, b = { 0 };

	rig_run(&r);
	drive_reload(r.drive, cfg, NULL, on_reloaded, &a);
	drive_reload(r.drive, cfg, NULL, on_reloaded, &b);
	rig_stop(&r);
	cr_expect(a.came == 1 && b.came == 1);
	cr_expect(a.code == E_STATE && b.code == E_STATE);
	cfg_unref(&cfg);
}

/* Nothing to write: a file of timeouts is taken over with a full disk, too. */
Test(disk, a_reload_of_what_the_disk_has)
{
	struct cfg *cfg = rig_configure(&r, NULL);
	struct reloaded l = { 0 };

	rig_run(&r);
	fault_arm(FAULT_FSYNC, 1, ENOSPC);
	drive_reload(r.drive, cfg, NULL, on_reloaded, &l);
	cr_expect_eq(l.came, 1u);
	cr_expect_eq(l.code, E_OK, "%s", l.why);
	cr_expect_eq(drive_cfg(r.drive), cfg);
	cfg_unref(&cfg);
}

/* ---- the clock takes its turn, too ---- */

static bool
is_drained(void *pool)
{
	return rig_pool(&r, pool)->state == POOL_DRAINED;
}

Test(disk, a_drain_ends_when_the_disk_has_it)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct ro_command undrain = rig_command(RO_UNDRAIN, "v1");
	struct instance *i1;
	struct rig_answer a;

	rig_run(&r);
	i1 = rig_instance(&r, 1);
	stat_add(&i1->cells[0].inflight, 1);
	c.drain = true;
	cr_assert_eq(rig_do(&r, &c, &a), RO_NO_NONE);
	fault_hold(FAULT_FSYNC, true);
	stat_sub(&i1->cells[0].inflight, 1);
	drive_poke(r.drive);
	rig_turns(&r, 3);
	cr_expect_gt(look().pending_us, 0u);
	cr_expect_eq(rig_pool(&r, "v1")->state, POOL_DRAINING);
	rig_ask(&r, &undrain, false, 0, &a);
	fault_hold(FAULT_FSYNC, false);
	rig_answered(&r, &a);
	cr_expect_eq(a.result.refusal, RO_NO_NONE, "%s", a.sentence);
	cr_expect_neq(rig_pool(&r, "v1")->state, POOL_DRAINING,
	    "it was drained when the command's turn came");
	cr_expect_not(is_drained((char[]){ "v1" }));
}

/* While the disk is busy nothing is due: no look follows the other. */
Test(disk, a_hanging_one_burns_nothing)
{
	struct ro_command c = rig_command(RO_SWITCH, "v2");
	struct rig_answer a, b;
	uint64_t turn;

	rig_run(&r);
	stat_add(&rig_instance(&r, 1)->cells[0].streams, 1);
	c.drain = true;
	c.clocks.mode = CFG_DRAIN_KEEP;
	rig_see(&r, 1, 7);
	c.clocks.flows_us = 1000;
	cr_assert_eq(rig_do(&r, &c, &a), RO_NO_NONE);
	rig_listen(&r, 1, true);
	fault_hold(FAULT_FSYNC, true);
	c = share_command(ALL);
	rig_ask(&r, &c, false, 0, &a);
	turn = loop_turn(r.loop);
	rig_ask(&r, &c, true, 300000, &b);
	rig_answered(&r, &b);
	cr_expect_lt(loop_turn(r.loop) - turn, 2000u, "%llu turns in 0.3 s",
	    (unsigned long long)(loop_turn(r.loop) - turn));
	fault_hold(FAULT_FSYNC, false);
	rig_written(&r);
}
