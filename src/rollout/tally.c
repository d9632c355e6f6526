#include "rollout/tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "net/loop.h"
#include "rollout/machine.h"
#include "store/bus.h"
#include "upstream/registry.h"

#define BATCH 500      /* sessions a command */
#define UNDER_WAY 1024 /* commands at a time */
#define SILENT_US (3 * US_PER_S)
#define SOON_US (10 * US_PER_MS) /* many answers come about at once */
/* Looks, while others may have to tell Redis anew; redis_link's pauses are up
   to a second. */
#define EAGER_US (200 * US_PER_MS)
#define EAGER_FOR_US (3 * US_PER_S / 2)
#define GLANCE_US (US_PER_S / 2) /* of looks each second is one */
#define CHECK_TURNS 2 /* of a pool that drains: who is elsewhere by now? */
#define SKEW_S 600    /* of clocks: so much longer a record is kept */
#define AT_ONCE 32    /* services of which nobody is known to have any */
#define KEY_MAX 448
#define COUNT_MOST (UINT64_C(1) << 53) /* more there cannot be */
#define EPOCH_BITS 20 /* of a score: who is seen at once is where he went */

struct tally {
	struct tally_env env;
	struct alarm *alarm; /* owned */
	struct bus *bus;     /* owned; NULL: nothing is shared */
	const char *prefix, *cluster;
	enum store_why
	    why; /* it was away last; NOTHING: it has answered since */
	TAILQ_HEAD(, asked) asked; /* under way */
	unsigned under_way;
	uint64_t heard_us; /* monotonic: an answer came, or the first of them
	                      was asked for */
	bool answers;      /* it does, since the connection is there */
	uint64_t eager_us; /* monotonic: looks are more frequent until then */
	bool soon;         /* the next look is */
	bool glances;      /* instead of looking */
	uint64_t turn;     /* looks so far */
};

/* A question that is under way; its service may be gone meanwhile. */
struct asked {
	TAILQ_ENTRY(asked) link;
	struct tally *tally;
	uint64_t pool; /* of those it was told of */
	char service[CFG_NAME_MAX + 1];
	size_t n;
	uint64_t pools[CFG_POOLS_MAX]; /* hashes of names, in order */
};

/* What a sweep has found to tell, by pool. */
struct batch {
	struct tally *tally;
	const struct ro_service *s;
	struct sessions *sessions;
	int64_t booted_s; /* wall clock, rounded up: what is seen has the same
	                     score each time, and ends in no set too early */
	struct buf text[CFG_POOLS_MAX];
	uint64_t pools[CFG_POOLS_MAX];
};

/* Of a session: its id, and its score as Redis writes it. */
#define TOLD "%016" PRIx64 "%016" PRIu64
#define TOLD_BYTES 32

/*
 * The newest pin says where it is, by its epoch, and of two such the last sight.
 * Told are those that have a newer pin than ours, with its epoch.  When all are
 * told anew most are known: the same text is the same score.
 */
static const char tell_script[] =
    "local left, E, keys, text = '', 1048576, { KEYS[1] }, ARGV[2] "
    "for k = 2, #KEYS do "
    "if redis.call('ZCOUNT', KEYS[k], '-inf', '+inf') > 0 then "
    "keys[#keys + 1] = KEYS[k] end end "
    "for i = 1, #text, 32 do "
    "local id = string.sub(text, i, i + 15) "
    "local score = string.sub(text, i + 16, i + 31) "
    "local late = false "
    "for k = 1, #keys do "
    "local s = redis.call('ZSCORE', keys[k], id) "
    "if s == score and k == 1 then late = true "
    "else s = tonumber(s or -1) if s >= 0 then "
    "local newer = s % E - score % E "
    "if newer > 0 or (newer == 0 and s > tonumber(score)) then late = true "
    "if k > 1 and newer > 0 then "
    "left = left .. id .. string.format('%05x', s % E) end "
    "elseif k > 1 then redis.call('ZREM', keys[k], id) end "
    "end end end "
    "if not late then redis.call('ZADD', keys[1], score, id) end "
    "end "
    "redis.call('PEXPIRE', keys[1], ARGV[1]) "
    "return {'ok' .. left}";

static const char count_script[] =
    "redis.call('SET', KEYS[1], ARGV[2], 'NX') "
    "local out = redis.call('GET', KEYS[1]) "
    "for k = 2, #KEYS do "
    "redis.call('ZREMRANGEBYSCORE', KEYS[k], '-inf', '(' .. ARGV[3]) "
    "out = out .. ' ' .. redis.call('ZCOUNT', KEYS[k], ARGV[1], '+inf') "
    "end "
    "return {out}";

