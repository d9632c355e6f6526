/* Records of sessions: where each is, when it ends, how many there are. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/hash.h"
#include "upstream/sessions.h"

#define NOW_US (1000 * US_PER_S)
#define IDLE_US (1800 * US_PER_S)
#define V1 UINT64_C(11)
#define V2 UINT64_C(22)
#define MOST 1000000
#define FAR_S 1000000

static struct sessions s;

static void
set_up(void)
{
	sessions_init(&s);
	s.idle_us = IDLE_US;
}

static void
tear_down(void)
{
	sessions_free(&s);
}

TestSuite(sessions, .init = set_up, .fini = tear_down);

static uint64_t
id_of(uint64_t n)
{
	return hash_bytes(&n, sizeof(n), 1) | 1;
}

static void
see(uint64_t n, uint64_t pool, uint64_t after_s)
{
	struct session one = { .id = id_of(n),
		.pool = pool,
		.ends_s = FAR_S,
		.epoch = 3,
		.bucket = 77 };

	sessions_see(&s, &one, NOW_US + after_s * US_PER_S, MOST);
}

static void
sweep(uint64_t after_s)
{
	sessions_sweep(&s, NOW_US + after_s * US_PER_S, NULL, NULL);
}

Test(sessions, of_nobody_are_none)
{
	struct session one;

	cr_expect_eq(sessions_on(&s, V1), 0);
	cr_expect_not(sessions_find(&s, 1, &one));
	cr_expect_not(sessions_find(&s, 0, &one));
	sweep(0);
	sessions_void(&s, V1, 0);
	cr_expect_eq(atomic_load(&s.n), 0);
}

Test(sessions, are_counted_once_however_often_seen)
{
	struct session one;

	for (uint64_t again = 0; again < 3; again++)
		for (uint64_t n = 0; n < 5000; n++)
			see(n, n % 3 == 0 ? V2 : V1, again * 10);
	cr_expect_eq(sessions_on(&s, V1), 3333);
	cr_expect_eq(sessions_on(&s, V2), 1667);
	cr_expect_eq(atomic_load(&s.n), 5000);
	cr_assert(sessions_find(&s, id_of(9), &one));
	cr_expect_eq(one.pool, V2);
	cr_expect_eq(one.first_s, 1000);
	cr_expect_eq(one.seen_s, 1020);
	cr_expect_eq(one.ends_s, FAR_S);
	cr_expect_eq(one.epoch, 3);
	cr_expect_eq(one.bucket, 77);
	cr_expect_not(sessions_find(&s, id_of(5000), &one));
	cr_expect_eq(atomic_load(&s.lost), 0);
}

Test(sessions, that_move_leave)
{
	for (uint64_t n = 0; n < 100; n++)
		see(n, V1, 0);
	for (uint64_t n = 0; n < 40; n++)
		see(n, V2, 5);
	cr_expect_eq(sessions_on(&s, V1), 60);
	cr_expect_eq(sessions_on(&s, V2), 40);
	cr_expect_eq(sessions_left_us(&s, V1), NOW_US + 5 * US_PER_S);
	cr_expect_eq(sessions_left_us(&s, V2), 0);
}

Test(sessions, an_old_cookie_brings_no_record_back)
{
	struct session one = { .id = 5,
		.pool = V1,
		.ends_s = FAR_S,
		.epoch = 3 },
	               late = one;

	sessions_see(&s, &one, NOW_US, MOST);
	one.pool = V2;
	one.epoch = 4;
	sessions_see(&s, &one, NOW_US + US_PER_S, MOST);
	sessions_see(&s, &late, NOW_US + 2 * US_PER_S, MOST);
	cr_assert(sessions_find(&s, 5, &one));
	cr_expect_eq(one.pool, V2);
	cr_expect_eq(one.seen_s, 1002);
	cr_expect_eq(sessions_on(&s, V1), 0);
}

/* clang-format off */
static const struct {
	const char *why;
	uint64_t at_s, left;
} ages[] = {
	{ "at once", 0, 100 },
	{ "within the idle time", 1799, 100 },
	{ "at its end", 1800, 100 },
	{ "after it, but for those seen since", 1801, 50 },
	{ "after theirs", 2701, 0 },
};
/* clang-format on */

