/*
 * state - what must survive every crash: for each service its pools' states,
 * shares, epochs and drains, and what commands said of instances.
 *
 * File: one line "segue-state FORMAT GENERATION LENGTH HASH", then LENGTH
 * bytes of JSON whose hash it is.  Replaced as a whole, so there is always the
 * old one or the new one.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_STATE_H
#define ROLLOUT_STATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "config/config.h"
#include "upstream/account.h"
#include "upstream/registry.h"

struct json;
struct json_out;

#define RO_STATE_FORMAT 1
#define RO_STATE_BYTES_MAX ((size_t)16 << 20)
#define RO_STATE_FILE "state.json" /* in the state directory */

#define RO_WHO_MAX 64
#define RO_INSTANCES_MAX 512 /* instances that commands spoke of */

struct ro_drain {
	uint8_t mode;       /* enum cfg_drain_mode */
	uint64_t began_us;  /* wall clock */
	uint64_t closed_us; /* wall clock: no pin leads here since; 0: yet */
	uint64_t flows_us, requests_us, streams_us; /* its clocks */
};

/* Can an active pool serve?  Unknown until it could once. */
enum ro_life { RO_LIFE_UNKNOWN, RO_LIFE_ALIVE, RO_LIFE_DEAD };

struct ro_pool {
	char name[CFG_NAME_MAX + 1];
	uint8_t state;       /* enum pool_state */
	uint8_t life;        /* enum ro_life; not in the file */
	uint32_t share_bp;   /* of new sessions */
	uint32_t min_epoch;  /* pins older than this are void */
	uint32_t move_epoch; /* ... move at the next safe point */
	/* those go there; empty: by the share */
	char pins_to[CFG_NAME_MAX + 1];
	uint64_t since_us;     /* wall clock of the last change of state */
	struct ro_drain drain; /* while DRAINING */
	/* steps_print() of what it was given by the last rollout to it that was
	 * done, or had when the service was new; 0: nobody knows */
	uint64_t print;
};

/* A switch that waits for its pool to be ready. */
struct ro_pending {
	char pool[CFG_NAME_MAX + 1]; /* empty: none */
	bool drain;
	struct ro_drain clocks; /* for that drain */
};

/* How a rollout stands: identifier, name. */
#define RO_STANDS(X)                                                           \
	X(NONE, "none")       /* there never was one */                        \
	X(RUNNING, "running") /* its steps go on by themselves */              \
	X(PAUSED, "paused")   /* by an operator, or a step failed */           \
	X(DONE, "done")                                                        \
	X(ROLLED_BACK, "rolled_back")                                          \
	X(ABORTED, "aborted") /* traffic stays as it was then */
#define X(id, name) RO_STAND_##id,
enum ro_stand { RO_STANDS(X) RO_STAND_COUNT };
#undef X

#define RO_SAID_MAX 160

/* May the versions run side by side? */
#define RO_PATHS(X)                                                            \
	X(UNKNOWN, "unknown")                                                  \
	X(ROLLING, "rolling")                                                  \
	X(RECREATE, "recreate")
#define X(id, name) RO_PATH_##id,
enum ro_path { RO_PATHS(X) RO_PATH_COUNT };
#undef X

struct ro_step {
	uint8_t kind; /* enum cfg_step_kind */
	char name[CFG_NAME_MAX + 1];
	uint32_t share_bp;
	uint64_t for_us, deadline_us; /* deadline 0: none */
	uint32_t errors_pct, requests, slower_pct, logins_pct; /* of ANALYZE */
	char job[CFG_NAME_MAX + 1]; /* of JOB and CHECK; else empty */
	bool rehearse;              /* it has a command for rehearsals */
	uint8_t once;               /* enum cfg_once */
	bool writes_only;           /* of HOLD */
	bool no_return;             /* no way back once it has begun */
	uint8_t only;               /* enum cfg_only */
	uint8_t by;                 /* enum cfg_by, of CHECK */
	bool surge;                 /* of ROLL */
	uint16_t from, until;       /* of WINDOW: minutes of the day */
	uint32_t below;             /* of WINDOW: requests a second */
	/* How its last run ended, if .took_us is set. */
	int16_t exit; /* status; -1: by a signal, or it was not begun */
	uint64_t took_us;
	char said[RO_SAID_MAX]; /* the last line that it said; in a rehearsal
	                           also what other steps would wait for */
	uint64_t lasted_us;     /* the step, once it is over */
};

