#include "proxy/client.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "proxy/callers.h"
#include "proxy/exchange.h"
#include "proxy/gate.h"
#include "proxy/overload.h"
#include "proxy/worker.h"
#include "upstream/view.h"

#define LINGER_US (2 * US_PER_S)
#define SHED_HEAD_US US_PER_S /* a head that will be refused in any case */
#define WRITE_LOOKS 4 /* a slow reader is looked at so often in write_us */

static const struct lane_user client_user;

static struct client *
client_of(struct lane *l)
{
	return CONTAINER_OF(l, struct client, lane);
}

const struct view_listener *
client_listener(const struct client *c)
{
	const struct view *v = c->proxy->view;

	/* A listener that a reload took away is served to its clients' end. */
	return &v->listeners[MIN(c->listener, v->n_listeners - 1)];
}

static void
client_free(struct defer *d)
{
	free(CONTAINER_OF(d, struct client, freeing));
}

void
client_close(struct client *c)
{
	struct proxy *p = c->proxy;

	if (c->lane.closed && c->freeing.queued)
		return;
	lane_close(&c->lane);
	deadline_clear(p->env.loop, &c->deadline);
	TAILQ_REMOVE(&p->clients, c, link);
	p->n_clients--;
	p->n_accepted[c->listener]--;
	if (c->place != 0)
		callers_leave(p->env.callers, c->place);
	loop_defer(p->env.loop, &c->freeing, client_free);
	proxy_client_gone(p);
}

static uint64_t
wait_limit(const struct client *c, enum client_wait wait)
{
	const struct cfg_listener *cfg = client_listener(c)->cfg;

	switch (wait) {
	case WAIT_REQUEST:
		return c->stop_asked ? MIN(c->proxy->linger_us, cfg->idle_us)
		                     : cfg->idle_us;
	case WAIT_HEAD:
		return overload_sheds(c->proxy)
		    ? MIN(SHED_HEAD_US, cfg->head_us)
		    : cfg->head_us;
	case WAIT_BODY:
		return cfg->body_us;
	case WAIT_WRITE:
		return cfg->write_us / WRITE_LOOKS;
	case WAIT_LINGER:
	case WAIT_NONE:
		break;
	}
	return LINGER_US;
}

void
client_wait_for(struct client *c, enum client_wait wait)
{
	struct loop *loop = c->proxy->env.loop;

	c->wait = (uint8_t)wait;
	if (wait == WAIT_WRITE)
		c->stuck_since_us = loop_now_us(loop);
	if (wait != WAIT_NONE) /* else it may fire, for nothing */
		deadline_set(loop, &c->deadline,
		    loop_now_us(loop) + wait_limit(c, wait));
}

/* Our last byte is out: says so and waits for the client's last one, since a
 * close(2) with unread bytes would reset and could destroy our answer. */
static void
client_linger(struct client *c)
{
	conn_shut(&c->lane.conn);
	client_wait_for(c, WAIT_LINGER);
	lane_go_deaf(&c->lane);
}

/* A request that waits in the kernel is about to be read. */
static bool
has_asked(struct client *c)
{
	struct conn *conn = &c->lane.conn;

	return !conn->failed && !conn->eof && !conn->fin_seen &&
	    conn_is_stale(conn);
}

/* Has the client taken a byte of the answer in time?  Then looks again. */
static bool
still_takes(struct client *c)
{
	struct loop *loop = c->proxy->env.loop;
	uint64_t now = loop_now_us(loop), taken = lane_taken(&c->lane);
	uint64_t look_us = wait_limit(c, WAIT_WRITE);

	if (taken != c->taken)
		c->stuck_since_us = now;
	c->taken = taken;
	if (now - c->stuck_since_us >= WRITE_LOOKS * look_us)
		return false;
	deadline_set(loop, &c->deadline, now + look_us);
	return true;
}

static void
on_deadline(struct deadline *d)
{
	struct client *c = CONTAINER_OF(d, struct client, deadline);

	switch ((enum client_wait)c->wait) {
	case WAIT_REQUEST:
		if (has_asked(c))
			client_wait_for(c, WAIT_REQUEST);
		else
			client_linger(c);
		return;
	case WAIT_LINGER:
		client_close(c);
		return;
	case WAIT_HEAD:
		exchange_timed_out(c->exchange, OUT_HEAD_TIMEOUT);
		return;
	case WAIT_BODY:
		exchange_timed_out(c->exchange, OUT_BODY_TIMEOUT);
		return;
	case WAIT_WRITE:
		if (!still_takes(c))
			exchange_timed_out(c->exchange, OUT_CLIENT_TIMEOUT);
		return;
	case WAIT_NONE:
		return;
	}
}

static bool
is_trusted(const struct view_listener *l, const struct addr *peer)
{
	for (size_t i = 0; i < l->n_trusted; i++)
		if (cidr_has(&l->trusted[i], peer))
			return true;
	return false;
}

static struct http_limits
limits_of(const struct cfg_listener *l)
{
	return (struct http_limits){
		.head_bytes = (uint32_t)l->limits.head_bytes,
		.field_bytes = (uint32_t)l->limits.field_bytes,
		.target_bytes = (uint32_t)l->limits.target_bytes,
		.fields = (uint16_t)l->limits.fields,
	};
}

