/*
 * What operators want changed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"
#include "rollout/drive_int.h"
#include "rollout/facts.h"
#include "rollout/news.h"
#include "rollout/waiters.h"

/* ---- commands ---- */

static enum ro_refusal refuse(enum ro_refusal, char *why, size_t cap,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

static enum ro_refusal
refuse(enum ro_refusal r, char *why, size_t cap, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, cap, fmt, ap);
	va_end(ap);
	return r;
}

int
drive_check_address(const char *address, char *why, size_t cap)
{
	struct cfg_addr text;
	struct addr addr;
	int rc;

	if (address[0] == '\0')
		return E_OK;
	rc = cfg_addr_parse(str_of(address), &text);
	if (rc == E_OK) {
		rc = addr_of_cfg(&text, &addr);
		cfg_addr_free(&text);
	}
	if (rc != E_OK)
		(void)snprintf(why, cap, "%.160s: %s", address,
		    rc == E_NOENT ? "this name does not resolve"
		                  : err_text(rc));
	return rc;
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

/* Brings .next, which is on disk, into memory; or the disk back. */
static enum ro_refusal
bring_in(struct drive *d, const struct ro_command *c, char *why, size_t cap)
{
	const char *service = facts_service_of(&d->next, c);
	int rc = E_OK;

	if (c->verb == RO_INSTANCE) {
		struct instance *i = registry_instance(d->env.registry, service,
		    c->pool, c->instance);

		if (i != NULL)
			i->admin = c->admin;
	} else if (c->verb == RO_ADD_INSTANCE ||
	    c->verb == RO_REMOVE_INSTANCE) {
		rc = drive_apply_instances(d, d->cfg, why, cap);
	}
	if (rc != E_OK) {
		drive_restore(d);
		return rc == E_NOMEM ? RO_NO_NO_MEMORY : RO_NO_ADDRESS;
	}
	drive_take_over(d, true);
	if (c->verb == RO_ADD_INSTANCE)
		drive_fit_probes(d, false);
	return RO_NO_NONE;
}

static enum ro_refusal
carry_out(struct drive *d, const struct ro_command *c, char *why, size_t cap)
{
	struct ro_facts facts;
	enum ro_refusal r;
	int rc;

	if (ro_state_copy(&d->next, &d->state) != E_OK)
		return refuse(RO_NO_NO_MEMORY, why, cap, "%s",
		    ro_refusal_text(RO_NO_NO_MEMORY));
	facts = *drive_facts(d);
	facts.instance = facts_of_instance(d->env.registry, d->cfg, &d->state,
	    c);
	r = machine_command(&d->next, &facts, c, why, cap);
	if (r != RO_NO_NONE)
		return r;
	/* Before anything is on disk: would the registry take it? */
	if (c->verb == RO_ADD_INSTANCE &&
	    drive_check_address(c->address, why, cap) != E_OK)
		return RO_NO_ADDRESS;
	rc = drive_save(d, &d->next);
	if (rc != E_OK)
		return refuse(RO_NO_DISK, why, cap,
		    "%.160s could not be written: %s; nothing was changed",
		    d->path, err_text(rc));
	return bring_in(d, c, why, cap);
}

uint64_t
drive_command(struct drive *d, const struct ro_command *c, bool wait,
    uint64_t wait_us, drive_done_fn *done, void *arg)
{
	uint64_t began_us = clock_mono_us();
	char why[512] = "";
	enum ro_refusal r;

	ON_CONTROL_THREAD();
	r = carry_out(d, c, why, sizeof(why));
	news_command(d->env.feed, &d->state, c, r, why);
	if (r != RO_NO_NONE) {
		struct drive_result result = { .refusal = r,
			.generation = d->state.generation,
			.took_us = clock_mono_us() - began_us,
			.sentence = why };

		done(&result, arg);
		return 0;
	}
	(void)drive_publish(d);
	drive_poke(d);
	return waiters_add(d->waiters, &d->state, c, wait, wait_us, began_us,
	    done, arg);
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
