#include "upstream/balance.h"

#include <stdbool.h>

#include "base/random.h"
#include "upstream/model.h"
#include "upstream/view.h"

#define DRAWS_MAX 8 /* then every instance is looked at in turn */

static bool
was_tried(const struct instance *i, struct instance *const *tried, size_t n)
{
	for (size_t t = 0; t < n; t++)
		if (tried[t] == i)
			return true;
	return false;
}

/* One instance, by weight: the first whose running sum is above the lot. */
static struct instance *
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
	return p->eligible[lo];
}

/* Equal ones, idle ones above all, keep to the order drawn: by weight. */
static bool
is_lighter(const struct instance *a, const struct instance *b)
{
	return inst_inflight(a) * b->weight < inst_inflight(b) * a->weight;
}

static struct instance *
draw_untried(const struct view_pool *p, struct instance *const *tried, size_t n)
{
	for (int i = 0; i < DRAWS_MAX; i++) {
		struct instance *inst = draw(p);

		if (n == 0 || !was_tried(inst, tried, n))
			return inst;
	}
	for (size_t i = 0; i < p->n_eligible; i++)
		if (!was_tried(p->eligible[i], tried, n))
			return p->eligible[i];
	return NULL;
}

struct instance *
balance_pick(const struct view_pool *p, struct instance *const *tried, size_t n)
{
	struct instance *a, *b;

	if (p->n_eligible == 0)
		return NULL;
	a = draw_untried(p, tried, n);
	if (a == NULL || p->n_eligible == 1)
		return a;
	b = draw_untried(p, tried, n);
	if (a == b) /* once more: with two instances half of all draws */
		b = draw_untried(p, tried, n);
	return is_lighter(b, a) ? b : a;
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
