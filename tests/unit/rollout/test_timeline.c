/* Requests to pools by time, while a rollout is under way. */
#include <criterion/criterion.h>

#include "base/attr.h"
#include "base/str.h"
#include "rollout/machine_int.h"

#define S UINT64_C(1000000)
#define MINUTE (60 * S)
#define BEGAN (1000 * MINUTE)

static struct ro_service svc;
static struct ro_count now;

static struct ro_rollout *
it(void)
{
	return &svc.rollout;
}

static const struct ro_timeline *
line(void)
{
	return &svc.rollout.timeline;
}

static void
begin(void)
{
	svc = (struct ro_service){ .epoch = 0 };
	now = (struct ro_count){ .process_us = 7, .n_pools = 2 };
	str_copy(STR("v1"), now.pools[0].pool, CFG_NAME_MAX);
	str_copy(STR("v2"), now.pools[1].pool, CFG_NAME_MAX);
	now.pools[0].toll = (struct ro_toll){ 1000, 10 };
	it()->base = now;
	it()->began_us = BEGAN;
	it()->stand = RO_STAND_RUNNING;
	timeline_begin(it());
}

TestSuite(timeline, .init = begin, .timeout = 10);

static void
come(size_t pool, uint64_t requests, uint64_t bad)
{
	now.pools[pool].toll.requests += requests;
	now.pools[pool].toll.bad += bad;
}

/* So long after it began; when it wants to be looked at again. */
static uint64_t
look(uint64_t after_us, bool more)
{
	uint64_t due = 0;

	cr_expect_eq(timeline_note(it(), &now, BEGAN + after_us, &due), more,
	    "%llu", (unsigned long long)after_us);
	return due - BEGAN;
}

static void
expect(size_t piece, size_t pool, uint64_t requests, uint64_t bad)
{
	const struct ro_toll *t = &line()->pieces[piece][pool];

	cr_expect(t->requests == requests && t->bad == bad,
	    "piece %zu of pool %zu: %llu, %llu", piece, pool,
	    (unsigned long long)t->requests, (unsigned long long)t->bad);
}

Test(timeline, minute_by_minute)
{
	come(0, 5, 1);
	cr_expect_eq(look(S, false), MINUTE);
	come(1, 2, 0);
	cr_expect_eq(look(MINUTE, true), 2 * MINUTE);
	come(0, 7, 0);
	cr_expect_eq(look(MINUTE + S, false), 2 * MINUTE);
	cr_expect_eq(look(4 * MINUTE, true), 5 * MINUTE);
	cr_expect_eq(line()->n, 5);
	expect(0, 0, 5, 1);
	expect(0, 1, 2, 0);
	expect(1, 0, 7, 0);
	expect(1, 1, 0, 0);
	for (size_t i = 2; i < 5; i++)
		expect(i, 0, 0, 0);
}

Test(timeline, longer_pieces_when_there_are_too_many)
{
	uint64_t sum = 0, bad = 0;

	for (uint64_t m = 0; m < 1000; m++) {
		come(0, m, 1);
		come(1, 1, 0);
		(void)look(m * MINUTE + S,
		    m > 0 && m * MINUTE % line()->piece_us == 0);
		cr_assert_leq(line()->n, RO_PIECES_MAX);
	}
	cr_expect_eq(line()->piece_us, 32 * MINUTE);
	cr_expect_eq(line()->n, 32);
	for (size_t i = 0; i < line()->n; i++) {
		sum += line()->pieces[i][0].requests;
		bad += line()->pieces[i][0].bad;
	}
	cr_expect_eq(sum, 999 * 1000 / 2, "nothing is lost");
	cr_expect_eq(bad, 1000);
}

Test(timeline, a_clock_that_jumps)
{
	come(0, 3, 0);
	(void)look(365 * 24 * 60 * MINUTE, true);
	cr_expect_leq(line()->n, RO_PIECES_MAX);
	expect(0, 0, 3, 0);
	come(0, 4, 0);
	(void)look(0, false);
	expect(line()->n - 1, 0, 4, 0);
}

Test(timeline, counters_of_another_process)
{
	come(0, 3, 0);
	(void)look(S, false);
	now.process_us++;
	now.pools[0].toll = (struct ro_toll){ 2000, 5 };
	now.pools[1].toll = (struct ro_toll){ 0, 0 };
	(void)look(2 * S, false);
	expect(0, 0, 2003, 5);
	cr_expect_eq(line()->gaps, 1, "what came between the two is missing");
	now.pools[0].toll = (struct ro_toll){ 9, 1 };
	(void)look(3 * S, false);
	expect(0, 0, 2012, 6);
	(void)look(MINUTE, true);
	cr_expect_eq(line()->gaps, 1);
}

/* What comes behind a gap is none of what was before it. */
Test(timeline, a_long_gap)
{
	come(0, 3, 0);
	(void)look(S, false);
	now.process_us++;
	now.pools[0].toll = (struct ro_toll){ 40, 4 };
	(void)look(3 * MINUTE + S, true);
	expect(0, 0, 3, 0);
	expect(1, 0, 0, 0);
	expect(3, 0, 40, 4);
	cr_expect_eq(line()->gaps, 15);
	for (uint64_t m = 4; m <= RO_PIECES_MAX; m++)
		(void)look(m * MINUTE, true);
	cr_expect_eq(line()->gaps, 3, "two pieces of two minutes");
}

Test(timeline, pools_that_come_and_go)
{
	now.pools[0] = now.pools[1];
	come(0, 6, 0);
	now.n_pools = 1;
	(void)look(S, false);
	expect(0, 0, 0, 0);
	expect(0, 1, 6, 0);
}

Test(timeline, up_to_now)
{
	struct ro_timeline t;

	come(0, 5, 0);
	(void)look(S, false);
	come(0, 6, 1);
	machine_timeline(&svc, &now, BEGAN + 2 * MINUTE, &t);
	cr_expect_eq(t.n, 3);
	cr_expect_eq(t.pieces[0][0].requests, 11);
	expect(0, 0, 5, 0);
	it()->stand = RO_STAND_DONE;
	machine_timeline(&svc, &now, BEGAN + 2 * MINUTE, &t);
	cr_expect_eq(t.n, 1, "what came later is none of it");
	machine_timeline(&svc, NULL, BEGAN, &t);
	cr_expect_eq(t.pieces[0][0].requests, 5);
	svc.rollout = (struct ro_rollout){ .stand = RO_STAND_RUNNING };
	machine_timeline(&svc, &now, BEGAN, &t);
	cr_expect_eq(t.n, 0, "of before there was one");
}
