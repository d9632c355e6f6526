#include "tls/make.h"

#include "base/clock.h"
#include "base/err.h"
#include "config/config.h"
#include "tls/client.h"
#include "tls/server.h"

static void
unmake(struct cfg *c)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		tls_server_free(&c->listeners[i].tls.server);
	for (size_t s = 0; s < c->n_services; s++)
		for (size_t i = 0; i < c->services[s].n_pools; i++)
			tls_client_free(&c->services[s].pools[i].tls.client);
}

static int
make_pool(struct cfg_service *s, struct cfg_pool *p, const char *origin,
    int64_t now_s, struct buf *said)
{
	struct buf where = BUF_INIT;
	int rc = E_NOMEM;

	buf_printf(&where, "%s: services[%s].pools[%s].tls", origin, s->name,
	    p->name);
	if (!where.failed)
		rc = tls_client_new(&p->tls, where.p, now_s, said,
		    &p->tls.client);
	buf_free(&where);
	if (rc == E_OK && p->probe.tls)
		p->probe.client = p->tls.client;
	return rc;
}

static int
make_pools(struct cfg *c, const char *origin, int64_t now_s, struct buf *said)
{
	int all = E_OK;

	for (size_t s = 0; s < c->n_services; s++) {
		struct cfg_service *svc = &c->services[s];

		for (size_t i = 0; i < svc->n_pools; i++) {
			int rc = E_OK;

			if (svc->pools[i].tls.on)
				rc = make_pool(svc, &svc->pools[i], origin,
				    now_s, said);
			if (rc == E_NOMEM)
				return rc;
			if (rc != E_OK)
				all = rc;
		}
	}
	return all;
}

static int
make_listener(struct cfg_listener *l, const char *origin, int64_t now_s,
    struct buf *said)
{
	struct buf where = BUF_INIT;
	int rc = E_NOMEM;

	buf_printf(&where, "%s: listeners[%s].tls", origin, l->name);
	if (!where.failed)
		rc = tls_server_new(&l->tls, where.p, now_s, said,
		    &l->tls.server);
	buf_free(&where);
	return rc;
}

int
tls_make(struct cfg *c, const char *origin, struct buf *said)
{
	int64_t now_s = (int64_t)(clock_wall_us() / US_PER_S);
	int all;

	c->unmake = unmake;
	all = make_pools(c, origin, now_s, said);
	if (all == E_NOMEM)
		return all;
	for (size_t i = 0; i < c->n_listeners; i++) {
		int rc = E_OK;

		if (c->listeners[i].tls.on)
			rc = make_listener(&c->listeners[i], origin, now_s,
			    said);
		if (rc == E_NOMEM)
			return rc;
		if (rc != E_OK)
			all = rc;
	}
	return all;
}
