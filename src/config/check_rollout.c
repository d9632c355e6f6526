/*
 * The steps of a rollout: each has what it needs and nothing else, and they
 * follow one another.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/presets.h"

/* A value that one kind of step needs and the others do not have. */
static void
check_value(struct problems *p, const struct where *step, bool needed,
    bool given, const char *key, const char *expected)
{
	struct where w = where_key(step, key);

	if (needed && !given)
		problem_error(p, &w, "is missing; %s is expected", expected);
	if (!needed && given)
		problem_error(p, &w, "this step has no such value");
}

/* ---- jobs ---- */

static bool
is_step_of_job(const struct cfg_step *s)
{
	static const bool of_job[CFG_STEP_COUNT] = { [CFG_STEP_JOB] = true,
		[CFG_STEP_WARM] = true,
		[CFG_STEP_VERIFY] = true,
		[CFG_STEP_NOTIFY] = true,
		[CFG_STEP_ROLL] = true };

	return of_job[s->kind] ||
	    (s->kind == CFG_STEP_CHECK && s->by == CFG_BY_JOB);
}

static const char *
nearest_job(const struct cfg_rollout *r, const char *name)
{
	const char *names[CFG_JOBS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < r->n_jobs; i++)
		if (r->jobs[i].name != NULL)
			names[n++] = r->jobs[i].name;
	return str_nearest(str_of(name), names, n);
}

static void
check_job_of(struct problems *p, const struct cfg_service *s,
    const struct cfg_step *step, const struct where *w)
{
	struct where at = where_key(w, "job");
	const struct cfg_job *job = step->job == NULL
	    ? NULL
	    : cfg_job_find(s, str_of(step->job));
	char near[PROBLEM_TEXT_MAX];

	check_value(p, w, is_step_of_job(step), step->job != NULL, "job",
	    "the name of a job");
	if (is_step_of_job(step) && step->kind != CFG_STEP_JOB &&
	    step->kind != CFG_STEP_ROLL && job != NULL &&
	    job->once != CFG_ONCE_NO)
		problem_error(p, &at,
		    "this step is made each time, and %s is done once",
		    job->name);
	if (step->kind == CFG_STEP_ROLL && job != NULL &&
	    job->once != CFG_ONCE_NO)
		problem_error(p, &at,
		    "each instance needs a run of it, and %s is done once",
		    job->name);
	if (step->job != NULL && job == NULL)
		problem_error(p, &at, "there is no job %s%s", step->job,
		    problem_did_you_mean(nearest_job(&s->rollout, step->job),
		        near));
}

/* Were all elements good?  Else those that were do not stand where they did. */
static bool
is_whole(const struct where *list, size_t n)
{
	return where_item(list, n).node == NULL;
}

/* No shell and no PATH stands between: what is run is what is written. */
static void
check_command(struct problems *p, const struct where *job, const char *key,
    char *const *words, size_t n)
{
	struct where list = where_key(job, key);
	struct where first = where_item(&list, 0);
	char text[PROBLEM_TEXT_MAX];

	if (n == 0 || !is_whole(&list, n))
		return;
	if (words[0][0] != '/')
		problem_error(p, &first,
		    "%s is not the path of a program, which begins with \"/\"",
		    problem_text(words[0], text));
	else if (n == 1 && strchr(words[0], ' ') != NULL)
		problem_warn(p, &first,
		    "%s is one program's path; arguments are elements of "
		    "their own, as in [/bin/sh, -c, TEXT]",
		    problem_text(words[0], text));
}

static bool
is_variable(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n > 0 && s[n] == '=' && !isdigit((unsigned char)s[0]);
}

static void
check_env(struct problems *p, const struct cfg_job *j, const struct where *job)
{
	struct where list = where_key(job, "env");

	if (!is_whole(&list, j->n_env))
		return;
	for (size_t i = 0; i < j->n_env; i++) {
		struct where w = where_item(&list, i);

		if (!is_variable(j->env[i]))
			problem_error(p, &w, "this is not NAME=value");
		else if (strncmp(j->env[i], "SEGUE_", 6) == 0)
			problem_error(p, &w,
			    "names that begin with SEGUE_ are segued's own");
	}
}

static bool
has_status(const unsigned *list, size_t n, unsigned status)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == status)
			return true;
	return false;
}

