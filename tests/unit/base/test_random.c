/* Bytes for secrets, numbers for choices. */
#include "base/random.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/attr.h"
#include "fault.h"

Test(random, bytes_fill_all_and_only_what_was_asked)
{
	unsigned char out[302], seen[300] = { 0 };

	/* a signal may cut a call of more than 256 bytes, or refuse it */
	fault_short(100);
	for (int round = 0; round < 64; round++) {
		fault_arm(FAULT_GETRANDOM, 2, EINTR);
		memset(out, 0, sizeof(out));
		random_bytes(out + 1, 300);
		cr_assert_eq(out[0], 0);
		cr_assert_eq(out[301], 0);
		for (size_t i = 0; i < 300; i++)
			seen[i] |= out[i + 1];
	}
	for (size_t i = 0; i < 300; i++)
		cr_expect_neq(seen[i], 0, "byte %zu is never written", i);
}

Test(random, bytes_differ_each_time)
{
	unsigned char a[16], b[16];

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	cr_expect_arr_neq(a, b, sizeof(a));
}

/* A secret made of what was on the stack is worse than no process. */
Test(random, no_entropy_no_secrets, .signal = SIGABRT)
{
	unsigned char out[16];

	fault_arm(FAULT_GETRANDOM, 1, ENOSYS);
	random_bytes(out, sizeof(out));
}

Test(random, no_bytes_is_fine)
{
	random_bytes(NULL, 0);
}

static const uint32_t bounds[] = { 1, 2, 3, 10, 1000, UINT32_C(1) << 31,
	UINT32_MAX };

Test(random, below_stays_below)
{
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		for (int round = 0; round < 10000; round++)
			cr_assert_lt(random_below(bounds[i]), bounds[i]);
}

/*
 * 100 000 throws over 10: a bucket is 10 000 give or take 95; 600 is more
 * than six deviations.
 */
Test(random, below_is_even)
{
	unsigned hits[10] = { 0 };

	for (int i = 0; i < 100000; i++)
		hits[random_below(10)]++;
	for (size_t i = 0; i < 10; i++)
		cr_expect(hits[i] > 9400 && hits[i] < 10600, "%zu: %u", i,
		    hits[i]);
}

Test(random, every_bit_of_quick_moves)
{
	uint64_t ones = 0, zeros = 0;

	for (int i = 0; i < 200; i++) {
		uint64_t n = random_quick();

		ones |= n;
		zeros |= ~n;
	}
	cr_expect_eq(ones, UINT64_MAX);
	cr_expect_eq(zeros, UINT64_MAX);
}

static void *
draw(void *arg)
{
	*(uint64_t *)arg = random_quick();
	return NULL;
}

Test(random, threads_do_not_repeat_each_other)
{
	uint64_t a = 0, b = 0;
	pthread_t t;

	cr_assert_eq(pthread_create(&t, NULL, draw, &a), 0);
	pthread_join(t, NULL);
	cr_assert_eq(pthread_create(&t, NULL, draw, &b), 0);
	pthread_join(t, NULL);
	cr_expect_neq(a, b);
}
