#include "upstream/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "base/slab.h"
#include "base/thread.h"
#include "http/h1_write.h"
#include "net/loop.h"
#include "net/proxyproto.h"
#include "tls/client.h"
#include "tls/stream.h"
#include "upstream/grpc_health.h"
#include "upstream/probe_judge.h"
#include "wire/lane.h"
#include "wire/trunk.h"

#define BODY_MAX 65536
#define HURRY_US (50 * US_PER_MS)
/* So long after it went down an instance is asked at the fast interval. */
#define EAGER_US (120 * US_PER_S)

static const struct http_limits limits = { 65536, 65536, 0, HTTP_FIELDS_MAX };

/*
 * Time counts while we look.  A timeout has so many parts, and a stall of ours
 * (a slow disk, SIGSTOP, a machine that slept) is one of them at most: the
 * answer may be waiting in the socket, or we have not even asked.
 */
#define LIMIT_PARTS 4
#define LATE_US (50 * US_PER_MS) /* an alarm as late as that had no looker */

/* What lanes of ours are told is told the probe. */
struct probe_lane {
	struct lane lane;
	struct probe *probe; /* borrowed */
};

struct probe {
	struct cfg_probe cfg;  /* borrowed from .owner */
	struct cfg *owner;     /* one ref: keeps cfg's texts */
	struct instance *inst; /* borrowed; owns us */
	struct loop *loop;
	probe_edge_fn *edge;
	void *arg;
	struct alarm *next;  /* when to ask */
	struct alarm *limit; /* when a part of the timeout is over */
	uint64_t part_due_us;
	unsigned parts;  /* that are over */
	bool introduced; /* the preface is sent */
	struct probe_lane conn;
	struct probe_lane stream; /* of HTTP/2, over .conn */
	struct trunk *trunk;      /* owned; NULL: HTTP/1 */
	struct wire wire;
	struct defer freeing;
	struct buf body;
	uint64_t asked_us;
	uint64_t finished_us; /* 0: never asked */
	uint16_t status;
	bool under_way;
	bool answered; /* a final head was read */
	bool grpc_ok;  /* grpc-status is 0 */
	bool faulty;   /* the last question failed on our side */
	bool suspect;  /* a worker could not connect since the last answer */
	bool freed;    /* waits for the turn's end */
};

static struct probe *
probe_of(struct lane *l)
{
	return CONTAINER_OF(l, struct probe_lane, lane)->probe;
}

/* ---- when ---- */

static bool
is_eager(const struct probe *p)
{
	const struct instance *i = p->inst;

	switch ((enum health)i->health) {
	case HEALTH_UP:
		return i->fails > 0;
	case HEALTH_DOWN:
		return i->passes > 0 ||
		    clock_mono_us() - i->health_since_us < EAGER_US;
	default:
		return true;
	}
}

/*
 * An interval after the last answer.  Steady ones vary by a tenth, so that
 * probes do not fall in step.
 */
static void
plan_next(struct probe *p)
{
	uint64_t since = clock_mono_us() - p->finished_us;
	uint64_t in = p->cfg.fast_interval_us;

	if (!is_eager(p)) {
		in = p->cfg.interval_us;
		in = in - in / 10 + random_below((uint32_t)(in / 5) + 1);
	}
	alarm_set(p->next, in > since ? in - since : 0);
}

/* ---- the end of one ---- */

static void
set_health(struct probe *p, enum health to, enum health_reason why)
{
	struct instance *i = p->inst;
	enum health from = i->health;

	i->health = (uint8_t)to;
	i->reason = (uint8_t)why;
	if (from == to)
		return;
	i->health_since_us = clock_mono_us();
	log_info("service=%s pool=%s instance=%s from=%s to=%s why=\"%s\" "
	         "status=%u",
	    i->pool->service->name, i->pool->name, i->name, health_name(from),
	    health_name(to), health_reason_text(why), i->last_status);
	p->edge(i, from, p->arg);
}

/*
 * Failures that make it down.  Nobody listens there, as a worker and now the
 * probe have found: the sessions there need not wait for more witnesses.
 */
static unsigned
fall_of(const struct probe *p, enum health_reason why)
{
	bool refused = why == HEALTH_WHY_CONNECT_REFUSED ||
	    why == HEALTH_WHY_UNREACHABLE;

	return refused && p->suspect ? 1 : p->cfg.fall;
}

