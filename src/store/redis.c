/*
 * The body of a store of type redis: what is asked goes out at once, what is
 * put goes behind, through a window of commands; what the server has not taken
 * when a connection is lost goes out anew on the next one.
 *
 * Who asks is told "away" at once while there is no connection, and while the
 * server is slow: its oldest command, or the last three that somebody waited
 * for, took too long.  It is quick again with the first answer that is.
 */
#include <hiredis/async.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "net/loop.h"
#include "store/redis_link.h"
#include "store/store_int.h"

#define WINDOW 512      /* commands of puts under way */
#define WINDOW_SLOW 32  /* ... while the server is slow */
#define ASKED_MAX 1024  /* asks under way */
#define QUEUE_MAX 65536 /* puts that wait */
#define LOOK_US (250 * US_PER_MS)
#define IDLE_US US_PER_S       /* then it is asked whether it is there */
#define HANG_US (3 * US_PER_S) /* then the connection is given up */
#define SLOW_LEAST_US (100 * US_PER_MS)
#define LATES_MAX 3
/* An alarm may be so late, and nobody shall wait for longer than he may. */
#define CLOCK_US (US_PER_MS / 2 * 5)
/* So many lines of the log in so long, of one kind. */
#define TOLD_MAX 4
#define TOLD_US (10 * US_PER_S)

enum kind { KIND_FIRST, KIND_PUT, KIND_DROP, KIND_PING };

/* Owned by the queue, then by its commands, of which the last one frees it. */
struct store_request {
	TAILQ_ENTRY(store_request) link;     /* of .sent or .waiting */
	TAILQ_ENTRY(store_request) ask_link; /* of .asks, while it has .ask */
	struct redis *redis;
	struct store_ask *ask; /* NULL: nobody waits */
	enum kind kind;
	unsigned replies; /* to come */
	enum store_how how;
	uint64_t seq;              /* in which order they were told */
	uint64_t sent_us, due_us;  /* monotonic */
	uint64_t ends_us;          /* of a put */
	size_t key_len, value_len; /* of a put or drop */
	char bytes[];
};

TAILQ_HEAD(request_list, store_request);

struct redis {
	struct store store;
	const struct cfg_store *cfg;
	const char *name; /* in the log */
	struct redis_link *link;
	struct request_list sent, waiting, asks;
	size_t n_sent, n_waiting;
	size_t n_asked; /* of .sent */
	uint64_t seq;
	struct alarm *late; /* of the first of .asks */
	struct alarm *look; /* while connected */
	unsigned lates;     /* in a row */
	uint64_t answered_us;
	uint64_t told[TOLD_MAX], refusal_told[TOLD_MAX]; /* monotonic */
	bool closing;
};

static void send_waiting(struct redis *);

/* ---- how it is ---- */

/* Some lines a second, however often it turns. */
static bool
may_tell(uint64_t told[TOLD_MAX])
{
	uint64_t now = clock_mono_us();
	size_t at = 0;

	for (size_t i = 1; i < TOLD_MAX; i++)
		if (told[i] < told[at])
			at = i;
	if (told[at] != 0 && now - told[at] < TOLD_US)
		return false;
	told[at] = now;
	return true;
}

static void
be(struct redis *r, enum store_state state, enum store_why why)
{
	const struct store_stats *st = r->store.stats;

	if (atomic_load(&st->state) == state && atomic_load(&st->why) == why)
		return;
	if (!may_tell(r->told))
		; /* it comes and goes */
	else if (state == STORE_UP)
		log_info("event=store_up thread=%s queued=%zu", r->name,
		    r->n_waiting + r->n_sent);
	else if (why != STORE_WHY_CONNECTING)
		log_warn("event=store_%s thread=%s why=%s text=\"%s\"",
		    store_state_name(state), r->name, store_why_name(why),
		    store_why_text(why));
	store_is(&r->store, state, why);
}

static uint64_t
slow_us(const struct redis *r)
{
	uint64_t four = 4 * r->cfg->timeout_us;

	return four > SLOW_LEAST_US ? four : SLOW_LEAST_US;
}

