/*
 * The machine under random commands and a random world: what must hold after
 * every step, whatever came before.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rollout/machine_int.h"
#include "rollout/steps.h"
#include "world.h"

/* A sanitizer makes each of them ten times as dear. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SEEDS (60u / 4)
#else
#define SEEDS 60u
#endif
#define STEPS 400u
#define ALL CFG_SHARE_ALL

/* ---- a world that nobody controls ---- */

static uint64_t dice; /* xorshift64 (Marsaglia 2003) */

static uint32_t
roll(uint32_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (uint32_t)((dice >> 20) % n);
}

static void
turn_facts(struct ro_facts_pool *f)
{
	f->instances = roll(4);
	f->eligible = f->instances == 0 ? 0 : roll((uint32_t)f->instances + 1);
	f->ready = f->instances > 0 && f->eligible == f->instances &&
	    roll(3) > 0;
	f->sessions = roll(2) * roll(50);
	f->inflight = roll(2) * roll(50);
	f->streams = roll(2) * roll(3);
	f->view_current = roll(4) > 0;
}

/* Of some run about the last one. */
static void
turn_run(struct ro_facts_run *f, const struct ro_rollout *r)
{
	*f = (struct ro_facts_run){ .rollout = r->id - (roll(8) == 0),
		.run = r->runs - (roll(4) == 0),
		.ended = roll(2) > 0,
		.verdict = (uint8_t)roll(RO_VERDICT_COUNT),
		.exit = (int16_t)(roll(7) - 1) };
}

static void
turn_world(struct world *w)
{
	for (size_t i = 0; i < w->s.n_services; i++)
		turn_run(&w->runs[i], &w->s.services[i].rollout);
	for (size_t i = 0; i < 2 * CFG_POOLS_MAX; i++)
		if (roll(3) == 0)
			turn_facts(&w->rows[i]);
	w->inst.exists = roll(3) > 0;
	w->inst.eligible = w->inst.exists && roll(2) > 0;
	w->inst.configured = roll(2) > 0 ? "127.0.0.1:1" : NULL;
	w->now += roll(5) == 0 ? roll(2000) * S : roll(1000000);
}

/* Steps in any order: what forbids one, fails it. */
static const struct ro_rollout *
any_plan(void)
{
	static struct ro_rollout plan;

	plan = (struct ro_rollout){ .on_failure = (uint8_t)roll(2),
		.version = { (char)('0' + roll(64)) },
		.n_steps = 1 + roll(CFG_STEPS_MAX) };
	for (size_t i = 0; i < plan.n_steps; i++) {
		struct ro_step *s = &plan.steps[i];

		*s = (struct ro_step){ .kind = (uint8_t)roll(CFG_STEP_COUNT),
			.share_bp = roll(ALL + 1),
			.for_us = roll(100) * S,
			.deadline_us = roll(2) * roll(1000) * S };
		if (s->kind != CFG_STEP_JOB && s->kind != CFG_STEP_CHECK)
			continue;
		s->job[0] = (char)('a' + roll(3));
		s->once = (uint8_t)roll(CFG_ONCE_COUNT);
		s->rehearse = roll(2) > 0;
	}
	return &plan;
}

