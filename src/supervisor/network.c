/*
 * network - its start and end, and what the master says.
 */
#include "supervisor/network.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "ipc/frame.h"
#include "net/loop.h"
#include "proxy/callers.h"
#include "rollout/drive.h"
#include "store/store.h"
#include "store/stores.h"
#include "supervisor/complain.h"
#include "supervisor/doors.h"
#include "supervisor/edges.h"
#include "supervisor/network_int.h"
#include "supervisor/privs.h"
#include "supervisor/trim.h"
#include "supervisor/worker.h"
#include "upstream/load.h"
#include "upstream/registry.h"
#include "upstream/view.h"

/* So long the workers wait for the first word of every probe that matters. */
#define START_LIMIT_US (3 * US_PER_S)
#define START_LOOK_US (5 * US_PER_MS)

/* ---- with the master ---- */

void
network_tell_master(struct network *n, enum frame_kind kind, const char *text)
{
	int rc = frame_send(n->env->master, kind, text, -1);

	if (rc != E_OK)
		log_warn("event=frame_lost kind=%s why=\"%s\"",
		    frame_kind_name(kind), err_text(rc));
}

static void
tell_feed(struct network *n, const char *text)
{
	struct feed_event e = { .type = FEED_PROCESS };

	(void)snprintf(e.text, sizeof(e.text), "%s", text);
	feed_tell(n->feed, &e);
}

/* ---- stopping ---- */

static void
on_all_stopped(void *arg)
{
	struct network *n = arg;

	loop_stop(n->loop);
}

static void
stop(struct network *n)
{
	const struct cfg *c = drive_cfg(n->drive);

	if (n->stopping)
		return;
	n->stopping = true;
	log_info("event=stopping linger_s=%.1f deadline_s=%.1f",
	    (double)c->linger_us / 1e6, (double)c->stop_us / 1e6);
	tell_feed(n, "stopping");
	if (n->admin != NULL)
		admin_stopping(n->admin);
	for (unsigned i = 0; i < n->n_workers; i++)
		worker_stop(n->workers[i], c->linger_us, c->stop_us);
	if (n->n_workers == 0)
		loop_stop(n->loop);
}

/* ---- what the master says ---- */

/* Nobody of it may be told any more. */
static void
end_admin(struct network *n)
{
	admin_free(&n->admin);
	network_reload_unheard(n);
}

static void
use_access_fd(struct network *n, int fd)
{
	if (n->env->doors->access_fd != -1 &&
	    dup3(fd, n->env->doors->access_fd, O_CLOEXEC) == -1)
		log_error("event=access_log_not_reopened");
}

static void
use_log_fd(int *fd)
{
	if (log_use_fd(*fd) != E_OK)
		log_error("event=log_not_reopened");
	*fd = -1;
}

static void
on_frame(struct network *n, struct frame *f)
{
	switch (f->kind) {
	case FRAME_KEYS:
		if (f->fd != -1)
			network_take_keys(n, f->fd);
		break;
	case FRAME_PAGES:
		if (f->fd != -1)
			network_take_pages(n, f->fd);
		break;
	case FRAME_CERTS:
		network_take_certs(n, f->fd);
		f->fd = -1;
		break;
	case FRAME_RELOAD:
		network_reload(n, f->fd, f->text);
		break;
	case FRAME_RENEW:
		network_renew(n, f->fd, f->text);
		break;
	case FRAME_LOG_FILE:
		if (f->fd != -1)
			use_log_fd(&f->fd);
		break;
	case FRAME_ACCESS_FILE:
		if (f->fd != -1)
			use_access_fd(n, f->fd);
		break;
	case FRAME_LAME:
		registry_load(n->registry)->lame = true;
		log_info("event=lame_duck");
		tell_feed(n, "about to stop: health paths answer 503");
		break;
	case FRAME_JOB_NEWS:
		drive_hear_run(n->drive, f->text);
		break;
	case FRAME_STOP:
		stop(n);
		break;
	case FRAME_QUIT:
		n->stopping = true;
		loop_stop(n->loop);
		break;
	default:
		log_warn("event=frame_unexpected kind=%s",
		    frame_kind_name(f->kind));
	}
	if (f->fd != -1)
		close(f->fd);
}

