#include "proxy/mirror.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"
#include "http/target.h"
#include "proxy/exchange.h"
#include "proxy/guard.h"
#include "proxy/overload.h"
#include "proxy/queue.h"
#include "proxy/route.h"
#include "proxy/worker.h"
#include "upstream/balance.h"
#include "upstream/conncache.h"
#include "upstream/view.h"

#define LIMIT_US (5 * US_PER_S)
#define TEXT_MAX 4096 /* of target and fields; longer ones are not copied */

struct mirror {
	LIST_ENTRY(mirror) link;
	struct proxy *proxy;
	struct pool *pool;
	struct pool_cell *pcell;
	struct instance *inst; /* held by our place in its cell */
	struct inst_cell *icell;
	struct upconn *up; /* owned */
	uint64_t idle_us;
	unsigned max_idle;
	unsigned expected; /* the status of the answer that counts */
	bool interim, heard, keep;
	struct http_head head;
	size_t n_text;
	char text[TEXT_MAX]; /* what .head points to */
};

/* ---- its end ---- */

static void
leave(struct mirror *m)
{
	bool leaving = m->pool->leaving;

	if (m->pcell->queue != NULL)
		queue_look(m->pcell->queue); /* behind this turn */
	/* From the subtraction on, instance and pool may be freed. */
	stat_sub(&m->icell->inflight, 1);
	if (leaving)
		m->proxy->env.edge(m->proxy->env.arg, PROXY_EMPTY, NULL);
}

static void
end(struct mirror *m, bool whole)
{
	if (whole && m->keep)
		upconn_keep(&m->up, m->idle_us, m->max_idle);
	else
		upconn_close(&m->up);
	stat_add(&m->pcell->mirrored, 1);
	stat_add(&m->pcell->mirrored_bad, !m->heard);
	LIST_REMOVE(m, link);
	m->proxy->n_mirrors--;
	leave(m);
	free(m);
}

void
mirror_end_all(struct proxy *p)
{
	struct mirror *m = LIST_FIRST(&p->mirrors);

	while (m != NULL) {
		struct mirror *next = LIST_NEXT(m, link);

		end(m, false);
		m = next;
	}
}

/* ---- what its connection tells ---- */

static struct mirror *
mirror_of(struct lane *l)
{
	return CONTAINER_OF(l, struct upconn, lane)->user;
}

static void
ask_it(struct mirror *m)
{
	struct lane *l = &m->up->lane;

	l->method = m->head.method;
	if (lane_send_head(l, &m->head, FRAMING_NONE, 0) != E_OK ||
	    lane_send_end(l, NULL) != E_OK || lane_flush(l) != E_OK)
		end(m, false);
}

static int
on_greet(struct lane *l)
{
	return upconn_shake(mirror_of(l)->up);
}

static void
on_connected(struct lane *l, int code)
{
	struct mirror *m = mirror_of(l);

	if (code == E_OK)
		code = upconn_connected(&m->up);
	if (code == E_OK)
		ask_it(m);
	else
		end(m, false);
}

/* What was not asked for, as a 408 on idle, is no answer to what follows. */
static void
on_begin(struct lane *l)
{
	struct mirror *m = mirror_of(l);

	if (m != NULL && l->sent == m->up->sent_before)
		end(m, false);
}

/* Alike is what was answered alike; a 304 is an answer to fields of its own. */
static void
on_head(struct lane *l, struct http_head *h)
{
	struct mirror *m = mirror_of(l);

	if (m == NULL)
		return;
	m->interim = h->status < 200;
	if (m->interim)
		return;
	m->heard = h->status == m->expected;
	m->keep = h->keep_alive && h->framing != FRAMING_CLOSE;
	upconn_hear(m->up, h);
}

static bool
on_data(struct lane *l UNUSED, struct str bytes UNUSED)
{
	return true;
}

static void
on_trailers(struct lane *l UNUSED, struct http_head *h UNUSED)
{
}

static void
on_end(struct lane *l)
{
	struct mirror *m = mirror_of(l);

	if (m == NULL)
		return;
	if (m->interim)
		lane_next(l);
	else
		end(m, true);
}

static bool
on_batch(struct lane *l UNUSED)
{
	return true;
}

static void
on_drained(struct lane *l UNUSED)
{
}

static void
on_eof(struct lane *l)
{
	struct mirror *m = mirror_of(l);

	if (m != NULL)
		end(m, false);
}

static void
on_broken(struct lane *l, int code UNUSED, enum http_bad why UNUSED)
{
	struct mirror *m = mirror_of(l);

	if (m == NULL)
		return;
	m->heard = false; /* it was cut */
	end(m, false);
}

static void
on_deadline(struct deadline *d)
{
	struct mirror *m = CONTAINER_OF(d, struct upconn, deadline)->user;

	m->heard = false;
	end(m, false);
}

static const struct lane_user mirror_user = {
	.greet = on_greet,
	.connected = on_connected,
	.begin = on_begin,
	.head = on_head,
	.data = on_data,
	.trailers = on_trailers,
	.end = on_end,
	.batch = on_batch,
	.drained = on_drained,
	.eof = on_eof,
	.broken = on_broken,
};

/* ---- what is copied ---- */

/* False: there is no room. */
static bool
keep_text(struct mirror *m, struct str *s)
{
	char *at = m->text + m->n_text;

	if (s->len > TEXT_MAX - m->n_text)
		return false;
	if (s->len > 0)
		memcpy(at, s->p, s->len);
	m->n_text += s->len;
	s->p = at;
	return true;
}

