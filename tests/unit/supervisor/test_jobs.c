/*
 * Real processes; only the clock of jobs_look() is put forward.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "ipc/frame.h"
#include "supervisor/jobs.h"
#include "supervisor/privs.h"
#include "tests/unit/base/scratch.h"

#define LIMIT_US (5 * US_PER_S) /* of any wait */
#define STRANGERS_MAX 8

/* What was told of a service, last. */
struct heard {
	struct run_news news;
	unsigned times;
};

static struct jobs *jobs;
static struct cfg *cfg;
static struct privs privs;    /* of nobody else */
static struct heard heard[2]; /* of services a and b */
static uint64_t ahead_us;     /* jobs_look() believes that it is later */
static uint64_t due_us;       /* what it said */
/* Children that were no jobs: grandchildren whose parents have ended. */
static struct {
	pid_t pid;
	int status;
} strangers[STRANGERS_MAX];
static size_t n_strangers;

/* ---- the stage ---- */

static struct heard *
of(const char *service)
{
	return &heard[service[0] - 'a'];
}

static void
hear(const struct run_news *n, void *arg)
{
	struct heard *h = of(n->key.service);

	cr_expect_eq(arg, &jobs);
	h->news = *n;
	h->times++;
}

static void
begin(void)
{
	log_set_level(LOG_ERROR);
	scratch_begin();
	privs.uid = getuid();
	privs.gid = getgid();
	jobs = jobs_new(hear, &jobs);
	cr_assert_not_null(jobs);
}

static void
end(void)
{
	jobs_free(&jobs);
	cfg_unref(&cfg);
	scratch_end();
}

TestSuite(jobs, .init = begin, .fini = end, .timeout = 10);

/* From now on services a and b have those jobs; in YAML, without []. */
static void
configure(const char *list)
{
	struct cfg_problems problems;
	struct buf text = BUF_INIT;

	cfg_unref(&cfg);
	buf_add_cstr(&text, "listeners: \":1\"\nservices:\n");
	for (int s = 'a'; s <= 'b'; s++)
		buf_printf(&text,
		    "  - name: %c\n    match: %c.test\n"
		    "    pools: [ { name: v1, instances: \"127.0.0.1:1\" } ]\n"
		    "    rollout: { jobs: [ %s ] }\n",
		    s, s, list);
	cr_assert_eq(cfg_parse(buf_str(&text), "t", &cfg, &problems), E_OK,
	    "%s: %s", list, problems.n > 0 ? problems.list[0].text : "");
	cfg_problems_free(&problems);
	buf_free(&text);
}

/* One job, "work": a shell's text without '; more: "ok: [ 2 ]", or "". */
static void
configure_sh(const char *text, const char *more)
{
	struct buf job = BUF_INIT;

	buf_printf(&job,
	    "{ name: work, command: [ /bin/sh, -c, '%s' ], "
	    "env: [ \"D=%s\" ], %s }",
	    text, scratch_path("."), more);
	configure(job.p);
	buf_free(&job);
}

static struct run_ask
ask_of(const char *service, uint32_t run)
{
	struct run_ask a = { .key = { .rollout = 7, .run = run },
		.job = "work",
		.from = "v1",
		.to = "v2",
		.version = "26.6.2",
		.step = "set-up" };

	str_copy(str_of(service), a.key.service, sizeof(a.key.service));
	return a;
}

static void
ask(const char *service, uint32_t run)
{
	struct run_ask a = ask_of(service, run);

	jobs_ask(jobs, &a, cfg, &privs);
}

static void
stop(const char *service, uint32_t run)
{
	struct run_ask a = ask_of(service, run);

	jobs_stop(jobs, &a.key);
}

static void
reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (jobs_reap(jobs, pid, status))
			continue;
		cr_assert_lt(n_strangers, (size_t)STRANGERS_MAX);
		strangers[n_strangers].pid = pid;
		strangers[n_strangers++].status = status;
	}
}

/* What the master does in a turn. */
static void
turn(void)
{
	struct pollfd p = { .fd = jobs_fd(jobs), .events = POLLIN };

	(void)poll(&p, 1, 2);
	reap();
	due_us = jobs_look(jobs, clock_mono_us() + ahead_us);
}

static void
turns_for(uint64_t us)
{
	uint64_t until = clock_mono_us() + us;

	while (clock_mono_us() < until)
		turn();
}

static const struct run_news *
ended(const char *service)
{
	uint64_t until = clock_mono_us() + LIMIT_US;

	while (!of(service)->news.ended) {
		cr_assert_lt(clock_mono_us(), until, "%s does not end",
		    service);
		turn();
	}
	return &of(service)->news;
}

/* What the shell's text comes to; runs are counted. */
static const struct run_news *
outcome(const char *text, const char *more)
{
	static uint32_t run;

	configure_sh(text, more);
	heard[0].news.ended = false;
	ask("a", ++run);
	return ended("a");
}

