/*
 * The instance's side of an exchange: what its connection tells.
 */
#include <assert.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "http/h1_write.h"
#include "proxy/artifact.h"
#include "proxy/asset.h"
#include "proxy/bridge.h"
#include "proxy/client.h"
#include "proxy/cookies.h"
#include "proxy/edit.h"
#include "proxy/exchange.h"
#include "proxy/forward.h"
#include "proxy/grpc.h"
#include "proxy/keeping.h"
#include "proxy/login.h"
#include "proxy/mirror.h"
#include "proxy/passthrough.h"
#include "proxy/preface.h"
#include "proxy/websocket.h"
#include "proxy/worker.h"
#include "upstream/conncache.h"

#define INTERIMS_MAX 100 /* before one answer */

static struct exchange *
exchange_of(struct lane *l)
{
	struct exchange *x = CONTAINER_OF(l, struct upconn, lane)->user;

	assert(x == NULL || x->magic == EXCHANGE_MAGIC);
	return x;
}

/* ---- the request ---- */

/* What was read before it was known where it goes. */
static bool
send_form(struct exchange *x)
{
	struct str form = artifact_form_read(x);

	x->body_taken |= form.len > 0;
	return form.len == 0 || lane_send_data(&x->up->lane, form) == E_OK;
}

void
exchange_send(struct exchange *x)
{
	struct lane *l = &x->up->lane;
	unsigned flags = exchange_may_upgrade(x) ? H1W_UPGRADE : 0;

	l->method = x->req.method;
	x->step = STEP_SEND;
	bridge_renew_key(x);
	exchange_up_waits(x, x->first_byte_us);
	stat_add(&x->icell->requests, 1);
	if ((x->cookie_spaces ? cookies_send_head(x, l, flags)
	                      : lane_send_head(l, &x->req, x->req.framing,
	                            flags)) != E_OK ||
	    (x->forms != NULL && !send_form(x)) ||
	    (x->req_done && lane_send_end(l, NULL) != E_OK)) {
		exchange_refuse(x, 503, OUT_INTERNAL);
		return;
	}
	x->sent_head = true;
}

/* In the order of the bytes. */
static int
on_greet(struct lane *l)
{
	struct exchange *x = exchange_of(l);
	int rc = preface_send(x->client, x->send_proxy, x->up);

	return rc == E_OK ? upconn_shake(x->up) : rc;
}

static void
on_connected(struct lane *l, int code)
{
	struct exchange *x = exchange_of(l);

	if (code == E_OK)
		code = upconn_connected(&x->up);
	if (code != E_OK) {
		exchange_try_failed(x, code, OUT_CONNECT_FAILED);
		return;
	}
	if (x->passes) {
		passthrough_connected(x);
		return;
	}
	exchange_send(x);
	if (x->step == STEP_SEND && exchange_flush_up(x) &&
	    x->step == STEP_SEND)
		lane_resume(&x->client->lane);
}

static void
on_drained(struct lane *l)
{
	struct exchange *x = exchange_of(l);

	if (x == NULL)
		return;
	if (x->in_tunnel) {
		tunnel_drained(x, false);
		return;
	}
	exchange_wait_client(x);
	exchange_up_progress(x);
	lane_resume(&x->client->lane);
}

/* ---- the answer ---- */

void
exchange_up_progress(struct exchange *x)
{
	uint64_t limit_us = x->progress_us;

	if (x->step == STEP_SEND)
		limit_us = x->first_byte_us;
	else if (x->in_tunnel && !x->client_eof && !x->up_eof)
		limit_us = x->passes ? passthrough_silence_us(x) : x->tunnel_us;
	exchange_up_waits(x, limit_us);
}

static void
on_begin(struct lane *l)
{
	struct exchange *x = exchange_of(l);

	if (l->sent == x->up->sent_before) {
		/* It answers what we have not asked, as a 408 on idle does. */
		exchange_try_failed(x, E_EOF, OUT_INSTANCE_RESET);
		return;
	}
	x->answer_begun = true;
	if (x->first_us == 0)
		x->first_us = loop_now_us(x->proxy->env.loop);
}

static void
malformed(struct exchange *x, enum http_bad why)
{
	log_warn("instance=%s event=malformed_answer why=%s",
	    x->inst->addr_text, http_bad_name(why));
	stat_add(&x->icell->malformed, 1);
	exchange_note_fault(x);
	exchange_abort(x, 502, OUT_INSTANCE_MALFORMED);
}

/*
 * 1xx: on to the client, if it can read them; never the end.  Without a bound
 * those that a slow client does not take would pile up.
 */
