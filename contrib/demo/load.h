/*
 * load - many users who sign in, ask who they are, refresh their tokens and
 * sign out, and a count of everything that went wrong for them.
 *
 * Thread: everything runs on the one event loop.
 */
#ifndef DEMO_LOAD_H
#define DEMO_LOAD_H
#include <stdbool.h>
#include <stdint.h>

#include "contrib/load/asker.h"
#include "contrib/load/crowd.h"
#include "contrib/load/tally.h"

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
	unsigned users;
	unsigned rounds;      /* userinfo and refresh calls of a session */
	uint64_t duration_us; /* 0: until told to stop */
	uint64_t think_us;    /* mean pause between two requests of a user */
	bool moved_ok, json, progress, control;
};

struct user {
	struct asker asker;
	enum load_step step;    /* the next, or the one in flight */
	unsigned round, rounds; /* of this session */
	bool reauth;            /* will sign in once more half-way */
	int version;            /* index of the session's, -1: none yet */
	char code[256], access[256], refresh[256];
};

struct load {
	struct crowd crowd;
	struct load_options opt;
	struct tally tally;
	uint64_t began_us; /* monotonic */
	uint64_t logins, logouts;
	struct user *users; /* owned, opt.users of them */
};

/* ---- load_user.c: the journey ---- */
void user_start(struct load *, struct user *, unsigned number);
/* What the crowd's story asks of a user. */
void user_ask(struct asker *);
void user_answered(struct asker *);
void user_failed(struct asker *, enum fault, const char *why);

/* ---- load_report.c: telling ---- */
/* One JSON line about the second that ends, which begins anew. */
void report_second(struct load *);
void report_final(struct load *);

#endif
