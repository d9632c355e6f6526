#include "supervisor/backoff.h"

uint64_t
backoff_next(struct backoff *b, uint64_t lived_us)
{
	uint64_t wait = BACKOFF_FIRST_US;

	if (lived_us >= BACKOFF_HEALTHY_US)
		b->deaths = 0;
	if (b->deaths++ == 0)
		return 0;
	for (unsigned i = 2; i < b->deaths && wait < BACKOFF_MAX_US; i++)
		wait *= 2;
	return MIN(wait, BACKOFF_MAX_US);
}
