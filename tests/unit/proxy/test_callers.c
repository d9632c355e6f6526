/* What one client address may do: connections, rate, and a crowd of others. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "config/config.h"
#include "net/addr.h"
#include "proxy/callers.h"

static struct callers *callers;

static void
up(void)
{
	callers = callers_new();
	cr_assert_not_null(callers);
}

static void
down(void)
{
	callers_free(&callers);
}

TestSuite(callers, .init = up, .fini = down, .timeout = 30);

static struct addr
address(const char *text)
{
	struct addr a = { .len = 0 };

	if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1)
		a.in.sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) == 1)
		a.in6.sin6_family = AF_INET6;
	else
		a.sa.sa_family = AF_UNIX;
	return a;
}

static uint64_t
key(const char *text)
{
	struct addr a = address(text);

	return callers_key(callers, &a, 0);
}

static const struct {
	const char *why, *a, *b;
	bool same;
} keys[] = {
	{ "one address", "192.0.2.1", "192.0.2.1", true },
	{ "its neighbour", "192.0.2.1", "192.0.2.2", false },
	{ "mapped into IPv6", "192.0.2.1", "::ffff:192.0.2.1", true },
	{ "mapped ones are not one network", "::ffff:192.0.2.1",
	    "::ffff:192.0.2.2", false },
	{ "a /64 is one customer", "2001:db8::1", "2001:db8::ffff:1", true },
	{ "the next /64 is another", "2001:db8::1", "2001:db8:0:1::1", false },
};

Test(callers, keys)
{
	struct addr a = address("192.0.2.1");

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		cr_expect_eq(key(keys[i].a) == key(keys[i].b), keys[i].same,
		    "%s", keys[i].why);
	cr_expect_neq(callers_key(callers, &a, 0), callers_key(callers, &a, 1),
	    "each listener counts for itself");
	cr_expect_eq(key("unix"), 0);
}

Test(callers, connections)
{
	uint32_t place[3], other;

	for (int i = 0; i < 3; i++)
		cr_expect_eq(callers_enter(callers, key("192.0.2.1"), 2,
		                 &place[i]),
		    i < 2, "%d", i);
	cr_expect_eq(place[2], 0);
	cr_expect(callers_enter(callers, key("192.0.2.2"), 2, &other));
	callers_leave(callers, place[0]);
	callers_leave(callers, place[2]);
	cr_expect(callers_enter(callers, key("192.0.2.1"), 2, &place[0]));
	cr_expect_not(callers_enter(callers, key("192.0.2.1"), 2, &place[2]));
	for (int i = 0; i < 1000; i++)
		cr_expect(callers_enter(callers, key("unix"), 1, &other),
		    "who has no address has no bound");
}

#define MS(n) ((n)*US_PER_MS)

static const struct {
	uint64_t at_us, wait_us;
} asks[] = {
	/* 10 a second, 3 at once */
	{ MS(5000), 0 },
	{ MS(5000), 0 },
	{ MS(5000), 0 },
	{ MS(5000), MS(100) },
	{ MS(5001), MS(99) }, /* what was refused costs nothing */
	{ MS(5099), MS(1) },
	{ MS(5100), 0 },
	{ MS(5100), MS(100) },
	{ MS(5300), 0 },
	{ MS(5300), 0 },
	{ MS(5300), MS(100) },
	{ MS(9000), 0 }, /* full again, and no fuller */
	{ MS(9000), 0 },
	{ MS(9000), 0 },
	{ MS(9000), MS(100) },
};

Test(callers, requests)
{
	static const struct cfg_clients cfg = { .requests_per_second = 10,
		.burst = 3 };

	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++)
		cr_expect_eq(callers_ask(callers, key("192.0.2.1"), &cfg,
		                 asks[i].at_us),
		    asks[i].wait_us, "%zu", i);
	cr_expect_eq(callers_ask(callers, key("192.0.2.2"), &cfg, MS(9000)), 0);
	cr_expect_eq(callers_ask(callers, key("unix"), &cfg, MS(9000)), 0);
}

