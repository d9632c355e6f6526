/*
 * What a store reads.  The first byte says what the rest is:
 *
 *   f  a file of the embedded store: what loads, saves and loads equal
 *   g  what a server says to who greets it
 *   r  what it says then: to a password, to who asks, puts and drops; whatever
 *      it is, each that asks is told once, and what is put is not lost
 */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "config/config.h"
#include "net/loop.h"
#include "store/shelf.h"
#include "store/store.h"
#include "must.h"

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

#define TURNS_MAX 64
#define ASKS 3
#define PUTS 2

struct stage {
	struct loop *loop;
	int door;
	struct sockaddr_un at;
	/* of one input */
	unsigned turns;
	int fd; /* the server's end; -1: nobody has come */
	struct store_stats stats;
	struct later next;
	bool wants_up;
};

static struct stage stage;

static void
remove_door(void)
{
	(void)unlink(stage.at.sun_path);
}

static void
make_stage(void)
{
	struct stage *g = &stage;

	log_set_level(LOG_ERROR);
	(void)signal(SIGPIPE, SIG_IGN);
	MUST(loop_new(&g->loop) == E_OK);
	g->at.sun_family = AF_UNIX;
	(void)snprintf(g->at.sun_path, sizeof(g->at.sun_path),
	    "%s/segue-fuzz-%ld.sock", P_tmpdir, (long)getpid());
	(void)unlink(g->at.sun_path);
	g->door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	MUST(g->door != -1);
	MUST(bind(g->door, (struct sockaddr *)&g->at, sizeof(g->at)) == 0);
	MUST(listen(g->door, 16) == 0);
	(void)atexit(remove_door);
}

static void
on_next(struct later *l UNUSED)
{
}

/* No turn waits. */
static void
on_turn(void *arg)
{
	struct stage *g = arg;

	if (g->fd == -1)
		g->fd = accept4(g->door, NULL, NULL, SOCK_CLOEXEC);
	if (--g->turns == 0 || (g->wants_up && g->stats.state == STORE_UP))
		loop_stop(g->loop);
	else
		loop_later(g->loop, &g->next, on_next);
}

/* So many turns, or until it is up. */
static void
take_turns(unsigned n, bool wants_up)
{
	stage.turns = n;
	stage.wants_up = wants_up;
	loop_later(stage.loop, &stage.next, on_next);
	loop_on_turn(stage.loop, on_turn, &stage);
	loop_run(stage.loop);
	loop_on_turn(stage.loop, NULL, NULL);
}

static void
say(struct str text)
{
	if (stage.fd != -1 && text.len > 0)
		(void)!send(stage.fd, text.p, text.len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
on_answer(enum store_answer answer, struct str value, void *arg)
{
	MUST(answer < STORE_ANSWER_COUNT);
	MUST((answer == STORE_FOUND) == (value.len > 0));
	MUST(value.len <= STORE_VALUE_MAX);
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

static void
converse(struct store *s, struct str text)
{
	static const struct str keys[] = { { "a", 1 }, { "b", 1 } };
	struct store_ask asks[ASKS];
	const struct store_stats *st = &stage.stats;
	unsigned came[ASKS] = { 0 };

	store_put(s, keys[0], STR("value"), 1000000, STORE_SET);
	for (size_t i = 0; i < ASKS; i++) {
		asks[i] = (struct store_ask){ on_answer, &came[i], NULL };
		store_first(s, keys, 1 + i % ARRAY_LEN(keys), &asks[i]);
	}
	store_put(s, keys[1], STR("value"), 1000000, STORE_KEEP);
	store_drop(s, keys[1]);
	store_flush(s);
	/* In two parts, so that one ends wherever it may. */
	say(str_sub(text, 0, text.len / 2));
	take_turns(2, false);
	store_forget(s, &asks[0]);
	say(str_sub(text, text.len / 2, text.len));
	take_turns(3, false);
	if (stage.fd != -1)
		(void)shutdown(stage.fd, SHUT_RDWR);
	take_turns(3, false);
	MUST(came[0] <= 1 && asks[0].request == NULL);
	for (size_t i = 1; i < ASKS; i++)
		MUST(came[i] == 1 && asks[i].request == NULL);
	MUST(stat_get(&st->put) + all_refused(st) + stat_get(&st->queued) >=
	    PUTS);
	MUST(stat_get(&st->put) <= PUTS);
	MUST(st->state == STORE_DOWN);
}

/* Who has come, and those that came before and went. */
static void
let_go(void)
{
	while (stage.fd != -1) {
		close(stage.fd);
		stage.fd = accept4(stage.door, NULL, NULL, SOCK_CLOEXEC);
	}
}

static void
try_server(struct str text, bool greets)
{
	static char prefix[] = "segue:";
	struct stage *g = &stage;
	struct cfg_store cfg = { .type = CFG_STORE_REDIS,
		.address = { .host = g->at.sun_path, .is_unix = true },
		.prefix = prefix,
		.database = 1,
		.timeout_us = 10 * US_PER_S };
	struct store_env env = { .cfg = &cfg,
		.password = "p",
		.stats = &g->stats,
		.name = "fuzz" };
	struct store *s;

	if (g->loop == NULL)
		make_stage();
	env.loop = g->loop;
	memset(&g->stats, 0, sizeof(g->stats));
	g->fd = -1;
	MUST(store_open(&env, &s) == E_OK);
	for (int i = 0; g->fd == -1 && i < TURNS_MAX; i++)
		take_turns(1, false);
	say(greets ? text : STR("+OK\r\n+OK\r\n+PONG\r\n"));
	take_turns(greets ? 3 : TURNS_MAX, true);
	if (g->fd != -1 && g->stats.state == STORE_UP)
		converse(s, greets ? (struct str){ NULL, 0 } : text);
	store_close(&s);
	take_turns(1, false);
	let_go();
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
		try_server(rest, data[0] == 'g');
	return 0;
}
