#include "upstream/ask.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/slab.h"
#include "base/thread.h"
#include "http/h1_write.h"
#include "net/loop.h"
#include "net/proxyproto.h"
#include "tls/client.h"
#include "tls/stream.h"
#include "upstream/grpc_health.h"
#include "wire/lane.h"
#include "wire/trunk.h"

static const struct http_limits limits = { 65536, 65536, 0, HTTP_FIELDS_MAX };

/*
 * Time counts while we look.  A timeout has so many parts, and a stall of ours
 * (a slow disk, SIGSTOP, a machine that slept) is one of them at most: the
 * answer may be waiting in the socket, or we have not even asked.
 */
#define LIMIT_PARTS 4
#define LATE_US (50 * US_PER_MS) /* an alarm as late as that had no looker */

/* What lanes of ours are told is told the question. */
struct ask_lane {
	struct lane lane;
	struct ask *ask; /* borrowed */
};

struct ask {
	struct ask_what what;
	struct loop *loop;
	const struct ask_user *user;
	void *arg;
	struct alarm *limit; /* when a part of the timeout is over */
	uint64_t part_due_us;
	unsigned parts;  /* that are over */
	bool introduced; /* the preface is sent */
	struct ask_lane conn;
	struct ask_lane stream; /* of HTTP/2, over .conn */
	struct trunk *trunk;    /* owned; NULL: HTTP/1 */
	struct wire wire;
	struct defer freeing;
	struct buf body;
	char tls_why[160];
	uint16_t status;
	bool under_way;
	bool answered; /* a final head was read */
	bool grpc_ok;  /* grpc-status is 0 */
};

static struct ask *
ask_of(struct lane *l)
{
	return CONTAINER_OF(l, struct ask_lane, lane)->ask;
}

/* ---- the end of one ---- */

static void
hang_up(struct ask *a)
{
	lane_close(&a->stream.lane);
	trunk_free(&a->trunk);
	lane_close(&a->conn.lane);
}

/* The user may free it, which is done at the turn's end. */
static void
finish(struct ask *a, enum health_reason why)
{
	if (!a->under_way)
		return;
	a->under_way = false;
	alarm_clear(a->limit);
	hang_up(a);
	a->user->ended(why, a->arg);
	buf_free(&a->body);
}

static void
begin_part(struct ask *a)
{
	uint64_t part_us = a->what.cfg->timeout_us / LIMIT_PARTS;

	a->part_due_us = clock_mono_us() + part_us;
	alarm_set(a->limit, part_us);
}

/* A part that nobody watched is not the last, unless we stall all the time. */
static bool
has_time_left(const struct ask *a)
{
	bool late = clock_mono_us() > a->part_due_us + LATE_US;

	return a->parts < LIMIT_PARTS || (late && a->parts < 2 * LIMIT_PARTS);
}

static void
on_limit(void *arg)
{
	struct ask *a = arg;

	a->parts++;
	if (has_time_left(a)) {
		begin_part(a);
		return;
	}
	finish(a,
	    a->conn.lane.dialing ? HEALTH_WHY_CONNECT_TIMEOUT
	                         : HEALTH_WHY_TIMEOUT);
}

static enum health_reason
why_of(int code)
{
	switch (code) {
	case E_CONNREFUSED:
		return HEALTH_WHY_CONNECT_REFUSED;
	case E_TIMEOUT:
		return HEALTH_WHY_CONNECT_TIMEOUT;
	case E_UNREACH:
	case E_NOENT: /* no such socket, or none we may use */
	case E_PERM:
		return HEALTH_WHY_UNREACHABLE;
	case E_RESET:
	case E_EOF:
	case E_IO:
		return HEALTH_WHY_RESET;
	case E_SYNTAX:
		return HEALTH_WHY_MALFORMED;
	case E_TLS:
		return HEALTH_WHY_TLS;
	case E_CERT:
		return HEALTH_WHY_CERT;
	case E_UNSUPPORTED:
		return HEALTH_WHY_NO_H2;
	default:
		return HEALTH_WHY_INTERNAL;
	}
}

/* ---- the question ---- */

static struct addr
where_to(const struct ask *a)
{
	return a->what.cfg->port == 0
	    ? *a->what.addr
	    : addr_with_port(a->what.addr, a->what.cfg->port);
}

static bool
is_grpc(const struct ask *a)
{
	return a->what.cfg->type == CFG_PROBE_GRPC;
}

