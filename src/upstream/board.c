#include "upstream/board.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/hash.h"

#define ROWS 8192 /* power of two, twice the most instances */
#define AGE_UNIT_US (100 * US_PER_MS)

/*
 * key: hash of service, pool, name and address; 0 is a free row.
 * word: tenths of seconds of the monotonic clock << 2 | enum health.
 */
struct row {
	_Atomic uint64_t key;
	_Atomic uint64_t word;
};

struct board {
	struct row rows[ROWS];
};

struct board *
board_new(void)
{
	void *p = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void
board_free(struct board **bp)
{
	if (*bp != NULL)
		munmap(*bp, sizeof(**bp));
	*bp = NULL;
}

static uint64_t
key_of(const struct instance *i)
{
	const char *parts[] = { i->pool->service->name, i->pool->name, i->name,
		i->addr_text };
	uint64_t key = 0;

	for (size_t n = 0; n < ARRAY_LEN(parts); n++)
		key = hash_bytes(parts[n], strlen(parts[n]) + 1, key);
	return key == 0 ? 1 : key;
}

/* The key's row, or the free one where it would stand; NULL: full. */
static struct row *
row_of(const struct board *b, uint64_t key)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct row *r =
		    (struct row *)(uintptr_t)&b->rows[(key + i) % ROWS];
		uint64_t k = atomic_load(&r->key);

		if (k == key || k == 0)
			return r;
	}
	return NULL;
}

void
board_note(struct board *b, const struct instance *i, uint64_t mono_us)
{
	uint64_t key = key_of(i);
	struct row *r = row_of(b, key);

	if (r == NULL)
		return;
	atomic_store(&r->word, mono_us / AGE_UNIT_US << 2 | i->health);
	atomic_store(&r->key, key);
}

bool
board_look(const struct board *b, const struct instance *i, uint64_t mono_us,
    uint64_t max_age_us, enum health *out)
{
	uint64_t key = key_of(i), word;
	const struct row *r = row_of(b, key);

	if (r == NULL || atomic_load(&r->key) != key)
		return false;
	word = atomic_load(&r->word);
	if ((word & 3) >= HEALTH_COUNT ||
	    mono_us / AGE_UNIT_US - (word >> 2) > max_age_us / AGE_UNIT_US)
		return false;
	*out = (enum health)(word & 3);
	return true;
}
