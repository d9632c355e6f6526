#include "rollout/drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "net/loop.h"
#include "rollout/cluster.h"
#include "rollout/disk.h"
#include "rollout/drive_int.h"
#include "rollout/ejecting.h"
#include "rollout/facts.h"
#include "rollout/keys_watch.h"
#include "rollout/news.h"
#include "rollout/running.h"
#include "rollout/tally.h"
#include "rollout/waiters.h"
#include "upstream/eject.h"
#include "upstream/names.h"
#include "upstream/warmth.h"

#define LOOK_US (US_PER_S) /* at least so often */
/* So many steps a look takes at most: no pool has more to go at once. */
#define STEPS_MAX 4
/* More than that the wall clock was set, or the system slept. */
#define WALL_STEP_US ((int64_t)US_PER_S)

static void on_look(struct defer *);

/* ---- facts ---- */

/* at: the address of a pointer to elements of that size. */
static bool
grow(void *at, size_t n, size_t size)
{
	void *p;

	memcpy(&p, at, sizeof(p));
	p = realloc(p, n * size);
	if (p == NULL)
		return false;
	memcpy(at, &p, sizeof(p));
	return true;
}

int
drive_make_room(struct drive *d, size_t n_services)
{
	size_t n = n_services + 1;
	bool has_rows = grow(&d->rows, n * CFG_POOLS_MAX, sizeof(*d->rows));

	d->facts.pools = d->rows; /* they may have moved, whatever comes */
	if (!has_rows || !grow(&d->own, n * CFG_POOLS_MAX, sizeof(*d->own)) ||
	    !grow(&d->plans, n, sizeof(*d->plans)) ||
	    !grow(&d->runs, n, sizeof(*d->runs)) ||
	    !grow(&d->counts, n, sizeof(*d->counts)) ||
	    !grow(&d->rolls, n, sizeof(*d->rolls)) ||
	    !grow(&d->rates, n, sizeof(*d->rates)) ||
	    !grow(&d->pace, n, sizeof(*d->pace)) ||
	    !grow(&d->paces, n, sizeof(*d->paces)) ||
	    !grow(&d->meters, n, sizeof(*d->meters)))
		return E_NOMEM;
	/* Others may be at these places now. */
	memset(d->rows, 0, n * CFG_POOLS_MAX * sizeof(*d->rows));
	for (; d->n_paces < n; d->n_paces++) { /* they know of whom they are */
		d->paces[d->n_paces] = NULL;
		d->meters[d->n_paces] = (struct rate){ .n = 0 };
	}
	return E_OK;
}

/* Does every worker route by the present state? */
static bool
is_adopted_here(const struct drive *d)
{
	return !d->unpublished && views_adopted(d->env.views, d->state_view);
}

/* ... and every worker of the others? */
static bool
is_adopted(const struct drive *d)
{
	return is_adopted_here(d) &&
	    (d->cluster == NULL || cluster_all_adopted(d->cluster));
}

static void
gather_rates(struct drive *d)
{
	for (size_t i = 0; i < d->state.n_services; i++) {
		facts_rate(&d->meters[i], d->state.services[i].name,
		    d->counts[i].accepted, clock_mono_us());
		d->rates[i] = facts_rate_of(&d->meters[i]);
	}
	d->facts.rates = d->rates;
}

const struct ro_facts *
drive_facts(struct drive *d)
{
	struct facts_now now = { .view_current = is_adopted(d),
		.wall_us = clock_wall_us(),
		.started_us = d->started_us };

	d->facts.wall_us = now.wall_us;
	facts_gather(d->env.registry, d->cfg, &d->state, &now, d->rows,
	    &d->hold_due_us);
	drive_add_others(d);
	running_facts(d->running, &d->state, d->runs);
	d->facts.runs = d->runs;
	facts_count(d->env.registry, &d->state, d->began_us, d->counts);
	d->facts.counts = d->counts;
	gather_rates(d);
	facts_parts(&d->parts, &d->state, d->counts, d->rates, now.wall_us,
	    d->heard && !d->late);
	d->heard = d->late = false;
	drive_add_parts(d);
	facts_parts_sum(&d->parts, &d->state, d->counts, d->rates);
	facts_roll(d->env.registry, &d->state, now.wall_us, d->rolls);
	d->facts.rolls = d->rolls;
	facts_pace(d->env.registry, d->cfg, &d->state, now.wall_us, d->paces);
	drive_add_paces(d);
	facts_pace_sum(&d->state, d->paces, d->pace);
	d->facts.paces = d->pace;
	d->facts.minute = facts_minute(now.wall_us);
	return &d->facts;
}

