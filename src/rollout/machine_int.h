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
/* From now on no pin leads to p, nor will one of before ever again. */
void pool_close(struct ro_service *, struct ro_pool *p, uint64_t wall_us);

void service_forget_pending(struct ro_service *);
/* All of the share to one pool; drain: the other active ones drain. */
void service_switch(struct ro_service *, struct ro_pool *to, bool drain,
    const struct ro_drain *clocks, uint64_t wall_us);

#endif
