/* Cookies of a pool with a namespace: there, back, and what is nobody's. */
#include "http/cookie_space.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "http/cookie.h"

static const struct str all[] = { { "v2", 2 }, { "v3", 2 } };
static char theme[] = "theme", ga[] = "_ga*", v[] = "v*",
            csrf[] = "__Host-csrf";
static char *const shared[] = { theme, ga, v, csrf };

static const struct cookie_space v2 = { .own = { "v2", 2 },
	.all = all,
	.n_all = ARRAY_LEN(all),
	.shared = shared,
	.n_shared = ARRAY_LEN(shared) };
static const struct cookie_space none = { .own = { "", 0 },
	.all = all,
	.n_all = ARRAY_LEN(all),
	.shared = shared,
	.n_shared = ARRAY_LEN(shared) };

/* ---- requests ---- */

static const struct {
	const char *why, *in;
	const char *to_v2, *to_none;
} requests[] = {
	{ "its own", "v2~S=1", "S=1", "" },
	{ "that of who has none", "S=1", "", "S=1" },
	{ "both", "S=1; v2~S=2", "S=2", "S=1" },
	{ "another pool's", "v3~S=1; v2~S=2", "S=2", "" },
	{ "a namespace that is none here", "v4~S=1", "v4~S=1", "v4~S=1" },
	{ "... and is not shared", "w4~S=1", "", "w4~S=1" },
	{ "shared", "theme=dark; S=1", "theme=dark", "theme=dark; S=1" },
	{ "shared, by its begin", "_ga=1; _ga_X=2; _g=3", "_ga=1; _ga_X=2",
	    "_ga=1; _ga_X=2; _g=3" },
	{ "what begins as a shared one is another pool's", "v3~S=1; vv=2",
	    "vv=2", "vv=2" },
	{ "a shared one has no namespace", "v2~theme=x; theme=y", "theme=y",
	    "theme=y" },
	{ "... behind a prefix", "__Host-v2~csrf=x; __Host-csrf=y",
	    "__Host-csrf=y", "__Host-csrf=y" },
	{ "names have case", "V2~S=1", "", "V2~S=1" },
	{ "order and twins stay", "v2~b=2; v2~a=1; v2~a=3", "b=2; a=1; a=3",
	    "" },
	{ "the value is not looked at", "v2~S=v2~S=\"v2~x\"", "S=v2~S=\"v2~x\"",
	    "" },
	{ "only the first mark is one", "v2~v3~S=1", "v3~S=1", "" },
	{ "an empty value", "v2~S=", "S=", "" },
	{ "blanks", " v2~S = 1 ;\ttheme=x;v2~b=2", "S = 1;\ttheme=x;b=2",
	    "theme=x" },
	{ "empty pairs", ";;v2~S=1;; ;", "S=1", "" },
	{ "nothing", "", "", "" },

	/* what browsers protect */
	{ "__Host-", "__Host-v2~S=1", "__Host-S=1", "" },
	{ "__Secure-", "__Secure-v2~S=1", "__Secure-S=1", "" },
	{ "__Http-", "__Http-v2~S=1", "__Http-S=1", "" },
	{ "__Host-Http-", "__Host-Http-v2~S=1", "__Host-Http-S=1", "" },
	{ "in any case", "__hOST-v2~S=1", "__hOST-S=1", "" },
	{ "of who has none", "__Host-S=1", "", "__Host-S=1" },
	{ "of another pool", "__Secure-v3~S=1", "", "" },
	{ "forged by a host beside ours", "v2~__Host-S=1", "", "" },
	{ "... in another case", "v2~__SECURE-S=1", "", "" },
	{ "... to be trimmed", "v2~ __Host-S=1", "", "" },
	{ "... by a tab", "v2~\t__Host-S=1", "", "" },
	{ "... from one prefix to another", "__Host-v2~Http-S=1", "", "" },
	{ "... the same in small letters", "__host-v2~http-S=1", "", "" },
	{ "a prefix behind a prefix is a part of the name",
	    "__Secure-v2~__Host-S=1", "__Secure-__Host-S=1", "" },
	{ "Http- alone is none", "v2~Http-S=1", "Http-S=1", "" },

	/* what has no name, or nothing else */
	{ "no name", "=1", "", "=1" },
	{ "no =", "abc", "", "abc" },
	{ "no =, as if it were ours", "v2~S", "", "v2~S" },
	{ "the namespace alone", "v2~=1", "", "" },
	{ "... and a prefix", "__Host-v2~=1", "", "" },
	{ "a prefix alone", "__Host-=1", "", "__Host-=1" },
	{ "no mark", "v2=1; v2S=2", "v2=1; v2S=2", "v2=1; v2S=2" },
	{ "... and not shared", "w2=1; x=v2~", "", "w2=1; x=v2~" },
	{ "the mark alone", "~S=1", "", "~S=1" },
	{ "quotes hide nothing", "a=\"x; v2~S=1; y\"", "S=1", "a=\"x; y\"" },
	{ "quotes in a name", "\"v2~S\"=1; v2~\"S\"=2", "\"S\"=2",
	    "\"v2~S\"=1" },
	{ "bytes above ASCII", "v2~\xc3\xa4=1; \xc3\xa4=2", "\xc3\xa4=1",
	    "\xc3\xa4=2" },
	{ "names of RFC 2965", "$Version=1; v2~S=1; $Path=/", "S=1",
	    "$Version=1; $Path=/" },
};

