/*
 * The step roll: the instances of a pool one by one.  Each is taken out, what
 * it has on its hands ends, the operator's job renews it, it proves itself, and
 * it comes in again; the next one goes only while all others can serve.
 */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "rollout/machine_int.h"
#include "rollout/steps.h"

static struct ro_roll *
roll_of(const struct job *j)
{
	return &j->svc->rollout.roll;
}

static const struct ro_facts_roll *
facts_of(const struct job *j)
{
	static const struct ro_facts_roll nothing = { .lost = false };

	return j->facts->rolls == NULL ? &nothing : &j->facts->rolls[j->svc_at];
}

static enum ending
go_to(struct job *j, enum ro_roll_phase phase)
{
	roll_of(j)->phase = (uint8_t)phase;
	roll_of(j)->since_us = j->facts->wall_us;
	return ADVANCED;
}

static bool
is_over(const struct job *j, uint64_t for_us)
{
	return j->facts->wall_us >= roll_of(j)->since_us + for_us;
}

/* Leaves why. */
static enum ending
turn(struct job *j, enum inst_admin admin, enum ro_roll_phase then)
{
	if (instance_turn(j, roll_of(j)->now, admin) != RO_NO_NONE)
		return BAD;
	return go_to(j, then);
}

static bool
is_spare(const struct ro_roll *r)
{
	return r->spare[0] != '\0' && strcmp(r->now, r->spare) == 0;
}

/* Each instance has a run of its own: what ran was for one of them. */
static void
forget_run(struct job *j)
{
	j->svc->rollout.ran &= ~rollout_bit(&j->svc->rollout);
}

/* It is in, or gone: what is next is looked for anew. */
static enum ending
let_go(struct job *j)
{
	struct ro_roll *r = roll_of(j);

	if (is_spare(r))
		r->spare[0] = '\0';
	r->now[0] = '\0';
	forget_run(j);
	return go_to(j, ROLL_NEXT);
}

/* It gets nothing new; for a while its sessions may stay. */
static enum ending
take_out(struct job *j, const struct ro_step *s)
{
	return s->for_us > 0 ? turn(j, INST_DRAIN, ROLL_LEAVE)
	                     : turn(j, INST_MAINT, ROLL_EMPTY);
}

/* ---- which is next ---- */

/* All are done: the one that stood in goes out again. */
static enum ending
finish(struct job *j)
{
	struct ro_roll *r = roll_of(j);

	if (r->spare[0] == '\0' || !facts_of(j)->spare_in)
		return ENDED;
	memcpy(r->now, r->spare, sizeof(r->now));
	return turn(j, INST_MAINT, ROLL_LAST);
}

/* Would nobody serve the pool's share meanwhile? */
static bool
is_alone(const struct job *j)
{
	return j->pool->share_bp > 0 && j->svc->hold != HOLD_ALL &&
	    job_facts(j, j->pool)->eligible <= 1;
}

static bool
ran_whole(const struct job *j)
{
	return (j->svc->rollout.ran & rollout_bit(&j->svc->rollout)) != 0;
}

static enum ending
take_next(struct job *j, const struct ro_step *s)
{
	const struct ro_facts_pool *pool = job_facts(j, j->pool);
	const struct ro_facts_roll *f = facts_of(j);
	struct ro_roll *r = roll_of(j);

	if (r->last[0] == '\0' && r->spare[0] == '\0' && ran_whole(j))
		return ENDED; /* not twice on a way back */
	if (f->lost) {
		(void)snprintf(j->why, j->cap,
		    "%s is no instance of %s any more, and nobody knows which "
		    "came after it",
		    r->last, j->pool->name);
		return BAD;
	}
	/* What has no share has nobody to keep. */
	if (!pool->view_current ||
	    ((!pool->ready || f->resting) && j->pool->share_bp > 0))
		return GOES_ON;
	if (s->surge && r->spare[0] == '\0') {
		if (f->spare[0] == '\0') {
			(void)snprintf(j->why, j->cap,
			    "no instance of %s is in maintenance any more, to "
			    "stand in",
			    j->pool->name);
			return BAD;
		}
		memcpy(r->spare, f->spare, sizeof(r->spare));
		memcpy(r->now, f->spare, sizeof(r->now));
		return go_to(j, ROLL_EMPTY);
	}
	if (f->next[0] == '\0')
		return finish(j);
	if (is_alone(j)) {
		(void)snprintf(j->why, j->cap,
		    "nobody would serve while %s of %s is renewed; a step hold "
		    "before it, or surge, helps",
		    f->next, j->pool->name);
		return BAD;
	}
	memcpy(r->now, f->next, sizeof(r->now));
	return take_out(j, s);
}

