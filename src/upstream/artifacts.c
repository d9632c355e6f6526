#include "upstream/artifacts.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"

void
artifacts_init(struct artifacts *a)
{
	(void)pthread_mutex_init(&a->mutex, NULL);
	for (int p = 0; p < ARTIFACTS_PARTS; p++)
		a->rows[p] = NULL;
}

void
artifacts_free(struct artifacts *a)
{
	for (int p = 0; p < ARTIFACTS_PARTS; p++)
		free(a->rows[p]);
	(void)pthread_mutex_destroy(&a->mutex);
}

static uint32_t
seconds(uint64_t us)
{
	return (uint32_t)(us / US_PER_S);
}

static bool
is_live(const struct artifact_row *r, struct artifact_key k, uint32_t now_s)
{
	return r->pool != 0 && now_s < r->ends_s &&
	    r->key.half[0] == k.half[0] && r->key.half[1] == k.half[1];
}

/* Where it may stand: so many rows. */
static struct artifact_row *
rows_of(struct artifact_row *rows, struct artifact_key k)
{
	return &rows[k.half[0] % (ARTIFACTS_MAX / ARTIFACTS_WAYS) *
	    ARTIFACTS_WAYS];
}

static uint64_t
find(struct artifact_row *rows, struct artifact_key k, uint32_t now_s)
{
	for (unsigned i = 0; rows != NULL && i < ARTIFACTS_WAYS; i++)
		if (is_live(&rows_of(rows, k)[i], k, now_s))
			return rows_of(rows, k)[i].pool;
	return 0;
}

uint64_t
artifacts_get(struct artifacts *a, struct artifact_key k, uint64_t now_us)
{
	uint64_t pool = 0;

	(void)pthread_mutex_lock(&a->mutex);
	for (int p = 0; pool == 0 && p < ARTIFACTS_PARTS; p++)
		pool = find(a->rows[p], k, seconds(now_us));
	(void)pthread_mutex_unlock(&a->mutex);
	return pool;
}

/* That of the key, else one that is free or over, else the oldest. */
static struct artifact_row *
row_for(struct artifact_row *all, struct artifact_key k, uint32_t now_s)
{
	struct artifact_row *rows = rows_of(all, k), *best = rows;

	for (unsigned i = 0; i < ARTIFACTS_WAYS; i++) {
		if (is_live(&rows[i], k, now_s))
			return &rows[i];
		if (rows[i].pool == 0 || rows[i].ends_s <= now_s)
			rows[i].told_s = 0;
		if (rows[i].told_s < best->told_s)
			best = &rows[i];
	}
	return best;
}

/* What is to stand in the row now; 0: what does; live: it is of that key. */
static uint64_t
pool_of(const struct artifact_row *row, enum artifacts_part part, bool live,
    uint64_t pool)
{
	if (!live || row->pool == pool)
		return pool;
	return part == ARTIFACTS_STATE ? ARTIFACTS_SEVERAL : 0;
}

void
artifacts_put(struct artifacts *a, enum artifacts_part part,
    struct artifact_key k, uint64_t pool, uint64_t ends_us, uint64_t now_us)
{
	uint32_t now_s = seconds(now_us);
	struct artifact_row *row;

	(void)pthread_mutex_lock(&a->mutex);
	if (a->rows[part] == NULL)
		a->rows[part] = calloc(ARTIFACTS_MAX, sizeof(*row));
	row = a->rows[part] == NULL ? NULL : row_for(a->rows[part], k, now_s);
	if (row != NULL)
		pool = pool_of(row, part, is_live(row, k, now_s), pool);
	if (row != NULL && pool != 0)
		*row = (struct artifact_row){ .key = k,
			.pool = pool,
			.ends_s = seconds(ends_us),
			.told_s = now_s };
	(void)pthread_mutex_unlock(&a->mutex);
}
