/*
 * network_reload - a new configuration, with its keys and pages: it comes from
 * the master, drive decides, master and operator hear how it ended.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "config/pages.h"
#include "config/tlsfiles.h"
#include "ipc/frame.h"
#include "rollout/drive.h"
#include "session/keyring.h"
#include "supervisor/network.h"
#include "supervisor/network_int.h"
#include "supervisor/source.h"
#include "tls/make.h"
#include "upstream/view.h"

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

/* ---- key rings ---- */

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

/* ---- how it ended ---- */

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
	network_tell_master(n, FRAME_RELOADED,
	    rc == E_OK ? "" : result.problems);
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

/* ---- one after the other ---- */

static int
compare(struct network *n, struct reload *r)
{
	int rc = cfg_order_listeners(r->cfg, n->env->started, &r->said);

	if (rc != E_OK)
		return rc;
	cfg_diff(drive_cfg(n->drive), r->cfg, &r->changed, &r->why);
	pages_diff(drive_cfg(n->drive), r->cfg, &r->changed);
	tlsfiles_diff(drive_cfg(n->drive), r->cfg, &r->changed);
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
reload_new(struct network *n, bool asked)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->network = n;
	r->keys = n->new_ring;
	n->new_ring = NULL;
	if (!asked)
		return r;
	r->done = n->reload_done;
	r->arg = n->reload_arg;
	n->reload_done = NULL;
	return r;
}

/* The master has made the same of them: it only fails when memory is out. */
static int
make_tls(struct network *n, struct reload *r)
{
	int rc = E_OK;

	if (n->new_certs != -1)
		rc = tlsfiles_unpack(r->cfg, n->new_certs);
	if (rc == E_OK)
		rc = tls_make(r->cfg, n->env->origin, &r->said);
	tlsfiles_wipe(r->cfg);
	return rc;
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
	if (rc == E_OK)
		rc = make_tls(n, r);
	return rc;
}

static void
reload(struct network *n, int fd, const char *text, bool asked)
{
	struct reload *r = reload_new(n, asked);
	int rc;

	if (r == NULL) {
		log_error("event=reload_refused why=\"%s\"", err_text(E_NOMEM));
		network_tell_master(n, FRAME_RELOADED, err_text(E_NOMEM));
		return;
	}
	rc = read_reload(n, r, fd, text);
	network_take_certs(n, -1);
	if (rc != E_OK) {
		tell_reload(n, r, rc);
		reload_free(r);
		return;
	}
	STAILQ_INSERT_TAIL(&n->reloads, r, link);
	if (n->n_reloads++ == 0)
		next_reload(n);
}

void
network_reload(struct network *n, int fd, const char *text)
{
	reload(n, fd, text, true);
}

void
network_renew(struct network *n, int fd, const char *text)
{
	reload(n, fd, text, false);
}

void
network_take_certs(struct network *n, int fd)
{
	if (n->new_certs != -1)
		close(n->new_certs);
	n->new_certs = fd;
}

void
network_take_keys(struct network *n, int fd)
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

void
network_take_pages(struct network *n, int fd)
{
	int rc;

	buf_free(&n->new_pages);
	rc = file_read_fd(fd, PAGES_PACKED_MAX, &n->new_pages);
	if (rc != E_OK)
		log_error("event=pages_refused why=\"%s\"", err_text(rc));
}

void
network_ask_reload(admin_reload_fn *done, void *done_arg, void *arg)
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

/* ---- start and end ---- */

void
network_reload_init(struct network *n)
{
	STAILQ_INIT(&n->reloads);
	n->new_certs = -1;
	n->ring = keyring_ref(n->env->keyring);
}

void
network_reload_unheard(struct network *n)
{
	struct reload *r;

	n->reload_done = NULL;
	STAILQ_FOREACH (r, &n->reloads, link)
		r->done = NULL;
}

void
network_reload_end(struct network *n)
{
	keyring_unref(&n->ring);
	keyring_unref(&n->old_ring);
	keyring_unref(&n->new_ring);
	buf_free(&n->new_pages);
	network_take_certs(n, -1);
}
