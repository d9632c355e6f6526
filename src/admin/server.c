#include "admin/server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "admin/adminproto.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "net/loop.h"

#define HEAD_BYTES_MAX 16384
#define PIPELINED_BYTES_MAX 16384 /* kept while an answer is not complete */
/* evhttp collects a body whole; of one it has let go of no more comes in. */
#define READ_AHEAD_MAX (2 * ADMIN_BODY_MAX + 2 * HEAD_BYTES_MAX)
#define IDLE_S 30 /* a client that sends or takes nothing for so long leaves */
#define REOPEN_US US_PER_S
#define UNIX_MAX 256
#define TCP_MAX 64 /* anybody on this machine: they cost us descriptors */
#define CONNS_MAX UNIX_MAX

/* A door has so many connections at a time; others wait outside. */
struct door {
	struct server *server;
	struct evhttp *http; /* owned; NULL: there is no such door */
	struct evconnlistener *listener; /* owned by http */
	bool is_unix;
	/*
	 * One ref each; evhttp lets go of theirs without telling.  The last
	 * one closes the descriptor, so that nobody gets its number while the
	 * loop still knows it.
	 */
	struct bufferevent *conns[CONNS_MAX];
	unsigned n_conns, max_conns;
};

struct server {
	struct server_env env;
	struct door doors[2];
	TAILQ_HEAD(, ask) asks;
	struct alarm *reopen;
	struct defer sweep;
};

struct ask {
	TAILQ_ENTRY(ask) link;
	struct server *server;
	struct evhttp_request *req; /* evhttp's, until it lets go of it */
	struct peer peer;
	ask_gone_fn *gone;
	void *gone_arg;
	bool kept, streams;
	bool drop; /* with the next sweep */
};

/* ---- asks ---- */

static struct evhttp_connection *
conn_of(const struct ask *k)
{
	return evhttp_request_get_connection(k->req);
}

static struct bufferevent *
bev_of(const struct ask *k)
{
	return evhttp_connection_get_bufferevent(conn_of(k));
}

/* From here on evhttp may do with the connection what it likes. */
static void
ask_free(struct ask *k)
{
	struct evhttp_connection *conn = conn_of(k);

	if (conn != NULL)
		evhttp_connection_set_closecb(conn, NULL, NULL);
	TAILQ_REMOVE(&k->server->asks, k, link);
	free(k);
}

/*
 * A connection goes.  When the client ended it, evhttp has left the request
 * to us; when we did, it frees the request itself.
 */
static void
on_close(struct evhttp_connection *conn UNUSED, void *arg)
{
	struct ask *k = arg;
	struct evhttp_request *req = k->req;
	ask_gone_fn *gone = k->gone;
	void *gone_arg = k->gone_arg;

	ask_free(k);
	if (evhttp_request_get_connection(req) == NULL)
		evhttp_request_free(req);
	if (gone != NULL)
		gone(gone_arg);
}

static struct ask *
ask_new(struct door *d, struct evhttp_request *req)
{
	struct ask *k = calloc(1, sizeof(*k));
	int fd;

	if (k == NULL)
		return NULL;
	k->server = d->server;
	k->req = req;
	fd = bufferevent_getfd(bev_of(k));
	if (peer_read(fd, d->is_unix, &k->peer) != E_OK) {
		free(k);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&d->server->asks, k, link);
	evhttp_connection_set_closecb(conn_of(k), on_close, k);
	return k;
}

static void
on_request(struct evhttp_request *req, void *arg)
{
	struct door *d = arg;
	struct ask *k = ask_new(d, req);

	if (k == NULL) {
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
		return;
	}
	d->server->env.fn(k, d->server->env.arg);
}

/* ---- reading ---- */

enum ask_method
ask_method(const struct ask *k)
{
	switch (evhttp_request_get_command(k->req)) {
	case EVHTTP_REQ_GET:
		return ASK_GET;
	case EVHTTP_REQ_HEAD:
		return ASK_HEAD;
	case EVHTTP_REQ_POST:
		return ASK_POST;
	default:
		return ASK_OTHER;
	}
}

const char *
ask_path(const struct ask *k)
{
	const char *path = evhttp_uri_get_path(
	    evhttp_request_get_evhttp_uri(k->req));

	return path == NULL ? "" : path;
}

struct str
ask_query(const struct ask *k)
{
	return str_of(
	    evhttp_uri_get_query(evhttp_request_get_evhttp_uri(k->req)));
}

const char *
ask_header(const struct ask *k, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(k->req),
	    name);
}

struct str
ask_body(const struct ask *k)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(k->req);
	size_t len = evbuffer_get_length(in);

	if (len == 0)
		return (struct str){ NULL, 0 };
	return str_from((const char *)evbuffer_pullup(in, -1), len);
}

