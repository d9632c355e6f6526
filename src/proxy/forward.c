#include "proxy/forward.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"
#include "base/units.h"
#include "config/config.h"
#include "http/cookie.h"
#include "proxy/bridge.h"
#include "proxy/client.h"
#include "proxy/cookies.h"
#include "proxy/edit.h"
#include "proxy/elements.h"
#include "proxy/exchange.h"
#include "proxy/preface.h"
#include "proxy/proof.h"
#include "proxy/strip.h"
#include "proxy/worker.h"
#include "session/pin.h"
#include "tls/stream.h"
#include "upstream/view.h"

#define HOPS_MAX 8 /* segues in a row: more is a circle */

/* ---- small texts that live as long as the exchange ---- */

struct text {
	char *p;
	size_t len, cap;
};

static bool
text_begin(struct exchange *x, struct text *t, size_t cap)
{
	t->p = exchange_alloc(x, cap);
	t->len = 0;
	t->cap = cap;
	return t->p != NULL;
}

static void
text_add(struct text *t, struct str s)
{
	size_t n = MIN(s.len, t->cap - t->len);

	if (n > 0)
		memcpy(t->p + t->len, s.p, n);
	t->len += n;
}

static struct str
text_str(const struct text *t)
{
	return str_from(t->p, t->len);
}

static int
add(struct http_head *h, enum http_field_id id, struct str value)
{
	return http_head_add(h, id, http_field_name(id), value);
}

/* All values of one field, joined by ", ", then ours. */
static int
append_value(struct exchange *x, enum http_field_id id, struct str ours)
{
	struct http_head *h = &x->req;
	struct text t;
	size_t need = ours.len;

	for (unsigned i = 0; i < h->n; i++)
		if (h->f[i].id == id && !(h->f[i].flags & HF_DROP))
			need += h->f[i].value_len + 2u;
	if (!text_begin(x, &t, need))
		return E_NOMEM;
	for (unsigned i = 0; i < h->n; i++) {
		if (h->f[i].id != id || (h->f[i].flags & HF_DROP))
			continue;
		text_add(&t, str_from(h->f[i].value, h->f[i].value_len));
		text_add(&t, STR(", "));
	}
	text_add(&t, ours);
	http_head_drop(h, id);
	return add(h, id, text_str(&t));
}

static void
drop_named(struct http_head *h, struct str name)
{
	for (unsigned i = 0; i < h->n; i++)
		if (str_caseeq(str_from(h->f[i].name, h->f[i].name_len), name))
			h->f[i].flags |= HF_DROP;
}

/* ---- who asks ---- */

/* A trusted proxy that speaks X-Forwarded-* alone, and ours behind it. */
static int
translate(struct exchange *x, struct str ours)
{
	struct text t;

	if (!text_begin(x, &t, elements_room(&x->req) + 2 + ours.len))
		return E_NOMEM;
	t.len = elements_write(&x->req, t.p);
	text_add(&t, t.len > 0 ? STR(", ") : STR(""));
	text_add(&t, ours);
	return add(&x->req, FIELD_FORWARDED, text_str(&t));
}

/* Over TLS with us, or with the balancer that passes its bytes on. */
static bool
own_tls(const struct exchange *x)
{
	return preface_says_tls(x->client) || tls_is_on(client_conn(x->client));
}

static int
set_forwarded(struct exchange *x, struct str peer, bool v6)
{
	struct text t;
	struct str host = x->req.authority;

	if (!text_begin(x, &t, peer.len + host.len + 48))
		return E_NOMEM;
	text_add(&t, STR("for="));
	text_add(&t, v6 ? STR("\"[") : STR(""));
	text_add(&t, peer);
	text_add(&t, v6 ? STR("]\"") : STR(""));
	if (host.len > 0) {
		text_add(&t, STR(";host=\""));
		text_add(&t, host);
		text_add(&t, STR("\""));
	}
	text_add(&t, own_tls(x) ? STR(";proto=https") : STR(";proto=http"));
	if (x->client->trusted && HTTP_HAS(&x->req, FORWARDED))
		return append_value(x, FIELD_FORWARDED, text_str(&t));
	if (x->client->trusted && HTTP_HAS(&x->req, X_FORWARDED_FOR))
		return translate(x, text_str(&t));
	http_head_drop(&x->req, FIELD_FORWARDED);
	return add(&x->req, FIELD_FORWARDED, text_str(&t));
}

/* The port the client asked for: of Host, else that of the scheme. */
static struct str
asked_port(const struct exchange *x)
{
	struct str authority = x->req.authority;

	for (size_t i = authority.len; i-- > 0;) {
		if (authority.p[i] == ':')
			return str_sub(authority, i + 1, authority.len);
		if (authority.p[i] == ']')
			break;
	}
	return x->tls_client ? STR("443") : STR("80");
}

/* A trusted proxy's word on how the client asked stands; ours fills gaps. */
static int
set_unless_trusted(struct exchange *x, enum http_field_id id, struct str value)
{
	if (x->client->trusted && http_head_find(&x->req, id) != NULL)
		return E_OK;
	http_head_drop(&x->req, id);
	return value.len == 0 ? E_OK : add(&x->req, id, value);
}

