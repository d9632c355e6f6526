/*
 * The life of an exchange, seen from the client's side: begin, route, refuse,
 * end.  The instance's side is exchange_up.c, tries are exchange_try.c.
 */
#include "proxy/exchange.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "proxy/acme.h"
#include "proxy/answer.h"
#include "proxy/artifact.h"
#include "proxy/bridge.h"
#include "proxy/client.h"
#include "proxy/edit.h"
#include "proxy/forward.h"
#include "proxy/gate.h"
#include "proxy/grpc.h"
#include "proxy/health.h"
#include "proxy/keyset.h"
#include "proxy/overload.h"
#include "proxy/passthrough.h"
#include "proxy/preface.h"
#include "proxy/redirect.h"
#include "proxy/route.h"
#include "proxy/websocket.h"
#include "proxy/worker.h"
#include "tls/stream.h"
#include "upstream/conncache.h"
#include "upstream/load.h"
#include "upstream/view.h"

#define X(id, name) [STEP_##id] = (name),
static const char *const step_names[] = { EXCHANGE_STEPS(X) };
#undef X

const char *
exchange_step_name(enum exchange_step s)
{
	return step_names[s];
}

/* ---- memory ---- */

static struct exchange *
exchange_new(struct proxy *p)
{
	/* Of whose bytes most are in the cache. */
	struct exchange *x = TAILQ_LAST(&p->spare, exchange_list);

	if (x != NULL) {
		TAILQ_REMOVE(&p->spare, x, link);
		p->n_spare--;
	} else {
		x = malloc(sizeof(*x));
		if (x == NULL)
			return NULL;
		p->n_exchanges++;
	}
	memset(x, 0, offsetof(struct exchange, arena));
	x->magic = EXCHANGE_MAGIC;
	memset(&x->req, 0, offsetof(struct http_head, f));
	return x;
}

char *
exchange_alloc(struct exchange *x, size_t len)
{
	struct spill *s;

	if (len <= EXCHANGE_ARENA - x->arena_used) {
		char *p = x->arena + x->arena_used;

		x->arena_used += (uint32_t)len;
		return p;
	}
	s = malloc(sizeof(*s) + len);
	if (s == NULL)
		return NULL;
	s->bytes = len;
	x->proxy->spilled_bytes += len;
	s->next = x->spill;
	x->spill = s;
	return s->data;
}

/* Reused only after this turn: callers up the stack may still look at it. */
static void
exchange_retire(struct exchange *x)
{
	struct proxy *p = x->proxy;

	websocket_free(x);
	if (x->forms != NULL)
		artifact_free(x);
	if (x->copy != NULL)
		copy_unref(&x->copy);
	while (x->spill != NULL) {
		struct spill *s = x->spill;

		x->spill = s->next;
		p->spilled_bytes -= s->bytes;
		free(s);
	}
	TAILQ_REMOVE(&p->exchanges, x, link);
	TAILQ_INSERT_TAIL(&p->ended, x, link);
	p->n_spare++;
}

/* They are in the order in which they became spare. */
static void
drop_oldest(struct proxy *p, size_t n)
{
	for (; n > 0; n--) {
		struct exchange *x = TAILQ_FIRST(&p->spare);

		TAILQ_REMOVE(&p->spare, x, link);
		p->n_spare--;
		p->n_exchanges--;
		free(x);
	}
}

void
exchange_trim_spare(struct proxy *p, size_t keep)
{
	TAILQ_CONCAT(&p->spare, &p->ended, link);
	if (p->n_spare > keep)
		drop_oldest(p, p->n_spare - keep);
}

void
exchange_tidy(struct proxy *p)
{
	struct exchange *x;
	size_t aged = 0;

	TAILQ_FOREACH (x, &p->spare, link) {
		aged += x->aged;
		x->aged = true;
	}
	drop_oldest(p, aged);
}

/* ---- begin ---- */

