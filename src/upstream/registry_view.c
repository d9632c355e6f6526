/*
 * Building views.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/thread.h"
#include "upstream/registry_int.h"
#include "upstream/warmth.h"

#define NAME_SEED UINT64_C(0x7069c0de)

uint64_t
registry_name_hash(struct str name)
{
	uint64_t h = hash_bytes(name.p, name.len, NAME_SEED);

	return h == 0 ? 1 : h;
}

static const struct service_plan *
plan_of_service(const struct service_plan *plans, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(plans[i].service, name) == 0)
			return &plans[i];
	return NULL;
}

static const struct pool_plan *
plan_of_pool(const struct service_plan *plan, const char *name)
{
	for (size_t i = 0; plan != NULL && i < plan->n_pools; i++)
		if (strcmp(plan->pools[i].pool, name) == 0)
			return &plan->pools[i];
	return NULL;
}

/* ---- pools ---- */

static int
by_name_hash(const void *pa, const void *pb)
{
	const struct instance *const *a = pa, *const *b = pb;

	return ((*a)->name_hash > (*b)->name_hash) -
	    ((*a)->name_hash < (*b)->name_hash);
}

static bool
make_room(struct view_pool *vp, size_t n)
{
	vp->eligible = calloc(n + 1, sizeof(struct instance *));
	vp->weight_sum = calloc(n + 1, sizeof(*vp->weight_sum));
	vp->pinnable = calloc(n + 1, sizeof(struct instance *));
	vp->resting = calloc(n + 1, sizeof(struct instance *));
	if (vp->cfg->max_requests > 0)
		vp->limits = calloc(n + 1, sizeof(*vp->limits));
	return vp->eligible != NULL && vp->weight_sum != NULL &&
	    vp->pinnable != NULL && vp->resting != NULL &&
	    (vp->limits != NULL || vp->cfg->max_requests == 0);
}

static bool
may_be_pinned(const struct instance *i)
{
	return !i->gone && i->health == HEALTH_UP && i->admin != INST_MAINT;
}

static void
add_eligible(struct view_pool *vp, struct instance *i, uint64_t now_us)
{
	size_t n = vp->n_eligible;
	uint32_t tenths = warmth_tenths(i, vp->cfg, now_us);

	i->warm_tenths = (uint8_t)tenths;
	vp->weight_sum[n] = (n == 0 ? 0 : vp->weight_sum[n - 1]) +
	    i->weight * tenths;
	if (vp->limits != NULL)
		vp->limits[n] = MAX(vp->cfg->max_requests * tenths / 10, 1u);
	vp->even &= vp->weight_sum[n] == vp->weight_sum[0] * (n + 1);
	vp->eligible[vp->n_eligible++] = i;
}

/* The ejected ones may be picked only when there is no other. */
static void
fill_eligible(struct view_pool *vp, const struct pool_entry *pe)
{
	uint64_t now_us = clock_mono_us();
	struct inst_entry *e;

	vp->even = true;
	TAILQ_FOREACH (e, &pe->instances, link) {
		if (!may_be_pinned(&e->inst) || e->inst.admin != INST_IN)
			continue;
		if (e->inst.eject.until_us == 0)
			add_eligible(vp, &e->inst, now_us);
		else
			vp->resting[vp->n_resting++] = &e->inst;
	}
	if (vp->n_eligible > 0)
		return;
	for (size_t i = 0; i < vp->n_resting; i++)
		add_eligible(vp, vp->resting[i], now_us);
	vp->n_resting = 0;
}

static bool
fill_instances(struct view_pool *vp)
{
	struct pool_entry *pe = CONTAINER_OF(vp->pool, struct pool_entry, pool);
	struct inst_entry *e;
	size_t n = 0;

	TAILQ_FOREACH (e, &pe->instances, link)
		n++;
	if (!make_room(vp, n))
		return false;
	fill_eligible(vp, pe);
	TAILQ_FOREACH (e, &pe->instances, link)
		if (may_be_pinned(&e->inst) &&
		    (e->inst.eject.reason != EJECT_CONNECT ||
		        vp->n_resting == 0))
			vp->pinnable[vp->n_pinnable++] = &e->inst;
	qsort(vp->pinnable, vp->n_pinnable, sizeof(struct instance *),
	    by_name_hash);
	return true;
}