/* Until it has written something; the number in it. */
static int
number_said(const char *service, uint32_t run)
{
	uint64_t until = clock_mono_us() + LIMIT_US;

	while (strchr(of(service)->news.tail, '\n') == NULL) {
		cr_assert_lt(clock_mono_us(), until, "%s says nothing",
		    service);
		turn();
		ask(service, run);
	}
	return atoi(of(service)->news.tail);
}

/* The status that a grandchild ended with. */
static int
stranger(pid_t pid)
{
	uint64_t until = clock_mono_us() + LIMIT_US;

	for (;;) {
		for (size_t i = 0; i < n_strangers; i++)
			if (strangers[i].pid == pid)
				return strangers[i].status;
		cr_assert_lt(clock_mono_us(), until, "%d does not end",
		    (int)pid);
		turn();
	}
}

static void
expect_killed(int status, int signal, const char *what)
{
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == signal,
	    "%s: status %#x", what, (unsigned)status);
}

static size_t
lines_in(const char *name)
{
	size_t len, n = 0;
	char *text;

	if (access(scratch_path(name), F_OK) == -1)
		return 0;
	text = scratch_read(name, &len);
	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	free(text);
	return n;
}

/* ---- few descriptors ---- */

#define FILES 64

static int files[FILES];
static size_t n_files;

/* So many can still be had, of us and of what we start. */
static void
leave_descriptors(size_t n)
{
	struct rlimit few = { FILES, FILES };

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	while ((files[n_files] = dup(STDERR_FILENO)) != -1)
		n_files++;
	cr_assert_gt(n_files, n);
	for (; n > 0; n--)
		close(files[--n_files]);
}

static void
give_back_descriptors(void)
{
	while (n_files > 0)
		close(files[--n_files]);
}

/* ---- how they end ---- */

static const struct {
	const char *text, *more;
	enum ro_verdict verdict;
	int exit;
	const char *why;
} endings[] = {
	{ "exit 0", "", RO_VERDICT_OK, 0, "exit status 0" },
	{ "exit 1", "", RO_VERDICT_FAILED, 1, "exit status 1" },
	{ "exit 255", "", RO_VERDICT_FAILED, 255, "exit status 255" },
	{ "exit 3", "ok: [ 2, 3 ]", RO_VERDICT_OK, 3, "exit status 3" },
	{ "exit 0", "ok: [ 2, 3 ]", RO_VERDICT_FAILED, 0, "exit status 0" },
	{ "exit 8", "ask: [ 7, 8 ]", RO_VERDICT_ASK, 8, "exit status 8" },
	{ "exit 9", "ask: [ 7, 8 ]", RO_VERDICT_FAILED, 9, "exit status 9" },
	{ "exit 2", "ok: [ 2 ], ask: [ 3 ]", RO_VERDICT_OK, 2,
	    "exit status 2" },
	{ "kill -KILL $$", "", RO_VERDICT_FAILED, -1,
	    "killed by signal 9 (Killed)" },
	{ "kill -TERM $$", "ok: [ 0, 15 ]", RO_VERDICT_FAILED, -1,
	    "killed by signal 15 (Terminated)" },
	/* whether it is needed */
	{ "exit 3", "when: [ /bin/sh, -c, exit 0 ]", RO_VERDICT_FAILED, 3,
	    "exit status 3" },
	{ "exit 3", "when: [ /bin/sh, -c, exit 1 ]", RO_VERDICT_OK, 0,
	    "it is not needed" },
	{ "exit 0", "when: [ /bin/sh, -c, exit 5 ], ok: [ 0, 5 ]",
	    RO_VERDICT_FAILED, 5, "whether it is needed: exit status 5" },
	{ "exit 0", "when: [ /nowhere ]", RO_VERDICT_FAILED, 127,
	    "whether it is needed: exit status 127" },
	{ "exit 0", "when: [ /bin/sh, -c, kill -9 $$ ]", RO_VERDICT_FAILED, -1,
	    "killed by signal 9 (Killed)" },
};

Test(jobs, end_as_their_lists_say)
{
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		const struct run_news *n = outcome(endings[i].text,
		    endings[i].more);

		cr_expect_str_eq(n->why, endings[i].why, "%s, %s: %s",
		    endings[i].text, endings[i].more, n->why);
		cr_expect_eq(n->verdict, endings[i].verdict, "%s",
		    endings[i].more);
		cr_expect_eq(n->exit, endings[i].exit, "%s", endings[i].more);
		cr_expect_eq(n->pid, 0);
		cr_expect_gt(n->took_us, 0u);
		cr_expect_lt(n->took_us, LIMIT_US);
		cr_expect_eq(due_us, 0u, "there is nothing to look at");
	}
}

Test(jobs, tell_when_they_begin)
{
	configure_sh("exit 0", "timeout: 5s");
	ask("a", 1);
	cr_expect_eq(heard[0].times, 1u);
	cr_expect_not(heard[0].news.ended);
	cr_expect_gt(heard[0].news.pid, 0);
	cr_expect_eq(heard[0].news.key.rollout, 7u);
	cr_expect_eq(heard[0].news.key.run, 1u);
	(void)ended("a");
	cr_expect_eq(heard[0].times, 2u);
}

/* ---- what they say ---- */

