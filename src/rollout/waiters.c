#include "rollout/waiters.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/loop.h"
#include "rollout/facts.h"
#include "rollout/steps.h"

struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct waiters *all;
	uint64_t id, began_us;
	struct ro_command cmd; /* with the service's name filled in */
	bool wait;
	uint64_t rollout;    /* its number, once begun */
	bool begun;          /* it is so; else it waits for the disk */
	struct alarm *limit; /* NULL: none */
	uint64_t generation;
	drive_done_fn *done;
	drive_progress_fn *progress; /* NULL: not asked for */
	uint64_t told_us;
	uint64_t told_look; /* the look in which it was told */
	/* of the pools it waits for, since it waits, and those before */
	uint64_t streams[STREAM_END_COUNT], streams_before[STREAM_END_COUNT];
	bool streams_noted;
	void *arg;
};

struct waiters {
	struct loop *loop;
	TAILQ_HEAD(, waiter) list;
	uint64_t last_id;
	uint64_t looks;
};

struct waiters *
waiters_new(struct loop *loop)
{
	struct waiters *ws = calloc(1, sizeof(*ws));

	if (ws == NULL)
		return NULL;
	ws->loop = loop;
	TAILQ_INIT(&ws->list);
	return ws;
}

static void
waiter_free(struct waiters *ws, struct waiter *w)
{
	TAILQ_REMOVE(&ws->list, w, link);
	assert(TAILQ_FIRST(&ws->list) != w);
	alarm_free(&w->limit);
	free(w);
}

static void
answer(struct waiters *ws, struct waiter *w, enum ro_refusal r, bool timed_out,
    const char *sentence)
{
	struct drive_result result = { .refusal = r,
		.timed_out = timed_out,
		.generation = w->generation,
		.took_us = clock_mono_us() - w->began_us,
		.sentence = sentence };
	drive_done_fn *done = w->done;
	void *arg = w->arg;

	waiter_free(ws, w);
	done(&result, arg);
}

void
waiters_free(struct waiters **wsp)
{
	struct waiters *ws = *wsp;

	if (ws == NULL)
		return;
	while (!TAILQ_EMPTY(&ws->list))
		answer(ws, TAILQ_FIRST(&ws->list), RO_NO_STOPPING, false,
		    "segued is stopping; what was begun goes on after the "
		    "next start");
	free(ws);
	*wsp = NULL;
}

static void
on_limit(void *arg)
{
	struct waiter *w = arg;

	answer(w->all, w, RO_NO_NONE, true,
	    !w->begun     ? "not on disk yet; it is done when it is there, and "
	                    "refused when it cannot be written"
	        : w->wait ? "not done in time; it goes on by itself"
	                  : "on disk, but a worker has not taken it over yet");
}

static struct waiter *
waiter_new(struct waiters *ws, uint64_t limit_us)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (w == NULL || limit_us == 0)
		return w;
	w->limit = alarm_new(ws->loop, on_limit, w);
	if (w->limit == NULL) {
		free(w);
		return NULL;
	}
	alarm_set(w->limit, limit_us);
	return w;
}

uint64_t
waiters_add(struct waiters *ws, const struct ro_state *s,
    const struct ro_command *c, bool wait, uint64_t wait_us,
    drive_done_fn *done, void *arg)
{
	struct waiter *w = waiter_new(ws,
	    wait ? wait_us : WAITERS_ADOPT_LIMIT_US);

	if (w == NULL)
		return 0;
	w->all = ws;
	w->id = ++ws->last_id;
	w->began_us = clock_mono_us();
	w->cmd = *c;
	str_copy(str_of(facts_service_of(s, c)), w->cmd.service,
	    sizeof(w->cmd.service));
	w->wait = wait;
	w->generation = s->generation;
	w->done = done;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&ws->list, w, link);
	return w->id;
}

static struct waiter *
find(struct waiters *ws, uint64_t id)
{
	struct waiter *w;

	TAILQ_FOREACH (w, &ws->list, link)
		if (w->id == id)
			return w;
	return NULL;
}

void
waiters_begun(struct waiters *ws, uint64_t id, struct ro_state *s)
{
	struct waiter *w = find(ws, id);
	const struct ro_service *svc;

	if (w == NULL)
		return;
	svc = ro_service_find(s, w->cmd.service);
	w->rollout = svc == NULL ? 0 : svc->rollout.id;
	w->begun = true;
	w->generation = s->generation;
}

