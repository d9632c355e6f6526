#include "admin/events.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "admin/admin_int.h"
#include "admin/answer.h"
#include "admin/server.h"
#include "base/err.h"
#include "base/log.h"
#include "http/target.h"
#include "net/loop.h"
#include "rollout/feed.h"

#define TYPE_EVENTS "text/event-stream"

struct reader {
	TAILQ_ENTRY(reader) link;
	struct events *all;
	struct ask *ask;
	bool tcp;
};

struct events {
	struct loop *loop;
	struct feed *feed;
	struct alarm *alive; /* armed while somebody reads */
	TAILQ_HEAD(, reader) readers;
	unsigned n_readers, n_tcp;
};

/* ---- what is told ---- */

static void
write_event(const struct feed_event *e, struct buf *out)
{
	buf_printf(out, "id: %llu\ndata: ", (unsigned long long)e->id);
	feed_write(e, out);
	buf_add_cstr(out, "\n\n");
}

static void
tell_all(struct events *v, struct str piece)
{
	struct reader *r;

	TAILQ_FOREACH (r, &v->readers, link)
		ask_stream_send(r->ask, piece);
}

static void
on_event(const struct feed_event *e, void *arg)
{
	struct events *v = arg;
	struct buf b = BUF_INIT;

	if (v->n_readers == 0)
		return;
	write_event(e, &b);
	if (b.failed)
		log_warn("event=admin_event_lost id=%llu why=\"%s\"",
		    (unsigned long long)e->id, err_text(E_NOMEM));
	else
		tell_all(v, buf_str(&b));
	buf_free(&b);
}

static void
on_alive(void *arg)
{
	struct events *v = arg;

	tell_all(v, STR(": here\n\n"));
	if (v->n_readers > 0)
		alarm_set(v->alive, EVENTS_ALIVE_US);
}

/* ---- what was asked ---- */

struct wish {
	uint64_t after; /* id; told is what comes behind */
	bool follow;
};

static const char *const param_names[] = { "after", "last", "follow" };

static void
refuse_name(struct ask *k, struct str name)
{
	const char *near = str_nearest(name, param_names,
	    ARRAY_LEN(param_names));
	struct str shown = str_sub(name, 0, 40);

	if (near != NULL)
		answer_error(k, ANSWER_BAD_REQUEST,
		    STR_FMT ": there is no such parameter; did you mean %s?",
		    STR_ARG(shown), near);
	else
		answer_error(k, ANSWER_BAD_REQUEST,
		    STR_FMT ": there is no such parameter; there are after, "
		            "last and follow",
		    STR_ARG(shown));
}

/* Ids begin anew with each process: one that is still to come is stale. */
static uint64_t
known_id(const struct feed *f, uint64_t id)
{
	return id > feed_last_id(f) ? 0 : id;
}

static bool
read_param(struct ask *k, const struct feed *f, struct str name,
    struct str value, struct wish *w)
{
	uint64_t told = feed_last_id(f), n = 0;
	bool ok = str_u64(value, &n);
	struct str shown = str_sub(value, 0, 40);

	if (str_eq(name, STR("after")))
		w->after = known_id(f, n);
	else if (str_eq(name, STR("last")))
		w->after = n < told ? told - n : 0;
	else if (str_eq(name, STR("follow")))
		w->follow = n != 0;
	else {
		refuse_name(k, name);
		return false;
	}
	if (!ok)
		answer_error(k, ANSWER_BAD_VALUE,
		    STR_FMT ": \"" STR_FMT "\" is no whole number",
		    STR_ARG(name), STR_ARG(shown));
	return ok;
}

/* False: answered already. */
static bool
read_wish(struct ask *k, const struct feed *f, struct wish *w)
{
	const char *last_id = ask_header(k, "Last-Event-ID");
	struct str rest = ask_query(k), name, value;
	uint64_t id;

	*w = (struct wish){ .follow = true };
	if (last_id != NULL && str_u64(str_of(last_id), &id))
		w->after = known_id(f, id);
	while (target_param_next(&rest, &name, &value))
		if (!read_param(k, f, name, value, w))
			return false;
	return true;
}

static void
write_kept(const struct feed *f, uint64_t after, struct buf *out)
{
	const struct feed_event *e;

	for (; (e = feed_after(f, after)) != NULL; after = e->id)
		write_event(e, out);
}

/* ---- readers ---- */

static void
on_gone(void *arg)
{
	struct reader *r = arg;

	TAILQ_REMOVE(&r->all->readers, r, link);
	r->all->n_readers--;
	r->all->n_tcp -= r->tcp;
	free(r);
}

static void
follow(struct events *v, struct ask *k, struct str kept)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		answer_error(k, ANSWER_NO_MEMORY, "%s", err_text(E_NOMEM));
		return;
	}
	r->all = v;
	r->ask = k;
	r->tcp = !ask_peer(k)->is_unix;
	v->n_tcp += r->tcp;
	TAILQ_INSERT_TAIL(&v->readers, r, link);
	if (v->n_readers++ == 0)
		alarm_set(v->alive, EVENTS_ALIVE_US);
	ask_stream(k, TYPE_EVENTS, on_gone, r);
	if (kept.len > 0)
		ask_stream_send(k, kept);
}

void
page_events(struct admin *a, struct ask *k)
{
	struct events *v = a->events;
	struct buf kept = BUF_INIT;
	struct wish w;

	if (!read_wish(k, v->feed, &w))
		return;
	write_kept(v->feed, w.after, &kept);
	if (kept.failed)
		answer_error(k, ANSWER_NO_MEMORY, "%s", err_text(E_NOMEM));
	else if (!w.follow)
		ask_answer(k, 200, TYPE_EVENTS, buf_str(&kept));
	else if (v->n_readers >= EVENTS_READERS_MAX ||
	    (!ask_peer(k)->is_unix && v->n_tcp >= EVENTS_TCP_READERS_MAX))
		answer_error(k, ANSWER_BUSY,
		    "%u readers follow the events already", v->n_readers);
	else
		follow(v, k, buf_str(&kept));
	buf_free(&kept);
}

/* ---- life ---- */

int
events_new(struct loop *loop, struct feed *feed, struct events **out)
{
	struct events *v = calloc(1, sizeof(*v));

	*out = NULL;
	if (v == NULL)
		return E_NOMEM;
	v->loop = loop;
	v->feed = feed;
	TAILQ_INIT(&v->readers);
	v->alive = alarm_new(loop, on_alive, v);
	if (v->alive == NULL) {
		free(v);
		return E_NOMEM;
	}
	if (!feed_subscribe(feed, on_event, v)) {
		alarm_free(&v->alive);
		free(v);
		return E_FULL;
	}
	*out = v;
	return E_OK;
}

void
events_free(struct events **vp)
{
	struct events *v = *vp;

	if (v == NULL)
		return;
	feed_unsubscribe(v->feed, on_event, v);
	alarm_free(&v->alive);
	free(v);
	*vp = NULL;
}
