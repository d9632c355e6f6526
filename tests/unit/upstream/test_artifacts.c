/* Which pool has issued what. */
#include "upstream/artifacts.h"

#include <criterion/criterion.h>

#define S UINT64_C(1000000)
#define NOW (1000 * S)
#define LATER (NOW + 100 * S)

static struct artifacts a;

static void
begin(void)
{
	artifacts_init(&a);
}

static void
end(void)
{
	artifacts_free(&a);
}

TestSuite(artifacts, .init = begin, .fini = end, .timeout = 10);

static struct artifact_key
key(uint64_t one, uint64_t two)
{
	return (struct artifact_key){ { one, two } };
}

Test(artifacts, by_key_until_then)
{
	cr_expect_eq(artifacts_get(&a, key(1, 1), NOW), 0);
	artifacts_put(&a, ARTIFACTS_FLOW, key(1, 1), 11, LATER, NOW);
	artifacts_put(&a, ARTIFACTS_FLOW, key(1, 2), 12, LATER, NOW);
	cr_expect_eq(artifacts_get(&a, key(1, 1), NOW), 11);
	cr_expect_eq(artifacts_get(&a, key(1, 2), LATER - S), 12);
	cr_expect_eq(artifacts_get(&a, key(1, 2), LATER), 0);
	cr_expect_eq(artifacts_get(&a, key(2, 1), NOW), 0);
	artifacts_put(&a, ARTIFACTS_FLOW, key(1, 1), 13, LATER, NOW);
	cr_expect_eq(artifacts_get(&a, key(1, 1), NOW), 11, "it repeats it");
	artifacts_put(&a, ARTIFACTS_FLOW, key(1, 1), 13, LATER + S, LATER);
	cr_expect_eq(artifacts_get(&a, key(1, 1), LATER), 13, "it was over");
}

Test(artifacts, a_state_of_two_pools_says_nothing)
{
	artifacts_put(&a, ARTIFACTS_STATE, key(1, 1), 11, LATER, NOW);
	artifacts_put(&a, ARTIFACTS_STATE, key(1, 1), 11, LATER, NOW);
	cr_expect_eq(artifacts_get(&a, key(1, 1), NOW), 11);
	artifacts_put(&a, ARTIFACTS_STATE, key(1, 1), 12, LATER, NOW);
	cr_expect_eq(artifacts_get(&a, key(1, 1), NOW), ARTIFACTS_SEVERAL);
	artifacts_put(&a, ARTIFACTS_STATE, key(1, 1), 11, LATER, NOW);
	cr_expect_eq(artifacts_get(&a, key(1, 1), NOW), ARTIFACTS_SEVERAL);
	artifacts_put(&a, ARTIFACTS_STATE, key(1, 1), 11, LATER + S, LATER);
	cr_expect_eq(artifacts_get(&a, key(1, 1), LATER), 11, "it was over");
}

Test(artifacts, what_was_learned_first_goes_first)
{
	for (uint64_t i = 0; i < ARTIFACTS_WAYS; i++)
		artifacts_put(&a, ARTIFACTS_FLOW, key(8, i), 1 + i,
		    LATER - i * S, NOW + i * S);
	artifacts_put(&a, ARTIFACTS_FLOW, key(8, 100), 99, LATER, NOW + 50 * S);
	cr_expect_eq(artifacts_get(&a, key(8, 100), NOW), 99);
	cr_expect_eq(artifacts_get(&a, key(8, 0), NOW), 0);
	for (uint64_t i = 1; i < ARTIFACTS_WAYS; i++)
		cr_expect_eq(artifacts_get(&a, key(8, i), NOW), 1 + i);
	/* What is over makes room before. */
	artifacts_put(&a, ARTIFACTS_FLOW, key(8, 101), 98, LATER + 99 * S,
	    LATER - (ARTIFACTS_WAYS - 1) * S);
	cr_expect_eq(artifacts_get(&a, key(8, ARTIFACTS_WAYS - 1), NOW), 0);
	cr_expect_eq(artifacts_get(&a, key(8, 1), NOW), 2);
}

Test(artifacts, many)
{
	size_t known = 0;

	for (uint64_t i = 0; i < ARTIFACTS_MAX; i++)
		artifacts_put(&a, ARTIFACTS_FLOW,
		    key(i * 0x9e3779b97f4a7c15u, i), 1 + i, LATER, NOW);
	for (uint64_t i = 0; i < ARTIFACTS_MAX; i++)
		known += artifacts_get(&a, key(i * 0x9e3779b97f4a7c15u, i),
		             NOW) == 1 + i;
	cr_expect_gt(known, ARTIFACTS_MAX / 2);
}

Test(artifacts, tokens_leave_codes_alone)
{
	artifacts_put(&a, ARTIFACTS_FLOW, key(8, 1), 5, LATER, NOW);
	for (uint64_t i = 0; i < 4 * ARTIFACTS_WAYS; i++)
		artifacts_put(&a, ARTIFACTS_TOKEN, key(8, 100 + i), 6, LATER,
		    NOW + S);
	cr_expect_eq(artifacts_get(&a, key(8, 1), NOW), 5);
	cr_expect_eq(
	    artifacts_get(&a, key(8, 100 + 4 * ARTIFACTS_WAYS - 1), NOW), 6);
}
