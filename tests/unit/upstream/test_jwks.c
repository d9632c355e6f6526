/* Whose a key is, and those of all pools. */
#include "upstream/jwks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

#define SAID_MAX 4

static struct jwks all;
static struct jwks_said said[SAID_MAX];
static struct json *sets[SAID_MAX];
static size_t n;
static char *paths[] = { (char *)(uintptr_t) "/a", (char *)(uintptr_t) "/b" };
static struct cfg_jwks cfg = { .paths = paths, .n_paths = 2, .united = true };

static void
open_it(void)
{
	jwks_init(&all);
}

static void
close_it(void)
{
	for (size_t i = 0; i < n; i++)
		json_free(&sets[i]);
	jwks_free(&all);
}

TestSuite(jwks, .init = open_it, .fini = close_it, .timeout = 2);

static void
say(uint64_t pool, size_t path, const char *keys)
{
	char text[1024], why[80];

	(void)snprintf(text, sizeof(text), "{\"keys\":[%s]}", keys);
	sets[n] = json_read(str_of(text), why, sizeof(why));
	cr_assert_not_null(sets[n], "%s", why);
	cr_assert(jwks_is_set(sets[n], &(const char *){ NULL }));
	said[n] = (struct jwks_said){ .pool = pool,
		.at = (unsigned)pool,
		.path = path,
		.set = sets[n],
		.keys = 9,
		.lacks = 9 };
	n++;
}

static void
take(void)
{
	cr_assert_eq(jwks_take(&all, said, n, &cfg, 5), E_OK);
}

static void
expect_set(size_t path, const char *keys)
{
	struct copy *c = jwks_get(&all, str_of(paths[path]));
	char text[1024];

	if (keys == NULL) {
		cr_expect_null(c);
		copy_unref(&c);
		return;
	}
	cr_assert_not_null(c);
	(void)snprintf(text, sizeof(text), "{\"keys\":[%s]}", keys);
	cr_expect(str_eq(buf_str(&c->body), str_of(text)), STR_FMT,
	    STR_ARG(buf_str(&c->body)));
	cr_expect(str_eq(buf_str(&c->type), STR("application/json")));
	cr_expect(c->for_all);
	cr_expect_eq(c->taken_us, 5);
	copy_unref(&c);
}

#define KEY(kid, more) "{\"kid\": \"" kid "\", \"kty\": \"RSA\"" more "}"

Test(jwks, nothing_is_known)
{
	expect_set(0, NULL);
	cr_expect_eq(jwks_pool_of(&all, STR("a")), 0);
	take();
	expect_set(0, NULL);
	cr_expect_eq(jwks_pool_of(&all, STR("")), 0);
}

Test(jwks, of_all_pools_in_their_order)
{
	say(7, 0, KEY("a", "") "," KEY("b", ""));
	say(8, 0, KEY("c", "") "," KEY("b", ""));
	take();
	expect_set(0, KEY("a", "") "," KEY("b", "") "," KEY("c", ""));
	expect_set(1, NULL);
	cr_expect_eq(jwks_pool_of(&all, STR("a")), 7);
	cr_expect_eq(jwks_pool_of(&all, STR("b")), 0, "of both");
	cr_expect_eq(jwks_pool_of(&all, STR("c")), 8);
	for (size_t i = 0; i < n; i++) {
		cr_expect_eq(said[i].keys, 2);
		cr_expect_eq(said[i].lacks, 1);
	}
	jwks_forget(&all);
	expect_set(0, NULL);
	cr_expect_eq(jwks_pool_of(&all, STR("a")), 0);
}

/* However else they are described. */
Test(jwks, the_same_need_no_set)
{
	say(7, 0, KEY("a", ", \"n\": \"x\", \"use\": \"sig\""));
	say(8, 0, KEY("a", ", \"n\": \"x\"") "," KEY("a", ", \"n\": \"x\""));
	take();
	expect_set(0, NULL);
	cr_expect_eq(said[0].lacks + said[1].lacks, 0);
}

Test(jwks, another_of_one_name)
{
	say(7, 0, KEY("a", ", \"n\": \"x\""));
	say(8, 0, KEY("a", ", \"n\": \"y\""));
	take();
	expect_set(0,
	    KEY("a", ", \"n\": \"x\"") "," KEY("a", ", \"n\": \"y\""));
	cr_expect_eq(jwks_pool_of(&all, STR("a")), 0);
}

Test(jwks, each_path_has_its_own)
{
	say(7, 0, KEY("a", ""));
	say(7, 1, KEY("b", ""));
	say(8, 1, KEY("c", ""));
	take();
	expect_set(0, NULL);
	expect_set(1, KEY("b", "") "," KEY("c", ""));
	cr_expect_eq(said[0].lacks, 0, "nobody else publishes there");
	cr_expect_eq(jwks_pool_of(&all, STR("a")), 7);
}