const struct peer *
ask_peer(const struct ask *k)
{
	return &k->peer;
}

/* ---- answering ---- */

void
ask_field(struct ask *k, const char *name, const char *value)
{
	/* Without memory the answer is one field short. */
	(void)evhttp_add_header(evhttp_request_get_output_headers(k->req), name,
	    value);
}

static void
add_fields(struct ask *k, const char *type)
{
	if (type != NULL)
		ask_field(k, "Content-Type", type);
	ask_field(k, "Cache-Control", "no-store");
	ask_field(k, "X-Content-Type-Options", "nosniff");
	if (k->kept)
		ask_field(k, "Connection", "close");
}

/* Content-Length of the body that a HEAD does not get. */
static void
add_length(struct ask *k, size_t len)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%zu", len);
	ask_field(k, "Content-Length", text);
}

void
ask_answer(struct ask *k, unsigned status, const char *type, struct str body)
{
	struct evhttp_request *req = k->req;
	struct evbuffer *out = evbuffer_new();
	bool ok = out != NULL;

	add_fields(k, type);
	if (ask_method(k) == ASK_HEAD)
		add_length(k, body.len);
	else if (ok && body.len > 0)
		ok = evbuffer_add(out, body.p, body.len) == 0;
	ask_free(k);
	if (ok)
		evhttp_send_reply(req, (int)status, NULL, out);
	else
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
	if (out != NULL)
		evbuffer_free(out);
}

/*
 * While it answers, evhttp wants no byte and does not look whether the client
 * is still there.  We want to know that, must not let evhttp_read_cb see a
 * pipelined byte (it would exit), and let no time run out on the reading side.
 */
static void
keep(struct ask *k, ask_gone_fn *gone, void *arg)
{
	static const struct timeval write_tv = { .tv_sec = IDLE_S };
	struct bufferevent *bev = bev_of(k);
	bufferevent_data_cb written;
	bufferevent_event_cb event;
	void *cb_arg;

	k->kept = true;
	k->gone = gone;
	k->gone_arg = arg;
	bufferevent_getcb(bev, NULL, &written, &event, &cb_arg);
	bufferevent_setcb(bev, NULL, written, event, cb_arg);
	bufferevent_setwatermark(bev, EV_READ, 0, PIPELINED_BYTES_MAX);
	bufferevent_set_timeouts(bev, NULL, &write_tv);
	bufferevent_enable(bev, EV_READ);
}

void
ask_keep(struct ask *k, ask_gone_fn *gone, void *arg)
{
	keep(k, gone, arg);
}

void
ask_stream(struct ask *k, const char *type, ask_gone_fn *gone, void *arg)
{
	keep(k, gone, arg);
	k->streams = true;
	add_fields(k, type);
	evhttp_send_reply_start(k->req, HTTP_OK, NULL);
}

/* ---- slow readers ---- */

static struct ask *
first_to_drop(struct server *s)
{
	struct ask *k;

	TAILQ_FOREACH (k, &s->asks, link)
		if (k->drop)
			return k;
	return NULL;
}

static void
on_sweep(struct defer *f)
{
	struct server *s = CONTAINER_OF(f, struct server, sweep);
	struct ask *k;

	while ((k = first_to_drop(s)) != NULL) {
		(void)bufferevent_disable(bev_of(k), EV_READ | EV_WRITE);
		evhttp_connection_free(conn_of(k)); /* calls on_close() */
	}
}

static void
drop(struct ask *k, const char *why)
{
	char who[RO_WHO_MAX];

	peer_who(&k->peer, who);
	log_warn("event=admin_reader_dropped who=\"%s\" why=\"%s\"", who, why);
	k->drop = true;
	loop_defer(k->server->env.loop, &k->server->sweep, on_sweep);
}

void
ask_stream_send(struct ask *k, struct str piece)
{
	struct evbuffer *out;

	if (k->drop)
		return;
	if (evbuffer_get_length(bufferevent_get_output(bev_of(k))) >
	    SERVER_QUEUE_MAX) {
		drop(k, "it reads too slowly");
		return;
	}
	out = evbuffer_new();
	if (out == NULL || evbuffer_add(out, piece.p, piece.len) == -1)
		drop(k, err_text(E_NOMEM));
	else
		evhttp_send_reply_chunk(k->req, out);
	if (out != NULL)
		evbuffer_free(out);
}

void
ask_stream_end(struct ask *k)
{
	struct evhttp_request *req = k->req;

	if (k->drop) {
		k->gone = NULL; /* the caller knows */
		return;
	}
	ask_free(k);
	evhttp_send_reply_end(req);
}

