#include "wire/queue.h"

#include <assert.h>

void
queue_init(struct slab *s)
{
	struct queue *q = queue_of(s);

	q->first = q->n = 0;
	q->used = sizeof(*q);
}

size_t
queue_room(struct slab *s)
{
	return s->cap - queue_of(s)->used;
}

char *
queue_end(struct slab *s)
{
	return s->data + queue_of(s)->used;
}

static void
add_run(struct queue *q, const char *p, size_t len)
{
	struct iovec *last = q->n > q->first ? &q->run[q->n - 1] : NULL;

	if (last != NULL && (char *)last->iov_base + last->iov_len == p) {
		last->iov_len += len;
		return;
	}
	assert(q->n < QUEUE_RUNS);
	q->run[q->n++] = (struct iovec){ (void *)(uintptr_t)p, len };
}

void
queue_commit(struct slab *s, size_t len)
{
	struct queue *q = queue_of(s);

	assert(len <= queue_room(s));
	add_run(q, s->data + q->used, len);
	q->used += (uint32_t)len;
}

bool
queue_ends_with_own(struct slab *s)
{
	const struct queue *q = queue_of(s);
	const struct iovec *last;

	if (q->n == q->first)
		return false;
	last = &q->run[q->n - 1];
	return (const char *)last->iov_base + last->iov_len == queue_end(s);
}

void
queue_lend(struct slab *s, struct str bytes)
{
	add_run(queue_of(s), bytes.p, bytes.len);
}

bool
queue_is_full(struct slab *s)
{
	const struct queue *q = queue_of(s);

	return q->n + QUEUE_RESERVE > QUEUE_RUNS ||
	    queue_room(s) < (size_t)64 * QUEUE_RESERVE;
}

bool
queue_sent(struct slab *s, size_t len)
{
	struct queue *q = queue_of(s);

	while (q->first < q->n) {
		struct iovec *run = &q->run[q->first];

		if (len < run->iov_len) {
			run->iov_base = (char *)run->iov_base + len;
			run->iov_len -= len;
			return false;
		}
		len -= run->iov_len;
		q->first++;
	}
	assert(len == 0);
	return true;
}
