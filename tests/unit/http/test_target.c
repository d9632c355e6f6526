/* Hosts and paths of a request. */
#include "http/target.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"

/* ---- authority ---- */

static const struct {
	const char *why, *in;
	const char *host; /* NULL: refused */
	uint16_t port;
} authorities[] = {
	{ "a name", "sso.example.org", "sso.example.org", 0 },
	{ "with port", "a:8080", "a", 8080 },
	{ "case is kept", "SSO.Example", "SSO.Example", 0 },
	{ "names of containers", "key_cloak-1", "key_cloak-1", 0 },
	{ "an address", "10.0.0.1:80", "10.0.0.1", 80 },
	{ "empty port, RFC 3986 3.2.3", "a:", "a", 0 },
	{ "highest port", "a:65535", "a", 65535 },
	{ "zeros before a port", "a:00080", "a", 80 },
	{ "IPv6", "[::1]", "[::1]", 0 },
	{ "IPv6 with port", "[2001:DB8::1]:443", "[2001:DB8::1]", 443 },
	{ "IPv4 in IPv6", "[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]", 0 },
	{ "the longest IPv6", "[0000:0000:0000:0000:0000:ffff:255.255.255.255]",
	    "[0000:0000:0000:0000:0000:ffff:255.255.255.255]", 0 },
	{ "nothing", "", NULL, 0 },
	{ "no host", ":80", NULL, 0 },
	{ "port 0", "a:0", NULL, 0 },
	{ "port too high", "a:65536", NULL, 0 },
	{ "port of six digits", "a:000080", NULL, 0 },
	{ "signed port", "a:+80", NULL, 0 },
	{ "negative port", "a:-80", NULL, 0 },
	{ "hexadecimal port", "a:0x50", NULL, 0 },
	{ "space in port", "a: 80", NULL, 0 },
	{ "two ports", "a:80:90", NULL, 0 },
	{ "user", "user@a", NULL, 0 },
	{ "user and password", "u:p@a:80", NULL, 0 },
	{ "user that looks like a host", "good.example:80@evil", NULL, 0 },
	{ "a list", "a,b", NULL, 0 },
	{ "a list with blanks", "a, b", NULL, 0 },
	{ "parameters", "a;b=c", NULL, 0 },
	{ "quotes", "\"a\"", NULL, 0 },
	{ "escape", "a%2eb", NULL, 0 },
	{ "path", "a/b", NULL, 0 },
	{ "backslash", "a\\b", NULL, 0 },
	{ "query", "a?b", NULL, 0 },
	{ "fragment", "a#b", NULL, 0 },
	{ "non-ASCII",
	    "b\xc3\xbc"
	    "cher.example",
	    NULL, 0 },
	{ "IPv6 not closed", "[::1", NULL, 0 },
	{ "IPv6 without brackets", "::1", NULL, 0 },
	{ "IPv6 with zone", "[fe80::1%25eth0]", NULL, 0 },
	{ "IPv6 twice shortened", "[1::2::3]", NULL, 0 },
	{ "a name in brackets", "[abc]", NULL, 0 },
	{ "nothing in brackets", "[]", NULL, 0 },
	{ "IPvFuture", "[v1.a]", NULL, 0 },
	{ "bytes behind brackets", "[::1]x", NULL, 0 },
	{ "brackets behind a name", "a[::1]", NULL, 0 },
	{ "too long for IPv6",
	    "[00000:0000:0000:0000:0000:ffff:255.255.255.255]", NULL, 0 },
};

Test(target, authority)
{
	for (size_t i = 0; i < ARRAY_LEN(authorities); i++) {
		const char *why = authorities[i].why;
		struct str host;
		uint16_t port = 7;
		bool ok = target_authority(str_of(authorities[i].in), &host,
		    &port);

		cr_expect_eq(ok, authorities[i].host != NULL, "%s", why);
		if (!ok)
			continue;
		cr_expect(str_eq(host, str_of(authorities[i].host)),
		    "%s: " STR_FMT, why, STR_ARG(host));
		cr_expect_eq(port, authorities[i].port, "%s: %u", why, port);
	}
}

Test(target, authority_with_nul)
{
	struct str host;
	uint16_t port;

	cr_expect_not(target_authority(STR("[::1\0.evil]"), &host, &port));
	cr_expect_not(target_authority(STR("a\0b"), &host, &port));
}

/* ---- split ---- */

static const struct {
	const char *why, *in, *path, *query; /* query NULL: there is none */
} splits[] = {
	{ "no query", "/a/b", "/a/b", NULL },
	{ "query", "/a?b=c", "/a", "b=c" },
	{ "empty query", "/a?", "/a", "" },
	{ "the first ? counts", "/a?b?c", "/a", "b?c" },
	{ "of the server", "*", "*", NULL },
	{ "a path in the query", "/?/../x", "/", "/../x" },
};

