#include "segue/act.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "segue/answer.h"
#include "segue/handlers.h"
#include "segue/run.h"
#include "segue/text.h"
#include "segue/view.h"
#include "segue/wait.h"

#define NAMES_MAX 64 /* of instances that are looked at for a nearest one */

/* ---- what is asked for ---- */

/* One row an option that goes into the body: under which key. */
static const struct {
	enum option option;
	const char *key;
} fields[] = {
	{ OPT_SERVICE, "service" },
	{ OPT_POOL, "pool" },
	{ OPT_TO, "pool" },
	{ OPT_NAME, "instance" },
	{ OPT_WEIGHT, "weight" },
	{ OPT_WHEN_READY, "when_ready" },
	{ OPT_DRAIN, "drain" },
	{ OPT_FORCE, "force" },
	{ OPT_MODE, "mode" },
	{ OPT_GRACE, "flows" },
	{ OPT_REQUESTS, "requests" },
	{ OPT_STREAMS, "streams" },
	{ OPT_WAIT, "wait" },
	{ OPT_WRITES, "writes" },
	{ OPT_ALL, "all" },
	{ OPT_REHEARSE, "rehearse" },
	{ OPT_IF_CHANGED, "if_changed" },
	{ OPT_RERUN, "rerun" },
};

/* What people say differently from the daemon: it starts a rollout, too. */
static bool
is_apply(const struct args *a)
{
	return strcmp(a->command->name, "apply") == 0;
}

/* There the pool is whose sessions they are, and --to another one. */
static bool
is_of_sessions(const struct args *a)
{
	return strcmp(a->command->name, "sessions") == 0;
}

static const char *
verb_of(const struct args *a)
{
	return is_apply(a) ? "rollout" : a->command->name;
}

static const char *
action_of(const struct args *a)
{
	return is_apply(a) ? "start" : a->operand[0];
}

static void
write_option(struct json_out *j, const struct args *a, enum option o,
    const char *key)
{
	if (!args_has(a, o))
		return;
	switch (option_rows[o].arg.kind) {
	case ARG_NONE:
		json_kv_bool(j, key, true);
		break;
	case ARG_COUNT:
		json_kv_u64(j, key, a->number[o]);
		break;
	default:
		json_kv_cstr(j, key, a->option[o]);
		break;
	}
}

static void
write_operand(struct json_out *j, const struct args *a, size_t i)
{
	char share[UNITS_MAX];

	switch (a->command->operands[i].kind) {
	case ARG_POOL:
		json_kv_cstr(j, "pool", a->operand[i]);
		break;
	case ARG_INSTANCE:
		json_kv_cstr(j, "instance", a->operand[i]);
		break;
	case ARG_ADDRESS:
		json_kv_cstr(j, "address", a->operand[i]);
		if (!args_has(a, OPT_NAME))
			json_kv_cstr(j, "instance", a->operand[i]);
		break;
	case ARG_TEXT:
	case ARG_WORD:
		json_kv_cstr(j, a->command->operands[i].key, a->operand[i]);
		break;
	case ARG_SHARE:
		units_share((uint32_t)a->operand_number[i], share);
		json_kv_cstr(j, "share", share);
		break;
	default:
		break;
	}
}

void
act_write_body(const struct args *a, const char *pool, struct buf *out)
{
	struct json_out j;

	json_begin(&j, out);
	json_begin_object(&j);
	json_kv_cstr(&j, "verb", verb_of(a));
	if (is_apply(a))
		json_kv_cstr(&j, "action", action_of(a));
	for (size_t i = 0; i < a->n_operands; i++)
		write_operand(&j, a, i);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		write_option(&j, a, fields[i].option,
		    fields[i].option == OPT_TO && is_of_sessions(a)
		        ? "to"
		        : fields[i].key);
	if (pool != NULL && pool[0] != '\0' && !args_has(a, OPT_POOL))
		json_kv_cstr(&j, "pool", pool);
	if (args_has(a, OPT_WAIT) && a->number[OPT_TIMEOUT] > 0)
		json_kv_u64(&j, "wait_us", a->number[OPT_TIMEOUT]);
	json_end_object(&j);
}

/* ---- what is told ---- */

/* Words for the result; verb is the command's name. */
static void
write_switched(const struct args *a, struct buf *out)
{
	bool waits = args_has(a, OPT_WAIT);
	bool later = args_has(a, OPT_WHEN_READY) && !waits;

	if (later)
		buf_printf(out, "%s serves all new sessions once it is ready",
		    a->operand[0]);
	else
		buf_printf(out, "%s serves all new sessions", a->operand[0]);
	if (!args_has(a, OPT_DRAIN))
		return;
	buf_add_cstr(out,
	    waits ? "; those that served before are drained and may be stopped"
	        : later ? "; then those that served before drain"
	                : "; those that served before drain");
}

