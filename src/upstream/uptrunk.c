#include "upstream/uptrunk.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/stat.h"
#include "tls/client.h"
#include "tls/stream.h"
#include "wire/trunk.h"

#define STREAMS_MAX 256 /* of a connection, whatever it takes */
#define WAITING_MAX 100 /* what RFC 9113 6.5.2 recommends to allow */
#define WIDE_ROOM 16    /* streams: another one need not stay idle */
/* Unread, of all its streams: slow readers must not stop the others. */
#define WINDOW_BYTES (STREAMS_MAX * H2_STREAM_WINDOW)
#define IDLE_US (4 * US_PER_S)  /* until somebody says how long */
#define DOUBT_US (1 * US_PER_S) /* of silence */

static uint64_t
now_of(const struct conncache *c)
{
	return loop_now_us(c->worker->wire->loop);
}

/* ---- the end ---- */

static void
close_trunk(struct uptrunk *ut)
{
	struct upconn *conn = ut->conn;

	LIST_REMOVE(ut, link);
	conn->cache->worker->n_trunks--;
	trunk_free(&ut->trunk);
	upconn_close(&conn); /* frees us, too */
}

static void
on_idle_limit(struct deadline *d)
{
	close_trunk(CONTAINER_OF(d, struct upconn, deadline)->trunk);
}

static bool
is_idle(const struct uptrunk *ut)
{
	return ut->n_streams == 0 && ut->trunk != NULL && !ut->telling;
}

/*
 * One idle connection that takes many streams will do: tries that wanted a
 * fresh one may have left others.  Where each takes few, as many stay as of
 * HTTP/1.
 */
static void
drop_spare(struct uptrunk *ut)
{
	struct conncache *c = ut->conn->cache;
	unsigned may_stay = trunk_room(ut->trunk) < WIDE_ROOM ? ut->max_idle
	                                                      : 1;
	struct uptrunk *o, *next;
	unsigned n = 1;

	for (o = LIST_FIRST(&c->trunks); o != NULL; o = next) {
		next = LIST_NEXT(o, link);
		if (o != ut && is_idle(o) && ++n > may_stay)
			close_trunk(o);
	}
}

/* Nobody is on it any more. */
static void
rest(struct uptrunk *ut)
{
	struct conncache *c = ut->conn->cache;
	struct loop *loop = c->worker->wire->loop;

	if (ut->telling)
		return;
	if (ut->trunk == NULL || ut->leaving || cache_is_leaving(c->inst) ||
	    trunk_room(ut->trunk) == 0) {
		close_trunk(ut);
		return;
	}
	drop_spare(ut);
	ut->idle_since_us = now_of(c);
	ut->conn->deadline.fn = on_idle_limit;
	deadline_set(loop, &ut->conn->deadline,
	    ut->idle_since_us + ut->idle_us);
}

/* Somebody waited in vain, and all the time nothing came: is it dead? */
static bool
is_silent(const struct upconn *u)
{
	const struct trunk *t = u->trunk->trunk;

	return t != NULL && t->heard_us <= u->lent_us &&
	    now_of(u->cache) - u->lent_us >= DOUBT_US;
}

bool
uptrunk_is_ending(const struct uptrunk *ut)
{
	return ut->trunk == NULL || trunk_ends(ut->trunk);
}

void
uptrunk_let_go(struct upconn *u)
{
	struct uptrunk *ut = u->trunk;

	if (u->waits)
		TAILQ_REMOVE(&ut->waiting, u, wait_link);
	else if (is_silent(u))
		ut->leaving = true;
	lane_close(&u->lane);
	if (--ut->n_streams == 0)
		rest(ut);
}

void
uptrunk_keep(struct uptrunk *ut, uint64_t idle_us, unsigned max_idle)
{
	ut->idle_us = idle_us;
	ut->max_idle = max_idle;
	ut->leaving |= max_idle == 0;
}

void
uptrunk_drop_idle(struct conncache *c)
{
	struct uptrunk *ut, *next;

	for (ut = LIST_FIRST(&c->trunks); ut != NULL; ut = next) {
		next = LIST_NEXT(ut, link);
		if (ut->n_streams == 0)
			close_trunk(ut);
		else
			ut->leaving |= cache_is_leaving(c->inst);
	}
}

/* ---- what a trunk tells ---- */

