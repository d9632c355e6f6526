#include "upstream/copies.h"

#include <stdlib.h>

#include "base/hash.h"

#define SEED UINT64_C(0xc0b1e5)

static uint64_t
key_of(struct str host, struct str path)
{
	return hash_bytes(path.p, path.len, hash_bytes(host.p, host.len, SEED));
}

struct copy *
copy_new(struct str host, struct str path)
{
	struct copy *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->refs = 1;
	c->key = key_of(host, path);
	buf_add_str(&c->host, host);
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
	buf_free(&c->host);
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
find(const struct copies *s, struct str host, struct str path)
{
	uint64_t key = key_of(host, path);
	size_t i = 0;

	while (i < s->n &&
	    (s->list[i]->key != key ||
	        !str_eq(buf_str(&s->list[i]->host), host) ||
	        !str_eq(buf_str(&s->list[i]->path), path)))
		i++;
	return i;
}

struct copy *
copies_get(struct copies *s, struct str host, struct str path)
{
	struct copy *c = NULL;
	size_t i;

	(void)pthread_mutex_lock(&s->mutex);
	i = find(s, host, path);
	if (i < s->n) {
		c = s->list[i];
		c->refs++;
	}
	(void)pthread_mutex_unlock(&s->mutex);
	return c;
}

bool
copies_want(struct copies *s, struct str host, struct str path, uint64_t now_us)
{
	bool wanted;
	size_t i;

	(void)pthread_mutex_lock(&s->mutex);
	i = find(s, host, path);
	wanted = i < s->n ? now_us - s->list[i]->taken_us >= COPY_FRESH_US
	                  : s->n < COPIES_MAX;
	(void)pthread_mutex_unlock(&s->mutex);
	return wanted;
}

void
copies_put(struct copies *s, struct copy **cp)
{
	struct copy *c = *cp, *old = NULL;
	size_t i;

	*cp = NULL;
	(void)pthread_mutex_lock(&s->mutex);
	i = find(s, buf_str(&c->host), buf_str(&c->path));
	if (i == COPIES_MAX) {
		old = c; /* there is no room any more */
	} else if (i < s->n) {
		old = s->list[i];
		s->list[i] = c;
	} else {
		s->list[s->n++] = c;
	}
	(void)pthread_mutex_unlock(&s->mutex);
	copy_unref(&old);
}
