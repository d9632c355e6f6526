/*
 * retry - may a failed try be made again?  Invariant 2: a request of which
 * one byte may have reached an instance is never sent again unless its method
 * is safe and no answer byte came; and retries have a budget, a share of the
 * traffic, so that they cannot multiply an outage.
 *
 * Thread: worker.
 */
#ifndef PROXY_RETRY_H
#define PROXY_RETRY_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct retry_budget {
	uint64_t tokens; /* hundredths of a retry */
};

/* Both bound the tokens; the floor lets a quiet proxy retry at all. */
#define RETRY_TOKENS_START 10000 /* 100 retries */
#define RETRY_TOKENS_MAX 1000000 /* 10,000 retries */

struct retry_case {
	bool method_safe;  /* RFC 9110 9.2.1 */
	bool byte_sent;    /* the kernel took one of this try */
	bool body_taken;   /* request body bytes are used up */
	bool answer_begun; /* one byte of an answer came */
	unsigned tries_left;
};

/* Each exchange earns pct hundredths. */
void retry_budget_earn(struct retry_budget *, unsigned pct);
/* Spends one retry; false when the budget is empty. */
bool retry_budget_spend(struct retry_budget *) MUST_CHECK;
/* The rule alone, without the budget. */
bool retry_is_allowed(const struct retry_case *) MUST_CHECK;

#endif