static void
write_admin(const char *name, const char *word, struct buf *out)
{
	static const struct {
		const char *word, *says;
	} rows[] = { { "in", "is in" },
		{ "drain", "gets nothing new; its work ends" },
		{ "maint", "is out for maintenance" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].word, word) == 0)
			buf_printf(out, "%s %s", name, rows[i].says);
}

static void
write_rollout(const struct args *a, struct buf *out)
{
	static const struct {
		const char *word, *says;
	} rows[] = { { "pause", "paused" }, { "resume", "it goes on" },
		{ "approve", "approved; it goes on" },
		{ "skip", "skipped; it goes on with the next step" },
		{ "retry", "the step begins anew" },
		{ "abort", "given up; traffic stays as it is" },
		{ "rollback",
		    "the shares of before are back; the new pool drains" } };

	if (strcmp(action_of(a), "start") == 0)
		buf_printf(out,
		    "the %s to %s has begun; \"segue rollout "
		    "status\" shows where it is",
		    args_has(a, OPT_REHEARSE) ? "rehearsal of a rollout"
		                              : "rollout",
		    a->option[OPT_TO]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].word, action_of(a)) == 0)
			buf_add_cstr(out, rows[i].says);
}

static void
write_sessions(const struct args *a, struct buf *out)
{
	bool evict = strcmp(a->operand[0], "evict") == 0;

	if (a->n_operands > 1)
		buf_printf(out, "session %s goes", a->operand[1]);
	else if (args_has(a, OPT_ALL))
		buf_add_cstr(out, "all sessions go");
	else
		buf_printf(out, "the sessions of %s go", a->option[OPT_POOL]);
	if (args_has(a, OPT_TO))
		buf_printf(out, " to %s", a->option[OPT_TO]);
	else
		buf_add_cstr(out, " where the shares place them");
	buf_printf(out,
	    evict ? " with the next request" : " at the next safe point");
}

static void
write_moved(const struct args *a, struct buf *out)
{
	const char *verb = verb_of(a), *first = a->operand[0];
	char share[UNITS_MAX];

	if (strcmp(verb, "rollout") == 0) {
		write_rollout(a, out);
	} else if (is_of_sessions(a)) {
		write_sessions(a, out);
	} else if (strcmp(verb, "share") == 0) {
		units_share((uint32_t)a->operand_number[1], share);
		buf_printf(out, "%s gets %s of new sessions", first, share);
	} else if (strcmp(verb, "drain") == 0) {
		buf_printf(out,
		    args_has(a, OPT_WAIT)
		        ? "%s is drained and may be stopped"
		        : "%s drains; it may be stopped once it is drained",
		    first);
	} else if (strcmp(verb, "undrain") == 0) {
		buf_printf(out, "%s drains no longer", first);
	} else if (strcmp(verb, "instance") == 0) {
		write_admin(first, a->operand[1], out);
	} else if (strcmp(verb, "add-instance") == 0) {
		buf_printf(out,
		    "%s was added to %s and serves once it is ready",
		    a->operand[1], first);
	} else if (strcmp(verb, "hold") == 0) {
		buf_printf(out, "%s wait%s",
		    args_has(a, OPT_WRITES) ? "requests that may change "
		                              "something"
		                            : "requests",
		    args_has(a, OPT_WAIT)
		        ? ", and none of them is on its way any more"
		        : "; \"segue release\" sends them on");
	} else if (strcmp(verb, "release") == 0) {
		buf_add_cstr(out, "what was held is being sent on");
	} else if (strcmp(verb, "remove-instance") == 0) {
		buf_printf(out, "%s was removed", first);
	} else {
		buf_add_cstr(out, "done");
	}
}

void
act_write_done(const struct args *a, struct buf *out)
{
	if (strcmp(a->command->name, "switch") == 0)
		write_switched(a, out);
	else
		write_moved(a, out);
}

void
act_write_name(const struct args *a, struct buf *out)
{
	bool is_switch = strcmp(a->command->name, "switch") == 0;

	if (strcmp(verb_of(a), "rollout") == 0) {
		buf_add_cstr(out, "the rollout");
		return;
	}
	buf_printf(out, "the %s %s %s", a->command->name,
	    is_switch ? "to" : "of", a->operand[0]);
}