Test(sessions, end_when_they_are_idle)
{
	for (uint64_t n = 0; n < 100; n++)
		see(n, V1, 0);
	for (uint64_t n = 0; n < 50; n++)
		see(n, V1, 900);
	for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
		sweep(ages[i].at_s);
		cr_expect_eq(sessions_on(&s, V1), ages[i].left, "%s: %lu",
		    ages[i].why, sessions_on(&s, V1));
	}
}

Test(sessions, end_with_their_pins)
{
	struct session one = { .id = 5, .pool = V1, .ends_s = 1010 };

	sessions_see(&s, &one, NOW_US, MOST);
	sweep(9);
	cr_expect_eq(sessions_on(&s, V1), 1);
	sweep(10);
	cr_expect_eq(sessions_on(&s, V1), 0);
	cr_expect_eq(atomic_load(&s.n), 0);
}

Test(sessions, end_when_their_pins_are_void)
{
	struct session late = { .id = 5,
		.pool = V1,
		.ends_s = FAR_S,
		.epoch = 4 };

	for (uint64_t n = 0; n < 100; n++)
		see(n, n < 70 ? V1 : V2, 0);
	sessions_see(&s, &late, NOW_US, MOST);
	sessions_void(&s, V1, 4);
	sweep(1);
	cr_expect_eq(sessions_on(&s, V1), 1, "who was pinned since");
	sessions_void(&s, V1, 0); /* another state counts now */
	sessions_see(&s,
	    &(struct session){ .id = 6,
	        .pool = V1,
	        .ends_s = FAR_S,
	        .epoch = 1 },
	    NOW_US, MOST);
	sweep(2);
	cr_expect_eq(sessions_on(&s, V1), 2);
	cr_expect_eq(sessions_on(&s, V2), 30);
}

Test(sessions, beyond_the_bound_are_lost_and_told)
{
	struct session one = { .pool = V1, .ends_s = FAR_S };

	for (uint64_t n = 0; n < 30; n++) {
		one.id = id_of(n);
		sessions_see(&s, &one, NOW_US + n, 20);
	}
	cr_expect_eq(sessions_on(&s, V1), 20);
	cr_expect_eq(atomic_load(&s.lost), 10);
	cr_expect_eq(sessions_lost_us(&s, V1), NOW_US + 29);
	cr_expect_eq(sessions_lost_us(&s, V2), 0);
	one.id = id_of(3);
	sessions_see(&s, &one, NOW_US + 99, 20);
	cr_expect_eq(atomic_load(&s.lost), 10, "who has a record keeps it");
	one.id = 0;
	sessions_see(&s, &one, NOW_US, 20);
	cr_expect_eq(atomic_load(&s.lost), 11, "there is no session 0");
}

/* Ids that all want one place, at the end of the rows. */
Test(sessions, with_one_home_are_all_found)
{
	struct session one;
	uint64_t ids[11];

	for (uint64_t n = 0; n < ARRAY_LEN(ids); n++) {
		struct session it = { .pool = V1,
			.ends_s = (uint32_t)(2000 + n % 3),
			.id = n << 40 | 15 };

		ids[n] = it.id;
		sessions_see(&s, &it, NOW_US, MOST);
	}
	sweep(1000); /* takes those of n % 3 == 0 from among them */
	for (uint64_t n = 0; n < ARRAY_LEN(ids); n++)
		cr_expect_eq(sessions_find(&s, ids[n], &one), n % 3 != 0, "%lu",
		    n);
	cr_expect_eq(sessions_on(&s, V1), 7);
	sweep(1001);
	cr_expect_eq(sessions_on(&s, V1), 3);
	sweep(1002);
	cr_expect_eq(atomic_load(&s.n), 0);
}

static uint64_t
rows(void)
{
	struct session_shard *all = atomic_load(&s.shards);
	uint64_t sum = 0;

	for (size_t i = 0; i < SESSIONS_SHARDS; i++)
		sum += all[i].size;
	return sum;
}

Test(sessions, take_memory_while_there_are_many)
{
	uint64_t most;

	for (uint64_t n = 0; n < 200000; n++)
		see(n, V1, 0);
	most = rows();
	cr_expect_leq(most, UINT64_C(200000) * 8 / 3, "%lu rows", most);
	for (int i = 0; i < 20; i++)
		sweep(5000);
	cr_expect_leq(rows(), SESSIONS_SHARDS * 16, "%lu rows", rows());
	cr_expect_eq(sessions_on(&s, V1), 0);
}

