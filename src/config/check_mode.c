/*
 * Mode passthrough: what means nothing there, and what belongs to it.
 */
#include "config/check.h"
#include "config/schema.h"

static void refuse_http(struct problems *, const struct key *keys,
    const void *base, const struct where *);

static void
refuse_in_list(struct problems *p, const struct key *k, const void *base,
    const struct where *list)
{
	for (size_t i = 0; i < *key_count(k, base); i++) {
		struct where w = where_item(list, i);

		refuse_http(p, k->sub, key_element(k, base, i), &w);
	}
}

/* Whatever is written of what only HTTP has. */
static void
refuse_http(struct problems *p, const struct key *keys, const void *base,
    const struct where *in)
{
	for (const struct key *k = keys; k->name != NULL; k++) {
		struct where w = where_key(in, k->name);

		if (!where_is_given(&w))
			continue;
		if ((k->flags & KEY_HTTP) != 0)
			problem_error(p, &w,
			    "means nothing in mode passthrough: no HTTP is "
			    "seen");
		else if (k->kind == K_MAP)
			refuse_http(p, k->sub, key_at(k, base), &w);
		else if (k->kind == K_LIST)
			refuse_in_list(p, k, base, &w);
	}
}

static void
check_share_key(struct problems *p, const struct cfg_service *s,
    const struct where *service)
{
	struct where w = where_key(service, "share_key");

	if (s->share_key == CFG_KEY_HEADER || s->share_key == CFG_KEY_COOKIE)
		problem_error(p, &w,
		    "%s is not seen in mode passthrough; source or request "
		    "is expected",
		    s->share_key_text);
}

/* A GET in clear fails at whoever speaks TLS. */
static void
check_probe(struct problems *p, const struct cfg_pool *pool,
    const struct where *at)
{
	struct where w = where_key(at, "probe");

	if (pool->probe.type != CFG_PROBE_TCP && pool->probe.port == 0 &&
	    !(pool->tls.on && pool->probe.tls))
		problem_warn(p, &w,
		    "asks in clear; for instances that speak TLS, tls of the "
		    "pool, another port or type tcp is expected");
}

void
check_mode(struct problems *p, struct cfg_service *s,
    const struct where *service)
{
	const struct key *services = key_find(cfg_schema, "services");
	struct where pools = where_key(service, "pools");

	if (s->mode != CFG_MODE_PASSTHROUGH)
		return;
	refuse_http(p, services->sub, s, service);
	check_share_key(p, s, service);
	for (size_t i = 0; i < s->n_pools; i++) {
		struct where w = where_item(&pools, i);

		check_probe(p, &s->pools[i], &w);
	}
	s->sticky_scope = CFG_STICKY_NONE;
}

static void
check_listener_of_mode(struct problems *p, const struct cfg_listener *l,
    bool needed, const struct where *listener)
{
	struct where w = where_key(listener, "passthrough");

	if (!l->passthrough)
		return;
	if (!needed)
		problem_warn(p, &w, "no service is in mode passthrough");
	w = where_key(listener, "health");
	if (!l->tls.on && l->health_path != NULL)
		problem_warn(p, &w,
		    "means nothing with passthrough and without tls: no HTTP "
		    "is seen");
}

void
check_passthrough(struct problems *p, const struct cfg *c,
    const struct where *top)
{
	struct where listeners = where_key(top, "listeners");
	struct where services = where_key(top, "services");
	bool needed = false, looks = false;

	for (size_t i = 0; i < c->n_services; i++)
		needed |= c->services[i].mode == CFG_MODE_PASSTHROUGH;
	for (size_t i = 0; i < c->n_listeners; i++) {
		struct where w = where_item(&listeners, i);

		looks |= c->listeners[i].passthrough;
		check_listener_of_mode(p, &c->listeners[i], needed, &w);
	}
	for (size_t i = 0; !looks && i < c->n_services; i++) {
		struct where w = check_where(&services, i, "mode");

		if (c->services[i].mode == CFG_MODE_PASSTHROUGH)
			problem_error(p, &w,
			    "no listener has \"passthrough: on\"; nothing "
			    "would lead here");
	}
}
