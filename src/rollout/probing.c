#include "rollout/probing.h"

#include "base/clock.h"
#include "base/err.h"
#include "config/config.h"
#include "upstream/board.h"
#include "upstream/registry.h"

/* A proof from before a restart counts so long. */
#define CARRY_US (15 * US_PER_S)

static void
carry(const struct probing *w, struct instance *i)
{
	enum health known;

	if (w->board != NULL &&
	    board_look(w->board, i, clock_mono_us(), CARRY_US, &known) &&
	    known == HEALTH_UP)
		probe_carry(i->probe, known);
}

static int
fit_instance(const struct probing *w, struct cfg *cfg,
    const struct cfg_probe *settings, struct instance *i, bool renew)
{
	int rc;

	if (!inst_has_address(i))
		return E_OK;
	if (i->probe != NULL && renew)
		probe_configure(i->probe, cfg, settings);
	if (i->probe != NULL)
		return E_OK;
	rc = probe_new(w->loop, cfg, settings, i, w->edge, w->arg, &i->probe);
	if (rc != E_OK)
		return rc;
	if (!registry_is_candidate(i))
		carry(w, i);
	probe_start(i->probe);
	return E_OK;
}

static int
fit_pool(const struct probing *w, struct cfg *cfg,
    const struct cfg_probe *settings, const struct pool *p, bool renew)
{
	struct instance *i = NULL;
	int rc = E_OK;

	while (rc == E_OK &&
	    (i = registry_probed_next(w->registry, p, i)) != NULL)
		rc = fit_instance(w, cfg, settings, i, renew);
	return rc;
}

int
probing_fit(const struct probing *w, struct cfg *cfg, bool renew)
{
	int rc = E_OK;

	for (size_t s = 0; s < cfg->n_services; s++) {
		const struct cfg_service *svc = &cfg->services[s];

		for (size_t i = 0; i < svc->n_pools && rc == E_OK; i++) {
			const struct pool *p = registry_pool(w->registry,
			    svc->name, svc->pools[i].name);

			if (p != NULL)
				rc = fit_pool(w, cfg, &svc->pools[i].probe, p,
				    renew);
		}
	}
	return rc;
}

typedef void each_fn(const struct probing *, struct instance *,
    const struct instance *wanted);

static void
for_each(const struct probing *w, each_fn *fn, const struct instance *wanted)
{
	struct registry *r = w->registry;
	struct service *s;
	struct pool *p;

	for (size_t a = 0; (s = registry_service_at(r, a)) != NULL; a++) {
		for (size_t b = 0; (p = registry_pool_at(r, s, b)) != NULL;
		     b++) {
			struct instance *i = NULL;

			while ((i = registry_probed_next(r, p, i)) != NULL)
				fn(w, i, wanted);
		}
	}
}

void
probing_note(const struct probing *w, const struct instance *i)
{
	/* What was carried over is no proof of now. */
	if (w->board != NULL && i->reason != HEALTH_WHY_CARRIED)
		board_note(w->board, i, clock_mono_us());
}

static void
note_last(const struct probing *w, struct instance *i,
    const struct instance *wanted UNUSED)
{
	if (i->last_probe_us != 0)
		board_note(w->board, i, i->last_probe_us);
}

void
probing_note_all(const struct probing *w)
{
	if (w->board != NULL)
		for_each(w, note_last, NULL);
}

static void
hurry(const struct probing *w UNUSED, struct instance *i,
    const struct instance *wanted)
{
	if (i == wanted && i->probe != NULL)
		probe_hurry(i->probe);
}

void
probing_hurry(const struct probing *w, const struct instance *wanted)
{
	for_each(w, hurry, wanted);
}

static void
stop(const struct probing *w UNUSED, struct instance *i,
    const struct instance *wanted UNUSED)
{
	probe_free(&i->probe);
}

void
probing_stop(const struct probing *w)
{
	for_each(w, stop, NULL);
}
