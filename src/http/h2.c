#include "http/h2.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "http/chars.h"

#define BUDGET 2000          /* of floods */
#define INSTANCE_PART 10     /* so many times as much for who is asked by us */
#define EARN_BYTES 1024      /* sent in one frame: a unit comes back */
#define REFILL_US 2000       /* a unit comes back */
#define TABLE_BYTES 4096     /* of each header compression table */
#define CONTINUATIONS_MAX 32 /* frames of one field section */
#define ACKS_MAX 2000 /* of pings and settings not sent: the budget is first */

struct h2 {
	nghttp2_session *ng;
	const struct h2_user *user;
	void *arg;
	struct slab_store *slabs;
	struct slab *block; /* owned; being received */
	struct http_limits limits;
	uint64_t refilled_us;
	uint32_t budget, budget_max;
	uint8_t flood; /* enum h2_flood */
	bool client;
	bool over;      /* nothing is read any more */
	bool trailing;  /* pull() has said that trailers follow */
	bool any_reset; /* some stream was: the peer may not have known yet */
	bool settled;   /* the peer has said its settings */
	int32_t newest; /* stream of the peer */
};

#define X(id, name, cost) [H2_FLOOD_##id] = (name),
static const char *const flood_names[] = { H2_FLOODS(X) };
#undef X
#define X(id, name, cost) [H2_FLOOD_##id] = (cost),
static const uint8_t flood_costs[] = { H2_FLOODS(X) };
#undef X

const char *
h2_flood_name(enum h2_flood f)
{
	return flood_names[f];
}

static void *
stream_of(struct h2 *h, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h->ng, id);
}

/* ---- floods ---- */

static void
give_up(struct h2 *h, enum h2_flood f)
{
	h->flood = (uint8_t)f;
	h->over = true;
	(void)nghttp2_session_terminate_session(h->ng, H2_CALM);
}

static void
pay(struct h2 *h, enum h2_flood f)
{
	if (h->over || h->budget >= flood_costs[f])
		h->budget -= MIN(h->budget, flood_costs[f]);
	else
		give_up(h, f);
}

static void
refill(struct h2 *h, uint64_t now_us)
{
	uint64_t units = (now_us - h->refilled_us) / REFILL_US;

	h->refilled_us += units * REFILL_US;
	h->budget = (uint32_t)MIN((uint64_t)h->budget_max, h->budget + units);
}

/* Who takes bytes of ours opens windows for them. */
static void
earn(struct h2 *h, size_t bytes)
{
	h->budget = (uint32_t)MIN((size_t)h->budget_max,
	    h->budget + bytes / EARN_BYTES);
}

