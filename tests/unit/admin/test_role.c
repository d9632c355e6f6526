/* Who may do what. */
#include "admin/role.h"

#include <criterion/criterion.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "config/config.h"

#define NOBODY 65534 /* "nobody", as everywhere */

/* As the configuration has them: not constant. */
static char nobody[] = "nobody", number[] = "65534", daemon_[] = "daemon",
            other[] = "4242", no_name[] = "no-such-name", group[] = "777";
static char *names[] = { nobody };
static char *numbers[] = { number };
static char *others[] = { daemon_, other, no_name };
static char *group_numbers[] = { group };
static char *group_names[] = { daemon_ };

#define USERS(list)                                                            \
	{                                                                      \
		.users = (list), .n_users = ARRAY_LEN(list)                    \
	}
#define GROUPS(list)                                                           \
	{                                                                      \
		.groups = (list), .n_groups = ARRAY_LEN(list)                  \
	}

static const struct {
	const char *why;
	struct peer peer;
	struct cfg_principal_list operate, view;
	enum may may;
} rows[] = {
	{ "root may all", { true, 0, 0 }, USERS(others), USERS(others),
	    MAY_OPERATE },
	{ "without lists whoever connects may look", { true, NOBODY, 9 }, { 0 },
	    { 0 }, MAY_VIEW },
	{ "operate by name", { true, NOBODY, 9 }, USERS(names), { 0 },
	    MAY_OPERATE },
	{ "operate by number", { true, NOBODY, 9 }, USERS(numbers), { 0 },
	    MAY_OPERATE },
	{ "operate by the group he came with", { true, NOBODY, 777 },
	    GROUPS(group_numbers), { 0 }, MAY_OPERATE },
	{ "by a group's name; daemon is 1", { true, NOBODY, 1 },
	    GROUPS(group_names), { 0 }, MAY_OPERATE },
	{ "of another group", { true, NOBODY, 2 }, GROUPS(group_names), { 0 },
	    MAY_VIEW },
	{ "a user of no name in no group", { true, 54321, 54321 },
	    GROUPS(group_names), USERS(names), MAY_NOTHING },
	{ "not listed in view", { true, NOBODY, 9 }, { 0 }, USERS(others),
	    MAY_NOTHING },
	{ "listed in view", { true, NOBODY, 9 }, { 0 }, USERS(names),
	    MAY_VIEW },
	{ "in view by group", { true, 54321, 777 }, { 0 },
	    GROUPS(group_numbers), MAY_VIEW },
	{ "operate goes before view", { true, NOBODY, 9 }, USERS(names),
	    USERS(others), MAY_OPERATE },
	{ "nobody knows who comes over TCP", { false, (uid_t)-1, (gid_t)-1 },
	    USERS(names), USERS(others), MAY_VIEW },
	{ "not even if he had root's number", { false, 0, 0 }, { 0 }, { 0 },
	    MAY_VIEW },
};

Test(role, may, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cfg cfg = { .operate = rows[i].operate,
			.view = rows[i].view };

		cr_expect_eq(may_of(&cfg, &rows[i].peer), rows[i].may, "%s",
		    rows[i].why);
	}
}

Test(role, our_own_user_may_all, .timeout = 5)
{
	struct peer us = { true, geteuid(), 9 };
	struct cfg cfg = { .view = USERS(others) };

	cr_expect_eq(may_of(&cfg, &us), MAY_OPERATE);
}

/* A group counts that has him as a member, whatever group he came with. */
Test(role, supplementary_groups, .timeout = 5)
{
	const struct group *gr;
	const struct passwd *pw = NULL;

	while (pw == NULL && (gr = getgrent()) != NULL)
		if (gr->gr_mem[0] != NULL)
			pw = getpwnam(gr->gr_mem[0]);
	if (pw == NULL)
		return; /* no group of this system has a member */
	char *list[] = { gr->gr_name };
	struct peer p = { true, pw->pw_uid, 54321 }, q = { true, NOBODY, 9 };
	struct cfg cfg = { .operate = GROUPS(list) };

	cr_expect_eq(may_of(&cfg, &p), MAY_OPERATE, "%s", gr->gr_name);
	cr_expect_eq(may_of(&cfg, &q), MAY_VIEW, "%s", gr->gr_name);
}

Test(role, who, .timeout = 5)
{
	struct peer p = { true, 0, 0 };
	char who[RO_WHO_MAX];

	peer_who(&p, who);
	cr_expect_str_eq(who, "root(0)");
	p.uid = 54321;
	peer_who(&p, who);
	cr_expect_str_eq(who, "uid(54321)");
	p.is_unix = false;
	peer_who(&p, who);
	cr_expect_str_eq(who, "tcp");
}

Test(role, the_kernel_says_who, .timeout = 5)
{
	struct peer p;
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	cr_assert_eq(peer_read(fds[0], true, &p), E_OK);
	cr_expect(p.is_unix);
	cr_expect_eq(p.uid, geteuid());
	cr_expect_eq(p.gid, getegid());
	close(fds[0]);
	close(fds[1]);
	cr_expect_neq(peer_read(fds[0], true, &p), E_OK);
	cr_expect_eq(p.uid, (uid_t)-1, "never root by accident");
}

static const struct {
	const char *why, *configured, *host;
	bool ours;
} hosts[] = {
	{ "none", "127.0.0.1", NULL, false },
	{ "empty", "127.0.0.1", "", false },
	{ "a name of the web", "127.0.0.1", "evil.example", false },
	{ "with our port", "127.0.0.1", "evil.example:9180", false },
	{ "localhost", "127.0.0.1", "localhost", true },
	{ "... in capitals with a port", "127.0.0.1", "LocalHost:80", true },
	{ "... only in front", "127.0.0.1", "localhost.evil.example", false },
	{ "loopback", "localhost", "127.0.0.1:9180", true },
	{ "all of 127/8", "localhost", "127.1.2.3", true },
	{ "a name like it", "localhost", "127.0.0.1.evil.example", false },
	{ "loopback of IPv6", "localhost", "[::1]:9180", true },
	{ "no port at its end", "localhost", "[::1]x", false },
	{ "another literal", "127.0.0.1", "10.0.0.5:9180", false },
	{ "the one configured", "10.0.0.5", "10.0.0.5:9180", true },
	{ "the name configured", "metrics.internal", "Metrics.internal", true },
	{ "any literal of a wildcard", "0.0.0.0", "10.0.0.5:9180", true },
	{ "... and of IPv6", "[::]", "[2001:db8::1]:9180", true },
	{ "but no name", "0.0.0.0", "evil.example", false },
	{ "with a user", "127.0.0.1", "a@localhost", false },
};

Test(role, host, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		char host[64];
		struct cfg cfg = { .admin_http = { .text = host,
			               .host = host } };

		str_copy(str_of(hosts[i].configured), host, sizeof(host));
		cr_expect_eq(host_is_ours(&cfg, hosts[i].host), hosts[i].ours,
		    "%s", hosts[i].why);
	}
}
