/*
 * /v1/sessions: single sessions, as this proxy has seen them.
 */
#include "upstream/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "admin/admin_int.h"
#include "admin/answer.h"
#include "admin/server.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "config/config.h"
#include "http/target.h"
#include "rollout/drive.h"
#include "upstream/registry.h"

#define LAST_DEFAULT 20
#define LAST_MAX 1000

/* What is asked for. */
struct wish {
	struct ro_command target; /* service and pool */
	uint64_t session;         /* 0: those seen last */
	uint64_t last;            /* so many */
};

/* Those seen last, of one pool or all: twice as many as are asked for. */
struct harvest {
	uint64_t pool; /* 0: any */
	size_t n, most;
	bool full;
	struct session of[2 * LAST_MAX];
};

/* Names and times as people have them. */
struct telling {
	struct json_out j;
	const struct ro_service *s;
	struct registry *registry;
	uint64_t mono_us, wall_us;
};

/* ---- which ---- */

static bool
read_param(struct ask *k, struct str name, struct str value, struct wish *w)
{
	struct str shown = str_sub(value, 0, 40);

	if (str_eq(name, STR("pool")))
		str_copy(value, w->target.pool, sizeof(w->target.pool));
	if (str_eq(name, STR("session")) &&
	    (!str_hex64(value, &w->session) || w->session == 0)) {
		answer_error(k, ANSWER_BAD_VALUE,
		    "\"" STR_FMT "\" is no key of a session; one such as "
		    "8c1f00d2a94be673 is expected, as \"segue sessions list\" "
		    "and the access log have them",
		    STR_ARG(shown));
		return false;
	}
	if (str_eq(name, STR("last")) &&
	    (!str_u64(value, &w->last) || w->last == 0 || w->last > LAST_MAX)) {
		answer_error(k, ANSWER_BAD_VALUE,
		    "last: \"" STR_FMT "\" is not in 1..%d", STR_ARG(shown),
		    LAST_MAX);
		return false;
	}
	return true;
}

static bool
read_wish(struct ask *k, struct wish *w)
{
	struct str rest = ask_query(k), name, value;

	*w = (struct wish){ .target = { .verb = RO_SESSIONS },
		.last = LAST_DEFAULT };
	if (!ask_target(k, &w->target))
		return false;
	while (target_param_next(&rest, &name, &value))
		if (!read_param(k, name, value, w))
			return false;
	return true;
}

static int
later_first(const void *pa, const void *pb)
{
	const struct session *a = pa, *b = pb;

	if (a->seen_s != b->seen_s)
		return a->seen_s < b->seen_s ? 1 : -1;
	return (a->id > b->id) - (a->id < b->id);
}

static void
keep_last(struct harvest *h)
{
	qsort(h->of, h->n, sizeof(h->of[0]), later_first);
	h->n = MIN(h->n, h->most);
}

static void
reap(const struct session *one, void *arg)
{
	struct harvest *h = arg;

	if (h->pool != 0 && one->pool != h->pool)
		return;
	/* Once it was full: later than the last that is kept. */
	if (h->full && one->seen_s <= h->of[h->most - 1].seen_s)
		return;
	if (h->n == 2 * h->most) {
		keep_last(h);
		h->full = true;
	}
	h->of[h->n++] = *one;
}

/* ---- telling ---- */

static const char *
name_of(const struct telling *t, uint64_t pool)
{
	for (size_t i = 0; i < t->s->n_pools; i++) {
		const struct pool *p = registry_pool(t->registry, t->s->name,
		    t->s->pools[i].name);

		if (p != NULL && p->name_hash == pool)
			return p->name;
	}
	return "-";
}

static void
put_when(struct telling *t, const char *key, uint32_t mono_s)
{
	json_kv_time(&t->j, key,
	    t->wall_us + (uint64_t)mono_s * US_PER_S - t->mono_us);
}

