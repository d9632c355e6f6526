/*
 * What commands do.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"
#include "config/valid.h"
#include "rollout/machine_int.h"

/* A command at work. */
struct job {
	struct ro_state *s;
	const struct ro_facts *facts;
	const struct ro_command *cmd;
	struct ro_service *svc;
	struct ro_pool *pool;
	size_t svc_at;
	char *why;
	size_t cap;
};

static enum ro_refusal refuse(struct job *, enum ro_refusal, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

static enum ro_refusal
refuse(struct job *j, enum ro_refusal r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(j->why, j->cap, fmt, ap);
	va_end(ap);
	return r;
}

/* ---- who can serve ---- */

static const struct ro_facts_pool *
facts_of(const struct job *j, const struct ro_pool *p)
{
	return ro_facts_of(j->facts, j->svc_at, (size_t)(p - j->svc->pools));
}

/* May it be given a share?  Facts may be newer than the state. */
static bool
can_serve(const struct job *j, const struct ro_pool *p)
{
	const struct ro_facts_pool *f = facts_of(j, p);

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
	return refuse(j, RO_NO_DRAINING,
	    "%s is draining; \"segue undrain %s\" takes it back first",
	    j->pool->name, j->pool->name);
}

/* Drained, so that nobody looks whether it could serve. */
static bool
is_out(const struct ro_pool *p)
{
	return p->state == POOL_DRAINED || p->state == POOL_RETIRED;
}

#define UNFIT_MAX 256

/* Why a pool that cannot serve cannot, as in "v1 is drained". */
static void
say_unfit(const struct job *j, const struct ro_pool *p, char out[UNFIT_MAX])
{
	const char *unready = facts_of(j, p)->unready;

	if (is_out(p) || p->state == POOL_DRAINING)
		(void)snprintf(out, UNFIT_MAX, "%s is %s", p->name,
		    pool_state_name((enum pool_state)p->state));
	else
		(void)snprintf(out, UNFIT_MAX, "%s is not ready: %s", p->name,
		    unready[0] != '\0' ? unready
					: "it has not proved itself");
}

static enum ro_refusal
must_serve(struct job *j)
{
	char unfit[UNFIT_MAX];

	if (can_serve(j, j->pool) || j->cmd->force)
		return RO_NO_NONE;
	say_unfit(j, j->pool, unfit);
	if (j->cmd->verb == RO_SWITCH)
		return refuse(j, RO_NO_NOT_READY,
		    "%s; --when-ready waits until it is, --force does not",
		    unfit);
	if (is_out(j->pool))
		return refuse(j, RO_NO_NOT_READY,
		    "%s; \"segue undrain %s\" makes it prove itself first",
		    unfit, j->pool->name);
	return refuse(j, RO_NO_NOT_READY, "%s; --force does it all the same",
	    unfit);
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
		if (!can_serve(j, p))
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
		    (able_only && !can_serve(j, p)))
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
	char unfit[UNFIT_MAX] = "there is no other";

	for (size_t i = 0; i < j->svc->n_pools; i++)
		if (&j->svc->pools[i] != j->pool)
			say_unfit(j, &j->svc->pools[i], unfit);
	return refuse(j, RO_NO_LAST_POOL,
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
		return refuse(j, RO_NO_AMBIGUOUS,
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

static enum ro_refusal
do_share(struct job *j)
{
	enum ro_refusal r = must_not_drain(j);

	/* Whoever is down must be able to give away. */
	if (r == RO_NO_NONE && j->cmd->share_bp > j->pool->share_bp)
		r = must_serve(j);
	if (r == RO_NO_NONE)
		r = divide_rest(j, CFG_SHARE_ALL - j->cmd->share_bp);
	if (r != RO_NO_NONE)
		return r;
	j->pool->share_bp = j->cmd->share_bp;
	if (j->cmd->share_bp > 0)
		pool_activate(j->pool, j->facts->wall_us);
	service_forget_pending(j->svc);
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
	enum ro_refusal r = must_not_drain(j);

	if (r == RO_NO_NONE)
		r = must_serve(j);
	if (r == RO_NO_NOT_READY && j->cmd->when_ready) {
		begin_pending(j);
		return RO_NO_NONE;
	}
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
		return refuse(j, RO_NO_NOT_DRAINING, "%s is %s, not draining",
		    j->pool->name,
		    pool_state_name((enum pool_state)j->pool->state));
	}
	service_forget_pending(j->svc);
	j->svc->epoch++;
	return RO_NO_NONE;
}

/* ---- verbs about instances ---- */

/* The words about an instance, made if there are none; NULL: no room. */
static struct instance_plan *
plan_for(struct job *j)
{
	const struct ro_command *c = j->cmd;
	struct instance_plan *p =
	    ro_plan_find(j->s, j->svc->name, j->pool->name, c->instance);

	if (p != NULL)
		return p;
	if (j->s->n_instances == RO_INSTANCES_MAX) {
		(void)refuse(j, RO_NO_TOO_MANY,
		    "more than %d instances were changed by commands; put "
		    "them into the configuration and reload",
		    RO_INSTANCES_MAX);
		return NULL;
	}
	p = &j->s->instances[j->s->n_instances++];
	memset(p, 0, sizeof(*p));
	memcpy(p->service, j->svc->name, sizeof(p->service));
	memcpy(p->pool, j->pool->name, sizeof(p->pool));
	memcpy(p->name, c->instance, sizeof(p->name));
	p->weight = 1;
	p->admin = INST_IN;
	return p;
}

/* Words that say no more than the configuration does are forgotten. */
static void
tidy(struct job *j, struct instance_plan *p)
{
	bool differs = j->facts->instance.configured != NULL
	    ? p->removed || p->admin != INST_IN
	    : p->address[0] != '\0';

	if (!differs)
		*p = j->s->instances[--j->s->n_instances];
}

/* One that was added exists, be its name resolved or not. */
static enum ro_refusal
must_exist(struct job *j)
{
	const struct instance_plan *p = ro_plan_find(j->s, j->svc->name,
	    j->pool->name, j->cmd->instance);

	if (j->facts->instance.exists || (p != NULL && p->address[0] != '\0'))
		return RO_NO_NONE;
	return refuse(j, RO_NO_NO_INSTANCE, "pool %s has no instance %s",
	    j->pool->name, j->cmd->instance);
}

/* Would its pool be left with nobody to serve its share? */
static enum ro_refusal
must_leave_one(struct job *j)
{
	if (j->pool->share_bp == 0 || j->cmd->force ||
	    !j->facts->instance.eligible || facts_of(j, j->pool)->eligible > 1)
		return RO_NO_NONE;
	return refuse(j, RO_NO_LAST_INSTANCE,
	    "%s is the last ready instance of %s, which has a share of new "
	    "sessions; --force does it all the same",
	    j->cmd->instance, j->pool->name);
}

static enum ro_refusal
do_instance(struct job *j)
{
	enum ro_refusal r = must_exist(j);
	struct instance_plan *p;

	if (r == RO_NO_NONE && j->cmd->admin != INST_IN)
		r = must_leave_one(j);
	if (r != RO_NO_NONE)
		return r;
	p = plan_for(j);
	if (p == NULL)
		return RO_NO_TOO_MANY;
	p->admin = j->cmd->admin;
	tidy(j, p);
	return RO_NO_NONE;
}

/* Both as the configuration would write them. */
static bool
is_same_address(const char *configured, const char *typed)
{
	struct cfg_addr addr;
	bool same;

	if (cfg_addr_parse(str_of(typed), &addr) != E_OK)
		return false;
	same = strcmp(configured, addr.text) == 0;
	cfg_addr_free(&addr);
	return same;
}

static enum ro_refusal
do_add(struct job *j)
{
	const char *configured = j->facts->instance.configured;
	struct instance_plan *p;

	if (j->facts->instance.exists)
		return refuse(j, RO_NO_EXISTS, "%s has an instance %s already",
		    j->pool->name, j->cmd->instance);
	if (configured != NULL &&
	    !is_same_address(configured, j->cmd->address))
		return refuse(j, RO_NO_EXISTS,
		    "the configuration has %s of %s at %s; choose another "
		    "name, or that address to bring it back",
		    j->cmd->instance, j->pool->name, configured);
	p = plan_for(j);
	if (p == NULL)
		return RO_NO_TOO_MANY;
	p->removed = false;
	p->admin = INST_IN;
	p->weight = j->cmd->weight == 0 ? 1 : j->cmd->weight;
	if (configured == NULL)
		memcpy(p->address, j->cmd->address, sizeof(p->address));
	tidy(j, p);
	return RO_NO_NONE;
}

static enum ro_refusal
do_remove(struct job *j)
{
	enum ro_refusal r = must_exist(j);
	struct instance_plan *p;

	if (r == RO_NO_NONE)
		r = must_leave_one(j);
	if (r != RO_NO_NONE)
		return r;
	p = plan_for(j);
	if (p == NULL)
		return RO_NO_TOO_MANY;
	p->removed = true;
	p->address[0] = '\0';
	tidy(j, p);
	return RO_NO_NONE;
}

/* ---- values ---- */

/* May it stand between quotes in a log, and in a file read for ever? */
static bool
is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

static bool
is_plain_text(const char *s)
{
	while (*s != '\0' && is_plain(*s))
		s++;
	return *s == '\0';
}

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
	return refuse(j, RO_NO_BAD_VALUE, "a share is at most 100%%");
}

static enum ro_refusal
check_clocks(struct job *j)
{
	const struct ro_drain *d = &j->cmd->clocks;

	if (d->mode > CFG_DRAIN_EVICT)
		return refuse(j, RO_NO_BAD_VALUE,
		    "a drain's mode is keep, move or evict");
	if (d->flows_us <= RO_CLOCK_MAX_US &&
	    d->requests_us <= RO_CLOCK_MAX_US &&
	    d->streams_us <= RO_CLOCK_MAX_US)
		return RO_NO_NONE;
	return refuse(j, RO_NO_BAD_VALUE,
	    "a drain's clocks run for a year at most");
}

static enum ro_refusal
check_switch(struct job *j)
{
	return j->cmd->drain ? check_clocks(j) : RO_NO_NONE;
}

static enum ro_refusal
check_admin(struct job *j)
{
	if (j->cmd->admin < INST_ADMIN_COUNT)
		return RO_NO_NONE;
	return refuse(j, RO_NO_BAD_VALUE,
	    "an instance is in, in drain or in maint");
}

static enum ro_refusal
check_add(struct job *j)
{
	struct cfg_addr addr;

	if (!valid_label(str_of(j->cmd->instance)))
		return refuse(j, RO_NO_BAD_VALUE,
		    "an instance's name has letters, digits and ._-:/[]%%, "
		    "and at most %d of them",
		    CFG_NAME_MAX);
	if (j->cmd->weight > RO_WEIGHT_MAX)
		return refuse(j, RO_NO_BAD_VALUE, "a weight is in 1..%d",
		    RO_WEIGHT_MAX);
	if (!is_plain_text(j->cmd->address))
		return refuse(j, RO_NO_BAD_VALUE,
		    "an address has no quotes and is plain ASCII");
	if (cfg_addr_parse(str_of(j->cmd->address), &addr) != E_OK)
		return refuse(j, RO_NO_BAD_VALUE,
		    "%s is no address; HOST:PORT or unix:/PATH is expected",
		    j->cmd->address);
	cfg_addr_free(&addr);
	return RO_NO_NONE;
}

/* ---- the door ---- */

/* One row a verb. */
static const struct {
	enum ro_refusal (*check)(struct job *);
	enum ro_refusal (*carry_out)(struct job *);
} verbs[RO_VERB_COUNT] = {
	[RO_SHARE] = { check_share, do_share },
	[RO_SWITCH] = { check_switch, do_switch },
	[RO_DRAIN] = { check_clocks, do_drain },
	[RO_UNDRAIN] = { check_none, do_undrain },
	[RO_INSTANCE] = { check_admin, do_instance },
	[RO_ADD_INSTANCE] = { check_add, do_add },
	[RO_REMOVE_INSTANCE] = { check_none, do_remove },
};

#define LIST_MAX 192 /* bytes; longer lists are cut */

/* Appends a name to a list as people write it. */
static void
list_name(char list[LIST_MAX], const char *name)
{
	size_t n = strlen(list);

	(void)snprintf(list + n, LIST_MAX - n, "%s%s", n > 0 ? ", " : "",
	    name);
}

static enum ro_refusal
find_service(struct job *j)
{
	const char *name = j->cmd->service;
	char list[LIST_MAX] = "";

	j->svc = name[0] != '\0'	 ? ro_service_find(j->s, name)
	    : j->s->n_services == 1 ? &j->s->services[0]
				    : NULL;
	if (j->svc != NULL)
		return RO_NO_NONE;
	for (size_t i = 0; i < j->s->n_services; i++)
		list_name(list, j->s->services[i].name);
	if (name[0] == '\0')
		return refuse(j, RO_NO_NO_SERVICE,
		    "there are %zu services; name one with --service: %s",
		    j->s->n_services, list);
	return refuse(j, RO_NO_NO_SERVICE,
	    "there is no service %s; there is %s", name, list);
}

static enum ro_refusal
find_pool(struct job *j)
{
	char list[LIST_MAX] = "";

	j->svc_at = (size_t)(j->svc - j->s->services);
	j->pool = ro_pool_find(j->svc, j->cmd->pool);
	if (j->pool != NULL)
		return RO_NO_NONE;
	for (size_t i = 0; i < j->svc->n_pools; i++)
		list_name(list, j->svc->pools[i].name);
	return refuse(j, RO_NO_NO_POOL,
	    "service %s has no pool %s; it has %s", j->svc->name,
	    j->cmd->pool, list);
}

static void
sign(struct ro_state *s, const char *who)
{
	size_t n = str_copy(str_of(who), s->changed_by, RO_WHO_MAX);

	for (size_t i = 0; i < n; i++)
		if (!is_plain(s->changed_by[i]))
			s->changed_by[i] = '?';
}

enum ro_refusal
machine_command(struct ro_state *s, const struct ro_facts *facts,
    const struct ro_command *cmd, char *why, size_t cap)
{
	struct job j = {
		.s = s, .facts = facts, .cmd = cmd, .why = why, .cap = cap
	};
	enum ro_refusal r;

	why[0] = '\0';
	r = find_service(&j);
	if (r == RO_NO_NONE)
		r = find_pool(&j);
	if (r == RO_NO_NONE)
		r = verbs[cmd->verb].check(&j);
	if (r == RO_NO_NONE)
		r = verbs[cmd->verb].carry_out(&j);
	if (r != RO_NO_NONE)
		return r;
	s->generation++;
	s->changed_us = facts->wall_us;
	sign(s, cmd->who);
	return RO_NO_NONE;
}
