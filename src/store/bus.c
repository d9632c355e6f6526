#include "store/bus.h"

#include <assert.h>
#include <hiredis/async.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/redis_link.h"

#define WORDS_MAX 16

struct bus {
	struct bus_env env; /* but .store */
	struct redis_link *talk, *hear;
	bool talks, hears;
	bool closing;
};

/* Of a script that runs. */
struct run {
	struct bus *bus;
	bus_reply_fn *fn;
	void *arg;
};

static void
turn(struct bus *b, bool was, enum store_why why)
{
	if (!b->closing && was != bus_is_up(b))
		b->env.turned(!was, why, b->env.arg);
}

/* ---- hearing ---- */

static bool
is_text(const redisReply *r)
{
	return r->type == REDIS_REPLY_STRING;
}

/* "subscribe" comes first, then "message", each with the channel. */
static void
on_heard(redisAsyncContext *ac UNUSED, void *reply, void *arg)
{
	const redisReply *r = reply;
	struct bus *b = arg;
	bool was = bus_is_up(b);

	if (r == NULL || b->closing)
		return;
	if (r->type == REDIS_REPLY_ERROR) {
		redis_link_drop(b->hear, redis_why(r));
		return;
	}
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 3 ||
	    !is_text(r->element[0]))
		return;
	if (strcmp(r->element[0]->str, "subscribe") == 0) {
		b->hears = true;
		turn(b, was, STORE_WHY_NOTHING);
	} else if (strcmp(r->element[0]->str, "message") == 0 &&
	    is_text(r->element[2])) {
		b->env.message(str_from(r->element[2]->str, r->element[2]->len),
		    b->env.arg);
	}
}

static void
on_hear_up(void *arg)
{
	struct bus *b = arg;

	(void)redisAsyncCommand(redis_link_context(b->hear), on_heard, b,
	    "SUBSCRIBE %s", b->env.channel);
}

static void
on_hear_down(enum store_why why, void *arg)
{
	struct bus *b = arg;
	bool was = bus_is_up(b);

	b->hears = false;
	turn(b, was, why);
}

/* ---- talking ---- */

static void
on_talk_up(void *arg)
{
	struct bus *b = arg;
	bool was = bus_is_up(b);

	b->talks = true;
	turn(b, was, STORE_WHY_NOTHING);
}

static void
on_talk_down(enum store_why why, void *arg)
{
	struct bus *b = arg;
	bool was = bus_is_up(b);

	b->talks = false;
	turn(b, was, why);
}

bool
bus_is_up(const struct bus *b)
{
	return b->talks && (b->hears || b->hear == NULL);
}

void
bus_tell(struct bus *b, struct str text)
{
	struct redisAsyncContext *ac = redis_link_context(b->talk);

	if (ac != NULL)
		(void)redisAsyncCommand(ac, NULL, NULL, "PUBLISH %s %b",
		    b->env.channel, text.p, text.len);
}

/* ---- scripts ---- */

static size_t
read_values(const redisReply *r, struct str *out)
{
	size_t n = 0;

	if (r == NULL || r->type != REDIS_REPLY_ARRAY)
		return 0;
	while (n < r->elements && n < BUS_VALUES_MAX &&
	    is_text(r->element[n])) {
		out[n] = str_from(r->element[n]->str, r->element[n]->len);
		n++;
	}
	return n;
}

static void
on_run(redisAsyncContext *ac UNUSED, void *reply, void *arg)
{
	struct run *run = arg;
	struct str values[BUS_VALUES_MAX] = { { NULL, 0 } };
	size_t n = read_values(reply, values);
	enum store_why why = reply == NULL ? STORE_WHY_NOTHING
	                                   : redis_why(reply);

	if (!run->bus->closing)
		run->fn(values, n, run->arg);
	if (why != STORE_WHY_NOTHING && !run->bus->closing)
		redis_link_drop(run->bus->talk, why);
	free(run);
}

void
bus_run(struct bus *b, const char *script, const struct str *words,
    size_t n_keys, size_t n, bus_reply_fn *fn, void *arg)
{
	struct redisAsyncContext *ac = redis_link_context(b->talk);
	struct run *run = ac == NULL ? NULL : calloc(1, sizeof(*run));
	char keys[24];
	const char *argv[WORDS_MAX + 3] = { "EVAL", script, keys };
	size_t lens[WORDS_MAX + 3] = { 4, strlen(script) };

	assert(n <= WORDS_MAX);
	if (run == NULL) {
		fn(NULL, 0, arg);
		return;
	}
	lens[2] = (size_t)snprintf(keys, sizeof(keys), "%zu", n_keys);
	for (size_t i = 0; i < n; i++) {
		argv[i + 3] = words[i].p;
		lens[i + 3] = words[i].len;
	}
	*run = (struct run){ b, fn, arg };
	if (redisAsyncCommandArgv(ac, on_run, run, (int)n + 3, argv, lens) ==
	    REDIS_OK)
		return;
	free(run);
	fn(NULL, 0, arg);
}

void
bus_flush(struct bus *b)
{
	struct redisAsyncContext *ac = redis_link_context(b->talk);
	int done;

	if (ac != NULL)
		(void)redisBufferWrite(&ac->c, &done);
}

/* ---- life ---- */

void
bus_drop(struct bus *b)
{
	if (b->hear != NULL)
		redis_link_drop(b->hear, STORE_WHY_NO_ANSWER);
	redis_link_drop(b->talk, STORE_WHY_NO_ANSWER);
}

int
bus_new(const struct bus_env *env, struct bus **out)
{
	struct bus *b = calloc(1, sizeof(*b));
	struct redis_link_env talk = { env->store, on_talk_up, on_talk_down,
		b };
	struct redis_link_env hear = { env->store, on_hear_up, on_hear_down,
		b };

	*out = b;
	if (b == NULL)
		return E_NOMEM;
	b->env = *env;
	b->env.store = NULL;
	if (redis_link_new(&talk, &b->talk) == E_OK &&
	    (env->channel == NULL || redis_link_new(&hear, &b->hear) == E_OK))
		return E_OK;
	bus_free(out);
	return E_NOMEM;
}

void
bus_free(struct bus **bp)
{
	struct bus *b = *bp;

	if (b == NULL)
		return;
	b->closing = true;
	redis_link_free(&b->talk);
	redis_link_free(&b->hear);
	free(b);
	*bp = NULL;
}
