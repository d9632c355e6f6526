/*
 * tunnel - after 101 both ways are raw bytes: lent from lane to lane as bodies
 * are, half-closes passed on, counted as a stream of the instance.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/passthrough.h"
#include "proxy/queue.h"
#include "proxy/websocket.h"
#include "proxy/worker.h"
#include "upstream/conncache.h"

/* A copy of s that outlives the head's slab; empty when memory is out. */
static struct str
keep(struct exchange *x, struct str s)
{
	char *p = s.len == 0 ? NULL : exchange_alloc(x, s.len);

	if (p == NULL)
		return (struct str){ NULL, 0 };
	memcpy(p, s.p, s.len);
	return str_from(p, s.len);
}

/* Keeps what the access log needs of the head and lets go of its bytes. */
static void
detach_head(struct exchange *x)
{
	static const uint8_t kept[] = { FIELD_USER_AGENT, FIELD_REFERER,
		FIELD_X_REQUEST_ID };
	struct http_head *h = &x->req;
	struct http_field copy[ARRAY_LEN(kept)];
	uint16_t n = 0;

	h->method_text = keep(x, h->method_text);
	h->target = keep(x, h->target);
	h->authority = keep(x, h->authority);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		struct str v = keep(x, http_head_value(h, kept[i]));
		struct str name = http_field_name(kept[i]);

		if (v.len == 0)
			continue;
		copy[n++] = (struct http_field){ .name = name.p,
			.name_len = (uint16_t)name.len,
			.value = v.p,
			.value_len = (uint32_t)v.len,
			.id = kept[i] };
	}
	memcpy(h->f, copy, n * sizeof(copy[0]));
	h->n = n;
	x->held_head = false;
	lane_release_head(&x->client->lane);
}

void
tunnel_begin(struct exchange *x)
{
	struct client *c = x->client;

	x->in_tunnel = true;
	x->step = STEP_TUNNEL;
	x->keep_client = x->keep_up = false;
	/* Streams have their own place in the cell and their own drain clock. */
	exchange_become_stream(x);
	if (!x->passes) {
		stat_add(&x->icell->status[STATUS_1XX], 1);
		stat_add(&x->pcell->status[STATUS_1XX], 1);
	}
	if (x->pcell->queue != NULL)
		queue_look(x->pcell->queue);
	if (x->pool->leaving)
		x->proxy->env.edge(x->proxy->env.arg, PROXY_EMPTY, NULL);
	client_wait_for(c, WAIT_NONE);
	exchange_up_progress(x);
	lane_go_raw(&x->up->lane);
	lane_go_raw(&c->lane);
	detach_head(x);
	/* Bytes that came behind the request belong to the tunnel. */
	lane_pause(&c->lane);
	lane_resume(&c->lane);
	if (x->step != STEP_ENDED)
		proxy_stream_begins(x);
}

enum outcome
tunnel_outcome(const struct exchange *x)
{
	if (x->passes)
		return passthrough_outcome(x);
	return x->ws == NULL ? OUT_TUNNELLED : websocket_outcome(x->ws);
}

void
tunnel_account(struct exchange *x)
{
	enum stream_end how = STREAM_ENDED;

	switch ((enum outcome)x->outcome) {
	case OUT_DRAIN_CLOSED:
	case OUT_STOP_CLOSED:
		how = STREAM_CLOSED;
		break;
	case OUT_DRAIN_CUT:
	case OUT_STOP_CUT:
		how = STREAM_CUT;
		break;
	default:
		break;
	}
	stat_add(&x->pcell->streams_ended[how], 1);
	if (x->passes)
		passthrough_account(x);
}

/*
 * Nobody can be told to leave, so each is cut at a moment of its own: of a
 * drain from now on, of a stop up to its deadline, which gives all time there
 * is.
 */
