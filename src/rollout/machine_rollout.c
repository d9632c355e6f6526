/*
 * What a rollout decides: which step comes next, and what follows when one
 * fails.  Its steps do what commands do.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rollout/machine_int.h"
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

static struct ro_rollout *
rollout_of(struct job *j)
{
	return &j->svc->rollout;
}

/* Of the step it is at. */
static void
note_end(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);

	r->steps[r->at].lasted_us = j->facts->wall_us -
	    MIN(j->facts->wall_us, r->since_us);
}

static void
end(struct job *j, enum ro_stand stand, const char *why)
{
	struct ro_rollout *r = rollout_of(j);

	roll_leave(j);
	count_end(j); /* while it is under way */
	r->held_us = steps_held_us(j->svc, j->facts->wall_us);
	if (r->at < r->n_steps)
		note_end(j);
	r->stand = (uint8_t)stand;
	r->ended_us = j->facts->wall_us;
	r->paused_us = 0;
	str_copy(str_of(why), r->why, sizeof(r->why));
}

static void
stand_still(struct job *j, const char *why)
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

/* A roll has one of it out, which is to come in again. */
static bool
comes_in(const struct job *j, const struct ro_pool *p)
{
	const struct ro_rollout *r = &j->svc->rollout;

	return strcmp(p->name, r->to) == 0 && r->roll.now[0] != '\0' &&
	    strcmp(r->roll.now, r->roll.spare) != 0;
}

