#include "proxy/grpc.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/queue.h"
#include "proxy/worker.h"
#include "upstream/view.h"

#define STREAM_US (1 * US_PER_S) /* what lasts longer is a stream */
/* The client's clock began earlier: it should be the first to see the end. */
#define LATE_US (1 * US_PER_S)
#define TIMEOUT_DIGITS 8

static const struct str type = STR("application/grpc");

bool
grpc_is(const struct http_head *h)
{
	struct str v = http_head_value(h, FIELD_CONTENT_TYPE);

	if (h->method != METHOD_POST || !str_casestarts(v, type))
		return false;
	return v.len == type.len || v.p[type.len] == '+' ||
	    v.p[type.len] == ';';
}

/* "100m": so many thousandths.  0: there is none, or it is no time. */
static uint64_t
timeout_us(const struct http_head *h)
{
	static const struct {
		char unit;
		uint64_t us; /* 0: a thousandth of one */
	} units[] = { { 'H', 3600 * US_PER_S }, { 'M', 60 * US_PER_S },
		{ 'S', US_PER_S }, { 'm', US_PER_MS }, { 'u', 1 }, { 'n', 0 } };
	struct str v = http_head_value_of(h, STR("grpc-timeout"));
	uint64_t n;

	if (v.len < 2 || v.len > TIMEOUT_DIGITS + 1 ||
	    !str_u64(str_sub(v, 0, v.len - 1), &n))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (units[i].unit == v.p[v.len - 1])
			return units[i].us == 0 ? n / 1000 + 1
			                        : n * units[i].us;
	return 0;
}

static bool
has_calls(const struct view_service *vs)
{
	for (size_t i = 0; i < vs->n_pools; i++)
		if (vs->pools[i].cfg->protocol != CFG_PROTOCOL_H1)
			return true;
	return false;
}

void
grpc_begin(struct exchange *x)
{
	uint64_t own_us = timeout_us(&x->req);

	if (!has_calls(x->vs)) {
		x->grpc = false; /* by a word alone nobody has more bounds */
		return;
	}
	x->body_max = 0; /* of many messages there is no end */
	x->progress_us = x->tunnel_us;
	x->first_byte_us = x->tunnel_us;
	if (own_us != 0)
		x->first_byte_us = MIN(x->first_byte_us, own_us + LATE_US);
}

enum grpc_status
grpc_status_of(unsigned status, enum outcome why)
{
	if (why == OUT_FIRST_BYTE_TIMEOUT || why == OUT_ANSWER_TIMEOUT)
		return GRPC_DEADLINE_EXCEEDED;
	if (why == OUT_INTERNAL)
		return GRPC_INTERNAL;
	switch (status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 413:
	case 431:
		return GRPC_RESOURCE_EXHAUSTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

void
grpc_hear(struct exchange *x, const struct http_head *h)
{
	struct str v = http_head_value_of(h, STR("grpc-status"));
	uint64_t n;

	if (str_u64(v, &n) && n < GRPC_UNSAID)
		x->grpc_status = (uint8_t)n;
}

static struct str
message_of(enum outcome why)
{
	switch (why) {
	case OUT_DRAIN_CUT:
		return STR("this version of the service is being drained");
	case OUT_STOP_CUT:
		return STR("the proxy is stopping");
	case OUT_ANSWER_TIMEOUT:
		return STR("the service has been silent for too long");
	default:
		return STR("the service ended its answer in the middle");
	}
}

bool
grpc_finish(struct exchange *x, enum outcome why)
{
	enum grpc_status status = grpc_status_of(502, why);
	struct client *c = x->client;
	struct http_head h;
	char digits[4];
	int rc;

	if (!x->grpc || x->refused || x->answer_trailed ||
	    lane_pending(&c->lane))
		return false;
	memset(&h, 0, offsetof(struct http_head, f));
	(void)snprintf(digits, sizeof(digits), "%u", (unsigned)status);
	rc = http_head_add(&h, FIELD_OTHER, STR("grpc-status"), str_of(digits));
	if (rc == E_OK)
		rc = http_head_add(&h, FIELD_OTHER, STR("grpc-message"),
		    message_of(why));
	if (rc != E_OK || lane_send_end(&c->lane, &h) != E_OK ||
	    lane_flush(&c->lane) != E_OK)
		return false;
	x->grpc_status = (uint8_t)status;
	exchange_end(x, why);
	client_exchange_done(c, false);
	return true;
}

/* ---- streams ---- */

static bool
may_become(const struct exchange *x)
{
	return !x->is_stream &&
	    (x->step == STEP_SEND || x->step == STEP_ANSWER);
}

uint64_t
grpc_due_us(const struct exchange *x, uint64_t due_us)
{
	return may_become(x) ? MIN(due_us, x->picked_us + STREAM_US) : due_us;
}

/* Its own place in the cell, and its own clock in a drain. */
static void
become_stream(struct exchange *x)
{
	x->is_stream = true;
	exchange_become_stream(x);
	if (x->pcell->queue != NULL)
		queue_look(x->pcell->queue);
	if (x->pool->leaving)
		x->proxy->env.edge(x->proxy->env.arg, PROXY_EMPTY, NULL);
	exchange_up_progress(x);
	proxy_stream_begins(x);
}

bool
grpc_looked(struct exchange *x)
{
	uint64_t now = loop_now_us(x->proxy->env.loop);

	if (x->ends_us != 0 && now >= x->ends_us) {
		exchange_cut(x, (enum outcome)x->ends_as);
		return true;
	}
	if (!may_become(x))
		return false;
	become_stream(x);
	return true;
}
