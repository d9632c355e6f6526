/* What a balancer in front of us is told. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "proxy/proxy.h"
#include "rig.h"
#include "upstream/load.h"

static void
up(void)
{
	static const struct rig_lines lines = {
		.listener = "    health: { path: /.segue/health }",
	};

	rig_up(&lines);
}

TestSuite(health, .init = up, .fini = rig_down, .timeout = 30);

#define ASK "GET /.segue/health HTTP/1.1\r\nHost: x\r\n\r\n"

static void
expect(int c, const char *request, const char *status, const char *why)
{
	const char *h;

	put(c, request);
	h = get_head(c);
	cr_expect(has(h, status), "%s: %s", why, h);
	if (has(h, "200"))
		get(c, "200 OK\nAll is well.\n");
}

Test(health, is_ours_and_keeps_the_books)
{
	int c = client_open();

	expect(c, ASK, "HTTP/1.1 200 OK\r\n", "serving");
	expect(c, "GET /.segue/health?x=1 HTTP/1.1\r\nHost: any.where\r\n\r\n",
	    "HTTP/1.1 200 OK\r\n", "any host, any query");
	cr_expect(origin_is_quiet(A), "never forwarded");
	cr_expect_eq(rig_unrouted(OUT_HEALTH), 2);
	cr_expect_eq(stat_get(&rig_cell()->begun), 0, "of no service");
	(void)serve(c, -1, A, GET_A);
}

Test(health, other_paths_are_the_services)
{
	int c = client_open(), u;

	u = serve(c, -1, A, "GET /.segue/health/x HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)serve(c, u, A, "GET /.segue HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect_eq(rig_unrouted(OUT_HEALTH), 0);
}

Test(health, no_service_can_serve)
{
	int c = client_open();

	rig_health(A, false);
	rig_publish();
	expect(c, ASK, "HTTP/1.1 503 ", "no instance is up");
	cr_expect_eq(rig_unrouted(OUT_HEALTH), 1);
}

Test(health, about_to_stop)
{
	int c = client_open();

	registry_load(rig.registry)->lame = true;
	expect(c, ASK, "HTTP/1.1 503 ", "the lame duck");
	c = client_open();
	(void)serve(c, -1, A, GET_A); /* but all is served */
}

Test(health, stopping)
{
	int c = client_open();

	proxy_stop(rig.proxy, 3 * US_PER_S, 60 * US_PER_S);
	expect(c, ASK, "HTTP/1.1 503 ", "stopping");
}

Test(health, is_off_by_default, .init = NULL)
{
	int c;

	rig_up(NULL);
	c = client_open();
	(void)serve(c, -1, A, ASK);
}
