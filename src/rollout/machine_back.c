/*
 * How a rollout ends: it is done, stands still, or is taken back; and which
 * of these follows when a step fails.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rollout/machine_step.h"
#include "rollout/steps.h"

void
rollout_note_end(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);

	r->steps[r->at].lasted_us = j->facts->wall_us -
	    MIN(j->facts->wall_us, r->since_us);
}

void
rollout_end(struct job *j, enum ro_stand stand, const char *why)
{
	struct ro_rollout *r = rollout_of(j);
	struct ro_pool *to;

	roll_leave(j);
	count_end(j); /* while it is under way */
	r->held_us = steps_held_us(j->svc, j->facts->wall_us);
	if (r->at < r->n_steps)
		rollout_note_end(j);
	r->stand = (uint8_t)stand;
	r->ended_us = j->facts->wall_us;
	r->paused_us = 0;
	str_copy(str_of(why), r->why, sizeof(r->why));
	to = ro_pool_find(j->svc, r->to);
	if (stand == RO_STAND_DONE && !r->rehearsal && to != NULL)
		to->print = r->print;
}

void
rollout_stand_still(struct job *j, const char *why)
{
	struct ro_rollout *r = rollout_of(j);

	r->stand = RO_STAND_PAUSED;
	r->paused_us = j->facts->wall_us;
	str_copy(str_of(why), r->why, sizeof(r->why));
}

/* ---- the way back ---- */

uint32_t
rollout_share_before(const struct ro_rollout *r, const char *pool)
{
	for (size_t i = 0; i < r->n_before; i++)
		if (strcmp(r->before[i].pool, pool) == 0)
			return r->before[i].share_bp;
	return 0;
}

/* Does it take its share of before again?  any: even if it cannot serve. */
static bool
takes_back(const struct job *j, const struct ro_pool *p, bool any)
{
	return rollout_share_before(&j->svc->rollout, p->name) > 0 &&
	    (any || job_facts(j, p)->eligible > 0 ||
	        (strcmp(p->name, j->svc->rollout.to) == 0 &&
	            roll_has_out(&j->svc->rollout)));
}

static uint32_t
sum_before(const struct job *j, bool any)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < j->svc->n_pools; i++)
		if (takes_back(j, &j->svc->pools[i], any))
			sum += rollout_share_before(&j->svc->rollout,
			    j->svc->pools[i].name);
	return sum;
}

/* Nobody who had a share can serve; one of them is named. */
static enum ro_refusal
refuse_back(struct job *j)
{
	char unfit[JOB_UNFIT_MAX];

	for (size_t i = 0; i < j->svc->n_pools; i++) {
		if (!takes_back(j, &j->svc->pools[i], true))
			continue;
		job_say_unfit(j, &j->svc->pools[i], unfit);
		return job_refuse(j, RO_NO_LAST_POOL,
		    "the shares of before cannot come back: %s", unfit);
	}
	return job_refuse(j, RO_NO_LAST_POOL,
	    "no pool that is there had a share before");
}

/* In proportion to what they had; what rounding leaves goes to the first. */
static void
give_back(struct job *j, uint32_t sum, bool any)
{
	const struct ro_rollout *r = rollout_of(j);
	struct ro_pool *first = NULL;
	uint32_t left = CFG_SHARE_ALL;

	for (size_t i = 0; i < j->svc->n_pools; i++) {
		struct ro_pool *p = &j->svc->pools[i];

		p->share_bp = 0;
		if (!takes_back(j, p, any))
			continue;
		p->share_bp = (uint32_t)((uint64_t)rollout_share_before(r,
		                             p->name) *
		    CFG_SHARE_ALL / sum);
		left -= p->share_bp;
		if (first == NULL)
			first = p;
		pool_activate(p, j->facts->wall_us);
	}
	if (first != NULL)
		first->share_bp += left;
	service_forget_pending(j->svc);
	j->svc->epoch++;
}

static enum ro_refusal
refuse_return(struct job *j, size_t at)
{
	struct buf step = BUF_INIT;
	enum ro_refusal r;

	steps_describe(&rollout_of(j)->steps[at], &step);
	r = job_refuse(j, RO_NO_HALTED,
	    "there is no way back since step %zu, %s", at + 1,
	    step.failed ? "" : step.p);
	buf_free(&step);
	return r;
}

/* A step of it has; else it was an operator, and is his to release. */
static bool
has_held(const struct ro_rollout *r)
{
	for (size_t i = 0; i < r->n_steps; i++)
		if (r->steps[i].kind == CFG_STEP_HOLD && steps_is_past(r, i))
			return true;
	return false;
}

enum ro_refusal
rollout_back(struct job *j, const char *why)
{
	struct ro_rollout *r = rollout_of(j);
	struct ro_pool *to = ro_pool_find(j->svc, r->to);
	uint32_t sum = sum_before(j, false);
	bool any = sum == 0 && j->cmd->force;

	if (r->rehearsal) {
		rollout_end(j, RO_STAND_ROLLED_BACK,
		    why); /* nothing was moved */
		return RO_NO_NONE;
	}
	if (steps_is_past(r, steps_no_return(r)) && !j->cmd->force)
		return refuse_return(j, steps_no_return(r));
	if (any)
		sum = sum_before(j, true);
	if (sum == 0)
		return refuse_back(j);
	give_back(j, sum, any);
	if (to != NULL && to->state == POOL_ACTIVE && to->share_bp == 0)
		pool_begin_drain(j->svc, to, &r->clocks, j->facts->wall_us);
	if (has_held(r))
		service_hold(j->svc, HOLD_NONE, j->facts->wall_us);
	rollout_end(j, RO_STAND_ROLLED_BACK, why);
	return RO_NO_NONE;
}

/*
 * Its users have left the pools before it, and it can serve them: to take that
 * back would move all of them again, for nothing that they would notice.
 */
static bool
is_settled(const struct job *j)
{
	const struct ro_rollout *r = &j->svc->rollout;

	for (size_t i = 0; i < r->at; i++)
		if (r->steps[i].kind == CFG_STEP_DRAIN &&
		    (r->skipped >> i & 1) == 0)
			return step_is_ready(j);
	return false;
}

void
rollout_fail(struct job *j, const char *fmt, ...)
{
	struct ro_rollout *r = rollout_of(j);
	struct buf why = BUF_INIT;
	char text[RO_WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&why, fmt, ap);
	va_end(ap);
	str_copy(buf_str(&why), text, sizeof(text));
	r->failed = true;
	if (r->rehearsal) {
		rollout_end(j, RO_STAND_ABORTED, text);
	} else if (is_settled(j)) {
		if (has_held(r)) /* it can serve those, too */
			service_hold(j->svc, HOLD_NONE, j->facts->wall_us);
		rollout_stand_still(j, text);
	} else if (r->on_failure == CFG_FAILURE_PAUSE) {
		rollout_stand_still(j, text);
	} else if (rollout_back(j, text) != RO_NO_NONE) {
		buf_printf(&why, "; %s", j->why);
		str_copy(buf_str(&why), text, sizeof(text));
		rollout_stand_still(j, text);
	}
	buf_free(&why);
}

bool
rollout_has_before(const struct job *j)
{
	return sum_before(j, true) > 0;
}