/* The master is dead: nobody can restart us, and another may start. */
static void
on_master_gone(struct network *n)
{
	log_error("event=master_gone");
	watch_del(&n->master_watch);
	end_admin(n);
	stop(n);
}

static void
on_master(struct watch *w, unsigned what UNUSED)
{
	struct network *n = CONTAINER_OF(w, struct network, master_watch);
	int rc;

	for (;;) {
		rc = frame_receive(n->env->master, &n->frame);
		if (rc == E_AGAIN)
			return;
		if (rc == E_OK)
			on_frame(n, &n->frame);
		else if (rc != E_SYNTAX) {
			on_master_gone(n);
			return;
		}
	}
}

/* ---- start and end ---- */

static void
nudge(void *arg)
{
	struct network *n = arg;

	for (unsigned i = 0; i < n->n_workers; i++)
		worker_nudge(n->workers[i]);
}

static int
start_worker(struct network *n, unsigned index)
{
	const struct doors *d = n->env->doors;
	struct worker_env w = { .index = index,
		.n_workers = d->n_workers,
		.views = n->views,
		.callers = n->callers,
		.stores = n->stores,
		.n_listen = d->n_listen,
		.access_fd = d->access_fd,
		.edge = edges_tell,
		.arg = edges_seat(n->edges, index) };
	int *fds = calloc(d->n_listen + 1, sizeof(*fds)), rc;

	if (fds == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < d->n_listen; i++)
		fds[i] = d->fds[i * d->n_workers + index];
	w.listen_fds = fds;
	rc = worker_start(&w, &n->workers[index]);
	free(fds);
	return rc;
}

static int
start_workers(struct network *n)
{
	unsigned want = n->env->doors->n_workers;
	int rc = E_OK;

	n->workers = calloc(want, sizeof(struct worker *));
	n->callers = callers_new();
	if (n->workers == NULL || n->callers == NULL)
		return E_NOMEM;
	while (rc == E_OK && n->n_workers < want) {
		rc = start_worker(n, n->n_workers);
		n->n_workers += rc == E_OK;
	}
	return rc;
}

static bool
has_unknown(struct network *n, const char *service, const char *name)
{
	const struct pool *p = registry_pool(n->registry, service, name);
	const struct instance *i = NULL;

	while (p != NULL &&
	    (i = registry_instance_next(n->registry, p, i)) != NULL)
		if (i->health == HEALTH_UNKNOWN && i->admin != INST_MAINT)
			return true;
	return false;
}

/*
 * Is there an instance with sessions of which nobody knows how it is?  Until
 * then its sessions would be taken for those of a dead pool, and move.
 */
static bool
awaits_proof(struct network *n)
{
	const struct ro_state *state = drive_state(n->drive);

	for (size_t s = 0; s < state->n_services; s++) {
		const struct ro_service *svc = &state->services[s];

		for (size_t p = 0; p < svc->n_pools; p++) {
			if (svc->pools[p].state != POOL_ACTIVE &&
			    svc->pools[p].state != POOL_DRAINING)
				continue;
			if (has_unknown(n, svc->name, svc->pools[p].name))
				return true;
		}
	}
	return false;
}

static void
tell_serving(struct network *n)
{
	const char *before = n->env->before;
	char text[160];

	(void)snprintf(text, sizeof(text), "started%s%s",
	    before == NULL ? "" : " again; the process before was ",
	    before == NULL ? "" : before);
	tell_feed(n, text);
	log_info("event=serving workers=%u generation=%llu", n->n_workers,
	    (unsigned long long)drive_state(n->drive)->generation);
	network_tell_master(n, FRAME_READY, "");
}

/* Clients wait in the queues of the listening sockets meanwhile. */
static void
on_start_clock(void *arg)
{
	struct network *n = arg;
	int rc;

	if (n->stopping)
		return;
	if (awaits_proof(n) && clock_mono_us() < n->start_by_us) {
		alarm_set(n->start_clock, START_LOOK_US);
		return;
	}
	rc = start_workers(n);
	if (rc == E_OK) {
		tell_serving(n);
		stores_load(n->stores); /* nobody waits for it */
		return;
	}
	complain("the workers cannot be started: %s", err_text(rc));
	n->failed = true;
	loop_stop(n->loop);
}

