/* Routing, and views passed between threads. */
#include "upstream/view.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "house.h"

/* ---- routing ---- */

#define POOL "pools: [ { name: v1, instances: \"127.0.0.1:1\" } ]"

static const char *const town =
    "listeners: \":1\"\n"
    "services:\n"
    "- { name: any, match: \"*\", " POOL " }\n"
    "- { name: any-app, match: [ { host: \"*\", path: /app } ], " POOL " }\n"
    "- { name: wild, match: \"*.example.org\", " POOL " }\n"
    "- { name: wild-deep, match: \"*.b.example.org\", " POOL " }\n"
    "- { name: wild-app, match: [ { host: \"*.example.org\", path: /app } ],"
    " " POOL " }\n"
    "- { name: one, match: [ { host: a.example.org, path: /one } ], " POOL
    " }\n"
    "- { name: two, match: [ { host: a.example.org, path: /one/two },"
    " { host: c.example.org, path: / } ], " POOL " }\n"
    "- { name: slash, match: [ { host: d.example.org, path: /dir/ } ], " POOL
    " }\n"
    "- { name: v6, match: \"[::1]\", " POOL " }\n";

/* clang-format off */
static const struct {
	const char *why, *host, *path, *service;
} routes[] = {
	{ "nothing else fits", "x.test", "/", "any" },
	{ "no host at all", "", "/", "any" },
	{ "path of any host", "x.test", "/app", "any-app" },
	{ "below a path", "x.test", "/app/x", "any-app" },
	{ "a path ends at a segment", "x.test", "/application", "any" },
	{ "a path is no suffix", "x.test", "/x/app", "any" },
	{ "case of a path counts", "x.test", "/App", "any" },
	{ "one label", "x.example.org", "/", "wild" },
	{ "many labels", "x.y.z.example.org", "/", "wild" },
	{ "no label", "example.org", "/", "any" },
	{ "an empty label", ".example.org", "/", "any" },
	{ "part of a label", "xexample.org", "/", "any" },
	{ "longer wildcard first", "x.b.example.org", "/", "wild-deep" },
	{ "host before path", "x.b.example.org", "/app", "wild-deep" },
	{ "wildcard before any", "x.example.org", "/app/y", "wild-app" },
	{ "exact before wildcard", "a.example.org", "/one", "one" },
	{ "longest path of a host", "a.example.org", "/one/two/3", "two" },
	{ "... on segment borders", "a.example.org", "/one/twofold", "one" },
	{ "exact host without that path", "a.example.org", "/", "wild" },
	{ "... falls to the wildcard's path", "a.example.org", "/app",
	    "wild-app" },
	{ "another rule of the service", "c.example.org", "/x", "two" },
	{ "a path with its slash", "d.example.org", "/dir/x", "slash" },
	{ "... without it", "d.example.org", "/dir", "wild" },
	{ "an address", "[::1]", "/", "v6" },
	{ "host of the same length", "e.example.org", "/one", "wild" },
};
/* clang-format on */

Test(view, routes_by_host_then_path)
{
	struct registry *r = registry_new(1);
	struct cfg *cfg;
	struct view *v;

	thread_become(ROLE_ANY, "test");
	cfg = house_cfg("%s", town);
	house_apply(r, cfg);
	v = registry_view(r, cfg, NULL, NULL, 0);
	cr_assert_not_null(v);
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct view_service *vs = view_route(v,
		    str_of(routes[i].host), str_of(routes[i].path));

		cr_assert_not_null(vs, "%s", routes[i].why);
		cr_expect_str_eq(vs->service->name, routes[i].service, "%s: %s",
		    routes[i].why, vs->service->name);
	}
	view_free(&v);
	registry_free(&r);
	cfg_unref(&cfg);
}

Test(view, may_fit_nothing)
{
	struct registry *r = registry_new(1);
	struct cfg *cfg;
	struct view *v;

	thread_become(ROLE_ANY, "test");
	cfg = house_cfg("listeners: \":1\"\nservices:\n"
	                "- { name: s, match: [ { host: a.test, path: /x } ], "
	                "%s }\n",
	    POOL);
	house_apply(r, cfg);
	v = registry_view(r, cfg, NULL, NULL, 0);
	cr_expect_null(view_route(v, STR("b.test"), STR("/x")));
	cr_expect_null(view_route(v, STR("a.test"), STR("/")));
	cr_expect_null(view_route(v, STR(""), STR("")));
	cr_expect_not_null(view_route(v, STR("a.test"), STR("/x/y")));
	view_free(&v);
	registry_free(&r);
	cfg_unref(&cfg);
}

/* ---- names of TLS ---- */

#define PASS "mode: passthrough, " POOL

static const char *const port =
    "listeners: { address: \":1\", passthrough: on }\n"
    "services:\n"
    "- { name: web, match: [ web.test, { host: app.test, path: /app },"
    " \"*.web.test\", \"*.x.both.test\" ], " POOL " }\n"
    "- { name: id, match: [ id.test, \"*.id.test\" ], " PASS " }\n"
    "- { name: deep, match: \"*.deep.id.test\", " PASS " }\n"
    "- { name: both, match: [ \"*.both.test\", in.web.test ], " PASS " }\n"
    "- { name: plain, match: id.test, " POOL " }\n";

