#include "door.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/log.h"
#include "must.h"
#include "net/loop.h"

static struct {
	struct loop *loop;
	int fd;
	struct sockaddr_un at;
	struct later next;
	/* while turns are taken */
	unsigned turns;
	door_turn_fn *fn;
	void *arg;
} door;

static void
remove_door(void)
{
	(void)unlink(door.at.sun_path);
}

struct loop *
door_open(const char *name)
{
	if (door.loop != NULL)
		return door.loop;
	log_set_level(LOG_ERROR);
	(void)signal(SIGPIPE, SIG_IGN);
	MUST(loop_new(&door.loop) == E_OK);
	door.at.sun_family = AF_UNIX;
	(void)snprintf(door.at.sun_path, sizeof(door.at.sun_path),
	    "%s/segue-fuzz-%s-%ld.sock", P_tmpdir, name, (long)getpid());
	(void)unlink(door.at.sun_path);
	door.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	MUST(door.fd != -1);
	MUST(bind(door.fd, (struct sockaddr *)&door.at, sizeof(door.at)) == 0);
	MUST(listen(door.fd, 16) == 0);
	(void)atexit(remove_door);
	return door.loop;
}

char *
door_path(void)
{
	return door.at.sun_path;
}

int
door_come(void)
{
	return accept4(door.fd, NULL, NULL, SOCK_CLOEXEC);
}

void
door_say(int fd, struct str text)
{
	if (fd != -1 && text.len > 0)
		(void)!send(fd, text.p, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

struct str
door_half(struct str text, bool first)
{
	return first ? str_sub(text, 0, text.len / 2)
	             : str_sub(text, text.len / 2, text.len);
}

static void
on_next(struct later *l UNUSED)
{
}

static void
on_turn(void *arg UNUSED)
{
	bool enough = door.fn(door.arg);

	if (--door.turns == 0 || enough)
		loop_stop(door.loop);
	else
		loop_later(door.loop, &door.next, on_next);
}

void
door_turns(unsigned n, door_turn_fn *fn, void *arg)
{
	door.turns = n;
	door.fn = fn;
	door.arg = arg;
	loop_later(door.loop, &door.next, on_next);
	loop_on_turn(door.loop, on_turn, NULL);
	loop_run(door.loop);
	loop_on_turn(door.loop, NULL, NULL);
}

void
door_let_go(const int *fds, int n)
{
	int fd;

	for (int i = 0; i < n; i++)
		if (fds[i] != -1)
			close(fds[i]);
	while ((fd = door_come()) != -1)
		close(fd);
}
