/*
 * keys_watch - reads what the pools of each service publish of their keys
 * (cfg jwks), each of its own instances, whichever of them users are sent to.
 *
 * What a pool said last counts for a day while it cannot be read: tokens of a
 * pool that is gone are still about.  That of a retired one does not.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_KEYS_WATCH_H
#define ROLLOUT_KEYS_WATCH_H
#include "base/attr.h"

struct cfg;
struct feed;
struct keys_watch;
struct loop;
struct registry;
struct ro_state;

struct keys_watch_env {
	struct loop *loop; /* all borrowed */
	struct registry *registry;
	struct feed *feed;
	struct ro_state *state; /* the present one, at each look; only read */
};

int keys_watch_new(const struct keys_watch_env *,
    struct keys_watch **out) MUST_CHECK;
void keys_watch_free(struct keys_watch **);
/*
 * By these settings from now on; a reference is taken.  What was read where
 * nothing has changed stays.  Without memory nothing is read any more.
 */
void keys_watch_use(struct keys_watch *, struct cfg *);

#endif