/* What is ordered for it alone, or for all of its pool. */
static void
put_order(struct telling *t, const struct session *one)
{
	const char *how = NULL, *to = NULL, *pool = name_of(t, one->pool);
	uint32_t of_pool = 0;

	for (size_t i = 0; i < t->s->n_pools; i++) {
		const struct ro_pool *p = &t->s->pools[i];

		if (strcmp(p->name, pool) != 0 ||
		    one->epoch >= MAX(p->move_epoch, p->min_epoch))
			continue;
		of_pool = MAX(p->move_epoch, p->min_epoch);
		how = one->epoch < p->min_epoch ? "evict" : "move";
		to = p->pins_to[0] == '\0' ? NULL : p->pins_to;
	}
	for (size_t i = 0; i < t->s->n_orders; i++) {
		const struct ro_order *o = &t->s->orders[i];

		if (o->session != one->id || one->epoch >= o->epoch ||
		    o->epoch < of_pool)
			continue;
		how = o->how == PINS_EVICT ? "evict" : "move";
		to = o->to == 0 ? NULL : t->s->pools[o->to - 1].name;
	}
	json_kv_cstr(&t->j, "order", how);
	json_kv_cstr(&t->j, "to", to);
}

static void
put_session(struct telling *t, const struct session *one)
{
	char key[STR_HEX64_MAX];

	json_begin_object(&t->j);
	json_kv_cstr(&t->j, "key", str_put_hex64(one->id, key));
	json_kv_cstr(&t->j, "pool", name_of(t, one->pool));
	put_when(t, "first_seen", one->first_s);
	put_when(t, "last_seen", one->seen_s);
	put_when(t, "ends", one->ends_s);
	put_order(t, one);
	json_end_object(&t->j);
}

static void
answer(struct admin *a, struct ask *k, const struct ro_service *s,
    const struct sessions *all, const struct harvest *h)
{
	struct telling t = { .s = s,
		.registry = drive_registry(a->env.drive),
		.mono_us = clock_mono_us(),
		.wall_us = clock_wall_us() };
	struct buf b = BUF_INIT;

	json_begin(&t.j, &b);
	json_begin_object(&t.j);
	json_kv_cstr(&t.j, "service", s->name);
	json_kv_time(&t.j, "now", t.wall_us);
	json_kv_u64(&t.j, "n", atomic_load(&all->n));
	json_kv_u64(&t.j, "lost", atomic_load(&all->lost));
	json_key(&t.j, "sessions");
	json_begin_array(&t.j);
	for (size_t i = 0; i < h->n; i++)
		put_session(&t, &h->of[i]);
	json_end_array(&t.j);
	json_end_object(&t.j);
	answer_json(k, 200, &b);
}

static void
look(struct admin *a, struct ask *k, const struct ro_service *s,
    struct sessions *all, const struct wish *w)
{
	const struct pool *p = registry_pool(drive_registry(a->env.drive),
	    s->name, w->target.pool);
	struct harvest *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		answer_error(k, ANSWER_NO_MEMORY, "%s", err_text(E_NOMEM));
	} else if (w->session != 0) {
		h->n = sessions_find(all, w->session, &h->of[0]);
		if (h->n == 1)
			answer(a, k, s, all, h);
		else
			answer_error(k, ANSWER_NO_SESSION,
			    "this proxy has seen no such session of %s lately",
			    s->name);
	} else if (w->target.pool[0] != '\0' && p == NULL) {
		answer_error(k, ANSWER_NO_POOL, "%s has no pool \"%s\"",
		    s->name, w->target.pool);
	} else {
		h->pool = p == NULL ? 0 : p->name_hash;
		h->most = w->last;
		sessions_each(all, reap, h);
		keep_last(h);
		answer(a, k, s, all, h);
	}
	free(h);
}

void
page_sessions(struct admin *a, struct ask *k)
{
	const struct ro_service *s;
	struct service *svc;
	struct wish w;

	if (!read_wish(k, &w))
		return;
	s = ask_service(drive_state(a->env.drive), &w.target);
	svc = s == NULL
	    ? NULL
	    : registry_service(drive_registry(a->env.drive), s->name);
	if (svc == NULL)
		answer_error(k, ANSWER_NO_SERVICE, "%s",
		    ro_refusal_text(RO_NO_NO_SERVICE));
	else
		look(a, k, s, &svc->sessions, &w);
}