static const struct {
	const char *why, *text, *tail;
} outputs[] = {
	{ "none", "exit 0", "" },
	{ "both streams", "echo out; echo err >&2", "out\nerr\n" },
	{ "no newline at the end", "printf \"a\\nb\"", "a\nb" },
	{ "progress", "printf \"10%%\\r20%%\\r\\n\"", "10%\n20%\n\n" },
	{ "colours, bells, NUL", "printf \"\\033[1mx\\007\\000\\177\\t\"",
	    "?[1mx???\t" },
	{ "bytes that are no UTF-8", "printf \"\\377\\200\"", "\377\200" },
	{ "of when, too", "echo b", "a\nb\n" },
	{ "the last of a flood",
	    "head -c 3000000 /dev/zero | tr \"\\000\" x; echo; echo last",
	    "x\nlast\n" },
};

Test(jobs, output)
{
	for (size_t i = 0; i < ARRAY_LEN(outputs); i++) {
		const struct run_news *n = outcome(outputs[i].text,
		    outputs[i].tail[0] == 'a' && outputs[i].text[0] == 'e'
		        ? "when: [ /bin/echo, a ]"
		        : "");
		size_t len = strlen(n->tail), want = strlen(outputs[i].tail);

		if (outputs[i].tail[0] == 'x')
			cr_expect_eq(len, RUN_TAIL_MAX - 1, "%zu", len);
		else
			cr_expect_eq(len, want, "%s: %zu bytes", outputs[i].why,
			    len);
		cr_assert_geq(len, want);
		cr_expect_str_eq(n->tail + len - want, outputs[i].tail,
		    "%s: %s", outputs[i].why, n->tail + len - want);
	}
}

Test(jobs, tail_is_exactly_the_end)
{
	struct buf all = BUF_INIT;
	const struct run_news *n;

	for (unsigned i = 1; i <= 2000; i++)
		buf_printf(&all, "%u\n", i);
	n = outcome("i=0; while test $i != 2000; do i=$((i+1)); echo $i; "
	            "done",
	    "");
	cr_expect_str_eq(n->tail, all.p + all.len - (RUN_TAIL_MAX - 1));
	buf_free(&all);
}

/* Whatever it writes, the frame that tells it is whole. */
Test(jobs, any_tail_fits_a_frame)
{
	static const char *const bytes[] = { "\\377", "\\\\", "\\n", "\\001",
		"\\302" };
	char text[160];

	for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
		struct buf frame = BUF_INIT;
		struct run_news back;

		(void)snprintf(text, sizeof(text),
		    "head -c 4000 /dev/zero | tr \"\\000\" \"%s\"", bytes[i]);
		run_news_write(outcome(text, ""), &frame);
		cr_assert_lt(frame.len, (size_t)FRAME_TEXT_MAX, "%s", bytes[i]);
		cr_assert(run_news_read(frame.p, &back), "%s", bytes[i]);
		cr_expect_geq(strlen(back.tail), (size_t)RUN_TAIL_MAX - 1,
		    "%s: %zu", bytes[i], strlen(back.tail));
		buf_free(&frame);
	}
}

Test(jobs, output_is_told_while_they_run)
{
	configure_sh("echo 1; until test -e $D/go; do sleep 0.01; done; "
	             "echo 2",
	    "");
	ask("a", 1);
	cr_expect_eq(number_said("a", 1), 1);
	cr_expect_str_eq(heard[0].news.tail, "1\n");
	cr_expect_not(heard[0].news.ended);
	scratch_write("go", STR(""));
	cr_expect_str_eq(ended("a")->tail, "1\n2\n");
}

/* epoll has bounds of its own: a full pipe would stop it for good. */
Test(jobs, output_that_cannot_be_watched)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct run_news *n;

	cr_assert_eq(dup2(null, jobs_fd(jobs)), jobs_fd(jobs));
	close(null);
	n = outcome("head -c 3000000 /dev/zero; echo last", "");
	cr_expect_eq(n->verdict, RO_VERDICT_OK);
	cr_expect_str_eq(n->tail + RUN_TAIL_MAX - 1 - 5, "last\n");
}

/* ---- one at a time ---- */

Test(jobs, asked_twice_runs_once)
{
	struct run_news first;

	configure_sh("echo x >> $D/ran; until test -e $D/go; do sleep 0.01; "
	             "done; exit 3",
	    "");
	ask("a", 1);
	first = heard[0].news;
	ask("a", 1);
	cr_expect_eq(heard[0].times, 2u);
	cr_expect_eq(heard[0].news.pid, first.pid);
	scratch_write("go", STR(""));
	(void)ended("a");
	first = heard[0].news;
	for (unsigned i = 0; i < 3; i++) {
		heard[0].news = (struct run_news){ .ended = false };
		ask("a", 1);
		cr_expect(heard[0].news.ended);
		cr_expect_eq(heard[0].news.exit, 3);
		cr_expect_eq(heard[0].news.took_us, first.took_us);
		cr_expect_str_eq(heard[0].news.why, first.why);
	}
	cr_expect_eq(lines_in("ran"), 1u);
}

