/*
 * ejecting - looks at the instances of all pools now and then (upstream/eject,
 * upstream/warmth), and soon after a worker says that an exchange failed.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_EJECTING_H
#define ROLLOUT_EJECTING_H
#include "base/attr.h"

struct cfg;
struct ejecting;
struct feed;
struct loop;
struct registry;

/* changed: a view is to be built. */
int ejecting_new(struct loop *, struct registry *, struct feed *,
    void (*changed)(void *arg), void *arg, struct ejecting **out) MUST_CHECK;
void ejecting_free(struct ejecting **);
/* By these settings from now on; a reference is taken. */
void ejecting_use(struct ejecting *, struct cfg *);
/* Looks within a moment, however often it is told. */
void ejecting_hurry(struct ejecting *);

#endif
