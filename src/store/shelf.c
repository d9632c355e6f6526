#include "store/shelf.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* Without memory an element is not in the table, and says so. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "store/store.h"

#define HEADER "segue-store 1\n"
/* What a thing needs besides its bytes, in malloc and in the table. */
#define AROUND (sizeof(struct thing) + 32)
#define FILE_MAX ((size_t)8 << 30)

struct thing {
	UT_hash_handle hh;
	TAILQ_ENTRY(thing) link; /* by when they were put */
	uint8_t part;
	uint64_t ends_ms; /* monotonic */
	size_t key_len, value_len;
	char bytes[]; /* key, value */
};

#define PARTS 2
#define SHORT_MS (UINT64_C(3600) * 1000)

TAILQ_HEAD(things, thing);

struct shelf {
	pthread_mutex_t mutex;
	struct thing *table;
	struct things things[PARTS];
	size_t bytes[PARTS], most; /* of each part */
};

static uint64_t
now_ms(void)
{
	return clock_mono_us() / US_PER_MS;
}

struct shelf *
shelf_new(size_t bytes)
{
	struct shelf *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	(void)pthread_mutex_init(&s->mutex, NULL);
	for (int p = 0; p < PARTS; p++)
		TAILQ_INIT(&s->things[p]);
	s->most = bytes / PARTS;
	return s;
}

static size_t
cost(size_t key, size_t value)
{
	return AROUND + key + value;
}

static void
take_off(struct shelf *s, struct thing *t)
{
	HASH_DEL(s->table, t);
	TAILQ_REMOVE(&s->things[t->part], t, link);
	s->bytes[t->part] -= cost(t->key_len, t->value_len);
	free(t);
}

void
shelf_free(struct shelf **sp)
{
	struct shelf *s = *sp;

	if (s == NULL)
		return;
	for (int p = 0; p < PARTS; p++)
		while (!TAILQ_EMPTY(&s->things[p]))
			take_off(s, TAILQ_FIRST(&s->things[p]));
	(void)pthread_mutex_destroy(&s->mutex);
	free(s);
	*sp = NULL;
}

/* One that has not ended. */
static struct thing *
find(struct shelf *s, struct str key)
{
	struct thing *t;

	HASH_FIND(hh, s->table, key.p, key.len, t);
	if (t == NULL || t->ends_ms > now_ms())
		return t;
	take_off(s, t);
	return NULL;
}

ptrdiff_t
shelf_get(struct shelf *s, struct str key, char *out, size_t cap)
{
	ptrdiff_t len = -1;
	struct thing *t;

	(void)pthread_mutex_lock(&s->mutex);
	t = find(s, key);
	if (t != NULL) {
		len = (ptrdiff_t)t->value_len;
		memcpy(out, t->bytes + t->key_len,
		    t->value_len < cap ? t->value_len : cap);
	}
	(void)pthread_mutex_unlock(&s->mutex);
	return len;
}

static bool
put(struct shelf *s, struct str key, struct str value, uint64_t ttl_ms)
{
	struct thing *t = malloc(sizeof(*t) + key.len + value.len);
	uint8_t part = ttl_ms > SHORT_MS;

	if (t == NULL || cost(key.len, value.len) > s->most) {
		free(t);
		return false;
	}
	while (s->bytes[part] + cost(key.len, value.len) > s->most)
		take_off(s, TAILQ_FIRST(&s->things[part]));
	t->part = part;
	t->ends_ms = now_ms() + ttl_ms;
	t->key_len = key.len;
	t->value_len = value.len;
	memcpy(t->bytes, key.p, key.len);
	if (value.len > 0)
		memcpy(t->bytes + key.len, value.p, value.len);
	HASH_ADD_KEYPTR(hh, s->table, t->bytes, t->key_len, t);
	if (t->hh.tbl == NULL) {
		free(t);
		return false;
	}
	TAILQ_INSERT_TAIL(&s->things[part], t, link);
	s->bytes[part] += cost(key.len, value.len);
	return true;
}

