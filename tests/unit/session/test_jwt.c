/* By which key a token is signed. */
#include "session/jwt.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/err.h"
#include "session/base64url.h"

#define HEADS_MAX 2048

/* A token whose header is that text. */
static struct str
token(const char *head, const char *rest, char out[HEADS_MAX])
{
	size_t n = base64url_write((const uint8_t *)head, strlen(head), out);

	return str_from(out,
	    n + str_copy(str_of(rest), out + n, HEADS_MAX - n));
}

Test(jwt, the_kid_of_its_header, .timeout = 2)
{
	static const struct {
		const char *why, *head, *rest, *kid;
	} rows[] = {
		{ "RFC 7515 appendix A.2, with a kid",
		    "{\"alg\":\"RS256\",\"kid\":\"one\"}", ".e30.c2ln", "one" },
		{ "spaces, and other members",
		    " { \"typ\" : \"JWT\", \"kid\" : \"a\\u0062\" }",
		    ".e30.c2ln", "ab" },
		{ "none", "{\"alg\":\"RS256\"}", ".e30.c2ln", "" },
		{ "a number", "{\"kid\":1}", ".e30.c2ln", "" },
		{ "no object", "[\"kid\"]", ".e30.c2ln", "" },
		{ "no JSON", "{\"kid\":\"one\"", ".e30.c2ln", "" },
		{ "twice", "{\"kid\":\"a\",\"kid\":\"b\"}", ".e30.c2ln", "" },
		{ "no claims", "{\"kid\":\"one\"}", "..c2ln", "" },
		{ "no signature", "{\"kid\":\"one\"}", ".e30.", "" },
		{ "two parts", "{\"kid\":\"one\"}", ".e30", "" },
		{ "one", "{\"kid\":\"one\"}", "", "" },
		{ "sealed for somebody", "{\"kid\":\"one\"}", ".a.b.c.d", "" },
		{ "no base64url", "{\"kid\":\"one\"}", "=.e30.c2ln", "" },
	};
	char room[HEADS_MAX], out[JWT_KID_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str kid = jwt_kid(
		    token(rows[i].head, rows[i].rest, room), out);

		cr_expect(str_eq(kid, str_of(rows[i].kid)), "%s: " STR_FMT,
		    rows[i].why, STR_ARG(kid));
	}
}

Test(jwt, what_is_too_long_is_not_read, .timeout = 2)
{
	char head[HEADS_MAX / 2 + 64], room[HEADS_MAX], out[JWT_KID_MAX];
	int n;

	for (int len = JWT_KID_MAX - 2; len <= JWT_KID_MAX; len++) {
		n = snprintf(head, sizeof(head), "{\"kid\":\"%0*d\"}", len, 0);
		cr_assert_lt(n, (int)sizeof(head));
		cr_expect_eq(jwt_kid(token(head, ".e30.c2ln", room), out).len,
		    len < JWT_KID_MAX ? (size_t)len : 0);
	}
	for (int len = JWT_HEADER_MAX - 1; len <= JWT_HEADER_MAX + 1; len++) {
		n = snprintf(head, sizeof(head), "{\"kid\":\"a\"%*s}", len - 11,
		    "");
		cr_assert_eq(n, len);
		cr_expect_eq(jwt_kid(token(head, ".e30.c2ln", room), out).len,
		    len <= JWT_HEADER_MAX);
	}
}

Test(base64url, both_ways, .timeout = 2)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = { { "", "" }, { "f", "Zg" }, { "fo", "Zm8" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg" },
		{ "\xfb\xff", "-_8" } };
	char text[16];
	uint8_t bytes[16];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].bytes);
		size_t n = base64url_write((const uint8_t *)rows[i].bytes, len,
		    text);

		cr_expect(str_eq(str_from(text, n), str_of(rows[i].text)));
		cr_expect_eq(n, BASE64URL_LEN(len));
		cr_expect_eq(base64url_read(str_of(rows[i].text), bytes,
		                 sizeof(bytes)),
		    (ssize_t)len);
		cr_expect_eq(memcmp(bytes, rows[i].bytes, len), 0);
		if (len > 0)
			cr_expect_eq(base64url_read(str_of(rows[i].text), bytes,
			                 len - 1),
			    E_SYNTAX, "it does not fit");
	}
}

/* The bits that no byte has are 0: one text for each. */
Test(base64url, what_is_none, .timeout = 2)
{
	static const char *const rows[] = { "Z", "Zh", "Zm9", "Zm9vY",
		"Zg==", "Zm 8", "Zm+8", "Zm/8", "Zm9v\n" };
	uint8_t bytes[16];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(base64url_read(str_of(rows[i]), bytes,
		                 sizeof(bytes)),
		    E_SYNTAX, "%s", rows[i]);
}
