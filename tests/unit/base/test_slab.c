/* Byte buffers in transit. */
#include "base/slab.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "fault.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifndef HAVE_ASAN
#define HAVE_ASAN 0
#endif

static const struct {
	enum slab_size size;
	size_t total;
} sizes[] = {
	{ SLAB_SMALL, 16384 },
	{ SLAB_LARGE, 73728 },
};

Test(slab, sizes_are_as_the_header_says)
{
	struct slab_store *s = slab_store_new(4);

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct slab *b = slab_take(s, sizes[i].size);

		cr_assert_not_null(b);
		cr_expect_eq(b->size, sizes[i].size);
		cr_expect_eq(b->cap + sizeof(*b), sizes[i].total,
		    "header included, so that malloc rounds to no more");
		cr_expect_eq((uintptr_t)b->data % 8, 0,
		    "structs may lie in it");
		memset(b->data, 0xa5, b->cap); /* all of it is ours */
		slab_give(s, &b);
		cr_expect_null(b, "the giver forgets it");
	}
	slab_store_free(&s);
	cr_expect_null(s);
}

Test(slab, counts_what_is_lent)
{
	struct slab_store *s = slab_store_new(4);
	struct slab *a, *b, *none = NULL;

	cr_expect_eq(slab_lent(s), 0);
	a = slab_take(s, SLAB_SMALL);
	b = slab_take(s, SLAB_LARGE);
	cr_expect_eq(slab_lent(s), 2);
	slab_give(s, &a);
	cr_expect_eq(slab_lent(s), 1);
	slab_give(s, &none);
	slab_give(s, &a);
	cr_expect_eq(slab_lent(s), 1, "giving NULL gives nothing");
	slab_give(s, &b);
	cr_expect_eq(slab_lent(s), 0);
	slab_store_free(&s);
}

#define N 8

static void
take_and_give(struct slab_store *s, enum slab_size size)
{
	struct slab *b[N];

	for (size_t i = 0; i < N; i++)
		b[i] = slab_take(s, size);
	for (size_t i = 0; i < N; i++)
		slab_give(s, &b[i]);
}

/* How many of N slabs must come from the system. */
static unsigned
fresh_of(struct slab_store *s, enum slab_size size)
{
	unsigned before = fault_calls(FAULT_MALLOC);

	take_and_give(s, size);
	return fault_calls(FAULT_MALLOC) - before;
}

static const struct {
	const char *why;
	size_t keep_max;
	unsigned fresh;
} keeps[] = {
	{ "none is kept", 0, N },
	{ "some are", 3, N - 3 },
	{ "all are", N, 0 },
	{ "more than ever was", 100, 0 },
};

Test(slab, keeps_up_to_keep_max)
{
	for (size_t i = 0; i < ARRAY_LEN(keeps); i++) {
		struct slab_store *s = slab_store_new(keeps[i].keep_max);

		cr_expect_eq(fresh_of(s, SLAB_SMALL), N, "%s: first",
		    keeps[i].why);
		cr_expect_eq(fresh_of(s, SLAB_SMALL),
		    HAVE_ASAN ? N : keeps[i].fresh, "%s: again", keeps[i].why);
		slab_store_free(&s);
	}
}

Test(slab, keep_max_is_for_both_sizes_together, .disabled = HAVE_ASAN)
{
	struct slab_store *s = slab_store_new(N + 2);

	take_and_give(s, SLAB_LARGE);
	take_and_give(s, SLAB_SMALL);
	cr_expect_eq(fresh_of(s, SLAB_SMALL), N - 2);
	cr_expect_eq(fresh_of(s, SLAB_LARGE), 0);
	slab_store_free(&s);
}

Test(slab, what_nobody_takes_goes, .disabled = HAVE_ASAN)
{
	struct slab_store *s = slab_store_new(N + 1);
	struct slab *b;

	cr_expect_eq(slab_tidy(s), 0);
	take_and_give(s, SLAB_SMALL);
	b = slab_take(s, SLAB_LARGE);
	slab_give(s, &b);
	cr_expect_eq(slab_tidy(s), N + 1, "all were taken since");
	b = slab_take(s, SLAB_SMALL);
	slab_give(s, &b);
	cr_expect_eq(slab_tidy(s), 1, "but for one");
	cr_expect_eq(slab_tidy(s), 0);
	cr_expect_eq(slab_lent(s), 0);
	b = slab_take(s, SLAB_SMALL);
	cr_expect_eq(slab_tidy(s), 0, "lent ones stay");
	slab_give(s, &b);
	slab_store_free(&s);
}

Test(slab, sizes_do_not_mix)
{
	struct slab_store *s = slab_store_new(N);
	struct slab *b = slab_take(s, SLAB_SMALL);

	slab_give(s, &b);
	b = slab_take(s, SLAB_LARGE);
	cr_expect_eq(b->size, SLAB_LARGE);
	cr_expect_gt(b->cap, 65536, "the largest head fits");
	slab_give(s, &b);
	slab_store_free(&s);
}

/* LIFO: the warmest memory is lent first. */
Test(slab, last_given_is_first_taken, .disabled = HAVE_ASAN)
{
	struct slab_store *s = slab_store_new(N);
	struct slab *a = slab_take(s, SLAB_SMALL), *b;
	const struct slab *last;

	b = slab_take(s, SLAB_SMALL);
	last = b;
	slab_give(s, &a);
	slab_give(s, &b);
	b = slab_take(s, SLAB_SMALL);
	cr_expect_eq(b, last);
	cr_expect_null(b->next, "no trace of the free list");
	slab_give(s, &b);
	slab_store_free(&s);
}

Test(slab, out_of_memory_is_an_answer)
{
	struct slab_store *s;
	struct slab *b;

	fault_arm(FAULT_CALLOC, 1, ENOMEM);
	cr_expect_null(slab_store_new(4));
	s = slab_store_new(4);
	fault_arm(FAULT_MALLOC, 1, ENOMEM);
	b = slab_take(s, SLAB_LARGE);
	cr_expect_null(b);
	cr_expect_eq(slab_lent(s), 0, "what was not lent is not counted");
	b = slab_take(s, SLAB_LARGE);
	cr_expect_not_null(b, "and the store goes on");
	slab_give(s, &b);
	slab_store_free(&s);
}

Test(slab, freeing_no_store_is_fine)
{
	struct slab_store *none = NULL;

	slab_store_free(&none);
}

#ifndef NDEBUG
Test(slab, store_with_a_lent_slab_is_not_freed, .signal = SIGABRT)
{
	struct slab_store *s = slab_store_new(4);
	struct slab *b = slab_take(s, SLAB_SMALL);

	cr_assert_not_null(b);
	slab_store_free(&s);
}
#endif
