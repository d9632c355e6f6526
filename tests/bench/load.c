/*
 * load - closed-loop HTTP/1.1 load: N connections, each asks again as soon as
 * it has its answer.
 *
 *     bench-load TARGET [--connections N] [--seconds S] [--warm S]
 *         [--path P] [--post BYTES] [--cookie C] [--new | --idle |
 *         --requests N] [--tls | --tls --resume]
 *
 * --new opens a connection for each request and closes it after the answer;
 * --idle sends one request on each connection, prints "idle", then holds them
 * all until standard input ends; --requests ends after N answers, not after a
 * time.  Otherwise prints "start" when the warm-up is over.  At the end there
 * is one line of JSON.  Any answer but a 200 with Content-Length is an error.
 *
 * --tls speaks TLS 1.3; with --resume each connection resumes the session of
 * the one before it.  .resumed says how many requests came over one that did.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/lat.h"
#include "tests/bench/secure.h"
#include "tests/bench/sock.h"

#define HEAD_MAX 2048
#define CHUNK_BYTES (256u << 10)
#define EVENTS 512
#define SOURCES 200 /* loopback source addresses used in turn by --new */

struct conn {
	int fd;             /* -1: not open */
	bool in_body;       /* the answer's head is complete */
	bool is_done;       /* has had its first answer */
	struct secure *tls; /* NULL: plain */
	size_t out_off;     /* of the request's head */
	uint64_t up_left, down_left;
	uint64_t began_us;
	size_t have;
	char head[HEAD_MAX];
};

static struct {
	struct sockaddr_in target;
	unsigned connections;
	double seconds, warm;
	const char *path, *cookie; /* a further one; "": none */
	uint64_t post;
	uint64_t limit; /* answers; 0: as many as the time allows */
	bool is_post, is_new, is_idle, is_tls, resumes;
} opt = { .connections = 64,
	.seconds = 3,
	.warm = 1,
	.path = "/",
	.cookie = "" };

static struct lat lat;
static uint64_t asked, requests, errors, bytes_in, bytes_out, done_once;
static uint64_t resumed;
static unsigned sources_used;
static char request[1024];
static size_t request_len;
static char shared[CHUNK_BYTES], zeros[CHUNK_BYTES];
static int epfd;
static bool stopping;

static void conn_begin(struct conn *);

static ssize_t
put(struct conn *c, const void *p, size_t len)
{
	return c->tls != NULL ? secure_send(c->tls, p, len)
	                      : send(c->fd, p, len, MSG_NOSIGNAL);
}

static ssize_t
get(struct conn *c, void *p, size_t len)
{
	return c->tls != NULL ? secure_recv(c->tls, p, len)
	                      : recv(c->fd, p, len, 0);
}

