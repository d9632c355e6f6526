/* Who rests, for how long, and that a pool is never emptied by it. */
#include "upstream/eject.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "house.h"
#include "upstream/view.h"
#include "upstream/warmth.h"

#define BEGAN (1000 * US_PER_S)

struct ward {
	struct registry *registry;
	struct cfg *cfg;
	struct pool *pool;
	struct instance *inst[10];
	uint64_t now_us, due_us;
	unsigned edges;
};

static struct ward w;

static void
note_edge(struct instance *i, void *arg)
{
	(void)i;
	cr_expect_eq(arg, &w);
	w.edges++;
}

static bool
look(void)
{
	w.due_us = UINT64_MAX;
	clock_fake(w.now_us, w.now_us);
	return eject_look(w.registry, w.pool, &w.cfg->services[0].pools[0],
	    w.now_us, note_edge, &w, &w.due_us);
}

/* Looks after so long. */
static bool
later(uint64_t us)
{
	w.now_us += us;
	return look();
}

/* A pool of n instances that are up, with these lines of settings. */
static void
set_up(unsigned n, const char *lines)
{
	char list[400] = "", name[16];
	size_t len = 0;

	memset(&w, 0, sizeof(w));
	w.now_us = BEGAN;
	clock_fake(BEGAN, BEGAN);
	thread_become(ROLE_ANY, "test");
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len,
		    "%s{ name: i%u, address: \"127.0.0.%u:80\" }",
		    i == 0 ? "" : ", ", i, i + 1);
	w.cfg = house_cfg("listeners: \":1\"\nservices:\n- name: s\n"
	                  "  pools:\n  - name: v1\n    instances: [ %s ]\n%s",
	    list, lines);
	w.registry = registry_new(2);
	house_apply(w.registry, w.cfg);
	house_all_up(w.registry);
	w.pool = registry_pool(w.registry, "s", "v1");
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "i%u", i);
		w.inst[i] = house_instance(w.registry, name);
	}
	(void)look();
}

static void
tear_down(void)
{
	cfg_unref(&w.cfg);
	registry_free(&w.registry);
	clock_real();
}

static void
fail(unsigned i, unsigned n)
{
	stat_add(&w.inst[i]->cells[n % 2].failures, n);
}

static void
answer(unsigned i, unsigned n, int status)
{
	stat_add(&w.inst[i]->cells[0].status[status], n);
}

static bool
is_out(unsigned i)
{
	return w.inst[i]->eject.until_us != 0;
}

static unsigned
n_out(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(w.inst) && w.inst[i] != NULL; i++)
		n += is_out((unsigned)i);
	return n;
}

/* ---- in a row ---- */

Test(eject, five_in_a_row)
{
	set_up(4, "");
	for (int i = 0; i < 4; i++) {
		fail(0, 1);
		cr_expect_not(look(), "%d are not enough", i + 1);
	}
	fail(0, 1);
	cr_expect(look());
	cr_expect(is_out(0));
	cr_expect_eq(n_out(), 1);
	cr_expect_eq(w.edges, 1);
	cr_expect_eq(w.inst[0]->eject.reason, EJECT_FAILURES);
	cr_expect_eq(eject_left_us(w.inst[0], w.now_us), 10 * US_PER_S);
	cr_expect_eq(w.due_us, w.now_us + 10 * US_PER_S);
	tear_down();
}

Test(eject, an_answer_ends_the_row)
{
	set_up(4, "    eject: { ratio: 0% }\n");
	for (int i = 0; i < 50; i++) {
		fail(0, 4);
		(void)look();
		answer(0, 1, STATUS_2XX);
		(void)look();
	}
	cr_expect_eq(n_out(), 0);
	tear_down();
}

/* So does a connection that was passed through and heard a byte. */
Test(eject, a_connection_that_was_answered_ends_the_row)
{
	set_up(4, "    eject: { ratio: 0% }\n");
	for (int i = 0; i < 50; i++) {
		fail(0, 4);
		(void)look();
		stat_add(&w.inst[0]->cells[0].passed, 1);
		(void)look();
	}
	cr_expect_eq(n_out(), 0);
	tear_down();
}

