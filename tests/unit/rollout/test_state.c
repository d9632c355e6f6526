/*
 * The state file: what is written is read back, what is damaged is refused
 * with the way out, and no failing disk leaves less than the old one.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/fault.h"
#include "../base/scratch.h"
#include "base/err.h"
#include "world.h"

#define ALL CFG_SHARE_ALL

static struct world w;

/* At a job, of which nobody knows how it ended. */
static void
furnish_rollout(struct ro_service *s)
{
	struct ro_rollout *r = &s->rollout;

	r->id = 3;
	r->stand = RO_STAND_PAUSED;
	r->entered = r->failed = r->unknown = true;
	r->runs = 7;
	r->ran = 1;
	str_copy(STR("v2"), r->to, sizeof(r->to));
	str_copy(STR("26.6.2"), r->version, sizeof(r->version));
	r->at = 1;
	r->n_steps = 3;
	r->steps[0] = (struct ro_step){ .kind = CFG_STEP_CHECK,
		.job = "fits",
		.exit = -1,
		.took_us = 5 * S,
		.said = "a \"last\" line" };
	r->steps[1] = (struct ro_step){ .kind = CFG_STEP_JOB,
		.job = "migrate",
		.once = CFG_ONCE_VERSION,
		.exit = 255 };
	r->steps[2] = (struct ro_step){ .kind = CFG_STEP_PROMOTE };
	s->n_done = 2;
	s->done[0] = (struct ro_done){ .job = "users", .when_us = 8 * S };
	s->done[1] = (struct ro_done){ .job = "migrate",
		.version = "26.6.1",
		.when_us = 9 * S };
}

/* It is held, and there were rollouts before. */
static void
furnish_hold(struct ro_service *s)
{
	struct ro_rollout *r = &s->rollout;

	s->hold = HOLD_WRITES;
	s->held_us = 11 * S;
	s->path = RO_PATH_RECREATE;
	s->path_us = 12 * S;
	str_copy(STR("r1 is not r2"), s->path_why, sizeof(s->path_why));
	s->n_past = 1;
	s->past[0] = (struct ro_past){ .id = 2,
		.stand = RO_STAND_ROLLED_BACK,
		.to = "v1",
		.version = "26.5.0",
		.who = "ann",
		.why = "it failed",
		.began_us = 13 * S,
		.ended_us = 14 * S,
		.held_us = 15 * S,
		.accepted = 16,
		.fault = 17 };
	r->path = RO_PATH_ROLLING;
	r->partial = true;
	r->hold_until_us = 18 * S;
	r->held_us = 19 * S;
	r->base = (struct ro_count){ .process_us = 20 * S,
		.holds = true,
		.accepted = 21,
		.in_flight = 22,
		.refused = 23,
		.retries = 24,
		.held = 25,
		.released = 26,
		.moved = 27,
		.n_pools = 1 };
	r->base.class[CLASS_fault] = 28;
	r->base.streams[STREAM_END_COUNT - 1] = 29;
	str_copy(STR("v1"), r->base.pools[0].pool, CFG_NAME_MAX);
	r->base.pools[0].toll = (struct ro_toll){ 30, 31 };
	r->count.accepted = 32;
	r->timeline = (struct ro_timeline){ .process_us = 34 * S,
		.piece_us = 35 * S,
		.n = 2,
		.gaps = 2 };
	r->timeline.seen[0] = (struct ro_toll){ 36, 37 };
	r->timeline.pieces[0][0] = (struct ro_toll){ 38, 39 };
	r->timeline.pieces[1][0] = (struct ro_toll){ 40, 41 };
	r->steps[1].logins_pct = 42;
	r->print = 43;
	s->pools[0].print = 44;
	r->begun = 5;
	r->steps[2].kind = CFG_STEP_HOLD;
	r->steps[2].writes_only = r->steps[2].no_return = true;
	r->steps[2].only = CFG_ONLY_RECREATE;
	r->steps[2].lasted_us = 33 * S;
	r->steps[0].by = CFG_BY_VERSION;
}

/* One of everything the file can hold. */
static void
furnish(struct world *x)
{
	struct ro_service *s = &x->s.services[0];
	struct instance_plan *i = x->s.instances;

	x->s.generation = 41;
	x->s.changed_us = x->now;
	str_copy(STR("uid=0 (root)"), x->s.changed_by, RO_WHO_MAX);
	world_put(x, 1, POOL_DRAINING, 0);
	s->pools[0].drain = (struct ro_drain){ .mode = CFG_DRAIN_MOVE,
		.began_us = x->now,
		.closed_us = x->now + S,
		.flows_us = 2 * S,
		.requests_us = 3 * S,
		.streams_us = 4 * S };
	s->pools[0].min_epoch = 7;
	s->pools[1].move_epoch = 8;
	str_copy(STR("v3"), s->pools[1].pins_to, CFG_NAME_MAX + 1);
	s->n_orders = 2;
	s->orders[0] =
	    (struct ro_order){ .session = UINT64_C(0xfedcba9876543210),
		    .given_us = x->now - S,
		    .epoch = 6,
		    .how = PINS_EVICT };
	s->orders[1] = (struct ro_order){ .session = 45,
		.given_us = x->now,
		.epoch = 8,
		.how = PINS_MOVE,
		.to = 2 };
	world_put(x, 2, POOL_ACTIVE, ALL);
	s->epoch = 9;
	str_copy(STR("v3"), s->pending.pool, sizeof(s->pending.pool));
	s->pending.drain = true;
	s->pending.clocks = (struct ro_drain){ .mode = CFG_DRAIN_EVICT,
		.flows_us = 5 * S };
	furnish_rollout(s);
	furnish_hold(s);
	*i++ = (struct instance_plan){ .service = "a",
		.pool = "v2",
		.name = "added",
		.address = "unix:/run/x \xc3\xa9",
		.weight = 3,
		.admin = INST_DRAIN };
	*i++ = (struct instance_plan){ .service = "b",
		.pool = "v1",
		.name = "127.0.0.1:4",
		.weight = 1,
		.removed = true,
		.admin = INST_MAINT };
	x->s.n_instances = 2;
}

