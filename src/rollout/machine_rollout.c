/*
 * What a rollout decides with time: which step comes next, and what follows
 * when one fails.  Its steps do what commands do.
 */
#include <stdio.h>
#include <string.h>

#include "rollout/machine_step.h"
#include "rollout/steps.h"

void
rollout_next_step(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);

	rollout_note_end(j);
	if (step_of(r)->kind == CFG_STEP_ROLL)
		roll_leave(j);
	r->at++;
	r->entered = false;
	r->since_us = j->facts->wall_us;
	if (r->at == r->n_steps)
		rollout_end(j, RO_STAND_DONE, "");
}

/* The step that last gave it what it has, if any has. */
static void
go_back(struct ro_rollout *r)
{
	r->skipped &= (UINT32_C(1) << r->at) - 1;
	for (size_t i = r->at + 1; i-- > 0;) {
		if (r->steps[i].kind != CFG_STEP_SHARE &&
		    r->steps[i].kind != CFG_STEP_PROMOTE)
			continue;
		r->at = i;
		return;
	}
}

void
rollout_begin_anew(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);

	if (r->moved)
		go_back(r);
	r->moved = r->entered = false;
	r->since_us = j->facts->wall_us;
}

static void
fail_late(struct job *j, const struct ro_step *s)
{
	const char *unready = job_facts(j, j->pool)->unready;
	struct ro_rollout *r = rollout_of(j);
	char holds[MACHINE_HOLDS_MAX], waits[JOB_UNFIT_MAX];

	if (s->kind == CFG_STEP_ROLL) {
		roll_holds(j, holds, sizeof(holds));
		rollout_fail(j, "%s, for longer than it may", holds);
	} else if (s->kind == CFG_STEP_DRAIN) {
		/* It serves: to take that back would move all of them again. */
		(void)snprintf(j->why, j->cap, "%s %s", j->pool->name,
		    step_kinds[s->kind].late);
		r->failed = true;
		rollout_stand_still(j, j->why);
	} else if (step_kinds[s->kind].late == NULL && r->entered)
		rollout_fail(j, "job %s did not end in time", s->job);
	else if (step_kinds[s->kind].of_others)
		rollout_fail(j, "%s in time", step_kinds[s->kind].late);
	else if (!job_can_serve(j, j->pool) && unready[0] != '\0')
		rollout_fail(j, "%s is not ready in time: %s", j->pool->name,
		    unready);
	else if (!r->entered && step_waits(j, s, waits))
		rollout_fail(j, "%s %s in time: %s", j->pool->name,
		    step_kinds[s->kind].late, waits);
	else
		rollout_fail(j, "%s %s in time", j->pool->name,
		    step_kinds[s->kind].late);
}

/* The step's action; what forbids it, fails it. */
static void
enter(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);
	const struct ro_step *s = step_of(r);

	if (step_kinds[s->kind].enter(j, s) == RO_NO_NONE) {
		r->entered = true;
		if (!r->rehearsal)
			r->begun |= rollout_bit(r);
		return;
	}
	rollout_fail(j, "%s", j->why);
}

/* So long after a start it may be unknown whether anybody is ready. */
#define BLIND_LIMIT_US (UINT64_C(60) * 1000000)

/* It has sessions, and nobody to serve them. */
static bool
is_empty(const struct job *j)
{
	return j->pool->state == POOL_ACTIVE && j->pool->share_bp > 0 &&
	    job_facts(j, j->pool)->eligible == 0 &&
	    !(j->svc->hold == HOLD_ALL &&
	        (rollout_is_its_own(j) || j->svc->rollout.roll.now[0] != '\0'));
}

/* ... it could serve before, or has had its time to. */
static bool
is_lost(const struct job *j)
{
	const struct ro_rollout *r = &j->svc->rollout;

	return is_empty(j) &&
	    (j->pool->life == RO_LIFE_DEAD ||
	        (r->blind_us != 0 &&
	            j->facts->wall_us >= r->blind_us + BLIND_LIMIT_US));
}

