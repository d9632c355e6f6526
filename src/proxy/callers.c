#include "proxy/callers.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"
#include "config/config.h"
#include "net/addr.h"

#define SET_BITS 13
#define SETS (1u << SET_BITS)
#define WAYS 8       /* places that an address may have; a cache line or two */
#define CONN_BITS 20 /* above the most that the configuration allows */
#define CONN_MASK ((UINT64_C(1) << CONN_BITS) - 1)
#define CLAIM_TRIES 4
#define V6_BYTES 8 /* a /64 */

/*
 * who  the upper bits tell the address, the lower ones count its connections;
 *      it changes hands only while that count is 0
 * due  when the bucket is full again, in monotonic microseconds: a request
 *      moves it on by the time that one takes to come back
 */
struct place {
	_Atomic uint64_t who;
	_Atomic uint64_t due_us;
};

struct callers {
	uint64_t seed; /* so that nobody can choose who shares a set */
	struct place places[SETS * WAYS];
};

/* Pages that are never touched are never there. */
struct callers *
callers_new(void)
{
	struct callers *c = calloc(1, sizeof(*c));

	if (c != NULL)
		random_bytes(&c->seed, sizeof(c->seed));
	return c;
}

void
callers_free(struct callers **cp)
{
	free(*cp);
	*cp = NULL;
}

uint64_t
callers_key(const struct callers *c, const struct addr *a, unsigned listener)
{
	unsigned char bytes[sizeof(listener) + sizeof(struct in6_addr)];
	const struct in6_addr *v6 = &a->in6.sin6_addr;
	size_t n = sizeof(listener);
	uint64_t key;

	memcpy(bytes, &listener, n);
	if (a->sa.sa_family == AF_INET) {
		memcpy(bytes + n, &a->in.sin_addr, 4);
		n += 4;
	} else if (a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6)) {
		memcpy(bytes + n, v6->s6_addr + 12, 4);
		n += 4;
	} else if (a->sa.sa_family == AF_INET6) {
		memcpy(bytes + n, v6->s6_addr, V6_BYTES);
		n += V6_BYTES;
	} else {
		return 0;
	}
	key = hash_bytes(bytes, n, c->seed);
	/* An address with no bits left above the count would look like none. */
	return key >> CONN_BITS == 0 ? key | UINT64_C(1) << CONN_BITS : key;
}

static uint64_t
tag_of(uint64_t key)
{
	return key & ~CONN_MASK;
}

static struct place *
set_of(struct callers *c, uint64_t key)
{
	return &c->places[(key & (SETS - 1)) * WAYS];
}

static struct place *
find(struct callers *c, uint64_t key)
{
	struct place *set = set_of(c, key);

	for (size_t i = 0; i < WAYS; i++)
		if ((atomic_load(&set[i].who) & ~CONN_MASK) == tag_of(key))
			return &set[i];
	return NULL;
}

/* The one that is missed least; NULL when all have connections. */
static struct place *
least_missed(struct place *set, uint64_t *who)
{
	struct place *least = NULL;
	uint64_t least_due = 0;

	for (size_t i = 0; i < WAYS; i++) {
		uint64_t w = atomic_load(&set[i].who);
		uint64_t due = atomic_load(&set[i].due_us);

		if ((w & CONN_MASK) != 0 || (least != NULL && due >= least_due))
			continue;
		least = &set[i];
		least_due = due;
		*who = w;
	}
	return least;
}

static struct place *
find_or_claim(struct callers *c, uint64_t key)
{
	struct place *p = find(c, key);
	uint64_t who;

	for (int i = 0; p == NULL && i < CLAIM_TRIES; i++) {
		p = least_missed(set_of(c, key), &who);
		if (p == NULL)
			return NULL;
		if (atomic_compare_exchange_strong(&p->who, &who, tag_of(key)))
			atomic_store(&p->due_us, 0);
		else
			p = find(c, key); /* another worker was faster */
	}
	return p;
}

/* ---- connections ---- */

bool
callers_enter(struct callers *c, uint64_t key, unsigned max, uint32_t *place)
{
	struct place *p;
	uint64_t who;

	*place = 0;
	if (key == 0)
		return true;
	for (int i = 0; i < CLAIM_TRIES; i++) {
		p = find_or_claim(c, key);
		if (p == NULL)
			return true;
		who = atomic_load(&p->who);
		while ((who & ~CONN_MASK) == tag_of(key)) {
			if ((who & CONN_MASK) >= max)
				return false;
			if (!atomic_compare_exchange_weak(&p->who, &who,
			        who + 1))
				continue;
			*place = (uint32_t)(p - c->places) + 1;
			return true;
		}
	}
	return true;
}

void
callers_leave(struct callers *c, uint32_t place)
{
	if (place != 0)
		(void)atomic_fetch_sub(&c->places[place - 1].who, 1);
}

/* ---- requests ---- */

uint64_t
callers_ask(struct callers *c, uint64_t key, const struct cfg_clients *cfg,
    uint64_t now_us)
{
	uint64_t each_us = US_PER_S / cfg->requests_per_second;
	uint64_t ahead_us = each_us * (cfg->burst - 1);
	struct place *p = key == 0 ? NULL : find_or_claim(c, key);
	uint64_t due, from;

	if (p == NULL)
		return 0;
	due = atomic_load(&p->due_us);
	do {
		from = due > now_us ? due : now_us;
		if (from - now_us > ahead_us)
			return from - now_us - ahead_us;
	} while (!atomic_compare_exchange_weak(&p->due_us, &due,
	    from + each_us));
	return 0;
}
