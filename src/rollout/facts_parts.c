/*
 * What all proxies were asked of a service since its rollout began.
 */
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/json.h"
#include "base/str.h"
#include "rollout/cluster.h"
#include "rollout/facts.h"
#include "rollout/steps.h"

#define TOLD_MAX ((size_t)2 * CLUSTER_MEMBERS_MAX)

/* What another process has told last. */
struct told {
	char boot[CLUSTER_BOOT_MAX];
	bool fresh;        /* it is there, and has told it in its last word */
	bool whole;        /* since the rollout began */
	uint64_t since_us; /* wall clock; else since then */
	double rate;       /* requests a second; -1: unknown */
	struct ro_count count;
};

struct part {
	TAILQ_ENTRY(part) link;
	char service[CFG_NAME_MAX + 1];
	size_t at; /* its place in the state that was looked at last */
	/* Of which rollout: its id, and the counters that it began with. */
	uint64_t rollout, process_us;
	uint64_t now_us; /* wall clock, of that look */
	bool known;      /* its service was seen then */
	bool alone;      /* without others its counters are what there is */
	bool whole;      /* as in struct told */
	uint64_t since_us;
	double rate;
	uint64_t accepted;    /* at that look, since the process began */
	struct ro_count base; /* own, when it began here */
	struct ro_count own;  /* since */
	struct told *told;    /* owned; [n] */
	size_t n;
	/* Who may count has not told in his last word: he is away; is there. */
	bool lost, unknown;
};

void
facts_parts_init(struct parts *all)
{
	TAILQ_INIT(&all->list);
}

static void
part_free(struct part *p)
{
	free(p->told);
	free(p);
}

void
facts_parts_free(struct parts *all)
{
	struct part *p;

	while ((p = TAILQ_FIRST(&all->list)) != NULL) {
		TAILQ_REMOVE(&all->list, p, link);
		part_free(p);
	}
}

/* at: where it is looked for first, as all come in one order. */
static struct part *
find(const struct parts *all, const char *service, struct part *at)
{
	struct part *p;

	if (at != NULL && strcmp(at->service, service) == 0)
		return at;
	TAILQ_FOREACH (p, &all->list, link)
		if (strcmp(p->service, service) == 0)
			return p;
	return NULL;
}

static struct part *
next(struct part *p)
{
	return p == NULL ? NULL : TAILQ_NEXT(p, link);
}

/* ---- what is counted here ---- */

/*
 * Who leads has begun it, with what it had counted; the others hear of it, or
 * have begun since.
 */
static void
begin(const struct ro_rollout *r, const struct ro_count *now, uint64_t wall_us,
    bool in_time, struct part *p)
{
	bool ours = r->base.process_us == now->process_us &&
	    now->accepted >= r->base.accepted;
	bool is_new = !ours && !in_time && now->process_us > r->began_us;
	bool missed = !ours && !in_time && now->accepted > 0;

	p->rollout = r->id;
	p->process_us = r->base.process_us;
	p->alone = ours || is_new;
	p->whole = !missed;
	p->since_us = is_new ? now->process_us : wall_us;
	p->base = (struct ro_count){ .holds = true };
	if (!is_new)
		p->base = ours ? r->base : *now;
}

/* The service went and came back, and its counters with it. */
static bool
began_anew(const struct part *p, const struct ro_count *now)
{
	return now->accepted < p->accepted;
}

static struct part *
make(struct parts *all, const struct ro_service *s)
{
	struct part *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL; /* what is known then is what came here */
	str_copy(str_of(s->name), p->service, sizeof(p->service));
	TAILQ_INSERT_TAIL(&all->list, p, link);
	return p;
}

static void
note(struct part *p, const struct ro_count *now, double rate, uint64_t wall_us)
{
	p->known = true;
	p->now_us = wall_us;
	p->accepted = now->accepted;
	p->own = *now;
	ro_count_less(&p->own, &p->base);
	p->rate = rate;
	p->lost = p->unknown = false;
	for (size_t i = 0; i < p->n; i++)
		p->told[i].fresh = false; /* but for those that come now */
}

static struct part *
look_at(struct parts *all, const struct ro_service *s, struct part *at,
    const struct ro_count *now, uint64_t wall_us, bool in_time)
{
	const struct ro_rollout *r = &s->rollout;
	struct part *p = find(all, s->name, at);
	bool is_new = p == NULL || p->rollout != r->id ||
	    p->process_us != r->base.process_us;

	if (p == NULL)
		p = make(all, s);
	if (p == NULL)
		return NULL;
	if (is_new) {
		free(p->told); /* of the one before */
		p->told = NULL;
		p->n = 0;
		begin(r, now, wall_us, in_time, p);
	} else if (began_anew(p, now)) {
		p->whole = p->alone = false;
		p->since_us = wall_us;
		p->base = (struct ro_count){ .holds = true };
	}
	return p;
}

void
facts_parts(struct parts *all, const struct ro_state *s,
    const struct ro_count *counts, const double *rates, uint64_t wall_us,
    bool in_time)
{
	struct part *p, *at = TAILQ_FIRST(&all->list), *after;

	TAILQ_FOREACH (p, &all->list, link)
		p->known = false;
	for (size_t i = 0; i < s->n_services; i++) {
		if (!steps_under_way(&s->services[i].rollout))
			continue;
		after = next(at);
		p = look_at(all, &s->services[i], at, &counts[i], wall_us,
		    in_time);
		if (p == NULL)
			continue;
		p->at = i;
		note(p, &counts[i], rates[i], wall_us);
		at = p == at ? after : next(p);
	}
	for (p = TAILQ_FIRST(&all->list); p != NULL; p = after) {
		after = next(p);
		if (p->known)
			continue;
		TAILQ_REMOVE(&all->list, p, link);
		part_free(p);
	}
}

