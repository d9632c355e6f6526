/* Probes over time: intervals, rise and fall, new settings, the end. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "house.h"
#include "net/loop.h"
#include "origin.h"
#include "tests/unit/net/rig.h"
#include "upstream/probe.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define NO "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"

static const struct origin_script says_ok = { .parts = { OK } },
                                  says_no = { .parts = { NO } },
                                  says_nothing = { .parts = { NULL } };

struct life {
	struct loop *loop;
	struct registry *registry;
	struct cfg *cfg;
	struct instance *inst;
	struct origin origin;
	uint64_t probes_wanted;
	unsigned edges;
	bool free_at_edge;
};

static void
on_edge(struct instance *i, enum health from UNUSED, void *arg)
{
	struct life *l = arg;

	l->edges++;
	if (l->free_at_edge)
		probe_free(&i->probe);
}

static struct cfg *
cfg_of(const struct life *l, const char *settings)
{
	char address[ADDR_TEXT_MAX];

	addr_text(&l->origin.at, address);
	return house_cfg("listeners: \":1\"\n"
	                 "services:\n- name: s\n  pools:\n  - name: v1\n"
	                 "    instances: [ { name: i, address: \"%s\" } ]\n"
	                 "    probe: { %s }\n",
	    address, settings);
}

static const struct cfg_probe *
probe_cfg(const struct cfg *cfg)
{
	return &cfg->services[0].pools[0].probe;
}

static void
set_up(struct life *l, const struct origin_script *say, const char *settings)
{
	thread_become(ROLE_ANY, "test");
	log_set_level(LOG_ERROR);
	*l = (struct life){ .loop = rig_loop() };
	origin_open(&l->origin, l->loop, say);
	l->cfg = cfg_of(l, settings);
	l->registry = registry_new(1);
	cr_assert_not_null(l->registry);
	house_apply(l->registry, l->cfg);
	l->inst = house_instance(l->registry, "i");
	cr_assert_eq(probe_new(l->loop, l->cfg, probe_cfg(l->cfg), l->inst,
	                 on_edge, l, &l->inst->probe),
	    E_OK);
}

static void
tear_down(struct life *l)
{
	probe_free(&l->inst->probe);
	loop_run_deferred(l->loop);
	origin_close(&l->origin);
	registry_free(&l->registry);
	cfg_unref(&l->cfg);
	loop_free(&l->loop);
}

static bool
probed_enough(void *arg)
{
	const struct life *l = arg;

	return l->inst->probes >= l->probes_wanted;
}

static void
run_probes(struct life *l, unsigned n)
{
	l->probes_wanted = l->inst->probes + n;
	rig_run_until(l->loop, probed_enough, l);
}

static bool
was_asked(void *arg)
{
	return ((struct life *)arg)->origin.seen[0] != '\0';
}

static bool
is_up(void *arg)
{
	return ((struct life *)arg)->inst->health == HEALTH_UP;
}

static bool
is_down(void *arg)
{
	return ((struct life *)arg)->inst->health == HEALTH_DOWN;
}

/* An hour stands for "not within this test". */

Test(probe_life, rises_and_falls_by_the_fast_interval, .timeout = 20)
{
	struct life l;

	set_up(&l, &says_ok,
	    "interval: 50ms, fast_interval: 10ms, rise: 3, fall: 4");
	probe_start(l.inst->probe);
	run_probes(&l, 2);
	cr_expect_eq(l.inst->health, HEALTH_UNKNOWN, "two of three");
	cr_expect_eq(l.inst->reason, HEALTH_WHY_NONE);
	run_probes(&l, 1);
	cr_expect_eq(l.inst->health, HEALTH_UP);
	l.origin.script = says_no;
	rig_run_until(l.loop, is_down, &l);
	cr_expect_eq(l.inst->fails, 4);
	cr_expect_eq(l.inst->probes_failed, 4);
	cr_expect_eq(l.inst->reason, HEALTH_WHY_STATUS);
	l.origin.script = says_ok;
	run_probes(&l, 2);
	cr_expect_eq(l.inst->health, HEALTH_DOWN);
	cr_expect_eq(l.inst->reason, HEALTH_WHY_STATUS,
	    "a pass does not explain down");
	run_probes(&l, 1);
	cr_expect_eq(l.inst->health, HEALTH_UP);
	cr_expect_eq(l.inst->reason, HEALTH_WHY_PASSED);
	cr_expect_eq(l.edges, 3);
	tear_down(&l);
}