static bool
is_up(const struct redis *r)
{
	return atomic_load(&r->store.stats->state) == STORE_UP;
}

static void
be_slow(struct redis *r)
{
	if (is_up(r))
		be(r, STORE_SLOW, STORE_WHY_LATE);
}

/* ---- requests ---- */

static void
count(struct redis *r)
{
	atomic_store(&r->store.stats->queued, r->n_sent + r->n_waiting);
}

static struct store_request *
request_new(struct redis *r, enum kind kind, struct str key, struct str value)
{
	struct store_request *q = calloc(1, sizeof(*q) + key.len + value.len);

	if (q == NULL)
		return NULL;
	q->redis = r;
	q->kind = kind;
	q->seq = ++r->seq;
	q->key_len = key.len;
	q->value_len = value.len;
	if (key.len > 0)
		memcpy(q->bytes, key.p, key.len);
	if (value.len > 0)
		memcpy(q->bytes + key.len, value.p, value.len);
	return q;
}

static void
leave_asks(struct store_request *q)
{
	if (q->ask == NULL)
		return;
	TAILQ_REMOVE(&q->redis->asks, q, ask_link);
	q->ask->request = NULL;
	q->ask = NULL;
}

static void
answer(struct store_request *q, enum store_answer a, struct str value)
{
	struct store_ask *ask = q->ask;

	if (ask == NULL)
		return;
	leave_asks(q);
	store_tell(&q->redis->store, ask, a, value);
}

/* It waits again, where it was in their order. */
static void
wait_again(struct redis *r, struct store_request *q)
{
	struct store_request *next;

	TAILQ_FOREACH (next, &r->waiting, link)
		if (next->seq > q->seq)
			break;
	if (next == NULL)
		TAILQ_INSERT_TAIL(&r->waiting, q, link);
	else
		TAILQ_INSERT_BEFORE(next, q, link);
	r->n_waiting++;
}

/* ---- replies ---- */

/* Of a put or a look-up. */
static void
note_refusal(struct redis *r, _Atomic uint8_t *last, enum store_why why,
    const redisReply *reply)
{
	stat_add(&r->store.stats->failed[why], 1);
	if (atomic_exchange(last, (uint8_t)why) == why ||
	    !may_tell(r->refusal_told))
		return;
	log_warn("event=store_refuses thread=%s why=%s text=\"%s\" "
	         "server=\"%.24s\"",
	    r->name, store_why_name(why), store_why_text(why), reply->str);
}

/* Errors of the whole server, after which another one may be right. */
static bool
is_of_server(enum store_why why)
{
	return why == STORE_WHY_READ_ONLY || why == STORE_WHY_LOADING ||
	    why == STORE_WHY_AUTH;
}

/* True: it is done with; false: it is to be sent again. */
static bool
take_put(struct redis *r, enum kind kind, const redisReply *reply)
{
	enum store_why why = redis_why(reply);

	if (is_of_server(why))
		return false;
	if (why != STORE_WHY_NOTHING) {
		note_refusal(r, &r->store.stats->refuses_puts, why, reply);
		return true;
	}
	atomic_store(&r->store.stats->refuses_puts, STORE_WHY_NOTHING);
	if (kind == KIND_PUT)
		stat_add(&r->store.stats->put, 1);
	return true;
}

static void
take_value(struct store_request *q, const redisReply *reply)
{
	struct store_stats *st = q->redis->store.stats;
	enum store_why why = redis_why(reply);

	if (why == STORE_WHY_NOTHING)
		atomic_store(&st->refuses_looks, STORE_WHY_NOTHING);
	if (why == STORE_WHY_WRONG_TYPE)
		stat_add(&st->strange, 1);
	else if (why != STORE_WHY_NOTHING)
		note_refusal(q->redis, &st->refuses_looks, why, reply);
	else if (reply->type == REDIS_REPLY_STRING && reply->len > 0 &&
	    reply->len <= STORE_VALUE_MAX)
		answer(q, STORE_FOUND, str_from(reply->str, reply->len));
	else if (reply->type != REDIS_REPLY_STRING || reply->len > 0)
		stat_add(&st->strange, 1);
}

