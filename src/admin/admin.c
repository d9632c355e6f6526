#include "admin/admin.h"

#include <stdlib.h>
#include <string.h>

#include "admin/adminproto.h"
#include "admin/admin_int.h"
#include "admin/answer.h"
#include "admin/audit.h"
#include "admin/events.h"
#include "admin/metrics.h"
#include "admin/role.h"
#include "admin/server.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"
#include "config/config.h"
#include "rollout/cluster.h"
#include "rollout/drive.h"

/* ---- pages ---- */

/*
 * What an operator asks to be changed has a word for the audit; what may hold
 * credentials is not for whoever reaches the port.
 */
/* clang-format off */
static const struct page {
	const char *path;
	enum ask_method method;
	enum may need;
	admin_page_fn *fn;
	const char *audit;
	bool secret;
} pages[] = {
	{ ADMIN_VERSION, ASK_GET,  MAY_VIEW,    page_version, NULL, false },
	{ ADMIN_STATUS,  ASK_GET,  MAY_VIEW,    page_status,  NULL, false },
	{ ADMIN_CONFIG,  ASK_GET,  MAY_VIEW,    page_config,  NULL, true },
	{ ADMIN_EVENTS,  ASK_GET,  MAY_VIEW,    page_events,  NULL, false },
	{ ADMIN_PLAN,    ASK_GET,  MAY_VIEW,    page_plan,    NULL, false },
	{ ADMIN_SESSIONS, ASK_GET, MAY_VIEW,    page_sessions, NULL, true },
	{ ADMIN_PIN,     ASK_GET,  MAY_OPERATE, page_pin,     "pin", true },
	{ ADMIN_METRICS, ASK_GET,  MAY_VIEW,    page_metrics, NULL, false },
	{ ADMIN_HEALTH,  ASK_GET,  MAY_NOTHING, page_health,  NULL, false },
	{ ADMIN_COMMAND, ASK_POST, MAY_OPERATE, page_command, "command",
	    false },
	{ ADMIN_RELOAD,  ASK_POST, MAY_OPERATE, page_reload,  "reload",
	    false },
};
/* clang-format on */

static const struct page *
page_of(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (strcmp(pages[i].path, path) == 0)
			return &pages[i];
	return NULL;
}

static void
answer_no_page(struct ask *k)
{
	const char *paths[ARRAY_LEN(pages)], *near;

	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		paths[i] = pages[i].path;
	near = str_nearest(str_of(ask_path(k)), paths, ARRAY_LEN(paths));
	if (near != NULL)
		answer_error(k, ANSWER_NOT_FOUND,
		    "there is no %.200s; did you mean %s?", ask_path(k), near);
	else
		answer_error(k, ANSWER_NOT_FOUND, "there is no %.200s",
		    ask_path(k));
}

/* ---- who may ---- */

static bool
has_method(const struct ask *k, const struct page *p)
{
	enum ask_method m = ask_method(k);

	return m == p->method ||
	    (m == ASK_HEAD && p->method == ASK_GET && p->fn != page_events);
}

static void
refuse(struct ask *k, const struct page *p, enum answer_error e,
    const char *why)
{
	if (p->audit != NULL)
		audit_line(p->audit, ask_peer(k), answer_error_name(e), why);
	answer_error(k, e, "%s", why);
}

static void
refuse_peer(struct ask *k, const struct page *p)
{
	if (!ask_peer(k)->is_unix)
		refuse(k, p, ANSWER_FORBIDDEN,
		    "this port only shows; changes go through the Unix socket");
	else if (p->need == MAY_OPERATE)
		refuse(k, p, ANSWER_FORBIDDEN,
		    "neither you nor a group of yours is in admin.operate");
	else
		refuse(k, p, ANSWER_FORBIDDEN,
		    "neither you nor a group of yours is in admin.view");
}

static void
on_ask(struct ask *k, void *arg)
{
	struct admin *a = arg;
	const struct cfg *cfg = drive_cfg(a->env.drive);
	const struct page *p = page_of(ask_path(k));

	ON_CONTROL_THREAD();
	if (!ask_peer(k)->is_unix &&
	    !host_is_ours(cfg, ask_header(k, "Host"))) {
		answer_error(k, ANSWER_FORBIDDEN,
		    "the Host field names neither this machine's loopback nor "
		    "admin.http");
	} else if (p == NULL) {
		answer_no_page(k);
	} else if (!has_method(k, p)) {
		ask_field(k, "Allow", p->method == ASK_GET ? "GET" : "POST");
		answer_error(k, ANSWER_METHOD, "%s is for %s", p->path,
		    p->method == ASK_GET ? "GET" : "POST");
	} else if (p->secret && !ask_peer(k)->is_unix) {
		answer_error(k, ANSWER_FORBIDDEN,
		    "what may hold credentials is shown through the Unix "
		    "socket alone");
	} else if (may_of(cfg, ask_peer(k)) < p->need) {
		refuse_peer(k, p);
	} else if (p->need == MAY_OPERATE && a->stopping) {
		refuse(k, p, ANSWER_STOPPING, "segued is stopping");
	} else {
		p->fn(a, k);
	}
}

/* ---- life ---- */

int
admin_new(const struct admin_env *env, struct admin **out)
{
	struct admin *a = calloc(1, sizeof(*a));
	struct server_env door = { .loop = env->loop,
		.unix_fd = env->unix_fd,
		.http_fd = env->http_fd,
		.fn = on_ask,
		.arg = a };
	int rc;

	ON_CONTROL_THREAD();
	*out = NULL;
	if (a == NULL)
		return E_NOMEM;
	a->env = *env;
	a->began_wall_us = clock_wall_us();
	TAILQ_INIT(&a->reloads);
	TAILQ_INIT(&a->others);
	rc = events_new(env->loop, env->feed, &a->events);
	if (rc == E_OK)
		rc = server_new(&door, &a->server);
	if (rc != E_OK) {
		admin_free(&a);
		return rc;
	}
	if (drive_cluster(env->drive) != NULL)
		cluster_on_command(drive_cluster(env->drive), command_of_other,
		    a);
	*out = a;
	return E_OK;
}

void
admin_stopping(struct admin *a)
{
	a->stopping = true;
}

void
admin_free(struct admin **ap)
{
	struct admin *a = *ap;

	if (a == NULL)
		return;
	commands_free(a);
	if (drive_cluster(a->env.drive) != NULL)
		cluster_on_command(drive_cluster(a->env.drive), NULL, NULL);
	server_free(&a->server); /* who waits or watches learns it is gone */
	events_free(&a->events);
	reloads_free(a);
	free(a);
	*ap = NULL;
}