/* ---- names ---- */

static uint64_t
hash_of(const struct tally *t, const struct ro_service *s, size_t at)
{
	const struct pool *p = registry_pool(t->env.registry, s->name,
	    s->pools[at].name);

	return p == NULL ? 0 : p->name_hash;
}

static struct str
key_of(const struct tally *t, const struct ro_service *s, size_t at,
    char out[KEY_MAX])
{
	int n = snprintf(out, KEY_MAX, "%ss:%s:%s:%s:%" PRIu32, t->prefix,
	    t->cluster, s->name, s->pools[at].name, s->pools[at].min_epoch);

	return str_from(out, (size_t)n);
}

/* Of the shared records: such a time is too long ago for what lives. */
static uint64_t
kept_us(const struct sessions *all)
{
	return all->idle_us + all->idle_us / SESSIONS_TELLS;
}

static uint64_t
score_of(uint64_t wall_s, uint32_t epoch)
{
	return wall_s << EPOCH_BITS | (epoch & ((1u << EPOCH_BITS) - 1));
}

/* Redis is there again, or has lost what it knew. */
static void
hurry(struct tally *t)
{
	t->eager_us = clock_mono_us() + EAGER_FOR_US;
	if (!t->soon)
		alarm_set(t->alarm, SOON_US);
	t->soon = true;
}

/* ---- telling ---- */

static void
end_ask(struct asked *a, bool answered)
{
	struct tally *t = a->tally;

	TAILQ_REMOVE(&t->asked, a, link);
	t->under_way--;
	if (answered)
		t->heard_us = clock_mono_us();
	if (answered && !t->answers)
		hurry(t); /* it can be told of those that wait */
	t->answers |= answered;
	free(a);
}

#define LEFT_BYTES 21 /* a key, and the epoch of its newest pin */

static void
drop_left(const struct asked *a, struct sessions *all, struct str left)
{
	uint64_t id, epoch;
	char digits[STR_HEX64_MAX] = "00000000000";

	for (; left.len >= LEFT_BYTES;
	     left = str_sub(left, LEFT_BYTES, left.len)) {
		memcpy(digits + 11, left.p + 16, 5);
		if (str_hex64(str_sub(left, 0, 16), &id) &&
		    str_hex64(str_from(digits, 16), &epoch))
			sessions_left(all, id, a->pool, (uint32_t)epoch,
			    clock_mono_us());
	}
}

static void
on_told(const struct str *values, size_t n, void *arg)
{
	struct asked *a = arg;
	struct service *s = registry_service(a->tally->env.registry,
	    a->service);

	if (s != NULL && n == 0)
		sessions_retell(&s->sessions);
	else if (s != NULL && str_starts(values[0], STR("ok")))
		drop_left(a, &s->sessions,
		    str_sub(values[0], 2, values[0].len));
	end_ask(a, n > 0);
}

static struct asked *
ask_of(struct tally *t, const struct ro_service *s, const uint64_t *pools)
{
	struct asked *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->tally = t;
	TAILQ_INSERT_TAIL(&t->asked, a, link);
	if (t->under_way++ == 0)
		t->heard_us = clock_mono_us();
	memcpy(a->service, s->name, sizeof(a->service));
	a->n = s->n_pools;
	memcpy(a->pools, pools, s->n_pools * sizeof(*pools));
	return a;
}

/* The pool's own set first, then those where they may have been. */
static void
send_batch(struct batch *b, size_t at)
{
	struct tally *t = b->tally;
	struct asked *a = ask_of(t, b->s, b->pools);
	char keys[CFG_POOLS_MAX][KEY_MAX], ttl[24];
	struct str words[CFG_POOLS_MAX + 2];
	size_t n = 0;

	if (a == NULL || b->text[at].failed) {
		sessions_retell(b->sessions);
		if (a != NULL)
			end_ask(a, false);
		buf_free(&b->text[at]);
		return;
	}
	a->pool = b->pools[at];
	words[n++] = key_of(t, b->s, at, keys[at]);
	for (size_t i = 0; i < b->s->n_pools; i++)
		if (i != at)
			words[n++] = key_of(t, b->s, i, keys[i]);
	(void)snprintf(ttl, sizeof(ttl), "%" PRIu64,
	    2 * kept_us(b->sessions) / US_PER_MS + 1);
	words[n] = str_of(ttl);
	words[n + 1] = buf_str(&b->text[at]);
	bus_run(t->bus, tell_script, words, n, n + 2, on_told, a);
	buf_free(&b->text[at]);
}

