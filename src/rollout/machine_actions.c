/*
 * What a rollout is told by operators.
 */
#include <stdio.h>
#include <string.h>

#include "rollout/machine_step.h"
#include "rollout/mark.h"
#include "rollout/steps.h"

#define X(id, name) [RO_ACTION_##id] = (name),
static const char *const action_names[] = { RO_ACTIONS(X) };
#undef X

const char *
ro_action_name(enum ro_action a)
{
	return action_names[a];
}

#define HERE_MAX 256

static void
say_where(const struct ro_rollout *r, char out[HERE_MAX])
{
	struct buf text = BUF_INIT;

	steps_where(r, &text);
	str_copy(buf_str(&text), out, HERE_MAX);
	buf_free(&text);
}

static enum ro_refusal
refuse_none(struct job *j)
{
	const struct ro_rollout *r = rollout_of(j);

	const char *back = NULL;
	char here[HERE_MAX];

	if (r->stand == RO_STAND_NONE)
		return job_refuse(j, RO_NO_ROLLOUT, "there is no rollout of %s",
		    j->svc->name);
	say_where(r, here);
	for (size_t i = 0; i < r->n_before; i++)
		if (r->before[i].share_bp > 0 &&
		    strcmp(r->before[i].pool, r->to) != 0)
			back = r->before[i].pool;
	if (j->cmd->action == RO_ACTION_ROLLBACK && back != NULL &&
	    !r->rehearsal && r->stand == RO_STAND_DONE)
		return job_refuse(j, RO_NO_ROLLOUT,
		    "the rollout of %s to %s is %s; \"segue switch %s "
		    "--when-ready\" takes it back",
		    j->svc->name, r->to, here, back);
	return job_refuse(j, RO_NO_ROLLOUT, "the rollout of %s to %s is %s",
	    j->svc->name, r->to, here);
}

static enum ro_refusal
refuse_under_way(struct job *j)
{
	const struct ro_rollout *r = rollout_of(j);
	char here[HERE_MAX];

	say_where(r, here);
	return job_refuse(j, RO_NO_ROLLOUT,
	    "a rollout of %s to %s is under way: %s", j->svc->name, r->to,
	    here);
}

enum ro_refusal
rollout_forbids(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);
	enum ro_refusal refusal;
	size_t len;

	if (r->rehearsal)
		return RO_NO_NONE; /* it looks at nothing that could move */
	r->moved |= r->stand == RO_STAND_PAUSED;
	if (r->stand != RO_STAND_RUNNING)
		return RO_NO_NONE;
	refusal = refuse_under_way(j);
	len = strlen(j->why);
	(void)snprintf(j->why + len, j->cap - len,
	    "; \"segue rollout pause\" lets you do it yourself");
	return refusal;
}

/* Is it out of use: no share, and nothing that depends on it? */
static bool
is_unused(const struct job *j, const struct ro_pool *p)
{
	const struct ro_facts_pool *f = job_facts(j, p);

	return p->share_bp == 0 && p->state != POOL_DRAINING &&
	    (p->state != POOL_ACTIVE ||
	        (f->inflight == 0 && f->streams == 0 && f->eligible == 0));
}

/* One between the old version and this has to be all there is. */
static enum ro_refusal
may_follow(struct job *j)
{
	const char *requires = job_facts(j, j->pool)->requires;

	if (requires == NULL || requires[0] == '\0')
		return RO_NO_NONE;
	for (size_t i = 0; i < j->svc->n_pools; i++) {
		const struct ro_pool *p = &j->svc->pools[i];

		if (strcmp(p->name, requires) == 0
		        ? p->share_bp == CFG_SHARE_ALL
		        : p == j->pool || is_unused(j, p))
			continue;
		return job_refuse(j, RO_NO_ROLLOUT,
		    "%s follows %s alone, and %s %s", j->pool->name, requires,
		    p->name,
		    strcmp(p->name, requires) == 0
		        ? "has not all of new sessions"
		        : "is still in use");
	}
	return RO_NO_NONE;
}

/* It carries out a plan: is all as it was when that was made? */
static enum ro_refusal
is_as_planned(struct job *j)
{
	const struct ro_command *c = j->cmd;
	struct buf what = BUF_INIT;
	enum ro_refusal r;

	if (!c->mark.set || mark_is(&c->mark, &c->now))
		return RO_NO_NONE;
	if (!c->now.set)
		return RO_NO_NO_MEMORY;
	mark_explain(&c->mark, &c->now, j->s, j->svc_at, j->facts, &what);
	r = job_refuse(j, RO_NO_MOVED,
	    "the plan was made in another world: %s; \"segue plan --to %s\" "
	    "makes one of now",
	    what.failed ? "" : what.p, j->pool->name);
	buf_free(&what);
	return r;
}

