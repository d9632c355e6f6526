#include "upstream/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"

#define LEAST_ROWS 16            /* of a shard; a power of two */
#define SHARED_US (5 * US_PER_S) /* so long an answer of Redis is good */

struct session_row {
	uint64_t id; /* 0: the row is free */
	uint32_t first_s, seen_s, ends_s, epoch;
	uint32_t told_s; /* .seen_s as others know it; 0: they do not */
	uint16_t bucket;
	uint8_t at; /* in .pools */
};

_Static_assert(sizeof(struct session_row) == 32, "as the header says");

void
sessions_init(struct sessions *s)
{
	memset(s, 0, sizeof(*s));
}

/* ---- shards ---- */

static struct session_shard *
shards_new(void)
{
	struct session_shard *all = calloc(SESSIONS_SHARDS, sizeof(*all));

	for (size_t i = 0; all != NULL && i < SESSIONS_SHARDS; i++)
		(void)pthread_mutex_init(&all[i].mutex, NULL);
	return all;
}

static void
shards_free(struct session_shard *all)
{
	for (size_t i = 0; all != NULL && i < SESSIONS_SHARDS; i++) {
		free(all[i].rows);
		(void)pthread_mutex_destroy(&all[i].mutex);
	}
	free(all);
}

void
sessions_free(struct sessions *s)
{
	shards_free(atomic_load(&s->shards));
}

/* Two workers may see the first session at once. */
static struct session_shard *
shards_make(struct sessions *s)
{
	struct session_shard *none = NULL, *all = shards_new();

	if (atomic_compare_exchange_strong(&s->shards, &none, all))
		return all;
	shards_free(all);
	return none;
}

/* Ids are random: their bits will do. */
static struct session_shard *
shard_of(struct session_shard *all, uint64_t id)
{
	return &all[id >> 32 & (SESSIONS_SHARDS - 1)];
}

static uint32_t
home_of(const struct session_shard *h, uint64_t id)
{
	return (uint32_t)id & (h->size - 1);
}

/* Its row, or the free one where it would stand. */
static struct session_row *
row_of(const struct session_shard *h, uint64_t id)
{
	uint32_t i = home_of(h, id);

	while (h->rows[i].id != 0 && h->rows[i].id != id)
		i = (i + 1) & (h->size - 1);
	return &h->rows[i];
}

static bool
resize(struct session_shard *h, uint32_t size)
{
	struct session_shard to = { .size = size,
		.rows = calloc(size, sizeof(struct session_row)) };

	if (to.rows == NULL)
		return false;
	for (uint32_t i = 0; i < h->size; i++)
		if (h->rows[i].id != 0)
			*row_of(&to, h->rows[i].id) = h->rows[i];
	free(h->rows);
	h->rows = to.rows;
	h->size = size;
	return true;
}

/* Three quarters full at most, so that there always is a free one. */
static bool
make_room(struct session_shard *h)
{
	if (h->n + 1 <= h->size / 4 * 3)
		return true;
	return resize(h, h->size == 0 ? LEAST_ROWS : 2 * h->size) ||
	    h->n + 1 < h->size;
}

/*
 * Those behind it that would not be found past a free row move up (Knuth,
 * The Art of Computer Programming 3, 6.4, algorithm R).
 */
static void
take_out(struct sessions *s, struct session_shard *h, uint32_t at)
{
	uint32_t mask = h->size - 1, hole = at, i = at;

	atomic_fetch_sub(&s->pools[h->rows[at].at].n, 1);
	atomic_fetch_sub(&s->n, 1);
	h->n--;
	for (;;) {
		i = (i + 1) & mask;
		if (h->rows[i].id == 0)
			break;
		/* Does its home lie behind the hole, up to where it is? */
		if (((i - home_of(h, h->rows[i].id)) & mask) <
		    ((i - hole) & mask))
			continue;
		h->rows[hole] = h->rows[i];
		hole = i;
	}
	h->rows[hole].id = 0;
}

/* ---- pools ---- */

/* -1: none has that name. */
static int
pool_at(const struct sessions *s, uint64_t pool)
{
	for (int i = 0; i < SESSIONS_POOLS; i++)
		if (atomic_load_explicit(&s->pools[i].pool,
		        memory_order_acquire) == pool)
			return i;
	return -1;
}

