/* Cookies: finding, leaving out, setting. */
#include "http/cookie.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/err.h"

static struct http_head h; /* too large for a stack to like */

/* Cookie fields of f[], up to NULL, between fields that are none. */
static void
make_head(const char *const *f)
{
	h.n = 0;
	h.have = 0;
	cr_assert_eq(http_head_add(&h, FIELD_OTHER, STR("X-Cookie"),
	                 STR("a=wrong")),
	    E_OK);
	for (; *f != NULL; f++)
		cr_assert_eq(http_head_add(&h, FIELD_COOKIE, STR("cookie"),
		                 str_of(*f)),
		    E_OK);
}

static const struct {
	const char *why, *fields[4];
	const char *value; /* of "a"; NULL: not there */
} finds[] = {
	{ "no field", { NULL }, NULL },
	{ "the only one", { "a=1" }, "1" },
	{ "among others", { "b=2; a=1; c=3" }, "1" },
	{ "the first counts, RFC 6265 5.4", { "a=1; a=2" }, "1" },
	{ "in a later field (HTTP/2 splits them)", { "b=2", "c=3", "a=1" },
	    "1" },
	{ "empty value", { "a=" }, "" },
	{ "= in the value", { "a=b=c==" }, "b=c==" },
	{ "quotes are kept", { "a=\"1\"" }, "\"1\"" },
	{ "quotes do not hide a semicolon", { "b=\"x; a=1\"" }, "1\"" },
	{ "no blank between", { "b=2;a=1;c=3" }, "1" },
	{ "many blanks", { "  b=2 ;\t a = 1  ;" }, "1" },
	{ "empty pairs", { ";; ;a=1;;" }, "1" },
	{ "names have case", { "A=1" }, NULL },
	{ "a longer name", { "aa=1; xa=2" }, NULL },
	{ "the name as a value", { "b=a; c=a=1" }, NULL },
	{ "a pair without = has no name", { "a" }, NULL },
	{ "comma does not separate", { "b=1,a=2" }, NULL },
};

Test(cookie, find)
{
	for (size_t i = 0; i < ARRAY_LEN(finds); i++) {
		const char *why = finds[i].why;
		struct str v;

		make_head(finds[i].fields);
		v = cookie_find(&h, STR("a"));
		cr_expect_eq(v.p == NULL, finds[i].value == NULL, "%s", why);
		cr_expect(str_eq(v, str_of(finds[i].value)), "%s: " STR_FMT,
		    why, STR_ARG(v));
	}
}

Test(cookie, find_not_in_dropped_fields)
{
	static const char *const fields[] = { "a=1", "a=2", NULL };

	make_head(fields);
	h.f[1].flags = HF_DROP;
	cr_expect(str_eq(cookie_find(&h, STR("a")), STR("2")));
	http_head_drop(&h, FIELD_COOKIE);
	cr_expect_null(cookie_find(&h, STR("a")).p);
}

static const struct {
	const char *why, *in, *out;
} withouts[] = {
	{ "alone", "segue=1", "" },
	{ "first", "segue=1; b=2", "b=2" },
	{ "last", "b=2; segue=1", "b=2" },
	{ "in the middle", "b=2; segue=1; c=3", "b=2; c=3" },
	{ "twice", "segue=1; b=2; segue=2", "b=2" },
	{ "not there", "b=2; c=3", "b=2; c=3" },
	{ "nothing", "", "" },
	{ "it does not grow", "b=2;c=3;segue=;d=4", "b=2;c=3;d=4" },
	{ "blanks stay", "b=2;  c=3; segue=1;d=4", "b=2;  c=3;d=4" },
	{ "empty pairs go", "; ;b=2;;segue=1;", "b=2" },
	{ "quotes stay", "b=\"2\"; segue=\"1\"", "b=\"2\"" },
	{ "a value of that name stays", "b=segue; segue=1", "b=segue" },
	{ "a pair without = stays", "segue; segue=1", "segue" },
	{ "other case stays", "Segue=1; segue=2", "Segue=1" },
};

Test(cookie, without)
{
	for (size_t i = 0; i < ARRAY_LEN(withouts); i++) {
		const char *why = withouts[i].why;
		struct str in = str_of(withouts[i].in);
		struct str want = str_of(withouts[i].out);

		for (size_t cap = 0; cap <= in.len; cap++) {
			char *out = malloc(cap == 0 ? 1 : cap);
			ssize_t n;

			cr_assert_not_null(out);
			n = cookie_without(in, STR("segue"), out, cap);
			if (cap < want.len)
				cr_expect_eq(n, E_TOOBIG, "%s: %zu", why, cap);
			else
				cr_expect(n >= 0 &&
				        str_eq(want, str_from(out, (size_t)n)),
				    "%s: %zu", why, cap);
			free(out);
		}
	}
}

static const struct {
	const char *why;
	struct set_cookie c;
	const char *out;
} sets[] = {
	{ "the least", { .name = STR("a"), .max_age_s = -1 }, "a=; Path=/" },
	{ "over TLS",
	    { .name = STR("__Host-segue"),
	        .value = STR("x"),
	        .path = STR("/"),
	        .max_age_s = -1,
	        .secure = true,
	        .http_only = true,
	        .same_site = STR("None") },
	    "__Host-segue=x; Path=/; HttpOnly; Secure; SameSite=None" },
	{ "plain",
	    { .name = STR("segue"),
	        .value = STR("x"),
	        .max_age_s = -1,
	        .http_only = true },
	    "segue=x; Path=/; HttpOnly" },
	{ "with an age and a path",
	    { .name = STR("a"),
	        .value = STR("b"),
	        .path = STR("/c"),
	        .max_age_s = 3600,
	        .same_site = STR("Lax") },
	    "a=b; Path=/c; Max-Age=3600; SameSite=Lax" },
	{ "gone", { .name = STR("a"), .max_age_s = 0 },
	    "a=; Path=/; Max-Age=0" },
};

Test(cookie, set)
{
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		char out[128];
		size_t len = strlen(sets[i].out);

		cr_expect_eq(set_cookie_write(&sets[i].c, out, sizeof(out)),
		    (ssize_t)len, "%s", sets[i].why);
		cr_expect_str_eq(out, sets[i].out, "%s", sets[i].why);
		cr_expect_eq(set_cookie_write(&sets[i].c, out, len), E_TOOBIG,
		    "%s: no room", sets[i].why);
	}
}
