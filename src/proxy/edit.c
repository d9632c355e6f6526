#include "proxy/edit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "config/config.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/forward.h"
#include "proxy/gate.h"
#include "proxy/route.h"
#include "proxy/strip.h"
#include "upstream/view.h"

#define HSTS_MAX 64 /* bytes of a value */

/* ---- variables ---- */

int
edit_note_client(struct exchange *x)
{
	struct addr room;
	const struct addr *source = gate_source(x, &room);
	char text[ADDR_TEXT_MAX];
	size_t len;
	char *p;

	if (x->told_client.p != NULL)
		return E_OK;
	x->told_client = STR("unknown"); /* RFC 7239 6.2 */
	if (source == NULL)
		return E_OK;
	if (source == &x->client->peer) {
		x->told_client = str_of(x->client->peer_text);
		return E_OK;
	}
	len = addr_host(source, text);
	p = exchange_alloc(x, len);
	if (p == NULL)
		return E_NOMEM;
	memcpy(p, text, len);
	x->told_client = str_from(p, len);
	return E_OK;
}

static struct str
value_of(const struct exchange *x, const struct edit_part *part)
{
	switch (part->var) {
	case EDIT_TEXT:
		return part->text;
	case EDIT_CLIENT:
		return x->told_client;
	case EDIT_PEER:
		return str_of(x->client->peer_text);
	case EDIT_HOST:
		return x->req.has_authority ? x->req.authority : STR("");
	case EDIT_SCHEME:
		return x->tls_client ? STR("https") : STR("http");
	case EDIT_REQUEST_ID:
		return http_head_value(&x->req, FIELD_X_REQUEST_ID);
	case EDIT_SERVICE:
		return str_of(x->service->name);
	case EDIT_POOL:
		return x->pool == NULL ? STR("") : str_of(x->pool->name);
	case EDIT_NO_VAR:
		break; /* refused with the configuration */
	}
	return STR("");
}

static int
make_value(struct exchange *x, const struct edit *e, struct str *out)
{
	size_t len = 0;
	char *p;

	*out = e->fixed;
	if (e->parts == NULL)
		return E_OK;
	for (size_t i = 0; i < e->n_parts; i++)
		len += value_of(x, &e->parts[i]).len;
	p = exchange_alloc(x, len);
	if (p == NULL)
		return E_NOMEM;
	*out = str_from(p, len);
	for (size_t i = 0; i < e->n_parts; i++) {
		struct str s = value_of(x, &e->parts[i]);

		if (s.len > 0)
			memcpy(p, s.p, s.len);
		p += s.len;
	}
	*out = str_trim(*out);
	return E_OK;
}

/* ---- rules ---- */

#define BIT(id) (UINT64_C(1) << FIELD_##id)

/* What "*" does not take: no rule could name it. */
static const uint64_t kept = BIT(HOST) | BIT(CONTENT_LENGTH) |
    BIT(TRANSFER_ENCODING) | BIT(TRAILER) | BIT(EXPECT) | BIT(CONNECTION) |
    BIT(KEEP_ALIVE) | BIT(TE) | BIT(UPGRADE) | BIT(HTTP2_SETTINGS) |
    BIT(PROXY_CONNECTION) | BIT(PROXY_AUTHENTICATE) | BIT(PROXY_AUTHORIZATION);
static const uint64_t kept_in_requests = BIT(VIA) | BIT(X_REQUEST_ID);

static void
drop_all(struct http_head *h, const struct edit *e)
{
	uint64_t stays = h->status == 0 ? kept | kept_in_requests : kept;

	for (unsigned i = 0; i < h->n; i++) {
		struct http_field *f = &h->f[i];

		if (((stays >> f->id) & 1) ||
		    !edit_fits(e->name, str_from(f->name, f->name_len)))
			continue;
		f->flags |= HF_DROP;
		if (f->id != FIELD_OTHER)
			h->have &= ~(UINT64_C(1) << f->id);
	}
}

static int
follow(struct exchange *x, const struct edits *es, struct http_head *h)
{
	for (size_t i = 0; i < es->n; i++) {
		const struct edit *e = &es->list[i];
		struct str value;
		int rc;

		if (e->verb == EDIT_REMOVE) {
			drop_all(h, e);
			continue;
		}
		rc = make_value(x, e, &value);
		if (rc == E_OK && e->verb == EDIT_SET)
			drop_all(h, e);
		if (rc == E_OK)
			rc = http_head_add(h, (enum http_field_id)e->id,
			    e->name, value);
		if (rc != E_OK)
			return rc;
	}
	return E_OK;
}

static void
follow_removals(const struct edits *es, struct http_head *h)
{
	for (size_t i = 0; i < es->n; i++)
		if (es->list[i].verb == EDIT_REMOVE)
			drop_all(h, &es->list[i]);
}

/* Never in clear: RFC 6797 7.2.  One only: clients take the first, 8.1. */
static int
add_hsts(struct exchange *x, const struct cfg_service *cfg, struct http_head *h)
{
	struct str name = STR("Strict-Transport-Security");
	char *p;
	int n;

	if (!cfg->hsts_on || !x->tls_client)
		return E_OK;
	p = exchange_alloc(x, HSTS_MAX);
	if (p == NULL)
		return E_NOMEM;
	n = snprintf(p, HSTS_MAX, "max-age=%llu%s%s",
	    (unsigned long long)(cfg->hsts_us / US_PER_S),
	    cfg->hsts_subdomains ? "; includeSubDomains" : "",
	    cfg->hsts_preload ? "; preload" : "");
	for (unsigned i = 0; i < h->n; i++)
		if (str_caseeq(str_from(h->f[i].name, h->f[i].name_len), name))
			h->f[i].flags |= HF_DROP;
	return http_head_add(h, FIELD_OTHER, name, str_from(p, (size_t)n));
}

/* ---- where they are followed ---- */

int
edit_request(struct exchange *x)
{
	return follow(x, &x->vs->request_edits, &x->req);
}

int
edit_answer(struct exchange *x, struct http_head *h)
{
	const struct view_service *vs;
	int rc;

	if (!x->edits_answer)
		return E_OK;
	vs = route_service_now(x);
	if (vs == NULL)
		return E_OK;
	rc = add_hsts(x, vs->cfg, h);
	return rc == E_OK ? follow(x, &vs->response_edits, h) : rc;
}

int
edit_own_answer(struct exchange *x, struct http_head *h)
{
	int rc;

	if (!x->edits_answer)
		return E_OK;
	rc = edit_note_client(x);
	if (rc == E_OK)
		rc = forward_name(x);
	return rc == E_OK ? edit_answer(x, h) : rc;
}

void
edit_request_trailers(const struct exchange *x, struct http_head *h)
{
	const struct view_service *vs;

	strip_trailers(h, (enum cfg_profile)x->profile);
	if (!x->edits_request)
		return;
	vs = route_service_now(x);
	if (vs != NULL)
		follow_removals(&vs->request_edits, h);
}

void
edit_answer_trailers(const struct exchange *x, struct http_head *h)
{
	const struct view_service *vs;

	if (!x->edits_answer)
		return;
	vs = route_service_now(x);
	if (vs != NULL)
		follow_removals(&vs->response_edits, h);
}