/* Between two looks came answers: only the last failure may be in a row. */
Test(eject, of_what_is_not_known_one_counts)
{
	set_up(4, "    eject: { ratio: 0% }\n");
	answer(0, 1, STATUS_2XX);
	fail(0, 100);
	cr_expect_not(look());
	fail(0, 3);
	cr_expect_not(look());
	fail(0, 1);
	cr_expect(look());
	tear_down();
}

Test(eject, what_was_cut_is_no_answer)
{
	set_up(4, "    eject: { ratio: 0% }\n");
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(n_out(), 0);
		answer(0, 1, STATUS_2XX); /* its head came */
		stat_add(&w.inst[0]->cells[0].spoiled, 1);
		fail(0, 1);
		(void)look();
	}
	cr_expect(is_out(0));
	tear_down();
}

Test(eject, connections_that_fail_have_a_reason_of_their_own)
{
	set_up(4, "");
	stat_add(&w.inst[1]->cells[0].connect_failed, 5);
	fail(1, 5);
	(void)look();
	cr_expect_eq(w.inst[1]->eject.reason, EJECT_CONNECT);
	stat_add(&w.inst[2]->cells[0].connect_failed, 4);
	fail(2, 5);
	(void)look();
	cr_expect_eq(w.inst[2]->eject.reason, EJECT_FAILURES);
	tear_down();
}

/* ---- 5xx ---- */

Test(eject, answers_5xx_are_answers_unless_one_says_so)
{
	set_up(4, "");
	answer(0, 100, STATUS_5XX);
	cr_expect_not(look());
	tear_down();
	set_up(4, "    eject: { status_5xx: on }\n");
	answer(0, 5, STATUS_5XX);
	cr_expect(look());
	cr_expect(is_out(0));
	tear_down();
}

Test(eject, who_begins_to_count_5xx_forgets_those_before)
{
	set_up(4, "");
	answer(0, 1000, STATUS_5XX);
	(void)look();
	w.cfg->services[0].pools[0].eject.status_5xx = true;
	cr_expect_not(look());
	answer(0, 5, STATUS_5XX);
	cr_expect(look());
	tear_down();
}

/* ---- ratio ---- */

static const struct {
	const char *why;
	unsigned failed, answered;
	bool out;
} ratios[] = {
	{ "too few to say", 10, 9, false },
	{ "half of twenty", 10, 10, true },
	{ "less than half", 10, 11, false },
	{ "most", 30, 1, true },
	{ "one per cent", 10, 990, false },
};

Test(eject, by_ratio_of_a_window)
{
	for (size_t r = 0; r < ARRAY_LEN(ratios); r++) {
		set_up(4, "    eject: { failures: 0 }\n");
		fail(0, ratios[r].failed);
		answer(0, ratios[r].answered, STATUS_2XX);
		(void)look();
		cr_expect_eq(is_out(0), ratios[r].out, "%s", ratios[r].why);
		tear_down();
	}
}

Test(eject, a_window_ends)
{
	set_up(4, "    eject: { failures: 0 }\n");
	fail(0, 15);
	(void)later(US_PER_S);
	(void)later(10 * US_PER_S); /* over: 15 say nothing */
	fail(0, 15);
	(void)later(US_PER_S);
	cr_expect_eq(n_out(), 0);
	fail(0, 5);
	(void)later(US_PER_S);
	cr_expect(is_out(0));
	tear_down();
}

/* ---- slow ---- */

static void
take(unsigned i, unsigned n, uint64_t us)
{
	while (n-- > 0)
		hist_add(&w.inst[i]->cells[0].latency, us);
	answer(i, n, STATUS_2XX);
}

static const struct {
	const char *why;
	uint64_t mine_us, others_us;
	unsigned n;
	bool out;
} speeds[] = {
	{ "ten times as slow", 200000, 20000, 30, true },
	{ "three times", 60000, 20000, 30, false },
	{ "too few to say", 200000, 20000, 19, false },
	{ "both are fast", 8000, 100, 30, false },
	{ "the fast one", 2000, 200000, 30, false },
};

