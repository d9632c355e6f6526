#include <criterion/criterion.h>
#include <stdio.h>

#include "base/err.h"
#include "compat/compare.h"

#define KC(version) "\"keycloak\":{\"version\":\"" version "\"}"
#define FEATURES(list) "\"feature-compatibility\":{" list "}"
#define FEATURE(key, enabled, version, policy)                                 \
	"\"" key "\":\"{\\\"enabled\\\":" enabled ",\\\"version\\\":" version  \
	",\\\"updatePolicy\\\":\\\"" policy "\\\"}\""
#define HASH(x) "\"database\":{\"unsupported-changeset-hash\":\"" x "\"}"
#define CACHE(version, jgroups)                                                \
	"\"cacheEmbedded\":{\"version\":\"" version                            \
	"\",\"jgroupsVersion\":\"" jgroups "\"}"

enum {
	ROLLING = COMPAT_VERDICT_ROLLING,
	RECREATE = COMPAT_VERDICT_RECREATE,
	DISABLED = COMPAT_VERDICT_DISABLED
};
enum { AUTO = COMPAT_PATCH_AUTO, ON = COMPAT_PATCH_ON, OFF = COMPAT_PATCH_OFF };

/* differences: those that are told, each as "provider.key rule". */
static const struct {
	const char *why, *was, *is;
	int patches, verdict;
	const char *differences[4];
} rows[] = {
	{ "identical", "{" KC("26.4.1") "}", "{" KC("26.4.1") "}", AUTO,
	    ROLLING, { NULL } },
	{ "a patch, off", "{" KC("26.4.1") "}", "{" KC("26.4.2") "}", OFF,
	    RECREATE, { "keycloak.version version" } },
	{ "a patch, on", "{" KC("26.4.1") "}", "{" KC("26.4.2") "}", ON,
	    ROLLING, { "keycloak.version version" } },
	{ "a patch back", "{" KC("26.4.2") "}", "{" KC("26.4.1") "}", ON,
	    RECREATE, { "keycloak.version version" } },
	{ "another minor", "{" KC("26.4.9") "}", "{" KC("26.5.0") "}", ON,
	    RECREATE, { "keycloak.version version" } },
	{ "another major", "{" KC("26.4.9") "}", "{" KC("27.4.9") "}", ON,
	    RECREATE, { "keycloak.version version" } },
	{ "no version", "{" KC("26.4.9") "}", "{" KC("nightly") "}", ON,
	    RECREATE, { "keycloak.version version" } },
	{ "since 26.6", "{" KC("26.6.1") "}", "{" KC("26.6.2") "}", AUTO,
	    ROLLING, { "keycloak.version version" } },
	{ "since 26.6, later", "{" KC("27.0.1") "}", "{" KC("27.0.2") "}", AUTO,
	    ROLLING, { "keycloak.version version" } },
	{ "before", "{" KC("26.5.1") "}", "{" KC("26.5.2") "}", AUTO, RECREATE,
	    { "keycloak.version version" } },
	{ "before, but it rolls at 2", "{" KC("26.5.1") "}",
	    "{" KC("26.5.2") "," FEATURES(FEATURE("rolling-updates", "true",
	        "2", "ROLLING")) "}",
	    AUTO, ROLLING,
	    { "feature-compatibility.rolling-updates feature",
	        "keycloak.version version" } },
	{ "... at 1", "{" KC("26.5.1") "}",
	    "{" KC("26.5.2") "," FEATURES(FEATURE("rolling-updates", "true",
	        "1", "ROLLING")) "}",
	    AUTO, RECREATE,
	    { "feature-compatibility.rolling-updates feature",
	        "keycloak.version version" } },
	{ "it does not roll at all", "{" KC("26.5.1") "}",
	    "{" KC("26.5.1") "," FEATURES(FEATURE("rolling-updates", "false",
	        "2", "ROLLING")) "}",
	    AUTO, DISABLED,
	    { "feature-compatibility.rolling-updates feature" } },
	{ "a patch that changes the schema", "{" KC("26.6.1") "," HASH("a") "}",
	    "{" KC("26.6.2") "," HASH("b") "}", AUTO, RECREATE,
	    { "database.unsupported-changeset-hash value",
	        "keycloak.version version" } },
	{ "SHUTDOWN, switched on",
	    "{" FEATURES(FEATURE("s", "false", "1", "SHUTDOWN")) "}",
	    "{" FEATURES(FEATURE("s", "true", "1", "SHUTDOWN")) "}", AUTO,
	    RECREATE, { "feature-compatibility.s feature" } },
	{ "SHUTDOWN, switched off",
	    "{" FEATURES(FEATURE("s", "true", "1", "SHUTDOWN")) "}",
	    "{" FEATURES(FEATURE("s", "false", "1", "SHUTDOWN")) "}", AUTO,
	    RECREATE, { "feature-compatibility.s feature" } },
	{ "ROLLING, switched on",
	    "{" FEATURES(FEATURE("r", "false", "1", "ROLLING")) "}",
	    "{" FEATURES(FEATURE("r", "true", "2", "ROLLING")) "}", AUTO,
	    ROLLING, { "feature-compatibility.r feature" } },
	{ "ROLLING_NO_UPGRADE, another version",
	    "{" FEATURES(FEATURE("n", "true", "1", "ROLLING_NO_UPGRADE")) "}",
	    "{" FEATURES(FEATURE("n", "true", "2", "ROLLING_NO_UPGRADE")) "}",
	    AUTO, RECREATE, { "feature-compatibility.n feature" } },
	{ "ROLLING_NO_UPGRADE, switched on",
	    "{" FEATURES(FEATURE("n", "false", "1", "ROLLING_NO_UPGRADE")) "}",
	    "{" FEATURES(FEATURE("n", "true", "1", "ROLLING_NO_UPGRADE")) "}",
	    AUTO, ROLLING, { "feature-compatibility.n feature" } },
	{ "the new one's policy counts",
	    "{" FEATURES(FEATURE("n", "true", "1", "ROLLING")) "}",
	    "{" FEATURES(FEATURE("n", "true", "2", "ROLLING_NO_UPGRADE")) "}",
	    AUTO, RECREATE, { "feature-compatibility.n feature" } },
	{ "SHUTDOWN that was off is gone",
	    "{" FEATURES(FEATURE("s", "false", "1", "SHUTDOWN")) "}",
	    "{" FEATURES("") "}", AUTO, ROLLING,
	    { "feature-compatibility.s feature" } },
	{ "SHUTDOWN that was on is gone",
	    "{" FEATURES(FEATURE("s", "true", "1", "SHUTDOWN")) "}",
	    "{" FEATURES("") "}", AUTO, RECREATE,
	    { "feature-compatibility.s feature" } },
	{ "SHUTDOWN that is new and on", "{" FEATURES("") "}",
	    "{" FEATURES(FEATURE("s", "true", "1", "SHUTDOWN")) "}", AUTO,
	    RECREATE, { "feature-compatibility.s feature" } },
	{ "SHUTDOWN that is new and off", "{}",
	    "{" FEATURES(FEATURE("s", "false", "1", "SHUTDOWN")) "}", AUTO,
	    ROLLING, { "feature-compatibility.s feature" } },
	{ "the same feature, written otherwise",
	    "{" FEATURES("\"f\":\"{\\\"enabled\\\":true}\"") "}",
	    "{" FEATURES("\"f\":\" { \\\"enabled\\\" : true } \"") "}", AUTO,
	    ROLLING, { NULL } },
	{ "a provider that is gone", "{" KC("26.4.1") ",\"mine\":{}}",
	    "{" KC("26.4.1") "}", AUTO, RECREATE, { "mine. provider" } },
	{ "a provider that is new", "{" KC("26.4.1") "}",
	    "{" KC("26.4.1") ",\"mine\":{\"a\":\"1\"}}", AUTO, RECREATE,
	    { "mine.a value" } },
	{ "a provider that is new and says nothing", "{" KC("26.4.1") "}",
	    "{" KC("26.4.1") ",\"mine\":{}}", AUTO, ROLLING, { NULL } },
	{ "nothing at all", "{}", "{" KC("26.6.1") "}", AUTO, RECREATE,
	    { "keycloak.version version" } },
	{ "whole versions of the cache, off",
	    "{" CACHE("15.0.19.Final", "5.4.8.Final") "}",
	    "{" CACHE("15.0", "5.4") "}", OFF, RECREATE,
	    { "cacheEmbedded.jgroupsVersion value",
	        "cacheEmbedded.version value" } },
	{ "whole versions of the cache, on",
	    "{" CACHE("15.0.19.Final", "5.4.8.Final") "}",
	    "{" CACHE("15.0", "5.4.9.Final") "}", ON, ROLLING,
	    { "cacheEmbedded.jgroupsVersion cache",
	        "cacheEmbedded.version cache" } },
	{ "another minor of the cache", "{" CACHE("15.0", "5.4") "}",
	    "{" CACHE("15.1", "5.4") "}", ON, RECREATE,
	    { "cacheEmbedded.version cache" } },
	{ "an attribute less and one more",
	    "{\"database\":{\"a\":\"1\",\"b\":\"2\"}}",
	    "{\"database\":{\"b\":\"2\",\"c\":\"3\"}}", AUTO, RECREATE,
	    { "database.a value", "database.c value" } },
};