static void
begin(void)
{
	scratch_begin();
	world_make(&w);
	furnish(&w);
}

static void
end(void)
{
	world_free(&w);
	scratch_end();
}

TestSuite(state, .init = begin, .fini = end, .timeout = 60);

static int
read_back(struct str text, struct ro_state *out, char *why, size_t cap)
{
	cr_assert_eq(ro_state_new(out), E_OK);
	why[0] = '\0';
	return ro_state_read(text, out, why, cap);
}

static void
save_world(void)
{
	cr_assert_eq(ro_state_save(scratch_path(RO_STATE_FILE), &w.s), E_OK);
}

/* What a load says, and that a good one holds what w does. */
static int
load(char *why, size_t cap)
{
	struct ro_state back;
	char *is, *was;
	int rc;

	cr_assert_eq(ro_state_new(&back), E_OK);
	why[0] = '\0';
	rc = ro_state_load(scratch_path(RO_STATE_FILE), &back, why, cap);
	if (rc == E_OK) {
		is = world_text(&back);
		was = world_text(&w.s);
		cr_expect_str_eq(is, was);
		free(is);
		free(was);
	}
	ro_state_free(&back);
	return rc;
}

/* ---- there and back ---- */

Test(state, what_is_saved_is_loaded)
{
	struct ro_state back;
	const struct ro_service *s;
	char why[512];

	save_world();
	cr_expect_eq(load(why, sizeof(why)), E_OK, "%s", why);
	cr_assert_eq(ro_state_new(&back), E_OK);
	cr_assert_eq(ro_state_load(scratch_path(RO_STATE_FILE), &back, why,
	                 sizeof(why)),
	    E_OK);
	s = &back.services[0];
	cr_expect_eq(back.generation, 41u);
	cr_expect_eq(back.n_services, 2u);
	cr_expect_str_eq(back.changed_by, "uid=0 (root)");
	cr_expect_eq(s->epoch, 9u);
	cr_expect_eq(s->pools[0].state, POOL_DRAINING);
	cr_expect_eq(s->pools[0].min_epoch, 7u);
	cr_expect_eq(s->pools[0].drain.mode, CFG_DRAIN_MOVE);
	cr_expect_eq(s->pools[0].drain.closed_us, w.now + S);
	cr_expect_eq(s->pools[0].drain.streams_us, 4 * S);
	cr_expect_eq(s->pools[1].share_bp, ALL);
	cr_expect_str_eq(s->pending.pool, "v3");
	cr_expect(s->pending.drain);
	cr_expect_eq(s->pending.clocks.mode, CFG_DRAIN_EVICT);
	cr_expect_eq(s->pending.clocks.flows_us, 5 * S);
	cr_expect_eq(back.n_instances, 2u);
	cr_expect_str_eq(back.instances[0].address, "unix:/run/x \xc3\xa9");
	cr_expect_eq(back.instances[0].weight, 3u);
	cr_expect_eq(back.instances[0].admin, INST_DRAIN);
	cr_expect(back.instances[1].removed);
	ro_state_free(&back);
}

Test(state, what_is_saved_of_jobs_is_loaded)
{
	char *text = world_text(&w.s), why[256];
	struct ro_state back;
	const struct ro_service *s;
	const struct ro_rollout *r;

	cr_assert_eq(read_back(str_of(text), &back, why, sizeof(why)), E_OK,
	    "it %s", why);
	s = &back.services[0];
	r = &s->rollout;
	cr_expect(r->unknown);
	cr_expect_eq(r->runs, 7u);
	cr_expect_eq(r->ran, 1u);
	cr_expect_str_eq(r->version, "26.6.2");
	cr_expect_str_eq(r->steps[0].job, "fits");
	cr_expect_eq(r->steps[0].once, CFG_ONCE_NO);
	cr_expect_eq(r->steps[0].exit, -1);
	cr_expect_eq(r->steps[0].took_us, 5 * S);
	cr_expect_str_eq(r->steps[0].said, "a \"last\" line");
	cr_expect_eq(r->steps[1].once, CFG_ONCE_VERSION);
	cr_expect_eq(r->steps[1].exit, 255);
	cr_expect_str_eq(r->steps[2].job, "");
	cr_expect_eq(s->n_done, 2u);
	cr_expect_eq(s->pools[1].move_epoch, 8u);
	cr_expect_str_eq(s->pools[1].pins_to, "v3");
	cr_assert_eq(s->n_orders, 2u);
	cr_expect_eq(s->orders[0].session, UINT64_C(0xfedcba9876543210));
	cr_expect_eq(s->orders[0].how, PINS_EVICT);
	cr_expect_eq(s->orders[0].to, 0);
	cr_expect_eq(s->orders[1].epoch, 8u);
	cr_expect_eq(s->orders[1].how, PINS_MOVE);
	cr_expect_eq(s->orders[1].to, 2);
	cr_expect_str_eq(s->done[0].job, "users");
	cr_expect_str_eq(s->done[0].version, "");
	cr_expect_eq(s->done[0].when_us, 8 * S);
	cr_expect_str_eq(s->done[1].version, "26.6.1");
	cr_expect_eq(back.services[1].n_done, 0u);
	ro_state_free(&back);
	free(text);
}

