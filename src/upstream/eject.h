/*
 * eject - instances that fail exchanges although their probe passes rest for
 * a while.
 *
 * Workers count in their cells and decide nothing.  Control looks at the sums
 * now and then, and soon after a failure; what it decides reaches workers with
 * the next view.  A pool is never emptied: eject.share bounds how many of its
 * ready instances rest, one always stays, a view in which all the others are
 * down has the ejected ones again, and an exchange that failed at all the
 * others is tried there.
 *
 * Failures are in a row when no answer came between them.  Of what happened
 * between two looks the order is not known: if there were answers, one failure
 * at most belongs to a row.  So a row may be found late, never wrongly.
 *
 * Thread: control.
 */
#ifndef UPSTREAM_EJECT_H
#define UPSTREAM_EJECT_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct cfg_pool;
struct instance;
struct pool;
struct registry;

/* An answer of the median is slow only if it takes so much longer, too. */
#define EJECT_SLOW_LEAST_US 10000

/* It was ejected (eject.until_us says how long), or is in again. */
typedef void eject_edge_fn(struct instance *, void *arg);

/*
 * Looks at all instances of a pool at that time.  True: a view is to be
 * built.  *due_us becomes the time of the next look if that is earlier.
 */
bool eject_look(struct registry *, struct pool *, const struct cfg_pool *,
    uint64_t mono_us, eject_edge_fn *, void *arg, uint64_t *due_us);
/* Its probe found it down and up again: a new life, nothing to rest from. */
void eject_end(struct instance *, uint64_t mono_us, eject_edge_fn *, void *arg);
/* How long it will rest still; 0: it is in. */
uint64_t eject_left_us(const struct instance *, uint64_t mono_us);

#endif
