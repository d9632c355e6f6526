/*
 * What commands do about pools, and the door for all of them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "rollout/machine_int.h"
#include "rollout/steps.h"

enum ro_refusal
job_refuse(struct job *j, enum ro_refusal r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(j->why, j->cap, fmt, ap);
	va_end(ap);
	return r;
}

/* ---- who can serve ---- */

const struct ro_facts_pool *
job_facts(const struct job *j, const struct ro_pool *p)
{
	return ro_facts_of(j->facts, j->svc_at, (size_t)(p - j->svc->pools));
}

bool
job_can_serve(const struct job *j, const struct ro_pool *p)
{
	const struct ro_facts_pool *f = job_facts(j, p);

	switch ((enum pool_state)p->state) {
	case POOL_ACTIVE:
		return f->eligible > 0;
	case POOL_COLD:
	case POOL_STARTING:
	case POOL_READY:
	case POOL_FAILED:
		return f->ready;
	default:
		return false;
	}
}

static enum ro_refusal
must_not_drain(struct job *j)
{
	if (j->pool->state != POOL_DRAINING)
		return RO_NO_NONE;
	return job_refuse(j, RO_NO_DRAINING,
	    "%s is draining; \"segue undrain %s\" takes it back first",
	    j->pool->name, j->pool->name);
}

/* Drained, so that nobody looks whether it could serve. */
static bool
is_out(const struct ro_pool *p)
{
	return p->state == POOL_DRAINED || p->state == POOL_RETIRED;
}

void
job_say_unfit(const struct job *j, const struct ro_pool *p,
    char out[JOB_UNFIT_MAX])
{
	const char *unready = job_facts(j, p)->unready;

	if (is_out(p) || p->state == POOL_DRAINING)
		(void)snprintf(out, JOB_UNFIT_MAX, "%s is %s", p->name,
		    pool_state_name((enum pool_state)p->state));
	else
		(void)snprintf(out, JOB_UNFIT_MAX, "%s is not ready: %s",
		    p->name,
		    unready[0] != '\0' ? unready : "it has not proved itself");
}

enum ro_refusal
job_must_serve(struct job *j)
{
	char unfit[JOB_UNFIT_MAX];

	if (job_can_serve(j, j->pool) || j->cmd->force)
		return RO_NO_NONE;
	job_say_unfit(j, j->pool, unfit);
	if (j->cmd->verb == RO_SWITCH && is_out(j->pool))
		return job_refuse(j, RO_NO_NOT_READY,
		    "%s, and has to prove itself anew; --when-ready lets it, "
		    "--force does not",
		    unfit);
	if (j->cmd->verb == RO_SWITCH)
		return job_refuse(j, RO_NO_NOT_READY,
		    "%s; --when-ready waits until it is, --force does not",
		    unfit);
	if (is_out(j->pool))
		return job_refuse(j, RO_NO_NOT_READY,
		    "%s; \"segue undrain %s\" makes it prove itself first",
		    unfit, j->pool->name);
	return job_refuse(j, RO_NO_NOT_READY,
	    "%s; --force does it all the same", unfit);
}

/* ---- dividing the share ---- */

struct rest {
	uint32_t sum, able_sum;  /* shares of the others; of those that can
				    serve */
	unsigned able;           /* how many can */
	struct ro_pool *the_one; /* one of those */
};

static struct rest
look_at_rest(struct job *j)
{
	struct rest r = { 0 };

	for (size_t i = 0; i < j->svc->n_pools; i++) {
		struct ro_pool *p = &j->svc->pools[i];

		if (p == j->pool)
			continue;
		r.sum += p->share_bp;
		if (!job_can_serve(j, p))
			continue;
		r.able_sum += p->share_bp;
		r.able++;
		r.the_one = p;
	}
	return r;
}

/*
 * The others' shares, or those of the able ones, sum up to something else.
 * What rounding leaves goes to those it took from: nobody gets more than the
 * next whole number of his proportion.
 */
static void
scale(struct job *j, bool able_only, uint32_t from_bp, uint32_t to_bp)
{
	uint64_t cut[CFG_POOLS_MAX] = { 0 };
	uint32_t left = to_bp;

	for (size_t i = 0; i < j->svc->n_pools; i++) {
		struct ro_pool *p = &j->svc->pools[i];
		uint64_t part = (uint64_t)p->share_bp * to_bp;

		if (p == j->pool || p->share_bp == 0 ||
		    (able_only && !job_can_serve(j, p)))
			continue;
		p->share_bp = (uint32_t)(part / from_bp);
		cut[i] = part % from_bp;
		left -= p->share_bp;
	}
	for (size_t i = j->svc->n_pools; i-- > 0 && left > 0;) {
		if (cut[i] == 0)
			continue;
		j->svc->pools[i].share_bp++;
		left--;
	}
}