/* What a frame costs that does no work; H2_FLOOD_COUNT: nothing. */
static enum h2_flood
flood_of(const nghttp2_frame *f)
{
	bool last = (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	switch (f->hd.type) {
	case NGHTTP2_DATA:
		return f->hd.length == 0 && !last ? H2_FLOOD_EMPTY
		                                  : H2_FLOOD_COUNT;
	case NGHTTP2_HEADERS:
	case NGHTTP2_PRIORITY: /* on_begin_frame() has: here it never comes */
		return H2_FLOOD_COUNT;
	case NGHTTP2_RST_STREAM:
		return H2_FLOOD_RESET;
	case NGHTTP2_SETTINGS:
		return (f->hd.flags & NGHTTP2_FLAG_ACK) ? H2_FLOOD_COUNT
		                                        : H2_FLOOD_SETTINGS;
	case NGHTTP2_PING:
		return (f->hd.flags & NGHTTP2_FLAG_ACK) ? H2_FLOOD_COUNT
		                                        : H2_FLOOD_PING;
	case NGHTTP2_WINDOW_UPDATE:
		return H2_FLOOD_WINDOW;
	default:
		return H2_FLOOD_OTHER;
	}
}

/* ---- field sections ---- */

static enum h2_kind
kind_of(const struct h2 *h, const nghttp2_frame *f)
{
	if (f->headers.cat == NGHTTP2_HCAT_REQUEST)
		return H2_REQUEST;
	/* What follows a 1xx may be an answer still. */
	return h->client ? H2_RESPONSE : H2_TRAILERS;
}

static int
on_begin_headers(nghttp2_session *ng UNUSED, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = arg;

	if (f->hd.type != NGHTTP2_HEADERS)
		return 0;
	slab_give(h->slabs, &h->block);
	h->block = h2_block_begin(h->slabs, kind_of(h, f));
	return h->block == NULL ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int
on_header(nghttp2_session *ng UNUSED, const nghttp2_frame *f UNUSED,
    const uint8_t *name, size_t name_len, const uint8_t *value,
    size_t value_len, uint8_t flags UNUSED, void *arg)
{
	struct h2 *h = arg;

	if (h->block != NULL)
		h2_block_field(h->block, &h->limits,
		    str_from((const char *)name, name_len),
		    str_from((const char *)value, value_len));
	return 0;
}

/* Fields that HTTP/1 could not carry are errors, not left out in silence. */
static int
on_bad_header(nghttp2_session *ng UNUSED, const nghttp2_frame *f UNUSED,
    const uint8_t *name UNUSED, size_t name_len UNUSED,
    const uint8_t *value UNUSED, size_t value_len UNUSED, uint8_t flags UNUSED,
    void *arg UNUSED)
{
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void
on_section(struct h2 *h, const nghttp2_frame *f)
{
	struct slab *s = h->block;
	struct h2_block *b;
	void *stream = stream_of(h, f->hd.stream_id);
	enum http_method asked = METHOD_OTHER;
	bool end = (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	bool is_head;

	if (s == NULL)
		return;
	h->block = NULL;
	if (h->client && stream == NULL) { /* nobody listens any more */
		slab_give(h->slabs, &s);
		return;
	}
	b = h2_block_of(s);
	/* Without a status they are the trailers of an answer, good or bad. */
	if (b->kind == H2_RESPONSE && b->head.status == 0 && end &&
	    b->bad != BAD_STATUS)
		b->kind = H2_TRAILERS;
	if (b->kind == H2_RESPONSE)
		asked = h->user->method(h->arg, stream);
	h2_block_end(s, &h->limits, end, asked);
	is_head = b->kind != H2_TRAILERS;
	s = h2_block_fit(h->slabs, s); /* b may be gone */
	if (is_head)
		h->user->head(h->arg, f->hd.stream_id, stream, s, end);
	else if (stream != NULL)
		h->user->end(h->arg, stream, s);
	else
		slab_give(h->slabs, &s);
}

/* ---- what nghttp2 tells ---- */

/*
 * What nghttp2 lets pass, and RFC 9113 does not: PRIORITY of no stream (6.3),
 * a new stream below the newest (5.1.1).  The latter may be the rest of one
 * that was reset, if any was.
 */
static int
on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
	struct h2 *h = arg;
	bool old = !h->client && hd->type == NGHTTP2_HEADERS &&
	    hd->stream_id <= h->newest && !h->any_reset &&
	    nghttp2_session_get_stream_remote_close(ng, hd->stream_id) == -1;

	if (old || (hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0)) {
		h->over = true;
		(void)nghttp2_session_terminate_session(ng, H2_PROTOCOL_ERROR);
	}
	if (hd->type == NGHTTP2_PRIORITY)
		pay(h, H2_FLOOD_PRIORITY);
	if (hd->type == NGHTTP2_HEADERS)
		h->newest = MAX(h->newest, hd->stream_id);
	h->any_reset |= hd->type == NGHTTP2_RST_STREAM;
	return 0;
}

static int
on_frame(nghttp2_session *ng UNUSED, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = arg;
	enum h2_flood flood = flood_of(f);
	void *stream;

	if (flood != H2_FLOOD_COUNT)
		pay(h, flood);
	switch (f->hd.type) {
	case NGHTTP2_HEADERS:
		on_section(h, f);
		return 0;
	case NGHTTP2_DATA:
		stream = stream_of(h, f->hd.stream_id);
		if ((f->hd.flags & NGHTTP2_FLAG_END_STREAM) && stream != NULL)
			h->user->end(h->arg, stream, NULL);
		return 0;
	case NGHTTP2_PING:
		if (f->hd.flags & NGHTTP2_FLAG_ACK)
			h->user->pong(h->arg);
		return 0;
	case NGHTTP2_SETTINGS:
		h->settled |= (f->hd.flags & NGHTTP2_FLAG_ACK) == 0;
		return 0;
	default:
		return 0;
	}
}

static int
on_data(nghttp2_session *ng, uint8_t flags UNUSED, int32_t id,
    const uint8_t *bytes, size_t len, void *arg)
{
	struct h2 *h = arg;
	void *stream = stream_of(h, id);

	if (stream == NULL) /* nobody listens any more */
		(void)nghttp2_session_consume(ng, id, len);
	else
		h->user->data(h->arg, stream,
		    str_from((const char *)bytes, len));
	return 0;
}

static int
on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct h2 *h = arg;
	void *stream = stream_of(h, id);

	if (stream == NULL)
		return 0;
	(void)nghttp2_session_set_stream_user_data(ng, id, NULL);
	h->user->closed(h->arg, stream, code);
	return 0;
}

static bool
is_tunnel(struct h2 *h, int32_t id)
{
	void *stream = stream_of(h, id);

	return stream != NULL && h->user->is_tunnel(h->arg, stream);
}

static void
tell_asked(struct h2 *h, int32_t id)
{
	void *stream = stream_of(h, id);

	if (stream != NULL)
		h->user->asked(h->arg, stream);
}

/* RFC 9113 8.1: an answer that is whole before its request asks to stop. */
static int
on_sent(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = arg;
	bool ends;

	h->any_reset |= f->hd.type == NGHTTP2_RST_STREAM;
	if (f->hd.type == NGHTTP2_GOAWAY &&
	    f->goaway.error_code != H2_NO_ERROR && h->flood == H2_FLOOD_COUNT)
		h->flood = H2_FLOOD_PROTOCOL;
	ends = (f->hd.type == NGHTTP2_DATA || f->hd.type == NGHTTP2_HEADERS) &&
	    (f->hd.flags & NGHTTP2_FLAG_END_STREAM);
	if (f->hd.type == NGHTTP2_DATA)
		earn(h, f->hd.length);
	if (f->hd.type == NGHTTP2_HEADERS &&
	    f->headers.cat == NGHTTP2_HCAT_REQUEST)
		tell_asked(h, f->hd.stream_id);
	if (ends && !h->client &&
	    nghttp2_session_get_stream_remote_close(ng, f->hd.stream_id) == 0 &&
	    !is_tunnel(h, f->hd.stream_id))
		(void)nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE,
		    f->hd.stream_id, H2_NO_ERROR);
	return 0;
}

static ssize_t
on_pull(nghttp2_session *ng UNUSED, int32_t id, uint8_t *out, size_t cap,
    uint32_t *flags, nghttp2_data_source *source UNUSED, void *arg)
{
	struct h2 *h = arg;
	void *stream = stream_of(h, id);
	bool end = false;
	size_t n;

	if (stream == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	h->trailing = false;
	n = h->user->pull(h->arg, stream, (char *)out, cap, &end);
	if (n == 0 && !end)
		return NGHTTP2_ERR_DEFERRED;
	if (end)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (end && h->trailing)
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return (ssize_t)n;
}

/* ---- making one ---- */

static nghttp2_session_callbacks *
callbacks(void)
{
	nghttp2_session_callbacks *c;

	if (nghttp2_session_callbacks_new(&c) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_frame_callback(c,
	    on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c,
	    on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(c,
	    on_bad_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
	return c;
}

static int
make_session(struct h2 *h)
{
	nghttp2_session_callbacks *c = callbacks();
	nghttp2_option *o = NULL;
	int rc = NGHTTP2_ERR_NOMEM;

	if (c != NULL && nghttp2_option_new(&o) == 0) {
		nghttp2_option_set_no_auto_window_update(o, 1);
		nghttp2_option_set_no_closed_streams(o, 1);
		nghttp2_option_set_max_deflate_dynamic_table_size(o,
		    TABLE_BYTES);
		nghttp2_option_set_max_continuations(o, CONTINUATIONS_MAX);
		nghttp2_option_set_max_outbound_ack(o, ACKS_MAX);
		nghttp2_option_set_server_fallback_rfc7540_priorities(o, 0);
		rc = h->client ? nghttp2_session_client_new2(&h->ng, c, h, o)
		               : nghttp2_session_server_new2(&h->ng, c, h, o);
	}
	nghttp2_option_del(o);
	nghttp2_session_callbacks_del(c);
	return rc == 0 ? E_OK : E_NOMEM;
}

static int
say_settings(struct h2 *h, const struct h2_settings *s)
{
	nghttp2_settings_entry iv[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		    s->client ? 0 : s->max_streams },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, s->limits.head_bytes },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL,
		    !s->client }, /* RFC 8441 */
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};
	/* A server must not send ENABLE_PUSH but 0 (RFC 9113 6.5.2). */
	size_t n = ARRAY_LEN(iv);

	if (nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, iv, n) != 0 ||
	    nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, 0,
	        (int32_t)s->window) != 0)
		return E_NOMEM;
	return E_OK;
}

