#include "proxy/redirect.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "config/config.h"
#include "http/target.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "upstream/view.h"

#define HTTPS_PORT 443

static int
make_location(struct exchange *x, struct str host, unsigned port)
{
	struct str target = x->req.target;
	char at[8] = "", *p;
	size_t cap;
	int n;

	if (str_eq(target, STR("*")))
		target = STR("/"); /* there is no address for it */
	if (port != HTTPS_PORT)
		(void)snprintf(at, sizeof(at), ":%u", port);
	cap = sizeof("https://") + host.len + sizeof(at) + target.len;
	p = exchange_alloc(x, cap);
	if (p == NULL)
		return E_NOMEM;
	n = snprintf(p, cap, "https://" STR_FMT "%s" STR_FMT, STR_ARG(host), at,
	    STR_ARG(target));
	x->location = str_from(p, (size_t)n);
	return E_OK;
}

int
redirect_status(struct exchange *x, const struct cfg_listener *l)
{
	enum http_method method = x->req.method;
	struct str host;
	uint16_t port;

	if (x->tls_client)
		return 0;
	if (!target_authority(x->req.authority, &host, &port))
		return 400;
	if (make_location(x, host, l->redirect_port) != E_OK)
		return E_NOMEM;
	return method == METHOD_GET || method == METHOD_HEAD ? 301 : 308;
}
