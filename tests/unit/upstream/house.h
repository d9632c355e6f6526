/*
 * house - services, pools and instances made from a configuration, as the
 * control thread makes them.
 */
#ifndef TESTS_UPSTREAM_HOUSE_H
#define TESTS_UPSTREAM_HOUSE_H
#include "base/attr.h"
#include "config/config.h"
#include "upstream/registry.h"

/* A configuration that must be good; text may hold one service's lines. */
struct cfg *house_cfg(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* One service "s" of one pool "v1" with that many instances i0, i1... */
struct cfg *house_cfg_of(unsigned n_instances, const char *weights);

/* Applies, which must go well. */
void house_apply(struct registry *, struct cfg *);
/* A view by one plan that lets every pool serve; shares in hundredths. */
struct view *house_view(struct registry *, struct cfg *,
    const unsigned *shares);
/* The instance of that name in pool v1 of service s. */
struct instance *house_instance(struct registry *, const char *name);
/* Says that all instances of v1 are up. */
void house_all_up(struct registry *);

#endif