static struct ro_command
any_command(void)
{
	static const uint32_t shares[] = { 0, 1, 1000, 3333, 5000, 9999, ALL,
		ALL + 1 };
	struct ro_command c = world_command((enum ro_verb)roll(RO_VERB_COUNT),
	    "v1");

	c.service[0] = (char)('a' + roll(2));
	c.pool[1] = (char)('1' + roll(WORLD_POOLS));
	str_copy(STR("i0"), c.instance, sizeof(c.instance));
	c.instance[1] = (char)('0' + roll(5));
	str_copy(STR("127.0.0.1:1"), c.address, sizeof(c.address));
	c.share_bp = shares[roll(ARRAY_LEN(shares))];
	c.admin = (uint8_t)roll(INST_ADMIN_COUNT);
	c.when_ready = roll(2) > 0;
	c.drain = roll(2) > 0;
	c.force = roll(8) == 0;
	c.evict = roll(2) > 0;
	c.session = roll(4) == 0 ? 1 + roll(300) : 0;
	c.all = roll(4) == 0;
	if (c.verb == RO_SESSIONS && (c.all || c.session != 0))
		c.pool[0] = '\0';
	if (roll(2) > 0)
		str_copy(STR("v2"), c.to, sizeof(c.to));
	c.action = (uint8_t)roll(RO_ACTION_COUNT);
	c.plan = any_plan();
	c.rehearse = c.action == RO_ACTION_START && roll(3) == 0;
	c.clocks.mode = (uint8_t)roll(3);
	c.clocks.flows_us = roll(3) * 600 * S;
	c.clocks.requests_us = roll(3) * 30 * S;
	c.clocks.streams_us = roll(3) * 300 * S;
	return c;
}

/* ---- what must hold ---- */

static uint32_t
share_sum(const struct ro_service *s)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < s->n_pools; i++)
		sum += s->pools[i].share_bp;
	return sum;
}

static bool
is_served(const struct world *w, const struct ro_service *s, size_t at)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (s->pools[i].share_bp > 0 &&
		    w->rows[at * CFG_POOLS_MAX + i].eligible > 0)
			return true;
	return false;
}

static void
check_plan(const struct ro_pool *p, const struct pool_plan *plan)
{
	bool closed = p->state == POOL_DRAINING && p->drain.closed_us != 0;

	cr_assert_eq(plan->share_bp, p->share_bp);
	cr_assert_eq(plan->min_epoch, p->min_epoch);
	cr_assert(p->share_bp == 0 || plan->serves);
	cr_assert_eq(plan->serves,
	    p->state == POOL_ACTIVE || p->state == POOL_READY ||
	        (p->state == POOL_DRAINING && !closed));
	cr_assert_eq(plan->pins == PINS_EVICT, closed);
	cr_assert(plan->cut == 0 || p->state == POOL_DRAINING);
	cr_assert(!(plan->cut & CUT_REQUESTS) || closed);
}

static void
check_jobs(const struct ro_service *s)
{
	const struct ro_rollout *r = &s->rollout;

	cr_assert_leq(s->n_done, RO_DONE_MAX);
	for (size_t i = 0; i < s->n_done; i++)
		for (size_t j = 0; j < i; j++)
			cr_assert(strcmp(s->done[i].job, s->done[j].job) != 0 ||
			        strcmp(s->done[i].version,
			            s->done[j].version) != 0,
			    "done twice");
	if (!machine_wants_run(s))
		return;
	cr_assert(r->stand == RO_STAND_RUNNING || r->stand == RO_STAND_PAUSED);
	cr_assert(r->entered && !r->failed && r->runs > 0);
	cr_assert(steps_has_job(&r->steps[r->at]));
	cr_assert((r->ran >> r->at & 1) == 0);
}

/* A number stands for one run for ever; what is done stays so. */
static void
check_runs(const struct ro_rollout *was, const struct ro_rollout *is)
{
	if (was->id != is->id) {
		cr_assert_eq(is->id, was->id + 1);
		return;
	}
	cr_assert(is->runs == was->runs || is->runs == was->runs + 1);
	cr_assert_eq(is->ran & was->ran, was->ran);
}

/* Nothing is done, held or found out by it; an operator may hold meanwhile. */
static void
check_rehearsal(const struct ro_service *was, const struct ro_service *is,
    bool is_command)
{
	if (!is->rollout.rehearsal)
		return;
	cr_assert_eq(is->rollout.begun, 0);
	cr_assert_eq(is->rollout.held_us, 0);
	cr_assert_eq(is->n_done, was->n_done);
	cr_assert_eq(is->path_us, was->path_us);
	cr_assert(is_command || is->hold == was->hold);
}