#define RO_WHY_MAX 192

/* What was asked of pools, and failed; the counters begin with the process. */
struct ro_toll {
	uint64_t requests, bad;
};

/* What was asked of a service, and what became of it. */
struct ro_count {
	uint64_t process_us; /* wall clock: these counters began; 0: none */
	uint64_t lacks_us;   /* wall clock: of what came before, some is missing
	                        though that process goes on; 0: nothing is; not
	                        in the file */
	uint64_t lost_us;    /* ... and will not be told in a moment */
	bool holds;          /* the account does (upstream/account.h) */
	uint64_t accepted, in_flight;
	uint64_t class[CLASS_COUNT];
	uint64_t refused; /* of ours: for want of anybody or any room */
	uint64_t retries;
	uint64_t held, released; /* had to wait; were sent on */
	uint64_t waiting;        /* of these, now; not in the file */
	uint64_t moved; /* exchanges pinned to a pool they did not go to */
	uint64_t streams[STREAM_END_COUNT];
	size_t n_pools;
	struct {
		char pool[CFG_NAME_MAX + 1];
		struct ro_toll toll;
	} pools[CFG_POOLS_MAX];
};

/*
 * Requests to pools by time, since a rollout began: pieces of one length, which
 * grows when there are too many of them.
 */
#define RO_PIECES_MAX 60
#define RO_PIECE_MAX_US (UINT64_C(1) << 50) /* 35 years */
struct ro_timeline {
	uint64_t process_us; /* .seen are counters of that process */
	uint64_t piece_us;   /* so long is each, the last until now */
	size_t n;
	uint64_t gaps; /* bits of pieces of which some was not counted */
	/* of the pools of .base, in its order */
	struct ro_toll seen[CFG_POOLS_MAX];
	struct ro_toll pieces[RO_PIECES_MAX][CFG_POOLS_MAX];
};

/* What a step roll does with the instance at hand: identifier, name. */
#define RO_ROLL_PHASES(X)                                                      \
	X(NEXT, "next")   /* there is none: all have to be fit for the next */ \
	X(LEAVE, "leave") /* it gets no new session */                         \
	X(EMPTY, "empty") /* what it has on its hands ends */                  \
	X(JOB, "job")     /* it is renewed */                                  \
	X(PROOF, "proof") /* it has to pass its probe */                       \
	X(LAST, "last")   /* that which stood in gets empty */
#define X(id, name) ROLL_##id,
enum ro_roll_phase { RO_ROLL_PHASES(X) RO_ROLL_PHASE_COUNT };
#undef X

/* Where a step roll is, or was left. */
struct ro_roll {
	uint8_t phase;                /* enum ro_roll_phase */
	char now[CFG_NAME_MAX + 1];   /* the instance at hand; or empty */
	char last[CFG_NAME_MAX + 1];  /* the last that is done; or empty */
	char spare[CFG_NAME_MAX + 1]; /* stands in, with surge; or empty */
	uint64_t since_us;            /* wall clock: of the phase */
	uint32_t done;                /* so many are */
};

/* A rollout that is over. */
#define RO_PAST_MAX 8
struct ro_past {
	uint64_t id;
	uint8_t stand; /* enum ro_stand */
	bool rehearsal;
	char to[CFG_NAME_MAX + 1], version[CFG_NAME_MAX + 1];
	char who[RO_WHO_MAX], why[RO_WHY_MAX];
	uint64_t began_us, ended_us; /* wall clock */
	uint64_t held_us;
	uint64_t accepted, fault; /* requests meanwhile; of these, failed */
};

