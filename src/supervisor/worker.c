#include "supervisor/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "session/issuers.h"
#include "store/store.h"
#include "store/stores.h"

struct stop_mail {
	struct mail mail;
	uint64_t linger_us, deadline_us;
	bool end; /* leave the loop */
};

struct worker {
	struct worker_env env;
	int *listen_fds; /* owned, the sockets too; -1: closed */
	struct loop *loop;
	struct mailbox *box;
	struct store *store;
	struct issuers *issuers;
	char name[16]; /* of the thread */
	struct proxy *proxy;
	pthread_t thread;
	struct stop_mail stop, end;
	bool stop_sent;
};

/* No client may wait in a queue that nobody empties. */
static void
close_listeners(struct worker *w)
{
	for (size_t i = 0; i < w->env.n_listen; i++) {
		if (w->listen_fds[i] != -1)
			close(w->listen_fds[i]);
		w->listen_fds[i] = -1;
	}
}

static void
on_mail(struct mail *m, void *arg)
{
	struct worker *w = arg;
	struct stop_mail *s = CONTAINER_OF(m, struct stop_mail, mail);

	if (s->end) {
		loop_stop(w->loop);
		return;
	}
	proxy_stop(w->proxy, s->linger_us, s->deadline_us);
	close_listeners(w);
}

static void
on_turn(void *arg)
{
	struct worker *w = arg;

	proxy_turn(w->proxy);
}

static void *
run(void *arg)
{
	struct worker *w = arg;
	int rc;

	thread_become(ROLE_WORKER, w->name);
	rc = proxy_start(w->proxy);
	if (rc != E_OK) {
		/* A process that serves on some sockets only is worse. */
		log_error("event=worker_failed why=\"%s\"", err_text(rc));
		_exit(EXIT_FAILURE);
	}
	loop_run(w->loop);
	proxy_free(&w->proxy);
	issuers_free(&w->issuers);
	store_close(&w->store);
	return NULL;
}

/* The thread takes no signals: they are the master's. */
static int
start_thread(struct worker *w)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error == 0 ? E_OK : err_from_errno(error);
}

static int
open_store(struct worker *w)
{
	int rc = stores_open(w->env.stores, w->loop, w->name, &w->store);

	if (rc != E_OK)
		return rc;
	w->issuers = issuers_new(w->store);
	return w->issuers == NULL ? E_NOMEM : E_OK;
}

int
worker_start(const struct worker_env *env, struct worker **out)
{
	struct proxy_env p = { .index = env->index,
		.n_workers = env->n_workers,
		.views = env->views,
		.callers = env->callers,
		.n_listen = env->n_listen,
		.access_fd = env->access_fd,
		.edge = env->edge,
		.arg = env->arg };
	struct worker *w;
	int rc = E_NOMEM;

	*out = NULL;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return E_NOMEM;
	w->env = *env;
	(void)snprintf(w->name, sizeof(w->name), "worker-%u", env->index);
	w->listen_fds = calloc(env->n_listen + 1, sizeof(int));
	if (w->listen_fds == NULL)
		goto fail_mem;
	memcpy(w->listen_fds, env->listen_fds, env->n_listen * sizeof(int));
	rc = loop_new(&w->loop);
	if (rc != E_OK)
		goto fail_fds;
	rc = mailbox_new(w->loop, on_mail, w, &w->box);
	if (rc != E_OK)
		goto fail_loop;
	rc = open_store(w);
	if (rc != E_OK)
		goto fail_store;
	p.loop = w->loop;
	p.issuers = w->issuers;
	p.listen_fds = w->listen_fds;
	rc = proxy_new(&p, &w->proxy);
	if (rc != E_OK)
		goto fail_store;
	loop_on_turn(w->loop, on_turn, w);
	rc = start_thread(w);
	if (rc != E_OK)
		goto fail_proxy;
	*out = w;
	return E_OK;
fail_proxy:
	proxy_free(&w->proxy);
fail_store:
	issuers_free(&w->issuers);
	store_close(&w->store);
	mailbox_free(&w->box);
fail_loop:
	loop_free(&w->loop);
fail_fds:
	free(w->listen_fds);
fail_mem:
	free(w);
	return rc;
}

void
worker_nudge(struct worker *w)
{
	loop_wake(w->loop);
}

void
worker_stop(struct worker *w, uint64_t linger_us, uint64_t deadline_us)
{
	if (w->stop_sent)
		return;
	w->stop_sent = true;
	w->stop = (struct stop_mail){ .linger_us = linger_us,
		.deadline_us = deadline_us };
	mailbox_post(w->box, &w->stop.mail);
}

void
worker_free(struct worker **wp)
{
	struct worker *w = *wp;

	if (w == NULL)
		return;
	w->end.end = true;
	mailbox_post(w->box, &w->end.mail);
	pthread_join(w->thread, NULL);
	mailbox_free(&w->box);
	loop_free(&w->loop);
	close_listeners(w);
	free(w->listen_fds);
	free(w);
	*wp = NULL;
}
