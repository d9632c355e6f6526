#include "upstream/view.h"

#include <stdlib.h>

#include "base/thread.h"

struct seat {
	_Atomic uint64_t generation; /* adopted; written by the worker */
	const struct view *view;     /* the worker's own */
} CACHE_ALIGNED;

struct views {
	_Atomic(struct view *) newest;
	_Atomic uint64_t generation; /* of newest */
	view_gone_fn *on_free;
	void *arg;
	unsigned n_workers;
	struct seat *seats;
};

/* ---- routing ---- */

static bool
path_fits(struct str rule, struct str path)
{
	if (!str_starts(path, rule))
		return false;
	return rule.len == path.len || rule.p[rule.len - 1] == '/' ||
	    path.p[rule.len] == '/';
}

static bool
host_fits(struct str rule, struct str host)
{
	if (rule.len == 1 && rule.p[0] == '*')
		return true;
	if (rule.len > 1 && rule.p[0] == '*') /* "*.x.y" */
		return host.len > rule.len - 1 &&
		    str_ends(host, str_sub(rule, 1, rule.len));
	return str_eq(rule, host);
}

/* Exact hosts first, then wildcards, then any. */
static int
host_rank(struct str host)
{
	if (host.len == 1 && host.p[0] == '*')
		return 2;
	return host.p[0] == '*' ? 1 : 0;
}

/* Longer before shorter. */
static int
host_order(struct str a, struct str b)
{
	if (a.len != b.len)
		return a.len > b.len ? -1 : 1;
	return str_cmp(a, b);
}

static int
by_host(const struct view_rule *a, const struct view_rule *b)
{
	int order = host_rank(a->host) - host_rank(b->host);

	return order != 0 ? order : host_order(a->host, b->host);
}

static int
by_specificity(const void *pa, const void *pb)
{
	const struct view_rule *a = pa, *b = pb;
	int order = by_host(a, b);

	if (order != 0)
		return order;
	return (a->path.len < b->path.len) - (a->path.len > b->path.len);
}

void
view_sort_rules(struct view_rules *r)
{
	qsort(r->list, r->n, sizeof(*r->list), by_specificity);
	r->n_exact = 0;
	while (r->n_exact < r->n && host_rank(r->list[r->n_exact].host) == 0)
		r->n_exact++;
}