Test(eject, the_slow_one_if_one_says_so)
{
	for (size_t r = 0; r < ARRAY_LEN(speeds); r++) {
		for (int on = 0; on < 2; on++) {
			set_up(3, on ? "    eject: { slow: 5 }\n" : "");
			(void)later(10 * US_PER_S); /* a window begins */
			take(0, speeds[r].n, speeds[r].mine_us);
			take(1, 30, speeds[r].others_us);
			take(2, 30, speeds[r].others_us);
			(void)later(5 * US_PER_S);
			cr_expect_eq(n_out(), 0, "%s: too early",
			    speeds[r].why);
			(void)later(5 * US_PER_S);
			cr_expect_eq(is_out(0), on && speeds[r].out, "%s",
			    speeds[r].why);
			cr_expect_eq(n_out(), on && speeds[r].out);
			(void)later(11 * US_PER_S); /* back, and quiet */
			cr_expect_eq(n_out(), 0, "%s", speeds[r].why);
			tear_down();
		}
	}
}

/* ---- the floor ---- */

static const struct {
	const char *why;
	unsigned n;
	const char *lines;
	unsigned out;
} floors[] = {
	{ "a lone one", 1, "", 0 },
	{ "one of two", 2, "", 1 },
	{ "one of three", 3, "", 1 },
	{ "half of four", 4, "", 2 },
	{ "half of ten", 10, "", 5 },
	{ "all but one of ten", 10, "    eject: { share: 100% }\n", 9 },
	{ "none", 10, "    eject: { share: 0% }\n", 0 },
	{ "off", 10, "    eject: off\n", 0 },
};

Test(eject, never_empties_a_pool)
{
	for (size_t r = 0; r < ARRAY_LEN(floors); r++) {
		set_up(floors[r].n, floors[r].lines);
		for (unsigned i = 0; i < floors[r].n; i++)
			fail(i, 50);
		(void)look();
		(void)look();
		cr_expect_eq(n_out(), floors[r].out, "%s", floors[r].why);
		tear_down();
	}
}

Test(eject, counts_only_who_is_ready)
{
	set_up(4, "");
	w.inst[1]->health = HEALTH_DOWN;
	w.inst[2]->admin = INST_DRAIN;
	for (unsigned i = 0; i < 4; i++)
		fail(i, 50);
	(void)look();
	/* of the two that are ready one stays, the others have no traffic */
	cr_expect_eq(n_out(), 1);
	cr_expect_not(is_out(1));
	cr_expect_not(is_out(2));
	tear_down();
}

static const struct view_pool *
see(struct view **v)
{
	view_free(v);
	*v = house_view(w.registry, w.cfg, NULL);
	return &(*v)->services[0].pools[0];
}

Test(eject, a_view_leaves_them_out_but_not_all)
{
	struct view *v = NULL;

	set_up(4, "");
	fail(0, 5);
	fail(1, 5);
	stat_add(&w.inst[1]->cells[0].connect_failed, 5);
	(void)look();
	cr_expect_eq(see(&v)->n_eligible, 2);
	cr_expect_eq(see(&v)->n_pinnable, 3,
	    "pins stay on the one that can "
	    "be reached");
	w.inst[2]->health = w.inst[3]->health = HEALTH_DOWN;
	cr_expect_eq(see(&v)->n_resting, 0);
	cr_expect_eq(see(&v)->n_eligible, 2, "better those than none");
	cr_expect_eq(see(&v)->n_pinnable, 2);
	w.inst[2]->health = HEALTH_UP;
	cr_expect_eq(see(&v)->n_eligible, 1);
	view_free(&v);
	tear_down();
}

/* ---- time ---- */