struct exchange *
exchange_begin(struct client *c)
{
	struct proxy *p = c->proxy;
	struct exchange *x = exchange_new(p);

	if (x == NULL)
		return NULL;
	x->proxy = p;
	x->client = c;
	x->service = p->view->unrouted;
	x->scell = &x->service->cells[p->env.index];
	x->begun_us = loop_now_us(p->env.loop);
	x->shed = overload_sheds(p);
	TAILQ_INSERT_TAIL(&p->exchanges, x, link);
	return x;
}

/* A protocol that would speak HTTP past us: its requests would meet no rule. */
static bool
is_http(struct str protocol)
{
	return str_casestarts(protocol, STR("h2")) ||
	    str_casestarts(protocol, STR("http")) ||
	    str_casestarts(protocol, STR("tls"));
}

static bool
may_tunnel(const struct http_head *h)
{
	if (!h->upgrade || h->minor == 0 || h->framing != FRAMING_NONE)
		return false;
	for (unsigned i = 0; i < h->n; i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);
		struct str protocol;

		if (h->f[i].id != FIELD_UPGRADE)
			continue;
		while (str_list_next(&rest, &protocol))
			if (is_http(protocol))
				return false;
	}
	return true;
}

/* A trusted proxy's word, nearer to the client, comes before a balancer's. */
static bool
used_tls(const struct exchange *x, const struct http_head *h)
{
	if (x->client->trusted && HTTP_HAS(h, X_FORWARDED_PROTO))
		return str_caseeq(http_head_value(h, FIELD_X_FORWARDED_PROTO),
		    STR("https"));
	return preface_says_tls(x->client) || tls_is_on(client_conn(x->client));
}

static void
keep_head(struct exchange *x, const struct http_head *h)
{
	memcpy(&x->req, h,
	    offsetof(struct http_head, f) + h->n * sizeof(h->f[0]));
	lane_hold_head(&x->client->lane);
	x->held_head = true;
	x->head_us = loop_now_us(x->proxy->env.loop);
	x->keep_client = h->keep_alive;
	x->tunnel_asked = may_tunnel(h);
	x->awaits_continue = h->expect_continue;
	x->grpc = h->h2 && grpc_is(h);
	x->grpc_status = GRPC_UNSAID;
	x->tls_client = used_tls(x, h);
}

static void
refuse_route(struct exchange *x, int rc)
{
	switch (rc) {
	case E_NOENT:
		exchange_refuse(x, 404, OUT_NO_SERVICE);
		return;
	case E_UNREACH:
	case E_STATE:
		exchange_refuse(x, 421, OUT_NO_SERVICE);
		return;
	case E_TOOBIG:
		exchange_refuse(x, 414, OUT_TOO_LARGE);
		return;
	default:
		x->bad = BAD_TARGET;
		exchange_refuse(x, 400, OUT_BAD_REQUEST);
		return;
	}
}

static void
refuse_forward(struct exchange *x, int rc)
{
	switch (rc) {
	case E_FULL:
	case E_TOOBIG:
		exchange_refuse(x, 431, OUT_TOO_LARGE);
		return;
	case E_RANGE:
		exchange_refuse(x, 508, OUT_NOT_SUPPORTED);
		return;
	case E_UNSUPPORTED: /* we are asked ourselves */
		exchange_refuse(x, 501, OUT_NOT_SUPPORTED);
		return;
	default:
		exchange_refuse(x, 503, OUT_INTERNAL);
		return;
	}
}

/* To TLS; why not, if there is no host in it. */
static void
redirect(struct exchange *x, int status)
{
	if (status < 0) {
		exchange_refuse(x, 503, OUT_INTERNAL);
		return;
	}
	if (status == 400)
		x->bad = BAD_HOST_MISSING;
	exchange_refuse(x, (unsigned)status,
	    status == 400 ? OUT_BAD_REQUEST : OUT_REDIRECTED);
}

/* There is no memory for it; a connection less is some more. */
void
exchange_shed(struct exchange *x)
{
	struct proxy *p = x->proxy;

	stat_add(&p->view->load->cells[p->env.index].shed, 1);
	x->keep_client = false;
	exchange_refuse(x, 503, OUT_OVERLOAD);
}

