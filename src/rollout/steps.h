/*
 * steps - the list that a rollout goes through: presets written out, and what
 * each step is called.
 *
 * Thread: any.
 */
#ifndef ROLLOUT_STEPS_H
#define ROLLOUT_STEPS_H
#include <stdbool.h>

#include "base/attr.h"
#include "rollout/state.h"

/*
 * The fingerprint of a pool: its version and revision, and what jobs run.  A
 * rollout to one that has that of what serves would change nothing; how many
 * instances there are, and where, is no part of it.  Never 0.
 */
uint64_t steps_print(const struct cfg_service *, const char *pool);
/*
 * The steps, clocks and on_failure of a service, and the version of the pool
 * that it is to lead to; the rest of *out stays.
 */
void steps_plan(const struct cfg_service *, const char *to,
    struct ro_rollout *out);

const char *steps_kind_name(enum cfg_step_kind);
int steps_kind_of(const char *name); /* -1: none */
const char *steps_once_name(enum cfg_once);
int steps_once_of(const char *name); /* -1: none */
const char *steps_stand_name(enum ro_stand);
int steps_stand_of(const char *name); /* -1: none */

const char *steps_phase_name(enum ro_roll_phase);
int steps_phase_of(const char *name); /* -1: none */

/* "share 25%", "pause 10m"; its own name in front, if it has one. */
void steps_describe(const struct ro_step *, struct buf *out);

/*
 * How it stands: "step 2 of 8, share 5%, paused: WHY", "rolled back: WHY"; with
 * "rehearsal, " in front of what is one.
 */
void steps_where(const struct ro_rollout *, struct buf *out);

bool steps_have(const struct ro_rollout *, enum cfg_step_kind);
/* The step with no way back; .n_steps: there is none. */
size_t steps_no_return(const struct ro_rollout *);
/* Has that step begun, be it to fail, be skipped or begin anew since? */
bool steps_is_past(const struct ro_rollout *, size_t step);
/* How long the rollout has held requests, up to now. */
uint64_t steps_held_us(const struct ro_service *, uint64_t wall_us);

/* One of the operator's commands runs in it. */
static inline bool
steps_has_job(const struct ro_step *s)
{
	return s->job[0] != '\0';
}

/* Neither ended nor never begun. */
static inline bool
steps_under_way(const struct ro_rollout *r)
{
	return r->stand == RO_STAND_RUNNING || r->stand == RO_STAND_PAUSED;
}

#endif
