/*
 * The tries of an exchange: it picks an instance, fails, and picks again.
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "proxy/artifact.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/grpc.h"
#include "proxy/holding.h"
#include "proxy/park.h"
#include "proxy/queue.h"
#include "proxy/route.h"
#include "proxy/worker.h"
#include "upstream/conncache.h"
#include "upstream/view.h"

/* All instances have as much as they may: until one has a place. */
static void
wait_for_place(struct exchange *x)
{
	int rc;

	if (queue_pool(x) == x->full)
		return; /* on */
	queue_leave(x);
	rc = queue_enter(x, x->full, x->full_max, x->full_us);
	if (rc != E_OK) {
		exchange_refuse(x, 503,
		    rc == E_FULL ? OUT_QUEUE_FULL : OUT_INTERNAL);
		return;
	}
	x->step = STEP_QUEUE;
	lane_pause(&x->client->lane);
}

/* A tunnel needs a connection of its own, which is HTTP/1. */
static struct upask
what_to_ask(const struct exchange *x)
{
	struct upask ask = { .tls = x->up_tls,
		.protocol = x->up_protocol,
		.careful = !http_method_is_safe(x->req.method) };

	if (x->send_proxy != CFG_SEND_PROXY_OFF)
		ask.owner = &client_connection(x->client)->ups;
	if (exchange_may_upgrade(x))
		ask.protocol = CFG_PROTOCOL_H1;
	return ask;
}

/* Is it held?  What that needs to know is found out where it may matter. */
static bool
look_at_hold(struct exchange *x)
{
	const struct view_service *vs = x->vs == NULL ? route_service_now(x)
	                                              : x->vs;

	if (vs == NULL)
		return false;
	x->writes = holding_is_write(x, vs->cfg);
	if (vs->hold == HOLD_NONE || !holding_takes(x, vs))
		return false;
	queue_leave(x);
	x->vs = NULL; /* the view is not ours beyond this turn */
	return true;
}

/* Most are for a service that is not held, and that knows by the method. */
static ALWAYS_INLINE bool
is_held(struct exchange *x)
{
	if (x->vs == NULL || x->vs->hold != HOLD_NONE ||
	    x->vs->cfg->hold.n_writes > 0)
		return look_at_hold(x);
	x->writes = x->passes || !http_method_is_safe(x->req.method);
	return false;
}

void
exchange_go(struct exchange *x)
{
	struct upask ask;
	int rc;

	if (is_held(x))
		return;
	rc = route_pick(x);

	x->view_gen = x->proxy->view->generation;
	if (rc == E_FULL) {
		wait_for_place(x);
		return;
	}
	if (x->queue != NULL)
		queue_leave(x);
	if (rc != E_OK) {
		if (x->n_tried > 0)
			exchange_refuse(x, 503, OUT_CONNECT_FAILED);
		else
			exchange_refuse(x, 503, OUT_NO_INSTANCE);
		return;
	}
	/* HTTP/1.0 may name no host; 1.1, which we speak, must. */
	if (!x->req.has_authority)
		x->req.authority = str_of(x->inst->addr_text);
	x->answer_begun = x->sent_head = false;
	x->n_interims = 0;
	ask = what_to_ask(x);
	/* One kept connection has failed us: the next try gets a fresh one. */
	if (x->retries == 0 && !x->passes)
		x->up = upconn_take(&x->proxy->up, x->inst, &ask);
	if (x->up != NULL) {
		x->up->lane.user = &exchange_up_user;
		x->up->user = x;
		exchange_send(x);
		return;
	}
	x->step = STEP_CONNECT;
	lane_pause(&x->client->lane);
	rc = upconn_dial(&x->proxy->up, x->inst, &ask, &exchange_up_user, x,
	    &x->up);
	if (rc == E_NOFILES || rc == E_NOMEM) { /* our want, not its fault */
		exchange_refuse(x, 503,
		    rc == E_NOFILES ? OUT_OVERLOAD : OUT_INTERNAL);
		return;
	}
	if (rc != E_OK) {
		exchange_try_failed(x, rc, OUT_CONNECT_FAILED);
		return;
	}
	if (ask.owner != NULL)
		lane_greets(&x->up->lane);
	exchange_up_waits(x, x->connect_us);
}

void
exchange_up_waits(struct exchange *x, uint64_t limit_us)
{
	struct loop *loop = x->proxy->env.loop;
	uint64_t due_us = loop_now_us(loop) + limit_us;

	if (x->grpc)
		due_us = grpc_due_us(x, due_us);
	if (x->ends_us != 0)
		due_us = MIN(due_us, x->ends_us);
	x->up->deadline.fn = exchange_up_deadline;
	deadline_set(loop, &x->up->deadline, due_us);
}

