/* TLS behind the calls of a conn, with OpenSSL's own client at the other end
 * of a TCP connection. */
#include "tls/stream.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../net/rig.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "paper.h"
#include "tls/server.h"

static struct paper paper;
static struct tls_server *server;
static SSL_CTX *client_ctx;
static struct loop *loop;

static void
up(void)
{
	struct cfg_certificate row;
	struct buf said = BUF_INIT;
	struct cfg_tls cfg;

	paper = paper_new(PAPER_EC, "a.org", "DNS:a.org", -DAY_S, DAY_S);
	cfg = paper_cfg(&row, &paper, 1);
	cr_assert_eq(tls_server_new(&cfg, "f", time(NULL), &said, &server),
	    E_OK);
	client_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(client_ctx, SSL_MODE_AUTO_RETRY);
	loop = rig_loop();
}

static void
down(void)
{
	loop_free(&loop);
	SSL_CTX_free(client_ctx);
	tls_server_free(&server);
	paper_free(&paper);
}

TestSuite(stream, .init = up, .fini = down, .timeout = 20);

struct talk {
	struct conn conn;
	bool shaken, closes;
	int shake; /* result of the handshake */
	ssize_t last;
	size_t got, want_sent, sent;
	char *in;  /* what came, up to 1 MiB */
	char *out; /* what shall go */
	unsigned reads;
};

static void
read_all(struct talk *t)
{
	while (t->conn.maybe_input && t->last > 0) {
		t->last = conn_recv(&t->conn, t->in + t->got,
		    (1 << 20) - t->got);
		t->reads++;
		if (t->last > 0)
			t->got += (size_t)t->last;
		if (t->last == E_AGAIN) {
			t->last = 1;
			return;
		}
	}
}

static void
write_all(struct talk *t)
{
	while (t->sent < t->want_sent && !t->conn.no_room) {
		struct iovec v = { t->out + t->sent, t->want_sent - t->sent };
		ssize_t n = conn_sendv(&t->conn, &v, 1);

		cr_assert_geq(n, 0);
		t->sent += (size_t)n;
	}
}

static void
on_talk(struct conn *c, unsigned what UNUSED)
{
	struct talk *t = CONTAINER_OF(c, struct talk, conn);

	if (!t->shaken) {
		t->shake = tls_shake(c);
		t->shaken = t->shake != E_AGAIN;
		if (t->shake != E_OK)
			return;
	}
	read_all(t);
	write_all(t);
}

static bool
has_shaken(void *arg)
{
	return ((struct talk *)arg)->shaken;
}

static bool
has_ended(void *arg)
{
	return ((struct talk *)arg)->last <= 0;
}

static bool
has_sent(void *arg)
{
	struct talk *t = arg;

	return t->sent == t->want_sent;
}

static bool
has_bytes(void *arg)
{
	return ((struct talk *)arg)->got > 0;
}

/* The socket at the other end, which blocks. */
static int
set_up(struct talk *t)
{
	int fds[2];

	*t = (struct talk){ .shake = E_AGAIN, .last = 1 };
	t->in = malloc(1 << 20);
	cr_assert_not_null(t->in);
	rig_pair(fds);
	cr_assert_eq(conn_init(&t->conn, loop, fds[0], on_talk), E_OK);
	cr_assert_eq(tls_accept(&t->conn, server), E_OK);
	cr_expect(tls_is_on(&t->conn));
	return fds[1];
}

static void
tear_down(struct talk *t, int fd)
{
	conn_close(&t->conn);
	cr_expect(!tls_is_on(&t->conn));
	close(fd);
	free(t->in);
	free(t->out);
}

/* ---- the client: a thread, since it blocks ---- */

typedef void client_fn(SSL *, int fd);

struct client {
	int fd, version;
	client_fn *fn;
	pthread_t thread;
	size_t records; /* with data, that came */
};

static void
count_record(int write_p, int version UNUSED, int type, const void *p,
    size_t len UNUSED, SSL *ssl UNUSED, void *arg)
{
	struct client *c = arg;

	if (!write_p && type == SSL3_RT_HEADER &&
	    *(const unsigned char *)p == SSL3_RT_APPLICATION_DATA)
		c->records++;
}