/* ---- the one at hand ---- */

static enum ending
end_leave(struct job *j, const struct ro_step *s)
{
	if (facts_of(j)->in)
		return let_go(j);
	return is_over(j, s->for_us) ? turn(j, INST_MAINT, ROLL_EMPTY)
	                             : GOES_ON;
}

/* Nothing of it is on its way, or what is has had its time. */
static bool
is_empty(const struct job *j)
{
	const struct ro_drain *c = &j->svc->rollout.clocks;
	const struct ro_facts_roll *f = facts_of(j);

	return job_facts(j, j->pool)->view_current &&
	    (f->inflight == 0 || is_over(j, c->requests_us)) &&
	    (f->streams == 0 || is_over(j, c->streams_us));
}

static enum ending
end_empty(struct job *j, const struct ro_step *s)
{
	if (facts_of(j)->in)
		return let_go(j); /* an operator put it in */
	if (!is_empty(j))
		return GOES_ON;
	(void)run_enter(j, s);
	return go_to(j, ROLL_JOB);
}

static enum ending
end_job(struct job *j, const struct ro_step *s)
{
	enum ending e = run_end(j, s);

	if (e != ENDED)
		return e;
	forget_run(j);
	return go_to(j, ROLL_PROOF);
}

/* What a probe found that began before the job had ended is no proof. */
static enum ending
end_proof(struct job *j, const struct ro_step *s UNUSED)
{
	const struct ro_facts_roll *f = facts_of(j);
	struct ro_roll *r = roll_of(j);
	enum ending e;

	if (!f->up || f->proved_us <= r->since_us)
		return GOES_ON;
	e = turn(j, INST_IN, ROLL_NEXT);
	if (e != ADVANCED)
		return e;
	if (!is_spare(r)) {
		memcpy(r->last, r->now, sizeof(r->last));
		r->done++;
	}
	r->now[0] = '\0';
	return e;
}

static enum ending
end_last(struct job *j, const struct ro_step *s UNUSED)
{
	return is_empty(j) ? ENDED : GOES_ON;
}

static enum ending (*const phases[])(struct job *, const struct ro_step *) = {
	[ROLL_NEXT] = take_next,
	[ROLL_LEAVE] = end_leave,
	[ROLL_EMPTY] = end_empty,
	[ROLL_JOB] = end_job,
	[ROLL_PROOF] = end_proof,
	[ROLL_LAST] = end_last,
};

enum ending
roll_end(struct job *j, const struct ro_step *s)
{
	struct ro_roll *r = roll_of(j);
	enum ending e;

	if (r->now[0] != '\0' && !facts_of(j)->exists) {
		(void)snprintf(j->why, j->cap,
		    "%s is no instance of %s any more", r->now, j->pool->name);
		return BAD;
	}
	e = phases[r->phase](j, s);
	if (e == ENDED) {
		*r = (struct ro_roll){ .done = r->done };
		j->svc->rollout.ran |= rollout_bit(&j->svc->rollout);
	}
	return e;
}

/* ---- the beginning, and ends before the end ---- */

enum ro_refusal
roll_enter(struct job *j, const struct ro_step *s)
{
	const struct ro_facts_roll *f = facts_of(j);
	struct ro_roll *r = roll_of(j);

	if (f->added[0] != '\0')
		return job_refuse(j, RO_NO_ROLLOUT,
		    "%s of %s was added by a command, so no job knows it; put "
		    "it into the configuration, or remove it",
		    f->added, j->pool->name);
	if (s->surge && r->spare[0] == '\0' && f->spare[0] == '\0')
		return job_refuse(j, RO_NO_ROLLOUT,
		    "no instance of %s is in maintenance, to stand in for "
		    "those that are renewed; \"segue instance NAME maint\" "
		    "puts one there",
		    j->pool->name);
	if (r->now[0] != '\0' && (!f->exists || f->in))
		(void)let_go(j);
	if (r->now[0] != '\0' && !is_spare(r))
		return take_out(j, s) == ADVANCED ? RO_NO_NONE : RO_NO_TOO_MANY;
	(void)go_to(j, is_spare(r) ? ROLL_EMPTY : ROLL_NEXT);
	return RO_NO_NONE;
}