/* The server answers in time, or does not. */
static void
note_answer(struct redis *r, const struct store_request *q)
{
	uint64_t now = clock_mono_us(), took = now - q->sent_us;

	r->answered_us = now;
	hist_add(&r->store.stats->latency, took);
	if (took > slow_us(r))
		be_slow(r);
	if (took > r->cfg->timeout_us)
		return;
	r->lates = 0;
	if (atomic_load(&r->store.stats->state) == STORE_SLOW)
		be(r, STORE_UP, STORE_WHY_NOTHING);
}

static void
finish(struct redis *r, struct store_request *q, bool done)
{
	TAILQ_REMOVE(&r->sent, q, link);
	r->n_sent--;
	r->n_asked -= q->kind == KIND_FIRST;
	answer(q, done ? STORE_NONE : STORE_AWAY, (struct str){ NULL, 0 });
	if (done || r->closing || (q->kind != KIND_PUT && q->kind != KIND_DROP))
		free(q);
	else
		wait_again(r, q);
	count(r);
}

static void
on_reply(redisAsyncContext *ac UNUSED, void *arg_reply, void *arg)
{
	struct store_request *q = arg;
	struct redis *r = q->redis;
	const redisReply *reply = arg_reply;
	bool done = reply != NULL;
	enum store_why why = STORE_WHY_NOTHING;

	q->replies--;
	if (done) {
		why = redis_why(reply);
		note_answer(r, q);
		if (q->kind == KIND_FIRST && is_of_server(why))
			done = false;
		else if (q->kind == KIND_FIRST)
			take_value(q, reply);
		else if (q->kind == KIND_PUT || q->kind == KIND_DROP)
			done = take_put(r, q->kind, reply);
	}
	if (q->replies == 0)
		finish(r, q, done);
	if (is_of_server(why))
		redis_link_drop(r->link, why);
	else if (!r->closing)
		send_waiting(r);
}

/* ---- sending ---- */

/* A command of words, the second of which is a key. */
static bool
send_words(struct store_request *q, const char *const *words,
    const size_t *lens, int n)
{
	struct redis *r = q->redis;
	struct redisAsyncContext *ac = redis_link_context(r->link);

	if (ac == NULL ||
	    redisAsyncCommandArgv(ac, on_reply, q, n,
	        (const char **)(uintptr_t)words, lens) != REDIS_OK)
		return false;
	q->replies++;
	stat_add(&r->store.stats->commands, 1);
	return true;
}

static void
note_sent(struct store_request *q)
{
	struct redis *r = q->redis;

	q->sent_us = clock_mono_us();
	TAILQ_INSERT_TAIL(&r->sent, q, link);
	r->n_sent++;
	r->n_asked += q->kind == KIND_FIRST;
	count(r);
}

/* The prefix before it; its length. */
static size_t
whole_key(const struct redis *r, struct str key, char *out, size_t cap)
{
	size_t len = str_copy(str_of(r->cfg->prefix), out, cap);

	return len + str_copy(key, out + len, cap - len);
}

#define WHOLE_MAX (STORE_KEY_MAX + CFG_STORE_PREFIX_MAX + 1)

static bool
send_put(struct store_request *q, uint64_t now)
{
	char key[WHOLE_MAX], ttl[24];
	struct str told = str_from(q->bytes, q->key_len);
	const char *words[] = { "SET", key, q->bytes + q->key_len, "PX", ttl,
		"NX" };
	size_t lens[] = { 3, whole_key(q->redis, told, key, sizeof(key)),
		q->value_len, 2, 0, 2 };

	if (q->kind == KIND_DROP) {
		words[0] = "DEL";
		return send_words(q, words, lens, 2);
	}
	lens[4] = (size_t)snprintf(ttl, sizeof(ttl), "%" PRIu64,
	    (q->ends_us - now + US_PER_MS - 1) / US_PER_MS);
	return send_words(q, words, lens, q->how == STORE_KEEP ? 6 : 5);
}

