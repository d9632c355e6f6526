/* What all proxies were asked since a rollout began, by what each tells. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "rollout/facts.h"
#include "rollout/machine_int.h"
#include "world.h"

#define BEGAN WORLD_BEGAN
#define UP (BEGAN - 60 * S) /* the proxies have begun before */

/* A proxy: what it has counted, and what it knows of the others. */
struct proxy {
	const char *boot;
	struct ro_state state;
	struct ro_count own[2], rows[2];
	double rate[2], rates[2];
	struct parts parts;
};

static struct world w; /* for its services */
static struct proxy a, b, c;
static uint64_t now = BEGAN;

static void
proxy_make(struct proxy *p, const char *boot, uint64_t process_us)
{
	*p = (struct proxy){ .boot = boot, .state = w.s };
	facts_parts_init(&p->parts);
	for (size_t i = 0; i < 2; i++)
		p->own[i] = (struct ro_count){ .process_us = process_us,
			.holds = true };
}

static struct ro_rollout *
it(void)
{
	return &w.s.services[0].rollout;
}

/* So many have come, of which so many are on their way; the rest failed. */
static void
come(struct proxy *p, uint64_t n, uint64_t in_flight)
{
	struct ro_count *own = &p->own[0];

	own->accepted += n;
	own->class[CLASS_fault] += n + own->in_flight - in_flight;
	own->in_flight = in_flight;
	own->waiting = in_flight;
	own->n_pools = 1;
	str_copy(STR("v1"), own->pools[0].pool, CFG_NAME_MAX);
	own->pools[0].toll.requests += n;
}

/* It looks, without what others tell; in_time: it was told when they were. */
static void
look_when(struct proxy *p, bool in_time)
{
	memcpy(p->rows, p->own, sizeof(p->rows));
	memcpy(p->rates, p->rate, sizeof(p->rates));
	facts_parts(&p->parts, &p->state, p->rows, p->rates, now, in_time);
}

static void
look(struct proxy *p)
{
	look_when(p, false);
}

static struct json *
told_by(struct proxy *p)
{
	struct json_out j;
	struct buf text = BUF_INIT;
	struct json *doc;
	char why[64];

	look(p);
	json_begin(&j, &text);
	facts_parts_put(&p->parts, &j);
	doc = json_read(buf_str(&text), why, sizeof(why));
	cr_assert_not_null(doc, "%s", why);
	buf_free(&text);
	return doc;
}

static void
hear(struct proxy *p, struct proxy *of, bool away)
{
	struct json *doc = told_by(of);

	facts_parts_add(&p->parts, of->boot, away, doc);
	json_free(&doc);
}

/* What p makes of it; false: some is missing. */
static bool
sum(struct proxy *p, struct ro_count *out)
{
	facts_parts_sum(&p->parts, &p->state, p->rows, p->rates);
	return machine_count(&w.s.services[0], &p->rows[0], out);
}

static void
begin(void)
{
	world_make(&w);
	now = BEGAN;
	proxy_make(&a, "a1", UP);
	proxy_make(&b, "b1", UP + S);
	come(&a, 1000, 2);
	come(&b, 500, 1);
	it()->id = 7;
	it()->began_us = BEGAN;
	it()->stand = RO_STAND_RUNNING;
	it()->n_steps = 1;
	it()->base = a.own[0]; /* it leads */
	proxy_make(&c, "", 1);
	look(&a);
	look_when(&b, true);
}

static void
end(void)
{
	facts_parts_free(&a.parts);
	facts_parts_free(&b.parts);
	facts_parts_free(&c.parts);
	world_free(&w);
}

TestSuite(parts, .init = begin, .fini = end, .timeout = 10);

/* Each has ended or is on its way. */
static void
expect(const struct ro_count *n, uint64_t accepted, uint64_t in_flight)
{
	cr_expect_eq(n->accepted, accepted, "%llu",
	    (unsigned long long)n->accepted);
	cr_expect_eq(n->in_flight, in_flight);
	cr_expect_eq(n->class[CLASS_fault], accepted - in_flight);
	cr_expect(n->holds);
}

Test(parts, of_one_alone_is_what_it_has_counted)
{
	struct ro_count n;

	come(&a, 10, 0);
	look(&a);
	cr_expect(sum(&a, &n));
	expect(&n, 12, 0);
	cr_expect_eq(a.rows[0].accepted, a.own[0].accepted);
}

