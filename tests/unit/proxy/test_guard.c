/* Rules for paths, and the ways around them that there are not. */
#include <arpa/inet.h>
#include <criterion/criterion.h>

#include "base/err.h"
#include "net/addr.h"
#include "proxy/guard.h"
#include "upstream/view.h"

/* As an operator would write them. */
static const char yaml[] = "listeners: [ \":1\" ]\n"
                           "services:\n"
                           "- name: s\n"
                           "  pools: [ { name: v1, instances: [ a:1 ] } ]\n"
                           "  rules:\n"
                           "  - { allow: /admin/health }\n"
                           "  - { allow: /admin, from: 10.0.0.0/8 }\n"
                           "  - { deny: /admin }\n"
                           "  - { deny: /hidden/, hide: on }\n"
                           "  - { deny: /write, methods: [ GET, POST ] }\n"
                           "  - { deny: /from, from: 10.0.0.0/8 }\n"
                           "- name: t\n"
                           "  match: t\n"
                           "  pools: [ { name: v1, instances: [ a:1 ] } ]\n"
                           "  rules: [ { deny: / }, { allow: /a } ]\n";

#define RULES_MAX 8

static struct cfg *cfg;
static struct cidr inside;
static struct view_guard guards[RULES_MAX], all[RULES_MAX];
static size_t n, n_all;

static void
fill(const struct cfg_service *s, struct view_guard *g, size_t *count)
{
	cr_assert_leq(s->n_rules, RULES_MAX);
	for (*count = 0; *count < s->n_rules; ++*count)
		g[*count] = (struct view_guard){ .cfg = &s->rules[*count],
			.from = &inside,
			.n_from = s->rules[*count].n_from };
}

static void
up(void)
{
	struct cfg_problems p;

	cr_assert_eq(cfg_parse(STR(yaml), "guard", &cfg, &p), E_OK);
	cfg_problems_free(&p);
	cr_assert(cidr_parse(STR("10.0.0.0/8"), &inside));
	fill(&cfg->services[0], guards, &n);
	fill(&cfg->services[1], all, &n_all);
}

static void
down(void)
{
	cfg_unref(&cfg);
}

TestSuite(guard, .init = up, .fini = down, .timeout = 10);

enum { A = GUARD_ALLOW, D = GUARD_DENY, H = GUARD_HIDE, U = GUARD_UNCLEAR };

static const struct {
	const char *path;
	int want;
} rows[] = {
	/* plain */
	{ "/", A },
	{ "/a", A },
	{ "/administrator", A },
	{ "/Admin", A }, /* case counts */
	{ "/a/admin", A },
	{ "/admin", D },
	{ "/admin/", D },
	{ "/admin/x", D },
	{ "/admin/health", A },
	{ "/admin/health/live", A },
	{ "/admin/healthy", D },
	{ "/hidden", H },
	{ "/hidden/x", H },
	{ "/.well-known/x", A },
	{ "/write", D },
	/* another way of writing the same */
	{ "/%61dmin", D },
	{ "/%61%64%6D%69%6e/", D },
	{ "//admin", D },
	{ "/admin//x", D },
	{ "/admin%2fx", D },
	{ "/admin%2Fx", D },
	{ "/admin%252fx", D },
	{ "/admin%5cx", D },
	{ "/admin\\x", D },
	{ "\\admin", D },
	{ "/%2fadmin", D },
	{ "/%2561dmin", D },
	{ "/admin;a=b", D },
	{ "/admin;a=b/x", D },
	{ "/;a/admin", D },
	{ "/admin%3bx", D },
	{ "/admin%3fx", D },
	{ "/admin%23x", D },
	{ "/a%2fadmin", A },
	{ "/realms/a%20b;v=1", A },
	{ "/100%25", A },
	{ "/https%3A%2F%2Fsp.example.org", A },
	/* an exception, but only when every reading is one */
	{ "/admin/health;x", D },
	{ "/admin/health/x;y", A },
	{ "/admin;/health", D },
	{ "/admin%2fhealth", D },
	{ "/admin/health%2flive", D },
	{ "/admin/health%3flive", D },
	{ "/admin%3f/health", D },
	/* no end of readings */
	{ "/a/../admin", U },
	{ "/admin/./x", U },
	{ "/admin/health/../x", U },
	{ "/admin/health/..%2fx", U },
	{ "/admin/health/%2e%2e/x", U },
	{ "/admin/health/%252e%252e/x", U },
	{ "/admin/health/..;/x", U },
	{ "/admin/health/..;a=b/x", U },
	{ "/admin/health\\..\\x", U },
	{ "/admin/health/..%5cx", U },
	{ "/x%2f..%2fadmin%2f%252e%252e", U },
	{ "/admin/..", U },
	{ "/..", U },
	{ "/;a/%61dmin%3fx", U },
	{ "/;a%5b/%61dmin%23x", U },
	{ "/;a%3fx/%61dmin%3fx", U },
	{ "/;%2fadmin", U },
	{ "/;a%2fb%2f/%61dmin%2fx", U },
	{ "/%3ba%252fb%252f/%61dmin%252fx", U },
	{ "/admin;\\x", U },
	{ "/admin%00", U },
	{ "/admin%00.html", U },
	{ "/admin%2500", U },
	{ "/admin%0a", U },
	{ "/admin%7f", U },
	{ "/%c0%afadmin", U },
	{ "/x/%c0%ae%c0%ae/admin", U },
	{ "/%e0%80%afadmin", U },
	{ "/%f0%80%80%afadmin", U },
	{ "/%e2%82%ac", A }, /* what is well-formed is no fault */
	{ "/%zz", U },
	{ "/...", A },
};