/*
 * It renews the instances of the pool that serves, where they are.  A share
 * would take from that, and give to who knows whom.
 */
static bool
may_stay(const struct ro_rollout *plan)
{
	return steps_have(plan, CFG_STEP_ROLL) &&
	    !steps_have(plan, CFG_STEP_SHARE);
}

/* The pool that has all of new sessions, if it is what is planned. */
static const struct ro_pool *
what_serves(const struct job *j)
{
	for (size_t i = 0; i < j->svc->n_pools; i++)
		if (j->svc->pools[i].share_bp == CFG_SHARE_ALL &&
		    j->svc->pools[i].print == j->cmd->plan->print)
			return &j->svc->pools[i];
	return NULL;
}

static enum ro_refusal
may_start(struct job *j)
{
	enum ro_refusal r = is_as_planned(j);

	if (r != RO_NO_NONE)
		return r;
	if (steps_under_way(rollout_of(j)))
		return refuse_under_way(j);
	if (j->cmd->if_changed && what_serves(j) != NULL)
		return job_refuse(j, RO_NO_UNCHANGED,
		    "nothing to do: %s serves all new sessions, and neither "
		    "version, revision nor a job of %s is another",
		    what_serves(j)->name, j->pool->name);
	if (j->pool->state == POOL_DRAINING)
		return job_refuse(j, RO_NO_DRAINING,
		    "%s is draining; \"segue undrain %s\" takes it back first",
		    j->pool->name, j->pool->name);
	if (j->pool->share_bp == CFG_SHARE_ALL && !may_stay(j->cmd->plan))
		return job_refuse(j, RO_NO_ROLLOUT,
		    "%s has all of new sessions already", j->pool->name);
	return may_follow(j);
}

static enum ro_refusal
start(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);
	enum ro_refusal refusal = may_start(j);
	uint64_t id = r->id + 1;

	if (refusal != RO_NO_NONE)
		return refusal;
	count_keep_past(j->svc);
	*r = *j->cmd->plan;
	r->id = id;
	r->stand = RO_STAND_RUNNING;
	r->at = 0;
	r->runs = r->ran = r->begun = 0;
	r->path = RO_PATH_UNKNOWN;
	r->roll = (struct ro_roll){ .done = 0 };
	r->rehearsal = j->cmd->rehearse;
	count_begin(j);
	r->hold_until_us = r->held_us = 0;
	r->entered = r->failed = r->moved = r->unknown = false;
	r->began_us = r->since_us = j->facts->wall_us;
	r->ended_us = r->paused_us = 0;
	r->why[0] = '\0';
	str_copy(str_of(j->pool->name), r->to, sizeof(r->to));
	job_sign(j, r->who);
	r->n_before = j->svc->n_pools;
	for (size_t i = 0; i < r->n_before; i++) {
		str_copy(str_of(j->svc->pools[i].name), r->before[i].pool,
		    sizeof(r->before[i].pool));
		r->before[i].share_bp = j->svc->pools[i].share_bp;
	}
	if (r->rehearsal)
		return RO_NO_NONE;
	if (j->cmd->rerun)
		run_forget_done(j->svc);
	j->pool->print = 0; /* until it is done nobody knows what it is */
	/* What was drained proves itself anew. */
	if (j->pool->state == POOL_DRAINED || j->pool->state == POOL_RETIRED)
		pool_goto(j->pool, POOL_STARTING, j->facts->wall_us);
	service_forget_pending(j->svc);
	return RO_NO_NONE;
}

static enum ro_refusal
pause_it(struct job *j)
{
	if (rollout_of(j)->stand == RO_STAND_RUNNING)
		rollout_stand_still(j, "an operator paused it");
	return RO_NO_NONE;
}

static enum ro_refusal
may_resume(struct job *j)
{
	const struct ro_pool *p = ro_pool_find(j->svc, rollout_of(j)->to);

	if (p == NULL || rollout_of(j)->rehearsal ||
	    (p->state != POOL_DRAINING && p->state != POOL_DRAINED &&
	        p->state != POOL_RETIRED))
		return RO_NO_NONE;
	return job_refuse(j, RO_NO_DRAINING,
	    "%s is %s; \"segue undrain %s\" takes it back first", p->name,
	    pool_state_name((enum pool_state)p->state), p->name);
}

static void
run_on(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);

	r->failed = r->unknown = false;
	r->stand = RO_STAND_RUNNING;
	r->paused_us = 0;
	r->why[0] = '\0';
}

/*
 * The time of the pause counts for no step.  One that failed begins anew, as
 * does an analysis; what an operator moved meanwhile is moved again, once a job
 * that runs has ended.
 */