Test(sessions, names_of_pools_that_are_no_more_leave_room)
{
	struct session one = { .ends_s = FAR_S, .epoch = 1 };

	for (uint64_t n = 1; n <= 1000; n++) {
		one.id = id_of(n);
		one.pool = n;
		one.ends_s = (uint32_t)(1000 + n + 3);
		sessions_see(&s, &one, NOW_US + n * US_PER_S, MOST);
		sweep(n);
	}
	cr_expect_eq(atomic_load(&s.lost), 0);
	cr_expect_eq(sessions_on(&s, 1000), 1);
}

static void
count(const struct session *one, void *arg)
{
	uint64_t *sum = arg;

	sum[0]++;
	sum[1] += one->pool == V2;
}

Test(sessions, are_told_one_by_one)
{
	uint64_t sum[2] = { 0, 0 };

	sessions_each(&s, count, sum);
	cr_expect_eq(sum[0], 0);
	for (uint64_t n = 0; n < 1000; n++)
		see(n, n % 4 == 0 ? V2 : V1, 0);
	sessions_each(&s, count, sum);
	cr_expect_eq(sum[0], 1000);
	cr_expect_eq(sum[1], 250);
}

static void *
crowd(void *arg)
{
	uint64_t from = *(uint64_t *)arg;

	for (uint64_t again = 0; again < 4; again++)
		for (uint64_t n = 0; n < 3000; n++)
			see(from + n, again % 2 == 0 ? V1 : V2, again);
	return NULL;
}

Test(sessions, may_be_seen_by_several_threads)
{
	uint64_t from[4] = { 0, 1500, 3000, 4500 };
	pthread_t threads[4];
	uint64_t sum[2] = { 0, 0 };

	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, crowd, &from[i]),
		    0);
	for (int i = 0; i < 20; i++) {
		sweep(3);
		sessions_each(&s, count, sum);
		(void)sessions_on(&s, V1);
	}
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	cr_expect_eq(atomic_load(&s.n), 7500);
	cr_expect_eq(sessions_on(&s, V1) + sessions_on(&s, V2), 7500);
}

struct heard {
	uint64_t n;
	bool busy;
};

static bool
hear(const struct session *one UNUSED, void *arg)
{
	struct heard *h = arg;

	h->n += !h->busy;
	return !h->busy;
}

static uint64_t
told(uint64_t after_s, bool busy)
{
	struct heard h = { 0, busy };

	sessions_sweep(&s, NOW_US + after_s * US_PER_S, hear, &h);
	return h.n;
}

Test(sessions, are_told_when_new_moved_and_six_times_an_idle_time)
{
	for (uint64_t n = 0; n < 10; n++)
		see(n, V1, 0);
	cr_expect_eq(told(1, true), 0);
	cr_expect_eq(s.untold, 10);
	cr_expect_eq(told(1, false), 10);
	cr_expect_eq(s.untold, 0);
	cr_expect_eq(told(2, false), 0);
	see(3, V2, 3);
	cr_expect_eq(told(3, false), 1, "it has moved");
	see(4, V1, 200);
	cr_expect_eq(told(200, false), 0, "seen, and not long ago told");
	see(4, V1, 300);
	cr_expect_eq(told(300, false), 1);
	sessions_retell(&s);
	cr_expect_eq(told(301, false), 10);
	sessions_void(&s, V2, 2);
	cr_expect_eq(told(302, false), 1, "that pool's are elsewhere now");
}

#define CROWD 700 /* of one shard, so that workers make it larger */

/* All want the first row, or that in the middle of a table twice as large. */
static uint64_t
id_in_crowd(uint64_t n)
{
	return UINT64_C(5) << 32 | (n + 1) << 10;
}

static void
see_in_crowd(uint64_t n, uint64_t pool)
{
	struct session one = { .id = id_in_crowd(n),
		.pool = pool,
		.ends_s = FAR_S,
		.epoch = 3 };

	sessions_see(&s, &one, NOW_US, MOST);
}

struct meanwhile {
	uint64_t told, seen;
	unsigned of[2 * CROWD]; /* each was told so often */
	uint64_t third;         /* where it was told to be */
	bool busy;
};

/* Workers go on: as many come, and the third one moves. */
static bool
hear_and_see(const struct session *one, void *arg)
{
	struct meanwhile *m = arg;

	while (m->seen < CROWD)
		see_in_crowd(CROWD + m->seen++, V1);
	if (one->id == id_in_crowd(3)) {
		m->third = one->pool;
		see_in_crowd(3, V2);
	}
	m->told++;
	m->of[(uint32_t)one->id / 1024 - 1]++;
	return !m->busy;
}

