/*
 * What a bus between proxies hears and is answered.  The first byte says where
 * the rest comes from, once both connections are greeted:
 *
 *   h  the one that hears a channel: messages, and all that is none
 *   t  the one that talks: what scripts return; each is answered once
 */
#include <string.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "config/config.h"
#include "door.h"
#include "must.h"
#include "store/bus.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define RUNS 3
#define ENDS 2 /* the bus's connections */

/* Of one input. */
struct stage {
	int fds[ENDS]; /* the server's ends; -1: nobody has come */
	int hears;     /* which of them has subscribed; -1: none yet */
	size_t bytes;  /* of what was handed over */
	unsigned came[RUNS];
};

static struct stage stage;

/* Who comes is greeted; who subscribes is noted. */
static bool
serve(void *arg)
{
	struct stage *g = arg;
	char said[4096];

	for (int i = 0; i < ENDS; i++) {
		ssize_t n;

		if (g->fds[i] == -1) {
			g->fds[i] = door_come();
			door_say(g->fds[i], STR("+PONG\r\n"));
		}
		if (g->fds[i] == -1)
			continue;
		n = recv(g->fds[i], said, sizeof(said), MSG_DONTWAIT);
		if (n > 0 && memmem(said, (size_t)n, "SUBSCRIBE", 9) != NULL)
			g->hears = i;
	}
	return false;
}

static void
take_turns(unsigned n)
{
	door_turns(n, serve, &stage);
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
	door_say(fd, door_half(text, true));
	take_turns(2);
	door_say(fd, door_half(text, false));
	take_turns(3);
	for (int i = 0; i < ENDS; i++)
		if (stage.fds[i] != -1)
			(void)shutdown(stage.fds[i], SHUT_RDWR);
	take_turns(3);
	for (size_t i = 0; i < RUNS; i++)
		MUST(stage.came[i] == 1);
	MUST(!bus_is_up(b));
}

static void
try_bus(struct str text, bool hears)
{
	struct stage *g = &stage;
	struct cfg_store cfg = { .type = CFG_STORE_REDIS,
		.address = { .is_unix = true },
		.timeout_us = 10 };
	struct store_env store = { .cfg = &cfg, .name = "fuzz" };
	struct bus_env env = { .store = &store,
		.channel = "c",
		.message = on_message,
		.turned = on_turned };
	struct bus *b;

	store.loop = door_open("bus");
	cfg.address.host = door_path();
	g->fds[0] = g->fds[1] = g->hears = -1;
	MUST(bus_new(&env, &b) == 0);
	for (int i = 0; g->hears == -1 && i < DOOR_TURNS_MAX; i++)
		take_turns(1);
	if (g->hears != -1) {
		door_say(g->fds[g->hears],
		    STR("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"));
		for (int i = 0; !bus_is_up(b) && i < DOOR_TURNS_MAX; i++)
			take_turns(1);
		if (bus_is_up(b))
			converse(b, text, g->fds[hears ? g->hears : !g->hears]);
	}
	bus_free(&b);
	take_turns(1);
	door_let_go(g->fds, ENDS);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	if (size > 0 && (data[0] == 'h' || data[0] == 't'))
		try_bus(str_from((const char *)data + 1, size - 1),
		    data[0] == 'h');
	return 0;
}
