#include "upstream/warmth.h"

#include "base/thread.h"
#include "config/config.h"
#include "upstream/model.h"

void
warmth_begin(struct instance *i, uint64_t mono_us)
{
	ON_CONTROL_THREAD();
	i->warm_from_us = mono_us;
}

/* The first tenth is there at once, so nine steps are left. */
static uint64_t
step_us(const struct cfg_pool *cfg)
{
	return cfg->slow_start_us / (WARMTH_ALL - 1);
}

uint32_t
warmth_tenths(const struct instance *i, const struct cfg_pool *cfg,
    uint64_t mono_us)
{
	uint64_t step = step_us(cfg), steps;

	if (i->warm_from_us == 0 || step == 0 || mono_us < i->warm_from_us)
		return WARMTH_ALL;
	steps = (mono_us - i->warm_from_us) / step;
	return (uint32_t)MIN(steps + 1, (uint64_t)WARMTH_ALL);
}

uint64_t
warmth_next_us(const struct instance *i, const struct cfg_pool *cfg,
    uint64_t mono_us)
{
	uint32_t tenths = warmth_tenths(i, cfg, mono_us);

	if (tenths == WARMTH_ALL)
		return UINT64_MAX;
	return i->warm_from_us + tenths * step_us(cfg);
}