static int
fill_fields(const struct ask *a, struct http_head *h)
{
	int rc = http_head_add(h, FIELD_USER_AGENT, STR("User-Agent"),
	    STR("segue-probe/" SEGUE_VERSION));

	if (rc == E_OK && is_grpc(a))
		rc = http_head_add(h, FIELD_CONTENT_TYPE, STR("Content-Type"),
		    STR("application/grpc"));
	else if (rc == E_OK)
		rc = http_head_add(h, FIELD_ACCEPT, STR("Accept"), STR("*/*"));
	for (size_t i = 0; i < a->what.cfg->n_headers && rc == E_OK; i++) {
		struct str name = str_of(a->what.cfg->headers[i].name);

		rc = http_head_add(h, http_field_of(name), name,
		    str_of(a->what.cfg->headers[i].value));
	}
	return rc;
}

static int
send_body(const struct ask *a, struct lane *l)
{
	char bytes[GRPC_HEALTH_ASK_MAX];
	struct str service = STR("");
	int rc;

	if (!is_grpc(a))
		return E_OK;
	if (a->what.cfg->service != NULL)
		service = str_of(a->what.cfg->service);
	rc = lane_send_copy(l,
	    str_from(bytes, grpc_health_ask(service, bytes)));
	return rc == E_OK ? lane_send_end(l, NULL) : rc;
}

static int
send_request(struct ask *a, struct lane *l)
{
	struct addr to = where_to(a);
	char host[ADDR_TEXT_MAX];
	struct http_head h;
	int rc;

	if (to.sa.sa_family == AF_UNIX) /* its path cannot be a Host */
		str_copy(STR("localhost"), host, sizeof(host));
	else
		addr_text(&to, host);
	memset(&h, 0, offsetof(struct http_head, f));
	h.method_text = is_grpc(a) ? STR("POST") : STR("GET");
	h.target = is_grpc(a) ? STR(GRPC_HEALTH_PATH)
	                      : str_of(a->what.cfg->path);
	h.authority = str_of(a->what.cfg->host != NULL ? a->what.cfg->host
	                                               : host);
	h.te_trailers = is_grpc(a);
	l->method = is_grpc(a) ? METHOD_POST : METHOD_GET;
	rc = fill_fields(a, &h);
	if (rc == E_OK)
		rc = lane_send_head(l, &h,
		    is_grpc(a) ? FRAMING_CHUNKED : FRAMING_NONE, H1W_CLOSE);
	if (rc == E_OK)
		rc = send_body(a, l);
	return rc == E_OK ? lane_flush(l) : rc;
}

/* A check speaks for nobody; the few bytes fit into any fresh socket. */
static int
introduce(struct ask *a)
{
	struct pp_preface nobody = { .local = true };
	char bytes[PP_MAX];
	struct iovec all = { .iov_base = bytes };

	a->introduced = true;
	all.iov_len = pp_write(a->what.cfg->send_proxy == CFG_SEND_PROXY_V1 ? 1
	                                                                    : 2,
	    &nobody, bytes);
	return conn_plain.sendv(&a->conn.lane.conn, &all, 1) ==
	        (ssize_t)all.iov_len
	    ? E_OK
	    : E_IO;
}

static int
on_greet(struct lane *l)
{
	struct ask *a = ask_of(l);
	int rc = E_OK;

	if (a->what.cfg->send_proxy != CFG_SEND_PROXY_OFF && !a->introduced)
		rc = introduce(a);
	if (rc != E_OK || !tls_is_on(&l->conn))
		return rc;
	rc = tls_shake(&l->conn);
	if (rc == E_TLS || rc == E_CERT)
		str_copy(str_of(tls_why(&l->conn)), a->tls_why,
		    sizeof(a->tls_why));
	if (rc == E_OK && a->what.cfg->protocol == CFG_PROTOCOL_H2 &&
	    !tls_chose_h2(&l->conn))
		return E_UNSUPPORTED;
	return rc;
}

/* ---- HTTP/2 ---- */

static void
on_trunk_broken(struct trunk *t, int code)
{
	finish(t->arg, why_of(code));
}

static const struct trunk_user trunk_user = {
	.broken = on_trunk_broken,
};

static bool
speaks_h2(const struct ask *a)
{
	return a->what.cfg->protocol == CFG_PROTOCOL_H2C ||
	    tls_chose_h2(&a->conn.lane.conn);
}

/* The lane that the question goes over. */
static int
open_stream(struct ask *a, struct lane **out)
{
	struct h2_settings s = { .client = true,
		.window = H2_STREAM_WINDOW,
		.limits = limits };
	int rc;

	*out = &a->conn.lane;
	if (!speaks_h2(a))
		return E_OK;
	*out = &a->stream.lane;
	rc = trunk_new(&a->trunk, &a->conn.lane, &s, &trunk_user, a);
	return rc == E_OK
	    ? lane_asks(*out, a->trunk, a->conn.lane.user, &limits)
	    : rc;
}

