/*
 * slab - byte buffers of two sizes from a free list, for bytes in transit.
 *
 * A connection takes a slab when bytes arrive or leave and gives it back when
 * none are in transit.  Each worker owns one slab_store; at most keep_max free
 * slabs are kept for reuse, and for as long as they are used now and then: the
 * rest goes back to malloc.
 *
 * Thread: the owner of the store.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct slab_store;

enum slab_size {
	SLAB_SMALL, /* 16 KiB in all */
	SLAB_LARGE, /* 72 KiB in all: the largest head, or body in bulk */
	SLAB_SIZES
};

struct slab {
	struct slab *next;       /* free list */
	uint32_t cap;            /* bytes in data[] */
	uint8_t size;            /* enum slab_size */
	bool aged;               /* free since before the last slab_tidy() */
	_Alignas(8) char data[]; /* structs may lie in it */
};

struct slab_store *slab_store_new(size_t keep_max) MUST_CHECK;
void slab_store_free(struct slab_store **); /* asserts that none is lent */

/* NULL when memory is out. */
struct slab *slab_take(struct slab_store *, enum slab_size) MUST_CHECK;
void slab_give(struct slab_store *, struct slab **); /* NULL inside is fine */
/* Drops what nobody took since the last call; how many free ones are left. */
size_t slab_tidy(struct slab_store *);
size_t slab_idle(const struct slab_store *); /* free ones that are kept */
/* Slabs lent now, and what they take. */
size_t slab_lent(const struct slab_store *);
size_t slab_lent_bytes(const struct slab_store *);

#endif
