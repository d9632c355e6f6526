/*
 * kill -9 at any instant: the state file is never damaged, and holds at least
 * what was acknowledged.
 *
 * A child runs a drive and random commands, and acknowledges each done one
 * over a pipe; the parent kills it, reads the pipe to its end and loads the
 * file.  The next child goes on from there.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../base/scratch.h"
#include "base/err.h"
#include "base/random.h"
#include "rig.h"

#define ROUNDS 60
#define LIFE_MAX_US 40000u /* after the first acknowledgement */

/* What the child says it has done: less than PIPE_BUF, so never cut. */
struct ack {
	uint64_t generation;
	uint32_t v2_bp;
	uint32_t epoch;
};

static struct rig r;

/* ---- the child ---- */

static struct ro_command
any_command(void)
{
	struct ro_command c = rig_command(RO_SHARE, "v2");

	c.force = true;
	c.share_bp = random_below(CFG_SHARE_ALL + 1);
	if (random_below(4) == 0)
		c.verb = RO_SWITCH;
	if (random_below(8) == 0)
		c.verb = RO_UNDRAIN; /* may be refused */
	c.drain = random_below(4) == 0;
	return c;
}

static void
acknowledge(int fd)
{
	const struct ro_state *s = drive_state(r.drive);
	struct ack a = { .generation = s->generation,
		.v2_bp = s->services[0].pools[1].share_bp,
		.epoch = s->services[0].epoch };

	if (write(fd, &a, sizeof(a)) != (ssize_t)sizeof(a))
		_exit(1);
}

static void
live(int fd)
{
	if (rig_start(&r) != E_OK)
		_exit(2);
	for (;;) {
		struct ro_command c = any_command();
		struct rig_answer a;

		if (rig_do(&r, &c, &a) == RO_NO_NONE)
			acknowledge(fd);
		c = rig_command(RO_UNDRAIN, "v1");
		(void)rig_do(&r, &c, &a);
	}
}

/* ---- the parent ---- */

static bool
read_ack(int fd, struct ack *a)
{
	ssize_t n;

	do
		n = read(fd, a, sizeof(*a));
	while (n == -1 && errno == EINTR);
	cr_assert(n == 0 || n == (ssize_t)sizeof(*a), "%zd", n);
	return n > 0;
}

static void
pass_time(uint32_t us)
{
	struct timespec t = { .tv_nsec = (long)us * 1000 };

	(void)nanosleep(&t, NULL);
}

/* Runs one for a while; how many it acknowledged, *last being the last. */
static unsigned
one_life(struct ack *last)
{
	unsigned n = 0;
	int fds[2], status;
	struct ack a;
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	cr_assert_neq(pid, -1);
	if (pid == 0) {
		close(fds[0]);
		live(fds[1]);
	}
	close(fds[1]);
	/* Mostly among commands, sometimes within the start. */
	if (random_below(6) > 0 && read_ack(fds[0], &a)) {
		*last = a;
		n++;
	}
	pass_time(random_below(LIFE_MAX_US));
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status), "it ended by itself: %d", status);
	while (read_ack(fds[0], &a)) {
		*last = a;
		n++;
	}
	close(fds[0]);
	return n;
}

/* Sound, and at least as far as what was acknowledged. */
static void
expect_state(int round, const struct ack *last)
{
	struct ro_state s;
	char why[1024];
	int rc;

	cr_assert_eq(ro_state_new(&s), E_OK);
	rc = ro_state_load(scratch_path(RO_STATE_FILE), &s, why, sizeof(why));
	if (last->generation == 0 && rc == E_NOENT) {
		ro_state_free(&s);
		return; /* killed before its first */
	}
	cr_assert_eq(rc, E_OK, "round %d: %s", round, why);
	cr_expect_geq(s.generation, last->generation, "round %d: lost", round);
	if (s.generation == last->generation) {
		cr_expect_eq(s.services[0].pools[1].share_bp, last->v2_bp,
		    "round %d", round);
		cr_expect_eq(s.services[0].epoch, last->epoch, "round %d",
		    round);
	}
	ro_state_free(&s);
}

Test(kill, at_any_instant, .timeout = 120)
{
	struct ack last = { 0 };
	unsigned acks = 0;

	rig_make(&r);
	for (int i = 0; i < ROUNDS; i++) {
		acks += one_life(&last);
		expect_state(i, &last);
	}
	cr_expect_gt(acks, ROUNDS / 2u, "only %u commands were done", acks);
	rig_run(&r); /* and one more goes on from there */
	cr_expect_geq(drive_state(r.drive)->generation, last.generation);
	rig_free(&r);
}
