/*
 * presets - the steps that a strategy stands for.  Some have jobs, which go by
 * the names check, start, stop and restart; those that run warm, verify and
 * notify are left out where there is no job of that name.
 *
 * Thread: any.
 */
#ifndef CONFIG_PRESETS_H
#define CONFIG_PRESETS_H
#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* Those listed, or else those of the strategy; *n of them.  Borrowed. */
const struct cfg_step *cfg_steps(const struct cfg_rollout *, size_t *n);

/* Is it a step of the service?  False: an optional one, without its job. */
bool cfg_step_is_there(const struct cfg_service *, const struct cfg_step *);

#endif
