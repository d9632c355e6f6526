/*
 * The control thread's side of jobs, with a master that only listens: what is
 * asked for, how often, what is called off, and what is known then.
 */
#include "rollout/running.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "../base/fault.h"
#include "world.h"

#define T (UINT64_C(1000) * S) /* monotonic, when a test begins */

static struct world w;
static struct running *r;
static struct buf said; /* "ask a 1 1", a line each */
static struct run_ask asked;

static void
on_tell(enum run_word word, const char *text, void *arg)
{
	struct run_key k;

	cr_assert_eq(arg, &w);
	cr_assert(run_key_read(text, &k), "%s", text);
	cr_assert(word == RUN_STOP || run_ask_read(text, &asked), "%s", text);
	buf_printf(&said, "%s %s %llu %u\n", word == RUN_ASK ? "ask" : "stop",
	    k.service, (unsigned long long)k.rollout, k.run);
}

static void
begin(void)
{
	world_make(&w);
	said = BUF_INIT;
	r = running_new(on_tell, &w);
	cr_assert_not_null(r);
}

static void
end(void)
{
	running_free(&r);
	cr_expect_null(r);
	running_free(&r); /* NULL is fine */
	buf_free(&said);
	world_free(&w);
}

TestSuite(running, .init = begin, .fini = end, .timeout = 20);

/* What was said since the last time. */
static void
expect_said(const char *words, const char *why)
{
	buf_add_cstr(&said, "");
	cr_expect_str_eq(said.p, words, "%s: %s", why, said.p);
	buf_reset(&said);
}

/* Service n has a job run for its rollout. */
static void
run(size_t n, uint64_t id, uint32_t number)
{
	w.s.services[n].rollout = (struct ro_rollout){ .id = id,
		.stand = RO_STAND_RUNNING,
		.entered = true,
		.runs = number,
		.to = "v2",
		.version = "26.6.2",
		.n_before = 3,
		.before = { { "v1", 10000 }, { "v2", 0 }, { "v3", 0 } },
		.n_steps = 2,
		.steps = { { .kind = CFG_STEP_JOB,
		               .name = "tables",
		               .job = "migrate" },
		    { .kind = CFG_STEP_PROMOTE } } };
}

static struct ro_rollout *
rollout(size_t n)
{
	return &w.s.services[n].rollout;
}

static uint64_t
look(uint64_t now_us)
{
	return running_look(r, &w.s, now_us);
}

static bool
hear(const char *service, uint64_t id, uint32_t number, bool ended,
    const char *tail)
{
	struct run_news n = { .key = { .rollout = id, .run = number },
		.pid = ended ? 0 : 42,
		.ended = ended,
		.verdict = RO_VERDICT_ASK,
		.exit = 75,
		.took_us = 3 * S,
		.why = "exit status 75" };
	struct buf text = BUF_INIT;
	bool ours;

	str_copy(str_of(service), n.key.service, sizeof(n.key.service));
	str_copy(str_of(tail), n.tail, sizeof(n.tail));
	run_news_write(&n, &text);
	ours = running_hear(r, text.p);
	buf_free(&text);
	return ours;
}

/* ---- asking ---- */

Test(running, nothing_is_wanted)
{
	cr_expect_eq(look(T), 0);
	run(0, 1, 1);
	rollout(0)->entered = false;
	cr_expect_eq(look(T), 0);
	expect_said("", "nothing");
	cr_expect_null(running_news(r, &w.s.services[0]));
}

Test(running, asks_with_all_that_a_job_is_told)
{
	run(0, 3, 7);
	cr_expect_eq(look(T), T + RUNNING_ASK_US);
	expect_said("ask a 3 7\n", "begins");
	cr_expect_str_eq(asked.job, "migrate");
	cr_expect_str_eq(asked.from, "v1");
	cr_expect_str_eq(asked.to, "v2");
	cr_expect_str_eq(asked.version, "26.6.2");
	cr_expect_str_eq(asked.step, "tables");
}

