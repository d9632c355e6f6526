/*
 * May users be sent to a pool?  What it says of itself, compared with the one
 * that serves, and a login on it, all through the proxy.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/units.h"
#include "segue/handlers.h"
#include "segue/pin.h"
#include "segue/run.h"
#include "segue/style.h"
#include "segue/text.h"
#include "verify/client.h"
#include "verify/login.h"
#include "verify/promises.h"
#include "verify/web.h"

#define DOC_MAX ((size_t)256 << 10)
#define WELL_KNOWN "/.well-known/openid-configuration"

/* What one pool says of itself. */
struct side {
	const char *pool; /* NULL: whichever serves */
	struct json *discovery, *keys;
};

struct verify {
	struct run *run;
	const char *url; /* of the issuer */
	struct client who;
	struct json_out out; /* with --json */
	struct buf text;
	bool failed;
	char why[WEB_WHY_MAX]; /* of the last that did */
};

static uint64_t
limit_us(const struct run *r)
{
	return args_has(&r->args, OPT_TIMEOUT) ? r->args.number[OPT_TIMEOUT]
	                                       : PIN_CALL_LIMIT_US;
}

/* ---- saying ---- */

/* A row: what, a word about it in that style, and the rest. */
static void PRINTF_LIKE(5, 6) say(struct verify *v, const char *what,
    enum style style, const char *word, const char *fmt, ...)
{
	struct buf raw = BUF_INIT, clean = BUF_INIT, line = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	text_clean(&clean, buf_str(&raw));
	buf_printf(&line, "%-10s  ", what);
	style_add(&line, v->run->colour, style, str_of(word));
	buf_printf(&line, "%*s", (int)(8 - MIN(strlen(word), 6)), "");
	buf_add_str(&line, buf_str(&clean));
	run_say(v->run, STR_FMT, STR_ARG(line));
	(void)fflush(v->run->out);
	buf_free(&raw);
	buf_free(&clean);
	buf_free(&line);
}

/* ---- what a pool says of itself ---- */

static int
fetch(struct verify *v, struct web *w, const char *url, struct json **out)
{
	struct web_call c = { .url = url, .accept = "application/json" };
	char why[160];
	int exit = SEGUE_EXIT_DONE;

	*out = NULL;
	if (!web_call(w, &c))
		exit = run_fail(v->run, SEGUE_EXIT_FAILED, "no_answer",
		    "%s: %s", url, c.why);
	else if (c.status != 200)
		exit = run_fail(v->run, SEGUE_EXIT_FAILED, "status",
		    "%s: it answers %ld", url, c.status);
	else if (c.body.len > DOC_MAX)
		exit = run_fail(v->run, SEGUE_EXIT_FAILED, "too_long",
		    "%s: more than 256 KiB", url);
	else if ((*out = json_read(buf_str(&c.body), why, sizeof(why))) == NULL)
		exit = run_fail(v->run, SEGUE_EXIT_FAILED, "no_json",
		    "%s: no JSON: %s", url, why);
	else if (!json_is_object(*out))
		exit = run_fail(v->run, SEGUE_EXIT_FAILED, "no_json",
		    "%s: no JSON object", url);
	web_call_free(&c);
	return exit;
}

static int
ask_side(struct verify *v, struct web *w, struct side *s)
{
	struct buf url = BUF_INIT;
	size_t len = strlen(v->url);
	const char *keys;
	int exit;

	while (len > 0 && v->url[len - 1] == '/')
		len--;
	buf_printf(&url, "%.*s" WELL_KNOWN, (int)len, v->url);
	exit = url.failed
	    ? run_fail(v->run, SEGUE_EXIT_FAILED, "no_memory", "out of memory")
	    : fetch(v, w, url.p, &s->discovery);
	buf_free(&url);
	if (exit != SEGUE_EXIT_DONE)
		return exit;
	keys = json_get_text(s->discovery, "jwks_uri", NULL);
	if (keys == NULL)
		return run_fail(v->run, SEGUE_EXIT_FAILED, "discovery",
		    "discovery has no jwks_uri");
	exit = fetch(v, w, keys, &s->keys);
	return exit == SEGUE_EXIT_DONE ? pin_check(v->run, w, s->pool) : exit;
}