/*
 * The last pool takes the lowest buckets, so that raising the share of the
 * newest pool only adds sessions to it and re-rolls none.
 */
static void
lay_out_shares(struct view_service *vs, const struct service_plan *plan)
{
	uint32_t at = 0;

	for (size_t i = vs->n_pools; i-- > 0;) {
		const struct pool_plan *pp = plan_of_pool(plan,
		    vs->pools[i].pool->name);

		vs->pools[i].share_from = at;
		if (pp != NULL)
			at = MIN(at + pp->share_bp, CFG_SHARE_ALL);
		vs->pools[i].share_to = at;
	}
}

static bool
fill_networks(char *const *texts, size_t n, struct cidr **out, size_t *count)
{
	*out = calloc(n + 1, sizeof(**out));
	if (*out == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if (cidr_parse(str_of(texts[i]), &(*out)[*count]))
			++*count;
	return true;
}

static bool
fill_guards(struct view_service *vs, const struct cfg_service *cfg)
{
	if (cfg->n_rules == 0)
		return true;
	vs->guards = calloc(cfg->n_rules, sizeof(*vs->guards));
	if (vs->guards == NULL)
		return false;
	for (size_t i = 0; i < cfg->n_rules; i++) {
		struct view_guard *g = &vs->guards[vs->n_guards++];

		g->cfg = &cfg->rules[i];
		if (!fill_networks(g->cfg->from, g->cfg->n_from, &g->from,
		        &g->n_from))
			return false;
	}
	return true;
}

/* The pool of the view that has the name of that one of the plan; both from 1. */
static uint8_t
number_of(const struct view_service *vs, const struct service_plan *plan,
    uint8_t to)
{
	for (size_t i = 0; to > 0 && i < vs->n_pools; i++)
		if (strcmp(vs->pools[i].pool->name, plan->pools[to - 1].pool) ==
		    0)
			return (uint8_t)(i + 1);
	return 0;
}

static int
by_session(const void *pa, const void *pb)
{
	const struct view_order *a = pa, *b = pb;

	return (a->session > b->session) - (a->session < b->session);
}

/* What is ordered for sessions, of whole pools and single ones. */
static bool
fill_orders(struct view_service *vs, const struct service_plan *plan)
{
	uint32_t epoch = 0;

	for (size_t i = 0; i < vs->n_pools; i++) {
		struct view_pool *vp = &vs->pools[i];
		const struct pool_plan *pp = plan_of_pool(plan, vp->pool->name);

		vp->pins_to = pp == NULL ? 0 : number_of(vs, plan, pp->pins_to);
		epoch = MAX(epoch, vp->move_epoch);
		if (vp->pins_to != 0)
			epoch = MAX(epoch, vp->min_epoch);
	}
	if (plan != NULL && plan->n_orders > 0) {
		vs->orders = calloc(plan->n_orders, sizeof(*vs->orders));
		if (vs->orders == NULL)
			return false;
	}
	for (size_t i = 0; plan != NULL && i < plan->n_orders; i++) {
		struct view_order *o = &vs->orders[vs->n_orders++];

		*o = plan->orders[i];
		o->to = number_of(vs, plan, o->to);
		epoch = MAX(epoch, o->epoch);
	}
	vs->orders_epoch = epoch;
	if (vs->n_orders > 0)
		qsort(vs->orders, vs->n_orders, sizeof(*vs->orders),
		    by_session);
	return true;
}

static bool
fill_service(struct registry *r, struct view_service *vs,
    const struct cfg_service *cfg, const struct service_plan *plan)
{
	vs->cfg = cfg;
	vs->service = registry_service(r, cfg->name);
	vs->epoch = plan == NULL ? 0 : plan->epoch;
	vs->hold = plan == NULL ? HOLD_NONE : plan->hold;
	if (vs->service == NULL || !fill_guards(vs, cfg))
		return false;
	vs->service->sessions.idle_us = cfg->sticky_idle_us;
	for (size_t i = 0; i < cfg->n_pools; i++) {
		struct view_pool *vp = &vs->pools[i];
		const struct pool_plan *pp = plan_of_pool(plan,
		    cfg->pools[i].name);

		vp->pool = registry_pool(r, cfg->name, cfg->pools[i].name);
		vp->cfg = &cfg->pools[i];
		vp->passes = cfg->mode == CFG_MODE_PASSTHROUGH;
		vs->cookie_spaces |= vp->cfg->cookie_namespace != NULL;
		if (vp->pool == NULL)
			return false;
		vs->n_pools++;
		if (!fill_instances(vp))
			return false;
		if (pp == NULL)
			continue;
		vp->min_epoch = pp->min_epoch;
		vp->move_epoch = pp->move_epoch;
		sessions_void(&vs->service->sessions, vp->pool->name_hash,
		    pp->min_epoch);
		vp->mirror_bp = pp->mirror_bp;
		vs->mirrors |= pp->mirror_bp > 0;
		vp->pins = pp->pins;
		vp->cut = pp->cut;
		vp->serves = pp->serves;
		vp->in_use = pp->in_use;
	}
	vs->watched = vs->mirrors || cfg->hold.n_copies > 0 ||
	    cfg->n_assets > 0 || cfg->logins.n_begin > 0 ||
	    cfg->shared_state != CFG_SHARED_FULL || cfg->jwks.united;
	lay_out_shares(vs, plan);
	return fill_orders(vs, plan);
}

/* ---- rules ---- */

static bool
fill_edits(struct view *v)
{
	for (size_t s = 0; s < v->n_services; s++) {
		struct view_service *vs = &v->services[s];

		if (edits_make(vs->cfg->request_edits, vs->cfg->n_request_edits,
		        &vs->request_edits) != E_OK ||
		    edits_make(vs->cfg->response_edits,
		        vs->cfg->n_response_edits, &vs->response_edits) != E_OK)
			return false;
	}
	return true;
}

static bool
fill_rules(const struct view *v, enum cfg_mode mode, struct view_rules *r)
{
	size_t n = 0;

	for (size_t s = 0; s < v->n_services; s++)
		n += v->services[s].cfg->n_match;
	r->list = calloc(n + 1, sizeof(*r->list));
	if (r->list == NULL)
		return false;
	for (size_t s = 0; s < v->n_services; s++) {
		const struct cfg_service *cfg = v->services[s].cfg;

		for (size_t i = 0; cfg->mode == mode && i < cfg->n_match; i++)
			r->list[r->n++] = (struct view_rule){
				.host = str_of(cfg->match[i].host),
				.path = str_of(cfg->match[i].path),
				.service = &v->services[s],
			};
	}
	view_sort_rules(r);
	return true;
}

/* ---- listeners ---- */

static bool
fill_listeners(struct view *v)
{
	v->listeners = calloc(v->cfg->n_listeners + 1, sizeof(*v->listeners));
	if (v->listeners == NULL)
		return false;
	for (size_t i = 0; i < v->cfg->n_listeners; i++) {
		const struct cfg_listener *cfg = &v->cfg->listeners[i];
		struct view_listener *l = &v->listeners[i];

		v->n_listeners++;
		l->cfg = cfg;
		if (!fill_networks(cfg->trusted_proxies, cfg->n_trusted_proxies,
		        &l->trusted, &l->n_trusted))
			return false;
	}
	return true;
}

struct view *
registry_view(struct registry *r, struct cfg *cfg, struct keyring *ring,
    const struct service_plan *plans, size_t n)
{
	struct view *v = calloc(1, sizeof(*v));

	ON_CONTROL_THREAD();
	if (v == NULL)
		return NULL;
	v->cfg = cfg_ref(cfg);
	v->keyring = ring;
	v->unrouted = registry_unrouted(r);
	v->load = registry_load(r);
	v->services = calloc(cfg->n_services + 1, sizeof(*v->services));
	if (v->services == NULL || !fill_listeners(v))
		goto fail;
	for (size_t i = 0; i < cfg->n_services; i++) {
		v->n_services++;
		if (!fill_service(r, &v->services[i], &cfg->services[i],
		        plan_of_service(plans, n, cfg->services[i].name)))
			goto fail;
	}
	if (!fill_rules(v, CFG_MODE_HTTP, &v->rules) ||
	    !fill_rules(v, CFG_MODE_PASSTHROUGH, &v->passes) || !fill_edits(v))
		goto fail;
	return v;
fail:
	view_free(&v);
	return NULL;
}
