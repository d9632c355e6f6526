/* What strangers say of themselves, and what Forwarded is made of. */
#include "proxy/strip.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "config/edits.h"
#include "proxy/elements.h"

enum { NEVER, IDENTITY, PLAIN };

static const struct {
	const char *name;
	int from; /* the profile that strips it first */
} rows[] = {
	{ "X-Forwarded-Proto2", PLAIN },
	{ "X-Forwarded-Prefix", PLAIN },
	{ "X-Forwarded-Client-Cert", PLAIN },
	{ "X-Forwarded-", PLAIN },
	{ "X-Real-IP", PLAIN },
	{ "Client-Cert", PLAIN },
	{ "Client-Cert-Chain", PLAIN },
	{ "SSL-Client-Cert", PLAIN },
	{ "SSL-Client-Verify", PLAIN },
	{ "SSL-Client-Subject-DN", PLAIN },
	{ "X-SSL-Client-Cert", PLAIN },
	{ "X-SSL-Client-CN", PLAIN },
	{ "X-SSL-Issuer", PLAIN },
	{ "X-SSL", PLAIN },
	{ "X-Client-Cert", PLAIN },
	{ "Cert-Chain", PLAIN },
	{ "Cert-Chain-0", PLAIN },
	{ "X-Original-URL", IDENTITY },
	{ "X-Original-Forwarded-For", IDENTITY },
	{ "Traceparent", IDENTITY },
	{ "Tracestate", IDENTITY },
	{ "Baggage", IDENTITY },
	{ "B3", IDENTITY },
	{ "X-B3-TraceId", IDENTITY },
	{ "Uber-Trace-Id", IDENTITY },
	{ "X-OT-Span-Context", IDENTITY },
	{ "X-Forwarded", NEVER },
	{ "X-Forwardedness", NEVER },
	{ "X-Real-IPs", NEVER },
	{ "Client-Certificate", NEVER },
	{ "SSL-Client", NEVER },
	{ "X-SSLs", NEVER },
	{ "X-Requested-With", NEVER },
	{ "B33", NEVER },
	{ "Cache-Control", NEVER },
	{ "Content-Length", NEVER },
	{ "Cookie", NEVER },
	{ "Authorization", NEVER },
	{ "User-Agent", NEVER },
	{ "_", NEVER },
	{ "~", NEVER },
};

static struct http_head head;

static void
with(const char *name)
{
	head = (struct http_head){ .n = 0 };
	cr_assert_eq(http_head_add(&head, http_field_of(str_of(name)),
	                 str_of(name), STR("evil")),
	    E_OK);
}

static bool
goes_on(const char *name, enum cfg_profile profile, bool trusted)
{
	with(name);
	strip_request(&head, profile, trusted);
	return !(head.f[0].flags & HF_DROP);
}

Test(strip, by_profile)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *name = rows[i].name;

		cr_expect_eq(goes_on(name, CFG_PROFILE_PLAIN, false),
		    rows[i].from < PLAIN, "plain: %s", name);
		cr_expect_eq(goes_on(name, CFG_PROFILE_IDENTITY, false),
		    rows[i].from < IDENTITY, "identity: %s", name);
		cr_expect(goes_on(name, CFG_PROFILE_IDENTITY, true),
		    "trusted: %s", name);
	}
}

Test(strip, leaves_no_trace_in_have)
{
	with("Traceparent");
	strip_request(&head, CFG_PROFILE_IDENTITY, false);
	cr_expect_not(HTTP_HAS(&head, TRACEPARENT));
}

/* A name in any case, each "-" perhaps a "_". */
static bool
spell(const char *name, uint64_t how, char *out)
{
	bool twin = false;

	for (; *name != '\0'; name++, how >>= 2) {
		*out = (char)((how & 1) != 0 ? toupper((unsigned char)*name)
		                             : tolower((unsigned char)*name));
		if (*name == '-' && (how & 2) != 0) {
			*out = '_';
			twin = true;
		}
		out++;
	}
	*out = '\0';
	return twin;
}

static uint64_t dice = UINT64_C(88172645463325252);

static uint64_t
roll(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice;
}

Test(strip, any_spelling)
{
	char name[64];

	for (int round = 0; round < 20000; round++) {
		size_t i = roll() % ARRAY_LEN(rows);

		(void)spell(rows[i].name, roll() >> 3, name);
		if (rows[i].from == NEVER)
			continue;
		cr_assert_not(goes_on(name, CFG_PROFILE_IDENTITY, false), "%s",
		    name);
		cr_assert_eq(goes_on(name, CFG_PROFILE_PLAIN, false),
		    rows[i].from < PLAIN, "%s", name);
	}
}

