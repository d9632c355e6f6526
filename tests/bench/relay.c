/*
 * relay - the floor of the benchmark: what a proxy costs that understands
 * nothing.
 *
 *     bench-relay LISTEN ORIGIN [--pin] [--origins COUNT] [--workers COUNT]
 *
 * One thread, one epoll, edge-triggered, every descriptor registered once.
 * A request is whatever one recv gives: it goes to an upstream connection from
 * a list of idle ones (newest first), the answer goes back, and the upstream
 * returns to the list.  With --pin it stays with its client instead, for
 * bodies larger than one recv, and bytes are pumped with back-pressure.
 *
 * Of several origins, ORIGIN and the addresses behind it, each request takes
 * the next.  Several workers are processes that share the listening socket.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/sock.h"

#define BUF_BYTES 65536
#define EVENTS 512

/* One socket; a client and its upstream are each other's peer. */
struct link {
	int fd; /* -1: closed, waiting to be freed after the turn */
	bool is_client;
	bool is_idle;      /* an upstream on the idle list */
	bool has_more;     /* stopped reading since the peer is stuffed */
	unsigned origin;   /* of an upstream: its idle list */
	struct link *peer; /* borrowed, NULL when alone */
	char *rest;        /* owned: bytes the kernel would not take */
	size_t off, len;   /* of rest */
	struct link *prev, *next; /* idle list, or dead list by next */
};

static struct sockaddr_in first_origin;
static unsigned n_origins = 1, next_origin;
static struct link *idle[SOCK_ADDRS_MAX], *dead;
static char shared[BUF_BYTES];
static bool pinned;
static int epfd;

static struct link *
link_new(int fd, bool is_client)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		sock_die("calloc");
	l->fd = fd;
	l->is_client = is_client;
	sock_watch(epfd, fd, l);
	return l;
}

static void
idle_add(struct link *up)
{
	struct link **list = &idle[up->origin];

	up->is_idle = true;
	up->prev = NULL;
	up->next = *list;
	if (*list != NULL)
		(*list)->prev = up;
	*list = up;
}

static void
idle_remove(struct link *up)
{
	if (up->prev != NULL)
		up->prev->next = up->next;
	else
		idle[up->origin] = up->next;
	if (up->next != NULL)
		up->next->prev = up->prev;
	up->prev = up->next = NULL;
	up->is_idle = false;
}

static void
link_close(struct link *l)
{
	struct link *peer = l->peer;

	if (l->fd == -1)
		return;
	if (l->is_idle)
		idle_remove(l);
	close(l->fd);
	l->fd = -1;
	free(l->rest);
	l->rest = NULL;
	l->next = dead;
	dead = l;
	l->peer = NULL;
	if (peer != NULL) {
		peer->peer = NULL;
		link_close(peer); /* half an exchange is of no use */
	}
}

static struct link *
upstream_get(void)
{
	unsigned at = next_origin;
	struct link *up = idle[at];
	struct sockaddr_in to;
	int fd;

	next_origin = at + 1 < n_origins ? at + 1 : 0;
	if (up != NULL) {
		idle_remove(up);
		return up;
	}
	to = sock_nth(&first_origin, at);
	fd = sock_connect(&to, NULL);
	if (fd == -1)
		sock_die("connect to the origin");
	up = link_new(fd, false);
	up->origin = at;
	return up;
}

/* Sends p[n] to l; what does not fit is kept.  False when l is broken. */
static bool
link_send(struct link *l, const char *p, size_t n)
{
	ssize_t done = send(l->fd, p, n, MSG_NOSIGNAL);

	if (done == -1) {
		if (errno != EAGAIN)
			return false;
		done = 0;
	}
	if ((size_t)done == n)
		return true;
	l->rest = malloc(n - (size_t)done);
	if (l->rest == NULL)
		sock_die("malloc");
	l->off = 0;
	l->len = n - (size_t)done;
	memcpy(l->rest, p + done, l->len);
	return true;
}