/* One of those that wait; false: it cannot be sent now. */
static bool
send_one(struct redis *r, struct store_request *q)
{
	uint64_t now = clock_mono_us();
	bool over = q->kind == KIND_PUT && q->ends_us <= now;

	if (!over && !send_put(q, now))
		return false;
	TAILQ_REMOVE(&r->waiting, q, link);
	r->n_waiting--;
	if (over)
		free(q);
	else
		note_sent(q);
	return true;
}

/* Nobody waits for puts: a slow server gets them, fewer at a time. */
static size_t
window(const struct redis *r)
{
	if (redis_link_context(r->link) == NULL)
		return 0;
	return is_up(r) ? WINDOW : WINDOW_SLOW;
}

/* As much of what waits as there is place for. */
static void
send_waiting(struct redis *r)
{
	struct store_request *q, *next;

	for (q = TAILQ_FIRST(&r->waiting);
	     q != NULL && r->n_sent - r->n_asked < window(r); q = next) {
		next = TAILQ_NEXT(q, link);
		if (!send_one(r, q))
			break;
	}
	count(r);
}

static void
queue(struct redis *r, struct store_request *q)
{
	struct store_request *oldest;

	if (q == NULL) {
		stat_add(&r->store.stats->dropped, 1);
		return;
	}
	if (r->n_waiting >= QUEUE_MAX) {
		oldest = TAILQ_FIRST(&r->waiting);
		TAILQ_REMOVE(&r->waiting, oldest, link);
		r->n_waiting--;
		free(oldest);
		stat_add(&r->store.stats->dropped, 1);
	}
	TAILQ_INSERT_TAIL(&r->waiting, q, link);
	r->n_waiting++;
	send_waiting(r);
}

static void
put(struct store *s, struct str key, struct str value, uint64_t ttl_ms,
    enum store_how how)
{
	struct redis *r = CONTAINER_OF(s, struct redis, store);
	struct store_request *q = request_new(r, KIND_PUT, key, value);

	if (q != NULL) {
		q->how = how;
		q->ends_us = clock_mono_us() + ttl_ms * US_PER_MS;
	}
	queue(r, q);
}

static void
drop(struct store *s, struct str key)
{
	struct redis *r = CONTAINER_OF(s, struct redis, store);

	queue(r, request_new(r, KIND_DROP, key, (struct str){ NULL, 0 }));
}

/* Of a fault hiredis tells in its own time: nobody is called in here. */
static void
flush(struct store *s)
{
	struct redis *r = CONTAINER_OF(s, struct redis, store);
	struct redisAsyncContext *ac = redis_link_context(r->link);
	int done;

	if (ac != NULL)
		(void)redisBufferWrite(&ac->c, &done);
}

/* ---- asking ---- */

static void
arm_late(struct redis *r)
{
	const struct store_request *q = TAILQ_FIRST(&r->asks);
	uint64_t now = clock_mono_us();

	if (q != NULL)
		alarm_set(r->late, q->due_us > now ? q->due_us - now : 0);
}

static void
on_late(void *arg)
{
	struct redis *r = arg;
	uint64_t now = clock_mono_us();
	struct store_request *q;

	while ((q = TAILQ_FIRST(&r->asks)) != NULL && q->due_us <= now) {
		answer(q, STORE_LATE, (struct str){ NULL, 0 });
		if (++r->lates >= LATES_MAX)
			be_slow(r);
	}
	arm_late(r);
}

/*
 * GETRANGE and not GET: of what lies under our keys and is not ours no more is
 * read than we would put there.
 */
static bool
send_first(struct store_request *q, const struct str *keys, size_t n)
{
	char key[WHOLE_MAX], last[24];
	const char *words[] = { "GETRANGE", key, "0", last };
	size_t lens[] = { 8, 0, 1,
		(size_t)snprintf(last, sizeof(last), "%d", STORE_VALUE_MAX) };

	for (size_t i = 0; i < n; i++) {
		lens[1] = whole_key(q->redis, keys[i], key, sizeof(key));
		if (!send_words(q, words, lens, 4))
			break;
	}
	return q->replies > 0;
}