/* Proxies set the fields with "-" and pass those with "_" on. */
Test(strip, twins_of_what_proxies_say)
{
	static const struct {
		const char *name;
		bool goes_on;
	} twins[] = {
		{ "X-Forwarded-For", true },
		{ "X_Forwarded_For", false },
		{ "x-forwarded_for", false },
		{ "X_FORWARDED-PREFIX", false },
		{ "X-Real_IP", false },
		{ "X-Request-ID", true },
		{ "X_Request_ID", false },
		{ "Content_Length", false },
		{ "Transfer_Encoding", false },
		{ "transfer-encoding", true }, /* the codec's affair */
		/* As Apache writes them. */
		{ "SSL_CLIENT_CERT", true },
		{ "CERT_CHAIN_0", true },
		{ "X_Site", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(twins); i++)
		cr_expect_eq(goes_on(twins[i].name, CFG_PROFILE_PLAIN, true),
		    twins[i].goes_on, "%s", twins[i].name);
	cr_expect_not(goes_on("X_Request_ID", CFG_PROFILE_PLAIN, false));
	cr_expect_not(goes_on("Content_length", CFG_PROFILE_PLAIN, false));
	cr_expect_not(goes_on("transfer_encoding", CFG_PROFILE_PLAIN, false));
}

Test(strip, nobody_asks_in_trailers)
{
	static const char *const names[] = { "Forwarded", "X-Forwarded-For",
		"X_Forwarded_For", "X-Request-ID", "Client-Cert" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		with(names[i]);
		strip_trailers(&head, CFG_PROFILE_PLAIN);
		cr_expect(head.f[0].flags & HF_DROP, "%s", names[i]);
	}
	with("Traceparent");
	strip_trailers(&head, CFG_PROFILE_PLAIN);
	cr_expect_not(head.f[0].flags & HF_DROP);
	strip_trailers(&head, CFG_PROFILE_IDENTITY);
	cr_expect(head.f[0].flags & HF_DROP);
	with("Grpc-Status");
	strip_trailers(&head, CFG_PROFILE_IDENTITY);
	cr_expect_not(head.f[0].flags & HF_DROP);
}

/* Whoever sends them, in any spelling; and nothing else. */
Test(strip, certificates)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *name = rows[i].name;
		bool cert = strcasestr(name, "cert") != NULL ||
		    strncmp(name, "SSL-Client-", 11) == 0 ||
		    strcmp(name, "X-SSL") == 0 ||
		    strncmp(name, "X-SSL-", 6) == 0;
		char twin[64];

		/* Envoy's is of the kind that says who forwards. */
		if (rows[i].from == NEVER ||
		    strcmp(name, "X-Forwarded-Client-Cert") == 0)
			cert = false;
		with(name);
		strip_certificates(&head);
		cr_expect_eq((head.f[0].flags & HF_DROP) != 0, cert, "%s",
		    name);
		(void)spell(name, ~UINT64_C(0), twin);
		with(twin);
		strip_certificates(&head);
		cr_expect_eq((head.f[0].flags & HF_DROP) != 0, cert, "%s",
		    twin);
	}
}

/* ---- patterns ---- */

Test(strip, patterns)
{
	static const struct {
		const char *pattern, *name;
		bool fits;
	} p[] = {
		{ "X-A", "x_a", true },
		{ "x_a", "X-A", true },
		{ "X-A", "X-AB", false },
		{ "X-AB", "X-A", false },
		{ "X-A*", "x_a", true },
		{ "X-A*", "X-ABC", true },
		{ "X-A*", "X-", false },
		{ "@", "`", false },
		{ "[", "{", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		cr_expect_eq(edit_fits(str_of(p[i].pattern), str_of(p[i].name)),
		    p[i].fits, "%s %s", p[i].pattern, p[i].name);
}

/* ---- Forwarded from X-Forwarded-* ---- */

static const struct {
	const char *why, *xff, *host, *proto, *out;
} told[] = {
	{ "all", "1.2.3.4", "a.org", "https",
	    "for=1.2.3.4;host=\"a.org\";proto=https" },
	{ "a list", "1.2.3.4, 5.6.7.8 ,9.9.9.9", NULL, NULL,
	    "for=1.2.3.4, for=5.6.7.8, for=9.9.9.9" },
	{ "IPv6", "2001:db8::1", NULL, NULL, "for=\"[2001:db8::1]\"" },
	{ "IPv6 in brackets", "[::1]:80", NULL, NULL, "for=\"[::1]:80\"" },
	{ "a port", "1.2.3.4:80", NULL, NULL, "for=\"1.2.3.4:80\"" },
	{ "no address", "me;proto=https", "a", NULL, "for=unknown;host=\"a\"" },
	{ "quotes", "\"a, b\", 1.1.1.1", NULL, NULL,
	    "for=unknown, for=1.1.1.1" },
	{ "a host that ends the quotes", "1.1.1.1", "a\";for=2.2.2.2", "http",
	    "for=1.1.1.1;proto=http" },
	{ "a proto with more", "1.1.1.1", NULL, "http;for=2", "for=1.1.1.1" },
	{ "nobody", " , ,", "a", "http", "" },
	{ "none", NULL, "a", "http", "" },
};

static void
add(enum http_field_id id, const char *value)
{
	if (value != NULL)
		cr_assert_eq(http_head_add(&head, id, http_field_name(id),
		                 str_of(value)),
		    E_OK);
}

Test(elements, written)
{
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		char out[4096];
		size_t n;

		head = (struct http_head){ .n = 0 };
		add(FIELD_X_FORWARDED_FOR, told[i].xff);
		add(FIELD_X_FORWARDED_HOST, told[i].host);
		add(FIELD_X_FORWARDED_PROTO, told[i].proto);
		cr_assert_leq(elements_room(&head), sizeof(out));
		n = elements_write(&head, out);
		cr_expect_leq(n, elements_room(&head));
		cr_expect(str_eq(str_from(out, n), str_of(told[i].out)),
		    "%s: %.*s", told[i].why, (int)n, out);
	}
}

/* The longest there can be fits; what is longer is nobody's word. */
Test(elements, bound)
{
	char xff[4 * ELEMENTS_MAX + 8], out[4096];

	for (size_t n = 1; n <= ELEMENTS_MAX + 1; n++) {
		size_t got;

		for (size_t i = 0; i < n; i++)
			memcpy(xff + 2 * i, "x,", 2);
		xff[2 * n] = '\0';
		head = (struct http_head){ .n = 0 };
		add(FIELD_X_FORWARDED_FOR, xff);
		cr_assert_leq(elements_room(&head), sizeof(out));
		got = elements_write(&head, out);
		cr_expect_leq(got, elements_room(&head));
		cr_expect_eq(got > 0, n <= ELEMENTS_MAX);
	}
}
