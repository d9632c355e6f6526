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
#include "proxy/passthrough.h"
#include "proxy/preface.h"
#include "proxy/proof.h"
#include "proxy/worker.h"
#include "tls/stream.h"
#include "upstream/load.h"
#include "upstream/view.h"
#include "wire/trunk.h"

#define LINGER_US (2 * US_PER_S)
#define SHED_HEAD_US US_PER_S /* a head that will be refused in any case */
#define WRITE_LOOKS 4 /* a slow reader is looked at so often in write_us */

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
	client_drop_trunk(c);
	lane_close(&c->lane);
	deadline_clear(p->env.loop, &c->deadline);
	loop_defer(p->env.loop, &c->freeing, client_free);
	if (c->parent != NULL) {
		p->n_streams--;
		return;
	}
	TAILQ_REMOVE(&p->clients, c, link);
	p->n_clients--;
	p->n_tls -= c->over_tls;
	p->n_shaking -= c->shaking;
	p->n_accepted[c->listener]--;
	if (c->place != 0)
		callers_leave(p->env.callers, c->place);
	preface_free(c);
	proof_forget(c);
	upowner_close(&c->ups);
	proxy_client_gone(p);
}

static uint64_t
wait_limit(const struct client *c, enum client_wait wait)
{
	const struct cfg_listener *cfg = client_listener(c)->cfg;

	switch (wait) {
	case WAIT_PREFACE:
		return c->stop_asked ? MIN(c->proxy->linger_us, cfg->preface_us)
		                     : cfg->preface_us;
	case WAIT_HANDSHAKE:
		return cfg->handshake_us;
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
void
client_linger(struct client *c)
{
	conn_shut(&c->lane.conn);
	client_wait_for(c, WAIT_LINGER);
	lane_go_deaf(&c->lane);
}

/* A flood is one line of the log a second. */
static void
shake_failed(struct client *c, enum tls_fault why)
{
	struct proxy *p = c->proxy;

	stat_add(&p->view->load->cells[p->env.index].tls_failed[why], 1);
	if (!proxy_may_tell(p, &p->shake_told_us))
		return;
	log_info("event=tls_failed listener=%s client=%s why=%s",
	    client_listener(c)->cfg->name, c->peer_text, tls_fault_name(why));
}

/* A client whose certificate is not right shall hear so. */
static int
end_shake(struct client *c, int rc)
{
	struct conn *conn = &c->lane.conn;
	enum tls_fault why = tls_fault_of(conn);

	shake_failed(c, why);
	if (!tls_fault_is_of_peer(why))
		return rc;
	tls_drop(conn);
	client_linger(c);
	return E_OK;
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
	case WAIT_PREFACE:
		client_note_refusal(c, REFUSED_PREFACE_TIMEOUT, "");
		client_close(c);
		return;
	case WAIT_HANDSHAKE:
		if (!c->over_tls &&
		    client_listener(c)->cfg->tls.server == NULL) {
			passthrough_late(c);
			return;
		}
		shake_failed(c, TLS_FAULT_TIMEOUT);
		client_close(c);
		return;
	case WAIT_REQUEST:
		if (c->trunk != NULL)
			client_trunk_idle(c);
		else if (has_asked(c))
			client_wait_for(c, WAIT_REQUEST);
		else if (c->lane.greeting)
			client_close(c); /* we have said nothing either */
		else
			client_linger(c);
		return;
	case WAIT_LINGER:
		client_close(c);
		return;
	case WAIT_HEAD:
		if (c->trunk != NULL) {
			client_trunk_idle(c);
			return;
		}
		if (c->exchange == NULL)
			lane_no_preface(&c->lane);
		if (c->exchange != NULL)
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

struct http_limits
client_limits(const struct client *c)
{
	return limits_of(client_listener(c)->cfg);
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
note_refusal(struct proxy *p, unsigned listener, const struct addr *peer,
    enum conn_refusal why, const char *detail)
{
	const struct view *v = p->view;
	char host[ADDR_TEXT_MAX];

	stat_add(&p->view->unrouted->cells[p->env.index].refused[why], 1);
	if (!proxy_may_tell(p, &p->refusal_told_us))
		return;
	addr_host(peer, host);
	log_warn("event=connection_refused listener=%s client=%s why=%s%s%s%s",
	    v->listeners[MIN(listener, v->n_listeners - 1)].cfg->name, host,
	    conn_refusal_name(why), *detail == '\0' ? "" : " detail=\"", detail,
	    *detail == '\0' ? "" : "\"");
}

static void
refuse(struct proxy *p, int fd, const struct addr *peer, unsigned listener,
    enum conn_refusal why)
{
	close(fd);
	note_refusal(p, listener, peer, why, "");
}

void
client_note_refusal(struct client *c, enum conn_refusal why, const char *detail)
{
	note_refusal(c->proxy, c->listener, &c->peer, why, detail);
}

void
client_set_peer(struct client *c, const struct addr *peer)
{
	c->peer = *peer;
	/* "unix" are those on our socket, not on the balancer's. */
	c->trusted = peer->sa.sa_family != AF_UNIX &&
	    is_trusted(client_listener(c), peer);
	say_peer(c);
}

bool
client_is_welcome(struct client *c)
{
	if (gate_connection(c->proxy, &c->peer, c->listener, c->trusted,
	        &c->place))
		return true;
	client_note_refusal(c, REFUSED_ADDRESS, "");
	return false;
}

/* ---- before the first request ---- */

/* E_OK: the next one; E_AGAIN: not yet; else why the connection ends. */
typedef int stage_fn(struct client *);

static void
count_shake(struct client *c)
{
	struct proxy *p = c->proxy;
	struct load_cell *cell = &p->view->load->cells[p->env.index];
	const struct conn *conn = &c->lane.conn;
	enum tls_version v = tls_version_of(conn);
	enum tls_staple staple = tls_staple_of(conn);

	stat_add(&cell->tls_shaken[v], 1);
	stat_add(&cell->tls_resumed[v], tls_is_resumed(conn));
	proof_note(c);
	stat_add(&cell->tls_staples[staple], 1);
	if (staple == TLS_STAPLE_OVERDUE &&
	    proxy_may_tell(p, &p->shake_told_us))
		log_warn("event=ocsp_overdue listener=%s",
		    client_listener(c)->cfg->name);
}

/* The first call lays TLS over the connection. */
static int
handshake_stage(struct client *c)
{
	struct tls_server *server = client_listener(c)->cfg->tls.server;
	struct conn *conn = &c->lane.conn;
	int rc;

	if (!tls_is_on(conn) && server == NULL)
		return E_OK;
	if (!tls_is_on(conn)) {
		rc = tls_accept(conn, server);
		if (rc != E_OK) {
			client_note_refusal(c, REFUSED_MEMORY, "");
			return rc;
		}
		c->over_tls = c->shaking = true;
		c->proxy->n_tls++;
		c->proxy->n_shaking++;
		if (c->wait != WAIT_HANDSHAKE)
			client_wait_for(c, WAIT_HANDSHAKE);
	}
	rc = tls_shake(conn);
	if (rc == E_AGAIN)
		return rc;
	c->shaking = false;
	c->proxy->n_shaking--;
	if (rc != E_OK)
		return end_shake(c, rc);
	count_shake(c);
	return E_OK;
}

/* In the order of the bytes. */
static stage_fn *const stages[] = { preface_stage, passthrough_stage,
	handshake_stage };

static int
on_greet(struct lane *l)
{
	struct client *c = client_of(l);

	for (; c->stage < ARRAY_LEN(stages) && !c->passes; c->stage++) {
		int rc = stages[c->stage](c);

		if (rc != E_OK)
			return rc;
		if (c->wait == WAIT_LINGER)
			return E_OK; /* it ended, and is heard out */
	}
	if (!c->passes)
		client_wait_for(c, WAIT_REQUEST);
	return E_OK;
}

/* For what a connection waits that has not said a word yet. */
static enum client_wait
first_wait(const struct view_listener *l, bool hears)
{
	if (hears && preface_is_needed(l))
		return WAIT_PREFACE;
	if (!hears && (l->cfg->tls.server != NULL || l->cfg->passthrough))
		return WAIT_HANDSHAKE;
	return WAIT_REQUEST;
}

void
client_accept(struct proxy *p, int fd, const struct addr *peer,
    unsigned listener)
{
	const struct view_listener *l = &p->view->listeners[listener];
	struct http_limits limits = limits_of(l->cfg);
	bool trusted = is_trusted(l, peer);
	bool hears = preface_is_heard(l, trusted);
	struct client *c;
	uint32_t place = 0;

	if (is_over_limit(p, listener)) {
		refuse(p, fd, peer, listener, REFUSED_LISTENER);
		return;
	}
	if (preface_is_needed(l) && !hears) {
		refuse(p, fd, peer, listener, REFUSED_PREFACE_SOURCE);
		return;
	}
	if (!hears && !gate_connection(p, peer, listener, trusted, &place)) {
		refuse(p, fd, peer, listener, REFUSED_ADDRESS);
		return;
	}
	c = malloc(sizeof(*c));
	if (c == NULL) {
		callers_leave(p->env.callers, place);
		refuse(p, fd, peer, listener, REFUSED_MEMORY);
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
	c->preface = NULL;
	c->proof_bytes = 0;
	c->proof_read = false;
	c->ups = (struct upowner){ .idle = { NULL } };
	c->trunk = NULL;
	c->parent = NULL;
	c->deadline = (struct deadline){ .fn = on_deadline };
	c->freeing = (struct defer){ .queued = false };
	c->peer = *peer;
	say_peer(c);
	c->served = 0;
	c->listener = (uint16_t)listener;
	c->trusted = trusted;
	c->stage = 0;
	c->hears_preface = hears;
	c->passes = false;
	c->over_tls = c->shaking = false;
	c->taken = c->stuck_since_us = 0;
	c->stop_asked = p->stopping;
	TAILQ_INSERT_TAIL(&p->clients, c, link);
	p->n_clients++;
	p->n_accepted[listener]++;
	if (hears || l->cfg->tls.server != NULL || l->cfg->passthrough)
		lane_greets(&c->lane);
	/* What may come is idle until it does. */
	client_wait_for(c, first_wait(l, hears));
}

void
client_exchange_done(struct client *c, bool keep_alive)
{
	c->exchange = NULL;
	c->served++;
	if (c->lane.closed || c->parent != NULL) {
		if (!c->lane.closed)
			conn_shut(&c->lane.conn); /* a tunnel's end */
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
	if (c->trunk != NULL)
		trunk_stop(c->trunk);
	if (c->wait == WAIT_REQUEST || c->wait == WAIT_PREFACE)
		client_wait_for(c, (enum client_wait)c->wait);
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

const struct lane_user client_user = {
	.greet = on_greet,
	.preface = client_preface,
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
