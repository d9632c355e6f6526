/*
 * rig - a drive with all it needs: a loop, a registry, views, a feed, a state
 * directory, and two workers that are only numbers.
 *
 * Service "a" has the pools v1 (all of the share) and v2, of one instance
 * each, i1 and i2, which are sockets of the rig's: listening they are up.
 *
 * Thread: the test's, which is the control thread.
 */
#ifndef TESTS_ROLLOUT_RIG_H
#define TESTS_ROLLOUT_RIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rollout/drive.h"

#define RIG_WORKERS 2
#define RIG_SOCKETS 3

struct rig_answer {
	struct loop *loop; /* to be woken */
	bool came;
	struct drive_result result;
	char sentence[512];
	uint64_t on_disk; /* generation in the file when it came */
	unsigned told;    /* calls of progress */
	struct drive_progress progress;
	char holds[DRIVE_HOLDS_MAX];
};

struct wish;

struct rig {
	struct loop *loop;
	struct registry *registry;
	struct views *views;
	struct feed *feed;
	struct board *board;
	struct cfg *cfg;
	struct drive *drive; /* NULL: not started */
	bool lazy;           /* workers adopt only when told to */
	unsigned nudges;
	int fds[RIG_SOCKETS]; /* listening; -1: closed */
	uint16_t ports[RIG_SOCKETS];
	char why[1024];      /* of rig_start() */
	struct alarm *limit; /* of any wait */
	struct wish *wish;   /* what is waited for */
};

void rig_make(struct rig *); /* a scratch directory too; not started */
void rig_free(struct rig *);
/* The configuration of a service; NULL: the one above. */
struct cfg *rig_configure(const struct rig *, const char *pools);
/* drive_new(): E_OK or what it said, with .why. */
int rig_start(struct rig *);
/* Ends the drive and all below it; the files stay. */
void rig_stop(struct rig *);
/* Started, and i1 and i2 are up. */
void rig_run(struct rig *);

void rig_listen(struct rig *, size_t socket, bool yes);
void rig_adopt(struct rig *, unsigned worker);

/* Turns of the loop until so(arg); asserts that it comes, with the name. */
void rig_until(struct rig *, const char *what, bool (*so)(void *), void *arg);
/* Until the answer came; until i1 and i2 are as said. */
void rig_answered(struct rig *, struct rig_answer *);
void rig_health(struct rig *, bool i1, bool i2);
/* So many turns, whatever happens. */
void rig_turns(struct rig *, unsigned n);

struct ro_command rig_command(enum ro_verb, const char *pool);
/* Gives the command; it may not be on disk yet, nor decided. */
uint64_t rig_ask(struct rig *, const struct ro_command *, bool wait,
    uint64_t wait_us, struct rig_answer *);
/* Until the disk has nothing to do and nobody waits for it. */
void rig_written(struct rig *);
/* rig_ask() and rig_written(); the answer may come later. */
uint64_t rig_give(struct rig *, const struct ro_command *, bool wait,
    uint64_t wait_us, struct rig_answer *);
/* Gives it and waits for the answer: the refusal. */
enum ro_refusal rig_do(struct rig *, const struct ro_command *,
    struct rig_answer *);

const struct ro_pool *rig_pool(struct rig *, const char *name);
struct instance *rig_instance(struct rig *, size_t n); /* i1 or i2 */
/* A session is on the pool of that instance. */
void rig_see(struct rig *, size_t n, uint64_t session);
/* The disk has nothing to do until it is given something. */
void rig_rests(struct rig *);
/* It rests, and what comes next replaces the file, as there are no slots. */
void rig_without_slots(struct rig *);
/* Generation in the state file or its journal; asserts that it is sound. */
uint64_t rig_on_disk(void);
/* The last event of that type, "" when there is none. */
const char *rig_event(struct rig *, enum feed_type);

#endif
