#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#define WHEEL_SLOTS 32 /* power of two */
/*
 * In ticks: every deadline is looked at once a second, so that moving one
 * nearly never moves it here.
 */
#define WHEEL_AHEAD 20

LIST_HEAD(deadline_list, deadline);
LIST_HEAD(later_list, later);
STAILQ_HEAD(defer_list, defer);

struct loop {
	struct event_base *base;
	int wake_fd;
	struct event wake_ev;
	_Atomic bool stop;
	bool now_valid;
	uint64_t now_us;
	uint64_t turn;
	loop_turn_fn *turn_fn;
	void *turn_arg;
	struct defer_list defers;
	struct later_list laters; /* for the next turn */
	/* the wheel */
	struct deadline_list slots[WHEEL_SLOTS];
	uint64_t wheel_tick; /* all ticks up to this one have been looked at */
	size_t wheel_count;
	struct event wheel_ev;
	bool wheel_armed;
};

struct alarm {
	struct event ev;
	struct loop *loop; /* borrowed */
	alarm_fn *fn;
	void *arg;
};

static void
on_wake(evutil_socket_t fd, short what UNUSED, void *arg UNUSED)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) == -1)
		return; /* another wake has read it */
}

static void
wheel_insert(struct loop *l, struct deadline *d)
{
	uint64_t tick = d->due_us / DEADLINE_TICK_US +
	    (d->due_us % DEADLINE_TICK_US != 0);

	if (tick <= l->wheel_tick)
		tick = l->wheel_tick + 1;
	if (tick > l->wheel_tick + WHEEL_AHEAD)
		tick = l->wheel_tick + WHEEL_AHEAD;
	d->slot_us = tick * DEADLINE_TICK_US;
	LIST_INSERT_HEAD(&l->slots[tick % WHEEL_SLOTS], d, link);
}

/* For the next tick's border: a period from now would add up to a tick. */
static void
wheel_arm(struct loop *l)
{
	struct timeval tv = { 0, 0 };

	if (l->wheel_armed || l->wheel_count == 0)
		return;
	tv.tv_usec = (suseconds_t)(DEADLINE_TICK_US -
	    clock_mono_us() % DEADLINE_TICK_US);
	evtimer_add(&l->wheel_ev, &tv);
	l->wheel_armed = true;
}

/* Looks at every entry of one slot: fires what is due, moves the rest on. */
static void
wheel_turn_slot(struct loop *l, uint64_t tick, uint64_t now)
{
	struct deadline_list *slot = &l->slots[tick % WHEEL_SLOTS], due;
	struct deadline *d = LIST_FIRST(slot);

	due.lh_first = d;
	if (d != NULL)
		d->link.le_prev = &due.lh_first;
	LIST_INIT(slot);
	while ((d = LIST_FIRST(&due)) != NULL) {
		LIST_REMOVE(d, link);
		if (d->due_us > now) {
			wheel_insert(l, d);
			continue;
		}
		d->armed = false;
		l->wheel_count--;
		d->fn(d);
	}
}

static void
on_wheel(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct loop *l = arg;
	uint64_t now = loop_now_us(l), to = now / DEADLINE_TICK_US;

	l->wheel_armed = false;
	if (to > l->wheel_tick + WHEEL_SLOTS)
		l->wheel_tick = to - WHEEL_SLOTS;
	while (l->wheel_tick < to) {
		l->wheel_tick++;
		wheel_turn_slot(l, l->wheel_tick, now);
	}
	wheel_arm(l);
}

void
deadline_set(struct loop *l, struct deadline *d, uint64_t due_us)
{
	d->due_us = due_us;
	if (d->armed) {
		if (due_us >= d->slot_us)
			return;
		LIST_REMOVE(d, link);
	} else {
		if (l->wheel_count++ == 0)
			l->wheel_tick = loop_now_us(l) / DEADLINE_TICK_US;
		d->armed = true;
	}
	wheel_insert(l, d);
	wheel_arm(l);
}

void
deadline_clear(struct loop *l, struct deadline *d)
{
	if (!d->armed)
		return;
	LIST_REMOVE(d, link);
	d->armed = false;
	l->wheel_count--;
}

static void
on_libevent_log(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_warn("event=libevent text=\"%s\"", text);
}

int
loop_new(struct loop **out)
{
	struct event_config *cfg;
	struct loop *l;

	*out = NULL;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return E_NOMEM;
	STAILQ_INIT(&l->defers);
	LIST_INIT(&l->laters);
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		LIST_INIT(&l->slots[i]);
	event_set_log_callback(on_libevent_log);
	cfg = event_config_new();
	if (cfg == NULL)
		goto fail_mem;
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	event_config_require_features(cfg, EV_FEATURE_ET | EV_FEATURE_O1);
	l->base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (l->base == NULL)
		goto fail_mem;
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->wake_fd == -1)
		goto fail_base;
	event_assign(&l->wake_ev, l->base, l->wake_fd, EV_READ | EV_PERSIST,
	    on_wake, l);
	evtimer_assign(&l->wheel_ev, l->base, on_wheel, l);
	if (event_add(&l->wake_ev, NULL) == -1)
		goto fail_fd;
	l->wheel_tick = clock_mono_us() / DEADLINE_TICK_US;
	*out = l;
	return E_OK;
