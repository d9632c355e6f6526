/* Connections: dialling, edges, ends. */
#include "net/conn.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/addr.h"
#include "rig.h"

struct talk {
	struct conn conn;
	unsigned events, what;
};

static void
on_talk(struct conn *c, unsigned what)
{
	struct talk *t = CONTAINER_OF(c, struct talk, conn);

	t->events++;
	t->what |= what;
}

static bool
has_event(void *arg)
{
	return ((struct talk *)arg)->events > 0;
}

static bool
has_fin(void *arg)
{
	return ((struct talk *)arg)->conn.fin_seen;
}

static bool
has_room(void *arg)
{
	return !((struct talk *)arg)->conn.no_room;
}

/* A connection under test and the socket at its other end. */
static int
set_up(struct talk *t, struct loop *l)
{
	int fds[2];

	*t = (struct talk){ .events = 0 };
	rig_pair(fds);
	cr_assert_eq(conn_init(&t->conn, l, fds[0], on_talk), E_OK);
	rig_run_until(l, has_event, t); /* it can be written to */
	t->events = t->what = 0;
	return fds[1];
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

/* ---- dialling ---- */

Test(conn, dials, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct talk t = { .events = 0 };
	struct addr at;
	int listening = rig_listen(&at), peer;

	cr_assert_eq(conn_dial(&t.conn, l, &at, on_talk), E_OK);
	rig_run_until(l, has_event, &t);
	cr_expect(t.what & WATCH_WRITE);
	cr_expect_eq(conn_connected(&t.conn), E_OK);
	cr_expect_eq(conn_connected(&t.conn), E_OK, "and stays so");
	peer = rig_accept(listening);
	cr_expect_not(conn_is_stale(&t.conn));
	conn_close(&t.conn);
	close(peer);
	close(listening);
	loop_free(&l);
}

/* At once or by an event, as the system likes; 0 as long as it waits. */
static int
dial(struct talk *t, struct loop *l, const struct addr *to)
{
	int rc = conn_dial(&t->conn, l, to, on_talk);

	if (rc != E_OK) {
		cr_expect_eq(t->conn.fd, -1);
		return rc;
	}
	rig_run_until(l, has_event, t);
	rc = conn_connected(&t->conn);
	cr_expect(t->conn.failed);
	conn_close(&t->conn);
	return rc;
}

Test(conn, dial_tells_what_is_wrong, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct addr free_port, nobody = rig_addr("255.255.255.255:80"), path;

	close(rig_listen(&free_port));
	cr_expect_eq(dial(&(struct talk){ .events = 0 }, l, &free_port),
	    E_CONNREFUSED);
	cr_expect_eq(dial(&(struct talk){ .events = 0 }, l, &nobody), E_UNREACH,
	    "no TCP to the broadcast address");
	path = rig_addr("unix:/no/such/socket");
	cr_expect_eq(dial(&(struct talk){ .events = 0 }, l, &path), E_NOENT);
	loop_free(&l);
}

Test(conn, dial_without_an_answer_goes_on, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct talk t[4] = { { .events = 0 } };
	struct addr at;
	int listening = rig_listen(&at), waiting = 0;

	cr_assert_eq(listen(listening, 0), 0); /* one may wait, none more */
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		cr_assert_eq(conn_dial(&t[i].conn, l, &at, on_talk), E_OK);
	rig_run_for(l, 20 * US_PER_MS);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		int rc = conn_connected(&t[i].conn);

		cr_expect(rc == E_OK || rc == E_AGAIN);
		waiting += rc == E_AGAIN;
		conn_close(&t[i].conn);
	}
	cr_expect_gt(waiting, 0);
	close(listening);
	loop_free(&l);
}

