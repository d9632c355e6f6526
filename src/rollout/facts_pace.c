/*
 * What a step analyze has to know besides failures: how long answers take,
 * since it began.
 */
#include <string.h>

#include "base/clock.h"
#include "rollout/facts.h"
#include "rollout/steps.h"
#include "upstream/registry.h"

static bool
is_analyzed(const struct ro_rollout *r)
{
	return r->stand == RO_STAND_RUNNING && r->entered &&
	    r->steps[r->at].kind == CFG_STEP_ANALYZE;
}

/* Of the new pool, and of the others, since the process began. */
static void
gather(struct registry *reg, const struct ro_service *s, struct hist *own,
    struct hist *others)
{
	memset(own, 0, sizeof(*own));
	memset(others, 0, sizeof(*others));
	for (size_t i = 0; i < s->n_pools; i++) {
		const struct pool *p = registry_pool(reg, s->name,
		    s->pools[i].name);
		bool is_own = strcmp(s->pools[i].name, s->rollout.to) == 0;

		for (unsigned w = 0; p != NULL && w < p->n_workers; w++)
			hist_merge(is_own ? own : others, &p->cells[w].latency);
	}
}

static void
measure(struct registry *reg, const struct ro_service *s, struct pace *p,
    struct ro_pace *out)
{
	struct hist own, others;
	bool is_new = p->rollout != s->rollout.id ||
	    p->since_us != s->rollout.since_us;

	gather(reg, s, &own, &others);
	if (is_new) {
		p->rollout = s->rollout.id;
		p->since_us = s->rollout.since_us;
		memset(&p->own, 0, sizeof(p->own));
		memset(&p->others, 0, sizeof(p->others));
		hist_merge(&p->own, &own);
		hist_merge(&p->others, &others);
	}
	hist_less(&own, &p->own);
	hist_less(&others, &p->others);
	*out = (struct ro_pace){ .own_n = hist_total(&own),
		.others_n = hist_total(&others),
		.own_us = hist_quantile(&own, RO_PACE_QUANTILE),
		.others_us = hist_quantile(&others, RO_PACE_QUANTILE) };
}

/* Of sessions that began since, and so long ago that their logins are over. */
static void
count_logins(struct registry *reg, const struct cfg *cfg,
    const struct ro_service *s, uint64_t wall_us, struct ro_pace *out)
{
	const struct cfg_service *svc = cfg_service_find(cfg, str_of(s->name));
	uint64_t from_s = (s->rollout.since_us + US_PER_S - 1) / US_PER_S;
	uint64_t within_us, until_s;

	if (svc == NULL || svc->logins.n_begin == 0)
		return;
	out->counts_logins = true;
	within_us = svc->logins.within_us;
	until_s = (wall_us - MIN(wall_us, within_us)) / US_PER_S;
	for (size_t i = 0; i < s->n_pools; i++) {
		const struct pool *p = registry_pool(reg, s->name,
		    s->pools[i].name);
		struct ro_logins *l = strcmp(s->pools[i].name, s->rollout.to) ==
		        0
		    ? &out->own_logins
		    : &out->others_logins;

		for (unsigned w = 0; p != NULL && w < p->n_workers; w++)
			logins_count(&p->cells[w].logins, from_s, until_s,
			    logins_width_s(within_us), &l->begun, &l->done);
	}
}

void
facts_pace(struct registry *reg, const struct cfg *cfg,
    const struct ro_state *s, uint64_t wall_us, struct pace *paces,
    struct ro_pace *rows)
{
	for (size_t i = 0; i < s->n_services; i++) {
		rows[i] = (struct ro_pace){ .own_n = 0 };
		if (!is_analyzed(&s->services[i].rollout))
			continue;
		measure(reg, &s->services[i], &paces[i], &rows[i]);
		count_logins(reg, cfg, &s->services[i], wall_us, &rows[i]);
	}
}
