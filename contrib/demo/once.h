/*
 * once - the register of grants that were used up: codes, refresh tokens,
 * finished flows, ended sessions.
 *
 * With a file it is shared by all instances on the machine: a fixed table,
 * mapped, changed under flock().  The lock dies with its holder, an entry is
 * written in one store, so an instance that is killed leaves nothing behind
 * that hurts the others.  An entry is forgotten when the grant it stands for
 * has expired anyway.
 *
 * Thread: the owner; processes may share the file.
 */
#ifndef DEMO_ONCE_H
#define DEMO_ONCE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct once; /* opaque */

enum once_verdict {
	ONCE_FIRST, /* now used up */
	ONCE_AGAIN, /* had been used up before: a replay */
	ONCE_FULL   /* no room: nothing noted */
};

/* path NULL: private memory.  E_OK, E_DAMAGED for a foreign file, or E_*. */
int once_open(const char *path, struct once **out) MUST_CHECK;
void once_close(struct once **);

/* Uses id up; it is remembered until expires_s (wall clock, seconds). */
enum once_verdict once_claim(struct once *, uint64_t id, uint64_t expires_s);
/* Whether id has been used up; changes nothing. */
bool once_has(struct once *, uint64_t id);

/* Replays (ONCE_AGAIN) that all sharers have seen since the file was made. */
uint64_t once_replays(const struct once *);

#endif
