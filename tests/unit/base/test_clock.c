/* The two clocks, their fake, and the stamp in log lines. */
#include "base/clock.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "base/attr.h"

#define YEAR_2020_US (UINT64_C(1577836800) * US_PER_S)

Test(clock, monotonic_never_goes_back)
{
	uint64_t last = clock_mono_us();

	for (int i = 0; i < 10000; i++) {
		uint64_t now = clock_mono_us();

		cr_assert_geq(now, last);
		last = now;
	}
}

Test(clock, monotonic_counts_microseconds)
{
	struct timespec nap = { 0, 20 * 1000 * 1000 };
	uint64_t begin = clock_mono_us(), took;

	nanosleep(&nap, NULL);
	took = clock_mono_us() - begin;
	cr_expect_geq(took, 20 * US_PER_MS);
	cr_expect_lt(took, 10 * US_PER_S, "units are wrong, not the sleep");
}

Test(clock, wall_is_the_time_of_day)
{
	uint64_t lo = (uint64_t)time(NULL), now = clock_wall_us() / US_PER_S;

	/* time(2) may read a coarser clock that lags by a tick */
	cr_expect_geq(now + 1, lo);
	cr_expect_leq(now, (uint64_t)time(NULL) + 1);
}

Test(clock, fake_holds_both_still_until_real)
{
	clock_fake(5, 7);
	cr_expect_eq(clock_mono_us(), 5);
	cr_expect_eq(clock_wall_us(), 7);
	cr_expect_eq(clock_mono_us(), 5, "no time passes by itself");
	clock_fake(6, 3);
	cr_expect_eq(clock_mono_us(), 6);
	cr_expect_eq(clock_wall_us(), 3, "the wall clock may be set back");
	clock_real();
	cr_expect_gt(clock_mono_us(), 6);
	cr_expect_gt(clock_wall_us(), YEAR_2020_US);
}

static const struct {
	const char *why;
	uint64_t us;
	const char *text;
} rows[] = {
	{ "epoch", 0, "1970-01-01T00:00:00.000Z" },
	{ "the header's example", UINT64_C(1795514400123000),
	    "2026-11-24T10:00:00.123Z" },
	{ "cut, not rounded into the next year", UINT64_C(1798761599999999),
	    "2026-12-31T23:59:59.999Z" },
	{ "leap day", UINT64_C(1709164800000000), "2024-02-29T00:00:00.000Z" },
	{ "beyond 32-bit seconds", UINT64_C(4294967296000000),
	    "2106-02-07T06:28:16.000Z" },
};

Test(clock, iso)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[CLOCK_ISO_MAX];
		size_t n = clock_iso(rows[i].us, out);

		cr_expect_str_eq(out, rows[i].text, "%s: %s", rows[i].why, out);
		cr_expect_eq(n, strlen(out), "%s: length", rows[i].why);
	}
}

Test(clock, iso_fits_whatever_the_clock_says)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		char out[CLOCK_ISO_MAX];
		size_t n = clock_iso(UINT64_MAX >> bit, out);

		cr_expect_eq(n, strlen(out));
		cr_expect_eq(n, 24, "columns of a log stay aligned: %s", out);
	}
}