/* Each says one thing. */
static void
check_statuses(struct problems *p, const struct cfg_job *j,
    const struct where *job)
{
	struct where ask = where_key(job, "ask");
	struct where again = where_key(job, "again");

	for (size_t i = 0; i < j->n_ask; i++)
		if (has_status(j->ok, j->n_ok, j->ask[i]))
			problem_error(p, &ask, "%u is in ok, too", j->ask[i]);
	for (size_t i = 0; i < j->n_again; i++)
		if (has_status(j->ok, j->n_ok, j->again[i]) ||
		    has_status(j->ask, j->n_ask, j->again[i]))
			problem_error(p, &again, "%u is in ok or ask, too",
			    j->again[i]);
}

/* What ZITADEL's runtime does first when it is started so. */
static const char *
own_setup(const struct cfg_job *j)
{
	for (size_t i = 0; i < j->n_command; i++)
		if (strstr(j->command[i], "start-from-init") != NULL ||
		    strstr(j->command[i], "start-from-setup") != NULL)
			return j->command[i];
	return NULL;
}

/* A phase that is a job of its own is not done by each instance again. */
static void
check_twice(struct problems *p, const struct cfg_rollout *r, size_t at,
    const struct where *job)
{
	struct where w = where_key(job, "command");

	if (own_setup(&r->jobs[at]) == NULL)
		return;
	for (size_t i = 0; i < r->n_jobs; i++)
		if (i != at && r->jobs[i].once != CFG_ONCE_NO) {
			problem_warn(p, &w,
			    "each start does init and setup again, which job "
			    "%s does once; ZITADEL's command for that is start",
			    r->jobs[i].name == NULL ? "" : r->jobs[i].name);
			return;
		}
}

static void
check_jobs(struct problems *p, const struct cfg_rollout *r,
    const struct where *in)
{
	struct where list = where_key(in, "jobs");
	struct texts names;

	for (size_t i = 0; i < r->n_jobs; i++) {
		const struct cfg_job *j = &r->jobs[i];
		struct where w = where_item(&list, i);

		check_command(p, &w, "command", j->command, j->n_command);
		check_command(p, &w, "when", j->when, j->n_when);
		check_command(p, &w, "rehearse", j->rehearse, j->n_rehearse);
		check_env(p, j, &w);
		check_statuses(p, j, &w);
		check_twice(p, r, i, &w);
	}
	if (r->n_jobs < 2)
		return;
	names = TEXTS_OF(r->jobs, r->n_jobs, name);
	check_twins(p, &list, &names, "name", NULL);
}

/* ---- steps ---- */

/* Is nobody held at the end of the way whose steps are not of the other? */
static bool
is_released(const struct cfg_rollout *r, enum cfg_only other)
{
	bool held = false;

	for (size_t i = 0; i < r->n_steps; i++) {
		const struct cfg_step *step = &r->steps[i];

		if (step->only == other)
			continue;
		held |= step->kind == CFG_STEP_HOLD;
		held &= step->kind != CFG_STEP_RELEASE;
	}
	return !held;
}

/* Nothing that serves may be gone, and nobody may wait for ever. */
static void
check_holds(struct problems *p, const struct cfg_rollout *r,
    const struct where *list)
{
	const struct cfg_step *held = NULL;

	for (size_t i = 0; i < r->n_steps; i++) {
		const struct cfg_step *step = &r->steps[i];
		struct where w = where_item(list, i);

		if (step->kind == CFG_STEP_HOLD)
			held = step;
		if (step->kind == CFG_STEP_RELEASE && held == NULL)
			problem_error(p, &w, "nothing is held before it");
		if (step->kind == CFG_STEP_RELEASE)
			held = NULL;
		if (step->kind == CFG_STEP_GONE &&
		    (held == NULL || held->writes_only))
			problem_warn(p, &w,
			    "requests are not held while those that serve are "
			    "gone");
		w = where_key(&w, "writes_only");
		if (step->writes_only && step->kind != CFG_STEP_HOLD)
			problem_error(p, &w, "this step has no such value");
	}
	if (held != NULL)
		problem_error(p, list,
		    "what is held must be released: a step release is missing");
	else if (!is_released(r, CFG_ONLY_RECREATE))
		problem_error(p, list,
		    "what is held must be released: a step release is missing "
		    "where the versions may run side by side");
	else if (!is_released(r, CFG_ONLY_ROLLING))
		problem_error(p, list,
		    "what is held must be released: a step release is missing "
		    "where the versions must not run side by side");
}