void
exchange_go_on(struct exchange *x)
{
	exchange_go(x);
	if (x->step == STEP_SEND && exchange_flush_up(x) &&
	    x->step == STEP_SEND)
		lane_resume(&x->client->lane);
}

void
exchange_become_stream(struct exchange *x)
{
	stat_add(&x->icell->streams, 1);
	stat_sub(&x->icell->inflight, 1);
	if (x->writes)
		stat_sub(&x->pcell->writes, 1);
	x->writes = false;
}

void
exchange_release(struct exchange *x, bool keep)
{
	bool leaving;

	park_leave(x);
	if (x->queue != NULL)
		queue_leave(x);
	if (x->holding != NULL)
		holding_leave(x);
	if (x->up != NULL) {
		if (keep)
			upconn_keep(&x->up, x->up_idle_us, x->up_max_idle);
		else
			upconn_close(&x->up);
	}
	if (x->inst == NULL)
		return;
	leaving = x->pool->leaving;
	/* From the subtraction on, the instance may be freed. */
	stat_sub(x->in_tunnel || x->is_stream ? &x->icell->streams
	                                      : &x->icell->inflight,
	    1);
	x->is_stream = false;
	if (x->writes)
		stat_sub(&x->pcell->writes, 1);
	x->ends_us = 0; /* of a drain that the next try need not be in */
	x->inst = NULL;
	x->icell = NULL;
	if (x->pcell->queue != NULL)
		queue_look(x->pcell->queue);
	if (leaving)
		x->proxy->env.edge(x->proxy->env.arg, PROXY_EMPTY, NULL);
}

void
exchange_note_fault(struct exchange *x)
{
	stat_add(&x->icell->failures, 1);
	stat_add(&x->pcell->failures, 1);
	x->proxy->env.edge(x->proxy->env.arg, PROXY_FAILED, NULL);
}

static void
note_failure(struct exchange *x, enum outcome why, bool raced)
{
	if (raced) {
		stat_add(&x->icell->raced, 1);
		return;
	}
	if (why == OUT_CONNECT_FAILED || why == OUT_CONNECT_TIMEOUT) {
		stat_add(&x->icell->connect_failed, 1);
		x->proxy->env.edge(x->proxy->env.arg, PROXY_CONNECT_FAILED,
		    x->inst);
	} else if (why == OUT_INSTANCE_RESET) {
		stat_add(&x->icell->resets, 1);
	}
	exchange_note_fault(x);
}

void
exchange_note_instance(struct exchange *x)
{
	size_t len = strlen(x->inst->name) + 1;
	char *name = exchange_alloc(x, len);

	if (name != NULL)
		x->failed_at = memcpy(name, x->inst->name, len);
}

/* Is every byte that was taken of it at hand? */
static bool
can_rewind(const struct exchange *x)
{
	if (artifact_form_read(x).len > 0)
		return x->bytes_in == artifact_form_read(x).len;
	return lane_can_rewind(&x->client->lane);
}

static void
rewind_body(struct exchange *x)
{
	if (artifact_form_read(x).len > 0) {
		x->body_taken = false; /* it is sent with the head */
		return;
	}
	lane_rewind(&x->client->lane);
	x->body_taken = x->req_done = x->req_trailed = false;
	x->bytes_in = 0;
}

/* Nobody listens there; that is no want of memory or descriptors of ours. */
static bool
is_refused(int code)
{
	return code == E_CONNREFUSED || code == E_UNREACH || code == E_NOENT ||
	    code == E_RESET;
}

/*
 * All instances there are have failed us, and one try is left: asked at once
 * it would meet the same ones, dying still.
 */
static bool
last_try_waits(const struct exchange *x, int code, enum outcome why, bool raced)
{
	bool gone = why == OUT_CONNECT_FAILED ? is_refused(code)
	                                      : why == OUT_INSTANCE_RESET;

	return gone && !raced && x->tries_left == 1 && !x->proxy->stopping &&
	    !route_has_other(x);
}

/* Budget and rule are asked; the present instance is none to ask again. */
static void
try_again(struct exchange *x, bool elsewhere, bool rewind, bool waits)
{
	stat_add(&x->scell->retries, 1);
	stat_add(&x->icell->retried_away, 1);
	if (elsewhere && x->n_tried < EXCHANGE_TRIES_MAX)
		x->tried[x->n_tried++] = x->inst;
	x->tries_left--;
	x->retries++;
	exchange_release(x, false);
	if (rewind)
		rewind_body(x);
	x->last_waits = waits && park_take(x, OUT_CONNECT_FAILED);
	if (!x->last_waits)
		exchange_go_on(x);
}

