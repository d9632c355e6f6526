#include "segue/answer.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "segue/client.h"
#include "segue/run.h"
#include "segue/text.h"

void
answer_free(struct answer *a)
{
	buf_free(&a->text);
	json_free(&a->doc);
}

/* ---- errors ---- */

int
answer_exit(const char *error, int status)
{
#define X(id, name, http, exit) { (name), SEGUE_EXIT_##exit },
	static const struct {
		const char *name;
		int exit;
	} rows[] = { ADMIN_ERRORS(X) };
#undef X

	if (status >= 200 && status < 300)
		return SEGUE_EXIT_DONE;
	for (size_t i = 0; error != NULL && i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].name, error) == 0)
			return rows[i].exit;
	if (status == 409)
		return SEGUE_EXIT_REFUSED;
	return status == 504 ? SEGUE_EXIT_TIMED_OUT : SEGUE_EXIT_FAILED;
}

static void
say_problems(struct run *r, const struct json *problems)
{
	struct buf line = BUF_INIT;

	for (size_t i = 0; i < json_len(problems); i++) {
		const char *text = json_text(json_at(problems, i));

		if (text == NULL)
			continue;
		text_clean(&line, str_of(text));
		fprintf(r->err, "  " STR_FMT "\n", STR_ARG(line));
		buf_reset(&line);
	}
	buf_free(&line);
}

int
answer_judge(struct run *r, int status, const struct json *doc, struct str text)
{
	const char *error = json_get_text(doc, "error", NULL);
	const char *message = json_get_text(doc, "message", NULL);
	int exit = answer_exit(error, status);
	struct buf line = BUF_INIT;

	if (exit == SEGUE_EXIT_DONE)
		return exit;
	if (message == NULL)
		return run_fail(r, exit, error == NULL ? "failed" : error,
		    "segued answered with status %d and no explanation%s%s",
		    status, error == NULL ? "" : ": ",
		    error == NULL ? "" : error);
	text_clean(&line, str_of(message));
	fprintf(r->err, "segue: " STR_FMT "\n", STR_ARG(line));
	buf_free(&line);
	say_problems(r, json_get(doc, "problems"));
	if (r->json)
		run_print(r, text);
	return exit;
}

/* ---- asking ---- */

static int
keep(struct str piece, void *arg)
{
	struct answer *a = arg;

	if (a->text.len + piece.len > ANSWER_BYTES_MAX)
		return E_TOOBIG;
	buf_add_str(&a->text, piece);
	return a->text.failed ? E_NOMEM : E_OK;
}

static enum client_end
call(const char *socket, struct client_call *c, struct answer *out)
{
	enum client_end end;
	char why[128];

	*out = (struct answer){ .status = 0 };
	c->accept = "application/json";
	c->on_body = keep;
	c->arg = out;
	end = client_call(socket, c);
	if (end != CLIENT_DONE) {
		answer_free(out);
		return end;
	}
	out->status = c->reply.status;
	if (strcmp(c->reply.type, "application/json") == 0)
		out->doc = json_read(buf_str(&out->text), why, sizeof(why));
	return end;
}

static int
ask(struct run *r, struct client_call *c, struct answer *out)
{
	enum client_end end;
	int exit;

	if (args_has(&r->args, OPT_TIMEOUT))
		c->answer_us = r->args.number[OPT_TIMEOUT];
	end = call(r->socket, c, out);
	if (end != CLIENT_DONE)
		return run_fail(r, client_end_exit(end), client_end_name(end),
		    "%s%s", c->why,
		    c->sent && c->body.len > 0
		        ? "; whether it was carried out is not known, see "
		          "\"segue status\""
		        : "");
	exit = answer_judge(r, out->status, out->doc, buf_str(&out->text));
	if (exit != SEGUE_EXIT_DONE)
		answer_free(out);
	return exit;
}

int
answer_get(struct run *r, const char *path, struct answer *out)
{
	struct client_call c = { .method = "GET",
		.path = path,
		.answer_us = ANSWER_LIMIT_US };

	return ask(r, &c, out);
}

int
answer_post(struct run *r, const char *path, struct str body, uint64_t limit_us,
    struct answer *out)
{
	struct client_call c = { .method = "POST",
		.path = path,
		.body = body,
		.answer_us = limit_us };

	return ask(r, &c, out);
}

int
answer_get_doc(struct run *r, const char *path, struct answer *out)
{
	int exit = answer_get(r, path, out);

	if (exit != SEGUE_EXIT_DONE || json_is_object(out->doc))
		return exit;
	answer_free(out);
	return run_fail(r, SEGUE_EXIT_FAILED, "malformed",
	    "the answer to %s is no JSON; is it segued that listens at %s?",
	    path, r->socket);
}

/* Others cannot be names, nor stand in a query as they are. */
static bool
is_name(const char *text)
{
	return strspn(text,
	           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	           "0123456789._-") == strlen(text);
}

void
answer_path_of(const char *page, const char *service, const char *pool,
    struct buf *out)
{
	buf_printf(out, "%s?to=%s%s%s", page, pool,
	    service == NULL ? "" : "&service=", service == NULL ? "" : service);
}

int
answer_get_of(struct run *r, const char *page, const char *service,
    const char *pool, struct answer *out)
{
	struct buf path = BUF_INIT;
	int exit;

	if (!is_name(pool) || (service != NULL && !is_name(service)))
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    "\"%s\" is no name", is_name(pool) ? service : pool);
	answer_path_of(page, service, pool, &path);
	exit = path.failed
	    ? run_fail(r, SEGUE_EXIT_FAILED, "no_memory", "out of memory")
	    : answer_get_doc(r, path.p, out);
	buf_free(&path);
	return exit;
}

int
answer_get_quietly(const char *socket, const char *path, uint64_t limit_us,
    struct answer *out)
{
	struct client_call c = { .method = "GET",
		.path = path,
		.answer_us = limit_us };

	if (call(socket, &c, out) != CLIENT_DONE)
		return SEGUE_EXIT_UNREACHABLE;
	return answer_exit(NULL, out->status);
}
