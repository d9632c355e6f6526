/* Who asks in clear: challenges of ACME, then the way to TLS. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "proxy/proxy.h"
#include "rig.h"

static char dir[] = "/tmp/segue-acme-XXXXXX";

static void
write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	cr_assert_geq(fputs(text, f), 0);
	cr_assert_eq(fclose(f), 0);
}

static void
up(void)
{
	static char text[256];
	struct rig_lines lines = {
		.listener = text,
		.service = "    match: [ x, \"*.y\", \"[::1]\" ]",
	};

	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(text, sizeof(text),
	    "    redirect: https\n    redirect_port: 8443\n"
	    "    acme_dir: %s",
	    dir);
	write_file("aB_-9", "aB_-9.thumb");
	write_file("with.dot", "no");
	rig_up(&lines);
}

static void
down(void)
{
	static const char *const names[] = { "aB_-9", "with.dot", "link" };
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
	rig_down();
}

TestSuite(plain, .init = up, .fini = down, .timeout = 30);

#define AT "/.well-known/acme-challenge/"

static const struct {
	const char *why, *request, *status, *location;
} rows[] = {
	{ "a page", "GET /a?b=c HTTP/1.1\r\nHost: x\r\n", "301",
	    "https://x:8443/a?b=c" },
	{ "the port they asked is another one",
	    "HEAD / HTTP/1.1\r\nHost: x:80\r\n", "301", "https://x:8443/" },
	{ "what must stay a PUT", "PUT /a HTTP/1.1\r\nHost: x\r\n", "308",
	    "https://x:8443/a" },
	{ "the server as a whole", "OPTIONS * HTTP/1.1\r\nHost: x\r\n", "308",
	    "https://x:8443/" },
	{ "an absolute target", "GET http://a.y/b HTTP/1.1\r\nHost: a.y\r\n",
	    "301", "https://a.y:8443/b" },
	{ "an address", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n", "301",
	    "https://[::1]:8443/" },
	{ "a host of nobody", "GET / HTTP/1.1\r\nHost: z\r\n", "421", NULL },
	{ "a challenge", "GET " AT "aB_-9 HTTP/1.1\r\nHost: x\r\n", "200",
	    NULL },
	{ "for a host of nobody", "GET " AT "aB_-9 HTTP/1.1\r\nHost: z\r\n",
	    "200", NULL },
	{ "there is none", "GET " AT "c HTTP/1.1\r\nHost: x\r\n", "301",
	    "https://x:8443" AT "c" },
	{ "no name of one", "GET " AT "with.dot HTTP/1.1\r\nHost: x\r\n", "301",
	    "https://x:8443" AT "with.dot" },
	{ "an escape is none", "GET " AT "aB_%2d9 HTTP/1.1\r\nHost: x\r\n",
	    "301", "https://x:8443" AT "aB_%2d9" },
	{ "nor is a query", "GET " AT "aB_-9? HTTP/1.1\r\nHost: x\r\n", "301",
	    "https://x:8443" AT "aB_-9?" },
	{ "a link", "GET " AT "link HTTP/1.1\r\nHost: x\r\n", "301",
	    "https://x:8443" AT "link" },
	{ "not read", "DELETE " AT "aB_-9 HTTP/1.1\r\nHost: x\r\n", "308",
	    "https://x:8443" AT "aB_-9" },
};

Test(plain, rows)
{
	char link[128];

	(void)snprintf(link, sizeof(link), "%s/link", dir);
	cr_assert_eq(symlink("aB_-9", link), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char ask[256], want[128];
		const char *h;
		int c = client_open();

		(void)snprintf(ask, sizeof(ask), "%s\r\n", rows[i].request);
		put(c, ask);
		h = get_head(c);
		(void)snprintf(want, sizeof(want), "HTTP/1.1 %s ",
		    rows[i].status);
		cr_expect(has(h, want), "%s: %s", rows[i].why, h);
		(void)snprintf(want, sizeof(want), "\r\nLocation: %s\r\n",
		    rows[i].location == NULL ? "" : rows[i].location);
		cr_expect_eq(has(h, want), rows[i].location != NULL, "%s: %s",
		    rows[i].why, h);
		if (strcmp(rows[i].status, "200") == 0)
			get(c, "aB_-9.thumb");
	}
	cr_expect(origin_is_quiet(A), "never forwarded");
	cr_expect_eq(rig_outcome(OUT_ACME) + rig_unrouted(OUT_ACME), 2);
	cr_expect_eq(rig_outcome(OUT_REDIRECTED), ARRAY_LEN(rows) - 3);
}
