/* What instances say of their connections. */
#include "upstream/keepalive.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

#define NO KEEPALIVE_UNSAID

static const struct {
	const char *why, *first, *second;
	uint64_t idle_us, more;
} rows[] = {
	{ "no such field", NULL, NULL, NO, NO },
	{ "nginx", "timeout=20", NULL, 19 * US_PER_S, NO },
	{ "Apache", "timeout=5, max=99", NULL, 4 * US_PER_S, 99 },
	{ "the last request was it", "timeout=5, max=0", NULL, 4 * US_PER_S,
	    0 },
	{ "two seconds", "timeout=2", NULL, US_PER_S, NO },
	{ "a second leaves a half", "timeout=1", NULL, US_PER_S / 2, NO },
	{ "not at all", "timeout=0", NULL, 0, NO },
	{ "in any case, with blanks", " Timeout = 7 ,MAX=3", NULL, 6 * US_PER_S,
	    3 },
	{ "the least of two items", "timeout=9, timeout=4", NULL, 3 * US_PER_S,
	    NO },
	{ "the least of two fields", "timeout=4", "timeout=9, max=2",
	    3 * US_PER_S, 2 },
	{ "longer than a year", "timeout=99999999", NULL, NO, NO },
	{ "no number", "timeout=5s, max=", NULL, NO, NO },
	{ "a negative one", "timeout=-1, max=-1", NULL, NO, NO },
	{ "above 64 bits", "timeout=18446744073709551616", NULL, NO, NO },
	{ "all 64 bits", "timeout=18446744073709551615", NULL, NO, NO },
	{ "other items are skipped", "x, time=1, max=4; y, max=6", NULL, NO,
	    6 },
	{ "empty", "", NULL, NO, NO },
};

static void
add(struct http_head *h, const char *value)
{
	if (value != NULL)
		cr_assert_eq(http_head_add(h, FIELD_KEEP_ALIVE,
		                 STR("Keep-Alive"), str_of(value)),
		    E_OK);
}

Test(keepalive, reads_what_is_said, .timeout = 5)
{
	static struct http_head h;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct keepalive said;

		memset(&h, 0, sizeof(h));
		add(&h, rows[i].first);
		add(&h, rows[i].second);
		keepalive_read(&h, &said);
		cr_expect_eq(said.idle_us, rows[i].idle_us, "%s: %lu",
		    rows[i].why, said.idle_us);
		cr_expect_eq(said.more, rows[i].more, "%s: %lu", rows[i].why,
		    said.more);
	}
}

Test(keepalive, what_was_dropped_says_nothing, .timeout = 5)
{
	static struct http_head h;
	struct keepalive said;

	add(&h, "timeout=5");
	http_head_drop(&h, FIELD_KEEP_ALIVE);
	keepalive_read(&h, &said);
	cr_expect_eq(said.idle_us, NO);
}
