/*
 * What a rollout would do.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "segue/answer.h"
#include "segue/handlers.h"
#include "segue/run.h"
#include "segue/show.h"
#include "segue/table.h"
#include "segue/text.h"

static const struct table_column columns[] = {
	{ "N", true, NULL },
	{ "STEP", false, NULL },
	{ "AT MOST", true, NULL },
	{ NULL, false, NULL },
};

static void
say_steps(struct run *r, const struct json *steps)
{
	struct table *t = table_new(columns);
	struct buf out = BUF_INIT;
	char n[24], limit[SHOW_MAX];

	for (size_t i = 0; i < json_len(steps); i++) {
		const struct json *s = json_at(steps, i);

		(void)snprintf(n, sizeof(n), "%zu", i + 1);
		table_add(t, STYLE_PLAIN, str_of(n));
		table_add(t, STYLE_PLAIN, str_of(show_text(s, "text")));
		table_add(t, STYLE_PLAIN,
		    str_of(json_is_null(json_get(s, "limit_s"))
		            ? "-"
		            : show_s(s, "limit_s", limit)));
	}
	if (t != NULL)
		table_write(t, r->colour, 0, &out);
	run_print(r, buf_str(&out));
	buf_free(&out);
	table_free(&t);
}

/* A line cleaned of what names may hold. */
static void
say_clean(struct run *r, const struct buf *raw)
{
	struct buf clean = BUF_INIT;

	text_clean(&clean, buf_str(raw));
	run_say(r, STR_FMT, STR_ARG(clean));
	buf_free(&clean);
}

static void
say_pools(struct run *r, const struct json *doc)
{
	const struct json *pools = json_get(doc, "pools");
	const struct json *drain = json_get(doc, "drain");
	char sessions[SHOW_MAX], grace[SHOW_MAX], streams[SHOW_MAX];

	for (size_t i = 0; i < json_len(pools); i++) {
		const struct json *p = json_at(pools, i);
		struct buf line = BUF_INIT;

		if (json_get_truth(p, "drains", false))
			buf_printf(&line,
			    "%s would drain, mode %s: %s sessions for %s at "
			    "most, %s streams",
			    show_text(p, "name"), show_text(drain, "mode"),
			    show_count(p, "sessions", sessions),
			    show_us(drain, "flows_us", grace),
			    show_count(p, "streams", streams));
		else if (json_get_int(p, "sessions", 0) > 0 ||
		    json_get_int(p, "streams", 0) > 0)
			buf_printf(&line, "%s keeps %s sessions, %s streams",
			    show_text(p, "name"),
			    show_count(p, "sessions", sessions),
			    show_count(p, "streams", streams));
		else
			continue;
		say_clean(r, &line);
		buf_free(&line);
	}
}

/* Not refused for it: it waits, or its jobs start it. */
static void
say_unready(struct run *r, const struct json *doc)
{
	const struct json *pools = json_get(doc, "pools");

	for (size_t i = 0; i < json_len(pools); i++) {
		const struct json *p = json_at(pools, i);
		struct buf line = BUF_INIT;

		if (strcmp(show_text(p, "name"), show_text(doc, "to")) != 0 ||
		    json_get_truth(p, "ready", true))
			continue;
		buf_printf(&line, "%s is not ready now: %s",
		    show_text(p, "name"), show_text(p, "unready"));
		say_clean(r, &line);
		buf_free(&line);
	}
}

static void
say_unread(struct run *r, const struct json *pool)
{
	struct buf line = BUF_INIT;

	if (json_get_int(json_get(pool, "keys"), "unread", 0) == 0)
		return;
	buf_printf(&line,
	    "the keys of %s cannot be read: nobody knows whether its tokens "
	    "will be taken (jwks)",
	    show_text(pool, "name"));
	say_clean(r, &line);
	buf_free(&line);
}

