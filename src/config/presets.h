/*
 * presets - the steps that a strategy stands for.  Some have jobs, which go by
 * the names check, start, stop and restart.
 *
 * Thread: any.
 */
#ifndef CONFIG_PRESETS_H
#define CONFIG_PRESETS_H
#include <stddef.h>

#include "config/config.h"

/* Those listed, or else those of the strategy; *n of them.  Borrowed. */
const struct cfg_step *cfg_steps(const struct cfg_rollout *, size_t *n);

#endif
