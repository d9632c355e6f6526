#include "proxy/answer.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "config/pages.h"
#include "http/h1_write.h"
#include "net/loop.h"
#include "proxy/client.h"
#include "proxy/edit.h"
#include "proxy/exchange.h"
#include "proxy/forward.h"
#include "proxy/grpc.h"
#include "proxy/route.h"
#include "proxy/worker.h"
#include "upstream/copies.h"
#include "upstream/view.h"

#define OURS_MAX 512

/* One row a status: a sentence for people, and whether to come again. */
/* clang-format off */
static const struct page {
	unsigned status;
	const char *sentence;
	const char *retry_after; /* seconds, or NULL */
} pages[] = {
	{ 200, "All is well.", NULL },
	{ 301, "This is served over TLS.", NULL },
	{ 308, "This is served over TLS.", NULL },
	{ 400, "The request is malformed.", NULL },
	{ 403, "This is not allowed here.", NULL },
	{ 404, "There is no service at this address.", NULL },
	{ 405, "This method is not supported here.", NULL },
	{ 408, "The request took too long to arrive.", NULL },
	{ 413, "The request is too large.", NULL },
	{ 414, "The address is too long.", NULL },
	{ 417, "This expectation cannot be met.", NULL },
	{ 421, "This connection does not serve that host.", NULL },
	{ 429, "Too many requests. Please try again in a moment.", "1" },
	{ 431, "The request's header fields are too large.", NULL },
	{ 501, "The request needs something not supported here.", NULL },
	{ 502, "The service gave no valid answer.", NULL },
	{ 503, "The service is not available right now. Please try again in a moment.", "1" },
	{ 504, "The service took too long to answer.", NULL },
	{ 505, "This version of HTTP is not supported.", NULL },
	{ 508, "The request goes in a circle.", NULL },
};
/* clang-format on */

static const struct page *
page_of(unsigned status)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (pages[i].status == status)
			return &pages[i];
	return page_of(400);
}

/* ---- the form ---- */

static const char *const form_types[] = {
	[CFG_FORM_TEXT] = "text/plain; charset=utf-8",
	[CFG_FORM_JSON] = "application/json",
	[CFG_FORM_HTML] = "text/html; charset=utf-8",
};

/* Thousandths (RFC 9110 12.4.2); what is no number is 1. */
static unsigned
quality_of(struct str params)
{
	while (params.len > 0) {
		struct str p = str_trim(str_split(&params, ';'));
		unsigned q = 0;

		if (!str_casestarts(p, STR("q=")) || p.len < 3)
			continue;
		if (p.p[2] != '0')
			return 1000;
		for (size_t i = 4, unit = 100; i < p.len && unit > 0; i++) {
			if (p.p[i] < '0' || p.p[i] > '9')
				break;
			q += (unsigned)((size_t)(p.p[i] - '0') * unit);
			unit /= 10;
		}
		return q;
	}
	return 1000;
}

static bool
form_of_type(struct str type, enum cfg_form *form)
{
	if (str_caseeq(type, STR("text/html")) ||
	    str_caseeq(type, STR("application/xhtml+xml")))
		*form = CFG_FORM_HTML;
	else if (str_caseeq(type, STR("text/plain")))
		*form = CFG_FORM_TEXT;
	else if (str_caseeq(type, STR("application/json")) ||
	    (type.len > 5 &&
	        str_caseeq(str_sub(type, type.len - 5, 5), STR("+json"))))
		*form = CFG_FORM_JSON;
	else
		return false;
	return true;
}

/*
 * The form that the client likes best, of like ones the first.  False when it
 * names none of ours: then it takes any.
 */
static bool
form_for(const struct exchange *x, enum cfg_form *best)
{
	unsigned best_q = 0;
	struct str rest, item;

	*best = CFG_FORM_TEXT;
	if (!x->held_head)
		return false;
	rest = http_head_value(&x->req, FIELD_ACCEPT);
	while (str_list_next(&rest, &item)) {
		struct str type = str_trim(str_split(&item, ';'));
		enum cfg_form form;
		unsigned q = quality_of(item);

		if (q <= best_q || !form_of_type(type, &form))
			continue;
		best_q = q;
		*best = form;
	}
	return best_q > 0;
}

/* ---- the body ---- */

