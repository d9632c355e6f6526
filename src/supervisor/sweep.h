/*
 * sweep - the records of sessions that have ended go: once a second all are
 * looked at.
 *
 * Thread: control.
 */
#ifndef SUPERVISOR_SWEEP_H
#define SUPERVISOR_SWEEP_H
#include "base/attr.h"

struct loop;
struct registry;
struct sweep;

/* registry: borrowed. */
int sweep_new(struct loop *, struct registry *, struct sweep **) MUST_CHECK;
void sweep_free(struct sweep **);

#endif
