/*
 * load - many users who sign in, ask who they are, refresh their tokens and
 * sign out, and a count of everything that went wrong for them.
 *
 * Thread: everything runs on the one event loop.
 */
#ifndef DEMO_LOAD_H
#define DEMO_LOAD_H
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

#define LOAD_VERSIONS_MAX 8
#define LOAD_PHASES_MAX 12
#define LOAD_SAMPLES_MAX 20
#define LOAD_NAME_MAX 32
#define LOAD_COOKIES_MAX 8

/* One row a way to fail: identifier, name in reports. */
#define LOAD_FAILURES(X)                                                       \
	X(REFUSED, "connection_refused")                                       \
	X(RESET, "reset_before_answer")                                        \
	X(REUSED, "reused_connection_closed")                                  \
	X(TRUNCATED, "truncated_answer")                                       \
	X(TIMEOUT, "no_answer_in_time")                                        \
	X(SERVER, "status_5xx")                                                \
	X(STATUS, "unexpected_status")                                         \
	X(MALFORMED, "malformed_answer")                                       \
	X(CONTENT, "answer_lacks_content")

#define X(id, name) FAIL_##id,
enum load_failure { LOAD_FAILURES(X) FAIL_COUNT };
#undef X

/* One row a step of a user's journey: identifier, method, path, status. */
#define LOAD_STEPS(X)                                                          \
	X(AUTHORIZE, "GET", "/authorize", 302)                                 \
	X(LOGIN, "GET", "/login", 200)                                         \
	X(SUBMIT, "POST", "/login", 302)                                       \
	X(CALLBACK, "GET", "/callback", 200)                                   \
	X(TOKEN, "POST", "/token", 200)                                        \
	X(USERINFO, "GET", "/userinfo", 200)                                   \
	X(REFRESH, "POST", "/token", 200)                                      \
	X(LOGOUT, "GET", "/logout", 200)

#define X(id, method, path, status) STEP_##id,
enum load_step { LOAD_STEPS(X) STEP_COUNT };
#undef X

struct load_options {
	struct sockaddr_in target;
	const char *target_text;
	unsigned users;
	unsigned rounds;      /* userinfo and refresh calls of a session */
	uint64_t duration_us; /* 0: until told to stop */
	uint64_t think_us;    /* mean pause between two requests of a user */
	uint64_t timeout_us;
	uint32_t source_first, source_last; /* host order; 0: not bound */
	bool moved_ok, json, progress, control;
};

/* What one version answered in one phase; times are wall clock, 0: never. */
struct load_seen {
	uint64_t answers, sessions;
	uint64_t first_us, last_us;
	uint64_t first_session_us;     /* first new session answered */
	uint64_t last_session_sent_us; /* last one it got: when it was sent */
};

/* A stretch of the run, named over standard input. */
struct load_phase {
	char name[LOAD_NAME_MAX];
	uint64_t began_us; /* wall */
	uint64_t ended_us; /* wall; 0: not yet */
	uint64_t requests, failures, bounces, moved, max_us;
	struct hist latency;
	struct load_seen seen[LOAD_VERSIONS_MAX];
};

struct load_stats {
	uint64_t began_us; /* monotonic */
	uint64_t requests; /* sent */
	uint64_t answers;  /* complete and as expected */
	uint64_t failures[FAIL_COUNT];
	uint64_t sent_unanswered; /* in flight at the very end */
	uint64_t bounces, moved;
	uint64_t sessions, logins, logouts; /* begun, signed in, signed out */
	uint64_t connections, idle_closed;  /* opened; closed by the server */
	char versions[LOAD_VERSIONS_MAX][LOAD_NAME_MAX];
	unsigned n_versions;
	struct load_phase phases[LOAD_PHASES_MAX];
	unsigned n_phases;                   /* the last is the present one */
	struct load_phase second;            /* the present second */
	char samples[LOAD_SAMPLES_MAX][192]; /* the first failures, as text */
	unsigned n_samples;
};

struct load_cookie {
	char name[64];
	char value[1024];
};

struct user {
	struct load *load; /* borrowed */
	unsigned number;
	bool is_keep;           /* keeps its connection between requests */
	bool in_flight;         /* a request is out */
	bool is_reused;         /* on a connection that had served before */
	bool has_bytes;         /* of the present answer */
	enum load_step step;    /* the next, or the one in flight */
	unsigned round, rounds; /* of this session */
	bool reauth;            /* will sign in once more half-way */
	int version;            /* index of the session's, -1: none yet */
	uint64_t sent_us, sent_wall_us;
	struct bufferevent *bev; /* owned; NULL: no connection */
	struct event *timer;     /* owned: pause, or deadline of an answer */
	struct sockaddr_in source;
	struct load_cookie cookies[LOAD_COOKIES_MAX];
	unsigned n_cookies;
	char code[256], access[256], refresh[256];
	struct answer answer;
};

struct load {
	struct load_options opt;
	struct load_stats stats;
	struct event_base *base; /* owned */
	struct user *users;      /* owned, opt.users of them */
	struct event *control;   /* borrowed: standard input */
	bool stopping;
	uint32_t next_source;
	unsigned busy;   /* users with a request out */
	uint64_t serial; /* of sessions, for names */
};

/* ---- load_user.c: the journey ---- */
void user_start(struct load *, struct user *, unsigned number);
/* Complete answer to the present step, or a failure with its reason. */
void user_answered(struct user *);
void user_failed(struct user *, enum load_failure, const char *why);
/* The pause is over: sends the present step. */
void user_send(struct user *);

/* ---- load_conn.c: the connection ---- */
/* Sends the request text and waits for its answer, connecting if need be. */
void conn_request(struct user *, const char *text, size_t len);
void conn_drop(struct user *);
void conn_pause(struct user *, uint64_t us); /* then user_send() */
void conn_timer(evutil_socket_t, short, void *user);

/* ---- load_report.c: counting and telling ---- */
const char *load_step_name(enum load_step);
/* Ends the present phase, begins the next; past the last row it begins anew. */
void stats_phase(struct load_stats *, const char *name);
void stats_end(struct load_stats *); /* of the run */
/* Index of a version, -1 when there are too many. */
int stats_version(struct load_stats *, const char *name);
void stats_answer(struct load_stats *, int version, bool is_session,
    uint64_t sent_wall_us, uint64_t took_us);
void stats_failure(struct load_stats *, enum load_failure, const char *sample);
void stats_bounce(struct load_stats *, bool is_move, const char *sample);
uint64_t stats_failed(const struct load_stats *);
/* One JSON line about the second that ends, which begins anew. */
void report_second(struct load *);
void report_final(struct load *);

#endif
