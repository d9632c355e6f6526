#include "upstream/eject.h"

#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "config/config.h"
#include "upstream/model.h"
#include "upstream/registry.h"
#include "upstream/warmth.h"

#define LEVEL_MAX 20 /* a doubling more is above any max_time */

struct look {
	struct registry *registry;
	struct pool *pool;
	const struct cfg_pool *cfg;
	uint64_t now_us;
	eject_edge_fn *edge;
	void *arg;
	unsigned n_up, n_out; /* ready ones; of these, ejected */
	bool window_over;
	bool changed;
};

struct sums {
	uint64_t ok, failed, connect;
};

/* ---- what workers counted ---- */

static uint64_t
less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct sums
sums_of(const struct instance *i, bool status_5xx)
{
	struct sums s = { 0 };
	uint64_t spoiled = 0;

	for (unsigned w = 0; w < i->n_workers; w++) {
		const struct inst_cell *c = &i->cells[w];

		for (int k = 0; k < STATUS_N; k++)
			s.ok += stat_get(&c->status[k]);
		s.ok += stat_get(&c->passed);
		if (status_5xx) {
			s.failed += stat_get(&c->status[STATUS_5XX]);
			spoiled += stat_get(&c->status[STATUS_5XX]);
		}
		spoiled += stat_get(&c->spoiled);
		s.failed += stat_get(&c->failures);
		s.connect += stat_get(&c->connect_failed);
	}
	s.ok = less(s.ok, spoiled);
	return s;
}

static void
begin_window(struct eject *e, const struct sums *s)
{
	e->window_ok = s->ok;
	e->window_failed = s->failed;
}

/* Forgets what was: from here on rows and windows begin. */
static void
begin_anew(struct eject *e, const struct sums *s)
{
	e->ok = s->ok;
	e->failed = e->row_from = s->failed;
	e->connect = e->row_connect_from = s->connect;
	begin_window(e, s);
}

static void
follow_row(struct eject *e, const struct sums *s)
{
	if (s->ok != e->ok) {
		e->row_from = s->failed - MIN(s->failed - e->failed, 1u);
		e->row_connect_from = s->connect -
		    MIN(s->connect - e->connect, 1u);
	}
	e->ok = s->ok;
	e->failed = s->failed;
	e->connect = s->connect;
}

/* ---- latency ---- */

static void
latency_of(const struct instance *i, struct hist *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned w = 0; w < i->n_workers; w++)
		hist_merge(out, &i->cells[w].latency);
}

/* The median of the window that is over, or 0; begins the next one. */
static uint64_t
take_median(const struct look *l, struct instance *i)
{
	struct hist now, part;
	uint64_t median = 0;

	if (i->eject.window_latency == NULL) {
		i->eject.window_latency = malloc(sizeof(struct hist));
		if (i->eject.window_latency == NULL)
			return 0; /* the next window may have memory */
		latency_of(i, i->eject.window_latency);
		return 0;
	}
	latency_of(i, &now);
	memset(&part, 0, sizeof(part));
	for (int b = 0; b < HIST_BUCKETS; b++)
		stat_add(&part.count[b],
		    less(stat_get(&now.count[b]),
		        stat_get(&i->eject.window_latency->count[b])));
	if (hist_total(&part) >= l->cfg->eject.volume)
		median = hist_quantile(&part, 0.5);
	memcpy(i->eject.window_latency, &now, sizeof(now));
	return median;
}

