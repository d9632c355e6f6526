/*
 * Bytes from nowhere and files with a few bytes changed: no crash, no silence,
 * and what is taken comes back from its dump.  (tests/fuzz/fuzz_config.c digs
 * deeper.)
 */
#include <stdlib.h>

#include "try.h"

static const char seed_text[] =
    "workers: auto\nlog: { level: info, file: /var/log/segue.log }\n"
    "access_log: off\nadmin: { mode: \"0660\", operate: { users: [] } }\n"
    "listeners:\n  - name: web\n    address: 0.0.0.0:8080\n"
    "    timeouts: { head: 10s }\n    trusted_proxies: [ 10.0.0.0/8 ]\n"
    "services:\n  - name: sso\n    profile: hydra\n    match: [ { host: sso, "
    "path: / } ]\n"
    "    retry: { attempts: 2, budget: 20% }\n    via: on\n    pools:\n"
    "      - name: v1\n        share: 100%\n        instances:\n"
    "          - 10.0.0.1:8080\n          - { name: b, address: a:1 }\n"
    "        probe: { headers: { X-A: b }, expect: [ 200 ], "
    "json: { field: s, value: U } }\n";

static uint64_t dice = 88172645463325252;

static unsigned
roll(unsigned below)
{
	dice ^= dice << 13; /* xorshift64, Marsaglia 2003 */
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)(dice >> 11) % below;
}

static bool
take(const char *p, size_t len)
{
	/* in memory of just that size, for the sanitizer */
	char *exact = malloc(len == 0 ? 1 : len);
	struct buf said;
	struct cfg *c;
	bool taken;

	cr_assert_not_null(exact);
	memcpy(exact, p, len);
	(void)try_text(str_from(exact, len), &c, &said);
	free(exact);
	taken = c != NULL;
	if (taken)
		try_round_trip(c, "random");
	else
		cr_assert_gt(said.len, 0, "an error without a word");
	try_free(&c, &said);
	return taken;
}

Test(random, bytes, .timeout = 60)
{
	for (int round = 0; round < 3000; round++) {
		char bytes[256];
		size_t len = roll(sizeof(bytes));

		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)roll(256);
		(void)take(bytes, len);
	}
}

Test(random, signs_of_yaml, .timeout = 60)
{
	static const char signs[] = "{}[]:,-?&*!|>'\"%@`#~ \t\n\\ax0";

	for (int round = 0; round < 5000; round++) {
		char bytes[64];
		size_t len = roll(sizeof(bytes));

		for (size_t i = 0; i < len; i++)
			bytes[i] = signs[roll(sizeof(signs) - 1)];
		(void)take(bytes, len);
	}
}

Test(random, changes, .timeout = 120)
{
	size_t len = sizeof(seed_text) - 1, taken = 0;

	cr_assert(take(seed_text, len));
	for (int round = 0; round < 4000; round++) {
		char text[sizeof(seed_text)];

		memcpy(text, seed_text, sizeof(seed_text));
		for (unsigned n = 1 + roll(3); n > 0; n--)
			text[roll((unsigned)len)] = roll(2) == 0
			    ? (char)roll(256)
			    : seed_text[roll((unsigned)len)];
		taken += take(text, len);
	}
	cr_expect_gt(taken, 100, "some changes do no harm");
}

Test(random, cut_at_every_byte, .timeout = 60)
{
	for (size_t len = 0; len < sizeof(seed_text); len++)
		(void)take(seed_text, len);
}