Test(state, what_is_saved_of_holds_is_loaded)
{
	char *text = world_text(&w.s), why[256];
	struct ro_state back;
	const struct ro_service *s;
	const struct ro_rollout *r;

	cr_assert_eq(read_back(str_of(text), &back, why, sizeof(why)), E_OK,
	    "it %s", why);
	s = &back.services[0];
	r = &s->rollout;
	cr_expect_eq(s->hold, HOLD_WRITES);
	cr_expect_eq(s->held_us, 11 * S);
	cr_expect_eq(s->path, RO_PATH_RECREATE);
	cr_expect_eq(s->path_us, 12 * S);
	cr_expect_str_eq(s->path_why, "r1 is not r2");
	cr_assert_eq(s->n_past, 1u);
	cr_expect_eq(s->past[0].id, 2u);
	cr_expect_eq(s->past[0].stand, RO_STAND_ROLLED_BACK);
	cr_expect_str_eq(s->past[0].to, "v1");
	cr_expect_str_eq(s->past[0].version, "26.5.0");
	cr_expect_str_eq(s->past[0].who, "ann");
	cr_expect_str_eq(s->past[0].why, "it failed");
	cr_expect_eq(s->past[0].began_us, 13 * S);
	cr_expect_eq(s->past[0].ended_us, 14 * S);
	cr_expect_eq(s->past[0].held_us, 15 * S);
	cr_expect_eq(s->past[0].accepted, 16u);
	cr_expect_eq(s->past[0].fault, 17u);
	cr_expect_eq(r->path, RO_PATH_ROLLING);
	cr_expect(r->partial);
	cr_expect_eq(r->hold_until_us, 18 * S);
	cr_expect_eq(r->held_us, 19 * S);
	cr_expect_eq(r->base.process_us, 20 * S);
	cr_expect(r->base.holds);
	cr_expect_eq(r->base.accepted, 21u);
	cr_expect_eq(r->base.in_flight, 22u);
	cr_expect_eq(r->base.refused, 23u);
	cr_expect_eq(r->base.retries, 24u);
	cr_expect_eq(r->base.held, 25u);
	cr_expect_eq(r->base.released, 26u);
	cr_expect_eq(r->base.moved, 27u);
	cr_expect_eq(r->base.class[CLASS_fault], 28u);
	cr_expect_eq(r->base.streams[STREAM_END_COUNT - 1], 29u);
	cr_assert_eq(r->base.n_pools, 1u);
	cr_expect_str_eq(r->base.pools[0].pool, "v1");
	cr_expect_eq(r->base.pools[0].toll.requests, 30u);
	cr_expect_eq(r->base.pools[0].toll.bad, 31u);
	cr_expect_eq(r->count.accepted, 32u);
	cr_expect_eq(r->timeline.process_us, 34 * S);
	cr_expect_eq(r->timeline.piece_us, 35 * S);
	cr_assert_eq(r->timeline.n, 2u);
	cr_expect_eq(r->timeline.gaps, 2u);
	cr_expect_eq(r->timeline.seen[0].requests, 36u);
	cr_expect_eq(r->timeline.seen[0].bad, 37u);
	cr_expect_eq(r->timeline.pieces[0][0].requests, 38u);
	cr_expect_eq(r->timeline.pieces[0][0].bad, 39u);
	cr_expect_eq(r->timeline.pieces[1][0].requests, 40u);
	cr_expect_eq(r->timeline.pieces[1][0].bad, 41u);
	cr_expect_eq(r->steps[1].logins_pct, 42u);
	cr_expect_eq(r->print, 43u);
	cr_expect_eq(s->pools[0].print, 44u);
	cr_expect_eq(r->begun, 5u);
	cr_expect(r->steps[2].writes_only && r->steps[2].no_return);
	cr_expect_eq(r->steps[2].only, CFG_ONLY_RECREATE);
	cr_expect_eq(r->steps[2].lasted_us, 33 * S);
	cr_expect_eq(r->steps[0].by, CFG_BY_VERSION);
	ro_state_free(&back);
	free(text);
}

Test(state, none_is_no_error)
{
	char why[512];

	cr_expect_eq(load(why, sizeof(why)), E_NOENT);
	cr_expect_str_eq(why, "");
}

Test(state, what_crashes_left_is_swept)
{
	char why[512];

	scratch_write(RO_STATE_FILE ".new.1", STR("half"));
	scratch_write(RO_STATE_FILE ".new.99999", STR(""));
	scratch_write(RO_STATE_FILE ".damaged", STR("an operator's"));
	scratch_write("other.new.1", STR("another's"));
	cr_expect_eq(load(why, sizeof(why)), E_NOENT, "a first start");
	cr_expect_eq(scratch_files(), 2u);
	save_world();
	scratch_write(RO_STATE_FILE ".new.1", STR("half"));
	cr_expect_eq(load(why, sizeof(why)), E_OK, "%s", why);
	cr_expect_eq(scratch_files(), 3u);
}

/* ---- damage ---- */

Test(state, every_bit_flipped_is_noticed)
{
	char *text = world_text(&w.s), why[256];
	size_t len = strlen(text);

	for (size_t i = 0; i < len * 8; i++) {
		struct ro_state back;
		int rc;

		text[i / 8] ^= (char)(1 << i % 8);
		rc = read_back(str_from(text, len), &back, why, sizeof(why));
		text[i / 8] ^= (char)(1 << i % 8);
		cr_expect(rc == E_DAMAGED || rc == E_UNSUPPORTED,
		    "bit %zu of byte %zu: %s", i % 8, i / 8, err_name(rc));
		cr_expect_neq(why[0], '\0');
		ro_state_free(&back);
	}
	free(text);
}

Test(state, every_length_but_its_own_is_noticed)
{
	char *text = world_text(&w.s), why[256];
	size_t len = strlen(text);
	struct ro_state back;

	for (size_t n = 0; n < len; n++) {
		int rc = read_back(str_from(text, n), &back, why, sizeof(why));

		cr_expect_eq(rc, E_DAMAGED, "cut at %zu: %s", n, err_name(rc));
		cr_expect_neq(why[0], '\0');
		ro_state_free(&back);
	}
	/* The NUL behind it serves as one byte too many. */
	cr_expect_eq(read_back(str_from(text, len + 1), &back, why,
	                 sizeof(why)),
	    E_DAMAGED);
	ro_state_free(&back);
	free(text);
}

/* Text under a header that fits it. */
static char *
seal(const char *body)
{
	char *out = NULL;

	cr_assert_gt(
	    asprintf(&out, "segue-state 1 41 %zu %016llx\n%s", strlen(body),
	        (unsigned long long)ro_state_hash(str_of(body), 41), body),
	    0);
	return out;
}

