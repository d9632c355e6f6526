/* Objects through reloads, and the views built of them. */
#include "upstream/registry.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/thread.h"
#include "house.h"
#include "upstream/registry_int.h"

#define HEAD "listeners: \":1\"\nservices:\n"

static struct registry *
set_up(void)
{
	struct registry *r;

	thread_become(ROLE_ANY, "test");
	r = registry_new(2);
	cr_assert_not_null(r);
	return r;
}

static void
apply(struct registry *r, const char *text)
{
	struct cfg *cfg = house_cfg("%s", text);

	house_apply(r, cfg);
	cfg_unref(&cfg);
}

static int
apply_plans(struct registry *r, const char *text,
    const struct instance_plan *plans, size_t n, char *why, size_t cap)
{
	struct cfg *cfg = house_cfg("%s", text);
	int rc = registry_apply(r, cfg, plans, n, why, cap);

	cfg_unref(&cfg);
	return rc;
}

/* "s[v1[i0 i1] v2[]] t[...]": what there is, in order. */
static void
expect_all(struct registry *r, const char *want)
{
	struct buf b = BUF_INIT;
	struct service *s;
	struct pool *p;
	struct instance *i;

	buf_add_cstr(&b, "");
	for (size_t a = 0; (s = registry_service_at(r, a)) != NULL; a++) {
		buf_printf(&b, "%s%s[", a == 0 ? "" : " ", s->name);
		for (size_t c = 0; (p = registry_pool_at(r, s, c)) != NULL;
		     c++) {
			buf_printf(&b, "%s%s[", c == 0 ? "" : " ", p->name);
			for (size_t d = 0;
			     (i = registry_instance_at(r, p, d)) != NULL; d++)
				buf_printf(&b, "%s%s", d == 0 ? "" : " ",
				    i->name);
			buf_add_char(&b, ']');
		}
		buf_add_char(&b, ']');
	}
	cr_expect_str_eq(b.p, want, "%s", b.p);
	buf_free(&b);
}

#define TWO_POOLS                                                              \
	HEAD "- name: s\n  pools:\n"                                           \
	     "  - { name: v1, share: 100%, instances: [ 127.0.0.1:1, "         \
	     "127.0.0.1:2 ] }\n"                                               \
	     "  - { name: v2, instances: [ 127.0.0.1:3 ] }\n"

#define ONE_POOL                                                               \
	HEAD "- name: s\n  pools:\n"                                           \
	     "  - { name: v1, instances: [ 127.0.0.1:2, 127.0.0.1:1 ] }\n"

Test(registry, makes_what_is_configured)
{
	struct registry *r = set_up();
	struct instance *i;

	apply(r, TWO_POOLS);
	expect_all(r, "s[v1[127.0.0.1:1 127.0.0.1:2] v2[127.0.0.1:3]]");
	i = registry_instance(r, "s", "v1", "127.0.0.1:1");
	cr_assert_not_null(i);
	cr_expect_eq(i->health, HEALTH_UNKNOWN);
	cr_expect_eq(i->reason, HEALTH_WHY_NONE);
	cr_expect_eq(i->admin, INST_IN);
	cr_expect_eq(i->weight, 1);
	cr_expect_not(i->gone);
	cr_expect_not(i->runtime);
	cr_expect_eq(i->n_workers, 2);
	cr_expect_str_eq(i->addr_text, "127.0.0.1:1");
	cr_expect_str_eq(registry_unrouted(r)->name, "-");
	cr_expect_null(registry_service(r, "t"));
	cr_expect_null(registry_pool(r, "s", "v3"));
	cr_expect_null(registry_pool(r, "t", "v1"));
	cr_expect_null(registry_instance(r, "s", "v1", "127.0.0.1:3"));
	cr_expect_null(registry_instance(r, "s", "v3", "127.0.0.1:3"));
	cr_expect_null(registry_instance(r, "t", "v1", "127.0.0.1:1"));
	registry_free(&r);
	cr_expect_null(r);
	registry_free(&r);
}