/* The same, or one that becomes it: never used, or without a record. */
static int
pool_take(struct sessions *s, uint64_t pool)
{
	int at = pool_at(s, pool);

	for (int i = 0; at == -1 && i < SESSIONS_POOLS; i++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&s->pools[i].pool, &none,
		        pool) ||
		    none == pool)
			at = i;
	}
	return at;
}

uint64_t
sessions_on(const struct sessions *s, uint64_t pool)
{
	int at = pool_at(s, pool);

	return at == -1 ? 0 : atomic_load(&s->pools[at].n);
}

uint64_t
sessions_lost_us(const struct sessions *s, uint64_t pool)
{
	int at = pool_at(s, pool);

	return at == -1 ? 0 : atomic_load(&s->pools[at].lost_us);
}

uint64_t
sessions_left_us(const struct sessions *s, uint64_t pool)
{
	int at = pool_at(s, pool);

	return at == -1 ? 0 : atomic_load(&s->pools[at].left_us);
}

void
sessions_void(struct sessions *s, uint64_t pool, uint32_t epoch)
{
	int at = epoch == 0 ? pool_at(s, pool) : pool_take(s, pool);

	if (at == -1)
		return;
	s->pools[at].retell |= atomic_load(&s->pools[at].least) != epoch;
	atomic_store(&s->pools[at].least, epoch);
}

/* ---- records ---- */

static uint32_t
seconds(uint64_t us)
{
	return (uint32_t)(us / US_PER_S);
}

static void
lose(struct sessions *s, int at, uint64_t now_us)
{
	atomic_fetch_add(&s->lost, 1);
	if (at != -1)
		atomic_store(&s->pools[at].lost_us, now_us);
}

static void
update(struct sessions *s, struct session_row *r, const struct session *is,
    int at, uint64_t now_us)
{
	r->seen_s = seconds(now_us);
	/* A cookie of before it moved: one that is late, or kept. */
	if (r->at != at && is->epoch < r->epoch)
		return;
	if (r->at != at) {
		atomic_store(&s->pools[r->at].left_us, now_us);
		atomic_fetch_sub(&s->pools[r->at].n, 1);
		atomic_fetch_add(&s->pools[at].n, 1);
		r->told_s = 0;
	}
	r->at = (uint8_t)at;
	r->ends_s = is->ends_s;
	r->epoch = is->epoch;
}

static bool
add(struct sessions *s, struct session_shard *h, const struct session *is,
    int at, uint32_t now_s)
{
	if (!make_room(h))
		return false;
	*row_of(h, is->id) = (struct session_row){ .id = is->id,
		.first_s = now_s,
		.seen_s = now_s,
		.ends_s = is->ends_s,
		.epoch = is->epoch,
		.bucket = is->bucket,
		.at = (uint8_t)at };
	h->n++;
	atomic_fetch_add(&s->n, 1);
	atomic_fetch_add(&s->pools[at].n, 1);
	return true;
}

static bool
note(struct sessions *s, struct session_shard *h, const struct session *is,
    int at, uint64_t now_us, uint64_t most)
{
	struct session_row *r = h->size == 0 ? NULL : row_of(h, is->id);

	if (r == NULL || r->id == 0)
		return atomic_load(&s->n) < most &&
		    add(s, h, is, at, seconds(now_us));
	update(s, r, is, at, now_us);
	return true;
}

void
sessions_see(struct sessions *s, const struct session *is, uint64_t now_us,
    uint64_t most)
{
	struct session_shard *all = atomic_load(&s->shards), *h;
	bool done = false;
	int at = -1;

	if (all == NULL)
		all = shards_make(s);
	if (all != NULL && is->id != 0) {
		h = shard_of(all, is->id);
		(void)pthread_mutex_lock(&h->mutex);
		at = pool_take(s, is->pool);
		done = at != -1 && note(s, h, is, at, now_us, most);
		(void)pthread_mutex_unlock(&h->mutex);
	}
	if (!done)
		lose(s, at, now_us);
}

static void
show(const struct sessions *s, const struct session_row *r, struct session *out)
{
	*out = (struct session){ .id = r->id,
		.pool = atomic_load(&s->pools[r->at].pool),
		.first_s = r->first_s,
		.seen_s = r->seen_s,
		.ends_s = r->ends_s,
		.epoch = r->epoch,
		.bucket = r->bucket };
}

