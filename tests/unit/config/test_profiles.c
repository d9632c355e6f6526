/*
 * Profiles: what each one stands for, that whatever is written comes before
 * it, and that the manual shows the same.  SRCDIR is the top of the source
 * tree.
 */
#include "config/profiles.h"

#include <stdlib.h>

#include "base/file.h"
#include "try.h"

#define S "services[s]."
#define P "services[s].pools[v1]."
#define IDENTITY S "headers.profile: plain -> identity\n"
#define ORY_HOLD S "hold.max: 1000 -> 5000\n" S "hold.wait: 15s -> 20s\n"
#define ORY_AFTER S "hold.retry_after: 10s -> 30s\n"
#define ORY_NEVER S "hold.never: none -> [ /health, /.well-known ]\n"
#define COPIES(keys)                                                           \
	S "hold.copies: none -> [ /.well-known/openid-configuration, " keys    \
	  " ]\n"
#define LOGINS(begin) S "logins.begin: none -> [ " begin " ]\n"
#define ORY_DRAIN                                                              \
	S "drain.mode: keep -> evict\n" S "drain.requests: 1m -> 30s\n"
#define ORY_RULES                                                              \
	S "rules: none -> [ { deny: /admin, hide: off }, { deny: /metrics, "   \
	  "hide: off } ]\n"
#define ORY_PROBE                                                              \
	P "probe.path: / -> /health/ready\n" P                                 \
	  "probe.body: none -> \"\\\"ok\\\"\"\n"
#define OWN_ORY_HOLD                                                           \
	"hold: { max: 1000, wait: 15s, retry_after: 10s, writes: [], "         \
	"never: ~, copies: ~ }, drain: { mode: keep, requests: 60s }, "        \
	"retry: { attempts: 2 }, "

static const struct {
	const char *name;
	const char *brings; /* as cfg_diff() tells it */
	/* All of it (but rules) written, at the default. */
	const char *service, *pool;
} rows[] = {
	{ "keycloak",
	    S "sticky.scope: pool -> instance\n" S
	      "drain.mode: keep -> move\n" S "drain.flows: 30m -> 10m\n" S
	      "hold.max: 1000 -> 2000\n" S "hold.wait: 15s -> 25s\n" S
	      "hold.pace: 500 -> 200\n" ORY_AFTER COPIES(
	          "/protocol/openid-connect/certs") S
	    "assets: none -> [ /resources ]\n" LOGINS(
	        "/protocol/openid-connect/auth") IDENTITY S
	    "rules: none -> [ { deny: /metrics, hide: off }, "
	    "{ deny: /health, hide: off } ]\n" P "probe.port: 0 -> 9000\n" P
	    "probe.path: / -> /health/ready\n" P
	    "probe.body: none -> \"\\\"UP\\\"\"\n",
	    "headers: plain, sticky: { scope: pool }, drain: { mode: keep, "
	    "flows: 30m }, "
	    "hold: { max: 1000, wait: 15s, pace: 500, retry_after: 10s, "
	    "copies: ~ }, assets: ~, logins: { begin: ~ }, ",
	    "probe: { port: 0, path: /, body: ~ }" },
	{ "zitadel",
	    COPIES("/oauth/v2/keys") LOGINS("/oauth/v2/authorize") IDENTITY S
	    "rules: none -> [ { deny: /debug, hide: off } ]\n" P
	    "probe.path: / -> /debug/ready\n" P "protocol: h1 -> h2c\n",
	    "headers: { profile: plain }, hold: { copies: ~ }, "
	    "logins: { begin: ~ }, ",
	    "protocol: h1, probe: { path: / }" },
	{ "kratos",
	    S
	    "limits.body: 10MiB -> 5MiB\n" S
	    "retry.attempts: 2 -> 0\n" ORY_DRAIN ORY_HOLD ORY_AFTER S
	    "hold.writes: none -> [ /self-service/login, "
	    "/self-service/registration, /self-service/recovery, "
	    "/self-service/verification, /self-service/settings, "
	    "/self-service/logout, /self-service/methods ]\n" ORY_NEVER LOGINS(
	        "/self-service/login/browser") S
	    "logins.cookie: none -> ory_kratos_session\n" IDENTITY ORY_RULES P
	    "probe.port: 0 -> 4434\n" ORY_PROBE,
	    OWN_ORY_HOLD "limits: { body: 10MiB }, headers: plain, "
	                 "logins: { begin: ~, cookie: ~ }, ",
	    "probe: { port: 0, path: /, body: null }" },
	{ "hydra",
	    S "retry.attempts: 2 -> 0\n" ORY_DRAIN ORY_HOLD ORY_AFTER S
	      "hold.writes: none -> [ /oauth2/auth, /oauth2/device, "
	      "/oauth2/sessions/logout ]\n" S
	      "hold.never: none -> [ /health ]\n" COPIES(
	          "/.well-known/jwks.json") LOGINS("/oauth2/auth")
	          IDENTITY ORY_RULES P "probe.port: 0 -> 4445\n" ORY_PROBE,
	    OWN_ORY_HOLD "headers: plain, logins: { begin: ~ }, ",
	    "probe: { port: 0, path: /, body: }" },
	{ "nevis",
	    S "drain.streams: 5m -> 10m\n" IDENTITY P
	      "probe.port: 0 -> 8997\n" P
	      "probe.path: / -> /nevisauth/liveness\n" P
	      "probe.body: none -> \"\\\"UP\\\"\"\n" P
	      "probe.interval: 2s -> 6s\n" P "probe.timeout: 1s -> 5s\n",
	    "headers: plain, drain: { streams: 300s }, ",
	    "probe: { port: 0, path: /, body: ~, interval: 2s, timeout: 1s }" },
	{ "oidc",
	    S "drain.flows: 30m -> 1h\n" COPIES("/jwks")
	        LOGINS("/auth, /authorize") IDENTITY P
	    "probe.path: / -> /.well-known/openid-configuration\n" P
	    "probe.body: none -> \"\\\"issuer\\\"\"\n",
	    "headers: plain, drain: { flows: 30m }, hold: { copies: ~ }, "
	    "logins: { begin: ~ }, ",
	    "probe: { path: /, body: ~ }" },
};

