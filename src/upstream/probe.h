/*
 * probe - asks one instance on a timer whether it is fit; keeps the count of
 * passes and fails, and reports edges of its health.
 *
 * It is the only writer of the instance's health word and of the fields about
 * it.  While unknown, changing, or down since a short time it asks at the fast
 * interval.  A question that fails on our side (out of descriptors) is no
 * answer: it counts for nothing.  Nor is time in which this thread could not
 * look held against an instance.
 *
 * Thread: control.
 */
#ifndef UPSTREAM_PROBE_H
#define UPSTREAM_PROBE_H
#include <stdint.h>

#include "base/attr.h"
#include "config/config.h"
#include "upstream/model.h"

struct loop;
struct probe;

/*
 * Called from the loop, never from inside probe_start(); may free the probe.
 */
typedef void probe_edge_fn(struct instance *, enum health from, void *arg);

/* cfg lies inside owner, of which a reference is taken. */
int probe_new(struct loop *, struct cfg *owner, const struct cfg_probe *cfg,
    struct instance *, probe_edge_fn *, void *arg,
    struct probe **out) MUST_CHECK;
void probe_start(struct probe *);
/*
 * Takes new settings without forgetting what was found, nor when the next
 * question is due: reloads in a row do not put it off.
 */
void probe_configure(struct probe *, struct cfg *owner,
    const struct cfg_probe *cfg);
/* A worker could not connect: ask now, or soon if an answer just came. */
void probe_hurry(struct probe *);
/* Health proved shortly before a restart of this process. */
void probe_carry(struct probe *, enum health);
void probe_free(struct probe **); /* cancels, frees, clears; NULL is fine */

#endif