Test(target, split)
{
	for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
		struct str path, query;

		target_split(str_of(splits[i].in), &path, &query);
		cr_expect(str_eq(path, str_of(splits[i].path)), "%s",
		    splits[i].why);
		cr_expect(str_eq(query, str_of(splits[i].query)), "%s",
		    splits[i].why);
		cr_expect_eq(query.p == NULL, splits[i].query == NULL, "%s",
		    splits[i].why);
	}
}

/* ---- paths ---- */

static const struct {
	const char *why, *in, *out; /* out NULL: refused */
	bool ambiguous;
} paths[] = {
	{ "plain", "/a/b", "/a/b", false },
	{ "root", "/", "/", false },
	{ "nothing", "", "/", false },
	{ "the slash at the end stays", "/a/", "/a/", false },
	{ "two slashes", "//a//b//", "/a/b/", false },
	{ "only slashes", "////", "/", false },
	{ "dot", "/a/./b", "/a/b", false },
	{ "dot at the end, RFC 3986 5.2.4", "/a/.", "/a/", false },
	{ "only a dot", "/.", "/", false },
	{ "dots", "/a/../b", "/b", false },
	{ "dots at the end", "/a/b/..", "/a/", false },
	{ "dots up to the root", "/a/..", "/", false },
	{ "dots above the root", "/../../a", "/a", false },
	{ "dots behind slashes", "/a//../b", "/b", false },
	{ "dots after dots", "/a/b/c/../../d", "/a/d", false },
	{ "three dots are a name", "/a/.../b", "/a/.../b", false },
	{ "a dot before a name", "/.well-known", "/.well-known", false },
	{ "two dots before a name", "/..a/b", "/..a/b", false },
	{ "decoded where it means the same", "/%61%2D%7e", "/a-~", false },
	{ "escapes in lower case", "/%E2%98%83", "/%e2%98%83", false },
	{ "space stays encoded", "/a%20b", "/a%20b", false },
	{ "encoded dots", "/a/%2e%2E/b", "/b", true },
	{ "half encoded dots", "/a/.%2e/b", "/b", true },
	{ "encoded slash", "/a%2Fb", "/a%2fb", true },
	{ "encoded slash does not pop", "/a%2fb/../c", "/c", true },
	{ "encoded backslash", "/a%5Cb", "/a%5cb", true },
	{ "backslash", "/a\\b", "/a\\b", true },
	{ "encoded NUL", "/a%00b", "/a%00b", true },
	{ "encoded percent", "/a%252fb", "/a%252fb", true },
	{ "encoded semicolon", "/a%3Bb", "/a%3bb", true },
	{ "parameters", "/a;v=1/b;w", "/a/b", true },
	{ "dots with parameters, as Tomcat reads them", "/a/..;x=1/b", "/b",
	    true },
	{ "a segment of parameters only", "/;x/a", "/a", true },
	{ "the same at the end", "/a/;x", "/a/", true },
	{ "escapes in parameters are not looked at", "/a;%zz/b", "/a/b", true },
	{ "no leading slash", "a/b", "/a/b", false },
	{ "escape cut", "/a%4", NULL, false },
	{ "escape cut before its digits", "/a%", NULL, false },
	{ "escape without hex", "/%zz", NULL, false },
	{ "escape with one digit", "/%4g", NULL, false },
	{ "escape over a border", "/%4/1", NULL, false },
};

Test(target, normalise)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		char out[64];
		bool ambiguous = !paths[i].ambiguous;
		ssize_t n = target_normalise(str_of(paths[i].in), out,
		    sizeof(out), &ambiguous);

		if (paths[i].out == NULL) {
			cr_expect_eq(n, E_SYNTAX, "%s", paths[i].why);
			continue;
		}
		cr_assert_geq(n, 0, "%s", paths[i].why);
		cr_expect(str_eq(str_from(out, (size_t)n),
		              str_of(paths[i].out)),
		    "%s: %.*s", paths[i].why, (int)n, out);
		cr_expect_eq(ambiguous, paths[i].ambiguous, "%s", paths[i].why);
	}
}

Test(target, normalise_twice_is_once)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		char once[64], twice[64];
		bool ambiguous;
		ssize_t n, m;

		if (paths[i].out == NULL)
			continue;
		n = target_normalise(str_of(paths[i].in), once, sizeof(once),
		    &ambiguous);
		m = target_normalise(str_from(once, (size_t)n), twice,
		    sizeof(twice), &ambiguous);
		cr_expect(str_eq(str_from(once, (size_t)n),
		              str_from(twice, (size_t)m)),
		    "%s", paths[i].why);
	}
}

/* ---- the most eager reading ---- */

