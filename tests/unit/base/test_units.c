/* Durations, sizes and shares as people write them. */
#include "base/units.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

#define MINUTE (60 * US_PER_S)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB UINT64_C(1024)
#define UNTOUCHED 4711

struct row {
	const char *why, *in;
	bool ok;
	uint64_t out;
};

typedef bool read_fn(struct str, uint64_t *);

static void
check(read_fn *read, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t got = UNTOUCHED;
		bool ok = read(str_of(rows[i].in), &got);

		cr_expect_eq(ok, rows[i].ok, "%s: \"%s\"", rows[i].why,
		    rows[i].in);
		cr_expect_eq(got, rows[i].ok ? rows[i].out : UNTOUCHED,
		    "%s: \"%s\" is %llu", rows[i].why, rows[i].in,
		    (unsigned long long)got);
	}
}

static const struct row durations[] = {
	{ "microseconds", "340us", true, 340 },
	{ "milliseconds", "12ms", true, 12000 },
	{ "seconds", "90s", true, 90 * US_PER_S },
	{ "minutes", "5m", true, 5 * MINUTE },
	{ "hours", "2h", true, 2 * HOUR },
	{ "days", "3d", true, 3 * DAY },
	{ "fraction", "1.5h", true, 90 * MINUTE },
	{ "fraction finer than the unit", "0.5ms", true, 500 },
	{ "rounded half up", "1.5us", true, 2 },
	{ "compound", "1m30s", true, 90 * US_PER_S },
	{ "all units", "1d1h1m1s1ms1us", true,
	    DAY + HOUR + MINUTE + US_PER_S + 1001 },
	{ "zero needs no unit", "0", true, 0 },
	{ "zero may have one", "0s", true, 0 },
	{ "a tenth exactly", "0.1s", true, 100000 },
	{ "largest", "18446744073709551615us", true, UINT64_MAX },
	{ "one more", "18446744073709551616us", false, 0 },
	{ "product too great", "213503983d", false, 0 },
	{ "sum too great", "18446744073709551615us1us", false, 0 },
	{ "fraction makes it too great", "18446744073709551615.5us", false, 0 },
	{ "18 digits behind the point", "0.000001000000000000s", true, 1 },
	{ "19 of them", "0.0000010000000000000s", false, 0 },
	{ "nothing", "", false, 0 },
	{ "no unit", "90", false, 0 },
	{ "no unit at the end", "1m30", false, 0 },
	{ "no number", "s", false, 0 },
	{ "unknown unit", "5w", false, 0 },
	{ "M is not minutes", "5M", false, 0 },
	{ "word", "5min", false, 0 },
	{ "blank", "5 s", false, 0 },
	{ "blank behind", "5s ", false, 0 },
	{ "minus", "-5s", false, 0 },
	{ "plus", "+5s", false, 0 },
	{ "two points", "1.2.3s", false, 0 },
	{ "nothing behind the point", "1.s", false, 0 },
	{ "nothing before the point", ".5s", false, 0 },
	{ "comma", "1,5s", false, 0 },
	{ "exponent", "1e3s", false, 0 },
	{ "percent", "5%", false, 0 },
};

Test(units, read_duration)
{
	check(units_read_duration, durations, ARRAY_LEN(durations));
}

