/*
 * idp - a small sample identity service, one process an instance.
 *
 * It behaves like the servers Segue stands in front of, where it matters for
 * a switch: a login flow belongs to the version that began it, sessions and
 * tokens are good on all versions, codes and refresh tokens work once, it
 * warms up before it is ready, and it stops gracefully.
 *
 * Thread: everything runs on the one event loop.
 */
#ifndef DEMO_IDP_H
#define DEMO_IDP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "contrib/demo/grant.h"

struct evbuffer;
struct event;
struct event_base;
struct evhttp;
struct evhttp_bound_socket;
struct evhttp_request;
struct once;

#define IDP_COOKIE_FLOW "IDFLOW"
#define IDP_COOKIE_SESSION "IDSESSION"
#define IDP_BODY_MAX 65536 /* bytes of a form */

/* One row a counter of /stats. */
#define IDP_COUNTERS(X)                                                        \
	X(requests) /* answered, without health and stats */                   \
	X(flows)    /* logins begun */                                         \
	X(logins)   /* logins finished, each a new session */                  \
	X(logouts)                                                             \
	X(tokens)    /* codes turned into tokens */                            \
	X(refreshes) /* refresh tokens turned into new ones */                 \
	X(replays)   /* one-time grants presented a second time */             \
	X(bounces)   /* flows that had begun on another version */             \
	X(refused)   /* answers of class 4xx, the two above included */        \
	X(probes)    /* questions after health */

struct idp_counters {
#define X(name) uint64_t name;
	IDP_COUNTERS(X)
#undef X
};

enum idp_state { IDP_STARTING, IDP_UP, IDP_STOPPING };

struct idp {
	struct event_base *base;          /* owned */
	struct evhttp *http;              /* owned */
	struct evhttp_bound_socket *door; /* owned by http; NULL: shut */
	struct event *warm;               /* owned: end of the warm-up */
	struct event *leave;              /* owned: steps of a graceful stop */
	struct once *once;                /* owned */
	struct grant_key key;
	const char *version;  /* "v1", borrowed from the arguments */
	const char *instance; /* "127.0.0.1:9101", the same */
	enum idp_state state;
	uint64_t began_us, stop_us; /* monotonic; stop_us: when it was asked */
	uint64_t latency_us, grace_us;
	uint64_t last_us;   /* the last question's arrival */
	unsigned in_flight; /* asked and not yet answered */
	struct idp_counters count;
};

/* evhttp's callback for all paths: finds the page, counts. */
void idp_serve(struct evhttp_request *, void *idp);

/* ---- answers (idp_http.c): each ends the request ---- */

/* After the set latency; text is HTML or JSON by type. */
void idp_answer(struct idp *, struct evhttp_request *, int status,
    const char *type, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* At once and uncounted: health and stats. */
void idp_answer_now(struct idp *, struct evhttp_request *, int status,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
/* 302 to the path. */
void idp_redirect(struct idp *, struct evhttp_request *, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* {"error": error, "error_description": why} */
void idp_refuse(struct idp *, struct evhttp_request *, int status,
    const char *error, const char *why);

/* ---- questions (idp_http.c) ---- */

/* Value of a cookie into out[cap]; false when absent or too long. */
bool idp_cookie(struct evhttp_request *, const char *name, char *out,
    size_t cap);
void idp_cookie_set(struct evhttp_request *, const char *name,
    const char *value);
/* A parameter of the query or of the form in the body; the same results. */
bool idp_query(struct evhttp_request *, const char *name, char *out,
    size_t cap);
bool idp_form(struct evhttp_request *, const char *name, char *out, size_t cap);

#endif