/* Shares of v1 to v3 when it began, and from where it leads to v2 then. */
static const struct {
	const char *why;
	uint32_t share_bp[WORLD_POOLS];
	const char *from;
} froms[] = {
	{ "all of it", { 10000, 0, 0 }, "v1" },
	{ "most of it, the first", { 3000, 5000, 2000 }, "v1" },
	{ "most of it, the last", { 2000, 5000, 3000 }, "v3" },
	{ "both the same", { 5000, 0, 5000 }, "v1" },
	{ "nobody had any", { 0, 0, 0 }, "" },
	{ "nobody else", { 0, 10000, 0 }, "" },
};

Test(running, from_where)
{
	for (size_t i = 0; i < ARRAY_LEN(froms); i++) {
		end(), begin();
		run(0, 1, 1);
		for (size_t n = 0; n < WORLD_POOLS; n++)
			rollout(0)->before[n].share_bp = froms[i].share_bp[n];
		(void)look(T);
		expect_said("ask a 1 1\n", froms[i].why);
		cr_expect_str_eq(asked.from, froms[i].from, "%s", froms[i].why);
	}
}

static const struct {
	uint64_t at_us;
	const char *says;
} times[] = {
	{ 0, "ask a 1 1\n" },
	{ 1, "" },
	{ RUNNING_ASK_US - 1, "" },
	{ RUNNING_ASK_US, "ask a 1 1\n" },
	{ RUNNING_ASK_US + 1, "" },
	{ 2 * RUNNING_ASK_US - 1, "" },
	{ 100 * RUNNING_ASK_US, "ask a 1 1\n" },
};

/* However often it looks, it asks now and then; what runs changes nothing. */
Test(running, asks_again)
{
	for (int runs = 0; runs < 2; runs++) {
		end(), begin();
		run(0, 1, 1);
		for (size_t i = 0; i < ARRAY_LEN(times); i++) {
			uint64_t now = T + times[i].at_us, due = look(now);

			expect_said(times[i].says, runs ? "runs" : "silent");
			cr_expect(due > now && due <= now + RUNNING_ASK_US);
			if (runs)
				cr_expect(hear("a", 1, 1, false, ""));
		}
	}
}

Test(running, asks_no_more_when_it_has_ended)
{
	run(0, 1, 1);
	(void)look(T);
	cr_expect(hear("a", 1, 1, true, ""));
	expect_said("ask a 1 1\n", "before");
	cr_expect_eq(look(T + 10 * S), 0, "no need to look again");
	expect_said("", "ended");
}

/* ---- calling off ---- */

static void
pause_it(void)
{
	rollout(0)->stand = RO_STAND_PAUSED;
}

static void
fail_it(void)
{
	pause_it();
	rollout(0)->failed = true;
}

static void
abort_it(void)
{
	rollout(0)->stand = RO_STAND_ABORTED;
}

static void
step_on(void)
{
	rollout(0)->at++;
	rollout(0)->entered = false;
}

static void
note_done(void)
{
	rollout(0)->ran |= 1;
}

static void
begin_anew(void)
{
	rollout(0)->runs++;
}

static void
start_another(void)
{
	run(0, 2, 1);
}

static void
take_service_away(void)
{
	w.s.services[0] = w.s.services[1];
	w.s.n_services = 1;
}

/* What is said then of a run that goes on, or has ended. */
static const struct {
	const char *why;
	void (*change)(void);
	const char *runs, *ended;
	bool known; /* still, when it has ended */
} changes[] = {
	{ "an operator's pause", pause_it, "ask a 1 1\n", "", true },
	{ "a pause since it failed", fail_it, "stop a 1 1\n", "", true },
	{ "given up", abort_it, "stop a 1 1\n", "", true },
	{ "another step", step_on, "stop a 1 1\n", "", true },
	{ "it counts as done", note_done, "stop a 1 1\n", "", true },
	{ "another run", begin_anew, "stop a 1 1\nask a 1 2\n", "ask a 1 2\n",
	    false },
	{ "another rollout", start_another, "stop a 1 1\nask a 2 1\n",
	    "ask a 2 1\n", false },
	{ "no such service", take_service_away, "stop a 1 1\n", "", false },
};

