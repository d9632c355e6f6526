#include "rig.h"

#include <criterion/criterion.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/scratch.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/thread.h"
#include "net/loop.h"
#include "upstream/board.h"
#include "upstream/registry.h"

#define LIMIT_US (UINT64_C(20) * 1000000) /* of any wait; nothing is near */

/* ---- names: those in .invalid do not resolve, without asking anybody ---- */

int __real_getaddrinfo(const char *, const char *, const struct addrinfo *,
    struct addrinfo **);
int __wrap_getaddrinfo(const char *, const char *, const struct addrinfo *,
    struct addrinfo **);

int
__wrap_getaddrinfo(const char *host, const char *port,
    const struct addrinfo *hints, struct addrinfo **out)
{
	if (str_ends(str_of(host), STR(".invalid")))
		return EAI_NONAME;
	return __real_getaddrinfo(host, port, hints, out);
}

/* ---- sockets ---- */

static int
open_socket(uint16_t *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	cr_assert_neq(fd, -1);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
	    0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	cr_assert_eq(listen(fd, 4096), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

void
rig_listen(struct rig *r, size_t n, bool yes)
{
	if (yes == (r->fds[n] != -1))
		return;
	if (yes) {
		r->fds[n] = open_socket(&r->ports[n]);
		return;
	}
	close(r->fds[n]);
	r->fds[n] = -1;
}

/* ---- configuration ---- */

#define POOL_FMT                                                               \
	"{ name: v%d, share: %s, instances: [ { name: i%d, address: "          \
	"\"127.0.0.1:%u\" } ], probe: { type: tcp, interval: 20ms, "           \
	"fast_interval: 10ms, rise: 1, fall: 1, hold: 0 } }"

struct cfg *
rig_configure(const struct rig *r, const char *pools)
{
	struct cfg_problems problems;
	struct buf text = BUF_INIT;
	struct cfg *cfg;
	int rc;

	buf_printf(&text,
	    "state_dir: \"%s\"\nlisteners: \":1\"\nservices:\n  - { name: a, "
	    "sticky: { idle: 1s }, pools: [ ",
	    scratch_path("."));
	if (pools != NULL)
		buf_add_cstr(&text, pools);
	else
		buf_printf(&text, POOL_FMT ", " POOL_FMT, 1, "100%", 1,
		    r->ports[0], 2, "0%", 2, r->ports[1]);
	buf_add_cstr(&text, " ] }\n");
	rc = cfg_parse(buf_str(&text), "rig", &cfg, &problems);
	cr_assert_eq(rc, E_OK, "%s",
	    problems.n > 0 ? problems.list[0].text : "no memory");
	cfg_problems_free(&problems);
	buf_free(&text);
	return cfg;
}

/* ---- life ---- */

void
rig_make(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	thread_become(ROLE_CONTROL, "control");
	log_set_level(LOG_ERROR);
	scratch_begin();
	cr_assert_eq(log_open(scratch_path("log")), E_OK);
	for (size_t i = 0; i < RIG_SOCKETS; i++)
		r->fds[i] = open_socket(&r->ports[i]);
	r->board = board_new();
	cr_assert_not_null(r->board);
	r->cfg = rig_configure(r, NULL);
}

void
rig_free(struct rig *r)
{
	rig_stop(r);
	for (size_t i = 0; i < RIG_SOCKETS; i++)
		rig_listen(r, i, false);
	board_free(&r->board);
	cfg_unref(&r->cfg);
	log_close();
	scratch_end();
}

void
rig_adopt(struct rig *r, unsigned worker)
{
	(void)views_adopt(r->views, worker);
	if (r->drive != NULL)
		drive_poke(r->drive);
}

static void
on_nudge(void *arg)
{
	struct rig *r = arg;

	r->nudges++;
	for (unsigned i = 0; !r->lazy && i < RIG_WORKERS; i++)
		rig_adopt(r, i);
}

struct wish {
	struct rig *rig;
	bool (*so)(void *);
	void *arg;
	bool late;
	unsigned turns_left; /* when so is NULL */
};

static void
on_late(void *arg)
{
	((struct rig *)arg)->wish->late = true;
}

int
rig_start(struct rig *r)
{
	struct drive_env env = { .board = r->board,
		.cfg = r->cfg,
		.nudge = on_nudge,
		.arg = r };
	int rc;

	cr_assert_eq(loop_new(&r->loop), E_OK);
	/* Made now: a test may be about memory that runs out later. */
	r->limit = alarm_new(r->loop, on_late, r);
	cr_assert_not_null(r->limit);
	env.loop = r->loop;
	env.registry = r->registry = registry_new(RIG_WORKERS);
	env.views = r->views = views_new(RIG_WORKERS);
	env.feed = r->feed = feed_new();
	cr_assert(r->registry != NULL && r->views != NULL && r->feed != NULL);
	rc = drive_new(&env, &r->drive, r->why, sizeof(r->why));
	cr_assert_eq(rc == E_OK, r->drive != NULL);
	return rc;
}

void
rig_stop(struct rig *r)
{
	if (r->loop == NULL)
		return;
	drive_free(&r->drive);
	cr_expect_null(r->drive);
	views_free(&r->views);
	registry_free(&r->registry);
	feed_free(&r->feed);
	alarm_free(&r->limit);
	loop_free(&r->loop);
}

void
rig_run(struct rig *r)
{
	cr_assert_eq(rig_start(r), E_OK, "%s", r->why);
	rig_rests(r);
	rig_health(r, true, true);
}

/* ---- waiting ---- */

static void
on_turn(void *arg)
{
	struct wish *w = arg;

	if (w->late || (w->so != NULL ? w->so(w->arg) : w->turns_left-- == 0))
		loop_stop(w->rig->loop);
	else if (w->so == NULL)
		loop_wake(w->rig->loop);
}

static void
turn(struct rig *r, struct wish *w)
{
	r->wish = w;
	alarm_set(r->limit, LIMIT_US);
	loop_on_turn(r->loop, on_turn, w);
	loop_wake(r->loop);
	loop_run(r->loop);
	loop_on_turn(r->loop, NULL, NULL);
	alarm_clear(r->limit);
	r->wish = NULL;
}

void
rig_until(struct rig *r, const char *what, bool (*so)(void *), void *arg)
{
	struct wish w = { .rig = r, .so = so, .arg = arg };

	turn(r, &w);
	cr_assert_not(w.late, "%s did not come", what);
}

void
rig_turns(struct rig *r, unsigned n)
{
	struct wish w = { .rig = r, .turns_left = n };

	turn(r, &w);
}

static bool
has_come(void *arg)
{
	return ((struct rig_answer *)arg)->came;
}

void
rig_answered(struct rig *r, struct rig_answer *a)
{
	rig_until(r, "the answer", has_come, a);
}

struct wanted_health {
	struct rig *rig;
	bool up[2];
};

static bool
health_is(void *arg)
{
	const struct wanted_health *w = arg;

	for (size_t i = 0; i < 2; i++) {
		enum health h = rig_instance(w->rig, i + 1)->health;

		if (h != (w->up[i] ? HEALTH_UP : HEALTH_DOWN))
			return false;
	}
	return true;
}

void
rig_health(struct rig *r, bool i1, bool i2)
{
	struct wanted_health w = { r, { i1, i2 } };

	rig_until(r, "the health", health_is, &w);
	rig_turns(r, 3); /* for the looks that follow from it */
}

/* ---- commands ---- */

struct ro_command
rig_command(enum ro_verb verb, const char *pool)
{
	struct ro_command c = { .verb = verb, .who = "tester" };

	str_copy(str_of(pool), c.pool, sizeof(c.pool));
	c.clocks = (struct ro_drain){ .mode = CFG_DRAIN_EVICT,
		.flows_us = 600 * UINT64_C(1000000),
		.requests_us = 600 * UINT64_C(1000000),
		.streams_us = 600 * UINT64_C(1000000) };
	return c;
}

static void
on_done(const struct drive_result *result, void *arg)
{
	struct rig_answer *a = arg;

	cr_assert_not(a->came, "done is called once");
	a->came = true;
	a->result = *result;
	str_copy(str_of(result->sentence), a->sentence, sizeof(a->sentence));
	a->result.sentence = a->sentence;
	a->on_disk = rig_on_disk();
	loop_wake(a->loop);
}

static void
on_progress(const struct drive_progress *p, void *arg)
{
	struct rig_answer *a = arg;

	cr_assert_not(a->came, "no progress behind the end");
	a->told++;
	a->progress = *p;
	str_copy(str_of(p->holds), a->holds, sizeof(a->holds));
}

uint64_t
rig_ask(struct rig *r, const struct ro_command *c, bool wait, uint64_t wait_us,
    struct rig_answer *a)
{
	uint64_t id;

	memset(a, 0, sizeof(*a));
	a->loop = r->loop;
	id = drive_command(r->drive, c, wait, wait_us, on_done, a);
	cr_assert_eq(id == 0, a->came);
	if (id != 0)
		drive_on_progress(r->drive, id, on_progress);
	return id;
}

static bool
is_on_disk(void *arg)
{
	struct drive_disk disk;

	drive_disk(arg, &disk);
	return disk.pending_us == 0 && disk.waiting == 0;
}

void
rig_written(struct rig *r)
{
	rig_until(r, "the disk", is_on_disk, r->drive);
}

static bool
disk_is_at_rest(void *arg)
{
	struct drive_disk disk;

	drive_disk(arg, &disk);
	return disk.rests;
}

void
rig_rests(struct rig *r)
{
	rig_until(r, "a disk that rests", disk_is_at_rest, r->drive);
}

void
rig_without_slots(struct rig *r)
{
	rig_rests(r);
	cr_assert_eq(unlink(scratch_path(RO_STATE_FILE JOURNAL_SUFFIX)), 0);
}

uint64_t
rig_give(struct rig *r, const struct ro_command *c, bool wait, uint64_t wait_us,
    struct rig_answer *a)
{
	uint64_t id = rig_ask(r, c, wait, wait_us, a);

	if (id != 0)
		rig_written(r);
	return id;
}

enum ro_refusal
rig_do(struct rig *r, const struct ro_command *c, struct rig_answer *a)
{
	(void)rig_give(r, c, false, 0, a);
	rig_answered(r, a);
	cr_expect_not(a->result.timed_out, "%s", a->sentence);
	return a->result.refusal;
}

/* ---- looking ---- */

const struct ro_pool *
rig_pool(struct rig *r, const char *name)
{
	const struct ro_service *s = &drive_state(r->drive)->services[0];

	for (size_t i = 0; i < s->n_pools; i++)
		if (strcmp(s->pools[i].name, name) == 0)
			return &s->pools[i];
	cr_assert_fail("there is no pool %s", name);
	abort();
}

struct instance *
rig_instance(struct rig *r, size_t n)
{
	const char *pools[] = { "v1", "v2" }, *names[] = { "i1", "i2" };
	struct instance *i = registry_instance(r->registry, "a", pools[n - 1],
	    names[n - 1]);

	cr_assert_not_null(i);
	return i;
}

void
rig_see(struct rig *r, size_t n, uint64_t session)
{
	const struct pool *p = rig_instance(r, n)->pool;
	struct session s = { .id = session,
		.pool = p->name_hash,
		.ends_s = UINT32_MAX,
		.epoch = UINT32_MAX };

	sessions_see(&p->service->sessions, &s, clock_mono_us(), UINT64_MAX);
}

uint64_t
rig_on_disk(void)
{
	struct ro_state s;
	struct buf text = BUF_INIT;
	uint64_t generation;
	char why[1024];

	/* Not ro_state_load(): that removes what is being written. */
	cr_assert_eq(ro_state_new(&s), E_OK);
	cr_assert_eq(journal_read(scratch_path(RO_STATE_FILE),
	                 RO_STATE_BYTES_MAX, &text),
	    E_OK);
	cr_assert_eq(ro_state_read(buf_str(&text), &s, why, sizeof(why)), E_OK,
	    "%s", why);
	generation = s.generation;
	ro_state_free(&s);
	buf_free(&text);
	return generation;
}

const char *
rig_event(struct rig *r, enum feed_type type)
{
	const struct feed_event *e = NULL, *last = NULL;

	while ((e = feed_after(r->feed, e == NULL ? 0 : e->id)) != NULL)
		if (e->type == type)
			last = e;
	return last == NULL ? "" : last->text;
}
