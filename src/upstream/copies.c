#include "upstream/copies.h"

#include <stdlib.h>

#include "base/attr.h"
#include "base/hash.h"

#define SEED UINT64_C(0xc0b1e5)

static uint64_t
key_of(struct str place, struct str path)
{
	return hash_bytes(path.p, path.len,
	    hash_bytes(place.p, place.len, SEED));
}

struct copy *
copy_new(struct str place, struct str path)
{
	struct copy *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->refs = 1;
	c->key = key_of(place, path);
	buf_add_str(&c->place, place);
	buf_add_str(&c->path, path);
	return c;
}

void
copy_unref(struct copy **cp)
{
	struct copy *c = *cp;

	*cp = NULL;
	if (c == NULL || --c->refs > 0)
		return;
	buf_free(&c->place);
	buf_free(&c->path);
	buf_free(&c->type);
	buf_free(&c->body);
	free(c);
}

void
copies_init(struct copies *s)
{
	(void)pthread_mutex_init(&s->mutex, NULL);
	s->n = 0;
}

void
copies_free(struct copies *s)
{
	while (s->n > 0)
		copy_unref(&s->list[--s->n]);
	(void)pthread_mutex_destroy(&s->mutex);
}

/* Where it is, .n: nowhere. */
static size_t
find(const struct copies *s, struct str place, struct str path)
{
	uint64_t key = key_of(place, path);
	size_t i = 0;

	while (i < s->n &&
	    (s->list[i]->key != key ||
	        !str_eq(buf_str(&s->list[i]->place), place) ||
	        !str_eq(buf_str(&s->list[i]->path), path)))
		i++;
	return i;
}

struct copy *
copies_get(struct copies *s, struct str place, struct str path, uint64_t now_us)
{
	struct copy *c = NULL;
	size_t i;

	(void)pthread_mutex_lock(&s->mutex);
	i = find(s, place, path);
	if (i < s->n &&
	    now_us - MIN(now_us, s->list[i]->taken_us) < COPY_STALE_US) {
		c = s->list[i];
		c->refs++;
	}
	(void)pthread_mutex_unlock(&s->mutex);
	return c;
}

bool
copies_want(struct copies *s, struct str place, struct str path,
    uint64_t now_us)
{
	bool wanted = true;
	size_t i;

	(void)pthread_mutex_lock(&s->mutex);
	i = find(s, place, path);
	if (i < s->n) {
		s->list[i]->asked += s->list[i]->asked < UINT32_MAX;
		wanted = now_us - MIN(now_us, s->list[i]->taken_us) >=
		    COPY_FRESH_US;
	}
	(void)pthread_mutex_unlock(&s->mutex);
	return wanted;
}

static size_t
least_asked(const struct copies *s)
{
	size_t least = 0;

	for (size_t i = 1; i < s->n; i++)
		if (s->list[i]->asked < s->list[least]->asked)
			least = i;
	return least;
}

void
copies_put(struct copies *s, struct copy **cp)
{
	struct copy *c = *cp, *old = NULL;
	size_t i;

	*cp = NULL;
	(void)pthread_mutex_lock(&s->mutex);
	i = find(s, buf_str(&c->place), buf_str(&c->path));
	if (i < s->n)
		c->asked = s->list[i]->asked;
	else if (i == COPIES_MAX)
		i = least_asked(s);
	if (i < s->n)
		old = s->list[i];
	else
		s->n++;
	s->list[i] = c;
	(void)pthread_mutex_unlock(&s->mutex);
	copy_unref(&old);
}
