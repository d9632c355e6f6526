#include "supervisor/network.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"
#include "config/pages.h"
#include "ipc/frame.h"
#include "net/loop.h"
#include "proxy/callers.h"
#include "rollout/drive.h"
#include "session/keyring.h"
#include "supervisor/complain.h"
#include "supervisor/doors.h"
#include "supervisor/edges.h"
#include "supervisor/privs.h"
#include "supervisor/source.h"
#include "supervisor/worker.h"
#include "upstream/load.h"
#include "upstream/registry.h"
#include "upstream/view.h"

/* So long the workers wait for the first word of every probe that matters. */
#define START_LIMIT_US (3 * US_PER_S)
#define START_LOOK_US (5 * US_PER_MS)

struct network {
	const struct network_env *env;
	struct loop *loop;
	struct watch master_watch;
	struct registry *registry;
	struct views *views;
	struct callers *callers;
	struct feed *feed;
	struct drive *drive;
	struct admin *admin;
	struct edges *edges;
	struct worker **workers;  /* owned; [doors->n_workers] */
	unsigned n_workers;       /* started */
	struct keyring *ring;     /* one ref: in the newest view */
	struct keyring *old_ring; /* one ref; NULL: no view has another */
	uint64_t ring_since;      /* the first view generation with .ring */
	struct keyring *new_ring; /* one ref: for the reload that follows */
	struct buf new_pages;     /* for the same */
	STAILQ_HEAD(, reload) reloads; /* owned; the first is under way */
	size_t n_reloads;
	admin_reload_fn *reload_done; /* for the next one; NULL: nobody waits */
	void *reload_arg;
	struct alarm *start_clock;
	uint64_t start_by_us; /* monotonic: workers begin then at the latest */
	struct frame frame;   /* the one being read */
	bool stopping;
	bool failed; /* the workers could not be started */
};

/* ---- with the master ---- */

static void
tell_master(struct network *n, enum frame_kind kind, const char *text)
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

/* ---- a new configuration ---- */

/* Before a new one: the rings of views that are gone. */
static void
drop_old_ring(struct network *n)
{
	if (n->old_ring != NULL && views_collect(n->views) >= n->ring_since)
		keyring_unref(&n->old_ring);
}

static bool
same_keys(const struct keyring *a, const struct keyring *b)
{
	if (keyring_count(a) != keyring_count(b))
		return false;
	for (size_t i = 0; i < keyring_count(a); i++) {
		const struct keyring_key *x = keyring_at(a, i);
		const struct keyring_key *y = keyring_at(b, i);

		if (x->id != y->id ||
		    memcmp(x->bytes, y->bytes, sizeof(x->bytes)) != 0)
			return false;
	}
	return true;
}

/* The ring to go on with; a new one only where keys differ. */
static struct keyring *
choose_ring(struct network *n, struct keyring *new)
{
	if (new == NULL || same_keys(new, n->ring))
		return n->ring;
	drop_old_ring(n);
	return n->old_ring == NULL ? new : n->ring;
}

static void
use_ring(struct network *n, struct keyring *ring)
{
	if (ring == n->ring)
		return;
	n->old_ring = n->ring;
	n->ring = keyring_ref(ring);
	n->ring_since = views_newest(n->views)->generation;
	log_info("event=keys_taken_over keys=%zu", keyring_count(ring));
}

/* They come as the master sends them, and are done one after the other. */
#define RELOADS_MAX 8

struct reload {
	STAILQ_ENTRY(reload) link;
	struct network *network;
	struct buf said, changed, restart, why;
	struct cfg *cfg;       /* one ref */
	struct keyring *keys;  /* one ref; NULL: none came with it */
	struct keyring *ring;  /* borrowed: .keys, or the one in use */
	admin_reload_fn *done; /* NULL: no operator waits */
	void *arg;
	bool told; /* drive tells how it ended */
};

static void
log_lines(enum log_level level, const char *event, struct str lines)
{
	while (lines.len > 0) {
		struct str line = str_split(&lines, '\n');

		if (line.len > 0)
			log_line(level, "event=%s what=\"" STR_FMT "\"", event,
			    STR_ARG(line));
	}
}

