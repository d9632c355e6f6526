#include "supervisor/edges.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/thread.h"
#include "net/mailbox.h"
#include "rollout/drive.h"

/* One a worker; the mail is on its way while pending is true. */
struct seat {
	struct mail mail;
	struct edges *edges; /* borrowed */
	_Atomic bool pending;
	_Atomic bool stopped;         /* worker */
	_Atomic bool failed;          /* worker: an exchange, by its instance */
	_Atomic bool news;            /* worker: anything else */
	struct instance *_Atomic bad; /* worker: could not be reached; the last
	                                 one does, each comes again */
	bool stop_seen;               /* control */
};

struct edges {
	struct mailbox *box; /* owned */
	struct drive *drive; /* borrowed */
	void (*stopped)(void *arg);
	void *arg;
	unsigned n, n_stopped;
	struct seat seats[];
};

static void
on_mail(struct mail *m, void *arg)
{
	struct seat *s = CONTAINER_OF(m, struct seat, mail);
	struct edges *e = arg;
	struct instance *bad;

	atomic_store(&s->pending, false);
	bad = atomic_exchange(&s->bad, NULL);
	if (e->drive != NULL) {
		if (bad != NULL)
			drive_connect_failed(e->drive, bad);
		if (atomic_exchange(&s->failed, false))
			drive_exchange_failed(e->drive);
		if (atomic_exchange(&s->news, false))
			drive_poke(e->drive);
	}
	if (s->stop_seen || !atomic_load(&s->stopped))
		return;
	s->stop_seen = true;
	if (++e->n_stopped == e->n)
		e->stopped(e->arg);
}

int
edges_new(struct loop *loop, unsigned n_workers, void (*stopped)(void *arg),
    void *arg, struct edges **out)
{
	struct edges *e = calloc(1,
	    sizeof(*e) + n_workers * sizeof(e->seats[0]));
	int rc;

	*out = NULL;
	if (e == NULL)
		return E_NOMEM;
	e->n = n_workers;
	e->stopped = stopped;
	e->arg = arg;
	for (unsigned i = 0; i < n_workers; i++)
		e->seats[i].edges = e;
	rc = mailbox_new(loop, on_mail, e, &e->box);
	if (rc != E_OK) {
		free(e);
		return rc;
	}
	*out = e;
	return E_OK;
}

void
edges_set_drive(struct edges *e, struct drive *d)
{
	e->drive = d;
}

void *
edges_seat(struct edges *e, unsigned worker)
{
	return &e->seats[worker];
}

void
edges_tell(void *arg, enum proxy_edge edge, struct instance *inst)
{
	struct seat *s = arg;

	ON_WORKER_THREAD();
	atomic_store(edge == PROXY_FAILED ? &s->failed : &s->news, true);
	if (edge == PROXY_CONNECT_FAILED)
		atomic_store(&s->bad, inst);
	else if (edge == PROXY_STOPPED)
		atomic_store(&s->stopped, true);
	if (!atomic_exchange(&s->pending, true))
		mailbox_post(s->edges->box, &s->mail);
}

void
edges_free(struct edges **ep)
{
	struct edges *e = *ep;

	if (e == NULL)
		return;
	e->drive = NULL;
	mailbox_free(&e->box);
	free(e);
	*ep = NULL;
}