static void
first(struct store *s, const struct str *keys, size_t n, struct store_ask *ask)
{
	struct redis *r = CONTAINER_OF(s, struct redis, store);
	struct str none = { NULL, 0 };
	struct store_request *q = NULL;

	if (is_up(r) && r->n_asked < ASKED_MAX)
		q = request_new(r, KIND_FIRST, none, none);
	if (q == NULL || !send_first(q, keys, n)) {
		free(q);
		store_tell(s, ask, STORE_AWAY, none);
		return;
	}
	note_sent(q);
	q->due_us = q->sent_us + r->cfg->timeout_us - CLOCK_US;
	q->ask = ask;
	ask->request = q;
	TAILQ_INSERT_TAIL(&r->asks, q, ask_link);
	if (TAILQ_FIRST(&r->asks) == q)
		arm_late(r);
}

static void
forget(struct store *s UNUSED, struct store_ask *ask)
{
	leave_asks(ask->request);
}

/* ---- the clock ---- */

static void
ask_whether_there(struct redis *r)
{
	struct str none = { NULL, 0 };
	struct store_request *q = request_new(r, KIND_PING, none, none);
	const char *words[] = { "PING" };

	if (q == NULL || !send_words(q, words, (size_t[]){ 4 }, 1))
		free(q);
	else
		note_sent(q);
}

static void
on_look(void *arg)
{
	struct redis *r = arg;
	const struct store_request *oldest = TAILQ_FIRST(&r->sent);
	uint64_t now = clock_mono_us();

	if (oldest != NULL && now - oldest->sent_us > HANG_US) {
		redis_link_drop(r->link, STORE_WHY_NO_ANSWER);
		return;
	}
	if (oldest != NULL && now - oldest->sent_us > slow_us(r))
		be_slow(r);
	else if (oldest == NULL &&
	    (!is_up(r) || now - r->answered_us >= IDLE_US))
		ask_whether_there(r);
	alarm_set(r->look, LOOK_US);
}

/* ---- the connection ---- */

static void
on_up(void *arg)
{
	struct redis *r = arg;

	r->lates = 0;
	r->answered_us = clock_mono_us();
	stat_add(&r->store.stats->connects, 1);
	be(r, STORE_UP, STORE_WHY_NOTHING);
	alarm_set(r->look, LOOK_US);
	send_waiting(r);
}

static void
on_down(enum store_why why, void *arg)
{
	struct redis *r = arg;

	alarm_clear(r->look);
	be(r, STORE_DOWN, why);
}

static void
free_list(struct request_list *list)
{
	struct store_request *q;

	while ((q = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, q, link);
		free(q);
	}
}

static void
close_it(struct store *s)
{
	struct redis *r = CONTAINER_OF(s, struct redis, store);
	struct store_request *q;

	r->closing = true;
	while ((q = TAILQ_FIRST(&r->asks)) != NULL)
		leave_asks(q);
	redis_link_free(&r->link); /* frees what was sent */
	free_list(&r->waiting);
	alarm_free(&r->late);
	alarm_free(&r->look);
	free(r);
}

static const struct store_ops ops = { first, forget, put, drop, flush,
	close_it };

int
store_redis_open(const struct store_env *env, struct store **out)
{
	struct redis *r = calloc(1, sizeof(*r));
	struct redis_link_env link = { env, on_up, on_down, r };

	if (r == NULL)
		return E_NOMEM;
	r->store.ops = &ops;
	r->store.stats = env->stats;
	r->cfg = env->cfg;
	r->name = env->name;
	TAILQ_INIT(&r->sent);
	TAILQ_INIT(&r->waiting);
	TAILQ_INIT(&r->asks);
	store_is(&r->store, STORE_DOWN, STORE_WHY_CONNECTING);
	r->late = alarm_new(env->loop, on_late, r);
	r->look = alarm_new(env->loop, on_look, r);
	if (r->late == NULL || r->look == NULL ||
	    redis_link_new(&link, &r->link) != E_OK) {
		close_it(&r->store);
		return E_NOMEM;
	}
	*out = &r->store;
	return E_OK;
}