/* An event is a line: the first problem stands for all. */
static void
tell_refused(struct network *n, struct str problems)
{
	struct str rest = problems;
	struct str first = str_split(&rest, '\n');
	struct buf text = BUF_INIT;

	buf_add_str(&text, first);
	if (str_trim(rest).len > 0)
		buf_add_cstr(&text, " (and more, see the log)");
	drive_reload_refused(n->drive, text.p == NULL ? "" : text.p);
	buf_free(&text);
}

static const char *
text_of(struct buf *b)
{
	buf_add_cstr(b, "");
	return b->p == NULL ? "" : b->p;
}

static void
reload_free(struct reload *r)
{
	keyring_unref(&r->keys);
	cfg_unref(&r->cfg);
	buf_free(&r->said);
	buf_free(&r->changed);
	buf_free(&r->restart);
	buf_free(&r->why);
	free(r);
}

static void
tell_reload(struct network *n, struct reload *r, int rc)
{
	struct admin_reload_result result = { .code = rc,
		.changed = text_of(&r->changed),
		.restart = text_of(&r->restart),
		.problems = text_of(&r->said) };

	log_lines(rc == E_OK ? LOG_WARN : LOG_ERROR,
	    rc == E_OK ? "reload_warning" : "reload_refused",
	    buf_str(&r->said));
	if (rc == E_OK) {
		log_lines(LOG_INFO, "reload_changed", buf_str(&r->changed));
		log_lines(LOG_WARN, "reload_needs_restart",
		    buf_str(&r->restart));
	} else if (!r->told) {
		tell_refused(n, buf_str(&r->said));
	}
	tell_master(n, FRAME_RELOADED, rc == E_OK ? "" : result.problems);
	if (r->done != NULL)
		r->done(&result, r->arg);
}

static void next_reload(struct network *);

static void
on_reloaded(int rc, const char *why, void *arg)
{
	struct reload *r = arg;
	struct network *n = r->network;

	if (rc == E_OK) {
		use_ring(n, r->ring);
		log_set_level((enum log_level)r->cfg->log_level);
	} else if (r->said.len == 0 || why[0] != '\0') {
		buf_printf(&r->said, "%s: %s\n", n->env->origin, why);
	}
	STAILQ_REMOVE_HEAD(&n->reloads, link);
	n->n_reloads--;
	tell_reload(n, r, rc);
	reload_free(r);
	next_reload(n);
}

static int
compare(struct network *n, struct reload *r)
{
	int rc = cfg_order_listeners(r->cfg, n->env->started, &r->said);

	if (rc != E_OK)
		return rc;
	cfg_diff(drive_cfg(n->drive), r->cfg, &r->changed, &r->why);
	pages_diff(drive_cfg(n->drive), r->cfg, &r->changed);
	buf_reset(&r->why);
	cfg_diff(n->env->started, r->cfg, &r->why, &r->restart);
	return E_OK;
}

/* The first one that waits, if none is under way. */
static void
next_reload(struct network *n)
{
	struct reload *r = STAILQ_FIRST(&n->reloads);
	int rc;

	if (r == NULL)
		return;
	rc = compare(n, r);
	if (rc != E_OK) {
		on_reloaded(rc, "", r);
		return;
	}
	r->ring = choose_ring(n, r->keys);
	r->told = true;
	drive_reload(n->drive, r->cfg, r->ring, on_reloaded, r);
}

/* Who asked for it; it is his own even if others wait before it. */
static struct reload *
reload_new(struct network *n)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->network = n;
	r->keys = n->new_ring;
	n->new_ring = NULL;
	r->done = n->reload_done;
	r->arg = n->reload_arg;
	n->reload_done = NULL;
	return r;
}

static int
read_reload(struct network *n, struct reload *r, int fd, const char *text)
{
	struct buf yaml = BUF_INIT;
	int rc;

	if (fd == -1) {
		buf_printf(&r->said, "%s\n", text);
		return E_IO;
	}
	if (n->n_reloads == RELOADS_MAX) {
		buf_printf(&r->said, "%d reloads are under way\n", RELOADS_MAX);
		return E_AGAIN;
	}
	rc = file_read_fd(fd, SOURCE_BYTES_MAX, &yaml);
	if (rc == E_OK)
		rc = source_parse(buf_str(&yaml), n->env->origin, &r->said,
		    &r->cfg);
	buf_free(&yaml);
	if (rc == E_OK)
		rc = pages_unpack(r->cfg, buf_str(&n->new_pages));
	buf_free(&n->new_pages);
	return rc;
}

