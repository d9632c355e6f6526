#include "rollout/steps.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/units.h"
#include "config/presets.h"

#define MINUTE (60 * US_PER_S)
#define SEED UINT64_C(0xf17)

#define X(id, name) [CFG_STEP_##id] = (name),
static const char *const kind_names[] = { CFG_STEPS(X) };
#undef X
#define X(id, name) [CFG_ONCE_##id] = (name),
static const char *const once_names[] = { CFG_ONCES(X) };
#undef X

#define X(id, name) [ROLL_##id] = (name),
static const char *const phase_names[] = { RO_ROLL_PHASES(X) };
#undef X

#define X(id, name) [RO_STAND_##id] = (name),
static const char *const stand_names[] = { RO_STANDS(X) };
#undef X

static int
index_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

const char *
steps_kind_name(enum cfg_step_kind k)
{
	return kind_names[k];
}

int
steps_kind_of(const char *name)
{
	return index_of(kind_names, ARRAY_LEN(kind_names), name);
}

const char *
steps_once_name(enum cfg_once o)
{
	return once_names[o];
}

int
steps_once_of(const char *name)
{
	return index_of(once_names, ARRAY_LEN(once_names), name);
}

const char *
steps_stand_name(enum ro_stand s)
{
	return stand_names[s];
}

int
steps_stand_of(const char *name)
{
	return index_of(stand_names, ARRAY_LEN(stand_names), name);
}

const char *
steps_phase_name(enum ro_roll_phase p)
{
	return phase_names[p];
}

int
steps_phase_of(const char *name)
{
	return index_of(phase_names, ARRAY_LEN(phase_names), name);
}

/* ---- the plan ---- */

static uint64_t
deadline_of(const struct cfg_step *s, const struct cfg_service *svc)
{
	if (s->deadline_us != 0)
		return s->deadline_us;
	switch (s->kind) {
	case CFG_STEP_READY:
	case CFG_STEP_ROLL:
		return 10 * MINUTE;
	case CFG_STEP_SHARE:
	case CFG_STEP_PROMOTE:
	case CFG_STEP_HOLD:
	case CFG_STEP_RELEASE:
	case CFG_STEP_RETIRE:
		return MINUTE;
	case CFG_STEP_GONE:
		return 5 * MINUTE;
	case CFG_STEP_WARM:
	case CFG_STEP_VERIFY:
		return 30 * MINUTE;
	case CFG_STEP_DRAIN:
		return MAX(svc->drain_flows_us + svc->drain_requests_us,
		           svc->drain_streams_us + svc->drain_spread_us) +
		    MINUTE;
	default:
		return 0;
	}
}

/* How it is run stays in the configuration, where the master finds it. */
static void
add_job(struct ro_step *to, const struct cfg_job *j)
{
	if (j == NULL)
		return;
	str_copy(str_of(j->name), to->job, sizeof(to->job));
	to->once = (uint8_t)j->once;
	to->rehearse = j->n_rehearse > 0;
}

static void
add_step(struct ro_rollout *r, const struct cfg_step *s,
    const struct cfg_service *svc)
{
	struct ro_step *to = &r->steps[r->n_steps++];

	*to = (struct ro_step){ .kind = (uint8_t)s->kind,
		.share_bp = s->share_bp,
		.for_us = s->for_us,
		.errors_pct = s->errors_pct,
		.slower_pct = s->slower_pct,
		.logins_pct = s->logins_pct,
		.requests = s->requests,
		.writes_only = s->writes_only,
		.no_return = s->no_return,
		.only = (uint8_t)s->only,
		.by = (uint8_t)s->by,
		.surge = s->surge,
		.from = (uint16_t)s->from,
		.until = (uint16_t)s->until,
		.below = s->below,
		.deadline_us = deadline_of(s, svc) };
	if (s->name != NULL)
		str_copy(str_of(s->name), to->name, sizeof(to->name));
	if (s->job != NULL)
		add_job(to, cfg_job_find(svc, str_of(s->job)));
}

static void
add_words(struct buf *out, char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_add_cstr(out, words[i]);
		buf_add_char(out, '\0');
	}
	buf_add_char(out, '\n');
}

uint64_t
steps_print(const struct cfg_service *s, const char *pool)
{
	const struct cfg_pool *p = cfg_pool_find(s, str_of(pool));
	struct buf text = BUF_INIT;
	uint64_t print;

	buf_add_cstr(&text, cfg_version_of(s, str_of(pool)));
	buf_add_char(&text, '\n');
	if (p != NULL && p->revision != NULL)
		buf_add_cstr(&text, p->revision);
	for (size_t i = 0; i < s->rollout.n_jobs; i++) {
		const struct cfg_job *j = &s->rollout.jobs[i];

		add_words(&text, &j->name, 1);
		add_words(&text, j->command, j->n_command);
		add_words(&text, j->env, j->n_env);
	}
	/* Without memory it is none that there was. */
	print = text.failed ? 1 : hash_bytes(text.p, text.len, SEED) >> 1 | 1;
	buf_free(&text);
	return print;
}

