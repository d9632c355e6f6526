/* Starts without a file, references, look-ups. */
#include <pthread.h>

#include "try.h"

/* ---- without a file ---- */

static const struct {
	const char *why;
	const char *listen[2], *pools[3];
	const char *said;
} rows[] = {
	{ "as in the README", { ":8080", NULL },
	    { "v1=10.0.0.1:80,10.0.0.2:80", "v2=10.0.1.1:80", NULL }, "" },
	{ "Unix sockets and IPv6", { "unix:/run/a", "[::]:80" },
	    { "v1=[::1]:80", NULL, NULL }, "" },
	{ "blanks around addresses", { ":8080", NULL },
	    { "v1= a:1 , b:1 ", NULL, NULL }, "" },
	{ "a pool to be filled later", { ":8080", NULL },
	    { "v1=a:1", "v2=", NULL },
	    "command line: warning: services[0].pools[1]: there is no "
	    "instance; \"segue add-instance\" can bring some\n" },
	{ "no name", { ":8080", NULL }, { "a:1", NULL, NULL },
	    "command line: a:1 is not a pool; NAME=HOST:PORT[,HOST:PORT...] is "
	    "expected\n"
	    "command line: services[0].pools[0].name: a:1 is not a name of at "
	    "most 63 letters, digits, \".\", \"_\" and \"-\"\n" },
	{ "an empty name", { ":8080", NULL }, { "=a:1", NULL, NULL },
	    "command line: services[0].pools[0].name: \"\" is not a name of at "
	    "most 63 letters, digits, \".\", \"_\" and \"-\"\n" },
	{ "no port", { ":8080", NULL }, { "v1=a", NULL, NULL },
	    "command line: services[0].pools[0].instances[0].address: a is not "
	    "an address such as 127.0.0.1:8080, [::1]:8080 or unix:/path\n" },
	{ "a comma too many", { ":8080", NULL }, { "v1=a:1,,b:1", NULL, NULL },
	    "command line: services[0].pools[0].instances[1].address: \"\" is "
	    "not an address such as 127.0.0.1:8080, [::1]:8080 or "
	    "unix:/path\n" },
	{ "one pool twice", { ":8080", NULL }, { "v1=a:1", "v1=b:1", NULL },
	    "command line: services[0].pools[1].name: v1 is that of "
	    "services[0].pools[0] already; another is expected\n" },
	{ "one address twice", { ":8080", "*:8080" }, { "v1=a:1", NULL, NULL },
	    "command line: listeners[1].address: 0.0.0.0:8080 is that of "
	    "listeners[0] already; another is expected\n" },
	{ "no listener", { NULL, NULL }, { "v1=a:1", NULL, NULL },
	    "command line: listeners: is missing; a list is expected\n" },
	{ "no pool", { ":8080", NULL }, { NULL, NULL, NULL },
	    "command line: services[0].pools: is missing; a list is "
	    "expected\n" },
	{ "YAML among the arguments stays text", { "\" }, x: [", NULL },
	    { "v1=a:1", NULL, NULL },
	    "command line: listeners[0].address: \" }, x: [ is not an address "
	    "such as 127.0.0.1:8080, [::1]:8080 or unix:/path\n" },
	{ "no UTF-8", { "\xff:1", NULL }, { "v1=a:1", NULL, NULL },
	    "command line: invalid leading UTF-8 octet (0xFF)\n" },
};

static size_t
count(const char *const *list, size_t max)
{
	size_t n = 0;

	while (n < max && list[n] != NULL)
		n++;
	return n;
}

Test(args, rows)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf said = BUF_INIT, yaml = BUF_INIT;
		struct cfg_problems p;
		struct cfg *c;

		struct cfg_args a = { rows[i].listen, count(rows[i].listen, 2),
			rows[i].pools, count(rows[i].pools, 3), NULL, NULL };
		int rc = cfg_from_args(&a, &yaml, &c, &p);

		buf_add_cstr(&said, "");
		for (size_t j = 0; j < p.n; j++)
			buf_printf(&said, "%s\n", p.list[j].text);
		cr_expect_str_eq(said.p, rows[i].said, "%s:\n%s", rows[i].why,
		    said.p);
		cr_expect_eq(rc, p.errors > 0 ? E_SYNTAX : E_OK);
		cr_expect_eq(c == NULL, p.errors > 0, "%s", rows[i].why);
		if (c != NULL) {
			struct buf live = BUF_INIT, restart = BUF_INIT, other;
			struct cfg *again;

			/* the text that is given out says the same */
			(void)try_text(buf_str(&yaml), &again, &other);
			cr_assert_not_null(again, "%s: %s", rows[i].why,
			    yaml.p);
			cfg_diff(c, again, &live, &restart);
			cr_expect_eq(live.len + restart.len, 0);
			try_free(&again, &other);
		}
		cfg_problems_free(&p);
		cfg_unref(&c);
		buf_free(&said);
		buf_free(&yaml);
	}
}

