/*
 * /v1/command: a command for rollout/drive, and the waiting for its end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_int.h"
#include "admin/answer.h"
#include "admin/audit.h"
#include "admin/command_read.h"
#include "admin/role.h"
#include "admin/server.h"
#include "base/err.h"
#include "rollout/cluster.h"
#include "rollout/drive.h"

/* A command whose answer is not out yet. */
struct waiting {
	TAILQ_ENTRY(waiting) link; /* of the admin's, while .ask is NULL */
	struct admin *admin;
	struct ask *ask;          /* NULL: another proxy was asked */
	struct cluster_from from; /* ... that one */
	uint64_t id; /* of drive, or of the cluster; 0: none was said */
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
put_result(struct json_out *j, const struct admin *a,
    const struct drive_result *r)
{
	const struct cluster *c = drive_cluster(a->env.drive);
	char behind[CLUSTER_WHY_MAX] = "";

	if (is_done(r))
		json_kv_cstr(j, "result", "done");
	else
		answer_put_error(j, error_of(r), sentence_of(r), NULL);
	json_kv_u64(j, "generation", r->generation);
	json_kv_u64(j, "took_us", r->took_us);
	if (!is_done(r))
		return;
	json_kv_cstr(j, "message", r->sentence);
	if (c != NULL)
		cluster_others_behind(c, behind, sizeof(behind));
	if (behind[0] != '\0')
		json_kv_cstr(j, "behind", behind);
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
stream_result(const struct waiting *w, const struct drive_result *r)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	begin_event(&b, &j, "result");
	json_kv_u64(&j, "status", status_of(r));
	put_result(&j, w->admin, r);
	send_event(w->ask, &b, &j);
	ask_stream_end(w->ask);
}

static void
answer_result(const struct waiting *w, const struct drive_result *r)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	json_begin(&j, &b);
	json_begin_object(&j);
	put_result(&j, w->admin, r);
	json_end_object(&j);
	answer_json(w->ask, status_of(r), &b);
}

/* ---- waiting ---- */

static void
answer_other(struct waiting *w, const struct drive_result *r)
{
	struct cluster *c = drive_cluster(w->admin->env.drive);
	struct buf b = BUF_INIT;
	struct json_out j;

	TAILQ_REMOVE(&w->admin->others, w, link);
	json_begin(&j, &b);
	json_begin_object(&j);
	put_result(&j, w->admin, r);
	json_end_object(&j);
	if (c != NULL && !b.failed)
		cluster_answer(c, &w->from, status_of(r), buf_str(&b));
	buf_free(&b);
}

