/* What an answer means and what follows from a row of them. */
#include "upstream/probe_judge.h"

#include <criterion/criterion.h>

/* clang-format off */
static const struct {
	const char *why, *field, *value, *body;
	enum health_reason reason;
} rows[] = {
	{ "a text", "a", "UP", "{\"a\":\"UP\"}", HEALTH_WHY_PASSED },
	{ "case matters", "a", "up", "{\"a\":\"UP\"}", HEALTH_WHY_JSON },
	{ "true", "a", "true", "{\"a\":true}", HEALTH_WHY_PASSED },
	{ "false", "a", "false", "{\"a\":false}", HEALTH_WHY_PASSED },
	{ "true is not false", "a", "false", "{\"a\":true}", HEALTH_WHY_JSON },
	{ "a text is compared as one", "a", "true", "{\"a\":\"true\"}",
	    HEALTH_WHY_PASSED },
	{ "a number", "a", "42", "{\"a\":42}", HEALTH_WHY_PASSED },
	{ "a number below zero", "a", "-1", "{\"a\":-1}", HEALTH_WHY_PASSED },
	{ "another number", "a", "42", "{\"a\":43}", HEALTH_WHY_JSON },
	{ "a number is written one way", "a", "042", "{\"a\":42}",
	    HEALTH_WHY_JSON },
	{ "null is nothing", "a", "null", "{\"a\":null}", HEALTH_WHY_JSON },
	{ "an object is no value", "a", "{}", "{\"a\":{}}", HEALTH_WHY_JSON },
	{ "a path", "a.b.1", "x", "{\"a\":{\"b\":[\"w\",\"x\"]}}",
	    HEALTH_WHY_PASSED },
	{ "a path past the end", "a.b.2", "x",
	    "{\"a\":{\"b\":[\"w\",\"x\"]}}", HEALTH_WHY_JSON },
	{ "cut", "a", "UP", "{\"a\":\"UP\"", HEALTH_WHY_JSON },
	{ "something behind it", "a", "UP", "{\"a\":\"UP\"}x",
	    HEALTH_WHY_JSON },
	{ "nothing", "a", "UP", "", HEALTH_WHY_JSON },
};
/* clang-format on */

Test(probe_judge, json)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cfg_probe cfg = {
			.json_field = (char *)(uintptr_t)rows[i].field,
			.json_value = (char *)(uintptr_t)rows[i].value,
		};

		cr_expect(probe_wants_body(&cfg));
		cr_expect_eq(probe_judge_body(&cfg, str_of(rows[i].body)),
		    rows[i].reason, "%s", rows[i].why);
	}
}

Test(probe_judge, text_may_stand_behind_a_nul)
{
	struct cfg_probe cfg = { .body = (char[]){ "ready" } };

	cr_expect(probe_wants_body(&cfg));
	cr_expect_eq(probe_judge_body(&cfg, STR("a\0ready")),
	    HEALTH_WHY_PASSED);
	cr_expect_eq(probe_judge_body(&cfg, str_from(NULL, 0)),
	    HEALTH_WHY_BODY);
	cr_expect_not(probe_wants_body(&(struct cfg_probe){ .path = NULL }));
}

/* clang-format off */
static const struct {
	const char *why, *results, *health; /* p: passed, f: failed */
	enum health from;
	unsigned rise, fall;
} counts[] = {
	{ "unknown rises after so many", "ppp", "??U", HEALTH_UNKNOWN, 3, 2 },
	{ "unknown falls at once", "f", "D", HEALTH_UNKNOWN, 3, 2 },
	{ "unknown, almost risen, falls", "ppf", "??D", HEALTH_UNKNOWN, 3, 2 },
	{ "up falls after so many", "fff", "UUD", HEALTH_UP, 1, 3 },
	{ "up forgets failures", "ffpff", "UUUUU", HEALTH_UP, 1, 3 },
	{ "down rises after so many", "pp", "DU", HEALTH_DOWN, 2, 1 },
	{ "down forgets passes", "pfpfpp", "DDDDDU", HEALTH_DOWN, 2, 1 },
	{ "down stays down", "ffff", "DDDD", HEALTH_DOWN, 2, 3 },
	{ "there and back", "pfpf", "UDUD", HEALTH_DOWN, 1, 1 },
};
/* clang-format on */

Test(probe_judge, count)
{
	static const char letters[] = { [HEALTH_UNKNOWN] = '?',
		[HEALTH_UP] = 'U',
		[HEALTH_DOWN] = 'D' };

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		enum health now = counts[i].from;
		unsigned passes = 0, fails = 0;

		for (size_t k = 0; counts[i].results[k] != '\0'; k++) {
			now = probe_count(now, &passes, &fails,
			    counts[i].results[k] == 'p', counts[i].rise,
			    counts[i].fall);
			cr_expect_eq(letters[now], counts[i].health[k],
			    "%s: %zu", counts[i].why, k);
		}
	}
}
