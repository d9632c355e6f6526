#include "tls/make.h"

#include "base/clock.h"
#include "base/err.h"
#include "config/config.h"
#include "tls/server.h"

static void
unmake(struct cfg *c)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		tls_server_free(&c->listeners[i].tls.server);
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
	int all = E_OK;

	c->unmake = unmake;
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
