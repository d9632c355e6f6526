/*
 * rig - a loop that runs until something is true, and plain sockets to be the
 * other end.
 */
#ifndef TESTS_NET_RIG_H
#define TESTS_NET_RIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"

struct loop;

typedef bool rig_fn(void *arg);

/* A loop that must not fail; loop_free() is the caller's. */
struct loop *rig_loop(void);
/* Turns until is_so() says true, looked at after each turn; 5 s at most. */
void rig_run_until(struct loop *, rig_fn *is_so, void *arg);
/* Turns for so long. */
void rig_run_for(struct loop *, uint64_t us);

struct addr rig_addr(const char *text); /* as in a configuration */
/* A blocking socket that listens on a free port of 127.0.0.1. */
int rig_listen(struct addr *at);
int rig_accept(int listen_fd);
int rig_connect(const struct addr *to);
void rig_send(int fd, const char *text);
/* Two ends of one TCP connection; the first does not block. */
void rig_pair(int fds[2]);
/* close(2) with RST. */
void rig_abort(int fd);
/* Waits until the kernel has that for us (POLLIN, POLLRDHUP, POLLERR). */
void rig_await(int fd, short events);
/* A directory for this test, and paths in it; rig_sweep() removes it. */
const char *rig_path(const char *name);
void rig_sweep(void);

#endif