void
exchange_head(struct exchange *x, const struct http_head *h)
{
	enum outcome why;
	/* What a listener has of its own is looked for only if it has it. */
	const struct cfg_listener *l = client_listener(x->client)->cfg;
	unsigned status;
	int rc, to = 0;

	keep_head(x, h);
	client_wait_for(x->client, WAIT_NONE);
	if (h->method == METHOD_CONNECT) {
		x->keep_client = false; /* no HTTP may follow */
		exchange_refuse(x, 405, OUT_NOT_SUPPORTED);
		return;
	}
	if (l->health_path != NULL && health_is_asked(x, l)) {
		exchange_refuse(x, health_status(x->proxy), OUT_HEALTH);
		return;
	}
	rc = route_service(x);
	if (l->clients.requests_per_second != 0 && gate_is_too_fast(x, l)) {
		exchange_refuse(x, 429, OUT_RATE_LIMITED);
		return;
	}
	if (l->acme_dir != NULL && acme_is_asked(x, l)) {
		exchange_refuse(x, 200, OUT_ACME);
		return;
	}
	if (l->redirect != CFG_REDIRECT_OFF && (rc == E_OK || rc == E_STATE))
		to = redirect_status(x, l);
	if (to != 0) {
		redirect(x, to);
		return;
	}
	if (rc != E_OK) {
		refuse_route(x, rc);
		return;
	}
	status = gate_refuses(x, &why);
	if (status != 0) {
		exchange_refuse(x, status, why);
		return;
	}
	if (x->shed) {
		exchange_shed(x);
		return;
	}
	if (x->grpc)
		grpc_begin(x);
	if (x->body_max != 0 && h->framing == FRAMING_LENGTH &&
	    h->body_len > x->body_max) {
		exchange_refuse(x, 413, OUT_TOO_LARGE);
		return;
	}
	rc = forward_request(x);
	if (rc != E_OK) {
		refuse_forward(x, rc);
		return;
	}
	if (x->watched && (keyset_answers(x) || artifact_begin(x)))
		return;
	exchange_go(x);
}

/* ---- the request's body ---- */

bool
exchange_flush_up(struct exchange *x)
{
	int rc;

	if (x->up == NULL || x->step == STEP_CONNECT)
		return true;
	rc = lane_flush(&x->up->lane);
	if (rc != E_OK && x->in_tunnel) {
		exchange_up_broken(x, rc);
		return true;
	}
	if (rc != E_OK) {
		lane_hear_out(&x->up->lane);
		return true;
	}
	exchange_wait_client(x);
	return !lane_pending(&x->up->lane);
}

/* There is no instance: its form is read, or the rest is thrown away. */
static NOINLINE bool
keep_body(struct exchange *x, struct str bytes)
{
	if (x->step != STEP_FORM)
		return true;
	x->bytes_in += bytes.len;
	x->awaits_continue = false;
	if (x->body_max != 0 && x->bytes_in > x->body_max)
		exchange_abort(x, 413, OUT_TOO_LARGE);
	else
		artifact_form(x, bytes);
	return true;
}

bool
exchange_body(struct exchange *x, struct str bytes)
{
	if (x->in_tunnel)
		return tunnel_from_client(x, bytes);
	if (x->up == NULL)
		return keep_body(x, bytes);
	x->bytes_in += bytes.len;
	if (x->body_max != 0 && x->bytes_in > x->body_max) {
		exchange_abort(x, 413, OUT_TOO_LARGE);
		return true;
	}
	x->body_taken = true;
	x->awaits_continue = false;
	if (lane_send_data(&x->up->lane, bytes) != E_OK) {
		exchange_abort(x, 503, OUT_INTERNAL);
		return true;
	}
	if (x->step == STEP_SEND || x->is_stream)
		exchange_up_progress(x);
	return !lane_is_full(&x->up->lane);
}

void
exchange_trailers(struct exchange *x, struct http_head *h)
{
	if (x->up == NULL || x->in_tunnel)
		return;
	x->body_taken = true;
	x->req_trailed = true;
	edit_request_trailers(x, h);
	if (lane_send_end(&x->up->lane, h) != E_OK)
		exchange_abort(x, 503, OUT_INTERNAL);
}

