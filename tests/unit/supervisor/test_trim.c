#include <criterion/criterion.h>

#include "supervisor/trim.h"

#define MIB (UINT64_C(1) << 20)

static const struct {
	const char *why;
	uint64_t bytes;
	bool due;
} rows[] = {
	{ "nothing yet", 0, false },
	{ "a flood", 40 * MIB, false },
	{ "it goes on", 60 * MIB, false },
	{ "not half of it has gone", 31 * MIB, false },
	{ "half has gone, perhaps for a moment", 30 * MIB, false },
	{ "it comes back", 50 * MIB, false },
	{ "it has gone", 2 * MIB, false },
	{ "and stays away", 2 * MIB, true },
	{ "once is enough", 2 * MIB, false },
	{ "little more than before", 5 * MIB, false },
	{ "little has gone", 2 * MIB, false },
	{ "and is not worth it", 2 * MIB, false },
	{ "the next flood", 9 * MIB, false },
	{ "has gone", 1 * MIB, false },
	{ "too", 1 * MIB, true },
};

Test(trim, when_a_flood_is_over)
{
	struct trim_judge j = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(trim_is_due(&j, rows[i].bytes), rows[i].due,
		    "%zu: %s", i, rows[i].why);
}
