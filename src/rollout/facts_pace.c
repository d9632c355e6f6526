/*
 * What a step analyze or mirror has to know of requests, of the time answers
 * take and of logins, since it began.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "rollout/facts.h"
#include "rollout/steps.h"
#include "upstream/registry.h"

/* Of the new pool, or of all others. */
struct side {
	struct ro_toll toll;
	struct ro_logins logins;
	struct hist took;
};

struct counted {
	struct side own, others;
	struct ro_toll mirrored;
};

struct pace {
	uint64_t rollout, since_us; /* of which that is */
	bool counts_logins;
	/* when it began: */
	struct then {
		uint64_t pool; /* hash of its name */
		struct ro_toll toll, mirrored;
	} then[CFG_POOLS_MAX];
	size_t n_then;
	struct hist own_then, others_then;
	struct counted here; /* since */
	struct counted all;  /* ... and at the other proxies */
};

static bool
is_looked_at(const struct ro_rollout *r)
{
	return r->stand == RO_STAND_RUNNING && r->entered &&
	    (r->steps[r->at].kind == CFG_STEP_ANALYZE ||
	        r->steps[r->at].kind == CFG_STEP_MIRROR);
}

static bool
is_new_one(const struct ro_service *s, const struct pool *p)
{
	return strcmp(p->name, s->rollout.to) == 0;
}

/* ---- what is counted here ---- */

static struct ro_toll
mirrored(const struct pool *p)
{
	struct ro_toll t = { 0 };

	for (unsigned w = 0; w < p->n_workers; w++) {
		t.requests += stat_get(&p->cells[w].mirrored);
		t.bad += stat_get(&p->cells[w].mirrored_bad);
	}
	return t;
}

static void
note_then(struct pace *pace, const struct pool *p)
{
	if (pace->n_then < CFG_POOLS_MAX)
		pace->then[pace->n_then++] = (struct then){ p->name_hash,
			facts_toll(p), mirrored(p) };
}

/* Nothing of one that came since. */
static struct then
then_of(const struct pace *pace, const struct pool *p)
{
	for (size_t i = 0; i < pace->n_then; i++)
		if (pace->then[i].pool == p->name_hash)
			return pace->then[i];
	return (struct then){ .pool = 0 };
}

/* All of it where the counters began anew. */
static void
add_since(struct ro_toll *to, struct ro_toll now, struct ro_toll then)
{
	if (now.requests < then.requests || now.bad < then.bad)
		then = (struct ro_toll){ 0 };
	to->requests += now.requests - then.requests;
	to->bad += now.bad - then.bad;
}

static void
add_took(struct hist *to, const struct pool *p)
{
	for (unsigned w = 0; w < p->n_workers; w++)
		hist_merge(to, &p->cells[w].latency);
}

/* Those of sessions that began since, and whose logins are over. */
static void
add_logins(const struct cfg_service *cfg, const struct ro_service *s,
    uint64_t wall_us, const struct pool *p, struct ro_logins *l)
{
	uint64_t from_s = (s->rollout.since_us + US_PER_S - 1) / US_PER_S;
	uint64_t within_us = cfg->logins.within_us;
	uint64_t until_s = (wall_us - MIN(wall_us, within_us)) / US_PER_S;

	for (unsigned w = 0; w < p->n_workers; w++)
		logins_count(&p->cells[w].logins, from_s, until_s,
		    logins_width_s(within_us), &l->begun, &l->done);
}

static void
begin(struct registry *reg, const struct ro_service *s, struct pace *pace)
{
	memset(pace, 0, sizeof(*pace));
	pace->rollout = s->rollout.id;
	pace->since_us = s->rollout.since_us;
	for (size_t i = 0; i < s->n_pools; i++) {
		const struct pool *p = registry_pool(reg, s->name,
		    s->pools[i].name);

		if (p == NULL)
			continue;
		note_then(pace, p);
		add_took(
		    is_new_one(s, p) ? &pace->own_then : &pace->others_then, p);
	}
}

static void
measure(struct registry *reg, const struct cfg_service *cfg,
    const struct ro_service *s, uint64_t wall_us, struct pace *pace)
{
	struct counted *c = &pace->here;

	memset(c, 0, sizeof(*c));
	if (cfg != NULL && cfg->logins.n_begin == 0)
		cfg = NULL; /* nobody says what one is */
	pace->counts_logins = cfg != NULL;
	for (size_t i = 0; i < s->n_pools; i++) {
		const struct pool *p = registry_pool(reg, s->name,
		    s->pools[i].name);
		struct then then;
		struct side *to;

		if (p == NULL)
			continue;
		then = then_of(pace, p);
		to = is_new_one(s, p) ? &c->own : &c->others;
		add_since(&to->toll, facts_toll(p), then.toll);
		add_took(&to->took, p);
		if (cfg != NULL)
			add_logins(cfg, s, wall_us, p, &to->logins);
		if (to == &c->own)
			add_since(&c->mirrored, mirrored(p), then.mirrored);
	}
	hist_less(&c->own.took, &pace->own_then);
	hist_less(&c->others.took, &pace->others_then);
}

