#include "rollout/keys_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "config/config.h"
#include "net/loop.h"
#include "rollout/news.h"
#include "rollout/state.h"
#include "upstream/ask.h"
#include "upstream/registry.h"

#define LOOK_US US_PER_S /* at least so often */
#define MOMENT_US (10 * US_PER_MS)
#define AGAIN_US (60 * US_PER_S) /* so often it is looked what is too old */
#define KEPT_US (UINT64_C(86400) * US_PER_S)
/* Pools that share their keys change them at about the same time. */
#define LACKS_READS 2
#define SOURCES_MAX ((size_t)CFG_POOLS_MAX * CFG_JWKS_PATHS_MAX)
#define WHY_MAX 64

/* A pool at a path. */
struct source {
	const struct cfg_pool *pool;
	size_t path;
	struct json *set; /* owned; what it said last; NULL: nothing is known */
	uint64_t due_us;  /* monotonic; it is asked again then */
	uint64_t read_us; /* monotonic; 0: never */
	unsigned tries;   /* in vain, since it was read */
	unsigned lacking; /* reads in a row */
	char why[WHY_MAX]; /* empty: it was read */
};

struct watched {
	TAILQ_ENTRY(watched) link;
	struct keys_watch *watch;
	const struct cfg_service *cfg; /* inside the watch's */
	struct source sources[SOURCES_MAX];
	size_t n;
	uint64_t published_us; /* monotonic */
	bool differs;          /* pools do, or something was not read */
	struct ask *ask;       /* owned */
	/* of what is asked: */
	struct source *asked;
	struct cfg_probe how;
	struct addr addr;
	char *host; /* owned */
};

TAILQ_HEAD(watched_list, watched);

struct keys_watch {
	struct keys_watch_env env;
	struct cfg *cfg;     /* one ref; NULL: none yet */
	struct alarm *clock; /* owned */
	struct watched_list list;
};

static const char *
path_of(const struct watched *w, const struct source *s)
{
	return w->cfg->jwks.paths[s->path];
}

static struct pool *
pool_of(const struct watched *w, const struct source *s)
{
	return registry_pool(w->watch->env.registry, w->cfg->name,
	    s->pool->name);
}

/* One that is fit; after a try in vain another, if there is. */
static const struct instance *
instance_of(const struct watched *w, const struct source *s)
{
	struct registry *r = w->watch->env.registry;
	const struct pool *p = pool_of(w, s);
	const struct instance *i = NULL, *found = NULL;
	unsigned n = 0;

	while (p != NULL && (i = registry_instance_next(r, p, i)) != NULL)
		n += i->health == HEALTH_UP && inst_has_address(i);
	n = n == 0 ? 0 : s->tries % n + 1;
	while (n > 0 && (i = registry_instance_next(r, p, i)) != NULL) {
		if (i->health != HEALTH_UP || !inst_has_address(i))
			continue;
		found = i;
		n--;
	}
	return found;
}

/* ---- what all that is known comes to ---- */

/* Whose keys come first: who takes most of the new sessions. */
static uint32_t
rank_of(const struct watched *w, const struct source *s)
{
	const struct ro_service *svc = ro_service_find(w->watch->env.state,
	    w->cfg->name);

	for (size_t i = 0; svc != NULL && i < svc->n_pools; i++)
		if (strcmp(svc->pools[i].name, s->pool->name) == 0)
			return svc->pools[i].state == POOL_RETIRED
			    ? 0
			    : 1 + svc->pools[i].share_bp;
	return 0;
}

struct ranked {
	struct source *source;
	uint32_t rank;
};

static int
by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return (x->source > y->source) - (x->source < y->source);
}

/* All but those of retired pools, in order; what is too old is let go. */
static size_t
rank_all(struct watched *w, struct ranked out[SOURCES_MAX])
{
	uint64_t now = clock_mono_us();
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct source *s = &w->sources[i];
		uint32_t rank = rank_of(w, s);

		if (rank == 0 || now - s->read_us > KEPT_US)
			json_free(&s->set);
		if (rank > 0)
			out[n++] = (struct ranked){ s, rank };
	}
	qsort(out, n, sizeof(*out), by_rank);
	return n;
}