void
steps_plan(const struct cfg_service *s, const char *to, struct ro_rollout *out)
{
	size_t n;
	const struct cfg_step *steps = cfg_steps(&s->rollout, &n);

	out->on_failure = (uint8_t)s->rollout.on_failure;
	out->clocks = (struct ro_drain){ .mode = (uint8_t)s->drain_mode,
		.flows_us = s->drain_flows_us,
		.requests_us = s->drain_requests_us,
		.streams_us = s->drain_streams_us };
	str_copy(str_of(cfg_version_of(s, str_of(to))), out->version,
	    sizeof(out->version));
	out->print = steps_print(s, to);
	out->at = out->n_steps = 0;
	for (size_t i = 0; i < n && i < CFG_STEPS_MAX; i++)
		if (cfg_step_is_there(s, &steps[i]))
			add_step(out, &steps[i], s);
}

void
steps_describe(const struct ro_step *s, struct buf *out)
{
	char text[UNITS_MAX];

	if (s->name[0] != '\0')
		buf_printf(out, "%s: ", s->name);
	buf_add_cstr(out, kind_names[s->kind]);
	text[0] = '\0';
	if (s->writes_only)
		buf_add_cstr(out, " writes");
	if (s->by == CFG_BY_REVISION)
		buf_add_cstr(out, " revision");
	if (s->by == CFG_BY_VERSION)
		buf_add_cstr(out, " version");
	if (s->job[0] != '\0')
		buf_printf(out, " %s", s->job);
	if (s->surge)
		buf_add_cstr(out, " with surge");
	if (s->from != s->until)
		buf_printf(out, " %02u:%02u-%02u:%02u", s->from / 60U,
		    s->from % 60U, s->until / 60U, s->until % 60U);
	if (s->below > 0)
		buf_printf(out, " below %u/s", s->below);
	if (s->kind == CFG_STEP_MIRROR && s->share_bp > 0) {
		units_share(s->share_bp, text);
		buf_printf(out, " %s", text);
	}
	if (s->kind == CFG_STEP_SHARE)
		units_share(s->share_bp, text);
	else if (s->for_us > 0)
		units_duration(s->for_us, text);
	if (text[0] != '\0')
		buf_printf(out, " %s", text);
}

bool
steps_have(const struct ro_rollout *r, enum cfg_step_kind kind)
{
	for (size_t i = 0; i < r->n_steps; i++)
		if (r->steps[i].kind == kind)
			return true;
	return false;
}

size_t
steps_no_return(const struct ro_rollout *r)
{
	size_t i = 0;

	while (i < r->n_steps &&
	    (!r->steps[i].no_return ||
	        ((r->skipped >> i & 1) != 0 && !steps_is_past(r, i))))
		i++;
	return i;
}

bool
steps_is_past(const struct ro_rollout *r, size_t step)
{
	return step < r->n_steps && (r->begun >> step & 1) != 0;
}

uint64_t
steps_held_us(const struct ro_service *s, uint64_t wall_us)
{
	const struct ro_rollout *r = &s->rollout;
	uint64_t since = MAX(s->held_us, r->began_us); /* by hand before it */
	uint64_t now = steps_under_way(r) && !r->rehearsal && s->held_us != 0
	    ? wall_us - MIN(wall_us, since)
	    : 0;

	return r->held_us + now;
}

/* The operator knows at each moment whether there is a way back. */
static void
add_no_return(const struct ro_rollout *r, struct buf *out)
{
	size_t at = steps_no_return(r);

	if (at == r->n_steps || r->rehearsal)
		return;
	if (steps_is_past(r, at))
		buf_printf(out, ", no way back since step %zu", at + 1);
	else
		buf_printf(out, ", no way back from step %zu on", at + 1);
}

void
steps_where(const struct ro_rollout *r, struct buf *out)
{
	if (r->rehearsal)
		buf_add_cstr(out, "rehearsal, ");
	if (steps_under_way(r)) {
		buf_printf(out, "step %zu of %zu, ", r->at + 1, r->n_steps);
		steps_describe(&r->steps[r->at], out);
		if (r->roll.now[0] != '\0')
			buf_printf(out, " at %s", r->roll.now);
		if (r->stand == RO_STAND_PAUSED)
			buf_add_cstr(out, ", paused");
		add_no_return(r, out);
	} else if (r->stand == RO_STAND_ROLLED_BACK) {
		buf_add_cstr(out, "rolled back");
	} else {
		buf_add_cstr(out, stand_names[r->stand]);
	}
	if (r->why[0] != '\0')
		buf_printf(out, ": %s", r->why);
}
