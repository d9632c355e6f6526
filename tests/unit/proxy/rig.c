#include "rig.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/slab.h"
#include "base/thread.h"
#include "config/config.h"
#include "config/pages.h"
#include "net/loop.h"
#include "proxy/callers.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "session/keyring.h"

#define PATIENCE_S 10
#define WALL_US (UINT64_C(1800000000) * US_PER_S)
#define KEY                                                                    \
	"1 00112233445566778899aabbccddeeff"                                   \
	"00112233445566778899aabbccddeeff\n"

struct rig rig;

static int fds[64];
static size_t n_fds;

static int
keep(int fd)
{
	cr_assert_lt(n_fds, sizeof(fds) / sizeof(fds[0]));
	fds[n_fds++] = fd;
	return fd;
}

static void
forget(int fd)
{
	for (size_t i = 0; i < n_fds; i++)
		if (fds[i] == fd)
			fds[i--] = fds[--n_fds];
}

/* ---- time ---- */

static void
on_turn(void *arg)
{
	(void)arg;
	proxy_turn(rig.proxy);
	loop_stop(rig.loop); /* this turn only */
}

void
rig_turn(void)
{
	loop_wake(rig.loop);
	loop_run(rig.loop);
}

void
rig_turns(unsigned n)
{
	while (n-- > 0)
		rig_turn();
}

/* Bounds a wait by real time: a hang is a failure, not a way to wait. */
static time_t
patience(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + PATIENCE_S;
}

static void
turn_until(time_t end, const char *what)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	cr_assert(t.tv_sec < end, "waited in vain for %s", what);
	rig_turn();
}

void
rig_later(uint64_t us)
{
	rig.mono_us += us;
	clock_fake(rig.mono_us, WALL_US + rig.mono_us);
}

void
rig_set_wall(int64_t by_us)
{
	clock_fake(rig.mono_us, WALL_US + rig.mono_us + (uint64_t)by_us);
}

void
rig_await_wait(unsigned wait)
{
	time_t end = patience();
	struct client *c;

	while ((c = TAILQ_FIRST(&rig.proxy->clients)) == NULL ||
	    c->wait != wait)
		turn_until(end, "a wait of the client");
}

/* ---- up and down ---- */

