/*
 * One change at a time on its way to the disk, the others in their order.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/units.h"
#include "rollout/cluster.h"
#include "rollout/disk.h"
#include "rollout/drive_int.h"

/* So long a disk that failed is left alone by who can wait. */
#define REST_US US_PER_S

bool
change_refuse(struct change *c, enum ro_refusal r, const char *fmt, ...)
{
	va_list ap;

	c->refusal = r;
	va_start(ap, fmt);
	(void)vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	return false;
}

/* ---- to the disk ---- */

static void
note_failure(struct drive *d, int code)
{
	d->disk_in_doubt = true;
	d->disk_failed_us = clock_mono_us();
	d->saves_failed++;
	log_error("event=state_not_saved file=\"%s\" why=\"%s\"", d->path,
	    err_text(code));
}

/* E_OK: drive_on_written() follows. */
static int
write_state(struct drive *d, const struct ro_state *s)
{
	struct buf text = BUF_INIT;
	int rc = ro_state_text(s, &text);

	if (rc == E_OK) {
		d->restamped = false;
		disk_write(d->disk, &text);
	} else {
		buf_free(&text);
		note_failure(d, rc);
	}
	return rc;
}

static void
refuse_unwritten(struct drive *d, struct change *c, int code)
{
	(void)change_refuse(c, RO_NO_DISK,
	    "%.160s could not be written: %s; nothing was changed", d->path,
	    err_text(code));
}

/* ---- it is there, or not ---- */

/* The refused one ends when the disk has .state again, or is in doubt. */
static void
take_back(struct drive *d, struct change *c)
{
	assert(c->refusal != RO_NO_NONE);
	if (write_state(d, &d->state) == E_OK)
		d->writing = c;
	else
		c->kind->end(d, c);
}

bool
drive_is_busy(const struct drive *d)
{
	return disk_is_busy(d->disk) || d->agreeing != NULL;
}

static void
agree(struct drive *d, struct change *c)
{
	d->agreeing = c;
	d->asked = false;
	drive_agree(d);
}

static void
land(struct drive *d, struct change *c, int code)
{
	if (c->refusal != RO_NO_NONE) {
		c->kind->end(d, c); /* it was taken back */
		return;
	}
	if (code == E_OK && !d->ending && drive_must_agree(d, c)) {
		agree(d, c);
		return;
	}
	if (code != E_OK)
		refuse_unwritten(d, c, code);
	else if (d->ending)
		(void)change_refuse(c, RO_NO_STOPPING,
		    "segued is stopping; what was begun goes on after the next "
		    "start");
	else if (!c->kind->adopt(d, c) && !c->unsaved) {
		take_back(d, c);
		return;
	} else if (d->cluster != NULL && !c->unsaved && !c->agreed)
		cluster_diverged(d->cluster);
	c->kind->end(d, c);
}

void
drive_agreed(struct drive *d, struct change *c)
{
	if (c->refusal == RO_NO_NONE)
		land(d, c, E_OK);
	else if (d->ending)
		c->kind->end(d, c);
	else
		take_back(d, c);
}

void
drive_send(struct drive *d, struct change *c)
{
	int rc;

	assert(d->writing == NULL && !drive_is_busy(d));
	if (d->cluster != NULL && !c->agreed && drive_leads(d))
		d->next.driver = d->env.driver;
	if (c->unsaved) {
		land(d, c, E_OK);
		return;
	}
	rc = write_state(d, &d->next);
	if (rc == E_OK) {
		d->writing = c;
		return;
	}
	refuse_unwritten(d, c, rc);
	c->kind->end(d, c);
}

void
drive_on_written(int code, uint64_t took_us, void *arg)
{
	struct drive *d = arg;
	struct change *c = d->writing;

	hist_add(&d->save_took, took_us);
	if (d->disk_hangs)
		log_warn("event=disk_answers file=\"%s\" after_s=%.1f", d->path,
		    (double)took_us / 1e6);
	d->disk_hangs = false;
	if (code != E_OK)
		note_failure(d, code);
	else if (d->disk_in_doubt)
		log_info("event=state_saved file=\"%s\"", d->path);
	d->disk_in_doubt = code != E_OK;
	d->writing = NULL;
	if (c != NULL)
		land(d, c, code);
	if (!d->ending)
		drive_poke(d);
}