int
h2_new(struct h2 **out, const struct h2_settings *s, const struct h2_user *user,
    void *arg, struct slab_store *slabs)
{
	struct h2 *h = calloc(1, sizeof(*h));
	int rc;

	*out = NULL;
	if (h == NULL)
		return E_NOMEM;
	h->user = user;
	h->arg = arg;
	h->slabs = slabs;
	h->limits = s->limits;
	h->client = s->client;
	h->budget_max = s->client ? BUDGET * INSTANCE_PART : BUDGET;
	h->budget = h->budget_max;
	h->flood = H2_FLOOD_COUNT;
	rc = make_session(h);
	if (rc == E_OK)
		rc = say_settings(h, s);
	if (rc != E_OK)
		h2_free(&h);
	*out = h;
	return rc;
}

void
h2_free(struct h2 **hp)
{
	struct h2 *h = *hp;

	if (h == NULL)
		return;
	nghttp2_session_del(h->ng);
	slab_give(h->slabs, &h->block);
	free(h);
	*hp = NULL;
}

/* ---- bytes ---- */

int
h2_receive(struct h2 *h, struct str bytes, uint64_t now_us)
{
	ssize_t n;

	if (h->over)
		return E_SYNTAX;
	if (h->refilled_us == 0)
		h->refilled_us = now_us;
	refill(h, now_us);
	n = nghttp2_session_mem_recv(h->ng, (const uint8_t *)bytes.p,
	    bytes.len);
	if (n == NGHTTP2_ERR_NOMEM || n == NGHTTP2_ERR_CALLBACK_FAILURE) {
		h->over = true;
		return E_NOMEM;
	}
	if (n == NGHTTP2_ERR_FLOODED && h->flood == H2_FLOOD_COUNT)
		h->flood = H2_FLOOD_OTHER;
	if (n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
		give_up(h, H2_FLOOD_CONTINUATION);
	if (n < 0)
		h->over = true;
	return h->over || nghttp2_session_want_read(h->ng) == 0 ? E_SYNTAX
	                                                        : E_OK;
}

struct str
h2_send(struct h2 *h)
{
	const uint8_t *p = NULL;
	ssize_t n = nghttp2_session_mem_send(h->ng, &p);

	if (n < 0) {
		h->over = true;
		n = 0;
	}
	return str_from((const char *)p, (size_t)n);
}

bool
h2_is_over(const struct h2 *h)
{
	return (h->over || nghttp2_session_want_read(h->ng) == 0) &&
	    nghttp2_session_want_write(h->ng) == 0;
}

enum h2_flood
h2_flooded(const struct h2 *h)
{
	return (enum h2_flood)h->flood;
}

bool
h2_in_block(const struct h2 *h)
{
	return h->block != NULL;
}

/* ---- streams ---- */

void
h2_name(struct h2 *h, int32_t id, void *stream)
{
	(void)nghttp2_session_set_stream_user_data(h->ng, id, stream);
}

void
h2_consumed(struct h2 *h, int32_t id, size_t n)
{
	(void)nghttp2_session_consume(h->ng, id, n);
}

static nghttp2_nv
nv(struct str name, struct str value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.p,
		.value = (uint8_t *)(uintptr_t)value.p,
		.namelen = name.len,
		.valuelen = value.len,
		.flags = NGHTTP2_NV_FLAG_NONE };
}