Test(conn, dial_to_a_full_unix_queue_is_refused, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct addr at = rig_addr("unix:/x");
	struct talk t[10] = { { .events = 0 } };
	int listening = socket(AF_UNIX, SOCK_STREAM, 0), rc = E_OK, n;

	at.len = sizeof(at.un);
	(void)snprintf(at.un.sun_path, sizeof(at.un.sun_path), "%s",
	    rig_path("full"));
	cr_assert_eq(bind(listening, &at.sa, at.len), 0);
	cr_assert_eq(listen(listening, 1), 0);
	for (n = 0; n < 10 && rc == E_OK; n++)
		rc = conn_dial(&t[n].conn, l, &at, on_talk);
	cr_expect_gt(n, 1, "the first gets in");
	cr_expect_eq(rc, E_CONNREFUSED);
	while (n-- > 0)
		conn_close(&t[n].conn);
	close(listening);
	rig_sweep();
	loop_free(&l);
}

Test(conn, a_descriptor_that_cannot_be_watched_is_closed)
{
	struct loop *l = rig_loop();
	struct talk t = { .events = 0 };
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	cr_assert_neq(fd, -1);
	cr_expect_eq(conn_init(&t.conn, l, fd, on_talk), E_PERM);
	cr_expect_eq(t.conn.fd, -1);
	cr_expect_not(is_open(fd));
	conn_close(&t.conn);
	loop_free(&l);
}

/* ---- ends ---- */

/* Reads as a lane does; the result of the last read. */
static ssize_t
read_all(struct talk *t, size_t piece, size_t *got)
{
	char bytes[64];
	ssize_t n = E_AGAIN;

	while (t->conn.maybe_input || t->conn.unsure) {
		n = conn_recv(&t->conn, bytes, piece);
		*got += n > 0 ? (size_t)n : 0;
	}
	return n;
}

/* clang-format off */
static const struct {
	const char *why;
	const char *bytes;
	enum { PEER_STAYS, PEER_FIN, PEER_RST } end;
	ssize_t last;
} ends[] = {
	{ "nothing", "", PEER_STAYS, E_AGAIN },
	{ "bytes", "0123456789", PEER_STAYS, E_AGAIN },
	{ "FIN alone", "", PEER_FIN, 0 },
	{ "FIN behind bytes", "0123456789", PEER_FIN, 0 },
	{ "RST alone", "", PEER_RST, E_RESET },
	{ "RST behind bytes", "0123456789", PEER_RST, E_RESET },
};
/* clang-format on */

Test(conn, one_wake_tells_bytes_and_the_end_behind_them, .timeout = 20)
{
	/* with room for more, for exactly all, and for less */
	static const size_t pieces[] = { 64, 10, 5, 3 };
	struct loop *l = rig_loop();

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			struct talk t;
			int peer = set_up(&t, l);
			size_t got = 0;

			rig_send(peer, ends[i].bytes);
			if (ends[i].end == PEER_FIN)
				close(peer);
			else if (ends[i].end == PEER_RST)
				rig_abort(peer);
			if (ends[i].end == PEER_STAYS &&
			    ends[i].bytes[0] == '\0')
				rig_run_for(l, US_PER_MS);
			else
				rig_run_until(l, has_event, &t);
			cr_expect_eq(read_all(&t, pieces[k], &got),
			    ends[i].last, "%s", ends[i].why);
			cr_expect_eq(got, strlen(ends[i].bytes), "%s",
			    ends[i].why);
			cr_expect_eq(t.conn.eof, ends[i].end == PEER_FIN, "%s",
			    ends[i].why);
			cr_expect_eq(t.conn.failed, ends[i].end == PEER_RST,
			    "%s", ends[i].why);
			conn_close(&t.conn);
			if (ends[i].end == PEER_STAYS)
				close(peer);
		}
	}
	loop_free(&l);
}

Test(conn, is_stale_by_a_look_at_the_kernel, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct loop *l = rig_loop();
		struct talk t;
		int peer = set_up(&t, l);
		bool quiet = ends[i].bytes[0] == '\0' &&
		    ends[i].end == PEER_STAYS;

		rig_send(peer, ends[i].bytes);
		if (ends[i].end == PEER_FIN)
			close(peer);
		else if (ends[i].end == PEER_RST)
			rig_abort(peer);
		if (!quiet)
			rig_await(t.conn.fd, POLLIN);
		/* no turn of the loop in between */
		cr_expect_eq(conn_is_stale(&t.conn), !quiet, "%s", ends[i].why);
		conn_close(&t.conn);
		loop_free(&l);
	}
}

