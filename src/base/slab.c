#include "base/slab.h"

#include <assert.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define KEEP_FREE 0 /* so that use after slab_give() is caught */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEP_FREE 0
#endif
#endif
#ifndef KEEP_FREE
#define KEEP_FREE 1
#endif

static const size_t total_bytes[SLAB_SIZES] = {
	[SLAB_SMALL] = (size_t)16 << 10,
	[SLAB_LARGE] = (size_t)72 << 10,
};

struct slab_store {
	struct slab *idle[SLAB_SIZES];
	size_t n_idle;   /* of both sizes */
	size_t keep_max; /* n_idle at most */
	size_t lent;
	size_t lent_bytes;
};

struct slab_store *
slab_store_new(size_t keep_max)
{
	struct slab_store *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->keep_max = keep_max;
	return s;
}

void
slab_store_free(struct slab_store **sp)
{
	struct slab_store *s = *sp;

	if (s == NULL)
		return;
	assert(s->lent == 0);
	for (int i = 0; i < SLAB_SIZES; i++) {
		while (s->idle[i] != NULL) {
			struct slab *b = s->idle[i];

			s->idle[i] = b->next;
			free(b);
		}
	}
	free(s);
	*sp = NULL;
}

struct slab *
slab_take(struct slab_store *s, enum slab_size size)
{
	struct slab *b = s->idle[size];

	if (b != NULL) {
		s->idle[size] = b->next;
		s->n_idle--;
	} else {
		b = malloc(total_bytes[size]);
		if (b == NULL)
			return NULL;
		b->cap = (uint32_t)(total_bytes[size] - sizeof(*b));
		b->size = (uint8_t)size;
	}
	b->next = NULL;
	b->aged = false;
	s->lent++;
	s->lent_bytes += total_bytes[size];
	return b;
}

void
slab_give(struct slab_store *s, struct slab **bp)
{
	struct slab *b = *bp;

	if (b == NULL)
		return;
	*bp = NULL;
	assert(s->lent > 0);
	s->lent--;
	s->lent_bytes -= total_bytes[b->size];
	if (!KEEP_FREE || s->n_idle >= s->keep_max) {
		free(b);
		return;
	}
	b->next = s->idle[b->size];
	s->idle[b->size] = b;
	s->n_idle++;
}

/* Who was taken last is taken first: the aged ones are at the end. */
size_t
slab_tidy(struct slab_store *s)
{
	for (int i = 0; i < SLAB_SIZES; i++) {
		struct slab **at = &s->idle[i], *b;

		for (; *at != NULL && !(*at)->aged; at = &(*at)->next)
			(*at)->aged = true;
		while ((b = *at) != NULL) {
			*at = b->next;
			s->n_idle--;
			free(b);
		}
	}
	return s->n_idle;
}

size_t
slab_idle(const struct slab_store *s)
{
	return s->n_idle;
}

size_t
slab_lent(const struct slab_store *s)
{
	return s->lent;
}

size_t
slab_lent_bytes(const struct slab_store *s)
{
	return s->lent_bytes;
}
