#include "proxy/health.h"

#include "http/target.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "upstream/load.h"
#include "upstream/view.h"

bool
health_is_asked(const struct exchange *x, const struct cfg_listener *l)
{
	struct str path, query;

	target_split(x->req.target, &path, &query);
	return str_eq(path, str_of(l->health_path));
}

static bool
can_serve(const struct view_service *vs)
{
	for (size_t i = 0; i < vs->n_pools; i++)
		if (vs->pools[i].serves && vs->pools[i].n_eligible > 0)
			return true;
	return false;
}

unsigned
health_status(const struct proxy *p)
{
	if (p->stopping || p->view->load->lame)
		return 503;
	for (size_t i = 0; i < p->view->n_services; i++)
		if (can_serve(&p->view->services[i]))
			return 200;
	return 503;
}