static void
on_connected(struct lane *l, int code)
{
	struct ask *a = ask_of(l);
	struct lane *over;

	if (code != E_OK) {
		finish(a, why_of(code));
		return;
	}
	if (a->what.cfg->type == CFG_PROBE_TCP) {
		finish(a, HEALTH_WHY_PASSED);
		return;
	}
	code = open_stream(a, &over);
	if (code == E_OK)
		code = send_request(a, over);
	if (code != E_OK)
		finish(a, why_of(code));
}

/* ---- the answer ---- */

static void
note_grpc(struct ask *a, const struct http_head *h)
{
	a->grpc_ok |= str_eq(http_head_value_of(h, STR("grpc-status")),
	    STR("0"));
}

static void
on_begin(struct lane *l UNUSED)
{
}

static void
on_head(struct lane *l, struct http_head *h)
{
	struct ask *a = ask_of(l);

	a->answered = h->status >= 200;
	if (!a->answered)
		return;
	a->status = h->status;
	note_grpc(a, h);
	if (!a->user->wants(h->status, a->arg))
		finish(a, HEALTH_WHY_PASSED);
}

static bool
on_data(struct lane *l, struct str bytes)
{
	struct ask *a = ask_of(l);

	buf_add_str(&a->body, str_sub(bytes, 0, ASK_BODY_MAX - a->body.len));
	if (a->body.failed)
		finish(a, HEALTH_WHY_INTERNAL);
	else if (a->body.len == ASK_BODY_MAX)
		finish(a, HEALTH_WHY_PASSED);
	return true;
}

static void
on_trailers(struct lane *l, struct http_head *h)
{
	note_grpc(ask_of(l), h);
}

static void
on_end(struct lane *l)
{
	struct ask *a = ask_of(l);

	if (!a->answered)
		lane_next(l); /* that was an interim answer */
	else
		finish(a, HEALTH_WHY_PASSED);
}

static bool
on_batch(struct lane *l UNUSED)
{
	return true;
}

static void
on_drained(struct lane *l UNUSED)
{
}

static void
on_eof(struct lane *l)
{
	finish(ask_of(l), HEALTH_WHY_RESET);
}

static void
on_broken(struct lane *l, int code, enum http_bad why UNUSED)
{
	finish(ask_of(l), why_of(code));
}

static const struct lane_user lane_user = {
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

void
ask_begin(struct ask *a, const struct ask_what *what)
{
	struct lane *l = &a->conn.lane;
	const struct cfg_probe *cfg = what->cfg;
	struct addr to;
	int rc;

	a->what = *what;
	to = where_to(a);
	a->under_way = true;
	a->answered = a->introduced = a->grpc_ok = false;
	a->status = 0;
	a->parts = 0;
	begin_part(a);
	rc = lane_dial(l, &a->wire, &to, &lane_user, &limits);
	if (rc == E_OK && cfg->client != NULL)
		rc = tls_connect(&l->conn, cfg->client, what->host,
		    cfg->protocol == CFG_PROTOCOL_H1, NULL);
	if (rc == E_OK &&
	    (cfg->send_proxy != CFG_SEND_PROXY_OFF || cfg->client != NULL))
		lane_greets(l);
	if (rc != E_OK)
		finish(a, why_of(rc));
}

bool
ask_is_under_way(const struct ask *a)
{
	return a->under_way;
}

uint16_t
ask_status(const struct ask *a)
{
	return a->status;
}

struct str
ask_said(const struct ask *a)
{
	return buf_str(&a->body);
}

bool
ask_grpc_ok(const struct ask *a)
{
	return a->grpc_ok;
}

const char *
ask_tls_why(const struct ask *a)
{
	return a->tls_why;
}

/* ---- life ---- */

int
ask_new(struct loop *loop, const struct ask_user *user, void *arg,
    struct ask **out)
{
	struct ask *a = calloc(1, sizeof(*a));

	ON_CONTROL_THREAD();
	*out = NULL;
	if (a == NULL)
		return E_NOMEM;
	a->loop = loop;
	a->user = user;
	a->arg = arg;
	a->conn.ask = a->stream.ask = a;
	a->conn.lane.closed = a->stream.lane.closed = true;
	a->wire.loop = loop;
	a->wire.slabs = slab_store_new(0);
	a->limit = alarm_new(loop, on_limit, a);
	if (a->wire.slabs == NULL || a->limit == NULL) {
		ask_free(&a);
		return E_NOMEM;
	}
	*out = a;
	return E_OK;
}

static void
free_later(struct defer *d)
{
	struct ask *a = CONTAINER_OF(d, struct ask, freeing);

	slab_store_free(&a->wire.slabs);
	buf_free(&a->body);
	free(a);
}

void
ask_free(struct ask **ap)
{
	struct ask *a = *ap;

	if (a == NULL)
		return;
	*ap = NULL;
	a->under_way = false;
	hang_up(a);
	alarm_free(&a->limit);
	loop_defer(a->loop, &a->freeing, free_later);
}
