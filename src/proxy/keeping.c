#include "proxy/keeping.h"

#include "http/target.h"
#include "net/loop.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/route.h"
#include "proxy/worker.h"
#include "upstream/copies.h"
#include "upstream/view.h"

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

static bool
may_be_kept(const struct exchange *x, const struct cfg_service *cfg,
    struct str *path)
{
	struct str query;

	if (cfg->hold.n_copies == 0 || !http_method_is_safe(x->req.method) ||
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

/* ---- keeping it ---- */

void
keeping_head(struct exchange *x, const struct http_head *h)
{
	const struct view_service *vs = route_service_now(x);
	uint64_t now = loop_now_us(x->proxy->env.loop);
	struct copies *all = &x->service->copies;
	struct str path;

	if (vs == NULL || x->req.method != METHOD_GET || h->status != 200 ||
	    h->body_len > COPY_BODY_MAX || !may_be_kept(x, vs->cfg, &path) ||
	    !is_for_all(h) || !copies_want(all, x->req.authority, path, now))
		return;
	x->copy = copy_new(x->req.authority, path);
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

	if (c->host.failed || c->path.failed || c->type.failed ||
	    c->body.failed)
		copy_unref(&x->copy);
	else
		copies_put(&x->service->copies, &x->copy);
}

/* ---- giving it ---- */

bool
keeping_answers(struct exchange *x, const struct view_service *vs)
{
	struct str path;

	if (x->passes || x->tunnel_asked || x->grpc ||
	    (x->req.method != METHOD_GET && x->req.method != METHOD_HEAD) ||
	    !may_be_kept(x, vs->cfg, &path))
		return false;
	x->copy = copies_get(&x->service->copies, x->req.authority, path);
	if (x->copy == NULL)
		return false;
	exchange_refuse(x, 200, OUT_COPY);
	return true;
}