Test(parts, of_all_are_the_same_at_each)
{
	struct ro_count n;

	come(&a, 10, 1);
	come(&b, 20, 3);
	a.rate[0] = 2.5;
	b.rate[0] = 4;
	look(&a);
	hear(&a, &b, false);
	cr_expect(sum(&a, &n));
	expect(&n, 33, 4);
	cr_expect_eq(n.waiting, 4);
	cr_expect_eq(n.pools[0].toll.requests, 30);
	cr_expect_eq(a.rates[0], 6.5);
	look(&b);
	hear(&b, &a, false);
	cr_expect(sum(&b, &n));
	expect(&n, 33, 4);
	cr_expect_eq(n.pools[0].toll.requests, 30);
	cr_expect_eq(b.rates[0], 6.5);
}

Test(parts, it_is_unknown_how_much_is_asked)
{
	struct ro_count n;

	a.rate[0] = 2.5;
	b.rate[0] = -1;
	look(&a);
	hear(&a, &b, false);
	cr_expect(sum(&a, &n));
	cr_expect_eq(a.rates[0], -1);
}

/* It is there, and has told nothing of this. */
static void
say_nothing(struct proxy *p, const char *boot, bool away)
{
	facts_parts_add(&p->parts, boot, away, NULL);
}

Test(parts, who_has_told_nothing_is_missing)
{
	struct ro_count n;

	now += S;
	a.rate[0] = 2;
	look(&a);
	say_nothing(&a, "x", false);
	cr_expect_not(sum(&a, &n));
	expect(&n, 2, 2);
	cr_expect_eq(n.process_us, now);
	cr_expect_eq(a.rates[0], -1);
	look(&a);
	say_nothing(&a, "x", true);
	cr_expect_not(sum(&a, &n));
	cr_expect_eq(a.rates[0], 2, "nobody is sent there");
	look(&a);
	cr_expect(sum(&a, &n), "it has said good-bye before");
}

Test(parts, who_is_alone_knows_of_nobody)
{
	struct ro_count n;

	come(&b, 20, 0);
	look(&a);
	facts_parts_alone(&a.parts);
	cr_expect_not(sum(&a, &n), "it has heard of none since it began");
	expect(&n, 2, 2);
	look(&a);
	hear(&a, &b, false);
	facts_parts_alone(&a.parts);
	cr_expect_not(sum(&a, &n));
	expect(&n, 23, 2);
	cr_expect_eq(a.rates[0], -1);
}

/* It was asked nothing yet: whenever it hears of it, it has missed nothing. */
Test(parts, who_joins)
{
	struct ro_count n;

	proxy_make(&c, "c1", now + S);
	now += 2 * S;
	look(&c);
	come(&c, 4, 0);
	look(&a);
	hear(&a, &c, false);
	cr_expect(sum(&a, &n));
	expect(&n, 6, 2);
}

/* Of what it had on its way nobody knows the end. */
Test(parts, who_is_away_has_told_what_it_has)
{
	struct ro_count n;

	come(&b, 20, 3);
	hear(&a, &b, false);
	now += 5 * S;
	look(&a);
	hear(&a, &b, true);
	cr_expect_not(sum(&a, &n));
	expect(&n, 20, 2);
	cr_expect_eq(n.process_us, now);
	cr_expect_eq(a.rates[0], 0);
	now += S;
	look(&a);
	cr_expect_not(sum(&a, &n), "it is no member any more");
	expect(&n, 20, 2);
	look(&a);
	hear(&a, &b, false);
	cr_expect(sum(&a, &n), "it is back, and was never gone");
	expect(&n, 23, 5);
}

/* Its like begins anew, beside what was told before. */
Test(parts, who_begins_anew_is_another)
{
	struct ro_count n;

	come(&b, 20, 0);
	hear(&a, &b, false);
	now += 5 * S;
	proxy_make(&c, "b2", now - S);
	come(&c, 4, 1);
	look(&a);
	hear(&a, &c, false);
	cr_expect_not(sum(&a, &n));
	expect(&n, 2 + 21 + 4, 3);
	look(&c);
	hear(&c, &a, false);
	cr_expect_not(sum(&c, &n));
	expect(&n, 2 + 4, 3);
	cr_expect_eq(n.process_us, now - S);
}

/* It was cut off when the rollout began, be that long ago or not. */
Test(parts, who_hears_of_it_late)
{
	struct ro_count n;

	proxy_make(&c, "c1", UP + 2 * S);
	come(&c, 300, 0);
	now += 2 * S;
	look_when(&c, false);
	come(&c, 5, 0);
	look(&a);
	hear(&a, &c, false);
	cr_expect_not(sum(&a, &n));
	expect(&n, 7, 2);
	cr_expect_eq(n.process_us, BEGAN + 2 * S);
}

