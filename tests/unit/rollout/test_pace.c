/* What a step analyze or mirror looks at, here and at other proxies. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/thread.h"
#include "config/config.h"
#include "rollout/facts.h"
#include "tests/unit/upstream/house.h"
#include "upstream/registry.h"

#define WALL (UINT64_C(1000000) * US_PER_S)

/* A proxy: what is counted there, and how it stands with a rollout to v2. */
struct proxy {
	struct registry *registry;
	struct ro_state state;
	struct pace *paces[2];
	struct ro_pace row[2];
};

static struct cfg *cfg;

static void
proxy_make(struct proxy *p)
{
	memset(p, 0, sizeof(*p));
	p->registry = registry_new(2);
	cr_assert_not_null(p->registry);
	house_apply(p->registry, cfg);
	cr_assert_eq(ro_state_new(&p->state), E_OK);
	cr_assert_eq(ro_state_reconcile(&p->state, cfg, WALL, NULL), E_OK);
}

static struct ro_rollout *
rollout_of(struct proxy *p)
{
	return &p->state.services[0].rollout;
}

static void
go(struct proxy *p, enum cfg_step_kind kind, uint64_t since_us)
{
	struct ro_rollout *r = rollout_of(p);

	str_copy(STR("v2"), r->to, sizeof(r->to));
	r->id = 7;
	r->stand = RO_STAND_RUNNING;
	r->entered = true;
	r->at = 0;
	r->n_steps = 1;
	r->steps[0].kind = (uint8_t)kind;
	r->since_us = since_us;
}

static void
look(struct proxy *p)
{
	facts_pace(p->registry, cfg, &p->state, WALL, p->paces);
	facts_pace_sum(&p->state, p->paces, p->row);
}

static void
proxy_free(struct proxy *p)
{
	free(p->paces[0]);
	free(p->paces[1]);
	ro_state_free(&p->state);
	registry_free(&p->registry);
}

/* So many answers, of which some failed; and how long each took. */
static void
answer(struct proxy *p, const char *pool, unsigned good, unsigned bad,
    uint64_t us)
{
	struct pool_cell *c = &registry_pool(p->registry, "s", pool)->cells[1];

	stat_add(&c->status[STATUS_2XX], good);
	stat_add(&c->status[STATUS_5XX], bad);
	for (unsigned i = 0; i < good + bad; i++)
		hist_add(&c->latency, us);
}

static void
mirror(struct proxy *p, unsigned n, unsigned bad)
{
	struct pool_cell *c = &registry_pool(p->registry, "s", "v2")->cells[0];

	stat_add(&c->mirrored, n);
	stat_add(&c->mirrored_bad, bad);
}

static struct proxy a, b;

static void
begin(void)
{
	thread_become(ROLE_CONTROL, "test");
	cfg = house_cfg("listeners: \":1\"\n"
	                "services:\n- name: s\n  pools:\n"
	                "  - { name: v1, instances: \"127.0.0.1:1\" }\n"
	                "  - { name: v2, instances: \"127.0.0.1:2\" }\n"
	                "  - { name: v3, instances: \"127.0.0.1:3\" }\n");
	proxy_make(&a);
	proxy_make(&b);
}

static void
end(void)
{
	proxy_free(&a);
	proxy_free(&b);
	cfg_unref(&cfg);
}

TestSuite(pace, .init = begin, .fini = end, .timeout = 5);

/* What b says reaches a. */
static void
tell(void)
{
	struct buf text = BUF_INIT;
	struct json_out j;
	struct json *doc;
	char why[80];

	json_begin(&j, &text);
	facts_pace_put(&b.state, b.paces, &j);
	doc = json_read(buf_str(&text), why, sizeof(why));
	cr_assert_not_null(doc, "%s", why);
	facts_pace_add(&a.state, a.paces, doc);
	facts_pace_sum(&a.state, a.paces, a.row);
	json_free(&doc);
	buf_free(&text);
}

/* The same as text. */
static void
tell_text(const char *text)
{
	char why[80];
	struct json *doc = json_read(str_of(text), why, sizeof(why));

	cr_assert_not_null(doc, "%s", why);
	look(&a);
	facts_pace_add(&a.state, a.paces, doc);
	facts_pace_sum(&a.state, a.paces, a.row);
	json_free(&doc);
}

static void
expect_tolls(const struct proxy *p, unsigned own, unsigned own_bad,
    unsigned others, unsigned others_bad)
{
	const struct ro_pace *r = &p->row[0];

	cr_expect_eq(r->own.requests, own, "%llu",
	    (unsigned long long)r->own.requests);
	cr_expect_eq(r->own.bad, own_bad);
	cr_expect_eq(r->others.requests, others, "%llu",
	    (unsigned long long)r->others.requests);
	cr_expect_eq(r->others.bad, others_bad);
}

Test(pace, what_came_before_does_not_count)
{
	answer(&a, "v1", 100, 10, 1000);
	answer(&a, "v2", 50, 5, 900000);
	look(&a);
	expect_tolls(&a, 0, 0, 0, 0);
	go(&a, CFG_STEP_ANALYZE, WALL);
	look(&a);
	expect_tolls(&a, 0, 0, 0, 0);
	answer(&a, "v1", 20, 2, 1000);
	answer(&a, "v3", 10, 0, 1000);
	answer(&a, "v2", 7, 1, 4000);
	look(&a);
	expect_tolls(&a, 8, 1, 32, 2);
	cr_expect_eq(a.row[0].own_n, 8);
	cr_expect_eq(a.row[0].others_n, 32);
	cr_expect(a.row[0].own_us >= 4000 && a.row[0].own_us < 5200);
	cr_expect(a.row[0].others_us >= 1000 && a.row[0].others_us < 1300);
}

