/*
 * holding - exchanges of a service that is held wait for its release: bounded
 * in number, over all workers, and in time.
 *
 * Nothing of such an exchange was sent, and where it goes is decided when it is
 * released: oldest first, at a pace of which each worker has its part.  What
 * comes while others are being released does not wait.  Whose client has left
 * is never sent on.  While we stop none waits any more: 503.
 *
 * Thread: worker.
 */
#ifndef PROXY_HOLDING_H
#define PROXY_HOLDING_H
#include <stdbool.h>

#include "base/attr.h"
#include "upstream/view.h"

struct exchange;
struct proxy;

/*
 * Before it picks an instance.  True: it waits, or was refused since it may
 * not; false: it is to go on.
 */
bool holding_takes(struct exchange *, const struct view_service *) MUST_CHECK;
/* It waits no more; nothing when it does not. */
void holding_leave(struct exchange *);
/* A view was adopted: who is held no more is sent on from now on. */
void holding_look_all(struct proxy *);
/*
 * Is it one that may change something?  Only where instances may read its path
 * in one way alone is it sure that it is not.
 */
bool holding_is_write(const struct exchange *, const struct cfg_service *);

#endif