/* No waiting for acknowledgements, as our listeners do it. */
static void
at_once(int fd)
{
	int one = 1;

	cr_assert_eq(
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
}

static int
listen_any(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_neq(fd, -1);
	at_once(fd); /* what it accepts inherits it */
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(fd, 64), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void
on_edge(void *arg, enum proxy_edge edge, struct instance *inst)
{
	(void)arg;
	(void)inst;
	rig.edges[edge]++;
}

static void
configure(const struct rig_lines *l)
{
	struct cfg_problems p;
	char yaml[8192];
	struct buf said = BUF_INIT;

	(void)snprintf(yaml, sizeof(yaml),
	    "%s\n"
	    "listeners:\n"
	    "  - address: 127.0.0.1:1\n"
	    "%s\n"
	    "services:\n"
	    "%s\n"
	    "  - name: web\n"
	    "%s\n"
	    "    pools:\n"
	    "      - name: v1\n"
	    "        share: 100%%\n"
	    "%s\n"
	    "        instances:\n"
	    "          - { name: a, address: \"127.0.0.1:%u\" }\n"
	    "          - { name: b, address: \"127.0.0.1:%u\" }\n"
	    "      - name: v2\n"
	    "        share: 0%%\n"
	    "        instances:\n"
	    "          - { name: c, address: \"127.0.0.1:%u\" }\n",
	    l->top != NULL ? l->top : "",
	    l->listener != NULL ? l->listener : "",
	    l->more != NULL ? l->more : "",
	    l->service != NULL ? l->service : "",
	    l->pool != NULL ? l->pool : "", rig.origin[A].port,
	    rig.origin[B].port, rig.origin[C].port);
	if (cfg_parse(str_of(yaml), "rig", &rig.cfg, &p) != E_OK)
		cr_assert_fail("%s", p.n > 0 ? p.list[0].text : "cfg_parse");
	cfg_problems_free(&p);
	if (pages_load(rig.cfg, "rig", &said) != E_OK)
		cr_assert_fail("%s", said.p);
	buf_free(&said);
}

static void
plan(void)
{
	rig.plan = (struct service_plan){ .service = "web", .n_pools = 2 };
	for (size_t i = 0; i < 2; i++) {
		rig.plan.pools[i] = (struct pool_plan){ .serves = true };
		(void)snprintf(rig.plan.pools[i].pool,
		    sizeof(rig.plan.pools[i].pool), "v%zu", i + 1);
	}
	rig.plan.pools[0].share_bp = CFG_SHARE_ALL;
}

static void
publish(void)
{
	struct view *v = registry_view(rig.registry, rig.cfg, rig.ring,
	    &rig.plan, 1);

	cr_assert_not_null(v);
	(void)views_publish(rig.views, v);
}

void
rig_up(const struct rig_lines *lines)
{
	static const struct rig_lines none;
	char why[256];
	struct proxy_env env = { .n_workers = 1,
		.listen_fds = &rig.listen_fd,
		.n_listen = 1,
		.edge = on_edge,
		.callers = callers_new() };

	thread_become(ROLE_ANY, "test");
	rig.mono_us = 1000 * US_PER_S;
	rig_later(0);
	for (int i = 0; i < ORIGINS; i++)
		rig.origin[i].fd = listen_any(&rig.origin[i].port);
	rig.listen_fd = listen_any(&rig.port);
	configure(lines != NULL ? lines : &none);
	cr_assert_eq(keyring_parse(str_of(KEY), "key", &rig.ring, why,
	                 sizeof(why)),
	    E_OK);
	rig.registry = registry_new(1);
	rig.views = views_new(1);
	cr_assert_eq(registry_apply(rig.registry, rig.cfg, NULL, 0, why,
	                 sizeof(why)),
	    E_OK, "%s", why);
	cr_assert_eq(loop_new(&rig.loop), E_OK);
	rig.log_fd = fileno(tmpfile());
	env.loop = rig.loop;
	env.views = rig.views;
	env.access_fd = rig.log_fd;
	cr_assert_eq(proxy_new(&env, &rig.proxy), E_OK);
	loop_on_turn(rig.loop, on_turn, NULL);
	plan();
	rig_inst(A)->health = HEALTH_UP;
	publish();
	cr_assert_eq(proxy_start(rig.proxy), E_OK);
}

static void
balance(const struct service_cell *c, const char *name)
{
	uint64_t sum = 0;

	for (int i = 0; i < OUT_COUNT; i++)
		sum += stat_get(&c->outcome[i]);
	cr_assert_eq(stat_get(&c->active), 0, "%s: active", name);
	cr_assert_eq(stat_get(&c->begun), sum, "%s: begun %u, ended %u", name,
	    (unsigned)stat_get(&c->begun), (unsigned)sum);
}

void
rig_down(void)
{
	struct callers *callers;
	time_t end = patience();

	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
	n_fds = 0;
	for (int i = 0; i < ORIGINS; i++)
		origin_close(i);
	while (!TAILQ_EMPTY(&rig.proxy->exchanges)) {
		rig_later(US_PER_MS); /* parked ones wait for a time */
		turn_until(end, "the end of all exchanges");
	}
	while (rig.proxy->n_clients > 0)
		turn_until(end, "the end of all clients");
	cr_assert_eq(rig_slabs(), 0, "%zu slabs are lent at idle", rig_slabs());
	balance(rig_cell(), "web");
	balance(&registry_unrouted(rig.registry)->cells[0], "unrouted");
	for (int i = 0; i < ORIGINS; i++) {
		cr_assert_eq(stat_get(&rig_icell(i)->inflight), 0);
		cr_assert_eq(stat_get(&rig_icell(i)->streams), 0);
	}
	callers = rig.proxy->env.callers;
	proxy_free(&rig.proxy);
	callers_free(&callers);
	for (int i = 0; i < ORIGINS; i++)
		cr_assert_eq(stat_get(&rig_icell(i)->conns), 0);
	views_free(&rig.views);
	registry_free(&rig.registry);
	loop_free(&rig.loop);
	cfg_unref(&rig.cfg);
	keyring_unref(&rig.ring);
	close(rig.listen_fd);
}

struct instance *
rig_inst(int origin)
{
	static const char *const names[] = { "a", "b", "c" };

	return registry_instance(rig.registry, "web", origin == C ? "v2" : "v1",
	    names[origin]);
}

void
rig_health(int origin, bool up)
{
	rig_inst(origin)->health = up ? HEALTH_UP : HEALTH_DOWN;
}

void
rig_publish(void)
{
	publish();
	rig_turn();
	(void)views_collect(rig.views);
}

void
rig_share(unsigned v1_bp, unsigned v2_bp)
{
	rig.plan.pools[0].share_bp = v1_bp;
	rig.plan.pools[1].share_bp = v2_bp;
}

/* ---- what is counted ---- */

size_t
rig_slabs(void)
{
	return slab_lent(rig.proxy->wire.slabs);
}

const struct service_cell *
rig_cell(void)
{
	return &registry_service(rig.registry, "web")->cells[0];
}

uint64_t
rig_outcome(enum outcome o)
{
	return stat_get(&rig_cell()->outcome[o]);
}

uint64_t
rig_unrouted(enum outcome o)
{
	return stat_get(&registry_unrouted(rig.registry)->cells[0].outcome[o]);
}

struct inst_cell *
rig_icell(int origin)
{
	return &rig_inst(origin)->cells[0];
}

const char *
rig_log(void)
{
	static char text[65536];
	ssize_t n;

	accesslog_flush(&rig.proxy->log);
	n = pread(rig.log_fd, text, sizeof(text) - 1, 0);
	cr_assert_geq(n, 0);
	text[n] = '\0';
	return text;
}

/* ---- the other ends ---- */

static int
open_to(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_neq(fd, -1);
	cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	at_once(fd);
	return fd;
}

int
client_open(void)
{
	size_t before = rig.proxy->n_clients;
	time_t end = patience();
	int fd = keep(open_to(rig.port));

	while (rig.proxy->n_clients == before)
		turn_until(end, "a client to be accepted");
	return fd;
}

int
rig_connect(void)
{
	return open_to(rig.port);
}

void
rig_hang_up(int fd)
{
	close(fd);
}

int
client_ask(const char *bytes)
{
	int fd = keep(open_to(rig.port));

	put(fd, bytes);
	return fd;
}

int
origin_accept(int origin)
{
	time_t end = patience();
	int fd;

	while ((fd = accept4(rig.origin[origin].fd, NULL, NULL,
	            SOCK_CLOEXEC)) == -1) {
		cr_assert_eq(errno, EAGAIN);
		turn_until(end, "a connection to an instance");
	}
	return keep(fd);
}

bool
origin_is_quiet(int origin)
{
	struct pollfd p = { rig.origin[origin].fd, POLLIN, 0 };

	rig_turns(10);
	return poll(&p, 1, 0) == 0;
}

void
origin_close(int origin)
{
	if (rig.origin[origin].fd != -1)
		close(rig.origin[origin].fd);
	rig.origin[origin].fd = -1;
}

void
put_n(int fd, const char *bytes, size_t n)
{
	time_t end = patience();

	while (n > 0) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent == -1) {
			cr_assert_eq(errno, EAGAIN, "send: %s",
			    strerror(errno));
			turn_until(end, "room to send");
			continue;
		}
		bytes += sent;
		n -= (size_t)sent;
	}
}