static enum ro_refusal
refuse_last_pool(struct job *j, bool force_helps)
{
	const char *help = force_helps
	    ? "--force does it all the same"
	    : "name the one that shall have it, with --force";
	char unfit[JOB_UNFIT_MAX] = "there is no other";

	for (size_t i = 0; i < j->svc->n_pools; i++)
		if (&j->svc->pools[i] != j->pool)
			job_say_unfit(j, &j->svc->pools[i], unfit);
	return job_refuse(j, RO_NO_LAST_POOL,
	    "no other pool of %s could serve the rest: %s; %s", j->svc->name,
	    unfit, help);
}

/*
 * Gives the pools other than j->pool left of the share: in proportion to what
 * they have, but none gets more than before that could not serve it.
 */
static enum ro_refusal
divide_rest(struct job *j, uint32_t left)
{
	struct rest r = look_at_rest(j);

	if (left <= r.sum) {
		scale(j, false, r.sum, left);
	} else if (r.able_sum > 0) {
		scale(j, true, r.able_sum, left - (r.sum - r.able_sum));
	} else if (r.able == 1) {
		r.the_one->share_bp = left - r.sum;
		pool_activate(r.the_one, j->facts->wall_us);
	} else if (r.able > 1) {
		return job_refuse(j, RO_NO_AMBIGUOUS,
		    "several pools of %s could take the rest; give one of "
		    "them its share first",
		    j->svc->name);
	} else if (j->cmd->force && r.sum > 0) {
		scale(j, false, r.sum, left);
	} else {
		return refuse_last_pool(j,
		    r.sum > 0 || j->cmd->verb == RO_DRAIN);
	}
	return RO_NO_NONE;
}

/* ---- verbs about pools ---- */

enum ro_refusal
job_share(struct job *j)
{
	enum ro_refusal r = must_not_drain(j);

	/* Whoever is down must be able to give away. */
	if (r == RO_NO_NONE && j->cmd->share_bp > j->pool->share_bp)
		r = job_must_serve(j);
	if (r == RO_NO_NONE)
		r = divide_rest(j, CFG_SHARE_ALL - j->cmd->share_bp);
	if (r != RO_NO_NONE)
		return r;
	j->pool->share_bp = j->cmd->share_bp;
	if (j->cmd->share_bp > 0)
		pool_activate(j->pool, j->facts->wall_us);
	service_forget_pending(j->svc);
	orders_forget_shares(j->svc);
	j->svc->epoch++;
	return RO_NO_NONE;
}

static void
begin_pending(struct job *j)
{
	struct ro_pending *p = &j->svc->pending;

	if (is_out(j->pool))
		pool_goto(j->pool, POOL_STARTING, j->facts->wall_us);
	memcpy(p->pool, j->pool->name, sizeof(p->pool));
	p->drain = j->cmd->drain;
	p->clocks = p->drain ? j->cmd->clocks
	                     : (struct ro_drain){ .mode = CFG_DRAIN_KEEP };
	p->clocks.began_us = p->clocks.closed_us = 0;
	j->why[0] = '\0';
}

static enum ro_refusal
do_switch(struct job *j)
{
	enum ro_refusal r;

	/* The way back in the middle of a drain is one command, too. */
	if (j->pool->state == POOL_DRAINING)
		pool_goto(j->pool, POOL_ACTIVE, j->facts->wall_us);
	if (j->cmd->when_ready && !job_can_serve(j, j->pool)) {
		begin_pending(j); /* whatever force would do */
		return RO_NO_NONE;
	}
	r = job_must_serve(j);
	if (r == RO_NO_NONE)
		service_switch(j->svc, j->pool, j->cmd->drain, &j->cmd->clocks,
		    j->facts->wall_us);
	return r;
}

/* The same drain with other clocks: never a later begin, no pin comes back. */
static enum ro_refusal
drain_again(struct job *j)
{
	struct ro_drain *d = &j->pool->drain, was = *d;

	*d = j->cmd->clocks;
	d->began_us = was.began_us;
	d->closed_us = was.closed_us;
	j->svc->epoch++;
	if (was.closed_us != 0)
		d->mode = was.mode;
	else if (d->mode == CFG_DRAIN_EVICT)
		pool_close(j->svc, j->pool, j->facts->wall_us);
	return RO_NO_NONE;
}