static void
conn_close(struct conn *c)
{
	if (c->tls != NULL)
		secure_end(c->tls);
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

static void
conn_fail(struct conn *c)
{
	errors++;
	conn_close(c);
	if (errors > 1000 && errors > requests) {
		fprintf(stderr, "bench-load: more errors than answers\n");
		exit(1);
	}
	if (!stopping && !opt.is_idle)
		conn_begin(c);
}

static void
conn_send(struct conn *c)
{
	while (c->out_off < request_len || c->up_left > 0) {
		bool in_head = c->out_off < request_len;
		const char *p = in_head ? request + c->out_off : zeros;
		size_t want = in_head ? request_len - c->out_off
		                      : MIN(c->up_left, (uint64_t)CHUNK_BYTES);
		ssize_t n = put(c, p, want);

		if (n <= 0) {
			if (n == 0 || errno != EAGAIN)
				conn_fail(c);
			return;
		}
		bytes_out += (uint64_t)n;
		if (in_head)
			c->out_off += (size_t)n;
		else
			c->up_left -= (uint64_t)n;
	}
}

static int
conn_open(void)
{
	struct sockaddr_in from = { .sin_family = AF_INET };

	if (!opt.is_new)
		return sock_connect(&opt.target, NULL);
	from.sin_addr.s_addr = htonl(0x7f000100u + 1 +
	    sources_used++ % SOURCES);
	return sock_connect(&opt.target, &from);
}

/* The next request of a connection, opened if need be. */
static void
conn_begin(struct conn *c)
{
	bool is_fresh = c->fd == -1;

	asked++;
	c->in_body = false;
	c->out_off = 0;
	c->up_left = opt.post;
	c->have = 0;
	c->began_us = sock_now_us();
	if (is_fresh) {
		c->fd = conn_open();
		if (c->fd == -1)
			sock_die("connect");
		if (c->tls != NULL)
			secure_begin(c->tls, c->fd, opt.resumes);
		sock_watch(epfd, c->fd, c); /* sends when it is writable */
	} else {
		conn_send(c);
	}
}

static void
conn_answered(struct conn *c)
{
	lat_add(&lat, sock_now_us() - c->began_us);
	requests++;
	resumed += c->tls != NULL && secure_is_resumed(c->tls);
	done_once += !c->is_done;
	c->is_done = true;
	if (opt.is_idle)
		return;
	if (opt.limit > 0 && asked >= opt.limit)
		return; /* the rest is under way */
	if (opt.is_new || stopping)
		conn_close(c);
	if (!stopping)
		conn_begin(c);
}

/* Reads status and Content-Length; false when the answer is none of ours. */
static bool
read_head(struct conn *c, size_t len)
{
	static const char name[] = "\ncontent-length:";

	if (strncmp(c->head, "HTTP/1.1 200 ", 13) != 0)
		return false;
	for (size_t i = 0; i + sizeof(name) < len; i++)
		if (c->head[i] == '\n' &&
		    strncasecmp(c->head + i, name, sizeof(name) - 1) == 0) {
			c->down_left = strtoull(c->head + i + sizeof(name) - 1,
			    NULL, 10);
			return true;
		}
	return false;
}

/* New bytes lie behind c->head[have]; returns false on a bad answer. */
static bool
take_head(struct conn *c)
{
	char *end = memmem(c->head, c->have, "\r\n\r\n", 4);
	size_t len;

	if (end == NULL)
		return c->have < HEAD_MAX;
	len = (size_t)(end - c->head) + 4;
	if (!read_head(c, len) || c->down_left < c->have - len)
		return false;
	c->down_left -= c->have - len;
	c->in_body = true;
	return true;
}

static void
conn_recv(struct conn *c)
{
	size_t cap;
	ssize_t n;

	do {
		cap = c->in_body ? sizeof(shared) : HEAD_MAX - c->have;
		n = get(c, c->in_body ? shared : c->head + c->have, cap);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0) {
			conn_fail(c);
			return;
		}
		bytes_in += (uint64_t)n;
		if (c->in_body) {
			if ((uint64_t)n > c->down_left) {
				conn_fail(c);
				return;
			}
			c->down_left -= (uint64_t)n;
		} else {
			c->have += (size_t)n;
			if (!take_head(c)) {
				conn_fail(c);
				return;
			}
		}
		if (c->in_body && c->down_left == 0) {
			conn_answered(c);
			return;
		}
	} while ((size_t)n == cap || c->in_body || c->tls != NULL);
}

static void
turn(int wait_ms)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(epfd, ev, EVENTS, wait_ms);

	for (int i = 0; i < n; i++) {
		struct conn *c = ev[i].data.ptr;
		int fd = c->fd;

		/* A conn that answered early may be on its next socket. */
		if (fd != -1 &&
		    ((ev[i].events & EPOLLOUT) != 0 || c->tls != NULL))
			conn_send(c);
		if (c->fd == fd && fd != -1 &&
		    (ev[i].events & ~(unsigned)EPOLLOUT) != 0)
			conn_recv(c);
	}
}

static void
report(double took)
{
	printf("{\"requests\":%llu,\"seconds\":%.4f,\"rps\":%.1f,"
	       "\"p50_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu,"
	       "\"errors\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu,"
	       "\"resumed\":%llu}\n",
	    (unsigned long long)requests, took, (double)requests / took,
	    (unsigned long long)lat_at(&lat, 0.5),
	    (unsigned long long)lat_at(&lat, 0.99),
	    (unsigned long long)lat.max_us, (unsigned long long)errors,
	    (unsigned long long)bytes_in, (unsigned long long)bytes_out,
	    (unsigned long long)resumed);
	fflush(stdout);
}

static void
run_for(double seconds)
{
	uint64_t end = sock_now_us() + (uint64_t)(seconds * 1e6);

	while (sock_now_us() < end)
		turn(20);
}

static void
run_idle(void)
{
	char c;

	for (int tries = 0; done_once + errors < opt.connections; tries++) {
		turn(100);
		if (tries > 100000)
			break;
	}
	printf("idle %llu errors %llu\n", (unsigned long long)done_once,
	    (unsigned long long)errors);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		continue;
}

static void
run_timed(void)
{
	uint64_t began;

	run_for(opt.warm);
	while (opt.resumes && done_once < opt.connections)
		run_for(0.1); /* not each of them has a session yet */
	printf("start\n");
	fflush(stdout);
	memset(&lat, 0, sizeof(lat));
	requests = errors = bytes_in = bytes_out = resumed = 0;
	began = sock_now_us();
	run_for(opt.seconds);
	report((double)(sock_now_us() - began) / 1e6);
}

