#include "verify/login.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "verify/client.h"
#include "verify/form.h"
#include "verify/tokens.h"
#include "verify/web.h"

#define PAGES_MAX 24 /* answers on the way from authorize to the code */
#define TOKEN_FILE_MAX ((size_t)64 << 10)
#define SKEW_S 60 /* that clocks may differ */

struct login {
	struct web *web;
	const struct json *discovery;
	const char *issuer;
	const struct client *who;
	char state[TOKENS_SECRET_MAX], nonce[TOKENS_SECRET_MAX],
	    verifier[TOKENS_SECRET_MAX];
	struct buf code, id_token, access, renew;
	char subject[256];
	char why[WEB_WHY_MAX + 200];
};

static enum login_outcome PRINTF_LIKE(2, 3)
    fail(struct login *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
	return LOGIN_FAILED;
}

static enum login_outcome
pass(struct login *l, const char *why)
{
	(void)snprintf(l->why, sizeof(l->why), "%s", why);
	return LOGIN_PASSED;
}

/* The pool that is looked at is behind the issuer's name, and no other. */
static const char *
endpoint(const struct login *l, const char *name)
{
	const char *url = json_get_text(l->discovery, name, NULL);

	return url != NULL && web_same_origin(url, l->issuer) ? url : NULL;
}

static enum login_outcome
no_endpoint(struct login *l, const char *name)
{
	const char *url = json_get_text(l->discovery, name, NULL);

	if (url == NULL)
		return fail(l, "discovery has no %s", name);
	return fail(l, "its %s is on another server: %.200s", name, url);
}

static bool
set(struct buf *b, const char *text)
{
	if (text == NULL)
		return false;
	buf_reset(b);
	buf_add_cstr(b, text);
	return !b->failed;
}

/* The answer as JSON, NULL (with .why) when it is no 200 of that. */
static struct json *
answer_json(struct login *l, struct web_call *c, bool called)
{
	struct json *doc;
	char why[160];

	if (!called) {
		(void)fail(l, "%s", c->why);
		return NULL;
	}
	doc = json_read(buf_str(&c->body), why, sizeof(why));
	if (c->status == 200 && doc != NULL)
		return doc;
	if (json_get_text(doc, "error", NULL) != NULL)
		(void)fail(l, "%ld %.80s: %.200s", c->status,
		    json_get_text(doc, "error", ""),
		    json_get_text(doc, "error_description", "no description"));
	else if (c->status == 200)
		(void)fail(l, "200, but no JSON: %s", why);
	else
		(void)fail(l, "it answers %ld", c->status);
	json_free(&doc);
	return NULL;
}

/* ---- the login pages ---- */

/* The endpoint, asked that; frees the question. */
static void
write_url(const struct login *l, const char *name, struct buf *question,
    struct buf *url)
{
	const char *at = endpoint(l, name);

	buf_printf(url, "%s%s", at, strchr(at, '?') == NULL ? "?" : "&");
	buf_add_str(url, buf_str(question));
	url->failed |= question->failed;
	buf_free(question);
}

static void
add_authorize(struct login *l, const char *challenge, struct buf *url)
{
	struct buf q = BUF_INIT;
	const char *scope = l->who->scope == NULL ? "openid" : l->who->scope;
	bool asks = strstr(scope, "offline_access") != NULL;

	web_add_param(&q, "response_type", "code");
	web_add_param(&q, "client_id", l->who->client_id);
	web_add_param(&q, "redirect_uri", l->who->redirect_uri);
	web_add_param(&q, "scope", scope);
	web_add_param(&q, "state", l->state);
	web_add_param(&q, "nonce", l->nonce);
	web_add_param(&q, "code_challenge", challenge);
	web_add_param(&q, "code_challenge_method", "S256");
	if (asks) /* OpenID Connect Core 11 */
		web_add_param(&q, "prompt", "consent");
	write_url(l, "authorization_endpoint", &q, url);
}

/* The address that the code, or the reason why not, comes to. */
static bool
is_back(const struct login *l, const char *url)
{
	struct str uri = str_of(l->who->redirect_uri);
	struct str at = str_of(url);

	return str_starts(at, uri) &&
	    (at.len == uri.len || at.p[uri.len] == '?' ||
	        at.p[uri.len] == '&' || at.p[uri.len] == '#');
}