/* A service with that profile, without any problem. */
static struct cfg *
make(const char *profile, const char *service, const char *pool)
{
	struct buf text = BUF_INIT;
	struct cfg *c;

	buf_printf(&text,
	    LISTEN "services: [ { name: s, profile: %s, %s pools: "
	           "[ { name: v1, instances: a:1, %s } ] } ]\n",
	    profile, service, pool);
	c = try_good(text.p, text.p);
	try_round_trip(c, text.p);
	buf_free(&text);
	return c;
}

/* What is another in it than in the same without a profile. */
static void
compare(const char *profile, const char *service, const char *pool,
    struct buf *live)
{
	struct cfg *without = make("none", service, pool);
	struct cfg *with = make(profile, service, pool);
	struct buf restart = BUF_INIT;

	buf_add_cstr(live, "");
	cfg_diff(without, with, live, &restart);
	cr_expect_eq(restart.len, 0);
	cfg_unref(&with);
	cfg_unref(&without);
}

Test(profiles, what_each_one_stands_for, .timeout = 10)
{
	cr_assert_eq(ARRAY_LEN(rows), CFG_PRODUCT_COUNT - 1, "all have a row");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf live = BUF_INIT;

		compare(rows[i].name, "", "", &live);
		cr_expect_str_eq(live.p, rows[i].brings, "%s: %s", rows[i].name,
		    live.p);
		buf_free(&live);
	}
}

/* Lines that are about something else than rules. */
static size_t
count_others(struct str lines)
{
	size_t n = 0;

	while (lines.len > 0)
		n += !str_starts(str_split(&lines, '\n'), STR(S "rules: "));
	return n;
}

Test(profiles, what_is_written_comes_first, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf live = BUF_INIT;

		compare(rows[i].name, rows[i].service, rows[i].pool, &live);
		cr_expect_eq(count_others(buf_str(&live)), 0, "%s: %s",
		    rows[i].name, live.p);
		buf_free(&live);
	}
}