bool
shelf_put(struct shelf *s, struct str key, struct str value, uint64_t ttl_ms,
    bool keep)
{
	struct thing *old;
	bool ok = true;

	(void)pthread_mutex_lock(&s->mutex);
	old = find(s, key);
	if (old == NULL || !keep) {
		if (old != NULL)
			take_off(s, old);
		ok = put(s, key, value, ttl_ms);
	}
	(void)pthread_mutex_unlock(&s->mutex);
	return ok;
}

void
shelf_drop(struct shelf *s, struct str key)
{
	struct thing *t;

	(void)pthread_mutex_lock(&s->mutex);
	t = find(s, key);
	if (t != NULL)
		take_off(s, t);
	(void)pthread_mutex_unlock(&s->mutex);
}

size_t
shelf_count(struct shelf *s)
{
	size_t n;

	(void)pthread_mutex_lock(&s->mutex);
	n = HASH_COUNT(s->table);
	(void)pthread_mutex_unlock(&s->mutex);
	return n;
}

/* ---- the file ---- */

static uint64_t
wall_ms(void)
{
	return clock_wall_us() / US_PER_MS;
}

static void
write_one(struct buf *b, const struct thing *t, uint64_t ends_ms)
{
	buf_printf(b, "%" PRIu64 " %zu %zu ", ends_ms, t->key_len,
	    t->value_len);
	buf_add(b, t->bytes, t->key_len);
	buf_add_char(b, ' ');
	buf_add(b, t->bytes + t->key_len, t->value_len);
	buf_add_char(b, '\n');
}

int
shelf_save(struct shelf *s, const char *path)
{
	uint64_t now = now_ms(), wall = wall_ms();
	struct buf b = BUF_INIT;
	const struct thing *t;
	int rc;

	buf_add_cstr(&b, HEADER);
	for (int p = 0; p < PARTS; p++)
		TAILQ_FOREACH (t, &s->things[p], link)
			if (t->ends_ms > now)
				write_one(&b, t, t->ends_ms - now + wall);
	rc = b.failed ? E_NOMEM : file_replace(path, buf_str(&b), 0600);
	buf_free(&b);
	return rc;
}

static bool
take_bytes(struct str *rest, size_t len, char end, struct str *out)
{
	if (rest->len <= len || rest->p[len] != end)
		return false;
	*out = str_from(rest->p, len);
	*rest = str_from(rest->p + len + 1, rest->len - len - 1);
	return true;
}

static bool
take_number(struct str *rest, uint64_t *out)
{
	return str_u64(str_split(rest, ' '), out);
}

static bool
load_one(struct shelf *s, struct str *rest, uint64_t wall)
{
	uint64_t ends, key_len, value_len;
	struct str key, value;

	if (!take_number(rest, &ends) || !take_number(rest, &key_len) ||
	    !take_number(rest, &value_len) || key_len == 0 ||
	    key_len > STORE_KEY_MAX || value_len > STORE_VALUE_MAX ||
	    !take_bytes(rest, key_len, ' ', &key) ||
	    !take_bytes(rest, value_len, '\n', &value))
		return false;
	if (ends > wall)
		(void)shelf_put(s, key, value, ends - wall, true);
	return true;
}

int
shelf_load(struct shelf *s, const char *path)
{
	uint64_t wall = wall_ms();
	struct buf b = BUF_INIT;
	int rc = file_read(path, FILE_MAX, &b);
	struct str rest = buf_str(&b);

	if (rc == E_OK && !str_starts(rest, STR(HEADER)))
		rc = E_DAMAGED;
	if (rc == E_OK)
		rest = str_sub(rest, sizeof(HEADER) - 1, rest.len);
	while (rc == E_OK && rest.len > 0)
		if (!load_one(s, &rest, wall))
			rc = E_DAMAGED;
	buf_free(&b);
	return rc;
}