/* It is told once it is so for more than a moment, and when it is over. */
static void
note_lacks(struct watched *w, struct source *s, const struct jwks_said *said,
    bool just_read)
{
	bool was = s->lacking >= LACKS_READS;

	if (said->lacks == 0)
		s->lacking = 0;
	else if (just_read && !was)
		s->lacking++;
	if (was != (s->lacking >= LACKS_READS))
		news_keys(w->watch->env.feed, pool_of(w, s), path_of(w, s),
		    said->lacks, said->united);
}

static void
forget_pool(struct pool *p)
{
	p->jwks_keys = p->jwks_lacks = p->jwks_unread = p->jwks_unknown = 0;
	p->jwks_lacks_of = 0;
	p->jwks_read_us = 0;
	p->jwks_united = true;
}

static void
note_pool(struct pool *p, const struct source *s, const struct jwks_said *said)
{
	p->jwks_keys += said->keys;
	p->jwks_lacks += said->lacks;
	p->jwks_lacks_of |= said->lacks_of;
	p->jwks_united &= said->lacks == 0 || said->united;
	p->jwks_unread += s->why[0] != '\0' ||
	    (said->set == NULL && said->needed);
	p->jwks_read_us = MAX(p->jwks_read_us, s->read_us);
}

/* Sums over its paths. */
static void
note_pools(struct watched *w, const struct ranked *ranked,
    const struct jwks_said *said, size_t n)
{
	struct pool *p;

	w->differs = false;
	for (size_t i = 0; i < w->n; i++)
		if ((p = pool_of(w, &w->sources[i])) != NULL)
			forget_pool(p);
	for (size_t i = 0; i < w->n; i++)
		if ((p = pool_of(w, &w->sources[i])) != NULL)
			p->jwks_unknown += w->sources[i].set == NULL;
	for (size_t i = 0; i < n; i++) {
		p = pool_of(w, ranked[i].source);
		if (p == NULL)
			continue;
		note_pool(p, ranked[i].source, &said[i]);
		w->differs |= p->jwks_lacks + p->jwks_unread > 0;
	}
}

/* read: it has just been read, or NULL. */
static void
publish(struct watched *w, const struct source *read)
{
	struct service *svc = registry_service(w->watch->env.registry,
	    w->cfg->name);
	struct jwks_said said[SOURCES_MAX];
	struct ranked ranked[SOURCES_MAX];
	size_t n = rank_all(w, ranked);

	for (size_t i = 0; i < n; i++) {
		const struct pool *p = pool_of(w, ranked[i].source);

		said[i] = (struct jwks_said){
			.pool = p == NULL ? 0 : p->name_hash,
			.at = (unsigned)(ranked[i].source->pool -
			    w->cfg->pools),
			.path = ranked[i].source->path,
			.set = ranked[i].source->set,
			.needed = ranked[i].rank > 1 &&
			    instance_of(w, ranked[i].source) != NULL,
		};
	}
	w->published_us = clock_mono_us();
	if (svc == NULL ||
	    jwks_take(&svc->jwks, said, n, &w->cfg->jwks, w->published_us) !=
	        E_OK)
		return;
	note_pools(w, ranked, said, n);
	for (size_t i = 0; i < n; i++)
		if (said[i].set != NULL)
			note_lacks(w, ranked[i].source, &said[i],
			    ranked[i].source == read);
}

/* ---- what one says ---- */

/* Why not; NULL: it was taken.  True in *changed: it says something else. */
static const char *
take_set(struct source *s, const struct ask *a, bool *changed)
{
	struct str said = ask_said(a);
	char none[1]; /* what it says is nothing for a log */
	const char *why = NULL;
	struct json *set = said.len >= ASK_BODY_MAX
	    ? NULL
	    : json_read(said, none, sizeof(none));

	if (set == NULL)
		return said.len >= ASK_BODY_MAX ? "more than 64 KiB"
		                                : "it is no JSON";
	if (!jwks_is_set(set, &why)) {
		json_free(&set);
		return why;
	}
	*changed = !json_same(set, s->set);
	json_free(&s->set);
	s->set = set;
	s->read_us = clock_mono_us();
	return NULL;
}

