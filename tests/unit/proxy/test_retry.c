/* May it be sent again?  Invariant 2 as a table. */
#include "proxy/retry.h"

#include <criterion/criterion.h>

static const struct {
	const char *why;
	struct retry_case c; /* safe, sent, body, answer, tries */
	bool allowed;
} rows[] = {
	{ "nothing has left", { false, false, false, false, 1 }, true },
	{ "unsafe, one byte may have arrived", { false, true, false, false, 1 },
	    false },
	{ "safe, no answer byte", { true, true, false, false, 1 }, true },
	{ "safe, the answer has begun", { true, true, false, true, 1 }, false },
	{ "nothing left, but an answer", { false, false, false, true, 1 },
	    false },
	{ "the body is used up", { true, true, true, false, 1 }, false },
	{ "the body is used up, unsent", { false, false, true, false, 1 },
	    false },
	{ "no try is left", { true, false, false, false, 0 }, false },
};

Test(retry, rule)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(retry_is_allowed(&rows[i].c), rows[i].allowed,
		    "%s", rows[i].why);
}

Test(retry, budget_is_a_share_of_the_traffic)
{
	struct retry_budget b = { 0 };
	unsigned spent = 0;

	for (int i = 0; i < 1000; i++) {
		retry_budget_earn(&b, 20);
		spent += retry_budget_spend(&b);
	}
	cr_expect_eq(spent, 200);
}

Test(retry, budget_is_bounded)
{
	struct retry_budget b = { 0 };
	unsigned spent = 0;

	for (int i = 0; i < 20000; i++)
		retry_budget_earn(&b, 100);
	while (retry_budget_spend(&b))
		spent++;
	cr_expect_eq(spent, RETRY_TOKENS_MAX / 100);
}
