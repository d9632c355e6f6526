/* Signed strings of the demonstration: nobody can make or change one. */
#include "contrib/demo/grant.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

#define NOW_US (UINT64_C(1800000000) * US_PER_S)

static struct grant_key key;

static void
fake_time(void)
{
	clock_fake(1, NOW_US);
	cr_assert_eq(grant_key_read(NULL, &key), E_OK);
}

Test(grant, reads_back_what_it_wrote, .init = fake_time, .timeout = 2)
{
	char text[GRANT_MAX];
	struct grant g;

	grant_issue(&key, GRANT_CODE, "v1", "127.0.0.1:9101", "ann", text);
	cr_assert_eq(grant_read(&key, GRANT_CODE, text, &g), GRANT_OK);
	cr_expect_str_eq(g.version, "v1");
	cr_expect_str_eq(g.instance, "127.0.0.1:9101");
	cr_expect_str_eq(g.subject, "ann");
	cr_expect_eq(g.expires_s,
	    NOW_US / US_PER_S + grant_lives_s(GRANT_CODE));
}

Test(grant, no_other_kind_key_or_byte, .init = fake_time, .timeout = 2)
{
	struct grant_key other = { .len = 32 };
	char text[GRANT_MAX], changed[GRANT_MAX + 1];
	struct grant g;
	size_t len;

	grant_issue(&key, GRANT_CODE, "v1", "h:1", "ann", text);
	cr_expect_eq(grant_read(&key, GRANT_REFRESH, text, &g), GRANT_FORGED);
	cr_expect_eq(grant_read(&other, GRANT_CODE, text, &g), GRANT_FORGED);
	len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		strcpy(changed, text);
		changed[i] ^= 1;
		cr_expect_eq(grant_read(&key, GRANT_CODE, changed, &g),
		    GRANT_FORGED, "byte %zu changed", i);
		strcpy(changed, text);
		changed[i] = '\0';
		cr_expect_eq(grant_read(&key, GRANT_CODE, changed, &g),
		    GRANT_FORGED, "cut at %zu", i);
	}
	snprintf(changed, sizeof(changed), "%s0", text);
	cr_expect_eq(grant_read(&key, GRANT_CODE, changed, &g), GRANT_FORGED,
	    "one byte more");
}

Test(grant, expires, .init = fake_time, .timeout = 2)
{
	char text[GRANT_MAX];
	struct grant g;

	grant_issue(&key, GRANT_CODE, "v1", "h:1", "ann", text);
	clock_fake(1, NOW_US + (grant_lives_s(GRANT_CODE) - 1) * US_PER_S);
	cr_expect_eq(grant_read(&key, GRANT_CODE, text, &g), GRANT_OK);
	clock_fake(1, NOW_US + grant_lives_s(GRANT_CODE) * US_PER_S);
	cr_expect_eq(grant_read(&key, GRANT_CODE, text, &g), GRANT_EXPIRED);
}

Test(grant, words, .timeout = 2)
{
	cr_expect(grant_word_ok("v1"));
	cr_expect(grant_word_ok("[::1]:9101"));
	cr_expect_not(grant_word_ok(""), "empty");
	cr_expect_not(grant_word_ok("a~b"), "our separator");
	cr_expect_not(grant_word_ok("a\"b"), "would break JSON");
	cr_expect_not(grant_word_ok("a;b"), "would break a cookie");
	cr_expect_not(grant_word_ok("0123456789012345678901234567890123456789"
	                            "01234567"),
	    "too long");
}
