/*
 * What all proxies were asked of a service since its rollout began.
 */
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "rollout/cluster.h"
#include "rollout/facts.h"
#include "rollout/steps.h"

/* So late, clocks that differ aside, nobody hears of it who was there. */
#define HEARS_US (30 * US_PER_S)
#define TOLD_MAX ((size_t)2 * CLUSTER_MEMBERS_MAX)

/* What another process has told last. */
struct told {
	char boot[CLUSTER_BOOT_MAX];
	bool away;
	bool whole;        /* since the rollout began */
	uint64_t since_us; /* wall clock; else since then */
	uint64_t heard_us; /* wall clock */
	double rate;       /* requests a second; -1: unknown */
	struct ro_count count;
};

struct part {
	uint64_t rollout, began_us; /* of which it is */
	bool alone; /* without others its counters are what there is */
	bool whole; /* as in struct told */
	uint64_t since_us;
	double rate;
	struct ro_count base; /* own, when it began here */
	struct ro_count own;  /* since */
	struct told *told;    /* owned; [n] */
	size_t n;
};

void
facts_part_free(struct part **pp)
{
	if (*pp != NULL)
		free((*pp)->told);
	free(*pp);
	*pp = NULL;
}

/* ---- what is counted here ---- */

/* Who leads has begun it, with what it had counted; the others hear of it. */
static void
begin(const struct ro_rollout *r, const struct ro_count *now, uint64_t wall_us,
    struct part *p)
{
	bool ours = r->base.process_us == now->process_us;
	bool was_there = ours || now->process_us <= r->began_us;

	p->rollout = r->id;
	p->began_us = r->began_us;
	p->alone = ours || !was_there;
	p->whole = was_there && (ours || wall_us < r->began_us + HEARS_US);
	p->since_us = was_there ? wall_us : now->process_us;
	p->base = (struct ro_count){ .holds = true };
	if (was_there)
		p->base = ours ? r->base : *now;
}

static bool
is_same(const struct part *p, const struct ro_rollout *r)
{
	return p->rollout == r->id && p->began_us == r->began_us;
}

static void
look_at(const struct ro_rollout *r, const struct ro_count *now, double rate,
    uint64_t wall_us, struct part **pp)
{
	struct part *p = *pp;

	if (p != NULL && !(steps_under_way(r) && is_same(p, r)))
		facts_part_free(pp);
	if (*pp == NULL && steps_under_way(r)) {
		*pp = calloc(1, sizeof(**pp));
		if (*pp != NULL)
			begin(r, now, wall_us, *pp);
	}
	p = *pp;
	if (p == NULL)
		return; /* without memory what is known is what came here */
	p->own = *now;
	ro_count_less(&p->own, &p->base);
	p->rate = rate;
	for (size_t i = 0; i < p->n; i++)
		p->told[i].away = true; /* but for those that are added now */
}

void
facts_parts(const struct ro_state *s, const struct ro_count *counts,
    const double *rates, uint64_t wall_us, struct part **parts)
{
	for (size_t i = 0; i < s->n_services; i++)
		look_at(&s->services[i].rollout, &counts[i], rates[i], wall_us,
		    &parts[i]);
}

/* ---- for other proxies ---- */

void
facts_parts_put(const struct ro_state *s, struct part *const *parts,
    struct json_out *j)
{
	json_begin_array(j);
	for (size_t i = 0; i < s->n_services; i++) {
		const struct part *p = parts[i];

		if (p == NULL)
			continue;
		json_begin_object(j);
		json_kv_cstr(j, "service", s->services[i].name);
		json_kv_u64(j, "rollout", p->rollout);
		json_kv_u64(j, "began_us", p->began_us);
		json_kv_bool(j, "whole", p->whole);
		json_kv_u64(j, "since_us", p->since_us);
		json_kv_num(j, "rate", p->rate);
		json_kv_u64(j, "waiting", p->own.waiting);
		json_key(j, "count");
		ro_count_write(j, &p->own);
		json_end_object(j);
	}
	json_end_array(j);
}

