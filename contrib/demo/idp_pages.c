/*
 * idp_pages - the pages of the sample service, one row each.
 */
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "contrib/demo/idp.h"
#include "contrib/demo/once.h"

typedef void page_fn(struct idp *, struct evhttp_request *);

#define JSON "application/json"
#define HTML "text/html; charset=utf-8"

/* A one-time grant came back; true when it may be used now. */
static bool
use_once(struct idp *idp, struct evhttp_request *req, const struct grant *g,
    const char *what)
{
	char why[96];

	switch (once_claim(idp->once, g->id, g->expires_s)) {
	case ONCE_FIRST:
		return true;
	case ONCE_AGAIN:
		idp->count.replays++;
		(void)snprintf(why, sizeof(why), "%s was used before", what);
		idp_refuse(idp, req, 400, "invalid_grant", why);
		return false;
	case ONCE_FULL:
		break;
	}
	idp_refuse(idp, req, 503, "temporarily_unavailable",
	    "the register of used codes is full");
	return false;
}

static void
page_authorize(struct idp *idp, struct evhttp_request *req)
{
	char state[GRANT_WORD_MAX], flow[GRANT_MAX];

	if (!idp_query(req, "state", state, sizeof(state)) ||
	    !grant_word_ok(state)) {
		idp_refuse(idp, req, 400, "invalid_request", "no usable state");
		return;
	}
	grant_issue(&idp->key, GRANT_FLOW, idp->version, idp->instance, state,
	    flow);
	idp->count.flows++;
	idp_cookie_set(req, IDP_COOKIE_FLOW, flow);
	idp_redirect(idp, req, "/login");
}

/*
 * The flow of the request, which must have begun on this version: that is
 * what a session that bounces between versions breaks.
 */
static bool
flow_of(struct idp *idp, struct evhttp_request *req, struct grant *flow)
{
	char text[GRANT_MAX], why[96];

	if (!idp_cookie(req, IDP_COOKIE_FLOW, text, sizeof(text)) ||
	    grant_read(&idp->key, GRANT_FLOW, text, flow) != GRANT_OK) {
		idp_refuse(idp, req, 400, "invalid_request", "no login flow");
		return false;
	}
	if (strcmp(flow->version, idp->version) == 0)
		return true;
	idp->count.bounces++;
	(void)snprintf(why, sizeof(why), "flow began on %s", flow->version);
	idp_refuse(idp, req, 400, "flow_bounced", why);
	return false;
}

static void
page_login(struct idp *idp, struct evhttp_request *req)
{
	struct grant flow;

	if (!flow_of(idp, req, &flow))
		return;
	idp_answer(idp, req, 200, HTML,
	    "<!doctype html><title>Sign in</title>"
	    "<h1>Sign in</h1><p>Served by %s on %s.</p>"
	    "<form method=post action=/login>"
	    "<input name=user autofocus><input name=password type=password>"
	    "<button>Sign in</button></form>\n",
	    idp->version, idp->instance);
}

static void
page_login_post(struct idp *idp, struct evhttp_request *req)
{
	char user[GRANT_WORD_MAX], word[32], code[GRANT_MAX], ses[GRANT_MAX];
	struct grant flow;

	if (!flow_of(idp, req, &flow))
		return;
	if (!idp_form(req, "user", user, sizeof(user)) ||
	    !grant_word_ok(user) ||
	    !idp_form(req, "password", word, sizeof(word)) ||
	    strcmp(word, "demo") != 0) {
		idp_refuse(idp, req, 401, "access_denied",
		    "unknown user or wrong password (it is demo)");
		return;
	}
	if (!use_once(idp, req, &flow, "login flow"))
		return;
	grant_issue(&idp->key, GRANT_CODE, idp->version, idp->instance, user,
	    code);
	grant_issue(&idp->key, GRANT_SESSION, idp->version, idp->instance, user,
	    ses);
	idp->count.logins++;
	idp_cookie_set(req, IDP_COOKIE_SESSION, ses);
	idp_redirect(idp, req, "/callback?code=%s&state=%s", code,
	    flow.subject);
}

/* The application's side of the flow, served here for want of another. */
static void
page_callback(struct idp *idp, struct evhttp_request *req)
{
	idp_answer(idp, req, 200, HTML,
	    "<!doctype html><title>Signed in</title>"
	    "<h1>Signed in</h1><p>Now exchange the code at /token.</p>\n");
}

static void
answer_tokens(struct idp *idp, struct evhttp_request *req, const char *user)
{
	char access[GRANT_MAX], refresh[GRANT_MAX];

	grant_issue(&idp->key, GRANT_ACCESS, idp->version, idp->instance, user,
	    access);
	grant_issue(&idp->key, GRANT_REFRESH, idp->version, idp->instance, user,
	    refresh);
	idp_answer(idp, req, 200, JSON,
	    "{\"access_token\":\"%s\",\"token_type\":\"Bearer\","
	    "\"expires_in\":%u,\"refresh_token\":\"%s\",\"version\":\"%s\"}\n",
	    access, grant_lives_s(GRANT_ACCESS), refresh, idp->version);
}

/* clang-format off */
static const struct token_use {
	const char *grant_type, *field, *what;
	enum grant_kind kind;
	size_t counter; /* of struct idp_counters */
} token_uses[] = {
	{ "authorization_code", "code",          "code",          GRANT_CODE,
	    offsetof(struct idp_counters, tokens) },
	{ "refresh_token",      "refresh_token", "refresh token", GRANT_REFRESH,
	    offsetof(struct idp_counters, refreshes) },
};
/* clang-format on */

