/*
 * park - exchanges whose instances refuse all connections wait a moment for
 * the next view: it says that these are down, and who serves instead.
 *
 * No byte of such a request was sent, so that whatever its method is it may
 * go elsewhere.  Bounded in number and time; what waited in vain is refused
 * as it would have been at once.  A safe request that every instance has
 * dropped waits likewise before its last try, and then makes it in any case;
dropped again, it goes on waiting for the rest of that time.
 *
 * Thread: worker.
 */
#ifndef PROXY_PARK_H
#define PROXY_PARK_H
#include <stdbool.h>

#include "base/attr.h"
#include "upstream/model.h"

struct exchange;
struct proxy;

#define PARK_MAX 1000        /* exchanges of a worker */
#define PARK_LIMIT_US 250000 /* from an exchange's first wait on */

void park_init(struct proxy *);
void park_end(struct proxy *);
/*
 * Takes an exchange that has no instance and no connection any more; false
 * when it has waited long enough, or too many wait.  Unless it is to try in
 * any case, what waited in vain ends with that outcome.
 */
bool park_take(struct exchange *, enum outcome) MUST_CHECK;
/* It ends or is answered; nothing when it is not there. */
void park_leave(struct exchange *);
/*
 * At a turn's end: all that wait try once more if a view was adopted, or if
 * one of them was refused by what only an older view holds for fit.
 */
void park_turn(struct proxy *, bool adopted);

#endif