/* The first of from becomes to. */
static char *
replace(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *out = NULL;

	cr_assert_not_null(at, "there is no %s", from);
	cr_assert_gt(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to,
	                 at + strlen(from)),
	    0);
	return out;
}

static const struct {
	const char *why, *from, *to;
} impossible[] = {
	{ "no JSON", "{", "[" },
	{ "no object", "{\"changed_us\"", "{}{\"changed_us\"" },
	{ "no time", "\"changed_us\"", "\"x\"" },
	{ "no name of who", "\"changed_by\"", "\"x\"" },
	{ "no services", "\"services\"", "\"x\"" },
	{ "no instances", "\"instances\"", "\"x\"" },
	{ "a service without a name", "\"name\":\"a\"", "\"name\":\"\"" },
	{ "two services of one name", "\"name\":\"b\"", "\"name\":\"a\"" },
	{ "a negative epoch", "\"epoch\":9", "\"epoch\":-9" },
	{ "an epoch beyond its range", "\"epoch\":9", "\"epoch\":4294967296" },
	{ "a number as text", "\"epoch\":9", "\"epoch\":\"9\"" },
	{ "all pins of now are void", "\"min_epoch\":7", "\"min_epoch\":10" },
	{ "all pins of now move", "\"move_epoch\":8", "\"move_epoch\":10" },
	{ "an order of later", "\"epoch\":8", "\"epoch\":10" },
	{ "two pools of one name", "\"name\":\"v2\"", "\"name\":\"v1\"" },
	{ "a state that is none", "\"active\"", "\"busy\"" },
	{ "a share above all", "\"share_bp\":10000", "\"share_bp\":10001" },
	{ "shares below all", "\"share_bp\":10000", "\"share_bp\":9999" },
	{ "a share of a pool that drains", "\"state\":\"active\"",
	    "\"state\":\"ready\"" },
	{ "a drain without its clocks", "\"drain\":{", "\"x\":{" },
	{ "a drain of no mode", "\"mode\":\"move\"", "\"mode\":\"stop\"" },
	{ "a switch to a pool that is none", "\"pool\":\"v3\"",
	    "\"pool\":\"v9\"" },
	{ "a word that is none", "\"admin\":\"drain\"", "\"admin\":\"off\"" },
	{ "a weight beyond its range", "\"weight\":3", "\"weight\":65536" },
	{ "removed: perhaps", "\"removed\":false", "\"removed\":0" },
	{ "how often is no word", "\"once\":\"version\"",
	    "\"once\":\"twice\"" },
	{ "a job without a name", "\"job\":\"fits\"", "\"job\":\"\"" },
	{ "a job that is a number", "\"job\":\"fits\"", "\"job\":7" },
	{ "an exit status beyond its range", "\"exit\":255", "\"exit\":300" },
	{ "an exit status below it", "\"exit\":-1", "\"exit\":-2" },
	{ "less than no time", "\"took_us\":5", "\"took_us\":-5" },
	{ "a job that said nothing, not even that", "\"said\"", "\"x\"" },
	{ "runs beyond their range", "\"runs\":7", "\"runs\":4294967296" },
	{ "fewer runs than none", "\"runs\":7", "\"runs\":-7" },
	{ "steps beyond their range", "\"ran\":1", "\"ran\":4294967296" },
	{ "runs, and which were done is gone", "\"ran\"", "\"x\"" },
	{ "runs for no version", "\"version\":\"26.6.2\"", "\"x\":1" },
	{ "done, but no list", "\"done\":[", "\"done\":7,\"x\":[" },
	{ "done without a name", "\"job\":\"users\"", "\"job\":\"\"" },
	{ "done for no version, not even all", "\"version\":\"26.6.1\"",
	    "\"x\":1" },
	{ "done at no time", "\"when_us\":9", "\"when_us\":-9" },
	{ "held, but not what", "\"hold\":\"writes\"", "\"hold\":\"some\"" },
	{ "held since never", "\"held_us\":11", "\"held_us\":-11" },
	{ "a way that is none", "\"path\":2,\"path_us\"",
	    "\"path\":3,\"path_us\"" },
	{ "a way for no reason", "\"path_why\"", "\"x\"" },
	{ "a rollout's way that is none", "\"path\":1", "\"path\":3" },
	{ "counts that are all there: perhaps", "\"partial\":true",
	    "\"partial\":1" },
	{ "no counts to begin with", "\"base\":{", "\"x\":{" },
	{ "less than no requests", "\"accepted\":21", "\"accepted\":-21" },
	{ "no counts of failures", "\"fault\":28", "\"x\":28" },
	{ "a pool that was counted, without a name", "\"pool\":\"v1\"",
	    "\"pool\":\"\"" },
	{ "released by no time", "\"hold_until_us\"", "\"x\"" },
	{ "a step on a way that is none", "\"only\":2", "\"only\":3" },
	{ "a check by nothing", "\"by\":2", "\"by\":3" },
	{ "a step that lasted less than no time", "\"lasted_us\":33",
	    "\"lasted_us\":-33" },
	{ "before, but no list", "\"past\":[", "\"past\":7,\"x\":[" },
	{ "one before that ended in no way", "\"stand\":\"rolled_back\"",
	    "\"stand\":\"lost\"" },
	{ "one before to nowhere", "\"to\":\"v1\"", "\"to\":\"\"" },
	{ "a name that is too long", "\"name\":\"a\"",
	    "\"name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaa\"" },
};

/* Its checksum is right, so that only the values speak against it. */
Test(state, impossible_values_are_noticed)
{
	char *text = world_text(&w.s), why[256];
	const char *body = strchr(text, '\n') + 1;

	for (size_t i = 0; i < ARRAY_LEN(impossible); i++) {
		char *bad = replace(body, impossible[i].from, impossible[i].to);
		char *sealed = seal(bad);
		struct ro_state back;

		cr_expect_eq(read_back(str_of(sealed), &back, why, sizeof(why)),
		    E_DAMAGED, "%s", impossible[i].why);
		cr_expect_neq(why[0], '\0', "%s", impossible[i].why);
		ro_state_free(&back);
		free(sealed);
		free(bad);
	}
	free(text);
}