void
waiters_refuse(struct waiters *ws, uint64_t id, const struct ro_state *s,
    enum ro_refusal r, const char *why)
{
	struct waiter *w = find(ws, id);

	if (w == NULL)
		return;
	w->generation = s->generation;
	answer(ws, w, r, false, why);
}

bool
waiters_has(struct waiters *ws, uint64_t id)
{
	return find(ws, id) != NULL;
}

void
waiters_forget(struct waiters *ws, uint64_t id)
{
	struct waiter *w = find(ws, id);

	if (w != NULL)
		waiter_free(ws, w);
}

void
waiters_on_progress(struct waiters *ws, uint64_t id, drive_progress_fn *fn)
{
	struct waiter *w = find(ws, id);

	if (w != NULL)
		w->progress = fn;
}

/* ---- the end of what a command began ---- */

enum ending { GOES_ON, ENDED, OUTRUN, TAKEN_BACK, HALTED };

static bool
any_draining(const struct ro_service *s)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (s->pools[i].state == POOL_DRAINING)
			return true;
	return false;
}

static enum ending
switch_ending(const struct waiter *w, const struct ro_service *s,
    const struct ro_pool *p)
{
	if (strcmp(s->pending.pool, p->name) == 0)
		return GOES_ON;
	if (p->share_bp != CFG_SHARE_ALL)
		return OUTRUN;
	return w->cmd.drain && any_draining(s) ? GOES_ON : ENDED;
}

/* Who waits, waits for that one, however it is told meanwhile. */
static enum ending
rollout_ending(const struct waiter *w, const struct ro_service *s)
{
	const struct ro_rollout *r = &s->rollout;

	if (r->id != w->rollout)
		return OUTRUN;
	switch ((enum ro_stand)r->stand) {
	case RO_STAND_RUNNING:
		return GOES_ON;
	case RO_STAND_PAUSED:
		return w->cmd.action == RO_ACTION_PAUSE ? ENDED : HALTED;
	case RO_STAND_ABORTED:
		return w->cmd.action == RO_ACTION_ABORT ? ENDED
		    : r->rehearsal && r->failed         ? HALTED
		                                        : OUTRUN;
	case RO_STAND_ROLLED_BACK:
		return w->cmd.action == RO_ACTION_ROLLBACK ? ENDED : TAKEN_BACK;
	default:
		return ENDED;
	}
}

/* Until nothing of what is held is on its way any more. */
static enum ending
hold_ending(const struct waiters_news *news, const struct ro_service *svc)
{
	if (svc->hold == HOLD_NONE)
		return OUTRUN;
	return machine_held_left(news->state, svc, drive_facts(news->drive)) > 0
	    ? GOES_ON
	    : ENDED;
}

static enum ending
ending_of(const struct waiter *w, const struct waiters_news *news)
{
	struct ro_state *s = news->state;
	struct ro_service *svc = ro_service_find(s, w->cmd.service);
	struct ro_pool *p = svc == NULL ? NULL : ro_pool_find(svc, w->cmd.pool);

	if (!w->begun)
		return GOES_ON;
	if (!w->wait)
		return ENDED;
	if (svc != NULL && w->cmd.verb == RO_ROLLOUT)
		return rollout_ending(w, svc);
	if (w->cmd.verb == RO_RELEASE)
		return ENDED;
	if (svc != NULL && w->cmd.verb == RO_HOLD)
		return hold_ending(news, svc);
	if (p == NULL)
		return OUTRUN; /* reloaded away */
	if (w->cmd.verb == RO_SWITCH)
		return switch_ending(w, svc, p);
	if (w->cmd.verb == RO_DRAIN)
		return p->state == POOL_DRAINING ? GOES_ON
		    : p->state == POOL_DRAINED   ? ENDED
		                                 : OUTRUN;
	return ENDED;
}

/* "; v0 and v1 are drained and may be stopped": those in that state. */
static void
add_pools(struct buf *b, const struct ro_service *s, enum pool_state state,
    const char *one, const char *many)
{
	size_t n = 0, left;

	for (size_t i = 0; i < s->n_pools; i++)
		n += s->pools[i].state == state;
	left = n;
	for (size_t i = 0; i < s->n_pools; i++) {
		if (s->pools[i].state != state)
			continue;
		buf_printf(b, "%s%s",
		    left == n       ? "; "
		        : left == 1 ? " and "
		                    : ", ",
		    s->pools[i].name);
		left--;
	}
	if (n > 0)
		buf_printf(b, " %s", n == 1 ? one : many);
}

