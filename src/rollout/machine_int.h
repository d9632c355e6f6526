/*
 * machine_int - the moves that commands and the clock have in common;
 * rollout/ only.
 *
 * Thread: any.
 */
#ifndef ROLLOUT_MACHINE_INT_H
#define ROLLOUT_MACHINE_INT_H
#include <stdbool.h>
#include <stdint.h>

#include "rollout/machine.h"

/* May a pool go from there to there? */
bool pool_may_go(enum pool_state from, enum pool_state to);
/* The only writer of p->state; asserts that it may. */
void pool_goto(struct ro_pool *p, enum pool_state to, uint64_t wall_us);
/* To ACTIVE, from wherever it is, on ways that exist. */
void pool_activate(struct ro_pool *p, uint64_t wall_us);
/* p is ACTIVE. */
void pool_begin_drain(struct ro_service *, struct ro_pool *p,
    const struct ro_drain *clocks, uint64_t wall_us);
/* What is ordered for sessions no longer leads to p, nor away from it. */
void orders_forget_to(struct ro_service *, const struct ro_pool *p);
void orders_forget_of(struct ro_pool *p);
/* ... is no longer placed by shares: they are others now. */
void orders_forget_shares(struct ro_service *);
/* From now on no pin leads to p, nor will one of before ever again. */
void pool_close(struct ro_service *, struct ro_pool *p, uint64_t wall_us);

void service_forget_pending(struct ro_service *);
/* HOLD_NONE: its requests wait no more. */
void service_hold(struct ro_service *, enum hold, uint64_t wall_us);
/* All of the share to one pool; drain: the other active ones drain. */
void service_switch(struct ro_service *, struct ro_pool *to, bool drain,
    const struct ro_drain *clocks, uint64_t wall_us);

/* ---- commands ---- */

/* A command at work. */
struct job {
	struct ro_state *s;
	const struct ro_facts *facts;
	const struct ro_command *cmd;
	struct ro_service *svc;
	struct ro_pool *pool;
	size_t svc_at;
	char *why;
	size_t cap;
};

/* Leaves the sentence in .why. */
enum ro_refusal job_refuse(struct job *, enum ro_refusal, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
const struct ro_facts_pool *job_facts(const struct job *,
    const struct ro_pool *);
/* May it be given a share?  Facts may be newer than the state. */
bool job_can_serve(const struct job *, const struct ro_pool *);
enum ro_refusal job_must_serve(struct job *);
#define JOB_UNFIT_MAX 256
/* Why a pool that cannot serve cannot, as in "v1 is drained". */
void job_say_unfit(const struct job *, const struct ro_pool *,
    char out[JOB_UNFIT_MAX]);
/* .pool gets .cmd->share_bp, the others the rest. */
enum ro_refusal job_share(struct job *);
/* Who gave the command, fit to be kept. */
void job_sign(const struct job *, char out[RO_WHO_MAX]);
/* May it stand between quotes in a log, and in a file read for ever? */
bool job_char_is_plain(char);

/* Of sessions (machine_sessions.c). */
enum ro_refusal sessions_check(struct job *);
enum ro_refusal sessions_command(struct job *);

/* Verbs about instances, and what their values must be. */
enum ro_refusal instance_check_admin(struct job *);
enum ro_refusal instance_check_add(struct job *);
enum ro_refusal instance_set_admin(struct job *);
enum ro_refusal instance_add(struct job *);
enum ro_refusal instance_remove(struct job *);
/* A configured one of .pool; TOO_MANY leaves why. */
enum ro_refusal instance_turn(struct job *, const char *name, enum inst_admin);

/* ---- rollouts ---- */

/* Commands about pools while one runs; of a paused one it is noted. */
enum ro_refusal rollout_forbids(struct job *);
enum ro_refusal rollout_check(struct job *);
enum ro_refusal rollout_command(struct job *);
/* Of service at: one step at most. */
enum ro_changed rollout_clock(struct ro_state *, size_t at,
    const struct ro_facts *, uint64_t *due_us);

/* The share a pool had when the rollout began. */
uint32_t rollout_share_before(const struct ro_rollout *, const char *pool);
/* The counters when it begins, and what they have come to when it ends. */
void count_begin(struct job *);
void count_end(struct job *);
/* Another one begins: what is worth keeping of the last. */
void count_keep_past(struct ro_service *);
/* NULL: it counts nothing of that pool. */
const struct ro_toll *count_toll(const struct ro_count *, const char *pool);
/* .base begins a new one. */
void timeline_begin(struct ro_rollout *);
/*
 * What came since it was noted last (now NULL: nobody counts).  *due_us becomes
 * the wall time at which the piece at hand is over, if that is earlier.  True:
 * one is over, and what it had must be on disk.
 */
bool timeline_note(struct ro_rollout *, const struct ro_count *now,
    uint64_t wall_us, uint64_t *due_us);

/* ---- steps ---- */

/*
 * What a step that was entered has come to: it waits, it has got further, or it
 * is over.  BAD and UNCLEAR leave why.
 */
enum ending { GOES_ON, ADVANCED, ENDED, BAD, UNCLEAR };

/* That of the step it is at, in .skipped, .begun and .ran. */
static inline uint32_t
rollout_bit(const struct ro_rollout *r)
{
	return UINT32_C(1) << r->at;
}

/* Of steps that run a job of the operator's (machine_runs.c). */
enum ro_refusal run_enter(struct job *, const struct ro_step *);
enum ending run_end(struct job *, const struct ro_step *);
/* May the versions run side by side?  Notes what was found. */
enum ending run_end_check(struct job *, const struct ro_step *);
enum ending run_end_notify(struct job *, const struct ro_step *);
/* What one has done is done, whatever becomes of the step: has it? */
bool run_take_good_end(struct job *);
/* The job of the step the rollout is at counts as done. */
void run_note_done(struct job *, const struct ro_step *);
/* What its steps do once was not done yet. */
void run_forget_done(struct ro_service *);

/* The step roll (machine_roll.c). */
enum ro_refusal roll_enter(struct job *, const struct ro_step *);
enum ending roll_end(struct job *, const struct ro_step *);
/* Has it one out that is to come in again? */
bool roll_has_out(const struct ro_rollout *);
/* It comes in now: better that one than nobody. */
void roll_take_in(struct job *);
/* The step is left as it is, and the instance at hand comes in again. */
void roll_leave(struct job *);
/*
 * An operator takes the run of the instance at hand for done, which has to
 * prove itself all the same.  False: none is wanted.
 */
bool roll_skip_run(struct job *) MUST_CHECK;
/* If the step it is at is one: is its job to run now?  Else true. */
bool roll_wants_run(const struct ro_rollout *);
/* What it waits for, as a sentence. */
void roll_holds(const struct job *, char *out, size_t cap);
/* Has an instance, or the pool, had so long to prove itself? */
bool roll_is_late(const struct job *, uint64_t limit_us);
/* When to look again (wall clock); 0: when something happens. */
uint64_t roll_due(const struct job *, const struct ro_step *);
#define ROLL_LOOK_US (UINT64_C(20) * 1000)

#endif
