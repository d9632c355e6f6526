/* Which pool has which file. */
#include <criterion/criterion.h>

#include "upstream/assets.h"

#define NOW UINT64_C(1000000)
#define END (NOW + UINT64_C(100) * ASSETS_MAX)

static struct assets a;

static void
begin(void)
{
	assets_init(&a);
}

static void
end(void)
{
	assets_free(&a);
}

TestSuite(assets, .init = begin, .fini = end, .timeout = 10);

Test(assets, by_tag_and_pool)
{
	cr_expect_eq(assets_ask(&a, 1, 1, NOW), ASSET_UNKNOWN);
	assets_hear(&a, 1, 1, ASSET_THERE, NOW);
	assets_hear(&a, 1, 2, ASSET_LACKS, NOW);
	cr_expect_eq(assets_ask(&a, 1, 1, NOW), ASSET_THERE);
	cr_expect_eq(assets_ask(&a, 1, 2, NOW), ASSET_LACKS);
	cr_expect_eq(assets_ask(&a, 2, 1, NOW), ASSET_UNKNOWN);
	assets_hear(&a, 1, 1, ASSET_LACKS, NOW);
	cr_expect_eq(assets_ask(&a, 1, 1, NOW), ASSET_LACKS, "the last word");
}

Test(assets, a_lack_is_believed_for_a_while)
{
	assets_hear(&a, 1, 1, ASSET_LACKS, NOW);
	assets_hear(&a, 1, 2, ASSET_THERE, NOW);
	cr_expect_eq(assets_ask(&a, 1, 1, NOW + ASSET_LACK_US - 1),
	    ASSET_LACKS);
	cr_expect_eq(assets_ask(&a, 1, 1, NOW + ASSET_LACK_US), ASSET_UNKNOWN);
	cr_expect_eq(assets_ask(&a, 1, 2, NOW + ASSET_THERE_US - 1),
	    ASSET_THERE);
	cr_expect_eq(assets_ask(&a, 1, 2, NOW + ASSET_THERE_US), ASSET_UNKNOWN);
}

/* Whoever asks for what nobody has cannot make it grow. */
Test(assets, the_oldest_are_forgotten)
{
	size_t known = 0;

	for (uint64_t i = 0; i < UINT64_C(100) * ASSETS_MAX; i++)
		assets_hear(&a, i, 1, ASSET_LACKS, NOW + i);
	for (uint64_t i = 0; i < UINT64_C(100) * ASSETS_MAX; i++)
		known += assets_ask(&a, i, 1, END) != ASSET_UNKNOWN;
	cr_expect_leq(known, ASSETS_MAX);
	cr_expect_geq(known, ASSETS_MAX / 2, "%zu", known);
	cr_expect_eq(assets_ask(&a, UINT64_C(100) * ASSETS_MAX - 1, 1, END),
	    ASSET_LACKS, "the newest is there");
}
