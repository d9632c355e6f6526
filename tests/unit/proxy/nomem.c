#include "nomem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "net/loop.h"

#define LIVE_MAX 65536u /* power of two */

static unsigned until, left, failed;
static void *live[LIVE_MAX]; /* a set, by open addressing */
static size_t n_live;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_aligned_alloc(size_t, size_t);
void __real_free(void *);

void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_aligned_alloc(size_t, size_t);
void __wrap_free(void *);

void
nomem_arm(unsigned nth, unsigned many)
{
	until = nth;
	left = many;
	failed = 0;
}

unsigned
nomem_disarm(void)
{
	until = left = 0;
	return failed;
}

size_t
nomem_live(void)
{
	return n_live;
}

static bool
fails(void)
{
	if (left == 0 || (until > 1 && until-- > 1))
		return false;
	left--;
	failed++;
	errno = ENOMEM;
	return true;
}

/* ---- what is alive ---- */

static size_t
place_of(const void *p)
{
	size_t i = ((uintptr_t)p >> 4) * 0x9e3779b1u % LIVE_MAX;

	while (live[i] != NULL && live[i] != p)
		i = (i + 1) % LIVE_MAX;
	return i;
}

static void *
born(void *p)
{
	if (p == NULL)
		return NULL;
	if (n_live >= LIVE_MAX / 2)
		abort();
	live[place_of(p)] = p;
	n_live++;
	return p;
}

/* Those behind it in its run move up. */
static void
dead(void *p)
{
	size_t i = place_of(p);

	if (p == NULL || live[i] == NULL)
		return; /* of somebody else */
	live[i] = NULL;
	n_live--;
	for (i = (i + 1) % LIVE_MAX; live[i] != NULL; i = (i + 1) % LIVE_MAX) {
		void *q = live[i];

		live[i] = NULL;
		live[place_of(q)] = q;
	}
}

/* ---- the functions ---- */

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : born(__real_malloc(n));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : born(__real_calloc(n, size));
}

void *
__wrap_realloc(void *p, size_t n)
{
	void *q;

	if (fails())
		return NULL;
	dead(p);
	q = __real_realloc(p, n);
	return born(q);
}

void *
__wrap_aligned_alloc(size_t align, size_t n)
{
	return fails() ? NULL : born(__real_aligned_alloc(align, n));
}

void
__wrap_free(void *p)
{
	dead(p);
	__real_free(p);
}

void
nomem_libevent(void)
{
	event_set_mem_functions(__wrap_malloc, __wrap_realloc, __wrap_free);
}
