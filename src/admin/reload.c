/*
 * /v1/reload: asks for the configuration to be read again.
 */
#include <stdlib.h>

#include "admin/admin_int.h"
#include "admin/answer.h"
#include "admin/audit.h"
#include "admin/role.h"
#include "admin/server.h"
#include "base/err.h"
#include "rollout/drive.h"

struct reload {
	TAILQ_ENTRY(reload) link;
	struct admin *admin;
	struct ask *ask; /* NULL: its client has left */
	struct peer peer;
};

static void
reload_free(struct reload *r)
{
	TAILQ_REMOVE(&r->admin->reloads, r, link);
	free(r);
}

void
reloads_free(struct admin *a)
{
	struct reload *r;

	while ((r = TAILQ_FIRST(&a->reloads)) != NULL) {
		TAILQ_REMOVE(&a->reloads, r, link);
		free(r);
	}
}

static void
on_gone(void *arg)
{
	struct reload *r = arg;

	r->ask = NULL;
}

static void
answer_done(struct reload *r, const struct admin_reload_result *res)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	json_begin(&j, &b);
	json_begin_object(&j);
	json_kv_cstr(&j, "result", "done");
	json_kv_u64(&j, "generation",
	    drive_state(r->admin->env.drive)->generation);
	json_kv_lines(&j, "changed", res->changed);
	json_kv_lines(&j, "restart", res->restart);
	json_kv_lines(&j, "warnings", res->problems);
	json_end_object(&j);
	answer_json(r->ask, 200, &b);
}

static enum answer_error
error_of(int code)
{
	if (code == E_AGAIN)
		return ANSWER_BUSY;
	if (code == E_FULL)
		return ANSWER_DISK;
	return code == E_NOMEM ? ANSWER_NO_MEMORY : ANSWER_CONFIG;
}

static void
answer_failed(struct reload *r, const struct admin_reload_result *res)
{
	enum answer_error e = error_of(res->code);
	const char *message = "nothing was changed";

	if (e == ANSWER_BUSY)
		message = "a reload is under way already";
	else if (e == ANSWER_NO_MEMORY)
		message = err_text(E_NOMEM);
	answer_problems(r->ask, e, message, res->problems);
}

static void
on_done(const struct admin_reload_result *res, void *arg)
{
	struct reload *r = arg;
	bool ok = res->code == E_OK;
	const char *result = ok ? "done"
	                        : answer_error_name(error_of(res->code));

	audit_line("reload", &r->peer, result,
	    ok ? res->changed : res->problems);
	if (r->ask != NULL && ok)
		answer_done(r, res);
	else if (r->ask != NULL)
		answer_failed(r, res);
	reload_free(r);
}

void
page_reload(struct admin *a, struct ask *k)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		audit_line("reload", ask_peer(k),
		    answer_error_name(ANSWER_NO_MEMORY), "");
		answer_error(k, ANSWER_NO_MEMORY, "%s", err_text(E_NOMEM));
		return;
	}
	r->admin = a;
	r->ask = k;
	r->peer = *ask_peer(k);
	TAILQ_INSERT_TAIL(&a->reloads, r, link);
	ask_keep(k, on_gone, r);
	a->env.reload(on_done, r, a->env.arg);
}