/* A trusted proxy's stands here too; strangers' is gone already. */
static int
set_prefix(struct exchange *x)
{
	struct str name = STR("X-Forwarded-Prefix");
	struct str value = str_of(x->vs->cfg->prefix);

	if (value.len == 0 ||
	    (x->client->trusted && http_head_value_of(&x->req, name).p != NULL))
		return E_OK;
	return http_head_add(&x->req, FIELD_OTHER, name, value);
}

static int
set_x_forwarded(struct exchange *x, struct str peer)
{
	int rc;

	if (x->client->trusted) {
		rc = append_value(x, FIELD_X_FORWARDED_FOR, peer);
	} else {
		http_head_drop(&x->req, FIELD_X_FORWARDED_FOR);
		rc = add(&x->req, FIELD_X_FORWARDED_FOR, peer);
	}
	if (rc == E_OK)
		rc = set_unless_trusted(x, FIELD_X_FORWARDED_PROTO,
		    x->tls_client ? STR("https") : STR("http"));
	if (rc == E_OK)
		rc = set_unless_trusted(x, FIELD_X_FORWARDED_HOST,
		    x->req.authority);
	if (rc == E_OK)
		rc = set_unless_trusted(x, FIELD_X_FORWARDED_PORT,
		    asked_port(x));
	return rc == E_OK ? set_prefix(x) : rc;
}

/* Where another style is asked for, nobody's word comes in this one. */
static void
drop_x_forwarded(struct http_head *h)
{
	http_head_drop(h, FIELD_X_FORWARDED_FOR);
	http_head_drop(h, FIELD_X_FORWARDED_PROTO);
	http_head_drop(h, FIELD_X_FORWARDED_HOST);
	http_head_drop(h, FIELD_X_FORWARDED_PORT);
	drop_named(h, STR("X-Forwarded-Prefix"));
}

static int
set_client_fields(struct exchange *x)
{
	enum cfg_forwarded style = x->vs->cfg->forwarded;
	struct str peer = str_of(x->client->peer_text); /* outlives us */
	bool v6 = str_find(peer, ':') >= 0;
	int rc = E_OK;

	if (style == CFG_FORWARDED_BOTH || style == CFG_FORWARDED_RFC7239)
		rc = set_forwarded(x, peer, v6);
	else
		http_head_drop(&x->req, FIELD_FORWARDED);
	if (rc == E_OK &&
	    (style == CFG_FORWARDED_BOTH || style == CFG_FORWARDED_X))
		rc = set_x_forwarded(x, peer);
	else
		drop_x_forwarded(&x->req);
	return rc;
}

static void
put_hex(char out[16], uint64_t n)
{
	for (size_t half = 0; half < 2; half++, n >>= 32) {
		/* A nibble a byte, all eight at once. */
		uint64_t x = n & UINT32_MAX, letters;

		x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
		x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
		x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
		letters = (x + UINT64_C(0x0606060606060606)) >> 4 &
		    UINT64_C(0x0101010101010101);
		x += UINT64_C(0x3030303030303030) + letters * ('a' - '9' - 1);
		memcpy(out + 8 * half, &x, sizeof(x));
	}
}

int
forward_name(struct exchange *x)
{
	struct text t;

	if (x->named)
		return E_OK;
	x->named = true;
	if (x->client->trusted &&
	    http_head_find(&x->req, FIELD_X_REQUEST_ID) != NULL)
		return E_OK;
	if (!text_begin(x, &t, 32))
		return E_NOMEM;
	put_hex(t.p, random_quick());
	put_hex(t.p + 16, random_quick());
	t.len = 32;
	http_head_drop(&x->req, FIELD_X_REQUEST_ID);
	return add(&x->req, FIELD_X_REQUEST_ID, text_str(&t));
}

/* ---- our cookie is between the client and us ---- */

static int
hide_cookie(struct exchange *x)
{
	struct http_head *h = &x->req;
	struct str name = str_of(x->cookie_name);

	if (x->scope == CFG_STICKY_NONE || !HTTP_HAS(h, COOKIE))
		return E_OK;
	for (unsigned i = 0; i < h->n; i++) {
		struct http_field *f = &h->f[i];
		char *rest;
		ssize_t n;

		if (f->id != FIELD_COOKIE || (f->flags & HF_DROP) ||
		    memmem(f->value, f->value_len, name.p, name.len) == NULL)
			continue; /* it cannot be there */
		rest = exchange_alloc(x, f->value_len);
		if (rest == NULL)
			return E_NOMEM;
		n = cookie_without(str_from(f->value, f->value_len), name, rest,
		    f->value_len);
		if (n < 0)
			return (int)n;
		f->value = rest;
		f->value_len = (uint32_t)n;
		if (n == 0)
			f->flags |= HF_DROP;
	}
	return E_OK;
}