Test(registry, objects_survive_a_reload)
{
	struct registry *r = set_up();
	struct service *s;
	struct pool *p;
	struct instance *i, *k;

	apply(r, TWO_POOLS);
	s = registry_service(r, "s");
	p = registry_pool(r, "s", "v1");
	i = registry_instance(r, "s", "v1", "127.0.0.1:1");
	k = registry_instance(r, "s", "v1", "127.0.0.1:2");
	i->health = HEALTH_UP;
	stat_add(&i->cells[1].requests, 7);
	apply(r, ONE_POOL);
	expect_all(r, "s[v1[127.0.0.1:2 127.0.0.1:1]]");
	cr_expect_eq(registry_service(r, "s"), s);
	cr_expect_eq(registry_pool(r, "s", "v1"), p);
	cr_expect_eq(registry_instance(r, "s", "v1", "127.0.0.1:1"), i);
	cr_expect_eq(registry_instance(r, "s", "v1", "127.0.0.1:2"), k);
	cr_expect_eq(i->health, HEALTH_UP);
	cr_expect_eq(stat_get(&i->cells[1].requests), 7);
	cr_expect_null(registry_pool(r, "s", "v2"));
	registry_collect(r, true);
	cr_expect_eq(registry_instance(r, "s", "v1", "127.0.0.1:1"), i);
	registry_free(&r);
}

Test(registry, order_is_the_configurations)
{
	struct registry *r = set_up();

	apply(r,
	    HEAD "- { name: b, match: b, pools: [ { name: v2, instances: "
	         "127.0.0.1:1 } ] }\n");
	apply(r,
	    HEAD "- { name: a, match: a, pools: [ { name: v1, instances: "
	         "127.0.0.1:1 } ] }\n"
	         "- { name: b, match: b, pools: [ { name: v1, share: 100%, "
	         "instances: [ 127.0.0.1:2, 127.0.0.1:1 ] }, { name: v2, "
	         "instances: [ 127.0.0.1:3, 127.0.0.1:1 ] } ] }\n");
	expect_all(r,
	    "a[v1[127.0.0.1:1]] b[v1[127.0.0.1:2 127.0.0.1:1] "
	    "v2[127.0.0.1:3 127.0.0.1:1]]");
	registry_free(&r);
}

/* ---- leaving ---- */

/* How many instances there are, gone ones included. */
static unsigned
kept(struct registry *r)
{
	const struct service_entry *s;
	const struct pool_entry *p;
	const struct inst_entry *e;
	unsigned n = 0;

	TAILQ_FOREACH (s, &r->services, link)
		TAILQ_FOREACH (p, &s->pools, link)
			TAILQ_FOREACH (e, &p->instances, link)
				n++;
	return n;
}

/* clang-format off */
static const struct {
	const char *why;
	size_t field;
} holds[] = {
	{ "an exchange in flight", offsetof(struct inst_cell, inflight) },
	{ "a tunnel", offsetof(struct inst_cell, streams) },
	{ "a connection", offsetof(struct inst_cell, conns) },
};
/* clang-format on */

Test(registry, what_is_gone_stays_while_somebody_may_use_it)
{
	for (size_t i = 0; i < ARRAY_LEN(holds); i++) {
		struct registry *r = set_up();
		struct instance *inst;
		struct pool *v2;
		stat_u64 *cell;

		apply(r, TWO_POOLS);
		inst = registry_instance(r, "s", "v2", "127.0.0.1:3");
		v2 = registry_pool(r, "s", "v2");
		cell = (stat_u64 *)(void *)((char *)&inst->cells[1] +
		    holds[i].field);
		stat_add(cell, 1);
		apply(r, ONE_POOL);
		cr_expect(inst->gone);
		cr_expect_null(registry_instance(r, "s", "v2", "127.0.0.1:3"));
		registry_collect(r, false);
		cr_expect_eq(kept(r), 3, "%s: a view may hold it",
		    holds[i].why);
		registry_collect(r, true);
		cr_expect_eq(kept(r), 3, "%s", holds[i].why);
		cr_expect_eq(registry_pool_inflight(r, v2) +
		        registry_pool_streams(r, v2),
		    holds[i].field == offsetof(struct inst_cell, conns) ? 0 : 1,
		    "%s: gone ones count", holds[i].why);
		stat_sub(cell, 1);
		registry_collect(r, false);
		cr_expect_eq(kept(r), 3);
		registry_collect(r, true);
		cr_expect_eq(kept(r), 2, "%s has ended", holds[i].why);
		registry_free(&r);
	}
}