static const struct row sizes[] = {
	{ "bytes", "4096", true, 4096 },
	{ "zero", "0", true, 0 },
	{ "KiB", "16KiB", true, 16 * KIB },
	{ "k", "16k", true, 16 * KIB },
	{ "K", "16K", true, 16 * KIB },
	{ "kib", "16kib", true, 16 * KIB },
	{ "M", "10M", true, 10 * KIB *KIB },
	{ "MiB", "10MiB", true, 10 * KIB *KIB },
	{ "G", "2g", true, 2 * KIB *KIB *KIB },
	{ "GiB", "2GiB", true, 2 * KIB *KIB *KIB },
	{ "fraction", "1.5k", true, 1536 },
	{ "odd above 2^52, where a double rounds", "4503599627370497", true,
	    UINT64_C(4503599627370497) },
	{ "largest", "18446744073709551615", true, UINT64_MAX },
	{ "largest in GiB", "17179869183GiB", true,
	    UINT64_C(17179869183) << 30 },
	{ "one GiB more", "17179869184GiB", false, 0 },
	{ "nothing", "", false, 0 },
	{ "only a unit", "k", false, 0 },
	{ "KB is 1000 to some: not accepted", "16KB", false, 0 },
	{ "part of a unit", "16Ki", false, 0 },
	{ "T", "1T", false, 0 },
	{ "two sizes", "1M1k", false, 0 },
	{ "blank", "16 k", false, 0 },
	{ "minus", "-1", false, 0 },
	{ "bytes spelled out", "16bytes", false, 0 },
};

Test(units, read_size)
{
	check(units_read_size, sizes, ARRAY_LEN(sizes));
}

static bool
read_share(struct str s, uint64_t *out)
{
	uint32_t bp = UNTOUCHED;
	bool ok = units_read_share(s, &bp);

	*out = bp;
	return ok;
}

static const struct row shares[] = {
	{ "whole", "10%", true, 1000 },
	{ "half", "0.5%", true, 50 },
	{ "the header's", "12.5%", true, 1250 },
	{ "finest", "0.01%", true, 1 },
	{ "29 hundredths, no binary fraction", "0.29%", true, 29 },
	{ "percent sign may be left out", "10", true, 1000 },
	{ "none", "0%", true, 0 },
	{ "all", "100%", true, 10000 },
	{ "zeros behind the hundredths", "12.500%", true, 1250 },
	{ "finer than a hundredth would become none", "0.001%", false, 0 },
	{ "finer than a hundredth", "12.345%", false, 0 },
	{ "a little above all", "100.01%", false, 0 },
	{ "less than a hundredth above all", "100.001%", false, 0 },
	{ "above all", "101%", false, 0 },
	{ "wraps 32 bits when multiplied", "42949673", false, 0 },
	{ "wraps 64 bits when multiplied", "184467440737095517", false, 0 },
	{ "nothing", "", false, 0 },
	{ "only the sign", "%", false, 0 },
	{ "two signs", "10%%", false, 0 },
	{ "minus", "-1%", false, 0 },
	{ "blank", "10 %", false, 0 },
	{ "something behind", "10%x", false, 0 },
};

Test(units, read_share)
{
	check(read_share, shares, ARRAY_LEN(shares));
}

Test(units, null_is_empty)
{
	uint64_t n;
	uint32_t bp;

	cr_expect_not(units_read_duration(str_of(NULL), &n));
	cr_expect_not(units_read_size(str_of(NULL), &n));
	cr_expect_not(units_read_share(str_of(NULL), &bp));
}

/* ---- writing ---- */

typedef size_t write_fn(uint64_t, char[UNITS_MAX]);

static void
written(write_fn *write, uint64_t n, const char *want)
{
	char out[UNITS_MAX];
	size_t len = write(n, out);

	cr_expect_str_eq(out, want, "%llu: %s, not %s", (unsigned long long)n,
	    out, want);
	cr_expect_eq(len, strlen(out), "%s: length", want);
}

Test(units, write_duration)
{
	written(units_duration, 0, "0");
	written(units_duration, 1, "1us");
	written(units_duration, 1500, "1ms500us");
	written(units_duration, 500 * US_PER_MS, "500ms");
	written(units_duration, 90 * US_PER_S, "1m30s");
	written(units_duration, DAY, "1d");
	written(units_duration, HOUR + 1, "1h1us");
	written(units_duration, UINT64_MAX, "213503982d8h1m49s551ms615us");
}

