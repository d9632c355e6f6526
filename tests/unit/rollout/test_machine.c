/*
 * The machine, edge by edge: what each command may do in each state, what the
 * clock does, and what workers are told.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rollout/machine_int.h"
#include "world.h"

static struct world w;

static void
begin(void)
{
	world_make(&w);
}

static void
end(void)
{
	world_free(&w);
}

TestSuite(machine, .init = begin, .fini = end, .timeout = 20);

#define ALL CFG_SHARE_ALL

static uint32_t
share_sum(const struct ro_service *s)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < s->n_pools; i++)
		sum += s->pools[i].share_bp;
	return sum;
}

/* ---- every verb in every state ---- */

/* What becomes of v2, which has no share; - is a state that stays. */
#define KEEPS POOL_STATE_COUNT
struct fate {
	enum ro_refusal refusal;
	enum pool_state then;
};
#define DONE(state)                                                            \
	{                                                                      \
		RO_NO_NONE, POOL_##state                                       \
	}
#define NO(reason)                                                             \
	{                                                                      \
		RO_NO_##reason, KEEPS                                          \
	}
#define SAME                                                                   \
	{                                                                      \
		RO_NO_NONE, KEEPS                                              \
	}

static const struct {
	enum ro_verb verb;
	enum pool_state from;
	struct fate fit, unfit, forced; /* forced while unfit */
} fates[] = {
	{ RO_SHARE, POOL_COLD, DONE(ACTIVE), NO(NOT_READY), DONE(ACTIVE) },
	{ RO_SHARE, POOL_STARTING, DONE(ACTIVE), NO(NOT_READY), DONE(ACTIVE) },
	{ RO_SHARE, POOL_READY, DONE(ACTIVE), NO(NOT_READY), DONE(ACTIVE) },
	{ RO_SHARE, POOL_ACTIVE, SAME, NO(NOT_READY), SAME },
	{ RO_SHARE, POOL_DRAINING, NO(DRAINING), NO(DRAINING), NO(DRAINING) },
	{ RO_SHARE, POOL_DRAINED, NO(NOT_READY), NO(NOT_READY), DONE(ACTIVE) },
	{ RO_SHARE, POOL_RETIRED, NO(NOT_READY), NO(NOT_READY), DONE(ACTIVE) },
	{ RO_SHARE, POOL_FAILED, DONE(ACTIVE), NO(NOT_READY), DONE(ACTIVE) },

	{ RO_SWITCH, POOL_COLD, DONE(ACTIVE), NO(NOT_READY), DONE(ACTIVE) },
	{ RO_SWITCH, POOL_STARTING, DONE(ACTIVE), NO(NOT_READY), DONE(ACTIVE) },
	{ RO_SWITCH, POOL_READY, DONE(ACTIVE), NO(NOT_READY), DONE(ACTIVE) },
	{ RO_SWITCH, POOL_ACTIVE, SAME, NO(NOT_READY), SAME },
	{ RO_SWITCH, POOL_DRAINING, DONE(ACTIVE), NO(NOT_READY), DONE(ACTIVE) },
	{ RO_SWITCH, POOL_DRAINED, NO(NOT_READY), NO(NOT_READY), DONE(ACTIVE) },
	{ RO_SWITCH, POOL_RETIRED, NO(NOT_READY), NO(NOT_READY), DONE(ACTIVE) },
	{ RO_SWITCH, POOL_FAILED, DONE(ACTIVE), NO(NOT_READY), DONE(ACTIVE) },

	{ RO_DRAIN, POOL_COLD, DONE(DRAINING), DONE(DRAINING), DONE(DRAINING) },
	{ RO_DRAIN, POOL_STARTING, DONE(DRAINING), DONE(DRAINING),
	    DONE(DRAINING) },
	{ RO_DRAIN, POOL_READY, DONE(DRAINING), DONE(DRAINING),
	    DONE(DRAINING) },
	{ RO_DRAIN, POOL_ACTIVE, DONE(DRAINING), DONE(DRAINING),
	    DONE(DRAINING) },
	{ RO_DRAIN, POOL_DRAINING, SAME, SAME, SAME },
	{ RO_DRAIN, POOL_DRAINED, SAME, SAME, SAME },
	{ RO_DRAIN, POOL_RETIRED, SAME, SAME, SAME },
	{ RO_DRAIN, POOL_FAILED, DONE(DRAINING), DONE(DRAINING),
	    DONE(DRAINING) },

	{ RO_UNDRAIN, POOL_COLD, NO(NOT_DRAINING), NO(NOT_DRAINING),
	    NO(NOT_DRAINING) },
	{ RO_UNDRAIN, POOL_STARTING, NO(NOT_DRAINING), NO(NOT_DRAINING),
	    NO(NOT_DRAINING) },
	{ RO_UNDRAIN, POOL_READY, NO(NOT_DRAINING), NO(NOT_DRAINING),
	    NO(NOT_DRAINING) },
	{ RO_UNDRAIN, POOL_ACTIVE, NO(NOT_DRAINING), NO(NOT_DRAINING),
	    NO(NOT_DRAINING) },
	{ RO_UNDRAIN, POOL_DRAINING, DONE(ACTIVE), DONE(ACTIVE), DONE(ACTIVE) },
	{ RO_UNDRAIN, POOL_DRAINED, DONE(STARTING), DONE(STARTING),
	    DONE(STARTING) },
	{ RO_UNDRAIN, POOL_RETIRED, DONE(STARTING), DONE(STARTING),
	    DONE(STARTING) },
	{ RO_UNDRAIN, POOL_FAILED, NO(NOT_DRAINING), NO(NOT_DRAINING),
	    NO(NOT_DRAINING) },
};

