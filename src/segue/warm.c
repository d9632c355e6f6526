/*
 * Is a pool as fast as it gets?  Its paths are asked for again and again,
 * through the proxy, until it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "segue/handlers.h"
#include "segue/pin.h"
#include "segue/run.h"
#include "verify/settle.h"
#include "verify/web.h"

#define LIMIT_US (120 * US_PER_S)
#define PATHS_MAX 64
#define TIMES 5 /* that a round asks for each path */
#define REST_NS 200000000L
#define REST_FAILED_S 1 /* who fails is not warmed by being asked at once */

struct warm {
	struct run *run;
	struct web *web;
	struct buf url[PATHS_MAX];
	size_t n;
	uint64_t took_us[PATHS_MAX * TIMES]; /* of the round */
	size_t n_took, n_failed, last_failed;
	char why[WEB_WHY_MAX + 80];  /* of the last that failed */
	char told[WEB_WHY_MAX + 80]; /* the last that was said */
	struct settle settle;
	unsigned rounds;
	uint64_t end_us; /* monotonic */
};

static int
read_paths(struct warm *w, const char *base, const char *paths)
{
	struct str rest = str_of(paths), one;

	while (str_list_next(&rest, &one)) {
		struct buf path = BUF_INIT;
		bool ok;

		if (w->n == PATHS_MAX)
			return run_fail(w->run, SEGUE_EXIT_USAGE, "usage",
			    "more than %d paths", PATHS_MAX);
		buf_add_str(&path, one);
		ok = !path.failed && one.p[0] == '/' &&
		    web_resolve(base, path.p, &w->url[w->n++]);
		buf_free(&path);
		if (!ok)
			return run_fail(w->run, SEGUE_EXIT_USAGE, "usage",
			    "\"" STR_FMT "\" is no path that begins with /",
			    STR_ARG(one));
	}
	return w->n > 0
	    ? SEGUE_EXIT_DONE
	    : run_fail(w->run, SEGUE_EXIT_USAGE, "usage", "no path is given");
}

static void
ask(struct warm *w, const char *url)
{
	struct web_call c = { .url = url };

	if (!web_call(w->web, &c))
		(void)snprintf(w->why, sizeof(w->why), "%s", c.why);
	else if (c.status >= 400)
		(void)snprintf(w->why, sizeof(w->why), "%.200s answers %ld",
		    url, c.status);
	else
		w->took_us[w->n_took++] = c.took_us;
	w->n_failed += c.why[0] != '\0' || c.status >= 400;
	web_call_free(&c);
}

/* True: it has settled. */
static bool
go_round(struct warm *w)
{
	uint64_t bound_us = args_has(&w->run->args, OPT_BELOW)
	    ? w->run->args.number[OPT_BELOW]
	    : 0;
	char median[UNITS_MAX];
	uint64_t us;

	w->n_took = w->n_failed = 0;
	for (size_t i = 0; i < w->n; i++)
		for (size_t t = 0; t < TIMES && clock_mono_us() < w->end_us;
		     t++)
			ask(w, w->url[i].p);
	if (w->n_took + w->n_failed < w->n * TIMES)
		return false; /* the time is over: that was no round */
	us = settle_median(w->took_us, w->n_took);
	(void)units_duration_round(us, median);
	w->rounds++;
	w->last_failed = w->n_failed;
	if (w->n_failed > 0) {
		if (strcmp(w->why, w->told) != 0)
			run_say(w->run, "round %u: %zu of %zu failed: %s",
			    w->rounds, w->n_failed, w->n * TIMES, w->why);
		str_copy(str_of(w->why), w->told, sizeof(w->told));
		settle_failed(&w->settle);
		return false;
	}
	run_say(w->run, "round %u: %zu answers, half of them within %s",
	    w->rounds, w->n_took, median);
	return settle_round(&w->settle, us, bound_us);
}

static void
put(struct warm *w, bool settled)
{
	struct buf text = BUF_INIT;
	struct json_out j;

	json_begin(&j, &text);
	json_begin_object(&j);
	json_kv_bool(&j, "settled", settled);
	json_kv_u64(&j, "rounds", w->rounds);
	json_kv_u64(&j, "best_us", w->settle.best_us);
	json_kv_u64(&j, "failed", w->last_failed);
	json_kv_cstr(&j, "why", w->last_failed > 0 ? w->why : "");
	json_end_object(&j);
	run_print(w->run, buf_str(&text));
	buf_free(&text);
}

static int
end(struct warm *w, bool settled, const char *pool)
{
	int exit = pin_check(w->run, w->web, pool);

	if (exit != SEGUE_EXIT_DONE)
		return exit;
	if (w->run->json)
		put(w, settled);
	else if (settled)
		run_say(w->run, "warm after %u rounds", w->rounds);
	else
		return run_fail(w->run, SEGUE_EXIT_TIMED_OUT, "timed_out",
		    "not warm after %u rounds%s%s", w->rounds,
		    w->last_failed > 0 ? ": " : "",
		    w->last_failed > 0 ? w->why : "");
	return settled ? SEGUE_EXIT_DONE : SEGUE_EXIT_TIMED_OUT;
}

/* A session each: where they stay at an instance, it is another one's turn. */
static int
renew_session(struct warm *w, const char *url, const char *pool)
{
	uint64_t now = clock_mono_us();
	uint64_t left = w->end_us > now ? w->end_us - now : 1000;

	web_free(&w->web);
	return pin_web(w->run, url, pool, MIN(left, PIN_CALL_LIMIT_US),
	    &w->web);
}

static int
warm(struct warm *w, const char *url, const char *pool)
{
	bool settled = false;
	int exit;

	for (;;) {
		struct timespec rest = { .tv_nsec = REST_NS };

		settled = go_round(w);
		if (w->n_failed > 0)
			rest = (struct timespec){ .tv_sec = REST_FAILED_S };
		(void)fflush(w->run->out);
		if (settled || web_was_moved(w->web) ||
		    clock_mono_us() >= w->end_us)
			return end(w, settled, pool);
		(void)nanosleep(&rest, NULL);
		exit = renew_session(w, url, pool);
		if (exit != SEGUE_EXIT_DONE)
			return exit;
	}
}

int
warm_run(struct run *r)
{
	const char *url = r->args.operand[0];
	const char *pool = pin_option(r, OPT_TO, "SEGUE_TO");
	struct warm *w = calloc(1, sizeof(*w));
	int exit;

	if (w == NULL)
		return run_fail(r, SEGUE_EXIT_FAILED, "no_memory",
		    "out of memory");
	w->run = r;
	w->end_us = clock_mono_us() +
	    (args_has(&r->args, OPT_TIMEOUT) ? r->args.number[OPT_TIMEOUT]
	                                     : LIMIT_US);
	exit = renew_session(w, url, pool);
	if (exit == SEGUE_EXIT_DONE)
		exit = read_paths(w, url, r->args.operand[1]);
	if (exit == SEGUE_EXIT_DONE)
		exit = warm(w, url, pool);
	web_free(&w->web);
	for (size_t i = 0; i < w->n; i++)
		buf_free(&w->url[i]);
	free(w);
	return exit;
}
