#include "upstream/board.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hash.h"

#define ROWS 8192        /* power of two, twice the most instances */
#define REACH 64         /* rows from its own where a key may stand */
#define TAKEN UINT64_MAX /* the key of a row that changes hands */

/*
 * key: hash of service, pool, name and address; 0 is a row never used.
 * word: monotonic clock in us << 2 | enum health.
 */
struct row {
	_Atomic uint64_t key;
	_Atomic uint64_t word;
};

#define SEAT_WORDS 4 /* a struct sockaddr_in6, the longest there is */

/* Where an instance is whose address is a name; key as above, of the name. */
struct seat {
	_Atomic uint64_t key;
	_Atomic uint64_t words[SEAT_WORDS];
};

struct board {
	struct row rows[ROWS];
	struct seat seats[ROWS];
};

struct board *
board_new(void)
{
	void *p = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void
board_free(struct board **bp)
{
	if (*bp != NULL)
		munmap(*bp, sizeof(**bp));
	*bp = NULL;
}

static uint64_t
key_of_parts(const struct pool *p, const char *instance, const char *address)
{
	const char *parts[] = { p->service->name, p->name, instance, address };
	uint64_t key = 0;

	for (size_t n = 0; n < ARRAY_LEN(parts); n++)
		key = hash_bytes(parts[n], strlen(parts[n]) + 1, key);
	return key == 0 || key == TAKEN ? 1 : key;
}

static uint64_t
key_of(const struct instance *i)
{
	return key_of_parts(i->pool, i->name, i->addr_text);
}

/*
 * The key's row, or else where it may stand: a row never used, or the one not
 * noted for longest, whose instance is most likely gone.
 */
static struct row *
row_of(const struct board *b, uint64_t key)
{
	const struct row *oldest = NULL;

	for (size_t i = 0; i < REACH; i++) {
		const struct row *r = &b->rows[(key + i) % ROWS];
		uint64_t k = atomic_load(&r->key);

		if (k == key || k == 0)
			return (struct row *)(uintptr_t)r;
		if (oldest == NULL ||
		    atomic_load(&r->word) < atomic_load(&oldest->word))
			oldest = r;
	}
	return (struct row *)(uintptr_t)oldest;
}

void
board_note(struct board *b, const struct instance *i, uint64_t mono_us)
{
	uint64_t key = key_of(i);
	struct row *r = row_of(b, key);

	/* Whenever we die, no key stands beside another's word. */
	if (atomic_load(&r->key) != key)
		atomic_store(&r->key, TAKEN);
	atomic_store(&r->word, mono_us << 2 | i->health);
	atomic_store(&r->key, key);
}

bool
board_look(const struct board *b, const struct instance *i, uint64_t mono_us,
    uint64_t max_age_us, enum health *out)
{
	uint64_t key = key_of(i), word;
	const struct row *r = row_of(b, key);

	if (atomic_load(&r->key) != key)
		return false;
	word = atomic_load(&r->word);
	if ((word & 3) >= HEALTH_COUNT ||
	    mono_us - (word >> 2) > max_age_us) /* of the future: neither */
		return false;
	*out = (enum health)(word & 3);
	return true;
}

/* ---- addresses ---- */

/* The key's seat, or a free one, or its own place, which is then lost. */
static struct seat *
seat_of(const struct board *b, uint64_t key)
{
	const struct seat *s = NULL;

	for (size_t i = 0; i < REACH; i++) {
		uint64_t k;

		s = &b->seats[(key + i) % ROWS];
		k = atomic_load(&s->key);
		if (k == key || k == 0)
			return (struct seat *)(uintptr_t)s;
	}
	return (struct seat *)(uintptr_t)&b->seats[key % ROWS];
}

void
board_note_address(struct board *b, const struct instance *i, const char *text)
{
	uint64_t key = key_of_parts(i->pool, i->name, text);
	uint64_t words[SEAT_WORDS] = { 0 };
	struct seat *s = seat_of(b, key);

	if (i->addr.len > sizeof(words))
		return;
	memcpy(words, &i->addr.sa, i->addr.len);
	atomic_store(&s->key, TAKEN);
	for (size_t n = 0; n < SEAT_WORDS; n++)
		atomic_store(&s->words[n], words[n]);
	atomic_store(&s->key, key);
}

bool
board_look_address(const struct board *b, const struct pool *p,
    const char *instance, const char *text, struct addr *out)
{
	uint64_t key = key_of_parts(p, instance, text), words[SEAT_WORDS];
	const struct seat *s = seat_of(b, key);

	if (atomic_load(&s->key) != key)
		return false;
	for (size_t n = 0; n < SEAT_WORDS; n++)
		words[n] = atomic_load(&s->words[n]);
	memset(out, 0, sizeof(*out));
	memcpy(&out->sa, words, sizeof(words));
	out->len = out->sa.sa_family == AF_INET ? sizeof(out->in)
	                                        : sizeof(out->in6);
	return true;
}
