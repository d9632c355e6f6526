/* Facts as people read them. */
#include "rollout/facts.h"

#include <criterion/criterion.h>

#include "base/attr.h"
#include "upstream/model.h"

/* clang-format off */
static const struct {
	const char *why;
	enum health_reason reason;
	unsigned passes, status;
	const char *text;
} rows[] = {
	{ "the status that it failed with", HEALTH_WHY_STATUS, 0, 503,
	    "unexpected status 503" },
	{ "on its way up: 200 is not what was unexpected", HEALTH_WHY_STATUS,
	    1, 200, "unexpected status" },
	{ "no answer at all", HEALTH_WHY_STATUS, 0, 0, "unexpected status" },
	{ "a status is not the reason", HEALTH_WHY_MALFORMED, 0, 200,
	    "malformed answer" },
};
/* clang-format on */

Test(facts, why, .timeout = 2)
{
	char out[FACTS_WHY_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct instance inst = { .reason = (uint8_t)rows[i].reason,
			.passes = rows[i].passes,
			.last_status = (uint16_t)rows[i].status };

		cr_expect_str_eq(facts_why(&inst, out), rows[i].text, "%s",
		    rows[i].why);
	}
}