/* What is wanted, and by which name we were asked for it. */
static bool
is_copied(struct str name)
{
	static const struct str names[] = { STR("accept"),
		STR("accept-language"), STR("accept-encoding"),
		STR("user-agent"), STR("via"), STR("forwarded"),
		STR("x-forwarded-for"), STR("x-forwarded-proto"),
		STR("x-forwarded-host"), STR("x-forwarded-port"),
		STR("x-forwarded-prefix") };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_caseeq(name, names[i]))
			return true;
	return false;
}

static bool
copy_field(struct mirror *m, const struct http_field *f)
{
	struct str name = str_from(f->name, f->name_len);
	struct str value = str_from(f->value, f->value_len);

	if ((f->flags & HF_DROP) != 0 || !is_copied(name))
		return true;
	return keep_text(m, &name) && keep_text(m, &value) &&
	    http_head_add(&m->head, (enum http_field_id)f->id, name, value) ==
	    E_OK;
}

static bool
copy_head(struct mirror *m, const struct http_head *h)
{
	memcpy(&m->head, h, offsetof(struct http_head, f));
	m->head.n = 0;
	m->head.have = 0;
	m->head.upgrade = m->head.expect_continue = m->head.te_trailers = false;
	if (!keep_text(m, &m->head.method_text) ||
	    !keep_text(m, &m->head.target) || !keep_text(m, &m->head.authority))
		return false;
	for (unsigned i = 0; i < h->n; i++)
		if (!copy_field(m, &h->f[i]))
			return false;
	return http_head_add(&m->head, FIELD_OTHER, STR("X-Segue-Mirror"),
	           STR("1")) == E_OK;
}

/* ---- its begin ---- */

static const struct view_pool *
pool_to_ask(const struct exchange *x, const struct view_service *vs)
{
	for (size_t i = 0; i < vs->n_pools; i++) {
		const struct view_pool *vp = &vs->pools[i];

		if (vp->mirror_bp > 0 && vp->serves && vp->n_eligible > 0 &&
		    vp->pool != x->pool &&
		    vp->cfg->send_proxy == CFG_SEND_PROXY_OFF)
			return random_below(CFG_SHARE_ALL) < vp->mirror_bp
			    ? vp
			    : NULL;
	}
	return NULL;
}

static bool
may_be_copied(const struct exchange *x, const struct cfg_service *cfg)
{
	struct str path, query;

	if ((x->req.method != METHOD_GET && x->req.method != METHOD_HEAD) ||
	    !x->held_head || x->grpc || x->tunnel_asked ||
	    x->req.framing != FRAMING_NONE || x->req.authority.len == 0)
		return false;
	target_split(x->req.target, &path, &query);
	return target_is_plain(path) &&
	    guard_is_under(path, cfg->mirror, cfg->n_mirror);
}

static struct mirror *
mirror_new(struct exchange *x, const struct view_pool *vp,
    struct instance *inst, unsigned status)
{
	struct proxy *p = x->proxy;
	struct mirror *m = malloc(sizeof(*m));

	if (m == NULL)
		return NULL;
	memset(m, 0, offsetof(struct mirror, head));
	m->n_text = 0;
	if (!copy_head(m, &x->req)) {
		free(m);
		return NULL;
	}
	m->proxy = p;
	m->pool = vp->pool;
	m->pcell = &vp->pool->cells[p->env.index];
	m->inst = inst;
	m->icell = &inst->cells[p->env.index];
	m->idle_us = vp->cfg->idle_us;
	m->max_idle = vp->cfg->max_idle;
	m->expected = status;
	stat_add(&m->icell->inflight, 1);
	LIST_INSERT_HEAD(&p->mirrors, m, link);
	p->n_mirrors++;
	return m;
}

static void
ask(struct mirror *m, const struct view_pool *vp)
{
	struct upworker *up = &m->proxy->up;
	struct upask how = { .tls = vp->cfg->tls.client,
		.protocol = vp->cfg->protocol,
		.careful = true }; /* there is no second try */
	bool kept;

	m->up = upconn_take(up, m->inst, &how);
	kept = m->up != NULL;
	if (!kept &&
	    upconn_dial(up, m->inst, &how, &mirror_user, m, &m->up) != E_OK) {
		end(m, false);
		return;
	}
	m->up->lane.user = &mirror_user;
	m->up->user = m;
	m->up->deadline.fn = on_deadline;
	deadline_set(m->proxy->env.loop, &m->up->deadline,
	    loop_now_us(m->proxy->env.loop) + LIMIT_US);
	if (kept)
		ask_it(m);
}

void
mirror_begin(struct exchange *x, unsigned status)
{
	const struct view_service *vs = route_service_now(x);
	struct balance_ask which = { .worker = x->proxy->env.index };
	struct instance *inst;
	struct mirror *m;

	if (vs == NULL || !vs->mirrors || x->proxy->n_mirrors >= MIRRORS_MAX ||
	    x->proxy->stopping || overload_sheds(x->proxy) ||
	    !may_be_copied(x, vs->cfg))
		return;
	which.pool = pool_to_ask(x, vs);
	if (which.pool == NULL)
		return;
	inst = balance_pick(&which);
	m = inst == NULL ? NULL : mirror_new(x, which.pool, inst, status);
	if (m != NULL)
		ask(m, which.pool);
}