static void
on_done(const struct drive_result *r, void *arg)
{
	struct waiting *w = arg;

	if (w->ask == NULL)
		answer_other(w, r);
	else if (w->streams)
		stream_result(w, r);
	else
		answer_result(w, r);
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

/* ---- for, and by, another proxy ---- */

static void
stream_text(struct ask *k, unsigned status, struct str body)
{
	struct buf b = BUF_INIT;

	/* The same document, with its status as first member. */
	buf_printf(&b, "event: result\ndata: {\"status\": %u, ", status);
	buf_add_str(&b, str_sub(body, 1, body.len));
	buf_add_cstr(&b, "\n\n");
	if (!b.failed)
		ask_stream_send(k, buf_str(&b));
	ask_stream_end(k);
	buf_free(&b);
}

static void
on_result(unsigned status, struct str body, void *arg)
{
	struct waiting *w = arg;
	struct drive_result lost = { .refusal = RO_NO_UNKNOWN,
		.generation = drive_state(w->admin->env.drive)->generation,
		.sentence =
		    "the proxy that leads the cluster has not answered: "
		    "nobody knows whether it is done" };
	struct buf b = BUF_INIT;

	if (status == 0 || body.len == 0 || body.p[0] != '{') {
		on_done(&lost, w);
		return;
	}
	if (w->streams) {
		stream_text(w->ask, status, body);
	} else {
		buf_add_str(&b, body);
		answer_json(w->ask, status, &b);
	}
	free(w);
}

static void
on_gone_forward(void *arg)
{
	struct waiting *w = arg;

	cluster_forget(drive_cluster(w->admin->env.drive), w->id);
	free(w);
}

/* Another one leads: it is told. */
static void
forward(struct admin *a, struct ask *k, struct str body)
{
	struct waiting *w = calloc(1, sizeof(*w));
	char who[RO_WHO_MAX];

	if (w == NULL) {
		refuse(k, ANSWER_NO_MEMORY, err_text(E_NOMEM), NULL);
		return;
	}
	w->admin = a;
	w->ask = k;
	w->streams = wants_events(k);
	peer_who(ask_peer(k), who);
	audit_line("command", ask_peer(k), "forwarded", "");
	if (w->streams)
		ask_stream(k, "text/event-stream", on_gone_forward, w);
	else
		ask_keep(k, on_gone_forward, w);
	w->id = cluster_forward(drive_cluster(a->env.drive), body, who,
	    on_result, w);
	if (w->id == 0)
		on_result(0, (struct str){ NULL, 0 }, w);
}

static void
answer_bad(struct cluster *c, const struct cluster_from *from,
    enum answer_error e, const char *message)
{
	const char *name = answer_error_name(e);
	struct buf b = BUF_INIT;
	struct json_out j;

	json_begin(&j, &b);
	json_begin_object(&j);
	answer_put_error(&j, name, message, NULL);
	json_end_object(&j);
	if (!b.failed)
		cluster_answer(c, from, answer_status(name), buf_str(&b));
	buf_free(&b);
}

static void
read_command(struct admin *a, struct command_asked *c)
{
	struct ro_drain configured = drive_clocks(a->env.drive, c->cmd.service,
	    c->cmd.verb == RO_DRAIN ? c->cmd.pool : NULL);

	set_clocks(c, &configured);
}

void
command_of_other(const struct cluster_from *from, struct str body,
    const char *who, void *arg)
{
	struct admin *a = arg;
	struct cluster *cluster = drive_cluster(a->env.drive);
	struct waiting *w = calloc(1, sizeof(*w));
	struct buf problems = BUF_INIT;
	struct command_asked c;
	enum answer_error e = ANSWER_NO_MEMORY;
	uint64_t id;

	if (w == NULL || !command_read(body, &c, &e, &problems)) {
		answer_bad(cluster, from, e,
		    problems.len > 0 ? problems.p : err_text(E_NOMEM));
		free(w);
		buf_free(&problems);
		return;
	}
	buf_free(&problems);
	read_command(a, &c);
	(void)snprintf(c.cmd.who, sizeof(c.cmd.who), "%.40s at %.16s", who,
	    from->member);
	w->admin = a;
	w->from = *from;
	TAILQ_INSERT_TAIL(&a->others, w, link);
	id = drive_command(a->env.drive, &c.cmd, c.wait, c.wait_us, on_done, w);
	if (id != 0)
		w->id = id; /* else it was answered, and freed */
}

void
commands_free(struct admin *a)
{
	struct waiting *w;

	while ((w = TAILQ_FIRST(&a->others)) != NULL) {
		TAILQ_REMOVE(&a->others, w, link);
		drive_forget(a->env.drive, w->id);
		free(w);
	}
}

static bool
is_for_another(struct admin *a)
{
	struct cluster *c = drive_cluster(a->env.drive);

	struct cluster_facts f;

	if (c == NULL || cluster_role(c) != CLUSTER_FOLLOWER)
		return false;
	cluster_look_at(c, &f);
	return f.leader[0] != '\0' && strcmp(f.leader, f.member) != 0;
}

void
page_command(struct admin *a, struct ask *k)
{
	struct buf problems = BUF_INIT;
	struct command_asked c;
	enum answer_error e;
	struct str body = ask_body(k);

	if (body.len > ADMIN_BODY_MAX) {
		refuse(k, ANSWER_BAD_REQUEST, "the body is too large", NULL);
	} else if (!command_read(body, &c, &e, &problems)) {
		refuse_problems(k, e, &problems);
	} else if (is_for_another(a)) {
		forward(a, k, body);
	} else {
		read_command(a, &c);
		peer_who(ask_peer(k), c.cmd.who);
		run(a, k, &c);
	}
	buf_free(&problems);
}