static void
meet_fate(size_t row, const struct fate *fate, bool fit, bool force)
{
	struct ro_command c = world_command(fates[row].verb, "v2");
	enum pool_state from = fates[row].from;
	uint64_t generation = w.s.generation;
	char name[80];

	(void)snprintf(name, sizeof(name), "%s in %s, %s%s",
	    ro_verb_name(c.verb), pool_state_name(from), fit ? "fit" : "unfit",
	    force ? ", forced" : "");
	world_put(&w, 2, from, 0);
	world_fit(&w, 2, fit);
	c.share_bp = 1000;
	c.force = force;
	cr_expect_eq(world_do(&w, &c), fate->refusal, "%s: %s", name, w.why);
	cr_expect_eq(world_pool(&w, 2)->state,
	    fate->then == KEEPS ? from : fate->then, "%s: %s", name,
	    pool_state_name(world_pool(&w, 2)->state));
	cr_expect_eq(share_sum(&w.s.services[0]), ALL, "%s", name);
	cr_expect_eq(w.why[0] == '\0', fate->refusal == RO_NO_NONE,
	    "%s says \"%s\"", name, w.why);
	cr_expect_eq(w.s.generation, generation + (fate->refusal == 0), "%s",
	    name);
}

Test(machine, every_verb_in_every_state)
{
	cr_expect_eq(ARRAY_LEN(fates), 4 * POOL_STATE_COUNT);
	for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
		end(), begin();
		meet_fate(i, &fates[i].fit, true, false);
		end(), begin();
		meet_fate(i, &fates[i].unfit, false, false);
		end(), begin();
		meet_fate(i, &fates[i].forced, false, true);
	}
}

/* ---- what a refusal says ---- */

#define OF(v) .cmd = { .verb = (v), .service = "a", .pool = "v2" }

static const struct {
	const char *why;
	enum pool_state v2;
	uint32_t v2_share;
	bool v1_fit, v2_fit;
	struct ro_command cmd;
	enum ro_refusal refusal;
	const char *sentence;
} sayings[] = {
	{ "no such service", POOL_READY, 0, true, true,
	    { .verb = RO_SWITCH, .service = "sso", .pool = "v2" },
	    RO_NO_NO_SERVICE, "there is no service sso; there is a, b" },
	{ "none named, and there are two", POOL_READY, 0, true, true,
	    { .verb = RO_SWITCH, .pool = "v2" }, RO_NO_NO_SERVICE,
	    "there are 2 services; name one with --service: a, b" },
	{ "no such pool", POOL_READY, 0, true, true,
	    { .verb = RO_SWITCH, .service = "a", .pool = "v9" }, RO_NO_NO_POOL,
	    "service a has no pool v9; it has v1, v2, v3" },
	{ "switch to what is down", POOL_STARTING, 0, true, false,
	    OF(RO_SWITCH), RO_NO_NOT_READY,
	    "v2 is not ready: i1 is down: connection refused; --when-ready "
	    "waits until it is, --force does not" },
	{ "share for what is down", POOL_STARTING, 0, true, false,
	    { .verb = RO_SHARE,
	        .service = "a",
	        .pool = "v2",
	        .share_bp = 1000 },
	    RO_NO_NOT_READY,
	    "v2 is not ready: i1 is down: connection refused; --force does it "
	    "all the same" },
	{ "switch to what is out", POOL_DRAINED, 0, true, true, OF(RO_SWITCH),
	    RO_NO_NOT_READY,
	    "v2 is drained, and has to prove itself anew; --when-ready lets "
	    "it, --force does not" },
	{ "share for what is out", POOL_DRAINED, 0, true, true,
	    { .verb = RO_SHARE,
	        .service = "a",
	        .pool = "v2",
	        .share_bp = 1000 },
	    RO_NO_NOT_READY,
	    "v2 is drained; \"segue undrain v2\" makes it prove itself "
	    "first" },
	{ "share for what drains", POOL_DRAINING, 0, true, true,
	    { .verb = RO_SHARE,
	        .service = "a",
	        .pool = "v2",
	        .share_bp = 1000 },
	    RO_NO_DRAINING,
	    "v2 is draining; \"segue undrain v2\" takes it back first" },
	{ "switch to what drains, and is down", POOL_DRAINING, 0, false, false,
	    OF(RO_SWITCH), RO_NO_NOT_READY,
	    "v2 is not ready: i1 is down: connection refused; --when-ready "
	    "waits until it is, --force does not" },
	{ "undrain of what does not drain", POOL_READY, 0, true, true,
	    OF(RO_UNDRAIN), RO_NO_NOT_DRAINING, "v2 is ready, not draining" },
	{ "drain of the last one", POOL_DRAINED, 0, true, true,
	    { .verb = RO_DRAIN, .service = "a", .pool = "v1" }, RO_NO_LAST_POOL,
	    "no other pool of a could serve the rest: v3 is not ready: i1 is "
	    "down: connection refused; --force does it all the same" },
	{ "the rest for nobody", POOL_STARTING, 0, true, false,
	    { .verb = RO_SHARE,
	        .service = "a",
	        .pool = "v1",
	        .share_bp = 5000 },
	    RO_NO_LAST_POOL,
	    "no other pool of a could serve the rest: v3 is not ready: i1 is "
	    "down: connection refused; name the one that shall have it, with "
	    "--force" },
	{ "a share above all", POOL_READY, 0, true, true,
	    { .verb = RO_SHARE,
	        .service = "a",
	        .pool = "v2",
	        .share_bp = ALL + 1 },
	    RO_NO_BAD_VALUE, "a share is at most 100%" },
	{ "no such mode", POOL_READY, 0, true, true,
	    { .verb = RO_DRAIN,
	        .service = "a",
	        .pool = "v2",
	        .clocks = { .mode = 9 } },
	    RO_NO_BAD_VALUE, "a drain's mode is keep, move or evict" },
	{ "a clock for ever", POOL_READY, 0, true, true,
	    { .verb = RO_DRAIN,
	        .service = "a",
	        .pool = "v2",
	        .clocks = { .flows_us = RO_CLOCK_MAX_US + 1 } },
	    RO_NO_BAD_VALUE, "a drain's clocks run for a year at most" },
	{ "the clocks of a switch's drain", POOL_READY, 0, true, true,
	    { .verb = RO_SWITCH,
	        .service = "a",
	        .pool = "v2",
	        .drain = true,
	        .clocks = { .streams_us = UINT64_MAX } },
	    RO_NO_BAD_VALUE, "a drain's clocks run for a year at most" },
	{ "no such word", POOL_READY, 0, true, true,
	    { .verb = RO_INSTANCE,
	        .service = "a",
	        .pool = "v2",
	        .admin = INST_ADMIN_COUNT },
	    RO_NO_BAD_VALUE, "an instance is in, in drain or in maint" },
	{ "no such instance", POOL_READY, 0, true, true,
	    { .verb = RO_INSTANCE,
	        .service = "a",
	        .pool = "v2",
	        .instance = "i9",
	        .admin = INST_MAINT },
	    RO_NO_NO_INSTANCE, "pool v2 has no instance i9" },
	{ "none to remove", POOL_READY, 0, true, true,
	    { .verb = RO_REMOVE_INSTANCE,
	        .service = "a",
	        .pool = "v2",
	        .instance = "i9" },
	    RO_NO_NO_INSTANCE, "pool v2 has no instance i9" },
	{ "no address", POOL_READY, 0, true, true,
	    { .verb = RO_ADD_INSTANCE,
	        .service = "a",
	        .pool = "v2",
	        .instance = "i9",
	        .address = "nonsense" },
	    RO_NO_BAD_VALUE,
	    "nonsense is no address; HOST:PORT or unix:/PATH is expected" },
	{ "a quote in an address", POOL_READY, 0, true, true,
	    { .verb = RO_ADD_INSTANCE,
	        .service = "a",
	        .pool = "v2",
	        .instance = "i9",
	        .address = "\"h:1" },
	    RO_NO_BAD_VALUE, "an address has no quotes and is plain ASCII" },
	{ "a weight above all", POOL_READY, 0, true, true,
	    { .verb = RO_ADD_INSTANCE,
	        .service = "a",
	        .pool = "v2",
	        .instance = "i9",
	        .address = "127.0.0.1:1",
	        .weight = 257 },
	    RO_NO_BAD_VALUE, "a weight is in 1..256" },
};

