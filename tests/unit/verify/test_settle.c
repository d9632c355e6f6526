#include <criterion/criterion.h>

#include "base/attr.h"
#include "verify/settle.h"

/* clang-format off */
static const struct {
	const char *name;
	uint64_t rounds[12]; /* 0: one that failed; ends behind the last */
	size_t n;
	uint64_t bound;
	size_t settled; /* at which; 0: never */
} runs[] = {
	{ "at once", { 100, 100, 100, 100 }, 4, 0, 4 },
	{ "it gets faster", { 1000, 500, 250, 100, 95, 96, 99 }, 7, 0, 7 },
	{ "little by little is calm", { 100, 99, 98, 97 }, 4, 0, 4 },
	{ "slower is calm, too", { 100, 300, 100, 200 }, 4, 0, 4 },
	{ "a failure ends the calm", { 100, 100, 100, 0, 100, 100, 100 }, 7, 0, 7 },
	{ "a failure is no best", { 0, 0, 0, 0 }, 4, 0, 0 },
	{ "above its bound", { 100, 100, 100, 100, 100, 100 }, 6, 99, 0 },
	{ "within its bound", { 100, 100, 40, 50, 41, 45 }, 6, 50, 6 },
};
/* clang-format on */

Test(settle, rounds)
{
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		struct settle s = { 0, 0 };
		size_t at = 0;

		for (size_t k = 0; k < runs[i].n && at == 0; k++)
			if (runs[i].rounds[k] == 0)
				settle_failed(&s);
			else if (settle_round(&s, runs[i].rounds[k],
			             runs[i].bound))
				at = k + 1;
		cr_expect_eq(at, runs[i].settled, "%s: %zu", runs[i].name, at);
	}
}

Test(settle, median)
{
	uint64_t us[] = { 9, 1, 5, 7, 3 };

	cr_expect_eq(settle_median(us, 5), 5);
	cr_expect_eq(settle_median(us, 0), 0);
	cr_expect_eq(settle_median(us, 1), 1);
}
