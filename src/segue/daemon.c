/*
 * The daemon itself: reload, configuration, version.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "segue/answer.h"
#include "segue/handlers.h"
#include "segue/run.h"
#include "segue/show.h"
#include "segue/text.h"

/* Names in the configuration are resolved: that may take a while. */
#define RELOAD_LIMIT_US (60 * US_PER_S)

/* ---- reload ---- */

static size_t
say_lines(struct run *r, const struct json *doc, const char *key,
    const char *label)
{
	const struct json *lines = json_get(doc, key);
	struct buf clean = BUF_INIT;

	for (size_t i = 0; i < json_len(lines); i++) {
		const char *line = json_text(json_at(lines, i));

		text_clean(&clean, str_of(line == NULL ? "-" : line));
		run_say(r, "  %-13s  " STR_FMT, label, STR_ARG(clean));
		buf_reset(&clean);
	}
	buf_free(&clean);
	return json_len(lines);
}

static void
say_reloaded(struct run *r, const struct json *doc)
{
	size_t changed = json_len(json_get(doc, "changed"));
	size_t restart = json_len(json_get(doc, "restart"));
	char n[SHOW_MAX];

	if (changed + restart == 0)
		run_say(r, "reloaded; nothing differs");
	else
		run_say(r, "reloaded, generation %s%s",
		    show_count(doc, "generation", n),
		    restart > 0 ? "; some of it needs a restart" : "");
	(void)say_lines(r, doc, "changed", "changed");
	(void)say_lines(r, doc, "restart", "needs restart");
	(void)say_lines(r, doc, "warnings", "warning");
}

int
daemon_reload(struct run *r)
{
	struct answer a;
	int exit = answer_post(r, ADMIN_RELOAD, STR("{}"), RELOAD_LIMIT_US, &a);

	if (exit != SEGUE_EXIT_DONE)
		return exit;
	if (r->json)
		run_print(r, buf_str(&a.text));
	else
		say_reloaded(r, a.doc);
	answer_free(&a);
	return exit;
}

/* ---- config ---- */

int
daemon_config(struct run *r)
{
	struct buf out = BUF_INIT;
	struct json_out j;
	struct answer a;
	int exit = answer_get(r, ADMIN_CONFIG, &a);

	if (exit != SEGUE_EXIT_DONE)
		return exit;
	if (!r->json) {
		run_print(r, buf_str(&a.text));
	} else { /* what is no JSON becomes a string of it */
		json_begin(&j, &out);
		json_begin_object(&j);
		json_kv_str(&j, "yaml", buf_str(&a.text));
		json_end_object(&j);
		run_print(r, buf_str(&out));
	}
	buf_free(&out);
	answer_free(&a);
	return exit;
}

/* ---- version ---- */

int
daemon_version(struct run *r)
{
	char protocol[SHOW_MAX], pid[SHOW_MAX], up[SHOW_MAX];
	struct buf line = BUF_INIT;
	struct answer a;
	int exit;

	run_say(r, "segue  %s, protocol %d", SEGUE_VERSION, ADMIN_PROTOCOL);
	exit = answer_get_doc(r, ADMIN_VERSION, &a);
	if (exit != SEGUE_EXIT_DONE)
		return exit;
	if (r->json) {
		run_print(r, buf_str(&a.text));
	} else {
		text_clean(&line, str_of(show_text(a.doc, "version")));
		(void)snprintf(pid, sizeof(pid), "%lld",
		    (long long)json_get_int(a.doc, "pid", 0));
		run_say(r, "segued " STR_FMT ", protocol %s, pid %s, up %s",
		    STR_ARG(line), show_count(a.doc, "protocol", protocol), pid,
		    show_s(a.doc, "uptime_s", up));
	}
	if (json_get_int(a.doc, "protocol", ADMIN_PROTOCOL) != ADMIN_PROTOCOL)
		fprintf(r->err,
		    "segue: they speak different protocols; use the segue "
		    "that came with that segued\n");
	buf_free(&line);
	answer_free(&a);
	return exit;
}