bool
sessions_find(struct sessions *s, uint64_t id, struct session *out)
{
	struct session_shard *all = atomic_load(&s->shards), *h;
	bool found;

	if (all == NULL || id == 0)
		return false;
	h = shard_of(all, id);
	(void)pthread_mutex_lock(&h->mutex);
	found = h->size > 0 && row_of(h, id)->id == id;
	if (found)
		show(s, row_of(h, id), out);
	(void)pthread_mutex_unlock(&h->mutex);
	return found;
}

void
sessions_each(struct sessions *s, session_fn *fn, void *arg)
{
	struct session_shard *all = atomic_load(&s->shards);
	struct session one;

	for (size_t i = 0; all != NULL && i < SESSIONS_SHARDS; i++) {
		struct session_shard *h = &all[i];

		(void)pthread_mutex_lock(&h->mutex);
		for (uint32_t k = 0; k < h->size; k++) {
			if (h->rows[k].id == 0)
				continue;
			show(s, &h->rows[k], &one);
			fn(&one, arg);
		}
		(void)pthread_mutex_unlock(&h->mutex);
	}
}

/* ---- the end of sessions ---- */

static bool
has_ended(const struct sessions *s, const struct session_row *r, uint32_t now_s,
    uint32_t idle_s)
{
	return now_s >= r->ends_s ||
	    (int32_t)(now_s - r->seen_s) > (int32_t)idle_s ||
	    r->epoch <
	    atomic_load_explicit(&s->pools[r->at].least, memory_order_relaxed);
}

/* Rows of which others are told in one go, while nobody waits. */
#define SLICE 256

struct sweep {
	uint32_t now_s, idle_s, every_s;
	session_tell_fn *tell;
	void *arg;
	bool retells, again[SESSIONS_POOLS];
	struct session due[SLICE]; /* of these rows; [n] */
	bool told[SLICE];
	size_t n;
};

static bool
is_due(const struct session_row *r, const struct sweep *w)
{
	return w->tell != NULL &&
	    (r->told_s == 0 || r->seen_s - r->told_s >= w->every_s);
}

/* Of the rows from here on: returns where it has come to. */
static uint32_t
pick(struct sessions *s, struct session_shard *h, uint32_t i, struct sweep *w)
{
	uint32_t end = h->size - i > SLICE ? i + SLICE : h->size;

	w->n = 0;
	while (i < end) {
		struct session_row *r = &h->rows[i];

		/* Another one may come to stand where one goes. */
		if (r->id != 0 && has_ended(s, r, w->now_s, w->idle_s)) {
			take_out(s, h, i);
			continue;
		}
		if (r->id != 0 && is_due(r, w))
			show(s, r, &w->due[w->n++]);
		i++;
	}
	return i;
}

/* Before any of a shard is told: who is missed then stays due. */
static void
forget_told(struct session_shard *h, const struct sweep *w)
{
	for (uint32_t i = 0; i < h->size; i++)
		if (h->rows[i].id != 0 && w->again[h->rows[i].at])
			h->rows[i].told_s = 0;
}

/* One that has moved meanwhile is to be told of once more. */
static void
mark(const struct sessions *s, struct session_shard *h, const struct sweep *w)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct session *one = &w->due[i];
		struct session_row *r = row_of(h, one->id);

		if (w->told[i] && r->id == one->id && r->epoch == one->epoch &&
		    atomic_load(&s->pools[r->at].pool) == one->pool)
			r->told_s = one->seen_s;
	}
}

static void
tell(struct sessions *s, struct sweep *w)
{
	for (size_t i = 0; i < w->n; i++) {
		w->told[i] = w->tell(&w->due[i], w->arg);
		s->untold += !w->told[i];
	}
}

/*
 * While others are told workers go on.  If they make it larger rows change their
 * places: one may be missed, and is due in the next sweep.
 */
