/* Secrets in logs: joined, not found. */
#include "session/digest.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "session/keyring.h"

#define KEY_1                                                                  \
	"1 00112233445566778899aabbccddeeff"                                   \
	"00112233445566778899aabbccddeeff\n"
#define KEY_2                                                                  \
	"2 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"                                   \
	"b0b1b2b3b4b5b6b7b8b9babbbcbdbebf\n"
#define OUT_MAX 4096

static struct digester *d;

static struct digester *
digester_of(const char *text)
{
	struct keyring *r;
	struct digester *made;
	char why[128];

	cr_assert_eq(keyring_parse(str_of(text), "x", &r, why, sizeof(why)),
	    E_OK);
	made = digester_new(r);
	keyring_unref(&r); /* the digester does not need it */
	cr_assert_not_null(made);
	return made;
}

static void
begin(void)
{
	d = digester_of(KEY_1);
}

static void
end(void)
{
	digester_free(&d);
	digester_free(&d);
}

/* From another implementation: old logs must stay joinable to new ones. */
Test(digest, is_stable, .init = begin, .fini = end, .timeout = 5)
{
	char out[DIGEST_TEXT_LEN + 1], x[300];

	digest_secret(d, STR("abc"), out);
	cr_expect_str_eq(out, "cc4d2272dbb5d71c");
	digest_secret(d, STR(""), out);
	cr_expect_str_eq(out, "554d396fa5292d49");
	digest_secret(d, str_from(NULL, 0), out);
	cr_expect_str_eq(out, "554d396fa5292d49");
	memset(x, 'x', sizeof(x));
	digest_secret(d, str_from(x, sizeof(x)), out);
	cr_expect_str_eq(out, "98f7f9d2f2870281");
}

Test(digest, rotation_changes_it_last, .init = begin, .fini = end, .timeout = 5)
{
	struct digester *both = digester_of(KEY_2 KEY_1);
	struct digester *young = digester_of(KEY_2);
	char a[DIGEST_TEXT_LEN + 1], b[DIGEST_TEXT_LEN + 1];

	digest_secret(d, STR("abc"), a);
	digest_secret(both, STR("abc"), b);
	cr_expect_str_eq(a, b);
	digest_secret(young, STR("abc"), b);
	cr_expect_str_neq(a, b);
	digester_free(&both);
	digester_free(&young);
}

static void *
digest_often(void *arg)
{
	char out[DIGEST_TEXT_LEN + 1];
	bool *good = arg;

	*good = true;
	for (int i = 0; i < 2000; i++) {
		digest_secret(d, STR("abc"), out);
		*good &= strcmp(out, "cc4d2272dbb5d71c") == 0;
	}
	return NULL;
}

Test(digest, any_thread, .init = begin, .fini = end, .timeout = 20)
{
	pthread_t threads[4];
	bool good[ARRAY_LEN(threads)];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, digest_often,
		                 &good[i]),
		    0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		(void)pthread_join(threads[i], NULL);
		cr_expect(good[i], "thread %zu", i);
	}
}

/* ---- names ---- */

static const char *const secret[] = { "code", "state", "token", "access_token",
	"refresh_token", "id_token", "id_token_hint", "assertion",
	"client_assertion", "client_secret", "SAMLRequest", "SAMLResponse",
	"RelayState", "SAMLart", "Signature", "session_state", "sid",
	"device_code", "user_code", "request", "request_uri", "login_challenge",
	"consent_challenge", "logout_challenge", "login_verifier",
	"code_verifier", "a_verifier", "flow", "key", "password", "nonce",
	"ticket", "execution", "session_code", "tab_id", "CODE", "samlresponse",
	"Code_Verifier", "subject_token", "jsessionid", "session",
	"authRequestID", "api_key", "x-auth-token", "code[]", "code[a]" };

static const char *const plain[] = { "", "a", "cod", "codes", "mycode", "scope",
	"client_id", "response_type", "grant_type", "redirect_uri", "SigAlg",
	"_verifier", "verifier", "_token", "states", "keys", "prompt", "error",
	"client_assertion_type", "token_type", "[code]", "_key", "a[code]" };

