#include "upstream/balance.h"

#include <math.h>

#include "base/random.h"
#include "upstream/model.h"
#include "upstream/view.h"

#define DRAWS_MAX 8 /* then every instance is looked at in turn */
/* hash: so many exchanges of a worker are no crowd, however small its part. */
#define CROWD 8

static bool
was_tried(const struct instance *i, struct instance *const *tried, size_t n)
{
	for (size_t t = 0; t < n; t++)
		if (tried[t] == i)
			return true;
	return false;
}

static uint32_t
weight_at(const struct view_pool *p, size_t i)
{
	return p->weight_sum[i] - (i == 0 ? 0 : p->weight_sum[i - 1]);
}

/* What one worker has at an instance: connections, where they are passed on. */
static uint64_t
has_here(const struct view_pool *p, const struct instance *i, unsigned worker)
{
	const struct inst_cell *c = &i->cells[worker];

	return stat_get(&c->inflight) + (p->passes ? stat_get(&c->streams) : 0);
}

static uint64_t
has_in_all(const struct view_pool *p, const struct instance *i)
{
	return inst_inflight(i) + (p->passes ? inst_streams(i) : 0);
}

/* ---- places ---- */

static bool
has_place(const struct view_pool *p, uint32_t limit, const struct instance *i,
    unsigned worker)
{
	uint64_t part = limit / i->n_workers + (worker < limit % i->n_workers);

	return has_here(p, i, worker) < MAX(part, 1u);
}

bool
balance_has_place(const struct view_pool *p, const struct instance *i,
    unsigned worker)
{
	if (p->limits == NULL)
		return true;
	for (size_t n = 0; n < p->n_eligible; n++)
		if (p->eligible[n] == i)
			return has_place(p, p->limits[n], i, worker);
	return has_place(p, p->cfg->max_requests, i, worker);
}

bool
balance_has_other(const struct view_pool *p, struct instance *const *tried,
    size_t n)
{
	for (size_t i = 0; i < p->n_eligible; i++)
		if (!was_tried(p->eligible[i], tried, n))
			return true;
	return false;
}

/* Notes when it is only the place that is missing. */
static bool
is_fit(struct balance_ask *a, size_t at)
{
	const struct view_pool *p = a->pool;
	const struct instance *i = p->eligible[at];

	if (a->n_tried > 0 && was_tried(i, a->tried, a->n_tried))
		return false;
	if (p->limits == NULL || has_place(p, p->limits[at], i, a->worker))
		return true;
	a->full = true;
	return false;
}

/* ---- least requests ---- */

/* One instance, by weight: the first whose running sum is above the lot. */
static size_t
draw(const struct view_pool *p)
{
	uint32_t lot = random_below(p->weight_sum[p->n_eligible - 1]);
	size_t lo = 0, hi = p->n_eligible - 1;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->weight_sum[mid] > lot)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Equal ones, idle ones above all, keep to the order drawn: by weight. */
static bool
is_lighter(const struct view_pool *p, size_t a, size_t b)
{
	return has_in_all(p, p->eligible[a]) * weight_at(p, b) <
	    has_in_all(p, p->eligible[b]) * weight_at(p, a);
}

/* n_eligible: none. */
static size_t
draw_fit(struct balance_ask *a)
{
	const struct view_pool *p = a->pool;

	for (int i = 0; i < DRAWS_MAX; i++) {
		size_t at = draw(p);

		if (is_fit(a, at))
			return at;
	}
	for (size_t i = 0; i < p->n_eligible; i++)
		if (is_fit(a, i))
			return i;
	return p->n_eligible;
}

static size_t
pick_least(struct balance_ask *a)
{
	const struct view_pool *p = a->pool;
	size_t x = draw_fit(a), y;

	if (x == p->n_eligible || p->n_eligible == 1)
		return x;
	y = draw_fit(a);
	if (x == y) /* once more: with two instances half of all draws */
		y = draw_fit(a);
	return is_lighter(p, y, x) ? y : x;
}

/* ---- round robin ---- */

static size_t
pick_next(struct balance_ask *a)
{
	const struct view_pool *p = a->pool;
	uint32_t *turn = &p->pool->cells[a->worker].turn;

	if (*turn == 0) /* workers do not all begin with the first */
		*turn = 1 + random_below(UINT16_MAX);
	for (size_t i = 0; i < p->n_eligible; i++) {
		size_t at = (*turn + i) % p->n_eligible;

		if (!is_fit(a, at))
			continue;
		*turn += (uint32_t)i + 1;
		return at;
	}
	return p->n_eligible;
}