static void
on_reload(struct network *n, int fd, const char *text)
{
	struct reload *r = reload_new(n);
	int rc;

	if (r == NULL) {
		log_error("event=reload_refused why=\"%s\"", err_text(E_NOMEM));
		tell_master(n, FRAME_RELOADED, err_text(E_NOMEM));
		return;
	}
	rc = read_reload(n, r, fd, text);
	if (rc != E_OK) {
		tell_reload(n, r, rc);
		reload_free(r);
		return;
	}
	STAILQ_INSERT_TAIL(&n->reloads, r, link);
	if (n->n_reloads++ == 0)
		next_reload(n);
}

/* Nobody of it may be told any more. */
static void
end_admin(struct network *n)
{
	struct reload *r;

	admin_free(&n->admin);
	n->reload_done = NULL;
	STAILQ_FOREACH (r, &n->reloads, link)
		r->done = NULL;
}

static void
on_keys(struct network *n, int fd)
{
	struct buf text = BUF_INIT;
	char why[256];
	int rc = file_read_fd(fd, 65536, &text);

	keyring_unref(&n->new_ring);
	if (rc == E_OK)
		rc = keyring_parse(buf_str(&text), "keys", &n->new_ring, why,
		    sizeof(why));
	if (rc != E_OK)
		log_error("event=keys_refused why=\"%s\"", err_text(rc));
	explicit_bzero(text.p, text.cap);
	buf_free(&text);
}

static void
on_pages(struct network *n, int fd)
{
	int rc;

	buf_free(&n->new_pages);
	rc = file_read_fd(fd, PAGES_PACKED_MAX, &n->new_pages);
	if (rc != E_OK)
		log_error("event=pages_refused why=\"%s\"", err_text(rc));
}

/* admin: an operator asks. */
static void
ask_reload(admin_reload_fn *done, void *done_arg, void *arg)
{
	struct network *n = arg;
	struct admin_reload_result busy = { .code = E_AGAIN,
		.changed = "",
		.restart = "",
		.problems = "a reload is under way\n" };
	int rc;

	if (n->reload_done != NULL) {
		done(&busy, done_arg);
		return;
	}
	rc = frame_send(n->env->master, FRAME_RELOAD_PLEASE, "", -1);
	if (rc != E_OK) {
		busy.code = rc;
		busy.problems = "the master process cannot be reached\n";
		done(&busy, done_arg);
		return;
	}
	n->reload_done = done;
	n->reload_arg = done_arg;
}

/* ---- what the master says ---- */

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
			on_keys(n, f->fd);
		break;
	case FRAME_PAGES:
		if (f->fd != -1)
			on_pages(n, f->fd);
		break;
	case FRAME_RELOAD:
		on_reload(n, f->fd, f->text);
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
	tell_master(n, FRAME_READY, "");
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
		.unix_fd = n->env->doors->admin_fd,
		.http_fd = n->env->doors->http_fd,
		.n_workers = n->env->doors->n_workers,
		.started_wall_us = n->env->started_wall_us,
		.master_pid = n->env->master_pid,
		.reload = ask_reload,
		.arg = n };

	return admin_new(&a, &n->admin);
}

static int
start_drive(struct network *n, char *why, size_t cap)
{
	struct drive_env d = { .loop = n->loop,
		.registry = n->registry,
		.views = n->views,
		.feed = n->feed,
		.board = n->env->board,
		.again = n->env->before != NULL,
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
	rc = edges_new(n->loop, workers, on_all_stopped, n, &n->edges);
	if (rc == E_OK)
		rc = start_drive(n, why, cap);
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
	drive_free(&n->drive);
	views_free(&n->views);
	registry_free(&n->registry);
	feed_free(&n->feed);
	alarm_free(&n->start_clock);
	loop_free(&n->loop);
	keyring_unref(&n->ring);
	keyring_unref(&n->old_ring);
	keyring_unref(&n->new_ring);
	buf_free(&n->new_pages);
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
	STAILQ_INIT(&n->reloads);
	n->ring = keyring_ref(env->keyring);
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
