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
	{ "in both", "/cb?code=a#code=b", "0=a/600 0=b/600 " },
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
	    "5=a/300 6=r/2592000 7=i/300 " },
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
	const char *why, *params, *found;
} forms[] = {
	{ "a code", "grant_type=authorization_code&code=a%20b", "a b" },
	{ "a token", "token=t&token_type_hint=refresh_token", "t" },
	{ "a hint", "id_token_hint=i", "i" },
	{ "an exchange", "grant_type=x&subject_token=s", "s" },
	{ "the first", "refresh_token=r&code=c", "r" },
	{ "an empty one first", "code=&refresh_token=r", "r" },
	{ "none", "username=a&password=code", NULL },
	{ "nothing", "", NULL },
};

Test(artifact, in_a_form)
{
	char out[ARTIFACT_VALUE_MAX];

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct str s = artifact_asked(str_of(forms[i].params), out);

		if (forms[i].found == NULL)
			cr_expect_null(s.p, "%s", forms[i].why);
		else
			cr_expect(str_eq(s, str_of(forms[i].found)), "%s",
			    forms[i].why);
	}
}

Test(artifact, too_long)
{
	static char text[ARTIFACT_VALUE_MAX + 16];
	char out[ARTIFACT_VALUE_MAX];

	memset(text, 'x', sizeof(text));
	memcpy(text, "code=", 5);
	cr_expect_eq(
	    artifact_asked(str_from(text, 5 + ARTIFACT_VALUE_MAX), out).len,
	    ARTIFACT_VALUE_MAX);
	cr_expect_null(
	    artifact_asked(str_from(text, 6 + ARTIFACT_VALUE_MAX), out).p);
}

Test(artifact, of_a_login_under_way)
{
	cr_expect(artifact_is_of_flow(ARTIFACT_CODE));
	cr_expect(artifact_is_of_flow(ARTIFACT_DEVICE_CODE));
	cr_expect_not(artifact_is_of_flow(ARTIFACT_ACCESS_TOKEN));
	cr_expect_not(artifact_is_of_flow(ARTIFACT_REFRESH_TOKEN));
}
