/*
 * HTTP/2 clients: a connection becomes a trunk, each of its streams a client.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/overload.h"
#include "proxy/worker.h"
#include "upstream/view.h"
#include "wire/trunk.h"

_Static_assert((int)H2_FLOOD_COUNT <=
        (int)ARRAY_LEN(((struct service_cell *)0)->h2_ended),
    "each reason has its counter");

#define WINDOW_BYTES (1u << 20) /* unread, of all streams of a connection */

static void
on_stream(struct trunk *t, struct stream *s)
{
	struct client *parent = t->arg, *c;
	struct proxy *p = parent->proxy;
	struct http_limits limits = client_limits(parent);

	c = malloc(sizeof(*c));
	if (c == NULL)
		return; /* refused */
	*c = *parent;
	lane_on_stream(&c->lane, s, &client_user, &limits);
	c->exchange = NULL;
	c->trunk = NULL;
	c->parent = parent;
	c->deadline = (struct deadline){ .fn = parent->deadline.fn };
	c->freeing = (struct defer){ .queued = false };
	c->taken = c->stuck_since_us = 0;
	c->served = 0;
	c->stop_asked = p->stopping;
	p->n_streams++;
	if (!t->in_head)
		client_wait_for(parent, WAIT_NONE);
}

static void
on_idle(struct trunk *t)
{
	if (!t->in_head)
		client_wait_for(t->arg, WAIT_REQUEST);
}

/* A stream whose head has not come whole is no client yet. */
static void
on_in_head(struct trunk *t, bool in)
{
	if (in)
		client_wait_for(t->arg, WAIT_HEAD);
	else
		client_wait_for(t->arg,
		    t->n_lanes > 0 ? WAIT_NONE : WAIT_REQUEST);
}

/* Counted each time; a line of the log a second, as of refusals. */
static void
note_end(struct client *c, enum h2_flood why)
{
	struct proxy *p = c->proxy;

	stat_add(&p->view->unrouted->cells[p->env.index].h2_ended[why], 1);
	if (!proxy_may_tell(p, &p->refusal_told_us))
		return;
	log_warn("event=http2_ended client=%s why=%s", c->peer_text,
	    h2_flood_name(why));
}

static void
on_broken(struct trunk *t, int code)
{
	struct client *c = t->arg;
	enum h2_flood flood = trunk_flooded(t);

	if (flood != H2_FLOOD_COUNT)
		note_end(c, flood);
	client_drop_trunk(c);
	if (code == E_SYNTAX)
		client_linger(c);
	else
		client_close(c);
}

static const struct trunk_user trunk_user = {
	.stream = on_stream,
	.idle = on_idle,
	.in_head = on_in_head,
	.broken = on_broken,
};

void
client_preface(struct lane *l, bool whole)
{
	struct client *c = CONTAINER_OF(l, struct client, lane);
	const struct cfg_listener *cfg = client_listener(c)->cfg;
	struct h2_settings s = { .max_streams = cfg->h2_streams,
		.window = WINDOW_BYTES,
		.limits = client_limits(c) };

	if (!cfg->h2_on)
		return; /* HTTP/1 knows no such version */
	if (!whole) {
		if (c->wait == WAIT_REQUEST)
			client_wait_for(c, WAIT_HEAD);
		return;
	}
	client_wait_for(c, WAIT_REQUEST);
	if (trunk_new(&c->trunk, l, &s, &trunk_user, c) != E_OK) {
		client_close(c);
		return;
	}
	c->proxy->n_trunks++;
	if (c->stop_asked)
		trunk_stop(c->trunk);
}

void
client_drop_trunk(struct client *c)
{
	if (c->trunk == NULL)
		return;
	c->proxy->n_trunks--;
	trunk_free(&c->trunk);
}

void
client_trunk_idle(struct client *c)
{
	client_wait_for(c, WAIT_LINGER);
	trunk_close(c->trunk);
}