/* The instance has answered, or failed to. */
static void
judge(struct probe *p, enum health_reason why)
{
	struct instance *i = p->inst;
	enum health to;

	i->last_probe_us = p->finished_us;
	i->probe_took_us = p->finished_us - p->asked_us;
	i->last_status = p->status;
	i->probes++;
	i->probes_failed += why != HEALTH_WHY_PASSED;
	to = probe_count(i->health, &i->passes, &i->fails,
	    why == HEALTH_WHY_PASSED, p->cfg.rise, fall_of(p, why));
	p->suspect = false;
	/* A reason is kept as long as it explains the present health. */
	if (to != (enum health)i->health || why != HEALTH_WHY_PASSED ||
	    to == HEALTH_UP)
		set_health(p, to, why);
}

/* We could not ask: that says nothing about the instance. */
static void
note_fault(struct probe *p)
{
	struct instance *i = p->inst;

	if (i->health == HEALTH_UNKNOWN)
		i->reason = HEALTH_WHY_INTERNAL;
	if (!p->faulty)
		log_warn("service=%s pool=%s instance=%s event=probe_fault "
		         "why=\"%s\"",
		    i->pool->service->name, i->pool->name, i->name,
		    health_reason_text(HEALTH_WHY_INTERNAL));
}

static void
hang_up(struct probe *p)
{
	lane_close(&p->stream.lane);
	trunk_free(&p->trunk);
	lane_close(&p->conn.lane);
}

static void
finish(struct probe *p, enum health_reason why)
{
	if (!p->under_way)
		return;
	p->under_way = false;
	alarm_clear(p->limit);
	hang_up(p);
	p->finished_us = clock_mono_us();
	if (why == HEALTH_WHY_INTERNAL)
		note_fault(p);
	else
		judge(p, why);
	buf_free(&p->body);
	p->faulty = why == HEALTH_WHY_INTERNAL;
	if (!p->freed) /* by whom we told */
		plan_next(p);
}

static void
begin_part(struct probe *p)
{
	uint64_t part_us = p->cfg.timeout_us / LIMIT_PARTS;

	p->part_due_us = clock_mono_us() + part_us;
	alarm_set(p->limit, part_us);
}

/* A part that nobody watched is not the last, unless we stall all the time. */
static bool
has_time_left(const struct probe *p)
{
	bool late = clock_mono_us() > p->part_due_us + LATE_US;

	return p->parts < LIMIT_PARTS || (late && p->parts < 2 * LIMIT_PARTS);
}

