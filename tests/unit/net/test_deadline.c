/* Deadlines: coarse, never early, at most one tick late. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/loop.h"
#include "rig.h"

#define MANY 5000
#define SPAN_US (600 * US_PER_MS)
/* The system's coarse clock, by which libevent goes. */
#define COARSE_US (8 * US_PER_MS)

/* ---- many, by the real clock ---- */

struct many {
	struct timed {
		struct deadline d;
		struct many *all;
		uint64_t want_us;
	} t[MANY];
	struct loop *loop;
	unsigned fired, early;
	uint64_t latest_us;
	uint64_t turn_us, gap_us; /* how long the machine kept us from a turn */
};

static void
on_timed(struct deadline *d)
{
	struct timed *t = CONTAINER_OF(d, struct timed, d);
	uint64_t now = clock_mono_us();

	t->all->fired++;
	t->all->early += now < t->want_us;
	if (now >= t->want_us)
		t->all->latest_us = MAX(t->all->latest_us, now - t->want_us);
}

static bool
all_fired(void *arg)
{
	struct many *m = arg;
	uint64_t now = clock_mono_us();

	m->gap_us = m->turn_us == 0 ? 0 : MAX(m->gap_us, now - m->turn_us);
	m->turn_us = now;
	return m->fired == MANY;
}

Test(deadline, many_are_never_early_and_at_most_a_tick_late, .timeout = 20)
{
	struct many *m = calloc(1, sizeof(*m));
	uint64_t now;

	cr_assert_not_null(m);
	m->loop = rig_loop();
	now = loop_now_us(m->loop);
	srand(7);
	for (int i = 0; i < MANY; i++) {
		struct timed *t = &m->t[i];

		t->all = m;
		t->d.fn = on_timed;
		t->want_us = now + (uint64_t)rand() % SPAN_US;
		/* a third each: as it is, moved later, moved earlier */
		deadline_set(m->loop, &t->d,
		    i % 3 == 0       ? t->want_us
		        : i % 3 == 1 ? now + (t->want_us - now) / 2
		                     : t->want_us + 2 * US_PER_S);
	}
	for (int i = 0; i < MANY; i++) {
		struct timed *t = &m->t[i];

		if (i % 3 == 1 && i % 2 == 0)
			t->d.due_us = t->want_us; /* no call is needed */
		else if (i % 3 != 0)
			deadline_set(m->loop, &t->d, t->want_us);
	}
	rig_run_until(m->loop, all_fired, m);
	cr_expect_eq(m->early, 0);
	cr_expect_leq(m->latest_us, DEADLINE_TICK_US + COARSE_US + m->gap_us);
	loop_free(&m->loop);
	free(m);
}

/* ---- one by one, by a clock of our own ---- */

struct one {
	struct deadline d;
	struct defer freeing;
	struct loop *loop;
	struct one *other;
	unsigned fired;
};

static struct one *
one_of(struct deadline *d)
{
	return CONTAINER_OF(d, struct one, d);
}

static void
count(struct deadline *d)
{
	one_of(d)->fired++;
}

static bool
has_fired(void *arg)
{
	return ((struct one *)arg)->fired > 0;
}

/* Long enough for any wheel to turn. */
static void
look(struct loop *l)
{
	rig_run_for(l, 2 * DEADLINE_TICK_US + COARSE_US);
}

static const uint64_t begin_us = 1000 * US_PER_S;

static struct loop *
fake_loop(void)
{
	clock_fake(begin_us, begin_us);
	return rig_loop();
}

/* clang-format off */
static const struct {
	const char *why;
	uint64_t due_us, before_us, after_us;
} waits[] = {
	{ "the past", begin_us - 1, begin_us - 1, begin_us + DEADLINE_TICK_US },
	{ "now", begin_us, begin_us, begin_us + DEADLINE_TICK_US },
	{ "a border", begin_us + 4 * DEADLINE_TICK_US,
	    begin_us + 4 * DEADLINE_TICK_US - 1, begin_us + 4 * DEADLINE_TICK_US },
	{ "just after a border", begin_us + 4 * DEADLINE_TICK_US + 1,
	    begin_us + 4 * DEADLINE_TICK_US, begin_us + 5 * DEADLINE_TICK_US },
	{ "further than the wheel looks", begin_us + 75 * US_PER_S,
	    begin_us + 75 * US_PER_S - 1, begin_us + 75 * US_PER_S },
	{ "a year", begin_us + UINT64_C(31536000) * US_PER_S,
	    begin_us + UINT64_C(31535999) * US_PER_S,
	    begin_us + UINT64_C(31536001) * US_PER_S },
	{ "never", UINT64_MAX, UINT64_MAX / 4, 0 },
};
/* clang-format on */

Test(deadline, fires_in_its_tick, .timeout = 20)
{
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		struct loop *l = fake_loop();
		struct one a = { .d.fn = count };

		deadline_set(l, &a.d, waits[i].due_us);
		if (waits[i].before_us >= begin_us &&
		    waits[i].due_us > begin_us) {
			clock_fake(waits[i].before_us, 0);
			look(l);
			cr_expect_eq(a.fired, 0, "%s: early", waits[i].why);
			cr_expect(a.d.armed);
		}
		if (waits[i].after_us != 0) {
			clock_fake(waits[i].after_us, 0);
			rig_run_until(l, has_fired, &a);
			cr_expect_not(a.d.armed, "%s", waits[i].why);
			look(l);
			cr_expect_eq(a.fired, 1, "%s: once", waits[i].why);
		}
		deadline_clear(l, &a.d);
		loop_free(&l);
	}
}