Test(registry, a_pool_stays_while_its_service_is_busy)
{
	struct registry *r = set_up();
	struct service *s;

	apply(r, TWO_POOLS);
	s = registry_service(r, "s");
	stat_add(&s->cells[0].active, 1);
	apply(r, ONE_POOL);
	registry_collect(r, true);
	cr_expect_not_null(
	    TAILQ_NEXT(TAILQ_FIRST(&TAILQ_FIRST(&r->services)->pools), link));
	stat_sub(&s->cells[0].active, 1);
	registry_collect(r, true);
	cr_expect_null(
	    TAILQ_NEXT(TAILQ_FIRST(&TAILQ_FIRST(&r->services)->pools), link));
	registry_free(&r);
}

Test(registry, a_service_goes_with_all_that_was_its_own)
{
	struct registry *r = set_up();

	apply(r, TWO_POOLS);
	apply(r,
	    HEAD "- { name: t, pools: [ { name: v1, instances: "
	         "127.0.0.1:9 } ] }\n");
	expect_all(r, "t[v1[127.0.0.1:9]]");
	cr_expect_null(registry_service(r, "s"));
	registry_collect(r, true);
	cr_expect_eq(kept(r), 1);
	cr_expect_null(TAILQ_NEXT(TAILQ_FIRST(&r->services), link));
	registry_free(&r);
}

Test(registry, another_address_is_another_instance)
{
	struct registry *r = set_up();
	struct instance *old, *new;

	apply(r,
	    HEAD "- { name: s, pools: [ { name: v1, instances: [ { name: "
	         "i, address: 127.0.0.1:1 } ] } ] }\n");
	old = house_instance(r, "i");
	old->health = HEALTH_UP;
	apply(r,
	    HEAD "- { name: s, pools: [ { name: v1, instances: [ { name: "
	         "i, address: 127.0.0.1:2 } ] } ] }\n");
	new = house_instance(r, "i");
	cr_expect_neq(new, old);
	cr_expect(old->gone);
	cr_expect_eq(new->health, HEALTH_UNKNOWN);
	cr_expect_eq(new->name_hash, old->name_hash, "its pins go on");
	registry_free(&r);
}

Test(registry, what_comes_back_begins_anew)
{
	struct registry *r = set_up();
	struct instance *old;

	apply(r, TWO_POOLS);
	old = registry_instance(r, "s", "v2", "127.0.0.1:3");
	old->health = HEALTH_UP;
	stat_add(&old->cells[0].inflight, 1);
	apply(r, ONE_POOL);
	apply(r, TWO_POOLS);
	cr_expect_neq(registry_instance(r, "s", "v2", "127.0.0.1:3"), old);
	cr_expect(old->gone);
	expect_all(r, "s[v1[127.0.0.1:1 127.0.0.1:2] v2[127.0.0.1:3]]");
	stat_sub(&old->cells[0].inflight, 1);
	registry_collect(r, true);
	cr_expect_eq(kept(r), 3);
	registry_free(&r);
}

/* ---- instances of commands ---- */

#define PLAN(pool_, name_, addr_)                                              \
	.service = "s", .pool = (pool_), .name = (name_), .address = (addr_)

