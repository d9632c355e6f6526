/*
 * load - clients that ask and post without an end, and a count of whatever
 * they saw go wrong.
 *
 * Every second client keeps its connection; the others open one for each
 * request.  A client is one session after another: a session has its own
 * source address, begins without a cookie, keeps those it gets, and must be
 * answered by one version until it ends.  Each request carries an id in its
 * target (and its body is made from it), which the answer must bring back.
 *
 * Thread: everything runs on the one event loop.
 */
#ifndef E2E_LOAD_H
#define E2E_LOAD_H
#include <stdbool.h>
#include <stdint.h>

#include "contrib/load/asker.h"
#include "contrib/load/crowd.h"
#include "contrib/load/tally.h"

#define LOAD_LOST_MAX 20000 /* posts without their answer */
#define LOAD_ID_MAX 40

struct load_options {
	const char *get, *post; /* paths */
	const char *stays;      /* "X-Version" or "X-Instance" */
	unsigned clients;
	unsigned eager;   /* so many of them ask without a pause */
	unsigned session; /* mean number of requests of a session */
	unsigned post_pct;
	unsigned body_max; /* bytes of a post's body */
	uint64_t think_us; /* mean pause between two requests */
	bool moved_ok;     /* a change of version is no bounce */
};

/* A post that failed: it may have been done once, never twice. */
struct load_lost {
	uint64_t id, sent_us;
	enum fault why;
	int status; /* 0: none */
};

struct lclient {
	struct asker asker;
	bool is_post;
	unsigned left; /* requests of this session */
	int value;     /* what the session stays on; -1: not yet */
	uint64_t id;   /* of the request in flight */
};

struct load {
	struct crowd crowd;
	struct load_options opt;
	struct tally tally;
	struct lclient *clients; /* owned, opt.clients of them */
	uint64_t run;            /* random: ids of two runs differ */
	uint64_t serial;         /* of requests */
	uint64_t posts, posts_answered;
	struct load_lost lost[LOAD_LOST_MAX];
	unsigned n_lost;
};

/* ---- load_client.c ---- */
void lclient_start(struct load *, struct lclient *, unsigned number);
/* What the crowd's story asks of a client. */
void lclient_ask(struct asker *);
void lclient_answered(struct asker *);
void lclient_failed(struct asker *, enum fault, const char *why);
void load_id_text(const struct load *, uint64_t id, char out[LOAD_ID_MAX]);

/* ---- load_count.c ---- */
void count_answer(struct load *, const struct lclient *, bool is_session);
void count_failure(struct load *, const struct lclient *, enum fault,
    const char *why);
void count_bounce(struct load *, const struct lclient *, int now_on);
/* All of it as one line of JSON. */
void count_report(const struct load *);

#endif