/* ---- how many ---- */

/* evhttp clears the callbacks of what it lets go of. */
static bool
is_let_go(struct bufferevent *bev)
{
	bufferevent_event_cb event;

	bufferevent_getcb(bev, NULL, NULL, &event, NULL);
	return event == NULL;
}

static void
forget_gone(struct door *d)
{
	for (unsigned i = d->n_conns; i-- > 0;) {
		if (!is_let_go(d->conns[i]))
			continue;
		bufferevent_decref(d->conns[i]);
		d->conns[i] = d->conns[--d->n_conns];
	}
}

/* evhttp asks for the buffers of a connection it has accepted. */
static struct bufferevent *
on_connection(struct event_base *base, void *arg)
{
	struct door *d = arg;
	struct bufferevent *bev = bufferevent_socket_new(base, -1,
	    BEV_OPT_CLOSE_ON_FREE);

	forget_gone(d);
	if (bev != NULL)
		bufferevent_setwatermark(bev, EV_READ, 0, READ_AHEAD_MAX);
	if (bev != NULL && d->n_conns < d->max_conns) {
		bufferevent_incref(bev);
		d->conns[d->n_conns++] = bev;
	}
	if (d->n_conns == d->max_conns)
		(void)evconnlistener_disable(d->listener);
	return bev;
}

/* ---- life ---- */

/* Out of descriptors: the listener would spin; it pauses instead. */
static void
on_accept_error(struct evconnlistener *l, void *http UNUSED)
{
	log_warn("event=admin_accept_failed why=\"%s\"", err_text(err_sys()));
	(void)evconnlistener_disable(l);
}

static void
reopen(struct door *d)
{
	if (d->listener == NULL)
		return;
	forget_gone(d);
	if (d->n_conns < d->max_conns)
		(void)evconnlistener_enable(d->listener);
}

/* evhttp owns the listener's argument, so the error cannot reach a door. */
static void
on_reopen(void *arg)
{
	struct server *s = arg;

	for (size_t i = 0; i < ARRAY_LEN(s->doors); i++)
		reopen(&s->doors[i]);
	alarm_set(s->reopen, REOPEN_US);
}

static int
open_door(struct server *s, struct door *d, int fd, bool is_unix)
{
	struct event_base *base = loop_base(s->env.loop);

	d->server = s;
	d->is_unix = is_unix;
	d->max_conns = is_unix ? UNIX_MAX : TCP_MAX;
	d->http = evhttp_new(base);
	if (d->http == NULL)
		return E_NOMEM;
	/* All methods, so that we are the one who refuses them. */
	evhttp_set_allowed_methods(d->http, 0xffff);
	evhttp_set_max_headers_size(d->http, HEAD_BYTES_MAX);
	evhttp_set_max_body_size(d->http, 2 * (ev_ssize_t)ADMIN_BODY_MAX);
	evhttp_set_timeout(d->http, IDLE_S);
	evhttp_set_gencb(d->http, on_request, d);
	evhttp_set_bevcb(d->http, on_connection, d);
	/* Without LEV_OPT_CLOSE_ON_FREE: the descriptor is borrowed. */
	d->listener = evconnlistener_new(base, NULL, NULL,
	    LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, 0, fd);
	if (d->listener == NULL)
		return E_NOMEM;
	if (evhttp_bind_listener(d->http, d->listener) == NULL) {
		evconnlistener_free(d->listener);
		d->listener = NULL;
		return E_NOMEM;
	}
	evconnlistener_set_error_cb(d->listener, on_accept_error);
	return E_OK;
}

int
server_new(const struct server_env *env, struct server **out)
{
	struct server *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (s == NULL)
		return E_NOMEM;
	s->env = *env;
	TAILQ_INIT(&s->asks);
	s->reopen = alarm_new(env->loop, on_reopen, s);
	rc = s->reopen == NULL ? E_NOMEM
	                       : open_door(s, &s->doors[0], env->unix_fd, true);
	if (rc == E_OK && env->http_fd != -1)
		rc = open_door(s, &s->doors[1], env->http_fd, false);
	if (rc != E_OK) {
		server_free(&s);
		return rc;
	}
	alarm_set(s->reopen, REOPEN_US);
	*out = s;
	return E_OK;
}

void
server_free(struct server **sp)
{
	struct server *s = *sp;

	if (s == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(s->doors); i++) {
		if (s->doors[i].http == NULL)
			continue;
		evhttp_free(s->doors[i].http); /* and what is open */
		forget_gone(&s->doors[i]);
	}
	if (s->sweep.queued)
		loop_run_deferred(s->env.loop);
	alarm_free(&s->reopen);
	free(s);
	*sp = NULL;
}
