/*
 * Pools, their shares, instances and probes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "config/check.h"
#include "config/twins.h"

/* ---- instances ---- */

static bool
is_any_address(const struct cfg_addr *a)
{
	return strcmp(a->host, "0.0.0.0") == 0 || strcmp(a->host, "[::]") == 0;
}

static void
check_instances(struct problems *p, struct cfg_pool *pool,
    const struct where *list)
{
	struct cfg_instance *all = pool->instances;
	struct texts addresses, names;
	size_t *twins;

	for (size_t i = 0; i < pool->n_instances; i++) {
		struct where w = where_item(list, i);

		if (all[i].address.text == NULL)
			continue; /* told already */
		check_name(p, &all[i].name, &all[i].address, &w);
		w = where_key(&w, "address");
		if (is_any_address(&all[i].address))
			problem_warn(p, &w,
			    "%s is this machine itself; 127.0.0.1 would say so",
			    all[i].address.text);
	}
	if (pool->n_instances < 2)
		return;
	addresses = TEXTS_OF(all, pool->n_instances, address.text);
	names = TEXTS_OF(all, pool->n_instances, name);
	twins = twins_find(all, addresses.n, addresses.size, addresses.at);
	p->no_memory |= twins == NULL;
	check_twins(p, list, &addresses, "address", NULL);
	check_twins(p, list, &names, "name", twins);
	free(twins);
}

struct seat {
	const char *address;
	size_t pool, instance;
};

/* One address in two versions: a switch between them would move nothing. */
static void
warn_shared_addresses(struct problems *p, const struct cfg_service *s,
    const struct where *pools)
{
	struct seat *seats;
	size_t n = 0, *twins;

	for (size_t i = 0; i < s->n_pools; i++)
		n += s->pools[i].n_instances;
	seats = calloc(n + 1, sizeof(*seats));
	p->no_memory |= seats == NULL;
	if (seats == NULL)
		return;
	n = 0;
	for (size_t i = 0; i < s->n_pools; i++)
		for (size_t j = 0; j < s->pools[i].n_instances; j++)
			seats[n++] = (struct seat){
				s->pools[i].instances[j].address.text, i, j
			};
	twins = twins_find(seats, n, sizeof(*seats),
	    offsetof(struct seat, address));
	p->no_memory |= twins == NULL;
	for (size_t i = 0; twins != NULL && i < n; i++) {
		struct where w;

		if (seats[i].pool == seats[twins[i]].pool)
			continue;
		w = check_where(pools, seats[i].pool, "instances");
		w = where_item(&w, seats[i].instance);
		problem_warn(p, &w, "%s is in pools[%zu] too", seats[i].address,
		    seats[twins[i]].pool);
	}
	free(twins);
	free(seats);
}

/* ---- probes ---- */

static void
check_probe_times(struct problems *p, const struct cfg_probe *c,
    const struct where *probe)
{
	struct where w = where_key(probe, "timeout");

	if (c->timeout_us > c->interval_us)
		problem_warn(p, &w,
		    "this is longer than interval; the next probe waits");
	w = where_key(probe, "fast_interval");
	if (c->fast_interval_us > c->interval_us)
		problem_warn(p, &w, "this is longer than interval");
}

static void
check_probe_request(struct problems *p, const struct cfg_probe *c,
    const struct where *probe)
{
	static const char *const ours[] = { "Host", "Connection",
		"Content-Length", "Transfer-Encoding" };
	/* Key, types it means something with. */
	static const struct {
		const char *key;
		unsigned types;
	} of_types[] = { { "path", 1 << CFG_PROBE_HTTP },
		{ "host", 1 << CFG_PROBE_HTTP | 1 << CFG_PROBE_GRPC },
		{ "headers", 1 << CFG_PROBE_HTTP | 1 << CFG_PROBE_GRPC },
		{ "expect", 1 << CFG_PROBE_HTTP },
		{ "body", 1 << CFG_PROBE_HTTP },
		{ "json", 1 << CFG_PROBE_HTTP },
		{ "service", 1 << CFG_PROBE_GRPC } };
	static const char *const types[] = { [CFG_PROBE_HTTP] = "http",
		[CFG_PROBE_TCP] = "tcp",
		[CFG_PROBE_GRPC] = "grpc" };
	struct where w = where_key(probe, "json");

	if ((c->json_field == NULL) != (c->json_value == NULL))
		problem_error(p, &w, "field and value belong together");
	w = where_key(probe, "headers");
	for (size_t i = 0; i < c->n_headers; i++)
		for (size_t j = 0; j < ARRAY_LEN(ours); j++)
			if (str_caseeq(str_of(c->headers[i].name),
			        str_of(ours[j])))
				problem_error(p, &w,
				    "%s is set by us; it cannot be given%s",
				    ours[j], j == 0 ? " but as host" : "");
	for (size_t i = 0; i < ARRAY_LEN(of_types); i++) {
		w = where_key(probe, of_types[i].key);
		if (!(of_types[i].types >> c->type & 1) && where_is_given(&w))
			problem_warn(p, &w, "this means nothing with type %s",
			    types[c->type]);
	}
}

static void
check_probe_of_unix(struct problems *p, const struct cfg_pool *pool,
    const struct where *probe)
{
	const struct cfg_probe *c = &pool->probe;
	struct where port = where_key(probe, "port");

	for (size_t i = 0; i < pool->n_instances; i++) {
		if (!pool->instances[i].address.is_unix)
			continue;
		if (c->port != 0)
			problem_error(p, &port, "%s has no ports",
			    pool->instances[i].address.text);
		return;
	}
}

/* ---- ejection ---- */