Test(machine, refusals_say_what_and_how_to_go_on)
{
	for (size_t i = 0; i < ARRAY_LEN(sayings); i++) {
		char *before, *after;

		end(), begin();
		world_put(&w, 2, sayings[i].v2, sayings[i].v2_share);
		world_fit(&w, 1, sayings[i].v1_fit);
		world_fit(&w, 2, sayings[i].v2_fit);
		before = world_text(&w.s);
		cr_expect_eq(world_do(&w, &sayings[i].cmd), sayings[i].refusal,
		    "%s", sayings[i].why);
		cr_expect_str_eq(w.why, sayings[i].sentence, "%s",
		    sayings[i].why);
		after = world_text(&w.s);
		cr_expect_str_eq(after, before, "%s", sayings[i].why);
		free(before);
		free(after);
	}
}

Test(machine, a_sentence_is_cut_not_overrun)
{
	struct ro_command c = world_command(RO_SWITCH, "v2");
	struct ro_facts f = { .wall_us = w.now, .pools = w.rows };
	char why[24];

	memset(why, 'x', sizeof(why));
	cr_assert_eq(ro_state_copy(&w.next, &w.s), E_OK);
	cr_expect_eq(machine_command(&w.next, &f, &c, why, 12),
	    RO_NO_NOT_READY);
	cr_expect_str_eq(why, "v2 is not r");
	cr_expect_eq(why[12], 'x');
}

/* Every reason has its row, and names are words for programs. */
Test(machine, refusals_have_names)
{
	for (int r = 0; r < RO_REFUSAL_COUNT; r++) {
		const char *name = ro_refusal_name((enum ro_refusal)r);

		cr_expect_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"),
		    strlen(name), "%s", name);
		cr_expect_gt(strlen(ro_refusal_text((enum ro_refusal)r)), 3u);
	}
}

/* ---- dividing the share ---- */

static const struct {
	const char *why;
	uint32_t before[WORLD_POOLS];
	bool able[WORLD_POOLS];
	size_t pool;
	uint32_t share_bp;
	bool force;
	enum ro_refusal refusal;
	uint32_t after[WORLD_POOLS];
} divisions[] = {
	{ "from the only one", { ALL, 0, 0 }, { 1, 1, 1 }, 2, 1000, false, 0,
	    { 9000, 1000, 0 } },
	{ "one hundredth of a per cent", { ALL, 0, 0 }, { 1, 1, 1 }, 2, 1,
	    false, 0, { 9999, 1, 0 } },
	{ "in proportion", { 6000, 0, 4000 }, { 1, 1, 1 }, 2, 5000, false, 0,
	    { 3000, 5000, 2000 } },
	{ "a remainder is not lost", { 3333, 3334, 3333 }, { 1, 1, 1 }, 2, 1,
	    false, 0, { 4999, 1, 5000 } },
	{ "all of it", { 6000, 0, 4000 }, { 1, 1, 1 }, 2, ALL, false, 0,
	    { 0, ALL, 0 } },
	{ "what shrinks gives in proportion", { 2000, 6000, 2000 }, { 1, 1, 1 },
	    2, 2000, false, 0, { 4000, 2000, 4000 } },
	{ "what cannot serve gets no more", { 2000, 6000, 2000 }, { 0, 1, 1 },
	    2, 2000, false, 0, { 2000, 2000, 6000 } },
	{ "what is down may lose", { 6000, 0, 4000 }, { 0, 1, 0 }, 2, 5000,
	    false, 0, { 3000, 5000, 2000 } },
	{ "a pool that is down gives its share away", { 5000, 5000, 0 },
	    { 1, 0, 0 }, 2, 1000, false, 0, { 9000, 1000, 0 } },
	{ "... all of it", { 5000, 5000, 0 }, { 1, 0, 0 }, 2, 0, false, 0,
	    { ALL, 0, 0 } },
	{ "the only other one gets it", { ALL, 0, 0 }, { 1, 0, 1 }, 1, 3000,
	    false, 0, { 3000, 0, 7000 } },
	{ "two could: nobody guesses", { ALL, 0, 0 }, { 1, 1, 1 }, 1, 3000,
	    false, RO_NO_AMBIGUOUS, { ALL, 0, 0 } },
	{ "... not even when forced", { ALL, 0, 0 }, { 1, 1, 1 }, 1, 3000, true,
	    RO_NO_AMBIGUOUS, { ALL, 0, 0 } },
	{ "nobody could", { ALL, 0, 0 }, { 1, 0, 0 }, 1, 3000, false,
	    RO_NO_LAST_POOL, { ALL, 0, 0 } },
	{ "those that have some get it when forced", { 6000, 4000, 0 },
	    { 1, 0, 0 }, 1, 3000, true, 0, { 3000, 7000, 0 } },
	{ "the same again", { 3000, 7000, 0 }, { 1, 1, 0 }, 1, 3000, false, 0,
	    { 3000, 7000, 0 } },
	{ "nothing of nothing", { ALL, 0, 0 }, { 1, 1, 0 }, 2, 0, false, 0,
	    { ALL, 0, 0 } },
	{ "when nobody has any, one gets all", { 0, 0, 0 }, { 1, 0, 0 }, 1, ALL,
	    false, 0, { ALL, 0, 0 } },
	{ "when nobody has any, the rest finds its one", { 0, 0, 0 },
	    { 1, 1, 0 }, 1, 1000, false, 0, { 1000, 9000, 0 } },
};