static int
by_size(const void *pa, const void *pb)
{
	const uint64_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

/* ---- one instance ---- */

static bool
is_ready(const struct instance *i)
{
	return i->health == HEALTH_UP && i->admin == INST_IN;
}

/* May one more rest? */
static bool
may_eject(const struct look *l)
{
	return l->n_up >= l->n_out + 2 &&
	    (l->n_out + 1) * 100 <= l->cfg->eject.share_pct * l->n_up;
}

static void
eject(struct look *l, struct instance *i, enum eject_reason why)
{
	const struct cfg_eject *cfg = &l->cfg->eject;
	struct eject *e = &i->eject;
	uint64_t lasts_us = MIN(cfg->time_us << e->level, cfg->max_us);

	if (e->until_us != 0 || !is_ready(i) || !may_eject(l))
		return;
	e->level += lasts_us < cfg->max_us && e->level < LEVEL_MAX;
	e->last_us = lasts_us;
	e->since_us = l->now_us;
	e->until_us = l->now_us + lasts_us;
	e->reason = (uint8_t)why;
	e->ejections++;
	l->n_out++;
	l->changed = true;
	l->edge(i, l->arg);
}

static void
take_back(struct instance *i, const struct sums *s, uint64_t now_us)
{
	struct eject *e = &i->eject;

	e->until_us = 0;
	e->since_us = now_us;
	e->reason = EJECT_NONE;
	begin_anew(e, s);
	warmth_begin(i, now_us);
}

static void
end_rest(struct look *l, struct instance *i, const struct sums *s)
{
	take_back(i, s, l->now_us);
	l->n_out -= is_ready(i);
	l->changed = true;
	l->edge(i, l->arg);
}

void
eject_end(struct instance *i, uint64_t mono_us, eject_edge_fn *edge, void *arg)
{
	struct sums s = sums_of(i, i->eject.counts_5xx);

	ON_CONTROL_THREAD();
	if (i->eject.until_us == 0) {
		begin_anew(&i->eject, &s);
		return;
	}
	take_back(i, &s, mono_us);
	edge(i, arg);
}

/* Quiet for as long as the last one: the next will be shorter. */
static void
forgive(const struct look *l, struct eject *e)
{
	if (e->until_us != 0 || e->level == 0 ||
	    l->now_us - e->since_us < e->last_us)
		return;
	e->level--;
	e->last_us = MAX(e->last_us / 2, l->cfg->eject.time_us);
	e->since_us = l->now_us;
}

static enum eject_reason
judge(const struct eject *e, const struct cfg_eject *cfg, const struct sums *s)
{
	uint64_t row = s->failed - e->row_from;
	uint64_t failed = less(s->failed, e->window_failed);
	uint64_t all = failed + less(s->ok, e->window_ok);

	if (cfg->failures > 0 && row >= cfg->failures)
		return s->connect - e->row_connect_from >= row ? EJECT_CONNECT
		                                               : EJECT_FAILURES;
	if (cfg->ratio_pct > 0 && all >= cfg->volume &&
	    failed * 100 >= cfg->ratio_pct * all)
		return EJECT_RATIO;
	return EJECT_NONE;
}

static void
look_at(struct look *l, struct instance *i)
{
	const struct cfg_eject *cfg = &l->cfg->eject;
	struct sums s = sums_of(i, cfg->status_5xx);
	struct eject *e = &i->eject;
	enum eject_reason why;

	if (e->counts_5xx != cfg->status_5xx) {
		e->counts_5xx = cfg->status_5xx;
		begin_anew(e, &s);
	}
	if (e->until_us != 0 && (!l->cfg->eject_on || l->now_us >= e->until_us))
		end_rest(l, i, &s);
	follow_row(e, &s);
	forgive(l, e);
	why = l->cfg->eject_on ? judge(e, cfg, &s) : EJECT_NONE;
	if (why != EJECT_NONE)
		eject(l, i, why);
	if (l->window_over)
		begin_window(e, &s);
}

/* ---- a pool ---- */

static struct instance *
next(const struct look *l, const struct instance *i)
{
	return registry_instance_next(l->registry, l->pool, i);
}

static void
count(struct look *l)
{
	const struct instance *i = NULL;

	while ((i = next(l, i)) != NULL) {
		l->n_up += is_ready(i);
		l->n_out += is_ready(i) && i->eject.until_us != 0;
	}
}

/* The median of the others' medians: sorted[n] without one of mine. */
static uint64_t
median_of_others(const uint64_t *sorted, size_t n, uint64_t mine)
{
	size_t at = (n - 1) / 2;

	/* What is behind mine moves down by one. */
	if (n > 1 && sorted[at] >= mine)
		at++;
	return n > 1 ? sorted[at] : 0;
}

static void
look_for_slow(struct look *l)
{
	struct instance *i = NULL;
	uint64_t medians[CFG_INSTANCES_MAX] = { 0 };
	uint64_t sorted[CFG_INSTANCES_MAX];
	size_t n = 0, n_sorted = 0;

	while ((i = next(l, i)) != NULL && n < ARRAY_LEN(medians)) {
		medians[n] = take_median(l, i);
		if (medians[n] > 0)
			sorted[n_sorted++] = medians[n];
		n++;
	}
	qsort(sorted, n_sorted, sizeof(*sorted), by_size);
	n = 0;
	for (i = next(l, NULL); i != NULL && n < ARRAY_LEN(medians);
	     i = next(l, i)) {
		uint64_t mine = medians[n++];
		uint64_t usual = median_of_others(sorted, n_sorted, mine);

		if (mine > 0 && usual > 0 &&
		    mine >= usual * l->cfg->eject.slow &&
		    mine >= usual + EJECT_SLOW_LEAST_US)
			eject(l, i, EJECT_SLOW);
	}
}

static void
look_at_warmth(struct look *l, uint64_t *due_us)
{
	struct instance *i = NULL;

	while ((i = next(l, i)) != NULL) {
		if (i->warm_from_us == 0)
			continue;
		l->changed |= is_ready(i) && i->warm_tenths != 0 &&
		    i->warm_tenths != warmth_tenths(i, l->cfg, l->now_us);
		*due_us = MIN(*due_us, warmth_next_us(i, l->cfg, l->now_us));
	}
}

bool
eject_look(struct registry *r, struct pool *p, const struct cfg_pool *cfg,
    uint64_t mono_us, eject_edge_fn *edge, void *arg, uint64_t *due_us)
{
	struct look l = { .registry = r,
		.pool = p,
		.cfg = cfg,
		.now_us = mono_us,
		.edge = edge,
		.arg = arg };
	struct instance *i = NULL;

	ON_CONTROL_THREAD();
	l.window_over = mono_us - p->window_us >= cfg->eject.window_us;
	count(&l);
	while ((i = next(&l, i)) != NULL)
		look_at(&l, i);
	if (l.window_over) {
		p->window_us = mono_us;
		if (cfg->eject_on && cfg->eject.slow > 0)
			look_for_slow(&l);
	}
	look_at_warmth(&l, due_us);
	while ((i = next(&l, i)) != NULL)
		if (i->eject.until_us != 0)
			*due_us = MIN(*due_us, i->eject.until_us);
	return l.changed;
}

uint64_t
eject_left_us(const struct instance *i, uint64_t mono_us)
{
	return less(i->eject.until_us, mono_us);
}