/* ---- how the two are merged ---- */

static const struct {
	const char *why, *profile, *service, *pool, *brings;
} merged[] = {
	{ "a probe in part", "keycloak",
	    "headers: plain, sticky: {}, drain: { mode: keep, flows: 30m }, "
	    "hold: { max: "
	    "1, wait: 1s, pace: 1, retry_after: 1s, copies: [] }, assets: [], "
	    "logins: { begin: [] }, "
	    "rules: [],",
	    "probe: { path: /x, timeout: 2s }",
	    S "sticky.scope: pool -> instance\n" S
	      "rules: none -> [ { deny: /metrics, hide: off }, { deny: "
	      "/health, hide: off } ]\n" P "probe.port: 0 -> 9000\n" P
	      "probe.body: none -> \"\\\"UP\\\"\"\n" },
	{ "maps in which nothing is written", "nevis", "headers: , drain: ~,",
	    "probe: null",
	    S "drain.streams: 5m -> 10m\n" IDENTITY P
	      "probe.port: 0 -> 8997\n" P
	      "probe.path: / -> /nevisauth/liveness\n" P
	      "probe.body: none -> \"\\\"UP\\\"\"\n" P
	      "probe.interval: 2s -> 6s\n" P "probe.timeout: 1s -> 5s\n" },
	{ "a map beside the profile's key", "oidc",
	    "logins: { begin: ~ }, drain: { flows: 2h }, headers: { prefix: /a "
	    "}, hold: { copies: ~ "
	    "},",
	    "probe: { path: /a, body: b }", IDENTITY },
	{ "a probe of another type is one's own", "nevis",
	    "headers: plain, drain: { streams: 1s },", "probe: { type: tcp }",
	    "" },
	{ "a probe of the same type", "oidc",
	    "logins: { begin: ~ }, headers: plain, drain: { flows: 1s }, hold: "
	    "{ copies: ~ },",
	    "probe: { type: http, body: a }",
	    P "probe.path: / -> /.well-known/openid-configuration\n" },
	{ "a list is one's own", "hydra",
	    OWN_ORY_HOLD
	    "logins: { begin: ~ }, headers: plain, rules: [ { allow: / } ],",
	    "probe: { port: 1, path: /, body: a }",
	    S "rules: [ { allow: /, hide: off } ] -> [ { allow: /, hide: off "
	      "}, { deny: /admin, hide: off }, { deny: /metrics, hide: off } "
	      "]\n" },
	{ "rules come after those that are written", "zitadel",
	    "logins: { begin: ~ }, headers: plain, hold: { copies: ~ }, "
	    "rules: [ { allow: /debug, from: 10.0.0.0/8 } ],",
	    "protocol: h1, probe: { path: / }",
	    S "rules: [ { allow: /debug, from: [ \"10.0.0.0/8\" ], hide: off "
	      "} ] -> [ { allow: /debug, from: [ \"10.0.0.0/8\" ], hide: off "
	      "}, { deny: /debug, hide: off } ]\n" },
	{ "rules of which none is written", "zitadel",
	    "logins: { begin: ~ }, hold: { copies: ~ }, headers: plain, rules: "
	    ",",
	    "protocol: h1, probe: { path: / }",
	    S "rules: none -> [ { deny: /debug, hide: off } ]\n" },
	{ "no HTTP/2 in the clear over TLS", "zitadel",
	    "logins: { begin: ~ }, hold: { copies: ~ }, headers: plain,",
	    "probe: { path: / }, tls: { name: a }",
	    S "rules: none -> [ { deny: /debug, hide: off } ]\n" P
	      "protocol: h1 -> h2\n" },
	{ "TLS in a word", "zitadel",
	    "logins: { begin: ~ }, hold: { copies: ~ }, headers: plain,",
	    "probe: { path: / }, tls: yes",
	    S "rules: none -> [ { deny: /debug, hide: off } ]\n" P
	      "protocol: h1 -> h2\n" },
	{ "TLS that is off", "zitadel",
	    "logins: { begin: ~ }, hold: { copies: ~ }, headers: plain,",
	    "probe: { path: / }, tls: off",
	    S "rules: none -> [ { deny: /debug, hide: off } ]\n" P
	      "protocol: h1 -> h2c\n" },
};