/* Who leads now goes on from what was counted. */
Test(parts, of_another_leader)
{
	struct ro_count n;

	come(&a, 10, 0);
	come(&b, 20, 0);
	hear(&b, &a, false);
	now += S;
	look(&b);
	hear(&b, &a, true);
	cr_expect_not(sum(&b, &n));
	expect(&n, 2 + 10 + 1 + 20, 0);
}

/* All stamps go with it (ro_state_shift). */
Test(parts, the_wall_clock_is_set)
{
	struct ro_count n;

	come(&b, 20, 0);
	hear(&a, &b, false);
	it()->began_us += 7 * S;
	now += 7 * S;
	look(&a);
	hear(&a, &b, false);
	cr_expect(sum(&a, &n));
	expect(&n, 2 + 21, 2);
}

/* As the configuration has them after a reload. */
Test(parts, services_in_another_order)
{
	struct proxy *both[] = { &a, &b };
	struct ro_service was = w.s.services[0];
	struct ro_count n;

	come(&b, 20, 0);
	hear(&a, &b, false);
	w.s.services[0] = w.s.services[1];
	w.s.services[1] = was;
	for (size_t i = 0; i < 2; i++) {
		n = both[i]->own[0];
		both[i]->own[0] = both[i]->own[1];
		both[i]->own[1] = n;
	}
	look(&a);
	hear(&a, &b, false);
	facts_parts_sum(&a.parts, &a.state, a.rows, a.rates);
	cr_expect(machine_count(&w.s.services[1], &a.rows[1], &n));
	expect(&n, 2 + 21, 2);
}

/* With counters that begin anew. */
Test(parts, a_service_that_went_and_came_back)
{
	struct ro_count n;

	come(&b, 20, 0);
	look(&b);
	b.own[0] = (struct ro_count){ .process_us = UP + S, .holds = true };
	come(&b, 3, 0);
	look(&a);
	hear(&a, &b, false);
	cr_expect_not(sum(&a, &n));
	expect(&n, 2 + 3, 2);
}

/* A leader that has begun anew, and nobody is there; then one is. */
Test(parts, by_time_once_others_tell)
{
	struct ro_count n;
	struct ro_timeline t;
	uint64_t due = 0;

	timeline_begin(it());
	proxy_make(&c, "a2", now + S);
	now += 2 * S;
	come(&c, 4, 0);
	look(&c);
	(void)sum(&c, &n);
	(void)timeline_note(it(), &c.rows[0], now, &due);
	come(&b, 20, 0);
	come(&c, 2, 0);
	look(&c);
	hear(&c, &b, false);
	cr_expect_not(sum(&c, &n));
	expect(&n, 21 + 6, 0);
	machine_timeline(&w.s.services[0], &c.rows[0], now, &t);
	cr_expect_leq(t.pieces[0][0].requests, 4 + 20 + 6);
}

Test(parts, of_another_rollout_are_none)
{
	struct ro_count n;

	come(&b, 20, 0);
	hear(&a, &b, false);
	it()->id = 8;
	it()->began_us = now + S;
	it()->base = a.own[0];
	now += S;
	look(&a);
	cr_expect(sum(&a, &n));
	expect(&n, 2, 2);
	it()->stand = RO_STAND_DONE;
	look(&a);
	cr_expect(TAILQ_EMPTY(&a.parts.list));
}

Test(parts, what_is_none)
{
	static const char *const said[] = { "null", "7", "{}", "[ 7, null ]",
		"[{\"service\":\"a\",\"rollout\":7}]",
		"[{\"service\":\"x\",\"rollout\":7,\"began_us\":"
		"1800000000000000,"
		"\"count\":{}}]",
		"[{\"service\":\"a\",\"rollout\":7,\"began_us\":"
		"1800000000000000,"
		"\"count\":{\"accepted\":-1}}]" };
	char why[64];

	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		struct json *doc = json_read(str_of(said[i]), why, sizeof(why));
		struct ro_count n;

		cr_assert_not_null(doc, "%s", said[i]);
		look(&a);
		facts_parts_add(&a.parts, "x", false, doc);
		cr_expect_not(sum(&a, &n));
		expect(&n, 2, 2);
		json_free(&doc);
	}
}