Test(machine, shares_are_divided)
{
	for (size_t i = 0; i < ARRAY_LEN(divisions); i++) {
		struct ro_command c = world_command(RO_SHARE, "v1");

		end(), begin();
		c.pool[1] = (char)('0' + divisions[i].pool);
		c.share_bp = divisions[i].share_bp;
		c.force = divisions[i].force;
		for (size_t n = 1; n <= WORLD_POOLS; n++) {
			uint32_t share = divisions[i].before[n - 1];

			world_put(&w, n, share > 0 ? POOL_ACTIVE : POOL_READY,
			    share);
			world_fit(&w, n, divisions[i].able[n - 1]);
		}
		cr_expect_eq(world_do(&w, &c), divisions[i].refusal, "%s: %s",
		    divisions[i].why, w.why);
		for (size_t n = 1; n <= WORLD_POOLS; n++) {
			cr_expect_eq(world_pool(&w, n)->share_bp,
			    divisions[i].after[n - 1], "%s: v%zu has %u",
			    divisions[i].why, n, world_pool(&w, n)->share_bp);
			cr_expect(world_pool(&w, n)->share_bp == 0 ||
			        world_pool(&w, n)->state == POOL_ACTIVE,
			    "%s: v%zu", divisions[i].why, n);
		}
	}
}

/* Five have a hundredth each and four hundredths are left for them. */
Test(machine, rounding_makes_nobody_grow)
{
	struct ro_service *s = &w.s.services[0];
	struct ro_command c = world_command(RO_SHARE, "v1");

	s->n_pools = 6;
	for (size_t i = 0; i < s->n_pools; i++) {
		s->pools[i] = s->pools[0];
		s->pools[i].name[1] = (char)('1' + i);
		s->pools[i].share_bp = i == 0 ? ALL - 5 : 1;
	}
	c.share_bp = ALL - 4;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	s = &w.s.services[0];
	for (size_t i = 1; i < s->n_pools; i++)
		cr_expect_leq(s->pools[i].share_bp, 1u, "v%zu has %u", i + 1,
		    s->pools[i].share_bp);
	cr_expect_eq(share_sum(s), ALL);
}

/* ---- the clock ---- */

static const struct {
	const char *why;
	enum pool_state from;
	bool ready;
	size_t instances, eligible;
	uint64_t after_us;
	enum ro_changed changed;
	enum pool_state then;
} ticks[] = {
	{ "nothing there", POOL_COLD, false, 0, 0, 0, RO_SAME, POOL_COLD },
	{ "an instance was added", POOL_COLD, false, 1, 0, 0, RO_SOFT,
	    POOL_STARTING },
	{ "added and up at once", POOL_COLD, true, 1, 1, 0, RO_SOFT,
	    POOL_READY },
	{ "not yet", POOL_STARTING, false, 2, 1, 0, RO_SAME, POOL_STARTING },
	{ "proved", POOL_STARTING, true, 2, 2, 0, RO_SOFT, POOL_READY },
	{ "all were removed", POOL_STARTING, false, 0, 0, 0, RO_SOFT,
	    POOL_COLD },
	{ "a moment before the limit", POOL_STARTING, false, 2, 0,
	    RO_START_LIMIT_US - 1, RO_SAME, POOL_STARTING },
	{ "at the limit", POOL_STARTING, false, 2, 0, RO_START_LIMIT_US,
	    RO_SOFT, POOL_FAILED },
	{ "one is up: it may take longer", POOL_STARTING, false, 2, 1,
	    2 * RO_START_LIMIT_US, RO_SAME, POOL_STARTING },
	{ "still ready", POOL_READY, true, 2, 2, 0, RO_SAME, POOL_READY },
	{ "no longer", POOL_READY, false, 2, 1, 0, RO_SOFT, POOL_STARTING },
	{ "active and well", POOL_ACTIVE, true, 2, 2, 0, RO_TOLD, POOL_ACTIVE },
	{ "active stays so, whatever happens", POOL_ACTIVE, false, 0, 0,
	    2 * RO_START_LIMIT_US, RO_SAME, POOL_ACTIVE },
	{ "nobody proves what is out", POOL_DRAINED, true, 2, 2, 0, RO_SAME,
	    POOL_DRAINED },
	{ "nor what is retired", POOL_RETIRED, true, 2, 2, 0, RO_SAME,
	    POOL_RETIRED },
	{ "failed and still down", POOL_FAILED, false, 2, 0, 0, RO_SAME,
	    POOL_FAILED },
	{ "failed, and one comes up", POOL_FAILED, false, 2, 1, 0, RO_SOFT,
	    POOL_STARTING },
	{ "failed, and all come up", POOL_FAILED, true, 2, 2, 0, RO_SOFT,
	    POOL_READY },
	{ "failed, and all were removed", POOL_FAILED, false, 0, 0, 0, RO_SOFT,
	    POOL_COLD },
};