static enum ro_refusal
go_on(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);
	enum ro_refusal refusal = may_resume(j);
	bool moves = r->moved && !machine_wants_run(j->svc);

	if (r->stand == RO_STAND_RUNNING || refusal != RO_NO_NONE)
		return refusal;
	if (r->failed || moves || step_of(r)->kind == CFG_STEP_ANALYZE ||
	    step_of(r)->kind == CFG_STEP_MIRROR)
		rollout_begin_anew(j);
	else if (j->facts->wall_us > r->paused_us) {
		r->since_us += j->facts->wall_us - r->paused_us;
		r->roll.since_us += j->facts->wall_us - r->paused_us;
	}
	run_on(j);
	return RO_NO_NONE;
}

/* Of a job that may have run to its end only "retry" makes another run. */
static enum ro_refusal
resume(struct job *j)
{
	const struct ro_rollout *r = rollout_of(j);

	if (!r->unknown)
		return go_on(j);
	return job_refuse(j, RO_NO_HALTED,
	    "%s; \"segue rollout retry\" runs it again, skip takes it for done",
	    r->why);
}

static enum ro_refusal
retry(struct job *j)
{
	char here[HERE_MAX];

	if (rollout_of(j)->failed)
		return go_on(j);
	say_where(rollout_of(j), here);
	return job_refuse(j, RO_NO_ROLLOUT, "no step has failed: %s", here);
}

static enum ro_refusal
approve(struct job *j)
{
	const struct ro_rollout *r = rollout_of(j);
	char here[HERE_MAX];

	if (r->stand == RO_STAND_RUNNING && r->entered &&
	    step_of(r)->kind == CFG_STEP_APPROVE) {
		rollout_next_step(j);
		return RO_NO_NONE;
	}
	say_where(r, here);
	return job_refuse(j, RO_NO_ROLLOUT, "nothing waits for approval: %s",
	    here);
}

/* The step counts as done, whatever has become of it. */
static enum ro_refusal
skip(struct job *j)
{
	enum ro_refusal r = may_resume(j);

	if (r != RO_NO_NONE)
		return r;
	if (rollout_of(j)->unknown &&
	    step_of(rollout_of(j))->kind == CFG_STEP_ROLL && roll_skip_run(j)) {
		run_on(j);
		return RO_NO_NONE;
	}
	rollout_of(j)->moved = false; /* it is where they want it */
	rollout_of(j)->skipped |= rollout_bit(rollout_of(j));
	if (rollout_of(j)->unknown)
		run_note_done(j, step_of(rollout_of(j)));
	if (step_of(rollout_of(j))->kind == CFG_STEP_CHECK)
		rollout_of(j)->path = RO_PATH_ROLLING; /* they know */
	r = go_on(j);
	rollout_next_step(j);
	return r;
}

static enum ro_refusal
give_up(struct job *j)
{
	rollout_end(j, RO_STAND_ABORTED, "an operator gave it up");
	return RO_NO_NONE;
}

static enum ro_refusal
roll_back_now(struct job *j)
{
	enum ro_refusal refusal = rollout_back(j, "an operator took it back");
	size_t len = strlen(j->why);

	if (refusal != RO_NO_NONE && !j->cmd->force && rollout_has_before(j))
		(void)snprintf(j->why + len, j->cap - len,
		    "; --force does it all the same");
	return refusal;
}

/* One row an action; all but start need a rollout that is under way. */
static enum ro_refusal (*const actions[])(struct job *) = {
	[RO_ACTION_START] = start,
	[RO_ACTION_PAUSE] = pause_it,
	[RO_ACTION_RESUME] = resume,
	[RO_ACTION_APPROVE] = approve,
	[RO_ACTION_SKIP] = skip,
	[RO_ACTION_RETRY] = retry,
	[RO_ACTION_ABORT] = give_up,
	[RO_ACTION_ROLLBACK] = roll_back_now,
};

enum ro_refusal
rollout_check(struct job *j)
{
	bool starts = j->cmd->action == RO_ACTION_START;

	if (j->cmd->action >= RO_ACTION_COUNT)
		return job_refuse(j, RO_NO_BAD_VALUE,
		    "there is no such action");
	if (starts &&
	    (j->pool == NULL || j->cmd->plan == NULL ||
	        j->cmd->plan->n_steps == 0))
		return job_refuse(j, RO_NO_NO_POOL,
		    "to which pool?  --to names it");
	if (!starts && (j->cmd->mark.set || j->cmd->rehearse))
		return job_refuse(j, RO_NO_BAD_VALUE,
		    "only a start carries out a plan, or is a rehearsal");
	if (!starts && !steps_under_way(rollout_of(j)))
		return refuse_none(j);
	return RO_NO_NONE;
}

enum ro_refusal
rollout_command(struct job *j)
{
	(void)run_take_good_end(j);
	return actions[j->cmd->action](j);
}