Test(state, more_pools_than_there_is_room_for)
{
	struct ro_state back;
	char why[256], *sealed;
	struct buf b = BUF_INIT;

	buf_add_cstr(&b,
	    "{\"changed_us\":1,\"changed_by\":\"\",\"services\":"
	    "[{\"name\":\"a\",\"epoch\":1,\"pools\":[");
	for (int i = 0; i <= CFG_POOLS_MAX; i++)
		buf_printf(&b,
		    "%s{\"name\":\"v%d\",\"state\":\"cold\",\"share_bp\":0,"
		    "\"min_epoch\":0,\"since_us\":0}",
		    i > 0 ? "," : "", i);
	buf_add_cstr(&b, "]}],\"instances\":[]}");
	sealed = seal(b.p);
	cr_expect_eq(read_back(str_of(sealed), &back, why, sizeof(why)),
	    E_DAMAGED);
	ro_state_free(&back);
	free(sealed);
	buf_free(&b);
}

Test(state, more_done_than_there_is_room_for)
{
	for (size_t over = 0; over < 2; over++) {
		struct buf b = BUF_INIT;
		struct ro_state back;
		char why[256], *sealed;

		buf_add_cstr(&b,
		    "{\"changed_us\":1,\"changed_by\":\"\",\"services\":"
		    "[{\"name\":\"a\",\"epoch\":1,\"pools\":[],\"done\":[");
		for (size_t i = 0; i < RO_DONE_MAX + over; i++)
			buf_printf(&b,
			    "%s{\"job\":\"j%zu\",\"version\":\"\","
			    "\"when_us\":1}",
			    i > 0 ? "," : "", i);
		buf_add_cstr(&b, "]}],\"instances\":[]}");
		sealed = seal(b.p);
		cr_expect_eq(read_back(str_of(sealed), &back, why, sizeof(why)),
		    over > 0 ? E_DAMAGED : E_OK);
		ro_state_free(&back);
		free(sealed);
		buf_free(&b);
	}
}

Test(state, more_before_than_there_is_room_for)
{
	for (size_t over = 0; over < 2; over++) {
		char *text, *more, *body, *sealed, why[256];
		struct ro_service *s = &w.s.services[0];
		struct ro_state back;

		for (s->n_past = 1; s->n_past < RO_PAST_MAX; s->n_past++)
			s->past[s->n_past] = s->past[0];
		text = world_text(&w.s);
		body = strchr(text, '\n') + 1;
		more = replace(body, "\"past\":[",
		    over == 0
		        ? "\"past\":["
		        : "\"past\":[{\"id\":1,\"stand\":\"done\",\"to\":"
		          "\"v1\",\"version\":\"\",\"who\":\"\",\"why\":"
		          "\"\",\"began_us\":0,\"ended_us\":0,\"held_us\":0,"
		          "\"accepted\":0,\"fault\":0},");
		sealed = seal(more);
		cr_expect_eq(read_back(str_of(sealed), &back, why, sizeof(why)),
		    over > 0 ? E_DAMAGED : E_OK);
		ro_state_free(&back);
		free(sealed);
		free(more);
		free(text);
	}
}

/* Files of before there were jobs lack these. */
static const char *const of_jobs[] = {
	",\"job\":\"fits\",\"once\":\"no\",\"exit\":-1,\"took_us\":5000000,"
	"\"said\":\"a \\\"last\\\" line\"",
	",\"job\":\"migrate\",\"once\":\"version\",\"exit\":255,\"took_us\":0,"
	"\"said\":\"\"",
	",\"unknown\":true,\"runs\":7,\"begun\":5,\"ran\":1",
	",\"version\":\"26.6.2\"",
	",\"done\":[{\"job\":\"users\",\"version\":\"\",\"when_us\":8000000},{"
	"\"job\":\"migrate\",\"version\":\"26.6.1\",\"when_us\":9000000}]",
};

Test(state, files_without_jobs_are_read)
{
	char *text = world_text(&w.s), *body = strchr(text, '\n') + 1;
	char *sealed, why[256];
	const struct ro_rollout *r;
	struct ro_state back;

	body = replace(body, ",\"done\":[]", ""); /* of b */
	for (size_t i = 0; i < ARRAY_LEN(of_jobs); i++) {
		char *less = replace(body, of_jobs[i], "");

		free(body);
		body = less;
	}
	sealed = seal(body);
	cr_assert_eq(read_back(str_of(sealed), &back, why, sizeof(why)), E_OK,
	    "it %s", why);
	r = &back.services[0].rollout;
	cr_expect_eq(r->at, 1u);
	cr_expect_not(r->unknown);
	cr_expect_eq(r->runs + r->ran, 0u);
	cr_expect_str_eq(r->version, "");
	cr_expect_str_eq(r->steps[1].job, "");
	cr_expect_eq(r->steps[1].once, CFG_ONCE_NO);
	cr_expect_eq(back.services[0].n_done, 0u);
	ro_state_free(&back);
	free(sealed);
	free(body);
	free(text);
}

/* ---- what the operator reads ---- */

static void
expect_advice(const char *what, int want, const char *says, const char *move)
{
	char why[1024], *mv = NULL;

	cr_expect_eq(load(why, sizeof(why)), want, "%s", what);
	cr_expect(strstr(why, scratch_path(RO_STATE_FILE)) == why,
	    "%s begins with the file: %s", what, why);
	cr_expect_not_null(strstr(why, says), "%s: %s", what, why);
	cr_expect_not_null(strstr(why,
	                       "segued does not guess which pool serves."),
	    "%s: %s", what, why);
	cr_assert_gt(asprintf(&mv, "mv %s %s.%s", scratch_path(RO_STATE_FILE),
	                 scratch_path(RO_STATE_FILE), move),
	    0);
	cr_expect_not_null(strstr(why, mv), "%s: %s", what, why);
	free(mv);
}