static void
tell_crowd(struct meanwhile *m)
{
	sessions_sweep(&s, NOW_US + US_PER_S, hear_and_see, m);
}

Test(sessions, go_on_while_others_are_told)
{
	struct meanwhile m = { .told = 0 };
	struct session one;

	for (uint64_t n = 0; n < CROWD; n++)
		see_in_crowd(n, V1);
	tell_crowd(&m);
	cr_expect_gt(s.untold, 0, "some were missed: it has grown");
	for (uint64_t n = 0; n < 2 * CROWD; n++)
		cr_expect(sessions_find(&s, id_in_crowd(n), &one), "%lu", n);
	tell_crowd(&m);
	cr_expect_eq(s.untold, 0);
	cr_expect_eq(m.third, V2, "it has moved while it was told");
	cr_expect_eq(m.told, 2 * CROWD + 1);
	for (uint64_t n = 0; n < 2 * CROWD; n++)
		cr_expect_eq(m.of[n], n == 3 ? 2 : 1, "%lu", n);
	cr_expect_eq(told(2, false), 0);
}

Test(sessions, are_all_told_anew_whoever_comes_meanwhile)
{
	struct meanwhile m = { .told = 0 };

	for (uint64_t n = 0; n < CROWD; n++)
		see_in_crowd(n, V1);
	cr_expect_eq(told(1, false), CROWD);
	sessions_retell(&s);
	tell_crowd(&m);
	tell_crowd(&m);
	for (uint64_t n = 0; n < 2 * CROWD; n++)
		cr_expect_eq(m.of[n], n == 3 ? 2 : 1, "%lu", n);
	m.busy = true;
	sessions_retell(&s);
	tell_crowd(&m);
	cr_expect_eq(s.untold, 2 * CROWD);
	cr_expect_eq(told(2, false), 2 * CROWD);
}

static void *
see_many(void *arg)
{
	const uint64_t *first = arg;

	for (uint64_t n = 0; n < 20000; n++)
		see(*first + n, n % 3 == 0 ? V2 : V1, 0);
	return NULL;
}

Test(sessions, are_told_beside_threads_that_see_them)
{
	uint64_t firsts[] = { 0, 10000 }, n = 0;
	pthread_t threads[2];

	for (size_t i = 0; i < ARRAY_LEN(firsts); i++)
		cr_assert_eq(
		    pthread_create(&threads[i], NULL, see_many, &firsts[i]), 0);
	while (atomic_load(&s.n) < 30000)
		n += told(1, false);
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++)
		(void)pthread_join(threads[i], NULL);
	n += told(1, false) + told(1, false);
	cr_expect_geq(n, 30000);
	cr_expect_eq(told(1, false), 0);
}

Test(sessions, are_given_up_to_a_newer_pin_alone)
{
	struct session one;

	see(1, V1, 0); /* its pin is of epoch 3 */
	sessions_left(&s, id_of(1), V2, 9, NOW_US);
	sessions_left(&s, id_of(1), V1, 3, NOW_US);
	sessions_left(&s, id_of(2), V1, 9, NOW_US);
	cr_expect(sessions_find(&s, id_of(1), &one));
	sessions_left(&s, id_of(1), V1, 4, NOW_US);
	cr_expect_not(sessions_find(&s, id_of(1), &one));
	cr_expect_eq(sessions_on(&s, V1), 0);
	cr_expect_eq(sessions_left_us(&s, V1), NOW_US);
}

Test(sessions, of_all_proxies_count_while_redis_answers)
{
	see(1, V1, 0);
	cr_expect_not(sessions_are_shared(&s, NOW_US));
	s.shared_us = NOW_US;
	sessions_share(&s, V1, 7);
	sessions_share(&s, V2, 0);
	cr_expect(sessions_are_shared(&s, NOW_US + US_PER_S));
	cr_expect_eq(sessions_shared_on(&s, V1), 7);
	cr_expect_eq(sessions_shared_on(&s, V2), 0);
	sessions_share(&s, V1, 0);
	cr_expect_eq(sessions_shared_on(&s, V1), 0, "it is elsewhere");
	cr_expect_eq(told(1, true), 0);
	cr_expect_eq(sessions_shared_on(&s, V1), 1, "not told of yet");
	cr_expect_not(sessions_are_shared(&s, NOW_US + 5 * US_PER_S));
}