static enum login_outcome
take_code(struct login *l, const char *url)
{
	struct buf error = BUF_INIT, text = BUF_INIT, state = BUF_INIT;
	enum login_outcome out = LOGIN_DONE;

	if (web_param(url, "error", &error)) {
		bool more = web_param(url, "error_description", &text);

		out = fail(l, "the server says %.80s%s%.200s", error.p,
		    more ? ": " : "", more ? text.p : "");
	} else if (!web_param(url, "state", &state) ||
	    strcmp(state.p, l->state) != 0) {
		out = fail(l, "the state that came back is another");
	} else if (!web_param(url, "code", &l->code)) {
		out = fail(l, "no code came back");
	}
	buf_free(&error);
	buf_free(&text);
	buf_free(&state);
	return out;
}

/*
 * Name and password are for the issuer's pages alone; a redirection may lead
 * anywhere.
 */
static bool
is_at_home(struct login *l, const char *page, const char *form)
{
	if (web_same_origin(page, l->issuer) &&
	    web_same_origin(form, l->issuer))
		return true;
	(void)fail(l,
	    "it leads to another server, and nothing is filled in there: "
	    "%.200s",
	    web_same_origin(page, l->issuer) ? form : page);
	return false;
}

static bool
take_form(const struct form *f, struct buf *url, struct buf *body)
{
	buf_reset(body);
	if (!set(url, f->action.p))
		return false;
	if (f->is_post && f->fields.len == 0)
		buf_add_char(body, '&'); /* a POST of nothing is one, too */
	else if (f->is_post)
		buf_add_str(body, buf_str(&f->fields));
	else
		buf_printf(url, "%s%s", strchr(url->p, '?') == NULL ? "?" : "&",
		    f->fields.len == 0 ? "" : f->fields.p);
	return !url->failed && !body->failed;
}

/* The page's form, filled in; the next call.  False: .why. */
static bool
fill_in(struct login *l, const struct web_call *c, unsigned *asked,
    struct buf *url, struct buf *body)
{
	struct form_person person = { l->who->username, l->who->password };
	struct form f;
	char title[80];
	bool ok = form_find(buf_str(&c->body), url->p, &person, &f);

	form_page_title(buf_str(&c->body), title, sizeof(title));
	*asked += ok && f.asks_password;
	if (!ok) {
		(void)fail(l, "a page without a form: \"%s\" (%ld)", title,
		    c->status);
	} else if (*asked > 1) {
		(void)fail(l,
		    "it asks for the password again (\"%s\"): name or password "
		    "is wrong",
		    title);
		ok = false;
	} else {
		ok = is_at_home(l, url->p, f.action.p) &&
		    take_form(&f, url, body);
	}
	form_free(&f);
	return ok;
}

/*
 * One answer: a page to fill in, or a word where to go.  False: it is over,
 * and *out says how.
 */
static bool
go_on(struct login *l, struct web_call *c, unsigned *asked, struct buf *url,
    struct buf *body, enum login_outcome *out)
{
	*out = LOGIN_FAILED;
	if (c->location.len > 0 && is_back(l, c->location.p)) {
		*out = take_code(l, c->location.p);
		return false;
	}
	if (c->location.len > 0) {
		buf_reset(body);
		return set(url, c->location.p);
	}
	if (c->is_html && c->status < 500)
		return fill_in(l, c, asked, url, body);
	*out = fail(l, "it answers %ld without a page", c->status);
	return false;
}

static enum login_outcome
walk(struct login *l, struct buf *url)
{
	struct buf body = BUF_INIT;
	enum login_outcome out = LOGIN_FAILED;
	unsigned asked = 0, n = 0;
	bool more = true;

	while (more && n++ < PAGES_MAX) {
		struct web_call c = { .url = url->p,
			.form = buf_str(&body),
			.accept = "text/html,application/xhtml+xml" };

		if (web_call(l->web, &c)) {
			more = go_on(l, &c, &asked, url, &body, &out);
		} else {
			out = fail(l, "%s", c.why);
			more = false;
		}
		web_call_free(&c);
	}
	if (more)
		out = fail(l, "no code after %u answers", PAGES_MAX);
	buf_free(&body);
	return out;
}

