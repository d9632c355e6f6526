/*
 * A new configuration.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"
#include "rollout/cluster.h"
#include "rollout/drive_int.h"
#include "rollout/ejecting.h"
#include "rollout/keys_watch.h"
#include "rollout/news.h"
#include "upstream/names.h"

/* ---- is somebody left to serve? ---- */

static bool
is_eligible(const struct instance *i)
{
	return i != NULL && i->health == HEALTH_UP && i->admin == INST_IN;
}

/* Does an instance that is fit now stay, under its name and address? */
static bool
stays_fit(struct drive *d, const char *service, const struct cfg_pool *cfg)
{
	for (size_t i = 0; i < cfg->n_instances; i++) {
		const struct instance *inst = registry_stays(d->env.registry,
		    service, cfg->name, &cfg->instances[i]);

		if (is_eligible(inst))
			return true;
	}
	return false;
}

/* As stays_fit(), of the instances that commands added. */
static bool
added_fit(struct drive *d, const char *service, const char *pool)
{
	for (size_t i = 0; i < d->next.n_instances; i++) {
		const struct instance_plan *p = &d->next.instances[i];

		if (p->address[0] != '\0' && strcmp(p->service, service) == 0 &&
		    strcmp(p->pool, pool) == 0 &&
		    is_eligible(registry_instance(d->env.registry, service,
		        pool, p->name)))
			return true;
	}
	return false;
}

/* Can new sessions of a service be served now? */
static const char *
who_serves(struct drive *d, const struct ro_service *s)
{
	const struct ro_facts *facts = drive_facts(d);
	size_t at = (size_t)(s - d->state.services);

	for (size_t i = 0; i < s->n_pools; i++)
		if (s->pools[i].share_bp > 0 &&
		    ro_facts_of(facts, at, i)->eligible > 0)
			return s->pools[i].name;
	return NULL;
}

static bool
can_still_serve(struct drive *d, const struct ro_service *s,
    const struct cfg_service *cfg)
{
	for (size_t i = 0; i < s->n_pools; i++) {
		const struct ro_pool *p = &s->pools[i];

		if (p->share_bp > 0 &&
		    (stays_fit(d, s->name, &cfg->pools[i]) ||
		        added_fit(d, s->name, p->name)))
			return true;
	}
	return false;
}

/*
 * A file that takes away all that serves a service would answer its clients
 * with errors until something else has proved itself: refused.
 */
static int
check_served(struct drive *d, const struct cfg *cfg, char *why, size_t cap)
{
	for (size_t i = 0; i < cfg->n_services; i++) {
		const struct ro_service *next = &d->next.services[i];
		const struct ro_service *now = ro_service_find(&d->state,
		    next->name);
		const char *serves = now == NULL ? NULL : who_serves(d, now);

		if (serves == NULL ||
		    can_still_serve(d, next, &cfg->services[i]))
			continue;
		(void)snprintf(why, cap,
		    "services[%s]: of what serves new sessions now (pool %s) "
		    "no ready instance would stay under its name and address; "
		    "keep it beside the new ones, switch or wait until they "
		    "are ready, then take it out",
		    next->name, serves);
		return E_STATE;
	}
	return E_OK;
}

/* ---- the change ---- */

struct reload {
	struct change change;
	struct cfg *cfg;         /* one ref */
	struct keyring *keyring; /* borrowed */
	int code;
	drive_reload_fn *done;
	void *arg;
};

static struct reload *
reload_of(struct change *c)
{
	return CONTAINER_OF(c, struct reload, change);
}

static bool
is_well(struct reload *r, int rc)
{
	r->code = rc;
	if (rc == E_OK)
		return true;
	r->change.refusal = rc == E_NOMEM ? RO_NO_NO_MEMORY : RO_NO_BAD_VALUE;
	if (r->change.why[0] == '\0')
		(void)snprintf(r->change.why, sizeof(r->change.why), "%s",
		    err_text(rc));
	return false;
}

static bool
decide(struct drive *d, struct change *c)
{
	struct reload *r = reload_of(c);
	/* Names that do not resolve are found before anything is on disk. */
	int rc = registry_check_names(d->env.registry, r->cfg, c->why,
	    sizeof(c->why));
	bool changed = false;

	if (rc == E_OK)
		rc = ro_state_reconcile(&d->next, r->cfg, clock_wall_us(),
		    &changed);
	if (rc == E_OK)
		rc = check_served(d, r->cfg, c->why, sizeof(c->why));
	if (rc == E_OK)
		rc = drive_make_room(d,
		    MAX(d->next.n_services, d->state.n_services));
	/* Of timeouts and the like the state knows nothing. */
	c->unsaved = !changed;
	if (rc != E_OK || !changed)
		return is_well(r, rc);
	d->next.generation++;
	d->next.changed_us = clock_wall_us();
	memcpy(d->next.changed_by, "reload", sizeof("reload"));
	return is_well(r, rc);
}

static bool
adopt(struct drive *d, struct change *c)
{
	struct reload *r = reload_of(c);
	int rc = drive_apply_instances(d, r->cfg, c->why, sizeof(c->why));

	if (rc != E_OK)
		return is_well(r, rc);
	cfg_unref(&d->cfg);
	d->cfg = cfg_ref(r->cfg);
	if (d->cluster != NULL)
		cluster_configured(d->cluster, r->cfg);
	ejecting_use(d->ejecting, r->cfg);
	d->keyring = r->keyring;
	drive_take_over(d, true);
	names_ask_all(d->names);
	drive_fit_probes(d, true);
	keys_watch_use(d->keys, d->cfg);
	(void)drive_publish(d);
	return true;
}

static void
end(struct drive *d, struct change *c)
{
	struct reload *r = reload_of(c);

	if (r->code == E_OK && c->refusal != RO_NO_NONE)
		r->code = c->refusal == RO_NO_DISK ? E_FULL : E_STATE;
	d->reload_refused = r->code != E_OK;
	news_reload(d->env.feed, r->code == E_OK ? NULL : c->why,
	    d->state.generation);
	r->done(r->code, c->why, r->arg);
	cfg_unref(&r->cfg);
	free(r);
	drive_poke(d);
}

static const struct change_kind reload_kind = { .decide = decide,
	.adopt = adopt,
	.end = end };

void
drive_reload(struct drive *d, struct cfg *cfg, struct keyring *ring,
    drive_reload_fn *done, void *arg)
{
	struct reload *r = calloc(1, sizeof(*r));

	ON_CONTROL_THREAD();
	if (r == NULL) {
		drive_reload_refused(d, err_text(E_NOMEM));
		done(E_NOMEM, err_text(E_NOMEM), arg);
		return;
	}
	r->change.kind = &reload_kind;
	r->cfg = cfg_ref(cfg);
	r->keyring = ring;
	r->done = done;
	r->arg = arg;
	drive_submit(d, &r->change);
}

void
drive_reload_refused(struct drive *d, const char *why)
{
	ON_CONTROL_THREAD();
	d->reload_refused = true;
	news_reload(d->env.feed, why, d->state.generation);
}
