/*
 * What a step roll has to know of the instances of its pool.
 */
#include <string.h>

#include "base/clock.h"
#include "rollout/facts.h"
#include "rollout/steps.h"
#include "upstream/eject.h"
#include "upstream/registry.h"

static void
copy_name(char to[CFG_NAME_MAX + 1], const struct instance *i)
{
	str_copy(str_of(i->name), to, CFG_NAME_MAX + 1);
}

/* When the last probe began, if it passed. */
static uint64_t
proved_us(const struct instance *i, uint64_t wall_us)
{
	uint64_t ago = clock_mono_us() - (i->last_probe_us - i->probe_took_us);

	return i->passes == 0 || i->last_probe_us == 0
	    ? 0
	    : wall_us - MIN(wall_us, ago);
}

static void
note_at_hand(const struct instance *i, uint64_t wall_us,
    struct ro_facts_roll *f)
{
	f->exists = !i->runtime;
	f->up = i->health == HEALTH_UP;
	f->in = i->admin == INST_IN;
	f->inflight = inst_inflight(i);
	f->streams = inst_streams(i);
	f->proved_us = proved_us(i, wall_us);
}

static void
gather(struct registry *r, const struct pool *p, const struct ro_roll *roll,
    uint64_t wall_us, struct ro_facts_roll *f)
{
	bool behind = roll->last[0] == '\0';
	const struct instance *i = NULL;

	while ((i = registry_instance_next(r, p, i)) != NULL) {
		if (i->runtime && f->added[0] == '\0')
			copy_name(f->added, i);
		if (i->runtime)
			continue;
		if (strcmp(i->name, roll->now) == 0)
			note_at_hand(i, wall_us, f);
		f->resting |= i->admin == INST_IN &&
		    eject_left_us(i, clock_mono_us()) > 0;
		f->spare_in |= i->admin == INST_IN &&
		    strcmp(i->name, roll->spare) == 0;
		if (i->admin == INST_MAINT && f->spare[0] == '\0')
			copy_name(f->spare, i);
		if (behind && i->admin == INST_IN && f->next[0] == '\0' &&
		    strcmp(i->name, roll->spare) != 0)
			copy_name(f->next, i);
		behind |= strcmp(i->name, roll->last) == 0;
	}
	f->lost = !behind;
}

void
facts_roll(struct registry *r, const struct ro_state *s, uint64_t wall_us,
    struct ro_facts_roll *rows)
{
	memset(rows, 0, s->n_services * sizeof(*rows));
	for (size_t i = 0; i < s->n_services; i++) {
		const struct ro_rollout *ro = &s->services[i].rollout;
		const struct pool *p;

		if (!steps_under_way(ro) ||
		    ro->steps[ro->at].kind != CFG_STEP_ROLL)
			continue;
		p = registry_pool(r, s->services[i].name, ro->to);
		if (p != NULL)
			gather(r, p, &ro->roll, wall_us, &rows[i]);
	}
}
