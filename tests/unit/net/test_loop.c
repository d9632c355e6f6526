/* Turns, deferred work, alarms, watches, and wakes from other threads. */
#include "net/loop.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "rig.h"

/* By the system's coarse clock, which may lag behind so much. */
#define COARSE_US (8 * US_PER_MS)

/* ---- turns ---- */

struct diary {
	struct loop *loop;
	char order[32];
	size_t n;
	uint64_t turn[32];
};

static void
note(struct diary *d, char what)
{
	cr_assert_lt(d->n, sizeof(d->order) - 1);
	d->turn[d->n] = loop_turn(d->loop);
	d->order[d->n++] = what;
}

struct job {
	struct defer defer;
	struct diary *diary;
	struct job *then;
	char name;
};

static void
do_job(struct defer *f)
{
	struct job *j = CONTAINER_OF(f, struct job, defer);

	note(j->diary, j->name);
	if (j->then != NULL)
		loop_defer(j->diary->loop, &j->then->defer, do_job);
	else
		loop_stop(j->diary->loop);
}

static void
note_turn(void *arg)
{
	note(arg, 't');
}

static struct job a, b, c;

static void
ask_for_jobs(void *arg)
{
	struct diary *d = arg;

	note(d, 'e');
	loop_defer(d->loop, &a.defer, do_job);
	loop_defer(d->loop, &b.defer, do_job);
	loop_defer(d->loop, &a.defer, do_job); /* asked already */
}

Test(loop, a_turn_is_events_then_turn_then_deferred, .timeout = 10)
{
	struct diary d = { .loop = rig_loop() };
	struct alarm *begin = alarm_new(d.loop, ask_for_jobs, &d);

	cr_assert_not_null(begin);
	a = (struct job){ .diary = &d, .name = 'a', .then = &b };
	b = (struct job){ .diary = &d, .name = 'b', .then = &c };
	c = (struct job){ .diary = &d, .name = 'c' };
	cr_expect_eq(loop_turn(d.loop), 1);
	loop_on_turn(d.loop, note_turn, &d);
	alarm_set(begin, 0);
	loop_run(d.loop);
	/* a asks for b, which waits already; b for c, which comes at once */
	cr_expect_str_eq(d.order, "etabc");
	for (size_t i = 0; i < d.n; i++)
		cr_expect_eq(d.turn[i], 1, "all in one turn");
	alarm_free(&begin);
	loop_free(&d.loop);
}

Test(loop, deferred_work_can_be_done_between_turns)
{
	struct diary d = { .loop = rig_loop() };

	c = (struct job){ .diary = &d, .name = 'c' };
	loop_defer(d.loop, &c.defer, do_job);
	loop_run_deferred(d.loop);
	cr_expect_str_eq(d.order, "c");
	loop_defer(d.loop, &c.defer, do_job);
	loop_run_deferred(d.loop);
	cr_expect_str_eq(d.order, "cc", "it may be asked for again");
	loop_free(&d.loop);
}

Test(loop, freeing_does_what_was_deferred)
{
	struct diary d = { .loop = rig_loop() };

	c = (struct job){ .diary = &d, .name = 'c' };
	loop_defer(d.loop, &c.defer, do_job);
	loop_free(&d.loop);
	cr_expect_str_eq(d.order, "c");
	cr_expect_null(d.loop);
	loop_free(&d.loop);
}

/* ---- time ---- */

struct times {
	struct loop *loop;
	uint64_t first, second;
};

static void
read_twice(void *arg)
{
	struct times *t = arg;

	t->first = loop_now_us(t->loop);
	clock_fake(9 * US_PER_S, 0);
	t->second = loop_now_us(t->loop);
	loop_stop(t->loop);
}

struct again {
	struct later later;
	struct diary *diary;
	unsigned left; /* how often still */
};

static void
do_again(struct later *t)
{
	struct again *g = CONTAINER_OF(t, struct again, later);

	note(g->diary, 'l');
	if (--g->left > 0)
		loop_later(g->diary->loop, &g->later, do_again);
	else
		loop_stop(g->diary->loop);
}