/* The first rule of that very host, or where it would stand. */
static size_t
find_exact(const struct view_rules *r, struct str host)
{
	size_t lo = 0, hi = r->n_exact;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (host_order(r->list[mid].host, host) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct view_service *
view_route(const struct view *v, struct str host, struct str path)
{
	const struct view_rules *r = &v->rules;
	size_t i = find_exact(r, host);

	while (i < r->n_exact && str_eq(r->list[i].host, host)) {
		if (path_fits(r->list[i].path, path))
			return r->list[i].service;
		i++;
	}
	for (i = r->n_exact; i < r->n; i++)
		if (host_fits(r->list[i].host, host) &&
		    path_fits(r->list[i].path, path))
			return r->list[i].service;
	return NULL;
}

/* The most specific rule for that host, whatever its path. */
static const struct view_rule *
best_rule(const struct view_rules *r, struct str host)
{
	size_t i = find_exact(r, host);

	if (i < r->n_exact && str_eq(r->list[i].host, host))
		return &r->list[i];
	for (i = r->n_exact; i < r->n; i++)
		if (host_fits(r->list[i].host, host))
			return &r->list[i];
	return NULL;
}

bool
view_serves_host(const struct view *v, struct str host)
{
	return best_rule(&v->rules, host) != NULL;
}

const struct view_service *
view_passes(const struct view *v, struct str name, bool shared)
{
	const struct view_rule *mine = best_rule(&v->passes, name), *other;

	if (mine == NULL || !shared)
		return mine == NULL ? NULL : mine->service;
	other = best_rule(&v->rules, name);
	return other != NULL && by_host(other, mine) < 0 ? NULL : mine->service;
}

/* ---- publishing ---- */

struct views *
views_new(unsigned n_workers)
{
	struct views *vs = calloc(1, sizeof(*vs));

	if (vs == NULL)
		return NULL;
	vs->n_workers = n_workers;
	vs->seats = aligned_alloc(64, n_workers * sizeof(*vs->seats));
	if (vs->seats == NULL) {
		free(vs);
		return NULL;
	}
	for (unsigned i = 0; i < n_workers; i++) {
		atomic_init(&vs->seats[i].generation, 0);
		vs->seats[i].view = NULL;
	}
	return vs;
}

void
views_on_free(struct views *vs, view_gone_fn *fn, void *arg)
{
	vs->on_free = fn;
	vs->arg = arg;
}

static void
free_service(struct view_service *vs)
{
	for (size_t i = 0; i < vs->n_pools; i++) {
		struct view_pool *p = &vs->pools[i];

		free(p->eligible);
		free(p->weight_sum);
		free(p->limits);
		free(p->resting);
		free(p->pinnable);
	}
	for (size_t i = 0; i < vs->n_guards; i++)
		free(vs->guards[i].from);
	free(vs->guards);
	free(vs->orders);
	edits_free(&vs->request_edits);
	edits_free(&vs->response_edits);
}

void
view_free(struct view **vp)
{
	struct view *v = *vp;

	if (v == NULL)
		return;
	for (size_t s = 0; s < v->n_services; s++)
		free_service(&v->services[s]);
	for (size_t i = 0; i < v->n_listeners; i++)
		free(v->listeners[i].trusted);
	free(v->listeners);
	free(v->services);
	free(v->rules.list);
	free(v->passes.list);
	cfg_unref(&v->cfg);
	free(v);
	*vp = NULL;
}

static void
free_view(struct views *vs, struct view *v)
{
	if (vs->on_free != NULL)
		vs->on_free(v, vs->arg);
	view_free(&v);
}

void
views_free(struct views **vsp)
{
	struct views *vs = *vsp;
	struct view *v;

	if (vs == NULL)
		return;
	v = vs->newest;
	while (v != NULL) {
		struct view *older = v->older;

		free_view(vs, v);
		v = older;
	}
	free(vs->seats);
	free(vs);
	*vsp = NULL;
}

uint64_t
views_publish(struct views *vs, struct view *v)
{
	v->older = atomic_load(&vs->newest);
	v->generation = atomic_load(&vs->generation) + 1;
	atomic_store_explicit(&vs->newest, v, memory_order_release);
	atomic_store_explicit(&vs->generation, v->generation,
	    memory_order_release);
	return v->generation;
}

static uint64_t
oldest_in_use(const struct views *vs)
{
	uint64_t oldest = UINT64_MAX;

	for (unsigned i = 0; i < vs->n_workers; i++) {
		uint64_t g = atomic_load_explicit(&vs->seats[i].generation,
		    memory_order_acquire);

		oldest = MIN(oldest, g);
	}
	return MIN(oldest, atomic_load(&vs->generation));
}

uint64_t
views_collect(struct views *vs)
{
	uint64_t oldest = oldest_in_use(vs);
	struct view *v = atomic_load(&vs->newest);

	/* Everything behind the oldest one in use is nobody's. */
	while (v != NULL && v->generation > oldest)
		v = v->older;
	if (v == NULL)
		return oldest;
	while (v->older != NULL) {
		struct view *gone = v->older;

		v->older = gone->older;
		free_view(vs, gone);
	}
	return oldest;
}

bool
views_adopted(const struct views *vs, uint64_t generation)
{
	for (unsigned i = 0; i < vs->n_workers; i++)
		if (atomic_load_explicit(&vs->seats[i].generation,
		        memory_order_acquire) < generation)
			return false;
	return true;
}

const struct view *
views_newest(const struct views *vs)
{
	return atomic_load_explicit(&vs->newest, memory_order_acquire);
}

bool
views_has_newer(const struct views *vs, unsigned worker)
{
	return atomic_load_explicit(&vs->generation, memory_order_acquire) >
	    atomic_load_explicit(&vs->seats[worker].generation,
	        memory_order_relaxed);
}

const struct view *
views_adopt(struct views *vs, unsigned worker)
{
	struct seat *seat = &vs->seats[worker];
	const struct view *v = views_newest(vs);

	if (v == NULL)
		return NULL;
	seat->view = v;
	atomic_store_explicit(&seat->generation, v->generation,
	    memory_order_release);
	return v;
}

void
views_leave(struct views *vs, unsigned worker)
{
	vs->seats[worker].view = NULL;
	atomic_store_explicit(&vs->seats[worker].generation, UINT64_MAX,
	    memory_order_release);
}
