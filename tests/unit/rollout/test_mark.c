/* A plan's mark: what moves it, what does not, and what is said then. */
#include "rollout/mark.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rollout/steps.h"
#include "world.h"

#define POOLS(more)                                                            \
	"listeners: \":1\"\nservices:\n  - name: a\n" more                     \
	"    pools: [ { name: v1, share: 100%, instances: \"h:1\" }, "         \
	"{ name: v2, instances: \"h:2\" }, { name: v3, instances: \"h:3\" } "  \
	"]\n"

static struct world w;
static struct cfg *cfg;
static struct ro_rollout steps;

static void
configure(const char *text)
{
	struct cfg_problems problems;

	cfg_unref(&cfg);
	cr_assert_eq(cfg_parse(str_of(text), "f", &cfg, &problems), E_OK, "%s",
	    problems.n > 0 ? problems.list[0].text : "no memory");
	cfg_problems_free(&problems);
	steps_plan(&cfg->services[0], "v2", &steps);
}

static void
begin(void)
{
	world_make(&w);
	configure(POOLS(""));
	world_fit(&w, 1, true);
	world_put(&w, 2, POOL_READY, 0);
	world_fit(&w, 2, true);
}

static void
end(void)
{
	world_free(&w);
	cfg_unref(&cfg);
}

TestSuite(mark, .init = begin, .fini = end, .timeout = 10);

static struct ro_mark
made(const char *to)
{
	struct ro_facts f = { .wall_us = w.now, .pools = w.rows };

	return mark_of(&cfg->services[0], &w.s, 0, &f, &steps, to);
}

/* ---- what moves it ---- */

static struct ro_service *
service(void)
{
	return &w.s.services[0];
}

static void
nothing(void)
{
}

static void
traffic(void)
{
	for (size_t i = 1; i <= WORLD_POOLS; i++) {
		struct ro_facts_pool *f = world_facts(&w, i);

		f->inflight = f->streams = f->sessions = f->writes = 77 * i;
		f->streams_ended[STREAM_CUT] = 3;
		f->sessions_unknown = "somebody";
	}
	w.now += 1000 * S;
}

static void
one_of_two_is_out(void)
{
	world_facts(&w, 3)->instances = 2;
}

static void
proofs(void)
{
	world_put(&w, 2, POOL_STARTING, 0);
}

static void
limits_of_a_service(void)
{
	configure(POOLS("    drain: { flows: 7m }\n"));
}

static void
a_step(void)
{
	configure(POOLS("    rollout: { steps: [ ready, promote ] }\n"));
}

static void
a_job(void)
{
	configure(POOLS("    rollout: { jobs: [ { name: a, command: /a } ] "
	                "}\n"));
}

static void
deadline_of_a_strategy(void)
{
	steps.steps[0].deadline_us++;
}

static void
share(void)
{
	world_put(&w, 1, POOL_ACTIVE, 9000);
	world_put(&w, 2, POOL_ACTIVE, 1000);
}

static void
state(void)
{
	world_put(&w, 3, POOL_DRAINED, 0);
}

static void
hold(void)
{
	service()->hold = HOLD_WRITES;
}

static void
pending(void)
{
	str_copy(STR("v3"), service()->pending.pool,
	    sizeof(service()->pending.pool));
}

static void
rollout(void)
{
	service()->rollout.id = 1;
	service()->rollout.stand = RO_STAND_DONE;
}

static void
a_rehearsal(void)
{
	rollout();
	service()->rollout.rehearsal = true;
}

/* ... after a rollout that there was when the plan was made. */
static void
a_rehearsal_after(void)
{
	service()->n_past = 2;
	service()->past[0] = (struct ro_past){ .id = 1,
		.stand = RO_STAND_DONE };
	service()->past[1] = (struct ro_past){ .id = 2,
		.stand = RO_STAND_ABORTED,
		.rehearsal = true };
	service()->rollout.id = 3;
	service()->rollout.rehearsal = true;
}

static void
unready(void)
{
	world_fit(&w, 2, false);
}

static void
half_ready(void)
{
	world_facts(&w, 1)->ready = false;
}

static void
admin_word(void)
{
	struct instance_plan *p = &w.s.instances[w.s.n_instances++];

	*p = (struct instance_plan){ .service = "a",
		.pool = "v2",
		.name = "i",
		.admin = INST_MAINT };
}

static void
elsewhere(void)
{
	admin_word();
	w.s.instances[w.s.n_instances - 1].service[0] = 'b';
	w.s.services[1].hold = HOLD_ALL;
}

#define CONFIG (1u << RO_MARK_CONFIG)
#define ALL_POOLS (1u << RO_MARK_POOLS)
#define READY (1u << RO_MARK_READY)

