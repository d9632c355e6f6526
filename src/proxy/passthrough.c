#include "proxy/passthrough.h"

#include <string.h>

#include "base/err.h"
#include "config/config.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/gate.h"
#include "proxy/route.h"
#include "proxy/worker.h"
#include "tls/hello.h"
#include "tls/stream.h"
#include "upstream/load.h"
#include "upstream/view.h"

/* Do services of HTTP have the listener, too? */
static bool
is_shared(const struct client *c)
{
	return client_listener(c)->cfg->tls.server != NULL;
}

bool
passthrough_looks(const struct client *c)
{
	return client_listener(c)->cfg->passthrough &&
	    (c->proxy->view->passes.n > 0 || !is_shared(c));
}

bool
passthrough_has(const struct client *c, struct str host)
{
	return tls_is_on(client_conn(c)) &&
	    client_listener(c)->cfg->passthrough &&
	    view_passes(c->proxy->view, host, true) != NULL;
}

/* ---- the hello ---- */

/*
 * There is no exchange, and none will be.  Listeners that are shared leave it
 * to TLS to say what is wrong.
 */
static int
refuse(struct client *c, enum conn_refusal why, enum hello_alert alert,
    const char *detail)
{
	char bytes[HELLO_ALERT];
	struct iovec iov = { bytes, sizeof(bytes) };

	if (is_shared(c))
		return E_OK;
	client_note_refusal(c, why, detail);
	c->passes = true;
	hello_alert(alert, bytes);
	if (conn_sendv(&c->lane.conn, &iov, 1) < 0)
		return E_RESET;
	client_linger(c);
	return E_OK;
}

/* There are bytes, but not all: will the rest come? */
static int
wait_for_rest(struct client *c)
{
	if (c->lane.conn.fin_seen)
		return refuse(c, REFUSED_HELLO_BAD, ALERT_DECODE_ERROR,
		    "it is cut short");
	if (c->wait != WAIT_HANDSHAKE)
		client_wait_for(c, WAIT_HANDSHAKE);
	return E_AGAIN;
}

/* The whole connection becomes an exchange. */
static int
pass(struct client *c, const struct view_service *vs, struct str name)
{
	struct exchange *x = exchange_begin(c);
	char *kept;

	if (x == NULL) {
		client_note_refusal(c, REFUSED_MEMORY, "");
		return E_NOMEM;
	}
	c->exchange = x;
	c->passes = x->passes = true;
	kept = exchange_alloc(x, name.len);
	if (kept != NULL && name.len > 0)
		x->req.authority = str_from(memcpy(kept, name.p, name.len),
		    name.len);
	x->req.has_authority = true; /* even if it is none */
	x->head_us = x->begun_us;
	client_wait_for(c, WAIT_NONE);
	route_passthrough(x, vs);
	if (gate_is_too_fast(x, client_listener(c)->cfg))
		exchange_refuse(x, 429, OUT_RATE_LIMITED);
	else if (x->shed)
		exchange_shed(x);
	else
		exchange_go(x);
	return E_OK;
}

int
passthrough_stage(struct client *c)
{
	char bytes[HELLO_MAX];
	struct hello h;
	enum hello_fault fault;
	const struct view_service *vs;
	ssize_t n, used;

	if (!passthrough_looks(c))
		return E_OK;
	n = conn_peek(&c->lane.conn, bytes, sizeof(bytes));
	if (n == 0)
		return E_EOF;
	if (n == E_AGAIN)
		return wait_for_rest(c);
	if (n < 0)
		return (int)n;
	used = hello_read(str_from(bytes, (size_t)n), &h, &fault);
	if (used == 0)
		return wait_for_rest(c);
	if (used < 0)
		return refuse(c, REFUSED_HELLO_BAD, ALERT_DECODE_ERROR,
		    hello_fault_text(fault));
	vs = view_passes(c->proxy->view, str_from(h.name, h.name_len),
	    is_shared(c));
	if (vs == NULL)
		return refuse(c, REFUSED_HELLO_NAME, ALERT_UNRECOGNIZED_NAME,
		    h.name);
	return pass(c, vs, str_from(h.name, h.name_len));
}

void
passthrough_late(struct client *c)
{
	client_note_refusal(c, REFUSED_HELLO_TIMEOUT, "");
	client_close(c);
}

/* ---- the exchange ---- */

int
passthrough_answer(struct exchange *x)
{
	char bytes[HELLO_ALERT];

	hello_alert(ALERT_INTERNAL_ERROR, bytes);
	return lane_send_copy(&x->client->lane, str_from(bytes, sizeof(bytes)));
}

void
passthrough_connected(struct exchange *x)
{
	stat_add(&x->icell->requests, 1);
	x->req_done = x->sent_head = x->answer_sent = true;
	tunnel_begin(x);
}

void
passthrough_hears(struct exchange *x)
{
	if (x->bytes_out > 0)
		return;
	x->first_us = loop_now_us(x->proxy->env.loop);
	stat_add(&x->icell->passed, 1);
}

enum outcome
passthrough_outcome(const struct exchange *x)
{
	if (x->bytes_out > 0)
		return OUT_TUNNELLED;
	return x->up_eof ? OUT_INSTANCE_RESET : OUT_CLIENT_LEFT;
}

uint64_t
passthrough_silence_us(const struct exchange *x)
{
	return x->bytes_out == 0 ? x->first_byte_us : x->tunnel_us;
}

enum outcome
passthrough_silent(const struct exchange *x)
{
	return x->bytes_out == 0 ? OUT_FIRST_BYTE_TIMEOUT : OUT_TUNNEL_TIMEOUT;
}

void
passthrough_account(struct exchange *x)
{
	if (x->outcome == OUT_INSTANCE_RESET)
		stat_add(&x->icell->resets, 1);
	if (x->outcome == OUT_INSTANCE_RESET ||
	    x->outcome == OUT_FIRST_BYTE_TIMEOUT)
		exchange_note_fault(x);
}