/* What depends on a check has one before it. */
static void
check_paths(struct problems *p, const struct cfg_rollout *r,
    const struct where *list)
{
	bool checked = false;

	for (size_t i = 0; i < r->n_steps; i++) {
		const struct cfg_step *step = &r->steps[i];
		struct where w = where_item(list, i);
		struct where only = where_key(&w, "only");
		struct where by = where_key(&w, "by");

		if (step->only != CFG_ONLY_ALWAYS && !checked)
			problem_error(p, &only,
			    "no step check before it says which it is");
		if (step->by != CFG_BY_JOB && step->kind != CFG_STEP_CHECK)
			problem_error(p, &by, "this step has no such value");
		checked |= step->kind == CFG_STEP_CHECK;
	}
}

static void
check_order(struct problems *p, const struct cfg_rollout *r,
    const struct where *list)
{
	bool promoted = false, drained = false, renews = false;

	for (size_t i = 0; i < r->n_steps; i++) {
		const struct cfg_step *step = &r->steps[i];
		struct where w = where_item(list, i);

		if (step->kind == CFG_STEP_DRAIN && !promoted)
			problem_error(p, &w,
			    "the others would drain while they serve; promote "
			    "comes first");
		if (step->kind == CFG_STEP_RETIRE && !drained)
			problem_error(p, &w,
			    "only a drained pool is retired; drain comes "
			    "first");
		drained |= step->kind == CFG_STEP_DRAIN;
		if (step->kind == CFG_STEP_SHARE && promoted)
			problem_error(p, &w,
			    "it has all of new sessions since promote");
		promoted |= step->kind == CFG_STEP_PROMOTE;
		renews |= step->kind == CFG_STEP_ROLL;
	}
	if (r->n_steps > 0 && !promoted && !renews)
		problem_warn(p, list,
		    "without promote both pools serve when it is done");
}

static void
check_requires(struct problems *p, const struct cfg_service *s,
    const struct where *service)
{
	struct where list = where_key(service, "pools");

	for (size_t i = 0; i < s->n_pools; i++) {
		const char *name = s->pools[i].requires;
		struct where w = check_where(&list, i, "requires");

		if (name == NULL)
			continue;
		if (cfg_pool_find(s, str_of(name)) == NULL)
			problem_error(p, &w, "there is no pool %s", name);
		else if (s->pools[i].name != NULL &&
		    strcmp(name, s->pools[i].name) == 0)
			problem_error(p, &w, "it is this one");
	}
}

static bool
is_among(const struct cfg_step *steps, size_t n, const char *job)
{
	for (size_t i = 0; i < n; i++)
		if (steps[i].job != NULL && strcmp(steps[i].job, job) == 0)
			return true;
	return false;
}

/* What a strategy has run must be there. */
static void
check_strategy(struct problems *p, const struct cfg_service *s,
    const struct where *strategy)
{
	const struct cfg_rollout *r = &s->rollout;
	size_t n = 0;
	const struct cfg_step *steps = cfg_steps(r, &n);

	if (r->n_steps > 0)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct cfg_job *job = steps[i].job == NULL
		    ? NULL
		    : cfg_job_find(s, str_of(steps[i].job));

		if (steps[i].job == NULL || !cfg_step_is_there(s, &steps[i]) ||
		    is_among(steps, i, steps[i].job)) /* was told of it */
			continue;
		if (job == NULL)
			problem_error(p, strategy,
			    "it runs a job %s, and there is none of that name "
			    "among the jobs",
			    steps[i].job);
		else if (steps[i].kind != CFG_STEP_JOB &&
		    job->once != CFG_ONCE_NO)
			problem_error(p, strategy,
			    "it runs job %s as often as it is needed, and that "
			    "is done once",
			    job->name);
	}
}

/* A name that a step asks for; those of a strategy are asked for at will. */
static const char *
nearest_asked(const struct cfg_step *steps, size_t n, const char *job)
{
	const char *names[CFG_STEPS_MAX];
	size_t n_names = 0;

	for (size_t i = 0; i < n && n_names < CFG_STEPS_MAX; i++)
		if (steps[i].job != NULL)
			names[n_names++] = steps[i].job;
	return str_nearest(str_of(job), names, n_names);
}