static enum ro_refusal
do_drain(struct job *j)
{
	enum ro_refusal r = RO_NO_NONE;

	if (is_out(j->pool))
		return RO_NO_NONE; /* what was asked for is so */
	if (j->pool->state == POOL_DRAINING)
		return drain_again(j);
	if (j->pool->share_bp > 0)
		r = divide_rest(j, CFG_SHARE_ALL);
	if (r != RO_NO_NONE && (r != RO_NO_LAST_POOL || !j->cmd->force))
		return r;
	j->why[0] = '\0';
	pool_activate(j->pool, j->facts->wall_us);
	pool_begin_drain(j->svc, j->pool, &j->cmd->clocks, j->facts->wall_us);
	if (strcmp(j->svc->pending.pool, j->pool->name) == 0)
		service_forget_pending(j->svc);
	return RO_NO_NONE;
}

/* After a forced drain of the last one nobody may have a share. */
static bool
nobody_has_share(const struct ro_service *s)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (s->pools[i].share_bp > 0)
			return false;
	return true;
}

static enum ro_refusal
do_undrain(struct job *j)
{
	switch ((enum pool_state)j->pool->state) {
	case POOL_DRAINING:
		pool_goto(j->pool, POOL_ACTIVE, j->facts->wall_us);
		if (nobody_has_share(j->svc))
			j->pool->share_bp = CFG_SHARE_ALL;
		break;
	case POOL_DRAINED:
	case POOL_RETIRED:
		pool_goto(j->pool, POOL_STARTING, j->facts->wall_us);
		break;
	default:
		if (strcmp(j->svc->pending.pool, j->pool->name) == 0)
			break; /* it ends the waiting for a switch */
		return job_refuse(j, RO_NO_NOT_DRAINING,
		    "%s is %s, not draining", j->pool->name,
		    pool_state_name((enum pool_state)j->pool->state));
	}
	service_forget_pending(j->svc);
	j->svc->epoch++;
	return RO_NO_NONE;
}

/* ---- hold and release ---- */

void
service_hold(struct ro_service *s, enum hold hold, uint64_t wall_us)
{
	struct ro_rollout *r = &s->rollout;

	if (s->hold == hold)
		return;
	if (hold == HOLD_NONE)
		r->held_us = steps_held_us(s, wall_us);
	if (s->hold == HOLD_NONE || hold == HOLD_NONE)
		s->held_us = hold == HOLD_NONE ? 0 : wall_us;
	if (hold == HOLD_NONE)
		r->hold_until_us = 0;
	s->hold = (uint8_t)hold;
	s->epoch++;
}

static enum ro_refusal
do_hold(struct job *j)
{
	service_hold(j->svc, j->cmd->writes_only ? HOLD_WRITES : HOLD_ALL,
	    j->facts->wall_us);
	return RO_NO_NONE;
}

static enum ro_refusal
do_release(struct job *j)
{
	if (j->svc->hold == HOLD_NONE)
		return job_refuse(j, RO_NO_NOT_HELD, "%s is not held",
		    j->svc->name);
	service_hold(j->svc, HOLD_NONE, j->facts->wall_us);
	return RO_NO_NONE;
}

/* ---- values ---- */

static enum ro_refusal
check_none(struct job *j UNUSED)
{
	return RO_NO_NONE;
}

static enum ro_refusal
check_share(struct job *j)
{
	if (j->cmd->share_bp <= CFG_SHARE_ALL)
		return RO_NO_NONE;
	return job_refuse(j, RO_NO_BAD_VALUE, "a share is at most 100%%");
}

static enum ro_refusal
check_clocks(struct job *j)
{
	const struct ro_drain *d = &j->cmd->clocks;

	if (d->mode > CFG_DRAIN_EVICT)
		return job_refuse(j, RO_NO_BAD_VALUE,
		    "a drain's mode is keep, move or evict");
	if (d->flows_us <= RO_CLOCK_MAX_US &&
	    d->requests_us <= RO_CLOCK_MAX_US &&
	    d->streams_us <= RO_CLOCK_MAX_US)
		return RO_NO_NONE;
	return job_refuse(j, RO_NO_BAD_VALUE,
	    "a drain's clocks run for a year at most");
}

