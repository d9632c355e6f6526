/*
 * What operators want changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/thread.h"
#include "rollout/drive_int.h"
#include "rollout/facts.h"
#include "rollout/mark.h"
#include "rollout/news.h"
#include "rollout/steps.h"
#include "rollout/waiters.h"

struct command {
	struct change change;
	struct ro_command cmd;
	struct ro_rollout plan; /* of a rollout that starts */
	uint64_t waiter;        /* id; it may have left */
};

static struct command *
command_of(struct change *c)
{
	return CONTAINER_OF(c, struct command, change);
}

int
drive_check_address(struct drive *d, const char *address, char *why, size_t cap)
{
	if (address[0] == '\0')
		return E_OK;
	return registry_check_address(d->env.registry, address, why, cap);
}

int
drive_apply_instances(struct drive *d, struct cfg *cfg, char *why, size_t cap)
{
	int rc = registry_apply(d->env.registry, cfg, d->next.instances,
	    d->next.n_instances, why, cap);

	/* What it marked as gone is still in the newest view. */
	d->stale |= rc == E_OK;
	return rc;
}

/* The steps are those of the configuration when its turn comes. */
static void
plan(struct drive *d, struct ro_command *cmd, struct ro_rollout *steps)
{
	const struct cfg_service *s = cfg_service_find(d->cfg,
	    str_of(facts_service_of(&d->state, cmd)));
	const struct ro_service *svc;

	if (s == NULL)
		return; /* told by the machine */
	steps_plan(s, cmd->pool, steps);
	cmd->plan = steps;
	svc = ro_service_find(&d->state, s->name);
	if (svc != NULL)
		cmd->now = mark_of(s, &d->state,
		    (size_t)(svc - d->state.services), drive_facts(d), steps,
		    cmd->pool);
}

enum ro_refusal
drive_plan(struct drive *d, const struct ro_command *c, struct ro_rollout *out,
    struct ro_mark *mark, char *why, size_t cap)
{
	struct ro_command cmd = *c;
	enum ro_refusal r = RO_NO_NO_MEMORY;
	struct ro_state s;

	ON_CONTROL_THREAD();
	(void)snprintf(why, cap, "%s", ro_refusal_text(r));
	*out = (struct ro_rollout){ .stand = RO_STAND_NONE };
	*mark = (struct ro_mark){ .set = false };
	if (ro_state_new(&s) != E_OK)
		return r;
	plan(d, &cmd, out);
	*mark = cmd.now;
	if (ro_state_copy(&s, &d->state) == E_OK)
		r = machine_command(&s, drive_facts(d), &cmd, why, cap);
	ro_state_free(&s);
	return r;
}

static bool
decide(struct drive *d, struct change *c)
{
	const struct ro_command *cmd = &command_of(c)->cmd;
	struct ro_facts facts = *drive_facts(d);

	if (!drive_may_command(d, c, cmd))
		return false;
	if (cmd->verb == RO_ROLLOUT && cmd->action == RO_ACTION_START)
		plan(d, &command_of(c)->cmd, &command_of(c)->plan);
	facts.instance = facts_of_instance(d->env.registry, d->cfg, &d->state,
	    cmd);
	c->refusal = machine_command(&d->next, &facts, cmd, c->why,
	    sizeof(c->why));
	/* Before anything is on disk: would the registry take it? */
	if (c->refusal == RO_NO_NONE && cmd->verb == RO_ADD_INSTANCE &&
	    drive_check_address(d, cmd->address, c->why, sizeof(c->why)) !=
	        E_OK)
		c->refusal = RO_NO_ADDRESS;
	return c->refusal == RO_NO_NONE;
}

static bool
adopt(struct drive *d, struct change *c)
{
	const struct ro_command *cmd = &command_of(c)->cmd;
	int rc = E_OK;

	if (cmd->verb == RO_ADD_INSTANCE || cmd->verb == RO_REMOVE_INSTANCE)
		rc = drive_apply_instances(d, d->cfg, c->why, sizeof(c->why));
	if (rc != E_OK) {
		c->refusal = rc == E_NOMEM ? RO_NO_NO_MEMORY : RO_NO_ADDRESS;
		return false;
	}
	drive_take_over(d, true);
	if (cmd->verb == RO_ADD_INSTANCE)
		drive_fit_probes(d, false);
	return true;
}

static void
end(struct drive *d, struct change *c)
{
	struct command *m = command_of(c);

	news_command(d->env.feed, &d->state, &m->cmd, c->refusal, c->why);
	if (c->refusal == RO_NO_NONE) {
		waiters_begun(d->waiters, m->waiter, &d->state);
		(void)drive_publish(d);
		drive_poke(d);
	} else {
		waiters_refuse(d->waiters, m->waiter, &d->state, c->refusal,
		    c->why);
	}
	free(m);
}

static const struct change_kind command_kind = { .decide = decide,
	.adopt = adopt,
	.end = end };

static uint64_t
refuse_memory(struct drive *d, const struct ro_command *c, drive_done_fn *done,
    void *arg)
{
	const char *why = ro_refusal_text(RO_NO_NO_MEMORY);
	struct drive_result result = { .refusal = RO_NO_NO_MEMORY,
		.generation = d->state.generation,
		.sentence = why };

	news_command(d->env.feed, &d->state, c, RO_NO_NO_MEMORY, why);
	done(&result, arg);
	return 0;
}

uint64_t
drive_command(struct drive *d, const struct ro_command *c, bool wait,
    uint64_t wait_us, drive_done_fn *done, void *arg)
{
	struct command *m = calloc(1, sizeof(*m));
	uint64_t id = 0;

	ON_CONTROL_THREAD();
	if (m != NULL)
		id = waiters_add(d->waiters, &d->state, c, wait, wait_us, done,
		    arg);
	if (id == 0) {
		free(m);
		return refuse_memory(d, c, done, arg);
	}
	m->change.kind = &command_kind;
	m->cmd = *c;
	m->change.forced = c->force;
	m->waiter = id;
	drive_submit(d, &m->change);
	return waiters_has(d->waiters, id) ? id : 0;
}

void
drive_forget(struct drive *d, uint64_t id)
{
	waiters_forget(d->waiters, id);
}

void
drive_on_progress(struct drive *d, uint64_t id, drive_progress_fn *fn)
{
	waiters_on_progress(d->waiters, id, fn);
	drive_poke(d);
}

/* The clocks that run, or NULL. */
static const struct ro_drain *
running_clocks(struct drive *d, const char *service, const char *pool)
{
	struct ro_service *s = ro_service_find(&d->state, service);
	struct ro_pool *p = s == NULL ? NULL : ro_pool_find(s, pool);

	return p != NULL && p->state == POOL_DRAINING ? &p->drain : NULL;
}

struct ro_drain
drive_clocks(struct drive *d, const char *service, const char *pool)
{
	const struct cfg_service *s = NULL;
	const struct ro_drain *running;

	if (service != NULL && service[0] != '\0')
		s = cfg_service_find(d->cfg, str_of(service));
	else if (d->cfg->n_services == 1)
		s = &d->cfg->services[0];
	if (s == NULL)
		return (struct ro_drain){ .mode = CFG_DRAIN_KEEP };
	running = pool == NULL ? NULL : running_clocks(d, s->name, pool);
	if (running != NULL)
		return *running;
	return (struct ro_drain){ .mode = (uint8_t)s->drain_mode,
		.flows_us = s->drain_flows_us,
		.requests_us = s->drain_requests_us,
		.streams_us = s->drain_streams_us };
}