Test(machine, the_clock_moves_pools)
{
	for (size_t i = 0; i < ARRAY_LEN(ticks); i++) {
		struct ro_facts_pool *f = world_facts(&w, 2);
		uint64_t generation;

		end(), begin();
		w.rows[0].instances = w.rows[2].instances = 0;
		w.s.services[0].pools[0].life = RO_LIFE_ALIVE;
		world_put(&w, 2, ticks[i].from, 0);
		f->ready = ticks[i].ready;
		f->instances = ticks[i].instances;
		f->eligible = ticks[i].eligible;
		generation = w.s.generation;
		w.now += ticks[i].after_us;
		cr_expect_eq(world_tick(&w), ticks[i].changed, "%s",
		    ticks[i].why);
		cr_expect_eq(world_pool(&w, 2)->state, ticks[i].then, "%s: %s",
		    ticks[i].why, pool_state_name(world_pool(&w, 2)->state));
		cr_expect_eq(w.s.generation, generation,
		    "%s: readiness is no change of the state", ticks[i].why);
	}
}

Test(machine, a_start_asks_again_at_its_limit)
{
	world_put(&w, 2, POOL_STARTING, 0);
	world_facts(&w, 3)->instances = 0;
	w.now += 5 * S;
	(void)world_tick(&w);
	cr_expect_eq(w.due, WORLD_BEGAN + RO_START_LIMIT_US);
}

Test(machine, life_and_death_of_an_active_pool)
{
	static const struct {
		const char *why;
		size_t eligible;
		enum ro_life then;
	} rows[] = {
		{ "after a start nobody knows", 0, RO_LIFE_UNKNOWN },
		{ "it can serve", 1, RO_LIFE_ALIVE },
		{ "it dies", 0, RO_LIFE_DEAD },
		{ "still dead", 0, RO_LIFE_DEAD },
		{ "it comes back", 2, RO_LIFE_ALIVE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		world_facts(&w, 1)->eligible = rows[i].eligible;
		(void)world_tick(&w);
		cr_expect_eq(world_pool(&w, 1)->life, rows[i].then, "%s",
		    rows[i].why);
		cr_expect_eq(world_pool(&w, 1)->state, POOL_ACTIVE);
		cr_expect(world_plan(&w, 1).serves, "%s", rows[i].why);
	}
}

/* ---- drains ---- */

static void
switch_and_drain(uint8_t mode)
{
	struct ro_command c = world_command(RO_SWITCH, "v2");

	world_fit(&w, 2, true);
	world_facts(&w, 1)->sessions = 7;
	world_facts(&w, 1)->inflight = 3;
	world_facts(&w, 1)->streams = 2;
	c.drain = true;
	c.clocks.mode = mode;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_assert_eq(world_pool(&w, 1)->state, POOL_DRAINING);
}

/* What v1 is at some time after the drain began, while things hold it. */
#define GRACE (1800 * S)
static const struct {
	const char *why;
	uint8_t mode;
	uint64_t at;
	bool serves;
	enum view_pins pins;
	unsigned cut;
	uint64_t due;
} moments[] = {
	{ "keep: begins", CFG_DRAIN_KEEP, 0, true, PINS_KEEP, 0, S },
	{ "keep: streams run", CFG_DRAIN_KEEP, 300 * S - 1, true, PINS_KEEP, 0,
	    300 * S },
	{ "keep: streams are cut", CFG_DRAIN_KEEP, 300 * S, true, PINS_KEEP,
	    CUT_STREAMS, 301 * S },
	{ "keep: the grace runs", CFG_DRAIN_KEEP, GRACE - 1, true, PINS_KEEP,
	    CUT_STREAMS, GRACE },
	{ "keep: the grace ends", CFG_DRAIN_KEEP, GRACE, false, PINS_EVICT,
	    CUT_STREAMS, GRACE + 60 * S },
	{ "move: begins", CFG_DRAIN_MOVE, 0, true, PINS_MOVE, 0, S },
	{ "move: streams are cut", CFG_DRAIN_MOVE, 300 * S, true, PINS_MOVE,
	    CUT_STREAMS, 301 * S },
	{ "move: the grace ends", CFG_DRAIN_MOVE, GRACE, false, PINS_EVICT,
	    CUT_STREAMS, GRACE + 60 * S },
	{ "evict: at once", CFG_DRAIN_EVICT, 0, false, PINS_EVICT, 0, 60 * S },
	{ "evict: requests run", CFG_DRAIN_EVICT, 60 * S - 1, false, PINS_EVICT,
	    0, 60 * S },
	{ "evict: requests are cut", CFG_DRAIN_EVICT, 60 * S, false, PINS_EVICT,
	    CUT_REQUESTS, 300 * S },
	{ "evict: streams are cut", CFG_DRAIN_EVICT, 300 * S, false, PINS_EVICT,
	    CUT_REQUESTS | CUT_STREAMS, 0 },
};

Test(machine, the_three_clocks_of_a_drain)
{
	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		struct pool_plan p;

		end(), begin();
		world_facts(&w, 3)->instances = 0;
		switch_and_drain(moments[i].mode);
		w.now += moments[i].at;
		(void)world_tick(&w);
		p = world_plan(&w, 1);
		cr_expect_eq(world_pool(&w, 1)->state, POOL_DRAINING);
		cr_expect_eq(p.serves, moments[i].serves, "%s", moments[i].why);
		cr_expect_eq(p.pins, moments[i].pins, "%s", moments[i].why);
		cr_expect_eq(p.cut, moments[i].cut, "%s: %u", moments[i].why,
		    p.cut);
		cr_expect_eq(p.share_bp, 0u);
		cr_expect_eq(w.due,
		    moments[i].due == 0 ? 0 : WORLD_BEGAN + moments[i].due,
		    "%s: asks at %lld", moments[i].why,
		    (long long)(w.due - WORLD_BEGAN));
	}
}