static void *
run_client(void *arg)
{
	struct client *c = arg;
	SSL *ssl = SSL_new(client_ctx);
	char sni[] = "A.org";

	cr_assert_not_null(ssl);
	SSL_set_fd(ssl, c->fd);
	SSL_set_min_proto_version(ssl, c->version);
	SSL_set_max_proto_version(ssl, c->version);
	SSL_set_tlsext_host_name(ssl, sni);
	SSL_set_msg_callback(ssl, count_record);
	SSL_set_msg_callback_arg(ssl, c);
	cr_assert_eq(SSL_connect(ssl), 1);
	c->fn(ssl, c->fd);
	SSL_free(ssl);
	return NULL;
}

static void
start(struct client *c, int fd, int version, client_fn *fn)
{
	*c = (struct client){ .fd = fd, .version = version, .fn = fn };
	cr_assert_eq(pthread_create(&c->thread, NULL, run_client, c), 0);
}

static void
finish(struct client *c)
{
	pthread_join(c->thread, NULL);
}

#define BULK 300000

static char
byte_at(size_t i)
{
	return (char)(i * 2654435761u >> 13);
}

static void
send_bulk(SSL *ssl, int fd UNUSED)
{
	static char bytes[BULK];

	for (size_t i = 0; i < BULK; i++)
		bytes[i] = byte_at(i);
	cr_assert_eq(SSL_write(ssl, bytes, BULK), BULK);
	cr_assert_eq(SSL_shutdown(ssl), 0);
}

static void
check_bytes(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != byte_at(i))
			cr_assert_fail("byte %zu", i);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

Test(stream, reads_to_the_goodbye)
{
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct client c;
		struct talk t;
		int fd = set_up(&t);

		start(&c, fd, versions[v], send_bulk);
		rig_run_until(loop, has_ended, &t);
		cr_expect_eq(t.shake, E_OK);
		cr_expect_eq(t.last, 0);
		cr_expect(t.conn.eof && !t.conn.torn && !t.conn.failed);
		cr_expect_eq(t.got, BULK);
		check_bytes(t.in, t.got);
		cr_expect_eq(tls_version_of(&t.conn),
		    v == 0 ? TLS_1_2 : TLS_1_3);
		cr_expect(str_eq(tls_sni(&t.conn), STR("A.org")));
		cr_expect(tls_serves(&t.conn, STR("a.org")));
		cr_expect(!tls_serves(&t.conn, STR("b.org")));
		cr_expect(!tls_is_resumed(&t.conn));
		cr_expect_eq(tls_alpn(&t.conn).len, 0);
		finish(&c);
		tear_down(&t, fd);
	}
}

static void
send_some_and_go(SSL *ssl, int fd)
{
	cr_assert_eq(SSL_write(ssl, "some", 4), 4);
	shutdown(fd, SHUT_WR);
}

/* A FIN that anybody on the way could have sent. */
Test(stream, an_end_without_goodbye_is_torn)
{
	struct client c;
	struct talk t;
	int fd = set_up(&t);

	start(&c, fd, TLS1_3_VERSION, send_some_and_go);
	rig_run_until(loop, has_ended, &t);
	cr_expect_eq(t.got, 4);
	cr_expect_eq(t.last, 0);
	cr_expect(t.conn.eof && t.conn.torn);
	/* It can still be answered. */
	t.out = strdup("answer");
	t.want_sent = 6;
	write_all(&t);
	cr_expect_eq(t.sent, 6);
	finish(&c);
	tear_down(&t, fd);
}

/* The kernel is not asked again after a short read. */
static void
ask_and_wait(SSL *ssl, int fd UNUSED)
{
	char c;

	cr_assert_eq(SSL_write(ssl, "GET", 3), 3);
	cr_assert_eq(SSL_read(ssl, &c, 1), 1);
}

Test(stream, one_read_a_request)
{
	struct client c;
	struct talk t;
	int fd = set_up(&t);

	start(&c, fd, TLS1_3_VERSION, ask_and_wait);
	rig_run_until(loop, has_shaken, &t);
	t.reads = 0;
	rig_run_until(loop, has_bytes, &t);
	cr_expect_eq(t.got, 3);
	cr_expect_leq(t.reads, 1, "%u reads", t.reads);
	cr_expect(!t.conn.maybe_input && t.conn.unsure);
	t.out = strdup("!");
	t.want_sent = 1;
	write_all(&t);
	finish(&c);
	tear_down(&t, fd);
}

