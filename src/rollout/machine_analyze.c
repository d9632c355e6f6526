/*
 * The steps analyze and mirror: does the new pool fail more often than the
 * others, and does it answer as they do?
 */
#include <stdio.h>
#include <string.h>

#include "rollout/machine_step.h"
#include "rollout/steps.h"

/* So few that fail are chance, or one user's doing. */
#define BAD_LEAST 6

static void
add_toll(struct ro_toll *to, const struct ro_toll *t)
{
	to->requests += t->requests;
	to->bad += t->bad;
}

/* What came since; all of it where the counters began anew. */
static struct ro_toll
since(const struct ro_toll *now, const struct ro_toll *then)
{
	if (now->requests < then->requests || now->bad < then->bad)
		return *now;
	return (struct ro_toll){ now->requests - then->requests,
		now->bad - then->bad };
}

/* Of the new pool, and of the others, since the process began. */
static void
count_tolls(const struct ro_service *s, size_t at, const struct ro_facts *f,
    struct ro_toll *own, struct ro_toll *others)
{
	*own = *others = (struct ro_toll){ 0 };
	for (size_t i = 0; i < s->n_pools; i++)
		add_toll(strcmp(s->pools[i].name, s->rollout.to) == 0 ? own
		                                                      : others,
		    &ro_facts_of(f, at, i)->toll);
}

struct ro_analysis
machine_analysis(const struct ro_state *state, size_t service,
    const struct ro_facts *f)
{
	const struct ro_service *s = &state->services[service];
	const struct ro_rollout *r = &s->rollout;
	struct ro_analysis a = { .own = { 0 } };

	if (r->stand != RO_STAND_RUNNING || !r->entered ||
	    r->steps[r->at].kind != CFG_STEP_ANALYZE)
		return a;
	count_tolls(s, service, f, &a.own, &a.others);
	a.own = since(&a.own, &r->toll_new);
	a.others = since(&a.others, &r->toll_others);
	if (f->paces != NULL)
		a.pace = f->paces[service];
	return a;
}

static double
ratio_of(const struct ro_toll *t)
{
	return t->requests == 0 ? 0 : (double)t->bad / (double)t->requests;
}

enum ro_refusal
enter_analyze(struct job *j, const struct ro_step *s UNUSED)
{
	struct ro_rollout *r = rollout_of(j);

	count_tolls(j->svc, j->svc_at, j->facts, &r->toll_new, &r->toll_others);
	return RO_NO_NONE;
}

/* So little nobody notices, whatever its share of the whole is. */
#define SLOWER_LEAST_US 5000

/* Takes it too long?  Leaves why in the job. */
static bool
is_slow(struct job *j, const struct ro_step *s, const struct ro_pace *p)
{
	uint64_t allowed_us = p->others_us + SLOWER_LEAST_US +
	    p->others_us * s->slower_pct / 100;

	if (s->slower_pct == 0 || p->own_n < s->requests ||
	    p->others_n < s->requests || p->own_us <= allowed_us)
		return false;
	(void)snprintf(j->why, j->cap,
	    "one in ten answers of %s took longer than %.1fms, elsewhere "
	    "%.1fms",
	    j->pool->name, (double)p->own_us / 1000,
	    (double)p->others_us / 1000);
	return true;
}

/* Leaves why in the job. */
enum ending
end_analyzed(struct job *j, const struct ro_step *s)
{
	struct ro_analysis a = machine_analysis(j->s, j->svc_at, j->facts);
	double allowed = ratio_of(&a.others) + (double)s->errors_pct / 100;

	(void)snprintf(j->why, j->cap,
	    "of %llu requests to %s %llu failed (%.1f%%), elsewhere %.1f%%",
	    (unsigned long long)a.own.requests, j->pool->name,
	    (unsigned long long)a.own.bad, 100 * ratio_of(&a.own),
	    100 * ratio_of(&a.others));
	if (a.own.requests >= s->requests && a.own.bad >= BAD_LEAST &&
	    ratio_of(&a.own) > allowed)
		return BAD;
	if (is_slow(j, s, &a.pace))
		return BAD;
	if (!step_is_over(j, s))
		return GOES_ON;
	if (a.own.requests >= s->requests)
		return ENDED;
	(void)snprintf(j->why, j->cap,
	    "not enough to conclude from: %s had %llu requests, %u are asked "
	    "for",
	    j->pool->name, (unsigned long long)a.own.requests, s->requests);
	return UNCLEAR;
}

/* ---- mirror ---- */

enum ro_refusal
enter_mirror(struct job *j, const struct ro_step *s UNUSED)
{
	rollout_of(j)->toll_new = job_facts(j, j->pool)->mirrored;
	return RO_NO_NONE;
}

/* Leaves why in the job. */
enum ending
end_mirrored(struct job *j, const struct ro_step *s)
{
	struct ro_toll t = since(&job_facts(j, j->pool)->mirrored,
	    &rollout_of(j)->toll_new);
	bool enough = t.requests >= s->requests;

	(void)snprintf(j->why, j->cap,
	    "of %llu requests that %s was asked, too, it answered %llu "
	    "otherwise (%.1f%%)",
	    (unsigned long long)t.requests, j->pool->name,
	    (unsigned long long)t.bad, 100 * ratio_of(&t));
	if (enough && t.bad >= BAD_LEAST &&
	    ratio_of(&t) > (double)s->errors_pct / 100)
		return BAD;
	if (!step_is_over(j, s))
		return GOES_ON;
	if (enough)
		return ENDED;
	(void)snprintf(j->why, j->cap,
	    "not enough to conclude from: %s was asked %llu requests, too, %u "
	    "are asked for",
	    j->pool->name, (unsigned long long)t.requests, s->requests);
	return UNCLEAR;
}
