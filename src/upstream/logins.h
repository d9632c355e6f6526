/*
 * logins - how many logins were begun at a pool, and completed, by when their
 * sessions began: so that those of two pools that are as old can be compared.
 *
 * Thread: the cell's worker writes; readers any.
 */
#ifndef UPSTREAM_LOGINS_H
#define UPSTREAM_LOGINS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/stat.h"

#define LOGINS_SLOTS 256 /* then the oldest go */

struct logins {
	stat_u64 number[LOGINS_SLOTS]; /* which slot of time each one holds */
	stat_u64 begun[LOGINS_SLOTS], done[LOGINS_SLOTS];
	stat_u64 begun_ever, done_ever;
};

/* How long a slot is, in seconds, where a login may take so long. */
uint64_t logins_width_s(uint64_t within_us);
/* One was begun, or is done, in a session of that wall clock second. */
void logins_note(struct logins *, uint64_t session_s, uint64_t width_s,
    bool done);
/* Adds those of sessions that began in whole slots of [from_s, until_s). */
void logins_count(const struct logins *, uint64_t from_s, uint64_t until_s,
    uint64_t width_s, uint64_t *begun, uint64_t *done);

#endif
