/* What one of several proxies makes of what Redis says; the bus is ours. */
#include "rollout/cluster.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "config/config.h"
#include "net/loop.h"
#include "store/bus.h"

#define RUNS_MAX 8

static struct {
	struct cluster *cluster;
	struct cfg cfg;
	struct bus_env bus;
	struct {
		bus_reply_fn *fn;
		void *arg;
	} runs[RUNS_MAX]; /* not answered yet, oldest first */
	size_t n_runs;
	alarm_fn *tick;
	void *tick_arg;
	char boot[20];
	uint64_t now_us;
	enum cluster_role role;
	unsigned followed;
	bool in_time; /* ... the last one */
	/* of the last proposal, or command */
	unsigned came;
	bool unknown;
	char why[CLUSTER_WHY_MAX];
	unsigned status;
} t;

/* ---- linked in the place of the real ones ---- */

struct alarm *__wrap_alarm_new(struct loop *, alarm_fn *, void *);
void __wrap_alarm_set(struct alarm *, uint64_t);
void __wrap_alarm_free(struct alarm **);

struct alarm *
__wrap_alarm_new(struct loop *l UNUSED, alarm_fn *fn, void *arg)
{
	t.tick = fn;
	t.tick_arg = arg;
	return (struct alarm *)&t;
}

void
__wrap_alarm_set(struct alarm *a UNUSED, uint64_t in_us UNUSED)
{
}

void
__wrap_alarm_free(struct alarm **ap)
{
	*ap = NULL;
}

int
bus_new(const struct bus_env *env, struct bus **out)
{
	t.bus = *env;
	*out = (struct bus *)&t;
	return E_OK;
}

void
bus_free(struct bus **bp)
{
	*bp = NULL;
}

bool
bus_is_up(const struct bus *b UNUSED)
{
	return true;
}

void
bus_tell(struct bus *b UNUSED, struct str text)
{
	char why[160];
	struct json *j = json_read(text, why, sizeof(why));

	cr_assert_not_null(j, "%s", why);
	(void)str_copy(str_of(json_get_text(j, "boot", "")), t.boot,
	    sizeof(t.boot));
	json_free(&j);
}

void
bus_run(struct bus *b UNUSED, const char *script UNUSED,
    const struct str *words UNUSED, size_t n_keys UNUSED, size_t n UNUSED,
    bus_reply_fn *fn, void *arg)
{
	cr_assert_lt(t.n_runs, RUNS_MAX);
	t.runs[t.n_runs].fn = fn;
	t.runs[t.n_runs++].arg = arg;
}

void
bus_flush(struct bus *b UNUSED)
{
}

void
bus_drop(struct bus *b UNUSED)
{
}

/* ---- what the cluster asks of drive ---- */

static void
put_state(struct buf *out, void *arg UNUSED)
{
	buf_add_cstr(out, "state");
}

static bool
fits(struct str text UNUSED, char why[CLUSTER_WHY_MAX] UNUSED, void *arg UNUSED)
{
	return true;
}

static void
follow(struct str text UNUSED, uint64_t version, bool in_time, void *arg UNUSED)
{
	t.followed++;
	t.in_time = in_time;
	cluster_followed(t.cluster, version);
}

static void
on_role(enum cluster_role role, void *arg UNUSED)
{
	t.role = role;
}

static uint64_t
generation(void *arg UNUSED)
{
	return 1;
}

static void
put_counts(struct json_out *j UNUSED, void *arg UNUSED)
{
}

static void
look(void *arg UNUSED)
{
}

/* ---- what Redis and time do ---- */

static void
pass(uint64_t us)
{
	t.now_us += us;
	clock_fake(t.now_us, t.now_us);
	t.tick(t.tick_arg);
}

static void
hear_own(void)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "{\"boot\":\"%s\"}", t.boot);

	t.bus.message(str_from(text, (size_t)n), t.bus.arg);
}

/* The oldest question is answered; NULL: a list of one. */
static void
reply(struct str first, const char *second)
{
	struct str values[] = { first, str_of(second) };
	bus_reply_fn *fn = t.runs[0].fn;
	void *arg = t.runs[0].arg;

	cr_assert_gt(t.n_runs, 0u);
	memmove(t.runs, t.runs + 1, --t.n_runs * sizeof(*t.runs));
	fn(values, second == NULL ? 1 : 2, arg);
}