static struct str
write_ours(const struct page *pg, enum cfg_form form, char out[OURS_MAX])
{
	const char *reason = http_reason(pg->status);
	int n = 0;

	switch (form) {
	case CFG_FORM_JSON:
		n = snprintf(out, OURS_MAX,
		    "{\"status\":%u,\"error\":\"%s\",\"message\":\"%s\"}\n",
		    pg->status, reason, pg->sentence);
		break;
	case CFG_FORM_HTML:
		n = snprintf(out, OURS_MAX,
		    "<!doctype html>\n<html lang=\"en\"><meta "
		    "charset=\"utf-8\">"
		    "<title>%u %s</title>\n<h1>%s</h1>\n<p>%s</p>\n</html>\n",
		    pg->status, reason, reason, pg->sentence);
		break;
	case CFG_FORM_TEXT:
	case CFG_FORM_COUNT:
		n = snprintf(out, OURS_MAX, "%u %s\n%s\n", pg->status, reason,
		    pg->sentence);
		break;
	}
	return str_from(out, (size_t)n);
}

/* The operator's page in that form: the service's, else the daemon's. */
static const struct str *
page_in(const struct exchange *x, unsigned status, enum cfg_form form)
{
	const struct view *v = x->proxy->view;
	const struct view_service *vs = route_service_now(x);
	const struct str *page = NULL;

	if (vs != NULL)
		page = page_find(vs->cfg->pages, vs->cfg->n_pages, status,
		    form);
	return page != NULL
	    ? page
	    : page_find(v->cfg->pages, v->cfg->n_pages, status, form);
}

/* In that form, or in any that there is when the client does not mind. */
static const struct str *
find_page(const struct exchange *x, unsigned status, bool any,
    enum cfg_form *form)
{
	static const enum cfg_form others[] = { CFG_FORM_HTML, CFG_FORM_JSON };
	const struct str *page = page_in(x, status, *form);

	for (size_t i = 0; page == NULL && any && i < ARRAY_LEN(others); i++) {
		page = page_in(x, status, others[i]);
		if (page != NULL)
			*form = others[i];
	}
	return page;
}

/* The one in our log; of a head that could not be read there is none. */
static struct str
request_id(struct exchange *x)
{
	if (!x->held_head || forward_name(x) != E_OK)
		return STR("");
	return http_head_value(&x->req, FIELD_X_REQUEST_ID);
}

/* Ours needs no memory: it comes also when there is none. */
static struct str
write_body(struct exchange *x, unsigned status, enum cfg_form *form,
    struct buf *room, char ours[OURS_MAX])
{
	enum cfg_form liked;
	bool any = !form_for(x, &liked);
	const struct str *page;

	*form = liked;
	page = find_page(x, status, any, form);
	if (page != NULL) {
		page_fill(*page, *form, status, http_reason(status),
		    request_id(x), room);
		if (!room->failed)
			return buf_str(room);
	}
	*form = liked;
	return write_ours(page_of(status), *form, ours);
}

/* ---- what the service adds ---- */

/* What an answer of ours says itself, whatever the rules say. */
static bool
is_ours(const struct http_field *f)
{
	static const struct str names[] = { STR("Cache-Control"), STR("Allow"),
		STR("Location") };

	switch ((enum http_field_id)f->id) {
	case FIELD_DATE:
	case FIELD_CONTENT_TYPE:
	case FIELD_RETRY_AFTER:
		return true;
	default:
		break;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_caseeq(str_from(f->name, f->name_len), names[i]))
			return true;
	return false;
}

/* What the service's rules set; nothing when there is no memory for it. */
static void
take_edits(struct exchange *x, struct http_head *h)
{
	if (edit_own_answer(x, h) != E_OK) {
		h->n = 0;
		h->have = 0;
	}
	for (unsigned i = 0; i < h->n; i++)
		if (is_ours(&h->f[i]))
			h->f[i].flags |= HF_DROP;
}

/* ---- all of it ---- */

static const char *
write_retry(const struct exchange *x, const struct page *pg, char out[16])
{
	if (x->retry_s == 0)
		return pg->retry_after;
	(void)snprintf(out, 16, "%u", x->retry_s);
	return out;
}

/* Else it is one that was being made of an answer. */
static bool
gives_copy(const struct exchange *x)
{
	return x->copy != NULL &&
	    (x->outcome == OUT_COPY || x->outcome == OUT_KEYS);
}

/* Of a copy (RFC 9111 5.1). */
static struct str
write_age(const struct exchange *x, char out[24])
{
	uint64_t now = loop_now_us(x->proxy->env.loop);

	(void)snprintf(out, 24, "%llu",
	    (unsigned long long)((now - MIN(now, x->copy->taken_us)) /
	        US_PER_S));
	return str_of(out);
}

/* Fields of an answer, in a head of its own. */
static int
fill_head(struct exchange *x, struct http_head *h, struct str type,
    struct str length)
{
	struct str allow = STR("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, "
	                       "TRACE");
	int rc = http_head_add(h, FIELD_DATE, STR("Date"),
	    proxy_date(x->proxy));

