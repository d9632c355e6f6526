/*
 * rig - a whole proxy on one loop inside the test: views from a configuration
 * and healths set by hand, instances and clients that the test plays itself
 * over loopback.
 *
 * Nothing runs by itself: every wait of the test turns the loop, so that the
 * order of events is the test's.  The clock is a fake one that only
 * rig_later() moves.
 */
#ifndef TESTS_PROXY_RIG_H
#define TESTS_PROXY_RIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proxy/proxy.h"
#include "upstream/registry.h"

enum { A, B, C, ORIGINS }; /* a and b are v1's, c is v2's */

struct origin {
	int fd; /* listens */
	uint16_t port;
};

struct rig {
	struct loop *loop;
	struct views *views;
	struct registry *registry;
	struct cfg *cfg;
	struct keyring *ring;
	struct proxy *proxy;
	struct origin origin[ORIGINS];
	struct service_plan plan; /* for rig_publish() */
	int listen_fd;
	uint16_t port;
	int log_fd; /* the access log: a file of this test */
	unsigned edges[PROXY_STOPPED + 1];
	uint64_t mono_us;
};

/* Lines put into the configuration, or NULL. */
struct rig_lines {
	const char *top;      /* at its top level */
	const char *listener; /* of the one listener, 4 spaces in */
	const char *service;  /* of the one service, 4 spaces in */
	const char *more;     /* further services, 2 spaces in */
	const char *pool;     /* of v1, 8 spaces in */
};

extern struct rig rig;

/* Only instance a is up, unless the test says more; v1 has all of the share. */
void rig_up(const struct rig_lines *);
/* Closes all, and checks that the books balance and nothing is lent. */
void rig_down(void);
void rig_turn(void);
void rig_turns(unsigned n);
struct instance *rig_inst(int origin);
void rig_health(int origin, bool up);
/* A new view from healths and plan, adopted. */
void rig_publish(void);
void rig_share(unsigned v1_bp, unsigned v2_bp);
/* Moves the clock; what falls due follows in the next waits. */
void rig_later(uint64_t us);
/* Somebody sets the wall clock; rig_later() sets it back. */
void rig_set_wall(int64_t by_us);
/* The one client there is is waited for with that (enum client_wait). */
void rig_await_wait(unsigned wait);

/* Bytes in transit now; counts of the service (or of what reached none). */
size_t rig_slabs(void);
uint64_t rig_outcome(enum outcome);
uint64_t rig_unrouted(enum outcome);
const struct service_cell *rig_cell(void);
struct inst_cell *rig_icell(int origin);
/* The access log so far. */
const char *rig_log(void);

/* ---- the other ends; each call turns the loop until it is so ---- */
int client_open(void);
/* A connection nobody waits for, which the test closes by rig_hang_up(). */
int rig_connect(void);
void rig_hang_up(int fd);
/* Sends and opens in one go. */
int client_ask(const char *bytes);
int origin_accept(int origin);
/* True when nobody has tried to connect. */
bool origin_is_quiet(int origin);
void origin_close(int origin); /* further connects are refused */
void put(int fd, const char *bytes);
void put_n(int fd, const char *bytes, size_t n);
/* As many of them as go out within some turns. */
size_t put_some(int fd, const char *bytes, size_t n);
/* One head, its empty line included; a static buffer, four in turn. */
const char *get_head(int fd);
/* Exactly these bytes come next. */
void get(int fd, const char *bytes);
void get_bytes(int fd, void *out, size_t n);
/* Reads and drops n bytes. */
void get_n(int fd, size_t n);
/* Nothing has come. */
bool is_silent(int fd);
void get_eof(int fd);    /* FIN */
void get_reset(int fd);  /* RST */
void half_close(int fd); /* FIN from us, if there is anybody left */
void done(int fd);       /* the same, and we are gone */
void reset(int fd);      /* RST from us; fd is closed */
bool has(const char *head, const char *text);
/* A head, its status and the body "text", sent by hand as an instance does. */
void answer(int fd, const char *status, const char *body);
/* A whole exchange through origin: accepts when up is -1; returns up. */
int serve(int client, int up, int origin, const char *request);

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define GET_A "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET_B "GET /b HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST_5 "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"

#endif