static void
begin(void)
{
	static char prefix[] = "segue:", name[] = "c", member[] = "p1";
	struct cluster_env env = { .cfg = &t.cfg,
		.use = { put_state, fits, follow, on_role, generation,
		    put_counts, look, NULL } };

	memset(&t, 0, sizeof(t));
	log_set_level(LOG_ERROR);
	t.cfg.store.prefix = prefix;
	t.cfg.cluster = (struct cfg_cluster){ .name = name,
		.member = member,
		.timeout_us = 2 * US_PER_S };
	t.now_us = 1000 * US_PER_S;
	clock_fake(t.now_us, t.now_us);
	cr_assert_eq(cluster_new(&env, &t.cluster), E_OK);
	t.bus.turned(true, STORE_WHY_NOTHING, t.bus.arg);
	pass(US_PER_S);
}

static void
end(void)
{
	cluster_free(&t.cluster);
	clock_real();
}

TestSuite(cluster, .init = begin, .fini = end, .timeout = 20);

/* The lease: ours, with that behind our id. */
static void
lease(const char *behind, size_t len, const char *version)
{
	char text[128];
	size_t n = (size_t)snprintf(text, sizeof(text), "p1/%s", t.boot);

	memcpy(text + n, behind, len);
	reply(str_from(text, n + len), version);
}

/* What we have at first is committed, as version 1. */
static void
lead(void)
{
	lease(" 1", 2, "0");
	cr_assert_eq(t.role, CLUSTER_LEADER);
	reply(STR("1"), NULL);
	cr_assert_not(cluster_is_busy(t.cluster));
}

/* ---- the lease ---- */

static const struct {
	const char *why;
	struct str behind;
	enum cluster_role role;
} leases[] = {
	{ "ours", { " 1", 2 }, CLUSTER_LEADER },
	{ "of who began with our id", { "1 1", 3 }, CLUSTER_FOLLOWER },
	{ "without a number", { "", 0 }, CLUSTER_ALONE },
	{ "its number is empty", { " ", 1 }, CLUSTER_ALONE },
	{ "its number is none", { " x", 2 }, CLUSTER_ALONE },
	{ "more behind a NUL", { "\0x 1", 4 }, CLUSTER_FOLLOWER },
	{ "a NUL, and no number", { "\0x", 2 }, CLUSTER_ALONE },
};

Test(cluster, who_leads_has_a_lease_as_we_write_it)
{
	for (size_t i = 0; i < ARRAY_LEN(leases); i++) {
		lease(leases[i].behind.p, leases[i].behind.len, "0");
		cr_expect_eq(t.role, leases[i].role, "%s", leases[i].why);
		end();
		begin();
	}
}

/* ---- what is committed ---- */

static void
on_agreed(const char *why, bool unknown, void *arg UNUSED)
{
	t.came++;
	t.unknown = unknown;
	(void)snprintf(t.why, sizeof(t.why), "%s", why == NULL ? "" : why);
}

static const struct {
	const char *why, *version;
	bool done, unknown;
} commits[] = {
	{ "the next version", "2", true, false },
	{ "a later one", "7", true, false },
	{ "as far as numbers go", "9007199254740992", true, false },
	{ "our lease is gone", "0", false, false },
	{ "the one before", "1", false, true },
	{ "more than numbers can be", "9007199254740993", false, true },
	{ "all there is", "18446744073709551615", false, true },
	{ "no number", "x", false, true },
};

Test(cluster, no_version_goes_back)
{
	for (size_t i = 0; i < ARRAY_LEN(commits); i++) {
		struct cluster_facts f;

		lead();
		cluster_propose(t.cluster, STR("next"), false, on_agreed, NULL);
		reply(str_of(commits[i].version), NULL);
		cr_expect_eq(t.came, 1u, "%s", commits[i].why);
		cr_expect_eq(t.why[0] == '\0', commits[i].done, "%s: %s",
		    commits[i].why, t.why);
		cr_expect_eq(t.unknown, commits[i].unknown, "%s",
		    commits[i].why);
		cluster_look_at(t.cluster, &f);
		cr_expect_eq(f.version,
		    commits[i].done ? strtoull(commits[i].version, NULL, 10)
		                    : 1u,
		    "%s", commits[i].why);
		end();
		begin();
	}
}

