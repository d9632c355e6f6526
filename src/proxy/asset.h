/*
 * asset - files of pages go to a pool that has them, whatever the session is
 * pinned to: a page of one version is asked for its files while, or after, the
 * other serves.
 *
 * Thread: worker.
 */
#ifndef PROXY_ASSET_H
#define PROXY_ASSET_H
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct cfg_service;
struct exchange;
struct view_pool;
struct view_service;

/* The hash of the tag in a path under one of the service's assets; 0: none. */
uint64_t asset_tag(const struct cfg_service *, struct str path);
/* vp, or, when that is known to lack it, one that is known to have it. */
const struct view_pool *asset_pool(const struct exchange *,
    const struct view_service *, const struct view_pool *vp);
/* Another pool than the one that was asked, that may have it; NULL: none. */
const struct view_pool *asset_elsewhere(const struct exchange *,
    const struct view_service *);
/*
 * The pool that was asked has answered with that status: is noted.  True: it
 * lacks it, or fails, and the exchange has gone to another: from its session's
 * to one that may have it, or back.
 */
bool asset_hear(struct exchange *, unsigned status);

#endif
