/*
 * The steps of a rollout: each has what it needs and nothing else, and they
 * follow one another.
 */
#include "config/check.h"

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

static void
check_order(struct problems *p, const struct cfg_rollout *r,
    const struct where *list)
{
	bool promoted = false;

	for (size_t i = 0; i < r->n_steps; i++) {
		const struct cfg_step *step = &r->steps[i];
		struct where w = where_item(list, i);

		if (step->kind == CFG_STEP_DRAIN && !promoted)
			problem_error(p, &w,
			    "the others would drain while they serve; promote "
			    "comes first");
		if (step->kind == CFG_STEP_SHARE && promoted)
			problem_error(p, &w,
			    "it has all of new sessions since promote");
		promoted |= step->kind == CFG_STEP_PROMOTE;
	}
	if (r->n_steps > 0 && !promoted)
		problem_warn(p, list,
		    "without promote both pools serve when it is done");
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

		check_value(p, &w, r->steps[i].kind == CFG_STEP_SHARE,
		    r->steps[i].share_bp > 0, "share", "a percentage");
		check_value(p, &w,
		    r->steps[i].kind == CFG_STEP_PAUSE ||
		        r->steps[i].kind == CFG_STEP_ANALYZE,
		    r->steps[i].for_us > 0, "for", "a duration");
	}
	check_order(p, r, &list);
	if (r->n_steps > 0 && where_is_given(&strategy))
		problem_warn(p, &strategy,
		    "this means nothing where steps are listed");
}