Test(digest, names, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(secret); i++)
		cr_expect(digest_is_secret(str_of(secret[i])), "%s", secret[i]);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		cr_expect_not(digest_is_secret(str_of(plain[i])), "%s",
		    plain[i]);
	cr_expect_not(digest_is_secret(str_from(NULL, 0)));
}

/* ---- targets ---- */

/* In want, {abc} stands for "~" and the digest of abc. */
/* clang-format off */
static const struct {
	const char *why, *in, *want;
} rows[] = {
	{ "no query", "/a/b", "/a/b" },
	{ "empty", "", "" },
	{ "asterisk", "*", "*" },
	{ "nothing secret", "/a?x=1&y=2", "/a?x=1&y=2" },
	{ "one", "/cb?code=abc", "/cb?code={abc}" },
	{ "several", "/cb?state=s1&code=abc&iss=i",
	    "/cb?state={s1}&code={abc}&iss=i" },
	{ "name in capitals", "/cb?CODE=abc", "/cb?CODE={abc}" },
	{ "no value", "/cb?code&state=", "/cb?code&state=" },
	{ "equals sign in the value", "/cb?code=a=b==&x=1",
	    "/cb?code={a=b==}&x=1" },
	{ "empty pairs", "/cb?&&code=abc&&", "/cb?&&code={abc}&&" },
	{ "second question mark", "/cb?x=?code=abc", "/cb?x=?code={abc}" },
	{ "secret name in the path only", "/code=abc/x", "/code=abc/x" },
	{ "name escaped", "/cb?%63ode=abc", "/cb?%63ode={abc}" },
	{ "a list of them", "/cb?code[]=abc&code%5B1%5d=d&x[code]=1",
	    "/cb?code[]={abc}&code%5B1%5d={d}&x[code]=1" },
	{ "name escaped twice", "/cb?%2563od%65=abc", "/cb?%2563od%65={abc}" },
	{ "bad escapes",
	    "/cb?%zz=1&%=2&code%=3&%4",
	    "/cb?%zz=1&%=2&code%=3&%4" },
	{ "escape cut", "/cb?code=abc%2", "/cb?code={abc%2}" },
	{ "value escaped: digest as it stands", "/cb?code=a%26b&x=1",
	    "/cb?code={a%26b}&x=1" },
	{ "semicolons separate for some", "/cb?x=1;code=abc;y",
	    "/cb?x=1;code={abc;y}" },
	{ "value with semicolon", "/cb?code=ab;c&x=1", "/cb?code={ab;c}&x=1" },
	{ "fragment", "/cb#access_token=abc&x=1",
	    "/cb#access_token={abc&x=1}" },
	{ "a target in a value", "/l?rt=/auth%3Fcode%3Dabc%26x%3D1&y=2",
	    "/l?rt=/auth%3Fcode%3D{abc}%26x%3D1&y=2" },
	{ "two deep",
	    "/l?rt=%2Fa%3Frt%3D%252Fb%253Fstate%253Ds%2526x%253D1%26y",
	    "/l?rt=%2Fa%3Frt%3D%252Fb%253Fstate%253D{s}%2526x%253D1%26y" },
	{ "deeper value ends with its host", "/l?rt=%3Fcode%3Dabc&x=1",
	    "/l?rt=%3Fcode%3D{abc}&x=1" },
	{ "value is not cut by a deeper border", "/l?code=a%2526b%26c&x=1",
	    "/l?code={a%2526b%26c}&x=1" },
	{ "nested, not escaped", "/l?rt=/a?x=1&state=s",
	    "/l?rt=/a?x=1&state={s}" },
	{ "lower case escapes", "/l?rt=%2fa%3fcode%3dabc%26x",
	    "/l?rt=%2fa%3fcode%3d{abc}%26x" },
	{ "path parameter", "/a;jsessionid=abc/b;v=1?x=1",
	    "/a;jsessionid={abc}/b;v=1?x=1" },
	{ "path parameter at the end", "/a;jsessionid=abc",
	    "/a;jsessionid={abc}" },
	{ "path parameter, then query", "/a;jsessionid=abc?code=abc",
	    "/a;jsessionid={abc}?code={abc}" },
	{ "absolute form", "http://h/cb?code=abc", "http://h/cb?code={abc}" },
	{ "a long name",
	    "/?xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_verifier=v",
	    "/?xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_verifier"
	    "={v}" },
};
/* clang-format on */