static void
page_token(struct idp *idp, struct evhttp_request *req)
{
	char type[32], text[GRANT_MAX];
	struct grant g;

	if (!idp_form(req, "grant_type", type, sizeof(type)))
		type[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(token_uses); i++) {
		const struct token_use *use = &token_uses[i];

		if (strcmp(type, use->grant_type) != 0)
			continue;
		if (!idp_form(req, use->field, text, sizeof(text)) ||
		    grant_read(&idp->key, use->kind, text, &g) != GRANT_OK) {
			idp_refuse(idp, req, 400, "invalid_grant",
			    "unknown or expired");
			return;
		}
		if (!use_once(idp, req, &g, use->what))
			return;
		++*(uint64_t *)((char *)&idp->count + use->counter);
		answer_tokens(idp, req, g.subject);
		return;
	}
	idp_refuse(idp, req, 400, "unsupported_grant_type", "");
}

/* Who asks: by bearer token, else by session cookie. */
static bool
who(struct idp *idp, struct evhttp_request *req, struct grant *g)
{
	const char *auth = evhttp_find_header(
	    evhttp_request_get_input_headers(req), "Authorization");
	char text[GRANT_MAX];

	if (auth != NULL && strncmp(auth, "Bearer ", 7) == 0)
		return grant_read(&idp->key, GRANT_ACCESS, auth + 7, g) ==
		    GRANT_OK;
	return idp_cookie(req, IDP_COOKIE_SESSION, text, sizeof(text)) &&
	    grant_read(&idp->key, GRANT_SESSION, text, g) == GRANT_OK &&
	    !once_has(idp->once, g->id);
}

static void
page_userinfo(struct idp *idp, struct evhttp_request *req)
{
	struct grant g;

	if (!who(idp, req, &g)) {
		idp_refuse(idp, req, 401, "invalid_token", "not signed in");
		return;
	}
	idp_answer(idp, req, 200, JSON,
	    "{\"sub\":\"%s\",\"version\":\"%s\",\"issued_by\":\"%s\"}\n",
	    g.subject, idp->version, g.version);
}

/* A session ends by being used up; a second logout is no replay. */
static void
page_logout(struct idp *idp, struct evhttp_request *req)
{
	char text[GRANT_MAX];
	struct grant g;

	if (idp_cookie(req, IDP_COOKIE_SESSION, text, sizeof(text)) &&
	    grant_read(&idp->key, GRANT_SESSION, text, &g) == GRANT_OK &&
	    !once_has(idp->once, g.id)) {
		(void)once_claim(idp->once, g.id, g.expires_s);
		idp->count.logouts++;
	}
	idp_cookie_set(req, IDP_COOKIE_SESSION, "");
	idp_answer(idp, req, 200, HTML,
	    "<!doctype html><title>Signed out</title><h1>Signed out</h1>\n");
}

static void
page_ready(struct idp *idp, struct evhttp_request *req)
{
	static const struct {
		int status;
		const char *word;
	} say[] = {
		[IDP_STARTING] = { 503, "STARTING" },
		[IDP_UP] = { 200, "UP" },
		[IDP_STOPPING] = { 503, "STOPPING" },
	};

	idp->count.probes++;
	idp_answer_now(idp, req, say[idp->state].status,
	    "{\"status\":\"%s\",\"version\":\"%s\"}\n", say[idp->state].word,
	    idp->version);
}

static void
page_live(struct idp *idp, struct evhttp_request *req)
{
	idp->count.probes++;
	idp_answer_now(idp, req, 200, "{\"status\":\"UP\"}\n");
}

static void
page_stats(struct idp *idp, struct evhttp_request *req)
{
	char counters[512];
	size_t n = 0;

#define X(name)                                                                \
	n += (size_t)snprintf(counters + n, sizeof(counters) - n,              \
	    "\"%s\":%" PRIu64 ",", #name, idp->count.name);
	IDP_COUNTERS(X)
#undef X
	idp_answer_now(idp, req, 200,
	    "{\"version\":\"%s\",\"instance\":\"%s\",\"uptime_us\":%" PRIu64
	    ",%s\"in_flight\":%u,\"replays_all\":%" PRIu64 "}\n",
	    idp->version, idp->instance, clock_mono_us() - idp->began_us,
	    counters, idp->in_flight, once_replays(idp->once));
}

/* clang-format off */
static const struct {
	const char *path;
	page_fn *get, *post;
} pages[] = {
	{ "/authorize",    page_authorize, NULL },
	{ "/login",        page_login,     page_login_post },
	{ "/callback",     page_callback,  NULL },
	{ "/token",        NULL,           page_token },
	{ "/userinfo",     page_userinfo,  NULL },
	{ "/logout",       page_logout,    NULL },
	{ "/health/ready", page_ready,     NULL },
	{ "/health/live",  page_live,      NULL },
	{ "/stats",        page_stats,     NULL },
};
/* clang-format on */

void
idp_serve(struct evhttp_request *req, void *arg)
{
	struct idp *idp = arg;
	const char *path = evhttp_uri_get_path(
	    evhttp_request_get_evhttp_uri(req));
	bool is_post = evhttp_request_get_command(req) == EVHTTP_REQ_POST;

	idp->last_us = clock_mono_us();
	for (size_t i = 0; path != NULL && i < ARRAY_LEN(pages); i++) {
		page_fn *fn = is_post ? pages[i].post : pages[i].get;

		if (strcmp(path, pages[i].path) != 0)
			continue;
		if (fn == NULL)
			idp_refuse(idp, req, 405, "method", "other method");
		else
			fn(idp, req);
		return;
	}
	idp_refuse(idp, req, 404, "not_found", "no such page");
}
