/*
 * sock - the few socket and clock steps the benchmark programs share.
 *
 * Whatever fails here ends the program with a message: a benchmark that
 * limps gives wrong numbers.
 *
 * Thread: single-threaded programs.
 */
#ifndef BENCH_SOCK_H
#define BENCH_SOCK_H
#include <netinet/in.h>
#include <stdint.h>

#include "base/attr.h"

#define SOCK_ADDRS_MAX 4096

/* Prints "PROGRAM: what: strerror(errno)" and exits with 1. */
NORETURN void sock_die(const char *what);

/* "127.0.0.1:8080" (IPv4 only) into *out; dies on anything else. */
void sock_addr(const char *text, struct sockaddr_in *out);

/*
 * The address n places behind *first, its port the same: 127.0.1.0 is 255
 * behind 127.0.0.1, and every one of them is the loopback interface.
 */
struct sockaddr_in sock_nth(const struct sockaddr_in *first, unsigned n);

/* "COUNT" in 1..SOCK_ADDRS_MAX; dies on anything else. */
unsigned sock_count(const char *text);

/* A non-blocking listening socket, backlog 4096. */
int sock_listen(const struct sockaddr_in *at);

/*
 * A non-blocking connection under way, from source address *from unless it
 * is NULL; Nagle off.  -1 with errno when the kernel refuses at once.
 */
int sock_connect(const struct sockaddr_in *to, const struct sockaddr_in *from);

/* The next connection, non-blocking and Nagle off; -1 when there is none. */
int sock_accept(int listener);

/* Edge-triggered for both directions, once and for all. */
void sock_watch(int epoll_fd, int fd, void *tag);

/* Raises the limit of open files to the hard limit. */
void sock_many_files(void);

/* CLOCK_MONOTONIC in microseconds. */
uint64_t sock_now_us(void);

#endif
