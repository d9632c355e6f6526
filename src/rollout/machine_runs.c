/*
 * What a rollout makes of the jobs that its steps run: whether one is wanted,
 * and what follows from how it ended.  The master runs them.
 */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "rollout/machine_int.h"
#include "rollout/steps.h"

/* ---- what is not to be done again ---- */

/* "" for what is done once for all. */
static const char *
version_for(const struct ro_rollout *r, const struct ro_step *s)
{
	return s->once == CFG_ONCE_VERSION ? r->version : "";
}

/* Where it is noted that it was done; .n_done: nowhere. */
static size_t
find_done(const struct ro_service *svc, const struct ro_step *s)
{
	const char *version = version_for(&svc->rollout, s);
	size_t i = 0;

	if (s->once == CFG_ONCE_NO || s->kind == CFG_STEP_CHECK)
		return svc->n_done;
	while (i < svc->n_done &&
	    (strcmp(svc->done[i].job, s->job) != 0 ||
	        strcmp(svc->done[i].version, version) != 0))
		i++;
	return i;
}

static bool
is_done_before(const struct ro_service *svc, const struct ro_step *s)
{
	return (svc->rollout.ran & rollout_bit(&svc->rollout)) != 0 ||
	    find_done(svc, s) < svc->n_done;
}

static void
forget(struct ro_service *svc, size_t i)
{
	svc->n_done--;
	memmove(&svc->done[i], &svc->done[i + 1],
	    (svc->n_done - i) * sizeof(svc->done[0]));
}

void
run_forget_done(struct ro_service *svc)
{
	for (size_t i = 0; i < svc->rollout.n_steps; i++) {
		size_t at = find_done(svc, &svc->rollout.steps[i]);

		if (at < svc->n_done)
			forget(svc, at);
	}
}

/* The oldest of a version, rather than what is done once for all. */
static void
forget_oldest(struct ro_service *svc)
{
	size_t i = 0;

	while (i < svc->n_done && svc->done[i].version[0] == '\0')
		i++;
	forget(svc, i == svc->n_done ? 0 : i);
}

void
run_note_done(struct job *j, const struct ro_step *s)
{
	struct ro_service *svc = j->svc;
	struct ro_done *d;

	if (is_done_before(svc, s))
		return;
	svc->rollout.ran |= rollout_bit(&svc->rollout);
	if (svc->rollout.rehearsal)
		return; /* it was not done */
	if (s->once == CFG_ONCE_NO || s->kind == CFG_STEP_CHECK)
		return;
	if (svc->n_done == RO_DONE_MAX)
		forget_oldest(svc);
	d = &svc->done[svc->n_done++];
	*d = (struct ro_done){ .when_us = j->facts->wall_us };
	str_copy(str_of(s->job), d->job, sizeof(d->job));
	str_copy(str_of(version_for(&svc->rollout, s)), d->version,
	    sizeof(d->version));
}

/* ---- the run ---- */

bool
machine_wants_run(const struct ro_service *svc)
{
	const struct ro_rollout *r = &svc->rollout;

	return steps_under_way(r) && r->entered && !r->failed &&
	    steps_has_job(&r->steps[r->at]) && roll_wants_run(r) &&
	    !is_done_before(svc, &r->steps[r->at]);
}

enum ro_refusal
run_enter(struct job *j, const struct ro_step *s UNUSED)
{
	struct ro_rollout *r = &j->svc->rollout;
	struct ro_step *step = &r->steps[r->at];

	r->runs++;
	step->exit = 0;
	step->took_us = 0;
	step->said[0] = '\0';
	if (is_done_before(j->svc, step)) {
		(void)snprintf(step->said, sizeof(step->said),
		    "it was done before");
	} else if (r->rehearsal && steps_has_job(step) && !step->rehearse) {
		(void)snprintf(step->said, sizeof(step->said),
		    "not run: a rehearsal");
		r->ran |= rollout_bit(r);
	}
	return RO_NO_NONE;
}

/* How it ended, or NULL as long as nobody says that it has. */
static const struct ro_facts_run *
end_of(const struct job *j)
{
	const struct ro_rollout *r = &j->svc->rollout;
	const struct ro_facts_run *f = j->facts->runs == NULL
	    ? NULL
	    : &j->facts->runs[j->svc_at];

	if (f == NULL || f->rollout != r->id || f->run != r->runs || !f->ended)
		return NULL;
	return f;
}

/* Into the step, and into .why. */
static const struct ro_facts_run *
take_end(struct job *j)
{
	struct ro_rollout *r = &j->svc->rollout;
	struct ro_step *step = &r->steps[r->at];
	const struct ro_facts_run *f = end_of(j);

	if (f == NULL)
		return NULL;
	step->exit = f->exit;
	step->took_us = MAX(f->took_us, 1);
	str_copy(str_of(f->said), step->said, sizeof(step->said));
	(void)snprintf(j->why, j->cap, "job %s: %s%s%s", step->job, f->why,
	    f->said[0] == '\0' ? "" : ": ", f->said);
	return f;
}