/* Does it take its share of before again?  any: even if it cannot serve. */
static bool
takes_back(const struct job *j, const struct ro_pool *p, bool any)
{
	return rollout_share_before(&j->svc->rollout, p->name) > 0 &&
	    (any || job_facts(j, p)->eligible > 0 || comes_in(j, p));
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

/*
 * Shares as before, of those who can serve; the new pool drains unless it has
 * one, too.  What it holds is released.
 */
static enum ro_refusal
roll_back(struct job *j, const char *why)
{
	struct ro_rollout *r = rollout_of(j);
	struct ro_pool *to = ro_pool_find(j->svc, r->to);
	uint32_t sum = sum_before(j, false);
	bool any = sum == 0 && j->cmd->force;

	if (r->rehearsal) {
		end(j, RO_STAND_ROLLED_BACK, why); /* nothing was moved */
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
	end(j, RO_STAND_ROLLED_BACK, why);
	return RO_NO_NONE;
}

static void fail(struct job *, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The step did not do: by the service's rule.  A long sentence is cut. */
static void
fail(struct job *j, const char *fmt, ...)
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
		end(j, RO_STAND_ABORTED, text);
	} else if (r->on_failure == CFG_FAILURE_PAUSE) {
		stand_still(j, text);
	} else if (roll_back(j, text) != RO_NO_NONE) {
		buf_printf(&why, "; %s", j->why);
		str_copy(buf_str(&why), text, sizeof(text));
		stand_still(j, text);
	}
	buf_free(&why);
}

/* ---- steps ---- */

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

static bool
is_ready(const struct job *j)
{
	return job_can_serve(j, j->pool);
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
	return end_if(is_ready(j));
}

static enum ending
end_adopted(struct job *j, const struct ro_step *s UNUSED)
{
	return end_if(job_facts(j, j->pool)->view_current);
}

static bool
is_over(const struct job *j, const struct ro_step *s)
{
	return j->facts->wall_us >= j->svc->rollout.since_us + s->for_us;
}

static enum ending
end_over(struct job *j, const struct ro_step *s)
{
	return end_if(is_over(j, s));
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

/* Is what it leads to what it comes from? */
static bool
is_its_own(const struct job *j)
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

		if ((p != j->pool || is_its_own(j)) &&
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
	return end_if(is_ready(j));
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

static bool
is_quiet(const struct job *j, const struct ro_step *s)
{
	double rate = j->facts->rates == NULL ? -1 : j->facts->rates[j->svc_at];

	return s->below == 0 || (rate >= 0 && rate < s->below);
}

static enum ending
end_window(struct job *j, const struct ro_step *s)
{
	return end_if(is_within(j, s) && is_quiet(j, s));
}

static void
say_window(const struct job *j, const struct ro_step *s, char *out, size_t cap)
{
	double rate = j->facts->rates == NULL ? -1 : j->facts->rates[j->svc_at];

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

/* ---- analysis ---- */

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
	return a;
}

static double
ratio_of(const struct ro_toll *t)
{
	return t->requests == 0 ? 0 : (double)t->bad / (double)t->requests;
}

static enum ro_refusal
enter_analyze(struct job *j, const struct ro_step *s UNUSED)
{
	struct ro_rollout *r = rollout_of(j);

	count_tolls(j->svc, j->svc_at, j->facts, &r->toll_new, &r->toll_others);
	return RO_NO_NONE;
}

/* Leaves why in the job. */
static enum ending
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
	if (!is_over(j, s))
		return GOES_ON;
	if (a.own.requests >= s->requests)
		return ENDED;
	(void)snprintf(j->why, j->cap,
	    "not enough to conclude from: %s had %llu requests, %u are asked "
	    "for",
	    j->pool->name, (unsigned long long)a.own.requests, s->requests);
	return UNCLEAR;
}

/* One row a kind. */
static const struct {
	bool (*may_enter)(const struct job *);
	enum ro_refusal (*enter)(struct job *, const struct ro_step *);
	enum ending (*end)(struct job *, const struct ro_step *);
	const char *late; /* what has not come about by the deadline; NULL: the
	                     end of its job */
	bool of_others;   /* .late is no word about the new pool */
} kinds[] = {
	[CFG_STEP_READY] = { is_always, enter_nothing, end_ready,
	    "is not ready", false },
	[CFG_STEP_SHARE] = { is_ready, enter_share, end_adopted,
	    "does not get its share", false },
	[CFG_STEP_PAUSE] = { is_always, enter_nothing, end_over, "pauses",
	    false },
	[CFG_STEP_APPROVE] = { is_always, enter_nothing, end_never,
	    "was not approved", false },
	[CFG_STEP_ANALYZE] = { is_always, enter_analyze, end_analyzed,
	    "is analyzed", false },
	[CFG_STEP_HOLD] = { is_always, enter_hold, end_held,
	    "what was on its way did not end", true },
	[CFG_STEP_RELEASE] = { is_always, enter_release, end_released,
	    "what was held was not sent on", true },
	[CFG_STEP_GONE] = { is_always, enter_nothing, end_gone,
	    "the instances that served are not gone", true },
	[CFG_STEP_JOB] = { is_always, run_enter, run_end, NULL, false },
	[CFG_STEP_WINDOW] = { is_always, enter_nothing, end_window,
	    "the window did not open", true },
	[CFG_STEP_ROLL] = { is_always, roll_enter, roll_end, NULL, false },
	[CFG_STEP_CHECK] = { is_always, run_enter, run_end_check, NULL, false },
	[CFG_STEP_PROMOTE] = { is_ready, enter_promote, end_adopted,
	    "does not get all", false },
	[CFG_STEP_DRAIN] = { is_ready, enter_drain, end_drained,
	    "serves, but others still drain", false },
};

static const struct ro_step *
step_of(const struct ro_rollout *r)
{
	return &r->steps[r->at];
}

/* ---- the clock ---- */

static void
next_step(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);

	note_end(j);
	if (step_of(r)->kind == CFG_STEP_ROLL)
		roll_leave(j);
	r->at++;
	r->entered = false;
	r->since_us = j->facts->wall_us;
	if (r->at == r->n_steps)
		end(j, RO_STAND_DONE, "");
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

/* The step it is at, or the one whose doing an operator undid. */
static void
begin_anew(struct job *j)
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
	char holds[MACHINE_HOLDS_MAX];

	if (s->kind == CFG_STEP_ROLL) {
		roll_holds(j, holds, sizeof(holds));
		fail(j, "%s, for longer than it may", holds);
	} else if (s->kind == CFG_STEP_DRAIN) {
		/* It serves: to take that back would move all of them again. */
		(void)snprintf(j->why, j->cap, "%s %s", j->pool->name,
		    kinds[s->kind].late);
		r->failed = true;
		stand_still(j, j->why);
	} else if (kinds[s->kind].late == NULL)
		fail(j, "job %s did not end in time", s->job);
	else if (kinds[s->kind].of_others)
		fail(j, "%s in time", kinds[s->kind].late);
	else if (!job_can_serve(j, j->pool) && unready[0] != '\0')
		fail(j, "%s is not ready in time: %s", j->pool->name, unready);
	else
		fail(j, "%s %s in time", j->pool->name, kinds[s->kind].late);
}

/* The step's action; what forbids it, fails it. */
static void
enter(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);
	const struct ro_step *s = step_of(r);

	if (kinds[s->kind].enter(j, s) == RO_NO_NONE) {
		r->entered = true;
		if (!r->rehearsal)
			r->begun |= UINT32_C(1) << r->at;
		return;
	}
	fail(j, "%s", j->why);
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
	        (is_its_own(j) || j->svc->rollout.roll.now[0] != '\0'));
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

	switch (kinds[s->kind].end(j, s)) {
	case ENDED:
		if (r->moved)
			begin_anew(j);
		else
			next_step(j);
		return RO_HARD;
	case BAD:
		fail(j, "%s", j->why);
		return RO_HARD;
	case UNCLEAR:
		if (r->rehearsal) {
			fail(j, "it would stand still: %s", j->why);
			return RO_HARD;
		}
		r->failed = true;
		stand_still(j, j->why);
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

/* It is done only when, or begins only once, the new pool can serve. */
static bool
needs_ready(const struct ro_step *s)
{
	return s->kind == CFG_STEP_READY ||
	    kinds[s->kind].may_enter == is_ready;
}

/* In a rehearsal: not a job or check, so it would move traffic, or wait. */
static bool
is_only_passed(const struct ro_rollout *r)
{
	return r->rehearsal && step_of(r)->kind != CFG_STEP_JOB &&
	    step_of(r)->kind != CFG_STEP_CHECK;
}

static void
pass_step(struct job *j)
{
	struct ro_rollout *r = rollout_of(j);
	struct ro_step *s = &r->steps[r->at];
	char unfit[JOB_UNFIT_MAX];

	s->said[0] = '\0';
	if (needs_ready(s) && !is_ready(j)) {
		job_say_unfit(j, j->pool, unfit);
		(void)snprintf(s->said, sizeof(s->said),
		    "it would wait: %.128s", unfit);
	}
	next_step(j);
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
		fail(j, "%s can serve no more: %s", j->pool->name,
		    job_facts(j, j->pool)->unready);
		return RO_HARD;
	}
	if (r->hold_until_us != 0 && j->facts->wall_us >= r->hold_until_us) {
		r->hold_until_us = 0;
		fail(j, "requests were held for as long as they may be");
		return RO_HARD;
	}
	if (!r->entered && is_left_out(r)) {
		r->skipped |= UINT32_C(1) << r->at;
		next_step(j);
		return RO_HARD;
	}
	if (is_only_passed(r)) {
		pass_step(j);
		return RO_HARD;
	}
	if (!r->entered && kinds[s->kind].may_enter(j)) {
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
	char unfit[JOB_UNFIT_MAX];

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
		say_window(&j, step, out, MACHINE_HOLDS_MAX);
	} else if (step->kind == CFG_STEP_ROLL) {
		roll_holds(&j, out, MACHINE_HOLDS_MAX);
	} else if (machine_wants_run(svc)) {
		(void)snprintf(out, MACHINE_HOLDS_MAX, "job %s runs",
		    step->job);
	} else if (needs_ready(step) && !is_ready(&j)) {
		job_say_unfit(&j, j.pool, unfit);
		str_copy(str_of(unfit), out, MACHINE_HOLDS_MAX);
	}
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

	if (!steps_under_way(&j.svc->rollout))
		return RO_SAME;
	j.pool = ro_pool_find(j.svc, j.svc->rollout.to);
	if (j.pool == NULL)
		return RO_SAME;
	if (j.svc->rollout.stand == RO_STAND_RUNNING)
		return advance(&j, due_us);
	return run_take_good_end(&j) ? RO_HARD : RO_SAME;
}