Test(deadline, none_is_missed_when_the_loop_stood_still, .timeout = 20)
{
	struct loop *l = fake_loop();
	struct one a[100] = { { .fired = 0 } };

	for (size_t i = 0; i < ARRAY_LEN(a); i++) {
		a[i].d.fn = count;
		deadline_set(l, &a[i].d, begin_us + i * 70 * US_PER_MS);
	}
	clock_fake(begin_us + 3600 * US_PER_S, 0);
	rig_run_until(l, has_fired, &a[99]);
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		cr_expect_eq(a[i].fired, 1, "%zu", i);
	loop_free(&l);
}

static void
clear_other(struct deadline *d)
{
	struct one *a = one_of(d);

	a->fired++;
	deadline_clear(a->loop, &a->other->d);
}

Test(deadline, cleared_by_another_of_its_tick, .timeout = 10)
{
	struct loop *l = fake_loop();
	struct one a = { .loop = l }, b = { .loop = l };

	a.other = &b;
	b.other = &a;
	a.d.fn = b.d.fn = clear_other;
	deadline_set(l, &a.d, begin_us + 10);
	deadline_set(l, &b.d, begin_us + 10);
	clock_fake(begin_us + US_PER_S, 0);
	look(l);
	cr_expect_eq(a.fired + b.fired, 1, "whoever was first");
	cr_expect_not(a.d.armed);
	cr_expect_not(b.d.armed);
	deadline_clear(l, &a.d); /* again: nothing */
	loop_free(&l);
}

static void
put_off_other(struct deadline *d)
{
	struct one *a = one_of(d);

	a->fired++;
	deadline_set(a->loop, &a->other->d, begin_us + 60 * US_PER_S);
}

Test(deadline, moved_later_by_another_of_its_tick, .timeout = 10)
{
	struct loop *l = fake_loop();
	struct one a = { .loop = l }, b = { .loop = l };

	a.other = &b;
	b.other = &a;
	a.d.fn = b.d.fn = put_off_other;
	deadline_set(l, &a.d, begin_us + 10);
	deadline_set(l, &b.d, begin_us + 10);
	clock_fake(begin_us + US_PER_S, 0);
	look(l);
	cr_expect_eq(a.fired + b.fired, 1, "the other waits on");
	cr_expect(a.d.armed || b.d.armed);
	deadline_clear(l, &a.d);
	deadline_clear(l, &b.d);
	loop_free(&l);
}

static void
again(struct deadline *d)
{
	struct one *a = one_of(d);

	if (++a->fired < 3)
		deadline_set(a->loop, d, clock_mono_us());
}

static bool
fired_thrice(void *arg)
{
	return ((struct one *)arg)->fired == 3;
}

Test(deadline, set_again_by_itself, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct one a = { .loop = l, .d.fn = again };

	deadline_set(l, &a.d, 0);
	rig_run_until(l, fired_thrice, &a);
	cr_expect_not(a.d.armed);
	loop_free(&l);
}

static unsigned freed;

static void
free_one(struct defer *f)
{
	freed++;
	free(CONTAINER_OF(f, struct one, freeing));
}

static void
end(struct deadline *d)
{
	struct one *a = one_of(d);

	if (a->other != NULL) {
		deadline_clear(a->loop, &a->other->d);
		loop_defer(a->loop, &a->other->freeing, free_one);
	}
	loop_defer(a->loop, &a->freeing, free_one);
}

static bool
all_freed(void *arg)
{
	return freed == *(unsigned *)arg;
}

/* Each is freed by its own callback; every second by its neighbour's. */
Test(deadline, freed_in_callbacks, .timeout = 10)
{
	struct loop *l = rig_loop();
	unsigned n = 300;

	for (unsigned i = 0; i < n; i += 3) {
		struct one *a[3];

		for (unsigned k = 0; k < 3; k++) {
			a[k] = calloc(1, sizeof(*a[k]));
			cr_assert_not_null(a[k]);
			a[k]->loop = l;
			a[k]->d.fn = end;
		}
		a[0]->other = a[1];
		deadline_set(l, &a[1]->d, clock_mono_us() + US_PER_S);
		deadline_set(l, &a[0]->d, clock_mono_us());
		deadline_set(l, &a[2]->d, clock_mono_us());
	}
	rig_run_until(l, all_freed, &n);
	loop_free(&l);
}

Test(deadline, without_any_the_loop_sleeps, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct one a = { .d.fn = count };
	uint64_t from;

	deadline_set(l, &a.d, clock_mono_us() + US_PER_S);
	deadline_clear(l, &a.d);
	look(l); /* the wheel's last turn */
	from = loop_turn(l);
	rig_run_for(l, 10 * DEADLINE_TICK_US);
	cr_expect_leq(loop_turn(l) - from, 2);
	loop_free(&l);
}