static void
on_limit(void *arg)
{
	struct probe *p = arg;

	p->parts++;
	if (has_time_left(p)) {
		begin_part(p);
		return;
	}
	finish(p,
	    p->conn.lane.dialing ? HEALTH_WHY_CONNECT_TIMEOUT
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
where_to(const struct probe *p)
{
	return p->cfg.port == 0 ? p->inst->addr
	                        : addr_with_port(&p->inst->addr, p->cfg.port);
}

static bool
is_grpc(const struct probe *p)
{
	return p->cfg.type == CFG_PROBE_GRPC;
}

static int
fill_fields(const struct probe *p, struct http_head *h)
{
	int rc = http_head_add(h, FIELD_USER_AGENT, STR("User-Agent"),
	    STR("segue-probe/" SEGUE_VERSION));

	if (rc == E_OK && is_grpc(p))
		rc = http_head_add(h, FIELD_CONTENT_TYPE, STR("Content-Type"),
		    STR("application/grpc"));
	else if (rc == E_OK)
		rc = http_head_add(h, FIELD_ACCEPT, STR("Accept"), STR("*/*"));
	for (size_t i = 0; i < p->cfg.n_headers && rc == E_OK; i++) {
		struct str name = str_of(p->cfg.headers[i].name);

		rc = http_head_add(h, http_field_of(name), name,
		    str_of(p->cfg.headers[i].value));
	}
	return rc;
}

static int
send_body(const struct probe *p, struct lane *l)
{
	char bytes[GRPC_HEALTH_ASK_MAX];
	struct str service = STR("");
	int rc;

	if (!is_grpc(p))
		return E_OK;
	if (p->cfg.service != NULL)
		service = str_of(p->cfg.service);
	rc = lane_send_copy(l,
	    str_from(bytes, grpc_health_ask(service, bytes)));
	return rc == E_OK ? lane_send_end(l, NULL) : rc;
}

static int
send_request(struct probe *p, struct lane *l)
{
	struct addr to = where_to(p);
	char host[ADDR_TEXT_MAX];
	struct http_head h;
	int rc;

	if (to.sa.sa_family == AF_UNIX) /* its path cannot be a Host */
		str_copy(STR("localhost"), host, sizeof(host));
	else
		addr_text(&to, host);
	memset(&h, 0, offsetof(struct http_head, f));
	h.method_text = is_grpc(p) ? STR("POST") : STR("GET");
	h.target = is_grpc(p) ? STR(GRPC_HEALTH_PATH) : str_of(p->cfg.path);
	h.authority = str_of(p->cfg.host != NULL ? p->cfg.host : host);
	h.te_trailers = is_grpc(p);
	l->method = is_grpc(p) ? METHOD_POST : METHOD_GET;
	rc = fill_fields(p, &h);
	if (rc == E_OK)
		rc = lane_send_head(l, &h,
		    is_grpc(p) ? FRAMING_CHUNKED : FRAMING_NONE, H1W_CLOSE);
	if (rc == E_OK)
		rc = send_body(p, l);
	return rc == E_OK ? lane_flush(l) : rc;
}

/* A check speaks for nobody; the few bytes fit into any fresh socket. */
static int
introduce(struct probe *p)
{
	struct pp_preface nobody = { .local = true };
	char bytes[PP_MAX];
	struct iovec all = { .iov_base = bytes };

	p->introduced = true;
	all.iov_len = pp_write(p->cfg.send_proxy == CFG_SEND_PROXY_V1 ? 1 : 2,
	    &nobody, bytes);
	return conn_plain.sendv(&p->conn.lane.conn, &all, 1) ==
	        (ssize_t)all.iov_len
	    ? E_OK
	    : E_IO;
}

static int
on_greet(struct lane *l)
{
	struct probe *p = probe_of(l);
	int rc = E_OK;

	if (p->cfg.send_proxy != CFG_SEND_PROXY_OFF && !p->introduced)
		rc = introduce(p);
	if (rc != E_OK || !tls_is_on(&l->conn))
		return rc;
	rc = tls_shake(&l->conn);
	if (rc == E_TLS || rc == E_CERT)
		log_info(
		    "service=%s pool=%s instance=%s event=probe_tls_failed "
		    "why=\"%s\"",
		    p->inst->pool->service->name, p->inst->pool->name,
		    p->inst->name, tls_why(&l->conn));
	if (rc == E_OK && p->cfg.protocol == CFG_PROTOCOL_H2 &&
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
speaks_h2(const struct probe *p)
{
	return p->cfg.protocol == CFG_PROTOCOL_H2C ||
	    tls_chose_h2(&p->conn.lane.conn);
}

/* The lane that the question goes over. */
static int
open_stream(struct probe *p, struct lane **out)
{
	struct h2_settings s = { .client = true,
		.window = H2_STREAM_WINDOW,
		.limits = limits };
	int rc;

	*out = &p->conn.lane;
	if (!speaks_h2(p))
		return E_OK;
	*out = &p->stream.lane;
	rc = trunk_new(&p->trunk, &p->conn.lane, &s, &trunk_user, p);
	return rc == E_OK
	    ? lane_asks(*out, p->trunk, p->conn.lane.user, &limits)
	    : rc;
}

static void
on_connected(struct lane *l, int code)
{
	struct probe *p = probe_of(l);
	struct lane *over;

	if (code != E_OK) {
		finish(p, why_of(code));
		return;
	}
	if (p->cfg.type == CFG_PROBE_TCP) {
		finish(p, HEALTH_WHY_PASSED);
		return;
	}
	code = open_stream(p, &over);
	if (code == E_OK)
		code = send_request(p, over);
	if (code != E_OK)
		finish(p, why_of(code));
}

/* ---- the answer ---- */

static void
note_grpc(struct probe *p, const struct http_head *h)
{
	p->grpc_ok |= str_eq(http_head_value_of(h, STR("grpc-status")),
	    STR("0"));
}

static enum health_reason
judge_body(const struct probe *p)
{
	if (!is_grpc(p))
		return probe_judge_body(&p->cfg, buf_str(&p->body));
	return p->grpc_ok && grpc_health_serves(buf_str(&p->body))
	    ? HEALTH_WHY_PASSED
	    : HEALTH_WHY_GRPC;
}

static void
on_begin(struct lane *l UNUSED)
{
}

static void
on_head(struct lane *l, struct http_head *h)
{
	struct probe *p = probe_of(l);

	p->answered = h->status >= 200;
	if (!p->answered)
		return;
	p->status = h->status;
	note_grpc(p, h);
	if (is_grpc(p) && h->status != 200)
		finish(p, HEALTH_WHY_STATUS);
	else if (is_grpc(p))
		return; /* its end says how it is */
	else if (!probe_status_fits(&p->cfg, h->status))
		finish(p, HEALTH_WHY_STATUS);
	else if (!probe_wants_body(&p->cfg))
		finish(p, HEALTH_WHY_PASSED);
}

static bool
on_data(struct lane *l, struct str bytes)
{
	struct probe *p = probe_of(l);

	buf_add_str(&p->body, str_sub(bytes, 0, BODY_MAX - p->body.len));
	if (p->body.failed)
		finish(p, HEALTH_WHY_INTERNAL);
	else if (p->body.len == BODY_MAX) /* what follows is not asked for */
		finish(p, judge_body(p));
	return true;
}

static void
on_trailers(struct lane *l, struct http_head *h)
{
	note_grpc(probe_of(l), h);
}

static void
on_end(struct lane *l)
{
	struct probe *p = probe_of(l);

	if (!p->answered)
		lane_next(l); /* that was an interim answer */
	else
		finish(p, judge_body(p));
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
	finish(probe_of(l), HEALTH_WHY_RESET);
}

static void
on_broken(struct lane *l, int code, enum http_bad why UNUSED)
{
	finish(probe_of(l), why_of(code));
}

static const struct lane_user probe_user = {
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

static void
ask(void *arg)
{
	struct probe *p = arg;
	struct lane *l = &p->conn.lane;
	struct addr to = where_to(p);
	int rc;

	if (p->under_way)
		return;
	p->under_way = true;
	p->answered = p->introduced = p->grpc_ok = false;
	p->status = 0;
	p->asked_us = clock_mono_us();
	p->parts = 0;
	begin_part(p);
	rc = lane_dial(l, &p->wire, &to, &probe_user, &limits);
	if (rc == E_OK && p->cfg.client != NULL)
		rc = tls_connect(&l->conn, p->cfg.client, p->inst->host,
		    p->cfg.protocol == CFG_PROTOCOL_H1, NULL);
	if (rc == E_OK &&
	    (p->cfg.send_proxy != CFG_SEND_PROXY_OFF || p->cfg.client != NULL))
		lane_greets(l);
	if (rc != E_OK)
		finish(p, why_of(rc));
}

/* ---- life ---- */

int
probe_new(struct loop *loop, struct cfg *owner, const struct cfg_probe *cfg,
    struct instance *inst, probe_edge_fn *edge, void *arg, struct probe **out)
{
	struct probe *p = calloc(1, sizeof(*p));

	ON_CONTROL_THREAD();
	*out = NULL;
	if (p == NULL)
		return E_NOMEM;
	p->owner = cfg_ref(owner);
	p->cfg = *cfg;
	p->inst = inst;
	p->loop = loop;
	p->edge = edge;
	p->arg = arg;
	p->conn.probe = p->stream.probe = p;
	p->conn.lane.closed = p->stream.lane.closed = true;
	p->wire.loop = loop;
	p->wire.slabs = slab_store_new(0);
	p->next = alarm_new(loop, ask, p);
	p->limit = alarm_new(loop, on_limit, p);
	if (p->wire.slabs == NULL || p->next == NULL || p->limit == NULL) {
		probe_free(&p);
		return E_NOMEM;
	}
	*out = p;
	return E_OK;
}

void
probe_start(struct probe *p)
{
	alarm_set(p->next, 0);
}

void
probe_configure(struct probe *p, struct cfg *owner, const struct cfg_probe *cfg)
{
	struct cfg *old = p->owner;

	p->owner = cfg_ref(owner);
	p->cfg = *cfg;
	cfg_unref(&old);
	if (!p->under_way)
		plan_next(p);
}

void
probe_hurry(struct probe *p)
{
	uint64_t since = clock_mono_us() - p->finished_us;

	p->suspect = true;
	if (!p->under_way)
		alarm_set(p->next, since < HURRY_US ? HURRY_US - since : 0);
}

void
probe_carry(struct probe *p, enum health h)
{
	p->inst->passes = p->cfg.rise;
	set_health(p, h, HEALTH_WHY_CARRIED);
}

static void
free_later(struct defer *d)
{
	struct probe *p = CONTAINER_OF(d, struct probe, freeing);

	slab_store_free(&p->wire.slabs);
	buf_free(&p->body);
	cfg_unref(&p->owner);
	free(p);
}

void
probe_free(struct probe **pp)
{
	struct probe *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	p->freed = true;
	p->under_way = false;
	hang_up(p);
	alarm_free(&p->next);
	alarm_free(&p->limit);
	loop_defer(p->loop, &p->freeing, free_later);
}