Test(running, what_is_called_off)
{
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		for (int ended = 0; ended < 2; ended++) {
			struct ro_service a;

			end(), begin();
			run(0, 1, 1);
			(void)look(T);
			cr_expect(hear("a", 1, 1, ended, "so far\n"));
			expect_said("ask a 1 1\n", changes[i].why);
			changes[i].change();
			(void)look(T + S);
			expect_said(ended ? changes[i].ended : changes[i].runs,
			    changes[i].why);
			(void)look(T + S + 1);
			expect_said("", "once");
			a = w.s.services[0];
			cr_expect_eq(running_news(r, &a) != NULL,
			    ended ? changes[i].known
			          : changes[i].change == pause_it,
			    "%s", changes[i].why);
		}
	}
}

/* ---- hearing ---- */

Test(running, what_is_none_of_ours)
{
	cr_expect_not(hear("a", 1, 1, false, ""), "nothing was asked");
	run(0, 3, 7);
	(void)look(T);
	cr_expect_not(running_hear(r, ""));
	cr_expect_not(running_hear(r, "{\"service\":\"a\"}"));
	cr_expect_not(hear("b", 3, 7, true, ""));
	cr_expect_not(hear("x", 3, 7, true, ""));
	cr_expect_not(hear("a", 2, 7, true, ""));
	cr_expect_not(hear("a", 3, 6, true, ""));
	cr_expect_not(hear("a", 3, 8, true, ""));
	cr_expect_null(running_news(r, &w.s.services[0]));
	cr_expect(hear("a", 3, 7, false, ""));
	cr_expect_not_null(running_news(r, &w.s.services[0]));
}

Test(running, an_end_is_an_end)
{
	const struct run_news *n;

	run(0, 1, 1);
	(void)look(T);
	cr_expect(hear("a", 1, 1, false, "one\n"));
	n = running_news(r, &w.s.services[0]);
	cr_assert_not_null(n);
	cr_expect_eq(n->pid, 42);
	cr_expect_str_eq(n->tail, "one\n");
	cr_expect(hear("a", 1, 1, true, "one\ntwo\n"));
	cr_expect(hear("a", 1, 1, false, "zero\n"));
	n = running_news(r, &w.s.services[0]);
	cr_assert_not_null(n);
	cr_expect(n->ended);
	cr_expect_str_eq(n->tail, "one\ntwo\n", "what comes late is old");
}

/* ---- facts ---- */

Test(running, facts)
{
	struct ro_facts_run rows[2];

	run(0, 3, 7);
	(void)look(T);
	memset(rows, 'x', sizeof(rows));
	running_facts(r, &w.s, rows);
	cr_expect_eq(rows[0].rollout, 0, "nothing is known");
	cr_expect_not(rows[0].ended);
	cr_expect(hear("a", 3, 7, false, "half\n"));
	running_facts(r, &w.s, rows);
	cr_expect_eq(rows[0].rollout, 3);
	cr_expect_eq(rows[0].run, 7u);
	cr_expect_not(rows[0].ended);
	cr_expect_str_eq(rows[0].said, "half");
	cr_expect(hear("a", 3, 7, true, "half\nall \"of\" it \xc3\xa4\n\n"));
	running_facts(r, &w.s, rows);
	cr_expect(rows[0].ended);
	cr_expect_eq(rows[0].verdict, RO_VERDICT_ASK);
	cr_expect_eq(rows[0].exit, 75);
	cr_expect_eq(rows[0].took_us, 3 * S);
	cr_expect_str_eq(rows[0].why, "exit status 75");
	cr_expect_str_eq(rows[0].said, "all \"of\" it ??");
	cr_expect_eq(rows[1].rollout, 0, "another service");
	rollout(0)->runs++;
	running_facts(r, &w.s, rows);
	cr_expect_eq(rows[0].rollout, 0, "nothing of the next run yet");
}

