/*
 * facts - what the world says of each pool of a state.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_FACTS_H
#define ROLLOUT_FACTS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "base/stat.h"
#include "rollout/machine.h"

struct cfg;
struct pool;
struct registry;

/* What the facts of all pools have in common. */
struct facts_now {
	bool view_current; /* every worker routes by the state */
	uint64_t wall_us;
	uint64_t started_us; /* monotonic; 0: nobody served before this start.
	                        Else the sessions begun before are unknown until
	                        seen, for as long as one may be idle */
};

/*
 * Fills rows[n_services * CFG_POOLS_MAX].  *due_us: wall time at which a pool
 * that is held becomes ready (0: none).  Notes in each pool since when it is
 * ready.
 */
void facts_gather(struct registry *, const struct cfg *,
    const struct ro_state *, const struct facts_now *,
    struct ro_facts_pool *rows, uint64_t *due_us);

/* rows[n_services]: what was asked of each since that process began. */
void facts_count(struct registry *, const struct ro_state *,
    uint64_t process_us, struct ro_count *rows);

/* Of the day, where the daemon lives (TZ). */
uint16_t facts_minute(uint64_t wall_us);

/* How many requests a service had, looked at once a second. */
#define RATE_MARKS 11
struct rate {
	uint64_t of;   /* hash of a name; another one begins anew */
	uint8_t at, n; /* the newest, and how many there are */
	struct rate_mark {
		uint64_t at_us; /* monotonic */
		uint64_t accepted;
	} marks[RATE_MARKS];
};
void facts_rate(struct rate *, const char *service, uint64_t accepted,
    uint64_t now_us);
/* A second, over the last ten looks; -1: they were not made yet. */
double facts_rate_of(const struct rate *);

/* Since the process began; tries that failed count, though another one may
 * have done. */
struct ro_toll facts_toll(const struct pool *);

/*
 * ---- what all proxies were asked while a rollout is under way ----
 *
 * Each counts from when it has heard that the rollout began, tells the others
 * its part, and adds theirs.  What one has told stays when it is away.  What is
 * missing, or may be, is told in .lacks_us: who is away, or has told nothing of
 * it; who heard late of it; what was counted before a process began anew.
 */
struct part;
struct json;
struct json_out;
struct parts { /* of the rollouts that are under way, by service */
	TAILQ_HEAD(part_list, part) list;
};

void facts_parts_init(struct parts *);
void facts_parts_free(struct parts *); /* of what it leads to */
/* counts, rates: of this proxy alone.  in_time: that a rollout is under way
 * which was not before it has heard when the others did. */
void facts_parts(struct parts *, const struct ro_state *,
    const struct ro_count *counts, const double *rates, uint64_t wall_us,
    bool in_time);
/* Of this proxy alone, as facts_parts_add() takes it from another one. */
void facts_parts_put(const struct parts *, struct json_out *);
/* boot: the process that has told that; of each one that there is. */
void facts_parts_add(struct parts *, const char *boot, bool away,
    const struct json *);
/* The others cannot be heard: whatever they have told, more may be missing. */
void facts_parts_alone(struct parts *);
/* counts, rates: what it all comes to, as machine_count() takes it; a rate is
 * unknown where one that is there has not told it. */
void facts_parts_sum(const struct parts *, const struct ro_state *,
    struct ro_count *counts, double *rates);

/*
 * ---- what a step analyze or mirror looks at ----
 *
 * Each proxy counts from when it has heard that the step began, tells the
 * others, and adds what these have told to its own.
 */
struct pace;

/* paces[n_services]: owned; NULL of those that are at no such step. */
void facts_pace(struct registry *, const struct cfg *, const struct ro_state *,
    uint64_t wall_us, struct pace **paces);
/* Of this proxy alone, as facts_pace_add() takes it from another one. */
void facts_pace_put(const struct ro_state *, struct pace *const *paces,
    struct json_out *);
void facts_pace_add(const struct ro_state *, struct pace **paces,
    const struct json *);
/* rows[n_services]: what it all comes to. */
void facts_pace_sum(const struct ro_state *, struct pace *const *paces,
    struct ro_pace *rows);

/* rows[n_services]: of those that are at a step roll. */
void facts_roll(struct registry *, const struct ro_state *, uint64_t wall_us,
    struct ro_facts_roll *rows);

/*
 * Why an instance's health is what it is: the reason and, where a status is
 * the reason, which ("unexpected status 404").  Returns out.
 */
#define FACTS_WHY_MAX 64
struct instance;
const char *facts_why(const struct instance *, char out[FACTS_WHY_MAX]);

/* What there is to know of the instance a command names. */
struct ro_facts_instance facts_of_instance(struct registry *,
    const struct cfg *, const struct ro_state *, const struct ro_command *);

/* The service a command means, be it named or not; "" when there is none. */
const char *facts_service_of(const struct ro_state *,
    const struct ro_command *);

#endif
