/*
 * race - both ends of a proxy whose instance closes idle connections around
 * the moment of the next request.
 *
 *     bench-race LISTEN TARGET [--instances N] [--requests N] [--clients N]
 *         [--seed N]
 *
 * It is the instances (LISTEN and the addresses behind it) and the clients (of
 * the proxy at TARGET) at once, so that it knows of each request both what its
 * client was told and how often it arrived.  Nine in ten are GET, one is POST; each has a
 * number of its own.  A client thinks for a random moment between two
 * requests, and an instance gives each connection a random moment to be idle:
 * when that is over, the connection is closed, even if the next request has
 * come in the meantime, which then was never read.  At other times a request
 * that has just come finds that the limit was just over: 1 in 50.
 *
 * A request fails when its client gets no whole 200 for it.  Prints "ready",
 * waits for a line on standard input, and ends with one line of JSON.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/sock.h"

#define HEAD_MAX 4096
#define EVENTS 256
#define THINK_US 4000 /* at most, between two requests of a client */
#define IDLE_US 6000  /* at most, what the instance allows */
#define ANSWER_US 10000000
#define JUST_OVER 50 /* one request in so many comes just too late */
#define POST_EVERY 10
#define BODY "body=12345678901234567890"

enum kind { KIND_START, KIND_LISTENER, KIND_SERVED, KIND_CLIENT };

/* One socket of either side; all of them are in one list. */
struct end {
	enum kind kind;
	int fd;         /* -1: none */
	bool waits;     /* a client: for its answer */
	bool due;       /* a client: asks once it is connected */
	unsigned id;    /* a client: of the request under way */
	uint64_t at_us; /* when its time is over; 0: it has none */
	struct end *next;
	size_t have;
	char in[HEAD_MAX];
};

static struct {
	unsigned long requests, clients, seed;
	unsigned instances;
} opt = { 100000, 32, 1, 2 };

static struct sockaddr_in target;
static struct end *ends;
static unsigned char *arrived; /* by id */
static unsigned long asked, answered, failed_get, failed_post;
static unsigned long closed_idle, closed_late, opened;
static uint64_t dice = 1, now_us;
static int epfd;

static uint64_t
roll(uint64_t sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice % sides;
}

static bool
is_post(unsigned id)
{
	return id % POST_EVERY == 0;
}

static struct end *
end_new(enum kind kind, int fd)
{
	struct end *e = calloc(1, sizeof(*e));

	if (e == NULL)
		sock_die("calloc");
	e->kind = kind;
	e->fd = fd;
	e->next = ends;
	ends = e;
	if (fd != -1)
		sock_watch(epfd, fd, e);
	return e;
}

static void
end_close(struct end *e)
{
	if (e->fd != -1)
		close(e->fd);
	e->fd = -1;
	e->have = 0;
	e->at_us = 0;
}

static bool
send_all(int fd, const char *p, size_t n)
{
	return send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* Bytes of a whole message at the start of in; 0 when it is not all there. */
static size_t
message_len(struct end *e)
{
	static const char name[] = "content-length:";
	char *end = memmem(e->in, e->have, "\r\n\r\n", 4), *at;
	size_t len;

	if (end == NULL)
		return 0;
	*end = '\0';
	at = strcasestr(e->in, name);
	len = (size_t)(end - e->in) + 4 +
	    (at == NULL ? 0 : strtoul(at + sizeof(name) - 1, NULL, 10));
	*end = '\r';
	return e->have >= len ? len : 0;
}

/* ---- the instance ---- */

static void
serve(struct end *e)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
	                         "Cache-Control: no-store\r\n\r\nok";
	unsigned long id = 0;
	const char *slash = memchr(e->in, '/', e->have);

	if (slash != NULL)
		id = strtoul(slash + 1, NULL, 10);
	if (id > 0 && id <= opt.requests && arrived[id] < UINT8_MAX)
		arrived[id]++;
	if (!send_all(e->fd, ok, sizeof(ok) - 1)) {
		end_close(e);
		return;
	}
	e->at_us = now_us + roll(IDLE_US) + 1;
}

static void
served_readable(struct end *e)
{
	size_t len;
	ssize_t n;

	/* Its time was over, but nobody had looked yet. */
	if (e->at_us != 0 && roll(JUST_OVER) == 0) {
		closed_late++;
		end_close(e);
		return;
	}
	n = recv(e->fd, e->in + e->have, sizeof(e->in) - 1 - e->have, 0);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end_close(e);
		return;
	}
	e->have += (size_t)n;
	e->in[e->have] = '\0';
	len = message_len(e);
	if (len == 0)
		return;
	serve(e);
	e->have = 0;
}

static void
accept_all(int listener)
{
	int fd;

	while ((fd = sock_accept(listener)) != -1) {
		opened++;
		(void)end_new(KIND_SERVED, fd);
	}
}

/* ---- the clients ---- */

static void
client_think(struct end *e)
{
	e->waits = false;
	e->have = 0;
	e->at_us = now_us + roll(THINK_US) + 1;
}

static void
client_fail(struct end *e)
{
	if (is_post(e->id))
		failed_post++;
	else
		failed_get++;
	end_close(e);
	client_think(e);
}

static void
client_send(struct end *e)
{
	char request[512];
	int n;

	e->due = false;
	n = snprintf(request, sizeof(request),
	    is_post(e->id) ? "POST /%u HTTP/1.1\r\nHost: race.example\r\n"
	                     "Content-Length: %zu\r\n\r\n" BODY
	                   : "GET /%u HTTP/1.1\r\nHost: race.example\r\n\r\n",
	    e->id, sizeof(BODY) - 1);
	if (!send_all(e->fd, request, (size_t)n))
		client_fail(e);
}