/* Requests have their time from the end of the pins, not of the grace. */
Test(machine, requests_are_cut_after_the_close)
{
	switch_and_drain(CFG_DRAIN_KEEP);
	w.now += GRACE;
	cr_expect_eq(world_tick(&w), RO_HARD);
	w.now += 60 * S - 1;
	cr_expect_eq(world_plan(&w, 1).cut, CUT_STREAMS);
	w.now += 1;
	cr_expect_eq(world_plan(&w, 1).cut, CUT_STREAMS | CUT_REQUESTS);
}

/* Drained: no pin, nothing in flight, and every worker knows. */
Test(machine, drained_only_when_nothing_holds_it)
{
	static const struct {
		const char *why;
		uint64_t sessions, inflight, streams;
		bool view_current, closed, drained, unknown;
	} rows[] = {
		{ "a session", 1, 0, 0, true, false, false, false },
		{ "none seen since a restart", 0, 0, 0, true, false, false,
		    true },
		{ "a worker with the old view", 0, 0, 0, false, false, false,
		    false },
		{ "a request", 0, 1, 0, true, true, false, false },
		{ "a stream", 0, 0, 1, true, true, false, false },
		{ "nothing", 0, 0, 0, true, true, true, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ro_facts_pool *f = world_facts(&w, 1);

		end(), begin();
		switch_and_drain(CFG_DRAIN_KEEP);
		f->sessions = rows[i].sessions;
		f->inflight = rows[i].inflight;
		f->streams = rows[i].streams;
		f->view_current = rows[i].view_current;
		f->sessions_unknown = rows[i].unknown ? "somebody" : NULL;
		(void)world_tick(&w);
		cr_expect_eq(world_pool(&w, 1)->drain.closed_us != 0,
		    rows[i].closed && !rows[i].drained, "%s", rows[i].why);
		cr_expect_eq(world_pool(&w, 1)->state,
		    rows[i].drained ? POOL_DRAINED : POOL_DRAINING, "%s",
		    rows[i].why);
	}
}

/* The view without it must be adopted, not the one before. */
Test(machine, closed_is_not_drained_before_workers_know)
{
	struct ro_facts f = { .wall_us = w.now, .pools = w.rows };
	uint64_t due;

	switch_and_drain(CFG_DRAIN_EVICT);
	world_facts(&w, 1)->inflight = world_facts(&w, 1)->streams = 0;
	world_facts(&w, 1)->view_current = false;
	cr_expect_eq(machine_clock(&w.s, &f, &due) == RO_HARD, false);
	cr_expect_eq(world_pool(&w, 1)->state, POOL_DRAINING);
	world_facts(&w, 1)->view_current = true;
	cr_expect_eq(machine_clock(&w.s, &f, &due), RO_HARD);
	cr_expect_eq(world_pool(&w, 1)->state, POOL_DRAINED);
	cr_expect_not(world_plan(&w, 1).serves);
}

Test(machine, a_drain_again_has_other_clocks_and_the_same_begin)
{
	struct ro_command c = world_command(RO_DRAIN, "v1");

	switch_and_drain(CFG_DRAIN_KEEP);
	w.now += 100 * S;
	c.clocks.flows_us = 100 * S;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE);
	cr_expect_eq(world_pool(&w, 1)->drain.began_us, WORLD_BEGAN);
	(void)world_tick(&w);
	cr_expect_neq(world_pool(&w, 1)->drain.closed_us, 0u,
	    "the new grace is over");
	c.clocks.mode = CFG_DRAIN_KEEP;
	c.clocks.flows_us = 3600 * S;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE);
	cr_expect_eq(world_plan(&w, 1).pins, PINS_EVICT, "no pin comes back");
}

Test(machine, a_drain_turned_to_evict_closes_now)
{
	struct ro_command c = world_command(RO_DRAIN, "v1");

	switch_and_drain(CFG_DRAIN_KEEP);
	c.clocks.mode = CFG_DRAIN_EVICT;
	w.now += S;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE);
	cr_expect_eq(world_pool(&w, 1)->drain.closed_us, w.now);
}

Test(machine, a_drain_gives_its_share_away)
{
	struct ro_command c = world_command(RO_DRAIN, "v1");

	world_put(&w, 2, POOL_READY, 0);
	world_fit(&w, 2, true);
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(world_pool(&w, 2)->share_bp, ALL);
	cr_expect_eq(world_pool(&w, 2)->state, POOL_ACTIVE);
}

/* ---- 3 a.m. ---- */

/* Everything is down, one was even drained: each way out works. */
Test(machine, the_last_pool_forced_out_comes_back_with_all)
{
	struct ro_command c = world_command(RO_DRAIN, "v1");

	cr_expect_eq(world_do(&w, &c), RO_NO_LAST_POOL);
	c.force = true;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(share_sum(&w.s.services[0]), 0u);
	c = world_command(RO_UNDRAIN, "v1");
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(world_pool(&w, 1)->share_bp, ALL);
}

Test(machine, out_of_a_drained_service_by_switch_when_ready)
{
	struct ro_command c = world_command(RO_DRAIN, "v1");

	c.force = true;
	c.clocks.mode = CFG_DRAIN_EVICT;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE);
	(void)world_tick(&w);
	cr_assert_eq(world_pool(&w, 1)->state, POOL_DRAINED);
	c = world_command(RO_SWITCH, "v1");
	c.when_ready = true;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(world_pool(&w, 1)->state, POOL_STARTING);
	cr_expect_eq(world_tick(&w), RO_HARD);
	cr_expect_eq(world_pool(&w, 1)->state, POOL_ACTIVE);
	cr_expect_eq(world_pool(&w, 1)->share_bp, ALL);
}