/* How the streams ended that were waited for; nothing if there were none. */
static void
add_streams(struct buf *b, const struct waiter *w)
{
	buf_printf(b,
	    "; of the streams there %llu ended by themselves, %llu were closed "
	    "and "
	    "%llu cut",
	    (unsigned long long)w->streams[STREAM_ENDED],
	    (unsigned long long)w->streams[STREAM_CLOSED],
	    (unsigned long long)w->streams[STREAM_CUT]);
}

static bool
had_streams(const struct waiter *w)
{
	uint64_t n = 0;

	for (size_t i = 0; i < STREAM_END_COUNT; i++)
		n += w->streams[i];
	return n > 0;
}

static void
describe_rollout(const struct waiter *w, const struct ro_service *s,
    struct buf *b)
{
	if (!w->wait)
		return; /* it goes on */
	buf_printf(b, "the rollout of %s to %s: ", s->name, s->rollout.to);
	steps_where(&s->rollout, b);
	if (s->rollout.stand == RO_STAND_DONE && !s->rollout.rehearsal)
		add_pools(b, s, POOL_DRAINED, "is drained and may be stopped",
		    "are drained and may be stopped");
}

/* Of a switch with a drain: whoever asked may not know which pools served. */
static void
describe_end(const struct waiter *w, struct ro_state *state, struct buf *b)
{
	const struct ro_service *s = ro_service_find(state, w->cmd.service);

	if (s == NULL)
		return;
	if (w->cmd.verb == RO_ROLLOUT) {
		describe_rollout(w, s, b);
		return;
	}
	if (w->cmd.verb == RO_DRAIN && had_streams(w)) {
		buf_printf(b, "%s is drained and may be stopped", w->cmd.pool);
		add_streams(b, w);
	}
	if (w->cmd.verb != RO_SWITCH || !w->cmd.drain ||
	    s->pending.pool[0] != '\0')
		return;
	buf_printf(b, "%s serves all new sessions", w->cmd.pool);
	add_pools(b, s, POOL_DRAINING, "drains", "drain");
	add_pools(b, s, POOL_DRAINED, "is drained and may be stopped",
	    "are drained and may be stopped");
	if (had_streams(w))
		add_streams(b, w);
}

static const enum ro_refusal refusal_of[] = {
	[ENDED] = RO_NO_NONE,
	[OUTRUN] = RO_NO_SUPERSEDED,
	[TAKEN_BACK] = RO_NO_ROLLED_BACK,
	[HALTED] = RO_NO_HALTED,
};

static void
answer_end(struct waiters *ws, struct waiter *w, struct ro_state *s,
    enum ending e)
{
	struct buf b = BUF_INIT;

	if (e == OUTRUN)
		buf_add_cstr(&b, ro_refusal_text(RO_NO_SUPERSEDED));
	else
		describe_end(w, s, &b);
	answer(ws, w, refusal_of[e], false, b.p == NULL || b.failed ? "" : b.p);
	buf_free(&b);
}

static bool
answer_one(struct waiters *ws, const struct waiters_news *news)
{
	struct ro_state *s = news->state;
	struct waiter *w;

	TAILQ_FOREACH (w, &ws->list, link) {
		/* tidy does not follow tqe_prev: whom we free is off the list */
		enum ending e = ending_of(w, news); /* NOLINT(*Malloc) */

		if (e == GOES_ON)
			continue;
		w->generation = s->generation;
		answer_end(ws, w, s, e);
		return true;
	}
	return false;
}

/* ---- how it stands ---- */

static void
sum_up(struct drive *d, const struct ro_service *s, const struct waiter *w,
    struct drive_progress *out)
{
	const struct ro_facts *facts = drive_facts(d);
	size_t at = (size_t)(s - drive_state(d)->services);

