#include "rollout/ejecting.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "config/config.h"
#include "net/loop.h"
#include "rollout/news.h"
#include "upstream/eject.h"
#include "upstream/registry.h"

#define LOOK_US US_PER_S           /* at least so often */
#define MOMENT_US (10 * US_PER_MS) /* failures of so long are one look */

struct ejecting {
	struct registry *registry; /* borrowed */
	struct feed *feed;         /* borrowed */
	struct cfg *cfg;           /* one ref */
	void (*changed)(void *arg);
	void *arg;
	struct alarm *clock;
	bool hurried; /* the clock is set to a moment */
};

static void
tell(struct instance *i, void *arg)
{
	const struct ejecting *e = arg;

	news_eject(e->feed, i);
}

static bool
look_at(struct ejecting *e, const struct cfg_service *svc, uint64_t now_us,
    uint64_t *due_us)
{
	bool changed = false;

	for (size_t i = 0; i < svc->n_pools; i++) {
		const struct cfg_pool *cfg = &svc->pools[i];
		struct pool *p = registry_pool(e->registry, svc->name,
		    cfg->name);

		if (p != NULL)
			changed |= eject_look(e->registry, p, cfg, now_us, tell,
			    e, due_us);
	}
	return changed;
}

static void
on_clock(void *arg)
{
	struct ejecting *e = arg;
	uint64_t now = clock_mono_us(), due = now + LOOK_US;
	bool changed = false;

	e->hurried = false;
	for (size_t i = 0; i < e->cfg->n_services; i++)
		changed |= look_at(e, &e->cfg->services[i], now, &due);
	alarm_set(e->clock, due > now ? due - now : 0);
	if (changed)
		e->changed(e->arg);
}

int
ejecting_new(struct loop *loop, struct registry *r, struct feed *feed,
    void (*changed)(void *arg), void *arg, struct ejecting **out)
{
	struct ejecting *e = calloc(1, sizeof(*e));

	*out = NULL;
	if (e == NULL)
		return E_NOMEM;
	e->registry = r;
	e->feed = feed;
	e->changed = changed;
	e->arg = arg;
	e->clock = alarm_new(loop, on_clock, e);
	if (e->clock == NULL) {
		free(e);
		return E_NOMEM;
	}
	*out = e;
	return E_OK;
}

void
ejecting_free(struct ejecting **ep)
{
	struct ejecting *e = *ep;

	if (e == NULL)
		return;
	alarm_free(&e->clock);
	cfg_unref(&e->cfg);
	free(e);
	*ep = NULL;
}

void
ejecting_use(struct ejecting *e, struct cfg *cfg)
{
	struct cfg *was = e->cfg;

	e->cfg = cfg_ref(cfg);
	cfg_unref(&was);
	ejecting_hurry(e);
}

void
ejecting_hurry(struct ejecting *e)
{
	if (e->hurried || e->cfg == NULL)
		return;
	e->hurried = true;
	alarm_set(e->clock, MOMENT_US);
}