Test(state, a_bad_file_is_refused_with_the_way_out)
{
	char *text = world_text(&w.s), *later;

	scratch_write(RO_STATE_FILE, STR(""));
	expect_advice("empty", E_DAMAGED,
	    "is damaged: it does not begin with the line \"segue-state 1 "
	    "GENERATION LENGTH HASH\"",
	    "damaged");
	scratch_write(RO_STATE_FILE, str_from(text, strlen(text) - 1));
	expect_advice("cut", E_DAMAGED, "behind its first line and holds",
	    "damaged");
	text[strlen(text) - 3] ^= 1;
	scratch_write(RO_STATE_FILE, str_of(text));
	expect_advice("a flipped bit", E_DAMAGED,
	    "it does not fit its checksum", "damaged");
	later = replace(text, "segue-state 1 ", "segue-state 2 ");
	scratch_write(RO_STATE_FILE, str_of(later));
	expect_advice("of a later version", E_UNSUPPORTED,
	    "of a later segued: it has format 2, and this version knows "
	    "format 1",
	    "later");
	cr_expect_eq(scratch_files(), 1u, "the file is left as it is");
	free(later);
	free(text);
}

Test(state, what_cannot_be_read_is_no_damage)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s", scratch_path(RO_STATE_FILE));
	save_world();
	fault_arm(FAULT_MALLOC, 1, ENOMEM);
	fault_arm(FAULT_REALLOC, 1, ENOMEM);
	expect_advice("no memory", E_NOMEM, "cannot be read: out of memory",
	    "unread");
	fault_arm(FAULT_MALLOC, 0, 0);
	fault_arm(FAULT_REALLOC, 0, 0);
	cr_assert_eq(remove(path), 0);
	scratch_write(RO_STATE_FILE "x", STR(""));
	cr_assert_eq(symlink(path, path), 0);
	expect_advice("a loop of links", E_IO, "cannot be read:", "unread");
	cr_assert_eq(unlink(path), 0);
}

/* ---- a disk that fails ---- */

static const struct {
	const char *why;
	enum fault fault;
	unsigned nth;
	int errnum, code;
	bool is_new; /* the new file is in place all the same */
} faults[] = {
	{ "the disk is full", FAULT_WRITE, 1, ENOSPC, E_FULL, false },
	{ "it breaks", FAULT_WRITE, 1, EIO, E_IO, false },
	{ "fsync of the file", FAULT_FSYNC, 1, EIO, E_IO, false },
	{ "rename", FAULT_RENAME, 1, EROFS, E_IO, false },
	{ "fsync of the directory", FAULT_FSYNC, 2, EIO, E_IO, true },
};

Test(state, a_failing_disk_leaves_the_old_one)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		char why[512];
		int rc;

		save_world();
		w.s.generation++;
		fault_arm(faults[i].fault, faults[i].nth, faults[i].errnum);
		rc = ro_state_save(scratch_path(RO_STATE_FILE), &w.s);
		fault_arm(faults[i].fault, 0, 0);
		cr_expect_lt(rc, 0, "%s", faults[i].why);
		if (!faults[i].is_new)
			w.s.generation--;
		cr_expect_eq(load(why, sizeof(why)), E_OK, "%s: %s",
		    faults[i].why, why);
		cr_expect_eq(scratch_files(), 1u, "%s", faults[i].why);
	}
}

Test(state, short_writes_are_gone_on_with)
{
	char why[512];

	fault_short(7);
	save_world();
	fault_short(0);
	cr_expect_eq(load(why, sizeof(why)), E_OK, "%s", why);
}

Test(state, memory_that_runs_out_saves_nothing)
{
	char why[512];
	unsigned before;
	enum fault each[] = { FAULT_MALLOC, FAULT_REALLOC };

	save_world();
	w.s.generation++;
	for (size_t f = 0; f < ARRAY_LEN(each); f++) {
		before = fault_calls(each[f]);
		cr_assert_eq(ro_state_save(scratch_path("count"), &w.s), E_OK);
		before = fault_calls(each[f]) - before;
		for (unsigned n = 1; n <= before; n++) {
			fault_arm(each[f], n, ENOMEM);
			cr_expect_eq(ro_state_save(scratch_path(RO_STATE_FILE),
			                 &w.s),
			    E_NOMEM, "allocation %u", n);
			fault_arm(each[f], 0, 0);
		}
	}
	w.s.generation--;
	cr_expect_eq(load(why, sizeof(why)), E_OK, "%s", why);
}

Test(state, a_copy_without_memory_changes_nothing)
{
	struct ro_state to;
	char *before, *after;

	cr_assert_eq(ro_state_new(&to), E_OK);
	cr_assert_eq(ro_state_copy(&to, &w.s), E_OK);
	before = world_text(&to);
	w.s.generation++;
	fault_arm(FAULT_REALLOC, 1, ENOMEM);
	cr_expect_eq(ro_state_copy(&to, &w.s), E_NOMEM);
	after = world_text(&to);
	cr_expect_str_eq(after, before);
	free(before);
	free(after);
	ro_state_free(&to);
}

/* ---- fitting to a configuration ---- */

static struct cfg *
configure(const char *pools)
{
	struct cfg_problems problems;
	struct cfg *cfg;
	char *text = NULL;
	int rc;

	cr_assert_gt(asprintf(&text,
	                 "listeners: \":1\"\nservices: [ { name: a, pools: "
	                 "[ %s ] } ]\n",
	                 pools),
	    0);
	rc = cfg_parse(str_of(text), "f", &cfg, &problems);
	cr_assert_eq(rc, E_OK, "%s",
	    problems.n > 0 ? problems.list[0].text : "");
	cfg_problems_free(&problems);
	free(text);
	return cfg;
}

#define POOL(name, share)                                                      \
	"{ name: " name ", share: " share ", instances: \"127.0.0.1:1\" }"

