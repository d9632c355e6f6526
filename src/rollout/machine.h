/*
 * machine - decides: (state, facts, command or clock) in, (state, what it
 * weighs) out.  It does no I/O and reads no clock, so every path runs in a
 * unit test; what its caller then does is always the same (rollout/drive).
 *
 * Thread: any; control in the daemon.
 */
#ifndef ROLLOUT_MACHINE_H
#define ROLLOUT_MACHINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "rollout/state.h"

/* One row a verb: identifier, name as typed. */
#define RO_VERBS(X)                                                            \
	X(SHARE, "share")                                                      \
	X(SWITCH, "switch")                                                    \
	X(DRAIN, "drain")                                                      \
	X(UNDRAIN, "undrain")                                                  \
	X(INSTANCE, "instance")                                                \
	X(ADD_INSTANCE, "add-instance")                                        \
	X(REMOVE_INSTANCE, "remove-instance")                                  \
	X(HOLD, "hold")                                                        \
	X(RELEASE, "release")                                                  \
	X(ROLLOUT, "rollout")                                                  \
	X(SESSIONS, "sessions")

#define X(id, name) RO_##id,
enum ro_verb { RO_VERBS(X) RO_VERB_COUNT };
#undef X

/* What a rollout is told: identifier, name as typed. */
#define RO_ACTIONS(X)                                                          \
	X(START, "start")                                                      \
	X(PAUSE, "pause")                                                      \
	X(RESUME, "resume")                                                    \
	X(APPROVE, "approve")                                                  \
	X(SKIP, "skip")                                                        \
	X(RETRY, "retry")                                                      \
	X(ABORT, "abort")                                                      \
	X(ROLLBACK, "rollback")
#define X(id, name) RO_ACTION_##id,
enum ro_action { RO_ACTIONS(X) RO_ACTION_COUNT };
#undef X
const char *ro_action_name(enum ro_action);

/* Why a command is refused: identifier, name, sentence when none fits better. */
/* clang-format off */
#define RO_REFUSALS(X)                                                         \
	X(NONE, "none", "done")                                                \
	X(NO_SERVICE, "no_service", "there is no such service, or several")    \
	X(NO_POOL, "no_pool", "the service has no such pool")                  \
	X(NO_INSTANCE, "no_instance", "the pool has no such instance")         \
	X(NOT_READY, "not_ready", "the pool has not proved itself")            \
	X(DRAINING, "draining", "the pool is draining")                        \
	X(NOT_DRAINING, "not_draining", "the pool is not draining")            \
	X(LAST_POOL, "last_pool", "no other pool could serve")                 \
	X(LAST_INSTANCE, "last_instance", "no other instance could serve")     \
	X(AMBIGUOUS, "ambiguous", "several pools could take the rest")         \
	X(ROLLOUT, "rollout", "a rollout is under way, or none is")            \
	X(HALTED, "halted", "the rollout has stopped at a step")               \
	X(ROLLED_BACK, "rolled_back", "the rollout was rolled back")           \
	X(MOVED, "moved", "the plan was made in another world")                \
	X(UNCHANGED, "unchanged", "the pool is what serves already")           \
	X(NOT_HELD, "not_held", "the service is not held")                     \
	X(EXISTS, "exists", "there is one of that name")                       \
	X(TOO_MANY, "too_many", "more than the state has room for")            \
	X(BAD_VALUE, "bad_value", "a value is out of range or malformed")      \
	X(SUPERSEDED, "superseded", "a later command took its place")          \
	X(CLUSTER, "cluster", "the proxies of the cluster do not agree")       \
	X(UNKNOWN, "unknown", "nobody knows whether it is done")               \
	X(DISK, "disk", "the state could not be written")                      \
	X(ADDRESS, "address", "the address does not resolve")                  \
	X(NO_MEMORY, "no_memory", "out of memory")                             \
	X(STOPPING, "stopping", "segued is stopping")
/* clang-format on */

#define X(id, name, text) RO_NO_##id,
enum ro_refusal { RO_REFUSALS(X) RO_REFUSAL_COUNT };
#undef X