static enum login_outcome
go_through_pages(struct login *l)
{
	char challenge[TOKENS_SECRET_MAX];
	struct buf url = BUF_INIT;
	enum login_outcome out;

	if (endpoint(l, "authorization_endpoint") == NULL)
		return no_endpoint(l, "authorization_endpoint");
	tokens_secret(l->state);
	tokens_secret(l->nonce);
	tokens_secret(l->verifier);
	if (!tokens_challenge(l->verifier, challenge))
		return fail(l, "the challenge cannot be computed");
	add_authorize(l, challenge, &url);
	out = url.failed ? fail(l, "out of memory") : walk(l, &url);
	buf_free(&url);
	return out;
}

/* ---- tokens ---- */

/* Is client in aud, a text or a list of them? */
static bool
is_for(const struct json *aud, const char *client)
{
	if (json_text(aud) != NULL)
		return strcmp(json_text(aud), client) == 0;
	for (size_t i = 0; i < json_len(aud); i++) {
		const char *one = json_text(json_at(aud, i));

		if (one != NULL && strcmp(one, client) == 0)
			return true;
	}
	return false;
}

/* OpenID Connect Core 3.1.3.7; the token came straight from the server. */
static enum login_outcome
check_claims(struct login *l, const struct json *claims, bool first)
{
	if (strcmp(json_get_text(claims, "iss", ""), l->issuer) != 0)
		return fail(l, "the id_token is of \"%.200s\"",
		    json_get_text(claims, "iss", ""));
	if (!is_for(json_get(claims, "aud"), l->who->client_id))
		return fail(l, "the id_token is for another client");
	if (json_get_int(claims, "exp", 0) + SKEW_S < (int64_t)time(NULL))
		return fail(l, "the id_token has expired: the clocks differ");
	if (first && strcmp(json_get_text(claims, "nonce", ""), l->nonce) != 0)
		return fail(l, "the id_token has another nonce");
	if (l->subject[0] != '\0' &&
	    strcmp(l->subject, json_get_text(claims, "sub", "")) != 0)
		return fail(l, "the id_token is of another user than before");
	(void)snprintf(l->subject, sizeof(l->subject), "%s",
	    json_get_text(claims, "sub", ""));
	return l->subject[0] == '\0' ? fail(l, "the id_token has no sub")
	                             : LOGIN_DONE;
}

static enum login_outcome
take_id_token(struct login *l, const char *token, bool first)
{
	struct buf text = BUF_INIT;
	char why[160];
	struct json *claims = NULL;
	enum login_outcome out;

	if (tokens_claims(token, &text))
		claims = json_read(buf_str(&text), why, sizeof(why));
	out = claims == NULL ? fail(l, "the id_token is no JWT")
	                     : check_claims(l, claims, first);
	json_free(&claims);
	buf_free(&text);
	return out == LOGIN_DONE && !set(&l->id_token, token)
	    ? fail(l, "out of memory")
	    : out;
}

static enum login_outcome
take_tokens(struct login *l, const struct json *doc, bool first)
{
	const char *id = json_get_text(doc, "id_token", NULL);

	if (!set(&l->access, json_get_text(doc, "access_token", NULL)))
		return fail(l, "no access_token came");
	(void)set(&l->renew, json_get_text(doc, "refresh_token", NULL));
	if (id == NULL)
		return first ? fail(l, "no id_token came") : LOGIN_DONE;
	return take_id_token(l, id, first);
}

/* Does the server take a secret in the form alone?  What it leaves out is so. */
static bool
wants_post(const struct login *l)
{
	const struct json *ways = json_get(l->discovery,
	    "token_endpoint_auth_methods_supported");
	bool basic = json_len(ways) == 0, post = false;

	for (size_t i = 0; i < json_len(ways); i++) {
		const char *way = json_text(json_at(ways, i));

		basic |= way != NULL && strcmp(way, "client_secret_basic") == 0;
		post |= way != NULL && strcmp(way, "client_secret_post") == 0;
	}
	return post && !basic;
}

/* RFC 6749 2.3.1 */
static void
say_who(struct login *l, struct web_call *c, struct buf *form, struct buf *user,
    struct buf *secret)
{
	if (l->who->client_secret != NULL && !wants_post(l)) {
		web_escape(user, l->who->client_id);
		web_escape(secret, l->who->client_secret);
		c->user = user->p;
		c->secret = secret->p;
		return;
	}
	web_add_param(form, "client_id", l->who->client_id);
	if (l->who->client_secret != NULL)
		web_add_param(form, "client_secret", l->who->client_secret);
}

