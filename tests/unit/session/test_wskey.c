/* The key of a WebSocket. */
#include "session/wskey.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#include "base/err.h"

Test(wskey, accepts_as_the_rfc_says, .timeout = 2)
{
	static const struct {
		const char *why, *key, *accept;
	} rows[] = {
		{ "RFC 6455 1.3", "dGhlIHNhbXBsZSBub25jZQ==",
		    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" },
		{ "the bytes 1 to 16", "AQIDBAUGBwgJCgsMDQ4PEA==",
		    "C/0nmHhBztSRGR1CwL6Tf4ZjwpY=" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[WSKEY_ACCEPT_LEN];

		cr_assert_eq(wskey_accept(rows[i].key, got), E_OK);
		cr_expect_eq(memcmp(got, rows[i].accept, sizeof(got)), 0,
		    "%s: %.*s", rows[i].why, WSKEY_ACCEPT_LEN, got);
	}
}

Test(wskey, a_fresh_one_is_like_no_other, .timeout = 2)
{
	char a[WSKEY_LEN], b[WSKEY_LEN];

	wskey_make(a);
	wskey_make(b);
	cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
	/* 16 bytes: 22 digits, the last of which has two bits */
	cr_expect_eq(memcmp(a + 22, "==", 2), 0);
	cr_expect_not_null(strchr("AQgw", a[21]));
	for (int i = 0; i < 22; i++)
		cr_expect(isalnum((unsigned char)a[i]) || a[i] == '+' ||
		    a[i] == '/');
}