/* clang-format off */
static const struct {
	const char *why, *name, *alone, *shared; /* services; NULL: none */
} passes[] = {
	{ "a name", "id.test", "id", "id" },
	{ "which HTTP in clear has, too: they are equal", "id.test", "id", "id" },
	{ "below it", "a.b.id.test", "id", "id" },
	{ "the longer wildcard", "a.deep.id.test", "deep", "deep" },
	{ "nobody's", "who.test", NULL, NULL },
	{ "of HTTP", "web.test", NULL, NULL },
	{ "of HTTP, with a path", "app.test", NULL, NULL },
	{ "none", "", NULL, NULL },
	{ "exact, where HTTP has a wildcard", "in.web.test", "both", "both" },
	{ "HTTP has the longer wildcard", "a.x.both.test", "both", NULL },
	{ "... not for its own name", "x.both.test", "both", "both" },
};
/* clang-format on */

static void
expect_passes(const struct view *v, size_t row, bool shared, const char *want)
{
	const struct view_service *vs = view_passes(v, str_of(passes[row].name),
	    shared);

	cr_expect_str_eq(vs == NULL ? "none" : vs->service->name,
	    want == NULL ? "none" : want, "%s, shared %d", passes[row].why,
	    shared);
}

Test(view, passes_by_name)
{
	struct registry *r = registry_new(1);
	struct cfg *cfg;
	struct view *v;

	thread_become(ROLE_ANY, "test");
	cfg = house_cfg("%s", port);
	house_apply(r, cfg);
	v = registry_view(r, cfg, NULL, NULL, 0);
	cr_assert_not_null(v);
	for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
		expect_passes(v, i, false, passes[i].alone);
		expect_passes(v, i, true, passes[i].shared);
	}
	/* HTTP never gets there */
	cr_expect_str_eq(view_route(v, STR("id.test"), STR("/"))->service->name,
	    "plain");
	cr_expect_null(view_route(v, STR("a.id.test"), STR("/")));
	cr_expect(!view_serves_host(v, STR("a.id.test")));
	cr_expect(v->services[1].pools[0].passes);
	cr_expect(!v->services[0].pools[0].passes);
	view_free(&v);
	registry_free(&r);
	cfg_unref(&cfg);
}

/* Any name, and none; a service of HTTP has what it names, no more. */
Test(view, passes_any_name)
{
	struct registry *r = registry_new(1);
	struct cfg *cfg;
	struct view *v;

	thread_become(ROLE_ANY, "test");
	cfg = house_cfg("listeners: { address: \":1\", passthrough: on }\n"
	                "services:\n- { name: web, match: [ web.test, \"*\" ], "
	                "%s }\n- { name: id, match: \"*\", %s }\n",
	    POOL, PASS);
	house_apply(r, cfg);
	v = registry_view(r, cfg, NULL, NULL, 0);
	cr_expect_not_null(view_passes(v, STR(""), true));
	cr_expect_not_null(view_passes(v, STR("x"), true), "both say any");
	cr_expect_null(view_passes(v, STR("web.test"), true));
	cr_expect_not_null(view_passes(v, STR("web.test"), false));
	view_free(&v);
	registry_free(&r);
	cfg_unref(&cfg);
}

/* Bisection must find what a walk over all rules finds. */
Test(view, finds_one_of_many_hosts)
{
	struct buf text = BUF_INIT;
	struct registry *r = registry_new(1);
	struct cfg *cfg;
	struct view *v;
	char host[32];

	thread_become(ROLE_ANY, "test");
	buf_add_cstr(&text, "listeners: \":1\"\nservices:\n");
	for (int i = 0; i < 300; i++)
		buf_printf(&text, "- { name: s%d, match: h%d.test, %s }\n", i,
		    i * 7, POOL);
	cfg = house_cfg("%s", text.p);
	house_apply(r, cfg);
	v = registry_view(r, cfg, NULL, NULL, 0);
	for (int i = 0; i < 2100; i++) {
		const struct view_service *vs;

		(void)snprintf(host, sizeof(host), "h%d.test", i);
		vs = view_route(v, str_of(host), STR("/"));
		cr_expect_eq(vs != NULL, i % 7 == 0, "%s", host);
		if (vs == NULL)
			continue;
		(void)snprintf(host, sizeof(host), "s%d", i / 7);
		cr_expect_str_eq(vs->service->name, host);
	}
	view_free(&v);
	registry_free(&r);
	cfg_unref(&cfg);
	buf_free(&text);
}

/* ---- publishing, on one thread ---- */

static unsigned gone;
static uint64_t last_gone;

static void
on_gone(struct view *v, void *arg UNUSED)
{
	gone++;
	cr_expect_gt(v->generation, last_gone, "oldest of all first or alone");
	last_gone = v->generation;
}