static const struct {
	const char *why;
	void (*move)(void);
	unsigned parts;
	const char *says; /* NULL: nothing */
} rows[] = {
	{ "nothing", nothing, 0, NULL },
	{ "traffic", traffic, 0, NULL },
	{ "an instance of a pool that is not ready", one_of_two_is_out, 0,
	    NULL },
	{ "how far a pool has proved itself", proofs, 0, NULL },
	{ "a rehearsal", a_rehearsal, 0, NULL },
	{ "another service", elsewhere, 0, NULL },
	{ "a setting", limits_of_a_service, CONFIG,
	    "the configuration of a has changed" },
	{ "a step", a_step, CONFIG, "the configuration of a has changed" },
	{ "a job", a_job, CONFIG, "the configuration of a has changed" },
	{ "a step of a strategy", deadline_of_a_strategy, CONFIG,
	    "the configuration of a has changed" },
	{ "a share", share, ALL_POOLS,
	    "states or shares of its pools have changed, now v1 active 90%, "
	    "v2 active 10%, v3 cold 0%" },
	{ "a state", state, ALL_POOLS,
	    "states or shares of its pools have changed, now v1 active 100%, "
	    "v2 ready 0%, v3 drained 0%" },
	{ "a hold", hold, ALL_POOLS,
	    "states or shares of its pools have changed, now v1 active 100%, "
	    "v2 ready 0%, v3 cold 0%, requests are held" },
	{ "a switch that waits", pending, ALL_POOLS,
	    "states or shares of its pools have changed, now v1 active 100%, "
	    "v2 ready 0%, v3 cold 0%, a switch to v3 waits" },
	{ "a rollout", rollout, ALL_POOLS,
	    "states or shares of its pools have changed, now v1 active 100%, "
	    "v2 ready 0%, v3 cold 0%, rollout 1 done" },
	{ "who is ready", unready, READY,
	    "who is ready or in has changed, now ready: v1" },
	{ "ready in part", half_ready, READY,
	    "who is ready or in has changed, now ready: v2" },
	{ "an instance's word", admin_word, READY,
	    "who is ready or in has changed, now ready: v1, v2" },
};

Test(mark, moves)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ro_facts f = { .pools = w.rows };
		struct ro_mark then, now;
		struct buf said = BUF_INIT;
		unsigned parts = 0;

		end();
		begin();
		then = made("v2");
		rows[i].move();
		now = made("v2");
		for (size_t p = 0; p < RO_MARK_PARTS; p++)
			parts |= (unsigned)(then.part[p] != now.part[p]) << p;
		cr_expect_eq(parts, rows[i].parts, "%s: %x", rows[i].why,
		    parts);
		cr_expect_eq(mark_is(&then, &now), parts == 0, "%s",
		    rows[i].why);
		mark_explain(&then, &now, &w.s, 0, &f, &said);
		if (rows[i].says == NULL)
			cr_expect_eq(said.len, 0, "%s: %s", rows[i].why,
			    said.p);
		else
			cr_expect_str_eq(said.p, rows[i].says, "%s",
			    rows[i].why);
		buf_free(&said);
	}
}

/* What was rehearsed since, too, is what it was. */
Test(mark, rehearsals_leave_nothing)
{
	struct ro_mark then, now;

	rollout();
	then = made("v2");
	a_rehearsal_after();
	now = made("v2");
	cr_expect(mark_is(&then, &now));
	service()->past[0].stand = RO_STAND_ROLLED_BACK;
	now = made("v2");
	cr_expect_not(mark_is(&then, &now));
}

/* Of two things that moved both are told. */
Test(mark, says_all)
{
	struct ro_facts f = { .pools = w.rows };
	struct ro_mark then = made("v2"), now;
	struct buf said = BUF_INIT;

	world_fit(&w, 1, false);
	world_fit(&w, 2, false);
	a_job();
	now = made("v2");
	mark_explain(&then, &now, &w.s, 0, &f, &said);
	cr_expect_str_eq(said.p,
	    "the configuration of a has changed; who is ready or in has "
	    "changed, now ready: no pool");
	buf_free(&said);
}

Test(mark, of_another_pool)
{
	struct ro_facts f = { .pools = w.rows };
	struct ro_mark then = made("v3"), now = made("v2");
	struct buf said = BUF_INIT;

	for (size_t p = 0; p < RO_MARK_PARTS; p++)
		cr_expect_neq(then.part[p], now.part[p], "%zu", p);
	mark_explain(&then, &now, &w.s, 0, &f, &said);
	cr_expect_str_eq(said.p,
	    "it leads to another pool, or all has changed");
	buf_free(&said);
}

/* ---- as text ---- */

static const struct {
	const char *why, *text;
	bool good;
} texts[] = {
	{ "a mark", "c1d4e9-09ab31-77e2f0", true },
	{ "empty", "", false },
	{ "two parts", "c1d4e9-09ab31", false },
	{ "four parts", "c1d4e9-09ab31-77e2f0-000000", false },
	{ "a dash behind", "c1d4e9-09ab31-77e2f0-", false },
	{ "a short part", "c1d4e9-09ab3-77e2f0", false },
	{ "a long part", "c1d4e9-09ab312-77e2f0", false },
	{ "capitals", "C1D4E9-09AB31-77E2F0", false },
	{ "no digit", "c1d4e9-09ab3g-77e2f0", false },
	{ "blanks", "c1d4e9-09ab31-77e2f ", false },
};

Test(mark, as_text)
{
	struct ro_mark m = made("v2"), back;
	char text[MARK_TEXT_MAX];

	mark_write(&m, text);
	cr_assert(mark_read(str_of(text), &back), "%s", text);
	cr_expect(mark_is(&m, &back), "%s", text);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cr_expect_eq(mark_read(str_of(texts[i].text), &back),
		    texts[i].good, "%s", texts[i].why);
		if (!texts[i].good)
			continue;
		mark_write(&back, text);
		cr_expect_str_eq(text, texts[i].text, "%s", texts[i].why);
	}
	cr_expect_not(mark_read(str_from("c1d4e9-09ab\0 1-77e2f0", 20), &back),
	    "a NUL");
}

/* What could not be made is like none. */
Test(mark, unset_is_like_none)
{
	struct ro_mark m = { .set = false };

	cr_expect_not(mark_is(&m, &m));
}