Test(args, what_comes_of_it)
{
	static const char *const listen[] = { ":8080" };
	static const char *const pools[] = { "v1=a:1,b:2", "v2=c:3" };
	static const struct cfg_args a = { listen, 1, pools, 2, "/s t/a: b",
		"/run/\"x\"" };
	struct cfg_problems p;
	struct cfg *c;

	cr_assert_eq(cfg_from_args(&a, NULL, &c, &p), E_OK);
	cr_expect_eq(p.n, 0);
	cr_expect_str_eq(c->state_dir, "/s t/a: b");
	cr_expect_str_eq(c->admin_socket, "/run/\"x\"");
	cr_expect_str_eq(c->listeners[0].address.text, "0.0.0.0:8080");
	cr_assert_eq(c->n_services, 1);
	cr_expect_str_eq(c->services[0].name, "default");
	cr_assert_eq(c->services[0].n_pools, 2);
	cr_expect_eq(c->services[0].pools[0].share_bp, CFG_SHARE_ALL);
	cr_expect_eq(c->services[0].pools[1].share_bp, 0);
	cr_expect_eq(c->services[0].pools[0].n_instances, 2);
	cr_expect_str_eq(c->services[0].pools[0].instances[1].address.text,
	    "b:2");
	cfg_problems_free(&p);
	cfg_unref(&c);
}

/* ---- finding ---- */

Test(config, find)
{
	struct cfg *c = try_good(LISTEN
	    "services:\n"
	    "- { name: a, match: a, pools: [ { name: v1, instances: a:1 }, "
	    "{ name: v2, version: 2.6, instances: b:1 } ], rollout: { jobs: [ "
	    "{ name: i, command: /i }, { name: j, command: /j } ] } }\n"
	    "- { name: b, match: b, pools: [ { name: v1, instances: a:1 } ] "
	    "}\n",
	    "find");
	const struct cfg_service *a = cfg_service_find(c, STR("a"));

	cr_assert_eq(a, &c->services[0]);
	cr_expect_eq(cfg_service_find(c, STR("b")), &c->services[1]);
	cr_expect_null(cfg_service_find(c, STR("A")));
	cr_expect_null(cfg_service_find(c, STR("")));
	cr_expect_eq(cfg_pool_find(a, STR("v2")), &a->pools[1]);
	cr_expect_null(cfg_pool_find(a, STR("v")));
	cr_expect_null(cfg_pool_find(&c->services[1], STR("v2")));
	cr_expect_eq(cfg_job_find(a, STR("j")), &a->rollout.jobs[1]);
	cr_expect_null(cfg_job_find(a, STR("k")));
	cr_expect_null(cfg_job_find(&c->services[1], STR("j")));
	cr_expect_str_eq(cfg_version_of(a, STR("v1")), "v1", "its name");
	cr_expect_str_eq(cfg_version_of(a, STR("v2")), "2.6");
	cr_expect_str_eq(cfg_version_of(a, STR("v3")), "");
	cfg_unref(&c);
}

/* ---- references ---- */

static void *
take_and_give(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		struct cfg *c = cfg_ref(arg);

		cr_assert_eq(c->n_services, 1);
		cfg_unref(&c);
	}
	return NULL;
}

Test(config, references_of_many_threads, .timeout = 20)
{
	struct cfg *c = try_good(LISTEN SERVE, "references"), *other;
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		cr_assert_eq(
		    pthread_create(&threads[i], NULL, take_and_give, c), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		(void)pthread_join(threads[i], NULL);
	other = cfg_ref(c);
	cfg_unref(&c);
	cr_expect_null(c);
	cr_expect_str_eq(other->services[0].name, "s", "one is left");
	cfg_unref(&other);
	cfg_unref(&other); /* NULL is fine */
}

Test(config, problems_of_nothing)
{
	struct cfg_problems p = { NULL, 0, 0 };

	cfg_problems_free(&p);
	cr_expect_null(p.list);
}
