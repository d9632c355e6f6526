/*
 * drive_int - what drive's files share: its fields, and the three steps
 * disk, memory, workers.  Only rollout/drive*.c include it.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_DRIVE_INT_H
#define ROLLOUT_DRIVE_INT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "base/stat.h"
#include "net/loop.h"
#include "rollout/drive.h"
#include "rollout/facts.h"
#include "rollout/probing.h"

struct cluster;
struct disk;
struct ejecting;
struct names;
struct rate;
struct running;
struct waiters;

/*
 * A change waits for its turn, is decided, goes to the disk, then into
 * memory, then to the workers.  One is on this way at a time.
 */
struct change {
	STAILQ_ENTRY(change) link;
	const struct change_kind *kind;
	bool unsaved;            /* .next is what the disk has already */
	bool agreed;             /* the cluster has it, or has refused it */
	bool forced;             /* ... even if not all can take it over */
	enum ro_refusal refusal; /* RO_NO_NONE: as long as it is not refused */
	char why[512];
};

struct change_kind {
	/* Makes .next, a copy of .state, what is to be; false: refused. */
	bool (*decide)(struct drive *, struct change *) MUST_CHECK;
	/* .next is on disk: takes it over; false: refused, all is as it was. */
	bool (*adopt)(struct drive *, struct change *) MUST_CHECK;
	/* It is so, or refused: tells, and frees it. */
	void (*end)(struct drive *, struct change *);
};

/* Always false, for decide and adopt to return. */
bool change_refuse(struct change *, enum ro_refusal, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

struct drive {
	struct drive_env env;
	struct cfg *cfg;         /* one ref */
	struct keyring *keyring; /* borrowed */
	struct probing probing;
	char *path;            /* of the state file; owned */
	struct ro_state state; /* what is so */
	struct ro_state next;  /* what is to be */
	struct ro_facts_pool *rows;
	struct ro_facts facts;
	uint64_t started_us;  /* see facts_now */
	uint64_t hold_due_us; /* wall clock: a pool gets ready; 0: none */
	uint64_t due_us;      /* wall clock: look then; 0: when poked */
	struct service_plan *plans;
	uint64_t newest_view; /* generations of views */
	uint64_t state_view;  /* the first that has the present state */
	struct alarm *clock;
	struct ejecting *ejecting;
	struct running *running;
	struct ro_facts_run *runs;   /* owned; [service] */
	struct ro_count *counts;     /* owned; [service] */
	struct ro_facts_roll *rolls; /* owned; [service] */
	double *rates;               /* owned; [service] */
	struct rate *meters;         /* owned; [service] */
	struct pace **paces;         /* owned, and each; [service] */
	size_t n_paces;              /* of both so many are in use */
	struct parts parts;
	/* Since facts were gathered last: a state of others was taken over;
	 * one of them not when the others did. */
	bool heard, late;
	struct ro_pace *pace; /* owned; [service]: facts.paces */
	uint64_t began_us;    /* wall clock, as it was: of this process */
	struct defer look;
	struct waiters *waiters;
	struct names *names;
	struct disk *disk;
	struct change *writing; /* owned; .next goes to the disk for it, or,
	                           when it is refused, .state again */
	STAILQ_HEAD(, change) waiting; /* owned */
	size_t n_waiting;
	struct change clocks;    /* what time and the world decide */
	uint64_t wall_off_us;    /* wall clock minus monotonic */
	bool unpublished;        /* the present state is in no view yet */
	bool stale;              /* nor is something else */
	bool disk_in_doubt;      /* a save failed: it may hold what is not so */
	bool restamped;          /* it has stamps of another wall clock */
	uint64_t disk_failed_us; /* monotonic; when it did last */
	bool disk_hangs;         /* that was told */
	uint64_t saves_failed;
	struct hist save_took;
	bool probes_missing; /* memory ran out */
	bool reload_refused; /* the last one was */
	uint64_t run_due_us; /* monotonic: a run is to be asked for; 0: none */
	struct tally *tally; /* owned */
	struct keys_watch *keys; /* owned */
	struct cluster *cluster; /* owned; NULL: we are the only one */
	struct cfg *joined_cfg;  /* one ref; what the cluster was made by */
	struct change *agreeing; /* owned; on our disk, the cluster is asked */
	bool asked;              /* ... it was */
	bool leading;            /* that is on its way */
	uint64_t disagreed_us;   /* monotonic: the cluster has refused then */
	uint64_t unfit;          /* a version that could not be followed */
	bool led;                /* what others have run is known to be lost */
	struct ro_facts_pool *own; /* owned; .rows before others' were added */
	bool ending;
};

/* Rows and plans for that many services; E_NOMEM: as they were. */
int drive_make_room(struct drive *, size_t n_services) MUST_CHECK;

/* ---- drive_change.c ---- */

/* Its turn comes now, later, or never: then it has ended. */
void drive_submit(struct drive *, struct change *);
/* .next is what c decided: to the disk with it; nothing else is on its way. */
void drive_send(struct drive *, struct change *);
/* With every look: what waits for its turn, or for the disk in vain. */
void drive_next_change(struct drive *);
/* The disk gets .state again, if it may hold something else. */
void drive_settle_disk(struct drive *);
/* A save failed a moment ago: who can wait does. */
bool drive_disk_rests(const struct drive *);
/* The same, or the others have refused something. */
bool drive_rests(const struct drive *);
/* Ends them all: segued is stopping. */
void drive_end_changes(struct drive *);
void drive_on_written(int code, uint64_t took_us, void *drive);

/* Something is on its way: nothing else may be decided. */
bool drive_is_busy(const struct drive *);
/* What .agreeing was has been agreed on, or refused. */
void drive_agreed(struct drive *, struct change *);

/* ---- drive_cluster.c ---- */

/* We are the only one, or lead the others: we decide. */
bool drive_leads(const struct drive *);
/* False: it is refused here. */
bool drive_may_command(const struct drive *, struct change *,
    const struct ro_command *);
/* Not without the others. */
bool drive_must_agree(const struct drive *, const struct change *);
/* With every look, while .agreeing is there. */
void drive_agree(struct drive *);
/* Jobs of rollouts, where they are ours to run; as running_look(). */
uint64_t drive_look_at_runs(struct drive *) MUST_CHECK;
/* What the others have on their hands is in .rows, too. */
void drive_add_others(struct drive *);
void drive_add_paces(struct drive *); /* ... has come to, in .paces */
void drive_add_parts(struct drive *); /* ... have counted, in .parts */

/* ---- drive.c ---- */

/* The wall clock may have been set: before it is compared with a stamp. */
void drive_follow_wall_clock(struct drive *);
/*
 * Memory: makes .next, which is on disk if it must be, what is so.  reroutes:
 * workers need a view of it, and who waits waits for that one.
 */
void drive_take_over(struct drive *, bool reroutes);
/* Workers: when memory runs out the old view goes on, and we come again. */
bool drive_publish(struct drive *);

/* E_OK for "" and for an address the registry would take; may block. */
int drive_check_address(struct drive *, const char *address, char *why,
    size_t cap) MUST_CHECK;
/* Makes the registry fit cfg and .next; on error it is as it was. */
int drive_apply_instances(struct drive *, struct cfg *, char *why,
    size_t cap) MUST_CHECK;

/* Every instance gets its probe, now or with a later look. */
void drive_fit_probes(struct drive *, bool renew);

#endif