static void
client_ask(struct end *e)
{
	if (asked == opt.requests)
		return;
	e->id = (unsigned)++asked;
	e->waits = true;
	e->at_us = now_us + ANSWER_US;
	if (e->fd != -1) {
		client_send(e);
		return;
	}
	e->due = true;
	e->fd = sock_connect(&target, NULL);
	if (e->fd == -1)
		sock_die("connect");
	sock_watch(epfd, e->fd, e);
}

static void
client_readable(struct end *e)
{
	ssize_t n = recv(e->fd, e->in + e->have, sizeof(e->in) - 1 - e->have,
	    0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0 && e->waits) {
		client_fail(e);
		return;
	}
	if (n <= 0) {
		uint64_t at_us = e->at_us;

		end_close(e);
		e->at_us = at_us;
		return;
	}
	e->have += (size_t)n;
	e->in[e->have] = '\0';
	if (message_len(e) == 0)
		return;
	if (strncmp(e->in, "HTTP/1.1 200 ", 13) != 0) {
		client_fail(e);
		return;
	}
	answered++;
	client_think(e);
}

/* ---- both ---- */

static void
on_time(struct end *e)
{
	e->at_us = 0;
	if (e->kind == KIND_SERVED) {
		closed_idle++;
		end_close(e);
	} else if (e->waits) {
		client_fail(e);
	} else {
		client_ask(e);
	}
}

/* Also frees connections of the instance that are closed. */
static void
look_at_clocks(void)
{
	struct end **link = &ends;

	while (*link != NULL) {
		struct end *e = *link;

		if (e->at_us != 0 && e->at_us <= now_us)
			on_time(e);
		if (e->kind == KIND_SERVED && e->fd == -1) {
			/* on_time() adds in front only */
			for (link = &ends; *link != e;)
				link = &(*link)->next;
			*link = e->next;
			free(e);
		} else {
			link = &e->next;
		}
	}
}

static void
clients_start(struct end *start)
{
	epoll_ctl(epfd, EPOLL_CTL_DEL, start->fd, NULL);
	start->fd = -1;
	for (unsigned long i = 0; i < opt.clients; i++)
		client_think(end_new(KIND_CLIENT, -1));
}

static void
readable(struct end *e)
{
	switch (e->kind) {
	case KIND_START:
		clients_start(e);
		return;
	case KIND_LISTENER:
		accept_all(e->fd);
		return;
	case KIND_SERVED:
		served_readable(e);
		return;
	case KIND_CLIENT:
		client_readable(e);
		return;
	}
}

static void
turn(void)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(epfd, ev, EVENTS, 0);

	now_us = sock_now_us();
	for (int i = 0; i < n; i++) {
		struct end *e = ev[i].data.ptr;

		if (e->kind == KIND_CLIENT && e->due)
			client_send(e);
		if (e->fd != -1 && (ev[i].events & ~(unsigned)EPOLLOUT) != 0)
			readable(e);
	}
	look_at_clocks();
}

static void
report(void)
{
	unsigned long twice = 0;

	for (unsigned long id = 1; id <= opt.requests; id++)
		twice += is_post((unsigned)id) && arrived[id] > 1;
	printf("{\"requests\":%lu,\"answered\":%lu,\"failed_safe\":%lu,"
	       "\"failed_unsafe\":%lu,\"twice\":%lu,\"closed_idle\":%lu,"
	       "\"closed_late\":%lu,\"opened\":%lu}\n",
	    asked, answered, failed_get, failed_post, twice, closed_idle,
	    closed_late, opened);
}

static NORETURN void
usage(void)
{
	fprintf(stderr,
	    "usage: bench-race LISTEN TARGET [--instances N] [--requests N]\n"
	    "           [--clients N] [--seed N]\n");
	exit(2);
}

static void
options(int argc, char **argv)
{
	/* clang-format off */
	static const struct option longs[] = {
		{ "instances", required_argument, NULL, 'i' },
		{ "requests",  required_argument, NULL, 'r' },
		{ "clients",   required_argument, NULL, 'c' },
		{ "seed",      required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	/* clang-format on */
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'i':
			opt.instances = sock_count(optarg);
			break;
		case 'r':
			opt.requests = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			opt.clients = strtoul(optarg, NULL, 10);
			break;
		case 's':
			opt.seed = strtoul(optarg, NULL, 10);
			break;
		default:
			usage();
		}
	}
	if (optind + 2 != argc || opt.requests == 0 || opt.clients == 0)
		usage();
}

int
main(int argc, char **argv)
{
	struct sockaddr_in first, at;

	options(argc, argv);
	dice = opt.seed * 2654435761u + 1;
	arrived = calloc(opt.requests + 1, 1);
	if (arrived == NULL)
		sock_die("calloc");
	sock_many_files();
	sock_addr(argv[optind], &first);
	sock_addr(argv[optind + 1], &target);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd == -1)
		sock_die("epoll_create1");
	for (unsigned i = 0; i < opt.instances; i++) {
		at = sock_nth(&first, i);
		(void)end_new(KIND_LISTENER, sock_listen(&at));
	}
	(void)end_new(KIND_START, STDIN_FILENO);
	printf("ready\n");
	fflush(stdout);
	while (answered + failed_get + failed_post < opt.requests)
		turn();
	report();
	return 0;
}