/* Over all workers; each keeps to its part, at least one. */
static bool
is_over_limit(const struct proxy *p, unsigned listener)
{
	unsigned max = p->view->listeners[listener].cfg->max_connections;

	return max != 0 &&
	    p->n_accepted[listener] >= MAX(1u, max / p->env.n_workers);
}

/* Once a connection rather than once a request. */
static void
say_peer(struct client *c)
{
	char text[ADDR_TEXT_MAX];
	size_t len = addr_host(&c->peer, text);

	str_copy(str_from(text, len), c->peer_text, sizeof(c->peer_text));
}

/*
 * Nothing was read, so nothing is lost that was accepted; an answer would cost
 * more than the connection.  A flood is one line of the log a second.
 */
static void
refuse(struct proxy *p, int fd, unsigned listener, enum conn_refusal why)
{
	uint64_t now = loop_now_us(p->env.loop);

	close(fd);
	stat_add(&p->view->unrouted->cells[p->env.index].refused[why], 1);
	if (p->refusal_told_us != 0 && now - p->refusal_told_us < US_PER_S)
		return;
	p->refusal_told_us = now;
	log_warn("event=connection_refused listener=%s why=%s",
	    p->view->listeners[listener].cfg->name, conn_refusal_name(why));
}

void
client_accept(struct proxy *p, int fd, const struct addr *peer,
    unsigned listener)
{
	const struct view_listener *l = &p->view->listeners[listener];
	struct http_limits limits = limits_of(l->cfg);
	bool trusted = is_trusted(l, peer);
	struct client *c;
	uint32_t place;

	if (is_over_limit(p, listener)) {
		refuse(p, fd, listener, REFUSED_LISTENER);
		return;
	}
	if (!gate_connection(p, peer, listener, trusted, &place)) {
		refuse(p, fd, listener, REFUSED_ADDRESS);
		return;
	}
	c = malloc(sizeof(*c));
	if (c == NULL) {
		callers_leave(p->env.callers, place);
		refuse(p, fd, listener, REFUSED_MEMORY);
		return;
	}
	if (lane_accept(&c->lane, &p->wire, fd, &client_user, &limits) !=
	    E_OK) {
		callers_leave(p->env.callers, place);
		free(c);
		return;
	}
	c->place = place;
	c->proxy = p;
	c->exchange = NULL;
	c->deadline = (struct deadline){ .fn = on_deadline };
	c->freeing = (struct defer){ .queued = false };
	c->peer = *peer;
	say_peer(c);
	c->served = 0;
	c->listener = (uint16_t)listener;
	c->trusted = trusted;
	c->taken = c->stuck_since_us = 0;
	c->stop_asked = p->stopping;
	TAILQ_INSERT_TAIL(&p->clients, c, link);
	p->n_clients++;
	p->n_accepted[listener]++;
	client_wait_for(c, WAIT_REQUEST);
}

void
client_exchange_done(struct client *c, bool keep_alive)
{
	c->exchange = NULL;
	c->served++;
	if (c->lane.closed) {
		client_close(c);
		return;
	}
	if (keep_alive) {
		client_wait_for(c, WAIT_REQUEST);
		lane_next(&c->lane);
		return;
	}
	lane_release_head(&c->lane);
	if (c->lane.conn.eof)
		client_close(c);
	else
		client_linger(c);
}

void
client_cut(struct client *c)
{
	c->exchange = NULL;
	lane_reset(&c->lane);
	client_close(c);
}

void
client_stop(struct client *c)
{
	c->stop_asked = true;
	if (c->wait == WAIT_REQUEST)
		client_wait_for(c, WAIT_REQUEST);
}

/* ---- what the lane tells ---- */

static void
on_begin(struct lane *l)
{
	struct client *c = client_of(l);

	c->exchange = exchange_begin(c);
	if (c->exchange == NULL) {
		client_close(c); /* out of memory: nothing was accepted */
		return;
	}
	client_wait_for(c, WAIT_HEAD);
}

static void
on_head(struct lane *l, struct http_head *h)
{
	exchange_head(client_of(l)->exchange, h);
}

static bool
on_data(struct lane *l, struct str bytes)
{
	struct client *c = client_of(l);

	return c->exchange == NULL || exchange_body(c->exchange, bytes);
}

static void
on_trailers(struct lane *l, struct http_head *h)
{
	if (client_of(l)->exchange != NULL)
		exchange_trailers(client_of(l)->exchange, h);
}

static void
on_end(struct lane *l)
{
	if (client_of(l)->exchange != NULL)
		exchange_request_end(client_of(l)->exchange);
}

static bool
on_batch(struct lane *l)
{
	struct client *c = client_of(l);

	return c->exchange == NULL || exchange_flush_up(c->exchange);
}

static void
on_drained(struct lane *l)
{
	if (client_of(l)->exchange != NULL)
		exchange_client_drained(client_of(l)->exchange);
}

static void
on_eof(struct lane *l)
{
	struct client *c = client_of(l);

	if (c->exchange != NULL)
		exchange_client_eof(c->exchange);
	else
		client_close(c);
}

static void
on_broken(struct lane *l, int code, enum http_bad why)
{
	struct client *c = client_of(l);

	if (c->exchange != NULL)
		exchange_client_broken(c->exchange, code, why);
	else
		client_close(c);
}

static const struct lane_user client_user = {
	.begin = on_begin,
	.head = on_head,
	.data = on_data,
	.trailers = on_trailers,
	.end = on_end,
	.batch = on_batch,
	.drained = on_drained,
	.eof = on_eof,
	.broken = on_broken,
};
