#include "proxy/login.h"

#include "base/clock.h"
#include "http/target.h"
#include "proxy/exchange.h"
#include "proxy/route.h"
#include "proxy/worker.h"
#include "upstream/view.h"

static bool
begins(struct str target, const struct cfg_logins *l)
{
	struct str path, query;

	target_split(target, &path, &query);
	for (size_t i = 0; i < l->n_begin; i++)
		if (str_ends(path, str_of(l->begin[i])))
			return true;
	return false;
}

/*
 * What a client gets at the end: a code or a token (RFC 6749 4.1.2, OpenID
 * Connect Core 1.0 3.2.2.5), the same in a JWT (JARM), or a SAML response.
 */
static bool
is_proof(struct str name)
{
	return str_eq(name, STR("code")) || str_eq(name, STR("id_token")) ||
	    str_eq(name, STR("response")) || str_eq(name, STR("SAMLResponse"));
}

static bool
has_proof(struct str params)
{
	struct str name, value;

	while (target_param_next(&params, &name, &value))
		if (is_proof(name) && value.len > 0)
			return true;
	return false;
}

/* With parameters behind "?" or "#". */
static bool
leads_back(struct str location)
{
	struct str fragment = location, query = str_split(&fragment, '#');

	(void)str_split(&query, '?');
	return has_proof(query) || has_proof(fragment);
}

/* One that goes has an empty value. */
static bool
sets(const struct http_head *h, struct str cookie)
{
	for (unsigned i = 0; i < h->n; i++) {
		const struct http_field *f = &h->f[i];
		struct str rest = str_from(f->value, f->value_len);
		struct str name;

		if (f->id != FIELD_SET_COOKIE || (f->flags & HF_DROP))
			continue;
		name = str_split(&rest, '=');
		if (str_eq(name, cookie) && rest.len > 0 && rest.p[0] != ';')
			return true;
	}
	return false;
}

static bool
is_done(const struct http_head *h, const struct cfg_logins *l)
{
	if (HTTP_HAS(h, LOCATION) && h->status / 100 == 3 &&
	    leads_back(http_head_value(h, FIELD_LOCATION)))
		return true;
	return l->cookie != NULL && HTTP_HAS(h, SET_COOKIE) &&
	    sets(h, str_of(l->cookie));
}

/* It has got so far; the cookie of the answer says it. */
static void
go_on(struct exchange *x, enum pin_login to)
{
	x->pin.login = (uint8_t)to;
	x->pin_new = true;
}

/*
 * Where sessions are being moved, an answer that is late must not bring the old
 * pin back to who has a new one.
 */
static bool
is_leaving(const struct exchange *x, const struct view_service *vs)
{
	for (size_t i = 0; i < vs->n_pools; i++)
		if (vs->pools[i].pool == x->pool)
			return vs->pools[i].pins != PINS_KEEP ||
			    !vs->pools[i].serves || route_is_ordered(x, vs);
	return true;
}

/* A login of a session that is known. */
static void
hear_pinned(struct exchange *x, const struct http_head *h,
    const struct cfg_logins *l)
{
	uint64_t width_s = logins_width_s(l->within_us);
	uint64_t age_s = proxy_pin_s(x->proxy) - x->pin.issued_s;

	if (age_s > l->within_us / US_PER_S) {
		go_on(x, PIN_LOGIN_NONE); /* given up */
		return;
	}
	if (x->pin.login == PIN_LOGIN_SEEN &&
	    !http_method_is_safe(x->req.method)) {
		logins_note(&x->pcell->logins, x->pin.issued_s, width_s, false);
		go_on(x, PIN_LOGIN_SENT);
	}
	if (x->pin.login == PIN_LOGIN_SENT && is_done(h, l)) {
		logins_note(&x->pcell->logins, x->pin.issued_s, width_s, true);
		go_on(x, PIN_LOGIN_NONE);
	}
}

void
login_hear(struct exchange *x, const struct http_head *h)
{
	const struct view_service *vs = route_service_now(x);

	if (vs == NULL || vs->cfg->logins.n_begin == 0)
		return;
	if (x->pinned && x->cause == CAUSE_PIN &&
	    x->pin.login != PIN_LOGIN_NONE && !is_leaving(x, vs))
		hear_pinned(x, h, &vs->cfg->logins);
	else if (!x->pinned && x->cause == CAUSE_SHARE &&
	    begins(x->req.target, &vs->cfg->logins))
		x->pin.login = PIN_LOGIN_SEEN; /* its cookie is being set */
}