Test(registry, instances_of_commands)
{
	struct registry *r = set_up();
	struct instance_plan plans[] = {
		{ PLAN("v1", "new", "127.0.0.1:7"), .weight = 5,
		    .admin = INST_DRAIN },
		{ PLAN("v1", "127.0.0.1:1", ""), .removed = true },
		{ PLAN("v1", "127.0.0.1:2", ""), .admin = INST_MAINT },
		{ PLAN("v2", "light", "127.0.0.1:8"), .weight = 0 },
		{ PLAN("v9", "nowhere", "127.0.0.1:9"), .weight = 1 },
		{ PLAN("v2", "taken", "127.0.0.1:10"), .removed = true },
	};
	struct instance *i;
	char why[100] = "";

	cr_assert_eq(apply_plans(r, TWO_POOLS, plans, ARRAY_LEN(plans), why,
	                 sizeof(why)),
	    E_OK);
	expect_all(r, "s[v1[127.0.0.1:2 new] v2[127.0.0.1:3 light]]");
	i = registry_instance(r, "s", "v1", "new");
	cr_expect(i->runtime);
	cr_expect_eq(i->weight, 5);
	cr_expect_eq(i->admin, INST_DRAIN);
	cr_expect_eq(registry_instance(r, "s", "v2", "light")->weight, 1,
	    "none weighs nothing");
	i = registry_instance(r, "s", "v1", "127.0.0.1:2");
	cr_expect_eq(i->admin, INST_MAINT);
	cr_expect_not(i->runtime);
	/* and without them all is as configured */
	apply(r, TWO_POOLS);
	expect_all(r, "s[v1[127.0.0.1:1 127.0.0.1:2] v2[127.0.0.1:3]]");
	cr_expect_eq(i->admin, INST_IN);
	registry_free(&r);
}

Test(registry, one_configured_and_added_is_one)
{
	struct registry *r = set_up();
	struct instance_plan plan = { PLAN("v1", "127.0.0.1:1", "127.0.0.1:1"),
		.weight = 3 };
	char why[100] = "";

	cr_assert_eq(apply_plans(r, TWO_POOLS, &plan, 1, why, sizeof(why)),
	    E_OK);
	expect_all(r, "s[v1[127.0.0.1:1 127.0.0.1:2] v2[127.0.0.1:3]]");
	cr_expect_eq(kept(r), 3);
	registry_free(&r);
}

/* ---- errors ---- */

/* clang-format off */
static const struct {
	const char *why, *text;
	struct instance_plan plan;
	int code;
	const char *says;
} errors[] = {
	{ "a name that does not resolve", HEAD
	    "- { name: t, match: t, pools: [ { name: v1, instances: "
	    "127.0.0.1:9 } ] }\n"
	    "- name: s\n  pools:\n"
	    "  - { name: v0, instances: 127.0.0.1:8 }\n"
	    "  - { name: v1, share: 100%, instances: [ { address: 127.0.0.1:1, "
	    "weight: 9 }, { name: bad, address: \"no.such.invalid:1\" } ] }\n",
	    { .service = "" }, E_NOENT, "bad: no.such.invalid:1: " },
	{ "a command's name that does not resolve", TWO_POOLS,
	    { PLAN("v2", "bad", "no.such.invalid:1") }, E_NOENT,
	    "bad: no.such.invalid:1: " },
	{ "a command's address that is none", TWO_POOLS,
	    { PLAN("v2", "bad", "nonsense") }, E_SYNTAX, "bad: nonsense: " },
	{ "a command's port that is none", TWO_POOLS,
	    { PLAN("v2", "bad", "127.0.0.1:99999") }, E_RANGE,
	    "bad: 127.0.0.1:99999: " },
};
/* clang-format on */