/* The way of a service to a pool: the last one, under way or ended. */
struct ro_rollout {
	uint64_t id;               /* of the service's rollouts, from 1 */
	uint8_t stand;             /* enum ro_stand */
	uint8_t on_failure;        /* enum cfg_on_failure */
	uint8_t path;              /* enum ro_path, as its check found */
	bool rehearsal;            /* no traffic moves, no job is really run */
	bool entered;              /* the step's action was carried out */
	bool failed;               /* the step has; PAUSED */
	bool moved;                /* by an operator, while it was paused */
	bool unknown;              /* it failed: nobody knows how the run of
	                                its job ended */
	uint32_t runs;             /* of jobs so far; numbers the last one */
	char to[CFG_NAME_MAX + 1]; /* the pool */
	char version[CFG_NAME_MAX + 1]; /* of it, when it began */
	uint64_t print;                 /* steps_print(), likewise */
	char who[RO_WHO_MAX];           /* began it */
	char why[RO_WHY_MAX];           /* it stands as it does; or empty */
	uint64_t began_us, ended_us;    /* wall clock; 0: not yet */
	uint64_t since_us;              /* the step is what it is at */
	uint64_t paused_us;             /* 0: it is not */
	uint64_t hold_until_us;         /* what it holds must be released; 0: no
	                                such time */
	uint64_t held_us; /* it has held requests for so long, but for now */
	struct ro_drain clocks; /* of what it drains */
	size_t n_before;        /* shares when it began */
	struct {
		char pool[CFG_NAME_MAX + 1];
		uint32_t share_bp;
	} before[CFG_POOLS_MAX];
	size_t at, n_steps; /* .at == .n_steps: all are done */
	uint32_t skipped;   /* bits of steps */
	uint32_t begun;     /* ... whose action was carried out, ever */
	uint32_t ran; /* ... whose jobs are done: not twice on a way back */
	struct ro_step steps[CFG_STEPS_MAX];
	struct ro_roll roll;
	struct ro_count base;  /* when it began */
	struct ro_count count; /* since then, once it has ended */
	struct ro_timeline timeline;
	bool partial; /* .count lacks what a process counted that is no more */
	/* Since when the new pool has been unknown, with nobody ready, though it
	 * has sessions; not in the file; 0: it has not. */
	uint64_t blind_us;
};

/* A job that is to be done once was. */
#define RO_DONE_MAX 64 /* of a service; then the oldest version goes */
struct ro_done {
	char job[CFG_NAME_MAX + 1];
	char version[CFG_NAME_MAX + 1]; /* empty: for all */
	uint64_t when_us;               /* wall clock */
};

/* What an operator has said of one session, as long as its pin may live. */
struct ro_order {
	uint64_t session;
	uint64_t given_us; /* wall clock */
	uint32_t epoch;    /* of pins older than this */
	uint8_t how;       /* enum view_pins: PINS_MOVE or PINS_EVICT */
	uint8_t to;        /* a pool by its number from 1; 0: by the share */
};

struct ro_service {
	char name[CFG_NAME_MAX + 1];
	uint32_t epoch; /* grows with whatever changes who serves whom */
	size_t n_pools;
	struct ro_pool pools[CFG_POOLS_MAX];
	struct ro_pending pending;
	uint8_t hold;     /* enum hold: which requests wait */
	uint64_t held_us; /* wall clock: since when; 0: none do */
	struct ro_rollout rollout;
	/* what the last check found, of whichever rollout */
	uint8_t path;     /* enum ro_path */
	uint64_t path_us; /* wall clock: since it is that; 0: never */
	char path_why[RO_WHY_MAX];
	size_t n_past;
	struct ro_past past[RO_PAST_MAX]; /* oldest first */
	size_t n_done;
	struct ro_done done[RO_DONE_MAX]; /* oldest first */
	size_t n_orders;
	struct ro_order orders[VIEW_ORDERS_MAX]; /* oldest first */
};

