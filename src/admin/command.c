/*
 * /v1/command: a command for rollout/drive, and the waiting for its end.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_int.h"
#include "admin/answer.h"
#include "admin/audit.h"
#include "admin/command_read.h"
#include "admin/role.h"
#include "admin/server.h"
#include "base/err.h"
#include "rollout/drive.h"

/* A command whose answer is not out yet. */
struct waiting {
	struct admin *admin;
	struct ask *ask;
	uint64_t id; /* of drive; 0: it has not said one */
	bool streams;
};

/* ---- what is said ---- */

static bool
is_done(const struct drive_result *r)
{
	return r->refusal == RO_NO_NONE && !r->timed_out;
}

static const char *
error_of(const struct drive_result *r)
{
	return r->timed_out ? answer_error_name(ANSWER_TIMED_OUT)
	                    : ro_refusal_name(r->refusal);
}

static unsigned
status_of(const struct drive_result *r)
{
	return is_done(r) ? 200 : answer_status(error_of(r));
}

static const char *
sentence_of(const struct drive_result *r)
{
	if (r->sentence[0] != '\0' || is_done(r))
		return r->sentence;
	return r->timed_out ? "not done in time; it goes on by itself"
	                    : ro_refusal_text(r->refusal);
}

static void
put_result(struct json_out *j, const struct drive_result *r)
{
	if (is_done(r))
		json_kv_cstr(j, "result", "done");
	else
		answer_put_error(j, error_of(r), sentence_of(r), NULL);
	json_kv_u64(j, "generation", r->generation);
	json_kv_u64(j, "took_us", r->took_us);
	if (is_done(r))
		json_kv_cstr(j, "message", r->sentence);
}

static void
begin_event(struct buf *b, struct json_out *j, const char *name)
{
	buf_printf(b, "event: %s\ndata: ", name);
	json_begin(j, b);
	json_begin_object(j);
}

/* What could not be written for want of memory is not sent. */
static void
send_event(struct ask *k, struct buf *b, struct json_out *j)
{
	json_end_object(j);
	buf_add_cstr(b, "\n\n");
	if (!b->failed)
		ask_stream_send(k, buf_str(b));
	buf_free(b);
}

static void
stream_result(struct ask *k, const struct drive_result *r)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	begin_event(&b, &j, "result");
	json_kv_u64(&j, "status", status_of(r));
	put_result(&j, r);
	send_event(k, &b, &j);
	ask_stream_end(k);
}

static void
answer_result(struct ask *k, const struct drive_result *r)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	json_begin(&j, &b);
	json_begin_object(&j);
	put_result(&j, r);
	json_end_object(&j);
	answer_json(k, status_of(r), &b);
}

/* ---- waiting ---- */

static void
on_done(const struct drive_result *r, void *arg)
{
	struct waiting *w = arg;

	if (w->streams)
		stream_result(w->ask, r);
	else
		answer_result(w->ask, r);
	free(w);
}

static void
on_gone(void *arg)
{
	struct waiting *w = arg;

	drive_forget(w->admin->env.drive, w->id);
	free(w);
}

static void
on_progress(const struct drive_progress *p, void *arg)
{
	struct waiting *w = arg;
	struct buf b = BUF_INIT;
	struct json_out j;

	begin_event(&b, &j, "progress");
	json_kv_u64(&j, "lasts_us", p->lasts_us);
	json_kv_u64(&j, "in_flight", p->inflight);
	json_kv_u64(&j, "streams", p->streams);
	json_kv_u64(&j, "sessions", p->sessions);
	json_kv_cstr(&j, "holds", p->holds);
	send_event(w->ask, &b, &j);
}

static bool
wants_events(const struct ask *k)
{
	struct str rest = str_of(ask_header(k, "Accept")), item;

	while (str_list_next(&rest, &item))
		if (str_caseeq(str_trim(str_split(&item, ';')),
		        STR("text/event-stream")))
			return true;
	return false;
}

/* ---- the command ---- */

/* The clocks of the configuration, but for those that were given. */
static void
set_clocks(struct command_asked *c, const struct ro_drain *configured)
{
	struct ro_drain *d = &c->cmd.clocks;

	*d = *configured;
	if (c->mode)
		d->mode = c->clocks.mode;
	if (c->flows)
		d->flows_us = c->clocks.flows_us;
	if (c->requests)
		d->requests_us = c->clocks.requests_us;
	if (c->streams)
		d->streams_us = c->clocks.streams_us;
}

static void
refuse(struct ask *k, enum answer_error e, const char *message,
    const char *problems)
{
	audit_line("command", ask_peer(k), answer_error_name(e), message);
	answer_problems(k, e, message, problems);
}

/* The first is the message; several are listed, too. */
static void
refuse_problems(struct ask *k, enum answer_error e, const struct buf *lines)
{
	struct str rest = buf_str(lines);
	char first[512];

	if (lines->failed) {
		refuse(k, ANSWER_NO_MEMORY, err_text(E_NOMEM), NULL);
		return;
	}
	str_copy(str_split(&rest, '\n'), first, sizeof(first));
	refuse(k, e, first, rest.len > 0 ? lines->p : NULL);
}

static void
run(struct admin *a, struct ask *k, const struct command_asked *c)
{
	struct drive *d = a->env.drive;
	struct waiting *w = calloc(1, sizeof(*w));
	uint64_t id;
	bool streams;

	if (w == NULL) {
		refuse(k, ANSWER_NO_MEMORY, err_text(E_NOMEM), NULL);
		return;
	}
	w->admin = a;
	w->ask = k;
	streams = w->streams = wants_events(k);
	if (streams)
		ask_stream(k, "text/event-stream", on_gone, w);
	else
		ask_keep(k, on_gone, w);
	id = drive_command(d, &c->cmd, c->wait, c->wait_us, on_done, w);
	if (id == 0)
		return; /* answered, and freed */
	w->id = id;
	if (streams)
		drive_on_progress(d, id, on_progress);
}

void
page_command(struct admin *a, struct ask *k)
{
	struct buf problems = BUF_INIT;
	struct command_asked c;
	enum answer_error e;
	struct ro_drain configured;
	struct str body = ask_body(k);

	if (body.len > ADMIN_BODY_MAX) {
		refuse(k, ANSWER_BAD_REQUEST, "the body is too large", NULL);
	} else if (!command_read(body, &c, &e, &problems)) {
		refuse_problems(k, e, &problems);
	} else {
		configured = drive_clocks(a->env.drive, c.cmd.service,
		    c.cmd.verb == RO_DRAIN ? c.cmd.pool : NULL);
		set_clocks(&c, &configured);
		peer_who(ask_peer(k), c.cmd.who);
		run(a, k, &c);
	}
	buf_free(&problems);
}