Test(jwks, not_united_they_are_only_counted)
{
	cfg.united = false;
	say(7, 0, KEY("a", ""));
	say(8, 0, "");
	take();
	expect_set(0, NULL);
	cr_expect_eq(said[0].lacks, 0);
	cr_expect_eq(said[1].lacks, 1);
	cr_expect_eq(said[1].keys, 0);
}

Test(jwks, what_is_none_is_not_given)
{
	say(7, 0, "1,null,[],{},{\"kid\":\"x\"},{\"kty\":5},{\"kty\":\"RSA\"}");
	say(8, 0, KEY("a", ""));
	take();
	expect_set(0, "{\"kty\": \"RSA\"}," KEY("a", ""));
	cr_expect_eq(said[0].keys, 1);
	cr_expect_eq(jwks_pool_of(&all, STR("x")), 0);
}

/* Published for two uses, and by another pool without any. */
Test(jwks, twice_by_one)
{
	say(7, 0,
	    KEY("a", ", \"use\": \"sig\"") "," KEY("a", ", \"use\": \"enc\""));
	say(8, 0, KEY("a", "") "," KEY("b", ""));
	take();
	expect_set(0,
	    KEY("a", ", \"use\": \"sig\"") "," KEY("a",
	        ", \"use\": \"enc\"") "," KEY("b", ""));
	cr_expect_eq(said[0].lacks, 1);
	cr_expect_eq(said[1].lacks, 0);
}

/* What they differ in is not known. */
Test(jwks, of_a_type_of_later)
{
	say(7, 0, "{\"kty\": \"AKP\", \"pub\": \"x\"}");
	say(8, 0, "{\"kty\": \"AKP\", \"pub\": \"y\"}");
	take();
	expect_set(0,
	    "{\"kty\": \"AKP\", \"pub\": \"x\"},"
	    "{\"kty\": \"AKP\", \"pub\": \"y\"}");
}

/* Those of one that users ask must be there. */
Test(jwks, one_that_was_not_read)
{
	say(7, 0, KEY("a", ""));
	say(8, 0, KEY("b", ""));
	said[n++] =
	    (struct jwks_said){ .pool = 9, .at = 9, .path = 0, .needed = true };
	take();
	expect_set(0, NULL);
	cr_expect_not(said[0].united);
	cr_expect_eq(said[0].lacks, 1);
	said[2].needed = false;
	take();
	expect_set(0, KEY("a", "") "," KEY("b", ""));
	cr_expect(said[0].united);
}

Test(jwks, too_many_to_be_given)
{
	static char many[2][JWKS_UNION_MAX / 2 + 64];
	char why[80];

	for (int i = 0; i < 2; i++) {
		int len = snprintf(many[i], sizeof(many[i]),
		    "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"%d\",\"n\":\"", i);

		memset(many[i] + len, 'A', JWKS_UNION_MAX / 2 - 40);
		str_copy(STR("\"}]}"), many[i] + len + JWKS_UNION_MAX / 2 - 40,
		    8);
		say(7 + (uint64_t)i, 0, "");
		json_free(&sets[i]);
		sets[i] = json_read(str_of(many[i]), why, sizeof(why));
		cr_assert_not_null(sets[i], "%s", why);
		said[i].set = sets[i];
	}
	take();
	expect_set(0, NULL);
	cr_expect_not(said[0].united);
}

Test(jwks, no_more_than_so_many)
{
	struct buf keys = BUF_INIT;
	const char *no;
	char why[80];

	for (int more = 0; more < 2; more++) {
		struct json *set;

		keys.len = 0;
		buf_add_cstr(&keys, "{\"keys\":[1");
		for (int i = 1; i < JWKS_KEYS_MAX + more; i++)
			buf_add_cstr(&keys, ",1");
		buf_add_cstr(&keys, "]}");
		set = json_read(buf_str(&keys), why, sizeof(why));
		cr_assert_not_null(set, "%s", why);
		cr_expect_eq(jwks_is_set(set, &no), more == 0);
		json_free(&set);
	}
	buf_free(&keys);
}

Test(jwks, what_is_a_set)
{
	static const struct {
		const char *text;
		bool is;
	} rows[] = { { "{\"keys\":[]}", true }, { "{\"keys\":{}}", false },
		{ "{}", false }, { "[]", false }, { "5", false } };
	const char *no;
	char why[80];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json *j = json_read(str_of(rows[i].text), why,
		    sizeof(why));

		cr_expect_eq(jwks_is_set(j, &no), rows[i].is, "%s",
		    rows[i].text);
		json_free(&j);
	}
}
