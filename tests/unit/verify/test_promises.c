#include <criterion/criterion.h>
#include <stdio.h>

#include "base/json.h"
#include "base/str.h"
#include "verify/promises.h"

static struct json *
read(const char *text)
{
	char why[160];
	struct json *j = json_read(str_of(text), why, sizeof(why));

	cr_assert_not_null(j, "%s: %s", text, why);
	return j;
}

/* clang-format off */
static const struct pair {
	const char *name, *was, *is;
	const char *accepted;
	const char *said; /* "! field: text" of the only difference; "": none */
	size_t same;
} discoveries[] = {
	{ "alike", "{\"issuer\":\"i\",\"a\":[1,2]}", "{\"issuer\":\"i\",\"a\":[1,2]}",
	    "", "", 2 },
	{ "another order", "{\"a_supported\":[\"x\",\"y\"]}",
	    "{\"a_supported\":[\"y\",\"x\"]}", "", "", 1 },
	{ "another issuer", "{\"issuer\":\"i\"}", "{\"issuer\":\"j\"}", "",
	    "! issuer: \"i\" -> \"j\"", 0 },
	{ "an endpoint moves", "{\"token_endpoint\":\"a\"}",
	    "{\"token_endpoint\":\"b\"}", "", "! token_endpoint: \"a\" -> \"b\"", 0 },
	{ "keys move", "{\"jwks_uri\":\"a\"}", "{\"jwks_uri\":\"b\"}", "",
	    "! jwks_uri: \"a\" -> \"b\"", 0 },
	{ "an endpoint goes", "{\"token_endpoint\":\"a\"}", "{}", "",
	    "! token_endpoint: gone, was \"a\"", 0 },
	{ "an endpoint comes", "{}", "{\"x_endpoint\":\"a\"}", "",
	    "+ x_endpoint: new, \"a\"", 0 },
	{ "a value goes", "{\"s_supported\":[\"x\",\"y\"]}",
	    "{\"s_supported\":[\"x\"]}", "", "! s_supported: lost \"y\"", 0 },
	{ "a value comes", "{\"s_supported\":[\"x\"]}",
	    "{\"s_supported\":[\"x\",\"y\"]}", "", "+ s_supported: gained \"y\"", 0 },
	{ "a list goes", "{\"s_supported\":[\"x\"]}", "{}", "",
	    "! s_supported: gone, was [\"x\"]", 0 },
	{ "a truth turns", "{\"t\":true}", "{\"t\":false}", "", "! t: true -> false",
	    0 },
	{ "a truth goes", "{\"t\":true}", "{}", "", "! t: gone, was true", 0 },
	{ "a lie turns", "{\"t\":false}", "{\"t\":true}", "", "~ t: false -> true",
	    0 },
	{ "a lie goes", "{\"t\":false}", "{}", "", "~ t: gone, was false", 0 },
	{ "a word changes", "{\"service_documentation\":\"a\"}",
	    "{\"service_documentation\":\"b\"}", "",
	    "~ service_documentation: \"a\" -> \"b\"", 0 },
	{ "accepted", "{\"x_endpoint\":\"a\"}", "{}", "a, x_endpoint",
	    "~ x_endpoint: gone, was \"a\"", 0 },
	{ "another is accepted", "{\"x_endpoint\":\"a\"}", "{}", "endpoint",
	    "! x_endpoint: gone, was \"a\"", 0 },
	{ "a lost value is accepted", "{\"s_supported\":[\"x\"]}",
	    "{\"s_supported\":[]}", "s_supported", "~ s_supported: lost \"x\"", 0 },
}, keys[] = {
	{ "alike", "{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"1\",\"e\":\"AQAB\"}]}",
	    "{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"1\",\"e\":\"AQAB\","
	    "\"use\":\"sig\"}]}", "", "", 1 },
	{ "gone", "{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"1\"}]}",
	    "{\"keys\":[]}", "",
	    "! a: gone: what it has signed does not verify any more", 0 },
	{ "another of the same id",
	    "{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"1\"}]}",
	    "{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"2\"}]}", "",
	    "! a: another key of the same id", 0 },
	{ "new", "{\"keys\":[]}", "{\"keys\":[{\"kid\":\"b\",\"kty\":\"EC\"}]}", "",
	    "+ b: new: who has fetched the others has to fetch again", 0 },
	{ "without ids", "{\"keys\":[{\"kty\":\"EC\",\"x\":\"1\"}]}",
	    "{\"keys\":[{\"kty\":\"EC\",\"x\":\"1\"}]}", "", "", 1 },
	{ "no keys at all", "{}", "{}", "", "", 0 },
};
/* clang-format on */

static void
check(const struct pair *row, const struct promises *p)
{
	char said[600] = "";

	if (p->n > 0)
		(void)snprintf(said, sizeof(said), "%s %s: %s",
		    promise_grade_mark(p->list[0].grade), p->list[0].field,
		    p->list[0].text);
	cr_expect(p->n <= 1, "%s: %zu differences", row->name, p->n);
	cr_expect_str_eq(said, row->said, "%s: %s", row->name, said);
	cr_expect_eq(p->same, row->same, "%s: %zu same", row->name, p->same);
	cr_expect_eq(promises_broken(p), (size_t)(row->said[0] == '!'),
	    "%s: broken", row->name);
}

Test(promises, discovery)
{
	for (size_t i = 0; i < ARRAY_LEN(discoveries); i++) {
		const struct pair *row = &discoveries[i];
		struct json *was = read(row->was), *is = read(row->is);
		static struct promises p;

		p = (struct promises){ .n = 0 };
		promises_discovery(&p, was, is, row->accepted);
		check(row, &p);
		json_free(&was);
		json_free(&is);
	}
}

Test(promises, of_keys)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct json *was = read(keys[i].was), *is = read(keys[i].is);
		static struct promises p;

		p = (struct promises){ .n = 0 };
		promises_keys(&p, was, is);
		check(&keys[i], &p);
		json_free(&was);
		json_free(&is);
	}
}

Test(promises, more_than_there_is_room_for_are_broken)
{
	static struct promises p;
	struct buf was = BUF_INIT;
	struct json *a, *b = read("{}");

	for (int i = 0; i < PROMISES_MAX + 3; i++)
		buf_printf(&was, "%s\"k%d\":1", i == 0 ? "{" : ",", i);
	buf_add_cstr(&was, "}");
	a = read(was.p);
	promises_discovery(&p, a, b, NULL);
	cr_expect_eq(p.n, PROMISES_MAX);
	cr_expect_eq(p.left_out, 3);
	cr_expect_eq(promises_broken(&p), 3);
	json_free(&a);
	json_free(&b);
	buf_free(&was);
}