struct ro_state {
	uint64_t generation; /* grows with every change that is on disk */
	uint64_t changed_us; /* wall clock */
	char changed_by[RO_WHO_MAX];
	uint64_t driver; /* the master that runs jobs, of a cluster; 0: none */
	size_t n_services;
	struct ro_service *services; /* owned */
	size_t n_instances;
	struct instance_plan *instances; /* owned; room for the maximum */
};

int ro_state_new(struct ro_state *) MUST_CHECK;
void ro_state_free(struct ro_state *);
/* *to was made by ro_state_new() or is a copy before; on error unchanged. */
int ro_state_copy(struct ro_state *to, const struct ro_state *from) MUST_CHECK;

/* NULL when there is none of that name. */
struct ro_service *ro_service_find(struct ro_state *, const char *name);
struct ro_pool *ro_pool_find(struct ro_service *, const char *name);
struct instance_plan *ro_plan_find(struct ro_state *, const char *service,
    const char *pool, const char *name);

/* "keep", "move", "evict"; the mode of a name, -1 when it is none. */
const char *ro_drain_mode_name(uint8_t mode);
int ro_drain_mode_of(const char *name);

/*
 * Fits the state to a configuration: new services, and those of which no pool
 * stays, begin with its shares, other new pools without one, vanished ones go;
 * a share that went with its pool falls to a pool that stays.  *changed (may be NULL): anything but nothing.
 */
int ro_state_reconcile(struct ro_state *, const struct cfg *, uint64_t wall_us,
    bool *changed) MUST_CHECK;

/*
 * After a start: what was proved before must be proved again, and nothing
 * began later than now, though the clock be set back meanwhile.
 */
void ro_state_wake(struct ro_state *, uint64_t wall_us);

/*
 * A master has started anew: how a job ended that its like ran is unknown, and
 * the rollout stands still there.  True: that must be on disk before anything
 * else, or a later process would take the job for one to be asked for.
 */
bool ro_state_lose_runs(struct ro_state *, uint64_t wall_us) MUST_CHECK;

/*
 * The wall clock was set by so many microseconds: stamps from which durations
 * are counted go with it, so that what has lasted has lasted as long as it
 * has.
 */
void ro_state_shift(struct ro_state *, int64_t by_us);

/* ---- the file ---- */

void ro_state_write(const struct ro_state *, struct buf *out);

/*
 * *out was made by ro_state_new() and is half filled on error; why[cap] then
 * says what is wrong, as in "it WHY".
 * returns  E_OK, E_DAMAGED, E_UNSUPPORTED (a later format) or E_NOMEM
 */
int ro_state_read(struct str text, struct ro_state *out, char *why,
    size_t cap) MUST_CHECK;

/*
 * As ro_state_read(), but why[cap] is a whole message: the file, what is wrong
 * and how to go on.  E_NOENT: there is none yet.  Removes what crashes left
 * beside it.
 */
int ro_state_load(const char *path, struct ro_state *out, char *why,
    size_t cap) MUST_CHECK;

/* What is to be in the file; E_NOMEM, or E_TOOBIG: it could not be loaded. */
int ro_state_text(const struct ro_state *, struct buf *out) MUST_CHECK;

/* On disk, or a code; then the old file stands, or (base/file.h) may not. */
int ro_state_save(const char *path, const struct ro_state *) MUST_CHECK;

/* Those counters alone.  False: it is none, and *out, all nought, half full. */
void ro_count_write(struct json_out *, const struct ro_count *);
bool ro_count_read(const struct json *, struct ro_count *out) MUST_CHECK;

/* What the header line must hold for that body. */
uint64_t ro_state_hash(struct str body, uint64_t generation);

#endif
