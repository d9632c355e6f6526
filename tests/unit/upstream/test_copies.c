/* What a service said lately, by host and path. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "upstream/copies.h"

static struct copies all;

static void
begin(void)
{
	copies_init(&all);
}

static void
end(void)
{
	copies_free(&all);
}

TestSuite(copies, .init = begin, .fini = end, .timeout = 10);

static void
put(const char *host, const char *path, const char *body, uint64_t at)
{
	struct copy *c = copy_new(str_of(host), str_of(path));

	cr_assert_not_null(c);
	buf_add_cstr(&c->body, body);
	c->taken_us = at;
	copies_put(&all, &c);
	cr_expect_null(c);
}

static void
expect(const char *host, const char *path, const char *body)
{
	struct copy *c = copies_get(&all, str_of(host), str_of(path),
	    COPY_STALE_US);

	cr_expect_eq(c != NULL, body != NULL, "%s%s", host, path);
	if (c != NULL && body != NULL)
		cr_expect_str_eq(c->body.p, body, "%s%s", host, path);
	copy_unref(&c);
}

Test(copies, are_found_by_host_and_path)
{
	put("a", "/x", "1", 1);
	put("b", "/x", "2", 1);
	put("a", "/y", "3", 1);
	expect("a", "/x", "1");
	expect("b", "/x", "2");
	expect("a", "/y", "3");
	expect("b", "/y", NULL);
	expect("", "a/x", NULL);
}

Test(copies, the_last_one_counts)
{
	struct copy *old;

	put("a", "/x", "1", 1);
	old = copies_get(&all, STR("a"), STR("/x"), 2);
	put("a", "/x", "2", 2);
	expect("a", "/x", "2");
	cr_expect_eq(all.n, 1);
	cr_expect_str_eq(old->body.p, "1", "who has it keeps it");
	copy_unref(&old);
}

Test(copies, are_made_anew_from_time_to_time)
{
	cr_expect(copies_want(&all, STR("a"), STR("/x"), 7));
	put("a", "/x", "1", 7);
	cr_expect_not(copies_want(&all, STR("a"), STR("/x"),
	    6 + COPY_FRESH_US));
	cr_expect(copies_want(&all, STR("a"), STR("/x"), 7 + COPY_FRESH_US));
}

Test(copies, are_not_given_for_ever)
{
	struct copy *c;

	put("a", "/x", "1", 7);
	c = copies_get(&all, STR("a"), STR("/x"), 6 + COPY_STALE_US);
	cr_expect_not_null(c);
	copy_unref(&c);
	c = copies_get(&all, STR("a"), STR("/x"), 7 + COPY_STALE_US);
	cr_expect_null(c);
}

/* Nobody drives out what all ask for. */
Test(copies, there_is_room_for_so_many)
{
	char host[16];

	put("real", "/x", "real", 1);
	cr_expect_not(copies_want(&all, STR("real"), STR("/x"), 2));
	for (int i = 0; i < 10 * COPIES_MAX; i++) {
		(void)snprintf(host, sizeof(host), "%d", i);
		cr_expect(copies_want(&all, str_of(host), STR("/x"), 2));
		put(host, "/x", host, 2);
	}
	cr_expect_eq(all.n, COPIES_MAX);
	expect("real", "/x", "real");
	put("real", "/x", "anew", 9);
	for (int i = 0; i < COPIES_MAX; i++) {
		(void)snprintf(host, sizeof(host), "more-%d", i);
		put(host, "/x", host, 9);
	}
	expect("real", "/x", "anew");
	cr_expect_eq(all.n, COPIES_MAX);
}