Test(guard, paths)
{
	struct addr from = { .len = 0 };
	size_t which = 99;

	from.in.sin_family = AF_INET;
	from.in.sin_addr.s_addr = htonl(0xc0000201);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int got = (int)guard_judge(guards, n, str_of(rows[i].path),
		    STR("GET"), &from, &which);

		cr_expect_eq(got, rows[i].want, "%s: %d", rows[i].path, got);
	}
	cr_expect_eq(which, 2, "of the last that was denied");
}

static const struct {
	const char *why, *path, *method;
	uint32_t from; /* 0: not known */
	int want;
} asks[] = {
	{ "a network that may", "/admin", "GET", 0x0a000001, A },
	{ "one that may not", "/admin", "GET", 0xc0000201, D },
	{ "nobody knows from where", "/admin", "GET", 0, D },
	{ "another method", "/write", "PUT", 0xc0000201, A },
	{ "methods are told by case", "/write", "get", 0xc0000201, A },
	{ "a denied network", "/from", "GET", 0x0a000001, D },
	{ "another one", "/from", "GET", 0xc0000201, A },
	{ "it could be that one", "/from", "GET", 0, D },
};

Test(guard, sources_and_methods)
{
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		struct addr from = { .len = 0 };
		size_t which;

		from.in.sin_family = AF_INET;
		from.in.sin_addr.s_addr = htonl(asks[i].from);
		cr_expect_eq((int)guard_judge(guards, n, str_of(asks[i].path),
		                 str_of(asks[i].method),
		                 asks[i].from == 0 ? NULL : &from, &which),
		    asks[i].want, "%s", asks[i].why);
	}
}

Test(guard, first_one_decides)
{
	struct addr from = { .len = 0 };
	size_t which = 9;

	cr_expect_eq(guard_judge(all, n_all, STR("/a"), STR("GET"), &from,
	                 &which),
	    GUARD_DENY);
	cr_expect_eq(which, 0);
	cr_expect_eq(guard_judge(NULL, 0, STR("/a"), STR("GET"), &from, &which),
	    GUARD_ALLOW);
}

/* ---- prefixes alone ---- */

static const struct {
	const char *path;
	bool is, may; /* under /admin or /b/ */
} prefixes[] = {
	{ "/", false, false },
	{ "/administrator", false, false },
	{ "/a/admin", false, false },
	{ "/admin", true, true },
	{ "/admin/x", true, true },
	{ "/b", true, true },
	{ "/b/x", true, true },
	{ "/bx", false, false },
	{ "/%61dmin", true, true },
	{ "/admin%2fx", false, true },
	{ "/admin/%2fx", true, true },
	{ "/admin;a=b", false, true },
	{ "/a/../admin", false, true },
	{ "/admin/../a", false, true },
	{ "/admin%00", false, true },
	{ "/%zz", false, true },
};

Test(guard, lies_under_a_prefix)
{
	char admin[] = "/admin", b[] = "/b/";
	char *const list[] = { admin, b };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		struct str path = str_of(prefixes[i].path);

		cr_expect_eq(guard_is_under(path, list, 2), prefixes[i].is,
		    "%s is", prefixes[i].path);
		cr_expect_eq(guard_may_be_under(path, list, 2), prefixes[i].may,
		    "%s may", prefixes[i].path);
	}
	cr_expect_not(guard_is_under(STR("/admin"), list, 0));
	cr_expect_not(guard_may_be_under(STR("/admin"), list, 0));
}
