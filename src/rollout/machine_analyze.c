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

static void
add_logins(struct ro_logins *to, const struct ro_logins *l)
{
	to->begun += l->begun;
	to->done += l->done;
}

static struct ro_logins
logins_since(const struct ro_logins *now, const struct ro_logins *then)
{
	if (now->begun < then->begun || now->done < then->done)
		return *now;
	return (struct ro_logins){ now->begun - then->begun,
		now->done - then->done };
}

/* Of the new pool, and of the others, since the process began. */
static struct ro_analysis
count_tolls(const struct ro_service *s, size_t at, const struct ro_facts *f)
{
	struct ro_analysis a = { .own = { 0 } };

	for (size_t i = 0; i < s->n_pools; i++) {
		const struct ro_facts_pool *p = ro_facts_of(f, at, i);
		bool own = strcmp(s->pools[i].name, s->rollout.to) == 0;

		add_toll(own ? &a.own : &a.others, &p->toll);
		add_logins(own ? &a.own_logins : &a.others_logins, &p->logins);
	}
	return a;
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
	a = count_tolls(s, service, f);
	a.own = since(&a.own, &r->toll_new);
	a.others = since(&a.others, &r->toll_others);
	a.own_logins = logins_since(&a.own_logins, &r->logins_new);
	a.others_logins = logins_since(&a.others_logins, &r->logins_others);
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
	struct ro_analysis a = count_tolls(j->svc, j->svc_at, j->facts);

	r->toll_new = a.own;
	r->toll_others = a.others;
	r->logins_new = a.own_logins;
	r->logins_others = a.others_logins;
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

/* Fewer say nothing. */
#define LOGINS_LEAST 20
/*
 * A login takes a while, and those of a pool that has just got its share are
 * all young: before the step is over, nothing is said for so long, and then
 * only of what is twice as bad.
 */
#define LOGINS_YOUNG_US (UINT64_C(60) * 1000000)

static double
done_of(const struct ro_logins *l)
{
	double done = l->begun == 0 ? 0 : (double)l->done / (double)l->begun;

	return done > 1 ? 1 : done; /* some began before */
}

/* Do too few users get in?  Leaves why in the job. */
static bool
is_losing_logins(struct job *j, const struct ro_step *s,
    const struct ro_analysis *a)
{
	const struct ro_logins *own = &a->own_logins;
	double expected = done_of(&a->others_logins);
	double allowed = expected * (1 - (double)s->logins_pct / 100);
	double lost = (expected - done_of(own)) * (double)own->begun;

	if (s->logins_pct == 0 || own->begun < LOGINS_LEAST ||
	    a->others_logins.begun < LOGINS_LEAST || lost < BAD_LEAST)
		return false;
	if (!step_is_over(j, s)) {
		if (j->facts->wall_us <
		    j->svc->rollout.since_us + LOGINS_YOUNG_US)
			return false;
		allowed /= 2;
	}
	if (done_of(own) >= allowed)
		return false;
	(void)snprintf(j->why, j->cap,
	    "of %llu logins that began at %s %llu came to their end (%.0f%%), "
	    "elsewhere %.0f%%",
	    (unsigned long long)own->begun, j->pool->name,
	    (unsigned long long)own->done, 100 * done_of(own), 100 * expected);
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
	if (is_slow(j, s, &a.pace) || is_losing_logins(j, s, &a))
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