static void
check_eject(struct problems *p, const struct cfg_pool *pool,
    const struct where *eject)
{
	struct where w = where_key(eject, "max_time");

	if (pool->eject_on && pool->eject.max_us < pool->eject.time_us)
		problem_warn(p, &w, "this is shorter than time");
}

/* ---- shares ---- */

static void
check_shares(struct problems *p, struct cfg_service *s,
    const struct where *list)
{
	uint64_t sum = 0;
	size_t given = 0;
	char text[UNITS_MAX];

	for (size_t i = 0; i < s->n_pools; i++) {
		sum += s->pools[i].share_bp;
		given += s->pools[i].share_given;
	}
	if (given == 0 && s->n_pools > 0) {
		s->pools[0].share_bp = CFG_SHARE_ALL;
		return;
	}
	/* some are left out where there are too many, or could not be read */
	if (sum == CFG_SHARE_ALL || p->errors > 0)
		return;
	units_share((uint32_t)sum, text);
	problem_error(p, list, "the shares add up to %s; 100%% is expected",
	    text);
}

static void
check_emptiness(struct problems *p, const struct cfg_pool *pool,
    const struct where *w)
{
	char text[UNITS_MAX];

	if (pool->n_instances > 0)
		return;
	units_share(pool->share_bp, text);
	if (pool->share_bp > 0)
		problem_error(p, w,
		    "there is no instance; a pool with a share of %s needs one",
		    text);
	else
		problem_warn(p, w,
		    "there is no instance; \"segue add-instance\" can bring "
		    "some");
}

static void
check_pool_tls(struct problems *p, const struct cfg_pool *pool,
    const struct where *w)
{
	struct where in = where_key(w, "tls"), at;

	if (!pool->tls.on)
		return;
	at = where_key(&in, "key");
	if (pool->tls.own.key.path != NULL &&
	    pool->tls.own.certificate.path == NULL)
		problem_error(p, &at,
		    "certificate is missing; a key alone "
		    "proves nothing");
	at = where_key(&in, "verify");
	if (!pool->tls.verify)
		problem_warn(p, &at, "whoever answers is believed");
	at = where_key(&in, "name");
	for (size_t i = 0; i < pool->n_instances; i++)
		if (pool->instances[i].address.is_unix &&
		    pool->tls.name == NULL && pool->tls.verify)
			problem_error(p, &at,
			    "is missing; a Unix socket has no name that could "
			    "be verified");
}

static void
check_protocol(struct problems *p, struct cfg_pool *pool, const struct where *w)
{
	struct where at = where_key(w, "protocol");
	bool h2 = pool->protocol != CFG_PROTOCOL_H1;

	pool->tls.protocol = pool->protocol;
	if (pool->protocol == CFG_PROTOCOL_H2C && pool->tls.on)
		problem_error(p, &at,
		    "h2c is HTTP/2 in the clear, and there is tls; say h2");
	else if (pool->protocol == CFG_PROTOCOL_H2 && !pool->tls.on)
		problem_error(p, &at,
		    "h2 is HTTP/2 over TLS, and tls is missing; say h2c, or "
		    "add \"tls:\"");
	else if (pool->protocol == CFG_PROTOCOL_AUTO && !pool->tls.on)
		problem_error(p, &at,
		    "auto lets the handshake of TLS choose, and tls is "
		    "missing; say h1 or h2c");
	at = where_key(w, "send_proxy");
	if (h2 && pool->send_proxy != CFG_SEND_PROXY_OFF)
		problem_error(p, &at,
		    "a connection of HTTP/2 carries many clients, and a "
		    "preface names one; needs protocol: h1");
}

/*
 * Another port is another server, which need not know of prefaces nor of
 * HTTP/2, unless it is asked for its gRPC health.
 */
static void
fill_probe(struct problems *p, struct cfg_pool *pool, const struct where *probe)
{
	struct cfg_probe *c = &pool->probe;
	struct where at = where_key(probe, "type");
	bool own = c->port == 0;

	if (own)
		c->send_proxy = pool->send_proxy;
	if (own)
		c->protocol = pool->protocol;
	else if (c->type == CFG_PROBE_GRPC)
		c->protocol = pool->tls.on && c->tls ? CFG_PROTOCOL_H2
		                                     : CFG_PROTOCOL_H2C;
	if (c->type == CFG_PROBE_GRPC && c->protocol == CFG_PROTOCOL_H1)
		problem_error(p, &at,
		    "gRPC needs HTTP/2; say \"protocol: h2c\" (or h2, with "
		    "tls) in the pool");
}

void
check_pools(struct problems *p, struct cfg_service *s,
    const struct where *service)
{
	struct where list = where_key(service, "pools");
	struct texts names;

	if (s->n_pools == 0)
		return; /* told already */
	for (size_t i = 0; i < s->n_pools; i++) {
		struct cfg_pool *pool = &s->pools[i];
		struct where instances = check_where(&list, i, "instances");
		struct where probe = check_where(&list, i, "probe");
		struct where eject = check_where(&list, i, "eject"), at;

		if (pool->name == NULL)
			continue;
		check_instances(p, pool, &instances);
		check_probe_times(p, &pool->probe, &probe);
		check_probe_request(p, &pool->probe, &probe);
		check_probe_of_unix(p, pool, &probe);
		fill_probe(p, pool, &probe);
		at = where_item(&list, i);
		check_pool_tls(p, pool, &at);
		check_protocol(p, pool, &at);
		check_eject(p, pool, &eject);
	}
	names = TEXTS_OF(s->pools, s->n_pools, name);
	check_twins(p, &list, &names, "name", NULL);
	warn_shared_addresses(p, s, &list);
	check_shares(p, s, &list);
	for (size_t i = 0; i < s->n_pools; i++) {
		struct where w = where_item(&list, i);

		if (s->pools[i].name != NULL)
			check_emptiness(p, &s->pools[i], &w);
	}
}