#define PIECES 40
#define PIECE 1000

static void
read_pieces(SSL *ssl, int fd UNUSED)
{
	static char in[PIECES * PIECE];
	size_t n = 0;

	while (n < sizeof(in)) {
		int got = SSL_read(ssl, in + n, (int)(sizeof(in) - n));

		cr_assert_gt(got, 0);
		n += (size_t)got;
	}
	check_bytes(in, n);
	cr_assert_eq(SSL_shutdown(ssl), 0);
}

/* Small pieces go together, as many as a record holds. */
Test(stream, gathers_into_records)
{
	static char bytes[PIECES * PIECE];
	struct iovec v[PIECES + 2];
	struct client c;
	struct talk t;
	int fd = set_up(&t);

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = byte_at(i);
	v[0] = (struct iovec){ bytes, 0 };
	for (size_t i = 0; i < PIECES; i++)
		v[i + 1] = (struct iovec){ bytes + i * PIECE, PIECE };
	v[PIECES + 1] = (struct iovec){ bytes, 0 };
	start(&c, fd, TLS1_2_VERSION, read_pieces);
	rig_run_until(loop, has_shaken, &t);
	cr_expect_eq(conn_sendv(&t.conn, v, PIECES + 2), PIECES * PIECE);
	cr_expect(!t.conn.no_room);
	rig_run_until(loop, has_ended, &t);
	finish(&c);
	cr_expect_eq(c.records, 3, "%zu records", c.records);
	tear_down(&t, fd);
}

#define FLOOD ((size_t)8 << 20)

static void
read_late(SSL *ssl, int fd)
{
	static char in[65536];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;
	int got;

	cr_assert_eq(poll(&p, 1, 5000), 1);
	while ((got = SSL_read(ssl, in, sizeof(in))) > 0) {
		for (int i = 0; i < got; i++)
			if (in[i] != byte_at(n + (size_t)i))
				cr_assert_fail("byte %zu", n + (size_t)i);
		n += (size_t)got;
	}
	cr_assert_eq(n, FLOOD, "%zu", n);
	cr_assert_eq(SSL_get_error(ssl, got), SSL_ERROR_ZERO_RETURN);
}

