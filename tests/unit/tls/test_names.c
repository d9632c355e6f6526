/* Names of certificates and of hosts. */
#include "tls/names.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/err.h"

static const char *const names[] = { "a.org", "*.A.org", "x.b.org", "*.b.org",
	"LONE", "", "bad name", "*.*.c.org", "w*.d.org", "a.org" };

static const struct {
	const char *why, *host;
	int found; /* index above, -1: none */
} rows[] = {
	{ "as it is", "a.org", 0 },
	{ "in any case", "A.Org", 0 },
	{ "the root's dot is no part of it", "a.org.", 0 },
	{ "one label", "www.a.org", 1 },
	{ "its case does not matter either", "WWW.a.ORG", 1 },
	{ "a wildcard is for one label, not two", "x.y.a.org", -1 },
	{ "and not for none", ".a.org", -1 },
	{ "exact before wildcard", "x.b.org", 2 },
	{ "the wildcard for the rest", "y.b.org", 3 },
	{ "not for the domain itself", "b.org", -1 },
	{ "a host without a domain", "lone", 4 },
	{ "nobody is called like a wildcard", "*.a.org", -1 },
	{ "what is no name was left out", "bad name", -1 },
	{ "wildcards stand alone and in front", "x.y.c.org", -1 },
	{ "no part of a label", "www.d.org", -1 },
	{ "nothing", "", -1 },
	{ "a stranger", "z.org", -1 },
};

Test(names, rows)
{
	struct tls_names n = { NULL, 0, 0 };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		cr_assert_eq(tls_names_add(&n, str_of(names[i]), i), E_OK);
	tls_names_sort(&n);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tls_name *found = tls_names_find(&n,
		    str_of(rows[i].host));

		cr_expect_eq(found == NULL ? -1 : (int)found->of, rows[i].found,
		    "%s: %s", rows[i].host, rows[i].why);
	}
	tls_names_free(&n);
	cr_expect_null(tls_names_find(&n, STR("a.org")), "of an empty list");
}

Test(names, long_ones)
{
	struct tls_names n = { NULL, 0, 0 };
	char text[400];

	memset(text, 'a', sizeof(text));
	text[3] = '.';
	for (size_t len = 250; len < 260; len++)
		cr_assert_eq(tls_names_add(&n, str_from(text, len), len), E_OK);
	tls_names_sort(&n);
	cr_expect_eq(n.n, 4, "253 bytes are the most");
	for (size_t len = 0; len < sizeof(text); len++)
		cr_expect_eq(tls_names_find(&n, str_from(text, len)) != NULL,
		    len >= 250 && len <= 253, "%zu", len);
	tls_names_free(&n);
}