void
put(int fd, const char *bytes)
{
	put_n(fd, bytes, strlen(bytes));
}

size_t
put_some(int fd, const char *bytes, size_t n)
{
	ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	cr_assert(sent > 0 || errno == EAGAIN, "send: %s", strerror(errno));
	rig_turns(3);
	return sent > 0 ? (size_t)sent : 0;
}

/* Bytes, 0 at FIN, -1 with errno. */
static ssize_t
take(int fd, char *p, size_t n, const char *what)
{
	time_t end = patience();
	ssize_t got;

	while ((got = recv(fd, p, n, MSG_DONTWAIT)) == -1 && errno == EAGAIN)
		turn_until(end, what);
	return got;
}

/* Bytes up to the end of a head, looked at but not taken; 0: none yet. */
static size_t
look_for_head(int fd, char *h, size_t cap)
{
	ssize_t n = recv(fd, h, cap, MSG_DONTWAIT | MSG_PEEK);
	char *end;

	cr_assert(n > 0 || (n == -1 && errno == EAGAIN),
	    "no head comes any more (%s)", n == 0 ? "FIN" : strerror(errno));
	if (n <= 0)
		return 0;
	end = memmem(h, (size_t)n, "\r\n\r\n", 4);
	return end == NULL ? 0 : (size_t)(end + 4 - h);
}

