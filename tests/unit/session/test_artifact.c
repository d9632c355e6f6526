/* Codes and tokens, in what is answered and in what is asked. */
#include "session/artifact.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"

#define X(id, name, ttl_s, of_flow, born) [ARTIFACT_##id] = (name),
static const char *const names[] = { ARTIFACTS(X) };
#undef X

static char found[2048];

static void
note(enum artifact kind, struct str value, uint64_t ttl_s, void *arg UNUSED)
{
	size_t n = strlen(found);

	(void)snprintf(found + n, sizeof(found) - n, "%s=" STR_FMT "/%llu ",
	    names[kind], STR_ARG(value), (unsigned long long)ttl_s);
}

static const struct {
	const char *why, *location, *found;
} locations[] = {
	{ "a code", "https://a.test/cb?state=1&code=abc", "code=abc/600 " },
	{ "escaped", "/cb?code=a%2Fb%2bc+d", "code=a/b+c d/600 " },
	{ "escapes that are none", "/cb?code=a%zz%4", "code=a%zz%4/600 " },
	{ "behind a fragment", "/cb#id_token=x&access_token=y",
	    "id_token=x/86400 access_token=y/86400 " },
	{ "in both, the first", "/cb?code=a#code=b", "code=a/600 " },
	{ "what no redirection issues",
	    "/cb?refresh_token=r&user_code=u&request_uri=x&device_code=d", "" },
	{ "a question in a fragment", "/cb#a?code=b&code=c", "code=c/600 " },
	{ "empty", "/cb?code=&state=code", "" },
	{ "another name", "/cb?session_code=a&codes=b&acode=c", "" },
	{ "a state that comes back",
	    "https://idp.test/auth?client_id=c&state=0123456789abcdef&scope=x",
	    "state=0123456789abcdef/3600 " },
	{ "by SAML",
	    "https://idp.test/s?SAMLRequest=x&RelayState=0123456789abcde%66",
	    "RelayState=0123456789abcdef/3600 " },
	{ "a logout elsewhere",
	    "https://idp.test/end?state=0123456789abcdef&"
	    "post_logout_redirect_uri=https%3a%2f%2fa",
	    "state=0123456789abcdef/3600 " },
	{ "the application's state",
	    "https://a.test/cb?state=0123456789abcdef&code=a", "code=a/600 " },
	{ "a state anybody could have",
	    "https://idp.test/auth?client_id=c&state=0123456789abcde", "" },
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
	    "access_token=a/300 refresh_token=r/2592000 id_token=i/86400 " },
	{ "a device", "{\"device_code\":\"d\",\"user_code\":\"U-1\"}",
	    "device_code=d/1800 user_code=U-1/1800 " },
	{ "pushed", "{\"request_uri\":\"urn:x\",\"expires_in\":60}",
	    "request_uri=urn:x/60 " },
	{ "longer than is believed",
	    "{\"access_token\":\"a\",\"expires_in\":99999999}",
	    "access_token=a/86400 " },
	{ "an error's code", "{\"code\":\"not_found\"}", "" },
	{ "where a flow is", "{\"state\":\"choose_method_please\"}", "" },
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
	const char *why, *html, *found;
} pages[] = {
	{ "a code",
	    "<body onload=\"javascript:document.forms[0].submit()\"><form "
	    "method=post action='https://a.test/cb'><input type=hidden "
	    "name=code value=abcdefghijklmnop><INPUT TYPE='hidden' "
	    "NAME=\"state\" "
	    "VALUE='0123456789abcdef'/></form>",
	    "code=abcdefghijklmnop/600 " },
	{ "with references",
	    "<input name=\"code\" "
	    "value=\"a&#43;b&#x2F;c&amp;d&plus;0123456&equals;\">",
	    "code=a+b/c&d+0123456=/600 " },
	{ "asking another",
	    "<input name=SAMLRequest value=x><input\n"
	    "value=\"0123456789abcdef\"\tname='RelayState' />",
	    "RelayState=0123456789abcdef/3600 " },
	{ "asking nobody", "<input name=RelayState value=0123456789abcdef>",
	    "" },
	{ "a login page",
	    "<input name=username value=ann><input name=password type=password>"
	    "<button name=code value=x>",
	    "" },
	{ "the first",
	    "<input name=code value=0123456789abcdef><input "
	    "name=code value=x123456789abcdef>",
	    "code=0123456789abcdef/600 " },
	{ "what anybody may choose",
	    "<input type=radio name=code value=1>"
	    "<input name=code value=123456>",
	    "" },
	{ "what no page issues", "<input name=refresh_token value=a>", "" },
	{ "empty ones",
	    "<input name=code value=\"\"><input name=code value><input "
	    "name=code><input value=a><input><input",
	    "" },
	{ "cut within", "<input name=code value=\"0123456789abcdef",
	    "code=0123456789abcdef/600 " },
	{ "cut before", "<input name=code val", "" },
	{ "another tag", "<inputs name=code value=a><in put name=code value=b>",
	    "" },
	{ "nothing", "", "" },
};

