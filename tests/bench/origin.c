/*
 * origin - a very cheap HTTP/1.1 server to stand behind the proxies.
 *
 *     bench-origin LISTEN [COUNT]
 *
 *     GET /        1 KiB          GET /16k     16 KiB
 *     GET /big     64 MiB
 *     POST /...    swallows Content-Length bytes, then answers 2 bytes
 *
 * With COUNT it listens on as many addresses, LISTEN and those behind it, and
 * so stands for as many instances.
 *
 * It trusts its callers (our own load through a proxy): one request at a time
 * on a connection, Content-Length only, heads up to 4 KiB.  Anything else is
 * answered with 400 and the connection closed.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/sock.h"

#define HEAD_MAX 4096
#define SMALL_BYTES 1024
#define MIDDLE_BYTES 16384
#define BIG_BYTES (64ull << 20)
#define CHUNK_BYTES (256u << 10)
#define EVENTS 512

struct peer {
	int fd;          /* -1: closed, freed after the turn */
	size_t have;     /* bytes of a head cut short */
	uint64_t upload; /* body bytes still to come */
	bool in_upload;
	uint64_t big_left; /* body bytes of /big still to send */
	const char *out;   /* borrowed: rest of a short answer */
	size_t out_len;
	struct peer *next; /* dead list */
	char head[HEAD_MAX];
};

#define HEAD_OK                                                                \
	"HTTP/1.1 200 OK\r\nServer: origin\r\n"                                \
	"Date: Tue, 24 Nov 2026 10:00:00 GMT\r\n"                              \
	"Content-Type: application/octet-stream\r\n"                           \
	"Cache-Control: no-store\r\n"

static const char small_head[] = HEAD_OK "Content-Length: 1024\r\n\r\n";
static const char middle_head[] = HEAD_OK "Content-Length: 16384\r\n\r\n";
static const char big_head[] = HEAD_OK "Content-Length: 67108864\r\n\r\n";
static const char thanks[] = HEAD_OK "Content-Length: 2\r\n\r\nok";
static const char refusal[] = "HTTP/1.1 400 Bad Request\r\n"
                              "Connection: close\r\nContent-Length: 0\r\n\r\n";

static char small[sizeof(small_head) - 1 + SMALL_BYTES];
static char middle[sizeof(middle_head) - 1 + MIDDLE_BYTES];
static char chunk[CHUNK_BYTES];
static char sink[CHUNK_BYTES];
static struct peer *dead;
static int listeners[SOCK_ADDRS_MAX]; /* an event's tag may point here */

static void
peer_close(struct peer *p)
{
	if (p->fd == -1)
		return;
	close(p->fd);
	p->fd = -1;
	p->next = dead;
	dead = p;
}

/* Sends what is due; true when everything has left. */
static bool
flush_out(struct peer *p)
{
	while (p->out_len > 0 || p->big_left > 0) {
		bool is_short = p->out_len > 0;
		const char *from = is_short ? p->out : chunk;
		size_t want = is_short ? p->out_len
		                       : MIN(p->big_left, CHUNK_BYTES);
		ssize_t n = send(p->fd, from, want, MSG_NOSIGNAL);

		if (n == -1) {
			if (errno != EAGAIN)
				peer_close(p);
			return false;
		}
		if (is_short) {
			p->out += n;
			p->out_len -= (size_t)n;
		} else {
			p->big_left -= (uint64_t)n;
		}
	}
	return true;
}

static void
answer(struct peer *p, const char *bytes, size_t len)
{
	p->out = bytes;
	p->out_len = len;
	(void)flush_out(p);
}

/* The value of Content-Length in head[len], which ends with an empty line. */
static bool
content_length(const char *head, size_t len, uint64_t *out)
{
	static const char name[] = "\ncontent-length:";

	for (size_t i = 0; i + sizeof(name) < len; i++)
		if (head[i] == '\n' &&
		    strncasecmp(head + i, name, sizeof(name) - 1) == 0) {
			*out = strtoull(head + i + sizeof(name) - 1, NULL, 10);
			return true;
		}
	return false;
}

