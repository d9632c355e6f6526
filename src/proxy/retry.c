#include "proxy/retry.h"

void
retry_budget_earn(struct retry_budget *b, unsigned pct)
{
	b->tokens += pct;
	if (b->tokens > RETRY_TOKENS_MAX)
		b->tokens = RETRY_TOKENS_MAX;
}

bool
retry_budget_spend(struct retry_budget *b)
{
	if (b->tokens < 100)
		return false;
	b->tokens -= 100;
	return true;
}

bool
retry_is_allowed(const struct retry_case *c)
{
	if (c->tries_left == 0 || c->body_taken || c->answer_begun)
		return false;
	return c->method_safe || !c->byte_sent;
}
