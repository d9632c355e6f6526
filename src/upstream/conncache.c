#include "upstream/conncache.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/stat.h"
#include "base/log.h"
#include "tls/client.h"
#include "tls/stream.h"
#include "upstream/conncache_int.h"
#include "upstream/keepalive.h"
#include "upstream/uptrunk.h"

#define LEARNED_FOR_US (60 * US_PER_S)

/* ---- how long an instance lets connections be idle ---- */

static bool
has_learned(const struct inst_cell *cell, uint64_t now)
{
	return cell->closed_at_us != 0 &&
	    now - cell->closed_at_us < LEARNED_FOR_US;
}

void
cache_learn(struct inst_cell *cell, uint64_t idle_us, uint64_t now)
{
	if (has_learned(cell, now) && cell->closed_idle_us <= idle_us)
		return;
	cell->closed_idle_us = idle_us;
	cell->closed_at_us = now;
}

bool
cache_is_risky(const struct inst_cell *cell, uint64_t idle_us, uint64_t now)
{
	return has_learned(cell, now) && idle_us >= cell->closed_idle_us / 2;
}

/* ---- what an idle connection may be told: nothing good ---- */

static struct upconn *
upconn_of(struct lane *l)
{
	return CONTAINER_OF(l, struct upconn, lane);
}

static uint64_t
now_of(const struct upconn *u)
{
	return loop_now_us(u->cache->worker->wire->loop);
}

static void
put_idle(struct upconn *u)
{
	struct conncache *c = u->cache;

	c->n_idle++;
	if (u->owner == NULL) {
		TAILQ_INSERT_HEAD(&c->idle, u, link);
		return;
	}
	TAILQ_INSERT_HEAD(&c->owned, u, link);
	LIST_INSERT_HEAD(&u->owner->idle, u, owner_link);
}

static void
take_idle(struct upconn *u)
{
	struct conncache *c = u->cache;

	c->n_idle--;
	if (u->owner == NULL) {
		TAILQ_REMOVE(&c->idle, u, link);
		return;
	}
	TAILQ_REMOVE(&c->owned, u, link);
	LIST_REMOVE(u, owner_link);
}

static void
drop_idle(struct upconn *u)
{
	take_idle(u);
	upconn_close(&u);
}

static void
drop_closed(struct upconn *u)
{
	uint64_t now = now_of(u);

	cache_learn(u->cell, now - u->idle_since_us, now);
	drop_idle(u);
}

static void
idle_begin(struct lane *l)
{
	drop_idle(upconn_of(l)); /* bytes nobody asked for */
}

static void
idle_eof(struct lane *l)
{
	drop_closed(upconn_of(l));
}

static void
idle_broken(struct lane *l, int code UNUSED, enum http_bad why UNUSED)
{
	drop_closed(upconn_of(l));
}

static bool
idle_batch(struct lane *l UNUSED)
{
	return true;
}

static const struct lane_user idle_user = {
	.begin = idle_begin,
	.batch = idle_batch,
	.eof = idle_eof,
	.broken = idle_broken,
};

static void
on_idle_limit(struct deadline *d)
{
	drop_idle(CONTAINER_OF(d, struct upconn, deadline));
}

/* ---- caches ---- */

/* The lowest descriptor that is free is the one we get. */
static int
first_kept(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == -1 ||
	    files.rlim_cur > (rlim_t)INT_MAX)
		return INT_MAX;
	return (int)(files.rlim_cur - files.rlim_cur / 16);
}

void
upworker_init(struct upworker *w, struct wire *wire, unsigned index)
{
	w->wire = wire;
	w->index = index;
	w->fd_max = first_kept();
	w->limits = (struct http_limits){ .head_bytes = 65536,
		.field_bytes = 65536,
		.target_bytes = 0,
		.fields = HTTP_FIELDS_MAX };
	LIST_INIT(&w->caches);
}

struct conncache *
cache_of(struct upworker *w, struct instance *inst)
{
	struct inst_cell *cell = &inst->cells[w->index];
	struct conncache *c = cell->cache;

	if (c != NULL)
		return c;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->worker = w;
	c->inst = inst;
	c->cell = cell;
	TAILQ_INIT(&c->idle);
	TAILQ_INIT(&c->owned);
	LIST_INIT(&c->trunks);
	LIST_INSERT_HEAD(&w->caches, c, link);
	cell->cache = c;
	return c;
}

void
cache_forget_empty(struct conncache *c)
{
	if (c->n_conns > 0)
		return;
	LIST_REMOVE(c, link);
	c->cell->cache = NULL;
	free(c);
}

bool
cache_may_end_soon(const struct instance *i)
{
	return i->pool->drains || cache_is_leaving(i);
}

/* With the last connection cache and instance may go: both are held. */
static void
drop_all_idle(struct conncache *c)
{
	struct inst_cell *cell = c->cell;

	c->n_conns++;
	stat_add(&cell->conns, 1);
	while (c->n_idle > 0)
		drop_idle(TAILQ_EMPTY(&c->idle) ? TAILQ_FIRST(&c->owned)
		                                : TAILQ_FIRST(&c->idle));
	uptrunk_drop_idle(c);
	c->n_conns--;
	cache_forget_empty(c);
	stat_sub(&cell->conns, 1);
}