Test(profiles, merged, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(merged); i++) {
		struct buf live = BUF_INIT;

		compare(merged[i].profile, merged[i].service, merged[i].pool,
		    &live);
		cr_expect_str_eq(live.p, merged[i].brings, "%s: %s",
		    merged[i].why, live.p);
		buf_free(&live);
	}
}

/* Each of its pools, and no other service. */
Test(profiles, where_they_hold)
{
	struct cfg *c = try_good(LISTEN
	    "services:\n"
	    "- { name: a, match: a, profile: hydra, pools: [ { name: v1, "
	    "instances: a:1 }, { name: v2, instances: b:1 } ] }\n"
	    "- { name: b, match: b, pools: [ { name: v1, instances: c:1 } ] }\n"
	    "- { name: c, match: c, profile: kratos, pools: [ { name: v1, "
	    "instances: d:1 } ] }\n",
	    "three");
	const struct cfg_service *s = c->services;

	cr_expect_eq(s[0].pools[0].probe.port, 4445);
	cr_expect_eq(s[0].pools[1].probe.port, 4445);
	cr_expect_eq(s[0].product, CFG_PRODUCT_HYDRA);
	cr_expect_eq(s[0].n_rules, 2);
	cr_expect_eq(s[1].pools[0].probe.port, 0);
	cr_expect_eq(s[1].profile, CFG_PROFILE_PLAIN);
	cr_expect_eq(s[1].n_rules, 0);
	cr_expect_eq(s[2].pools[0].probe.port, 4434);
	try_round_trip(c, "three");
	cfg_unref(&c);
}

/* A profile in the place of what it stands for is no change for a reload. */
Test(profiles, written_out_it_is_the_same)
{
	struct cfg *with = make("nevis", "", ""), *without;
	struct buf live = BUF_INIT, restart = BUF_INIT;

	without = make("none", "headers: identity, drain: { streams: 10m }, ",
	    "probe: { port: 8997, path: /nevisauth/liveness, body: '\"UP\"', "
	    "interval: 6s, timeout: 5s }");
	cfg_diff(without, with, &live, &restart);
	cr_expect_eq(live.len + restart.len, 0);
	cfg_unref(&with);
	cfg_unref(&without);
}

/* ---- the manual ---- */

static void
read_manual(struct buf *out)
{
	const char *top = getenv("srcdir");
	struct buf path = BUF_INIT, text = BUF_INIT;
	struct str rest;

	buf_printf(&path, "%s/man/segue.yaml.5.in", top == NULL ? SRCDIR : top);
	cr_assert_eq(file_read(path.p, 1 << 20, &text), E_OK, "%s", path.p);
	rest = buf_str(&text);
	while (rest.len > 0) {
		bool quote = str_starts(rest, STR("\\(aq"));

		buf_add_char(out, quote ? '\'' : rest.p[0]);
		rest = str_sub(rest, quote ? 4 : 1, rest.len);
	}
	buf_free(&path);
	buf_free(&text);
}

Test(profiles, the_manual_shows_them)
{
	struct buf manual = BUF_INIT;

	read_manual(&manual);
	for (int i = 1; i < CFG_PRODUCT_COUNT; i++) {
		struct buf want = BUF_INIT;

		buf_printf(&want, ".It Ic %s\n", rows[i - 1].name);
		cr_expect_not_null(strstr(manual.p, want.p), "%s", want.p);
		buf_reset(&want);
		buf_printf(&want, ".Bd -literal\n%s.Ed\n",
		    profile_text((enum cfg_product)i));
		cr_expect_not_null(strstr(manual.p, want.p), "%s", want.p);
		buf_free(&want);
	}
	cr_expect_null(profile_text(CFG_PRODUCT_NONE));
	buf_free(&manual);
}