static enum login_outcome
ask_tokens(struct login *l, struct buf *form, bool first)
{
	struct web_call c = { .url = endpoint(l, "token_endpoint"),
		.accept = "application/json" };
	struct buf user = BUF_INIT, secret = BUF_INIT;
	enum login_outcome out = LOGIN_FAILED;
	struct json *doc;

	if (c.url == NULL)
		return no_endpoint(l, "token_endpoint");
	say_who(l, &c, form, &user, &secret);
	if (form->failed || user.failed || secret.failed)
		return fail(l, "out of memory");
	c.form = buf_str(form);
	doc = answer_json(l, &c, web_call(l->web, &c));
	if (doc != NULL)
		out = take_tokens(l, doc, first);
	json_free(&doc);
	web_call_free(&c);
	buf_free(&user);
	buf_free(&secret);
	return out;
}

static enum login_outcome
get_tokens(struct login *l)
{
	struct buf form = BUF_INIT;
	enum login_outcome out;

	web_add_param(&form, "grant_type", "authorization_code");
	web_add_param(&form, "code", l->code.p);
	web_add_param(&form, "redirect_uri", l->who->redirect_uri);
	web_add_param(&form, "code_verifier", l->verifier);
	out = ask_tokens(l, &form, true);
	buf_free(&form);
	return out;
}

static enum login_outcome
renew_with(struct login *l, const char *token)
{
	struct buf form = BUF_INIT;
	enum login_outcome out;

	web_add_param(&form, "grant_type", "refresh_token");
	web_add_param(&form, "refresh_token", token);
	out = ask_tokens(l, &form, false);
	buf_free(&form);
	return out;
}

static enum login_outcome
get_userinfo(struct login *l)
{
	struct web_call c = { .url = endpoint(l, "userinfo_endpoint"),
		.bearer = l->access.p,
		.accept = "application/json" };
	enum login_outcome out = LOGIN_FAILED;
	struct json *doc;

	if (json_get_text(l->discovery, "userinfo_endpoint", NULL) == NULL)
		return pass(l, "discovery has no userinfo_endpoint");
	if (c.url == NULL)
		return no_endpoint(l, "userinfo_endpoint");
	doc = answer_json(l, &c, web_call(l->web, &c));
	if (doc != NULL)
		/* of another user: OpenID Connect Core 5.3.2 */
		out = l->subject[0] == '\0' ||
		        strcmp(json_get_text(doc, "sub", ""), l->subject) == 0
		    ? LOGIN_DONE
		    : fail(l, "it is of another user than the id_token");
	json_free(&doc);
	web_call_free(&c);
	return out;
}

static enum login_outcome
refresh(struct login *l)
{
	struct buf token = BUF_INIT;
	enum login_outcome out;

	if (l->renew.len == 0)
		return pass(l, "no refresh_token came");
	/* Who gets no new one goes on with the old one. */
	buf_add_str(&token, buf_str(&l->renew));
	out = token.failed ? fail(l, "out of memory") : renew_with(l, token.p);
	if (out == LOGIN_DONE)
		out = get_userinfo(l);
	buf_free(&token);
	return out == LOGIN_PASSED ? LOGIN_DONE : out;
}

/* ---- from one time to the next ---- */

static enum login_outcome
keep(struct login *l)
{
	int rc;

	if (l->who->keep == NULL)
		return pass(l, "");
	if (l->renew.len == 0)
		return fail(l,
		    "no refresh_token came that could be kept; does the scope "
		    "have offline_access?");
	rc = file_replace(l->who->keep, buf_str(&l->renew), 0600);
	return rc == E_OK ? LOGIN_DONE
	                  : fail(l, "%.200s: %s", l->who->keep, err_text(rc));
}