	for (size_t i = 0; i < s->n_pools; i++) {
		const struct ro_facts_pool *f = ro_facts_of(facts, at, i);

		if (s->pools[i].state != POOL_DRAINING ||
		    (w->cmd.verb == RO_DRAIN &&
		        strcmp(s->pools[i].name, w->cmd.pool) != 0))
			continue;
		out->inflight += f->inflight;
		out->streams += f->streams;
		out->sessions += f->sessions;
	}
}

static void
describe_step(struct drive *d, const struct ro_service *s, char *out,
    size_t cap)
{
	struct buf b = BUF_INIT;
	char holds[MACHINE_HOLDS_MAX];

	machine_rollout_holds(drive_state(d),
	    (size_t)(s - drive_state(d)->services), drive_facts(d), holds);
	steps_where(&s->rollout, &b);
	buf_printf(&b, "%s%s", holds[0] == '\0' ? "" : "; ", holds);
	str_copy(buf_str(&b), out, cap);
	buf_free(&b);
}

/* Of a switch the first pool that holds it; of a drain its own. */
static void
describe(struct drive *d, const struct ro_service *s, const struct waiter *w,
    char *out, size_t cap)
{
	out[0] = '\0';
	if (w->cmd.verb == RO_ROLLOUT)
		describe_step(d, s, out, cap);
	for (size_t i = 0; i < s->n_pools && out[0] == '\0'; i++)
		if (w->cmd.verb == RO_SWITCH ||
		    strcmp(s->pools[i].name, w->cmd.pool) == 0)
			drive_holds(d, s, &s->pools[i], out, cap);
}

static void
tell_progress(struct waiter *w, const struct waiters_news *news, uint64_t now)
{
	const struct ro_service *s = ro_service_find(news->state,
	    w->cmd.service);
	struct drive_progress p = { .lasts_us = now - w->began_us };
	char holds[DRIVE_HOLDS_MAX];

	if (s == NULL)
		return;
	if (w->begun) {
		sum_up(news->drive, s, w, &p);
		describe(news->drive, s, w, holds, sizeof(holds));
	} else {
		drive_disk_holds(news->drive, holds, sizeof(holds));
	}
	p.holds = holds;
	w->told_us = now;
	w->progress(&p, w->arg);
}

/* The next one not told in this look; the list may change between two. */
static struct waiter *
next_untold(struct waiters *ws, uint64_t now)
{
	struct waiter *w;

	TAILQ_FOREACH (w, &ws->list, link) {
		if (w->told_look == ws->looks || w->progress == NULL)
			continue;
		w->told_look = ws->looks;
		if (!w->begun && now - w->began_us < WAITERS_PROGRESS_US)
			continue; /* a disk may take its time */
		if (w->told_us == 0 || now - w->told_us >= WAITERS_PROGRESS_US)
			return w;
	}
	return NULL;
}

/* Is it one of the pools whose drain is waited for? */
static bool
waits_for(const struct waiter *w, const struct ro_pool *p)
{
	bool named = strcmp(p->name, w->cmd.pool) == 0;

	return w->cmd.verb == RO_DRAIN ? named : !named;
}

/* Streams that ended since the drain began. */
static void
note_streams(struct waiter *w, const struct waiters_news *news)
{
	const struct ro_service *s = ro_service_find(news->state,
	    w->cmd.service);
	uint64_t sum[STREAM_END_COUNT] = { 0 };
	size_t at;

	if (s == NULL)
		return;
	at = (size_t)(s - news->state->services);
	for (size_t p = 0; p < s->n_pools; p++)
		for (size_t i = 0; i < STREAM_END_COUNT; i++)
			sum[i] += waits_for(w, &s->pools[p])
			    ? ro_facts_of(drive_facts(news->drive), at, p)
			          ->streams_ended[i]
			    : 0;
	if (!w->streams_noted)
		memcpy(w->streams_before, sum, sizeof(sum));
	w->streams_noted = true;
	for (size_t i = 0; i < STREAM_END_COUNT; i++)
		w->streams[i] = sum[i] - w->streams_before[i];
}

void
waiters_look(struct waiters *ws, const struct waiters_news *news)
{
	uint64_t now = clock_mono_us();
	struct waiter *w;

	TAILQ_FOREACH (w, &ws->list, link)
		if (w->begun && w->wait)
			note_streams(w, news);
	while (news->adopted && answer_one(ws, news))
		;
	ws->looks++;
	while ((w = next_untold(ws, now)) != NULL)
		tell_progress(w, news, now);
}
