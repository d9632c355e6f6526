#include "upstream/artifacts.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"

void
artifacts_init(struct artifacts *a)
{
	(void)pthread_mutex_init(&a->mutex, NULL);
	a->rows = NULL;
}

void
artifacts_free(struct artifacts *a)
{
	free(a->rows);
	a->rows = NULL;
	(void)pthread_mutex_destroy(&a->mutex);
}

static uint32_t
seconds(uint64_t us)
{
	return (uint32_t)(us / US_PER_S);
}

static bool
is_key(const struct artifact_row *r, struct artifact_key k)
{
	return r->pool != 0 && r->key.half[0] == k.half[0] &&
	    r->key.half[1] == k.half[1];
}

/* Where it may stand: so many rows. */
static struct artifact_row *
rows_of(const struct artifacts *a, struct artifact_key k)
{
	return &a->rows[k.half[0] % (ARTIFACTS_MAX / ARTIFACTS_WAYS) *
	    ARTIFACTS_WAYS];
}

uint64_t
artifacts_get(struct artifacts *a, struct artifact_key k, uint64_t now_us)
{
	uint64_t pool = 0;

	(void)pthread_mutex_lock(&a->mutex);
	for (unsigned i = 0; a->rows != NULL && i < ARTIFACTS_WAYS; i++) {
		const struct artifact_row *r = &rows_of(a, k)[i];

		if (is_key(r, k) && seconds(now_us) < r->ends_s)
			pool = r->pool;
	}
	(void)pthread_mutex_unlock(&a->mutex);
	return pool;
}

/* That of the key, else one that is free or over, else the oldest. */
static struct artifact_row *
row_for(const struct artifacts *a, struct artifact_key k, uint32_t now_s)
{
	struct artifact_row *rows = rows_of(a, k), *best = rows;

	for (unsigned i = 0; i < ARTIFACTS_WAYS; i++) {
		if (is_key(&rows[i], k))
			return &rows[i];
		if (rows[i].pool == 0 || rows[i].ends_s <= now_s)
			rows[i].told_s = 0;
		if (rows[i].told_s < best->told_s)
			best = &rows[i];
	}
	return best;
}

void
artifacts_put(struct artifacts *a, struct artifact_key k, uint64_t pool,
    uint64_t ends_us, uint64_t now_us)
{
	(void)pthread_mutex_lock(&a->mutex);
	if (a->rows == NULL)
		a->rows = calloc(ARTIFACTS_MAX, sizeof(*a->rows));
	if (a->rows != NULL)
		*row_for(a, k,
		    seconds(now_us)) = (struct artifact_row){ .key = k,
			.pool = pool,
			.ends_s = seconds(ends_us),
			.told_s = seconds(now_us) };
	(void)pthread_mutex_unlock(&a->mutex);
}