Test(units, write_size)
{
	written(units_size, 0, "0");
	written(units_size, 1000, "1000");
	written(units_size, 1024, "1KiB");
	written(units_size, 1025, "1025");
	written(units_size, 1536, "1536");
	written(units_size, 16 * KIB, "16KiB");
	written(units_size, 10 * KIB * KIB, "10MiB");
	written(units_size, KIB * KIB + KIB, "1025KiB");
	written(units_size, UINT64_C(3) << 30, "3GiB");
	written(units_size, UINT64_MAX, "18446744073709551615");
}

static size_t
write_share(uint64_t n, char out[UNITS_MAX])
{
	return units_share((uint32_t)n, out);
}

Test(units, write_share)
{
	written(write_share, 0, "0%");
	written(write_share, 1, "0.01%");
	written(write_share, 50, "0.5%");
	written(write_share, 1000, "10%");
	written(write_share, 1205, "12.05%");
	written(write_share, 1250, "12.5%");
	written(write_share, 10000, "100%");
	written(write_share, UINT32_MAX, "42949672.95%");
}

/* Rounding never shows a full unit of the next: no "1000us", no "60.0s". */
static const struct {
	uint64_t us;
	const char *text;
} rounds[] = {
	{ 0, "0us" },
	{ 340, "340us" },
	{ 999, "999us" },
	{ 1000, "1.0ms" },
	{ 12340, "12.3ms" },
	{ 99949, "99.9ms" },
	{ 99950, "100ms" },
	{ 123456, "123ms" },
	{ 999499, "999ms" },
	{ 999500, "1.0s" },
	{ 4200000, "4.2s" },
	{ 59949999, "59.9s" },
	{ 59950000, "1m00s" },
	{ 185 * US_PER_S, "3m05s" },
	{ 119700000, "2m00s" },
	{ HOUR - 500001, "59m59s" },
	{ HOUR - 500000, "1h00m" },
	{ 130 * MINUTE, "2h10m" },
	{ 130 * MINUTE - 29 * US_PER_S, "2h10m" },
	{ 49 * HOUR, "49h00m" },
	{ UINT64_MAX, "5124095576h02m" },
};

Test(units, write_duration_round)
{
	for (size_t i = 0; i < ARRAY_LEN(rounds); i++)
		written(units_duration_round, rounds[i].us, rounds[i].text);
}

/* ---- there and back ---- */

/* Numbers of every magnitude, each bit length as often as any other. */
static uint64_t
any_number(void)
{
	return random_quick() >> random_below(64);
}

Test(units, what_is_written_reads_the_same)
{
	for (int i = 0; i < 20000; i++) {
		char text[UNITS_MAX];
		uint64_t n = any_number(), back = ~n;
		size_t len = units_duration(n, text);

		cr_assert(units_read_duration(str_from(text, len), &back));
		cr_assert_eq(back, n, "duration %s", text);
		n &= ~UINT64_C(0) << random_below(40);
		len = units_size(n, text);
		cr_assert(units_read_size(str_from(text, len), &back));
		cr_assert_eq(back, n, "size %s", text);
	}
}

Test(units, every_share_reads_back)
{
	for (uint32_t bp = 0; bp <= 10000; bp++) {
		char text[UNITS_MAX];
		uint32_t back = ~bp;
		size_t len = units_share(bp, text);

		cr_assert(units_read_share(str_from(text, len), &back));
		cr_assert_eq(back, bp, "%s", text);
	}
}

/* Whatever an operator types is read or refused, with no fault on the way. */
Test(units, random_text)
{
	static const char alphabet[] = "0123456789..dhmsukKMGiB% -9999";

	for (int i = 0; i < 50000; i++) {
		char text[40];
		size_t len = random_below(sizeof(text));
		uint64_t n;
		uint32_t bp;

		for (size_t j = 0; j < len; j++)
			text[j] = alphabet[random_below(sizeof(alphabet) - 1)];
		(void)!units_read_duration(str_from(text, len), &n);
		(void)!units_read_size(str_from(text, len), &n);
		if (units_read_share(str_from(text, len), &bp))
			cr_assert_leq(bp, 10000);
	}
}