	if (rc == E_OK)
		rc = http_head_add(h, FIELD_CONTENT_TYPE, STR("Content-Type"),
		    type);
	if (rc == E_OK)
		rc = http_head_add(h, FIELD_CONTENT_LENGTH,
		    STR("Content-Length"), length);
	if (rc == E_OK)
		rc = http_head_add(h, FIELD_OTHER, STR("Cache-Control"),
		    gives_copy(x) ? STR("no-cache") : STR("no-store"));
	if (rc == E_OK && gives_copy(x) && x->copy->for_all &&
	    http_head_value_of(h, STR("access-control-allow-origin")).p == NULL)
		rc = http_head_add(h, FIELD_OTHER,
		    STR("Access-Control-Allow-Origin"), STR("*"));
	if (rc == E_OK && x->location.p != NULL)
		rc = http_head_add(h, FIELD_OTHER, STR("Location"),
		    x->location);
	if (rc == E_OK && h->status == 405)
		rc = http_head_add(h, FIELD_OTHER, STR("Allow"), allow);
	return rc;
}

/* Trailers only: one head that is the end, too. */
static int
send_grpc(struct exchange *x, const struct page *pg)
{
	struct http_head h;
	char digits[4];
	int rc;

	x->grpc_status = (uint8_t)grpc_status_of(pg->status,
	    (enum outcome)x->outcome);
	(void)snprintf(digits, sizeof(digits), "%u", x->grpc_status);
	memset(&h, 0, offsetof(struct http_head, f));
	h.status = 200;
	if (x->edits_answer)
		take_edits(x, &h);
	rc = http_head_add(&h, FIELD_DATE, STR("Date"), proxy_date(x->proxy));
	if (rc == E_OK)
		rc = http_head_add(&h, FIELD_CONTENT_TYPE, STR("Content-Type"),
		    STR("application/grpc"));
	if (rc == E_OK)
		rc = http_head_add(&h, FIELD_OTHER, STR("grpc-status"),
		    str_of(digits));
	if (rc == E_OK)
		rc = http_head_add(&h, FIELD_OTHER, STR("grpc-message"),
		    str_of(pg->sentence));
	return rc == E_OK
	    ? lane_send_head(&x->client->lane, &h, FRAMING_NONE, 0)
	    : rc;
}

int
answer_send(struct exchange *x, unsigned status)
{
	const struct page *pg = page_of(status);
	struct lane *l = &x->client->lane;
	struct buf room = BUF_INIT;
	struct http_head h;
	char ours[OURS_MAX], seconds[16], length[24], age[24];
	enum cfg_form form;
	struct str body, type = STR("application/octet-stream");
	const char *retry = write_retry(x, pg, seconds);
	unsigned flags = x->req.minor == 0 ? H1W_KEEP_ALIVE : 0;
	bool bare;
	int rc;

	if (x->grpc)
		return send_grpc(x, pg);
	if (!x->keep_client || x->client->stop_asked) {
		x->keep_client = false;
		flags = H1W_CLOSE;
	}
	body = x->own_body;
	if (gives_copy(x)) {
		body = buf_str(&x->copy->body);
		type = buf_str(&x->copy->type);
	} else if (body.p == NULL) {
		body = write_body(x, status, &form, &room, ours);
		type = str_of(form_types[form]);
	}
	bare = x->req.method == METHOD_HEAD || body.len == 0;
	(void)snprintf(length, sizeof(length), "%zu", body.len);
	memset(&h, 0, offsetof(struct http_head, f));
	h.status = (uint16_t)status;
	h.reason = str_of(http_reason(status));
	h.body_len = body.len;
	if (x->edits_answer)
		take_edits(x, &h);
	rc = fill_head(x, &h, type, str_of(length));
	if (rc == E_OK && retry != NULL)
		rc = http_head_add(&h, FIELD_RETRY_AFTER, STR("Retry-After"),
		    str_of(retry));
	if (rc == E_OK && x->outcome == OUT_COPY && x->copy != NULL)
		rc = http_head_add(&h, FIELD_OTHER, STR("Age"),
		    write_age(x, age));
	if (rc == E_OK)
		rc = lane_send_head(l, &h, bare ? FRAMING_NONE : FRAMING_LENGTH,
		    flags);
	if (rc == E_OK && !bare) {
		x->bytes_out = body.len;
		rc = lane_send_copy(l, body);
	}
	if (rc == E_OK && !bare)
		rc = lane_send_end(l, NULL);
	buf_free(&room);
	return rc;
}