/*
 * Moves what l has to its peer until l is dry or the peer is stuffed.  A
 * short recv means dry, unless the end of the stream is known to follow.
 */
static void
pump(struct link *l, bool to_end)
{
	ssize_t n;

	for (;;) {
		if (l->peer != NULL && l->peer->rest != NULL) {
			l->has_more = true;
			return;
		}
		n = recv(l->fd, shared, sizeof(shared), 0);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0) {
			link_close(l);
			return;
		}
		if (l->peer == NULL) {
			if (!l->is_client) {
				link_close(l); /* bytes nobody asked for */
				return;
			}
			l->peer = upstream_get();
			l->peer->peer = l;
		}
		if (!link_send(l->peer, shared, (size_t)n)) {
			link_close(l);
			return;
		}
		if ((size_t)n == sizeof(shared) || to_end)
			continue;
		if (!l->is_client && !pinned && l->peer->rest == NULL) {
			l->peer->peer = NULL;
			l->peer = NULL;
			idle_add(l);
		}
		return;
	}
}

static void
flush_rest(struct link *l)
{
	ssize_t n = send(l->fd, l->rest + l->off, l->len, MSG_NOSIGNAL);

	if (n == -1) {
		if (errno != EAGAIN)
			link_close(l);
		return;
	}
	l->off += (size_t)n;
	l->len -= (size_t)n;
	if (l->len > 0)
		return;
	free(l->rest);
	l->rest = NULL;
	if (l->peer != NULL && l->peer->has_more) {
		l->peer->has_more = false;
		pump(l->peer, false);
	}
}

static void
accept_all(int listener)
{
	int fd;

	while ((fd = sock_accept(listener)) != -1)
		(void)link_new(fd, true);
}

static void
turn(int listener)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(epfd, ev, EVENTS, -1);

	for (int i = 0; i < n; i++) {
		struct link *l = ev[i].data.ptr;

		if (l == NULL) {
			accept_all(listener);
			continue;
		}
		if (l->fd != -1 && (ev[i].events & EPOLLOUT) != 0 &&
		    l->rest != NULL)
			flush_rest(l);
		if (l->fd != -1 && (ev[i].events & ~(unsigned)EPOLLOUT) != 0)
			pump(l, (ev[i].events & EPOLLRDHUP) != 0);
	}
	while (dead != NULL) {
		struct link *l = dead;

		dead = l->next;
		free(l);
	}
}

/* One process a worker; they end with the first. */
static void
more_workers(unsigned n)
{
	for (; n > 1; n--) {
		pid_t pid = fork();

		if (pid == -1)
			sock_die("fork");
		if (pid > 0)
			continue;
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
			sock_die("prctl");
		return;
	}
}

static NORETURN void
usage(void)
{
	fprintf(stderr,
	    "usage: bench-relay LISTEN ORIGIN [--pin] [--origins COUNT]\n"
	    "           [--workers COUNT]\n");
	exit(2);
}

/* Returns the number of workers. */
static unsigned
options(int argc, char **argv)
{
	/* clang-format off */
	static const struct option longs[] = {
		{ "pin",     no_argument,       NULL, 'p' },
		{ "origins", required_argument, NULL, 'o' },
		{ "workers", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	/* clang-format on */
	unsigned workers = 1;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			pinned = true;
			break;
		case 'o':
			n_origins = sock_count(optarg);
			break;
		case 'w':
			workers = sock_count(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind + 2 != argc)
		usage();
	return workers;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at;
	unsigned workers = options(argc, argv);
	int listener;

	sock_many_files();
	sock_addr(argv[optind], &at);
	sock_addr(argv[optind + 1], &first_origin);
	listener = sock_listen(&at);
	more_workers(workers);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd == -1)
		sock_die("epoll_create1");
	sock_watch(epfd, listener, NULL);
	for (;;)
		turn(listener);
}