Test(pace, the_next_one_begins_anew)
{
	go(&a, CFG_STEP_ANALYZE, WALL);
	look(&a);
	answer(&a, "v2", 7, 1, 4000);
	look(&a);
	expect_tolls(&a, 8, 1, 0, 0);
	rollout_of(&a)->since_us++;
	look(&a);
	expect_tolls(&a, 0, 0, 0, 0);
	answer(&a, "v2", 2, 0, 4000);
	rollout_of(&a)->stand = RO_STAND_PAUSED;
	look(&a);
	cr_expect_null(a.paces[0], "none is under way");
	expect_tolls(&a, 0, 0, 0, 0);
}

/* Counters that were lost with a pool that has come again. */
Test(pace, counters_that_begin_anew)
{
	struct pool_cell *c;

	answer(&a, "v1", 1000, 900, 1000);
	go(&a, CFG_STEP_ANALYZE, WALL);
	look(&a);
	c = &registry_pool(a.registry, "s", "v1")->cells[1];
	memset(c, 0, sizeof(*c));
	answer(&a, "v1", 3, 1, 1000);
	look(&a);
	expect_tolls(&a, 0, 0, 4, 1);
	cr_expect_eq(a.row[0].others_n, 0, "they were more before");
}

/* What a third pool had before is nothing that came since. */
Test(pace, while_a_pool_goes)
{
	answer(&a, "v3", 100, 900, 1000);
	go(&a, CFG_STEP_ANALYZE, WALL);
	look(&a);
	answer(&a, "v1", 49, 1, 1000);
	answer(&a, "v2", 38, 2, 1000);
	look(&a);
	expect_tolls(&a, 40, 2, 50, 1);
	a.state.services[0].n_pools--;
	look(&a);
	expect_tolls(&a, 40, 2, 50, 1);
}

Test(pace, other_proxies_count_too)
{
	go(&a, CFG_STEP_ANALYZE, WALL);
	go(&b, CFG_STEP_ANALYZE, WALL);
	answer(&b, "v2", 1000, 0, 1000);
	look(&a);
	look(&b);
	answer(&a, "v2", 10, 0, 1000);
	answer(&a, "v1", 10, 0, 1000);
	answer(&b, "v2", 0, 90, 64000);
	answer(&b, "v1", 50, 5, 1000);
	look(&b);
	for (int i = 0; i < 3; i++) {
		look(&a);
		expect_tolls(&a, 10, 0, 10, 0);
		tell(); /* each time of all since it began */
		expect_tolls(&a, 100, 90, 65, 5);
		cr_expect_eq(a.row[0].own_n, 100);
		cr_expect_eq(a.row[0].others_n, 65);
		cr_expect_geq(a.row[0].own_us, 64000);
	}
	/* It tells what it has counted itself. */
	look(&b);
	expect_tolls(&b, 90, 90, 55, 5);
}

Test(pace, of_another_step_nothing_counts)
{
	go(&a, CFG_STEP_ANALYZE, WALL);
	go(&b, CFG_STEP_ANALYZE, WALL - 1);
	look(&b);
	answer(&b, "v2", 0, 90, 1000);
	look(&b);
	look(&a);
	tell();
	expect_tolls(&a, 0, 0, 0, 0);
	go(&b, CFG_STEP_ANALYZE, WALL);
	rollout_of(&b)->id = 8;
	look(&b);
	answer(&b, "v2", 0, 90, 1000);
	look(&b);
	look(&a);
	tell();
	expect_tolls(&a, 0, 0, 0, 0);
}

Test(pace, mirrors)
{
	mirror(&a, 777, 77);
	go(&a, CFG_STEP_MIRROR, WALL);
	go(&b, CFG_STEP_MIRROR, WALL);
	look(&a);
	look(&b);
	mirror(&a, 5, 1);
	mirror(&b, 20, 2);
	look(&b);
	look(&a);
	cr_expect_eq(a.row[0].mirrored.requests, 5);
	tell();
	cr_expect_eq(a.row[0].mirrored.requests, 25);
	cr_expect_eq(a.row[0].mirrored.bad, 3);
}

/* Whatever others say, nothing of it wraps, or is written elsewhere. */
Test(pace, strange_words)
{
	static const char *const rows[] = { "5", "[]", "{}", "[5,null,[],{}]",
		"[{\"service\":\"x\",\"rollout\":7}]",
		"[{\"service\":\"s\",\"rollout\":-1,\"since_us\":-1,"
		"\"own\":{\"requests\":5}}]",
		"[{\"service\":\"s\",\"rollout\":7,\"since_us\":1000000000000,"
		"\"own\":{\"requests\":-5,\"bad\":\"x\",\"took\":[-1,5,136,7,"
		"99999999999,1,\"a\",2,3]},\"others\":[],\"mirrored\":{}}]" };

	go(&a, CFG_STEP_ANALYZE, WALL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		tell_text(rows[i]);
		expect_tolls(&a, 0, 0, 0, 0);
	}
	/* -1 is the first bucket's: what is none is nought. */
	cr_expect_leq(a.row[0].own_n, 7);
	tell_text(
	    "[{\"service\":\"s\",\"rollout\":7,\"since_us\":1000000000000,"
	    "\"own\":{\"requests\":9223372036854775807,\"bad\":1e300,"
	    "\"took\":[135,9223372036854775807]}}]");
	cr_expect_eq(a.row[0].own.requests, UINT32_MAX);
	cr_expect_eq(a.row[0].own.bad, 0);
	cr_expect_eq(a.row[0].own_n, UINT32_MAX);
}