static enum ro_refusal
check_switch(struct job *j)
{
	return j->cmd->drain ? check_clocks(j) : RO_NO_NONE;
}

/* ---- the door ---- */

/* One row a verb. */
static const struct {
	enum ro_refusal (*check)(struct job *);
	enum ro_refusal (*carry_out)(struct job *);
	bool moves;   /* traffic: not beside a rollout */
	bool no_pool; /* is needed: of the service, or that under way has one */
} verbs[RO_VERB_COUNT] = {
	[RO_SHARE] = { check_share, job_share, true, false },
	[RO_SWITCH] = { check_switch, do_switch, true, false },
	[RO_DRAIN] = { check_clocks, do_drain, true, false },
	[RO_UNDRAIN] = { check_none, do_undrain, true, false },
	[RO_INSTANCE] = { instance_check_admin, instance_set_admin, false,
	    false },
	[RO_ADD_INSTANCE] = { instance_check_add, instance_add, false, false },
	[RO_REMOVE_INSTANCE] = { check_none, instance_remove, false, false },
	[RO_HOLD] = { check_none, do_hold, true, true },
	[RO_RELEASE] = { check_none, do_release, true, true },
	[RO_ROLLOUT] = { rollout_check, rollout_command, false, true },
	[RO_SESSIONS] = { sessions_check, sessions_command, false, true },
};

#define LIST_MAX 192 /* bytes; longer lists are cut */

/* Appends a name to a list as people write it. */
static void
list_name(char list[LIST_MAX], const char *name)
{
	size_t n = strlen(list);

	(void)snprintf(list + n, LIST_MAX - n, "%s%s", n > 0 ? ", " : "", name);
}

static enum ro_refusal
find_service(struct job *j)
{
	const char *name = j->cmd->service;
	char list[LIST_MAX] = "";

	j->svc = name[0] != '\0'    ? ro_service_find(j->s, name)
	    : j->s->n_services == 1 ? &j->s->services[0]
	                            : NULL;
	if (j->svc != NULL)
		return RO_NO_NONE;
	for (size_t i = 0; i < j->s->n_services; i++)
		list_name(list, j->s->services[i].name);
	if (name[0] == '\0')
		return job_refuse(j, RO_NO_NO_SERVICE,
		    "there are %zu services; name one with --service: %s",
		    j->s->n_services, list);
	return job_refuse(j, RO_NO_NO_SERVICE,
	    "there is no service %s; there is %s", name, list);
}

static enum ro_refusal
find_pool(struct job *j)
{
	char list[LIST_MAX] = "";

	j->svc_at = (size_t)(j->svc - j->s->services);
	if (verbs[j->cmd->verb].no_pool && j->cmd->pool[0] == '\0')
		return RO_NO_NONE;
	j->pool = ro_pool_find(j->svc, j->cmd->pool);
	if (j->pool != NULL)
		return RO_NO_NONE;
	for (size_t i = 0; i < j->svc->n_pools; i++)
		list_name(list, j->svc->pools[i].name);
	return job_refuse(j, RO_NO_NO_POOL,
	    "service %s has no pool %s; it has %s", j->svc->name, j->cmd->pool,
	    list);
}

bool
job_char_is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

void
job_sign(const struct job *j, char out[RO_WHO_MAX])
{
	size_t n = str_copy(str_of(j->cmd->who), out, RO_WHO_MAX);

	for (size_t i = 0; i < n; i++)
		if (!job_char_is_plain(out[i]))
			out[i] = '?';
}

enum ro_refusal
machine_command(struct ro_state *s, const struct ro_facts *facts,
    const struct ro_command *cmd, char *why, size_t cap)
{
	struct job j = { .s = s,
		.facts = facts,
		.cmd = cmd,
		.why = why,
		.cap = cap };
	enum ro_refusal r;

	why[0] = '\0';
	r = find_service(&j);
	if (r == RO_NO_NONE)
		r = find_pool(&j);
	if (r == RO_NO_NONE)
		r = verbs[cmd->verb].check(&j);
	if (r == RO_NO_NONE && verbs[cmd->verb].moves)
		r = rollout_forbids(&j);
	if (r == RO_NO_NONE)
		r = verbs[cmd->verb].carry_out(&j);
	if (r != RO_NO_NONE)
		return r;
	s->generation++;
	s->changed_us = facts->wall_us;
	job_sign(&j, s->changed_by);
	return RO_NO_NONE;
}
