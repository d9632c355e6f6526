/*
 * Memory runs out at each allocation in turn: E_NOMEM or the whole result,
 * nothing lost, nothing half.  Built with -Wl,--wrap for the three below.
 */
#include <stdlib.h>

#include "try.h"

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);

static long left = -1; /* good ones to come; -1: all are */

static bool
refuse(void)
{
	if (left < 0)
		return false;
	if (left == 0)
		return true; /* from now on always */
	left--;
	return false;
}

void *
__wrap_malloc(size_t n)
{
	return refuse() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return refuse() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return refuse() ? NULL : __real_realloc(p, n);
}

/* One of each kind of key, and warnings. */
static const char full[] =
    "workers: 2\nuser: segue\naccess_log: off\n"
    "admin: { http: \":9180\", operate: { users: [ a, b ] } }\n"
    "listeners: [ \":1\", { name: b, address: \":2\", "
    "trusted_proxies: [ 10.0.0.0/8 ] } ]\n"
    "services:\n"
    "- name: s\n"
    "  profile: keycloak\n"
    "  match: [ a, { host: b, path: /b } ]\n"
    "  share_key: header:X\n"
    "  rules: [ { deny: /a, from: [ 10.0.0.0/8 ], methods: [ GET ] } ]\n"
    "  pages: [ { status: 5xx, html: a, json: b } ]\n"
    "  headers: { prefix: /a, request: [ { set: X-A, value: \"{host}\" }, "
    "{ remove: X-B* } ], response: [ { add: X-C, value: d } ] }\n"
    "  rollout: { steps: [ { step: job, job: a }, promote ], jobs: [ "
    "{ name: a, command: [ /a, b ], when: /c d, rehearse: [ /d, e ], env: [ "
    "E=f, G= ], "
    "ok: [ 0, 1 ], ask: 2 }, { name: b, command: /b } ] }\n"
    "  pools:\n"
    "  - name: v1\n"
    "    version: 1.2\n"
    "    share: 90%\n"
    "    instances: [ a:1, { name: k, address: \"[::1]:1\" } ]\n"
    "    probe: { headers: { A: b, C: d }, expect: [ 200, 204 ], "
    "json: { field: a, value: b } }\n"
    "  - { name: v2, share: 10%, instances: a:1 }\n";

static const char wrong[] =
    "workers: many\nworkers: 1\nquux: 1\nlog: { level: loud }\n"
    "listeners: [ \":1\", \":1\", \"x\" ]\n"
    "services:\n- { name: a, rollout: { steps: [ { step: job, job: aa } ], "
    "jobs: [ { name: a, command: [ {}, b ] }, { name: a, command: b } ] }, "
    "pools: [ { name: v1, share: 1%, instances: [ b:1, b:1 ] } ] }\n- 3\n- { "
    "name: a, timeouts: "
    "{ connect: 2h }, pools: [] }\n";

/* How many allocations it takes until text is read. */
static long
read_until_it_succeeds(const char *text, int wanted)
{
	for (long n = 0; n < 100000; n++) {
		struct cfg_problems p;
		struct cfg *c;
		int rc;

		left = n;
		rc = cfg_parse(str_of(text), "f", &c, &p);
		left = -1;
		cr_assert(rc == wanted || rc == E_NOMEM, "%ld: %s", n,
		    err_name(rc));
		cr_assert_eq(c != NULL, rc == E_OK, "%ld", n);
		cfg_problems_free(&p);
		cfg_unref(&c);
		if (rc == wanted)
			return n;
	}
	return -1;
}

Test(memory, reading, .timeout = 60)
{
	cr_expect_gt(read_until_it_succeeds(full, E_OK), 100);
}

Test(memory, reading_what_is_wrong, .timeout = 60)
{
	cr_expect_gt(read_until_it_succeeds(wrong, E_SYNTAX), 50);
}

Test(memory, arguments, .timeout = 60)
{
	static const char *const listen[] = { ":1" };
	static const char *const pools[] = { "v1=a:1,b:1", "v2=c:1" };
	static const struct cfg_args a = { listen, 1, pools, 2, "/s", "/a" };
	long n = 0;
	int rc;

	do {
		struct buf yaml = BUF_INIT;
		struct cfg_problems p;
		struct cfg *c;

		left = n++;
		rc = cfg_from_args(&a, &yaml, &c, &p);
		left = -1;
		cr_assert(rc == E_OK || rc == E_NOMEM, "%s", err_name(rc));
		cr_assert_eq(c != NULL, rc == E_OK);
		cfg_problems_free(&p);
		cfg_unref(&c);
		buf_free(&yaml);
	} while (rc != E_OK && n < 100000);
	cr_expect_gt(n, 50);
}

/* Half a dump or half a list of changes says that it is half. */
Test(memory, showing, .timeout = 60)
{
	struct buf dump = BUF_INIT, live = BUF_INIT, restart = BUF_INIT;
	struct cfg *a, *b;
	struct buf said;
	bool done = false;
	size_t whole[3];
	long n = 0;

	(void)try_text(str_of(full), &a, &said);
	cr_assert_not_null(a, "%s", said.p);
	buf_free(&said);
	b = try_good(LISTEN SERVE, "b");
	cfg_dump(a, &dump);
	cfg_diff(a, b, &live, &restart);
	whole[0] = dump.len;
	whole[1] = live.len;
	whole[2] = restart.len;
	for (; !done && n < 100000; n++) {
		buf_free(&dump);
		buf_free(&live);
		buf_free(&restart);
		left = n;
		cfg_dump(a, &dump);
		left = n;
		cfg_diff(a, b, &live, &restart);
		left = -1;
		cr_assert(dump.failed || dump.len == whole[0], "%ld", n);
		cr_assert(live.failed || restart.failed ||
		        (live.len == whole[1] && restart.len == whole[2]),
		    "%ld", n);
		done = !dump.failed && !live.failed && !restart.failed;
	}
	cr_expect(done);
	cr_expect_gt(n, 10);
	buf_free(&dump);
	buf_free(&live);
	buf_free(&restart);
	for (n = 0; n < 100000; n++) {
		left = n;
		cfg_keys(&dump);
		left = -1;
		done = !dump.failed;
		buf_free(&dump);
		if (done)
			break;
	}
	cr_expect(done);
	cfg_unref(&a);
	cfg_unref(&b);
}
