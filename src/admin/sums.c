#include "admin/sums.h"

#include <string.h>

static const void *
field(struct cells c, unsigned worker, size_t at)
{
	return (const char *)c.first + worker * c.size + at;
}

uint64_t
sum_counter(struct cells c, size_t at)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < c.n; w++)
		sum += stat_get((const stat_u64 *)field(c, w, at));
	return sum;
}

void
sum_hist(struct cells c, size_t at, struct hist *into)
{
	memset(into, 0, sizeof(*into));
	for (unsigned w = 0; w < c.n; w++)
		hist_merge(into, (const struct hist *)field(c, w, at));
}