/* Redis is slow: we lose the lease, have it again, and propose anew. */
Test(cluster, a_late_answer_is_of_what_was_asked)
{
	lead();
	pass(US_PER_S / 2); /* the lease is asked for */
	cluster_propose(t.cluster, STR("one"), false, on_agreed, NULL);
	hear_own();
	pass(3 * US_PER_S / 2);
	cr_expect_eq(t.came, 1u);
	cr_expect(t.unknown);
	cr_assert_eq(t.role, CLUSTER_ALONE);
	cr_assert_eq(t.n_runs, 2u);
	lease(" 1", 2, "1");
	cr_assert_eq(t.role, CLUSTER_LEADER);
	cluster_propose(t.cluster, STR("two"), false, on_agreed, NULL);
	reply(STR("2"), NULL);
	cr_expect_eq(t.came, 1u, "that was the first one's");
	reply(STR("3"), NULL);
	cr_expect_eq(t.came, 2u);
	cr_expect_str_eq(t.why, "");
}

/* ---- what another one has committed ---- */

/* It is asked who leads: p2, and that is what is committed. */
static void
look_at_lease(const char *version)
{
	pass(US_PER_S / 2);
	hear_own();
	reply(STR("p2/2 1"), version);
}

/* Who is told follows in time; not who finds out when it is back. */
Test(cluster, who_was_away_follows_late)
{
	reply(STR("p2/2 1"), "3");
	reply(STR("3"), "state");
	cr_assert_eq(t.followed, 1u);
	cr_expect_not(t.in_time, "it joins");
	look_at_lease("4");
	reply(STR("4"), "state");
	cr_assert_eq(t.followed, 2u);
	cr_expect(t.in_time);
	t.bus.turned(false, STORE_WHY_CONNECTING, t.bus.arg);
	t.bus.turned(true, STORE_WHY_NOTHING, t.bus.arg);
	look_at_lease("5");
	reply(STR("5"), "state");
	cr_assert_eq(t.followed, 3u);
	cr_expect_not(t.in_time, "it was cut off");
	t.bus.turned(false, STORE_WHY_CONNECTING, t.bus.arg);
	t.bus.turned(true, STORE_WHY_NOTHING, t.bus.arg);
	look_at_lease("5");
	look_at_lease("6");
	reply(STR("6"), "state");
	cr_assert_eq(t.followed, 4u);
	cr_expect(t.in_time, "it had missed nothing");
}

/* ---- what a command came to ---- */

static void
on_result(unsigned status, struct str body UNUSED, void *arg UNUSED)
{
	t.came++;
	t.status = status;
}

static const struct {
	const char *why, *status;
	unsigned told;
} results[] = {
	{ "done", "200", 200 },
	{ "refused", "409", 409 },
	{ "none", "0", 0 },
	{ "below all", "99", 0 },
	{ "above all", "600", 0 },
	{ "negative", "-200", 0 },
	{ "200 in its lower half", "4294967496", 0 },
	{ "a text", "\"200\"", 0 },
};

Test(cluster, an_answer_without_a_status_is_none)
{
	reply(STR("p2/2 1"), "0");
	cr_assert_eq(t.role, CLUSTER_FOLLOWER);
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		uint64_t id = cluster_forward(t.cluster, STR("{}"), "who",
		    on_result, NULL);
		char text[256];
		int n = snprintf(text, sizeof(text),
		    "{\"type\":\"result\",\"boot\":\"2\",\"to\":\"%s\","
		    "\"id\":%llu,\"status\":%s,\"body\":\"{}\"}",
		    t.boot, (unsigned long long)id, results[i].status);

		t.came = 0;
		t.bus.message(str_from(text, (size_t)n), t.bus.arg);
		cr_expect_eq(t.came, 1u, "%s", results[i].why);
		cr_expect_eq(t.status, results[i].told, "%s", results[i].why);
	}
}
