/*
 * load_user - the journey of a user: sign in, work, sign out, begin anew as
 * somebody else.
 */
#include <event2/event.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "contrib/demo/load.h"

static const struct {
	const char *method, *path;
	int status;
} steps[STEP_COUNT] = {
#define X(id, method, path, status) [STEP_##id] = { method, path, status },
	LOAD_STEPS(X)
#undef X
};

static uint64_t
random_below(uint64_t n)
{
	return n == 0 ? 0 : (uint64_t)random() % n;
}

/* Half to one and a half of the mean. */
static uint64_t
pause_us(const struct user *u)
{
	uint64_t mean = u->load->opt.think_us;

	return mean / 2 + random_below(mean + 1);
}

/* A new person: no cookies, the next source address, a new connection. */
static void
session_begin(struct user *u)
{
	struct load *l = u->load;

	conn_drop(u);
	u->n_cookies = 0;
	u->version = -1;
	u->round = 0;
	u->rounds = l->opt.rounds / 2 + (unsigned)random_below(l->opt.rounds);
	u->reauth = random_below(4) == 0;
	u->code[0] = u->access[0] = u->refresh[0] = '\0';
	u->step = STEP_AUTHORIZE;
	u->source = (struct sockaddr_in){ .sin_family = AF_INET };
	if (l->opt.source_first != 0) {
		u->source.sin_addr.s_addr = htonl(l->next_source);
		if (l->next_source++ == l->opt.source_last)
			l->next_source = l->opt.source_first;
	}
	l->serial++;
}

void
user_start(struct load *l, struct user *u, unsigned number)
{
	u->load = l;
	u->number = number;
	u->is_keep = number % 2 == 0;
	u->timer = evtimer_new(l->base, conn_timer, u);
	if (u->timer == NULL)
		abort();
	session_begin(u);
	conn_pause(u, random_below(l->opt.think_us * 2 + 1));
}

static size_t
cookie_line(const struct user *u, char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < u->n_cookies && n < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s=%s",
		    i == 0 ? "Cookie: " : "; ", u->cookies[i].name,
		    u->cookies[i].value);
	if (n > 0 && n < cap)
		n += (size_t)snprintf(out + n, cap - n, "\r\n");
	return n;
}

/* The form or query of the present step; both are URL-encoded. */
static void
make_form(const struct user *u, char *out, size_t cap)
{
	static const char pad[] = "0123456789abcdef0123456789abcdef"
	                          "0123456789abcdef0123456789abcdef";
	size_t n;

	out[0] = '\0';
	switch (u->step) {
	case STEP_AUTHORIZE:
		(void)snprintf(out, cap,
		    "client_id=demo&response_type=code&state=s%u.%u", u->number,
		    u->round);
		break;
	case STEP_SUBMIT:
		n = (size_t)snprintf(out, cap,
		    "user=user%u&password=demo&pad=", u->number);
		/* Bodies of many sizes, some longer than one segment. */
		for (uint64_t i = random_below(40); i > 0; i--)
			n += (size_t)snprintf(out + n, cap - n, "%s", pad);
		break;
	case STEP_CALLBACK:
		(void)snprintf(out, cap, "code=%s&state=s%u", u->code,
		    u->number);
		break;
	case STEP_TOKEN:
		(void)snprintf(out, cap,
		    "grant_type=authorization_code&code=%s", u->code);
		break;
	case STEP_REFRESH:
		(void)snprintf(out, cap,
		    "grant_type=refresh_token&refresh_token=%s", u->refresh);
		break;
	case STEP_LOGIN:
	case STEP_USERINFO:
	case STEP_LOGOUT:
	case STEP_COUNT:
		break;
	}
}

void
user_send(struct user *u)
{
	char text[16384], form[4096], cookies[8192], auth[300] = "";
	const char *method = steps[u->step].method;
	bool is_post = method[0] == 'P';
	int n;

	if (u->load->stopping)
		return;
	make_form(u, form, sizeof(form));
	(void)cookie_line(u, cookies, sizeof(cookies));
	if (u->step == STEP_USERINFO && u->round % 2 == 1)
		(void)snprintf(auth, sizeof(auth),
		    "Authorization: Bearer %s\r\n", u->access);
	n = snprintf(text, sizeof(text),
	    "%s %s%s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: segue-demo-load\r\n"
	    "Accept: */*\r\n%s%s%s",
	    method, steps[u->step].path, !is_post && form[0] ? "?" : "",
	    is_post ? "" : form, u->load->opt.target_text, cookies, auth,
	    u->is_keep ? "" : "Connection: close\r\n");
	if (is_post)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
		    "Content-Type: application/x-www-form-urlencoded\r\n"
		    "Content-Length: %zu\r\n\r\n%s",
		    strlen(form), form);
	else
		n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
	conn_request(u, text, (size_t)n);
}