Test(loop, what_is_left_is_done_once_in_each_turn, .timeout = 10)
{
	struct diary d = { .loop = rig_loop() };
	struct again g = { .diary = &d, .left = 2 }, gone = { .diary = &d };

	loop_on_turn(d.loop, note_turn, &d);
	loop_later(d.loop, &gone.later, do_again);
	loop_later(d.loop, &g.later, do_again);
	loop_later(d.loop, &g.later, do_again); /* asked already */
	later_cancel(&gone.later);
	later_cancel(&gone.later);
	loop_run(d.loop);
	d.order[d.n] = '\0';
	cr_expect_str_eq(d.order, "ltlt");
	loop_free(&d.loop);
}

Test(loop, time_stands_still_within_a_turn, .timeout = 10)
{
	struct times t = { .loop = rig_loop() };
	struct alarm *x = alarm_new(t.loop, read_twice, &t);

	cr_assert_not_null(x);
	clock_fake(5 * US_PER_S, 0);
	cr_expect_eq(loop_now_us(t.loop), 5 * US_PER_S);
	clock_fake(7 * US_PER_S, 0);
	alarm_set(x, 0);
	loop_run(t.loop);
	cr_expect_eq(t.first, 7 * US_PER_S, "not from before loop_run()");
	cr_expect_eq(t.second, t.first);
	cr_expect_eq(loop_now_us(t.loop), 9 * US_PER_S, "a new turn");
	alarm_free(&x);
	loop_free(&t.loop);
}

/* ---- other threads ---- */

#define WAKERS 4
#define WAKES 5000

struct crowd {
	struct loop *loop;
	_Atomic unsigned flags[WAKERS];
	unsigned seen[WAKERS];
};

struct waker {
	pthread_t thread;
	struct crowd *crowd;
	unsigned index;
};

/* What a thread wrote before its wake is seen in the turn it causes. */
static void *
wake_often(void *arg)
{
	struct waker *w = arg;

	for (unsigned i = 0; i < WAKES; i++) {
		w->crowd->flags[w->index]++;
		loop_wake(w->crowd->loop);
	}
	return NULL;
}

static bool
all_seen(void *arg)
{
	struct crowd *crowd = arg;
	bool all = true;

	for (unsigned i = 0; i < WAKERS; i++) {
		crowd->seen[i] = crowd->flags[i];
		all = all && crowd->seen[i] == WAKES;
	}
	return all;
}

Test(loop, wakes_of_many_threads_are_never_lost, .timeout = 20)
{
	struct crowd crowd = { .loop = rig_loop() };
	struct waker w[WAKERS];

	for (unsigned i = 0; i < WAKERS; i++) {
		w[i] = (struct waker){ .crowd = &crowd, .index = i };
		cr_assert_eq(
		    pthread_create(&w[i].thread, NULL, wake_often, &w[i]), 0);
	}
	rig_run_until(crowd.loop, all_seen, &crowd);
	for (unsigned i = 0; i < WAKERS; i++)
		pthread_join(w[i].thread, NULL);
	loop_free(&crowd.loop);
}

static void *
stop_it(void *arg)
{
	loop_stop(arg);
	return NULL;
}

Test(loop, stops_for_another_thread_even_before_it_runs, .timeout = 10)
{
	struct loop *l = rig_loop();
	pthread_t t;

	for (int i = 0; i < 50; i++) {
		cr_assert_eq(pthread_create(&t, NULL, stop_it, l), 0);
		if (i % 2 == 0)
			pthread_join(t, NULL);
		loop_run(l);
		if (i % 2 != 0)
			pthread_join(t, NULL);
	}
	loop_free(&l);
}

/* ---- alarms ---- */

struct bell {
	struct alarm *alarm;
	struct loop *loop;
	unsigned rung;
	uint64_t at_us;
};

static void
ring(void *arg)
{
	struct bell *x = arg;

	x->rung++;
	x->at_us = clock_mono_us();
	if (x->loop != NULL)
		alarm_free(&x->alarm); /* its own */
}

static bool
has_rung(void *arg)
{
	return ((struct bell *)arg)->rung > 0;
}

Test(alarm, rings_once_in_time, .timeout = 10)
{
	static const uint64_t waits_us[] = { 0, 1, 5000, 30000 };
	struct loop *l = rig_loop();
	struct bell x = { .rung = 0 };

	x.alarm = alarm_new(l, ring, &x);
	cr_assert_not_null(x.alarm);
	for (size_t i = 0; i < ARRAY_LEN(waits_us); i++) {
		uint64_t from = clock_mono_us();

		x.rung = 0;
		alarm_set(x.alarm, waits_us[i]);
		rig_run_until(l, has_rung, &x);
		cr_expect_geq(x.at_us + COARSE_US, from + waits_us[i]);
		rig_run_for(l, 2 * COARSE_US);
		cr_expect_eq(x.rung, 1);
	}
	alarm_free(&x.alarm);
	cr_expect_null(x.alarm);
	alarm_free(&x.alarm);
	loop_free(&l);
}