Test(conn, peek_leaves_what_it_sees, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct talk t;
	int peer = set_up(&t, l);
	char bytes[8];

	cr_expect_eq(conn_peek(&t.conn, bytes, sizeof(bytes)), E_AGAIN);
	cr_assert_eq(send(peer, "abcd", 4, 0), 4);
	rig_run_until(l, has_event, &t);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(conn_peek(&t.conn, bytes, sizeof(bytes)), 4);
		cr_expect_eq(memcmp(bytes, "abcd", 4), 0);
		cr_expect(t.conn.maybe_input, "they are still there");
	}
	cr_expect_eq(conn_peek(&t.conn, bytes, 2), 2,
	    "as far as there is room");
	/* Some are taken; the rest is known to be there. */
	cr_assert_eq(conn_recv(&t.conn, bytes, 3), 3);
	cr_expect(t.conn.maybe_input);
	cr_assert_eq(conn_peek(&t.conn, bytes, sizeof(bytes)), 1);
	cr_expect_eq(bytes[0], 'd');
	cr_assert_eq(conn_recv(&t.conn, bytes, sizeof(bytes)), 1);
	close(peer);
	rig_run_until(l, has_fin, &t);
	cr_expect_eq(conn_peek(&t.conn, bytes, sizeof(bytes)), 0);
	cr_expect_not(t.conn.failed);
	conn_close(&t.conn);
	loop_free(&l);
}

Test(conn, a_fin_seen_by_the_loop_is_remembered, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct talk t;
	int peer = set_up(&t, l);

	shutdown(peer, SHUT_WR);
	rig_run_until(l, has_fin, &t);
	cr_expect(t.what & WATCH_CLOSED);
	cr_expect(t.conn.maybe_input);
	cr_expect(conn_is_stale(&t.conn));
	/* the other direction still works */
	cr_expect_eq(
	    conn_sendv(&t.conn, &(struct iovec){ (char[]){ "x" }, 1 }, 1), 1);
	conn_close(&t.conn);
	close(peer);
	loop_free(&l);
}

Test(conn, shut_ends_our_direction_only, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct talk t;
	int peer = set_up(&t, l);
	char byte;
	size_t got = 0;

	conn_shut(&t.conn);
	cr_expect_eq(recv(peer, &byte, 1, 0), 0);
	rig_send(peer, "late");
	rig_run_until(l, has_event, &t);
	(void)read_all(&t, 64, &got);
	cr_expect_eq(got, 4);
	conn_close(&t.conn);
	close(peer);
	loop_free(&l);
}

Test(conn, close_is_a_fin_and_reset_is_a_rst, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct talk t;
	int peer = set_up(&t, l);
	char byte;

	conn_close(&t.conn);
	conn_close(&t.conn);
	cr_expect_eq(t.conn.fd, -1);
	cr_expect_eq(recv(peer, &byte, 1, 0), 0);
	close(peer);
	peer = set_up(&t, l);
	conn_reset(&t.conn);
	conn_reset(&t.conn);
	cr_expect_eq(recv(peer, &byte, 1, 0), -1);
	cr_expect_eq(errno, ECONNRESET);
	close(peer);
	loop_free(&l);
}

Test(conn, sending_to_a_peer_that_reset_fails, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct talk t;
	int peer = set_up(&t, l);
	struct iovec two[2] = { { (char[]){ "ab" }, 2 },
		{ (char[]){ "c" }, 1 } };

	rig_abort(peer);
	rig_await(t.conn.fd, POLLERR);
	cr_expect_eq(conn_sendv(&t.conn, two, 2), E_RESET);
	cr_expect(t.conn.failed);
	cr_expect(conn_is_stale(&t.conn));
	conn_close(&t.conn);
	loop_free(&l);
}

