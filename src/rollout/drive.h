/*
 * drive - carries out what the machine decided, always in the same order:
 * disk, then memory, then workers.  The one door for every change.
 *
 * Thread: control.  All of it runs in the loop of drive_env.
 */
#ifndef ROLLOUT_DRIVE_H
#define ROLLOUT_DRIVE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "rollout/feed.h"
#include "rollout/machine.h"
#include "rollout/runs.h"

struct board;
struct cfg;
struct cluster;
struct drive;
struct hist;
struct keyring;
struct loop;
struct registry;
struct store_env;
struct views;

/* All but cfg is borrowed and outlives the drive. */
struct drive_env {
	struct loop *loop;
	struct registry *registry;
	struct views *views;
	struct feed *feed;
	struct board *board;     /* NULL: none */
	bool again;              /* a process before us has served */
	bool same_master;        /* ... and may have had it run jobs */
	struct cfg *cfg;         /* a reference is taken */
	struct keyring *keyring; /* goes into views; not looked at */
	uint64_t driver; /* of the master: no other has it; of a cluster */
	/* Wakes every worker, so that it adopts the newest view. */
	void (*nudge)(void *arg);
	/* To the master, about jobs (rollout/running.h); NULL: there is none. */
	void (*tell)(enum run_word, const char *text, void *arg);
	void *arg;
};

/*
 * Loads the state from cfg's state directory (or makes it from cfg), makes
 * instances and probes, and publishes the first view.
 *
 * why[cap]  a sentence for the operator when the result is not E_OK; state
 *           files that are damaged are refused (rollout/state.h)
 */
int drive_new(const struct drive_env *, struct drive **out, char *why,
    size_t cap) MUST_CHECK;
/*
 * Before the registry and the views; answers who waits; ends the probes.
 * Waits for the disk when something is being written.
 */
void drive_free(struct drive **);

/*
 * Becomes one of the proxies of that configuration's cluster; a reference is
 * taken.  The store is borrowed for the call, what it leads to as long as the
 * drive.
 */
int drive_join(struct drive *, struct cfg *,
    const struct store_env *) MUST_CHECK;
struct cluster *drive_cluster(const struct drive *); /* NULL: none */

/* ---- commands ---- */
struct drive_result {
	enum ro_refusal refusal; /* RO_NO_NONE: done */
	bool timed_out;          /* the wait, not the action */
	uint64_t generation;     /* of the state that has it */
	uint64_t took_us;
	const char *sentence; /* "" when there is nothing to say; borrowed */
};
typedef void drive_done_fn(const struct drive_result *, void *arg);

/*
 * Changes are carried out one after the other, as they came: a thread of its
 * own writes the state, and whatever comes meanwhile waits.  When the disk
 * has not answered for so long, what waits is refused and what comes too.
 * What is being written then stays so: it is done when the disk has it and
 * refused when it says that it has not; nobody can know before.
 */
#define DRIVE_DISK_LIMIT_US (UINT64_C(5) * 1000000)
#define DRIVE_CHANGES_MAX 64 /* so many wait */

/*
 * Carries the command out.  done is called once: when it is on disk and every
 * worker routes by it; with wait, when what it began (a switch that waits, a
 * drain) has ended too, was superseded by another command, or wait_us have
 * passed (0: no bound).  It may be called before this returns, when the
 * command is refused.  After a refusal nothing has changed.
 *
 * The name of an added instance is waited for: that may block for 2 s.
 *
 * returns  an id for drive_forget(), 0 when done was called already
 */
uint64_t drive_command(struct drive *, const struct ro_command *, bool wait,
    uint64_t wait_us, drive_done_fn *done, void *arg);
/* Whoever waited has left: done is not called; the action goes on. */
void drive_forget(struct drive *, uint64_t id);
/*
 * The clocks of a command that names none: those the configuration gives the
 * service (NULL or "": the only one).  Of a pool that drains already, those it
 * has, so that to wait for it anew changes nothing; NULL: no pool.
 */