/* Nothing may cross that one side would read as two lines. */
static bool
is_fit(const struct http_field *f)
{
	for (unsigned i = 0; i < f->name_len; i++)
		if (!ch_is(f->name[i], CH_TOKEN))
			return false;
	for (unsigned i = 0; i < f->value_len; i++)
		if (!ch_is(f->value[i], CH_VALUE))
			return false;
	return f->name_len > 0;
}

/* Fields that are of one HTTP/1 connection (RFC 9113 8.2.2), and Host. */
static bool
is_left_out(const struct http_field *f)
{
	switch (f->id) {
	case FIELD_HOST:
	case FIELD_CONNECTION:
	case FIELD_KEEP_ALIVE:
	case FIELD_PROXY_CONNECTION:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_UPGRADE:
	case FIELD_HTTP2_SETTINGS:
	case FIELD_TE:
		return true;
	default:
		return (f->flags & HF_DROP) != 0;
	}
}

/* Appends the fields; how many there are then, or E_SYNTAX. */
static ssize_t
put_fields(const struct http_head *head, nghttp2_nv *out, size_t n)
{
	for (unsigned i = 0; i < head->n; i++) {
		const struct http_field *f = &head->f[i];

		if (is_left_out(f))
			continue;
		if (!is_fit(f))
			return E_SYNTAX;
		out[n++] = nv(str_from(f->name, f->name_len),
		    str_from(f->value, f->value_len));
	}
	return (ssize_t)n;
}

