#include "proxy/login.h"

#include "http/target.h"
#include "proxy/exchange.h"
#include "proxy/route.h"
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

/* Its parameters are behind "?" or "#". */
static bool
leads_back(struct str location)
{
	struct str name, value;

	for (size_t i = 0; i < location.len; i++) {
		struct str rest = str_sub(location, i + 1, location.len);

		if (location.p[i] != '?' && location.p[i] != '#')
			continue;
		while (target_param_next(&rest, &name, &value))
			if (is_proof(name) && value.len > 0)
				return true;
	}
	return false;
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

void
login_hear(struct exchange *x, const struct http_head *h)
{
	const struct view_service *vs = route_service_now(x);
	const struct cfg_logins *l;

	if (vs == NULL || vs->cfg->logins.n_begin == 0 ||
	    (x->pinned && x->pin.trial))
		return;
	l = &vs->cfg->logins;
	if (begins(x->req.target, l))
		stat_add(&x->pcell->logins_begun, 1);
	if (is_done(h, l))
		stat_add(&x->pcell->logins_done, 1);
}
