/*
 * What each kind of step does, and when it is done.
 */
#include <stdio.h>
#include <string.h>

#include "rollout/machine_step.h"
#include "rollout/steps.h"

static enum ro_refusal
enter_nothing(struct job *j UNUSED, const struct ro_step *s UNUSED)
{
	return RO_NO_NONE;
}

static enum ro_refusal
enter_share(struct job *j, const struct ro_step *s)
{
	struct ro_command cmd = *j->cmd;
	struct job share = *j;

	cmd.verb = RO_SHARE;
	cmd.share_bp = s->share_bp;
	share.cmd = &cmd;
	return job_share(&share);
}

static enum ro_refusal
enter_promote(struct job *j, const struct ro_step *s UNUSED)
{
	service_switch(j->svc, j->pool, false, NULL, j->facts->wall_us);
	return RO_NO_NONE;
}

/* It served when the rollout began, and serves no new session now. */
static bool
is_replaced(const struct job *j, const struct ro_pool *p)
{
	return p != j->pool && p->share_bp == 0 &&
	    rollout_share_before(&j->svc->rollout, p->name) > 0;
}

static enum ro_refusal
enter_drain(struct job *j, const struct ro_step *s UNUSED)
{
	for (size_t i = 0; i < j->svc->n_pools; i++) {
		struct ro_pool *p = &j->svc->pools[i];

		if (is_replaced(j, p) && p->state == POOL_ACTIVE)
			pool_begin_drain(j->svc, p, &rollout_of(j)->clocks,
			    j->facts->wall_us);
	}
	return RO_NO_NONE;
}

/* A pool that still has something on its hands is none to write off. */
static enum ro_refusal
enter_retire(struct job *j, const struct ro_step *s UNUSED)
{
	for (size_t i = 0; i < j->svc->n_pools; i++) {
		struct ro_pool *p = &j->svc->pools[i];

		if (is_replaced(j, p) && p->state != POOL_DRAINED &&
		    p->state != POOL_RETIRED)
			return job_refuse(j, RO_NO_NOT_DRAINING,
			    "%s is %s, and only a drained pool is retired",
			    p->name,
			    pool_state_name((enum pool_state)p->state));
	}
	for (size_t i = 0; i < j->svc->n_pools; i++)
		if (is_replaced(j, &j->svc->pools[i]) &&
		    j->svc->pools[i].state == POOL_DRAINED)
			pool_goto(&j->svc->pools[i], POOL_RETIRED,
			    j->facts->wall_us);
	return RO_NO_NONE;
}

static enum ro_refusal
enter_hold(struct job *j, const struct ro_step *s)
{
	struct ro_rollout *r = rollout_of(j);

	service_hold(j->svc, s->writes_only ? HOLD_WRITES : HOLD_ALL,
	    j->facts->wall_us);
	r->hold_until_us = s->for_us == 0 ? 0 : j->facts->wall_us + s->for_us;
	return RO_NO_NONE;
}

static enum ro_refusal
enter_release(struct job *j, const struct ro_step *s UNUSED)
{
	service_hold(j->svc, HOLD_NONE, j->facts->wall_us);
	return RO_NO_NONE;
}

static bool
is_always(const struct job *j UNUSED)
{
	return true;
}

bool
step_is_ready(const struct job *j)
{
	return job_can_serve(j, j->pool);
}

bool
machine_keys_hold(const struct ro_pool *p, const struct ro_facts_pool *f,
    const char *to)
{
	return f->keys[0] != '\0' &&
	    (strcmp(p->name, to) == 0 || (p->share_bp > 0 && f->eligible > 0));
}

/* Why tokens would be refused, of new sessions or of others; or "". */
static const char *
keys_hold(const struct job *j)
{
	for (size_t i = 0; i < j->svc->n_pools; i++) {
		const struct ro_pool *p = &j->svc->pools[i];
		const struct ro_facts_pool *f = job_facts(j, p);

		if (machine_keys_hold(p, f, j->pool->name))
			return f->keys;
	}
	return "";
}

static bool
may_grow(const struct job *j)
{
	return step_is_ready(j) && keys_hold(j)[0] == '\0';
}

bool
step_waits(const struct job *j, const struct ro_step *s,
    char why[JOB_UNFIT_MAX])
{
	bool (*may)(const struct job *) = step_kinds[s->kind].may_enter;

	if (s->kind == CFG_STEP_READY ||
	    (j->svc->rollout.entered && may == may_grow))
		may = step_is_ready;
	if (may(j))
		return false;
	if (!step_is_ready(j))
		job_say_unfit(j, j->pool, why);
	else
		str_copy(str_of(keys_hold(j)), why, JOB_UNFIT_MAX);
	return true;
}

/* ---- how steps end ---- */

static enum ending
end_if(bool so)
{
	return so ? ENDED : GOES_ON;
}

static enum ending
end_ready(struct job *j, const struct ro_step *s UNUSED)
{
	return end_if(step_is_ready(j));
}

static enum ending
end_adopted(struct job *j, const struct ro_step *s UNUSED)
{
	return end_if(job_facts(j, j->pool)->view_current);
}

bool
step_is_over(const struct job *j, const struct ro_step *s)
{
	return j->facts->wall_us >= j->svc->rollout.since_us + s->for_us;
}

static enum ending
end_over(struct job *j, const struct ro_step *s)
{
	return end_if(step_is_over(j, s));
}

static enum ending
end_never(struct job *j UNUSED, const struct ro_step *s UNUSED)
{
	return GOES_ON;
}