/* The state keeps it within bounds: what it is cut to must not grow there. */
Test(running, words_for_people_are_plain)
{
	struct run_news n = { .key = { "a", 1, 1 }, .ended = true };
	struct ro_facts_run rows[2];
	struct buf text = BUF_INIT;

	run(0, 1, 1);
	(void)look(T);
	memset(n.why, '\xff', sizeof(n.why) - 1);
	run_news_write(&n, &text);
	cr_expect(running_hear(r, text.p));
	running_facts(r, &w.s, rows);
	cr_expect_eq(strlen(rows[0].why), sizeof(rows[0].why) - 1);
	cr_expect_eq(strspn(rows[0].why, "?"), sizeof(rows[0].why) - 1, "%s",
	    rows[0].why);
	buf_free(&text);
}

/* ---- several ---- */

Test(running, each_service_has_its_own)
{
	struct ro_facts_run rows[2];

	run(0, 3, 7);
	run(1, 3, 7);
	cr_expect_eq(look(T), T + RUNNING_ASK_US);
	expect_said("ask a 3 7\nask b 3 7\n", "both");
	cr_expect(hear("b", 3, 7, true, "of b"));
	running_facts(r, &w.s, rows);
	cr_expect_eq(rows[0].rollout, 0);
	cr_expect_str_eq(rows[1].said, "of b");
	cr_expect_eq(look(T + S), T + S + RUNNING_ASK_US);
	expect_said("ask a 3 7\n", "b has ended");
	rollout(0)->stand = RO_STAND_ABORTED;
	cr_expect_eq(look(T + 2 * S), 0);
	expect_said("stop a 3 7\n", "a was given up");
	running_facts(r, &w.s, rows);
	cr_expect_str_eq(rows[1].said, "of b");
}

Test(running, without_a_master)
{
	running_free(&r);
	r = running_new(NULL, NULL);
	cr_assert_not_null(r);
	run(0, 1, 1);
	cr_expect_gt(look(T), T);
	rollout(0)->stand = RO_STAND_ABORTED;
	cr_expect_eq(look(T + S), 0);
	expect_said("", "to nobody");
}

/* ---- memory ---- */

Test(running, none_without_memory)
{
	fault_arm(FAULT_CALLOC, 1, ENOMEM);
	cr_expect_null(running_new(on_tell, &w));
	fault_arm(FAULT_CALLOC, 0, 0);
}

/* What could not be said is said with the next look. */
Test(running, asks_when_there_is_memory)
{
	run(0, 1, 1);
	fault_arm(FAULT_CALLOC, 1, ENOMEM);
	cr_expect_eq(look(T), T + RUNNING_ASK_US);
	fault_arm(FAULT_CALLOC, 0, 0);
	expect_said("", "no seat");
	fault_arm(FAULT_REALLOC, 1, ENOMEM);
	cr_expect_eq(look(T + S), T + S + RUNNING_ASK_US);
	fault_arm(FAULT_REALLOC, 0, 0);
	expect_said("", "no text");
	cr_expect_eq(look(T + 2 * S), T + 2 * S + RUNNING_ASK_US);
	expect_said("ask a 1 1\n", "now there is");
	fault_arm(FAULT_CALLOC, 1, ENOMEM);
	cr_expect_not(hear("a", 1, 1, true, ""), "it has to be asked for");
	fault_arm(FAULT_CALLOC, 0, 0);
	(void)look(T + 3 * S);
	expect_said("ask a 1 1\n", "and it is");
}
