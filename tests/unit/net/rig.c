#include "rig.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "config/config.h"
#include "net/loop.h"

#define PATIENCE_US (5 * US_PER_S)

/* Deferred work follows the look: look again soon. */
#define BEAT_US US_PER_MS

struct wait {
	struct loop *loop;
	struct alarm *limit, *beat;
	rig_fn *is_so;
	void *arg;
	bool late;
};

struct loop *
rig_loop(void)
{
	struct loop *l;

	cr_assert_eq(loop_new(&l), E_OK);
	return l;
}

static void
on_turn(void *arg)
{
	struct wait *w = arg;

	if (w->is_so != NULL && w->is_so(w->arg))
		loop_stop(w->loop);
}

static void
on_beat(void *arg)
{
	struct wait *w = arg;

	alarm_set(w->beat, BEAT_US);
}

static void
on_late(void *arg)
{
	struct wait *w = arg;

	w->late = true;
	loop_stop(w->loop);
}

static bool
run(struct loop *l, rig_fn *is_so, void *arg, uint64_t us)
{
	struct wait w = { .loop = l, .is_so = is_so, .arg = arg };

	w.limit = alarm_new(l, on_late, &w);
	w.beat = alarm_new(l, on_beat, &w);
	cr_assert(w.limit != NULL && w.beat != NULL);
	alarm_set(w.limit, us);
	if (is_so != NULL)
		alarm_set(w.beat, 0);
	loop_on_turn(l, on_turn, &w);
	loop_run(l);
	loop_on_turn(l, NULL, NULL);
	alarm_free(&w.limit);
	alarm_free(&w.beat);
	return !w.late;
}

void
rig_run_until(struct loop *l, rig_fn *is_so, void *arg)
{
	if (!is_so(arg))
		cr_assert(run(l, is_so, arg, PATIENCE_US), "waited in vain");
}

void
rig_run_for(struct loop *l, uint64_t us)
{
	(void)run(l, NULL, NULL, us);
}

struct addr
rig_addr(const char *text)
{
	struct cfg_addr cfg;
	struct addr a;

	cr_assert_eq(cfg_addr_parse(str_of(text), &cfg), E_OK, "%s", text);
	cr_assert_eq(addr_of_cfg(&cfg, &a), E_OK, "%s", text);
	cfg_addr_free(&cfg);
	return a;
}

int
rig_listen(struct addr *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*at = addr_with_port(&(struct addr){ .in = {
	    .sin_family = AF_INET,
	    .sin_addr = { htonl(INADDR_LOOPBACK) },
	}, .len = sizeof(struct sockaddr_in) }, 0);
	cr_assert_neq(fd, -1);
	cr_assert_eq(bind(fd, &at->sa, at->len), 0);
	cr_assert_eq(listen(fd, 64), 0);
	cr_assert_eq(getsockname(fd, &at->sa, &at->len), 0);
	return fd;
}

int
rig_accept(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	cr_assert_neq(fd, -1);
	return fd;
}

int
rig_connect(const struct addr *to)
{
	int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_neq(fd, -1);
	cr_assert_eq(connect(fd, &to->sa, to->len), 0);
	return fd;
}

void
rig_send(int fd, const char *text)
{
	size_t len = strlen(text);

	cr_assert_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

void
rig_pair(int fds[2])
{
	struct addr at;
	int l = rig_listen(&at);

	fds[1] = rig_connect(&at);
	fds[0] = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	cr_assert_neq(fds[0], -1);
	close(l);
}

void
rig_abort(int fd)
{
	struct linger hard = { 1, 0 };

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)),
	    0);
	close(fd);
}

void
rig_await(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	while ((p.revents & events) != events)
		cr_assert_eq(poll(&p, 1, 5000), 1, "nothing came");
}

/* ---- files ---- */

static char dir[64];

const char *
rig_path(const char *name)
{
	static char path[128];

	if (dir[0] == '\0') {
		(void)snprintf(dir, sizeof(dir), "%s/segue-test-XXXXXX",
		    P_tmpdir);
		cr_assert_not_null(mkdtemp(dir));
	}
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

void
rig_sweep(void)
{
	DIR *d = dir[0] == '\0' ? NULL : opendir(dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			(void)unlink(rig_path(e->d_name));
	if (d != NULL)
		closedir(d);
	if (dir[0] != '\0')
		rmdir(dir);
	dir[0] = '\0';
}