static const struct {
	const char *why, *in, *out;
} eager[] = {
	{ "plain", "/a/b", "/a/b" },
	{ "nothing", "", "/" },
	{ "no leading slash", "a", "/a" },
	{ "encoded slash pops", "/a/..%2fb", "/b" },
	{ "twice encoded", "/a/..%252Fb", "/b" },
	{ "encoded many times", "/a/..%25252525252fb", "/b" },
	{ "all of it", "/a%2f%2e%2e%2fb", "/b" },
	{ "digits that are encoded", "/a/..%%32%46b", "/b" },
	{ "backslash", "/a\\..\\b", "/b" },
	{ "encoded backslash", "/a%5c..%5Cb", "/b" },
	{ "parameters", "/a;x/..;y/b", "/b" },
	{ "encoded semicolon", "/a/..%3bx/b", "/b" },
	{ "a percent alone", "/100%25", "/100%" },
	{ "dots at the end", "/a%2f..", "/" },
	{ "dots above the root", "%2f..%2f..", "/" },
};

Test(target, decode)
{
	for (size_t i = 0; i < ARRAY_LEN(eager); i++) {
		char out[64];
		ssize_t n = target_decode(str_of(eager[i].in), out,
		    strlen(eager[i].in) + 1);

		cr_assert_geq(n, 0, "%s", eager[i].why);
		cr_expect(str_eq(str_from(out, (size_t)n),
		              str_of(eager[i].out)),
		    "%s: %.*s", eager[i].why, (int)n, out);
		cr_expect_eq(target_decode(str_of(eager[i].in), out,
		                 strlen(eager[i].in)),
		    E_TOOBIG, "%s", eager[i].why);
	}
}

/* Room for the result and one "/" is enough; less is told, not overrun. */
Test(target, normalise_within_its_room)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct str in = str_of(paths[i].in);
		bool ambiguous;

		for (size_t cap = 0; cap <= in.len + 1; cap++) {
			char *out = malloc(cap == 0 ? 1 : cap);
			ssize_t n;

			cr_assert_not_null(out);
			n = target_normalise(in, out, cap, &ambiguous);
			cr_expect(n == E_TOOBIG || n == E_SYNTAX ||
			        (n > 0 && (size_t)n <= cap),
			    "%s", paths[i].why);
			if (cap == in.len + 1)
				cr_expect_neq(n, E_TOOBIG, "%s", paths[i].why);
			free(out);
		}
	}
}

/* ---- parameters ---- */

static const struct {
	const char *why, *in, *out; /* "name=value," or "name," */
} params[] = {
	{ "none", "", "" },
	{ "one", "a=b", "a=b," },
	{ "some", "a=b&c=d", "a=b,c=d," },
	{ "empty ones are none", "&&a=b&&", "a=b," },
	{ "without a value", "a&b=", "a,b=," },
	{ "without a name", "=b", "=b," },
	{ "the first = counts", "a=b=c", "a=b=c," },
	{ "still encoded", "a%20=%26+", "a%20=%26+," },
	{ "; does not separate", "a=b;c=d", "a=b;c=d," },
};

Test(target, param_next)
{
	for (size_t i = 0; i < ARRAY_LEN(params); i++) {
		struct str rest = str_of(params[i].in), name, value;
		struct buf out = BUF_INIT;

		buf_add_cstr(&out, "");
		while (target_param_next(&rest, &name, &value)) {
			buf_add_str(&out, name);
			buf_add_cstr(&out, value.p == NULL ? "" : "=");
			buf_add_str(&out, value);
			buf_add_char(&out, ',');
		}
		cr_expect_str_eq(out.p, params[i].out, "%s: %s", params[i].why,
		    out.p);
		buf_free(&out);
	}
}

Test(target, what_is_plain)
{
	static const struct {
		const char *path;
		bool plain;
	} rows[] = {
		{ "/", true },
		{ "", true },
		{ "/a/b.c", true },
		{ "/.well-known/x", true },
		{ "/a/..b", true },
		{ "/a/...", true },
		{ "/.", false },
		{ "/..", false },
		{ "/a/./b", false },
		{ "/a/../b", false },
		{ "/a//b", false },
		{ "/a;b", false },
		{ "/a%20", false },
		{ "/a\\b", false },
		{ "/a/..;/b", false },
	};
	char out[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str path = str_of(rows[i].path);
		bool ambiguous = true;
		ssize_t n = target_normalise(path, out, sizeof(out),
		    &ambiguous);

		cr_expect_eq(target_is_plain(path), rows[i].plain, "%s",
		    rows[i].path);
		if (rows[i].plain && path.len > 0)
			cr_expect(!ambiguous &&
			        str_eq(str_from(out, (size_t)n), path),
			    "%s", rows[i].path);
	}
}