static void
on_broken(struct trunk *t, int code UNUSED)
{
	struct uptrunk *ut = t->arg;
	struct conncache *c = ut->conn->cache;
	uint64_t now = now_of(c);

	ut->leaving = true;
	if (ut->n_streams > 0)
		return; /* they are about to be closed */
	cache_learn(c->cell, now - ut->idle_since_us, now);
	close_trunk(ut);
}

static const struct trunk_user trunk_user = {
	.broken = on_broken,
};

static int
start(struct uptrunk *ut)
{
	struct upconn *u = ut->conn;
	struct h2_settings s = { .client = true,
		.window = WINDOW_BYTES,
		.limits = u->cache->worker->limits };

	return trunk_new(&ut->trunk, &u->lane, &s, &trunk_user, ut);
}

/* ---- streams ---- */

static struct upconn *
new_stream(struct uptrunk *ut, const struct lane_user *user, void *arg)
{
	struct upconn *u = upconn_new(ut->conn->cache, arg);

	if (u == NULL)
		return NULL;
	u->is_stream = true;
	u->trunk = ut;
	u->lane.user = user;
	u->lane.closed = true; /* until it has a stream */
	u->uses = ++ut->conn->uses;
	u->lent_us = now_of(u->cache);
	ut->n_streams++;
	return u;
}

static int
open_stream(struct upconn *u)
{
	u->lent_us = now_of(u->cache);
	return lane_asks(&u->lane, u->trunk->trunk, u->lane.user,
	    &u->cache->worker->limits);
}

/* ---- one that is there ---- */

/* An idle one is held to what is asked of idle connections. */
static bool
is_fit_again(struct uptrunk *ut, const struct upask *ask)
{
	struct conncache *c = ut->conn->cache;
	uint64_t now = now_of(c), idle_us = now - ut->idle_since_us;

	if ((ask->careful || idle_us > CACHE_MOMENT_US) &&
	    !trunk_look(ut->trunk)) {
		stat_add(&c->cell->stale, 1);
		return false;
	}
	if (ask->careful &&
	    (cache_may_end_soon(c->inst) ||
	        cache_is_risky(c->cell, idle_us, now))) {
		stat_add(&c->cell->passed_over, 1);
		return false;
	}
	return true;
}

/* A new one has not said yet how many it takes: as many as the others do. */
static bool
is_full(const struct uptrunk *ut, unsigned most)
{
	uint32_t said = ut->conn->cache->said_streams;

	return ut->n_streams >= (said == 0 ? most : MIN(most, said));
}

static bool
is_fit(struct uptrunk *ut, const struct upask *ask)
{
	uint32_t said = ut->trunk == NULL ? 0 : trunk_takes(ut->trunk);

	if (said != 0)
		ut->conn->cache->said_streams = said;
	if (ut->trunk == NULL || ut->leaving || is_full(ut, STREAMS_MAX))
		return false;
	if (!tls_fits(&ut->conn->lane.conn, ask->tls)) {
		ut->leaving = true; /* made before a reload */
		return false;
	}
	return trunk_room(ut->trunk) > 0 &&
	    (ut->n_streams > 0 || is_fit_again(ut, ask));
}

struct upconn *
uptrunk_take(struct conncache *c, const struct upask *ask)
{
	struct uptrunk *ut;
	struct upconn *u;

	LIST_FOREACH (ut, &c->trunks, link)
		if (is_fit(ut, ask))
			break;
	if (ut == NULL)
		return NULL;
	deadline_clear(c->worker->wire->loop, &ut->conn->deadline);
	u = new_stream(ut, NULL, NULL);
	if (u == NULL) {
		if (ut->n_streams == 0)
			rest(ut);
		return NULL;
	}
	if (u->uses > 1 && ut->n_streams == 1)
		u->was_idle_us = u->lent_us - ut->idle_since_us;
	if (open_stream(u) != E_OK) {
		upconn_close(&u);
		return NULL;
	}
	stat_add(&c->cell->conns_reused, 1);
	return u;
}

/* ---- one that is to be ---- */

static int
on_greet(struct lane *l)
{
	struct upconn *u = CONTAINER_OF(l, struct upconn, lane);
	int rc = upconn_shake(u);

	if (rc != E_OK || !u->trunk->needs_h2 || tls_chose_h2(&l->conn))
		return rc;
	log_warn("service=%s pool=%s instance=%s event=no_http2 "
	         "why=\"ALPN did not choose h2\"",
	    u->inst->pool->service->name, u->inst->pool->name, u->inst->name);
	return E_TLS;
}