static enum login_outcome
use_kept(struct login *l)
{
	struct buf token = BUF_INIT;
	enum login_outcome out;
	int rc;

	if (l->who->keep == NULL)
		return pass(l, "");
	if (access(l->who->keep, F_OK) == -1 && errno == ENOENT)
		return pass(l, "none is kept yet");
	rc = file_read(l->who->keep, TOKEN_FILE_MAX, &token);
	while (token.len > 0 && token.p[token.len - 1] == '\n')
		token.p[--token.len] = '\0';
	if (rc != E_OK)
		out = fail(l, "%.200s: %s", l->who->keep, err_text(rc));
	else if (token.len == 0)
		out = fail(l, "%.200s: it is empty", l->who->keep);
	else
		out = renew_with(l, token.p);
	/* It may be used up now, whatever comes of the rest. */
	if (out == LOGIN_DONE && l->renew.len > 0)
		out = keep(l);
	if (out == LOGIN_DONE)
		out = get_userinfo(l);
	l->subject[0] = '\0';
	buf_free(&token);
	return out == LOGIN_PASSED ? LOGIN_DONE : out;
}

/* ---- logout ---- */

static void
add_logout(struct login *l, struct buf *url)
{
	struct buf q = BUF_INIT;

	web_add_param(&q, "id_token_hint", l->id_token.p);
	web_add_param(&q, "client_id", l->who->client_id);
	if (l->who->post_logout_redirect_uri != NULL)
		web_add_param(&q, "post_logout_redirect_uri",
		    l->who->post_logout_redirect_uri);
	write_url(l, "end_session_endpoint", &q, url);
}

/* A page that asks whether one is sure, and then a word, or the way back. */
static bool
leave_on(struct login *l, const struct web_call *c, struct buf *url,
    struct buf *body, enum login_outcome *out)
{
	const char *home = l->who->post_logout_redirect_uri;
	unsigned asked = 0;

	*out = LOGIN_DONE;
	if (c->status >= 400) {
		*out = fail(l, "it answers %ld", c->status);
		return false;
	}
	buf_reset(body);
	if (c->location.len > 0)
		return (home == NULL ||
		           !str_starts(buf_str(&c->location), str_of(home))) &&
		    set(url, c->location.p);
	return c->is_html && fill_in(l, c, &asked, url, body) && asked == 0;
}

static enum login_outcome
log_out(struct login *l)
{
	struct buf url = BUF_INIT, body = BUF_INIT;
	enum login_outcome out = LOGIN_DONE;
	bool more = true;

	if (l->who->keep != NULL)
		return pass(l, "the session is kept for the next time");
	if (json_get_text(l->discovery, "end_session_endpoint", NULL) == NULL)
		return pass(l, "discovery has no end_session_endpoint");
	if (endpoint(l, "end_session_endpoint") == NULL)
		return no_endpoint(l, "end_session_endpoint");
	add_logout(l, &url);
	for (unsigned n = 0; more && !url.failed && n < PAGES_MAX; n++) {
		struct web_call c = { .url = url.p,
			.form = buf_str(&body),
			.accept = "text/html,application/xhtml+xml" };

		if (web_call(l->web, &c)) {
			more = leave_on(l, &c, &url, &body, &out);
		} else {
			out = fail(l, "%s", c.why);
			more = false;
		}
		web_call_free(&c);
	}
	buf_free(&url);
	buf_free(&body);
	return out;
}

/* ---- all of it ---- */

#define X(id, name, fn) [LOGIN_##id] = { name, fn },
static const struct {
	const char *name;
	enum login_outcome (*run)(struct login *);
} steps[] = { LOGIN_STEPS(X) };
#undef X

const char *
login_step_name(enum login_step s)
{
	return steps[s].name;
}

bool
login_run(struct web *web, const struct json *discovery, const char *issuer,
    const struct client *who, login_tell_fn *tell, void *arg)
{
	struct login l = { .web = web,
		.discovery = discovery,
		.issuer = issuer,
		.who = who };
	enum login_outcome out = LOGIN_DONE;

	for (size_t i = 0; i < LOGIN_STEP_COUNT && out != LOGIN_FAILED; i++) {
		uint64_t began_us = clock_mono_us();

		l.why[0] = '\0';
		out = steps[i].run(&l);
		if (out == LOGIN_DONE)
			l.why[0] = '\0';
		if (out != LOGIN_PASSED || l.why[0] != '\0')
			tell((enum login_step)i, out,
			    clock_mono_us() - began_us, l.why, arg);
	}
	buf_free(&l.code);
	buf_free(&l.id_token);
	buf_free(&l.access);
	buf_free(&l.renew);
	return out != LOGIN_FAILED;
}
