/*
 * loop - one event loop per thread: descriptors, deadlines, deferred work.
 * The only door to libevent (besides evhttp in admin/server).
 *
 * A turn is one wait for descriptors and the callbacks it leads to.  What a
 * callback wants freed, and what must run after all callbacks of a turn, is
 * deferred to the turn's end.
 *
 * Thread: the loop's own, but loop_wake() and loop_stop() from any.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"

struct loop;

int loop_new(struct loop **out) MUST_CHECK;
void loop_free(struct loop **);
void loop_run(struct loop *);  /* until loop_stop() */
void loop_stop(struct loop *); /* any thread */
void loop_wake(struct loop *); /* any thread: makes it take a turn */
/* Monotonic time, read once a turn. */
uint64_t loop_now_us(struct loop *);
/* libevent's base, for evhttp and adapters only. */
struct event_base *loop_base(struct loop *);
/* Number of the present turn, from 1. */
uint64_t loop_turn(const struct loop *);

/* Called at the end of every turn, before deferred work. */
typedef void loop_turn_fn(void *arg);
void loop_on_turn(struct loop *, loop_turn_fn *, void *arg);

/* ---- descriptors: registered once, edge-triggered, both directions ---- */
enum { WATCH_READ = 1, WATCH_WRITE = 2, WATCH_CLOSED = 4 };

struct watch;
typedef void watch_fn(struct watch *, unsigned what);

struct watch {
	struct event ev;
	watch_fn *fn;
};

int watch_add(struct watch *, struct loop *, int fd, watch_fn *) MUST_CHECK;
/* Level-triggered, read only: listening sockets, event descriptors. */
int watch_add_level(struct watch *, struct loop *, int fd,
    watch_fn *) MUST_CHECK;
void watch_del(struct watch *);

/* ---- deadlines: coarse, one compare when looked at ---- */
#define DEADLINE_TICK_US 50000 /* fires up to one tick late, never early */

struct deadline;
typedef void deadline_fn(struct deadline *);

struct deadline {
	LIST_ENTRY(deadline) link;
	uint64_t due_us;  /* monotonic; may be moved later without a call */
	uint64_t slot_us; /* the wheel's own */
	deadline_fn *fn;
	bool armed;
};

/*
 * Arms or moves.  Moving later costs one store; moving earlier than the slot
 * it waits in re-inserts it.
 */
void deadline_set(struct loop *, struct deadline *, uint64_t due_us);
void deadline_clear(struct loop *, struct deadline *);

/*
 * ---- alarms: for the control thread; within a tick (4 ms) of the system's
 * coarse clock, and perhaps so much early: look at the clock if it matters ----
 */
struct alarm;
typedef void alarm_fn(void *arg);
struct alarm *alarm_new(struct loop *, alarm_fn *, void *arg) MUST_CHECK;
void alarm_set(struct alarm *, uint64_t in_us); /* re-arms */
void alarm_clear(struct alarm *);
void alarm_free(struct alarm **);

/* ---- deferred work ---- */
struct defer;
typedef void defer_fn(struct defer *);
struct defer {
	STAILQ_ENTRY(defer) link;
	defer_fn *fn;
	bool queued;
};
/* Runs fn once after this turn; asking twice is asking once. */
void loop_defer(struct loop *, struct defer *, defer_fn *);
/* Runs it now: between turns, before things it refers to are freed. */
void loop_run_deferred(struct loop *);

/*
 * ---- the next turn: whoever has much to do does a part of it, lets the
 * others have their events, and goes on ----
 */
struct later;
typedef void later_fn(struct later *);
struct later {
	LIST_ENTRY(later) link;
	later_fn *fn;
	bool queued;
};
/* Runs fn once in the next turn, behind its events; twice is once. */
void loop_later(struct loop *, struct later *, later_fn *);
void later_cancel(struct later *);

#endif