/* Far more addresses than there are places. */
#define CROWD 400000

static uint64_t
stranger(unsigned i)
{
	struct addr a = { .len = 0 };

	a.in.sin_family = AF_INET;
	a.in.sin_addr.s_addr = htonl(0x0a000000u + i);
	return callers_key(callers, &a, 0);
}

Test(callers, a_crowd_forgives_nobody)
{
	static const struct cfg_clients cfg = { .requests_per_second = 10,
		.burst = 20 };
	const uint64_t bad = key("192.0.2.1");
	uint32_t place;

	cr_expect(callers_enter(callers, key("192.0.2.2"), 1, &place));
	for (int i = 0; i < 20; i++)
		cr_expect_eq(callers_ask(callers, bad, &cfg, MS(1000)), 0);
	for (unsigned i = 0; i < CROWD; i++)
		cr_expect_eq(callers_ask(callers, stranger(i), &cfg, MS(1000)),
		    0, "%u", i);
	cr_expect_gt(callers_ask(callers, bad, &cfg, MS(1000)), 0);
	cr_expect_not(callers_enter(callers, key("192.0.2.2"), 1, &place),
	    "who is connected is not forgotten");
}

/* Where no place is left, connections are taken uncounted. */
Test(callers, a_crowd_of_connections)
{
	unsigned uncounted = 0;
	uint32_t *places = calloc(CROWD, sizeof(*places));

	cr_assert_not_null(places);
	for (unsigned i = 0; i < CROWD; i++) {
		cr_expect(callers_enter(callers, stranger(i), 1, &places[i]));
		uncounted += places[i] == 0;
	}
	cr_expect_gt(uncounted, 0);
	for (unsigned i = 0; i < CROWD; i++)
		callers_leave(callers, places[i]);
	for (unsigned i = 0; i < 8; i++)
		cr_expect(callers_enter(callers, stranger(CROWD + i), 1,
		    &places[i]));
	for (unsigned i = 0; i < 8; i++)
		cr_expect_neq(places[i], 0, "all places are free again");
	free(places);
}

/* ---- several workers ---- */

#define WORKERS 4
#define ROUNDS 20000

static void *
come_and_go(void *arg)
{
	const uint64_t keys_of[] = { key("192.0.2.1"), key("192.0.2.2") };
	unsigned *taken = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t place;

		if (!callers_enter(callers, keys_of[i % 2], 2, &place))
			continue;
		++*taken;
		callers_leave(callers, place);
	}
	return NULL;
}

static void *
ask_on(void *arg)
{
	static const struct cfg_clients cfg = { .requests_per_second = 1,
		.burst = 1000 };
	unsigned *taken = arg;

	for (unsigned i = 0; i < ROUNDS; i++)
		*taken += callers_ask(callers, key("192.0.2.1"), &cfg,
		              MS(1000)) == 0;
	return NULL;
}

static unsigned
run(void *(*fn)(void *))
{
	pthread_t threads[WORKERS];
	unsigned taken[WORKERS] = { 0 }, sum = 0;

	for (int i = 0; i < WORKERS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, fn, &taken[i]),
		    0);
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		sum += taken[i];
	}
	return sum;
}

Test(callers, workers_share_the_count)
{
	static const struct cfg_clients cfg = { .requests_per_second = 1,
		.burst = 1000 };
	uint32_t place[3];

	/* known before, so that it has one place */
	for (int i = 1; i <= 2; i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "192.0.2.%d", i);
		cr_expect(callers_enter(callers, key(text), 2, &place[0]));
		callers_leave(callers, place[0]);
	}
	cr_expect_gt(run(come_and_go), 0);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(callers_enter(callers, key("192.0.2.1"), 2,
		                 &place[i]),
		    i < 2, "nothing was left behind");
	cr_expect_eq(callers_ask(callers, key("192.0.2.1"), &cfg, MS(1000)), 0);
	cr_expect_eq(run(ask_on), 999, "exactly the burst");
}