static void
check_service(const struct world *w, const struct ro_service *s)
{
	struct service_plan plan;

	check_jobs(s);
	cr_assert(share_sum(s) == ALL || share_sum(s) == 0);
	machine_plan(s, w->now, &plan);
	cr_assert_eq(plan.epoch, s->epoch);
	for (size_t i = 0; i < s->n_pools; i++) {
		const struct ro_pool *p = &s->pools[i];

		cr_assert(p->share_bp == 0 || p->state == POOL_ACTIVE);
		cr_assert_leq(p->min_epoch, s->epoch);
		cr_assert(p->state == POOL_DRAINING || p->drain.began_us == 0);
		check_plan(p, &plan.pools[i]);
	}
}

/* One step of a pool: none, an edge, or edges over states that do not last. */
static bool
may_come_to(uint8_t from, uint8_t to, unsigned edges)
{
	if (from == to)
		return true;
	for (int via = 0; edges > 0 && via < POOL_STATE_COUNT; via++)
		if (pool_may_go((enum pool_state)from, (enum pool_state)via) &&
		    may_come_to((uint8_t)via, to, edges - 1))
			return true;
	return false;
}

static void
check_step(const struct world *w, const struct ro_service *was,
    const struct ro_service *is, size_t at)
{
	cr_assert_geq(is->epoch, was->epoch);
	check_runs(&was->rollout, &is->rollout);
	for (size_t i = 0; i < is->n_pools; i++) {
		const struct ro_pool *a = &was->pools[i], *b = &is->pools[i];
		const struct ro_facts_pool *f =
		    &w->rows[at * CFG_POOLS_MAX + i];

		cr_assert(may_come_to(a->state, b->state, 3), "%s -> %s",
		    pool_state_name(a->state), pool_state_name(b->state));
		cr_assert_geq(b->min_epoch, a->min_epoch);
		cr_assert(a->share_bp == b->share_bp || is->epoch > was->epoch,
		    "who serves whom changed and the epoch did not");
		if (a->state == POOL_DRAINING && b->state == POOL_DRAINED)
			cr_assert(a->drain.closed_us != 0 && f->view_current &&
			    f->inflight == 0 && f->streams == 0);
	}
}

/* Without force nobody is given what it cannot serve, and somebody serves. */
static void
check_unforced(const struct world *w, const struct ro_service *was,
    const struct ro_service *is, size_t at)
{
	for (size_t i = 0; i < is->n_pools; i++) {
		const struct ro_facts_pool *f =
		    &w->rows[at * CFG_POOLS_MAX + i];

		cr_assert(is->pools[i].share_bp <= was->pools[i].share_bp ||
		        f->eligible > 0 || share_sum(was) == 0,
		    "a share for a pool that cannot serve");
	}
	cr_assert(share_sum(is) == ALL || share_sum(was) == 0);
	cr_assert(is_served(w, is, at) || !is_served(w, was, at),
	    "the last pool that served was lost");
}

static void
check_round_trip(const struct ro_state *s)
{
	char *text = world_text(s), *again, why[256];
	struct ro_state back;

	cr_assert_eq(ro_state_new(&back), E_OK);
	cr_assert_eq(ro_state_read(str_of(text), &back, why, sizeof(why)), E_OK,
	    "it %s", why);
	again = world_text(&back);
	cr_assert_str_eq(again, text);
	free(again);
	free(text);
	ro_state_free(&back);
}

/* ---- the walk ---- */

