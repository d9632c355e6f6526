#include "verify/settle.h"

#include <stdlib.h>

#include "base/attr.h"

bool
settle_round(struct settle *s, uint64_t median_us, uint64_t bound_us)
{
	bool faster = s->best_us == 0 ||
	    median_us < s->best_us - s->best_us * SETTLE_GAIN_PCT / 100;
	bool slow = bound_us > 0 && median_us > bound_us;

	s->calm = faster || slow ? 0 : s->calm + 1;
	if (s->best_us == 0 || median_us < s->best_us)
		s->best_us = median_us;
	return s->calm >= SETTLE_ROUNDS;
}

void
settle_failed(struct settle *s)
{
	s->calm = 0;
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t
settle_median(uint64_t *us, size_t n)
{
	if (n == 0)
		return 0;
	qsort(us, n, sizeof(*us), by_value);
	return us[n / 2];
}