const char *
get_head(int fd)
{
	static char heads[4][70000];
	static unsigned next;
	char *h = heads[next++ % 4];
	time_t end = patience();
	size_t n;

	while ((n = look_for_head(fd, h, sizeof(heads[0]) - 1)) == 0)
		turn_until(end, "a head");
	cr_assert_eq(recv(fd, h, n, 0), (ssize_t)n);
	h[n] = '\0';
	return h;
}

void
get(int fd, const char *bytes)
{
	size_t len = strlen(bytes), n = 0;
	char got[4096];

	cr_assert_lt(len, sizeof(got));
	while (n < len) {
		ssize_t more = take(fd, got + n, len - n, bytes);

		cr_assert_gt(more, 0, "wanted \"%s\", got \"%.*s\"", bytes,
		    (int)n, got);
		n += (size_t)more;
	}
	cr_assert_eq(memcmp(got, bytes, len), 0, "wanted \"%s\", got \"%.*s\"",
	    bytes, (int)n, got);
}

void
get_bytes(int fd, void *out, size_t n)
{
	for (size_t had = 0; had < n;) {
		ssize_t got = take(fd, (char *)out + had, n - had, "bytes");

		cr_assert_gt(got, 0, "%zu bytes are missing", n - had);
		had += (size_t)got;
	}
}

void
get_n(int fd, size_t n)
{
	static char drop[65536];

	while (n > 0) {
		ssize_t got = take(fd, drop,
		    n < sizeof(drop) ? n : sizeof(drop), "more bytes");

		cr_assert_gt(got, 0, "%zu bytes are missing", n);
		n -= (size_t)got;
	}
}

bool
is_silent(int fd)
{
	char byte;

	rig_turns(10);
	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == -1 &&
	    errno == EAGAIN;
}

void
get_eof(int fd)
{
	char byte;
	ssize_t n = take(fd, &byte, 1, "the end");

	cr_assert_eq(n, 0, "wanted the end, got %s",
	    n == 1 ? "a byte" : strerror(errno));
}

void
get_reset(int fd)
{
	char byte;

	cr_assert_eq(take(fd, &byte, 1, "a reset"), -1);
	cr_assert_eq(errno, ECONNRESET);
}

void
half_close(int fd)
{
	cr_assert(shutdown(fd, SHUT_WR) == 0 || errno == ENOTCONN);
}

void
done(int fd)
{
	forget(fd);
	close(fd);
}

void
reset(int fd)
{
	struct linger hard = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	forget(fd);
	close(fd);
}

bool
has(const char *head, const char *text)
{
	return strstr(head, text) != NULL;
}

void
answer(int fd, const char *status, const char *body)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
	    "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status,
	    strlen(body), body);
	put(fd, text);
}

int
serve(int client, int up, int origin, const char *request)
{
	put(client, request);
	if (up == -1)
		up = origin_accept(origin);
	(void)get_head(up);
	put(up, OK_ANSWER);
	cr_assert(has(get_head(client), "HTTP/1.1 200 OK\r\n"));
	get(client, "ok");
	return up;
}
