/*
 * What a step window has to know: the time of day, and how much is asked.
 */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "rollout/facts.h"

uint16_t
facts_minute(uint64_t wall_us)
{
	time_t now = (time_t)(wall_us / US_PER_S);
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL)
		return 0;
	return (uint16_t)(tm.tm_hour * 60 + tm.tm_min);
}

void
facts_rate(struct rate *r, const char *service, uint64_t accepted,
    uint64_t now_us)
{
	struct rate_mark *newest = &r->marks[r->at];
	uint64_t of = hash_bytes(service, strlen(service), 0);

	if (r->of != of || accepted < newest->accepted)
		*r = (struct rate){ .of = of };
	if (r->n > 0 && now_us - newest->at_us < US_PER_S)
		return;
	r->at = (uint8_t)((r->at + (r->n > 0)) % RATE_MARKS);
	r->n = (uint8_t)MIN(r->n + 1, RATE_MARKS);
	r->marks[r->at] = (struct rate_mark){ now_us, accepted };
}

double
facts_rate_of(const struct rate *r)
{
	const struct rate_mark *newest = &r->marks[r->at];
	const struct rate_mark *oldest = &r->marks[(r->at + 1) % RATE_MARKS];

	if (r->n < RATE_MARKS)
		return -1;
	return (double)(newest->accepted - oldest->accepted) * US_PER_S /
	    (double)(newest->at_us - oldest->at_us);
}