/* ---- edges under load ---- */

#define FLOOD ((size_t)8 << 20)

static char
byte_at(size_t i)
{
	return (char)(i * 31 + (i >> 8));
}

struct flood {
	struct conn conn;
	struct alarm *resume;
	struct loop *loop;
	size_t got, wrong;
	unsigned reads;
	bool paused, eof;
};

static void
drink(struct flood *f)
{
	char bytes[6000];

	while (!f->paused && (f->conn.maybe_input || f->conn.unsure)) {
		/* sizes that fit nothing, so that reads are short and full */
		ssize_t n = conn_recv(&f->conn, bytes,
		    1 + f->reads * 977 % sizeof(bytes));

		f->reads++;
		for (ssize_t i = 0; i < n; i++)
			f->wrong += bytes[i] != byte_at(f->got++);
		f->eof |= n == 0;
		if (f->reads % 400 == 0) { /* stop in mid-flow */
			f->paused = true;
			alarm_set(f->resume, 100);
		}
	}
}

static void
on_flood(struct conn *c, unsigned what UNUSED)
{
	drink(CONTAINER_OF(c, struct flood, conn));
}

static void
on_resume(void *arg)
{
	struct flood *f = arg;

	f->paused = false;
	drink(f);
}

static void *
pour(void *arg)
{
	int fd = *(int *)arg;
	size_t sent = 0;
	char bytes[4096];

	while (sent < FLOOD) {
		size_t want = MIN(FLOOD - sent,
		    1 + (size_t)rand() % sizeof(bytes));
		ssize_t n;

		for (size_t i = 0; i < want; i++)
			bytes[i] = byte_at(sent + i);
		n = send(fd, bytes, want, MSG_NOSIGNAL);
		if (n == -1)
			break;
		sent += (size_t)n;
	}
	close(fd);
	return NULL;
}

static bool
is_eof(void *arg)
{
	return ((struct flood *)arg)->eof;
}

Test(conn, no_edge_is_lost_however_it_is_read, .timeout = 30)
{
	struct flood f = { .loop = rig_loop() };
	pthread_t thread;
	int fds[2];

	srand(3);
	f.resume = alarm_new(f.loop, on_resume, &f);
	cr_assert_not_null(f.resume);
	rig_pair(fds);
	cr_assert_eq(conn_init(&f.conn, f.loop, fds[0], on_flood), E_OK);
	cr_assert_eq(pthread_create(&thread, NULL, pour, &fds[1]), 0);
	rig_run_until(f.loop, is_eof, &f);
	pthread_join(thread, NULL);
	cr_expect_eq(f.got, FLOOD);
	cr_expect_eq(f.wrong, 0);
	conn_close(&f.conn);
	alarm_free(&f.resume);
	loop_free(&f.loop);
}

Test(conn, room_comes_back_as_an_edge, .timeout = 20)
{
	static char bytes[1 << 16];
	struct loop *l = rig_loop();
	struct talk t;
	int peer = set_up(&t, l);
	size_t sent = 0, got = 0;

	for (int round = 0; round < 3; round++) {
		ssize_t n;

		while (!t.conn.no_room) {
			n = conn_sendv(&t.conn,
			    &(struct iovec){ bytes, sizeof(bytes) }, 1);
			cr_assert_geq(n, 0);
			sent += (size_t)n;
		}
		cr_expect_eq(conn_sendv(&t.conn,
		                 (struct iovec[]){ { bytes, 1 }, { bytes, 1 } },
		                 2),
		    0, "nothing fits");
		while (got < sent) {
			n = recv(peer, bytes, sizeof(bytes), 0);
			cr_assert_gt(n, 0);
			got += (size_t)n;
		}
		rig_run_until(l, has_room, &t);
	}
	conn_close(&t.conn);
	close(peer);
	loop_free(&l);
}