enum ending
run_end(struct job *j, const struct ro_step *s)
{
	const struct ro_facts_run *f;

	if (is_done_before(j->svc, s))
		return ENDED;
	f = take_end(j);
	if (f == NULL)
		return GOES_ON;
	if (f->verdict == RO_VERDICT_OK) {
		run_note_done(j, s);
		return ENDED;
	}
	return f->verdict == RO_VERDICT_ASK ? UNCLEAR : BAD;
}

/* Nothing depends on it; how it ended stands in the report. */
enum ending
run_end_notify(struct job *j, const struct ro_step *s)
{
	if (!is_done_before(j->svc, s) && take_end(j) == NULL)
		return GOES_ON;
	j->why[0] = '\0';
	run_note_done(j, s);
	return ENDED;
}

/* ---- the check ---- */

/* Are there steps for versions that must not run side by side? */
static bool
can_recreate(const struct ro_rollout *r)
{
	for (size_t i = r->at + 1; i < r->n_steps; i++)
		if (r->steps[i].only == CFG_ONLY_RECREATE)
			return true;
	return false;
}

/* For those who ask later (status: RecreateUpdateUsed). */
static void
note_path(struct job *j, enum ro_path path)
{
	struct ro_service *svc = j->svc;

	if (svc->path != path || svc->path_us == 0)
		svc->path_us = j->facts->wall_us;
	svc->path = (uint8_t)path;
	str_copy(str_of(j->why), svc->path_why, sizeof(svc->path_why));
}

/* Leaves why in the job. */
static enum ending
take_path(struct job *j, enum ro_path path)
{
	struct ro_rollout *r = &j->svc->rollout;

	if (path == RO_PATH_RECREATE && !can_recreate(r))
		return BAD;
	r->path = (uint8_t)path;
	if (!r->rehearsal)
		note_path(j, path);
	run_note_done(j, &r->steps[r->at]);
	return ENDED;
}

/*
 * As Keycloak's update-compatibility command ends: 0 rolling, 3 recreate, 4
 * rolling is switched off there.  What could not be found out is asked about:
 * there is no downtime by accident.
 */
static enum ending
end_by_job(struct job *j, const struct ro_step *s)
{
	const struct ro_facts_run *f = take_end(j);

	if (f == NULL)
		return GOES_ON;
	if (f->exit == 0)
		return take_path(j, RO_PATH_ROLLING);
	if (f->exit != 3 && f->exit != 4)
		return UNCLEAR;
	(void)snprintf(j->why, j->cap,
	    "job %s says that the versions must not run side by side (%s)%s%s",
	    s->job, f->why, f->said[0] == '\0' ? "" : ": ", f->said);
	return take_path(j, RO_PATH_RECREATE);
}

static const char *
mark_of(const struct job *j, const struct ro_pool *p, const struct ro_step *s)
{
	const struct ro_facts_pool *f = job_facts(j, p);
	const char *mark = s->by == CFG_BY_VERSION ? f->version : f->revision;

	return mark == NULL ? "" : mark;
}

/* What is not said is not the same. */
static enum ending
end_by_mark(struct job *j, const struct ro_step *s)
{
	const char *word = s->by == CFG_BY_VERSION ? "version" : "revision";
	const char *to = mark_of(j, j->pool, s);

	for (size_t i = 0; i < j->svc->n_pools; i++) {
		const struct ro_pool *p = &j->svc->pools[i];
		const char *from = mark_of(j, p, s);

		if (p == j->pool ||
		    rollout_share_before(&j->svc->rollout, p->name) == 0 ||
		    (from[0] != '\0' && strcmp(from, to) == 0))
			continue;
		(void)snprintf(j->why, j->cap,
		    "the %s of %s (%s) is not that of %s (%s)", word,
		    j->pool->name, to[0] == '\0' ? "none" : to, p->name,
		    from[0] == '\0' ? "none" : from);
		return take_path(j, RO_PATH_RECREATE);
	}
	(void)snprintf(j->why, j->cap, "%s %s on both sides", word, to);
	return take_path(j, RO_PATH_ROLLING);
}

enum ending
run_end_check(struct job *j, const struct ro_step *s)
{
	const char *now = job_facts(j, j->pool)->version;
	const char *then = j->svc->rollout.version;

	if ((j->svc->rollout.ran & rollout_bit(&j->svc->rollout)) != 0)
		return ENDED;
	if (now != NULL && strcmp(now, then) != 0) {
		(void)snprintf(j->why, j->cap,
		    "%s is to be %s by now, and the rollout began for %s",
		    j->pool->name, now, then);
		return UNCLEAR;
	}
	return s->by == CFG_BY_JOB ? end_by_job(j, s) : end_by_mark(j, s);
}

bool
run_take_good_end(struct job *j)
{
	const struct ro_step *s = &j->svc->rollout.steps[j->svc->rollout.at];
	const struct ro_facts_run *f = end_of(j);

	/* What a check has found is looked at when it goes on. */
	if (!machine_wants_run(j->svc) || s->kind == CFG_STEP_CHECK ||
	    f == NULL || f->verdict != RO_VERDICT_OK)
		return false;
	(void)take_end(j);
	j->why[0] = '\0'; /* that is no complaint */
	run_note_done(j, s);
	return true;
}