/*
 * The last try failed.  May the exchange wait for a better view?  Who could
 * not even connect may; so may a safe one that was dropped, not only once, if
 * the budget has another try for it.
 */
static bool
may_wait(struct exchange *x, int code, const struct retry_case *rc,
    enum outcome why)
{
	if (rc->body_taken || rc->answer_begun || x->proxy->stopping)
		return false;
	if (why == OUT_CONNECT_FAILED)
		return is_refused(code) && !rc->byte_sent;
	return why == OUT_INSTANCE_RESET && rc->method_safe && x->retries > 0 &&
	    retry_budget_spend(&x->proxy->budget);
}

static void
give_up(struct exchange *x, int code, const struct retry_case *rc, bool rewind,
    enum outcome why)
{
	if (may_wait(x, code, rc, why)) {
		exchange_note_instance(x);
		exchange_release(x, false);
		if (rewind)
			rewind_body(x);
		if (park_take(x, why))
			return;
	}
	exchange_refuse(x, exchange_status(why), why);
}

void
exchange_try_failed(struct exchange *x, int code, enum outcome why)
{
	/* Kept for reuse and found closed: that says little of its instance. */
	bool raced = why == OUT_INSTANCE_RESET && x->up != NULL &&
	    upconn_is_raced(x->up);
	bool byte_sent = x->up != NULL &&
	    x->up->lane.sent != x->up->sent_before;
	/* Body bytes that lie in our slab and went nowhere are not used up. */
	bool rewind = x->body_taken && !byte_sent && can_rewind(x);
	struct retry_case rc = {
		.method_safe = http_method_is_safe(x->req.method),
		.byte_sent = byte_sent,
		.body_taken = x->body_taken && !rewind,
		.answer_begun = x->answer_begun || x->answer_sent,
		.tries_left = x->tries_left,
	};

	/* Who let us wait is not asked again, nor is another for ever. */
	if (why == OUT_FIRST_BYTE_TIMEOUT && !route_has_other(x))
		rc.tries_left = 0;
	note_failure(x, why, raced);
	log_debug("instance=%s try=%u code=%s reused=%d sent=%d",
	    x->inst->addr_text, x->retries + 1u, err_name(code), raced,
	    rc.byte_sent);
	if (!retry_is_allowed(&rc)) {
		give_up(x, code, &rc, rewind, why);
		return;
	}
	if (!retry_budget_spend(&x->proxy->budget)) {
		stat_add(&x->scell->retries_denied, 1);
		give_up(x, code, &rc, rewind, why);
		return;
	}
	/* A kept connection that died says little about its instance, and a
	 * session would leave it; else another one is the better bet. */
	try_again(x, !raced || x->scope != CFG_STICKY_INSTANCE, rewind,
	    last_try_waits(x, code, why, raced));
}

void
exchange_go_anew(struct exchange *x)
{
	x->step = STEP_HEAD;
	x->n_tried = 0;
	x->last_waits = false;
	if (x->parked_for == OUT_INSTANCE_RESET) {
		stat_add(&x->scell->retries, 1);
		x->retries++;
	}
	exchange_go_on(x);
}

/* It is none yet: what it asks for can be asked again, and within the budget. */
static bool
may_ask_again(struct exchange *x)
{
	struct retry_case rc = {
		.method_safe = http_method_is_safe(x->req.method),
		.byte_sent = true,
		.body_taken = x->body_taken || x->answer_sent,
		.tries_left = x->tries_left,
	};

	return retry_is_allowed(&rc);
}

static bool
spend_budget(struct exchange *x)
{
	if (retry_budget_spend(&x->proxy->budget))
		return true;
	stat_add(&x->scell->retries_denied, 1);
	return false;
}

bool
exchange_try_elsewhere(struct exchange *x, unsigned status)
{
	if (!x->retry_by_status || !may_ask_again(x) ||
	    x->scope == CFG_STICKY_INSTANCE || !route_asks_other(x, status) ||
	    !spend_budget(x))
		return false;
	exchange_count_status(x->icell->status, status);
	try_again(x, true, false, false);
	return true;
}

bool
exchange_try_pool(struct exchange *x, unsigned status)
{
	if (!may_ask_again(x))
		return false;
	exchange_count_status(x->icell->status, status);
	x->reroute = true;
	try_again(x, false, false, false);
	return true;
}