struct ro_drain drive_clocks(struct drive *, const char *service,
    const char *pool);

/*
 * What a rollout that began now would go through, in *out, and whether it would
 * be refused: then why[cap] says why.  *mark is what a start takes that is to
 * carry out this plan and no other; not set without memory or service.
 * Nothing changes.
 */
enum ro_refusal drive_plan(struct drive *, const struct ro_command *,
    struct ro_rollout *out, struct ro_mark *mark, char *why,
    size_t cap) MUST_CHECK;

/* How a wait stands: sums over the draining pools it waits for. */
struct drive_progress {
	uint64_t lasts_us; /* since the command came */
	uint64_t inflight, streams, sessions;
	const char *holds; /* a sentence, or ""; borrowed */
};
typedef void drive_progress_fn(const struct drive_progress *, void *arg);
/*
 * From now on fn is called with done's arg while the command waits: ten times
 * a second at most, once a second at least.
 */
void drive_on_progress(struct drive *, uint64_t id, drive_progress_fn *);

/* ---- what happens ---- */
/* A worker adopted a view, or ended an exchange on a leaving pool. */
void drive_poke(struct drive *);
/* A worker could not connect to that instance (checked to exist). */
void drive_connect_failed(struct drive *, struct instance *);
/* The master says how a run of a job stands. */
void drive_hear_run(struct drive *, const char *text);
/* An exchange failed by its instance's fault: it may be one to eject. */
void drive_exchange_failed(struct drive *);
/*
 * A new configuration; a reference is taken.  done is called once, perhaps
 * before this returns: with E_OK when it is on disk and in the newest view, or
 * nothing has changed and why says what is wrong; E_STATE when a service that
 * is served would have nobody to serve it, or segued is stopping; E_FULL when
 * the disk did not take it, or hangs.  A name that is new is waited
 * for, which may block for 2 s; others are asked again in the background.
 * The keyring must live until then, and, with E_OK, with the views.
 */
typedef void drive_reload_fn(int code, const char *why, void *arg);
void drive_reload(struct drive *, struct cfg *, struct keyring *,
    drive_reload_fn *done, void *arg);
/* One was refused before it came here: that is told as those are. */
void drive_reload_refused(struct drive *, const char *why);

/* ---- reading ---- */
const struct ro_state *drive_state(const struct drive *);
/* Is what is so on disk?  No: the last write of it failed. */
bool drive_is_saved(const struct drive *);
/* Was the last reload taken over?  Also where there was none. */
bool drive_reload_is_ok(const struct drive *);
/* Fresh facts; valid until the next call into drive. */
const struct ro_facts *drive_facts(struct drive *);
/* Of the last run of a job for it; NULL: nothing is known.  Borrowed. */
const struct run_news *drive_run(const struct drive *,
    const struct ro_service *);
struct cfg *drive_cfg(const struct drive *);
/* That of the newest view. */
struct keyring *drive_keyring(const struct drive *);
struct registry *drive_registry(const struct drive *);
/*
 * What still holds a draining pool, or one that a switch waits for, as a
 * sentence; "" for others.  Both are drive_state()'s.
 */
#define DRIVE_HOLDS_MAX 256
/* How the disk does. */
struct drive_disk {
	uint64_t pending_us;     /* how long a save is under way; 0: none is */
	uint64_t waiting;        /* changes that wait for it */
	bool rests;              /* disk_rests() */
	uint64_t failed;         /* saves that did since the start */
	const struct hist *took; /* of all saves; borrowed */
};
void drive_disk(const struct drive *, struct drive_disk *);
/* What holds a command that is not on disk yet, as a sentence. */
void drive_disk_holds(const struct drive *, char *out, size_t cap);
void drive_holds(struct drive *, const struct ro_service *,
    const struct ro_pool *, char *out, size_t cap);

#endif
