/* Logins by when their sessions began. */
#include "upstream/logins.h"

#include <criterion/criterion.h>

#define S UINT64_C(1000000)

static struct logins l;

static void
expect(uint64_t from_s, uint64_t until_s, uint64_t width_s, uint64_t begun,
    uint64_t done)
{
	uint64_t b = 0, d = 0;

	logins_count(&l, from_s, until_s, width_s, &b, &d);
	cr_expect(b == begun && d == done, "%llu to %llu: %llu, %llu",
	    (unsigned long long)from_s, (unsigned long long)until_s,
	    (unsigned long long)b, (unsigned long long)d);
}

Test(logins, width)
{
	cr_expect_eq(logins_width_s(120 * S), 15);
	cr_expect_eq(logins_width_s(8 * S), 1);
	cr_expect_eq(logins_width_s(S), 1, "a pin knows seconds");
	cr_expect_eq(logins_width_s(3600 * S), 450);
}

Test(logins, whole_slots)
{
	for (uint64_t s = 1000; s < 1100; s++) {
		logins_note(&l, s, 10, false);
		if (s % 2 == 0)
			logins_note(&l, s, 10, true);
	}
	expect(1000, 1100, 10, 100, 50);
	expect(1001, 1100, 10, 90, 45);
	expect(1000, 1099, 10, 90, 45);
	expect(1020, 1030, 10, 10, 5);
	expect(1021, 1030, 10, 0, 0);
	expect(0, 999, 10, 0, 0);
	cr_expect_eq(stat_get(&l.begun_ever), 100);
	cr_expect_eq(stat_get(&l.done_ever), 50);
}

Test(logins, the_oldest_go)
{
	uint64_t last = 5000 + LOGINS_SLOTS;

	for (uint64_t s = 5000; s <= last; s++)
		logins_note(&l, s, 1, false);
	expect(0, last + 1, 1, LOGINS_SLOTS, 0);
	expect(5000, 5001, 1, 0, 0);
	logins_note(&l, 5000, 1, true); /* its slot is another's by now */
	expect(0, last + 1, 1, LOGINS_SLOTS, 0);
	cr_expect_eq(stat_get(&l.done_ever), 1);
}
