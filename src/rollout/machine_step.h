/*
 * machine_step - what the files about rollouts share: how one ends and fails,
 * its steps and the way through them; rollout/machine*.c only.
 *
 * Thread: any.
 */
#ifndef ROLLOUT_MACHINE_STEP_H
#define ROLLOUT_MACHINE_STEP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rollout/machine_int.h"

static inline struct ro_rollout *
rollout_of(struct job *j)
{
	return &j->svc->rollout;
}

/* The step it is at. */
static inline const struct ro_step *
step_of(const struct ro_rollout *r)
{
	return &r->steps[r->at];
}

/* ---- how it ends (machine_back.c) ---- */

/* Of the step it is at. */
void rollout_note_end(struct job *);
void rollout_end(struct job *, enum ro_stand, const char *why);
void rollout_stand_still(struct job *, const char *why);
/*
 * Shares as before, of those who can serve; the new pool drains unless it has
 * one, too.  What it holds is released.
 */
enum ro_refusal rollout_back(struct job *, const char *why);
/* Would force bring the shares of before back? */
bool rollout_has_before(const struct job *);
/* The step did not do: by the service's rule.  A long sentence is cut. */
void rollout_fail(struct job *, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- steps (machine_steps.c, machine_analyze.c) ---- */

struct step_kind {
	bool (*may_enter)(const struct job *);
	enum ro_refusal (*enter)(struct job *, const struct ro_step *);
	enum ending (*end)(struct job *, const struct ro_step *);
	const char *late; /* what has not come about by the deadline; NULL: the
	                     end of its job */
	bool of_others;   /* .late is no word about the new pool */
};
/* One row a kind. */
extern const struct step_kind step_kinds[CFG_STEP_COUNT];
bool step_is_ready(const struct job *);
/* What it is done only when, or begins only once it is so, is not so: why. */
bool step_waits(const struct job *, const struct ro_step *,
    char why[JOB_UNFIT_MAX]);
/* Has it lasted for as long as it says? */
bool step_is_over(const struct job *, const struct ro_step *);
/* Is what the rollout leads to what it comes from? */
bool rollout_is_its_own(const struct job *);
/* What a window waits for, as a sentence. */
void window_holds(const struct job *, const struct ro_step *, char *out,
    size_t cap);
enum ending end_analyzed(struct job *, const struct ro_step *);
enum ending end_mirrored(struct job *, const struct ro_step *);

/* ---- the way through them (machine_rollout.c) ---- */

void rollout_next_step(struct job *);
/* The step it is at, or the one whose doing an operator undid. */
void rollout_begin_anew(struct job *);

#endif