void
exchange_request_end(struct exchange *x)
{
	x->req_done = true;
	if (x->up == NULL || x->step == STEP_CONNECT) {
		if (x->step == STEP_FORM)
			artifact_form_end(x);
		return;
	}
	if (!x->req_trailed && lane_send_end(&x->up->lane, NULL) != E_OK) {
		exchange_abort(x, 503, OUT_INTERNAL);
		return;
	}
	(void)exchange_flush_up(x);
}

void
exchange_wait_client(struct exchange *x)
{
	struct client *c = x->client;
	enum client_wait w = WAIT_NONE;

	if (lane_pending(&c->lane)) {
		if (c->wait == WAIT_WRITE)
			return; /* its clock runs */
		w = WAIT_WRITE;
	} else if (x->step == STEP_SEND && !x->req_done && !x->grpc &&
	    !x->awaits_continue && !lane_pending(&x->up->lane)) {
		w = WAIT_BODY;
	}
	client_wait_for(c, w);
}

/* ---- our own answers ---- */

unsigned
exchange_status(enum outcome why)
{
	switch (why) {
	case OUT_CONNECT_FAILED:
		return 503;
	case OUT_CONNECT_TIMEOUT:
	case OUT_FIRST_BYTE_TIMEOUT:
		return 504;
	case OUT_DRAIN_CUT:
	case OUT_STOP_CUT:
	case OUT_QUEUE_TIMEOUT:
	case OUT_HOLD_FULL:
	case OUT_HOLD_TIMEOUT:
		return 503;
	default:
		return 502;
	}
}

void
exchange_refuse(struct exchange *x, unsigned status, enum outcome why)
{
	struct lane *l = &x->client->lane;
	int rc;

	assert(!x->answer_sent);
	if (bridge_is_misled(x, status))
		status = 501; /* we are asked for a WebSocket ourselves */
	if (x->inst != NULL)
		exchange_note_instance(x);
	if (why == OUT_INSTANCE_RESET && x->up != NULL &&
	    upconn_is_raced(x->up))
		stat_add(&x->icell->lost, 1);
	exchange_release(x, false);
	x->outcome = (uint8_t)why;
	x->status = x->passes ? 0 : (uint16_t)status;
	x->answer_sent = x->answer_done = true;
	x->step = STEP_FLUSH;
	/* What follows an unread body cannot be told from the body. */
	if (!x->held_head || (x->req.framing != FRAMING_NONE && !x->req_done))
		x->keep_client = false;
	x->refused = true;
	lane_pause(l);
	rc = x->passes ? passthrough_answer(x) : answer_send(x, status);
	if (rc != E_OK || lane_flush(l) != E_OK) {
		struct client *c = x->client;

		exchange_end(x, why);
		client_cut(c);
		return;
	}
	exchange_maybe_finish(x);
}

void
exchange_abort(struct exchange *x, unsigned status, enum outcome why)
{
	struct client *c = x->client;

	if (!x->answer_sent) {
		exchange_refuse(x, status, why);
		return;
	}
	if (grpc_finish(x, why))
		return;
	exchange_end(x, why);
	client_cut(c);
}

void
exchange_cut(struct exchange *x, enum outcome why)
{
	exchange_abort(x, exchange_status(why), why);
}

void
exchange_timed_out(struct exchange *x, enum outcome why)
{
	switch (why) {
	case OUT_HEAD_TIMEOUT:
	case OUT_BODY_TIMEOUT:
		if (x->shed)
			exchange_shed(x);
		else
			exchange_abort(x, 408, why);
		return;
	case OUT_CONNECT_TIMEOUT:
	case OUT_FIRST_BYTE_TIMEOUT:
		exchange_try_failed(x, E_TIMEOUT, why);
		return;
	case OUT_QUEUE_TIMEOUT:
		exchange_abort(x, 503, why);
		return;
	default:
		exchange_abort(x, 504, why);
		return;
	}
}

/* ---- what the client does ---- */

static enum outcome
outcome_of_status(unsigned status)
{
	switch (status) {
	case 413:
	case 414:
	case 431:
		return OUT_TOO_LARGE;
	case 501:
	case 505:
		return OUT_NOT_SUPPORTED;
	default:
		return OUT_BAD_REQUEST;
	}
}

