#include "admin/role.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "config/config.h"
#include "http/target.h"

#define LOOK_UP_MIN 1024
#define LOOK_UP_MAX (1u << 20) /* bytes of one entry: a group of thousands */
#define GROUPS_MAX 1024

int
peer_read(int fd, bool is_unix, struct peer *out)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	*out = (struct peer){ .is_unix = is_unix,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1 };
	if (!is_unix)
		return E_OK;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return err_sys();
	out->uid = cred.uid;
	out->gid = cred.gid;
	return E_OK;
}

/* ---- the system's data base ---- */

/* The name of a user; false when he has none, or none that fits. */
static bool
user_name(uid_t uid, char *out, size_t cap)
{
	struct passwd pw, *found = NULL;
	bool ok = false;

	for (size_t n = LOOK_UP_MIN; n <= LOOK_UP_MAX; n *= 2) {
		char *room = malloc(n);
		int rc = room == NULL ? ENOMEM
		                      : getpwuid_r(uid, &pw, room, n, &found);

		if (rc == 0 && found != NULL && strlen(pw.pw_name) < cap) {
			str_copy(str_of(pw.pw_name), out, cap);
			ok = true;
		}
		free(room);
		if (rc != ERANGE)
			break;
	}
	return ok;
}

static bool
group_id(const char *name, gid_t *out)
{
	struct group gr, *found = NULL;
	bool ok = false;

	for (size_t n = LOOK_UP_MIN; n <= LOOK_UP_MAX; n *= 2) {
		char *room = malloc(n);
		int rc = room == NULL ? ENOMEM
		                      : getgrnam_r(name, &gr, room, n, &found);

		if (rc == 0 && found != NULL) {
			*out = gr.gr_gid;
			ok = true;
		}
		free(room);
		if (rc != ERANGE)
			break;
	}
	return ok;
}

void
peer_who(const struct peer *p, char out[RO_WHO_MAX])
{
	char name[RO_WHO_MAX - 16];

	if (!p->is_unix)
		(void)snprintf(out, RO_WHO_MAX, "tcp");
	else if (user_name(p->uid, name, sizeof(name)))
		(void)snprintf(out, RO_WHO_MAX, "%s(%u)", name,
		    (unsigned)p->uid);
	else
		(void)snprintf(out, RO_WHO_MAX, "uid(%u)", (unsigned)p->uid);
}

/* ---- lists ---- */

/* What is known of a peer, looked up once and only if asked for. */
struct known {
	const struct peer *peer;
	bool name_asked, groups_asked;
	char name[256];
	gid_t groups[GROUPS_MAX];
	int n_groups;
};

static const char *
name_of(struct known *k)
{
	if (!k->name_asked &&
	    !user_name(k->peer->uid, k->name, sizeof(k->name)))
		k->name[0] = '\0';
	k->name_asked = true;
	return k->name;
}

static bool
is_user(struct known *k, const char *word)
{
	uint64_t id;

	if (str_u64(str_of(word), &id))
		return id == k->peer->uid;
	return strcmp(word, name_of(k)) == 0;
}

static void
ask_groups(struct known *k)
{
	const char *name = name_of(k);

	k->groups_asked = true;
	k->groups[0] = k->peer->gid;
	k->n_groups = GROUPS_MAX;
	if (name[0] == '\0')
		k->n_groups = 1; /* then only the one he came with */
	else if (getgrouplist(name, k->peer->gid, k->groups, &k->n_groups) ==
	    -1)
		k->n_groups = GROUPS_MAX; /* he has more */
}

static bool
is_in_group(struct known *k, const char *word)
{
	uint64_t id;
	gid_t gid;

	if (!str_u64(str_of(word), &id)) {
		if (!group_id(word, &gid))
			return false;
		id = gid;
	}
	if (!k->groups_asked)
		ask_groups(k);
	for (int i = 0; i < k->n_groups; i++)
		if (k->groups[i] == id)
			return true;
	return false;
}

static bool
is_listed(struct known *k, const struct cfg_principal_list *l)
{
	for (size_t i = 0; i < l->n_users; i++)
		if (is_user(k, l->users[i]))
			return true;
	for (size_t i = 0; i < l->n_groups; i++)
		if (is_in_group(k, l->groups[i]))
			return true;
	return false;
}

enum may
may_of(const struct cfg *cfg, const struct peer *p)
{
	struct known k;

	if (!p->is_unix)
		return MAY_VIEW;
	if (p->uid == 0 || p->uid == geteuid())
		return MAY_OPERATE;
	k.peer = p;
	k.name_asked = k.groups_asked = false;
	if (is_listed(&k, &cfg->operate))
		return MAY_OPERATE;
	if (cfg->view.n_users + cfg->view.n_groups == 0 ||
	    is_listed(&k, &cfg->view))
		return MAY_VIEW;
	return MAY_NOTHING;
}

/* ---- Host ---- */

enum literal { NO_LITERAL, LITERAL, LOOPBACK };

static enum literal
literal_of(const char *host)
{
	struct in_addr in;
	struct in6_addr in6;
	char bare[INET6_ADDRSTRLEN];
	size_t n = strlen(host);

	if (inet_pton(AF_INET, host, &in) == 1)
		return ntohl(in.s_addr) >> 24 == 127 ? LOOPBACK : LITERAL;
	if (n < 2 || host[0] != '[' || n - 2 >= sizeof(bare))
		return NO_LITERAL;
	str_copy(str_from(host + 1, n - 2), bare, sizeof(bare));
	if (inet_pton(AF_INET6, bare, &in6) != 1)
		return NO_LITERAL;
	return IN6_IS_ADDR_LOOPBACK(&in6) ? LOOPBACK : LITERAL;
}

static bool
is_wildcard(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "[::]") == 0;
}

bool
host_is_ours(const struct cfg *cfg, const char *host)
{
	const char *configured = cfg->admin_http.host;
	char name[256];
	struct str part;
	enum literal what;
	uint16_t port;

	if (host == NULL || !target_authority(str_of(host), &part, &port) ||
	    part.len >= sizeof(name))
		return false;
	str_copy(part, name, sizeof(name));
	if (str_caseeq(part, STR("localhost")))
		return true;
	what = literal_of(name);
	if (what == LOOPBACK || cfg->admin_http.text == NULL)
		return what == LOOPBACK;
	return str_caseeq(part, str_of(configured)) ||
	    (what == LITERAL && is_wildcard(configured));
}