static void
step(struct world *w, struct ro_state *before, unsigned *done)
{
	struct ro_facts f;
	struct ro_command c = any_command();
	bool is_command = roll(3) > 0;
	enum ro_refusal r = RO_NO_NONE;
	uint64_t due;

	turn_world(w);
	cr_assert_eq(ro_state_copy(before, &w->s), E_OK);
	f = (struct ro_facts){ .wall_us = w->now,
		.pools = w->rows,
		.instance = w->inst,
		.runs = w->runs };
	if (is_command) {
		r = world_do(w, &c);
		done[c.verb] += r == RO_NO_NONE;
		cr_assert_eq(w->s.generation,
		    before->generation + (r == RO_NO_NONE));
	} else {
		enum ro_changed changed = machine_clock(&w->s, &f, &due);

		cr_assert_eq(w->s.generation,
		    before->generation + (changed == RO_HARD));
		cr_assert(due == 0 || due > w->now);
	}
	for (size_t i = 0; i < w->s.n_services; i++) {
		check_service(w, &w->s.services[i]);
		check_step(w, &before->services[i], &w->s.services[i], i);
		check_rehearsal(&before->services[i], &w->s.services[i],
		    is_command);
		if (!is_command || !c.force)
			check_unforced(w, &before->services[i],
			    &w->s.services[i], i);
	}
	check_round_trip(&w->s);
}

Test(random, invariants_hold, .timeout = 60)
{
	unsigned done[RO_VERB_COUNT] = { 0 };

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct ro_state before;
		struct world w;

		dice = seed * UINT64_C(0x9e3779b97f4a7c15);
		world_make(&w);
		cr_assert_eq(ro_state_new(&before), E_OK);
		for (unsigned i = 0; i < STEPS; i++)
			step(&w, &before, done);
		ro_state_free(&before);
		world_free(&w);
	}
	for (int v = 0; v < RO_VERB_COUNT; v++)
		cr_expect_gt(60 * done[v], 100 * SEEDS,
		    "%s was hardly ever done: %u",
		    ro_verb_name((enum ro_verb)v), done[v]);
}

/* ---- a master at random ---- */

/* What it runs, or ran last. */
struct master {
	struct ro_facts_run news;
	bool ran[CFG_ONCE_COUNT][2][3]; /* done: how often, version, job */
	unsigned begun, done;
};

static void
command_rollout(struct world *w)
{
	static const enum cfg_step_kind kinds[] = { CFG_STEP_JOB, CFG_STEP_JOB,
		CFG_STEP_CHECK, CFG_STEP_SHARE, CFG_STEP_APPROVE };
	struct ro_command c = world_command(RO_ROLLOUT, "v2");
	struct ro_rollout plan = { .on_failure = (uint8_t)roll(2),
		.version = { (char)('0' + roll(2)) },
		.n_steps = 3 };

	for (size_t i = 0; i < plan.n_steps; i++) {
		struct ro_step *s = &plan.steps[i];

		s->kind = (uint8_t)kinds[roll(ARRAY_LEN(kinds))];
		s->share_bp = 1000 + roll(8000);
		if (s->kind != CFG_STEP_JOB && s->kind != CFG_STEP_CHECK)
			continue;
		/* Each is done so often as its name says; a check is made. */
		s->once = s->kind == CFG_STEP_CHECK
		    ? CFG_ONCE_NO
		    : (uint8_t)roll(CFG_ONCE_COUNT);
		s->job[0] = (char)('a' + roll(3));
		s->job[1] = (char)('0' + s->once);
	}
	c.plan = &plan;
	c.action = (uint8_t)(roll(2) > 0 ? roll(RO_ACTION_COUNT)
	                                 : RO_ACTION_APPROVE);
	if (world_do(w, &c) == RO_NO_NONE)
		cr_assert_str_eq(w->why, "", "%s", w->why);
}

static void
command_share(struct world *w)
{
	struct ro_command c = world_command(RO_SHARE, "v1");

	c.share_bp = ALL;
	(void)world_do(w, &c);
	c.verb = RO_UNDRAIN;
	c.pool[1] = '2';
	(void)world_do(w, &c);
}

static bool *
done_of(struct master *m, const struct ro_rollout *r)
{
	const struct ro_step *s = &r->steps[r->at];
	unsigned version = s->once == CFG_ONCE_VERSION ? r->version[0] - '0'
	                                               : 0;

	return &m->ran[s->once][version][s->job[0] - 'a'];
}

static void
kill_run(struct master *m)
{
	m->news.ended = true;
	m->news.exit = -1;
	m->news.verdict = RO_VERDICT_FAILED;
}