/* .why; true: there is something new. */
static bool
judge(struct watched *w, struct source *s, enum health_reason reason)
{
	const char *why = NULL;
	bool changed = false;
	unsigned status = ask_status(w->ask);

	s->why[0] = '\0';
	if (reason != HEALTH_WHY_PASSED)
		why = health_reason_text(reason);
	else if (status != 200)
		(void)snprintf(s->why, sizeof(s->why), "status %u", status);
	else
		why = take_set(s, w->ask, &changed);
	if (why != NULL)
		(void)snprintf(s->why, sizeof(s->why), "%s", why);
	s->tries = s->why[0] == '\0' ? 0 : s->tries + 1;
	return changed;
}

/* Why it cannot be read is told when it is another reason. */
static void
tell_read(const struct watched *w, const struct source *s, const char *was)
{
	if (strcmp(s->why, was) == 0)
		return;
	if (s->why[0] == '\0')
		log_info("event=jwks_read service=%s pool=%s path=\"%s\"",
		    w->cfg->name, s->pool->name, path_of(w, s));
	else
		log_warn("event=jwks_unread service=%s pool=%s path=\"%s\" "
		         "why=\"%s\"",
		    w->cfg->name, s->pool->name, path_of(w, s), s->why);
}

static bool
wants(unsigned status, void *arg UNUSED)
{
	return status == 200;
}

static void
ended(enum health_reason why, void *arg)
{
	struct watched *w = arg;
	struct source *s = w->asked;
	char was[WHY_MAX];
	bool changed;

	memcpy(was, s->why, sizeof(was));
	changed = judge(w, s, why);
	tell_read(w, s, was);
	if (changed || w->differs || strcmp(was, s->why) != 0)
		publish(w, s->why[0] == '\0' ? s : NULL);
	alarm_set(w->watch->clock, MOMENT_US); /* for the next of them */
}

static const struct ask_user asks = { wants, ended };

/* ---- asking ---- */

/* Varied, so that services do not fall in step. */
static uint64_t
next_due(const struct watched *w)
{
	uint64_t us = w->cfg->jwks.interval_us;

	return clock_mono_us() + us - us / 10 +
	    random_below((uint32_t)(us / 5) + 1);
}

/* Its instances are asked as users' requests are, by the name of the probe. */
static void
begin(struct watched *w, struct source *s, const struct instance *i)
{
	const struct cfg_pool *p = s->pool;
	char *host = strdup(i->host);

	if (host == NULL)
		return;
	free(w->host);
	w->host = host;
	w->addr = i->addr;
	w->asked = s;
	w->how = p->probe;
	w->how.type = CFG_PROBE_HTTP;
	w->how.port = 0;
	w->how.path = w->cfg->jwks.paths[s->path];
	if (w->cfg->jwks.host != NULL)
		w->how.host = w->cfg->jwks.host;
	w->how.send_proxy = p->send_proxy;
	w->how.protocol = p->protocol;
	w->how.tls = p->tls.on;
	w->how.client = p->tls.on ? p->tls.client : NULL;
	s->due_us = next_due(w);
	ask_begin(w->ask, &(struct ask_what){ &w->how, &w->addr, w->host });
}

/* The one that waits for it longest; those that nobody can answer for wait. */
static void
look_at(struct watched *w)
{
	const struct instance *i;
	struct source *next = NULL;
	uint64_t now = clock_mono_us();

	if (ask_is_under_way(w->ask))
		return;
	if (now - w->published_us > AGAIN_US)
		publish(w, NULL);
	for (size_t k = 0; k < w->n; k++) {
		struct source *s = &w->sources[k];

		if (s->due_us <= now &&
		    (next == NULL || s->due_us < next->due_us))
			next = s;
	}
	if (next == NULL)
		return;
	i = rank_of(w, next) == 0 ? NULL : instance_of(w, next);
	if (i != NULL)
		begin(w, next, i);
	else
		next->due_us = now + MIN(LOOK_US, w->cfg->jwks.interval_us);
}

static void
on_clock(void *arg)
{
	struct keys_watch *k = arg;
	uint64_t least_us = LOOK_US;
	struct watched *w;

	TAILQ_FOREACH (w, &k->list, link) {
		look_at(w);
		least_us = MIN(least_us, w->cfg->jwks.interval_us);
	}
	alarm_set(k->clock, least_us);
}

/* ---- life ---- */

static void
watched_free(struct watched *w)
{
	ask_free(&w->ask);
	for (size_t i = 0; i < w->n; i++)
		json_free(&w->sources[i].set);
	free(w->host);
	free(w);
}