/*
 * Each earns its weight; who has earned most is taken and pays for all.  Those
 * who were not fit earn nothing, else they would be flooded afterwards.
 */
static size_t
pick_by_credit(struct balance_ask *a)
{
	const struct view_pool *p = a->pool;
	size_t best = p->n_eligible;
	int64_t most = INT64_MIN, paid = 0;

	for (size_t i = 0; i < p->n_eligible; i++) {
		int64_t *credit = &p->eligible[i]->cells[a->worker].credit;

		if (!is_fit(a, i))
			continue;
		*credit += weight_at(p, i);
		paid += weight_at(p, i);
		if (*credit > most) {
			most = *credit;
			best = i;
		}
	}
	if (best < p->n_eligible)
		p->eligible[best]->cells[a->worker].credit -= paid;
	return best;
}

/* ---- hash ---- */

static uint64_t
mix(uint64_t h)
{
	h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
	return h ^ (h >> 31);
}

/*
 * Of instances with these scores each is the highest for its weight's part of
 * the keys: -weight / log(u), u uniform in 0..1.
 */
static double
score(const struct view_pool *p, size_t at, uint64_t key)
{
	uint64_t h = mix(key ^ p->eligible[at]->name_hash);
	double u = ((double)(h >> 11) + 0.5) * 0x1p-53;

	return p->even ? u : -(double)weight_at(p, at) / log(u);
}

/* Has it more than 5/4 of its part of what this worker has at hand? */
static bool
is_crowded(const struct view_pool *p, size_t at, unsigned worker)
{
	uint64_t mine = has_here(p, p->eligible[at], worker);
	uint64_t all = 1, sum;

	if (mine < CROWD)
		return false;
	for (size_t i = 0; i < p->n_eligible; i++)
		all += has_here(p, p->eligible[i], worker);
	sum = p->weight_sum[p->n_eligible - 1];
	return (mine + 1) * 4 * sum > all * 5 * weight_at(p, at) + 4 * sum;
}

/* The highest score below that one; n_eligible: none. */
static size_t
highest_below(struct balance_ask *a, double *below)
{
	const struct view_pool *p = a->pool;
	size_t best = p->n_eligible;
	double most = -1;

	for (size_t i = 0; i < p->n_eligible; i++) {
		double s = score(p, i, a->key);

		if (s > most && s < *below && is_fit(a, i)) {
			most = s;
			best = i;
		}
	}
	*below = most;
	return best;
}

static size_t
pick_by_key(struct balance_ask *a)
{
	const struct view_pool *p = a->pool;
	double below = INFINITY;
	size_t first = highest_below(a, &below), at = first;

	for (int i = 0; i < DRAWS_MAX && at < p->n_eligible; i++) {
		if (!is_crowded(p, at, a->worker))
			return at;
		at = highest_below(a, &below);
	}
	return first;
}

/* ---- all ---- */

struct instance *
balance_pick(struct balance_ask *a)
{
	const struct view_pool *p = a->pool;
	size_t at = 0;

	a->full = false;
	if (p->n_eligible == 0)
		return NULL;
	switch (p->cfg->balance) {
	case CFG_BALANCE_LEAST:
		at = pick_least(a);
		break;
	case CFG_BALANCE_ROUND:
		at = p->even ? pick_next(a) : pick_by_credit(a);
		break;
	case CFG_BALANCE_HASH:
		at = pick_by_key(a);
		break;
	}
	return at == p->n_eligible ? NULL : p->eligible[at];
}

struct instance *
balance_rested(const struct balance_ask *a)
{
	const struct view_pool *p = a->pool;

	for (size_t i = 0; i < p->n_resting; i++)
		if (!was_tried(p->resting[i], a->tried, a->n_tried) &&
		    balance_has_place(p, p->resting[i], a->worker))
			return p->resting[i];
	return NULL;
}

struct instance *
balance_pinned(const struct view_pool *p, uint64_t name_hash)
{
	size_t lo = 0, hi = p->n_pinnable;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->pinnable[mid]->name_hash < name_hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == p->n_pinnable || p->pinnable[lo]->name_hash != name_hash)
		return NULL;
	return p->pinnable[lo];
}