static void
end_by_lot(struct exchange *x, enum stream_why why, uint64_t within_us)
{
	struct proxy *p = x->proxy;
	uint64_t lot_us = within_us * random_below(1024) / 1024;

	if (x->ends_us != 0)
		return;
	x->ends_as = why == STREAM_DRAIN ? OUT_DRAIN_CUT : OUT_STOP_CUT;
	x->ends_us = why == STREAM_DRAIN
	    ? loop_now_us(p->env.loop) + lot_us
	    : p->stop_deadline.due_us - MIN(lot_us, p->stop_deadline.due_us);
	exchange_up_progress(x);
}

void
tunnel_end(struct exchange *x, enum stream_why why, uint64_t within_us)
{
	if (x->ws != NULL)
		websocket_close(x, why, within_us);
	else if (x->passes || x->is_stream)
		end_by_lot(x, why, within_us);
	else if (why == STREAM_DRAIN)
		exchange_cut(x, OUT_DRAIN_CUT);
}

void
tunnel_silent(struct exchange *x)
{
	if (x->ends_us != 0 && loop_now_us(x->proxy->env.loop) >= x->ends_us)
		exchange_cut(x, (enum outcome)x->ends_as);
	else if (x->passes)
		exchange_cut(x, passthrough_silent(x));
	else if (x->ws == NULL)
		exchange_timed_out(x, OUT_TUNNEL_TIMEOUT);
	else if (websocket_may_close(x))
		websocket_close(x, STREAM_SILENT, 0);
	else
		exchange_up_progress(x); /* its closing has its own clock */
}

bool
tunnel_from_client(struct exchange *x, struct str bytes)
{
	exchange_up_progress(x);
	if (x->ws != NULL) {
		websocket_data(x, bytes, true);
		return false;
	}
	x->bytes_in += bytes.len;
	if (lane_send_data(&x->up->lane, bytes) != E_OK)
		exchange_cut(x, OUT_INTERNAL);
	return false;
}

bool
tunnel_from_instance(struct exchange *x, struct str bytes)
{
	if (x->ws != NULL) {
		exchange_up_progress(x);
		websocket_data(x, bytes, false);
		return false;
	}
	if (x->passes)
		passthrough_hears(x);
	x->bytes_out += bytes.len;
	exchange_up_progress(x);
	if (lane_send_data(&x->client->lane, bytes) != E_OK)
		exchange_cut(x, OUT_INTERNAL);
	return false;
}

static void
finish(struct exchange *x)
{
	struct client *c = x->client;

	exchange_end(x, x->passes ? passthrough_outcome(x) : OUT_TUNNELLED);
	client_exchange_done(c, false);
}

/* Passes a half-close on once all before it has left. */
static void
pass_eof(struct exchange *x)
{
	struct lane *up = &x->up->lane, *down = &x->client->lane;

	if (x->client_eof && !lane_pending(up) && !x->up_shut) {
		x->up_shut = true;
		conn_shut(&up->conn);
	}
	if (x->up_eof && !lane_pending(down) && !x->client_shut) {
		x->client_shut = true;
		conn_shut(&down->conn);
	}
	if (x->up_shut && x->client_shut)
		finish(x);
}

void
tunnel_eof(struct exchange *x, bool from_client)
{
	if (from_client)
		x->client_eof = true;
	else
		x->up_eof = true;
	exchange_up_progress(x); /* the other half has less time now */
	if (x->ws != NULL && websocket_is_closing(x))
		websocket_heard(x);
	else
		pass_eof(x);
}

void
tunnel_drained(struct exchange *x, bool to_client)
{
	struct lane *source = to_client ? &x->up->lane : &x->client->lane;

	exchange_up_progress(x);
	exchange_wait_client(x);
	if (x->ws != NULL && websocket_is_closing(x))
		websocket_heard(x);
	else if (x->client_eof || x->up_eof)
		pass_eof(x);
	if (x->step != STEP_ENDED)
		lane_resume(source);
}
