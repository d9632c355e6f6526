/*
 * What happened and what happens, one event a line.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "segue/answer.h"
#include "segue/client.h"
#include "segue/handlers.h"
#include "segue/interrupt.h"
#include "segue/run.h"
#include "segue/show.h"
#include "segue/sse.h"
#include "segue/style.h"
#include "segue/text.h"

#define LAST_DEFAULT 20
#define TYPE_WIDTH 7 /* "command" */

struct listener {
	struct run *run;
	struct client_call call;
	struct sse sse;
	struct buf refusal; /* the body, when it is no stream */
};

/* "sso/v1/10.0.0.1:80", whatever of it there is */
static void
add_place(const struct json *e, struct buf *out)
{
	static const char *const keys[] = { "service", "pool", "instance" };
	size_t began = out->len;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *name = json_get_text(e, keys[i], "");

		if (name[0] != '\0')
			buf_printf(out, "%s%s", out->len > began ? "/" : "",
			    name);
	}
	if (out->len > began)
		buf_add_cstr(out, ": ");
}

static void
write_event(struct run *r, const struct json *e, struct buf *out)
{
	const char *who = json_get_text(e, "who", "");
	struct buf raw = BUF_INIT;
	size_t began;

	text_clean(&raw, str_of(show_text(e, "time")));
	style_add(out, r->colour, STYLE_DIM, buf_str(&raw));
	buf_add_cstr(out, "  ");
	began = out->len;
	text_clean(out, str_of(show_text(e, "type")));
	while (!out->failed && out->len < began + TYPE_WIDTH + 2)
		buf_add_char(out, ' ');
	buf_reset(&raw);
	add_place(e, &raw);
	buf_add_cstr(&raw, show_text(e, "text"));
	if (who[0] != '\0')
		buf_printf(&raw, " (by %s)", who);
	text_clean(out, buf_str(&raw));
	buf_add_char(out, '\n');
	buf_free(&raw);
}

/* --service and --pool hide what names another one. */
static bool
is_wanted(const struct run *r, const struct json *e)
{
	const char *service = r->args.option[OPT_SERVICE];
	const char *pool = r->args.option[OPT_POOL];
	const char *of = json_get_text(e, "service", "");
	const char *in = json_get_text(e, "pool", "");

	return (service == NULL || strcmp(of, service) == 0) &&
	    (pool == NULL || strcmp(in, pool) == 0);
}

static int
on_event(const char *id UNUSED, const char *event UNUSED, struct str data,
    void *arg)
{
	struct listener *l = arg;
	struct buf line = BUF_INIT;
	char why[128];
	struct json *e = json_read(data, why, sizeof(why));

	if (json_is_object(e) && is_wanted(l->run, e)) {
		if (!l->run->json) {
			write_event(l->run, e, &line);
		} else {
			buf_add_str(&line, data);
			buf_add_char(&line, '\n');
		}
		run_print(l->run, buf_str(&line));
		fflush(l->run->out);
	}
	json_free(&e);
	buf_free(&line);
	return ferror(l->run->out) != 0 ? E_EOF : E_OK;
}

static int
on_body(struct str piece, void *arg)
{
	struct listener *l = arg;

	if (strcmp(l->call.reply.type, "text/event-stream") == 0)
		return sse_feed(&l->sse, piece);
	if (l->refusal.len + piece.len > ANSWER_BYTES_MAX)
		return E_TOOBIG;
	buf_add_str(&l->refusal, piece);
	return l->refusal.failed ? E_NOMEM : E_OK;
}

static int
judge_answer(struct listener *l)
{
	struct str text = buf_str(&l->refusal);
	struct json *doc;
	char why[128];
	int exit;

	doc = json_read(text, why, sizeof(why));
	exit = answer_judge(l->run, l->call.reply.status, doc, text);
	json_free(&doc);
	return exit;
}

/* Events that are followed end only with the daemon. */
static int
judge(struct listener *l, enum client_end end, bool follow)
{
	struct run *r = l->run;
	int exit = end == CLIENT_DONE ? judge_answer(l) : client_end_exit(end);
	bool began = l->call.reply.status == 200;

	if (ferror(r->out) != 0 || (end == CLIENT_DONE && exit != 0))
		return exit;
	if (follow && began && (end == CLIENT_DONE || end == CLIENT_CUT))
		return run_fail(r, SEGUE_EXIT_UNREACHABLE,
		    client_end_name(CLIENT_CUT), "segued ended the events");
	if (end == CLIENT_DONE)
		return exit;
	return run_fail(r, exit, client_end_name(end), "%s", l->call.why);
}

int
events_run(struct run *r)
{
	bool follow = args_has(&r->args, OPT_FOLLOW);
	struct listener l = { .run = r };
	enum client_end end;
	char path[128];
	int exit;

	(void)snprintf(path, sizeof(path), ADMIN_EVENTS "?last=%llu&follow=%d",
	    args_has(&r->args, OPT_LAST)
	        ? (unsigned long long)r->args.number[OPT_LAST]
	        : LAST_DEFAULT,
	    follow ? 1 : 0);
	l.call = (struct client_call){ .method = "GET",
		.path = path,
		.accept = "text/event-stream",
		.answer_us = follow ? r->args.number[OPT_TIMEOUT]
		                    : ANSWER_LIMIT_US,
		.on_body = on_body,
		.arg = &l };
	sse_init(&l.sse, on_event, &l);
	end = client_call(r->socket, &l.call);
	exit = judge(&l, end, follow);
	sse_free(&l.sse);
	buf_free(&l.refusal);
	return exit;
}
