/*
 * What commands do about instances.
 */
#include <string.h>

#include "base/err.h"
#include "config/valid.h"
#include "rollout/machine_int.h"

/* The words about an instance, made if there are none; NULL: no room. */
static struct instance_plan *
plan_for(struct job *j, const char *name)
{
	struct instance_plan *p = ro_plan_find(j->s, j->svc->name,
	    j->pool->name, name);

	if (p != NULL)
		return p;
	if (j->s->n_instances == RO_INSTANCES_MAX) {
		(void)job_refuse(j, RO_NO_TOO_MANY,
		    "more than %d instances were changed by commands; put "
		    "them into the configuration and reload",
		    RO_INSTANCES_MAX);
		return NULL;
	}
	p = &j->s->instances[j->s->n_instances++];
	memset(p, 0, sizeof(*p));
	str_copy(str_of(j->svc->name), p->service, sizeof(p->service));
	str_copy(str_of(j->pool->name), p->pool, sizeof(p->pool));
	str_copy(str_of(name), p->name, sizeof(p->name));
	p->weight = 1;
	p->admin = INST_IN;
	return p;
}

/* Words that say no more than the configuration does are forgotten. */
static void
tidy(struct job *j, struct instance_plan *p, bool configured)
{
	bool differs = configured ? p->removed || p->admin != INST_IN
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
	return job_refuse(j, RO_NO_NO_INSTANCE, "pool %s has no instance %s",
	    j->pool->name, j->cmd->instance);
}

/* Would its pool be left with nobody to serve its share? */
static enum ro_refusal
must_leave_one(struct job *j)
{
	if (j->pool->share_bp == 0 || j->cmd->force ||
	    !j->facts->instance.eligible || job_facts(j, j->pool)->eligible > 1)
		return RO_NO_NONE;
	return job_refuse(j, RO_NO_LAST_INSTANCE,
	    "%s is the last ready instance of %s, which has a share of new "
	    "sessions; --force does it all the same",
	    j->cmd->instance, j->pool->name);
}

/* A roll that goes on has it in hand. */
static enum ro_refusal
must_be_free(struct job *j)
{
	const struct ro_rollout *r = &j->svc->rollout;

	if (r->stand != RO_STAND_RUNNING || strcmp(r->to, j->pool->name) != 0 ||
	    (strcmp(r->roll.now, j->cmd->instance) != 0 &&
	        strcmp(r->roll.spare, j->cmd->instance) != 0))
		return RO_NO_NONE;
	return rollout_forbids(j);
}

enum ro_refusal
instance_set_admin(struct job *j)
{
	enum ro_refusal r = must_exist(j);
	struct instance_plan *p;

	if (r == RO_NO_NONE)
		r = must_be_free(j);
	if (r == RO_NO_NONE && j->cmd->admin != INST_IN)
		r = must_leave_one(j);
	if (r != RO_NO_NONE)
		return r;
	p = plan_for(j, j->cmd->instance);
	if (p == NULL)
		return RO_NO_TOO_MANY;
	p->admin = j->cmd->admin;
	tidy(j, p, j->facts->instance.configured != NULL);
	return RO_NO_NONE;
}

enum ro_refusal
instance_turn(struct job *j, const char *name, enum inst_admin admin)
{
	struct instance_plan *p = plan_for(j, name);

	if (p == NULL)
		return RO_NO_TOO_MANY;
	p->admin = (uint8_t)admin;
	tidy(j, p, p->address[0] == '\0');
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

enum ro_refusal
instance_add(struct job *j)
{
	const char *configured = j->facts->instance.configured;
	struct instance_plan *p;

	if (j->facts->instance.exists)
		return job_refuse(j, RO_NO_EXISTS,
		    "%s has an instance %s already", j->pool->name,
		    j->cmd->instance);
	if (configured != NULL && !is_same_address(configured, j->cmd->address))
		return job_refuse(j, RO_NO_EXISTS,
		    "the configuration has %s of %s at %s; choose another "
		    "name, or that address to bring it back",
		    j->cmd->instance, j->pool->name, configured);
	p = plan_for(j, j->cmd->instance);
	if (p == NULL)
		return RO_NO_TOO_MANY;
	p->removed = false;
	p->admin = INST_IN;
	p->weight = j->cmd->weight == 0 ? 1 : j->cmd->weight;
	if (configured == NULL)
		memcpy(p->address, j->cmd->address, sizeof(p->address));
	tidy(j, p, j->facts->instance.configured != NULL);
	return RO_NO_NONE;
}

enum ro_refusal
instance_remove(struct job *j)
{
	enum ro_refusal r = must_exist(j);
	struct instance_plan *p;

	if (r == RO_NO_NONE)
		r = must_be_free(j);
	if (r == RO_NO_NONE)
		r = must_leave_one(j);
	if (r != RO_NO_NONE)
		return r;
	p = plan_for(j, j->cmd->instance);
	if (p == NULL)
		return RO_NO_TOO_MANY;
	p->removed = true;
	p->address[0] = '\0';
	tidy(j, p, j->facts->instance.configured != NULL);
	return RO_NO_NONE;
}

/* ---- values ---- */

static bool
is_plain_text(const char *s)
{
	while (*s != '\0' && job_char_is_plain(*s))
		s++;
	return *s == '\0';
}

enum ro_refusal
instance_check_admin(struct job *j)
{
	if (j->cmd->admin < INST_ADMIN_COUNT)
		return RO_NO_NONE;
	return job_refuse(j, RO_NO_BAD_VALUE,
	    "an instance is in, in drain or in maint");
}

enum ro_refusal
instance_check_add(struct job *j)
{
	struct cfg_addr addr;

	if (!valid_label(str_of(j->cmd->instance)))
		return job_refuse(j, RO_NO_BAD_VALUE,
		    "an instance's name has letters, digits and ._-:/[]%%, "
		    "and at most %d of them",
		    CFG_NAME_MAX);
	if (j->cmd->weight > RO_WEIGHT_MAX)
		return job_refuse(j, RO_NO_BAD_VALUE, "a weight is in 1..%d",
		    RO_WEIGHT_MAX);
	if (!is_plain_text(j->cmd->address))
		return job_refuse(j, RO_NO_BAD_VALUE,
		    "an address has no quotes and is plain ASCII");
	if (cfg_addr_parse(str_of(j->cmd->address), &addr) != E_OK)
		return job_refuse(j, RO_NO_BAD_VALUE,
		    "%s is no address; HOST:PORT or unix:/PATH is expected",
		    j->cmd->address);
	cfg_addr_free(&addr);
	return RO_NO_NONE;
}
