/*
 * sock - the few socket and clock steps the benchmark programs share.
 */
#include "tests/bench/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void
sock_die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
	    strerror(errno));
	exit(1);
}

void
sock_addr(const char *text, struct sockaddr_in *out)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	unsigned long port;
	char *end;

	memset(out, 0, sizeof(*out));
	out->sin_family = AF_INET;
	errno = EINVAL;
	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		sock_die(text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || end == colon + 1 || port > UINT16_MAX ||
	    inet_pton(AF_INET, host, &out->sin_addr) != 1)
		sock_die(text);
	out->sin_port = htons((uint16_t)port);
}

struct sockaddr_in
sock_nth(const struct sockaddr_in *first, unsigned n)
{
	struct sockaddr_in at = *first;

	at.sin_addr.s_addr = htonl(ntohl(first->sin_addr.s_addr) + n);
	return at;
}

unsigned
sock_count(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end != '\0' || n < 1 || n > SOCK_ADDRS_MAX) {
		errno = ERANGE;
		sock_die(text);
	}
	return (unsigned)n;
}

static void
set_nodelay(int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		sock_die("TCP_NODELAY");
}

int
sock_listen(const struct sockaddr_in *at)
{
	int fd, on = 1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		sock_die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		sock_die("SO_REUSEADDR");
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) == -1)
		sock_die("bind");
	if (listen(fd, 4096) == -1)
		sock_die("listen");
	return fd;
}

int
sock_connect(const struct sockaddr_in *to, const struct sockaddr_in *from)
{
	int fd, on = 1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		sock_die("socket");
	set_nodelay(fd);
	if (from != NULL) {
		/* The port is chosen at connect(): many more fit. */
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
		    sizeof(on));
		if (bind(fd, (const struct sockaddr *)from, sizeof(*from)) ==
		    -1)
			sock_die("bind to source");
	}
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == -1 &&
	    errno != EINPROGRESS) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
sock_accept(int listener)
{
	int fd;

	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE)
			sock_die("accept");
		return -1;
	}
	set_nodelay(fd);
	return fd;
}

void
sock_watch(int epoll_fd, int fd, void *tag)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = tag,
	};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == -1)
		sock_die("epoll_ctl");
}

void
sock_many_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		sock_die("getrlimit");
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1)
		sock_die("setrlimit");
}

uint64_t
sock_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
