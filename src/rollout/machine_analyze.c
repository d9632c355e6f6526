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

/* Of the service whose step it is; all nought where nobody counts. */
static struct ro_pace
pace_of(const struct ro_facts *f, size_t service)
{
	return f->paces == NULL ? (struct ro_pace){ .own_n = 0 }
	                        : f->paces[service];
}

struct ro_pace
machine_analysis(const struct ro_state *state, size_t service,
    const struct ro_facts *f)
{
	const struct ro_rollout *r = &state->services[service].rollout;

	if (r->stand != RO_STAND_RUNNING || !r->entered ||
	    r->steps[r->at].kind != CFG_STEP_ANALYZE)
		return (struct ro_pace){ .own_n = 0 };
	return pace_of(f, service);
}

static double
ratio_of(const struct ro_toll *t)
{
	return t->requests == 0 ? 0 : (double)t->bad / (double)t->requests;
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
 * By so many standard deviations, squared, must two parts differ that are not
 * the same by chance; while it goes on it is looked at again and again.
 */
#define LOGINS_Z2_AT_END 9.0
#define LOGINS_Z2 16.0

static double
done_of(const struct ro_logins *l)
{
	return l->begun == 0 ? 0 : MIN(1, (double)l->done / (double)l->begun);
}

static bool
has_logins(const struct ro_pace *p)
{
	return p->own_logins.begun >= LOGINS_LEAST &&
	    p->others_logins.begun >= LOGINS_LEAST;
}

/* Do too few users get in?  Leaves why in the job. */
static bool
is_losing_logins(struct job *j, const struct ro_step *s,
    const struct ro_pace *p)
{
	const struct ro_logins *own = &p->own_logins, *oth = &p->others_logins;
	double expected = done_of(oth), is = done_of(own);
	double all = (double)(own->begun + oth->begun);
	double mean = MIN(1, (double)(own->done + oth->done) / all);
	double spread = mean * (1 - mean) *
	    (1 / (double)own->begun + 1 / (double)oth->begun);
	double z2 = step_is_over(j, s) ? LOGINS_Z2_AT_END : LOGINS_Z2;

	if (s->logins_pct == 0 || !has_logins(p) ||
	    is >= expected * (1 - (double)s->logins_pct / 100) ||
	    (expected - is) * (expected - is) <= z2 * spread)
		return false;
	(void)snprintf(j->why, j->cap,
	    "of %llu logins that began at %s %llu came to their end (%.0f%%), "
	    "elsewhere %.0f%%",
	    (unsigned long long)own->begun, j->pool->name,
	    (unsigned long long)own->done, 100 * is, 100 * expected);
	return true;
}

/* They were asked for, and nobody can say. */
static bool
lacks_logins(struct job *j, const struct ro_step *s, const struct ro_pace *p)
{
	if (s->logins_pct == 0 || !p->counts_logins || has_logins(p))
		return false;
	(void)snprintf(j->why, j->cap,
	    "not enough to conclude from: %llu logins began at %s, %llu "
	    "elsewhere, and %u are asked for",
	    (unsigned long long)p->own_logins.begun, j->pool->name,
	    (unsigned long long)p->others_logins.begun, LOGINS_LEAST);
	return true;
}

/* Leaves why in the job. */
enum ending
end_analyzed(struct job *j, const struct ro_step *s)
{
	struct ro_pace a = machine_analysis(j->s, j->svc_at, j->facts);
	double allowed = ratio_of(&a.others) + (double)s->errors_pct / 100;

	(void)snprintf(j->why, j->cap,
	    "of %llu requests to %s %llu failed (%.1f%%), elsewhere %.1f%%",
	    (unsigned long long)a.own.requests, j->pool->name,
	    (unsigned long long)a.own.bad, 100 * ratio_of(&a.own),
	    100 * ratio_of(&a.others));
	if (a.own.requests >= s->requests && a.own.bad >= BAD_LEAST &&
	    ratio_of(&a.own) > allowed)
		return BAD;
	if (is_slow(j, s, &a) || is_losing_logins(j, s, &a))
		return BAD;
	if (!step_is_over(j, s))
		return GOES_ON;
	if (lacks_logins(j, s, &a))
		return UNCLEAR;
	if (a.own.requests >= s->requests)
		return ENDED;
	(void)snprintf(j->why, j->cap,
	    "not enough to conclude from: %s had %llu requests, %u are asked "
	    "for",
	    j->pool->name, (unsigned long long)a.own.requests, s->requests);
	return UNCLEAR;
}

/* ---- mirror ---- */

/* Leaves why in the job. */
enum ending
end_mirrored(struct job *j, const struct ro_step *s)
{
	struct ro_toll t = pace_of(j->facts, j->svc_at).mirrored;
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