Test(probe_life, up_is_asked_at_the_steady_interval, .timeout = 20)
{
	struct life l;
	uint64_t from;

	set_up(&l, &says_ok, "interval: 1h, fast_interval: 10ms, rise: 2");
	from = clock_mono_us();
	probe_start(l.inst->probe);
	rig_run_until(l.loop, is_up, &l);
	cr_expect_geq(clock_mono_us() - from, 8 * US_PER_MS);
	rig_run_for(l.loop, 60 * US_PER_MS);
	cr_expect_eq(l.inst->probes, 2);
	tear_down(&l);
}

Test(probe_life, one_failure_and_the_fast_interval_begins, .timeout = 20)
{
	struct life l;

	set_up(&l, &says_ok,
	    "interval: 100ms, fast_interval: 10ms, rise: 1, fall: 100");
	probe_start(l.inst->probe);
	run_probes(&l, 1);
	l.origin.script = says_no;
	run_probes(&l, 1);  /* a steady one */
	run_probes(&l, 20); /* patience is 5 s; steadily it would be 2 s */
	cr_expect_eq(l.inst->health, HEALTH_UP);
	cr_expect_eq(l.inst->fails, 21);
	tear_down(&l);
}

Test(probe_life, down_for_long_is_asked_at_the_steady_interval, .timeout = 20)
{
	struct life l;

	set_up(&l, &says_no, "interval: 1h, fast_interval: 10ms");
	probe_start(l.inst->probe);
	rig_run_until(l.loop, is_down, &l);
	run_probes(&l, 3); /* fast at first */
	l.inst->health_since_us = clock_mono_us() - 121 * US_PER_S;
	run_probes(&l, 1);
	cr_expect_eq(l.inst->health, HEALTH_DOWN);
	l.probes_wanted = l.inst->probes;
	rig_run_for(l.loop, 60 * US_PER_MS);
	cr_expect_eq(l.inst->probes, l.probes_wanted);
	tear_down(&l);
}

Test(probe_life, hurries, .timeout = 20)
{
	struct life l;

	set_up(&l, &says_ok, "interval: 1h, rise: 1, fall: 1");
	probe_start(l.inst->probe);
	rig_run_until(l.loop, is_up, &l);
	l.origin.script = says_no;
	probe_hurry(l.inst->probe); /* an answer just came: soon */
	probe_hurry(l.inst->probe);
	cr_expect_eq(l.inst->health, HEALTH_UP);
	rig_run_until(l.loop, is_down, &l);
	cr_expect_eq(l.inst->probes, 2);
	tear_down(&l);
}

/* Two witnesses, and nobody listens: fall is for what may be a hiccup. */
Test(probe_life, refused_after_a_worker_was_is_down_at_once, .timeout = 20)
{
	struct life l;

	set_up(&l, &says_ok, "interval: 1h, rise: 1, fall: 100");
	probe_start(l.inst->probe);
	rig_run_until(l.loop, is_up, &l);
	origin_close(&l.origin);
	probe_hurry(l.inst->probe);
	rig_run_until(l.loop, is_down, &l);
	cr_expect_eq(l.inst->probes_failed, 1);
	cr_expect_eq(l.inst->reason, HEALTH_WHY_CONNECT_REFUSED);
	tear_down(&l);
}

Test(probe_life, refused_without_a_worker_takes_fall, .timeout = 20)
{
	struct life l;

	set_up(&l, &says_ok,
	    "interval: 10ms, fast_interval: 10ms, rise: 1, fall: 3");
	probe_start(l.inst->probe);
	rig_run_until(l.loop, is_up, &l);
	origin_close(&l.origin);
	rig_run_until(l.loop, is_down, &l);
	cr_expect_eq(l.inst->probes_failed, 3);
	tear_down(&l);
}

Test(probe_life, hurry_under_way_changes_nothing, .timeout = 20)
{
	struct life l;

	set_up(&l, &says_nothing, "interval: 1h, timeout: 1h");
	probe_start(l.inst->probe);
	rig_run_until(l.loop, was_asked, &l);
	probe_hurry(l.inst->probe);
	rig_run_for(l.loop, 60 * US_PER_MS);
	cr_expect_eq(l.origin.accepted, 1);
	tear_down(&l);
}

/* ---- new settings ---- */

static void
configure(struct life *l, const char *settings)
{
	struct cfg *cfg = cfg_of(l, settings);

	probe_configure(l->inst->probe, cfg, probe_cfg(cfg));
	cfg_unref(&cfg); /* the probe has its own reference */
}

Test(probe_life, new_settings_keep_what_was_found, .timeout = 20)
{
	struct life l;

	set_up(&l, &says_ok, "interval: 1h, rise: 1");
	probe_start(l.inst->probe);
	rig_run_until(l.loop, is_up, &l);
	configure(&l, "interval: 10ms, path: /new, host: new.example.org");
	cr_expect_eq(l.inst->health, HEALTH_UP);
	run_probes(&l, 1);
	cr_expect_eq(l.edges, 1);
	cr_expect_not_null(strstr(l.origin.seen, "GET /new HTTP/1.1\r\n"));
	cr_expect_not_null(strstr(l.origin.seen, "Host: new.example.org\r\n"));
	tear_down(&l);
}