const char *ro_verb_name(enum ro_verb);
const char *ro_refusal_name(enum ro_refusal);
const char *ro_refusal_text(enum ro_refusal);

#define RO_CLOCK_MAX_US (UINT64_C(366) * 24 * 3600 * 1000000)
#define RO_WEIGHT_MAX 256

/* The parts of a plan's mark (rollout/mark.h). */
enum ro_mark_part {
	RO_MARK_CONFIG, /* the configuration of the service, and the steps */
	RO_MARK_POOLS,  /* their states and shares, what is held or pending */
	RO_MARK_READY,  /* who could serve, and what commands said of instances
	                 */
	RO_MARK_PARTS
};
struct ro_mark {
	bool set;
	uint32_t part[RO_MARK_PARTS];
};

/* All texts end with NUL; those a verb does not use are empty. */
struct ro_command {
	enum ro_verb verb;
	char service[CFG_NAME_MAX + 1]; /* empty: the only one */
	char pool[CFG_NAME_MAX + 1];
	char instance[CFG_NAME_MAX + 1];
	char address[ADDR_TEXT_MAX];   /* of ADD_INSTANCE */
	uint32_t share_bp;             /* of SHARE */
	unsigned weight;               /* of ADD_INSTANCE; 0: 1 */
	uint8_t admin;                 /* of INSTANCE; enum inst_admin */
	uint8_t action;                /* of ROLLOUT; enum ro_action */
	bool evict;                    /* of SESSIONS; else they are moved */
	bool all;                      /* ... those of all pools */
	uint64_t session;              /* ... this one; 0: none is named */
	char to[CFG_NAME_MAX + 1];     /* ... there; empty: by the share */
	bool writes_only;              /* of HOLD */
	const struct ro_rollout *plan; /* of ROLLOUT start: steps_plan()'s */
	bool rehearse;                 /* ... it is only tried */
	bool if_changed;               /* ... where that changes something */
	bool rerun;                    /* ... what was done before is done */
	struct ro_mark mark;           /* ... of the plan that it carries out */
	struct ro_mark now;            /* ... of one that is made now */
	bool when_ready, drain;        /* of SWITCH */
	bool force;
	struct ro_drain
	    clocks;           /* SWITCH with drain, DRAIN: mode and the three */
	char who[RO_WHO_MAX]; /* shown and kept; quotes and controls become ? */
};

/* What the world says of a pool now. */
struct ro_facts_pool {
	bool exists;
	bool ready;        /* all its instances that are in are up, and were for
			      the hold time; there is one */
	size_t instances;  /* configured and added, without removed */
	size_t eligible;   /* up and in */
	bool view_current; /* every worker routes by the present state */
	size_t gone;       /* instances that refuse connections */
	uint64_t inflight, streams;
	uint64_t sessions; /* records; in a cluster one may be counted twice */
	bool shared;       /* Redis knows how many there are, each once */
	uint64_t shown;    /* ... so many; else .sessions */
	uint64_t writes;   /* in flight, of these */
	uint64_t streams_ended[STREAM_END_COUNT]; /* ever, by how */
	/* who may still come, though nobody has counted them: zero proves
	 * nothing; NULL: nobody */
	const char *sessions_unknown;
	char unready[120];     /* why it is not ready; empty when it is */
	char keys[120];        /* why those of its tokens let it get no share
	                          (cfg jwks.required); empty: they do */
	uint64_t pins_live_us; /* so long; 0: the service keeps no sessions */
	/* as the configuration has them; borrowed, "" where there is none */
	const char *version, *revision, *requires;
};

/* ... and of the instance that a command names. */
struct ro_facts_instance {
	bool exists;            /* in the configuration or added, not removed */
	bool eligible;          /* up and in */
	const char *configured; /* its address there; NULL: not configured */
};

/* How a run of a job ended: identifier, name. */
#define RO_VERDICTS(X)                                                         \
	X(OK, "ok")   /* it is done */                                         \
	X(ASK, "ask") /* an operator has to say how to go on */                \
	X(FAILED, "failed")