/* Begins or ends the time for which it is unknown; has it? */
static bool
note_blindness(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);
	uint64_t was = r->blind_us;

	if (!is_empty(j))
		r->blind_us = 0;
	else if (was == 0)
		r->blind_us = j->facts->wall_us;
	return r->blind_us != was;
}

/* Requests wait meanwhile, and nobody tells when the last of others ends. */
#define HURRY_US (UINT64_C(20) * 1000)

/* When to look again though nothing happens. */
static void
ask_again(const struct job *j, uint64_t *due_us)
{
	const struct ro_rollout *r = &j->svc->rollout;
	const struct ro_step *s = step_of(r);
	bool hurries = s->kind == CFG_STEP_HOLD || s->kind == CFG_STEP_RELEASE;
	uint64_t all[] = { r->since_us + s->for_us,
		r->since_us + s->deadline_us, r->hold_until_us,
		hurries ? j->facts->wall_us + HURRY_US : 0,
		s->kind == CFG_STEP_ROLL ? roll_due(j, s) : 0 };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i] > j->facts->wall_us &&
		    (*due_us == 0 || all[i] < *due_us))
			*due_us = all[i];
}

/* The step was entered: has it come to something? */
static enum ro_changed
look_at_step(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);
	const struct ro_step *s = step_of(r);

	switch (step_kinds[s->kind].end(j, s)) {
	case ENDED:
		if (r->moved)
			rollout_begin_anew(j);
		else
			rollout_next_step(j);
		return RO_HARD;
	case BAD:
		rollout_fail(j, "%s", j->why);
		return RO_HARD;
	case UNCLEAR:
		if (r->rehearsal) {
			rollout_fail(j, "it would stand still: %s", j->why);
			return RO_HARD;
		}
		r->failed = true;
		rollout_stand_still(j, j->why);
		return RO_HARD;
	case ADVANCED:
		return RO_HARD;
	case GOES_ON:
		break;
	}
	return RO_SAME;
}

static bool
is_late(const struct job *j)
{
	const struct ro_rollout *r = &j->svc->rollout;
	uint64_t limit_us = step_of(r)->deadline_us;

	if (step_of(r)->kind == CFG_STEP_ROLL && r->entered)
		return limit_us != 0 && roll_is_late(j, limit_us);
	return limit_us != 0 && j->facts->wall_us >= r->since_us + limit_us;
}

/*
 * A step that is for the other path than its check has found.  A rehearsal
 * whose check could not be made goes through both.
 */
static bool
is_left_out(const struct ro_rollout *r)
{
	if (r->rehearsal && r->path == RO_PATH_UNKNOWN)
		return false;
	return (step_of(r)->only == CFG_ONLY_ROLLING &&
	           r->path != RO_PATH_ROLLING) ||
	    (step_of(r)->only == CFG_ONLY_RECREATE &&
	        r->path != RO_PATH_RECREATE);
}

/*
 * In a rehearsal: it only runs no command, or it runs one at instances that
 * serve; it would move traffic, or wait.
 */
static bool
is_only_passed(const struct job *j)
{
	const struct ro_rollout *r = &j->svc->rollout;
	const struct ro_step *s = step_of(r);
	char why[JOB_UNFIT_MAX];

	if (!r->rehearsal || s->kind == CFG_STEP_CHECK)
		return false;
	return s->kind == CFG_STEP_ROLL || !steps_has_job(s) ||
	    (!r->entered && step_waits(j, s, why));
}

static void
pass_step(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);
	struct ro_step *s = &r->steps[r->at];
	char why[JOB_UNFIT_MAX];

	s->said[0] = '\0';
	if (step_waits(j, s, why))
		(void)snprintf(s->said, sizeof(s->said),
		    "it would wait: %.128s", why);
	rollout_next_step(j);
}