/* Writes that the kernel does not take go on where they stopped. */
Test(stream, waits_for_room)
{
	struct client c;
	struct talk t;
	int fd = set_up(&t), small = 16384;

	setsockopt(t.conn.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	t.out = malloc(FLOOD);
	cr_assert_not_null(t.out);
	for (size_t i = 0; i < FLOOD; i++)
		t.out[i] = byte_at(i);
	start(&c, fd, TLS1_3_VERSION, read_late);
	rig_run_until(loop, has_shaken, &t);
	t.want_sent = FLOOD;
	write_all(&t);
	cr_expect(t.conn.no_room);
	cr_expect_lt(t.sent, FLOOD);
	rig_run_until(loop, has_sent, &t);
	conn_shut(&t.conn); /* perhaps behind what waits */
	while (!has_ended(&t) && t.conn.no_room)
		rig_run_for(loop, 1000);
	rig_run_for(loop, 10000);
	finish(&c);
	tear_down(&t, fd);
}

/* ---- stale or not ---- */

static int step[2]; /* a pipe: the test tells the client to go on */

static void
wait_step(void)
{
	char c;

	cr_assert_eq(read(step[0], &c, 1), 1);
}

static void
next_step(void)
{
	cr_assert_eq(write(step[1], "x", 1), 1);
}

static void
renew_then_talk(SSL *ssl, int fd UNUSED)
{
	wait_step();
	cr_assert_eq(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	cr_assert_eq(SSL_do_handshake(ssl), 1);
	wait_step();
	cr_assert_eq(SSL_write(ssl, "x", 1), 1);
	wait_step();
}

static void
no_events(struct conn *c UNUSED, unsigned what UNUSED)
{
}

Test(stream, new_keys_do_not_make_it_stale)
{
	struct client c;
	struct talk t;
	int fd = set_up(&t);

	cr_assert_eq(pipe(step), 0);
	start(&c, fd, TLS1_3_VERSION, renew_then_talk);
	rig_run_until(loop, has_shaken, &t);
	t.conn.fn = no_events;
	cr_expect(!conn_is_stale(&t.conn), "nothing came");
	next_step();
	rig_await(t.conn.fd, POLLIN);
	cr_expect(!conn_is_stale(&t.conn), "new keys came");
	next_step();
	rig_await(t.conn.fd, POLLIN);
	cr_expect(conn_is_stale(&t.conn), "a byte came");
	next_step();
	finish(&c);
	tear_down(&t, fd);
}

static void
only_new_keys(SSL *ssl, int fd UNUSED)
{
	for (int i = 0; i < 4000; i++) {
		if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
		    SSL_do_handshake(ssl) != 1)
			break;
	}
	ERR_clear_error();
	wait_step();
}

/* Who sends nothing but new keys keeps a thread busy for nothing. */
Test(stream, a_flood_of_new_keys_is_ended)
{
	struct client c;
	struct talk t;
	int fd = set_up(&t);

	cr_assert_eq(pipe(step), 0);
	start(&c, fd, TLS1_3_VERSION, only_new_keys);
	rig_run_until(loop, has_shaken, &t);
	t.conn.fn = no_events;
	do { /* as they come */
		rig_await(t.conn.fd, POLLIN);
		t.conn.maybe_input = true;
		t.last = 1;
		read_all(&t);
	} while (t.last > 0);
	cr_expect_eq(t.last, E_IO);
	cr_expect(t.conn.failed);
	cr_expect_eq(conn_recv(&t.conn, t.in, 10), E_IO, "and stays so");
	next_step();
	finish(&c);
	tear_down(&t, fd);
}

/* ---- handshakes that come to nothing ---- */

static const struct {
	const char *why, *sent;
	size_t len;
	bool leaves;
	int code;
	enum tls_fault fault;
} rows[] = {
	{ "HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, false, E_SYNTAX,
	    TLS_FAULT_PLAIN_HTTP },
	{ "noise", "\001\002\003\004\005\006\007\010\011\012\013\014", 12,
	    false, E_SYNTAX, TLS_FAULT_GARBAGE },
	{ "an alert at once", "\025\003\003\000\002\002\050", 7, false,
	    E_SYNTAX, TLS_FAULT_PROTOCOL },
	{ "a hello of nothing", "\026\003\001\000\004\001\000\000\000", 9,
	    false, E_SYNTAX, TLS_FAULT_PROTOCOL },
	{ "no word", "", 0, true, E_EOF, TLS_FAULT_CLOSED },
	{ "half a hello", "\026\003\001\002\000\001", 6, true, E_EOF,
	    TLS_FAULT_CLOSED },
};

Test(stream, failed_handshakes)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct talk t;
		int fd = set_up(&t);

		cr_assert_eq(send(fd, rows[i].sent, rows[i].len, 0),
		    (ssize_t)rows[i].len);
		if (rows[i].leaves)
			shutdown(fd, SHUT_WR);
		rig_run_until(loop, has_shaken, &t);
		cr_expect_eq(t.shake, rows[i].code, "%s: %d", rows[i].why,
		    t.shake);
		cr_expect_eq(tls_fault_of(&t.conn), rows[i].fault, "%s: %s",
		    rows[i].why, tls_fault_name(tls_fault_of(&t.conn)));
		cr_expect_eq(tls_shake(&t.conn) == E_AGAIN, false,
		    "%s: it stays so", rows[i].why);
		tear_down(&t, fd);
	}
}

Test(stream, a_reset_in_the_handshake)
{
	struct talk t;
	int fd = set_up(&t);

	rig_abort(fd);
	rig_run_until(loop, has_shaken, &t);
	cr_expect_eq(t.shake, E_RESET);
	cr_expect_eq(tls_fault_of(&t.conn), TLS_FAULT_RESET);
	conn_close(&t.conn);
	free(t.in);
}
