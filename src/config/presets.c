#include "config/presets.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/str.h"

#define MINUTE (60 * US_PER_S)

/* clang-format off */
#define NAMED(text) (char[]){ text }

/* Whoever has a job of that name wants it. */
#define IF_NAMED(step, name_)                                                  \
	{ .kind = CFG_STEP_##step, .job = NAMED(name_), .optional = true }
/* What no check of the vendor's looks into. */
#define KNOWN IF_NAMED(JOB, "unchecked")
/* A pool that is ready is not yet one that users may be sent to. */
#define PROVEN                                                                 \
	{ .kind = CFG_STEP_READY }, IF_NAMED(WARM, "warm"),                    \
	IF_NAMED(VERIFY, "verify")
#define TOLD IF_NAMED(NOTIFY, "notify")

static const struct cfg_step blue_green[] = {
	KNOWN,
	PROVEN,
	{ .kind = CFG_STEP_PROMOTE },
	{ .kind = CFG_STEP_DRAIN },
	TOLD,
};

#define ANALYZE_10M                                                            \
	.kind = CFG_STEP_ANALYZE, .for_us = 10 * MINUTE, .errors_pct = 2,      \
	.requests = 100

static const struct cfg_step canary[] = {
	KNOWN,
	PROVEN,
	{ .kind = CFG_STEP_SHARE, .share_bp = 500 },
	{ ANALYZE_10M },
	{ .kind = CFG_STEP_SHARE, .share_bp = 2500 },
	{ ANALYZE_10M },
	{ .kind = CFG_STEP_SHARE, .share_bp = 5000 },
	{ ANALYZE_10M },
	{ .kind = CFG_STEP_PROMOTE },
	{ .kind = CFG_STEP_DRAIN },
	TOLD,
};

static const struct cfg_step rolling[] = {
	KNOWN,
	{ .kind = CFG_STEP_ROLL, .job = NAMED("restart") },
	IF_NAMED(VERIFY, "verify"),
	TOLD,
};

/* The way of versions that must not run side by side. */
#define STOPPED(when)                                                          \
	{ .kind = CFG_STEP_HOLD, .for_us = 5 * MINUTE, .only = (when) },       \
	{ .kind = CFG_STEP_JOB, .job = NAMED("stop"), .only = (when) },        \
	{ .kind = CFG_STEP_GONE, .only = (when) },                             \
	{ .kind = CFG_STEP_JOB, .job = NAMED("start"), .no_return = true,      \
	    .only = (when) }

static const struct cfg_step recreate[] = {
	KNOWN,
	STOPPED(CFG_ONLY_ALWAYS),
	PROVEN,
	{ .kind = CFG_STEP_PROMOTE },
	{ .kind = CFG_STEP_RELEASE },
	TOLD,
};

/* What a check finds decides between the two. */
#define CHECKED(...)                                                           \
	KNOWN,                                                                 \
	{ .kind = CFG_STEP_CHECK, __VA_ARGS__ },                               \
	STOPPED(CFG_ONLY_RECREATE),                                            \
	{ .kind = CFG_STEP_JOB, .job = NAMED("start"),                         \
	    .only = CFG_ONLY_ROLLING },                                        \
	PROVEN,                                                                \
	{ .kind = CFG_STEP_SHARE, .share_bp = 1000, .only = CFG_ONLY_ROLLING },\
	{ ANALYZE_10M, .only = CFG_ONLY_ROLLING },                             \
	{ .kind = CFG_STEP_PROMOTE },                                          \
	{ .kind = CFG_STEP_RELEASE, .only = CFG_ONLY_RECREATE },               \
	{ .kind = CFG_STEP_DRAIN, .only = CFG_ONLY_ROLLING },                  \
	{ .kind = CFG_STEP_JOB, .job = NAMED("stop"),                          \
	    .only = CFG_ONLY_ROLLING },                                        \
	TOLD

static const struct cfg_step by_check[] = {
	CHECKED(.by = CFG_BY_JOB, .job = NAMED("check")),
};
static const struct cfg_step by_revision[] = {
	CHECKED(.by = CFG_BY_REVISION),
};
static const struct cfg_step by_version[] = {
	CHECKED(.by = CFG_BY_VERSION),
};
/* clang-format on */

#define ROW(list)                                                              \
	{                                                                      \
		(list), ARRAY_LEN(list)                                        \
	}
static const struct {
	const struct cfg_step *steps;
	size_t n;
} presets[] = {
	[CFG_STRATEGY_BLUE_GREEN] = ROW(blue_green),
	[CFG_STRATEGY_CANARY] = ROW(canary),
	[CFG_STRATEGY_ROLLING] = ROW(rolling),
	[CFG_STRATEGY_RECREATE] = ROW(recreate),
	[CFG_STRATEGY_AUTO] = ROW(by_check),
	[CFG_STRATEGY_EXPLICIT] = ROW(by_revision),
	[CFG_STRATEGY_RECREATE_ON_CHANGE] = ROW(by_version),
};

const struct cfg_step *
cfg_steps(const struct cfg_rollout *r, size_t *n)
{
	if (r->n_steps > 0) {
		*n = r->n_steps;
		return r->steps;
	}
	*n = presets[r->strategy].n;
	return presets[r->strategy].steps;
}

bool
cfg_step_is_there(const struct cfg_service *s, const struct cfg_step *step)
{
	return !step->optional || cfg_job_find(s, str_of(step->job)) != NULL;
}