static void
read_it(const char *text, struct compat_metadata *m)
{
	char why[COMPAT_WHY_MAX];

	cr_assert_eq(compat_read(str_of(text), m, why), E_OK, "%s: %s", text,
	    why);
}

static void
expect_differences(size_t row, const struct compat_result *r)
{
	size_t n = 0;

	while (n < 4 && rows[row].differences[n] != NULL)
		n++;
	cr_expect_eq(r->n, n, "%s: %zu differences", rows[row].why, r->n);
	for (size_t i = 0; i < r->n && i < n; i++) {
		const struct compat_difference *d = &r->differences[i];
		char told[128];

		(void)snprintf(told, sizeof(told), "%s.%s %s", d->provider,
		    d->key == NULL ? "" : d->key, compat_rule_name(d->rule));
		cr_expect_str_eq(told, rows[row].differences[i], "%s",
		    rows[row].why);
	}
}

Test(compare, vectors)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compat_metadata was, is;
		struct compat_result r;

		read_it(rows[i].was, &was);
		read_it(rows[i].is, &is);
		cr_assert_eq(compat_compare(&was, &is,
		                 (enum compat_patch)rows[i].patches, &r),
		    E_OK);
		cr_expect_eq((int)r.verdict, rows[i].verdict, "%s: %s",
		    rows[i].why, compat_verdict_name(r.verdict));
		expect_differences(i, &r);
		compat_result_free(&r);
		compat_free(&was);
		compat_free(&is);
	}
}

/* As the vendor's command. */
Test(compare, exit_codes)
{
	cr_expect_eq(compat_verdict_exit(COMPAT_VERDICT_ROLLING), 0);
	cr_expect_eq(compat_verdict_exit(COMPAT_VERDICT_RECREATE), 3);
	cr_expect_eq(compat_verdict_exit(COMPAT_VERDICT_DISABLED), 4);
}
