/* Health words that outlive a process. */
#include "upstream/board.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"

#define NOW (100 * US_PER_S)
#define AGE (15 * US_PER_S)

struct thing {
	struct service service;
	struct pool pool;
	struct instance inst;
	char name[32];
};

static void
make(struct thing *t, unsigned n, const char *addr)
{
	memset(t, 0, sizeof(*t));
	(void)snprintf(t->name, sizeof(t->name), "i%u", n);
	t->service.name = (char *)(uintptr_t) "s";
	t->pool.name = (char *)(uintptr_t) "v1";
	t->pool.service = &t->service;
	t->inst.pool = &t->pool;
	t->inst.name = t->name;
	(void)snprintf(t->inst.addr_text, sizeof(t->inst.addr_text), "%s",
	    addr);
}

Test(board, tells_what_was_noted_and_for_how_long)
{
	struct board *b = board_new();
	struct thing t;
	enum health h = HEALTH_UNKNOWN;

	cr_assert_not_null(b);
	make(&t, 1, "a:1");
	cr_expect_not(board_look(b, &t.inst, NOW, AGE, &h), "nothing yet");
	for (int to = 0; to < HEALTH_COUNT; to++) {
		t.inst.health = (uint8_t)to;
		board_note(b, &t.inst, NOW);
		cr_expect(board_look(b, &t.inst, NOW, AGE, &h));
		cr_expect_eq((int)h, to);
	}
	cr_expect(board_look(b, &t.inst, NOW + AGE, AGE, &h), "just so");
	cr_expect_not(board_look(b, &t.inst, NOW + AGE + 1, AGE, &h), "old");
	cr_expect_not(board_look(b, &t.inst, NOW - 1, AGE, &h),
	    "of the future: another boot");
	board_free(&b);
	cr_expect_null(b);
	board_free(&b);
}

Test(board, keeps_apart_what_differs)
{
	struct board *b = board_new();
	struct thing a, other;
	enum health h;

	make(&a, 1, "a:1");
	a.inst.health = HEALTH_UP;
	board_note(b, &a.inst, NOW);
	make(&other, 1, "a:2");
	cr_expect_not(board_look(b, &other.inst, NOW, AGE, &h), "address");
	make(&other, 2, "a:1");
	cr_expect_not(board_look(b, &other.inst, NOW, AGE, &h), "name");
	make(&other, 1, "a:1");
	other.pool.name = (char *)(uintptr_t) "v2";
	cr_expect_not(board_look(b, &other.inst, NOW, AGE, &h), "pool");
	other.pool.name = (char *)(uintptr_t) "v1";
	other.service.name = (char *)(uintptr_t) "t";
	cr_expect_not(board_look(b, &other.inst, NOW, AGE, &h), "service");
	other.service.name = (char *)(uintptr_t) "s";
	cr_expect(board_look(b, &other.inst, NOW, AGE, &h), "all the same");
	board_free(&b);
}

Test(board, holds_the_most_instances_there_can_be)
{
	struct board *b = board_new();
	struct thing t;
	enum health h;

	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < CFG_INSTANCES_MAX; i++) {
			make(&t, i, "a:1");
			t.inst.health = i % 2 ? HEALTH_UP : HEALTH_DOWN;
			board_note(b, &t.inst, NOW + round);
		}
	for (unsigned i = 0; i < CFG_INSTANCES_MAX; i++) {
		make(&t, i, "a:1");
		cr_assert(board_look(b, &t.inst, NOW + 1, AGE, &h), "i%u", i);
		cr_expect_eq(h, i % 2 ? HEALTH_UP : HEALTH_DOWN);
	}
	board_free(&b);
}

/* Instances come and go for years; those of now have their place. */
Test(board, forgets_who_has_gone)
{
	struct board *b = board_new();
	struct thing t;
	enum health h;
	unsigned found = 0, n = 40000;

	for (unsigned i = 0; i < n; i++) {
		make(&t, i, "a:1");
		t.inst.health = HEALTH_UP;
		board_note(b, &t.inst, NOW + i);
	}
	for (unsigned i = n - 1000; i < n; i++) {
		make(&t, i, "a:1");
		found += board_look(b, &t.inst, NOW + n, AGE, &h);
	}
	cr_expect_eq(found, 1000);
	board_free(&b);
}

Test(board, outlives_the_process_that_wrote)
{
	struct board *b = board_new();
	struct thing t;
	enum health h = HEALTH_UNKNOWN;
	int status;
	pid_t pid;

	make(&t, 1, "a:1");
	t.inst.health = HEALTH_UP;
	pid = fork();
	cr_assert_neq(pid, -1);
	if (pid == 0) {
		board_note(b, &t.inst, NOW);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(board_look(b, &t.inst, NOW + 1, AGE, &h));
	cr_expect_eq(h, HEALTH_UP);
	board_free(&b);
}