/* It ends in one way or another. */
static void
end_run(struct master *m, const struct ro_rollout *r)
{
	static const int statuses[] = { 0, 0, 0, 1, 3, -1 };

	if (m->news.rollout != r->id || m->news.run != r->runs || m->news.ended)
		return;
	m->news.ended = true;
	m->news.exit = (int16_t)statuses[roll(ARRAY_LEN(statuses))];
	m->news.verdict = m->news.exit == 0
	    ? RO_VERDICT_OK
	    : (uint8_t)(RO_VERDICT_ASK + roll(2));
	if (m->news.exit != 0)
		return;
	*done_of(m, r) = r->steps[r->at].once != CFG_ONCE_NO;
	m->done++;
}

/* What is wanted begins, once, and unless it was done; what is not ends. */
static void
look(struct master *m, const struct ro_service *s)
{
	const struct ro_rollout *r = &s->rollout;

	if (!machine_wants_run(s)) {
		kill_run(m);
		return;
	}
	if (m->news.rollout == r->id && m->news.run == r->runs)
		return;
	cr_assert(r->id > m->news.rollout || r->runs > m->news.run);
	cr_assert_not(*done_of(m, r), "job %s of version %s again",
	    r->steps[r->at].job, r->version);
	m->news = (struct ro_facts_run){ .rollout = r->id, .run = r->runs };
	m->begun++;
}

Test(random, no_job_is_done_twice, .timeout = 60)
{
	unsigned begun = 0, done = 0, lost = 0;

	for (uint64_t seed = 1; seed <= 5 * SEEDS; seed++) {
		struct master m = { .news = { .ended = true } };
		struct world w;

		dice = seed * UINT64_C(0x9e3779b97f4a7c15);
		world_make(&w);
		world_fit(&w, 2, true);
		for (unsigned i = 0; i < STEPS; i++) {
			if (roll(50) == 0) { /* all of segued ends */
				kill_run(&m);
				lost += ro_state_lose_runs(&w.s, w.now);
			}
			if (roll(8) == 0)
				command_share(&w);
			if (roll(3) == 0)
				end_run(&m, &w.s.services[0].rollout);
			w.runs[0] = m.news;
			if (roll(3) > 0)
				command_rollout(&w);
			(void)world_tick(&w);
			look(&m, &w.s.services[0]);
		}
		begun += m.begun;
		done += m.done;
		world_free(&w);
	}
	cr_expect_gt(begun, 1000u, "%u", begun);
	cr_expect_gt(done, 400u, "%u", done);
	cr_expect_gt(lost, 40u, "%u", lost);
}

/*
 * Growing a share takes buckets from others and moves none between them, as
 * far as two pools go; registry_view() lays them out, the last one lowest.
 */
static size_t
owner_of(const struct ro_service *s, uint32_t bucket)
{
	uint32_t at = 0;

	for (size_t i = s->n_pools; i-- > 0; at += s->pools[i].share_bp)
		if (bucket < at + s->pools[i].share_bp)
			return i;
	return s->n_pools;
}

Test(random, growing_a_share_only_adds_sessions, .timeout = 20)
{
	dice = 7;
	for (unsigned round = 0; round < 300; round++) {
		struct ro_command c = world_command(RO_SHARE, "v2");
		uint32_t low = roll(ALL), high = low + roll(ALL - low) + 1;
		size_t before[ALL];
		struct world w;

		world_make(&w);
		world_fit(&w, 2, true);
		c.share_bp = low;
		cr_assert_eq(world_do(&w, &c), RO_NO_NONE);
		for (uint32_t b = 0; b < ALL; b++)
			before[b] = owner_of(&w.s.services[0], b);
		c.share_bp = high;
		cr_assert_eq(world_do(&w, &c), RO_NO_NONE);
		for (uint32_t b = 0; b < ALL; b++) {
			size_t now = owner_of(&w.s.services[0], b);

			cr_assert(now == before[b] || now == 1,
			    "bucket %u was re-rolled", b);
		}
		world_free(&w);
	}
}
