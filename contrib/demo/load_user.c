/*
 * load_user - the journey of a user: sign in, work, sign out, begin anew as
 * somebody else.
 */
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "contrib/demo/load.h"

static const struct {
	const char *method, *path, *name;
	int status;
} steps[STEP_COUNT] = {
#define X(id, method, path, status)                                            \
	[STEP_##id] = { method, path, method " " path, status },
	LOAD_STEPS(X)
#undef X
};

static struct load *
load_of(const struct user *u)
{
	return CONTAINER_OF(u->asker.crowd, struct load, crowd);
}

/* A new person. */
static void
session_begin(struct user *u)
{
	unsigned rounds = load_of(u)->opt.rounds;

	asker_anew(&u->asker);
	u->version = -1;
	u->round = 0;
	u->rounds = rounds / 2 + random_below(rounds);
	u->reauth = random_below(4) == 0;
	u->code[0] = u->access[0] = u->refresh[0] = '\0';
	u->step = STEP_AUTHORIZE;
}

void
user_start(struct load *l, struct user *u, unsigned number)
{
	asker_init(&u->asker, &l->crowd, number);
	session_begin(u);
	asker_pause(&u->asker, random_below((uint32_t)l->opt.think_us * 2 + 1));
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
		    "client_id=demo&response_type=code&state=s%u.%u",
		    u->asker.number, u->round);
		break;
	case STEP_SUBMIT:
		n = (size_t)snprintf(out, cap,
		    "user=user%u&password=demo&pad=", u->asker.number);
		/* Bodies of many sizes, some longer than one segment. */
		for (uint32_t i = random_below(40); i > 0; i--)
			n += (size_t)snprintf(out + n, cap - n, "%s", pad);
		break;
	case STEP_CALLBACK:
		(void)snprintf(out, cap, "code=%s&state=s%u", u->code,
		    u->asker.number);
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
user_ask(struct asker *a)
{
	struct user *u = CONTAINER_OF(a, struct user, asker);
	char form[4096], cookies[JAR_LINE_MAX], auth[300] = "";
	const char *method = steps[u->step].method;
	bool is_post = method[0] == 'P';
	struct evbuffer *out = asker_request(a);

	if (out == NULL)
		return;
	make_form(u, form, sizeof(form));
	jar_line(&a->jar, cookies);
	if (u->step == STEP_USERINFO && u->round % 2 == 1)
		(void)snprintf(auth, sizeof(auth),
		    "Authorization: Bearer %s\r\n", u->access);
	(void)evbuffer_add_printf(out,
	    "%s %s%s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: segue-demo-load\r\n"
	    "Accept: */*\r\n%s%s%s",
	    method, steps[u->step].path, !is_post && form[0] ? "?" : "",
	    is_post ? "" : form, a->crowd->target_text, cookies, auth,
	    a->keeps ? "" : "Connection: close\r\n");
	if (is_post)
		(void)evbuffer_add_printf(out,
		    "Content-Type: application/x-www-form-urlencoded\r\n"
		    "Content-Length: %zu\r\n\r\n%s",
		    strlen(form), form);
	else
		(void)evbuffer_add(out, "\r\n", 2);
}

/* Steps that the version which began the login must finish. */
static bool
in_flow(enum load_step s)
{
	return s == STEP_LOGIN || s == STEP_SUBMIT || s == STEP_CALLBACK ||
	    s == STEP_TOKEN;
}

static double
seconds(const struct load *l)
{
	return (double)(clock_mono_us() - l->began_us) / 1e6;
}

static void
bounced(struct user *u, const char *now_on)
{
	struct load *l = load_of(u);

	tally_bounce(&l->tally);
	tally_sample(&l->tally,
	    "%.3f s bounce: user %u %s: %s, had begun on %s", seconds(l),
	    u->asker.number, steps[u->step].name, now_on,
	    tally_value_name(&l->tally, u->version));
}

/*
 * Notes which version answered.  A session that sees another version than
 * before has bounced, unless the operator moves sessions (--moved-ok) and it
 * was between two logins, where nothing is lost.
 */
static void
judge_version(struct user *u)
{
	struct load *l = load_of(u);
	char name[TALLY_NAME_MAX];
	bool is_session = u->version == -1;
	int v;

	if (!answer_field(&u->asker.answer, "X-Version", 0, name, sizeof(name)))
		return;
	v = tally_value(&l->tally, name);
	if (!is_session && v != u->version) {
		if (l->opt.moved_ok && !in_flow(u->step))
			tally_move(&l->tally);
		else
			bounced(u, name);
	}
	u->version = v;
	tally_answer(&l->tally, v, is_session, u->asker.sent_wall_us,
	    clock_mono_us() - u->asker.sent_us);
}

static bool
take_code(struct user *u)
{
	char where[1024];
	const char *p;
	size_t len;

	if (!answer_field(&u->asker.answer, "Location", 0, where,
	        sizeof(where)))
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
	return answer_json(&u->asker.answer, "access_token", u->access,
	           sizeof(u->access)) &&
	    answer_json(&u->asker.answer, "refresh_token", u->refresh,
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
	struct load *l = load_of(u);

	switch (u->step) {
	case STEP_AUTHORIZE:
		u->step = STEP_LOGIN;
		return true;
	case STEP_LOGIN:
		u->step = STEP_SUBMIT;
		return strstr(u->asker.answer.body, "<form") != NULL;
	case STEP_SUBMIT:
		u->step = STEP_CALLBACK;
		return take_code(u);
	case STEP_CALLBACK:
		u->step = STEP_TOKEN;
		return true;
	case STEP_TOKEN:
		l->logins++;
		u->step = work_step(u);
		return take_tokens(u);
	case STEP_REFRESH:
		u->step = work_step(u);
		return take_tokens(u);
	case STEP_USERINFO:
		u->step = work_step(u);
		return strstr(u->asker.answer.body, "\"sub\":\"user") != NULL;
	case STEP_LOGOUT:
		l->logouts++;
		session_begin(u);
		return true;
	case STEP_COUNT:
		break;
	}
	return false;
}

void
user_failed(struct asker *a, enum fault why, const char *text)
{
	struct user *u = CONTAINER_OF(a, struct user, asker);
	struct load *l = load_of(u);
	char version[TALLY_NAME_MAX] = "?";

	(void)answer_field(&a->answer, "X-Version", 0, version,
	    sizeof(version));
	tally_failure(&l->tally, why, steps[u->step].method[0] == 'G');
	tally_sample(&l->tally, "%.3f s %s: user %u %s on %s (%s): %.100s",
	    seconds(l), fault_name(why), a->number, steps[u->step].name,
	    version, a->is_reused ? "reused" : "fresh", text);
	session_begin(u);
	asker_pause(a, asker_about(l->opt.think_us) + 20 * US_PER_MS);
}

void
user_answered(struct asker *a)
{
	struct user *u = CONTAINER_OF(a, struct user, asker);
	int status = a->answer.status, want = steps[u->step].status;
	struct load *l = load_of(u);
	char text[64];

	asker_keep_cookies(a);
	judge_version(u);
	if (status != want) {
		(void)snprintf(text, sizeof(text), "status %d, not %d", status,
		    want);
		user_failed(a, status >= 500 ? FAULT_SERVER : FAULT_STATUS,
		    text);
		return;
	}
	if (!advance(u)) {
		user_failed(a, FAULT_CONTENT, "incomplete content");
		return;
	}
	l->tally.answers++;
	asker_pause(a, asker_about(l->opt.think_us));
}
