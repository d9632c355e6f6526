#include <criterion/criterion.h>
#include <string.h>

#include "verify/tokens.h"

Test(tokens, challenge_of_rfc_7636_appendix_b)
{
	char out[TOKENS_SECRET_MAX];

	cr_assert(tokens_challenge(
	    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", out));
	cr_expect_str_eq(out, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

Test(tokens, secrets_differ_and_are_verifiers)
{
	char a[TOKENS_SECRET_MAX], b[TOKENS_SECRET_MAX];

	tokens_secret(a);
	tokens_secret(b);
	cr_expect_str_neq(a, b);
	cr_expect_eq(strlen(a), 43);
	cr_expect_eq(strspn(a,
	                 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                 "0123456789-_"),
	    43);
}

Test(tokens, claims)
{
	static const struct {
		const char *jwt, *claims; /* NULL: it is none */
	} rows[] = {
		{ "e30.e30.x", "{}" },
		{ "e30.eyJhIjoxfQ.x", "{\"a\":1}" },
		{ "e30.eyJhIjoiw7_Dv8O_In0.x",
		    "{\"a\":\"\303\277\303\277\303\277\"}" },
		{ "e30.e30.", "{}" },
		{ "e30.e30", NULL },
		{ "e30", NULL },
		{ "", NULL },
		{ "e30..x", NULL },
		{ "e30.a.x", NULL },
		{ "e30.e!0.x", NULL },
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is = tokens_claims(rows[i].jwt, &out);

		cr_expect_eq(is, rows[i].claims != NULL, "%s", rows[i].jwt);
		if (is && rows[i].claims != NULL)
			cr_expect_str_eq(out.p, rows[i].claims, "%s: %s",
			    rows[i].jwt, out.p);
	}
	buf_free(&out);
}