#define X(id, name) RO_VERDICT_##id,
enum ro_verdict { RO_VERDICTS(X) RO_VERDICT_COUNT };
#undef X

/* What is known of the last run of a job for a service. */
struct ro_facts_run {
	uint64_t rollout; /* its id; 0: nothing is known */
	uint32_t run;     /* as in struct ro_rollout .runs */
	bool ended;
	/* when it has: */
	uint8_t verdict; /* enum ro_verdict */
	int16_t exit;    /* status; -1: by a signal, or it was not begun */
	uint64_t took_us;
	char why[120]; /* "exit status 3", "it took longer than 10m" */
	char said[RO_SAID_MAX];
};

/*
 * Of the instances of the pool that a rollout leads to, while it is at a step
 * roll.  The order is that of the configuration.
 */
struct ro_facts_roll {
	/* The first configured one that is in, behind .last of the roll, and is
	 * not its .spare; empty: there is none. */
	char next[CFG_NAME_MAX + 1];
	char spare[CFG_NAME_MAX + 1]; /* the first one in maintenance */
	char added[CFG_NAME_MAX + 1]; /* one that is not configured */
	bool lost;                    /* .last is none of them */
	/* the one at hand: */
	bool exists, up, in;
	bool spare_in; /* the one that stands in is there, and in */
	bool resting;  /* one that is in is ejected */
	uint64_t inflight, streams;
	uint64_t proved_us; /* wall clock: the last probe began, and passed; 0:
	                       it did not */
};

/*
 * How many logins users have begun, and come to the end of, in sessions that
 * began since an analysis did, and so long ago that they are not under way.
 */
struct ro_logins {
	uint64_t begun, done;
};

/* What the new pool and the others have done since an analysis began, or a
 * mirror; in a cluster at all proxies. */
#define RO_PACE_QUANTILE 0.9 /* of answers; slower ones are passed over */
struct ro_pace {
	struct ro_toll own, others;
	struct ro_toll mirrored; /* copies; bad: answered otherwise */
	bool counts_logins;      /* the service says what one is */
	struct ro_logins own_logins, others_logins;
	uint64_t own_n, others_n;   /* answers */
	uint64_t own_us, others_us; /* head read to last byte */
};

struct ro_facts {
	uint64_t wall_us;
	/* [service * CFG_POOLS_MAX + pool], as in the state */
	const struct ro_facts_pool *pools;
	struct ro_facts_instance instance;
	const struct ro_facts_run *runs; /* [service]; NULL: nothing is known */
	const struct ro_count *counts;   /* [service]; NULL: nobody counts */
	const struct ro_facts_roll *rolls; /* [service]; NULL: nobody looks */
	const double *rates; /* [service]: requests a second; -1, or NULL:
	                        unknown */
	const struct ro_pace *paces; /* [service]; NULL: nobody looks */
	uint16_t minute;             /* of the day, local */
};

static inline const struct ro_facts_pool *
ro_facts_of(const struct ro_facts *f, size_t service, size_t pool)
{
	return &f->pools[service * CFG_POOLS_MAX + pool];
}

