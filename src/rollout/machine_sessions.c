/*
 * What operators order for sessions: of a pool, of all, or for one.
 */
#include <stdio.h>
#include <string.h>

#include "rollout/machine_int.h"

static struct ro_pool *
to_of(const struct job *j)
{
	return ro_pool_find(j->svc, j->cmd->to);
}

static enum ro_refusal
check_to(struct job *j)
{
	const struct ro_pool *to = to_of(j);
	char unfit[JOB_UNFIT_MAX];

	if (to == NULL)
		return job_refuse(j, RO_NO_NO_POOL, "service %s has no pool %s",
		    j->svc->name, j->cmd->to);
	if (to == j->pool || job_can_serve(j, to) ||
	    (to->state == POOL_ACTIVE && j->cmd->force))
		return RO_NO_NONE;
	job_say_unfit(j, to, unfit);
	return job_refuse(j, RO_NO_NOT_READY, "%s", unfit);
}

enum ro_refusal
sessions_check(struct job *j)
{
	const struct ro_command *c = j->cmd;

	if ((c->pool[0] != '\0') + c->all + (c->session != 0) != 1)
		return job_refuse(j, RO_NO_BAD_VALUE,
		    "whose sessions? --pool POOL, --all, or the KEY of one");
	if (job_facts(j, &j->svc->pools[0])->pins_live_us == 0)
		return job_refuse(j, RO_NO_BAD_VALUE,
		    "%s keeps no sessions by a cookie: its sticky.scope is "
		    "none",
		    j->svc->name);
	return c->to[0] == '\0' ? RO_NO_NONE : check_to(j);
}

/* By the share they would come back to where all of it is. */
static enum ro_refusal
must_leave(struct job *j)
{
	if (j->cmd->to[0] != '\0' || j->pool->share_bp < CFG_SHARE_ALL)
		return RO_NO_NONE;
	return job_refuse(j, RO_NO_LAST_POOL,
	    "%s gets all new sessions, these too: --to POOL names another",
	    j->pool->name);
}

/* To where they are: what was ordered before is taken back. */
static void
order_pool(const struct job *j, struct ro_pool *p)
{
	if (p == to_of(j)) {
		orders_forget_of(p);
		return;
	}
	if (j->cmd->evict)
		p->min_epoch = j->svc->epoch;
	else
		p->move_epoch = j->svc->epoch;
	memcpy(p->pins_to, j->cmd->to, sizeof(p->pins_to));
}

/* Those of single sessions that lead there; 0: that go by the share. */
static void
forget_single(struct ro_service *s, uint8_t to)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_orders; i++)
		if (s->orders[i].to != to)
			s->orders[kept++] = s->orders[i];
	s->n_orders = kept;
}

void
orders_forget_of(struct ro_pool *p)
{
	p->move_epoch = 0;
	p->pins_to[0] = '\0';
}

void
orders_forget_to(struct ro_service *s, const struct ro_pool *p)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (strcmp(s->pools[i].pins_to, p->name) == 0)
			orders_forget_of(&s->pools[i]);
	forget_single(s, (uint8_t)(p - s->pools + 1));
}

void
orders_forget_shares(struct ro_service *s)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (s->pools[i].pins_to[0] == '\0')
			s->pools[i].move_epoch = 0;
	forget_single(s, 0);
}

/* Of pins that are too old by now, and of the same session, none is needed. */
static void
forget_orders(struct ro_service *s, uint64_t session, uint64_t life_us,
    uint64_t now_us)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_orders; i++)
		if (s->orders[i].session != session &&
		    s->orders[i].given_us + life_us > now_us)
			s->orders[kept++] = s->orders[i];
	s->n_orders = kept;
}

static enum ro_refusal
order_session(struct job *j)
{
	struct ro_service *s = j->svc;
	const struct ro_pool *to = to_of(j);

	forget_orders(s, j->cmd->session,
	    job_facts(j, &s->pools[0])->pins_live_us, j->facts->wall_us);
	if (s->n_orders == VIEW_ORDERS_MAX)
		return job_refuse(j, RO_NO_TOO_MANY,
		    "%d sessions of %s have an order of their own already; "
		    "--pool and --all take one for all",
		    VIEW_ORDERS_MAX, s->name);
	s->orders[s->n_orders++] = (struct ro_order){
		.session = j->cmd->session,
		.given_us = j->facts->wall_us,
		.epoch = s->epoch,
		.how = j->cmd->evict ? PINS_EVICT : PINS_MOVE,
		.to = to == NULL ? 0 : (uint8_t)(to - s->pools + 1),
	};
	return RO_NO_NONE;
}

enum ro_refusal
sessions_command(struct job *j)
{
	enum ro_refusal r = j->pool == NULL ? RO_NO_NONE : must_leave(j);

	if (r != RO_NO_NONE)
		return r;
	j->svc->epoch++;
	/* Who may get sessions serves, and is drained as others are. */
	if (to_of(j) != NULL && to_of(j) != j->pool)
		pool_activate(to_of(j), j->facts->wall_us);
	if (j->cmd->session != 0)
		return order_session(j);
	if (j->cmd->all)
		j->svc->n_orders = 0;
	for (size_t i = 0; i < j->svc->n_pools; i++) {
		struct ro_pool *p = &j->svc->pools[i];

		if (j->pool == NULL || p == j->pool)
			order_pool(j, p);
	}
	return RO_NO_NONE;
}
