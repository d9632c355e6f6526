/*
 * running - the control thread's side of jobs: asks the master for the runs
 * that rollouts want, again and again until they have ended, has those ended
 * that nobody wants any more, and keeps what it says.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_RUNNING_H
#define ROLLOUT_RUNNING_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "rollout/machine.h"
#include "rollout/runs.h"

/* So often it asks how a run stands. */
#define RUNNING_ASK_US (UINT64_C(500) * 1000)

typedef void running_tell_fn(enum run_word, const char *text, void *arg);

struct running;

/* tell NULL: there is no master, and nothing ever ends; for tests. */
struct running *running_new(running_tell_fn *tell, void *arg);
void running_free(struct running **);

/*
 * With every look, once a state is on disk.  Returns when to look again
 * (monotonic; 0: no need); what memory is missing for is left for the next.
 */
uint64_t running_look(struct running *, const struct ro_state *,
    uint64_t now_us) MUST_CHECK;
/* What the master said; false: nothing of ours. */
bool running_hear(struct running *, const char *text) MUST_CHECK;

/* rows[n_services]: what is known of the last run of each. */
void running_facts(const struct running *, const struct ro_state *,
    struct ro_facts_run *rows);
/* Of the last run for that service; NULL: nothing is known.  Borrowed. */
const struct run_news *running_news(const struct running *,
    const struct ro_service *);

#endif
