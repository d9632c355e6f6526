#include "net/resolver.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"
#include "config/config.h"
#include "net/mailbox.h"

struct question {
	struct mail mail;
	STAILQ_ENTRY(question) link;
	struct cfg_addr addr; /* .host owned, no text */
	resolver_fn *fn;      /* NULL: somebody waits in resolver_wait() */
	void *arg;
	int code;
	struct addr_list answer;
	bool done;
	bool abandoned; /* whoever waited went on without it */
};

STAILQ_HEAD(question_list, question);

/* Shared by the owner and the thread; the last of them frees it. */
struct resolver {
	resolver_look_fn *look;
	struct mailbox *box;  /* the owner's; not posted to while .ending */
	pthread_mutex_t lock; /* for all below, and for .box */
	pthread_cond_t asked, answered;
	struct question_list queue;
	bool running; /* there is a thread */
	bool ending;  /* the owner has left */
};

static void
question_free(struct question *q)
{
	addr_list_free(&q->answer);
	free(q->addr.host);
	free(q);
}

static void
destroy(struct resolver *r)
{
	struct question *q;

	while ((q = STAILQ_FIRST(&r->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->queue, link);
		question_free(q);
	}
	pthread_cond_destroy(&r->asked);
	pthread_cond_destroy(&r->answered);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* ---- the thread ---- */

static void
hand_over(struct resolver *r, struct question *q)
{
	q->done = true;
	if (r->ending || q->abandoned)
		question_free(q);
	else if (q->fn != NULL)
		mailbox_post(r->box, &q->mail);
	else
		pthread_cond_broadcast(&r->answered);
}

static void *
run(void *arg)
{
	struct resolver *r = arg;

	thread_become(ROLE_NONE, "resolver");
	pthread_mutex_lock(&r->lock);
	while (!r->ending) {
		struct question *q = STAILQ_FIRST(&r->queue);

		if (q == NULL) {
			pthread_cond_wait(&r->asked, &r->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&r->queue, link);
		pthread_mutex_unlock(&r->lock);
		q->code = r->look(&q->addr, &q->answer);
		pthread_mutex_lock(&r->lock);
		hand_over(r, q);
	}
	pthread_mutex_unlock(&r->lock);
	destroy(r);
	return NULL;
}

/* It takes no signals, and nobody joins it: it may hang in the system. */
static int
start_thread(struct resolver *r)
{
	sigset_t all, old;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&thread, NULL, run, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error != 0)
		return err_from_errno(error);
	pthread_detach(thread);
	r->running = true;
	return E_OK;
}

/* ---- the owner ---- */

static void
on_mail(struct mail *m, void *arg)
{
	struct question *q = CONTAINER_OF(m, struct question, mail);
	struct resolver *r = arg;

	if (!r->ending)
		q->fn(q->code, &q->answer, q->arg);
	question_free(q);
}

int
resolver_new(struct loop *l, resolver_look_fn *look, struct resolver **out)
{
	struct resolver *r = calloc(1, sizeof(*r));
	pthread_condattr_t attr;
	int rc;

	*out = NULL;
	if (r == NULL)
		return E_NOMEM;
	r->look = look;
	STAILQ_INIT(&r->queue);
	rc = mailbox_new(l, on_mail, r, &r->box);
	if (rc != E_OK) {
		free(r);
		return rc;
	}
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->asked, NULL);
	pthread_cond_init(&r->answered, &attr);
	pthread_condattr_destroy(&attr);
	*out = r;
	return E_OK;
}

void
resolver_free(struct resolver **rp)
{
	struct resolver *r = *rp;
	bool running;

	if (r == NULL)
		return;
	*rp = NULL;
	pthread_mutex_lock(&r->lock);
	r->ending = true;
	running = r->running;
	mailbox_free(&r->box);
	pthread_cond_signal(&r->asked);
	pthread_mutex_unlock(&r->lock);
	if (!running)
		destroy(r);
}

static int
put_question(struct resolver *r, const struct cfg_addr *a, resolver_fn *fn,
    void *arg, struct question **out)
{
	struct question *q = calloc(1, sizeof(*q));
	int rc = E_OK;

	if (q == NULL)
		return E_NOMEM;
	q->addr.host = strdup(a->host);
	q->addr.port = a->port;
	q->fn = fn;
	q->arg = arg;
	if (q->addr.host == NULL) {
		free(q);
		return E_NOMEM;
	}
	pthread_mutex_lock(&r->lock);
	if (!r->running)
		rc = start_thread(r);
	if (rc == E_OK) {
		STAILQ_INSERT_TAIL(&r->queue, q, link);
		pthread_cond_signal(&r->asked);
	}
	pthread_mutex_unlock(&r->lock);
	if (rc != E_OK)
		question_free(q);
	else
		*out = q;
	return rc;
}

int
resolver_ask(struct resolver *r, const struct cfg_addr *a, resolver_fn *fn,
    void *arg)
{
	struct question *q;

	return put_question(r, a, fn, arg, &q);
}

/* With the lock held. */
static bool
await(struct resolver *r, const struct question *q, uint64_t limit_us)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(limit_us / US_PER_S);
	until.tv_nsec += (long)(limit_us % US_PER_S) * 1000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (!q->done &&
	    pthread_cond_timedwait(&r->answered, &r->lock, &until) == 0)
		;
	return q->done;
}

int
resolver_wait(struct resolver *r, const struct cfg_addr *a, uint64_t limit_us,
    struct addr_list *out)
{
	struct question *q;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = put_question(r, a, NULL, NULL, &q);
	if (rc != E_OK)
		return rc;
	pthread_mutex_lock(&r->lock);
	if (!await(r, q, limit_us)) {
		q->abandoned = true; /* the thread frees it */
		pthread_mutex_unlock(&r->lock);
		return E_TIMEOUT;
	}
	pthread_mutex_unlock(&r->lock);
	rc = q->code;
	*out = q->answer;
	memset(&q->answer, 0, sizeof(q->answer));
	question_free(q);
	return rc;
}
