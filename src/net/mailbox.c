#include "net/mailbox.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "net/loop.h"

struct mailbox {
	struct watch watch;
	_Atomic(struct mail *) newest; /* senders push here */
	mailbox_fn *fn;
	void *arg;
	int fd;
};

static void
deliver(struct mailbox *b)
{
	struct mail *m = atomic_exchange(&b->newest, NULL), *oldest = NULL;

	while (m != NULL) {
		struct mail *next = m->next;

		m->next = oldest;
		oldest = m;
		m = next;
	}
	while (oldest != NULL) {
		struct mail *next = oldest->next;

		oldest->next = NULL;
		b->fn(oldest, b->arg);
		oldest = next;
	}
}

static void
on_wake(struct watch *w, unsigned what UNUSED)
{
	struct mailbox *b = CONTAINER_OF(w, struct mailbox, watch);
	uint64_t count;

	if (read(b->fd, &count, sizeof(count)) != -1)
		deliver(b);
}

int
mailbox_new(struct loop *l, mailbox_fn *fn, void *arg, struct mailbox **out)
{
	struct mailbox *b;
	int rc;

	*out = NULL;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return E_NOMEM;
	b->fn = fn;
	b->arg = arg;
	b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (b->fd == -1) {
		rc = err_sys();
		goto fail_mem;
	}
	rc = watch_add_level(&b->watch, l, b->fd, on_wake);
	if (rc != E_OK)
		goto fail_fd;
	*out = b;
	return E_OK;
fail_fd:
	close(b->fd);
fail_mem:
	free(b);
	return rc;
}

void
mailbox_free(struct mailbox **bp)
{
	struct mailbox *b = *bp;

	if (b == NULL)
		return;
	deliver(b);
	watch_del(&b->watch);
	close(b->fd);
	free(b);
	*bp = NULL;
}

void
mailbox_post(struct mailbox *b, struct mail *m)
{
	struct mail *top = atomic_load_explicit(&b->newest,
	    memory_order_relaxed);
	uint64_t one = 1;

	do
		m->next = top;
	while (!atomic_compare_exchange_weak_explicit(&b->newest, &top, m,
	    memory_order_release, memory_order_relaxed));
	if (top == NULL && write(b->fd, &one, sizeof(one)) == -1)
		return; /* the counter is full: the loop is waking already */
}
