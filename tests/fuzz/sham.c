#include "sham.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread.h"
#include "must.h"
#include "net/loop.h"
#include "rollout/disk.h"
#include "rollout/probing.h"
#include "upstream/names.h"
#include "upstream/registry.h"

#define MONO_US (1000 * US_PER_S)
#define WALL_US (UINT64_C(1800000000) * US_PER_S)
#define WRITES_MAX 64 /* of a turn; more would never end */

static struct loop *loop;

/* ---- instances ---- */

static const struct probing *probing; /* borrowed */
static bool up;

static void
fit_pool(const struct probing *w, const struct pool *p)
{
	struct instance *i = NULL;

	while ((i = registry_probed_next(w->registry, p, i)) != NULL) {
		enum health was = i->health;

		i->health = up ? HEALTH_UP : HEALTH_DOWN;
		i->passes = up;
		i->fails = !up;
		if (was == i->health)
			continue;
		i->health_since_us = clock_mono_us();
		w->edge(i, was, w->arg);
	}
}

static void
fit(const struct probing *w)
{
	struct service *s = NULL;
	struct pool *p;

	while ((s = registry_service_next(w->registry, s)) != NULL)
		for (size_t i = 0;
		     (p = registry_pool_at(w->registry, s, i)) != NULL; i++)
			fit_pool(w, p);
}

int
probing_fit(const struct probing *w, struct cfg *cfg UNUSED, bool renew UNUSED)
{
	probing = w;
	return E_OK;
}

void
probing_note(const struct probing *w UNUSED, const struct instance *i UNUSED)
{
}

void
probing_note_all(const struct probing *w UNUSED)
{
}

void
probing_hurry(const struct probing *w UNUSED, const struct instance *i UNUSED)
{
}

void
probing_stop(const struct probing *w UNUSED)
{
	probing = NULL;
}

void
sham_be_up(bool yes)
{
	up = yes;
	if (probing != NULL)
		fit(probing);
}

/* ---- time ---- */

struct alarm {
	LIST_ENTRY(alarm) link;
	alarm_fn *fn;
	void *arg;
	uint64_t due_us; /* 0: it is not set */
	uint64_t pass;   /* in which it went off last */
};

static LIST_HEAD(, alarm) alarms;
static uint64_t mono_us, passes;

struct alarm *__wrap_alarm_new(struct loop *, alarm_fn *, void *);
void __wrap_alarm_set(struct alarm *, uint64_t);
void __wrap_alarm_clear(struct alarm *);
void __wrap_alarm_free(struct alarm **);

struct alarm *
__wrap_alarm_new(struct loop *l UNUSED, alarm_fn *fn, void *arg)
{
	struct alarm *a = calloc(1, sizeof(*a));

	MUST(a != NULL);
	a->fn = fn;
	a->arg = arg;
	LIST_INSERT_HEAD(&alarms, a, link);
	return a;
}

void
__wrap_alarm_set(struct alarm *a, uint64_t in_us)
{
	a->due_us = mono_us + in_us;
}

void
__wrap_alarm_clear(struct alarm *a)
{
	a->due_us = 0;
}

void
__wrap_alarm_free(struct alarm **ap)
{
	if (*ap == NULL)
		return;
	LIST_REMOVE(*ap, link);
	free(*ap);
	*ap = NULL;
}

static struct alarm *
next_due(void)
{
	struct alarm *a, *first = NULL;

	LIST_FOREACH (a, &alarms, link)
		if (a->due_us != 0 && a->due_us <= mono_us &&
		    a->pass != passes &&
		    (first == NULL || a->due_us < first->due_us))
			first = a;
	return first;
}

void
sham_pass(uint64_t us)
{
	struct alarm *a;

	if (probing != NULL)
		fit(probing);
	mono_us += us;
	clock_fake(mono_us, WALL_US + mono_us);
	passes++;
	while ((a = next_due()) != NULL) {
		a->pass = passes;
		a->due_us = 0;
		a->fn(a->arg);
		sham_turn();
	}
}

/* ---- the disk ---- */

struct disk {
	disk_done_fn *fn;
	void *arg;
	struct buf text; /* under way */
};

static struct disk *disk; /* borrowed; there is one */
static struct buf file;
static bool fails;

int
disk_new(struct loop *l UNUSED, const char *path UNUSED, size_t max UNUSED,
    disk_done_fn *fn, void *arg, struct disk **out)
{
	*out = disk = calloc(1, sizeof(*disk));
	MUST(disk != NULL);
	disk->fn = fn;
	disk->arg = arg;
	return E_OK;
}