/* What a state with pools v1, v2, v3 comes to; "v1 active 10000" a pool. */
static const struct {
	const char *why;
	enum pool_state states[WORLD_POOLS];
	uint32_t shares[WORLD_POOLS];
	const char *pools, *then;
	bool changed, epoch_grows;
} fits[] = {
	{ "nothing new", { POOL_ACTIVE, POOL_READY, POOL_COLD }, { ALL },
	    POOL("v1", "100%") "," POOL("v2", "0%") "," POOL("v3", "0%"),
	    "v1 active 10000,v2 ready 0,v3 cold 0", true, false },
	{ "the file's shares count once",
	    { POOL_ACTIVE, POOL_READY, POOL_COLD }, { ALL },
	    POOL("v1", "0%") "," POOL("v2", "100%") "," POOL("v3", "0%"),
	    "v1 active 10000,v2 ready 0,v3 cold 0", true, false },
	{ "a new pool", { POOL_ACTIVE, POOL_READY, POOL_COLD }, { ALL },
	    POOL("v1", "50%") "," POOL("v2", "0%") "," POOL("v4", "50%"),
	    "v1 active 10000,v2 ready 0,v4 cold 0", true, false },
	{ "a pool without a share went",
	    { POOL_ACTIVE, POOL_ACTIVE, POOL_DRAINED }, { 4000, 6000, 0 },
	    POOL("v1", "100%") "," POOL("v2", "0%"),
	    "v1 active 4000,v2 active 6000", true, false },
	{ "its share goes to whom has some",
	    { POOL_ACTIVE, POOL_ACTIVE, POOL_READY }, { 4000, 6000, 0 },
	    POOL("v2", "100%") "," POOL("v3", "0%"),
	    "v2 active 10000,v3 ready 0", true, true },
	{ "... else to whom is ready", { POOL_ACTIVE, POOL_COLD, POOL_READY },
	    { ALL }, POOL("v2", "100%") "," POOL("v3", "0%"),
	    "v2 cold 0,v3 active 10000", true, true },
	{ "... else to whom may be",
	    { POOL_ACTIVE, POOL_DRAINING, POOL_FAILED }, { ALL },
	    POOL("v2", "100%") "," POOL("v3", "0%"),
	    "v2 draining 0,v3 active 10000", true, true },
	{ "... else to one that was leaving",
	    { POOL_ACTIVE, POOL_DRAINING, POOL_DRAINED }, { ALL },
	    POOL("v2", "100%"), "v2 active 10000", true, true },
	{ "other names altogether begin with the file's shares",
	    { POOL_ACTIVE, POOL_READY, POOL_COLD }, { ALL },
	    POOL("blue", "0%") "," POOL("green", "100%"),
	    "blue cold 0,green active 10000", true, true },
	{ "nobody had a share: nobody gets one",
	    { POOL_DRAINED, POOL_READY, POOL_COLD }, { 0 },
	    POOL("v1", "100%") "," POOL("v2", "0%"), "v1 drained 0,v2 ready 0",
	    true, false },
	{ "another order", { POOL_ACTIVE, POOL_READY, POOL_COLD }, { ALL },
	    POOL("v3", "0%") "," POOL("v1", "100%") "," POOL("v2", "0%"),
	    "v3 cold 0,v1 active 10000,v2 ready 0", true, false },
};

static void
write_pools(const struct ro_service *s, struct buf *out)
{
	for (size_t i = 0; i < s->n_pools; i++)
		buf_printf(out, "%s%s %s %u", i > 0 ? "," : "",
		    s->pools[i].name,
		    pool_state_name((enum pool_state)s->pools[i].state),
		    s->pools[i].share_bp);
}

Test(state, a_configuration_is_fitted)
{
	for (size_t i = 0; i < ARRAY_LEN(fits); i++) {
		struct cfg *cfg = configure(fits[i].pools);
		struct buf is = BUF_INIT;
		struct world x;
		uint32_t epoch;
		bool changed;

		world_make(&x);
		epoch = x.s.services[0].epoch;
		for (size_t n = 1; n <= WORLD_POOLS; n++)
			world_put(&x, n, fits[i].states[n - 1],
			    fits[i].shares[n - 1]);
		cr_assert_eq(ro_state_reconcile(&x.s, cfg, x.now, &changed),
		    E_OK);
		write_pools(&x.s.services[0], &is);
		cr_expect_str_eq(is.p, fits[i].then, "%s", fits[i].why);
		cr_expect_eq(x.s.n_services, 1u, "b is gone");
		cr_expect(changed);
		cr_expect_eq(x.s.services[0].epoch > epoch, fits[i].epoch_grows,
		    "%s", fits[i].why);
		/* Again it is no change, nor does it write one. */
		cr_assert_eq(ro_state_reconcile(&x.s, cfg, x.now + S, &changed),
		    E_OK);
		cr_expect_not(changed, "%s", fits[i].why);
		buf_free(&is);
		world_free(&x);
		cfg_unref(&cfg);
	}
}

Test(state, a_pending_switch_goes_with_its_pool)
{
	struct cfg *cfg = configure(POOL("v1", "0%") "," POOL("v3", "100%"));

	cr_assert_eq(ro_state_reconcile(&w.s, cfg, w.now, NULL), E_OK);
	cr_expect_str_eq(w.s.services[0].pending.pool, "v3");
	cfg_unref(&cfg);
	cfg = configure(POOL("v1", "100%"));
	cr_assert_eq(ro_state_reconcile(&w.s, cfg, w.now, NULL), E_OK);
	cr_expect_str_eq(w.s.services[0].pending.pool, "");
	cfg_unref(&cfg);
}

/* Whatever becomes of pools: a service's data is what it was. */
Test(state, what_was_done_stays_done)
{
	static const char *const pools[] = { POOL("v1", "100%"),
		POOL("v9", "100%") };

	for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
		struct cfg *cfg = configure(pools[i]);
		const struct ro_service *s;

		cr_assert_eq(ro_state_reconcile(&w.s, cfg, w.now, NULL), E_OK);
		s = &w.s.services[0];
		cr_expect_eq(s->n_done, 2u);
		cr_expect_str_eq(s->done[1].job, "migrate");
		cr_expect_eq(s->rollout.id, 3u, "the next one is another");
		cfg_unref(&cfg);
	}
}