static int
look_at(struct verify *v, struct side *s)
{
	struct web *w;
	int exit = pin_web(v->run, v->url, s->pool, limit_us(v->run), &w);

	if (exit == SEGUE_EXIT_DONE)
		exit = ask_side(v, w, s);
	web_free(&w);
	return exit;
}

/*
 * In a job nobody has asked for the comparison; where the old pool is stopped
 * or held it cannot be made.
 */
static int
look_if_there(struct verify *v, struct side *s)
{
	char why[WEB_WHY_MAX];

	if (!args_has(&v->run->args, OPT_FROM) &&
	    !pin_can(v->run, s->pool, why, sizeof(why))) {
		say(v, "compared", STYLE_DIM, "passed", "%s", why);
		s->pool = NULL;
		return SEGUE_EXIT_DONE;
	}
	return look_at(v, s);
}

/* OpenID Connect Discovery 4.3: to the letter, or clients refuse it. */
static int
check_issuer(struct verify *v, const struct side *s)
{
	const char *is = json_get_text(s->discovery, "issuer", "");

	if (strcmp(is, v->url) == 0)
		return SEGUE_EXIT_DONE;
	return run_fail(v->run, SEGUE_EXIT_FAILED, "issuer",
	    "%s says its issuer is \"%s\", and \"%s\" was asked for",
	    s->pool == NULL ? "it" : s->pool, is, v->url);
}

static void
side_free(struct side *s)
{
	json_free(&s->discovery);
	json_free(&s->keys);
}

/* ---- the difference ---- */

static void
put_differences(struct verify *v, const struct promises *p)
{
	json_kv_u64(&v->out, "same", p->same);
	json_kv_u64(&v->out, "left_out", p->left_out);
	json_key(&v->out, "differences");
	json_begin_array(&v->out);
	for (size_t i = 0; i < p->n; i++) {
		json_begin_object(&v->out);
		json_kv_cstr(&v->out, "where", p->list[i].where);
		json_kv_cstr(&v->out, "field", p->list[i].field);
		json_kv_cstr(&v->out, "grade",
		    promise_grade_name(p->list[i].grade));
		json_kv_cstr(&v->out, "text", p->list[i].text);
		json_end_object(&v->out);
	}
	json_end_array(&v->out);
}

static void
say_differences(struct verify *v, const struct promises *p)
{
	static const enum style styles[] = { [PROMISE_MORE] = STYLE_PLAIN,
		[PROMISE_OTHER] = STYLE_WARN,
		[PROMISE_BROKEN] = STYLE_BAD };
	size_t broken = promises_broken(p);

	for (size_t i = 0; i < p->n; i++) {
		const struct promise *d = &p->list[i];

		say(v, d->where, styles[d->grade], promise_grade_mark(d->grade),
		    "%s: %s", d->field, d->text);
	}
	if (p->left_out > 0)
		say(v, "", STYLE_BAD, promise_grade_mark(PROMISE_BROKEN),
		    "%zu more differences", p->left_out);
	say(v, "compared", broken == 0 ? STYLE_GOOD : STYLE_BAD,
	    broken == 0 ? "ok" : "failed",
	    "%zu fields and keys are alike, %zu differ, %zu of them may break "
	    "clients",
	    p->same, p->n + p->left_out, broken);
}

static void
compare(struct verify *v, const struct side *was, const struct side *is)
{
	struct promises p = { .n = 0 };

	promises_discovery(&p, was->discovery, is->discovery,
	    v->run->args.option[OPT_ACCEPT]);
	promises_keys(&p, was->keys, is->keys);
	put_differences(v, &p);
	say_differences(v, &p);
	if (promises_broken(&p) == 0)
		return;
	v->failed = true;
	(void)snprintf(v->why, sizeof(v->why),
	    "%zu promises of %s that clients may rely on are broken",
	    promises_broken(&p), was->pool);
}

/* ---- the login ---- */

