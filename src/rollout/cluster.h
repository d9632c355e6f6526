/*
 * cluster - proxies that are commanded as one: who is there, who leads, and
 * that all take the same state over.
 *
 * One of them leads: it has a lease in Redis, with a number that no other had
 * (a fencing token).  It alone decides.  What it decides is prepared (each that
 * is there says whether it can take it over), committed (one script in Redis,
 * which looks at the lease), and followed.  Versions of the state are counted
 * by Redis.  Who is cut off goes on with what it has, and catches up when it is
 * back.  Messages are JSON on a channel (store/bus).
 *
 * Thread: control.
 */
#ifndef ROLLOUT_CLUSTER_H
#define ROLLOUT_CLUSTER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

struct cfg;
struct cluster;
struct json;
struct json_out;
struct loop;
struct store_env;

#define CLUSTER_NAME_MAX 64
#define CLUSTER_BOOT_MAX 20
#define CLUSTER_MEMBERS_MAX 64
#define CLUSTER_WHY_MAX 256

/* One row a role: identifier, name. */
#define CLUSTER_ROLES(X)                                                       \
	X(ALONE, "alone") /* the others cannot be reached */                   \
	X(FOLLOWER, "follower")                                                \
	X(LEADER, "leader")
#define X(id, name) CLUSTER_##id,
enum cluster_role { CLUSTER_ROLES(X) CLUSTER_ROLE_COUNT };
#undef X
const char *cluster_role_name(enum cluster_role);

/* Another one's question; opaque, borrowed for the call. */
struct cluster_from {
	char member[CLUSTER_NAME_MAX];
	char boot[CLUSTER_BOOT_MAX];
	uint64_t id;
};

/* What the cluster asks of drive and admin; all but .command must be there. */
struct cluster_use {
	/* The present state, as in the file. */
	void (*state)(struct buf *out, void *arg);
	/* Could that state be taken over here?  why: if not. */
	bool (*fits)(struct str text, char why[CLUSTER_WHY_MAX], void *arg);
	/* It is to be: cluster_followed() says that it is.  in_time: it was
	 * heard of at once, since none before it was missed. */
	void (*follow)(struct str text, uint64_t version, bool in_time,
	    void *arg);
	void (*role)(enum cluster_role, void *arg); /* it has changed */
	/* Of the present state. */
	uint64_t (*generation)(void *arg);
	/* What others should count with: members of an object. */
	void (*counts)(struct json_out *, void *arg);
	/* One of the others has, or is away. */
	void (*look)(void *arg);
	void *arg;
};
/* A command that another one was given. */
typedef void cluster_command_fn(const struct cluster_from *, struct str body,
    const char *who, void *arg);

struct cluster_env {
	struct loop *loop;
	const struct store_env *store; /* borrowed for the call */
	const struct cfg *cfg;         /* borrowed, as long as the cluster */
	struct cluster_use use;
};

int cluster_new(const struct cluster_env *, struct cluster **out) MUST_CHECK;
/* With the services and pools of that configuration, from now on. */
void cluster_configured(struct cluster *, const struct cfg *);
/* Says good-bye; what is under way ends as refused. */
void cluster_free(struct cluster **);

enum cluster_role cluster_role(const struct cluster *);
/* Something is being agreed on: nothing else may be decided. */
bool cluster_is_busy(const struct cluster *);

/*
 * why: a sentence; NULL: it is committed, and others take it over.  unknown: it
 * may be so all the same.
 */
typedef void cluster_done_fn(const char *why, bool unknown, void *arg);
/* Who leads: shall it be so?  force: who cannot take it over is passed over. */
void cluster_propose(struct cluster *, struct str text, bool force,
    cluster_done_fn *, void *arg);
/* That version is on disk and in memory here. */
void cluster_followed(struct cluster *, uint64_t version);
/* Something was changed here that the others have not agreed on. */
void cluster_diverged(struct cluster *);
/* It cannot be, this time. */
void cluster_not_followed(struct cluster *);
/* Our workers route by what is in memory; said with every look. */
void cluster_adopted(struct cluster *);
/* The names of those that may still serve by what was before; "": none. */
void cluster_others_behind(const struct cluster *, char *out, size_t cap);
/* Do all others that are there route by what was committed? */
bool cluster_all_adopted(const struct cluster *);

/* ---- commands ---- */

/* status 0: nobody knows what came of it. */
typedef void cluster_result_fn(unsigned status, struct str body, void *arg);
/* From a follower to the leader; an id for cluster_forget(). */
uint64_t cluster_forward(struct cluster *, struct str body, const char *who,
    cluster_result_fn *, void *arg);
void cluster_forget(struct cluster *, uint64_t id);
/* Who carries out what others were given; NULL: nobody. */
void cluster_on_command(struct cluster *, cluster_command_fn *, void *arg);
void cluster_answer(struct cluster *, const struct cluster_from *,
    unsigned status, struct str body);

/* ---- reading ---- */

struct cluster_member {
	char name[CLUSTER_NAME_MAX], boot[CLUSTER_BOOT_MAX];
	bool self;
	enum cluster_role role;
	bool away;          /* not heard of for the time it may be silent */
	bool lags;          /* it did not take the last change over */
	bool differs;       /* its services and pools are others */
	uint64_t version;   /* of the state that its workers route by */
	uint64_t silent_us; /* it was heard of so long ago */
	uint64_t in_flight;
	/* what .counts of it has said; or NULL */
	const struct json *counts, *paces, *parts;
};
/* The i-th, ourselves first; false: there is none. */
bool cluster_member(const struct cluster *, size_t i,
    struct cluster_member *out);
struct cluster_facts {
	const char *name, *member;
	enum cluster_role role;
	const char *leader;  /* its name; "": nobody is known to lead */
	uint64_t version;    /* committed, as far as we know */
	const char *refused; /* why the last proposal was; or "" */
	const char *why;     /* we are alone: a sentence; or "" */
	uint64_t since_us;   /* wall clock: in that role */
};
void cluster_look_at(const struct cluster *, struct cluster_facts *);

#endif
