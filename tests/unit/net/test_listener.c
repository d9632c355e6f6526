/* Listening: whose address it is, what is left behind, running out. */
#include "net/listener.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "rig.h"

static struct addr
name_of(int fd)
{
	struct addr a = { .len = sizeof(a.un) };

	cr_assert_eq(getsockname(fd, &a.sa, &a.len), 0);
	return a;
}

static int
lowest_free_fd(void)
{
	int fd = dup(0);

	cr_assert_neq(fd, -1);
	close(fd);
	return fd;
}

static void
close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* ---- opening ---- */

Test(listener, opens_n_sockets_on_one_address)
{
	struct addr any_port = rig_addr("127.0.0.1:1");
	int fds[8], one = 0;
	socklen_t len = sizeof(one);

	any_port = addr_with_port(&any_port, 0);
	cr_assert_eq(listener_open(&any_port, 16, fds, 8), E_OK);
	for (int i = 0; i < 8; i++) {
		struct addr a = name_of(fds[i]), first = name_of(fds[0]);

		cr_expect(addr_eq(&a, &first));
		cr_expect_neq(addr_port(&a), 0);
		cr_expect_eq(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		cr_expect(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
		cr_assert_eq(getsockopt(fds[i], SOL_SOCKET, SO_ACCEPTCONN, &one,
		                 &len),
		    0);
		cr_expect_eq(one, 1, "it listens");
	}
	close_all(fds, 8);
}

/* A socket of somebody else. */
static int
squat(const struct addr *a, bool share, bool listening)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM, 0), one = 1;

	cr_assert_neq(fd, -1);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (share)
		cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one,
		                 sizeof(one)),
		    0);
	cr_assert_eq(bind(fd, &a->sa, a->len), 0);
	if (listening)
		cr_assert_eq(listen(fd, 4), 0);
	return fd;
}

/* clang-format off */
static const struct {
	const char *why, *squatter;
	bool share;
} squatters[] = {
	{ "plain", "127.0.0.1:1", false },
	{ "one that would share", "127.0.0.1:1", true },
	{ "plain, on all addresses", "0.0.0.0:1", false },
	{ "one that would share, on all addresses", "0.0.0.0:1", true },
};
/* clang-format on */

Test(listener, finds_out_that_somebody_listens_there)
{
	for (size_t i = 0; i < ARRAY_LEN(squatters); i++) {
		struct addr a = rig_addr(squatters[i].squatter),
		            ours = rig_addr("127.0.0.1:1");
		int fds[3], fd, low;

		a = addr_with_port(&a, 0);
		fd = squat(&a, squatters[i].share, true);
		a = name_of(fd);
		ours = addr_with_port(&ours, addr_port(&a));
		low = lowest_free_fd();
		cr_expect_eq(listener_open(&ours, 4, fds, 3), E_INUSE, "%s",
		    squatters[i].why);
		cr_expect_eq(lowest_free_fd(), low, "%s: left open",
		    squatters[i].why);
		close(fd);
		cr_expect_eq(listener_open(&ours, 4, fds, 3), E_OK,
		    "%s has gone", squatters[i].why);
		close_all(fds, 3);
	}
}

Test(listener, two_of_us_do_not_share)
{
	struct addr a = rig_addr("127.0.0.1:1");
	int fds[2], more[2];

	a = addr_with_port(&a, 0);
	cr_assert_eq(listener_open(&a, 4, fds, 2), E_OK);
	a = name_of(fds[0]);
	cr_expect_eq(listener_open(&a, 4, more, 2), E_INUSE);
	close_all(fds, 2);
}

Test(listener, connections_that_linger_do_not_keep_the_address)
{
	struct addr a = rig_addr("127.0.0.1:1");
	int fd, client, server, again;
	char byte;

	a = addr_with_port(&a, 0);
	cr_assert_eq(listener_open(&a, 4, &fd, 1), E_OK);
	a = name_of(fd);
	client = rig_connect(&a);
	server = rig_accept(fd);
	close(server); /* we close first: TIME_WAIT is ours */
	cr_expect_eq(recv(client, &byte, 1, 0), 0);
	close(client);
	close(fd);
	cr_expect_eq(listener_open(&a, 4, &again, 1), E_OK);
	close(again);
}

Test(listener, cannot_listen_where_we_are_not)
{
	struct addr a = rig_addr("192.0.2.1:80");
	int fd, low = lowest_free_fd();

	cr_expect_eq(listener_open(&a, 4, &fd, 1), E_UNREACH);
	cr_expect_eq(lowest_free_fd(), low);
}

/* ---- Unix ---- */