Test(jobs, one_of_a_service_at_a_time)
{
	configure_sh("echo x >> $D/$SEGUE_SERVICE; "
	             "until test -e $D/go; do sleep 0.01; done; echo 1",
	    "");
	ask("a", 1);
	ask("b", 1);
	cr_expect_eq(heard[1].times, 1u, "another service's begins");
	while (lines_in("a") + lines_in("b") < 2)
		turn();
	/* Whoever wants the next has lost the word that ends this one. */
	ask("a", 2);
	cr_expect_eq(heard[0].times, 1u, "it does not begin");
	cr_expect_eq(ended("a")->key.run, 1u);
	cr_expect_str_eq(heard[0].news.why, "it was called off");
	ask("a", 2);
	cr_expect_eq(heard[0].news.key.run, 2u);
	cr_expect_not(heard[0].news.ended);
	scratch_write("go", STR(""));
	cr_expect_eq(ended("a")->verdict, RO_VERDICT_OK);
	cr_expect_eq(ended("b")->verdict, RO_VERDICT_OK);
	cr_expect_eq(lines_in("a"), 2u);
	cr_expect_eq(lines_in("b"), 1u);
}

/* ---- ending them ---- */

Test(jobs, take_too_long)
{
	const struct run_news *n;
	uint64_t now;

	configure_sh("echo $$; sleep 1000", "timeout: 90s");
	ask("a", 1);
	(void)number_said("a", 1);
	now = clock_mono_us();
	cr_expect_gt(due_us, now);
	cr_expect_leq(due_us, now + 90 * US_PER_S);
	ahead_us = 80 * US_PER_S;
	turns_for(20 * US_PER_MS);
	cr_expect_not(heard[0].news.ended);
	ahead_us = 90 * US_PER_S;
	n = ended("a");
	cr_expect_eq(n->verdict, RO_VERDICT_FAILED);
	cr_expect_eq(n->exit, -1);
	cr_expect_str_eq(n->why, "it took longer than 1m30s");
	cr_expect_eq(due_us, 0u);
}

/* How it ends then is no outcome. */
Test(jobs, exit_well_too_late)
{
	configure_sh("trap \"exit 0\" TERM; echo $$; while :; do sleep 0.01; "
	             "done",
	    "timeout: 1s");
	ask("a", 1);
	(void)number_said("a", 1);
	ahead_us = 1 * US_PER_S;
	cr_expect_str_eq(ended("a")->why, "it took longer than 1s");
	cr_expect_eq(heard[0].news.verdict, RO_VERDICT_FAILED);
}

/* The limit is that of both together. */
Test(jobs, take_too_long_to_find_out)
{
	configure_sh("echo x > $D/ran",
	    "timeout: 1s, when: [ /bin/sh, -c, echo $$; sleep 1000 ]");
	ask("a", 1);
	(void)number_said("a", 1);
	ahead_us = 1 * US_PER_S;
	cr_expect_str_eq(ended("a")->why, "it took longer than 1s");
	cr_expect_eq(lines_in("ran"), 0u);
}

Test(jobs, ignore_term)
{
	int child;

	configure_sh("trap \"\" TERM; sleep 1000 & echo $!; wait; sleep 1000",
	    "timeout: 1s");
	ask("a", 1);
	child = number_said("a", 1);
	ahead_us = 1 * US_PER_S;
	cr_expect_not(jobs_are_ending(jobs));
	turns_for(50 * US_PER_MS);
	cr_expect_not(heard[0].news.ended);
	cr_expect(jobs_are_ending(jobs));
	cr_expect_gt(due_us, clock_mono_us() + JOBS_GRACE_US);
	ahead_us += JOBS_GRACE_US;
	cr_expect_str_eq(ended("a")->why, "it took longer than 1s");
	cr_expect_not(jobs_are_ending(jobs));
	expect_killed(stranger(child), SIGKILL, "its child");
}

/* A shell dies of TERM at once; what it runs has its ten seconds. */
Test(jobs, others_of_the_group_have_time)
{
	configure_sh(
	    "(trap \"sleep 0.2; echo x > $D/tidied; echo tidied; exit\" "
	    "TERM; echo 1; while :; do sleep 0.01; done) & wait",
	    "timeout: 1s");
	ask("a", 1);
	(void)number_said("a", 1);
	ahead_us = 1 * US_PER_S;
	cr_expect_str_eq(ended("a")->why, "it took longer than 1s");
	cr_expect_eq(lines_in("tidied"), 1u);
	cr_expect_not_null(strstr(heard[0].news.tail, "tidied\n"));
}

Test(jobs, others_of_the_group_ignore_term)
{
	int child;

	configure_sh("(trap \"\" TERM; sleep 1000 & echo $!; wait) & wait", "");
	ask("a", 1);
	child = number_said("a", 1);
	stop("a", 1);
	turns_for(50 * US_PER_MS);
	ask("a", 1);
	cr_expect_eq(heard[0].news.pid, 0, "its own process has ended");
	cr_expect_not(heard[0].news.ended);
	ask("a", 2);
	cr_expect_eq(heard[0].news.key.run, 1u, "no other begins");
	cr_expect_gt(due_us, clock_mono_us());
	cr_expect_lt(due_us, clock_mono_us() + US_PER_S);
	ahead_us = JOBS_GRACE_US;
	cr_expect_str_eq(ended("a")->why, "it was called off");
	expect_killed(stranger(child), SIGKILL, "its child");
	cr_expect_eq(due_us, 0u);
}

