#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "config/config.h"
#include "supervisor/doors.h"
#include "supervisor/privs.h"
#include "tests/unit/base/scratch.h"

#define PATH_LEN 256

static void
remove_all(void)
{
	(void)unlink(scratch_path("run/admin.sock"));
	(void)rmdir(scratch_path("run"));
	(void)rmdir(scratch_path("state"));
	scratch_end();
}

TestSuite(doors, .init = scratch_begin, .fini = remove_all);

/* A configuration with that listener. */
static struct cfg *
make_cfg(const char *listen, const char *more)
{
	struct cfg_problems problems;
	struct buf text = BUF_INIT;
	struct cfg *c;

	buf_printf(&text,
	    "state_dir: %s\nadmin: { socket: %s }\n"
	    "listeners: [ { name: web, address: \"%s\" } ]\n%s"
	    "services: [ { name: s, pools: [ { name: v1, instances: "
	    "\"127.0.0.1:1\" } ] } ]\n",
	    scratch_path("state"), scratch_path("run/admin.sock"), listen,
	    more);
	cr_assert_eq(cfg_parse(buf_str(&text), "t", &c, &problems), E_OK);
	cfg_problems_free(&problems);
	buf_free(&text);
	return c;
}

static const struct privs nobody_else;

static in_port_t
port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

static int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), port;

	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	port = port_of(fd);
	close(fd);
	return port;
}

Test(doors, all_open)
{
	const char *path = scratch_path("run/admin.sock");
	char listen[64];
	struct doors d;
	struct cfg *c;
	struct stat st;

	(void)snprintf(listen, sizeof(listen), "127.0.0.1:%d", free_port());
	c = make_cfg(listen, "");
	cr_assert_eq(doors_open(c, &nobody_else, 3, &d), E_OK);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(port_of(d.fds[i]), port_of(d.fds[0]));
	cr_expect_eq(d.http_fd, -1);
	cr_expect_neq(d.access_fd, -1, "standard output");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0660);
	doors_close(&d, c);
	cr_expect_eq(stat(path, &st), -1, "the admin socket stays behind");
	cfg_unref(&c);
}

Test(doors, state_directory_is_for_one)
{
	char listen[64];
	struct doors d, second;
	struct cfg *c, *other;

	(void)snprintf(listen, sizeof(listen), "127.0.0.1:%d", free_port());
	c = make_cfg(listen, "");
	cr_assert_eq(doors_open(c, &nobody_else, 1, &d), E_OK);
	(void)snprintf(listen, sizeof(listen), "127.0.0.1:%d", free_port());
	other = make_cfg(listen, "");
	cr_expect_eq(doors_open(other, &nobody_else, 1, &second), E_INUSE);
	doors_close(&d, c);
	cr_expect_eq(doors_open(other, &nobody_else, 1, &second), E_OK,
	    "it is free again");
	doors_close(&second, other);
	cfg_unref(&c);
	cfg_unref(&other);
}

Test(doors, port_in_use)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char listen_at[64];
	struct doors d;
	struct cfg *c;

	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	(void)snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%d",
	    port_of(fd));
	c = make_cfg(listen_at, "");
	cr_expect_eq(doors_open(c, &nobody_else, 2, &d), E_INUSE);
	cr_expect_eq(d.admin_fd, -1);
	cr_expect_eq(d.state_lock, -1);
	cfg_unref(&c);
	close(fd);
}

Test(doors, unix_listener)
{
	const char *path = scratch_path("web.sock");
	char listen_at[PATH_LEN];
	struct doors d;
	struct stat st;
	struct cfg *c;

	(void)snprintf(listen_at, sizeof(listen_at), "unix:%s", path);
	c = make_cfg(listen_at, "");
	cr_assert_eq(doors_open(c, &nobody_else, 2, &d), E_OK);
	cr_expect_neq(d.fds[0], d.fds[1]);
	cr_expect_eq(stat(path, &st), 0);
	doors_shut(&d, c);
	cr_expect_eq(stat(path, &st), -1);
	doors_close(&d, c);
	cfg_unref(&c);
}

Test(doors, access_log_is_opened_anew)
{
	const char *path = scratch_path("access.log");
	char listen_at[64], more[PATH_LEN + 32];
	struct doors d;
	struct stat st;
	struct cfg *c;
	int number;

	(void)snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%d",
	    free_port());
	(void)snprintf(more, sizeof(more), "access_log: { file: %s }\n", path);
	c = make_cfg(listen_at, more);
	cr_assert_eq(doors_open(c, &nobody_else, 1, &d), E_OK);
	number = d.access_fd;
	cr_assert_eq(rename(path, scratch_path("access.log.1")), 0);
	cr_expect_eq(doors_reopen_access(&d, c), E_OK);
	cr_expect_eq(d.access_fd, number);
	cr_assert_eq(write(number, "x", 1), 1);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_size, 1);
	doors_close(&d, c);
	cfg_unref(&c);
}
