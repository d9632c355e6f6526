/* Codes and tokens, in what is answered and in what is asked. */
#include "session/artifact.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"

static char found[2048];

static void
note(enum artifact kind, struct str value, uint64_t ttl_s, void *arg UNUSED)
{
	size_t n = strlen(found);

	(void)snprintf(found + n, sizeof(found) - n, "%d=" STR_FMT "/%llu ",
	    (int)kind, STR_ARG(value), (unsigned long long)ttl_s);
}

static const struct {
	const char *why, *location, *found;
} locations[] = {
	{ "a code", "https://a.test/cb?state=1&code=abc", "0=abc/600 " },
	{ "escaped", "/cb?code=a%2Fb%2bc+d", "0=a/b+c d/600 " },
	{ "escapes that are none", "/cb?code=a%zz%4", "0=a%zz%4/600 " },
	{ "behind a fragment", "/cb#id_token=x&access_token=y",
	    "7=x/86400 5=y/86400 " },
	{ "in both, the first", "/cb?code=a#code=b", "0=a/600 " },
	{ "what no redirection issues",
	    "/cb?refresh_token=r&user_code=u&request_uri=x&device_code=d", "" },
	{ "a question in a fragment", "/cb#a?code=b&code=c", "0=c/600 " },
	{ "empty", "/cb?code=&state=code", "" },
	{ "another name", "/cb?session_code=a&codes=b&acode=c", "" },
	{ "none", "/cb", "" },
	{ "nothing", "", "" },
};

Test(artifact, in_a_location)
{
	for (size_t i = 0; i < ARRAY_LEN(locations); i++) {
		found[0] = '\0';
		artifact_in_location(str_of(locations[i].location), note, NULL);
		cr_expect_str_eq(found, locations[i].found, "%s: %s",
		    locations[i].why, found);
	}
}

static const struct {
	const char *why, *text, *found;
} answers[] = {
	{ "tokens",
	    "{\"access_token\":\"a\",\"expires_in\":300,\"refresh_token\":"
	    "\"r\",\"id_token\":\"i\"}",
	    "5=a/300 6=r/2592000 7=i/86400 " },
	{ "a device", "{\"device_code\":\"d\",\"user_code\":\"U-1\"}",
	    "1=d/1800 2=U-1/1800 " },
	{ "pushed", "{\"request_uri\":\"urn:x\",\"expires_in\":60}",
	    "3=urn:x/60 " },
	{ "longer than is believed",
	    "{\"access_token\":\"a\",\"expires_in\":99999999}", "5=a/86400 " },
	{ "an error's code", "{\"code\":\"not_found\"}", "" },
	{ "no text", "{\"access_token\":1,\"refresh_token\":null}", "" },
	{ "empty", "{\"access_token\":\"\"}", "" },
	{ "a list", "[{\"access_token\":\"a\"}]", "" },
	{ "within", "{\"x\":{\"access_token\":\"a\"}}", "" },
	{ "damaged", "{\"access_token\":\"a\"", "" },
	{ "nothing", "", "" },
};

Test(artifact, in_json)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		found[0] = '\0';
		artifact_in_json(str_of(answers[i].text), note, NULL);
		cr_expect_str_eq(found, answers[i].found, "%s: %s",
		    answers[i].why, found);
	}
}

static const struct {
	const char *why, *params, *form, *query; /* all that are found */
} forms[] = {
	{ "a code", "grant_type=authorization_code&code=a%20b", "a b ", "" },
	{ "a token", "token=t&token_type_hint=refresh_token", "t ", "" },
	{ "a hint", "id_token_hint=i", "i ", "i " },
	{ "an exchange", "subject_token=s&actor_token=a", "s a ", "" },
	{ "a page", "request_uri=urn%3ax&user_code=U&code=c", "urn:x U c ",
	    "urn:x U " },
	{ "an empty one", "code=&refresh_token=r", "r ", "" },
	{ "none", "username=a&password=code", "", "" },
	{ "nothing", "", "", "" },
};

static void
expect_all(struct str (*next)(struct str *, char *), const char *params,
    const char *expected, const char *why)
{
	char out[ARTIFACT_VALUE_MAX], all[128] = "";
	struct str rest = str_of(params), one;

	while ((one = next(&rest, out)).p != NULL) {
		size_t n = strlen(all);

		(void)snprintf(all + n, sizeof(all) - n, STR_FMT " ",
		    STR_ARG(one));
	}
	cr_expect_str_eq(all, expected, "%s: %s", why, all);
}

Test(artifact, in_a_form_and_a_query)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		expect_all(artifact_in_form, forms[i].params, forms[i].form,
		    forms[i].why);
		expect_all(artifact_in_query, forms[i].params, forms[i].query,
		    forms[i].why);
	}
}

Test(artifact, too_long)
{
	static char text[ARTIFACT_VALUE_MAX + 16];
	char out[ARTIFACT_VALUE_MAX];
	struct str rest = str_from(text, 5 + ARTIFACT_VALUE_MAX);

	memset(text, 'x', sizeof(text));
	memcpy(text, "code=", 5);
	cr_expect_eq(artifact_in_form(&rest, out).len, ARTIFACT_VALUE_MAX);
	rest = str_from(text, 6 + ARTIFACT_VALUE_MAX);
	cr_expect_null(artifact_in_form(&rest, out).p);
}

Test(artifact, of_a_login_under_way)
{
	cr_expect(artifact_is_of_flow(ARTIFACT_CODE));
	cr_expect(artifact_is_of_flow(ARTIFACT_DEVICE_CODE));
	cr_expect_not(artifact_is_of_flow(ARTIFACT_ACCESS_TOKEN));
	cr_expect_not(artifact_is_of_flow(ARTIFACT_REFRESH_TOKEN));
}
