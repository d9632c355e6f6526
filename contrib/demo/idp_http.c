/*
 * idp_http - questions and answers of the sample service, on evhttp.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "contrib/demo/idp.h"

/* An answer that waits for the set latency. */
struct turn {
	struct idp *idp;
	struct evhttp_request *req; /* evhttp frees it when it is answered */
	struct event *timer;        /* owned */
	struct evbuffer *body;      /* owned */
	int status;
};

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 302, "Found" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 503, "Service Unavailable" },
};

static const char *
reason_of(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Answer";
}

static void
header(struct evhttp_request *req, const char *name, const char *value)
{
	(void)evhttp_add_header(evhttp_request_get_output_headers(req), name,
	    value);
}

/* Fields each answer has; while stopping, each is its connection's last. */
static void
common_headers(struct idp *idp, struct evhttp_request *req, const char *type)
{
	header(req, "X-Version", idp->version);
	header(req, "X-Instance", idp->instance);
	header(req, "Cache-Control", "no-store");
	if (type != NULL)
		header(req, "Content-Type", type);
	if (idp->state == IDP_STOPPING)
		header(req, "Connection", "close");
}

static void
turn_end(evutil_socket_t fd, short what, void *arg)
{
	struct turn *t = arg;

	(void)fd;
	(void)what;
	/* A client that left meanwhile is evhttp's business: it copes. */
	evhttp_send_reply(t->req, t->status, reason_of(t->status), t->body);
	t->idp->in_flight--;
	if (t->timer != NULL)
		event_free(t->timer);
	evbuffer_free(t->body);
	free(t);
}

/* Answers when the latency is over, by the fields common to all. */
static void
turn_begin(struct idp *idp, struct evhttp_request *req, int status,
    const char *type, struct evbuffer *body)
{
	struct timeval wait = { .tv_sec = (time_t)(idp->latency_us / US_PER_S),
		.tv_usec = (suseconds_t)(idp->latency_us % US_PER_S) };
	struct turn *t = calloc(1, sizeof(*t));

	if (t == NULL)
		abort();
	common_headers(idp, req, type);
	idp->count.requests++;
	if (status >= 400 && status < 500)
		idp->count.refused++;
	idp->in_flight++;
	*t = (struct turn){ .idp = idp,
		.req = req,
		.body = body,
		.status = status };
	if (idp->latency_us > 0)
		t->timer = evtimer_new(idp->base, turn_end, t);
	if (t->timer == NULL || evtimer_add(t->timer, &wait) == -1)
		turn_end(-1, 0, t);
}

static struct evbuffer *
body_new(void)
{
	struct evbuffer *b = evbuffer_new();

	if (b == NULL)
		abort(); /* a sample, not a server for bad days */
	return b;
}

void
idp_answer(struct idp *idp, struct evhttp_request *req, int status,
    const char *type, const char *fmt, ...)
{
	struct evbuffer *body = body_new();
	va_list ap;

	va_start(ap, fmt);
	(void)evbuffer_add_vprintf(body, fmt, ap);
	va_end(ap);
	turn_begin(idp, req, status, type, body);
}

void
idp_answer_now(struct idp *idp, struct evhttp_request *req, int status,
    const char *fmt, ...)
{
	struct evbuffer *body = body_new();
	va_list ap;

	va_start(ap, fmt);
	(void)evbuffer_add_vprintf(body, fmt, ap);
	va_end(ap);
	common_headers(idp, req, "application/json");
	evhttp_send_reply(req, status, reason_of(status), body);
	evbuffer_free(body);
}

void
idp_redirect(struct idp *idp, struct evhttp_request *req, const char *fmt, ...)
{
	char location[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(location, sizeof(location), fmt, ap);
	va_end(ap);
	header(req, "Location", location);
	turn_begin(idp, req, 302, NULL, body_new());
}

void
idp_refuse(struct idp *idp, struct evhttp_request *req, int status,
    const char *error, const char *why)
{
	idp_answer(idp, req, status, "application/json",
	    "{\"error\":\"%s\",\"error_description\":\"%s\"}\n", error, why);
}

bool
idp_cookie(struct evhttp_request *req, const char *name, char *out, size_t cap)
{
	const char *p = evhttp_find_header(
	    evhttp_request_get_input_headers(req), "Cookie");
	size_t name_len = strlen(name);

	while (p != NULL && *p != '\0') {
		size_t len;

		p += strspn(p, "; ");
		len = strcspn(p, ";");
		if (len > name_len && strncmp(p, name, name_len) == 0 &&
		    p[name_len] == '=') {
			len -= name_len + 1;
			if (len >= cap)
				return false;
			memcpy(out, p + name_len + 1, len);
			out[len] = '\0';
			return true;
		}
		p += len;
	}
	return false;
}

void
idp_cookie_set(struct evhttp_request *req, const char *name, const char *value)
{
	char line[GRANT_MAX + 64];

	(void)snprintf(line, sizeof(line),
	    "%s=%s; Path=/; HttpOnly; SameSite=Lax", name, value);
	header(req, "Set-Cookie", line);
}

/* name's value in "a=1&b=2" text into out[cap]. */
static bool
pick(const char *text, const char *name, char *out, size_t cap)
{
	struct evkeyvalq all;
	const char *value;
	bool found = false;

	if (text == NULL || evhttp_parse_query_str(text, &all) == -1)
		return false;
	value = evhttp_find_header(&all, name);
	if (value != NULL && strlen(value) < cap) {
		memcpy(out, value, strlen(value) + 1);
		found = true;
	}
	evhttp_clear_headers(&all);
	return found;
}

bool
idp_query(struct evhttp_request *req, const char *name, char *out, size_t cap)
{
	return pick(evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req)),
	    name, out, cap);
}

bool
idp_form(struct evhttp_request *req, const char *name, char *out, size_t cap)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t len = evbuffer_get_length(in);
	char *text;
	bool found;

	if (len > IDP_BODY_MAX)
		return false;
	text = malloc(len + 1);
	if (text == NULL)
		return false;
	(void)evbuffer_copyout(in, text, len);
	text[len] = '\0';
	found = pick(text, name, out, cap);
	free(text);
	return found;
}