static void
on_interim(struct exchange *x, struct http_head *h)
{
	x->interim = true;
	if (++x->n_interims > INTERIMS_MAX) {
		malformed(x, BAD_STATUS);
		return;
	}
	x->awaits_continue = false;
	if (x->req.minor == 0)
		return;
	http_head_drop_hop_by_hop(h);
	if ((x->cookie_spaces && cookies_answer(x, h) != E_OK) ||
	    lane_send_head(&x->client->lane, h, FRAMING_NONE, 0) != E_OK)
		exchange_abort(x, 503, OUT_INTERNAL);
}

static void
on_switching(struct exchange *x, struct http_head *h)
{
	bool is_websocket = websocket_is(h); /* before the field is dropped */

	if (!exchange_may_upgrade(x)) {
		malformed(x, BAD_STATUS);
		return;
	}
	if (bridge_is_on(x) && !bridge_agrees(x, h)) {
		malformed(x, BAD_ACCEPT);
		return;
	}
	if (forward_answer(x, h) != E_OK ||
	    lane_send_head(&x->client->lane, h, FRAMING_NONE, H1W_UPGRADE) !=
	        E_OK) {
		exchange_abort(x, 502, OUT_INTERNAL);
		return;
	}
	x->status = bridge_is_on(x) ? 200 : 101; /* RFC 8441 5 */
	x->answer_sent = true;
	if (is_websocket)
		websocket_begin(x);
	tunnel_begin(x);
}

/* How the client will know the end of the answer. */
static enum http_framing
client_framing(struct exchange *x, const struct http_head *h)
{
	if (h->framing == FRAMING_NONE || h->framing == FRAMING_LENGTH)
		return h->framing;
	if (x->req.minor >= 1)
		return FRAMING_CHUNKED;
	x->keep_client = false;
	return FRAMING_CLOSE;
}

/* Who looks at answers of watched services sees this head ... */
static NOINLINE void
watch_head(struct exchange *x, const struct http_head *h)
{
	keeping_head(x, h);
	login_hear(x, h);
	artifact_head(x, h);
}

static void
on_final(struct exchange *x, struct http_head *h)
{
	enum http_framing framing = client_framing(x, h);
	unsigned flags = 0;

	if (x->watched && x->asset != 0 && asset_hear(x, h->status))
		return;
	if (h->status >= 400 && exchange_try_elsewhere(x, h->status))
		return;
	if (bridge_is_misled(x, h->status)) {
		exchange_abort(x, 501, OUT_NOT_SUPPORTED);
		return;
	}
	x->status = h->status;
	x->keep_up = h->keep_alive && h->framing != FRAMING_CLOSE;
	upconn_hear(x->up, h);
	if (x->grpc)
		grpc_hear(x, h);
	if (!x->req_done)
		x->keep_client = false; /* an early answer */
	if (x->client->stop_asked)
		x->keep_client = false;
	if (x->watched)
		watch_head(x, h);
	if (!x->keep_client)
		flags |= H1W_CLOSE;
	else if (x->req.minor == 0)
		flags |= H1W_KEEP_ALIVE;
	if (forward_answer(x, h) != E_OK ||
	    lane_send_head(&x->client->lane, h, framing, flags) != E_OK) {
		exchange_abort(x, 502, OUT_INTERNAL);
		return;
	}
	x->answer_sent = true;
	if (x->watched)
		mirror_begin(x, h->status);
	x->step = STEP_ANSWER;
	exchange_up_waits(x, x->progress_us);
}

static void
on_head(struct lane *l, struct http_head *h)
{
	struct exchange *x = exchange_of(l);

	if (x == NULL)
		return;
	x->interim = false;
	if (h->status == 101)
		on_switching(x, h);
	else if (h->status < 200)
		on_interim(x, h);
	else
		on_final(x, h);
}

/* ... and what of its body, and that it is whole. */
static NOINLINE void
watch_data(struct exchange *x, struct str bytes)
{
	if (x->copy != NULL)
		keeping_data(x, bytes);
	if (x->forms != NULL)
		artifact_data(x, bytes);
}

static NOINLINE void
watch_end(struct exchange *x)
{
	if (x->copy != NULL)
		keeping_end(x);
	if (x->forms != NULL)
		artifact_end(x);
}

static bool
on_data(struct lane *l, struct str bytes)
{
	struct exchange *x = exchange_of(l);

	if (x == NULL)
		return true;
	if (x->in_tunnel)
		return tunnel_from_instance(x, bytes);
	x->bytes_out += bytes.len;
	if (x->watched)
		watch_data(x, bytes);
	if (lane_send_data(&x->client->lane, bytes) != E_OK) {
		exchange_abort(x, 503, OUT_INTERNAL);
		return true;
	}
	return !lane_is_full(&x->client->lane);
}

static void
on_trailers(struct lane *l, struct http_head *h)
{
	struct exchange *x = exchange_of(l);

	if (x == NULL)
		return;
	x->answer_trailed = true;
	if (x->grpc)
		grpc_hear(x, h);
	edit_answer_trailers(x, h);
	if (lane_send_end(&x->client->lane, h) != E_OK)
		exchange_abort(x, 503, OUT_INTERNAL);
}

