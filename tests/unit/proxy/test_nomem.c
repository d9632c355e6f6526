/* Memory runs out at any allocation of the data path: one request suffers. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "h2hand.h"
#include "nomem.h"
#include "proxy/worker.h"
#include "rig.h"
#include "session/wskey.h"

#define PATIENCE_S 10
#define PEERS 64
#define A20 "aaaaaaaaaaaaaaaaaaaa"
#define A200 A20 A20 A20 A20 A20 A20 A20 A20 A20 A20
#define ROUNDS_MAX 2000 /* no more allocations than that in a script */

/* ---- instances that play their part by themselves ---- */

struct peer {
	int fd; /* -1: none */
	bool raw;
	size_t n;
	char in[4096];
};

static struct peer peers[PEERS];
static unsigned cuts; /* requests for /cut that were cut */
static char cookie[1024];

static void
say(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
drop(struct peer *p)
{
	close(p->fd);
	p->fd = -1;
}

/* Agrees to a WebSocket; its key is asked for when there is one. */
static void
play_switch(struct peer *p)
{
	static const char name[] = "Sec-WebSocket-Key: ";
	const char *key = strstr(p->in, name);
	char accept[WSKEY_ACCEPT_LEN] = "", text[300];

	if (key != NULL && wskey_accept(key + sizeof(name) - 1, accept) != E_OK)
		key = NULL;
	(void)snprintf(text, sizeof(text),
	    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
	    "Upgrade: websocket\r\n%s%.*s\r\n\r\n",
	    key != NULL ? "Sec-WebSocket-Accept: " : "X: y",
	    key != NULL ? WSKEY_ACCEPT_LEN : 0, accept);
	p->raw = true;
	say(p->fd, text);
}

/* A whole request is there. */
static void
play(struct peer *p)
{
	p->n = 0;
	if (strncmp(p->in, "GET /ws ", 8) == 0) {
		play_switch(p);
	} else if (strncmp(p->in, "GET /cut ", 9) == 0 && cuts++ == 0) {
		drop(p);
	} else {
		say(p->fd, OK_ANSWER);
	}
}

static void
read_peer(struct peer *p)
{
	ssize_t n = recv(p->fd, p->in + p->n, sizeof(p->in) - 1 - p->n,
	    MSG_DONTWAIT);
	const char *end;

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		drop(p);
		return;
	}
	p->n += (size_t)n;
	p->in[p->n] = '\0';
	if (p->raw) {
		say(p->fd, p->in);
		p->n = 0;
		return;
	}
	end = memmem(p->in, p->n, "\r\n\r\n", 4); /* a hello has NULs */
	if (end != NULL &&
	    (strncmp(p->in, "POST", 4) != 0 || strlen(end + 4) == 5))
		play(p);
}

static void
accept_peers(int listening)
{
	int fd;

	while ((fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC)) != -1) {
		size_t i = 0;

		while (i < PEERS && peers[i].fd != -1)
			i++;
		cr_assert_lt(i, PEERS);
		peers[i] = (struct peer){ .fd = fd };
	}
}

static void
world_turn(void)
{
	rig_turn();
	if (rig.proxy->n_parked > 0)
		rig_later(US_PER_MS); /* they wait for a time */
	for (int i = 0; i < ORIGINS; i++)
		accept_peers(rig.origin[i].fd);
	for (size_t i = 0; i < PEERS; i++)
		if (peers[i].fd != -1)
			read_peer(&peers[i]);
}

/* ---- clients that take what comes ---- */

/* Lines of a listener behind a balancer; NULL: none is between. */
static const char *behind;

