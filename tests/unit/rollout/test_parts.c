/* What all proxies were asked since a rollout began, by what each tells. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "rollout/facts.h"
#include "world.h"

#define BEGAN WORLD_BEGAN
#define UP (BEGAN - 60 * S) /* the proxies have begun before */

/* A proxy: what it has counted, and what it knows of the others. */
struct proxy {
	const char *boot;
	struct ro_state state;
	struct ro_count own[2], rows[2];
	double rate[2], rates[2];
	struct part *parts[2];
};

static struct world w; /* for its services */
static struct proxy a, b, c;
static uint64_t now = BEGAN;

static void
proxy_make(struct proxy *p, const char *boot, uint64_t process_us)
{
	*p = (struct proxy){ .boot = boot, .state = w.s };
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

/* It looks, without what others tell. */
static void
look(struct proxy *p)
{
	memcpy(p->rows, p->own, sizeof(p->rows));
	memcpy(p->rates, p->rate, sizeof(p->rates));
	facts_parts(&p->state, p->rows, p->rates, now, p->parts);
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
	facts_parts_put(&p->state, p->parts, &j);
	doc = json_read(buf_str(&text), why, sizeof(why));
	cr_assert_not_null(doc, "%s", why);
	buf_free(&text);
	return doc;
}

static void
hear(struct proxy *p, struct proxy *of, bool away)
{
	struct json *doc = told_by(of);

	facts_parts_add(&p->state, p->parts, of->boot, away, now, doc);
	json_free(&doc);
}

/* What p makes of it; false: some is missing. */
static bool
sum(struct proxy *p, struct ro_count *out)
{
	facts_parts_sum(&p->state, p->parts, p->rows, p->rates);
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
	look(&a);
	look(&b);
}

static void
end(void)
{
	struct proxy *all[] = { &a, &b, &c };

	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 2; k++)
			facts_part_free(&all[i]->parts[k]);
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

/* Of what it had on its way nobody knows the end. */
Test(parts, who_is_away_has_told_what_it_has)
{
	struct ro_count n;

	come(&b, 20, 3);
	hear(&a, &b, false);
	now += 5 * S;
	look(&a);
	cr_expect_not(sum(&a, &n));
	expect(&n, 20, 2);
	cr_expect_eq(n.process_us, BEGAN, "then it was there");
	cr_expect_eq(a.rates[0], 0);
	hear(&a, &b, true);
	cr_expect_not(sum(&a, &n));
	now += S;
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
	cr_expect_eq(n.process_us, now - S);
	look(&c);
	hear(&c, &a, false);
	cr_expect_not(sum(&c, &n));
	expect(&n, 2 + 4, 3);
	cr_expect_eq(n.process_us, now - S);
}

/* It was cut off when the rollout began. */
Test(parts, who_hears_of_it_late)
{
	struct ro_count n;

	proxy_make(&c, "c1", UP + 2 * S);
	come(&c, 300, 0);
	now += 100 * S;
	look(&c);
	come(&c, 5, 0);
	look(&a);
	hear(&a, &c, false);
	cr_expect_not(sum(&a, &n));
	expect(&n, 7, 2);
	cr_expect_eq(n.process_us, BEGAN + 100 * S);
}

/* Who leads now goes on from what was counted. */
Test(parts, of_another_leader)
{
	struct ro_count n;

	come(&a, 10, 0);
	come(&b, 20, 0);
	hear(&b, &a, false);
	proxy_make(&c, "a2", now);
	now += S;
	look(&b);
	cr_expect_not(sum(&b, &n));
	expect(&n, 2 + 10 + 1 + 20, 0);
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
	cr_expect_null(a.parts[1]);
	it()->stand = RO_STAND_DONE;
	look(&a);
	cr_expect_null(a.parts[0]);
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
		facts_parts_add(&a.state, a.parts, "x", false, now, doc);
		(void)sum(&a, &n);
		expect(&n, 2, 2);
		json_free(&doc);
	}
}
