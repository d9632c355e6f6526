/*
 * cluster_int - what cluster's files share.  Only rollout/cluster*.c include
 * it.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_CLUSTER_INT_H
#define ROLLOUT_CLUSTER_INT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "rollout/cluster.h"

struct alarm;
struct bus;
struct cfg_cluster;

#define CLUSTER_ID_MAX (CLUSTER_NAME_MAX + CLUSTER_BOOT_MAX) /* "NAME/BOOT" */

struct member {
	TAILQ_ENTRY(member) link;
	char name[CLUSTER_NAME_MAX], boot[CLUSTER_BOOT_MAX];
	uint64_t heard_us; /* monotonic */
	bool away, lags, acked;
	enum cluster_role role;
	uint64_t print, version, in_flight, generation;
	struct json *doc; /* owned: its last word */
};

/* A command that was given on to the leader. */
struct forwarded {
	TAILQ_ENTRY(forwarded) link;
	uint64_t id;
	char leader[CLUSTER_BOOT_MAX];
	cluster_result_fn *fn;
	void *arg;
};

enum phase { PHASE_NONE, PHASE_ACKS, PHASE_COMMIT };

/* What is being agreed on. */
struct proposal {
	enum phase phase;
	uint64_t id;
	struct buf text;
	bool force;
	uint64_t due_us;       /* of the acknowledgements */
	cluster_done_fn *done; /* NULL: nobody asks */
	void *arg;
};

struct cluster {
	struct cluster_env env;
	const struct cfg_cluster *cfg;
	struct bus *bus;
	struct alarm *tick;
	char name[CLUSTER_NAME_MAX], boot[CLUSTER_BOOT_MAX];
	char channel[256], lease_key[272], number_key[272], state_key[272];
	uint64_t print;
	TAILQ_HEAD(, member) members; /* the others */
	size_t n_members;
	TAILQ_HEAD(, forwarded) forwarded;
	cluster_command_fn *command;
	void *command_arg;
	enum cluster_role role;
	uint64_t role_since_us; /* wall clock */
	char why[CLUSTER_WHY_MAX];
	char id[CLUSTER_ID_MAX];
	char lease[CLUSTER_ID_MAX + 24]; /* ours: .id, and its number */
	char leader[CLUSTER_ID_MAX];     /* its id, or empty */
	char leader_name[CLUSTER_NAME_MAX];
	uint64_t lease_us; /* monotonic: it is ours until then */
	uint64_t asked_us; /* ... when the lease was last asked for */
	bool asking;       /* ... and was not answered yet */
	uint64_t up_us;    /* the bus is up since; 0: it is not */
	uint64_t heard_us; /* our own word last came back */
	uint64_t beat_us;  /* ... was sent */
	uint64_t version;  /* of our state in memory; 0: none is agreed on */
	uint64_t adopted;  /* ... that our workers route by */
	uint64_t newest;   /* committed, as far as we know */
	uint64_t committed_us; /* monotonic: when we have committed it */
	bool reading, following;
	bool in_touch; /* what is committed is heard of at once */
	/* Ours is another state, though its version may be the same. */
	bool diverged;
	char refused[CLUSTER_WHY_MAX]; /* why the last proposal was; or empty */
	uint64_t prepared_id;          /* what a leader has asked about last */
	char prepared_by[CLUSTER_BOOT_MAX];
	struct buf prepared;
	struct proposal proposal;
	unsigned commits; /* asked for, and not answered yet */
	uint64_t ids;
};

static inline uint64_t
cluster_now(void)
{
	return clock_mono_us();
}

/* What Lua's and JSON's numbers can hold; no version gets there. */
#define CLUSTER_NUMBER_MAX (INT64_C(1) << 53)

/* A whole number of a message; one that cannot be is 0. */
static inline uint64_t
cluster_number(const struct json *j, const char *key)
{
	int64_t n = json_get_int(j, key, 0);

	return n < 0 || n > CLUSTER_NUMBER_MAX ? 0 : (uint64_t)n;
}

/* Of the proxy that has the lease; "": nobody is known to. */
const char *cluster_leader_boot(const struct cluster *);
bool cluster_is_leader(const struct cluster *, const char *boot);

/* ---- cluster.c: words ---- */
void cluster_say_begin(struct cluster *, struct json_out *, struct buf *,
    const char *type);
void cluster_say(struct cluster *, struct json_out *, struct buf *);
/* How we are. */
void cluster_beat(struct cluster *);

/* ---- cluster_members.c ---- */
struct member *cluster_member_of(struct cluster *, const char *boot);
void cluster_forget_member(struct cluster *, struct member *);
/* It is kept: *doc is NULL then. */
void cluster_hear_beat(struct cluster *, const char *boot, struct json **doc);
/* Who is not heard of is away. */
void cluster_look_for_silent(struct cluster *);
/* Who has said yes and does not follow is not waited for any more. */
void cluster_look_for_laggards(struct cluster *);

/* ---- cluster_agree.c ---- */
/* What others have committed is read, and followed. */
void cluster_read_state(struct cluster *);
/* unknown: perhaps it is so all the same. */
void cluster_end_proposal(struct cluster *, const char *why, bool unknown);
/* Have all that are there said yes, or is it too late for them? */
void cluster_look_at_acks(struct cluster *);
/* What Redis has lost, or has not had yet, it gets. */
void cluster_propose_present(struct cluster *);
void cluster_hear_prepare(struct cluster *, const char *boot,
    const struct json *);
void cluster_hear_ack(struct cluster *, const char *boot, const struct json *);
void cluster_hear_commit(struct cluster *, const char *boot,
    const struct json *);

/* ---- cluster_ask.c: commands ---- */
void cluster_end_forwarded(struct cluster *, struct forwarded *,
    unsigned status, struct str body);
/* The leader that they were given to does not lead any more. */
void cluster_end_orphans(struct cluster *);
void cluster_hear_command(struct cluster *, const char *boot,
    const struct json *);
void cluster_hear_result(struct cluster *, const struct json *);

/* ---- cluster_lead.c ---- */
void cluster_be(struct cluster *, enum cluster_role, const char *why);
void cluster_ask_lease(struct cluster *);
/* Gives the lease back, if it is ours. */
void cluster_give_back(struct cluster *);

#endif
