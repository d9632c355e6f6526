#include <criterion/criterion.h>

#include "supervisor/trim.h"

#define MIB (UINT64_C(1) << 20)

static const struct {
	const char *why;
	uint64_t used, idle;
	bool due;
} rows[] = {
	{ "nothing yet", 0, 0, false },
	{ "a flood: all is in use", 40 * MIB, 1 * MIB, false },
	{ "it is over, perhaps for a moment", 2 * MIB, 39 * MIB, false },
	{ "it comes back", 40 * MIB, 1 * MIB, false },
	{ "it is over", 2 * MIB, 39 * MIB, false },
	{ "and stays away", 2 * MIB, 39 * MIB, true },
	{ "once is enough", 2 * MIB, 39 * MIB, false },
	{ "however long it lasts", 2 * MIB, 39 * MIB, false },
	{ "what was given back is taken again", 21 * MIB, 20 * MIB, false },
	{ "and free again, but not yet ours to give", 3 * MIB, 38 * MIB,
	    false },
	{ "it is, at the second look", 3 * MIB, 38 * MIB, true },
	{ "little more", 2 * MIB, 39 * MIB, false },
	{ "is not worth it", 2 * MIB, 39 * MIB, false },
	{ "much in use", 800 * MIB, 10 * MIB, false },
	{ "a small part of it is free", 755 * MIB, 55 * MIB, false },
	{ "and is not worth it", 755 * MIB, 55 * MIB, false },
	{ "a sixteenth is", 752 * MIB, 58 * MIB, false },
	{ "worth it", 752 * MIB, 58 * MIB, true },
};

Test(trim, when_much_lies_idle)
{
	struct trim_judge j = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(trim_is_due(&j, rows[i].used, rows[i].idle),
		    rows[i].due, "%zu: %s", i, rows[i].why);
		j.rest = 0;
	}
}

/* However much comes free, workers are left alone for a while. */
Test(trim, not_again_at_once)
{
	struct trim_judge j = { 0 };

	cr_expect_not(trim_is_due(&j, 0, 10 * MIB));
	cr_expect(trim_is_due(&j, 0, 10 * MIB));
	for (unsigned i = 0; i < TRIM_REST; i++)
		cr_expect_not(trim_is_due(&j, 0, (20 + i) * MIB), "%u", i);
	cr_expect(trim_is_due(&j, 0, 50 * MIB));
}