void
upworker_retire(struct upworker *w)
{
	struct conncache *c, *next;

	for (c = LIST_FIRST(&w->caches); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (cache_may_end_soon(c->inst))
			drop_all_idle(c);
	}
}

void
upworker_close(struct upworker *w)
{
	struct conncache *c, *next;

	for (c = LIST_FIRST(&w->caches); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		drop_all_idle(c);
	}
}

/* ---- connections ---- */

static void
upconn_lend(struct upconn *u)
{
	u->uses++;
	u->sent_before = u->lane.sent;
}

static struct upconn *
first_idle(const struct inst_cell *cell, const struct instance *inst,
    const struct upowner *owner)
{
	struct upconn *u;

	if (cell->cache == NULL)
		return NULL;
	if (owner == NULL)
		return TAILQ_FIRST(&cell->cache->idle);
	LIST_FOREACH (u, &owner->idle, owner_link)
		if (u->inst == inst)
			return u;
	return NULL;
}

/* HTTP/1. */
static struct upconn *
take_whole(struct upworker *w, struct instance *inst, const struct upask *ask)
{
	struct inst_cell *cell = &inst->cells[w->index];
	uint64_t now = loop_now_us(w->wire->loop);
	struct upconn *u;

	while ((u = first_idle(cell, inst, ask->owner)) != NULL) {
		uint64_t idle_us = now - u->idle_since_us;
		bool look = ask->careful || idle_us > CACHE_MOMENT_US;

		if (!tls_fits(&u->lane.conn, ask->tls)) {
			drop_idle(u); /* made before a reload */
			continue;
		}
		if (u->lane.conn.fin_seen || u->lane.conn.failed ||
		    (look && conn_is_stale(&u->lane.conn))) {
			stat_add(&cell->stale, 1);
			drop_closed(u);
			continue;
		}
		if (ask->careful &&
		    (cache_may_end_soon(inst) ||
		        cache_is_risky(cell, idle_us, now))) {
			stat_add(&cell->passed_over, 1);
			return NULL; /* the others have been idle longer */
		}
		take_idle(u);
		stat_add(&cell->conns_reused, 1);
		u->was_idle_us = idle_us;
		upconn_lend(u);
		return u;
	}
	return NULL;
}

struct upconn *
upconn_take(struct upworker *w, struct instance *inst, const struct upask *ask)
{
	struct conncache *c = inst->cells[w->index].cache;
	struct upconn *u = NULL;

	if (c == NULL)
		return NULL;
	if (ask->protocol != CFG_PROTOCOL_H1)
		u = uptrunk_take(c, ask);
	if (u != NULL || ask->protocol == CFG_PROTOCOL_H2 ||
	    ask->protocol == CFG_PROTOCOL_H2C)
		return u;
	return take_whole(w, inst, ask);
}

struct upconn *
upconn_new(struct conncache *c, void *user)
{
	struct upconn *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->inst = c->inst;
	u->cell = c->cell;
	u->cache = c;
	u->user = user;
	u->said_idle_ms = u->said_uses = UINT32_MAX;
	c->n_conns++;
	c->worker->n_conns++;
	return u;
}

int
upconn_make(struct conncache *c, const struct upask *ask,
    const struct lane_user *user, void *arg, struct upconn **out)
{
	struct upworker *w = c->worker;
	struct upconn *u = upconn_new(c, arg);
	int rc;

	*out = NULL;
	if (u == NULL) {
		cache_forget_empty(c);
		return E_NOMEM;
	}
	rc = lane_dial(&u->lane, w->wire, &c->inst->addr, user, &w->limits);
	if (rc == E_OK && u->lane.conn.fd >= w->fd_max)
		rc = E_NOFILES;
	if (rc == E_OK && ask->tls != NULL) {
		lane_greets(&u->lane);
		rc = tls_connect(&u->lane.conn, ask->tls, c->inst->host,
		    ask->protocol == CFG_PROTOCOL_H1, &c->cell->tls_kept);
	}
	if (rc != E_OK) {
		lane_close(&u->lane);
		free(u);
		c->n_conns--;
		w->n_conns--;
		cache_forget_empty(c);
		return rc;
	}
	u->owner = ask->owner;
	upconn_lend(u);
	u->over_tls = ask->tls != NULL;
	w->n_tls += u->over_tls;
	stat_add(&c->cell->conns, 1);
	stat_add(&c->cell->conns_opened, 1);
	*out = u;
	return E_OK;
}

int
upconn_dial(struct upworker *w, struct instance *inst, const struct upask *ask,
    const struct lane_user *user, void *arg, struct upconn **out)
{
	struct conncache *c = cache_of(w, inst);

	*out = NULL;
	if (c == NULL)
		return E_NOMEM;
	if (ask->protocol == CFG_PROTOCOL_H2 ||
	    ask->protocol == CFG_PROTOCOL_H2C)
		return uptrunk_dial(c, ask, user, arg, out);
	return upconn_make(c, ask, user, arg, out);
}

