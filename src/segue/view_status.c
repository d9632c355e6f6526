/*
 * The one screen: who serves, how healthy, what moves, what blocks.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "segue/text.h"
#include "segue/view_int.h"

#define LABEL_WIDTH 7  /* "unknown" */
#define TROUBLED_MAX 8 /* instances that are named; others are counted */

struct screen {
	const struct view *view;
	struct buf *out;
	size_t troubled;
};

static void put(struct screen *, enum style, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Cleaned, so that no document can paint the screen. */
static void
put(struct screen *s, enum style style, const char *fmt, ...)
{
	struct buf raw = BUF_INIT, clean = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	text_clean(&clean, buf_str(&raw));
	style_add(s->out, s->view->colour, style, buf_str(&clean));
	s->out->failed = s->out->failed || raw.failed || clean.failed;
	buf_free(&raw);
	buf_free(&clean);
}

static void
end_line(struct screen *s)
{
	buf_add_char(s->out, '\n');
}

/* ---- the head ---- */

static void
put_head(struct screen *s, const struct json *status)
{
	const char *now = json_get_text(status, "now", NULL);
	const char *by = json_get_text(status, "changed_by", "");
	char a[SHOW_MAX];

	put(s, STYLE_BOLD, "segued %s", show_text(status, "version"));
	put(s, STYLE_PLAIN, ", up %s", show_s(status, "uptime_s", a));
	put(s, STYLE_PLAIN, ", workers %s", show_count(status, "workers", a));
	put(s, STYLE_PLAIN, ", generation %s",
	    show_count(status, "generation", a));
	if (json_get_text(status, "changed_at", NULL) != NULL)
		put(s, STYLE_PLAIN, ", changed %s ago%s%s",
		    show_age(now, json_get_text(status, "changed_at", NULL), a),
		    by[0] == '\0' ? "" : " by ", by);
	if (json_get_truth(status, "stopping", false))
		put(s, STYLE_BAD, ", stopping: changes are refused");
	end_line(s);
}

/* Only what is wrong with it. */
static void
put_store(struct screen *s, const struct json *status)
{
	const struct json *store = json_get(status, "store");
	const char *state = json_get_text(store, "state", "up");
	const char *refuses = json_get_text(store, "refuses", "");
	const char *now = json_get_text(status, "now", NULL);
	char a[SHOW_MAX], up[SHOW_MAX], all[SHOW_MAX];

	if (strcmp(state, "up") != 0) {
		put(s, STYLE_WARN, "store %s %s", show_text(store, "type"),
		    state);
		put(s, STYLE_PLAIN,
		    " since %s: %s (%s of %s workers have it); traffic goes on",
		    show_age(now, json_get_text(store, "since", NULL), a),
		    show_text(store, "text"),
		    show_count(store, "threads_up", up),
		    show_count(store, "threads", all));
		end_line(s);
	} else if (refuses[0] != '\0') {
		put(s, STYLE_WARN, "store %s refuses what it is told or asked",
		    show_text(store, "type"));
		put(s, STYLE_PLAIN, ": %s; traffic goes on", refuses);
		end_line(s);
	}
}

/* That changes are refused here, or who is missing. */
static void
put_cluster(struct screen *s, const struct json *status)
{
	const struct json *c = json_get(status, "cluster");
	const struct json *members = json_get(c, "members");
	size_t away = 0;

	if (!json_is_object(c))
		return;
	for (size_t i = 0; i < json_len(members); i++)
		away += json_get_truth(json_at(members, i), "away", false);
	if (strcmp(json_get_text(c, "role", ""), "alone") == 0) {
		put(s, STYLE_BAD, "cluster %s: alone", show_text(c, "name"));
		put(s, STYLE_PLAIN, "; changes are refused unless forced (%s)",
		    json_get_text(c, "why", ""));
	} else {
		put(s, STYLE_PLAIN, "cluster %s: %s leads, %zu proxies",
		    show_text(c, "name"), show_text(c, "leader"),
		    json_len(members));
		if (away > 0)
			put(s, STYLE_BAD, ", %zu away", away);
		if (json_get_text(c, "refused", "")[0] != '\0')
			put(s, STYLE_BAD, "; the last change was refused: %s",
			    json_get_text(c, "refused", ""));
	}
	end_line(s);
}

/* ---- who serves ---- */

static const char *
name_of(const struct json *j)
{
	return show_text(j, "name");
}

static bool
has_share(const struct json *pool)
{
	return json_get_int(pool, "share_bp", 0) > 0;
}

/* can: can one of them take a request? */
static size_t
count_serving(const struct json *pools, const struct json **only, bool *can)
{
	size_t n = 0;

	*can = false;
	for (size_t i = 0; i < json_len(pools); i++) {
		if (!has_share(json_at(pools, i)))
			continue;
		*only = json_at(pools, i);
		*can = *can || json_get_int(*only, "eligible", 1) > 0;
		n++;
	}
	return n;
}

static void
put_serving(struct screen *s, const struct json *pools)
{
	const struct json *only = NULL;
	bool can;
	size_t n = count_serving(pools, &only, &can);
	const char *gap = "";
	char share[SHOW_MAX];

	if (n == 0) {
		put(s, STYLE_BAD, "no pool gets new sessions");
	} else if (n == 1 && json_get_int(only, "share_bp", 0) == 10000) {
		put(s, STYLE_BOLD, "%s serves", name_of(only));
	} else {
		for (size_t i = 0; i < json_len(pools); i++) {
			const struct json *p = json_at(pools, i);

			if (!has_share(p))
				continue;
			put(s, STYLE_BOLD, "%s%s serves %s", gap, name_of(p),
			    show_share(p, "share_bp", share));
			gap = ", ";
		}
		put(s, STYLE_PLAIN, " of new sessions");
	}
	if (n > 0 && !can)
		put(s, STYLE_BAD, ", BUT NO INSTANCE IS UP");
}

static void
put_service_head(struct screen *s, const struct json *service)
{
	char n[SHOW_MAX];

	put(s, STYLE_BOLD, "%s", name_of(service));
	put(s, STYLE_PLAIN, ": ");
	put_serving(s, json_get(service, "pools"));
	put(s, STYLE_PLAIN, "; in flight %s",
	    show_count(service, "in_flight", n));
	if (json_get_int(service, "retries", 0) > 0)
		put(s, STYLE_PLAIN, "; retries %s",
		    show_count(service, "retries", n));
	if (json_get_int(service, "retries_denied", 0) > 0)
		put(s, STYLE_WARN, ", %s denied",
		    show_count(service, "retries_denied", n));
	end_line(s);
}

/* ---- what moves, what blocks ---- */

static void
put_label(struct screen *s, enum style style, const char *label)
{
	size_t width = text_width(str_of(label));

	buf_add_cstr(s->out, "  ");
	put(s, style, "%s", label);
	for (; width < LABEL_WIDTH + 2; width++)
		buf_add_char(s->out, ' ');
}

static bool
is_in_state(const struct json *pool, const char *state)
{
	return strcmp(show_text(pool, "state"), state) == 0;
}

static void
put_pending(struct screen *s, const struct json *pending)
{
	const char *pool = json_get_text(pending, "pool", NULL);

	if (pool == NULL)
		return;
	put_label(s, STYLE_WARN, "moves");
	put(s, STYLE_PLAIN, "the switch to %s waits until it is ready%s", pool,
	    json_get_truth(pending, "drain", false)
	        ? "; then those that served are drained"
	        : "");
	end_line(s);
}

/* An ended one says nothing of what moves. */
static void
put_rollout(struct screen *s, const struct json *rollout)
{
	const char *stand = json_get_text(rollout, "stand", "");
	const char *holds = json_get_text(rollout, "holds", "");
	bool paused = strcmp(stand, "paused") == 0;

	if (!paused && strcmp(stand, "running") != 0)
		return;
	put_label(s, paused ? STYLE_BAD : STYLE_WARN,
	    holds[0] != '\0' ? "blocks" : "moves");
	put(s, STYLE_PLAIN, "the rollout to %s: %s%s%s",
	    show_text(rollout, "to"), show_text(rollout, "where"),
	    holds[0] == '\0' ? "" : "; ", holds);
	end_line(s);
}

static void
put_hold(struct screen *s, const struct json *status, const struct json *hold)
{
	const char *what = json_get_text(hold, "what", "none");
	char age[SHOW_MAX], n[2][SHOW_MAX];

	if (strcmp(what, "none") == 0)
		return;
	put_label(s, STYLE_BAD, "holds");
	put(s, STYLE_PLAIN,
	    "%s requests wait, for %s; %s of %s at most do now; \"segue "
	    "release\" sends them on",
	    strcmp(what, "all") == 0 ? "all" : "writing",
	    show_age(json_get_text(status, "now", NULL),
	        json_get_text(hold, "since", NULL), age),
	    show_count(hold, "held", n[0]), show_count(hold, "max", n[1]));
	end_line(s);
}

static void
put_drain(struct screen *s, const struct json *status, const struct json *pool)
{
	const struct json *drain = json_get(pool, "drain");
	char age[SHOW_MAX];

	if (!is_in_state(pool, "draining") && !json_is_object(drain))
		return;
	put_label(s, STYLE_WARN, "moves");
	put(s, STYLE_PLAIN, "%s drains, mode %s, for %s", name_of(pool),
	    show_text(drain, "mode"),
	    show_age(json_get_text(status, "now", NULL),
	        json_get_text(drain, "began", NULL), age));
	end_line(s);
}

/* Is it one whose instances should be up? */
static bool
matters(const struct json *service, const struct json *pool)
{
	const char *pending = json_get_text(json_get(service, "pending"),
	    "pool", "");

	return has_share(pool) || strcmp(name_of(pool), pending) == 0 ||
	    is_in_state(pool, "starting") || is_in_state(pool, "failed");
}

static void
put_blocks(struct screen *s, const struct json *service,
    const struct json *pool)
{
	const char *holds = json_get_text(pool, "holds", "");
	const char *unready = json_get_text(pool, "unready", "");

	if (holds[0] != '\0') {
		put_label(s, STYLE_WARN, "blocks");
		put(s, STYLE_PLAIN, "%s%s%s",
		    is_in_state(pool, "draining") ? name_of(pool) : "",
		    is_in_state(pool, "draining") ? ": " : "", holds);
		end_line(s);
	} else if (unready[0] != '\0' && matters(service, pool)) {
		put_label(s, STYLE_WARN, "blocks");
		put(s, STYLE_PLAIN, "%s is not ready: %s", name_of(pool),
		    unready);
		end_line(s);
	}
}

/* Why is in the log. */
static void
put_unread(struct screen *s, const struct json *pool)
{
	if (json_get_int(json_get(pool, "keys"), "unread", 0) == 0)
		return;
	put_label(s, STYLE_WARN, "keys");
	put(s, STYLE_PLAIN, "those of %s cannot be read (event=jwks_unread)",
	    name_of(pool));
	end_line(s);
}

/* Whether tokens of the others are refused by who asks it for the keys. */
static void
put_keys(struct screen *s, const struct json *pool)
{
	const struct json *keys = json_get(pool, "keys");
	bool united = json_get_truth(keys, "united", false);
	char n[SHOW_MAX];

	if (json_get_int(keys, "lacks", 0) == 0)
		return;
	put_label(s, united ? STYLE_PLAIN : STYLE_WARN, "keys");
	put(s, STYLE_PLAIN, "%s lacks %s of the other pools'%s", name_of(pool),
	    show_count(keys, "lacks", n),
	    united ? "; all are given" : ": who asks it refuses their tokens");
	end_line(s);
}

static bool
is_troubled(const struct json *i)
{
	return strcmp(json_get_text(i, "health", "up"), "up") != 0 ||
	    json_get_text(i, "ejected_why", "")[0] != '\0' ||
	    strcmp(json_get_text(i, "admin", "in"), "in") != 0;
}

static void
put_instance(struct screen *s, const struct json *pool, const struct json *i)
{
	const char *health = show_text(i, "health");
	const char *admin = json_get_text(i, "admin", "in");
	const char *why = json_get_text(i, "ejected_why", "");
	char age[SHOW_MAX];

	put_label(s, view_style_health(health), health);
	put(s, STYLE_PLAIN, "%s of %s", name_of(i), name_of(pool));
	if (strcmp(health, "up") != 0)
		put(s, STYLE_PLAIN, " for %s: %s", show_s(i, "health_s", age),
		    show_text(i, "reason"));
	if (why[0] != '\0')
		put(s, STYLE_WARN, ", ejected for %s: %s",
		    show_s(i, "ejected_s", age), why);
	if (strcmp(admin, "in") != 0)
		put(s, STYLE_WARN, ", in %s", admin);
	end_line(s);
}

static void
put_troubled(struct screen *s, const struct json *service,
    const struct json *pool)
{
	const struct json *instances = json_get(pool, "instances");

	if (!matters(service, pool) && !is_in_state(pool, "draining"))
		return;
	for (size_t i = 0; i < json_len(instances); i++) {
		if (!is_troubled(json_at(instances, i)))
			continue;
		if (s->troubled++ < TROUBLED_MAX)
			put_instance(s, pool, json_at(instances, i));
	}
}

static void
put_service(struct screen *s, const struct json *status,
    const struct json *service)
{
	const struct json *pools = json_get(service, "pools");
	struct view one = *s->view;

	one.service = name_of(service);
	put_service_head(s, service);
	view_pool_table(status, &one, 2, s->out);
	put_pending(s, json_get(service, "pending"));
	put_hold(s, status, json_get(service, "hold"));
	put_rollout(s, json_get(service, "rollout"));
	for (size_t i = 0; i < json_len(pools); i++)
		put_drain(s, status, json_at(pools, i));
	for (size_t i = 0; i < json_len(pools); i++)
		put_blocks(s, service, json_at(pools, i));
	for (size_t i = 0; i < json_len(pools); i++) {
		put_unread(s, json_at(pools, i));
		put_keys(s, json_at(pools, i));
	}
	s->troubled = 0;
	for (size_t i = 0; i < json_len(pools); i++)
		put_troubled(s, service, json_at(pools, i));
	if (s->troubled > TROUBLED_MAX) {
		put_label(s, STYLE_WARN, "");
		put(s, STYLE_PLAIN, "%zu more; see \"segue instances\"",
		    s->troubled - TROUBLED_MAX);
		end_line(s);
	}
	end_line(s);
}

/* ---- invariant 1 ---- */

void
view_accounting(const struct json *a, bool colour, struct buf *out)
{
	static const struct {
		const char *key, *word;
	} parts[] = { { "answered", "answered" }, { "ours", "ours" },
		{ "client", "client" }, { "deadline", "deadline" },
		{ "fault", "fault" }, { "in_flight", "in flight" } };
	const char *sign = " = ";
	bool known = true, holds;
	int64_t n, sum = 0;
	char text[SHOW_MAX];

	buf_printf(out, "accepted %s", show_count(a, "accepted", text));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		buf_printf(out, "%s%s %s", sign, parts[i].word,
		    show_count(a, parts[i].key, text));
		sign = " + ";
		known = known && json_int(json_get(a, parts[i].key), &n) &&
		    !__builtin_add_overflow(sum, n, &sum);
	}
	if (!json_truth(json_get(a, "holds"), &holds)) {
		known = known && json_int(json_get(a, "accepted"), &n);
		holds = known && n == sum;
	} else {
		known = true;
	}
	buf_add_cstr(out, "; ");
	style_add(out, colour,
	    !known      ? STYLE_PLAIN
	        : holds ? STYLE_GOOD
	                : STYLE_BAD,
	    !known      ? STR("not known whether it adds up")
	        : holds ? STR("adds up")
	                : STR("DOES NOT ADD UP"));
}

void
view_status(const struct json *status, const struct view *v, struct buf *out)
{
	const struct json *services = json_get(status, "services");
	const struct json *accounting = json_get(status, "accounting");
	struct screen s = { .view = v, .out = out };

	put_head(&s, status);
	put_store(&s, status);
	put_cluster(&s, status);
	end_line(&s);
	for (size_t i = 0; i < json_len(services); i++) {
		const struct json *service = json_at(services, i);

		if (!view_is_wanted(service, v->service))
			continue;
		put_service(&s, status, service);
		if (v->service != NULL)
			accounting = json_get(service, "accounting");
	}
	view_accounting(accounting, v->colour, out);
	buf_add_char(out, '\n');
}