/* Of a strategy, a gate whose name is mistyped is none. */
static void
check_idle_jobs(struct problems *p, const struct cfg_service *s,
    const struct where *in)
{
	const struct cfg_rollout *r = &s->rollout;
	struct where list = where_key(in, "jobs");
	size_t n = 0;
	const struct cfg_step *steps = cfg_steps(r, &n);

	if (r->n_steps > 0 || !is_whole(&list, r->n_jobs))
		return;
	for (size_t i = 0; i < r->n_jobs; i++) {
		const char *name = r->jobs[i].name, *near = NULL;
		struct where w = check_where(&list, i, "name");

		if (name != NULL && !is_among(steps, n, name))
			near = nearest_asked(steps, n, name);
		if (near != NULL && cfg_job_find(s, str_of(near)) == NULL)
			problem_warn(p, &w,
			    "no step of the strategy runs it; did you mean %s?",
			    near);
	}
}

/* What an analysis alone looks at. */
static void
check_logins(struct problems *p, const struct cfg_service *s,
    const struct cfg_step *step, const struct where *w)
{
	struct where logins = where_key(w, "logins");

	if (step->logins_pct == 0)
		return;
	if (step->kind != CFG_STEP_ANALYZE)
		problem_warn(p, &logins, "this step does not look at it");
	else if (s->logins.n_begin == 0)
		problem_warn(p, &logins,
		    "none is counted: the service does not say where they "
		    "begin (logins.begin)");
	else if (s->sticky_scope == CFG_STICKY_NONE)
		problem_warn(p, &logins,
		    "none is counted: the service pins no session");
}

/* It asks for something. */
static void
check_window(struct problems *p, const struct cfg_step *s,
    const struct where *w)
{
	bool is = s->kind == CFG_STEP_WINDOW;
	struct where from = where_key(w, "from");

	check_value(p, w, false, !is && s->from != 0, "from", "");
	check_value(p, w, false, !is && s->until != 0, "until", "");
	check_value(p, w, false, !is && s->below != 0, "below", "");
	/* What is given and 00:00 may be what could not be read. */
	if (is && s->from == s->until && s->below == 0 &&
	    (s->from != 0 || !where_is_given(&from)))
		problem_error(p, w,
		    "a window needs from and until, or below; else it is "
		    "always open");
}

void
check_rollout(struct problems *p, const struct cfg_service *s,
    const struct where *service)
{
	const struct cfg_rollout *r = &s->rollout;
	struct where in = where_key(service, "rollout");
	struct where list = where_key(&in, "steps");
	struct where strategy = where_key(&in, "strategy");

	for (size_t i = 0; i < r->n_steps; i++) {
		struct where w = where_item(&list, i);

		if (r->steps[i].kind != CFG_STEP_MIRROR)
			check_value(p, &w, r->steps[i].kind == CFG_STEP_SHARE,
			    r->steps[i].share_bp > 0, "share", "a percentage");
		else if (s->n_mirror == 0)
			problem_error(p, &w,
			    "the service says of no path that its requests may "
			    "be copied (mirror)");
		check_value(p, &w, false,
		    r->steps[i].surge && r->steps[i].kind != CFG_STEP_ROLL,
		    "surge", "");
		check_value(p, &w, false,
		    r->steps[i].deadline_us > 0 &&
		        r->steps[i].kind == CFG_STEP_NOTIFY,
		    "deadline", "");
		check_window(p, &r->steps[i], &w);
		check_logins(p, s, &r->steps[i], &w);
		if (r->steps[i].kind != CFG_STEP_HOLD &&
		    r->steps[i].kind != CFG_STEP_ROLL)
			check_value(p, &w,
			    r->steps[i].kind == CFG_STEP_PAUSE ||
			        r->steps[i].kind == CFG_STEP_ANALYZE ||
			        r->steps[i].kind == CFG_STEP_MIRROR,
			    r->steps[i].for_us > 0, "for", "a duration");
		check_job_of(p, s, &r->steps[i], &w);
	}
	check_order(p, r, &list);
	check_paths(p, r, &list);
	check_holds(p, r, &list);
	check_strategy(p, s, &strategy);
	check_jobs(p, r, &in);
	check_idle_jobs(p, s, &in);
	check_requires(p, s, service);
	if (r->n_steps > 0 && where_is_given(&strategy))
		problem_warn(p, &strategy,
		    "this means nothing where steps are listed");
}