fail_fd:
	close(l->wake_fd);
fail_base:
	event_base_free(l->base);
fail_mem:
	free(l);
	return E_NOMEM;
}

void
loop_run_deferred(struct loop *l)
{
	struct defer *d;

	while ((d = STAILQ_FIRST(&l->defers)) != NULL) {
		STAILQ_REMOVE_HEAD(&l->defers, link);
		d->queued = false;
		d->fn(d);
	}
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	if (l == NULL)
		return;
	loop_run_deferred(l);
	event_del(&l->wake_ev);
	event_del(&l->wheel_ev);
	event_base_free(l->base);
	close(l->wake_fd);
	free(l);
	*lp = NULL;
}

/* Events, then what the last turn left; what is left now waits. */
static void
take_turn(struct loop *l)
{
	struct later_list now;
	struct later *t = LIST_FIRST(&l->laters);

	now.lh_first = t;
	if (t != NULL)
		t->link.le_prev = &now.lh_first;
	LIST_INIT(&l->laters);
	event_base_loop(l->base,
	    t == NULL ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
	while ((t = LIST_FIRST(&now)) != NULL) {
		later_cancel(t);
		t->fn(t);
	}
}

void
loop_run(struct loop *l)
{
	l->now_valid = false; /* it may have been asked for long ago */
	while (!atomic_load_explicit(&l->stop, memory_order_acquire)) {
		take_turn(l);
		if (l->turn_fn != NULL)
			l->turn_fn(l->turn_arg);
		loop_run_deferred(l);
		l->now_valid = false;
		l->turn++;
	}
	atomic_store(&l->stop, false);
}

void
loop_stop(struct loop *l)
{
	atomic_store_explicit(&l->stop, true, memory_order_release);
	loop_wake(l);
}

void
loop_wake(struct loop *l)
{
	uint64_t one = 1;

	if (write(l->wake_fd, &one, sizeof(one)) == -1)
		return; /* full: it is about to wake anyway */
}

uint64_t
loop_now_us(struct loop *l)
{
	if (!l->now_valid) {
		l->now_us = clock_mono_us();
		l->now_valid = true;
	}
	return l->now_us;
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

uint64_t
loop_turn(const struct loop *l)
{
	return l->turn + 1;
}

void
loop_on_turn(struct loop *l, loop_turn_fn *fn, void *arg)
{
	l->turn_fn = fn;
	l->turn_arg = arg;
}

static void
on_watch(evutil_socket_t fd UNUSED, short what, void *arg)
{
	struct watch *w = arg;

	w->fn(w,
	    (what & EV_READ ? WATCH_READ : 0u) |
	        (what & EV_WRITE ? WATCH_WRITE : 0u) |
	        (what & EV_CLOSED ? WATCH_CLOSED : 0u));
}

static int
watch_register(struct watch *w, struct loop *l, int fd, short events,
    watch_fn *fn)
{
	w->fn = fn;
	event_assign(&w->ev, l->base, fd, events, on_watch, w);
	return event_add(&w->ev, NULL) == -1 ? err_sys() : E_OK;
}

int
watch_add(struct watch *w, struct loop *l, int fd, watch_fn *fn)
{
	return watch_register(w, l, fd,
	    EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, fn);
}

int
watch_add_level(struct watch *w, struct loop *l, int fd, watch_fn *fn)
{
	return watch_register(w, l, fd, EV_READ | EV_PERSIST, fn);
}

void
watch_del(struct watch *w)
{
	event_del(&w->ev);
}

static void
on_alarm(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct alarm *a = arg;

	a->fn(a->arg);
}

struct alarm *
alarm_new(struct loop *l, alarm_fn *fn, void *arg)
{
	struct alarm *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->loop = l;
	a->fn = fn;
	a->arg = arg;
	evtimer_assign(&a->ev, l->base, on_alarm, a);
	return a;
}

void
alarm_set(struct alarm *a, uint64_t in_us)
{
	struct timeval tv = { .tv_sec = (time_t)(in_us / US_PER_S),
		.tv_usec = (suseconds_t)(in_us % US_PER_S) };

	evtimer_add(&a->ev, &tv);
}

void
alarm_clear(struct alarm *a)
{
	evtimer_del(&a->ev);
}

void
alarm_free(struct alarm **ap)
{
	if (*ap == NULL)
		return;
	evtimer_del(&(*ap)->ev);
	free(*ap);
	*ap = NULL;
}

void
loop_defer(struct loop *l, struct defer *d, defer_fn *fn)
{
	if (d->queued)
		return;
	d->fn = fn;
	d->queued = true;
	STAILQ_INSERT_TAIL(&l->defers, d, link);
}

void
loop_later(struct loop *l, struct later *t, later_fn *fn)
{
	if (t->queued)
		return;
	t->fn = fn;
	t->queued = true;
	LIST_INSERT_HEAD(&l->laters, t, link);
}

void
later_cancel(struct later *t)
{
	if (t->queued)
		LIST_REMOVE(t, link);
	t->queued = false;
}
