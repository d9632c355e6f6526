/*
 * warmth - slow start: an instance that comes up is given a tenth of its
 * weight and of its bound first, and all of it after the pool's slow_start.
 *
 * Thread: control.  Workers see it as weights and limits of a view.
 */
#ifndef UPSTREAM_WARMTH_H
#define UPSTREAM_WARMTH_H
#include <stdint.h>

#include "base/attr.h"

struct cfg_pool;
struct instance;

#define WARMTH_ALL 10 /* tenths */

/* It starts anew: came up, came back, or its pool begins to take sessions. */
void warmth_begin(struct instance *, uint64_t mono_us);
/* How much of it there is, 1 to WARMTH_ALL. */
uint32_t warmth_tenths(const struct instance *, const struct cfg_pool *,
    uint64_t mono_us);
/* When there will be a tenth more; UINT64_MAX: never. */
uint64_t warmth_next_us(const struct instance *, const struct cfg_pool *,
    uint64_t mono_us);

#endif
