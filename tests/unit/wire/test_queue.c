/* Runs of own and borrowed bytes, sent piece by piece. */
#include "wire/queue.h"

#include <criterion/criterion.h>
#include <string.h>

static struct slab_store *store;
static struct slab *s;

static void
up(void)
{
	store = slab_store_new(4);
	s = slab_take(store, SLAB_SMALL);
	queue_init(s);
}

static void
down(void)
{
	slab_give(store, &s);
	slab_store_free(&store);
}

TestSuite(queue, .init = up, .fini = down, .timeout = 5);

static void
own(const char *text)
{
	memcpy(queue_end(s), text, strlen(text));
	queue_commit(s, strlen(text));
}

/* All that is queued, in order. */
static const char *
all(void)
{
	static char text[256];
	struct queue *q = queue_of(s);
	size_t n = 0;

	for (unsigned i = q->first; i < q->n; i++) {
		memcpy(text + n, q->run[i].iov_base, q->run[i].iov_len);
		n += q->run[i].iov_len;
	}
	text[n] = '\0';
	return text;
}

Test(queue, own_bytes_in_a_row_are_one_run)
{
	own("ab");
	own("cd");
	cr_expect_eq(queue_of(s)->n, 1);
	cr_expect_str_eq(all(), "abcd");
}

Test(queue, borrowed_bytes_keep_their_place)
{
	own("head ");
	queue_lend(s, STR("body"));
	own(" tail");
	cr_expect_eq(queue_of(s)->n, 3);
	cr_expect_str_eq(all(), "head body tail");
}

Test(queue, knows_what_more_bytes_would_join)
{
	cr_expect_not(queue_ends_with_own(s), "nothing is queued");
	own("head");
	cr_expect(queue_ends_with_own(s));
	cr_expect_not(queue_sent(s, 2));
	cr_expect(queue_ends_with_own(s), "half of it is sent");
	queue_lend(s, STR("body"));
	cr_expect_not(queue_ends_with_own(s), "borrowed bytes are last");
	own("tail");
	cr_expect(queue_ends_with_own(s));
	cr_expect(queue_sent(s, 10));
	cr_expect_not(queue_ends_with_own(s), "all is sent");
}

Test(queue, is_sent_byte_by_byte)
{
	static const char whole[] = "head body tail";

	own("head ");
	queue_lend(s, STR("body"));
	own(" tail");
	for (size_t i = 1; i < sizeof(whole) - 1; i++) {
		cr_expect_not(queue_sent(s, 1));
		cr_expect_str_eq(all(), whole + i);
	}
	cr_expect(queue_sent(s, 1));
}

Test(queue, is_sent_over_several_runs)
{
	own("ab");
	queue_lend(s, STR("cd"));
	own("ef");
	cr_expect_not(queue_sent(s, 3));
	cr_expect_str_eq(all(), "def");
	cr_expect_not(queue_sent(s, 0));
	cr_expect(queue_sent(s, 3));
}

/* A message part that was begun when it was not full can be ended. */
Test(queue, is_full_before_it_overflows)
{
	unsigned n = 0;

	while (!queue_is_full(s)) {
		for (int i = 0; i < QUEUE_RESERVE / 2; i++) {
			own("5\r\n");
			queue_lend(s, STR("hello"));
		}
		n++;
	}
	cr_expect_gt(n, 5);
	cr_expect_leq(queue_of(s)->n, QUEUE_RUNS);
}

Test(queue, is_full_when_own_bytes_have_no_room)
{
	while (queue_room(s) > 300)
		own("0123456789");
	cr_expect(queue_is_full(s));
	cr_expect_geq(queue_room(s), QUEUE_RESERVE);
}
