#include "world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static const char settings[] =
    "listeners: \":1\"\n"
    "services:\n"
    "  - { name: a, match: [ { host: a.example } ], pools: [\n"
    "      { name: v1, share: 100%, instances: [ \"127.0.0.1:1\" ] },\n"
    "      { name: v2, share: 0%, instances: [ \"127.0.0.1:2\" ] },\n"
    "      { name: v3, share: 0%, instances: [ \"127.0.0.1:3\" ] } ] }\n"
    "  - { name: b, match: [ { host: b.example } ], pools: [\n"
    "      { name: v1, share: 100%, instances: [ \"127.0.0.1:4\" ] },\n"
    "      { name: v2, share: 0%, instances: [ \"127.0.0.1:5\" ] },\n"
    "      { name: v3, share: 0%, instances: [ \"127.0.0.1:6\" ] } ] }\n";

static struct cfg *
read_settings(void)
{
	struct cfg_problems problems;
	struct cfg *cfg;
	int rc = cfg_parse(str_of(settings), "world", &cfg, &problems);

	cr_assert_eq(rc, E_OK, "%s",
	    problems.n > 0 ? problems.list[0].text : "no memory");
	cfg_problems_free(&problems);
	return cfg;
}

void
world_make(struct world *w)
{
	struct cfg *cfg = read_settings();

	memset(w, 0, sizeof(*w));
	w->now = WORLD_BEGAN;
	w->counts[0].process_us = w->counts[1].process_us = w->now;
	cr_assert_eq(ro_state_new(&w->s), E_OK);
	cr_assert_eq(ro_state_new(&w->next), E_OK);
	cr_assert_eq(ro_state_reconcile(&w->s, cfg, w->now, NULL), E_OK);
	cfg_unref(&cfg);
	for (size_t i = 0; i < 2 * CFG_POOLS_MAX; i++) {
		w->rows[i].exists = true;
		w->rows[i].pins_live_us = 86400 * S;
		w->rows[i].view_current = true;
	}
	for (size_t n = 1; n <= WORLD_POOLS; n++)
		world_fit(w, n, n == 1);
}

void
world_free(struct world *w)
{
	ro_state_free(&w->s);
	ro_state_free(&w->next);
}

struct ro_pool *
world_pool(struct world *w, size_t n)
{
	return &w->s.services[0].pools[n - 1];
}

struct ro_facts_pool *
world_facts(struct world *w, size_t n)
{
	return &w->rows[n - 1];
}

void
world_fit(struct world *w, size_t n, bool fit)
{
	struct ro_facts_pool *f = world_facts(w, n);

	f->instances = 2;
	f->eligible = fit ? 2 : 0;
	f->ready = fit;
	str_copy(fit ? STR("") : STR("i1 is down: connection refused"),
	    f->unready, sizeof(f->unready));
}

void
world_put(struct world *w, size_t n, enum pool_state state, uint32_t share_bp)
{
	struct ro_pool *p = world_pool(w, n);

	p->state = (uint8_t)state;
	p->share_bp = share_bp;
	p->since_us = w->now;
}

struct ro_command
world_command(enum ro_verb verb, const char *pool)
{
	struct ro_command c = { .verb = verb, .service = "a", .who = "tester" };

	str_copy(str_of(pool), c.pool, sizeof(c.pool));
	c.clocks = (struct ro_drain){ .mode = CFG_DRAIN_KEEP,
		.flows_us = 1800 * S,
		.requests_us = 60 * S,
		.streams_us = 300 * S };
	return c;
}

struct ro_command
world_action(enum ro_action action, const char *to,
    const struct ro_rollout *plan)
{
	struct ro_command c = world_command(RO_ROLLOUT,
	    action == RO_ACTION_START ? to : "");

	c.action = (uint8_t)action;
	c.plan = action == RO_ACTION_START ? plan : NULL;
	return c;
}

struct ro_facts
world_all_facts(struct world *w)
{
	return (struct ro_facts){ .wall_us = w->now,
		.pools = w->rows,
		.instance = w->inst,
		.runs = w->runs,
		.paces = w->paces,
		.counts = w->counts,
		.rolls = w->rolls,
		.rates = w->rates,
		.minute = w->minute };
}

enum ro_refusal
world_do(struct world *w, const struct ro_command *c)
{
	struct ro_facts f = world_all_facts(w);
	struct ro_state was = w->s;
	enum ro_refusal r;

	memset(w->why, 'x', sizeof(w->why) - 1);
	cr_assert_eq(ro_state_copy(&w->next, &w->s), E_OK);
	r = machine_command(&w->next, &f, c, w->why, sizeof(w->why));
	if (r != RO_NO_NONE)
		return r;
	w->s = w->next;
	w->next = was;
	return r;
}

enum ro_changed
world_tick(struct world *w)
{
	struct ro_facts f = world_all_facts(w);
	enum ro_changed last = RO_SAME, c;

	for (unsigned i = 0; i < 8 + CFG_STEPS_MAX; i++) {
		c = machine_clock(&w->s, &f, &w->due);
		last = MAX(last, c);
		if (c == RO_SAME)
			return last;
	}
	cr_expect_fail("the clock never comes to rest");
	return last;
}

struct pool_plan
world_plan(struct world *w, size_t n)
{
	struct service_plan plan;

	machine_plan(&w->s.services[0], w->now, &plan);
	return plan.pools[n - 1];
}

char *
world_text(const struct ro_state *s)
{
	struct buf b = BUF_INIT;

	ro_state_write(s, &b);
	cr_assert(!b.failed);
	return buf_take(&b);
}
