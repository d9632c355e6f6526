#include "server.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/net/rig.h"

#define PATIENCE_MS 60000
#define BEAT_MS 5

static pid_t child;
static char path[108], dir[108];

static void
become_it(void)
{
	/* A test that fails does not end it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (freopen("/dev/null", "r", stdin) == NULL ||
	    freopen("/dev/null", "w", stdout) == NULL)
		_exit(126);
	execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
	    path, "--save", "", "--appendonly", "no", "--dir", dir,
	    (char *)NULL);
	_exit(127);
}

static bool
listens(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes;

	cr_assert_neq(fd, -1);
	memcpy(to.sun_path, path, sizeof(path));
	yes = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
	close(fd);
	return yes;
}

const char *
server_begin(void)
{
	(void)snprintf(path, sizeof(path), "%s", rig_path("redis.sock"));
	(void)snprintf(dir, sizeof(dir), "%s", rig_path(""));
	child = fork();
	cr_assert_neq(child, -1);
	if (child == 0)
		become_it();
	for (int ms = 0; !listens(); ms += BEAT_MS) {
		cr_assert_eq(waitpid(child, NULL, WNOHANG), 0,
		    "redis-server cannot be started");
		cr_assert(ms < PATIENCE_MS, "redis-server does not listen");
		(void)usleep(BEAT_MS * 1000);
	}
	return path;
}

void
server_end(void)
{
	if (child <= 0)
		return;
	(void)kill(child, SIGKILL);
	cr_expect_eq(waitpid(child, NULL, 0), child);
	child = 0;
	rig_sweep();
}