/* One whole head; returns false when the connection was given up. */
static bool
serve(struct peer *p, const char *head, size_t len)
{
	if (strncmp(head, "GET / ", 6) == 0) {
		answer(p, small, sizeof(small));
	} else if (strncmp(head, "GET /16k ", 9) == 0) {
		answer(p, middle, sizeof(middle));
	} else if (strncmp(head, "GET /big ", 9) == 0) {
		p->big_left = BIG_BYTES;
		answer(p, big_head, sizeof(big_head) - 1);
	} else if (strncmp(head, "POST /", 6) == 0 &&
	    content_length(head, len, &p->upload)) {
		p->in_upload = true;
	} else {
		answer(p, refusal, sizeof(refusal) - 1);
		peer_close(p);
	}
	return p->fd != -1;
}

/* Takes body bytes off; returns how many of n belonged to the body. */
static size_t
swallow(struct peer *p, size_t n)
{
	size_t used = MIN((uint64_t)n, p->upload);

	p->upload -= used;
	if (p->upload == 0) {
		p->in_upload = false;
		answer(p, thanks, sizeof(thanks) - 1);
	}
	return used;
}

/* Bytes p->head[have] hold a whole head, perhaps body behind it. */
static void
take_head(struct peer *p)
{
	char *end = memmem(p->head, p->have, "\r\n\r\n", 4);
	size_t len, rest;

	if (end == NULL) {
		if (p->have == HEAD_MAX)
			peer_close(p);
		return;
	}
	len = (size_t)(end - p->head) + 4;
	rest = p->have - len;
	p->have = 0;
	if (serve(p, p->head, len) && p->in_upload)
		(void)swallow(p, rest);
}

static void
readable(struct peer *p)
{
	ssize_t n;
	size_t cap;
	bool in_upload;

	do {
		in_upload = p->in_upload;
		cap = in_upload ? sizeof(sink) : HEAD_MAX - p->have;
		n = recv(p->fd, in_upload ? sink : p->head + p->have, cap, 0);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0) {
			peer_close(p);
			return;
		}
		if (in_upload) {
			(void)swallow(p, (size_t)n);
		} else {
			p->have += (size_t)n;
			take_head(p);
		}
	} while (p->fd != -1 && ((size_t)n == cap || p->in_upload));
}

static void
accept_all(int epfd, int listener)
{
	int fd;

	while ((fd = sock_accept(listener)) != -1) {
		struct peer *p = malloc(sizeof(*p));

		if (p == NULL)
			sock_die("malloc");
		memset(p, 0, offsetof(struct peer, head));
		p->fd = fd;
		sock_watch(epfd, fd, p);
	}
}

static bool
is_listener(const void *tag)
{
	return (uintptr_t)tag >= (uintptr_t)listeners &&
	    (uintptr_t)tag < (uintptr_t)(listeners + ARRAY_LEN(listeners));
}

static void
turn(int epfd)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(epfd, ev, EVENTS, -1);

	for (int i = 0; i < n; i++) {
		struct peer *p = ev[i].data.ptr;

		if (is_listener(p)) {
			accept_all(epfd, *(const int *)ev[i].data.ptr);
			continue;
		}
		if (p->fd != -1 && (ev[i].events & EPOLLOUT) != 0)
			(void)flush_out(p);
		if (p->fd != -1 && (ev[i].events & ~(unsigned)EPOLLOUT) != 0)
			readable(p);
	}
	while (dead != NULL) {
		struct peer *p = dead;

		dead = p->next;
		free(p);
	}
}

static void
make_answers(void)
{
	memset(small, 'x', sizeof(small));
	memcpy(small, small_head, sizeof(small_head) - 1);
	memset(middle, 'z', sizeof(middle));
	memcpy(middle, middle_head, sizeof(middle_head) - 1);
	memset(chunk, 'y', sizeof(chunk));
}

int
main(int argc, char **argv)
{
	struct sockaddr_in first, at;
	unsigned n;
	int epfd;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: bench-origin LISTEN [COUNT]\n");
		return 2;
	}
	make_answers();
	sock_many_files();
	sock_addr(argv[1], &first);
	n = argc > 2 ? sock_count(argv[2]) : 1;
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd == -1)
		sock_die("epoll_create1");
	for (unsigned i = 0; i < n; i++) {
		at = sock_nth(&first, i);
		listeners[i] = sock_listen(&at);
		sock_watch(epfd, listeners[i], &listeners[i]);
	}
	for (;;)
		turn(epfd);
}