/* V2 turned out bad while V1 drains: one command, and V1's pins hold on. */
Test(machine, back_in_the_middle_of_a_drain)
{
	struct ro_command c = world_command(RO_SWITCH, "v2");

	c.drain = true;
	c.clocks.mode = CFG_DRAIN_KEEP;
	c.clocks.flows_us = 1000000;
	world_fit(&w, 2, true);
	world_facts(&w, 1)->sessions = 1;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_assert_eq(world_pool(&w, 1)->state, POOL_DRAINING);
	memcpy(c.pool, "v1", sizeof("v1"));
	c.when_ready = true;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_expect_eq(world_pool(&w, 1)->state, POOL_ACTIVE);
	cr_expect_eq(world_pool(&w, 1)->share_bp, ALL);
	cr_expect_eq(world_pool(&w, 1)->drain.began_us, 0u);
	cr_expect_eq(world_pool(&w, 2)->state, POOL_DRAINING);
}

Test(machine, both_down_and_one_must_do)
{
	struct ro_command c = world_command(RO_SWITCH, "v2");

	world_fit(&w, 1, false);
	cr_expect_eq(world_do(&w, &c), RO_NO_NOT_READY);
	c.force = true;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE);
	cr_expect_eq(world_pool(&w, 2)->share_bp, ALL);
}

/* ---- a switch that waits ---- */

static void
switch_when_ready(bool drain)
{
	struct ro_command c = world_command(RO_SWITCH, "v2");

	c.when_ready = true;
	c.drain = drain;
	cr_assert_eq(world_do(&w, &c), RO_NO_NONE, "%s", w.why);
	cr_assert_str_eq(w.s.services[0].pending.pool, "v2");
	cr_assert_eq(world_pool(&w, 1)->share_bp, ALL);
}

Test(machine, a_pending_switch_comes_when_the_pool_is_ready)
{
	switch_when_ready(true);
	world_facts(&w, 1)->sessions = 1;
	(void)world_tick(&w);
	cr_expect_eq(world_pool(&w, 1)->share_bp, ALL);
	world_fit(&w, 2, true);
	world_facts(&w, 2)->ready = false; /* up, but not held yet */
	cr_expect_neq(world_tick(&w), RO_HARD);
	world_fit(&w, 2, true);
	cr_expect_eq(world_tick(&w), RO_HARD);
	cr_expect_eq(world_pool(&w, 2)->share_bp, ALL);
	cr_expect_eq(world_pool(&w, 1)->state, POOL_DRAINING);
	cr_expect_eq(world_pool(&w, 1)->drain.began_us, w.now);
	cr_expect_str_eq(w.s.services[0].pending.pool, "");
	cr_expect_str_eq(w.s.changed_by, "itself");
}

Test(machine, what_ends_a_pending_switch)
{
	static const struct {
		const char *why;
		enum ro_verb verb;
		const char *pool;
		bool ends;
	} rows[] = {
		{ "another share", RO_SHARE, "v1", true },
		{ "another switch", RO_SWITCH, "v1", true },
		{ "undrain of its pool", RO_UNDRAIN, "v2", true },
		{ "drain of its pool", RO_DRAIN, "v2", true },
		{ "drain of another", RO_DRAIN, "v3", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ro_command c = world_command(rows[i].verb, rows[i].pool);

		end(), begin();
		switch_when_ready(false);
		c.share_bp = ALL;
		cr_expect_eq(world_do(&w, &c), RO_NO_NONE, "%s: %s",
		    rows[i].why, w.why);
		cr_expect_eq(w.s.services[0].pending.pool[0] == '\0',
		    rows[i].ends, "%s", rows[i].why);
	}
}

Test(machine, when_ready_is_now_for_a_pool_that_is)
{
	struct ro_command c = world_command(RO_SWITCH, "v2");

	world_put(&w, 2, POOL_READY, 0);
	world_fit(&w, 2, true);
	c.when_ready = true;
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE);
	cr_expect_eq(world_pool(&w, 2)->share_bp, ALL);
	cr_expect_str_eq(w.s.services[0].pending.pool, "");
}

/* ---- epochs ---- */

/* Pins of before a close are void for ever, those of after an undrain not. */
Test(machine, a_close_voids_the_pins_of_before)
{
	struct ro_service *s = &w.s.services[0];
	struct ro_command c = world_command(RO_UNDRAIN, "v1");
	uint32_t pinned = s->epoch;

	switch_and_drain(CFG_DRAIN_EVICT);
	s = &w.s.services[0];
	cr_expect_gt(world_plan(&w, 1).min_epoch, pinned);
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE);
	s = &w.s.services[0];
	cr_expect_gt(world_plan(&w, 1).min_epoch, pinned);
	cr_expect_leq(world_plan(&w, 1).min_epoch, s->epoch);
	cr_expect_eq(world_pool(&w, 2)->min_epoch, 0u, "others keep theirs");
}

/* A keep that is taken back in time loses no session. */
Test(machine, undrain_before_the_close_keeps_the_pins)
{
	struct ro_command c = world_command(RO_UNDRAIN, "v1");

	switch_and_drain(CFG_DRAIN_KEEP);
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE);
	cr_expect_eq(world_plan(&w, 1).min_epoch, 0u);
	cr_expect_eq(world_plan(&w, 1).pins, PINS_KEEP);
	cr_expect(world_plan(&w, 1).serves);
	cr_expect_eq(world_pool(&w, 1)->share_bp, 0u);
	cr_expect_eq(world_pool(&w, 1)->drain.began_us, 0u);
}

/* ---- instances ---- */

static struct ro_command
instance_command(enum ro_verb verb, const char *address, uint8_t admin)
{
	struct ro_command c = world_command(verb, "v1");

	str_copy(STR("i9"), c.instance, sizeof(c.instance));
	str_copy(str_of(address), c.address, sizeof(c.address));
	c.admin = admin;
	return c;
}

