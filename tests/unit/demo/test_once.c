/* The register of used grants: one winner, over all processes. */
#include "contrib/demo/once.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

#define NOW_US (UINT64_C(1800000000) * US_PER_S)

static void
fake_time(void)
{
	clock_fake(1, NOW_US);
}

Test(once, first_again_and_forgotten, .init = fake_time, .timeout = 2)
{
	const uint64_t until = NOW_US / US_PER_S + 60;
	struct once *o;

	cr_assert_eq(once_open(NULL, &o), E_OK);
	cr_expect_not(once_has(o, 7));
	cr_expect_eq(once_claim(o, 7, until), ONCE_FIRST);
	cr_expect(once_has(o, 7));
	cr_expect_eq(once_claim(o, 7, until), ONCE_AGAIN);
	cr_expect_eq(once_claim(o, 8, until), ONCE_FIRST, "its neighbour");
	cr_expect_eq(once_replays(o), 1);
	clock_fake(1, NOW_US + 60 * US_PER_S);
	cr_expect_not(once_has(o, 7), "expired with the grant");
	once_close(&o);
	cr_expect_null(o);
	once_close(&o);
}

Test(once, says_when_it_is_full, .init = fake_time, .timeout = 5)
{
	const uint64_t until = NOW_US / US_PER_S + 60;
	enum once_verdict v = ONCE_FIRST;
	struct once *o;
	uint64_t n = 0;

	cr_assert_eq(once_open(NULL, &o), E_OK);
	/* ids a table apart all want one slot */
	while (n < 1000 && v == ONCE_FIRST)
		v = once_claim(o, UINT64_C(262144) * ++n, until);
	cr_expect_eq(v, ONCE_FULL);
	cr_expect_eq(once_claim(o, UINT64_C(262144), until), ONCE_AGAIN,
	    "what is in stays in");
	once_close(&o);
}

Test(once, one_winner_among_processes, .timeout = 20)
{
	enum { CHILDREN = 4, IDS = 2000 };
	char path[] = "/tmp/segue-once-XXXXXX";
	int fd = mkstemp(path), won[CHILDREN][2];
	size_t total = 0;

	cr_assert_neq(fd, -1);
	close(fd);
	for (int i = 0; i < CHILDREN; i++) {
		cr_assert_eq(pipe(won[i]), 0);
		if (fork() == 0) {
			struct once *o;
			size_t n = 0;

			if (once_open(path, &o) != E_OK)
				_exit(1);
			for (uint64_t id = 1; id <= IDS; id++)
				n += once_claim(o, id, UINT64_MAX) ==
				    ONCE_FIRST;
			_exit(write(won[i][1], &n, sizeof(n)) !=
			    (ssize_t)sizeof(n));
		}
	}
	for (int i = 0; i < CHILDREN; i++) {
		size_t n = 0;

		cr_expect_eq(read(won[i][0], &n, sizeof(n)),
		    (ssize_t)sizeof(n));
		total += n;
		close(won[i][0]);
		close(won[i][1]);
		wait(NULL);
	}
	cr_expect_eq(total, (size_t)IDS, "each id is used once over all");
	unlink(path);
}

Test(once, refuses_a_foreign_file, .timeout = 2)
{
	char path[] = "/tmp/segue-once-XXXXXX";
	int fd = mkstemp(path);
	struct once *o;

	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, "text", 4), 4);
	close(fd);
	cr_expect_eq(once_open(path, &o), E_DAMAGED);
	cr_expect_null(o);
	unlink(path);
}