static struct watched *
watched_new(struct keys_watch *k, const struct cfg_service *cfg)
{
	struct watched *w = calloc(1, sizeof(*w));

	if (w == NULL || ask_new(k->env.loop, &asks, w, &w->ask) != E_OK) {
		free(w);
		return NULL;
	}
	w->watch = k;
	w->cfg = cfg;
	for (size_t i = 0; i < cfg->n_pools; i++)
		for (size_t p = 0; p < cfg->jwks.n_paths; p++)
			w->sources[w->n++] = (struct source){
				.pool = &cfg->pools[i],
				.path = p,
			};
	return w;
}

static struct watched *
find(const struct watched_list *list, const char *service)
{
	struct watched *w;

	TAILQ_FOREACH (w, list, link)
		if (strcmp(w->cfg->name, service) == 0)
			return w;
	return NULL;
}

/* What was read stays, and when it was asked for. */
static void
inherit(struct watched *w, struct watched *old)
{
	for (size_t i = 0; i < w->n; i++) {
		struct source *s = &w->sources[i];

		for (size_t k = 0; k < old->n; k++) {
			struct source *o = &old->sources[k];
			const struct cfg_pool *pool = s->pool;
			size_t path = s->path;

			if (strcmp(o->pool->name, pool->name) != 0 ||
			    strcmp(path_of(old, o), path_of(w, s)) != 0)
				continue;
			*s = *o;
			s->pool = pool;
			s->path = path;
			s->due_us = old->asked == o &&
			        ask_is_under_way(old->ask)
			    ? 0
			    : MIN(o->due_us, next_due(w));
			o->set = NULL;
		}
	}
}

/* Nobody reads them any more. */
static void
forget(struct keys_watch *k, const struct watched *old)
{
	struct service *svc = registry_service(k->env.registry, old->cfg->name);

	if (svc != NULL)
		jwks_forget(&svc->jwks);
	for (size_t i = 0; i < old->n; i++) {
		struct pool *p = pool_of(old, &old->sources[i]);

		if (p != NULL)
			forget_pool(p);
	}
}

static void
end_all(struct keys_watch *k, struct watched_list *list)
{
	struct watched *w;

	while ((w = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, w, link);
		if (find(&k->list, w->cfg->name) == NULL)
			forget(k, w);
		watched_free(w);
	}
}

void
keys_watch_use(struct keys_watch *k, struct cfg *cfg)
{
	struct watched_list old = TAILQ_HEAD_INITIALIZER(old);
	struct cfg *was = k->cfg;
	struct watched *w, *before;

	TAILQ_CONCAT(&old, &k->list, link);
	k->cfg = cfg_ref(cfg);
	for (size_t i = 0; i < cfg->n_services; i++) {
		const struct cfg_service *s = &cfg->services[i];

		w = s->jwks.n_paths == 0 ? NULL : watched_new(k, s);
		if (w == NULL)
			continue;
		before = find(&old, s->name);
		if (before != NULL)
			inherit(w, before);
		TAILQ_INSERT_TAIL(&k->list, w, link);
		publish(w, NULL);
	}
	end_all(k, &old);
	cfg_unref(&was);
	if (TAILQ_EMPTY(&k->list))
		alarm_clear(k->clock);
	else
		alarm_set(k->clock, MOMENT_US);
}

int
keys_watch_new(const struct keys_watch_env *env, struct keys_watch **out)
{
	struct keys_watch *k = calloc(1, sizeof(*k));

	*out = NULL;
	if (k == NULL)
		return E_NOMEM;
	k->env = *env;
	TAILQ_INIT(&k->list);
	k->clock = alarm_new(env->loop, on_clock, k);
	if (k->clock == NULL) {
		free(k);
		return E_NOMEM;
	}
	*out = k;
	return E_OK;
}

void
keys_watch_free(struct keys_watch **kp)
{
	struct keys_watch *k = *kp;
	struct watched *w;

	if (k == NULL)
		return;
	while ((w = TAILQ_FIRST(&k->list)) != NULL) {
		TAILQ_REMOVE(&k->list, w, link);
		watched_free(w);
	}
	alarm_free(&k->clock);
	cfg_unref(&k->cfg);
	free(k);
	*kp = NULL;
}