Test(jobs, others_of_the_group_end_with_us)
{
	int child, status;
	pid_t pid;

	configure_sh("(trap \"\" TERM; sleep 1000 & echo $!; wait) & wait", "");
	ask("a", 1);
	child = number_said("a", 1);
	stop("a", 1);
	turns_for(50 * US_PER_MS);
	jobs_free(&jobs);
	do
		pid = waitpid(-1, &status, 0);
	while (pid != -1 && pid != child);
	cr_expect_eq(pid, child);
	expect_killed(status, SIGKILL, "its child");
}

/* Whoever does so later takes none of that time away. */
Test(jobs, called_off_when_they_were_told_to_end)
{
	configure_sh("trap \"\" TERM; echo $$; while :; do sleep 0.01; done",
	    "timeout: 1s");
	ask("a", 1);
	(void)number_said("a", 1);
	ahead_us = 1 * US_PER_S;
	turns_for(20 * US_PER_MS);
	stop("a", 1);
	jobs_stop_all(jobs);
	turns_for(50 * US_PER_MS);
	cr_expect_not(heard[0].news.ended);
	ahead_us += JOBS_GRACE_US;
	cr_expect_str_eq(ended("a")->why, "it was called off");
}

/* What is left of one that failed. */
Test(jobs, leave_nothing_when_they_fail)
{
	configure_sh("sleep 1000 & echo $!; exit 1", "");
	ask("a", 1);
	(void)ended("a");
	expect_killed(stranger(atoi(heard[0].news.tail)), SIGKILL, "its child");
}

Test(jobs, called_off)
{
	const struct run_news *n;
	int child;

	configure_sh("sleep 1000 & echo $!; wait", "");
	ask("a", 1);
	child = number_said("a", 1);
	stop("a", 2); /* not the one that runs */
	turns_for(20 * US_PER_MS);
	cr_expect_not(heard[0].news.ended);
	stop("a", 1);
	stop("a", 1);
	n = ended("a");
	cr_expect_str_eq(n->why, "it was called off");
	cr_expect_eq(n->verdict, RO_VERDICT_FAILED);
	cr_expect_eq(n->exit, -1);
	expect_killed(stranger(child), SIGTERM, "its child");
	stop("a", 1); /* it has ended */
	ask("a", 1);
	cr_expect_str_eq(heard[0].news.why, "it was called off");
}

/* Before it has made a group of its own. */
Test(jobs, called_off_as_they_begin)
{
	configure_sh("sleep 1000", "");
	for (uint32_t run = 1; run <= 20; run++) {
		heard[0].news.ended = false;
		ask("a", run);
		stop("a", run);
		cr_expect_str_eq(ended("a")->why, "it was called off");
	}
}

Test(jobs, all_are_called_off)
{
	configure_sh("echo $$; sleep 1000", "");
	ask("a", 1);
	ask("b", 1);
	(void)number_said("a", 1);
	(void)number_said("b", 1);
	jobs_stop_all(jobs);
	cr_expect_str_eq(ended("a")->why, "it was called off");
	cr_expect_str_eq(ended("b")->why, "it was called off");
}

/* It may have been there to start something. */
Test(jobs, leave_something_when_they_end_well)
{
	const struct run_news *n;
	int child;

	configure_sh("sleep 1000 & echo $!; exit 0", "");
	ask("a", 1);
	n = ended("a");
	cr_expect_eq(n->verdict, RO_VERDICT_OK);
	cr_expect_lt(n->took_us, 2 * US_PER_S);
	child = atoi(n->tail);
	turns_for(20 * US_PER_MS);
	cr_expect_eq(n_strangers, 0u);
	cr_expect_eq(kill(child, SIGKILL), 0);
	expect_killed(stranger(child), SIGKILL, "its child");
}

/* ---- cannot be run ---- */

Test(jobs, no_such_program)
{
	const struct run_news *n;

	configure("{ name: work, command: [ /nowhere/at/all ] }");
	ask("a", 1);
	n = ended("a");
	cr_expect_eq(n->verdict, RO_VERDICT_FAILED);
	cr_expect_eq(n->exit, 127);
	cr_expect_str_eq(n->tail,
	    "/nowhere/at/all cannot be run: No such file or directory\n");
}

static void
expect_not_begun(const char *why)
{
	const struct run_news *n = &heard[0].news;

	ask("a", 1);
	cr_expect(n->ended, "%s", why);
	cr_expect_eq(n->verdict, RO_VERDICT_FAILED);
	cr_expect_eq(n->exit, -1);
	cr_expect_eq(n->pid, 0);
	cr_expect_eq(n->took_us, 0u);
	cr_expect_str_eq(n->why, why, "%s", n->why);
	cr_expect_str_eq(n->tail, "");
}