Test(listener_unix, opens_with_its_mode, .fini = rig_sweep)
{
	struct stat st;
	mode_t mask = umask(0077);
	int fd;

	cr_assert_eq(listener_open_unix(rig_path("a"), 0662, &fd), E_OK);
	cr_assert_eq(stat(rig_path("a"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0662, "whatever the umask");
	cr_expect_eq(umask(mask), 0077, "which stays");
	close(fd);
}

static int
unix_socket(const char *name, int type, int backlog)
{
	struct addr a = { .un = { .sun_family = AF_UNIX } };
	int fd = socket(AF_UNIX, type, 0);

	(void)snprintf(a.un.sun_path, sizeof(a.un.sun_path), "%s",
	    rig_path(name));
	a.len = sizeof(a.un);
	cr_assert_eq(bind(fd, &a.sa, a.len), 0);
	if (backlog >= 0)
		cr_assert_eq(listen(fd, backlog), 0);
	return fd;
}

static bool
is_there(const char *name)
{
	struct stat st;

	return lstat(rig_path(name), &st) == 0;
}

Test(listener_unix, replaces_what_was_left_behind, .fini = rig_sweep)
{
	int fd;

	close(unix_socket("a", SOCK_STREAM, 4));
	cr_assert(is_there("a"));
	cr_expect_eq(listener_open_unix(rig_path("a"), 0600, &fd), E_OK);
	close(fd);
}

Test(listener_unix, leaves_the_living_alone, .fini = rig_sweep, .timeout = 10)
{
	struct addr a = rig_addr("unix:/x");
	int fd = -1, alive = unix_socket("a", SOCK_STREAM, 1), n = 0, c;

	cr_expect_eq(listener_open_unix(rig_path("a"), 0600, &fd), E_INUSE);
	cr_expect(is_there("a"));
	(void)snprintf(a.un.sun_path, sizeof(a.un.sun_path), "%s",
	    rig_path("a"));
	a.len = sizeof(a.un);
	do { /* fill its queue */
		c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	} while (connect(c, &a.sa, a.len) == 0 && ++n < 100);
	cr_assert_eq(errno, EAGAIN);
	cr_expect_eq(listener_open_unix(rig_path("a"), 0600, &fd), E_INUSE,
	    "full, not dead");
	cr_expect(is_there("a"));
	close(alive);
	alive = unix_socket("d", SOCK_DGRAM, -1);
	cr_expect_eq(listener_open_unix(rig_path("d"), 0600, &fd), E_INUSE,
	    "of another kind");
	cr_expect(is_there("d"));
	cr_expect_eq(fd, -1);
	close(alive);
}

Test(listener_unix, never_touches_a_file, .fini = rig_sweep)
{
	FILE *f = fopen(rig_path("a"), "w");
	int fd;

	cr_assert_not_null(f);
	fclose(f);
	cr_expect_eq(listener_open_unix(rig_path("a"), 0600, &fd), E_EXISTS);
	cr_expect(is_there("a"));
	cr_assert_eq(symlink("nowhere", rig_path("s")), 0);
	cr_expect_eq(listener_open_unix(rig_path("s"), 0600, &fd), E_EXISTS);
	cr_expect(is_there("s"));
}

Test(listener_unix, says_why_it_cannot, .fini = rig_sweep)
{
	char path[200];
	int fd, low = lowest_free_fd();

	memset(path, 'a', sizeof(path));
	path[108] = '\0';
	cr_expect_eq(listener_open_unix(path, 0600, &fd), E_TOOBIG);
	cr_expect_eq(listener_open_unix(rig_path("no/such"), 0600, &fd),
	    E_NOENT);
	cr_expect_eq(lowest_free_fd(), low);
}

/* ---- accepting ---- */

#define CROWD 150

struct door {
	struct listener l;
	struct loop *loop;
	int fd;
	struct addr at;
	int accepted[CROWD];
	unsigned n, want;
	struct addr last;
};

static void
on_accept(struct listener *l, int fd, const struct addr *peer)
{
	struct door *d = l->arg;

	cr_assert_lt(d->n, CROWD);
	d->accepted[d->n++] = fd;
	d->last = *peer;
}

static bool
all_in(void *arg)
{
	const struct door *d = arg;

	return d->n >= d->want;
}

static bool
is_paused(void *arg)
{
	return !((struct door *)arg)->l.watched;
}

static void
door_open(struct door *d)
{
	d->loop = rig_loop();
	d->n = d->want = 0;
	d->at = rig_addr("127.0.0.1:1");
	d->at = addr_with_port(&d->at, 0);
	cr_assert_eq(listener_open(&d->at, 4096, &d->fd, 1), E_OK);
	d->at = name_of(d->fd);
	cr_assert_eq(listener_start(&d->l, d->loop, d->fd, on_accept, d), E_OK);
}

static void
door_close(struct door *d)
{
	listener_stop(&d->l);
	listener_stop(&d->l);
	close_all(d->accepted, d->n);
	close(d->fd);
	loop_free(&d->loop);
}

Test(listener, accepts_more_than_one_batch, .timeout = 10)
{
	struct door d;
	int clients[CROWD], one = 0;
	socklen_t len = sizeof(one);
	struct addr us;

	door_open(&d);
	for (int i = 0; i < CROWD; i++)
		clients[i] = rig_connect(&d.at);
	d.want = CROWD;
	rig_run_until(d.loop, all_in, &d);
	us = name_of(clients[CROWD - 1]);
	cr_expect(addr_eq(&d.last, &us), "the peer is told");
	cr_expect_eq(fcntl(d.accepted[0], F_GETFD), FD_CLOEXEC);
	cr_expect(fcntl(d.accepted[0], F_GETFL) & O_NONBLOCK);
	cr_assert_eq(
	    getsockopt(d.accepted[0], IPPROTO_TCP, TCP_NODELAY, &one, &len), 0);
	cr_expect_eq(one, 1);
	close_all(clients, CROWD);
	door_close(&d);
}

Test(listener, takes_in_who_waits_when_it_stops, .timeout = 10)
{
	struct door d;
	int clients[CROWD], late;

	door_open(&d);
	for (int i = 0; i < CROWD; i++)
		clients[i] = rig_connect(&d.at);
	listener_stop(&d.l); /* no turn was taken */
	cr_expect_eq(d.n, CROWD);
	late = rig_connect(&d.at); /* queues for the next process */
	rig_run_for(d.loop, 5 * US_PER_MS);
	cr_expect_eq(d.n, CROWD);
	close(late);
	close_all(clients, CROWD);
	door_close(&d);
}

Test(listener, out_of_descriptors_it_pauses_and_goes_on, .timeout = 10)
{
	struct door d;
	int clients[20];
	struct rlimit full, low;

	log_set_level(LOG_ERROR);
	door_open(&d);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = rig_connect(&d.at);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &full), 0);
	low = full;
	low.rlim_cur = (rlim_t)lowest_free_fd() + 5;
	d.want = ARRAY_LEN(clients);
	/* the loop's guard must be made before there are none left */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	rig_run_until(d.loop, is_paused, &d);
	cr_expect_eq(d.n, 5);
	rig_run_for(d.loop, 250 * US_PER_MS);
	cr_expect(!d.l.watched || d.n == 5, "still out of them");
	cr_expect_eq(d.n, 5);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &full), 0);
	rig_run_until(d.loop, all_in, &d);
	cr_expect(d.l.watched);
	close_all(clients, ARRAY_LEN(clients));
	door_close(&d);
}