Test(machine, words_about_instances_are_what_differs)
{
	static const struct {
		const char *why;
		enum ro_verb verb;
		const char *address;
		uint8_t admin;
		bool exists, configured; /* as the registry has it by then */
		enum ro_refusal refusal;
		size_t n; /* words that are kept */
		bool removed;
	} rows[] = {
		{ "added", RO_ADD_INSTANCE, "Host.example:80", 0, false, false,
		    0, 1, false },
		{ "added twice", RO_ADD_INSTANCE, "h:80", 0, true, false,
		    RO_NO_EXISTS, 1, false },
		{ "set aside", RO_INSTANCE, "", INST_MAINT, true, false, 0, 1,
		    false },
		{ "removed again", RO_REMOVE_INSTANCE, "", 0, true, false, 0, 0,
		    false },
		{ "added before", RO_ADD_INSTANCE, "h:80", 0, false, false, 0,
		    1, false },
		{ "removed though its name does not resolve",
		    RO_REMOVE_INSTANCE, "", 0, false, false, 0, 0, false },
		{ "a configured one set aside", RO_INSTANCE, "", INST_DRAIN,
		    true, true, 0, 1, false },
		{ "... and back", RO_INSTANCE, "", INST_IN, true, true, 0, 0,
		    false },
		{ "a configured one removed", RO_REMOVE_INSTANCE, "", 0, true,
		    true, 0, 1, true },
		{ "... comes back only as itself", RO_ADD_INSTANCE, "other:80",
		    0, false, true, RO_NO_EXISTS, 1, true },
		{ "... however it is typed", RO_ADD_INSTANCE, "C.Example:80", 0,
		    false, true, 0, 0, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ro_command c = instance_command(rows[i].verb,
		    rows[i].address, rows[i].admin);

		w.inst = (struct ro_facts_instance){ .exists = rows[i].exists,
			.configured = rows[i].configured ? "c.example:80"
			                                 : NULL };
		cr_expect_eq(world_do(&w, &c), rows[i].refusal, "%s: %s",
		    rows[i].why, w.why);
		cr_assert_eq(w.s.n_instances, rows[i].n, "%s", rows[i].why);
		if (rows[i].n > 0)
			cr_expect_eq(w.s.instances[0].removed, rows[i].removed,
			    "%s", rows[i].why);
	}
}

Test(machine, the_last_ready_instance_stays_unless_forced)
{
	static const struct {
		const char *why;
		enum ro_verb verb;
		uint8_t admin;
		uint32_t share;
		size_t eligible;
		bool is_one, force;
		enum ro_refusal refusal;
	} rows[] = {
		{ "the last", RO_INSTANCE, INST_MAINT, ALL, 1, true, false,
		    RO_NO_LAST_INSTANCE },
		{ "the last, drained", RO_INSTANCE, INST_DRAIN, ALL, 1, true,
		    false, RO_NO_LAST_INSTANCE },
		{ "the last, removed", RO_REMOVE_INSTANCE, 0, ALL, 1, true,
		    false, RO_NO_LAST_INSTANCE },
		{ "forced", RO_INSTANCE, INST_MAINT, ALL, 1, true, true, 0 },
		{ "back in", RO_INSTANCE, INST_IN, ALL, 1, true, false, 0 },
		{ "one of two", RO_INSTANCE, INST_MAINT, ALL, 2, true, false,
		    0 },
		{ "it is down anyway", RO_INSTANCE, INST_MAINT, ALL, 1, false,
		    false, 0 },
		{ "of a pool without a share", RO_INSTANCE, INST_MAINT, 0, 1,
		    true, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ro_command c = instance_command(rows[i].verb, "",
		    rows[i].admin);

		end(), begin();
		world_pool(&w, 1)->share_bp = rows[i].share;
		world_facts(&w, 1)->eligible = rows[i].eligible;
		w.inst = (struct ro_facts_instance){ .exists = true,
			.eligible = rows[i].is_one,
			.configured = "c:80" };
		c.force = rows[i].force;
		cr_expect_eq(world_do(&w, &c), rows[i].refusal, "%s: %s",
		    rows[i].why, w.why);
	}
}

Test(machine, there_is_room_for_so_many_instances)
{
	struct ro_command c = instance_command(RO_ADD_INSTANCE, "h:1", 0);

	for (int i = 0; i < RO_INSTANCES_MAX; i++) {
		(void)snprintf(c.instance, sizeof(c.instance), "i%d", i);
		cr_assert_eq(world_do(&w, &c), RO_NO_NONE);
	}
	str_copy(STR("one-more"), c.instance, sizeof(c.instance));
	cr_expect_eq(world_do(&w, &c), RO_NO_TOO_MANY);
	cr_expect_str_eq(w.why,
	    "more than 512 instances were changed by commands; put them into "
	    "the configuration and reload");
}

/* ---- who did it ---- */

Test(machine, who_changed_it_is_kept_harmless)
{
	struct ro_command c = world_command(RO_DRAIN, "v2");

	str_copy(STR("uid=0 \"root\"\n\\\x7f\xc3\xa9"), c.who, sizeof(c.who));
	cr_expect_eq(world_do(&w, &c), RO_NO_NONE);
	cr_expect_str_eq(w.s.changed_by, "uid=0 ?root??????");
	cr_expect_eq(w.s.changed_us, w.now);
}

/* ---- the table of edges ---- */

Test(machine, no_state_is_a_dead_end)
{
	for (int from = 0; from < POOL_STATE_COUNT; from++) {
		unsigned ways = 0;

		for (int to = 0; to < POOL_STATE_COUNT; to++)
			ways += pool_may_go((enum pool_state)from,
			    (enum pool_state)to);
		cr_expect_gt(ways, 0u, "%s", pool_state_name(from));
		cr_expect_not(pool_may_go((enum pool_state)from,
		    (enum pool_state)from));
	}
	for (int from = 0; from < POOL_STATE_COUNT; from++)
		if (from != POOL_DRAINING)
			cr_expect_not(pool_may_go((enum pool_state)from,
			                  POOL_DRAINED),
			    "only what drains is ever drained");
}