struct reloads {
	struct life *life;
	struct alarm *again;
	bool over;
};

static void
reload(void *arg)
{
	struct reloads *r = arg;

	if (r->over)
		return;
	configure(r->life, "interval: 40ms, fast_interval: 40ms, rise: 2");
	alarm_set(r->again, 5 * US_PER_MS);
}

Test(probe_life, reloads_in_a_row_put_nothing_off, .timeout = 20)
{
	struct life l;
	struct reloads r = { .life = &l };

	set_up(&l, &says_ok,
	    "interval: 40ms, fast_interval: 40ms, rise: 2, fall: 2");
	r.again = alarm_new(l.loop, reload, &r);
	cr_assert_not_null(r.again);
	probe_start(l.inst->probe);
	reload(&r);
	rig_run_until(l.loop, is_up, &l);
	l.origin.script = says_no;
	rig_run_until(l.loop, is_down, &l);
	r.over = true;
	alarm_free(&r.again);
	tear_down(&l);
}

Test(probe_life, new_settings_while_one_is_under_way, .timeout = 20)
{
	struct life l;

	set_up(&l, &says_nothing, "interval: 1h, timeout: 100ms");
	probe_start(l.inst->probe);
	rig_run_until(l.loop, was_asked, &l);
	configure(&l, "expect: [ 503 ], rise: 1, timeout: 1h");
	origin_say(&l.origin, NO);
	run_probes(&l, 1);
	cr_expect_eq(l.inst->health, HEALTH_UP, "judged by the new ones");
	tear_down(&l);
}

/* ---- beginning and end ---- */

Test(probe_life, what_was_proved_is_carried_over, .timeout = 20)
{
	struct life l;

	set_up(&l, &says_no, "fast_interval: 10ms, interval: 10ms, fall: 2");
	probe_carry(l.inst->probe, HEALTH_UP);
	cr_expect_eq(l.inst->health, HEALTH_UP);
	cr_expect_eq(l.inst->reason, HEALTH_WHY_CARRIED);
	cr_expect_eq(l.edges, 1);
	probe_start(l.inst->probe);
	run_probes(&l, 1);
	cr_expect_eq(l.inst->health, HEALTH_UP, "one failure of two");
	cr_expect_eq(l.inst->reason, HEALTH_WHY_STATUS);
	run_probes(&l, 1);
	cr_expect_eq(l.inst->health, HEALTH_DOWN);
	tear_down(&l);
}

Test(probe_life, freed_by_whom_it_tells, .timeout = 20)
{
	struct life l;

	set_up(&l, &says_ok, "rise: 1, fast_interval: 10ms, interval: 10ms");
	l.free_at_edge = true;
	probe_start(l.inst->probe);
	rig_run_until(l.loop, is_up, &l);
	rig_run_for(l.loop, 40 * US_PER_MS);
	cr_expect_null(l.inst->probe);
	cr_expect_eq(l.inst->probes, 1);
	tear_down(&l);
}

/* clang-format off */
static const struct {
	const char *why;
	struct origin_script say;
	const char *settings;
	bool asked;
} middles[] = {
	{ "before it began", { .parts = { NULL } }, "path: /", false },
	{ "before an answer", { .parts = { NULL } }, "path: /", true },
	{ "within a head", { .parts = { "HTTP/1.1 200 OK\r\nX: " } }, "path: /", true },
	{ "within a body", { .parts = { "HTTP/1.1 200 OK\r\n\r\nabc" } }, "body: d",
	    true },
};
/* clang-format on */

Test(probe_life, freed_in_the_middle, .timeout = 20)
{
	for (size_t i = 0; i < ARRAY_LEN(middles); i++) {
		struct life l;

		set_up(&l, &middles[i].say, middles[i].settings);
		probe_start(l.inst->probe);
		if (middles[i].asked) {
			rig_run_until(l.loop, was_asked, &l);
			rig_run_for(l.loop, 10 * US_PER_MS);
		}
		probe_free(&l.inst->probe);
		cr_expect_null(l.inst->probe);
		probe_free(&l.inst->probe);
		rig_run_for(l.loop, 10 * US_PER_MS);
		cr_expect_eq(l.inst->probes, 0, "%s", middles[i].why);
		cr_expect_eq(l.edges, 0, "%s", middles[i].why);
		cr_expect_eq(l.origin.open, 0, "%s: it is closed",
		    middles[i].why);
		tear_down(&l);
	}
}