/* Whoever has asked one of them knows no token of the other. */
static void
say_keys(struct run *r, const struct json *doc)
{
	const struct json *pools = json_get(doc, "pools");
	char n[SHOW_MAX];
	bool waits = false;

	for (size_t i = 0; i < json_len(pools); i++) {
		const struct json *p = json_at(pools, i);
		const struct json *keys = json_get(p, "keys");
		struct buf line = BUF_INIT;

		waits |= json_get_truth(p, "keys_hold", false);
		say_unread(r, p);
		if (json_get_int(keys, "lacks", 0) == 0 ||
		    json_get_truth(keys, "united", false))
			continue;
		buf_printf(&line,
		    "%s lacks %s of the other pools' keys: who asks it refuses "
		    "their tokens (jwks.union gives all)",
		    show_text(p, "name"), show_count(keys, "lacks", n));
		say_clean(r, &line);
		buf_free(&line);
	}
	if (waits)
		run_say(r,
		    "the steps share and promote wait while keys differ or are "
		    "not read (jwks.required)");
}

/* What is not Segue's to prevent. */
static void
say_note(struct run *r, const char *note)
{
	struct buf line = BUF_INIT;

	if (note == NULL)
		return;
	buf_add_cstr(&line, note);
	say_clean(r, &line);
	buf_free(&line);
}

/* "requests would wait from step 2 on, 5m00s at most; 1.8s last time" */
static void
say_outage(struct run *r, const struct json *doc)
{
	const struct json *o = json_get(doc, "outage");
	struct buf line = BUF_INIT;
	char most[SHOW_MAX], last[SHOW_MAX];

	if (!json_is_object(o)) {
		run_say(r, "no request would be held");
		return;
	}
	buf_printf(&line, "requests%s would wait from step %d on",
	    json_get_truth(o, "writes_only", false)
	        ? " that may change something"
	        : "",
	    (int)json_get_int(o, "step", 0) + 1);
	if (json_get_truth(o, "perhaps", false))
		buf_add_cstr(&line, ", if the check says so");
	if (!json_is_null(json_get(o, "at_most_s")))
		buf_printf(&line, ", %s at most", show_s(o, "at_most_s", most));
	if (!json_is_null(json_get(o, "last_s")))
		buf_printf(&line, "; %s last time", show_s(o, "last_s", last));
	say_clean(r, &line);
	buf_free(&line);
}

static void
say_begin(struct run *r, const struct json *doc)
{
	const char *service = r->args.option[OPT_SERVICE];
	struct buf line = BUF_INIT;

	buf_printf(&line,
	    "it can begin now; as it stands here: segue apply %s --to %s",
	    show_text(doc, "mark"), show_text(doc, "to"));
	if (service != NULL)
		buf_printf(&line, " --service %s", service);
	say_clean(r, &line);
	buf_free(&line);
}

static int
say_plan(struct run *r, const struct answer *a)
{
	const char *refused = json_get_text(a->doc, "refused", NULL);

	if (r->json) {
		run_print(r, buf_str(&a->text));
		return refused == NULL ? SEGUE_EXIT_DONE : SEGUE_EXIT_REFUSED;
	}
	say_steps(r, json_get(a->doc, "steps"));
	run_say(r, "%s", "");
	say_pools(r, a->doc);
	say_unready(r, a->doc);
	say_keys(r, a->doc);
	say_outage(r, a->doc);
	say_note(r, json_get_text(a->doc, "note", NULL));
	if (refused != NULL)
		return run_fail(r, SEGUE_EXIT_REFUSED, refused,
		    "it would be refused now: %s",
		    json_get_text(a->doc, "message", refused));
	say_begin(r, a->doc);
	return SEGUE_EXIT_DONE;
}

int
plan_run(struct run *r)
{
	const char *to = r->args.option[OPT_TO];
	struct answer a;
	int exit;

	if (to == NULL)
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    "plan needs --to POOL");
	exit = answer_get_of(r, ADMIN_PLAN, r->args.option[OPT_SERVICE], to,
	    &a);
	if (exit != SEGUE_EXIT_DONE)
		return exit;
	exit = say_plan(r, &a);
	answer_free(&a);
	return exit;
}