static int
start_admin(struct network *n)
{
	struct admin_env a = { .loop = n->loop,
		.drive = n->drive,
		.feed = n->feed,
		.stores = n->stores,
		.unix_fd = n->env->doors->admin_fd,
		.http_fd = n->env->doors->http_fd,
		.n_workers = n->env->doors->n_workers,
		.started_wall_us = n->env->started_wall_us,
		.master_pid = n->env->master_pid,
		.reload = network_ask_reload,
		.arg = n };

	return admin_new(&a, &n->admin);
}

static void
tell_of_runs(enum run_word word, const char *text, void *arg)
{
	network_tell_master(arg, word == RUN_ASK ? FRAME_JOB : FRAME_JOB_STOP,
	    text);
}

static int
start_drive(struct network *n, char *why, size_t cap)
{
	struct drive_env d = { .loop = n->loop,
		.registry = n->registry,
		.views = n->views,
		.feed = n->feed,
		.board = n->env->board,
		.driver = n->env->driver,
		.again = n->env->before != NULL,
		.same_master = n->env->was_ready,
		.tell = tell_of_runs,
		.cfg = n->env->cfg,
		.keyring = n->ring,
		.nudge = nudge,
		.arg = n };
	int rc = drive_new(&d, &n->drive, why, cap);

	if (rc == E_OK)
		edges_set_drive(n->edges, n->drive);
	return rc;
}

static int
join_cluster(struct network *n)
{
	struct store_env store;

	if (n->env->started->cluster.name == NULL)
		return E_OK;
	store = stores_env(n->stores, n->loop, "control");
	return drive_join(n->drive, n->env->started, &store);
}

static int
start(struct network *n, char *why, size_t cap)
{
	unsigned workers = n->env->doors->n_workers;
	int rc = loop_new(&n->loop);

	if (rc != E_OK)
		return rc;
	n->registry = registry_new(workers);
	n->views = views_new(workers);
	n->feed = feed_new();
	n->start_clock = alarm_new(n->loop, on_start_clock, n);
	n->start_by_us = clock_mono_us() + START_LIMIT_US;
	if (n->registry == NULL || n->views == NULL || n->feed == NULL ||
	    n->start_clock == NULL)
		return E_NOMEM;
	rc = stores_new(n->env->started, n->env->store_password, workers,
	    &n->stores);
	if (rc != E_OK)
		return rc;
	rc = edges_new(n->loop, workers, on_all_stopped, n, &n->edges);
	if (rc == E_OK)
		rc = start_drive(n, why, cap);
	if (rc == E_OK)
		rc = join_cluster(n);
	if (rc == E_OK)
		rc = trim_new(n->loop, &n->trim);
	if (rc == E_OK)
		rc = start_admin(n);
	if (rc == E_OK)
		rc = watch_add_level(&n->master_watch, n->loop, n->env->master,
		    on_master);
	return rc;
}

static void
finish(struct network *n)
{
	for (unsigned i = 0; i < n->n_workers; i++)
		worker_free(&n->workers[i]);
	free(n->workers);
	callers_free(&n->callers);
	end_admin(n);
	edges_free(&n->edges);
	trim_free(&n->trim);
	drive_free(&n->drive);
	stores_free(&n->stores);
	views_free(&n->views);
	registry_free(&n->registry);
	feed_free(&n->feed);
	alarm_free(&n->start_clock);
	loop_free(&n->loop);
	network_reload_end(n);
}

static void
serve(struct network *n)
{
	on_start_clock(n);
	loop_run(n->loop);
	log_info("event=stopped");
}

int
network_run(const struct network_env *env)
{
	struct network *n = calloc(1, sizeof(*n));
	char why[512] = "";
	int rc;

	thread_become(ROLE_CONTROL, "control");
	if (n == NULL)
		return EXIT_FAILURE;
	n->env = env;
	network_reload_init(n);
	rc = privs_drop(env->privs);
	if (rc == E_OK)
		rc = privs_forbid_fork();
	if (rc != E_OK)
		(void)snprintf(why, sizeof(why), "privileges: %s",
		    err_text(rc));
	else
		rc = start(n, why, sizeof(why));
	if (rc == E_OK)
		serve(n);
	else
		complain("%s", why[0] == '\0' ? err_text(rc) : why);
	if (n->failed)
		rc = E_INTERNAL;
	finish(n);
	free(n);
	return rc == E_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
