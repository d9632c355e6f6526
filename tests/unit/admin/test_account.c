/* Counting that adds up while it goes on. */
#include "upstream/account.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"

static struct service_cell cells[2];
static struct service service = { .n_workers = 2, .cells = cells };
static _Atomic bool stop;

static void
begin(struct service_cell *c)
{
	/* as proxy/route.c take_settings() */
	stat_add(&c->active, 1);
	stat_add(&c->begun, 1);
}

static void
end(struct service_cell *c, enum outcome o)
{
	/* as proxy/exchange.c exchange_end() */
	stat_add(&c->outcome[o], 1);
	stat_sub(&c->active, 1);
}

/* As a worker with up to three exchanges at hand. */
static void *
work(void *arg)
{
	struct service_cell *c = arg;

	for (unsigned i = 0; !stop; i++) {
		begin(c);
		begin(c);
		end(c, (enum outcome)(i % OUT_COUNT));
		begin(c);
		end(c, OUT_ANSWERED);
		end(c, OUT_CLIENT_LEFT);
	}
	return NULL;
}

/* As a worker whose requests fit no service. */
static void *
work_unrouted(void *arg)
{
	struct service_cell *c = arg;

	while (!stop) {
		stat_add(&c->active, 1);
		stat_add(&c->active, 1);
		stat_sub(&c->active, 1); /* a service took it */
		stat_add(&c->begun, 1);
		end(c, OUT_NO_SERVICE);
	}
	return NULL;
}

static uint64_t
sum_of(const struct account *a)
{
	uint64_t sum = a->in_flight;

	for (int c = 0; c < CLASS_COUNT; c++)
		sum += a->class[c];
	return sum;
}

static void
watch(void *(*worker)(void *), bool unrouted, uint64_t at_hand)
{
	uint64_t until = clock_mono_us() + 300 * US_PER_MS, last = 0;
	pthread_t threads[2];
	struct account a;

	for (int i = 0; i < 2; i++)
		cr_assert_eq(
		    pthread_create(&threads[i], NULL, worker, &cells[i]), 0);
	while (clock_mono_us() < until) {
		account_of(&service, unrouted, &a);
		cr_assert(a.holds, "a false alarm");
		cr_assert_eq(a.accepted, sum_of(&a));
		cr_assert_geq(a.accepted, last, "a counter that falls");
		last = a.accepted;
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	account_of(&service, unrouted, &a);
	cr_expect(a.holds);
	cr_expect_eq(a.in_flight, at_hand);
	cr_expect_gt(a.accepted, 0);
}

Test(account, no_false_alarm_under_load, .timeout = 20)
{
	watch(work, false, 0);
}

Test(account, no_false_alarm_of_the_unrouted, .timeout = 20)
{
	watch(work_unrouted, true, 0);
}

static const struct {
	const char *why;
	bool unrouted;
	uint64_t begun, active, answered;
	bool holds;
} rows[] = {
	{ "nothing yet", false, 0, 0, 0, true },
	{ "all ended", false, 5, 0, 5, true },
	{ "two at hand", false, 5, 2, 3, true },
	{ "one lost", false, 5, 0, 4, false },
	{ "one lost among others", false, 5, 2, 2, false },
	{ "one ended twice", false, 5, 0, 6, false },
	{ "two too many at hand", false, 5, 4, 3, false },
	{ "one counted as ended and not yet let go", false, 5, 3, 3, true },
	{ "heads being read have not begun", true, 5, 7, 5, true },
	{ "one lost of the unrouted", true, 5, 0, 4, false },
	{ "one ended twice of the unrouted", true, 5, 7, 6, false },
};

Test(account, holds, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct account a;

		memset(cells, 0, sizeof(cells));
		stat_add(&cells[1].begun, rows[i].begun);
		stat_add(&cells[1].active, rows[i].active);
		stat_add(&cells[1].outcome[OUT_ANSWERED], rows[i].answered);
		account_of(&service, rows[i].unrouted, &a);
		cr_expect_eq(a.holds, rows[i].holds, "%s", rows[i].why);
		cr_expect_eq(a.accepted, rows[i].begun, "%s", rows[i].why);
	}
}

Test(account, sums_up, .timeout = 5)
{
	struct account sum = account_empty(), part;

	memset(cells, 0, sizeof(cells));
	for (int i = 0; i < OUT_COUNT; i++) {
		stat_add(&cells[i % 2].outcome[i], (uint64_t)i + 1);
		stat_add(&cells[i % 2].begun, (uint64_t)i + 1);
	}
	account_of(&service, false, &part);
	account_add(&sum, &part);
	account_add(&sum, &part);
	cr_expect(sum.holds);
	cr_expect_eq(sum.accepted, (uint64_t)OUT_COUNT * (OUT_COUNT + 1));
	cr_expect_eq(sum.accepted, sum_of(&sum));
	for (int i = 0; i < OUT_COUNT; i++)
		cr_expect_eq(sum.outcome[i], 2 * ((uint64_t)i + 1), "%s",
		    outcome_name((enum outcome)i));
	/* A class is what OUTCOMES() says it is. */
	cr_expect_eq(sum.class[CLASS_answered],
	    sum.outcome[OUT_ANSWERED] + sum.outcome[OUT_TUNNELLED] +
	        sum.outcome[OUT_KEYS]);
	cr_expect_eq(sum.class[CLASS_client], sum.outcome[OUT_CLIENT_LEFT]);
	part.holds = false;
	account_add(&sum, &part);
	cr_expect_not(sum.holds);
}
