#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/notify.h"
#include "tests/unit/base/scratch.h"

static void
expect(int fd, const char *start)
{
	char got[256];
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	cr_assert_gt(n, 0, "%s was not sent", start);
	got[n] = '\0';
	cr_expect_eq(strncmp(got, start, strlen(start)), 0, "%s: %s", start,
	    got);
}

Test(notify, manager_is_told)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	scratch_begin();
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", scratch_path("n"));
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	notify_ready();
	expect(fd, "READY=1\n");
	notify_reloading();
	expect(fd, "RELOADING=1\nMONOTONIC_USEC=");
	notify_status("Draining v1.");
	expect(fd, "STATUS=Draining v1.");
	notify_stopping();
	expect(fd, "STOPPING=1\n");
	close(fd);
	scratch_end();
}

Test(notify, nobody_to_tell)
{
	unsetenv("NOTIFY_SOCKET");
	notify_ready();
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_ready();
	setenv("NOTIFY_SOCKET", "/nonexistent/n", 1);
	notify_ready();
}
