/* The question and answer of gRPC's health service, byte by byte. */
#include "upstream/grpc_health.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define LIT(s)                                                                 \
	{                                                                      \
		s, sizeof(s) - 1                                               \
	}

static const struct {
	const char *why;
	struct str body;
	bool serves;
} answers[] = {
	{ "SERVING", LIT("\0\0\0\0\2\x08\1"), true },
	{ "NOT_SERVING", LIT("\0\0\0\0\2\x08\2"), false },
	{ "SERVICE_UNKNOWN", LIT("\0\0\0\0\2\x08\3"), false },
	{ "UNKNOWN, which is not written", LIT("\0\0\0\0\0"), false },
	{ "a number that takes more bytes than it must",
	    LIT("\0\0\0\0\3\x08\x81\0"), true },
	{ "fields to come are passed over",
	    LIT("\0\0\0\0\x15\x10\x96\1\x1a\2hi\x25"
	        "abcd\x29"
	        "abcdefgh\x08\1"),
	    false }, /* one byte too many for its length */
	{ "the same with its length",
	    LIT("\0\0\0\0\x17\x10\x96\1\x1a\2hi\x25"
	        "abcd\x29"
	        "abcdefgh\x08\1"),
	    true },
	{ "the last one counts", LIT("\0\0\0\0\4\x08\1\x08\2"), false },
	{ "nothing", LIT(""), false },
	{ "half a prefix", LIT("\0\0\0"), false },
	{ "compressed, which nobody asked for", LIT("\1\0\0\0\2\x08\1"),
	    false },
	{ "less than its length", LIT("\0\0\0\0\3\x08\1"), false },
	{ "a second message", LIT("\0\0\0\0\2\x08\1\0\0\0\0\0"), false },
	{ "a key and no value", LIT("\0\0\0\0\1\x08"), false },
	{ "a text longer than what is there", LIT("\0\0\0\0\2\x12\x7f"),
	    false },
	{ "a kind that nobody uses", LIT("\0\0\0\0\2\x0b\1"), false },
	{ "a number without end",
	    LIT("\0\0\0\0\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	        "\1"),
	    false },
};

Test(grpc_health, answers)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		cr_expect_eq(grpc_health_serves(answers[i].body),
		    answers[i].serves, "%s", answers[i].why);
}

Test(grpc_health, questions)
{
	char out[GRPC_HEALTH_ASK_MAX], name[GRPC_HEALTH_SERVICE_MAX];
	size_t n = grpc_health_ask(STR(""), out);

	cr_expect_eq(n, 5);
	cr_expect_eq(memcmp(out, "\0\0\0\0\0", 5), 0);
	n = grpc_health_ask(STR("a.B"), out);
	cr_expect_eq(n, 10);
	cr_expect_eq(memcmp(out, "\0\0\0\0\5\x0a\3a.B", 10), 0);
	memset(name, 'x', sizeof(name));
	n = grpc_health_ask(str_from(name, sizeof(name)), out);
	cr_expect_eq(n, sizeof(out), "the longest fits");
	cr_expect_eq(memcmp(out, "\0\0\0\1\2\x0a\xff\1x", 9), 0);
}
