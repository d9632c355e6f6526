#include "rollout/disk.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/thread.h"
#include "net/loop.h"
#include "net/mailbox.h"

/*
 * .text and .code change hands: the semaphore gives them to the thread, the
 * mailbox gives them back.
 */
struct disk {
	struct mailbox *box;
	struct mail done;
	disk_done_fn *fn;
	void *arg;
	const char *path; /* borrowed */
	pthread_t thread;
	sem_t work;
	struct buf text; /* empty when work is posted: the end */
	int code;
	uint64_t began_us; /* monotonic; control's */
	bool busy;         /* control's */
};

static struct buf
await_text(struct disk *d)
{
	struct buf text;

	while (sem_wait(&d->work) == -1 && errno == EINTR)
		;
	text = d->text;
	d->text = BUF_INIT;
	return text;
}

static void *
run(void *arg)
{
	struct disk *d = arg;
	struct buf text;

	thread_become(ROLE_NONE, "disk");
	while (text = await_text(d), text.len > 0) {
		d->code = file_replace(d->path, buf_str(&text), 0600);
		buf_free(&text);
		mailbox_post(d->box, &d->done);
	}
	return NULL;
}

static void
on_mail(struct mail *m, void *arg UNUSED)
{
	struct disk *d = CONTAINER_OF(m, struct disk, done);
	uint64_t took_us = clock_mono_us() - d->began_us;

	d->busy = false;
	d->fn(d->code, took_us, d->arg);
}

/* The thread takes no signals: they are the master's. */
static int
start_thread(struct disk *d)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&d->thread, NULL, run, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error == 0 ? E_OK : err_from_errno(error);
}

int
disk_new(struct loop *loop, const char *path, disk_done_fn *fn, void *arg,
    struct disk **out)
{
	struct disk *d = calloc(1, sizeof(*d));
	int rc = E_NOMEM;

	*out = NULL;
	if (d == NULL)
		return E_NOMEM;
	d->fn = fn;
	d->arg = arg;
	d->path = path;
	rc = mailbox_new(loop, on_mail, d, &d->box);
	if (rc != E_OK)
		goto fail_mem;
	if (sem_init(&d->work, 0, 0) == -1) {
		rc = err_sys();
		goto fail_box;
	}
	rc = start_thread(d);
	if (rc != E_OK)
		goto fail_sem;
	*out = d;
	return E_OK;
fail_sem:
	sem_destroy(&d->work);
fail_box:
	mailbox_free(&d->box);
fail_mem:
	free(d);
	return rc;
}

/* Never more than two ahead of the thread, so that no count runs over. */
static void
post(struct disk *d)
{
	int rc = sem_post(&d->work);

	assert(rc == 0);
	(void)rc;
}

void
disk_free(struct disk **dp)
{
	struct disk *d = *dp;

	if (d == NULL)
		return;
	post(d); /* without a text, behind what is under way */
	pthread_join(d->thread, NULL);
	mailbox_free(&d->box); /* tells what was under way */
	sem_destroy(&d->work);
	free(d);
	*dp = NULL;
}

void
disk_write(struct disk *d, struct buf *text)
{
	assert(!d->busy && text->len > 0);
	d->text = *text;
	*text = BUF_INIT;
	d->began_us = clock_mono_us();
	d->busy = true;
	post(d);
}

bool
disk_is_busy(const struct disk *d)
{
	return d->busy;
}

uint64_t
disk_pending_us(const struct disk *d)
{
	return d->busy ? MAX(clock_mono_us() - d->began_us, 1) : 0;
}
