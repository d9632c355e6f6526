/*
 * What a store reads.  The first byte says what the rest is:
 *
 *   f  a file of the embedded store: what loads, saves and loads equal
 *   g  what a server says to who greets it
 *   r  what it says then: to a password, to who asks, puts and drops, for itself
 *      and as issuers; whatever it is, each that asks is told once, and what is
 *      put is not lost
 *   s  what those say who are come to, sentinels and the one that they have
 *      named, each up to RS: nobody is used but a master
 */
#include <string.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "config/config.h"
#include "door.h"
#include "must.h"
#include "net/addr.h"
#include "session/issuers.h"
#include "store/redis_dial.h"
#include "store/shelf.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* ---- the shelf's file, which is in memory ---- */

#define SHELF_BYTES (1u << 20)
#define MONO_US (1000 * US_PER_S)
#define WALL_US (UINT64_C(1700000000) * US_PER_S)

static struct buf file;

/* Linked in their place; see room.am. */
int __wrap_file_read(const char *path, size_t max, struct buf *out);
int __wrap_file_replace(const char *path, struct str text, mode_t mode);

int
__wrap_file_read(const char *path UNUSED, size_t max UNUSED, struct buf *out)
{
	buf_add_str(out, buf_str(&file));
	return E_OK;
}

int
__wrap_file_replace(const char *path UNUSED, struct str text, mode_t mode)
{
	MUST(mode == 0600);
	buf_reset(&file);
	buf_add_str(&file, text);
	return E_OK;
}

static void
try_file(struct str text)
{
	struct shelf *s = shelf_new(SHELF_BYTES), *again;
	struct buf first = BUF_INIT;
	int rc;

	MUST(s != NULL);
	clock_fake(MONO_US, WALL_US);
	buf_reset(&file);
	buf_add_str(&file, text);
	rc = shelf_load(s, "file");
	MUST(rc == E_OK || rc == E_DAMAGED);
	MUST(shelf_save(s, "file") == E_OK);
	buf_add_str(&first, buf_str(&file));
	again = shelf_new(SHELF_BYTES);
	MUST(again != NULL && shelf_load(again, "file") == E_OK);
	MUST(shelf_count(again) == shelf_count(s));
	MUST(shelf_save(again, "file") == E_OK);
	MUST(str_eq(buf_str(&file), buf_str(&first)));
	buf_free(&first);
	shelf_free(&again);
	shelf_free(&s);
	clock_real();
}

/* ---- a server ---- */

#define ASKS 3
#define PUTS 3
#define ENDS 4 /* of those that are come to */
#define RS '\x1e'

/* Of one input. */
struct stage {
	int fds[ENDS];   /* the ends of who plays a server */
	int n;           /* of .fds */
	struct str says; /* to who comes next; empty: nothing */
	bool wants_up;
	unsigned named; /* by sentinels */
	struct store_stats stats;
};

static struct stage stage;

/* Who comes is told its part. */
static bool
serve(void *arg)
{
	struct stage *g = arg;

	if (g->n < ENDS) {
		g->fds[g->n] = door_come();
		if (g->fds[g->n] != -1)
			door_say(g->fds[g->n++], str_split(&g->says, RS));
	}
	return g->wants_up && g->stats.state == STORE_UP;
}

/* So many turns, or until it is up. */
static void
take_turns(unsigned n, bool wants_up)
{
	stage.wants_up = wants_up;
	door_turns(n, serve, &stage);
}

static void
on_answer(enum store_answer answer, struct str value, void *arg)
{
	MUST(answer < STORE_ANSWER_COUNT);
	MUST((answer == STORE_FOUND) == (value.len > 0));
	MUST(value.len <= STORE_VALUE_MAX);
	(*(unsigned *)arg)++;
}

static void
on_issuer(uint64_t pool UNUSED, void *arg)
{
	(*(unsigned *)arg)++;
}

static uint64_t
all_refused(const struct store_stats *st)
{
	uint64_t n = 0;

	for (int i = 0; i < STORE_WHY_COUNT; i++)
		n += stat_get(&st->failed[i]);
	return n;
}

/* ---- what is asked and put ---- */

struct talk {
	struct store *store;
	struct issuers *issuers;
	struct store_ask asks[ASKS];
	struct issuer_ask *ask;
	unsigned came[ASKS], named[ASKS];
};

static void
ask_issuers(struct talk *t)
{
	static const uint64_t hashes[][2] = { { 1, 2 }, { 3, 4 } };
	struct issuer_ask *ask;

	issuers_tell(t->issuers, STR("s"), hashes[0], STR("pool"), 60);
	for (size_t i = 0; i < ASKS; i++) {
		ask = issuers_ask(t->issuers, STR("s"), hashes, 1 + i % 2,
		    on_issuer, &t->named[i]);
		MUST((ask == NULL) == (t->named[i] == 1));
		if (i == 0)
			t->ask = ask;
	}
}