Test(listener, who_waits_longer_is_not_passed_by, .timeout = 10)
{
	struct door a, b;
	int first[4], other;

	log_set_level(LOG_ERROR);
	door_open(&a);
	door_open(&b);
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		first[i] = rig_connect(&a.at);
	other = rig_connect(&b.at);
	a.l.fd_max = b.l.fd_max = lowest_free_fd() + 2;
	rig_run_until(a.loop, is_paused, &a);
	cr_expect_eq(a.n, 3, "the last of them reached the limit");
	close(a.accepted[--a.n]); /* one comes free */
	close(a.accepted[--a.n]);
	rig_run_for(b.loop, 20 * US_PER_MS);
	cr_expect_eq(b.n, 0, "it knows that others wait");
	a.want = 2;
	rig_run_until(a.loop, all_in, &a);
	close_all(a.accepted, a.n);
	a.n = 0;
	b.want = 1;
	rig_run_until(b.loop, all_in, &b);
	close_all(first, ARRAY_LEN(first));
	close(other);
	door_close(&a);
	door_close(&b);
}

Test(listener, a_held_one_takes_nobody_in, .timeout = 10)
{
	struct door d;
	int client;

	door_open(&d);
	listener_hold(&d.l, true);
	listener_hold(&d.l, true);
	client = rig_connect(&d.at);
	rig_run_for(d.loop, 150 * US_PER_MS);
	cr_expect_eq(d.n, 0);
	listener_hold(&d.l, false);
	d.want = 1;
	rig_run_until(d.loop, all_in, &d);
	listener_hold(&d.l, true);
	close(client);
	door_close(&d);
}

Test(listener, stops_while_it_pauses, .timeout = 10)
{
	struct door d;
	struct rlimit full, low;
	int client;

	log_set_level(LOG_ERROR);
	door_open(&d);
	client = rig_connect(&d.at);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &full), 0);
	low = full;
	low.rlim_cur = (rlim_t)lowest_free_fd();
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	rig_run_until(d.loop, is_paused, &d);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &full), 0);
	listener_stop(&d.l);
	cr_expect_eq(d.n, 1, "it tries once more");
	rig_run_for(d.loop, 200 * US_PER_MS);
	close(client);
	door_close(&d);
}

Test(listener, a_unix_peer_has_no_name, .timeout = 10, .fini = rig_sweep)
{
	struct door d = { .n = 0 };
	char text[ADDR_TEXT_MAX];
	int client;

	d.loop = rig_loop();
	cr_assert_eq(listener_open_unix(rig_path("a"), 0600, &d.fd), E_OK);
	cr_assert_eq(listener_start(&d.l, d.loop, d.fd, on_accept, &d), E_OK);
	d.at = rig_addr("unix:/x");
	d.at.len = sizeof(d.at.un);
	(void)snprintf(d.at.un.sun_path, sizeof(d.at.un.sun_path), "%s",
	    rig_path("a"));
	client = rig_connect(&d.at);
	d.want = 1;
	rig_run_until(d.loop, all_in, &d);
	addr_text(&d.last, text);
	cr_expect_str_eq(text, "unix:");
	close(client);
	door_close(&d);
}
