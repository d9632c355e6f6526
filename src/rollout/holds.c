/*
 * What still holds a drain or a switch, in words.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/units.h"
#include "rollout/drive.h"

static void
add_left(struct buf *b, const char *what, uint64_t since_us, uint64_t limit_us)
{
	uint64_t now = clock_wall_us(), at = since_us + limit_us;
	char left[UNITS_MAX];

	units_duration_round(at > now ? at - now : 0, left);
	buf_printf(b, "%s in %s", what, left);
}

static void
add_count(struct buf *b, uint64_t n, const char *one)
{
	buf_printf(b, "%llu %s%s", (unsigned long long)n, one,
	    n == 1 ? "" : "s");
}

/* Pins still lead there. */
static void
describe_open(struct buf *b, const struct ro_drain *d,
    const struct ro_facts_pool *f)
{
	if (f->sessions == 0 && f->sessions_unknown != NULL) {
		buf_add_cstr(b, f->sessions_unknown);
		add_left(b, " may still come; the grace ends", d->began_us,
		    d->flows_us);
		return;
	}
	add_count(b, f->sessions, "session");
	if (d->mode == CFG_DRAIN_MOVE)
		add_left(b,
		    " seen lately; who comes back moves at a safe point; the "
		    "grace ends",
		    d->began_us, d->flows_us);
	else
		add_left(b,
		    f->sessions == 1 ? " keeps its pin; the grace ends"
		                     : " keep their pins; the grace ends",
		    d->began_us, d->flows_us);
}

static void
describe_closed(struct buf *b, const struct ro_drain *d,
    const struct ro_facts_pool *f)
{
	if (f->inflight > 0) {
		add_count(b, f->inflight, "request");
		add_left(b, " in flight, cut", d->closed_us, d->requests_us);
	}
	if (f->inflight > 0 && f->streams > 0)
		buf_add_cstr(b, "; ");
	if (f->streams > 0) {
		add_count(b, f->streams, "stream");
		add_left(b, " open, cut", d->began_us, d->streams_us);
	}
}

static void
describe_drain(struct buf *b, const struct ro_drain *d,
    const struct ro_facts_pool *f)
{
	if (!f->view_current)
		buf_add_cstr(b, "a worker has not taken the change over yet");
	else if (d->closed_us == 0)
		describe_open(b, d, f);
	else
		describe_closed(b, d, f);
}

/* Of a pool that a switch waits for. */
static void
describe_pending(struct buf *b, const char *pool, const struct ro_facts_pool *f)
{
	if (f->ready)
		buf_printf(b, "%s is ready: the switch follows", pool);
	else
		buf_printf(b, "%s is not ready: %s", pool, f->unready);
}

void
drive_holds(struct drive *d, const struct ro_service *s,
    const struct ro_pool *p, char *out, size_t cap)
{
	const struct ro_facts_pool *f;
	struct buf b = BUF_INIT;

	out[0] = '\0';
	if (p->state != POOL_DRAINING && strcmp(s->pending.pool, p->name) != 0)
		return;
	f = ro_facts_of(drive_facts(d), (size_t)(s - drive_state(d)->services),
	    (size_t)(p - s->pools));
	if (p->state == POOL_DRAINING)
		describe_drain(&b, &p->drain, f);
	else
		describe_pending(&b, p->name, f);
	str_copy(buf_str(&b), out, cap);
	buf_free(&b);
}
