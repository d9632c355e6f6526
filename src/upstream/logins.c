#include "upstream/logins.h"

#include "base/attr.h"
#include "base/clock.h"

uint64_t
logins_width_s(uint64_t within_us)
{
	return MAX(within_us / US_PER_S / 8, UINT64_C(1));
}

void
logins_note(struct logins *l, uint64_t session_s, uint64_t width_s, bool done)
{
	uint64_t n = session_s / width_s;
	uint64_t i = n % LOGINS_SLOTS;

	stat_add(done ? &l->done_ever : &l->begun_ever, 1);
	if (stat_get(&l->number[i]) > n)
		return; /* of so long ago that its slot is another's */
	if (stat_get(&l->number[i]) != n) {
		atomic_store(&l->begun[i], 0);
		atomic_store(&l->done[i], 0);
		atomic_store(&l->number[i], n);
	}
	stat_add(done ? &l->done[i] : &l->begun[i], 1);
}

void
logins_count(const struct logins *l, uint64_t from_s, uint64_t until_s,
    uint64_t width_s, uint64_t *begun, uint64_t *done)
{
	for (uint64_t i = 0; i < LOGINS_SLOTS; i++) {
		uint64_t began_s = stat_get(&l->number[i]) * width_s;

		if (began_s < from_s || began_s + width_s > until_s)
			continue;
		*begun += stat_get(&l->begun[i]);
		*done += stat_get(&l->done[i]);
	}
}