/* The rollout of a service goes on by one step at most. */
static enum ro_changed
advance(struct job *j, uint64_t *due_us)
{
	struct ro_rollout *r = rollout_of(j);
	const struct ro_step *s = step_of(r);
	enum ro_changed changed = RO_SAME;

	if (!r->rehearsal && is_lost(j)) {
		roll_take_in(j);
		rollout_fail(j, "%s can serve no more: %s", j->pool->name,
		    job_facts(j, j->pool)->unready);
		return RO_HARD;
	}
	if (r->hold_until_us != 0 && j->facts->wall_us >= r->hold_until_us) {
		r->hold_until_us = 0;
		rollout_fail(j,
		    "requests were held for as long as they may be");
		return RO_HARD;
	}
	if (!r->entered && is_left_out(r)) {
		r->skipped |= rollout_bit(r);
		rollout_next_step(j);
		return RO_HARD;
	}
	if (is_only_passed(j)) {
		pass_step(j);
		return RO_HARD;
	}
	if (!r->entered && step_kinds[s->kind].may_enter(j)) {
		enter(j);
		return RO_HARD;
	}
	if (r->entered)
		changed = look_at_step(j);
	if (changed != RO_SAME)
		return changed;
	if (is_late(j)) {
		fail_late(j, s);
		return RO_HARD;
	}
	ask_again(j, due_us);
	return note_blindness(j) ? RO_TOLD : RO_SAME;
}

void
machine_rollout_holds(const struct ro_state *s, size_t service,
    const struct ro_facts *facts, char out[MACHINE_HOLDS_MAX])
{
	struct ro_service *svc = &s->services[service];
	const struct ro_rollout *r = &svc->rollout;
	struct job j = { .facts = facts, .svc = svc, .svc_at = service };
	const struct ro_step *step;
	char waits[JOB_UNFIT_MAX];

	out[0] = '\0';
	j.pool = ro_pool_find(svc, r->to);
	if (!steps_under_way(r) || j.pool == NULL)
		return;
	step = step_of(r);
	if (r->stand == RO_STAND_PAUSED) {
		(void)snprintf(out, MACHINE_HOLDS_MAX, "%s",
		    r->unknown
		        ? "\"segue rollout retry\" runs the job again, skip "
		          "takes it for done"
		        : r->failed
		        ? "\"segue rollout resume\" begins the step anew, "
		          "skip goes on without it"
		        : "\"segue rollout resume\" lets it go on");
	} else if (step->kind == CFG_STEP_APPROVE) {
		(void)snprintf(out, MACHINE_HOLDS_MAX,
		    "it waits for \"segue rollout approve\"");
	} else if (step->kind == CFG_STEP_WINDOW) {
		window_holds(&j, step, out, MACHINE_HOLDS_MAX);
	} else if (step->kind == CFG_STEP_ROLL) {
		roll_holds(&j, out, MACHINE_HOLDS_MAX);
	} else if (machine_wants_run(svc)) {
		(void)snprintf(out, MACHINE_HOLDS_MAX, "job %s runs",
		    step->job);
	} else if (step_waits(&j, step, waits)) {
		str_copy(str_of(waits), out, MACHINE_HOLDS_MAX);
	}
}

static enum ro_changed
go_on(struct job *j, uint64_t *due_us)
{
	if (rollout_of(j)->stand == RO_STAND_RUNNING)
		return advance(j, due_us);
	return run_take_good_end(j) ? RO_HARD : RO_SAME;
}

enum ro_changed
rollout_clock(struct ro_state *s, size_t at, const struct ro_facts *facts,
    uint64_t *due_us)
{
	struct ro_command cmd = { .verb = RO_ROLLOUT };
	char why[2 * RO_WHY_MAX] = "";
	struct job j = { .s = s,
		.facts = facts,
		.cmd = &cmd,
		.svc = &s->services[at],
		.svc_at = at,
		.why = why,
		.cap = sizeof(why) };
	enum ro_changed changed;
	bool more;

	if (!steps_under_way(&j.svc->rollout))
		return RO_SAME;
	j.pool = ro_pool_find(j.svc, j.svc->rollout.to);
	if (j.pool == NULL)
		return RO_SAME;
	more = timeline_note(&j.svc->rollout,
	    facts->counts == NULL ? NULL : &facts->counts[at], facts->wall_us,
	    due_us);
	changed = go_on(&j, due_us);
	return changed == RO_SAME && more ? RO_HARD : changed;
}
