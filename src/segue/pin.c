/*
 * Sessions of a pool, whatever its share.
 */
#include "segue/pin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "segue/answer.h"
#include "segue/handlers.h"
#include "segue/run.h"
#include "segue/text.h"
#include "verify/web.h"

const char *
pin_option(const struct run *r, enum option o, const char *env)
{
	const char *said = r->args.option[o];
	const char *told = said == NULL ? getenv(env) : NULL;

	return told != NULL && *told != '\0' ? told : said;
}

static int
get(struct run *r, const char *pool, struct answer *out)
{
	return answer_get_of(r, ADMIN_PIN,
	    pin_option(r, OPT_SERVICE, "SEGUE_SERVICE"), pool, out);
}

bool
pin_can(struct run *r, const char *pool, char *why, size_t cap)
{
	struct buf path = BUF_INIT;
	struct answer a;
	bool can = false;

	answer_path_of(ADMIN_PIN, pin_option(r, OPT_SERVICE, "SEGUE_SERVICE"),
	    pool, &path);
	(void)snprintf(why, cap, "%s cannot be asked", pool);
	if (path.failed ||
	    answer_get_quietly(r->socket, path.p, ANSWER_LIMIT_US, &a) ==
	        SEGUE_EXIT_UNREACHABLE) {
		buf_free(&path);
		return false;
	}
	if (a.status != 200)
		(void)snprintf(why, cap, "%.200s",
		    json_get_text(a.doc, "message", "there is no such pool"));
	else if (strcmp(json_get_text(a.doc, "held", "none"), "none") != 0)
		(void)snprintf(why, cap, "requests for %s are held", pool);
	else
		can = true;
	answer_free(&a);
	buf_free(&path);
	return can;
}

int
pin_run(struct run *r)
{
	struct answer a;
	struct buf line = BUF_INIT, clean = BUF_INIT;
	int exit = get(r, r->args.operand[0], &a);

	if (exit != SEGUE_EXIT_DONE)
		return exit;
	if (r->json) {
		run_print(r, buf_str(&a.text));
	} else {
		buf_printf(&line, "%s=%s; %s=%s",
		    json_get_text(a.doc, "cookie", ""),
		    json_get_text(a.doc, "value", ""),
		    json_get_text(a.doc, "cookie_tls", ""),
		    json_get_text(a.doc, "value", ""));
		text_clean(&clean, buf_str(&line));
		buf_add_char(&clean, '\n');
		run_print(r, buf_str(&clean));
	}
	buf_free(&line);
	buf_free(&clean);
	answer_free(&a);
	return SEGUE_EXIT_DONE;
}

int
pin_web(struct run *r, const char *url, const char *pool, uint64_t limit_us,
    struct web **out)
{
	struct web_options o = { .url = url,
		.via = r->args.option[OPT_VIA],
		.ca = r->args.option[OPT_CA],
		.limit_us = limit_us };
	struct answer a = { .doc = NULL };
	char why[WEB_WHY_MAX];
	int exit = pool == NULL ? SEGUE_EXIT_DONE : get(r, pool, &a);

	*out = NULL;
	if (exit != SEGUE_EXIT_DONE)
		return exit;
	o.cookie = json_get_text(a.doc, "cookie", NULL);
	o.cookie_tls = json_get_text(a.doc, "cookie_tls", NULL);
	o.value = json_get_text(a.doc, "value", NULL);
	if (pool != NULL &&
	    (o.cookie == NULL || o.cookie_tls == NULL || o.value == NULL))
		exit = run_fail(r, SEGUE_EXIT_FAILED, "malformed",
		    "segued gave no session of %s", pool);
	else if (strcmp(json_get_text(a.doc, "held", "none"), "all") == 0)
		exit = run_fail(r, SEGUE_EXIT_REFUSED, "held",
		    "requests for %s are held: it cannot be asked", pool);
	else if ((*out = web_new(&o, why, sizeof(why))) == NULL)
		exit = run_fail(r, SEGUE_EXIT_USAGE, "url", "%s", why);
	answer_free(&a);
	return exit;
}

int
pin_check(struct run *r, const struct web *w, const char *pool)
{
	if (pool == NULL || !web_was_moved(w))
		return SEGUE_EXIT_DONE;
	return run_fail(r, SEGUE_EXIT_FAILED, "moved",
	    "%s did not serve its session: the proxy sent it elsewhere", pool);
}