static bool
add(const struct session *one, void *arg)
{
	struct batch *b = arg;
	uint64_t wall_s = (uint64_t)(b->booted_s + one->seen_s);
	size_t at = 0;

	while (at < b->s->n_pools && b->pools[at] != one->pool)
		at++;
	if (at == b->s->n_pools)
		return false; /* of a pool that is no more */
	if (b->tally->under_way >= UNDER_WAY)
		return false;
	buf_printf(&b->text[at], TOLD, one->id, score_of(wall_s, one->epoch));
	if (b->text[at].len >= (size_t)BATCH * TOLD_BYTES)
		send_batch(b, at);
	return true;
}

static bool
wait(const struct session *one UNUSED, void *arg UNUSED)
{
	return false;
}

/* ---- asking ---- */

static void
take_counts(struct asked *a, struct sessions *all, struct str text)
{
	uint64_t since_us, n;

	if (!str_u64(str_split(&text, ' '), &since_us))
		return;
	if (since_us != all->shared_since_us) {
		/* What it counts is good once it knows ours again. */
		all->shared_since_us = since_us;
		sessions_retell(all);
		hurry(a->tally);
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (!str_u64(str_split(&text, ' '), &n) || n > COUNT_MOST)
			return;
		sessions_share(all, a->pools[i], n);
	}
	all->shared_us = clock_mono_us();
}

static void
on_counted(const struct str *values, size_t n, void *arg)
{
	struct asked *a = arg;
	struct tally *t = a->tally;
	struct service *s = registry_service(t->env.registry, a->service);

	if (n == 1 && s != NULL)
		take_counts(a, &s->sessions, values[0]);
	if (n == 1 && t->why != STORE_WHY_NOTHING) {
		t->why = STORE_WHY_NOTHING;
		log_info("event=sessions_shared");
	}
	end_ask(a, n == 1);
}

static void
count(struct tally *t, const struct ro_service *s, const uint64_t *pools,
    const struct sessions *all)
{
	uint64_t now_us = clock_wall_us(), wall_s = now_us / US_PER_S;
	struct asked *a = ask_of(t, s, pools);
	char keys[CFG_POOLS_MAX][KEY_MAX], since[KEY_MAX], least[24], now[24],
	    old[24];
	struct str words[CFG_POOLS_MAX + 4];
	size_t n = 0;

	if (a == NULL)
		return;
	words[n++] = str_from(since,
	    (size_t)snprintf(since, sizeof(since), "%ss:%s:%s:since", t->prefix,
	        t->cluster, s->name));
	for (size_t i = 0; i < s->n_pools; i++)
		words[n++] = key_of(t, s, i, keys[i]);
	(void)snprintf(least, sizeof(least), "%" PRIu64,
	    score_of(wall_s - kept_us(all) / US_PER_S, 0));
	(void)snprintf(now, sizeof(now), "%" PRIu64, now_us);
	(void)snprintf(old, sizeof(old), "%" PRIu64,
	    score_of(wall_s - 2 * kept_us(all) / US_PER_S - SKEW_S, 0));
	words[n] = str_of(least);
	words[n + 1] = str_of(now);
	words[n + 2] = str_of(old);
	bus_run(t->bus, count_script, words, n, n + 3, on_counted, a);
}

/* ---- each second ---- */

static void
share(struct tally *t, const struct ro_service *s, struct sessions *all)
{
	struct batch b = { .tally = t,
		.s = s,
		.sessions = all,
		.booted_s = (int64_t)(clock_wall_us() - clock_mono_us() +
		                US_PER_S - 1) /
		    (int64_t)US_PER_S };

	for (size_t i = 0; i < s->n_pools; i++) {
		b.pools[i] = hash_of(t, s, i);
		if (s->pools[i].state == POOL_DRAINING &&
		    t->turn % CHECK_TURNS == 0)
			sessions_retell_of(all, b.pools[i]);
	}
	/* Before it answers, nothing says that it can. */
	sessions_sweep(all, clock_mono_us(), t->answers ? add : wait, &b);
	for (size_t i = 0; i < s->n_pools; i++)
		if (b.text[i].len > 0)
			send_batch(&b, i);
	count(t, s, b.pools, all);
}

