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
#include <event2/util.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/stat.h"
#include "contrib/demo/load_answer.h"

struct bufferevent;
struct event;
struct event_base;

#define LOAD_NAME_MAX 40
#define LOAD_VALUES_MAX 16 /* of X-Version, of X-Instance */
#define LOAD_PHASES_MAX 512
#define LOAD_SAMPLES_MAX 40
#define LOAD_LOST_MAX 20000 /* posts without their answer */
#define LOAD_COOKIES_MAX 4

/* One row a way to fail: identifier, name in reports. */
#define LOAD_FAILURES(X)                                                       \
	X(CONNECT, "not_connected")                                            \
	X(RESET, "reset_before_answer")                                        \
	X(REUSED, "reused_connection_closed")                                  \
	X(CUT, "cut_within_answer")                                            \
	X(TIMEOUT, "no_answer_in_time")                                        \
	X(SERVER, "status_5xx")                                                \
	X(STATUS, "unexpected_status")                                         \
	X(MALFORMED, "malformed_answer")                                       \
	X(FOREIGN, "answer_of_another_request")

#define X(id, name) FAIL_##id,
enum load_failure { LOAD_FAILURES(X) FAIL_COUNT };
#undef X

struct load_options {
	struct sockaddr_in target;
	const char *target_text;
	const char *get, *post; /* paths */
	const char *stays;      /* "X-Version" or "X-Instance" */
	unsigned clients;
	unsigned session; /* mean number of requests of a session */
	unsigned post_pct;
	unsigned body_max; /* bytes of a post's body */
	uint64_t think_us; /* mean pause between two requests */
	uint64_t timeout_us;
	uint32_t source_first, source_last; /* host order; 0: not bound */
	bool moved_ok; /* a change of version is no bounce */
};

/* What one version answered in one phase; wall clock, 0: never. */
struct load_seen {
	uint64_t answers, sessions;
	uint64_t first_us, last_us;    /* its answers */
	uint64_t first_session_us;     /* first answer that began a session */
	uint64_t last_session_sent_us; /* newest request that began one: sent */
};

/* A stretch of the run, named over standard input. */
struct load_phase {
	char name[LOAD_NAME_MAX];
	uint64_t began_us, ended_us; /* wall; ended 0: not yet */
	uint64_t requests, failures, failures_safe, bounces, moved;
	uint64_t max_us;
	uint64_t last_answer_us, longest_gap_us; /* between two answers */
	struct hist latency;
	struct load_seen seen[LOAD_VALUES_MAX];
};

/* A post that failed: it may have been done once, never twice. */
struct load_lost {
	uint64_t id, sent_us;
	uint8_t why;     /* enum load_failure */
	uint16_t status; /* 0: none */
};

struct load_stats {
	uint64_t requests, answers, posts, posts_answered;
	uint64_t failures[2][FAIL_COUNT]; /* [0] safe, [1] unsafe */
	uint64_t bounces, moved, sessions, connections, idle_closed;
	char values[LOAD_VALUES_MAX][LOAD_NAME_MAX];
	unsigned n_values;
	struct load_phase phases[LOAD_PHASES_MAX];
	unsigned n_phases;
	char samples[LOAD_SAMPLES_MAX][240];
	unsigned n_samples;
	struct load_lost lost[LOAD_LOST_MAX];
	unsigned n_lost;
};

struct load_cookie {
	char name[64];
	char value[512];
};

struct lclient {
	struct load *load; /* borrowed */
	unsigned number;
	bool keeps; /* its connection, between requests */
	bool in_flight, is_reused, has_bytes, is_post;
	unsigned left; /* requests of this session */
	int value;     /* what the session stays on; -1: not yet */
	uint64_t id;   /* of the request in flight */
	uint64_t sent_us, sent_wall_us;
	struct bufferevent *bev; /* owned; NULL: no connection */
	struct event *timer;     /* owned: pause, or deadline of an answer */
	struct sockaddr_in source;
	struct load_cookie cookies[LOAD_COOKIES_MAX];
	unsigned n_cookies;
	struct answer answer;
};

struct load {
	struct load_options opt;
	struct load_stats stats;
	struct event_base *base; /* owned */
	struct lclient *clients; /* owned, opt.clients of them */
	struct event *control;   /* borrowed: standard input */
	uint64_t run;            /* random: ids of two runs differ */
	uint64_t serial;         /* of requests */
	uint32_t next_source;
	unsigned busy; /* clients with a request out */
	bool stopping;
};

#define LOAD_ID_MAX 40

/* ---- load_client.c ---- */
void lclient_start(struct load *, struct lclient *, unsigned number);
void lclient_free(struct lclient *);
void load_id_text(const struct load *, uint64_t id, char out[LOAD_ID_MAX]);

/* ---- load_count.c ---- */
void count_phase(struct load_stats *, const char *name);
/* Index of a version or instance; -1 when there are too many. */
int count_value(struct load_stats *, const char *name);
void count_answer(struct load_stats *, const struct lclient *, bool is_session);
void count_failure(struct load_stats *, const struct lclient *,
    enum load_failure, const char *why);
void count_bounce(struct load_stats *, const struct lclient *, int now_on,
    bool is_move);
/* All of it as one line of JSON. */
void count_report(const struct load *);

#endif