static struct str
expand(const char *want, char out[OUT_MAX])
{
	struct str rest = str_of(want);
	size_t n = 0;

	while (rest.len > 0) {
		struct str before = str_split(&rest, '{'), value;

		memcpy(out + n, before.p, before.len);
		n += before.len;
		if (rest.len == 0)
			break;
		value = str_split(&rest, '}');
		out[n++] = '~';
		digest_secret(d, value, out + n);
		n += DIGEST_TEXT_LEN;
	}
	return str_from(out, n);
}

/* In and out in memory of their exact size. */
static size_t
digest_exact(struct str in, char *out, size_t cap)
{
	char *copy = malloc(in.len), *room = malloc(cap);
	size_t n;

	if (in.len > 0)
		memcpy(copy, in.p, in.len);
	n = digest_target(d, str_from(copy, in.len), room, cap);
	cr_assert_leq(n, cap);
	memcpy(out, room, n);
	free(copy);
	free(room);
	return n;
}

Test(digest, targets, .init = begin, .fini = end, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[OUT_MAX], wanted[OUT_MAX];
		struct str want = expand(rows[i].want, wanted);
		size_t n = digest_exact(str_of(rows[i].in), got, OUT_MAX);

		cr_expect(str_eq(str_from(got, n), want), "%s: " STR_FMT,
		    rows[i].why, (int)n, got);
	}
}

Test(digest, cut_at_every_length, .init = begin, .fini = end, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char whole[OUT_MAX], part[OUT_MAX];
		struct str in = str_of(rows[i].in);
		size_t n = digest_exact(in, whole, OUT_MAX);

		for (size_t cap = 0; cap <= n; cap++) {
			cr_expect_eq(digest_exact(in, part, cap), cap);
			cr_expect_eq(memcmp(whole, part, cap), 0, "%s: %zu",
			    rows[i].why, cap);
		}
		for (size_t len = 0; len < in.len; len++)
			(void)digest_exact(str_sub(in, 0, len), part, OUT_MAX);
	}
}

/* However the border and the name are dressed up, the value is not shown. */
Test(digest, no_value_gets_through, .init = begin, .fini = end, .timeout = 20)
{
	static const char *const bits[] = { "/", "a", "=", "%3D", "%253D", "&",
		"%26", "%2526", "?", "%3F", "%253f", ";", "#", "x=1", "%", "%2",
		"%25", "%zz", "code", "rt=%2Fb" };
	static const char *const borders[] = { "&", "%26", "%2526", "?", "%3f",
		"%253F", ";", "%23" };
	static const char *const names[] = { "code", "st%61te",
		"login_verifier", "SAMLResponse", "%69d_token" };
	static const char *const equals[] = { "=", "%3D", "%253d", "%25253D" };

	for (int round = 0; round < 20000; round++) {
		char in[512] = "/a?", out[OUT_MAX + 1];

		for (unsigned n = random_below(12); n > 0; n--)
			(void)strcat(in, bits[random_below(ARRAY_LEN(bits))]);
		(void)strcat(in, borders[random_below(ARRAY_LEN(borders))]);
		(void)strcat(in, names[random_below(ARRAY_LEN(names))]);
		(void)strcat(in, equals[random_below(ARRAY_LEN(equals))]);
		(void)strcat(in, "S3CRET");
		for (unsigned n = random_below(6); n > 0; n--)
			(void)strcat(in, bits[random_below(ARRAY_LEN(bits))]);
		out[digest_exact(str_of(in), out, OUT_MAX)] = '\0';
		cr_assert_null(strstr(out, "S3CRET"), "%s gives %s", in, out);
	}
}

/* The work is bounded by the room, not by what a client sends. */
Test(digest, many_secrets_little_room, .init = begin, .fini = end, .timeout = 5)
{
	size_t len = (size_t)1 << 22;
	char *in = malloc(len), out[256];

	for (size_t i = 0; i < len; i++)
		in[i] = "?sid=1&"[i % 7];
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(digest_target(d, str_from(in, len), out,
		                 sizeof(out)),
		    sizeof(out));
	free(in);
}
