/*
 * probing - gives every instance of the registry its probe, and keeps the
 * board of proofs for a process that may have to follow us.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_PROBING_H
#define ROLLOUT_PROBING_H
#include <stdbool.h>

#include "base/attr.h"
#include "upstream/probe.h"

struct board;
struct cfg;
struct instance;
struct loop;
struct registry;

struct probing {
	struct loop *loop; /* all borrowed */
	struct registry *registry;
	struct board *board; /* NULL: none */
	probe_edge_fn *edge;
	void *arg;
};

/*
 * Probes begin for instances that have none; with renew the others take their
 * settings from cfg.  After an error asking again goes on where it ended.
 */
int probing_fit(const struct probing *, struct cfg *, bool renew) MUST_CHECK;
/* Notes an edge, or what all last probes said. */
void probing_note(const struct probing *, const struct instance *);
void probing_note_all(const struct probing *);
/* Asks that instance now; it may be gone: it is looked for first. */
void probing_hurry(const struct probing *, const struct instance *);
/* Ends all probes. */
void probing_stop(const struct probing *);

#endif