Test(artifact, in_a_page)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		found[0] = '\0';
		artifact_in_page(str_of(pages[i].html), note, NULL);
		cr_expect_str_eq(found, pages[i].found, "%s: %s", pages[i].why,
		    found);
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
	{ "a state", "code=c&state=0123456789abcdef", "c 0123456789abcdef ",
	    "0123456789abcdef " },
	{ "by SAML", "SAMLResponse=x&RelayState=0123456789abcdef",
	    "0123456789abcdef ", "0123456789abcdef " },
	{ "the application's",
	    "state=0123456789abcdef&RelayState=0123456789abcdef&client_id=c",
	    "", "" },
	{ "anybody's", "state=1&RelayState=%2Fhome", "", "" },
	{ "one of two", "state=1&RelayState=0123456789abcdef",
	    "0123456789abcdef ", "0123456789abcdef " },
	{ "none", "username=a&password=code", "", "" },
	{ "nothing", "", "", "" },
};

static void
expect_all(struct str (*next)(struct str, bool, struct str *, char *),
    const char *params, const char *expected, const char *why)
{
	char out[ARTIFACT_VALUE_MAX], all[128] = "";
	struct str text = str_of(params), rest = text, one;

	while ((one = next(text, true, &rest, out)).p != NULL) {
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

Test(artifact, states_are_left_out)
{
	struct str all = STR("RelayState=0123456789abcdef&code=c"), rest = all;
	char out[ARTIFACT_VALUE_MAX];

	cr_expect(str_eq(artifact_in_form(all, false, &rest, out), STR("c")));
	rest = all;
	cr_expect_null(artifact_in_query(all, false, &rest, out).p);
}

Test(artifact, too_long)
{
	static char text[ARTIFACT_VALUE_MAX + 16];
	char out[ARTIFACT_VALUE_MAX];
	struct str all = str_from(text, 5 + ARTIFACT_VALUE_MAX), rest = all;

	memset(text, 'x', sizeof(text));
	memcpy(text, "code=", 5);
	cr_expect_eq(artifact_in_form(all, true, &rest, out).len,
	    ARTIFACT_VALUE_MAX);
	rest = all = str_from(text, 6 + ARTIFACT_VALUE_MAX);
	cr_expect_null(artifact_in_form(all, true, &rest, out).p);
}

Test(artifact, of_a_login_under_way)
{
	cr_expect(artifact_is_of_flow(ARTIFACT_CODE));
	cr_expect(artifact_is_of_flow(ARTIFACT_DEVICE_CODE));
	cr_expect_not(artifact_is_of_flow(ARTIFACT_ACCESS_TOKEN));
	cr_expect_not(artifact_is_of_flow(ARTIFACT_REFRESH_TOKEN));
}