/* ---- workers ---- */

/* A pool begins to take sessions: cold, unless it did when we began. */
static void
note_share(struct drive *d, struct pool *p, bool shares)
{
	struct instance *i = NULL;

	if (shares && !p->shares && views_newest(d->env.views) != NULL)
		while ((i = registry_instance_next(d->env.registry, p, i)) !=
		    NULL)
			warmth_begin(i, clock_mono_us());
	p->shares = shares;
}

static void
plan_service(struct drive *d, size_t at, uint64_t wall_us)
{
	const struct ro_service *s = &d->state.services[at];

	machine_plan(s, wall_us, &d->plans[at]);
	for (size_t i = 0; i < s->n_pools; i++) {
		struct pool *p = registry_pool(d->env.registry, s->name,
		    s->pools[i].name);

		if (p == NULL)
			continue;
		note_share(d, p, s->pools[i].share_bp > 0);
		p->drains = s->pools[i].state == POOL_DRAINING;
		p->leaving = p->drains && s->pools[i].drain.closed_us != 0;
	}
}

bool
drive_publish(struct drive *d)
{
	uint64_t wall_us;
	struct view *v;

	drive_follow_wall_clock(d);
	wall_us = clock_wall_us();
	for (size_t i = 0; i < d->state.n_services; i++)
		plan_service(d, i, wall_us);
	v = registry_view(d->env.registry, d->cfg, d->keyring, d->plans,
	    d->state.n_services);
	d->stale = v == NULL;
	if (v == NULL) {
		log_error("event=view_failed why=\"%s\"", err_text(E_NOMEM));
		return false;
	}
	d->newest_view = views_publish(d->env.views, v);
	if (d->unpublished)
		d->state_view = d->newest_view;
	d->unpublished = false;
	d->env.nudge(d->env.arg);
	return true;
}

/* The clocks of a drain cut without a change of state. */
static bool
cuts_differ(const struct drive *d)
{
	const struct view *v = views_newest(d->env.views);
	uint64_t wall_us = clock_wall_us();

	for (size_t i = 0; i < d->state.n_services; i++) {
		struct service_plan plan;

		machine_plan(&d->state.services[i], wall_us, &plan);
		for (size_t p = 0; p < plan.n_pools; p++)
			if (v->services[i].pools[p].cut != plan.pools[p].cut)
				return true;
	}
	return false;
}

static void
tell_ejected(struct instance *i, void *arg)
{
	const struct drive *d = arg;

	news_eject(d->env.feed, i);
}

/* Who comes up is cold, and has nothing to rest from. */
static void
note_health(struct drive *d, struct instance *i, enum health from)
{
	if (i->health == HEALTH_UP && (from == HEALTH_DOWN || i->late))
		warmth_begin(i, clock_mono_us());
	news_health(d->env.feed, i, from);
	if (i->health == HEALTH_UP)
		eject_end(i, clock_mono_us(), tell_ejected, d);
}

static void
on_edge(struct instance *i, enum health from, void *arg)
{
	struct drive *d = arg;

	probing_note(&d->probing, i);
	if (registry_is_candidate(i)) {
		if (i->health != HEALTH_UP)
			return;
		registry_promote(d->env.registry, i);
		warmth_begin(i, clock_mono_us());
		news_address(d->env.feed, i);
	} else {
		note_health(d, i, from);
		if (i->health == HEALTH_DOWN && d->cfg->resolve_interval_us > 0)
			registry_ask_name(i);
	}
	d->stale = true;
	drive_poke(d);
}

