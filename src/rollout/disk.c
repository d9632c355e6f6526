#include "rollout/disk.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/thread.h"
#include "net/loop.h"
#include "net/mailbox.h"

/* So long no text came: the file may follow. */
#define QUIET_NS 200000000L

/*
 * .text and .code change hands: the semaphore gives them to the thread, the
 * mailbox gives them back.
 */
struct disk {
	struct mailbox *box;
	struct mail done;
	disk_done_fn *fn;
	void *arg;
	struct journal journal; /* the thread's */
	pthread_t thread;
	sem_t work;
	struct buf text; /* empty when work is posted: the end */
	int code;
	uint64_t began_us; /* monotonic; control's */
	uint64_t texts;    /* so many were written; control's */
	bool busy;         /* control's */
	/* The thread's: one more than the texts after which it last rested. */
	_Atomic uint64_t rested;
};

/* False: there was none for so long, or longer when the clock is set back. */
static bool
await_work(struct disk *d)
{
	struct timespec until;
	int rc;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += QUIET_NS;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	do
		rc = sem_timedwait(&d->work, &until);
	while (rc == -1 && errno == EINTR);
	return rc == 0;
}

/* What was told is not lost by that. */
static void
tell_unsettled(const struct disk *d, int rc)
{
	if (rc != E_OK)
		log_warn("event=state_not_settled file=\"%s\" why=\"%s\"",
		    d->journal.path,
		    rc == E_STATE ? "it is not as it was left" : err_text(rc));
}

static void
settle(struct disk *d)
{
	if (journal_is_unsettled(&d->journal))
		tell_unsettled(d, journal_settle(&d->journal));
}

static void
await_turn(struct disk *d, uint64_t texts)
{
	if (journal_is_unsettled(&d->journal) && await_work(d))
		return;
	settle(d);
	atomic_store(&d->rested, texts + 1);
	while (sem_wait(&d->work) == -1 && errno == EINTR)
		;
}

static struct buf
await_text(struct disk *d, uint64_t texts)
{
	struct buf text;

	await_turn(d, texts);
	text = d->text;
	d->text = BUF_INIT;
	return text;
}

static void *
run(void *arg)
{
	struct disk *d = arg;
	uint64_t texts = 0;
	struct buf text;

	thread_become(ROLE_NONE, "disk");
	settle(d); /* nobody waits yet */
	while (text = await_text(d, texts++), text.len > 0) {
		d->code = journal_write(&d->journal, &text);
		mailbox_post(d->box, &d->done);
	}
	tell_unsettled(d, journal_close(&d->journal));
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
disk_new(struct loop *loop, const char *path, size_t max, disk_done_fn *fn,
    void *arg, struct disk **out)
{
	struct disk *d = calloc(1, sizeof(*d));
	int rc;

	*out = NULL;
	if (d == NULL)
		return E_NOMEM;
	d->fn = fn;
	d->arg = arg;
	rc = journal_init(&d->journal, path, max);
	if (rc != E_OK)
		goto fail_mem;
	rc = mailbox_new(loop, on_mail, d, &d->box);
	if (rc != E_OK)
		goto fail_journal;
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
fail_journal:
	journal_fini(&d->journal);
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
	journal_fini(&d->journal);
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
	d->texts++;
	post(d);
}

bool
disk_is_busy(const struct disk *d)
{
	return d->busy;
}

bool
disk_rests(const struct disk *d)
{
	return atomic_load(&d->rested) == d->texts + 1;
}

uint64_t
disk_pending_us(const struct disk *d)
{
	return d->busy ? MAX(clock_mono_us() - d->began_us, 1) : 0;
}