static void
sweep(struct sessions *s, struct session_shard *h, struct sweep *w)
{
	uint32_t size, at = 0;

	(void)pthread_mutex_lock(&h->mutex);
	if (w->retells)
		forget_told(h, w);
	while (at < h->size) {
		size = h->size;
		at = pick(s, h, at, w);
		if (w->n == 0)
			continue;
		(void)pthread_mutex_unlock(&h->mutex);
		tell(s, w);
		(void)pthread_mutex_lock(&h->mutex);
		mark(s, h, w);
		s->untold += h->size != size;
	}
	if (h->size > LEAST_ROWS && h->n < h->size / 8)
		(void)resize(h, h->size / 2);
	(void)pthread_mutex_unlock(&h->mutex);
}

/*
 * Pools whose names are no more leave room for others.  Who holds all shards
 * knows that nobody is about to use one.
 */
static void
free_pools(struct sessions *s, struct session_shard *all)
{
	for (size_t i = 0; i < SESSIONS_SHARDS; i++)
		(void)pthread_mutex_lock(&all[i].mutex);
	for (size_t i = 0; i < SESSIONS_POOLS; i++)
		if (atomic_load(&s->pools[i].n) == 0 &&
		    s->pools[i].shared == 0) {
			atomic_store(&s->pools[i].least, 0);
			atomic_store(&s->pools[i].lost_us, 0);
			atomic_store(&s->pools[i].left_us, 0);
			atomic_store(&s->pools[i].pool, 0);
		}
	for (size_t i = 0; i < SESSIONS_SHARDS; i++)
		(void)pthread_mutex_unlock(&all[i].mutex);
}

void
sessions_sweep(struct sessions *s, uint64_t now_us, session_tell_fn *fn,
    void *arg)
{
	struct session_shard *all = atomic_load(&s->shards);
	struct sweep w = { .now_s = seconds(now_us),
		.idle_s = seconds(s->idle_us),
		.every_s = seconds(s->idle_us) / SESSIONS_TELLS,
		.tell = fn,
		.arg = arg };

	s->untold = 0;
	for (size_t i = 0; fn != NULL && i < SESSIONS_POOLS; i++) {
		w.again[i] = s->pools[i].retell;
		w.retells |= w.again[i];
		s->pools[i].retell = false;
	}
	if (all == NULL)
		return;
	for (size_t i = 0; i < SESSIONS_SHARDS; i++)
		sweep(s, &all[i], &w);
	if (atomic_load(&s->pools[SESSIONS_POOLS - 1].pool) != 0)
		free_pools(s, all);
}

void
sessions_retell(struct sessions *s)
{
	for (size_t i = 0; i < SESSIONS_POOLS; i++)
		s->pools[i].retell = true;
}

void
sessions_retell_of(struct sessions *s, uint64_t pool)
{
	int at = pool_at(s, pool);

	if (at != -1)
		s->pools[at].retell = true;
}

void
sessions_left(struct sessions *s, uint64_t id, uint64_t pool, uint32_t epoch,
    uint64_t now_us)
{
	struct session_shard *all = atomic_load(&s->shards), *h;
	struct session_row *r;
	int at = pool_at(s, pool);

	if (all == NULL || id == 0 || at == -1)
		return;
	h = shard_of(all, id);
	(void)pthread_mutex_lock(&h->mutex);
	r = h->size == 0 ? NULL : row_of(h, id);
	if (r != NULL && r->id == id && r->at == at && r->epoch < epoch) {
		atomic_store(&s->pools[at].left_us, now_us);
		take_out(s, h, (uint32_t)(r - h->rows));
	}
	(void)pthread_mutex_unlock(&h->mutex);
}

/* ---- of all proxies ---- */

void
sessions_share(struct sessions *s, uint64_t pool, uint64_t n)
{
	int at = n == 0 || pool == 0 ? pool_at(s, pool) : pool_take(s, pool);

	if (at != -1 && pool != 0)
		s->pools[at].shared = n;
}

bool
sessions_are_shared(const struct sessions *s, uint64_t now_us)
{
	return s->shared_us != 0 && now_us - s->shared_us < SHARED_US;
}

uint64_t
sessions_shared_on(const struct sessions *s, uint64_t pool)
{
	int at = pool_at(s, pool);
	uint64_t own = sessions_on(s, pool),
	         n = at == -1 ? 0 : s->pools[at].shared;

	return s->untold > 0 ? MAX(own, n) : n;
}
