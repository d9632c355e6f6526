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

bool
keyset_answers(struct exchange *x)
{
	const struct view_service *vs = route_service_now(x);
	struct str path, query;

	if (vs == NULL || !vs->cfg->jwks.united || !may_be_given(x))
		return false;
	target_split(x->req.target, &path, &query);
	for (size_t i = 0; i < vs->cfg->jwks.n_paths; i++) {
		if (!str_eq(path, str_of(vs->cfg->jwks.paths[i])))
			continue;
		x->copy = jwks_get(&x->service->jwks, i);
		if (x->copy == NULL)
			return false;
		exchange_refuse(x, 200, OUT_KEYS);
		return true;
	}
	return false;
}
