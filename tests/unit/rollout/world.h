/*
 * world - a state and the facts about it, both of the test's making.
 *
 * Two services, "a" and "b", of three pools each: v1 has all of the share and
 * serves, v2 and v3 are cold.  Nothing reads a clock: the time is .now.
 *
 * Thread: the test's.
 */
#ifndef TESTS_ROLLOUT_WORLD_H
#define TESTS_ROLLOUT_WORLD_H
#include <stdbool.h>
#include <stdint.h>

#include "rollout/machine.h"

#define S UINT64_C(1000000) /* a second in microseconds */
#define WORLD_BEGAN (UINT64_C(1800000000) * S)
#define WORLD_POOLS 3

struct world {
	struct ro_state s;
	struct ro_state next; /* what a command makes before it is accepted */
	struct ro_facts_pool rows[2 * CFG_POOLS_MAX];
	struct ro_facts_instance inst;
	struct ro_facts_run runs[2];
	struct ro_pace paces[2];
	struct ro_count counts[2];
	struct ro_facts_roll rolls[2];
	double rates[2];
	uint16_t minute;
	uint64_t now, due; /* wall clock; what machine_clock() asked for */
	char why[512];     /* of the last command */
};

void world_make(struct world *);
void world_free(struct world *);

/* Pool n, from 1, of service "a", and the facts about it. */
struct ro_pool *world_pool(struct world *, size_t n);
struct ro_facts_pool *world_facts(struct world *, size_t n);
/* Fit: two instances, both up.  Unfit: none is, and it says so. */
void world_fit(struct world *, size_t n, bool fit);
/* Puts the pool there, on no way in particular. */
void world_put(struct world *, size_t n, enum pool_state, uint32_t share_bp);

/* "share v2 of a", to be filled further. */
struct ro_command world_command(enum ro_verb, const char *pool);
/* What a rollout of "a" is told; of a start alone: to which pool, and how. */
struct ro_command world_action(enum ro_action, const char *to,
    const struct ro_rollout *plan);
/* Of the world as it is now; borrowed. */
struct ro_facts world_all_facts(struct world *);
/* On success it is the state, after a refusal nothing has changed. */
enum ro_refusal world_do(struct world *, const struct ro_command *);
/* The clock, with the world's facts, until nothing moves; the last change. */
enum ro_changed world_tick(struct world *);
struct pool_plan world_plan(struct world *, size_t n);

/* Both as they are written to disk; free() it. */
char *world_text(const struct ro_state *);

#endif
