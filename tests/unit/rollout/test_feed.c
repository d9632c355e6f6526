/*
 * The feed: a ring that wraps, and subscribers that do as they like.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "rollout/feed.h"

static struct feed *f;

static void
begin(void)
{
	f = feed_new();
	cr_assert_not_null(f);
}

static void
end(void)
{
	feed_free(&f);
	cr_expect_null(f);
}

TestSuite(feed, .init = begin, .fini = end, .timeout = 10);

static void
tell(unsigned n)
{
	struct feed_event e = { .type = FEED_POOL, .id = 12345 };

	(void)snprintf(e.text, sizeof(e.text), "%u", n);
	feed_tell(f, &e);
}

Test(feed, empty)
{
	cr_expect_null(feed_after(f, 0));
	cr_expect_eq(feed_last_id(f), 0u);
}

Test(feed, the_last_ones_are_kept)
{
	static const struct {
		const char *why;
		unsigned told;
		uint64_t after, first; /* 0: none */
	} rows[] = {
		{ "all of a few", 3, 0, 1 },
		{ "the one behind", 3, 1, 2 },
		{ "the last", 3, 2, 3 },
		{ "none behind the last", 3, 3, 0 },
		{ "none behind what is to come", 3, 99, 0 },
		{ "just full", FEED_KEPT, 0, 1 },
		{ "the first one went", FEED_KEPT + 1, 0, 2 },
		{ "... was asked for", FEED_KEPT + 1, 1, 2 },
		{ "wrapped twice", 2 * FEED_KEPT + 7, 0, FEED_KEPT + 8 },
		{ "within", 2 * FEED_KEPT + 7, FEED_KEPT + 100,
		    FEED_KEPT + 101 },
		{ "after ids of another life", 5, UINT64_MAX, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct feed_event *e;
		char text[32];

		end(), begin();
		for (unsigned n = 1; n <= rows[i].told; n++)
			tell(n);
		e = feed_after(f, rows[i].after);
		cr_expect_eq(e == NULL, rows[i].first == 0, "%s", rows[i].why);
		if (e == NULL)
			continue;
		cr_expect_eq(e->id, rows[i].first, "%s", rows[i].why);
		(void)snprintf(text, sizeof(text), "%llu",
		    (unsigned long long)rows[i].first);
		cr_expect_str_eq(e->text, text, "%s", rows[i].why);
	}
}

Test(feed, each_one_once_from_any_place)
{
	uint64_t id = 0, n = 0;

	for (unsigned i = 1; i <= 3 * FEED_KEPT; i++)
		tell(i);
	for (const struct feed_event *e; (e = feed_after(f, id)) != NULL; n++)
		id = e->id;
	cr_expect_eq(n, (uint64_t)FEED_KEPT);
	cr_expect_eq(id, feed_last_id(f));
}

/* ---- subscribers ---- */

struct listener {
	uint64_t ids[16];
	size_t n;
	unsigned tells; /* so many more, from within */
	bool leaves;    /* at its first */
	bool brings;    /* another one, at its first */
	struct listener *brought;
};

static void
hear(const struct feed_event *e, void *arg)
{
	struct listener *l = arg;

	cr_assert_lt(l->n, ARRAY_LEN(l->ids));
	l->ids[l->n++] = e->id;
	if (l->leaves)
		feed_unsubscribe(f, hear, l);
	if (l->brings)
		cr_expect(feed_subscribe(f, hear, l->brought));
	l->brings = false;
	if (l->tells > 0) {
		l->tells--;
		tell(0);
	}
}

static void
expect_heard(const char *who, const struct listener *l, uint64_t first,
    size_t n)
{
	cr_assert_eq(l->n, n, "%s heard %zu", who, l->n);
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(l->ids[i], first + i, "%s: %zu", who, i);
}

Test(feed, who_tells_within_keeps_the_order)
{
	struct listener before = { 0 }, teller = { .tells = 2 }, behind = { 0 };

	tell(0);
	cr_assert(feed_subscribe(f, hear, &before));
	cr_assert(feed_subscribe(f, hear, &teller));
	cr_assert(feed_subscribe(f, hear, &behind));
	tell(0);
	expect_heard("before", &before, 2, 3);
	expect_heard("teller", &teller, 2, 3);
	expect_heard("behind", &behind, 2, 3);
}

Test(feed, who_leaves_or_comes_within)
{
	struct listener late = { 0 }, leaver = { .leaves = true },
	                bringer = { .brings = true, .brought = &late };

	cr_assert(feed_subscribe(f, hear, &leaver));
	cr_assert(feed_subscribe(f, hear, &bringer));
	tell(0);
	tell(0);
	expect_heard("leaver", &leaver, 1, 1);
	expect_heard("bringer", &bringer, 1, 2);
	expect_heard("late", &late, 2, 1);
}

Test(feed, seats_are_bounded_and_reused)
{
	struct listener l[FEED_SUBSCRIBERS_MAX + 1] = { 0 };

	for (size_t i = 0; i < FEED_SUBSCRIBERS_MAX; i++)
		cr_assert(feed_subscribe(f, hear, &l[i]));
	cr_expect_not(feed_subscribe(f, hear, &l[FEED_SUBSCRIBERS_MAX]));
	feed_unsubscribe(f, hear, &l[3]);
	feed_unsubscribe(f, hear, &l[3]);
	cr_expect(feed_subscribe(f, hear, &l[FEED_SUBSCRIBERS_MAX]));
	tell(0);
	expect_heard("the one that left", &l[3], 1, 0);
	expect_heard("its heir", &l[FEED_SUBSCRIBERS_MAX], 1, 1);
}

/* ---- as JSON ---- */

Test(feed, events_are_written)
{
	struct feed_event e = { .type = FEED_COMMAND, .pool = "v\"1" };
	struct buf b = BUF_INIT;
	char why[64];
	struct json *j;

	str_copy(STR("a\nb"), e.text, sizeof(e.text));
	clock_fake(1, 1800000000 * US_PER_S);
	feed_tell(f, &e);
	clock_real();
	feed_write(feed_after(f, 0), &b);
	j = json_read(buf_str(&b), why, sizeof(why));
	cr_assert_not_null(j, "%s", why);
	cr_expect_eq(json_get_int(j, "id", 0), 1);
	cr_expect_str_eq(json_get_text(j, "type", ""), "command");
	cr_expect_str_eq(json_get_text(j, "pool", ""), "v\"1");
	cr_expect_str_eq(json_get_text(j, "text", ""), "a\nb");
	cr_expect_str_eq(json_get_text(j, "time", ""),
	    "2027-01-15T08:00:00.000Z");
	cr_expect_null(json_get(j, "service"), "what is empty is left out");
	json_free(&j);
	buf_free(&b);
	for (int t = 0; t < FEED_TYPE_COUNT; t++)
		cr_expect_gt(strlen(feed_type_name((enum feed_type)t)), 2u);
}