/* Sends what the client's queue holds; false while it is stuck or gone. */
static bool
flush_client(struct exchange *x)
{
	int rc = lane_flush(&x->client->lane);

	if (rc != E_OK) {
		exchange_client_broken(x, rc, BAD_NONE);
		return true; /* nothing is left to wait for */
	}
	exchange_wait_client(x);
	return !lane_pending(&x->client->lane);
}

static void
on_end(struct lane *l)
{
	struct exchange *x = exchange_of(l);

	if (x == NULL || x->in_tunnel)
		return;
	if (x->interim) {
		(void)flush_client(x); /* stuck or not: it was copied */
		if (x->step != STEP_ENDED)
			lane_next(l);
		return;
	}
	if (!x->answer_trailed &&
	    lane_send_end(&x->client->lane, NULL) != E_OK) {
		exchange_abort(x, 503, OUT_INTERNAL);
		return;
	}
	x->answer_done = true;
	if (x->watched)
		watch_end(x);
	if (flush_client(x) && x->step != STEP_ENDED)
		exchange_maybe_finish(x);
	else if (x->step != STEP_ENDED)
		x->step = STEP_FLUSH;
}

static bool
on_batch(struct lane *l)
{
	struct exchange *x = exchange_of(l);

	if (x == NULL)
		return true;
	if (x->step == STEP_ANSWER)
		exchange_up_progress(x);
	return flush_client(x);
}

/* ---- failures ---- */

void
exchange_up_broken(struct exchange *x, int code)
{
	if (x->ws != NULL && websocket_is_closing(x)) {
		websocket_up_broken(x);
		return;
	}
	if (x->in_tunnel) {
		struct client *c = x->client;

		x->up_eof = true;
		exchange_end(x,
		    code == E_NOMEM ? OUT_INTERNAL : tunnel_outcome(x));
		client_cut(c);
		return;
	}
	if (x->answer_done) {
		x->keep_up = false;
		return; /* its last bytes are still on their way: no harm */
	}
	if (x->answer_sent) {
		exchange_abort(x, 502, OUT_INSTANCE_CUT);
		return;
	}
	exchange_try_failed(x, code, OUT_INSTANCE_RESET);
}

static void
on_eof(struct lane *l)
{
	struct exchange *x = exchange_of(l);

	if (x == NULL)
		return;
	if (x->in_tunnel)
		tunnel_eof(x, false);
	else
		exchange_up_broken(x, E_EOF);
}

static void
on_broken(struct lane *l, int code, enum http_bad why)
{
	struct exchange *x = exchange_of(l);

	if (x == NULL)
		return;
	if (code == E_SYNTAX)
		malformed(x, why);
	else
		exchange_up_broken(x, code);
}

/* Is it the client's body that is waited for?  That has its own clock. */
static bool
client_is_slow(const struct exchange *x)
{
	return !x->req_done && !x->awaits_continue && !x->grpc &&
	    !lane_pending(&x->up->lane);
}

/* Does the instance still take bytes of a request it cannot take at once? */
static bool
still_takes(struct exchange *x)
{
	uint64_t taken, before = x->up_taken;

	if (!lane_pending(&x->up->lane))
		return false;
	taken = lane_taken(&x->up->lane);
	x->up_taken = taken;
	return taken != before;
}

void
exchange_up_deadline(struct deadline *d)
{
	struct exchange *x = CONTAINER_OF(d, struct upconn, deadline)->user;

	if (x->grpc && grpc_looked(x))
		return;
	switch ((enum exchange_step)x->step) {
	case STEP_CONNECT:
		exchange_timed_out(x, OUT_CONNECT_TIMEOUT);
		return;
	case STEP_SEND:
		if (client_is_slow(x) || still_takes(x)) {
			exchange_up_progress(x);
			return;
		}
		exchange_timed_out(x, OUT_FIRST_BYTE_TIMEOUT);
		return;
	case STEP_ANSWER:
		if (lane_pending(&x->client->lane)) {
			exchange_up_progress(x);
			return;
		}
		exchange_timed_out(x, OUT_ANSWER_TIMEOUT);
		return;
	case STEP_TUNNEL:
		tunnel_silent(x);
		return;
	case STEP_HEAD:
	case STEP_FORM:
	case STEP_LOOKUP:
	case STEP_PARK:
	case STEP_QUEUE:
	case STEP_HOLD:
	case STEP_FLUSH:
	case STEP_ENDED:
	case EXCHANGE_STEP_COUNT:
		return;
	}
}

const struct lane_user exchange_up_user = {
	.greet = on_greet,
	.connected = on_connected,
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
