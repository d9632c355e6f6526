/*
 * server - HTTP for the admin: takes requests from the two doors, and lets
 * their answers be given now, later, or piece by piece.  The only place that
 * knows evhttp.
 *
 * A struct ask is one request on its way to its answer.  It lives until
 * ask_answer() or ask_stream_end(), or until its client leaves; then, if it
 * was kept, its gone function is called once and it is no more.
 *
 * What is no HTTP, has a head above 16 KiB or a body above twice
 * ADMIN_BODY_MAX is answered here, with evhttp's own words.  A door that has as
 * many connections as it may lets nobody in for a while.
 *
 * Thread: control.
 */
#ifndef ADMIN_SERVER_H
#define ADMIN_SERVER_H
#include <stdbool.h>

#include "admin/role.h"
#include "base/attr.h"
#include "base/str.h"

struct ask;
struct loop;
struct server;

/* A queue of a stream above this ends it: its reader is too slow. */
#define SERVER_QUEUE_MAX (1u << 20)

enum ask_method { ASK_GET, ASK_HEAD, ASK_POST, ASK_OTHER };

typedef void server_fn(struct ask *, void *arg);
/* The client has left, or the server ends: the ask is not touched any more. */
typedef void ask_gone_fn(void *arg);

struct server_env {
	struct loop *loop;
	int unix_fd; /* borrowed, listening */
	int http_fd; /* -1: none */
	server_fn *fn;
	void *arg;
};

int server_new(const struct server_env *, struct server **out) MUST_CHECK;
void server_free(struct server **); /* all clients are gone */

/* ---- what was asked; all borrowed from the ask ---- */
enum ask_method ask_method(const struct ask *);
const char *ask_path(const struct ask *);
struct str ask_query(const struct ask *);
const char *ask_header(const struct ask *, const char *name); /* or NULL */
struct str ask_body(const struct ask *);
const struct peer *ask_peer(const struct ask *);

/* ---- answers ---- */
/* A field of the answer to come; both are constant. */
void ask_field(struct ask *, const char *name, const char *value);
/* type: NULL when there is no body.  The ask is no more. */
void ask_answer(struct ask *, unsigned status, const char *type, struct str);

/* The answer comes later, by one of these: */
void ask_keep(struct ask *, ask_gone_fn *, void *arg);
/* Begins a 200 whose body comes in pieces; kept, too. */
void ask_stream(struct ask *, const char *type, ask_gone_fn *, void *arg);
/* A reader that is too slow is gone at the end of this turn. */
void ask_stream_send(struct ask *, struct str);
void ask_stream_end(struct ask *);

#endif