Test(alarm, setting_moves_and_clearing_ends, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct bell x = { .rung = 0 }, y = { .rung = 0 };

	x.alarm = alarm_new(l, ring, &x);
	y.alarm = alarm_new(l, ring, &y);
	cr_assert(x.alarm != NULL && y.alarm != NULL);
	alarm_set(x.alarm, 3600 * US_PER_S);
	alarm_set(x.alarm, 1000);
	alarm_set(y.alarm, 1000);
	alarm_set(y.alarm, 3600 * US_PER_S);
	rig_run_until(l, has_rung, &x);
	cr_expect_eq(y.rung, 0, "moved later");
	alarm_set(y.alarm, 0);
	alarm_clear(y.alarm);
	rig_run_for(l, 2 * COARSE_US);
	cr_expect_eq(y.rung, 0, "cleared");
	alarm_free(&x.alarm);
	alarm_free(&y.alarm);
	loop_free(&l);
}

Test(alarm, may_free_itself, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct bell x = { .loop = l };

	x.alarm = alarm_new(l, ring, &x);
	cr_assert_not_null(x.alarm);
	alarm_set(x.alarm, 0);
	rig_run_until(l, has_rung, &x);
	cr_expect_null(x.alarm);
	loop_free(&l);
}

/* ---- watches ---- */

struct eye {
	struct watch watch;
	struct eye *other; /* is deleted by us */
	unsigned seen, what;
};

static void
see(struct watch *w, unsigned what)
{
	struct eye *e = CONTAINER_OF(w, struct eye, watch);

	e->seen++;
	e->what |= what;
	if (e->other != NULL)
		watch_del(&e->other->watch);
}

static bool
has_seen(void *arg)
{
	return ((struct eye *)arg)->seen > 0;
}

Test(watch, tells_an_edge_once_and_a_level_again, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct eye edge = { .seen = 0 }, level = { .seen = 0 };
	int p[2], q[2];

	cr_assert(pipe(p) == 0 && pipe(q) == 0);
	cr_assert_eq(watch_add(&edge.watch, l, p[0], see), E_OK);
	cr_assert_eq(watch_add_level(&level.watch, l, q[0], see), E_OK);
	rig_run_for(l, COARSE_US);
	cr_expect_eq(edge.seen + level.seen, 0);
	cr_assert_eq(write(p[1], "x", 1), 1);
	rig_run_until(l, has_seen, &edge);
	cr_expect(edge.what & WATCH_READ);
	cr_assert_eq(write(q[1], "x", 1), 1);
	for (int i = 1; i < 4; i++) {
		level.seen = 0;
		rig_run_until(l, has_seen, &level);
	}
	cr_expect_eq(edge.seen, 1, "nothing new came");
	cr_expect_eq(level.what, WATCH_READ);
	watch_del(&edge.watch);
	watch_del(&level.watch);
	loop_free(&l);
}

Test(watch, deleted_by_another_of_its_turn_stays_silent, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct eye x = { .seen = 0 }, y = { .seen = 0 };
	int p[2], q[2];

	cr_assert(pipe(p) == 0 && pipe(q) == 0);
	x.other = &y;
	y.other = &x;
	cr_assert_eq(watch_add(&x.watch, l, p[0], see), E_OK);
	cr_assert_eq(watch_add(&y.watch, l, q[0], see), E_OK);
	cr_assert_eq(write(p[1], "x", 1), 1);
	cr_assert_eq(write(q[1], "x", 1), 1);
	rig_run_for(l, 2 * COARSE_US);
	cr_expect_eq(x.seen + y.seen, 1);
	watch_del(&x.watch);
	watch_del(&y.watch);
	loop_free(&l);
}

Test(watch, says_why_it_cannot)
{
	struct loop *l = rig_loop();
	struct eye x = { .seen = 0 };

	cr_expect_neq(watch_add(&x.watch, l, 900, see), E_OK, "no such fd");
	loop_free(&l);
}