static void
end_write(struct disk *d)
{
	if (!fails) {
		buf_free(&file);
		file = d->text;
		d->text = BUF_INIT;
	}
	buf_free(&d->text);
	d->fn(fails ? E_FULL : E_OK, 1, d->arg);
}

void
disk_free(struct disk **dp)
{
	if (*dp == NULL)
		return;
	if (disk_is_busy(*dp))
		end_write(*dp);
	free(*dp);
	*dp = disk = NULL;
}

void
disk_write(struct disk *d, struct buf *text)
{
	MUST(!disk_is_busy(d) && text->len > 0);
	d->text = *text;
	*text = BUF_INIT;
}

bool
disk_is_busy(const struct disk *d)
{
	return d->text.len > 0;
}

bool
disk_rests(const struct disk *d)
{
	return !disk_is_busy(d);
}

uint64_t
disk_pending_us(const struct disk *d)
{
	return disk_is_busy(d);
}

void
sham_disk_fails(bool yes)
{
	fails = yes;
}

struct str
sham_disk(void)
{
	return buf_str(&file);
}

void
sham_turn(void)
{
	unsigned n = 0;

	loop_run_deferred(loop);
	for (; disk != NULL && disk_is_busy(disk); n++) {
		MUST(n < WRITES_MAX);
		end_write(disk);
		loop_run_deferred(loop);
	}
}

/* The one that is read, and written, at the start. */
int __wrap_file_read(const char *path, size_t max, struct buf *out);
int __wrap_file_replace(const char *path, struct str text, mode_t mode);

int
__wrap_file_read(const char *path UNUSED, size_t max UNUSED,
    struct buf *out UNUSED)
{
	return E_NOENT;
}

int
__wrap_file_replace(const char *path UNUSED, struct str text UNUSED,
    mode_t mode UNUSED)
{
	return E_OK;
}

/* ---- names ---- */

struct names {
	TAILQ_HEAD(, name) list;
};

int
names_new(struct loop *l UNUSED, resolver_look_fn *look UNUSED,
    names_fn *fn UNUSED, void *arg UNUSED, struct names **out)
{
	struct names *ns = calloc(1, sizeof(*ns));

	MUST(ns != NULL);
	TAILQ_INIT(&ns->list);
	*out = ns;
	return E_OK;
}

void
names_free(struct names **np)
{
	struct names *ns = *np;
	struct name *n;

	if (ns == NULL)
		return;
	while ((n = TAILQ_FIRST(&ns->list)) != NULL) {
		TAILQ_REMOVE(&ns->list, n, link);
		cfg_addr_free(&n->addr);
		free(n);
	}
	free(ns);
	*np = NULL;
}

struct name *
names_take(struct names *ns, const struct cfg_addr *a)
{
	struct name *n = calloc(1, sizeof(*n));

	MUST(n != NULL);
	n->addr.port = a->port;
	n->addr.text = strdup(a->text);
	n->addr.host = strdup(a->host);
	TAILQ_INSERT_TAIL(&ns->list, n, link);
	return name_ref(n);
}

struct name *
name_ref(struct name *n)
{
	n->refs++;
	return n;
}

void
name_unref(struct name **np)
{
	if (*np != NULL)
		(*np)->refs--;
	*np = NULL;
}

int
name_await(struct name *n UNUSED, uint64_t by_us UNUSED)
{
	return E_NOENT;
}

void
name_ask_by(struct name *n UNUSED, uint64_t due_us UNUSED)
{
}

void
names_ask_all(struct names *ns UNUSED)
{
}

void
names_tick(struct names *ns UNUSED, uint64_t interval_us UNUSED)
{
}

/* ---- life ---- */

/* What was freed is watched for a while, and not for megabytes of states. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=1:allocator_release_to_os_interval_ms=-1";
}

/* Who we are is the same in each input. */
void __wrap_random_bytes(void *out, size_t len);

void
__wrap_random_bytes(void *out, size_t len)
{
	memset(out, 0x11, len);
}

struct loop *
sham_begin(void)
{
	if (loop == NULL) {
		thread_become(ROLE_CONTROL, "control");
		MUST(log_open("/dev/null") == E_OK);
		log_set_level(LOG_ERROR);
		MUST(loop_new(&loop) == E_OK);
	}
	mono_us = MONO_US;
	clock_fake(mono_us, WALL_US + mono_us);
	up = true;
	fails = false;
	buf_free(&file);
	return loop;
}