static struct told *
told_by(struct part *p, const char *boot)
{
	struct told *more;

	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->told[i].boot, boot) == 0)
			return &p->told[i];
	more = p->n == TOLD_MAX ? NULL
	                        : realloc(p->told, (p->n + 1) * sizeof(*more));
	if (more == NULL)
		return NULL;
	p->told = more;
	more = &p->told[p->n++];
	*more = (struct told){ .count = { .holds = true } };
	str_copy(str_of(boot), more->boot, sizeof(more->boot));
	return more;
}

static bool
read_part(const struct json *j, struct told *t)
{
	struct ro_count count = { 0 };

	if (!ro_count_read(json_get(j, "count"), &count))
		return false;
	count.waiting = json_count(json_get(j, "waiting"));
	t->count = count;
	t->whole = json_get_truth(j, "whole", false);
	t->since_us = (uint64_t)MAX(json_get_int(j, "since_us", 0), 0);
	if (!json_number(json_get(j, "rate"), &t->rate))
		t->rate = -1;
	return true;
}

/* The one that it is of, if that is of the same rollout. */
static struct part *
find(const struct ro_state *s, struct part **parts, const struct json *j)
{
	const char *name = json_get_text(j, "service", "");
	size_t i = 0;

	while (i < s->n_services && strcmp(s->services[i].name, name) != 0)
		i++;
	return i < s->n_services && parts[i] != NULL &&
	        (uint64_t)json_get_int(j, "rollout", -1) == parts[i]->rollout &&
	        (uint64_t)json_get_int(j, "began_us", -1) == parts[i]->began_us
	    ? parts[i]
	    : NULL;
}

void
facts_parts_add(const struct ro_state *s, struct part **parts, const char *boot,
    bool away, uint64_t heard_us, const struct json *all)
{
	for (size_t i = 0; i < json_len(all); i++) {
		const struct json *j = json_at(all, i);
		struct part *p = find(s, parts, j);
		struct told *t = p == NULL ? NULL : told_by(p, boot);

		if (t == NULL || !read_part(j, t))
			continue;
		t->away = away;
		t->heard_us = heard_us;
	}
}

/* ---- what it comes to ---- */

/* How what it had in flight has ended nobody knows who is there. */
static void
add_told(const struct told *t, struct ro_count *sum, double *rate)
{
	struct ro_count c = t->count;

	if (!t->whole)
		sum->lacks_us = MAX(sum->lacks_us,
		    MIN(t->since_us, t->heard_us));
	if (t->away) {
		sum->lacks_us = MAX(sum->lacks_us, t->heard_us);
		c.accepted -= MIN(c.accepted, c.in_flight);
		c.in_flight = c.waiting = 0;
	} else {
		*rate = *rate < 0 || t->rate < 0 ? -1 : *rate + t->rate;
	}
	ro_count_add(sum, &c);
}

/* As if who began it had counted all. */
static void
sum_up(const struct ro_rollout *r, const struct part *p, struct ro_count *row,
    double *rate)
{
	struct ro_count sum = r->base;

	if (p->n == 0 && p->alone)
		return;
	sum.accepted -= MIN(sum.accepted, sum.in_flight);
	sum.in_flight = sum.waiting = 0;
	ro_count_add(&sum, &p->own);
	if (!p->whole)
		sum.lacks_us = p->since_us;
	for (size_t i = 0; i < p->n; i++)
		add_told(&p->told[i], &sum, rate);
	*row = sum;
}

void
facts_parts_sum(const struct ro_state *s, struct part *const *parts,
    struct ro_count *counts, double *rates)
{
	for (size_t i = 0; i < s->n_services; i++)
		if (parts[i] != NULL)
			sum_up(&s->services[i].rollout, parts[i], &counts[i],
			    &rates[i]);
}
