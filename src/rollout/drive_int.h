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

#include "base/attr.h"
#include "net/loop.h"
#include "rollout/drive.h"
#include "rollout/probing.h"

struct waiters;

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
	struct defer look;
	struct waiters *waiters;
	bool unpublished;        /* the present state is in no view yet */
	bool stale;              /* nor is something else */
	bool disk_in_doubt;      /* a save failed: it may hold what is not so */
	uint64_t disk_failed_us; /* monotonic; when it did last */
	bool probes_missing;     /* memory ran out */
	bool reload_refused;     /* the last one was */
	bool ending;
};

/* Rows and plans for that many services; E_NOMEM: as they were. */
int drive_make_room(struct drive *, size_t n_services) MUST_CHECK;

/* Disk: the state is there, or a code, and soon .state is again. */
int drive_save(struct drive *, const struct ro_state *) MUST_CHECK;
/*
 * Disk: .state is there again after something else was.  What cannot be
 * written now is in doubt, and a later look writes it.
 */
void drive_restore(struct drive *);
/*
 * Memory: makes .next, which is on disk if it must be, what is so.  reroutes:
 * workers need a view of it, and who waits waits for that one.
 */
void drive_take_over(struct drive *, bool reroutes);
/* Workers: when memory runs out the old view goes on, and we come again. */
bool drive_publish(struct drive *);

/* E_OK for "" and for an address the registry would take; may block. */
int drive_check_address(const char *address, char *why, size_t cap) MUST_CHECK;
/* Makes the registry fit cfg and .next; on error it is as it was. */
int drive_apply_instances(struct drive *, struct cfg *, char *why,
    size_t cap) MUST_CHECK;

/* Every instance gets its probe, now or with a later look. */
void drive_fit_probes(struct drive *, bool renew);

#endif