void
drive_fit_probes(struct drive *d, bool renew)
{
	int rc = probing_fit(&d->probing, d->cfg, renew);

	d->probes_missing = rc != E_OK;
	if (rc != E_OK)
		log_error("event=probes_missing why=\"%s\"", err_text(rc));
}

/* ---- disk, then memory, then workers ---- */

void
drive_take_over(struct drive *d, bool reroutes)
{
	struct ro_state was = d->state;

	d->state = d->next;
	d->next = was;
	d->unpublished |= reroutes;
	if (was.n_instances != d->state.n_instances ||
	    memcmp(was.instances, d->state.instances,
	        was.n_instances * sizeof(*was.instances)) != 0)
		registry_set_admin(d->env.registry, d->state.instances,
		    d->state.n_instances);
	news_changes(d->env.feed, &was, &d->state);
}

/* What time and the world moved; false when nothing, or not yet. */
static bool
step(struct drive *d)
{
	uint64_t due = 0;
	enum ro_changed c;

	if (ro_state_copy(&d->next, &d->state) != E_OK)
		return false;
	c = machine_clock(&d->next, drive_facts(d), &due);
	if (due == 0 || (d->hold_due_us != 0 && d->hold_due_us < due))
		due = d->hold_due_us;
	d->due_us = due;
	if (c == RO_HARD && !drive_leads(d))
		d->due_us = 0; /* that is for who leads */
	else if (c == RO_HARD && !drive_rests(d))
		drive_send(d, &d->clocks);
	if (c == RO_SAME || c == RO_HARD)
		return false;
	drive_take_over(d, c != RO_TOLD);
	return true;
}

static bool
adopt_clocks(struct drive *d, struct change *c UNUSED)
{
	drive_take_over(d, true);
	return true;
}

/* Refused by the disk: it is decided again with a later look. */
static void
end_clocks(struct drive *d UNUSED, struct change *c)
{
	c->refusal = RO_NO_NONE;
	c->agreed = false;
}

static const struct change_kind clocks_kind = { .adopt = adopt_clocks,
	.end = end_clocks };

void
drive_follow_wall_clock(struct drive *d)
{
	uint64_t off_us = clock_wall_us() - clock_mono_us();
	int64_t by_us = (int64_t)(off_us - d->wall_off_us);

	if (by_us > -WALL_STEP_US && by_us < WALL_STEP_US)
		return;
	log_warn("event=wall_clock_set by_s=%.3f", (double)by_us / 1e6);
	d->wall_off_us = off_us;
	ro_state_shift(&d->state, by_us);
	ro_state_shift(&d->next, by_us);
	d->restamped = true;
}

static void
arm_clock(struct drive *d)
{
	uint64_t now = clock_wall_us(), in = LOOK_US;
	uint64_t mono = clock_mono_us();

	if (d->run_due_us != 0)
		in = d->run_due_us > mono ? d->run_due_us - mono : 0;
	/* While something is being written nothing else is decided. */
	if (d->due_us != 0 && !drive_is_busy(d))
		in = MIN(in, d->due_us > now ? d->due_us - now : 0);
	alarm_set(d->clock, MIN(in, LOOK_US));
}

/* What names resolve to may have changed. */
static void
follow_names(struct drive *d)
{
	names_tick(d->names, d->cfg->resolve_interval_us);
	if (!registry_follow(d->env.registry, d->cfg->resolve_hold_us))
		return;
	drive_fit_probes(d, false);
	d->stale = true;
}

static void
on_names(void *arg)
{
	drive_poke(arg);
}

static void
on_look(struct defer *f)
{
	struct drive *d = CONTAINER_OF(f, struct drive, look);
	struct waiters_news news = { .drive = d, .state = &d->state };

	if (d->ending)
		return;
	drive_follow_wall_clock(d);
	drive_settle_disk(d);
	follow_names(d);
	if (d->probes_missing)
		drive_fit_probes(d, false);
	for (int i = 0; i < STEPS_MAX && !drive_is_busy(d) && step(d); i++)
		;
	drive_next_change(d);
	drive_agree(d);
	if (d->unpublished || d->stale || cuts_differ(d))
		(void)drive_publish(d);
	(void)views_collect(d->env.views);
	registry_collect(d->env.registry,
	    !d->stale && views_adopted(d->env.views, d->newest_view));
	/* What is in memory is on disk: a run is asked for after it began. */
	d->run_due_us = drive_look_at_runs(d);
	if (d->cluster != NULL && is_adopted_here(d))
		cluster_adopted(d->cluster);
	news.adopted = is_adopted(d);
	waiters_look(d->waiters, &news);
	arm_clock(d);
}