static void
try_request(const struct cookie_space *s, const char *in, const char *want,
    const char *why)
{
	char out[128];
	size_t len = strlen(in);
	ssize_t n = cookie_space_to_server(s, str_of(in), out, len);

	cr_assert_geq(n, 0, "%s: it has grown", why);
	cr_expect(str_eq(str_from(out, (size_t)n), str_of(want)),
	    "%s: " STR_FMT, why, (int)n, out);
	for (size_t cap = 0; cap < strlen(want); cap++)
		cr_expect_eq(cookie_space_to_server(s, str_of(in), out, cap),
		    E_TOOBIG, "%s: %zu bytes of room", why, cap);
}

Test(cookie_space, requests)
{
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		try_request(&v2, requests[i].in, requests[i].to_v2,
		    requests[i].why);
		try_request(&none, requests[i].in, requests[i].to_none,
		    requests[i].why);
	}
}

/* ---- answers ---- */

static const struct {
	const char *why, *in, *out;
} answers[] = {
	{ "a cookie", "S=1", "v2~S=1" },
	{ "with attributes", "S=1; Path=/; HttpOnly; Max-Age=10",
	    "v2~S=1; Path=/; HttpOnly; Max-Age=10" },
	{ "taken back", "S=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
	    "v2~S=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" },
	{ "__Host-", "__Host-S=1; Secure; Path=/",
	    "__Host-v2~S=1; Secure; Path=/" },
	{ "__Secure-, in any case", "__SECURE-S=1; Secure",
	    "__SECURE-v2~S=1; Secure" },
	{ "__Host-Http-", "__Host-Http-S=1", "__Host-Http-v2~S=1" },
	{ "__Http-", "__Http-S=1", "__Http-v2~S=1" },
	{ "shared", "theme=dark; Path=/", "theme=dark; Path=/" },
	{ "shared, by its begin", "_ga_7=1", "_ga_7=1" },
	{ "shared, with a prefix", "__Host-csrf=1; Secure",
	    "__Host-csrf=1; Secure" },
	{ "the same without", "csrf=1", "v2~csrf=1" },
	{ "as if it were another's", "v3~S=1", "v2~v3~S=1" },
	{ "as if it were its own", "v2~S=1", "v2~v2~S=1" },
	{ "blanks", " S = 1 ; Path=/", "v2~S = 1 ; Path=/" },
	{ "= in the value", "S=a=b", "v2~S=a=b" },
	{ "no name", "=1; Path=/", "" },
	{ "no =", "abc; Path=/", "" },
	{ "no =, but in an attribute", "abc; Max-Age=0", "" },
	{ "a prefix alone", "__Host-=1", "" },
	{ "nothing", "", "" },
};

Test(cookie_space, answers)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const char *why = answers[i].why;
		struct str in = str_of(answers[i].in);
		struct str want = str_of(answers[i].out);
		size_t room = in.len + v2.own.len + COOKIE_SPACE_MARK;
		char out[128];
		ssize_t n = cookie_space_to_client(&v2, in, out, room);

		cr_assert_geq(n, 0, "%s", why);
		cr_expect(str_eq(str_from(out, (size_t)n), want),
		    "%s: " STR_FMT, why, (int)n, out);
		for (size_t cap = 0; cap < want.len; cap++)
			cr_expect_eq(cookie_space_to_client(&v2, in, out, cap),
			    E_TOOBIG, "%s: %zu bytes of room", why, cap);
	}
}

/* ---- both ---- */

/*
 * Of all short names of these letters: what is set comes back, under a name
 * that nobody else's has; what comes back was set by that name.
 */
#define PARTS 8
static const char *const parts[PARTS] = { "", "__Host-", "__Secure-", "Http-",
	"v2~", "v3~", "S", "theme" };

static void
try_name(const char *name)
{
	char pair[80], kept[96], back[96];
	ssize_t n;

	(void)snprintf(pair, sizeof(pair), "%s=1", name);
	n = cookie_space_to_client(&v2, str_of(pair), kept, sizeof(kept));
	if (n > 0) {
		n = cookie_space_to_server(&v2, str_from(kept, (size_t)n), back,
		    sizeof(back));
		cr_expect(n >= 0 &&
		        str_eq(str_from(back, (size_t)n), str_of(pair)),
		    "%s: comes back as " STR_FMT, name, (int)n, back);
	}
	n = cookie_space_to_server(&v2, str_of(pair), back, sizeof(back));
	if (n == 0)
		return;
	n = cookie_space_to_client(&v2, str_from(back, (size_t)n), kept,
	    sizeof(kept));
	cr_expect(n > 0 && str_eq(str_from(kept, (size_t)n), str_of(pair)),
	    "%s: was never called so", name);
}

Test(cookie_space, there_and_back)
{
	for (unsigned i = 0; i < PARTS * PARTS * PARTS * PARTS; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "%s%s%s%s", parts[i % PARTS],
		    parts[i / PARTS % PARTS], parts[i / PARTS / PARTS % PARTS],
		    parts[i / PARTS / PARTS / PARTS]);
		try_name(name);
	}
}

static const struct {
	const char *why, *name;
	bool has;
} names[] = {
	{ "in it", "v2~S", true },
	{ "alone", "v2~", true },
	{ "behind a prefix", "__Host-v2~S", true },
	{ "behind the longest one", "__Host-Http-v2~S", true },
	{ "no mark", "v2S", false },
	{ "shorter", "v2", false },
	{ "another", "v3~S", false },
	{ "in another's", "v3~v2~S", false },
	{ "not in front", "xv2~S", false },
	{ "nothing", "", false },
};

Test(cookie_space, has)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		cr_expect_eq(cookie_space_has(STR("v2"), str_of(names[i].name)),
		    names[i].has, "%s", names[i].why);
}