Test(registry, an_error_changes_nothing)
{
	for (size_t n = 0; n < ARRAY_LEN(errors); n++) {
		struct registry *r = set_up();
		struct instance *i;
		struct instance_plan plans[] = {
			{ PLAN("v1", "127.0.0.1:1", ""), .admin = INST_MAINT },
			{ PLAN("v1", "127.0.0.1:2", ""), .removed = true },
			errors[n].plan,
		};
		char why[100] = "";
		struct cfg *cfg;
		struct view *v;

		apply(r, TWO_POOLS);
		i = registry_instance(r, "s", "v1", "127.0.0.1:1");
		i->health = HEALTH_UP;
		cr_expect_eq(apply_plans(r, errors[n].text, plans,
		                 ARRAY_LEN(plans), why, sizeof(why)),
		    errors[n].code, "%s", errors[n].why);
		cr_expect_eq(strncmp(why, errors[n].says,
		                 strlen(errors[n].says)),
		    0, "%s: %s", errors[n].why, why);
		expect_all(r, "s[v1[127.0.0.1:1 127.0.0.1:2] v2[127.0.0.1:3]]");
		cr_expect_eq(i->weight, 1, "%s", errors[n].why);
		cr_expect_eq(i->admin, INST_IN, "%s", errors[n].why);
		cr_expect_eq(i->health, HEALTH_UP);
		/* it goes on as before */
		cfg = house_cfg("%s", TWO_POOLS);
		v = house_view(r, cfg, NULL);
		cr_expect_eq(v->services[0].pools[0].n_eligible, 1);
		view_free(&v);
		registry_collect(r, true);
		cr_expect_eq(kept(r), 3, "%s: what was made has gone",
		    errors[n].why);
		apply(r, ONE_POOL);
		expect_all(r, "s[v1[127.0.0.1:2 127.0.0.1:1]]");
		cfg_unref(&cfg);
		registry_free(&r);
	}
}

/* ---- views ---- */

Test(registry, a_view_holds_who_may_be_picked)
{
	static const struct {
		const char *why;
		enum health health;
		enum inst_admin admin;
		bool eligible, pinnable;
	} cases[] = {
		{ "unknown is not up", HEALTH_UNKNOWN, INST_IN, false, false },
		{ "down", HEALTH_DOWN, INST_IN, false, false },
		{ "up", HEALTH_UP, INST_IN, true, true },
		{ "draining keeps its pins", HEALTH_UP, INST_DRAIN, false,
		    true },
		{ "under maintenance", HEALTH_UP, INST_MAINT, false, false },
		{ "draining and down", HEALTH_DOWN, INST_DRAIN, false, false },
	};
	struct registry *r = set_up();
	struct cfg *cfg = house_cfg("%s", TWO_POOLS);
	struct instance *i;

	house_apply(r, cfg);
	i = registry_instance(r, "s", "v1", "127.0.0.1:1");
	for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
		const struct view_pool *vp;
		struct view *v;

		i->health = (uint8_t)cases[n].health;
		i->admin = (uint8_t)cases[n].admin;
		v = house_view(r, cfg, NULL);
		vp = &v->services[0].pools[0];
		cr_expect_eq(vp->n_eligible, cases[n].eligible, "%s",
		    cases[n].why);
		cr_expect_eq(vp->n_pinnable, cases[n].pinnable, "%s",
		    cases[n].why);
		view_free(&v);
	}
	cfg_unref(&cfg);
	registry_free(&r);
}

Test(registry, weights_add_up_in_a_view)
{
	struct registry *r = set_up();
	struct cfg *cfg = house_cfg_of(4, "1234");
	static const uint32_t sums[] = { 10, 30, 60, 100 }; /* tenths */
	struct view *v;

	house_apply(r, cfg);
	house_all_up(r);
	v = house_view(r, cfg, NULL);
	cr_assert_eq(v->services[0].pools[0].n_eligible, 4);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(v->services[0].pools[0].weight_sum[i], sums[i]);
	view_free(&v);
	cfg_unref(&cfg);
	registry_free(&r);
}

/* clang-format off */
static const struct {
	const char *why;
	unsigned share[2], from[2], to[2];
} shares[] = {
	{ "all on the first", { 10000, 0 }, { 0, 0 }, { 10000, 0 } },
	{ "all on the last", { 0, 10000 }, { 10000, 0 }, { 10000, 10000 } },
	{ "a tenth", { 9000, 1000 }, { 1000, 0 }, { 10000, 1000 } },
	{ "half", { 5000, 5000 }, { 5000, 0 }, { 10000, 5000 } },
	{ "less than all", { 100, 100 }, { 100, 0 }, { 200, 100 } },
	{ "more than all", { 9000, 9000 }, { 9000, 0 }, { 10000, 9000 } },
};
/* clang-format on */

