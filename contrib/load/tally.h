/*
 * tally - what the clients of a load driver saw: answers by phase and by
 * version, failures by their kind, bounces; and it as JSON.
 *
 * Thread: the owner.
 */
#ifndef LOAD_TALLY_H
#define LOAD_TALLY_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/stat.h"
#include "contrib/load/fault.h"

struct json_out;

#define TALLY_NAME_MAX 40
#define TALLY_VALUES_MAX 16 /* versions, or instances */
#define TALLY_PHASES_MAX 512
#define TALLY_SAMPLES_MAX 40

/* What one version answered in one phase; wall clock, 0: never. */
struct tally_seen {
	uint64_t answers, sessions;
	uint64_t first_us, last_us;    /* its answers */
	uint64_t first_session_us;     /* first answer that began a session */
	uint64_t last_session_sent_us; /* newest request that began one: sent */
};

/* A stretch of the run. */
struct tally_phase {
	char name[TALLY_NAME_MAX];
	uint64_t began_us, ended_us; /* wall; ended 0: not yet */
	uint64_t requests, failures, failures_safe, bounces, moved;
	uint64_t max_us;
	uint64_t last_answer_us, longest_gap_us; /* between two answers */
	struct hist latency;
	struct tally_seen seen[TALLY_VALUES_MAX];
};

struct tally {
	uint64_t answers; /* as expected: the driver says so */
	uint64_t sessions, bounces, moved;
	uint64_t failures[2][FAULT_COUNT]; /* [0] safe, [1] unsafe */
	char values[TALLY_VALUES_MAX][TALLY_NAME_MAX];
	unsigned n_values;
	struct tally_phase phases[TALLY_PHASES_MAX];
	unsigned n_phases;                    /* the last is the present one */
	struct tally_phase second;            /* since tally_second() */
	char samples[TALLY_SAMPLES_MAX][240]; /* the first failures, as text */
	unsigned n_samples;
};

const char *fault_name(enum fault);

/* Ends the present phase, begins the next; past the last it begins anew. */
void tally_phase(struct tally *, const char *name);
void tally_second(struct tally *); /* begins the second anew */
void tally_end(struct tally *);    /* of the run */
/* Index of a version or instance; -1 when there are too many. */
int tally_value(struct tally *, const char *name);
const char *tally_value_name(const struct tally *, int value);
/* An answer; value -1 when it is of nobody known. */
void tally_answer(struct tally *, int value, bool is_session,
    uint64_t sent_wall_us, uint64_t took_us);
void tally_failure(struct tally *, enum fault, bool is_safe);
void tally_bounce(struct tally *);
void tally_move(struct tally *);
/* One more line of samples, while there is room. */
void tally_sample(struct tally *, const char *fmt, ...) PRINTF_LIKE(2, 3);

uint64_t tally_failed(const struct tally *);
uint64_t tally_quantile(const struct tally_phase *, double q); /* us */
/* The members of an object. */
void tally_tell_phase(const struct tally *, const struct tally_phase *,
    struct json_out *);
void tally_tell(const struct tally *, struct json_out *);

#endif
