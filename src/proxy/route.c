#include "proxy/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/random.h"
#include "http/cookie.h"
#include "http/target.h"
#include "proxy/artifact.h"
#include "proxy/asset.h"
#include "proxy/client.h"
#include "proxy/cookies.h"
#include "proxy/exchange.h"
#include "proxy/passthrough.h"
#include "proxy/worker.h"
#include "tls/stream.h"
#include "upstream/balance.h"
#include "upstream/view.h"

#define PATH_MAX_BYTES 16384
#define HOST_MAX_BYTES 256
#define BUCKET_SEED UINT64_C(0xb0c4e7)

/* ---- service ---- */

static int
lower_host(struct str authority, char *out, struct str *host)
{
	uint16_t port;

	*host = (struct str){ NULL, 0 };
	if (authority.len == 0)
		return E_OK;
	if (!target_authority(authority, host, &port))
		return E_SYNTAX;
	if (host->len > HOST_MAX_BYTES)
		return E_TOOBIG;
	for (size_t i = 0; i < host->len; i++) {
		char c = host->p[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	host->p = out;
	return E_OK;
}

/* Over TLS the name makes browsers refuse a cookie that anybody else set. */
static ALWAYS_INLINE void
name_cookie(struct exchange *x, const char *name)
{
	static const char prefix[] = "__Host-";
	size_t len = 0;

	if (x->tls_client && !str_starts(str_of(name), STR("__Host-")))
		len = str_copy(STR("__Host-"), x->cookie_name, sizeof(prefix));
	str_copy(str_of(name), x->cookie_name + len,
	    sizeof(x->cookie_name) - len);
}

/*
 * Whose address places the session?  Behind a trusted proxy that of the last
 * one it speaks for, else all of its clients would share one place.
 */
static uint64_t
source_hash(const struct exchange *x)
{
	const struct http_head *h = &x->req;
	struct str last = { NULL, 0 }, item;

	if (!x->client->trusted || !HTTP_HAS(h, X_FORWARDED_FOR))
		return 0;
	for (unsigned i = 0; i < h->n; i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);

		if (h->f[i].id == FIELD_X_FORWARDED_FOR)
			while (str_list_next(&rest, &item))
				last = item;
	}
	return last.len == 0 ? 0 : hash_bytes(last.p, last.len, BUCKET_SEED);
}

static ALWAYS_INLINE void
take_settings(struct exchange *x, const struct view_service *vs)
{
	const struct cfg_service *cfg = vs->cfg;
	unsigned worker = x->proxy->env.index;

	x->service = vs->service;
	x->routed = true;
	x->scell = &vs->service->cells[worker];
	/* In this order: who reads begun must find it in active. */
	stat_add(&x->scell->active, 1);
	stat_add(&x->scell->begun, 1);
	x->connect_us = cfg->connect_us;
	x->first_byte_us = cfg->first_byte_us;
	x->progress_us = cfg->progress_us;
	x->tunnel_us = cfg->tunnel_us;
	x->body_max = cfg->body_bytes;
	x->via = cfg->via;
	x->service_at = (uint16_t)(vs - x->proxy->view->services);
	x->profile = (uint8_t)cfg->profile;
	x->watched = vs->watched;
	x->edits_request = vs->request_edits.n > 0;
	x->edits_answer = vs->response_edits.n > 0 ||
	    (cfg->hsts_on && x->tls_client);
	x->scope = (uint8_t)cfg->sticky_scope;
	name_cookie(x, cfg->sticky_cookie);
	x->retry_by_status = cfg->n_retry_statuses > 0;
	x->tries_left = (uint8_t)MIN(cfg->retries, EXCHANGE_TRIES_MAX);
	retry_budget_earn(&x->proxy->budget, cfg->retry_budget_pct);
}

static bool
read_pin(struct exchange *x, const struct cfg_service *cfg)
{
	struct str cookie;
	enum pin_verdict verdict;
	uint64_t now_s = proxy_pin_s(x->proxy);

	cookie = cookie_find(&x->req, str_of(x->cookie_name));
	if (cookie.p == NULL || x->proxy->sealer == NULL)
		return false;
	verdict = pin_read(x->proxy->sealer, str_of(cfg->name), cookie, now_s,
	    cfg->sticky_max_us / US_PER_S, &x->pin);
	stat_add(&x->scell->pins_bad[verdict], verdict != PIN_OK);
	return verdict == PIN_OK;
}

/*
 * The service of a path that is not plain.  Where instances may read it in
 * several ways, all of them must lead to the same service: a client that wants
 * past a rule would else name one service and mean what another guards.
 */
static int
find_service(const struct view *v, struct str host, struct str path,
    const struct view_service **out)
{
	char bytes[PATH_MAX_BYTES];
	bool ambiguous;
	ssize_t n = target_normalise(path, bytes, sizeof(bytes), &ambiguous);

	if (n < 0)
		return (int)n;
	*out = view_route(v, host, str_from(bytes, (size_t)n));
	if (!ambiguous)
		return E_OK;
	if (view_route(v, host, path) != *out)
		return E_SYNTAX;
	n = target_decode(path, bytes, sizeof(bytes));
	if (n < 0)
		return (int)n;
	return view_route(v, host, str_from(bytes, (size_t)n)) == *out
	    ? E_OK
	    : E_SYNTAX;
}

/*
 * Connections that a client shares among names go where the certificate says,
 * not to whom TLS would have told a stranger.  A balancer we trust may name us
 * in the handshake as it likes.
 */
static bool
fits_handshake(const struct exchange *x, struct str host)
{
	return host.len == 0 || x->client->trusted ||
	    tls_serves(client_conn(x->client), host);
}

int
route_service(struct exchange *x)
{
	char host_bytes[HOST_MAX_BYTES];
	struct str host, path, query;
	const struct view_service *vs = NULL;
	int rc = lower_host(x->req.authority, host_bytes, &host);

	if (rc != E_OK)
		return rc;
	if (!fits_handshake(x, host) || passthrough_has(x->client, host))
		return E_UNREACH;
	target_split(x->req.target, &path, &query);
	if (str_eq(path, STR("*")))
		path = STR("/"); /* OPTIONS of the server as a whole */
	if (target_is_plain(path))
		vs = view_route(x->proxy->view, host, path);
	else
		rc = find_service(x->proxy->view, host, path, &vs);
	if (rc != E_OK)
		return rc;
	if (vs == NULL && host.len > 0 &&
	    !view_serves_host(x->proxy->view, host))
		return view_passes(x->proxy->view, host, true) != NULL
		    ? E_STATE
		    : E_UNREACH;
	if (vs == NULL)
		return E_NOENT;
	x->vs = vs;
	take_settings(x, vs);
	/* Now, as cookie and field do not travel on as they are. */
	x->source_hash = source_hash(x);
	if (x->scope != CFG_STICKY_NONE)
		x->pinned = read_pin(x, vs->cfg);
	if (vs->watched && vs->cfg->n_assets > 0 &&
	    (x->req.method == METHOD_GET || x->req.method == METHOD_HEAD) &&
	    target_is_plain(path))
		x->asset = asset_tag(vs->cfg, path);
	return E_OK;
}

void
route_passthrough(struct exchange *x, const struct view_service *vs)
{
	x->vs = vs;
	take_settings(x, vs);
}

/* ---- pool ---- */

static const struct view_pool *
pool_by_hash(const struct view_service *vs, uint64_t name_hash)
{
	for (size_t i = 0; i < vs->n_pools; i++)
		if (vs->pools[i].pool->name_hash == name_hash)
			return &vs->pools[i];
	return NULL;
}

static bool
may_take_new(const struct view_pool *vp)
{
	return vp->serves && vp->n_eligible > 0 &&
	    vp->share_to > vp->share_from;
}

/* The pool that owns the bucket, or, when it is dead, another with a share. */
static const struct view_pool *
pool_by_share(const struct view_service *vs, uint16_t bucket)
{
	const struct view_pool *other = NULL;

	for (size_t i = 0; i < vs->n_pools; i++) {
		const struct view_pool *vp = &vs->pools[i];

		if (!may_take_new(vp))
			continue;
		if (bucket >= vp->share_from && bucket < vp->share_to)
			return vp;
		other = vp;
	}
	return other;
}

bool
route_is_safe_point(const struct exchange *x)
{
	struct str dest;

	if (!http_method_is_safe(x->req.method) || x->tunnel_asked)
		return false;
	dest = http_head_value(&x->req, FIELD_SEC_FETCH_DEST);
	return dest.len == 0 || str_eq(dest, STR("document"));
}

static uint16_t
bucket_of_hash(uint64_t hash)
{
	return (uint16_t)(hash % CFG_SHARE_ALL);
}

/* What the share key comes to; request: another each time. */
static uint64_t
share_hash(const struct exchange *x, const struct cfg_service *cfg)
{
	struct str key = { NULL, 0 };

	switch (cfg->share_key) {
	case CFG_KEY_REQUEST:
		return random_quick();
	case CFG_KEY_HEADER:
		key = http_head_value_of(&x->req, str_of(cfg->share_key_name));
		break;
	case CFG_KEY_COOKIE:
		key = cookie_find(&x->req, str_of(cfg->share_key_name));
		break;
	case CFG_KEY_SOURCE:
		break;
	}
	if (key.len > 0)
		return hash_bytes(key.p, key.len, BUCKET_SEED);
	return x->source_hash != 0 ? x->source_hash
	                           : addr_host_hash(&x->client->peer);
}

/* Where a client that shows no pin stands in the share. */
static uint16_t
new_bucket(const struct exchange *x, const struct cfg_service *cfg)
{
	return bucket_of_hash(share_hash(x, cfg));
}

static int
by_session(const void *key, const void *row)
{
	const uint64_t *session = key;
	const struct view_order *o = row;

	return (*session > o->session) - (*session < o->session);
}

/* What an operator has ordered for it, alone or with all of its pool. */
static bool
find_order(const struct exchange *x, const struct view_service *vs,
    struct view_order *out)
{
	const struct view_pool *vp = pool_by_hash(vs, x->pin.pool);
	const struct view_order *o = vs->n_orders == 0
	    ? NULL
	    : bsearch(&x->pin.session, vs->orders, vs->n_orders, sizeof(*o),
	          by_session);

	if (x->pin.trial)
		return false; /* an operator's own */
	if (o != NULL && x->pin.epoch < o->epoch &&
	    (vp == NULL || o->epoch > MAX(vp->min_epoch, vp->move_epoch))) {
		*out = *o;
		return true;
	}
	if (vp == NULL || x->pin.epoch >= MAX(vp->min_epoch, vp->move_epoch))
		return false;
	out->how = x->pin.epoch < vp->min_epoch ? PINS_EVICT : PINS_MOVE;
	out->to = vp->pins_to;
	return true;
}

/* Where it is to go; NULL: nowhere, or to who cannot serve it. */
static NOINLINE const struct view_pool *
pool_by_order(const struct exchange *x, const struct view_service *vs,
    uint8_t *how)
{
	const struct view_pool *vp;
	struct view_order o;

	if (!find_order(x, vs, &o))
		return NULL;
	*how = o.how;
	vp = o.to == 0 ? pool_by_share(vs, x->pin.bucket)
	               : &vs->pools[o.to - 1];
	return vp != NULL && vp->serves && vp->n_eligible > 0 ? vp : NULL;
}

/*
 * Does an order want it elsewhere now?  Who is there already, or would come back
 * by the share, stays, and has done what was ordered.
 */
static NOINLINE bool
is_ordered_away(const struct exchange *x, const struct view_service *vs,
    enum pool_cause *cause)
{
	uint8_t how = PINS_KEEP;
	const struct view_pool *to = pool_by_order(x, vs, &how);

	if (to == NULL || to->pool->name_hash == x->pin.pool ||
	    (how == PINS_MOVE && !route_is_safe_point(x)))
		return false;
	*cause = how == PINS_MOVE ? CAUSE_MOVED_ORDER : CAUSE_MOVED_EVICT;
	return true;
}

static NOINLINE bool
has_obeyed(const struct exchange *x, const struct view_service *vs)
{
	uint8_t how = PINS_KEEP;
	const struct view_pool *to = pool_by_order(x, vs, &how);

	return to != NULL && to->pool->name_hash == x->pin.pool &&
	    (how == PINS_EVICT || route_is_safe_point(x));
}

bool
route_is_ordered(const struct exchange *x, const struct view_service *vs)
{
	struct view_order o;

	return x->pin.epoch < vs->orders_epoch && find_order(x, vs, &o);
}

/* Where a valid pin leads; NULL, with the cause, when it leads nowhere. */
static const struct view_pool *
pool_by_pin(const struct exchange *x, const struct view_service *vs,
    enum pool_cause *cause)
{
	const struct view_pool *vp = pool_by_hash(vs, x->pin.pool);

	if (x->pin.epoch < vs->orders_epoch && is_ordered_away(x, vs, cause))
		return NULL;
	*cause = CAUSE_MOVED_EVICT;
	if (vp == NULL || x->pin.epoch < vp->min_epoch ||
	    vp->pins == PINS_EVICT || !vp->serves)
		return NULL;
	*cause = CAUSE_MOVED_DRAIN;
	if (vp->pins == PINS_MOVE && route_is_safe_point(x))
		return NULL;
	*cause = CAUSE_MOVED_DEAD;
	if (vp->n_eligible == 0 &&
	    (x->scope != CFG_STICKY_INSTANCE || x->n_tried > 0 ||
	        balance_pinned(vp, x->pin.instance) == NULL))
		return NULL;
	*cause = CAUSE_PIN;
	return vp;
}

bool
route_is_trial(const struct exchange *x, const struct view_service *vs)
{
	enum pool_cause cause;
	const struct view_pool *vp;

	if (x->scope == CFG_STICKY_NONE || !x->pinned || !x->pin.trial)
		return false;
	vp = pool_by_pin(x, vs, &cause);
	return vp != NULL && vp->share_to == vp->share_from;
}

static void
new_session(struct exchange *x, uint16_t bucket)
{
	x->pin = (struct pin){
		.session = random_quick(),
		.bucket = bucket,
		.issued_s = proxy_pin_s(x->proxy),
	};
	x->pin_new = x->pin_due = true;
}

/*
 * What it carries was issued there; NULL: it can not serve, or nobody knows.
 * Who only calls for others has no session by that; a page that a browser comes
 * to goes on there.
 */
static NOINLINE const struct view_pool *
pool_by_artifact(struct exchange *x, const struct view_service *vs)
{
	const struct view_pool *vp = artifact_pool(x, vs);

	x->astray = vp != NULL && !x->artifact_pins;
	if (vp == NULL)
		return NULL;
	x->cause = CAUSE_ARTIFACT;
	x->pin_new = x->pin_due = false;
	if (x->artifact_pins && x->scope != CFG_STICKY_NONE && !x->pinned)
		new_session(x, new_bucket(x, vs->cfg));
	else if (x->artifact_pins && x->pin.pool != vp->pool->name_hash)
		x->pin.issued_s = proxy_pin_s(x->proxy);
	return vp;
}

static const struct view_pool *
decide(struct exchange *x, const struct view_service *vs)
{
	enum pool_cause cause = CAUSE_UNPINNED;
	const struct view_pool *vp = NULL;
	uint8_t how;

	if (x->artifact != 0) {
		vp = pool_by_artifact(x, vs);
		if (vp != NULL)
			return vp;
	}
	if (x->scope != CFG_STICKY_NONE) {
		cause = CAUSE_SHARE;
		if (x->pinned)
			vp = pool_by_pin(x, vs, &cause);
		else
			new_session(x, new_bucket(x, vs->cfg));
	} else {
		x->pin.bucket = new_bucket(x, vs->cfg);
	}
	if (vp == NULL && x->pinned && x->pin.epoch < vs->orders_epoch)
		vp = pool_by_order(x, vs, &how);
	if (vp == NULL)
		vp = pool_by_share(vs, x->pin.bucket);
	if (vp == NULL && cause == CAUSE_MOVED_DRAIN) {
		/* Nobody else can take it: better where it is than nowhere. */
		vp = pool_by_hash(vs, x->pin.pool);
		cause = CAUSE_PIN;
	}
	if (vp != NULL && cause != CAUSE_PIN) {
		x->pin_new = x->pin_due = x->scope != CFG_STICKY_NONE;
		x->pin.trial = false;
		if (x->pinned)
			x->pin.issued_s = proxy_pin_s(x->proxy);
	}
	if (cause == CAUSE_PIN && x->pin.epoch < vs->orders_epoch &&
	    has_obeyed(x, vs))
		x->pin_new = x->pin_due = true;
	x->cause = (uint8_t)cause;
	return vp;
}

/* The same pool again for another try; NULL when it cannot serve any more. */
static const struct view_pool *
pool_again(const struct exchange *x, const struct view_service *vs)
{
	for (size_t i = 0; i < vs->n_pools; i++)
		if (vs->pools[i].pool == x->pool && vs->pools[i].serves &&
		    vs->pools[i].n_eligible > 0)
			return &vs->pools[i];
	return NULL;
}

const struct view_service *
route_service_now(const struct exchange *x)
{
	const struct view *v = x->proxy->view;

	if (x->service_at < v->n_services &&
	    v->services[x->service_at].service == x->service)
		return &v->services[x->service_at];
	for (size_t i = 0; i < v->n_services; i++)
		if (v->services[i].service == x->service)
			return &v->services[i];
	return NULL;
}

/* ---- instance ---- */

/* Where others wait for a place, the one that comes now waits behind them. */
static bool
must_wait(const struct exchange *x, const struct view_pool *vp)
{
	return vp->limits != NULL && x->queue == NULL &&
	    vp->pool->cells[x->proxy->env.index].queue != NULL;
}

static int
pick(const struct exchange *x, const struct view_service *vs,
    const struct view_pool *vp, struct instance **out)
{
	struct balance_ask ask = { .pool = vp,
		.tried = x->tried,
		.n_tried = x->n_tried,
		.worker = x->proxy->env.index };

	*out = NULL;
	if (must_wait(x, vp))
		return E_FULL;
	if (x->scope == CFG_STICKY_INSTANCE && x->pin.instance != 0 &&
	    x->n_tried == 0 && !x->astray)
		*out = balance_pinned(vp, x->pin.instance);
	if (*out != NULL)
		return balance_has_place(vp, *out, ask.worker) ? E_OK : E_FULL;
	if (vp->cfg->balance == CFG_BALANCE_HASH)
		ask.key = share_hash(x, vs->cfg);
	*out = balance_pick(&ask);
	if (*out == NULL && !ask.full && ask.n_tried > 0) {
		*out = balance_rested(&ask);
		/* Of one instance alone we ask again rather than give up. */
		ask.n_tried = 0;
		if (*out == NULL)
			*out = balance_pick(&ask);
	}
	if (*out != NULL)
		return E_OK;
	return ask.full ? E_FULL : E_NOENT;
}

static void
take_place(struct exchange *x, const struct view_service *vs,
    const struct view_pool *vp, struct instance *inst)
{
	unsigned worker = x->proxy->env.index;

	x->inst = inst;
	x->icell = &inst->cells[worker];
	stat_add(&x->icell->inflight, 1);
	if (x->writes)
		stat_add(&x->pcell->writes, 1);
	x->epoch = vs->epoch;
	x->up_idle_us = vp->cfg->idle_us;
	x->up_max_idle = vp->cfg->max_idle;
	x->send_proxy = vp->cfg->send_proxy;
	x->up_tls = x->passes ? NULL : vp->cfg->tls.client; /* a probe's */
	x->up_protocol = x->passes ? CFG_PROTOCOL_H1 : vp->cfg->protocol;
	x->picked_us = loop_now_us(x->proxy->env.loop);
	x->cookie_spaces = vs->cookie_spaces;
	if (x->cookie_spaces)
		cookies_note_pool(x, vp);
	if (x->scope == CFG_STICKY_NONE || x->astray)
		return;
	if (x->pin.pool != vp->pool->name_hash || x->pin_due) {
		x->pin_new = true;
		x->pin_due = false;
		x->pin.pool = vp->pool->name_hash;
		x->pin.epoch = vs->epoch;
	}
	if (x->scope == CFG_STICKY_INSTANCE &&
	    x->pin.instance != inst->name_hash) {
		x->pin_new = true;
		x->pin.instance = inst->name_hash;
	}
}

static NOINLINE void
record(struct exchange *x, const struct view_service *vs,
    const struct view_pool *vp, uint64_t now_us)
{
	uint64_t pin_s = proxy_pin_s(x->proxy);
	struct session s = { .id = x->pin.session,
		.pool = vp->pool->name_hash,
		.epoch = x->pin_due || x->pin.pool != vp->pool->name_hash
		    ? vs->epoch
		    : x->pin.epoch,
		.bucket = x->pin.bucket };
	uint64_t ends_s = now_us / US_PER_S + x->pin.issued_s +
	    vs->cfg->sticky_max_us / US_PER_S - pin_s;

	s.ends_s = (uint32_t)MIN(ends_s, UINT32_MAX);
	sessions_see(&vs->service->sessions, &s, now_us,
	    vs->cfg->sticky_records);
}

/* A connection's session once a second, or when its pin is another. */
static ALWAYS_INLINE void
note_session(struct exchange *x, const struct view_service *vs,
    const struct view_pool *vp)
{
	struct client *c = client_connection(x->client);
	uint64_t now_us = loop_now_us(x->proxy->env.loop);

	if (vs->cfg->sticky_records == 0)
		return;
	if (!x->pin_due && c->noted_id == x->pin.session &&
	    c->noted_pool == vp->pool->name_hash &&
	    now_us - c->noted_us < US_PER_S)
		return;
	c->noted_id = x->pin.session;
	c->noted_pool = vp->pool->name_hash;
	c->noted_us = now_us;
	record(x, vs, vp, now_us);
}

static void
count_pool(struct exchange *x, const struct view_service *vs,
    const struct view_pool *vp)
{
	if (x->pool == vp->pool)
		return; /* another try: counted already */
	x->pool = vp->pool;
	x->pcell = &vp->pool->cells[x->proxy->env.index];
	stat_add(&x->pcell->cause[x->cause], 1);
	if (x->scope == CFG_STICKY_NONE || x->astray)
		return;
	if (x->cause == CAUSE_SHARE)
		stat_add(&x->pcell->sessions_new, 1);
	note_session(x, vs, vp);
}

/* A file that its session's pool lacks; the session stays where it is. */
static const struct view_pool *
go_astray(struct exchange *x, const struct view_service *vs,
    const struct view_pool *vp)
{
	if (!x->astray) {
		const struct view_pool *better = asset_pool(x, vs, vp);

		x->astray = better != vp;
		vp = better;
	}
	if (x->astray) {
		x->cause = CAUSE_ASSET;
		x->pin_new = x->pin_due = false;
	}
	return vp;
}

/* From the session's pool to one that may have the file, or back: NULL. */
static const struct view_pool *
elsewhere(struct exchange *x, const struct view_service *vs)
{
	const struct view_pool *vp = NULL;

	x->reroute = false;
	if (!x->astray)
		vp = asset_elsewhere(x, vs);
	x->home_asked |= vp == NULL;
	x->astray = vp != NULL;
	return vp;
}

static NOINLINE const struct view_pool *
choose_for_file(struct exchange *x, const struct view_service *vs)
{
	const struct view_pool *vp = NULL;

	x->was_astray = x->astray;
	x->was_reroute = x->reroute;
	if (x->reroute)
		vp = elsewhere(x, vs);
	else if (x->pool != NULL)
		vp = pool_again(x, vs);
	if (vp == NULL) {
		x->astray = false;
		vp = decide(x, vs);
	}
	return vp == NULL ? NULL : go_astray(x, vs, vp);
}

/* Where nobody has a place now, it is chosen anew the next time. */
static void
choose_anew(struct exchange *x)
{
	x->astray = x->was_astray;
	x->reroute = x->was_reroute;
}

int
route_pick(struct exchange *x)
{
	const struct view_service *vs = x->vs;
	const struct view_pool *vp = NULL;
	struct instance *inst;
	int rc;

	if (vs == NULL)
		vs = route_service_now(x);
	x->vs = NULL; /* the view is not ours beyond this turn */
	if (vs == NULL)
		return E_NOENT;
	if (x->asset != 0)
		vp = choose_for_file(x, vs);
	else if (x->pool != NULL)
		vp = pool_again(x, vs);
	if (vp == NULL)
		vp = decide(x, vs);
	if (vp == NULL)
		return E_NOENT;
	rc = pick(x, vs, vp, &inst);
	if (rc == E_FULL) {
		x->full = vp->pool;
		x->full_max = vp->cfg->queue_max;
		x->full_us = vp->cfg->queue_us;
	}
	if (rc != E_OK) {
		if (x->asset != 0)
			choose_anew(x);
		return rc;
	}
	count_pool(x, vs, vp);
	take_place(x, vs, vp, inst);
	return E_OK;
}

bool
route_has_other(const struct exchange *x)
{
	const struct view_service *vs = route_service_now(x);
	const struct view_pool *vp = vs == NULL ? NULL : pool_again(x, vs);
	struct instance *tried[EXCHANGE_TRIES_MAX + 1];

	if (vp == NULL)
		return false;
	memcpy(tried, x->tried, x->n_tried * sizeof(struct instance *));
	tried[x->n_tried] = x->inst;
	return balance_has_other(vp, tried, x->n_tried + 1u);
}

bool
route_has_any(const struct exchange *x)
{
	const struct view_service *vs = route_service_now(x);

	return vs != NULL &&
	    (pool_again(x, vs) != NULL ||
	        pool_by_share(vs, x->pin.bucket) != NULL);
}

bool
route_asks_other(const struct exchange *x, unsigned status)
{
	const struct view_service *vs = route_service_now(x);

	for (size_t i = 0; vs != NULL && i < vs->cfg->n_retry_statuses; i++)
		if (vs->cfg->retry_statuses[i] == status)
			return route_has_other(x);
	return false;
}