Test(jobs, no_such_user)
{
	configure_sh("exit 0", "user: nobody-there");
	expect_not_begun("there is no user nobody-there");
}

/* Whether there is such a user cannot be said then. */
Test(jobs, no_descriptors)
{
	static const char *const users[] = { "", "user: nobody" };
	static const char want[] =
	    "it cannot be started: out of file descriptors";

	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		configure_sh("exit 0", users[i]);
		leave_descriptors(0);
		ask("a", (uint32_t)i + 1);
		give_back_descriptors();
		cr_expect_str_eq(heard[0].news.why, want, "%s: %s", users[i],
		    heard[0].news.why);
	}
}

Test(jobs, no_processes)
{
	struct rlimit none = { 0, 0 };
	uid_t uid = 54321; /* root has no such limit */

	configure_sh("exit 0", "");
	cr_assert_eq(setrlimit(RLIMIT_NPROC, &none), 0);
	if (getuid() == 0)
		cr_assert_eq(setresuid(uid, uid, 0), 0);
	expect_not_begun("it cannot be started: not now, try later");
	if (geteuid() == uid)
		cr_assert_eq(setresuid(0, 0, 0), 0);
}

Test(jobs, no_such_job)
{
	configure("{ name: other, command: [ /bin/true ] }");
	expect_not_begun("the configuration has no such job any more");
}

Test(jobs, no_such_service)
{
	struct run_ask a = ask_of("a", 1);

	configure_sh("exit 0", "");
	cr_assert_str_eq(cfg->services[0].name, "a");
	cfg->services[0].name[0] = 'c';
	jobs_ask(jobs, &a, cfg, &privs);
	cr_expect_str_eq(heard[0].news.why,
	    "the configuration has no such job any more");
}

/* ---- a network process that is somebody else's ---- */

#define MEMBER(m) offsetof(struct run_ask, m)

static const struct {
	const char *why;
	size_t at; /* in a struct run_ask */
	const char *text;
	bool runs;
} texts[] = {
	{ "none was there before", MEMBER(from), "", true },
	{ "a step without a name", MEMBER(step), "", true },
	{ "as versions are", MEMBER(version), "26.6.2-rc:1/x", true },
	{ "no service", MEMBER(key.service), "", false },
	{ "no job", MEMBER(job), "", false },
	{ "another line of the log", MEMBER(key.service), "a\nlevel=x", false },
	{ "a command", MEMBER(from), "$(id)", false },
	{ "a path", MEMBER(to), "../x", false },
	{ "a quote", MEMBER(version), "1\"; id; \"", false },
	{ "a line", MEMBER(step), "a\nb", false },
	{ "an instance", MEMBER(instance), "10.0.0.1:1", true },
	{ "a command for an instance", MEMBER(instance), "x;id", false },
	{ "a space", MEMBER(version), "1 --force", false },
};

Test(jobs, are_told_nothing_but_names)
{
	configure("{ name: work, command: [ /bin/true ] }");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct run_ask a = ask_of("a", (uint32_t)i + 1);

		heard[0] = (struct heard){ .times = 0 };
		str_copy(str_of(texts[i].text), (char *)&a + texts[i].at,
		    CFG_NAME_MAX + 1);
		jobs_ask(jobs, &a, cfg, &privs);
		cr_expect_eq(heard[0].times, texts[i].runs, "%s: %s",
		    texts[i].why, heard[0].news.why);
		if (texts[i].runs)
			(void)ended("a");
	}
}

/* What cannot be run is not remembered. */
Test(jobs, any_number_of_services)
{
	size_t before;

	configure_sh("exit 0", "");
	before = mallinfo2().uordblks;
	for (uint32_t i = 1; i <= 1000; i++) {
		struct run_ask a = ask_of("a", i);

		(void)snprintf(a.key.service, sizeof(a.key.service), "a%u", i);
		jobs_ask(jobs, &a, cfg, &privs);
		cr_assert_eq(heard[0].times, i);
	}
	cr_expect_lt(mallinfo2().uordblks, before + 65536);
}

/* A job for an instance is told which and where; if it is one. */
Test(jobs, for_an_instance)
{
	struct run_ask a = ask_of("a", 1);

	configure_sh("echo $SEGUE_INSTANCE at $SEGUE_ADDRESS", "");
	str_copy(STR("v1"), a.to, sizeof(a.to));
	str_copy(STR("127.0.0.1:1"), a.instance, sizeof(a.instance));
	jobs_ask(jobs, &a, cfg, &privs);
	cr_expect_str_eq(ended("a")->tail, "127.0.0.1:1 at 127.0.0.1:1\n");
	heard[0].news.ended = false;
	a.key.run++;
	a.instance[0] = '2';
	jobs_ask(jobs, &a, cfg, &privs);
	cr_expect_eq(ended("a")->verdict, RO_VERDICT_FAILED);
	cr_expect_str_eq(heard[0].news.why,
	    "the configuration has no such instance any more");
}