static void
ask_all(struct talk *t)
{
	static const struct str keys[] = { { "a", 1 }, { "b", 1 } };
	struct store *s = t->store;

	store_put(s, keys[0], STR("value"), 1000000, STORE_SET);
	for (size_t i = 0; i < ASKS; i++) {
		t->asks[i] = (struct store_ask){ on_answer, &t->came[i], NULL };
		store_first(s, keys, 1 + i % ARRAY_LEN(keys), &t->asks[i]);
	}
	store_put(s, keys[1], STR("value"), 1000000, STORE_KEEP);
	store_drop(s, keys[1]);
	ask_issuers(t);
	issuers_flush(t->issuers);
}

/* Each was told once, but for those that did not want it any more. */
static void
try_told(const struct talk *t)
{
	const struct store_stats *st = &stage.stats;

	MUST(t->came[0] <= 1 && t->asks[0].request == NULL);
	MUST(t->named[0] <= 1);
	for (size_t i = 1; i < ASKS; i++) {
		MUST(t->came[i] == 1 && t->asks[i].request == NULL);
		MUST(t->named[i] == 1);
	}
	MUST(stat_get(&st->put) + all_refused(st) + stat_get(&st->queued) >=
	    PUTS);
	MUST(stat_get(&st->put) <= PUTS);
	MUST(st->state == STORE_DOWN);
}

/* It is in two parts, so that one ends wherever it may. */
static void
converse(struct store *s, struct str text)
{
	struct talk t = { .store = s, .issuers = issuers_new(s) };

	MUST(t.issuers != NULL);
	ask_all(&t);
	door_say(stage.fds[0], door_half(text, true));
	take_turns(2, false);
	store_forget(s, &t.asks[0]);
	if (t.named[0] == 0)
		issuers_forget(t.issuers, &t.ask);
	door_say(stage.fds[0], door_half(text, false));
	take_turns(3, false);
	for (int i = 0; i < stage.n; i++)
		(void)shutdown(stage.fds[i], SHUT_RDWR);
	take_turns(3, false);
	try_told(&t);
	issuers_free(&t.issuers);
}

/* ---- life ---- */

void __real_redis_dial_begin(struct redis_dial *, const struct cfg_addr *);
void __wrap_redis_dial_begin(struct redis_dial *, const struct cfg_addr *);

/* Whoever is named is behind the door. */
void
__wrap_redis_dial_begin(struct redis_dial *d, const struct cfg_addr *to)
{
	struct cfg_addr there = { .host = door_path(), .is_unix = true };
	struct addr a;

	if (!to->is_unix) {
		MUST(to->port != 0);
		(void)addr_literal(to, &a);
		stage.named++;
	}
	__real_redis_dial_begin(d, &there);
}

static void
be_up(const struct store_env *env, struct str text, bool talks)
{
	struct stage *g = &stage;
	struct store *s;

	g->n = 0;
	g->named = 0;
	g->says = talks ? STR("+OK\r\n+OK\r\n+PONG\r\n") : text;
	memset(&g->stats, 0, sizeof(g->stats));
	MUST(store_open(env, &s) == E_OK);
	for (int i = 0; g->n == 0 && i < DOOR_TURNS_MAX; i++)
		take_turns(1, false);
	take_turns(talks ? DOOR_TURNS_MAX : 2 * ENDS, true);
	if (g->n > 0 && g->stats.state == STORE_UP) {
		MUST(env->cfg->n_sentinels == 0 || g->named > 0);
		converse(s, talks ? text : (struct str){ NULL, 0 });
	}
	store_close(&s);
	take_turns(1, false);
	door_let_go(g->fds, g->n);
}

static void
try_server(struct str text, bool talks)
{
	static char prefix[] = "segue:";
	struct cfg_store cfg = { .type = CFG_STORE_REDIS,
		.address = { .is_unix = true },
		.prefix = prefix,
		.database = 1,
		.timeout_us = 10 * US_PER_S };
	struct store_env env = { .loop = door_open("store"),
		.cfg = &cfg,
		.password = "p",
		.stats = &stage.stats,
		.name = "fuzz" };

	cfg.address.host = door_path();
	be_up(&env, text, talks);
}

static void
try_sentinels(struct str text)
{
	static char prefix[] = "segue:", master[] = "m";
	struct cfg_addr sentinels[] = { { .is_unix = true },
		{ .is_unix = true } };
	struct cfg_store cfg = { .type = CFG_STORE_REDIS,
		.sentinels = sentinels,
		.n_sentinels = ARRAY_LEN(sentinels),
		.master = master,
		.prefix = prefix,
		.timeout_us = 10 * US_PER_S };
	struct store_env env = { .loop = door_open("store"),
		.cfg = &cfg,
		.stats = &stage.stats,
		.name = "fuzz" };

	be_up(&env, text, false);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct str rest;

	if (size == 0)
		return 0;
	rest = str_from((const char *)data + 1, size - 1);
	if (data[0] == 'f')
		try_file(rest);
	else if (data[0] == 'g' || data[0] == 'r')
		try_server(rest, data[0] == 'r');
	else if (data[0] == 's')
		try_sentinels(rest);
	return 0;
}
