#include "session/issuers.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/config.h"
#include "session/pin.h"
#include "store/store.h"

#define MS_PER_S (US_PER_S / US_PER_MS)
#define KEY_CAP (sizeof("a::") + CFG_NAME_MAX + 32)

_Static_assert(KEY_CAP <= STORE_KEY_MAX, "a key fits");
_Static_assert(ISSUERS_ASK_MAX <= STORE_FIRST_MAX, "so many can be asked for");

struct issuers {
	struct store *store; /* borrowed */
};

struct issuer_ask {
	struct store_ask ask;
	issuers_fn *fn; /* NULL: it was called */
	void *arg;
	bool returned; /* to who asks */
};

struct issuers *
issuers_new(struct store *store)
{
	struct issuers *i = calloc(1, sizeof(*i));

	if (i != NULL)
		i->store = store;
	return i;
}

void
issuers_free(struct issuers **ip)
{
	free(*ip);
	*ip = NULL;
}

static struct str
key_of(struct str service, const uint64_t hash[2], char out[KEY_CAP])
{
	int len = snprintf(out, KEY_CAP, "a:%.*s:%016" PRIx64 "%016" PRIx64,
	    (int)service.len, service.p, hash[0], hash[1]);

	return str_from(out, (size_t)len);
}

static void
on_answer(enum store_answer answer, struct str value, void *arg)
{
	struct issuer_ask *a = arg;
	issuers_fn *fn = a->fn;

	a->fn = NULL;
	fn(answer == STORE_FOUND ? pin_name_hash(value) : 0, a->arg);
	if (a->returned)
		free(a);
}

struct issuer_ask *
issuers_ask(struct issuers *i, struct str service, const uint64_t (*hashes)[2],
    size_t n, issuers_fn *fn, void *arg)
{
	struct issuer_ask *a = calloc(1, sizeof(*a));
	char text[ISSUERS_ASK_MAX][KEY_CAP];
	struct str keys[ISSUERS_ASK_MAX];

	if (a == NULL) {
		fn(0, arg);
		return NULL;
	}
	for (size_t k = 0; k < n; k++)
		keys[k] = key_of(service, hashes[k], text[k]);
	*a = (struct issuer_ask){ .ask = { .fn = on_answer, .arg = a },
		.fn = fn,
		.arg = arg };
	store_first(i->store, keys, n, &a->ask);
	a->returned = a->fn != NULL;
	if (a->returned)
		return a;
	free(a);
	return NULL;
}

void
issuers_forget(struct issuers *i, struct issuer_ask **ap)
{
	if (*ap == NULL)
		return;
	store_forget(i->store, &(*ap)->ask);
	free(*ap);
	*ap = NULL;
}

void
issuers_tell(struct issuers *i, struct str service, const uint64_t hash[2],
    struct str pool, uint64_t ttl_s)
{
	char text[KEY_CAP];

	if (ttl_s > 0)
		store_put(i->store, key_of(service, hash, text), pool,
		    ttl_s * MS_PER_S, STORE_KEEP);
}

void
issuers_flush(struct issuers *i)
{
	store_flush(i->store);
}
