#include <criterion/criterion.h>
#include <errno.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "config/config.h"
#include "supervisor/privs.h"

Test(privs, nobody_to_become)
{
	struct cfg c = { .user = NULL };
	struct privs p;
	char why[128] = "";

	cr_expect_eq(privs_find(&c, &p, why, sizeof(why)), E_OK);
	cr_expect_not(p.change);
	cr_expect_eq(privs_drop(&p), E_OK);
	cr_expect_eq(geteuid(), p.uid);
}

Test(privs, unknown_names)
{
	struct cfg user = { .user = (char[]){ "no-such-user" } };
	struct cfg group = { .group = (char[]){ "no-such-group" } };
	struct privs p;
	char why[128] = "";

	if (getuid() != 0) {
		/* We cannot become anybody: names are not looked up. */
		cr_expect_eq(privs_find(&user, &p, why, sizeof(why)), E_OK);
		return;
	}
	cr_expect_eq(privs_find(&user, &p, why, sizeof(why)), E_NOENT);
	cr_expect_str_eq(why, "user: there is no user no-such-user");
	cr_expect_eq(privs_find(&group, &p, why, sizeof(why)), E_NOENT);
	cr_expect_str_eq(why, "group: there is no group no-such-group");
}

/* 0: all as it should be; else which step was not. */
static int
become_nobody(void)
{
	struct cfg c = { .user = (char[]){ "nobody" } };
	struct privs p;
	char why[128];

	if (privs_find(&c, &p, why, sizeof(why)) != E_OK || !p.change)
		return 1;
	if (privs_drop(&p) != E_OK || geteuid() != p.uid || getegid() != p.gid)
		return 2;
	if (setuid(0) != -1 || getgroups(0, NULL) != 1)
		return 3;
	return 0;
}

Test(privs, root_becomes_nobody_for_good)
{
	int status;
	pid_t pid;

	if (getuid() != 0) /* covered where CI runs: as root */
		return;
	pid = fork();
	if (pid == 0)
		_exit(become_nobody());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(WEXITSTATUS(status), 0);
}

/* Sanitizer builds may fork: their own helpers do. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MAY_FORK true
#else
#define MAY_FORK false
#endif

static int
try_fork(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };
	pid_t pid;

	if (privs_forbid_fork() != E_OK)
		return 1;
	pid = fork();
	if (pid == 0)
		_exit(0);
	if ((pid != -1) != MAY_FORK || (pid == -1 && errno != EPERM))
		return 2;
	if (MAY_FORK)
		return 0;
	execv("/bin/true", argv);
	return errno == EPERM ? 0 : 3;
}

Test(privs, no_other_process)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(try_fork());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), 0, "step %d", WEXITSTATUS(status));
}
