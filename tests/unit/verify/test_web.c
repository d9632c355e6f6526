#include <criterion/criterion.h>

#include "verify/web.h"

Test(web, addresses)
{
	static const struct {
		const char *base, *ref, *full;
	} rows[] = {
		{ "https://a/b/c?d=e", "/x", "https://a/x" },
		{ "https://a/b/c?d=e", "x", "https://a/b/x" },
		{ "https://a/b/c?d=e", "", "https://a/b/c?d=e" },
		{ "https://a/b/c?d=e", "?f", "https://a/b/c?f" },
		{ "https://a/b", "http://x:8080/y?z", "http://x:8080/y?z" },
		{ "https://a/b", "//x/y", "https://x/y" },
		{ "nonsense:", "/x", NULL },
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool ok = web_resolve(rows[i].base, rows[i].ref, &out);

		cr_expect_eq(ok, rows[i].full != NULL, "%s", rows[i].ref);
		if (ok && rows[i].full != NULL)
			cr_expect_str_eq(out.p, rows[i].full);
	}
	buf_free(&out);
}

Test(web, origins)
{
	cr_expect(web_same_origin("https://a/x", "https://A:443/y"));
	cr_expect_not(web_same_origin("https://a/x", "http://a/x"));
	cr_expect_not(web_same_origin("https://a/x", "https://a:444/x"));
	cr_expect_not(web_same_origin("https://a/x", "https://b/x"));
	cr_expect_not(web_same_origin("https://a/x", "javascript:x"));
}

Test(web, parameters)
{
	struct buf b = BUF_INIT;

	web_add_param(&b, "a b", "c&d=e");
	web_add_param(&b, "x", "");
	cr_expect_str_eq(b.p, "a%20b=c%26d%3De&x=");
	cr_expect(web_param("https://c/cb?code=a%2Fb&state=s", "code", &b));
	cr_expect_str_eq(b.p, "a/b");
	cr_expect(web_param("com.app:/cb?state=s&code=x", "code", &b));
	cr_expect_str_eq(b.p, "x");
	cr_expect_not(web_param("https://c/cb?state=s", "code", &b));
	cr_expect_not(web_param("https://c/cb?code=", "code", &b));
	cr_expect_not(web_param("https://c/cb", "code", &b));
	cr_expect_not(web_param("https://c/cb#?code=x", "code", &b));
	buf_free(&b);
}

Test(web, what_is_no_address)
{
	static const char *const rows[] = { "", "sso.example.org",
		"ftp://sso.example.org/", "file:///etc/passwd", "https://" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct web_options o = { .url = rows[i], .limit_us = 1000 };
		char why[WEB_WHY_MAX] = "";

		cr_expect_null(web_new(&o, why, sizeof(why)), "%s", rows[i]);
		cr_expect_not_null(strstr(why, "no URL"), "%s: %s", rows[i],
		    why);
	}
}