/* ---- what they get ---- */

/* Exactly the environment that is made for them. */
static void
expect_env(const char *own, const char *path)
{
	const struct passwd *pw = getpwuid(getuid());
	struct buf want = BUF_INIT;

	cr_assert_not_null(pw);
	buf_printf(&want,
	    "SEGUE_SERVICE=a\nSEGUE_ROLLOUT=7\nSEGUE_JOB=work\n"
	    "SEGUE_STEP=set-up\nSEGUE_FROM=v1\nSEGUE_TO=v2\n"
	    "SEGUE_FROM_VERSION=v1\nSEGUE_VERSION=26.6.2\n"
	    "SEGUE_INSTANCE=\nSEGUE_ADDRESS=\nSEGUE_SOCKET=%s\n%s%sLANG=C.UTF-"
	    "8\nHOME=%s\nUSER=%s\n",
	    cfg->admin_socket, own, path, pw->pw_dir, pw->pw_name);
	ask("a", own[0] == 'P' ? 1 : 2);
	cr_expect_str_eq(ended("a")->tail, want.p);
	heard[0].news.ended = false;
	buf_free(&want);
}

Test(jobs, environment)
{
	cr_assert_eq(setenv("LEAK", "secret", 1), 0);
	configure("{ name: work, command: [ /usr/bin/env ], "
	          "env: [ PATH=/bin, COLOUR=green blue ] }");
	expect_env("PATH=/bin\nCOLOUR=green blue\n", "");
	configure("{ name: work, command: [ /usr/bin/env ] }");
	expect_env("",
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
	    "/usr/bin:/sbin:/bin\n");
}

static const struct {
	const char *why, *text, *tail;
} surroundings[] = {
	{ "its directory", "pwd", "/\n" },
	{ "no input", "cat; readlink /proc/self/fd/0", "/dev/null\n" },
	/* 3 is what ls looks with */
	{ "nothing of ours", "ls /proc/self/fd", "0\n1\n2\n3\n" },
	{ "the usual limit", "ulimit -Sn", "1024\n" },
	{ "no signals blocked", "grep SigBlk /proc/self/status",
	    "SigBlk:\t0000000000000000\n" },
	{ "no signals ignored", "grep SigIgn /proc/self/status",
	    "SigIgn:\t0000000000000000\n" },
};

Test(jobs, surroundings)
{
	sigset_t chld;
	int fd = open("/dev/null", O_RDWR); /* without O_CLOEXEC */

	cr_assert_neq(fd, -1);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	cr_assert_eq(sigprocmask(SIG_BLOCK, &chld, NULL), 0);
	(void)signal(SIGPIPE, SIG_IGN); /* we do */
	(void)signal(SIGINT, SIG_IGN);  /* who started us may have */
	(void)signal(SIGTERM, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(surroundings); i++) {
		const struct run_news *n = outcome(surroundings[i].text, "");

		cr_expect_str_eq(n->tail, surroundings[i].tail, "%s: %s",
		    surroundings[i].why, n->tail);
	}
	close(fd);
}

/* We may have been started without the streams that they get. */
Test(jobs, streams_where_we_have_none)
{
	int kept = dup(STDERR_FILENO);

	for (int closed = STDIN_FILENO; closed <= STDERR_FILENO; closed++) {
		const struct run_news *n;

		/* the pipe is 1 and 2, 0 and 2, 0 and 1 */
		for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
			(void)close(fd);
		cr_assert_eq(dup2(kept, closed), closed);
		n = outcome("cat; echo out; echo err >&2", "");
		cr_expect_str_eq(n->tail, "out\nerr\n", "only %d: %s", closed,
		    n->tail);
	}
}

/* The last descriptors of ours are the pipe; they need no more. */
Test(jobs, streams_where_no_descriptor_is_left)
{
	configure_sh("cat; echo well", "");
	leave_descriptors(2);
	ask("a", 1);
	cr_expect_str_eq(ended("a")->tail, "well\n");
	cr_expect_eq(heard[0].news.exit, 0);
	give_back_descriptors();
}

Test(jobs, a_session_of_their_own)
{
	int pid, parent, group, session, terminal;

	configure("{ name: work, command: [ /bin/cat, /proc/self/stat ] }");
	ask("a", 1);
	cr_assert_eq(sscanf(ended("a")->tail, "%d (cat) %*c %d %d %d %d", &pid,
	                 &parent, &group, &session, &terminal),
	    5);
	cr_expect_eq(parent, getpid());
	cr_expect_eq(group, pid);
	cr_expect_eq(session, pid);
	cr_expect_eq(terminal, 0);
}