/* ---- for other proxies ---- */

void
facts_parts_put(const struct parts *all, struct json_out *j)
{
	const struct part *p;

	json_begin_array(j);
	TAILQ_FOREACH (p, &all->list, link) {
		json_begin_object(j);
		json_kv_cstr(j, "service", p->service);
		json_kv_u64(j, "rollout", p->rollout);
		json_kv_u64(j, "process_us", p->process_us);
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
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->told[i].boot, boot) == 0)
			return &p->told[i];
	return NULL;
}

static struct told *
told_new(struct part *p, const char *boot)
{
	struct told *t = p->n == TOLD_MAX
	    ? NULL
	    : realloc(p->told, (p->n + 1) * sizeof(*t));

	if (t == NULL)
		return NULL; /* it is missing */
	p->told = t;
	t = &p->told[p->n++];
	*t = (struct told){ .fresh = false };
	str_copy(str_of(boot), t->boot, sizeof(t->boot));
	return t;
}

static void
read_part(struct part *p, const char *boot, bool away, const struct json *j)
{
	struct ro_count count = { 0 };
	struct told *t = told_by(p, boot);

	if ((uint64_t)json_get_int(j, "rollout", -1) != p->rollout ||
	    (uint64_t)json_get_int(j, "process_us", -1) != p->process_us ||
	    !ro_count_read(json_get(j, "count"), &count))
		return;
	if (t == NULL)
		t = told_new(p, boot);
	if (t == NULL)
		return;
	count.waiting = json_count(json_get(j, "waiting"));
	t->count = count;
	t->fresh = !away;
	t->whole = json_get_truth(j, "whole", false);
	t->since_us = (uint64_t)MAX(json_get_int(j, "since_us", 0), 0);
	if (!json_number(json_get(j, "rate"), &t->rate))
		t->rate = -1;
}

void
facts_parts_add(struct parts *all, const char *boot, bool away,
    const struct json *doc)
{
	struct part *p, *at = TAILQ_FIRST(&all->list);

	for (size_t i = 0; at != NULL && i < json_len(doc); i++) {
		const struct json *j = json_at(doc, i);

		p = find(all, json_get_text(j, "service", ""), at);
		if (p == NULL)
			continue;
		read_part(p, boot, away, j);
		at = next(p) == NULL ? TAILQ_FIRST(&all->list) : next(p);
	}
	TAILQ_FOREACH (p, &all->list, link) {
		const struct told *t = told_by(p, boot);
		bool is_fresh = t != NULL && t->fresh;

		p->lost |= !is_fresh && away;
		p->unknown |= !is_fresh && !away;
	}
}

void
facts_parts_alone(struct parts *all)
{
	struct part *p;

	TAILQ_FOREACH (p, &all->list, link) {
		p->lost = p->unknown = true;
		for (size_t i = 0; i < p->n; i++)
			p->told[i].fresh = false;
	}
}

/* ---- what it comes to ---- */

static void
less_in_flight(struct ro_count *c)
{
	c->accepted -= MIN(c->accepted, c->in_flight);
	c->in_flight = c->waiting = 0;
}

static void
lose(struct ro_count *c, uint64_t at_us)
{
	c->lacks_us = MAX(c->lacks_us, at_us);
	c->lost_us = MAX(c->lost_us, at_us);
}

/* How what it had in flight has ended nobody knows who is there. */
static void
add_told(const struct part *p, const struct told *t, struct ro_count *sum,
    double *rate)
{
	struct ro_count c = t->count;

	if (!t->whole)
		lose(sum, MIN(t->since_us, p->now_us));
	if (t->fresh) {
		*rate = *rate < 0 || t->rate < 0 ? -1 : *rate + t->rate;
	} else {
		sum->lacks_us = p->now_us;
		if (!p->unknown)
			lose(sum, p->now_us);
		less_in_flight(&c);
	}
	ro_count_add(sum, &c);
}

/* As if who began it had counted all. */
static void
sum_up(const struct ro_rollout *r, const struct part *p, struct ro_count *row,
    double *rate)
{
	struct ro_count sum = r->base;
	bool missing = p->lost || p->unknown;

	if (p->n == 0 && !missing && p->alone)
		return;
	less_in_flight(&sum);
	ro_count_add(&sum, &p->own);
	if (!p->whole)
		lose(&sum, p->since_us);
	if (p->lost)
		lose(&sum, p->now_us);
	if (missing)
		sum.lacks_us = p->now_us;
	for (size_t i = 0; i < p->n; i++)
		add_told(p, &p->told[i], &sum, rate);
	if (p->unknown)
		*rate = -1;
	*row = sum;
}

void
facts_parts_sum(const struct parts *all, const struct ro_state *s,
    struct ro_count *counts, double *rates)
{
	const struct part *p;

	TAILQ_FOREACH (p, &all->list, link)
		sum_up(&s->services[p->at].rollout, p, &counts[p->at],
		    &rates[p->at]);
}