bool
drive_disk_rests(const struct drive *d)
{
	return d->disk_in_doubt &&
	    clock_mono_us() - d->disk_failed_us < REST_US;
}

bool
drive_rests(const struct drive *d)
{
	return drive_disk_rests(d) ||
	    (d->disagreed_us != 0 &&
	        clock_mono_us() - d->disagreed_us < REST_US);
}

void
drive_settle_disk(struct drive *d)
{
	if ((d->disk_in_doubt || d->restamped) && !drive_is_busy(d) &&
	    !drive_disk_rests(d))
		(void)write_state(d, &d->state); /* else a later look does */
}

/* ---- whose turn it is ---- */

static void
begin(struct drive *d, struct change *c)
{
	drive_follow_wall_clock(d);
	if (ro_state_copy(&d->next, &d->state) != E_OK)
		(void)change_refuse(c, RO_NO_NO_MEMORY, "%s",
		    ro_refusal_text(RO_NO_NO_MEMORY));
	else if (c->kind->decide(d, c)) {
		drive_send(d, c);
		return;
	}
	c->kind->end(d, c);
}

static struct change *
take_first(struct drive *d)
{
	struct change *c = STAILQ_FIRST(&d->waiting);

	if (c == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&d->waiting, link);
	d->n_waiting--;
	return c;
}

static bool
hangs(const struct drive *d)
{
	return disk_pending_us(d->disk) >= DRIVE_DISK_LIMIT_US;
}

static void
refuse_hanging(struct drive *d, struct change *c)
{
	char how_long[UNITS_MAX];

	units_duration_round(disk_pending_us(d->disk), how_long);
	(void)change_refuse(c, RO_NO_DISK,
	    "the disk has not answered for %s (writing %.160s); nothing was "
	    "changed",
	    how_long, d->path);
	c->kind->end(d, c);
}

static void
refuse_stopping(struct drive *d, struct change *c)
{
	(void)change_refuse(c, RO_NO_STOPPING,
	    "segued is stopping; nothing was changed");
	c->kind->end(d, c);
}

void
drive_submit(struct drive *d, struct change *c)
{
	if (d->ending) {
		refuse_stopping(d, c);
	} else if (hangs(d)) {
		refuse_hanging(d, c);
	} else if (d->n_waiting == DRIVE_CHANGES_MAX) {
		(void)change_refuse(c, RO_NO_DISK,
		    "%d changes wait for the disk already; nothing was changed",
		    DRIVE_CHANGES_MAX);
		c->kind->end(d, c);
	} else if (drive_is_busy(d) || d->n_waiting > 0) {
		STAILQ_INSERT_TAIL(&d->waiting, c, link);
		d->n_waiting++;
	} else {
		begin(d, c);
	}
}

void
drive_next_change(struct drive *d)
{
	struct change *c;

	while (!drive_is_busy(d) && (c = take_first(d)) != NULL)
		begin(d, c);
	if (!hangs(d))
		return;
	if (!d->disk_hangs)
		log_error("event=disk_hangs file=\"%s\" waiting=%zu", d->path,
		    d->n_waiting);
	d->disk_hangs = true;
	while ((c = take_first(d)) != NULL)
		refuse_hanging(d, c);
}

void
drive_end_changes(struct drive *d)
{
	struct change *c;

	while ((c = take_first(d)) != NULL)
		refuse_stopping(d, c);
}

/* ---- reading ---- */

void
drive_disk(const struct drive *d, struct drive_disk *out)
{
	*out = (struct drive_disk){ .pending_us = disk_pending_us(d->disk),
		.waiting = d->n_waiting,
		.rests = disk_rests(d->disk),
		.failed = d->saves_failed,
		.took = &d->save_took };
}

void
drive_disk_holds(const struct drive *d, char *out, size_t cap)
{
	char how_long[UNITS_MAX];

	units_duration_round(disk_pending_us(d->disk), how_long);
	(void)snprintf(out, cap, "it waits for the disk, which is busy for %s",
	    how_long);
}