/* Those who waited have their streams now, or hear why not. */
static void
on_connected(struct lane *l, int code)
{
	struct uptrunk *ut = CONTAINER_OF(l, struct upconn, lane)->trunk;
	struct upconn *u;

	if (code == E_OK)
		code = start(ut);
	ut->leaving |= code != E_OK;
	ut->telling = true;
	while ((u = TAILQ_FIRST(&ut->waiting)) != NULL) {
		TAILQ_REMOVE(&ut->waiting, u, wait_link);
		u->waits = false;
		u->lane.user->connected(&u->lane,
		    code == E_OK ? open_stream(u) : code);
	}
	ut->telling = false;
	if (ut->n_streams == 0)
		rest(ut);
}

static void
on_eof(struct lane *l)
{
	on_connected(l, E_EOF);
}

static void
on_lane_broken(struct lane *l, int code, enum http_bad why UNUSED)
{
	on_connected(l, code);
}

/* Of the connection until the trunk has it. */
static const struct lane_user conn_user = {
	.greet = on_greet,
	.connected = on_connected,
	.eof = on_eof,
	.broken = on_lane_broken,
};

static void
become(struct upconn *u, struct uptrunk *ut)
{
	u->is_trunk = true;
	u->trunk = ut;
	u->user = NULL;
	u->lane.user = &conn_user;
	u->uses = 0; /* counts streams */
	ut->conn = u;
	ut->idle_us = IDLE_US;
	ut->max_idle = 1;
	TAILQ_INIT(&ut->waiting);
	LIST_INSERT_HEAD(&u->cache->trunks, ut, link);
	u->cache->worker->n_trunks++;
}

static int
make(struct conncache *c, const struct upask *ask, struct uptrunk **out)
{
	struct uptrunk *ut = calloc(1, sizeof(*ut));
	struct upconn *u;
	int rc;

	*out = ut;
	if (ut == NULL) {
		cache_forget_empty(c);
		return E_NOMEM;
	}
	rc = upconn_make(c, ask, &conn_user, NULL, &u);
	if (rc != E_OK) {
		free(ut);
		return rc;
	}
	become(u, ut);
	ut->needs_h2 = ask->protocol == CFG_PROTOCOL_H2;
	return E_OK;
}

static struct uptrunk *
being_made(struct conncache *c, const struct upask *ask)
{
	struct uptrunk *ut;

	LIST_FOREACH (ut, &c->trunks, link)
		if (ut->trunk == NULL && !ut->leaving &&
		    !is_full(ut, WAITING_MAX) &&
		    tls_fits(&ut->conn->lane.conn, ask->tls))
			return ut;
	return NULL;
}

int
uptrunk_dial(struct conncache *c, const struct upask *ask,
    const struct lane_user *user, void *arg, struct upconn **out)
{
	struct uptrunk *ut = being_made(c, ask);
	struct upconn *u;
	int rc = E_OK;

	*out = NULL;
	if (ut == NULL)
		rc = make(c, ask, &ut);
	if (rc != E_OK)
		return rc;
	u = new_stream(ut, user, arg);
	if (u == NULL) {
		if (ut->n_streams == 0)
			close_trunk(ut);
		return E_NOMEM;
	}
	u->waits = true;
	u->uses = 1; /* nobody has used it before it is connected */
	TAILQ_INSERT_TAIL(&ut->waiting, u, wait_link);
	*out = u;
	return E_OK;
}

int
uptrunk_split(struct upconn **up)
{
	struct upconn *u = *up, *stream;
	struct uptrunk *ut = calloc(1, sizeof(*ut));
	const struct lane_user *user = u->lane.user;
	void *arg = u->user;

	if (ut == NULL)
		return E_NOMEM;
	deadline_clear(u->cache->worker->wire->loop, &u->deadline);
	become(u, ut);
	stream = new_stream(ut, user, arg);
	if (stream == NULL || start(ut) != E_OK) {
		/* as it was: its user is to close it */
		if (stream != NULL) {
			ut->telling = true;
			upconn_close(&stream);
		}
		LIST_REMOVE(ut, link);
		u->cache->worker->n_trunks--;
		free(ut);
		u->is_trunk = false;
		u->owner = NULL;
		u->lane.user = user;
		u->user = arg;
		return E_NOMEM;
	}
	*up = stream;
	return open_stream(stream);
}