void
drive_poke(struct drive *d)
{
	ON_CONTROL_THREAD();
	loop_defer(d->env.loop, &d->look, on_look);
}

static void
on_clock(void *arg)
{
	struct drive *d = arg;

	probing_note_all(&d->probing);
	drive_poke(d);
}

void
drive_connect_failed(struct drive *d, struct instance *i)
{
	probing_hurry(&d->probing, i);
}

void
drive_exchange_failed(struct drive *d)
{
	ejecting_hurry(d->ejecting);
}

void
drive_hear_run(struct drive *d, const char *text)
{
	ON_CONTROL_THREAD();
	if (running_hear(d->running, text))
		drive_poke(d);
}

const struct run_news *
drive_run(const struct drive *d, const struct ro_service *s)
{
	return running_news(d->running, s);
}

static void
on_ejecting(void *arg)
{
	struct drive *d = arg;

	d->stale = true;
	drive_poke(d);
}

/* ---- life ---- */

static int
save_fitted(struct drive *d, uint64_t wall_us, char *why, size_t cap)
{
	int rc;

	d->state.generation++;
	d->state.changed_us = wall_us;
	memcpy(d->state.changed_by, "configuration", sizeof("configuration"));
	/* Nobody is served yet whom a slow disk could hold up. */
	rc = ro_state_save(d->path, &d->state);
	if (rc != E_OK)
		(void)snprintf(why, cap,
		    "%s: the state cannot be written: %s.  state_dir must be "
		    "a directory that segued may write to, with room on its "
		    "disk",
		    d->path, err_text(rc));
	return rc;
}

static int
load_state(struct drive *d, char *why, size_t cap)
{
	int rc = ro_state_load(d->path, &d->state, why, cap);
	uint64_t wall_us = clock_wall_us();
	bool changed = false;

	if (rc != E_OK && rc != E_NOENT)
		return rc;
	if (rc == E_OK) /* others have served before us */
		d->started_us = clock_mono_us();
	(void)snprintf(why, cap, "%s", err_text(E_NOMEM));
	rc = ro_state_reconcile(&d->state, d->cfg, wall_us, &changed);
	/* A master that began with us has run nothing. */
	if (!d->env.same_master)
		changed |= ro_state_lose_runs(&d->state, wall_us);
	if (rc == E_OK && changed)
		rc = save_fitted(d, wall_us, why, cap);
	ro_state_wake(&d->state, wall_us);
	return rc;
}

static int
begin(struct drive *d, char *why, size_t cap)
{
	int rc = load_state(d, why, cap);

	if (rc == E_OK)
		rc = registry_apply(d->env.registry, d->cfg, d->state.instances,
		    d->state.n_instances, why, cap);
	if (rc != E_OK)
		return rc;
	(void)snprintf(why, cap, "%s", err_text(E_NOMEM));
	rc = disk_new(d->env.loop, d->path, RO_STATE_BYTES_MAX,
	    drive_on_written, d, &d->disk);
	if (rc == E_OK)
		rc = drive_make_room(d, d->state.n_services);
	if (rc == E_OK)
		rc = probing_fit(&d->probing, d->cfg, true);
	if (rc != E_OK)
		return rc;
	d->unpublished = true;
	ejecting_use(d->ejecting, d->cfg);
	keys_watch_use(d->keys, d->cfg);
	return drive_publish(d) ? E_OK : E_NOMEM;
}

