/*
 * What a bus between proxies hears and is answered.  The first byte says where
 * the rest comes from, once both connections are greeted:
 *
 *   h  the one that hears a channel: messages, and all that is none
 *   t  the one that talks: what scripts return; each is answered once
 */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/log.h"
#include "config/config.h"
#include "net/loop.h"
#include "store/bus.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define TURNS_MAX 64
#define RUNS 3
#define ENDS 2 /* the bus's connections */

struct stage {
	struct loop *loop;
	int door;
	struct sockaddr_un at;
	struct later next;
	/* of one input */
	unsigned turns;
	int fds[ENDS]; /* the server's ends; -1: nobody has come */
	int hears;     /* which of them has subscribed; -1: none yet */
	size_t bytes;  /* of what was handed over */
	unsigned came[RUNS];
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
	MUST(loop_new(&g->loop) == 0);
	g->at.sun_family = AF_UNIX;
	(void)snprintf(g->at.sun_path, sizeof(g->at.sun_path),
	    "%s/segue-fuzz-bus-%ld.sock", P_tmpdir, (long)getpid());
	(void)unlink(g->at.sun_path);
	g->door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	MUST(g->door != -1);
	MUST(bind(g->door, (struct sockaddr *)&g->at, sizeof(g->at)) == 0);
	MUST(listen(g->door, 16) == 0);
	(void)atexit(remove_door);
}

static void
say(int fd, struct str text)
{
	if (fd != -1 && text.len > 0)
		(void)!send(fd, text.p, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Who comes is greeted; who subscribes is noted. */
static void
serve(struct stage *g)
{
	char said[4096];

	for (int i = 0; i < ENDS; i++) {
		ssize_t n;

		if (g->fds[i] == -1) {
			g->fds[i] = accept4(g->door, NULL, NULL, SOCK_CLOEXEC);
			say(g->fds[i], STR("+PONG\r\n"));
		}
		if (g->fds[i] == -1)
			continue;
		n = recv(g->fds[i], said, sizeof(said), MSG_DONTWAIT);
		if (n > 0 && memmem(said, (size_t)n, "SUBSCRIBE", 9) != NULL)
			g->hears = i;
	}
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

	serve(g);
	if (--g->turns == 0)
		loop_stop(g->loop);
	else
		loop_later(g->loop, &g->next, on_next);
}

static void
take_turns(unsigned n)
{
	stage.turns = n;
	loop_later(stage.loop, &stage.next, on_next);
	loop_on_turn(stage.loop, on_turn, &stage);
	loop_run(stage.loop);
	loop_on_turn(stage.loop, NULL, NULL);
}

/* Each byte is there. */
static void
touch(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		stage.bytes += s.p[i] != '\0';
}

static void
on_message(struct str text, void *arg UNUSED)
{
	touch(text);
}

static void
on_turned(bool up UNUSED, enum store_why why, void *arg UNUSED)
{
	MUST(why < STORE_WHY_COUNT);
}

static void
on_reply(const struct str *values, size_t n, void *arg)
{
	MUST(n <= BUS_VALUES_MAX);
	for (size_t i = 0; i < n; i++)
		touch(values[i]);
	(*(unsigned *)arg)++;
}

static void
converse(struct bus *b, struct str text, int fd)
{
	struct str words[] = { STR("key"), STR("word") };

	memset(stage.came, 0, sizeof(stage.came));
	for (size_t i = 0; i < RUNS; i++)
		bus_run(b, "return {}", words, 1, 2, on_reply, &stage.came[i]);
	bus_tell(b, STR("text"));
	bus_flush(b);
	/* In two parts, so that one ends wherever it may. */
	say(fd, str_sub(text, 0, text.len / 2));
	take_turns(2);
	say(fd, str_sub(text, text.len / 2, text.len));
	take_turns(3);
	for (int i = 0; i < ENDS; i++)
		if (stage.fds[i] != -1)
			(void)shutdown(stage.fds[i], SHUT_RDWR);
	take_turns(3);
	for (size_t i = 0; i < RUNS; i++)
		MUST(stage.came[i] == 1);
	MUST(!bus_is_up(b));
}

/* Who has come, and those that came before and went. */
static void
let_go(void)
{
	int fd;

	for (int i = 0; i < ENDS; i++)
		if (stage.fds[i] != -1)
			close(stage.fds[i]);
	while ((fd = accept4(stage.door, NULL, NULL, SOCK_CLOEXEC)) != -1)
		close(fd);
}

static void
try_bus(struct str text, bool hears)
{
	struct stage *g = &stage;
	struct cfg_store cfg = { .type = CFG_STORE_REDIS,
		.address = { .host = g->at.sun_path, .is_unix = true },
		.timeout_us = 10 };
	struct store_env store = { .cfg = &cfg, .name = "fuzz" };
	struct bus_env env = { .store = &store,
		.channel = "c",
		.message = on_message,
		.turned = on_turned };
	struct bus *b;

	if (g->loop == NULL)
		make_stage();
	store.loop = g->loop;
	g->fds[0] = g->fds[1] = g->hears = -1;
	MUST(bus_new(&env, &b) == 0);
	for (int i = 0; g->hears == -1 && i < TURNS_MAX; i++)
		take_turns(1);
	if (g->hears != -1) {
		say(g->fds[g->hears],
		    STR("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"));
		for (int i = 0; !bus_is_up(b) && i < TURNS_MAX; i++)
			take_turns(1);
		if (bus_is_up(b))
			converse(b, text, g->fds[hears ? g->hears : !g->hears]);
	}
	bus_free(&b);
	take_turns(1);
	let_go();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	if (size > 0 && (data[0] == 'h' || data[0] == 't'))
		try_bus(str_from((const char *)data + 1, size - 1),
		    data[0] == 'h');
	return 0;
}
