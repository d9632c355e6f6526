/* What operators order for sessions. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/str.h"
#include "config/config.h"
#include "world.h"

static struct world w;

static void
set_up(void)
{
	world_make(&w);
	for (size_t n = 1; n <= WORLD_POOLS; n++)
		world_fit(&w, n, n < 3);
	world_put(&w, 1, POOL_ACTIVE, 6000);
	world_put(&w, 2, POOL_ACTIVE, 4000);
}

static void
tear_down(void)
{
	world_free(&w);
}

TestSuite(order, .init = set_up, .fini = tear_down);

static struct ro_command
order(const char *pool, const char *to)
{
	struct ro_command c = world_command(RO_SESSIONS, pool);

	str_copy(str_of(to), c.to, sizeof(c.to));
	return c;
}

static struct ro_service *
svc(void)
{
	return &w.s.services[0];
}

static struct service_plan
plan(void)
{
	static struct service_plan p;

	machine_plan(svc(), w.now, &p);
	return p;
}

Test(order, of_a_pool_moves_or_evicts_it)
{
	struct ro_command c = order("v1", "v2");
	uint32_t epoch = svc()->epoch;

	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(svc()->epoch, epoch + 1);
	cr_expect_eq(plan().pools[0].move_epoch, epoch + 1);
	cr_expect_eq(plan().pools[0].min_epoch, 0u);
	cr_expect_eq(plan().pools[0].pins_to, 2);
	cr_expect_eq(plan().pools[1].move_epoch, 0u);
	cr_expect_eq(plan().pools[0].share_bp, 6000u, "shares stay");
	c = order("v1", "");
	c.evict = true;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(plan().pools[0].min_epoch, epoch + 2);
	cr_expect_eq(plan().pools[0].pins_to, 0);
}

Test(order, of_all_spares_who_is_there)
{
	struct ro_command c = order("", "v2");

	c.all = true;
	svc()->n_orders = 1;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(plan().pools[0].pins_to, 2);
	cr_expect_eq(plan().pools[1].move_epoch, 0u);
	cr_expect_eq(plan().pools[2].pins_to, 2);
	cr_expect_eq(svc()->n_orders, 0u, "all are all");
	c = order("", "v1");
	c.all = true;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(plan().pools[0].move_epoch, 0u, "the last word counts");
	cr_expect_eq(plan().pools[1].pins_to, 1);
}

Test(order, is_taken_back_by_one_to_where_they_are)
{
	struct ro_command c = order("v1", "v2");

	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	c = order("v1", "v1");
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(plan().pools[0].move_epoch, 0u);
	cr_expect_eq(plan().pools[0].pins_to, 0);
}

/* ... which proves nothing of that pool, and ends no drain. */
Test(order, that_is_taken_back_leaves_the_pool_as_it_is)
{
	struct ro_command c = order("v3", "v3"), d;

	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(world_pool(&w, 3)->state, POOL_COLD);
	d = world_command(RO_DRAIN, "v1");
	d.clocks.flows_us = 600 * S;
	cr_assert_eq(world_do(&w, &d), RO_NO_NONE, "%s", w.why);
	c = order("v1", "v1");
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(world_pool(&w, 1)->state, POOL_DRAINING);
}

Test(order, makes_its_pool_one_that_serves)
{
	struct ro_command c = order("v1", "v3");

	world_fit(&w, 3, true);
	world_put(&w, 3, POOL_READY, 0);
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(world_pool(&w, 3)->state, POOL_ACTIVE);
	cr_expect_eq(world_pool(&w, 3)->share_bp, 0u);
}

