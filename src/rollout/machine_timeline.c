/*
 * What was asked of the pools of a rollout, by time: in pieces of a minute and,
 * where there is no more room, of twice as long.
 */
#include <string.h>

#include "base/attr.h"
#include "rollout/machine_int.h"
#include "rollout/steps.h"

#define PIECE_US (UINT64_C(60) * 1000000)

void
timeline_begin(struct ro_rollout *r)
{
	struct ro_timeline *t = &r->timeline;

	*t = (struct ro_timeline){ .process_us = r->base.process_us,
		.piece_us = PIECE_US,
		.n = 1 };
	for (size_t i = 0; i < r->base.n_pools; i++)
		t->seen[i] = r->base.pools[i].toll;
}

static bool
is_less(const struct ro_toll *a, const struct ro_toll *b)
{
	return a->requests < b->requests || a->bad < b->bad;
}

/*
 * From where on it counts, as it does not from what was seen: those of another
 * process, or of a pool that came back, begin anew; or who began it is known of
 * again; or others have not told all of it yet.
 */
static struct ro_toll
begin_of(const struct ro_count *now, const struct ro_toll *toll,
    const struct ro_count *base, size_t i, bool anew)
{
	const struct ro_toll *first = &base->pools[i].toll;

	if (is_less(toll, first))
		return (struct ro_toll){ 0 };
	if (!anew)
		return *toll;
	return now->process_us == base->process_us ? *first
	                                           : (struct ro_toll){ 0 };
}

/* What has come since it was looked at last, into the piece at hand. */
static void
add(struct ro_timeline *t, const struct ro_count *base,
    const struct ro_count *now)
{
	struct ro_toll *piece = t->pieces[t->n - 1];
	bool anew = now->process_us != t->process_us;

	for (size_t i = 0; i < base->n_pools; i++) {
		const struct ro_toll *toll = count_toll(now,
		    base->pools[i].pool);
		struct ro_toll was = t->seen[i];

		if (toll == NULL)
			continue;
		if (anew || is_less(toll, &was))
			was = begin_of(now, toll, base, i, anew);
		piece[i].requests += toll->requests - was.requests;
		piece[i].bad += toll->bad - was.bad;
		t->seen[i] = *toll;
	}
	t->process_us = now->process_us;
}

/* Two become one. */
static void
fold(struct ro_timeline *t)
{
	uint64_t gaps = 0;

	for (size_t i = 0; i < t->n; i++)
		gaps |= (t->gaps >> i & 1) << i / 2;
	t->gaps = gaps;
	for (size_t i = 0; i < t->n; i++) {
		struct ro_toll *to = t->pieces[i / 2];

		for (size_t p = 0; p < CFG_POOLS_MAX; p++) {
			struct ro_toll one = t->pieces[i][p];

			if (i % 2 == 0)
				to[p] = (struct ro_toll){ 0 };
			to[p].requests += one.requests;
			to[p].bad += one.bad;
		}
	}
	t->n = (t->n + 1) / 2;
	t->piece_us *= 2;
}

static void
add_piece(struct ro_timeline *t)
{
	if (t->n == RO_PIECES_MAX)
		fold(t);
	memset(t->pieces[t->n++], 0, sizeof(t->pieces[0]));
}

/* Was something lost within its last piece? */
static bool
lost_some(const struct ro_rollout *r, const struct ro_count *now)
{
	return now->lost_us >=
	    r->began_us + (r->timeline.n - 1) * r->timeline.piece_us &&
	    now->lost_us != 0;
}

static uint64_t
end_of(const struct ro_rollout *r)
{
	return r->began_us + r->timeline.n * r->timeline.piece_us;
}

bool
timeline_note(struct ro_rollout *r, const struct ro_count *now,
    uint64_t wall_us, uint64_t *due_us)
{
	struct ro_timeline *t = &r->timeline;
	bool more = false;

	if (t->n == 0 || now == NULL)
		return false;
	if (now->process_us == t->process_us)
		add(t, &r->base, now);
	for (bool gap = now->process_us != t->process_us;; more = true) {
		t->gaps |= (uint64_t)(gap || lost_some(r, now)) << (t->n - 1);
		if (end_of(r) > wall_us)
			break;
		add_piece(t);
	}
	if (now->process_us != t->process_us)
		add(t, &r->base, now);
	if (*due_us == 0 || end_of(r) < *due_us)
		*due_us = end_of(r);
	return more;
}

void
machine_timeline(const struct ro_service *s, const struct ro_count *now,
    uint64_t wall_us, struct ro_timeline *out)
{
	struct ro_rollout r = s->rollout;
	uint64_t due = 0;

	if (steps_under_way(&r))
		(void)timeline_note(&r, now, wall_us, &due);
	*out = r.timeline;
}
