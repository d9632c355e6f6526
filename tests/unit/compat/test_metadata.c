#include <criterion/criterion.h>

#include "base/err.h"
#include "compat/metadata.h"

static const char whole[] =
    "{\"keycloak\":{\"version\":\"26.4.1\"},"
    "\"database\":{\"db\":\"postgres\",\"db-schema\":null},"
    "\"gone\":null,"
    "\"feature-compatibility\":{"
    "\"sessions\":\"{\\\"enabled\\\":true,\\\"version\\\":2,"
    "\\\"updatePolicy\\\":\\\"SHUTDOWN\\\"}\","
    "\"plain\":\"{\\\"enabled\\\":false}\"}}";

Test(metadata, holds_what_the_file_says)
{
	struct compat_metadata m;
	char why[COMPAT_WHY_MAX];
	const struct compat_feature *f;

	cr_assert_eq(compat_read(str_of(whole), &m, why), E_OK, "%s", why);
	cr_expect_eq(m.n, 3, "null is none");
	cr_expect_str_eq(m.providers[0].id, "database", "sorted");
	cr_expect_str_eq(compat_value(compat_provider(&m, COMPAT_KEYCLOAK),
	                     "version"),
	    "26.4.1");
	cr_expect_eq(m.providers[0].n, 1, "null is none");
	cr_expect_null(compat_provider(&m, "gone"));
	cr_expect_null(compat_value(compat_provider(&m, "gone"), "x"));
	f = compat_feature(&m, "sessions");
	cr_assert_not_null(f);
	cr_expect(f->enabled && f->version == 2 &&
	    f->policy == COMPAT_SHUTDOWN);
	f = compat_feature(&m, "plain");
	cr_assert_not_null(f);
	cr_expect(!f->enabled && f->version == 0 && f->policy == COMPAT_ROLLING,
	    "the policy is ROLLING where it does not say");
	cr_expect_null(compat_feature(&m, "other"));
	compat_free(&m);
	cr_expect_eq(m.n, 0);
}

#define FEATURE(inside) "{\"feature-compatibility\":{\"f\":" inside "}}"

static const struct {
	const char *text, *why;
} bad[] = {
	{ "", "line 1 column 0" },
	{ "{\"keycloak\":{\"version\":\"26", "line 1 column" },
	{ "[]", "an object of providers is expected" },
	{ "\"text\"", "an object of providers is expected" },
	{ "{\"keycloak\":\"26.4.1\"}", "keycloak: an object is expected" },
	{ "{\"keycloak\":{\"version\":26}}",
	    "keycloak.version: a text is expected" },
	{ "{\"a\":{\"b\":\"1\",\"b\":\"2\"}}", "duplicate" },
	{ "{} {}", "end of file expected" },
	{ FEATURE("\"\""), "feature-compatibility.f: line 1" },
	{ FEATURE("\"yes\""), "feature-compatibility.f: line 1 column" },
	{ FEATURE("\"[]\""), "feature-compatibility.f: an object is expected" },
	{ FEATURE("\"{}\""), "f: enabled: true or false is expected" },
	{ FEATURE("\"{\\\"enabled\\\":true,\\\"version\\\":\\\"1\\\"}\""),
	    "f: version: a number is expected" },
	{ FEATURE("\"{\\\"enabled\\\":true,\\\"updatePolicy\\\":1}\""),
	    "f: updatePolicy: a text is expected" },
	{ FEATURE("\"{\\\"enabled\\\":true,\\\"updatePolicy\\\":\\\"NO\\\"}\""),
	    "updatePolicy: \"NO\" is none of ROLLING" },
};

Test(metadata, says_what_is_wrong)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct compat_metadata m;
		char why[COMPAT_WHY_MAX];

		cr_expect_eq(compat_read(str_of(bad[i].text), &m, why),
		    E_SYNTAX, "%s", bad[i].text);
		cr_expect_not_null(strstr(why, bad[i].why), "%s: %s",
		    bad[i].text, why);
		cr_expect_null(m.tree, "%s", bad[i].text);
	}
}