uint64_t
machine_held_left(const struct ro_state *s, const struct ro_service *svc,
    const struct ro_facts *facts)
{
	size_t at = (size_t)(svc - s->services);
	uint64_t left = 0;

	for (size_t i = 0; i < svc->n_pools; i++) {
		const struct ro_facts_pool *f = ro_facts_of(facts, at, i);

		left += svc->hold == HOLD_WRITES ? f->writes : f->inflight;
		left += f->exists && !f->view_current;
	}
	return left;
}

static enum ending
end_held(struct job *j, const struct ro_step *s UNUSED)
{
	return end_if(machine_held_left(j->s, j->svc, j->facts) == 0);
}

/* Who was held has been sent on, at its pace. */
static enum ending
end_released(struct job *j, const struct ro_step *s)
{
	return j->facts->counts != NULL &&
	        j->facts->counts[j->svc_at].waiting > 0
	    ? GOES_ON
	    : end_adopted(j, s);
}

bool
rollout_is_its_own(const struct job *j)
{
	return rollout_share_before(&j->svc->rollout, j->pool->name) ==
	    CFG_SHARE_ALL;
}

/* Every instance that served when it began refuses connections. */
static enum ending
end_gone(struct job *j, const struct ro_step *s UNUSED)
{
	for (size_t i = 0; i < j->svc->n_pools; i++) {
		const struct ro_pool *p = &j->svc->pools[i];

		if ((p != j->pool || rollout_is_its_own(j)) &&
		    rollout_share_before(&j->svc->rollout, p->name) > 0 &&
		    job_facts(j, p)->gone < job_facts(j, p)->instances)
			return GOES_ON;
	}
	return ENDED;
}

static enum ending
end_drained(struct job *j, const struct ro_step *s UNUSED)
{
	for (size_t i = 0; i < j->svc->n_pools; i++)
		if (is_replaced(j, &j->svc->pools[i]) &&
		    j->svc->pools[i].state == POOL_DRAINING)
			return GOES_ON;
	return end_if(step_is_ready(j));
}

/* ---- a good time ---- */

static bool
is_within(const struct job *j, const struct ro_step *s)
{
	uint16_t now = j->facts->minute;

	if (s->from < s->until)
		return now >= s->from && now < s->until;
	return s->from == s->until || now >= s->from || now < s->until;
}

/* Requests a second; -1: unknown. */
static double
rate_of(const struct job *j)
{
	return j->facts->rates == NULL ? -1 : j->facts->rates[j->svc_at];
}

static bool
is_quiet(const struct job *j, const struct ro_step *s)
{
	double rate = rate_of(j);

	return s->below == 0 || (rate >= 0 && rate < s->below);
}

static enum ending
end_window(struct job *j, const struct ro_step *s)
{
	return end_if(is_within(j, s) && is_quiet(j, s));
}

void
window_holds(const struct job *j, const struct ro_step *s, char *out,
    size_t cap)
{
	double rate = rate_of(j);

	if (!is_within(j, s))
		(void)snprintf(out, cap,
		    "it is %02u:%02u, the window is not "
		    "open",
		    j->facts->minute / 60U, j->facts->minute % 60U);
	else if (rate < 0)
		(void)snprintf(out, cap, "requests are counted for 10s first");
	else
		(void)snprintf(out, cap,
		    "%.1f requests a second, and fewer than %u are asked for",
		    rate, s->below);
}

const struct step_kind step_kinds[CFG_STEP_COUNT] = {
	[CFG_STEP_READY] = { is_always, enter_nothing, end_ready,
	    "is not ready", false },
	[CFG_STEP_SHARE] = { may_grow, enter_share, end_adopted,
	    "does not get its share", false },
	[CFG_STEP_PAUSE] = { is_always, enter_nothing, end_over, "pauses",
	    false },
	[CFG_STEP_APPROVE] = { is_always, enter_nothing, end_never,
	    "was not approved", false },
	[CFG_STEP_ANALYZE] = { is_always, enter_nothing, end_analyzed,
	    "is analyzed", false },
	[CFG_STEP_HOLD] = { is_always, enter_hold, end_held,
	    "what was on its way did not end", true },
	[CFG_STEP_RELEASE] = { is_always, enter_release, end_released,
	    "what was held was not sent on", true },
	[CFG_STEP_GONE] = { is_always, enter_nothing, end_gone,
	    "the instances that served are not gone", true },
	[CFG_STEP_JOB] = { is_always, run_enter, run_end, NULL, false },
	[CFG_STEP_WARM] = { step_is_ready, run_enter, run_end, NULL, false },
	[CFG_STEP_VERIFY] = { step_is_ready, run_enter, run_end, NULL, false },
	[CFG_STEP_MIRROR] = { step_is_ready, enter_nothing, end_mirrored,
	    "is compared", false },
	[CFG_STEP_NOTIFY] = { is_always, run_enter, run_end_notify, NULL,
	    false },
	[CFG_STEP_WINDOW] = { is_always, enter_nothing, end_window,
	    "the window did not open", true },
	[CFG_STEP_ROLL] = { is_always, roll_enter, roll_end, NULL, false },
	[CFG_STEP_CHECK] = { is_always, run_enter, run_end_check, NULL, false },
	[CFG_STEP_PROMOTE] = { may_grow, enter_promote, end_adopted,
	    "does not get all", false },
	[CFG_STEP_RETIRE] = { is_always, enter_retire, end_adopted,
	    "did not hear of it", false },
	[CFG_STEP_DRAIN] = { step_is_ready, enter_drain, end_drained,
	    "serves, but others still drain", false },
};