/* How often has it come through a segue, perhaps this one? */
static unsigned
count_hops(const struct http_head *h)
{
	unsigned hops = 0;

	for (unsigned i = 0; i < h->n; i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);
		struct str item;

		if (h->f[i].id == FIELD_VIA)
			while (str_list_next(&rest, &item))
				hops += str_eq(item, STR("1.1 segue")) ||
				    str_eq(item, STR("2.0 segue"));
	}
	return hops;
}

/*
 * RFC 9110 7.6.3: a gateway sends Via on requests.  By it we end what would go
 * in a circle (7.6), as when an instance is our own listener.
 */
static int
add_via(struct exchange *x)
{
	struct str ours = x->req.h2 ? STR("2.0 segue")
	    : x->req.minor == 0     ? STR("1.0 segue")
	                            : STR("1.1 segue");

	if (!x->via)
		return E_OK;
	if (HTTP_HAS(&x->req, VIA) && count_hops(&x->req) >= HOPS_MAX)
		return E_RANGE;
	if (HTTP_HAS(&x->req, VIA))
		return append_value(x, FIELD_VIA, ours);
	return add(&x->req, FIELD_VIA, ours);
}

/*
 * RFC 9110 7.6.2: OPTIONS and TRACE that may go no further end here, others
 * have one hop less.  A value that is no number is not ours to mend.
 */
static int
count_down(struct exchange *x)
{
	struct str name = STR("Max-Forwards");
	struct text t;
	uint64_t n;

	if ((x->req.method != METHOD_OPTIONS &&
	        x->req.method != METHOD_TRACE) ||
	    !str_u64(http_head_value_of(&x->req, name), &n))
		return E_OK;
	if (n == 0)
		return E_UNSUPPORTED;
	if (!text_begin(x, &t, UNITS_MAX))
		return E_NOMEM;
	t.len = (size_t)snprintf(t.p, t.cap, "%llu",
	    (unsigned long long)(n - 1));
	drop_named(&x->req, name);
	return http_head_add(&x->req, FIELD_OTHER, name, text_str(&t));
}

int
forward_request(struct exchange *x)
{
	int rc = E_OK;

	http_head_drop_hop_by_hop(&x->req);
	if (x->edits_request || x->edits_answer)
		rc = edit_note_client(x);
	strip_request(&x->req, x->vs->cfg->profile, x->client->trusted);
	if (rc == E_OK && x->vs->cfg->client_cert != CFG_CLIENT_CERT_NONE)
		rc = proof_add(x);
	if (rc == E_OK)
		rc = hide_cookie(x);
	if (rc == E_OK)
		rc = set_client_fields(x);
	if (rc == E_OK)
		rc = forward_name(x);
	if (rc == E_OK)
		rc = count_down(x);
	if (rc == E_OK)
		rc = add_via(x);
	if (rc == E_OK && bridge_is_on(x))
		rc = bridge_request(x);
	if (rc == E_OK && x->edits_request)
		rc = edit_request(x);
	return rc;
}

/* ---- the answer ---- */

/* Nobody but us sets our cookie; an instance could take pins away by it. */
static void
drop_foreign_pins(const struct exchange *x, struct http_head *h)
{
	struct str name = str_of(x->cookie_name);

	if (x->scope == CFG_STICKY_NONE || !HTTP_HAS(h, SET_COOKIE))
		return;
	for (unsigned i = 0; i < h->n; i++) {
		struct http_field *f = &h->f[i];
		struct str pair = str_from(f->value, f->value_len);

		if (f->id == FIELD_SET_COOKIE &&
		    str_eq(str_trim(str_split(&pair, '=')), name))
			f->flags |= HF_DROP;
	}
}

static int
add_pin(struct exchange *x, struct http_head *h)
{
	char sealed[TOKEN_TEXT_MAX];
	struct set_cookie c = { .name = str_of(x->cookie_name),
		.path = STR("/"),
		.max_age_s = -1,
		.http_only = true };
	ssize_t n;
	char *text;

	if (!x->pin_new || x->proxy->sealer == NULL)
		return E_OK;
	n = pin_write(x->proxy->sealer, str_of(x->service->name), &x->pin,
	    sealed);
	if (n < 0)
		return (int)n;
	c.value = str_from(sealed, (size_t)n);
	if (x->tls_client) {
		c.secure = true;
		c.same_site = STR("None");
	}
	text = exchange_alloc(x, 384);
	if (text == NULL)
		return E_NOMEM;
	n = set_cookie_write(&c, text, 384);
	if (n < 0)
		return (int)n;
	return add(h, FIELD_SET_COOKIE, str_from(text, (size_t)n));
}

int
forward_answer(struct exchange *x, struct http_head *h)
{
	int rc = E_OK;

	http_head_drop_hop_by_hop(h);
	drop_foreign_pins(x, h);
	if (x->cookie_spaces)
		rc = cookies_answer(x, h);
	if (rc == E_OK && !HTTP_HAS(h, DATE))
		rc = add(h, FIELD_DATE, proxy_date(x->proxy));
	if (rc == E_OK && x->edits_answer)
		rc = edit_answer(x, h);
	return rc == E_OK ? add_pin(x, h) : rc;
}
