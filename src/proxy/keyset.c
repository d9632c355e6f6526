#include "proxy/keyset.h"

#include "http/target.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/route.h"
#include "upstream/view.h"

/* Who tries a pool wants to hear that pool. */
static bool
may_be_given(const struct exchange *x)
{
	return !x->tunnel_asked && !x->grpc &&
	    (x->req.method == METHOD_GET || x->req.method == METHOD_HEAD) &&
	    !(x->pinned && x->pin.trial);
}

/* Servers that know hosts apart may have other keys for the others. */
static bool
is_of_host(const struct exchange *x, const struct cfg_jwks *cfg)
{
	struct str host = x->req.authority, wanted;

	if (cfg->host == NULL)
		return true;
	wanted = str_of(cfg->host);
	return str_caseeq(host, wanted) ||
	    (str_find(wanted, ':') < 0 &&
	        str_caseeq(str_split(&host, ':'), wanted));
}

static bool
is_listed(struct str path, const struct cfg_jwks *cfg)
{
	for (size_t i = 0; i < cfg->n_paths; i++)
		if (str_eq(path, str_of(cfg->paths[i])))
			return true;
	return false;
}

bool
keyset_answers(struct exchange *x)
{
	const struct view_service *vs = route_service_now(x);
	struct str path, query;

	if (vs == NULL || !vs->cfg->jwks.united || !may_be_given(x) ||
	    !is_of_host(x, &vs->cfg->jwks))
		return false;
	target_split(x->req.target, &path, &query);
	if (is_listed(path, &vs->cfg->jwks))
		x->copy = jwks_get(&x->service->jwks, path);
	if (x->copy == NULL)
		return false;
	exchange_refuse(x, 200, OUT_KEYS);
	return true;
}