static struct view *
empty_view(void)
{
	struct view *v = calloc(1, sizeof(*v));

	cr_assert_not_null(v);
	return v;
}

Test(views, are_kept_while_somebody_may_look)
{
	struct views *vs = views_new(2);

	views_on_free(vs, on_gone, NULL);
	cr_expect_null(views_newest(vs));
	cr_expect_null(views_adopt(vs, 0));
	cr_expect_not(views_has_newer(vs, 0));
	cr_expect_eq(views_collect(vs), 0);
	cr_expect(views_adopted(vs, 0));

	cr_expect_eq(views_publish(vs, empty_view()), 1);
	cr_expect(views_has_newer(vs, 0));
	cr_expect_not(views_adopted(vs, 1));
	cr_expect_eq(views_adopt(vs, 0)->generation, 1);
	cr_expect_not(views_has_newer(vs, 0));
	cr_expect_not(views_adopted(vs, 1), "the other has not");
	cr_expect_eq(views_adopt(vs, 1)->generation, 1);
	cr_expect(views_adopted(vs, 1));

	cr_expect_eq(views_publish(vs, empty_view()), 2);
	cr_expect_eq(views_collect(vs), 1);
	cr_expect_eq(gone, 0, "both still use the first");
	cr_expect_eq(views_adopt(vs, 0)->generation, 2);
	cr_expect_eq(views_collect(vs), 1);
	cr_expect_eq(gone, 0, "one does");
	cr_expect_eq(views_adopt(vs, 1)->generation, 2);
	cr_expect_eq(views_collect(vs), 2);
	cr_expect_eq(gone, 1);
	cr_expect_eq(views_newest(vs)->generation, 2);
	views_free(&vs);
	cr_expect_eq(gone, 2);
	cr_expect_null(vs);
	views_free(&vs);
}

Test(views, a_worker_that_left_holds_nothing_up)
{
	struct views *vs = views_new(2);

	(void)views_publish(vs, empty_view());
	(void)views_adopt(vs, 0);
	views_leave(vs, 1);
	cr_expect(views_adopted(vs, 1));
	(void)views_publish(vs, empty_view());
	cr_expect_not(views_adopted(vs, 2));
	(void)views_adopt(vs, 0);
	cr_expect(views_adopted(vs, 2));
	cr_expect_eq(views_collect(vs), 2);
	views_leave(vs, 0);
	cr_expect_eq(views_collect(vs), 2, "the newest stays");
	cr_expect_not_null(views_newest(vs));
	views_free(&vs);
}

/* ---- publishing, between threads ---- */

#define WORKERS 3
#define GENERATIONS 4000

struct reader {
	pthread_t thread;
	struct views *views;
	unsigned index;
	uint64_t looks, wrong;
};

/* Looks at every byte of the view of its turn. */
static void *
read_views(void *arg)
{
	struct reader *r = arg;
	const struct view *v = NULL;
	uint64_t last = 0;

	while (last < GENERATIONS) {
		if (!views_has_newer(r->views, r->index))
			continue;
		v = views_adopt(r->views, r->index);
		r->wrong += v->generation <= last;
		last = v->generation;
		for (size_t i = 0; i < v->rules.n; i++)
			r->wrong += v->rules.list[i].host.len != v->rules.n;
		r->looks++;
	}
	views_leave(r->views, r->index);
	return NULL;
}

static struct view *
view_of_rules(size_t n)
{
	struct view *v = empty_view();

	v->rules.list = calloc(n + 1, sizeof(*v->rules.list));
	cr_assert_not_null(v->rules.list);
	v->rules.n = n;
	for (size_t i = 0; i < n; i++)
		v->rules.list[i].host.len = n;
	return v;
}

static unsigned freed;

static void
count_freed(struct view *v UNUSED, void *arg UNUSED)
{
	freed++;
}

Test(views, are_never_freed_under_a_reader, .timeout = 60)
{
	struct views *vs = views_new(WORKERS);
	struct reader r[WORKERS];

	views_on_free(vs, count_freed, NULL);
	for (unsigned i = 0; i < WORKERS; i++) {
		r[i] = (struct reader){ .views = vs, .index = i };
		cr_assert_eq(
		    pthread_create(&r[i].thread, NULL, read_views, &r[i]), 0);
	}
	for (unsigned g = 1; g <= GENERATIONS; g++) {
		cr_assert_eq(views_publish(vs, view_of_rules(g % 50)), g);
		/* in step, so that what is freed was looked at */
		while (views_collect(vs) + 4 < g)
			sched_yield();
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(r[i].thread, NULL);
		cr_expect_eq(r[i].wrong, 0);
		cr_expect_gt(r[i].looks, 0);
	}
	cr_expect(views_adopted(vs, GENERATIONS));
	cr_expect_eq(views_collect(vs), GENERATIONS);
	cr_expect_eq(freed, GENERATIONS - 1);
	views_free(&vs);
	cr_expect_eq(freed, GENERATIONS);
}