Test(jobs, another_user)
{
	static const char text[] = "id -un; id -Gn; echo $HOME $USER";
	const struct passwd *pw = getpwnam("nobody");
	char want[256];

	if (getuid() != 0) /* covered where CI runs: as root */
		return;
	cr_assert_not_null(pw);
	(void)snprintf(want, sizeof(want), "nobody\nnogroup\n%s nobody\n",
	    pw->pw_dir);
	cr_expect_str_eq(outcome(text, "user: nobody")->tail, want);
	privs = (struct privs){ pw->pw_uid, pw->pw_gid, 1 };
	cr_expect_str_eq(outcome(text, "")->tail, want);
	cr_expect_str_eq(outcome("echo x > /dev/stdout; echo y > /dev/stderr",
	                     "user: nobody")
	                     ->tail,
	    "x\ny\n");
	cr_expect_str_eq(outcome("id -un", "user: \"0\"")->tail, "root\n");
	cr_expect_str_eq(outcome("id -un", "user: root")->tail, "root\n");
}

/* ---- our own end ---- */

Test(jobs, end_with_us)
{
	int child, status;
	pid_t pid;

	configure_sh("sleep 1000 & echo $!; wait", "");
	ask("a", 1);
	child = number_said("a", 1);
	pid = heard[0].news.pid;
	jobs_free(&jobs);
	cr_expect_null(jobs);
	jobs_free(&jobs); /* there is nothing */
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	expect_killed(status, SIGKILL, "it");
	cr_assert_eq(waitpid(child, &status, 0), child);
	expect_killed(status, SIGKILL, "its child");
}

/* Even where we cannot say so any more. */
Test(jobs, end_when_we_are_killed)
{
	int status;
	pid_t us;

	configure_sh("echo $$ > $D/pid; sleep 1000", "");
	us = fork();
	if (us == 0) {
		ask("a", 1);
		while (lines_in("pid") == 0)
			turn();
		(void)kill(getpid(), SIGKILL);
	}
	cr_assert_eq(waitpid(us, &status, 0), us);
	expect_killed(status, SIGKILL, "we");
	cr_assert_gt(waitpid(-1, &status, 0), 0);
	expect_killed(status, SIGKILL, "it");
}

Test(jobs, left_to_the_one_that_they_are_of)
{
	int status;
	pid_t pid;

	configure_sh("echo 1; until test -e $D/go; do sleep 0.01; done; "
	             "echo 2",
	    "");
	ask("a", 1);
	(void)number_said("a", 1);
	pid = fork();
	if (pid == 0) {
		jobs_leave(&jobs);
		_exit(jobs == NULL ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	scratch_write("go", STR(""));
	cr_expect_str_eq(ended("a")->tail, "1\n2\n");
	cr_expect_eq(heard[0].news.verdict, RO_VERDICT_OK);
}

static size_t
open_files(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

Test(jobs, leave_us_no_descriptors)
{
	static const char *const rows[] = { "user: nobody-there",
		"when: [ /nowhere ]", "when: [ /bin/false ]",
		"when: [ /bin/true ]", "" };
	size_t before = open_files();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)outcome("sleep 1000 & echo $!", rows[i]);
		if (heard[0].news.tail[0] != '\0' &&
		    heard[0].news.verdict == RO_VERDICT_OK)
			(void)kill(atoi(heard[0].news.tail), SIGKILL);
		cr_expect_eq(open_files(), before, "%s", rows[i]);
	}
	configure("{ name: work, command: [ /nowhere ] }");
	heard[0].news.ended = false;
	ask("a", 100);
	(void)ended("a");
	cr_expect_eq(open_files(), before);
}

Test(jobs, know_their_own)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	configure_sh("exit 0", "");
	ask("a", 1);
	(void)ended("a");
	cr_expect_eq(WEXITSTATUS(stranger(pid)), 3);
	cr_expect_eq(n_strangers, 1u);
}

/* ---- rehearsals ---- */

static const struct run_news *
rehearsed(const char *more)
{
	struct run_ask a = ask_of("a", 1);

	configure_sh("echo really > $D/real; exit 9", more);
	a.rehearsal = true;
	jobs_ask(jobs, &a, cfg, &privs);
	return ended("a");
}

/* Its own command and no other, judged and told as the job is. */
Test(jobs, rehearsal)
{
	const struct run_news *n = rehearsed(
	    "rehearse: [ /bin/sh, -c, 'echo $SEGUE_REHEARSAL $SEGUE_TO; exit "
	    "4' ], when: [ /bin/sh, -c, 'echo > $D/real' ], ask: [ 4 ]");

	cr_expect_eq(n->verdict, RO_VERDICT_ASK);
	cr_expect_eq(n->exit, 4);
	cr_expect_str_eq(n->tail, "1 v2\n");
	cr_expect_eq(lines_in("real"), 0, "neither it nor its question ran");
}

/* A reload took it away: better nothing than the real one. */
Test(jobs, rehearsal_that_is_gone)
{
	const struct run_news *n = rehearsed("when: [ /bin/sh, -c, 'exit 0' ]");

	cr_expect_eq(n->verdict, RO_VERDICT_FAILED);
	cr_expect_str_eq(n->why,
	    "the configuration has no command for its rehearsal any more");
	cr_expect_eq(lines_in("real"), 0);
}

Test(jobs, no_rehearsal)
{
	cr_expect_str_eq(outcome("echo \"${SEGUE_REHEARSAL-none}\"",
	                     "rehearse: [ /bin/false ]")
	                     ->tail,
	    "none\n");
}