bool
roll_has_out(const struct ro_rollout *r)
{
	return r->roll.now[0] != '\0' && !is_spare(&r->roll);
}

void
roll_take_in(struct job *j)
{
	struct job own = *j; /* a command may name no pool */

	own.pool = ro_pool_find(j->svc, j->svc->rollout.to);
	if (own.pool != NULL && roll_has_out(&j->svc->rollout))
		(void)instance_turn(&own, roll_of(j)->now, INST_IN);
}

void
roll_leave(struct job *j)
{
	struct ro_roll *r = roll_of(j);

	roll_take_in(j);
	if (r->now[0] != '\0')
		forget_run(j);
	*r = (struct ro_roll){ .done = r->done };
}

bool
roll_skip_run(struct job *j)
{
	if (roll_of(j)->phase != ROLL_JOB)
		return false;
	forget_run(j);
	(void)go_to(j, ROLL_PROOF);
	return true;
}

bool
roll_wants_run(const struct ro_rollout *r)
{
	return r->steps[r->at].kind != CFG_STEP_ROLL ||
	    r->roll.phase == ROLL_JOB;
}

/* ---- what it waits for ---- */

static void
say_empty(const struct job *j, char *out, size_t cap)
{
	const struct ro_facts_roll *f = facts_of(j);

	(void)snprintf(out, cap,
	    "%s has %llu requests and %llu streams on its way", roll_of(j)->now,
	    (unsigned long long)f->inflight, (unsigned long long)f->streams);
}

void
roll_holds(const struct job *j, char *out, size_t cap)
{
	const struct ro_roll *r = roll_of(j);

	out[0] = '\0';
	switch ((enum ro_roll_phase)r->phase) {
	case ROLL_NEXT:
		if (!job_facts(j, j->pool)->ready)
			(void)snprintf(out, cap, "%s is not ready: %s",
			    j->pool->name, job_facts(j, j->pool)->unready);
		else if (facts_of(j)->resting)
			(void)snprintf(out, cap,
			    "an instance of %s rests, as it failed",
			    j->pool->name);
		else
			(void)snprintf(out, cap,
			    "workers have to take over "
			    "what was decided");
		break;
	case ROLL_LEAVE:
		(void)snprintf(out, cap, "%s keeps the sessions that it has",
		    r->now);
		break;
	case ROLL_EMPTY:
	case ROLL_LAST:
		say_empty(j, out, cap);
		break;
	case ROLL_JOB:
		(void)snprintf(out, cap, "job %s runs for %s",
		    j->svc->rollout.steps[j->svc->rollout.at].job, r->now);
		break;
	case ROLL_PROOF:
		(void)snprintf(out, cap, "%s has to prove itself anew", r->now);
		break;
	case RO_ROLL_PHASE_COUNT:
		break;
	}
}

bool
roll_is_late(const struct job *j, uint64_t limit_us)
{
	const struct ro_roll *r = roll_of(j);

	return (r->phase == ROLL_NEXT || r->phase == ROLL_PROOF) &&
	    is_over(j, limit_us);
}

uint64_t
roll_due(const struct job *j, const struct ro_step *s)
{
	const struct ro_roll *r = roll_of(j);

	switch ((enum ro_roll_phase)r->phase) {
	case ROLL_LEAVE:
		return r->since_us + s->for_us;
	case ROLL_JOB:
		return 0;
	case ROLL_NEXT:
		return s->deadline_us == 0 ? 0 : r->since_us + s->deadline_us;
	default: /* nobody tells when the last of it ends, or a probe passed */
		return j->facts->wall_us + ROLL_LOOK_US;
	}
}