#define PSEUDO_MAX 5 /* of a request, TE counted in */
#define NV_MAX (PSEUDO_MAX + HTTP_FIELDS_MAX + HTTP_EXTRA_MAX)

static int
from_ng(int rc)
{
	if (rc >= 0)
		return E_OK;
	return rc == NGHTTP2_ERR_NOMEM ? E_NOMEM : E_RESET;
}

int
h2_respond(struct h2 *h, int32_t id, const struct http_head *head, bool more)
{
	nghttp2_data_provider body = { .read_callback = on_pull };
	nghttp2_nv out[NV_MAX];
	unsigned says = head->status == 101 ? 200 : head->status;
	char status[3] = { (char)('0' + says / 100),
		(char)('0' + says / 10 % 10), (char)('0' + says % 10) };
	ssize_t n;

	out[0] = nv(STR(":status"), str_from(status, sizeof(status)));
	n = put_fields(head, out, 1);
	if (n < 0)
		return (int)n;
	if (says < 200)
		return from_ng(nghttp2_submit_headers(h->ng, NGHTTP2_FLAG_NONE,
		    id, NULL, out, (size_t)n, NULL));
	return from_ng(nghttp2_submit_response(h->ng, id, out, (size_t)n,
	    more ? &body : NULL));
}

static bool
is_text(struct str s, unsigned class)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ch_is(s.p[i], class))
			return false;
	return true;
}

int32_t
h2_request(struct h2 *h, const struct http_head *head, bool https, bool more,
    void *stream)
{
	nghttp2_data_provider body = { .read_callback = on_pull };
	nghttp2_nv out[NV_MAX];
	ssize_t n = 0;
	int32_t id;

	if (!is_text(head->method_text, CH_TOKEN) ||
	    !is_text(head->target, CH_TARGET) ||
	    !is_text(head->authority, CH_VALUE))
		return E_SYNTAX;
	out[n++] = nv(STR(":method"), head->method_text);
	out[n++] = nv(STR(":scheme"), https ? STR("https") : STR("http"));
	out[n++] = nv(STR(":authority"), head->authority);
	out[n++] = nv(STR(":path"), head->target);
	if (head->te_trailers)
		out[n++] = nv(STR("te"), STR("trailers"));
	n = put_fields(head, out, (size_t)n);
	if (n < 0)
		return (int32_t)n;
	id = nghttp2_submit_request(h->ng, NULL, out, (size_t)n,
	    more ? &body : NULL, stream);
	if (id > 0)
		return id;
	return id == NGHTTP2_ERR_NOMEM ? E_NOMEM : E_FULL;
}

bool
h2_may_begin(const struct h2 *h)
{
	return !h->over && nghttp2_session_check_request_allowed(h->ng) != 0;
}

uint32_t
h2_may_ask(const struct h2 *h)
{
	if (!h2_may_begin(h))
		return 0;
	return nghttp2_session_get_remote_settings(h->ng,
	    NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool
h2_is_settled(const struct h2 *h)
{
	return h->settled;
}

int
h2_trailers(struct h2 *h, int32_t id, const struct http_head *head)
{
	nghttp2_nv out[NV_MAX];
	ssize_t n = put_fields(head, out, 0);

	if (n < 0)
		return (int)n;
	if (n == 0)
		return E_OK;
	h->trailing = true;
	return from_ng(nghttp2_submit_trailer(h->ng, id, out, (size_t)n));
}

void
h2_more(struct h2 *h, int32_t id)
{
	(void)nghttp2_session_resume_data(h->ng, id);
}

void
h2_reset(struct h2 *h, int32_t id, uint32_t code)
{
	(void)nghttp2_submit_rst_stream(h->ng, NGHTTP2_FLAG_NONE, id, code);
}

/* ---- the end ---- */

void
h2_warn(struct h2 *h)
{
	(void)nghttp2_submit_shutdown_notice(h->ng);
	(void)nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, NULL);
}

void
h2_goaway(struct h2 *h, uint32_t code)
{
	(void)nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(h->ng), code, NULL, 0);
}