Test(registry, shares_only_grow_from_below)
{
	struct registry *r = set_up();
	struct cfg *cfg = house_cfg("%s", TWO_POOLS);

	house_apply(r, cfg);
	for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
		struct view *v = house_view(r, cfg, shares[i].share);

		for (int p = 0; p < 2; p++) {
			const struct view_pool *vp = &v->services[0].pools[p];

			cr_expect_eq(vp->share_from, shares[i].from[p],
			    "%s: %d", shares[i].why, p);
			cr_expect_eq(vp->share_to, shares[i].to[p], "%s: %d",
			    shares[i].why, p);
		}
		view_free(&v);
	}
	cfg_unref(&cfg);
	registry_free(&r);
}

Test(registry, a_view_carries_the_plan)
{
	struct registry *r = set_up();
	struct cfg *cfg = house_cfg("%s", TWO_POOLS);
	struct service_plan plan = { .service = "s",
		.epoch = 9,
		.n_pools = 1,
		.pools = { { .pool = "v2",
		    .share_bp = 1,
		    .min_epoch = 4,
		    .pins = PINS_EVICT,
		    .cut = CUT_STREAMS,
		    .serves = true } } };
	const struct view_service *vs;
	struct view *v;

	house_apply(r, cfg);
	v = registry_view(r, cfg, NULL, &plan, 1);
	cr_assert_not_null(v);
	vs = &v->services[0];
	cr_expect_eq(vs->epoch, 9);
	cr_expect_eq(vs->pools[1].min_epoch, 4);
	cr_expect_eq(vs->pools[1].pins, PINS_EVICT);
	cr_expect_eq(vs->pools[1].cut, CUT_STREAMS);
	cr_expect(vs->pools[1].serves);
	cr_expect_not(vs->pools[0].serves, "without a plan nothing is sent");
	cr_expect_eq(vs->pools[0].share_to, vs->pools[0].share_from);
	cr_expect_eq(v->unrouted, registry_unrouted(r));
	view_free(&v);
	view_free(&v);
	cfg_unref(&cfg);
	registry_free(&r);
}

Test(registry, a_view_of_another_configuration_is_none)
{
	struct registry *r = set_up();
	struct cfg *cfg = house_cfg("%s", TWO_POOLS);

	apply(r, ONE_POOL);
	cr_expect_null(registry_view(r, cfg, NULL, NULL, 0));
	cfg_unref(&cfg);
	registry_free(&r);
}

Test(registry, trusted_proxies_are_in_the_view)
{
	struct registry *r = set_up();
	struct cfg *cfg = house_cfg(
	    "listeners:\n"
	    "- { address: \":1\", trusted_proxies: [ 10.0.0.0/8, \"::1\" ] }\n"
	    "- { address: \":2\" }\n"
	    "services:\n- { name: s, pools: [ { name: v1, instances: "
	    "127.0.0.1:1 } ] }\n");
	struct view *v;

	house_apply(r, cfg);
	v = house_view(r, cfg, NULL);
	cr_assert_eq(v->n_listeners, 2);
	cr_expect_eq(v->listeners[0].n_trusted, 2);
	cr_expect_eq(v->listeners[1].n_trusted, 0);
	view_free(&v);
	cfg_unref(&cfg);
	registry_free(&r);
}

/* As many as there can be, again and again; each of them stays. */
Test(registry, applies_all_there_can_be, .timeout = 20)
{
	struct registry *r = set_up();
	struct cfg *cfg = house_cfg_of(CFG_INSTANCES_MAX, NULL);
	struct view *v;

	for (int round = 0; round < 3; round++)
		house_apply(r, cfg);
	house_all_up(r);
	v = house_view(r, cfg, NULL);
	cr_expect_eq(v->services[0].pools[0].n_eligible, CFG_INSTANCES_MAX);
	cr_expect_eq(kept(r), CFG_INSTANCES_MAX);
	view_free(&v);
	cfg_unref(&cfg);
	registry_free(&r);
}
