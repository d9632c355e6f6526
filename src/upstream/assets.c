#include "upstream/assets.h"

#include <stdlib.h>

#include "base/attr.h"
#include "base/hash.h"

#define SEED UINT64_C(0xa55e7)
#define WAYS 8 /* places that a row may have */

void
assets_init(struct assets *a)
{
	(void)pthread_mutex_init(&a->mutex, NULL);
	a->rows = NULL;
}

void
assets_free(struct assets *a)
{
	free(a->rows);
	(void)pthread_mutex_destroy(&a->mutex);
}

static uint64_t
key_of(uint64_t tag, uint64_t pool)
{
	uint64_t both[] = { tag, pool };

	return hash_bytes(both, sizeof(both), SEED) | 1;
}

/* Its row, else the one that is free, or was heard of longest ago. */
static struct asset_row *
row_of(struct assets *a, uint64_t key)
{
	struct asset_row *oldest = NULL;

	for (size_t i = 0; i < WAYS; i++) {
		struct asset_row *r = &a->rows[(key / 2 + i) % ASSETS_MAX];

		if (r->key == key)
			return r;
		if (oldest == NULL || r->heard_us < oldest->heard_us)
			oldest = r;
	}
	return oldest;
}

enum asset_word
assets_ask(struct assets *a, uint64_t tag, uint64_t pool, uint64_t now_us)
{
	uint64_t key = key_of(tag, pool);
	enum asset_word word = ASSET_UNKNOWN;

	(void)pthread_mutex_lock(&a->mutex);
	if (a->rows != NULL) {
		const struct asset_row *r = row_of(a, key);

		if (r->key == key &&
		    now_us - MIN(now_us, r->heard_us) <
		        (r->word == ASSET_THERE ? ASSET_THERE_US
		                                : ASSET_LACK_US))
			word = (enum asset_word)r->word;
	}
	(void)pthread_mutex_unlock(&a->mutex);
	return word;
}

void
assets_hear(struct assets *a, uint64_t tag, uint64_t pool, enum asset_word word,
    uint64_t now_us)
{
	uint64_t key = key_of(tag, pool);

	(void)pthread_mutex_lock(&a->mutex);
	if (a->rows == NULL)
		a->rows = calloc(ASSETS_MAX, sizeof(*a->rows));
	if (a->rows != NULL)
		*row_of(a, key) = (struct asset_row){ .key = key,
			.heard_us = now_us,
			.word = (uint8_t)word };
	(void)pthread_mutex_unlock(&a->mutex);
}