static void
cookie_put(struct user *u, const char *line)
{
	size_t name_len = strcspn(line, "=;");
	const char *value = line + name_len + 1;
	size_t value_len;
	struct load_cookie *c = NULL;

	if (line[name_len] != '=' || name_len >= sizeof(c->name))
		return;
	value_len = strcspn(value, ";");
	if (value_len >= sizeof(c->value))
		return;
	for (unsigned i = 0; i < u->n_cookies && c == NULL; i++)
		if (strlen(u->cookies[i].name) == name_len &&
		    memcmp(u->cookies[i].name, line, name_len) == 0)
			c = &u->cookies[i];
	if (c == NULL) {
		if (u->n_cookies == LOAD_COOKIES_MAX)
			return;
		c = &u->cookies[u->n_cookies++];
	}
	memcpy(c->name, line, name_len);
	c->name[name_len] = '\0';
	memcpy(c->value, value, value_len);
	c->value[value_len] = '\0';
}

/* Steps that the version which began the login must finish. */
static bool
in_flow(enum load_step s)
{
	return s == STEP_LOGIN || s == STEP_SUBMIT || s == STEP_CALLBACK ||
	    s == STEP_TOKEN;
}

/*
 * Notes which version answered.  A session that sees another version than
 * before has bounced, unless the operator moves sessions (--moved-ok) and it
 * was between two logins, where nothing is lost.
 */
static void
judge_version(struct user *u)
{
	char name[LOAD_NAME_MAX], sample[192];
	struct load_stats *s = &u->load->stats;
	bool is_session = u->version == -1;
	int v;

	if (!answer_field(&u->answer, "X-Version", 0, name, sizeof(name)))
		return;
	v = stats_version(s, name);
	if (!is_session && v != u->version) {
		(void)snprintf(sample, sizeof(sample),
		    "user %u %s: %s, had begun on %s", u->number,
		    load_step_name(u->step), name, s->versions[u->version]);
		stats_bounce(s, u->load->opt.moved_ok && !in_flow(u->step),
		    sample);
	}
	u->version = v;
	stats_answer(s, v, is_session, u->sent_wall_us,
	    clock_mono_us() - u->sent_us);
	if (is_session)
		s->sessions++;
}

static bool
take_code(struct user *u)
{
	char where[1024];
	const char *p;
	size_t len;

	if (!answer_field(&u->answer, "Location", 0, where, sizeof(where)))
		return false;
	p = strstr(where, "/callback?code=");
	if (p == NULL)
		return false;
	p += strlen("/callback?code=");
	len = strcspn(p, "&");
	if (len == 0 || len >= sizeof(u->code))
		return false;
	memcpy(u->code, p, len);
	u->code[len] = '\0';
	return true;
}

static bool
take_tokens(struct user *u)
{
	return answer_json(&u->answer, "access_token", u->access,
	           sizeof(u->access)) &&
	    answer_json(&u->answer, "refresh_token", u->refresh,
	        sizeof(u->refresh));
}

static enum load_step
work_step(struct user *u)
{
	u->round++;
	if (u->round > u->rounds)
		return STEP_LOGOUT;
	if (u->reauth && u->round == u->rounds / 2) {
		u->reauth = false;
		return STEP_AUTHORIZE;
	}
	return u->round % 4 == 0 ? STEP_REFRESH : STEP_USERINFO;
}

/* Takes what the answer gives and moves on; false when it lacks something. */
static bool
advance(struct user *u)
{
	struct load_stats *s = &u->load->stats;

	switch (u->step) {
	case STEP_AUTHORIZE:
		u->step = STEP_LOGIN;
		return true;
	case STEP_LOGIN:
		u->step = STEP_SUBMIT;
		return strstr(u->answer.body, "<form") != NULL;
	case STEP_SUBMIT:
		u->step = STEP_CALLBACK;
		return take_code(u);
	case STEP_CALLBACK:
		u->step = STEP_TOKEN;
		return true;
	case STEP_TOKEN:
		s->logins++;
		u->step = work_step(u);
		return take_tokens(u);
	case STEP_REFRESH:
		u->step = work_step(u);
		return take_tokens(u);
	case STEP_USERINFO:
		u->step = work_step(u);
		return strstr(u->answer.body, "\"sub\":\"user") != NULL;
	case STEP_LOGOUT:
		s->logouts++;
		session_begin(u);
		return true;
	case STEP_COUNT:
		break;
	}
	return false;
}

void
user_failed(struct user *u, enum load_failure why, const char *text)
{
	char sample[192], version[LOAD_NAME_MAX] = "?";

	(void)answer_field(&u->answer, "X-Version", 0, version,
	    sizeof(version));
	(void)snprintf(sample, sizeof(sample), "user %u %s on %s (%s): %s",
	    u->number, load_step_name(u->step), version,
	    u->is_reused ? "reused" : "fresh", text);
	stats_failure(&u->load->stats, why, sample);
	session_begin(u);
	conn_pause(u, pause_us(u) + 20 * US_PER_MS);
}

void
user_answered(struct user *u)
{
	char line[1400], text[64];
	int status = u->answer.status;

	for (unsigned i = 0;
	     answer_field(&u->answer, "Set-Cookie", i, line, sizeof(line)); i++)
		cookie_put(u, line);
	judge_version(u);
	if (status != steps[u->step].status) {
		(void)snprintf(text, sizeof(text), "status %d, not %d", status,
		    steps[u->step].status);
		conn_drop(u);
		user_failed(u, status >= 500 ? FAIL_SERVER : FAIL_STATUS, text);
		return;
	}
	if (!advance(u)) {
		user_failed(u, FAIL_CONTENT, "incomplete content");
		return;
	}
	u->load->stats.answers++;
	conn_pause(u, pause_us(u));
}
