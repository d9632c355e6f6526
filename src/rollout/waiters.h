/*
 * waiters - those who gave a command and wait for it to be so: adopted by all
 * workers, and, if they asked for it, ended.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_WAITERS_H
#define ROLLOUT_WAITERS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "rollout/drive.h"

struct loop;
struct waiters;

/* A worker that has not adopted a view for so long hangs. */
#define WAITERS_ADOPT_LIMIT_US (UINT64_C(10) * 1000000)
/* Progress is told so often at most; at least once a look of drive's clock. */
#define WAITERS_PROGRESS_US (UINT64_C(100) * 1000)

/* What is so now. */
struct waiters_news {
	struct drive *drive; /* for its facts */
	struct ro_state *state;
	bool adopted; /* by every worker */
};

struct waiters *waiters_new(struct loop *) MUST_CHECK;
void waiters_free(struct waiters **); /* answers the rest: stopping */
/*
 * Who waits from now on for a command that is not so yet; wait and wait_us as
 * in drive_command().  0: there is no memory.
 */
uint64_t waiters_add(struct waiters *, const struct ro_state *,
    const struct ro_command *, bool wait, uint64_t wait_us, drive_done_fn *,
    void *arg) MUST_CHECK;
/* The command is on disk and in memory, in that state. */
void waiters_begun(struct waiters *, uint64_t id, struct ro_state *);
/* It was refused: answers. */
void waiters_refuse(struct waiters *, uint64_t id, const struct ro_state *,
    enum ro_refusal, const char *why);
bool waiters_has(struct waiters *, uint64_t id);
void waiters_forget(struct waiters *, uint64_t id);
void waiters_on_progress(struct waiters *, uint64_t id, drive_progress_fn *);
/*
 * Answers whoever waited for what is so now, and tells the others how it
 * stands.  What it calls may do anything but free the waiters.
 */
void waiters_look(struct waiters *, const struct waiters_news *);

#endif