static void
on_login(enum login_step step, enum login_outcome outcome, uint64_t took_us,
    const char *why, void *arg)
{
	static const char *const words[] = { [LOGIN_DONE] = "ok",
		[LOGIN_PASSED] = "passed",
		[LOGIN_FAILED] = "failed" };
	static const enum style styles[] = { [LOGIN_DONE] = STYLE_GOOD,
		[LOGIN_PASSED] = STYLE_DIM,
		[LOGIN_FAILED] = STYLE_BAD };
	struct verify *v = arg;
	char took[UNITS_MAX];

	if (outcome == LOGIN_FAILED)
		(void)snprintf(v->why, sizeof(v->why), "%s: %s",
		    login_step_name(step), why);
	(void)units_duration_round(took_us, took);
	say(v, login_step_name(step), styles[outcome], words[outcome], "%s",
	    outcome == LOGIN_DONE ? took : why);
	json_begin_object(&v->out);
	json_kv_cstr(&v->out, "step", login_step_name(step));
	json_kv_cstr(&v->out, "outcome", words[outcome]);
	json_kv_num(&v->out, "took_s", (double)took_us / (double)US_PER_S);
	json_kv_cstr(&v->out, "why", why);
	json_end_object(&v->out);
}

static int
log_in(struct verify *v, const struct side *s)
{
	struct web *w;
	int exit = pin_web(v->run, v->url, s->pool, limit_us(v->run), &w);

	if (exit != SEGUE_EXIT_DONE)
		return exit;
	json_key(&v->out, "login");
	json_begin_array(&v->out);
	v->failed |= !login_run(w, s->discovery, v->url, &v->who, on_login, v);
	json_end_array(&v->out);
	exit = pin_check(v->run, w, s->pool);
	web_free(&w);
	return exit;
}

/* ---- the command ---- */

static int
look_and_compare(struct verify *v, struct side *was, struct side *is)
{
	int exit = look_at(v, is);

	if (exit == SEGUE_EXIT_DONE)
		exit = check_issuer(v, is);
	if (exit == SEGUE_EXIT_DONE && was->pool != NULL)
		exit = look_if_there(v, was);
	if (exit == SEGUE_EXIT_DONE && was->pool != NULL)
		compare(v, was, is);
	if (exit == SEGUE_EXIT_DONE && v->who.doc != NULL)
		exit = log_in(v, is);
	return exit;
}

/* The last line: it stands in the report of a rollout. */
static void
say_end(struct verify *v, const struct side *was, const struct side *is)
{
	const char *pool = is->pool == NULL ? "it" : is->pool;
	struct buf why = BUF_INIT;

	text_clean(&why, str_of(v->why));
	if (v->failed)
		run_say(v->run, "not verified: " STR_FMT, STR_ARG(why));
	else
		run_say(v->run, "verified: %s says what it is%s%s%s", pool,
		    was->pool == NULL ? "" : ", keeps the promises of ",
		    was->pool == NULL ? "" : was->pool,
		    v->who.doc == NULL ? "" : ", and lets a user in and out");
	buf_free(&why);
}

static int
verify(struct verify *v, struct side *was, struct side *is)
{
	int exit;

	json_begin(&v->out, &v->text);
	json_begin_object(&v->out);
	json_kv_cstr(&v->out, "issuer", v->url);
	json_kv_cstr(&v->out, "to", is->pool);
	json_kv_cstr(&v->out, "from", was->pool);
	exit = look_and_compare(v, was, is);
	if (exit != SEGUE_EXIT_DONE)
		return exit;
	json_kv_bool(&v->out, "ok", !v->failed);
	say_end(v, was, is);
	json_end_object(&v->out);
	if (v->run->json)
		run_print(v->run, buf_str(&v->text));
	return v->failed ? SEGUE_EXIT_FAILED : SEGUE_EXIT_DONE;
}

int
verify_run(struct run *r)
{
	struct verify v = { .run = r, .url = r->args.operand[0] };
	struct side was = { .pool = pin_option(r, OPT_FROM, "SEGUE_FROM") };
	struct side is = { .pool = pin_option(r, OPT_TO, "SEGUE_TO") };
	const char *login = r->args.option[OPT_LOGIN];
	char why[WEB_WHY_MAX];
	int exit;

	if (was.pool != NULL && is.pool == NULL)
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    "--from POOL is compared with --to POOL, which is missing");
	if (login != NULL &&
	    client_load(login, &v.who, why, sizeof(why)) != E_OK)
		return run_fail(r, SEGUE_EXIT_FAILED, "file", "%s", why);
	if (was.pool != NULL && strcmp(was.pool, is.pool) == 0)
		was.pool = NULL; /* a pool whose instances are renewed */
	exit = verify(&v, &was, &is);
	side_free(&was);
	side_free(&is);
	client_free(&v.who);
	buf_free(&v.text);
	return exit;
}