/* Back to v1, since v2 is bad: nobody is led there any more. */
Test(order, to_a_pool_that_drains_is_none)
{
	struct ro_command c = order("v1", "v2"), d;

	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	c = order("", "v2");
	c.session = 7;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	d = world_command(RO_SWITCH, "v1");
	d.drain = true;
	d.clocks.mode = CFG_DRAIN_MOVE;
	cr_assert_eq(world_do(&w, &d), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(plan().pools[0].move_epoch, 0u);
	cr_expect_eq(plan().pools[0].pins_to, 0);
	cr_expect_eq(plan().n_orders, 0u);
	c = order("v1", "v2");
	cr_expect_eq(world_do(&w, &c), RO_NO_NOT_READY, "%s", w.why);
}

Test(order, by_the_shares_ends_when_they_change)
{
	struct ro_command c = order("v1", ""), d;

	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	d = world_command(RO_SHARE, "v2");
	d.share_bp = 7000;
	cr_assert_eq(world_do(&w, &d), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(plan().pools[0].move_epoch, 0u);
}

Test(order, of_one_is_kept_as_long_as_its_pin_may_live)
{
	struct ro_command c = order("", "v2");

	for (uint64_t n = 1; n <= VIEW_ORDERS_MAX; n++) {
		c.session = n;
		cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	}
	cr_expect_eq(plan().n_orders, (size_t)VIEW_ORDERS_MAX);
	cr_expect_eq(plan().orders[4].session, 5u);
	cr_expect_eq(plan().orders[4].how, PINS_MOVE);
	cr_expect_eq(plan().orders[4].to, 2);
	c.session = 5;
	c.evict = true;
	c.to[0] = '\0';
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "again is another: %s",
	    w.why);
	cr_expect_eq(svc()->n_orders, (size_t)VIEW_ORDERS_MAX);
	cr_expect_eq(plan().orders[VIEW_ORDERS_MAX - 1].how, PINS_EVICT);
	cr_expect_eq(plan().orders[VIEW_ORDERS_MAX - 1].to, 0);
	c.session = 1000;
	cr_expect_eq(world_do(&w, &c), RO_NO_TOO_MANY, "%s", w.why);
	w.now += 86401 * S;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(svc()->n_orders, 1u, "those pins have ended");
}

/* clang-format off */
static const struct {
	const char *why, *pool, *to;
	bool all;
	uint64_t session;
	enum ro_refusal refusal;
} refused[] = {
	{ "nobody's", "", "v2", false, 0, RO_NO_BAD_VALUE },
	{ "a pool's and all", "v1", "v2", true, 0, RO_NO_BAD_VALUE },
	{ "a pool's and one", "v1", "v2", false, 7, RO_NO_BAD_VALUE },
	{ "of no pool", "v9", "v2", false, 0, RO_NO_NO_POOL },
	{ "to no pool", "v1", "v9", false, 0, RO_NO_NO_POOL },
	{ "to who has proved nothing", "v1", "v3", false, 0, RO_NO_NOT_READY },
};
/* clang-format on */

Test(order, that_makes_no_sense_is_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct ro_command c = order(refused[i].pool, refused[i].to);

		c.all = refused[i].all;
		c.session = refused[i].session;
		cr_expect_eq(world_do(&w, &c), refused[i].refusal, "%s: %s",
		    refused[i].why, w.why);
		cr_expect(w.why[0] != '\0', "%s", refused[i].why);
	}
}

Test(order, to_come_back_is_none)
{
	struct ro_command c = order("v1", "");

	world_put(&w, 1, POOL_ACTIVE, CFG_SHARE_ALL);
	world_put(&w, 2, POOL_ACTIVE, 0);
	cr_expect_eq(world_do(&w, &c), RO_NO_LAST_POOL);
	cr_expect_not_null(strstr(w.why, "--to POOL"), "%s", w.why);
}

Test(order, to_nobody_up_needs_force)
{
	struct ro_command c = order("v1", "v2");

	world_fit(&w, 2, false);
	cr_expect_eq(world_do(&w, &c), RO_NO_NOT_READY);
	c.force = true;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
}

Test(order, where_there_are_no_sessions_is_refused)
{
	struct ro_command c = order("v1", "v2");

	world_facts(&w, 1)->pins_live_us = 0;
	cr_expect_eq(world_do(&w, &c), RO_NO_BAD_VALUE);
	cr_expect_not_null(strstr(w.why, "sticky.scope is none"), "%s", w.why);
}

Test(order, ends_with_a_drain)
{
	struct ro_command c = order("v1", "v2"), d;

	c.evict = true;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	d = world_command(RO_DRAIN, "v1");
	d.clocks.mode = CFG_DRAIN_EVICT;
	cr_assert_eq(world_do(&w, &d), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(plan().pools[0].pins_to, 0);
}