/* A flood is one line of the log a second. */
static void
tell_tls_failed(struct upconn *u)
{
	struct upworker *w = u->cache->worker;
	uint64_t now = now_of(u);

	if (w->tls_told_us != 0 && now - w->tls_told_us < US_PER_S)
		return;
	w->tls_told_us = now;
	log_warn("service=%s pool=%s instance=%s event=tls_failed why=\"%s\"",
	    u->inst->pool->service->name, u->inst->pool->name, u->inst->name,
	    tls_why(&u->lane.conn));
}

int
upconn_shake(struct upconn *u)
{
	struct conn *conn = &u->lane.conn;
	int rc;

	if (!tls_is_on(conn))
		return E_OK;
	rc = tls_shake(conn);
	if (rc == E_OK) {
		stat_add(&u->cell->tls_shaken, 1);
		stat_add(&u->cell->tls_resumed, tls_is_resumed(conn));
	} else if (rc != E_AGAIN) {
		stat_add(&u->cell->tls_failed, 1);
		tell_tls_failed(u);
	}
	return rc;
}

int
upconn_connected(struct upconn **up)
{
	struct upconn *u = *up;

	if (u->is_stream || !tls_chose_h2(&u->lane.conn))
		return E_OK;
	return uptrunk_split(up);
}

static void
upconn_free(struct defer *d)
{
	struct upconn *u = CONTAINER_OF(d, struct upconn, freeing);

	if (u->is_trunk)
		free(u->trunk);
	free(u);
}

/* Did it go under a request before a byte of the answer? */
static bool
was_raced(const struct upconn *u)
{
	return u->user != NULL && upconn_is_reused(u) && !u->is_stream &&
	    (u->lane.conn.eof || u->lane.conn.failed) &&
	    u->lane.reader.phase == H1_HEAD && !u->lane.begun;
}

bool
upconn_is_raced(const struct upconn *u)
{
	return upconn_is_reused(u) &&
	    (!u->is_stream || uptrunk_is_ending(u->trunk));
}

void
upconn_close(struct upconn **up)
{
	struct upconn *u = *up;
	struct inst_cell *cell;
	struct conncache *c;
	bool counted;

	if (u == NULL)
		return;
	*up = NULL;
	assert(!u->closed);
	cell = u->cell;
	counted = !u->is_stream;
	if (was_raced(u))
		cache_learn(u->cell, u->was_idle_us, now_of(u));
	u->closed = true;
	u->user = NULL;
	c = u->cache;
	deadline_clear(c->worker->wire->loop, &u->deadline);
	if (u->is_stream)
		uptrunk_let_go(u);
	else
		lane_close(&u->lane);
	c->n_conns--;
	c->worker->n_conns--;
	c->worker->n_tls -= u->over_tls;
	u->freeing = (struct defer){ .queued = false };
	loop_defer(c->worker->wire->loop, &u->freeing, upconn_free);
	cache_forget_empty(c);
	/* last: from here on the instance may be freed */
	if (counted)
		stat_sub(&cell->conns, 1);
}

void
upowner_close(struct upowner *o)
{
	while (!LIST_EMPTY(&o->idle))
		drop_idle(LIST_FIRST(&o->idle));
}

void
upconn_hear(struct upconn *u, const struct http_head *h)
{
	struct keepalive said;

	if (!HTTP_HAS(h, KEEP_ALIVE))
		return;
	keepalive_read(h, &said);
	if (said.idle_us != KEEPALIVE_UNSAID)
		u->said_idle_ms = (uint32_t)MIN(said.idle_us / US_PER_MS,
		    UINT32_MAX);
	if (said.more < UINT32_MAX - u->uses)
		u->said_uses = MIN(u->said_uses, u->uses + (uint32_t)said.more);
}

/* How long it may be idle, by our word and the instance's. */
static uint64_t
bounded_us(const struct upconn *u, uint64_t idle_us)
{
	if (u->said_idle_ms == UINT32_MAX)
		return idle_us;
	return MIN(idle_us, u->said_idle_ms * US_PER_MS);
}

void
upconn_keep(struct upconn **up, uint64_t idle_us, unsigned max_idle)
{
	struct upconn *u = *up;
	struct conncache *c = u->cache;
	struct loop *loop = c->worker->wire->loop;
	uint64_t now = loop_now_us(loop);

	if (u->is_stream)
		uptrunk_keep(u->trunk, idle_us, max_idle);
	if (u->is_stream || cache_is_leaving(u->inst) ||
	    c->n_idle >= max_idle || u->said_idle_ms == 0 ||
	    u->uses >= u->said_uses || u->lane.closed ||
	    u->lane.conn.fin_seen || u->lane.conn.failed ||
	    lane_has_unread(&u->lane) || lane_pending(&u->lane)) {
		upconn_close(up);
		return;
	}
	*up = NULL;
	u->user = NULL;
	u->lane.user = &idle_user;
	u->idle_since_us = now;
	u->deadline.fn = on_idle_limit;
	put_idle(u);
	deadline_set(loop, &u->deadline, now + bounded_us(u, idle_us));
	lane_next(&u->lane);
}
