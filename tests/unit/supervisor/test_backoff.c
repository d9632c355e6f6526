#include <criterion/criterion.h>

#include "supervisor/backoff.h"

#define EARLY 1000u

static const struct {
	const char *why;
	uint64_t lived_us, wait_us;
} rows[] = {
	{ "the first death: at once", EARLY, 0 },
	{ "the second: a moment", EARLY, 100000 },
	{ "twice that", EARLY, 200000 },
	{ "twice that", EARLY, 400000 },
	{ "one that lived long is forgiven", BACKOFF_HEALTHY_US, 0 },
	{ "and counts as the first", EARLY, 100000 },
};

Test(backoff, grows_and_forgives)
{
	struct backoff b = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(backoff_next(&b, rows[i].lived_us),
		    rows[i].wait_us, "%zu: %s", i, rows[i].why);
}

Test(backoff, has_an_end)
{
	struct backoff b = { 0 };
	uint64_t last = 0;

	for (int i = 0; i < 1000; i++)
		last = backoff_next(&b, EARLY);
	cr_expect_eq(last, BACKOFF_MAX_US);
}
