/*
 * What was asked of a service while a rollout was under way: the difference of
 * two readings of its counters.
 */
#include <string.h>

#include "base/attr.h"
#include "rollout/machine_int.h"
#include "rollout/steps.h"

const struct ro_toll *
count_toll(const struct ro_count *c, const char *pool)
{
	for (size_t i = 0; i < c->n_pools; i++)
		if (strcmp(c->pools[i].pool, pool) == 0)
			return &c->pools[i].toll;
	return NULL;
}

/* Sums over pools shrink when one is taken out. */
static void
less(uint64_t *n, uint64_t base)
{
	*n -= MIN(*n, base);
}

void
ro_count_less(struct ro_count *c, const struct ro_count *base)
{
	c->holds &= base->holds;
	/* What was in flight then ends as one of ours. */
	c->accepted += base->in_flight;
	less(&c->accepted, base->accepted);
	for (int i = 0; i < CLASS_COUNT; i++)
		less(&c->class[i], base -> class[i]);
	less(&c->refused, base->refused);
	less(&c->retries, base->retries);
	less(&c->held, base->held);
	less(&c->released, base->released);
	less(&c->moved, base->moved);
	for (int i = 0; i < STREAM_END_COUNT; i++)
		less(&c->streams[i], base->streams[i]);
	for (size_t i = 0; i < c->n_pools; i++) {
		const struct ro_toll *was = count_toll(base, c->pools[i].pool);
		struct ro_toll *toll = &c->pools[i].toll;

		/* A pool that went and came back counts from nought. */
		if (was == NULL || toll->requests < was->requests ||
		    toll->bad < was->bad)
			continue;
		toll->requests -= was->requests;
		toll->bad -= was->bad;
	}
}

static struct ro_toll *
toll_for(struct ro_count *c, const char *pool)
{
	size_t i = 0;

	while (i < c->n_pools && strcmp(c->pools[i].pool, pool) != 0)
		i++;
	if (i == CFG_POOLS_MAX)
		return NULL;
	if (i == c->n_pools) {
		c->n_pools++;
		str_copy(str_of(pool), c->pools[i].pool,
		    sizeof(c->pools[i].pool));
	}
	return &c->pools[i].toll;
}

void
ro_count_add(struct ro_count *c, const struct ro_count *part)
{
	c->holds &= part->holds;
	c->accepted += part->accepted;
	c->in_flight += part->in_flight;
	for (int i = 0; i < CLASS_COUNT; i++)
		c->class[i] += part->class[i];
	c->refused += part->refused;
	c->retries += part->retries;
	c->held += part->held;
	c->released += part->released;
	c->waiting += part->waiting;
	c->moved += part->moved;
	for (int i = 0; i < STREAM_END_COUNT; i++)
		c->streams[i] += part->streams[i];
	for (size_t i = 0; i < part->n_pools; i++) {
		struct ro_toll *toll = toll_for(c, part->pools[i].pool);

		if (toll == NULL)
			continue;
		toll->requests += part->pools[i].toll.requests;
		toll->bad += part->pools[i].toll.bad;
	}
}

bool
machine_count(const struct ro_service *s, const struct ro_count *now,
    struct ro_count *out)
{
	const struct ro_rollout *r = &s->rollout;

	if (!steps_under_way(r)) {
		*out = r->count;
		return out->process_us != 0 && !r->partial;
	}
	*out = (struct ro_count){ .process_us = 0 };
	if (now == NULL)
		return false;
	*out = *now;
	if (now->process_us != r->base.process_us)
		return false; /* all that this process has counted */
	ro_count_less(out, &r->base);
	if (now->lacks_us == 0)
		return true;
	out->process_us = now->lacks_us;
	return false;
}

static const struct ro_count *
now_of(const struct job *j)
{
	return j->facts->counts == NULL ? NULL : &j->facts->counts[j->svc_at];
}

void
count_begin(struct job *j)
{
	struct ro_rollout *r = &j->svc->rollout;
	const struct ro_count *now = now_of(j);

	r->base = now == NULL ? (struct ro_count){ .process_us = 0 } : *now;
	r->count = (struct ro_count){ .process_us = 0 };
	r->partial = false;
	timeline_begin(r);
}

void
count_end(struct job *j)
{
	struct ro_rollout *r = &j->svc->rollout;
	struct ro_count count;
	uint64_t due = 0;

	(void)timeline_note(r, now_of(j), j->facts->wall_us, &due);
	r->partial = !machine_count(j->svc, now_of(j), &count);
	r->count = count;
}

void
count_keep_past(struct ro_service *s)
{
	const struct ro_rollout *r = &s->rollout;
	struct ro_past *p;

	if (r->stand == RO_STAND_NONE)
		return;
	if (s->n_past == RO_PAST_MAX) {
		size_t at = 0; /* a rehearsal rather than what has been */

		while (at < RO_PAST_MAX && !s->past[at].rehearsal)
			at++;
		at = at == RO_PAST_MAX ? 0 : at;
		s->n_past--;
		memmove(&s->past[at], &s->past[at + 1],
		    (s->n_past - at) * sizeof(s->past[0]));
	}
	p = &s->past[s->n_past++];
	*p = (struct ro_past){ .id = r->id,
		.stand = r->stand,
		.rehearsal = r->rehearsal,
		.began_us = r->began_us,
		.ended_us = r->ended_us,
		.held_us = r->held_us,
		.accepted = r->count.accepted,
		.fault = r->count.class[CLASS_fault] };
	str_copy(str_of(r->to), p->to, sizeof(p->to));
	str_copy(str_of(r->version), p->version, sizeof(p->version));
	str_copy(str_of(r->who), p->who, sizeof(p->who));
	str_copy(str_of(r->why), p->why, sizeof(p->why));
}