/* Of many services, those without any are asked for in turn. */
static bool
is_of_interest(const struct tally *t, const struct ro_service *s,
    const struct sessions *all, size_t at)
{
	size_t turns = 1 + t->env.state->n_services / AT_ONCE;
	bool any = atomic_load(&all->n) > 0 || (t->turn + at) % turns == 0;

	for (size_t i = 0; i < s->n_pools; i++)
		any |= s->pools[i].state == POOL_DRAINING;
	for (size_t i = 0; i < SESSIONS_POOLS; i++)
		any |= all->pools[i].shared > 0;
	return any;
}

/* Redis is not asked any more how many a pool has that is gone. */
static void
forget_gone(const struct tally *t, const struct ro_service *s,
    struct sessions *all)
{
	for (size_t i = 0; i < SESSIONS_POOLS; i++) {
		uint64_t pool = atomic_load(&all->pools[i].pool);
		bool known = all->pools[i].shared == 0;

		for (size_t k = 0; k < s->n_pools && !known; k++)
			known = hash_of(t, s, k) == pool;
		if (!known)
			sessions_share(all, pool, 0);
	}
}

static void
look_at(struct tally *t, const struct ro_service *s, struct sessions *all,
    size_t at)
{
	forget_gone(t, s, all);
	if (t->bus == NULL || !bus_is_up(t->bus))
		sessions_sweep(all, clock_mono_us(), NULL, NULL);
	else if (is_of_interest(t, s, all, at))
		share(t, s, all);
}

static void
look(struct tally *t)
{
	struct service *of = NULL;

	t->turn++;
	for (size_t i = 0; i < t->env.state->n_services; i++) {
		const struct ro_service *s = &t->env.state->services[i];

		of = registry_service_next(t->env.registry, of);
		if (of == NULL || strcmp(of->name, s->name) != 0)
			of = registry_service(t->env.registry, s->name);
		if (of != NULL)
			look_at(t, s, &of->sessions, i);
	}
}

/* Of one service, whatever the number: what has emptied Redis took all. */
static void
glance(struct tally *t)
{
	const struct ro_state *state = t->env.state;
	uint64_t pools[CFG_POOLS_MAX];
	struct service *of;

	if (t->bus == NULL || !bus_is_up(t->bus))
		return;
	for (size_t i = 0; i < state->n_services; i++) {
		const struct ro_service *s = &state->services[i];

		of = registry_service(t->env.registry, s->name);
		if (of == NULL || of->sessions.shared_since_us == 0)
			continue;
		for (size_t k = 0; k < s->n_pools; k++)
			pools[k] = hash_of(t, s, k);
		count(t, s, pools, &of->sessions);
		return;
	}
}

static void
on_time(void *arg)
{
	struct tally *t = arg;
	bool eager = clock_mono_us() < t->eager_us;

	t->glances = !t->glances && !eager && !t->soon;
	t->soon = false;
	alarm_set(t->alarm, eager ? EAGER_US : GLANCE_US);
	if (t->under_way > 0 && clock_mono_us() - t->heard_us > SILENT_US)
		bus_drop(t->bus);
	if (t->glances)
		glance(t);
	else
		look(t);
}

/* ---- life ---- */

/* What was under way when it was lost may not be there.  Why is told once. */
static void
on_turned(bool up, enum store_why why, void *arg)
{
	struct tally *t = arg;
	struct service *s = NULL;

	if (!up && why != t->why)
		log_warn("event=sessions_alone why=\"Redis: %s\"",
		    store_why_text(why));
	if (!up)
		t->why = why;
	t->answers = false;
	while (up && (s = registry_service_next(t->env.registry, s)) != NULL)
		sessions_retell(&s->sessions);
	if (up)
		hurry(t);
}

int
tally_new(const struct tally_env *env, struct tally **out)
{
	struct tally *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return E_NOMEM;
	t->env = *env;
	TAILQ_INIT(&t->asked);
	t->alarm = alarm_new(env->loop, on_time, t);
	if (t->alarm == NULL) {
		free(t);
		return E_NOMEM;
	}
	alarm_set(t->alarm, US_PER_S);
	*out = t;
	return E_OK;
}

int
tally_share(struct tally *t, const struct store_env *store, const char *prefix,
    const char *cluster)
{
	struct bus_env env = { .store = store, .turned = on_turned, .arg = t };

	t->prefix = prefix;
	t->cluster = cluster;
	return bus_new(&env, &t->bus);
}

void
tally_free(struct tally **tp)
{
	struct tally *t = *tp;
	struct asked *a, *next;

	if (t == NULL)
		return;
	bus_free(&t->bus);
	for (a = TAILQ_FIRST(&t->asked); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		free(a);
	}
	alarm_free(&t->alarm);
	free(t);
	*tp = NULL;
}
