#include "rollout/feed.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"

#define X(id, name) [FEED_##id] = (name),
static const char *const type_names[] = { FEED_TYPES(X) };
#undef X

struct feed {
	uint64_t last; /* id */
	struct {
		feed_fn *fn; /* NULL: a free seat */
		void *arg;
		uint64_t told; /* up to this id */
	} subs[FEED_SUBSCRIBERS_MAX];
	struct feed_event ring[FEED_KEPT]; /* id n is at n % FEED_KEPT */
};

struct feed *
feed_new(void)
{
	return calloc(1, sizeof(struct feed));
}

void
feed_free(struct feed **fp)
{
	free(*fp);
	*fp = NULL;
}

/*
 * Who tells from within a callback comes back here: each seat still hears all
 * events in their order.
 */
static void
catch_up(struct feed *f, size_t seat)
{
	const struct feed_event *e;

	while (f->subs[seat].fn != NULL &&
	    (e = feed_after(f, f->subs[seat].told)) != NULL) {
		struct feed_event copy = *e; /* the ring may wrap */

		f->subs[seat].told = copy.id;
		f->subs[seat].fn(&copy, f->subs[seat].arg);
	}
}

void
feed_tell(struct feed *f, const struct feed_event *e)
{
	struct feed_event told = *e;

	told.id = ++f->last;
	told.wall_us = clock_wall_us();
	f->ring[told.id % FEED_KEPT] = told;
	for (size_t i = 0; i < FEED_SUBSCRIBERS_MAX; i++)
		catch_up(f, i);
}

bool
feed_subscribe(struct feed *f, feed_fn *fn, void *arg)
{
	for (size_t i = 0; i < FEED_SUBSCRIBERS_MAX; i++) {
		if (f->subs[i].fn != NULL)
			continue;
		f->subs[i].fn = fn;
		f->subs[i].arg = arg;
		f->subs[i].told = f->last;
		return true;
	}
	return false;
}

void
feed_unsubscribe(struct feed *f, feed_fn *fn, void *arg)
{
	for (size_t i = 0; i < FEED_SUBSCRIBERS_MAX; i++)
		if (f->subs[i].fn == fn && f->subs[i].arg == arg)
			f->subs[i].fn = NULL;
}

const struct feed_event *
feed_after(const struct feed *f, uint64_t id)
{
	uint64_t oldest = f->last < FEED_KEPT ? 1 : f->last - FEED_KEPT + 1;
	uint64_t next;

	if (id >= f->last)
		return NULL;
	next = MAX(id + 1, oldest);
	return &f->ring[next % FEED_KEPT];
}

uint64_t
feed_last_id(const struct feed *f)
{
	return f->last;
}

const char *
feed_type_name(enum feed_type t)
{
	return type_names[t];
}

static void
write_name(struct json_out *j, const char *key, const char *name)
{
	if (name[0] != '\0')
		json_kv_cstr(j, key, name);
}

void
feed_write(const struct feed_event *e, struct buf *out)
{
	char when[CLOCK_ISO_MAX];
	struct json_out j;

	clock_iso(e->wall_us, when);
	json_begin(&j, out);
	json_begin_object(&j);
	json_kv_u64(&j, "id", e->id);
	json_kv_cstr(&j, "time", when);
	json_kv_cstr(&j, "type", type_names[e->type]);
	write_name(&j, "service", e->service);
	write_name(&j, "pool", e->pool);
	write_name(&j, "instance", e->instance);
	write_name(&j, "who", e->who);
	json_kv_cstr(&j, "text", e->text);
	json_end_object(&j);
}