static void
say_done(struct run *r, const struct answer *answer)
{
	const char *message = json_get_text(answer->doc, "message", "");
	const char *behind = json_get_text(answer->doc, "behind", "");
	int64_t took = json_get_int(answer->doc, "took_us", -1);
	struct buf said = BUF_INIT, clean = BUF_INIT;
	char text[UNITS_MAX];

	if (message[0] != '\0')
		buf_add_cstr(&said, message);
	else
		act_write_done(&r->args, &said);
	if (behind[0] != '\0')
		buf_printf(&said,
		    "; but of the proxies of the cluster %s may still serve as "
		    "before",
		    behind);
	text_clean(&clean, buf_str(&said));
	if (args_has(&r->args, OPT_WAIT) && took >= 0) {
		units_duration_round((uint64_t)took, text);
		buf_printf(&clean, " (took %s)", text);
	}
	run_say(r, STR_FMT, STR_ARG(clean));
	buf_free(&said);
	buf_free(&clean);
}

/* ---- which pool ---- */

struct search {
	const char *wanted;
	struct {
		const char *service, *pool;
	} found[2]; /* the first two that have it */
	size_t n_found;
	const char *names[NAMES_MAX];
	size_t n_names;
};

static void
look_in(struct search *s, const struct json *service, const struct json *pool)
{
	const struct json *list = json_get(pool, "instances");

	for (size_t i = 0; i < json_len(list); i++) {
		const char *n = json_get_text(json_at(list, i), "name", "");

		if (s->n_names < NAMES_MAX)
			s->names[s->n_names++] = n;
		if (strcmp(n, s->wanted) != 0 ||
		    s->n_found >= ARRAY_LEN(s->found))
			continue;
		s->found[s->n_found].service = json_get_text(service, "name",
		    "");
		s->found[s->n_found].pool = json_get_text(pool, "name", "");
		s->n_found++;
	}
}

static void
look_everywhere(struct search *s, const struct json *status, const char *only)
{
	const struct json *services = json_get(status, "services");

	for (size_t i = 0; i < json_len(services); i++) {
		const struct json *service = json_at(services, i);
		const struct json *pools = json_get(service, "pools");

		if (only != NULL &&
		    strcmp(json_get_text(service, "name", ""), only) != 0)
			continue;
		for (size_t k = 0; k < json_len(pools); k++)
			look_in(s, service, json_at(pools, k));
	}
}

/* Two have it: what tells them apart must be named. */
static void
explain_twins(const struct search *s, char *why, size_t cap)
{
	const char *first = s->found[0].service;
	const char *second = s->found[1].service;

	if (strcmp(first, second) != 0)
		(void)snprintf(why, cap,
		    "services %s and %s both have an instance %s; name one "
		    "with --service",
		    first, second, s->wanted);
	else
		(void)snprintf(why, cap,
		    "pools %s and %s both have an instance %s; name one with "
		    "--pool",
		    s->found[0].pool, s->found[1].pool, s->wanted);
}

static void
explain_none(const struct search *s, char *why, size_t cap)
{
	const char *near = str_nearest(str_of(s->wanted), s->names, s->n_names);

	(void)snprintf(why, cap, "no pool has an instance %s%s%s%s", s->wanted,
	    near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
	    near == NULL ? "" : "?");
}

const char *
act_pool_of(const struct json *status, const struct args *a,
    const char *instance, char *why, size_t cap)
{
	struct search s = { .wanted = instance };

	look_everywhere(&s, status, a->option[OPT_SERVICE]);
	if (s.n_found == 1)
		return s.found[0].pool;
	if (s.n_found == 0)
		explain_none(&s, why, cap);
	else
		explain_twins(&s, why, cap);
	return NULL;
}

/* ---- doing it ---- */

static int
send_command(struct run *r, const char *pool)
{
	struct buf body = BUF_INIT, name = BUF_INIT;
	struct answer a;
	int exit;

	act_write_body(&r->args, pool, &body);
	act_write_name(&r->args, &name);
	if (body.failed || name.failed)
		exit = run_fail(r, SEGUE_EXIT_FAILED, "no_memory",
		    "out of memory");
	else if (args_has(&r->args, OPT_WAIT))
		exit = wait_post(r, buf_str(&body), name.p, &a);
	else
		exit = answer_post(r, ADMIN_COMMAND, buf_str(&body),
		    ANSWER_COMMAND_LIMIT_US, &a);
	buf_free(&body);
	buf_free(&name);
	if (exit != SEGUE_EXIT_DONE)
		return exit;
	if (r->json)
		run_print(r, buf_str(&a.text));
	else
		say_done(r, &a);
	answer_free(&a);
	return exit;
}