/* ---- commands ---- */

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

/* It would take from the pool that has all, and give it to who knows whom. */
static bool
has_share(const struct ro_rollout *r)
{
	for (size_t i = 0; i < r->n_steps; i++)
		if (r->steps[i].kind == CFG_STEP_SHARE)
			return true;
	return false;
}

static enum ro_refusal
may_start(struct job *j)
{
	enum ro_refusal r = is_as_planned(j);

	if (r != RO_NO_NONE)
		return r;
	if (steps_under_way(rollout_of(j)))
		return refuse_under_way(j);
	if (j->pool->state == POOL_DRAINING)
		return job_refuse(j, RO_NO_DRAINING,
		    "%s is draining; \"segue undrain %s\" takes it back first",
		    j->pool->name, j->pool->name);
	if (j->pool->share_bp == CFG_SHARE_ALL &&
	    (!steps_renew(j->cmd->plan) || has_share(j->cmd->plan)))
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
		stand_still(j, "an operator paused it");
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
	if (r->failed || moves || step_of(r)->kind == CFG_STEP_ANALYZE)
		begin_anew(j);
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
		next_step(j);
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
	rollout_of(j)->skipped |= UINT32_C(1) << rollout_of(j)->at;
	if (rollout_of(j)->unknown)
		run_note_done(j, step_of(rollout_of(j)));
	if (step_of(rollout_of(j))->kind == CFG_STEP_CHECK)
		rollout_of(j)->path = RO_PATH_ROLLING; /* they know */
	r = go_on(j);
	next_step(j);
	return r;
}

static enum ro_refusal
give_up(struct job *j)
{
	end(j, RO_STAND_ABORTED, "an operator gave it up");
	return RO_NO_NONE;
}

static enum ro_refusal
roll_back_now(struct job *j)
{
	enum ro_refusal refusal = roll_back(j, "an operator took it back");
	size_t len = strlen(j->why);

	if (refusal != RO_NO_NONE && !j->cmd->force && sum_before(j, true) > 0)
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