static void
look_at(struct registry *reg, const struct cfg *cfg, const struct ro_service *s,
    uint64_t wall_us, struct pace **pp)
{
	if (!is_looked_at(&s->rollout)) {
		free(*pp);
		*pp = NULL;
		return;
	}
	if (*pp == NULL)
		*pp = calloc(1, sizeof(**pp));
	if (*pp == NULL)
		return; /* nothing is concluded from nought */
	if ((*pp)->rollout != s->rollout.id ||
	    (*pp)->since_us != s->rollout.since_us)
		begin(reg, s, *pp);
	measure(reg, cfg_service_find(cfg, str_of(s->name)), s, wall_us, *pp);
	(*pp)->all = (*pp)->here;
}

void
facts_pace(struct registry *reg, const struct cfg *cfg,
    const struct ro_state *s, uint64_t wall_us, struct pace **paces)
{
	for (size_t i = 0; i < s->n_services; i++)
		look_at(reg, cfg, &s->services[i], wall_us, &paces[i]);
}

/* ---- for other proxies ---- */

static void
put_side(struct json_out *j, const char *key, const struct side *s)
{
	json_key(j, key);
	json_begin_object(j);
	json_kv_u64(j, "requests", s->toll.requests);
	json_kv_u64(j, "bad", s->toll.bad);
	json_kv_u64(j, "begun", s->logins.begun);
	json_kv_u64(j, "done", s->logins.done);
	json_key(j, "took"); /* bucket, how many; those that have any */
	json_begin_array(j);
	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		if (stat_get(&s->took.count[i]) == 0)
			continue;
		json_u64(j, i);
		json_u64(j, stat_get(&s->took.count[i]));
	}
	json_end_array(j);
	json_end_object(j);
}

void
facts_pace_put(const struct ro_state *s, struct pace *const *paces,
    struct json_out *j)
{
	json_begin_array(j);
	for (size_t i = 0; i < s->n_services; i++) {
		const struct pace *p = paces[i];

		if (p == NULL)
			continue;
		json_begin_object(j);
		json_kv_cstr(j, "service", s->services[i].name);
		json_kv_u64(j, "rollout", p->rollout);
		json_kv_u64(j, "since_us", p->since_us);
		put_side(j, "own", &p->here.own);
		put_side(j, "others", &p->here.others);
		json_kv_u64(j, "mirrored", p->here.mirrored.requests);
		json_kv_u64(j, "mirrored_bad", p->here.mirrored.bad);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
add_side(const struct json *j, struct side *to)
{
	const struct json *took = json_get(j, "took");

	to->toll.requests += json_count(json_get(j, "requests"));
	to->toll.bad += json_count(json_get(j, "bad"));
	to->logins.begun += json_count(json_get(j, "begun"));
	to->logins.done += json_count(json_get(j, "done"));
	for (size_t i = 0; i + 1 < json_len(took); i += 2) {
		uint64_t at = json_count(json_at(took, i));

		if (at < HIST_BUCKETS)
			stat_add(&to->took.count[at],
			    json_count(json_at(took, i + 1)));
	}
}

/* The one that it is about, if that is at the same step. */
static struct pace *
find(const struct ro_state *s, struct pace **paces, const struct json *j)
{
	const char *name = json_get_text(j, "service", "");

	for (size_t i = 0; i < s->n_services; i++)
		if (paces[i] != NULL && strcmp(s->services[i].name, name) == 0)
			return (uint64_t)json_get_int(j, "rollout", -1) ==
			            paces[i]->rollout &&
			        (uint64_t)json_get_int(j, "since_us", -1) ==
			            paces[i]->since_us
			    ? paces[i]
			    : NULL;
	return NULL;
}

void
facts_pace_add(const struct ro_state *s, struct pace **paces,
    const struct json *all)
{
	for (size_t i = 0; i < json_len(all); i++) {
		const struct json *j = json_at(all, i);
		struct pace *p = find(s, paces, j);

		if (p == NULL)
			continue;
		add_side(json_get(j, "own"), &p->all.own);
		add_side(json_get(j, "others"), &p->all.others);
		p->all.mirrored.requests += json_count(json_get(j, "mirrored"));
		p->all.mirrored.bad += json_count(json_get(j, "mirrored_bad"));
	}
}

/* ---- what it comes to ---- */

static struct ro_pace
sum_of(const struct pace *p)
{
	const struct side *own = &p->all.own, *others = &p->all.others;

	return (struct ro_pace){ .own = own->toll,
		.others = others->toll,
		.mirrored = p->all.mirrored,
		.counts_logins = p->counts_logins,
		.own_logins = own->logins,
		.others_logins = others->logins,
		.own_n = hist_total(&own->took),
		.others_n = hist_total(&others->took),
		.own_us = hist_quantile(&own->took, RO_PACE_QUANTILE),
		.others_us = hist_quantile(&others->took, RO_PACE_QUANTILE) };
}

void
facts_pace_sum(const struct ro_state *s, struct pace *const *paces,
    struct ro_pace *rows)
{
	for (size_t i = 0; i < s->n_services; i++)
		rows[i] = paces[i] == NULL ? (struct ro_pace){ .own_n = 0 }
		                           : sum_of(paces[i]);
}