static void
run_counted(void)
{
	uint64_t began = sock_now_us();

	while (requests + errors < opt.limit)
		turn(100);
	report((double)(sock_now_us() - began) / 1e6);
}

static NORETURN void
usage(void)
{
	fprintf(stderr,
	    "usage: bench-load TARGET [--connections N] [--seconds S]\n"
	    "           [--warm S] [--path P] [--post BYTES]\n"
	    "           [--new | --idle | --requests N]\n"
	    "           [--tls | --tls --resume]\n");
	exit(2);
}

static void
options(int argc, char **argv)
{
	/* clang-format off */
	static const struct option longs[] = {
		{ "connections", required_argument, NULL, 'c' },
		{ "seconds",     required_argument, NULL, 's' },
		{ "warm",        required_argument, NULL, 'w' },
		{ "path",        required_argument, NULL, 'p' },
		{ "post",        required_argument, NULL, 'b' },
		{ "cookie",      required_argument, NULL, 'k' },
		{ "new",         no_argument,       NULL, 'n' },
		{ "idle",        no_argument,       NULL, 'i' },
		{ "requests",    required_argument, NULL, 'r' },
		{ "tls",         no_argument,       NULL, 't' },
		{ "resume",      no_argument,       NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	/* clang-format on */
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			opt.connections = (unsigned)atoi(optarg);
			break;
		case 's':
			opt.seconds = atof(optarg);
			break;
		case 'w':
			opt.warm = atof(optarg);
			break;
		case 'p':
			opt.path = optarg;
			break;
		case 'b':
			opt.post = strtoull(optarg, NULL, 10);
			opt.is_post = true;
			break;
		case 'k':
			opt.cookie = optarg;
			break;
		case 'n':
			opt.is_new = true;
			break;
		case 'i':
			opt.is_idle = true;
			break;
		case 'r':
			opt.limit = strtoull(optarg, NULL, 10);
			break;
		case 't':
			opt.is_tls = true;
			break;
		case 'u':
			opt.resumes = true;
			break;
		default:
			usage();
		}
	}
	if (optind + 1 != argc || opt.connections == 0 || opt.seconds <= 0 ||
	    (opt.limit > 0 && opt.limit < opt.connections))
		usage();
	sock_addr(argv[optind], &opt.target);
}

/* What a browser-like client sends: ten fields, some 500 bytes. */
static void
make_request(const char *host)
{
	char length[128] = "";
	int n;

	if (opt.is_post)
		snprintf(length, sizeof(length),
		    "Content-Type: application/octet-stream\r\n"
		    "Content-Length: %llu\r\n",
		    (unsigned long long)opt.post);
	n = snprintf(request, sizeof(request),
	    "%s %s HTTP/1.1\r\nHost: %s\r\n"
	    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) "
	    "Gecko/20100101 Firefox/128.0\r\n"
	    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,"
	    "*/*;q=0.8\r\n"
	    "Accept-Language: en-US,en;q=0.5\r\n"
	    "Cookie: theme=dark; lang=en; visitor=8f14e45fceea167a5a36dedd4bea"
	    "2543%s%s\r\n"
	    "Upgrade-Insecure-Requests: 1\r\n"
	    "Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n"
	    "%s\r\n",
	    opt.is_post ? "POST" : "GET", opt.path, host,
	    opt.cookie[0] == '\0' ? "" : "; ", opt.cookie, length);
	if (n < 0 || (size_t)n >= sizeof(request)) {
		errno = EMSGSIZE;
		sock_die("request");
	}
	request_len = (size_t)n;
}

int
main(int argc, char **argv)
{
	struct conn *conns;

	options(argc, argv);
	make_request(argv[optind]);
	sock_many_files();
	epfd = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(opt.connections, sizeof(*conns));
	if (epfd == -1 || conns == NULL)
		sock_die("start");
	for (unsigned i = 0; i < opt.connections; i++) {
		conns[i].fd = -1;
		if (opt.is_tls)
			conns[i].tls = secure_new();
		conn_begin(&conns[i]);
		if (i % 256 == 255)
			turn(1); /* let the listener's queue breathe */
		while (opt.is_idle && done_once + errors + 64 <= i)
			turn(10); /* few at once: few upstream connections */
	}
	if (opt.is_idle)
		run_idle();
	else if (opt.limit > 0)
		run_counted();
	else
		run_timed();
	stopping = true;
	free(conns);
	return errors > 0 ? 1 : 0;
}