static bool
make(struct drive *d)
{
	struct tally_env tally = { .loop = d->env.loop,
		.registry = d->env.registry,
		.state = &d->state };
	struct keys_watch_env keys = { .loop = d->env.loop,
		.registry = d->env.registry,
		.feed = d->env.feed,
		.state = &d->state };

	d->clock = alarm_new(d->env.loop, on_clock, d);
	d->waiters = waiters_new(d->env.loop);
	if (tally_new(&tally, &d->tally) != E_OK ||
	    keys_watch_new(&keys, &d->keys) != E_OK)
		return false;
	d->running = running_new(d->env.tell, d->env.arg);
	if (asprintf(&d->path, "%s/" RO_STATE_FILE, d->cfg->state_dir) == -1)
		d->path = NULL;
	if (names_new(d->env.loop, addr_look_up, on_names, d, &d->names) !=
	    E_OK)
		return false;
	registry_use(d->env.registry, d->names, d->env.board, d->env.again);
	return d->clock != NULL && d->waiters != NULL && d->running != NULL &&
	    d->path != NULL && ro_state_new(&d->state) == E_OK &&
	    ro_state_new(&d->next) == E_OK &&
	    ejecting_new(d->env.loop, d->env.registry, d->env.feed, on_ejecting,
	        d, &d->ejecting) == E_OK;
}

int
drive_new(const struct drive_env *env, struct drive **out, char *why,
    size_t cap)
{
	struct drive *d = calloc(1, sizeof(*d));
	int rc = E_NOMEM;

	ON_CONTROL_THREAD();
	*out = NULL;
	(void)snprintf(why, cap, "%s", err_text(E_NOMEM));
	if (d == NULL)
		return E_NOMEM;
	d->env = *env;
	d->cfg = cfg_ref(env->cfg);
	d->keyring = env->keyring;
	d->clocks.kind = &clocks_kind;
	d->wall_off_us = clock_wall_us() - clock_mono_us();
	d->began_us = clock_wall_us();
	STAILQ_INIT(&d->waiting);
	facts_parts_init(&d->parts);
	d->probing = (struct probing){ .loop = env->loop,
		.registry = env->registry,
		.board = env->board,
		.edge = on_edge,
		.arg = d };
	if (make(d))
		rc = begin(d, why, cap);
	if (rc != E_OK) {
		drive_free(&d);
		return rc;
	}
	why[0] = '\0';
	drive_poke(d);
	*out = d;
	return E_OK;
}

void
drive_free(struct drive **dp)
{
	struct drive *d = *dp;

	if (d == NULL)
		return;
	d->ending = true; /* a look may be waiting for the turn's end */
	disk_free(&d->disk);
	tally_free(&d->tally);
	keys_watch_free(&d->keys);
	cluster_free(&d->cluster);
	if (d->agreeing != NULL) {
		(void)change_refuse(d->agreeing, RO_NO_STOPPING,
		    "segued is stopping; nothing was changed");
		d->agreeing->kind->end(d, d->agreeing);
	}
	drive_end_changes(d);
	waiters_free(&d->waiters);
	probing_stop(&d->probing);
	alarm_free(&d->clock);
	ejecting_free(&d->ejecting);
	running_free(&d->running);
	loop_run_deferred(d->env.loop);
	registry_forget_names(d->env.registry);
	names_free(&d->names);
	ro_state_free(&d->state);
	ro_state_free(&d->next);
	free(d->path);
	free(d->rows);
	free(d->plans);
	free(d->runs);
	free(d->counts);
	free(d->rolls);
	free(d->rates);
	free(d->meters);
	for (size_t i = 0; i < d->n_paces; i++)
		free(d->paces[i]);
	free(d->paces);
	facts_parts_free(&d->parts);
	free(d->pace);
	free(d->own);
	cfg_unref(&d->joined_cfg);
	cfg_unref(&d->cfg);
	free(d);
	*dp = NULL;
}

/* ---- reading ---- */

const struct ro_state *
drive_state(const struct drive *d)
{
	return &d->state;
}

bool
drive_is_saved(const struct drive *d)
{
	return !d->disk_in_doubt;
}

bool
drive_reload_is_ok(const struct drive *d)
{
	return !d->reload_refused;
}

struct cfg *
drive_cfg(const struct drive *d)
{
	return d->cfg;
}

struct keyring *
drive_keyring(const struct drive *d)
{
	return d->keyring;
}

struct registry *
drive_registry(const struct drive *d)
{
	return d->env.registry;
}
