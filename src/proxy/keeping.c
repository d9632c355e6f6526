#include "proxy/keeping.h"

#include "http/target.h"
#include "net/loop.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/route.h"
#include "proxy/worker.h"
#include "upstream/copies.h"
#include "upstream/view.h"

#define PLACE_MAX 300 /* of "https://" and a name of a host */

/* ---- which ---- */

/* One of the ends of paths; what has a query is another thing each time. */
static bool
is_listed(struct str path, const struct cfg_hold *h)
{
	for (size_t i = 0; i < h->n_copies; i++)
		if (str_ends(path, str_of(h->copies[i])))
			return true;
	return false;
}

/* But for its method; *path: where it is. */
static bool
may_be_kept(const struct exchange *x, const struct cfg_service *cfg,
    struct str *path)
{
	struct str query;

	if (cfg->hold.n_copies == 0 ||
	    http_head_value_of(&x->req, STR("authorization")).len > 0)
		return false;
	target_split(x->req.target, path, &query);
	return query.p == NULL && target_is_plain(*path) &&
	    is_listed(*path, &cfg->hold);
}

/* Would another client have got the same? */
static bool
is_for_all(const struct http_head *h)
{
	struct str rest = http_head_value_of(h, STR("vary")), item;

	while (str_list_next(&rest, &item))
		if (!str_caseeq(item, STR("accept-encoding")) &&
		    !str_caseeq(item, STR("origin")))
			return false;
	return !HTTP_HAS(h, SET_COOKIE) &&
	    http_head_value_of(h, STR("content-encoding")).len == 0;
}

/*
 * By which name it was asked for: what a server says of itself depends on that.
 * Empty: it is too long.
 */
static struct str
place_of(const struct exchange *x, char out[PLACE_MAX])
{
	struct str host = x->req.authority;
	size_t n = str_copy(x->tls_client ? STR("https://") : STR("http://"),
	    out, PLACE_MAX);

	if (host.len >= PLACE_MAX - n)
		return str_from(out, 0);
	for (size_t i = 0; i < host.len; i++)
		out[n++] = (char)(host.p[i] >= 'A' && host.p[i] <= 'Z'
		        ? host.p[i] + ('a' - 'A')
		        : host.p[i]);
	return str_from(out, n);
}

/* Users are sent to that pool: what it says counts. */
static bool
is_of_users(const struct exchange *x, const struct view_service *vs)
{
	if (x->pinned && x->pin.trial)
		return false;
	for (size_t i = 0; i < vs->n_pools; i++)
		if (vs->pools[i].pool == x->pool)
			return vs->pools[i].share_to > vs->pools[i].share_from;
	return false;
}

/* ---- keeping it ---- */

static bool
is_kept(const struct exchange *x, const struct http_head *h)
{
	return x->req.method == METHOD_GET && h->status == 200 &&
	    (h->framing == FRAMING_CHUNKED ||
	        (h->framing == FRAMING_LENGTH &&
	            h->body_len <= COPY_BODY_MAX)) &&
	    is_for_all(h);
}

void
keeping_head(struct exchange *x, const struct http_head *h)
{
	const struct view_service *vs = route_service_now(x);
	uint64_t now = loop_now_us(x->proxy->env.loop);
	struct copies *all = &x->service->copies;
	char place[PLACE_MAX];
	struct str path, at;

	if (vs == NULL || !may_be_kept(x, vs->cfg, &path) || !is_kept(x, h) ||
	    !is_of_users(x, vs))
		return;
	at = place_of(x, place);
	if (at.len == 0 || !copies_want(all, at, path, now))
		return;
	x->copy = copy_new(at, path);
	if (x->copy == NULL)
		return;
	x->copy->taken_us = now;
	x->copy->for_all = str_eq(http_head_value_of(h,
	                              STR("access-control-allow-origin")),
	    STR("*"));
	buf_add_str(&x->copy->type, http_head_value(h, FIELD_CONTENT_TYPE));
}

void
keeping_data(struct exchange *x, struct str bytes)
{
	if (x->copy->body.len + bytes.len > COPY_BODY_MAX)
		copy_unref(&x->copy);
	else
		buf_add_str(&x->copy->body, bytes);
}

void
keeping_end(struct exchange *x)
{
	const struct copy *c = x->copy;

	if (c->place.failed || c->path.failed || c->type.failed ||
	    c->body.failed)
		copy_unref(&x->copy);
	else
		copies_put(&x->service->copies, &x->copy);
}

/* ---- giving it ---- */

/* Who tries a pool wants to hear that pool. */
static bool
may_be_given(const struct exchange *x)
{
	return !x->passes && !x->tunnel_asked && !x->grpc &&
	    (x->req.method == METHOD_GET || x->req.method == METHOD_HEAD) &&
	    !(x->pinned && x->pin.trial);
}

bool
keeping_answers(struct exchange *x, const struct view_service *vs)
{
	char place[PLACE_MAX];
	struct str path;

	if (!may_be_given(x) || !may_be_kept(x, vs->cfg, &path))
		return false;
	x->copy = copies_get(&x->service->copies, place_of(x, place), path,
	    loop_now_us(x->proxy->env.loop));
	if (x->copy == NULL)
		return false;
	exchange_refuse(x, 200, OUT_COPY);
	return true;
}
