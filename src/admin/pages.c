/*
 * The pages that answer at once.
 */
#include "admin/admin_int.h"
#include "admin/answer.h"
#include "admin/metrics.h"
#include "admin/server.h"
#include "base/clock.h"
#include "base/err.h"
#include "config/config.h"
#include "rollout/drive.h"

/* Frees the text. */
static void
answer_text(struct ask *k, const char *type, struct buf *b)
{
	if (b->failed)
		answer_error(k, ANSWER_NO_MEMORY, "%s", err_text(E_NOMEM));
	else
		ask_answer(k, 200, type, buf_str(b));
	buf_free(b);
}

void
page_version(struct admin *a, struct ask *k)
{
	uint64_t now = clock_wall_us(), since = a->env.started_wall_us;
	struct buf b = BUF_INIT;
	struct json_out j;

	json_begin(&j, &b);
	json_begin_object(&j);
	json_kv_cstr(&j, "version", SEGUE_VERSION);
	json_kv_u64(&j, "protocol", ADMIN_PROTOCOL);
	json_kv_u64(&j, "pid", (uint64_t)a->env.master_pid);
	json_kv_time(&j, "started", since);
	json_kv_u64(&j, "uptime_s", now > since ? (now - since) / US_PER_S : 0);
	json_end_object(&j);
	answer_json(k, 200, &b);
}

void
page_status(struct admin *a, struct ask *k)
{
	struct buf b = BUF_INIT;

	status_write(a, &b);
	answer_json(k, 200, &b);
}

void
page_config(struct admin *a, struct ask *k)
{
	struct buf b = BUF_INIT;

	cfg_dump_hiding(drive_cfg(a->env.drive), &b);
	answer_text(k, "application/yaml", &b);
}

void
page_metrics(struct admin *a, struct ask *k)
{
	struct buf b = BUF_INIT;

	metrics_write(a, &b);
	answer_text(k, "text/plain; version=0.0.4; charset=utf-8", &b);
}

void
page_health(struct admin *a UNUSED, struct ask *k)
{
	ask_answer(k, 204, NULL, (struct str){ NULL, 0 });
}
