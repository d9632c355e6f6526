#include <criterion/criterion.h>

#include "compat/version.h"

static const struct {
	const char *text;
	bool good;
	uint64_t major, minor, patch;
} rows[] = {
	{ "26.4.1", true, 26, 4, 1 },
	{ "15.0.19.Final", true, 15, 0, 19 },
	{ "15.0", true, 15, 0, 0 },
	{ "26.6.0-SNAPSHOT", true, 26, 6, 0 },
	{ "26.6-SNAPSHOT", true, 26, 6, 0 },
	{ "26.4.1.redhat-00001", true, 26, 4, 1 },
	{ "26.4.10", true, 26, 4, 10 },
	{ NULL, false, 0, 0, 0 },
	{ "", false, 0, 0, 0 },
	{ "26", false, 0, 0, 0 },
	{ "26.", false, 0, 0, 0 },
	{ "26.4.", false, 0, 0, 0 },
	{ "26.x.1", false, 0, 0, 0 },
	{ "26..1", false, 0, 0, 0 },
	{ "v26.4.1", false, 0, 0, 0 },
	{ "26.4.99999999999999999999", false, 0, 0, 0 },
	{ "-1.4.1", false, 0, 0, 0 },
	{ "nightly", false, 0, 0, 0 },
};

Test(version, reads)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compat_version v;

		cr_expect_eq(compat_read_version(rows[i].text, &v),
		    rows[i].good, "%s", rows[i].text);
		if (!rows[i].good)
			continue;
		cr_expect(v.major == rows[i].major &&
		        v.minor == rows[i].minor && v.patch == rows[i].patch,
		    "%s", rows[i].text);
	}
}