void
exchange_client_broken(struct exchange *x, int code, enum http_bad why)
{
	struct client *c = x->client;

	if (code == E_SYNTAX) {
		unsigned status = http_bad_status(why);

		x->bad = (uint8_t)why;
		exchange_abort(x, status, outcome_of_status(status));
		return;
	}
	exchange_end(x,
	    code == E_NOMEM    ? OUT_INTERNAL
	        : x->in_tunnel ? tunnel_outcome(x)
	                       : OUT_CLIENT_LEFT);
	client_cut(c);
}

void
exchange_client_eof(struct exchange *x)
{
	if (x->in_tunnel)
		tunnel_eof(x, true);
	else
		exchange_client_broken(x, E_EOF, BAD_NONE);
}

void
exchange_client_drained(struct exchange *x)
{
	if (x->in_tunnel) {
		tunnel_drained(x, true);
		return;
	}
	if (x->answer_done) {
		exchange_maybe_finish(x);
	} else if (x->up != NULL) {
		exchange_wait_client(x);
		exchange_up_progress(x);
		lane_resume(&x->up->lane);
	}
}

/* ---- end ---- */

void
exchange_count_status(stat_u64 *cells, unsigned status)
{
	if (status >= 100 && status < 600)
		stat_add(&cells[status / 100 - 1], 1);
}

void
exchange_account_instance(struct exchange *x)
{
	uint64_t took;

	if (x->inst == NULL || x->status == 0 || x->in_tunnel)
		return;
	took = loop_now_us(x->proxy->env.loop) - x->head_us;
	exchange_count_status(x->icell->status, x->status);
	exchange_count_status(x->pcell->status, x->status);
	if (x->is_stream)
		return; /* its length says nothing of the instance */
	hist_add(&x->icell->latency, took);
	hist_add(&x->pcell->latency, took);
}

/* Its answer was counted by its status, and yet it failed. */
static void
account_fault(struct exchange *x, enum outcome why)
{
	bool cut = why == OUT_INSTANCE_CUT || why == OUT_ANSWER_TIMEOUT;

	if (x->inst == NULL || x->in_tunnel)
		return;
	if (cut)
		exchange_note_fault(x);
	if (cut || why == OUT_INSTANCE_MALFORMED) {
		stat_add(&x->icell->spoiled, 1);
		stat_add(&x->pcell->spoiled, 1);
	}
}

void
exchange_end(struct exchange *x, enum outcome why)
{
	bool keep = x->keep_up && x->answer_done && x->req_done &&
	    why == OUT_ANSWERED;
	struct service_cell *cell = x->scell;
	bool routed = x->routed;

	assert(x->magic == EXCHANGE_MAGIC && x->step != STEP_ENDED);
	x->outcome = (uint8_t)why;
	x->step = STEP_ENDED;
	x->client->exchange = NULL;
	exchange_account_instance(x);
	account_fault(x, why);
	if (x->in_tunnel || x->is_stream)
		tunnel_account(x);
	accesslog_write(&x->proxy->log, x);
	exchange_release(x, keep);
	if (!routed) { /* routed ones were counted then */
		stat_add(&cell->active, 1);
		stat_add(&cell->begun, 1);
	}
	stat_add(&cell->bytes_in, x->bytes_in);
	stat_add(&cell->bytes_out, x->bytes_out);
	stat_add(&cell->outcome[why], 1);
	exchange_retire(x);
	stat_sub(&cell->active, 1); /* now the service may be freed */
}

void
exchange_maybe_finish(struct exchange *x)
{
	struct client *c = x->client;
	bool keep;

	if (!x->answer_done)
		return;
	if (lane_pending(&c->lane)) {
		x->step = STEP_FLUSH;
		exchange_wait_client(x);
		return;
	}
	keep = x->keep_client && (x->req_done || x->refused);
	exchange_end(x, x->refused ? (enum outcome)x->outcome : OUT_ANSWERED);
	client_exchange_done(c, keep);
}