/*
 * Carries a command out on *s, a copy of the present state.
 *
 * share      the pool gets that much of new sessions; the others keep their
 *            proportions in the rest.  What grows must be able to serve; what
 *            shrinks need not.
 * switch     all of the share.  when_ready: as soon as the pool is ready; a
 *            later share, switch or undrain cancels that.  A pool that drains
 *            or is drained is taken back for it.  drain: then the other active ones drain.
 * drain      no new session; its share goes to those that can serve.  Again
 *            on a draining pool: other clocks, the same begin.
 * undrain    active without a share (with all of it when nobody has any), or,
 *            once drained, it proves itself anew.
 * instance   sets the admin word.
 * add, remove-instance   what differs from the configuration.
 *
 * hold       new exchanges wait, all or those that may change something,
 *            until they are released; again: with the other class.
 * release    they are sent on to whoever serves then.
 *
 * sessions   of a pool, of all, or one by its key: who comes with a pin from
 *            before goes to .to, or anew by the share, at its next safe point;
 *            evicted, at once.
 *
 * rollout    start: its steps go on with the clock from now on; refused when it
 *            carries out a plan and the mark of now is another.  pause,
 *            resume: a step that failed begins anew; the time between counts
 *            for none.  retry: the same, of a step that has failed alone, and
 *            also where nobody knows how its job ended.  approve: a step that
 *            waits for it is done; skip: any is.  abort: traffic stays as it is; rollback: shares as before,
 *            and the new pool drains.  While one runs, commands about
 *            pools are refused; while it is paused they are not, and resume
 *            does again what they undid, once a job that runs has ended.
 *
 * rehearse   of a start: all of its steps are gone through, but those that move
 *            traffic are passed, with what they would wait for, and a job runs
 *            its command for rehearsals or nothing.  What fails ends it; no job
 *            counts as done by it, there is always a way back, which moves
 *            nothing either, and no command is refused for it.
 *
 * force      overrides not_ready, last_pool and last_instance.
 * returns    RO_NO_NONE, or the reason with a sentence in why[cap]; then *s
 *            may be half changed and is thrown away
 */
enum ro_refusal machine_command(struct ro_state *s, const struct ro_facts *,
    const struct ro_command *, char *why, size_t cap) MUST_CHECK;

/* What machine_clock() changed. */
enum ro_changed {
	RO_SAME, /* nothing */
	RO_TOLD, /* an active pool's life only: no worker routes otherwise */
	RO_SOFT, /* readiness only: need not be on disk */
	RO_HARD  /* must be on disk before it acts */
};

/* A starting pool without one ready instance for so long is called failed. */
#define RO_START_LIMIT_US (UINT64_C(600) * 1000000)

/*
 * Moves each pool by one step at most, as time and the world have it.  *due_us
 * gets the wall time at which to ask again at the latest (0: when something
 * happens).
 */
enum ro_changed machine_clock(struct ro_state *s, const struct ro_facts *,
    uint64_t *due_us) MUST_CHECK;

/* What an analysis has come to; requests 0 where none is under way. */
struct ro_pace machine_analysis(const struct ro_state *, size_t service,
    const struct ro_facts *);

/*
 * How much of what is held is still on its way, since it came before; 1 more
 * while workers route by what was before.
 */
uint64_t machine_held_left(const struct ro_state *, const struct ro_service *,
    const struct ro_facts *);

/*
 * Do the steps share and promote of a rollout to that pool wait for the keys of
 * this one?  A pool that nobody can ask keeps nobody waiting.
 */
bool machine_keys_hold(const struct ro_pool *, const struct ro_facts_pool *,
    const char *to);

/* Is a run of a job under way for it, or about to be: .runs of its rollout? */
bool machine_wants_run(const struct ro_service *);

/* What has come since, with what was in flight then; .waiting is of now. */
void ro_count_less(struct ro_count *, const struct ro_count *base);
void ro_count_add(struct ro_count *, const struct ro_count *part);

/*
 * What was asked of a service since its last rollout began, up to its end or
 * now.  False: some of it is missing, as a process that counted is no more, or
 * nobody counts; of what came since .process_us nothing is.
 */
bool machine_count(const struct ro_service *, const struct ro_count *now,
    struct ro_count *out);

/* The same by time and pool; .n 0: there is nothing. */
void machine_timeline(const struct ro_service *, const struct ro_count *now,
    uint64_t wall_us, struct ro_timeline *out);

#define MACHINE_HOLDS_MAX 192
/* What the rollout of a service waits for, as a sentence; "": for time. */
void machine_rollout_holds(const struct ro_state *, size_t service,
    const struct ro_facts *, char out[MACHINE_HOLDS_MAX]);

/* How workers shall route by that state. */
void machine_plan(const struct ro_service *, uint64_t wall_us,
    struct service_plan *out);

#endif