/* --mode and the clocks are a drain's. */
static const char *
stray_clock(const struct args *a)
{
	static const enum option clocks[] = { OPT_MODE, OPT_GRACE, OPT_REQUESTS,
		OPT_STREAMS };

	if (args_has(a, OPT_DRAIN) || strcmp(a->command->name, "switch") != 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(clocks); i++)
		if (args_has(a, clocks[i]))
			return option_rows[clocks[i]].name;
	return NULL;
}

static bool
needs_pool(const struct args *a)
{
	return a->command->operands[0].kind == ARG_INSTANCE &&
	    !args_has(a, OPT_POOL);
}

/* Words that change nothing. */
static bool
is_look(const char *action)
{
	static const char *const looks[] = { "status", "watch", "report",
		"page", "history" };

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (strcmp(action, looks[i]) == 0)
			return true;
	return false;
}

int
rollout_run(struct run *r)
{
	const struct args *a = &r->args;
	const char *action = a->operand[0];
	bool starts = strcmp(action, "start") == 0;
	static const enum option of_start[] = { OPT_REHEARSE, OPT_IF_CHANGED,
		OPT_RERUN };

	if (starts != args_has(a, OPT_TO))
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    starts ? "rollout start needs --to POOL"
		           : "--to is for rollout start");
	for (size_t i = 0; i < ARRAY_LEN(of_start) && !starts; i++)
		if (args_has(a, of_start[i]))
			return run_fail(r, SEGUE_EXIT_USAGE, "usage",
			    "--%s is for rollout start",
			    option_rows[of_start[i]].name);
	if (args_has(a, OPT_FORCE) && strcmp(action, "rollback") != 0)
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    "--force is for rollout rollback");
	if (!is_look(action))
		return act_command(r);
	if (args_has(a, OPT_WAIT))
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    "rollout status does not wait; \"segue events -f\" shows "
		    "what happens");
	return see_rollout(r);
}

int
apply_run(struct run *r)
{
	if (!args_has(&r->args, OPT_TO))
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    "apply needs --to POOL");
	return act_command(r);
}

/* Whose are they?  Exactly one of three ways to say it. */
static int
check_whose(struct run *r)
{
	const struct args *a = &r->args;
	int n = args_has(a, OPT_POOL) + args_has(a, OPT_ALL) +
	    (a->n_operands > 1);

	if (n == 1)
		return SEGUE_EXIT_DONE;
	return run_fail(r, SEGUE_EXIT_USAGE, "usage",
	    "sessions %s: whose?  Either --pool POOL, or --all, or the KEY of "
	    "one, as \"segue sessions list\" shows them",
	    a->operand[0]);
}

int
sessions_run(struct run *r)
{
	static const enum option of_orders[] = { OPT_TO, OPT_ALL, OPT_FORCE };
	const struct args *a = &r->args;
	const char *word = a->n_operands == 0 ? "" : a->operand[0];
	bool orders = strcmp(word, "move") == 0 || strcmp(word, "evict") == 0;
	int exit;

	for (size_t i = 0; i < ARRAY_LEN(of_orders) && !orders; i++)
		if (args_has(a, of_orders[i]))
			return run_fail(r, SEGUE_EXIT_USAGE, "usage",
			    "--%s is for sessions move and evict",
			    option_rows[of_orders[i]].name);
	if (args_has(a, OPT_LAST) && strcmp(word, "list") != 0)
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    "--last is for sessions list");
	if (!orders)
		return see_sessions(r);
	exit = check_whose(r);
	return exit == SEGUE_EXIT_DONE ? act_command(r) : exit;
}

int
act_command(struct run *r)
{
	const char *stray = stray_clock(&r->args), *pool;
	struct answer status;
	char why[512];
	int exit;

	if (stray != NULL)
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    "--%s is for a drain; add --drain", stray);
	if (!needs_pool(&r->args))
		return send_command(r, NULL);
	exit = answer_get_doc(r, ADMIN_STATUS, &status);
	if (exit != SEGUE_EXIT_DONE)
		return exit;
	pool = act_pool_of(status.doc, &r->args, r->args.operand[0], why,
	    sizeof(why));
	exit = pool == NULL
	    ? run_fail(r, SEGUE_EXIT_USAGE, "no_instance", "%s", why)
	    : send_command(r, pool);
	answer_free(&status);
	return exit;
}