Test(eject, grows_and_is_forgiven)
{
	static const unsigned lasts_s[] = { 10, 20, 40, 80, 160, 300, 300 };

	set_up(2, "");
	for (size_t n = 0; n < ARRAY_LEN(lasts_s); n++) {
		fail(0, 5);
		cr_expect(later(US_PER_S));
		cr_expect_eq(eject_left_us(w.inst[0], w.now_us),
		    lasts_s[n] * US_PER_S);
		cr_expect_not(later(lasts_s[n] * US_PER_S - 1));
		fail(0, 100); /* what was under way */
		cr_expect(later(1));
		cr_expect_not(is_out(0));
		cr_expect_not(later(0), "what failed before does not count");
	}
	cr_expect_eq(w.inst[0]->eject.ejections, 7);
	cr_expect_eq(w.edges, 14);
	/* quiet, but not for as long as it was out */
	(void)later(299 * US_PER_S);
	(void)later(2 * US_PER_S); /* now */
	fail(0, 5);
	(void)look();
	cr_expect_eq(eject_left_us(w.inst[0], w.now_us), 160 * US_PER_S);
	(void)later(160 * US_PER_S);
	for (int n = 0; n < 5; n++)
		(void)later(160 * US_PER_S);
	fail(0, 5);
	(void)look();
	cr_expect_eq(eject_left_us(w.inst[0], w.now_us), 10 * US_PER_S);
	tear_down();
}

Test(eject, who_switches_it_off_has_them_back)
{
	set_up(4, "");
	fail(0, 5);
	cr_expect(look());
	w.cfg->services[0].pools[0].eject_on = false;
	cr_expect(look());
	cr_expect_eq(n_out(), 0);
	cr_expect_not(look());
	tear_down();
}

/* ---- slow start ---- */

Test(eject, an_instance_gets_warm_by_tenths)
{
	struct view *v = NULL;

	set_up(2, "    slow_start: 9s\n    max_requests: 20\n");
	cr_expect(see(&v)->even, "warm at the start");
	warmth_begin(w.inst[0], w.now_us);
	cr_expect(look());
	for (uint32_t t = 1; t <= 10; t++) {
		const struct view_pool *vp = see(&v);
		uint32_t mine = vp->weight_sum[0];

		cr_expect_eq(vp->eligible[0], w.inst[0]);
		cr_expect_eq(mine, t);
		cr_expect_eq(vp->weight_sum[1], t + 10);
		cr_expect_eq(vp->limits[0], 2 * t);
		cr_expect_eq(vp->limits[1], 20);
		cr_expect_eq(vp->even, t == 10);
		cr_expect_not(look(), "nothing new");
		if (t < 10)
			cr_expect_eq(w.due_us, w.now_us + US_PER_S);
		cr_expect_eq(later(US_PER_S), t < 10);
	}
	view_free(&v);
	tear_down();
}

Test(eject, who_comes_back_is_cold)
{
	struct view *v = NULL;

	set_up(2, "    slow_start: 9s\n");
	(void)see(&v);
	fail(0, 5);
	(void)look();
	(void)later(10 * US_PER_S);
	cr_expect_eq(see(&v)->n_eligible, 2);
	cr_expect_eq(see(&v)->weight_sum[0], 1);
	view_free(&v);
	tear_down();
}

/* ---- with the probe ---- */

Test(eject, a_probe_that_failed_and_passes_ends_it)
{
	set_up(4, "");
	fail(0, 5);
	(void)look();
	fail(0, 5);
	eject_end(w.inst[0], w.now_us, note_edge, &w);
	cr_expect_not(is_out(0));
	cr_expect_eq(w.edges, 2);
	cr_expect_not(look());
	/* nor does it count what failed before, if it was in */
	fail(1, 4);
	(void)look();
	eject_end(w.inst[1], w.now_us, note_edge, &w);
	cr_expect_eq(w.edges, 2);
	fail(1, 4);
	cr_expect_not(look());
	tear_down();
}

Test(eject, a_view_knows_who_rests)
{
	struct view *v = NULL;

	set_up(4, "");
	fail(2, 5);
	(void)look();
	cr_expect_eq(see(&v)->n_resting, 1);
	cr_expect_eq(see(&v)->resting[0], w.inst[2]);
	w.inst[0]->health = w.inst[1]->health = HEALTH_DOWN;
	w.inst[3]->health = HEALTH_DOWN;
	cr_expect_eq(see(&v)->n_resting, 0, "it is among the eligible");
	cr_expect_eq(see(&v)->n_eligible, 1);
	view_free(&v);
	tear_down();
}