static int
dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(rig.port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_neq(fd, -1);
	cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (behind != NULL)
		say(fd, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
	return fd;
}

static time_t
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* An answer of ours, complete. */
static bool
is_refused(const char *got)
{
	const char *length = strstr(got, "Content-Length: ");
	const char *body = strstr(got, "\r\n\r\n");

	return body != NULL && length != NULL && length < body &&
	    strncmp(got, "HTTP/1.1 5", 10) == 0 &&
	    strlen(body + 4) == (size_t)atoi(length + 16);
}

/* Until the bytes so far end as they should, or the connection does. */
static const char *
hear(int fd, const char *last)
{
	static char got[4096];
	size_t n = 0, len = strlen(last);
	time_t end = now_s() + PATIENCE_S;

	for (;;) {
		ssize_t more = recv(fd, got + n, sizeof(got) - 1 - n,
		    MSG_DONTWAIT);

		if (more == 0 || (more == -1 && errno != EAGAIN))
			break;
		n += more > 0 ? (size_t)more : 0;
		got[n] = '\0';
		if (n >= len && memcmp(got + n - len, last, len) == 0)
			break;
		if (is_refused(got))
			break;
		cr_assert_lt(now_s(), end, "waited in vain, got \"%s\"", got);
		world_turn();
	}
	got[n] = '\0';
	return got;
}

static bool
ask(int fd, const char *request)
{
	const char *got, *set;

	say(fd, request);
	got = hear(fd, "\r\n\r\nok");
	set = strstr(got, "Set-Cookie: segue=");
	if (set != NULL)
		(void)sscanf(set, "Set-Cookie: %1000[^;]", cookie);
	return strncmp(got, "HTTP/1.1 200", 12) == 0;
}

/* ---- the script: keep-alive, bodies, a pin, a retry, a tunnel ---- */

static void
script(void)
{
	char pinned[1200];
	int c = dial();

	(void)ask(c, GET_A);
	(void)ask(c, POST_5 "12345");
	(void)snprintf(pinned, sizeof(pinned),
	    "GET /pin HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n", cookie);
	(void)ask(c, pinned);
	close(c);
	c = dial();
	(void)ask(c, "GET /cut HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)ask(c,
	    "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
	    "Expect: 100-continue\r\n\r\n0\r\n\r\n");
	close(c);
	c = dial();
	say(c,
	    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\n\r\n");
	if (strncmp(hear(c, "\r\n\r\n"), "HTTP/1.1 101", 12) == 0) {
		say(c, "ping");
		(void)hear(c, "ping");
	}
	close(c);
}

/* ---- the same over HTTP/2: at once, and a WebSocket ---- */

static unsigned h2_answered; /* streams that ended whole, in a script */

/* What comes, until all streams have ended or the connection has. */
static void
hear_h2(int fd)
{
	static char got[65536];
	size_t n = 0, at = 0;
	unsigned over = 0;
	time_t end = now_s() + PATIENCE_S;

	while (over < 3) {
		ssize_t more = recv(fd, got + n, sizeof(got) - n, MSG_DONTWAIT);

		if (more == 0 || (more == -1 && errno != EAGAIN))
			return;
		n += more > 0 ? (size_t)more : 0;
		while (n - at >= H2_HEAD) {
			struct h2_seen f = h2_read(got + at);
			bool ends = f.type <= H2_HEADERS &&
			    (f.flags & H2_END_STREAM);

			if (n - at - H2_HEAD < f.len)
				break;
			at += H2_HEAD + f.len;
			h2_answered += ends;
			over += ends || (f.id > 0 && f.type == H2_RST);
		}
		cr_assert_lt(now_s(), end, "waited in vain for %u", over);
		world_turn();
	}
}

static void
script_h2(void)
{
	struct h2_bytes b;
	int c = dial();

	h2_begin(&b);
	h2_head(&b, 1, H2_END_STREAM, H2_GET);
	h2_head(&b, 3, 0,
	    ":method=POST\n:scheme=http\n:path=/p\n:authority=x\n"
	    "content-length=5\n");
	h2_frame(&b, H2_DATA, H2_END_STREAM, 3, "12345", 5);
	h2_head(&b, 5, 0, H2_WEBSOCKET);
	h2_frame(&b, H2_DATA, H2_END_STREAM, 5, "\x81\x80\0\0\0\0", 6);
	(void)!send(c, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	h2_answered = 0;
	hear_h2(c);
	close(c);
}

static void (*played)(void) = script;

static void
settle(void)
{
	time_t end = now_s() + PATIENCE_S;

	while (rig.proxy->n_clients > 0 ||
	    !TAILQ_EMPTY(&rig.proxy->exchanges)) {
		cr_assert_lt(now_s(), end, "clients or exchanges are left");
		world_turn();
	}
}

/* Values that the arena of an exchange cannot hold. */
static const char headers[] =
    "    headers:\n"
    "      request: [ { add: X-A, value: \"{host}" A200 A200 A200 "\" }, "
    "{ add: X-A, value: \"{client}" A200 A200 A200 "\" } ]\n"
    "      response: [ { set: X-A, value: \"{pool}" A200 A200 A200 "\" } ]";

static void
begin(void)
{
	for (size_t i = 0; i < PEERS; i++)
		peers[i].fd = -1;
	cuts = 0;
	rig_up(&(struct rig_lines){ .listener = behind, .service = headers });
	rig_health(B, true);
	rig_publish();
}

static void
finish(void)
{
	for (size_t i = 0; i < PEERS; i++)
		if (peers[i].fd != -1)
			drop(&peers[i]);
	rig_down();
}

/* The same with memory running out; how many allocations failed. */
static unsigned
round_of(unsigned nth, unsigned many)
{
	size_t before = nomem_live();
	unsigned failures;
	int c;

	begin();
	nomem_arm(nth, many);
	played();
	settle();
	failures = nomem_disarm();
	c = dial();
	cr_expect(ask(c, GET_B), "no. %u: the next exchange is served", nth);
	close(c);
	settle();
	finish();
	cr_expect_eq(nomem_live(), before, "no. %u: %zu leaked", nth,
	    nomem_live() - before);
	return failures;
}

Test(nomem, the_script_is_all_served, .timeout = 30)
{
	nomem_libevent();
	begin();
	script();
	settle();
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 5);
	cr_expect_eq(rig_outcome(OUT_TUNNELLED), 1);
	cr_expect_eq(stat_get(&rig_cell()->retries), 1);
	cr_expect(cookie[0] != '\0');
	finish();
}

Test(nomem, any_allocation_fails_behind_a_balancer, .timeout = 120)
{
	unsigned n = 1;

	nomem_libevent();
	behind = "    trusted_proxies: [ 127.0.0.1 ]\n"
	         "    proxy_protocol: required";
	while (round_of(n, 1) > 0) {
		n++;
		cr_assert_lt(n, ROUNDS_MAX);
	}
	cr_expect_gt(n, 10, "only %u allocations", n);
}

#define HELLO                                                                  \
	"\x16\3\1\0\x3b\1\0\0\x37\3\3"                                         \
	"0123456789abcdef0123456789abcdef"                                     \
	"\0\0\2\x13\1\1\0\0\14\0\0\0\10\0\6\0\0\3a.b"

/* A connection that is passed through, after GET for an instance that plays. */
static bool
pass_one(void)
{
	static const char bytes[] = HELLO GET_A;
	int c = dial();
	bool served;

	(void)!send(c, bytes, sizeof(bytes) - 1, MSG_NOSIGNAL);
	served = strncmp(hear(c, "\r\n\r\nok"), "HTTP/1.1 200", 12) == 0;
	close(c);
	return served;
}

static unsigned
round_of_passing(unsigned nth)
{
	size_t before = nomem_live();
	unsigned failures;

	for (size_t i = 0; i < PEERS; i++)
		peers[i].fd = -1;
	rig_up(&(struct rig_lines){ .listener = "    passthrough: on",
	    .service = "    mode: passthrough\n    match: a.b" });
	nomem_arm(nth, 1);
	(void)pass_one();
	(void)pass_one();
	settle();
	failures = nomem_disarm();
	cr_expect(pass_one(), "no. %u: the next one is passed through", nth);
	settle();
	finish();
	cr_expect_eq(nomem_live(), before, "no. %u: %zu leaked", nth,
	    nomem_live() - before);
	return failures;
}

Test(nomem, any_allocation_of_passing_fails, .timeout = 120)
{
	unsigned n = 1;

	nomem_libevent();
	while (round_of_passing(n) > 0) {
		n++;
		cr_assert_lt(n, ROUNDS_MAX);
	}
	cr_expect_gt(n, 5, "only %u allocations", n);
}

Test(nomem, any_allocation_fails, .timeout = 120)
{
	unsigned n = 1;

	nomem_libevent();
	cr_expect_eq(round_of(1, 0), 0);
	while (round_of(n, 1) > 0) {
		n++;
		cr_assert_lt(n, ROUNDS_MAX);
	}
	cr_expect_gt(n, 10, "only %u allocations", n);
}

Test(nomem, http2_is_all_served, .timeout = 30)
{
	nomem_libevent();
	begin();
	script_h2();
	settle();
	cr_expect_eq(h2_answered, 3);
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 2);
	cr_expect_eq(rig_outcome(OUT_TUNNELLED), 1);
	finish();
}

Test(nomem, any_allocation_fails_over_http2, .timeout = 120)
{
	unsigned n = 1;

	nomem_libevent();
	played = script_h2;
	cr_expect_eq(round_of(1, 0), 0);
	while (round_of(n, 1) > 0) {
		n++;
		cr_assert_lt(n, ROUNDS_MAX);
	}
	cr_expect_gt(n, 10, "only %u allocations", n);
	for (n = 1; round_of(n, 5) > 0; n++)
		cr_assert_lt(n, ROUNDS_MAX);
}

Test(nomem, all_fail_for_a_while, .timeout = 120)
{
	nomem_libevent();
	cr_expect_eq(round_of(1, 0), 0);
	for (unsigned n = 1; round_of(n, 5) > 0; n++)
		cr_assert_lt(n, ROUNDS_MAX);
	cr_expect_gt(round_of(1, 1000000), 0, "all of the script");
}