Test(state, words_about_instances_are_fitted)
{
	static const struct {
		const char *why;
		struct instance_plan plan;
		bool stays, keeps_address;
	} rows[] = {
		{ "added", { .pool = "v2", .name = "n", .address = "h:1" },
		    true, true },
		{ "of a pool that went",
		    { .pool = "v1", .name = "n", .address = "h:1" }, false,
		    false },
		{ "added, and the file has it now",
		    { .pool = "v2", .name = "127.0.0.1:1", .address = "h:1" },
		    false, false },
		{ "... and it is in maint",
		    { .pool = "v2",
		        .name = "127.0.0.1:1",
		        .address = "h:1",
		        .admin = INST_MAINT },
		    true, false },
		{ "removed, and the file has it still",
		    { .pool = "v2", .name = "127.0.0.1:1", .removed = true },
		    true, false },
		{ "set aside, and the file has it no more",
		    { .pool = "v2",
		        .name = "127.0.0.1:9",
		        .admin = INST_MAINT },
		    false, false },
	};
	struct cfg *cfg = configure(POOL("v2", "100%"));

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world x;

		world_make(&x);
		x.s.instances[0] = rows[i].plan;
		str_copy(STR("a"), x.s.instances[0].service, 2);
		x.s.n_instances = 1;
		cr_assert_eq(ro_state_reconcile(&x.s, cfg, x.now, NULL), E_OK);
		cr_expect_eq(x.s.n_instances, rows[i].stays, "%s", rows[i].why);
		cr_expect_eq(x.s.instances[0].address[0] != '\0' &&
		        x.s.n_instances == 1,
		    rows[i].keeps_address, "%s", rows[i].why);
		world_free(&x);
	}
	cfg_unref(&cfg);
}

/* What was proved before a start must be proved again; what serves serves. */
Test(state, after_a_start)
{
	static const enum pool_state then[POOL_STATE_COUNT] = {
		[POOL_COLD] = POOL_COLD,
		[POOL_STARTING] = POOL_STARTING,
		[POOL_READY] = POOL_STARTING,
		[POOL_ACTIVE] = POOL_ACTIVE,
		[POOL_DRAINING] = POOL_DRAINING,
		[POOL_DRAINED] = POOL_DRAINED,
		[POOL_RETIRED] = POOL_RETIRED,
		[POOL_FAILED] = POOL_STARTING,
	};

	for (int s = 0; s < POOL_STATE_COUNT; s++) {
		world_put(&w, 3, (enum pool_state)s, 0);
		ro_state_wake(&w.s, w.now + S);
		cr_expect_eq(world_pool(&w, 3)->state, then[s], "%s",
		    pool_state_name((enum pool_state)s));
		cr_expect_eq(world_pool(&w, 3)->since_us,
		    then[s] == POOL_STARTING ? w.now + S : w.now);
	}
}

/* Which rollouts had a job run when all of segued ended. */
static const struct {
	const char *why;
	enum ro_stand stand;
	bool entered, failed;
	size_t at; /* 0: a check, 1: a job that was done before, 2: none */
	bool lost;
} losses[] = {
	{ "it ran", RO_STAND_RUNNING, true, false, 0, true },
	{ "it ran in an operator's pause", RO_STAND_PAUSED, true, false, 0,
	    true },
	{ "it was not begun", RO_STAND_RUNNING, false, false, 0, false },
	{ "it had ended, badly", RO_STAND_PAUSED, true, true, 0, false },
	{ "it was done before", RO_STAND_RUNNING, true, false, 1, false },
	{ "the step has none", RO_STAND_RUNNING, true, false, 2, false },
	{ "the rollout was over", RO_STAND_ROLLED_BACK, true, false, 0, false },
	{ "there never was one", RO_STAND_NONE, true, false, 0, false },
};

Test(state, runs_that_are_lost)
{
	struct ro_service *s = &w.s.services[0];
	struct ro_rollout *r = &s->rollout;

	str_copy(STR("26.6.1"), r->version, sizeof(r->version));
	r->ran = 0;
	for (size_t i = 0; i < ARRAY_LEN(losses); i++) {
		struct buf was = BUF_INIT, is = BUF_INIT;

		r->stand = (uint8_t)losses[i].stand;
		r->entered = losses[i].entered;
		r->failed = losses[i].failed;
		r->unknown = false;
		r->at = losses[i].at;
		r->paused_us = 0;
		str_copy(STR("so"), r->why, sizeof(r->why));
		ro_state_write(&w.s, &was);
		cr_expect_eq(ro_state_lose_runs(&w.s, w.now), losses[i].lost,
		    "%s", losses[i].why);
		ro_state_write(&w.s, &is);
		cr_expect_eq(strcmp(was.p, is.p) == 0, !losses[i].lost, "%s",
		    losses[i].why);
		buf_free(&was);
		buf_free(&is);
		if (!losses[i].lost)
			continue;
		cr_expect_eq(r->stand, RO_STAND_PAUSED, "%s", losses[i].why);
		cr_expect(r->failed && r->unknown, "%s", losses[i].why);
		cr_expect_eq(r->paused_us, w.now, "%s", losses[i].why);
		cr_expect_str_eq(r->why,
		    "nobody knows how job fits ended: segued ended while it "
		    "ran",
		    "%s", losses[i].why);
	}
}

Test(state, drain_modes_have_names)
{
	cr_expect_eq(ro_drain_mode_of("keep"), CFG_DRAIN_KEEP);
	cr_expect_eq(ro_drain_mode_of("evict"), CFG_DRAIN_EVICT);
	cr_expect_str_eq(ro_drain_mode_name(CFG_DRAIN_MOVE), "move");
	cr_expect_eq(ro_drain_mode_of("Keep"), -1);
	cr_expect_eq(ro_drain_mode_of(""), -1);
}
